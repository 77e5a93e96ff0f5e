// SPDX-License-Identifier: MIT
/* The other readers: /proc/iomem, firmware map directories, map files, distances, and the machine itself. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/machine.h"
#include "harness.h"

static struct machine_desc machine;

static int read_with(int (*reader)(struct machine_desc *m, const struct text *text), const char *data, size_t len)
{
	struct text text = { .name = "text", .data = data, .len = len };

	machine_free(&machine);
	machine_init(&machine, "text");
	return reader(&machine, &text);
}

#define READ(reader, data) read_with(reader, data, strlen(data))

static void expect_in(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		test_fail(__FILE__, __LINE__, "'%s' is not in: %s", part, text ? text : "(nothing)");
}

/* ---- /proc/iomem ---- */

TEST(iomem, reads_the_tree)
{
	EXPECT_EQ(READ(iomem_read, "00000000-00000fff : Reserved\n"
				   "00001000-0009fbff : System RAM\n"
				   "0009fc00-000fffff : Reserved\n"
				   "  000f0000-000fffff : System ROM\n"
				   "00100000-bfffffff : System RAM\n"
				   "  01000000-0220bb07 : Kernel code\n"
				   "  02400000-02e09fff : Kernel rodata\n"
				   "  30000000-3fffffff : Crash kernel\n"
				   "c0000000-c0000fff : ACPI Tables\n"
				   "c0001000-eebfffff : PCI Bus 0000:00\n"
				   "fee00000-fee00fff : Local APIC\n"
				   "100000000-23fffffff : System RAM\n"
				   "240000000-2bfffffff : Persistent Memory\n"),
		  0);
	EXPECT_EQ(machine.map_nr, 7);
	EXPECT_EQ(machine.map[1].type, E820_TYPE_RAM);
	EXPECT_EQ(machine.map[1].size, 0x9ec00);
	EXPECT_EQ(machine.map[4].type, E820_TYPE_ACPI);
	EXPECT_EQ(machine.map[5].start, 0x100000000);
	EXPECT_EQ(machine.map[6].type, E820_TYPE_PMEM);
	EXPECT_EQ(machine.image[IMAGE_TEXT].start, 0x1000000);
	EXPECT_EQ(machine.image[IMAGE_TEXT].size, 0x120bb08);
	EXPECT_EQ(machine.reserved_nr, 1);
	EXPECT_EQ(machine.arch, BOOT_ARCH_X86_64);
	EXPECT_EQ(machine.warnings_nr, 0);
}

TEST(iomem, arm64)
{
	EXPECT_EQ(READ(iomem_read, "09000000-09000fff : pl011@9000000\n"
				   "40000000-bfffffff : System RAM\n"
				   "  40210000-414cffff : Kernel code\n"
				   "  48000000-480fffff : reserved\n"),
		  0);
	EXPECT_EQ(machine.arch, BOOT_ARCH_ARM64);
	EXPECT_EQ(machine.map_nr, 1);
	EXPECT_EQ(machine.reserved_nr, 1);
}

TEST(iomem, zeroed_addresses_are_explained)
{
	EXPECT_EQ(READ(iomem_read, "00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n"), -EINVAL);
	expect_in(machine.error, "every address is zero");
}

TEST(iomem, torn)
{
	EXPECT_EQ(READ(iomem_read, "00001000-0009fbff : System RAM\n001000\n00100000-bfffffff : \n"
				   "00200000-001fffff : System RAM\n"),
		  0);
	EXPECT_EQ(machine.map_nr, 1);
	EXPECT_EQ(machine.warnings_nr, 3);
	expect_in(machine.warnings, "text:2: line left out: expected 'START-END : NAME'");
	EXPECT_EQ(READ(iomem_read, "00000000-00000fff : Reserved\n"), -EINVAL);
	expect_in(machine.error, "no 'System RAM' line");
}

/* ---- Map files ---- */

TEST(mapfile, everything)
{
	EXPECT_EQ(READ(mapfile_read, "# two nodes\n"
				     "arch x86-64\n"
				     "cmdline kernelcore=1G\n"
				     "cmdline numa=fake=4\n"
				     "ram 0-640K node 0\n"
				     "ram 1M-3G node 0   # low\n"
				     "ram [mem 0x100000000-0x1ffffffff] node 1 hotplug\n"
				     "reserved 3G+256M\n"
				     "pmem 8G-12G\n"
				     "type 20 12G-13G\n"
				     "node 1 16G-32G hotplug nonvolatile\n"
				     "cpu 2 node 0\n"
				     "cpu 4 node 1\n"
				     "possible 8\n"
				     "distance 10 21\n"
				     "distance 21 10\n"
				     "initrd 512M-516M\n"
				     "keep 1G+4K\n"
				     "remove 0xe0000000-0xf0000000\n"
				     "kernel code 14M data 2M\n"
				     "physbits 52\n"),
		  0);
	EXPECT_EQ(machine.map_nr, 6);
	EXPECT_EQ(machine.map[2].start, 0x100000000);
	EXPECT_EQ(machine.map[2].size, 0x100000000);
	EXPECT_EQ(machine.map[3].size, 256u << 20);
	EXPECT_EQ(machine.map[5].type, 20);
	EXPECT_EQ(machine.mem_affinity_nr, 4);
	EXPECT_EQ(machine.mem_affinity[3].flags, BOOT_MEM_ENABLED | BOOT_MEM_HOTPLUG | BOOT_MEM_NONVOLATILE);
	EXPECT_STREQ(machine.cmdline, "kernelcore=1G numa=fake=4");
	EXPECT_EQ(machine.cpus_nr, 6);
	EXPECT_EQ(machine.cpus[2].apic_id, 2);
	EXPECT_EQ(machine.cpus[2].pxm, 1);
	EXPECT_EQ(machine.distance[1], 21);
	EXPECT_EQ(machine_finish(&machine), 0);
	EXPECT_EQ(machine.info.cpus_possible, 8);
	EXPECT_EQ(machine.info.kernel_text.start, 16u << 20);
	EXPECT_EQ(machine.info.max_phys_bits, 52);
}

TEST(mapfile, errors_name_line_and_expectation)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "ram 0-3G\nrom 3G-4G\n", "text:2: expected a word such as ram" },
		{ "ram 3G\n", "text:1: expected '-END' or '+SIZE' after the address, found 'the end of the line'" },
		{ "ram 3G-2G\n", "text:1: expected an end above the start" },
		{ "ram 0-99999999999999999999\n", "text:1: expected an end or a size" },
		{ "ram 0-17179869184G\n", "text:1: expected an end or a size" },
		{ "ram 0-3G node 64\n", "text:1: expected a node from 0 to 63" },
		{ "ram 0-3G node\n", "text:1: expected the end of the line, found 'node'" },
		{ "ram 0-3G hotplug\n", "text:1: expected 'node N'" },
		{ "ram 0-3G\ncpu 0\n", "text:2: expected a number of CPUs from 1 to 8192" },
		{ "ram 0-3G\ndistance 10 20\n", "1 distance lines of 2 numbers" },
		{ "ram 0-3G\ndistance 10 20\ndistance 10\n", "text:3: expected 2 distances, found 1" },
		{ "arch vax\n", "text:1: expected x86-64, i386" },
		{ "cpu 4\n", "no memory: a line such as 'ram 0-4G'" },
		{ "ram 0+0\n", "text:1: expected a size that is not 0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(READ(mapfile_read, cases[i].text), -EINVAL);
		expect_in(machine.error, cases[i].error);
	}
}

/* ---- Distances ---- */

TEST(slit, text_forms)
{
	EXPECT_EQ(READ(slit_read, "10 21\n21 10\n"), 0);
	EXPECT_EQ(machine.distance_nr, 2);
	EXPECT_EQ(machine.distance[1], 21);
	EXPECT_EQ(READ(slit_read, "node distances:\nnode   0   1   2 \n  0:  10  12  32 \n  1:  12  10  32 \n"
				  "  2:  32  32  10 \n"),
		  0);
	EXPECT_EQ(machine.distance_nr, 3);
	EXPECT_EQ(machine.distance[5], 32);
	EXPECT_EQ(READ(slit_read, "Node 0  1\n---------\n0    10 12\n1    12 10\n"), 0);
	EXPECT_EQ(machine.distance_nr, 2);
	EXPECT_EQ(machine.distance[2], 12);
}

TEST(slit, errors)
{
	EXPECT_EQ(READ(slit_read, "10 20\n"), -EINVAL);
	expect_in(machine.error, "square matrix");
	EXPECT_EQ(READ(slit_read, "10 20\n20\n"), -EINVAL);
	expect_in(machine.error, "text:2: expected 2 numbers");
	EXPECT_EQ(READ(slit_read, "10 300\n300 10\n"), -EINVAL);
	expect_in(machine.error, "text:1: expected distances");
	EXPECT_EQ(READ(slit_read, "nothing\n"), -EINVAL);
	EXPECT_EQ(READ(slit_read, "10 0\n20 10\n"), -EINVAL);
	expect_in(machine.error, "distance 0 between nodes 0 and 1");
}

TEST(slit, table)
{
	char table[48] = "SLIT";
	u8 sum = 0;

	table[4] = 48;
	table[36] = 2;
	table[44] = table[47] = 10;
	table[45] = table[46] = 31;
	for (size_t i = 0; i < sizeof(table); i++)
		sum = (u8)(sum + (u8)table[i]);
	table[9] = (char)-sum;
	EXPECT_EQ(read_with(slit_read, table, sizeof(table)), 0);
	EXPECT_EQ(machine.distance_nr, 2);
	EXPECT_EQ(machine.distance[1], 31);
	EXPECT_EQ(machine.warnings_nr, 0);
	table[9]++;
	EXPECT_EQ(read_with(slit_read, table, sizeof(table)), 0);
	expect_in(machine.warnings, "checksum");
	EXPECT_EQ(read_with(slit_read, table, 47), -EINVAL);
	expect_in(machine.error, "SLIT is cut");
	EXPECT_EQ(read_with(slit_read, table, 20), -EINVAL);
	table[37] = 1;
	EXPECT_EQ(read_with(slit_read, table, sizeof(table)), -EINVAL);
}

/* ---- Recognition, directories, this machine ---- */

TEST(machine, kinds_are_told_apart)
{
	static const char *const texts[] = { "BIOS-e820: [mem 0x0-0xfff] usable\n", "00001000-0009fbff : System RAM\n",
					     "# map\n\nram 0-1G\n", "hello\n\001\002\n" };
	bool (*const kinds[])(const struct text *) = { bootlog_recognise, iomem_recognise, mapfile_recognise };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct text text = { .name = "", .data = texts[i], .len = strlen(texts[i]) };

		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			EXPECT_EQ(kinds[k](&text), i == k);
	}
}

static void put_file(const char *root, const char *path, const char *text)
{
	char *full = cli_format("%s/%s", root, path);
	FILE *f;

	for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(full, 0700);
		*slash = '/';
	}
	f = fopen(full, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
	free(full);
}

static void remove_tree(const char *root)
{
	char *command = cli_format("rm -rf '%s'", root);

	EXPECT_EQ(system(command), 0);
	free(command);
}

TEST(machine, of_a_file_system)
{
	char root[] = "/tmp/octavo-test-XXXXXX";
	char *memmap;

	ASSERT(mkdtemp(root));
	machine_free(&machine);
	machine_init(&machine, "nothing");
	EXPECT_EQ(machine_read(&machine, NULL, root), -EINVAL);
	expect_in(machine.error, "no map");

	put_file(root, "proc/meminfo", "MemTotal:        8000000 kB\n");
	machine_free(&machine);
	machine_init(&machine, "guess");
	EXPECT_EQ(machine_read(&machine, NULL, root), 0);
	EXPECT_EQ(machine.map[machine.map_nr - 1].start, 0x100000000);
	EXPECT_EQ(machine.warnings_nr, 1);

	put_file(root, "sys/firmware/memmap/0/start", "0x0\n");
	put_file(root, "sys/firmware/memmap/0/end", "0x9fbff\n");
	put_file(root, "sys/firmware/memmap/0/type", "System RAM\n");
	put_file(root, "sys/firmware/memmap/10/start", "0x100000000\n");
	put_file(root, "sys/firmware/memmap/10/end", "0x17fffffff\n");
	put_file(root, "sys/firmware/memmap/10/type", "System RAM\n");
	put_file(root, "sys/firmware/memmap/2/start", "0x100000\n");
	put_file(root, "sys/firmware/memmap/2/end", "0x7fffffff\n");
	put_file(root, "sys/firmware/memmap/2/type", "System RAM\n");
	put_file(root, "sys/firmware/memmap/3/start", "0x80000000\n");
	put_file(root, "sys/firmware/memmap/3/type", "Reserved\n");
	put_file(root, "proc/cmdline", "ro quiet\n");
	put_file(root, "proc/iomem", "00000000-00000000 : System RAM\n");
	put_file(root, "sys/devices/system/cpu/present", "0-2\n");
	put_file(root, "sys/devices/system/cpu/possible", "0-3\n");
	put_file(root, "sys/devices/system/memory/block_size_bytes", "8000000\n");
	put_file(root, "sys/devices/system/node/online", "0-1\n");
	put_file(root, "sys/devices/system/node/node0/cpulist", "0,2\n");
	put_file(root, "sys/devices/system/node/node0/distance", "10 15\n");
	put_file(root, "sys/devices/system/node/node0/memory0/online", "1\n");
	put_file(root, "sys/devices/system/node/node0/memory1/online", "1\n");
	put_file(root, "sys/devices/system/node/node1/cpulist", "1\n");
	put_file(root, "sys/devices/system/node/node1/distance", "15 10\n");
	put_file(root, "sys/devices/system/node/node1/memory32/online", "1\n");
	machine_free(&machine);
	machine_init(&machine, "this");
	EXPECT_EQ(machine_read(&machine, NULL, root), 0);
	EXPECT_EQ(machine.map_nr, 3);
	EXPECT_EQ(machine.map[2].start, 0x100000000);
	EXPECT_STREQ(machine.cmdline, "ro quiet");
	EXPECT_EQ(machine.cpus_nr, 3);
	EXPECT_EQ(machine.cpus_possible, 4);
	EXPECT_EQ(machine.cpus[1].pxm, 1);
	EXPECT_EQ(machine.cpus[2].pxm, 0);
	EXPECT_EQ(machine.distance[1], 15);
	EXPECT_EQ(machine.mem_affinity_nr, 2);
	EXPECT_EQ(machine.mem_affinity[0].size, 0x10000000);
	EXPECT_EQ(machine.mem_affinity[1].start, 0x100000000);

	memmap = cli_format("%s/sys/firmware/memmap", root);
	machine_free(&machine);
	machine_init(&machine, "dir");
	EXPECT_EQ(machine_read(&machine, memmap, ""), 0);
	EXPECT_EQ(machine.map_nr, 3);
	EXPECT_EQ(machine.warnings_nr, 1);
	free(memmap);
	remove_tree(root);
}

TEST(machine, parameters_are_appended_ahead_of_inits)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ NULL, "mem=1G" },
		{ "", "mem=1G" },
		{ "ro quiet", "ro quiet mem=1G" },
		{ "ro -- --verbose", "ro mem=1G -- --verbose" },
		{ "ro --not -- x", "ro --not mem=1G -- x" },
		{ "ro --", "ro mem=1G --" },
		{ "-- x", "mem=1G -- x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		machine_free(&machine);
		machine_init(&machine, "text");
		if (cases[i].before)
			machine_set_cmdline(&machine, cases[i].before);
		machine_append_cmdline(&machine, "mem=1G");
		EXPECT_STREQ(machine.cmdline, cases[i].after);
	}
}

TEST(machine, cpus_are_dealt_to_the_nodes)
{
	READ(mapfile_read, "ram 0-1G node 3\nram 1G-2G node 5\ncpu 1 node 5\n");
	machine_set_cpus(&machine, 4);
	EXPECT_EQ(machine.cpus_nr, 4);
	EXPECT_EQ(machine.cpus[1].pxm, 3);
	EXPECT_EQ(machine.cpus[2].pxm, 5);
	EXPECT_EQ(machine.cpus[3].apic_id, 3);
	machine_set_cpus(&machine, 1);
	EXPECT_EQ(machine.cpus_nr, 1);
	EXPECT_EQ(machine.cpus_possible, 1);
	machine_free(&machine);
}
