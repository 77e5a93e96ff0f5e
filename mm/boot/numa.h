/* SPDX-License-Identifier: MIT */
/* Which memory and which CPU belongs to which node: numa.c, srat.c, numa_emulation.c, numa_cpu.c. */
#ifndef MM_BOOT_NUMA_H
#define MM_BOOT_NUMA_H

#include <octavo/bootinfo.h>
#include <octavo/numa.h>

#include "../base/compiler.h"

/* Address ranges that firmware assigns to nodes; more are reported and refuse the whole table. */
#define NUMA_MAX_BLOCKS 512

struct numa_block {
	phys_addr_t start;
	phys_addr_t end; /* first byte behind */
	s32 nid;
};

struct numa_meminfo {
	unsigned int nr_blocks;
	struct numa_block blocks[NUMA_MAX_BLOCKS];
};

/* Nodes that firmware names (or emulation makes), with memory or without. nr_node_ids is its highest plus 1. */
extern nodemask_t node_possible_map;

/* Nodes that have CPUs of their own, with memory or without. */
extern nodemask_t node_cpu_map;

/*
 * numa_setup - give every range of memblock.memory its node, every CPU its node, and know the distances
 * Called once memblock has the memory and before anything asks for a node. Cannot fail: a table that
 * contradicts itself or the memory map is reported and one node takes its place.
 */
void numa_setup(const struct bootinfo *info);

#endif
