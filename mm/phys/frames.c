// SPDX-License-Identifier: MIT
/*
 * The frame layer: free memory as bits. This file: metadata, adding and claiming ranges, types, counts.
 *
 * Purpose
 *	Hand out and take back 2^order frames of a zone, in a few nanoseconds, without touching a free frame or
 *	its descriptor, and so that what is free stays in large pieces. pageblock.c works on one block's bits,
 *	blockindex.c chooses the block, rmqueue.c knows the migrate types, cpupages.c is the per-CPU front,
 *	frame_fast.h its inlined part, frames_verify.c the checker.
 *
 * Words
 *	block: 512 aligned frames; it has one migrate type.   row: 64 aligned frames, one word of a block's bits.
 *	run: 2^order aligned free frames.   head: a run's first frame.   whole: a block entirely free.
 *	owned: a block that one CPU takes its rows from.   slot: frames of one row that a CPU has freed.
 *
 * Structures
 *	cpu_pages (CPU x zone)                       zone->frames
 *	  rows[type][order 0-3] <--- a row ---+      blocks[]  512 bits, nr_free, type, place, list links
 *	  current[type]  (owned block)        +----- index     lists[type][fullness x order]  partly free
 *	  slots[row % 64] -- a row's frees -------->           lists[type][owned]
 *	  whole[]  (order 9) <--- in batches ------>           whole[type], a bit a block     entirely free
 *	The orders of a buddy allocator are what aligned runs of bits spell, so nothing is split or merged.
 *	An allocation takes the lowest head of the CPU's row. An empty row is filled with all runs of the next
 *	row of the owned block; when that has none left, with the fullest block that has a run: the lowest bit of
 *	occupied[type] & lists_with_run(order), since lists are numbered fullest first. So blocks that are nearly
 *	used up fill up, and those nearly free come free; two CPUs work in different blocks.
 *	A free sets a bit in the slot of its row. The slot goes back to its block, one lock for all its frames,
 *	when another row needs it. Frames do not go round in the caches for ever, which would freeze whatever mix
 *	of used and free there is: what is freed reaches the bits, and allocations come from the fullest block.
 *	Two short cuts that lose nothing: frames of the very row that was just used up, and frames of a
 *	block that has under a 16th of it free (the index would choose it first anyway).
 *
 * Invariants
 *	FR-I1  nr_free is the number of set bits.
 *	FR-I2  a block's place (pos, type) is the one list that holds it; a list is marked iff it is not empty.
 *	FR-I3  what is free can be found: a block with free frames, not whole, is in a list; a list's order is at
 *	       least that of the block's largest run.
 *	FR-I4  a whole block is one bit of its type's map, and none of its own: never touched or touched, it looks
 *	       the same. The summary and count of a map agree with its bits.
 *	FR-I5  an owned block has one owner, whose current[] names it.
 *	FR-I6  a frame is in use, or free in its block, or in exactly one cache.
 *	FR-I7  NR_FREE_PAGES, NR_FREE_CMA_PAGES and nr_free_highatomic are what the blocks have (frames in caches
 *	       and in isolated blocks are not counted free, as on Linux).
 *	FR-I8  no frame outside the zone is free.
 *	FR-I9  of a zone's frames the rows and slots of all CPUs hold at most an eighth.
 *
 * Locking
 *	block->lock: bits and count. zone->lock, before it: the index; place and type want both. Both with interrupts
 *	off. A give that finds its block outgrown holds the block's lock already and only tries zone->lock; if that
 *	fails it lets go and takes both in order. nr_free and type are also read without a lock, as hints.
 *	Caches: the owner inside a section of depth 1. Deeper is an interrupt: it uses the blocks. To drain
 *	another CPU's: set its drain flag, make every CPU pass a barrier (port_cpu_call), wait until its depth is 0.
 *	A section that began before has ended, one that begins later sees the flag and leaves the caches alone.
 *	Where the port cannot do that the owner drains at its next operation.
 *
 * Memory use and bounds
 *	128 bytes a block, 0.25 a frame: 64 of bits and a line for the header; the maps add 7 bits a block. 1 TiB:
 *	64 MiB, of which adding memory touches 64 KiB. 1.5 KiB a CPU and zone.
 *	Hidden in one CPU's caches: 16 rows, 64 slots of 64 frames and 16 blocks; in small zones what all CPUs that
 *	may exist hold together is a 16th of the zone in rows, a 16th in slots, a 32nd in blocks. A CPU whose part
 *	is less than 16 rows gives others back before it loads one; less than one (zones of under 4 MiB for each CPU):
 *	nothing is cached. zone->lock is taken about once per 80 frames freed at random: a
 *	block on its way from used to free is moved when it gets its first free frame, when it has runs of orders 2,
 *	4 and 6 (it is listed for 1, 3, 5 and 8: who is misled by that moves it back, at most once for each move saved)
 *	and when it is whole. Its fullness alone moves it when an allocation comes by, 8 blocks at a time.
 *
 * What failure does
 *	Allocation: PFN_NONE, after this CPU's caches went back. A free of what is free: false if a cache or the block
 *	shows it at once; else frames_bad_free() when the slot goes back, and the frames stay as they were. A frame
 *	freed twice and handed out in between cannot be told from one freed once.
 *
 * Differences from Linux
 *	A whole block belongs to nobody in particular: falling back on it converts it, and never boosts. Stealing from a
 *	block that stays its owner's takes single runs or rows; the rest is not moved to the thief's lists. Used
 *	pages are not looked at: a block is stolen when half of it is free. Blocks of order 10 are two
 *	whole ones. Isolated blocks are never allocated from, caches included once drained.
 *
 * Sources
 *	The orders and types: Gorman, "Understanding the Linux Virtual Memory Manager" (2004), chapter 6, and the
 *	kernel's documentation of page migration and of /proc/pagetypeinfo. Bits instead of lists, per-CPU
 *	reservation: Wrenger et al., "LLFree: Scalable and Optionally-Persistent Page-Frame Allocation", ATC 2023.
 */
#include "../base/string.h"
#include "cpupages.h"

void frames_set_limits(struct zone *zone, unsigned long frames)
{
	struct zone_frames *f = &zone->frames;
	u64 share = frames / CACHED_PART / max(nr_cpu_ids, 1u) / 2; /* half for rows, half for slots */

	f->rows_max = share < ROW_FRAMES ? 0 : (u32)min(share, (u64)ROWS_FRAMES_MAX);
	f->slot_mask = share < ROW_FRAMES ? 0 : (u32)rounddown_pow_of_two(min(share / ROW_FRAMES, FREE_SLOTS_MAX)) - 1;
	/* one CPU alone is to leave something whole in the zone, too */
	f->whole_max = (u32)min((u64)frames / WHOLE_PART / max(nr_cpu_ids, 2u) / BLOCK_FRAMES, (u64)WHOLE_BLOCKS_MAX);
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
	f->pages_offset = zone->index * sizeof(struct cpu_pages);
	frames_set_limits(zone, frames);
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
