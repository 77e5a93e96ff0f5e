// SPDX-License-Identifier: MIT
/*
 * Numbers of threads and processes, references to them, groups and sessions, credentials.
 * Sources: credentials(7), capabilities(7), setpgid(2), setsid(2), setuid(2) and their like.
 */
#include "kernel.h"
#include "vfs.h"

struct klock tasks_lock;
struct process *init_process;
unsigned int processes_nr;

static struct task *by_pid[PID_MAX];
static struct task nobody; /* has the numbers that are given out, and whose threads are not to be found yet */
static int last_pid;
#define PID_RESERVED 300 /* numbers below are given out once */

/* ---- Numbers ---- */

unsigned int pid_limit __memsys = PID_MAX, threads_max __memsys = PID_MAX;
static unsigned int numbers_nr __memsys; /* (t) given out */

int pid_alloc(struct task *task)
{
	unsigned long flags = klock(&tasks_lock);
	int pid = last_pid;

	for (int tries = 0; tries < PID_MAX && numbers_nr < READ_ONCE(threads_max); tries++) {
		if (++pid >= (int)READ_ONCE(pid_limit))
			pid = PID_RESERVED;
		if (!by_pid[pid]) {
			by_pid[pid] = &nobody;
			numbers_nr++;
			last_pid = pid;
			task->core.pid = pid;
			kunlock(&tasks_lock, flags);
			return pid;
		}
	}
	kunlock(&tasks_lock, flags);
	return -EAGAIN;
}

void pid_free(int pid)
{
	by_pid[pid] = NULL;
	numbers_nr--;
}

void pid_take(int pid, struct task *task)
{
	by_pid[pid] = task;
	task->core.pid = pid;
}

struct task *pid_lookup(int pid)
{
	return pid > 0 && pid < PID_MAX && by_pid[pid] != &nobody ? by_pid[pid] : NULL;
}

/* ---- References ---- */

void task_get(struct task *task)
{
	kadd(&task->refs, 1);
}

void process_get(struct process *process)
{
	kadd(&process->refs, 1);
}

void process_put(struct process *process)
{
	if (!ksub(&process->refs, 1))
		kfree(process);
}

struct task *thread_find(int tid)
{
	unsigned long flags = klock(&tasks_lock);
	struct task *task = pid_lookup(tid);

	if (task)
		task_get(task);
	kunlock(&tasks_lock, flags);
	return task;
}

struct task *task_find(int pid)
{
	struct task *task = thread_find(pid);

	if (task && task->process->leader != task) {
		task_put(task);
		return NULL;
	}
	return task;
}

struct task *task_next(int pid)
{
	unsigned long flags = klock(&tasks_lock);

	for (pid = max(pid, 1); pid < PID_MAX; pid++) {
		struct task *task = pid_lookup(pid);

		if (task && task->process && task->process->leader == task) {
			task_get(task);
			kunlock(&tasks_lock, flags);
			return task;
		}
	}
	kunlock(&tasks_lock, flags);
	return NULL;
}

struct task *thread_next(struct process *process, int tid)
{
	unsigned long flags = klock(&tasks_lock);
	struct task *best = NULL;

	node_for_each(n, &process->threads) {
		struct task *task = node_entry(n, struct task, threads);

		if (task->core.pid >= tid && (!best || task->core.pid < best->core.pid))
			best = task;
	}
	if (best)
		task_get(best);
	kunlock(&tasks_lock, flags);
	return best;
}

struct mm_struct *task_mm(struct task *task)
{
	unsigned long flags = klock(&tasks_lock);
	struct mm_struct *mm = task->core.mm;

	if (mm)
		mmget(mm);
	kunlock(&tasks_lock, flags);
	return mm;
}

/* The right and the address space are of one moment: execve() takes the new program's rights before its memory. */
struct mm_struct *task_mm_access(struct task *task, bool real, int *err)
{
	unsigned long flags = klock(&tasks_lock);
	struct mm_struct *mm = task->core.mm;

	*err = may_look_into(task->process, real) ? 0 : -EACCES;
	if (*err)
		mm = NULL;
	if (mm)
		mmget(mm);
	kunlock(&tasks_lock, flags);
	return mm;
}

struct mm_struct *task_change_mm(struct task *me, struct mm_struct *mm)
{
	struct mm_struct *old = octavo_task_mm(&me->core, mm);

	/* Who has still found the old one has his reference when the lock is free. */
	kunlock(&tasks_lock, klock(&tasks_lock));
	return old;
}

/* ---- Parents, groups, sessions ---- */

static struct list_node *all_processes(void)
{
	static struct list_node head;

	return &head;
}

void process_list_add(struct process *process);
void process_list_add(struct process *process)
{
	node_append(all_processes(), &process->all);
	processes_nr++;
}

void process_list_remove(struct process *process);
void process_list_remove(struct process *process)
{
	node_remove(&process->all);
	processes_nr--;
}

unsigned long threads_of_user(u32 ruid)
{
	unsigned long flags = klock(&tasks_lock), n = 0;

	node_for_each(at, all_processes()) {
		const struct process *p = node_entry(at, struct process, all);

		n += p->ruid == ruid ? max(p->nr_threads, 1u) : 0;
	}
	kunlock(&tasks_lock, flags);
	return n;
}

bool pgrp_exists(int pgrp, int session)
{
	node_for_each(n, all_processes()) {
		struct process *p = node_entry(n, struct process, all);

		if (p->pgrp == pgrp && (session < 0 || p->session == session))
			return true;
	}
	return false;
}

/* No member but @without has a parent in the same session and another group. */
bool pgrp_orphaned(int pgrp, const struct process *without)
{
	node_for_each(n, all_processes()) {
		struct process *p = node_entry(n, struct process, all);

		if (p == without || p->pgrp != pgrp || p->zombie || !p->parent || p->parent == init_process)
			continue;
		if (p->parent->pgrp != pgrp && p->parent->session == p->session)
			return false;
	}
	return true;
}

bool pgrp_has_stopped(int pgrp);
bool pgrp_has_stopped(int pgrp)
{
	node_for_each(n, all_processes()) {
		struct process *p = node_entry(n, struct process, all);

		if (p->pgrp == pgrp && p->stopped)
			return true;
	}
	return false;
}

/*
 * A signal to all of a group (@pgrp > 0), or to all processes but the first and the caller's (-1). (t) is taken.
 * Return: 0: somebody got it; -EPERM: nobody the caller may; -ESRCH: nobody.
 */
int signal_many(int pgrp, const struct k_siginfo *info, bool check);
int signal_many(int pgrp, const struct k_siginfo *info, bool check)
{
	unsigned long flags = klock(&tasks_lock);
	int result = -ESRCH;

	node_for_each(n, all_processes()) {
		struct process *p = node_entry(n, struct process, all);

		if (pgrp > 0 ? p->pgrp != pgrp : p == init_process || p == current_process())
			continue;
		if (!p->leader || (p->leader->core.flags & PF_KTHREAD))
			continue;
		if (check && !signal_allowed(p, info->signo)) {
			if (result == -ESRCH)
				result = -EPERM;
			continue;
		}
		if (!p->zombie && info->signo)
			send_siginfo_locked(p->leader, info, true);
		result = 0;
	}
	kunlock(&tasks_lock, flags);
	return result;
}

static long sys_getpid(void)
{
	return current()->core.tgid;
}
SYSCALL(39, sys_getpid);

static long sys_gettid(void)
{
	return current()->core.pid;
}
SYSCALL(186, sys_gettid);

static long sys_getppid(void)
{
	return READ_ONCE(current()->process->ppid);
}
SYSCALL(110, sys_getppid);

static long sys_getpgid(int pid)
{
	unsigned long flags = klock(&tasks_lock);
	struct task *task = pid ? pid_lookup(pid) : current();
	long result = task ? task->process->pgrp : -ESRCH;

	kunlock(&tasks_lock, flags);
	return result;
}
SYSCALL(121, sys_getpgid);

static long sys_getpgrp(void)
{
	return current_process()->pgrp;
}
SYSCALL(111, sys_getpgrp);

static long sys_getsid(int pid)
{
	unsigned long flags = klock(&tasks_lock);
	struct task *task = pid ? pid_lookup(pid) : current();
	long result = task ? task->process->session : -ESRCH;

	kunlock(&tasks_lock, flags);
	return result;
}
SYSCALL(124, sys_getsid);

static long setpgid_locked(int pid, int pgrp)
{
	struct process *me = current_process(), *p;
	struct task *task = pid_lookup(pid);

	if (!task || task->process->leader != task)
		return -ESRCH;
	p = task->process;
	if (p != me) {
		if (p->parent != me)
			return -ESRCH;
		if (p->session != me->session)
			return -EPERM;
		if (p->execed)
			return -EACCES;
	}
	if (p->session == p->pid)
		return -EPERM;
	if (pgrp != pid && !pgrp_exists(pgrp, me->session))
		return -EPERM;
	p->pgrp = pgrp;
	return 0;
}

static long sys_setpgid(int pid, int pgrp)
{
	unsigned long flags;
	long result;

	if (!pid)
		pid = current()->core.tgid;
	if (!pgrp)
		pgrp = pid;
	if (pgrp < 0)
		return -EINVAL;
	flags = klock(&tasks_lock);
	result = setpgid_locked(pid, pgrp);
	kunlock(&tasks_lock, flags);
	return result;
}
SYSCALL(109, sys_setpgid);

static long sys_setsid(void)
{
	struct process *me = current_process();
	unsigned long flags = klock(&tasks_lock);
	long result = -EPERM;

	if (me->session != me->pid && !pgrp_exists(me->pid, -1)) {
		me->session = me->pgrp = me->pid;
		me->tty = NULL;
		result = me->pid;
	}
	kunlock(&tasks_lock, flags);
	return result;
}
SYSCALL(112, sys_setsid);
