/* SPDX-License-Identifier: MIT */
/*
 * One pageblock: 512 frames as bits, 1 = free. Internal to the frame layer.
 *
 * Words: a row is 64 frames, one word of the block; a head is the first frame of an aligned run.
 *
 * Legend: (b) the block's lock; (zb) written under zone->lock and the block's lock, read under either.
 */
#ifndef MM_PHYS_PAGEBLOCK_H
#define MM_PHYS_PAGEBLOCK_H

#include "zone.h"

#define ROW_ORDER 6
#define ROW_FRAMES 64u
#define BLOCK_ROWS 8u
#define BLOCK_FRAMES 512u

/* Where a block stands in the index: pageblock.pos. 1 to 63 are lists by fullness and order. */
enum { POS_NONE, POS_LIST_FIRST = 1, POS_LIST_LAST = 63, POS_OWNED = 64 };

/*
 * All zero is a valid state: no frame free by its bits, in no list, of type movable. A whole block (entirely
 * free) is in that state too but for its type: one bit of the index stands for its 512, so that a block nobody
 * has used yet needs no header written.
 */
struct pageblock {
	u64 bits[BLOCK_ROWS]; /* (b) 1: free */
	spinlock_t lock;
	u16 nr_free;   /* (b) set bits */
	u8 type_code;  /* (zb) migrate type, as its difference from movable */
	u8 pos;	       /* (zb) POS_ */
	u16 owner;     /* (zb) POS_OWNED: number of the CPU that takes its rows from here, plus 1 */
	u32 prev, next; /* (z) neighbours in the list, as index + 1; 0: none */
} __aligned(128);

octavo_static_assert(sizeof(struct pageblock) == 128, "two cache lines a block: 0.25 bytes a frame");
octavo_static_assert(PAGEBLOCK_ORDER == 9, "a block's bits fill a cache line");

/* The lock's own rank stays 0, because an untouched block is all zero; its rank is checked here. */
static inline void pageblock_lock(struct pageblock *b)
{
	lockdep_acquire(b, LOCK_RANK_PAGEBLOCK);
	spin_lock(&b->lock);
}

static inline void pageblock_unlock(struct pageblock *b)
{
	spin_unlock(&b->lock);
	lockdep_release(b, LOCK_RANK_PAGEBLOCK);
}

static inline unsigned int pageblock_type(const struct pageblock *b)
{
	return load_relaxed(&b->type_code) ^ MIGRATE_MOVABLE;
}

static inline unsigned long pageblock_index(const struct zone *zone, const struct pageblock *b)
{
	return (unsigned long)(b - zone->frames.blocks);
}

static inline unsigned long pageblock_pfn(const struct zone *zone, const struct pageblock *b)
{
	return zone->frames.base_pfn + (pageblock_index(zone, b) << PAGEBLOCK_ORDER);
}

/* NULL if the zone has no such block. */
static inline struct pageblock *pageblock_of(const struct zone *zone, unsigned long pfn)
{
	unsigned long i = (pfn - zone->frames.base_pfn) >> PAGEBLOCK_ORDER;

	return pfn >= zone->frames.base_pfn && i < zone->frames.nr_blocks ? &zone->frames.blocks[i] : NULL;
}

static inline unsigned int pfn_row(unsigned long pfn)
{
	return (pfn >> ROW_ORDER) % BLOCK_ROWS;
}

/* nr_free is looked at without the lock to judge how full the block is, hence no plain stores. */
static inline void pageblock_add_free(struct pageblock *b, int delta)
{
	store_relaxed(&b->nr_free, (u16)(b->nr_free + delta));
}

/* The 2^order frames from @pfn, as bits of its row; order at most 6. */
static inline u64 run_mask(unsigned long pfn, unsigned int order)
{
	return (~0ull >> (64 - (1u << order))) << (pfn % ROW_FRAMES);
}

/* Heads of the aligned runs of 2^order set bits, order at most 6: each step joins halves. */
static inline u64 row_heads(u64 w, unsigned int order)
{
	if (order > 0)
		w &= w >> 1 & 0x5555555555555555ull;
	if (order > 1)
		w &= w >> 2 & 0x1111111111111111ull;
	if (order > 2)
		w &= w >> 4 & 0x0101010101010101ull;
	if (order > 3)
		w &= w >> 8 & 0x0001000100010001ull;
	if (order > 4)
		w &= w >> 16 & 0x0000000100000001ull;
	if (order > 5)
		w &= w >> 32 & 1;
	return w;
}

/* The frames of the runs that @heads head: heads are 2^order apart or more, so nothing carries. */
static inline u64 heads_frames(u64 heads, unsigned int order)
{
	return order < ROW_ORDER ? heads * ((1ull << (1u << order)) - 1) : heads ? ~0ull : 0;
}

/* Largest order a free aligned run of the row has; -1 when nothing is free. */
int row_order(u64 w);
/* The same of a block, 9 when all of it is free. Its lock is held. */
int pageblock_order_free(const struct pageblock *b);

/* Take every free run of @order (at most 6) of the first row that has one. Return: heads; 0 when there is none. */
u64 pageblock_take_row(struct pageblock *b, unsigned int order, unsigned int *row);
/* Take one run of @order, the lowest of those in the smallest sufficient piece. Return: offset, or -1. */
int pageblock_take_run(struct pageblock *b, unsigned int order);
/* Take exactly 2^order frames from @offset; false and nothing if one of them is not free. */
bool pageblock_take_at(struct pageblock *b, unsigned int offset, unsigned int count);
/* Free frames of a row. Return: those of @mask that were free before (then nothing is changed). */
static inline u64 pageblock_give(struct pageblock *b, unsigned int row, u64 mask)
{
	u64 old = b->bits[row];

	if (unlikely(old & mask))
		return old & mask;
	b->bits[row] = old | mask;
	pageblock_add_free(b, mask & (mask - 1) ? (int)count_bits(mask) : 1);
	return 0;
}
/* Free @count frames from @offset. Return: false, and nothing changed, if one was free before. */
bool pageblock_give_range(struct pageblock *b, unsigned int offset, unsigned int count);

/*
 * What changed in the zone's counters: @delta frames more are free in blocks of @type. Isolated frames are
 * counted nowhere, as on Linux. At depth 1 this is the CPU's own section, in which its counters are its own; deeper
 * it is an interrupt that may have come between their load and store.
 */
static inline void frames_account(struct zone *zone, unsigned int type, long delta)
{
	struct cpu_local *cpu = this_cpu();

	if (unlikely(type == MIGRATE_ISOLATE))
		return;
	if (likely(cpu->depth == 1 && cpu->zone_stats)) {
		s32 *diff = &cpu->zone_stats[zone->index].diff[NR_FREE_PAGES];
		long value = *diff + delta, limit = (long)READ_ONCE(zone->stat_threshold);

		if (unlikely(value > limit || value < -limit)) {
			atomic_add_relaxed(&zone->stat[NR_FREE_PAGES], (unsigned long)value);
			value = 0;
		}
		store_relaxed(diff, (s32)value);
	} else {
		mod_zone_page_state(zone, NR_FREE_PAGES, delta);
	}
	if (unlikely(type == MIGRATE_CMA))
		mod_zone_page_state(zone, NR_FREE_CMA_PAGES, delta);
	else if (unlikely(type == MIGRATE_HIGHATOMIC))
		atomic_add_relaxed(&zone->nr_free_highatomic, (unsigned long)delta);
}

#endif
