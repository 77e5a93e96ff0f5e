// SPDX-License-Identifier: MIT
/* Whole boots of machines made for the purpose, and what they print. */
#include <octavo/memblock.h>
#include <octavo/port.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/boot/params.h"
#include "mm/phys/zone_init.h"
#include "mm/vm/vm.h"

#define MIB ((u64)1 << 20)
#define GIB ((u64)1 << 30)

static struct bootinfo_range map[8];
static struct bootinfo_mem_affinity affinity[8];
static const struct bootinfo_cpu cpus[] = { { 0, 0 }, { 1, 1 } };

/* A PC of @gib GiB with the usual hole between 3 and 4 GiB. */
static struct bootinfo pc(u64 gib, const char *cmdline)
{
	map[0] = (struct bootinfo_range){ 0, 0x9fc00, E820_TYPE_RAM };
	map[1] = (struct bootinfo_range){ 0x100000, 3 * GIB - 0x100000, E820_TYPE_RAM };
	map[2] = (struct bootinfo_range){ 4 * GIB, (gib - 3) * GIB, E820_TYPE_RAM };
	return (struct bootinfo){ .arch = BOOT_ARCH_X86_64, .cmdline = cmdline, .map = map, .map_nr = gib > 3 ? 3 : 2 };
}

static const char *boot(const struct bootinfo *info, int want)
{
	int err;

	test_capture_begin();
	err = hosted_boot(info, NULL);
	if (err != want)
		test_fail(__FILE__, __LINE__, "boot: %d, not %d", err, want);
	return test_capture_end();
}

static void expect_line(const char *log, const char *line)
{
	if (!strstr(log, line))
		test_fail(__FILE__, __LINE__, "no line '%s' in\n%s", line, log ? log : "");
}

static void expect_no_line(const char *log, const char *line)
{
	if (strstr(log, line))
		test_fail(__FILE__, __LINE__, "'%s' in\n%s", line, log ? log : "");
}

#define TOP_PFN ((unsigned long)(((u64)1 << 52) >> PAGE_SHIFT))

/* A flat array of descriptors, and a bootmem map, are as long as the span of a node. */
#if defined(OCTAVO_BOOTMEM) || defined(OCTAVO_MEMORY_MODEL_FLAT)
#define SPAN_IS_LIMITED 1
#else
#define SPAN_IS_LIMITED 0
#endif
/* A sanitizer's shadow leaves no address space for so many descriptors. */
#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) || \
	HAS_FEATURE(thread_sanitizer)
#define SHADOWED 1
#else
#define SHADOWED 0
#endif
#define NEEDS_WIDE_SPAN()                                                          \
	do {                                                                       \
		if (sizeof(long) < 8 || SPAN_IS_LIMITED || SHADOWED)                \
			SKIP("this build cannot span 4 PiB");                       \
	} while (0)

#define NEEDS_64BIT()                                      \
	do {                                               \
		if (sizeof(long) < 8)                      \
			SKIP("the machine is too large"); \
	} while (0)

/* Free pages as they were before the heap took some, and the zero page was. */
static unsigned long free_at_start(void)
{
	drain_all_pages(NULL);
	return global_zone_page_state(NR_FREE_PAGES) + 1 +
	       (global_node_page_state(NR_SLAB_UNRECLAIMABLE_B) >> PAGE_SHIFT);
}

/* Each whole page of memory is free in its zone or reserved, never both: ST-I1. */
TEST(start, every_page_has_one_owner)
{
	unsigned long start, end, pfn, pages = 0, managed = 0;
	int nid;
	u64 i;

	drain_all_pages(NULL);
	for_each_mem_pfn_range(i, NUMA_NO_NODE, &start, &end, &nid) {
		for (pfn = start; pfn < end; pfn++) {
			struct zone *zone = zone_of(nid, zone_type_of_pfn(nid, pfn));
			bool reserved = memblock_is_region_reserved(PFN_PHYS(pfn), PAGE_SIZE);

			pages += !reserved;
			if (frame_state(zone, pfn) != !reserved && !PageSlab(pfn_to_page(pfn)) && !is_zero_pfn(pfn)) {
				test_fail(__FILE__, __LINE__, "frame %#lx: state %d, reserved %d", pfn,
					  frame_state(zone, pfn), reserved);
				return;
			}
		}
	}
	for_each_populated_zone(zone)
		managed += zone->managed_pages;
	EXPECT_EQ(managed, pages);
	EXPECT_EQ(free_at_start(), pages);
}

/* linux-mm, 11 Jul 2018: kernelcore=50% */
TEST(start, kernelcore_percent)
{
	struct bootinfo info = pc(4, "kernelcore=50%");

	NEEDS_64BIT();
	map[1].size = 0xbffd7000 - 0x100000;
	map[2] = (struct bootinfo_range){ 4 * GIB, 0xf5800000, E820_TYPE_RAM };
	info.map_nr = 3;
	expect_line(boot(&info, 0), "  Node 0: 0x000000011b000000\n");
	EXPECT_EQ(zone_of(0, ZONE_MOVABLE)->zone_start_pfn, 0x11b000);
	EXPECT_EQ(zone_end_pfn(zone_of(0, ZONE_NORMAL)), 0x11b000);
}

static struct bootinfo two_nodes(const char *cmdline)
{
	struct bootinfo info = pc(8, cmdline);

	map[2].size = 5 * GIB;
	affinity[0] = (struct bootinfo_mem_affinity){ 0, 3 * GIB, 0, BOOT_MEM_ENABLED };
	affinity[1] = (struct bootinfo_mem_affinity){ 4 * GIB, 1 * GIB, 0, BOOT_MEM_ENABLED };
	affinity[2] = (struct bootinfo_mem_affinity){ 5 * GIB, 4 * GIB, 1, BOOT_MEM_ENABLED };
	info.mem_affinity = affinity;
	info.mem_affinity_nr = 3;
	info.cpus = cpus;
	info.cpus_nr = 2;
	return info;
}

/* linux-mm, June 2017: 8 GiB on two nodes, kernelcore=1G; and movablecore= as its complement */
TEST(start, kernelcore_size_on_two_nodes)
{
	struct bootinfo info = two_nodes("kernelcore=1G");
	const char *log;

	NEEDS_64BIT();
	log = boot(&info, 0);
	expect_line(log, "  Node 0: 0x0000000100000000\n");
	expect_line(log, "  Node 1: 0x0000000140000000\n");
	EXPECT_EQ(zone_of(0, ZONE_NORMAL)->present_pages, 0);
	EXPECT_EQ(zone_of(1, ZONE_MOVABLE)->present_pages, 1ul << 20);
	/* all but 2 GiB is for the kernel: 3 GiB below 4 GiB, and 1.5 GiB of each node, less what is low already */
	info.cmdline = "movablecore=2G";
	log = boot(&info, 0);
	expect_line(log, "Movable zone start for each node\n");
	EXPECT(zone_of(0, ZONE_MOVABLE)->present_pages + zone_of(1, ZONE_MOVABLE)->present_pages <= 1ul << 19);
	EXPECT(zone_of(1, ZONE_MOVABLE)->present_pages > 0);
	info.cmdline = "kernelcore=8G";
	expect_no_line(boot(&info, 0), "  Node 0:");
}

TEST(start, movable_node)
{
	struct bootinfo info = two_nodes("movable_node");

	NEEDS_64BIT();
	affinity[2].flags |= BOOT_MEM_HOTPLUG;
	expect_line(boot(&info, 0), "  Node 1: 0x0000000140000000\n");
	EXPECT_EQ(zone_of(1, ZONE_MOVABLE)->present_pages, 1ul << 20);
	EXPECT_EQ(zone_of(1, ZONE_NORMAL)->present_pages, 0);
	EXPECT_EQ(zone_of(0, ZONE_MOVABLE)->present_pages, 0);
	/* nothing of the kernel's is on what may be unplugged, so all of it is free */
	EXPECT_EQ(zone_of(1, ZONE_MOVABLE)->managed_pages, 1ul << 20);
	EXPECT_EQ(memblock_search_pfn_nid(PFN_DOWN(virt_to_phys(NODE_DATA(1))), &(unsigned long){ 0 },
					  &(unsigned long){ 0 }), 0);
}

TEST(start, memblock_debug)
{
	struct bootinfo info = pc(3, "memblock=debug");
	const char *log;

	map[1].size = 255 * MIB;
	log = boot(&info, 0);
	expect_line(log, "MEMBLOCK configuration:\n");
	expect_line(log, " memory size = 0x000000000ff9e000 reserved size = 0x0000000000100000\n");
	expect_line(log, " memory.cnt  = 0x2\n");
	expect_line(log, " memory[0x0]\t[0x0000000000001000-0x000000000009efff], 0x000000000009e000 bytes flags: 0x0");
	expect_line(log, " reserved[0x0]\t[0x0000000000000000-0x00000000000fffff], "
			 "0x0000000000100000 bytes flags: 0x0\n");
	info.cmdline = "memblock=loud";
	expect_line(boot(&info, 0), "Malformed early option 'memblock'");
}

TEST(start, kernelcore_mirror)
{
	static const struct bootinfo_span mirrored[] = { { 0, 3 * GIB }, { 4 * GIB, GIB / 2 }, { 5 * GIB, GIB } };
	struct bootinfo info = two_nodes("kernelcore=mirror");
	const char *log;

	NEEDS_64BIT();
	expect_line(boot(&info, 0), "The system has no mirror memory, ignore kernelcore=mirror.\n");
	info.mirrored = mirrored;
	info.mirrored_nr = 3;
	log = boot(&info, 0);
	expect_line(log, "  Node 0: 0x0000000120000000\n");
	expect_line(log, "  Node 1: 0x0000000180000000\n");
	expect_no_line(log, "unmirrored kernel memory");
	EXPECT_EQ(zone_of(0, ZONE_NORMAL)->present_pages, 1ul << 17);
	EXPECT_EQ(zone_of(1, ZONE_NORMAL)->present_pages, 1ul << 18);
	EXPECT_EQ(zone_of(1, ZONE_MOVABLE)->present_pages, 3ul << 18);
	EXPECT_EQ(page_zonenum(pfn_to_online_page(0x140000)), ZONE_NORMAL);
	EXPECT_EQ(page_zonenum(pfn_to_online_page(0x1c0000)), ZONE_MOVABLE);
	EXPECT_EQ(zone_of(1, ZONE_MOVABLE)->managed_pages, 3ul << 18);
	info.mirrored = mirrored + 1;
	info.mirrored_nr = 2;
	expect_line(boot(&info, 0), "This configuration results in unmirrored kernel memory.\n");
}

/* Processors without memory of their own: the node is there, with a fallback order that leaves it out. */
TEST(start, nodes_without_memory)
{
	static const u8 slit[] = { 10, 20, 20, 20, 10, 20, 20, 20, 10 };
	static const struct bootinfo_cpu three[] = { { 0, 0 }, { 1, 1 }, { 2, 2 } };
	struct bootinfo info = two_nodes("");
	const char *log;

	NEEDS_64BIT();
	affinity[2].pxm = 2;
	info.cpus = three;
	info.cpus_nr = 3;
	info.distance = slit;
	info.distance_nr = 3;
	log = boot(&info, 0);
	expect_line(log, "Initmem setup node 1 as memoryless\n");
	expect_line(log, "Fallback order for Node 0: 0 2 \n");
	expect_line(log, "Fallback order for Node 1: 2 0 \n");
	expect_line(log, "Fallback order for Node 2: 2 0 \n");
	expect_line(log, "Built 3 zonelists, ");
	EXPECT(!NODE_DATA(1));
}

TEST(start, holes_have_descriptors_to_the_section)
{
	struct bootinfo info = pc(3, "");
	const char *log;

	/* sections 0 and 1 hold memory; a hole over sections 1 (rest), 2 and 3 (start), and the rest of 3 */
	map[1] = (struct bootinfo_range){ 0x100000, 200 * MIB - 0x100000, E820_TYPE_RAM };
	map[2] = (struct bootinfo_range){ 400 * MIB, 8 * MIB, E820_TYPE_RAM };
	info.map_nr = 3;
	log = boot(&info, 0);
	expect_line(log, "On node 0, zone DMA: 1 pages in unavailable ranges\n");
	expect_line(log, "On node 0, zone DMA: 97 pages in unavailable ranges\n");
	expect_line(log, "On node 0, zone DMA32: 18432 pages in unavailable ranges\n"); /* 56 + 16 MiB */
	expect_line(log, "On node 0, zone DMA32: 26624 pages in unavailable ranges\n"); /* 104 MiB */
	/* i386 without nodes: a flat map */
	info.arch = BOOT_ARCH_I386;
	info.no_numa = true;
	log = boot(&info, 0);
	expect_line(log, "On node 0, zone Normal: 51200 pages in unavailable ranges\n"); /* 200 MiB */
	expect_no_line(log, "26624 pages");
	expect_no_line(log, "Fallback order");
	expect_no_line(log, "Policy zone");
	expect_no_line(log, "Device");
}

/* memblock's list of memory grows while it is filled. */
TEST(start, hundreds_of_ranges)
{
	static struct bootinfo_range many[700];
	struct bootinfo info = pc(3, "");
	unsigned long present = 0;

	for (unsigned int i = 0; i < 700; i++)
		many[i] = (struct bootinfo_range){ MIB + i * 2 * 65536, 65536, E820_TYPE_RAM };
	many[699] = (struct bootinfo_range){ 256 * MIB, 64 * MIB, E820_TYPE_RAM }; /* room for the tables */
	info.map = many;
	info.map_nr = 700;
	expect_no_line(boot(&info, 0), "not used");
	for_each_populated_zone(zone)
		present += zone->present_pages;
	EXPECT_EQ(present, 699 * 16 + 64 * 256);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

TEST(start, refuses_machines_without_memory)
{
	struct bootinfo info = pc(3, "");

	info.map_nr = 0;
	EXPECT(boot(&info, -EINVAL)[0]);
	info.map = map;
	info.map_nr = 1;
	map[0].type = E820_TYPE_RESERVED;
	EXPECT(boot(&info, -EINVAL)[0]);
	/* one page, and that taken */
	map[0] = (struct bootinfo_range){ 0x200000, 0x1000, E820_TYPE_RAM };
	info.reserved = &(struct bootinfo_span){ 0x200000, 0x1000 };
	info.reserved_nr = 1;
	expect_line(boot(&info, -EINVAL), "where the core can reach it\n");
	/* 64 KiB are not enough for the tables */
	map[0].size = 0x10000;
	expect_line(boot(&info, -ENOMEM), "no memory for");
}

TEST(start, memory_line_counts_kib)
{
	struct bootinfo info = pc(3, "");
	unsigned long free;
	char line[160];
	const char *log;

	map[1].size = 255 * MIB;
	info.kernel_text = (struct bootinfo_span){ 16 * MIB, 2 * MIB };
	info.kernel_init = (struct bootinfo_span){ 18 * MIB, 123 * 1024 };
	info.initrd = (struct bootinfo_span){ 32 * MIB + 100, 5 * MIB };
	log = boot(&info, 0);
	expect_line(log, "RAMDISK: [mem 0x02000064-0x02500063]\n");
	free = free_at_start();
	octavo_snprintf(line, sizeof(line),
			"Memory: %luK/%luK available (2048K kernel code, 0K rwdata, 0K rodata, 123K init, 0K bss, "
			"%luK reserved, ",
			free * 4, 261752ul, 261752ul - free * 4);
	expect_line(log, line);
	test_capture_begin();
	mm_free_initmem();
	log = test_capture_end();
	expect_line(log, "Freeing initrd memory: 5116K\n");
	expect_line(log, "Freeing unused kernel image (initmem) memory: 120K\n");
	EXPECT_EQ(free_at_start(), free + (5116 + 120) / 4);
	EXPECT(!memblock_is_reserved(32 * MIB + PAGE_SIZE));
	EXPECT(memblock_is_reserved(16 * MIB));
}

TEST(start, huge_machine_costs_little)
{
	struct bootinfo info = pc(1024, "");

	NEEDS_64BIT();
	boot(&info, 0);
	EXPECT(hosted_resident_bytes() < 64 * MIB);
	EXPECT(global_zone_page_state(NR_FREE_PAGES) > 266000000);
}

TEST(start, top_of_52_bits)
{
	struct bootinfo info = pc(4, "");

	NEEDS_WIDE_SPAN();
	map[2] = (struct bootinfo_range){ ((u64)1 << 52) - GIB, GIB, E820_TYPE_RAM };
	info.max_phys_bits = 52;
	expect_line(boot(&info, 0), "  node   0: [mem 0x000fffffc0000000-0x000fffffffffffff]\n");
	EXPECT(pfn_valid(TOP_PFN - 1));
	EXPECT_EQ(zone_end_pfn(zone_of(0, ZONE_NORMAL)), TOP_PFN);
	EXPECT(pfn_to_online_page(TOP_PFN - 1) != NULL);
	EXPECT(!page_address(pfn_to_page(TOP_PFN - 1)));
}

#if SPAN_IS_LIMITED
TEST(start, a_span_too_wide_is_refused)
{
	struct bootinfo info = pc(8, "");
	const char *said;

	NEEDS_64BIT();
	map[3] = (struct bootinfo_range){ ((u64)1 << 52) - GIB, GIB, E820_TYPE_RAM };
	info.map_nr = 4;
	info.max_phys_bits = 52;
	test_capture_begin();
	EXPECT_EQ(hosted_boot(&info, NULL), -ENOMEM);
	said = test_capture_end();
	/* The core, or the host, if a sanitizer needs its addresses. */
	EXPECT(strstr(said, "mem") || (SHADOWED && strstr(said, "address space")));
}
#endif

/* Between two pieces of one zone lie 4 PiB: the smaller one is not used, and all is well otherwise. */
TEST(start, a_hole_too_wide)
{
	struct bootinfo info = pc(8, "");
	const char *log;

	NEEDS_WIDE_SPAN();
	map[3] = (struct bootinfo_range){ ((u64)1 << 52) - GIB, GIB, E820_TYPE_RAM };
	info.map_nr = 4;
	info.max_phys_bits = 52;
	log = boot(&info, 0);
	expect_line(log, "zone Normal: [mem 0x000fffffc0000000-0x000fffffffffffff] is not used");
	EXPECT_EQ(zone_of(0, ZONE_NORMAL)->present_pages, (5ul + 1) << 18);
	EXPECT(zone_of(0, ZONE_NORMAL)->managed_pages < 5ul << 18);
	EXPECT(PageReserved(pfn_to_online_page(TOP_PFN - 1)));
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}

/* A log can say that its kernel has zones no kernel of the architecture has: then memory must not fall between them. */
TEST(start, zones_the_architecture_has_not)
{
	struct bootinfo info = pc(2, "");
	const char *log;

	info.arch = BOOT_ARCH_I386_PAE;
	info.zones = 1u << ZONE_DMA | 1u << ZONE_DMA32 | 1u << ZONE_NORMAL | 1u << ZONE_MOVABLE | 1u << ZONE_DEVICE;
	map[1].size = 2 * GIB - 0x100000;
	log = boot(&info, 0);
	expect_line(log, "  HighMem  [mem 0x");
	expect_no_line(log, "DMA32");
	expect_no_line(log, "lies in no zone");
	EXPECT(populated_zone(zone_of(0, ZONE_HIGHMEM)));
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}
