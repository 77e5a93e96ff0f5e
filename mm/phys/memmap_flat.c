// SPDX-License-Identifier: MIT
/* The flat model: one array of descriptors from the first frame of memory to the last. */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "memmap_models.h"

#if defined(OCTAVO_MEMORY_MODEL_FLAT)

static unsigned long first_pfn __memsys, end_pfn __memsys;

bool model_has_pfn(unsigned long pfn)
{
	return pfn >= first_pfn && pfn < end_pfn;
}

int model_setup(const struct bootinfo *info)
{
	size_t bytes;
	void *map;

	(void)info;
	first_pfn = ALIGN_DOWN(PFN_DOWN(memblock_start_of_DRAM()), MAX_ORDER_NR_PAGES);
	end_pfn = ALIGN(PFN_UP(memblock_end_of_DRAM()), MAX_ORDER_NR_PAGES);
	bytes = (end_pfn - first_pfn) * sizeof(struct page);
	map = (end_pfn - first_pfn) <= ~(size_t)0 / sizeof(struct page) ? memblock_alloc(bytes, PAGE_SIZE) : NULL;
	if (!map) {
		pr_err("memmap: no %zu KiB in one piece for the descriptors of [mem 0x%016llx-0x%016llx]\n",
		       bytes / 1024, (unsigned long long)PFN_PHYS(first_pfn),
		       (unsigned long long)(PFN_PHYS(end_pfn) - 1));
		return -ENOMEM;
	}
	vmemmap = (struct page *)((uintptr_t)map - first_pfn * sizeof(struct page));
	return 0;
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
