// SPDX-License-Identifier: MIT
/* Small machines: what CPUs keep of a zone is a small share of it, and who may not wait gets that, too. */
#include <octavo/gfp.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/phys/page_alloc.h"
#include "mm/phys/watermark.h"

#define PAGES_MAX 4096u

static struct page *pages[PAGES_MAX];

static bool boot_small(u64 kib, unsigned int cpus)
{
	struct bootinfo_range map[] = { { 0x100000, kib << 10, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1, .cmdline = "" };

	return !hosted_boot(&info, &(struct hosted_options){ .cpus = cpus, .quiet = true });
}

/* Every kind of page the caches know, taken and given back; then single pages, a CPU's part of what there is. */
static void use_all_kinds(unsigned int cpu, void *arg)
{
	static const gfp_t kinds[] = { GFP_KERNEL, GFP_HIGHUSER_MOVABLE, GFP_KERNEL | __GFP_RECLAIMABLE };
	unsigned int part = PAGES_MAX / *(unsigned int *)arg, n = 0;
	struct page **mine = pages + cpu * part;

	while (n < part && (mine[n] = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, 0)))
		n++;
	for (unsigned int round = 0; round < 2; round++) {
		while (n)
			__free_pages(mine[--n], 0);
		for (unsigned int order = 0; order <= PAGE_ALLOC_COSTLY_ORDER; order++) {
			for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++) {
				struct page *page = alloc_pages(kinds[k] | __GFP_NORETRY | __GFP_NOWARN, order);

				if (page)
					__free_pages(page, order);
			}
		}
	}
}

TEST(frames_tiny, what_cpus_keep_is_a_small_share)
{
	static const u64 sizes[] = { 4 << 10, 5 << 10, 8 << 10, 15 << 10, 40 << 10 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (unsigned int cpus = 1; cpus <= 4; cpus *= 2) {
			unsigned long before, after;

			ASSERT(boot_small(sizes[i], cpus));
			drain_all_pages(NULL);
			before = nr_free_pages();
			ASSERT(!hosted_run_cpus(cpus, use_all_kinds, &cpus));
			after = nr_free_pages();
			EXPECT_EQ(mm_verify(NULL, NULL), 0);
			if (after + before / 8 < before)
				test_fail(__FILE__, __LINE__, "%llu KiB, %u CPUs: of %lu free pages %lu are seen",
					  (unsigned long long)sizes[i], cpus, before, after);
			drain_all_pages(NULL);
			EXPECT_EQ(nr_free_pages(), before);
		}
	}
}

TEST(frames_tiny, freed_pages_serve_who_may_not_wait)
{
	ASSERT(boot_small(4 << 10, 1));
	for (int round = 0; round < 3; round++) {
		unsigned int n = 0, again = 0;

		while (n < PAGES_MAX && (pages[n] = alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0)))
			n++;
		EXPECT(n > 256);
		for (unsigned int i = 0; i < n; i++)
			__free_pages(pages[i], 0);
		while (again < n && (pages[again] = alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0)))
			again++;
		EXPECT_EQ(again, n);
		while (again)
			__free_pages(pages[--again], 0);
	}
}

/* Free pages stand at the min mark; what the CPU keeps makes the difference. */
TEST(frames_tiny, an_atomic_request_gets_what_its_cpu_keeps)
{
	unsigned long kept;
	struct page *page;
	struct zone *zone;

	ASSERT(boot_small(15 << 10, 1));
	page = alloc_pages(GFP_KERNEL, 0);
	ASSERT(page);
	zone = page_zone(page);
	__free_pages(page, 0);
	kept = zone_managed_pages(zone);
	ASSERT(nr_free_pages() < kept);
	ASSERT(!set_min_free_kbytes((int)(nr_free_pages() * (PAGE_SIZE / 1024))));
	EXPECT(!zone_watermark_ok(zone, 0, min_wmark_pages(zone), ZONE_NORMAL, 0));
	page = alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0);
	EXPECT(page);
	if (page)
		__free_pages(page, 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* The smallest machine on which the heap starts has little more than the reserve of 128 KiB. */
TEST(frames_tiny, the_heap_starts_with_what_is_above_the_reserve)
{
	u64 kib = 2048;

	while (kib > 128 && boot_small(kib - 32, 1))
		kib -= 32;
	ASSERT(boot_small(kib, 1));
	EXPECT(totalram_pages() < 64);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* Zones without memory have no caches: what one zone counts is not theirs. */
TEST(frames_tiny, pages_are_counted_for_their_zone_alone)
{
	unsigned long hit, events[4];
	struct page *page;

	ASSERT(boot_small(14 << 10, 1));
	hit = global_zone_page_state(NUMA_HIT);
	for (unsigned int t = 0; t < 4; t++)
		events[t] = vm_event_sum((enum vm_event_item)(PGALLOC_FIRST + t));
	page = alloc_pages(GFP_KERNEL, 2);
	ASSERT(page);
	ASSERT(page_zone(page)->type == ZONE_DMA);
	EXPECT_EQ(global_zone_page_state(NUMA_HIT) - hit, 1);
	for (unsigned int t = 0; t < 4; t++)
		EXPECT_EQ(vm_event_sum((enum vm_event_item)(PGALLOC_FIRST + t)) - events[t], t == ZONE_DMA ? 4 : 0);
	__free_pages(page, 2);
}
