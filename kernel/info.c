// SPDX-License-Identifier: MIT
/*
 * What a program asks about the system and itself, and what it sets of that: uname(2), sysinfo(2), getrlimit(2),
 * getrusage(2), times(2), prctl(2), sched_setscheduler(2) and their like, getrandom(2), reboot(2).
 */
#include "kernel.h"
#include "uts.h"
#include "vfs.h"

#include <octavo/mman.h>
#include <octavo/mmzone.h>
#include <octavo/port.h>

#include "mm/swap/swap.h"
#include "port/pc/pc.h"
#include "port/pc/smp.h"

int put_rusage(uintptr_t user, const struct times *t);
void sched_set_affinity(struct task *task, const u64 allowed[4]);
void sched_leave_cpu(void);

/* ---- Names ---- */

struct k_utsname uts = {
	.sysname = "Linux",
	.nodename = "(none)",
	.release = "6.12.0-octavo",
	.version = "#1 SMP Octavo",
	.machine = "x86_64",
	.domainname = "(none)",
};

static long sys_uname(uintptr_t user)
{
	return copy_to_user(user, &uts, sizeof(uts)) ? -EFAULT : 0;
}
SYSCALL(63, sys_uname);

static long set_name(char *name, uintptr_t user, int len)
{
	char text[65] = "";

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > 64)
		return -EINVAL;
	if (copy_from_user(text, user, (size_t)len))
		return -EFAULT;
	memcpy(name, text, sizeof(text));
	return 0;
}

static long sys_sethostname(uintptr_t user, int len)
{
	return set_name(uts.nodename, user, len);
}
SYSCALL(170, sys_sethostname);

static long sys_setdomainname(uintptr_t user, int len)
{
	return set_name(uts.domainname, user, len);
}
SYSCALL(171, sys_setdomainname);

struct k_sysinfo {
	s64 uptime;
	u64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u64 totalhigh, freehigh;
	u32 unit;
};

static long sys_sysinfo(uintptr_t user)
{
	struct k_sysinfo s = {
		.uptime = (s64)(clock_monotonic_ns() / NS_PER_SEC),
		.totalram = totalram_pages() << PAGE_SHIFT,
		.freeram = nr_free_pages() << PAGE_SHIFT,
		.totalswap = (u64)swap_pages_total() << PAGE_SHIFT,
		.freeswap = (u64)swap_pages_free() << PAGE_SHIFT,
		.procs = (u16)processes_nr,
		.unit = 1,
	};

	sched_loads(s.loads);
	return copy_to_user(user, &s, sizeof(s)) ? -EFAULT : 0;
}
SYSCALL(99, sys_sysinfo);

/* ---- Limits and use ---- */

static long do_rlimit(struct process *p, unsigned int which, uintptr_t new, uintptr_t old)
{
	struct mm_rlimit was, set;

	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	if (new && copy_from_user(&set, new, sizeof(set)))
		return -EFAULT;
	was = p->core.rlimit[which];
	if (new) {
		if (set.cur > set.max)
			return -EINVAL;
		if (set.max > was.max && !capable(CAP_SYS_RESOURCE))
			return -EPERM;
		if (which == RLIMIT_NOFILE && set.max > 1 << 20)
			return -EPERM;
		p->core.rlimit[which].max = set.max;
		__atomic_store_n(&p->core.rlimit[which].cur, set.cur, __ATOMIC_RELAXED);
	}
	return old && copy_to_user(old, &was, sizeof(was)) ? -EFAULT : 0;
}

static long sys_prlimit64(int pid, unsigned int which, uintptr_t new, uintptr_t old)
{
	struct process *me = current_process();
	struct task *task;
	long result;

	if (!pid)
		return do_rlimit(me, which, new, old);
	task = thread_find(pid);
	if (!task)
		return -ESRCH;
	if (task->process != me && !capable(CAP_SYS_RESOURCE) &&
	    (me->ruid != task->process->ruid || me->ruid != task->process->euid))
		result = -EPERM;
	else
		result = do_rlimit(task->process, which, new, old);
	task_put(task);
	return result;
}
SYSCALL(302, sys_prlimit64);

static long sys_getrlimit(unsigned int which, uintptr_t old)
{
	return old ? do_rlimit(current_process(), which, 0, old) : -EFAULT;
}
SYSCALL(97, sys_getrlimit);

static long sys_setrlimit(unsigned int which, uintptr_t new)
{
	return new ? do_rlimit(current_process(), which, new, 0) : -EFAULT;
}
SYSCALL(160, sys_setrlimit);

static long sys_getrusage(int who, uintptr_t user)
{
	struct task *me = current();
	struct times t = { 0 };

	process_times(me->process, &t);
	if (who == 0)
		return put_rusage(user, &t);
	if (who == -1)
		t = me->process->children_times;
	else if (who == 1)
		t = (struct times){ me->utime, me->stime, me->core.min_flt, me->core.maj_flt, me->nvcsw,
				    me->nivcsw, 0 };
	else
		return -EINVAL;
	return put_rusage(user, &t);
}
SYSCALL(98, sys_getrusage);

static long sys_times(uintptr_t user)
{
	const u64 tick = NS_PER_SEC / USER_HZ;
	struct process *p = current_process();
	struct times t;
	s64 out[4];

	process_times(p, &t);
	out[0] = (s64)(t.utime / tick);
	out[1] = (s64)(t.stime / tick);
	out[2] = (s64)(p->children_times.utime / tick);
	out[3] = (s64)(p->children_times.stime / tick);
	if (user && copy_to_user(user, out, sizeof(out)))
		return -EFAULT;
	return (long)(clock_monotonic_ns() / tick);
}
SYSCALL(100, sys_times);

/* ---- prctl and personality ---- */

static long set_comm(uintptr_t user)
{
	char name[16];
	long len = strncpy_from_user(name, user, sizeof(name));

	if (len < 0)
		return len;
	name[min(len, 15L)] = 0;
	memcpy(current()->core.comm, name, sizeof(name));
	return 0;
}

static long name_vma(unsigned long what, uintptr_t addr, size_t len, uintptr_t user)
{
	char *name = NULL;
	long result;
	int err;

	if (what)
		return -EINVAL;
	if (user) {
		name = get_user_string(user, 80, &err);
		if (!name)
			return err == -ENAMETOOLONG ? -EINVAL : err;
	}
	result = ksys_set_vma_name(addr, len, name);
	kfree(name);
	return result;
}

static long sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	struct task *me = current();
	struct process *p = me->process;

	switch (option) {
	case 1: /* PR_SET_PDEATHSIG */
		if (a > NSIG)
			return -EINVAL;
		me->pdeath_signal = (int)a;
		return 0;
	case 2: /* PR_GET_PDEATHSIG */
		return put_user((s32)me->pdeath_signal, a);
	case 3: /* PR_GET_DUMPABLE */
		return p->dumpable;
	case 4: /* PR_SET_DUMPABLE */
		if (a > 1)
			return -EINVAL;
		p->dumpable = a;
		return 0;
	case 15: /* PR_SET_NAME */
		return set_comm(a);
	case 16: /* PR_GET_NAME */
		return copy_to_user(a, me->core.comm, sizeof(me->core.comm)) ? -EFAULT : 0;
	case 23: /* PR_CAPBSET_READ */
		return a > 40 ? -EINVAL : (long)(p->cap_bounding >> a & 1);
	case 24: /* PR_CAPBSET_DROP */
		if (a > 40)
			return -EINVAL;
		if (!capable(8))
			return -EPERM;
		p->cap_bounding &= ~((u64)1 << a);
		return 0;
	case 29: /* PR_SET_TIMERSLACK */
		me->timer_slack_ns = a ? a : 50000;
		return 0;
	case 30: /* PR_GET_TIMERSLACK */
		return (long)me->timer_slack_ns;
	case 36: /* PR_SET_CHILD_SUBREAPER */
		p->subreaper = a;
		return 0;
	case 37: /* PR_GET_CHILD_SUBREAPER */
		return put_user((s32)p->subreaper, a);
	case 38: /* PR_SET_NO_NEW_PRIVS */
		if (a != 1 || b || c || d)
			return -EINVAL;
		p->no_new_privs = true;
		return 0;
	case 39: /* PR_GET_NO_NEW_PRIVS */
		return p->no_new_privs;
	case 65: /* PR_SET_MDWE */
		return b || c || d ? -EINVAL : ksys_set_mdwe(a);
	case 66: /* PR_GET_MDWE */
		return a || b || c || d ? -EINVAL : ksys_get_mdwe();
	case 0x53564d41: /* PR_SET_VMA */
		return name_vma(a, b, c, d);
	}
	return -EINVAL;
}
SYSCALL(157, sys_prctl);

static long sys_personality(unsigned long persona)
{
	struct process *p = current_process();
	u32 old = p->core.personality;

	if (persona != 0xffffffff)
		p->core.personality = (u32)persona;
	return old;
}
SYSCALL(135, sys_personality);

/* ---- Scheduling ---- */

/* The thread that a call is about, with a reference, if the caller may change it (@change). */
static struct task *sched_target(int tid, bool change, long *err)
{
	struct task *task = thread_find(tid ? tid : current()->core.pid);
	const struct process *me = current_process();

	*err = -ESRCH;
	if (!task)
		return NULL;
	if (!change || capable(CAP_SYS_NICE) || me->euid == task->process->ruid || me->euid == task->process->euid)
		return task;
	*err = -EPERM;
	task_put(task);
	return NULL;
}

static long sys_sched_yield(void)
{
	sched_yield();
	return 0;
}
SYSCALL(24, sys_sched_yield);

static long sys_sched_setaffinity(int tid, size_t len, uintptr_t user)
{
	u64 allowed[4] = { 0 };
	struct task *task;
	bool any = false;
	long err;

	if (copy_from_user(allowed, user, min(len, sizeof(allowed))))
		return -EFAULT;
	for (unsigned int cpu = 0; cpu < 256; cpu++)
		any |= (allowed[cpu / 64] >> cpu % 64 & 1) && smp_is_up(cpu);
	task = sched_target(tid, true, &err);
	if (!task)
		return err;
	if (any)
		sched_set_affinity(task, allowed);
	if (task == current())
		sched_leave_cpu();
	task_put(task);
	return any ? 0 : -EINVAL;
}
SYSCALL(203, sys_sched_setaffinity);

static long sys_sched_getaffinity(int tid, size_t len, uintptr_t user)
{
	u64 allowed[4] = { 0 };
	struct task *task;
	long err;

	if (len < 8 || len % 8)
		return -EINVAL;
	task = sched_target(tid, false, &err);
	if (!task)
		return err;
	for (unsigned int cpu = 0; cpu < 256; cpu++)
		if (smp_is_up(cpu))
			allowed[cpu / 64] |= task->allowed[cpu / 64] & (u64)1 << cpu % 64;
	task_put(task);
	len = min(len, sizeof(allowed));
	return copy_to_user(user, allowed, len) ? -EFAULT : (long)len;
}
SYSCALL(204, sys_sched_getaffinity);

static long sys_sched_getscheduler(int tid)
{
	struct task *task;
	long result;

	if (tid < 0)
		return -EINVAL;
	task = sched_target(tid, false, &result);
	if (!task)
		return result;
	result = task->policy;
	task_put(task);
	return result;
}
SYSCALL(145, sys_sched_getscheduler);

/* All policies are the one there is: SCHED_OTHER, BATCH and IDLE are taken, those of real time are not had. */
static long sys_sched_setscheduler(int tid, int policy, uintptr_t param)
{
	struct task *task;
	s32 priority;
	long err;

	if (tid < 0 || !param)
		return -EINVAL;
	if (get_user(priority, param))
		return -EFAULT;
	if (policy != 0 && policy != 3 && policy != 5)
		return policy == 1 || policy == 2 ? -EPERM : -EINVAL;
	if (priority)
		return -EINVAL;
	task = sched_target(tid, true, &err);
	if (!task)
		return err;
	task->policy = (u8)policy;
	task_put(task);
	return 0;
}
SYSCALL(144, sys_sched_setscheduler);

static long sys_sched_getparam(int tid, uintptr_t param)
{
	struct task *task;
	long err;

	if (tid < 0 || !param)
		return -EINVAL;
	task = sched_target(tid, false, &err);
	if (!task)
		return err;
	task_put(task);
	return put_user((s32)0, param);
}
SYSCALL(143, sys_sched_getparam);

static long sys_sched_setparam(int tid, uintptr_t param)
{
	return sys_sched_setscheduler(tid, 0, param);
}
SYSCALL(142, sys_sched_setparam);

static long sys_sched_get_priority_max(int policy)
{
	return policy == 1 || policy == 2 ? 99 : policy == 0 || policy == 3 || policy == 5 ? 0 : -EINVAL;
}
SYSCALL(146, sys_sched_get_priority_max);

static long sys_sched_get_priority_min(int policy)
{
	return policy == 1 || policy == 2 ? 1 : policy == 0 || policy == 3 || policy == 5 ? 0 : -EINVAL;
}
SYSCALL(147, sys_sched_get_priority_min);

static long sys_sched_rr_get_interval(int tid, uintptr_t user)
{
	struct task *task;
	long err;
	u64 ns;

	if (tid < 0)
		return -EINVAL;
	task = sched_target(tid, false, &err);
	if (!task)
		return err;
	ns = NS_PER_MS * (u64)max(1, 20 - task->nice);
	task_put(task);
	return put_timespec(user, ns);
}
SYSCALL(148, sys_sched_rr_get_interval);

static long sys_getcpu(uintptr_t cpu, uintptr_t node)
{
	u32 c = port_cpu_id(), n = 0;

	if (cpu && put_user(c, cpu))
		return -EFAULT;
	return node && put_user(n, node) ? -EFAULT : 0;
}
SYSCALL(309, sys_getcpu);

/* Only of single processes (PRIO_PROCESS). */
static long sys_getpriority(int which, int who)
{
	struct task *task;
	long result;

	if (which < 0 || which > 2)
		return -EINVAL;
	task = which ? NULL : sched_target(who, false, &result);
	if (which)
		task = sched_target(0, false, &result);
	if (!task)
		return result;
	result = 20 - task->nice;
	task_put(task);
	return result;
}
SYSCALL(140, sys_getpriority);

static long sys_setpriority(int which, int who, int nice)
{
	struct task *task;
	long err;

	if (which < 0 || which > 2)
		return -EINVAL;
	nice = clamp(nice, -20, 19);
	task = sched_target(which ? 0 : who, true, &err);
	if (!task)
		return err == -EPERM ? -EPERM : -ESRCH;
	err = nice < task->nice && !capable(CAP_SYS_NICE) ? -EACCES : 0;
	if (!err)
		task->nice = (s8)nice;
	task_put(task);
	return err;
}
SYSCALL(141, sys_setpriority);

/* ---- Random numbers ---- */

static long sys_getrandom(uintptr_t user, size_t len, unsigned int flags)
{
	size_t done = 0;

	if (flags & ~7u)
		return -EINVAL;
	len = min(len, (size_t)0x7ffff000);
	while (done < len) {
		u64 bits[32];
		size_t n = min(len - done, sizeof(bits));

		for (unsigned int i = 0; i < DIV_ROUND_UP(n, 8); i++)
			bits[i] = port_random();
		if (copy_to_user(user + done, bits, n))
			return done ? (long)done : -EFAULT;
		done += n;
		if (signal_pending())
			break;
	}
	return (long)done;
}
SYSCALL(318, sys_getrandom);

/* ---- The end ---- */

static long sys_reboot(u32 magic, u32 magic2, u32 cmd)
{
	if (!capable(22))
		return -EPERM;
	if (magic != 0xfee1dead ||
	    (magic2 != 672274793 && magic2 != 85072278 && magic2 != 369367448 && magic2 != 537993216))
		return -EINVAL;
	switch (cmd) {
	case 0x89abcdef: /* Ctrl-Alt-Del on, off */
	case 0:
		return 0;
	case 0x01234567:
	case 0xa1b2c3d4:
		printk("reboot: Restarting system\n");
		machine_power(true);
	case 0xcdef0123:
	case 0x4321fedc:
		printk("reboot: Power down\n");
		machine_power(false);
	}
	return -EINVAL;
}
SYSCALL(169, sys_reboot);
