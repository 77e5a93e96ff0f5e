// SPDX-License-Identifier: MIT
/* Hosted: a machine is driven out of memory, which takes one of known, small size. */
/* Short of memory: who still gets pages, the hooks, and the report to the letter. */
#include <octavo/fault.h>
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/reclaim_hook.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/phys/page_alloc.h"
#include "mm/phys/slowpath.h"
#include "mm/phys/watermark.h"

#define HELD_MAX 70000
static struct page *held[HELD_MAX];
static unsigned int held_nr;

/* Single pages, until the mask gets no more. */
static void exhaust(gfp_t gfp)
{
	struct page *page;

	while (held_nr < HELD_MAX && (page = alloc_page(gfp | __GFP_NOWARN)) != NULL)
		held[held_nr++] = page;
}

static void give_back(unsigned int n)
{
	while (n-- && held_nr)
		__free_page(held[--held_nr]);
}

TEST(slowpath, reserves_open_in_steps)
{
	unsigned int kernel, atomic, memalloc, scope;

	held_nr = 0;
	exhaust(GFP_KERNEL);
	kernel = held_nr;
	ASSERT(kernel > 0 && kernel < HELD_MAX);
	exhaust(GFP_ATOMIC);
	atomic = held_nr;
	EXPECT(atomic > kernel);
	exhaust(GFP_ATOMIC | __GFP_NOMEMALLOC);
	EXPECT_EQ(held_nr, atomic);
	scope = memalloc_noreclaim_save();
	exhaust(GFP_KERNEL | __GFP_NOMEMALLOC);
	EXPECT_EQ(held_nr, atomic);
	exhaust(GFP_KERNEL);
	memalloc = held_nr;
	EXPECT(memalloc > atomic);
	memalloc_noreclaim_restore(scope);
	exhaust(__GFP_MEMALLOC);
	EXPECT_EQ(held_nr, memalloc);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	give_back(held_nr);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	EXPECT_EQ(bad_pages(), 0);
}

TEST(slowpath, the_report)
{
	static const char *const parts[] = {
		("[    0.000000] swapper/0: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL), "
		 "nodemask=(null),cpuset=/,mems_allowed=0"),
		"] Mem-Info:\n",
		"] active_anon:0 inactive_anon:0 isolated_anon:0\n",
		"]  slab_reclaimable:0 slab_unreclaimable:",
		"] Node 0 active_anon:0kB inactive_anon:0kB active_file:0kB ",
		" sec_pagetables:0kB all_unreclaimable? no\n",
		"] Node 0 DMA free:",
		"] lowmem_reserve[]: ",
		"kB (",
		"] 0 total pagecache pages\n",
		"] 0 pages in swap cache\n",
		" pages RAM\n",
		" pages cma reserved\n",
		"] 0 pages hwpoisoned\n",
	};
	const char *text, *at;
	struct page *page;

	held_nr = 0;
	exhaust(GFP_KERNEL);
	test_capture_begin();
	page = alloc_page(GFP_KERNEL);
	text = test_capture_end();
	EXPECT(!page);
	at = text;
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *found = strstr(at, parts[i]);

		if (!found)
			test_fail(__FILE__, __LINE__, "the report lacks \"%s\" after %.60s", parts[i], at);
		else
			at = found;
	}
	give_back(held_nr);
}

TEST(slowpath, nowarn_is_silent)
{
	struct page *page;

	held_nr = 0;
	exhaust(GFP_KERNEL);
	test_capture_begin();
	page = alloc_page(GFP_KERNEL | __GFP_NOWARN);
	EXPECT_STREQ(test_capture_end(), "");
	EXPECT(!page);
	give_back(held_nr);
}

/* ---- Hooks ---- */

static unsigned int kswapd_calls, reclaim_calls, compact_calls, oom_calls, give_at_reclaim, give_at_oom;
static unsigned int reclaim_flags;

static void wake(struct zone *zone, gfp_t gfp, unsigned int order, enum zone_type highest)
{
	(void)zone;
	(void)gfp;
	(void)order;
	(void)highest;
	kswapd_calls++;
}

static unsigned long reclaim(const struct reclaim_request *request)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NOWARN);

	(void)request;
	/* reclaim itself may use the reserves and does not come back here */
	reclaim_flags += page != NULL;
	if (page)
		__free_page(page);
	reclaim_calls++;
	give_back(give_at_reclaim);
	return give_at_reclaim;
}

static enum compact_result compact(const struct reclaim_request *request, bool sync)
{
	(void)request;
	(void)sync;
	compact_calls++;
	return COMPACT_FAILED;
}

static bool oom(const struct reclaim_request *request)
{
	(void)request;
	oom_calls++;
	give_back(give_at_oom);
	return give_at_oom != 0;
}

static const struct reclaim_ops test_ops = { .wakeup_kswapd = wake, .try_to_free_pages = reclaim,
					     .try_to_compact_pages = compact, .out_of_memory = oom };

static void hooks_begin(unsigned int at_reclaim, unsigned int at_oom)
{
	kswapd_calls = reclaim_calls = compact_calls = oom_calls = reclaim_flags = 0;
	give_at_reclaim = at_reclaim;
	give_at_oom = at_oom;
	held_nr = 0;
	exhaust(GFP_KERNEL | __GFP_NORETRY);
	EXPECT_EQ(register_reclaim_ops(NULL), 0); /* the page cache's */
	ASSERT(!register_reclaim_ops(&test_ops));
	EXPECT_EQ(register_reclaim_ops(&test_ops), -EBUSY);
}

static void hooks_end(void)
{
	EXPECT_EQ(register_reclaim_ops(NULL), 0);
	give_back(held_nr);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(slowpath, reclaim_serves_the_request)
{
	struct page *page;

	hooks_begin(2000, 0);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page);
	EXPECT_EQ(reclaim_calls, 1);
	EXPECT_EQ(reclaim_flags, 1);
	EXPECT(kswapd_calls > 0);
	EXPECT_EQ(oom_calls, 0);
	if (page)
		__free_page(page);
	hooks_end();
}

TEST(slowpath, atomic_requests_wake_kswapd_and_do_not_reclaim)
{
	struct page *page;

	hooks_begin(2000, 0);
	exhaust(GFP_ATOMIC);
	kswapd_calls = reclaim_calls = 0;
	page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);
	EXPECT(!page);
	EXPECT(kswapd_calls > 0);
	EXPECT_EQ(reclaim_calls, 0);
	hooks_end();
}

TEST(slowpath, oom_is_the_last_resort)
{
	struct page *page;

	hooks_begin(0, 2000);
	page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	EXPECT(!page && oom_calls == 0);
	page = alloc_page(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	EXPECT(!page && oom_calls == 0);
	page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, 5);
	EXPECT(!page && oom_calls == 0);
	EXPECT(compact_calls > 0);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page && oom_calls == 1);
	if (page)
		__free_page(page);
	hooks_end();
}

TEST(slowpath, nofail_does_not)
{
	struct page *page;

	hooks_begin(0, 500);
	page = alloc_page(GFP_KERNEL | __GFP_NOFAIL);
	EXPECT(page);
	EXPECT(oom_calls > 0);
	if (page)
		__free_page(page);
	hooks_end();
}

/* ---- Failing on purpose ---- */

TEST(slowpath, the_nth_allocation_fails)
{
	struct page *a, *b, *c;

	(void)fail_nth_set(2);
	a = alloc_page(GFP_KERNEL);
	b = alloc_page(GFP_KERNEL);
	c = alloc_page(GFP_KERNEL);
	EXPECT(a && !b && c);
	EXPECT_EQ(fail_nth_set(0), 0);
	__free_page(a);
	__free_page(c);
}

TEST(slowpath, fail_page_alloc_knobs)
{
	struct fault_attr attr = { .probability = 100, .times = 2, .interval = 3, .min_order = 1 };
	unsigned int failed = 0;

	fail_page_alloc_set(&attr);
	for (unsigned int i = 0; i < 12; i++) {
		struct page *page = alloc_pages(GFP_KERNEL, i % 2);

		failed += !page;
		EXPECT(page || i % 2);
		if (page)
			__free_pages(page, i % 2);
	}
	fail_page_alloc_set(NULL);
	/* six candidates, every third of them: two */
	EXPECT_EQ(failed, 2);
}
