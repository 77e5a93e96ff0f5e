// SPDX-License-Identifier: MIT
/* Counters and reports for the frame layer's tests where the page allocator's own are not linked. */
#include "mm/phys/zone.h"

__weak void mod_zone_page_state(struct zone *zone, enum zone_stat_item item, long delta)
{
	atomic_add_relaxed(&zone->stat[item], (unsigned long)delta);
}

__weak unsigned long zone_page_state(const struct zone *zone, enum zone_stat_item item)
{
	return load_relaxed(&zone->stat[item]);
}

__weak unsigned long zone_page_state_snapshot(const struct zone *zone, enum zone_stat_item item)
{
	return load_relaxed(&zone->stat[item]);
}

__weak void frames_bad_free(struct zone *zone, unsigned long pfn, u64 bits)
{
	(void)zone;
	(void)pfn;
	(void)bits;
}

__weak int watermark_boost_factor = 15000;
