// SPDX-License-Identifier: MIT
/* The slub back end and the magazines: what the verifier sees. */
#ifdef OCTAVO_HEAP_SLUB

#include <octavo/verify.h>

#include "harness.h"
#include "mm/slab/heap.h"
#include "mm/slab/slub.h"

static char last[200];

static void keep(void *ctx, const char *line)
{
	(void)ctx;
	strscpy(last, line, sizeof(last));
}

/* Exactly one finding, of this invariant. */
static void expect_finding(const char *id)
{
	unsigned int n = heap_verify(keep, NULL);

	EXPECT_EQ(n, 1);
	if (n && !strstr(last, id))
		test_fail(__FILE__, __LINE__, "found \"%s\", not %s", last, id);
}

static struct kmem_cache *cache;
static void *objs[100] __memsys;

/* A cache of one slab, of this CPU's, with some objects allocated. */
static struct slub_slab *one_slab(void)
{
	cache = kmem_cache_create("one-slab", 40, 0, SLAB_NO_MERGE, NULL);
	if (!cache)
		return NULL;
	for (unsigned int i = 0; i < 3; i++)
		objs[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	return objs[2] ? slub_of(page_slab(heap_page(objs[0]))) : NULL;
}

static void done(void)
{
	for (unsigned int i = 0; i < 3; i++)
		kmem_cache_free(cache, objs[i]);
	EXPECT_EQ(heap_verify(keep, NULL), 0);
	kmem_cache_destroy(cache);
}

static struct cpu_cache *own(void)
{
	return heap_cpu_cache(0, cache->slot + (u32)cpu_locals[0]->node);
}

TEST(slub, verifier_sees_bits_and_counts)
{
	struct slub_slab *slab = one_slab();
	unsigned int index, word;

	ASSERT(slab);
	EXPECT_EQ(heap_verify(keep, NULL), 0);
	index = slab_index(cache, &slab->s, objs[0]);
	word = index / WORD_BITS;

	/* SU-I1: free in both halves (the foreign count follows, so that nothing else is wrong) */
	for (index = slab->s.objects - 1; !(slab->bits[index / WORD_BITS] >> index % WORD_BITS & 1); index--)
		;
	word = index / WORD_BITS;
	foreign_bits(slab)[word] |= 1ul << index % WORD_BITS;
	slab->ctl += FOREIGN_ONE;
	expect_finding("SU-I1");
	slab->ctl -= FOREIGN_ONE;

	/* SU-I4: a foreign bit that nobody counted */
	slab->bits[word] &= ~(1ul << index % WORD_BITS);
	slab->used++;
	expect_finding("SU-I4");
	foreign_bits(slab)[word] = 0;
	slab->bits[word] |= 1ul << index % WORD_BITS;

	/* SU-I2 */
	expect_finding("SU-I2");
	slab->used--;
	done();
}

TEST(slub, verifier_sees_owners_and_lists)
{
	struct slub_slab *slab = one_slab();
	struct cpu_cache *cc;

	ASSERT(slab);
	cc = own();
	ASSERT(cc && cc->nr_slabs == 1);

	/* SU-I3 */
	slab->ctl++;
	expect_finding("SU-I3");
	slab->ctl--;

	/* SU-I5 */
	cc->nr_slabs++;
	expect_finding("SU-I5");
	cc->nr_slabs--;
	node_of(cache, slab->s.node)->nr_slabs++;
	expect_finding("SU-I5");
	node_of(cache, slab->s.node)->nr_slabs--;
	done();
}

TEST(heap, verifier_sees_magazines)
{
	struct kmem_cache *other;
	struct cpu_cache *cc;
	void *object;

	ASSERT(one_slab());
	cc = own();
	ASSERT(cc && cc->mag.nr > 2);

	/* HP-I1: in two places; free in its slab */
	object = cc->mag.objs[0];
	cc->mag.objs[0] = cc->mag.objs[1];
	expect_finding("HP-I1");
	cc->mag.objs[0] = object;

	/* HP-I2: of another cache */
	other = kmem_cache_create("other", 200, 0, SLAB_NO_MERGE, NULL);
	ASSERT(other);
	cc->mag.objs[0] = kmem_cache_alloc(other, GFP_KERNEL);
	expect_finding("HP-I2");
	kmem_cache_free(other, cc->mag.objs[0]);
	cc->mag.objs[0] = object;
	kmem_cache_destroy(other);

	/* HP-I3 */
	cc->mag.limit = cc->mag.nr - 1;
	expect_finding("HP-I3");
	cc->mag.limit = cache->mag_limit;

	/* HP-I4 */
	cpu_locals[0]->heap[cache->slot + cc->node] = &cc->mag + 1;
	expect_finding("HP-I4");
	cpu_locals[0]->heap[cache->slot + cc->node] = &cc->mag;
	done();
}

TEST(slub, double_free_is_seen_when_the_object_comes_home)
{
	unsigned long errors = heap_errors();

	ASSERT(one_slab());
	kmem_cache_free(cache, objs[1]);
	test_capture_begin();
	kmem_cache_free(cache, objs[1]);
	kmem_cache_shrink(cache);
	test_capture_end();
	EXPECT_EQ(heap_errors(), errors + 1);
	EXPECT_EQ(heap_verify(keep, NULL), 0);
	objs[1] = kmem_cache_alloc(cache, GFP_KERNEL);
	done();
}

/* After a burst nothing stays but the documented bound; after shrinking, nothing. */
TEST(slub, a_burst_leaves_no_more_than_the_bound)
{
	static void *many[20000];
	struct backend_counts counts = { 0 };
	unsigned long pages;

	cache = kmem_cache_create("burst", 64, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++)
		ASSERT((many[i] = kmem_cache_alloc(cache, GFP_KERNEL)));
	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++)
		kmem_cache_free(cache, many[i * 7919u % ARRAY_SIZE(many)]);
	memset(many, 0, sizeof(many)); /* no references for kmemleak */
	backend_count(cache, NUMA_NO_NODE, &counts);
	pages = counts.slabs << cache->order;
	/* empty slabs of a CPU and a node, and those with objects in the magazine */
	EXPECT(pages <= 16u + cache->min_partial + cache->mag_limit);
	EXPECT_EQ(heap_verify(keep, NULL), 0);
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	kmem_cache_destroy(cache);
}

/* ---- What two CPUs do in the few instructions between two steps ---- */

#define OBJECTS 6

static void give_directly(void **objects, unsigned int n)
{
	struct list_head dead;

	INIT_LIST_HEAD(&dead);
	backend_give(cache, NULL, objects, n, &dead);
	EXPECT(list_empty(&dead));
}

/*
 * SU-I4: a foreign free sets a bit, then counts it. A slab whose other objects are all free must live until it has
 * counted, though its owner has seen the bit.
 */
TEST(slub, a_slab_outlives_a_foreign_free_under_way)
{
	void *objects[OBJECTS], *held;
	struct slub_slab *slab;
	u32 index;

	cache = kmem_cache_create("under-way", 5000, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	ASSERT(cache->objects == OBJECTS);
	ASSERT(kmem_cache_alloc_bulk(cache, GFP_KERNEL, OBJECTS, objects) == OBJECTS);
	slab = slub_of(page_slab(heap_page(objects[0])));
	kmem_cache_shrink(cache);
	EXPECT_EQ(slab->ctl, OWNER_NONE);
	give_directly(objects, 4);
	EXPECT_EQ(slab->ctl, OWNER_NODE);
	own()->batch = 1;
	held = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(held && page_slab(heap_page(held)) == &slab->s);
	ASSERT(slab->ctl == 1 + smp_processor_id());
	/* Another CPU frees two objects, and has counted one of them. */
	for (unsigned int i = 4; i < OBJECTS; i++) {
		ASSERT(slab_has_object(cache, &slab->s, objects[i], &index));
		foreign_bits(slab)[0] |= 1ul << index;
	}
	slab->ctl += FOREIGN_ONE;
	kmem_cache_free(cache, held);
	EXPECT_EQ(kmem_cache_shrink(cache), 1);
	EXPECT_EQ(slub_free(slab), OBJECTS);
	slab->ctl += FOREIGN_ONE;
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	kmem_cache_destroy(cache);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

#endif
