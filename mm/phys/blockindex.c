// SPDX-License-Identifier: MIT
/* The index over a zone's pageblocks: theory in frames.c. Everything here runs under zone->lock. */
#include "blockindex.h"

/*
 * Fullness by 32nds of free frames, fullest first. Fine where it matters: the fullest blocks are filled
 * up first, and between nearly empty ones there is little to choose.
 */
static const u8 fullness_of[16] = { 0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6 };

/*
 * A block whose free runs grow is listed for somewhat more than it has, so that it need not move at each order: who
 * looks for more than there is puts it right, and pays no more for that than the moves saved.
 */
static const u8 promised[RUN_CLASSES] = { 1, 1, 3, 3, 5, 5, 8, 8, 8 };

static unsigned int pos_fullness(unsigned int pos)
{
	return (pos - 1) / RUN_CLASSES;
}

int index_pos_order(unsigned int pos)
{
	return (int)((pos - 1) % RUN_CLASSES);
}

/* The lists whose blocks have a run of @order: in each group of RUN_CLASSES bits the upper ones. */
static u64 lists_with_run(unsigned int order)
{
	/* bits 0, 9, 18, ... 54 */
	const u64 groups = 0x0040201008040201ull;
	u64 upper = (1ull << RUN_CLASSES) - (1ull << order);

	return groups * upper;
}

static unsigned int list_pos(const struct pageblock *b, int order)
{
	return POS_LIST_FIRST + fullness_of[b->nr_free / 32] * RUN_CLASSES + (unsigned int)order;
}

/* Which list its counts put it in; not for one that is entirely free. */
static unsigned int wanted_pos(const struct pageblock *b)
{
	return b->nr_free ? list_pos(b, pageblock_order_free(b)) : POS_NONE;
}

bool pageblock_outgrew(const struct pageblock *b, unsigned int row)
{
	int order;

	if (b->nr_free == BLOCK_FRAMES)
		return true;
	if (b->pos == POS_OWNED)
		return false;
	if (b->pos == POS_NONE)
		return true;
	order = index_pos_order(b->pos) + 1;
	return order <= ROW_ORDER ? row_heads(b->bits[row], (unsigned int)order) != 0 :
				    !~b->bits[row] && pageblock_order_free(b) >= order;
}

/* ---- Maps of whole blocks ---- */

static unsigned long map_words(unsigned long nr_blocks)
{
	return DIV_ROUND_UP(nr_blocks, 64);
}

static unsigned long summary_words(unsigned long nr_blocks)
{
	return DIV_ROUND_UP(map_words(nr_blocks), 64);
}

static void map_set_word(struct block_map *map, unsigned long word, u64 bits)
{
	map->words[word] |= bits;
	map->summary[word / 64] |= 1ull << (word % 64);
	map->first = min(map->first, word / 64);
}

static void map_set(struct block_map *map, unsigned long i)
{
	map_set_word(map, i / 64, 1ull << (i % 64));
	store_relaxed(&map->count, map->count + 1);
}

static void map_clear(struct block_map *map, unsigned long i)
{
	unsigned long word = i / 64;

	map->words[word] &= ~(1ull << (i % 64));
	if (!map->words[word])
		map->summary[word / 64] &= ~(1ull << (word % 64));
	store_relaxed(&map->count, map->count - 1);
}

static unsigned long map_lowest(struct block_map *map)
{
	unsigned long word;

	while (!map->summary[map->first])
		map->first++;
	word = map->first * 64 + lowest_bit(map->summary[map->first]);
	return word * 64 + lowest_bit(map->words[word]);
}

/* ---- Start ---- */

size_t block_index_bytes(unsigned long nr_blocks)
{
	size_t map = (map_words(nr_blocks) + summary_words(nr_blocks)) * sizeof(u64);

	return ALIGN(sizeof(struct block_index), 64) + MIGRATE_TYPES * map + map_words(nr_blocks) * sizeof(u64);
}

void block_index_init(struct block_index *index, unsigned long nr_blocks)
{
	u64 *at = (u64 *)((char *)index + ALIGN(sizeof(*index), 64));

	for (unsigned int t = 0; t < MIGRATE_TYPES; t++) {
		index->whole[t].words = at;
		at += map_words(nr_blocks);
		index->whole[t].summary = at;
		at += summary_words(nr_blocks);
	}
	index->seen = at;
}

bool index_add_untouched(struct zone *zone, unsigned long first, unsigned long end)
{
	struct block_index *index = zone->frames.index;
	struct block_map *map = &index->whole[MIGRATE_MOVABLE];

	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned long i = first; i < end; i = ALIGN_DOWN(i, 64) + 64) {
			unsigned long n = min(64 - i % 64, end - i);
			u64 bits = ~0ull >> (64 - n) << (i % 64);

			if (pass)
				map_set_word(map, i / 64, bits);
			else if ((index->seen[i / 64] | map->words[i / 64]) & bits)
				return false;
		}
	}
	store_relaxed(&map->count, map->count + (end - first));
	return true;
}

bool index_is_whole(struct zone *zone, const struct pageblock *b)
{
	return map_test(&zone->frames.index->whole[pageblock_type(b)], pageblock_index(zone, b));
}

static void mark_seen(struct zone *zone, unsigned long i)
{
	zone->frames.index->seen[i / 64] |= 1ull << (i % 64);
}

static void fill_bits(struct pageblock *b, u64 bits)
{
	for (unsigned int i = 0; i < BLOCK_ROWS; i++)
		b->bits[i] = bits;
	store_relaxed(&b->nr_free, (u16)(bits ? BLOCK_FRAMES : 0));
}

void index_open_whole(struct zone *zone, struct pageblock *b)
{
	unsigned long i = pageblock_index(zone, b);

	map_clear(&zone->frames.index->whole[pageblock_type(b)], i);
	mark_seen(zone, i);
	fill_bits(b, ~0ull);
}

/* ---- Lists ---- */

static void list_unlink(struct zone *zone, struct pageblock *b, unsigned int type)
{
	struct block_index *index = zone->frames.index;
	u32 *first = &index->lists[type][b->pos - 1];

	if (b->prev)
		zone->frames.blocks[b->prev - 1].next = b->next;
	else
		*first = b->next;
	if (b->next)
		zone->frames.blocks[b->next - 1].prev = b->prev;
	if (!*first)
		store_relaxed_u64(&index->occupied[type], index->occupied[type] & ~(1ull << (b->pos - 1)));
	b->prev = b->next = 0;
}

static void list_link(struct zone *zone, struct pageblock *b, unsigned int type)
{
	struct block_index *index = zone->frames.index;
	u32 *first = &index->lists[type][b->pos - 1], me = (u32)pageblock_index(zone, b) + 1;

	b->prev = 0;
	b->next = *first;
	if (*first)
		zone->frames.blocks[*first - 1].prev = me;
	*first = me;
	store_relaxed_u64(&index->occupied[type], index->occupied[type] | 1ull << (b->pos - 1));
}

static void index_remove(struct zone *zone, struct pageblock *b)
{
	if (b->pos != POS_NONE)
		list_unlink(zone, b, pageblock_type(b));
	store_relaxed(&b->pos, POS_NONE);
	b->owner = 0;
}

static void index_insert(struct zone *zone, struct pageblock *b, unsigned int pos)
{
	store_relaxed(&b->pos, (u8)pos);
	if (pos != POS_NONE)
		list_link(zone, b, pageblock_type(b));
	mark_seen(zone, pageblock_index(zone, b));
}

void index_update(struct zone *zone, struct pageblock *b)
{
	unsigned int pos;

	if (b->nr_free == BLOCK_FRAMES) {
		index_remove(zone, b);
		fill_bits(b, 0);
		map_set(&zone->frames.index->whole[pageblock_type(b)], pageblock_index(zone, b));
		mark_seen(zone, pageblock_index(zone, b));
		return;
	}
	pos = wanted_pos(b);
	if (pos == b->pos)
		return;
	index_remove(zone, b);
	index_insert(zone, b, pos);
}

void index_update_unowned(struct zone *zone, struct pageblock *b)
{
	if (b->pos != POS_OWNED || b->nr_free == BLOCK_FRAMES)
		index_update(zone, b);
}

void index_raise(struct zone *zone, struct pageblock *b, unsigned int row)
{
	int order;

	if (b->nr_free == BLOCK_FRAMES || row >= BLOCK_ROWS || !~b->bits[row]) {
		index_update_unowned(zone, b);
		return;
	}
	if (b->pos == POS_OWNED)
		return;
	order = row_order(b->bits[row]);
	order = order < 0 ? order : promised[order];
	if (b->pos != POS_NONE)
		order = max(order, index_pos_order(b->pos));
	if (order < 0 || list_pos(b, order) == b->pos)
		return;
	index_remove(zone, b);
	index_insert(zone, b, list_pos(b, order));
}

void index_own(struct zone *zone, struct pageblock *b, unsigned int cpu)
{
	index_remove(zone, b);
	index_insert(zone, b, POS_OWNED);
	b->owner = (u16)(cpu + 1);
}

void index_set_type(struct zone *zone, struct pageblock *b, unsigned int type)
{
	unsigned int was = pageblock_type(b);

	if (type == was)
		return;
	if (index_is_whole(zone, b))
		index_open_whole(zone, b);
	frames_account(zone, was, -(long)b->nr_free);
	frames_account(zone, type, b->nr_free);
	index_remove(zone, b);
	store_relaxed(&b->type_code, (u8)(type ^ MIGRATE_MOVABLE));
	mark_seen(zone, pageblock_index(zone, b));
	index_update(zone, b);
}

/* ---- Finding ---- */

/*
 * Frees do not move a block for its fullness: that is made up for here, for so many blocks at a time. Those an
 * allocation would have taken in place of a fuller one are few anyway.
 */
#define MOVES_MAX 8u

static bool grown_emptier(const struct pageblock *b)
{
	/* its frees may have made it whole since: then it counts as the emptiest class */
	unsigned int nr_free = min((unsigned int)b->nr_free, BLOCK_FRAMES - 1);

	return fullness_of[nr_free / 32] > pos_fullness(b->pos);
}

struct pageblock *index_find(struct zone *zone, unsigned int type, unsigned int order, bool emptiest)
{
	struct block_index *index = zone->frames.index;
	u64 fit = lists_with_run(order), at;
	unsigned int moved = 0;

	while ((at = index->occupied[type] & fit)) {
		unsigned int list = emptiest ? highest_bit(at) : lowest_bit(at);
		struct pageblock *b = &zone->frames.blocks[index->lists[type][list] - 1];

		pageblock_lock(b);
		if (pageblock_order_free(b) >= (int)order && (moved == MOVES_MAX || !grown_emptier(b)))
			return b;
		index_update(zone, b); /* it promised more than it has, or there may be a fuller one */
		moved += moved < MOVES_MAX;
		pageblock_unlock(b);
	}
	return NULL;
}

struct pageblock *index_find_owned(struct zone *zone, unsigned int type, unsigned int order)
{
	u32 next;

	for (u32 i = zone->frames.index->lists[type][POS_OWNED - 1]; i; i = next) {
		struct pageblock *b = &zone->frames.blocks[i - 1];

		next = b->next;
		pageblock_lock(b);
		if (pageblock_order_free(b) >= (int)order)
			return b;
		pageblock_unlock(b);
	}
	return NULL;
}

unsigned long index_take_whole(struct zone *zone, unsigned int type)
{
	struct block_map *map = &zone->frames.index->whole[type];
	unsigned long i;

	if (!map->count)
		return PFN_NONE;
	i = map_lowest(map);
	map_clear(map, i);
	mark_seen(zone, i);
	return zone->frames.base_pfn + (i << PAGEBLOCK_ORDER);
}

struct pageblock *index_open_lowest(struct zone *zone, unsigned int type, unsigned int as)
{
	unsigned long pfn = index_take_whole(zone, type);
	struct pageblock *b;

	if (pfn == PFN_NONE)
		return NULL;
	b = pageblock_of(zone, pfn);
	pageblock_lock(b);
	fill_bits(b, ~0ull);
	if (as != type) {
		frames_account(zone, type, -(long)BLOCK_FRAMES);
		frames_account(zone, as, BLOCK_FRAMES);
		store_relaxed(&b->type_code, (u8)(as ^ MIGRATE_MOVABLE));
	}
	return b;
}

bool index_give_whole(struct zone *zone, struct pageblock *b)
{
	unsigned long i = pageblock_index(zone, b);
	struct block_map *map = &zone->frames.index->whole[pageblock_type(b)];

	if (load_relaxed(&b->nr_free) || map_test(map, i))
		return false;
	if (unlikely(b->pos != POS_NONE)) { /* used up since it was listed */
		pageblock_lock(b);
		index_remove(zone, b);
		pageblock_unlock(b);
	}
	map_set(map, i);
	return true;
}

unsigned long index_find_pair(struct zone *zone, unsigned int types)
{
	struct block_index *index = zone->frames.index;
	unsigned long words = map_words(zone->frames.nr_blocks);

	for (unsigned long w = 0; w < words; w++) {
		u64 bits = 0;

		for (unsigned int t = 0; t < MIGRATE_TYPES; t++)
			bits |= types >> t & 1 ? index->whole[t].words[w] : 0;
		bits &= bits >> 1 & 0x5555555555555555ull;
		if (bits)
			return zone->frames.base_pfn + ((w * 64 + lowest_bit(bits)) << PAGEBLOCK_ORDER);
	}
	return PFN_NONE;
}

bool index_promises(const struct zone *zone, unsigned int type, unsigned int order)
{
	const struct block_index *index = zone->frames.index;

	if (load_relaxed(&index->whole[type].count))
		return true;
	return order < 9 && (load_relaxed_u64(&index->occupied[type]) & lists_with_run(order));
}
