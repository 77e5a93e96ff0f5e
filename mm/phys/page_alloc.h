/* SPDX-License-Identifier: MIT */
/* The page allocator's inside: between struct page and the frame layer. The theory stands in page_alloc.c. */
#ifndef MM_PHYS_PAGE_ALLOC_H
#define MM_PHYS_PAGE_ALLOC_H

#include "zone.h"
#include "zonelist.h"

/* Above the frame layer's: which watermark to respect, and what allows to go below it. */
#define ALLOC_WMARK_MIN 0x000u
#define ALLOC_WMARK_LOW 0x100u
#define ALLOC_WMARK_HIGH 0x200u
#define ALLOC_WMARK_MASK 0x300u
#define ALLOC_NO_WATERMARKS 0x400u
#define ALLOC_NON_BLOCK 0x800u	  /* cannot wait for reclaim */
#define ALLOC_MIN_RESERVE 0x1000u /* __GFP_HIGH */
#define ALLOC_OOM 0x2000u	  /* an OOM victim on its way out */
#define ALLOC_KSWAPD 0x4000u	  /* may wake kswapd */
#define ALLOC_CPUSET 0x8000u	  /* the caller's node set binds */
#define ALLOC_RESERVES (ALLOC_NON_BLOCK | ALLOC_MIN_RESERVE | ALLOC_HIGHATOMIC | ALLOC_OOM)

/* What one allocation carries from zone to zone. */
struct alloc_context {
	struct zonelist *zonelist;
	const nodemask_t *nodemask;
	struct zoneref *preferred;
	enum zone_type highest;
	unsigned int migratetype;
	int nid;
};

/* What alloc and free have to do beyond the ordinary: 0 keeps the fast paths fast. */
#define HOOK_INIT_ON_ALLOC 0x01u
#define HOOK_INIT_ON_FREE 0x02u
#define HOOK_POISON 0x04u
#define HOOK_OWNER 0x08u
#define HOOK_FAULT 0x10u /* fail_page_alloc is armed */
#define HOOK_CHECK 0x20u /* look at every page of a block, not at its first only */
#define HOOK_SCOPE 0x40u /* some thread is in a scope that changes what zones it may use */
#define HOOK_TRACE 0x80u /* the trace events mm_page_alloc or mm_page_free are on */
#define HOOKS_AT_FREE (HOOK_INIT_ON_FREE | HOOK_POISON | HOOK_OWNER | HOOK_CHECK | HOOK_TRACE)
extern unsigned int alloc_hooks;

/* Which zone a page's ids name: page->ids is the index. */
extern struct zone *page_zones[MAX_NUMNODES << PAGE_ZONE_BITS];

static inline struct zone *page_zone_of(const struct page *page)
{
	return page_zones[load_relaxed(&page->ids) & (ARRAY_SIZE(page_zones) - 1)];
}

/* Frames from here on have no descriptor. */
extern unsigned long page_alloc_pfn_limit;

/*
 * page_alloc_init - open the allocator: boot, after memblock_free_all()'s frames are in and the zonelists built
 * page_alloc_bounds - zones span more or less: before pages of theirs come into use
 * page_alloc_update - zones, zonelists or managed pages have changed (memory hotplug): work everything out anew
 */
void page_alloc_init(void);
void page_alloc_bounds(void);
void page_alloc_update(void);
/* Open or close the fast paths of all CPUs, after alloc_hooks or a CPU's fault_nth changed. */
void page_alloc_gate(void);

/* HOOK_TRACE, on or off. Thread context. */
void page_alloc_trace(bool on);

/* From the zonelist, down to the watermark that @alloc_flags names. NULL if there is none. */
struct page *get_page_from_freelist(gfp_t gfp, unsigned int order, unsigned int alloc_flags,
				    struct alloc_context *ac);
/* When that failed: reclaim, retries, the report. */
struct page *alloc_pages_slowpath(gfp_t gfp, unsigned int order, struct alloc_context *ac);
unsigned int gfp_to_alloc_flags_cma(gfp_t gfp, unsigned int alloc_flags);

/*
 * prep_new_page - make a page of 2^order frames that were just taken
 * Return: the page with one reference, or NULL after a report when its descriptor is not that of a free page;
 * the frames then stay out of use.
 */
struct page *prep_new_page(struct zone *zone, unsigned long pfn, unsigned int order, gfp_t gfp);

/* The same for single pages. Bad ones are left out. Return: how many are in @pages. */
unsigned long prep_new_pages(struct zone *zone, const unsigned long *pfns, unsigned long nr, gfp_t gfp,
			     struct page **pages);

/* __free_pages() of each of so many single pages; neighbours together. */
void free_page_array(struct page *const *pages, unsigned long nr);

/* put_page() of each of so many pages that were mapped or cached; neighbours together. */
void release_pages(struct page *const *pages, unsigned long nr);

/*
 * mm/lru's, set while nobody has a page on its lists
 * @gone: the block, which is on the lists or has flags of theirs, lost its last reference: it is on none and has none.
 * @release: pages[0] is on the lists. As far as the pages from it on are of its row and like it, singly held and in the
 *           plainest state: their last references are given back, they leave the lists and become fresh, and *mask gets
 *           their bits. Return: how many were dealt with.
 */
struct lru_hooks {
	void (*gone)(struct page *page, unsigned int order);
	unsigned long (*release)(struct page *const *pages, unsigned long nr, u64 fresh, u64 *mask);
};
extern const struct lru_hooks *lru_hooks;

/* Flags, and the generation, of a page that is or was on the lists. */
static inline bool page_of_lists(const struct page *page)
{
	return load_relaxed(&page->flags) & (1u << PG_lru | 1u << PG_active | 1u << PG_unevictable);
}

/* Free a block that has no reference any more. false: it was bad, is reported, and stays out of use. */
bool free_pages_ok(struct page *page, unsigned int order);

/*
 * vm.zone_reclaim_mode: a zone below its watermark is looked through before others are used, for a request that would
 * rather have memory of @nid. NULL: it is not. Return: it was. Set by reclaim, which is above.
 */
extern bool (*node_reclaim_hook)(struct zone *zone, int nid, gfp_t gfp, unsigned int order);

/*
 * On the first round do not mix migrate types in a zone's blocks if the zone below could serve instead; only
 * Normal over a populated DMA32 has one large enough to bother.
 */
static inline unsigned int alloc_flags_nofragment(const struct zone *zone, gfp_t gfp)
{
	unsigned int alloc_flags = gfp & __GFP_KSWAPD_RECLAIM ? ALLOC_KSWAPD : 0;

	if (zone->type == ZONE_NORMAL && populated_zone(zone_of(zone->node, ZONE_DMA32)))
		alloc_flags |= ALLOC_NOFRAGMENT;
	return alloc_flags;
}

#endif
