// SPDX-License-Identifier: MIT
/*
 * The contents of pages, wherever they are: through the direct map, or a place for the moment where it ends.
 */
#include "highmem.h"

#include <octavo/highmem.h>
#include <octavo/memblock.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/contents.h"
#include "page_report.h"

const struct highmem_ops *highmem_ops __memsys;

/* For ports without high memory: part of their contract in <octavo/port.h>. */
OCTAVO_API __weak void *port_kmap_local(unsigned long pfn)
{
	return phys_to_virt(PFN_PHYS(pfn));
}

static bool in_direct_map(const void *virt)
{
	return (uintptr_t)virt - memblock.direct_map < memblock.direct_map_end;
}

void *kmap_local_pfn_prot(unsigned long pfn, pgprot_t prot)
{
	if (likely(PFN_PHYS(pfn) < memblock.direct_map_end))
		return phys_to_virt(PFN_PHYS(pfn));
	return highmem_ops ? highmem_ops->map(pfn, prot) : port_kmap_local(pfn);
}

void *kmap_local_pfn(unsigned long pfn)
{
	return kmap_local_pfn_prot(pfn, PAGE_KERNEL);
}

void *kmap_local_page_prot(struct page *page, pgprot_t prot)
{
	return kmap_local_pfn_prot(page_to_pfn(page), prot);
}

void *kmap_local_page(struct page *page)
{
	return kmap_local_pfn_prot(page_to_pfn(page), PAGE_KERNEL);
}

void kunmap_local(const void *virt)
{
	if (likely(in_direct_map(virt)))
		return;
	if (!highmem_ops) {
		port_kunmap_local((void *)virt);
	} else if (!highmem_ops->unmap(virt)) {
		pr_err("BUG: kunmap_local(%p): not an address of kmap_local_page()\n", virt);
		dump_stack();
	}
}

static force_inline bool is_direct(const struct page *page)
{
	return PFN_PHYS(page_to_pfn(page)) < memblock.direct_map_end;
}

static force_inline void *direct_address(const struct page *page)
{
	return phys_to_virt(PFN_PHYS(page_to_pfn(page)));
}

static noinline void clear_mapped(struct page *page)
{
	void *virt = kmap_local_page(page);

	memset(virt, 0, PAGE_SIZE);
	kunmap_local(virt);
}

void clear_highpage(struct page *page)
{
	if (likely(is_direct(page)))
		memset(direct_address(page), 0, PAGE_SIZE);
	else
		clear_mapped(page);
}

void copy_highpage(struct page *to, struct page *from)
{
	if (likely(is_direct(to) && is_direct(from)))
		memcpy(direct_address(to), direct_address(from), PAGE_SIZE);
	else
		memcpy_page(to, 0, from, 0, PAGE_SIZE);
}

/* A range that leaves its page would reach into whatever the next address shows. */
static bool in_page(size_t offset, size_t len, const char *caller)
{
	if (likely(offset <= PAGE_SIZE && len <= PAGE_SIZE - offset))
		return true;
	pr_err("BUG: %s: %zu bytes at %zu leave the page\n", caller, len, offset);
	dump_stack();
	return false;
}

void memcpy_from_page(void *to, struct page *page, size_t offset, size_t len)
{
	const char *virt;

	if (!in_page(offset, len, "memcpy_from_page"))
		return;
	virt = kmap_local_page(page);
	contents_copy(to, virt + offset, len);
	kunmap_local(virt);
}

void memcpy_to_page(struct page *page, size_t offset, const void *from, size_t len)
{
	char *virt;

	if (!in_page(offset, len, "memcpy_to_page"))
		return;
	virt = kmap_local_page(page);
	contents_copy(virt + offset, from, len);
	kunmap_local(virt);
}

void memcpy_page(struct page *to, size_t to_offset, struct page *from, size_t from_offset, size_t len)
{
	char *dst;
	const char *src;

	if (!in_page(to_offset, len, "memcpy_page") || !in_page(from_offset, len, "memcpy_page"))
		return;
	dst = kmap_local_page(to);
	src = kmap_local_page(from);
	contents_copy(dst + to_offset, src + from_offset, len);
	kunmap_local(src);
	kunmap_local(dst);
}

void memset_page(struct page *page, size_t offset, int byte, size_t len)
{
	char *virt;

	if (!in_page(offset, len, "memset_page"))
		return;
	virt = kmap_local_page(page);
	contents_fill(virt + offset, byte, len);
	kunmap_local(virt);
}
