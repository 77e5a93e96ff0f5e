// SPDX-License-Identifier: MIT
/*
 * ioremap: device memory in the kernel's address space.
 *
 * A mapping is an area of the vmalloc range with VM_IOREMAP, an entry of the memory types (memtype.c), and entries of
 * init_mm in the largest leaves that its alignment allows. They are got in this order and given back in the opposite
 * one, so that a failure at any point leaves nothing behind.
 *
 * Physical memory must not be cached in two ways at once. Memory that the page allocator manages is cached in the
 * direct map, and refused. Of memory that was kept from the allocator (firmware's, the loader's) the direct map shows
 * the pages as well: there they get the mode of the mapping, and their own back when the last mapping of a page goes.
 */
#include <octavo/io.h>

#include <octavo/memblock.h>
#include <octavo/page.h>
#include <octavo/set_memory.h>
#include <octavo/vmalloc.h>

#include "../base/printk.h"
#include "../boot/e820.h"
#include "../pgtable/tlb.h"
#include "../pgtable/walk.h"
#include "../phys/hotplug.h"
#include "areas.h"
#include "memremap.h"
#include "memtype.h"

/* ---- What may be mapped ---- */

/* The part of a region that lies in [@first, @last]; NOMAP ones are nobody's and not in the direct map. */
static bool part_of_region(const struct memblock_region *region, unsigned long first, unsigned long last,
			   unsigned long *from, unsigned long *to)
{
	*from = max((unsigned long)PFN_DOWN(region->base), first);
	*to = min((unsigned long)PFN_DOWN(region->base + (region->size - 1)), last);
	return region->size && *from <= *to && !(region->flags & MEMBLOCK_NOMAP);
}

enum ram_share ram_share(phys_addr_t phys, size_t size)
{
	unsigned long first = PFN_DOWN(phys), last = PFN_DOWN(phys + (size - 1)), found = 0, from, to;
	struct memblock_region *region;

	hotplug_lock();
	for_each_mem_region(region)
		if (part_of_region(region, first, last, &from, &to))
			found += to - from + 1;
	hotplug_unlock();
	return !found ? RAM_NONE : found > last - first ? RAM_ALL : RAM_PART;
}

/* Is any of it the page allocator's? */
static bool any_managed(phys_addr_t phys, size_t size)
{
	unsigned long first = PFN_DOWN(phys), last = PFN_DOWN(phys + (size - 1)), from, to;
	struct memblock_region *region;
	bool found = false;

	hotplug_lock();
	for_each_mem_region(region) {
		if (!part_of_region(region, first, last, &from, &to))
			continue;
		for (unsigned long pfn = from; pfn <= to && !found; pfn++) {
			struct page *page = pfn_to_online_page(pfn);

			found = page && !PageReserved(page);
		}
	}
	hotplug_unlock();
	return found;
}

static phys_addr_t phys_last(void)
{
	unsigned int bits = PGT_PHYS_BITS;
	u64 format = ((u64)1 << bits) - 1, machine = ((u64)max_arch_pfn << PAGE_SHIFT) - 1;

	return min(format, machine);
}

/* Says why not. */
static bool may_be_mapped(phys_addr_t phys, size_t size)
{
	phys_addr_t last = phys + (size - 1);

	if (!pgtables_on) {
		pr_warn("ioremap: this port has no page tables\n");
		return false;
	}
	if (!size || last < phys) {
		pr_warn("ioremap: %zu bytes at physical address %#llx: %s\n", size, (unsigned long long)phys,
			size ? "they wrap around" : "nothing to map");
		return false;
	}
	if (last > phys_last()) {
		pr_warn("ioremap: invalid physical address %llx\n",
			(unsigned long long)(phys > phys_last() ? phys : last));
		return false;
	}
	if (any_managed(phys, size)) {
		pr_warn("ioremap on RAM at 0x%016llx - 0x%016llx\n", (unsigned long long)phys,
			(unsigned long long)last);
		return false;
	}
	return true;
}

/* ---- The direct map's view of reserved memory ---- */

static int set_direct(void *at, unsigned long pages, enum page_cache_mode mode)
{
	switch (mode) {
	case PAGE_CACHE_WB:
		return set_memory_wb((unsigned long)at, (int)pages);
	case PAGE_CACHE_WC:
		return set_memory_wc((unsigned long)at, (int)pages);
	case PAGE_CACHE_WT:
		return set_memory_wt((unsigned long)at, (int)pages);
	case PAGE_CACHE_UC:
	case PAGE_CACHE_UC_MINUS:
		return set_memory_uc((unsigned long)at, (int)pages);
	case PAGE_CACHE_WP:
		break;
	}
	return -EINVAL;
}

/* Frames from @first on, up to @last, that the direct map shows one behind the other (*@at), or does not show. */
static unsigned long direct_run(unsigned long first, unsigned long last, void **at)
{
	struct page *page = memblock_is_map_memory(PFN_PHYS(first)) ? pfn_to_online_page(first) : NULL;
	unsigned long n = 1;

	*at = page ? page_address(page) : NULL;
	while (first + n <= last && memblock_is_map_memory(PFN_PHYS(first + n)) == (page != NULL)) {
		page = page ? pfn_to_online_page(first + n) : NULL;
		if (*at && (!page || page_address(page) != (char *)*at + (n << PAGE_SHIFT)))
			break;
		n++;
	}
	return n;
}

/* All or nothing. */
static int direct_follow(phys_addr_t base, phys_addr_t end, enum page_cache_mode mode)
{
	unsigned long last = PFN_DOWN(end - 1), n;
	int err = 0;

	for (unsigned long pfn = PFN_DOWN(base); pfn <= last && !err; pfn += n) {
		void *at;

		n = direct_run(pfn, last, &at);
		if (at)
			err = set_direct(at, n, mode);
	}
	return err;
}

/* Gives the direct map's pages of [@base, @end) that no mapping has any more their mode back. */
static void direct_restore(phys_addr_t base, phys_addr_t end)
{
	unsigned long last = PFN_DOWN(end - 1), n;

	for (unsigned long pfn = PFN_DOWN(base); pfn <= last; pfn += n) {
		bool mapped;
		void *at;

		n = direct_run(pfn, last, &at);
		if (!at)
			continue;
		n = memtype_run(PFN_PHYS(pfn), n, &mapped);
		if (!mapped && set_direct(at, n, PAGE_CACHE_WB))
			pr_err("iounmap: the direct map's pages from pfn %#lx on stay as they were cached\n", pfn);
	}
}

/* Does the direct map show any of it, and so has to follow? */
static bool direct_shows(phys_addr_t base, phys_addr_t end, enum page_cache_mode mode)
{
	return mode != PAGE_CACHE_WB && ram_share(base, (size_t)(end - base)) != RAM_NONE;
}

/* ---- Mapping ---- */

static void *map_area(phys_addr_t base, size_t size, pgprot_t prot, const void *caller)
{
	struct vm_struct *area = get_vm_area_caller(size, VM_IOREMAP, caller);

	if (!area)
		return NULL;
	area->phys_addr = base;
	if (!pgt_map_range(&init_mm, area_virt(AREA_VMALLOC, area->addr), base, size, prot, PGT_LEAF_LEVEL_MAX,
			   GFP_KERNEL))
		return area->addr;
	free_vm_area(area);
	return NULL;
}

void *octavo_ioremap_caller(phys_addr_t phys, size_t size, pgprot_t prot, const void *caller)
{
	enum page_cache_mode want = pgprot_cache_mode(prot), got;
	phys_addr_t base = ALIGN_DOWN(phys, (phys_addr_t)PAGE_SIZE), end;
	void *at = NULL;
	bool shown;
	int err;

	if (!may_be_mapped(phys, size))
		return NULL;
	end = ALIGN(phys + (size - 1) + 1, (phys_addr_t)PAGE_SIZE);
	err = memtype_reserve(base, end, want, &got);
	if (err) {
		pr_warn("ioremap memtype_reserve failed %d\n", err);
		return NULL;
	}
	shown = direct_shows(base, end, got);
	if (!shown || !direct_follow(base, end, got))
		at = map_area(base, (size_t)(end - base), pgprot_cached_as(prot, got), caller);
	if (at)
		return (char *)at + (phys - base);
	(void)memtype_release(base, end);
	if (shown)
		direct_restore(base, end);
	return NULL;
}

#define CALLER __builtin_return_address(0)

void __iomem *ioremap(phys_addr_t phys, size_t size)
{
	return octavo_ioremap_caller(phys, size, pgprot_cached_as(PAGE_KERNEL_IO, PAGE_CACHE_UC_MINUS), CALLER);
}

void __iomem *ioremap_uc(phys_addr_t phys, size_t size)
{
	return octavo_ioremap_caller(phys, size, pgprot_cached_as(PAGE_KERNEL_IO, PAGE_CACHE_UC), CALLER);
}

void __iomem *ioremap_wc(phys_addr_t phys, size_t size)
{
	return octavo_ioremap_caller(phys, size, pgprot_cached_as(PAGE_KERNEL_IO, PAGE_CACHE_WC), CALLER);
}

void __iomem *ioremap_wt(phys_addr_t phys, size_t size)
{
	return octavo_ioremap_caller(phys, size, pgprot_cached_as(PAGE_KERNEL_IO, PAGE_CACHE_WT), CALLER);
}

void __iomem *ioremap_cache(phys_addr_t phys, size_t size)
{
	return octavo_ioremap_caller(phys, size, pgprot_cached_as(PAGE_KERNEL_IO, PAGE_CACHE_WB), CALLER);
}

/* Of the formats here arm64 alone has a type that waits for the device: Device-nGnRnE. */
void __iomem *ioremap_np(phys_addr_t phys, size_t size)
{
	if (!PGT_TWO_ROOTS)
		return NULL;
	return octavo_ioremap_caller(phys, size, pgprot_cached_as(PAGE_KERNEL_IO, PAGE_CACHE_UC), CALLER);
}

void __iomem *ioremap_prot(phys_addr_t phys, size_t size, pgprot_t prot)
{
	return octavo_ioremap_caller(phys, size, prot, CALLER);
}

/* ---- Unmapping ---- */

struct vm_struct *ioremap_area(const volatile void *addr)
{
	const void *page = (const void *)ALIGN_DOWN((uintptr_t)addr, PAGE_SIZE);
	struct vm_struct *area = pgtables_on ? find_vm_area(page) : NULL;

	return area && area->flags & VM_IOREMAP && area->addr == page ? area : NULL;
}

void iounmap(volatile void __iomem *addr)
{
	struct vm_struct *area = ioremap_area(addr);
	phys_addr_t base, end;
	uintptr_t virt;
	size_t size;

	if (!area) {
		pr_err("iounmap: bad address %p\n", (const void *)addr);
		return;
	}
	base = area->phys_addr;
	size = get_vm_area_size(area);
	virt = area_virt(AREA_VMALLOC, area->addr);
	end = base + size;
	free_vm_area(area);
	/* Not lazily, as vmalloc's areas are: until then processors may fetch from there, in the old cache mode. */
	if (!flush_tlb_kernel_range(virt, virt + size)) {
		pr_err("iounmap: [mem %#010llx-%#010llx] stays entered as mapped, as not every CPU could be told\n",
		       (unsigned long long)base, (unsigned long long)(end - 1));
		return;
	}
	if (direct_shows(base, end, memtype_release(base, end)))
		direct_restore(base, end);
}

/* ---- Copying ---- */

static bool word_aligned(const volatile void *p)
{
	return IS_ALIGNED((uintptr_t)p, sizeof(unsigned long));
}

/* What memory has at an address that need not be aligned. */
struct unaligned_word {
	unsigned long value;
} __attribute__((packed, may_alias));

void memcpy_fromio(void *to, const volatile void __iomem *from, size_t size)
{
	const volatile char *f = from;
	char *t = to;

	for (; size && !word_aligned(f); size--)
		*t++ = *f++;
	for (; size >= sizeof(unsigned long); size -= sizeof(unsigned long)) {
		((struct unaligned_word *)t)->value = *(const volatile unsigned long *)f;
		t += sizeof(unsigned long);
		f += sizeof(unsigned long);
	}
	while (size--)
		*t++ = *f++;
	OCTAVO_IO_AFTER_READ();
}

void memcpy_toio(volatile void __iomem *to, const void *from, size_t size)
{
	const char *f = from;
	volatile char *t = to;

	OCTAVO_IO_BEFORE_WRITE();
	for (; size && !word_aligned(t); size--)
		*t++ = *f++;
	for (; size >= sizeof(unsigned long); size -= sizeof(unsigned long)) {
		*(volatile unsigned long *)t = ((const struct unaligned_word *)f)->value;
		t += sizeof(unsigned long);
		f += sizeof(unsigned long);
	}
	while (size--)
		*t++ = *f++;
}

void memset_io(volatile void __iomem *to, int value, size_t size)
{
	unsigned long word = (unsigned char)value * (~0ul / 0xff);
	volatile char *t = to;

	OCTAVO_IO_BEFORE_WRITE();
	for (; size && !word_aligned(t); size--)
		*t++ = (char)value;
	for (; size >= sizeof(unsigned long); size -= sizeof(unsigned long)) {
		*(volatile unsigned long *)t = word;
		t += sizeof(unsigned long);
	}
	while (size--)
		*t++ = (char)value;
}
