/* SPDX-License-Identifier: MIT */
/* Per-CPU caches in front of the pageblocks; internal to the frame layer. Theory in frames.c. */
#ifndef MM_PHYS_CPUPAGES_H
#define MM_PHYS_CPUPAGES_H

#include "rmqueue.h"

#define ROW_ORDERS 4u /* orders 0 to PAGE_ALLOC_COSTLY_ORDER are served from rows */
/* Rows are kept by the types that cached frames have; frames of CMA blocks apart, for those who may have them. */
enum { ROWS_CMA = MIGRATE_PCPTYPES, ROW_TYPES };

#define FREE_SLOTS_MAX 64u
#define ROWS_FRAMES_MAX (ROW_TYPES * ROW_ORDERS * ROW_FRAMES)
#define WHOLE_BLOCKS_MAX 16u

octavo_static_assert(ROW_ORDERS == PAGE_ALLOC_COSTLY_ORDER + 1, "what Linux caches per CPU");

/* Freed frames of one row, waiting to go back together. All zero: nothing of row 0; slots[0] begins without a row. */
struct free_slot {
	u64 mask;	   /* (o) */
	unsigned long row; /* (o) pfn / 64 */
};

/* Who may touch the caches: cpu_pages.drain. */
enum { DRAIN_NONE, DRAIN_BY_OTHER, DRAIN_BY_OWNER };

/* Legend: (o) the owning CPU inside a section, or who drains for it; (a) atomic. */
struct cpu_pages {
	struct free_slot slots[FREE_SLOTS_MAX];	      /* (o) by row */
	u32 drain;				      /* (a) DRAIN_ */
	u32 nr_whole;				      /* (o) */
	u64 row_filter;				      /* (o) bit pfn / 64 % 64: a row of that number may be in rows[] */
	struct frame_row rows[ROW_TYPES][ROW_ORDERS]; /* (o) what allocations are served from */
	u32 current[ROW_TYPES][2];		      /* (o) owned blocks: for order 0, for higher ones */
	unsigned long whole[WHOLE_BLOCKS_MAX];	      /* (o) free blocks of order 9, movable */
	/*
	 * (o) Runs and frames that rows were loaded with, less what went back unused; frames that left the slots.
	 * With what rows and slots hold now this is what was allocated and freed: cpu_pages_events().
	 */
	unsigned long row_runs, row_frames, slot_frames;
} __aligned(64);

static inline struct cpu_pages *cpu_pages_of(const struct zone *zone, struct cpu_local *cpu)
{
	return (struct cpu_pages *)((char *)cpu->pages + zone->frames.pages_offset);
}

static inline struct free_slot *slot_of(const struct zone *zone, struct cpu_pages *cp, unsigned long pfn)
{
	return &cp->slots[(pfn >> ROW_ORDER) & zone->frames.slot_mask];
}

#endif
