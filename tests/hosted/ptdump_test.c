// SPDX-License-Identifier: MIT
/* The dump of the kernel's page tables: its lines, its markers, and that what it says is so. */
#include <octavo/set_memory.h>

#include "harness.h"
#include "kernel_map_machine.h"
#include "mm/kmap/ptdump.h"
#include "shown.h"
#include "tests/unit/proc_text.h"

#define DUMP "/sys/kernel/debug/kernel_page_tables"

/* "0xSTART-0xEND": false for markers. */
static bool parse_line(const char *line, u64 *start, u64 *end)
{
	u64 *values[] = { start, end };

	for (unsigned int i = 0; i < 2; i++) {
		if (strncmp(line, i ? "-0x" : "0x", i ? 3 : 2))
			return false;
		line += i ? 3 : 2;
		*values[i] = 0;
		for (; (*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f'); line++)
			*values[i] = *values[i] << 4 | (u64)(*line <= '9' ? *line - '0' : *line - 'a' + 10);
	}
	return true;
}

/* Lines follow each other without gap or overlap; no line is writable and executable. KA-I2, seen through the dump. */
TEST(ptdump, lines_cover_everything)
{
	const char *text, *next;
	u64 start, end, last = 0, lines = 0, markers = 0;
	char line[256];

	ASSERT(!machine_boot_image());
	text = next = proc_text(DUMP);
	ASSERT(text);
	while ((next = proc_line(next, line, sizeof(line))) != NULL) {
		if (!parse_line(line, &start, &end)) {
			EXPECT(!strncmp(line, "---[ ", 5));
			markers++;
			continue;
		}
		if (lines++ || !PGT_TWO_ROOTS)
			EXPECT_EQ(start, last);
		last = end;
		if (kernel_has_nx() && strstr(line, "RW"))
			EXPECT(strstr(line, "NX"));
	}
	EXPECT_EQ(last, 0); /* up to the top */
	EXPECT(lines > 15);
	EXPECT(markers >= 4);
	EXPECT_STREQ(proc_text("/sys/kernel/debug/check_wx_pages"), "SUCCESS\n");
}

/* The line whose range begins at @start; NULL. */
static const char *line_at(uintptr_t start)
{
	static char line[256];
	const char *next = proc_text(DUMP);
	u64 from, to;

	while (next && (next = proc_line(next, line, sizeof(line))) != NULL)
		if (parse_line(line, &from, &to) && from == start)
			return line;
	return NULL;
}

TEST(ptdump, columns_are_linux_s)
{
	static const char *const form_x86 = "0xffffffff81000000-0xffffffff81200000           2M     ro         "
					    "PSE     GLB x  pmd";
	static const char *const form_arm64 = "0xffff800041000000-0xffff800041200000           2M PMD       ro x  "
					      "SHD AF        BLK UXN    MEM/NORMAL";
	const char *line;

	ASSERT(!machine_boot_image());
	if (PGT_VIRT_BITS == 32) {
		line = line_at(0);
		ASSERT(line);
		EXPECT_STREQ(line, "0x00000000-0xc0000000           3G                               pgd");
		return;
	}
	line = line_at(machine_image(IMAGE_TEXT_AT));
	ASSERT(line);
	EXPECT_STREQ(line, PGT_TWO_ROOTS ? form_arm64 : form_x86);
	if (PGT_TWO_ROOTS)
		return;
	line = line_at(0);
	ASSERT(line);
	if (PGT_LEVELS == 4)
		EXPECT_STREQ(line, "0x0000000000000000-0xffff800000000000    16777088T"
				   "                               pgd");
}

TEST(ptdump, markers_name_the_areas)
{
	const char *text;

	ASSERT(!machine_boot_image());
	text = proc_text(DUMP);
	ASSERT(text);
	EXPECT(strstr(text, PGT_TWO_ROOTS ? "---[ Linear Mapping start ]---\n" :
			    PGT_VIRT_BITS == 32 ? "---[ Kernel Mapping ]---\n" : "---[ Low Kernel Mapping ]---\n"));
	EXPECT(strstr(text, PGT_TWO_ROOTS ? "---[ vmalloc() area ]---\n" : "---[ vmalloc() Area ]---\n"));
	if (PGT_VIRT_BITS != 32)
		EXPECT(strstr(text, PGT_TWO_ROOTS ? "---[ Kernel image start ]---\n" :
						    "---[ High Kernel Mapping ]---\n"));
}

static unsigned int wx_lines;

static void count_line(void *ctx, const char *line)
{
	(void)ctx;
	EXPECT(strstr(line, "Found insecure W+X mapping at address 0x"));
	wx_lines++;
}

/* A page that can be written and executed is found, counted and said at the end of boot. */
TEST(ptdump, writable_and_executable_is_found)
{
	pgt_entry_t *entry, was;
	const char *text;
	unsigned int level;

	ASSERT(!machine_boot_image());
	if (!kernel_has_nx())
		SKIP("no NX");
	test_capture_begin();
	mm_free_initmem();
	text = test_capture_end();
	EXPECT(strstr(text, "Checked W+X mappings: passed, no W+X pages found.\n"));
	entry = pgt_lookup(&init_mm, machine_direct(MIB), &level);
	ASSERT(entry);
	was = pgt_get(entry);
	pgt_set(entry, pgt_mkexec(level, was));
	EXPECT_EQ(ptdump_check_wx(count_line, NULL), 1);
	EXPECT_EQ(wx_lines, 1);
	EXPECT_STREQ(proc_text("/sys/kernel/debug/check_wx_pages"), "FAILED\n");
	pgt_set(entry, was);
	EXPECT_EQ(ptdump_check_wx(NULL, NULL), 0);
	wx_lines = 0;
}

/* Neighbours that say the same are one line; a page that differs stands alone. */
TEST(ptdump, changes_show)
{
	unsigned long p;
	const char *line;
	uintptr_t at;

	ASSERT(!machine_boot_image());
	at = machine_direct(32 * MIB);
	p = (unsigned long)kernel_pointer(at, NULL);
	EXPECT(!line_at(at + 5 * PAGE_SIZE));
	EXPECT_EQ(set_memory_uc(p + 5 * PAGE_SIZE, 3), 0);
	line = line_at(at + 5 * PAGE_SIZE);
	ASSERT(line);
	EXPECT(strstr(line, "12K"));
	EXPECT(strstr(line, PGT_TWO_ROOTS ? "DEVICE/nGnRE" : "PCD"));
	EXPECT_EQ(set_memory_wb(p + 5 * PAGE_SIZE, 3), 0);
	EXPECT(!line_at(at + 5 * PAGE_SIZE));
}

/* ---- The monitor ---- */

static const char *monitor_says(const char *command)
{
	struct monitor mon = { .emit = shown_emit };

	(void)shown_run(&mon, command);
	return shown;
}

TEST(ptdump, monitor_shows_the_way_to_an_address)
{
	char command[64];
	const char *text;

	ASSERT(!machine_boot_image());
	text = monitor_says("pt");
	EXPECT(strstr(text, "vmalloc() Area"));
	EXPECT(strstr(text, "table pages; direct map:"));
	octavo_snprintf(command, sizeof(command), "pt %lx", (unsigned long)machine_image(IMAGE_TEXT_AT + 0x40));
	text = monitor_says(command);
	EXPECT(strstr(text, "in kernel text ["));
	EXPECT(strstr(text, kernel_has_nx() ? ": r-x, write back" : "r-x"));
	EXPECT(strstr(monitor_says("pt 10"), "null pointer"));
	EXPECT(strstr(monitor_says("pt xyz"), "pt [ADDRESS]"));
}

TEST(ptdump, meminfo_tells_the_direct_map)
{
	u64 kib = 0;

	ASSERT(!machine_boot_image());
	if (!strstr(proc_text("/proc/meminfo"), "DirectMap4k:"))
		SKIP("no x86 machine");
	for (unsigned int level = 0; level <= PGT_LEAF_LEVEL_MAX; level++)
		kib += ((u64)direct_leaves.at[level] << PGT_SHIFT(level)) >> 10;
	EXPECT_EQ(proc_value("/proc/meminfo", "DirectMap4k:") +
			  proc_value("/proc/meminfo", PGT_SHIFT(1) == 22 ? "DirectMap4M:" : "DirectMap2M:"), kib);
	EXPECT_EQ(proc_value("/proc/vmstat", "direct_map_level2_splits"), 0);
	EXPECT_EQ(set_memory_ro((unsigned long)kernel_pointer(machine_direct(32 * MIB), NULL), 1), 0);
	EXPECT_EQ(proc_value("/proc/vmstat", "direct_map_level2_splits"), 1);
}
