// SPDX-License-Identifier: MIT
/* The index over a zone's blocks, adding and claiming ranges, and what the verifier finds. */
#include "frames_fixture.h"

static unsigned long take(unsigned int order, unsigned int type)
{
	return frame_alloc(&fx_zone, order, type, ALLOC_NO_PCP);
}

static void give(unsigned long pfn, unsigned int order)
{
	if (!frame_free(&fx_zone, pfn, order))
		test_fail(__FILE__, __LINE__, "free of %lu, order %u, refused", pfn, order);
	frames_drain_cpu(&fx_zone);
}

TEST(blockindex, whole_blocks_are_not_touched_when_added)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, FIXTURE_FRAMES);
	memset(fx_zone.frames.blocks, 0, FIXTURE_FRAMES / BLOCK_FRAMES * sizeof(struct pageblock));
	frames_add(&fx_zone, 0, FIXTURE_FRAMES, MIGRATE_MOVABLE);
	for (size_t i = 0; i < FIXTURE_FRAMES / BLOCK_FRAMES * sizeof(struct pageblock); i++)
		ASSERT(((u8 *)fx_zone.frames.blocks)[i] == 0);
	EXPECT_EQ(fixture_free(), FIXTURE_FRAMES);
	fixture_verify();
}

TEST(blockindex, added_pieces_spell_their_orders)
{
	struct fixture __fixture fx;
	unsigned long nr[NR_PAGE_ORDERS];

	fixture_begin(&fx, 512 * 3 + 7, 512 * 8);
	/* 1543..1600 is 1 + 8 + 16 + 32; two whole blocks at an odd index are no pair; one page */
	frames_add(&fx_zone, 1543, 1600, MIGRATE_MOVABLE);
	frames_add(&fx_zone, 2560, 3584, MIGRATE_MOVABLE);
	frames_add(&fx_zone, 4096, 5121, MIGRATE_MOVABLE);
	frames_count(&fx_zone, MIGRATE_MOVABLE, nr);
	EXPECT_EQ(nr[0], 2);
	EXPECT_EQ(nr[1] + nr[2], 0);
	EXPECT_EQ(nr[3], 1);
	EXPECT_EQ(nr[4], 1);
	EXPECT_EQ(nr[5], 1);
	EXPECT_EQ(nr[6] + nr[7] + nr[8], 0);
	EXPECT_EQ(nr[9], 2);
	EXPECT_EQ(nr[10], 1);
	EXPECT_EQ(fixture_free(), 57 + 1024 + 1025);
	fixture_verify();
}

TEST(blockindex, blocks_in_use_keep_their_type_when_frames_are_added)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 2048);
	frames_add(&fx_zone, 0, 100, MIGRATE_UNMOVABLE);
	frames_add(&fx_zone, 100, 512, MIGRATE_MOVABLE);
	EXPECT_EQ(get_pageblock_migratetype(&fx_zone, 0), MIGRATE_UNMOVABLE);
	frames_add(&fx_zone, 512, 1024, MIGRATE_CMA);
	EXPECT_EQ(get_pageblock_migratetype(&fx_zone, 512), MIGRATE_CMA);
	EXPECT_EQ(zone_page_state_snapshot(&fx_zone, NR_FREE_CMA_PAGES), 512);
	fixture_verify();
}

TEST(blockindex, the_fullest_block_with_a_run_serves)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 512 * 4);
	frames_add(&fx_zone, 0, 400, MIGRATE_MOVABLE);	     /* emptiest */
	frames_add(&fx_zone, 512, 512 + 7, MIGRATE_MOVABLE);  /* fullest, runs up to order 2 */
	frames_add(&fx_zone, 1024, 1024 + 64, MIGRATE_MOVABLE);
	EXPECT_EQ(take(0, MIGRATE_MOVABLE), 512 + 6);
	EXPECT_EQ(take(2, MIGRATE_MOVABLE), 512);
	EXPECT_EQ(take(2, MIGRATE_MOVABLE), 1024);
	EXPECT_EQ(take(8, MIGRATE_MOVABLE), 0);
	fixture_verify();
}

TEST(blockindex, a_run_that_came_free_is_found_at_once)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 1024);
	frames_add(&fx_zone, 0, 1024, MIGRATE_MOVABLE);
	for (unsigned int i = 0; i < 1024; i++)
		ASSERT(take(0, MIGRATE_MOVABLE) != PFN_NONE);
	EXPECT_EQ(take(0, MIGRATE_MOVABLE), PFN_NONE);
	for (unsigned long order = 0; order <= 8; order++) {
		/* the second half of a run of this order, by single frames; the first half is free already */
		for (unsigned long i = order ? 1ul << (order - 1) : 0; i < 1ul << order; i++)
			give(i, 0);
		fixture_verify();
		EXPECT_EQ(take((unsigned int)order, MIGRATE_MOVABLE), 0);
		give(0, (unsigned int)order);
	}
}

TEST(blockindex, order_10_is_two_whole_blocks)
{
	struct fixture __fixture fx;
	unsigned long pfn;

	fixture_begin(&fx, 0, 4096);
	frames_add(&fx_zone, 512, 4096 - 512, MIGRATE_MOVABLE);
	EXPECT_EQ(take(10, MIGRATE_MOVABLE), 1024);
	pfn = take(0, MIGRATE_MOVABLE);
	EXPECT_EQ(pfn, 512);
	EXPECT_EQ(take(10, MIGRATE_UNMOVABLE), 2048);
	EXPECT_EQ(get_pageblock_migratetype(&fx_zone, 2048), MIGRATE_UNMOVABLE);
	EXPECT_EQ(get_pageblock_migratetype(&fx_zone, 2560), MIGRATE_UNMOVABLE);
	EXPECT_EQ(take(10, MIGRATE_MOVABLE), PFN_NONE);
	give(1024, 10);
	give(2048, 10);
	EXPECT(!frame_free(&fx_zone, 1024, 10));
	give(512, 0);
	EXPECT_EQ(fixture_free(), 4096 - 1024);
	EXPECT_EQ(take(9, MIGRATE_MOVABLE), 512);
	fixture_verify();
}

TEST(blockindex, half_of_an_order_10_free_changes_nothing)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 2048);
	frames_add(&fx_zone, 0, 2048, MIGRATE_MOVABLE);
	EXPECT_EQ(take(10, MIGRATE_MOVABLE), 0);
	give(512, 9);
	EXPECT(!frame_free(&fx_zone, 0, 10));
	EXPECT_EQ(fixture_free(), 2048 - 512);
	EXPECT_EQ(frame_state(&fx_zone, 0), 0);
	fixture_verify();
}

TEST(blockindex, claim_takes_exactly_the_range_or_nothing)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 4096);
	frames_add(&fx_zone, 0, 4096, MIGRATE_MOVABLE);
	EXPECT(frames_claim(&fx_zone, 100, 1700));
	EXPECT_EQ(fixture_free(), 4096 - 1600);
	EXPECT_EQ(frame_state(&fx_zone, 99), 1);
	EXPECT_EQ(frame_state(&fx_zone, 100), 0);
	EXPECT_EQ(frame_state(&fx_zone, 1699), 0);
	EXPECT_EQ(frame_state(&fx_zone, 1700), 1);
	EXPECT(!frames_claim(&fx_zone, 1024, 4096)); /* begins in use */
	EXPECT(!frames_claim(&fx_zone, 3000, 5000)); /* ends outside */
	EXPECT(!frames_claim(&fx_zone, 0, 101));
	EXPECT_EQ(fixture_free(), 4096 - 1600);
	fixture_verify();
	for (unsigned long pfn = 100; pfn < 1700; pfn++)
		give(pfn, 0);
	EXPECT_EQ(take(10, MIGRATE_MOVABLE), 0);
	fixture_verify();
}

TEST(blockindex, changing_a_type_moves_the_free_frames_along)
{
	struct fixture __fixture fx;
	unsigned long nr[NR_PAGE_ORDERS];

	fixture_begin(&fx, 0, 2048);
	frames_add(&fx_zone, 0, 2048, MIGRATE_MOVABLE);
	EXPECT(frames_claim(&fx_zone, 0, 8));
	set_pageblock_migratetype(&fx_zone, 0, MIGRATE_CMA);
	set_pageblock_migratetype(&fx_zone, 512, MIGRATE_ISOLATE);
	EXPECT_EQ(zone_page_state_snapshot(&fx_zone, NR_FREE_CMA_PAGES), 504);
	EXPECT_EQ(fixture_free(), 2048 - 8 - 512);
	frames_count(&fx_zone, MIGRATE_ISOLATE, nr);
	EXPECT_EQ(nr[9], 1);
	frames_count(&fx_zone, MIGRATE_CMA, nr);
	EXPECT_EQ(nr[8], 1);
	EXPECT_EQ(nr[3], 1);
	EXPECT_EQ(nr[9], 0);
	fixture_verify();
	set_pageblock_migratetype(&fx_zone, 0, MIGRATE_MOVABLE);
	set_pageblock_migratetype(&fx_zone, 512, MIGRATE_MOVABLE);
	EXPECT_EQ(zone_page_state_snapshot(&fx_zone, NR_FREE_CMA_PAGES), 0);
	EXPECT_EQ(fixture_free(), 2048 - 8);
	fixture_verify();
}

/* ---- Damage, and the one complaint it must bring ---- */

static void damaged_zone(struct fixture *fx)
{
	fixture_begin(fx, 0, 512 * 6);
	frames_add(&fx_zone, 0, 300, MIGRATE_MOVABLE);
	frames_add(&fx_zone, 512, 512 + 20, MIGRATE_MOVABLE);
	frames_add(&fx_zone, 1024, 512 * 6, MIGRATE_MOVABLE);
	fixture_verify();
}

TEST(blockindex, verify_sees_a_wrong_count)
{
	struct fixture __fixture fx;

	damaged_zone(&fx);
	fx_zone.frames.blocks[0].nr_free--;
	EXPECT_FINDING("FR-I1");
}

TEST(blockindex, verify_sees_a_block_in_the_wrong_list)
{
	struct fixture __fixture fx;

	damaged_zone(&fx);
	fx_zone.frames.blocks[0].pos = POS_LIST_LAST; /* where it would be found, had it been moved there */
	EXPECT_FINDING("FR-I2");
}

TEST(blockindex, verify_sees_a_list_marked_empty)
{
	struct fixture __fixture fx;

	damaged_zone(&fx);
	fx_zone.frames.index->occupied[MIGRATE_MOVABLE] &= ~(1ull << (fx_zone.frames.blocks[0].pos - 1));
	EXPECT_FINDING("FR-I2");
}

TEST(blockindex, verify_sees_a_run_that_cannot_be_found)
{
	struct fixture __fixture fx;

	damaged_zone(&fx);
	/* a run of order 8 appears in the block listed for order 4 */
	for (unsigned int i = 4; i < BLOCK_ROWS; i++)
		fx_zone.frames.blocks[1].bits[i] = ~0ull;
	fx_zone.frames.blocks[1].nr_free += 256;
	fx_zone.stat[NR_FREE_PAGES] += 256;
	EXPECT_FINDING("FR-I3");
}

TEST(blockindex, verify_sees_an_entirely_free_block_outside_the_map)
{
	struct fixture __fixture fx;
	struct pageblock *b;

	damaged_zone(&fx);
	b = &fx_zone.frames.blocks[0];
	fx_zone.stat[NR_FREE_PAGES] += BLOCK_FRAMES - b->nr_free;
	for (unsigned int i = 0; i < BLOCK_ROWS; i++)
		b->bits[i] = ~0ull;
	b->nr_free = BLOCK_FRAMES;
	EXPECT_FINDING("FR-I3");
}

TEST(blockindex, verify_sees_a_whole_block_with_bits)
{
	struct fixture __fixture fx;
	unsigned long pfn;

	damaged_zone(&fx);
	pfn = take(9, MIGRATE_MOVABLE);
	give(pfn, 9);
	fx_zone.frames.blocks[pfn / BLOCK_FRAMES].bits[2] = 1;
	fx_zone.frames.blocks[pfn / BLOCK_FRAMES].nr_free = 1;
	EXPECT_FINDING("FR-I4");
}

TEST(blockindex, verify_sees_a_wrong_number_of_whole_blocks)
{
	struct fixture __fixture fx;

	damaged_zone(&fx);
	fx_zone.frames.index->whole[MIGRATE_MOVABLE].count++;
	EXPECT_FINDING("FR-I4");
}

TEST(blockindex, verify_sees_an_owner_who_does_not_own)
{
	struct fixture __fixture fx;
	unsigned long pfn;

	damaged_zone(&fx);
	pfn = frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, 0);
	ASSERT(pfn != PFN_NONE);
	fixture_verify();
	EXPECT_EQ(fx_zone.frames.blocks[pfn / BLOCK_FRAMES].pos, POS_OWNED);
	fx_pages[smp_processor_id()].current[MIGRATE_MOVABLE][0] = 0;
	EXPECT_FINDING("FR-I5");
}

TEST(blockindex, verify_sees_a_frame_in_two_places)
{
	struct fixture __fixture fx;
	struct frame_row *row = &fx_pages[1].rows[MIGRATE_MOVABLE][0];

	damaged_zone(&fx);
	row->base = 0; /* frames that are free in their block */
	row->heads = 1;
	EXPECT_FINDING("FR-I6");
	row->base = 512 + 64; /* in use: as if cached, once */
	fixture_verify();
	fx_pages[2].slots[9].row = (512 + 64) / 64;
	fx_pages[2].slots[9].mask = 1;
	EXPECT_FINDING("FR-I6");
}

TEST(blockindex, verify_sees_a_wrong_counter)
{
	struct fixture __fixture fx;

	damaged_zone(&fx);
	fx_zone.stat[NR_FREE_PAGES]++;
	EXPECT_FINDING("FR-I7");
	fx_zone.stat[NR_FREE_PAGES]--;
	fx_zone.stat[NR_FREE_CMA_PAGES] = 1;
	EXPECT_FINDING("FR-I7");
	fx_zone.stat[NR_FREE_CMA_PAGES] = 0;
	fx_zone.nr_free_highatomic = 1;
	EXPECT_FINDING("FR-I7");
}

TEST(blockindex, verify_sees_a_free_frame_outside_the_zone)
{
	struct fixture __fixture fx;

	damaged_zone(&fx);
	fx_zone.zone_start_pfn = 1;
	EXPECT_FINDING("FR-I8");
}

TEST(blockindex, verify_sees_caches_larger_than_the_zone_allows)
{
	struct fixture __fixture fx;

	damaged_zone(&fx);
	ASSERT(frame_alloc(&fx_zone, 0, MIGRATE_MOVABLE, 0) != PFN_NONE);
	fx_zone.frames.rows_max = 10;
	EXPECT_FINDING("FR-I9");
	fx_zone.frames.rows_max = ROWS_FRAMES_MAX;
	fx_zone.frames.slot_mask = 3;
	fixture_verify();
	frames_drain_cpu(&fx_zone);
	ASSERT(frames_claim(&fx_zone, 64, 65));
	fx_pages[1].slots[4].row = 1;
	fx_pages[1].slots[4].mask = 1;
	EXPECT_FINDING("FR-I9");
}
