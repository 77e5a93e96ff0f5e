// SPDX-License-Identifier: MIT
/* Watermark arithmetic and checks, and that setters take effect at once. */
#include <octavo/gfp.h>
#include <octavo/page.h>

#include "harness.h"
#include "mm/phys/page_alloc.h"
#include "mm/phys/watermark.h"

TEST(watermark, min_free_kbytes_by_memory)
{
	/* low memory in MiB, and what the documentation of min_free_kbytes says */
	static const struct {
		u64 mib;
		int kbytes;
	} known[] = {
		{ 16, 512 },	{ 32, 724 },	{ 64, 1024 },	{ 128, 1448 },	 { 256, 2048 },	  { 512, 2896 },
		{ 1024, 4096 }, { 2048, 5792 }, { 4096, 8192 }, { 8192, 11585 }, { 16384, 16384 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++)
		EXPECT(min_free_kbytes_for(known[i].mib << 10) / 2 == known[i].kbytes / 2);
	EXPECT_EQ(min_free_kbytes_for(100), 128);
	EXPECT_EQ(min_free_kbytes_for(1ull << 40), 262144);
}

TEST(watermark, marks_from_shares)
{
	/* one zone has it all: min is everything, the steps a quarter of it */
	struct wmark_result r = wmark_compute(100000, 100000, 4000, 10, false);

	EXPECT_EQ(r.mark[WMARK_MIN], 1000);
	EXPECT_EQ(r.mark[WMARK_LOW], 1250);
	EXPECT_EQ(r.mark[WMARK_HIGH], 1500);
	EXPECT_EQ(r.mark[WMARK_PROMO], 1750);
	/* a large scale factor makes the steps: 3 % */
	r = wmark_compute(100000, 100000, 4000, 300, false);
	EXPECT_EQ(r.mark[WMARK_LOW], 1000 + 3000);
	/* capped zones: a 1024th, within 32 and 128 */
	EXPECT_EQ(wmark_compute(1000, 100000, 4000, 10, true).mark[WMARK_MIN], 32);
	EXPECT_EQ(wmark_compute(65536, 100000, 4000, 10, true).mark[WMARK_MIN], 64);
	EXPECT_EQ(wmark_compute(9999999, 100000, 4000, 10, true).mark[WMARK_MIN], 128);
	EXPECT_EQ(wmark_compute(0, 0, 4000, 10, false).mark[WMARK_PROMO], 0);
}

TEST(watermark, batch_and_high)
{
	EXPECT_EQ(zone_batchsize(3840), 0);	 /* 3840/1024 = 3, /4 = 0, at least 1; less 1 */
	EXPECT_EQ(zone_batchsize(262144), 63); /* 256/4 = 64; 96 down to 64, less 1 */
	EXPECT_EQ(zone_batchsize(1ul << 30), 63);
	EXPECT_EQ(zone_batchsize(60000), 15); /* 58/4 = 14; 21 down to 16 */
	EXPECT_EQ(zone_highsize(1000, 63, 2), 500);
	EXPECT_EQ(zone_highsize(100, 63, 2), 252);
}

TEST(watermark, protection)
{
	const unsigned long managed[MAX_NR_ZONES] = { 3840, 500000, 1000000, 0, 0, 0 };

	EXPECT_EQ(lowmem_reserve_compute(managed, ZONE_DMA, ZONE_DMA32, 256), 1953);
	EXPECT_EQ(lowmem_reserve_compute(managed, ZONE_DMA, ZONE_NORMAL, 256), 5859);
	EXPECT_EQ(lowmem_reserve_compute(managed, ZONE_DMA32, ZONE_NORMAL, 256), 3906);
	EXPECT_EQ(lowmem_reserve_compute(managed, ZONE_DMA, ZONE_NORMAL, 0), 0);
	EXPECT_EQ(lowmem_reserve_compute(managed, ZONE_HIGHMEM, ZONE_MOVABLE, 32), 0);
	/* the class of a zone without pages is kept nothing from (6.10) */
	EXPECT_EQ(lowmem_reserve_compute(managed, ZONE_DMA, ZONE_MOVABLE, 256), 0);
}

static struct zone *largest_zone(void)
{
	struct zone *best = NULL;

	for_each_populated_zone(zone)
		if (!best || zone_managed_pages(zone) > zone_managed_pages(best))
			best = zone;
	return best;
}

TEST(watermark, setters_take_effect_at_once)
{
	struct zone *zone = largest_zone();
	unsigned long low, reserve = totalreserve_pages, step;

	ASSERT(!set_min_free_kbytes(min_free_kbytes * 2));
	EXPECT_EQ(user_min_free_kbytes, min_free_kbytes);
	EXPECT(totalreserve_pages > reserve);
	EXPECT(zone->watermark[WMARK_MIN] > 0);
	low = zone->watermark[WMARK_LOW];
	ASSERT(!set_watermark_scale_factor(500));
	step = zone_managed_pages(zone) / 20;
	EXPECT(zone->watermark[WMARK_LOW] > low);
	EXPECT(zone->watermark[WMARK_LOW] - zone->watermark[WMARK_MIN] - step <= 1);
	ASSERT(!set_percpu_pagelist_high_fraction(8));
	EXPECT_EQ(zone->pageset_high_min, zone->pageset_high_max);
	ASSERT(!set_percpu_pagelist_high_fraction(0));
	EXPECT(zone->pageset_high_min != zone->pageset_high_max);
}

TEST(watermark, bad_values_change_nothing)
{
	int ratio[MAX_NR_ZONES + 1] = { 0 };

	EXPECT_EQ(set_min_free_kbytes(-1), -EINVAL);
	EXPECT_EQ(set_watermark_scale_factor(0), -EINVAL);
	EXPECT_EQ(set_watermark_scale_factor(3001), -EINVAL);
	EXPECT_EQ(set_watermark_boost_factor(-1), -EINVAL);
	EXPECT_EQ(set_percpu_pagelist_high_fraction(7), -EINVAL);
	EXPECT_EQ(set_lowmem_reserve_ratio(ratio, MAX_NR_ZONES + 1), -EINVAL);
	EXPECT_EQ(watermark_scale_factor, 10);
	EXPECT_EQ(percpu_pagelist_high_fraction, 0);
	EXPECT_EQ(sysctl_lowmem_reserve_ratio[ZONE_DMA], 256);
}

TEST(watermark, lowmem_reserve_ratio_counts_in_the_check)
{
	struct zone *zone = largest_zone();
	unsigned long free = zone_page_state_snapshot(zone, NR_FREE_PAGES), mark = zone->watermark[WMARK_LOW];

	EXPECT(zone_watermark_ok(zone, 0, mark, zone->type, 0));
	zone->lowmem_reserve[ZONE_MOVABLE] = free - mark + 100;
	EXPECT(!zone_watermark_ok(zone, 0, mark, ZONE_MOVABLE, 0));
	EXPECT(zone_watermark_ok(zone, 0, mark, zone->type, 0));
}

/* 1000 pages free in all of these. */
TEST(watermark, who_may_go_how_low)
{
	struct zone *zone = largest_zone();
	enum zone_type t = zone->type;

	memset(zone->lowmem_reserve, 0, sizeof(zone->lowmem_reserve));
	EXPECT(__zone_watermark_ok(zone, 0, 999, t, 0, 1000));
	EXPECT(!__zone_watermark_ok(zone, 0, 1000, t, 0, 1000));
	/* __GFP_HIGH: half; and cannot wait: 3/8 */
	EXPECT(__zone_watermark_ok(zone, 0, 1998, t, ALLOC_MIN_RESERVE, 1000));
	EXPECT(!__zone_watermark_ok(zone, 0, 2000, t, ALLOC_MIN_RESERVE, 1000));
	EXPECT(__zone_watermark_ok(zone, 0, 2600, t, ALLOC_MIN_RESERVE | ALLOC_NON_BLOCK, 1000));
	EXPECT(!__zone_watermark_ok(zone, 0, 2680, t, ALLOC_MIN_RESERVE | ALLOC_NON_BLOCK, 1000));
	/* a victim of the OOM killer: half of what is left */
	EXPECT(__zone_watermark_ok(zone, 0, 1998, t, ALLOC_OOM, 1000));
	/* the pages of the block itself are not left afterwards */
	EXPECT(!__zone_watermark_ok(zone, 5, 970, t, 0, 1000));
	EXPECT(__zone_watermark_ok(zone, 5, 968, t, 0, 1000));
	/* what the request could not get does not count */
	zone->nr_free_highatomic = 300;
	EXPECT(!__zone_watermark_ok(zone, 0, 800, t, 0, 1000));
	EXPECT(__zone_watermark_ok(zone, 0, 800, t, ALLOC_HIGHATOMIC, 1000));
	zone->nr_free_highatomic = 0;
	mod_zone_page_state(zone, NR_FREE_CMA_PAGES, 1000);
	EXPECT(!__zone_watermark_ok(zone, 0, 1, t, 0, 1000));
	EXPECT(__zone_watermark_ok(zone, 0, 1, t, ALLOC_CMA, 1000));
	mod_zone_page_state(zone, NR_FREE_CMA_PAGES, -1000);
}

TEST(watermark, the_boost_holds_back_all_but_urgent_pages)
{
	struct zone *zone = largest_zone();
	unsigned long free = zone_page_state_snapshot(zone, NR_FREE_PAGES);

	memset(zone->lowmem_reserve, 0, sizeof(zone->lowmem_reserve));
	zone->watermark_boost = free * 3;
	EXPECT(!zone_watermark_fast(zone, 0, min_wmark_pages(zone), zone->type, ALLOC_WMARK_MIN));
	EXPECT(zone_watermark_fast(zone, 0, min_wmark_pages(zone), zone->type, ALLOC_WMARK_MIN | ALLOC_MIN_RESERVE));
	EXPECT(!zone_watermark_fast(zone, 1, min_wmark_pages(zone), zone->type, ALLOC_WMARK_MIN | ALLOC_MIN_RESERVE));
	zone->watermark_boost = 0;
}

TEST(watermark, huge_pages_want_eleven_blocks_a_zone)
{
	unsigned long zones = 0;
	int want;

	for_each_populated_zone(zone)
		if (zone->type <= ZONE_NORMAL)
			zones++;
	want = (int)min(zones * 11 * 512, nr_free_buffer_pages() / 20) * 4;
	EXPECT_EQ(thp_recommended_min_free_kbytes(), want);
	set_recommended_min_free_kbytes();
	EXPECT(min_free_kbytes >= want);
}

/* The first try follows every change of what it compares with. */
TEST(watermark, the_fast_path_follows)
{
	struct zone *zone = largest_zone();
	const struct alloc_fast *fast = NULL;

	for (unsigned int i = 0; i < ALLOC_FAST_NR; i++)
		if (zone->pgdat->alloc_fast[i].zone == zone)
			fast = &zone->pgdat->alloc_fast[i];
	ASSERT(fast);
	EXPECT(fast->floor >= (long)low_wmark_pages(zone));
	ASSERT(!set_min_free_kbytes(min_free_kbytes + 4000));
	EXPECT(fast->floor >= (long)low_wmark_pages(zone));
	zone->watermark_boost = 5000;
	page_alloc_floor_changed(zone);
	EXPECT(fast->floor >= (long)zone->watermark[WMARK_LOW] + 5000);
	zone->watermark_boost = 0;
	page_alloc_floor_changed(zone);
}
