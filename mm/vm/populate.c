// SPDX-License-Identifier: MIT
/*
 * Pages ahead of their use: MAP_POPULATE, mlock(), madvise(MADV_POPULATE_READ, _WRITE).
 */
#include "gup.h"

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

long populate_vma_range(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, bool write, bool *locked)
{
	for (uintptr_t addr = start; addr < end; addr += PAGE_SIZE) {
		long err = populate_page(vma, addr, write, locked);

		if (err || (locked && !*locked))
			return err;
	}
	return 0;
}

/* What mlock() and MAP_POPULATE want of a VMA: private pages of its own where it may write. */
static long populate_vma(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	bool write = (vma->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;

	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_LOCKONFAULT) || !vma_is_accessible(vma))
		return 0;
	return populate_vma_range(vma, start, end, write, NULL);
}

long mm_populate(struct mm_struct *mm, uintptr_t start, uintptr_t end)
{
	long err, first = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma_range (mm, vma, start, end) {
		err = populate_vma(vma, max(start, vma->vm_start), min(end, vma->vm_end));
		if (!first)
			first = err;
		if (err == -EINTR)
			break;
	}
	mmap_read_unlock(mm);
	return first;
}
