/* SPDX-License-Identifier: MIT */
/*
 * Which block to take from: the index over a zone's pageblocks. All of it under zone->lock.
 *
 * A block with free frames stands in one place: a list by [type][fullness][largest free run], the list of
 * blocks that CPUs own, or, entirely free, the map of whole blocks of its type.
 */
#ifndef MM_PHYS_BLOCKINDEX_H
#define MM_PHYS_BLOCKINDEX_H

#include "pageblock.h"

#define FULLNESS_CLASSES 7u
#define RUN_CLASSES 9u /* orders 0 to 8: with order 9 the block is whole */

octavo_static_assert(FULLNESS_CLASSES * RUN_CLASSES == POS_LIST_LAST, "one word has a bit for each list");
octavo_static_assert(POS_OWNED == POS_LIST_LAST + 1, "and its last bit is for owned blocks");

/* A set of blocks: a bit each, and a bit for each word of them that is not 0. */
struct block_map {
	u64 *words;
	u64 *summary;
	unsigned long first; /* no word of the summary below this one has a bit */
	unsigned long count;
};

struct block_index {
	u64 occupied[MIGRATE_TYPES]; /* bit pos - 1: the list is not empty */
	u32 lists[MIGRATE_TYPES][64]; /* first block, as index + 1 */
	struct block_map whole[MIGRATE_TYPES];
	u64 *seen; /* blocks whose header may differ from zero */
};

size_t block_index_bytes(unsigned long nr_blocks);
void block_index_init(struct block_index *index, unsigned long nr_blocks);

/* Has every block of [first, end) never been touched? If so they become whole blocks of movable type. */
bool index_add_untouched(struct zone *zone, unsigned long first, unsigned long end);

/* Entirely free, for which its bits are clear. */
bool index_is_whole(struct zone *zone, const struct pageblock *b);

/* From whole to bits, all set; in no list until index_update(). Its lock is held. */
void index_open_whole(struct zone *zone, struct pageblock *b);

/* Put the block where its bits say, whoever owned it. Its lock is held. */
void index_update(struct zone *zone, struct pageblock *b);
/* The same, unless it is owned and not entirely free. */
void index_update_unowned(struct zone *zone, struct pageblock *b);
/*
 * The same after frames of @row were freed, or of several rows (BLOCK_ROWS): cheaper, for it goes by that row and by
 * what the block's place promised already.
 */
void index_raise(struct zone *zone, struct pageblock *b, unsigned int row);
void index_own(struct zone *zone, struct pageblock *b, unsigned int cpu);
/* Also moves it in the index and in the counters. Its lock is held. */
void index_set_type(struct zone *zone, struct pageblock *b, unsigned int type);

/* A block of the type with a run of @order (at most 8), fullest or emptiest first. Return: locked, or NULL. */
struct pageblock *index_find(struct zone *zone, unsigned int type, unsigned int order, bool emptiest);
/* The same among the blocks that CPUs own. */
struct pageblock *index_find_owned(struct zone *zone, unsigned int type, unsigned int order);
/* The lowest whole block, in use from now on as one; PFN_NONE: none. */
unsigned long index_take_whole(struct zone *zone, unsigned int type);
/* The same, to take parts from: of type @as from now on. Return: locked, its bits all set, or NULL. */
struct pageblock *index_open_lowest(struct zone *zone, unsigned int type, unsigned int as);
/* All 512 frames become free. Return: false, and nothing changed, if some were. */
bool index_give_whole(struct zone *zone, struct pageblock *b);
/* The first of two adjacent whole blocks whose types are in @types, for order 10; PFN_NONE: none. */
unsigned long index_find_pair(struct zone *zone, unsigned int types);

/* After frames were freed: must the block move up, so that what is free can be found? Its lock is held. */
bool pageblock_outgrew(const struct pageblock *b, unsigned int row);

/* The order of run that blocks of a list have at most. */
int index_pos_order(unsigned int pos);

/* Does a list of the type promise a run of @order? Without a lock; may be out of date. */
bool index_promises(const struct zone *zone, unsigned int type, unsigned int order);

static inline bool map_test(const struct block_map *map, unsigned long i)
{
	return map->words[i / 64] >> (i % 64) & 1;
}

static inline bool index_seen(const struct zone *zone, const struct pageblock *b)
{
	unsigned long i = pageblock_index(zone, b);

	return zone->frames.index->seen[i / 64] >> (i % 64) & 1;
}

#endif
