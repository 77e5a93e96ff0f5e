/* SPDX-License-Identifier: MIT */
/* Shared last-level tables inside: what fork.c, exit.c and rmap.c use. The theory is in share.c. */
#ifndef MM_VM_SHARE_H
#define MM_VM_SHARE_H

#include "../pgtable/tables.h"
#include "rmap.h"

static inline struct page *table_page(const pgt_entry_t *table)
{
	return pfn_to_page(PFN_DOWN(virt_to_phys(table)));
}

static inline pgt_entry_t *table_of_entry(pgt_entry_t *entry)
{
	return (pgt_entry_t *)((uintptr_t)entry & PAGE_MASK);
}

/* Address spaces whose upper entries lead to the table. Context: the table's lock, or a hint. */
static inline unsigned int table_sharers(const struct page *table)
{
	return (unsigned int)page_ref_count(table);
}

/* The entry above the last-level table of @addr if there is such a table, or NULL. */
static force_inline pgt_entry_t *upper_entry(struct mm_struct *mm, uintptr_t addr, pgt_entry_t *value)
{
	unsigned int level;
	pgt_entry_t *upper = pgt_descend(mm, addr, 1, &level);

	*value = pgt_get_table(upper);
	return level == 1 && pgt_table(1, *value) ? upper : NULL;
}

/*
 * table_lock_find - the last-level entry of @addr, its table's lock held, for those who have no lock of a VMA's: rmap
 * Return: NULL: no table.
 */
pgt_entry_t *table_lock_find(struct mm_struct *mm, uintptr_t addr, spinlock_t **lock);

/*
 * table_count - an entry of the table comes or goes: @n more pages of MM_*PAGES @which
 * Counted in mm->rss, or, while the table is shared, in the table for all who share it. Context: the table's lock.
 */
void table_count_shared(struct page *table, unsigned int which, long n);
static force_inline void table_count(struct mm_struct *mm, struct page *table, unsigned int which, long n)
{
	if (likely(!pgt_page_of(table)->shared))
		mm_counter_add(mm, which, n);
	else
		table_count_shared(table, which, n);
}
/* The pages that mm->rss has not heard of. */
long table_delta(const struct page *table, unsigned int which);
/* mm->rss hears of them. Context: the table's lock. */
void table_fold(struct mm_struct *mm, struct page *table);

/*
 * A fork under way. The child's pages are those of the parent's mm->rss, which is looked at when all tables have been
 * shared. Truncation, which has no lock of a VMA's, may make one its address space's own before, on either side: what
 * the table counts for, in which both had to be alike until then, the child is told at once, and the parent's rss,
 * which says something else now, is looked at again (fork.c).
 */
#define FORK_COUNTED (~0u)
struct fork_count {
	struct mm_struct *parent, *child;
	unsigned int left; /* (a) how often that was; FORK_COUNTED: it does not matter any more */
};
/* @mm is about to make the table its own, or to leave it. Context: the locks of both. */
void fork_table_left(struct mm_struct *mm, uintptr_t addr, struct page *table);

/* The page of an entry, told without its VMA; NULL: none that is counted. */
struct page *entry_page(pgt_entry_t e);
/* Which of mm->rss an entry is counted in; NR_MM_COUNTERS: none. */
unsigned int entry_counter(pgt_entry_t e);
/* What @e, which is at @entry, becomes when two tables have it: counts are taken, exclusiveness is lost. */
pgt_entry_t entry_share(pgt_entry_t *entry, pgt_entry_t e);

/*
 * vm_leave_table - the entry @upper above a shared last-level table, for [@start, + its size), goes; after the gather's
 * flush the table has one sharer less
 * @count: mm->rss loses what is in it. Return: false: it was not shared, or is not now.
 */
bool vm_leave_table(struct mmu_gather *tlb, struct mm_struct *mm, pgt_entry_t *upper, uintptr_t start, bool count);
/* free_pgtables() where no table is shared. */
void free_own_tables(struct mmu_gather *tlb, struct mm_struct *mm, uintptr_t start, uintptr_t end, uintptr_t floor,
		     uintptr_t ceiling);
/* This address space's table from now on; the tables' locks are held. */
void table_take_over(struct mm_struct *mm, pgt_entry_t *upper, struct page *table);
/* A flush is over: what tlb_shared_table_put does. */
void table_put(struct mm_struct *mm, struct page *table);

#endif
