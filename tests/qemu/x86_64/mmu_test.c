// SPDX-License-Identifier: MIT
/* The 64-bit processor's TLB does what the port says, and addresses that are none are told. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/vmalloc.h>

#include "harness.h"
#include "mm/pgtable/tlb.h"
#include "mm/pgtable/walk.h"
#include "mmu.h"
#include "pc_try.h"

/* ---- Addresses that are none ---- */

static const char *report_of(uintptr_t at, enum test_access how, struct pc_fault *f)
{
	test_capture_begin();
	*f = pc_try_access((const void *)at, how);
	return test_capture_end();
}

TEST(pc, addresses_that_are_none)
{
	static const struct {
		enum test_access how;
		const char *access;
	} kinds[] = { { TEST_READ, "read" }, { TEST_WRITE, "write" }, { TEST_EXEC, "instruction fetch" } };
	uintptr_t at = (uintptr_t)1 << (PAGE_SHIFT + PC_TABLE_BITS * PC_LEVELS - 1);

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		char address[24];
		struct pc_fault f;
		const char *report = report_of(at + 0x123, kinds[i].how, &f);

		EXPECT_EQ(f.vector, VECTOR_PROTECTION);
		octavo_snprintf(address, sizeof(address), "%lx", at + 0x123);
		if (!strstr(report, address) || !strstr(report, kinds[i].access))
			test_fail(__FILE__, __LINE__, "no %s or %s in:\n%s", address, kinds[i].access, report);
	}
}

/* ---- What the TLB keeps ---- */

/*
 * One place in the user half, which two page tables show different pages at, each stamped with a number of its own.
 * The entries are the kernel's (SMAP), but not global.
 */
#define PLACE 0x400000ul
#define STAMPS 4u

static struct rig {
	struct mm_struct *mm[2];
	struct page *page[STAMPS];
} rig __memsys; /* goes back with the machine */

static bool rig_open(void)
{
	memset(&rig, 0, sizeof(rig));
	for (unsigned int i = 0; i < STAMPS; i++) {
		rig.page[i] = alloc_pages(GFP_KERNEL, 0);
		if (!rig.page[i])
			return false;
		*(u32 *)page_address(rig.page[i]) = i;
	}
	for (unsigned int i = 0; i < 2; i++) {
		rig.mm[i] = mm_alloc(GFP_KERNEL);
		if (!rig.mm[i] ||
		    pgt_map_range(rig.mm[i], PLACE, PFN_PHYS(page_to_pfn(rig.page[i])), PAGE_SIZE,
				  octavo_pgprot(PAGE_KERNEL.bits & ~PGPROT_GLOBAL), 0, GFP_KERNEL))
			return false;
	}
	return true;
}

static void rig_close(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct mmu_gather tlb;

		tlb_gather_mmu(&tlb, rig.mm[i]);
		EXPECT_EQ(pgt_unmap_range(rig.mm[i], PLACE, PAGE_SIZE, &tlb), 0);
		tlb_finish_mmu(&tlb);
		mmput(rig.mm[i]);
	}
	for (unsigned int i = 0; i < STAMPS; i++)
		__free_pages(rig.page[i], 0);
}

static u32 stamp_seen(void)
{
	return *(volatile u32 *)PLACE;
}

/* Put page @page into address space @i, telling nobody. */
static void show(unsigned int i, unsigned int page)
{
	unsigned int level;
	pgt_entry_t *entry = pgt_lookup(rig.mm[i], PLACE, &level);

	pgt_set(entry, pgt_make_leaf(0, PFN_PHYS(page_to_pfn(rig.page[page])),
				     octavo_pgprot(PAGE_KERNEL.bits & ~PGPROT_GLOBAL)) & pgt_supported);
}

/* Without identifiers all address spaces share one, which each load empties. */
static unsigned int asid_of(unsigned int i)
{
	return port_bootinfo()->asids ? 5 + i : PORT_ASID_KERNEL;
}

static void load(unsigned int i)
{
	port_pgd_load(rig.mm[i]->pgd_phys, asid_of(i));
}

static void check_switching(void)
{
	load(0);
	EXPECT_EQ(stamp_seen(), 0);
	load(1);
	EXPECT_EQ(stamp_seen(), 1);
	load(0);
	EXPECT_EQ(stamp_seen(), 0);
}

static void check_flushes(void)
{
	/* The loaded one. */
	show(0, 2);
	port_tlb_flush_page(asid_of(0), PLACE);
	EXPECT_EQ(stamp_seen(), 2);
	show(0, 3);
	port_tlb_flush_page(asid_of(0), PORT_TLB_ASID);
	EXPECT_EQ(stamp_seen(), 3);
	show(0, 0);
	port_tlb_flush_all();
	EXPECT_EQ(stamp_seen(), 0);
	/* Another. */
	load(1);
	show(0, 2);
	port_tlb_flush_page(asid_of(0), PLACE);
	EXPECT_EQ(stamp_seen(), 1);
	load(0);
	EXPECT_EQ(stamp_seen(), 2);
	load(1);
	show(0, 3);
	port_tlb_flush_page(asid_of(0), PORT_TLB_ASID);
	EXPECT_EQ(stamp_seen(), 1);
	load(0);
	EXPECT_EQ(stamp_seen(), 3);
	load(1);
	show(0, 0);
	port_tlb_flush_all();
	load(0);
	EXPECT_EQ(stamp_seen(), 0);
}

TEST(pc, tlb_by_address_space)
{
	phys_addr_t kernel = mmu_kernel_root();
	unsigned long flags;

	ASSERT(rig_open());
	flags = port_irq_save();
	check_switching();
	check_flushes();
	port_pgd_load(kernel, PORT_ASID_KERNEL);
	port_tlb_flush_all();
	port_irq_restore(flags);
	rig_close();
}

/*
 * PC-I4: a table of kernel addresses is replaced while other address spaces have used it. A flush of one page of it, on
 * any of them, is enough for all the others: what they go through to get at the table's other pages is forgotten, too.
 */
#define TABLE_PAGES 512u

static void check_kernel_table(const char *area, pgt_entry_t *upper, pgt_entry_t other, pgt_entry_t *copy)
{
	for (unsigned int i = 0; i < 2; i++) {
		load(i);
		EXPECT_EQ(*(volatile u32 *)area, 0);
	}
	load(0);
	/* The copy shows page 1 wherever the old table showed page 0. */
	for (unsigned int i = 0; i < TABLE_PAGES; i++)
		copy[i] = pgt_make_leaf(0, PFN_PHYS(page_to_pfn(rig.page[1])), PAGE_KERNEL) & pgt_supported;
	pgt_set(upper, other);
	port_tlb_flush_page(PORT_ASID_KERNEL, (uintptr_t)area);
	EXPECT_EQ(*(volatile u32 *)area, 1);
	load(1);
	EXPECT_EQ(*(volatile u32 *)area, 1);
	/* Not in the TLB before: the walk must not begin at the old table. */
	EXPECT_EQ(*(volatile u32 *)(area + PAGE_SIZE), 1);
}

TEST(pc, kernel_tables_are_forgotten_by_all)
{
	phys_addr_t kernel = mmu_kernel_root();
	static struct page *pages[2 * TABLE_PAGES] __memsys;
	struct page *table = alloc_pages(GFP_KERNEL, 0);
	pgt_entry_t *upper, was;
	unsigned long flags;
	char *area;

	ASSERT(table && rig_open());
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = rig.page[0];
	area = vmap(pages, ARRAY_SIZE(pages), VM_MAP, PAGE_KERNEL);
	ASSERT(area);
	/* A whole table of the last level lies in it. */
	upper = pgt_entry_alloc(&init_mm, ALIGN((uintptr_t)area, PGT_SIZE(1)), 1, GFP_KERNEL);
	ASSERT(upper);
	was = pgt_get(upper);
	flags = port_irq_save();
	check_kernel_table((char *)ALIGN((uintptr_t)area, PGT_SIZE(1)), upper,
			   pgt_make_table(1, PFN_PHYS(page_to_pfn(table)), false), page_address(table));
	pgt_set(upper, was);
	port_pgd_load(kernel, PORT_ASID_KERNEL);
	port_tlb_flush_all();
	port_irq_restore(flags);
	vunmap(area);
	rig_close();
	__free_pages(table, 0);
}

/* PC-I5: what the entry code's tables showed is not there any more. */
TEST(pc, boot_tables_are_forgotten)
{
	test_capture_begin();
	EXPECT(test_faults((const void *)0x1000, TEST_READ));
	EXPECT(test_faults((const void *)0x200000, TEST_READ));
	EXPECT(test_faults(pc_text_start, TEST_WRITE));
	test_capture_end();
}
