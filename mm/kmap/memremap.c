// SPDX-License-Identifier: MIT
/* memremap: memory without side effects, by its place in the direct map or a mapping of its own. */
#include <octavo/io.h>

#include <octavo/page.h>

#include "../base/printk.h"
#include "../boot/e820.h"
#include "../phys/memmap.h"
#include "memremap.h"

/* Where the direct map shows it; NULL: some of it is high memory. */
static void *in_direct_map(phys_addr_t phys, size_t size)
{
	struct page *first = pfn_to_online_page(PFN_DOWN(phys));
	struct page *last = pfn_to_online_page(PFN_DOWN(phys + (size - 1)));
	char *page = first && last && page_address(last) ? page_address(first) : NULL;

	return page ? page + (phys & (PAGE_SIZE - 1)) : NULL;
}

void *memremap(phys_addr_t phys, size_t size, unsigned long flags)
{
	static const struct {
		unsigned long flag;
		enum page_cache_mode mode;
	} kinds[] = { { MEMREMAP_WB, PAGE_CACHE_WB }, { MEMREMAP_WT, PAGE_CACHE_WT }, { MEMREMAP_WC, PAGE_CACHE_WC } };
	const void *caller = __builtin_return_address(0);
	enum ram_share share;
	void *at = NULL;

	if (!(flags & (MEMREMAP_WB | MEMREMAP_WT | MEMREMAP_WC)) || !size || phys + (size - 1) < phys) {
		pr_warn("memremap: %zu bytes at %#llx with flags %#lx: nothing that could be mapped\n", size,
			(unsigned long long)phys, flags);
		return NULL;
	}
	share = ram_share(phys, size);
	if (share == RAM_PART) {
		pr_warn("memremap attempted on mixed range 0x%016llx size: %#zx\n", (unsigned long long)phys, size);
		return NULL;
	}
	if (share == RAM_ALL) {
		at = flags & MEMREMAP_WB ? in_direct_map(phys, size) : NULL;
		if (!at)
			pr_warn("memremap attempted on ram 0x%016llx size: %#zx\n", (unsigned long long)phys, size);
		return at;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds) && !at; i++)
		if (flags & kinds[i].flag)
			at = octavo_ioremap_caller(phys, size, pgprot_cached_as(PAGE_KERNEL, kinds[i].mode), caller);
	return at;
}

void memunmap(void *addr)
{
	if (ioremap_area(addr))
		iounmap(addr);
	else if (!virt_to_page(addr))
		pr_err("memunmap: bad address %p\n", addr);
}
