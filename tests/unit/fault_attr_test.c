// SPDX-License-Identifier: MIT
/* Fault injection: each attribute of fail_page_alloc and failslab, files, counting to an Nth. FI-I1, FI-I2. */
#include <octavo/fault.h>
#include <octavo/gfp.h>
#include <octavo/reclaim_hook.h>
#include <octavo/slab.h>

#include "mm/phys/fault_attr.h"
#include "mm/slab/failslab.h"
#include "mm/slab/slab.h"
#include "proc_text.h"

#define SLAB_DIR "/sys/kernel/debug/failslab/"
#define PAGE_DIR "/sys/kernel/debug/fail_page_alloc/"
#define ATOMIC (GFP_ATOMIC | __GFP_NOWARN)

/* Bit i: the i-th of @nr allocations failed. */
static unsigned int page_failures(unsigned int nr, gfp_t gfp, unsigned int order)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < nr; i++) {
		struct page *page = alloc_pages(gfp, order);

		failed |= (unsigned int)!page << i;
		if (page)
			__free_pages(page, order);
	}
	return failed;
}

static unsigned int slab_failures(unsigned int nr, gfp_t gfp, size_t size)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < nr; i++) {
		void *p = kmalloc(size, gfp);

		failed |= (unsigned int)!p << i;
		kfree(p);
	}
	return failed;
}

/* The same attributes mean the same for pages and for objects. */
static void both(const struct fault_attr *attr, unsigned int nr, unsigned int pages, unsigned int objects)
{
	fail_page_alloc_set(attr);
	EXPECT_EQ(page_failures(nr, ATOMIC, 0), pages);
	fail_page_alloc_set(NULL);
	EXPECT_EQ(page_failures(nr, ATOMIC, 0), 0);
	failslab_set(attr);
	EXPECT_EQ(slab_failures(nr, ATOMIC, 64), objects);
	failslab_set(NULL);
	EXPECT_EQ(slab_failures(nr, ATOMIC, 64), 0);
}

TEST(fault_attr, interval_times_and_space)
{
	both(&(struct fault_attr){ .probability = 100, .times = -1 }, 8, 0xff, 0xff);
	both(&(struct fault_attr){ .probability = 0, .times = -1 }, 8, 0, 0);
	both(&(struct fault_attr){ .probability = 100, .times = 0 }, 8, 0, 0);
	both(&(struct fault_attr){ .probability = 100, .times = 3 }, 8, 0x07, 0x07);
	both(&(struct fault_attr){ .probability = 100, .times = -1, .interval = 3 }, 9, 0x124, 0x124);
	both(&(struct fault_attr){ .probability = 100, .times = 2, .interval = 2 }, 9, 0x0a, 0x0a);
	/* Budgets: of 3 pages two pass (the last does not exceed the third), of 200 bytes three objects of 64. */
	both(&(struct fault_attr){ .probability = 100, .times = -1, .space = 3 }, 5, 0x1c, 0x1f);
	failslab_set(&(struct fault_attr){ .probability = 100, .times = -1, .space = 200 });
	EXPECT_EQ(slab_failures(6, ATOMIC, 64), 0x38);
	failslab_set(NULL);
}

TEST(fault_attr, probability_is_a_percentage)
{
	const struct fault_attr attr = { .probability = 30, .times = -1 };
	unsigned int failed = 0;

	failslab_set(&attr);
	for (unsigned int i = 0; i < 100; i++)
		failed += (unsigned int)count_bits(slab_failures(32, ATOMIC, 32));
	failslab_set(NULL);
	/* 3200 draws: 960 expected, standard deviation 26; six of them */
	EXPECT(failed > 960 - 156 && failed < 960 + 156);
}

TEST(fault_attr, what_pages_exempt)
{
	struct fault_attr attr = { .probability = 100, .times = -1, .min_order = 2 };

	fail_page_alloc_set(&attr);
	EXPECT_EQ(page_failures(2, ATOMIC, 1), 0);
	EXPECT_EQ(page_failures(2, ATOMIC, 2), 3);
	EXPECT_EQ(page_failures(2, ATOMIC, 3), 3);
	attr.min_order = 0;
	attr.ignore_gfp_reclaim = true;
	fail_page_alloc_set(&attr);
	EXPECT_EQ(page_failures(2, GFP_KERNEL | __GFP_NOWARN, 0), 0);
	EXPECT_EQ(page_failures(2, ATOMIC, 0), 3);
	attr.ignore_gfp_highmem = true;
	fail_page_alloc_set(&attr);
	EXPECT_EQ(page_failures(2, ATOMIC | __GFP_HIGHMEM, 0), 0);
	attr.ignore_gfp_highmem = attr.ignore_gfp_reclaim = false;
	fail_page_alloc_set(&attr);
	EXPECT_EQ(page_failures(2, ATOMIC | __GFP_HIGHMEM, 0), 3);
	EXPECT_EQ(page_failures(2, GFP_KERNEL | __GFP_NOFAIL, 0), 0);
	fail_page_alloc_set(NULL);
}

TEST(fault_attr, what_objects_exempt)
{
	struct fault_attr attr = { .probability = 100, .times = -1, .cache_filter = true };
	struct kmem_cache *marked = kmem_cache_create("fault-marked", 64, 0, SLAB_FAILSLAB, NULL);
	struct kmem_cache *plain = kmem_cache_create("fault-plain", 72, 0, SLAB_NO_MERGE, NULL);
	void *p;

	ASSERT(marked && plain);
	failslab_set(&attr);
	EXPECT(!kmem_cache_alloc(marked, ATOMIC));
	p = kmem_cache_alloc(plain, ATOMIC);
	EXPECT(p);
	kmem_cache_free(plain, p);
	EXPECT_EQ(slab_failures(2, ATOMIC, 100), 0);
	attr.cache_filter = false;
	attr.ignore_gfp_reclaim = true;
	failslab_set(&attr);
	EXPECT(!kmem_cache_alloc(plain, ATOMIC));
	EXPECT_EQ(slab_failures(2, GFP_KERNEL, 100), 0);
	attr.ignore_gfp_reclaim = false;
	failslab_set(&attr);
	EXPECT_EQ(slab_failures(2, GFP_KERNEL | __GFP_NOWARN, 100), 3);
	p = kmalloc(100, GFP_KERNEL | __GFP_NOFAIL);
	EXPECT(p);
	kfree(p);
	failslab_set(NULL);
	kmem_cache_destroy(marked);
	kmem_cache_destroy(plain);
}

static long pid_now;

static long the_pid(void)
{
	return pid_now;
}

TEST(fault_attr, task_filter)
{
	static const struct task_ops tasks = { .pid = the_pid };
	const struct fault_attr attr = { .probability = 100, .times = -1, .task_filter = true };

	register_task_ops(&tasks);
	failslab_set(&attr);
	pid_now = 7;
	EXPECT_EQ(slab_failures(2, ATOMIC, 64), 0);
	EXPECT_EQ(fault_make_it_fail(7, true), 0);
	EXPECT_EQ(slab_failures(2, ATOMIC, 64), 3);
	pid_now = 8;
	EXPECT_EQ(slab_failures(2, ATOMIC, 64), 0);
	for (long pid = 100; pid < 131; pid++)
		EXPECT_EQ(fault_make_it_fail(pid, true), 0);
	EXPECT_EQ(fault_make_it_fail(8, true), -ENOSPC);
	EXPECT_EQ(fault_make_it_fail(7, false), 0);
	EXPECT_EQ(fault_make_it_fail(8, true), 0);
	EXPECT_EQ(slab_failures(2, ATOMIC, 64), 3);
	pid_now = 7;
	EXPECT_EQ(slab_failures(2, ATOMIC, 64), 0);
	failslab_set(NULL);
	register_task_ops(NULL);
}

/* ---- What is told ---- */

static unsigned int times_in(const char *text, const char *what)
{
	unsigned int n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

static const char *told(const struct fault_attr *attr, unsigned int nr, gfp_t gfp)
{
	failslab_set(attr);
	test_capture_begin();
	(void)slab_failures(nr, gfp, 64);
	failslab_set(NULL);
	return test_capture_end();
}

TEST(fault_attr, verbose)
{
	struct fault_attr attr = { .probability = 100, .times = 5, .interval = 1, .verbose = 1 };
	const gfp_t gfp = GFP_ATOMIC;
	const char *text = told(&attr, 1, gfp);

	EXPECT(strstr(text, "FAULT_INJECTION: forcing a failure.\n"));
	EXPECT(strstr(text, "name failslab, interval 1, probability 100, space 0, times 5\n"));
	EXPECT(!strstr(text, "PID:"));
	attr.verbose = 2;
	text = told(&attr, 1, gfp);
	EXPECT(strstr(text, "times 5\n"));
	EXPECT(strstr(text, "CPU: 0 UID: 0 PID: 0 Comm: "));
	EXPECT_EQ(times_in(told(&attr, 5, gfp), "forcing a failure"), 5);
	EXPECT_STREQ(told(&attr, 1, gfp | __GFP_NOWARN), "");
	attr.verbose_ratelimit_interval_ms = 3600000;
	attr.verbose_ratelimit_burst = 2;
	EXPECT_EQ(times_in(told(&attr, 5, gfp), "forcing a failure"), 2);
	attr.verbose = 0;
	EXPECT_STREQ(told(&attr, 1, gfp), "");
}

/* ---- The Nth ---- */

TEST(fault_attr, nth_among_objects_and_pages)
{
	void *keeps_a_slab = kmalloc(64, GFP_KERNEL);

	EXPECT(keeps_a_slab);
	/* Objects alone; pages alone do not see them; the two together count as one sequence. */
	EXPECT_EQ(fail_nth_set_among(FAIL_NTH_SLAB, 3), 0);
	EXPECT(fault_nth_counts(FAIL_NTH_SLAB));
	EXPECT_EQ(page_failures(4, ATOMIC, 0), 0);
	EXPECT_EQ(slab_failures(5, ATOMIC, 64), 0x04);
	EXPECT_EQ(fail_nth_set_among(FAIL_NTH_SLAB, 0), 0);

	EXPECT_EQ(fail_nth_set_among(FAIL_NTH_PAGE, 2), 0);
	EXPECT_EQ(slab_failures(1, ATOMIC, 64), 0);
	EXPECT_EQ(page_failures(3, ATOMIC, 0), 0x02);

	/* Objects that need no slab: one of each in turn. */
	(void)slab_failures(1, ATOMIC, 64);
	EXPECT_EQ(fail_nth_set_among(FAIL_NTH_ALL, 3), 0);
	EXPECT_EQ(page_failures(1, ATOMIC, 0), 0);
	EXPECT_EQ(slab_failures(1, ATOMIC, 64), 0);
	EXPECT_EQ(fail_nth_set_among(FAIL_NTH_ALL, 2), 1);
	EXPECT_EQ(slab_failures(1, ATOMIC, 64), 0);
	EXPECT_EQ(page_failures(2, ATOMIC, 0), 0x01);
	EXPECT_EQ(fail_nth_set_among(FAIL_NTH_ALL, 9), 0);
	EXPECT_EQ(fail_nth_set_among(FAIL_NTH_ALL, 0), 9);
	kfree(keeps_a_slab);
	/* FI-I2: nothing is left armed. */
	EXPECT(!fault_nth_counts(FAIL_NTH_ALL));
	EXPECT_EQ(heap.hooks & HEAP_FAIL, 0);
}

TEST(fault_attr, the_fast_paths_open_again)
{
	const struct fault_attr attr = { .probability = 100, .times = 1 };

	failslab_set(&attr);
	EXPECT(heap.hooks & HEAP_FAIL);
	failslab_set(NULL);
	EXPECT_EQ(heap.hooks & HEAP_FAIL, 0);
	(void)fail_nth_set_among(FAIL_NTH_ALL, 5);
	failslab_set(&attr);
	failslab_set(NULL);
	EXPECT(heap.hooks & HEAP_FAIL);
	(void)fail_nth_set_among(FAIL_NTH_ALL, 0);
	EXPECT_EQ(heap.hooks & HEAP_FAIL, 0);
}

/* ---- Files ---- */

static const char *const common_files[] = { "probability",
					    "interval",
					    "times",
					    "space",
					    "verbose",
					    "verbose_ratelimit_interval_ms",
					    "verbose_ratelimit_burst",
					    "task-filter",
					    "ignore-gfp-wait" };

static void boot_values(const char *dir, const char *values)
{
	char path[80];

	for (unsigned int i = 0; i < ARRAY_SIZE(common_files); i++) {
		char line[16];

		values = proc_line(values, line, sizeof(line) - 1);
		octavo_snprintf(path, sizeof(path), "%s%s", dir, common_files[i]);
		strscpy(line + strlen(line), "\n", 2);
		EXPECT_STREQ(proc_text(path), line);
	}
}

TEST(fault_attr, files_read_as_at_boot)
{
	boot_values(SLAB_DIR, "0\n1\n1\n0\n2\n0\n10\nN\nY\n");
	boot_values(PAGE_DIR, "0\n1\n1\n0\n2\n0\n10\nN\nY\n");
	EXPECT_STREQ(proc_text(SLAB_DIR "cache-filter"), "N\n");
	EXPECT_STREQ(proc_text(PAGE_DIR "min-order"), "1\n");
	EXPECT_STREQ(proc_text(PAGE_DIR "ignore-gfp-highmem"), "Y\n");
}

TEST(fault_attr, files_set_what_fails)
{
	struct fault_attr attr;

	EXPECT_EQ(proc_put(SLAB_DIR "verbose", "0"), 1);
	EXPECT_EQ(proc_put(SLAB_DIR "times", "-1\n"), 3);
	EXPECT_EQ(proc_put(SLAB_DIR "ignore-gfp-wait", "N\n"), 2);
	EXPECT_EQ(slab_failures(3, GFP_KERNEL, 64), 0);
	EXPECT_EQ(proc_put(SLAB_DIR "probability", "100"), 3);
	EXPECT_EQ(proc_put(SLAB_DIR "interval", "2"), 1);
	EXPECT_EQ(slab_failures(4, GFP_KERNEL, 64), 0x0a);
	EXPECT_EQ(proc_put(SLAB_DIR "times", "1"), 1);
	EXPECT_EQ(slab_failures(4, GFP_KERNEL, 64), 0x02);
	EXPECT_STREQ(proc_text(SLAB_DIR "times"), "0\n");
	EXPECT_EQ(proc_put(SLAB_DIR "space", "0x100"), 5);
	EXPECT_STREQ(proc_text(SLAB_DIR "space"), "256\n");
	EXPECT_EQ(proc_put(SLAB_DIR "task-filter", "1"), 1);
	EXPECT_STREQ(proc_text(SLAB_DIR "task-filter"), "Y\n");
	failslab_get(&attr);
	EXPECT(attr.task_filter && attr.space == 256 && attr.interval == 2);
	failslab_set(NULL);
	EXPECT_STREQ(proc_text(SLAB_DIR "task-filter"), "N\n");

	EXPECT_EQ(proc_put(PAGE_DIR "min-order", "3"), 1);
	EXPECT_EQ(proc_put(PAGE_DIR "verbose", "0"), 1);
	EXPECT_EQ(proc_put(PAGE_DIR "probability", "100"), 3);
	EXPECT_EQ(page_failures(2, ATOMIC, 2), 0);
	EXPECT_EQ(page_failures(2, ATOMIC, 3), 1);
	fail_page_alloc_get(&attr);
	EXPECT_EQ(attr.times, 0);
	fail_page_alloc_set(NULL);
}

TEST(fault_attr, files_refuse_what_is_no_value)
{
	static const char *const bad[] = { "", " ", "x", "1x", "1 2", "-1", "2147483648", "99999999999999999999" };
	static const char *const bad_switch[] = { "2", "", "maybe", "\n" };

	for (unsigned int i = 1; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(proc_put(SLAB_DIR "probability", bad[i]), -EINVAL);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_switch); i++)
		if (*bad_switch[i])
			EXPECT_EQ(proc_put(SLAB_DIR "cache-filter", bad_switch[i]), -EINVAL);
	EXPECT_EQ(proc_put(SLAB_DIR "times", "-2"), -EINVAL);
	EXPECT_STREQ(proc_text(SLAB_DIR "probability"), "0\n");
}

TEST(fault_attr, boot_parameters)
{
	struct fault_point point = { .boot = { FAULT_ATTR_BOOT } };
	static const char *const bad[] = { "", "1,2,3", "1,2,3,4,5", "1,2,3,", "a,2,3,4", "1,2,3,-2", "-1,2,3,4",
					   "1,2,3,4 ", "1,2,4294967296,4" };

	EXPECT_EQ(fault_point_parse(&point, "7,50,4096,-1"), 0);
	EXPECT_EQ(point.attr.interval, 7);
	EXPECT_EQ(point.attr.probability, 50);
	EXPECT_EQ(point.attr.space, 4096);
	EXPECT_EQ(point.attr.times, -1);
	EXPECT_EQ(point.attr.verbose, 2);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		test_capture_begin();
		EXPECT_EQ(fault_point_parse(&point, bad[i]), -EINVAL);
		EXPECT_STREQ(strchr(test_capture_end(), ']') ? "told" : "", "told");
	}
	EXPECT_EQ(fault_point_parse(&point, NULL), -EINVAL);
	EXPECT_EQ(point.attr.interval, 7);
}
