// SPDX-License-Identifier: MIT
/* Memory pools on one CPU: the reserve, resizing, poison, what the allocator behind is asked for. */
#include <octavo/page.h>
#include <octavo/verify.h>

#include "fault.h"
#include "harness.h"
#include "mm/slab/mempool.h"
#include "mm/slab/slab.h"
#include "pagebook.h"

/* An allocator of a few numbered elements that can be told to have none, and writes down what it was asked. */
#define STOCK 32
static struct {
	int left; /* how many it may still give */
	u32 out;  /* bit by element */
	gfp_t asked[8];
	unsigned int nr_asked;
	unsigned int strange;
	u64 data[STOCK];
} stock;

static void stock_reset(int left)
{
	memset(&stock, 0, sizeof(stock));
	stock.left = left;
}

static void *stock_alloc(gfp_t gfp, void *data)
{
	(void)data;
	if (stock.nr_asked < ARRAY_SIZE(stock.asked))
		stock.asked[stock.nr_asked++] = gfp;
	if (stock.left <= 0)
		return NULL;
	for (unsigned int i = 0; i < STOCK; i++)
		if (!(stock.out >> i & 1)) {
			stock.out |= 1u << i;
			stock.left--;
			return &stock.data[i];
		}
	return NULL;
}

static void stock_free(void *element, void *data)
{
	size_t i = (size_t)((u64 *)element - stock.data);

	(void)data;
	if (i >= STOCK || !(stock.out >> i & 1)) {
		stock.strange++;
		return;
	}
	stock.out &= ~(1u << i);
	stock.left++;
}

/* MP-I1, MP-I3: what is short goes to the reserve first. */
TEST(mempool, reserve_is_used_last_and_filled_first)
{
	mempool_t pool;
	void *e[4];

	stock_reset(3);
	ASSERT(mempool_init(&pool, 2, stock_alloc, stock_free, NULL) == 0);
	EXPECT(mempool_initialized(&pool) && mempool_is_saturated(&pool));
	EXPECT_EQ(stock.left, 1);
	e[0] = mempool_alloc(&pool, GFP_NOWAIT);
	EXPECT(mempool_is_saturated(&pool));
	e[1] = mempool_alloc(&pool, GFP_NOWAIT);
	e[2] = mempool_alloc(&pool, GFP_NOWAIT);
	EXPECT_EQ(pool.curr_nr, 0);
	EXPECT(e[0] && e[1] && e[2]);
	e[3] = mempool_alloc(&pool, GFP_NOWAIT);
	EXPECT(!e[3]);
	EXPECT(!mempool_alloc_preallocated(&pool));
	mempool_free(NULL, &pool);
	mempool_free(e[0], &pool);
	EXPECT_EQ(pool.curr_nr, 1);
	EXPECT_EQ(stock.left, 0);
	e[0] = mempool_alloc_preallocated(&pool);
	EXPECT(e[0]);
	for (unsigned int i = 0; i < 3; i++)
		mempool_free(e[i], &pool);
	EXPECT(mempool_is_saturated(&pool));
	EXPECT_EQ(pool.curr_nr, 2);
	EXPECT_EQ(stock.left, 1);
	mempool_exit(&pool);
	EXPECT(!mempool_initialized(&pool));
	mempool_exit(&pool);
	EXPECT_EQ(stock.left, 3);
	EXPECT_EQ(stock.strange, 0);
}

TEST(mempool, asks_without_reserves_of_the_machine)
{
	const gfp_t always = __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN;
	mempool_t pool;
	void *e;

	stock_reset(2);
	ASSERT(mempool_init(&pool, 1, stock_alloc, stock_free, NULL) == 0);
	stock.nr_asked = 0;
	e = mempool_alloc(&pool, GFP_KERNEL);
	EXPECT_EQ(stock.nr_asked, 1);
	EXPECT_EQ(stock.asked[0], (GFP_KERNEL | always) & ~(__GFP_DIRECT_RECLAIM | __GFP_IO));
	mempool_free(e, &pool);

	/* When neither has one, it is asked again with all that the caller allows; but __GFP_NOFAIL it never is. */
	stock.left = 0;
	e = mempool_alloc_preallocated(&pool);
	stock.nr_asked = 0;
	EXPECT(!mempool_alloc(&pool, GFP_NOWAIT | __GFP_IO));
	EXPECT_EQ(stock.nr_asked, 2);
	EXPECT_EQ(stock.asked[1], GFP_NOWAIT | __GFP_IO | always);
	stock.nr_asked = 0;
	EXPECT(!mempool_alloc(&pool, GFP_ATOMIC | __GFP_NOFAIL));
	EXPECT_EQ(stock.nr_asked, 1);
	EXPECT_EQ(stock.asked[0], GFP_ATOMIC | always);
	mempool_free(e, &pool);
	stock.left = 1;
	mempool_exit(&pool);
}

TEST(mempool, requests_that_make_no_sense_are_refused)
{
	mempool_t pool = { 0 };

	test_capture_begin();
	EXPECT_EQ(mempool_init(&pool, 0, stock_alloc, stock_free, NULL), -EINVAL);
	EXPECT(strstr(test_capture_end(), "mempool_init: a reserve of 0 elements: expected at least 1"));
	test_capture_begin();
	EXPECT_EQ(mempool_init(&pool, 1, NULL, stock_free, NULL), -EINVAL);
	EXPECT(!mempool_create(1, stock_alloc, NULL, NULL));
	EXPECT(strstr(test_capture_end(), "without an allocator"));
	EXPECT(!mempool_initialized(&pool));
	mempool_destroy(NULL);
	stock_reset(5);
	ASSERT(mempool_init(&pool, 1, stock_alloc, stock_free, NULL) == 0);
	test_capture_begin();
	EXPECT_EQ(mempool_resize(&pool, 0), -EINVAL);
	EXPECT(!mempool_alloc(&pool, GFP_KERNEL | __GFP_ZERO));
	EXPECT(strstr(test_capture_end(), "mempool_alloc: __GFP_ZERO"));
	EXPECT_EQ(pool.min_nr, 1);
	mempool_exit(&pool);
	EXPECT_EQ(stock.left, 5);
}

/* MP-I1: growing, growing without memory, shrinking, with elements out. */
TEST(mempool, resize)
{
	mempool_t pool;
	void *e;

	stock_reset(10);
	ASSERT(mempool_init(&pool, 2, stock_alloc, stock_free, NULL) == 0);
	e = mempool_alloc(&pool, GFP_NOWAIT);
	EXPECT_EQ(mempool_resize(&pool, 6), 0);
	EXPECT_EQ(pool.min_nr, 6);
	EXPECT_EQ(pool.curr_nr, 6);
	EXPECT_EQ(stock.left, 3);
	EXPECT_EQ(mempool_resize(&pool, 20), 0);
	EXPECT_EQ(pool.curr_nr, 9);
	EXPECT_EQ(pool.capacity, 20);
	EXPECT(!mempool_is_saturated(&pool));
	mempool_free(e, &pool);
	EXPECT_EQ(pool.curr_nr, 10);
	EXPECT_EQ(mempool_resize(&pool, 3), 0);
	EXPECT_EQ(pool.curr_nr, 3);
	EXPECT_EQ(pool.capacity, 20);
	EXPECT_EQ(stock.left, 7);
	EXPECT_EQ(mempool_resize(&pool, 4), 0);
	EXPECT_EQ(pool.curr_nr, 4);
	mempool_exit(&pool);
	EXPECT_EQ(stock.left, 10);
	EXPECT_EQ(stock.strange, 0);
}

static void count_constructed(void *object)
{
	*(u32 *)object = 0x600d;
}

/* MP-I4: and a damaged element is reported once, by nr and address, whichever kind it is. */
TEST(mempool, poison_shows_writes_to_the_reserve)
{
	const bool was = mempool_poison;
	struct kmem_cache *cache = kmem_cache_create("mempool-plain", 40, 0, SLAB_NO_MERGE, NULL);
	mempool_t *pools[3];
	const unsigned long errors = mempool_errors;
	const char *text;

	ASSERT(cache);
	mempool_poison = true;
	pools[0] = mempool_create_slab_pool(2, cache);
	pools[1] = mempool_create_kmalloc_pool(2, 100);
	pools[2] = mempool_create_page_pool(2, 1);
	mempool_poison = was;
	for (unsigned int i = 0; i < 3; i++) {
		static const size_t sizes[] = { 40, 100, 2 * PAGE_SIZE };
		char expected[32];
		u8 *data;

		ASSERT(pools[i]);
		data = i == 2 ? page_address(pools[2]->elements[1]) : pools[i]->elements[1];
		ASSERT(data);
		EXPECT_EQ(data[0], 0x6b);
		EXPECT_EQ(data[sizes[i] - 2], 0x6b);
		EXPECT_EQ(data[sizes[i] - 1], 0xa5);
		data[sizes[i] - 1] ^= 1;
		test_capture_begin();
		mempool_free(mempool_alloc_preallocated(pools[i]), pools[i]);
		text = test_capture_end();
		EXPECT(strstr(text, "BUG: mempool element poison mismatch"));
		octavo_snprintf(expected, sizeof(expected), "size %lu\n", (unsigned long)sizes[i]);
		EXPECT(strstr(text, expected));
		EXPECT(strstr(text, " nr=1 @ 0x"));
		EXPECT(strstr(text, "... 6b 6b 6b 6b 6b 6b 6b 6b a4 \n"));
		EXPECT_EQ(data[sizes[i] - 1], 0xa5);
		test_capture_begin();
		mempool_free(mempool_alloc_preallocated(pools[i]), pools[i]);
		mempool_destroy(pools[i]);
		EXPECT_STREQ(test_capture_end(), "");
	}
	EXPECT_EQ(mempool_errors - errors, 3);
	kmem_cache_destroy(cache);
}

TEST(mempool, constructed_objects_are_not_poisoned)
{
	const bool was = mempool_poison;
	struct kmem_cache *cache = kmem_cache_create("mempool-ctor", 40, 0, 0, count_constructed);
	mempool_t *pool;
	u32 *object;

	ASSERT(cache);
	mempool_poison = true;
	pool = mempool_create_slab_pool(1, cache);
	mempool_poison = was;
	ASSERT(pool);
	object = mempool_alloc_preallocated(pool);
	ASSERT(object);
	EXPECT_EQ(*object, 0x600d);
	mempool_free(object, pool);
	mempool_destroy(pool);
	kmem_cache_destroy(cache);
}

/* ---- Every allocation failing in turn ---- */

static void check_world(void *ctx)
{
	const char *why = census_check(NULL, 0);

	(void)ctx;
	if (why)
		test_fail(__FILE__, __LINE__, "%s", why);
}

static bool pages_life(void *ctx)
{
	mempool_t *pool = mempool_create_page_pool(3, 1);
	void *e[6];
	bool ok;

	(void)ctx;
	if (!pool)
		return false;
	for (unsigned int i = 0; i < 3; i++) {
		e[i] = mempool_alloc(pool, GFP_KERNEL); /* the reserve alone would do: never fails */
		EXPECT(e[i]);
	}
	ok = mempool_resize(pool, 6) == 0;
	for (unsigned int i = 0; i < 3; i++)
		mempool_free(e[i], pool);
	EXPECT(pool->curr_nr >= 3);
	EXPECT(pool->curr_nr <= pool->min_nr);
	mempool_destroy(pool);
	return ok;
}

TEST(mempool, each_allocation_failing)
{
	EXPECT(pages_life(NULL)); /* what the heap keeps for itself is there before the census */
	census_begin();
	EXPECT(fault_each(pages_life, check_world, NULL) >= 3);
	EXPECT_EQ(bad_pages(), 0);
}
