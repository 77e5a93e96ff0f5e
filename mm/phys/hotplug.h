/* SPDX-License-Identifier: MIT */
/* Memory hotplug, for the rest of the core. The interface is <octavo/memory_hotplug.h>. */
#ifndef MM_PHYS_HOTPLUG_H
#define MM_PHYS_HOTPLUG_H

#include "zone.h"

/* Keeps memory blocks from changing state; also serialises contiguous range allocation with it. */
void hotplug_lock(void);
void hotplug_unlock(void);

struct pfn_range {
	unsigned long start, end; /* [start, end) */
};

/* The frames a zone may ever span: what its pageblock array is made for at boot. Empty: the zone cannot be used. */
struct pfn_range hotplug_room(const struct zone *zone);

/* Does the zone's pageblock array reach over [@start, @end)? */
bool zone_has_room(const struct zone *zone, unsigned long start, unsigned long end);

#endif
