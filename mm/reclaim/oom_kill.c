// SPDX-License-Identifier: MIT
/*
 * Ending a process for its memory, with all others that have the same address space.
 */
#include "../base/printk.h"
#include "../phys/gfp.h"
#include "../phys/vmstat.h"
#include "../vm/vm.h"
#include "oom.h"

static bool is_dying(const struct mm_task *task)
{
	return (fatal_signal_pending(task) || READ_ONCE(task->flags) & PF_EXITING) &&
	       !(READ_ONCE(task->flags) & PF_DUMPCORE);
}

bool oom_will_free(struct mm_task *task)
{
	if (!task->mm || !is_dying(task) || load_relaxed(&task->mm->flags) >> MMF_OOM_SKIP & 1)
		return false;
	for_each_task(other)
		if (other->mm == task->mm && !is_dying(other))
			return false;
	return true;
}

/* Threads of the kernel that borrow it, and the first process, end for nothing. */
static void give_reserves(struct mm_struct *mm)
{
	(void)atomic_fetch_or(&mm->flags, 1ul << MMF_OOM_VICTIM);
	for_each_task(task)
		if (task->mm == mm && !task_unkillable(task))
			store_relaxed(&task->oom_victim, 1);
}

void oom_mark_victim(struct mm_task *task)
{
	give_reserves(task->mm);
	oom_victim_add(task->mm, task, true);
}

/* SIGKILL to the process of @task, whose threads need not be told one by one that they are to hurry. */
static void kill_process(struct mm_task *task)
{
	for_each_task(thread)
		if (thread->process == task->process)
			store_relaxed(&thread->fatal_signal, 9);
	task_kill(task);
}

/* All other processes with this address space. Return: false: one of them stays, and what it has mapped. */
static bool kill_sharers(const struct mm_task *victim)
{
	u32 walk = task_walk();
	bool all = true;

	for (struct mm_task *task = process_after(NULL, walk); task; task = process_after(task, walk)) {
		if (task->mm != victim->mm || task->process == victim->process || task->flags & PF_KTHREAD)
			continue;
		if (task_unkillable(task)) {
			pr_info("oom killer %d (%s) has mm pinned by %d (%s)\n", victim->pid, victim->comm, task->pid,
				task->comm);
			all = false;
			continue;
		}
		kill_process(task);
	}
	return all;
}

void oom_kill(struct oom_control *oc, const char *message)
{
	struct mm_task *victim = oc->chosen;
	struct mm_struct *mm = victim->mm;
	bool reap;

	if (oom_will_free(victim)) {
		oom_mark_victim(victim);
		return;
	}
	oom_report(oc, victim);
	count_vm_events(OOM_KILL, 1);
	kill_process(victim);
	give_reserves(mm);
	oom_report_killed(victim, message);
	reap = kill_sharers(victim);
	/* What is pinned will not come back: the next one, then, if that is not enough. */
	if (!reap)
		(void)atomic_fetch_or(&mm->flags, 1ul << MMF_OOM_SKIP);
	oom_victim_add(mm, victim, reap);
}
