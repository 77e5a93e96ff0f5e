// SPDX-License-Identifier: MIT
/*
 * Block devices as files: nodes in /dev, ioctls, what /proc says of them. A device's cache is an inode of its own, made
 * when it is first opened, whatever node leads there; it stays as long as the device. Sources: ioctl_list(2), blkdev
 * ioctls of <linux/fs.h>; Documentation/admin-guide/iostats.rst.
 */
#include "blkdev.h"

#include <octavo/blkdev.h>

struct block_inode {
	struct inode inode;
	struct bdev *bdev;
	struct block_inode *next;
};

static struct {
	struct rw_semaphore lock;
	bool ready;
	struct block_inode *first;	 /* lock */
	struct file_operations fops;	 /* the core's, with the kernel's name for the file */
} block __memsys;

/* ---- ioctl(2) ---- */

#define BLKROGET 0x125e
#define BLKGETSIZE 0x1260
#define BLKFLSBUF 0x1261
#define BLKSSZGET 0x1268
#define BLKDISCARD 0x1277
#define BLKIOMIN 0x1278
#define BLKIOOPT 0x1279
#define BLKPBSZGET 0x127b
#define BLKROTATIONAL 0x127e
#define BLKBSZGET 0x80081270ul
#define BLKGETSIZE64 0x80081272ul

static long discard(struct file *file, struct bdev *bdev, uintptr_t arg)
{
	u64 range[2], end, size = i_size_read(file->f_mapping->host);

	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (copy_from_user(range, arg, sizeof(range)))
		return -EFAULT;
	if ((range[0] | range[1]) % 512 || !range[1] || __builtin_add_overflow(range[0], range[1], &end) || end > size)
		return -EINVAL;
	truncate_inode_pages_range(file->f_mapping, range[0], end - 1);
	return bdev_discard(bdev, range[0] >> SECTOR_SHIFT, range[1] >> SECTOR_SHIFT);
}

static long block_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct bdev *bdev = file_bdev(file);
	s32 sector = 1 << SECTOR_SHIFT, page = PAGE_SIZE, read_only = bdev->read_only, none = 0;
	u64 bytes = bdev->sectors << SECTOR_SHIFT;
	unsigned long sectors = (unsigned long)bdev->sectors;

	switch (cmd) {
	case BLKROGET:
		return put_user(read_only, arg);
	case BLKGETSIZE:
		return put_user(sectors, arg);
	case BLKGETSIZE64:
		return put_user(bytes, arg);
	case BLKSSZGET:
	case BLKPBSZGET:
	case BLKIOMIN:
		return put_user(sector, arg);
	case BLKIOOPT:
		return put_user(none, arg);
	case BLKBSZGET:
		return put_user(page, arg);
	case BLKROTATIONAL:
		return put_user((u16)bdev->rotational, arg);
	case BLKFLSBUF:
		return file_write_and_wait_range(file, 0, ~0ull >> 1);
	case BLKDISCARD:
		return discard(file, bdev, arg);
	}
	return -ENOTTY;
}

/* ---- Opening ---- */

/* With the lock held. Return: NULL without memory. */
static struct block_inode *inode_of(struct bdev *bdev)
{
	struct block_inode *b;

	for (b = block.first; b; b = b->next)
		if (b->bdev == bdev)
			return b;
	b = kzalloc(sizeof(*b), GFP_KERNEL);
	if (!b || bdev_init_inode(&b->inode, bdev)) {
		kfree(b);
		return NULL;
	}
	b->bdev = bdev;
	b->inode.i_mode = S_IFBLK | 0660;
	b->next = block.first;
	block.first = b;
	return b;
}

/* As Linux: without a user the device has all that was written to it, and nothing is remembered of it. */
static void block_release(struct file *file)
{
	struct bdev *bdev = file_bdev(file);

	down_write(&block.lock);
	if (katomic_read(&bdev->users) == 1) {
		(void)filemap_write_and_wait_range(file->f_mapping, 0, ~0ull);
		truncate_inode_pages_range(file->f_mapping, 0, ~0ull);
	}
	bdev_put(bdev);
	up_write(&block.lock);
	file_release_path(file);
}

int block_open(struct inode *inode, struct file *file)
{
	struct bdev *bdev = bdev_find(inode->i_rdev);
	struct block_inode *b;

	if (!bdev)
		return -ENXIO;
	if (file->f_mode & FMODE_WRITE && bdev->read_only)
		return -EACCES;
	if (!bdev_get(bdev))
		return -EBUSY;
	down_write(&block.lock);
	b = inode_of(bdev);
	if (b) /* a device of memory may have got its size since */
		i_size_write(&b->inode, bdev->sectors << SECTOR_SHIFT);
	up_write(&block.lock);
	if (!b) {
		bdev_put(bdev);
		return -ENOMEM;
	}
	file->f_op = &block.fops;
	file_set_mapping(file, &b->inode.i_data);
	return 0;
}

int block_nodes(const char *dir)
{
	char path[64];
	int err = 0;

	if (!block.ready) {
		block.ready = true;
		init_rwsem(&block.lock);
		block.fops = bdev_fops;
		fops_with_path(&block.fops);
		block.fops.release = block_release;
		block.fops.ioctl = block_ioctl;
	}
	for (struct bdev *bdev = bdev_next(0); bdev && !err; bdev = bdev_next(bdev->dev)) {
		octavo_snprintf(path, sizeof(path), "%s/%s", dir, bdev->name);
		err = vfs_mknod(path, S_IFBLK | 0660, bdev->dev);
	}
	return err;
}

/* ---- /proc ---- */

void block_show_partitions(struct ktext *text)
{
	ktext_printf(text, "major minor  #blocks  name\n\n");
	for (const struct bdev *bdev = bdev_next(0); bdev; bdev = bdev_next(bdev->dev))
		if (bdev->sectors)
			ktext_printf(text, "%4u  %7u %10llu %s\n", MAJOR(bdev->dev), MINOR(bdev->dev),
				     (unsigned long long)(bdev->sectors / 2), bdev->name);
}

/* Times are not taken, nor are requests merged: 0. */
void block_show_stats(struct ktext *text)
{
	for (const struct bdev *bdev = bdev_next(0); bdev; bdev = bdev_next(bdev->dev))
		ktext_printf(text, "%4u %7u %s %lu 0 %lu 0 %lu 0 %lu 0 0 0 0 %lu 0 %lu 0 %lu 0\n", MAJOR(bdev->dev),
			     MINOR(bdev->dev), bdev->name, bdev->ios[0], bdev->ios_sectors[0], bdev->ios[1],
			     bdev->ios_sectors[1], bdev->discards, bdev->discard_sectors, bdev->flushes);
}

static const char *driver_of(u32 major)
{
	return major == RAMDISK_MAJOR ? "ramdisk" : major == PORT_DISK_MAJOR ? "virtblk" : "zram";
}

void block_show_majors(struct ktext *text)
{
	u32 last = 0;

	for (const struct bdev *bdev = bdev_next(0); bdev; bdev = bdev_next(bdev->dev)) {
		if (MAJOR(bdev->dev) != last)
			ktext_printf(text, "%3u %s\n", MAJOR(bdev->dev), driver_of(MAJOR(bdev->dev)));
		last = MAJOR(bdev->dev);
	}
}
