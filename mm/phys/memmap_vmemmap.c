// SPDX-License-Identifier: MIT
/* The vmemmap model: one window of virtual memory, backed section by section. */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "memmap_models.h"

#if !defined(OCTAVO_MEMORY_MODEL_SPARSE) && !defined(OCTAVO_MEMORY_MODEL_DISCONTIG) && \
	!defined(OCTAVO_MEMORY_MODEL_FLAT)

/*
 * Page tables show 2 MiB of the window by one large leaf, where memory for it is as aligned as the window is. Sections
 * have 1 MiB of descriptors: a run may begin in the middle of such a piece.
 */
#define WINDOW_LEAF ((phys_addr_t)2 << 20)

static struct {
	unsigned long end_pfn; /* first frame the window has no descriptor for */
	int (*populate)(uintptr_t virt, phys_addr_t phys, size_t size);
} window __memsys;

/* Frames from @start on up to where a large leaf may begin in the window; all if one may begin here. */
static unsigned long frames_to_leaf(unsigned long start, unsigned long frames)
{
	uintptr_t at = (uintptr_t)(vmemmap + start);
	unsigned long lead = (unsigned long)((ALIGN(at, (uintptr_t)WINDOW_LEAF) - at) / sizeof(struct page));

	return window.populate && lead ? min(lead, frames) : frames;
}

static phys_addr_t window_align(phys_addr_t size)
{
	return window.populate && size >= WINDOW_LEAF ? WINDOW_LEAF : PAGE_SIZE;
}

/* Take memory for the descriptors of the sections [@start, @end), in as few pieces as there are. */
static int back_sections(unsigned long start, unsigned long end, int nid)
{
	unsigned long most = end - start, frames;

	for (; start < end; start += frames) {
		phys_addr_t size, phys;
		int err = 0;

		frames = frames_to_leaf(start, min(most, end - start));
		size = (phys_addr_t)frames * sizeof(struct page);
		phys = memblock_alloc_range_nid(size, window_align(size), 0, MEMBLOCK_ALLOC_ANYWHERE, nid, false);
		if (!phys && frames > PAGES_PER_SECTION) {
			most = ALIGN(frames / 2, PAGES_PER_SECTION);
			frames = 0;
			continue;
		}
		if (phys && window.populate)
			err = window.populate((uintptr_t)(vmemmap + start), phys, (size_t)size);
		if (!phys || err) {
			pr_err("memmap: no memory for the descriptors of [mem 0x%016llx-0x%016llx]\n",
			       (unsigned long long)PFN_PHYS(start), (unsigned long long)(PFN_PHYS(end) - 1));
			return -ENOMEM;
		}
	}
	return 0;
}

int model_setup(const struct bootinfo *info)
{
	unsigned long end = ALIGN(PFN_UP(memblock_end_of_DRAM()), PAGES_PER_SECTION);

	vmemmap = (struct page *)info->vmemmap;
	window.end_pfn = (unsigned long)(info->vmemmap_size / sizeof(struct page));
	window.populate = info->vmemmap_populate;
	if (end <= window.end_pfn)
		return for_each_section_run(back_sections);
	pr_err("memmap: frames up to %#lx need descriptors, the window ends at %#lx\n", end, window.end_pfn);
	return -EINVAL;
}

int model_add_section(unsigned long pfn, void *memory)
{
	if (pfn + PAGES_PER_SECTION > window.end_pfn)
		return -EINVAL;
	if (!window.populate)
		return 0;
	return window.populate((uintptr_t)(vmemmap + pfn), virt_to_phys(memory),
			       PAGES_PER_SECTION * sizeof(struct page));
}

unsigned long memmap_end_pfn(void)
{
	return window.end_pfn;
}

#endif
