/* SPDX-License-Identifier: MIT */
/* Reports of allocation failures. */
#ifndef MM_PHYS_SLOWPATH_H
#define MM_PHYS_SLOWPATH_H

#include "page_alloc.h"

/* "NAME: page allocation failure: order:0, mode:...", stack, Mem-Info; at most once in ten seconds. */
void warn_alloc(gfp_t gfp, unsigned int order, const nodemask_t *nodemask);
/* The same with something else in place of "page allocation failure: order:N". */
void warn_alloc_text(gfp_t gfp, const nodemask_t *nodemask, const char *text);

/* The "Mem-Info:" block. @nodemask: nodes to show, NULL for all. */
void show_mem(const nodemask_t *nodemask);

#endif
