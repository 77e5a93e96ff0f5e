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

#endif
