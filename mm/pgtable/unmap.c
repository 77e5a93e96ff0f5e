// SPDX-License-Identifier: MIT
/*
 * Unmapping, and giving back tables: those of user address spaces as soon as they are empty, the kernel's when asked.
 */
#include "../base/printk.h"
#include "tables.h"
#include "tlb.h"

/* @table, whose entries from @first to @end - 1 are none: are the others? The neighbours know most often. */
static bool table_empty(const pgt_entry_t *table, unsigned int level, unsigned int first, unsigned int end)
{
	unsigned int entries = PGT_ENTRIES(level);

	if ((first && !pgt_none(pgt_get(table + first - 1))) || (end < entries && !pgt_none(pgt_get(table + end))))
		return false;
	return pgt_none_run(table + end, entries - end) == entries - end && pgt_none_run(table, first) == first;
}

/* Is it one that stays as long as its root? */
static bool hangs_for_ever(unsigned int level)
{
	return PGT_ROOT_FIXED && level + 1 == PGT_ROOT_LEVEL;
}

/* Takes a table off the entry that leads to it. Under page_table_lock. */
static void detach_locked(struct mm_struct *mm, pgt_entry_t *above, unsigned int level, uintptr_t virt,
			  struct mmu_gather *tlb)
{
	pgt_entry_t *table = pgt_table_of(level + 1, pgt_get(above));

	pgt_set(above, 0);
	pgt_entries_changed(mm, level + 1, virt, virt);
	tlb_remove_table(tlb, table, virt & (uintptr_t)PGT_MASK(level + 1));
}

/* The table of @level in which @virt lies, if it is empty, and those above that become so. Under page_table_lock. */
static void free_empty_locked(struct mm_struct *mm, uintptr_t virt, unsigned int level, unsigned int first,
			      unsigned int end, struct mmu_gather *tlb)
{
	for (; level < PGT_ROOT_LEVEL && !hangs_for_ever(level); level++) {
		unsigned int at;
		pgt_entry_t *above = pgt_descend(mm, virt, level + 1, &at);
		pgt_entry_t *table = pgt_table_of(at, pgt_get(above));

		if (!table_empty(table, level, first, end))
			break;
		detach_locked(mm, above, level, virt, tlb);
		first = pgt_index(level + 1, virt);
		end = first + 1;
	}
}

/* What a run of entries had in it: from the first leaf to the last. Nothing: first >= end. */
struct cleared {
	unsigned int first, end;
};

static force_inline struct cleared clear_run(pgt_entry_t *entry, unsigned int nr)
{
	struct cleared c = { 0, nr };
	pgt_entry_t *at;

	c.first = pgt_none_run(entry, nr);
	while (c.first < c.end && pgt_none(pgt_get(entry + c.end - 1)))
		c.end--;
	for (at = entry + c.first; at + 8 <= entry + c.end; at += 8)
#pragma GCC unroll 8
		for (unsigned int i = 0; i < 8; i++)
			pgt_wipe(at + i);
	for (; at < entry + c.end; at++)
		pgt_wipe(at);
	return c;
}

/* Entries of an upper table from @entry on, up to one that leads to a table. */
static unsigned int run_without_tables(const pgt_entry_t *entry, unsigned int level, unsigned int nr)
{
	unsigned int n = 0;

	while (n < nr && !pgt_table(level, pgt_get(entry + n)))
		n++;
	return n;
}

static void note_cleared(struct mm_struct *mm, struct cleared c, unsigned int level, uintptr_t virt,
			 struct mmu_gather *tlb)
{
	uintptr_t first = virt + (uintptr_t)((u64)c.first << PGT_SHIFT(level));
	uintptr_t last = virt + (uintptr_t)((u64)(c.end - 1) << PGT_SHIFT(level));

	if (c.first >= c.end)
		return;
	pgt_entries_changed(mm, level, first, last);
	if (!tlb)
		return;
	tlb_remove_entry(tlb, level, first);
	if (last != first)
		tlb_remove_entry(tlb, level, last);
}

/* Entries for [virt, last] in one table; no leaf reaches across either end. Return: the last address done. */
static force_inline uintptr_t unmap_some(struct mm_struct *mm, uintptr_t virt, uintptr_t last, struct mmu_gather *tlb)
{
	bool user = !pgt_is_kernel(mm);
	unsigned long flags = user ? pgt_tables_lock(mm) : 0;
	unsigned int level, nr, first = 0;
	pgt_entry_t *entry = pgt_descend(mm, virt, 0, &level);
	struct cleared c;
	spinlock_t *lock;
	u64 want;

	first = pgt_index(level, virt);
	want = ((u64)(last - (virt & (uintptr_t)PGT_MASK(level))) >> PGT_SHIFT(level)) + 1;
	nr = (unsigned int)min((u64)pgt_run(level, virt), want);
	if (level)
		nr = run_without_tables(entry, level, nr);
	/* Leaves begin at the multiples of their size. */
	virt &= (uintptr_t)PGT_MASK(level);
	lock = pgt_entries_lock(mm, entry, level);
	c = clear_run(entry, nr);
	note_cleared(mm, c, level, virt, tlb);
	pgt_entries_unlock(lock);
	if (user) {
		free_empty_locked(mm, virt, level, first, first + nr, tlb);
		pgt_tables_unlock(mm, flags);
	}
	sched_point();
	return pgt_last(level, virt + (uintptr_t)((u64)(nr - 1) << PGT_SHIFT(level)));
}

/* The common case in the kernel: one run of small leaves. */
static force_inline bool unmap_at_once(struct mm_struct *mm, uintptr_t virt, u64 size, struct mmu_gather *tlb)
{
	unsigned int nr = (unsigned int)(size >> PAGE_SHIFT), level;
	pgt_entry_t *entry;

	if (!pgt_is_kernel(mm) || PGT_CONT_ENTRIES > 1 || size > (u64)pgt_run(0, virt) << PAGE_SHIFT)
		return false;
	entry = pgt_descend(mm, virt, 0, &level);
	if (level)
		return false;
	note_cleared(mm, clear_run(entry, nr), 0, virt, tlb);
	return true;
}

int pgt_unmap_range(struct mm_struct *mm, uintptr_t virt, u64 size, struct mmu_gather *tlb)
{
	uintptr_t last = virt + (uintptr_t)(size - 1), done;
	int err;

	if (unlikely(!pgt_range_ok(mm, virt, size, __func__)))
		return -EINVAL;
	if (unlikely(!tlb && !pgt_is_kernel(mm))) {
		pr_err("%s: user addresses from %#lx on without a gather\n", __func__, (unsigned long)virt);
		return -EINVAL;
	}
	if (likely(unmap_at_once(mm, virt, size, tlb)))
		return 0;
	err = pgt_split_ends(mm, virt, size, pgt_gfp(mm));
	if (unlikely(err))
		return err;
	do {
		done = unmap_some(mm, virt, last, tlb);
		virt = done + 1;
	} while (done < last);
	return 0;
}

/* Tables of @level wholly in [virt, last]. */
static void free_level(uintptr_t virt, uintptr_t last, unsigned int level, struct mmu_gather *tlb)
{
	u64 size = PGT_SIZE(level + 1);
	u64 at = ALIGN((u64)virt, size);

	while (at >= virt && at + (size - 1) <= last && at + (size - 1) > at) {
		unsigned int found;
		unsigned long flags = pgt_tables_lock(&init_mm);
		pgt_entry_t *above = pgt_descend(&init_mm, (uintptr_t)at, level + 1, &found);
		u64 next = (at & PGT_MASK(found)) + PGT_SIZE(found);

		if (found == level + 1 && pgt_table(found, pgt_get(above))) {
			if (table_empty(pgt_table_of(found, pgt_get(above)), level, 0, 0))
				detach_locked(&init_mm, above, level, (uintptr_t)at, tlb);
			else
				pr_err("page tables: the table of [%#llx, +%#llx) is to be freed and is in use\n",
				       (unsigned long long)at, (unsigned long long)size);
		}
		pgt_tables_unlock(&init_mm, flags);
		if (next <= at)
			break;
		at = next;
	}
}

void pgt_free_kernel_tables(uintptr_t virt, u64 size, struct mmu_gather *tlb)
{
	if (unlikely(!pgt_range_ok(&init_mm, virt, size, __func__)))
		return;
	for (unsigned int level = 0; level < PGT_ROOT_LEVEL && !hangs_for_ever(level); level++)
		free_level(virt, virt + (uintptr_t)(size - 1), level, tlb);
}
