// SPDX-License-Identifier: MIT
/* The report of a free found bad late, where the page allocator's own is not linked. */
#include "mm/phys/zone.h"

__weak void frames_bad_free(struct zone *zone, unsigned long pfn, u64 bits)
{
	(void)zone;
	(void)pfn;
	(void)bits;
}
