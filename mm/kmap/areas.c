// SPDX-License-Identifier: MIT
/*
 * Where the kernel's areas are on each machine. The theory stands in direct_map.c.
 *
 * Addresses are Linux's: Documentation/arch/x86/x86_64/mm.rst, Documentation/arch/arm64/memory.rst; of i386 the 3:1
 * split and its siblings, with the last 128 MiB (vmalloc=) for what is not the direct map.
 */
#include "areas.h"

#include <octavo/memblock.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/e820.h"
#include "../boot/params.h"
#include "../pgtable/format.h"

/*
 * The top of the fixmap keeps clear of the last page, whose addresses are error pointers. x86-64's ends with the page
 * directory entry that Linux has its vsyscall page in.
 */
const struct area_layout area_layouts[] = {
	{ .direct = 0xffff888000000000, .direct_end = 0xffffc88000000000, .vmalloc = 0xffffc90000000000,
	  .vmalloc_end = 0xffffe90000000000, .vmemmap = 0xffffea0000000000, .vmemmap_end = 0xffffeb0000000000,
	  .fixmap = 0xffffffffff000000, .fixmap_end = 0xffffffffff7ff000, .fixmap_floor = 0xffffffffa0000000 },
	{ .direct = 0xff11000000000000, .direct_end = 0xff91000000000000, .vmalloc = 0xffa0000000000000,
	  .vmalloc_end = 0xffd2000000000000, .vmemmap = 0xffd4000000000000, .vmemmap_end = 0xffd6000000000000,
	  .fixmap = 0xffffffffff000000, .fixmap_end = 0xffffffffff7ff000, .fixmap_floor = 0xffffffffa0000000 },
	{ .direct = 0xffff000000000000, .direct_end = 0xffff800000000000, .vmalloc = 0xffff800080000000,
	  .vmalloc_end = 0xfffffbfff0000000, .vmemmap = 0xfffffc0000000000, .vmemmap_end = 0xfffffe0000000000,
	  .fixmap = 0xfffffbfff0000000, .fixmap_end = 0xfffffbfffe000000, .fixmap_floor = 0xfffffbfff0000000 },
	{ .direct = 0xc0000000, .fixmap_end = 0xfffff000, .pkmap_pages = 1024 },
	{ .direct = 0xc0000000, .fixmap_end = 0xfffff000, .pkmap_pages = 512 },
};

enum { LAYOUT_X86_64, LAYOUT_X86_64_LA57, LAYOUT_ARM64, LAYOUT_I386, LAYOUT_I386_PAE };

unsigned int area_layout_of_format(void)
{
	if (PGT_VIRT_BITS == 32)
		return PGT_LEVELS == 2 ? LAYOUT_I386 : LAYOUT_I386_PAE;
	return PGT_TWO_ROOTS ? LAYOUT_ARM64 : PGT_LEVELS == 5 ? LAYOUT_X86_64_LA57 : LAYOUT_X86_64;
}

static const struct kernel_area unset[AREAS] = {
	[AREA_DIRECT] = { .name = PGT_VIRT_BITS == 32 ? "Kernel Mapping" : "Low Kernel Mapping" },
	[AREA_VMALLOC] = { .name = "vmalloc() Area" },
	[AREA_VMEMMAP] = { .name = "Vmemmap" },
	[AREA_PKMAP] = { .name = "Persistent kmap() Area" },
	[AREA_FIXMAP] = { .name = "Fixmap Area" },
	[AREA_IMAGE] = { .name = "High Kernel Mapping" },
};
struct kernel_area kernel_areas[AREAS] __memsys;

static void area_set(enum kernel_area_id id, u64 start, u64 end)
{
	kernel_areas[id].start = (uintptr_t)start;
	kernel_areas[id].end = (uintptr_t)end;
}

static uintptr_t area_size(enum kernel_area_id id)
{
	return kernel_areas[id].end - kernel_areas[id].start;
}

/* ---- Addresses ---- */

/* early_ioremap's slots and those of every CPU's kmap_local, with as many to spare. */
static u64 fixmap_bytes_wanted(const struct bootinfo *info)
{
	u64 cpus = max(info->cpus_possible, info->cpus_nr);

	return (1024 + 16 * cpus) << PAGE_SHIFT;
}

static void place_areas_64(const struct bootinfo *info, const struct area_layout *layout)
{
	u64 direct = info->page_offset ? info->page_offset : layout->direct, fixmap = layout->fixmap;

	if (memblock.direct_map_end > layout->direct_end - direct) {
		pr_warn("Kernel address space: the direct map ends at %#llx, memory above needs kmap\n",
			(unsigned long long)(layout->direct_end - direct));
		memblock.direct_map_end = layout->direct_end - direct;
	}
	area_set(AREA_DIRECT, direct, direct + ALIGN(memblock.direct_map_end, (phys_addr_t)PAGE_SIZE));
	area_set(AREA_VMALLOC, layout->vmalloc, layout->vmalloc_end);
	if (layout->fixmap_end - fixmap < fixmap_bytes_wanted(info))
		fixmap = max(layout->fixmap_floor,
			     ALIGN_DOWN(layout->fixmap_end - fixmap_bytes_wanted(info), PGT_SIZE(1)));
	area_set(AREA_FIXMAP, fixmap, layout->fixmap_end);
	if (info->vmemmap)
		area_set(AREA_VMEMMAP, layout->vmemmap,
			 layout->vmemmap + min(ALIGN(info->vmemmap_size, (u64)PAGE_SIZE),
					       layout->vmemmap_end - layout->vmemmap));
}

/*
 * From the top down: fixmap, pkmap below it, two pages of nothing, vmalloc down to VMALLOC_OFFSET behind the direct
 * map.
 */
static void place_areas_32(const struct bootinfo *info, const struct area_layout *layout)
{
	u64 direct = info->page_offset ? info->page_offset : lowmem_params.page_offset;
	u64 high = direct + ALIGN(memblock.direct_map_end, (phys_addr_t)PAGE_SIZE);
	u64 vmalloc_end = i386_vmalloc_end(), pkmap = vmalloc_end + 2 * PAGE_SIZE;
	u64 pkmap_end = pkmap + layout->pkmap_pages * PAGE_SIZE;

	area_set(AREA_DIRECT, direct, high);
	area_set(AREA_VMALLOC, vmalloc_start_behind((uintptr_t)high), vmalloc_end);
	area_set(AREA_PKMAP, pkmap, pkmap_end);
	area_set(AREA_FIXMAP, pkmap_end, layout->fixmap_end);
}

/* The image has a place of its own unless the direct map is where it was linked (i386). */
static void place_image(const struct bootinfo *info)
{
	const struct bootinfo_span *spans[] = { &info->kernel_text, &info->kernel_rodata, &info->kernel_data,
						&info->kernel_bss, &info->kernel_init };
	u64 start = ~0ull, end = 0;

	if (!info->image_offset || info->image_offset == kernel_areas[AREA_DIRECT].start)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(spans); i++) {
		if (!spans[i]->size)
			continue;
		start = min(start, ALIGN_DOWN(spans[i]->start, (phys_addr_t)PAGE_SIZE));
		end = max(end, ALIGN(spans[i]->start + spans[i]->size, (phys_addr_t)PAGE_SIZE));
	}
	if (end)
		area_set(AREA_IMAGE, info->image_offset + start, info->image_offset + end);
}

/* ---- Pointers ---- */

/*
 * Give an area the last of the window below @*end, alignment of a large page kept. What does not fit is cut off its
 * start. Return: false: nothing fits.
 */
static bool place_at_top(enum kernel_area_id id, uintptr_t start, uintptr_t *end, uintptr_t size)
{
	struct kernel_area *area = &kernel_areas[id];
	uintptr_t large = (uintptr_t)PGT_SIZE(1), pointer = ALIGN_DOWN(*end, large) + (area->end & (large - 1));

	if (!area_size(id))
		return true;
	if (pointer > *end)
		pointer -= large;
	size = min(size, area_size(id));
	if (pointer < start || pointer - start < size)
		return false;
	area->bias = pointer - area->end;
	area->start = area->end - size;
	*end = pointer - size - PAGE_SIZE;
	return true;
}

static int place_in_window(const struct bootinfo *info)
{
	uintptr_t large = (uintptr_t)PGT_SIZE(1), start = info->kernel_window;
	uintptr_t end = start + (uintptr_t)info->kernel_window_size, fixmap;
	struct kernel_area *vmalloc = &kernel_areas[AREA_VMALLOC];

	fixmap = (uintptr_t)ALIGN(max(fixmap_bytes_wanted(info), (u64)4 << 20), (u64)large);
	if (!place_at_top(AREA_FIXMAP, start, &end, fixmap) ||
	    !place_at_top(AREA_PKMAP, start, &end, area_size(AREA_PKMAP)))
		return -EINVAL;
	start = ALIGN(start, large) + (vmalloc->start & (large - 1));
	if (start >= end || end - start < large)
		return -EINVAL;
	vmalloc->bias = start - vmalloc->start;
	if (end - start < area_size(AREA_VMALLOC))
		vmalloc->end = ALIGN_DOWN(vmalloc->start + (end - start), (uintptr_t)PAGE_SIZE);
	return 0;
}

static int place_pointers(const struct bootinfo *info)
{
	struct kernel_area *vmemmap = &kernel_areas[AREA_VMEMMAP];

	kernel_areas[AREA_DIRECT].bias = info->direct_map - kernel_areas[AREA_DIRECT].start;
	if (vmemmap->start)
		vmemmap->bias = info->vmemmap - vmemmap->start;
	if (!info->kernel_window)
		return 0;
	if (!place_in_window(info))
		return 0;
	pr_err("Kernel address space: a window of %llu MiB is too small for the fixmap and vmalloc areas\n",
	       (unsigned long long)(info->kernel_window_size >> 20));
	return -EINVAL;
}

static int check_areas(void)
{
	for (unsigned int i = 0; i < AREAS; i++) {
		const struct kernel_area *a = &kernel_areas[i];

		for (unsigned int j = 0; j < AREAS; j++) {
			if (i == j || a->start == a->end || !area_has((enum kernel_area_id)j, a->start))
				continue;
			pr_err("Kernel address space: %s begins at %#lx, inside %s\n", a->name,
			       (unsigned long)a->start, kernel_areas[j].name);
			return -EINVAL;
		}
	}
	if (!area_size(AREA_VMALLOC) || (intptr_t)area_size(AREA_VMALLOC) < 0) {
		pr_err("Kernel address space: the direct map leaves no room for vmalloc\n");
		return -EINVAL;
	}
	return 0;
}

int areas_setup(const struct bootinfo *info)
{
	const struct area_layout *layout = &area_layouts[area_layout_of_format()];
	int err;

	memcpy(kernel_areas, unset, sizeof(unset));
	if (!info->page_tables) {
		area_set(AREA_DIRECT, info->direct_map, info->direct_map + memblock.direct_map_end);
		return 0;
	}
	if (PGT_VIRT_BITS == 32) {
		place_areas_32(info, layout);
		pgt_kernel_split = (u32)kernel_areas[AREA_DIRECT].start;
	} else {
		place_areas_64(info, layout);
	}
	place_image(info);
	err = place_pointers(info);
	return err ? err : check_areas();
}

/* ---- Conversion ---- */

uintptr_t kernel_virt(const void *p, enum kernel_area_id *id)
{
	for (unsigned int i = 0; i < AREAS; i++) {
		uintptr_t virt = area_virt((enum kernel_area_id)i, p);

		if (!area_has((enum kernel_area_id)i, virt))
			continue;
		if (id)
			*id = (enum kernel_area_id)i;
		return virt;
	}
	if (id)
		*id = AREAS;
	return (uintptr_t)p;
}

uintptr_t octavo_kernel_virt(const void *p)
{
	return kernel_virt(p, NULL);
}

void *kernel_pointer(uintptr_t virt, enum kernel_area_id *id)
{
	for (unsigned int i = 0; i < AREAS; i++) {
		if (!area_has((enum kernel_area_id)i, virt))
			continue;
		if (id)
			*id = (enum kernel_area_id)i;
		return area_pointer((enum kernel_area_id)i, virt);
	}
	if (id)
		*id = AREAS;
	return (void *)virt;
}
