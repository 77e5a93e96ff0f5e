// SPDX-License-Identifier: MIT
/* Sections that come and go: descriptors for memory hotplug. The hotplug lock is held throughout. */
#include <octavo/gfp.h>
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "memmap_models.h"

/* 1 MiB for the 2^15 descriptors of a section. */
#define SECTION_MAP_BYTES (PAGES_PER_SECTION * sizeof(struct page))

void memmap_section_online(unsigned long pfn)
{
	struct mem_section *section = pfn_to_section(pfn);

	store_release(&section->flags, (u16)(section->flags | SECTION_ONLINE));
}

void memmap_section_offline(unsigned long pfn)
{
	struct mem_section *section = pfn_to_section(pfn);
	unsigned long flags;

	store_release(&section->flags, (u16)(section->flags & ~SECTION_ONLINE));
	flags = memmap_lock();
	for (unsigned long end = pfn + PAGES_PER_SECTION; pfn < end; pfn++)
		if (model_has_pfn(pfn))
			memset(pfn_to_page(pfn), 0, sizeof(struct page));
	section->hotplug_zone = 0;
	memmap_unlock(flags);
}

int memmap_section_add(unsigned long pfn, int nid)
{
	struct mem_section *section = pfn_to_section(pfn);
	bool mapped = section && section->flags & SECTION_MAPPED;
	void *memory = NULL;
	int err = 0;

	if (section && section->flags & SECTION_PRESENT)
		return -EEXIST;
	if (!mapped) {
		memory = alloc_pages_exact_nid(nid, SECTION_MAP_BYTES, GFP_KERNEL | __GFP_ZERO | __GFP_RETRY_MAYFAIL);
		if (!memory)
			return -ENOMEM;
	}
	err = section_mark_present(pfn, nid);
	if (!err && !mapped) {
		err = model_add_section(pfn, memory);
		if (err)
			pfn_to_section(pfn)->flags = 0;
	}
	if (err && memory)
		free_pages_exact(memory, SECTION_MAP_BYTES);
	return err;
}

void memmap_section_remove(unsigned long pfn)
{
	struct mem_section *section = pfn_to_section(pfn);

	store_release(&section->flags, (u16)(section->flags & SECTION_MAPPED));
}
