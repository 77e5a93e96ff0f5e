// SPDX-License-Identifier: MIT
/* mmu_gather: what goes in, what is flushed, what is freed, and in which order. TL-I5 */
#include <octavo/fault.h>
#include <octavo/gfp.h>
#include <octavo/page.h>

#include "harness.h"
#include "mm/pgtable/tlb.h"
#include "mm/pgtable/walk.h"
#include "mm/phys/vmstat.h"

#define BASE ((uintptr_t)0x10000000)

static struct mm_struct *space(void)
{
	return mm_alloc(GFP_KERNEL);
}

#define NEEDS_TABLES()                                            \
	do {                                                      \
		if (!pgtables_on)                                 \
			SKIP("the machine has no page tables"); \
	} while (0)

/* Two references: the test's, and the one that the gather gives up. */
static struct page *frame(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page)
		get_page(page);
	return page;
}

static bool freed(const struct page *page)
{
	return page_ref_count(page) == 1;
}

TEST(gather, frees_after_the_flush)
{
	struct mm_struct *mm = space();
	struct page *page = frame();
	struct mmu_gather tlb;
	unsigned long gen;

	NEEDS_TABLES();
	ASSERT(mm && page);
	gen = mm->tlb_gen;
	tlb_gather_mmu(&tlb, mm);
	tlb_remove_entry(&tlb, 0, BASE);
	EXPECT(!tlb_remove_page(&tlb, page));
	EXPECT(!freed(page));
	EXPECT_EQ(mm->tlb_gen, gen);
	tlb_flush_mmu(&tlb);
	EXPECT(freed(page));
	EXPECT_EQ(mm->tlb_gen, gen + 1);
	/* Nothing came in since: no flush is asked for. */
	tlb_finish_mmu(&tlb);
	EXPECT_EQ(mm->tlb_gen, gen + 1);
	EXPECT_EQ(mm->gathers, 0);
	put_page(page);
	mmput(mm);
}

TEST(gather, knows_the_range_and_the_smallest_leaf)
{
	struct mm_struct *mm = space();
	struct mmu_gather tlb;

	ASSERT(mm);
	tlb_gather_mmu(&tlb, mm);
	EXPECT(tlb.start >= tlb.end);
	tlb_remove_entry(&tlb, 1, BASE + (uintptr_t)PGT_SIZE(1) + 5);
	EXPECT_EQ(tlb.start, BASE + PGT_SIZE(1));
	EXPECT_EQ(tlb.end, BASE + 2 * PGT_SIZE(1));
	EXPECT_EQ(tlb.cleared_levels, 2);
	tlb_remove_entry(&tlb, 0, BASE + PAGE_SIZE);
	EXPECT_EQ(tlb.start, BASE + PAGE_SIZE);
	EXPECT_EQ(tlb.end, BASE + 2 * PGT_SIZE(1));
	EXPECT_EQ(tlb.cleared_levels, 3);
	/* The last page of the address space: no wrap-around. */
	tlb_remove_entry(&tlb, 0, (uintptr_t)0 - PAGE_SIZE);
	EXPECT_EQ(tlb.end, UINTPTR_MAX);
	tlb_finish_mmu(&tlb);
	mmput(mm);
}

/* A table adds to the range only if nothing of what it covered is in it: single pages stay single flushes. */
TEST(gather, a_table_is_flushed_somewhere)
{
	struct mm_struct *mm = space();
	struct mmu_gather tlb;
	pgt_entry_t *one, *two;

	ASSERT(mm);
	one = pgt_table_alloc(mm, 0, GFP_KERNEL);
	two = pgt_table_alloc(mm, 0, GFP_KERNEL);
	ASSERT(one && two);
	tlb_gather_mmu(&tlb, mm);
	tlb_remove_entry(&tlb, 0, BASE + 100 * PAGE_SIZE);
	tlb_remove_table(&tlb, one, BASE);
	EXPECT_EQ(tlb.start, BASE + 100 * PAGE_SIZE);
	EXPECT_EQ(tlb.end, BASE + 101 * PAGE_SIZE);
	EXPECT(tlb.freed_tables);
	tlb_remove_table(&tlb, two, BASE + 7 * (uintptr_t)PGT_SIZE(1) + 3);
	EXPECT_EQ(tlb.end, BASE + 7 * PGT_SIZE(1) + PAGE_SIZE);
	EXPECT_EQ(mm->pgtable_pages, global_node_page_state(NR_PAGETABLE) ? mm->pgtable_pages : 0);
	tlb_finish_mmu(&tlb);
	EXPECT(!tlb.freed_tables && !tlb.tables);
	mmput(mm);
}

/* ---- Many pages ---- */

/* As a caller does it: flush when asked to. Return: flushes on the way. */
static unsigned int give(struct mmu_gather *tlb, struct page **pages, unsigned int nr)
{
	unsigned int flushes = 0;

	for (unsigned int i = 0; i < nr; i++) {
		tlb_remove_entry(tlb, 0, BASE + i * PAGE_SIZE);
		if (!tlb_remove_page(tlb, pages[i]))
			continue;
		tlb_flush_mmu(tlb);
		for (unsigned int k = 0; k <= i; k++)
			EXPECT(freed(pages[k]));
		flushes++;
	}
	return flushes;
}

#define MANY 700u /* more than the local batch and one page of pointers on 64-bit machines */

static struct page *many[MANY];

static bool get_many(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		many[i] = frame();
		if (!many[i])
			return false;
	}
	return true;
}

static void put_many(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		put_page(many[i]);
	memset(many, 0, sizeof(many));
}

TEST(gather, batches_come_from_the_page_allocator)
{
	struct mm_struct *mm = space();
	struct mmu_gather tlb;

	ASSERT(mm && get_many(MANY));
	tlb_gather_mmu(&tlb, mm);
	EXPECT_EQ(give(&tlb, many, MANY), 0);
	EXPECT(tlb.batches >= 1);
	EXPECT(!freed(many[0]) && !freed(many[MANY - 1]));
	tlb_finish_mmu(&tlb);
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT(freed(many[i]));
	put_many(MANY);
	mmput(mm);
}

/* Every allocation of a batch fails: the gather asks for a flush each time its own is full. */
TEST(gather, without_memory_it_flushes_early)
{
	struct mm_struct *mm = space();
	unsigned int nr = 3 * MMU_GATHER_BUNDLE + 1, flushes = 0;
	struct mmu_gather tlb;
	unsigned long gen;

	NEEDS_TABLES();
	ASSERT(mm && get_many(nr));
	gen = mm->tlb_gen;
	tlb_gather_mmu(&tlb, mm);
	for (unsigned int i = 0; i < nr; i++) {
		fail_nth_set(1);
		flushes += give(&tlb, many + i, 1);
		fail_nth_set(0);
	}
	EXPECT_EQ(flushes, 3);
	EXPECT_EQ(tlb.batches, 0);
	EXPECT(!freed(many[nr - 1]));
	tlb_finish_mmu(&tlb);
	EXPECT_EQ(mm->tlb_gen, gen + 4);
	EXPECT(freed(many[nr - 1]));
	put_many(nr);
	mmput(mm);
}

/* Who does not flush when asked loses the page, and is told. */
TEST(gather, a_full_gather_loses_what_is_added)
{
	struct mm_struct *mm = space();
	unsigned int nr = MMU_GATHER_BUNDLE + 1;
	struct mmu_gather tlb;
	bool asked = false;

	ASSERT(mm && get_many(nr));
	tlb_gather_mmu(&tlb, mm);
	fail_nth_set(1);
	for (unsigned int i = 0; i < MMU_GATHER_BUNDLE; i++)
		asked = tlb_remove_page(&tlb, many[i]);
	fail_nth_set(0);
	EXPECT(asked);
	test_capture_begin();
	EXPECT(tlb_remove_page(&tlb, many[nr - 1]));
	EXPECT(strstr(test_capture_end(), "stays out of use") != NULL);
	tlb_remove_entry(&tlb, 0, BASE);
	tlb_finish_mmu(&tlb);
	EXPECT(freed(many[0]) && !freed(many[nr - 1]));
	put_page(many[nr - 1]);
	put_many(nr);
	mmput(mm);
}

/* Frames go back in the order they came: the last one freed on this CPU is the last one that went in. */
TEST(gather, order_is_kept)
{
	struct mm_struct *mm = space();
	struct mmu_gather tlb;

	ASSERT(mm && get_many(100));
	tlb_gather_mmu(&tlb, mm);
	(void)give(&tlb, many, 100);
	for (unsigned int i = 0; i < MMU_GATHER_BUNDLE; i++)
		EXPECT(tlb.local.pages[i] == many[i]);
	ASSERT(tlb.local.next);
	for (unsigned int i = MMU_GATHER_BUNDLE; i < 100; i++)
		EXPECT(tlb.local.next->pages[i - MMU_GATHER_BUNDLE] == many[i]);
	tlb_finish_mmu(&tlb);
	put_many(100);
	mmput(mm);
}

/* ---- Whole address spaces, and two at once ---- */

TEST(gather, a_whole_address_space_is_flushed_once)
{
	struct mm_struct *mm = space();
	unsigned long all = vm_event_sum(NR_TLB_LOCAL_FLUSH_ALL);
	struct mmu_gather tlb;
	struct page *page = frame();

	NEEDS_TABLES();
	ASSERT(mm && page);
	switch_mm(mm);
	tlb_gather_mmu_fullmm(&tlb, mm);
	tlb_remove_entry(&tlb, 0, BASE);
	EXPECT(!tlb_remove_page(&tlb, page));
	tlb_finish_mmu(&tlb);
	EXPECT(freed(page));
	EXPECT_EQ(vm_event_sum(NR_TLB_LOCAL_FLUSH_ALL) - all, 1);
	switch_mm(&init_mm);
	put_page(page);
	mmput(mm);
}

/* The second found nothing there, as the first has taken it; it must not return before that is flushed. */
TEST(gather, two_at_once_flush_for_each_other)
{
	struct mm_struct *mm = space();
	struct mmu_gather first, second;
	unsigned long gen;

	NEEDS_TABLES();
	ASSERT(mm);
	gen = mm->tlb_gen;
	tlb_gather_mmu(&first, mm);
	tlb_remove_entry(&first, 0, BASE);
	tlb_gather_mmu(&second, mm);
	EXPECT_EQ(mm->gathers, 2);
	tlb_finish_mmu(&second);
	EXPECT_EQ(mm->tlb_gen, gen + 1);
	tlb_finish_mmu(&first);
	EXPECT_EQ(mm->tlb_gen, gen + 2);
	EXPECT_EQ(mm->gathers, 0);
	mmput(mm);
}
