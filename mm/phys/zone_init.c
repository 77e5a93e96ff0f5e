// SPDX-License-Identifier: MIT
/*
 * Sizing nodes and zones.
 *
 * Purpose
 *   From memblock's regions and the architecture's address limits: which frames each zone of each node spans,
 *   how many of them are memory, and the lines of the boot log that say so.
 *
 * Words
 *   spanned: frames from a zone's first to its last. present: those that are memory. absent: the others. hole: a
 *   run of absent frames. section: 128 MiB whose descriptors exist together.
 *
 * Structures
 *   limits      |   DMA   |    DMA32      |          Normal           |     one set for the machine
 *   node 0         [######  ####### ]           [#########|mmmmmm]          m: Movable, from zone_movable_pfn[0]
 *   node 1                                                        [########]
 *
 * Invariants
 *   ZI-I1  the zones of a node are disjoint and ascend, except that with kernelcore=mirror Movable overlaps the
 *          zone below it
 *   ZI-I2  the present pages of a node's zones add up to its memory
 *   ZI-I3  every frame of memory lies in the span of the zone that zone_type_of_pfn() names
 *
 * Locking
 *   None: the boot CPU alone. Memory hotplug changes spans later, under its own lock.
 *
 * Differences from Linux
 *   One build has all zones; zone_configured_mask says which of them the machine being booted has. With
 *   kernelcore=mirror, memory between a node's first unmirrored frame and the block it is rounded up to is
 *   counted as present in the kernel zone, where it is used.
 *
 * Sources
 *   Linux 6.12's boot log on some hundred machines; Documentation/admin-guide/kernel-parameters.txt for
 *   kernelcore=, movablecore= and movable_node.
 */
#include "zone_init.h"

#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../boot/e820.h"
#include "../boot/numa.h"
#include "kernelcore.h"
#include "memmap.h"

unsigned long arch_zone_lowest_possible_pfn[MAX_NR_ZONES] __memsys;
unsigned long arch_zone_highest_possible_pfn[MAX_NR_ZONES] __memsys;
bool kernel_has_numa __memsys;
const char *const zone_names[MAX_NR_ZONES] = { "DMA", "DMA32", "Normal", "HighMem", "Movable", "Device" };

#define PFN_16M (1ul << (24 - PAGE_SHIFT))
#define PFN_4G (1ul << (32 - PAGE_SHIFT))

static unsigned int zones_of(enum boot_arch arch)
{
	switch (arch) {
	case BOOT_ARCH_I386:
	case BOOT_ARCH_I386_PAE:
		return 1u << ZONE_DMA | 1u << ZONE_NORMAL | 1u << ZONE_HIGHMEM | 1u << ZONE_MOVABLE;
	case BOOT_ARCH_ARM64:
		return 1u << ZONE_DMA | 1u << ZONE_DMA32 | 1u << ZONE_NORMAL | 1u << ZONE_MOVABLE;
	default:
		return 1u << ZONE_DMA | 1u << ZONE_DMA32 | 1u << ZONE_NORMAL | 1u << ZONE_MOVABLE | 1u << ZONE_DEVICE;
	}
}

static u8 zone_or_normal(enum zone_type type)
{
	return (u8)(zone_configured(type) ? type : ZONE_NORMAL);
}

void zone_setup_arch(const struct bootinfo *info)
{
	/* What a configuration decides. The other zones an architecture has or has not: memory would belong to none. */
	const u32 optional = 1u << ZONE_DMA | 1u << ZONE_DMA32 | 1u << ZONE_DEVICE;

	zone_configured_mask = zones_of(info->arch);
	if (info->zones)
		zone_configured_mask = (zone_configured_mask & (info->zones | ~optional)) |
				       (info->zones & 1u << ZONE_DEVICE);
	kernel_has_numa = !info->no_numa;
	/* More than one of DMA, DMA32 and HIGHMEM contradict each other: MAX_NR_ZONES marks them as senseless. */
	for (unsigned int gfp = 0; gfp < 16; gfp++)
		gfp_zone_table[gfp] = MAX_NR_ZONES;
	for (unsigned int movable = 0; movable <= __GFP_MOVABLE; movable += __GFP_MOVABLE) {
		gfp_zone_table[movable] = ZONE_NORMAL;
		gfp_zone_table[movable | __GFP_DMA] = zone_or_normal(ZONE_DMA);
		gfp_zone_table[movable | __GFP_DMA32] = zone_or_normal(ZONE_DMA32);
		gfp_zone_table[movable | __GFP_HIGHMEM] = movable ? ZONE_MOVABLE : zone_or_normal(ZONE_HIGHMEM);
	}
}

/* Where a zone that devices need ends on arm64: machines without RAM below the limit get the next one. */
static unsigned long arm64_zone_end(phys_addr_t limit)
{
	phys_addr_t start = memblock_start_of_DRAM();

	if (start >= PFN_PHYS(PFN_4G))
		limit = ~(phys_addr_t)0;
	else if (start >= limit)
		limit = PFN_PHYS(PFN_4G);
	return PFN_DOWN(min(limit, memblock_end_of_DRAM()));
}

static void set_zone_ends(const struct bootinfo *info, unsigned long end[MAX_NR_ZONES])
{
	unsigned long last = PFN_DOWN(memblock_end_of_DRAM());
	phys_addr_t dma = info->zone_dma_end, dma32 = info->zone_dma32_end;

	switch (info->arch) {
	case BOOT_ARCH_I386:
	case BOOT_ARCH_I386_PAE:
		end[ZONE_DMA] = min(PFN_16M, max_low_pfn);
		end[ZONE_NORMAL] = max_low_pfn;
		end[ZONE_HIGHMEM] = last;
		break;
	case BOOT_ARCH_ARM64:
		end[ZONE_DMA] = arm64_zone_end(dma ? dma : PFN_PHYS(PFN_4G));
		end[ZONE_DMA32] = arm64_zone_end(dma32 ? dma32 : PFN_PHYS(PFN_4G));
		end[ZONE_NORMAL] = last;
		break;
	default:
		end[ZONE_DMA] = min(PFN_16M, last);
		end[ZONE_DMA32] = min(PFN_4G, last);
		end[ZONE_NORMAL] = last;
	}
}

static void set_zone_limits(const struct bootinfo *info)
{
	unsigned long end[MAX_NR_ZONES] = { 0 }, start = PFN_DOWN(memblock_start_of_DRAM());

	set_zone_ends(info, end);
	for (unsigned int z = 0; z < MAX_NR_ZONES; z++) {
		arch_zone_lowest_possible_pfn[z] = arch_zone_highest_possible_pfn[z] = 0;
		if (!zone_configured(z) || z == ZONE_MOVABLE || z == ZONE_DEVICE)
			continue;
		arch_zone_lowest_possible_pfn[z] = start;
		start = max(start, end[z]);
		arch_zone_highest_possible_pfn[z] = start;
	}
}

static void print_range(phys_addr_t start, phys_addr_t end)
{
	printk("[mem 0x%016llx-0x%016llx]\n", (unsigned long long)start, (unsigned long long)(end - 1));
}

static void print_zone_limits(void)
{
	printk("Zone ranges:\n");
	for (unsigned int z = 0; z < MAX_NR_ZONES; z++) {
		unsigned long low = arch_zone_lowest_possible_pfn[z], high = arch_zone_highest_possible_pfn[z];

		if (!zone_configured(z) || z == ZONE_MOVABLE)
			continue;
		printk("  %-8s ", zone_names[z]);
		if (low == high)
			printk("empty\n");
		else
			print_range(PFN_PHYS(low), PFN_PHYS(high));
	}
}

static void print_layout(void)
{
	unsigned long start, end;
	int nid;
	u64 i;

	printk("Movable zone start for each node\n");
	for (nid = 0; nid < MAX_NUMNODES; nid++)
		if (zone_movable_pfn[nid])
			printk("  Node %d: 0x%016llx\n", nid, (unsigned long long)PFN_PHYS(zone_movable_pfn[nid]));
	printk("Early memory node ranges\n");
	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, &nid) {
		printk("  node %3d: ", nid);
		print_range(PFN_PHYS(start), PFN_PHYS(end));
	}
}

unsigned long pages_present_in(int nid, unsigned long start, unsigned long end)
{
	unsigned long from, to, pages = 0;
	u64 i = PFN_PHYS(start);

	while (memblock_next_pfn_range(&i, nid, &from, &to, NULL)) {
		if (from >= end)
			break;
		from = max(from, start);
		to = min(to, end);
		if (from < to)
			pages += to - from;
	}
	return pages;
}

/* Mirrored (or other) frames of a node in [@start, @end). */
static unsigned long pages_mirrored_in(int nid, unsigned long start, unsigned long end, bool mirrored)
{
	const struct memblock_region *r;
	unsigned long pages = 0;

	for_each_mem_region(r) {
		unsigned long from = max(PFN_UP(r->base), start), to = min(PFN_DOWN(r->base + r->size), end);

		if (r->nid == nid && from < to && mirrored == !!(r->flags & MEMBLOCK_MIRROR))
			pages += to - from;
	}
	return pages;
}

/* The frames of node [@node_start, @node_end) that zone @z spans. */
static void span_zone(int nid, enum zone_type z, unsigned long node_start, unsigned long node_end,
		      unsigned long *start, unsigned long *end)
{
	unsigned long movable = zone_movable_pfn[nid];
	enum zone_type limits = z == ZONE_MOVABLE ? movable_zone : z;

	*start = clamp(node_start, arch_zone_lowest_possible_pfn[limits], arch_zone_highest_possible_pfn[limits]);
	*end = clamp(node_end, arch_zone_lowest_possible_pfn[limits], arch_zone_highest_possible_pfn[limits]);
	if (z == ZONE_MOVABLE)
		*start = movable ? max(*start, movable) : *end;
	else if (movable && !mirrored_kernelcore)
		*end = min(*end, max(movable, *start));
	if (z == ZONE_DEVICE || *start >= *end)
		*start = *end = 0;
}

static void init_zone(struct pglist_data *pgdat, enum zone_type z, unsigned long node_start, unsigned long node_end)
{
	struct zone *zone = &pgdat->node_zones[z];
	unsigned long start, end, movable = zone_movable_pfn[pgdat->node_id];

	span_zone(pgdat->node_id, z, node_start, node_end, &start, &end);
	zone->node = pgdat->node_id;
	zone->type = z;
	zone->index = (u32)pgdat->node_id * MAX_NR_ZONES + z;
	zone->name = zone_names[z];
	zone->pgdat = pgdat;
	zone->zone_start_pfn = start;
	zone->spanned_pages = end - start;
	zone->present_pages = pages_present_in(zone->node, start, end);
	if (mirrored_kernelcore && movable && z == ZONE_MOVABLE)
		zone->present_pages -= pages_mirrored_in(zone->node, start, end, true);
	else if (mirrored_kernelcore && movable && movable < end)
		zone->present_pages -= pages_mirrored_in(zone->node, max(start, movable), end, false);
	spin_lock_init(&zone->lock, LOCK_RANK_ZONE);
}

static void init_node(struct pglist_data *pgdat)
{
	unsigned long start, end = 0, from, to;
	int nid = pgdat->node_id;
	u64 i;

	start = ~0ul;
	for_each_mem_pfn_range(i, nid, &from, &to, NULL) {
		start = min(start, from);
		end = to;
	}
	printk("Initmem setup node %d [mem 0x%016llx-0x%016llx]\n", nid, (unsigned long long)PFN_PHYS(start),
	       (unsigned long long)(PFN_PHYS(end) - 1));
	pgdat->node_start_pfn = start;
	pgdat->node_spanned_pages = end - start;
	pgdat->node_present_pages = 0;
	spin_lock_init(&pgdat->init_lock, LOCK_RANK_MEMINIT);
	for (unsigned int z = 0; z < MAX_NR_ZONES; z++) {
		init_zone(pgdat, z, start, end);
		pgdat->node_present_pages += pgdat->node_zones[z].present_pages;
	}
}

enum zone_type zone_type_of_pfn(int nid, unsigned long pfn)
{
	const struct pglist_data *pgdat = NODE_DATA(nid);
	const struct mem_section *section = pfn_to_section(pfn);
	unsigned int flags = 0, z;

	if (section && section->hotplug_zone)
		return section->hotplug_zone - 1;

	if (mirrored_kernelcore && zone_movable_pfn[nid] && pfn >= zone_movable_pfn[nid]) {
		const struct memblock_region *r;

		for_each_mem_region(r)
			if (PFN_PHYS(pfn) - r->base < r->size)
				flags = r->flags;
		return flags & MEMBLOCK_MIRROR ? movable_zone : ZONE_MOVABLE;
	}
	for (z = 0; z < MAX_NR_ZONES; z++)
		if (zone_spans_pfn(&pgdat->node_zones[z], pfn))
			return z;
	/* A hole outside every span of the node: the limits tell. */
	return kernel_zone_type(pfn);
}

enum zone_type kernel_zone_type(unsigned long pfn)
{
	enum zone_type highest = ZONE_NORMAL;

	for (unsigned int z = 0; z < ZONE_MOVABLE; z++) {
		if (!zone_configured(z))
			continue;
		highest = z;
		if (pfn < arch_zone_highest_possible_pfn[z])
			break;
	}
	return highest;
}

void free_area_init(const struct bootinfo *info)
{
	set_zone_limits(info);
	find_zone_movable_pfns();
	print_zone_limits();
	print_layout();
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		if (NODE_DATA(nid))
			init_node(NODE_DATA(nid));
		else if (node_isset(nid, &node_possible_map))
			printk("Initmem setup node %d as memoryless\n", nid);
	}
}
