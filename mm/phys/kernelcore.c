// SPDX-License-Identifier: MIT
/*
 * Where ZONE_MOVABLE begins on each node.
 *
 * kernelcore= asks for so many pages that stay usable for the kernel, spread evenly over the nodes. Below the
 * lowest frame Movable may have (the start of the highest kernel zone) everything is kernel memory already
 * and counts as such; above it each node gives its lowest frames until its share is reached. What a small node
 * cannot give is asked of the others in further rounds. movablecore= asks for the rest instead.
 */
#include "kernelcore.h"

#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../boot/params.h"
#include "zone_init.h"

unsigned long zone_movable_pfn[MAX_NUMNODES] __memsys;
enum zone_type movable_zone __memsys;
bool mirrored_kernelcore __memsys;

#define PFN_4G (1ul << (32 - PAGE_SHIFT))

static enum zone_type highest_kernel_zone(void)
{
	enum zone_type found = ZONE_NORMAL;

	for (unsigned int z = 0; z < ZONE_MOVABLE; z++)
		if (arch_zone_highest_possible_pfn[z] > arch_zone_lowest_possible_pfn[z])
			found = z;
	return found;
}

static void lower_movable_start(const struct memblock_region *r)
{
	unsigned long start = PFN_DOWN(r->base), *movable = &zone_movable_pfn[r->nid];

	*movable = *movable ? min(*movable, start) : start;
}

/* movable_node: from the lowest hotpluggable frame of each node. */
static void movable_by_hotplug(void)
{
	const struct memblock_region *r;

	for_each_mem_region(r)
		if (r->flags & MEMBLOCK_HOTPLUG)
			lower_movable_start(r);
}

/* kernelcore=mirror: from the lowest frame above 4 GiB that is not mirrored. */
static void movable_by_mirror(void)
{
	const struct memblock_region *r;
	bool low_unmirrored = false;

	if (!memblock_has_mirror()) {
		pr_warn("The system has no mirror memory, ignore kernelcore=mirror.\n");
		return;
	}
	mirrored_kernelcore = true;
	for_each_mem_region(r) {
		if (r->flags & MEMBLOCK_MIRROR)
			continue;
		if (PFN_DOWN(r->base) < PFN_4G)
			low_unmirrored = true;
		else
			lower_movable_start(r);
	}
	if (low_unmirrored)
		pr_warn("This configuration results in unmirrored kernel memory.\n");
}

/* Pages the kernel is to keep, of @total; 0: no limit was asked for. */
static u64 wanted_kernel_pages(u64 total)
{
	const struct kernelcore_params *p = &kernelcore_params;
	u64 kernel = p->kernelcore_percent ? total * 100 * p->kernelcore_percent / 10000 : p->kernelcore_pages;
	u64 movable = p->movablecore_percent ? total * 100 * p->movablecore_percent / 10000 : p->movablecore_pages;

	if (movable) {
		movable = movable > total ? total : min(total, ALIGN(movable, (u64)MAX_ORDER_NR_PAGES));
		kernel = max(kernel, total - movable);
	}
	return kernel;
}

/*
 * Let node @nid give up to @share pages from where it stands. *@wanted is what all nodes still have to give:
 * pages below @usable count against it too.
 */
static void give_from_node(int nid, u64 share, unsigned long usable, u64 *wanted)
{
	unsigned long start, end;
	u64 i;

	for_each_mem_pfn_range(i, nid, &start, &end, NULL) {
		u64 take;

		start = max(start, zone_movable_pfn[nid]);
		if (start >= end)
			continue;
		if (start < usable) {
			take = min(end, usable) - start;
			share -= min(share, take);
			*wanted -= min(*wanted, take);
			if (end <= usable) {
				zone_movable_pfn[nid] = end;
				continue;
			}
			start = usable;
		}
		take = min((u64)(end - start), share);
		zone_movable_pfn[nid] = start + (unsigned long)take;
		*wanted -= min(*wanted, take);
		share -= take;
		if (!share)
			break;
	}
}

static void movable_by_size(u64 wanted)
{
	unsigned long usable = arch_zone_lowest_possible_pfn[movable_zone];
	unsigned int nodes = 0;

	for_each_online_node(nid)
		nodes++;
	/* Each round one node less shares, until what is missing is less than a page for each. */
	do {
		u64 share = wanted / nodes;

		for_each_online_node(nid) {
			if (wanted < share)
				share = wanted / nodes;
			give_from_node(nid, share, usable, &wanted);
		}
		nodes--;
	} while (nodes && wanted > nodes);
}

static void round_up_starts(void)
{
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		unsigned long end = 0, to, *movable = &zone_movable_pfn[nid];
		u64 i;

		for_each_mem_pfn_range(i, nid, NULL, &to, NULL)
			end = to;
		*movable = ALIGN(*movable, MAX_ORDER_NR_PAGES);
		if (*movable >= end)
			*movable = 0;
	}
}

void find_zone_movable_pfns(void)
{
	u64 total = pages_present_in(NUMA_NO_NODE, 0, ~0ul), wanted;

	movable_zone = highest_kernel_zone();
	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		zone_movable_pfn[nid] = 0;
	if (kernelcore_params.movable_node) {
		movable_by_hotplug();
	} else if (kernelcore_params.kernelcore_mirror) {
		movable_by_mirror();
	} else {
		wanted = wanted_kernel_pages(total);
		if (!wanted || wanted >= total)
			return;
		movable_by_size(wanted);
	}
	round_up_starts();
}
