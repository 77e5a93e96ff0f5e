// SPDX-License-Identifier: MIT
/*
 * The kernel's own mappings.
 *
 * Purpose
 *	One page table, init_mm's, in which the kernel sees all memory it may touch (the direct map), its image with the
 *	rights each part needs, and what vmalloc, fixmap, kmap and the descriptors' window add to it later.
 *
 * Words
 *	area		a range of virtual addresses with one purpose (areas.h)
 *	address, pointer	areas.h: the same on bare metal
 *	alias		another address at which the same frame shows: image and direct map, vmalloc and direct map
 *	reach		physical memory that can be touched at this point of start-up: what the port's early direct map
 *			shows, then what this one does. Tables must come from within it.
 *
 * Structures
 *	x86-64		ffff888000000000 direct map (64 TiB)	ffffc90000000000 vmalloc (32 TiB)
 *			ffffea0000000000 struct page (1 TiB)	ffffffff80000000 image, at the top: fixmap
 *	57 bits		ff11000000000000 direct map (32 PiB)	ffa0000000000000 vmalloc (12.5 PiB)
 *			ffd4000000000000 struct page
 *	arm64		ffff000000000000 direct map (128 TiB)	ffff800080000000 vmalloc	fffffbfff0000000 fixmap
 *			fffffc0000000000 struct page
 *	i386		|--direct map--|8-16 MiB|------vmalloc------|2 pages|pkmap|fixmap|page|
 *			c0000000   at most f6ffe000                 feffe000             fffff000
 *
 *	The direct map is made piece by piece: a piece is memory whose frames get the same rights. Each is shown in the
 *	largest leaves that its alignment and the processor permit.
 *
 * Invariants
 *	KA-I1	every whole page of memory below the direct map's end is shown at its place in the direct map; what is
 *		no memory is not shown
 *	KA-I2	nothing is writable and executable; the direct map executes nothing but an image that has no other
 *		place, unless set_memory made it so
 *	KA-I3	text and read-only data are writable at none of their addresses, unless set_memory made them so
 *	KA-I4	the books (direct_leaves) count the leaves that there are
 *	KA-I5	areas do not overlap, neither as addresses nor as pointers
 *	KA-I6	formats with one root of tables only (all x86 but i386 without PAE): every root entry of the kernel half
 *		that may ever be used leads to a table from boot on, so that no other root ever needs to follow a change
 *
 * Locking
 *	Boot is alone. Later changes of mappings that somebody else made (set_memory, hotplug) and the dump hold
 *	kernel_map_mutex; the owners of vmalloc, fixmap and kmap ranges change their own without it.
 *
 * Memory use and bounds
 *	With leaves of 1 GiB a table page for each 512 GiB and some for the ends of ranges and the image; with leaves of
 *	2 MiB one for each GiB, 4 ppm. Root entries made ahead: a page each, 64 for vmalloc on x86-64.
 *
 * What failure does
 *	At boot: no machine. Hotplug: the memory does not appear. set_memory: rights are as they were.
 *
 * Differences from Linux
 *	Holes below 1 MiB are not shown (Linux shows the whole first megabyte). Read-only data is read-only in the
 *	direct map from the start. Tables that spell a large leaf again become one.
 *
 * Sources
 *	Intel SDM volume 3A chapter 4; Arm ARM DDI 0487 chapter D8; Linux Documentation/arch/x86/x86_64/mm.rst,
 *	Documentation/arch/arm64/memory.rst.
 */
#include <octavo/gfp.h>
#include <octavo/memblock.h>
#include <octavo/port.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"
#include "../phys/memmap.h"
#include "../pgtable/tlb.h"
#include "../sync/cpu.h"
#include "kernel_map.h"

struct leaf_counts direct_leaves __memsys;
unsigned long direct_map_splits[LEAF_LEVELS] __memsys;
struct mutex kernel_map_mutex __memsys = MUTEX_INIT;

/* nogbpages, gbpages, mem=nopentium: leaf levels not to be used though the processor has them. */
static unsigned int unwanted_levels __memsys;

static int nogbpages_param(const char *value)
{
	(void)value;
	unwanted_levels |= 1u << 2;
	return 0;
}
early_param("nogbpages", nogbpages_param);

static int gbpages_param(const char *value)
{
	(void)value;
	unwanted_levels &= ~(1u << 2);
	return 0;
}
early_param("gbpages", gbpages_param);

/* ---- The books ---- */

/* The books are read by whoever shows them, at any time. */
static void note_leaves(unsigned int level, unsigned long more)
{
	WRITE_ONCE(direct_leaves.at[level], direct_leaves.at[level] + more);
}

/* Leaves that mapping [virt, virt + size) to @phys takes, by the rule that pgt_map_range() follows. */
static void count_mapped(uintptr_t virt, phys_addr_t phys, u64 size)
{
	while (size) {
		unsigned int level = PGT_LEAF_LEVEL_MAX;
		u64 step, head;

		while (level && (!(pgt_leaf_levels >> level & 1) || size < PGT_SIZE(level) ||
				 ((virt | phys) & (PGT_SIZE(level) - 1))))
			level--;
		/* As many of them as fit before a larger one may. */
		step = ALIGN_DOWN(size, PGT_SIZE(level));
		if (level < PGT_LEAF_LEVEL_MAX) {
			u64 larger = PGT_SIZE(level + 1);

			head = larger - (virt & (larger - 1));
			step = min(step, head);
		}
		note_leaves(level, (unsigned long)(step >> PGT_SHIFT(level)));
		virt += (uintptr_t)step;
		phys += step;
		size -= step;
	}
}

static int count_leaf(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	struct leaf_counts *counts = ctx;

	(void)entry;
	(void)start;
	(void)last;
	counts->at[level]++;
	return 0;
}

void count_leaves(uintptr_t virt, u64 size, struct leaf_counts *counts)
{
	static const struct pgt_walk_ops ops = { .leaf = count_leaf };

	memset(counts, 0, sizeof(*counts));
	(void)pgt_walk(&init_mm, virt, size, &ops, counts);
}

int kernel_split(uintptr_t virt, gfp_t gfp)
{
	unsigned int before, after;
	int err;

	if (!pgt_canonical(virt) || !pgt_kernel_half(virt))
		return 0;
	(void)pgt_lookup(&init_mm, virt, &before);
	err = pgt_split(&init_mm, virt, gfp);
	if (err || !area_has(AREA_DIRECT, virt))
		return err;
	(void)pgt_lookup(&init_mm, virt, &after);
	for (unsigned int level = before; level > after; level--) {
		note_leaves(level, -1ul);
		note_leaves(level - 1, PGT_ENTRIES(level - 1));
		WRITE_ONCE(direct_map_splits[level], direct_map_splits[level] + 1);
	}
	return 0;
}

unsigned long kernel_join(uintptr_t virt, unsigned int level, struct mmu_gather *tlb)
{
	unsigned long made = pgt_join(&init_mm, virt, PGT_SIZE(level), tlb), whole;
	unsigned int found;

	if (!made)
		return 0;
	(void)pgt_lookup(&init_mm, virt, &found);
	whole = found == level;
	note_leaves(level, whole);
	note_leaves(level - 1, -whole * PGT_ENTRIES(level - 1));
	if (made > whole) {
		note_leaves(level - 1, made - whole);
		note_leaves(level - 2, -(made - whole) * PGT_ENTRIES(level - 2));
	}
	return made;
}

/* ---- Making it ---- */

/* Memory in [start, end), in pieces of the same rights. */
static int map_memory(phys_addr_t start, phys_addr_t end)
{
	uintptr_t base = kernel_areas[AREA_DIRECT].start;

	while (start < end) {
		phys_addr_t stop = end;
		pgprot_t prot = direct_prot_at(start, &stop);
		int err = pgt_map_range(&init_mm, base + (uintptr_t)start, start, stop - start, prot,
					PGT_LEAF_LEVEL_MAX, GFP_KERNEL);

		if (err)
			return err;
		count_mapped(base + (uintptr_t)start, start, stop - start);
		start = stop;
	}
	return 0;
}

/* Whole pages of [start, end) within [from, to). */
static int map_pages_of(phys_addr_t start, phys_addr_t end, phys_addr_t from, phys_addr_t to)
{
	start = max(ALIGN(start, (phys_addr_t)PAGE_SIZE), from);
	end = min(ALIGN_DOWN(end, (phys_addr_t)PAGE_SIZE), to);
	return start < end ? map_memory(start, end) : 0;
}

/* Regions that differ in attributes only (mirrored memory) are one piece here. */
static int map_ram(phys_addr_t from, phys_addr_t to)
{
	phys_addr_t start, end, piece = 0, piece_end = 0;
	u64 i;
	int err = 0;

	for_each_mem_range(i, &start, &end) {
		if (start != piece_end) {
			err = map_pages_of(piece, piece_end, from, to);
			piece = start;
		}
		piece_end = end;
		if (err || start >= to)
			break;
	}
	return err ? err : map_pages_of(piece, piece_end, from, to);
}

/* The image in its own area, if it has one. */
static int image_map(void)
{
	int err = 0;

	for (unsigned int i = 0; kernel_image.separate && i < IMAGE_PARTS && !err; i++) {
		const struct image_range *range = &kernel_image.part[i];

		if (range->start != range->end)
			err = pgt_map_range(&init_mm, kernel_image.offset + (uintptr_t)range->start, range->start,
					    range->end - range->start, image_prot((enum image_part)i),
					    PGT_LEAF_LEVEL_MAX, GFP_KERNEL);
	}
	return err;
}

/* The last that hotplug may ever want in the direct map: see hotplug_room(). (c) */
static uintptr_t direct_last __memsys;

uintptr_t kernel_direct_last(void)
{
	return direct_last;
}

static void note_direct_last(void)
{
	phys_addr_t end = ALIGN(memblock_end_of_DRAM(), SECTION_SIZE) + memblock_phys_mem_size() + 2 * SECTION_SIZE;

	direct_last = kernel_areas[AREA_DIRECT].start + (uintptr_t)(min(end, memblock.direct_map_end) - 1);
}

bool kernel_root_is_made_ahead(void)
{
	return PGT_ROOT_LEVEL >= 2 && !PGT_TWO_ROOTS;
}

bool kernel_has_nx(void)
{
	return !pgt_exec(0, pgt_fit(pgt_make_leaf(0, 0, PAGE_KERNEL)));
}

static int make_root_entries(uintptr_t start, uintptr_t last)
{
	uintptr_t step = (uintptr_t)PGT_SIZE(PGT_ROOT_LEVEL);

	for (uintptr_t at = ALIGN_DOWN(start, step);; at += step) {
		if (!pgt_entry_alloc(&init_mm, at, PGT_ROOT_LEVEL - 1, GFP_KERNEL))
			return -ENOMEM;
		if (last - at < step)
			return 0;
	}
}

/* Where the root itself may hold leaves (i386 without PAE), its entries change with them, and other roots follow. */
static int make_all_root_entries(void)
{
	int err = 0;

	for (unsigned int i = 0; i < AREAS && !err && kernel_root_is_made_ahead(); i++) {
		const struct kernel_area *area = &kernel_areas[i];

		if (area->start != area->end)
			err = make_root_entries(area->start, i == AREA_DIRECT ? direct_last : area->end - 1);
	}
	return err;
}

static int load(unsigned int cpu)
{
	(void)cpu;
	if (!pgtables_on)
		return 0;
	port_pgd_load(init_mm.pgd_phys, PORT_ASID_KERNEL);
	port_tlb_flush_all();
	return 0;
}

/*
 * What the port shows for a start is mapped first, with tables from there; then ever more, with tables from what the
 * loaded map shows by then.
 */
static int make_direct_map(void)
{
	phys_addr_t end = min(ALIGN(memblock_end_of_DRAM(), (phys_addr_t)PAGE_SIZE), memblock.direct_map_end);
	phys_addr_t reach = memblock_get_current_limit(), done = 0;
	int err;

	note_direct_last();
	err = map_ram(0, reach);
	if (!err)
		err = image_map();
	if (!err)
		err = make_all_root_entries();
	if (err)
		return err;
	pgtables_on = true;
	load(0);
	while (!err && reach < end) {
		memblock_set_current_limit(reach);
		done = reach;
		reach = min(end, reach * 16);
		err = map_ram(done, reach);
	}
	memblock_set_current_limit(memblock.direct_map_end);
	return err;
}

static void choose_features(const struct bootinfo *info)
{
	if (lowmem_params.no_large)
		unwanted_levels |= 1u << 1;
	pgt_leaf_levels &= ~unwanted_levels;
	if (pgt_leaf_levels >> 2 & 1 && info->arch == BOOT_ARCH_X86_64)
		pr_info("Using GB pages for direct mapping\n");
}

static int kernel_map_make(const struct bootinfo *info)
{
	bool bottom_up = memblock_bottom_up();
	int err = areas_setup(info);

	if (err || !info->page_tables)
		return err;
	err = image_setup(info);
	if (err)
		return err;
	/* What may be unplugged is not known yet, but the lowest memory stays. */
	if (kernelcore_params.movable_node)
		memblock_set_bottom_up(true);
	err = pgt_init(info->mmu_features);
	if (!err) {
		choose_features(info);
		err = make_direct_map();
	}
	memblock_set_bottom_up(bottom_up);
	if (err)
		pr_err("Kernel address space: no memory for the page tables of [mem 0x0-0x%llx]\n",
		       (unsigned long long)(memblock_end_of_DRAM() - 1));
	return err;
}

/* ---- Hotplug ---- */

static int memory_add(phys_addr_t start, u64 size)
{
	phys_addr_t end = min(start + size, memblock.direct_map_end);
	uintptr_t virt = kernel_areas[AREA_DIRECT].start + (uintptr_t)start;
	int err;

	if (!pgtables_on || start >= end)
		return 0;
	mutex_lock(&kernel_map_mutex);
	err = pgt_map_range(&init_mm, virt, start, end - start, PAGE_KERNEL, PGT_LEAF_LEVEL_MAX, GFP_KERNEL);
	if (!err)
		count_mapped(virt, start, end - start);
	mutex_unlock(&kernel_map_mutex);
	return err;
}

static void unmap_memory(uintptr_t virt, u64 size)
{
	struct leaf_counts gone;
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, &init_mm);
	count_leaves(virt, size, &gone);
	/* Nothing has to be split any more. */
	if (!pgt_unmap_range(&init_mm, virt, size, &tlb))
		for (unsigned int i = 0; i < LEAF_LEVELS; i++)
			note_leaves(i, -gone.at[i]);
	pgt_free_kernel_tables(virt, size, &tlb);
	tlb_finish_mmu(&tlb);
}

static void memory_remove(phys_addr_t start, u64 size)
{
	phys_addr_t end = min(start + size, memblock.direct_map_end);
	uintptr_t virt = kernel_areas[AREA_DIRECT].start + (uintptr_t)start;

	if (!pgtables_on || start >= end)
		return;
	mutex_lock(&kernel_map_mutex);
	if (kernel_split(virt, GFP_KERNEL) || kernel_split(virt + (uintptr_t)(end - start), GFP_KERNEL))
		pr_err("Kernel address space: no table to split a large page: [mem %#010llx-%#010llx] stays mapped\n",
		       (unsigned long long)start, (unsigned long long)(end - 1));
	else
		unmap_memory(virt, end - start);
	mutex_unlock(&kernel_map_mutex);
}

static void verify(struct findings *f)
{
	if (pgtables_on)
		(void)kernel_map_verify(f);
}

MM_PART(kernel_map, .order = MM_PART_KERNEL_MAP, .map = kernel_map_make, .cpu_online = load, .memory_add = memory_add,
	.memory_remove = memory_remove, .verify = verify);
