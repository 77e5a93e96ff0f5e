// SPDX-License-Identifier: MIT
/*
 * Memory for the frame layer's tables, which reach from a zone's first frame to its last, holes included: 128
 * bytes and some bits for 2 MiB.
 *
 * A zone that spans a hole of tebibytes would pay more for it than it has. Then the room for hotplug goes first,
 * with the hole in front of the zone's memory; if the tables still find no place, the zone does without what
 * lies beyond its largest hole, says so, and keeps that reserved.
 */
#include "zone_frames.h"

#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../phys/hotplug.h"
#include "../phys/zone_init.h"

/* Tables may take this part of a zone's memory before room for hotplug is given up. */
#define TABLE_SHARE 64

static size_t table_bytes(struct pfn_range room)
{
	return frames_bytes(room.start, room.end - room.start);
}

/* From the first to the last frame of memory in @room. */
static struct pfn_range memory_in(const struct zone *zone, struct pfn_range room)
{
	struct pfn_range found = { 0, 0 };
	unsigned long start, end;
	u64 i = PFN_PHYS(room.start);

	while (memblock_next_pfn_range(&i, zone->node, &start, &end, NULL) && start < room.end) {
		if (!found.end)
			found.start = max(start, room.start);
		found.end = min(end, room.end);
	}
	return found;
}

/* The widest hole between frames of memory of @room; empty if there is none. */
static struct pfn_range widest_hole(const struct zone *zone, struct pfn_range room)
{
	struct pfn_range hole = { 0, 0 };
	unsigned long start, end, last = room.start;
	u64 i = PFN_PHYS(room.start);

	while (memblock_next_pfn_range(&i, zone->node, &start, &end, NULL) && start < room.end) {
		if (start > last && start - last > hole.end - hole.start)
			hole = (struct pfn_range){ last, start };
		last = end;
	}
	return hole;
}

/* Memory of @range stays reserved. Return: 0 or -ENOMEM. */
static int give_up(const struct zone *zone, struct pfn_range range, size_t bytes)
{
	unsigned long start, end;
	u64 i = PFN_PHYS(range.start);
	int err = 0;

	while (!err && memblock_next_pfn_range(&i, zone->node, &start, &end, NULL) && start < range.end) {
		start = max(start, range.start);
		end = min(end, range.end);
		pr_warn("node %d, zone %s: [mem 0x%016llx-0x%016llx] is not used: tables over the hole next to it "
			"would take %zu KiB\n",
			zone->node, zone->name, (unsigned long long)PFN_PHYS(start),
			(unsigned long long)(PFN_PHYS(end) - 1), bytes >> 10);
		err = memblock_reserve(PFN_PHYS(start), PFN_PHYS(end - start));
	}
	return err;
}

static int alloc_tables(struct zone *zone, struct pfn_range room)
{
	struct pfn_range memory = memory_in(zone, room), hole, less, more;
	u64 present = (u64)zone->present_pages << PAGE_SHIFT;

	if (table_bytes(room) > max(present / TABLE_SHARE, (u64)1 << 24) && memory.end)
		room = memory;
	for (;;) {
		size_t bytes = table_bytes(room);
		void *tables = bytes ? memblock_alloc_node(bytes, 128, zone->node) : NULL;

		if (tables || !bytes) {
			frames_zone_init_room(zone, tables, room.start, room.end - room.start);
			return 0;
		}
		hole = widest_hole(zone, room);
		if (hole.start == hole.end || table_bytes(hole) < bytes / 2) {
			pr_err("node %d, zone %s: no %zu bytes of memory for its pageblocks\n", zone->node, zone->name,
			       bytes);
			return -ENOMEM;
		}
		more = (struct pfn_range){ room.start, hole.start };
		less = (struct pfn_range){ hole.end, room.end };
		if (pages_present_in(zone->node, more.start, more.end) <
		    pages_present_in(zone->node, less.start, less.end)) {
			struct pfn_range swap = more;

			more = less;
			less = swap;
		}
		if (give_up(zone, less, bytes))
			return -ENOMEM;
		room = more;
	}
}

int alloc_zone_frames(void)
{
	for_each_zone(zone) {
		int err = alloc_tables(zone, hotplug_room(zone));

		if (err)
			return err;
	}
	return 0;
}
