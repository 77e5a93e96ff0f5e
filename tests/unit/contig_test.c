// SPDX-License-Identifier: MIT
/* Contiguous ranges. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/phys/contig.h"
#include "mm/phys/page_alloc.h"

static struct page *whole_blocks(unsigned long nr)
{
	return alloc_contig_pages(nr, GFP_KERNEL, 0, NULL);
}

TEST(contig, pages_of_any_number)
{
	static const unsigned long sizes[] = { 1, 3, 512, 700, 1024, 3000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct page *page = whole_blocks(sizes[i]);

		ASSERT(page);
		if (is_power_of_2(sizes[i]))
			EXPECT_EQ(page_to_pfn(page) & (sizes[i] - 1), 0);
		for (unsigned long k = 0; k < sizes[i]; k++)
			EXPECT_EQ(page_ref_count(page + k), 1);
		EXPECT_EQ(mm_verify(NULL, NULL), 0);
		free_contig_range(page_to_pfn(page), sizes[i]);
		EXPECT_EQ(mm_verify(NULL, NULL), 0);
	}
	EXPECT_EQ(bad_pages(), 0);
}

/* PA-I7 */
TEST(contig, a_used_page_makes_it_fail_and_nothing_changes)
{
	struct page *page = whole_blocks(1024);
	unsigned long pfn, free;
	unsigned int types[2];
	struct zone *zone;

	ASSERT(page);
	pfn = page_to_pfn(page);
	zone = page_zone(page);
	free_contig_range(pfn, 700);
	free_contig_range(pfn + 701, 323);
	drain_all_pages(NULL);
	types[0] = get_pageblock_migratetype(zone, pfn);
	types[1] = get_pageblock_migratetype(zone, pfn + 512);
	free = nr_free_pages();
	EXPECT_EQ(alloc_contig_range(pfn, pfn + 1024, MIGRATE_MOVABLE, GFP_KERNEL), -EBUSY);
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages(), free);
	EXPECT_EQ(get_pageblock_migratetype(zone, pfn), types[0]);
	EXPECT_EQ(get_pageblock_migratetype(zone, pfn + 512), types[1]);
	/* around the used page it works */
	EXPECT_EQ(alloc_contig_range(pfn, pfn + 700, MIGRATE_MOVABLE, GFP_KERNEL), 0);
	EXPECT_EQ(get_pageblock_migratetype(zone, pfn), types[0]);
	free_contig_range(pfn, 701);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(contig, cached_frames_are_drained)
{
	struct page *page = whole_blocks(64);
	unsigned long pfn;

	ASSERT(page);
	pfn = page_to_pfn(page);
	free_contig_range(pfn, 64); /* they now wait in this CPU's cache */
	EXPECT_EQ(alloc_contig_range(pfn, pfn + 64, MIGRATE_MOVABLE, GFP_KERNEL), 0);
	free_contig_range(pfn, 64);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(contig, senseless_ranges)
{
	test_capture_begin();
	EXPECT_EQ(alloc_contig_range(100, 100, MIGRATE_MOVABLE, GFP_KERNEL), -EINVAL);
	EXPECT_EQ(alloc_contig_range(100, 200, MIGRATE_ISOLATE, GFP_KERNEL), -EINVAL);
	EXPECT_EQ(alloc_contig_range(~0ul - 100, ~0ul, MIGRATE_MOVABLE, GFP_KERNEL), -EINVAL);
	EXPECT(strstr(test_capture_end(), "neither Movable nor CMA"));
	test_capture_begin();
	EXPECT(!alloc_contig_pages(0, GFP_KERNEL, 0, NULL));
	EXPECT(strstr(test_capture_end(), "no such request"));
}

TEST(contig, isolated_blocks_serve_nobody)
{
	static struct isolated_blocks blocks;
	struct page *page = whole_blocks(512), *other;
	unsigned long pfn;

	ASSERT(page);
	pfn = page_to_pfn(page);
	free_contig_range(pfn, 512);
	ASSERT(!isolate_blocks(page_zone(page), pfn, pfn + 512, &blocks));
	EXPECT_EQ(isolate_blocks(page_zone(page), pfn, pfn + 512, &(struct isolated_blocks){ 0 }), -EBUSY);
	for (unsigned int i = 0; i < 1000; i++) {
		other = alloc_page(GFP_KERNEL);
		ASSERT(other);
		EXPECT(page_to_pfn(other) - pfn >= 512);
		__free_page(other);
	}
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	undo_isolate_blocks(&blocks);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}
