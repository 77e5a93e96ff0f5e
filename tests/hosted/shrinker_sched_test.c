// SPDX-License-Identifier: MIT
/* Shrinkers that come and go while others are called: SH-I2, no callback runs once shrinker_free() has returned. */
#include <octavo/fault.h>
#include <octavo/port.h>
#include <octavo/shrinker.h>

#include "fault.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 150
#else
#define SEEDS 30
#endif

#define CPUS 3

struct place {
	unsigned int alive, calls; /* of the shrinker that is there */
	bool self;		   /* it frees itself */
};
static struct place places[CPUS];
static unsigned int late, total;

static void came_late(bool is)
{
	if (is)
		__atomic_add_fetch(&late, 1, __ATOMIC_RELAXED);
}

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct place *p = shrinker->private_data;

	(void)sc;
	came_late(!__atomic_load_n(&p->alive, __ATOMIC_RELAXED));
	port_cpu_relax();
	return 1000;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct place *p = shrinker->private_data;

	came_late(!__atomic_load_n(&p->alive, __ATOMIC_RELAXED));
	__atomic_add_fetch(&total, 1, __ATOMIC_RELAXED);
	if (p->self && !__atomic_fetch_add(&p->calls, 1, __ATOMIC_RELAXED)) {
		shrinker_free(shrinker);
		__atomic_store_n(&p->alive, 0, __ATOMIC_RELAXED);
		return SHRINK_STOP;
	}
	port_cpu_relax();
	came_late(!p->self && !__atomic_load_n(&p->alive, __ATOMIC_RELAXED));
	return sc->nr_to_scan;
}

static struct shrinker *put_up(struct place *p, bool self)
{
	struct shrinker *s = shrinker_alloc(0, "place%d", (int)(p - places));

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->private_data = p;
	p->calls = 0;
	p->self = self;
	__atomic_store_n(&p->alive, 1, __ATOMIC_RELAXED);
	shrinker_register(s);
	return s;
}

static void come_and_go(unsigned int cpu, void *ctx)
{
	struct place *p = &places[cpu];

	(void)ctx;
	for (int i = 0; i < 6; i++) {
		struct shrinker *s = put_up(p, false);

		(void)shrink_slab(GFP_KERNEL, (int)cpu % 2, NULL, i % 3);
		shrinker_free(s);
		__atomic_store_n(&p->alive, 0, __ATOMIC_RELAXED);
	}
}

static void setup(void *ctx)
{
	(void)ctx;
	memset(places, 0, sizeof(places));
	late = total = 0;
}

static bool check(void *ctx)
{
	(void)ctx;
	return !late && total;
}

TEST(shrinker_sched, come_and_go)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = come_and_go, .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

/* Everybody calls one that frees itself at its first call; nobody may be in it any more when it is free. */
static void self_setup(void *ctx)
{
	setup(ctx);
	(void)put_up(&places[0], true);
}

static void call_all(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (int i = 0; i < 3; i++)
		(void)shrink_slab(GFP_KERNEL, 0, NULL, (int)cpu % 2);
}

TEST(shrinker_sched, frees_itself_among_callers)
{
	struct scenario s = { .cpus = CPUS, .setup = self_setup, .work = call_all, .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

TEST(shrinker_sched, come_and_go_on_threads)
{
	setup(NULL);
	for (unsigned int i = 0; i < test_scaled(20); i++)
		EXPECT_EQ(hosted_run_cpus(CPUS, come_and_go, NULL), 0);
	EXPECT_EQ(late, 0);
	EXPECT(total);
}

static bool make_and_free(void *ctx)
{
	struct shrinker *s = shrinker_alloc(0, "fault");

	(void)ctx;
	if (s)
		shrinker_free(s);
	return s != NULL;
}

static void nothing_registered(void *ctx)
{
	(void)ctx;
	late = 0;
	(void)shrink_slab(GFP_KERNEL, 0, NULL, 0);
	EXPECT_EQ(late, 0);
}

TEST(shrinker_fault, alloc_fails_cleanly)
{
	EXPECT(fault_each_among(FAIL_NTH_ALL, make_and_free, nothing_registered, NULL) >= 1);
}
