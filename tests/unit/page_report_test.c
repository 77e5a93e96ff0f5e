// SPDX-License-Identifier: MIT
/* Misuse is reported with the page's state, counted, and changes nothing. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/phys/page_alloc.h"

static bool reported(const char *text, const char *why)
{
	char line[120];

	octavo_snprintf(line, sizeof(line), "page dumped because: %s\n", why);
	return strstr(text, "BUG: Bad page state in process swapper/0  pfn:") && strstr(text, line);
}

TEST(page_report, double_free)
{
	struct page *page = alloc_page(GFP_KERNEL);
	const char *text;

	ASSERT(page);
	__free_page(page);
	test_capture_begin();
	__free_page(page);
	text = test_capture_end();
	EXPECT(reported(text, "freed twice: nonpositive _refcount"));
	EXPECT(strstr(text, "page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x"));
	EXPECT_EQ(bad_pages(), 1);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(page_report, exact_form_of_a_report)
{
	struct page *page = alloc_page(GFP_KERNEL);
	char want[700];
	const u64 *raw = (const void *)page;
	const char *text;

	ASSERT(page);
	SetPageReferenced(page);
	SetPageLocked(page);
	test_capture_begin();
	__free_page(page);
	text = test_capture_end();
	octavo_snprintf(want, sizeof(want),
			"[    0.000000] BUG: Bad page state in process swapper/0  pfn:%05lx\n"
			"[    0.000000] page: refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x%lx\n"
			"[    0.000000] flags: 0x5(locked|referenced|node=%d|zone=%d)\n"
			"[    0.000000] raw: %016llx %016llx %016llx %016llx\n"
			"[    0.000000] page dumped because: PAGE_FLAGS_CHECK_AT_FREE flag(s) set\n"
			"[    0.000000] CPU: 0 UID: 0 PID: 0 Comm: swapper/0\n",
			page_to_pfn(page), page_to_pfn(page), page_to_nid(page), (int)page_zonenum(page),
			(unsigned long long)raw[0], (unsigned long long)raw[1], (unsigned long long)raw[2],
			(unsigned long long)raw[3]);
	/* a backtrace may follow */
	EXPECT(!strncmp(text, want, strlen(want)));
	EXPECT_EQ(bad_pages(), 1);
	/* the page stays out of use, and the verifier knows why */
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* PA-I4 */
TEST(page_report, wrong_order)
{
	struct page *page = alloc_pages(GFP_KERNEL, 3);

	ASSERT(page);
	test_capture_begin();
	__free_pages(page, 2);
	EXPECT(reported(test_capture_end(), "freed with order 2, is of order 3"));
	EXPECT_EQ(page_ref_count(page), 1);
	test_capture_begin();
	__free_pages(page, 77);
	EXPECT(reported(test_capture_end(), "freed with order 77, is of order 3"));
	__free_pages(page, 3);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	EXPECT_EQ(bad_pages(), 2);
}

TEST(page_report, tail_page)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 3);

	ASSERT(page);
	test_capture_begin();
	__free_pages(page + 2, 0);
	EXPECT(reported(test_capture_end(), "freed by a tail page"));
	__free_pages(page, 3);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(page_report, wild_frames_and_pointers)
{
	static const unsigned long wild[] = { 0, 0x7ffffff, ~0ul >> 8 };

	for (unsigned int i = 1; i < ARRAY_SIZE(wild); i++) {
		test_capture_begin();
		__free_page(pfn_to_page(wild[i]));
		EXPECT(reported(test_capture_end(), "not a page of this machine"));
	}
	test_capture_begin();
	free_pages(0x1234, 0);
	EXPECT(reported(test_capture_end(), "free_pages() of an address that is no page of the direct map"));
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(page_report, a_reserved_page_is_not_freed)
{
	struct page *page = pfn_to_online_page(0);

	ASSERT(page && PageReserved(page));
	test_capture_begin();
	__free_page(page);
	EXPECT(reported(test_capture_end(), "PAGE_FLAGS_CHECK_AT_FREE flag(s) set"));
	EXPECT_EQ(bad_pages(), 1);
}

TEST(page_report, mapped_and_owned_pages)
{
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT(page);
	page->_mapcount = 0;
	test_capture_begin();
	__free_page(page);
	EXPECT(reported(test_capture_end(), "nonzero mapcount"));
	page = alloc_page(GFP_KERNEL);
	ASSERT(page);
	page_set_mapping(page, 5, 9);
	test_capture_begin();
	__free_page(page);
	EXPECT(strstr(test_capture_end(), "mapping:0000000000000005 index:0x9"));
	EXPECT_EQ(bad_pages(), 2);
}

/* PA-I5. Written to after it was freed: whoever would get it gets another page. */
TEST(page_report, a_free_page_in_a_bad_state_is_not_handed_out)
{
	struct page *page = alloc_page(GFP_KERNEL), *other;
	const char *text;

	ASSERT(page);
	__free_page(page);
	page->_refcount = 7;
	drain_local_pages(NULL);
	test_capture_begin();
	for (unsigned int i = 0; i < 4096; i++) {
		other = alloc_page(GFP_KERNEL);
		ASSERT(other);
		EXPECT(other != page);
		if (bad_pages())
			break;
	}
	text = test_capture_end();
	EXPECT(reported(text, "nonzero _refcount"));
	EXPECT(strstr(text, "refcount:7 "));
	EXPECT_EQ(bad_pages(), 1);
}

TEST(page_report, at_most_sixty_are_told)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned int told = 0;
	const char *text;

	ASSERT(page);
	__free_page(page);
	for (unsigned int i = 0; i < 100; i++) {
		test_capture_begin();
		__free_page(page);
		text = test_capture_end();
		told += strstr(text, "BUG: Bad page state") != NULL;
	}
	EXPECT_EQ(told, 60);
	EXPECT_EQ(bad_pages(), 100);
}

TEST(page_report, dump_page_names_flags_and_types)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 1);
	const char *text;

	ASSERT(page);
	SetPageDirty(page);
	SetPageSlab(page);
	test_capture_begin();
	dump_page(page, "a test");
	text = test_capture_end();
	EXPECT(strstr(text, "head: order:1 mapcount:0\n"));
	EXPECT(strstr(text, "(dirty|head|node="));
	EXPECT(strstr(text, "page_type: f5(slab)\n"));
	EXPECT(strstr(text, "page dumped because: a test\n"));
	ClearPageDirty(page);
	ClearPageSlab(page);
	__free_pages(page, 1);
	EXPECT_EQ(bad_pages(), 0);
}
