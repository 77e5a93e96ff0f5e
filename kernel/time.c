// SPDX-License-Identifier: MIT
/*
 * Clocks, sleeping, interval timers. Sources: clock_gettime(2), clock_nanosleep(2), setitimer(2), timer_create(2),
 * time(2), times(2); Motorola MC146818 data sheet for the clock that runs while the machine is off.
 */
#include "kernel.h"

#include "arch/x86/cpu/cpu.h"

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME 2
#define CLOCK_THREAD_CPUTIME 3
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define CLOCK_TAI 11
#define TIMER_ABSTIME 1

static s64 realtime_offset; /* of the monotonic clock */

/* ---- Clocks ---- */

static u8 cmos(u8 reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static unsigned int from_bcd(u8 v, bool binary)
{
	return binary ? v : (v >> 4) * 10u + (v & 15u);
}

/* Days from 1970 to a date of the Gregorian calendar (March-based years: 153 days in five months). */
static s64 days_since_1970(unsigned int year, unsigned int month, unsigned int day)
{
	unsigned int y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return (s64)365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

void time_init(void)
{
	unsigned int v[6];
	static const u8 regs[6] = { 0, 2, 4, 7, 8, 9 };
	bool binary, hours24;
	s64 seconds;

	for (unsigned int i = 0; i < 100000 && (cmos(10) & 0x80); i++) /* being updated */
		;
	binary = cmos(11) & 4;
	hours24 = cmos(11) & 2;
	for (unsigned int i = 0; i < 6; i++)
		v[i] = from_bcd(cmos(regs[i]) & (i == 2 && !hours24 ? 0x7f : 0xff), binary);
	if (!hours24)
		v[2] = v[2] % 12 + (cmos(4) & 0x80 ? 12 : 0);
	seconds = days_since_1970(v[5] + (v[5] < 70 ? 2000 : 1900), v[4], v[3]) * 86400;
	seconds += v[2] * 3600 + v[1] * 60 + v[0];
	realtime_offset = seconds * (s64)NS_PER_SEC - (s64)clock_monotonic_ns();
}

u64 clock_monotonic_ns(void)
{
	return port_clock_ns();
}

u64 clock_realtime_ns(void)
{
	return clock_monotonic_ns() + (u64)READ_ONCE(realtime_offset);
}

void account_time(struct task *me, u64 now)
{
	if (me->last_stamp && now > me->last_stamp)
		*(me->in_kernel ? &me->stime : &me->utime) += now - me->last_stamp;
	me->last_stamp = now;
}

static void account_now(void)
{
	unsigned long flags = port_irq_save();

	account_time(current(), clock_monotonic_ns());
	port_irq_restore(flags);
}

void process_times(struct process *process, struct times *times)
{
	unsigned long flags;

	if (process == current_process())
		account_now();
	flags = klock(&tasks_lock);
	*times = process->dead_threads;
	node_for_each(n, &process->threads) {
		const struct task *t = node_entry(n, struct task, threads);

		if (t->state >= TASK_ZOMBIE)
			continue;
		times->utime += t->utime;
		times->stime += t->stime;
		times->min_flt += t->core.min_flt;
		times->maj_flt += t->core.maj_flt;
		times->nvcsw += t->nvcsw;
		times->nivcsw += t->nivcsw;
	}
	kunlock(&tasks_lock, flags);
}

/* RLIMIT_CPU, in seconds: SIGXCPU at the soft limit and each second from there on, the end at the hard one. */
void check_cpu_limit(void)
{
	struct process *p = current_process();
	struct mm_rlimit *limit = &p->core.rlimit[RLIMIT_CPU];
	struct times t;
	u64 seconds;

	if (likely(limit->cur == RLIM_INFINITY))
		return;
	process_times(p, &t);
	seconds = (t.utime + t.stime) / NS_PER_SEC;
	if (seconds >= limit->max) {
		send_signal(current(), SIGKILL, true);
	} else if (seconds >= limit->cur) {
		limit->cur = seconds + 1;
		send_signal(current(), SIGXCPU, true);
	}
}

static int clock_now(int clock, u64 *ns)
{
	struct times t;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		*ns = clock_realtime_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = clock_monotonic_ns();
		return 0;
	case CLOCK_THREAD_CPUTIME:
		account_now();
		*ns = current()->utime + current()->stime;
		return 0;
	case CLOCK_PROCESS_CPUTIME:
		process_times(current_process(), &t);
		*ns = t.utime + t.stime;
		return 0;
	}
	return -EINVAL;
}

/* Return: 0, -EFAULT, or -EINVAL for one that is none. */
int get_timespec(uintptr_t user, u64 *ns)
{
	struct k_timespec t;

	if (copy_from_user(&t, user, sizeof(t)))
		return -EFAULT;
	if (t.sec < 0 || (u64)t.nsec >= NS_PER_SEC)
		return -EINVAL;
	*ns = (u64)t.sec >= ~0ull / NS_PER_SEC - 1 ? ~0ull - 1 : (u64)t.sec * NS_PER_SEC + (u64)t.nsec;
	return 0;
}

int put_timespec(uintptr_t user, u64 ns)
{
	struct k_timespec t = { (s64)(ns / NS_PER_SEC), (s64)(ns % NS_PER_SEC) };

	return copy_to_user(user, &t, sizeof(t)) ? -EFAULT : 0;
}

static long sys_clock_gettime(int clock, uintptr_t user)
{
	u64 ns;
	int err = clock_now(clock, &ns);

	return err ? err : put_timespec(user, ns);
}
SYSCALL(228, sys_clock_gettime);

static long sys_clock_getres(int clock, uintptr_t user)
{
	u64 ns;
	int err = clock_now(clock, &ns);

	if (err || !user)
		return err;
	return put_timespec(user, clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ? TICK_NS : 1);
}
SYSCALL(229, sys_clock_getres);

static long sys_clock_settime(int clock, uintptr_t user)
{
	u64 ns;
	int err = get_timespec(user, &ns);

	if (err || clock != CLOCK_REALTIME)
		return err ? err : -EINVAL;
	if (!capable(25))
		return -EPERM;
	WRITE_ONCE(realtime_offset, (s64)(ns - clock_monotonic_ns()));
	return 0;
}
SYSCALL(227, sys_clock_settime);

static long sys_gettimeofday(uintptr_t user, uintptr_t zone)
{
	u64 ns = clock_realtime_ns();
	struct k_timeval t = { (s64)(ns / NS_PER_SEC), (s64)(ns % NS_PER_SEC / 1000) };
	static const s32 none[2];

	if (user && copy_to_user(user, &t, sizeof(t)))
		return -EFAULT;
	return zone && copy_to_user(zone, none, sizeof(none)) ? -EFAULT : 0;
}
SYSCALL(96, sys_gettimeofday);

static long sys_time(uintptr_t user)
{
	s64 seconds = (s64)(clock_realtime_ns() / NS_PER_SEC);

	return user && put_user(seconds, user) ? -EFAULT : seconds;
}
SYSCALL(201, sys_time);

/* ---- Sleeping ---- */

static long sleep_until(u64 until, uintptr_t left);

static long restart_sleep(struct restart *r)
{
	return sleep_until(r->at, r->addr);
}

static long sleep_until(u64 until, uintptr_t left)
{
	for (;;) {
		u64 now = clock_monotonic_ns();

		if (now >= until)
			return 0;
		set_state(TASK_INTERRUPTIBLE);
		if (signal_pending()) {
			set_state(TASK_RUNNING);
			if (left && put_timespec(left, until - now))
				return -EFAULT;
			current()->restart = (struct restart){ .fn = restart_sleep, .at = until, .addr = left };
			return -ERESTART_RESTARTBLOCK;
		}
		schedule_timeout(until - now);
	}
}

static long sys_clock_nanosleep(int clock, int flags, uintptr_t request, uintptr_t left)
{
	u64 now, ns;
	long result;
	int err = clock_now(clock, &now);

	if (err || clock == CLOCK_THREAD_CPUTIME)
		return -EINVAL;
	err = get_timespec(request, &ns);
	if (err)
		return err;
	if (flags & TIMER_ABSTIME)
		ns = ns > now ? ns - now : 0;
	now = clock_monotonic_ns();
	result = sleep_until(ns > ~0ull - 1 - now ? ~0ull - 1 : now + ns, flags & TIMER_ABSTIME ? 0 : left);
	if (result == -ERESTART_RESTARTBLOCK && (flags & TIMER_ABSTIME))
		return -ERESTARTNOHAND;
	return result;
}
SYSCALL(230, sys_clock_nanosleep);

static long sys_nanosleep(uintptr_t request, uintptr_t left)
{
	return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, request, left);
}
SYSCALL(35, sys_nanosleep);

/* ---- Interval timers: signals from the clock ---- */

static void posix_timer_fires(struct timer *timer)
{
	struct posix_timer *t = node_entry(timer, struct posix_timer, timer);
	struct process *p = t->process;
	struct k_siginfo info = { .signo = t->signo, .code = t->real ? SI_KERNEL : SI_TIMER };
	struct task *task;

	klock_raw(&tasks_lock);
	task = t->tid ? pid_lookup(t->tid) : p->leader;
	if (t->notify && task && task->process == p) {
		if (t->queued && !t->real) {
			t->overrun++;
		} else {
			info.timer.tid = t->id;
			info.timer.value = t->value;
			t->queued = true;
			send_siginfo_locked(task, &info, !t->tid);
		}
	}
	kunlock_raw(&tasks_lock);
	if (t->interval) {
		u64 now = clock_monotonic_ns(), at = timer->at + t->interval;

		if (at <= now) {
			t->overrun += (u32)((now - at) / t->interval + 1);
			at += ((now - at) / t->interval + 1) * t->interval;
		}
		timer_set(timer, at);
	}
}

static struct posix_timer *find_timer(struct process *p, int id)
{
	node_for_each(n, &p->timers)
		if (node_entry(n, struct posix_timer, node)->id == id)
			return node_entry(n, struct posix_timer, node);
	return NULL;
}

void posix_timer_taken(int id, struct k_siginfo *info)
{
	struct posix_timer *t = find_timer(current_process(), id);

	if (!t)
		return;
	t->queued = false;
	t->last_overrun = t->overrun;
	t->overrun = 0;
	info->timer.overrun = (s32)t->last_overrun;
}

static void arm(struct posix_timer *t, u64 at, u64 interval)
{
	t->interval = 0;
	timer_cancel(&t->timer);
	t->interval = interval;
	t->overrun = 0;
	if (at)
		timer_set(&t->timer, at);
}

static u64 time_left(const struct posix_timer *t)
{
	u64 now = clock_monotonic_ns();

	return !t->timer.armed ? 0 : t->timer.at > now ? t->timer.at - now : 1;
}

static u64 set_real(u64 value, u64 interval)
{
	struct process *p = current_process();
	u64 was = time_left(&p->itimer), now = clock_monotonic_ns();

	p->itimer.process = p;
	p->itimer.timer.fn = posix_timer_fires;
	p->itimer.signo = SIGALRM;
	p->itimer.real = p->itimer.notify = true;
	arm(&p->itimer, value ? (value > ~0ull - 1 - now ? ~0ull - 1 : now + value) : 0, interval);
	return was;
}

static long sys_alarm(unsigned int seconds)
{
	return (long)((set_real(seconds * NS_PER_SEC, 0) + NS_PER_SEC - 1) / NS_PER_SEC);
}
SYSCALL(37, sys_alarm);

struct k_itimerval {
	struct k_timeval interval, value;
};

static u64 timeval_ns(const struct k_timeval *t)
{
	return (u64)t->sec * NS_PER_SEC + (u64)t->usec * 1000;
}

static struct k_itimerval itimerval(u64 value, u64 interval)
{
	return (struct k_itimerval){ { (s64)(interval / NS_PER_SEC), (s64)(interval % NS_PER_SEC / 1000) },
				     { (s64)(value / NS_PER_SEC), (s64)(value % NS_PER_SEC / 1000) } };
}

static long sys_getitimer(int which, uintptr_t user)
{
	struct k_itimerval v = itimerval(which ? 0 : time_left(&current_process()->itimer),
					 which ? 0 : current_process()->itimer.interval);

	if (which < 0 || which > 2)
		return -EINVAL;
	return copy_to_user(user, &v, sizeof(v)) ? -EFAULT : 0;
}
SYSCALL(36, sys_getitimer);

static long sys_setitimer(int which, uintptr_t new, uintptr_t old)
{
	struct k_itimerval v = { { 0 } }, was;
	u64 interval = current_process()->itimer.interval;

	if (which)
		return which < 0 || which > 2 ? -EINVAL : -ENOSYS; /* no clock of user time rings */
	if (new && copy_from_user(&v, new, sizeof(v)))
		return -EFAULT;
	if (v.value.sec < 0 || v.interval.sec < 0 || (u64)v.value.usec >= 1000000 || (u64)v.interval.usec >= 1000000)
		return -EINVAL;
	was = itimerval(set_real(timeval_ns(&v.value), timeval_ns(&v.interval)), interval);
	return old && copy_to_user(old, &was, sizeof(was)) ? -EFAULT : 0;
}
SYSCALL(38, sys_setitimer);

struct k_sigevent {
	u64 value;
	s32 signo, notify, tid;
	s32 pad[11];
};

static long sys_timer_create(int clock, uintptr_t event, uintptr_t id)
{
	struct process *p = current_process();
	struct k_sigevent e = { .signo = SIGALRM };
	struct posix_timer *t;
	unsigned long flags;
	u64 now;

	if (clock_now(clock, &now) || clock == CLOCK_THREAD_CPUTIME || clock == CLOCK_PROCESS_CPUTIME)
		return -EINVAL;
	if (event && copy_from_user(&e, event, sizeof(e)))
		return -EFAULT;
	if ((e.notify != 0 && e.notify != 1 && e.notify != 4) || (e.notify != 1 && (e.signo < 1 || e.signo > NSIG)))
		return -EINVAL;
	t = kmalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return -EAGAIN;
	*t = (struct posix_timer){ .process = p, .clock = clock, .signo = e.signo, .notify = e.notify != 1,
				   .tid = e.notify == 4 ? e.tid : 0, .timer = { .fn = posix_timer_fires } };
	flags = klock(&tasks_lock);
	/* Each has a signal set aside for it: timer_create(2). */
	if (p->nr_timers + p->queued >= p->core.rlimit[RLIMIT_SIGPENDING].cur) {
		kunlock(&tasks_lock, flags);
		kfree(t);
		return -EAGAIN;
	}
	p->nr_timers++;
	t->id = p->next_timer++ & 0x7fffffff;
	t->value = event ? e.value : (u64)t->id;
	node_append(&p->timers, &t->node);
	kunlock(&tasks_lock, flags);
	return put_user((s32)t->id, id) ? -EFAULT : 0;
}
SYSCALL(222, sys_timer_create);

/* Held by calls on a timer: none goes while another thread's call is at it. */
static struct rw_semaphore timer_calls __memsys;

/* Return: NULL: there is none. Otherwise timer_done() follows. */
static struct posix_timer *own_timer(int id)
{
	struct posix_timer *t;
	unsigned long flags;

	down_write(&timer_calls);
	flags = klock(&tasks_lock);
	t = find_timer(current_process(), id);
	kunlock(&tasks_lock, flags);
	if (!t)
		up_write(&timer_calls);
	return t;
}

static void timer_done(void)
{
	up_write(&timer_calls);
}

static long put_itimerspec(uintptr_t user, u64 value, u64 interval)
{
	return put_timespec(user, interval) || put_timespec(user + 16, value) ? -EFAULT : 0;
}

static long sys_timer_settime(int id, int flags, uintptr_t new, uintptr_t old)
{
	u64 value, interval, now, left, was;
	struct posix_timer *t;
	int err;

	if (!new)
		return -EINVAL;
	err = get_timespec(new, &interval);
	if (!err)
		err = get_timespec(new + 16, &value);
	if (err)
		return err;
	t = own_timer(id);
	if (!t)
		return -EINVAL;
	left = time_left(t);
	was = t->interval;
	if (value && (flags & TIMER_ABSTIME)) {
		clock_now(t->clock, &now);
		value = value > now ? value - now : 1;
	}
	now = clock_monotonic_ns();
	arm(t, value ? (value > ~0ull - 1 - now ? ~0ull - 1 : now + value) : 0, interval);
	timer_done();
	return old ? put_itimerspec(old, left, was) : 0;
}
SYSCALL(223, sys_timer_settime);

static long sys_timer_gettime(int id, uintptr_t user)
{
	struct posix_timer *t = own_timer(id);
	u64 left, interval;

	if (!t)
		return -EINVAL;
	left = time_left(t);
	interval = t->interval;
	timer_done();
	return put_itimerspec(user, left, interval);
}
SYSCALL(224, sys_timer_gettime);

static long sys_timer_getoverrun(int id)
{
	struct posix_timer *t = own_timer(id);
	long overrun;

	if (!t)
		return -EINVAL;
	overrun = (long)t->last_overrun;
	timer_done();
	return overrun;
}
SYSCALL(225, sys_timer_getoverrun);

static void drop_timer(struct posix_timer *t)
{
	unsigned long flags = klock(&tasks_lock);

	node_remove(&t->node);
	t->process->nr_timers--;
	kunlock(&tasks_lock, flags);
	arm(t, 0, 0);
	kfree(t);
}

static long sys_timer_delete(int id)
{
	struct posix_timer *t = own_timer(id);

	if (!t)
		return -EINVAL;
	drop_timer(t);
	timer_done();
	return 0;
}
SYSCALL(226, sys_timer_delete);

void timers_exec(struct process *process)
{
	while (!node_alone(&process->timers))
		drop_timer(node_entry(process->timers.next, struct posix_timer, node));
}

void timers_exit(struct process *process)
{
	timers_exec(process);
	if (process->itimer.process)
		arm(&process->itimer, 0, 0);
}
