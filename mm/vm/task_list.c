// SPDX-License-Identifier: MIT
/*
 * The threads that the kernel told of, for whoever has to look at all of them: the OOM killer, and who changes what
 * sharers of an address space have in common.
 *
 * Purpose. A walk that sees each process once, in the order of their coming, and finds no thread whose structures, or
 * whose address space, go meanwhile.
 *
 * Structures. A list through the threads themselves, so that nothing is allocated when memory is short. A process has
 * no list of its threads here: a walk has a number, and notes it in the process of the first thread that it meets.
 * (Copies of a process, as fork() makes them, have an old number, which is right.)
 *
 * Invariants. TL-I1: a listed thread's mm changes only under the lock, so its users count does not fall to zero while
 * somebody has the lock and sees it.
 *
 * Locking. A mutex, as reports are written under it. It is taken at a thread's beginning and end, and in execve().
 */
#include "../base/printk.h"
#include "../sync/mutex.h"
#include "task.h"
#include "vm.h"

static struct {
	struct mutex lock;
	struct mm_task *first, *last;
	u32 walk;
} tasks __memsys = { .lock = MUTEX_INIT };

void task_list_lock(void)
{
	mutex_lock(&tasks.lock);
}

void task_list_unlock(void)
{
	mutex_unlock(&tasks.lock);
}

void octavo_task_add(struct mm_task *task)
{
	task_list_lock();
	task->listed = 1;
	task->list_next = NULL;
	task->list_prev = tasks.last;
	if (tasks.last)
		tasks.last->list_next = task;
	else
		tasks.first = task;
	tasks.last = task;
	/* Who was killed while a thread of his began takes it along. */
	if (task->mm && load_relaxed(&task->mm->flags) >> MMF_OOM_VICTIM & 1)
		store_relaxed(&task->oom_victim, 1);
	task_list_unlock();
}

void octavo_task_remove(struct mm_task *task)
{
	if (!task->listed)
		return;
	task_list_lock();
	if (task->list_next)
		task->list_next->list_prev = task->list_prev;
	else
		tasks.last = task->list_prev;
	if (task->list_prev)
		task->list_prev->list_next = task->list_next;
	else
		tasks.first = task->list_next;
	task->listed = 0;
	task_list_unlock();
}

void task_list_change_mm(struct mm_task *task, struct mm_struct *mm)
{
	task_list_lock();
	task->mm = mm;
	task_list_unlock();
}

struct mm_task *task_after(const struct mm_task *task)
{
	return task ? task->list_next : tasks.first;
}

u32 task_walk(void)
{
	return ++tasks.walk;
}

struct mm_task *process_after(const struct mm_task *task, u32 walk)
{
	struct mm_task *next;

	for (next = task_after(task); next; next = task_after(next)) {
		if (!next->mm || next->process->walk == walk)
			continue;
		next->process->walk = walk;
		break;
	}
	return next;
}
