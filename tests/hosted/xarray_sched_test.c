// SPDX-License-Identifier: MIT
/*
 * Readers of an xarray beside its writer, under seeded interleavings and with threads (XA-I5): what stays is always
 * found, by load and by search, and what is found at an index was stored there.
 */
#include "hosted.h"
#include "mm/cache/xarray_node.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 40
#else
#define SEEDS 15
#endif
#define CPUS 3
#define SPAN 300ul
#define FAR (1ul << 20)
#define STAYS 130ul /* the index of one entry that stays, among those that come and go */

static struct xarray xa;
static u32 things[SPAN], staying;
static unsigned int rounds = 400, errors, stopped;
static u64 chance;

static void fail(void)
{
	atomic_fetch_add(&errors, 1);
}

static void write_it(void)
{
	for (unsigned int i = 0; i < rounds; i++) {
		u64 r = test_random(&chance);
		unsigned long at = (unsigned long)(r >> 8) % SPAN, flags;
		unsigned int order = r & 1 ? 0 : (unsigned int)(r >> 40) % 7;
		unsigned long first = at & ~((1ul << order) - 1), last = at | ((1ul << order) - 1);

		if (r >> 2 & 1) { /* so that the top comes and goes, too */
			if (xa_erase(&xa, FAR) == NULL && xa_store_order(&xa, FAR, 0, &things[at], GFP_KERNEL))
				fail();
		} else if (r >> 1 & 1 && at != STAYS) {
			xa_erase(&xa, at);
		} else if (STAYS < first || STAYS > last) {
			if (xa_store_order(&xa, at, order, &things[at], GFP_KERNEL))
				fail();
		} else if (xa_store_order(&xa, STAYS, 0, &staying, GFP_KERNEL)) {
			fail();
		}
		flags = xa_lock_irqsave(&xa);
		if (r >> 5 & 1)
			__xa_set_tag(&xa, STAYS, 1);
		__xa_set_tag(&xa, at, 0);
		xa_unlock_irqrestore(&xa, flags);
		rcu_poll();
	}
	store_release(&stopped, 1);
}

static void read_it(u64 *r)
{
	unsigned long at = (unsigned long)test_random(r) % STAYS, from = at, found;
	void *entry;

	rcu_read_lock();
	if (xa_load(&xa, STAYS) != &staying)
		fail();
	for (;;) { /* a walk over all of it comes past the one that stays */
		entry = xa_find(&xa, &from, STAYS);
		if (entry == &staying || !entry)
			break;
		if ((u32 *)entry < things || (u32 *)entry >= things + SPAN)
			fail();
		from = max(from, at) + 1;
		at = from;
	}
	if (!entry || from != STAYS)
		fail();
	found = (unsigned long)test_random(r) % SPAN;
	entry = xa_load(&xa, found);
	if (entry && entry != &staying) {
		unsigned long of = (unsigned long)((u32 *)entry - things);

		if (of >> 6 != found >> 6) /* 6 is the greatest order there is */
			fail();
	}
	(void)xa_find_tagged(&xa, &found, ~0ul, 0);
	rcu_read_unlock();
}

static void interrupt(void *ctx)
{
	u64 r = 5;

	(void)ctx;
	read_it(&r);
}

static void work(unsigned int cpu, void *ctx)
{
	u64 r = cpu;

	(void)ctx;
	if (!cpu) {
		write_it();
		return;
	}
	while (!load_acquire(&stopped)) {
		read_it(&r);
		port_cpu_relax();
	}
}

static void setup(void *ctx)
{
	(void)ctx;
	errors = stopped = 0;
	chance = test_seed;
	xa_init(&xa);
	if (xa_store_order(&xa, STAYS, 0, &staying, GFP_KERNEL))
		fail();
}

static bool check(void *ctx)
{
	bool good = !errors && !xa_verify(&xa, NULL, NULL);

	(void)ctx;
	xa_destroy(&xa);
	rcu_barrier();
	return good;
}

static const struct scenario scenario = {
	.cpus = CPUS, .setup = setup, .work = work, .interrupt = interrupt, .one_in = 50, .check = check
};

TEST(xarray_sched, readers_beside_the_writer)
{
	scenario_test(&scenario, test_scaled(SEEDS));
}

TEST(xarray_sched, with_threads)
{
	struct hosted_options options = { .quiet = true };

	rounds = test_scaled(20000);
	ASSERT(!hosted_boot_default(&options));
	setup(NULL);
	ASSERT(!hosted_run_cpus(CPUS, work, NULL));
	EXPECT(check(NULL));
	rounds = 400;
}
