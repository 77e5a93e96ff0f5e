/* SPDX-License-Identifier: MIT */
/* Where ZONE_MOVABLE begins: kernelcore=, movablecore=, movable_node. */
#ifndef MM_PHYS_KERNELCORE_H
#define MM_PHYS_KERNELCORE_H

/*
 * Fills zone_movable_pfn[], movable_zone and mirrored_kernelcore from the command line and memblock. Needs the
 * zones' limits and node_data[].
 */
void find_zone_movable_pfns(void);

#endif
