// SPDX-License-Identifier: MIT
/*
 * Threads of the core's own: kswapd, flushers, and the like.
 *
 * Purpose. port_thread_create() for a machine in a process, if hosted_options.threads asks for it. A thread is a stack
 * that the host's thread of a CPU runs on in turn with the others of that CPU, so a CPU runs one at a time, and a run
 * with one CPU is the same each time. The seeded scheduler's CPUs have such threads as well: whichever of them a CPU is
 * on goes on when the CPU does.
 *
 * Words. *Main*: what entered the CPU: a test, or the function of hosted_run_cpus(). It is a thread like the others, on
 * a stack that is not of this file. *Turn*: going on to the next thread that is ready.
 *
 * When turns are taken. In port_park(). After RELAX_RUN calls of port_cpu_relax() on end, as who spins that long may
 * wait for a thread that is not running. After a fault of user mode, as a kernel looks for other work before it returns
 * there. In debug builds also where interrupts come on, if no spinlock is held: what a kernel that is preempted does;
 * without knowing which locks are held that could stop for ever. Never with interrupts off or inside a section.
 *
 * Invariants. HT-I1: a thread that does not run has its registers saved, is in its CPU's ring and inside no section.
 * HT-I2: a token that is set when a thread parks is found, as it is stored before the CPU is woken.
 *
 * Locking. A set's lock guards its ring; interrupts are off while it is held. Tokens are set without it.
 *
 * What failure does. Threads end with the machine: their stacks are not unwound. While there are any, a snapshot is
 * refused.
 */
#include <string.h>

#include <octavo/task.h>

#include "machine.h"
#include "mm/sync/cpu.h"

#define THREADS_MAX 64
#ifdef OCTAVO_SCHED
#define RELAX_RUN 4096u /* each lock and atomic counts */
#else
#define RELAX_RUN 64u
#endif
#define PREEMPT_RUN 64u
#define FAULT_RUN 8u

#define get(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define put(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

enum thread_state { THREAD_RUNNING, THREAD_READY, THREAD_PARKED };

struct thread {
	int wake; /* the token; port_thread_self() is its address */
	enum thread_state state;
	unsigned int home; /* its CPU */
	u64 wake_at;	   /* parked: clock; 0: no limit */
	struct thread *next;
	void *context;
	char *stack;
	struct fiber own, *fiber;
	void (*fn)(void *arg);
	void *arg;
	struct mm_task core, *task;
	unsigned int windows;
	unsigned char window[HOSTED_KMAP_MAX];
};

/* A CPU's threads, in a ring with main. */
struct set {
	int lock;
	struct thread main, *now;
	struct thread *ended; /* whose stack was in use until now */
	unsigned int relaxed, restored, faults;
	unsigned int windows; /* bit n: window n is open */
};

static struct set sets[NR_CPUS];
static struct thread threads[THREADS_MAX];
static struct thread *free_threads;
static unsigned int threads_made; /* of threads[], ever */
static int pool_lock;
static unsigned int alive;
static bool wanted, open_now;

/* ---- Rings ---- */

static void lock(int *word)
{
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
		;
}

static void unlock(int *word)
{
	put(word, 0);
}

static struct set *here(void)
{
	struct set *set = &sets[port_cpu_id()];

	if (!set->now) {
		set->now = set->main.next = &set->main;
		set->main.home = port_cpu_id();
	}
	return set;
}

static void insert(struct set *set, struct thread *thread)
{
	lock(&set->lock);
	if (!set->now) {
		set->now = set->main.next = &set->main;
		set->main.home = (unsigned int)(set - sets);
	}
	thread->next = set->main.next;
	set->main.next = thread;
	thread->home = (unsigned int)(set - sets);
	unlock(&set->lock);
}

static void take_out(struct set *set, const struct thread *thread)
{
	struct thread *before = &set->main;

	lock(&set->lock);
	while (before->next != thread)
		before = before->next;
	before->next = thread->next;
	unlock(&set->lock);
}

/* The next in the ring that could run; the caller itself last. */
static struct thread *next_ready(struct set *set, struct thread *self)
{
	struct thread *t = self, *found = NULL;
	u64 now = 0;

	lock(&set->lock);
	do {
		t = t->next;
		if (t->state == THREAD_PARKED && t->wake_at && !now)
			now = port_clock_ns();
		if (t->state == THREAD_READY ||
		    (t->state == THREAD_PARKED && (get(&t->wake) || (t->wake_at && t->wake_at <= now))))
			found = t;
	} while (!found && t != self);
	unlock(&set->lock);
	return found;
}

/* When the first of this CPU's parks ends by itself; 0: none does. */
static u64 first_wake(struct set *set)
{
	const struct thread *t = &set->main;
	u64 first = 0;

	lock(&set->lock);
	do {
		if (t->state == THREAD_PARKED && t->wake_at && (!first || t->wake_at < first))
			first = t->wake_at;
		t = t->next;
	} while (t != &set->main);
	unlock(&set->lock);
	return first;
}

/* ---- Switching ---- */

/* The host's own stack under main, or the coroutine's. */
static void main_fiber(struct thread *main)
{
	uintptr_t low, high;

	if (sched_running()) {
		main->fiber = sched_fiber(NULL);
		return;
	}
	cpu_stack_bounds(&low, &high);
	main->own = (struct fiber){ .low = (void *)low, .bytes = high - low };
	fiber_create(&main->own, true);
	main->fiber = &main->own;
}

/* On the stack that goes on, interrupts off. */
static void arrive(void)
{
	struct set *set = here();
	struct thread *ended = set->ended;

	fiber_arrive(set->now->fiber);
	set->ended = NULL;
	if (ended) {
		fiber_destroy(&ended->own);
		lock(&pool_lock);
		ended->next = free_threads;
		free_threads = ended;
		unlock(&pool_lock);
		__atomic_fetch_sub(&alive, 1, __ATOMIC_RELAXED);
	}
	octavo_switch_task(set->now->task);
}

/* Interrupts off; the caller's state says what it does meanwhile. */
static void switch_to(struct set *set, struct thread *next)
{
	struct thread *self = set->now;

	if (self == &set->main)
		main_fiber(self);
	self->task = current_task();
	next->state = THREAD_RUNNING;
	set->now = next;
	set->relaxed = set->restored = set->faults = 0;
	if (sched_running())
		sched_fiber(next->fiber);
	fiber_leave(self->fiber, next->fiber);
	hosted_switch(&self->context, next->context);
	arrive();
}

static void thread_main(void)
{
	struct thread *self = here()->now;
	struct set *set;

	arrive();
	cpu_unmask(0);
	self->fn(self->arg);
	(void)port_irq_save();
	set = here();
	take_out(set, self);
	set->ended = self;
	/* Main is ready whenever another runs, or its wait has an end: somebody goes on. */
	for (;;) {
		struct thread *next = next_ready(set, &set->main);

		if (next)
			switch_to(set, next);
		cpu_wait_for_work(first_wake(here()));
	}
}

/* The next that is ready has its turn; the caller stays ready. Return: there was one. */
bool threads_turn(void)
{
	unsigned long flags;
	struct thread *next;
	struct set *set;

	if (!get(&alive) || !open_now)
		return false;
	flags = port_irq_save();
	set = here();
	next = next_ready(set, set->now);
	if (next && next != set->now) {
		set->now->state = THREAD_READY;
		switch_to(set, next);
	} else {
		next = NULL;
	}
	cpu_unmask(flags);
	return next;
}

void hosted_threads_settle(void)
{
	while (threads_turn())
		;
}

static bool may_switch(void)
{
#ifdef OCTAVO_DEBUG
	if (this_cpu()->held_nr)
		return false;
#endif
	return !cpu_masked() && !octavo_cpu_in_section();
}

void threads_relaxed(void)
{
	struct set *set;

	if (!get(&alive) || !open_now || cpu_masked())
		return;
	set = here();
	if (++set->relaxed < RELAX_RUN || !may_switch())
		return;
	set->relaxed = 0;
	(void)threads_turn();
}

/* Interrupts have come on. */
void threads_preempt(void)
{
#ifdef OCTAVO_DEBUG
	struct set *set;

	if (!get(&alive) || !open_now)
		return;
	set = here();
	if (sched_running() ? !sched_draw(PREEMPT_RUN) : ++set->restored < PREEMPT_RUN)
		return;
	set->restored = 0;
	if (may_switch())
		(void)threads_turn();
#endif
}

void threads_user_return(void)
{
	if (!get(&alive) || !open_now || ++here()->faults < FAULT_RUN)
		return;
	here()->faults = 0;
	if (may_switch())
		(void)threads_turn();
}

u64 threads_next_wake(void)
{
	return get(&alive) ? first_wake(here()) : 0;
}

/* ---- What the core asks for ---- */

uintptr_t port_thread_self(void)
{
	return (uintptr_t)&here()->now->wake;
}

static bool take_token(struct thread *thread)
{
	return __atomic_exchange_n(&thread->wake, 0, __ATOMIC_SEQ_CST);
}

/* Until it has a token or its time has come, with whoever else is ready running meanwhile. */
static void park(struct thread *self, u64 wake_at)
{
	unsigned long flags = port_irq_save();

	self->wake_at = wake_at;
	self->state = THREAD_PARKED;
	for (;;) {
		struct set *set = here();
		struct thread *next = next_ready(set, self);

		if (next == self)
			break;
		if (next) {
			switch_to(set, next);
			break;
		}
		cpu_unmask(flags);
		cpu_wait_for_work(first_wake(here()));
		flags = port_irq_save();
	}
	self->state = THREAD_RUNNING;
	self->wake_at = 0;
	cpu_unmask(flags);
}

void port_park(u64 timeout_ns)
{
	struct thread *self = here()->now;

	cpu_coroutine_idle();
	/* So short that it only lets others go first: nothing is waited for, no token is used up. */
	if (timeout_ns && timeout_ns < PORT_PARK_YIELD_NS) {
		(void)threads_turn();
		return;
	}
	if (!get(&alive) || !open_now) {
		if (!take_token(self))
			cpu_wait(timeout_ns);
	} else if (!get(&self->wake)) {
		park(self, timeout_ns ? port_clock_ns() + timeout_ns : 0);
	}
	(void)take_token(self);
	cpu_coroutine_idle();
}

void port_unpark(uintptr_t thread)
{
	struct thread *t = (struct thread *)thread;

	__atomic_store_n(&t->wake, 1, __ATOMIC_SEQ_CST);
	cpu_wake_up(__atomic_load_n(&t->home, __ATOMIC_SEQ_CST));
}

/* The caller's CPU, if it is of @node or none is asked for; else one of the node that runs. */
static unsigned int home_for(int node)
{
	for (unsigned int i = 0; node >= 0 && i < cpus_nr(); i++) {
		unsigned int cpu = (port_cpu_id() + i) % cpus_nr();
		const struct cpu_local *local = octavo_cpu_local(cpu);

		if (local && local->node == node && (cpu == port_cpu_id() || cpu_is_running(cpu)))
			return cpu;
	}
	return port_cpu_id();
}

static struct thread *thread_get(void)
{
	struct thread *thread;

	lock(&pool_lock);
	thread = free_threads;
	if (thread)
		free_threads = thread->next;
	else if (threads_made < THREADS_MAX)
		thread = &threads[threads_made++];
	unlock(&pool_lock);
	return thread;
}

int port_thread_create(void (*fn)(void *arg), void *arg, const char *name, int node)
{
	unsigned long flags;
	struct thread *thread;
	unsigned int home;
	char *stack;

	if (!wanted)
		return -ENOSYS;
	flags = port_irq_save();
	thread = thread_get();
	if (!thread) {
		cpu_unmask(flags);
		return -EAGAIN;
	}
	stack = thread->stack ? thread->stack : stack_memory();
	memset(thread, 0, sizeof(*thread));
	thread->stack = stack;
	thread->fn = fn;
	thread->arg = arg;
	thread->state = THREAD_READY;
	thread->own = (struct fiber){ .low = stack, .bytes = STACK_BYTES };
	fiber_create(&thread->own, false);
	thread->fiber = &thread->own;
	thread->context = stack_prepare(stack, thread_main);
	octavo_kernel_task(&thread->core, name, 2 + (s32)(thread - threads)); /* after init's */
	thread->task = &thread->core;
	home = home_for(node);
	__atomic_fetch_add(&alive, 1, __ATOMIC_RELAXED);
	insert(&sets[home], thread);
	cpu_unmask(flags);
	cpu_wake_up(home);
	return 0;
}

/* ---- Machines and CPUs come and go ---- */

void threads_open(bool yes)
{
	open_now = yes;
}

bool threads_exist(void)
{
	return get(&alive) != 0;
}

void threads_reset(bool want)
{
	if (here()->now != &here()->main)
		port_panic("a thread of the core resets the machine");
	for (unsigned int i = 0; i < threads_made; i++)
		threads[i].next = i + 1 < threads_made ? &threads[i + 1] : NULL;
	free_threads = threads_made ? threads : NULL;
	memset(sets, 0, sizeof(sets));
	alive = 0;
	wanted = want;
	open_now = false;
}

/* The CPU stops: CPU 0 has its threads from now on. */
void threads_leave_cpu(void)
{
	struct set *set = here();
	unsigned long flags = port_irq_save();

	while (set->main.next != &set->main) {
		struct thread *thread = set->main.next;

		take_out(set, thread);
		insert(&sets[0], thread);
	}
	cpu_unmask(flags);
	cpu_wake_up(0);
}

/* Return: false: main runs, on a stack that is not of this file. */
bool thread_stack_bounds(uintptr_t *low, uintptr_t *high)
{
	const struct set *set = &sets[port_cpu_id()];

	if (!set->now || set->now == &set->main)
		return false;
	*low = (uintptr_t)set->now->stack;
	*high = *low + STACK_BYTES;
	return true;
}

/* ---- Windows of port_kmap_local(): a thread's are closed in reverse order, a CPU's in any ---- */

unsigned int cpu_window_open(void)
{
	struct set *set = here();
	struct thread *self = set->now;
	unsigned int slot = (unsigned int)__builtin_ctz(~set->windows);

	if (slot >= HOSTED_KMAP_MAX)
		port_panic("port_kmap_local: more than 16 open on one CPU");
	set->windows |= 1u << slot;
	self->window[self->windows++] = (unsigned char)slot;
	return port_cpu_id() * HOSTED_KMAP_MAX + slot;
}

unsigned int cpu_window_close(void)
{
	struct set *set = here();
	struct thread *self = set->now;
	unsigned int slot;

	if (!self->windows)
		port_panic("port_kunmap_local: none open on this CPU");
	slot = self->window[--self->windows];
	set->windows &= ~(1u << slot);
	return port_cpu_id() * HOSTED_KMAP_MAX + slot;
}
