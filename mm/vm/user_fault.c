// SPDX-License-Identifier: MIT
/*
 * Faults of instructions: whose is the address, may it be accessed so, and if not, which signal does the thread get.
 *
 * The VMA's own lock is enough in all but few cases: none is there, it is a stack that has to grow, somebody is
 * changing it, or its file wants the fault to come again. For these the mmap lock is taken.
 */
#include "fault.h"
#include "task.h"
#include "userfaultfd.h"

#include "../base/part.h"
#include "../base/printk.h"
#include "../kmap/fault.h"
#include "../phys/gfp.h"
#include "../phys/slowpath.h"
#include "../phys/vmstat.h"

int vma_access_error(const struct vm_area_struct *vma, unsigned int fault_flags, bool foreign)
{
	bool write = fault_flags & FAULT_FLAG_WRITE;

	if (fault_flags & FAULT_FLAG_INSTRUCTION) {
		if (unlikely(!(vma->vm_flags & VM_EXEC)))
			return SEGV_ACCERR;
		return 0;
	}
	if (write ? unlikely(!(vma->vm_flags & VM_WRITE)) : unlikely(!vma_is_accessible(vma)))
		return SEGV_ACCERR;
	if (!foreign && unlikely(!pkey_allows(current_task(), vma, write)))
		return SEGV_PKUERR;
	return 0;
}

/* What is asked, and by whom. */
struct user_fault {
	struct mm_task *task;
	struct mm_struct *mm;
	uintptr_t address;
	unsigned int flags; /* FAULT_FLAG_* */
	vm_fault_t before;  /* what handlers said that wanted to be called again */
};

static int deliver(const struct user_fault *uf, int signo, int code, uintptr_t address, unsigned int pkey)
{
	struct mm_signal *signal = &uf->task->fault;

	signal->signo = signo;
	signal->code = code;
	signal->address = address;
	signal->pkey = pkey;
	return -EFAULT;
}

static int bad_access(const struct user_fault *uf, int code, const struct vm_area_struct *vma)
{
	return deliver(uf, SIGNO_SEGV, code, uf->address, code == SEGV_PKUERR ? vma_pkey(vma) : 0);
}

/*
 * Who could kill somebody has done so, or the request was one that nobody is killed for, and can be made again: the
 * access is repeated, and who was killed ends on his way to it. Where nobody can be killed the process ends of it.
 */
static int no_memory(const struct user_fault *uf)
{
	const struct mm_task *task = uf->task;

	if (fatal_signal_pending(task))
		return 0;
	if (task_can_kill()) {
		port_park(OOM_WAIT_NS);
		return 0;
	}
	pr_err("%s[%d]: out of memory, and there is no OOM killer\n", task->comm, task->pid);
	return deliver(uf, SIGNO_KILL, SI_KERNEL, 0, 0);
}

/* What becomes of an access that handle_mm_fault() could not make possible. */
static int fault_error(const struct user_fault *uf, vm_fault_t result)
{
	if (result & VM_FAULT_OOM) {
		/* A copy of the kernel's fails, and the system call says so. */
		if (!(uf->flags & FAULT_FLAG_USER))
			return deliver(uf, 0, 0, 0, 0);
		return no_memory(uf);
	}
	if (result & VM_FAULT_HWPOISON)
		return deliver(uf, SIGNO_BUS, BUS_MCEERR_AR, uf->address, 0);
	if (result & VM_FAULT_SIGBUS)
		return deliver(uf, SIGNO_BUS, BUS_ADRERR, uf->address, 0);
	return bad_access(uf, SEGV_MAPERR, NULL);
}

static int fault_done(const struct user_fault *uf, vm_fault_t result)
{
	if (unlikely(result & VM_FAULT_ERROR))
		return fault_error(uf, result);
	if (unlikely((result | uf->before) & VM_FAULT_MAJOR)) {
		count_vm_events(PGMAJFAULT, 1);
		uf->task->maj_flt++;
	} else {
		uf->task->min_flt++;
	}
	return 0;
}

/*
 * The VMA of the address under the mmap lock, a stack grown down to it.
 * Return: 0 and *@vma with the lock held; otherwise a SEGV_* code, or -EINTR, without it.
 */
static int find_vma_locked(const struct user_fault *uf, struct vm_area_struct **vma)
{
	struct mm_struct *mm = uf->mm;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	*vma = find_vma(mm, uf->address);
	if (likely(*vma && (*vma)->vm_start <= uf->address))
		return 0;
	if (!*vma || !((*vma)->vm_flags & VM_GROWSDOWN)) {
		mmap_read_unlock(mm);
		return SEGV_MAPERR;
	}
	mmap_read_unlock(mm);
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (expand_stack(mm, uf->address)) {
		mmap_write_unlock(mm);
		return SEGV_MAPERR;
	}
	mmap_write_downgrade(mm);
	*vma = vma_lookup(mm, uf->address);
	if (*vma)
		return 0;
	mmap_read_unlock(mm);
	return SEGV_MAPERR;
}

static int fault_locked(struct user_fault *uf)
{
	struct vm_area_struct *vma;
	vm_fault_t result;
	int code;

	for (;;) {
		code = find_vma_locked(uf, &vma);
		if (code == -EINTR)
			return uf->flags & FAULT_FLAG_USER ? 0 : deliver(uf, 0, 0, 0, 0);
		if (code)
			return bad_access(uf, code, NULL);
		code = vma_access_error(vma, uf->flags, false);
		if (code) {
			code = bad_access(uf, code, vma);
			mmap_read_unlock(uf->mm);
			return code;
		}
		result = handle_mm_fault(vma, uf->address, uf->flags);
		if (likely(!(result & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))) {
			mmap_read_unlock(uf->mm);
			return fault_done(uf, result);
		}
		if (result & VM_FAULT_COMPLETED)
			return fault_done(uf, result & ~(vm_fault_t)VM_FAULT_ERROR);
		if (fatal_signal_pending(uf->task) || userfault_interrupted(uf->flags))
			return uf->flags & FAULT_FLAG_USER ? 0 : deliver(uf, 0, 0, 0, 0);
		uf->flags |= FAULT_FLAG_TRIED;
		uf->before |= result;
	}
}

/* What is not over at once; the VMA's lock is held unless @result says that it was dropped. */
static noinline int fault_not_over(struct user_fault *uf, struct vm_area_struct *vma, vm_fault_t result)
{
	if (!(result & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))) {
		vma_end_read(vma);
		return fault_done(uf, result);
	}
	if (result & VM_FAULT_COMPLETED)
		return fault_done(uf, result & ~(vm_fault_t)VM_FAULT_ERROR);
	if (fatal_signal_pending(uf->task) || userfault_interrupted(uf->flags))
		return uf->flags & FAULT_FLAG_USER ? 0 : deliver(uf, 0, 0, 0, 0);
	uf->flags |= FAULT_FLAG_TRIED;
	uf->before |= result;
	return fault_locked(uf);
}

static noinline int no_rights(struct user_fault *uf, struct vm_area_struct *vma, int code)
{
	code = bad_access(uf, code, vma);
	vma_end_read(vma);
	return code;
}

static force_inline int fault_in(struct user_fault *uf)
{
	struct vm_area_struct *vma = lock_task_vma(uf->task, uf->address);
	vm_flags_t need = VM_ACCESS_FLAGS;
	vm_fault_t result;
	int code;

	if (unlikely(!vma))
		return fault_locked(uf);
	if (uf->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_INSTRUCTION))
		need = uf->flags & FAULT_FLAG_WRITE ? VM_WRITE : VM_EXEC;
	/* Keys matter to few: those who have given up rights. */
	if (unlikely(!(vma->vm_flags & need) || uf->task->pkru)) {
		code = vma_access_error(vma, uf->flags, false);
		if (code)
			return no_rights(uf, vma, code);
	}
	result = handle_mm_fault(vma, uf->address, uf->flags | FAULT_FLAG_VMA_LOCK);
	if (unlikely(result))
		return fault_not_over(uf, vma, result);
	vma_end_read(vma);
	uf->task->min_flt++;
	return 0;
}

/* Nothing that an address space could explain, or no address of user space. */
static noinline int fault_elsewhere(const struct page_fault *fault, struct mm_task *task)
{
	struct user_fault uf = { .task = task, .mm = task->mm, .address = fault->address };
	bool user = fault->flags & PAGE_FAULT_USER;

	/* The kernel's own mistakes, and tables that are broken, are not an address space's. */
	if (!(fault->flags & (PAGE_FAULT_USER | PAGE_FAULT_UACCESS)) || fault->flags & PAGE_FAULT_RESERVED)
		return 1;
	if (!uf.mm)
		return user ? 1 : -EFAULT;
	if (fault->flags & PAGE_FAULT_NONCANONICAL)
		return deliver(&uf, SIGNO_SEGV, SI_KERNEL, 0, 0);
	if (uf.address >= uf.mm->task_size)
		return user ? bad_access(&uf, SEGV_MAPERR, NULL) : pgt_kernel_half(uf.address) ? 1 : -EFAULT;
	return -EFAULT; /* a copy that must not fault */
}

#define FLAG_FROM(what, from, to) ((what) / (from) * (to) & (to))

static int user_fault(const struct page_fault *fault)
{
	struct user_fault uf = { .task = this_task(), .address = fault->address };
	u32 what = fault->flags;

	uf.mm = uf.task->mm;
	if (unlikely(!(what & (PAGE_FAULT_USER | PAGE_FAULT_UACCESS)) ||
		     what & (PAGE_FAULT_RESERVED | PAGE_FAULT_NONCANONICAL) || !uf.mm ||
		     uf.address >= uf.mm->task_size || (uf.task->pagefault_disabled && !(what & PAGE_FAULT_USER))))
		return fault_elsewhere(fault, uf.task);
	uf.flags = FAULT_FLAG_DEFAULT | FLAG_FROM(what, PAGE_FAULT_USER, FAULT_FLAG_USER) |
		   FLAG_FROM(what, PAGE_FAULT_WRITE, FAULT_FLAG_WRITE) |
		   FLAG_FROM(what, PAGE_FAULT_EXEC, FAULT_FLAG_INSTRUCTION);
	return fault_in(&uf);
}

int user_fault_in(uintptr_t addr, bool write)
{
	struct user_fault uf = { .task = current_task(), .address = addr };

	uf.mm = uf.task->mm;
	uf.flags = FAULT_FLAG_DEFAULT | (write ? FAULT_FLAG_WRITE : 0);
	return uf.mm && addr < uf.mm->task_size ? fault_in(&uf) : -EFAULT;
}

static int user_fault_init(void)
{
	user_fault_hook = user_fault;
	return 0;
}

MM_PART(user_fault, .order = MM_PART_VM, .init = user_fault_init);
