/* SPDX-License-Identifier: MIT */
/* What the files of NUMA start-up share; tests drive these functions with memory of their own. */
#ifndef MM_BOOT_NUMA_INTERNAL_H
#define MM_BOOT_NUMA_INTERNAL_H

#include "numa.h"

/* The memory that exists, for asking how much of a range is RAM. */
struct numa_ram {
	phys_addr_t low;  /* first byte of RAM */
	phys_addr_t high; /* first byte behind the last */
	u64 (*bytes)(phys_addr_t start, phys_addr_t end);
};

/* Distances by node; those outside are LOCAL_DISTANCE and REMOTE_DISTANCE. */
struct numa_distances {
	unsigned int cnt; /* nodes 0 to cnt - 1 are in the table */
	u8 value[MAX_NUMNODES][MAX_NUMNODES];
};

/* What firmware's tables, or their replacement, say; then what emulation makes of it. */
struct numa_config {
	struct numa_meminfo meminfo;
	struct numa_distances distances;
	nodemask_t parsed;	/* nodes named by any table */
	u32 pxm[MAX_NUMNODES];	/* proximity domain of each node */
	unsigned int nr_pxm;
	s8 cpu_node[NR_CPUS];	/* node of each CPU, NUMA_NO_NODE if unknown */
};

/* Clears everything; no node, no distance, no CPU known. */
void numa_config_clear(struct numa_config *config);

/* Adds [start, end) to @nid; an empty range adds nothing. Return: 0; -EINVAL after a report. */
int numa_add_block(struct numa_meminfo *mi, int nid, phys_addr_t start, phys_addr_t end);
void numa_remove_block(struct numa_meminfo *mi, unsigned int index);

/*
 * numa_cleanup - clip the blocks to RAM, join those of a node with nothing of another node in between
 * Return: 0; -EINVAL after a report when two nodes claim one address.
 */
int numa_cleanup(struct numa_meminfo *mi, const struct numa_ram *ram);

/* Is all RAM but 1 MiB in some block? -EINVAL after a report if not. */
int numa_check_coverage(const struct numa_meminfo *mi, const struct numa_ram *ram);

/* Starts a table for nodes 0 to @cnt - 1, with default distances and Linux's line. */
void numa_distances_init(struct numa_distances *distances, unsigned int cnt);
int numa_distance_of(const struct numa_distances *distances, int from, int to);

/*
 * srat_parse - nodes, their memory and CPUs from the SRAT, distances from the SLIT
 * Return: 0; -ENOENT if there is no memory affinity; -EINVAL after a report.
 */
int srat_parse(const struct bootinfo *info, struct numa_config *config);

/* The node of a proximity domain, made if it is new; NUMA_NO_NODE when there are too many. */
int srat_pxm_to_node(struct numa_config *config, u32 pxm);

/*
 * numa_emulate - replace the nodes by what numa=fake= asks for
 * @what: its value: a number of nodes, a size with its suffix, or a number with U for each node
 * Return: 0; -EINVAL after a report, @config is as it was.
 */
int numa_emulate(const char *what, struct numa_config *config, const struct numa_ram *ram);

/*
 * numa_place_cpus - give every CPU below @nr a node of @memory: its own, or the nearest to it, or for those
 * without any the next in turn
 */
void numa_place_cpus(struct numa_config *config, unsigned int nr, const nodemask_t *memory);

static inline unsigned int nodemask_end(const nodemask_t *mask)
{
	unsigned int end = 0;

	for (unsigned int nid = 0; nid < MAX_NUMNODES; nid++)
		if (node_isset((int)nid, mask))
			end = nid + 1;
	return end;
}

#endif
