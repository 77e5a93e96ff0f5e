/* SPDX-License-Identifier: MIT */
/* Reports of allocation failures. */
#ifndef MM_PHYS_SLOWPATH_H
#define MM_PHYS_SLOWPATH_H

#include "../sync/mutex.h"
#include "page_alloc.h"

/* "NAME: page allocation failure: order:0, mode:...", stack, Mem-Info; at most once in ten seconds. */
void warn_alloc(gfp_t gfp, unsigned int order, const nodemask_t *nodemask);
/* The same with something else in place of "page allocation failure: order:N". */
void warn_alloc_text(gfp_t gfp, const nodemask_t *nodemask, const char *text);

/* The "Mem-Info:" block. @nodemask: nodes to show, NULL for all. @highest: no zones above it. */
void show_mem(const nodemask_t *nodemask);
void show_mem_zones(const nodemask_t *nodemask, enum zone_type highest);
/* "0-3,5" for the nodes of a set; @mask NULL: those with memory. */
void print_nodes(const nodemask_t *mask);

/* What swap there is, in pages, for reports: its layer is above, and sets this. NULL: none. */
extern void (*show_mem_swap)(unsigned long *total, unsigned long *free);

/* ---- The OOM killer, far above, and who asks it ---- */

/* What the running thread is to it: set by who knows threads. NULL: nothing. */
#define OOM_TASK_VICTIM 1u  /* killed for its memory: it may have half of what is kept for emergencies */
#define OOM_TASK_DUMPING 2u /* writes a core dump: it fails rather than that others die */
extern unsigned int (*oom_task_state)(void);

/* Held by who asks for somebody to be killed, so that what one victim frees is seen before the next has to go. */
extern struct mutex oom_lock;

/* What who finds it taken waits, before he looks whether there is memory now: a tick of 250 a second. */
#define OOM_WAIT_NS 4000000ull
#define OOM_WAIT_TICKS 12u /* who waits for a victim: before he tries to reclaim again himself */

#endif
