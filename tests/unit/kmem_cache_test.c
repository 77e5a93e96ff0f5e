// SPDX-License-Identifier: MIT
/* Caches: creating, merging, names, alignment, constructors, bad arguments, shrinking, destroying. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "heap_model.h"
#include "mm/phys/zone.h"
#include "mm/slab/backend.h"

static struct heapbook book;
static struct heapbook *const books[] = { &book };

static void begin(void)
{
	heapbook_init(&book, 0);
	heap_census_begin();
}

static void end(void)
{
	EXPECT_STREQ(heap_census_end(books, 1) ?: "", "");
}

TEST(kmem_cache, objects_of_every_size_are_aligned_disjoint_and_return)
{
	begin();
	for (unsigned int size = 1; size <= 9000; size += size < 300 ? 1 : 211) {
		struct kmem_cache *cache = kmem_cache_create("each-size", size, 0, SLAB_NO_MERGE, NULL);

		ASSERT(cache);
		EXPECT_EQ(kmem_cache_size(cache), size);
		for (int i = 0; i < 20; i++)
			EXPECT(heapbook_cache(&book, cache, size, GFP_KERNEL, NUMA_NO_NODE));
		for (unsigned int i = 0; i < book.nr; i++)
			EXPECT_EQ((uintptr_t)book.entries[i].object % sizeof(u64), 0);
		heapbook_free_all(&book);
		kmem_cache_destroy(cache);
	}
	end();
}

TEST(kmem_cache, largest_objects)
{
	static const unsigned int sizes[] = { 16384, 20000, 32768 };

	begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kmem_cache *cache = kmem_cache_create("large", sizes[i], 0, 0, NULL);

		ASSERT(cache);
		EXPECT(heapbook_cache(&book, cache, sizes[i], GFP_KERNEL | __GFP_ZERO, NUMA_NO_NODE));
		EXPECT(heapbook_cache(&book, cache, sizes[i], GFP_KERNEL, NUMA_NO_NODE));
		heapbook_free_all(&book);
		kmem_cache_destroy(cache);
	}
	end();
}

TEST(kmem_cache, alignment_is_kept)
{
	begin();
	for (unsigned int align = 1; align <= PAGE_SIZE; align *= 2) {
		struct kmem_cache *cache = kmem_cache_create("aligned", 40, align, SLAB_NO_MERGE, NULL);

		ASSERT(cache);
		for (int i = 0; i < 70; i++)
			EXPECT(heapbook_cache(&book, cache, 40, GFP_KERNEL, NUMA_NO_NODE));
		for (unsigned int i = 0; i < book.nr; i++)
			EXPECT_EQ((uintptr_t)book.entries[i].object % align, 0);
		heapbook_free_all(&book);
		kmem_cache_destroy(cache);
	}
	end();
}

TEST(kmem_cache, hwcache_align_uses_the_least_part_of_a_line_that_holds_an_object)
{
	static const struct {
		unsigned int size, align;
	} want[] = { { 64, 64 }, { 100, 64 }, { 40, 64 }, { 32, 32 }, { 17, 32 }, { 16, 16 }, { 9, 16 } };

	begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++) {
		struct kmem_cache *cache = kmem_cache_create("lined", want[i].size, 0,
							     SLAB_HWCACHE_ALIGN | SLAB_NO_MERGE, NULL);
		void *objects[10];

		ASSERT(cache);
		ASSERT(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 10, objects) == 10);
		for (int k = 0; k < 10; k++)
			EXPECT_EQ((uintptr_t)objects[k] % want[i].align, 0);
		kmem_cache_free_bulk(cache, 10, objects);
		kmem_cache_destroy(cache);
	}
	end();
}

/* ---- Names and merging ---- */

TEST(kmem_cache, the_name_is_copied_and_must_be_new)
{
	char name[] = "volatile";
	struct kmem_cache *cache, *again;

	begin();
	cache = kmem_cache_create(name, 77, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	name[0] = 'V';
	EXPECT_STREQ(kmem_cache_name(cache), "volatile");
	test_capture_begin();
	again = kmem_cache_create("volatile", 99, 0, SLAB_NO_MERGE, NULL);
	EXPECT(strstr(test_capture_end(), "'volatile' already exists"));
	EXPECT(!again);
	kmem_cache_destroy(cache);
	again = kmem_cache_create("volatile", 99, 0, SLAB_NO_MERGE, NULL);
	EXPECT(again);
	kmem_cache_destroy(again);
	end();
}

/* Not with slab_nomerge; what else may not share is told apart one by one. */
TEST(kmem_cache, like_caches_merge)
{
	struct kmem_cache *first, *same, *smaller;

	begin();
	first = kmem_cache_create("merge-1", 1000, 0, 0, NULL);
	same = kmem_cache_create("merge-2", 1000, 0, 0, NULL);
	smaller = kmem_cache_create("merge-3", 996, 4, 0, NULL);
	ASSERT(first && same && smaller);
	EXPECT(first == same);
	EXPECT(first == smaller);
	EXPECT_STREQ(kmem_cache_name(same), "merge-1");
	kmem_cache_destroy(first);
	EXPECT(heapbook_cache(&book, same, 1000, GFP_KERNEL, NUMA_NO_NODE)); /* the others still have it */
	kmem_cache_destroy(smaller);
	heapbook_free_all(&book);
	kmem_cache_destroy(same);
	end();
}

TEST(kmem_cache, unlike_caches_do_not_merge)
{
	static const struct {
		unsigned int size;
		slab_flags_t flags;
		bool ctor;
		unsigned int usersize;
	} others[] = { { 1000, SLAB_NO_MERGE },	    { 1000, SLAB_RECLAIM_ACCOUNT }, { 1000, 0, true },
		       { 1100, 0 },		    { 1000, SLAB_TYPESAFE_BY_RCU }, { 1000, SLAB_CACHE_DMA },
		       { 1000, SLAB_ACCOUNT },	    { 1000, 0, false, 8 } };
	struct kmem_cache *first;

	begin();
	first = kmem_cache_create("alone-1", 1000, 0, 0, NULL);
	ASSERT(first);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		struct kmem_cache *other = kmem_cache_create_usercopy("alone-2", others[i].size, 0, others[i].flags, 0,
								      others[i].usersize,
								      others[i].ctor ? heapbook_ctor : NULL);

		EXPECT(other);
		if (other == first)
			test_fail(__FILE__, __LINE__, "merged with number %u", i);
		kmem_cache_destroy(other);
	}
	kmem_cache_destroy(first);
	end();
}

/* ---- Constructors and zeroing ---- */

static unsigned int constructions;

static void counting_ctor(void *object)
{
	constructions++;
	heapbook_ctor(object);
}

TEST(kmem_cache, a_constructor_runs_once_an_object)
{
	struct kmem_cache *cache = kmem_cache_create("constructed", 64, 0, 0, counting_ctor);
	unsigned int after_first = 0;
	void *objects[8];

	ASSERT(cache);
	constructions = 0;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++) {
			objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
			ASSERT(objects[i]);
			EXPECT_EQ(*(unsigned char *)objects[i], 0xc0);
		}
		if (!round)
			after_first = constructions;
		/* slob lets others have the memory of a free object. */
		EXPECT_EQ(constructions, strcmp(backend_name, "slob") ? after_first : 8 * (unsigned int)(round + 1));
		for (int i = 0; i < 8; i++)
			kmem_cache_free(cache, objects[i]);
	}
	EXPECT(constructions >= 8);
	kmem_cache_destroy(cache);
}

TEST(kmem_cache, zalloc_clears_what_was_there)
{
	struct kmem_cache *cache = kmem_cache_create("zeroed", 123, 0, SLAB_NO_MERGE, NULL);
	void *objects[50];

	ASSERT(cache);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 50; i++) {
			unsigned char *p = objects[i] = kmem_cache_zalloc(cache, GFP_KERNEL);
			unsigned int sum = 0;

			ASSERT(p);
			for (int k = 0; k < 123; k++)
				sum += p[k];
			EXPECT_EQ(sum, 0);
			memset(p, 0xff, 123);
		}
		kmem_cache_free_bulk(cache, 50, objects);
	}
	kmem_cache_destroy(cache);
}

/* From the slab and from the magazine. */
TEST(kmem_cache, zeroing_leaves_constructed_objects_as_they_are)
{
	struct kmem_cache *cache = kmem_cache_create("not-zeroed", 64, 0, 0, heapbook_ctor);
	void *objects[3];

	ASSERT(cache);
	for (int round = 0; round < 3; round++) {
		unsigned char *p = kmem_cache_zalloc(cache, GFP_KERNEL);

		ASSERT(p);
		EXPECT_EQ(*p, 0xc0);
		kmem_cache_free(cache, p);
		ASSERT(kmem_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_ZERO, 3, objects) == 3);
		for (int i = 0; i < 3; i++)
			EXPECT_EQ(*(unsigned char *)objects[i], 0xc0);
		kmem_cache_free_bulk(cache, 3, objects);
	}
	kmem_cache_destroy(cache);
}

/* ---- Arguments ---- */

TEST(kmem_cache, the_form_with_a_structure)
{
	struct kmem_cache_args args = { .align = 256, .ctor = heapbook_ctor };
	struct kmem_cache *cache = kmem_cache_create_args("by-args", 300, &args, SLAB_HWCACHE_ALIGN);
	void *object;

	ASSERT(cache);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT(object && (uintptr_t)object % 256 == 0);
	kmem_cache_free(cache, object);
	kmem_cache_destroy(cache);
	cache = kmem_cache_create_args("by-no-args", 300, NULL, 0);
	EXPECT(cache);
	kmem_cache_destroy(cache);
}

struct named_for {
	long a, b, c;
};

TEST(kmem_cache, named_for_a_structure)
{
	struct kmem_cache *cache = KMEM_CACHE(named_for, SLAB_NO_MERGE);

	ASSERT(cache);
	EXPECT_STREQ(kmem_cache_name(cache), "named_for");
	EXPECT_EQ(kmem_cache_size(cache), sizeof(struct named_for));
	kmem_cache_destroy(cache);
}

TEST(kmem_cache, bad_arguments_are_reported)
{
	static const struct {
		const char *name;
		unsigned int size;
		struct kmem_cache_args args;
		slab_flags_t flags;
		const char *report;
	} bad[] = {
		{ NULL, 10, { 0 }, 0, "without a name" },
		{ "", 10, { 0 }, 0, "without a name" },
		{ "zero", 0, { 0 }, 0, "(zero): 0 bytes" },
		{ "huge", 0x7fffffff, { 0 }, 0, "(huge): 2147483647 bytes" },
		{ "crooked", 10, { .align = 24 }, 0, "(crooked): alignment 24" },
		{ "wide", 10, { .align = 8192 }, 0, "(wide): alignment 8192" },
		{ "flagged", 10, { 0 }, 1u << 30, "(flagged): unknown flags 0x40000000" },
		{ "outside", 10, { .useroffset = 8, .usersize = 3 }, 0, "(outside): bytes 8 to 11" },
		{ "outside2", 10, { .useroffset = 0xfffffff0, .usersize = 9 }, 0, "(outside2): bytes" },
		{ "pointer", 64, { .use_freeptr_offset = true }, 0, "(pointer): a free pointer" },
		{ "pointer2", 64, { .use_freeptr_offset = true, .freeptr_offset = 62 }, SLAB_TYPESAFE_BY_RCU,
		  "(pointer2): a free pointer at 62" },
	};

	begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct kmem_cache *cache;
		const char *text;

		test_capture_begin();
		cache = __kmem_cache_create_args(bad[i].name, bad[i].size, &bad[i].args, bad[i].flags);
		text = test_capture_end();
		EXPECT(!cache);
		if (!strstr(text, bad[i].report))
			test_fail(__FILE__, __LINE__, "no \"%s\" in: %s", bad[i].report, text);
	}
	end();
}

TEST(kmem_cache, usercopy_bounds_that_fit_are_accepted)
{
	struct kmem_cache *cache = kmem_cache_create_usercopy("window", 64, 0, 0, 16, 48, NULL);

	ASSERT(cache);
	EXPECT_EQ(cache->useroffset, 16);
	EXPECT_EQ(cache->usersize, 48);
	kmem_cache_destroy(cache);
}

/* ---- Shrinking and destroying ---- */

TEST(kmem_cache, shrink_says_whether_anything_is_left)
{
	struct kmem_cache *cache;
	void *object;

	cache = kmem_cache_create("shrinks", 500, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(object);
	EXPECT_EQ(kmem_cache_shrink(cache), 1);
	kmem_cache_free(cache, object);
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	kmem_cache_destroy(cache);
}

/* After a burst all pages return, whatever was at hand in between. */
TEST(kmem_cache, a_burst_returns_to_nothing)
{
	struct kmem_cache *cache;

	begin();
	cache = kmem_cache_create("burst", 200, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4000; i++)
			EXPECT(heapbook_cache(&book, cache, 200, GFP_KERNEL, NUMA_NO_NODE));
		for (unsigned int i = 0; book.nr; i += 37)
			heapbook_free(&book, i % book.nr);
		EXPECT_EQ(kmem_cache_shrink(cache), 0);
	}
	kmem_cache_destroy(cache);
	end();
}

/* A few objects stay: the slabs they lie in may, and nothing else. */
TEST(kmem_cache, what_stays_after_a_burst_is_bounded_by_the_slabs_in_use)
{
	unsigned long before, full, half;
	struct kmem_cache *cache;

	begin();
	cache = kmem_cache_create("burst", 512, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	drain_all_pages(NULL);
	before = nr_free_pages();
	for (int i = 0; i < 3000; i++)
		EXPECT(heapbook_cache(&book, cache, 512, GFP_KERNEL, NUMA_NO_NODE));
	drain_all_pages(NULL);
	full = before - nr_free_pages();
	while (book.nr > 100) /* those that stay were allocated one after the other, and lie together */
		heapbook_free(&book, book.nr - 1);
	kmem_cache_shrink(cache);
	drain_all_pages(NULL);
	half = before - nr_free_pages();
	EXPECT(half < full / 8);
	heapbook_free_all(&book);
	kmem_cache_destroy(cache);
	end();
}

TEST(kmem_cache, destroy_reports_what_still_lives)
{
	struct kmem_cache *cache = kmem_cache_create("leaky", 100, 0, SLAB_NO_MERGE, NULL);
	unsigned long errors = heap_errors();
	void *object;
	const char *text;

	ASSERT(cache);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(object);
	test_capture_begin();
	kmem_cache_destroy(cache);
	text = test_capture_end();
	EXPECT(strstr(text, "leaky"));
	EXPECT(strstr(text, "kmem_cache_destroy"));
	EXPECT(heap_errors() > errors);
	memset(object, 1, 100); /* it is still there */
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(kmem_cache, null_and_destroyed_caches)
{
	kmem_cache_destroy(NULL);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}

/* ---- Objects of other caches ---- */

TEST(kmem_cache, an_object_of_another_cache_is_reported_and_stays)
{
	struct kmem_cache *a, *b;
	unsigned long errors = heap_errors();
	const char *text;

	begin();
	a = kmem_cache_create("mine", 100, 0, SLAB_NO_MERGE, NULL);
	b = kmem_cache_create("yours", 100, 0, SLAB_NO_MERGE, NULL);
	ASSERT(a && b);
	ASSERT(heapbook_cache(&book, a, 100, GFP_KERNEL, NUMA_NO_NODE));
	test_capture_begin();
	kmem_cache_free(b, book.entries[0].object);
	text = test_capture_end();
	EXPECT(strstr(text, "yours"));
	EXPECT_EQ(heap_errors(), errors + 1);
	EXPECT(heapbook_cache(&book, b, 100, GFP_KERNEL, NUMA_NO_NODE));
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	heap_census_begin();
	heapbook_free_all(&book);
	kmem_cache_destroy(a);
	kmem_cache_destroy(b);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}

/*
 * Of two frees of one object one is reported, at the latest when the CPU's objects go back to their slabs, whatever
 * state the slab is in: with free objects left in it or none, the CPU's or the node's.
 */
static void free_twice(unsigned int objects, bool shrink_before)
{
	struct kmem_cache *cache = kmem_cache_create("twice", 200, 0, SLAB_NO_MERGE, NULL);
	unsigned long errors = heap_errors();
	const char *text;
	void *victim;

	ASSERT(cache);
	heapbook_init(&book, 0);
	for (unsigned int i = 0; i < objects; i++)
		ASSERT(heapbook_cache(&book, cache, 200, GFP_KERNEL, NUMA_NO_NODE));
	victim = heapbook_take(&book, objects / 3).object;
	if (shrink_before)
		kmem_cache_shrink(cache);
	test_capture_begin();
	kmem_cache_free(cache, victim);
	kmem_cache_free(cache, victim);
	kmem_cache_shrink(cache);
	text = test_capture_end();
	EXPECT(strstr(text, "twice"));
	if (heap_errors() != errors + 1)
		test_fail(__FILE__, __LINE__, "%lu errors with %u objects", heap_errors() - errors, objects);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	heapbook_free_all(&book);
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	kmem_cache_destroy(cache);
}

TEST(kmem_cache, double_frees_are_reported_and_harmless)
{
	struct kmem_cache *cache = kmem_cache_create("probe", 200, 0, SLAB_NO_MERGE, NULL);
	unsigned int in_slab;

	ASSERT(cache);
	in_slab = max((unsigned int)cache->objects, 20u);
	kmem_cache_destroy(cache);
	for (int shrink_before = 0; shrink_before < 2; shrink_before++) {
		free_twice(2, shrink_before);
		free_twice(in_slab, shrink_before);
		free_twice(3 * in_slab + 5, shrink_before);
	}
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* The second free comes when the first is in the slab already. */
TEST(kmem_cache, a_free_of_an_object_that_is_free_in_its_slab_is_reported)
{
	struct kmem_cache *cache = kmem_cache_create("later", 200, 0, SLAB_NO_MERGE, NULL);
	unsigned long errors = heap_errors();
	void *victim, *other;

	ASSERT(cache);
	other = kmem_cache_alloc(cache, GFP_KERNEL);
	victim = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(victim && other);
	kmem_cache_free(cache, victim);
	kmem_cache_shrink(cache);
	EXPECT_EQ(heap_errors(), errors);
	test_capture_begin();
	kmem_cache_free(cache, victim);
	kmem_cache_shrink(cache);
	EXPECT(strstr(test_capture_end(), "later"));
	EXPECT_EQ(heap_errors(), errors + 1);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	kmem_cache_free(cache, other);
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	kmem_cache_destroy(cache);
}

TEST(kmem_cache, kfree_frees_objects_of_caches)
{
	struct kmem_cache *cache;

	begin();
	cache = kmem_cache_create("kfreed", 100, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	for (int i = 0; i < 500; i++)
		EXPECT(heapbook_cache(&book, cache, 100, GFP_KERNEL, NUMA_NO_NODE));
	while (book.nr)
		heapbook_kfree(&book, book.nr - 1);
	kmem_cache_destroy(cache);
	end();
}

TEST(kmem_cache, every_shape_at_once)
{
	struct kmem_cache *caches[HEAP_SHAPES];

	begin();
	for (unsigned int i = 0; i < HEAP_SHAPES; i++) {
		caches[i] = heap_shape_create(&heap_shapes[i]);
		ASSERT(caches[i]);
	}
	for (unsigned int i = 0; i < 100 * HEAP_SHAPES; i++)
		EXPECT(heapbook_cache(&book, caches[i % HEAP_SHAPES], heap_shapes[i % HEAP_SHAPES].size,
				      GFP_KERNEL | (i & 16 ? __GFP_ZERO : 0), NUMA_NO_NODE));
	EXPECT_STREQ(heap_census_check(books, 1) ?: "", "");
	heapbook_free_all(&book);
	for (unsigned int i = 0; i < HEAP_SHAPES; i++)
		kmem_cache_destroy(caches[i]);
	end();
}

/* ---- Nodes ---- */

TEST(kmem_cache, objects_come_from_the_node_asked_for)
{
	struct kmem_cache *cache = kmem_cache_create("nodes", 64, 0, SLAB_NO_MERGE, NULL);

	ASSERT(cache);
	for (int nid = 0; nid < (int)nr_node_ids; nid++)
		for (int i = 0; i < 200; i++) {
			void *p = kmem_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, nid);

			ASSERT(p);
			EXPECT_EQ(page_to_nid(virt_to_page(p)), nid);
			if (i % 2)
				kmem_cache_free(cache, p);
			else
				kfree(p);
		}
	test_capture_begin();
	EXPECT(!kmem_cache_alloc_node(cache, GFP_KERNEL, (int)nr_node_ids));
	EXPECT(strstr(test_capture_end(), "asked for"));
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	kmem_cache_destroy(cache);
}
