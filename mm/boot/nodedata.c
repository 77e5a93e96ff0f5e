// SPDX-License-Identifier: MIT
/* The structures of nodes and of CPUs, each in memory of its own node. */
#include "nodedata.h"

#include <octavo/memblock.h>
#include <octavo/numa.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../phys/zone.h"
#include "../sync/percpu_unit.h"

int alloc_node_data(void)
{
	const struct memblock_region *r;
	unsigned long i;

	for (i = 0; i < memblock.memory.cnt; i++) {
		size_t size = ALIGN(sizeof(struct pglist_data), (size_t)SMP_CACHE_BYTES);
		struct pglist_data *pgdat;
		int nid;

		r = &memblock.memory.regions[i];
		nid = r->nid;
		if (nid < 0 || nid >= MAX_NUMNODES || node_data[nid] || PFN_UP(r->base) >= PFN_DOWN(r->base + r->size))
			continue;
		pgdat = memblock_alloc_node(size, SMP_CACHE_BYTES, nid);
		if (!pgdat) {
			pr_err("NODE_DATA(%d): no %zu bytes of memory\n", nid, size);
			return -ENOMEM;
		}
		pgdat->node_id = nid;
		node_data[nid] = pgdat;
		node_set(nid, &node_online_map);
		node_set(nid, &node_memory_map);
		nr_node_ids = max(nr_node_ids, (unsigned int)nid + 1);
	}
	return 0;
}

void print_node_data(void)
{
	for_each_online_node(nid) {
		phys_addr_t start = virt_to_phys(NODE_DATA(nid));
		phys_addr_t end = start + ALIGN(sizeof(struct pglist_data), (size_t)SMP_CACHE_BYTES) - 1;
		unsigned long from, to;
		int on;

		printk("NODE_DATA(%d) allocated [mem 0x%08llx-0x%08llx]\n", nid, (unsigned long long)start,
		       (unsigned long long)end);
		on = memblock_search_pfn_nid(PFN_DOWN(start), &from, &to);
		if (on != nid)
			printk("    NODE_DATA(%d) on node %d\n", nid, on);
	}
}

static int alloc_cpu(unsigned int cpu)
{
	int nid = cpu_to_node(cpu);
	size_t pages_bytes = cpu_pages_bytes(nr_node_ids * MAX_NR_ZONES), stat_bytes = vmstat_cpu_bytes();
	struct cpu_local *local = cpu_locals[cpu];
	void *pages, *stats;

	if (!local) {
		void *unit = memblock_alloc_try_nid_raw(percpu_unit_pages() << PAGE_SHIFT, PAGE_SIZE,
							MEMBLOCK_LOW_LIMIT, MEMBLOCK_ALLOC_ACCESSIBLE, nid);

		local = unit ? percpu_unit_place(cpu, unit) : NULL;
	}
	pages = memblock_alloc_node(pages_bytes, 128, nid);
	stats = memblock_alloc_node(stat_bytes, 128, nid);
	if (!local || !pages || !stats) {
		pr_err("CPU %u: no %zu bytes of memory\n", cpu,
		       (percpu_unit_pages() << PAGE_SHIFT) + pages_bytes + stat_bytes);
		return -ENOMEM;
	}
	local->self = local;
	local->cpu = cpu;
	local->node = nid;
	/* The others' are written when they come online: many never do. */
	local->pages = pages;
	if (!cpu)
		cpu_pages_init(cpu, pages, nr_node_ids * MAX_NR_ZONES);
	vmstat_cpu_init(cpu, stats);
	return mm_parts_cpu_setup(cpu);
}

static void *alloc_any(size_t bytes)
{
	return memblock_alloc_try_nid_raw(bytes, 64, MEMBLOCK_LOW_LIMIT, MEMBLOCK_ALLOC_ACCESSIBLE, NUMA_NO_NODE);
}

/* As Linux says it of embedded first chunks. All of a unit but the room is s; there is no room for modules, r. */
static void print_percpu(void)
{
	size_t pages = percpu_unit_pages();

	printk("percpu: Embedded %zu pages/cpu s%zu r0 d%zu u%zu\n", pages, percpu_static_bytes(), PERCPU_ROOM,
	       pages << PAGE_SHIFT);
}

int alloc_cpu_data(void)
{
	int err = percpu_units_open(alloc_any);

	if (err)
		return err;
	for_each_possible_cpu(cpu) {
		err = alloc_cpu(cpu);
		if (err)
			return err;
	}
	print_percpu();
	return 0;
}
