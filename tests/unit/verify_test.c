// SPDX-License-Identifier: MIT
/* mm_verify() is silent on a sound machine and names what was planted on another. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/phys/page_alloc.h"

static char found[4096];

static void collect(void *ctx, const char *line)
{
	size_t len = strlen(found);

	(void)ctx;
	octavo_snprintf(found + len, sizeof(found) - len, "%s\n", line);
}

static unsigned int verify(void)
{
	found[0] = 0;
	return mm_verify(collect, NULL);
}

TEST(verify, a_fresh_machine_is_sound)
{
	EXPECT_EQ(verify(), 0);
	EXPECT_STREQ(found, "");
}

TEST(verify, after_a_random_mix_of_orders)
{
	static struct {
		struct page *page;
		unsigned int order;
	} held[64];
	u64 seed = test_seed;

	memset(held, 0, sizeof(held));
	for (unsigned int i = 0; i < 4000; i++) {
		unsigned int slot = (unsigned int)(test_random(&seed) % ARRAY_SIZE(held));
		unsigned int order = (unsigned int)(test_random(&seed) % 11);
		gfp_t gfp = test_random(&seed) & 1 ? GFP_KERNEL | __GFP_NOWARN : GFP_HIGHUSER_MOVABLE | __GFP_NOWARN;

		if (held[slot].page) {
			__free_pages(held[slot].page, held[slot].order);
			held[slot].page = NULL;
			continue;
		}
		if (test_random(&seed) & 1)
			gfp |= __GFP_COMP;
		held[slot].page = alloc_pages(gfp, order);
		held[slot].order = order;
		if (i % 1000 == 999)
			EXPECT_EQ(verify(), 0);
	}
	EXPECT_EQ(verify(), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(held); i++)
		if (held[i].page)
			__free_pages(held[i].page, held[i].order);
	EXPECT_EQ(verify(), 0);
	EXPECT_STREQ(found, "");
	EXPECT_EQ(bad_pages(), 0);
}

/* A frame taken without the page allocator's knowledge has no owner. */
TEST(verify, a_lost_frame_is_found)
{
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT(page);
	set_page_count(page, 0);
	EXPECT(verify() >= 1);
	EXPECT(strstr(found, "1 frames have no owner"));
	set_page_count(page, 1);
	EXPECT_EQ(verify(), 0);
	__free_page(page);
}

TEST(verify, a_free_page_with_a_reference_is_found)
{
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT(page);
	__free_page(page);
	set_page_count(page, 1);
	EXPECT(verify() >= 1);
	EXPECT(strstr(found, "but has 1 references"));
	set_page_count(page, 0);
	EXPECT_EQ(verify(), 0);
}

TEST(verify, an_allocated_block_with_a_free_frame_is_found)
{
	struct page *page = alloc_pages(GFP_KERNEL, 2);

	ASSERT(page);
	ASSERT(frame_free(page_zone(page), page_to_pfn(page) + 3, 0));
	EXPECT(verify() >= 1);
	EXPECT(strstr(found, "in an allocated block of order 2"));
}

/* PA-I1 */
TEST(verify, a_tail_that_lost_its_mark_is_found)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 3);
	u8 mark;

	ASSERT(page);
	mark = page[5].order;
	page[5].order = 0;
	EXPECT(verify() >= 1);
	EXPECT(strstr(found, "is not the tail that pfn"));
	page[5].order = mark;
	EXPECT_EQ(verify(), 0);
	__free_pages(page, 3);
}

TEST(verify, a_wrong_counter_is_found)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct zone *zone;

	ASSERT(page);
	zone = page_zone(page);
	mod_zone_page_state(zone, NR_FREE_PAGES, 1);
	EXPECT(verify() >= 1);
	EXPECT(strstr(found, "NR_FREE_PAGES is "));
	mod_zone_page_state(zone, NR_FREE_PAGES, -1);
	zone->managed_pages++;
	EXPECT(verify() >= 1);
	EXPECT(strstr(found, " managed"));
	zone->managed_pages--;
	__free_page(page);
	EXPECT_EQ(verify(), 0);
}
