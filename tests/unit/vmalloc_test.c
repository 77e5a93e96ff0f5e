// SPDX-License-Identifier: MIT
/* The vmalloc family, function by function: contents, guard pages, reports, undoing. */
#include <octavo/page.h>
#include <octavo/slab.h>
#include <octavo/verify.h>
#include <octavo/vmalloc.h>

#include "harness.h"
#include "mm/kmap/vmap.h"
#include "mm/pgtable/walk.h"

static void tell(void *ctx, const char *line)
{
	(void)ctx;
	printk("%s\n", line);
}

static void expect_sound(void)
{
	struct findings f = { .report = tell };

	EXPECT_EQ(vmap_verify(&f), 0);
}

#define NEEDS_TABLES()                               \
	if (!vmap_state.on)                          \
	SKIP("the machine has no page tables")

static void stamp(u8 *p, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (u8)(seed + i * 7 + (i >> 12) * 13);
}

static bool is_stamped(const u8 *p, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] != (u8)(seed + i * 7 + (i >> 12) * 13))
			return false;
	return true;
}

TEST(vmalloc, memory_of_all_sizes_holds_what_is_written)
{
	static u8 *p[40];
	unsigned long before;

	NEEDS_TABLES();
	before = vmalloc_nr_pages();
	for (unsigned int i = 0; i < 40; i++) {
		size_t size = 1 + i * 1777;

		p[i] = vmalloc(size);
		ASSERT(p[i]);
		EXPECT_EQ((uintptr_t)p[i] % PAGE_SIZE, 0);
		EXPECT(is_vmalloc_addr(p[i]));
		stamp(p[i], ALIGN(size, PAGE_SIZE), i);
	}
	expect_sound();
	for (unsigned int i = 0; i < 40; i++) {
		EXPECT(is_stamped(p[i], ALIGN(1 + i * 1777, PAGE_SIZE), i));
		vfree(p[i]);
	}
	EXPECT_EQ(vmalloc_nr_pages(), before);
	expect_sound();
	vm_unmap_aliases();
	expect_sound();
}

/* ---- The verifier ---- */

static char told[2048];

static void keep(void *ctx, const char *line)
{
	size_t n = strlen(told);

	(void)ctx;
	octavo_snprintf(told + n, sizeof(told) - n, "%s\n", line);
}

static void expect_told(const char *invariant)
{
	struct findings f = { .report = keep };

	told[0] = '\0';
	EXPECT(vmap_verify(&f) > 0);
	if (!strstr(told, invariant))
		test_fail(__FILE__, __LINE__, "%s is not told of in: %s", invariant, told);
}

#define EXPECT_DAMAGE(invariant, word, wrong)     \
	do {                                      \
		__typeof__(word) _right = (word); \
		(word) = (wrong);                 \
		expect_told(invariant);           \
		(word) = _right;                  \
		expect_sound();                   \
	} while (0)

static struct vmap_area *area_of(const void *p)
{
	return container_of(find_vm_area(p), struct vmap_area, vm);
}

TEST(vmalloc, verifier_sees_damage)
{
	struct vmap_area *area, *lazy;
	struct page *page;
	void *p, *q;

	NEEDS_TABLES();
	p = vmalloc(3 * PAGE_SIZE);
	q = vmalloc(2 * PAGE_SIZE);
	ASSERT(p && q);
	area = area_of(p);
	lazy = area_of(q);
	vfree(q);
	expect_sound();
	EXPECT_DAMAGE("VM-I1", area->state, VMAP_GONE);
	EXPECT_DAMAGE("VM-I1", area->bytes, area->bytes + PAGE_SIZE);
	EXPECT_DAMAGE("VM-I1", lazy->state, VMAP_CLEAN);
	EXPECT_DAMAGE("VM-I1", lazy->state, VMAP_LEAVING);
	EXPECT_DAMAGE("VM-I3", area->vm.nr_pages, 2);
	EXPECT_DAMAGE("VM-I5", vmap_state.lazy_pages, vmap_state.lazy_pages + 1);
	vmap_pages_adopted(1);
	expect_told("VM-I5");
	vmap_pages_adopted(-1);
	page = vmalloc_to_page(p);
	set_page_count(page, 0);
	expect_told("VM-I3");
	set_page_count(page, 1);
	/* A page where none may be: in the guard page, and in what is free. */
	ASSERT(!pgt_map_pages(&init_mm, area->start + 3 * PAGE_SIZE, &page, 1, PAGE_KERNEL, GFP_KERNEL));
	expect_told("VM-I2");
	ASSERT(!pgt_unmap_range(&init_mm, area->start + 3 * PAGE_SIZE, PAGE_SIZE, NULL));
	ASSERT(!pgt_map_pages(&init_mm, lazy->start, &page, 1, PAGE_KERNEL, GFP_KERNEL));
	expect_told("VM-I2");
	ASSERT(!pgt_unmap_range(&init_mm, lazy->start, PAGE_SIZE, NULL));
	expect_sound();
	vfree(p);
}

TEST(vmalloc, verifier_sees_damage_in_blocks)
{
	struct page *page[3];
	void *p;

	NEEDS_TABLES();
	for (unsigned int i = 0; i < 3; i++)
		ASSERT((page[i] = alloc_page(GFP_KERNEL)));
	p = vm_map_ram(page, 3, NUMA_NO_NODE);
	ASSERT(p);
	expect_sound();
	ASSERT(!pgt_unmap_range(&init_mm, vmap_virt(p) + PAGE_SIZE, PAGE_SIZE, NULL));
	expect_told("VM-I6");
	ASSERT(!pgt_map_pages(&init_mm, vmap_virt(p) + PAGE_SIZE, &page[1], 1, PAGE_KERNEL, GFP_KERNEL));
	ASSERT(!pgt_map_pages(&init_mm, vmap_virt(p) + 3 * PAGE_SIZE, &page[1], 1, PAGE_KERNEL, GFP_KERNEL));
	expect_told("VM-I6");
	ASSERT(!pgt_unmap_range(&init_mm, vmap_virt(p) + 3 * PAGE_SIZE, PAGE_SIZE, NULL));
	vm_unmap_ram(p, 3);
	expect_sound();
	for (unsigned int i = 0; i < 3; i++)
		__free_page(page[i]);
}

/* VM-I7: what tables an allocation needed goes when nobody is left. */
TEST(vmalloc, tables_go_with_the_last_area)
{
	unsigned long before;
	uintptr_t middle;
	void *p;

	NEEDS_TABLES();
	/* A table at the area's start that stands for addresses before it, too, stays once it is there (arm64). */
	p = vmalloc(PAGE_SIZE);
	vfree(p);
	vmap_purge(true);
	before = init_mm.pgtable_pages;
	p = vmalloc(5 << 20);
	ASSERT(p);
	EXPECT(init_mm.pgtable_pages > before);
	vfree(p);
	vmap_purge(true);
	EXPECT_EQ(init_mm.pgtable_pages, before);
	middle = VMALLOC_START + (VMALLOC_END - VMALLOC_START) / 2;
	p = __vmalloc_node_range(PAGE_SIZE, 1, middle & PAGE_MASK, VMALLOC_END, GFP_KERNEL, PAGE_KERNEL, 0,
				 NUMA_NO_NODE, NULL);
	ASSERT(p);
	EXPECT((uintptr_t)p >= (middle & PAGE_MASK));
	vfree(p);
	/* Once to be clean, once more to be too old. */
	vm_unmap_aliases();
	vm_unmap_aliases();
	EXPECT_EQ(init_mm.pgtable_pages, before);
	expect_sound();
}

/* VM-I4: between vfree() and a purge the addresses are nobody's; afterwards they may be had again. */
TEST(vmalloc, addresses_come_back_after_a_purge_only)
{
	unsigned long purges;
	void *p, *q, *r;

	NEEDS_TABLES();
	vmap_purge(true);
	purges = vmap_state.purges;
	p = vmalloc(PAGE_SIZE);
	vfree(p);
	q = vmalloc(PAGE_SIZE);
	EXPECT(p != q);
	EXPECT_EQ(vmap_state.purges, purges);
	vm_unmap_aliases();
	EXPECT_EQ(vmap_state.purges, purges + 1);
	r = vmalloc(PAGE_SIZE);
	EXPECT(r == p);
	vfree(q);
	vfree(r);
}
