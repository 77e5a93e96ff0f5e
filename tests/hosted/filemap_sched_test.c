// SPDX-License-Identifier: MIT
/*
 * The page cache under seeded interleavings and with threads: one CPU writes, truncates and punches and reads what it
 * must find, byte by byte; the others write back, drop, read ahead and fault the same pages in through a mapping
 * meanwhile, none of which may change what the file holds (PC-I3, PC-I4).
 */
#include <octavo/reclaim_hook.h>
#include <octavo/verify.h>

#include "hosted.h"
#include "mm/cache/filemap.h"
#include "mm/reclaim/reclaim.h"
#include "ramfile.h"
#include "schedules.h"
#include "tasks.h"

#ifdef OCTAVO_SCHED
#define SEEDS 25
#else
#define SEEDS 8
#endif
#define CPUS 3
#define PAGES 24u
#define BYTES (PAGES * (size_t)PAGE_SIZE)

static u8 store[RAM_FILE_BYTES], expected[BYTES], buffer[BYTES], other[2 * PAGE_SIZE];
static struct ram_file f;
static struct file *file, *second;
static struct test_process process;
static uintptr_t place;
static unsigned int rounds = 60, errors, stopped;
static u64 chance;
static bool large;
static char why[160];

static void fail(const char *what, u64 at, long long got, long long want)
{
	if (!atomic_fetch_add(&errors, 1))
		octavo_snprintf(why, sizeof(why), "%s at %llu: %lld, not %lld", what, (unsigned long long)at, got,
				want);
}

/* ---- The one who changes it ---- */

static void check_all(u64 size)
{
	s64 got = ram_file_read(file, buffer, BYTES, 0);

	if (got != (s64)size)
		fail("size read", 0, got, (long long)size);
	for (u64 i = 0; i < size; i++)
		if (buffer[i] != expected[i]) {
			fail("byte", i, buffer[i], expected[i]);
			return;
		}
}

static void change_it(void)
{
	u64 size = 0;

	for (unsigned int i = 0; i < rounds && !load_relaxed(&errors); i++) {
		u64 r = test_random(&chance), at = (r >> 16) % BYTES;
		s64 written;
		size_t n = min((size_t)(r >> 48) % (3 * PAGE_SIZE) + 1, BYTES - (size_t)at);

		switch (r % 4) {
		case 0:
			ram_file_truncate(&f, at);
			if (at < size)
				memset(expected + at, 0, BYTES - (size_t)at);
			size = at;
			break;
		case 1:
			ram_file_punch(&f, at, at + n - 1);
			memset(expected + at, 0, n);
			break;
		default:
			memset(buffer, (int)i + 1, n);
			written = ram_file_write(file, buffer, n, at);
			if (written != (s64)n)
				fail("write", at, written, (long long)n);
			memset(expected + at, (int)i + 1, n);
			size = max(size, at + n);
		}
		check_all(size);
		rcu_poll();
	}
	store_release(&stopped, 1);
}

/* ---- Those who must not ---- */

static void store_and_drop(u64 *r)
{
	const struct reclaim_request request = { .gfp = GFP_KERNEL, .highest = MAX_NR_ZONES - 1 };

	while (!load_acquire(&stopped)) {
		u64 x = test_random(r), at = (x >> 16) % BYTES;

		switch (x % 5) {
		case 4:
			(void)try_to_free_pages(&request);
			break;
		case 0:
			if (second->f_op->fsync(second, at, at + 3 * PAGE_SIZE, false))
				fail("fsync", at, 1, 0);
			break;
		case 1:
			(void)invalidate_mapping_pages(&f.inode.i_data, 0, ~0ul);
			break;
		case 2:
			(void)generic_fadvise(second, at, PAGE_SIZE, POSIX_FADV_WILLNEED);
			break;
		default:
			if (ram_file_read(second, other, sizeof(other), at) < 0)
				fail("read", at, -1, 0);
		}
		port_cpu_relax();
	}
}

static void fault_in(u64 *r)
{
	test_switch(&process.task);
	while (!load_acquire(&stopped)) {
		u64 x = test_random(r);
		u8 byte;

		/* Beyond the end it is refused. */
		(void)test_user_read(place + (uintptr_t)((x >> 8) % BYTES), &byte, 1);
		if (x % 16 == 0)
			(void)ksys_msync(place, BYTES, 2);
		port_cpu_relax();
	}
	test_switch(NULL);
}

static void work(unsigned int cpu, void *ctx)
{
	u64 r = cpu + 77;

	(void)ctx;
	if (!cpu)
		change_it();
	else if (cpu == 1)
		store_and_drop(&r);
	else
		fault_in(&r);
}

static void setup(void *ctx)
{
	(void)ctx;
	errors = stopped = 0;
	chance = test_seed;
	memset(store, 0, sizeof(store));
	memset(expected, 0, sizeof(expected));
	if (!ram_file_make(&f, store, 0, large))
		fail("file", 0, 0, 1);
	f.delay = 2;
	file = ram_file_open(&f);
	second = ram_file_open(&f);
	if (!test_process_start(&process))
		fail("process", 0, 0, 1);
	place = test_map_file(0, BYTES, PROT_READ, MAP_SHARED, file, 0);
	test_switch(NULL);
}

static bool check(void *ctx)
{
	bool good;

	(void)ctx;
	if (file->f_op->fsync(file, 0, ~(u64)0, false))
		fail("fsync", 0, 1, 0);
	for (u64 i = 0; i < i_size_read(&f.inode); i++)
		if (store[i] != expected[i])
			fail("stored", i, store[i], expected[i]);
	good = !mm_verify(NULL, NULL);
	test_switch(&process.task);
	test_process_exit(&process);
	fput(second);
	fput(file);
	ram_file_put(&f);
	good = good && f.evicted && !global_node_page_state(NR_FILE_PAGES) && !global_node_page_state(NR_FILE_MAPPED);
	if (errors)
		printk("filemap_sched: %s\n", why);
	return good && !errors && !mm_verify(NULL, NULL);
}

static const struct scenario scenario = { .cpus = CPUS, .setup = setup, .work = work, .check = check };

TEST(filemap_sched, small_folios)
{
	large = false;
	scenario_test(&scenario, test_scaled(SEEDS));
}

TEST(filemap_sched, large_folios)
{
	large = true;
	scenario_test(&scenario, test_scaled(SEEDS));
}

/* ---- The end of the file within a large folio ---- */

#define CUT (3 * PAGE_SIZE + 10)

static void cut_setup(void *ctx)
{
	setup(ctx);
	memset(buffer, 7, BYTES);
	if (ram_file_write(file, buffer, BYTES, 0) != (s64)BYTES)
		fail("write", 0, 0, 1);
}

static void cut_work(unsigned int cpu, void *ctx)
{
	u8 byte;

	(void)ctx;
	if (!cpu) {
		ram_file_truncate(&f, CUT);
		return;
	}
	test_switch(&process.task);
	for (uintptr_t at = place; at < place + 8 * PAGE_SIZE; at += PAGE_SIZE)
		(void)test_user_read(at, &byte, 1);
	test_switch(NULL);
}

/* What has been cut off is in no mapping, though its folio is still in the cache. */
static bool cut_check(void *ctx)
{
	bool good = true;
	u8 byte;

	test_switch(&process.task);
	for (uintptr_t at = place; at < place + 8 * PAGE_SIZE; at += PAGE_SIZE)
		good = good && test_user_read(at, &byte, 1) == (at < place + CUT);
	test_switch(NULL);
	memset(expected, 7, CUT);
	return check(ctx) && good;
}

TEST(filemap_sched, cut_within_a_folio)
{
	static const struct scenario cut = { .cpus = 2, .setup = cut_setup, .work = cut_work, .check = cut_check };

	large = true;
	scenario_test(&cut, test_scaled(200));
}

TEST(filemap_sched, with_threads)
{
	struct hosted_options options = { .quiet = true };

	large = true;
	rounds = test_scaled(400);
	ASSERT(!hosted_boot_default(&options));
	setup(NULL);
	ASSERT(!hosted_run_cpus(CPUS, work, NULL));
	EXPECT(check(NULL));
	rounds = 60;
}
