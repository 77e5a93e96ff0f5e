// SPDX-License-Identifier: MIT
/* Compound pages: tails are made once, and a stale mark never leads anywhere. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/phys/page_alloc.h"

TEST(compound, head_and_tails)
{
	for (unsigned int order = 1; order <= MAX_PAGE_ORDER; order++) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);

		ASSERT(page);
		EXPECT(PageHead(page) && PageCompound(page) && !PageTail(page));
		EXPECT_EQ(compound_order(page), order);
		for (unsigned long i = 1; i < 1ul << order; i++) {
			EXPECT(compound_head(page + i) == page);
			EXPECT(PageTail(page + i) && PageCompound(page + i) && !PageHead(page + i));
			EXPECT_EQ(page_ref_count(page + i), 0);
		}
		EXPECT_EQ(page_count(page + 1), 1);
		put_page(page + (1ul << order) - 1);
		EXPECT_EQ(page_ref_count(page), 0);
	}
	EXPECT_EQ(bad_pages(), 0);
}

/* PA-I3 */
TEST(compound, marks_of_a_freed_page_mean_nothing)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 3), *again;

	ASSERT(page);
	__free_pages(page, 3);
	for (unsigned int i = 0; i < 8; i++)
		EXPECT(!PageTail(page + i) && compound_head(page + i) == page + i);
	again = alloc_pages(GFP_KERNEL, 3);
	ASSERT(again);
	for (unsigned int i = 0; i < 8; i++)
		EXPECT(!PageCompound(again + i));
	__free_pages(again, 3);
}

/* PA-I1, PA-I2: single pages out of a former compound page, then the compound page again. */
TEST(compound, single_pages_from_a_former_compound_page)
{
	static struct page *singles[600];
	struct page *big = alloc_pages(GFP_KERNEL | __GFP_COMP, PAGEBLOCK_ORDER), *again;
	unsigned long pfn;
	unsigned int n = 0;

	ASSERT(big);
	pfn = page_to_pfn(big);
	EXPECT_EQ(big->tails_ready, PAGEBLOCK_ORDER);
	__free_pages(big, PAGEBLOCK_ORDER);
	drain_all_pages(NULL);
	/* exactly these frames, one by one */
	ASSERT(!alloc_contig_range(pfn + 100, pfn + 300, MIGRATE_MOVABLE, GFP_KERNEL));
	for (unsigned int i = 100; i < 300; i++) {
		singles[n++] = big + i;
		EXPECT_EQ(big[i].order, 0);
	}
	/* 2^6 = 64 <= 100: the pages below 64 are still tails-to-be */
	EXPECT_EQ(big->tails_ready, 6);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	while (n)
		__free_page(singles[--n]);
	drain_all_pages(NULL);
	again = alloc_pages(GFP_KERNEL | __GFP_COMP, PAGEBLOCK_ORDER);
	ASSERT(again);
	for (unsigned int i = 1; i < 512; i++)
		ASSERT(compound_head(again + i) == again);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	__free_pages(again, PAGEBLOCK_ORDER);
	EXPECT_EQ(bad_pages(), 0);
}

/* Smaller compound pages within a former larger one, and back; a random walk with a check of every page. */
TEST(compound, random_orders_in_the_same_frames)
{
	static struct {
		struct page *page;
		unsigned int order;
	} held[40];
	u64 seed = test_seed + 7;

	memset(held, 0, sizeof(held));
	for (unsigned int i = 0; i < 3000; i++) {
		unsigned int slot = (unsigned int)(test_random(&seed) % ARRAY_SIZE(held));

		if (held[slot].page) {
			struct page *page = held[slot].page;
			unsigned long nr = 1ul << held[slot].order;

			for (unsigned long k = 1; k < nr; k++)
				ASSERT(compound_head(page + k) == page);
			__free_pages(page, held[slot].order);
			held[slot].page = NULL;
			continue;
		}
		held[slot].order = (unsigned int)(test_random(&seed) % 10);
		held[slot].page = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_NOWARN, held[slot].order);
	}
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(held); i++)
		if (held[i].page)
			__free_pages(held[i].page, held[i].order);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	EXPECT_EQ(bad_pages(), 0);
}

TEST(compound, folios)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 4);

	ASSERT(folio);
	EXPECT_EQ(folio_order(folio), 4);
	EXPECT_EQ(folio_nr_pages(folio), 16);
	EXPECT(page_folio(folio_page(folio, 15)) == folio);
	folio_get(folio);
	folio_put(folio);
	EXPECT_EQ(page_ref_count(&folio->page), 1);
	folio_put(folio);
	EXPECT_EQ(page_ref_count(&folio->page), 0);
}
