// SPDX-License-Identifier: MIT
#include <octavo/gfp.h>
#include <octavo/task.h>
#include <octavo/vmalloc.h>

#include "mm/phys/zone.h"
#include "mm/proc/proc.h"
#include "proc_text.h"

#define MEMINFO "/proc/meminfo"

/* The number ends in column 24, with " kB" behind it except for counts of huge pages; the label begins the line. */
static void check_line(const char *line)
{
	const char *colon = strchr(line, ':');
	bool count = !strncmp(line, "HugePages_", 10);
	char form[32];

	ASSERT(colon);
	/* As on Linux, where the address space is larger than any memory was thought to be. */
	if (!strncmp(line, "VmallocTotal:   ", 16) && strlen(line) > 27 && proc_fits(line + 16, "{} kB"))
		return;
	octavo_snprintf(form, sizeof(form), "{%d}%s", (int)(24 - (colon + 1 - line)), count ? "" : " kB");
	if (!proc_fits(colon + 1, form))
		test_fail(__FILE__, __LINE__, "<%s> is not aligned", line);
}

TEST(meminfo, lines_are_aligned_and_distinct)
{
	const char *text = proc_text(MEMINFO), *next = text;
	unsigned int lines = 0;
	char line[128], label[64];
	u64 value;

	ASSERT(text);
	while ((next = proc_line(next, line, sizeof(line))) != NULL) {
		check_line(line);
		strscpy(label, line, sizeof(label));
		*(strchr(label, ':') + 1) = 0;
		EXPECT(proc_number(text, label, &value));
		EXPECT(!proc_number(next, label, &value));
		lines++;
	}
	EXPECT(lines >= 55);
}

TEST(meminfo, totals_are_those_of_the_zones)
{
	unsigned long managed = 0, free = 0;

	for_each_populated_zone(zone) {
		managed += zone_managed_pages(zone);
		free += zone_page_state_snapshot(zone, NR_FREE_PAGES);
	}
	EXPECT_EQ(proc_value(MEMINFO, "MemTotal:"), managed * (PAGE_SIZE / 1024));
	EXPECT_EQ(proc_value(MEMINFO, "MemFree:"), free * (PAGE_SIZE / 1024));
	EXPECT(proc_value(MEMINFO, "MemAvailable:") <= proc_value(MEMINFO, "MemFree:"));
	EXPECT(proc_value(MEMINFO, "MemAvailable:") > 0);
	EXPECT_EQ(proc_value(MEMINFO, "CommitLimit:"), managed / 2 * (PAGE_SIZE / 1024));
}

TEST(meminfo, nodes_add_up)
{
	u64 total = 0, free = 0;
	char path[64], label[32];

	if (!proc_machine_numa())
		SKIP("this machine's kernel has no files of nodes");
	for_each_online_node(nid) {
		octavo_snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", nid);
		octavo_snprintf(label, sizeof(label), "Node %d MemTotal:", nid);
		total += proc_value(path, label);
		octavo_snprintf(label, sizeof(label), "Node %d MemFree:", nid);
		free += proc_value(path, label);
	}
	EXPECT_EQ(total, proc_value(MEMINFO, "MemTotal:"));
	EXPECT_EQ(free, proc_value(MEMINFO, "MemFree:"));
}

TEST(meminfo, follows_allocation)
{
	u64 before = proc_value(MEMINFO, "MemFree:");
	struct page *page = alloc_pages(GFP_KERNEL, MAX_PAGE_ORDER);

	ASSERT(page);
	EXPECT_EQ(before - proc_value(MEMINFO, "MemFree:"), (PAGE_SIZE << MAX_PAGE_ORDER) / 1024);
	__free_pages(page, MAX_PAGE_ORDER);
	EXPECT_EQ(proc_value(MEMINFO, "MemFree:"), before);
}

TEST(meminfo, high_memory_lines_only_where_there_is_some)
{
	const char *text = proc_text(MEMINFO);
	u64 high, low, total;
	bool shown = proc_number(text, "HighTotal:", &high);

	EXPECT_EQ(shown, zone_configured(ZONE_HIGHMEM));
	if (!shown)
		return;
	EXPECT(proc_number(text, "LowTotal:", &low));
	EXPECT(proc_number(text, "MemTotal:", &total));
	EXPECT_EQ(high + low, total);
}

/* Stacks of a kernel's threads, of the direct map's pages and of vmalloc's. */
TEST(meminfo, kernel_stacks)
{
	struct page *page = alloc_pages(GFP_KERNEL, 2);
	void *mapped = vmalloc(4 * PAGE_SIZE);
	u64 before = proc_value(MEMINFO, "KernelStack:");

	ASSERT(page && mapped);
	account_kernel_stack(page_address(page), 4 * PAGE_SIZE, true);
	account_kernel_stack(mapped, 4 * PAGE_SIZE, true);
	EXPECT_EQ(proc_value(MEMINFO, "KernelStack:"), before + 8 * PAGE_SIZE / 1024);
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_kernel_stack"), before + 8 * PAGE_SIZE / 1024);
	account_kernel_stack(page_address(page), 4 * PAGE_SIZE, false);
	account_kernel_stack(mapped, 4 * PAGE_SIZE, false);
	EXPECT_EQ(proc_value(MEMINFO, "KernelStack:"), before);
	vfree(mapped);
	__free_pages(page, 2);
}
