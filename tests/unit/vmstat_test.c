// SPDX-License-Identifier: MIT
/* Counters: batches per CPU add up to the exact count and stay within the threshold. */
#include "harness.h"
#include "mm/phys/zone.h"

static struct zone *some_zone(void)
{
	for_each_populated_zone(zone)
		return zone;
	return NULL;
}

/* VS-I1, VS-I2 */
TEST(vmstat, batches_stay_within_the_threshold)
{
	struct zone *zone = some_zone();
	long sum = 0, before, limit;
	u64 seed = test_seed;

	ASSERT(zone);
	limit = zone->stat_threshold;
	before = (long)zone_page_state_snapshot(zone, NR_MLOCK);
	for (unsigned int i = 0; i < 2000; i++) {
		long delta = (long)(test_random(&seed) % 41) - 15, kept;

		mod_zone_page_state(zone, NR_MLOCK, delta);
		sum += delta;
		kept = this_cpu()->zone_stats[zone->index].diff[NR_MLOCK];
		EXPECT(kept <= limit && kept >= -limit);
		if (before + sum >= 0)
			EXPECT_EQ(zone_page_state_snapshot(zone, NR_MLOCK), before + sum);
	}
	mod_zone_page_state(zone, NR_MLOCK, -sum);
	EXPECT_EQ(zone_page_state_snapshot(zone, NR_MLOCK), before);
}

TEST(vmstat, node_counters_and_events_add_up)
{
	unsigned long before, events = vm_event_sum(CMA_ALLOC_FAIL);

	for_each_online_node(nid) {
		before = global_node_page_state(NR_FILE_PAGES);
		mod_node_page_state(NODE_DATA(nid), NR_FILE_PAGES, 7);
		EXPECT_EQ(node_page_state(NODE_DATA(nid), NR_FILE_PAGES), 7);
		EXPECT_EQ(global_node_page_state(NR_FILE_PAGES), before + 7);
	}
	for_each_online_node(nid)
		mod_node_page_state(NODE_DATA(nid), NR_FILE_PAGES, -7);
	EXPECT_EQ(global_node_page_state(NR_FILE_PAGES), 0);
	count_vm_events(CMA_ALLOC_FAIL, 3);
	EXPECT_EQ(vm_event_sum(CMA_ALLOC_FAIL), events + 3);
}
