// SPDX-License-Identifier: MIT
/*
 * Memory that stays: mlock(2) and its kin.
 *
 * Words
 *	locked VMA: has VM_LOCKED; counts in mm->locked_vm, against RLIMIT_MEMLOCK. With VM_LOCKONFAULT its pages come
 *	when they are used, else all at once.
 *	mlocked folio: PG_mlocked: some locked VMA maps it. NR_MLOCK counts their pages.
 *
 * Who sets PG_mlocked: mlock() of what is mapped already, populate and faults of what comes later, and migration when
 * a locked VMA's entry leads to the new folio. Who clears it:
 * munlock(), munmap() and exit of a locked VMA, whoever takes a folio's last entry, and the page allocator, to which
 * one may come back with it.
 *
 * Invariants
 *	MO-I1  mm->locked_vm is the number of pages of locked VMAs (VA-I3 checks it).
 *	MO-I2  no free page is mlocked.
 *	MO-I3  while nobody is at work, NR_MLOCK is the number of pages of folios with PG_mlocked.
 *
 * Locking
 *	The flag is changed atomically, and whoever changed it counts. A VMA's flags change before its pages are looked
 *	at, so that faults meanwhile see them.
 *
 * Differences from Linux
 *	A folio that two locked VMAs map is mlocked until the first of them lets go of it; Linux counts them if it can.
 *	There are no batches: the count is right at once.
 *
 * Sources: mlock(2), mlockall(2), getrlimit(2), Documentation/mm/unevictable-lru.rst.
 */
#include "mlock.h"

#include "../lru/lru.h"
#include "../phys/vmstat.h"
#include "entries.h"
#include "vma.h"

static void count_mlocked(const struct folio *folio, long sign)
{
	mod_zone_page_state(page_zone(&folio->page), NR_MLOCK, sign * (long)folio_nr_pages(folio));
}

void mlock_folio(struct folio *folio)
{
	if (!TestSetPageMlocked(&folio->page)) {
		count_mlocked(folio, 1);
		folio_lru_mlock(folio);
	}
}

void mlock_forget(struct folio *folio)
{
	if (TestClearPageMlocked(&folio->page)) {
		count_mlocked(folio, -1);
		folio_lru_munlock(folio);
	}
}

static void mlock_entries(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	bool lock = walk->arg != NULL;

	for (; addr < end; addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);
		struct page *page = pgt_present(e) ? vm_normal_page(walk->vma, addr, e) : NULL;
		struct folio *folio;

		if (!page)
			continue;
		folio = page_folio(page);
		if (PageMlocked(&folio->page) == lock)
			continue;
		if (lock)
			mlock_folio(folio);
		else
			mlock_forget(folio);
	}
}

/* It changes no entry, so there is nothing that could fail. */
void mlock_vma_pages(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct entries_walk walk = { .vma = vma, .table = mlock_entries, .arg = &walk };

	(void)entries_walk(&walk, start, end);
}

void munlock_vma_pages(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct entries_walk walk = { .vma = vma, .table = mlock_entries };

	(void)entries_walk(&walk, start, end);
}

void munlock_all_pages(struct mm_struct *mm)
{
	for_each_vma (mm, vma)
		if (vma->vm_flags & VM_LOCKED)
			munlock_vma_pages(vma, vma->vm_start, vma->vm_end);
}

/* ---- VMAs ---- */

static bool never_locked(const struct vm_area_struct *vma)
{
	return vma->vm_flags & (VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE);
}

/* [start, end) of a VMA gets VM_LOCKED and VM_LOCKONFAULT as @flags has them. Return: 0 or an error of vma_modify(). */
static int lock_vma(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, vm_flags_t flags)
{
	vm_flags_t old = vma->vm_flags, new = (old & ~VM_LOCKED_MASK) | flags;
	struct mm_struct *mm = vma->vm_mm;
	long pages = (long)((end - start) >> PAGE_SHIFT);
	int err;

	if (new == old || never_locked(vma))
		return 0;
	vma = vma_modify_flags(vma, start, end, new, &err);
	if (!vma)
		return err;
	if ((old ^ new) & VM_LOCKED) {
		mm->locked_vm += new & VM_LOCKED ? (unsigned long)pages : -(unsigned long)pages;
		if (new & VM_LOCKED)
			mlock_vma_pages(vma, start, end);
		else
			munlock_vma_pages(vma, start, end);
	}
	return 0;
}

/* Return: 0; -ENOMEM: a hole, what comes before it done; -EINVAL: the end of the address space is passed. */
static int lock_range(struct mm_struct *mm, uintptr_t start, size_t len, vm_flags_t flags)
{
	uintptr_t end = start + len, at = start;

	if (end < start)
		return -EINVAL;
	while (at < end) {
		struct vm_area_struct *vma = find_vma(mm, at);
		uintptr_t next;
		int err;

		if (!vma || vma->vm_start > at)
			return -ENOMEM;
		next = min(vma->vm_end, end);
		err = lock_vma(vma, at, next, flags);
		if (err)
			return err;
		at = next;
	}
	return 0;
}

/* ---- Limits ---- */

static unsigned long lock_limit(const struct mm_task *task)
{
	return task_rlimit(task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

/* Pages of the range that are locked already. */
static unsigned long locked_in(struct mm_struct *mm, uintptr_t start, size_t len)
{
	unsigned long pages = 0;
	uintptr_t end = start + len < start ? ~(uintptr_t)0 & PAGE_MASK : start + len;

	for_each_vma_range (mm, vma, start, end)
		if (vma->vm_flags & VM_LOCKED)
			pages += (min(vma->vm_end, end) - max(vma->vm_start, start)) >> PAGE_SHIFT;
	return pages;
}

static bool may_lock(struct mm_struct *mm, uintptr_t start, size_t len)
{
	const struct mm_task *task = current_task();
	unsigned long limit = lock_limit(task), pages = (len >> PAGE_SHIFT) + mm->locked_vm;

	if (pages <= limit || task_capable(task, CAP_IPC_LOCK))
		return true;
	return pages - locked_in(mm, start, len) <= limit;
}

/* What POSIX has for a page that could not be had. */
static long populate_error(long err)
{
	return err == -EFAULT ? -ENOMEM : err == -ENOMEM ? -EAGAIN : err;
}

/* ---- System calls ---- */

long ksys_mlock(uintptr_t addr, size_t len, unsigned int flags)
{
	struct mm_struct *mm = current_task()->mm;
	uintptr_t start = addr & PAGE_MASK;
	long err = -ENOMEM;

	if (flags & ~(unsigned int)MLOCK_ONFAULT)
		return -EINVAL;
	if (!can_do_mlock())
		return -EPERM;
	len = ALIGN(len + (addr & ~PAGE_MASK), PAGE_SIZE);
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (may_lock(mm, start, len))
		err = lock_range(mm, start, len, VM_LOCKED | (flags & MLOCK_ONFAULT ? VM_LOCKONFAULT : 0));
	mmap_write_unlock(mm);
	return err ? err : populate_error(mm_populate(mm, start, start + len));
}

long ksys_munlock(uintptr_t addr, size_t len)
{
	struct mm_struct *mm = current_task()->mm;
	long err;

	len = ALIGN(len + (addr & ~PAGE_MASK), PAGE_SIZE);
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = lock_range(mm, addr & PAGE_MASK, len, 0);
	mmap_write_unlock(mm);
	return err;
}

/* What cannot be changed for want of memory stays as it is: nobody is told. */
static void lock_all(struct mm_struct *mm, vm_flags_t flags)
{
	uintptr_t at = 0;
	struct vm_area_struct *vma;

	while ((vma = find_vma(mm, at))) {
		at = vma->vm_end;
		(void)lock_vma(vma, vma->vm_start, at, flags);
	}
}

long ksys_mlockall(int flags)
{
	const struct mm_task *task = current_task();
	vm_flags_t lock = VM_LOCKED | (flags & MCL_ONFAULT ? VM_LOCKONFAULT : 0);
	struct mm_struct *mm = task->mm;
	long err = -ENOMEM;

	if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!can_do_mlock())
		return -EPERM;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (!(flags & MCL_CURRENT) || mm->total_vm <= lock_limit(task) || task_capable(task, CAP_IPC_LOCK)) {
		mm->def_flags = (mm->def_flags & ~VM_LOCKED_MASK) | (flags & MCL_FUTURE ? lock : 0);
		if (flags & MCL_CURRENT)
			lock_all(mm, lock);
		err = 0;
	}
	mmap_write_unlock(mm);
	/* What cannot be had now will be asked for when it is used. */
	if (!err && flags & MCL_CURRENT)
		mm_populate_all(mm);
	return err;
}

long ksys_munlockall(void)
{
	struct mm_struct *mm = current_task()->mm;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	mm->def_flags &= ~VM_LOCKED_MASK;
	lock_all(mm, 0);
	mmap_write_unlock(mm);
	return 0;
}
