// SPDX-License-Identifier: MIT
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/set_memory.h>

#include "harness.h"
#include "mm/pgtable/mm.h"

TEST(page_present, what_is_taken_out_is_not)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long at = (unsigned long)page_address(page);

	ASSERT(page);
	EXPECT(kernel_page_present(page));
	EXPECT_EQ(set_memory_np(at, 1), 0);
	EXPECT_EQ(kernel_page_present(page), !pgtables_on);
	EXPECT_EQ(set_memory_p(at, 1), 0);
	EXPECT(kernel_page_present(page));
	__free_page(page);
}

TEST(page_present, high_memory_is_not)
{
	struct page *page = alloc_page(GFP_HIGHUSER);

	ASSERT(page);
	if (page_address(page)) {
		__free_page(page);
		SKIP("this machine has no high memory");
	}
	EXPECT(!kernel_page_present(page));
	__free_page(page);
}
