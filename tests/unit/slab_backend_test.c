// SPDX-License-Identifier: MIT
/* The slab back end from inside: layout, colours, lists, the shared array, tunables, refused frees, its verifier. */
#ifdef OCTAVO_HEAP_SLAB
#include <octavo/rcupdate.h>
#include <octavo/verify.h>

#include "fault.h"
#include "mm/slab/slab_lists.h"

#define OBJECTS 600u

static void *objs[OBJECTS] __memsys;
static char line[256];

static void keep_line(void *ctx, const char *text)
{
	(void)ctx;
	strscpy(line, text, sizeof(line));
}

static unsigned int verify(struct kmem_cache *cache)
{
	line[0] = 0;
	return backend_verify(cache, keep_line, NULL);
}

/* A cache of its own, and what it has on the node of this CPU. */
static struct kmem_cache *make(unsigned int size, slab_flags_t flags)
{
	return kmem_cache_create("slab-test", size, 0, flags | SLAB_NO_MERGE, NULL);
}

static struct kmem_cache_node *node_of(struct kmem_cache *cache)
{
	return slab_node(cache, (unsigned int)this_cpu()->node);
}

static struct backend_counts count(struct kmem_cache *cache)
{
	struct backend_counts counts = { 0 };

	backend_count(cache, NUMA_NO_NODE, &counts);
	return counts;
}

/* @nr objects straight from the slabs. */
static bool take(struct kmem_cache *cache, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		while (!(objs[i] = backend_take_direct(cache, this_cpu()->node, cache->object_size)))
			if (backend_grow(cache, GFP_KERNEL | __GFP_THISNODE, this_cpu()->node, 0) < 0) {
				test_fail(__FILE__, __LINE__, "no memory for object %u", i);
				return false;
			}
	return true;
}

static void give(struct kmem_cache *cache, struct cpu_cache *cc, void **from, unsigned int nr)
{
	struct list_head dead;

	INIT_LIST_HEAD(&dead);
	backend_give(cache, cc, from, nr, &dead);
	backend_bury(cache, &dead);
}

static struct slab_body *body_of(const void *object)
{
	return slab_body(page_slab(heap_page(object)));
}

/* Nothing is left of the cache, and it was in order. */
static void end(struct kmem_cache *cache)
{
	EXPECT_EQ(verify(cache), 0);
	EXPECT_STREQ(line, "");
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	EXPECT_EQ(count(cache).slabs, 0);
	kmem_cache_destroy(cache);
}

/* ---- Layout ---- */

/* SL-I5, before there is a slab. */
static void check_layout(const struct kmem_cache *c)
{
	size_t bytes = PAGE_SIZE << c->order, first = slab_first_offset(c);
	size_t waste = bytes - (size_t)c->objects * c->size;

	if (!c->objects || first % slab_object_align(c) || c->colour_off % slab_object_align(c) || !c->colour ||
	    first + (size_t)(c->colour - 1) * c->colour_off + slab_span(c) > bytes ||
	    (c->on_slab && first < slab_body_bytes(c->objects)))
		test_fail(__FILE__, __LINE__, "size %u: order %u, %u objects from %zu, %u colours of %u", c->size,
			  c->order, c->objects, first, c->colour, c->colour_off);
	if (c->order && c->order <= 3 && waste * 8 > bytes && c->size <= PAGE_SIZE)
		test_fail(__FILE__, __LINE__, "size %u: order %u wastes %zu of %zu", c->size, c->order, waste, bytes);
	if (is_power_of_2(c->size) && first % min((size_t)c->size, (size_t)PAGE_SIZE))
		test_fail(__FILE__, __LINE__, "size %u: objects begin at %zu", c->size, first);
}

TEST(slab_backend, every_size_has_a_layout)
{
	for (unsigned int align = 8; align <= 4096; align *= 8)
		for (unsigned int size = align; size <= KMALLOC_MAX_SIZE;
		     size += size < 2 * PAGE_SIZE ? align : ALIGN(size / 3, align)) {
			struct kmem_cache c = { .size = size, .align = align };

			EXPECT_EQ(backend_layout(&c), 0);
			check_layout(&c);
		}
	struct kmem_cache c = { .size = KMALLOC_MAX_SIZE + 8, .align = 8 };

	EXPECT_EQ(backend_layout(&c), -E2BIG);
}

TEST(slab_backend, descriptors_lie_where_they_cost_less)
{
	struct kmem_cache small = { .size = 64, .align = 8 }, exact = { .size = 1024, .align = 8 };
	struct kmem_cache waste = { .size = 1000, .align = 8 };

	EXPECT_EQ(backend_layout(&small) | backend_layout(&exact) | backend_layout(&waste), 0);
	EXPECT(small.on_slab);
	EXPECT_EQ(small.objects, (PAGE_SIZE - ALIGN(slab_body_bytes(64), 64ul)) / 64);
	EXPECT(!exact.on_slab);
	EXPECT_EQ((size_t)exact.objects << 10, PAGE_SIZE << exact.order);
	EXPECT(waste.on_slab);
}

TEST(slab_backend, array_sizes_are_those_of_slabinfo)
{
	static const struct {
		unsigned int size, limit, batch, shared;
	} rows[] = { { 256, 120, 60, 8 },  { 264, 54, 27, 8 },	{ 1024, 54, 27, 8 }, { 1032, 24, 12, 8 },
		     { 4096, 24, 12, 8 }, { 4104, 8, 4, 0 },	{ 131072, 8, 4, 0 }, { 131080, 1, 1, 0 } };
	struct backend_tunables t;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kmem_cache_node *none[MAX_NUMNODES] = { NULL };
		struct kmem_cache c = { .size = rows[i].size, .align = 8, .node = none };

		EXPECT_EQ(backend_layout(&c), 0);
		backend_tunables(&c, &t);
		EXPECT_EQ(t.limit, rows[i].limit);
		EXPECT_EQ(t.batchcount, rows[i].batch);
		EXPECT_EQ(t.shared, nr_cpu_ids > 1 ? rows[i].shared : 0);
	}
	struct kmem_cache c = { .size = 64, .align = 8, .flags = SLAB_POISON };

	EXPECT_EQ(backend_layout(&c), 0);
	EXPECT_EQ(c.mag_limit + c.mag_batch + c.mag_shared, 0);
}

TEST(slab_backend, colours_cycle)
{
	struct kmem_cache *cache = make(328, 0);
	unsigned int i = 0;
	struct slab *slab;

	ASSERT(cache && cache->colour > 1);
	while (i++ <= 2 * cache->colour)
		ASSERT(backend_grow(cache, GFP_KERNEL | __GFP_THISNODE, this_cpu()->node, 0) >= 0);
	i = 0;
	list_for_each_entry(slab, &node_of(cache)->all, all) {
		EXPECT_EQ((char *)slab->base - (char *)slab_start(slab),
			  slab_first_offset(cache) + i % cache->colour * cache->colour_off);
		i++;
	}
	EXPECT_EQ(i, 2 * cache->colour + 1);
	end(cache);
}

/* ---- Lists ---- */

TEST(slab_backend, partial_slabs_are_used_before_free_ones)
{
	struct kmem_cache *cache = make(256, 0);
	struct kmem_cache_node *n;
	unsigned int nr;

	ASSERT(cache);
	nr = cache->objects;
	ASSERT(take(cache, 3 * nr) && 3 * nr <= OBJECTS);
	n = node_of(cache);
	EXPECT_EQ(n->slabs, 3);
	EXPECT(list_empty(&n->partial) && list_empty(&n->free));
	give(cache, NULL, objs, nr);
	give(cache, NULL, objs + nr, 1);
	EXPECT_EQ(count(cache).partial, 1);
	EXPECT_EQ(count(cache).active_slabs, 2);
	EXPECT_EQ(count(cache).free, nr + 1);
	EXPECT_EQ(verify(cache), 0);
	EXPECT(backend_take_direct(cache, NUMA_NO_NODE, 0) == objs[nr]);
	EXPECT_EQ(count(cache).partial, 0);
	EXPECT(backend_is_free(&body_of(objs[0])->slab, objs[0]));
	EXPECT(!backend_is_free(&body_of(objs[0])->slab, objs[nr]));
	give(cache, NULL, objs + nr, 2 * nr);
	end(cache);
}

TEST(slab_backend, a_node_keeps_no_more_free_slabs_than_it_says)
{
	struct kmem_cache *cache = make(1024, 0);

	ASSERT(cache);
	ASSERT(take(cache, OBJECTS));
	cache->min_partial = 3;
	for (unsigned int i = 0; i < OBJECTS; i += 7)
		give(cache, NULL, objs + i, min(OBJECTS - i, 7u));
	EXPECT_EQ(count(cache).slabs, 3);
	EXPECT_EQ(count(cache).active_slabs, 0);
	EXPECT_EQ(verify(cache), 0);
	cache->min_partial = 0;
	ASSERT(take(cache, 1));
	give(cache, NULL, objs, 1);
	EXPECT_EQ(count(cache).slabs, 0);
	end(cache);
}

TEST(slab_backend, shrinking_puts_the_fullest_slabs_first)
{
	struct kmem_cache *cache = make(128, 0);
	unsigned int nr, last = 0, seen = 0;
	struct slab *slab;

	ASSERT(cache);
	nr = cache->objects;
	ASSERT(take(cache, 4 * nr) && 4 * nr <= OBJECTS);
	give(cache, NULL, objs, nr - 1);
	give(cache, NULL, objs + nr, 1);
	give(cache, NULL, objs + 2 * nr, nr);
	give(cache, NULL, objs + 3 * nr, nr / 2);
	EXPECT_EQ(kmem_cache_shrink(cache), 1);
	EXPECT_EQ(count(cache).slabs, 3);
	list_for_each_entry(slab, &node_of(cache)->partial, list) {
		EXPECT(slab_body(slab)->free > last);
		last = slab_body(slab)->free;
		seen++;
	}
	EXPECT_EQ(seen, 3);
	give(cache, NULL, objs + nr - 1, 1);
	give(cache, NULL, objs + nr + 1, nr - 1);
	give(cache, NULL, objs + 3 * nr + nr / 2, nr - nr / 2);
	end(cache);
}

static bool shrink_meanwhile(struct slab *slab, void *ctx)
{
	struct kmem_cache *cache = slab->cache;

	kmem_cache_shrink(cache);
	EXPECT_EQ(count(cache).slabs, 3);
	EXPECT(page_slab(heap_page(slab->base)) == slab);
	++*(unsigned int *)ctx;
	return true;
}

TEST(slab_backend, no_slab_goes_away_under_who_looks_at_them)
{
	struct kmem_cache *cache = make(512, 0);
	unsigned int calls = 0;

	ASSERT(cache);
	for (int i = 0; i < 3; i++)
		ASSERT(backend_grow(cache, GFP_KERNEL, this_cpu()->node, 0) >= 0);
	backend_for_each_slab(cache, shrink_meanwhile, &calls);
	EXPECT_EQ(calls, 3);
	end(cache);
}

static bool never_again(struct slab *slab, void *ctx)
{
	(void)slab;
	++*(unsigned int *)ctx;
	return false;
}

TEST(slab_backend, a_walk_ends_when_it_is_told_to)
{
	struct kmem_cache *cache = make(512, 0);
	unsigned int calls = 0;

	ASSERT(cache);
	for (int i = 0; i < 2; i++)
		ASSERT(backend_grow(cache, GFP_KERNEL, this_cpu()->node, 0) >= 0);
	backend_for_each_slab(cache, never_again, &calls);
	EXPECT_EQ(calls, 1);
	EXPECT_EQ(node_of(cache)->walkers, 0);
	end(cache);
}

TEST(slab_backend, objects_are_found_by_any_address_in_them)
{
	struct kmem_cache *cache = make(99, 0);
	struct slab *slab;

	ASSERT(cache && cache->size > 99);
	ASSERT(take(cache, 2));
	slab = &body_of(objs[0])->slab;
	EXPECT(backend_object_of(slab, (char *)objs[0] + 98) == objs[0]);
	EXPECT(!backend_object_of(slab, (char *)objs[0] + 99));
	EXPECT(!backend_object_of(slab, (char *)slab->base - 1));
	EXPECT(!backend_object_of(slab, (char *)slab->base + slab_span(cache)));
	EXPECT(backend_cache_of(slab, objs[1]) == cache);
	EXPECT(!backend_cache_of(slab, (char *)objs[1] + 8));
	EXPECT_EQ(backend_size_of(slab, objs[0]), 99);
	give(cache, NULL, objs, 2);
	end(cache);
}

TEST(slab_backend, random_order_serves_each_object_once)
{
	const bool random = heap.random;
	unsigned int rising = 0;
	struct kmem_cache *cache;

	heap.random = true;
	cache = make(64, 0);
	ASSERT(cache);
	ASSERT(take(cache, cache->objects));
	EXPECT_EQ(count(cache).slabs, 1);
	for (unsigned int i = 1; i < cache->objects; i++)
		rising += objs[i] > objs[i - 1];
	EXPECT(rising > 5 && rising < cache->objects - 5);
	for (unsigned int i = 0; i < cache->objects; i++)
		for (unsigned int j = 0; j < i; j++)
			EXPECT(objs[i] != objs[j]);
	give(cache, NULL, objs, cache->objects);
	heap.random = random;
	end(cache);
}

/* ---- Frees that make no sense ---- */

TEST(slab_backend, a_second_free_is_reported_and_changes_nothing)
{
	const unsigned long errors = heap_errors();
	struct kmem_cache *cache = make(192, 0);
	void *twice[5];

	ASSERT(cache);
	ASSERT(take(cache, 5));
	twice[0] = objs[0], twice[1] = objs[1], twice[2] = objs[0], twice[3] = objs[2], twice[4] = objs[1];
	test_capture_begin();
	give(cache, NULL, twice, 5);
	EXPECT(strstr(test_capture_end(), "slab-test"));
	EXPECT_EQ(heap_errors() - errors, 2);
	EXPECT_EQ(count(cache).objects - count(cache).free, 2);
	EXPECT_EQ(node_of(cache)->walkers, 0);
	give(cache, NULL, objs + 3, 2);
	end(cache);
}

TEST(slab_backend, what_is_no_object_is_reported_and_left_out)
{
	const unsigned long errors = heap_errors();
	struct kmem_cache *cache = make(192, 0), *other = kmem_cache_create("slab-other", 192, 0, SLAB_NO_MERGE, NULL);
	struct page *page = alloc_pages(GFP_KERNEL, 0);
	struct cpu_cache cc = { .cache = cache, .node = (u16)this_cpu()->node };
	void *bad[6];

	ASSERT(cache && other && page);
	ASSERT(take(cache, 3));
	bad[0] = (char *)objs[2] + 8;
	bad[1] = objs[0];
	bad[2] = (char *)body_of(objs[0])->slab.base + slab_span(cache);
	bad[3] = kmem_cache_alloc(other, GFP_KERNEL);
	bad[4] = page_address(page);
	bad[5] = objs[1];
	for (unsigned int i = 0; i < 2; i++) {
		void *copy[6];

		memcpy(copy, bad, sizeof(bad));
		test_capture_begin();
		give(cache, i ? &cc : NULL, copy, 6);
		test_capture_end();
		kmem_cache_shrink(cache);
		EXPECT_EQ(heap_errors() - errors, 4 * (i + 1));
		EXPECT_EQ(count(cache).objects - count(cache).free, 1);
		EXPECT_EQ(verify(cache) + verify(other), 0);
		if (!i)
			ASSERT(backend_take_direct(cache, NUMA_NO_NODE, 0) == objs[0] &&
			       backend_take_direct(cache, NUMA_NO_NODE, 0) == objs[1]);
	}
	give(cache, NULL, objs + 2, 1);
	kmem_cache_free(other, bad[3]);
	__free_pages(page, 0);
	end(cache);
	end(other);
}

/* ---- The shared array ---- */

TEST(slab_backend, surplus_goes_through_the_shared_array)
{
	struct kmem_cache *cache = make(64, 0);
	struct cpu_cache cc = { .cache = cache, .node = (u16)this_cpu()->node };
	struct backend_tunables t;
	void *back[60];

	ASSERT(cache);
	mutex_lock(&heap.mutex);
	EXPECT_EQ(backend_tune(cache, 120, 30, 2), 0);
	mutex_unlock(&heap.mutex);
	ASSERT(take(cache, 2 * cache->objects));
	ASSERT(node_of(cache)->shared && node_of(cache)->shared->limit == 60);
	EXPECT_EQ(count(cache).free, 0);
	give(cache, &cc, objs, 50);
	backend_tunables(cache, &t);
	EXPECT_EQ(t.shared_available, 50);
	EXPECT_EQ(count(cache).free, 50);
	EXPECT_EQ(count(cache).active_slabs, 2);
	EXPECT(backend_is_free(&body_of(objs[0])->slab, objs[0]));
	/* The array has room for 10 more; the others go to their slabs. */
	give(cache, &cc, objs + 50, 20);
	EXPECT_EQ(node_of(cache)->shared->nr, 60);
	EXPECT_EQ(node_of(cache)->free_objects, 10);
	EXPECT_EQ(verify(cache), 0);
	EXPECT_EQ(backend_take(cache, &cc, back, 25), 25);
	EXPECT(back[24] == objs[59]);
	EXPECT_EQ(node_of(cache)->shared->nr, 35);
	give(cache, &cc, back, 25);
	give(cache, NULL, objs + 70, 2 * cache->objects - 70);
	EXPECT_EQ(verify(cache), 0);
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	EXPECT_EQ(node_of(cache)->shared->nr, 0);
	end(cache);
}

TEST(slab_backend, a_second_free_in_the_shared_array_is_found_when_it_is_drained)
{
	const unsigned long errors = heap_errors();
	struct kmem_cache *cache = make(64, 0);
	struct cpu_cache cc = { .cache = cache, .node = (u16)this_cpu()->node };

	ASSERT(cache);
	mutex_lock(&heap.mutex);
	EXPECT_EQ(backend_tune(cache, 8, 4, 5), 0);
	mutex_unlock(&heap.mutex);
	ASSERT(take(cache, 40));
	ASSERT(node_of(cache)->shared);
	give(cache, &cc, objs, 8);
	give(cache, &cc, objs + 4, 4);
	EXPECT_EQ(heap_errors() - errors, 0);
	test_capture_begin();
	kmem_cache_shrink(cache);
	test_capture_end();
	EXPECT_EQ(heap_errors() - errors, 4);
	give(cache, NULL, objs + 8, 32);
	end(cache);
}

/* ---- Tunables ---- */

static int tune(struct kmem_cache *cache, unsigned int limit, unsigned int batch, unsigned int shared)
{
	int err;

	mutex_lock(&heap.mutex);
	err = backend_tune(cache, limit, batch, shared);
	mutex_unlock(&heap.mutex);
	return err;
}

TEST(slab_backend, tunables_change_the_arrays_and_nothing_else)
{
	struct kmem_cache *cache = make(64, 0);
	struct backend_tunables t;
	unsigned int before;
	void *p[64];

	ASSERT(cache);
	ASSERT(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 64, p) == 64);
	before = cache->min_partial;
	EXPECT_EQ(tune(cache, 0, 1, 1), -EINVAL);
	EXPECT_EQ(tune(cache, 4, 0, 1), -EINVAL);
	EXPECT_EQ(tune(cache, 4, 5, 1), -EINVAL);
	EXPECT_EQ(tune(cache, 65536, 4, 1), -EINVAL);
	EXPECT_EQ(tune(cache, 4, 2, 40000), -EINVAL);
	EXPECT_EQ(cache->mag_limit, 120);
	EXPECT_EQ(tune(cache, 8, 2, 3), 0);
	backend_tunables(cache, &t);
	EXPECT(t.limit == 8 && t.batchcount == 2 && t.shared == 3);
	EXPECT(cache->min_partial <= before);
	for (unsigned int i = 0; i < 64; i++)
		kmem_cache_free(cache, p[i]);
	/* 64 were out; the CPU keeps at most 8, the shared array 6. */
	EXPECT(count(cache).objects - count(cache).free <= 8);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	EXPECT_EQ(tune(cache, 200, 100, 0), 0);
	EXPECT(!node_of(cache)->shared);
	for (unsigned int i = 0; i < 64; i++)
		ASSERT((p[i] = kmem_cache_alloc(cache, GFP_KERNEL)));
	kmem_cache_free_bulk(cache, 64, p);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	end(cache);
}

TEST(slab_backend, caches_without_arrays_have_no_tunables)
{
	struct kmem_cache *none = make(64, 0);
	u16 limit;

	ASSERT(none);
	limit = none->mag_limit;
	none->mag_limit = 0;
	EXPECT_EQ(tune(none, 8, 4, 1), -EIO);
	none->mag_limit = limit;
	end(none);
}

/* ---- Contexts ---- */

TEST(slab_backend, inside_a_section_objects_come_and_go_directly)
{
	struct kmem_cache *cache = make(64, 0);
	struct cpu_local *cpu;
	unsigned long flags;
	void *p, *q;

	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	cpu = cpu_section_begin(&flags);
	q = kmem_cache_alloc(cache, GFP_ATOMIC);
	EXPECT(q && q != p);
	kmem_cache_free(cache, q);
	EXPECT(backend_is_free(&body_of(q)->slab, q));
	cpu_section_end(cpu, flags);
	kmem_cache_free(cache, p);
	end(cache);
}

TEST(slab_backend, slabs_that_readers_may_see_wait_for_them)
{
	struct kmem_cache *cache = make(512, SLAB_TYPESAFE_BY_RCU);
	struct page *page;

	ASSERT(cache);
	ASSERT(take(cache, 1));
	page = heap_page(objs[0]);
	rcu_read_lock();
	cache->min_partial = 0;
	give(cache, NULL, objs, 1);
	EXPECT_EQ(count(cache).slabs, 0);
	EXPECT(PageSlab(page) && page_slab(page)->cache == cache);
	rcu_read_unlock();
	rcu_barrier();
	EXPECT(!PageSlab(page));
	end(cache);
}

/* ---- Failures ---- */

struct fault {
	struct kmem_cache *cache;
};

static bool fill_and_empty(void *ctx)
{
	struct fault *f = ctx;
	unsigned int nr = 0;

	while (nr < OBJECTS && (objs[nr] = kmem_cache_alloc(f->cache, GFP_KERNEL | __GFP_NOWARN)))
		nr++;
	for (unsigned int i = 0; i < nr; i++)
		kmem_cache_free(f->cache, objs[i]);
	kmem_cache_shrink(f->cache);
	return nr == OBJECTS;
}

static void in_order(void *ctx)
{
	struct fault *f = ctx;

	EXPECT_EQ(verify(f->cache), 0);
	EXPECT_EQ(count(f->cache).slabs, 0);
}

TEST(slab_backend, each_allocation_may_fail)
{
	static const unsigned int sizes[] = { 32, 256, 1024 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct fault f = { make(sizes[i], 0) };

		ASSERT(f.cache);
		EXPECT(fault_each(fill_and_empty, in_order, &f) >
		       OBJECTS * sizes[i] / (PAGE_SIZE << f.cache->order) / 2);
		end(f.cache);
	}
}

/* ---- The verifier ---- */

/* Exactly one finding, and it names @id. */
#define EXPECT_FOUND(cache, id)                                                                    \
	do {                                                                                       \
		EXPECT_EQ(verify(cache), 1);                                                       \
		if (!strstr(line, id))                                                             \
			test_fail(__FILE__, __LINE__, "%s was not found, but: %s", id, line);      \
	} while (0)

/* A cache with a full, a partial and a free slab, objects of the first two in objs[], and three in the shared array. */
static struct kmem_cache *specimen(struct cpu_cache *cc)
{
	struct kmem_cache *cache = make(128, 0);

	if (!cache || tune(cache, 16, 4, 1) || !take(cache, 2 * cache->objects) ||
	    backend_grow(cache, GFP_KERNEL, this_cpu()->node, 0) < 0)
		return NULL;
	*cc = (struct cpu_cache){ .cache = cache, .node = (u16)this_cpu()->node };
	give(cache, cc, objs, 3);
	give(cache, NULL, objs + cache->objects, 5);
	return verify(cache) || node_of(cache)->shared->nr != 3 ? NULL : cache;
}

static void end_specimen(struct kmem_cache *cache)
{
	unsigned int nr = cache->objects;

	EXPECT_EQ(verify(cache), 0);
	give(cache, NULL, objs + 3, nr - 3);
	give(cache, NULL, objs + nr + 5, nr - 5);
	end(cache);
}

TEST(slab_backend, verifier_finds_slabs_on_wrong_lists)
{
	struct cpu_cache cc;
	struct kmem_cache *cache = specimen(&cc);
	struct kmem_cache_node *n;
	struct slab *slab;

	ASSERT(cache);
	n = node_of(cache);
	/* SL-I1 */
	slab = list_first_entry(&n->partial, struct slab, list);
	list_del(&slab->list);
	list_add(&slab->list, &n->full);
	EXPECT_FOUND(cache, "SL-I1");
	list_del(&slab->list);
	EXPECT_FOUND(cache, "SL-I1");
	list_add(&slab->list, &n->partial);
	end_specimen(cache);
}

TEST(slab_backend, verifier_finds_wrong_counts)
{
	struct cpu_cache cc;
	struct kmem_cache *cache = specimen(&cc);
	struct kmem_cache_node *n;
	struct slab_body *body;

	ASSERT(cache);
	n = node_of(cache);
	body = slab_body(list_first_entry(&n->partial, struct slab, list));
	/* SL-I2 */
	body->free++;
	EXPECT_FOUND(cache, "SL-I2");
	body->free--;
	if (cache->objects % SLAB_WORD_BITS) {
		unsigned long *last = &body->bits[cache->objects / SLAB_WORD_BITS];

		*last |= 1ul << (SLAB_WORD_BITS - 1);
		EXPECT_FOUND(cache, "SL-I2");
		*last &= ~(1ul << (SLAB_WORD_BITS - 1));
	}
	/* SL-I3 */
	n->slabs++;
	EXPECT_FOUND(cache, "SL-I3");
	n->slabs--;
	n->free_slabs++;
	EXPECT_FOUND(cache, "SL-I3");
	n->free_slabs--;
	n->partial_slabs--;
	EXPECT_FOUND(cache, "SL-I3");
	n->partial_slabs++;
	n->free_objects--;
	EXPECT_FOUND(cache, "SL-I3");
	n->free_objects++;
	end_specimen(cache);
}

TEST(slab_backend, verifier_finds_strangers_in_the_shared_array)
{
	struct cpu_cache cc;
	struct kmem_cache *cache = specimen(&cc);
	struct shared_array *a;
	void *was;

	ASSERT(cache);
	a = node_of(cache)->shared;
	was = a->objs[1];
	/* SL-I4 */
	a->objs[1] = a->objs[2];
	EXPECT_FOUND(cache, "SL-I4");
	a->objs[1] = (char *)was + 8;
	EXPECT_FOUND(cache, "SL-I4");
	a->objs[1] = objs[cache->objects];
	EXPECT_FOUND(cache, "SL-I4");
	a->objs[1] = was;
	a->nr = a->limit + 1;
	EXPECT_FOUND(cache, "SL-I4");
	a->nr = 3;
	end_specimen(cache);
}

TEST(slab_backend, verifier_finds_slabs_out_of_shape)
{
	struct cpu_cache cc;
	struct kmem_cache *cache = specimen(&cc);
	struct slab *slab;
	struct page *page;
	u64 leads;

	ASSERT(cache);
	slab = list_first_entry(&node_of(cache)->free, struct slab, list);
	page = heap_page(slab_start(slab));
	/* SL-I5 */
	slab->order ^= 1;
	EXPECT_FOUND(cache, "SL-I5");
	slab->order ^= 1;
	slab->base = (char *)slab->base + 4;
	EXPECT_FOUND(cache, "SL-I5");
	slab->base = (char *)slab->base - 4;
	leads = page->private_data;
	page->private_data += 16;
	EXPECT_FOUND(cache, "SL-I5");
	page->private_data = leads;
	end_specimen(cache);
}

#endif
