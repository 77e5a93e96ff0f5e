// SPDX-License-Identifier: MIT
/* Boot parameters of the heap, each on a machine booted with it. */
#include <octavo/slab.h>

#include "harness.h"
#include "hosted.h"
#include "mm/slab/heap.h"

static bool boot(const char *cmdline, uint64_t seed)
{
	struct bootinfo info = *hosted_default_machine();

	info.cmdline = cmdline;
	return !hosted_boot(&info, &(struct hosted_options){ .quiet = true, .seed = seed });
}

/* How many of @n objects lie behind the one allocated before them. */
static unsigned int ascents(void **objs, unsigned int n)
{
	struct kmem_cache *cache = kmem_cache_create("order", 64, 0, SLAB_NO_MERGE, NULL);
	unsigned int up = 0;

	if (!cache)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		objs[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		up += i && objs[i] > objs[i - 1];
	}
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	kmem_cache_free_bulk(cache, n, objs);
	kmem_cache_destroy(cache);
	return up;
}

TEST(heap_params, slab_freelist_random)
{
	static void *first[48], *second[48], *third[48];
	const unsigned int n = ARRAY_SIZE(first);

	ASSERT(boot("", 7));
	if (!strcmp(backend_name, "slob"))
		SKIP("slob places objects by size, in no order to be shuffled");
	EXPECT(ascents(first, n) >= n - 4);
	ASSERT(boot("slab_freelist_random", 7));
	EXPECT(ascents(first, n) < n - 8);
	/* The machine's seed decides, and nothing else. */
	ASSERT(boot("slab_freelist_random=1", 7));
	(void)ascents(second, n);
	EXPECT(!memcmp(first, second, sizeof(first)));
	ASSERT(boot("slab_freelist_random=on", 8));
	(void)ascents(third, n);
	EXPECT(memcmp(first, third, sizeof(first)));
	ASSERT(boot("slab_freelist_random=0", 7));
	EXPECT(ascents(first, n) >= n - 4);
}

TEST(heap_params, slab_nomerge)
{
	struct kmem_cache *a, *b;

	ASSERT(boot("", 1));
	a = kmem_cache_create("one-of-two", 72, 0, 0, NULL);
	b = kmem_cache_create("two-of-two", 72, 0, 0, NULL);
	EXPECT(a && a == b);
	ASSERT(boot("slab_nomerge", 1));
	a = kmem_cache_create("one-of-two", 72, 0, 0, NULL);
	b = kmem_cache_create("two-of-two", 72, 0, 0, NULL);
	EXPECT(a && b && a != b);
	kmem_cache_destroy(a);
	kmem_cache_destroy(b);
}

TEST(heap_params, init_on_alloc_and_free)
{
	u8 *object;

	ASSERT(boot("init_on_alloc=1", 1));
	object = kmalloc(200, GFP_KERNEL);
	ASSERT(object);
	memset(object, 0x77, 200);
	kfree(object);
	object = kmalloc(200, GFP_KERNEL);
	for (unsigned int i = 0; i < 200; i++)
		ASSERT(!object[i]);
	kfree(object);

	ASSERT(boot("init_on_free=1", 1));
	object = kmalloc(200, GFP_KERNEL);
	ASSERT(object);
	memset(object, 0x77, 200);
	kfree(object);
	for (unsigned int i = 0; i < 200; i++)
		ASSERT(!object[i]);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}
