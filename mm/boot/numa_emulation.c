// SPDX-License-Identifier: MIT
/*
 * numa=fake=: more nodes than the machine has, for trying things out.
 *
 *	N	that many in all, of equal RAM, holes not counted
 *	SIZE	as many as there are pieces of that RAM (suffix M or G)
 *	NU	each real node becomes N of equal address space
 *
 * Nodes are cut from the real ones in turn, in steps of 32 MiB. Two rules keep the last piece from being a sliver:
 * a cut that would leave less than a piece (or less than a step below 4 GiB) takes what is left as well.
 *
 * Sources: kernel-parameters (numa=fake); boot logs of emulated machines.
 */
#include "../base/printk.h"
#include "../base/string.h"
#include "numa_internal.h"

#define FAKE_STEP (32ull << 20)
#define DMA32_END 0x100000000ull

struct cutter {
	struct numa_meminfo rest; /* what is not cut yet */
	struct numa_meminfo fake;
	s8 real_of[MAX_NUMNODES];
	const struct numa_ram *ram;
	unsigned int next, modulus; /* node number of the next piece, before modulo */
};

static struct cutter cutter __memsys;

/* How to cut: pieces of @size RAM; the first @bigger get one step more. */
struct cut_plan {
	u64 size;
	unsigned int bigger;
};

static int first_block_of(const struct numa_meminfo *mi, int nid)
{
	for (unsigned int i = 0; i < mi->nr_blocks; i++)
		if (mi->blocks[i].nid == nid)
			return (int)i;
	return -1;
}

/* Moves [start, @end) of block @index to the next fake node. */
static int cut_off(struct cutter *c, int index, phys_addr_t end)
{
	struct numa_block *block = &c->rest.blocks[index];
	int nid = (int)(c->next++ % c->modulus);

	if (c->real_of[nid] < 0)
		c->real_of[nid] = (s8)block->nid;
	pr_info("Faking node %d at [mem 0x%016llx-0x%016llx] (%lluMB)\n", nid, (unsigned long long)block->start,
		(unsigned long long)(end - 1), (unsigned long long)((end - block->start) >> 20));
	if (numa_add_block(&c->fake, nid, block->start, end))
		return -EINVAL;
	block->start = end;
	if (block->start >= block->end)
		numa_remove_block(&c->rest, (unsigned int)index);
	return 0;
}

static u64 ram_between(const struct cutter *c, phys_addr_t start, phys_addr_t end)
{
	return start < end ? c->ram->bytes(start, end) : 0;
}

static phys_addr_t piece_end(const struct cutter *c, const struct numa_block *block, const struct cut_plan *plan)
{
	phys_addr_t limit = block->end, end = block->start + plan->size;

	if (c->next < plan->bigger)
		end += FAKE_STEP;
	while (end < limit && ram_between(c, block->start, end) < plan->size)
		end += FAKE_STEP;
	end = min(end, limit);
	if (end < DMA32_END && ram_between(c, end, DMA32_END) < FAKE_STEP)
		end = DMA32_END;
	if (ram_between(c, end, limit) < plan->size)
		end = limit;
	return min(end, limit);
}

/* Goes round the real nodes, one piece of each, until nothing is left. */
static int cut_all(struct cutter *c, const struct cut_plan *plan)
{
	while (c->rest.nr_blocks) {
		for (int nid = 0; nid < MAX_NUMNODES; nid++) {
			int index = first_block_of(&c->rest, nid);

			if (index >= 0 && cut_off(c, index, piece_end(c, &c->rest.blocks[index], plan)))
				return -EINVAL;
		}
	}
	return 0;
}

static u64 all_ram(const struct cutter *c)
{
	u64 bytes = 0;

	for (unsigned int i = 0; i < c->rest.nr_blocks; i++)
		bytes += ram_between(c, c->rest.blocks[i].start, c->rest.blocks[i].end);
	return bytes;
}

static int cut_by_number(struct cutter *c, u64 nr)
{
	struct cut_plan plan = { 0 };
	u64 size;

	if (!nr)
		return -EINVAL;
	if (nr > MAX_NUMNODES) {
		pr_info("numa=fake=%llu too large, reducing to %d\n", (unsigned long long)nr, MAX_NUMNODES);
		nr = MAX_NUMNODES;
	}
	size = ALIGN_DOWN(all_ram(c) / nr, (u64)PAGE_SIZE);
	plan.bigger = (unsigned int)(size % FAKE_STEP * nr / FAKE_STEP);
	plan.size = ALIGN_DOWN(size, FAKE_STEP);
	if (!plan.size) {
		pr_err("Not enough memory for each node.  NUMA emulation disabled.\n");
		return -EINVAL;
	}
	c->modulus = (unsigned int)nr;
	return cut_all(c, &plan);
}

static int cut_by_size(struct cutter *c, u64 size)
{
	struct cut_plan plan = { 0 };
	u64 least = max(ALIGN(all_ram(c) / MAX_NUMNODES, FAKE_STEP), FAKE_STEP);

	if (size < least) {
		pr_err("Fake node size %lluMB too small, increasing to %lluMB\n", (unsigned long long)(size >> 20),
		       (unsigned long long)(least >> 20));
		size = least;
	}
	plan.size = ALIGN_DOWN(size, FAKE_STEP);
	return cut_all(c, &plan);
}

/* Every block of a real node in @nr pieces. */
static int cut_each(struct cutter *c, u64 nr)
{
	while (nr && c->rest.nr_blocks) {
		phys_addr_t start = c->rest.blocks[0].start, end = c->rest.blocks[0].end;
		u64 size = ALIGN_DOWN((end - start) / nr, (u64)PAGE_SIZE);

		if (!size || c->next + nr > MAX_NUMNODES) {
			pr_err("numa=fake=%lluU: no %llu nodes out of node %d\n", (unsigned long long)nr,
			       (unsigned long long)nr, c->rest.blocks[0].nid);
			return -EINVAL;
		}
		for (u64 i = 1; i <= nr; i++)
			if (cut_off(c, 0, i < nr ? start + i * size : end))
				return -EINVAL;
	}
	return nr ? 0 : -EINVAL;
}

static int cut(struct cutter *c, const char *what)
{
	const char *end;
	bool overflow;
	u64 value;
	size_t n = parse_u64(what, &value, &overflow);

	if (!n || overflow)
		return -EINVAL;
	if (!what[n])
		return cut_by_number(c, value);
	if (what[n] == 'U' && !what[n + 1])
		return cut_each(c, value);
	value = memparse(what, &end);
	return *end ? -EINVAL : cut_by_size(c, value);
}

/* Distances, CPUs and the set of nodes, from real nodes to fake ones. */
static void translate(struct cutter *c, struct numa_config *config)
{
	static struct numa_distances real __memsys;
	unsigned int cnt;

	real = config->distances;
	memset(&config->parsed, 0, sizeof(config->parsed));
	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		if (c->real_of[nid] >= 0)
			node_set(nid, &config->parsed);
	cnt = nodemask_end(&config->parsed);
	numa_distances_init(&config->distances, cnt);
	for (unsigned int i = 0; i < cnt; i++)
		for (unsigned int j = 0; j < cnt; j++)
			if (c->real_of[i] >= 0 && c->real_of[j] >= 0)
				config->distances.value[i][j] =
					(u8)numa_distance_of(&real, c->real_of[i], c->real_of[j]);
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		int nid = config->cpu_node[cpu], fake = NUMA_NO_NODE;

		for (int n = 0; nid >= 0 && fake < 0 && n < MAX_NUMNODES; n++)
			if (c->real_of[n] == nid)
				fake = n;
		config->cpu_node[cpu] = (s8)fake;
	}
	config->meminfo = c->fake;
}

int numa_emulate(const char *what, struct numa_config *config, const struct numa_ram *ram)
{
	struct cutter *c = &cutter;

	memset(c, 0, sizeof(*c));
	memset(c->real_of, NUMA_NO_NODE, sizeof(c->real_of));
	c->rest = config->meminfo;
	c->ram = ram;
	c->modulus = MAX_NUMNODES;
	/* The one node that stands in for no configuration was not clipped to RAM yet. */
	if (numa_cleanup(&c->rest, ram) || !c->rest.nr_blocks)
		return -EINVAL;
	if (cut(c, what) || numa_cleanup(&c->fake, ram))
		return -EINVAL;
	translate(c, config);
	return 0;
}
