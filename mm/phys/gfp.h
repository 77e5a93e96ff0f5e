/* SPDX-License-Identifier: MIT */
/* GFP masks as text, and the scopes that change what a thread's allocations may do. */
#ifndef MM_PHYS_GFP_H
#define MM_PHYS_GFP_H

#include <octavo/gfp.h>
#include <octavo/reclaim_hook.h>

#include "../base/compiler.h"

/* Room for every flag by name. */
#define GFP_TEXT_MAX 400

/* "GFP_KERNEL|__GFP_ZERO": combinations first, then single flags, then what has no name in hexadecimal. */
void gfp_flags_text(char *text, size_t size, gfp_t gfp);

/* The names in the order in which that tries them; NULL behind the last. */
const char *gfp_flags_name(unsigned int i, gfp_t *mask);

/* The scopes this thread is in: PF_MEMALLOC and its kind. */
unsigned int current_task_flags(void);

/* @gfp, less what the thread's scopes forbid. */
gfp_t current_gfp_context(gfp_t gfp);

/* Of psi.c: PF_MEMSTALL of the running thread; the kernel's number of productive threads, -1: it does not say. */
unsigned int scope_memstall_save(void);
void scope_memstall_restore(unsigned int was);
int task_nr_productive(void);

/* For reports: the running task, as its kernel names it, or "swapper/CPU". */
const char *current_task_name(char *buf, size_t size);
long current_task_pid(void);
/* "CPU: 1 UID: 0 PID: 7 Comm: sh Not tainted 6.12.0 #1" */
void print_current_task(void);
bool current_signal_pending(void);

/* Can the kernel kill processes? Then nobody else needs to when memory is short. */
bool task_can_kill(void);
void task_kill(struct mm_task *task);
/* NULL: all. */
const nodemask_t *task_mems_allowed(const struct mm_task *task);

#endif
