// SPDX-License-Identifier: MIT
/*
 * What an address is, in words, for reports of page faults. Nothing here waits for a lock: a fault may come with any
 * held.
 */
#include <octavo/memblock.h>
#include <octavo/page.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/memmap.h"
#include "../slab/slab.h"
#include "kernel_map.h"

#define HEX(x) ((unsigned long)(x))

static area_describe_fn describers[AREAS] __memsys;

void register_area_describer(enum kernel_area_id id, area_describe_fn describe)
{
	describers[id] = describe;
}

/* port_symbol() takes a return address, which is one behind: the offset it says is so much less. */
void symbol_at(uintptr_t virt, char *text, size_t size)
{
	unsigned long offset = 0;
	char name[128], *plus, *rest;

	port_symbol(virt + 1, name, sizeof(name));
	plus = strchr(name, '+');
	if (!plus || strncmp(plus, "+0x", 3)) {
		octavo_snprintf(text, size, "0x%lx", HEX(virt));
		return;
	}
	for (rest = plus + 3; *rest && *rest != '/'; rest++)
		offset = offset << 4 | (unsigned long)(*rest <= '9' ? *rest - '0' : (*rest | 0x20) - 'a' + 10);
	*plus = 0;
	octavo_snprintf(text, size, "%s+0x%lx%s", name, offset - 1, rest);
}

static const char *area_name_in_text(enum kernel_area_id id)
{
	static const char *const names[AREAS] = { "direct map", "vmalloc area", "struct page area", "pkmap area",
						  "fixmap", "kernel image" };

	return names[id];
}

/* ---- The direct map ---- */

static void describe_slab_page(const struct page *page, const char *where, struct area_description *d)
{
	const struct slab *slab = page_slab(page);

	if (slab && slab->cache)
		octavo_snprintf(d->text, sizeof(d->text), "%s: page of slab cache %s", where, slab->cache->name);
	else if (slab)
		octavo_snprintf(d->text, sizeof(d->text), "%s: page with objects of several slab caches", where);
	else
		octavo_snprintf(d->text, sizeof(d->text), "%s: page of the heap, %s", where,
				heap_page_kind(page) == HEAP_PAGE_LARGE ? "a large kmalloc" :
				heap_page_kind(page) == HEAP_PAGE_GUARD ? "KFENCE's pool" : "its own structures");
}

static void describe_frame(unsigned long pfn, const char *where, struct area_description *d)
{
	const struct page *page = pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;
	const char *what;

	/* A descriptor that nobody has needed yet is not to be made now. */
	if (!page || !page_test_flag(page, PG_init))
		what = page ? "page never used" : "page without a descriptor";
	else if (PageSlab(page))
		return describe_slab_page(page, where, d);
	else if (PageTable(page))
		what = "page table";
	else if (PageReserved(page))
		what = "reserved page";
	else
		what = page_count((struct page *)(uintptr_t)page) ? "page in use" : "free page";
	octavo_snprintf(d->text, sizeof(d->text), "%s: %s", where, what);
}

static void describe_part(enum image_part part, uintptr_t virt, struct area_description *d)
{
	const struct image_range *range = &kernel_image.part[part];
	char name[96] = "";

	d->start = kernel_image.offset + (uintptr_t)range->start;
	d->end = kernel_image.offset + (uintptr_t)range->end;
	if (part == IMAGE_TEXT)
		symbol_at(virt, name, sizeof(name));
	octavo_snprintf(d->text, sizeof(d->text), "in kernel %s [%#lx-%#lx]%s%s", image_part_names[part],
			HEX(d->start), HEX(d->end), *name ? " " : "", name);
}

static void describe_direct(uintptr_t virt, struct area_description *d)
{
	phys_addr_t phys = (phys_addr_t)(virt - kernel_areas[AREA_DIRECT].start);
	unsigned long start, end;
	char where[96];

	if (!kernel_image.separate && image_part_at(virt) != IMAGE_PARTS)
		return describe_part(image_part_at(virt), virt, d);
	if (memblock_search_pfn_nid(PFN_DOWN(phys), &start, &end) < 0) {
		d->place = PLACE_HOLE;
		octavo_snprintf(d->text, sizeof(d->text), "in the direct map, where no memory is (physical %#llx)",
				(unsigned long long)phys);
		return;
	}
	octavo_snprintf(where, sizeof(where), "in the direct map (physical %#llx)", (unsigned long long)phys);
	for (unsigned int i = 0; i < IMAGE_PARTS; i++)
		if (phys >= kernel_image.part[i].start && phys < kernel_image.part[i].end) {
			octavo_snprintf(d->text, sizeof(d->text), "%s: kernel %s", where, image_part_names[i]);
			return;
		}
	describe_frame(PFN_DOWN(phys), where, d);
}

/* ---- The others ---- */

static void describe_image(uintptr_t virt, struct area_description *d)
{
	enum image_part part = image_part_at(virt);

	if (part != IMAGE_PARTS)
		return describe_part(part, virt, d);
	d->place = PLACE_HOLE;
	octavo_snprintf(d->text, sizeof(d->text), "in the kernel image, between two parts of it");
}

static void describe_descriptor(uintptr_t virt, struct area_description *d)
{
	unsigned long pfn = (virt - kernel_areas[AREA_VMEMMAP].start) / sizeof(struct page);

	octavo_snprintf(d->text, sizeof(d->text), "struct page of frame %#lx, which %s", pfn,
			pfn_valid(pfn) ? "has one" : "is no memory");
}

static void describe_in_area(enum kernel_area_id id, uintptr_t virt, struct area_description *d)
{
	const struct kernel_area *area = &kernel_areas[id];

	d->start = area->start;
	d->end = area->end;
	if (describers[id] && describers[id](virt, d))
		return;
	d->place = PLACE_INSIDE;
	if (id == AREA_DIRECT)
		return describe_direct(virt, d);
	if (id == AREA_IMAGE)
		return describe_image(virt, d);
	if (id == AREA_VMEMMAP)
		return describe_descriptor(virt, d);
	d->place = PLACE_HOLE;
	octavo_snprintf(d->text, sizeof(d->text), "in the %s [%#lx-%#lx], %#lx bytes in", area_name_in_text(id),
			HEX(area->start), HEX(area->end), HEX(virt - area->start));
}

/* In no area: which are next. */
static void describe_between(uintptr_t virt, struct area_description *d)
{
	unsigned int below = AREAS, above = AREAS;
	size_t n;

	for (unsigned int i = 0; i < AREAS; i++) {
		const struct kernel_area *area = &kernel_areas[i];

		if (area->start == area->end)
			continue;
		if (area->start < virt && (below == AREAS || area->start > kernel_areas[below].start))
			below = i;
		if (area->start > virt && (above == AREAS || area->start < kernel_areas[above].start))
			above = i;
	}
	n = octavo_snprintf(d->text, sizeof(d->text), "in no area of the kernel");
	if (below != AREAS)
		n += octavo_snprintf(d->text + n, sizeof(d->text) - n, ", %#lx bytes behind the %s",
				     HEX(virt - kernel_areas[below].end), area_name_in_text(below));
	if (above != AREAS)
		octavo_snprintf(d->text + n, sizeof(d->text) - n, ", %#lx bytes below the %s",
				HEX(kernel_areas[above].start - virt), area_name_in_text(above));
}

void describe_address(uintptr_t virt, struct area_description *d)
{
	*d = (struct area_description){ .place = PLACE_HOLE };
	for (unsigned int i = 0; i < AREAS; i++)
		if (area_has((enum kernel_area_id)i, virt))
			return describe_in_area((enum kernel_area_id)i, virt, d);
	if (!virt)
		octavo_snprintf(d->text, sizeof(d->text), "a null pointer");
	else if (virt < PAGE_SIZE)
		octavo_snprintf(d->text, sizeof(d->text), "%#lx bytes behind a null pointer", HEX(virt));
	else if (!pgt_canonical(virt))
		octavo_snprintf(d->text, sizeof(d->text), "no address: its highest bits are neither all 0 nor all 1");
	else if (!pgt_kernel_half(virt))
		octavo_snprintf(d->text, sizeof(d->text), "in the user half");
	else
		describe_between(virt, d);
}
