// SPDX-License-Identifier: MIT
/*
 * From which block: own type, others' blocks, CMA, fallback between migrate types, the highatomic reserve.
 * Theory in frames.c.
 */
#include "rmqueue.h"

#include "../sync/trace.h"
#include "watermark.h"

/* Types that fall back on each other, nearest first. */
static const u8 fallbacks[MIGRATE_PCPTYPES][2] = {
	[MIGRATE_UNMOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE },
	[MIGRATE_MOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE },
	[MIGRATE_RECLAIMABLE] = { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE },
};
#define NR_FALLBACKS ARRAY_SIZE(fallbacks[0])
#define FALLBACK_TYPES (1u << MIGRATE_UNMOVABLE | 1u << MIGRATE_MOVABLE | 1u << MIGRATE_RECLAIMABLE)

bool cma_is_majority(const struct zone *zone)
{
	return zone_page_state(zone, NR_FREE_CMA_PAGES) > zone_page_state(zone, NR_FREE_PAGES) / 2;
}

/*
 * A fallback mixed types in a block: raise the watermarks by a block, up to watermark_boost_factor
 * ten-thousandths of the high one, so that kswapd frees enough for it not to happen again. Not in zones
 * of under four blocks, nor before the watermarks are known.
 */
static void boost_watermark(struct zone *zone)
{
	u64 most;

	if (!watermark_boost_factor || pageblock_nr_pages * 4 > zone_managed_pages(zone))
		return;
	most = (u64)zone->watermark[WMARK_HIGH] * (unsigned int)watermark_boost_factor / 10000;
	if (!most)
		return;
	most = max(most, (u64)pageblock_nr_pages);
	store_relaxed(&zone->watermark_boost,
		      (unsigned long)min((u64)zone->watermark_boost + pageblock_nr_pages, most));
	page_alloc_floor_changed(zone);
}

static void trace_steal(const struct zone *zone, const struct pageblock *b, unsigned int order, int found,
			unsigned int type, unsigned int from, bool change)
{
	trace_event(mm_page_alloc_extfrag, pageblock_pfn(zone, b), order, found, type, from, change);
}

/* Part of another type's block. Its largest piece first, and the whole block if at least half of it is free. */
static struct pageblock *steal_block(struct zone *zone, unsigned int order, unsigned int type)
{
	for (int o = PAGEBLOCK_ORDER - 1; o >= (int)order; o--) {
		bool may_take_block = o >= PAGEBLOCK_ORDER / 2 || type != MIGRATE_MOVABLE;
		bool smallest = !may_take_block && o > (int)order;

		for (unsigned int i = 0; i < NR_FALLBACKS; i++) {
			struct pageblock *b = index_find(zone, fallbacks[type][i], smallest ? order : (unsigned int)o,
							 !smallest);

			if (!b)
				continue;
			boost_watermark(zone);
			may_take_block &= b->nr_free >= BLOCK_FRAMES / 2;
			trace_steal(zone, b, order, o, type, fallbacks[type][i], may_take_block);
			if (may_take_block)
				index_set_type(zone, b, type);
			return b;
		}
	}
	for (unsigned int i = 0; i < NR_FALLBACKS; i++) {
		struct pageblock *b = index_find_owned(zone, fallbacks[type][i], order);

		if (b) {
			boost_watermark(zone);
			trace_steal(zone, b, order, (int)order, type, fallbacks[type][i], false);
			return b;
		}
	}
	return NULL;
}

static struct pageblock *find_fallback(struct zone *zone, unsigned int order, unsigned int type,
				       unsigned int alloc_flags)
{
	if (type >= MIGRATE_PCPTYPES)
		return NULL;
	for (unsigned int i = 0; i < NR_FALLBACKS; i++) {
		struct pageblock *b = index_open_lowest(zone, fallbacks[type][i], type);

		if (b)
			return b;
	}
	return alloc_flags & ALLOC_NOFRAGMENT ? NULL : steal_block(zone, order, type);
}

/* A block with a run of @order, at most 8. Under zone->lock; returned locked, in or out of the index. */
static struct pageblock *find_block(struct zone *zone, unsigned int order, unsigned int type,
				    unsigned int alloc_flags, unsigned int find)
{
	struct pageblock *b = NULL;

	if (find & FIND_OWN)
		b = index_find(zone, type, order, false);
	if (!b && find & FIND_OWN)
		b = index_open_lowest(zone, type, type);
	if (!b && find & FIND_OWNED)
		b = index_find_owned(zone, type, order);
	if (!b && find & FIND_FALLBACK)
		b = find_fallback(zone, order, type, alloc_flags);
	return b;
}

/* The whole block that begins at @pfn is in use from now on, and of @type. */
static void set_used_type(struct zone *zone, unsigned long pfn, unsigned int type)
{
	struct pageblock *b = pageblock_of(zone, pfn);

	pageblock_lock(b);
	index_set_type(zone, b, type);
	pageblock_unlock(b);
}

static void take_whole_at(struct zone *zone, unsigned long pfn, unsigned int type)
{
	struct pageblock *b = pageblock_of(zone, pfn);

	pageblock_lock(b);
	index_set_type(zone, b, type);
	index_open_whole(zone, b);
	(void)pageblock_take_at(b, 0, BLOCK_FRAMES);
	index_update(zone, b);
	pageblock_unlock(b);
}

static unsigned long rmqueue_wide(struct zone *zone, unsigned int order, unsigned int type, unsigned int find)
{
	bool fallback = find & FIND_FALLBACK && type < MIGRATE_PCPTYPES;
	unsigned long pfn = PFN_NONE;

	if (order == PAGEBLOCK_ORDER) {
		if (find & FIND_OWN)
			return index_take_whole(zone, type);
		for (unsigned int i = 0; fallback && pfn == PFN_NONE && i < NR_FALLBACKS; i++) {
			pfn = index_take_whole(zone, fallbacks[type][i]);
			if (pfn != PFN_NONE)
				set_used_type(zone, pfn, type);
		}
		return pfn;
	}
	if (find & FIND_OWN)
		pfn = index_find_pair(zone, 1u << type);
	if (pfn == PFN_NONE && fallback)
		pfn = index_find_pair(zone, FALLBACK_TYPES);
	if (pfn != PFN_NONE) {
		take_whole_at(zone, pfn, type);
		take_whole_at(zone, pfn + BLOCK_FRAMES, type);
	}
	return pfn;
}

/* A block that was found may turn out not to have a run, when its list promised too much: it is listed anew. */
#define TRIES 8u

unsigned long rmqueue(struct zone *zone, unsigned int order, unsigned int type, unsigned int alloc_flags,
		      unsigned int find)
{
	unsigned long flags, pfn = PFN_NONE;
	unsigned int from = type;
	struct pageblock *b;

	spin_lock_irqsave(&zone->lock, flags);
	if (order >= PAGEBLOCK_ORDER) {
		pfn = rmqueue_wide(zone, order, type, find);
	} else {
		for (unsigned int i = 0; pfn == PFN_NONE && i < TRIES; i++) {
			int at;

			b = find_block(zone, order, type, alloc_flags, find);
			if (!b)
				break;
			from = pageblock_type(b);
			at = pageblock_take_run(b, order);
			if (at >= 0)
				pfn = pageblock_pfn(zone, b) + (unsigned long)at;
			index_update_unowned(zone, b);
			pageblock_unlock(b);
		}
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	if (pfn != PFN_NONE)
		frames_account(zone, from, -(1l << order));
	return pfn;
}

/* ---- Rows ---- */

static void row_taken(struct zone *zone, struct pageblock *b, unsigned int order, u64 heads, unsigned int at,
		      struct frame_row *row)
{
	row->base = pageblock_pfn(zone, b) + at * ROW_FRAMES;
	store_relaxed_u64(&row->heads, heads);
	frames_account(zone, pageblock_type(b), -(long)count_bits(heads) * (1l << order));
}

/* Ownership can be lost to who changes the block's type or frees the last frame of it. */
static bool is_owner(const struct pageblock *b, unsigned int cpu)
{
	return b->pos == POS_OWNED && b->owner == cpu + 1;
}

void rmqueue_disown(struct zone *zone, unsigned int cpu, u32 *cur)
{
	struct pageblock *b;
	unsigned long flags;

	if (!*cur)
		return;
	b = &zone->frames.blocks[*cur - 1];
	*cur = 0;
	spin_lock_irqsave(&zone->lock, flags);
	pageblock_lock(b);
	if (is_owner(b, cpu))
		index_update(zone, b);
	pageblock_unlock(b);
	spin_unlock_irqrestore(&zone->lock, flags);
}

bool rmqueue_row_current(struct zone *zone, unsigned int cpu, unsigned int order, unsigned int type, u32 cur,
			 struct frame_row *row)
{
	struct pageblock *b;
	unsigned int at = 0;
	unsigned long flags;
	u64 heads = 0;

	if (!cur)
		return false;
	b = &zone->frames.blocks[cur - 1];
	flags = port_irq_save();
	pageblock_lock(b);
	if (is_owner(b, cpu) && pageblock_type(b) == type)
		heads = pageblock_take_row(b, order, &at);
	if (heads)
		row_taken(zone, b, order, heads, at, row);
	pageblock_unlock(b);
	port_irq_restore(flags);
	return heads != 0;
}

bool rmqueue_row(struct zone *zone, unsigned int cpu, unsigned int order, unsigned int type,
		 unsigned int alloc_flags, unsigned int find, u32 *cur, struct frame_row *row)
{
	struct pageblock *b;
	unsigned long flags;
	unsigned int at = 0;
	u64 heads = 0;

	rmqueue_disown(zone, cpu, cur);
	spin_lock_irqsave(&zone->lock, flags);
	for (unsigned int i = 0; !heads && i < TRIES; i++) {
		b = find_block(zone, order, type, alloc_flags, find);
		if (!b)
			break;
		heads = pageblock_take_row(b, order, &at);
		if (heads)
			row_taken(zone, b, order, heads, at, row);
		if (heads && pageblock_type(b) == type && b->pos != POS_OWNED) {
			index_own(zone, b, cpu);
			*cur = (u32)pageblock_index(zone, b) + 1;
		} else {
			index_update_unowned(zone, b);
		}
		pageblock_unlock(b);
		page_alloc_floor_changed(zone);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return heads != 0;
}

/* ---- Giving back ---- */

/* What was freed in a whole block was not in use: undone. Return: those frames, by row. */
static __cold void undo_give(struct zone *zone, struct pageblock *b, u64 undone[BLOCK_ROWS])
{
	frames_account(zone, pageblock_type(b), -(long)b->nr_free);
	for (unsigned int i = 0; i < BLOCK_ROWS; i++) {
		undone[i] = b->bits[i];
		b->bits[i] = 0;
	}
	store_relaxed(&b->nr_free, 0);
}

/*
 * After frames of @row (or of several: BLOCK_ROWS) were given to the block: move it up if it has outgrown its place,
 * and let go of its lock. zone->lock comes before it, hence only the attempt to take it now.
 * Return: true if nothing of it was in use; then all that was given is undone.
 */
static bool settle(struct zone *zone, struct pageblock *b, unsigned int row, bool outgrew, u64 undone[BLOCK_ROWS])
{
	bool whole;

	if (likely(!outgrew)) {
		pageblock_unlock(b);
		return false;
	}
	if (!spin_trylock(&zone->lock)) {
		pageblock_unlock(b);
		spin_lock(&zone->lock);
		pageblock_lock(b);
	}
	/*
	 * A whole block has no bit set; one that has got them wrongly. While the lock was let go, another CPU may have
	 * made it whole, rightly, with what was given here: then no bit is left and nothing is to do.
	 */
	whole = index_is_whole(zone, b) && b->nr_free;
	if (unlikely(whole))
		undo_give(zone, b, undone);
	else
		index_raise(zone, b, row);
	pageblock_unlock(b);
	spin_unlock(&zone->lock);
	return whole;
}

u64 blocks_give_row(struct zone *zone, unsigned long row_pfn, u64 mask)
{
	struct pageblock *b = pageblock_of(zone, row_pfn);
	unsigned int row = pfn_row(row_pfn), type, was;
	unsigned long flags = port_irq_save();
	u64 bad, undone[BLOCK_ROWS];
	long given;

	pageblock_lock(b);
	was = b->nr_free;
	bad = pageblock_give(b, row, mask);
	if (unlikely(bad))
		(void)pageblock_give(b, row, mask & ~bad);
	type = pageblock_type(b);
	given = (long)b->nr_free - (long)was;
	if (settle(zone, b, row, pageblock_outgrew(b, row), undone))
		bad |= undone[row];
	frames_account(zone, type, given);
	port_irq_restore(flags);
	return bad;
}

/* Part of a run that lies in one block. */
static bool give_in_block(struct zone *zone, struct pageblock *b, unsigned int offset, unsigned int count)
{
	unsigned int type;
	u64 undone[BLOCK_ROWS];
	bool given;
	unsigned long flags = port_irq_save();

	pageblock_lock(b);
	given = pageblock_give_range(b, offset, count);
	type = pageblock_type(b);
	if (given)
		frames_account(zone, type, count);
	if (settle(zone, b, BLOCK_ROWS, given && pageblock_outgrew(b, offset / ROW_FRAMES), undone))
		given = false;
	port_irq_restore(flags);
	return given;
}

unsigned int blocks_take_whole(struct zone *zone, unsigned int type, unsigned int nr, unsigned long *pfns)
{
	unsigned int n = 0;
	unsigned long flags;

	spin_lock_irqsave(&zone->lock, flags);
	while (n < nr && (pfns[n] = index_take_whole(zone, type)) != PFN_NONE)
		n++;
	spin_unlock_irqrestore(&zone->lock, flags);
	frames_account(zone, type, -(long)n * (long)BLOCK_FRAMES);
	return n;
}

void blocks_give_whole(struct zone *zone, unsigned int nr, const unsigned long *pfns)
{
	u32 bad = 0;
	unsigned long flags;

	spin_lock_irqsave(&zone->lock, flags);
	for (unsigned int i = 0; i < nr; i++) {
		struct pageblock *b = pageblock_of(zone, pfns[i]);

		if (likely(index_give_whole(zone, b)))
			frames_account(zone, pageblock_type(b), BLOCK_FRAMES);
		else
			bad |= 1u << i;
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	for (unsigned int i = 0; bad >> i; i++)
		if (bad >> i & 1)
			frames_bad_free(zone, pfns[i], ~0ull);
}

bool blocks_give_run(struct zone *zone, unsigned long pfn, unsigned int order)
{
	struct pageblock *b = pageblock_of(zone, pfn);
	unsigned int nr = order < PAGEBLOCK_ORDER ? 0 : 1u << (order - PAGEBLOCK_ORDER), i;
	unsigned long flags;

	if (!nr)
		return give_in_block(zone, b, pfn % BLOCK_FRAMES, 1u << order);
	spin_lock_irqsave(&zone->lock, flags);
	for (i = 0; i < nr && index_give_whole(zone, b + i); i++)
		frames_account(zone, pageblock_type(b + i), BLOCK_FRAMES);
	if (i < nr) /* one of the later blocks is free: the earlier ones are in use again */
		for (unsigned int k = 0; k < i; k++) {
			frames_account(zone, pageblock_type(b + k), -(long)BLOCK_FRAMES);
			take_whole_at(zone, pfn + k * BLOCK_FRAMES, pageblock_type(b + k));
		}
	spin_unlock_irqrestore(&zone->lock, flags);
	return i == nr;
}

void blocks_give_rows(struct zone *zone, unsigned long pfn, const u64 masks[BLOCK_ROWS])
{
	struct pageblock *b = pageblock_of(zone, pfn);
	u64 bad[BLOCK_ROWS] = { 0 }, undone[BLOCK_ROWS], any_bad = 0;
	unsigned long flags = port_irq_save();
	bool raise = false;
	unsigned int type, was;
	long given;

	pageblock_lock(b);
	was = b->nr_free;
	for (unsigned int i = 0; i < BLOCK_ROWS; i++) {
		if (!masks[i])
			continue;
		bad[i] = pageblock_give(b, i, masks[i]);
		if (unlikely(bad[i]))
			(void)pageblock_give(b, i, masks[i] & ~bad[i]);
		raise |= pageblock_outgrew(b, i);
	}
	type = pageblock_type(b);
	given = (long)b->nr_free - (long)was;
	frames_account(zone, type, given);
	if (settle(zone, b, BLOCK_ROWS, raise, undone))
		for (unsigned int i = 0; i < BLOCK_ROWS; i++)
			bad[i] |= undone[i];
	port_irq_restore(flags);
	for (unsigned int i = 0; i < BLOCK_ROWS; i++)
		any_bad |= bad[i];
	for (unsigned int i = 0; any_bad && i < BLOCK_ROWS; i++)
		if (bad[i])
			frames_bad_free(zone, pageblock_pfn(zone, b) + i * ROW_FRAMES, bad[i]);
}

/* ---- Highatomic reserve ---- */

void reserve_highatomic(struct zone *zone, unsigned long pfn, unsigned int order)
{
	unsigned long percent = zone_managed_pages(zone) / 100, most, flags;
	unsigned int blocks = order > PAGEBLOCK_ORDER ? 1u << (order - PAGEBLOCK_ORDER) : 1;
	struct pageblock *b = pageblock_of(zone, pfn);

	if (percent < pageblock_nr_pages)
		return;
	most = ALIGN(percent, pageblock_nr_pages);
	spin_lock_irqsave(&zone->lock, flags);
	for (; blocks && zone->nr_reserved_highatomic < most; blocks--, b++) {
		pageblock_lock(b);
		if (pageblock_type(b) < MIGRATE_PCPTYPES) {
			index_set_type(zone, b, MIGRATE_HIGHATOMIC);
			store_relaxed(&zone->nr_reserved_highatomic, zone->nr_reserved_highatomic + pageblock_nr_pages);
		}
		pageblock_unlock(b);
	}
	page_alloc_floor_changed(zone);
	spin_unlock_irqrestore(&zone->lock, flags);
}

bool unreserve_highatomic(struct zone *zone, bool force)
{
	struct pageblock *b;
	unsigned long flags;

	if (load_relaxed(&zone->nr_reserved_highatomic) <= (force ? 0 : pageblock_nr_pages))
		return false;
	spin_lock_irqsave(&zone->lock, flags);
	b = index_find(zone, MIGRATE_HIGHATOMIC, 0, true);
	if (!b)
		b = index_open_lowest(zone, MIGRATE_HIGHATOMIC, MIGRATE_MOVABLE);
	if (b) {
		index_set_type(zone, b, MIGRATE_MOVABLE);
		index_update(zone, b);
		store_relaxed(&zone->nr_reserved_highatomic,
			      zone->nr_reserved_highatomic - min(zone->nr_reserved_highatomic, pageblock_nr_pages));
		pageblock_unlock(b);
		page_alloc_floor_changed(zone);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return b != NULL;
}
