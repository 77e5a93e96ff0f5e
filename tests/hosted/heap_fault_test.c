// SPDX-License-Identifier: MIT
/* Every operation of the heap with each of its page allocations failing in turn: nothing is lost. */
#include <octavo/gfp.h>
#include <octavo/slab.h>

#include "fault.h"
#include "heap_model.h"

#define QUIET (GFP_KERNEL | __GFP_NOWARN)

static struct heapbook book;
static struct heapbook *const books[] = { &book };
static struct kmem_cache *cache;

static void check(void *ctx)
{
	const char *why = heap_census_end(books, 1);

	if (why)
		test_fail(__FILE__, __LINE__, "%s: %s", (const char *)ctx, why);
}

/* What the heap keeps at hand would hide the page allocations. */
static void begin(void)
{
	heapbook_init(&book, 0);
	heap_shrink_all();
}

static bool create_use_destroy(void *ctx)
{
	const struct heap_shape *shape;
	unsigned int made = 0;

	(void)ctx;
	begin();
	test_capture_begin(); /* kmem_cache_create() says that it failed */
	for (shape = heap_shapes; shape < heap_shapes + HEAP_SHAPES; shape++) {
		struct kmem_cache *c = heap_shape_create(shape);

		if (!c)
			continue;
		made += heapbook_cache(&book, c, shape->size, QUIET, NUMA_NO_NODE);
		heapbook_free_all(&book);
		kmem_cache_destroy(c);
	}
	test_capture_end();
	return made == HEAP_SHAPES;
}

static bool cache_single(void *ctx)
{
	unsigned int got = 0;

	(void)ctx;
	begin();
	for (unsigned int i = 0; i < 100; i++)
		got += heapbook_cache(&book, cache, 600, QUIET, (int)(i % 3) - 1);
	heapbook_free_all(&book);
	return got == 100;
}

static bool cache_bulk(void *ctx)
{
	bool ok;

	(void)ctx;
	begin();
	ok = heapbook_bulk(&book, cache, 600, QUIET, 150);
	if (!ok && book.nr)
		test_fail(__FILE__, __LINE__, "kmem_cache_alloc_bulk() failed and kept %u objects", book.nr);
	heapbook_free_bulk(&book, 0, 256, cache);
	return ok;
}

static bool all_kmallocs(void *ctx)
{
	unsigned int got = 0;

	(void)ctx;
	begin();
	for (size_t size = 1; size <= 65536; size *= 2)
		got += heapbook_kmalloc(&book, size, QUIET | (size & 0x5555 ? 0 : __GFP_ZERO), NUMA_NO_NODE);
	got += heapbook_kmalloc(&book, 96, QUIET | __GFP_RECLAIMABLE, NUMA_NO_NODE);
	got += heapbook_kmalloc(&book, 192, QUIET | __GFP_DMA, NUMA_NO_NODE);
	got += heapbook_kmalloc(&book, 192, QUIET, 1);
	heapbook_free_all(&book);
	return got == 20;
}

static bool grow_by_realloc(void *ctx)
{
	bool ok;

	(void)ctx;
	begin();
	ok = heapbook_kmalloc(&book, 10, QUIET, NUMA_NO_NODE);
	for (size_t size = 20; ok && size < 40000; size *= 3)
		ok = heapbook_realloc(&book, 0, size, QUIET);
	heapbook_free_all(&book);
	return ok;
}

static bool copies(void *ctx)
{
	bool ok;

	(void)ctx;
	begin();
	ok = heapbook_dup(&book, 40, true, QUIET);
	ok = heapbook_dup(&book, 20, false, QUIET) && ok;
	heapbook_free_all(&book);
	return ok;
}

TEST(heap_fault, every_operation)
{
	static const struct {
		const char *name;
		bool (*op)(void *ctx);
		unsigned int at_least;
	} operations[] = { { "create, use, destroy", create_use_destroy, HEAP_SHAPES / 2 },
			   { "kmem_cache_alloc", cache_single, 2 },
			   { "kmem_cache_alloc_bulk", cache_bulk, 2 },
			   { "kmalloc", all_kmallocs, 5 },
			   { "krealloc", grow_by_realloc, 3 },
			   { "kstrndup and kmemdup", copies, 1 } };

	cache = kmem_cache_create("faulty", 600, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	heap_census_begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(operations); i++) {
		unsigned int faults = fault_each(operations[i].op, check, (void *)operations[i].name);

		if (faults < operations[i].at_least)
			test_fail(__FILE__, __LINE__, "%s: only %u of its allocations failed", operations[i].name,
				  faults);
	}
	kmem_cache_destroy(cache);
}
