// SPDX-License-Identifier: MIT
/*
 * Pools of compressed pages, all three kinds in one suite: contents against a book of what was written, limits,
 * density, compaction, failing allocations, and damage that the verifier must see.
 */
#include <octavo/fault.h>
#include <octavo/highmem.h>
#include <octavo/numa.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "fault.h"
#include "harness.h"
#include "mm/base/findings.h"
#include "mm/phys/vmstat.h"
#include "mm/phys/zone.h"
#include "mm/zswap/zpool.h"
#include "mm/zswap/zsmalloc.h"
#include "pagebook.h"

#define OBJECTS 600u
#define GFP_POOL (GFP_NOWAIT | __GFP_NORETRY | __GFP_HIGHMEM)

struct object {
	unsigned long handle; /* 0: none */
	u32 size, seed;
};

struct book {
	const struct zpool_driver *driver;
	void *pool;
	struct object objects[OBJECTS];
	u8 data[PAGE_SIZE], bounce[PAGE_SIZE];
	unsigned int live;
};

static struct book *book_open(const struct zpool_driver *driver)
{
	struct book *b = kvzalloc(sizeof(*b), GFP_KERNEL);

	if (!b)
		return NULL;
	b->driver = driver;
	b->pool = driver->create("test");
	if (b->pool)
		return b;
	kvfree(b);
	return NULL;
}

static void pattern(u8 *p, u32 size, u32 seed)
{
	u64 state = seed + 1;

	for (u32 i = 0; i < size; i++)
		p[i] = (u8)(test_random(&state) >> 33);
}

static int put(struct book *b, unsigned int i, u32 size, u32 seed)
{
	struct object *o = &b->objects[i];
	int err = b->driver->malloc(b->pool, size, GFP_POOL, NUMA_NO_NODE, &o->handle);

	if (err) {
		o->handle = 0;
		return err;
	}
	o->size = size;
	o->seed = seed;
	pattern(b->data, size, seed);
	b->driver->write(b->pool, o->handle, b->data, size);
	b->live++;
	return 0;
}

static void drop(struct book *b, unsigned int i)
{
	if (!b->objects[i].handle)
		return;
	b->driver->free(b->pool, b->objects[i].handle);
	b->objects[i].handle = 0;
	b->live--;
}

static bool good(struct book *b, unsigned int i)
{
	const struct object *o = &b->objects[i];
	const u8 *at;
	bool same;

	pattern(b->data, o->size, o->seed);
	at = b->driver->read_begin(b->pool, o->handle, o->size, b->bounce);
	same = !memcmp(at, b->data, o->size);
	b->driver->read_end(b->pool, o->handle, at, b->bounce);
	return same;
}

static void complain(void *ctx, const char *line)
{
	(void)ctx;
	pr_err("%s\n", line);
}

/* ZS-I1, ZS-I2, ZS-I3, ZS-I4, ZB-I1, ZB-I2, ZB-I3. */
static unsigned int findings_of(struct book *b)
{
	struct findings f = { .report = complain };

	b->driver->verify(b->pool, &f);
	return f.n;
}

static bool all_good(struct book *b)
{
	for (unsigned int i = 0; i < OBJECTS; i++)
		if (b->objects[i].handle && !good(b, i))
			return false;
	return !findings_of(b);
}

static void book_close(struct book *b)
{
	for (unsigned int i = 0; i < OBJECTS; i++)
		drop(b, i);
	if (b->driver->total_pages(b->pool))
		test_fail(__FILE__, __LINE__, "%s: an empty pool has %lu pages", b->driver->type,
			  b->driver->total_pages(b->pool));
	EXPECT_EQ(findings_of(b), 0);
	b->driver->destroy(b->pool);
	kvfree(b);
}

#define FOR_EACH_DRIVER(d) for (const struct zpool_driver *const *d = zpool_drivers; *d; d++)

TEST(zpool, by_name)
{
	EXPECT(zpool_find("zsmalloc") == &zsmalloc_driver && zpool_find("zbud") == &zbud_driver);
	EXPECT(zpool_find("z3fold") == &z3fold_driver && !zpool_find("z") && !zpool_find(""));
}

/* Every size there is, twice, so that places beside are in use. */
TEST(zpool, all_sizes)
{
	FOR_EACH_DRIVER(d) {
		struct book *b = book_open(*d);
		unsigned int wrong = 0;

		ASSERT(b);
		for (u32 size = 1; size <= PAGE_SIZE; size += size < 200 ? 1 : 13) {
			for (unsigned int i = 0; i < 3; i++)
				wrong += put(b, i, size, size * 3 + i) != 0;
			wrong += !all_good(b);
			for (unsigned int i = 0; i < 3; i++)
				drop(b, i);
		}
		if (wrong)
			test_fail(__FILE__, __LINE__, "%s: %u", (*d)->type, wrong);
		EXPECT_EQ(put(b, 0, 0, 0), -ENOSPC);
		EXPECT_EQ(put(b, 0, PAGE_SIZE + 1, 0), -ENOSPC);
		book_close(b);
	}
}

static u32 random_size(u64 *state)
{
	u64 r = test_random(state) >> 20;

	switch (r % 4) {
	case 0:
		return 1 + (u32)(r >> 2) % PAGE_SIZE;
	case 1:
		return 1 + (u32)(r >> 2) % 200;
	default:
		return 1200 + (u32)(r >> 2) % 1600; /* as pages pack */
	}
}

static bool step(struct book *b, u64 *state)
{
	u64 r = test_random(state) >> 20;
	unsigned int i = (unsigned int)(r >> 8) % OBJECTS;

	if (r % 64 == 0 && b->driver->compact) {
		b->driver->compact(b->pool);
		return all_good(b);
	}
	if (b->objects[i].handle && !good(b, i))
		return false;
	if (b->objects[i].handle)
		drop(b, i);
	else
		(void)put(b, i, random_size(state), (u32)r);
	return r % 128 || all_good(b);
}

TEST(zpool, model)
{
	FOR_EACH_DRIVER(d) {
		struct book *b = book_open(*d);
		u64 state = test_seed;

		ASSERT(b);
		for (unsigned int n = 0; n < test_scaled(4000); n++)
			if (!step(b, &state)) {
				test_fail(__FILE__, __LINE__, "%s: step %u", (*d)->type, n);
				break;
			}
		EXPECT(all_good(b));
		book_close(b);
	}
}

/* Objects of the size that pages pack to: how many bytes of a hundred are theirs. */
static unsigned int density(const struct zpool_driver *driver)
{
	struct book *b = book_open(driver);
	unsigned long bytes = 0, pages;
	u64 state = 99;

	if (!b)
		return 0;
	for (unsigned int i = 0; i < OBJECTS; i++) {
		u32 size = 1000 + (u32)(test_random(&state) >> 20) % 15 * 100; /* as many as fill some zspages each */

		if (!put(b, i, size, i))
			bytes += size;
	}
	pages = driver->total_pages(b->pool);
	book_close(b);
	return pages ? (unsigned int)(bytes * 100 / (pages * PAGE_SIZE)) : 0;
}

TEST(zpool, density)
{
	unsigned int zsmalloc = density(&zsmalloc_driver), z3fold = density(&z3fold_driver);
	unsigned int zbud = density(&zbud_driver);

	if (zsmalloc < 85 || z3fold < zbud || zbud < 70)
		test_fail(__FILE__, __LINE__, "zsmalloc %u%%, z3fold %u%%, zbud %u%%", zsmalloc, z3fold, zbud);
}

TEST(zpool, zspages_are_counted)
{
	struct book *b = book_open(&zsmalloc_driver);
	unsigned long before = 0, after = 0;

	ASSERT(b);
	for_each_populated_zone(zone)
		before += zone_page_state_snapshot(zone, NR_ZSPAGES);
	for (unsigned int i = 0; i < 100; i++)
		EXPECT_EQ(put(b, i, 2000, i), 0);
	for_each_populated_zone(zone)
		after += zone_page_state_snapshot(zone, NR_ZSPAGES);
	EXPECT_EQ(after - before, b->driver->total_pages(b->pool));
	EXPECT(after > before);
	book_close(b);
	after = 0;
	for_each_populated_zone(zone)
		after += zone_page_state_snapshot(zone, NR_ZSPAGES);
	EXPECT_EQ(after, before);
}

/* Four of five objects go: what is left fits into few pages, and is what it was. */
TEST(zpool, compaction)
{
	struct book *b = book_open(&zsmalloc_driver);
	unsigned long full, holes, promised, freed;

	ASSERT(b);
	for (unsigned int i = 0; i < OBJECTS; i++)
		ASSERT(!put(b, i, i % 2 ? 2000 : 300, i));
	full = b->driver->total_pages(b->pool);
	for (unsigned int i = 0; i < OBJECTS; i++)
		if (i % 10 > 1)
			drop(b, i);
	holes = b->driver->total_pages(b->pool);
	promised = zs_compactable(b->pool);
	freed = b->driver->compact(b->pool);
	EXPECT(promised && freed >= promised);
	EXPECT_EQ(b->driver->total_pages(b->pool), holes - freed);
	EXPECT(b->driver->total_pages(b->pool) <= full / 4);
	EXPECT_EQ(zs_compactable(b->pool), 0);
	EXPECT_EQ(b->driver->compact(b->pool), 0);
	EXPECT(all_good(b));
	book_close(b);
}

/* One that is not written yet stays where it is. */
TEST(zpool, pinned_objects_do_not_move)
{
	struct book *b = book_open(&zsmalloc_driver);
	unsigned long handle;
	u64 location;

	ASSERT(b);
	for (unsigned int i = 0; i < 40; i++)
		ASSERT(!put(b, i, 2000, i));
	ASSERT(!b->driver->malloc(b->pool, 2000, GFP_POOL, NUMA_NO_NODE, &handle));
	location = ((struct zs_handle *)(uintptr_t)handle)->location;
	EXPECT(location & ZS_PINNED);
	for (unsigned int i = 0; i < 40; i++)
		if (i % 8)
			drop(b, i);
	b->driver->compact(b->pool);
	EXPECT(((struct zs_handle *)(uintptr_t)handle)->location == location);
	pattern(b->data, 2000, 77);
	b->driver->write(b->pool, handle, b->data, 2000);
	EXPECT(!(((struct zs_handle *)(uintptr_t)handle)->location & ZS_PINNED));
	b->objects[1] = (struct object){ .handle = handle, .size = 2000, .seed = 77 };
	b->live++;
	b->driver->compact(b->pool);
	EXPECT(all_good(b));
	book_close(b);
}

/* ---- Damage ---- */

TEST(zpool, damage_is_found)
{
	struct book *b = book_open(&zsmalloc_driver);
	struct zs_handle *handle;
	struct zspage *zspage;
	u64 location;
	u16 free;

	ASSERT(b);
	ASSERT(!put(b, 0, 2000, 1) && !put(b, 1, 2000, 2));
	handle = (struct zs_handle *)(uintptr_t)b->objects[0].handle;
	location = handle->location;
	zspage = zs_location_zspage(location);
	test_capture_begin();
	handle->location ^= 1;
	EXPECT_EQ(findings_of(b), 1); /* ZS-I1 */
	handle->location = location;
	free = zspage->free;
	zspage->free = (u16)zs_location_place(location);
	EXPECT(findings_of(b) >= 1); /* ZS-I2 */
	zspage->free = free;
	zspage->group ^= 1;
	EXPECT_EQ(findings_of(b), 1); /* ZS-I3 */
	zspage->group ^= 1;
	((struct zs_pool *)b->pool)->pages++;
	EXPECT_EQ(findings_of(b), 1); /* ZS-I4 */
	((struct zs_pool *)b->pool)->pages--;
	ClearPageZsmalloc(zspage->pages[0]);
	EXPECT_EQ(findings_of(b), 1);
	SetPageZsmalloc(zspage->pages[0]);
	test_capture_end();
	EXPECT_EQ(findings_of(b), 0);
	book_close(b);
}

/* ---- Each allocation failing ---- */

static void check_world(void *ctx)
{
	const char *why = census_check(NULL, 0);

	(void)ctx;
	if (why)
		test_fail(__FILE__, __LINE__, "%s", why);
}

static bool life(void *ctx)
{
	struct book *b = ctx;
	unsigned int failed = 0;

	for (unsigned int i = 0; i < 6; i++)
		failed += put(b, i, 300 + i * 620, i) == -ENOMEM;
	EXPECT(all_good(b));
	for (unsigned int i = 0; i < 6; i++)
		drop(b, i);
	EXPECT_EQ(b->driver->total_pages(b->pool), 0);
	return !failed;
}

TEST(zpool, each_allocation_failing)
{
	FOR_EACH_DRIVER(d) {
		struct book *b = book_open(*d);

		ASSERT(b);
		EXPECT(life(b)); /* what the heap keeps for itself is there before the census */
		census_begin();
		EXPECT(fault_each_among(FAIL_NTH_ALL, life, check_world, b) >= 8);
		book_close(b);
	}
	EXPECT_EQ(bad_pages(), 0);
}
