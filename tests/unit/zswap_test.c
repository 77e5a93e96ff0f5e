// SPDX-License-Identifier: MIT
/*
 * zswap with an area and a device of the test's own: copies against a book, limits and the threshold, writeback,
 * switching of pools, compressors that fail, failing allocations, and the files that show it. ZW-I1 to ZW-I5.
 */
#include <octavo/fault.h>
#include <octavo/highmem.h>
#include <octavo/numa.h>
#include <octavo/rcupdate.h>
#include <octavo/shrinker.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "fault.h"
#include "mm/base/findings.h"
#include "mm/phys/zone.h"
#include "mm/zswap/zswap_internal.h"
#include "pagebook.h"
#include "proc_text.h"

#define TYPE 21u
#define SLOTS 1200u /* several chunks */
#define PARAM "/sys/module/zswap/parameters/"
#define DEBUG "/sys/kernel/debug/zswap/"

/* What each slot should have: contents by seed; on the device by seed. 0: nothing. */
static struct {
	struct page *page, *want;
	u32 in_zswap[SLOTS], on_device[SLOTS];
	u32 cached[SLOTS]; /* writeback is refused: it is in the swap cache */
	unsigned int writes, fail_after;
	bool keep; /* does not take the copy away itself */
} world;

static swp_entry_t slot(unsigned int i)
{
	return swp_entry(TYPE, i);
}

/* Seeds 1 mod 8: noise; 2 mod 8: one word; others pack well. */
static void fill(struct page *page, u32 seed)
{
	u32 *p = kmap_local_page(page);
	u64 state = seed;

	for (unsigned int i = 0; i < PAGE_SIZE / 4; i++) {
		u64 r = test_random(&state);

		p[i] = seed % 8 == 1 ? (u32)(r >> 20) : seed % 8 == 2 ? seed : i % 3 ? seed : (u32)(r >> 48);
	}
	kunmap_local(p);
}

static bool is_filled(struct page *page, u32 seed)
{
	const void *a, *b;
	bool same;

	fill(world.want, seed);
	a = kmap_local_page(page);
	b = kmap_local_page(world.want);
	same = !memcmp(a, b, PAGE_SIZE);
	kunmap_local(b);
	kunmap_local(a);
	return same;
}

/* Swap's side: reads the copy, writes it to the device. */
static int device_writeback(swp_entry_t entry)
{
	unsigned int i = (unsigned int)swp_offset(entry);
	struct page *page;
	int err;

	if (swp_type(entry) != TYPE || i >= SLOTS)
		return -EINVAL;
	if (world.cached[i])
		return -EEXIST;
	if (world.fail_after && !--world.fail_after)
		return -EIO;
	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	err = zswap_load(entry, page);
	if (!err && !is_filled(page, world.in_zswap[i]))
		test_fail(__FILE__, __LINE__, "slot %u: not what was stored", i);
	__free_page(page);
	if (err)
		return err;
	world.on_device[i] = world.in_zswap[i];
	world.in_zswap[i] = 0;
	world.writes++;
	if (!world.keep)
		zswap_invalidate(entry, 1);
	return 0;
}

static const struct zswap_backing backing = { .writeback = device_writeback };

static bool begin(const char *pool)
{
	memset(&world, 0, sizeof(world));
	world.page = alloc_page(GFP_KERNEL);
	world.want = alloc_page(GFP_KERNEL);
	if (!world.page || !world.want || zswap_swapon(TYPE, SLOTS) || zswap_set_zpool(pool) || zswap_set_enabled(true))
		return false;
	zswap_set_backing(&backing);
	return true;
}

static void complain(void *ctx, const char *line)
{
	(void)ctx;
	pr_err("%s\n", line);
}

/* ZW-I1, ZW-I2, ZW-I3, ZW-I5. */
static unsigned int findings(void)
{
	return mm_verify(complain, NULL);
}

static void end(void)
{
	zswap_set_backing(NULL);
	zswap_swapoff(TYPE);
	EXPECT_EQ(zswap_stored_pages(), 0);
	EXPECT_EQ(zswap_pool_pages(), 0);
	EXPECT_EQ(findings(), 0);
	zswap_set_enabled(false);
	__free_page(world.page);
	__free_page(world.want);
}

static bool store(unsigned int i, u32 seed)
{
	bool kept;

	fill(world.page, seed);
	kept = zswap_store(slot(i), world.page);
	world.in_zswap[i] = kept ? seed : 0;
	world.on_device[i] = kept ? 0 : seed;
	return kept;
}

/* What a fault would see is right, wherever it is. */
static bool slot_good(unsigned int i)
{
	int err;

	memset_page(world.page, 0, 0xee, PAGE_SIZE);
	err = zswap_load(slot(i), world.page);
	return world.in_zswap[i] ? !err && is_filled(world.page, world.in_zswap[i]) : err == -ENOENT;
}

static unsigned int bad_slots(void)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < SLOTS; i++)
		bad += !slot_good(i);
	return bad;
}

TEST(zswap, off_keeps_nothing)
{
	world.page = alloc_page(GFP_KERNEL);
	ASSERT(world.page && !zswap_swapon(TYPE, SLOTS));
	EXPECT(!zswap_store(slot(1), world.page));
	EXPECT_EQ(zswap_load(slot(1), world.page), -ENOENT);
	zswap_invalidate(slot(0), SLOTS);
	zswap_swapoff(TYPE);
	__free_page(world.page);
}

TEST(zswap, there_and_back)
{
	for (const struct zpool_driver *const *d = zpool_drivers; *d; d++) {
		unsigned int kept = 0;

		ASSERT(begin((*d)->type));
		for (unsigned int i = 0; i < SLOTS; i += 3)
			kept += store(i, 1000 + i);
		/* One of eight is noise. */
		EXPECT_EQ(kept, SLOTS / 3 - SLOTS / 24);
		EXPECT_EQ(zswap_stored_pages(), kept);
		EXPECT_EQ(zswap.stats.same_filled_pages, SLOTS / 24);
		EXPECT_EQ(bad_slots(), 0);
		EXPECT_EQ(findings(), 0);
		/* Another copy takes the first one's place; noise takes it away. */
		for (unsigned int i = 0; i < SLOTS; i += 6)
			(void)store(i, 5000 + i);
		EXPECT_EQ(bad_slots(), 0);
		zswap_invalidate(slot(100), 700);
		memset(&world.in_zswap[100], 0, 700 * sizeof(u32));
		EXPECT_EQ(bad_slots(), 0);
		EXPECT_EQ(findings(), 0);
		end();
	}
	EXPECT_EQ(zswap.stats.decompress_fail, 0);
}

/* ---- Limits ---- */

/* ZW-I4: what is refused goes to the device; once full, nothing is taken until the threshold. */
TEST(zswap, limit_and_threshold)
{
	unsigned long limit, hits;
	unsigned int i = 0;

	ASSERT(begin("zsmalloc"));
	zswap_set_backing(NULL);
	zswap.params.max_pool_percent = 1;
	limit = totalram_pages() / 100;
	if (limit > SLOTS / 4)
		zswap.params.max_pool_percent = 0, limit = 0;
	for (; i < SLOTS && zswap_pool_pages() < limit; i++)
		(void)store(i, 8 * i + 3);
	EXPECT(zswap_pool_pages() >= limit);
	hits = zswap.stats.pool_limit_hit;
	EXPECT(!store(i, 3));
	EXPECT_EQ(zswap.stats.pool_limit_hit, hits + 1);
	EXPECT(zswap.stats.reject_reclaim_fail > 0);
	zswap.params.accept_threshold_percent = 50;
	for (unsigned int k = 0; k < i && zswap_pool_pages() > limit / 2; k++) {
		EXPECT(!store(SLOTS - 1, 3));
		zswap_invalidate(slot(k), 1);
		world.in_zswap[k] = 0;
	}
	if (limit)
		EXPECT(store(SLOTS - 1, 3));
	EXPECT_EQ(bad_slots(), 0);
	end();
}

/* A page that is refused has copies written back, the oldest that were not wanted first. */
TEST(zswap, writeback)
{
	for (unsigned int keep = 0; keep < 2; keep++) {
		unsigned long before;

		ASSERT(begin("zsmalloc"));
		world.keep = keep;
		for (unsigned int i = 0; i < 600; i++)
			(void)store(i, 8 * i + 3);
		for (unsigned int i = 0; i < 600; i += 7)
			world.cached[i] = 1;
		before = zswap.stats.written_back_pages;
		EXPECT_EQ(zswap_writeback(NUMA_NO_NODE, 100), 100);
		EXPECT_EQ(world.writes, 100);
		EXPECT_EQ(zswap.stats.written_back_pages - before, 100);
		EXPECT_EQ(zswap_stored_pages(), 500);
		EXPECT_EQ(findings(), 0);
		EXPECT_EQ(bad_slots(), 0);
		/* The hand goes round: all that can be written is, in the end, and then nothing more. */
		for (unsigned int n = 0; n < 100 && world.writes < 600 - 86; n++)
			(void)zswap_writeback(NUMA_NO_NODE, 50);
		EXPECT_EQ(world.writes, 600 - 86);
		EXPECT_EQ(zswap_writeback(NUMA_NO_NODE, 50), 0);
		for (unsigned int i = 0; i < 600; i++)
			EXPECT(!world.cached[i] == !world.in_zswap[i] && !world.cached[i] == !!world.on_device[i]);
		EXPECT_EQ(bad_slots(), 0);
		end();
	}
}

TEST(zswap, a_device_that_fails_loses_nothing)
{
	ASSERT(begin("zbud"));
	for (unsigned int i = 0; i < 300; i++)
		(void)store(i, 8 * i + 3);
	world.fail_after = 5;
	EXPECT(zswap_writeback(NUMA_NO_NODE, 20) >= 19);
	EXPECT_EQ(bad_slots(), 0);
	EXPECT_EQ(findings(), 0);
	end();
}

/* The second chance: a copy that was loaded survives one round. */
TEST(zswap, what_was_loaded_stays)
{
	ASSERT(begin("zsmalloc"));
	for (unsigned int i = 0; i < 100; i++)
		(void)store(i, 8 * i + 3);
	EXPECT_EQ(zswap_writeback(NUMA_NO_NODE, 1), 1); /* all have been passed once */
	for (unsigned int i = 2; i < 100; i += 2)
		EXPECT(slot_good(i));
	EXPECT_EQ(zswap_writeback(NUMA_NO_NODE, 49), 49);
	for (unsigned int i = 2; i < 100; i += 2)
		EXPECT(world.in_zswap[i]);
	end();
}

TEST(zswap, shrinker)
{
	unsigned long before;

	ASSERT(begin("zsmalloc"));
	for (unsigned int i = 0; i < 400; i++)
		(void)store(i, 8 * i + 3);
	drop_slab();
	EXPECT_EQ(world.writes, 0);
	EXPECT_EQ(proc_put(PARAM "shrinker_enabled", "Y\n"), 2);
	before = zswap_stored_pages();
	(void)shrink_slab(GFP_NOIO, 0, NULL, 0);
	EXPECT_EQ(world.writes, 0);
	for (unsigned int nid = 0; nid < 2; nid++)
		(void)shrink_slab(GFP_KERNEL, (int)nid, NULL, 0);
	EXPECT(world.writes > 0 && zswap_stored_pages() == before - world.writes);
	EXPECT_EQ(bad_slots(), 0);
	EXPECT_EQ(proc_put(PARAM "shrinker_enabled", "0"), 1);
	end();
}

/* ---- Pools come and go ---- */

TEST(zswap, switching_pools)
{
	ASSERT(begin("zsmalloc"));
	for (unsigned int i = 0; i < 100; i++)
		(void)store(i, 8 * i + 3);
	EXPECT_EQ(proc_put(PARAM "zpool", "zbud\n"), 5);
	for (unsigned int i = 100; i < 200; i++)
		(void)store(i, 8 * i + 3);
	EXPECT_EQ(proc_put(PARAM "zpool", "z3fold"), 6);
	for (unsigned int i = 200; i < 300; i++)
		(void)store(i, 8 * i + 3);
	EXPECT_EQ(bad_slots(), 0);
	EXPECT_EQ(findings(), 0);
	EXPECT(zswap.pools[0] && zswap.pools[1] && zswap.pools[2] && !zswap.pools[3]);
	/* The copies go, and their pool with them; the other one is found again. */
	zswap_invalidate(slot(0), 100);
	memset(world.in_zswap, 0, 100 * sizeof(u32));
	EXPECT(store(0, 3));
	EXPECT(!zswap.pools[0]);
	EXPECT_EQ(zswap_set_zpool("zbud"), 0);
	EXPECT(!zswap.pools[0] && zswap.current_pool == zswap.pools[1] && zswap.pools[2]);
	EXPECT_EQ(bad_slots(), 0);
	end();
}

TEST(zswap, names_that_are_none)
{
	ASSERT(begin("zsmalloc"));
	test_capture_begin();
	EXPECT_EQ(proc_put(PARAM "zpool", "zpool9\n"), -ENOENT);
	EXPECT_EQ(proc_put(PARAM "compressor", "none"), -ENOENT);
	EXPECT(strstr(test_capture_end(), "zswap: compressor none not available"));
	EXPECT_STREQ(proc_text(PARAM "zpool"), "zsmalloc\n");
	EXPECT_STREQ(proc_text(PARAM "compressor"), "lz4\n");
	end();
}

/* ---- A compressor that can be told to fail ---- */

static struct {
	unsigned int compress, decompress; /* every n-th call fails; 0: none */
	unsigned int calls;
	bool too_long;
} lame;

static long lame_compress(void *workspace, const void *src, void *dst, size_t room)
{
	if (lame.compress && ++lame.calls % lame.compress == 0)
		return lame.too_long ? (long)room + 1 : -EIO;
	return compressor_find("lz4")->compress(workspace, src, dst, room);
}

static int lame_decompress(void *workspace, const void *src, size_t len, void *dst)
{
	if (lame.decompress && ++lame.calls % lame.decompress == 0)
		return -EIO;
	return compressor_find("lz4")->decompress(workspace, src, len, dst);
}

ZSWAP_COMPRESSOR_NAMED(lame, "test-lame", .workspace = 65536, .compress = lame_compress, .decompress = lame_decompress);

TEST(zswap, a_failing_compressor)
{
	unsigned long fails;

	ASSERT(begin("zsmalloc"));
	EXPECT_EQ(zswap_set_compressor("test-lame"), 0);
	fails = zswap.stats.reject_compress_fail;
	for (unsigned int round = 0; round < 2; round++) {
		memset(&lame, 0, sizeof(lame));
		lame.compress = 3;
		lame.too_long = round;
		for (unsigned int i = 0; i < 300; i++)
			EXPECT(store(i, 8 * i + 3) == (i % 3 != 2));
	}
	EXPECT_EQ(zswap.stats.reject_compress_fail - fails, 200);
	EXPECT_EQ(findings(), 0);
	lame.compress = 0;
	EXPECT_EQ(bad_slots(), 0);
	/* It does not unpack: an error, and the copy is still there when it does. */
	lame.decompress = 1;
	EXPECT_EQ(zswap_load(slot(0), world.page), -EIO);
	EXPECT_EQ(zswap.stats.decompress_fail, 1);
	EXPECT_EQ(zswap_writeback(NUMA_NO_NODE, 20), 0);
	lame.decompress = 0;
	EXPECT_EQ(bad_slots(), 0);
	EXPECT_EQ(zswap_set_compressor("lz4"), 0);
	EXPECT_EQ(bad_slots(), 0);
	zswap.stats.decompress_fail = 0;
	end();
}

TEST(zswap, refusals_are_counted)
{
	unsigned long poor;

	ASSERT(begin("zsmalloc"));
	poor = zswap.stats.reject_compress_poor;
	EXPECT(!store(0, 1)); /* noise */
	EXPECT_EQ(zswap.stats.reject_compress_poor, poor + 1);
	EXPECT_EQ(findings(), 0);
	end();
}

/* ---- Each allocation failing ---- */

static bool life(void *ctx)
{
	unsigned int kept = 0;

	(void)ctx;
	for (unsigned int i = 0; i < SLOTS; i += 300)
		kept += store(i, 8 * i + 3);
	EXPECT_EQ(bad_slots(), 0);
	zswap_invalidate(slot(0), SLOTS);
	memset(world.in_zswap, 0, sizeof(world.in_zswap));
	rcu_barrier();
	EXPECT_EQ(zswap_pool_pages(), 0);
	return kept == 4;
}

static void check_world(void *ctx)
{
	const char *why = census_check(NULL, 0);

	(void)ctx;
	if (why)
		test_fail(__FILE__, __LINE__, "%s", why);
}

TEST(zswap, each_allocation_failing)
{
	ASSERT(begin("zsmalloc"));
	EXPECT(life(NULL));
	census_begin();
	EXPECT(fault_each_among(FAIL_NTH_ALL, life, check_world, NULL) >= 8);
	EXPECT(zswap.stats.reject_kmemcache_fail > 0 && zswap.stats.reject_alloc_fail > 0);
	end();
}

/* Setting up, and switching, without memory: as it was, and on once there is some. */
static bool switch_pool(void *ctx)
{
	bool ok;

	(void)ctx;
	test_capture_begin();
	ok = !zswap_set_zpool("zbud") && !zswap_set_compressor("test-lame");
	test_capture_end();
	if (!ok)
		EXPECT(zswap.current_pool && store(1, 3) && slot_good(1));
	(void)zswap_set_zpool("zsmalloc");
	(void)zswap_set_compressor("lz4");
	return ok;
}

static void check_copies(void *ctx)
{
	(void)ctx;
	EXPECT_EQ(findings(), 0);
}

TEST(zswap, switching_without_memory)
{
	ASSERT(begin("zsmalloc"));
	EXPECT(fault_each_among(FAIL_NTH_ALL, switch_pool, check_copies, NULL) >= 3);
	EXPECT_EQ(findings(), 0);
	end();
}

/* ---- Files ---- */

TEST(zswap, files)
{
	static const char *const figures[] = {
		"pool_limit_hit", "reject_reclaim_fail", "reject_alloc_fail", "reject_kmemcache_fail",
		"reject_compress_fail", "reject_compress_poor", "decompress_fail", "written_back_pages",
	};
	char path[80], want[32];

	ASSERT(begin("zsmalloc"));
	EXPECT_STREQ(proc_text(PARAM "enabled"), "Y\n");
	EXPECT_STREQ(proc_text(PARAM "compressor"), "lz4\n");
	EXPECT_STREQ(proc_text(PARAM "zpool"), "zsmalloc\n");
	EXPECT_STREQ(proc_text(PARAM "max_pool_percent"), "20\n");
	EXPECT_STREQ(proc_text(PARAM "accept_threshold_percent"), "90\n");
	EXPECT_STREQ(proc_text(PARAM "shrinker_enabled"), "N\n");
	EXPECT_EQ(proc_put(PARAM "max_pool_percent", "35\n"), 3);
	EXPECT_STREQ(proc_text(PARAM "max_pool_percent"), "35\n");
	EXPECT_EQ(proc_put(PARAM "max_pool_percent", "x"), -EINVAL);
	EXPECT_EQ(proc_put(PARAM "max_pool_percent", "-1"), -EINVAL);
	EXPECT_EQ(proc_put(PARAM "enabled", "maybe"), -EINVAL);
	for (unsigned int i = 0; i < 100; i++)
		(void)store(i, 8 * i + 2 + i % 2);
	for (unsigned int i = 0; i < ARRAY_SIZE(figures); i++) {
		octavo_snprintf(path, sizeof(path), DEBUG "%s", figures[i]);
		EXPECT_STREQ(proc_text(path), "0\n");
	}
	EXPECT_STREQ(proc_text(DEBUG "stored_pages"), "100\n");
	EXPECT_STREQ(proc_text(DEBUG "same_filled_pages"), "50\n");
	octavo_snprintf(want, sizeof(want), "%lu\n", zswap_pool_pages() << PAGE_SHIFT);
	EXPECT_STREQ(proc_text(DEBUG "pool_total_size"), want);
	EXPECT_EQ(proc_value("/proc/meminfo", "Zswapped:"), 400);
	EXPECT_EQ(proc_value("/proc/meminfo", "Zswap:"), zswap_pool_pages() * 4);
	EXPECT_EQ(proc_value("/proc/vmstat", "zswpout"), 100);
	EXPECT_EQ(bad_slots(), 0);
	EXPECT_EQ(proc_value("/proc/vmstat", "zswpin"), 100);
	EXPECT_EQ(zswap_writeback(NUMA_NO_NODE, 3), 3);
	EXPECT_EQ(proc_value("/proc/vmstat", "zswpwb"), 3);
	EXPECT_STREQ(proc_text(DEBUG "written_back_pages"), "3\n");
	EXPECT_EQ(proc_put(PARAM "enabled", "n"), 1);
	EXPECT(!store(700, 3));
	EXPECT(slot_good(99)); /* what is kept is kept */
	EXPECT_EQ(proc_put(PARAM "max_pool_percent", "20"), 2);
	end();
}
