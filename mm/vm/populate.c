// SPDX-License-Identifier: MIT
/*
 * Pages ahead of their use: MAP_POPULATE, mlock(), madvise(MADV_POPULATE_READ, _WRITE).
 *
 * Where private anonymous memory is empty, pages are got, cleared and entered by the row, with one look at the table
 * and one lock for all of them.
 */
#include "../base/string.h"
#include "../phys/vmstat.h"
#include "gup.h"
#include "mlock.h"
#include "share.h"
#include "thp.h"

/* Pages in a row: what the page allocator hands out at once (a row of 64 frames), and 512 bytes of stack. */
#define ROW 64u

/* Pages are cleared and ready: those whose entries are still none go in. Return: how many. */
static unsigned long enter_row(struct vm_fault *vmf, struct page **pages, unsigned long nr)
{
	struct vm_area_struct *vma = vmf->vma;
	pgt_entry_t *entry = vmf->entry;
	struct mapped_count mapped = { 0, 0 };
	unsigned long n = 0;

	spin_lock(vmf->lock);
	/* Up to the first that somebody else was quicker with. */
	for (; n < nr && likely(pgt_none(pgt_get(entry + n))); n++) {
		page_become_anon(pages[n], vma, vmf->address + (n << PAGE_SHIFT));
		mapped_count_add(&mapped, pages[n], 1);
		pgt_fill(entry + n, vm_fresh_entry(vma, page_to_pfn(pages[n])));
	}
	mm_counter_add(vma->vm_mm, MM_ANONPAGES, (long)n);
	spin_unlock(vmf->lock);
	mapped_count_tell(&mapped);
	return n;
}

/* Return: pages entered; 0: do it one by one. */
static unsigned long populate_row(struct vm_area_struct *vma, uintptr_t addr, uintptr_t end)
{
	struct vm_fault vmf = { .vma = vma, .address = addr };
	struct page *pages[ROW];
	unsigned long nr, got, entered;

	if (!vma_is_anonymous(vma) || vma->vm_flags & (VM_SHARED | VM_UFFD_ANY) || !(vma->vm_flags & VM_WRITE) ||
	    thp_orders(vma) || anon_vma_prepare(vma) || !vmf_find_entry(&vmf))
		return 0;
	nr = min((end - addr) >> PAGE_SHIFT, (uintptr_t)ROW);
	nr = min(nr, (unsigned long)(PGT_ENTRIES(0) - pgt_index(0, addr)));
	nr = pgt_none_run(vmf.entry, (unsigned int)nr);
	if (nr < 2)
		return 0;
	memset(pages, 0, nr * sizeof(pages[0]));
	got = alloc_pages_bulk(GFP_HIGHUSER_MOVABLE, nr, pages);
	for (unsigned long i = 0; i < got; i++)
		clear_highpage(pages[i]);
	entered = enter_row(&vmf, pages, got);
	for (unsigned long i = entered; i < got; i++)
		put_page(pages[i]);
	count_vm_events(PGFAULT, entered);
	return entered;
}

/* Return: 0; -EINTR; the errno of what stands in the way. */
static long populate_page(struct vm_area_struct *vma, uintptr_t addr, bool write, bool *locked)
{
	unsigned int foll = (write ? FOLL_WRITE : 0) | FOLL_FORCE;
	unsigned int flags = write ? FAULT_FLAG_WRITE : 0;
	int err;

	while (!follow_page(vma, addr, foll, &err)) {
		if (err)
			return err;
		if (fatal_signal_pending(current_task()))
			return -EINTR;
		err = faultin_page(vma, addr, flags, locked);
		if (err || (locked && !*locked))
			return err;
	}
	return 0;
}

long populate_vma_range(struct vm_area_struct *vma, uintptr_t *addr, uintptr_t end, bool write, bool *locked)
{
	while (*addr < end) {
		unsigned long row = write ? populate_row(vma, *addr, end) : 0;
		long err;

		if (fatal_signal_pending(current_task()))
			return -EINTR;
		if (row) {
			*addr += row << PAGE_SHIFT;
			continue;
		}
		err = populate_page(vma, *addr, write, locked);
		if (err || (locked && !*locked))
			return err;
		*addr += PAGE_SIZE;
	}
	return 0;
}

/* What mlock() and MAP_POPULATE want of a VMA: private pages of its own where it may write. */
static long populate_vma(struct vm_area_struct *vma, uintptr_t *at, uintptr_t end, bool *locked)
{
	bool write = (vma->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
	uintptr_t start = *at;
	long err;

	*at = end;
	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_LOCKONFAULT))
		return 0;
	if (!vma_is_accessible(vma))
		return -EFAULT;
	*at = start;
	err = populate_vma_range(vma, at, end, write, locked);
	if (*locked && unlikely(vma->vm_flags & VM_LOCKED))
		mlock_vma_pages(vma, start, end);
	return err;
}

/* @any: every error ends it, or only the caller's death, and the rest of that VMA is left out. */
static long populate_range(struct mm_struct *mm, uintptr_t at, uintptr_t end, bool any)
{
	bool locked = false;
	long err = 0;

	while (at < end) {
		struct vm_area_struct *vma;
		uintptr_t stop;

		if (!locked && mmap_read_lock_killable(mm))
			return -EINTR;
		locked = true;
		vma = find_vma(mm, at);
		if (!vma || vma->vm_start >= end)
			break;
		at = max(at, vma->vm_start);
		stop = min(end, vma->vm_end);
		err = populate_vma(vma, &at, stop, &locked);
		if (err && (any || err == -EINTR))
			break;
		if (err)
			at = stop;
	}
	if (locked)
		mmap_read_unlock(mm);
	return err;
}

long mm_populate(struct mm_struct *mm, uintptr_t start, uintptr_t end)
{
	return populate_range(mm, start, end, true);
}

void mm_populate_all(struct mm_struct *mm)
{
	(void)populate_range(mm, 0, UINTPTR_MAX, false);
}
