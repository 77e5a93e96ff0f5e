// SPDX-License-Identifier: MIT
/* Conversions of addresses: what they give, and what they refuse. */
#include <octavo/address.h>
#include <octavo/gfp.h>
#include <octavo/memblock.h>

#include "harness.h"
#include "kernel_map_machine.h"

TEST(address, linear)
{
	struct page *page;
	phys_addr_t phys;
	char *p;

	ASSERT(!machine_boot_image());
	page = alloc_pages(GFP_KERNEL, 0);
	ASSERT(page);
	p = page_address(page);
	phys = PFN_PHYS(page_to_pfn(page));
	EXPECT_EQ(__pa(p + 5), phys + 5);
	EXPECT(__va(phys + 5) == p + 5);
	EXPECT(page_to_virt(page) == p);
	EXPECT(virt_to_page(p + 5) == page);
	EXPECT_EQ(virt_to_pfn(p + 5), page_to_pfn(page));
	EXPECT(virt_addr_valid(p));
	EXPECT(octavo_pfn_to_page(page_to_pfn(page)) == page);
	__free_pages(page, 0);
}

TEST(address, image)
{
	const void *symbol;

	ASSERT(!machine_boot_image());
	symbol = kernel_pointer(machine_image(IMAGE_DATA_AT + 0x321), NULL);
	EXPECT_EQ(__pa(symbol), IMAGE_DATA_AT + 0x321);
	EXPECT_EQ(__pa_symbol(symbol), IMAGE_DATA_AT + 0x321);
	EXPECT(lm_alias(symbol) == phys_to_virt(IMAGE_DATA_AT + 0x321));
	EXPECT_EQ(virt_addr_valid(symbol), !kernel_image.separate);
}

struct refusals {
	phys_addr_t pa, symbol;
	void *va, *alias, *virt;
	struct page *page, *of_pfn;
	unsigned long pfn;
};

/* None can be converted. Debug builds say so, once each; the others are silent. */
TEST(address, refused)
{
	struct refusals r;
	const char *text;
	void *mapped;
	bool valid;

	ASSERT(!machine_boot_image());
	mapped = kernel_pointer(kernel_areas[AREA_VMALLOC].start + 0x5000, NULL);
	test_capture_begin();
	r.pa = __pa(mapped);
	r.symbol = __pa_symbol(phys_to_virt(32 * MIB));
	r.va = __va(0xa0000);
	r.alias = lm_alias(mapped);
	r.virt = page_to_virt((struct page *)mapped);
	r.page = virt_to_page(mapped);
	r.pfn = virt_to_pfn(mapped);
	r.of_pfn = octavo_pfn_to_page(PFN_NONE >> 1);
	valid = virt_addr_valid(mapped) || virt_addr_valid(NULL) || virt_addr_valid(phys_to_virt(0xa0000));
	text = test_capture_end();
	EXPECT_EQ(r.pa, 0);
	EXPECT_EQ(r.symbol, 0);
	EXPECT(!r.va && !r.alias && !r.virt && !r.page && !r.of_pfn);
	EXPECT_EQ(r.pfn, PFN_NONE);
	EXPECT(!valid);
#ifdef OCTAVO_DEBUG
	EXPECT(strstr(text, "__pa used for non-linear address: "));
	EXPECT(strstr(text, "in the vmalloc area"));
	EXPECT(strstr(text, "__pa_symbol used for non-linear address: "));
	EXPECT(strstr(text, "__va used for non-linear address: "));
	EXPECT(strstr(text, "lm_alias used for non-linear address: "));
	EXPECT(strstr(text, "page_to_virt used for non-linear address: "));
	EXPECT(strstr(text, "virt_to_page used for non-linear address: "));
	EXPECT(strstr(text, "virt_to_pfn used for non-linear address: "));
	EXPECT(strstr(text, "pfn_to_page used for frame"));
#else
	EXPECT_STREQ(text, "");
#endif
}
