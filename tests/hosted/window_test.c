// SPDX-License-Identifier: MIT
/* Plain pointers through the MMU: the kernel window, the direct map, and accesses that are refused. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/set_memory.h>

#include "access.h"
#include "hosted.h"
#include "harness.h"
#include "mm/kmap/areas.h"
#include "mm/pgtable/tlb.h"
#include "mm/pgtable/walk.h"
#include "mmu.h"

static uintptr_t virt;
static char *at;

/* Some pages of the vmalloc area that nothing is in: its end. */
static void choose(unsigned long pages)
{
	virt = kernel_areas[AREA_VMALLOC].end - pages * PAGE_SIZE;
	at = area_pointer(AREA_VMALLOC, virt);
}

static struct page *show(unsigned long index, pgprot_t prot)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	if (!page || pgt_map_pages(&init_mm, virt + index * PAGE_SIZE, &page, 1, prot, GFP_KERNEL)) {
		test_fail(__FILE__, __LINE__, "no page is mapped");
		return NULL;
	}
	return page;
}

static void unmap(unsigned long index)
{
	EXPECT(!pgt_unmap_range(&init_mm, virt + index * PAGE_SIZE, PAGE_SIZE, NULL));
}

static bool refused(const void *p, enum test_access how)
{
	bool faulted;

	test_capture_begin();
	faulted = test_faults(p, how);
	test_capture_end();
	return faulted;
}

/* MU-I6: what is mapped is seen, and stays until the flush. */
TEST(window, shows_what_is_mapped)
{
	struct page *page, *other;
	struct mmu_stats before, after;

	choose(8);
	page = show(0, PAGE_KERNEL);
	other = show(1, PAGE_KERNEL);
	ASSERT(page && other);
	mmu_stats(0, &before);
	at[5] = 42;
	EXPECT_EQ(((char *)page_address(page))[5], 42);
	((char *)page_address(page))[6] = 43;
	EXPECT_EQ(at[6], 43);
	mmu_stats(0, &after);
	EXPECT_EQ(after.walks - before.walks, 1);
	memset(at + PAGE_SIZE - 4, 7, 8);
	EXPECT_EQ(((char *)page_address(other))[3], 7);
	EXPECT(!refused(at, TEST_READ));
	EXPECT(!refused(at, TEST_WRITE));
	EXPECT_EQ(at[0], 0);
	unmap(0);
	/* The translation is still there, in the MMU and so for plain accesses. */
	EXPECT_EQ(at[5], 42);
	EXPECT_EQ(mmu_stale(0, NULL), 1);
	EXPECT(mmu_leads_to(page_to_pfn(page), NULL, NULL));
	flush_tlb_kernel_range(virt, virt + PAGE_SIZE);
	EXPECT_EQ(mmu_stale(0, NULL), 0);
	EXPECT(!mmu_leads_to(page_to_pfn(page), NULL, NULL));
	EXPECT(refused(at, TEST_READ));
	EXPECT(refused(at, TEST_WRITE));
	EXPECT_EQ(at[PAGE_SIZE + 3], 7);
	unmap(1);
	flush_tlb_kernel_range(virt, virt + 2 * PAGE_SIZE);
	__free_page(page);
	__free_page(other);
}

TEST(window, rights_are_the_tables)
{
	struct page *page;

	choose(8);
	page = show(0, PAGE_KERNEL_RO);
	ASSERT(page);
	((unsigned char *)page_address(page))[0] = 0xc3; /* x86: a return */
	EXPECT(!refused(at, TEST_READ));
	EXPECT(refused(at, TEST_WRITE));
	if (hosted_bootinfo()->mmu_features & BOOT_MMU_NX)
		EXPECT(refused(at, TEST_EXEC));
	EXPECT(!pgt_protect_range(&init_mm, virt, PAGE_SIZE, PGPROT_EXEC, 0));
	flush_tlb_kernel_range(virt, virt + PAGE_SIZE);
#if defined(__x86_64__) || defined(__i386__)
	EXPECT(!refused(at, TEST_EXEC));
#endif
	EXPECT(!pgt_protect_range(&init_mm, virt, PAGE_SIZE, PGPROT_WRITE | PGPROT_DIRTY, PGPROT_EXEC));
	flush_tlb_kernel_range(virt, virt + PAGE_SIZE);
	EXPECT(!refused(at, TEST_WRITE));
	unmap(0);
	flush_tlb_kernel_range(virt, virt + PAGE_SIZE);
	__free_page(page);
}

/* A store through a clean translation marks the entry, whatever was read before. */
TEST(window, stores_mark_entries_dirty)
{
	struct page *page;
	unsigned int level;
	pgt_entry_t *entry;

	choose(8);
	page = show(0, octavo_pgprot(PGPROT_READ | PGPROT_WRITE | PGPROT_GLOBAL));
	ASSERT(page);
	entry = pgt_lookup(&init_mm, virt, &level);
	EXPECT(!pgt_young(level, pgt_get(entry)) && !pgt_dirty(level, pgt_get(entry)));
	EXPECT_EQ(at[9], 0);
	EXPECT(pgt_young(level, pgt_get(entry)) && !pgt_dirty(level, pgt_get(entry)));
	at[9] = 1;
	EXPECT(pgt_dirty(level, pgt_get(entry)));
	pgt_set(entry, pgt_mkclean(level, pgt_get(entry)));
	flush_tlb_kernel_range(virt, virt + PAGE_SIZE);
	EXPECT_EQ(at[9], 1);
	EXPECT(!pgt_dirty(level, pgt_get(entry)));
	at[9] = 2;
	EXPECT(pgt_dirty(level, pgt_get(entry)));
	unmap(0);
	flush_tlb_kernel_range(virt, virt + PAGE_SIZE);
	__free_page(page);
}

static bool says(const char *text, const char *what)
{
	bool found = text && strstr(text, what);

	if (!found)
		test_fail(__FILE__, __LINE__, "no '%s' in\n%s", what, text ? text : "");
	return found;
}

/* The report names the access; no plain crash. */
TEST(window, refused_accesses_are_reported)
{
	choose(8);
	test_capture_begin();
	EXPECT(test_faults(at + 123, TEST_WRITE));
	says(test_capture_end(), PGT_TWO_ROOTS ? "WnR = 1" : "write");
	test_capture_begin();
	EXPECT(test_faults(NULL, TEST_READ));
	says(test_capture_end(), "0000");
#if UINTPTR_MAX > 0xffffffffu && !defined(OCTAVO_ARCH_ARM64)
	test_capture_begin();
	EXPECT(test_faults((void *)0x8123456789abcdef, TEST_READ));
	says(test_capture_end(), "8123456789abcdef");
	EXPECT(refused((void *)0x8123456789abcdef, TEST_EXEC));
#endif
	EXPECT(refused(NULL, TEST_EXEC));
	/* Of the direct map: a hole, and a page. */
	EXPECT(refused((void *)(hosted_bootinfo()->direct_map + 0xc0000), TEST_READ));
	EXPECT(!refused((void *)(hosted_bootinfo()->direct_map + 0x100000), TEST_WRITE));
	if (hosted_bootinfo()->mmu_features & BOOT_MMU_NX)
		EXPECT(refused((void *)(hosted_bootinfo()->direct_map + 0x100000), TEST_EXEC));
}

/* Rights in the direct map: plain accesses feel them once they are flushed, through a snapshot, and after it. */
TEST(window, the_direct_map_has_rights_too)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	char *p = page_address(page);
	struct hosted_snapshot *s;

	EXPECT(!set_memory_ro((unsigned long)p, 1));
	EXPECT(!refused(p, TEST_READ));
	EXPECT(refused(p, TEST_WRITE));
	EXPECT(!refused(p - PAGE_SIZE, TEST_WRITE) || !refused(p + PAGE_SIZE, TEST_WRITE));
	s = hosted_snapshot();
	EXPECT(!set_memory_rw((unsigned long)p, 1));
	EXPECT(!refused(p, TEST_WRITE));
	p[1] = 1;
	hosted_restore(s);
	hosted_snapshot_free(s);
	EXPECT_EQ(p[1], 0);
	EXPECT(refused(p, TEST_WRITE));
	EXPECT(!set_direct_map_invalid_noflush(page));
	EXPECT(!refused(p, TEST_READ));
	flush_tlb_kernel_range(octavo_kernel_virt(p), octavo_kernel_virt(p) + PAGE_SIZE);
	EXPECT(refused(p, TEST_READ));
	EXPECT(!set_direct_map_default_noflush(page));
	EXPECT(!refused(p, TEST_WRITE)); /* more rights need no flush */
	__free_page(page);
}

/* More pages than are shown at once. */
TEST(window, shows_no_more_than_it_may)
{
	const unsigned long pages = 8192 + 500;
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	unsigned int wrong = 0;

	ASSERT(page);
	choose(pages);
	for (unsigned long i = 0; i < pages; i++)
		ASSERT(!pgt_map_pages(&init_mm, virt + i * PAGE_SIZE, &page, 1, PAGE_KERNEL, GFP_KERNEL));
	for (unsigned long i = 0; i < pages; i++) {
		*(unsigned long *)(at + i * PAGE_SIZE) = i;
		wrong += *(unsigned long *)page_address(page) != i;
	}
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(*(unsigned long *)at, pages - 1);
	EXPECT(!pgt_unmap_range(&init_mm, virt, pages * PAGE_SIZE, NULL));
	flush_tlb_kernel_range(virt, virt + pages * PAGE_SIZE);
	EXPECT(refused(at + (pages - 1) * PAGE_SIZE, TEST_READ));
	EXPECT(refused(at, TEST_READ));
	__free_page(page);
}

/* A snapshot has the window's state in its tables; nothing that is shown survives going back. */
TEST(window, follows_snapshots)
{
	struct hosted_snapshot *s;
	struct page *page;

	choose(8);
	page = show(0, PAGE_KERNEL);
	ASSERT(page);
	at[1] = 1;
	s = hosted_snapshot();
	at[1] = 2;
	unmap(0);
	hosted_restore(s);
	EXPECT_EQ(at[1], 1);
	EXPECT_EQ(mmu_stale(0, NULL), 0);
	hosted_snapshot_free(s);
	unmap(0);
	flush_tlb_kernel_range(virt, virt + PAGE_SIZE);
	__free_page(page);
}
