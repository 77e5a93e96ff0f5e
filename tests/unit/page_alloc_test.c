// SPDX-License-Identifier: MIT
/* alloc_pages() and its relations on the booted machine. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/phys/page_alloc.h"
#include "mm/phys/watermark.h"

/* PA-I6: what a free writes to the descriptor is there for the next owner, of whatever order. */
TEST(page_alloc, every_order_is_aligned_counted_and_returns)
{
	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		unsigned long before, during;
		struct page *page;

		drain_all_pages(NULL);
		before = nr_free_pages();
		page = alloc_pages(GFP_KERNEL, order);
		ASSERT(page);
		EXPECT_EQ(page_to_pfn(page) & ((1ul << order) - 1), 0);
		EXPECT_EQ(page_ref_count(page), 1);
		EXPECT(!PageCompound(page));
		drain_all_pages(NULL);
		during = nr_free_pages();
		EXPECT_EQ(before - during, 1ul << order);
		__free_pages(page, order);
		drain_all_pages(NULL);
		EXPECT_EQ(nr_free_pages(), before);
	}
	EXPECT_EQ(bad_pages(), 0);
}

TEST(page_alloc, order_above_the_largest_is_reported)
{
	struct page *page;

	test_capture_begin();
	page = alloc_pages(GFP_KERNEL, MAX_PAGE_ORDER + 1);
	EXPECT(strstr(test_capture_end(), "page allocation of order 11: the largest is 10"));
	EXPECT(!page);
}

TEST(page_alloc, senseless_masks_are_reported)
{
	struct page *page;

	test_capture_begin();
	page = alloc_pages(GFP_KERNEL | __GFP_DMA | __GFP_HIGHMEM, 0);
	EXPECT(strstr(test_capture_end(), "zone modifiers contradict each other"));
	EXPECT(!page);
	test_capture_begin();
	page = alloc_pages(GFP_KERNEL | 0x80000000u, 0);
	EXPECT(strstr(test_capture_end(), "unknown bits"));
	EXPECT(!page);
}

TEST(page_alloc, zeroed_pages_are_zero)
{
	u8 *p = (u8 *)__get_free_pages(GFP_KERNEL, 2);

	ASSERT(p);
	memset(p, 0x5a, 4 * PAGE_SIZE);
	free_pages((unsigned long)p, 2);
	for (unsigned int order = 0; order < 4; order++) {
		p = (u8 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, order);
		ASSERT(p);
		for (size_t i = 0; i < PAGE_SIZE << order; i++)
			ASSERT(!p[i]);
		free_pages((unsigned long)p, order);
	}
}

TEST(page_alloc, bulk_fills_only_empty_entries)
{
	static struct page *pages[200];
	struct page *kept = alloc_page(GFP_KERNEL);
	unsigned long before;

	ASSERT(kept);
	memset(pages, 0, sizeof(pages));
	pages[3] = kept;
	pages[100] = kept;
	drain_all_pages(NULL);
	before = nr_free_pages();
	EXPECT_EQ(alloc_pages_bulk(GFP_KERNEL, 200, pages), 200);
	for (unsigned int i = 0; i < 200; i++) {
		ASSERT(pages[i]);
		EXPECT_EQ(page_ref_count(pages[i]), 1);
		EXPECT_EQ(pages[i] == kept, i == 3 || i == 100);
		if (pages[i] != kept)
			__free_page(pages[i]);
	}
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages(), before);
	__free_page(kept);
}

TEST(page_alloc, exact_sizes_give_back_the_rest)
{
	unsigned long before;
	void *virt;

	drain_all_pages(NULL);
	before = nr_free_pages();
	virt = alloc_pages_exact(5 * PAGE_SIZE - 1, GFP_KERNEL);
	ASSERT(virt);
	drain_all_pages(NULL);
	EXPECT_EQ(before - nr_free_pages(), 5);
	free_pages_exact(virt, 5 * PAGE_SIZE - 1);
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages(), before);
	EXPECT_EQ(bad_pages(), 0);
}

TEST(page_alloc, a_second_reference_keeps_the_first_page)
{
	struct page *page = alloc_pages(GFP_KERNEL, 3);
	unsigned long before;

	ASSERT(page);
	drain_all_pages(NULL);
	before = nr_free_pages();
	get_page(page);
	__free_pages(page, 3);
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages() - before, 7);
	EXPECT_EQ(page_ref_count(page), 1);
	put_page(page);
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages() - before, 8);
	EXPECT_EQ(bad_pages(), 0);
}

TEST(page_alloc, get_page_unless_zero_refuses_free_pages)
{
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT(page);
	EXPECT(get_page_unless_zero(page));
	EXPECT_EQ(page_ref_count(page), 2);
	put_page(page);
	put_page(page);
	EXPECT(!get_page_unless_zero(page));
}

TEST(page_alloc, split_pages_are_freed_one_by_one)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 4);

	/* leave marks of tails behind, so that split_page() has some to clear */
	ASSERT(page);
	__free_pages(page, 4);
	page = alloc_pages(GFP_KERNEL, 4);
	ASSERT(page);
	split_page(page, 4);
	for (unsigned int i = 0; i < 16; i++) {
		EXPECT_EQ(page_ref_count(page + i), 1);
		__free_page(page + i);
	}
	EXPECT_EQ(bad_pages(), 0);
}
