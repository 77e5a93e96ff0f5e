// SPDX-License-Identifier: MIT
/*
 * RCU with several CPUs: writers replace what readers and interrupts look at, under seeded interleavings and with real
 * threads. What a reader holds must not be given up before it ends.
 */
#include <setjmp.h>

#include <octavo/port.h>

#include "mm/sync/rcu.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 150
#else
#define SEEDS 30
#endif
#define CPUS 4
#define SLOTS 64

struct thing {
	struct rcu_head rcu;
	u32 alive; /* plain on purpose: the thread sanitizer sees who writes it too early */
	u32 taken; /* atomic */
};

static struct thing things[SLOTS];
static struct thing *shared;
static unsigned int seen_dead, run, rounds = 12;
static bool unsound;

static void give_up(struct rcu_head *head)
{
	struct thing *t = container_of(head, struct thing, rcu);

	t->alive = 0;
	__atomic_fetch_add(&run, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&t->taken, 0, __ATOMIC_RELEASE);
}

static struct thing *fresh(void)
{
	for (;;) {
		for (unsigned int i = 0; i < SLOTS; i++) {
			if (__atomic_exchange_n(&things[i].taken, 1, __ATOMIC_ACQUIRE))
				continue;
			things[i].alive = 1;
			return &things[i];
		}
		rcu_poll();
		port_cpu_relax();
	}
}

static void read_it(void *ctx)
{
	struct thing *t;

	(void)ctx;
	rcu_read_lock();
	t = rcu_dereference(shared);
	port_cpu_relax();
	if (!t->alive)
		__atomic_fetch_add(&seen_dead, 1, __ATOMIC_RELAXED);
	rcu_read_lock();
	port_cpu_relax();
	rcu_read_unlock();
	if (!t->alive)
		__atomic_fetch_add(&seen_dead, 1, __ATOMIC_RELAXED);
	rcu_read_unlock();
}

/* A grace period that does not wait: as if every CPU had been seen already. */
static void claim_all_were_seen(void)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		cpu_locals[cpu]->rcu_seen = rcu.started + 1;
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < rounds; i++) {
		struct thing *old;

		read_it(NULL);
		if (cpu == 3)
			continue;
		old = __atomic_exchange_n(&shared, fresh(), __ATOMIC_ACQ_REL);
		if (unsound)
			claim_all_were_seen();
		switch ((cpu + i) % 4) {
		case 0:
			synchronize_rcu();
			give_up(&old->rcu);
			break;
		case 1: {
			unsigned long state = start_poll_synchronize_rcu();

			while (!poll_state_synchronize_rcu(state)) {
				rcu_poll();
				port_cpu_relax();
			}
			give_up(&old->rcu);
			break;
		}
		case 2:
			call_rcu(&old->rcu, give_up);
			rcu_barrier();
			break;
		default:
			call_rcu(&old->rcu, give_up);
			rcu_poll();
		}
	}
}

static void setup(void *ctx)
{
	(void)ctx;
	memset(things, 0, sizeof(things));
	seen_dead = run = 0;
	shared = fresh();
}

static bool check(void *ctx)
{
	(void)ctx;
	rcu_barrier();
	return !seen_dead && run == 3 * rounds && !rcu_verify(NULL, NULL);
}

static const struct scenario scenario = {
	.cpus = CPUS, .setup = setup, .work = work, .interrupt = read_it, .one_in = 20, .check = check
};

TEST(rcu_sched, readers_keep_what_they_hold)
{
	scenario_test(&scenario, test_scaled(SEEDS));
}

TEST(rcu_sched, a_grace_period_that_does_not_wait_is_caught)
{
	struct scenario_result r;

	unsound = true;
	r = scenario_search(&scenario, test_seed, 100);
	unsound = false;
	EXPECT(!r.ok && !r.stuck);
	EXPECT(seen_dead > 0);
}

TEST(rcu_sched, without_cross_calls_readers_have_their_own_barrier)
{
	EXPECT_EQ(rcu.fenced, 1);
	rcu_read_lock();
	rcu_read_unlock();
	synchronize_rcu();
	EXPECT_EQ(rcu.fenced, 0);
}

TEST(rcu_sched, with_threads)
{
	struct hosted_options options = { .quiet = true };

	rounds = test_scaled(2000);
	ASSERT(!hosted_boot_default(&options));
	setup(NULL);
	ASSERT(!hosted_run_cpus(CPUS, work, NULL));
	EXPECT(check(NULL));
	rounds = 12;
}

/* ---- CPUs that leave ---- */

static struct rcu_head left[CPUS];

static void leave_one(unsigned int cpu, void *ctx)
{
	(void)ctx;
	call_rcu(&left[cpu], (rcu_callback_t)ctx);
}

static void count(struct rcu_head *head)
{
	(void)head;
	run++;
}

TEST(rcu_sched, a_cpu_that_leaves_hands_its_callbacks_on)
{
	run = 0;
	ASSERT(!hosted_cpu_start(1, leave_one, (void *)count));
	hosted_cpu_stop(1);
	EXPECT(rcu.orphans == &left[1]);
	EXPECT_EQ(rcu_verify(NULL, NULL), 0);
	ASSERT(!hosted_cpu_start(2, leave_one, (void *)count));
	hosted_cpu_stop(2);
	EXPECT_EQ(run, 0);
	rcu_barrier();
	EXPECT_EQ(run, 2);
	EXPECT(!rcu_reclaim());
}

/* ---- Waiting for oneself ---- */

static jmp_buf out;

static void leave_panic(const char *why)
{
	(void)why;
	longjmp(out, 1);
}

static void wait_inside(struct rcu_head *head)
{
	(void)head;
	rcu_barrier();
}

TEST(rcu_sched, waiting_for_oneself_is_reported)
{
	void (*hook)(const char *why) = hosted_panic_hook;
	struct rcu_head head;
	const char *said;

	hosted_panic_hook = leave_panic;
	test_capture_begin();
	rcu_read_lock();
	if (!setjmp(out))
		synchronize_rcu();
	rcu_read_unlock();
	if (!setjmp(out)) {
		call_rcu(&head, wait_inside);
		rcu_barrier();
	}
	said = test_capture_end();
	hosted_panic_hook = hook;
	EXPECT(strstr(said, "synchronize_rcu: called inside a reader, it would wait for itself"));
	EXPECT(strstr(said, "rcu_barrier: called from a callback, it would wait for itself"));
}
