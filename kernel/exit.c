// SPDX-License-Identifier: MIT
/*
 * The end of threads and processes, and waiting for it: exit(2), exit_group(2), wait4(2), waitid(2).
 *
 * A thread that ends lets go of what it has, then leaves the tables under tasks_lock, and is gone when its CPU runs
 * another. The leader's number stays until the parent has looked, or does not want to.
 */
#include "coredump.h"
#include "vfs.h"

#include <octavo/mman.h>

#define WNOHANG 1
#define WUNTRACED 2
#define WEXITED 4
#define WCONTINUED 8
#define WNOWAIT 0x01000000
#define WNOTHREAD 0x20000000
#define WALL 0x40000000
#define WCLONE 0x80000000u

enum { P_ALL, P_PID, P_PGID, P_PIDFD };

void process_list_remove(struct process *process);
bool pgrp_has_stopped(int pgrp);
int signal_many(int pgrp, const struct k_siginfo *info, bool check);

/* ---- Death ---- */

/* (t) It is to leave, whatever it waits for. */
static void kill_task(struct task *task)
{
	kstore(&task->core.fatal_signal, SIGKILL);
	sched_kick(task, WORK_SIGNAL);
	wake_task(task, WAKE_ANY | 1u << TASK_STOPPED);
}

/* (t) All threads of the process but @me are to leave. */
static void kill_others(struct process *p, struct task *me, u8 death)
{
	node_for_each(n, &p->threads) {
		struct task *task = node_entry(n, struct task, threads);

		if (task == me || task->state >= TASK_ZOMBIE)
			continue;
		task->death = death;
		kill_task(task);
	}
}

void do_group_exit(int code)
{
	struct process *p = current_process();
	unsigned long flags = klock(&tasks_lock);

	if (p->exiting) {
		code = p->exit_code;
	} else {
		p->exiting = true;
		p->exit_code = code;
		kill_others(p, current(), DEATH_GROUP_EXIT);
	}
	kunlock(&tasks_lock, flags);
	do_exit(code);
}

/* A signal's: from send_siginfo_locked(), (t). */
void group_kill_locked(struct process *p, int code);
void group_kill_locked(struct process *p, int code)
{
	/* A dump ends early; what the process died of stays. */
	if (p->dumping)
		kill_task(p->dumping);
	if (p->exiting && !p->execing)
		return;
	p->exiting = true;
	p->exit_code = code;
	kill_others(p, NULL, DEATH_GROUP_EXIT);
}

int exec_alone(void)
{
	struct task *me = current(), *leader;
	struct process *p = me->process;
	unsigned long flags = klock(&tasks_lock);

	if (p->exiting || me->death) {
		kunlock(&tasks_lock, flags);
		return -EAGAIN;
	}
	p->exiting = true;
	p->execing = me;
	kill_others(p, me, DEATH_EXEC);
	while (p->nr_threads > 1 && me->death != DEATH_GROUP_EXIT) {
		set_state(TASK_UNINTERRUPTIBLE);
		kunlock(&tasks_lock, flags);
		schedule();
		flags = klock(&tasks_lock);
	}
	p->execing = NULL;
	if (me->death) {
		kunlock(&tasks_lock, flags);
		return -EAGAIN;
	}
	p->exiting = false;
	leader = p->leader;
	if (leader != me) {
		pid_free(me->core.pid);
		pid_take(p->pid, me);
		me->exit_signal = leader->exit_signal;
		node_remove(&leader->threads);
		p->leader = me;
	}
	kunlock(&tasks_lock, flags);
	if (leader != me)
		task_put(leader);
	return 0;
}

/* ---- Core dumps ---- */

bool dump_begin(int signo)
{
	struct task *me = current();
	struct process *p = me->process;
	unsigned long flags = klock(&tasks_lock);

	if (p->exiting) {
		kunlock(&tasks_lock, flags);
		return false;
	}
	p->exiting = true;
	p->exit_code = signo;
	p->dumping = me;
	me->core.flags |= PF_DUMPCORE;
	kill_others(p, me, DEATH_GROUP_EXIT);
	while (p->nr_threads - p->parked > 1) {
		set_state(TASK_UNINTERRUPTIBLE);
		kunlock(&tasks_lock, flags);
		schedule();
		flags = klock(&tasks_lock);
	}
	kunlock(&tasks_lock, flags);
	return true;
}

void dump_end(bool dumped)
{
	struct process *p = current_process();
	unsigned long flags = klock(&tasks_lock);

	p->dumping = NULL;
	if (dumped)
		p->exit_code |= 0x80;
	node_for_each(n, &p->threads)
		wake_task(node_entry(n, struct task, threads), WAKE_ANY);
	kunlock(&tasks_lock, flags);
}

void dump_park(unsigned long *flags)
{
	struct process *p = current_process();

	if (!p->dumping)
		return;
	p->parked++;
	wake_task(p->dumping, WAKE_ANY);
	while (p->dumping) {
		set_state(TASK_UNINTERRUPTIBLE);
		kunlock(&tasks_lock, *flags);
		schedule();
		*flags = klock(&tasks_lock);
	}
	p->parked--;
}

/* ---- Letting go ---- */

void exec_release_mm(void)
{
	struct task *me = current(), *parent;
	unsigned long flags;

	/* A thread's join waits for this word; the only user of an address space has nobody to tell. */
	if (me->clear_child_tid && (me->process->nr_threads > 1 || me->process->shares_vm)) {
		u32 zero = 0;

		if (!copy_to_user(me->clear_child_tid, &zero, sizeof(zero)))
			futex_wake_address(me->clear_child_tid, 1);
	}
	me->clear_child_tid = 0;
	flags = klock(&tasks_lock);
	parent = me->vfork_parent;
	me->vfork_parent = NULL;
	kstore(&me->core.in_vfork, 0);
	kstore(&me->vfork_done, 1);
	if (parent)
		wake_task(parent, WAKE_ANY);
	kunlock(&tasks_lock, flags);
}

static void release_mm(struct task *me)
{
	struct mm_struct *mm;

	if (!me->core.mm)
		return;
	futex_exit(me);
	exec_release_mm();
	octavo_task_remove(&me->core);
	mm = task_change_mm(me, NULL);
	if (mm)
		mmput(mm);
}

/* ---- The family ---- */

/* (t) Who takes the children of @p. */
static struct process *new_parent(struct process *p)
{
	for (struct process *up = p->parent; up && up != init_process; up = up->parent)
		if (up->subreaper && !up->zombie)
			return up;
	return init_process;
}

/* (t) */
static bool wants_no_zombies(const struct process *parent)
{
	const struct k_sigaction *action;

	if (!parent || !parent->leader || !parent->leader->sighand)
		return true;
	action = &parent->leader->sighand->action[SIGCHLD - 1];
	return action->handler == SIG_IGN || (action->flags & SA_NOCLDWAIT);
}

static void add_times(struct times *to, const struct times *t)
{
	to->utime += t->utime;
	to->stime += t->stime;
	to->min_flt += t->min_flt;
	to->maj_flt += t->maj_flt;
	to->nvcsw += t->nvcsw;
	to->nivcsw += t->nivcsw;
	to->maxrss = max(to->maxrss, t->maxrss);
}

/* (t) Nothing is left of it but who has a reference. */
static void reap(struct process *p)
{
	struct task *leader = p->leader;

	if (p->parent) {
		add_times(&p->parent->children_times, &p->dead_threads);
		add_times(&p->parent->children_times, &p->children_times);
		node_remove(&p->sibling);
	}
	p->parent = NULL;
	process_list_remove(p);
	pid_free(p->pid);
	node_remove(&leader->threads);
	task_put(leader);
	process_put(p);
}

/* (t) */
static void orphan_children(struct process *p)
{
	node_for_each_safe(n, tmp, &p->children) {
		struct process *child = node_entry(n, struct process, sibling);

		node_remove(&child->sibling);
		/* Nobody but who asked for another signal gets it. */
		if (child->leader)
			child->leader->exit_signal = SIGCHLD;
		child->parent = new_parent(p);
		child->ppid = child->parent ? child->parent->pid : 0;
		if (child->parent)
			node_append(&child->parent->children, &child->sibling);
		if (child->leader && child->leader->pdeath_signal) {
			struct k_siginfo info = { .signo = child->leader->pdeath_signal, .code = SI_USER };

			send_siginfo_locked(child->leader, &info, true);
		}
		if (child->zombie && child->parent) {
			if (wants_no_zombies(child->parent))
				reap(child);
			else
				notify_parent(child, CLD_EXITED, child->exit_code);
		}
	}
}

/* (t) The group may be without a parent to start it again. */
static void check_orphaned_group(struct process *p)
{
	static const int both[2] = { SIGHUP, SIGCONT };

	if (!p->parent || p->parent->pgrp == p->pgrp || p->parent->session != p->session)
		return;
	if (!pgrp_orphaned(p->pgrp, p) || !pgrp_has_stopped(p->pgrp))
		return;
	for (int pid = 1; pid < PID_MAX; pid++) {
		struct task *task = pid_lookup(pid);

		if (!task || !task->process || task->process->leader != task || task->process->pgrp != p->pgrp)
			continue;
		for (unsigned int i = 0; i < 2; i++) {
			struct k_siginfo info = { .signo = both[i], .code = SI_KERNEL };

			send_siginfo_locked(task, &info, true);
		}
	}
}

/* (t) The last thread has gone. */
static void process_dies(struct process *p)
{
	int code = p->exit_code;

	orphan_children(p);
	check_orphaned_group(p);
	p->zombie = true;
	wake_up(&p->ended);
	flush_pending(p, &p->pending);
	if (!p->parent || (p->leader->exit_signal == SIGCHLD && wants_no_zombies(p->parent))) {
		if (p->parent) {
			/* Who waits must learn that there is no child any more. */
			struct process *parent = p->parent;

			notify_parent(p, CLD_EXITED, code);
			reap(p);
			wake_up(&parent->child_exit);
		} else {
			reap(p);
		}
		return;
	}
	notify_parent(p, code & 0x7f ? (code & 0x80 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED, code);
}

static void leave_tables(struct task *me, int code)
{
	struct process *p = me->process;
	unsigned long flags = klock(&tasks_lock);
	struct times t = { me->utime, me->stime, me->core.min_flt, me->core.maj_flt, me->nvcsw, me->nivcsw, 0 };

	add_times(&p->dead_threads, &t);
	flush_pending(p, &me->pending);
	if (me->sighand && me != p->leader) {
		sighand_put(me->sighand);
		me->sighand = NULL;
	}
	me->exit_code = code;
	if (me == p->leader && !p->exiting)
		p->exit_code = code;
	p->nr_threads--;
	/* No wake-ups from here on. */
	set_state(me == p->leader ? TASK_ZOMBIE : TASK_DEAD);
	if (me != p->leader) {
		pid_free(me->core.pid);
		node_remove(&me->threads);
		ksub(&me->refs, 1); /* its number's; the one of its being run is still there */
	}
	if (p->execing && p->nr_threads == 1)
		wake_task(p->execing, WAKE_ANY);
	if (p->dumping)
		wake_task(p->dumping, WAKE_ANY);
	if (!p->nr_threads) {
		if (p->leader->sighand) {
			sighand_put(p->leader->sighand);
			p->leader->sighand = NULL;
		}
		process_dies(p);
	}
	kunlock(&tasks_lock, flags);
}

/* Who looks at them from elsewhere takes a reference under the lock: task_files(), task_fs(). */
static void leave_files(struct task *me)
{
	unsigned long flags = klock(&tasks_lock);
	struct files *files = me->files;
	struct fs_context *fs = me->fs;

	me->files = NULL;
	me->fs = NULL;
	kunlock(&tasks_lock, flags);
	if (files)
		files_put(files);
	fs_put(fs);
}

void do_exit(int code)
{
	struct task *me = current();
	struct process *p = me->process;

	if (p == init_process && (p->exiting || p->nr_threads == 1))
		kernel_panic("Attempted to kill init! exitcode=0x%08x", (unsigned int)code);
	me->core.flags |= PF_EXITING;
	account_time(me, clock_monotonic_ns());
	release_mm(me);
	leave_files(me);
	/* The last to get here: nobody sets one any more. */
	if (!ksub(&p->live, 1))
		timers_exit(p);
	leave_tables(me, code);
	schedule();
	kernel_panic("a dead thread runs");
}

static long sys_exit(int code)
{
	do_exit((code & 0xff) << 8);
}
SYSCALL(60, sys_exit);

static long sys_exit_group(int code)
{
	do_group_exit((code & 0xff) << 8);
}
SYSCALL(231, sys_exit_group);

/* ---- Waiting ---- */

struct wait_for {
	int type, id;
	unsigned int options;
	int status; /* as wait4() stores it */
	struct k_siginfo info;
	struct times usage;
};

static bool matches(const struct process *child, const struct wait_for *w)
{
	bool clone = child->leader->exit_signal != SIGCHLD;

	if (w->type == P_PID && child->pid != w->id)
		return false;
	if (w->type == P_PGID && child->pgrp != w->id)
		return false;
	return (w->options & WALL) || clone == !!(w->options & WCLONE);
}

/* (t) */
static void fill_info(struct wait_for *w, const struct process *child, int code, int status)
{
	w->info = (struct k_siginfo){ .signo = SIGCHLD, .code = code };
	w->info.child.pid = child->pid;
	w->info.child.uid = child->ruid;
	w->info.child.status = status;
}

/* (t) Has @child something to say? Return: its number, or 0. */
static int look_at(struct process *child, struct wait_for *w)
{
	int code = child->exit_code;

	if (child->zombie && (w->options & WEXITED)) {
		w->status = code;
		fill_info(w, child, code & 0x7f ? (code & 0x80 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED,
			  code & 0x7f ? code & 0x7f : code >> 8 & 0xff);
		w->usage = child->dead_threads;
		add_times(&w->usage, &child->children_times);
		return child->pid;
	}
	if (child->stop_code && (w->options & WUNTRACED)) {
		w->status = child->stop_code << 8 | 0x7f;
		fill_info(w, child, CLD_STOPPED, child->stop_code);
		if (!(w->options & WNOWAIT))
			child->stop_code = 0;
		return child->pid;
	}
	if (child->continued && (w->options & WCONTINUED)) {
		w->status = 0xffff;
		fill_info(w, child, CLD_CONTINUED, SIGCONT);
		if (!(w->options & WNOWAIT))
			child->continued = false;
		return child->pid;
	}
	return 0;
}

/* Return: a child's number; 0: none has anything to say; -ECHILD: there is none. */
static int look_at_children(struct wait_for *w)
{
	struct process *me = current_process();
	unsigned long flags = klock(&tasks_lock);
	int result = -ECHILD;

	node_for_each(n, &me->children) {
		struct process *child = node_entry(n, struct process, sibling);

		if (!matches(child, w))
			continue;
		result = look_at(child, w);
		if (result) {
			if (child->zombie && (w->options & WEXITED) && !(w->options & WNOWAIT))
				reap(child);
			break;
		}
	}
	kunlock(&tasks_lock, flags);
	return result;
}

static int do_wait(struct wait_for *w)
{
	struct wait_queue *queue = &current_process()->child_exit;
	int result = look_at_children(w), err;

	if (result || (w->options & WNOHANG))
		return result;
	err = wait_event_interruptible(queue, (result = look_at_children(w)) != 0);
	return result ? result : err;
}

struct k_rusage {
	struct k_timeval utime, stime;
	long maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals;
	long nvcsw, nivcsw;
};

int put_rusage(uintptr_t user, const struct times *t);
int put_rusage(uintptr_t user, const struct times *t)
{
	struct k_rusage r = {
		.utime = { (s64)(t->utime / NS_PER_SEC), (s64)(t->utime % NS_PER_SEC / 1000) },
		.stime = { (s64)(t->stime / NS_PER_SEC), (s64)(t->stime % NS_PER_SEC / 1000) },
		.maxrss = (long)t->maxrss,
		.minflt = (long)t->min_flt,
		.majflt = (long)t->maj_flt,
		.nvcsw = (long)t->nvcsw,
		.nivcsw = (long)t->nivcsw,
	};

	return copy_to_user(user, &r, sizeof(r)) ? -EFAULT : 0;
}

static long sys_wait4(int pid, uintptr_t status, int options, uintptr_t usage)
{
	struct wait_for w = { .options = (unsigned int)options | WEXITED };
	int result;

	if ((unsigned int)options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	w.type = pid > 0 ? P_PID : pid == -1 ? P_ALL : P_PGID;
	w.id = pid > 0 ? pid : pid ? -pid : current_process()->pgrp;
	result = do_wait(&w);
	if (result > 0 && status && put_user(w.status, status))
		return -EFAULT;
	if (result > 0 && usage && put_rusage(usage, &w.usage))
		return -EFAULT;
	return result;
}
SYSCALL(61, sys_wait4);

static long sys_waitid(int type, int id, uintptr_t info, int options, uintptr_t usage)
{
	struct wait_for w = { .type = type, .id = id, .options = (unsigned int)options };
	int result;

	if ((unsigned int)options & ~(WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))
		return -EINVAL;
	if (!(options & (WEXITED | WUNTRACED | WCONTINUED)) || type < P_ALL || type > P_PIDFD)
		return -EINVAL;
	if (type == P_PIDFD) {
		struct process *p = pidfd_process(id);

		if (!p)
			return -EBADF;
		w.type = P_PID;
		w.id = p->pid;
		process_put(p);
	}
	if (type == P_PID && id <= 0)
		return -EINVAL;
	if (type == P_PGID && id < 0)
		return -EINVAL;
	if (type == P_PGID && !id)
		w.id = current_process()->pgrp;
	result = do_wait(&w);
	if (result < 0)
		return result;
	if (!result)
		memset(&w.info, 0, sizeof(w.info));
	if (info && copy_to_user(info, &w.info, sizeof(w.info)))
		return -EFAULT;
	if (result && usage && put_rusage(usage, &w.usage))
		return -EFAULT;
	return 0;
}
SYSCALL(247, sys_waitid);
