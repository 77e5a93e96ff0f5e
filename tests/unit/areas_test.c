// SPDX-License-Identifier: MIT
/* The layout of the kernel's address space, of each format, cut to what a port gives. */
#include <octavo/memblock.h>

#include "harness.h"
#include "mm/boot/e820.h"
#include "mm/boot/params.h"
#include "mm/kmap/areas.h"
#include "mm/pgtable/format.h"

#define MIB ((u64)1 << 20)

/* areas_setup() of another machine: what it changes is put back. */
static struct {
	struct kernel_area areas[AREAS];
	phys_addr_t direct_map_end;
	u32 split;
} kept;

static int lay_out(const struct bootinfo *info, phys_addr_t direct_map_end)
{
	memcpy(kept.areas, kernel_areas, sizeof(kept.areas));
	kept.direct_map_end = memblock.direct_map_end;
	kept.split = pgt_kernel_split;
	memblock.direct_map_end = direct_map_end;
	return areas_setup(info);
}

static void put_back(void)
{
	memcpy(kernel_areas, kept.areas, sizeof(kept.areas));
	memblock.direct_map_end = kept.direct_map_end;
	pgt_kernel_split = kept.split;
}

static uintptr_t size_of(enum kernel_area_id id)
{
	return kernel_areas[id].end - kernel_areas[id].start;
}

/* A machine whose pointers are its addresses, 64 MiB of memory. */
static struct bootinfo bare_machine(void)
{
	const struct area_layout *layout = &area_layouts[area_layout_of_format()];
	struct bootinfo info = { .page_tables = true, .cpus_nr = 4, .cpus_possible = 4 };

	info.direct_map = PGT_VIRT_BITS == 32 ? lowmem_params.page_offset : (uintptr_t)layout->direct;
	info.vmemmap = PGT_VIRT_BITS == 32 ? 0 : (uintptr_t)layout->vmemmap;
	info.vmemmap_size = 32 * MIB;
	return info;
}

TEST(areas, layouts_are_linux_s)
{
	const struct area_layout *x86 = &area_layouts[0], *la57 = &area_layouts[1], *arm = &area_layouts[2];

	EXPECT_EQ(x86->direct, 0xffff888000000000);
	EXPECT_EQ(x86->vmalloc, 0xffffc90000000000);
	EXPECT_EQ(x86->vmalloc_end - 1, 0xffffe8ffffffffff);
	EXPECT_EQ(x86->vmemmap, 0xffffea0000000000);
	EXPECT_EQ(la57->direct >> 48, 0xff11);
	EXPECT_EQ(la57->vmalloc >> 48, 0xffa0);
	EXPECT_EQ(la57->vmemmap >> 48, 0xffd4);
	EXPECT_EQ(arm->direct, 0xffff000000000000);
	EXPECT_EQ(arm->vmalloc, 0xffff800080000000);
	EXPECT_EQ(arm->vmemmap, 0xfffffc0000000000);
	/* 64 TiB, 32 TiB, 1 TiB; 32 PiB, 12.5 PiB, 0.5 PiB; 128 TiB, 124 TiB less the first 2 GiB and 256 MiB. */
	EXPECT_EQ(x86->direct_end - x86->direct, (u64)64 << 40);
	EXPECT_EQ(x86->vmemmap_end - x86->vmemmap, (u64)1 << 40);
	EXPECT_EQ(la57->vmalloc_end - la57->vmalloc, (u64)12800 << 40);
	EXPECT_EQ(arm->direct_end - arm->direct, (u64)128 << 40);
}

/* 8 MiB at least behind the direct map; 15 MiB are left behind one of 129 MiB. */
TEST(areas, vmalloc_keeps_its_offset)
{
	const uintptr_t base = (uintptr_t)0xc0000000u;

	EXPECT_EQ(vmalloc_start_behind(base + 129 * MIB) - (base + 129 * MIB), 15 * MIB);
	EXPECT_EQ(vmalloc_start_behind(base + 128 * MIB) - (base + 128 * MIB), 8 * MIB);
	EXPECT_EQ(vmalloc_start_behind(base + 128 * MIB + PAGE_SIZE) - (base + 128 * MIB + PAGE_SIZE),
		  16 * MIB - PAGE_SIZE);
	EXPECT_EQ(vmalloc_start_behind(base + 896 * MIB), base + 904 * MIB);
}

TEST(areas, bare_pointers_are_addresses)
{
	struct bootinfo info = bare_machine();
	enum kernel_area_id id;
	int err = lay_out(&info, 64 * MIB);

	EXPECT_EQ(err, 0);
	for (unsigned int i = 0; i < AREAS; i++)
		EXPECT_EQ(kernel_areas[i].bias, 0);
	EXPECT_EQ(size_of(AREA_DIRECT), 64 * MIB);
	EXPECT_EQ(kernel_virt((void *)kernel_areas[AREA_VMALLOC].start, &id), kernel_areas[AREA_VMALLOC].start);
	EXPECT_EQ(id, AREA_VMALLOC);
	EXPECT_EQ((uintptr_t)kernel_pointer(kernel_areas[AREA_FIXMAP].end - 1, &id), kernel_areas[AREA_FIXMAP].end - 1);
	EXPECT_EQ(id, AREA_FIXMAP);
	EXPECT_EQ(kernel_virt((void *)16, &id), 16);
	EXPECT_EQ(id, AREAS);
	put_back();
}

/* i386: the last 128 MiB, two pages below pkmap, which ends where the fixmap begins. */
TEST(areas, i386_split)
{
	const struct { unsigned int page_offset; phys_addr_t low; uintptr_t vmalloc; } splits[] = {
		{ 0xc0000000, 880 * MIB - 2 * PAGE_SIZE, 0xf7800000 },
		{ 0x80000000, 1904 * MIB - 2 * PAGE_SIZE, 0xf7800000 },
		{ 0xc0000000, 129 * MIB, 0xc9000000 },
	};

	if (PGT_VIRT_BITS != 32)
		SKIP("a 64-bit format");
	for (unsigned int i = 0; i < ARRAY_SIZE(splits); i++) {
		struct bootinfo info = bare_machine();
		uintptr_t end;

		info.direct_map = info.page_offset = splits[i].page_offset;
		EXPECT_EQ(lay_out(&info, splits[i].low), 0);
		end = i386_vmalloc_end();
		EXPECT_EQ(kernel_areas[AREA_DIRECT].start, splits[i].page_offset);
		EXPECT_EQ(kernel_areas[AREA_VMALLOC].start, splits[i].vmalloc);
		EXPECT_EQ(kernel_areas[AREA_VMALLOC].end, end);
		EXPECT_EQ(kernel_areas[AREA_PKMAP].start, end + 2 * PAGE_SIZE);
		EXPECT_EQ(size_of(AREA_PKMAP) / PAGE_SIZE, PGT_LEVELS == 2 ? 1024 : 512);
		EXPECT_EQ(kernel_areas[AREA_FIXMAP].start, kernel_areas[AREA_PKMAP].end);
		EXPECT_EQ(kernel_areas[AREA_FIXMAP].end, 0xfffff000);
		EXPECT_EQ(pgt_kernel_split, splits[i].page_offset);
		put_back();
	}
}

/* KA-I5, as pointers: in a window the areas do not overlap either, and large pages stay aligned. */
static void check_window(uintptr_t window, u64 size)
{
	struct bootinfo info = bare_machine();
	uintptr_t large = (uintptr_t)PGT_SIZE(1);

	info.kernel_window = window;
	info.kernel_window_size = size;
	info.direct_map = window + 256 * large;
	info.vmemmap = PGT_VIRT_BITS == 32 ? 0 : window + 512 * large;
	ASSERT(!lay_out(&info, 64 * MIB));
	for (unsigned int i = 0; i < AREAS; i++) {
		uintptr_t start = kernel_areas[i].start + kernel_areas[i].bias;

		if (!size_of((enum kernel_area_id)i))
			continue;
		for (unsigned int j = 0; j < AREAS; j++) {
			uintptr_t other = kernel_areas[j].start + kernel_areas[j].bias;

			if (i != j && size_of((enum kernel_area_id)j))
				EXPECT(start - other >= size_of((enum kernel_area_id)j));
		}
		if (i == AREA_DIRECT || i == AREA_VMEMMAP)
			continue;
		EXPECT_EQ(kernel_areas[i].bias % large, 0);
		EXPECT(start >= window && start + size_of((enum kernel_area_id)i) <= window + size);
	}
	put_back();
}

TEST(areas, window_holds_them_all)
{
	const uintptr_t window = 0x20000000;

	check_window(window, 64 * MIB);
	check_window(window + PAGE_SIZE, 64 * MIB);
	check_window(window, 64 * MIB + 12345 * PAGE_SIZE);
	check_window(window + 3 * MIB, 256 * MIB);
}

TEST(areas, window_too_small_is_refused)
{
	struct bootinfo info = bare_machine();
	const char *text;
	int err;

	info.kernel_window = 0x20000000;
	info.kernel_window_size = 2 * MIB;
	test_capture_begin();
	err = lay_out(&info, 64 * MIB);
	text = test_capture_end();
	put_back();
	EXPECT_EQ(err, -EINVAL);
	EXPECT(strstr(text, "a window of 2 MiB is too small"));
}

TEST(areas, overlap_is_refused)
{
	struct bootinfo info = bare_machine();
	const char *text;
	int err;

	/* An image linked where vmalloc is. */
	info.image_offset = kernel_areas[AREA_DIRECT].start;
	test_capture_begin();
	err = lay_out(&info, 64 * MIB);
	put_back();
	EXPECT_EQ(err, 0);
	info.kernel_text = (struct bootinfo_span){ MIB, MIB };
	info.image_offset = (uintptr_t)area_layouts[area_layout_of_format()].vmalloc;
	if (PGT_VIRT_BITS == 32)
		info.image_offset = 0xf8000000u;
	err = lay_out(&info, 64 * MIB);
	text = test_capture_end();
	put_back();
	EXPECT_EQ(err, -EINVAL);
	EXPECT(strstr(text, "inside"));
}

TEST(areas, many_cpus_have_a_larger_fixmap)
{
	struct bootinfo info = bare_machine();
	u64 wanted = (1024 + 16 * 8192) * PAGE_SIZE;

	if (PGT_VIRT_BITS == 32)
		SKIP("the fixmap's start is fixed");
	info.cpus_possible = 8192;
	EXPECT_EQ(lay_out(&info, 64 * MIB), 0);
	EXPECT(size_of(AREA_FIXMAP) >= min(wanted, area_layouts[area_layout_of_format()].fixmap_end -
							   area_layouts[area_layout_of_format()].fixmap_floor));
	put_back();
}

TEST(areas, places_in_words)
{
	struct area_description d;

	describe_address(8, &d);
	EXPECT_STREQ(d.text, "0x8 bytes behind a null pointer");
	describe_address(0x10000, &d);
	EXPECT_STREQ(d.text, "in the user half");
	if (PGT_VIRT_BITS == 32)
		return;
	describe_address((uintptr_t)0x0123456789abcdefull, &d);
	EXPECT(strstr(d.text, "no address"));
}
