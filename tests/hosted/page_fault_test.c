// SPDX-License-Identifier: MIT
/* Reports of page faults: each kind of bad access names the address, the access, and what is there or next to it. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/port.h>
#include <octavo/set_memory.h>
#include <octavo/slab.h>

#include "harness.h"
#include "kernel_map_machine.h"

/* The format's own word for a fault: an error code, or the syndrome of a data or instruction abort at this level. */
static u64 error_word(u32 flags)
{
	u64 status = flags & PAGE_FAULT_PRESENT ? 0x0f : 0x07, write = flags & PAGE_FAULT_WRITE ? 0x40 : 0;

	if (!PGT_TWO_ROOTS)
		return flags & 0x3f;
	return (u64)(flags & PAGE_FAULT_EXEC ? 0x21 : 0x25) << 26 | 1u << 25 | write | status;
}

static const char *fault_at(uintptr_t address, u32 flags, int want)
{
	static const uintptr_t stack[] = { 0x1234, 0x5678 };
	struct page_fault fault = { .address = address, .flags = flags, .error = error_word(flags), .ip = 0x4321,
				    .stack = stack, .depth = 2 };
	const char *text;
	int err;

	test_capture_begin();
	err = handle_page_fault(&fault);
	text = test_capture_end();
	EXPECT_EQ(err, want);
	return text;
}

static void expect_in(const char *text, const char *what)
{
	if (!strstr(text, what))
		test_fail(__FILE__, __LINE__, "no <%s> in\n%s", what, text);
}

/* x86's words, or arm64's. */
static void expect_one_of(const char *text, const char *x86, const char *arm64)
{
	expect_in(text, PGT_TWO_ROOTS ? arm64 : x86);
}

static void expect_address(const char *text, const char *form, uintptr_t address)
{
	char line[160];

	octavo_snprintf(line, sizeof(line), form, 2 * (int)sizeof(uintptr_t), (unsigned long)address);
	expect_in(text, line);
}

TEST(page_fault, null_pointer)
{
	const char *text;

	ASSERT(!machine_boot_image());
	text = fault_at(8, 0, -EFAULT);
	if (!PGT_TWO_ROOTS)
		expect_address(text, "BUG: kernel NULL pointer dereference, address: %0*lx\n", 8);
	else
		expect_address(text, "Unable to handle kernel NULL pointer dereference at virtual address %0*lx\n", 8);
	expect_one_of(text, "#PF: supervisor read access in kernel mode\n", "FSC = 0x07: level 3 translation fault\n");
	expect_one_of(text, "#PF: error_code(0x0000) - not-present page\n", "DABT (current EL)");
	expect_in(text, "address is 0x8 bytes behind a null pointer\n");
	expect_one_of(text, "Call Trace:\n", "Call trace:\n");
	expect_one_of(text, " <TASK>\n", "");
	expect_one_of(text, &"RIP: 0010:0x4321\n"[PGT_VIRT_BITS == 32 ? 10 : 0], "pc : 0x4321\n");
	expect_in(text, "0x1234");
}

TEST(page_fault, write_to_text)
{
	const char *text;
	uintptr_t at;

	ASSERT(!machine_boot_image());
	at = machine_image(IMAGE_TEXT_AT + 0x123);
	text = fault_at(at, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE, -EFAULT);
	if (!PGT_TWO_ROOTS)
		expect_address(text, "BUG: unable to handle page fault for address: %0*lx\n", at);
	expect_one_of(text, "#PF: supervisor write access in kernel mode\n", "write to read-only memory");
	expect_one_of(text, "#PF: error_code(0x0003) - permissions violation\n", "WnR = 1");
	expect_in(text, "address is in kernel text [");
	/* The entries, from the root down. */
	expect_one_of(text, PGT_VIRT_BITS == 32 ? "*pde = " : "PGD ", "pgd=");
	text = fault_at(machine_image(IMAGE_RODATA_AT), PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE, -EFAULT);
	expect_in(text, "address is in kernel rodata [");
}

TEST(page_fault, execution_of_data)
{
	const char *text;

	ASSERT(!machine_boot_image());
	if (!kernel_has_nx())
		SKIP("no NX");
	text = fault_at(machine_image(IMAGE_DATA_AT), PAGE_FAULT_PRESENT | PAGE_FAULT_EXEC, -EFAULT);
	expect_one_of(text, "kernel tried to execute NX-protected page - exploit attempt? (uid: 0)\n",
		      "execute from non-executable memory");
	expect_one_of(text, "#PF: supervisor instruction fetch in kernel mode\n", "IABT (current EL)");
	expect_in(text, "address is in kernel data [");
}

TEST(page_fault, addresses_that_are_none)
{
	uintptr_t at = (uintptr_t)0x0123456789abcdefull;
	const char *text;

	if (PGT_VIRT_BITS == 32)
		SKIP("every address is one");
	ASSERT(!machine_boot_image());
	text = fault_at(at, PAGE_FAULT_NONCANONICAL, -EFAULT);
	expect_one_of(text, "general protection fault, probably for non-canonical address 0x123456789abcdef: 0000",
		      "[0123456789abcdef] address between user and kernel address ranges\n");
	expect_in(text, "address is no address");
}

TEST(page_fault, user_addresses)
{
	const char *text;

	ASSERT(!machine_boot_image());
	text = fault_at(0x400000, PAGE_FAULT_PRESENT, -EFAULT);
	expect_one_of(text, "(SMAP?)", "access to user memory outside uaccess routines");
	expect_in(text, "address is in the user half\n");
	text = fault_at(0x400000, PAGE_FAULT_PRESENT | PAGE_FAULT_EXEC, -EFAULT);
	expect_one_of(text, "unable to execute userspace code (SMEP?) (uid: 0)\n", "execution of user memory");
	text = fault_at(0x400000, PAGE_FAULT_USER | PAGE_FAULT_WRITE, -EFAULT);
	expect_in(text, "segfault at 400000");
}

/* The direct map: what the page is; that no memory is there. */
TEST(page_fault, direct_map_pages)
{
	struct kmem_cache *cache;
	struct page *page;
	const char *text;
	uintptr_t at;
	void *object;

	ASSERT(!machine_boot_image());
	cache = kmem_cache_create("sheets", 64, 0, 0, NULL);
	ASSERT(cache);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	ASSERT(object);
	EXPECT_EQ(set_memory_np((unsigned long)object & PAGE_MASK, 1), 0);
	at = kernel_virt(object, NULL);
	text = fault_at(at, PAGE_FAULT_WRITE, -EFAULT);
	EXPECT_EQ(set_memory_p((unsigned long)object & PAGE_MASK, 1), 0);
	expect_in(text, "address is in the direct map (physical 0x");
	expect_in(text, ": page of slab cache sheets\n");
	kmem_cache_free(cache, object);
	kmem_cache_destroy(cache);
	page = alloc_pages(GFP_KERNEL, 0);
	ASSERT(page);
	EXPECT_EQ(set_pages_np(page, 1), 0);
	text = fault_at(machine_direct(PFN_PHYS(page_to_pfn(page))), 0, -EFAULT);
	expect_in(text, ": page in use\n");
	EXPECT_EQ(set_pages_p(page, 1), 0);
	__free_pages(page, 0);
	text = fault_at(machine_direct(0xa0000), 0, -EFAULT);
	expect_in(text, "in the direct map, where no memory is (physical 0xa0000)\n");
	if (kernel_image.separate)
		expect_in(fault_at(machine_direct(IMAGE_RODATA_AT), PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE, -EFAULT),
			  ": kernel rodata\n");
}

/* Nothing there: the areas on both sides are named. */
TEST(page_fault, nowhere)
{
	const char *text;

	ASSERT(!machine_boot_image());
	text = fault_at(kernel_areas[AREA_VMALLOC].start - PAGE_SIZE, PAGE_FAULT_WRITE, -EFAULT);
	expect_in(text, "address is in no area of the kernel, ");
	expect_in(text, ", 0x1000 bytes below the vmalloc area\n");
}

/* ---- Guard pages, by the area's describer ---- */

static bool describe_stack(uintptr_t virt, struct area_description *d)
{
	uintptr_t stack = kernel_areas[AREA_VMALLOC].start + 16 * PAGE_SIZE;

	if (virt >= stack + 4 * PAGE_SIZE || virt < stack - PAGE_SIZE)
		return false;
	d->place = virt < stack ? PLACE_STACK_GUARD : PLACE_INSIDE;
	d->start = stack;
	d->end = stack + 4 * PAGE_SIZE;
	octavo_snprintf(d->text, sizeof(d->text), "in the guard page below a stack");
	return true;
}

TEST(page_fault, stack_guard)
{
	uintptr_t at, stack;
	const char *text;
	char line[160];

	ASSERT(!machine_boot_image());
	register_area_describer(AREA_VMALLOC, describe_stack);
	stack = kernel_areas[AREA_VMALLOC].start + 16 * PAGE_SIZE;
	at = stack - 8;
	text = fault_at(at, PAGE_FAULT_WRITE, -EFAULT);
	if (!PGT_TWO_ROOTS) {
		octavo_snprintf(line, sizeof(line),
				"BUG: TASK stack guard page was hit at %0*lx (stack is %0*lx..%0*lx)\n",
				2 * (int)sizeof(at), (unsigned long)at, 2 * (int)sizeof(at), (unsigned long)stack,
				2 * (int)sizeof(at), (unsigned long)(stack + 4 * PAGE_SIZE - 1));
		expect_in(text, line);
	}
	expect_in(text, "address is in the guard page below a stack\n");
}

/* The tables allow it meanwhile: try again, no report; but not for ever. */
TEST(page_fault, spurious)
{
	struct page_fault fault = { .flags = PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE, .ip = 0x4321 };
	unsigned int tries = 0;
	const char *text;

	ASSERT(!machine_boot_image());
	fault.address = machine_direct(MIB);
	fault.error = error_word(fault.flags);
	test_capture_begin();
	while (tries < 1000 && !handle_page_fault(&fault))
		tries++;
	text = test_capture_end();
	EXPECT(tries > 3 && tries < 1000);
	expect_in(text, "address is in the direct map");
	/* Another address in between: it is not the same fault again. */
	for (tries = 0; tries < 1000; tries++) {
		fault.address = machine_direct(MIB + (tries & 1) * PAGE_SIZE);
		ASSERT(!handle_page_fault(&fault));
	}
}

TEST(page_fault, access_flag)
{
	struct page_fault fault = { .flags = PAGE_FAULT_ACCESS_FLAG, .ip = 0x4321 };
	pgt_entry_t *entry;
	unsigned int level;

	if (!PGT_TWO_ROOTS)
		SKIP("the processor sets it");
	ASSERT(!machine_boot_image());
	fault.address = machine_direct(MIB);
	entry = pgt_lookup(&init_mm, fault.address, &level);
	ASSERT(entry);
	pgt_set(entry, pgt_mkold(level, pgt_get(entry)));
	EXPECT_EQ(handle_page_fault(&fault), 0);
	EXPECT(pgt_young(level, pgt_get(entry)));
}
