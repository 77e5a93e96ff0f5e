// SPDX-License-Identifier: MIT
/* Zone counters, events, thresholds. */
#include <octavo/gfp.h>
#include <octavo/page.h>

#include "harness.h"
#include "mm/phys/page_alloc.h"
#include "mm/phys/vmstat.h"

/* Figures of recorded machines: managed pages, CPUs, threshold. */
TEST(vmstat, thresholds_of_real_machines)
{
	EXPECT_EQ(stat_threshold(3840, 1), 2);	     /* DMA, 1 CPU: 2 x 1 x 1 */
	EXPECT_EQ(stat_threshold(3840, 8), 8);	     /* 2 x 4 x 1 */
	EXPECT_EQ(stat_threshold(500000, 8), 40);    /* fls(15) = 4: 2 x 4 x 5 */
	EXPECT_EQ(stat_threshold(1030000, 8), 48);   /* fls(31) = 5: 2 x 4 x 6 */
	EXPECT_EQ(stat_threshold(1ul << 28, 256), 125); /* 2 x 9 x 15 = 270, cut */
}

/* VS-I1, VS-I2 */
TEST(vmstat, diffs_fold_at_the_threshold)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct zone *zone;
	unsigned long stat;
	unsigned int limit;

	ASSERT(page);
	zone = page_zone(page);
	limit = zone->stat_threshold;
	ASSERT(limit > 0);
	stat = zone->stat[NR_MLOCK];
	for (unsigned int i = 0; i < limit; i++)
		mod_zone_page_state(zone, NR_MLOCK, 1);
	EXPECT_EQ(zone->stat[NR_MLOCK], stat);
	EXPECT_EQ(zone_page_state_snapshot(zone, NR_MLOCK), limit);
	mod_zone_page_state(zone, NR_MLOCK, 1);
	EXPECT_EQ(zone_page_state(zone, NR_MLOCK), stat + limit + 1);
	mod_zone_page_state(zone, NR_MLOCK, -(long)limit - 1);
	EXPECT_EQ(zone_page_state_snapshot(zone, NR_MLOCK), 0);
	__free_page(page);
}

TEST(vmstat, a_nested_section_counts_too)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct zone *zone;
	struct cpu_local *cpu;
	unsigned long flags;

	ASSERT(page);
	zone = page_zone(page);
	cpu = cpu_section_begin(&flags);
	mod_zone_page_state(zone, NR_BOUNCE, 3);
	count_vm_events(PAGEOUTRUN, 2);
	EXPECT_EQ(zone->stat[NR_BOUNCE], 3);
	cpu_section_end(cpu, flags);
	EXPECT_EQ(zone_page_state_snapshot(zone, NR_BOUNCE), 3);
	EXPECT_EQ(vm_event_sum(PAGEOUTRUN), 2);
	mod_zone_page_state(zone, NR_BOUNCE, -3);
	__free_page(page);
}

/* Negative sums, which races of readers can see, are shown as 0. */
TEST(vmstat, counters_do_not_show_below_zero)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct zone *zone;

	ASSERT(page);
	zone = page_zone(page);
	zone->stat[NR_BOUNCE] = (unsigned long)-5l;
	EXPECT_EQ(zone_page_state(zone, NR_BOUNCE), 0);
	EXPECT_EQ(zone_page_state_snapshot(zone, NR_BOUNCE), 0);
	zone->stat[NR_BOUNCE] = 0;
	__free_page(page);
}

static unsigned long pgalloc(void)
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < MAX_NR_ZONES; i++)
		sum += vm_event_sum((enum vm_event_item)(PGALLOC_FIRST + i));
	return sum;
}

static unsigned long hits(enum zone_stat_item item)
{
	return global_zone_page_state(item);
}

TEST(vmstat, every_allocation_and_free_is_counted_once)
{
	static struct page *pages[300];

	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		unsigned int n = order > 8 ? 3 : order > 3 ? 20 : 300;
		unsigned long allocs = pgalloc(), frees = vm_event_sum(PGFREE), hit = hits(NUMA_HIT);
		unsigned long local = hits(NUMA_LOCAL);

		for (unsigned int i = 0; i < n; i++) {
			pages[i] = alloc_pages(GFP_KERNEL, order);
			ASSERT(pages[i]);
		}
		EXPECT_EQ(pgalloc() - allocs, (unsigned long)n << order);
		EXPECT_EQ(hits(NUMA_HIT) - hit, n);
		EXPECT_EQ(hits(NUMA_LOCAL) - local, n);
		for (unsigned int i = 0; i < n; i++)
			__free_pages(pages[i], order);
		EXPECT_EQ(vm_event_sum(PGFREE) - frees, (unsigned long)n << order);
		drain_all_pages(NULL);
		EXPECT_EQ(pgalloc() - allocs, (unsigned long)n << order);
		EXPECT_EQ(vm_event_sum(PGFREE) - frees, (unsigned long)n << order);
		EXPECT_EQ(hits(NUMA_HIT) - hit, n);
	}
}

TEST(vmstat, node_counters)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct pglist_data *node;

	ASSERT(page);
	node = page_zone(page)->pgdat;
	mod_node_page_state(node, NR_FILE_PAGES, 7);
	EXPECT_EQ(node_page_state(node, NR_FILE_PAGES), 7);
	EXPECT_EQ(global_node_page_state(NR_FILE_PAGES), 7);
	mod_node_page_state(node, NR_FILE_PAGES, -7);
	EXPECT_EQ(node_page_state(node, NR_FILE_PAGES), 0);
	__free_page(page);
}
