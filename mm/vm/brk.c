// SPDX-License-Identifier: MIT
/* brk(2), and anonymous memory at fixed places for exec: bss and stacks; stacks grow. */
#include "userfaultfd.h"

/* RLIMIT_DATA is for brk's area and the program's data together. */
static bool data_limit_ok(const struct mm_struct *mm, uintptr_t brk)
{
	unsigned long limit = task_rlimit(this_task(), RLIMIT_DATA);

	return limit == RLIM_INFINITY || (brk - mm->start_brk) + (mm->end_data - mm->start_data) <= limit;
}

int do_brk_flags(struct mm_struct *mm, uintptr_t addr, size_t len, vm_flags_t flags, uintptr_t floor)
{
	const struct mm_task *task = this_task();
	struct vm_area_struct *prev, *vma = NULL;
	unsigned long pages = pages_of(len);
	struct vma_like like;
	int err = 0;

	flags |= VM_READ | VM_WRITE | VM_MAY_ALL | VM_ACCOUNT | mm->def_flags;
	if (task->process->personality & PERSONALITY_READ_IMPLIES_EXEC)
		flags |= VM_EXEC;
	if (!may_expand_vm(mm, task->process, flags, pages) ||
	    mm->map_count > (unsigned int)READ_ONCE(sysctl_max_map_count) || vm_acct_memory(task, pages))
		return -ENOMEM;
	like = (struct vma_like){ .start = addr, .end = addr + len, .flags = flags, .pgoff = addr >> PAGE_SHIFT };
	(void)vma_around(mm, addr, &prev);
	if (prev && prev->vm_end > floor)
		vma = vma_merge_new(mm, &like, prev, NULL, &err);
	if (!vma && !err) {
		vma = vm_area_alloc(mm);
		err = vma ? 0 : -ENOMEM;
		if (vma) {
			vma->vm_start = addr;
			vma->vm_end = addr + len;
			vma->vm_pgoff = addr >> PAGE_SHIFT;
			vma->vm_flags = flags;
			vma->vm_page_prot = vm_get_page_prot(flags);
			err = vma_link(mm, vma, prev);
			if (err)
				vma_discard(vma);
		}
	}
	if (err) {
		vm_unacct_memory(pages);
		return err;
	}
	vm_stat_account(mm, flags, (long)pages);
	if (flags & VM_LOCKED)
		mm->locked_vm += pages;
	vma_change_flags(vma, vma->vm_flags | VM_SOFTDIRTY);
	return 0;
}

/* Is there room for the area to reach up to @end, a page before whatever comes next? */
static bool room_up_to(struct mm_struct *mm, uintptr_t from, uintptr_t end)
{
	const struct vm_area_struct *next = find_vma(mm, from);

	return !next || end + PAGE_SIZE <= vm_start_gap(next);
}

/* Return: whether it is @brk now. */
static bool set_brk(struct mm_struct *mm, uintptr_t brk)
{
	uintptr_t now = page_align(mm->brk), wanted = page_align(brk);
	const struct vm_area_struct *vma;

	if (now == wanted)
		return true;
	if (brk <= mm->brk) {
		vma = find_vma(mm, wanted);
		return vma && vma->vm_start < now && !do_munmap(mm, wanted, now - wanted);
	}
	if (is_error(get_unmapped_area(mm, NULL, now, wanted - now, 0, MAP_FIXED)) ||
	    !mlock_future_ok(mm, mm->def_flags, wanted - now) || !room_up_to(mm, now, wanted))
		return false;
	/* What lies below the heap does not become part of it. */
	return !do_brk_flags(mm, now, wanted - now, 0, mm->start_brk);
}

long ksys_brk(uintptr_t brk)
{
	struct mm_struct *mm = this_task()->mm;
	uintptr_t was, ret;
	bool populate = false;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	was = ret = mm->brk;
	if (brk >= mm->start_brk && brk <= mm->task_size && data_limit_ok(mm, brk) && set_brk(mm, brk)) {
		mm->brk = ret = brk;
		populate = brk > was && mm->def_flags & VM_LOCKED;
	}
	mmap_write_unlock(mm);
	userfaultfd_tell(true);
	if (populate)
		(void)mm_populate(mm, page_align(was), page_align(brk));
	return (long)ret;
}

long vm_brk(struct mm_struct *mm, uintptr_t addr, size_t len, bool exec)
{
	size_t size = page_align(len);
	long ret;

	if (size < len)
		return -ENOMEM;
	if (!size)
		return 0;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = get_unmapped_area(mm, NULL, addr, size, 0, MAP_FIXED);
	if (!is_error(ret))
		ret = mlock_future_ok(mm, mm->def_flags, size) ? do_munmap(mm, addr, size) : -EAGAIN;
	if (!ret)
		ret = do_brk_flags(mm, addr, size, exec ? VM_EXEC : 0, 0);
	mmap_write_unlock(mm);
	userfaultfd_tell(true);
	if (!ret && mm->def_flags & VM_LOCKED)
		(void)mm_populate(mm, addr, addr + size);
	return ret;
}

/* ---- Stacks ---- */

long vm_stack(struct mm_struct *mm, uintptr_t top, size_t size, bool exec)
{
	vm_flags_t flags = VM_READ | VM_WRITE | VM_MAY_ALL | VM_GROWSDOWN | VM_ACCOUNT | mm->def_flags;
	const struct mm_task *task = this_task();
	struct vm_area_struct *vma, *next;
	uintptr_t start = top - size;
	long ret;

	if (exec || task->process->personality & PERSONALITY_READ_IMPLIES_EXEC)
		flags |= VM_EXEC;
	if ((top | size) & ~PAGE_MASK || !size || size > top || top > mm->task_size)
		return -EINVAL;
	vma = vm_area_alloc(mm);
	if (!vma)
		return -ENOMEM;
	mmap_write_lock(mm);
	next = find_vma(mm, start);
	ret = -ENOMEM;
	if ((next && next->vm_start < top) || !may_expand_vm(mm, task->process, flags, pages_of(size)) ||
	    vm_acct_memory(task, pages_of(size)))
		goto discard;
	vma->vm_start = start;
	vma->vm_end = top;
	vma->vm_pgoff = start >> PAGE_SHIFT;
	vma->vm_flags = flags | VM_SOFTDIRTY;
	vma->vm_page_prot = vm_get_page_prot(flags);
	ret = vma_insert(mm, vma);
	if (ret) {
		vm_unacct_memory(pages_of(size));
		goto discard;
	}
	vm_stat_account(mm, flags, (long)pages_of(size));
	mmap_write_unlock(mm);
	return 0;
discard:
	mmap_write_unlock(mm);
	vma_discard(vma);
	return ret;
}

/* Does the stack leave what lies below it its distance? */
static bool guard_ok(const struct vm_area_struct *vma, uintptr_t addr)
{
	const struct vm_area_struct *prev = vma->vm_prev;

	if (!prev || prev->vm_flags & VM_GROWSDOWN || !(prev->vm_flags & VM_ACCESS_FLAGS))
		return true;
	return addr - prev->vm_end >= READ_ONCE(stack_guard_gap);
}

static int grow(struct vm_area_struct *vma, uintptr_t addr)
{
	const struct mm_task *task = this_task();
	unsigned long pages = pages_of(vma->vm_start - addr);
	struct mm_struct *mm = vma->vm_mm;
	int err = anon_vma_prepare(vma);

	/* What has grown has been written to, as far as merging goes. */
	if (err)
		return err;
	if (pages > vma->vm_pgoff || !may_expand_vm(mm, task->process, vma->vm_flags, pages) ||
	    vma->vm_end - addr > task_rlimit(task, RLIMIT_STACK) ||
	    !mlock_future_ok(mm, vma->vm_flags, pages << PAGE_SHIFT) || vm_acct_memory(task, pages))
		return -ENOMEM;
	err = vma_set_bounds(vma, addr, vma->vm_end, NULL, 0);
	if (err) {
		vm_unacct_memory(pages);
		return err;
	}
	if (vma->vm_flags & VM_LOCKED)
		mm->locked_vm += pages;
	vm_stat_account(mm, vma->vm_flags, (long)pages);
	return 0;
}

int expand_stack(struct mm_struct *mm, uintptr_t addr)
{
	struct vm_area_struct *vma;

	addr &= PAGE_MASK;
	vma = find_vma(mm, addr);
	if (!vma)
		return -EFAULT;
	if (vma->vm_start <= addr)
		return 0;
	if (!(vma->vm_flags & VM_GROWSDOWN))
		return -EFAULT;
	if (addr < READ_ONCE(mmap_min_addr))
		return -EPERM;
	if (!guard_ok(vma, addr))
		return -ENOMEM;
	return grow(vma, addr);
}
