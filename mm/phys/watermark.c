// SPDX-License-Identifier: MIT
/*
 * Watermarks and reserves: how much of each zone an allocation must leave free.
 *
 * Purpose
 *	Work out every threshold from the managed pages and five sysctls, to the page as Linux 6.12 does, and
 *	compare free pages with them.
 *
 * Words
 *	min, low, high, promo: the four marks. Ordinary allocations stop at low and wake kswapd, which works
 *	until high; what may not wait goes on to min, urgent requests below it.
 *	boost: pages added to all marks after a fallback mixed migrate types, until kswapd has run.
 *	lowmem reserve (protection): what a zone keeps from requests that could have used a higher zone.
 *
 * Structures
 *	t = min_free_pages x managed / managed of all low memory
 *	d = max(t / 4, managed x watermark_scale_factor / 10000)
 *	min = t (HighMem, Movable: managed / 1024 within 32 and 128), low = min + d, high = low + d, promo = high + d
 *	min_free_kbytes = sqrt(16 x low memory in KiB): 4 MiB at 1 GiB, 16 MiB at 16 GiB, within 128 KiB and
 *	256 MiB, so that a large machine keeps a smaller share
 *	protection of zone i against class j = managed of the node's zones i+1 ... j / lowmem_reserve_ratio[i]
 *	A request may take from a zone while free - unusable > mark + protection, where unusable is what the
 *	request could not get anyway: CMA's pages and the highatomic reserve.
 *
 * Locking
 *	The sysctl lock orders writers. Readers take no lock: each mark is one word, and a check that mixes an
 *	old mark with a new one is a check a moment earlier or later.
 *
 * Sources
 *	Linux's admin-guide/sysctl/vm.rst; recorded zoneinfo files of real machines.
 */
#include "watermark.h"

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/atomic.h"
#include "page_alloc.h"

#define KB_PER_PAGE (PAGE_SIZE / 1024)

int min_free_kbytes __memsys = 1024;
int user_min_free_kbytes __memsys = -1;
int watermark_boost_factor __memsys = 15000;
int watermark_scale_factor __memsys = 10;
int sysctl_lowmem_reserve_ratio[MAX_NR_ZONES] __memsys = { [ZONE_DMA] = 256, [ZONE_DMA32] = 256, [ZONE_NORMAL] = 32 };
int percpu_pagelist_high_fraction __memsys;
unsigned long totalreserve_pages __memsys;
static spinlock_t sysctl_lock __memsys = { .rank = LOCK_RANK_SYSCTL };

/* ---- Arithmetic ---- */

int min_free_kbytes_for(u64 lowmem_kbytes)
{
	return (int)clamp(int_sqrt(lowmem_kbytes * 16), 128ull, 262144ull);
}

struct wmark_result wmark_compute(unsigned long managed, unsigned long lowmem_managed, int min_free_kb,
				  int scale_factor, bool capped)
{
	u64 min_pages = (u64)min_free_kb / KB_PER_PAGE;
	unsigned long share = lowmem_managed ? (unsigned long)(min_pages * managed / lowmem_managed) : 0;
	/* in two parts, so that the product cannot overflow on 32 bits */
	unsigned long scaled = managed / 10000 * (unsigned long)scale_factor +
			       managed % 10000 * (unsigned long)scale_factor / 10000;
	unsigned long step = max(share / 4, scaled);
	struct wmark_result r;

	r.mark[WMARK_MIN] = capped ? clamp(managed / 1024, SWAP_CLUSTER_MAX, 128ul) : share;
	r.mark[WMARK_LOW] = r.mark[WMARK_MIN] + step;
	r.mark[WMARK_HIGH] = r.mark[WMARK_LOW] + step;
	r.mark[WMARK_PROMO] = r.mark[WMARK_HIGH] + step;
	return r;
}

unsigned long lowmem_reserve_compute(const unsigned long managed[MAX_NR_ZONES], unsigned int i, unsigned int j,
				     int ratio)
{
	unsigned long above = 0;

	/* a class without pages of its own falls back on nothing (Linux since 6.10) */
	if (ratio < 1 || !managed[i] || !managed[j])
		return 0;
	for (unsigned int k = i + 1; k <= j; k++)
		above += managed[k];
	return above / (unsigned long)ratio;
}

unsigned int zone_batchsize(unsigned long managed)
{
	/* a thousandth of the zone, at most 1 MiB, a quarter of it at a time; one less than a power of two */
	unsigned long batch = min(managed >> 10, (unsigned long)((1ul << 20) / PAGE_SIZE)) / 4;

	batch = max(batch, 1ul);
	return (unsigned int)rounddown_pow_of_two(batch + batch / 2) - 1;
}

unsigned int zone_highsize(unsigned long total, unsigned int batch, unsigned int local_cpus)
{
	unsigned long share = total / (local_cpus ? local_cpus : 1);

	return (unsigned int)max(share, (unsigned long)batch << 2);
}

/* ---- Over the machine's zones ---- */

static bool zone_is_capped(const struct zone *zone)
{
	return is_highmem_zone(zone) || zone->type == ZONE_MOVABLE;
}

static unsigned int cpus_of_node(int nid)
{
	unsigned int n = 0;

	for_each_online_cpu(cpu)
		if (cpu_locals[cpu]->node == nid)
			n++;
	return n ? n : num_online_cpus();
}

static void zone_pcp_update(struct zone *zone)
{
	int fraction = percpu_pagelist_high_fraction;
	unsigned long managed = zone_managed_pages(zone);
	unsigned int batch = max(zone_batchsize(managed), 1u);
	unsigned int cpus = cpus_of_node(zone->node);
	unsigned int lowest, highest;

	if (fraction) {
		lowest = highest = zone_highsize(managed / (unsigned int)fraction, batch, cpus);
	} else {
		lowest = zone_highsize(low_wmark_pages(zone), batch, cpus);
		highest = zone_highsize(managed / MIN_PERCPU_PAGELIST_HIGH_FRACTION, batch, cpus);
	}
	WRITE_ONCE(zone->pageset_batch, batch);
	WRITE_ONCE(zone->pageset_high_min, lowest);
	WRITE_ONCE(zone->pageset_high_max, highest);
}

static void calculate_totalreserve_pages(void)
{
	unsigned long total = 0;

	for_each_online_node(nid) {
		unsigned long sum = 0;

		for (unsigned int type = 0; type < MAX_NR_ZONES; type++) {
			const struct zone *zone = zone_of(nid, (enum zone_type)type);
			unsigned long keep = 0;

			for (unsigned int j = type; j < MAX_NR_ZONES; j++)
				keep = max(keep, zone->lowmem_reserve[j]);
			sum += min(keep + high_wmark_pages(zone), zone_managed_pages(zone));
		}
		WRITE_ONCE(NODE_DATA(nid)->totalreserve_pages, sum);
		total += sum;
	}
	WRITE_ONCE(totalreserve_pages, total);
	for_each_zone(z)
		page_alloc_floor_changed(z);
}

static void setup_per_zone_wmarks_locked(void)
{
	unsigned long lowmem = 0;

	for_each_zone(zone)
		if (!zone_is_capped(zone))
			lowmem += zone_managed_pages(zone);
	for_each_zone(zone) {
		struct wmark_result r = wmark_compute(zone_managed_pages(zone), lowmem, min_free_kbytes,
						      watermark_scale_factor, zone_is_capped(zone));

		WRITE_ONCE(zone->watermark_boost, 0);
		for (unsigned int w = 0; w < NR_WMARK; w++)
			WRITE_ONCE(zone->watermark[w], r.mark[w]);
		zone_pcp_update(zone);
	}
	calculate_totalreserve_pages();
}

static void setup_per_zone_lowmem_reserve_locked(void)
{
	for_each_online_node(nid) {
		unsigned long managed[MAX_NR_ZONES];

		for (unsigned int i = 0; i < MAX_NR_ZONES; i++)
			managed[i] = zone_managed_pages(zone_of(nid, (enum zone_type)i));
		for (unsigned int i = 0; i < MAX_NR_ZONES - 1; i++)
			for (unsigned int j = i + 1; j < MAX_NR_ZONES; j++)
				WRITE_ONCE(zone_of(nid, (enum zone_type)i)->lowmem_reserve[j],
					   lowmem_reserve_compute(managed, i, j, sysctl_lowmem_reserve_ratio[i]));
	}
	calculate_totalreserve_pages();
}

void setup_per_zone_wmarks(void)
{
	unsigned long flags;

	spin_lock_irqsave(&sysctl_lock, flags);
	setup_per_zone_wmarks_locked();
	spin_unlock_irqrestore(&sysctl_lock, flags);
}

/* Managed pages above the high mark in the zones of node 0's list that kernel and user allocations share. */
unsigned long nr_free_buffer_pages(void)
{
	enum zone_type highest = gfp_zone(GFP_USER);
	unsigned long sum = 0;

	for_each_zone(zone) {
		unsigned long size = zone_managed_pages(zone), high = high_wmark_pages(zone);

		if (zone->type <= highest && size > high)
			sum += size - high;
	}
	return sum;
}

void init_per_zone_wmark_min(void)
{
	unsigned long flags;
	int kbytes = min_free_kbytes_for((u64)nr_free_buffer_pages() * KB_PER_PAGE);

	spin_lock_irqsave(&sysctl_lock, flags);
	if (kbytes > user_min_free_kbytes)
		WRITE_ONCE(min_free_kbytes, kbytes);
	else
		pr_warn("min_free_kbytes is not updated to %d because user defined value %d is preferred\n", kbytes,
			user_min_free_kbytes);
	setup_per_zone_lowmem_reserve_locked();
	setup_per_zone_wmarks_locked();
	refresh_zone_stat_thresholds();
	spin_unlock_irqrestore(&sysctl_lock, flags);
}

int thp_recommended_min_free_kbytes(void)
{
	unsigned long zones = 0, pages;

	for_each_populated_zone(zone)
		if (zone->type <= gfp_zone(GFP_USER))
			zones++;
	/* two blocks in each zone, and one for each way one of three types can fall back on another */
	pages = pageblock_nr_pages * zones * (2 + MIGRATE_PCPTYPES * MIGRATE_PCPTYPES);
	pages = min(pages, nr_free_buffer_pages() / 20);
	return (int)(pages * KB_PER_PAGE);
}

void set_recommended_min_free_kbytes(void)
{
	int kbytes = thp_recommended_min_free_kbytes();
	unsigned long flags;

	spin_lock_irqsave(&sysctl_lock, flags);
	if (kbytes > min_free_kbytes) {
		if (user_min_free_kbytes >= 0)
			pr_info("raising min_free_kbytes from %d to %d to help transparent hugepage allocations\n",
				min_free_kbytes, kbytes);
		WRITE_ONCE(min_free_kbytes, kbytes);
	}
	setup_per_zone_wmarks_locked();
	spin_unlock_irqrestore(&sysctl_lock, flags);
}

/* ---- Setters ---- */

int set_min_free_kbytes(int kbytes)
{
	unsigned long flags;

	if (kbytes < 0)
		return -EINVAL;
	spin_lock_irqsave(&sysctl_lock, flags);
	WRITE_ONCE(min_free_kbytes, kbytes);
	WRITE_ONCE(user_min_free_kbytes, kbytes);
	setup_per_zone_wmarks_locked();
	spin_unlock_irqrestore(&sysctl_lock, flags);
	return 0;
}

int set_watermark_boost_factor(int factor)
{
	if (factor < 0)
		return -EINVAL;
	WRITE_ONCE(watermark_boost_factor, factor);
	return 0;
}

int set_watermark_scale_factor(int factor)
{
	unsigned long flags;

	if (factor < 1 || factor > WATERMARK_SCALE_FACTOR_MAX)
		return -EINVAL;
	spin_lock_irqsave(&sysctl_lock, flags);
	WRITE_ONCE(watermark_scale_factor, factor);
	setup_per_zone_wmarks_locked();
	spin_unlock_irqrestore(&sysctl_lock, flags);
	return 0;
}

int set_lowmem_reserve_ratio(const int ratio[], unsigned int nr)
{
	unsigned long flags;

	if (nr > MAX_NR_ZONES)
		return -EINVAL;
	spin_lock_irqsave(&sysctl_lock, flags);
	for (unsigned int i = 0; i < nr; i++)
		WRITE_ONCE(sysctl_lowmem_reserve_ratio[i], max(ratio[i], 0));
	setup_per_zone_lowmem_reserve_locked();
	spin_unlock_irqrestore(&sysctl_lock, flags);
	return 0;
}

int set_percpu_pagelist_high_fraction(int fraction)
{
	unsigned long flags;

	if (fraction < 0 || (fraction && fraction < MIN_PERCPU_PAGELIST_HIGH_FRACTION))
		return -EINVAL;
	spin_lock_irqsave(&sysctl_lock, flags);
	WRITE_ONCE(percpu_pagelist_high_fraction, fraction);
	for_each_zone(zone)
		zone_pcp_update(zone);
	spin_unlock_irqrestore(&sysctl_lock, flags);
	return 0;
}

/* ---- Checks ---- */

/* Free pages that a request with these flags could not get. */
static long unusable_free(const struct zone *zone, unsigned int alloc_flags)
{
	long pages = 0;

	if (!(alloc_flags & (ALLOC_HIGHATOMIC | ALLOC_OOM)))
		pages += (long)load_relaxed(&zone->nr_free_highatomic);
	if (!(alloc_flags & ALLOC_CMA))
		pages += (long)zone_page_state(zone, NR_FREE_CMA_PAGES);
	return pages;
}

bool __zone_watermark_ok(struct zone *zone, unsigned int order, unsigned long mark, enum zone_type highest,
			 unsigned int alloc_flags, long free)
{
	long least = (long)mark;

	free -= (1l << order) - 1 + unusable_free(zone, alloc_flags);
	if (alloc_flags & ALLOC_MIN_RESERVE) {
		/* urgent requests go to half of the mark, those that cannot wait besides to 3/8 */
		least -= least / 2;
		if (alloc_flags & ALLOC_NON_BLOCK)
			least -= least / 4;
	}
	if (alloc_flags & ALLOC_OOM)
		least -= least / 2;
	if (free <= least + (long)READ_ONCE(zone->lowmem_reserve[highest]))
		return false;
	if (!order)
		return true;
	if (alloc_flags & ALLOC_OOM)
		alloc_flags |= ALLOC_HIGHATOMIC;
	return frames_order_available(zone, order, MIGRATE_UNMOVABLE, alloc_flags);
}

bool zone_watermark_ok(struct zone *zone, unsigned int order, unsigned long mark, enum zone_type highest,
		       unsigned int alloc_flags)
{
	return __zone_watermark_ok(zone, order, mark, highest, alloc_flags,
				   (long)zone_page_state(zone, NR_FREE_PAGES));
}

bool zone_watermark_fast(struct zone *zone, unsigned int order, unsigned long mark, enum zone_type highest,
			 unsigned int alloc_flags)
{
	long free = (long)zone_page_state(zone, NR_FREE_PAGES);

	if (__zone_watermark_ok(zone, order, mark, highest, alloc_flags, free))
		return true;
	/* the boost is there to make kswapd work, not to fail an urgent single page */
	if (!order && (alloc_flags & ALLOC_MIN_RESERVE) && READ_ONCE(zone->watermark_boost) &&
	    (alloc_flags & ALLOC_WMARK_MASK) == ALLOC_WMARK_MIN)
		return __zone_watermark_ok(zone, order, READ_ONCE(zone->watermark[WMARK_MIN]), highest, alloc_flags,
					   free);
	return false;
}
