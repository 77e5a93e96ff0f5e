// SPDX-License-Identifier: MIT
/* The rest of the vmalloc family: variants, mappings of what exists, areas, reports, files. */
#include <octavo/page.h>
#include <octavo/slab.h>
#include <octavo/usercopy.h>
#include <octavo/vmalloc.h>

#include "access.h"
#include "harness.h"
#include "mm/kmap/vmap.h"
#include "mm/phys/zone.h"
#include "mm/pgtable/walk.h"
#include "proc_text.h"

#define NEEDS_TABLES()      \
	if (!vmap_state.on) \
	SKIP("the machine has no page tables")

static void expect_sound(void)
{
	struct findings f = { .report = NULL };

	EXPECT_EQ(vmap_verify(&f), 0);
}

static bool faults(const void *p, enum test_access how)
{
	const char *text;
	bool refused;

	test_capture_begin();
	refused = test_faults(p, how);
	text = test_capture_end();
	if (refused && !strstr(text, "vmalloc") && !strstr(text, "vmap"))
		test_fail(__FILE__, __LINE__, "the report does not name the area: %s", text);
	return refused;
}

static bool is_zero(const u8 *p, size_t size)
{
	while (size)
		if (p[--size])
			return false;
	return true;
}

TEST(vmap, what_lies_behind_and_what_is_free_faults)
{
	char *p;

	NEEDS_TABLES();
	p = vmalloc(2 * PAGE_SIZE);
	ASSERT(p);
	EXPECT(!faults(p, TEST_READ));
	EXPECT(!faults(p + 2 * PAGE_SIZE - 1, TEST_WRITE));
	EXPECT(faults(p + 2 * PAGE_SIZE, TEST_READ));
	EXPECT(faults(p + 3 * PAGE_SIZE - 1, TEST_WRITE));
	vfree(p);
	vm_unmap_aliases();
	EXPECT(faults(p, TEST_READ));
	EXPECT(faults(p + PAGE_SIZE, TEST_WRITE));
}

TEST(vmap, reports_name_the_area_and_who_asked_for_it)
{
	const char *text;
	char *p;

	NEEDS_TABLES();
	p = vmalloc(3 * PAGE_SIZE);
	ASSERT(p);
	test_capture_begin();
	EXPECT(test_faults(p + 3 * PAGE_SIZE + 5, TEST_WRITE));
	text = test_capture_end();
	if (!strstr(text, "in the guard page behind") || !strstr(text, "vmalloc 12288 bytes, allocated by "))
		test_fail(__FILE__, __LINE__, "the report is: %s", text);
	vfree(p);
}

TEST(vmap, variants)
{
	struct vm_struct *area;
	u8 *p;

	NEEDS_TABLES();
	for (unsigned int i = 0; i < 3; i++) {
		p = vmalloc(5 * PAGE_SIZE);
		ASSERT(p);
		memset(p, 0x5a, 5 * PAGE_SIZE);
		vfree(p);
		p = i == 0 ? vzalloc(5 * PAGE_SIZE) :
		    i == 1 ? vmalloc_user(5 * PAGE_SIZE) :
			     vzalloc_node(5 * PAGE_SIZE, 0);
		ASSERT(p);
		EXPECT(is_zero(p, 5 * PAGE_SIZE));
		area = find_vm_area(p);
		ASSERT(area);
		EXPECT_EQ(area->flags, VM_ALLOC | (i == 1 ? VM_USERMAP : 0));
		EXPECT_EQ(area->size, 6 * PAGE_SIZE);
		EXPECT_EQ(get_vm_area_size(area), 5 * PAGE_SIZE);
		EXPECT_EQ(area->nr_pages, 5);
		vfree(p);
	}
	p = vmalloc_32_user(3 * PAGE_SIZE);
	ASSERT(p);
	EXPECT(is_zero(p, 3 * PAGE_SIZE));
	for (unsigned int i = 0; i < 3; i++)
		EXPECT((u64)vmalloc_to_pfn(p + i * PAGE_SIZE) << PAGE_SHIFT < 1ull << 32);
	vfree(p);
	p = vmalloc_node(3 * PAGE_SIZE, (int)nr_node_ids - 1);
	ASSERT(p);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(page_to_nid(vmalloc_to_page(p + i * PAGE_SIZE)), (int)nr_node_ids - 1);
	vfree(p);
	p = __vmalloc_node(PAGE_SIZE, 8 * PAGE_SIZE, GFP_KERNEL, NUMA_NO_NODE, NULL);
	ASSERT(p);
	EXPECT_EQ(vmap_virt(p) % (8 * PAGE_SIZE), 0);
	vfree(p);
	expect_sound();
}

TEST(vmap, large_leaves)
{
	size_t size = (size_t)PGT_SIZE(1) + 3 * PAGE_SIZE;
	unsigned int level;
	u8 *p;

	NEEDS_TABLES();
	if (!(pgt_leaf_levels & 2) || totalram_pages() < 8 * size >> PAGE_SHIFT)
		SKIP("no large leaves, or too little memory for them");
	p = vmalloc_huge(size, GFP_KERNEL | __GFP_ZERO);
	ASSERT(p);
	if (!pgt_lookup(&init_mm, vmap_virt(p), &level) || level != 1)
		test_fail(__FILE__, __LINE__, "level %u", level);
	EXPECT(is_zero(p, size));
	memset(p, 0x77, size);
	EXPECT_EQ(page_count(vmalloc_to_page(p + 5 * PAGE_SIZE)), 1);
	EXPECT_EQ(vmalloc_to_pfn(p + 5 * PAGE_SIZE), vmalloc_to_pfn(p) + 5);
	EXPECT(faults(p + size, TEST_READ));
	expect_sound();
	vfree(p);
	expect_sound();
}

TEST(vmap, sizes_that_make_no_sense)
{
	const char *text;

	NEEDS_TABLES();
	EXPECT(!vmalloc(0));
	test_capture_begin();
	EXPECT(!vmalloc(~0ul));
	text = test_capture_end();
	EXPECT(strstr(text, "vmalloc error: size "));
	EXPECT(strstr(text, ", exceeds total pages, mode:0x"));
	test_capture_begin();
	EXPECT(!__vmalloc(~0ul >> 1, GFP_KERNEL | __GFP_NOWARN));
	EXPECT(!__vmalloc((totalram_pages() + 1) << PAGE_SHIFT, GFP_KERNEL | __GFP_NOWARN));
	EXPECT_STREQ(test_capture_end(), "");
	test_capture_begin();
	EXPECT(!__vmalloc_node_range(PAGE_SIZE, 3, VMALLOC_START, VMALLOC_END, GFP_KERNEL, PAGE_KERNEL, 0, NUMA_NO_NODE,
				     NULL));
	EXPECT(!__vmalloc_node_range(4 * PAGE_SIZE, 1, VMALLOC_START, VMALLOC_START + 4 * PAGE_SIZE, GFP_KERNEL,
				     PAGE_KERNEL, 0, NUMA_NO_NODE, NULL));
	text = test_capture_end();
	EXPECT(strstr(text, "makes no sense"));
	EXPECT(strstr(text, "vmap allocation for size 20480 failed: use vmalloc=<size> to increase size"));
	expect_sound();
}

TEST(vmap, wrong_frees_are_told)
{
	const char *text;
	char *p, on_stack;

	NEEDS_TABLES();
	p = vmalloc(2 * PAGE_SIZE);
	ASSERT(p);
	test_capture_begin();
	vfree(p + 1);
	vfree(p + PAGE_SIZE);
	vfree(&on_stack);
	vunmap(p + PAGE_SIZE);
	text = test_capture_end();
	EXPECT(strstr(text, "Trying to vfree() bad address ("));
	EXPECT(strstr(text, "Trying to vfree() nonexistent vm area ("));
	EXPECT(strstr(text, "Trying to vunmap() nonexistent vm area ("));
	vfree(p);
	test_capture_begin();
	vfree(p);
	EXPECT(strstr(test_capture_end(), "Trying to vfree() nonexistent vm area ("));
	vfree(NULL);
	vunmap(NULL);
	expect_sound();
}

TEST(vmap, freed_where_little_may_be_done)
{
	unsigned long before, flags;
	void *p[3];

	NEEDS_TABLES();
	before = vmalloc_nr_pages();
	for (unsigned int i = 0; i < 3; i++)
		ASSERT((p[i] = vmalloc(70 * PAGE_SIZE)));
	flags = port_irq_save();
	vfree(p[0]);
	vfree_atomic(p[1]);
	port_irq_restore(flags);
	EXPECT_EQ(vmalloc_nr_pages(), before + 140);
	EXPECT(!find_vm_area(p[1]));
	vfree(p[2]);
	EXPECT_EQ(vmalloc_nr_pages(), before);
	expect_sound();
}

TEST(vmap, realloc)
{
	u8 *p, *q;

	NEEDS_TABLES();
	p = vrealloc(NULL, 3 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	ASSERT(p);
	EXPECT(is_zero(p, 3 * PAGE_SIZE));
	memset(p, 1, 3 * PAGE_SIZE);
	EXPECT(vrealloc(p, PAGE_SIZE, GFP_KERNEL | __GFP_ZERO) == p);
	EXPECT(is_zero(p + PAGE_SIZE, 2 * PAGE_SIZE));
	q = vrealloc(p, 9 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	ASSERT(q && q != p);
	EXPECT(!find_vm_area(p));
	EXPECT(q[0] == 1 && q[PAGE_SIZE - 1] == 1 && is_zero(q + PAGE_SIZE, 8 * PAGE_SIZE));
	EXPECT(!vrealloc(q, 0, GFP_KERNEL));
	expect_sound();
}

TEST(vmap, flushed_before_its_pages_are_free)
{
	unsigned long purges;
	void *p;

	NEEDS_TABLES();
	p = __vmalloc_node_range(100 * PAGE_SIZE, 1, VMALLOC_START, VMALLOC_END, GFP_KERNEL, PAGE_KERNEL,
				 VM_FLUSH_RESET_PERMS, NUMA_NO_NODE, NULL);
	ASSERT(p);
	memset(p, 1, 100 * PAGE_SIZE);
	purges = vmap_state.purges;
	vfree(p);
	EXPECT_EQ(vmap_state.purges, purges);
	EXPECT(faults(p, TEST_READ));
	expect_sound();
}

/* ---- What exists ---- */

static struct page *pages[100];

static bool get_pages(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		if (!pages[i])
			return false;
		memset(page_address(pages[i]), (int)i, PAGE_SIZE);
	}
	return true;
}

static void put_pages(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		__free_page(pages[i]);
		pages[i] = NULL;
	}
}

static bool shows_pages(const u8 *p, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (p[i * PAGE_SIZE] != (u8)i || p[i * PAGE_SIZE + PAGE_SIZE - 1] != (u8)i)
			return false;
	return true;
}

TEST(vmap, shows_pages_and_hides_them)
{
	u8 *p, *q;

	NEEDS_TABLES();
	ASSERT(get_pages(20));
	p = vmap(pages, 20, VM_MAP, PAGE_KERNEL);
	q = vmap(pages, 20, VM_MAP, PAGE_KERNEL_RO);
	ASSERT(p && q);
	EXPECT(shows_pages(p, 20));
	p[7 * PAGE_SIZE] = 99;
	EXPECT_EQ(q[7 * PAGE_SIZE], 99);
	EXPECT(faults(q, TEST_WRITE));
	EXPECT(faults(p + 20 * PAGE_SIZE, TEST_READ));
	EXPECT(vmalloc_to_page(q + 3 * PAGE_SIZE) == pages[3]);
	expect_sound();
	vunmap(p);
	vunmap(q);
	EXPECT(!vmap(pages, 0, VM_MAP, PAGE_KERNEL));
	EXPECT(!vmap(pages, ~0u, VM_MAP, PAGE_KERNEL));
	put_pages(20);
	expect_sound();
}

TEST(vmap, pages_that_go_with_the_mapping)
{
	unsigned long counted;
	struct page **array;
	void *p;

	NEEDS_TABLES();
	array = kvmalloc_array(10, sizeof(*array), GFP_KERNEL);
	ASSERT(array && get_pages(10));
	memcpy(array, pages, 10 * sizeof(*array));
	get_page(pages[4]);
	counted = vmalloc_nr_pages();
	p = vmap(array, 10, VM_MAP | VM_MAP_PUT_PAGES, PAGE_KERNEL);
	ASSERT(p);
	EXPECT_EQ(vmalloc_nr_pages(), counted + 10);
	expect_sound();
	vfree(p);
	EXPECT_EQ(vmalloc_nr_pages(), counted);
	for (unsigned int i = 0; i < 10; i++)
		EXPECT_EQ(page_count(pages[i]), i == 4);
	__free_page(pages[4]);
	expect_sound();
}

TEST(vmap, frames_without_a_page)
{
	unsigned long pfns[4] = { 0xfee00, 0xfee01, 0xfed00, 0 };
	void *p;

	NEEDS_TABLES();
	if (pfn_valid(pfns[0]) || pfn_valid(pfns[1]) || pfn_valid(pfns[2]))
		SKIP("there is memory where the test expects devices");
	p = vmap_pfn(pfns, 3, PAGE_KERNEL_NOCACHE);
	ASSERT(p);
	EXPECT_EQ(vmalloc_to_pfn((char *)p + PAGE_SIZE), 0xfee01);
	EXPECT_EQ(vmalloc_to_pfn((char *)p + 2 * PAGE_SIZE), 0xfed00);
	EXPECT(!vmalloc_to_page(p));
	vunmap(p);
	ASSERT(get_pages(1));
	pfns[1] = page_to_pfn(pages[0]);
	test_capture_begin();
	EXPECT(!vmap_pfn(pfns, 3, PAGE_KERNEL));
	EXPECT(strstr(test_capture_end(), "has a struct page"));
	put_pages(1);
	expect_sound();
}

TEST(vmap, for_a_short_time)
{
	u8 *p[40], *large;

	NEEDS_TABLES();
	ASSERT(get_pages(100));
	for (unsigned int i = 0; i < 40; i++) {
		p[i] = vm_map_ram(pages, 1 + i, NUMA_NO_NODE);
		ASSERT(p[i]);
	}
	large = vm_map_ram(pages, 100, NUMA_NO_NODE);
	ASSERT(large && shows_pages(large, 100));
	expect_sound();
	for (unsigned int i = 0; i < 40; i++) {
		EXPECT(shows_pages(p[i], 1 + i));
		vm_unmap_ram(p[i], 1 + i);
	}
	vm_unmap_ram(large, 100);
	test_capture_begin();
	vm_unmap_ram(p[3], 4);
	vm_unmap_ram(large, 100);
	vm_unmap_ram(NULL, 1);
	EXPECT(strstr(test_capture_end(), "are not mapped by vm_map_ram()"));
	expect_sound();
	vm_unmap_aliases();
	EXPECT(faults(p[0], TEST_READ));
	put_pages(100);
	expect_sound();
}

/* ---- Areas ---- */

TEST(vmap, areas_for_others)
{
	struct vm_struct *a, *b;

	NEEDS_TABLES();
	a = get_vm_area(5 * PAGE_SIZE, VM_IOREMAP);
	b = get_vm_area(PAGE_SIZE, VM_MAP | VM_NO_GUARD);
	ASSERT(a && b);
	EXPECT_EQ(vmap_virt(a->addr) % (8 * PAGE_SIZE), 0);
	EXPECT_EQ(a->size, 6 * PAGE_SIZE);
	EXPECT_EQ(b->size, PAGE_SIZE);
	EXPECT(find_vm_area(a->addr) == a);
	EXPECT(!find_vm_area((char *)a->addr + PAGE_SIZE));
	EXPECT(!get_vm_area(0, VM_MAP));
	EXPECT(!get_vm_area(~0ul, VM_MAP));
	EXPECT(remove_vm_area(a->addr) == a);
	EXPECT(!find_vm_area(a->addr));
	EXPECT(!remove_vm_area(a->addr));
	vm_struct_free(a);
	free_vm_area(b);
	EXPECT(!is_vmalloc_addr(&a));
	EXPECT(!is_vmalloc_addr(NULL));
	EXPECT(!is_vmalloc_or_module_addr((void *)VMALLOC_END));
	EXPECT(is_vmalloc_addr((void *)(VMALLOC_END - 1)));
	expect_sound();
}

TEST(vmap, reading_what_may_not_be_there)
{
	static char buf[4 * PAGE_SIZE];
	char *p;

	NEEDS_TABLES();
	vmap_purge(true);
	p = vmalloc(2 * PAGE_SIZE);
	ASSERT(p);
	memset(p, 'x', 2 * PAGE_SIZE);
	memset(buf, 'y', sizeof(buf));
	EXPECT_EQ(vread(buf, p + 100, 3 * PAGE_SIZE), 3 * PAGE_SIZE);
	EXPECT(buf[0] == 'x' && buf[2 * PAGE_SIZE - 101] == 'x' && buf[2 * PAGE_SIZE - 100] == 0);
	EXPECT(buf[3 * PAGE_SIZE - 1] == 0 && buf[3 * PAGE_SIZE] == 'y');
	vfree(p);
	EXPECT_EQ(vread(buf, p, PAGE_SIZE), 0);
	expect_sound();
}

TEST(vmap, either_kind_of_memory)
{
	size_t size = (size_t)32 << 20;
	u8 *p;

	NEEDS_TABLES();
	p = kvmalloc(100, GFP_KERNEL);
	EXPECT(p && !is_vmalloc_addr(p));
	kvfree(p);
	if (totalram_pages() << PAGE_SHIFT < 3 * (u64)size)
		return;
	/* More than can be contiguous. */
	p = kvzalloc(size, GFP_KERNEL | __GFP_NOWARN);
	ASSERT(p);
	EXPECT(is_vmalloc_addr(p) && !p[0] && !p[size - 1]);
	p[5] = 5;
	p = kvrealloc(p, size + PAGE_SIZE, GFP_KERNEL);
	ASSERT(p);
	EXPECT(p[5] == 5);
	kvfree(p);
	expect_sound();
}

TEST(vmap, copies_to_user_mode_keep_to_one_area)
{
	const char *text;
	char *p, *q;

	NEEDS_TABLES();
	p = vmalloc(2 * PAGE_SIZE);
	q = vmalloc(PAGE_SIZE);
	ASSERT(p && q);
	EXPECT(check_object_size(p + 5, 2 * PAGE_SIZE - 5, true));
	test_capture_begin();
	EXPECT(!check_object_size(p + 100, 3 * PAGE_SIZE, true));
	text = test_capture_end();
	EXPECT(strstr(text, "Kernel memory exposure attempt detected from vmalloc (offset 100, size 12288)!"));
	vfree(q);
	test_capture_begin();
	EXPECT(!check_object_size(q, 8, false));
	text = test_capture_end();
	EXPECT(strstr(text, "overwrite attempt detected to vmalloc 'no area' (offset 0, size 8)!"));
	vfree(p);
}

/* ---- Files ---- */

static bool has_line(const char *text, const char *start, const char *end)
{
	for (const char *at = text; (at = strstr(at, start)) != NULL; at++) {
		const char *eol = strchr(at, '\n');
		size_t n = strlen(end);

		if (eol && (size_t)(eol - at) >= n && !strncmp(eol - n, end, n))
			return true;
	}
	return false;
}

TEST(vmap, vmallocinfo)
{
	char start[80], end[80];
	const char *text;
	struct vm_struct *io;
	void *p, *ram;
	int digits = (int)(2 * sizeof(void *));

	NEEDS_TABLES();
	vmap_purge(true);
	p = vmalloc_user(3 * PAGE_SIZE);
	ASSERT(p && get_pages(2));
	ram = vm_map_ram(pages, 2, NUMA_NO_NODE);
	io = get_vm_area_caller(PAGE_SIZE, VM_IOREMAP, NULL);
	ASSERT(ram && io);
	io->phys_addr = 0xfed00000;
	text = proc_text("/proc/vmallocinfo");
	octavo_snprintf(start, sizeof(start), "0x%0*lx-0x%0*lx   16384 ", digits, (unsigned long)vmap_virt(p), digits,
			(unsigned long)vmap_virt(p) + 4 * PAGE_SIZE);
	EXPECT(has_line(text, start, ""));
	EXPECT(strstr(text, " pages=3 vmalloc user"));
	octavo_snprintf(end, sizeof(end), " phys=0x%0*x ioremap", (int)(2 * sizeof(phys_addr_t)), 0xfed00000u);
	octavo_snprintf(start, sizeof(start), "0x%0*lx-", digits, (unsigned long)vmap_virt(io->addr));
	EXPECT(has_line(text, start, end));
	EXPECT(strstr(text, " vm_map_ram\n"));
	vfree(p);
	text = proc_text("/proc/vmallocinfo");
	EXPECT(has_line(text, "0x", "   16384 unpurged vm_area"));
	vm_unmap_ram(ram, 2);
	free_vm_area(io);
	put_pages(2);
	vmap_purge(true);
	text = proc_text("/proc/vmallocinfo");
	EXPECT(!strstr(text, "unpurged") && !strstr(text, "vm_map_ram"));
}

TEST(vmap, meminfo)
{
	unsigned long before;
	const char *text;
	char line[64];
	void *p;

	NEEDS_TABLES();
	before = vmalloc_nr_pages();
	p = vmalloc(25 * PAGE_SIZE);
	ASSERT(p);
	text = proc_text("/proc/meminfo");
	octavo_snprintf(line, sizeof(line), "VmallocUsed:    %8lu kB", (before + 25) * (PAGE_SIZE >> 10));
	EXPECT(strstr(text, line));
	EXPECT(!strstr(text, "VmallocTotal:          0 kB"));
	vfree(p);
}
