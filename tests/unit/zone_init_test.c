// SPDX-License-Identifier: MIT
/* The nodes and zones of the machine that is running. Whole boots are in tests/hosted/start_test.c. */
#include "harness.h"
#include "mm/boot/memblock_internal.h"
#include "mm/phys/zone_init.h"

/* ZI-I1 */
TEST(zone_init, zones_of_a_node_ascend)
{
	for_each_online_node(nid) {
		unsigned long end = 0;

		for (unsigned int z = 0; z < MAX_NR_ZONES; z++) {
			const struct zone *zone = zone_of(nid, z);

			EXPECT_EQ(zone->node, nid);
			EXPECT_EQ(zone_idx(zone), z);
			EXPECT_STREQ(zone->name, zone_names[z]);
			EXPECT(zone->present_pages <= zone->spanned_pages);
			EXPECT(zone->managed_pages <= zone->present_pages);
			if (!zone->spanned_pages)
				continue;
			EXPECT(zone_configured(z));
			EXPECT(zone->zone_start_pfn >= end || mirrored_kernelcore);
			end = zone_end_pfn(zone);
		}
	}
}

/* ZI-I2 */
TEST(zone_init, present_pages_add_up)
{
	unsigned long machine = 0, start, end;
	u64 i;

	for_each_online_node(nid) {
		unsigned long present = 0, memory = 0;

		for (unsigned int z = 0; z < MAX_NR_ZONES; z++)
			present += zone_of(nid, z)->present_pages;
		for_each_mem_pfn_range(i, nid, &start, &end, NULL)
			memory += end - start;
		EXPECT_EQ(present, memory);
		EXPECT_EQ(NODE_DATA(nid)->node_present_pages, memory);
		machine += memory;
	}
	EXPECT_EQ(pages_present_in(NUMA_NO_NODE, 0, ~0ul), machine);
}

/* ZI-I3, at the ends of every range and around every zone's limits */
TEST(zone_init, every_frame_has_its_zone)
{
	unsigned long start, end;
	int nid;
	u64 i;

	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, &nid) {
		for (unsigned int z = 0; z < MAX_NR_ZONES; z++) {
			unsigned long low = zone_of(nid, z)->zone_start_pfn, probe[] = { start, end - 1, low, low - 1 };

			for (unsigned int k = 0; k < ARRAY_SIZE(probe); k++) {
				if (probe[k] < start || probe[k] >= end)
					continue;
				EXPECT(zone_spans_pfn(zone_of(nid, zone_type_of_pfn(nid, probe[k])), probe[k]));
			}
		}
	}
}

TEST(zone_init, pages_present_in_counts_overlap)
{
	unsigned long start = PFN_UP(memblock_start_of_DRAM()), end = PFN_DOWN(memblock_end_of_DRAM());

	EXPECT_EQ(pages_present_in(NUMA_NO_NODE, start, start + 1), 1);
	EXPECT_EQ(pages_present_in(NUMA_NO_NODE, end - 1, end + 100), 1);
	EXPECT_EQ(pages_present_in(NUMA_NO_NODE, end, end + 100), 0);
	EXPECT_EQ(pages_present_in(NUMA_NO_NODE, start, start), 0);
	EXPECT_EQ(pages_present_in(MAX_NUMNODES - 1, 0, ~0ul),
		  NODE_DATA(MAX_NUMNODES - 1) ? NODE_DATA(MAX_NUMNODES - 1)->node_present_pages : 0);
}
