// SPDX-License-Identifier: MIT
/* msync(2): what was written through shared mappings reaches the file. */
#include "vm.h"

/*
 * One VMA's part, from *@addr on. The mmap lock is let go of while a file is written, *@locked says so. Return: 0 or an
 * errno that ends it.
 */
static long sync_vma(struct vm_area_struct *vma, uintptr_t *addr, uintptr_t end, int flags, bool *locked)
{
	uintptr_t stop = min(vma->vm_end, end);
	struct file *file = vma->vm_file;
	u64 from = (u64)linear_page_index(vma, *addr) << PAGE_SHIFT;
	size_t len = stop - *addr;
	long err = 0;

	if (flags & MS_INVALIDATE && vma->vm_flags & VM_LOCKED)
		return -EBUSY;
	*addr = vma->vm_end;
	if (!(flags & MS_SYNC) || !file || !(vma->vm_flags & VM_SHARED))
		return 0;
	get_file(file);
	mmap_read_unlock(vma->vm_mm);
	*locked = false;
	err = file->f_op->fsync ? file->f_op->fsync(file, from, from + len - 1, true) : -EINVAL;
	fput(file);
	return err;
}

long ksys_msync(uintptr_t addr, size_t len, int flags)
{
	struct mm_struct *mm = current_task()->mm;
	uintptr_t end = addr + ALIGN(len, PAGE_SIZE);
	long err = 0, hole = 0;
	bool locked;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || addr & ~PAGE_MASK ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	if (end == addr)
		return 0;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	locked = true;
	while (!err && addr < end) {
		struct vm_area_struct *vma;

		if (!locked)
			mmap_read_lock(mm);
		locked = true;
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start >= end) {
			hole = -ENOMEM;
			break;
		}
		if (vma->vm_start > addr) {
			hole = -ENOMEM;
			addr = vma->vm_start;
		}
		err = sync_vma(vma, &addr, end, flags, &locked);
	}
	if (locked)
		mmap_read_unlock(mm);
	return err ? err : hole;
}
