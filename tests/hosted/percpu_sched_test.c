// SPDX-License-Identifier: MIT
/* Per-CPU memory with several CPUs and interrupts: seeded interleavings, threads, CPUs that come and go. */
#include <octavo/gfp.h>
#include <octavo/percpu_counter.h>
#include <octavo/port.h>

#include "mm/slab/percpu.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 100
#else
#define SEEDS 25
#endif
#define CPUS 4

static DEFINE_PER_CPU(unsigned long, tally);
static DEFINE_PER_CPU(unsigned int, from_interrupts);

static struct percpu_counter counter;
static unsigned int steps = 30;
static unsigned long areas_before;
static u64 chance[CPUS];
static unsigned int wrong;
static bool unsound;

static void interrupt(void *ctx)
{
	u32 __percpu *p = alloc_percpu_gfp(u32, GFP_NOWAIT | __GFP_NOWARN);

	(void)ctx;
	this_cpu_inc(tally);
	this_cpu_inc(from_interrupts);
	percpu_counter_add_batch(&counter, 1, 4);
	free_percpu(p);
}

/* What this_cpu_add() must not be: a look, and a store later. */
static void split_increment(void)
{
	unsigned long value = raw_cpu_read(tally);

	port_cpu_relax();
	raw_cpu_write(tally, value + 1);
}

static void one_step(unsigned int cpu)
{
	static const size_t most[] = { 8, 64, 4000, 30000 };
	u64 r = test_random(&chance[cpu]);
	size_t size = 1 + (size_t)(r >> 8) % most[r >> 30 & 3];
	u8 __percpu *p = __alloc_percpu_gfp(size, 4, r & 1 ? GFP_KERNEL | __GFP_NOWARN : GFP_NOWAIT | __GFP_NOWARN);

	if (unsound)
		split_increment();
	else
		this_cpu_inc(tally);
	percpu_counter_add_batch(&counter, 1, 4);
	if (!p)
		return;
	for (unsigned int i = 0; i < nr_cpu_ids; i++) {
		u8 *copy = per_cpu_ptr(p, i);

		if (copy[0] || copy[size - 1])
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		copy[0] = copy[size - 1] = 0x77;
	}
	port_cpu_relax();
	if (*per_cpu_ptr(p, cpu) != 0x77)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	free_percpu(p);
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < steps; i++) {
		one_step(cpu);
		if (i % 8 == 7)
			(void)percpu_counter_sum(&counter);
	}
}

static void setup(void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < CPUS; i++)
		chance[i] = port_random() | 1;
	wrong = 0;
	if (percpu_counter_init(&counter, 0, GFP_KERNEL))
		wrong = 1;
	areas_before = percpu.areas;
}

/* PN-I1, and every operation of every CPU and interrupt counted once. */
static bool check(void *ctx)
{
	unsigned long sum = 0, interrupts = 0;

	(void)ctx;
	for_each_possible_cpu(cpu) {
		sum += per_cpu(tally, cpu);
		interrupts += per_cpu(from_interrupts, cpu);
	}
	return !wrong && sum == CPUS * steps + interrupts && percpu_counter_sum(&counter) == (s64)sum &&
	       percpu.areas == areas_before && !percpu.errors && !percpu_verify(NULL, NULL);
}

static const struct scenario scenario = {
	.cpus = CPUS, .setup = setup, .work = work, .interrupt = interrupt, .one_in = 20, .check = check
};

TEST(percpu_sched, nothing_is_lost)
{
	scenario_test(&scenario, test_scaled(SEEDS));
}

TEST(percpu_sched, a_split_increment_is_caught)
{
	struct scenario_result r;

	unsound = true;
	r = scenario_search(&scenario, test_seed, 100);
	unsound = false;
	EXPECT(!r.ok && !r.stuck);
}

TEST(percpu_sched, with_threads)
{
	struct hosted_options options = { .quiet = true };

	steps = test_scaled(1500);
	ASSERT(!hosted_boot_default(&options));
	setup(NULL);
	ASSERT(!hosted_run_cpus(CPUS, work, NULL));
	EXPECT(check(NULL));
	steps = 30;
}

/* ---- Real interrupts between any two instructions ---- */

static u32 __percpu *target;
static unsigned int sent, stop;

static void hit(void *ctx)
{
	(void)ctx;
	this_cpu_inc(tally);
	this_cpu_add(*target, 1);
}

static void count_or_disturb(unsigned int cpu, void *ctx)
{
	unsigned int n = test_scaled(200000);

	(void)ctx;
	if (!cpu) {
		while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
			sent += hosted_interrupt(1, hit, NULL);
			port_cpu_relax();
		}
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		this_cpu_inc(tally);
		this_cpu_add(*target, 1);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
}

static void disturb(u32 __percpu *area)
{
	target = area;
	sent = stop = 0;
	for_each_possible_cpu(cpu)
		per_cpu(tally, cpu) = 0;
	ASSERT(area && !hosted_run_cpus(2, count_or_disturb, NULL));
	EXPECT(sent > 0);
	EXPECT_EQ(per_cpu(tally, 1), test_scaled(200000) + sent);
	EXPECT_EQ(*per_cpu_ptr(area, 1), test_scaled(200000) + sent);
	EXPECT_EQ(per_cpu(tally, 0), 0);
}

TEST(percpu_sched, interrupts_split_no_operation)
{
	u32 __percpu *late = __alloc_percpu(PCPU_MIN_UNIT_SIZE, 4), *early = alloc_percpu(u32);

	EXPECT((uintptr_t)early < OCTAVO_PERCPU_LATER && (uintptr_t)late >= OCTAVO_PERCPU_LATER);
	disturb(early);
	disturb(late);
	free_percpu(early);
	free_percpu(late);
}

/* ---- CPUs that come and go ---- */

static void count_seven(unsigned int cpu, void *ctx)
{
	(void)cpu;
	percpu_counter_add(ctx, 7);
	this_cpu_add(tally, 7);
}

TEST(percpu_sched, a_cpu_that_leaves_hands_its_counts_on)
{
	struct percpu_counter a, b;
	u32 __percpu *late = __alloc_percpu(PCPU_MIN_UNIT_SIZE, 4);

	ASSERT(late && !percpu_counter_init(&a, 0, GFP_KERNEL) && !percpu_counter_init(&b, 1, GFP_KERNEL));
	EXPECT(!percpu_is_ready(3));
	ASSERT(!hosted_cpu_start(3, count_seven, &a));
	EXPECT(percpu_is_ready(3));
	hosted_cpu_stop(3);
	EXPECT_EQ(percpu_counter_read(&a), 7);
	EXPECT_EQ(percpu_counter_read(&b), 1);
	EXPECT_EQ(per_cpu(tally, 3), 7);
	ASSERT(!hosted_cpu_start(3, count_seven, &b));
	hosted_cpu_stop(3);
	EXPECT_EQ(percpu_counter_sum(&b), 8);
	EXPECT_EQ(per_cpu(tally, 3), 14);
	EXPECT_EQ(*per_cpu_ptr(late, 3), 0);
	EXPECT_EQ(percpu_counter_batch(), 32);
	percpu_counter_destroy(&a);
	percpu_counter_destroy(&b);
	free_percpu(late);
	EXPECT_EQ(percpu_verify(NULL, NULL), 0);
}

TEST(percpu_sched, units_nobody_looks_at_are_not_touched)
{
	struct hosted_options few = { .cpus = 1, .quiet = true }, many = { .cpus = 1000, .quiet = true };
	u64 small, large;

	ASSERT(!hosted_boot_default(&few));
	small = hosted_resident_bytes();
	ASSERT(!hosted_boot_default(&many));
	large = hosted_resident_bytes();
	/* its base, its page caches and counters: less than a unit has */
	EXPECT((large - small) / 999 < PERCPU_ROOM);
	EXPECT(!percpu_is_ready(999));
}
