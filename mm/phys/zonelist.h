/* SPDX-License-Identifier: MIT */
/* The order in which an allocation tries zones: nearest node first, in a node the highest allowed zone first. */
#ifndef MM_PHYS_ZONELIST_H
#define MM_PHYS_ZONELIST_H

#include "zone.h"

/*
 * build_all_zonelists - work out every node's lists from the distances and print them
 * At boot it takes memory from memblock; called again (memory hotplug) it rewrites the lists in place, and who
 * reads them meanwhile sees each entry old or new.
 * Return: 0 or -ENOMEM after a report.
 */
int __must_check build_all_zonelists(void);

/*
 * struct fallback_nodes - what decides the order of nodes
 * @nodes: those to be ordered; @with_cpus: those of them that have CPUs
 * @distance: as node_distance()
 * @load: how often each was picked first among those of a new distance; kept from one node to the next
 */
struct fallback_nodes {
	nodemask_t nodes, with_cpus;
	int (*distance)(int from, int to);
	unsigned int load[MAX_NUMNODES];
};

/* The nodes in the order node @nid falls back on them, itself first. Return: how many were stored in @order. */
unsigned int node_fallback_order(struct fallback_nodes *nodes, int nid, int order[MAX_NUMNODES]);

/* Highest kernel zone with memory: where a memory policy applies. */
extern enum zone_type policy_zone;

/* Fewer pages than this cannot afford pageblocks of each type. */
extern bool page_group_by_mobility_disabled;

/* The list for an allocation that starts on node @nid, which must have memory. */
static inline struct zonelist *node_zonelist(int nid, gfp_t gfp)
{
	return &NODE_DATA(nid)->node_zonelists[gfp & __GFP_THISNODE ? ZONELIST_NOFALLBACK : ZONELIST_FALLBACK];
}

/* The first entry from @z on that is not above @highest and, with @nodes, on one of them; ends at a NULL zone. */
static inline struct zoneref *next_zones_zonelist(struct zoneref *z, enum zone_type highest, const nodemask_t *nodes)
{
	struct zone *zone;

	for (; (zone = READ_ONCE(z->zone)) != NULL; z++)
		if (z->type <= highest && (!nodes || node_isset(zone->node, nodes)))
			break;
	return z;
}

static inline struct zoneref *first_zones_zonelist(struct zonelist *list, enum zone_type highest,
						   const nodemask_t *nodes)
{
	return next_zones_zonelist(list->refs, highest, nodes);
}

#define for_each_zone_zonelist_nodemask(zone_, z, list, highest, nodes)                          \
	for ((z) = first_zones_zonelist(list, highest, nodes); ((zone_) = (z)->zone) != NULL;       \
	     (z) = next_zones_zonelist((z) + 1, highest, nodes))
#define for_each_zone_zonelist(zone_, z, list, highest) \
	for_each_zone_zonelist_nodemask(zone_, z, list, highest, NULL)

#endif
