// SPDX-License-Identifier: MIT
/*
 * "pages in unavailable ranges": frames that have a descriptor but are no memory.
 *
 * The memory ranges are walked in order, and each zone by zone; a hole in front of a piece is charged to the
 * zone of that piece. Only the part of a hole that lies in a section with some memory has descriptors: the
 * rest of the section in which the hole begins and the start of the one in which it ends. The rest of the
 * last section counts too. A flat map (i386 without nodes) has no sections: every frame of a hole counts, and
 * nothing behind the last range.
 */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "memmap.h"
#include "zone_init.h"

/* Frames of a section of the machine that is followed; 0: a flat map. i386's sizes are Linux's. */
static unsigned long section_frames(const struct bootinfo *info)
{
	switch (info->arch) {
	case BOOT_ARCH_I386:
		return info->no_numa ? 0 : 1ul << (26 - PAGE_SHIFT);
	case BOOT_ARCH_I386_PAE:
		return info->no_numa ? 0 : 1ul << (29 - PAGE_SHIFT);
	default:
		return PAGES_PER_SECTION;
	}
}

/* Frames of the hole [@start, @end) that have descriptors. */
static unsigned long described_frames(unsigned long start, unsigned long end, unsigned long section)
{
	unsigned long first_end, last_start, frames = 0;

	if (!section)
		return end - start;
	first_end = min(end, ALIGN(start + 1, section));
	last_start = max(first_end, ALIGN_DOWN(end - 1, section));
	if (pages_present_in(NUMA_NO_NODE, ALIGN_DOWN(start, section), ALIGN_DOWN(start, section) + section))
		frames += first_end - start;
	if (last_start < end && pages_present_in(NUMA_NO_NODE, last_start, last_start + section))
		frames += end - last_start;
	return frames;
}

static void report_hole(const struct zone *zone, unsigned long start, unsigned long end, unsigned long section)
{
	unsigned long frames = start < end ? described_frames(start, end, section) : 0;

	if (frames)
		printk("On node %d, zone %s: %lu pages in unavailable ranges\n", zone->node, zone->name, frames);
}

void free_area_print_holes(const struct bootinfo *info)
{
	unsigned long section = section_frames(info), hole = 0, start, end = 0;
	const struct zone *last = NULL;
	int nid;
	u64 i;

	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, &nid) {
		for (unsigned int z = 0; z < MAX_NR_ZONES; z++) {
			const struct zone *zone = zone_of(nid, z);
			unsigned long from = clamp(start, zone->zone_start_pfn, zone_end_pfn(zone));
			unsigned long to = clamp(end, zone->zone_start_pfn, zone_end_pfn(zone));

			if (!populated_zone(zone))
				continue;
			last = zone;
			if (from >= to)
				continue;
			report_hole(zone, hole, from, section);
			hole = to;
		}
	}
	if (last && section)
		report_hole(last, hole, ALIGN(end, section), section);
}
