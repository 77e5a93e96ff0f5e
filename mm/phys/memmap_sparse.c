// SPDX-License-Identifier: MIT
/* The sparse model: each section points to its descriptors, which lie in the direct map. */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "memmap_runs.h"

#if defined(OCTAVO_MEMORY_MODEL_SPARSE)

/* Runs that memory hotplug may add. */
#define SPARE_RUNS 256u

static struct map_runs runs __memsys;

struct page *pfn_to_page(unsigned long pfn)
{
	const struct mem_section *section = pfn_to_section(pfn);

	return section && section->map ? (struct page *)(section->map + pfn * sizeof(struct page)) : NULL;
}

unsigned long page_to_pfn(const struct page *page)
{
	const struct map_run *run = map_run_of_page(&runs, page);

	return run ? run->start + (unsigned long)(page - run->map) : PFN_NONE;
}

static int enter_map(unsigned long start, unsigned long end, struct page *map)
{
	for (unsigned long pfn = start; pfn < end; pfn += PAGES_PER_SECTION)
		pfn_to_section(pfn)->map = (uintptr_t)map - start * sizeof(struct page);
	return map_runs_add(&runs, start, end, map);
}

/* Descriptors for the sections [@start, @end), in as few pieces as there is room for. */
static int fill_sections(unsigned long start, unsigned long end, int nid)
{
	unsigned long frames = end - start;
	int err = 0;

	while (start < end && !err) {
		struct page *map = memblock_alloc_node(frames * sizeof(struct page), PAGE_SIZE, nid);

		if (!map && frames > PAGES_PER_SECTION) {
			frames = ALIGN(frames / 2, PAGES_PER_SECTION);
			continue;
		}
		if (!map) {
			pr_err("memmap: no memory for the descriptors of [mem 0x%016llx-0x%016llx]\n",
			       (unsigned long long)PFN_PHYS(start), (unsigned long long)(PFN_PHYS(end) - 1));
			return -ENOMEM;
		}
		err = enter_map(start, start + frames, map);
		start += frames;
		frames = min(frames, end - start);
	}
	return err;
}

static unsigned int count_sections(void)
{
	unsigned long start, end, last = 0;
	unsigned int nr = 0;
	u64 i;

	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, NULL) {
		start = max(last, ALIGN_DOWN(start, PAGES_PER_SECTION));
		end = ALIGN(end, PAGES_PER_SECTION);
		if (start < end)
			nr += (unsigned int)((end - start) >> PFN_SECTION_SHIFT);
		last = max(last, end);
	}
	return nr;
}

int model_setup(const struct bootinfo *info)
{
	int err = map_runs_init(&runs, count_sections() + SPARE_RUNS);

	(void)info;
	return err ? err : for_each_section_run(fill_sections);
}

int model_add_section(unsigned long pfn, void *memory)
{
	return enter_map(pfn, pfn + PAGES_PER_SECTION, memory);
}

/* The table of sections ends with the physical address space. */
unsigned long memmap_end_pfn(void)
{
	return (unsigned long)min((u64)NR_SECTION_ROOTS * SECTIONS_PER_ROOT * PAGES_PER_SECTION,
				  (u64)PFN_DOWN(memblock.direct_map_end));
}

#endif
