// SPDX-License-Identifier: MIT
/*
 * The end of an address space, in bulk: shared tables are left without a look at what is in them, the rest is zapped
 * into one gather, and one flush covers all.
 */
#include "../base/printk.h"
#include "mlock.h"
#include "share.h"

struct ending {
	struct mmu_gather tlb;
	struct mm_struct *mm;
	bool left; /* tables that others use, too, whose pages mm->rss still counts */
	unsigned long accounted;
};

/*
 * Entries of one table above, @nr from @upper on, the first one's reach beginning at @addr: what is shared is left.
 * Return: how many; at the next one hangs a table of our own.
 */
static unsigned int leave_run(struct ending *end, pgt_entry_t *upper, uintptr_t addr, unsigned int nr)
{
	unsigned int i = 0;

	while (i < nr) {
		pgt_entry_t e = pgt_get(upper + i);

		if (pgt_none(e)) {
			i += pgt_none_run(upper + i, nr - i);
			continue;
		}
		if (pgt_table_write(1, e) ||
		    !vm_leave_table(&end->tlb, end->mm, upper + i, addr + (uintptr_t)((u64)i << PGT_SHIFT(1)), false))
			break;
		end->left = true;
		i++;
	}
	return i;
}

/* The pages of a VMA. What it has no tables for need not be looked at. */
static void end_vma(struct ending *end, struct vm_area_struct *vma)
{
	uintptr_t addr = vma->vm_start;

	while (addr < vma->vm_end) {
		unsigned int level, nr, left = 1;
		pgt_entry_t *upper = pgt_descend(end->mm, addr, 1, &level);
		uintptr_t next = pgt_addr_end(addr, vma->vm_end, 1), last = pgt_last(level, addr);

		if (level == 1) {
			nr = min(pgt_run(1, addr),
				 (unsigned int)((pgt_last(1, vma->vm_end - 1) - addr) >> PGT_SHIFT(1)) + 1);
			left = leave_run(end, upper, addr & (uintptr_t)PGT_MASK(1), nr);
			if (!left)
				zap_page_range(&end->tlb, vma, addr, next, NULL);
			left = max(left, 1u);
		}
		last += (uintptr_t)((u64)(left - 1) << PGT_SHIFT(level));
		if (last >= vma->vm_end - 1)
			break;
		addr = last + 1;
	}
	if (vma->vm_flags & VM_ACCOUNT)
		end->accounted += vma_pages(vma);
}

static void free_all_tables(struct mmu_gather *tlb, struct mm_struct *mm, struct vm_area_struct *first)
{
	for (struct vm_area_struct *vma = first, *next; vma; vma = next) {
		uintptr_t start = vma->vm_start;

		next = vma->vm_next;
		/* One call for VMAs that may have a table in common. */
		while (next && next->vm_start - vma->vm_end < (uintptr_t)PGT_SIZE(1)) {
			vma = next;
			next = vma->vm_next;
		}
		free_own_tables(tlb, mm, start, vma->vm_end, 0, next ? next->vm_start : 0);
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

void (*mm_oom_gone)(struct mm_struct *mm) __memsys;

/* Nothing is left that the OOM killer could wait for, or its reaper take: whoever comes behind this lets it be. */
static void leave_oom_killer(struct mm_struct *mm)
{
	if (unlikely(load_relaxed(&mm->flags) >> MMF_OOM_VICTIM & 1) && mm_oom_gone)
		mm_oom_gone(mm);
}

void exit_mmap(struct mm_struct *mm)
{
	struct vm_area_struct *first = find_vma(mm, 0), *next;
	struct ending end;

	if (!first) {
		mmap_write_lock(mm);
		(void)atomic_fetch_or(&mm->flags, 1ul << MMF_OOM_SKIP);
		mmap_write_unlock(mm);
		leave_oom_killer(mm);
		return;
	}
	end.mm = mm;
	end.left = false;
	end.accounted = 0;
	mmap_write_lock(mm);
	if (unlikely(mm->locked_vm))
		munlock_all_pages(mm);
	tlb_gather_mmu_fullmm(&end.tlb, mm);
	for (struct vm_area_struct *vma = first; vma; vma = vma->vm_next)
		end_vma(&end, vma);
	for (struct vm_area_struct *vma = first; vma; vma = vma->vm_next) {
		unlink_anon_vmas(vma);
		if (vma->vm_file)
			vma_unlink_file(vma);
	}
	free_all_tables(&end.tlb, mm, first);
	tlb_finish_mmu(&end.tlb);
	first = vma_detach_all(mm);
	(void)atomic_fetch_or(&mm->flags, 1ul << MMF_OOM_SKIP);
	mmap_write_unlock(mm);
	leave_oom_killer(mm);
	for (struct vm_area_struct *vma = first; vma; vma = next) {
		next = vma->vm_next;
		vm_area_free(vma);
	}
	if (end.accounted)
		vm_unacct_memory(end.accounted);
	if (!end.left)
		check_counts(mm);
}
