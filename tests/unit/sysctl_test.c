// SPDX-License-Identifier: MIT
#include "mm/boot/params.h"
#include "mm/phys/zone.h"
#include "proc_text.h"

#define VM "/proc/sys/vm/"

struct write_case {
	const char *text;
	long result; /* -EINVAL, or 0 for "taken" */
	int value;   /* in the file afterwards */
};

/* What running kernels do with these texts. */
static const struct write_case int_cases[] = {
	{ "4000", 0, 4000 },
	{ " 4001", 0, 4001 },
	{ "\t4002\n", 0, 4002 },
	{ "4003\n\n", 0, 4003 },
	{ "0x1000", 0, 4096 },
	{ "010000", 0, 4096 },
	{ "4004 abc", 0, 4004 },
	{ "4005 1", 0, 4005 },
	{ "-0", 0, 0 },
	{ "4006", 0, 4006 },
	{ "4007abc", -EINVAL, 4006 },
	{ "4007,", -EINVAL, 4006 },
	{ "4007-", -EINVAL, 4006 },
	{ "4007\v", -EINVAL, 4006 },
	{ "4007\r", -EINVAL, 4006 },
	{ "abc", -EINVAL, 4006 },
	{ "\n", -EINVAL, 4006 },
	{ " ", -EINVAL, 4006 },
	{ "+4007", -EINVAL, 4006 },
	{ "-5", -EINVAL, 4006 },
	{ "--5", -EINVAL, 4006 },
	{ "- 5", -EINVAL, 4006 },
	{ "0x", -EINVAL, 4006 },
	{ "0x5g", -EINVAL, 4006 },
	{ "09", -EINVAL, 4006 },
	{ "2147483648", -EINVAL, 4006 },
	{ "4294967296", -EINVAL, 4006 },
	{ "99999999999999999999", -EINVAL, 4006 },
	{ "", 0, 4006 },
};

static int file_int(const char *path)
{
	const char *text = proc_text(path);
	bool overflow, negative;
	u64 value = 0;

	if (!text)
		return 0;
	negative = *text == '-';
	parse_u64(text + negative, &value, &overflow);
	return negative ? -(int)value : (int)value;
}

static void run_cases(const char *path, const struct write_case *cases, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		long want = cases[i].result ? cases[i].result : (long)strlen(cases[i].text);
		long got = proc_put(path, cases[i].text);

		if (got != want)
			test_fail(__FILE__, __LINE__, "%s: writing '%s' gives %ld, not %ld", path, cases[i].text, got,
				  want);
		EXPECT_EQ(file_int(path), cases[i].value);
	}
}

TEST(sysctl, integers_parse_as_on_linux)
{
	run_cases(VM "min_free_kbytes", int_cases, ARRAY_SIZE(int_cases));
	EXPECT_EQ(octavo_proc_write(VM "min_free_kbytes", "4008\0abc", 8), -EINVAL);
	EXPECT_EQ(file_int(VM "min_free_kbytes"), 4006);
}

TEST(sysctl, ranges)
{
	static const struct write_case scale[] = { { "0", -EINVAL, 10 }, { "1", 0, 1 },		{ "3000", 0, 3000 },
						   { "3001", -EINVAL, 3000 }, { "-1", -EINVAL, 3000 } };
	static const struct write_case boost[] = { { "0", 0, 0 },
						   { "-1", -EINVAL, 0 },
						   { "2147483647", 0, 2147483647 },
						   { "15000", 0, 15000 } };
	static const struct write_case fraction[] = { { "1", -EINVAL, 0 },  { "7", -EINVAL, 0 }, { "8", 0, 8 },
						      { "-1", -EINVAL, 8 }, { "100", 0, 100 },	 { "0", 0, 0 } };
	static const struct write_case interval[] = { { "0", 0, 0 },
						      { "-1", 0, -1 },
						      { "30", 0, 30 },
						      { "2147483647", -EINVAL, 30 } };

	run_cases(VM "watermark_scale_factor", scale, ARRAY_SIZE(scale));
	run_cases(VM "watermark_boost_factor", boost, ARRAY_SIZE(boost));
	run_cases(VM "percpu_pagelist_high_fraction", fraction, ARRAY_SIZE(fraction));
	run_cases(VM "stat_interval", interval, ARRAY_SIZE(interval));
}

static u64 zone_value(const struct zone *zone, const char *label)
{
	u64 value = 0;

	EXPECT(proc_number(proc_zone(proc_text("/proc/zoneinfo"), zone->node, zone->name), label, &value));
	return value;
}

static struct zone *largest_zone(void)
{
	struct zone *largest = NULL;

	for_each_populated_zone(zone)
		if (!is_highmem_zone(zone) && zone->type != ZONE_MOVABLE &&
		    (!largest || zone_managed_pages(zone) > zone_managed_pages(largest)))
			largest = zone;
	return largest;
}

TEST(sysctl, min_free_kbytes_moves_the_watermarks)
{
	struct zone *zone = largest_zone();
	u64 before, lowmem = 0;

	ASSERT(zone);
	for_each_populated_zone(z)
		if (!is_highmem_zone(z) && z->type != ZONE_MOVABLE)
			lowmem += zone_managed_pages(z);
	EXPECT_EQ(proc_put(VM "min_free_kbytes", "2048\n"), 5);
	before = zone_value(zone, "min");
	EXPECT_EQ(before, 2048 / 4 * (u64)zone_managed_pages(zone) / lowmem);
	EXPECT_EQ(proc_put(VM "min_free_kbytes", "8192\n"), 5);
	EXPECT_EQ(zone_value(zone, "min"), 8192 / 4 * (u64)zone_managed_pages(zone) / lowmem);
	EXPECT(zone_value(zone, "min") > before);
}

TEST(sysctl, watermark_scale_factor_moves_the_distance)
{
	struct zone *zone = largest_zone();
	u64 min_pages;

	ASSERT(zone);
	EXPECT_EQ(proc_put(VM "min_free_kbytes", "1024"), 4);
	EXPECT_EQ(proc_put(VM "watermark_scale_factor", "500"), 3);
	min_pages = zone_value(zone, "min");
	EXPECT_EQ(zone_value(zone, "low") - min_pages, (u64)zone_managed_pages(zone) * 500 / 10000);
	EXPECT_EQ(zone_value(zone, "high") - min_pages, 2 * ((u64)zone_managed_pages(zone) * 500 / 10000));
	EXPECT_EQ(zone_value(zone, "min"), min_pages);
}

/* The line of the lowest zone of the first node that has two populated ones. */
static void protection_line(char *line, size_t size)
{
	const char *text = strstr(proc_text("/proc/zoneinfo"), "protection:");

	proc_line(text, line, size);
}

TEST(sysctl, lowmem_reserve_ratio_is_a_vector)
{
	char before[128], after[128], text[64];
	unsigned int zones = 0;

	for (unsigned int type = 0; type < MAX_NR_ZONES; type++)
		zones += zone_configured((enum zone_type)type);
	protection_line(before, sizeof(before));
	strscpy(text, proc_text(VM "lowmem_reserve_ratio"), sizeof(text));
	for (const char *s = text; *s; s++)
		zones -= *s == '\t' || *s == '\n';
	EXPECT_EQ(zones, 0);

	/* In part: the others stay. */
	EXPECT_EQ(proc_put(VM "lowmem_reserve_ratio", "64"), 2);
	EXPECT(!strncmp(proc_text(VM "lowmem_reserve_ratio"), "64\t", 3));
	EXPECT_STREQ(strchr(proc_text(VM "lowmem_reserve_ratio"), '\t'), strchr(text, '\t'));
	protection_line(after, sizeof(after));
	if (strstr(before, "(0, 0, 0") == NULL)
		EXPECT(strcmp(before, after));

	/* Too many values; garbage behind a good one; a negative one counts as 0. */
	EXPECT_EQ(proc_put(VM "lowmem_reserve_ratio", "128 1 2 3 4 5 6 7"), 17);
	EXPECT(!strncmp(proc_text(VM "lowmem_reserve_ratio"), "128\t1\t2\t3", 9));
	EXPECT_EQ(proc_put(VM "lowmem_reserve_ratio", "256 x"), 5);
	EXPECT(!strncmp(proc_text(VM "lowmem_reserve_ratio"), "256\t1\t", 6));
	EXPECT_EQ(proc_put(VM "lowmem_reserve_ratio", "256x 5"), -EINVAL);
	EXPECT_EQ(proc_put(VM "lowmem_reserve_ratio", "99999999999 1"), -EINVAL);
	EXPECT(!strncmp(proc_text(VM "lowmem_reserve_ratio"), "256\t1\t", 6));
	EXPECT_EQ(proc_put(VM "lowmem_reserve_ratio", "-1"), 2);
	EXPECT(!strncmp(proc_text(VM "lowmem_reserve_ratio"), "0\t1\t", 4));
	protection_line(after, sizeof(after));
	EXPECT(strstr(after, "(0, 0, 0"));

	/* Written back as it was read, it is as it was. */
	EXPECT_EQ(proc_put(VM "lowmem_reserve_ratio", text), (long)strlen(text));
	EXPECT_STREQ(proc_text(VM "lowmem_reserve_ratio"), text);
	protection_line(after, sizeof(after));
	EXPECT_STREQ(after, before);
}

TEST(sysctl, percpu_pagelist_high_fraction_moves_high)
{
	struct zone *zone = largest_zone();
	u64 before;

	ASSERT(zone);
	before = zone_value(zone, "high:");
	EXPECT_EQ(proc_put(VM "percpu_pagelist_high_fraction", "8"), 1);
	EXPECT(zone_value(zone, "high:") > before);
	EXPECT_EQ(proc_put(VM "percpu_pagelist_high_fraction", "0"), 1);
	EXPECT_EQ(zone_value(zone, "high:"), before);
}

TEST(sysctl, numa_zonelist_order_takes_its_old_names)
{
	static const char *const good[] = { "node", "Node\n", "default", "D", "n" };

	if (zone_configured(ZONE_HIGHMEM) && nr_node_ids == 1)
		SKIP("an i386 machine with one node has no numa_zonelist_order");
	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++)
		EXPECT_EQ(proc_put(VM "numa_zonelist_order", good[i]), (long)strlen(good[i]));
	test_capture_begin();
	EXPECT_EQ(proc_put(VM "numa_zonelist_order", "zone"), -EINVAL);
	EXPECT(strstr(test_capture_end(), "Ignoring unsupported numa_zonelist_order value:") != NULL);
	EXPECT_STREQ(proc_text(VM "numa_zonelist_order"), "Node\n");
}

static unsigned int compactions;
static unsigned int dropped;

static int count_compaction(void)
{
	compactions++;
	return 0;
}

static int note_drop(unsigned int what)
{
	dropped = what;
	return what == 2 ? -EBUSY : 0;
}

TEST(sysctl, actions_reach_their_hooks)
{
	const struct octavo_sysctl_hooks hooks = { count_compaction, note_drop };

	/* Nothing caches anything yet: there is nothing to drop, and no compaction. */
	EXPECT_EQ(proc_put(VM "drop_caches", "1"), 1);
	EXPECT_EQ(proc_put(VM "compact_memory", "1"), -ENOENT);
	compactions = dropped = 0;
	octavo_sysctl_set_hooks(&hooks);
	EXPECT_EQ(proc_put(VM "compact_memory", "1\n"), 2);
	EXPECT_EQ(proc_put(VM "compact_memory", "0"), -EINVAL);
	EXPECT_EQ(proc_put(VM "compact_memory", "2"), -EINVAL);
	EXPECT_EQ(compactions, 1);
	EXPECT_EQ(proc_put(VM "drop_caches", "3"), 1);
	EXPECT_EQ(dropped, 3);
	EXPECT_EQ(proc_put(VM "drop_caches", "2"), -EBUSY);
	EXPECT_EQ(proc_put(VM "drop_caches", "0"), -EINVAL);
	EXPECT_EQ(proc_value("/proc/vmstat", "drop_pagecache"), 2);
	EXPECT_EQ(proc_value("/proc/vmstat", "drop_slab"), 1);
	EXPECT_EQ(octavo_proc_read(VM "compact_memory", proc_discard, NULL), -EACCES);
	EXPECT_EQ(octavo_proc_read(VM "drop_caches", proc_discard, NULL), -EACCES);
}

TEST(sysctl, command_line_parameters_apply)
{
	const char *report;

	strscpy(saved_command_line,
		"quiet sysctl.vm.min_free_kbytes=5000 sysctl.vm/watermark_scale_factor=77 sysctl.vm.nonesuch=1 "
		"sysctl.vm.watermark_boost_factor=x sysctl.vm.lowmem_reserve_ratio=\"100 50\" -- "
		"sysctl.vm.stat_interval=9",
		sizeof(saved_command_line));
	test_capture_begin();
	octavo_sysctl_boot_params();
	report = test_capture_end();
	EXPECT_EQ(file_int(VM "min_free_kbytes"), 5000);
	EXPECT_EQ(file_int(VM "watermark_scale_factor"), 77);
	EXPECT_EQ(file_int(VM "watermark_boost_factor"), 15000);
	EXPECT_EQ(file_int(VM "stat_interval"), 1);
	EXPECT(!strncmp(proc_text(VM "lowmem_reserve_ratio"), "100\t50\t", 7));
	EXPECT(strstr(report, "Failed to set sysctl parameter 'vm.nonesuch=1': parameter not found") != NULL);
	EXPECT(strstr(report, "Failed to set sysctl parameter 'vm.watermark_boost_factor=x': invalid value") != NULL);
}

/* Of a share of memory and a number of bytes, what was written last is in effect. */
TEST(sysctl, dirty_limits)
{
	EXPECT_EQ(proc_put(VM "dirty_bytes", "8191"), -EINVAL);
	EXPECT_EQ(proc_put(VM "dirty_bytes", "0"), -EINVAL);
	EXPECT_EQ(proc_put(VM "dirty_bytes", "65536"), 5);
	EXPECT_STREQ(proc_text(VM "dirty_ratio"), "0\n");
	EXPECT_EQ(proc_put(VM "dirty_ratio", "0"), 1);
	EXPECT_STREQ(proc_text(VM "dirty_bytes"), "65536\n");
	EXPECT_EQ(proc_put(VM "dirty_ratio", "101"), -EINVAL);
	EXPECT_EQ(proc_put(VM "dirty_ratio", "20"), 2);
	EXPECT_STREQ(proc_text(VM "dirty_bytes"), "0\n");
	EXPECT_EQ(proc_put(VM "dirty_background_bytes", "0"), -EINVAL);
	EXPECT_EQ(proc_put(VM "dirty_background_bytes", "1"), 1);
	EXPECT_STREQ(proc_text(VM "dirty_background_ratio"), "0\n");
	EXPECT_EQ(proc_put(VM "dirty_background_ratio", "10"), 2);
	EXPECT_STREQ(proc_text(VM "dirty_background_bytes"), "0\n");
}
