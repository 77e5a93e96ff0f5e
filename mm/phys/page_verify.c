// SPDX-License-Identifier: MIT
/*
 * mm_verify(): every frame has exactly one owner.
 *
 * Frames of a zone are looked at in order. One is free in its block, cached by a CPU, the first of an allocated
 * block (then the block's other frames are skipped, after a look at each), reserved, or bad: out of use after
 * a report. A frame that is none of these belongs to nobody: it is lost. Blocks whose descriptors were never
 * needed cannot hold allocated frames, and their free ones are counted by the block.
 */
#include <octavo/verify.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "blockindex.h"
#include "compound.h"
#include "memmap.h"
#include "page_alloc.h"

#define FINDINGS_SHOWN 50u /* told of one zone; all are counted */

struct verify {
	void (*report)(void *ctx, const char *line);
	void *ctx;
	struct zone *zone;
	unsigned int findings;
	unsigned long free, isolated, cached, allocated, reserved, ownerless, poisoned;
};

static __printf(3, 4) void finding(struct verify *v, unsigned long pfn, const char *fmt, ...)
{
	char line[200];
	size_t len;
	va_list args;

	if (v->findings++ >= FINDINGS_SHOWN || !v->report)
		return;
	len = octavo_snprintf(line, sizeof(line), "node %d zone %s pfn 0x%lx: ", v->zone->node, v->zone->name, pfn);
	va_start(args, fmt);
	octavo_vsnprintf(line + len, sizeof(line) - len, fmt, args);
	va_end(args);
	v->report(v->ctx, line);
}

static void count_free(struct verify *v, unsigned long pfn, unsigned long nr)
{
	if (get_pageblock_migratetype(v->zone, pfn) == MIGRATE_ISOLATE)
		v->isolated += nr;
	else
		v->free += nr;
}

/* Nobody may use it: no reference, not mapped, no flag that says it is in use. */
static void check_free_page(struct verify *v, unsigned long pfn, const char *where)
{
	const struct page *page = pfn_to_page(pfn);

	if (page_ref_count(page))
		finding(v, pfn, "%s, but has %d references", where, page_ref_count(page));
	if (load_relaxed(&page->_mapcount) != -1)
		finding(v, pfn, "%s, but is mapped", where);
	if (load_relaxed(&page->flags) & (PAGE_FLAGS_CHECK_AT_FREE | 1u << PG_head))
		finding(v, pfn, "%s, but has flags 0x%x", where, page->flags);
	if (load_relaxed(&page->order) && !(load_relaxed(&page->order) & PAGE_TAIL_MARK))
		finding(v, pfn, "%s, but has order %u", where, page->order);
}

/* Invariant PA-I1: the pages a head promises to be marked are. */
static void check_tails_ready(struct verify *v, unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	unsigned int ready = load_relaxed(&page->tails_ready);

	if (ready > MAX_PAGE_ORDER || !IS_ALIGNED(pfn, 1ul << ready)) {
		finding(v, pfn, "ready for tails of order %u", ready);
		return;
	}
	for (unsigned long i = 1; i < 1ul << ready; i++) {
		unsigned int mark = load_relaxed(&page[i].order);
		unsigned long lead = (pfn + i) & ((1ul << (mark & PAGE_ORDER_MASK)) - 1);

		if (!(mark & PAGE_TAIL_MARK) || lead != i || page[i].tails_ready) {
			finding(v, pfn + i, "is not the tail that pfn 0x%lx promises (mark 0x%x)", pfn, mark);
			return;
		}
	}
}

/* A block in use, from its first page. Return: its size in frames, within the zone. */
static unsigned long check_block(struct verify *v, unsigned long pfn, unsigned long end)
{
	struct page *page = pfn_to_page(pfn);
	unsigned int order = load_relaxed(&page->order);
	unsigned long nr;

	if (order > MAX_PAGE_ORDER || !IS_ALIGNED(pfn, 1ul << order) || (1ul << order) > end - pfn) {
		finding(v, pfn, "allocated with order 0x%x", order);
		return 1;
	}
	nr = 1ul << order;
	for (unsigned long i = 0; i < nr; i++) {
		int state = frame_state(v->zone, pfn + i);

		if (state)
			finding(v, pfn + i, "is %s and in an allocated block of order %u from 0x%lx",
				state == 1 ? "free" : "cached", order, pfn);
		if (i && page_ref_count(page + i))
			finding(v, pfn + i, "has references of its own in a block of order %u from 0x%lx", order, pfn);
		if (i && PageHead(page) && compound_head(page + i) != page)
			finding(v, pfn + i, "is no tail of the compound page at 0x%lx", pfn);
	}
	v->allocated += nr;
	return nr;
}

/* Return: frames dealt with. */
static unsigned long check_frame(struct verify *v, unsigned long pfn, unsigned long end)
{
	struct page *page = pfn_to_page(pfn);
	int state;

	check_tails_ready(v, pfn);
	if (page_zone_of(page) != v->zone) {
		/* a hole's descriptor may name another zone, memory's may not */
		if (frame_state(v->zone, pfn))
			finding(v, pfn, "is free, but its descriptor is of another zone");
		v->reserved++;
		return 1;
	}
	state = frame_state(v->zone, pfn);
	if (state) {
		check_free_page(v, pfn, state == 1 ? "free" : "cached by a CPU");
		if (state == 1)
			count_free(v, pfn, 1);
		else
			v->cached++;
		return 1;
	}
	if (page_ref_count(page) > 0) {
		if (!PageReserved(page))
			return check_block(v, pfn, end);
		v->reserved++;
		return 1;
	}
	v->ownerless++;
	v->poisoned += PageHWPoison(page);
	return 1;
}

static unsigned int block_free(struct zone *zone, const struct pageblock *b)
{
	return index_is_whole(zone, b) ? BLOCK_FRAMES : b->nr_free;
}

static void check_frames(struct verify *v)
{
	unsigned long end = zone_end_pfn(v->zone), pfn = v->zone->zone_start_pfn;

	while (pfn < end) {
		unsigned long block_end = min(ALIGN_DOWN(pfn, pageblock_nr_pages) + pageblock_nr_pages, end);
		const struct pageblock *b = pageblock_of(v->zone, pfn);

		if (!b || !pfn_valid(pfn)) {
			if (b && block_free(v->zone, b))
				finding(v, pfn, "%u frames free that have no descriptors", block_free(v->zone, b));
			pfn = block_end;
		} else if (!page_test_flag(pfn_to_page(pfn), PG_init)) {
			count_free(v, pfn, block_free(v->zone, b));
			pfn = block_end;
		} else {
			while (pfn < block_end)
				pfn += check_frame(v, pfn, end);
		}
	}
}

static void check_counts(struct verify *v)
{
	unsigned long free = zone_page_state_snapshot(v->zone, NR_FREE_PAGES), cached = 0, owned;

	for_each_possible_cpu(cpu)
		cached += cpu_pages_count(v->zone, cpu);
	if (free != v->free)
		finding(v, v->zone->zone_start_pfn, "NR_FREE_PAGES is %lu, %lu frames are free", free, v->free);
	if (cached < v->cached)
		finding(v, v->zone->zone_start_pfn, "CPUs count %lu cached frames, %lu are", cached, v->cached);
	/* frames that CPUs cache of blocks without descriptors were not met */
	owned = v->free + v->isolated + cached + v->allocated + v->ownerless;
	if (owned != zone_managed_pages(v->zone))
		finding(v, v->zone->zone_start_pfn,
			"%lu free, %lu isolated, %lu cached, %lu allocated, %lu bad: %lu in all, but %lu managed",
			v->free, v->isolated, cached, v->allocated, v->ownerless, owned, zone_managed_pages(v->zone));
}

unsigned int mm_verify(void (*report)(void *ctx, const char *line), void *ctx)
{
	unsigned long ownerless = 0;
	unsigned int findings = 0;

	for_each_populated_zone(z) {
		struct verify v = { .report = report, .ctx = ctx, .zone = z };

		v.findings = frames_verify(z, report, ctx);
		check_frames(&v);
		check_counts(&v);
		if (v.findings > FINDINGS_SHOWN && report)
			report(ctx, "... and more of this zone");
		ownerless += v.ownerless - v.poisoned;
		findings += v.findings;
	}
	if (ownerless > bad_pages()) {
		char line[100];

		octavo_snprintf(line, sizeof(line), "%lu frames have no owner, and only %lu bad pages were reported",
				ownerless, bad_pages());
		if (report)
			report(ctx, line);
		findings++;
	}
	return findings + mm_parts_verify(report, ctx);
}
