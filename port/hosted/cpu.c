// SPDX-License-Identifier: MIT
/*
 * CPUs.
 *
 * Purpose. A CPU is a thread (or, in sched.c, a coroutine) that has entered it. Interrupts and cross calls are
 * the same thing: an entry in the CPU's mailbox, and a signal that makes its thread look there.
 *
 * Words. *Masked*: between port_irq_save() and the port_irq_restore() that belongs to it. *Safe point*: where a
 * CPU looks into its mailbox by itself: cpu_relax, the end of masking, park, the end of its work.
 *
 * Invariants. Only the CPU's own thread empties its mailbox, masked while it does. An entry that is ready
 * with @pending set is found: the sender sets pending after the entry, and the owner clears it before it looks.
 *
 * Differences from hardware. The signal may come late under the thread sanitizer, which defers it; safe
 * points make up for that. Interrupts of one CPU do not nest.
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <asm/prctl.h>
#endif

#include "machine.h"
#include "mm/sync/cpu.h"
#include "mmu.h"

#define MAILBOX 16
enum { SLOT_FREE, SLOT_FILLING, SLOT_READY };

struct call {
	void (*fn)(void *arg);
	void *arg;
	int *done; /* counted up when it has run; NULL: nobody waits */
	int state;
};

/*
 * From when it joins the core a CPU can be called, though it serves nothing before its interrupts are on. A thread may
 * also enter a CPU for a while (LENT) and leave it behind, perhaps online, with nobody on it (IDLE): who calls it then
 * enters it to serve the call.
 */
enum cpu_state { CPU_ABSENT, CPU_IDLE, CPU_LENT, CPU_STARTING, CPU_JOINING, CPU_RUNNING, CPU_DONE, CPU_STOPPED };

struct cpu {
	unsigned int id;
	unsigned long masked;
	int pending;
	int state;
	int stop;
	int wake; /* futex word: there may be something to do */
	pthread_t thread;
	void (*fn)(unsigned int cpu, void *arg);
	void *arg;
	struct call mailbox[MAILBOX];
};

static struct cpu cpus[NR_CPUS];
static unsigned int nr_cpus = 1;
static bool have_membarrier;
bool hosted_no_cpu_call;
#if defined(__x86_64__)
static bool have_fsgsbase;
#endif
static int start_gate;

/* Volatile, because a signal handler of the same thread reads it and coroutines change it in between. */
static __thread struct cpu *volatile me;

#define get(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define put(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define CALL_SIGNAL SIGURG

/* ---- Mailbox ---- */

/* Of the receiver and a sender that takes its call back one gets it. */
static bool slot_take(struct call *slot)
{
	int expected = SLOT_READY;

	return __atomic_compare_exchange_n(&slot->state, &expected, SLOT_FILLING, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static void mailbox_serve(struct cpu *cpu)
{
	while (!cpu->masked && __atomic_load_n(&cpu->pending, __ATOMIC_RELAXED)) {
		cpu->masked = 1;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		__atomic_exchange_n(&cpu->pending, 0, __ATOMIC_SEQ_CST);
		for (unsigned int i = 0; i < MAILBOX; i++) {
			struct call *slot = &cpu->mailbox[i], call;

			if (!slot_take(slot))
				continue;
			call = *slot;
			put(&slot->state, SLOT_FREE);
			call.fn(call.arg);
			if (call.done)
				__atomic_fetch_add(call.done, 1, __ATOMIC_SEQ_CST);
		}
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		cpu->masked = 0;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
}

static bool cpu_running(struct cpu *cpu)
{
	int state = __atomic_load_n(&cpu->state, __ATOMIC_SEQ_CST);

	return state == CPU_JOINING || state == CPU_RUNNING || state == CPU_DONE;
}

/*
 * False when no slot is free, or when the CPU stopped meanwhile: it looks into its mailbox once more after it
 * has said so, so either it saw the call or the sender sees that it stopped.
 */
static bool mailbox_put(struct cpu *cpu, void (*fn)(void *arg), void *arg, int *done)
{
	for (unsigned int i = 0; i < MAILBOX; i++) {
		struct call *slot = &cpu->mailbox[i];
		int expected = SLOT_FREE;

		if (!__atomic_compare_exchange_n(&slot->state, &expected, SLOT_FILLING, false, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			continue;
		slot->fn = fn;
		slot->arg = arg;
		slot->done = done;
		put(&slot->state, SLOT_READY);
		__atomic_store_n(&cpu->pending, 1, __ATOMIC_SEQ_CST);
		if (cpu_running(cpu) || !slot_take(slot))
			return true;
		put(&slot->state, SLOT_FREE);
		return false;
	}
	return false;
}

static void futex(int *word, int op, int value, const struct timespec *timeout)
{
	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

static void cpu_wake(struct cpu *cpu)
{
	put(&cpu->wake, 1);
	futex(&cpu->wake, FUTEX_WAKE, 1, NULL);
}

static void cpu_kick(struct cpu *cpu)
{
	if (sched_running()) {
		sched_unpark(cpu->id);
		return;
	}
	if (cpu == me)
		return;
	pthread_kill(cpu->thread, CALL_SIGNAL);
	cpu_wake(cpu);
}

static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	if (me)
		mailbox_serve(me);
	errno = saved;
}

bool hosted_interrupt(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	if (cpu >= nr_cpus || !cpu_running(&cpus[cpu]) || !mailbox_put(&cpus[cpu], fn, arg, NULL))
		return false;
	cpu_kick(&cpus[cpu]);
	if (&cpus[cpu] == me)
		mailbox_serve(me);
	return true;
}

/* ---- Cross calls ---- */

static void nothing(void *arg)
{
	(void)arg;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool state_change(struct cpu *cpu, int from, int to)
{
	return __atomic_compare_exchange_n(&cpu->state, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Serves a call for a CPU that is online with nobody on it. False: it is not, or just now it is. */
static bool call_as(struct cpu *cpu, void (*fn)(void *arg), void *arg)
{
	const struct cpu_local *base = octavo_cpu_local(cpu->id);
	struct cpu *self = me;

	if (!base || !state_change(cpu, CPU_IDLE, CPU_LENT))
		return false;
	if (READ_ONCE(base->online)) {
		/* Masked on either CPU: between the two nothing may run that asks which one it is on. */
		unsigned long flags = port_irq_save();

		cpu->masked = 1;
		hosted_enter_cpu(cpu->id);
		fn(arg);
		cpu->masked = 0;
		hosted_enter_cpu(self->id);
		port_irq_restore(flags);
	} else {
		put(&cpu->state, CPU_IDLE);
	}
	return true;
}

static int call_cpus(unsigned int target, void (*fn)(void *arg), void *arg)
{
	int done = 0, sent = 0;

	for (unsigned int i = 0; i < nr_cpus; i++) {
		struct cpu *cpu = &cpus[i];

		if (target == PORT_CPU_OTHERS ? cpu == me : i != target)
			continue;
		if (cpu == me) {
			unsigned long flags = port_irq_save();

			fn(arg);
			port_irq_restore(flags);
			continue;
		}
		while (cpu_running(cpu) || get(&cpu->state) == CPU_LENT || get(&cpu->state) == CPU_IDLE) {
			if (call_as(cpu, fn, arg))
				break;
			if (cpu_running(cpu) && mailbox_put(cpu, fn, arg, &done)) {
				sent++;
				cpu_kick(cpu);
				break;
			}
			port_cpu_relax();
		}
	}
	while (get(&done) != sent)
		port_cpu_relax();
	return 0;
}

int port_cpu_call(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	if (hosted_no_cpu_call)
		return -ENOSYS;
	if (cpu != PORT_CPU_OTHERS &&
	    (cpu >= nr_cpus || !(cpu_running(&cpus[cpu]) || get(&cpus[cpu].state) == CPU_IDLE)))
		return -ENXIO;
	if (fn)
		return call_cpus(cpu, fn, arg);
	if (sched_running()) { /* one thread: program order is memory order */
		port_cpu_relax();
		return 0;
	}
	if (have_membarrier && !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
		return 0;
	return call_cpus(cpu, nothing, NULL);
}

/* ---- What the core asks of a CPU ---- */

unsigned int port_cpu_id(void)
{
	return me->id;
}

bool cpu_entered(void)
{
	return me != NULL;
}

void port_cpu_relax(void)
{
	static __thread unsigned int turns;

	if (me && __atomic_load_n(&me->pending, __ATOMIC_RELAXED))
		mailbox_serve(me);
	threads_relaxed();
	if (sched_running()) {
		sched_relax();
		return;
	}
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
	/* Whoever holds what this CPU waits for may not be running: there are more CPUs than cores. */
	if (++turns % 64 == 0)
		sched_yield();
}

unsigned long port_irq_save(void)
{
	struct cpu *cpu = me;
	unsigned long flags = cpu->masked;

	cpu->masked = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return flags;
}

void cpu_unmask(unsigned long flags)
{
	struct cpu *cpu = me;

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	cpu->masked = flags;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (!flags && __atomic_load_n(&cpu->pending, __ATOMIC_RELAXED))
		mailbox_serve(cpu);
}

void port_irq_restore(unsigned long flags)
{
	cpu_unmask(flags);
	if (!flags)
		threads_preempt();
}

/* Until cpu_wake_up(), or an interrupt; at most @timeout_ns, 0: no limit. Something may have come before. */
void cpu_wait(u64 timeout_ns)
{
	struct cpu *cpu = me;
	struct timespec t = { (time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000) };

	if (sched_running()) {
		sched_park(timeout_ns);
	} else if (timeout_ns && hosted_mode_now == HOSTED_COROUTINES && threads_exist()) {
		sched_clock_pass(timeout_ns);
	} else if (!__atomic_exchange_n(&cpu->wake, 0, __ATOMIC_SEQ_CST)) {
		futex(&cpu->wake, FUTEX_WAIT, 0, timeout_ns ? &t : NULL);
		__atomic_exchange_n(&cpu->wake, 0, __ATOMIC_SEQ_CST);
	}
}

void cpu_wait_for_work(u64 wake_at)
{
	u64 now = wake_at ? port_clock_ns() : 0;

	if (!wake_at || wake_at > now)
		cpu_wait(wake_at ? wake_at - now : 0);
	mailbox_serve(me);
}

void cpu_wake_up(unsigned int id)
{
	if (sched_running())
		sched_unpark(id);
	else
		cpu_wake(&cpus[id]);
}

/* ---- Entering ---- */

static void set_gs(void *base)
{
#if defined(__x86_64__)
	if (have_fsgsbase)
		__asm__ volatile("wrgsbase %0" : : "r"(base) : "memory");
	else if (syscall(SYS_arch_prctl, ARCH_SET_GS, base))
		port_panic("arch_prctl(ARCH_SET_GS) failed");
#else
	(void)base;
#endif
}

void hosted_enter_cpu(unsigned int cpu)
{
	struct cpu *left = me;

	me = &cpus[cpu];
	me->id = cpu;
	if (cpu && !state_change(me, CPU_ABSENT, CPU_LENT))
		(void)state_change(me, CPU_IDLE, CPU_LENT);
	if (left && left != me)
		(void)state_change(left, CPU_LENT, CPU_IDLE);
	set_gs(octavo_cpu_local(cpu));
}

__attribute__((constructor)) static void cpu_features(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int commands = (int)syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	have_membarrier = commands > 0 && commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED &&
			  !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
#if defined(__x86_64__)
	have_fsgsbase = getauxval(AT_HWCAP2) & 2; /* HWCAP2_FSGSBASE, asm/hwcap2.h */
#endif
	sigaction(CALL_SIGNAL, &action, NULL);
}

void cpus_create(unsigned int n)
{
	nr_cpus = n < NR_CPUS ? n : NR_CPUS;
	cpus[0].state = CPU_RUNNING;
	cpus[0].thread = pthread_self();
}

void cpus_destroy(void)
{
	for (unsigned int i = 0; i < nr_cpus; i++) {
		if (i && cpu_running(&cpus[i]))
			port_panic("the machine is reset while a CPU runs");
		memset(&cpus[i], 0, sizeof(cpus[i]));
	}
	nr_cpus = 1;
	cpus_create(1);
}

unsigned int cpus_nr(void)
{
	return nr_cpus;
}

bool cpu_is_running(unsigned int id)
{
	return cpu_running(&cpus[id]);
}

/* ---- Threads as CPUs ---- */

static int cpu_join_machine(struct cpu *cpu)
{
	unsigned long flags = port_irq_save();
	int err;

	put(&cpu->state, CPU_JOINING);
	err = mm_cpu_online(cpu->id);
	port_irq_restore(flags);
	return err;
}

static void cpu_leave(void)
{
	threads_leave_cpu();
	__atomic_store_n(&me->state, CPU_STOPPED, __ATOMIC_SEQ_CST);
	mailbox_serve(me);
	mmu_power_off(me->id);
}

static void *cpu_thread(void *arg)
{
	struct cpu *cpu = arg;
	uintptr_t low, high;

	/* With a lock of the host's, which an interrupt that asks would wait for: once before there is one. */
	cpu_stack_bounds(&low, &high);
	hosted_enter_cpu(cpu->id);
	if (cpu_join_machine(cpu))
		port_panic("mm_cpu_online failed");
	put(&cpu->state, CPU_RUNNING);
	while (get(&start_gate))
		port_cpu_relax();
	cpu->fn(cpu->id, cpu->arg);
	put(&cpu->state, CPU_DONE);
	while (!get(&cpu->stop))
		port_park(1000000);
	cpu_leave();
	me = NULL;
	return NULL;
}

int hosted_cpu_start(unsigned int id, void (*fn)(unsigned int cpu, void *arg), void *arg)
{
	struct cpu *cpu = &cpus[id];

	if (!id || id >= nr_cpus || cpu_running(cpu))
		return -EINVAL;
	while (get(&cpu->state) == CPU_LENT || (!state_change(cpu, CPU_ABSENT, CPU_STARTING) &&
						!state_change(cpu, CPU_IDLE, CPU_STARTING)))
		port_cpu_relax(); /* another serves a call for it */
	cpu->id = id;
	cpu->fn = fn;
	cpu->arg = arg;
	cpu->stop = 0;
	if (pthread_create(&cpu->thread, NULL, cpu_thread, cpu)) {
		put(&cpu->state, CPU_ABSENT);
		return -EAGAIN;
	}
	while (get(&cpu->state) == CPU_STARTING || get(&cpu->state) == CPU_JOINING)
		port_cpu_relax();
	return 0;
}

static void cpu_wait_done(unsigned int id)
{
	while (get(&cpus[id].state) != CPU_DONE)
		port_cpu_relax();
}

void hosted_cpu_stop(unsigned int id)
{
	cpu_wait_done(id);
	put(&cpus[id].stop, 1);
	cpu_wake(&cpus[id]);
	while (get(&cpus[id].state) != CPU_STOPPED)
		port_cpu_relax();
	pthread_join(cpus[id].thread, NULL);
	put(&cpus[id].state, CPU_ABSENT);
	mm_cpu_offline(id);
}

int hosted_run_cpus(unsigned int n, void (*fn)(unsigned int cpu, void *arg), void *arg)
{
	unsigned int started = 1;
	int err = 0;

	if (!n || n > nr_cpus)
		return -EINVAL;
	if (hosted_mode_now == HOSTED_COROUTINES) {
		struct hosted_schedule schedule = { .seed = port_random() };

		return hosted_run_coroutines(n, fn, arg, &schedule);
	}
	put(&start_gate, 1);
	while (!err && started < n) {
		err = hosted_cpu_start(started, fn, arg);
		started += !err;
	}
	put(&start_gate, 0);
	if (!err)
		fn(0, arg);
	for (unsigned int i = 1; i < started; i++)
		cpu_wait_done(i);
	for (unsigned int i = 1; i < started; i++)
		hosted_cpu_stop(i);
	return err;
}

/* ---- Coroutines as CPUs: what sched.c needs of this file ---- */

void cpu_coroutine_enter(unsigned int id)
{
	hosted_enter_cpu(id);
}

void cpu_coroutine_begin(void)
{
	struct cpu *cpu = me;

	if (cpu->id && cpu_join_machine(cpu))
		port_panic("mm_cpu_online failed");
	put(&cpu->state, CPU_RUNNING);
}

void cpu_coroutine_idle(void)
{
	mailbox_serve(me);
}

void cpu_coroutine_end(void)
{
	if (me->id)
		cpu_leave();
}

void cpu_coroutine_gone(unsigned int id)
{
	put(&cpus[id].state, CPU_ABSENT);
	mm_cpu_offline(id);
}

/* A run that hangs is abandoned with its CPUs. */
void cpu_coroutines_abandon(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		memset(&cpus[i], 0, sizeof(cpus[i]));
	for (unsigned int i = 1; i < n; i++)
		mmu_power_off(i);
	cpus_create(nr_cpus);
	hosted_enter_cpu(0);
}

bool cpu_masked(void)
{
	return me->masked != 0;
}

void cpu_interrupt_here(void (*fn)(void *arg), void *arg)
{
	unsigned long flags = port_irq_save();

	fn(arg);
	port_irq_restore(flags);
}

void cpu_stack_bounds(uintptr_t *low, uintptr_t *high)
{
	static __thread uintptr_t bounds[2];
	pthread_attr_t attr;
	void *base;
	size_t size;

	if (me && thread_stack_bounds(low, high))
		return;
	if (sched_running()) {
		sched_stack_bounds(low, high);
		return;
	}
	if (!bounds[1] && !pthread_getattr_np(pthread_self(), &attr)) {
		pthread_attr_getstack(&attr, &base, &size);
		bounds[0] = (uintptr_t)base;
		bounds[1] = (uintptr_t)base + size;
		pthread_attr_destroy(&attr);
	}
	*low = bounds[0];
	*high = bounds[1];
}
