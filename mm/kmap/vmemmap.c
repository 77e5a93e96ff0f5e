// SPDX-License-Identifier: MIT
/*
 * The window for struct page, made of the core's own tables: bootinfo.vmemmap_populate of a port that leaves the page
 * tables to the core. Memory for descriptors comes from who calls: memblock at boot, then the page allocator.
 */
#include <octavo/bootinfo.h>
#include <octavo/gfp.h>
#include <octavo/memblock.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/memblock_internal.h"
#include "../pgtable/tlb.h"
#include "kernel_map.h"

static bool in_window(uintptr_t virt, size_t size)
{
	return size && area_has(AREA_VMEMMAP, virt) && area_has(AREA_VMEMMAP, virt + (size - 1)) &&
	       IS_ALIGNED(virt | size, PAGE_SIZE);
}

/* Descriptors begin as zeroes. */
static void clear_phys(phys_addr_t phys, size_t size)
{
	if (!memblock.closed && mb_reads_zero(&memblock, phys, size))
		return;
	for (; size && phys < memblock.direct_map_end; phys += PAGE_SIZE, size -= PAGE_SIZE)
		memset(phys_to_virt(phys), 0, PAGE_SIZE);
	for (; size; phys += PAGE_SIZE, size -= PAGE_SIZE) {
		void *page = port_kmap_local(PFN_DOWN(phys));

		memset(page, 0, PAGE_SIZE);
		port_kunmap_local(page);
	}
}

int octavo_vmemmap_populate(uintptr_t virt, phys_addr_t phys, size_t size)
{
	uintptr_t at = area_virt(AREA_VMEMMAP, (const void *)virt);

	if (!pgtables_on || !phys || !in_window(at, size)) {
		pr_err("vmemmap: [%#lx, %#lx) is not in the window for descriptors, or has no memory\n",
		       (unsigned long)at, (unsigned long)(at + size));
		return -ENOMEM;
	}
	clear_phys(phys, size);
	return pgt_map_range(&init_mm, at, phys, size, PAGE_KERNEL, min(1u, PGT_LEAF_LEVEL_MAX), GFP_KERNEL);
}

void octavo_vmemmap_depopulate(uintptr_t virt, size_t size)
{
	uintptr_t at = area_virt(AREA_VMEMMAP, (const void *)virt);
	struct mmu_gather tlb;

	if (!pgtables_on || !in_window(at, size)) {
		pr_err("vmemmap: [%#lx, %#lx) is not in the window for descriptors\n", (unsigned long)at,
		       (unsigned long)(at + size));
		return;
	}
	tlb_gather_mmu(&tlb, &init_mm);
	if (pgt_unmap_range(&init_mm, at, size, &tlb))
		pr_err("vmemmap: no table to split a large page of [%#lx, %#lx): it stays, and its memory with it\n",
		       (unsigned long)at, (unsigned long)(at + size));
	else
		pgt_free_kernel_tables(at, size, &tlb);
	tlb_finish_mmu(&tlb);
}
