// SPDX-License-Identifier: MIT
/*
 * Descriptors: from frame to struct page and back, and their first initialisation.
 *
 * Purpose
 *   Four memory models, chosen when the core is built: vmemmap (an array of all frames in a window of virtual
 *   memory, of which only the parts for real sections are backed), sparse (a two-level table of sections, each
 *   with its descriptors), discontig (one array a run of memory of one node), flat (one array for everything
 *   from the first frame to the last). memmap_models.c provides the memory; this file is common to all.
 *
 * Words
 *   section: 2^15 frames. root: the table of 4096 sections, 512 GiB. block: 512 frames, initialised together.
 *
 * Structures
 *   section_roots[8192] -> root: mem_section[4096] { map, flags, nid }
 *   descriptor: all zero until its block is first needed; PG_init says that it is not.
 *
 * Invariants
 *   MM-I1  a descriptor with PG_init is complete: node, zone, counts, and PG_reserved if boot did not free it
 *   MM-I2  in a block, PG_init of a page implies it of all pages behind
 *   MM-I3  every frame of memory is in a section that is present
 *
 * Locking
 *   memmap_state.lock (rank MEMINIT) around initialisation and around changes of memblock after boot. Readers of
 *   PG_init take no lock: it is stored with release after the rest, and tested with acquire.
 *
 * Memory use and bounds
 *   32 bytes a frame, allocated for whole sections with some memory, touched by blocks of 16 KiB on first use.
 *   64 KiB for a table of 512 GiB, the 64 KiB of roots besides.
 *
 * What failure does
 *   Without memory for a section's descriptors mm_init() fails; hotplug returns -ENOMEM. Nothing fails later.
 *
 * Differences from Linux
 *   No descriptor is initialised at boot, none is ever in a "deferred" state visible to others. Free frames
 *   may stay without one for ever.
 */
#include "highmem.h"
#include "memmap.h"

#include <octavo/gfp.h>
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../boot/memblock_internal.h"
#include "memmap_models.h"
#include "zone_init.h"

struct page *vmemmap __memsys;

static struct {
	spinlock_t lock;
} memmap_state __memsys = { .lock = { .rank = LOCK_RANK_MEMINIT } };

struct mem_section *section_roots[NR_SECTION_ROOTS] __memsys;

struct mem_section *pfn_to_section(unsigned long pfn)
{
	unsigned long section = pfn >> PFN_SECTION_SHIFT, root = section / SECTIONS_PER_ROOT;
	struct mem_section *sections = root < NR_SECTION_ROOTS ? section_roots[root] : NULL;

	return sections ? &sections[section % SECTIONS_PER_ROOT] : NULL;
}

static bool section_has(unsigned long pfn, unsigned int flags)
{
	const struct mem_section *section = pfn_to_section(pfn);

	return section && (load_relaxed(&section->flags) & flags) == flags;
}

bool pfn_valid(unsigned long pfn)
{
	return section_has(pfn, SECTION_PRESENT) && model_has_pfn(pfn);
}

struct page *pfn_to_online_page(unsigned long pfn)
{
	if (!section_has(pfn, SECTION_PRESENT | SECTION_ONLINE) || !model_has_pfn(pfn))
		return NULL;
	memmap_ensure(pfn, 0);
	return pfn_to_page(pfn);
}

struct zone *page_zone(const struct page *page)
{
	return zone_of(page_to_nid(page), page_zonenum(page));
}

void (*bad_address_report)(const char *who, const void *p) __memsys;

void *page_address(const struct page *page)
{
	phys_addr_t phys = PFN_PHYS(page_to_pfn(page));

	if (likely(phys < memblock.direct_map_end))
		return phys_to_virt(phys);
	return highmem_ops ? highmem_ops->address(page) : NULL;
}

struct page *virt_to_page(const void *virt)
{
	phys_addr_t phys = virt_to_phys(virt);

	if ((uintptr_t)virt < memblock.direct_map || phys >= memblock.direct_map_end) {
		note_bad_address("virt_to_page", virt);
		return NULL;
	}
	return pfn_to_online_page(PFN_DOWN(phys));
}

unsigned long memmap_lock(void)
{
	unsigned long flags;

	spin_lock_irqsave(&memmap_state.lock, flags);
	return flags;
}

void memmap_unlock(unsigned long flags)
{
	spin_unlock_irqrestore(&memmap_state.lock, flags);
}

/* Frames alike, down from some frame to @start. */
struct frame_run {
	unsigned long start;
	u16 ids;
	bool reserved;
};

static u16 make_ids(int nid, unsigned long pfn)
{
	return (u16)((u32)nid << PAGE_ZONE_BITS | zone_type_of_pfn(nid, pfn));
}

/* A frame that is no memory, or not all of it: its run goes down to the memory below. */
static struct frame_run describe_hole(const struct memblock_type *mem, unsigned long i, unsigned long pfn,
				      unsigned long start)
{
	bool partial = i < mem->cnt && mem->regions[i].base < PFN_PHYS(pfn + 1);

	if (partial)
		start = pfn;
	else if (i)
		start = max(start, min(pfn, PFN_UP(region_end(&mem->regions[i - 1]))));
	return (struct frame_run){ start, make_ids(pfn_to_section(pfn)->nid, pfn), true };
}

/* What the frame is, and from which frame on the same holds up to it; not below @floor. */
static struct frame_run describe(unsigned long pfn, unsigned long floor)
{
	const struct memblock_type *mem = &memblock.memory, *taken = &memblock.reserved;
	unsigned long i = mb_first_after(mem, PFN_PHYS(pfn)), start;
	const struct memblock_region *r = &mem->regions[i];
	const struct zone *zone;
	bool reserved;

	if (i == mem->cnt || PFN_UP(r->base) > pfn || PFN_DOWN(region_end(r)) <= pfn)
		return describe_hole(mem, i, pfn, floor);
	zone = zone_of(r->nid, zone_type_of_pfn(r->nid, pfn));
	start = max(floor, PFN_UP(r->base));
	start = max(start, min(pfn, zone->zone_start_pfn));
	i = mb_first_after(taken, PFN_PHYS(pfn));
	reserved = i < taken->cnt && taken->regions[i].base < PFN_PHYS(pfn + 1);
	if (r->flags & MEMBLOCK_NOMAP)
		reserved = true;
	else if (reserved)
		start = max(start, min(pfn, PFN_UP(taken->regions[i].base)));
	else if (i)
		start = max(start, min(pfn, PFN_UP(region_end(&taken->regions[i - 1]))));
	return (struct frame_run){ start, make_ids(r->nid, pfn), reserved };
}

static void init_page(struct page *page, const struct frame_run *run)
{
	/* Who has just been given the page may be looking at all of its state, to find that it is not there yet. */
	store_relaxed(&page->ids, run->ids);
	set_page_count(page, run->reserved);
	store_relaxed(&page->_mapcount, -1);
	store_release(&page->flags, 1u << PG_init | (run->reserved ? 1u << PG_reserved : 0));
}

void memmap_init_block(unsigned long pfn)
{
	unsigned long first = pfn & ~(pageblock_nr_pages - 1), flags = memmap_lock();

	for (pfn = first + pageblock_nr_pages; pfn > first;) {
		struct frame_run run = describe(pfn - 1, first);

		for (; pfn > run.start; pfn--) {
			struct page *page = model_has_pfn(pfn - 1) ? pfn_to_page(pfn - 1) : NULL;

			if (page && !(load_relaxed(&page->flags) & 1u << PG_init))
				init_page(page, &run);
		}
	}
	memmap_unlock(flags);
}

void memmap_free_reserved(unsigned long start, unsigned long end)
{
	unsigned long flags = memmap_lock();

	if (mb_remove(&memblock, &memblock.reserved, PFN_PHYS(start), PFN_PHYS(end - start)))
		pr_err("memmap: [0x%016llx-0x%016llx] stays in memblock.reserved: no room for another region\n",
		       (unsigned long long)PFN_PHYS(start), (unsigned long long)(PFN_PHYS(end) - 1));
	for (unsigned long pfn = start; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (!(load_relaxed(&page->flags) & 1u << PG_init))
			continue;
		ClearPageReserved(page);
		set_page_count(page, 0);
	}
	memmap_unlock(flags);
}

/* ---- Sections ---- */

int section_mark_present(unsigned long pfn, int nid)
{
	unsigned long root = (pfn >> PFN_SECTION_SHIFT) / SECTIONS_PER_ROOT;
	struct mem_section *section;

	if (root >= NR_SECTION_ROOTS) {
		pr_err("memmap: frame %#lx is above 52 bits\n", pfn);
		return -EINVAL;
	}
	if (!section_roots[root]) {
		section_roots[root] = memmap_alloc_table(SECTIONS_PER_ROOT * sizeof(struct mem_section), nid);
		if (!section_roots[root]) {
			pr_err("memmap: no memory for the table of sections at frame %#lx\n", pfn);
			return -ENOMEM;
		}
	}
	section = pfn_to_section(pfn);
	if (!(section->flags & SECTION_PRESENT))
		section->nid = (s16)nid;
	section->flags |= SECTION_PRESENT | SECTION_MAPPED;
	return 0;
}

static int mark_sections(void)
{
	unsigned long start, end, pfn;
	int nid, err;
	u64 i;

	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, &nid) {
		for (pfn = ALIGN_DOWN(start, PAGES_PER_SECTION); pfn < end; pfn += PAGES_PER_SECTION) {
			err = section_mark_present(pfn, nid);
			if (err)
				return err;
			memmap_section_online(pfn);
		}
	}
	return 0;
}

int for_each_section_run(int (*fn)(unsigned long start, unsigned long end, int nid))
{
	unsigned long start, end, run_start = 0, run_end = 0;
	int nid, run_nid = NUMA_NO_NODE, err;
	u64 i;

	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, &nid) {
		start = max(run_end, ALIGN_DOWN(start, PAGES_PER_SECTION));
		end = ALIGN(end, PAGES_PER_SECTION);
		if (start >= end)
			continue;
		if (start != run_end || nid != run_nid) {
			err = run_start < run_end ? fn(run_start, run_end, run_nid) : 0;
			if (err)
				return err;
			run_start = start;
			run_nid = nid;
		}
		run_end = end;
	}
	return run_start < run_end ? fn(run_start, run_end, run_nid) : 0;
}

void *memmap_alloc_table(size_t bytes, int nid)
{
	if (memblock.closed)
		return alloc_pages_exact_nid(nid, bytes, GFP_KERNEL | __GFP_ZERO);
	return memblock_alloc_node(bytes, SMP_CACHE_BYTES, nid);
}

int memmap_setup(const struct bootinfo *info)
{
	int err = mark_sections();

	return err ? err : model_setup(info);
}
