// SPDX-License-Identifier: MIT
/* Conversions of kernel addresses, which know what they cannot convert. */
#include <octavo/address.h>
#include <octavo/memblock.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../phys/memmap.h"
#include "../phys/page_report.h"
#include "kernel_map.h"

#undef pfn_to_page

static void report_address(const char *who, const void *p)
{
	struct area_description d;

	describe_address(kernel_virt(p, NULL), &d);
	pr_err("%s used for non-linear address: %p (%s)\n", who, p, d.text);
	dump_stack();
}

static bool is_linear(const void *virt, phys_addr_t *phys)
{
	*phys = virt_to_phys(virt);
	return (uintptr_t)virt >= memblock.direct_map && *phys < memblock.direct_map_end;
}

static bool is_image(const void *p, phys_addr_t *phys)
{
	uintptr_t virt = kernel_virt(p, NULL);

	if (image_part_at(virt) == IMAGE_PARTS)
		return false;
	*phys = (phys_addr_t)(virt - kernel_image.offset);
	return true;
}

phys_addr_t octavo_pa(const void *virt)
{
	phys_addr_t phys;

	if (is_linear(virt, &phys) || is_image(virt, &phys))
		return phys;
	note_bad_address("__pa", virt);
	return 0;
}

phys_addr_t octavo_pa_symbol(const void *symbol)
{
	phys_addr_t phys;

	if (is_image(symbol, &phys))
		return phys;
	note_bad_address("__pa_symbol", symbol);
	return 0;
}

void *octavo_va(phys_addr_t phys)
{
	if (phys < memblock.direct_map_end && memblock_is_memory(phys))
		return phys_to_virt(phys);
	/* What pointer it would be says little; where it would be says enough. */
	note_bad_address("__va", phys < memblock.direct_map_end ? phys_to_virt(phys) : NULL);
	return NULL;
}

void *lm_alias(const void *symbol)
{
	phys_addr_t phys;

	if (is_image(symbol, &phys))
		return phys_to_virt(phys);
	note_bad_address("lm_alias", symbol);
	return NULL;
}

bool virt_addr_valid(const void *virt)
{
	phys_addr_t phys;

	return is_linear(virt, &phys) && memblock_is_memory(phys) && pfn_valid(PFN_DOWN(phys));
}

void *page_to_virt(const struct page *page)
{
	unsigned long pfn = page_to_pfn(page);

	if (pfn < memmap_end_pfn() && pfn_valid(pfn) && pfn_to_page(pfn) == page)
		return page_address(page);
	note_bad_address("page_to_virt", page);
	return NULL;
}

unsigned long virt_to_pfn(const void *virt)
{
	phys_addr_t phys;

	if (is_linear(virt, &phys))
		return PFN_DOWN(phys);
	note_bad_address("virt_to_pfn", virt);
	return PFN_NONE;
}

struct page *octavo_pfn_to_page(unsigned long pfn)
{
	if (pfn < memmap_end_pfn() && pfn_valid(pfn))
		return pfn_to_page(pfn);
	if (BAD_ADDRESSES_ARE_TOLD)
		pr_err("pfn_to_page used for frame %#lx, which has no descriptor\n", pfn);
	return NULL;
}

static int register_report(const struct bootinfo *info)
{
	(void)info;
	bad_address_report = report_address;
	return 0;
}

MM_PART(address, .order = MM_PART_KERNEL_MAP, .early = register_report);
