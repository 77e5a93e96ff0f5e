// SPDX-License-Identifier: MIT
/* mprotect(2), pkey_mprotect(2), mseal(2) and remap_file_pages(2). */
#include "pkeys.h"
#include "userfaultfd.h"

#define PROT_SEM 0x8ul
#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)

/* Flags that are no longer accounted are given back after the change; -ENOMEM: too much. */
static int charge(struct vm_area_struct *vma, vm_flags_t *flags, unsigned long pages, unsigned long *charged)
{
	const struct mm_task *task = this_task();
	vm_flags_t old = vma->vm_flags;

	*charged = 0;
	if (!(*flags & VM_WRITE)) {
		if (old & VM_ACCOUNT && vma_is_anonymous(vma) && !has_anon(vma))
			*flags &= ~VM_ACCOUNT;
		return 0;
	}
	/* What becomes data counts as such; who is beyond the limit already may go on. */
	if (!may_expand_vm(vma->vm_mm, task->process, *flags, pages) &&
	    may_expand_vm(vma->vm_mm, task->process, old, pages))
		return -ENOMEM;
	if (old & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE))
		return 0;
	if (vm_acct_memory(task, pages))
		return -ENOMEM;
	*charged = pages;
	*flags |= VM_ACCOUNT;
	return 0;
}

unsigned int protect_change_flags(const struct vm_area_struct *vma)
{
	bool writable;

	/* Entries that may be writable at once are made so: else each would cost a fault. */
	if (vma->vm_flags & VM_SHARED)
		writable = vma_wants_writenotify(vma);
	else
		writable = vma->vm_flags & VM_WRITE;
	return writable ? MM_CP_TRY_WRITE : 0;
}

/* [start, end) of @vma gets @flags. *@pvma: what covers it afterwards. */
static int protect(struct mmu_gather *tlb, struct vm_area_struct **pvma, uintptr_t start, uintptr_t end,
		   vm_flags_t flags)
{
	struct vm_area_struct *vma = *pvma;
	struct mm_struct *mm = vma->vm_mm;
	unsigned long pages = pages_of(end - start), charged;
	vm_flags_t old = vma->vm_flags;
	int err;

	if (!can_modify(vma))
		return -EPERM;
	if (flags == old)
		return 0;
	/* A table that is shared is copied first: the change itself must not fail. */
	if (load_relaxed(&mm->flags) & 1ul << MMF_HAS_SHARED_TABLES) {
		err = vm_own_tables(vma, start, end);
		if (err)
			return err;
	}
	err = charge(vma, &flags, pages, &charged);
	if (err)
		return err;
	vma = vma_modify_flags(vma, start, end, flags, &err);
	if (!vma) {
		if (charged)
			vm_unacct_memory(charged);
		return err;
	}
	*pvma = vma;
	vma_set_page_prot(vma);
	(void)change_protection(tlb, vma, start, end, protect_change_flags(vma));
	if (old & VM_ACCOUNT && !(flags & VM_ACCOUNT))
		vm_unacct_memory(pages);
	/* What was locked read only is to be copied now rather than by faults. */
	if ((old & (VM_WRITE | VM_SHARED | VM_LOCKED_MASK)) == VM_LOCKED && flags & VM_WRITE)
		(void)populate_vma_range(vma, &start, end, true, NULL);
	vm_stat_account(mm, old, -(long)pages);
	vm_stat_account(mm, flags, (long)pages);
	return 0;
}

/* Where it begins and ends, with PROT_GROWSDOWN. Return: the first VMA, or NULL and *@err. */
static struct vm_area_struct *first_of(struct mm_struct *mm, uintptr_t *start, uintptr_t end, unsigned long grows,
				       int *err)
{
	struct vm_area_struct *vma = find_vma(mm, *start);

	*err = -ENOMEM;
	if (!vma || vma->vm_start >= end)
		return NULL;
	if (grows & PROT_GROWSDOWN) {
		*start = vma->vm_start;
		*err = -EINVAL;
		return vma->vm_flags & VM_GROWSDOWN ? vma : NULL;
	}
	if (vma->vm_start > *start)
		return NULL;
	*err = -EINVAL; /* nothing grows up */
	return grows & PROT_GROWSUP ? NULL : vma;
}

static int protect_range(struct mm_struct *mm, uintptr_t start, uintptr_t end, unsigned long prot,
			 unsigned long grows, int pkey)
{
	bool implied = this_task()->process->personality & PERSONALITY_READ_IMPLIES_EXEC && prot & PROT_READ;
	struct vm_area_struct *vma;
	struct mmu_gather tlb;
	uintptr_t at;
	int err;

	vma = first_of(mm, &start, end, grows, &err);
	if (!vma)
		return err;
	tlb_gather_mmu(&tlb, mm);
	for (at = start, err = 0; !err && at < end; vma = vma->vm_next) {
		vm_flags_t flags, key = vma ? vma->vm_flags & VM_PKEY_MASK : 0;
		uintptr_t last;

		if (!vma || vma->vm_start > at) {
			err = -ENOMEM;
			break;
		}
		last = min(vma->vm_end, end);
		if (pkey >= 0)
			key = (vm_flags_t)pkey << VM_PKEY_SHIFT;
		flags = prot_flags(prot) | (implied && vma->vm_flags & VM_MAYEXEC ? VM_EXEC : 0) | key;
		flags |= vma->vm_flags & ~(VM_ACCESS_FLAGS | VM_PKEY_MASK);
		if (flags & ~(flags >> 4) & VM_ACCESS_FLAGS || mdwe_denies(mm, vma->vm_flags, flags))
			err = -EACCES;
		else if (vma->vm_ops && vma->vm_ops->mprotect)
			err = vma->vm_ops->mprotect(vma, at, last, flags);
		if (!err)
			err = protect(&tlb, &vma, at, last, flags);
		at = max(last, vma->vm_end);
	}
	tlb_finish_mmu(&tlb);
	return err;
}

long ksys_pkey_mprotect(uintptr_t addr, size_t len, unsigned long prot, int pkey)
{
	unsigned long grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	struct mm_struct *mm = this_task()->mm;
	uintptr_t end;
	long ret;

	prot &= ~(unsigned long)(PROT_GROWSDOWN | PROT_GROWSUP);
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || addr & ~PAGE_MASK)
		return -EINVAL;
	if (!len)
		return 0;
	end = addr + page_align(len);
	if (end <= addr)
		return -ENOMEM;
	if (prot & ~PROT_ALL)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	/* Key 0 is everybody's. */
	if (pkey != -1 && !mm_pkey_is_allocated(mm, pkey))
		ret = -EINVAL;
	else
		ret = protect_range(mm, addr, end, prot, grows, pkey);
	mmap_write_unlock(mm);
	return ret;
}

long ksys_mprotect(uintptr_t addr, size_t len, unsigned long prot)
{
	return ksys_pkey_mprotect(addr, len, prot, -1);
}

/* ---- mseal ---- */

static bool mapped_throughout(const struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	for (; vma && vma->vm_start <= start; vma = vma->vm_next) {
		if (vma->vm_end >= end)
			return true;
		start = vma->vm_end;
	}
	return false;
}

static int seal_range(struct mm_struct *mm, uintptr_t start, uintptr_t end)
{
	struct vm_area_struct *vma = find_vma(mm, start);

	if (!mapped_throughout(vma, start, end))
		return -ENOMEM;
	while (start < end) {
		uintptr_t last = min(vma->vm_end, end);
		int err;

		if (can_modify(vma)) {
			vma = vma_modify_flags(vma, start, last, vma->vm_flags | VM_SEALED, &err);
			if (!vma)
				return err;
		}
		start = max(last, vma->vm_end);
		vma = vma->vm_next;
	}
	return 0;
}

long ksys_mseal(uintptr_t addr, size_t len, unsigned long flags)
{
	struct mm_struct *mm = this_task()->mm;
	size_t size = page_align(len);
	long ret;

	if (sizeof(long) < 8)
		return -EPERM; /* there is no flag for it on 32-bit machines */
	if (flags || addr & ~PAGE_MASK || (len && !size) || addr + size < addr)
		return -EINVAL;
	if (!size)
		return 0;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = seal_range(mm, addr, addr + size);
	mmap_write_unlock(mm);
	return ret;
}

/* ---- remap_file_pages: since Linux 4.0 a mapping of its own in place of a part of another ---- */

/* One file in one way from @start on, without a gap. */
static bool one_mapping(const struct vm_area_struct *vma, uintptr_t end)
{
	const struct vm_area_struct *next;

	for (; vma->vm_end < end; vma = next) {
		next = vma->vm_next;
		if (!next || next->vm_start != vma->vm_end || next->vm_file != vma->vm_file ||
		    next->vm_flags != vma->vm_flags)
			return false;
	}
	return true;
}

static long remap_pages(struct mm_struct *mm, uintptr_t start, size_t size, unsigned long pgoff, unsigned long flags,
			size_t *populate)
{
	const struct vm_area_struct *vma = vma_lookup(mm, start);
	unsigned long prot = 0;
	struct file *file;
	long ret;

	if (!vma || !(vma->vm_flags & VM_SHARED) || !one_mapping(vma, start + size))
		return -EINVAL;
	prot |= vma->vm_flags & VM_READ ? PROT_READ : 0;
	prot |= vma->vm_flags & VM_WRITE ? PROT_WRITE : 0;
	prot |= vma->vm_flags & VM_EXEC ? PROT_EXEC : 0;
	flags = (flags & MAP_NONBLOCK) | MAP_SHARED | MAP_FIXED | MAP_POPULATE;
	if (vma->vm_flags & VM_LOCKED)
		flags |= MAP_LOCKED;
	file = vma->vm_file;
	if (!file)
		return -EINVAL;
	file = get_file(file);
	ret = do_mmap(mm, file, start, size, prot, flags, 0, pgoff, populate);
	fput(file);
	return is_error(ret) ? ret : 0;
}

long ksys_remap_file_pages(uintptr_t addr, size_t size, unsigned long prot, unsigned long pgoff, unsigned long flags)
{
	struct mm_struct *mm = this_task()->mm;
	size_t populate = 0;
	long ret;

	if (prot)
		return -EINVAL;
	addr &= PAGE_MASK;
	size &= PAGE_MASK;
	if (addr + size <= addr || pgoff + pages_of(size) < pgoff)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = remap_pages(mm, addr, size, pgoff, flags, &populate);
	mmap_write_unlock(mm);
	userfaultfd_tell(true);
	if (populate)
		(void)mm_populate(mm, addr, addr + populate);
	return ret;
}
