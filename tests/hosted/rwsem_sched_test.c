// SPDX-License-Identifier: MIT
/* rw_semaphores between CPUs: under seeded interleavings, and with real threads. */
#include <octavo/preempt.h>
#include <octavo/rwsem.h>
#include <octavo/task.h>

#include "mm/sync/atomic.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 300
#else
#define SEEDS 60
#endif
#define CPUS 4

static struct rw_semaphore sem;
static unsigned int readers, writers, wrong, rounds, killed;
static unsigned long counter, written; /* plain on purpose: the thread sanitizer sees who is not alone */
static struct mm_task tasks[CPUS];

static void setup(void *ctx)
{
	(void)ctx;
	init_rwsem(&sem);
	readers = writers = wrong = killed = 0;
	counter = written = 0;
	for (unsigned int i = 0; i < CPUS; i++)
		tasks[i] = (struct mm_task){ .process = current_task()->process };
}

static void as_reader(void)
{
	atomic_fetch_add(&readers, 1);
	if (load_acquire(&writers))
		atomic_fetch_add(&wrong, 1);
	(void)*(volatile unsigned long *)&counter;
	atomic_fetch_sub(&readers, 1);
}

static void as_writer(void)
{
	if (atomic_fetch_add(&writers, 1) || load_acquire(&readers)) /* RW-I1 */
		atomic_fetch_add(&wrong, 1);
	counter++;
	atomic_fetch_sub(&writers, 1);
	atomic_fetch_add(&written, 1);
}

static void one(unsigned int what)
{
	switch (what) {
	case 0:
		down_write(&sem);
		as_writer();
		up_write(&sem);
		return;
	case 1:
		down_write(&sem);
		as_writer();
		downgrade_write(&sem);
		as_reader();
		up_read(&sem);
		return;
	case 2:
		if (down_write_trylock(&sem)) {
			as_writer();
			up_write(&sem);
		}
		return;
	case 3:
		if (down_write_killable(&sem)) {
			atomic_fetch_add(&killed, 1);
			return;
		}
		as_writer();
		up_write(&sem);
		return;
	case 4:
		if (down_read_killable(&sem)) {
			atomic_fetch_add(&killed, 1);
			return;
		}
		as_reader();
		up_read(&sem);
		return;
	case 5:
		if (down_read_trylock(&sem)) {
			as_reader();
			up_read(&sem);
		}
		return;
	default:
		down_read(&sem);
		as_reader();
		up_read(&sem);
	}
}

/* The last CPU's thread has been killed from the beginning; the others are not. */
static void work(unsigned int cpu, void *ctx)
{
	u64 state = test_seed + cpu * 77 + 1;
	struct mm_task *before;

	(void)ctx;
	preempt_disable();
	before = current_task();
	octavo_switch_task(&tasks[cpu]);
	preempt_enable();
	tasks[cpu].fatal_signal = cpu == CPUS - 1;
	for (unsigned int i = 0; i < rounds; i++)
		one((unsigned int)(test_random(&state) % 8));
	preempt_disable();
	octavo_switch_task(before);
	preempt_enable();
}

static bool sound(void *ctx)
{
	(void)ctx;
	/* RW-I2, RW-I4: nobody is left over, and the word says so. */
	return !wrong && !sem.count && !sem.first && !sem.last && counter == written;
}

TEST(rwsem_sched, random_holders)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = work, .check = sound };

	rounds = 8;
	scenario_test(&s, test_scaled(SEEDS));
}

TEST(rwsem_sched, with_threads)
{
	rounds = test_scaled(4000);
	setup(NULL);
	EXPECT_EQ(hosted_run_cpus(CPUS, work, NULL), 0);
	EXPECT(sound(NULL));
}

/* ---- Order ---- */

static unsigned int order[CPUS], served;
static struct rwsem_waiter *second; /* in the queue */
static unsigned int arrived;

/* CPU 0 holds it until 1, 2 and 3 stand in line, each of whom waits for the one before to be there. */
static void in_line(unsigned int cpu, void *ctx)
{
	(void)ctx;
	if (!cpu) {
		down_write(&sem);
		store_release(&arrived, 1);
		while (load_acquire(&arrived) != CPUS || load_acquire(&sem.last) == second)
			port_cpu_relax();
		up_write(&sem);
		return;
	}
	while (load_acquire(&arrived) != cpu || (cpu == 2 && !load_acquire(&sem.first)) ||
	       (cpu == 3 && load_acquire(&sem.first) == load_acquire(&sem.last)))
		port_cpu_relax();
	second = sem.last;
	store_release(&arrived, cpu + 1);
	if (cpu == 2)
		down_write(&sem);
	else
		down_read(&sem);
	order[atomic_fetch_add(&served, 1)] = cpu;
	if (cpu == 2)
		up_write(&sem);
	else
		up_read(&sem);
}

static void setup_line(void *ctx)
{
	setup(ctx);
	served = arrived = 0;
}

static bool in_order(void *ctx)
{
	return sound(ctx) && served == 3 && order[0] == 1 && order[1] == 2 && order[2] == 3;
}

/* RW-I3: a reader, a writer and a reader behind a writer. */
TEST(rwsem_sched, in_the_order_of_arrival)
{
	struct scenario s = { .cpus = CPUS, .setup = setup_line, .work = in_line, .check = in_order,
			      .max_steps = 10000000 };
	struct scenario_result r = scenario_search(&s, test_seed, 5);

	EXPECT(r.ok);
}
