// SPDX-License-Identifier: MIT
/* The mmap lock, and VMAs' own locks for readers that do without it. The theory stands in vma.c. */
#include <octavo/port.h>

#include "vma.h"

/* In vm_refs: the writer waits for readers to go; mm->vma_writer is the thread, until the last of them has seen it. */
#define VMA_WAITED 0x80000000u

void mmap_read_lock(struct mm_struct *mm)
{
	down_read(&mm->mmap_lock);
}

int mmap_read_lock_killable(struct mm_struct *mm)
{
	return down_read_killable(&mm->mmap_lock);
}

bool mmap_read_trylock(struct mm_struct *mm)
{
	return down_read_trylock(&mm->mmap_lock);
}

void mmap_read_unlock(struct mm_struct *mm)
{
	up_read(&mm->mmap_lock);
}

/*
 * Where a long has 32 bits, a number comes again after so many of them. VMAs that still have theirs from then would
 * pass for write-locked, so they all forget it; zero is even, and no writer has it. Threads know by the round that what
 * they found under the same number is not there any more. (2^64 nobody counts through.)
 */
static const bool numbers_come_again = sizeof(unsigned long) < sizeof(u64);

static noinline void forget_write_locks(struct mm_struct *mm)
{
	store_release(&mm->mm_lock_round, mm->mm_lock_round + 1);
	for_each_vma (mm, vma)
		store_relaxed(&vma->vm_lock_seq, 0);
}

static void write_lock_begins(struct mm_struct *mm)
{
	store_relaxed(&mm->mm_lock_seq, mm->mm_lock_seq + 1);
	if (unlikely(mm->mm_lock_seq == 1))
		forget_write_locks(mm);
}

void mmap_write_lock(struct mm_struct *mm)
{
	down_write(&mm->mmap_lock);
	write_lock_begins(mm);
}

int mmap_write_lock_killable(struct mm_struct *mm)
{
	int err = down_write_killable(&mm->mmap_lock);

	if (!err)
		write_lock_begins(mm);
	return err;
}

/* A release: who sees the new number sees what was done to VMAs under the old one. */
void mmap_write_unlock(struct mm_struct *mm)
{
	store_release(&mm->mm_lock_seq, mm->mm_lock_seq + 1);
	up_write(&mm->mmap_lock);
}

void mmap_write_downgrade(struct mm_struct *mm)
{
	store_release(&mm->mm_lock_seq, mm->mm_lock_seq + 1);
	downgrade_write(&mm->mmap_lock);
}

static bool write_locked(const struct vm_area_struct *vma, const struct mm_struct *mm)
{
	return load_acquire(&mm->mm_lock_seq) == load_relaxed(&vma->vm_lock_seq);
}

bool vma_start_read(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	u32 refs = load_relaxed(&vma->vm_refs), was;

	if (write_locked(vma, mm))
		return false;
	for (;; refs = was) {
		if (!refs || refs & VMA_WAITED)
			return false;
		was = atomic_cmpxchg(&vma->vm_refs, refs, refs + 1);
		if (likely(was == refs))
			break;
	}
	smp_mb__after_atomic();
	if (likely(!write_locked(vma, mm)))
		return true;
	vma_end_read(vma);
	return false;
}

/* The writer may go on when it finds vma_writer 0, but not before the lock is free: until then its thread exists. */
static noinline void wake_writer(struct mm_struct *mm)
{
	unsigned long flags;
	uintptr_t thread;

	spin_lock_irqsave(&mm->vma_wait_lock, flags);
	thread = mm->vma_writer;
	store_release(&mm->vma_writer, 0);
	port_unpark(thread);
	spin_unlock_irqrestore(&mm->vma_wait_lock, flags);
}

void vma_end_read(struct vm_area_struct *vma)
{
	/* The VMA may be freed as soon as the last reader has gone; the address space is the reader's, too. */
	struct mm_struct *mm = vma->vm_mm;

	if (unlikely(atomic_fetch_sub(&vma->vm_refs, 1) == (VMA_WAITED | 2)))
		wake_writer(mm);
}

static noinline void wait_for_readers(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long flags;

	store_release(&mm->vma_writer, port_thread_self());
	if (atomic_fetch_or(&vma->vm_refs, VMA_WAITED) > 1) {
		while (load_acquire(&mm->vma_writer))
			port_park(0);
		spin_lock_irqsave(&mm->vma_wait_lock, flags);
		spin_unlock_irqrestore(&mm->vma_wait_lock, flags);
	} else {
		store_relaxed(&mm->vma_writer, 0);
	}
	(void)atomic_fetch_and(&vma->vm_refs, ~VMA_WAITED);
}

void vma_start_write(struct vm_area_struct *vma)
{
	unsigned long seq = vma->vm_mm->mm_lock_seq;

	if (vma->vm_lock_seq == seq)
		return;
	(void)atomic_xchg(&vma->vm_lock_seq, seq);
	smp_mb__after_atomic();
	if (unlikely(load_acquire(&vma->vm_refs) > 1))
		wait_for_readers(vma);
}

/* Between the look into the tree and the lock it may have become smaller, or have gone. */
static force_inline struct vm_area_struct *lock_found(struct vm_area_struct *vma, uintptr_t addr)
{
	if (unlikely(!vma || !vma_start_read(vma)))
		return NULL;
	if (likely(addr >= vma->vm_start && addr < vma->vm_end))
		return vma;
	vma_end_read(vma);
	return NULL;
}

struct vm_area_struct *lock_vma_under_rcu(struct mm_struct *mm, uintptr_t addr)
{
	struct vm_area_struct *vma;

	rcu_read_lock();
	vma = lock_found(range_tree_load(&mm->vmas, addr), addr);
	rcu_read_unlock();
	return vma;
}

/*
 * A VMA that was in the tree under an even number is there as long as the number stays: only who holds the mmap lock
 * takes VMAs out, and the number is odd before he does. So it is not freed before this RCU section ends.
 */
struct vm_area_struct *lock_task_vma(struct mm_task *task, uintptr_t addr)
{
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *vma = task->fault_vma;
	unsigned long seq;
	u32 round;

	rcu_read_lock();
	/* Ahead of the number: a round that is over, with a number of the next, never comes again. */
	round = numbers_come_again ? load_acquire(&mm->mm_lock_round) : 0;
	seq = load_acquire(&mm->mm_lock_seq);
	if (!vma || seq != task->fault_vma_seq || (numbers_come_again && round != task->fault_vma_round) ||
	    addr < load_relaxed(&vma->vm_start) || addr >= load_relaxed(&vma->vm_end)) {
		vma = range_tree_load(&mm->vmas, addr);
		task->fault_vma = seq & 1 ? NULL : vma;
		task->fault_vma_seq = seq;
		task->fault_vma_round = round;
	}
	vma = lock_found(vma, addr);
	rcu_read_unlock();
	return vma;
}
