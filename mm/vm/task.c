// SPDX-License-Identifier: MIT
/*
 * The thread that each CPU runs.
 *
 * A CPU begins with a kernel thread of the core's own, so that current_task() is never NULL. What a kernel thread finds
 * loaded stays: the next user thread of that address space then costs no load of the root. Nobody counts these lazy
 * uses; the last mmdrop() takes the root away from every CPU (tlb_leave_everywhere()).
 */
#include "task.h"

#include "../base/part.h"
#include "../base/printk.h"
#include "../phys/slowpath.h"
#include "../pgtable/tlb_cpu.h"
#include "../sync/cpu.h"

/* The core's own may do anything, without limits. */
#define NO_LIMIT { RLIM_INFINITY, RLIM_INFINITY }

static struct mm_process kernel_process __memsys = {
	.rlimit = { NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT,
		    NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT },
	.capabilities = ~(u64)0,
};
octavo_static_assert(RLIM_NLIMITS == 16, "kernel_process has a limit for each");

static struct mm_task boot_task __memsys = {
	.process = &kernel_process,
	.active_mm = &init_mm,
	.flags = PF_KTHREAD,
	.comm = "swapper/0",
};
static DEFINE_PER_CPU(struct mm_task, idle_task);
DEFINE_PER_CPU(struct mm_task *, octavo_current) = &boot_task;

struct mm_task *current_task(void)
{
	return this_task();
}

void octavo_kernel_task(struct mm_task *task, const char *comm, s32 pid)
{
	*task = (struct mm_task){
		.process = &kernel_process,
		.active_mm = &init_mm,
		.flags = PF_KTHREAD,
		.pid = pid,
		.tgid = pid,
	};
	octavo_snprintf(task->comm, sizeof(task->comm), "%s", comm);
}

void octavo_switch_task(struct mm_task *next)
{
	struct mm_struct *mm = next->mm;

	this_cpu_write(octavo_current, next);
	if (!mm) {
		next->active_mm = raw_cpu_read(tlb_cpu.loaded);
		enter_lazy_tlb();
		return;
	}
	next->active_mm = mm;
	/* Between threads of one address space there is nothing to do. */
	if (raw_cpu_read(tlb_cpu.loaded) != mm || raw_cpu_read(tlb_cpu.lazy))
		switch_mm(mm);
}

struct mm_struct *octavo_task_mm(struct mm_task *task, struct mm_struct *mm)
{
	struct mm_struct *old = task->mm;

	if (unlikely(task->listed))
		task_list_change_mm(task, mm);
	preempt_disable();
	task->mm = mm;
	task->fault_vma = NULL;
	if (task == this_task())
		octavo_switch_task(task);
	else
		task->active_mm = mm;
	preempt_enable();
	return old;
}

/* CPU 0 keeps the task that it began with. */
static int cpu_online(unsigned int cpu)
{
	char comm[sizeof(boot_task.comm)];

	if (!cpu)
		return 0;
	octavo_snprintf(comm, sizeof(comm), "swapper/%u", cpu);
	octavo_kernel_task(this_cpu_ptr(&idle_task), comm, 0);
	this_cpu_write(octavo_current, this_cpu_ptr(&idle_task));
	return 0;
}

static unsigned int task_state_for_oom(void)
{
	const struct mm_task *task = this_task();
	unsigned int state = unlikely(load_relaxed(&task->oom_victim)) ? OOM_TASK_VICTIM : 0;

	return task->flags & PF_DUMPCORE ? state | OOM_TASK_DUMPING : state;
}

static int task_init(void)
{
	oom_task_state = task_state_for_oom;
	return 0;
}

MM_PART(task, .order = MM_PART_VM, .init = task_init, .cpu_online = cpu_online);
