// SPDX-License-Identifier: MIT
/* The walker of page tables, one function after the other, in the kernel's half and in a user's. */
#include <octavo/fault.h>
#include <octavo/gfp.h>
#include <octavo/page.h>

#include "fault.h"
#include "mm/phys/zone.h"
#include "mm/pgtable/tables.h"
#include "mm/proc/proc.h"
#include "pgtfixture.h"
#include "proc_text.h"

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

TEST(pgtable, who_only_holds_an_address_space_may_come_too_late)
{
	struct mm_struct *mm = (pgt_test_kernel(), mm_alloc(GFP_KERNEL));

	ASSERT(mm);
	mmgrab(mm);
	EXPECT(mmget_not_zero(mm));
	mmput(mm);
	EXPECT(mmget_not_zero(mm));
	mmput(mm);
	mmput(mm);
	EXPECT(!mmget_not_zero(mm));
	mmdrop(mm);
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

/* ---- Out of memory ---- */

/* PT-I5: an operation with each of its table pages missing in turn. */
struct short_of_memory {
	struct mm_struct *mm;
	uintptr_t virt;
	u64 size;
	unsigned int max_level;
	unsigned long before;
	long nodes;
	bool failed;
};

#define QUIET (GFP_KERNEL | __GFP_NOWARN)

static void still_nothing(void *ctx)
{
	struct short_of_memory *m = ctx;

	EXPECT_EQ(pgt_test_phys(m->mm, m->virt, NULL, NULL), ~(u64)0);
	EXPECT_EQ(pgt_test_phys(m->mm, m->virt + (uintptr_t)m->size - 1, NULL, NULL), ~(u64)0);
	EXPECT_EQ(m->mm->pgtable_pages, m->before);
	EXPECT_EQ(tables_in_nodes(), m->nodes);
	pgt_test_verify(m->mm);
}

static bool map_short_of_memory(void *ctx)
{
	struct short_of_memory *m = ctx;
	int err = pgt_map_range(m->mm, m->virt, PHYS + PAGE_SIZE, m->size,
				m->mm == &init_mm ? PAGE_KERNEL : PAGE_SHARED, m->max_level, QUIET);

	if (err) {
		EXPECT_EQ(err, -ENOMEM);
		still_nothing(m);
		return false;
	}
	/* Nothing of this may fail. */
	EXPECT_EQ(pgt_test_unmap(m->mm, m->virt, m->size), 0);
	if (m->mm == &init_mm)
		kernel_end(pgt_test_kernel());
	return true;
}

TEST(pgtable, mapping_that_runs_out_of_memory_never_was)
{
	struct short_of_memory m = { .mm = &init_mm, .size = 3 * LEAF1, .max_level = 2 };

	m.virt = pgt_test_kernel() + (uintptr_t)LEAF1 - PAGE_SIZE;
	m.before = init_mm.pgtable_pages;
	m.nodes = tables_in_nodes();
	EXPECT_EQ(fault_each(map_short_of_memory, still_nothing, &m), PGT_LEVELS > 2 && PGT_ROOT_BITS > 2 ? 5 : 4);
	m.mm = mm_alloc(GFP_KERNEL);
	ASSERT(m.mm);
	m.virt = PGT_TEST_USER - PAGE_SIZE;
	m.before = m.mm->pgtable_pages;
	m.nodes = tables_in_nodes();
	EXPECT(fault_each(map_short_of_memory, still_nothing, &m) >= 4);
	mmput(m.mm);
}

static bool alloc_mm(void *ctx)
{
	struct mm_struct *mm = mm_alloc(QUIET);

	(void)ctx;
	if (mm)
		mmput(mm);
	return mm != NULL;
}

static void no_table_more(void *ctx)
{
	EXPECT_EQ(tables_in_nodes(), *(long *)ctx);
}

TEST(pgtable, no_half_address_space)
{
	long nodes = (pgt_test_kernel(), tables_in_nodes());

	EXPECT(fault_each(alloc_mm, no_table_more, &nodes) >= 1);
	EXPECT(fault_each_among(FAIL_NTH_SLAB, alloc_mm, no_table_more, &nodes) >= 1);
}

/* Leaves stay whole, and rights as they were, when there is no table to split them into. */
static bool shrink_short_of_memory(void *ctx)
{
	struct short_of_memory *m = ctx;
	u64 off = BIG / 2 + 3 * PAGE_SIZE;
	bool ok;

	ok = !pgt_protect_range(m->mm, m->virt + (uintptr_t)off, 2 * PAGE_SIZE, 0, PGPROT_WRITE);
	if (ok)
		ok = !pgt_test_unmap(m->mm, m->virt + PAGE_SIZE, m->size - 2 * PAGE_SIZE);
	m->failed = !ok;
	return ok;
}

static void either_or(void *ctx)
{
	struct short_of_memory *m = ctx;

	EXPECT_EQ(pgt_test_phys(m->mm, m->virt, NULL, NULL), PHYS);
	EXPECT_EQ(pgt_test_phys(m->mm, m->virt + (uintptr_t)m->size - 1, NULL, NULL), PHYS + m->size - 1);
	EXPECT_EQ(pgt_test_phys(m->mm, m->virt + PAGE_SIZE, NULL, NULL), m->failed ? PHYS + PAGE_SIZE : ~(u64)0);
	pgt_test_verify(m->mm);
	EXPECT_EQ(pgt_test_unmap(m->mm, m->virt, PAGE_SIZE), 0);
	EXPECT_EQ(pgt_test_unmap(m->mm, m->virt, m->size), 0);
	EXPECT_EQ(m->mm->pgtable_pages, m->before);
	EXPECT_EQ(pgt_map_range(m->mm, m->virt, PHYS, m->size, PAGE_SHARED, 2, GFP_KERNEL), 0);
}

TEST(pgtable, splitting_that_runs_out_of_memory_changes_nothing)
{
	struct short_of_memory m = { .virt = PGT_TEST_USER, .size = BIG };

	pgt_test_kernel();
	if (!(pgt_leaf_levels & 2))
		SKIP("the processor has no large leaves");
	m.mm = mm_alloc(GFP_KERNEL);
	ASSERT(m.mm);
	m.before = m.mm->pgtable_pages;
	ASSERT(!pgt_map_range(m.mm, m.virt, PHYS, m.size, PAGE_SHARED, 2, GFP_KERNEL));
	EXPECT(fault_each(shrink_short_of_memory, either_or, &m) >= 2);
	EXPECT_EQ(pgt_test_unmap(m.mm, m.virt, m.size), 0);
	mmput(m.mm);
}

/* ---- The verifier ---- */

static unsigned int found;
static char first_line[160];

static void note_line(void *ctx, const char *line)
{
	(void)ctx;
	if (!found++)
		octavo_snprintf(first_line, sizeof(first_line), "%s", line);
}

/* One complaint, which contains @text. */
static void expect_finding(struct mm_struct *mm, const char *text)
{
	found = 0;
	first_line[0] = 0;
	EXPECT_EQ(pgt_verify(mm, note_line, NULL), 1);
	if (!strstr(first_line, text))
		test_fail(__FILE__, __LINE__, "\"%s\" is not in \"%s\"", text, first_line);
}

TEST(pgtable, the_verifier_finds_what_is_wrong)
{
	struct mm_struct *mm = (pgt_test_kernel(), mm_alloc(GFP_KERNEL));
	uintptr_t virt = PGT_TEST_USER, other = virt + 2 * (uintptr_t)LEAF1;
	pgt_entry_t *entry, *above, e;
	struct page *page;
	unsigned int level;

	ASSERT(mm);
	ASSERT(!pgt_map_range(mm, virt, PHYS, 2 * PAGE_SIZE, PAGE_SHARED, 0, GFP_KERNEL));
	ASSERT(!pgt_map_range(mm, other, PHYS, 2 * PAGE_SIZE, PAGE_SHARED, 0, GFP_KERNEL));
	pgt_test_verify(mm);
	entry = pgt_lookup(mm, virt, &level);
	above = pgt_entry_alloc(mm, other, 1, GFP_KERNEL);
	page = pfn_to_page(PFN_DOWN(pgt_table_phys_of(entry)));

	/* PT-I1: a table counted that is none, and one that hangs on two entries. */
	mm->pgtable_pages++;
	expect_finding(mm, "are counted");
	mm->pgtable_pages--;
	e = pgt_get(above);
	pgt_set(above, pgt_get(pgt_entry_alloc(mm, virt, 1, GFP_KERNEL)));
	expect_finding(mm, "hangs on two entries");
	pgt_set(above, e);
	/* PT-I2 */
	ClearPageTable(page);
	expect_finding(mm, "not marked as one");
	SetPageTable(page);
	pgt_page_of(page)->level = 2;
	expect_finding(mm, "and says 2");
	pgt_page_of(page)->level = 0;
	/* PT-I3: a bit that means nothing, and the kernel's leaf in a user's half. */
	e = pgt_get(entry);
	pgt_set(entry, pgt_make_leaf(0, PHYS, PAGE_KERNEL_RO));
	expect_finding(mm, "a leaf for the kernel in the user's half");
	pgt_set(entry, e);
	pgt_leaf_levels &= ~1u;
	found = 0;
	EXPECT_EQ(pgt_verify(mm, note_line, NULL), 4);
	EXPECT(strstr(first_line, "which the processor has not"));
	pgt_leaf_levels |= 1u;
	pgt_test_verify(mm);
	/* PT-I6 */
	if (!PGT_TWO_ROOTS) {
		entry = mm->pgd + PGT_ENTRIES(PGT_ROOT_LEVEL) - 1;
		e = pgt_get(entry);
		pgt_set(entry, e ^ pgt_make_table(PGT_ROOT_LEVEL, 0x1000, false));
		expect_finding(mm, "not the kernel's");
		pgt_set(entry, e);
	}
	pgt_test_verify(mm);
	EXPECT_EQ(pgt_test_unmap(mm, virt, 3 * LEAF1), 0);
	mmput(mm);
}

/* PT-I7 */
TEST(pgtable, contiguous_groups)
{
	u64 group = (u64)PGT_CONT_ENTRIES << PAGE_SHIFT;
	uintptr_t virt = pgt_test_kernel();
	pgprot_t prot = octavo_pgprot(PGPROT_KERNEL_RW | PGPROT_CONT), has;
	pgt_entry_t *entry, e;
	unsigned int level;

	if (PGT_CONT_ENTRIES == 1)
		SKIP("this format has no contiguous entries");
	/* Half a group, a whole one, half a group. */
	ASSERT(!pgt_map_range(&init_mm, virt + (uintptr_t)group / 2, PHYS + group / 2, 2 * group, prot, 0, GFP_KERNEL));
	for (u64 at = group / 2; at < group * 5 / 2; at += PAGE_SIZE) {
		EXPECT_EQ(pgt_test_phys(&init_mm, virt + (uintptr_t)at, &has, NULL), PHYS + at);
		EXPECT_EQ(has.bits & PGPROT_CONT, at >= group && at < 2 * group ? PGPROT_CONT : 0);
	}
	pgt_test_verify(&init_mm);
	entry = pgt_lookup(&init_mm, virt + (uintptr_t)group + 3 * PAGE_SIZE, &level);
	e = pgt_get(entry);
	pgt_set(entry, pgt_wrprotect(0, e));
	expect_finding(&init_mm, "not like the first");
	pgt_set(entry, e);
	/* One page less, and the others are no group any more. */
	EXPECT_EQ(pgt_test_unmap(&init_mm, virt + (uintptr_t)group + 3 * PAGE_SIZE, PAGE_SIZE), 0);
	pgt_test_phys(&init_mm, virt + (uintptr_t)group, &has, NULL);
	EXPECT_EQ(has.bits & PGPROT_CONT, 0);
	pgt_test_verify(&init_mm);
	EXPECT_EQ(pgt_test_unmap(&init_mm, virt, 4 * group), 0);
	kernel_end(virt);
}

/* ---- Counts ---- */

TEST(pgtable, table_pages_are_counted_where_they_are)
{
	struct mm_struct *mm = (pgt_test_kernel(), mm_alloc(GFP_KERNEL));
	unsigned long pages, at_node[MAX_NUMNODES] = { 0 };

	ASSERT(mm);
	pages = mm->pgtable_pages;
	for_each_online_node(nid)
		at_node[nid] = node_page_state(NODE_DATA(nid), NR_PAGETABLE);
	ASSERT(!pgt_map_range(mm, PGT_TEST_USER, PHYS, 4 * LEAF1, PAGE_SHARED, 0, GFP_KERNEL));
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int level;
		pgt_entry_t *entry = pgt_lookup(mm, PGT_TEST_USER + i * (uintptr_t)LEAF1, &level);

		ASSERT(entry);
		at_node[page_to_nid(pfn_to_page(PFN_DOWN(pgt_table_phys_of(entry))))]++;
	}
	/* The upper ones are where the first was, or on the only node. */
	if (nr_node_ids == 1)
		at_node[0] += mm->pgtable_pages - pages - 4;
	for_each_online_node(nid)
		EXPECT(node_page_state(NODE_DATA(nid), NR_PAGETABLE) >= at_node[nid]);
	EXPECT_EQ(pgt_test_unmap(mm, PGT_TEST_USER, 4 * LEAF1), 0);
	EXPECT_EQ(mm->pgtable_pages, pages);
	mmput(mm);
}

/* PageTables in /proc/meminfo and a node's, nr_page_table_pages in /proc/vmstat: what NR_PAGETABLE says. */
TEST(pgtable, files_show_table_pages)
{
	struct mm_struct *mm = (pgt_test_kernel(), mm_alloc(GFP_KERNEL));
	u64 meminfo = proc_value("/proc/meminfo", "PageTables:");
	u64 vmstat = proc_value("/proc/vmstat", "nr_page_table_pages");
	u64 nodes = 0, total, more;
	char path[64], label[32];
	unsigned long before;

	ASSERT(mm);
	before = mm->pgtable_pages;
	EXPECT_EQ(vmstat * (PAGE_SIZE / 1024), meminfo);
	ASSERT(!pgt_map_range(mm, PGT_TEST_USER, PHYS, 5 * LEAF1, PAGE_SHARED, 0, GFP_KERNEL));
	more = mm->pgtable_pages - before;
	EXPECT(more >= 5);
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_page_table_pages"), (u64)tables_in_nodes());
	total = proc_value("/proc/meminfo", "PageTables:");
	EXPECT_EQ(total, (u64)tables_in_nodes() * (PAGE_SIZE / 1024));
	for_each_online_node(nid) {
		octavo_snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", nid);
		octavo_snprintf(label, sizeof(label), "Node %d PageTables:", nid);
		nodes += proc_machine_numa() ? proc_value(path, label) : 0;
	}
	EXPECT_EQ(nodes, proc_machine_numa() ? total : 0);
	EXPECT_EQ(pgt_test_unmap(mm, PGT_TEST_USER, 5 * LEAF1), 0);
	EXPECT_EQ(total - proc_value("/proc/meminfo", "PageTables:"), more * (PAGE_SIZE / 1024));
	mmput(mm);
	EXPECT(proc_value("/proc/meminfo", "PageTables:") <= meminfo);
}
