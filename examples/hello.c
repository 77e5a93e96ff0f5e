// SPDX-License-Identifier: MIT
/* A machine of 1 GiB in two nodes, booted in this process; a page taken and given back; the proof that all is well. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/verify.h>
#include <stdio.h>

#include "port/hosted/hosted.h"

int main(void)
{
	static const struct bootinfo_range map[] = {
		{ 0x0, 0x9fc00, E820_TYPE_RAM },
		{ 0x100000, 0x1ff00000, E820_TYPE_RAM },
		{ 0x100000000, 0x20000000, E820_TYPE_RAM },
	};
	static const struct bootinfo_mem_affinity nodes[] = {
		{ 0x0, 0x20000000, 0, BOOT_MEM_ENABLED },
		{ 0x100000000, 0x20000000, 1, BOOT_MEM_ENABLED },
	};
	const struct bootinfo machine = {
		.arch = BOOT_ARCH_X86_64, .cmdline = "kernelcore=50%",
		.map = map, .map_nr = 3, .mem_affinity = nodes, .mem_affinity_nr = 2,
	};

	if (hosted_boot(&machine, NULL))
		return 1;
	struct page *page = alloc_pages_node(1, GFP_HIGHUSER_MOVABLE | __GFP_ZERO, 0);
	if (!page)
		return 1;
	printf("frame %#lx, zone %d of node %d\n", page_to_pfn(page), page_zonenum(page), page_to_nid(page));
	__free_page(page);
	return mm_verify(NULL, NULL) ? 1 : 0;
}
