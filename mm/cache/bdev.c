// SPDX-License-Identifier: MIT
/*
 * A block device as a file: its bytes in the page cache, read and written by folio through bdev_rw().
 *
 * Whoever writes back waits for the device: the simplest correct form. Folios are in memory that the direct map shows,
 * so that the port can be given their address.
 */
#include "filemap.h"

#include "../base/string.h"
#include "../block/block.h"

#define BDEV_ORDER_MAX 5u /* 128 KiB at once */

static unsigned long blockdev_pages __memsys;

unsigned long nr_blockdev_pages(void)
{
	return load_relaxed(&blockdev_pages);
}

void bdev_count_pages(long nr)
{
	atomic_add_relaxed(&blockdev_pages, (unsigned long)nr);
}

static struct bdev *device_of(const struct address_space *mapping)
{
	return mapping->private_data;
}

struct bdev *file_bdev(const struct file *file)
{
	const struct address_space *mapping = file->f_mapping;

	return mapping && mapping->a_ops == &bdev_aops ? device_of(mapping) : NULL;
}

/* Bytes of the folio that the device has: of the last one less than a folio, perhaps. */
static size_t bytes_of(const struct address_space *mapping, const struct folio *folio)
{
	u64 start = (u64)page_index(&folio->page) << PAGE_SHIFT, size = i_size_read(mapping->host);

	return start < size ? (size_t)min(size - start, (u64)folio_size(folio)) : 0;
}

static int transfer(const struct address_space *mapping, struct folio *folio, bool write)
{
	u64 sector = (u64)page_index(&folio->page) << (PAGE_SHIFT - SECTOR_SHIFT);
	size_t bytes = bytes_of(mapping, folio);

	if (!bytes)
		return 0;
	return bdev_rw(device_of(mapping), sector, page_address(&folio->page), (unsigned int)(bytes >> SECTOR_SHIFT),
		       write);
}

static int bdev_read_folio(struct file *file, struct folio *folio)
{
	const struct address_space *mapping = folio_mapping(folio);
	size_t bytes = bytes_of(mapping, folio);
	int err = transfer(mapping, folio, false);

	(void)file;
	if (!err)
		memset((char *)page_address(&folio->page) + bytes, 0, folio_size(folio) - bytes);
	folio_end_read(folio, !err);
	return err;
}

static void bdev_readahead(struct file *file, struct address_space *mapping, unsigned long index, unsigned long nr)
{
	unsigned long end = index + nr;

	while (index < end) {
		struct folio *folio = page_cache_ra_folio(mapping, index, min(end - index, 1ul << BDEV_ORDER_MAX));
		int err;

		if (!folio)
			return;
		index = folio_next_index(folio);
		err = bdev_read_folio(file, folio);
		folio_put(folio);
		if (err)
			return;
	}
}

static int bdev_write_folio(struct address_space *mapping, struct folio *folio)
{
	int err;

	folio_start_writeback(folio);
	folio_unlock(folio);
	err = transfer(mapping, folio, true);
	folio_end_writeback(folio);
	return err;
}

static int write_folio(struct folio *folio, void *ctx)
{
	return bdev_write_folio(ctx, folio);
}

static int bdev_writepages(struct address_space *mapping, u64 start, u64 end)
{
	return write_cache_pages(mapping, start, end, write_folio, mapping);
}

const struct address_space_operations bdev_aops = {
	.read_folio = bdev_read_folio,
	.readahead = bdev_readahead,
	.writepages = bdev_writepages,
	.write_folio = bdev_write_folio,
	.write_begin = generic_write_begin,
	.write_end = generic_write_end,
};

/* A device does not grow: O_APPEND and RLIMIT_FSIZE mean nothing to it. */
static s64 bdev_write_iter(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct inode *inode = file->f_mapping->host;
	u64 size = i_size_read(inode), at = *pos;
	s64 written;

	if (!from->count)
		return 0;
	if (at >= size)
		return -ENOSPC;
	from->count = (size_t)min((u64)from->count, size - at);
	down_write(&inode->i_rwsem);
	written = generic_perform_write(file, from, at);
	up_write(&inode->i_rwsem);
	if (written > 0)
		*pos = at + (u64)written;
	return generic_write_sync(file, at, written);
}

/* An error of the pages is told first: the next fsync(2) flushes again. */
static int bdev_fsync(struct file *file, u64 start, u64 end, bool datasync)
{
	int err = generic_file_fsync(file, start, end, datasync);

	return err ? err : bdev_flush(device_of(file->f_mapping));
}

const struct file_operations bdev_fops = {
	.read_iter = generic_file_read_iter,
	.write_iter = bdev_write_iter,
	.mmap = generic_file_mmap,
	.fsync = bdev_fsync,
	.llseek = generic_file_llseek,
};

int bdev_init_inode(struct inode *inode, struct bdev *bdev)
{
	int err = inode_init_mapping(inode, &bdev_aops, GFP_KERNEL);

	if (err)
		return err;
	inode->i_size = load_relaxed_u64(&bdev->sectors) << SECTOR_SHIFT;
	inode->i_rdev = bdev->dev;
	inode->i_data.private_data = bdev;
	inode->i_data.gfp_mask = GFP_USER;
	atomic_fetch_or(&inode->i_data.flags, 1ul << AS_LARGE_FOLIO_SUPPORT);
	inode->i_fop = &bdev_fops;
	flusher_join(&inode->i_data, bdev);
	return 0;
}
