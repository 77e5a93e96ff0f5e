// SPDX-License-Identifier: MIT
/*
 * What code really may do in the kernel's own mappings: accesses that the machine refuses, and what the reports say.
 * KA-I2, KA-I3 as the processor sees them. Where a pointer is not an address (hosted), the direct map and the image are
 * the process's, and only addresses that are nobody's can be tried.
 */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/set_memory.h>
#include <octavo/vmalloc.h>

#include "access.h"
#include "harness.h"
#include "mm/kmap/kernel_map.h"

/* The access is refused, and the report has both texts in it. */
static void expect_refused(const void *p, enum test_access how, const char *what, const char *where)
{
	const char *text;
	bool faults;

	test_capture_begin();
	faults = test_faults(p, how);
	text = test_capture_end();
	if (!faults)
		test_fail(__FILE__, __LINE__, "access %d to %p was let pass", (int)how, p);
	if ((what && !strstr(text, what)) || (where && !strstr(text, where)))
		test_fail(__FILE__, __LINE__, "no <%s> or no <%s> in\n%s", what ? what : "", where ? where : "", text);
}

static bool pointers_are_addresses(void)
{
	return pgtables_on && !kernel_areas[AREA_DIRECT].bias;
}

TEST(kernel_rights, null_pointers)
{
	if (!pgtables_on)
		SKIP("the port has no page tables");
	expect_refused((void *)8, TEST_READ, "NULL pointer dereference", "address is 0x8 bytes behind a null pointer");
	expect_refused((void *)16, TEST_WRITE, "NULL pointer dereference",
		       "address is 0x10 bytes behind a null pointer");
	expect_refused(NULL, TEST_EXEC, NULL, "address is a null pointer");
}

TEST(kernel_rights, addresses_that_are_none)
{
	if (!pgtables_on || PGT_VIRT_BITS == 32)
		SKIP("every address is one, or there are no page tables");
	expect_refused((void *)(uintptr_t)0x0123456789abcdefull, TEST_READ,
		       PGT_TWO_ROOTS ? "address between user and kernel address ranges" :
				       "general protection fault, probably for non-canonical address 0x123456789abcdef",
		       "address is no address");
}

TEST(kernel_rights, direct_map)
{
	struct page *page;
	char *p;

	if (!pointers_are_addresses())
		SKIP("the direct map is the process's own");
	page = alloc_pages(GFP_KERNEL, 0);
	ASSERT(page);
	p = page_address(page);
	*p = (char)0xc3; /* where it can be executed, it returns */
	EXPECT(!test_faults(p, TEST_WRITE));
	if (kernel_has_nx())
		expect_refused(p, TEST_EXEC, "NX-protected page", "address is in the direct map");
	EXPECT_EQ(set_pages_ro(page, 1), 0);
	EXPECT(!test_faults(p, TEST_READ));
	expect_refused(p, TEST_WRITE, "permissions violation", "address is in the direct map");
	EXPECT_EQ(set_pages_np(page, 1), 0);
	expect_refused(p, TEST_READ, "read access", ": page in use");
	EXPECT_EQ(set_pages_p(page, 1), 0);
	EXPECT_EQ(set_pages_rw(page, 1), 0);
	EXPECT(!test_faults(p, TEST_WRITE));
	__free_pages(page, 0);
}

/* Rights of what vmalloc() maps, and of the same pages in the direct map. */
TEST(kernel_rights, vmalloc)
{
	unsigned int level;
	uintptr_t alias;
	pgt_entry_t *entry;
	char *p;

	if (!pgtables_on)
		SKIP("the port has no page tables");
	p = vmalloc(3 * PAGE_SIZE);
	ASSERT(p);
	p[PAGE_SIZE] = (char)0xc3;
	alias = kernel_virt(page_address(vmalloc_to_page(p + PAGE_SIZE)), NULL);
	EXPECT(!test_faults(p + PAGE_SIZE, TEST_WRITE));
	if (kernel_has_nx())
		expect_refused(p + PAGE_SIZE, TEST_EXEC,
			       PGT_TWO_ROOTS ? "execute from non-executable" : "NX-protected", "vmalloc");
	EXPECT_EQ(set_memory_rox((unsigned long)p + PAGE_SIZE, 1), 0);
	expect_refused(p + PAGE_SIZE, TEST_WRITE, NULL, "address is");
	EXPECT(!test_faults(p, TEST_WRITE));
	EXPECT(!test_faults(p + 2 * PAGE_SIZE, TEST_WRITE));
	if (alias) {
		entry = pgt_lookup(&init_mm, alias, &level);
		ASSERT(entry);
		EXPECT(!pgt_write(level, pgt_get(entry)));
		EXPECT(!kernel_has_nx() || !pgt_exec(level, pgt_get(entry)));
	}
	EXPECT_EQ(set_memory_nx((unsigned long)p + PAGE_SIZE, 1), 0);
	EXPECT_EQ(set_memory_rw((unsigned long)p + PAGE_SIZE, 1), 0);
	EXPECT(!test_faults(p + PAGE_SIZE, TEST_WRITE));
	if (alias) {
		entry = pgt_lookup(&init_mm, alias, &level);
		EXPECT(entry && pgt_write(level, pgt_get(entry)));
	}
	/* Behind the end is the guard page. */
	expect_refused(p + 3 * PAGE_SIZE, TEST_READ, NULL, "address is in the guard page behind");
	vfree(p);
}

static char some_data[2] __memsys = { (char)0xc3, (char)0xc3 };
static const char some_rodata[] = "not to be written";

TEST(kernel_rights, image)
{
	uintptr_t text = (uintptr_t)page_address;

	if (!pointers_are_addresses() || !kernel_image.offset)
		SKIP("the core does not map the image");
	EXPECT_EQ(image_part_at(text), IMAGE_TEXT);
	EXPECT(!test_faults((void *)text, TEST_READ));
	expect_refused((void *)text, TEST_WRITE, "permissions violation", "address is in kernel text [");
	EXPECT(!test_faults(some_rodata, TEST_READ));
	expect_refused(some_rodata, TEST_WRITE, "permissions violation", "address is in kernel rodata [");
	EXPECT(!test_faults(some_data, TEST_WRITE));
	if (kernel_has_nx()) {
		expect_refused(some_data, TEST_EXEC, "NX-protected page", "address is in kernel data [");
		expect_refused(some_rodata, TEST_EXEC, "NX-protected page", "address is in kernel rodata [");
	}
}

/* The same memory at its other address. */
TEST(kernel_rights, image_in_the_direct_map)
{
	uintptr_t text = (uintptr_t)page_address;

	if (!pointers_are_addresses() || !kernel_image.separate)
		SKIP("the image has no other place");
	text = kernel_areas[AREA_DIRECT].start + (text - kernel_image.offset);
	EXPECT(!test_faults((void *)text, TEST_READ));
	expect_refused((void *)text, TEST_WRITE, "permissions violation", ": kernel text");
	if (kernel_has_nx())
		expect_refused((void *)text, TEST_EXEC, "NX-protected page", ": kernel text");
}
