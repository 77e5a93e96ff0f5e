// SPDX-License-Identifier: MIT
/*
 * The end of an address space, in bulk: shared tables are left without a look at what is in them, the rest is zapped
 * into one gather, and one flush covers all.
 */
#include "../base/printk.h"
#include "share.h"

/* Tables that others use, too. Return: there were some whose pages mm->rss still counts. */
static bool leave_shared_tables(struct mmu_gather *tlb, struct mm_struct *mm, struct vm_area_struct *first)
{
	uintptr_t looked = 0; /* up to here */
	bool left = false;

	if (!(load_relaxed(&mm->flags) >> MMF_HAS_SHARED_TABLES & 1))
		return false;
	for (struct vm_area_struct *vma = first; vma; vma = vma_next(vma)) {
		uintptr_t addr = max(vma->vm_start, looked);

		for (; addr < vma->vm_end; addr = pgt_addr_end(addr, vma->vm_end, 1)) {
			pgt_entry_t e, *upper = upper_entry(mm, addr, &e);

			if (upper && !pgt_table_write(1, e))
				left |= vm_leave_table(tlb, mm, addr & (uintptr_t)PGT_MASK(1), false);
		}
		looked = pgt_last(1, vma->vm_end - 1);
	}
	return left;
}

/* The pages that are left. Return: of them, those that count against overcommit. */
static unsigned long zap_all(struct mmu_gather *tlb, struct vm_area_struct *first)
{
	unsigned long accounted = 0;

	for (struct vm_area_struct *vma = first; vma; vma = vma_next(vma)) {
		zap_page_range(tlb, vma, vma->vm_start, vma->vm_end, NULL);
		if (vma->vm_flags & VM_ACCOUNT)
			accounted += vma_pages(vma);
	}
	return accounted;
}

static void free_all_tables(struct mmu_gather *tlb, struct mm_struct *mm, struct vm_area_struct *first)
{
	for (struct vm_area_struct *vma = first, *next; vma; vma = next) {
		uintptr_t start = vma->vm_start;

		next = vma_next(vma);
		/* One call for VMAs that may have a table in common. */
		while (next && next->vm_start - vma->vm_end < (uintptr_t)PGT_SIZE(1)) {
			vma = next;
			next = vma_next(vma);
		}
		free_pgtables(tlb, mm, start, vma->vm_end, 0, next ? next->vm_start : mm->task_size);
	}
}

/* Nothing is mapped, so nothing may be counted. */
static void check_counts(const struct mm_struct *mm)
{
	static const char *const names[] = { "MM_FILEPAGES", "MM_ANONPAGES", "MM_SWAPENTS", "MM_SHMEMPAGES" };

	for (unsigned int i = 0; i < NR_MM_COUNTERS; i++)
		if (unlikely(mm->rss[i]))
			pr_err("BUG: Bad rss-counter state mm:%lu type:%s val:%ld\n", mm->ctx_id, names[i], mm->rss[i]);
}

void exit_mmap(struct mm_struct *mm)
{
	struct vm_area_struct *first = find_vma(mm, 0), *next;
	unsigned long accounted;
	struct mmu_gather tlb;
	bool left;

	if (!first)
		return;
	mmap_write_lock(mm);
	tlb_gather_mmu_fullmm(&tlb, mm);
	left = leave_shared_tables(&tlb, mm, first);
	accounted = zap_all(&tlb, first);
	for (struct vm_area_struct *vma = first; vma; vma = vma_next(vma)) {
		unlink_anon_vmas(vma);
		vma_unlink_file(vma);
	}
	free_all_tables(&tlb, mm, first);
	tlb_finish_mmu(&tlb);
	first = vma_detach_all(mm);
	mmap_write_unlock(mm);
	for (struct vm_area_struct *vma = first; vma; vma = next) {
		next = vma->vm_next;
		vm_area_free(vma);
	}
	if (accounted)
		vm_unacct_memory(accounted);
	if (!left)
		check_counts(mm);
}
