// SPDX-License-Identifier: MIT
/* kmem_cache_alloc_bulk() and kmem_cache_free_bulk(). */
#include <octavo/gfp.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "heap_model.h"
#include "mm/phys/zone.h"

static struct heapbook book;
static struct heapbook *const books[] = { &book };

TEST(kmem_bulk, counts_of_every_kind)
{
	static const unsigned int counts[] = { 0, 1, 2, 15, 16, 17, 63, 64, 65, 128, 200, 256 };

	heapbook_init(&book, 0);
	heap_census_begin();
	for (unsigned int shape = 0; shape < HEAP_SHAPES; shape++) {
		struct kmem_cache *cache = heap_shape_create(&heap_shapes[shape]);
		unsigned int wanted = 0;

		ASSERT(cache);
		for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
			if (heap_shapes[shape].size > 4096 && counts[i] > 20)
				break;
			EXPECT_EQ(heapbook_bulk(&book, cache, heap_shapes[shape].size, GFP_KERNEL | __GFP_ZERO,
						counts[i]), counts[i] != 0);
			wanted += counts[i];
		}
		EXPECT_EQ(book.nr, wanted);
		for (unsigned int i = 0; book.nr; i++)
			heapbook_free_bulk(&book, 0, counts[i % ARRAY_SIZE(counts)], cache);
		kmem_cache_destroy(cache);
	}
	EXPECT_STREQ(heap_census_end(books, 1) ?: "", "");
}

TEST(kmem_bulk, thousands_at_once)
{
	static void *objects[5000];
	struct kmem_cache *cache = kmem_cache_create("thousands", 48, 0, SLAB_NO_MERGE, NULL);

	ASSERT(cache);
	for (int round = 0; round < 3; round++) {
		ASSERT(kmem_cache_alloc_bulk(cache, GFP_KERNEL, ARRAY_SIZE(objects), objects) == ARRAY_SIZE(objects));
		for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
			*(unsigned int *)objects[i] = i;
		for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
			EXPECT_EQ(*(unsigned int *)objects[i], i);
		kmem_cache_free_bulk(cache, ARRAY_SIZE(objects), objects);
	}
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	kmem_cache_destroy(cache);
	memset(objects, 0, sizeof(objects)); /* no references for kmemleak */
}

/* NULL for the cache: objects of several, whole pages too, and NULLs between them. */
TEST(kmem_bulk, objects_of_any_cache)
{
	struct kmem_cache *cache;
	void *objects[60];

	heapbook_init(&book, 0);
	heap_census_begin();
	cache = kmem_cache_create("some", 100, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = i % 5 == 0 ? kmem_cache_alloc(cache, GFP_KERNEL) :
			     i % 5 == 1 ? kmalloc(10 * i, GFP_KERNEL) :
			     i % 5 == 2 ? NULL :
			     i % 5 == 3 ? kmalloc(8193 + i, GFP_KERNEL) :
					  kmalloc(96, GFP_KERNEL | __GFP_RECLAIMABLE);
	kmem_cache_free_bulk(NULL, ARRAY_SIZE(objects), objects);
	kmem_cache_destroy(cache);
	EXPECT_STREQ(heap_census_end(books, 1) ?: "", "");
}

TEST(kmem_bulk, an_object_of_another_cache_is_reported_and_the_others_are_freed)
{
	struct kmem_cache *a = kmem_cache_create("bulk-a", 100, 0, SLAB_NO_MERGE, NULL);
	struct kmem_cache *b = kmem_cache_create("bulk-b", 100, 0, SLAB_NO_MERGE, NULL);
	unsigned long errors = heap_errors();
	void *objects[10], *stranger;

	ASSERT(a && b);
	ASSERT(kmem_cache_alloc_bulk(a, GFP_KERNEL, 10, objects) == 10);
	kmem_cache_free(a, objects[4]);
	stranger = objects[4] = kmem_cache_alloc(b, GFP_KERNEL);
	ASSERT(stranger);
	test_capture_begin();
	kmem_cache_free_bulk(a, 10, objects);
	EXPECT(strstr(test_capture_end(), "bulk-a"));
	EXPECT_EQ(heap_errors(), errors + 1);
	EXPECT_EQ(kmem_cache_shrink(a), 0);
	EXPECT_EQ(kmem_cache_shrink(b), 1);
	kmem_cache_free(b, stranger);
	EXPECT_EQ(kmem_cache_shrink(b), 0);
	kmem_cache_destroy(a);
	kmem_cache_destroy(b);
}

/* All or nothing: what cannot be had in full leaves nothing behind. */
TEST(kmem_bulk, no_memory_for_all_means_none)
{
	static void *objects[4096];
	struct kmem_cache *cache;
	unsigned int large = 0;
	int got;

	heapbook_init(&book, 0);
	heap_census_begin();
	cache = kmem_cache_create("exhausting", 8192, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	if (nr_free_pages() > 300000)
		SKIP("the machine has more memory than this test can use up");
	while (large < 1500 && heapbook_kmalloc(&book, KMALLOC_MAX_SIZE, GFP_NOWAIT | __GFP_NOWARN, NUMA_NO_NODE))
		large++;
	got = kmem_cache_alloc_bulk(cache, GFP_NOWAIT | __GFP_NOWARN, ARRAY_SIZE(objects), objects);
	if (got == ARRAY_SIZE(objects))
		kmem_cache_free_bulk(cache, ARRAY_SIZE(objects), objects);
	else
		EXPECT_EQ(got, 0);
	memset(objects, 0, sizeof(objects));
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	kmem_cache_destroy(cache);
	EXPECT_STREQ(heap_census_end(books, 1) ?: "", "");
}
