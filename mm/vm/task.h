/* SPDX-License-Identifier: MIT */
/* The thread that runs, for the core's own use: one load where a per-CPU variable is one. */
#ifndef MM_VM_TASK_H
#define MM_VM_TASK_H

#include <octavo/percpu.h>
#include <octavo/task.h>

DECLARE_PER_CPU(struct mm_task *, octavo_current);

static inline struct mm_task *this_task(void)
{
	return this_cpu_read(octavo_current);
}

/* ---- task_list.c: all threads that the kernel told of (octavo_task_add()) ---- */

/* Threads come, go, and change address spaces only while it is free. Sleeping; nothing may be allocated inside. */
void task_list_lock(void);
void task_list_unlock(void);
/* The next of all in order of their coming, NULL before the first and after the last. Context: task_list_lock(). */
struct mm_task *task_after(const struct mm_task *task);
#define for_each_task(task) for (struct mm_task *task = task_after(NULL); task; task = task_after(task))
/*
 * One thread with an address space of each process, the first that is left: task_walk() begins, process_after() goes
 * on. Only one such walk at a time. Context: task_list_lock().
 */
u32 task_walk(void);
struct mm_task *process_after(const struct mm_task *task, u32 walk);
/* octavo_task_mm() of a thread that is on the list. */
void task_list_change_mm(struct mm_task *task, struct mm_struct *mm);

/* Nobody may kill it: the first process, and threads of the kernel. */
static inline bool task_unkillable(const struct mm_task *task)
{
	return task->tgid == 1 || task->flags & PF_KTHREAD;
}

#endif
