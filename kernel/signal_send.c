// SPDX-License-Identifier: MIT
/*
 * Sending signals: queues, what is dropped at once, who is woken. Sources: signal(7), kill(2), sigaction(2).
 */
#include "kernel.h"

#define STOP_SIGNALS (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))
#define IGNORED_BY_DEFAULT (SIGMASK(SIGCHLD) | SIGMASK(SIGURG) | SIGMASK(SIGWINCH) | SIGMASK(SIGCONT))
#define CAP_KILL 5

void group_kill_locked(struct process *p, int code);

/* ---- Queues ---- */

struct sighand *sighand_new(void)
{
	struct sighand *s = kmalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->refs = 1;
	return s;
}

void sighand_put(struct sighand *sighand)
{
	if (!--sighand->refs)
		kfree(sighand);
}

/* Signals of @which go. */
static void discard(struct process *p, struct sigpending *pending, sigset_k which)
{
	if (!(pending->set & which))
		return;
	pending->set &= ~which;
	node_for_each_safe(n, tmp, &pending->queue) {
		struct sigqueue *q = node_entry(n, struct sigqueue, node);

		if (SIGMASK(q->info.signo) & which) {
			node_remove(n);
			p->queued--;
			kfree(q);
		}
	}
}

void flush_pending(struct process *p, struct sigpending *pending)
{
	discard(p, pending, ~0ull);
}

static void discard_everywhere(struct process *p, sigset_k which)
{
	discard(p, &p->pending, which);
	node_for_each(n, &p->threads)
		discard(p, &node_entry(n, struct task, threads)->pending, which);
}

/* The first of @signo in a queue; what is behind it keeps the bit. A signal without memory for its facts has none. */
static bool take_from(struct process *p, struct sigpending *pending, int signo, struct k_siginfo *info)
{
	struct sigqueue *found = NULL;
	bool more = false;

	node_for_each(n, &pending->queue) {
		struct sigqueue *q = node_entry(n, struct sigqueue, node);

		if (q->info.signo != signo)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = q;
	}
	if (!more)
		pending->set &= ~SIGMASK(signo);
	if (!found) {
		*info = (struct k_siginfo){ .signo = signo, .code = SI_USER };
		return true;
	}
	*info = found->info;
	node_remove(&found->node);
	p->queued--;
	kfree(found);
	if (info->code == SI_TIMER)
		posix_timer_taken(info->timer.tid, info);
	return true;
}

/* Synchronous ones first, then by number; the thread's own ahead of the process's. */
int take_signal(sigset_k which, struct k_siginfo *info)
{
	static const sigset_k synchronous = SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) |
					    SIGMASK(SIGFPE) | SIGMASK(SIGSYS);
	struct task *me = current();
	struct sigpending *pending = &me->pending;
	sigset_k ready = pending->set & which;
	int signo;

	if (!ready) {
		pending = &me->process->pending;
		ready = pending->set & which;
	}
	if (!ready)
		return 0;
	if (ready & synchronous)
		ready &= synchronous;
	signo = (int)lowest_bit(ready) + 1;
	take_from(me->process, pending, signo, info);
	return signo;
}

void recalc_pending(struct task *task)
{
	struct process *p = task->process;

	if (task->death || p->stopped || ((task->pending.set | p->pending.set) & ~task->blocked))
		kor(&task->work, WORK_SIGNAL);
	else
		kand(&task->work, ~WORK_SIGNAL);
}

void set_blocked(sigset_k set)
{
	struct task *me = current();
	unsigned long flags = klock(&tasks_lock);

	me->blocked = set & ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP));
	recalc_pending(me);
	kunlock(&tasks_lock, flags);
}

/* ---- Sending ---- */

static bool is_ignored(const struct task *task, int signo)
{
	const struct k_sigaction *action;

	if (!task->sighand)
		return true;
	if ((task->blocked | task->waiting_for) & SIGMASK(signo))
		return false;
	action = &task->sighand->action[signo - 1];
	if (action->handler == SIG_IGN)
		return true;
	if (action->handler != SIG_DFL)
		return false;
	return task->process == init_process || (IGNORED_BY_DEFAULT & SIGMASK(signo));
}

static bool wants(const struct task *task, int signo)
{
	return task->state < TASK_ZOMBIE && !(task->blocked & SIGMASK(signo));
}

static void alert(struct task *task)
{
	sched_kick(task, WORK_SIGNAL);
	wake_task(task, 1u << TASK_INTERRUPTIBLE);
}

/* Somebody of the process takes it: @task if it can, or waits for it, else the first who can. */
static void alert_one(struct process *p, struct task *task, int signo)
{
	if (wants(task, signo)) {
		alert(task);
		return;
	}
	node_for_each(n, &p->threads) {
		struct task *other = node_entry(n, struct task, threads);

		if (wants(other, signo)) {
			alert(other);
			return;
		}
	}
	node_for_each(n, &p->threads) {
		struct task *other = node_entry(n, struct task, threads);

		if (other->waiting_for & SIGMASK(signo))
			wake_task(other, 1u << TASK_INTERRUPTIBLE);
	}
}

static void go_on(struct process *p)
{
	discard_everywhere(p, STOP_SIGNALS);
	if (!p->stopped)
		return;
	p->stopped = false;
	p->stop_code = 0;
	p->continued = true;
	node_for_each(n, &p->threads)
		wake_task(node_entry(n, struct task, threads), 1u << TASK_STOPPED);
	notify_parent(p, CLD_CONTINUED, SIGCONT);
}

static int enqueue(struct process *p, struct sigpending *pending, const struct k_siginfo *info)
{
	sigset_k bit = SIGMASK(info->signo);
	struct sigqueue *q;

	if (info->signo < SIGRTMIN_K && (pending->set & bit))
		return 0;
	if (info->signo >= SIGRTMIN_K && info->code != SI_KERNEL &&
	    p->queued >= p->core.rlimit[RLIMIT_SIGPENDING].cur)
		return -EAGAIN;
	q = kmalloc(sizeof(*q), GFP_ATOMIC);
	if (!q && info->signo >= SIGRTMIN_K)
		return -EAGAIN;
	pending->set |= bit;
	if (!q)
		return 0;
	q->info = *info;
	node_append(&pending->queue, &q->node);
	p->queued++;
	return 0;
}

int send_siginfo_locked(struct task *task, const struct k_siginfo *info, bool whole_process)
{
	struct process *p = task->process;
	int signo = info->signo, err;

	if (!signo || p->zombie || task->state >= TASK_ZOMBIE || !p->nr_threads) {
		if (!signo || p->zombie || !whole_process || !p->nr_threads)
			return 0;
	}
	if (signo == SIGKILL) {
		if (p != init_process && !(task->core.flags & PF_KTHREAD))
			group_kill_locked(p, SIGKILL);
		return 0;
	}
	if (signo == SIGCONT)
		go_on(p);
	else if (SIGMASK(signo) & STOP_SIGNALS)
		discard_everywhere(p, SIGMASK(SIGCONT));
	if (is_ignored(task, signo) && task->state < TASK_ZOMBIE)
		return 0;
	err = enqueue(p, whole_process ? &p->pending : &task->pending, info);
	if (err)
		return err;
	if (whole_process)
		alert_one(p, task, signo);
	else if (wants(task, signo))
		alert(task);
	else if (task->waiting_for & SIGMASK(signo))
		wake_task(task, 1u << TASK_INTERRUPTIBLE);
	return 0;
}

int send_siginfo(struct task *task, const struct k_siginfo *info, bool whole_process)
{
	unsigned long flags = klock(&tasks_lock);
	int err = send_siginfo_locked(task, info, whole_process);

	kunlock(&tasks_lock, flags);
	return err;
}

int send_signal(struct task *task, int signo, bool whole_process)
{
	struct k_siginfo info = { .signo = signo, .code = SI_KERNEL };

	return send_siginfo(task, &info, whole_process);
}

bool signal_allowed(const struct process *to, int signo)
{
	const struct process *me = current_process();

	if (me == to || capable(CAP_KILL))
		return true;
	if (signo == SIGCONT && me->session == to->session)
		return true;
	return me->euid == to->ruid || me->euid == to->suid || me->ruid == to->ruid || me->ruid == to->suid;
}

/* A fault's: what is blocked or ignored ends the process, as nothing else could go on. */
void force_signal(const struct k_siginfo *info)
{
	struct task *me = current();
	sigset_k bit = SIGMASK(info->signo);
	unsigned long flags = klock(&tasks_lock);

	if (info->signo == SIGKILL) {
		group_kill_locked(me->process, SIGKILL);
	} else {
		struct k_sigaction *action = &me->sighand->action[info->signo - 1];

		if ((me->blocked & bit) || action->handler == SIG_IGN) {
			action->handler = SIG_DFL;
			me->blocked &= ~bit;
		}
		discard(me->process, &me->pending, bit);
		enqueue(me->process, &me->pending, info);
	}
	kor(&me->work, WORK_SIGNAL);
	kunlock(&tasks_lock, flags);
}

void kill_for_memory(struct mm_task *task)
{
	struct process *victim = container_of(task, struct task, core)->process;
	unsigned long flags = klock(&tasks_lock);

	group_kill_locked(victim, SIGKILL);
	kunlock(&tasks_lock, flags);
}

void force_signal_fault(int signo, int code, uintptr_t address)
{
	struct k_siginfo info = { .signo = signo, .code = code };

	info.fault.address = address;
	force_signal(&info);
}

void notify_parent(struct process *child, int code, int status)
{
	struct process *parent = child->parent;
	const struct k_sigaction *action;
	struct k_siginfo info = { .signo = SIGCHLD, .code = code };
	bool ends = code <= CLD_DUMPED;

	if (!parent || !parent->leader)
		return;
	if (ends) {
		info.signo = child->leader->exit_signal;
		info.code = status & 0x7f ? (status & 0x80 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED;
		status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
	}
	info.child.pid = child->pid;
	info.child.uid = child->ruid;
	info.child.status = status;
	info.child.utime = (s64)(child->dead_threads.utime / (NS_PER_SEC / USER_HZ));
	info.child.stime = (s64)(child->dead_threads.stime / (NS_PER_SEC / USER_HZ));
	action = parent->leader->sighand ? &parent->leader->sighand->action[SIGCHLD - 1] : NULL;
	if (info.signo > 0 && action && (ends || !(action->flags & SA_NOCLDSTOP)))
		send_siginfo_locked(parent->leader, &info, true);
	wake_up(&parent->child_exit);
}
