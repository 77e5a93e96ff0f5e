/* SPDX-License-Identifier: MIT */
/* Taking frames from the blocks of a zone, and giving them back; below the per-CPU caches. */
#ifndef MM_PHYS_RMQUEUE_H
#define MM_PHYS_RMQUEUE_H

#include "blockindex.h"

/* How far to go for a block: its own type's, those that other CPUs own, other types'. */
#define FIND_OWN 1u
#define FIND_OWNED 2u
#define FIND_FALLBACK 4u

/* Heads of free runs in one row, handed to a CPU. */
struct frame_row {
	u64 heads;	    /* (o) */
	unsigned long base; /* (o) first frame of the row */
};

/* One run from the blocks, for every order. */
unsigned long rmqueue(struct zone *zone, unsigned int order, unsigned int type, unsigned int alloc_flags,
		      unsigned int find);

/*
 * rmqueue_row_current - all runs of @order of one row of the block that this CPU owns
 * @cur: that block, as index + 1, or 0
 * Return: false if it has none. Takes only the block's lock.
 */
bool rmqueue_row_current(struct zone *zone, unsigned int cpu, unsigned int order, unsigned int type, u32 cur,
			 struct frame_row *row);

/*
 * rmqueue_row - the same from a block of the index
 * @cur: given up if it is a block, and set to the new one
 * Return: false if there is none as far as @find goes.
 */
bool rmqueue_row(struct zone *zone, unsigned int cpu, unsigned int order, unsigned int type,
		 unsigned int alloc_flags, unsigned int find, u32 *cur, struct frame_row *row);

/* The CPU gives up its block: back into the lists. */
void rmqueue_disown(struct zone *zone, unsigned int cpu, u32 *cur);

/* Free frames of one row, or a run of any order. Return: those that were free already (nothing else is lost). */
u64 blocks_give_row(struct zone *zone, unsigned long row_pfn, u64 mask);
/* Rows of the block that begins at @pfn, together; what is free already is reported. */
void blocks_give_rows(struct zone *zone, unsigned long pfn, const u64 masks[BLOCK_ROWS]);
bool blocks_give_run(struct zone *zone, unsigned long pfn, unsigned int order);
/* Several whole blocks under one zone->lock. What is free already is reported. */
unsigned int blocks_take_whole(struct zone *zone, unsigned int type, unsigned int nr, unsigned long *pfns);
void blocks_give_whole(struct zone *zone, unsigned int nr, const unsigned long *pfns);

/* Is more than half of what is free CMA's? Then movable allocations use that first. */
bool cma_is_majority(const struct zone *zone);

/* An allocation for high-order atomic requests succeeded: keep its block for more of them, up to 1 %. */
void reserve_highatomic(struct zone *zone, unsigned long pfn, unsigned int order);

#endif
