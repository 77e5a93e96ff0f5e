// SPDX-License-Identifier: MIT
/* Threads of the core's own in the hosted port, and what mm/sync/kthread.h makes of them. */
#include <octavo/gfp.h>
#include <octavo/task.h>

#include "harness.h"
#include "hosted.h"
#include "mm/sync/cpu.h"
#include "mm/sync/kthread.h"
#include "mm/sync/mutex.h"
#include "schedules.h"

static bool boot(bool threads)
{
	return !hosted_boot_default(&(struct hosted_options){ .quiet = true, .threads = threads });
}

/* ---- A thread that counts what it is given ---- */

static struct counter {
	struct kthread thread;
	struct wait_queue done;
	unsigned int wanted, counted;
	unsigned int began, ended;
	struct mm_task *task;
} c[4];

static bool work(void *arg)
{
	const struct counter *me = arg;

	return load_acquire(&me->wanted) != load_relaxed(&me->counted);
}

static void count(struct kthread *self, void *arg)
{
	struct counter *me = arg;

	me->began++;
	me->task = current_task();
	while (!kthread_should_stop(self)) {
		if (!kthread_sleep(self, work, 0))
			continue;
		while (work(me)) {
			store_release(&me->counted, me->counted + 1);
			wake_queue(&me->done);
			cond_resched();
		}
	}
	me->ended++;
}

static bool all_counted(void *arg)
{
	const struct counter *me = arg;

	return load_acquire(&me->counted) == load_relaxed(&me->wanted);
}

static void begin(void)
{
	memset(c, 0, sizeof(c));
	for (unsigned int i = 0; i < ARRAY_SIZE(c); i++)
		c[i].done = (struct wait_queue)WAIT_QUEUE_INIT;
}

TEST(thread, none_unless_asked_for)
{
	begin();
	ASSERT(boot(false));
	EXPECT_EQ(kthread_start(&c[0].thread, count, &c[0], "count", NUMA_NO_NODE), -ENOSYS);
	EXPECT(!kthread_runs(&c[0].thread));
	kthread_stop(&c[0].thread);
	EXPECT_EQ(c[0].began, 0);
}

/* KT-I1: no wakeup is lost. KT-I2: it can be started once, and again when it has ended. */
TEST(thread, takes_turns_with_its_cpu)
{
	struct mm_task *self;

	begin();
	ASSERT(boot(true));
	self = current_task();
	ASSERT(!kthread_start(&c[0].thread, count, &c[0], "count", NUMA_NO_NODE));
	EXPECT_EQ(kthread_start(&c[0].thread, count, &c[0], "count", NUMA_NO_NODE), -EBUSY);
	EXPECT_EQ(c[0].began, 0); /* not before its turn */
	hosted_threads_settle();
	EXPECT_EQ(c[0].began, 1);
	ASSERT(c[0].task && c[0].task != self);
	EXPECT(c[0].task->flags & PF_KTHREAD);
	EXPECT_STREQ(c[0].task->comm, "count");
	EXPECT(current_task() == self);
	for (unsigned int i = 1; i < 100; i++) {
		store_release(&c[0].wanted, i * 3);
		kthread_wake(&c[0].thread);
		EXPECT(wait_queue_wait(&c[0].done, all_counted, &c[0], 0, false));
	}
	EXPECT_EQ(c[0].counted, 297);
	kthread_stop(&c[0].thread);
	EXPECT_EQ(c[0].ended, 1);
	EXPECT(!kthread_runs(&c[0].thread));
	EXPECT(!c[0].done.first && !c[0].done.waiting);
	/* Its place is there for the next. */
	for (unsigned int i = 0; i < 200; i++) {
		ASSERT(!kthread_start(&c[1].thread, count, &c[1], "again", NUMA_NO_NODE));
		kthread_stop(&c[1].thread);
	}
	EXPECT_EQ(c[1].ended, 200);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

TEST(thread, waits_end)
{
	struct wait_queue queue = WAIT_QUEUE_INIT;
	u64 at;

	ASSERT(boot(true));
	at = port_clock_ns();
	EXPECT(!wait_queue_wait(&queue, never, NULL, 3000000, false));
	EXPECT(port_clock_ns() - at >= 3000000);
	current_task()->fatal_signal = 1;
	EXPECT(!wait_queue_wait(&queue, never, NULL, 0, true));
	current_task()->fatal_signal = 0;
	EXPECT(!queue.first && !queue.waiting);
}

/* A thread that never sleeps does not keep the CPU: whoever spins for something has his turn. */
static unsigned int stop_spinning, spins;

static void spin(struct kthread *self, void *arg)
{
	(void)self;
	(void)arg;
	while (!load_acquire(&stop_spinning)) {
		store_relaxed(&spins, load_relaxed(&spins) + 1);
		port_cpu_relax();
	}
}

TEST(thread, spinning_lets_others_go_on)
{
	begin();
	stop_spinning = spins = 0;
	ASSERT(boot(true));
	ASSERT(!kthread_start(&c[0].thread, spin, NULL, "spin", NUMA_NO_NODE));
	while (load_acquire(&spins) < 1000)
		port_cpu_relax();
	store_release(&stop_spinning, 1);
	kthread_stop(&c[0].thread);
	EXPECT(spins >= 1000);
}

/* Left running when the machine goes: the next one has none of it. */
TEST(thread, ends_with_the_machine)
{
	for (unsigned int i = 0; i < 5; i++) {
		begin();
		ASSERT(boot(true));
		for (unsigned int k = 0; k < ARRAY_SIZE(c); k++)
			ASSERT(!kthread_start(&c[k].thread, count, &c[k], "count", (int)k % 2));
		hosted_threads_settle();
		EXPECT_EQ(c[3].began, 1);
		hosted_reset();
		EXPECT_EQ(c[3].ended, 0);
	}
}

/* ---- On several CPUs, with interrupts and a mutex ---- */

static struct mutex mutex;
static unsigned int guarded, interrupts, rounds;

static void locked_add(void)
{
	unsigned int was;

	mutex_lock(&mutex);
	was = load_relaxed(&guarded);
	cond_resched();
	store_relaxed(&guarded, was + 1);
	mutex_unlock(&mutex);
}

static void adder(struct kthread *self, void *arg)
{
	struct counter *me = arg;

	while (!kthread_should_stop(self)) {
		struct page *page = alloc_pages(GFP_KERNEL, 0);

		locked_add();
		me->counted++;
		if (page)
			__free_pages(page, 0);
		cond_resched();
	}
	me->ended++;
}

static void interrupt(void *arg)
{
	(void)arg;
	atomic_fetch_add(&interrupts, 1);
}

static unsigned int expected;

static void cpus_work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	if (kthread_start(&c[cpu].thread, adder, &c[cpu], "adder", this_cpu()->node))
		return;
	for (unsigned int i = 0; i < rounds || load_relaxed(&c[cpu].counted) < 3; i++) {
		locked_add();
		if (i % 4 == 0)
			(void)hosted_interrupt((cpu + 1) % 3, interrupt, NULL);
		if (i % 16 == 0)
			(void)port_cpu_call(PORT_CPU_OTHERS, interrupt, NULL);
		atomic_fetch_add(&expected, 1);
	}
	kthread_stop(&c[cpu].thread);
	atomic_fetch_add(&expected, c[cpu].counted);
}

static void cpus_setup(void *ctx)
{
	(void)ctx;
	begin();
	spin_lock_init(&mutex.wait_lock, LOCK_RANK_MUTEX_WAIT);
	guarded = interrupts = expected = 0;
}

static bool cpus_check(void *ctx)
{
	(void)ctx;
	return guarded == expected && c[0].ended == 1 && c[1].ended == 1 && c[2].ended == 1 && interrupts;
}

static const struct scenario cpus_scenario = { .cpus = 3, .setup = cpus_setup, .work = cpus_work,
					       .check = cpus_check, .threads = true };

TEST(thread, several_cpus_interleaved)
{
	rounds = 8;
	scenario_test(&cpus_scenario, test_scaled(20));
}

TEST(thread, several_cpus)
{
	rounds = 300;
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT(boot(true));
		cpus_setup(NULL);
		EXPECT_EQ(hosted_run_cpus(3, cpus_work, NULL), 0);
		EXPECT(cpus_check(NULL));
	}
}
