// SPDX-License-Identifier: MIT
/* The walker of page tables, one function after the other, in the kernel's half and in a user's. */
#include <octavo/fault.h>
#include <octavo/gfp.h>
#include <octavo/page.h>

#include "fault.h"
#include "mm/phys/zone.h"
#include "pgtfixture.h"

#define KERNEL_RW PAGE_KERNEL
#define PHYS ((phys_addr_t)0x40000000) /* no frame of it is ever touched */
#define BIG PGT_SIZE(PGT_LEAF_LEVEL_MAX)
#define LEAF1 PGT_SIZE(1)

static long tables_in_nodes(void)
{
	return (long)global_node_page_state(NR_PAGETABLE);
}

static bool mapped(struct mm_struct *mm, uintptr_t virt, u64 size, phys_addr_t phys, pgprot_t prot)
{
	for (u64 at = 0; at < size; at += PAGE_SIZE) {
		pgprot_t has;
		unsigned int level;

		if (pgt_test_phys(mm, virt + (uintptr_t)at, &has, &level) != phys + at)
			return false;
		if ((has.bits ^ prot.bits) & (PGPROT_READ | PGPROT_WRITE | PGPROT_USER))
			return false;
	}
	return true;
}

static bool unmapped(struct mm_struct *mm, uintptr_t virt, u64 size)
{
	for (u64 at = 0; at < size; at += PAGE_SIZE)
		if (pgt_test_phys(mm, virt + (uintptr_t)at, NULL, NULL) != ~(u64)0)
			return false;
	return true;
}

static void kernel_begin(uintptr_t *virt)
{
	*virt = pgt_test_kernel();
	EXPECT(unmapped(&init_mm, *virt, PAGE_SIZE));
}

/* All tables of the test's kernel addresses go back. */
static void kernel_end(uintptr_t virt)
{
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, &init_mm);
	pgt_free_kernel_tables(virt, PGT_TEST_SPACE, &tlb);
	tlb_finish_mmu(&tlb);
}

TEST(pgtable, maps_and_unmaps_pages)
{
	unsigned long before;
	uintptr_t virt;
	long nodes;

	kernel_begin(&virt);
	before = init_mm.pgtable_pages;
	nodes = tables_in_nodes();
	/* Across the end of a table, from its last three pages on. */
	virt += (uintptr_t)LEAF1 - 3 * PAGE_SIZE;
	ASSERT(!pgt_map_range(&init_mm, virt, PHYS, 7 * PAGE_SIZE, KERNEL_RW, 0, GFP_KERNEL));
	EXPECT(mapped(&init_mm, virt, 7 * PAGE_SIZE, PHYS, KERNEL_RW));
	EXPECT(unmapped(&init_mm, virt - PAGE_SIZE, PAGE_SIZE));
	EXPECT(unmapped(&init_mm, virt + 7 * PAGE_SIZE, PAGE_SIZE));
	EXPECT(init_mm.pgtable_pages > before);
	EXPECT_EQ(tables_in_nodes() - nodes, init_mm.pgtable_pages - before);
	pgt_test_verify(&init_mm);
	EXPECT_EQ(pgt_test_unmap(&init_mm, virt + 2 * PAGE_SIZE, 3 * PAGE_SIZE), 0);
	EXPECT(mapped(&init_mm, virt, 2 * PAGE_SIZE, PHYS, KERNEL_RW));
	EXPECT(unmapped(&init_mm, virt + 2 * PAGE_SIZE, 3 * PAGE_SIZE));
	EXPECT(mapped(&init_mm, virt + 5 * PAGE_SIZE, 2 * PAGE_SIZE, PHYS + 5 * PAGE_SIZE, KERNEL_RW));
	EXPECT_EQ(pgt_test_unmap(&init_mm, virt, 7 * PAGE_SIZE), 0);
	EXPECT(unmapped(&init_mm, virt, 7 * PAGE_SIZE));
	kernel_end(pgt_test_kernel());
	pgt_test_verify(&init_mm);
}

TEST(pgtable, takes_the_largest_leaves)
{
	uintptr_t virt;
	unsigned int level;
	u64 size = 2 * LEAF1 + 2 * PAGE_SIZE;

	kernel_begin(&virt);
	virt += (uintptr_t)(LEAF1 - PAGE_SIZE);
	ASSERT(!pgt_map_range(&init_mm, virt, PHYS + LEAF1 - PAGE_SIZE, size, KERNEL_RW, 1, GFP_KERNEL));
	EXPECT(mapped(&init_mm, virt, size, PHYS + LEAF1 - PAGE_SIZE, KERNEL_RW));
	pgt_test_phys(&init_mm, virt, NULL, &level);
	EXPECT_EQ(level, 0);
	pgt_test_phys(&init_mm, virt + PAGE_SIZE, NULL, &level);
	EXPECT_EQ(level, pgt_leaf_levels & 2 ? 1 : 0);
	pgt_test_phys(&init_mm, virt + size - 1, NULL, &level);
	EXPECT_EQ(level, 0);
	pgt_test_verify(&init_mm);
	EXPECT_EQ(pgt_test_unmap(&init_mm, virt, size), 0);
	kernel_end(pgt_test_kernel());
	/* Addresses that are not congruent have small ones only. */
	ASSERT(!pgt_map_range(&init_mm, pgt_test_kernel(), PHYS + PAGE_SIZE, LEAF1, KERNEL_RW, 2, GFP_KERNEL));
	pgt_test_phys(&init_mm, pgt_test_kernel(), NULL, &level);
	EXPECT_EQ(level, 0);
	EXPECT_EQ(pgt_test_unmap(&init_mm, pgt_test_kernel(), LEAF1), 0);
	kernel_end(pgt_test_kernel());
}

TEST(pgtable, user_tables_go_with_their_last_entry)
{
	struct mm_struct *mm = (pgt_test_kernel(), mm_alloc(GFP_KERNEL));
	long nodes = tables_in_nodes();
	unsigned long before;

	ASSERT(mm);
	before = mm->pgtable_pages;
	ASSERT(!pgt_map_range(mm, PGT_TEST_USER, PHYS, 3 * PAGE_SIZE, PAGE_SHARED, 2, GFP_KERNEL));
	EXPECT(mapped(mm, PGT_TEST_USER, 3 * PAGE_SIZE, PHYS, PAGE_SHARED));
	EXPECT(mm->pgtable_pages > before);
	pgt_test_verify(mm);
	EXPECT_EQ(pgt_test_unmap(mm, PGT_TEST_USER, PAGE_SIZE), 0);
	EXPECT(mapped(mm, PGT_TEST_USER + PAGE_SIZE, 2 * PAGE_SIZE, PHYS + PAGE_SIZE, PAGE_SHARED));
	EXPECT_EQ(pgt_test_unmap(mm, PGT_TEST_USER + PAGE_SIZE, 2 * PAGE_SIZE), 0);
	/* PT-I4 */
	EXPECT_EQ(mm->pgtable_pages, before);
	EXPECT_EQ(tables_in_nodes(), nodes);
	pgt_test_verify(mm);
	mmput(mm);
}

TEST(pgtable, unmapping_splits_at_both_ends)
{
	struct mm_struct *mm = (pgt_test_kernel(), mm_alloc(GFP_KERNEL));
	unsigned long before;
	u64 size = BIG, hole = BIG / 2 + PAGE_SIZE;
	unsigned int level;

	ASSERT(mm);
	before = mm->pgtable_pages;
	ASSERT(!pgt_map_range(mm, PGT_TEST_USER, PHYS, size, PAGE_SHARED, 2, GFP_KERNEL));
	pgt_test_phys(mm, PGT_TEST_USER, NULL, &level);
	EXPECT_EQ(1u << level, rounddown_pow_of_two(pgt_leaf_levels));
	EXPECT_EQ(pgt_test_unmap(mm, PGT_TEST_USER + (uintptr_t)hole, PAGE_SIZE), 0);
	EXPECT_EQ(pgt_test_phys(mm, PGT_TEST_USER, NULL, NULL), PHYS);
	EXPECT_EQ(pgt_test_phys(mm, PGT_TEST_USER + (uintptr_t)hole - 1, NULL, NULL), PHYS + hole - 1);
	EXPECT(unmapped(mm, PGT_TEST_USER + (uintptr_t)hole, PAGE_SIZE));
	EXPECT_EQ(pgt_test_phys(mm, PGT_TEST_USER + (uintptr_t)hole + PAGE_SIZE, NULL, NULL), PHYS + hole + PAGE_SIZE);
	pgt_test_verify(mm);
	EXPECT_EQ(pgt_test_unmap(mm, PGT_TEST_USER, size), 0);
	EXPECT_EQ(mm->pgtable_pages, before);
	mmput(mm);
}

TEST(pgtable, splits_and_joins)
{
	struct mmu_gather tlb;
	unsigned long tables;
	unsigned int level;
	uintptr_t virt;
	pgprot_t prot;

	kernel_begin(&virt);
	if (!(pgt_leaf_levels & 2))
		SKIP("the processor has no large leaves");
	ASSERT(!pgt_map_range(&init_mm, virt, PHYS, LEAF1, KERNEL_RW, 1, GFP_KERNEL));
	tables = init_mm.pgtable_pages;
	EXPECT_EQ(pgt_split(&init_mm, virt, GFP_KERNEL), 0);
	EXPECT_EQ(init_mm.pgtable_pages, tables);
	EXPECT_EQ(pgt_split(&init_mm, virt + 5 * PAGE_SIZE, GFP_KERNEL), 0);
	EXPECT_EQ(init_mm.pgtable_pages, tables + 1);
	EXPECT_EQ(pgt_test_phys(&init_mm, virt + 5 * PAGE_SIZE, &prot, &level), PHYS + 5 * PAGE_SIZE);
	EXPECT_EQ(level, 0);
	EXPECT(mapped(&init_mm, virt, LEAF1, PHYS, KERNEL_RW));
	EXPECT_EQ(prot.bits, pgt_prot(0, pgt_fit(pgt_make_leaf(0, 0, KERNEL_RW))).bits);
	pgt_test_verify(&init_mm);

	/* One page with other rights keeps it apart. */
	EXPECT_EQ(pgt_protect_range(&init_mm, virt + 5 * PAGE_SIZE, PAGE_SIZE, 0, PGPROT_WRITE), 0);
	tlb_gather_mmu(&tlb, &init_mm);
	EXPECT_EQ(pgt_join(&init_mm, virt, LEAF1, &tlb), 0);
	EXPECT_EQ(pgt_protect_range(&init_mm, virt + 5 * PAGE_SIZE, PAGE_SIZE, PGPROT_WRITE, 0), 0);
	EXPECT_EQ(pgt_join(&init_mm, virt, LEAF1, &tlb), 1);
	tlb_finish_mmu(&tlb);
	EXPECT_EQ(init_mm.pgtable_pages, tables);
	EXPECT_EQ(pgt_test_phys(&init_mm, virt + 5 * PAGE_SIZE, &prot, &level), PHYS + 5 * PAGE_SIZE);
	EXPECT_EQ(level, 1);
	pgt_test_verify(&init_mm);
	EXPECT_EQ(pgt_test_unmap(&init_mm, virt, LEAF1), 0);
	kernel_end(virt);
}

TEST(pgtable, protects)
{
	uintptr_t virt;
	u64 size = 2 * LEAF1;

	kernel_begin(&virt);
	ASSERT(!pgt_map_range(&init_mm, virt, PHYS, size, KERNEL_RW, 2, GFP_KERNEL));
	EXPECT_EQ(pgt_protect_range(&init_mm, virt + PAGE_SIZE, size - 2 * PAGE_SIZE, 0, PGPROT_WRITE), 0);
	EXPECT(mapped(&init_mm, virt, PAGE_SIZE, PHYS, PAGE_KERNEL));
	EXPECT(mapped(&init_mm, virt + PAGE_SIZE, size - 2 * PAGE_SIZE, PHYS + PAGE_SIZE, PAGE_KERNEL_RO));
	EXPECT(mapped(&init_mm, virt + (uintptr_t)size - PAGE_SIZE, PAGE_SIZE, PHYS + size - PAGE_SIZE, PAGE_KERNEL));
	/* Taken from the machine's sight and given back. */
	EXPECT_EQ(pgt_protect_range(&init_mm, virt, 3 * PAGE_SIZE, 0, PGPROT_READ), 0);
	EXPECT(mapped(&init_mm, virt + PAGE_SIZE, PAGE_SIZE, PHYS + PAGE_SIZE, octavo_pgprot(0)));
	EXPECT_EQ(pgt_protect_range(&init_mm, virt, 3 * PAGE_SIZE, PGPROT_READ | PGPROT_WRITE, 0), 0);
	EXPECT(mapped(&init_mm, virt, 3 * PAGE_SIZE, PHYS, PAGE_KERNEL));
	pgt_test_verify(&init_mm);
	EXPECT_EQ(pgt_test_unmap(&init_mm, virt + PAGE_SIZE, PAGE_SIZE), 0);
	EXPECT_EQ(pgt_protect_range(&init_mm, virt, 3 * PAGE_SIZE, 0, PGPROT_WRITE), -EINVAL);
	EXPECT(mapped(&init_mm, virt, PAGE_SIZE, PHYS, PAGE_KERNEL));
	EXPECT_EQ(pgt_test_unmap(&init_mm, virt, size), 0);
	kernel_end(virt);
}

TEST(pgtable, what_is_there_is_not_overwritten)
{
	uintptr_t virt;

	kernel_begin(&virt);
	ASSERT(!pgt_map_range(&init_mm, virt + 9 * PAGE_SIZE, PHYS, PAGE_SIZE, KERNEL_RW, 0, GFP_KERNEL));
	test_capture_begin();
	EXPECT_EQ(pgt_map_range(&init_mm, virt, 0, 16 * PAGE_SIZE, KERNEL_RW, 0, GFP_KERNEL), -EEXIST);
	EXPECT(strstr(test_capture_end(), "is mapped already"));
	EXPECT(unmapped(&init_mm, virt, 9 * PAGE_SIZE));
	EXPECT(mapped(&init_mm, virt + 9 * PAGE_SIZE, PAGE_SIZE, PHYS, KERNEL_RW));
	EXPECT(unmapped(&init_mm, virt + 10 * PAGE_SIZE, 6 * PAGE_SIZE));
	EXPECT_EQ(pgt_test_unmap(&init_mm, virt, 16 * PAGE_SIZE), 0);
	kernel_end(virt);
}

TEST(pgtable, ranges_that_make_no_sense_are_refused)
{
	struct mm_struct *mm = (pgt_test_kernel(), mm_alloc(GFP_KERNEL));
	uintptr_t virt = pgt_test_kernel();

	ASSERT(mm);
	test_capture_begin();
	EXPECT_EQ(pgt_map_range(&init_mm, virt + 1, PHYS, PAGE_SIZE, KERNEL_RW, 0, GFP_KERNEL), -EINVAL);
	EXPECT_EQ(pgt_map_range(&init_mm, virt, PHYS, 0, KERNEL_RW, 0, GFP_KERNEL), -EINVAL);
	EXPECT_EQ(pgt_map_range(&init_mm, virt, PHYS, PAGE_SIZE + 1, KERNEL_RW, 0, GFP_KERNEL), -EINVAL);
	EXPECT_EQ(pgt_map_range(&init_mm, virt, PHYS + 1, PAGE_SIZE, KERNEL_RW, 0, GFP_KERNEL), -EINVAL);
	EXPECT_EQ(pgt_map_range(&init_mm, PGT_TEST_USER, PHYS, PAGE_SIZE, KERNEL_RW, 0, GFP_KERNEL), -EINVAL);
	EXPECT_EQ(pgt_map_range(mm, virt, PHYS, PAGE_SIZE, PAGE_SHARED, 0, GFP_KERNEL), -EINVAL);
	EXPECT_EQ(pgt_unmap_range(mm, PGT_TEST_USER, PAGE_SIZE, NULL), -EINVAL);
	EXPECT_EQ(pgt_map_range(&init_mm, -PAGE_SIZE, PHYS, 2 * PAGE_SIZE, KERNEL_RW, 0, GFP_KERNEL), -EINVAL);
#if __SIZEOF_POINTER__ == 8
	EXPECT_EQ(pgt_map_range(mm, (uintptr_t)1 << 60, PHYS, PAGE_SIZE, PAGE_SHARED, 0, GFP_KERNEL), -EINVAL);
#endif
	EXPECT(strstr(test_capture_end(), "not whole pages"));
	mmput(mm);
}
