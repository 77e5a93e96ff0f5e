/* SPDX-License-Identifier: MIT */
/* Sizing nodes and zones from the memory map. */
#ifndef MM_PHYS_ZONE_INIT_H
#define MM_PHYS_ZONE_INIT_H

#include <octavo/bootinfo.h>

#include "zone.h"

/* Frame limits of each zone on this machine: [lowest, highest); equal when the zone is empty. */
extern unsigned long arch_zone_lowest_possible_pfn[MAX_NR_ZONES], arch_zone_highest_possible_pfn[MAX_NR_ZONES];

/* First frame of ZONE_MOVABLE on each node; 0: the node has none. */
extern unsigned long zone_movable_pfn[MAX_NUMNODES];

/* The zone that ZONE_MOVABLE takes its frames from. */
extern enum zone_type movable_zone;

/* kernelcore=mirror is in effect: Movable and the zone below it overlap, and a frame's mirroring decides. */
extern bool mirrored_kernelcore;

/* zone_setup_arch - which zones there are, and gfp_zone_table, from the architecture alone */
void zone_setup_arch(const struct bootinfo *info);

/*
 * free_area_init - limits, spans and present pages of every zone of every node, with Linux's lines
 * Needs node_data[] of each node with memory. Prints "Zone ranges:" to "Initmem setup node N".
 */
void free_area_init(const struct bootinfo *info);

/* free_area_print_holes - "On node N, zone X: N pages in unavailable ranges" */
void free_area_print_holes(const struct bootinfo *info);

/* Frames of memory of node @nid (NUMA_NO_NODE: any) in [@start, @end). */
unsigned long pages_present_in(int nid, unsigned long start, unsigned long end);

/* The zone that frame @pfn of node @nid belongs to, memory or not: the one whose span it is in. */
enum zone_type zone_type_of_pfn(int nid, unsigned long pfn);

/* Not so for the boot of a kernel that knows no nodes: it has no lines about them. */
extern bool kernel_has_numa;

/* The kernel zone whose limits frame @pfn lies in; above all limits the highest one. */
enum zone_type kernel_zone_type(unsigned long pfn);

extern const char *const zone_names[MAX_NR_ZONES];

#endif
