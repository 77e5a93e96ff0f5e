// SPDX-License-Identifier: MIT
/* A block device as a file. */
#include <octavo/pagemap.h>

#include "../unit/proc_text.h"
#include "harness.h"
#include "hosted.h"
#include "mm/base/findings.h"
#include "mm/block/block.h"
#include "mm/cache/filemap.h"
#include "tasks.h"

#define SECTORS 1005u /* not whole pages */

static u8 disk[SECTORS * 512], buffer[64 * 1024];
static struct inode inode;
static struct file *file;
static struct bdev *device;

static void evict(struct inode *gone)
{
	inode_evict_mapping(gone);
}

static const struct inode_operations i_ops = { .evict = evict };

static bool begin(void)
{
	for (unsigned int i = 0; i < sizeof(disk); i++)
		disk[i] = (u8)(i ^ i >> 9);
	memset(&inode, 0, sizeof(inode));
	inode.i_op = &i_ops;
	device = hosted_block_set(1, disk, SECTORS) ? NULL : bdev_of_port(1, "disk1", SECTORS, true);
	if (!device || bdev_init_inode(&inode, device))
		return false;
	file = alloc_file(&inode, FMODE_READ | FMODE_WRITE, 0, &bdev_fops);
	return file != NULL;
}

static void end(void)
{
	struct findings f = { .n = 0 };

	page_cache_verify(&f);
	EXPECT_EQ(f.n, 0);
	fput(file); /* with the inode's only reference */
	EXPECT_EQ(nr_blockdev_pages(), 0);
	bdev_put_port(device);
	EXPECT_EQ(hosted_block_set(1, NULL, 0), 0);
}

static s64 rw(bool write, void *at, size_t n, u64 pos)
{
	struct iov_iter iter = { .base = at, .count = n };

	return write ? file->f_op->write_iter(file, &iter, &pos) : file->f_op->read_iter(file, &iter, &pos);
}

TEST(bdev, any_size_and_offset)
{
	u64 chance = test_seed;

	ASSERT(begin());
	for (unsigned int i = 0; i < 300; i++) {
		u64 r = test_random(&chance), pos = r % sizeof(disk);
		size_t n = (size_t)(r >> 32) % (r & 1 ? 700 : sizeof(buffer));
		size_t want = min(n, sizeof(disk) - (size_t)pos);
		static u8 shadow[sizeof(disk)];

		if (!i)
			memcpy(shadow, disk, sizeof(disk));
		if (r >> 20 & 1) {
			memset(buffer, (int)i, n);
			memset(shadow + pos, (int)i, want);
			EXPECT_EQ(rw(true, buffer, n, pos), want);
		} else {
			EXPECT_EQ(rw(false, buffer, n, pos), want);
			EXPECT(!memcmp(buffer, shadow + pos, want));
		}
		if (i % 50 == 49) {
			EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
			EXPECT(!memcmp(disk, shadow, sizeof(disk)));
			invalidate_mapping_pages(&inode.i_data, 0, ~0ul);
			EXPECT_EQ(inode.i_data.nrpages, 0);
		}
	}
	end();
}

TEST(bdev, its_end)
{
	ASSERT(begin());
	EXPECT(file_bdev(file) == device);
	EXPECT_EQ(rw(false, buffer, 100, sizeof(disk)), 0);
	EXPECT_EQ(rw(false, buffer, 100, sizeof(disk) - 7), 7);
	EXPECT_EQ(rw(true, buffer, 100, sizeof(disk)), -ENOSPC);
	EXPECT_EQ(rw(true, buffer, 100, sizeof(disk) - 7), 7);
	EXPECT_EQ(rw(true, buffer, 0, sizeof(disk)), 0);
	EXPECT_EQ(i_size_read(&inode), sizeof(disk));
	end();
}

/* What O_APPEND and the limit of files' sizes are about, a device has not got. */
TEST(bdev, append_and_limit)
{
	struct test_process p;
	u64 pos = 5000;
	struct iov_iter iter = { .base = buffer, .count = 7 };

	ASSERT(begin() && test_process_start(&p));
	file->f_flags |= 02000;
	p.process.rlimit[RLIMIT_FSIZE].cur = 4096;
	memset(buffer, 'x', 7);
	EXPECT_EQ(file->f_op->write_iter(file, &iter, &pos), 7);
	EXPECT_EQ(pos, 5007);
	EXPECT_EQ(rw(true, buffer, 7, sizeof(disk)), -ENOSPC);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	EXPECT(!memcmp(disk + 5000, "xxxxxxx", 7) && disk[5007] != 'x');
	test_process_exit(&p);
	end();
}

static u64 meminfo(const char *label)
{
	return proc_value("/proc/meminfo", label);
}

TEST(bdev, its_pages_are_buffers)
{
	u64 cached;

	ASSERT(begin());
	cached = meminfo("Cached:");
	EXPECT_EQ(meminfo("Buffers:"), 0);
	EXPECT_EQ(rw(false, buffer, 1, 0), 1);
	EXPECT_EQ(meminfo("Buffers:"), inode.i_data.nrpages * (PAGE_SIZE / 1024));
	EXPECT_EQ(meminfo("Cached:"), cached);
	EXPECT_EQ(rw(true, buffer, 1, 0), 1);
	EXPECT_EQ(meminfo("Dirty:"), global_node_page_state(NR_FILE_DIRTY) * (PAGE_SIZE / 1024));
	EXPECT(meminfo("Dirty:") > 0);
	end();
}

TEST(bdev, errors)
{
	ASSERT(begin());
	hosted_block_fail(1, 9);
	EXPECT_EQ(rw(false, buffer, 10, 300000), -EIO);
	hosted_block_fail(1, 0);
	EXPECT_EQ(rw(false, buffer, 10, 300000), 10);
	EXPECT_EQ(rw(true, buffer, 10, 300000), 10);
	hosted_block_fail(1, 1);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), -EIO);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	end();
}

/* What pgpgin and pgpgout of /proc/vmstat count, in KiB. */
TEST(bdev, transfers_are_counted)
{
	u64 in, out;

	ASSERT(begin());
	in = proc_value("/proc/vmstat", "pgpgin");
	out = proc_value("/proc/vmstat", "pgpgout");
	EXPECT_EQ(rw(false, buffer, 1, 0), 1);
	EXPECT_EQ(proc_value("/proc/vmstat", "pgpgin") - in, inode.i_data.nrpages * (PAGE_SIZE / 1024));
	EXPECT_EQ(rw(true, buffer, 1, 0), 1);
	EXPECT_EQ(proc_value("/proc/vmstat", "pgpgout"), out);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	EXPECT(proc_value("/proc/vmstat", "pgpgout") >= out + PAGE_SIZE / 1024);
	end();
}

TEST(bdev, cachestat)
{
	struct cachestat stat;

	ASSERT(begin());
	filemap_cachestat(&inode.i_data, 0, ~0ul, &stat);
	EXPECT_EQ(stat.nr_cache, 0);
	EXPECT_EQ(rw(false, buffer, sizeof(buffer), 0), sizeof(buffer));
	filemap_cachestat(&inode.i_data, 0, ~0ul, &stat);
	EXPECT_EQ(stat.nr_cache, inode.i_data.nrpages);
	EXPECT_EQ(stat.nr_dirty, 0);
	/* Parts of large folios, too. */
	filemap_cachestat(&inode.i_data, 3, 5, &stat);
	EXPECT_EQ(stat.nr_cache, 3);
	filemap_cachestat(&inode.i_data, 1, sizeof(buffer) / PAGE_SIZE - 2, &stat);
	EXPECT_EQ(stat.nr_cache, sizeof(buffer) / PAGE_SIZE - 2);
	EXPECT_EQ(rw(true, buffer, 1, 0), 1);
	filemap_cachestat(&inode.i_data, 0, 0, &stat);
	EXPECT_EQ(stat.nr_dirty, 1);
	filemap_cachestat(&inode.i_data, 0, ~0ul, &stat);
	EXPECT_EQ(stat.nr_dirty, global_node_page_state(NR_FILE_DIRTY));
	EXPECT_EQ(stat.nr_writeback + stat.nr_evicted + stat.nr_recently_evicted, 0);
	end();
}

TEST(bdev, sync_file_range)
{
	ASSERT(begin());
	EXPECT_EQ(rw(true, "one", 3, 0), 3);
	EXPECT_EQ(rw(true, "two", 3, 400000), 3);
	EXPECT_EQ(sync_file_range(file, 0, 10, SYNC_FILE_RANGE_WAIT_BEFORE), 0);
	EXPECT_EQ(sync_file_range(file, 0, 10, 0), 0);
	EXPECT(memcmp(disk, "one", 3));
	EXPECT_EQ(sync_file_range(file, 0, 10, 7), 0);
	EXPECT(!memcmp(disk, "one", 3) && memcmp(disk + 400000, "two", 3));
	EXPECT_EQ(sync_file_range(file, 100000, 0, SYNC_FILE_RANGE_WRITE), 0);
	EXPECT(!memcmp(disk + 400000, "two", 3));
	EXPECT_EQ(sync_file_range(file, 0, 10, 8), -EINVAL);
	EXPECT_EQ(sync_file_range(file, -1, 10, 0), -EINVAL);
	EXPECT_EQ(sync_file_range(file, 1, -1, 0), -EINVAL);
	EXPECT_EQ(sync_file_range(file, 1, INT64_MAX, 0), -EINVAL);
	EXPECT_EQ(rw(true, "bad", 3, 0), 3);
	hosted_block_fail(1, 1);
	EXPECT_EQ(sync_file_range(file, 0, 10, SYNC_FILE_RANGE_WRITE), -EIO);
	EXPECT_EQ(sync_file_range(file, 0, 10, SYNC_FILE_RANGE_WAIT_AFTER), -EIO);
	EXPECT_EQ(sync_file_range(file, 0, 10, SYNC_FILE_RANGE_WAIT_AFTER), 0);
	end();
}
