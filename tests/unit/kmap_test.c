// SPDX-License-Identifier: MIT
/* Fixmap slots, kmap_local and page contents, on whatever machine this is. */
#include <octavo/fixmap.h>
#include <octavo/gfp.h>
#include <octavo/highmem.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/kmap/fixmap.h"
#include "mm/phys/highmem.h"
#include "mm/phys/zone.h"

#define NEED_FIXMAP()                                    \
	do {                                             \
		if (!fixmap_ready)                       \
			SKIP("this port has no page tables"); \
	} while (0)

static void fill(struct page *page, u32 word)
{
	u32 *at = kmap_local_page(page);

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*at); i++)
		at[i] = word + i;
	kunmap_local(at);
}

static bool filled(const u32 *at, u32 word)
{
	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*at); i++) {
		if (at[i] != word + i)
			return false;
	}
	return true;
}

/* Did something say @what since test_capture_begin()? */
static bool said(const char *what)
{
	return strstr(test_capture_end(), what) != NULL;
}

/* KM-I1: a slot shows what was put there last, and nothing once it is cleared. */
TEST(kmap, fixmap_slot_shows_the_page)
{
	struct page *a, *b;
	unsigned long virt;

	NEED_FIXMAP();
	a = alloc_page(GFP_KERNEL);
	b = alloc_page(GFP_KERNEL);
	ASSERT(a && b);
	fill(a, 100);
	fill(b, 5000);
	EXPECT_EQ(set_fixmap(FIX_PORT_BASE, PFN_PHYS(page_to_pfn(a))), 0);
	virt = fix_to_virt(FIX_PORT_BASE);
	EXPECT(filled((u32 *)virt, 100));
	EXPECT_EQ(set_fixmap(FIX_PORT_BASE, PFN_PHYS(page_to_pfn(b))), 0);
	EXPECT(filled((u32 *)virt, 5000));
	*(u32 *)virt = 77;
	EXPECT_EQ(*(u32 *)page_address(b), 77);
	EXPECT_EQ(virt_to_fix(virt + 5), FIX_PORT_BASE);
	EXPECT_EQ(set_fixmap_offset(FIX_PORT_END, PFN_PHYS(page_to_pfn(a)) + 40), fix_to_virt(FIX_PORT_END) + 40);
	EXPECT_EQ(*(u32 *)(fix_to_virt(FIX_PORT_END) + 40), 110);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	EXPECT_EQ(clear_fixmap(FIX_PORT_BASE), 0);
	EXPECT_EQ(clear_fixmap(FIX_PORT_END), 0);
	EXPECT(pgt_none(pgt_get(kmap_entry(fixmap_virt(FIX_PORT_BASE)))));
	__free_page(a);
	__free_page(b);
}

TEST(kmap, fixmap_addresses)
{
	NEED_FIXMAP();
	for (unsigned int slot = 1; slot < __end_of_fixed_addresses; slot++) {
		EXPECT_EQ(virt_to_fix(fix_to_virt(slot)), slot);
		EXPECT_EQ(fix_to_virt(slot) & ~PAGE_MASK, 0);
		if (slot > 1)
			EXPECT_EQ(fix_to_virt(slot - 1) - fix_to_virt(slot), PAGE_SIZE);
	}
	/* A CPU's slots are in one table. */
	for (unsigned int cpu = 0; cpu < 3; cpu++) {
		unsigned int first = fix_kmap_begin() + cpu * KM_MAX_IDX;

		EXPECT(kmap_entry(fixmap_virt(first)) - (KM_MAX_IDX - 1) == kmap_entry(fixmap_virt(first + 15)));
	}
}

TEST(kmap, fixmap_misuse_is_reported)
{
	NEED_FIXMAP();
	test_capture_begin();
	EXPECT_EQ(set_fixmap(FIX_HOLE, 0), -EINVAL);
	EXPECT(said("BUG: set_fixmap: no such slot: 0"));
	test_capture_begin();
	EXPECT_EQ(set_fixmap(FIX_BTMAP_BEGIN, 0), -EINVAL);
	EXPECT(said("BUG: set_fixmap: not for this use, slot "));
	test_capture_begin();
	EXPECT_EQ(clear_fixmap((enum fixed_addresses)fix_kmap_begin()), -EINVAL);
	EXPECT(said("BUG: clear_fixmap: not for this use"));
	test_capture_begin();
	EXPECT_EQ(fix_to_virt(~0u), 0);
	EXPECT(said("there is no such slot"));
	test_capture_begin();
	EXPECT_EQ(virt_to_fix((unsigned long)page_address(pfn_to_page(0))), ~0u);
	EXPECT(said("not in the fixmap"));
}

TEST(kmap, local_is_free_where_the_direct_map_reaches)
{
	struct page *page = alloc_page(GFP_KERNEL);
	int depth = preempt_count();
	void *virt;

	ASSERT(page);
	virt = kmap_local_page(page);
	EXPECT(virt == page_address(page));
	EXPECT_EQ(preempt_count(), depth);
	EXPECT(kmap_local_pfn(page_to_pfn(page)) == virt);
	EXPECT(kmap_to_page((char *)virt + 9) == page);
	EXPECT(kmap(page) == virt);
	kunmap(page);
	kunmap_local(virt);
	EXPECT(kmap_atomic(page) == virt);
	EXPECT_EQ(preempt_count(), depth + 1);
	kunmap_atomic(virt);
	EXPECT_EQ(preempt_count(), depth);
	EXPECT((char *)kmap_local_folio(page_folio(page), 12) == (char *)virt + 12);
	__free_page(page);
}

/* KM-I2: 16 deep, each at an address of its own; closed in reverse they leave nothing behind. */
TEST(kmap, local_slots_nest)
{
	struct page *pages[KM_MAX_IDX];
	u32 *at[KM_MAX_IDX];
	int depth = preempt_count();

	NEED_FIXMAP();
	for (unsigned int i = 0; i < KM_MAX_IDX; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		ASSERT(pages[i]);
		fill(pages[i], i * 1000);
	}
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < KM_MAX_IDX; i++) {
			/* As if the direct map did not show it. */
			at[i] = highmem_ops->map(page_to_pfn(pages[(i + round) % KM_MAX_IDX]), PAGE_KERNEL);
			EXPECT(filled(at[i], (i + round) % KM_MAX_IDX * 1000));
			EXPECT(kmap_to_page(at[i]) == pages[(i + round) % KM_MAX_IDX]);
			EXPECT_EQ(preempt_count(), depth + (int)i + 1);
			EXPECT_EQ(mm_verify(NULL, NULL), 0);
		}
		for (unsigned int i = KM_MAX_IDX; i-- > 0;) {
			EXPECT(filled(at[i], (i + round) % KM_MAX_IDX * 1000));
			kunmap_local((char *)at[i] + i * 9);
			EXPECT(!kmap_to_page(at[i]));
		}
		EXPECT_EQ(preempt_count(), depth);
	}
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	for (unsigned int i = 0; i < KM_MAX_IDX; i++)
		__free_page(pages[i]);
}

TEST(kmap, local_misuse_is_reported)
{
	struct page *page;
	char *a, *b;

	NEED_FIXMAP();
	page = alloc_page(GFP_KERNEL);
	ASSERT(page);
	a = highmem_ops->map(page_to_pfn(page), PAGE_KERNEL);
	b = highmem_ops->map(page_to_pfn(page), PAGE_KERNEL);
	test_capture_begin();
	kunmap_local(a);
	EXPECT(said("out of order, the page mapped last is at "));
	EXPECT(kmap_to_page(a) == page && !kmap_to_page(b));
	kunmap_local(a);
	test_capture_begin();
	kunmap_local(b);
	EXPECT(said("not an address of kmap_local_page()"));
	EXPECT_EQ(preempt_count(), 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	/* The verifier notices an entry that should not be there. */
	pgt_set(kmap_entry(fixmap_virt(fix_kmap_begin() + 3)), pgt_make_leaf(0, 0x1000, PAGE_KERNEL));
	EXPECT_EQ(mm_verify(NULL, NULL), 1);
	pgt_set(kmap_entry(fixmap_virt(fix_kmap_begin() + 3)), 0);
	__free_page(page);
}

TEST(kmap, contents)
{
	struct page *a = alloc_page(GFP_HIGHUSER), *b = alloc_page(GFP_HIGHUSER);
	char buffer[40];

	ASSERT(a && b);
	clear_highpage(a);
	memcpy_to_page(a, PAGE_SIZE - 10, "0123456789", 10);
	memcpy_from_page(buffer, a, PAGE_SIZE - 12, 12);
	EXPECT(!memcmp(buffer, "\0\0000123456789", 12));
	copy_highpage(b, a);
	memset_page(b, PAGE_SIZE - 5, 'x', 3);
	memcpy_from_page(buffer, b, PAGE_SIZE - 10, 10);
	EXPECT(!memcmp(buffer, "01234xxx89", 10));
	memcpy_page(a, 0, b, PAGE_SIZE - 10, 10);
	memzero_page(b, 0, PAGE_SIZE);
	memcpy_from_page(buffer, a, 0, 10);
	EXPECT(!memcmp(buffer, "01234xxx89", 10));
	memcpy_from_page(buffer, b, PAGE_SIZE - 10, 10);
	EXPECT(!memcmp(buffer, "\0\0\0\0\0\0\0\0\0", 10));
	test_capture_begin();
	memcpy_to_page(a, PAGE_SIZE - 10, buffer, 11);
	memcpy_from_page(buffer, a, 1, PAGE_SIZE);
	memset_page(a, PAGE_SIZE + 1, 0, 0);
	memcpy_page(a, 0, b, PAGE_SIZE, 1);
	EXPECT(said("BUG: memcpy_to_page: 11 bytes at 4086 leave the page"));
	__free_page(a);
	__free_page(b);
}

/* High memory, where some node of this machine has any. */
static struct page *high_page(void)
{
	for_each_online_node(nid) {
		struct page *page = alloc_pages_node(nid, GFP_HIGHUSER | __GFP_THISNODE, 0);

		if (page && PageHighMem(page))
			return page;
		if (page)
			__free_page(page);
	}
	return NULL;
}

TEST(kmap, high_page_everywhere_the_same)
{
	struct page *page;
	u32 *virt, *local;

	NEED_FIXMAP();
	page = high_page();
	if (!page)
		SKIP("this machine has no high memory");
	EXPECT(!page_address(page));
	virt = kmap(page);
	EXPECT(page_address(page) == virt && kmap_to_page(virt) == page);
	fill(page, 7);
	EXPECT(filled(virt, 7));
	virt[3] = 12345;
	local = kmap_local_page(page);
	EXPECT(local != virt);
	EXPECT_EQ(local[3], 12345);
	kunmap_local(local);
	EXPECT(kmap(page) == virt);
	kunmap(page);
	EXPECT(page_address(page) == virt);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	kunmap(page);
	/* Unused, but still there. */
	EXPECT(kmap(page) == virt);
	EXPECT_EQ(virt[3], 12345);
	kunmap(page);
	kmap_flush_unused();
	EXPECT(!page_address(page) && !kmap_to_page(virt));
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	test_capture_begin();
	kunmap(page);
	EXPECT(said("which is not mapped"));
	__free_page(page);
}
