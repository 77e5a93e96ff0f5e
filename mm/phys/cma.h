/* SPDX-License-Identifier: MIT */
/* CMA areas, for the rest of the core. The interface for everybody is <octavo/cma.h>. */
#ifndef MM_PHYS_CMA_H
#define MM_PHYS_CMA_H

#include <octavo/cma.h>

/* cma= : takes the default area from memblock, "cma: Reserved 64 MiB at 0x...". After NUMA set-up. */
void cma_reserve_early(void);

/*
 * cma_init_areas - hand the areas' frames over as free MIGRATE_CMA blocks
 * After memblock_free_all(), before page_alloc_init(): counts them as managed.
 */
void cma_init_areas(void);

/* Pages of all areas ("cma reserved"). */
unsigned long cma_total_pages(void);

#endif
