// SPDX-License-Identifier: MIT
/* Debian's mkswap(8) and blkid(8) beside our own reading and writing of headers. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hosted.h"
#include "swapper.h"

#define PAGES 1000u
#define BYTES (PAGES * 4096u)

static u8 disk[BYTES];
static char path[64];

static bool store(void)
{
	FILE *f = fopen(path, "wb");
	bool good = f && fwrite(disk, 1, BYTES, f) == BYTES;

	return f && !fclose(f) && good;
}

static bool load(void)
{
	FILE *f = fopen(path, "rb");
	bool good = f && fread(disk, 1, BYTES, f) == BYTES;

	return f && !fclose(f) && good;
}

/* The command's output, with the file's name behind it. */
static const char *output_of(const char *command)
{
	static char text[512];
	char line[256];
	FILE *f;
	size_t n;

	snprintf(line, sizeof(line), "%s %s 2>&1", command, path);
	f = popen(line, "r");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (f)
		pclose(f);
	return text;
}

/* The device has what is in @disk. Return: pages that swapon finds. */
static unsigned long area_of(void)
{
	struct bdev *bdev = NULL;
	unsigned long pages = 0;
	swp_entry_t entries[50];

	if (!hosted_block_set(1, disk, BYTES / 512))
		bdev = bdev_of_port(1, "vdb", BYTES / 512, false);
	if (!bdev || swapper_on(bdev, "/dev/vdb", 0))
		return 0;
	pages = swap_pages_total();
	for (unsigned int i = 0; i < 50; i++)
		entries[i] = swapper_out(swapper_make(0, i + 1), 0);
	for (unsigned int i = 0; i < 50; i++)
		EXPECT_EQ(swapper_take(entries[i]), i + 1);
	EXPECT_EQ(swapoff_path("/dev/vdb"), 0);
	bdev_put_port(bdev);
	EXPECT_EQ(hosted_block_set(1, NULL, 0), 0);
	return pages;
}

TEST(mkswap, header)
{
	const char *said;

	if (access("/sbin/mkswap", X_OK)) {
		test_skip("/sbin/mkswap is not installed");
		return;
	}
	snprintf(path, sizeof(path), "/tmp/octavo-mkswap-%d", (int)getpid());
	memset(disk, 0, sizeof(disk));
	ASSERT(store());
	said = output_of("/sbin/mkswap -L octavo -U 01234567-89ab-4def-8123-456789abcdef");
	if (!strstr(said, "Setting up swapspace version 1"))
		test_fail(__FILE__, __LINE__, "mkswap says: %s", said);
	EXPECT(load());
	EXPECT(!memcmp(disk + 4086, "SWAPSPACE2", 10));
	EXPECT(!memcmp(disk + 1052, "octavo", 7));
	EXPECT_EQ(area_of(), PAGES - 1);
	/* After its use it still is what mkswap made. */
	EXPECT(store());
	if (!access("/sbin/blkid", X_OK)) {
		EXPECT(strstr(output_of("/sbin/blkid -p"), "LABEL=\"octavo\""));
		EXPECT(strstr(output_of("/sbin/blkid -p"), "UUID=\"01234567-89ab-4def-8123-456789abcdef\""));
	}
	unlink(path);
}

TEST(mkswap, ours_is_known_to_blkid)
{
	struct bdev *bdev;

	if (access("/sbin/blkid", X_OK)) {
		test_skip("/sbin/blkid is not installed");
		return;
	}
	snprintf(path, sizeof(path), "/tmp/octavo-blkid-%d", (int)getpid());
	memset(disk, 0, sizeof(disk));
	ASSERT(!hosted_block_set(1, disk, BYTES / 512));
	bdev = bdev_of_port(1, "vdb", BYTES / 512, false);
	ASSERT(bdev);
	EXPECT_EQ(swap_make_header(bdev, PAGES, "a label of 16 by"), 0);
	EXPECT_EQ(swap_make_header(bdev, PAGES + 1, NULL), -EINVAL);
	EXPECT_EQ(swap_make_header(bdev, 1, NULL), -EINVAL);
	bdev_put_port(bdev);
	EXPECT(store());
	EXPECT(strstr(output_of("/sbin/blkid -p"), "TYPE=\"swap\""));
	EXPECT(strstr(output_of("/sbin/blkid -p"), "LABEL=\"a label of 16 by\""));
	EXPECT(strstr(output_of("/sbin/blkid -p"), "VERSION=\"1\""));
	unlink(path);
}
