// SPDX-License-Identifier: MIT
/* slab_debug= and its relatives on the command line; two CPUs that free one object. */
#include <octavo/slab.h>
#include <octavo/usercopy.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/phys/page_alloc.h"
#include "mm/slab/backend.h"
#include "mm/slab/debug.h"
#include "schedules.h"

#define F SLAB_CONSISTENCY_CHECKS
#define Z SLAB_RED_ZONE
#define P SLAB_POISON
#define U SLAB_STORE_USER
#define ALL (F | Z | P | U)

static const struct bootinfo_range ram[] = { { 0, 0xa0000, E820_TYPE_RAM }, { 0x100000, 63 << 20, E820_TYPE_RAM } };

static const char *boot(const char *cmdline)
{
	struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .cmdline = cmdline, .map = ram, .map_nr = ARRAY_SIZE(ram) };
	const char *text;
	int err;

	hosted_reset();
	test_capture_begin();
	err = hosted_boot(&info, NULL);
	text = test_capture_end();
	EXPECT_EQ(err, 0);
	return text;
}

/* Debugging flags of the class of @size bytes. */
static slab_flags_t flags_of(size_t size)
{
	return kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(size)]->flags & (SLAB_DEBUG_FLAGS | SLAB_FAILSLAB);
}

TEST(slab_debug_boot, powers_of_two_stay_aligned)
{
	boot("slab_debug=FZPU");
	for (size_t size = 8; size <= KMALLOC_MAX_CACHE_SIZE; size *= 2) {
		void *objects[5];

		for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
			objects[i] = kmalloc(size, GFP_KERNEL);
			ASSERT(objects[i]);
			EXPECT_EQ((uintptr_t)objects[i] % size, 0);
		}
		kmem_cache_free_bulk(NULL, ARRAY_SIZE(objects), objects);
	}
	EXPECT_EQ(heap_errors(), 0);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}

/* Readers of objects that are free already must find what was there. */
TEST(slab_debug_boot, init_on_alloc_leaves_rcu_objects)
{
	static const slab_flags_t flags[] = { SLAB_NO_MERGE, SLAB_NO_MERGE | SLAB_TYPESAFE_BY_RCU };

	boot("init_on_alloc=1");
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		struct kmem_cache *cache = kmem_cache_create("seen-by-readers", 64, 0, flags[i], NULL);
		unsigned char *p, *q;

		ASSERT(cache);
		p = kmem_cache_alloc(cache, GFP_KERNEL);
		ASSERT(p);
		EXPECT_EQ(p[20], 0);
		p[20] = 5;
		kmem_cache_free(cache, p);
		q = kmem_cache_alloc(cache, GFP_KERNEL);
		if (q == p)
			EXPECT_EQ(p[20], i ? 5 : 0);
		kmem_cache_free(cache, q);
		q = kmem_cache_zalloc(cache, GFP_KERNEL);
		EXPECT_EQ(q[20], 0);
		kmem_cache_free(cache, q);
		kmem_cache_destroy(cache);
	}
}

TEST(slab_debug_boot, flags_for_all)
{
	static const struct {
		const char *cmdline;
		slab_flags_t flags;
	} rows[] = {
		{ "", 0 },
		{ "slab_debug", ALL },
		{ "slub_debug", ALL },
		{ "slab_debug=", ALL },
		{ "slab_debug=FZ", F | Z },
		{ "slab_debug=zputaf", ALL | SLAB_TRACE | SLAB_FAILSLAB },
		{ "slab_debug=-", 0 },
		{ "slab_debug slab_debug=-", 0 },
		{ "slab_debug=P slub_debug=U", U },
		{ "slab_debug=FZ;P", P },
		{ "slab_debug=U,nobody", 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = boot(rows[i].cmdline);

		EXPECT(!strstr(text, "unknown"));
		EXPECT(!strstr(text, "BUG"));
		printk_console(false); /* some of them trace */
		EXPECT_EQ(flags_of(8), rows[i].flags);
		EXPECT_EQ(flags_of(8192), rows[i].flags);
		kfree(kmalloc(100, GFP_KERNEL));
		EXPECT_EQ(heap_verify(NULL, NULL), 0);
		EXPECT_EQ(mm_verify(NULL, NULL), 0);
		EXPECT_EQ(heap_errors(), 0);
		printk_console(true);
	}
}

TEST(slab_debug_boot, flags_for_some)
{
	boot("slab_debug=FZ,kmalloc-64,kmalloc-1*;U,kmalloc-*;-,nobody");
	EXPECT_EQ(flags_of(64), F | Z);
	EXPECT_EQ(flags_of(16), F | Z);
	EXPECT_EQ(flags_of(128), F | Z);
	EXPECT_EQ(flags_of(192), F | Z);
	EXPECT_EQ(flags_of(1024), F | Z); /* kmalloc-1k */
	EXPECT_EQ(flags_of(8), U);
	EXPECT_EQ(flags_of(2048), U);

	boot("slab_debug=P;-,kmalloc-64;,kmalloc-8");
	EXPECT_EQ(flags_of(64), 0);
	EXPECT_EQ(flags_of(8), ALL);
	EXPECT_EQ(flags_of(8192), P); /* kmalloc-8k is not kmalloc-8 */
	EXPECT_EQ(flags_of(96), P);
}

TEST(slab_debug_boot, caches_that_keep_out)
{
	struct kmem_cache *cache;

	boot("slab_debug");
	cache = kmem_cache_create("keeps-out", 40, 0, SLAB_NO_USER_FLAGS, NULL);
	ASSERT(cache);
	EXPECT_EQ(cache->flags & SLAB_DEBUG_FLAGS, 0);
	kmem_cache_destroy(cache);
	cache = kmem_cache_create("no-leak-trace", 40, 0, SLAB_NOLEAKTRACE, NULL);
	ASSERT(cache);
	EXPECT_EQ(cache->flags & SLAB_DEBUG_FLAGS, F | Z | P);
	kmem_cache_destroy(cache);
	/* a debugged cache merges with none */
	cache = kmem_cache_create("alone", 64, 0, 0, NULL);
	ASSERT(cache);
	EXPECT_STREQ(kmem_cache_name(cache), "alone");
	EXPECT_EQ(cache->refcount, 1);
	kmem_cache_destroy(cache);
}

TEST(slab_debug_boot, merging)
{
	static const struct {
		const char *cmdline;
		bool merges;
	} rows[] = { { "", true }, { "slab_nomerge", false }, { "slub_nomerge slab_merge", true } };

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kmem_cache *a, *b;

		EXPECT(!strstr(boot(rows[i].cmdline), "Unknown kernel command line"));
		a = kmem_cache_create("first", 72, 0, 0, NULL);
		b = kmem_cache_create("second", 72, 0, 0, NULL);
		ASSERT(a && b);
		EXPECT_EQ(a == b, rows[i].merges);
		kmem_cache_destroy(a);
		kmem_cache_destroy(b);
	}
}

TEST(slab_debug_boot, no_larger_slabs)
{
	boot("slab_debug=FZPUO");
	EXPECT_EQ(flags_of(64), ALL);
	EXPECT_EQ(flags_of(4096), F); /* would need more than a page; checks take no room */
	EXPECT_EQ(flags_of(8192), F);
	boot("slab_debug=FZPU");
	EXPECT_EQ(flags_of(4096), ALL);
}

TEST(slab_debug_boot, unknown_letters_are_named)
{
	const char *text = boot("slab_debug=FqZ");

	EXPECT(strstr(text, "slab_debug option 'q' unknown. skipped\n"));
	EXPECT_EQ(flags_of(64), F | Z);
}

TEST(slab_debug_boot, orders)
{
	boot("");
	EXPECT_EQ(slab_min_order, 0);
	EXPECT_EQ(slab_max_order, 3);
	EXPECT_EQ(slab_min_objects, 0);
	boot("slab_min_order=2 slub_max_order=1 slab_min_objects=7");
	EXPECT_EQ(slab_min_order, 1);
	EXPECT_EQ(slab_max_order, 1);
	EXPECT_EQ(slab_min_objects, 7);
	boot("slab_max_order=99 slab_min_order=5");
	EXPECT_EQ(slab_min_order, 5);
	EXPECT_EQ(slab_max_order, MAX_PAGE_ORDER);
	boot("slab_max_order=0");
	EXPECT_EQ(kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(2048)]->order, 0);
	EXPECT(kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(8192)]->order); /* it must be */
	boot("slab_min_order=2 slab_min_objects=1000");
	if (!strcmp(backend_name, "slub")) {
		EXPECT_EQ(kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(8)]->order, 2);
		EXPECT_EQ(kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(16)]->order, 2);
		EXPECT_EQ(kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(32)]->order, 3);
	}
	EXPECT(strstr(boot("slab_min_order=x"), "Malformed early option 'slab_min_order': value 'x' ignored\n"));
	EXPECT_EQ(slab_min_order, 0);
}

TEST(slab_debug_boot, alignment_and_disjointness_hold)
{
	static void *objects[14][20];

	boot("slab_debug");
	for (unsigned int i = 1; i < NR_KMALLOC_CLASSES; i++)
		for (unsigned int j = 0; j < 20; j++) {
			size_t size = kmem_cache_size(kmalloc_caches[KMALLOC_NORMAL][i]) - j % 3;

			objects[i][j] = kmalloc(size, GFP_KERNEL);
			ASSERT(objects[i][j]);
			memset(objects[i][j], (int)(i * 20 + j), size);
			if (!(j % 3) && is_power_of_2(size))
				EXPECT_EQ((uintptr_t)objects[i][j] % size, 0);
		}
	for (unsigned int i = 1; i < NR_KMALLOC_CLASSES; i++)
		for (unsigned int j = 0; j < 20; j++) {
			EXPECT_EQ(*(u8 *)objects[i][j], (u8)(i * 20 + j));
			kfree(objects[i][j]);
		}
	EXPECT_EQ(heap_errors(), 0);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}

TEST(slab_debug_boot, user_copies_unchecked)
{
	struct kmem_cache *cache;
	void *p;

	boot("hardened_usercopy=off");
	cache = kmem_cache_create("secret", 64, 0, SLAB_NO_MERGE, NULL);
	ASSERT(cache);
	p = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(p);
	EXPECT(check_object_size(p, 64, true));
	EXPECT_EQ(usercopy_errors(), 0);
	EXPECT(strstr(boot("hardened_usercopy=maybe"), "Malformed early option 'hardened_usercopy'"));
}

/* ---- Two CPUs free one object ---- */

#define CPUS 3

static struct kmem_cache *shared_cache;
static void *shared_object;
static unsigned long errors_before;

static void race_setup(void *ctx)
{
	(void)ctx;
	shared_cache = kmem_cache_create("shared", 40, 0, ALL, NULL);
	/* the first keeps the slab */
	shared_object = shared_cache ? kmem_cache_alloc(shared_cache, GFP_KERNEL) : NULL;
	shared_object = shared_object ? kmem_cache_alloc(shared_cache, GFP_KERNEL) : NULL;
	errors_before = heap_errors();
}

static void race_work(unsigned int cpu, void *ctx)
{
	(void)cpu;
	(void)ctx;
	kmem_cache_free(shared_cache, shared_object);
}

/* HD-I2: each free but one is reported, and nothing is damaged */
static bool race_check(void *ctx)
{
	(void)ctx;
	return shared_object && heap_errors() == errors_before + CPUS - 1 && !heap_verify(NULL, NULL) &&
	       !slab_debug_validate(shared_cache);
}

TEST(slab_debug_race, frees_at_once_one_is_good)
{
	const struct scenario s = { .cpus = CPUS, .setup = race_setup, .work = race_work, .check = race_check };

	test_capture_begin();
	scenario_test(&s, 100);
	(void)test_capture_end();
}

/* One CPU checks the objects that others allocate and free: each is seen before or after, never half marked. */
static void beside_work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < test_scaled(300); i++) {
		void *p[8];

		if (!cpu) {
			(void)slab_debug_validate(shared_cache);
			continue;
		}
		for (unsigned int j = 0; j < ARRAY_SIZE(p); j++)
			p[j] = kmem_cache_alloc(shared_cache, GFP_KERNEL);
		for (unsigned int j = 0; j < ARRAY_SIZE(p); j++)
			kmem_cache_free(shared_cache, p[j]);
	}
}

/* HD-I1 */
TEST(slab_debug_race, validation_beside_work)
{
	race_setup(NULL);
	ASSERT(shared_object);
	ASSERT(!hosted_run_cpus(CPUS, beside_work, NULL));
	EXPECT_EQ(heap_errors(), errors_before);
	EXPECT_EQ(slab_debug_validate(shared_cache), 0);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}

TEST(slab_debug_race, frees_at_once_with_real_threads)
{
	for (unsigned int i = 0; i < test_scaled(20); i++) {
		char name[16];

		octavo_snprintf(name, sizeof(name), "shared-%u", i);
		race_setup(NULL);
		ASSERT(shared_object);
		test_capture_begin();
		ASSERT(!hosted_run_cpus(CPUS, race_work, NULL));
		(void)test_capture_end();
		EXPECT(race_check(NULL));
		test_capture_begin();
		kmem_cache_destroy(shared_cache);
		(void)test_capture_end();
	}
}
