// SPDX-License-Identifier: MIT
/*
 * The slab back end under seeded interleavings: arrays so small that every few objects pass the shared array and the
 * lists, while the tunables change, slabs are looked at and free ones given back.
 */
#ifdef OCTAVO_HEAP_SLAB
#include <octavo/verify.h>

#include "mm/slab/slab_lists.h"
#include "schedules.h"

#ifdef OCTAVO_SCHED
#define SEEDS 60
#else
#define SEEDS 15
#endif

#define CPUS 3
#define HELD 40u

static struct kmem_cache *cache;
static u64 *held[CPUS][HELD];
static u64 *on_the_way[HELD];
static u64 chance[CPUS];

static void setup(void *ctx)
{
	(void)ctx;
	memset(held, 0, sizeof(held));
	memset(on_the_way, 0, sizeof(on_the_way));
	for (unsigned int i = 0; i < CPUS; i++)
		chance[i] = port_random() | 1;
	cache = kmem_cache_create("slab-sched", 400, 0, SLAB_NO_MERGE, NULL);
	mutex_lock(&heap.mutex);
	if (!cache || backend_tune(cache, 4, 2, 3))
		test_fail(__FILE__, __LINE__, "no cache to test");
	mutex_unlock(&heap.mutex);
}

/* An object in use carries its address; two owners would see each other's. */
static void release(u64 *object)
{
	if (object && object[1] != (uintptr_t)object)
		test_fail(__FILE__, __LINE__, "object %p is another's too", (void *)object);
	if (object)
		object[1] = 0;
	kmem_cache_free(cache, object);
}

static u64 *acquire(gfp_t gfp)
{
	u64 *object = kmem_cache_alloc(cache, gfp);

	if (object && object[1] == (uintptr_t)object)
		test_fail(__FILE__, __LINE__, "object %p is in use already", (void *)object);
	if (object)
		object[1] = (uintptr_t)object;
	return object;
}

/* Objects are also freed by CPUs that did not allocate them. */
static void churn(unsigned int cpu)
{
	u64 r = test_random(&chance[cpu]);
	u64 **at = &held[cpu][r % HELD];

	if ((r >> 32 & 7) == 0) {
		*at = atomic_xchg(&on_the_way[r >> 8 & 31], *at);
	} else if (*at) {
		release(*at);
		*at = NULL;
	} else {
		*at = acquire(GFP_KERNEL);
	}
}

static bool count_slab(struct slab *slab, void *ctx)
{
	*(unsigned int *)ctx += slab->cache == cache && page_slab(heap_page(slab->base)) == slab;
	return true;
}

static void meddle(unsigned int step)
{
	unsigned int seen = 0;

	switch (step % 3) {
	case 0:
		mutex_lock(&heap.mutex);
		if (backend_tune(cache, 2 + step % 3, 1 + step % 2, 1 + step % 4))
			test_fail(__FILE__, __LINE__, "the tunables do not change");
		mutex_unlock(&heap.mutex);
		break;
	case 1:
		backend_for_each_slab(cache, count_slab, &seen);
		break;
	default:
		kmem_cache_shrink(cache);
	}
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < 200; i++) {
		churn(cpu);
		if (!cpu && i % 5 == 0)
			meddle(i / 5);
	}
}

static void interrupt(void *ctx)
{
	(void)ctx;
	release(acquire(GFP_ATOMIC | __GFP_NOWARN));
}

static bool check(void *ctx)
{
	bool ok = heap_verify(NULL, NULL) == 0;

	(void)ctx;
	for (unsigned int i = 0; i < CPUS * HELD; i++)
		release(held[i / HELD][i % HELD]);
	for (unsigned int i = 0; i < HELD; i++)
		release(on_the_way[i]);
	ok &= heap_errors() == 0 && heap_verify(NULL, NULL) == 0 && kmem_cache_shrink(cache) == 0;
	kmem_cache_destroy(cache);
	return ok && mm_verify(NULL, NULL) == 0;
}

TEST(slab_backend_sched, tunables_walks_and_shrinking_during_churn)
{
	struct scenario s = { .cpus = CPUS, .setup = setup, .work = work, .check = check };

	scenario_test(&s, test_scaled(SEEDS));
}

TEST(slab_backend_sched, the_same_with_interrupts)
{
	struct scenario s = {
		.cpus = CPUS, .setup = setup, .work = work, .interrupt = interrupt, .one_in = 60, .check = check
	};

	scenario_test(&s, test_scaled(SEEDS));
}

#endif
