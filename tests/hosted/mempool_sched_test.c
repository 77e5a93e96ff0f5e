// SPDX-License-Identifier: MIT
/* Memory pools with several CPUs: everyone gets on although there is one element for all, in any interleaving. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/slab/mempool.h"
#include "mm/sync/atomic.h"
#include "schedules.h"

/* An allocator that never has memory once the pool is made, except that @luck times it does. */
static struct {
	mempool_t pool;
	u32 open;
	u32 luck;
	u32 made, destroyed;
	u32 holders, most;
	u32 rounds[8];
	u64 elements[64];
} world;

static void *hungry_alloc(gfp_t gfp, void *data)
{
	(void)gfp;
	(void)data;
	if (!load_relaxed(&world.open)) {
		u32 left = load_relaxed(&world.luck);

		if (!left || atomic_cmpxchg(&world.luck, left, left - 1) != left)
			return NULL;
	}
	return &world.elements[atomic_fetch_add(&world.made, 1u) % 64];
}

static void hungry_free(void *element, void *data)
{
	(void)element;
	(void)data;
	atomic_fetch_add(&world.destroyed, 1u);
}

static void setup_reserve(unsigned int nr, u32 luck)
{
	memset(&world, 0, sizeof(world));
	world.open = 1;
	EXPECT_EQ(mempool_init(&world.pool, (int)nr, hungry_alloc, hungry_free, NULL), 0);
	world.open = 0;
	world.luck = luck;
}

static void setup_one(void *ctx)
{
	(void)ctx;
	setup_reserve(1, 0);
}

static void hold_and_release(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < 12; i++) {
		void *element = mempool_alloc(&world.pool, GFP_KERNEL);
		u32 now = atomic_fetch_add(&world.holders, 1u) + 1;

		if (!element || now > load_relaxed(&world.most))
			store_relaxed(&world.most, element ? now : 99);
		port_cpu_relax();
		atomic_fetch_sub(&world.holders, 1u);
		mempool_free(element, &world.pool);
		world.rounds[cpu]++;
	}
}

static bool quiet_and_full(int nr)
{
	bool ok = world.pool.curr_nr == nr && !world.pool.first && !world.pool.last;

	mempool_exit(&world.pool);
	return ok && world.made == world.destroyed;
}

static bool check_one(void *ctx)
{
	bool ok = world.most == 1;

	(void)ctx;
	for (unsigned int i = 0; i < 4; i++)
		ok = ok && world.rounds[i] == 12;
	return quiet_and_full(1) && ok;
}

/* MP-I2, MP-I3: a reserve of one, no memory at all, four CPUs: nobody sleeps on, and it is never had twice. */
TEST(mempool_sched, one_element_for_four)
{
	static const struct scenario s = { 4, setup_one, hold_and_release, NULL, 0, check_one, NULL, 0x30000 };

	scenario_test(&s, test_scaled(300));
}

static void setup_lucky(void *ctx)
{
	(void)ctx;
	setup_reserve(2, 20);
}

static void atomic_user(void *ctx)
{
	void *element = mempool_alloc(&world.pool, GFP_ATOMIC);

	(void)ctx;
	if (element)
		mempool_free(element, &world.pool);
}

static bool check_lucky(void *ctx)
{
	bool ok = true;

	(void)ctx;
	for (unsigned int i = 0; i < 4; i++)
		ok = ok && world.rounds[i] == 12;
	return quiet_and_full(2) && ok;
}

/* Interrupts take elements away and give them back; now and then there is memory. */
TEST(mempool_sched, interrupts_and_luck)
{
	static const struct scenario s = { 4, setup_lucky, hold_and_release, atomic_user, 16, check_lucky, NULL, 0 };

	scenario_test(&s, test_scaled(300));
}

static void resize_or_hold(unsigned int cpu, void *ctx)
{
	static const int sizes[] = { 3, 1, 6, 2, 9, 1 };

	if (cpu > 1) {
		hold_and_release(cpu, ctx);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		if (mempool_resize(&world.pool, sizes[i] + (int)cpu))
			store_relaxed(&world.most, 99u);
}

static bool check_resized(void *ctx)
{
	bool ok = world.most < 99 && world.pool.min_nr >= 1 && world.pool.min_nr <= 2 &&
		  world.pool.curr_nr <= world.pool.min_nr && world.rounds[2] == 12 && world.rounds[3] == 12;
	int nr = world.pool.curr_nr;

	(void)ctx;
	return (mempool_exit(&world.pool), world.made == world.destroyed) && ok && nr >= 1;
}

/* MP-I1: two CPUs resize, two work. */
TEST(mempool_sched, resize_under_load)
{
	static const struct scenario s = { 4, setup_lucky, resize_or_hold, atomic_user, 32, check_resized, NULL, 0 };

	scenario_test(&s, test_scaled(300));
}

/* ---- First come, first served ---- */

static u32 order[4], served;

static unsigned int queue_length(void)
{
	unsigned int n = 0;

	for (const struct mempool_waiter *w = world.pool.first; w; w = w->next)
		n++;
	return n;
}

/* CPU 0 has the element until the others stand in line, one behind the other. */
static void queue_up(unsigned int cpu, void *ctx)
{
	void *element;

	(void)ctx;
	if (!cpu) {
		element = mempool_alloc_preallocated(&world.pool);
		store_release(&world.holders, 1u);
		while (queue_length() < 3)
			port_cpu_relax();
	} else {
		while (!load_acquire(&world.holders) || queue_length() != cpu - 1)
			port_cpu_relax();
		element = mempool_alloc(&world.pool, GFP_KERNEL);
		order[served++ & 3] = cpu;
	}
	mempool_free(element, &world.pool);
}

static void setup_queue(void *ctx)
{
	setup_one(ctx);
	served = 0;
}

static bool check_queue(void *ctx)
{
	(void)ctx;
	return quiet_and_full(1) && served == 3 && order[0] == 1 && order[1] == 2 && order[2] == 3;
}

/* MP-I2 */
TEST(mempool_sched, first_come_first_served)
{
	static const struct scenario s = { 4, setup_queue, queue_up, NULL, 0, check_queue, NULL, 0x30000 };

	scenario_test(&s, test_scaled(200));
}

TEST(mempool_sched, threads)
{
	setup_reserve(1, 0);
	EXPECT_EQ(hosted_run_cpus(4, hold_and_release, NULL), 0);
	EXPECT(quiet_and_full(1));
	setup_reserve(2, 100);
	EXPECT_EQ(hosted_run_cpus(4, hold_and_release, NULL), 0);
	EXPECT(quiet_and_full(2));
}
