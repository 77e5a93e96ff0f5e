// SPDX-License-Identifier: MIT
/* Allocation in other shapes: many single pages, exact sizes, by address of the direct map; page contents. */
#include <octavo/gfp.h>
#include <octavo/memblock.h>
#include <octavo/page.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "page_alloc.h"
#include "page_report.h"
#include "watermark.h"

/* ---- Many single pages ---- */

#define BULK_CHUNK 64u

/* The zone that can give @nr pages and stay above its low watermark; the local node's only. */
static struct zone *bulk_zone(int nid, gfp_t gfp, unsigned long nr)
{
	enum zone_type highest = gfp_zone(gfp);
	struct zoneref *z;
	struct zone *zone;

	for_each_zone_zonelist(zone, z, node_zonelist(nid, gfp), highest) {
		if (zone->node != nid)
			break;
		if (zone_watermark_fast(zone, 0, low_wmark_pages(zone) + nr, highest,
					gfp_to_alloc_flags_cma(gfp, ALLOC_WMARK_LOW)))
			return zone;
	}
	return NULL;
}

/* Fills the empty entries that follow @pages + *@at with what one call of the frame layer gives. false: no more so. */
static bool bulk_fill(struct zone *zone, gfp_t gfp, unsigned long nr, struct page **pages, unsigned long *at)
{
	unsigned long pfns[BULK_CHUNK], want = 0, got, prepared;

	while (*at + want < nr && want < BULK_CHUNK && !pages[*at + want])
		want++;
	got = frame_alloc_bulk(zone, gfp_migratetype(gfp), gfp_to_alloc_flags_cma(gfp, 0) & 0xffu, want, pfns);
	/* A bad page is reported and stays out of use. */
	prepared = prep_new_pages(zone, pfns, got, gfp, pages + *at);
	*at += prepared;
	while (*at < nr && pages[*at])
		++*at;
	return got == want;
}

unsigned long alloc_pages_bulk_node(gfp_t gfp, int nid, unsigned long nr, struct page **pages)
{
	unsigned long at = 0;
	struct zone *zone = NULL;

	if (nid == NUMA_NO_NODE)
		nid = this_cpu()->node;
	if (gfp & __GFP_COMP) {
		pr_err("bulk allocation: __GFP_COMP makes no sense for single pages\n");
		gfp &= ~__GFP_COMP;
	}
	while (at < nr && pages[at])
		at++;
	if (nr - at > 1 && this_cpu()->fast && nid >= 0 && nid < (int)nr_node_ids && NODE_DATA(nid) &&
	    !(gfp & ~__GFP_BITS_MASK))
		zone = bulk_zone(nid, gfp, nr - at);
	while (zone && at < nr && bulk_fill(zone, gfp, nr, pages, &at))
		;
	/* What is missing comes one by one, so that the slow path has its say; the first failure ends it. */
	for (; at < nr; at++)
		if (!pages[at] && !(pages[at] = alloc_pages_node(nid, gfp, 0)))
			break;
	return at;
}

unsigned long alloc_pages_bulk(gfp_t gfp, unsigned long nr, struct page **pages)
{
	return alloc_pages_bulk_node(gfp, NUMA_NO_NODE, nr, pages);
}

/* ---- By address ---- */

unsigned long __get_free_pages(gfp_t gfp, unsigned int order)
{
	struct page *page;

	if (gfp & __GFP_HIGHMEM) {
		pr_err("__get_free_pages: high memory has no address; __GFP_HIGHMEM makes no sense\n");
		return 0;
	}
	page = alloc_pages(gfp, order);
	return page ? (unsigned long)page_address(page) : 0;
}

unsigned long get_zeroed_page(gfp_t gfp)
{
	return __get_free_pages(gfp | __GFP_ZERO, 0);
}

void free_pages(unsigned long addr, unsigned int order)
{
	struct page *page;

	if (!addr)
		return;
	page = virt_to_page((void *)addr);
	if (!page || addr & ~PAGE_MASK)
		bad_pfn((addr - (unsigned long)page_address(pfn_to_page(0))) >> PAGE_SHIFT, page,
			"free_pages() of an address that is no page of the direct map");
	else
		__free_pages(page, order);
}

/* ---- Exact sizes ---- */

static unsigned int order_of_size(size_t size)
{
	return size <= PAGE_SIZE ? 0 : highest_bit((size - 1) >> PAGE_SHIFT) + 1;
}

void *alloc_pages_exact_nid(int nid, size_t size, gfp_t gfp)
{
	unsigned int order = order_of_size(size);
	unsigned long used = DIV_ROUND_UP(size, PAGE_SIZE);
	struct page *page;

	if (!size || gfp & __GFP_HIGHMEM) {
		pr_err("alloc_pages_exact: %s\n", size ? "__GFP_HIGHMEM makes no sense" : "size 0");
		return NULL;
	}
	page = alloc_pages_node(nid, gfp & ~__GFP_COMP, order);
	if (!page)
		return NULL;
	split_page(page, order);
	for (unsigned long i = used; i < 1ul << order; i++)
		__free_page(page + i);
	return page_address(page);
}

void *alloc_pages_exact(size_t size, gfp_t gfp)
{
	return alloc_pages_exact_nid(NUMA_NO_NODE, size, gfp);
}

void free_pages_exact(void *virt, size_t size)
{
	for (size_t at = 0; virt && at < size; at += PAGE_SIZE)
		free_page((unsigned long)virt + at);
}
