// SPDX-License-Identifier: MIT
/* Disks of the octavo command: the monitor's swapon, and files of the host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "harness.h"
#include "hosted.h"
#include "mm/swap/swap.h"
#include "shown.h"

static unsigned int failing; /* writes, of a new disk */

static struct bdev *new_disk(struct monitor *mon, u64 sectors, int *error)
{
	struct bdev *bdev = host_disk(mon, sectors, error);

	hosted_block_fail(0, failing);
	return bdev;
}

static int swapon(u64 bytes)
{
	struct monitor mon = { .emit = shown_emit, .disk = new_disk, .disk_gone = host_disk_gone };
	char line[40];

	snprintf(line, sizeof(line), "swapon %llu", (unsigned long long)bytes);
	return shown_run(&mon, line);
}

TEST(disk, there_are_four)
{
	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	/* more than a 32-bit host can address: not what is left of it in 32 bits */
	if (sizeof(size_t) == 4) {
		EXPECT_EQ(swapon(((u64)4 << 30) + (1u << 20)), -ENOMEM);
		EXPECT_STREQ(shown, "swapon: out of memory\n");
	}
	/* what cannot be swapped to is not kept: four are left */
	failing = 1;
	EXPECT_EQ(swapon(1u << 20), -EIO);
	failing = 0;
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQ(swapon(1u << 20), 0);
	EXPECT_EQ(swap_pages_total(), 4 * 255);
	EXPECT_EQ(swapon(1u << 20), -EMFILE);
	EXPECT_STREQ(shown, "swapon: a machine has four disks at most\n");
	hosted_reset();
	disks_close();
}
