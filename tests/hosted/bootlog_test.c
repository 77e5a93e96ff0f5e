// SPDX-License-Identifier: MIT
/* The boot log reader: every wording, what is input and what is not, and torn logs. */
#include <stdlib.h>

#include "cli/bootlog.h"
#include "harness.h"
#include "octavo/mmzone.h"

static struct machine_desc machine;

static int read_log(const char *log)
{
	struct text text = { .name = "log", .data = log, .len = strlen(log) };
	int ret;

	machine_free(&machine);
	machine_init(&machine, "log");
	ret = bootlog_read(&machine, &text);
	return ret ? ret : machine_finish(&machine);
}

static void expect_range(unsigned int i, u64 start, u64 size, u32 type)
{
	ASSERT(i < machine.map_nr);
	EXPECT_EQ(machine.map[i].start, start);
	EXPECT_EQ(machine.map[i].size, size);
	EXPECT_EQ(machine.map[i].type, type);
}

#define MAP                                                                   \
	"BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable\n"     \
	"BIOS-e820: [mem 0x0000000000100000-0x000000003fffffff] usable\n"     \
	"BIOS-e820: [mem 0x0000000100000000-0x000000013fffffff] usable\n"

TEST(bootlog, stamps_are_taken_off)
{
	static const char *const lines[] = {
		"Zone ranges:",
		"[    0.000000] Zone ranges:",
		"<6>[    0.000000] Zone ranges:",
		"[    0.000000][    T0] Zone ranges:",
		"[    T0] Zone ranges:",
		"[Tue Jan  2 03:04:05 2024] Zone ranges:",
		"Mar 12 11:54:55 host kernel: [    0.019364] Zone ranges:",
		"May 30 11:10:09 host kernel: Zone ranges:",
		"2024-05-30T11:10:09.123456+00:00 host kernel: Zone ranges:",
		"<6>Zone ranges:",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		EXPECT_STREQ(bootlog_text(lines[i]), "Zone ranges:");
	EXPECT_STREQ(bootlog_text("[    0.1]   DMA      [mem 0x1-0x2]"), "  DMA      [mem 0x1-0x2]");
	EXPECT_STREQ(bootlog_text("[    0.1] [mem 0x1000-0x2fff] available"), "[mem 0x1000-0x2fff] available");
	EXPECT_STREQ(bootlog_text("[mem 0x1000-0x2fff] available"), "[mem 0x1000-0x2fff] available");
	EXPECT_STREQ(bootlog_text(""), "");
	EXPECT_STREQ(bootlog_text("["), "[");
	EXPECT_STREQ(bootlog_text("<6"), "<6");
}

TEST(bootlog, map_wordings)
{
	EXPECT_EQ(read_log("BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable\n"
			   "BIOS-e820: [mem 0x0000000000100000-0x00000000001fffff] ACPI data\n"
			   "BIOS-e820: [mem 0x0000000000200000-0x00000000002fffff] ACPI NVS\n"
			   "BIOS-e820: [mem 0x0000000000300000-0x00000000003fffff] unusable\n"
			   "BIOS-e820: [mem 0x0000000000400000-0x00000000004fffff] persistent (type 7)\n"
			   "BIOS-e820: [mem 0x0000000000500000-0x00000000005fffff] persistent (type 12)\n"
			   "BIOS-e820: [mem 0x0000000000600000-0x00000000006fffff] type 20\n"
			   "BIOS-e820: [mem 0x0000000000700000-0x00000000007fffff] soft reserved\n"
			   "BIOS-e820: [mem 0x0000000000800000-0x00000000008fffff] reserved\n"
			   "last_pfn = 0x9f max_arch_pfn = 0x400000000\n"),
		  0);
	EXPECT_EQ(machine.map_nr, 9);
	expect_range(0, 0, 0x9fc00, E820_TYPE_RAM);
	expect_range(1, 0x100000, 0x100000, E820_TYPE_ACPI);
	expect_range(2, 0x200000, 0x100000, E820_TYPE_NVS);
	expect_range(3, 0x300000, 0x100000, E820_TYPE_UNUSABLE);
	expect_range(4, 0x400000, 0x100000, E820_TYPE_PMEM);
	expect_range(5, 0x500000, 0x100000, E820_TYPE_PRAM);
	expect_range(6, 0x600000, 0x100000, 20);
	expect_range(7, 0x700000, 0x100000, E820_TYPE_SOFT_RESERVED);
	expect_range(8, 0x800000, 0x100000, E820_TYPE_RESERVED);
	EXPECT_EQ(machine.warnings_nr, 0);
}

TEST(bootlog, map_of_7_0)
{
	EXPECT_EQ(read_log("[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff]  System RAM\n"
			   "[    0.000000] BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff]  device reserved\n"
			   "[    0.000000] BIOS-e820: [gap 0x00000000000a0000-0x00000000000effff]\n"
			   "[    0.00] BIOS-e820: [mem 0x0000000000100000-0x000000007ffdbfff]    1.9 GB System RAM\n"
			   "[    0.000000] last_pfn = 0x7ffdc max_arch_pfn = 0x10000000000\n"),
		  0);
	EXPECT_EQ(machine.map_nr, 3);
	expect_range(0, 0, 0x9fc00, E820_TYPE_RAM);
	expect_range(1, 0x9fc00, 0x400, E820_TYPE_RESERVED);
	expect_range(2, 0x100000, 0x7fedc000, E820_TYPE_RAM);
	EXPECT_EQ(machine.max_phys_bits, 52);
	EXPECT_EQ(machine.warnings_nr, 0);
}

TEST(bootlog, map_of_2_6)
{
	EXPECT_EQ(read_log(" BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)\n"
			   " BIOS-e820: 0000000000100000 - 000000007fff0000 (usable)\n"
			   " BIOS-e820: 000000007fff0000 - 000000007ffff000 (ACPI data)\n"
			   "last_pfn = 0x7fff0 max_arch_pfn = 0x400000000\n"
			   "RAMDISK: 37d5d000 - 37fef6b4\n"
			   "SRAT: PXM 0 -> APIC 16 -> Node 0\n"
			   "SRAT: PXM 1 -> APIC 18 -> Node 1\n"
			   "SRAT: Node 0 PXM 0 0-40000000\n"
			   "SRAT: Node 1 PXM 1 40000000-80000000\n"
			   "SMP: Allowing 4 CPUs, 2 hotplug CPUs\n"),
		  0);
	expect_range(0, 0, 0x9fc00, E820_TYPE_RAM);
	expect_range(1, 0x100000, 0x7fef0000, E820_TYPE_RAM);
	expect_range(2, 0x7fff0000, 0xf000, E820_TYPE_ACPI);
	EXPECT_EQ(machine.initrd.start, 0x37d5d000);
	EXPECT_EQ(machine.initrd.size, 0x2926b4);
	EXPECT_EQ(machine.mem_affinity_nr, 2);
	EXPECT_EQ(machine.mem_affinity[1].start, 0x40000000);
	EXPECT_EQ(machine.mem_affinity[1].size, 0x40000000);
	EXPECT_EQ(machine.cpus_nr, 2);
	EXPECT_EQ(machine.cpus_possible, 4);
	EXPECT_EQ(machine.cpus[1].apic_id, 18);
	EXPECT_EQ(machine.cpus[1].pxm, 1);
}

TEST(bootlog, edits_count_until_the_map_is_measured_last)
{
	EXPECT_EQ(read_log(MAP "e820: remove [mem 0xe0000000-0xefffffff] reserved\n"
			   "e820: update [mem 0x20000018-0x20001057] usable ==> usable\n"
			   "e820: update [mem 0x00000000-0x00000fff] usable ==> reserved\n"
			   "e820: remove [mem 0x000a0000-0x000fffff] usable\n"
			   "last_pfn = 0x140000 max_arch_pfn = 0x400000000\n"
			   "e820: update [mem 0x30000000-0xffffffff] usable ==> reserved\n"
			   "last_pfn = 0x30000 max_arch_pfn = 0x400000000\n"
			   "e820: update [mem 0x2a88a000-0x2a88afff] usable ==> reserved\n"
			   "RAMDISK: [mem 0x2c9cf000-0x2e259fff]\n"
			   "e820: update [mem 0x23f4f000-0x2418ffff] usable ==> reserved\n"),
		  0);
	EXPECT_EQ(machine.edits_nr, 2);
	EXPECT_EQ(machine.edits[0].start, 0xe0000000);
	EXPECT_EQ(machine.edits[0].from, E820_TYPE_RESERVED);
	EXPECT_EQ(machine.edits[0].to, E820_TYPE_GAP);
	EXPECT_EQ(machine.edits[1].start, 0x30000000);
	EXPECT_EQ(machine.edits[1].size, 0xd0000000);
	EXPECT_EQ(machine.edits[1].to, E820_TYPE_RESERVED);
}

TEST(bootlog, efi_removals_are_input)
{
	EXPECT_EQ(read_log(MAP "efi: Not removing mem49: MMIO range=[0xb4180000-0xb4180fff] (4KB) from e820 map\n"
			   "efi: Remove mem52: MMIO range=[0xbf200000-0xbf400fff] (2MB) from e820 map\n"
			   "e820: remove [mem 0xbf200000-0xbf400fff] reserved\n"
			   "last_pfn = 0x140000 max_arch_pfn = 0x400000000\n"),
		  0);
	EXPECT_EQ(machine.edits_nr, 1);
	EXPECT_EQ(machine.edits[0].start, 0xbf200000);
	EXPECT_EQ(machine.edits[0].size, 0x201000);
}

TEST(bootlog, what_the_command_line_did_is_output)
{
	EXPECT_EQ(read_log("Command line: ro mem=2G [...] memmap=1G%0x0-1+2\n" MAP
			   "e820: update [mem 0x100000000-0x11fffffff] usable ==> reserved\n"
			   "e820: remove [mem 0x80000000-0xfffffffffffffffe] usable\n"
			   "user-defined physical RAM map:\n"
			   "user: [mem 0x0000000000000000-0x000000000009fbff] usable\n"
			   "last_pfn = 0x40000 max_arch_pfn = 0x400000000\n"),
		  0);
	EXPECT_EQ(machine.edits_nr, 0);
	EXPECT_EQ(machine.map_nr, 3);
	EXPECT_STREQ(machine.cmdline, "ro mem=2G memmap=1G%0x0-1+2");
}

TEST(bootlog, srat_and_hidden_processors)
{
	EXPECT_EQ(read_log(MAP "# [4 \"SRAT: PXM n -> APIC x -> Node y\" cpu lines left out; cpus per node: node0=3, "
			   "node1=1]\n"
			   "ACPI: SRAT: Node 0 PXM 4 [mem 0x00000000-0x3fffffff]\n"
			   "ACPI: SRAT: Node 1 PXM 7 [mem 0x100000000-0x13fffffff] hotplug\n"
			   "ACPI: SRAT: Node 1 PXM 7 [mem 0x200000000-0x23fffffff] non-volatile\n"
			   "CPU topo: Allowing 4 present CPUs plus 2 hotplug CPUs\n"),
		  0);
	EXPECT_EQ(machine.mem_affinity_nr, 3);
	EXPECT_EQ(machine.mem_affinity[0].flags, BOOT_MEM_ENABLED);
	EXPECT_EQ(machine.mem_affinity[1].flags, BOOT_MEM_ENABLED | BOOT_MEM_HOTPLUG);
	EXPECT_EQ(machine.mem_affinity[2].flags, BOOT_MEM_ENABLED | BOOT_MEM_NONVOLATILE);
	EXPECT_EQ(machine.cpus_nr, 4);
	EXPECT_EQ(machine.cpus_possible, 6);
	EXPECT_EQ(machine.cpus[2].pxm, 4);
	EXPECT_EQ(machine.cpus[3].pxm, 7);
}

TEST(bootlog, processors_of_the_boot_sequence)
{
	EXPECT_EQ(read_log(MAP "ACPI: SRAT: Node 0 PXM 0 [mem 0x00000000-0x3fffffff]\n"
			   "ACPI: SRAT: Node 1 PXM 1 [mem 0x100000000-0x13fffffff]\n"
			   "smpboot: Allowing 4 CPUs, 0 hotplug CPUs\n"
			   ".... node  #0, CPUs:          #1\n"
			   ".... node  #1, CPUs:     #2   #3\n"),
		  0);
	EXPECT_EQ(machine.cpus_nr, 4);
	EXPECT_EQ(machine.cpus[0].pxm, 0);
	EXPECT_EQ(machine.cpus[1].pxm, 0);
	EXPECT_EQ(machine.cpus[2].pxm, 1);
	EXPECT_EQ(machine.cpus[3].pxm, 1);
}

TEST(bootlog, architectures)
{
	read_log(MAP "last_pfn = 0x140000 max_arch_pfn = 0x400000000\n");
	EXPECT_EQ(machine.arch, BOOT_ARCH_X86_64);
	EXPECT_EQ(machine.max_phys_bits, 46);
	read_log(MAP "last_pfn = 0x40000 max_arch_pfn = 0x100000\n128MB HIGHMEM available.\n");
	EXPECT_EQ(machine.arch, BOOT_ARCH_I386);
	read_log(MAP "last_pfn = 0x40000 max_arch_pfn = 0x1000000\n  mapped low ram: 0 - 36ffe000\n");
	EXPECT_EQ(machine.arch, BOOT_ARCH_I386_PAE);
	EXPECT_EQ(machine.max_phys_bits, 36);
}

TEST(bootlog, arm64_ranges)
{
	EXPECT_EQ(read_log("Linux version 6.12.1 (a@b) (aarch64-linux-gnu-gcc) #1 SMP\n"
			   "Machine model: Some Board\n"
			   "Zone ranges:\n"
			   "  DMA      [mem 0x0000000000000000-0x000000003fffffff]\n"
			   "  DMA32    [mem 0x0000000040000000-0x00000000fbffffff]\n"
			   "  Normal   empty\n"
			   "Early memory node ranges\n"
			   "  node   0: [mem 0x0000000000000000-0x000000003b3fffff]\n"
			   "  node   1: [mem 0x0000000040000000-0x00000000fbffffff]\n"
			   "Initmem setup node 0 [mem 0x0000000000000000-0x000000003b3fffff]\n"
			   "smp: Brought up 2 nodes, 4 CPUs\n"
			   "node 1 deferred pages initialised in 4ms\n"),
		  0);
	EXPECT_EQ(machine.arch, BOOT_ARCH_ARM64);
	EXPECT_EQ(machine.map_nr, 2);
	expect_range(1, 0x40000000, 0xbc000000, E820_TYPE_RAM);
	EXPECT_EQ(machine.mem_affinity_nr, 2);
	EXPECT_EQ(machine.mem_affinity[1].pxm, 1);
	EXPECT_EQ(machine.zone_dma_end, 0x40000000);
	EXPECT_EQ(machine.zone_dma32_end, 0);
	EXPECT_EQ(machine.cpus_nr, 4);
	EXPECT_EQ(machine.warnings_nr, 0);
}

TEST(bootlog, kernel_image)
{
	EXPECT_EQ(read_log(MAP "Memory: 16215884K/16666788K available (22135K kernel code, 3595K rwdata, 7688K rodata, "
			   "4020K init, 2028K bss, 433128K reserved, 0K cma-reserved)\n"),
		  0);
	EXPECT_EQ(machine.info.kernel_text.start, 16u << 20);
	EXPECT_EQ(machine.info.kernel_text.size, 22135u << 10);
	EXPECT_EQ(machine.info.kernel_rodata.size, 7688u << 10);
	EXPECT_EQ(machine.info.kernel_data.size, 3595u << 10);
	EXPECT_EQ(machine.info.kernel_init.size, 4020u << 10);
	EXPECT_EQ(machine.info.kernel_bss.size, 2028u << 10);
	EXPECT(machine.info.kernel_rodata.start >= machine.info.kernel_text.start + machine.info.kernel_text.size);
	/* no room at 16 MiB: behind the RAM disk */
	EXPECT_EQ(read_log(MAP "RAMDISK: [mem 0x01000000-0x010fffff]\n"
			   "Memory: 1024k/2048k available (2048k kernel code, 512k data, 128k init)\n"),
		  0);
	EXPECT_EQ(machine.info.kernel_text.start, 18u << 20);
	EXPECT_EQ(machine.info.kernel_data.size, 512u << 10);
}

TEST(bootlog, kernels_without_numa)
{
	read_log(MAP "Zone ranges:\nBuilt 1 zonelists, mobility grouping on.  Total pages: 100\n");
	EXPECT(machine.info.no_numa);
	read_log(MAP "No NUMA configuration found\nZone ranges:\nBuilt 1 zonelists, mobility grouping on.\n");
	EXPECT(!machine.info.no_numa);
	read_log(MAP);
	EXPECT(!machine.info.no_numa);
}

TEST(bootlog, zones_the_kernel_was_built_with)
{
	read_log(MAP "Zone ranges:\n"
		     "  DMA      [mem 0x0000000000001000-0x0000000000ffffff]\n"
		     "  DMA32    [mem 0x0000000001000000-0x00000000ffffffff]\n"
		     "  Normal   [mem 0x0000000100000000-0x000000013fffffff]\n"
		     "Movable zone start for each node\n"
		     "DMA zone: 64 pages used for memmap\n");
	EXPECT_EQ(machine.info.zones, 1u << ZONE_DMA | 1u << ZONE_DMA32 | 1u << ZONE_NORMAL);
	read_log(MAP "Zone ranges:\n"
		     "  DMA32    [mem 0x0000000000001000-0x00000000ffffffff]\n"
		     "  Normal   empty\n"
		     "  Device   empty\n"
		     "Movable zone start for each node\n");
	EXPECT_EQ(machine.info.zones, 1u << ZONE_DMA32 | 1u << ZONE_NORMAL | 1u << ZONE_DEVICE);
	/* the rest may be missing */
	read_log(MAP "Zone ranges:\n  DMA      [mem 0x0000000000001000-0x0000000000ffffff]\n");
	EXPECT_EQ(machine.info.zones, 0);
}

static void expect_in(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		test_fail(__FILE__, __LINE__, "'%s' is not in: %s", part, text ? text : "(nothing)");
}

TEST(bootlog, torn_lines_are_reported_with_their_number)
{
	EXPECT_EQ(read_log("BIOS-e820: [mem 0x0000000000000000-0x00000000000\n"
			   "BIOS-e820: [mem 0x0000000000100000-0x000000003fffffff] usa\n"
			   "BIOS-e820: [mem 0x0000000000100000-0x000000003fffffff] usable\n"
			   "BIOS-e820: [mem 0x00000001000000000000000-0x2] usable\n"
			   "BIOS-e820: [mem 0x0000000200000000-0x0000000100000000] usable\n"
			   "last_pfn = 0x40000 max_arch_pfn = 0x400000000\n"
			   "RAMDISK: [mem 0x2c9\n"
			   "ACPI: SRAT: Node 0 PXM\n"
			   "SRAT: PXM 0 -> AP\n"
			   "smpboot: Allowing many CPUs\n"),
		  0);
	EXPECT_EQ(machine.map_nr, 1);
	EXPECT_EQ(machine.warnings_nr, 8);
	expect_in(machine.warnings, "log:1: memory map line left out: expected ']' after the last address");
	expect_in(machine.warnings, "log:2: memory map line left out: expected a type");
	expect_in(machine.warnings, "log:4: ");
	expect_in(machine.warnings, "log:5: memory map line left out: expected a last address not below the first");
	expect_in(machine.warnings, "log:7: RAM disk");
	expect_in(machine.warnings, "log:8: SRAT memory");
	expect_in(machine.warnings, "log:9: SRAT processor");
	expect_in(machine.warnings, "log:10: processor count");
}

TEST(bootlog, a_log_without_a_map_is_refused)
{
	EXPECT_EQ(read_log("Linux version 6.1.0 (a@b)\nCommand line: ro\nZone ranges:\n"), -EINVAL);
	expect_in(machine.error, "log:3: no memory map: expected lines such as 'BIOS-e820:");
	EXPECT_EQ(read_log(""), -EINVAL);
	EXPECT_EQ(read_log("Linux version 6.1.0 (a@b)\n"
			   "Early memory node ranges\n  node   0: [mem 0x1000-0x3fffffff]\n"),
		  0);
	expect_in(machine.warnings, "no firmware map");
	EXPECT_EQ(read_log("user-defined physical RAM map:\nuser: [mem 0x100000-0x3fffffff] usable\n"), 0);
	EXPECT_EQ(machine.map_nr, 1);
}

TEST(bootlog, a_log_that_ends_in_its_map_is_doubted)
{
	EXPECT_EQ(read_log(MAP), 0);
	expect_in(machine.warnings, "log:3: the log ends here");
}

TEST(bootlog, replays_and_other_boots)
{
	EXPECT_EQ(read_log("Linux version 6.1.0 (a@b) #1\n" MAP "Zone ranges:\n"
			   "Linux version 6.1.0 (a@b) #1\n" MAP "smpboot: Allowing 2 CPUs, 0 hotplug CPUs\n"),
		  0);
	EXPECT_EQ(machine.map_nr, 3);
	EXPECT_EQ(machine.cpus_nr, 2);
	EXPECT_EQ(machine.warnings_nr, 0);
	EXPECT_EQ(read_log("Linux version 6.1.0 (a@b) #1\n" MAP "Command line: mem=1G\nZone ranges:\n"
			   "Linux version 6.2.0 (a@b) #1\n"
			   "Command line: mem=2G numa=off\n"
			   "BIOS-e820: [mem 0x0000000200000000-0x000000023fffffff] usable\n"),
		  0);
	EXPECT_EQ(machine.map_nr, 3);
	EXPECT_STREQ(machine.cmdline, "mem=1G");
	EXPECT_STREQ(machine.version, "6.1.0");
	expect_in(machine.warnings, "another boot begins here");
}

/* Any prefix of a log, and logs with any byte damaged, are read or refused, never worse. */
TEST(bootlog, damage_is_survived)
{
	static const char log[] =
		"<5>[    0.000000][    T0] Linux version 6.1.0 (a@b) #1\n"
		"Command line: mem=1G memmap=4K$0x1000\n" MAP
		"efi: Remove mem52: MMIO range=[0xbf200000-0xbf400fff] (2MB) from e820 map\n"
		"e820: update [mem 0x30000000-0xffffffff] usable ==> reserved\n"
		"last_pfn = 0x30000 max_arch_pfn = 0x400000000\n"
		"RAMDISK: [mem 0x2c9cf000-0x2e259fff]\n"
		"SRAT: PXM 0 -> APIC 0x00 -> Node 0\n"
		"ACPI: SRAT: Node 0 PXM 0 [mem 0x00000000-0x3fffffff]\n"
		"# [4 \"cpu lines left out; cpus per node: node0=3, node1=1]\n"
		"Zone ranges:\n  DMA [mem 0x1-0x2]\nEarly memory node ranges\n  node   0: [mem 0x1000-0x3fffffff]\n"
		".... node  #1, CPUs:     #2   #3\n"
		"smpboot: Allowing 4 CPUs, 0 hotplug CPUs\n"
		"Memory: 1K/2K available (2048K kernel code, 5K init)\n";
	char copy[sizeof(log)];
	u64 seed = test_seed;

	for (size_t len = 0; len < sizeof(log); len++) {
		memcpy(copy, log, sizeof(log));
		copy[len] = 0;
		if (read_log(copy))
			EXPECT(machine.error);
		else
			EXPECT(machine.info.map_nr);
	}
	for (int i = 0; i < 2000; i++) {
		memcpy(copy, log, sizeof(log));
		for (int k = 0; k < 4; k++)
			copy[test_random(&seed) % (sizeof(log) - 1)] = (char)(test_random(&seed) >> 8);
		if (read_log(copy))
			EXPECT(machine.error);
		else
			EXPECT(machine.info.map_nr && machine.info.cpus_nr);
	}
	machine_free(&machine);
}
