// SPDX-License-Identifier: MIT
/* The discontig model: an array of descriptors for each stretch of one node's memory, small holes included. */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "memmap_runs.h"

#if defined(OCTAVO_MEMORY_MODEL_DISCONTIG)

static struct map_runs runs __memsys;

bool model_has_pfn(unsigned long pfn)
{
	return map_run_of_pfn(&runs, pfn) != NULL;
}

struct page *pfn_to_page(unsigned long pfn)
{
	const struct map_run *run = map_run_of_pfn(&runs, pfn);

	return run ? run->map + (pfn - run->start) : NULL;
}

unsigned long page_to_pfn(const struct page *page)
{
	const struct map_run *run = map_run_of_page(&runs, page);

	return run ? run->start + (unsigned long)(page - run->map) : PFN_NONE;
}

static int fill_run(unsigned long start, unsigned long end, int nid)
{
	struct page *map;

	if (start >= end)
		return 0;
	map = memblock_alloc_node((end - start) * sizeof(struct page), PAGE_SIZE, nid);
	if (map)
		return map_runs_add(&runs, start, end, map);
	pr_err("memmap: no %lu KiB in one piece for the descriptors of [mem 0x%016llx-0x%016llx]\n",
	       (end - start) * sizeof(struct page) / 1024, (unsigned long long)PFN_PHYS(start),
	       (unsigned long long)(PFN_PHYS(end) - 1));
	return -ENOMEM;
}

/* A run ends where its last section does, or where another node's memory begins. */
int model_setup(const struct bootinfo *info)
{
	unsigned long start, end, run_start = 0, run_end = 0;
	int nid, run_nid = NUMA_NO_NODE, err = map_runs_init(&runs, (unsigned int)memblock.memory.cnt + 1);
	u64 i;

	(void)info;
	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, &nid) {
		unsigned long first = ALIGN_DOWN(start, PAGES_PER_SECTION);

		if (nid != run_nid || first > run_end) {
			if (start < run_end)
				run_end = first = start;
			if (!err)
				err = fill_run(run_start, run_end, run_nid);
			run_start = max(first, run_end);
			run_nid = nid;
		}
		run_end = ALIGN(end, PAGES_PER_SECTION);
	}
	return err ? err : fill_run(run_start, run_end, run_nid);
}

/* The arrays are as long as boot made them. */
int model_add_section(unsigned long pfn, void *memory)
{
	(void)pfn;
	(void)memory;
	return -EINVAL;
}

unsigned long memmap_end_pfn(void)
{
	return PFN_UP(memblock_end_of_DRAM());
}

#endif
