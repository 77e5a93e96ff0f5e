// SPDX-License-Identifier: MIT
/* Room for a shmem file in advance, and room given back: fallocate(2), ftruncate(2). */
#include "shmem.h"

#include "../sync/atomic.h"

/* What fallocate() put at [@start, @end) and nobody has used leaves again. */
static void take_back(struct inode *inode, unsigned long start, unsigned long end)
{
	for (unsigned long index = start; index < end; index++) {
		struct folio *folio;

		folio = filemap_get_folio(inode->i_mapping, index);
		if (!folio)
			continue;
		folio_lock(folio);
		if (folio_mapping(folio) == inode->i_mapping && !PageUptodate(&folio->page))
			filemap_remove_folio(folio);
		folio_unlock(folio);
		folio_put(folio);
	}
	shmem_recalc(inode, 0);
}

static int fill_range(struct inode *inode, unsigned long start, unsigned long end)
{
	int err = 0;

	for (unsigned long index = start; index < end; index++) {
		struct folio *folio;

		err = fatal_signal_pending(current_task()) ?
			      -EINTR :
			      shmem_get_folio(inode, index, SHMEM_FALLOC, &folio);
		if (err) {
			take_back(inode, start, index);
			break;
		}
		/* Not to be lost as a clean page would be. */
		if (!PageDirty(&folio->page))
			SetPageDirty(&folio->page);
		folio_unlock(folio);
		folio_put(folio);
	}
	return err;
}

static long allocate(struct inode *inode, int mode, u64 offset, u64 len)
{
	struct shmem_inode *info = shmem_i(inode);
	unsigned long start = (unsigned long)(offset >> PAGE_SHIFT);
	unsigned long end = (unsigned long)((offset + len + PAGE_SIZE - 1) >> PAGE_SHIFT);
	unsigned long most = info->sb ? load_relaxed(&info->sb->max_blocks) : 0;
	u64 size = i_size_read(inode), grown = mode & FALLOC_FL_KEEP_SIZE ? size : max(size, offset + len);
	int err = shmem_size_ok(inode, offset + len);

	if (err)
		return err;
	if (info->seals & F_SEAL_GROW && offset + len > size)
		return -EPERM;
	/* What can never be is not begun. */
	if (most && end - start > most)
		return -ENOSPC;
	if (grown > size && shmem_reacct_size(info->flags, size, grown))
		return -ENOSPC;
	store_relaxed(&info->fallocating, 1);
	err = fill_range(inode, start, end);
	store_relaxed(&info->fallocating, 0);
	if (err)
		shmem_unacct_tail(info->flags, grown, size);
	else if (grown > size)
		i_size_write(inode, grown);
	inode->i_ctime = octavo_realtime_ns();
	if (!err)
		inode->i_mtime = inode->i_ctime;
	return err;
}

static long punch(struct inode *inode, u64 offset, u64 len)
{
	u64 first = (offset + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1), end = (offset + len) & ~(u64)(PAGE_SIZE - 1);

	if (shmem_i(inode)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if (end > first)
		unmap_mapping_range(inode->i_mapping, first, end - first, false);
	shmem_drop_range(inode, offset, offset + len - 1);
	inode->i_mtime = inode->i_ctime = octavo_realtime_ns();
	return 0;
}

long shmem_fallocate(struct file *file, int mode, u64 offset, u64 len)
{
	struct inode *inode = file->f_inode;
	long ret;

	if (!len || offset > (u64)INT64_MAX || len > (u64)INT64_MAX)
		return -EINVAL;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE) || mode == FALLOC_FL_PUNCH_HOLE)
		return -EOPNOTSUPP;
	if (offset + len > (u64)INT64_MAX)
		return -EFBIG;
	down_write(&inode->i_rwsem);
	ret = mode & FALLOC_FL_PUNCH_HOLE ? punch(inode, offset, len) : allocate(inode, mode, offset, len);
	up_write(&inode->i_rwsem);
	return ret;
}

/* The size, and what is beyond it goes: mappings first, and again, for those that were made in between. */
static void set_size(struct inode *inode, u64 old, u64 size)
{
	u64 hole = (size + PAGE_SIZE - 1) & ~(u64)(PAGE_SIZE - 1);

	i_size_write(inode, size);
	inode->i_mtime = inode->i_ctime = octavo_realtime_ns();
	if (size > old)
		return;
	if (old > hole)
		unmap_mapping_range(inode->i_mapping, hole, 0, true);
	if (load_relaxed(&shmem_i(inode)->alloced))
		shmem_drop_range(inode, size, ~(u64)0);
	if (old > hole)
		unmap_mapping_range(inode->i_mapping, hole, 0, true);
}

int shmem_truncate(struct inode *inode, u64 size)
{
	struct shmem_inode *info = shmem_i(inode);
	u64 old;
	int err;

	down_write(&inode->i_rwsem);
	old = i_size_read(inode);
	err = shmem_size_ok(inode, size);
	if (!err && ((size < old && info->seals & F_SEAL_SHRINK) || (size > old && info->seals & F_SEAL_GROW)))
		err = -EPERM;
	if (!err && size != old)
		err = shmem_reacct_size(info->flags, old, size);
	if (!err)
		set_size(inode, old, size);
	up_write(&inode->i_rwsem);
	return err;
}
