// SPDX-License-Identifier: MIT
/*
 * KFENCE: each kind of bug is planted and its report expected line by line; guarded objects behave as any other.
 * KF-I1 to KF-I4. Accesses are caught where the port shuts pages.
 */
#include <octavo/kfence.h>
#include <octavo/slab.h>

#include "mm/slab/kfence.h"
#include "proc_text.h"

#define RULE "=================================================================="
#define STACK "{stack}"

/* On, with samples only when a test asks for them. */
static bool begin(void)
{
	if (kfence_set_sample_interval(1u << 30)) {
		test_fail(__FILE__, __LINE__, "no pool");
		return false;
	}
	return true;
}

static void *sample(struct kmem_cache *cache, size_t size, gfp_t gfp)
{
	void *p;

	kfence_sample_next();
	p = cache ? kmem_cache_alloc(cache, gfp) : kmalloc(size, gfp);
	EXPECT(is_kfence_address(p));
	return p;
}

/* An object of @size bytes at the left or right end of its page; the tests' sizes need no alignment there. */
static char *sample_at(size_t size, bool right)
{
	for (int i = 0; i < 64; i++) {
		char *p = sample(NULL, size, GFP_KERNEL);
		bool is_right = ((uintptr_t)p & (PAGE_SIZE - 1)) != 0;

		if (is_right == right)
			return p;
		kfree(p);
	}
	test_fail(__FILE__, __LINE__, "64 objects on one side");
	return NULL;
}

static unsigned int number_of(const void *p)
{
	return kfence_number(kfence_object_at((uintptr_t)p));
}

/* ---- Reports ---- */

static char report[8192];

/* The captured log without its stamps. */
static const char *captured(void)
{
	const char *from = test_capture_end();
	size_t n = 0;

	while (*from && n < sizeof(report) - 1) {
		const char *stamp = *from == '[' ? strstr(from, "] ") : NULL;

		from = stamp ? stamp + 2 : from;
		while (*from && n < sizeof(report) - 2 && (report[n++] = *from++) != '\n')
			;
	}
	report[n] = 0;
	return report;
}

/* "*" stands for anything. */
static bool fits(const char *line, const char *form)
{
	const char *star = NULL, *retry = NULL;

	while (*line) {
		if (*form == '*') {
			star = form++;
			retry = line;
		} else if (*form == *line) {
			form++;
			line++;
		} else if (star) {
			form = star + 1;
			line = ++retry;
		} else {
			return false;
		}
	}
	while (*form == '*')
		form++;
	return !*form;
}

/* STACK: at least one line that begins with a space. */
static void expect_report(const char *const *forms, unsigned int nr)
{
	const char *text = captured(), *rest = text;
	char line[256];

	for (unsigned int i = 0; i < nr; i++) {
		bool stack = !strcmp(forms[i], STACK);

		if (!rest || !*rest) {
			test_fail(__FILE__, __LINE__, "the report ends before '%s':\n%s", forms[i], text);
			return;
		}
		rest = proc_line(rest, line, sizeof(line));
		if (stack ? line[0] != ' ' : !fits(line, forms[i])) {
			test_fail(__FILE__, __LINE__, "'%s' is not '%s' in\n%s", line, forms[i], text);
			return;
		}
		while (stack && rest && *rest == ' ')
			rest = proc_line(rest, line, sizeof(line));
	}
	if (rest && *rest)
		test_fail(__FILE__, __LINE__, "more than was expected:\n%s", text);
}

#define EXPECT_REPORT(...)                                             \
	do {                                                           \
		const char *const _forms[] = { __VA_ARGS__ };          \
		expect_report(_forms, ARRAY_SIZE(_forms));             \
	} while (0)

static char form_detail[128], form_object[128];

static const char *object_form(const void *p, size_t size, const char *cache)
{
	octavo_snprintf(form_object, sizeof(form_object), "kfence-#%u: %p-%p, size=%zu, cache=%s", number_of(p), p,
			(const void *)((const char *)p + size - 1), size, cache);
	return form_object;
}

#define ALLOCATED "allocated by task 0 on cpu 0 at *.*s (*.*s ago):"
#define FREED "freed by task 0 on cpu 0 at *.*s (*.*s ago):"
#define CPU_LINE "CPU: 0 UID: 0 PID: 0 Comm: *"

static void out_of_bounds(bool right, bool is_write)
{
	char *p = sample_at(32, right);
	volatile char *bad = right ? p + 32 : p - 1;

	ASSERT(p);
	test_capture_begin();
	if (is_write)
		*bad = 1;
	else
		(void)*bad;
	octavo_snprintf(form_detail, sizeof(form_detail), "Out-of-bounds %s at %p (%uB %s of kfence-#%u):",
			is_write ? "write" : "read", (void *)bad, right ? 32 : 1, right ? "right" : "left",
			number_of(p));
	EXPECT_REPORT(RULE, is_write ? "BUG: KFENCE: out-of-bounds write in *" : "BUG: KFENCE: out-of-bounds read in *",
		      "", form_detail, STACK, "", object_form(p, 32, "kmalloc-32"), "", ALLOCATED, STACK, "", CPU_LINE,
		      RULE);
	/* The page is open now; it is shut again when the object is freed, and catches the next. */
	test_capture_begin();
	(void)*bad;
	EXPECT_STREQ(captured(), "");
	kfree(p);
	test_capture_begin();
	(void)*bad;
	EXPECT(strstr(captured(), "BUG: KFENCE: invalid read in ") != NULL);
}

TEST(kfence, out_of_bounds)
{
	if (!begin())
		return;
	if (!kfence.protects)
		SKIP("this port does not shut pages");
	out_of_bounds(false, false);
	out_of_bounds(false, true);
	out_of_bounds(true, false);
	out_of_bounds(true, true);
}

TEST(kfence, use_after_free)
{
	volatile char *p;

	if (!begin())
		return;
	if (!kfence.protects)
		SKIP("this port does not shut pages");
	p = sample(NULL, 50, GFP_KERNEL);
	p[7] = 1;
	kfree((void *)p);
	test_capture_begin();
	(void)p[7];
	octavo_snprintf(form_detail, sizeof(form_detail), "Use-after-free read at %p (in kfence-#%u):", (void *)(p + 7),
			number_of((void *)p));
	EXPECT_REPORT(RULE, "BUG: KFENCE: use-after-free read in *", "", form_detail, STACK, "",
		      object_form((void *)p, 50, "kmalloc-64"), "", ALLOCATED, STACK, "", FREED, STACK, "", CPU_LINE,
		      RULE);
	p = sample(NULL, 50, GFP_KERNEL);
	kfree((void *)p);
	test_capture_begin();
	p[49] = 5;
	EXPECT(strstr(captured(), "BUG: KFENCE: use-after-free write in ") != NULL);
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 2);
}

TEST(kfence, access_to_what_was_never_an_object)
{
	volatile char *pool;

	if (!begin())
		return;
	if (!kfence.protects)
		SKIP("this port does not shut pages");
	pool = (volatile char *)kfence.pool;
	test_capture_begin();
	(void)pool[5];
	octavo_snprintf(form_detail, sizeof(form_detail), "Invalid read at %p:", (void *)(pool + 5));
	EXPECT_REPORT(RULE, "BUG: KFENCE: invalid read in *", "", form_detail, STACK, "", CPU_LINE, RULE);
	/* An object page that was not used yet. */
	test_capture_begin();
	((volatile char *)kfence_page_of(kfence.objects_nr - 1))[0] = 1;
	EXPECT(strstr(captured(), "BUG: KFENCE: invalid write in ") != NULL);
}

TEST(kfence, invalid_frees)
{
	char *p;

	if (!begin())
		return;
	p = sample(NULL, 32, GFP_KERNEL);
	kfree(p);
	test_capture_begin();
	kfree(p);
	octavo_snprintf(form_detail, sizeof(form_detail), "Invalid free of %p (in kfence-#%u):", (void *)p,
			number_of(p));
	EXPECT_REPORT(RULE, "BUG: KFENCE: invalid free in *", "", form_detail, STACK, "",
		      object_form(p, 32, "kmalloc-32"), "", ALLOCATED, STACK, "", FREED, STACK, "", CPU_LINE, RULE);
	p = sample(NULL, 32, GFP_KERNEL);
	test_capture_begin();
	kfree(p + 8);
	octavo_snprintf(form_detail, sizeof(form_detail), "Invalid free of %p (in kfence-#%u):", (void *)(p + 8),
			number_of(p));
	EXPECT_REPORT(RULE, "BUG: KFENCE: invalid free in *", "", form_detail, STACK, "",
		      object_form(p, 32, "kmalloc-32"), "", ALLOCATED, STACK, "", CPU_LINE, RULE);
	test_capture_begin();
	kfree(p);
	EXPECT_STREQ(captured(), "");
	/* A guard page: of no object. */
	test_capture_begin();
	kfree((void *)(kfence.pool + PAGE_SIZE));
	octavo_snprintf(form_detail, sizeof(form_detail), "Invalid free of %p:", (void *)(kfence.pool + PAGE_SIZE));
	EXPECT_REPORT(RULE, "BUG: KFENCE: invalid free in *", "", form_detail, STACK, "", CPU_LINE, RULE);
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 3);
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 0);
}

/* KF-I2: damage beside the object, on its own page, shows when it is freed, once for either side. */
TEST(kfence, memory_corruption)
{
	char *p;

	if (!begin())
		return;
	p = sample_at(32, false);
	ASSERT(p);
	p[32] = 0;
	p[35] = (char)~p[35];
	test_capture_begin();
	kfree(p);
	octavo_snprintf(form_detail, sizeof(form_detail),
			"Corrupted memory at %p [ ! . . ! . . . . . . . . . . . . ] (in kfence-#%u):", (void *)(p + 32),
			number_of(p));
	EXPECT_REPORT(RULE, "BUG: KFENCE: memory corruption in *", "", form_detail, STACK, "",
		      object_form(p, 32, "kmalloc-32"), "", ALLOCATED, STACK, "", FREED, STACK, "", CPU_LINE, RULE);

	p = sample_at(32, true);
	ASSERT(p);
	p[-3] = (char)~p[-3];
	p[-2] = (char)~p[-2];
	test_capture_begin();
	kfree(p);
	octavo_snprintf(form_detail, sizeof(form_detail), "Corrupted memory at %p [ ! ! . ] (in kfence-#%u):",
			(void *)(p - 3), number_of(p));
	EXPECT_REPORT(RULE, "BUG: KFENCE: memory corruption in *", "", form_detail, STACK, "",
		      object_form(p, 32, "kmalloc-32"), "", ALLOCATED, STACK, "", FREED, STACK, "", CPU_LINE, RULE);

	/* 40 bytes are aligned to 8 at the right end of their page; 36 leave four bytes of canary behind them. */
	p = sample_at(36, true);
	ASSERT(p);
	EXPECT(((uintptr_t)p & 7) == 0);
	p[36] = (char)~p[36];
	test_capture_begin();
	kfree(p);
	EXPECT(strstr(captured(), "BUG: KFENCE: memory corruption in ") != NULL);
}

TEST(kfence, damage_is_found_at_a_panic_too)
{
	char *p;

	if (!begin())
		return;
	p = sample_at(32, false);
	ASSERT(p);
	p[100] = (char)~p[100];
	test_capture_begin();
	kfence_panic();
	EXPECT_STREQ(captured(), "");
	kfence.check_on_panic = 1;
	test_capture_begin();
	kfence_panic();
	EXPECT(strstr(captured(), "BUG: KFENCE: memory corruption in ") != NULL);
	p[100] = (char)~p[100];
	test_capture_begin();
	kfence_check_all();
	kfree(p);
	EXPECT_STREQ(captured(), "");
}

/* ---- As any other object ---- */

TEST(kfence, sizes_and_krealloc)
{
	char *p, *q;

	if (!begin())
		return;
	p = sample(NULL, 100, GFP_KERNEL);
	EXPECT_EQ(ksize(p), 100);
	memset(p, 0x5a, 100);
	q = krealloc(p, 60, GFP_KERNEL);
	EXPECT(q == p);
	q = krealloc(p, 300, GFP_KERNEL);
	ASSERT(q);
	EXPECT(!is_kfence_address(q));
	EXPECT_EQ(q[0], 0x5a);
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 0);
	kfree(q);
	/* And into a guarded one. */
	q = kmalloc(8, GFP_KERNEL);
	ASSERT(q);
	memset(q, 0x3c, 8);
	kfence_sample_next();
	p = krealloc(q, 64, GFP_KERNEL);
	EXPECT(is_kfence_address(p));
	EXPECT_EQ(p[7], 0x3c);
	kfree_sensitive(p);
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 0);
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 0);
}

TEST(kfence, zeroed_and_both_sides)
{
	unsigned int left = 0, right = 0;

	if (!begin())
		return;
	for (int i = 0; i < 40; i++) {
		unsigned char *p = sample(NULL, 32, GFP_KERNEL | __GFP_ZERO);
		unsigned int sum = 0;

		for (int j = 0; j < 32; j++)
			sum |= p[j];
		EXPECT_EQ(sum, 0);
		memset(p, 0xff, 32);
		left += !((uintptr_t)p & (PAGE_SIZE - 1));
		right += ((uintptr_t)p & (PAGE_SIZE - 1)) == PAGE_SIZE - 32;
		kfree(p);
	}
	EXPECT_EQ(left + right, 40);
	EXPECT(left > 4 && right > 4);
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 0);
}

static void construct(void *object)
{
	memset(object, 0x77, 24);
}

TEST(kfence, constructors_alignment_and_kmem_cache_free)
{
	struct kmem_cache *cache = kmem_cache_create("guarded", 24, 64, 0, construct);

	ASSERT(cache);
	if (!begin())
		return;
	for (int i = 0; i < 20; i++) {
		char *p = sample(cache, 0, GFP_KERNEL);

		EXPECT_EQ((uintptr_t)p % 64, 0);
		EXPECT_EQ(p[0], 0x77);
		EXPECT_EQ(p[23], 0x77);
		EXPECT_EQ(ksize(p), 24);
		kmem_cache_free(cache, p);
	}
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 0);
	EXPECT_EQ(kfence.counters[KFENCE_FREES], 20);
	kmem_cache_destroy(cache);
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 0);
}

TEST(kfence, freed_to_another_cache)
{
	struct kmem_cache *cache = kmem_cache_create("guarded-own", 40, 0, SLAB_NO_MERGE, NULL);
	struct kmem_cache *other = kmem_cache_create("guarded-other", 40, 0, SLAB_NO_MERGE, NULL);
	void *p;

	ASSERT(cache && other);
	if (!begin())
		return;
	p = sample(cache, 0, GFP_KERNEL);
	test_capture_begin();
	kmem_cache_free(other, p);
	EXPECT(strstr(captured(), "cache_from_obj: Wrong slab cache. guarded-other but object is from guarded-own\n"));
	EXPECT_EQ(heap_errors(), 1);
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 1);
	kmem_cache_free(cache, p);
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 0);
	kmem_cache_destroy(cache);
	kmem_cache_destroy(other);
}

TEST(kfence, bulk)
{
	struct kmem_cache *cache = kmem_cache_create("guarded-bulk", 40, 0, SLAB_NO_MERGE, NULL);
	void *objs[20];
	unsigned int guarded = 0;

	ASSERT(cache);
	if (!begin())
		return;
	kfence_sample_next();
	EXPECT_EQ(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 20, objs), 20);
	for (int i = 0; i < 20; i++)
		guarded += is_kfence_address(objs[i]);
	EXPECT_EQ(guarded, 1);
	/* One taken: the fast paths are open again. */
	EXPECT_EQ(heap.hooks & HEAP_GUARD, 0);
	kmem_cache_free_bulk(cache, 20, objs);
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 0);
	kmem_cache_destroy(cache);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
}

TEST(kfence, a_cache_that_goes_leaves_zombies)
{
	struct kmem_cache *cache = kmem_cache_create("guarded-gone", 40, 0, SLAB_NO_MERGE, NULL);
	volatile char *p;
	const char *text;

	ASSERT(cache);
	if (!begin())
		return;
	p = sample(cache, 0, GFP_KERNEL);
	test_capture_begin();
	kmem_cache_destroy(cache);
	EXPECT(strstr(captured(), "kmem_cache_destroy guarded-gone: 1 objects still in use are guarded ones\n"));
	EXPECT_EQ(kfence.counters[KFENCE_ZOMBIES], 1);
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 1);
	test_capture_begin();
	kfree((void *)p);
	text = captured();
	EXPECT(strstr(text, "BUG: KFENCE: invalid free in "));
	EXPECT(strstr(text, "cache=guarded-gone\n"));
	if (!kfence.protects)
		return;
	test_capture_begin();
	(void)p[1];
	EXPECT(strstr(captured(), "BUG: KFENCE: use-after-free read in "));
}

TEST(kfence, typesafe_objects_wait_for_readers)
{
	struct kmem_cache *cache = kmem_cache_create("guarded-rcu", 40, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	volatile char *p;

	ASSERT(cache);
	if (!begin())
		return;
	p = sample(cache, 0, GFP_KERNEL);
	p[3] = 9;
	rcu_read_lock();
	kmem_cache_free(cache, (void *)p);
	test_capture_begin();
	EXPECT_EQ(p[3], 9); /* a reader may still look */
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 1);
	rcu_read_unlock();
	rcu_barrier();
	EXPECT_STREQ(captured(), "");
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 0);
	kmem_cache_destroy(cache);
}

/* ---- Sampling ---- */

/* KF-I3: what was freed last comes back last; when nothing is free, allocations are ordinary. */
TEST(kfence, the_pool_is_a_queue_and_has_an_end)
{
	static void *objs[KFENCE_NUM_OBJECTS] __memsys;
	void *p, *first;

	if (!begin())
		return;
	store_relaxed(&kfence.skip_covered_thresh, 101);
	for (unsigned int i = 0; i < KFENCE_NUM_OBJECTS; i++)
		objs[i] = sample(NULL, 16, GFP_KERNEL);
	EXPECT(list_empty(&kfence.free));
	kfence_sample_next();
	p = kmalloc(16, GFP_KERNEL);
	EXPECT(p && !is_kfence_address(p));
	kfree(p);
	EXPECT_EQ(kfence.counters[KFENCE_SKIP_CAPACITY], 1);
	first = objs[200];
	kfree(objs[200]);
	kfree(objs[5]);
	p = sample(NULL, 16, GFP_KERNEL);
	EXPECT_EQ(number_of(p), number_of(first));
	kfree(p);
	p = sample(NULL, 16, GFP_KERNEL);
	EXPECT_EQ(number_of(p), number_of(objs[5]));
	kfree(p);
	for (unsigned int i = 0; i < KFENCE_NUM_OBJECTS; i++)
		if (i != 200 && i != 5)
			kfree(objs[i]);
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCATED], 0);
	EXPECT_EQ(kfence.counters[KFENCE_ALLOCS], kfence.counters[KFENCE_FREES]); /* KF-I4 */
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 0);
}

static noinline void *from_one_place(void)
{
	void *p = kmalloc(24, GFP_KERNEL);

	hide_var(p);
	return p;
}

static noinline void *from_another_place(void)
{
	void *p = kmalloc(24, GFP_KERNEL);

	hide_var(p);
	return p;
}

TEST(kfence, covered_places_are_skipped_when_the_pool_fills)
{
	static void *(*const places[])(void) = { from_one_place, from_one_place, from_another_place, from_one_place };
	static const bool guarded[] = { true, false, true, false };
	unsigned int rounds = 2, nr = ARRAY_SIZE(places);
	void *objs[ARRAY_SIZE(places)];

	if (!begin())
		return;
	store_relaxed(&kfence.skip_covered_thresh, 0);
	/* The callers of a place count too: all are called from one line, so the loops must not be unrolled. */
	hide_var(rounds);
	hide_var(nr);
	/* After a round no place is covered any longer. */
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < nr; i++) {
			kfence_sample_next();
			objs[i] = places[i]();
			EXPECT_EQ(is_kfence_address(objs[i]), guarded[i]);
		}
		for (unsigned int i = 0; i < nr; i++)
			kfree(objs[i]);
	}
	EXPECT_EQ(kfence.counters[KFENCE_SKIP_COVERED], 4);
}

TEST(kfence, only_what_can_be_guarded)
{
	void *p;

	if (!begin())
		return;
	kfence_sample_next();
	p = kmalloc(8192, GFP_KERNEL);
	EXPECT(p && !is_kfence_address(p));
	kfree(p);
	p = kmalloc(3 * PAGE_SIZE, GFP_KERNEL);
	EXPECT(p && !is_kfence_address(p));
	kfree(p);
	p = kmalloc(64, GFP_KERNEL | __GFP_DMA);
	EXPECT(!is_kfence_address(p));
	kfree(p);
	EXPECT_EQ(kfence.counters[KFENCE_SKIP_INCOMPATIBLE], 2);
	/* The sample is still due. */
	p = kmalloc(PAGE_SIZE, GFP_KERNEL);
	EXPECT(is_kfence_address(p));
	memset(p, 0, PAGE_SIZE);
	kfree(p);
	EXPECT_EQ(kfence.counters[KFENCE_BUGS], 0);
}

TEST(kfence, samples_follow_the_clock)
{
	unsigned int guarded = 0;
	u64 start;

	if (!port_clock_ns() && !port_clock_ns())
		SKIP("no clock");
	EXPECT_EQ(kfence_set_sample_interval(1), 0);
	start = port_clock_ns();
	for (unsigned int i = 0; i < 20000000 && guarded < 3 && port_clock_ns() - start < 5000000000ull; i++) {
		static void *objs[256] __memsys;

		/* More than any magazine holds: it is refilled in every round. */
		for (unsigned int j = 0; j < ARRAY_SIZE(objs); j++) {
			objs[j] = kmalloc(1024, GFP_KERNEL);
			guarded += is_kfence_address(objs[j]);
		}
		for (unsigned int j = 0; j < ARRAY_SIZE(objs); j++)
			kfree(objs[j]);
	}
	EXPECT(guarded >= 3);
	EXPECT(port_clock_ns() - start >= 2000000);
	EXPECT_EQ(kfence_set_sample_interval(0), 0);
	EXPECT_EQ(heap.hooks & HEAP_GUARD, 0);
	kfence_sample_next();
	EXPECT_EQ(heap.hooks & HEAP_GUARD, 0);
}

/* ---- Files ---- */

TEST(kfence, files)
{
	void *p;

	EXPECT_EQ(octavo_proc_read("/sys/kernel/debug/kfence/stats", proc_discard, NULL), -ENOENT);
	EXPECT_STREQ(proc_text("/sys/module/kfence/parameters/sample_interval"), "0\n");
	EXPECT_EQ(proc_put("/sys/module/kfence/parameters/sample_interval", "1000000\n"), 8);
	EXPECT_EQ(proc_put("/sys/module/kfence/parameters/sample_interval", "often"), -EINVAL);
	EXPECT_STREQ(proc_text("/sys/module/kfence/parameters/sample_interval"), "1000000\n");
	EXPECT_STREQ(proc_text("/sys/module/kfence/parameters/skip_covered_thresh"), "75\n");
	EXPECT_EQ(proc_put("/sys/module/kfence/parameters/skip_covered_thresh", "50"), 2);
	EXPECT_STREQ(proc_text("/sys/module/kfence/parameters/skip_covered_thresh"), "50\n");
	EXPECT_STREQ(proc_text("/sys/module/kfence/parameters/check_on_panic"), "N\n");
	p = sample(NULL, 16, GFP_KERNEL);
	test_capture_begin();
	kfree((char *)p + 1);
	(void)captured();
	EXPECT_STREQ(proc_text("/sys/kernel/debug/kfence/stats"),
		     "enabled: 1\ncurrently allocated: 1\ntotal allocations: 1\ntotal frees: 0\nzombie allocations: 0\n"
		     "total bugs: 1\nskipped allocations (incompatible): 0\nskipped allocations (capacity): 0\n"
		     "skipped allocations (covered): 0\n");
	EXPECT(strstr(proc_text("/sys/kernel/debug/kfence/objects"), object_form(p, 16, "kmalloc-16")) != NULL);
	EXPECT(strstr(proc_text("/sys/kernel/debug/kfence/objects"),
		      "kfence-#1 unused\n---------------------------------\nkfence-#2 unused\n") != NULL);
	kfree(p);
	EXPECT_EQ(proc_put("/sys/module/kfence/parameters/sample_interval", "0"), 1);
	EXPECT(!strncmp(proc_text("/sys/kernel/debug/kfence/stats"), "enabled: 0\ncurrently allocated: 0\n", 34));
}
