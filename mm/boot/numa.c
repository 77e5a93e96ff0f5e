// SPDX-License-Identifier: MIT
/*
 * Which memory and which CPU belongs to which node.
 *
 * Purpose
 *	Turns firmware's affinity tables, or numa=off and numa=fake=, into a node for each range of
 *	memblock.memory, a node for each CPU, and the distances between nodes.
 *
 * Words
 *	proximity domain (PXM)	firmware's number for a node; nodes count up in the order PXMs appear
 *	block			an address range of one node, larger than the RAM in it
 *	memoryless node		one with CPUs but no RAM
 *
 * Structures
 *	  SRAT --srat_parse--> blocks --cleanup--> --numa_emulate--> blocks --> memblock_set_node()
 *	  SLIT -------------> distances -------------------------->  distances
 *	  CPUs -------------> cpu_node  -------------------------->  cpu_node --numa_place_cpus-->
 *	When a step finds a contradiction all of it is dropped and one node with everything takes its place.
 *
 * Invariants
 *	NUMA-I1	blocks of different nodes do not overlap
 *	NUMA-I2	every range of memblock.memory has a node
 *	NUMA-I3	every possible CPU has a node with memory
 *	NUMA-I4	a node is at distance 10 of itself and not nearer to any other (fake nodes of one real node: 10)
 *
 * Memory use and bounds
 *	NUMA_MAX_BLOCKS blocks, MAX_NUMNODES nodes, a byte a CPU. A table with more is refused as a whole.
 *
 * Differences from Linux
 *	The CPUs of a memoryless node are those of the nearest node with memory at once.
 *
 * Sources: ACPI 6.5 sections 5.2.16 (SRAT) and 5.2.17 (SLIT); boot logs; kernel-parameters (numa=).
 */
#include "numa.h"

#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "e820.h"
#include "numa_internal.h"
#include "params.h"

nodemask_t node_possible_map __memsys, node_cpu_map __memsys;

static struct numa_config config __memsys;
static struct numa_meminfo firmware_blocks __memsys; /* unclipped: where memory may be plugged in */
static unsigned int nr_cpus __memsys = 1;

static struct {
	bool off;
	char fake[64];
} options __memsys;

static int numa_param(const char *value)
{
	if (!value)
		return -EINVAL;
	if (!strcmp(value, "off")) {
		options.off = true;
		return 0;
	}
	if (!strncmp(value, "fake=", 5) && value[5])
		return strscpy(options.fake, value + 5, sizeof(options.fake)) < 0 ? -EINVAL : 0;
	/* Which firmware tables to look at: the port has done that. */
	return strcmp(value, "noacpi") && strcmp(value, "nohmat") ? -EINVAL : 0;
}
early_param("numa", numa_param);

static const char *prefix(void)
{
	return boot_arch == BOOT_ARCH_ARM64 ? "NUMA: " : "";
}

void numa_config_clear(struct numa_config *c)
{
	memset(c, 0, sizeof(*c));
	memset(c->cpu_node, NUMA_NO_NODE, sizeof(c->cpu_node));
}

int numa_add_block(struct numa_meminfo *mi, int nid, phys_addr_t start, phys_addr_t end)
{
	if (start == end)
		return 0;
	if (start > end || nid < 0 || nid >= MAX_NUMNODES) {
		pr_warn("NUMA: Warning: invalid memblk node %d [mem 0x%08llx-0x%08llx]\n", nid,
			(unsigned long long)start, (unsigned long long)(end - 1));
		return 0;
	}
	if (mi->nr_blocks == NUMA_MAX_BLOCKS) {
		pr_err("NUMA: too many memblk ranges\n");
		return -EINVAL;
	}
	mi->blocks[mi->nr_blocks++] = (struct numa_block){ start, end, nid };
	return 0;
}

void numa_remove_block(struct numa_meminfo *mi, unsigned int index)
{
	mi->nr_blocks--;
	memmove(&mi->blocks[index], &mi->blocks[index + 1], (mi->nr_blocks - index) * sizeof(mi->blocks[0]));
}

static void clip_to_ram(struct numa_meminfo *mi, const struct numa_ram *ram)
{
	for (unsigned int i = 0; i < mi->nr_blocks; i++) {
		struct numa_block *block = &mi->blocks[i];

		block->start = max(block->start, ram->low);
		block->end = min(block->end, ram->high);
		if (block->start >= block->end || !ram->bytes(block->start, block->end))
			numa_remove_block(mi, i--);
	}
}

/* May @a and @b of one node become one block: is nothing of another node in or between them? */
static bool joinable(const struct numa_meminfo *mi, const struct numa_block *a, const struct numa_block *b)
{
	phys_addr_t start = min(a->start, b->start), end = max(a->end, b->end);

	for (unsigned int k = 0; k < mi->nr_blocks; k++)
		if (mi->blocks[k].nid != a->nid && mi->blocks[k].start < end && mi->blocks[k].end > start)
			return false;
	return true;
}

static int check_overlap(const struct numa_block *a, const struct numa_block *b)
{
	if (a->end <= b->start || b->end <= a->start)
		return 0;
	pr_err("NUMA: %snode %d [mem 0x%08llx-0x%08llx] overlaps with %s%d [mem 0x%08llx-0x%08llx]\n",
	       a->nid == b->nid ? "Warning: " : "", a->nid, (unsigned long long)a->start,
	       (unsigned long long)(a->end - 1), a->nid == b->nid ? "itself, node " : "node ", b->nid,
	       (unsigned long long)b->start, (unsigned long long)(b->end - 1));
	return a->nid == b->nid ? 0 : -EINVAL;
}

int numa_cleanup(struct numa_meminfo *mi, const struct numa_ram *ram)
{
	clip_to_ram(mi, ram);
	for (unsigned int i = 0; i < mi->nr_blocks; i++) {
		struct numa_block *a = &mi->blocks[i];

		for (unsigned int j = i + 1; j < mi->nr_blocks; j++) {
			struct numa_block *b = &mi->blocks[j];
			phys_addr_t start = min(a->start, b->start), end = max(a->end, b->end);

			if (check_overlap(a, b))
				return -EINVAL;
			if (a->nid != b->nid || !joinable(mi, a, b))
				continue;
			pr_info("NUMA: Node %d [mem 0x%08llx-0x%08llx] + [mem 0x%08llx-0x%08llx] -> "
				"[mem 0x%08llx-0x%08llx]\n", a->nid, (unsigned long long)a->start,
				(unsigned long long)(a->end - 1), (unsigned long long)b->start,
				(unsigned long long)(b->end - 1), (unsigned long long)start,
				(unsigned long long)(end - 1));
			a->start = start;
			a->end = end;
			numa_remove_block(mi, j--);
		}
	}
	return 0;
}

int numa_check_coverage(const struct numa_meminfo *mi, const struct numa_ram *ram)
{
	u64 total = ram->bytes(ram->low, ram->high), covered = 0;

	/* Blocks of one node may overlap when they could not be joined; that only makes the check kinder. */
	for (unsigned int i = 0; i < mi->nr_blocks; i++)
		covered += ram->bytes(mi->blocks[i].start, mi->blocks[i].end);
	if (total <= covered || total - covered <= 1ull << 20)
		return 0;
	pr_err("NUMA: no nodes coverage for %lluMB of %lluMB RAM\n", (unsigned long long)((total - covered) >> 20),
	       (unsigned long long)(total >> 20));
	return -EINVAL;
}

void numa_distances_init(struct numa_distances *distances, unsigned int cnt)
{
	distances->cnt = cnt;
	for (unsigned int i = 0; i < cnt; i++)
		for (unsigned int j = 0; j < cnt; j++)
			distances->value[i][j] = i == j ? LOCAL_DISTANCE : REMOTE_DISTANCE;
	pr_info("NUMA: Initialized distance table, cnt=%u\n", cnt);
}

int numa_distance_of(const struct numa_distances *distances, int from, int to)
{
	if ((unsigned int)from >= distances->cnt || (unsigned int)to >= distances->cnt)
		return from == to ? LOCAL_DISTANCE : REMOTE_DISTANCE;
	return distances->value[from][to];
}

static int nearest_node(const struct numa_config *c, int nid, const nodemask_t *memory)
{
	int best = NUMA_NO_NODE;

	for (int n = 0; n < MAX_NUMNODES; n++) {
		if (!node_isset(n, memory))
			continue;
		if (best < 0 || numa_distance_of(&c->distances, nid, n) < numa_distance_of(&c->distances, nid, best))
			best = n;
	}
	return best;
}

void numa_place_cpus(struct numa_config *c, unsigned int nr, const nodemask_t *memory)
{
	int turn = nearest_node(c, 0, memory);

	for (int n = 0; n < MAX_NUMNODES; n++) {
		if (node_isset(n, memory)) {
			turn = n;
			break;
		}
	}
	if (turn < 0)
		return;
	for (unsigned int cpu = 0; cpu < nr; cpu++) {
		int nid = c->cpu_node[cpu];

		if (nid >= 0) {
			c->cpu_node[cpu] = (s8)(node_isset(nid, memory) ? nid : nearest_node(c, nid, memory));
			continue;
		}
		c->cpu_node[cpu] = (s8)turn;
		do
			turn = (turn + 1) % MAX_NUMNODES;
		while (!node_isset(turn, memory));
	}
}

static u64 memblock_bytes(phys_addr_t start, phys_addr_t end)
{
	struct memblock_region *region;
	u64 bytes = 0;

	for_each_mem_region(region) {
		phys_addr_t a = max(region->base, start), b = min(region->base + region->size, end);

		if (a < b)
			bytes += b - a;
	}
	return bytes;
}

/* One node with all memory, when there is nothing better. */
static void fake_one_node(const struct bootinfo *info, const struct numa_ram *ram)
{
	bool arm64 = boot_arch == BOOT_ARCH_ARM64;
	phys_addr_t start = arm64 ? ram->low : 0, end = arm64 ? ram->high : PFN_PHYS(max_pfn);

	if (options.off && !info->no_numa)
		pr_info("%s\n", arm64 ? "NUMA: NUMA disabled" : "NUMA turned off");
	else if (!arm64 && !info->no_numa)
		pr_info("No NUMA configuration found\n");
	if (!info->no_numa)
		pr_info("%sFaking a node at [mem 0x%016llx-0x%016llx]\n", prefix(), (unsigned long long)start,
			(unsigned long long)(end - 1));
	numa_config_clear(&config);
	node_set(0, &config.parsed);
	config.meminfo.nr_blocks = 1;
	config.meminfo.blocks[0] = (struct numa_block){ start, end, 0 };
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		config.cpu_node[cpu] = 0;
}

static int from_firmware(const struct bootinfo *info, const struct numa_ram *ram)
{
	int err;

	numa_config_clear(&config);
	err = options.off ? -ENOENT : srat_parse(info, &config);
	if (err) {
		if (info->distance && !options.off && !info->mem_affinity_nr)
			pr_info("ACPI: SLIT not used: no SRAT tells which memory its nodes have\n");
		return err;
	}
	firmware_blocks = config.meminfo;
	err = numa_cleanup(&config.meminfo, ram);
	return err ? err : numa_check_coverage(&config.meminfo, ram);
}

/* Memory the kernel stands on cannot be unplugged, nor can the node it is on. */
static void clear_kernel_nodes_hotplug(void)
{
	struct memblock_region *region;
	nodemask_t kernel = { 0 };

	for_each_reserved_mem_region(region) {
		for (unsigned int i = 0; i < config.meminfo.nr_blocks; i++) {
			const struct numa_block *block = &config.meminfo.blocks[i];

			if (region->base < block->end && region->base + region->size > block->start)
				node_set(block->nid, &kernel);
		}
	}
	for (unsigned int i = 0; i < config.meminfo.nr_blocks; i++) {
		const struct numa_block *block = &config.meminfo.blocks[i];

		if (node_isset(block->nid, &kernel) && memblock_clear_hotplug(block->start, block->end - block->start))
			pr_warn("NUMA: no room to clear the hotplug mark of node %d\n", block->nid);
	}
}

static void mark_hotplug(const struct bootinfo *info)
{
	for (unsigned int i = 0; i < info->mem_affinity_nr; i++) {
		const struct bootinfo_mem_affinity *ma = &info->mem_affinity[i];

		if ((ma->flags & (BOOT_MEM_ENABLED | BOOT_MEM_HOTPLUG)) != (BOOT_MEM_ENABLED | BOOT_MEM_HOTPLUG))
			continue;
		if (ma->start + ma->size > ma->start && memblock_mark_hotplug(ma->start, ma->size))
			pr_warn("SRAT: Failed to mark hotplug range [mem 0x%08llx-0x%08llx] in memblock\n",
				(unsigned long long)ma->start, (unsigned long long)(ma->start + ma->size - 1));
	}
}

/* Gives memblock its nodes; what no block covers (1 MiB at most) goes to the node of the block before it. */
static void register_blocks(nodemask_t *memory)
{
	struct memblock_region *region;
	int before = config.meminfo.nr_blocks ? config.meminfo.blocks[0].nid : 0;

	node_possible_map = config.parsed;
	for (unsigned int i = 0; i < config.meminfo.nr_blocks; i++) {
		const struct numa_block *block = &config.meminfo.blocks[i];

		node_set(block->nid, &node_possible_map);
		if (memblock_set_node(block->start, block->end - block->start, block->nid))
			pr_err("NUMA: no room to note node %d at 0x%llx: its memory counts as a neighbour's\n",
			       block->nid, (unsigned long long)block->start);
	}
	for_each_mem_region(region) {
		if (region->nid == NUMA_NO_NODE)
			region->nid = before;
		before = region->nid;
		node_set(region->nid, memory);
	}
}

/* Where firmware says the CPUs are, before those of nodes without memory are placed elsewhere. */
static void note_cpu_nodes(const s8 *cpu_node)
{
	node_cpu_map = (nodemask_t){ { 0 } };
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		if (cpu_node[cpu] != NUMA_NO_NODE)
			node_set(cpu_node[cpu], &node_cpu_map);
}

void numa_setup(const struct bootinfo *info)
{
	struct numa_ram ram = { memblock_start_of_DRAM(), memblock_end_of_DRAM(), memblock_bytes };
	nodemask_t memory = { 0 };
	bool firmware;

	nr_cpus = max(info->cpus_nr, info->cpus_possible);
	nr_cpus = nr_cpus ? min_t(unsigned int, nr_cpus, NR_CPUS) : 1;
	firmware = !from_firmware(info, &ram);
	if (!firmware)
		fake_one_node(info, &ram);
	if (options.fake[0] && numa_emulate(options.fake, &config, &ram))
		pr_err("NUMA: numa=fake=%s: emulation disabled\n", options.fake);
	if (firmware)
		mark_hotplug(info);
	register_blocks(&memory);
	if (firmware)
		clear_kernel_nodes_hotplug();
	note_cpu_nodes(config.cpu_node);
	numa_place_cpus(&config, nr_cpus, &memory);
}

int node_distance(int from, int to)
{
	return numa_distance_of(&config.distances, from, to);
}

int cpu_to_node(unsigned int cpu)
{
	return config.cpu_node[cpu < nr_cpus ? cpu : 0];
}

int phys_to_target_node(phys_addr_t addr)
{
	const struct numa_meminfo *where[] = { &config.meminfo, &firmware_blocks };

	for (unsigned int k = 0; k < ARRAY_SIZE(where); k++)
		for (unsigned int i = 0; i < where[k]->nr_blocks; i++)
			if (addr >= where[k]->blocks[i].start && addr < where[k]->blocks[i].end)
				return where[k]->blocks[i].nid;
	return NUMA_NO_NODE;
}
