// SPDX-License-Identifier: MIT
/*
 * RCU.
 *
 * Purpose. Whoever takes a thing out of a structure that is read without a lock learns here when no reader can
 * hold it any more. Readers are many and must cost next to nothing; writers may wait.
 *
 * Words. A *reader* lies between rcu_read_lock() and rcu_read_unlock(). A *grace period* is over when each CPU has
 * been *seen* outside of readers since it began. *Queue*: a CPU's callbacks that no grace period has taken up yet.
 * *Polling*: one step of the work, without waiting; *waiting*: steps until it is done.
 *
 * Structures.
 *	cpu_local.rcu_queue ->	latest -> ... -> oldest		pushed with one compare and exchange, any context
 *	  gp_begin() takes all of it, and turns it round:
 *	rcu.wait ->		oldest -> ... -> latest		due when rcu.completed reaches rcu.started
 *
 * Invariants.
 *	RC-I1: completed is started, or one less. Only then is rcu.wait not empty.
 *	RC-I2: a CPU that is not in rcu.cpus has no callbacks queued and is inside no reader.
 *	RC-I3: a callback runs after a grace period that began after it was queued.
 *
 * Why readers need no atomic. A reader counts up its CPU's rcu_nesting and then loads the pointer, in this order,
 * but the store may leave its CPU after the load. A grace period makes every CPU pass a full barrier before it looks at
 * the counts. A reader that loaded the pointer before that barrier has its count visible behind it; one that loads
 * it later finds the new pointer, as it was stored ahead of the barrier. So a count of 0 is one sound observation, and
 * each CPU needs to be seen once. The end of a reader is a release, the look an acquire.
 *	Where port_cpu_call() has never been seen to work, rcu.fenced stays set and readers execute the barrier
 *	themselves. A CPU that comes online passes one too, after it has entered itself in rcu.cpus.
 *
 * Locking. The mutex is held while a grace period is worked on and while callbacks run: nobody runs callbacks
 * twice, and rcu_barrier() need only take it and let what was queued pass. Callbacks may not sleep, so they cannot
 * wait for a mutex whose holder waits for this one.
 *
 * Memory use and bounds. Two words in each object. Objects queued stay until somebody polls: each slow path of the
 * page allocator that may sleep does, at POLL_CALLBACKS queued on its CPU or at every POLL_LIMIT-th visit. When pages
 * run short rcu_reclaim() waits for all callbacks on all CPUs, so what is queued never makes an allocation fail that
 * may sleep. A CPU that does nothing but open readers back to back is found outside only by the luck of sampling.
 *
 * What failure does. Waiting inside a reader or from a callback is waiting for oneself: it is reported and the
 * machine stops. An unlock too many is reported and does nothing.
 *
 * Differences from Linux. No tree, no kernel threads, no softirq: whoever needs a grace period does the work, and
 * those who wait meanwhile share it. One flavour. Callbacks run in thread context.
 *
 * Sources. McKenney and Slingwine, "Read-copy update" (PDCS 1998); Desnoyers and others, "User-level implementations of
 * read-copy update" (IEEE TPDS 23, 2012), for the barrier on the writer's side; membarrier(2).
 */
#include "../base/findings.h"
#include "rcu.h"

#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "atomic.h"

#define POLL_CALLBACKS 64u
#define POLL_LIMIT 16u
#define WORD_BITS (8 * (unsigned int)sizeof(unsigned long))

/* The numbers begin just below their wrap-around, so that every run passes it. */
#define FIRST_NUMBER (0ul - 100)

struct rcu rcu __memsys = { .mutex = MUTEX_INIT,
			    .started = FIRST_NUMBER,
			    .completed = FIRST_NUMBER,
			    .wanted = FIRST_NUMBER,
			    .fenced = 1 };

/* ---- Readers ---- */

void rcu_read_lock(void)
{
	this_cpu_count_up(rcu_nesting);
	if (unlikely(load_relaxed(&rcu.fenced)))
		smp_mb();
	sched_point();
}

void rcu_read_unlock(void)
{
	if (unlikely(!load_relaxed(&this_cpu()->rcu_nesting))) {
		pr_err("rcu_read_unlock: CPU %u is inside no reader\n", smp_processor_id());
		return;
	}
	sched_point();
	this_cpu_count_down(rcu_nesting);
}

bool rcu_read_lock_held(void)
{
	return load_relaxed(&this_cpu()->rcu_nesting) != 0;
}

/* ---- CPUs ---- */

/* The first CPU from @cpu on that takes part; nr_cpu_ids or more: none. */
static unsigned int member_from(unsigned int cpu)
{
	while (cpu < nr_cpu_ids) {
		unsigned long word = load_relaxed(&rcu.cpus[cpu / WORD_BITS]) >> cpu % WORD_BITS;

		if (word)
			return cpu + lowest_bit(word);
		cpu = ALIGN_DOWN(cpu, WORD_BITS) + WORD_BITS;
	}
	return cpu;
}

#define for_each_member(cpu) \
	for (unsigned int cpu = member_from(0); cpu < nr_cpu_ids; cpu = member_from(cpu + 1))

static int rcu_cpu_online(unsigned int cpu)
{
	cpu_locals[cpu]->rcu_seen = load_relaxed(&rcu.started) - 1;
	(void)atomic_fetch_or(&rcu.cpus[cpu / WORD_BITS], 1ul << cpu % WORD_BITS);
	smp_mb();
	return 0;
}

/* ---- Callbacks ---- */

static struct rcu_head *turn_round(struct rcu_head *list)
{
	struct rcu_head *turned = NULL;

	while (list) {
		struct rcu_head *next = list->next;

		list->next = turned;
		turned = list;
		list = next;
	}
	return turned;
}

static struct rcu_head *take_queue(struct cpu_local *cpu)
{
	if (!load_relaxed(&cpu->rcu_queue))
		return NULL;
	store_relaxed(&cpu->rcu_queued, 0);
	return turn_round(atomic_xchg(&cpu->rcu_queue, NULL));
}

static void wait_append(struct rcu_head *list)
{
	struct rcu_head **end = rcu.wait ? rcu.wait_end : &rcu.wait;

	*end = list;
	while (*end)
		end = &(*end)->next;
	rcu.wait_end = end;
}

void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);
	struct rcu_head *old = load_relaxed(&cpu->rcu_queue), *seen;

	head->func = func;
	for (;; old = seen) {
		head->next = old;
		seen = atomic_cmpxchg(&cpu->rcu_queue, old, head);
		if (seen == old)
			break;
	}
	store_relaxed(&cpu->rcu_queued, load_relaxed(&cpu->rcu_queued) + 1);
	cpu_section_end(cpu, flags);
}

void kvfree_call_rcu(struct rcu_head *head, void *object)
{
	size_t offset = (uintptr_t)head - (uintptr_t)object;

	if (!object)
		return;
	if (!head) {
		synchronize_rcu();
		rcu.free(object);
	} else if (offset >= RCU_OFFSET_MAX) {
		pr_err("kfree_rcu: the head at %p does not lie in the first %u bytes of %p; it is not freed\n",
		       (void *)head, RCU_OFFSET_MAX, object);
	} else {
		call_rcu(head, (rcu_callback_t)offset);
	}
}

static void run_callbacks(void)
{
	struct rcu_head *head = rcu.wait;

	rcu.wait = NULL;
	rcu.wait_end = NULL; /* it led into the latest: a freed object, to who looks for references */
	store_relaxed(&rcu.runner, port_thread_self());
	while (head) {
		struct rcu_head *next = head->next;
		uintptr_t func = (uintptr_t)head->func;

		if (func < RCU_OFFSET_MAX)
			rcu.free((char *)head - func);
		else
			head->func(head);
		rcu.called++;
		head = next;
	}
	store_relaxed(&rcu.runner, 0);
}

static void rcu_cpu_dead(unsigned int cpu)
{
	struct rcu_head **end;

	mutex_lock(&rcu.mutex);
	(void)atomic_fetch_and(&rcu.cpus[cpu / WORD_BITS], ~(1ul << cpu % WORD_BITS));
	for (end = &rcu.orphans; *end; end = &(*end)->next)
		;
	store_relaxed(end, take_queue(cpu_locals[cpu]));
	mutex_unlock(&rcu.mutex);
}

MM_PART(rcu, .order = MM_PART_RCU, .cpu_online = rcu_cpu_online, .cpu_dead = rcu_cpu_dead);

/* ---- Grace periods; the mutex is held ---- */

static bool gp_under_way(void)
{
	return load_relaxed(&rcu.started) != load_relaxed(&rcu.completed);
}

/* The number is raised first: a ticket drawn before then was drawn before the barrier. */
static void gp_begin(void)
{
	store_relaxed(&rcu.started, rcu.started + 1);
	smp_mb();
	wait_append(rcu.orphans);
	store_relaxed(&rcu.orphans, NULL);
	for_each_member(cpu)
		wait_append(take_queue(cpu_locals[cpu]));
	if (port_cpu_call(PORT_CPU_OTHERS, NULL, NULL))
		smp_mb();
	else if (load_relaxed(&rcu.fenced))
		store_relaxed(&rcu.fenced, 0);
}

/* Look once at each CPU that was not seen yet. Return: all were. */
static bool gp_look(void)
{
	bool all = true;

	for_each_member(cpu) {
		struct cpu_local *local = cpu_locals[cpu];

		if (local->rcu_seen == rcu.started)
			continue;
		if (load_acquire(&local->rcu_nesting))
			all = false;
		else
			local->rcu_seen = rcu.started;
	}
	return all;
}

static void gp_end(void)
{
	smp_mb();
	store_release(&rcu.completed, rcu.started);
	run_callbacks();
}

/* The current grace period, or a new one, to its end. */
static void gp_wait(void)
{
	if (!gp_under_way())
		gp_begin();
	while (!gp_look())
		port_cpu_relax();
	gp_end();
}

/* ---- Waiting ---- */

static bool is_runner(void)
{
	return load_relaxed(&rcu.runner) == port_thread_self();
}

static void check_may_wait(const char *who)
{
	bool reader = rcu_read_lock_held();

	if (likely(!reader && !is_runner()))
		return;
	pr_err("%s: called %s, it would wait for itself\n", who, reader ? "inside a reader" : "from a callback");
	port_panic("RCU: waiting for a grace period where none can end");
}

unsigned long get_state_synchronize_rcu(void)
{
	smp_mb();
	return load_relaxed(&rcu.started) + 1;
}

bool poll_state_synchronize_rcu(unsigned long state)
{
	if ((long)(load_acquire(&rcu.completed) - state) < 0)
		return false;
	smp_mb();
	return true;
}

static void wait_for(unsigned long state)
{
	mutex_lock(&rcu.mutex);
	while (!poll_state_synchronize_rcu(state))
		gp_wait();
	mutex_unlock(&rcu.mutex);
}

void synchronize_rcu(void)
{
	check_may_wait("synchronize_rcu");
	wait_for(get_state_synchronize_rcu());
}

void cond_synchronize_rcu(unsigned long state)
{
	if (poll_state_synchronize_rcu(state))
		return;
	check_may_wait("cond_synchronize_rcu");
	wait_for(state);
}

void rcu_barrier(void)
{
	check_may_wait("rcu_barrier");
	mutex_lock(&rcu.mutex);
	if (gp_under_way())
		gp_wait();
	gp_wait();
	mutex_unlock(&rcu.mutex);
}

/* ---- Polling ---- */

/* Asked for by rcu_poll(): few callbacks on this CPU wait for company a while. */
static bool poll_is_due(struct cpu_local *cpu)
{
	if (gp_under_way() || !poll_state_synchronize_rcu(load_relaxed(&rcu.wanted)))
		return true;
	if (!load_relaxed(&cpu->rcu_queue))
		return false;
	if (load_relaxed(&cpu->rcu_queued) < POLL_CALLBACKS && ++cpu->rcu_polls < POLL_LIMIT)
		return false;
	cpu->rcu_polls = 0;
	return true;
}

void rcu_poll(void)
{
	if (octavo_cpu_in_section() || !poll_is_due(this_cpu()) || !mutex_trylock(&rcu.mutex))
		return;
	if (!gp_under_way())
		gp_begin();
	if (gp_look())
		gp_end();
	mutex_unlock(&rcu.mutex);
}

unsigned long start_poll_synchronize_rcu(void)
{
	unsigned long state = get_state_synchronize_rcu(), wanted = load_relaxed(&rcu.wanted), seen;

	for (; (long)(state - wanted) > 0; wanted = seen) {
		seen = atomic_cmpxchg(&rcu.wanted, wanted, state);
		if (seen == wanted)
			break;
	}
	return state;
}

static bool anything_queued(void)
{
	if (gp_under_way() || load_relaxed(&rcu.orphans))
		return true;
	for_each_member(cpu)
		if (load_relaxed(&cpu_locals[cpu]->rcu_queue))
			return true;
	return false;
}

bool rcu_reclaim(void)
{
	unsigned long before;
	bool ran;

	if (octavo_cpu_in_section() || is_runner() || !anything_queued())
		return false;
	mutex_lock(&rcu.mutex);
	before = rcu.called;
	if (gp_under_way())
		gp_wait();
	if (anything_queued())
		gp_wait();
	ran = rcu.called != before;
	mutex_unlock(&rcu.mutex);
	return ran;
}

/* ---- Checking ---- */

static void verify_cpu(struct findings *f, unsigned int cpu)
{
	const struct cpu_local *local = cpu_locals[cpu];
	bool member = load_relaxed(&rcu.cpus[cpu / WORD_BITS]) >> cpu % WORD_BITS & 1;

	if (!member && (local->rcu_queue || local->rcu_nesting))
		finding(f, "RCU: CPU %u takes no part, but has %s", cpu, local->rcu_queue ? "callbacks" : "a reader");
	if (member && (long)(rcu.started - local->rcu_seen) < 0)
		finding(f, "RCU: CPU %u was seen in grace period %lu, which has not begun", cpu, local->rcu_seen);
}

unsigned int rcu_verify(void (*report)(void *ctx, const char *line), void *ctx)
{
	struct findings f = { .report = report, .ctx = ctx };

	if (rcu.started - rcu.completed > 1)
		finding(&f, "RCU: grace period %lu has begun, but only %lu are over", rcu.started, rcu.completed);
	if (rcu.started == rcu.completed && rcu.wait)
		finding(&f, "RCU: callbacks wait for grace period %lu, which is over", rcu.started);
	for_each_possible_cpu(cpu)
		if (cpu_locals[cpu])
			verify_cpu(&f, cpu);
	return f.n;
}
