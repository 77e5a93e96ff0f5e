// SPDX-License-Identifier: MIT
/*
 * Pools and zswap with several CPUs: every copy is what its owner stored, while others store, load, compact, write back
 * and switch pools. ZS-I5, ZW-I1, ZW-I4. As threads, and in seeded interleavings.
 */
#include <octavo/highmem.h>
#include <octavo/numa.h>
#include <octavo/rcupdate.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "mm/base/findings.h"
#include "mm/zswap/zsmalloc.h"
#include "mm/zswap/zswap_internal.h"
#include "schedules.h"

#define CPUS 3u
#define EACH 40u
#define TYPE 21u

static const char *wrong;
static unsigned int rounds;

static void complain(void *ctx, const char *line)
{
	(void)ctx;
	pr_err("%s\n", line);
}

/* ---- Pools ---- */

static struct {
	const struct zpool_driver *driver;
	void *pool;
	struct {
		unsigned long handle;
		u32 size, seed;
	} mine[CPUS][EACH];
} shared;

static void pool_setup(void *ctx)
{
	memset(&shared, 0, sizeof(shared));
	wrong = NULL;
	shared.driver = ctx;
	shared.pool = shared.driver->create("cpus");
	if (!shared.pool)
		wrong = "no pool";
}

static void check_object(unsigned int cpu, unsigned int i)
{
	u8 bounce[3072];
	const u8 *at = shared.driver->read_begin(shared.pool, shared.mine[cpu][i].handle, shared.mine[cpu][i].size,
						 bounce);

	for (u32 k = 0; k < shared.mine[cpu][i].size; k++) {
		if (k % 64 == 0)
			port_cpu_relax();
		if (at[k] != (u8)(shared.mine[cpu][i].seed + k / 7))
			wrong = "an object is not what was written";
	}
	shared.driver->read_end(shared.pool, shared.mine[cpu][i].handle, at, bounce);
}

static void pool_step(unsigned int cpu, u64 r)
{
	static u8 data[CPUS][3072];
	unsigned int i = (unsigned int)(r >> 8) % EACH;

	if (r % 8 == 0 && shared.driver->compact) {
		shared.driver->compact(shared.pool);
		return;
	}
	if (shared.mine[cpu][i].handle) {
		check_object(cpu, i);
		if (r % 3) {
			shared.driver->free(shared.pool, shared.mine[cpu][i].handle);
			shared.mine[cpu][i].handle = 0;
		}
		return;
	}
	shared.mine[cpu][i].size = 700 + (u32)(r >> 16) % 3 * 900;
	shared.mine[cpu][i].seed = (u32)(r >> 30);
	if (shared.driver->malloc(shared.pool, shared.mine[cpu][i].size, GFP_KERNEL | __GFP_HIGHMEM, NUMA_NO_NODE,
				  &shared.mine[cpu][i].handle)) {
		shared.mine[cpu][i].handle = 0;
		return;
	}
	for (u32 k = 0; k < shared.mine[cpu][i].size; k++)
		data[cpu][k] = (u8)(shared.mine[cpu][i].seed + k / 7);
	shared.driver->write(shared.pool, shared.mine[cpu][i].handle, data[cpu], shared.mine[cpu][i].size);
}

static void pool_work(unsigned int cpu, void *ctx)
{
	u64 state = test_seed * 31 + cpu + 1;

	(void)ctx;
	for (unsigned int n = 0; n < rounds && !wrong; n++)
		pool_step(cpu, test_random(&state) >> 20);
}

static bool pool_check(void *ctx)
{
	struct findings f = { .report = complain };

	(void)ctx;
	if (wrong)
		return false;
	shared.driver->verify(shared.pool, &f);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		for (unsigned int i = 0; i < EACH; i++)
			if (shared.mine[cpu][i].handle) {
				check_object(cpu, i);
				shared.driver->free(shared.pool, shared.mine[cpu][i].handle);
			}
	if (f.n || wrong || shared.driver->total_pages(shared.pool))
		return false;
	shared.driver->destroy(shared.pool);
	return true;
}

TEST(zpool_cpus, interleavings)
{
	rounds = 60;
	for (const struct zpool_driver *const *d = zpool_drivers; *d; d++) {
		struct scenario s = { .cpus = CPUS, .setup = pool_setup, .work = pool_work, .check = pool_check,
				      .ctx = (void *)(uintptr_t)*d };

		scenario_test(&s, test_scaled(40));
	}
}

TEST(zpool_cpus, threads)
{
	rounds = test_scaled(6000);
	for (const struct zpool_driver *const *d = zpool_drivers; *d; d++) {
		pool_setup((void *)(uintptr_t)*d);
		ASSERT(!hosted_run_cpus(CPUS, pool_work, NULL));
		EXPECT(pool_check(NULL));
		if (wrong)
			test_fail(__FILE__, __LINE__, "%s: %s", (*d)->type, wrong);
	}
}

/*
 * CPU 0 reads one object, slowly, while CPU 1 makes holes, compacts, and has what is free written over: a place that
 * was left may not be used while it is being read.
 */
static unsigned int moves;

static void move_setup(void *ctx)
{
	(void)ctx;
	pool_setup((void *)(uintptr_t)&zsmalloc_driver);
	moves = 0;
}

static void put_object(unsigned int cpu, unsigned int i, u32 seed)
{
	static u8 data[2000];

	shared.mine[cpu][i].size = sizeof(data);
	shared.mine[cpu][i].seed = seed;
	for (u32 k = 0; k < sizeof(data); k++)
		data[k] = (u8)(seed + k / 7);
	if (shared.driver->malloc(shared.pool, sizeof(data), GFP_KERNEL, NUMA_NO_NODE, &shared.mine[cpu][i].handle))
		shared.mine[cpu][i].handle = 0;
	else
		shared.driver->write(shared.pool, shared.mine[cpu][i].handle, data, sizeof(data));
}

static void drop_object(unsigned int cpu, unsigned int i)
{
	if (shared.mine[cpu][i].handle)
		shared.driver->free(shared.pool, shared.mine[cpu][i].handle);
	shared.mine[cpu][i].handle = 0;
}

static void move_work(unsigned int cpu, void *ctx)
{
	static u32 ready;

	(void)ctx;
	if (!cpu) {
		put_object(0, 0, 77);
		store_release(&ready, 1u);
		for (unsigned int n = 0; n < 30 && !wrong; n++)
			check_object(0, 0);
		store_release(&ready, 0u);
		return;
	}
	while (!load_acquire(&ready))
		port_cpu_relax();
	for (unsigned int n = 0; n < 60 && load_acquire(&ready); n++) {
		for (unsigned int i = 0; i < 5; i++)
			put_object(1, i, n);
		for (unsigned int i = 6; i; i -= 2) /* the read object's neighbour last: that zspage is emptied then */
			drop_object(1, i - 2);
		moves += shared.driver->compact(shared.pool) != 0;
		for (unsigned int i = 0; i < 5; i += 2)
			put_object(1, i, n + 128);
		for (unsigned int i = 0; i < 5; i++)
			drop_object(1, i);
	}
}

/* ZS-I5 */
TEST(zpool_cpus, readers_of_what_is_moved)
{
	static const struct scenario s = { .cpus = 2, .setup = move_setup, .work = move_work, .check = pool_check,
					   .cmdline = "page_poison=1" };

	scenario_test(&s, test_scaled(60));
	EXPECT(moves > 0);
}

/* ---- zswap: each CPU has slots of its own, of chunks that all share ---- */

#define SLOTS (2 * ZSWAP_CHUNK_SLOTS)

static struct {
	struct page *pages[CPUS], *device;
	u32 stored[SLOTS], on_device[SLOTS]; /* seeds */
	u32 locked[SLOTS]; /* as the folio's lock in the swap cache would be */
	unsigned int writes;
} world;

static bool lock_slot(unsigned int i)
{
	return !atomic_xchg(&world.locked[i], 1u);
}

static void unlock_slot(unsigned int i)
{
	store_release(&world.locked[i], 0u);
}

static void fill(struct page *page, u32 seed)
{
	u32 *p = kmap_local_page(page);

	for (u32 k = 0; k < PAGE_SIZE / 4; k++)
		p[k] = k % 4 || seed % 5 == 0 ? seed : seed * k;
	kunmap_local(p);
}

static bool is_filled(struct page *page, u32 seed)
{
	const u32 *p = kmap_local_page(page);
	bool same = true;

	for (u32 k = 0; k < PAGE_SIZE / 4; k++)
		same = same && p[k] == (k % 4 || seed % 5 == 0 ? seed : seed * k);
	kunmap_local(p);
	return same;
}

/* Leaves the copy, so that zswap has to take it away itself while others may read it. */
static int writeback(swp_entry_t entry)
{
	unsigned int i = (unsigned int)swp_offset(entry);
	struct page *page;
	int err;

	if (!lock_slot(i))
		return -EEXIST;
	page = alloc_page(GFP_KERNEL);
	err = page ? zswap_load(entry, page) : -ENOMEM;
	if (!err && !is_filled(page, world.stored[i]))
		wrong = "what is written back is not what was stored";
	if (!err) {
		world.on_device[i] = world.stored[i];
		atomic_add_relaxed(&world.writes, 1u);
	}
	if (page)
		__free_page(page);
	unlock_slot(i);
	return err;
}

static const struct zswap_backing backing = { .writeback = writeback };

/* Takes its time before it looks at the copy, so that the copy may be taken away meanwhile. */
static long slow_compress(void *workspace, const void *src, void *dst, size_t room)
{
	return compressor_find("lz4")->compress(workspace, src, dst, room);
}

static int slow_decompress(void *workspace, const void *src, size_t len, void *dst)
{
	for (unsigned int i = 0; i < 60; i++)
		port_cpu_relax();
	return compressor_find("lz4")->decompress(workspace, src, len, dst);
}

ZSWAP_COMPRESSOR_NAMED(slow, "test-slow", .workspace = 65536, .compress = slow_compress,
		       .decompress = slow_decompress);

static void zswap_setup(void *ctx)
{
	(void)ctx;
	memset(&world, 0, sizeof(world));
	wrong = NULL;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		world.pages[cpu] = alloc_page(GFP_KERNEL);
	if (zswap_swapon(TYPE, SLOTS) || zswap_set_compressor(ctx ? "test-slow" : "lz4") || zswap_set_enabled(true))
		wrong = "no zswap";
	zswap_set_backing(&backing);
}

static void check_slot(unsigned int cpu, unsigned int i)
{
	int err = zswap_load(swp_entry(TYPE, i), world.pages[cpu]);

	if (err && (err != -ENOENT || (world.stored[i] && world.on_device[i] != world.stored[i])))
		wrong = "a copy is neither here nor on the device";
	if (!err && !is_filled(world.pages[cpu], world.stored[i]))
		wrong = "a copy is not what was stored";
}

static void zswap_step(unsigned int cpu, u64 r)
{
	unsigned int i = (unsigned int)(r >> 8) % (ZSWAP_CHUNK_SLOTS / 8) * 16 % SLOTS + cpu;

	switch (r % 16) {
	case 0:
		(void)zswap_writeback(NUMA_NO_NODE, 4);
		return;
	case 1:
		if (cpu == 0)
			(void)zswap_set_zpool(r & 64 ? "zsmalloc" : "z3fold");
		return;
	case 2:
		/* It is switched by this CPU alone. */
		if (cpu == 0 && zswap.current_pool && zswap.current_pool->driver->compact)
			(void)zswap.current_pool->driver->compact(zswap.current_pool->zpool);
		return;
	}
	while (!lock_slot(i))
		port_cpu_relax();
	check_slot(cpu, i);
	if (r % 3 == 0) {
		u32 seed = (u32)(r >> 20) | 1;

		fill(world.pages[cpu], seed);
		world.stored[i] = seed;
		world.on_device[i] = zswap_store(swp_entry(TYPE, i), world.pages[cpu]) ? 0 : seed;
	} else if (r % 3 == 1) {
		zswap_invalidate(swp_entry(TYPE, i), 1);
		world.stored[i] = world.on_device[i] = 0;
	}
	unlock_slot(i);
}

static void zswap_work(unsigned int cpu, void *ctx)
{
	u64 state = test_seed * 37 + cpu + 1;

	(void)ctx;
	for (unsigned int n = 0; n < rounds && !wrong; n++)
		zswap_step(cpu, test_random(&state) >> 20);
}

static bool zswap_check(void *ctx)
{
	unsigned int findings = mm_verify(complain, NULL);

	(void)ctx;
	for (unsigned int i = 0; i < SLOTS && !wrong; i++)
		check_slot(0, i);
	zswap_set_backing(NULL);
	zswap_swapoff(TYPE);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		__free_page(world.pages[cpu]);
	return !wrong && !findings && !zswap_stored_pages() && !zswap_pool_pages() && !mm_verify(complain, NULL);
}

TEST(zswap_cpus, interleavings)
{
	struct scenario s = { .cpus = CPUS, .setup = zswap_setup, .work = zswap_work, .check = zswap_check,
			      .ctx = &s, .cmdline = "page_poison=1" };

	rounds = 60;
	scenario_test(&s, test_scaled(60));
}

TEST(zswap_cpus, threads)
{
	rounds = test_scaled(5000);
	zswap_setup(NULL);
	ASSERT(!hosted_run_cpus(CPUS, zswap_work, NULL));
	EXPECT(zswap_check(NULL));
	EXPECT(world.writes > 0);
	if (wrong)
		test_fail(__FILE__, __LINE__, "%s", wrong);
}
