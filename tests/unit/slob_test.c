// SPDX-License-Identifier: MIT
/* The slob back end: its directory, what shares pages and what does not, its verifier. Builds with SLAB=slob only. */
#ifdef OCTAVO_HEAP_SLOB

#include <octavo/slab.h>

#include "harness.h"
#include "mm/slab/slob.h"

static u8 test_page[PAGE_SIZE] __attribute__((aligned(4096))) __memsys;

static struct slob_block *fresh_block(void)
{
	return slob_block_init(test_page, 0, SLOB_NORMAL, SLOB_SMALL);
}

TEST(slob, directory_is_first_fit)
{
	struct slob_block *b = fresh_block();

	EXPECT_EQ(slob_block_take(b, 4, 1, 1), 0);
	EXPECT_EQ(slob_block_take(b, 4, 1, 2), 4);
	EXPECT_EQ(slob_block_take(b, 4, 1, 3), 8);
	EXPECT_EQ(slob_block_take(b, 8, 8, 4), 16);
	EXPECT_EQ(slob_block_take(b, 4, 1, 5), 12);
	EXPECT_EQ(slob_block_take(b, 128, 128, 6), 128);
	slob_block_give(b, slob_block_find(b, 4));
	slob_block_give(b, slob_block_find(b, 8));
	/* Neighbours are one gap; what does not fit there goes behind. */
	EXPECT_EQ(slob_block_take(b, 9, 1, 7), 24);
	EXPECT_EQ(slob_block_take(b, 8, 1, 8), 4);
	EXPECT_EQ(slob_block_find(b, 11), 1);
	EXPECT_EQ(slob_entry_id(*slob_entry_at(b, 1)), 8);
	EXPECT_EQ(slob_block_find(b, 33), SLOB_NONE);
	EXPECT_EQ(slob_block_entry_of(b, test_page + 4 * 8), 1);
	EXPECT_EQ(slob_block_entry_of(b, test_page + 5 * 8), SLOB_NONE);
	EXPECT_EQ(slob_block_entry_of(b, test_page + 4 * 8 + 1), SLOB_NONE);
}

TEST(slob, block_holds_what_it_should)
{
	static const u16 shapes[][2] = { { 1, 1 }, { 2, 1 }, { 3, 1 }, { 8, 8 }, { 64, 64 }, { 128, 128 }, { 250, 1 },
					 { 251, 1 }, { 256, 256 }, { 503, 1 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct slob_block *b = fresh_block();
		unsigned int n = 0;

		while (slob_block_take(b, shapes[i][0], shapes[i][1], 1) != SLOB_NONE)
			n++;
		EXPECT_EQ(n, slob_block_capacity(shapes[i][0], shapes[i][1]));
		EXPECT(n > 0);
	}
	/* 8 bytes and an entry of 4 each. */
	EXPECT_EQ(slob_block_capacity(1, 1), (PAGE_SIZE - sizeof(struct slob_block)) / 12);
}

/* The directory against a map of units; the objects' bytes are left alone. */
TEST(slob, directory_agrees_with_a_map)
{
	static u16 owner[512] __memsys; /* of each unit: the id of its object, or 0 */
	struct slob_block *b = fresh_block();
	u64 seed = test_seed;
	unsigned int id = 0;

	memset(owner, 0, sizeof(owner));
	memset(test_page, 0xa5, SLOB_BLOCK_UNITS * SLOB_UNIT);
	for (unsigned int step = 0; step < test_scaled(20000); step++) {
		u64 r = test_random(&seed);
		unsigned int unit = (unsigned int)(r >> 32) % SLOB_BLOCK_UNITS, i = slob_block_find(b, unit);

		EXPECT_EQ(i == SLOB_NONE ? 0 : slob_entry_id(*slob_entry_at(b, i)), owner[unit]);
		if (i != SLOB_NONE) {
			slob_entry_t e = *slob_entry_at(b, i);

			slob_block_give(b, i);
			memset(owner + slob_entry_start(e), 0, slob_entry_units(e) * sizeof(owner[0]));
		} else {
			unsigned int units = 1 + (unsigned int)(r >> 8) % (r & 0x80 ? 60 : 4);
			unsigned int align = 1u << (r & 7), start;

			id = id % 16000 + 1;
			start = slob_block_take(b, units, align, id);
			EXPECT(start != SLOB_NONE || align > 1 || b->largest < units);
			for (unsigned int u = 0; start != SLOB_NONE && u < units; u++) {
				EXPECT_EQ(owner[start + u], 0);
				owner[start + u] = (u16)id;
			}
			EXPECT(start == SLOB_NONE || start % align == 0);
		}
		EXPECT_EQ(b->largest, slob_block_survey(b));
	}
	for (unsigned int u = 0; u < slob_block_limit(b->nr + 1u); u++)
		EXPECT(owner[u] || test_page[u * SLOB_UNIT] == 0xa5 || u >= slob_block_limit(341));
}

/* ---- On the heap ---- */

static bool same_page(const void *a, const void *b)
{
	return ((uintptr_t)a ^ (uintptr_t)b) < PAGE_SIZE;
}

static unsigned int quiet_verify(void)
{
	return heap_verify(NULL, NULL);
}

TEST(slob, objects_of_many_caches_share_a_page)
{
	struct kmem_cache *cache = kmem_cache_create("slob_test", 40, 0, SLAB_NO_MERGE, NULL);
	char *a = kmalloc(100, GFP_KERNEL), *b, *c;

	ASSERT(cache && a);
	b = kmem_cache_alloc(cache, GFP_KERNEL);
	c = kmalloc(24, GFP_KERNEL);
	ASSERT(b && c);
	EXPECT(same_page(a, b) && same_page(a, c));
	/* In units, not in classes. */
	EXPECT_EQ(ksize(a), 104);
	EXPECT_EQ(ksize(b), 40);
	EXPECT_EQ(ksize(c), 24);
	EXPECT_EQ(backend_cache_of(page_slab(heap_page(b)), b) == cache, 1);
	EXPECT_EQ(backend_object_of(page_slab(heap_page(b)), b + 39) == b, 1);
	kmem_cache_free(cache, b);
	EXPECT_EQ(backend_cache_of(page_slab(heap_page(b)), b) == NULL, 1);
	kfree(a);
	kfree(c);
	kmem_cache_destroy(cache);
	EXPECT_EQ(quiet_verify(), 0);
	EXPECT_EQ(heap_errors(), 0);
}

TEST(slob, sizes_have_their_alignment)
{
	for (unsigned int size = 1; size <= KMALLOC_MAX_CACHE_SIZE; size += size < 300 ? 1 : 61) {
		unsigned int align = max(size & -size, 8u);
		char *a = kmalloc(size, GFP_KERNEL), *b = kmalloc(size, GFP_KERNEL);

		ASSERT(a && b);
		EXPECT_EQ(((uintptr_t)a | (uintptr_t)b) & (align - 1), 0);
		EXPECT(ksize(a) >= size);
		memset(a, 1, size);
		memset(b, 2, size);
		EXPECT_EQ(a[size - 1], 1);
		kfree(a);
		kfree(b);
	}
	EXPECT_EQ(quiet_verify(), 0);
}

TEST(slob, two_halves_fit_a_page)
{
	char *a = kmalloc(2048, GFP_KERNEL), *b = kmalloc(2048, GFP_KERNEL), *c = kmalloc(3200, GFP_KERNEL), *d;

	ASSERT(a && b && c);
	EXPECT(same_page(a, b));
	EXPECT(page_slab(heap_page(a))->cache != NULL);
	d = kmalloc(800, GFP_KERNEL); /* what 3200 leave */
	EXPECT(page_slab(heap_page(c))->cache == NULL);
	EXPECT(same_page(c, d));
	kfree(a);
	kfree(b);
	kfree(c);
	kfree(d);
}

static unsigned long heap_pages(void)
{
	unsigned long pages = 0;

	for (unsigned int nid = 0; nid < heap.nodes; nid++)
		if (slob_nodes[nid])
			pages += slob_nodes[nid]->nr_blocks;
	return pages;
}

TEST(slob, pages_go_back_when_empty)
{
	static void *objects[3000] __memsys;
	unsigned long before = heap_pages(), most;
	u64 seed = test_seed;

	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = kmalloc(8 + test_random(&seed) % 250, GFP_KERNEL);
		ASSERT(objects[i]);
	}
	most = heap_pages();
	EXPECT_EQ(quiet_verify(), 0);
	/* 133 bytes on average and 4 to 7.5 of overhead; the last block and gaps. */
	EXPECT(most - before <= ARRAY_SIZE(objects) * 146ul / PAGE_SIZE + 4);
	for (unsigned int i = ARRAY_SIZE(objects); i > 1; i--) {
		unsigned int j = (unsigned int)(test_random(&seed) % i);
		void *o = objects[j];

		objects[j] = objects[i - 1];
		objects[i - 1] = o;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		kfree(objects[i]);
	EXPECT_EQ(heap_pages(), before);
	EXPECT_EQ(quiet_verify(), 0);
}

/* One report each, and nothing changes. */
TEST(slob, misuse_is_recognised)
{
	struct kmem_cache *cache = kmem_cache_create("slob_test", 40, 0, SLAB_NO_MERGE, NULL);
	char *a, *b = kmalloc(40, GFP_KERNEL), *keep = kmalloc(8, GFP_KERNEL);
	unsigned long errors = heap_errors();
	int local = 0;

	ASSERT(cache && b && keep);
	a = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(a);
	test_capture_begin();
	kfree(a + 8);
	EXPECT_EQ(heap_errors(), errors + 1);
	kfree(a + 3);
	EXPECT_EQ(heap_errors(), errors + 2);
	kmem_cache_free(cache, b);
	EXPECT_EQ(heap_errors(), errors + 3);
	kfree(&local);
	EXPECT_EQ(heap_errors(), errors + 4);
	kfree(a);
	EXPECT_EQ(heap_errors(), errors + 4);
	kfree(a);
	EXPECT_EQ(heap_errors(), errors + 5);
	kmem_cache_free(cache, a);
	EXPECT_EQ(heap_errors(), errors + 6);
	test_capture_end();
	kfree(b);
	kfree(keep);
	EXPECT_EQ(heap_errors(), errors + 6);
	kmem_cache_destroy(cache);
	EXPECT_EQ(quiet_verify(), 0);
}

static unsigned int constructed __memsys;

static void construct(void *object)
{
	constructed++;
	memset(object, 0x5a, 24);
}

TEST(slob, constructor_runs_at_each_allocation)
{
	struct kmem_cache *cache = kmem_cache_create("slob_ctor", 24, 0, 0, construct);
	char *a, *b;

	ASSERT(cache);
	constructed = 0;
	a = kmem_cache_alloc(cache, GFP_KERNEL);
	b = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(a && b);
	EXPECT_EQ(constructed, 2);
	EXPECT_EQ(a[23] == 0x5a && b[0] == 0x5a, 1);
	kmem_cache_free(cache, a);
	kmem_cache_free(cache, b);
	kmem_cache_destroy(cache);
}

/* A reader may still look at a free object: its memory stays its cache's, and constructed. */
TEST(slob, typesafe_caches_keep_to_themselves)
{
	struct kmem_cache *cache = kmem_cache_create("slob_rcu", 64, 0, SLAB_TYPESAFE_BY_RCU, construct);
	char *a, *b, *other[64];

	ASSERT(cache);
	a = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(a);
	EXPECT(page_slab(heap_page(a))->cache == cache);
	rcu_read_lock();
	kmem_cache_free(cache, a);
	for (unsigned int i = 0; i < ARRAY_SIZE(other); i++) {
		other[i] = kmalloc(64, GFP_KERNEL);
		ASSERT(other[i]);
		memset(other[i], 0, 64);
	}
	EXPECT_EQ(a[0], 0x5a);
	EXPECT_EQ(a[23], 0x5a);
	rcu_read_unlock();
	b = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(b);
	EXPECT_EQ(b[0], 0x5a);
	kmem_cache_free(cache, b);
	for (unsigned int i = 0; i < ARRAY_SIZE(other); i++)
		kfree(other[i]);
	kmem_cache_destroy(cache);
	EXPECT_EQ(quiet_verify(), 0);
}

/* When no page is left, the gaps of whatever block has one serve. */
TEST(slob, last_gaps_serve_when_pages_are_out)
{
	char *large = kmalloc(3000, GFP_KERNEL), *small = NULL;
	struct page *hold = NULL, *page;
	unsigned int n = 0;

	ASSERT(large);
	while ((page = alloc_pages(GFP_NOWAIT | __GFP_HIGH | __GFP_MEMALLOC, 0))) {
		page->private_data = (uintptr_t)hold;
		hold = page;
	}
	while (n < 100 && (small = kmalloc(200, GFP_NOWAIT)) && !same_page(small, large))
		n++;
	EXPECT(small && same_page(small, large));
	EXPECT_EQ(quiet_verify(), 0);
	while (hold) {
		page = hold;
		hold = (struct page *)(uintptr_t)page->private_data;
		page->private_data = 0;
		__free_page(page);
	}
}

/* ---- Walks ---- */

struct walk {
	void *object;
	unsigned int calls;
};

static bool free_on_the_way(struct slab *slab, void *ctx)
{
	struct walk *w = ctx;

	w->calls++;
	if (w->object)
		kfree(w->object);
	w->object = NULL;
	/* It is still there, and empty. */
	EXPECT(slab->base != NULL);
	return true;
}

TEST(slob, slabs_stay_while_somebody_walks)
{
	struct kmem_cache *shared = kmem_cache_create("slob_walk", 40, 0, SLAB_NO_MERGE, NULL);
	struct kmem_cache *own = kmem_cache_create("slob_walk_rcu", 40, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	struct walk w = { 0 };

	ASSERT(shared && own);
	w.object = kmem_cache_alloc(shared, GFP_KERNEL);
	backend_for_each_slab(shared, free_on_the_way, &w);
	EXPECT_EQ(w.calls, 1);
	w.calls = 0;
	w.object = kmem_cache_alloc(own, GFP_KERNEL);
	backend_for_each_slab(own, free_on_the_way, &w);
	EXPECT_EQ(w.calls, 1);
	w.calls = 0;
	backend_for_each_slab(own, free_on_the_way, &w);
	backend_for_each_slab(shared, free_on_the_way, &w);
	EXPECT_EQ(w.calls, 0);
	kmem_cache_destroy(shared);
	kmem_cache_destroy(own);
	EXPECT_EQ(quiet_verify(), 0);
}

/* ---- The verifier: one finding for each damage ---- */

static char finding[160] __memsys;

static void remember(void *ctx, const char *line)
{
	(void)ctx;
	strscpy(finding, line, sizeof(finding));
}

static void expect_one(const char *invariant)
{
	finding[0] = 0;
	EXPECT_EQ(heap_verify(remember, NULL), 1);
	if (!strstr(finding, invariant))
		test_fail(__FILE__, __LINE__, "%s expected, not: %s", invariant, finding);
}

/* Puts @value in place of what is there, verifies, and puts it back. */
#define DAMAGE(place, value, invariant)                \
	do {                                           \
		__typeof__(place) _was = (place);      \
                                                       \
		(place) = (__typeof__(place))(value);  \
		expect_one(invariant);                 \
		(place) = _was;                        \
		EXPECT_EQ(quiet_verify(), 0);          \
	} while (0)

TEST(slob, verifier_finds_damaged_blocks)
{
	struct kmem_cache *cache = kmem_cache_create("slob_test", 40, 0, SLAB_NO_MERGE, NULL);
	struct kmem_cache *rest = kmem_cache_create("slob_rest", 1200, 0, SLAB_NO_MERGE, NULL);
	void *o[3], *hold[2];
	struct slob_block *b;
	struct slob_node *n;
	slob_entry_t *e;

	ASSERT(cache && rest);
	/* A block of its own: nothing else here is that large. */
	hold[0] = kmem_cache_alloc(rest, GFP_KERNEL);
	hold[1] = kmem_cache_alloc(rest, GFP_KERNEL);
	for (unsigned int i = 0; i < 3; i++)
		o[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(hold[0] && hold[1] && o[0] && o[1] && o[2]);
	b = slob_block_of(page_slab(heap_page(o[1])));
	n = slob_nodes[b->slab.node];
	e = slob_entry_at(b, slob_block_entry_of(b, o[1]));
	ASSERT(b->nr >= 2 && b->band != SLOB_BANDS);
	EXPECT_EQ(quiet_verify(), 0);

	DAMAGE(*e, *e + ((slob_entry_t)1 << SLOB_ID_BITS) * 500, "SB-I1");
	DAMAGE(b->largest, b->largest - 1, "SB-I2");
	DAMAGE(b->band, (b->band + 1) % SLOB_BANDS, "SB-I3");
	DAMAGE(*e, *e - ((slob_entry_t)1 << SLOB_ID_BITS), "SB-I4");
	DAMAGE(heap_page(o[1])->private_data, (uintptr_t)b + 8, "SB-I5");
	DAMAGE(n->nr_blocks, n->nr_blocks + 1, "SB-I5");
	DAMAGE(cache->node[b->slab.node]->shared, 4, "SB-I6");
	for (unsigned int i = 0; i < 3; i++)
		kmem_cache_free(cache, o[i]);
	kmem_cache_free(rest, hold[0]);
	kmem_cache_free(rest, hold[1]);
	kmem_cache_destroy(cache);
	kmem_cache_destroy(rest);
}

TEST(slob, verifier_finds_damaged_own_slabs)
{
	struct kmem_cache *cache = kmem_cache_create("slob_own", 64, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	struct kmem_cache_node *cn;
	struct slob_own *own;
	void *o;

	ASSERT(cache);
	o = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(o);
	own = slob_own_of(page_slab(heap_page(o)));
	cn = cache->node[own->slab.node];
	EXPECT_EQ(quiet_verify(), 0);
	DAMAGE(own->used[0], own->used[0] | 8, "SB-I7");
	DAMAGE(own->free, own->free - 1, "SB-I7");
	DAMAGE(cn->free, cn->free + 1, "SB-I7");
	DAMAGE(cn->slabs, cn->slabs + 1, "SB-I7");
	DAMAGE(cn->listed, 7, "SB-I7");
	DAMAGE(cn->empty, 1, "SB-I7");
	list_del(&own->slab.list);
	INIT_LIST_HEAD(&own->slab.list);
	expect_one("SB-I7");
	list_del(&own->slab.list);
	list_add(&own->slab.list, &cn->partial);
	EXPECT_EQ(quiet_verify(), 0);
	kmem_cache_free(cache, o);
	kmem_cache_destroy(cache);
}

#endif
