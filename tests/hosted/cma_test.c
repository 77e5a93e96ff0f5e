// SPDX-License-Identifier: MIT
/* CMA on machines booted with cma=; page_poison=, page_owner=, init_on_*= likewise. */
#include <octavo/cma.h>
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/phys/cma.h"
#include "mm/phys/page_alloc.h"
#include "mm/phys/page_owner.h"
#include "mm/phys/page_poison.h"

static const struct bootinfo_range ram[] = { { 0, 0xa0000, E820_TYPE_RAM }, { 0x100000, 127 << 20, E820_TYPE_RAM } };

static const char *boot(const char *cmdline)
{
	struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .cmdline = cmdline, .map = ram, .map_nr = ARRAY_SIZE(ram) };
	const char *text;
	int err;

	hosted_reset();
	test_capture_begin();
	err = hosted_boot(&info, NULL);
	text = test_capture_end();
	EXPECT_EQ(err, 0);
	return text;
}

/* PA-I8 */
TEST(cma, area_of_the_command_line)
{
	const char *text = boot("cma=16M");
	struct cma *cma = dma_contiguous_default_area;
	struct page *a, *b, *whole;
	unsigned long free;

	EXPECT(strstr(text, "cma: Reserved 16 MiB at 0x"));
	EXPECT(strstr(text, "16384K cma-reserved)"));
	ASSERT(cma);
	EXPECT_EQ(cma_get_size(cma), 16u << 20);
	EXPECT_EQ(global_zone_page_state(NR_FREE_CMA_PAGES), 4096);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	drain_all_pages(NULL);
	free = nr_free_pages();
	a = cma_alloc(cma, 100, 0, false);
	b = cma_alloc(cma, 64, 6, false);
	ASSERT(a && b);
	EXPECT_EQ(page_to_pfn(b) % 64, 0);
	EXPECT_EQ(cma_used_pages(cma), 164);
	EXPECT_EQ(vm_event_sum(CMA_ALLOC_SUCCESS), 164);
	whole = cma_alloc(cma, 4096, 0, true);
	EXPECT(!whole);
	EXPECT(!cma_release(cma, a + 50, 100));
	EXPECT(!cma_release(cma, a - 5000, 1));
	EXPECT(cma_release(cma, a, 100));
	EXPECT(cma_release(cma, b, 64));
	drain_all_pages(NULL);
	EXPECT_EQ(nr_free_pages(), free);
	whole = cma_alloc(cma, 4096, 0, false);
	ASSERT(whole);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	EXPECT(cma_release(cma, whole, 4096));
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* Movable pages may live in the area, and are passed over; others may not. */
TEST(cma, movable_pages_use_it)
{
	static struct page *pages[32768];
	struct cma *cma;
	unsigned long in_area = 0;
	unsigned int n = 0;

	boot("cma=16M");
	cma = dma_contiguous_default_area;
	ASSERT(cma);
	while (n < ARRAY_SIZE(pages) && (pages[n] = alloc_page(GFP_KERNEL | __GFP_NOWARN)) != NULL)
		EXPECT(!cma_pages_valid(cma, pages[n++], 1));
	EXPECT(global_zone_page_state(NR_FREE_CMA_PAGES) > 4000);
	while (n < ARRAY_SIZE(pages) && (pages[n] = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN)) != NULL)
		in_area += cma_pages_valid(cma, pages[n++], 1);
	EXPECT(in_area > 2000);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	EXPECT(!cma_alloc(cma, 4096, 0, true));
	while (n)
		__free_page(pages[--n]);
	EXPECT(cma_alloc(cma, 4096, 0, true));
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(cma, too_large_an_area_is_refused)
{
	const char *text = boot("cma=10G");

	EXPECT(strstr(text, "cma: Failed to reserve 10240 MiB\n"));
	EXPECT(!dma_contiguous_default_area);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(poison, writing_to_a_free_page_is_found)
{
	struct page *page, *again[600];
	u8 *virt;
	const char *text;
	unsigned int n = 0;

	boot("page_poison=1");
	page = alloc_page(GFP_KERNEL);
	ASSERT(page);
	virt = page_address(page);
	__free_page(page);
	for (size_t i = 0; i < PAGE_SIZE; i++)
		ASSERT(virt[i] == PAGE_POISON);
	virt[100] ^= 0x10;
	test_capture_begin();
	do
		again[n] = alloc_page(GFP_KERNEL);
	while (again[n] && again[n++] != page && n < 600);
	text = test_capture_end();
	EXPECT(strstr(text, "pagealloc: single bit error\n"));
	EXPECT(strstr(text, "page dumped because: pagealloc: corrupted page details"));
	EXPECT_EQ(page_poison_corruptions(), 1);
	while (n)
		__free_page(again[--n]);
	memset(virt + 8, 0, 100);
	test_capture_begin();
	n = 0;
	do
		again[n] = alloc_page(GFP_KERNEL);
	while (again[n] && again[n++] != page && n < 600);
	text = test_capture_end();
	EXPECT(strstr(text, "pagealloc: memory corruption\n"));
	EXPECT_EQ(page_poison_corruptions(), 2);
	while (n)
		__free_page(again[--n]);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(poison, pages_are_cleared_when_asked)
{
	struct page *page;
	u8 *virt;

	boot("init_on_free=1");
	page = alloc_page(GFP_KERNEL);
	ASSERT(page);
	virt = page_address(page);
	virt[5] = 9;
	__free_page(page);
	EXPECT_EQ(virt[5], 0);
	boot("init_on_alloc=1");
	page = alloc_page(GFP_KERNEL);
	ASSERT(page);
	virt = page_address(page);
	memset(virt, 7, PAGE_SIZE);
	__free_page(page);
	for (unsigned int i = 0; i < 200; i++) {
		page = alloc_page(GFP_KERNEL);
		ASSERT(page);
		virt = page_address(page);
		for (size_t k = 0; k < PAGE_SIZE; k += 64)
			ASSERT(!virt[k]);
	}
}

TEST(page_owner, names_the_owner)
{
	static char text[4096];
	unsigned long pfn;
	struct page *page;
	char want[128];
	const char *dump;

	boot("page_owner=on");
	page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);
	ASSERT(page);
	pfn = page_to_pfn(page);
	ASSERT(page_owner_read(&pfn, text, sizeof(text)));
	EXPECT_EQ(pfn, page_to_pfn(page) + 4);
	EXPECT(strstr(text, "Page allocated via order 2, mask 0x40cc0(GFP_KERNEL|__GFP_COMP), pid "));
	octavo_snprintf(want, sizeof(want), "PFN 0x%lx type Unmovable Block %lu type Unmovable Flags 0x",
			page_to_pfn(page), page_to_pfn(page) >> 9);
	EXPECT(strstr(text, want));
	__free_pages(page, 2);
	test_capture_begin();
	__free_pages(page, 2);
	dump = test_capture_end();
	EXPECT(strstr(dump, "page_owner tracks the page as freed\n"));
	EXPECT(strstr(dump, "page last allocated via order 2, migratetype Unmovable, gfp_mask 0x40cc0("));
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(page_owner, costs_nothing_when_off)
{
	unsigned long pfn = 0;
	char text[256];

	boot("");
	EXPECT_EQ(page_owner_read(&pfn, text, sizeof(text)), 0);
	EXPECT_EQ(alloc_hooks & HOOK_OWNER, 0);
}
