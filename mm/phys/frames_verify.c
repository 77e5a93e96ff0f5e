// SPDX-License-Identifier: MIT
/* Checks the invariants that frames.c names, on a zone at rest. Counts and describes; changes nothing. */
#include "../base/findings.h"
#include "cpupages.h"

struct check {
	struct zone *zone;
	struct findings findings;
	unsigned long nr_free[MIGRATE_TYPES]; /* in blocks */
	unsigned long nr_placed;	      /* blocks whose header says they are in a list */
	bool lists_broken;		      /* reported already: where they end is unknown */
};

#define found(check, ...) finding(&(check)->findings, __VA_ARGS__)

/* ---- Blocks by themselves ---- */

static void check_span(struct check *c, const struct pageblock *b)
{
	const struct zone *zone = c->zone;

	for (unsigned int i = 0; i < BLOCK_FRAMES; i++) {
		unsigned long pfn = pageblock_pfn(zone, b) + i;

		if (b->bits[i / 64] >> (i % 64) & 1 && !zone_spans_pfn(zone, pfn))
			found(c, "FR-I8: frame %lu is free and outside the zone", pfn);
	}
}

static void check_whole(struct check *c, const struct pageblock *b, unsigned int maps)
{
	unsigned long i = pageblock_index(c->zone, b);
	unsigned int type = pageblock_type(b);

	if (maps != 1u << type)
		found(c, "FR-I4: whole block %lu of type %u is in the maps 0x%x", i, type, maps);
	if (b->nr_free || b->pos != POS_NONE)
		found(c, "FR-I4: whole block %lu has %u frames free by its bits, place %u", i, b->nr_free, b->pos);
	c->nr_free[type] += BLOCK_FRAMES;
}

static bool is_current(const struct zone *zone, const struct pageblock *b)
{
	u32 me = (u32)pageblock_index(zone, b) + 1;
	const struct cpu_pages *cp;

	if (!b->owner || b->owner > nr_cpu_ids || !cpu_locals[b->owner - 1] || !cpu_locals[b->owner - 1]->pages)
		return false;
	cp = cpu_pages_of(zone, cpu_locals[b->owner - 1]);
	for (unsigned int t = 0; t < ROW_TYPES; t++)
		if (cp->current[t][0] == me || cp->current[t][1] == me)
			return true;
	return false;
}

static void check_block(struct check *c, struct pageblock *b)
{
	unsigned long i = pageblock_index(c->zone, b);
	unsigned int n = 0, maps = 0;
	int order;

	for (unsigned int t = 0; t < MIGRATE_TYPES; t++)
		maps |= (unsigned int)map_test(&c->zone->frames.index->whole[t], i) << t;
	for (unsigned int r = 0; r < BLOCK_ROWS; r++)
		n += count_bits(b->bits[r]);
	if (n != b->nr_free)
		found(c, "FR-I1: block %lu counts %u free frames and has %u", i, b->nr_free, n);
	if (pageblock_type(b) >= MIGRATE_TYPES) {
		found(c, "FR-I2: block %lu has type %u", i, pageblock_type(b));
		return;
	}
	check_span(c, b);
	if (maps) {
		check_whole(c, b, maps);
		return;
	}
	c->nr_free[pageblock_type(b)] += n;
	c->nr_placed += b->pos != POS_NONE;
	order = pageblock_order_free(b);
	if (n == BLOCK_FRAMES)
		found(c, "FR-I3: block %lu is entirely free and not in the map of whole blocks", i);
	else if (n && b->pos == POS_NONE)
		found(c, "FR-I3: block %lu has %u free frames and is in no list", i, n);
	else if (b->pos >= POS_LIST_FIRST && b->pos <= POS_LIST_LAST && order > index_pos_order(b->pos))
		found(c, "FR-I3: block %lu has a free run of order %d, its list promises %d", i, order,
		      index_pos_order(b->pos));
	if ((b->pos == POS_OWNED) != (b->owner != 0) || (b->owner && !is_current(c->zone, b)))
		found(c, "FR-I5: block %lu at place %u has owner %u, who does not have it", i, b->pos, b->owner);
}

static void check_blocks(struct check *c)
{
	const struct block_index *index = c->zone->frames.index;

	for (unsigned long i = 0; i < c->zone->frames.nr_blocks; i++) {
		bool whole = map_test(&index->whole[MIGRATE_MOVABLE], i);

		if (index->seen[i / 64] >> (i % 64) & 1)
			check_block(c, &c->zone->frames.blocks[i]);
		else if (whole) /* never touched: its header need not even exist in memory */
			c->nr_free[MIGRATE_MOVABLE] += BLOCK_FRAMES;
	}
}

/* ---- The index ---- */

static void check_list(struct check *c, unsigned int type, unsigned int list)
{
	const struct zone_frames *f = &c->zone->frames;
	u32 prev = 0, next;
	bool occupied = f->index->occupied[type] >> list & 1;

	if (occupied != (f->index->lists[type][list] != 0))
		found(c, "FR-I2: list %u of type %u is marked %s", list, type, occupied ? "occupied" : "empty");
	for (u32 i = f->index->lists[type][list]; i; prev = i, i = next) {
		const struct pageblock *b;

		if (i > f->nr_blocks) {
			found(c, "FR-I2: list %u of type %u leads to block %u", list, type, i - 1);
			c->lists_broken = true;
			return;
		}
		b = &f->blocks[i - 1];
		next = b->next;
		if (b->prev != prev || b->pos != list + 1 || pageblock_type(b) != type) {
			found(c, "FR-I2: block %u (place %u, type %u) is in list %u of type %u", i - 1, b->pos,
			      pageblock_type(b), list, type);
			c->lists_broken = true;
			return;
		}
		if (!c->nr_placed--) {
			found(c, "FR-I2: the lists hold more blocks than say so");
			c->lists_broken = true;
			return;
		}
	}
}

static void check_map(struct check *c, unsigned int type)
{
	const struct block_map *map = &c->zone->frames.index->whole[type];
	unsigned long count = 0, first = ~0ul;

	for (unsigned long w = 0; w < DIV_ROUND_UP(c->zone->frames.nr_blocks, 64); w++) {
		bool marked = map->summary[w / 64] >> (w % 64) & 1;

		count += count_bits(map->words[w]);
		if (marked != (map->words[w] != 0))
			found(c, "FR-I4: word %lu of type %u's whole blocks is marked %s", w, type,
			      marked ? "occupied" : "empty");
		if (marked)
			first = min(first, w / 64);
	}
	if (count != map->count)
		found(c, "FR-I4: %lu whole blocks of type %u, counted %lu", count, type, map->count);
	if (count && map->first > first)
		found(c, "FR-I4: the search for whole blocks of type %u begins behind some", type);
}

static void check_index(struct check *c)
{
	for (unsigned int t = 0; t < MIGRATE_TYPES; t++) {
		for (unsigned int list = 0; list < 64; list++)
			check_list(c, t, list);
		check_map(c, t);
	}
	if (c->nr_placed && !c->lists_broken)
		found(c, "FR-I2: %lu blocks say they are in a list and are not", c->nr_placed);
}

/* ---- Caches ---- */

/* What CPU @cpu caches, piece by piece: one row's frames each. Return: false behind the last. */
static bool cached_piece(const struct zone *zone, unsigned int cpu, unsigned int at, unsigned long *row, u64 *mask)
{
	const struct cpu_pages *cp = cpu_pages_of(zone, cpu_locals[cpu]);

	*mask = 0;
	if (at < ROW_TYPES * ROW_ORDERS) {
		const struct frame_row *r = &cp->rows[at / ROW_ORDERS][at % ROW_ORDERS];

		*row = r->base >> ROW_ORDER;
		*mask = heads_frames(r->heads, at % ROW_ORDERS);
		return true;
	}
	at -= ROW_TYPES * ROW_ORDERS;
	if (at < FREE_SLOTS_MAX) {
		*row = cp->slots[at].row;
		*mask = cp->slots[at].mask;
		return true;
	}
	at -= FREE_SLOTS_MAX;
	if (at >= cp->nr_whole * BLOCK_ROWS)
		return false;
	*row = (cp->whole[at / BLOCK_ROWS] >> ROW_ORDER) + at % BLOCK_ROWS;
	*mask = ~0ull;
	return true;
}

static bool has_caches(unsigned int cpu)
{
	return cpu < nr_cpu_ids && cpu_locals[cpu] && cpu_locals[cpu]->pages;
}

/* Pieces behind the given one that have a frame in common with it. */
static void check_others(struct check *c, unsigned int cpu, unsigned int at, unsigned long row, u64 mask)
{
	unsigned long other_row;
	u64 other;

	for (at++; cpu < nr_cpu_ids; cpu++, at = 0)
		for (; has_caches(cpu) && cached_piece(c->zone, cpu, at, &other_row, &other); at++)
			if (other_row == row && other & mask)
				found(c, "FR-I6: frame %lu is cached twice, once by CPU %u",
				      (row << ROW_ORDER) + lowest_bit(other & mask), cpu);
}

static void check_piece(struct check *c, unsigned int cpu, unsigned int at, unsigned long row, u64 mask)
{
	unsigned long pfn = row << ROW_ORDER;
	struct pageblock *b = pageblock_of(c->zone, pfn);
	u64 in_block;

	if (!b) {
		found(c, "FR-I8: CPU %u caches frame %lu, outside the zone", cpu, pfn + lowest_bit(mask));
		return;
	}
	in_block = index_is_whole(c->zone, b) ? mask : b->bits[pfn_row(pfn)] & mask;
	if (in_block)
		found(c, "FR-I6: frame %lu is free in its block and cached by CPU %u", pfn + lowest_bit(in_block), cpu);
	check_others(c, cpu, at, row, mask);
}

/* A zone that is to have no caches, or small ones. */
static void check_limits(struct check *c, unsigned int cpu)
{
	const struct cpu_pages *cp = cpu_pages_of(c->zone, cpu_locals[cpu]);
	const struct zone_frames *f = &c->zone->frames;
	unsigned int held = 0;

	for (unsigned int t = 0; t < ROW_TYPES; t++)
		for (unsigned int order = 0; order < ROW_ORDERS; order++)
			held += count_bits(cp->rows[t][order].heads) << order;
	if (held > f->rows_max)
		found(c, "FR-I9: CPU %u has %u frames in rows, the limit is %u", cpu, held, f->rows_max);
	for (unsigned int i = f->rows_max ? f->slot_mask + 1 : 0; i < FREE_SLOTS_MAX; i++)
		if (cp->slots[i].mask)
			found(c, "FR-I9: CPU %u has frames in slot %u, the zone has no such slot", cpu, i);
}

static void check_caches(struct check *c)
{
	unsigned long row;
	u64 mask;

	for_each_possible_cpu(cpu)
		if (has_caches(cpu))
			check_limits(c, cpu);
	for_each_possible_cpu(cpu)
		for (unsigned int at = 0; has_caches(cpu) && cached_piece(c->zone, cpu, at, &row, &mask); at++)
			if (mask)
				check_piece(c, cpu, at, row, mask);
}

/* ---- Counters ---- */

static void check_counters(struct check *c)
{
	const struct zone *zone = c->zone;
	unsigned long all = 0;

	for (unsigned int t = 0; t < MIGRATE_TYPES; t++)
		all += t == MIGRATE_ISOLATE ? 0 : c->nr_free[t];
	if (zone_page_state_snapshot(zone, NR_FREE_PAGES) != all)
		found(c, "FR-I7: %lu frames are free in blocks, NR_FREE_PAGES is %lu", all,
		      zone_page_state_snapshot(zone, NR_FREE_PAGES));
	if (zone_page_state_snapshot(zone, NR_FREE_CMA_PAGES) != c->nr_free[MIGRATE_CMA])
		found(c, "FR-I7: %lu frames are free in CMA blocks, NR_FREE_CMA_PAGES is %lu", c->nr_free[MIGRATE_CMA],
		      zone_page_state_snapshot(zone, NR_FREE_CMA_PAGES));
	if (zone->nr_free_highatomic != c->nr_free[MIGRATE_HIGHATOMIC])
		found(c, "FR-I7: %lu frames are free in highatomic blocks, counted %lu",
		      c->nr_free[MIGRATE_HIGHATOMIC], zone->nr_free_highatomic);
}

unsigned int frames_verify(struct zone *zone, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct check c = { .zone = zone, .findings = { .report = report, .ctx = ctx } };

	if (!zone->frames.nr_blocks)
		return 0;
	check_blocks(&c);
	check_index(&c);
	check_caches(&c);
	check_counters(&c);
	return c.findings.n;
}
