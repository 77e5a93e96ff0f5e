// SPDX-License-Identifier: MIT
/* CPUs as threads and as coroutines: calls, interrupts, parking; the scheduler finds what was planted. */
#include <errno.h>
#include <octavo/port.h>
#include <sched.h>

#include "harness.h"
#include "mm/sync/cpu.h"
#include "mm/sync/spinlock.h"
#include "schedules.h"

#define get(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define put(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

static unsigned int seen[4], wrong;

static void note_cpu(unsigned int cpu, void *arg)
{
	(void)arg;
	__atomic_fetch_add(&seen[cpu], 1, __ATOMIC_RELAXED);
	if (port_cpu_id() != cpu || smp_processor_id() != cpu || !cpu_locals[cpu]->online)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

static void expect_each_once(void)
{
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(seen[i], 1);
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(num_online_cpus(), 1);
	memset(seen, 0, sizeof(seen));
}

TEST(cpus, threads_come_and_go)
{
	memset(seen, 0, sizeof(seen));
	wrong = 0;
	EXPECT_EQ(hosted_run_cpus(5, note_cpu, NULL), -EINVAL);
	for (int i = 0; i < 3; i++) {
		ASSERT(!hosted_run_cpus(4, note_cpu, NULL));
		expect_each_once();
	}
}

TEST(cpus, coroutines_come_and_go)
{
	struct hosted_schedule schedule = { .seed = test_seed };

	memset(seen, 0, sizeof(seen));
	wrong = 0;
	for (int i = 0; i < 3; i++) {
		ASSERT(!hosted_run_coroutines(4, note_cpu, NULL, &schedule));
		expect_each_once();
		schedule.seed++;
	}
}

/* ---- Cross calls ---- */

static unsigned int calls[4], unmasked;
static int running;

static void count_call(void *arg)
{
	unsigned long flags = port_irq_save();

	(void)arg;
	if (!flags)
		__atomic_fetch_add(&unmasked, 1, __ATOMIC_RELAXED);
	port_irq_restore(flags);
	__atomic_fetch_add(&calls[port_cpu_id()], 1, __ATOMIC_RELAXED);
}

/* Everybody calls everybody, which deadlocks unless those who wait serve. */
static void call_all(unsigned int cpu, void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		if (port_cpu_call(PORT_CPU_OTHERS, count_call, NULL) || port_cpu_call((cpu + 1) % 4, NULL, NULL) ||
		    port_cpu_call(cpu, count_call, NULL))
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	}
}

static void expect_calls(void)
{
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(calls[i], 200);
	EXPECT_EQ(unmasked, 0);
	EXPECT_EQ(wrong, 0);
	memset(calls, 0, sizeof(calls));
}

TEST(cpus, calls_run_everywhere_masked)
{
	struct hosted_schedule schedule = { .seed = test_seed };

	unmasked = wrong = 0;
	memset(calls, 0, sizeof(calls));
	ASSERT(!hosted_run_cpus(4, call_all, NULL));
	expect_calls();
	ASSERT(!hosted_run_coroutines(4, call_all, NULL, &schedule));
	expect_calls();
	EXPECT_EQ(port_cpu_call(2, count_call, NULL), -ENXIO);
	EXPECT_EQ(port_cpu_call(99, count_call, NULL), -ENXIO);
}

/* ---- Interrupts ---- */

static int fired;

static void fire(void *arg)
{
	(void)arg;
	put(&fired, fired + 1);
}

static void wait_for_interrupts(unsigned int cpu, void *arg)
{
	(void)arg;
	if (cpu == 1) {
		unsigned long flags;

		/* no safe point here: only the signal can do it */
		put(&running, 1);
		while (get(&fired) < 1)
			sched_yield();
		flags = port_irq_save();
		put(&running, 2);
		while (get(&running) != 3)
			sched_yield();
		seen[0] = (unsigned int)get(&fired); /* masked: the second waits */
		port_irq_restore(flags);
		seen[1] = (unsigned int)get(&fired); /* it came before restore returned */
	} else {
		while (get(&running) != 1)
			sched_yield();
		seen[2] = hosted_interrupt(1, fire, NULL);
		while (get(&running) != 2)
			sched_yield();
		seen[3] = hosted_interrupt(1, fire, NULL);
		put(&running, 3);
	}
}

TEST(cpus, interrupts_come_unless_masked)
{
	fired = running = 0;
	EXPECT(!hosted_interrupt(1, fire, NULL)); /* not running */
	ASSERT(!hosted_run_cpus(2, wait_for_interrupts, NULL));
	EXPECT_EQ(seen[2], true);
	EXPECT_EQ(seen[3], true);
	EXPECT_EQ(seen[0], 1);
	EXPECT_EQ(seen[1], 2);
	EXPECT(hosted_interrupt(0, fire, NULL)); /* to oneself: at once */
	EXPECT_EQ(fired, 3);
}

/* ---- Parking ---- */

static uintptr_t threads[2];
static int turn, turns;

/* Two CPUs pass a turn to and fro; each sleeps while it is the other's. */
static void ping_pong(unsigned int cpu, void *arg)
{
	(void)arg;
	put(&threads[cpu], port_thread_self());
	while (!get(&threads[!cpu]))
		port_cpu_relax();
	for (int i = 0; i < 200; i++) {
		while (get(&turn) != (int)cpu)
			port_park(0);
		turns++;
		put(&turn, !cpu);
		port_unpark(threads[!cpu]);
	}
}

TEST(cpus, park_and_unpark)
{
	struct hosted_schedule schedule = { .seed = test_seed };

	turn = turns = 0;
	memset(threads, 0, sizeof(threads));
	ASSERT(!hosted_run_cpus(2, ping_pong, NULL));
	EXPECT_EQ(turns, 400);
	turn = turns = 0;
	memset(threads, 0, sizeof(threads));
	ASSERT(!hosted_run_coroutines(2, ping_pong, NULL, &schedule));
	EXPECT_EQ(turns, 400);
	port_unpark(port_thread_self());
	port_park(0); /* the unpark came first */
}

static void sleep_a_second(unsigned int cpu, void *arg)
{
	u64 begin = port_clock_ns();

	(void)arg;
	port_park((u64)(cpu + 1) * 1000000000);
	if (port_clock_ns() - begin >= 1000000000)
		seen[cpu]++;
}

TEST(cpus, coroutines_sleep_in_no_time)
{
	struct hosted_schedule schedule = { .seed = test_seed };

	memset(seen, 0, sizeof(seen));
	ASSERT(!hosted_run_coroutines(4, sleep_a_second, NULL, &schedule));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(seen[i], 1);
}

/* ---- The scheduler finds what was planted ---- */

static unsigned int counter;
static spinlock_t counter_lock;
static bool locked;

static void counter_setup(void *ctx)
{
	(void)ctx;
	counter = 0;
	spin_lock_init(&counter_lock, LOCK_RANK_NONE);
}

static void counter_work(unsigned int cpu, void *ctx)
{
	(void)cpu;
	(void)ctx;
	for (int i = 0; i < 3; i++) {
		unsigned int value;

		if (locked)
			spin_lock(&counter_lock);
		value = counter;
		port_cpu_relax();
		counter = value + 1;
		if (locked)
			spin_unlock(&counter_lock);
	}
}

static bool counter_check(void *ctx)
{
	(void)ctx;
	return counter == 9;
}

static const struct scenario counter_scenario = {
	.cpus = 3, .setup = counter_setup, .work = counter_work, .check = counter_check
};

TEST(schedule, an_unlocked_counter_is_found_and_replayed)
{
	struct scenario_result r, again;
	unsigned int value;

	locked = false;
	r = scenario_search(&counter_scenario, test_seed, 200);
	EXPECT(!r.ok && !r.stuck);
	value = counter;
	again = scenario_search(&counter_scenario, r.failing_seed, 1);
	EXPECT(!again.ok);
	EXPECT_EQ(counter, value);
	r = scenario_search(&counter_scenario, again.failing_seed, 1);
	EXPECT_EQ(r.steps, again.steps);
	EXPECT_EQ(r.switches, again.switches);
	locked = true;
	EXPECT(scenario_search(&counter_scenario, test_seed, 200).ok);
}

static void interrupt_counter(void *ctx)
{
	(void)ctx;
	fired++;
	counter += 100;
}

/* On one CPU only an interrupt can come between reading and writing. */
static bool no_interrupt_lost(void *ctx)
{
	(void)ctx;
	return counter == 3 + 100 * (unsigned int)fired;
}

static void interrupt_setup(void *ctx)
{
	fired = 0;
	counter_setup(ctx);
}

TEST(schedule, interrupts_are_injected)
{
	static const struct scenario s = { .cpus = 1,
					   .setup = interrupt_setup,
					   .work = counter_work,
					   .interrupt = interrupt_counter,
					   .one_in = 2,
					   .check = no_interrupt_lost };

	locked = false;
	EXPECT(!scenario_search(&s, test_seed, 100).ok);
	EXPECT(fired > 0);
}

static spinlock_t first, second;

static void lock_setup(void *ctx)
{
	(void)ctx;
	spin_lock_init(&first, LOCK_RANK_NONE);
	spin_lock_init(&second, LOCK_RANK_NONE);
}

static void lock_crosswise(unsigned int cpu, void *ctx)
{
	(void)ctx;
	spin_lock(cpu ? &second : &first);
	port_cpu_relax();
	spin_lock(cpu ? &first : &second);
	spin_unlock(&first);
	spin_unlock(&second);
}

static void all_park(unsigned int cpu, void *ctx)
{
	(void)cpu;
	(void)ctx;
	port_park(0);
}

static bool yes(void *ctx)
{
	(void)ctx;
	return true;
}

TEST(schedule, deadlocks_are_found)
{
	struct scenario s = {
		.cpus = 2, .setup = lock_setup, .work = lock_crosswise, .check = yes, .max_steps = 20000
	};
	struct scenario_result r;
	const char *said;

	test_capture_begin();
	r = scenario_search(&s, test_seed, 200);
	said = test_capture_end();
	EXPECT(!r.ok && r.stuck);
	EXPECT(strstr(said, "is stuck after"));
	s.work = all_park;
	test_capture_begin();
	r = scenario_search(&s, test_seed, 1);
	said = test_capture_end();
	EXPECT(!r.ok && r.stuck);
	EXPECT(strstr(said, "all CPUs are parked"));
}
