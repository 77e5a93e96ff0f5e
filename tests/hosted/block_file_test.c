// SPDX-License-Identifier: MIT
/* Disks in the host's files: bytes that stay, holes, errors of the host, and a disk that is one machine's at a time. */
#include <octavo/blkdev.h>
#include <octavo/errno.h>
#include <octavo/gfp.h>
#include <octavo/highmem.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "hosted.h"

#define SECTORS 2048u

static char path[64];
static u8 data[64 * 1024], back[64 * 1024];

static bool make_file(size_t bytes)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/octavo-disk-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || ftruncate(fd, (off_t)bytes))
		return false;
	close(fd);
	return true;
}

TEST(block_file, bytes_stay)
{
	struct bdev *disk, *again;
	struct stat st;
	u64 full;
	int err;

	ASSERT(make_file(SECTORS * 512 + 100));
	disk = hosted_block_open(path, "vda", &err);
	ASSERT(disk);
	EXPECT_EQ(disk->sectors, SECTORS);
	EXPECT(bdev_find_name("vda") == disk && !disk->read_only);
	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 7 + i / 512);
	EXPECT_EQ(bdev_rw(disk, 100, data, 128, true), 0);
	EXPECT_EQ(bdev_rw(disk, SECTORS - 1, data, 1, true), 0);
	EXPECT_EQ(bdev_rw(disk, SECTORS - 1, data, 2, true), -EINVAL);
	EXPECT_EQ(bdev_flush(disk), 0);
	EXPECT(!hosted_block_open(path, "vdb", &err));
	EXPECT_EQ(err, -EBUSY);
	hosted_block_close(disk, true);
	EXPECT(!bdev_find_name("vda"));
	again = hosted_block_open(path, "vda", &err);
	ASSERT(again);
	EXPECT_EQ(bdev_rw(again, 100, back, 128, false), 0);
	EXPECT(!memcmp(back, data, sizeof(data)));
	/* What is discarded is a hole, where the host's file system has holes. */
	EXPECT(!stat(path, &st));
	full = (u64)st.st_blocks;
	EXPECT_EQ(bdev_discard(again, 96, 160), 0);
	EXPECT(!stat(path, &st));
	EXPECT_EQ(bdev_rw(again, 104, back, 8, false), 0);
	if ((u64)st.st_blocks < full)
		EXPECT(back[0] == 0 && back[4095] == 0);
	else
		EXPECT(!memcmp(back, data + 4 * 512, 4096));
	hosted_block_close(again, true);
	unlink(path);
}

TEST(block_file, pages_of_the_machine)
{
	struct page *page = alloc_pages(GFP_HIGHUSER, 0);
	struct bdev *disk;
	int err;
	u8 *at;

	ASSERT(page && make_file(SECTORS * 512));
	disk = hosted_block_open(path, "vda", &err);
	ASSERT(disk);
	at = kmap_local_page(page);
	memset(at, 0x3c, PAGE_SIZE);
	kunmap_local(at);
	EXPECT_EQ(bdev_rw_page(disk, 8, page, true), 0);
	clear_highpage(page);
	EXPECT_EQ(bdev_rw_page(disk, 8, page, false), 0);
	at = kmap_local_page(page);
	EXPECT(at[0] == 0x3c && at[PAGE_SIZE - 1] == 0x3c);
	kunmap_local(at);
	hosted_block_close(disk, true);
	__free_pages(page, 0);
	unlink(path);
}

TEST(block_file, what_the_host_refuses)
{
	struct bdev *disk;
	int err;

	EXPECT(!hosted_block_open("/nonexistent/disk", "vda", &err));
	EXPECT_EQ(err, -ENOENT);
	ASSERT(make_file(100));
	EXPECT(!hosted_block_open(path, "vda", &err));
	EXPECT_EQ(err, -EINVAL);
	EXPECT(!truncate(path, 512 * 16));
	disk = hosted_block_open(path, "vda", &err);
	ASSERT(disk);
	/* It has become shorter: the rest is a bad disk's. */
	EXPECT(!truncate(path, 512 * 8));
	EXPECT_EQ(bdev_rw(disk, 4, back, 8, false), -EIO);
	EXPECT_EQ(bdev_rw(disk, 0, back, 8, false), 0);
	EXPECT_EQ(disk->errors[0], 1);
	hosted_block_close(disk, true);
	unlink(path);
}

/* Who may only read the file has a disk that can only be read, as far as there are whole sectors. */
TEST(block_file, read_only_and_an_odd_length)
{
	const uid_t nobody = 65534, me = geteuid();
	struct bdev *disk;
	int err;

	ASSERT(make_file(512 * 8 + 511));
	EXPECT(!chmod(path, 0444));
	ASSERT(me || !seteuid(nobody)); /* whom permissions do not stop */
	disk = hosted_block_open(path, "vda", &err);
	ASSERT(!seteuid(me));
	ASSERT(disk);
	EXPECT(disk->read_only);
	EXPECT_EQ(disk->sectors, 8);
	EXPECT_EQ(bdev_rw(disk, 0, back, 8, false), 0);
	EXPECT_EQ(bdev_rw(disk, 8, back, 1, false), -EINVAL);
	EXPECT_EQ(bdev_rw(disk, 0, back, 1, true), -EROFS);
	EXPECT_EQ(bdev_flush(disk), 0);
	hosted_block_close(disk, true);
	unlink(path);
}
