// SPDX-License-Identifier: MIT
/*
 * The kernel's own mappings, on machines of several shapes: direct map, image, descriptors, hotplug, damage and its
 * discovery.
 */
#include <octavo/gfp.h>
#include <octavo/memblock.h>
#include <octavo/memory_hotplug.h>
#include <octavo/page.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "kernel_map_machine.h"
#include "mm/boot/params.h"
#include "mm/kmap/ptdump.h"

/* Every page of the machine's memory is in the direct map and nothing else: KA-I1. The tests' machine, all features. */
TEST(kernel_map, shows_all_memory)
{
	unsigned long shown = 0, there = 0;
	phys_addr_t start, end;
	u64 i;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	machine_expect_sound();
	for_each_mem_range(i, &start, &end) {
		end = min(end, memblock.direct_map_end);
		for (phys_addr_t at = start; at < end; at += PAGE_SIZE) {
			unsigned int level;
			pgt_entry_t e = machine_leaf(machine_direct(at), &level);

			there++;
			if (e && pgt_leaf_phys(level, e) + (at & (PGT_SIZE(level) - 1)) == at)
				shown++;
		}
	}
	EXPECT_EQ(shown, there);
	EXPECT(there > 10000);
	EXPECT(!machine_rights(machine_direct(0)));
	EXPECT(!machine_rights(machine_direct(0xa0000)));
	EXPECT_EQ(machine_rights(machine_direct(MIB)) & ~(kernel_has_nx() ? 0 : PGPROT_EXEC),
		  PGPROT_READ | PGPROT_WRITE);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* The largest leaves that alignment and memory map allow. */
TEST(kernel_map, leaves_are_as_large_as_they_can_be)
{
	const struct bootinfo_range map[] = { { 0x1000, 0x9e000, E820_TYPE_RAM },
					      { MIB, 3 * 1024 * MIB - MIB, E820_TYPE_RAM } };
	struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 2 };
	unsigned long small, pages_2m, large = (unsigned long)(PGT_SIZE(1) / MIB);
	unsigned int level;

	if (PGT_VIRT_BITS == 32)
		SKIP("3 GiB do not fit");
	ASSERT(!machine_boot(info, ALL_FEATURES));
	machine_expect_sound();
	/* 636 KiB of the first megabyte less page 0, then 1 MiB to the first multiple of 2 MiB. */
	small = (0x9e000 + MIB) / PAGE_SIZE;
	pages_2m = (unsigned long)((1024 * MIB - 2 * MIB) / PGT_SIZE(1));
	EXPECT_EQ(direct_leaves.at[0], small);
	EXPECT_EQ(direct_leaves.at[1], pages_2m);
	EXPECT_EQ(direct_leaves.at[2], 2);
	EXPECT_EQ(large, 2);
	(void)machine_leaf(machine_direct(1024 * MIB), &level);
	EXPECT_EQ(level, 2);
	/* Without leaves of 1 GiB; then with none but pages. */
	ASSERT(!machine_boot(info, ALL_FEATURES & ~BOOT_MMU_GIGANTIC));
	machine_expect_sound();
	EXPECT_EQ(direct_leaves.at[2], 0);
	EXPECT_EQ(direct_leaves.at[1], pages_2m + 1024);
	ASSERT(!machine_boot(info, 0));
	machine_expect_sound();
	EXPECT_EQ(direct_leaves.at[1], 0);
	EXPECT_EQ(direct_leaves.at[0], small + (3 * 1024 - 2) * MIB / PAGE_SIZE);
}

TEST(kernel_map, parameters_keep_leaves_small)
{
	const struct bootinfo_range map[] = { { MIB, 2047 * MIB, E820_TYPE_RAM } };
	struct bootinfo info = { .arch = BOOT_ARCH_X86_64, .map = map, .map_nr = 1, .cmdline = "nogbpages" };
	const char *text;
	int err;

	if (PGT_VIRT_BITS == 32)
		SKIP("no leaves of 1 GiB");
	info.page_tables = true;
	info.mmu_features = ALL_FEATURES;
	info.asids = 8;
	test_capture_begin();
	err = hosted_boot(&info, NULL);
	text = test_capture_end();
	ASSERT(!err);
	EXPECT_EQ(direct_leaves.at[2], 0);
	EXPECT(!strstr(text, "Using GB pages for direct mapping"));
	info.cmdline = "";
	test_capture_begin();
	err = hosted_boot(&info, NULL);
	text = test_capture_end();
	ASSERT(!err);
	EXPECT_EQ(direct_leaves.at[2], 1);
	EXPECT(strstr(text, "Using GB pages for direct mapping"));
}

/* KA-I2, KA-I3: the image where it was linked, and what the direct map shows of it. */
TEST(kernel_map, image_has_its_rights)
{
	const u32 r = PGPROT_READ, rw = r | PGPROT_WRITE, rx = r | PGPROT_EXEC;
	struct bootinfo info = *hosted_default_machine();
	uintptr_t at;
	bool separate;

	machine_add_image(&info);
	ASSERT(!machine_boot(info, ALL_FEATURES));
	machine_expect_sound();
	EXPECT_EQ(ptdump_check_wx(NULL, NULL), 0);
	separate = kernel_image.separate;
	EXPECT_EQ(separate, PGT_VIRT_BITS != 32);
	at = kernel_image.offset + (uintptr_t)IMAGE_TEXT_AT;
	EXPECT_EQ(machine_rights(at), rx);
	EXPECT_EQ(machine_rights(at + 2 * MIB), kernel_has_nx() ? r : rx);
	EXPECT_EQ(machine_rights(at + 3 * MIB), kernel_has_nx() ? rw : rw | PGPROT_EXEC);
	EXPECT_EQ(machine_rights(at + 5 * MIB), machine_rights(at + 3 * MIB));
	EXPECT_EQ(machine_rights(at + 6 * MIB), machine_rights(at + 3 * MIB));
	if (separate) {
		EXPECT_EQ(machine_rights(machine_direct(IMAGE_TEXT_AT)), r);
		EXPECT_EQ(machine_rights(machine_direct(IMAGE_TEXT_AT + 2 * MIB)), r);
		EXPECT_EQ(machine_rights(machine_direct(IMAGE_TEXT_AT + 3 * MIB)), rw);
		/* Between two parts nothing is mapped; behind them neither. */
		EXPECT_EQ(machine_rights(at + 6 * MIB - PAGE_SIZE), 0);
		EXPECT_EQ(machine_rights(at + 7 * MIB), 0);
	}
	EXPECT_EQ(image_part_at(at), IMAGE_TEXT);
	EXPECT_EQ(image_part_at(at + 6 * MIB - PAGE_SIZE), IMAGE_PARTS);
}

TEST(kernel_map, image_parts_must_not_share_pages)
{
	struct bootinfo info = *hosted_default_machine();
	const char *text;
	int err;

	machine_add_image(&info);
	info.kernel_rodata.start -= 16;
	test_capture_begin();
	err = machine_boot(info, ALL_FEATURES);
	text = test_capture_end();
	EXPECT_EQ(err, -EINVAL);
	(void)text;
}

/* A port whose early direct map shows 32 MiB: tables come from there, and later from what is mapped by then. */
TEST(kernel_map, grows_within_reach)
{
	struct bootinfo info = *hosted_default_machine();

	info.early_direct_map_size = 32 * MIB;
	ASSERT(!machine_boot(info, BOOT_MMU_NX | BOOT_MMU_GLOBAL)); /* pages only: the most tables */
	machine_expect_sound();
	EXPECT(init_mm.pgd_phys < 32 * MIB);
	EXPECT_EQ(memblock.current_limit, memblock.direct_map_end);
}

/* Attributes of memory make no difference to the direct map: a mirrored stretch in the middle costs no large leaf. */
TEST(kernel_map, attributes_split_nothing)
{
	const struct bootinfo_span mirrored[] = { { 20 * MIB + 5 * PAGE_SIZE, MIB } };
	struct bootinfo info = *hosted_default_machine();
	struct leaf_counts plain;

	ASSERT(!machine_boot(info, ALL_FEATURES));
	plain = direct_leaves;
	info.mirrored = mirrored;
	info.mirrored_nr = 1;
	ASSERT(!machine_boot(info, ALL_FEATURES));
	machine_expect_sound();
	EXPECT_EQ(direct_leaves.at[0], plain.at[0]);
	EXPECT_EQ(direct_leaves.at[1], plain.at[1]);
}

/* ---- Damage ---- */

TEST(kernel_map, damage_is_found)
{
	struct bootinfo info = *hosted_default_machine();
	unsigned int level;
	pgt_entry_t *entry, was;
	struct kernel_area area;

	machine_add_image(&info);
	ASSERT(!machine_boot(info, ALL_FEATURES));
	machine_expect_sound();
	/* A page of memory not shown; another frame; no memory shown. */
	entry = pgt_lookup(&init_mm, machine_direct(MIB), &level);
	ASSERT(entry && !level);
	was = pgt_get(entry);
	pgt_set(entry, 0);
	machine_expect_finding("KA-I1: the direct map does not show memory at 0x100000");
	machine_expect_finding("KA-I4");
	pgt_set(entry, pgt_make_leaf(0, MIB + PAGE_SIZE, PAGE_KERNEL));
	machine_expect_finding("KA-I1");
	pgt_set(entry, pgt_make_leaf(0, MIB, PAGE_KERNEL_EXEC));
	if (kernel_has_nx())
		machine_expect_finding("KA-I2");
	pgt_set(entry, was);
	machine_expect_sound();
	/* Text that can be written in the direct map. */
	entry = pgt_lookup(&init_mm, machine_direct(IMAGE_TEXT_AT), &level);
	was = pgt_get(entry);
	pgt_set(entry, pgt_mkwrite(level, was));
	machine_expect_finding("KA-I3");
	pgt_set(entry, was);
	/* Areas on top of each other. */
	area = kernel_areas[AREA_FIXMAP];
	kernel_areas[AREA_FIXMAP].start = kernel_areas[AREA_VMALLOC].start;
	machine_expect_finding("KA-I5");
	kernel_areas[AREA_FIXMAP] = area;
	machine_expect_sound();
	if (!kernel_root_is_made_ahead() || PGT_VIRT_BITS == 32)
		return;
	entry = init_mm.pgd + pgt_index(PGT_ROOT_LEVEL, kernel_areas[AREA_VMALLOC].start);
	was = pgt_get(entry);
	pgt_set(entry, 0);
	machine_expect_finding("KA-I6");
	pgt_set(entry, was);
}

/* ---- Hotplug ---- */

TEST(kernel_map, follows_hotplug)
{
	const phys_addr_t start = 4224 * MIB;
	const u64 size = 128 * MIB;
	struct leaf_counts before;
	unsigned long tables;

	if (PGT_VIRT_BITS == 32)
		SKIP("32-bit machines have no room for more memory");
#if defined(OCTAVO_MEMORY_MODEL_FLAT) || defined(OCTAVO_MEMORY_MODEL_DISCONTIG)
	SKIP("this memory model refuses new memory");
#endif
	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	before = direct_leaves;
	tables = init_mm.pgtable_pages;
	ASSERT(!hosted_ram_add(start, size));
	ASSERT(!add_memory(1, start, size));
	machine_expect_sound();
	EXPECT_EQ(direct_leaves.at[1], before.at[1] + size / PGT_SIZE(1));
	EXPECT_EQ(machine_rights(machine_direct(start)), PGPROT_READ | PGPROT_WRITE);
	ASSERT(!online_memory(start, size, MMOP_ONLINE_MOVABLE));
	ASSERT(!offline_memory(start, size));
	ASSERT(!remove_memory(start, size));
	ASSERT(!hosted_ram_remove(start, size));
	machine_expect_sound();
	EXPECT_EQ(direct_leaves.at[1], before.at[1]);
	EXPECT_EQ(machine_rights(machine_direct(start)), 0);
	EXPECT_EQ(init_mm.pgtable_pages, tables);
}

/* ---- Descriptors ---- */

/* A stretch of the window that no section of the machine uses. */
static uintptr_t free_window(void)
{
	return kernel_areas[AREA_VMEMMAP].start + (uintptr_t)(2048 * MIB / PAGE_SIZE * sizeof(struct page));
}

TEST(kernel_map, descriptors_come_and_go)
{
	struct page *block;
	unsigned long tables;
	unsigned int level;
	uintptr_t at, window;
	phys_addr_t phys;
	char *p;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	if (kernel_areas[AREA_VMEMMAP].start == kernel_areas[AREA_VMEMMAP].end)
		SKIP("32-bit formats have no window for descriptors");
	block = alloc_pages(GFP_KERNEL, 10);
	ASSERT(block);
	phys = PFN_PHYS(page_to_pfn(block));
	p = page_address(block);
	memset(p, 0xa5, PAGE_SIZE << 10);
	tables = init_mm.pgtable_pages;
	at = free_window();
	window = (uintptr_t)area_pointer(AREA_VMEMMAP, at);
	EXPECT_EQ(octavo_vmemmap_populate(window, phys, 4 * MIB), 0);
	EXPECT(machine_leaf(at, &level));
	EXPECT_EQ(level, 1);
	EXPECT_EQ(pgt_leaf_phys(level, machine_leaf(at + 2 * MIB, &level)), phys + 2 * MIB);
	for (size_t i = 0; i < PAGE_SIZE << 10; i++)
		if (p[i]) {
			test_fail(__FILE__, __LINE__, "byte %zu is not cleared", i);
			break;
		}
	machine_expect_sound();
	/* The second quarter goes: one leaf is split, the first quarter stays. */
	octavo_vmemmap_depopulate(window + MIB, MIB);
	EXPECT_EQ(pgt_leaf_phys(0, machine_leaf(at + MIB - PAGE_SIZE, &level)), phys + MIB - PAGE_SIZE);
	EXPECT(!machine_leaf(at + MIB, &level));
	EXPECT(machine_leaf(at + 2 * MIB, &level));
	octavo_vmemmap_depopulate(window, MIB);
	octavo_vmemmap_depopulate(window + 2 * MIB, 2 * MIB);
	EXPECT(!machine_leaf(at, &level));
	/* The tables above it are of a range that never went at once. */
	EXPECT(init_mm.pgtable_pages < tables + PGT_LEVELS);
	__free_pages(block, 10);
}

TEST(kernel_map, descriptors_outside_the_window_are_refused)
{
	const char *text;
	int err;

	ASSERT(!machine_boot(*hosted_default_machine(), ALL_FEATURES));
	test_capture_begin();
	err = octavo_vmemmap_populate(hosted_bootinfo()->vmemmap - 2 * MIB, MIB, MIB);
	octavo_vmemmap_depopulate(hosted_bootinfo()->vmemmap - 2 * MIB, MIB);
	text = test_capture_end();
	EXPECT_EQ(err, -ENOMEM);
	EXPECT(strstr(text, "not in the window"));
}
