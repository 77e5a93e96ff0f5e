// SPDX-License-Identifier: MIT
/* /proc/PID/stat and status: proc(5). */
#include <octavo/proc_pid.h>

#include "kernel.h"
#include "procpid.h"

#define TICKS(ns) ((unsigned long long)((ns) / (NS_PER_SEC / USER_HZ)))

/* What changes under tasks_lock, at one moment. */
struct snapshot {
	int ppid, pgrp, session, threads;
	sigset_k pending, shared, blocked, ignored, caught;
	struct times times, children;
	char state;
};

static char state_letter(const struct task *task)
{
	static const char letters[] = "RSDTRZX";

	return task->process->zombie ? 'Z' : letters[min_t(unsigned int, task->state, sizeof(letters) - 2)];
}

static void take_snapshot(struct task *task, struct snapshot *s)
{
	struct process *p = task->process;
	unsigned long flags;

	*s = (struct snapshot){ 0 };
	process_times(p, &s->times);
	flags = klock(&tasks_lock);
	s->ppid = p->parent ? p->parent->pid : 0;
	s->pgrp = p->pgrp;
	s->session = p->session;
	s->threads = (int)max(p->nr_threads, 1u);
	s->children = p->children_times;
	s->pending = task->pending.set;
	s->shared = p->pending.set;
	s->blocked = task->blocked;
	for (int i = 0; task->sighand && i < NSIG; i++) {
		uintptr_t handler = task->sighand->action[i].handler;

		if (handler == SIG_IGN)
			s->ignored |= SIGMASK(i + 1);
		else if (handler != SIG_DFL)
			s->caught |= SIGMASK(i + 1);
	}
	s->state = state_letter(task);
	kunlock(&tasks_lock, flags);
}

/* Real-time signals are not in these numbers but in status: proc(5). */
static unsigned long long old_set(sigset_k set)
{
	return set & 0x7fffffff;
}

int pid_stat_show(struct task *task, struct ktext *text)
{
	const struct process *p = task->process;
	struct octavo_pid_stat m = { 0 };
	struct mm_struct *mm = task_mm(task);
	bool look = pid_may_look(task);
	struct snapshot s;

	take_snapshot(task, &s);
	octavo_pid_stat(mm, &m);
	if (mm)
		mmput(mm);
	ktext_printf(text, "%d (%.15s) %c %d %d %d %d %d %u", task->core.pid, task->core.comm, s.state, s.ppid, s.pgrp,
		     s.session, tty_number(p), tty_foreground(p), task->core.flags);
	ktext_printf(text, " %lu %lu %lu %lu %llu %llu %llu %llu", s.times.min_flt, s.children.min_flt, s.times.maj_flt,
		     s.children.maj_flt, TICKS(s.times.utime), TICKS(s.times.stime), TICKS(s.children.utime),
		     TICKS(s.children.stime));
	ktext_printf(text, " %d %d %d 0 %llu %lu %lu %lu", 20 + task->nice, task->nice, s.threads,
		     TICKS(task->start_time), m.vsize, m.rss, p->core.rlimit[RLIMIT_RSS].cur);
	/* Where things lie is for those only who may look in anyway. */
	ktext_printf(text, " %lu %lu %lu 0 0", look ? m.startcode : 1, look ? m.endcode : 1, look ? m.startstack : 0);
	ktext_printf(text, " %llu %llu %llu %llu 0 0 0 %d %u 0 %u 0 0 0", old_set(s.pending | s.shared),
		     old_set(s.blocked), old_set(s.ignored), old_set(s.caught), task->exit_signal, task->cpu,
		     task->policy);
	if (!look)
		m = (struct octavo_pid_stat){ 0 };
	ktext_printf(text, " %lu %lu %lu %lu %lu %lu %lu %d\n", m.start_data, m.end_data, m.start_brk, m.arg_start,
		     m.arg_end, m.env_start, m.env_end, look ? p->exit_code : 0);
	return 0;
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R':
		return "R (running)";
	case 'S':
		return "S (sleeping)";
	case 'D':
		return "D (disk sleep)";
	case 'T':
		return "T (stopped)";
	case 'Z':
		return "Z (zombie)";
	}
	return "X (dead)";
}

static bool count_fd(void *ctx, int fd, struct file *file)
{
	(void)file;
	*(unsigned int *)ctx = max(*(unsigned int *)ctx, (unsigned int)fd + 1);
	return true;
}

static void status_signals(const struct snapshot *s, struct ktext *text)
{
	ktext_printf(text, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
		     (unsigned long long)s->pending, (unsigned long long)s->shared, (unsigned long long)s->blocked,
		     (unsigned long long)s->ignored, (unsigned long long)s->caught);
}

static void status_rights(const struct process *p, struct ktext *text)
{
	ktext_printf(text, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
		     (unsigned long long)p->cap_inheritable, (unsigned long long)p->cap_permitted,
		     (unsigned long long)p->core.capabilities, (unsigned long long)p->cap_bounding,
		     (unsigned long long)p->cap_ambient);
	ktext_printf(text, "NoNewPrivs:\t%d\nSeccomp:\t0\n", p->no_new_privs);
}

int pid_status_show(struct task *task, struct ktext *text)
{
	const struct process *p = task->process;
	struct mm_struct *mm = task_mm(task);
	struct fs_context *fs;
	unsigned int fds = 64;
	struct snapshot s;

	take_snapshot(task, &s);
	fd_each(task, count_fd, &fds);
	ktext_printf(text, "Name:\t%.15s\n", task->core.comm);
	fs = task_fs(task);
	if (fs)
		ktext_printf(text, "Umask:\t%04o\n", fs->umask);
	fs_put(fs);
	ktext_printf(text, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", state_name(s.state),
		     task->core.tgid, task->core.pid, s.ppid);
	ktext_printf(text, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", p->ruid, p->euid,
		     p->suid, p->fsuid, p->rgid, p->egid, p->sgid, p->fsgid, fds);
	for (unsigned int i = 0; i < p->groups_nr; i++)
		ktext_printf(text, "%u ", p->groups[i]);
	ktext_printf(text, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\nKthread:\t%d\n", task->core.tgid,
		     task->core.pid, s.pgrp, s.session, !!(task->core.flags & PF_KTHREAD));
	octavo_pid_status(mm, READ_ONCE(task->process->dumping) != NULL, ktext_add, text);
	if (mm)
		mmput(mm);
	ktext_printf(text, "Threads:\t%d\nSigQ:\t0/%lu\n", s.threads, p->core.rlimit[RLIMIT_SIGPENDING].cur);
	status_signals(&s, text);
	status_rights(p, text);
	ktext_printf(text, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", task->nvcsw,
		     task->nivcsw);
	return 0;
}
