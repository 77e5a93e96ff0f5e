// SPDX-License-Identifier: MIT
/*
 * What the page allocator works out ahead of the first request, and again when zones, watermarks or hooks change: zones
 * by ids, the first try of each kind of request (struct alloc_fast), which CPUs may take it; options.
 */
#include "../boot/params.h"
#include "../sync/cpu.h"
#include "gfp.h"
#include "page_alloc.h"
#include "page_fresh.h"
#include "watermark.h"

/* What ids name while there is no such zone: frees find nothing fresh here, allocations nothing free. */
static struct zone no_zone __memsys = { .fresh = ~0ull };

/* page->state and page->counts of a free page of the zone. */
static u64 fresh_state(const struct zone *zone)
{
	struct page page = { .flags = FLAGS_FRESH,
			     .ids = (u16)((unsigned int)zone->node << PAGE_ZONE_BITS | zone->type) };

	return page.state;
}

static struct {
	bool init_on_alloc, init_on_free, page_poison;
} options __memsys;

static int set_init_on_alloc(const char *value)
{
	return parse_bool(value, &options.init_on_alloc);
}
early_param("init_on_alloc", set_init_on_alloc);

static int set_init_on_free(const char *value)
{
	return parse_bool(value, &options.init_on_free);
}
early_param("init_on_free", set_init_on_free);

static int set_page_poison(const char *value)
{
	return parse_bool(value, &options.page_poison);
}
early_param("page_poison", set_page_poison);

/* The zone's free pages that make any single-page request of the kind safe; see zone_watermark_ok(). */
static long floor_of(const struct zone *zone, const struct alloc_fast *fast)
{
	unsigned long pages = READ_ONCE(zone->watermark[WMARK_LOW]) + READ_ONCE(zone->watermark_boost) +
			      READ_ONCE(zone->lowmem_reserve[fast->highest]) + READ_ONCE(zone->nr_reserved_highatomic);

	/* as if all of it were free: then the exact check decides */
	if (!(fast->alloc_flags & ALLOC_CMA))
		pages += READ_ONCE(zone->cma_pages);
	return (long)pages;
}

void page_alloc_floor_changed(const struct zone *zone)
{
	struct alloc_fast *fast = zone->pgdat ? zone->pgdat->alloc_fast : NULL;

	for (unsigned int gfp = 0; fast && gfp < ALLOC_FAST_NR; gfp++) {
		if (fast[gfp].zone != zone)
			continue;
		/* again if another CPU changed what it follows from meanwhile */
		while (READ_ONCE(fast[gfp].floor) != floor_of(zone, &fast[gfp]))
			WRITE_ONCE(fast[gfp].floor, floor_of(zone, &fast[gfp]));
	}
}

static void fill_fast(struct pglist_data *pgdat)
{
	for (unsigned int gfp = 0; gfp < ALLOC_FAST_NR; gfp++) {
		struct alloc_fast *fast = &pgdat->alloc_fast[gfp];
		unsigned int zones = gfp & (__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM);
		enum zone_type highest = gfp_zone(gfp);
		struct zonelist *list = &pgdat->node_zonelists[ZONELIST_FALLBACK];
		struct zone *zone = first_zones_zonelist(list, highest, NULL)->zone;

		if (!zone || zone->node != pgdat->node_id || zones & (zones - 1))
			zone = &no_zone;
		fast->highest = (u8)highest;
		fast->migratetype = (u8)gfp_migratetype(gfp);
		fast->alloc_flags = (u16)(gfp_to_alloc_flags_cma(gfp, alloc_flags_nofragment(zone, 0)) & 0xffu);
		fast->fresh = fresh_state(zone);
		WRITE_ONCE(fast->floor, zone == &no_zone ? (long)(~0ul >> 1) : floor_of(zone, fast));
		WRITE_ONCE(fast->zone, zone);
	}
}

void page_alloc_gate(void)
{
	unsigned int hooks = READ_ONCE(alloc_hooks);

	for_each_zone(zone)
		WRITE_ONCE(zone->fresh, hooks & HOOKS_AT_FREE ? ~0ull : fresh_state(zone));
	for_each_possible_cpu(cpu) {
		struct cpu_local *local = cpu_locals[cpu];
		bool open = local && !hooks && !local->fault_nth && local->node >= 0 && NODE_DATA(local->node);

		if (local)
			WRITE_ONCE(local->fast, open ? NODE_DATA(local->node)->alloc_fast : NULL);
	}
}

void page_alloc_trace(bool on)
{
	if (on)
		atomic_fetch_or(&alloc_hooks, HOOK_TRACE);
	else
		atomic_fetch_and(&alloc_hooks, ~HOOK_TRACE);
	page_alloc_gate();
}

void page_alloc_bounds(void)
{
	unsigned long limit = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(page_zones); i++)
		if (!page_zones[i])
			page_zones[i] = &no_zone;
	for_each_zone(zone) {
		page_zones[(unsigned int)zone->node << PAGE_ZONE_BITS | zone->type] = zone;
		if (zone->spanned_pages)
			limit = max(limit, zone_end_pfn(zone));
	}
	WRITE_ONCE(page_alloc_pfn_limit, limit);
}

void page_alloc_update(void)
{
	page_alloc_bounds();
	init_per_zone_wmark_min();
	for_each_online_node(nid)
		fill_fast(NODE_DATA(nid));
	page_alloc_gate();
}

void page_alloc_init(void)
{
	unsigned int hooks = 0;

	if (options.page_poison)
		hooks |= HOOK_POISON | HOOK_CHECK;
	if (options.init_on_alloc)
		hooks |= HOOK_INIT_ON_ALLOC;
	if (options.init_on_free)
		hooks |= HOOK_INIT_ON_FREE;
#ifdef OCTAVO_DEBUG
	hooks |= HOOK_CHECK;
#endif
	alloc_hooks |= hooks;
	page_alloc_update();
}
