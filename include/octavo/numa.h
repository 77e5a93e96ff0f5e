/* SPDX-License-Identifier: MIT */
/* Nodes: how far apart they are and which CPU is where. */
#ifndef OCTAVO_NUMA_H
#define OCTAVO_NUMA_H

#include <octavo/mmzone.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

#define LOCAL_DISTANCE 10
#define REMOTE_DISTANCE 20

/**
 * node_distance - relative distance of two nodes, as ACPI's SLIT counts it (10: itself; ACPI 6.5 section 5.2.17)
 * @from, @to: node numbers
 * Context: any, after mm_init(). Return: the firmware's value, or 10 and 20 when it gives none or a node is not
 * known.
 */
OCTAVO_API int node_distance(int from, int to);

/**
 * cpu_to_node - the node whose memory is nearest to a CPU
 * Context: any, after mm_init(). Return: a node with memory; that of CPU 0 when @cpu does not exist.
 */
OCTAVO_API int cpu_to_node(unsigned int cpu);

/**
 * phys_to_target_node - the node that an address belongs to, whether memory is there or only may be plugged in
 * Return: a node, or NUMA_NO_NODE if firmware does not say.
 */
OCTAVO_API int phys_to_target_node(phys_addr_t addr);

OCTAVO_END_DECLS
#endif
