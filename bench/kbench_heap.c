// SPDX-License-Identifier: MIT
/*
 * The heap's rows, as in kbench.c. kmalloc.SIZE: pair, bulk_alloc(N), bulk_free, random_free with a size that the
 * compiler does not know; kmalloc_const: with one that it does. kmem_cache.192: a cache; bulk_api_64: 64 objects by one
 * call and back by one, per object.
 */
#define KBENCH_BEHIND 10000
#include "kbench.h"

#include <octavo/gfp.h>
#include <octavo/slab.h>

#include "mm/base/compiler.h"
#include "mm/base/printk.h"

#define REPEATS KBENCH_REPEATS
#define PAIRS 1000u
#define BATCH 64u
#define OBJECTS_MAX 20000

static void *objects[OBJECTS_MAX];

static bool fill(size_t size, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		objects[i] = kmalloc(size, GFP_KERNEL);
		if (unlikely(!objects[i])) {
			while (i--)
				kfree(objects[i]);
			return false;
		}
	}
	return true;
}

static void drop(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		kfree(objects[i]);
}

static bool time_pair(struct kbench *b, size_t size, u64 *ticks)
{
	u64 begin = b->clock();

	for (unsigned int n = 0; n < PAIRS; n++) {
		void *p = kmalloc(size, GFP_KERNEL);

		if (unlikely(!p))
			return false;
		kfree(p);
	}
	*ticks = b->clock() - begin;
	return true;
}

static bool time_bulk(struct kbench *b, const struct kbench_case *c, bool shuffled, u64 *filled, u64 *emptied)
{
	u64 begin = b->clock();

	if (!fill(c->size, c->count))
		return false;
	*filled = b->clock() - begin;
	if (shuffled)
		kbench_shuffle(objects, c->count);
	begin = b->clock();
	drop(c->count);
	*emptied = b->clock() - begin;
	return true;
}

static void bench_kmalloc(struct kbench *b, const struct kbench_case *c)
{
	u64 pair[REPEATS], bulk[REPEATS], bulk_free[REPEATS], random_free[REPEATS], ignored;
	char name[64];
	bool ok = time_pair(b, c->size, &pair[0]) && time_bulk(b, c, true, &ignored, &ignored);

	for (unsigned int i = 0; ok && i < REPEATS; i++)
		ok = time_pair(b, c->size, &pair[i]);
	for (unsigned int i = 0; ok && i < REPEATS; i++)
		ok = time_bulk(b, c, false, &bulk[i], &bulk_free[i]);
	for (unsigned int i = 0; ok && i < REPEATS; i++)
		ok = time_bulk(b, c, true, &ignored, &random_free[i]);
	if (!ok) {
		kbench_fail(b, "%s: no memory for %lu objects of %u bytes\n", c->name, c->count, c->size);
		return;
	}
	octavo_snprintf(name, sizeof(name), "%s.pair", c->name);
	kbench_row(b, name, pair, PAIRS, "pair");
	octavo_snprintf(name, sizeof(name), "%s.bulk_alloc(%lu)", c->name, c->count);
	kbench_row(b, name, bulk, c->count, "op");
	octavo_snprintf(name, sizeof(name), "%s.bulk_free", c->name);
	kbench_row(b, name, bulk_free, c->count, "op");
	octavo_snprintf(name, sizeof(name), "%s.random_free", c->name);
	kbench_row(b, name, random_free, c->count, "op");
}

static void bench_constant(struct kbench *b, const struct kbench_case *c)
{
	u64 ticks[REPEATS], begin;

	for (unsigned int i = 0; i <= REPEATS; i++) {
		begin = b->clock();
		for (unsigned int n = 0; n < PAIRS; n++) {
			void *p = kmalloc(192, GFP_KERNEL);

			if (unlikely(!p)) {
				kbench_fail(b, "%s: no memory\n", c->name);
				return;
			}
			kfree(p);
		}
		ticks[i % REPEATS] = b->clock() - begin;
	}
	kbench_row(b, c->name, ticks, PAIRS, "pair");
}

static bool cache_pairs(struct kmem_cache *cache)
{
	for (unsigned int n = 0; n < PAIRS; n++) {
		void *p = kmem_cache_alloc(cache, GFP_KERNEL);

		if (unlikely(!p))
			return false;
		kmem_cache_free(cache, p);
	}
	return true;
}

static bool cache_bulks(struct kmem_cache *cache)
{
	for (unsigned int n = 0; n < PAIRS / 10; n++) {
		if (kmem_cache_alloc_bulk(cache, GFP_KERNEL, BATCH, objects) != (int)BATCH)
			return false;
		kmem_cache_free_bulk(cache, BATCH, objects);
	}
	return true;
}

static void bench_cache(struct kbench *b, const struct kbench_case *c)
{
	struct kmem_cache *cache = kmem_cache_create("kbench", c->size, 0, SLAB_NO_MERGE, NULL);
	u64 pair[REPEATS], bulk[REPEATS], begin;
	char name[64];
	bool ok = cache;

	for (unsigned int i = 0; ok && i <= REPEATS; i++) {
		begin = b->clock();
		ok = cache_pairs(cache);
		pair[i % REPEATS] = b->clock() - begin;
	}
	for (unsigned int i = 0; ok && i <= REPEATS; i++) {
		begin = b->clock();
		ok = cache_bulks(cache);
		bulk[i % REPEATS] = b->clock() - begin;
	}
	if (ok) {
		octavo_snprintf(name, sizeof(name), "%s.pair", c->name);
		kbench_row(b, name, pair, PAIRS, "pair");
		octavo_snprintf(name, sizeof(name), "%s.bulk_api_%u.alloc+free", c->name, BATCH);
		kbench_row(b, name, bulk, PAIRS / 10 * BATCH, "op");
	} else {
		kbench_fail(b, "%s: no memory\n", c->name);
	}
	kmem_cache_destroy(cache);
}

#define KMALLOC_BENCH(size_, count_) \
	KBENCH(kmalloc##size_, "kmalloc." #size_, bench_kmalloc, .count = count_, .size = size_)

KMALLOC_BENCH(8, 20000);
KMALLOC_BENCH(16, 20000);
KMALLOC_BENCH(32, 20000);
KMALLOC_BENCH(64, 20000);
KMALLOC_BENCH(96, 20000);
KMALLOC_BENCH(128, 20000);
KMALLOC_BENCH(192, 20000);
KMALLOC_BENCH(256, 20000);
KMALLOC_BENCH(512, 20000);
KMALLOC_BENCH(1024, 20000);
KMALLOC_BENCH(2048, 20000);
KMALLOC_BENCH(4096, 4000);
KMALLOC_BENCH(8192, 4000);
KBENCH(constant, "kmalloc_const.192.pair", bench_constant, .count = PAIRS, .size = 192);
KBENCH(cache, "kmem_cache.192", bench_cache, .count = PAIRS, .size = 192);
