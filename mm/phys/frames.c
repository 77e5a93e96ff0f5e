// SPDX-License-Identifier: MIT
/* The frame layer's outline: metadata, adding and claiming ranges, migrate types, counts. */
#include "../base/string.h"
#include "cpupages.h"

/* A zone this small would lose too much of itself to caches: an eighth of it may be in a CPU's free slots. */
static u32 slots_for(unsigned long spanned)
{
	u64 slots = rounddown_pow_of_two(spanned / ROW_FRAMES / 8);

	return (u32)clamp(slots, 1, (u64)FREE_SLOTS_MAX) - 1;
}

/* At most 1/128 of the zone in the whole blocks one CPU keeps. */
static u32 whole_for(unsigned long spanned)
{
	return (u32)min((u64)spanned / BLOCK_FRAMES / 128, (u64)WHOLE_BLOCKS_MAX);
}

static unsigned long blocks_between(unsigned long start, unsigned long spanned)
{
	return DIV_ROUND_UP(start + spanned - ALIGN_DOWN(start, MAX_ORDER_NR_PAGES), BLOCK_FRAMES);
}

size_t frames_bytes(unsigned long start, unsigned long spanned)
{
	unsigned long blocks = blocks_between(start, spanned);

	return spanned ? blocks * sizeof(struct pageblock) + ALIGN(block_index_bytes(blocks), 128) : 0;
}

void frames_zone_init_room(struct zone *zone, void *metadata, unsigned long start, unsigned long frames)
{
	struct zone_frames *f = &zone->frames;

	f->base_pfn = ALIGN_DOWN(start, MAX_ORDER_NR_PAGES);
	f->nr_blocks = frames ? blocks_between(start, frames) : 0;
	f->blocks = metadata;
	f->index = f->nr_blocks ? (struct block_index *)(f->blocks + f->nr_blocks) : NULL;
	f->slot_mask = slots_for(frames);
	f->whole_max = whole_for(frames);
	if (f->nr_blocks)
		block_index_init(f->index, f->nr_blocks);
}

void frames_zone_init(struct zone *zone, void *metadata)
{
	frames_zone_init_room(zone, metadata, zone->zone_start_pfn, zone->spanned_pages);
}

/* ---- Adding ---- */

/* Frames of one block, which may be in use already. */
static void add_in_block(struct zone *zone, unsigned long start, unsigned long end, unsigned int migratetype)
{
	struct pageblock *b = pageblock_of(zone, start);
	unsigned int offset = start % BLOCK_FRAMES;
	bool added;

	pageblock_lock(b);
	if (index_is_whole(zone, b))
		index_open_whole(zone, b);
	if (b->pos == POS_NONE && !b->nr_free && !index_seen(zone, b))
		store_relaxed(&b->type_code, (u8)(migratetype ^ MIGRATE_MOVABLE));
	added = pageblock_give_range(b, offset, (unsigned int)(end - start));
	if (added)
		frames_account(zone, pageblock_type(b), (long)(end - start));
	index_update_unowned(zone, b);
	pageblock_unlock(b);
	if (!added)
		frames_bad_free(zone, start, ~0ull);
}

void frames_add(struct zone *zone, unsigned long start, unsigned long end, unsigned int migratetype)
{
	unsigned long first = ALIGN(start, BLOCK_FRAMES), last = ALIGN_DOWN(end, BLOCK_FRAMES), flags;

	spin_lock_irqsave(&zone->lock, flags);
	if (migratetype == MIGRATE_MOVABLE && first < last &&
	    index_add_untouched(zone, (first - zone->frames.base_pfn) / BLOCK_FRAMES,
				(last - zone->frames.base_pfn) / BLOCK_FRAMES)) {
		frames_account(zone, MIGRATE_MOVABLE, (long)(last - first));
		if (start < first)
			add_in_block(zone, start, first, migratetype);
		start = last;
	}
	for (unsigned long next; start < end; start = next) {
		next = min(ALIGN_DOWN(start, BLOCK_FRAMES) + BLOCK_FRAMES, end);
		add_in_block(zone, start, next, migratetype);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
}

/* ---- Claiming ---- */

static bool claim_in_block(struct zone *zone, unsigned long start, unsigned long end)
{
	struct pageblock *b = pageblock_of(zone, start);
	unsigned int offset = start % BLOCK_FRAMES;
	bool taken;

	if (!b)
		return false;
	pageblock_lock(b);
	if (index_is_whole(zone, b))
		index_open_whole(zone, b);
	taken = pageblock_take_at(b, offset, (unsigned int)(end - start));
	if (taken)
		frames_account(zone, pageblock_type(b), -(long)(end - start));
	index_update_unowned(zone, b);
	pageblock_unlock(b);
	return taken;
}

static void unclaim(struct zone *zone, unsigned long start, unsigned long end)
{
	for (unsigned long next; start < end; start = next) {
		next = min(ALIGN_DOWN(start, BLOCK_FRAMES) + BLOCK_FRAMES, end);
		add_in_block(zone, start, next, MIGRATE_MOVABLE);
	}
}

bool frames_claim(struct zone *zone, unsigned long start, unsigned long end)
{
	unsigned long flags, at, next;

	spin_lock_irqsave(&zone->lock, flags);
	for (at = start; at < end; at = next) {
		next = min(ALIGN_DOWN(at, BLOCK_FRAMES) + BLOCK_FRAMES, end);
		if (!claim_in_block(zone, at, next)) {
			unclaim(zone, start, at);
			break;
		}
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return at >= end;
}

/* ---- Migrate types ---- */

unsigned int get_pageblock_migratetype(struct zone *zone, unsigned long pfn)
{
	struct pageblock *b = pageblock_of(zone, pfn);

	return b ? pageblock_type(b) : MIGRATE_MOVABLE;
}

void set_pageblock_migratetype(struct zone *zone, unsigned long pfn, unsigned int migratetype)
{
	struct pageblock *b = pageblock_of(zone, pfn);
	unsigned long flags;

	if (!b)
		return;
	spin_lock_irqsave(&zone->lock, flags);
	pageblock_lock(b);
	index_set_type(zone, b, migratetype);
	pageblock_unlock(b);
	spin_unlock_irqrestore(&zone->lock, flags);
}

/* ---- Counting ---- */

/* The pieces a block's bits fall into, largest first: what is not half of a larger free run. */
static void count_block(const struct pageblock *b, unsigned long nr_free[NR_PAGE_ORDERS])
{
	u64 wider[BLOCK_ROWS] = { 0 };
	unsigned int full = 0, rows = 0;

	for (unsigned int i = 0; i < BLOCK_ROWS; i++)
		full |= (unsigned int)!~b->bits[i] << i;
	for (unsigned int order = 8, n = 4; n; order--, n /= 2) {
		unsigned int run = (1u << n) - 1;

		for (unsigned int i = 0; i < BLOCK_ROWS; i += n) {
			if ((full >> i & run) == run && !(rows >> i & 1)) {
				nr_free[order]++;
				rows |= run << i;
			}
		}
	}
	for (unsigned int i = 0; i < BLOCK_ROWS; i++) {
		if (full >> i & 1)
			continue;
		for (unsigned int order = ROW_ORDER; order--;) {
			u64 heads = row_heads(b->bits[i] & ~wider[i], order);

			nr_free[order] += count_bits(heads);
			wider[i] |= heads_frames(heads, order);
		}
	}
}

static void count_type(struct zone *zone, unsigned int type, unsigned long nr_free[NR_PAGE_ORDERS])
{
	struct block_index *index = zone->frames.index;

	for (unsigned int list = 0; list < 64; list++) {
		u32 next;

		for (u32 i = index->lists[type][list]; i; i = next) {
			struct pageblock *b = &zone->frames.blocks[i - 1];

			next = b->next;
			pageblock_lock(b);
			count_block(b, nr_free);
			pageblock_unlock(b);
		}
	}
	for (unsigned long w = 0; w < DIV_ROUND_UP(zone->frames.nr_blocks, 64); w++) {
		u64 bits = index->whole[type].words[w], pairs = bits & bits >> 1 & 0x5555555555555555ull;

		nr_free[10] += count_bits(pairs);
		nr_free[9] += count_bits(bits) - 2 * count_bits(pairs);
	}
}

void frames_count(struct zone *zone, unsigned int migratetype, unsigned long nr_free[NR_PAGE_ORDERS])
{
	unsigned long flags;

	memset(nr_free, 0, NR_PAGE_ORDERS * sizeof(*nr_free));
	if (!zone->frames.nr_blocks)
		return;
	spin_lock_irqsave(&zone->lock, flags);
	count_type(zone, migratetype, nr_free);
	spin_unlock_irqrestore(&zone->lock, flags);
}

void frames_count_all(struct zone *zone, unsigned long nr_free[NR_PAGE_ORDERS])
{
	unsigned long flags;

	memset(nr_free, 0, NR_PAGE_ORDERS * sizeof(*nr_free));
	if (!zone->frames.nr_blocks)
		return;
	spin_lock_irqsave(&zone->lock, flags);
	for (unsigned int t = 0; t < MIGRATE_TYPES; t++)
		count_type(zone, t, nr_free);
	spin_unlock_irqrestore(&zone->lock, flags);
}

bool frames_order_available(struct zone *zone, unsigned int order, unsigned int migratetype, unsigned int alloc_flags)
{
	unsigned int types = 1u << MIGRATE_UNMOVABLE | 1u << MIGRATE_MOVABLE | 1u << MIGRATE_RECLAIMABLE;
	unsigned long flags, pfn;

	(void)migratetype;
	if (!zone->frames.nr_blocks)
		return false;
	if (alloc_flags & ALLOC_CMA)
		types |= 1u << MIGRATE_CMA;
	if (alloc_flags & ALLOC_HIGHATOMIC)
		types |= 1u << MIGRATE_HIGHATOMIC;
	if (order <= PAGEBLOCK_ORDER) {
		for (unsigned int t = 0; t < MIGRATE_TYPES; t++)
			if (types >> t & 1 && index_promises(zone, t, order))
				return true;
	}
	spin_lock_irqsave(&zone->lock, flags);
	pfn = index_find_pair(zone, types);
	for (unsigned int t = 0; order < PAGEBLOCK_ORDER && pfn == PFN_NONE && t < MIGRATE_TYPES; t++) {
		struct pageblock *b = types >> t & 1 ? index_find_owned(zone, t, order) : NULL;

		if (b) {
			pfn = pageblock_pfn(zone, b);
			pageblock_unlock(b);
		}
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return pfn != PFN_NONE;
}

/* ---- One frame ---- */

static bool in_caches(struct zone *zone, const struct cpu_pages *cp, unsigned long pfn)
{
	unsigned long row_pfn = ALIGN_DOWN(pfn, ROW_FRAMES);
	u64 mask = run_mask(pfn, 0);

	for (unsigned int t = 0; t < ROW_TYPES; t++)
		for (unsigned int order = 0; order < ROW_ORDERS; order++)
			if (cp->rows[t][order].base == row_pfn &&
			    heads_frames(load_relaxed_u64(&cp->rows[t][order].heads), order) & mask)
				return true;
	for (unsigned int i = 0; i < cp->nr_whole; i++)
		if (pfn - cp->whole[i] < BLOCK_FRAMES)
			return true;
	for (unsigned int i = 0; i <= zone->frames.slot_mask; i++)
		if (cp->slots[i].row == pfn >> ROW_ORDER && load_relaxed_u64(&cp->slots[i].mask) & mask)
			return true;
	return false;
}

int frame_state(struct zone *zone, unsigned long pfn)
{
	struct pageblock *b = pageblock_of(zone, pfn);
	unsigned long flags;
	bool is_free;

	if (!b)
		return 0;
	spin_lock_irqsave(&zone->lock, flags);
	pageblock_lock(b);
	is_free = index_is_whole(zone, b) || b->bits[pfn_row(pfn)] >> (pfn % ROW_FRAMES) & 1;
	pageblock_unlock(b);
	spin_unlock_irqrestore(&zone->lock, flags);
	if (is_free)
		return 1;
	for_each_possible_cpu(cpu)
		if (cpu_locals[cpu] && cpu_locals[cpu]->pages &&
		    in_caches(zone, cpu_pages_of(zone, cpu_locals[cpu]), pfn))
			return 2;
	return 0;
}
