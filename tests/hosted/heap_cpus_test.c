// SPDX-License-Identifier: MIT
/* Magazines of other CPUs on a port whose CPUs cannot call each other: their owners give them back. */
#include <octavo/gfp.h>
#include <octavo/port.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/slab/heap.h"

#define OBJECTS 40

static struct kmem_cache *cache;
static void *objects[OBJECTS];
static unsigned int turn;

/* The CPUs take turns: CPU 0 has the even ones. */
static void wait_for(unsigned int n)
{
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != n)
		port_cpu_relax();
}

static void next(void)
{
	__atomic_fetch_add(&turn, 1, __ATOMIC_ACQ_REL);
}

static void fill_magazine(void)
{
	EXPECT_EQ(kmem_cache_alloc_bulk(cache, GFP_KERNEL, OBJECTS, objects), OBJECTS);
	kmem_cache_free_bulk(cache, OBJECTS, objects);
}

static void begin(void)
{
	turn = 0;
	hosted_no_cpu_call = true;
	cache = kmem_cache_create("far", 200, 0, SLAB_NO_MERGE, NULL);
}

static void end(void)
{
	hosted_no_cpu_call = false;
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}

/* By the next allocation (@arg: free) all that CPU 1 held is back. */
static void asked(unsigned int cpu, void *arg)
{
	bool by_free = *(bool *)arg;
	void *one;

	if (cpu) {
		wait_for(1);
		one = kmem_cache_alloc(cache, GFP_KERNEL);
		fill_magazine();
		next();
		wait_for(3);
		if (by_free) {
			kmem_cache_free(cache, one);
			one = NULL;
		} else {
			kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
		}
		next();
		wait_for(5);
		kmem_cache_free(cache, one);
		next();
		return;
	}
	next();
	wait_for(2);
	kmem_cache_shrink(cache);
	next();
	wait_for(4);
	/* What it has now it took after it was asked: half a magazine, and the object it freed. */
	EXPECT(heap_in_magazines(cache, NUMA_NO_NODE) <= (unsigned int)cache->mag_batch + 1);
	if (by_free)
		EXPECT_EQ(heap_in_magazines(cache, NUMA_NO_NODE), 1);
	next();
	wait_for(6);
}

TEST(heap_cpus, who_cannot_be_called_drains_itself_at_its_next_step)
{
	for (int by_free = 0; by_free < 2; by_free++) {
		bool arg = by_free;

		begin();
		ASSERT(cache);
		if (cache->mag_limit) /* slob has none */
			EXPECT_EQ(hosted_run_cpus(2, asked, &arg), 0);
		kmem_cache_destroy(cache);
		end();
	}
}

/* Nobody uses a cache that is destroyed: nobody needs to be asked. */
static void destroyed(unsigned int cpu, void *arg)
{
	(void)arg;
	if (cpu) {
		wait_for(1);
		fill_magazine();
		next();
		wait_for(3);
		fill_magazine();
		next();
		return;
	}
	next();
	wait_for(2);
	kmem_cache_destroy(cache);
	cache = kmem_cache_create("next", 72, 0, SLAB_NO_MERGE, NULL);
	EXPECT(cache);
	next();
	wait_for(4);
}

TEST(heap_cpus, a_cache_is_destroyed_with_what_other_cpus_hold)
{
	unsigned long errors = heap_errors();

	begin();
	ASSERT(cache);
	EXPECT_EQ(hosted_run_cpus(2, destroyed, NULL), 0);
	EXPECT_EQ(heap_errors(), errors);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	for (u32 slot = 1; slot < heap.slots; slot++)
		for_each_possible_cpu(cpu) {
			struct cpu_cache *cc = heap_cpu_cache(cpu, slot);

			if (cc)
				EXPECT_EQ(cc->cache->slot + cc->node, slot);
		}
	kmem_cache_destroy(cache);
	end();
}
