// SPDX-License-Identifier: MIT
/*
 * Zonelists.
 *
 * Each node has two lists of zones: fallback, over all nodes with memory in order of preference, and
 * nofallback, its own zones. Within a node the zones come highest first, so that scarce low memory is used
 * last.
 *
 * Nodes are preferred by distance; of two equally far ones, one without CPUs before one with, and the next
 * higher number before a lower. What is equal even then goes to the node fewer others chose: a count per
 * node ("load") grows whenever a node is picked first among those of a new distance, so that two neighbours
 * do not both fall back on the same third node (Linux since 5.16).
 *
 * ZL-I1: a list holds each populated zone of the machine (of the node) once and ends with a NULL zone.
 *
 * Locking: the boot CPU; later memory hotplug, which rewrites a list entry by entry. A reader may for a moment
 * see a zone twice or miss one, never anything but a zone or the end.
 */
#include "zonelist.h"

#include <octavo/memblock.h>
#include <octavo/numa.h>

#include "../base/printk.h"
#include "../boot/numa.h"
#include "zone_init.h"

enum zone_type policy_zone __memsys;
bool page_group_by_mobility_disabled __memsys;

/* Nodes with CPUs of their own; when firmware does not say, those that CPUs were placed on. */
static nodemask_t nodes_with_cpus(void)
{
	nodemask_t nodes = node_cpu_map;
	u64 any = 0;

	for (unsigned int w = 0; w < NODEMASK_WORDS; w++)
		any |= nodes.bits[w];
	if (!any)
		for_each_possible_cpu(cpu)
			node_set(cpu_to_node(cpu), &nodes);
	return nodes;
}

/* How little node @nid likes to fall back on @other: smaller is better. */
static unsigned int reluctance(const struct fallback_nodes *nodes, int nid, int other)
{
	if (nid == other)
		return 0;
	return (unsigned int)nodes->distance(nid, other) + (other < nid) + node_isset(other, &nodes->with_cpus);
}

unsigned int node_fallback_order(struct fallback_nodes *nodes, int nid, int order[MAX_NUMNODES])
{
	nodemask_t left = nodes->nodes;
	unsigned int nr = 0;
	int last = nid;

	for (;;) {
		unsigned int best_cost = 0;
		int best = NUMA_NO_NODE;

		for (int n = 0; n < MAX_NUMNODES; n++) {
			unsigned int cost;

			if (!node_isset(n, &left))
				continue;
			cost = reluctance(nodes, nid, n);
			if (best == NUMA_NO_NODE || cost < best_cost ||
			    (cost == best_cost && nodes->load[n] < nodes->load[best])) {
				best = n;
				best_cost = cost;
			}
		}
		if (best == NUMA_NO_NODE)
			return nr;
		if (nodes->distance(nid, best) != nodes->distance(nid, last))
			nodes->load[best]++;
		last = best;
		node_clear(best, &left);
		order[nr++] = best;
	}
}

static struct zoneref *add_node_zones(struct zoneref *ref, const struct pglist_data *pgdat)
{
	for (unsigned int z = MAX_NR_ZONES; z-- > 0;) {
		const struct zone *zone = &pgdat->node_zones[z];

		if (!populated_zone(zone))
			continue;
		ref->type = z;
		WRITE_ONCE(ref->zone, (struct zone *)zone);
		ref++;
		if (z != ZONE_MOVABLE && z > policy_zone)
			policy_zone = z;
	}
	return ref;
}

static int alloc_zonelists(struct pglist_data *pgdat)
{
	size_t nr[MAX_ZONELISTS] = { (size_t)nr_node_ids * MAX_NR_ZONES + 1, MAX_NR_ZONES + 1 };

	for (unsigned int i = 0; i < MAX_ZONELISTS; i++) {
		size_t bytes = nr[i] * sizeof(struct zoneref);
		struct zoneref *refs;

		if (pgdat->node_zonelists[i].refs)
			continue;
		refs = memblock_alloc_node(bytes, SMP_CACHE_BYTES, pgdat->node_id);
		if (!refs) {
			pr_err("zonelists of node %d: no %zu bytes of memory\n", pgdat->node_id, bytes);
			return -ENOMEM;
		}
		pgdat->node_zonelists[i].refs = refs;
	}
	return 0;
}

static void print_fallback_order(int nid, const int *order, unsigned int nr)
{
	if (!kernel_has_numa)
		return;
	printk("Fallback order for Node %d: ", nid);
	for (unsigned int i = 0; i < nr; i++)
		printk("%d ", order[i]);
	printk("\n");
}

/* A node with CPUs but no memory has no lists of its own here, as its CPUs use those of another; Linux's has. */
static void build_node_zonelists(int nid, struct fallback_nodes *nodes)
{
	struct pglist_data *pgdat = NODE_DATA(nid);
	int order[MAX_NUMNODES];
	unsigned int nr = node_fallback_order(nodes, nid, order);
	struct zoneref *ref;

	if (pgdat) {
		ref = pgdat->node_zonelists[ZONELIST_FALLBACK].refs;
		for (unsigned int i = 0; i < nr; i++)
			ref = add_node_zones(ref, NODE_DATA(order[i]));
		WRITE_ONCE(ref->zone, NULL);
		ref = add_node_zones(pgdat->node_zonelists[ZONELIST_NOFALLBACK].refs, pgdat);
		WRITE_ONCE(ref->zone, NULL);
	}
	print_fallback_order(nid, order, nr);
}

int build_all_zonelists(void)
{
	struct fallback_nodes order = { .nodes = node_memory_map, .with_cpus = nodes_with_cpus(),
					.distance = node_distance };
	unsigned int nodes = 0;
	unsigned long pages = 0;
	int err;

	policy_zone = 0;
	for_each_online_node(nid) {
		err = alloc_zonelists(NODE_DATA(nid));
		if (err)
			return err;
		pages += NODE_DATA(nid)->node_present_pages;
	}
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		if (!NODE_DATA(nid) && !node_isset(nid, &order.with_cpus))
			continue;
		build_node_zonelists(nid, &order);
		nodes++;
	}
	page_group_by_mobility_disabled = pages < pageblock_nr_pages * MIGRATE_TYPES;
	printk("Built %u zonelists, mobility grouping %s.  Total pages: %lu\n", nodes,
	       page_group_by_mobility_disabled ? "off" : "on", pages);
	if (kernel_has_numa)
		printk("Policy zone: %s\n", zone_names[policy_zone]);
	return 0;
}
