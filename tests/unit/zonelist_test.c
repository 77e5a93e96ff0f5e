// SPDX-License-Identifier: MIT
#include "harness.h"
#include "mm/phys/zonelist.h"

/* A distance matrix of @n nodes for the test at hand. */
static const u8 *matrix;
static int matrix_nodes;

static int matrix_distance(int from, int to)
{
	return matrix[from * matrix_nodes + to];
}

/* Orders of all nodes, as digits with a space between two nodes' ones. */
static const char *all_orders(const u8 *distances, int n, u64 memory, u64 cpus)
{
	struct fallback_nodes nodes = { .nodes = { { memory } }, .with_cpus = { { cpus } },
					.distance = matrix_distance };
	static char text[256];
	char *p = text;

	matrix = distances;
	matrix_nodes = n;
	for (int nid = 0; nid < n; nid++) {
		int order[MAX_NUMNODES];
		unsigned int nr = node_fallback_order(&nodes, nid, order);

		for (unsigned int i = 0; i < nr; i++)
			*p++ = (char)('0' + order[i]);
		*p++ = nid + 1 < n ? ' ' : 0;
	}
	return text;
}

static const u8 two_sockets_4[] = {
	10, 12, 32, 32,
	12, 10, 32, 32,
	32, 32, 10, 12,
	32, 32, 12, 10,
};

static const u8 two_sockets_8[] = {
	10, 12, 12, 12, 32, 32, 32, 32,
	12, 10, 12, 12, 32, 32, 32, 32,
	12, 12, 10, 12, 32, 32, 32, 32,
	12, 12, 12, 10, 32, 32, 32, 32,
	32, 32, 32, 32, 10, 12, 12, 12,
	32, 32, 32, 32, 12, 10, 12, 12,
	32, 32, 32, 32, 12, 12, 10, 12,
	32, 32, 32, 32, 12, 12, 12, 10,
};

/* The two systems of the kernel mail that introduced the accumulated load (3 Sep 2021). */
TEST(zonelist, load_spreads_equal_distances)
{
	EXPECT_STREQ(all_orders(two_sockets_4, 4, 0xf, 0xf), "0123 1032 2301 3210");
	EXPECT_STREQ(all_orders(two_sockets_8, 8, 0xff, 0xff),
		     "01234567 12305674 23016745 30127456 45670123 56741230 67452301 74563012");
}

TEST(zonelist, next_higher_node_first)
{
	static const u8 flat[] = { 10, 20, 20, 20, 10, 20, 20, 20, 10 };

	EXPECT_STREQ(all_orders(flat, 3, 7, 7), "012 120 201");
	/* a node without CPUs is no one's home: it is used first */
	EXPECT_STREQ(all_orders(flat, 3, 7, 3), "021 120 201");
	/* a node without memory is in no order, its own included */
	EXPECT_STREQ(all_orders(flat, 3, 5, 7), "02 20 20");
}

static unsigned int count_in(const struct zonelist *list, const struct zone *zone)
{
	unsigned int n = 0;

	for (struct zoneref *z = list->refs; z->zone; z++)
		n += z->zone == zone;
	return n;
}

/* ZL-I1 on the machine that is running. */
TEST(zonelist, every_populated_zone_once)
{
	for_each_online_node(nid) {
		struct zonelist *all = node_zonelist(nid, 0), *own = node_zonelist(nid, __GFP_THISNODE);
		unsigned int zones = 0, own_zones = 0;

		for_each_populated_zone(zone) {
			EXPECT_EQ(count_in(all, zone), 1);
			EXPECT_EQ(count_in(own, zone), zone->node == nid);
			zones++;
			own_zones += zone->node == nid;
		}
		for (struct zoneref *z = all->refs; z->zone; z++, zones--)
			EXPECT_EQ(z->type, zone_idx(z->zone));
		for (struct zoneref *z = own->refs; z->zone; z++)
			own_zones--;
		EXPECT_EQ(zones, 0);
		EXPECT_EQ(own_zones, 0);
		EXPECT_EQ(all->refs[0].zone->node, nid);
	}
}

TEST(zonelist, iteration_respects_zone_and_nodes)
{
	for_each_online_node(nid) {
		nodemask_t only = { { 0 } };
		struct zoneref *z;
		struct zone *zone;
		int last = MAX_NR_ZONES;

		node_set(nid, &only);
		for_each_zone_zonelist_nodemask(zone, z, node_zonelist(nid, 0), gfp_zone(GFP_KERNEL), &only) {
			EXPECT_EQ(zone->node, nid);
			EXPECT(zone_idx(zone) <= ZONE_NORMAL);
			EXPECT(zone_idx(zone) < last);
			last = zone_idx(zone);
		}
		EXPECT(first_zones_zonelist(node_zonelist(nid, 0), ZONE_MOVABLE, NULL)->zone);
	}
}

TEST(zonelist, gfp_chooses_the_zone)
{
	EXPECT_EQ(gfp_zone(GFP_KERNEL), ZONE_NORMAL);
	EXPECT_EQ(gfp_zone(__GFP_MOVABLE), ZONE_NORMAL);
	EXPECT_EQ(gfp_zone(GFP_HIGHUSER_MOVABLE), ZONE_MOVABLE);
	EXPECT_EQ(gfp_zone(GFP_DMA), zone_configured(ZONE_DMA) ? ZONE_DMA : ZONE_NORMAL);
	EXPECT_EQ(gfp_zone(GFP_DMA32), zone_configured(ZONE_DMA32) ? ZONE_DMA32 : ZONE_NORMAL);
	EXPECT_EQ(gfp_zone(GFP_HIGHUSER), zone_configured(ZONE_HIGHMEM) ? ZONE_HIGHMEM : ZONE_NORMAL);
	EXPECT_EQ(gfp_zone(GFP_DMA | __GFP_HIGHMEM), MAX_NR_ZONES);
	EXPECT_EQ(gfp_zone(GFP_DMA | GFP_DMA32), MAX_NR_ZONES);
}
