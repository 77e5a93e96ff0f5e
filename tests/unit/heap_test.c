// SPDX-License-Identifier: MIT
/* The heap at first sight: sizes, disjointness, contents, and that it all comes back. */
#include <octavo/page.h>
#include <octavo/rcupdate.h>
#include <octavo/slab.h>

#include "harness.h"
#include "mm/slab/heap.h"

static void say(void *ctx, const char *line)
{
	(void)ctx;
	test_fail(__FILE__, __LINE__, "%s", line);
}

static void *kept[4000];

static void fill(void *p, size_t size, unsigned int i)
{
	memset(p, (int)(i * 7 + 3) & 0xff, size);
}

TEST(heap, many_of_each_size)
{
	static const unsigned int sizes[] = { 1, 8, 24, 64, 96, 100, 192, 200, 512, 1000, 2048, 4096, 8192, 20000 };

	for (unsigned int s = 0; s < ARRAY_SIZE(sizes); s++) {
		unsigned int n = sizes[s] > 4096 ? 50 : sizes[s] > 512 ? 400 : ARRAY_SIZE(kept);
		u64 state = test_seed + s;

		for (unsigned int i = 0; i < n; i++) {
			kept[i] = kmalloc(sizes[s], GFP_KERNEL);
			ASSERT(kept[i]);
			EXPECT((uintptr_t)kept[i] % 8 == 0);
			EXPECT(ksize(kept[i]) >= sizes[s]);
			fill(kept[i], sizes[s], i);
		}
		EXPECT_EQ(heap_verify(say, NULL), 0);
		for (unsigned int i = 0; i < n; i++) {
			unsigned int j = (unsigned int)(test_random(&state) % n);
			void *t = kept[i];

			kept[i] = kept[j];
			kept[j] = t;
		}
		for (unsigned int i = 0; i < n; i++) {
			kfree(kept[i]);
			kept[i] = NULL; /* no reference for kmemleak */
		}
		EXPECT_EQ(heap_verify(say, NULL), 0);
	}
	EXPECT_EQ(heap_errors(), 0);
}

/* SLAB_TYPESAFE_BY_RCU: the page of a freed object stays the cache's as long as a reader may look at it. */
TEST(heap, typesafe_slabs_wait_for_readers)
{
	struct kmem_cache *cache = kmem_cache_create("typesafe", 512, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	struct page *page;
	void *object;

	ASSERT(cache);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(object);
	page = virt_to_page(object);
	rcu_read_lock();
	kmem_cache_free(cache, object);
	kmem_cache_shrink(cache);
	rcu_poll();
	EXPECT(PageSlab(page));
	rcu_read_unlock();
	rcu_barrier();
	EXPECT(!PageSlab(page));
	kmem_cache_destroy(cache);
}

/* kmem_cache_destroy() waits for what kfree_rcu() was given. */
TEST(heap, destroy_waits_for_freed_objects)
{
	struct node {
		struct rcu_head rcu;
		int value;
	} *node;
	struct kmem_cache *cache = kmem_cache_create("later", sizeof(*node), 0, SLAB_NO_MERGE, NULL);
	unsigned long errors = heap_errors();

	ASSERT(cache);
	node = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(node);
	kfree_rcu(node, rcu);
	kmem_cache_destroy(cache);
	EXPECT_EQ(heap_errors(), errors);
}

/* More caches than the CPUs' tables have room for, and a debugged one: all work, and give back under pressure. */
TEST(heap, caches_without_a_slot_are_reclaimed_too)
{
	static struct kmem_cache *caches[520] __memsys;
	const unsigned int nr = heap.caches_max + 3;
	struct kmem_cache *debugged;

	ASSERT(nr <= ARRAY_SIZE(caches));
	for (unsigned int i = 0; i < nr; i++) {
		char name[16];

		octavo_snprintf(name, sizeof(name), "many-%u", i);
		caches[i] = kmem_cache_create(name, 300, 0, SLAB_NO_MERGE, NULL);
		ASSERT(caches[i]);
	}
	EXPECT(!caches[nr - 1]->slot);
	debugged = kmem_cache_create("checked", 300, 0, SLAB_RED_ZONE, NULL);
	ASSERT(debugged);
	for (unsigned int i = 0; i < 4; i++) {
		struct kmem_cache *cache = i < 3 ? caches[nr - 1 - i] : debugged;
		void *objects[100];

		ASSERT(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 100, objects) == 100);
		kfree(objects[0]);
		kmem_cache_free(cache, objects[1]);
		kmem_cache_free_bulk(cache, 49, objects + 2);
		kmem_cache_free_bulk(NULL, 49, objects + 51);
	}
	for (u32 nid = 0; nid < heap.nodes; nid++)
		while (heap_reclaim((int)nid, ~0ul))
			;
	for (unsigned int i = 0; i < 4; i++) {
		struct backend_counts counts = { 0 };

		backend_count(i < 3 ? caches[nr - 1 - i] : debugged, NUMA_NO_NODE, &counts);
		EXPECT_EQ(counts.slabs, 0);
	}
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	kmem_cache_destroy(debugged);
	for (unsigned int i = 0; i < nr; i++)
		kmem_cache_destroy(caches[i]);
}

/* A cache that could not be destroyed gives back what is freed of it later. */
TEST(heap, what_is_left_of_a_destroyed_cache_is_reclaimed)
{
	struct kmem_cache *cache = kmem_cache_create("left", 300, 0, SLAB_NO_MERGE, NULL);
	struct backend_counts counts = { 0 };
	void *objects[100];

	ASSERT(cache && kmem_cache_alloc_bulk(cache, GFP_KERNEL, 100, objects) == 100);
	test_capture_begin();
	kmem_cache_destroy(cache);
	EXPECT(strstr(test_capture_end(), "still has objects"));
	for (unsigned int i = 0; i < 100; i++)
		kfree(objects[i]);
	for (u32 nid = 0; nid < heap.nodes; nid++)
		while (heap_reclaim((int)nid, ~0ul))
			;
	backend_count(cache, NUMA_NO_NODE, &counts);
	EXPECT_EQ(counts.slabs, 0);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}
