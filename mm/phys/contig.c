// SPDX-License-Identifier: MIT
/*
 * Contiguous ranges of any size, taken from wherever all their frames are free.
 *
 * Purpose
 *	alloc_contig_range(): exactly these frames. alloc_contig_pages(): any such range.
 *
 * Words
 *	isolate: make pageblocks MIGRATE_ISOLATE, so that nothing is allocated from them; then what CPUs have
 *	cached of them is drained, and a frame that is free lies in its block.
 *	claim: take frames out of isolated blocks.
 *
 * Structures
 *	          start                       end
 *	|--------|--+-----|--------|--------|--+-----|
 *	         ^ isolated, at most 512 blocks at a time, and put back to their types
 *
 * Invariants
 *	PA-I7  a range is taken as a whole or not at all; every block has its former migrate type afterwards.
 *
 * Locking
 *	contig_lock() allows one user, since a block cannot be isolated by two. It is taken before any spinlock.
 *
 * What failure does
 *	-EBUSY, with everything as it was. Frames in use are looked for first, without isolating anything.
 *
 * Differences from Linux
 *	Nothing is migrated: a page in use makes the range unusable.
 */
#include "contig.h"

#include <octavo/page.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "memmap.h"
#include "page_alloc.h"
#include "page_report.h"

static u32 contig_busy __memsys; /* (a) */

void contig_lock(void)
{
	while (atomic_xchg(&contig_busy, 1))
		port_park(100000); /* may return early; a tenth of a millisecond */
}

void contig_unlock(void)
{
	store_release(&contig_busy, 0);
}

void undo_isolate_blocks(struct isolated_blocks *blocks)
{
	for (unsigned int i = 0; i < blocks->nr; i++)
		set_pageblock_migratetype(blocks->zone, blocks->start + i * pageblock_nr_pages, blocks->types[i]);
	blocks->nr = 0;
}

int isolate_blocks(struct zone *zone, unsigned long start, unsigned long end, struct isolated_blocks *blocks)
{
	unsigned long last = ALIGN(end, pageblock_nr_pages);

	blocks->zone = zone;
	blocks->start = ALIGN_DOWN(start, pageblock_nr_pages);
	blocks->nr = 0;
	if ((last - blocks->start) >> PAGEBLOCK_ORDER > ISOLATE_BLOCKS_MAX)
		return -EINVAL;
	for (unsigned long pfn = blocks->start; pfn < last; pfn += pageblock_nr_pages) {
		unsigned int type = get_pageblock_migratetype(zone, pfn);

		if (type == MIGRATE_ISOLATE) {
			undo_isolate_blocks(blocks);
			return -EBUSY;
		}
		set_pageblock_migratetype(zone, pfn, MIGRATE_ISOLATE);
		blocks->types[blocks->nr++] = (u8)type;
	}
	drain_all_pages(zone);
	return 0;
}

/* The zone of a range that lies in one, all of it online memory; NULL otherwise. */
static struct zone *range_zone(unsigned long start, unsigned long end)
{
	struct page *page = pfn_to_online_page(start);
	struct zone *zone = page ? page_zone(page) : NULL;

	if (!zone || !zone_spans_pfn(zone, end - 1))
		return NULL;
	for (unsigned long pfn = start; pfn < end; pfn = ALIGN_DOWN(pfn, pageblock_nr_pages) + pageblock_nr_pages) {
		page = pfn_to_online_page(pfn);
		if (!page || page_zone(page) != zone)
			return NULL;
	}
	return zone;
}

/* The highest frame of the range that is not free, or PFN_NONE. */
static unsigned long last_used(struct zone *zone, unsigned long start, unsigned long end)
{
	for (unsigned long pfn = end; pfn-- > start;)
		if (!frame_state(zone, pfn))
			return pfn;
	return PFN_NONE;
}

/* Claims a piece of at most ISOLATE_BLOCKS_MAX - 1 blocks; contig_lock() is held. */
static int claim_piece(struct zone *zone, unsigned long start, unsigned long end)
{
	struct isolated_blocks blocks;
	int err = isolate_blocks(zone, start, end, &blocks);

	if (err)
		return err;
	if (!frames_claim(zone, start, end))
		err = -EBUSY;
	undo_isolate_blocks(&blocks);
	return err;
}

/* Gives claimed frames back that are no pages yet. */
static void unclaim(struct zone *zone, unsigned long start, unsigned long end)
{
	for (; start < end; start++)
		if (!frame_free(zone, start, 0))
			bad_pfn(start, pfn_to_page(start), "a claimed frame is free");
}

/* Pages with one reference each. */
static int prep_range(struct zone *zone, unsigned long start, unsigned long end, gfp_t gfp)
{
	int err = 0;

	for (unsigned long pfn = start; pfn < end; pfn++) {
		if (prep_new_page(zone, pfn, 0, gfp))
			continue;
		/* a bad page: reported; it stays out of use, and the range is no good */
		err = -EBUSY;
		free_contig_range(start, pfn - start);
		unclaim(zone, pfn + 1, end);
		break;
	}
	return err;
}

int alloc_contig_range(unsigned long start, unsigned long end, unsigned int migratetype, gfp_t gfp)
{
	unsigned long piece = (ISOLATE_BLOCKS_MAX - 1) * pageblock_nr_pages, at = start;
	struct zone *zone;
	int err = 0;

	if (start >= end || (migratetype != MIGRATE_MOVABLE && migratetype != MIGRATE_CMA)) {
		pr_err("alloc_contig_range: [0x%lx, 0x%lx), migrate type %u: not a range, or neither Movable nor CMA\n",
		       start, end, migratetype);
		return -EINVAL;
	}
	zone = range_zone(start, end);
	if (!zone)
		return -EINVAL;
	if (last_used(zone, start, end) != PFN_NONE)
		return -EBUSY;
	contig_lock();
	for (; at < end && !err; at = min(at + piece, end))
		err = claim_piece(zone, at, min(at + piece, end));
	contig_unlock();
	if (err) {
		/* the piece before "at" is the one that failed */
		unclaim(zone, start, start + (at - 1 - start) / piece * piece);
		return err;
	}
	return prep_range(zone, start, end, gfp & ~__GFP_COMP);
}

void free_contig_range(unsigned long pfn, unsigned long nr_pages)
{
	for (unsigned long i = 0; i < nr_pages; i++)
		__free_page(pfn_to_page(pfn + i));
}

/* A free range in the zone, lowest first. */
static struct page *contig_in_zone(struct zone *zone, unsigned long nr, gfp_t gfp)
{
	unsigned long step = is_power_of_2(nr) ? nr : pageblock_nr_pages;
	unsigned long pfn = ALIGN(zone->zone_start_pfn, step);

	while (pfn + nr <= zone_end_pfn(zone) && pfn + nr > pfn) {
		unsigned long used;

		if (range_zone(pfn, pfn + nr) != zone) {
			pfn += step;
			continue;
		}
		used = last_used(zone, pfn, pfn + nr);
		if (used != PFN_NONE) {
			pfn = ALIGN(used + 1, step);
			continue;
		}
		if (!alloc_contig_range(pfn, pfn + nr, MIGRATE_MOVABLE, gfp))
			return pfn_to_page(pfn);
		pfn += step;
	}
	return NULL;
}

struct page *alloc_contig_pages(unsigned long nr_pages, gfp_t gfp, int nid, const nodemask_t *nodemask)
{
	struct zoneref *z;
	struct zone *zone;

	if (nid == NUMA_NO_NODE)
		nid = this_cpu()->node;
	if (!nr_pages || nid < 0 || nid >= (int)nr_node_ids || !NODE_DATA(nid)) {
		pr_err("alloc_contig_pages: %lu pages on node %d: no such request can be served\n", nr_pages, nid);
		return NULL;
	}
	for_each_zone_zonelist_nodemask(zone, z, node_zonelist(nid, gfp), gfp_zone(gfp), nodemask) {
		struct page *page = contig_in_zone(zone, nr_pages, gfp);

		if (page)
			return page;
	}
	return NULL;
}
