/* SPDX-License-Identifier: MIT */
/* Reports of allocation failures. */
#ifndef MM_PHYS_SLOWPATH_H
#define MM_PHYS_SLOWPATH_H

#include "page_alloc.h"

/* "NAME: page allocation failure: order:0, mode:...", stack, Mem-Info; at most once in ten seconds. */
void warn_alloc(gfp_t gfp, unsigned int order, const nodemask_t *nodemask);

/* The "Mem-Info:" block. @nodemask: nodes to show, NULL for all. */
void show_mem(const nodemask_t *nodemask);

#endif
