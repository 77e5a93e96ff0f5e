// SPDX-License-Identifier: MIT
/*
 * The seeded scheduler: every CPU of the machine on one thread.
 *
 * Purpose. To find races, and to run them again. Each CPU is a coroutine; it can lose the thread only at a
 * scheduling point, and whether it does is decided by a generator that starts from the seed. So a seed is a
 * complete description of a run.
 *
 * Words. A *scheduling point* is port_cpu_relax(), which builds with SCHED=1 pass at each lock and atomic;
 * parking is one too. A *step* is one scheduling point; the clock counts 100 ns each.
 *
 * How switches are chosen. Half of the seeds walk at random: at each point the CPU changes with a probability of 1/2
 * to 1/64, to one drawn by weights that make some CPUs much slower than others. The other half follow priorities
 * that change at few points (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of
 * Finding Bugs", ASPLOS 2010): the CPU of highest priority runs, and now and then becomes the lowest. That
 * finds orders that need one CPU to stand still for long. A CPU that goes through SPIN_MAX points on end is
 * taken to be waiting for another and becomes the lowest as well.
 *
 * What failure does. When all CPUs are parked without a time limit, or after max_steps points, the run is
 * stuck: where each CPU stands is reported, and the run is abandoned with its coroutines.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define SPIN_MAX 300
#define STEPS_MAX_DEFAULT 20000000
#define STEP_NS 100

enum coroutine_state { CO_READY, CO_PARKED, CO_END };

struct coroutine {
	void *context; /* saved stack pointer, or ucontext */
	char *stack;
	unsigned int cpu;
	enum coroutine_state state;
	bool done;     /* the work is over; serves cross calls */
	u64 wake_at;   /* parked: clock; 0: no limit */
	u64 priority;  /* higher runs first */
	unsigned int weight;
	struct fiber own, *fiber; /* of its first stack; of the one it is on: a thread of this CPU may have its own */
};

static struct {
	bool running;
	struct coroutine *all; /* [n] */
	unsigned int n;
	struct coroutine *now;
	void *host; /* context of hosted_run_coroutines() */
	struct fiber host_fiber;
	void (*fn)(unsigned int cpu, void *arg);
	void *arg;
	struct hosted_schedule *schedule;
	u64 random;
	bool by_priority;
	unsigned int switch_one_in;
	u64 lowest; /* next priority below all */
	unsigned int spins;
	bool switching; /* off while CPUs come and go one after the other */
} sched;

static u64 clock_now_ns;
static char *stacks[NR_CPUS]; /* kept from run to run */

static void coroutine_main(void);

static void coroutine_prepare(struct coroutine *co)
{
	if (!stacks[co->cpu])
		stacks[co->cpu] = stack_memory();
	co->stack = stacks[co->cpu];
	co->own = (struct fiber){ .low = co->stack, .bytes = STACK_BYTES };
	fiber_create(&co->own, false);
	co->fiber = &co->own;
	co->context = stack_prepare(co->stack, coroutine_main);
}

static void switch_to(struct coroutine *next)
{
	struct coroutine *from = sched.now;
	struct fiber *here = from ? from->fiber : &sched.host_fiber;

	if (next == from)
		return;
	sched.now = next;
	sched.spins = 0;
	sched.schedule->switches++;
	cpu_coroutine_enter(next->cpu);
	fiber_leave(here, next->fiber);
	hosted_switch(from ? &from->context : &sched.host, next->context);
	fiber_arrive(here);
}

static void switch_to_host(void)
{
	struct coroutine *from = sched.now;

	sched.now = NULL;
	fiber_leave(from->fiber, &sched.host_fiber);
	hosted_switch(&from->context, sched.host);
	fiber_arrive(from->fiber);
}

/* ---- Choosing ---- */

static u64 draw(void)
{
	u64 z = sched.random += 0x9e3779b97f4a7c15ull; /* SplitMix64, as in console.c */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void report_stuck(const char *why)
{
	hosted_log("schedule with seed %llu is stuck after %llu steps: %s", (unsigned long long)sched.schedule->seed,
		   (unsigned long long)sched.schedule->steps, why);
	for (unsigned int i = 0; i < sched.n; i++) {
		const struct coroutine *co = &sched.all[i];

		hosted_log("  CPU %u: %s", co->cpu,
			   co->done ? "done" : co->state == CO_PARKED ? "parked" : "running or waiting for a lock");
	}
	if (sched.now) {
		uintptr_t pc[16];
		unsigned int n = port_backtrace(pc, 16);

		for (unsigned int i = 0; i < n; i++) {
			Dl_info info;
			bool known = dladdr((void *)pc[i], &info) && info.dli_fbase;

			hosted_log("    CPU %u at %#lx (offset %#lx in the program)", sched.now->cpu,
				   (unsigned long)pc[i],
				   (unsigned long)(known ? pc[i] - (uintptr_t)info.dli_fbase : pc[i]));
		}
	}
}

static void stuck(const char *why)
{
	report_stuck(why);
	sched.schedule->stuck = true;
	switch_to_host();
	abort(); /* nobody comes back to an abandoned coroutine */
}

static void wake_sleepers(void)
{
	for (unsigned int i = 0; i < sched.n; i++) {
		struct coroutine *co = &sched.all[i];

		if (co->state == CO_PARKED && co->wake_at && co->wake_at <= clock_now_ns)
			co->state = CO_READY;
	}
}

/* Nobody is ready: time passes until somebody's park ends. False if nobody's does. */
static bool skip_to_next_wake(void)
{
	u64 first = 0;

	for (unsigned int i = 0; i < sched.n; i++) {
		struct coroutine *co = &sched.all[i];

		if (co->state == CO_PARKED && co->wake_at && (!first || co->wake_at < first))
			first = co->wake_at;
	}
	if (!first)
		return false;
	clock_now_ns = first;
	wake_sleepers();
	return true;
}

static struct coroutine *choose_by_weight(void)
{
	u64 total = 0, at;

	for (unsigned int i = 0; i < sched.n; i++)
		if (sched.all[i].state == CO_READY)
			total += sched.all[i].weight;
	if (!total)
		return NULL;
	at = draw() % total;
	for (unsigned int i = 0;; i++) {
		if (sched.all[i].state != CO_READY)
			continue;
		if (at < sched.all[i].weight)
			return &sched.all[i];
		at -= sched.all[i].weight;
	}
}

static struct coroutine *choose_by_priority(void)
{
	struct coroutine *best = NULL;

	for (unsigned int i = 0; i < sched.n; i++)
		if (sched.all[i].state == CO_READY && (!best || sched.all[i].priority > best->priority))
			best = &sched.all[i];
	return best;
}

static struct coroutine *choose(void)
{
	struct coroutine *next;

	do
		next = sched.by_priority ? choose_by_priority() : choose_by_weight();
	while (!next && skip_to_next_wake());
	return next;
}

static void demote(struct coroutine *co)
{
	co->priority = --sched.lowest;
}

static void decide(void)
{
	bool change = draw() % sched.switch_one_in == 0 || ++sched.spins >= SPIN_MAX;

	if (!change)
		return;
	sched.spins = 0;
	if (sched.by_priority)
		demote(sched.now);
	switch_to(choose());
}

/* ---- For cpu.c ---- */

bool sched_running(void)
{
	return sched.running && sched.now;
}

void sched_relax(void)
{
	struct hosted_schedule *s = sched.schedule;

	s->steps++;
	clock_now_ns += STEP_NS;
	if (!sched.switching)
		return;
	if (s->steps >= s->max_steps)
		stuck("too many steps: CPUs wait for each other, or the run is too long");
	wake_sleepers();
	if (s->interrupt && !cpu_masked() && draw() % s->interrupt_one_in == 0)
		cpu_interrupt_here(s->interrupt, sched.arg);
	decide();
}

u64 sched_clock_ns(void)
{
	return ++clock_now_ns;
}

void sched_clock_pass(u64 ns)
{
	clock_now_ns += ns;
}

void sched_park(u64 timeout_ns)
{
	struct coroutine *next;

	sched.now->state = CO_PARKED;
	sched.now->wake_at = timeout_ns ? clock_now_ns + timeout_ns : 0;
	clock_now_ns += STEP_NS;
	next = choose();
	if (!next)
		stuck("all CPUs are parked");
	switch_to(next);
}

void sched_unpark(unsigned int cpu)
{
	for (unsigned int i = 0; i < sched.n; i++)
		if (sched.all[i].cpu == cpu && sched.all[i].state == CO_PARKED)
			sched.all[i].state = CO_READY;
}

struct fiber *sched_fiber(struct fiber *fiber)
{
	struct fiber *was = sched.now->fiber;

	if (fiber)
		sched.now->fiber = fiber;
	return was;
}

bool sched_draw(unsigned int one_in)
{
	return draw() % one_in == 0;
}

void sched_stack_bounds(uintptr_t *low, uintptr_t *high)
{
	*low = (uintptr_t)sched.now->fiber->low;
	*high = *low + sched.now->fiber->bytes;
}

/* ---- A run ---- */

static bool all_done(void)
{
	for (unsigned int i = 0; i < sched.n; i++)
		if (!sched.all[i].done)
			return false;
	return true;
}

/* Comes on line, waits for the others to, works, and then serves cross calls until everyone has worked. */
static void coroutine_main(void)
{
	struct coroutine *self = sched.now;

	fiber_arrive(self->fiber);
	cpu_coroutine_begin();
	switch_to_host();
	sched.fn(self->cpu, sched.arg);
	self->done = true;
	while (!all_done()) {
		struct coroutine *next;

		cpu_coroutine_idle();
		if (threads_turn())
			continue;
		self->state = CO_PARKED;
		self->wake_at = threads_next_wake();
		next = choose();
		if (!next)
			stuck("the CPUs still at work are all parked");
		switch_to(next);
	}
	cpu_coroutine_end();
	self->state = CO_END;
	switch_to_host();
	abort();
}

static void plan(struct hosted_schedule *s)
{
	sched.random = s->seed * 0xd1342543de82ef95ull + 1; /* neighbouring seeds far apart */
	sched.by_priority = draw() & 1;
	sched.lowest = (u64)1 << 62;
	sched.switch_one_in = 2u << draw() % 6;
	if (sched.by_priority)
		sched.switch_one_in <<= 3;
	for (unsigned int i = 0; i < sched.n; i++) {
		sched.all[i].priority = sched.lowest + 1 + (draw() >> 8);
		sched.all[i].weight = 1u << draw() % 7;
	}
}

static void host_fiber_init(void)
{
	uintptr_t low, high;

	cpu_stack_bounds(&low, &high);
	sched.host_fiber = (struct fiber){ .low = (void *)low, .bytes = high - low };
	fiber_create(&sched.host_fiber, true);
}

int hosted_run_coroutines(unsigned int n, void (*fn)(unsigned int cpu, void *arg), void *arg,
			  struct hosted_schedule *s)
{
	if (!n || n > cpus_nr() || sched.running)
		return -EINVAL;
	memset(&sched, 0, sizeof(sched));
	sched.all = calloc(n, sizeof(*sched.all));
	if (!sched.all)
		return -ENOMEM;
	sched.n = n;
	sched.fn = fn;
	sched.arg = arg;
	sched.schedule = s;
	host_fiber_init();
	sched.running = true;
	s->steps = s->switches = 0;
	s->stuck = false;
	s->max_steps = s->max_steps ? s->max_steps : STEPS_MAX_DEFAULT;
	s->interrupt_one_in = s->interrupt_one_in ? s->interrupt_one_in : 64;
	for (unsigned int i = 0; i < n; i++) {
		sched.all[i].cpu = i;
		coroutine_prepare(&sched.all[i]);
		switch_to(&sched.all[i]);
	}
	plan(s);
	sched.switching = true;
	switch_to(choose());
	/* The last to finish its work ends first and comes here; the others, parked, are let out one by one. */
	sched.switching = false;
	for (unsigned int i = 0; i < n && !s->stuck; i++)
		if (sched.all[i].state != CO_END)
			switch_to(&sched.all[i]);
	sched.running = false;
	for (unsigned int i = 0; i < n; i++)
		fiber_destroy(&sched.all[i].own);
	free(sched.all);
	if (s->stuck) {
		cpu_coroutines_abandon(n);
		return -EDEADLK;
	}
	cpu_coroutine_enter(0);
	for (unsigned int i = 1; i < n; i++)
		cpu_coroutine_gone(i);
	return 0;
}
