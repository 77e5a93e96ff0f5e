// SPDX-License-Identifier: MIT
/*
 * Taking signals before user mode is gone back to, stopping, and the system calls.
 * Sources: signal(7), sigaction(2), sigprocmask(2), sigaltstack(2), sigtimedwait(2), kill(2), tgkill(2), wait(2).
 */
#include "coredump.h"

#define STOPPING (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))
#define NOT_FATAL (SIGMASK(SIGCHLD) | SIGMASK(SIGURG) | SIGMASK(SIGWINCH) | SIGMASK(SIGCONT))
#define DUMPING \
	(SIGMASK(SIGQUIT) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGABRT) | SIGMASK(SIGBUS) | \
	 SIGMASK(SIGFPE) | SIGMASK(SIGSEGV) | SIGMASK(SIGXCPU) | SIGMASK(SIGXFSZ) | SIGMASK(SIGSYS))
#define UNMASKABLE (SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))

int signal_many(int pgrp, const struct k_siginfo *info, bool check);

/* ---- Taking ---- */

/* The system call was interrupted: is it made again? @handler: a signal is about to be handled, with @flags. */
static void settle_system_call(bool handler, unsigned long flags)
{
	long result;

	if (arch_syscall_nr() < 0)
		return;
	result = arch_result();
	switch (result) {
	case -ERESTARTSYS:
		if (handler && !(flags & SA_RESTART))
			arch_set_result(-EINTR);
		else
			arch_restart_syscall(false);
		break;
	case -ERESTARTNOINTR:
		arch_restart_syscall(false);
		break;
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		if (handler)
			arch_set_result(-EINTR);
		else
			arch_restart_syscall(result == -ERESTART_RESTARTBLOCK);
		break;
	}
}

/* (t) All threads stop; the last words to the parent are said at once. */
static void stop_process(struct process *p, int signo)
{
	if (p->exiting)
		return;
	p->stopped = true;
	p->continued = false;
	p->stop_code = signo;
	node_for_each(n, &p->threads) {
		struct task *task = node_entry(n, struct task, threads);

		if (task == current() || task->state >= TASK_ZOMBIE)
			continue;
		sched_kick(task, WORK_SIGNAL);
		wake_task(task, 1u << TASK_INTERRUPTIBLE);
	}
	notify_parent(p, CLD_STOPPED, signo);
}

/* Lets (t) go while it sleeps. */
static void stay_stopped(unsigned long *flags)
{
	set_state(TASK_STOPPED);
	kunlock(&tasks_lock, *flags);
	schedule();
	*flags = klock(&tasks_lock);
}

/* (t) The default of @signo, which is not to be handled. Return: false: it ends the process. */
static bool by_default(struct process *p, int signo)
{
	if (SIGMASK(signo) & NOT_FATAL)
		return true;
	if (p == init_process && signo != SIGSEGV && signo != SIGBUS && signo != SIGILL && signo != SIGFPE &&
	    signo != SIGTRAP)
		return true;
	if (!(SIGMASK(signo) & STOPPING))
		return false;
	if (signo == SIGSTOP || !pgrp_orphaned(p->pgrp, NULL))
		stop_process(p, signo);
	return true;
}

/* Return: a signal with a handler, its action copied; 0: none. (t) is taken and let go of. */
static int next_handled(struct k_siginfo *info, struct k_sigaction *action)
{
	struct task *me = current();
	struct process *p = me->process;
	unsigned long flags = klock(&tasks_lock);
	int signo;

	for (;;) {
		struct k_sigaction *a;

		if (me->death) {
			bool group = me->death == DEATH_GROUP_EXIT;
			int code;

			dump_park(&flags);
			code = p->exit_code;
			kunlock(&tasks_lock, flags);
			do_exit(group ? code : 0);
		}
		if (p->stopped) {
			stay_stopped(&flags);
			continue;
		}
		signo = take_signal(~me->blocked, info);
		if (!signo)
			break;
		a = &me->sighand->action[signo - 1];
		if (a->handler == SIG_IGN)
			continue;
		if (a->handler == SIG_DFL) {
			if (by_default(p, signo))
				continue;
			kunlock(&tasks_lock, flags);
			if (SIGMASK(signo) & DUMPING)
				coredump(info);
			do_group_exit(signo);
		}
		*action = *a;
		if (a->flags & SA_RESETHAND)
			a->handler = SIG_DFL;
		break;
	}
	recalc_pending(me);
	kunlock(&tasks_lock, flags);
	return signo;
}

static void handle(int signo, const struct k_siginfo *info, const struct k_sigaction *action)
{
	struct task *me = current();
	sigset_k mask = me->blocked;

	if (kand(&me->work, ~WORK_SIGMASK) & WORK_SIGMASK)
		mask = me->saved_mask;
	settle_system_call(true, action->flags);
	if (arch_signal_frame(action, info, mask)) {
		/* Nowhere to put it: the stack is gone. The handler of that signal cannot be tried again. */
		unsigned long flags = klock(&tasks_lock);

		if (signo == SIGSEGV)
			me->sighand->action[SIGSEGV - 1].handler = SIG_DFL;
		kunlock(&tasks_lock, flags);
		force_signal_fault(SIGSEGV, SI_KERNEL, 0);
		return;
	}
	mask = me->blocked | action->mask;
	if (!(action->flags & SA_NODEFER))
		mask |= SIGMASK(signo);
	set_blocked(mask);
}

void do_signals(void)
{
	struct task *me = current();
	struct k_sigaction action;
	struct k_siginfo info;
	int signo;
	bool handled = false;

	while ((signo = next_handled(&info, &action))) {
		handle(signo, &info, &action);
		handled = true;
	}
	if (handled)
		return;
	settle_system_call(false, 0);
	if (kand(&me->work, ~WORK_SIGMASK) & WORK_SIGMASK)
		set_blocked(me->saved_mask);
}

void signal_exec(void)
{
	struct task *me = current();
	struct sighand *s = me->sighand;
	unsigned long flags = klock(&tasks_lock);

	for (unsigned int i = 0; i < NSIG; i++) {
		uintptr_t handler = s->action[i].handler == SIG_IGN ? SIG_IGN : SIG_DFL;

		s->action[i] = (struct k_sigaction){ .handler = handler };
	}
	me->altstack = me->altstack_size = 0;
	me->altstack_flags = 0;
	kunlock(&tasks_lock, flags);
}

/* A table of one's own, if it is shared with another process (CLONE_SIGHAND). */
int signal_unshare(void);
int signal_unshare(void)
{
	struct task *me = current();
	struct sighand *s, *old = me->sighand;
	unsigned long flags;

	if (READ_ONCE(old->refs) == 1)
		return 0;
	s = sighand_new();
	if (!s)
		return -ENOMEM;
	flags = klock(&tasks_lock);
	memcpy(s->action, old->action, sizeof(s->action));
	me->sighand = s;
	sighand_put(old);
	kunlock(&tasks_lock, flags);
	return 0;
}

/* ---- Actions and masks ---- */

static long sys_rt_sigaction(int signo, uintptr_t new, uintptr_t old, size_t size)
{
	struct task *me = current();
	struct k_sigaction action = { 0 }, was;
	unsigned long flags;

	if (size != sizeof(sigset_k))
		return -EINVAL;
	if (new && copy_from_user(&action, new, sizeof(action)))
		return -EFAULT;
	if (signo < 1 || signo > NSIG || (new && (SIGMASK(signo) & UNMASKABLE)))
		return -EINVAL;
	flags = klock(&tasks_lock);
	was = me->sighand->action[signo - 1];
	if (new) {
		action.mask &= ~UNMASKABLE;
		me->sighand->action[signo - 1] = action;
		/* What is ignored from now on does not wait, either. */
		if (action.handler == SIG_IGN || (action.handler == SIG_DFL && (SIGMASK(signo) & NOT_FATAL))) {
			struct k_siginfo info;
			sigset_k bit = SIGMASK(signo);

			while (take_signal(bit, &info))
				;
		}
	}
	kunlock(&tasks_lock, flags);
	return old && copy_to_user(old, &was, sizeof(was)) ? -EFAULT : 0;
}
SYSCALL(13, sys_rt_sigaction);

static long sys_rt_sigprocmask(int how, uintptr_t new, uintptr_t old, size_t size)
{
	sigset_k was = current()->blocked, set;

	if (size != sizeof(sigset_k))
		return -EINVAL;
	if (new) {
		if (get_user(set, new))
			return -EFAULT;
		if (how < 0 || how > 2)
			return -EINVAL;
		set_blocked(how == 0 ? was | set : how == 1 ? was & ~set : set);
	}
	return old && put_user(was, old) ? -EFAULT : 0;
}
SYSCALL(14, sys_rt_sigprocmask);

static long sys_rt_sigpending(uintptr_t set, size_t size)
{
	struct task *me = current();
	sigset_k pending = (me->pending.set | me->process->pending.set) & me->blocked;

	if (size > sizeof(pending))
		return -EINVAL;
	return copy_to_user(set, &pending, size) ? -EFAULT : 0;
}
SYSCALL(127, sys_rt_sigpending);

static long sys_pause(void)
{
	while (!signal_pending()) {
		set_state(TASK_INTERRUPTIBLE);
		if (!signal_pending())
			schedule();
		set_state(TASK_RUNNING);
	}
	return -ERESTARTNOHAND;
}
SYSCALL(34, sys_pause);

/* The caller's mask until the system call ends, or until the handler that ended it returns. */
void set_mask_for_call(sigset_k set);
void set_mask_for_call(sigset_k set)
{
	struct task *me = current();

	me->saved_mask = me->blocked;
	set_blocked(set);
	kor(&me->work, WORK_SIGMASK);
}

static long sys_rt_sigsuspend(uintptr_t set, size_t size)
{
	sigset_k mask;

	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user(mask, set))
		return -EFAULT;
	set_mask_for_call(mask);
	return sys_pause();
}
SYSCALL(130, sys_rt_sigsuspend);

static long sys_rt_sigtimedwait(uintptr_t set, uintptr_t info_user, uintptr_t timeout, size_t size)
{
	struct task *me = current();
	struct k_siginfo info;
	u64 left = ~0ull;
	unsigned long flags;
	sigset_k which;
	int signo, err;

	if (size != sizeof(which))
		return -EINVAL;
	if (get_user(which, set))
		return -EFAULT;
	err = timeout ? get_timespec(timeout, &left) : 0;
	if (err)
		return err;
	which &= ~UNMASKABLE;
	for (;;) {
		flags = klock(&tasks_lock);
		signo = take_signal(which, &info);
		me->waiting_for = signo || !left ? 0 : which;
		if (!signo && left)
			set_state(TASK_INTERRUPTIBLE);
		recalc_pending(me);
		kunlock(&tasks_lock, flags);
		if (signo || !left || signal_pending())
			break;
		left = schedule_timeout(left);
	}
	set_state(TASK_RUNNING);
	me->waiting_for = 0;
	if (!signo)
		return left ? -EINTR : -EAGAIN;
	if (info_user && copy_to_user(info_user, &info, sizeof(info)))
		return -EFAULT;
	return signo;
}
SYSCALL(128, sys_rt_sigtimedwait);

struct k_stack {
	u64 sp;
	u32 flags, pad;
	u64 size;
};
#define SS_ONSTACK 1u
#define SS_DISABLE 2u
#define SS_AUTODISARM 0x80000000u
#define MINSIGSTKSZ 2048u

static long sys_sigaltstack(uintptr_t new, uintptr_t old)
{
	struct task *me = current();
	bool on = arch_user_sp(me) - me->altstack - 1 < me->altstack_size && !(me->altstack_flags & SS_AUTODISARM);
	struct k_stack was = { me->altstack, on ? SS_ONSTACK : me->altstack_size ? 0 : SS_DISABLE, 0,
			       me->altstack_size };
	struct k_stack s;

	was.flags |= me->altstack_flags;
	if (new) {
		if (copy_from_user(&s, new, sizeof(s)))
			return -EFAULT;
		if (on)
			return -EPERM;
		if (s.flags & ~(SS_ONSTACK | SS_DISABLE | SS_AUTODISARM))
			return -EINVAL;
		if ((s.flags & ~SS_AUTODISARM) == (SS_ONSTACK | SS_DISABLE))
			return -EINVAL;
		if (s.flags & SS_DISABLE)
			s.sp = s.size = 0;
		else if (s.size < MINSIGSTKSZ)
			return -ENOMEM;
		me->altstack = s.sp;
		me->altstack_size = s.size;
		me->altstack_flags = s.flags & SS_AUTODISARM;
	}
	return old && copy_to_user(old, &was, sizeof(was)) ? -EFAULT : 0;
}
SYSCALL(131, sys_sigaltstack);

/* ---- Kill ---- */

static struct k_siginfo user_info(int signo, int code)
{
	struct k_siginfo info = { .signo = signo, .code = code };

	info.kill.pid = current()->core.tgid;
	info.kill.uid = current_process()->ruid;
	return info;
}

/* @tgid: 0: of any process; @whole: to the process. */
static long send_to(int tgid, int tid, const struct k_siginfo *info, bool whole)
{
	unsigned long flags = klock(&tasks_lock);
	struct task *task = pid_lookup(tid);
	long result = -ESRCH;

	if (task && (!tgid || task->core.tgid == tgid)) {
		result = signal_allowed(task->process, info->signo) ? 0 : -EPERM;
		if (!result && info->signo && !(task->core.flags & PF_KTHREAD))
			result = send_siginfo_locked(task, info, whole);
	}
	kunlock(&tasks_lock, flags);
	return result;
}

static long sys_kill(int pid, int signo)
{
	struct k_siginfo info = user_info(signo, SI_USER);

	if (signo < 0 || signo > NSIG)
		return -EINVAL;
	if (pid > 0)
		return send_to(0, pid, &info, true);
	if (pid == (int)0x80000000)
		return -ESRCH;
	return signal_many(pid == -1 ? -1 : pid ? -pid : current_process()->pgrp, &info, true);
}
SYSCALL(62, sys_kill);

int signal_pgrp(int pgrp, int signo, bool check)
{
	struct k_siginfo info = { .signo = signo, .code = SI_KERNEL };

	return signal_many(pgrp, &info, check);
}

static long sys_tkill(int tid, int signo)
{
	struct k_siginfo info = user_info(signo, SI_TKILL);

	if (tid <= 0 || signo < 0 || signo > NSIG)
		return -EINVAL;
	return send_to(0, tid, &info, false);
}
SYSCALL(200, sys_tkill);

static long sys_tgkill(int tgid, int tid, int signo)
{
	struct k_siginfo info = user_info(signo, SI_TKILL);

	if (tgid <= 0 || tid <= 0 || signo < 0 || signo > NSIG)
		return -EINVAL;
	return send_to(tgid, tid, &info, false);
}
SYSCALL(234, sys_tgkill);

/* Only to oneself may a process pretend that a signal comes from the kernel or kill(). */
static long queue_info(int tgid, int tid, int signo, uintptr_t user, bool whole)
{
	struct k_siginfo info;

	if (copy_from_user(&info, user, sizeof(info)))
		return -EFAULT;
	if (signo < 0 || signo > NSIG)
		return -EINVAL;
	if ((info.code >= 0 || info.code == SI_TKILL) && (whole ? tid : tgid) != current()->core.tgid)
		return -EPERM;
	info.signo = signo;
	return send_to(tgid, tid, &info, whole);
}

static long sys_rt_sigqueueinfo(int pid, int signo, uintptr_t info)
{
	return queue_info(0, pid, signo, info, true);
}
SYSCALL(129, sys_rt_sigqueueinfo);

static long sys_rt_tgsigqueueinfo(int tgid, int tid, int signo, uintptr_t info)
{
	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	return queue_info(tgid, tid, signo, info, false);
}
SYSCALL(297, sys_rt_tgsigqueueinfo);

static long sys_restart_syscall(void)
{
	struct task *me = current();

	return me->restart.fn ? me->restart.fn(&me->restart) : -EINTR;
}
SYSCALL(219, sys_restart_syscall);
