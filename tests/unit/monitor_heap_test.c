// SPDX-License-Identifier: MIT
/* The monitor's commands on the heap. */
#include <octavo/gfp.h>
#include <octavo/percpu.h>
#include <octavo/slab.h>

#include "mm/slab/info.h"
#include "shown.h"

static struct monitor mon = { .emit = shown_emit };

static int run(const char *command)
{
	return shown_run(&mon, command);
}

static unsigned long used_of(const char *name)
{
	struct cache_info info = { .number = ~0u };

	while (heap_cache_info_below(info.number, &info))
		if (!strcmp(info.name, name))
			return heap_objects_used(&info.counts);
	test_fail(__FILE__, __LINE__, "no cache %s", name);
	return 0;
}

static u64 last_address(void)
{
	const char *at = strstr(shown, "the latest at ");
	u64 value = 0;
	bool overflow;

	if (!at || !parse_u64(at + strlen("the latest at "), &value, &overflow))
		test_fail(__FILE__, __LINE__, "no address in: %s", shown);
	return value;
}

TEST(monitor_heap, allocates_and_frees)
{
	unsigned long before = used_of("kmalloc-128");

	EXPECT_EQ(run("kmalloc 100 GFP_KERNEL|__GFP_ZERO x3"), 0);
	expect_shown("k1: 3 x 100 bytes");
	EXPECT_EQ(used_of("kmalloc-128"), before + 3);
	EXPECT_EQ(run("kmalloc 16K"), 0);
	expect_shown("k2: 1 x 16384 bytes");
	EXPECT_EQ(run("list"), 0);
	expect_shown("k1: 3 x 100");
	expect_shown("k2: 1 x 16384");
	EXPECT_EQ(run("kfree k1"), 0);
	EXPECT_EQ(used_of("kmalloc-128"), before);
	EXPECT_EQ(run("kfree k1"), -ENOENT);
	EXPECT_EQ(run("kfree 2"), 0);
	EXPECT_EQ(run("kmalloc 64 x5"), 0);
	EXPECT_EQ(run("kfree all"), 0);
	EXPECT_EQ(run("list"), 0);
	EXPECT_STREQ(shown, "");
	EXPECT_EQ(run("verify"), 0);
}

TEST(monitor_heap, caches_come_and_go)
{
	EXPECT_EQ(run("kmem_cache create mine 200 align=64 SLAB_NO_MERGE|SLAB_RECLAIM_ACCOUNT"), 0);
	expect_shown("mine: ");
	EXPECT_EQ(run("kmem_cache create mine 200"), -EEXIST);
	EXPECT_EQ(run("kmem_cache alloc mine x10"), 0);
	expect_shown("k1: 10 x 200 bytes of mine");
	EXPECT_EQ(used_of("mine"), 10);
	EXPECT_EQ(run("slabinfo"), 0);
	expect_shown("\nmine                  10 ");
	EXPECT_EQ(run("kmem_cache destroy mine"), -EBUSY);
	expect_shown("objects k1 are allocated");
	EXPECT_EQ(run("kmem_cache free k1"), 0);
	EXPECT_EQ(used_of("mine"), 0);
	EXPECT_EQ(run("kmem_cache shrink mine"), 0);
	expect_shown("given back");
	EXPECT_EQ(run("kmem_cache destroy mine"), 0);
	EXPECT_EQ(run("kmem_cache alloc mine"), -ENOENT);
	EXPECT_EQ(run("kmem_cache destroy kmalloc-64"), -ENOENT);
	expect_shown("was not created here");
	EXPECT_EQ(run("kmem_cache alloc kmalloc-64 GFP_ATOMIC x2"), 0);
	EXPECT_EQ(run("kfree k1"), 0);
	EXPECT_EQ(run("verify"), 0);
}

TEST(monitor_heap, pictures)
{
	EXPECT_EQ(run("kmem_cache create pictured 512 SLAB_NO_MERGE"), 0);
	EXPECT_EQ(run("heap pictured"), 0);
	expect_shown("pictured has no slab");
	EXPECT_EQ(run("kmem_cache alloc pictured x3"), 0);
	EXPECT_EQ(run("heap pictured"), 0);
	if (strcmp(backend_name, "slob")) {
		expect_shown(" 3 used,");
		expect_shown("###");
	} else {
		/* 512 bytes are 32 cells, and each object may lie across one more */
		expect_shown("of this cache");
		expect_shown("################################");
	}
	EXPECT_EQ(run("heap"), 0);
	expect_shown("pictured");
	expect_shown(" 3 of ");
	expect_shown("back end ");
	EXPECT_EQ(run("slabtop"), 0);
	expect_shown(" Active / Total Objects (% used)    : ");
	expect_shown("  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME\n");
	expect_shown("K pictured\n");
	EXPECT_EQ(run("kfree all"), 0);
	EXPECT_EQ(run("kmem_cache destroy pictured"), 0);
	EXPECT_EQ(run("heap pictured"), -ENOENT);
}

/* The sizes in column @column (from 1) of slabtop's table never grow from line to line. */
static void expect_falling(unsigned int column)
{
	const char *line = strstr(shown, "CACHE SIZE NAME\n");
	u64 last = ~0ull;

	for (line = line ? strchr(line, '\n') : NULL; line && line[1]; line = strchr(line + 1, '\n')) {
		const char *s = line + 1;
		u64 value = 0;
		bool overflow;

		for (unsigned int i = 1;; i++) {
			while (*s == ' ')
				s++;
			if (i == column)
				break;
			while (*s && *s != ' ')
				s++;
		}
		EXPECT(parse_u64(s, &value, &overflow));
		EXPECT(value <= last);
		last = value;
	}
	EXPECT(last != ~0ull);
}

TEST(monitor_heap, slabtop_sorts)
{
	EXPECT_EQ(run("kmalloc 3000 x20"), 0);
	EXPECT_EQ(run("kmalloc 40 x500"), 0);
	EXPECT_EQ(run("slabtop -o"), 0);
	expect_falling(7);
	EXPECT_EQ(run("slabtop -s a"), 0);
	expect_falling(2);
	EXPECT_EQ(run("slabtop -so"), 0);
	expect_falling(1);
	EXPECT_EQ(run("slabtop -s l"), 0);
	expect_falling(5);
	EXPECT_EQ(run("slabtop -s n"), 0);
	EXPECT(strstr(shown, " kmalloc-16\n") < strstr(shown, " kmalloc-32\n"));
	EXPECT_EQ(run("slabtop -s x"), -EINVAL);
	EXPECT_EQ(run("slabtop now"), -EINVAL);
	EXPECT_EQ(run("slabtop -l"), 0);
	EXPECT_EQ(run("kfree all"), 0);
}

static unsigned int frames;

static void live_twice(struct monitor *m, void (*draw)(struct monitor *mon, void *arg, unsigned int rows), void *arg)
{
	for (frames = 0; frames < 2; frames++)
		draw(m, arg, 12);
}

TEST(monitor_heap, live_views_keep_to_their_rows)
{
	unsigned int lines = 0;

	mon.live = live_twice;
	EXPECT_EQ(run("slabtop -l"), 0);
	mon.live = NULL;
	EXPECT_EQ(frames, 2);
	for (const char *s = shown; *s; s++)
		lines += *s == '\n';
	EXPECT(lines > 12 && lines <= 24);
	EXPECT_EQ(run("verify"), 0);
}

TEST(monitor_heap, shrink_gives_pages_back)
{
	unsigned long free;

	/* the first round makes the CPU's magazine */
	for (unsigned int round = 0; round < 2; round++) {
		drain_all_pages(NULL);
		free = nr_free_pages();
		EXPECT_EQ(run("kmalloc 1000 x500"), 0);
		drain_all_pages(NULL);
		EXPECT(nr_free_pages() + 120 < free);
		EXPECT_EQ(run("kfree all"), 0);
		EXPECT_EQ(run("shrink"), 0);
		drain_all_pages(NULL);
	}
	EXPECT_EQ(nr_free_pages(), free);
	EXPECT_EQ(run("shrink kmalloc-1k"), 0);
	expect_shown("kmalloc-1k: 0 pages given back");
	EXPECT_EQ(run("shrink nothing"), -ENOENT);
	EXPECT_EQ(run("drop_caches 3"), 0);
	EXPECT_EQ(run("drop_caches 0"), -EINVAL);
}

TEST(monitor_heap, arguments_are_checked)
{
	static const char *const bad[] = {
		"kmalloc",	     "kmalloc 0",	      "kmalloc 5M",	       "kmalloc 100 GFP_NONE",
		"kmalloc 100 x0",    "kmalloc x",	      "kfree",		       "kfree k99",
		"kmem_cache",	     "kmem_cache alloc",      "kmem_cache alloc none", "kmem_cache create c",
		"kmem_cache create c 1", "kmem_cache create c 64 SLAB_NONE", "kmem_cache create c 64 align=x",
		"kmem_cache frob c", "kmem_cache shrink none", "kmem_cache free k9",   "forget",
		"forget k9",	     "poke",		      "poke k1 0",	       "heap none",
		"heap kmalloc-64 0", "stress heap none",      "drop_caches",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		unsigned int failures = mon.failures;

		if (run(bad[i]) >= 0 || !*shown || mon.failures != failures + 1)
			test_fail(__FILE__, __LINE__, "'%s' is accepted: %s", bad[i], shown);
	}
}

TEST(monitor_heap, poke_writes_near_objects)
{
	u8 *object;

	EXPECT_EQ(run("kmem_cache create poked 64 SLAB_NO_MERGE"), 0);
	EXPECT_EQ(run("kmem_cache alloc poked GFP_KERNEL|__GFP_ZERO"), 0);
	expect_shown("the latest at 0x");
	object = (u8 *)(uintptr_t)last_address();
	EXPECT_EQ(run("poke k1 128"), -EINVAL);
	EXPECT_EQ(run("poke k1 -65"), -EINVAL);
	EXPECT_EQ(run("poke k1 63"), 0);
	EXPECT_EQ(object[63], 0xff);
	EXPECT_EQ(object[62], 0);
	EXPECT_EQ(run("kfree k1"), 0);
	EXPECT_EQ(run("kmem_cache destroy poked"), 0);
}

TEST(monitor_heap, forgotten_objects_stay)
{
	unsigned long before = used_of("kmalloc-64");

	EXPECT_EQ(run("kmalloc 64 x4"), 0);
	EXPECT_EQ(run("forget k1"), 0);
	EXPECT_EQ(run("list"), 0);
	EXPECT_STREQ(shown, "");
	EXPECT_EQ(used_of("kmalloc-64"), before + 4);
}

TEST(monitor_heap, stress_leaves_nothing_behind)
{
	struct stress_heap s = { .ops = test_scaled(20000), .seed = test_seed };
	unsigned long free;

	stress_heap_cpu(&s);
	stress_heap_end(&s);
	kmem_cache_shrink(kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(64)]);
	EXPECT(s.allocs > s.ops / 4);
	EXPECT(s.moved > 0);
	EXPECT_EQ(s.bad, 0);
	EXPECT_EQ(s.cpus, 1);
	free = used_of("kmalloc-64");
	stress_heap_cpu(&s);
	stress_heap_end(&s);
	EXPECT_EQ(used_of("kmalloc-64"), free);
	EXPECT_EQ(run("stress heap 500"), 0);
	expect_shown(" 0 damaged");
	EXPECT_EQ(run("verify"), 0);
}

/* An object that somebody else wrote into is counted. */
TEST(monitor_heap, stress_sees_damage)
{
	struct stress_heap s = { .ops = 5000, .seed = test_seed };
	unsigned int i = 0;

	stress_heap_cpu(&s);
	EXPECT_EQ(s.bad, 0);
	while (i < STRESS_EXCHANGE && !s.exchange[i])
		i++;
	ASSERT(i < STRESS_EXCHANGE);
	((u8 *)s.exchange[i])[13] ^= 1;
	stress_heap_end(&s);
	EXPECT_EQ(s.bad, 1);
}

TEST(monitor_heap, per_cpu_memory)
{
	void __percpu *area = __alloc_percpu(6000, 8);
	char want[32];

	ASSERT(area);
	EXPECT_EQ(run("percpu"), 0);
	expect_shown(" areas of alloc_percpu(), ");
	octavo_snprintf(want, sizeof(want), " on each of %u CPUs", nr_cpu_ids);
	expect_shown(want);
	EXPECT(!strstr(shown, " 0B on each"));
	free_percpu(area);
}

TEST(monitor_heap, leaks_need_kmemleak)
{
	int ret = run("leak");

	EXPECT(ret == -ENOENT || !ret);
	expect_shown(ret ? "kmemleak is off" : "nothing is lost");
}

TEST(monitor_heap, what_was_poked_is_found)
{
	unsigned long errors = heap_errors();

	EXPECT_EQ(run("kmem_cache create guarded 64 SLAB_RED_ZONE|SLAB_CONSISTENCY_CHECKS"), 0);
	EXPECT_EQ(run("kmem_cache alloc guarded"), 0);
	EXPECT_EQ(run("poke k1 64"), 0);
	test_capture_begin();
	EXPECT_EQ(run("kfree k1"), 0);
	EXPECT(strstr(test_capture_end(), "BUG guarded (Not tainted): Right Redzone overwritten"));
	EXPECT_EQ(heap_errors(), errors + 1);
}
