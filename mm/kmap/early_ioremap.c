// SPDX-License-Identifier: MIT
/*
 * early_ioremap: FIX_BTMAPS_SLOTS places of NR_FIX_BTMAPS pages each, for firmware tables and first devices. fixmap.c
 * has the picture. Whoever maps must unmap before boot ends: what is left is reported then, as are sizes that do not
 * agree.
 */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"
#include "../phys/page_report.h"
#include "fixmap.h"

static struct early {
	struct early_map {
		char *at; /* what the caller has; NULL: free */
		unsigned long size;
	} map[FIX_BTMAPS_SLOTS];
	bool over;  /* boot is */
	bool debug; /* log each call */
} early __memsys;

static int set_debug(const char *value)
{
	return parse_bool(value, &early.debug);
}
early_param("early_ioremap_debug", set_debug);

/* The entry of page @page of place @place. Addresses go up, slots down. */
static uintptr_t place_virt(unsigned int place, unsigned int page)
{
	return fixmap_virt(FIX_BTMAP_BEGIN - place * NR_FIX_BTMAPS - page);
}

int early_ioremap_init(void)
{
	bool tables = kmap_entry(place_virt(0, 0)) &&
		      kmap_entry(place_virt(FIX_BTMAPS_SLOTS - 1, NR_FIX_BTMAPS - 1));

	return tables ? 0 : -ENOMEM;
}

static void *refuse(const char *caller, phys_addr_t phys, unsigned long size, const char *why)
{
	pr_warn("WARNING: %s(0x%08llx, %08lx) %s\n", caller, (unsigned long long)phys, size, why);
	dump_stack();
	return NULL;
}

static int free_place(void)
{
	for (int i = 0; i < FIX_BTMAPS_SLOTS; i++) {
		if (!early.map[i].at)
			return i;
	}
	return -1;
}

/* Without page tables: what the direct map shows. */
static void *early_direct(const char *caller, phys_addr_t phys, unsigned long size)
{
	if (phys + size > memblock.direct_map_end)
		return refuse(caller, phys, size, "without page tables there is only the direct map");
	return phys_to_virt(phys);
}

static void *early_map(const char *caller, phys_addr_t phys, unsigned long size, pgprot_t prot)
{
	unsigned long offset = (unsigned long)(phys & ~PAGE_MASK), pages;
	int place;

	if (!size || phys + (size - 1) < phys)
		return refuse(caller, phys, size, size ? "wraps around" : "is nothing");
	if (!fixmap_ready)
		return early_direct(caller, phys, size);
	if (early.over)
		return refuse(caller, phys, size, "after the end of boot");
	pages = (unsigned long)(((u64)offset + size + PAGE_SIZE - 1) >> PAGE_SHIFT);
	if (pages > NR_FIX_BTMAPS)
		return refuse(caller, phys, size, "is too large");
	place = free_place();
	if (place < 0)
		return refuse(caller, phys, size, "not found slot");
	for (unsigned int i = 0; i < pages; i++)
		pgt_set(kmap_entry(place_virt((unsigned int)place, i)), kmap_leaf(phys - offset + PFN_PHYS(i), prot));
	early.map[place].at = (char *)area_pointer(AREA_FIXMAP, place_virt((unsigned int)place, 0)) + offset;
	early.map[place].size = size;
	if (early.debug)
		pr_info("%s(0x%08llx, %08lx) [%d] => %p\n", caller, (unsigned long long)phys, size, place,
			(void *)early.map[place].at);
	return early.map[place].at;
}

static void early_unmap(const char *caller, void *addr, unsigned long size)
{
	unsigned int place = 0, pages;
	uintptr_t virt;

	if (!fixmap_ready)
		return;
	while (place < FIX_BTMAPS_SLOTS && (!early.map[place].at || early.map[place].at != addr))
		place++;
	if (place == FIX_BTMAPS_SLOTS) {
		pr_warn("WARNING: %s(%p, %08lx) not found slot\n", caller, addr, size);
		dump_stack();
		return;
	}
	if (early.map[place].size != size) {
		pr_warn("WARNING: %s(%p, %08lx) [%u] size not consistent %08lx\n", caller, addr, size, place,
			early.map[place].size);
		dump_stack();
		size = early.map[place].size; /* leave nothing behind */
	}
	if (early.debug)
		pr_info("%s(%p, %08lx) [%u]\n", caller, addr, size, place);
	virt = place_virt(place, 0);
	pages = (unsigned int)((((uintptr_t)addr & ~PAGE_MASK) + size + PAGE_SIZE - 1) >> PAGE_SHIFT);
	for (unsigned int i = 0; i < pages; i++)
		pgt_set(kmap_entry(place_virt(place, i)), 0);
	(void)kmap_flush(virt, virt + ((uintptr_t)pages << PAGE_SHIFT)); /* other CPUs have never used these */
	early.map[place].at = NULL;
}

void *early_ioremap(phys_addr_t phys, unsigned long size)
{
	return early_map("early_ioremap", phys, size, PAGE_KERNEL_NOCACHE);
}

void *early_memremap(phys_addr_t phys, unsigned long size)
{
	return early_map("early_memremap", phys, size, PAGE_KERNEL);
}

void *early_memremap_ro(phys_addr_t phys, unsigned long size)
{
	return early_map("early_memremap_ro", phys, size, PAGE_KERNEL_RO);
}

void *early_memremap_prot(phys_addr_t phys, unsigned long size, pgprot_t prot)
{
	return early_map("early_memremap_prot", phys, size, prot);
}

void early_iounmap(void *addr, unsigned long size)
{
	early_unmap("early_iounmap", addr, size);
}

void early_memunmap(void *addr, unsigned long size)
{
	early_unmap("early_memunmap", addr, size);
}

int copy_from_early_mem(void *dest, phys_addr_t src, unsigned long size)
{
	char *to = dest;

	while (size) {
		unsigned long offset = (unsigned long)(src & ~PAGE_MASK);
		unsigned long part = min(size, NR_FIX_BTMAPS * (unsigned long)PAGE_SIZE - offset);
		void *from = early_memremap(src, part);

		if (!from)
			return -ENOMEM;
		memcpy(to, from, part);
		early_memunmap(from, part);
		to += part;
		src += part;
		size -= part;
	}
	return 0;
}

void early_ioremap_leaks(void)
{
	unsigned int count = 0;

	early.over = true;
	for (unsigned int i = 0; i < FIX_BTMAPS_SLOTS; i++)
		count += early.map[i].at != NULL;
	if (!count)
		return;
	pr_warn("Debug warning: early ioremap leak of %u areas detected.\n", count);
	pr_warn("please boot with early_ioremap_debug and report the dmesg.\n");
	for (unsigned int i = 0; i < FIX_BTMAPS_SLOTS; i++) {
		if (early.map[i].at)
			pr_warn("  [%u] %p, %08lx\n", i, (void *)early.map[i].at, early.map[i].size);
	}
}
