// SPDX-License-Identifier: MIT
/* Memory hotplug through /sys, on a machine that has a block to spare. */
#include <octavo/bootinfo.h>
#include <octavo/memory_hotplug.h>
#include <octavo/port.h>

#include "harness.h"
#include "hosted.h"
#include "mm/phys/zone.h"
#include "tests/unit/proc_text.h"

#define MEMORY "/sys/devices/system/memory/"

static int boot_with_movable_memory(void)
{
	static const struct bootinfo_range map[] = {
		{ 0, 0x9f000, E820_TYPE_RAM },
		{ 0x100000, 0x3ff00000, E820_TYPE_RAM },
	};
	static const struct bootinfo info = { .name = "1 GiB, half of it movable",
					      .arch = BOOT_ARCH_X86_64,
					      .cmdline = "movablecore=512M",
					      .map = map,
					      .map_nr = 2 };

	return hosted_boot(&info, NULL);
}

static long put_block(unsigned long id, const char *file, const char *text)
{
	char path[96];

	octavo_snprintf(path, sizeof(path), MEMORY "memory%lu/%s", id, file);
	return proc_put(path, text);
}

static const char *block_text(unsigned long id, const char *file)
{
	char path[96];

	octavo_snprintf(path, sizeof(path), MEMORY "memory%lu/%s", id, file);
	return proc_text(path);
}

TEST(sysfs_hotplug, a_movable_block_leaves_and_returns)
{
	u64 total, size;
	unsigned long id;

	ASSERT(boot_with_movable_memory() == 0);
	total = proc_value("/proc/meminfo", "MemTotal:");
	size = memory_block_size_bytes() / 1024;
	/* The lowest block of the Movable zone: boot's own reservations lie at the top of memory. */
	for (id = 0; id < nr_memory_blocks() && strcmp(block_text(id, "valid_zones"), "Movable\n"); id++)
		;
	ASSERT(id < nr_memory_blocks());
	EXPECT_STREQ(block_text(id, "valid_zones"), "Movable\n");
	EXPECT_STREQ(block_text(id, "state"), "online\n");
	EXPECT_EQ(put_block(id, "state", "online"), -EINVAL);
	test_capture_begin();
	EXPECT_EQ(put_block(id, "state", "offline\n"), 8);
	test_capture_end();
	EXPECT_STREQ(block_text(id, "state"), "offline\n");
	EXPECT_STREQ(block_text(id, "online"), "0\n");
	EXPECT_EQ(proc_value("/proc/meminfo", "MemTotal:"), total - size);
	EXPECT(strstr(block_text(id, "valid_zones"), "Movable") != NULL);
	EXPECT_EQ(put_block(id, "state", "offline"), -EINVAL);
	EXPECT_EQ(put_block(id, "online", "0"), 1);
	EXPECT_EQ(put_block(id, "state", "online_movable"), 14);
	EXPECT_EQ(proc_value("/proc/meminfo", "MemTotal:"), total);
	EXPECT_STREQ(block_text(id, "valid_zones"), "Movable\n");

	/* The device's own switch does the same. */
	EXPECT_EQ(put_block(id, "online", "0"), 1);
	EXPECT_EQ(proc_value("/proc/meminfo", "MemTotal:"), total - size);
	EXPECT_EQ(put_block(id, "online", "1"), 1);
	EXPECT_EQ(proc_value("/proc/meminfo", "MemTotal:"), total);
	EXPECT_STREQ(block_text(id, "state"), "online\n");
}

/* Block 0 holds what the kernel reserved at boot: it cannot go, and nothing has changed after the attempt. */
TEST(sysfs_hotplug, a_block_in_use_stays)
{
	u64 total;

	ASSERT(boot_with_movable_memory() == 0);
	total = proc_value("/proc/meminfo", "MemTotal:");
	test_capture_begin();
	EXPECT(put_block(0, "state", "offline") < 0);
	test_capture_end();
	EXPECT_STREQ(block_text(0, "state"), "online\n");
	EXPECT_EQ(proc_value("/proc/meminfo", "MemTotal:"), total);
}

TEST(sysfs_hotplug, sysctl_parameters_of_the_command_line)
{
	static const struct bootinfo_range map[] = { { 0x100000, 0xff00000, E820_TYPE_RAM } };
	static const struct bootinfo info = { .name = "256 MiB",
					      .arch = BOOT_ARCH_X86_64,
					      .cmdline = "sysctl.vm.min_free_kbytes=3000 sysctl.vm.stat_interval=7",
					      .map = map,
					      .map_nr = 1 };
	const char *log;

	test_capture_begin();
	ASSERT(hosted_boot(&info, NULL) == 0);
	mm_free_initmem();
	log = test_capture_end();
	EXPECT(strstr(log, "Unknown kernel command line parameters") == NULL);
	EXPECT_STREQ(proc_text("/proc/sys/vm/min_free_kbytes"), "3000\n");
	EXPECT_STREQ(proc_text("/proc/sys/vm/stat_interval"), "7\n");
}
