// SPDX-License-Identifier: MIT
/* Which block an allocation takes from: fallback, stealing, boost, highatomic reserve, CMA, isolation. */
#include "frames_fixture.h"

static unsigned long take(unsigned int order, unsigned int type, unsigned int flags)
{
	return frame_alloc(&fx_zone, order, type, flags | ALLOC_NO_PCP);
}

static unsigned int type_at(unsigned long pfn)
{
	return get_pageblock_migratetype(&fx_zone, pfn);
}

/* Two blocks of each type, all of it in use but for @nr frames at the start of each block. */
static void begin(struct fixture *fx, const unsigned int nr[3])
{
	fixture_begin(fx, 0, 512 * 12);
	fx_zone.watermark[WMARK_HIGH] = 1000;
	for (unsigned int type = 0; type < MIGRATE_PCPTYPES; type++)
		if (nr[type])
			frames_add(&fx_zone, type * 1024, type * 1024 + nr[type], type);
}

TEST(rmqueue, a_whole_block_of_another_type_changes_sides)
{
	struct fixture __fixture fx;
	unsigned long pfn;

	fixture_begin(&fx, 0, 4096);
	frames_add(&fx_zone, 0, 4096, MIGRATE_MOVABLE);
	pfn = take(0, MIGRATE_UNMOVABLE, ALLOC_NOFRAGMENT);
	ASSERT(pfn != PFN_NONE);
	EXPECT_EQ(type_at(pfn), MIGRATE_UNMOVABLE);
	EXPECT_EQ(take(0, MIGRATE_UNMOVABLE, 0) / 512, pfn / 512);
	EXPECT_EQ(take(9, MIGRATE_RECLAIMABLE, 0) / 512, pfn / 512 + 1);
	EXPECT_EQ(type_at(512), MIGRATE_RECLAIMABLE);
	EXPECT_EQ(fx_zone.watermark_boost, 0);
	fixture_verify();
}

TEST(rmqueue, unmovable_takes_over_a_half_free_block_and_boosts)
{
	const unsigned int nr[3] = { 0, 256, 0 };
	struct fixture __fixture fx;

	begin(&fx, nr);
	EXPECT_EQ(take(0, MIGRATE_UNMOVABLE, ALLOC_NOFRAGMENT), PFN_NONE);
	EXPECT_EQ(fx_zone.watermark_boost, 0);
	EXPECT_EQ(take(0, MIGRATE_UNMOVABLE, 0), 1024);
	EXPECT_EQ(type_at(1024), MIGRATE_UNMOVABLE);
	EXPECT_EQ(fx_zone.watermark_boost, 512);
	fixture_verify();
}

TEST(rmqueue, below_half_the_block_keeps_its_type)
{
	const unsigned int nr[3] = { 0, 255, 0 };
	struct fixture __fixture fx;

	begin(&fx, nr);
	EXPECT(take(0, MIGRATE_UNMOVABLE, 0) != PFN_NONE);
	EXPECT_EQ(type_at(1024), MIGRATE_MOVABLE);
	EXPECT_EQ(fx_zone.watermark_boost, 512);
	for (int i = 0; i < 10; i++)
		EXPECT(take(0, MIGRATE_UNMOVABLE, 0) != PFN_NONE);
	/* never above 1.5 times the high watermark */
	EXPECT_EQ(fx_zone.watermark_boost, 1500);
	fixture_verify();
}

TEST(rmqueue, fallback_goes_by_the_order_of_types)
{
	const unsigned int nr[3] = { 64, 64, 64 };
	struct fixture __fixture fx;

	begin(&fx, nr);
	EXPECT_EQ(take(6, MIGRATE_RECLAIMABLE, 0), 2048);
	EXPECT_EQ(take(6, MIGRATE_RECLAIMABLE, 0), 0); /* unmovable before movable */
	EXPECT_EQ(take(6, MIGRATE_RECLAIMABLE, 0), 1024);
	EXPECT_EQ(take(6, MIGRATE_RECLAIMABLE, 0), PFN_NONE);
	fixture_verify();
}

TEST(rmqueue, fallback_takes_from_the_largest_piece_if_it_may_keep_the_block)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 4096);
	frames_add(&fx_zone, 0, 4, MIGRATE_MOVABLE);
	frames_add(&fx_zone, 512, 512 + 256, MIGRATE_MOVABLE);
	EXPECT_EQ(take(0, MIGRATE_UNMOVABLE, 0), 512);
	fixture_verify();
	fixture_zone(0, 4096);
	/* movable may not take an unmovable block for a small piece: then the smallest piece serves */
	frames_add(&fx_zone, 0, 4, MIGRATE_UNMOVABLE);
	frames_add(&fx_zone, 512, 512 + 8, MIGRATE_UNMOVABLE);
	EXPECT(take(0, MIGRATE_MOVABLE, 0) < 4);
	EXPECT_EQ(type_at(0), MIGRATE_UNMOVABLE);
	fixture_verify();
}

TEST(rmqueue, boost_needs_watermarks_and_four_blocks)
{
	const unsigned int nr[3] = { 0, 100, 0 };
	struct fixture __fixture fx;

	begin(&fx, nr);
	fx_zone.watermark[WMARK_HIGH] = 0;
	EXPECT(take(0, MIGRATE_UNMOVABLE, 0) != PFN_NONE);
	EXPECT_EQ(fx_zone.watermark_boost, 0);
	fx_zone.watermark[WMARK_HIGH] = 1000;
	fx_zone.managed_pages = 2047;
	EXPECT(take(0, MIGRATE_UNMOVABLE, 0) != PFN_NONE);
	EXPECT_EQ(fx_zone.watermark_boost, 0);
	fx_zone.managed_pages = 2048;
	EXPECT(take(0, MIGRATE_UNMOVABLE, 0) != PFN_NONE);
	EXPECT_EQ(fx_zone.watermark_boost, 512);
}

TEST(rmqueue, highatomic_reserve_grows_to_a_percent_and_is_returned)
{
	struct fixture __fixture fx;
	unsigned long pfn;

	fixture_begin(&fx, 0, FIXTURE_FRAMES);
	frames_add(&fx_zone, 0, FIXTURE_FRAMES, MIGRATE_MOVABLE);
	fx_zone.managed_pages = 51199; /* a percent is less than a block */
	ASSERT(take(1, MIGRATE_UNMOVABLE, ALLOC_HIGHATOMIC) != PFN_NONE);
	EXPECT_EQ(fx_zone.nr_reserved_highatomic, 0);
	fx_zone.managed_pages = 100 * 513; /* just above a block: rounded up to two */
	pfn = take(1, MIGRATE_UNMOVABLE, ALLOC_HIGHATOMIC);
	EXPECT_EQ(type_at(pfn), MIGRATE_HIGHATOMIC);
	EXPECT_EQ(fx_zone.nr_reserved_highatomic, 512);
	EXPECT_EQ(fx_zone.nr_free_highatomic, 512 - 4);
	fixture_verify();
	/* order 1 takes from ordinary blocks as long as they serve; order 4 from the reserve first */
	EXPECT_EQ(take(4, MIGRATE_UNMOVABLE, ALLOC_HIGHATOMIC) / 512, pfn / 512);
	EXPECT(take(4, MIGRATE_UNMOVABLE, 0) / 512 != pfn / 512);
	EXPECT(take(1, MIGRATE_UNMOVABLE, ALLOC_HIGHATOMIC) / 512 != pfn / 512);
	EXPECT_EQ(fx_zone.nr_reserved_highatomic, 1024);
	EXPECT(take(9, MIGRATE_MOVABLE, ALLOC_HIGHATOMIC) != PFN_NONE);
	EXPECT_EQ(fx_zone.nr_reserved_highatomic, 1024);
	fixture_verify();
	EXPECT(unreserve_highatomic(&fx_zone, false));
	EXPECT(!unreserve_highatomic(&fx_zone, false)); /* the last block only when forced */
	EXPECT(unreserve_highatomic(&fx_zone, true));
	EXPECT(!unreserve_highatomic(&fx_zone, true));
	EXPECT_EQ(fx_zone.nr_reserved_highatomic, 0);
	EXPECT_EQ(fx_zone.nr_free_highatomic, 0);
	fixture_verify();
}

TEST(rmqueue, the_last_reserve_serves_who_may)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 4096);
	frames_add(&fx_zone, 0, 512, MIGRATE_HIGHATOMIC);
	EXPECT_EQ(take(0, MIGRATE_UNMOVABLE, 0), PFN_NONE);
	EXPECT(!frames_order_available(&fx_zone, 3, MIGRATE_UNMOVABLE, 0));
	EXPECT(frames_order_available(&fx_zone, 3, MIGRATE_UNMOVABLE, ALLOC_HIGHATOMIC));
	EXPECT_EQ(take(0, MIGRATE_UNMOVABLE, ALLOC_HIGHATOMIC), 0);
	fixture_verify();
}

TEST(rmqueue, cma_is_for_movable_and_first_when_it_is_the_majority)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 512 * 8);
	fx_zone.stat_threshold = 0; /* exact counters */
	fx_zone.cma_pages = 512 * 4;
	frames_add(&fx_zone, 0, 512 * 4, MIGRATE_MOVABLE);
	frames_add(&fx_zone, 512 * 4, 512 * 8, MIGRATE_CMA);
	EXPECT(take(3, MIGRATE_MOVABLE, ALLOC_CMA) < 512 * 4); /* half is not more than half */
	EXPECT(take(3, MIGRATE_MOVABLE, ALLOC_CMA) >= 512 * 4);
	EXPECT(frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, ALLOC_CMA) < 512 * 4);
	EXPECT(take(3, MIGRATE_MOVABLE, 0) < 512 * 4);
	EXPECT(frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, 0) < 512 * 4);
	EXPECT(frame_alloc(&fx_zone, 0, MIGRATE_UNMOVABLE, 0) < 512 * 4);
	fixture_verify();
	while (frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, 0) != PFN_NONE)
		;
	while (frame_alloc(&fx_zone, 0, MIGRATE_UNMOVABLE, 0) != PFN_NONE)
		;
	/* what is left is CMA's, and the caches do not leak it to who may not have it */
	EXPECT(frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, ALLOC_CMA) >= 512 * 4);
	EXPECT_EQ(frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, 0), PFN_NONE);
	EXPECT_EQ(frame_alloc(&fx_zone, 0, MIGRATE_UNMOVABLE, ALLOC_CMA), PFN_NONE);
	EXPECT(frames_order_available(&fx_zone, 5, MIGRATE_MOVABLE, ALLOC_CMA));
	EXPECT(!frames_order_available(&fx_zone, 0, MIGRATE_MOVABLE, 0));
	fixture_verify();
}

TEST(rmqueue, isolated_blocks_give_nothing_and_keep_what_comes_back)
{
	struct fixture __fixture fx;
	unsigned long held, n = 0;

	fixture_begin(&fx, 0, 2048);
	frames_add(&fx_zone, 0, 2048, MIGRATE_MOVABLE);
	held = frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, 0);
	set_pageblock_migratetype(&fx_zone, held, MIGRATE_ISOLATE);
	frames_drain_all(&fx_zone);
	EXPECT_EQ(fixture_free(), 2048 - 512);
	EXPECT(frame_free(&fx_zone, held, 0));
	for (unsigned long pfn; (pfn = frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, 0)) != PFN_NONE; n++)
		ASSERT(pfn / 512 != held / 512);
	EXPECT_EQ(n, 2048 - 512);
	EXPECT(!frames_order_available(&fx_zone, 0, MIGRATE_MOVABLE, ALLOC_CMA | ALLOC_HIGHATOMIC));
	EXPECT(frames_claim(&fx_zone, held / 512 * 512, held / 512 * 512 + 512));
	fixture_verify();
}

TEST(rmqueue, order_available_is_true_when_an_owned_block_has_it)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 512);
	frames_add(&fx_zone, 0, 512, MIGRATE_MOVABLE);
	EXPECT_EQ(frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, 0), 0);
	EXPECT(frames_order_available(&fx_zone, 8, MIGRATE_MOVABLE, 0));
	EXPECT(!frames_order_available(&fx_zone, 9, MIGRATE_MOVABLE, 0));
	/* and can be had, by other types too */
	EXPECT_EQ(frame_alloc(&fx_zone, 8, MIGRATE_UNMOVABLE, 0), 256);
	EXPECT(!frames_order_available(&fx_zone, 8, MIGRATE_MOVABLE, 0));
	fixture_verify();
}
