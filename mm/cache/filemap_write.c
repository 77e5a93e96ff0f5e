// SPDX-License-Identifier: MIT
/* Writing files through the page cache. */
#include <octavo/highmem.h>
#include <octavo/uaccess.h>

#include "filemap.h"

#define O_APPEND 02000
#define O_DSYNC 010000
#define O_SYNC 04000000

/* ---- For file systems that need nothing special ---- */

/* All but [@from, @to), which is about to be written. */
static void zero_around(struct folio *folio, size_t from, size_t to)
{
	for (size_t at = 0; at < folio_size(folio); at += PAGE_SIZE) {
		struct page *page = folio_page(folio, at >> PAGE_SHIFT);
		size_t begin = clamp(from, at, at + PAGE_SIZE) - at, behind = clamp(to, at, at + PAGE_SIZE) - at;

		if (begin)
			memset_page(page, 0, 0, begin);
		if (behind < PAGE_SIZE)
			memset_page(page, max(begin, behind), 0, PAGE_SIZE - max(begin, behind));
	}
}

int generic_write_begin(struct file *file, struct address_space *mapping, u64 pos, size_t len, struct folio **result)
{
	unsigned long index = (unsigned long)(pos >> PAGE_SHIFT);
	unsigned int order = len > PAGE_SIZE ? ilog2(len >> PAGE_SHIFT) : 0;
	int err;

	for (;;) {
		unsigned int fgp = FGP_LOCK | FGP_CREAT | FGP_WRITE | FGP_ACCESSED;
		struct folio *folio = __filemap_get_folio(mapping, index, fgp, order, mapping->gfp_mask, &err);
		u64 start, end;

		if (!folio)
			return err;
		if (unlikely(PageWriteback(&folio->page)))
			folio_wait_writeback(folio);
		*result = folio;
		if (PageUptodate(&folio->page))
			return 0;
		start = (u64)page_index(&folio->page) << PAGE_SHIFT;
		end = start + folio_size(folio);
		if (pos <= start && pos + len >= end)
			return 0; /* all of it is about to be written; write_end looks whether it was */
		if (start >= i_size_read(mapping->host)) {
			/* Nothing of it is in the file yet. */
			zero_around(folio, (size_t)(max(pos, start) - start), (size_t)(min(pos + len, end) - start));
			return 0;
		}
		folio_unlock(folio);
		err = filemap_make_uptodate(file, mapping, folio);
		folio_put(folio);
		if (err && err != AOP_GONE)
			return err;
	}
}

int generic_write_end(struct file *file, struct address_space *mapping, u64 pos, size_t len, size_t copied,
		      struct folio *folio)
{
	struct inode *inode = mapping->host;

	(void)file;
	if (!PageUptodate(&folio->page)) {
		if (copied < len) /* the rest of it is nobody's data: begin again */
			copied = 0;
		else
			SetPageUptodate(&folio->page);
	}
	if (copied) {
		if (pos + copied > inode->i_size)
			i_size_write(inode, pos + copied);
		folio_mark_dirty_of(mapping, folio);
	}
	folio_unlock(folio);
	folio_put_fast(folio);
	return (int)copied;
}

int generic_file_fsync(struct file *file, u64 start, u64 end, bool datasync)
{
	(void)datasync; /* what an inode says beside its size is the file system's to keep */
	return file_write_and_wait_range(file, start, end);
}

/* ---- write(2) ---- */

/* As much as one folio takes: a page, or up to the end of the largest the file may have. */
static size_t part_of(const struct address_space *mapping, u64 pos, size_t count)
{
	size_t most = (size_t)PAGE_SIZE << mapping_order_max(mapping);

	return min(count, most - (size_t)(pos & (most - 1)));
}

/* Return: bytes accepted, or errno; 0: the user's page went between the look and the copy. */
static s64 write_part(struct file *file, struct address_space *mapping, struct iov_iter *from, u64 pos, size_t part)
{
	struct folio *folio;
	size_t copied;
	u64 start;
	int err, accepted;

	err = mapping->a_ops->write_begin(file, mapping, pos, part, &folio);
	if (unlikely(err))
		return err;
	start = (u64)page_index(&folio->page) << PAGE_SHIFT;
	part = (size_t)min((u64)part, start + folio_size(folio) - pos);
	copied = copy_folio_from_iter_atomic(folio, (size_t)(pos - start), part, from);
	accepted = mapping->a_ops->write_end(file, mapping, pos, part, copied, folio);
	if (unlikely(accepted < (int)copied)) {
		size_t back = copied - (size_t)max(accepted, 0);

		from->base = (char *)from->base - back;
		from->count += back;
	}
	return accepted;
}

s64 generic_perform_write(struct file *file, struct iov_iter *from, u64 pos)
{
	struct address_space *mapping = file->f_mapping;
	s64 done = 0, err = 0;

	while (from->count) {
		size_t part = part_of(mapping, pos, from->count), absent;
		s64 written;

		if (unlikely(pos >> PAGE_SHIFT > FILE_INDEX_MAX)) {
			err = -EFBIG;
			break;
		}
		/* Ahead of the folio's lock: the user's page may be the very one that is written to. */
		absent = fault_in_iov_iter_readable(from, part);
		if (unlikely(absent == part)) {
			err = -EFAULT;
			break;
		}
		written = write_part(file, mapping, from, pos, part - absent);
		if (unlikely(written < 0)) {
			err = written;
			break;
		}
		pos += (u64)written;
		done += written;
		if (unlikely(dirty_balance_is_due()))
			balance_dirty_pages(mapping);
		if (unlikely(!written && fatal_signal_pending(current_task()))) {
			err = -EINTR;
			break;
		}
	}
	return done ? done : err;
}

s64 generic_write_sync(struct file *file, u64 at, s64 written)
{
	int err = 0;

	if (written > 0 && file->f_flags & (O_SYNC | O_DSYNC) && file->f_op && file->f_op->fsync)
		err = file->f_op->fsync(file, at, at + (u64)written - 1, !(file->f_flags & O_SYNC));
	return err ? err : written;
}

s64 generic_file_write_iter(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct inode *inode = file->f_mapping->host;
	unsigned long limit = task_rlimit(current_task(), RLIMIT_FSIZE);
	s64 written = 0;
	u64 at;

	if (!file->f_mapping->a_ops->write_begin)
		return -EINVAL;
	down_write(&inode->i_rwsem);
	at = file->f_flags & O_APPEND ? i_size_read(inode) : *pos;
	if (unlikely(inode->i_flags & S_SWAPFILE)) {
		up_write(&inode->i_rwsem);
		return -ETXTBSY;
	}
	if (limit != RLIM_INFINITY && from->count) {
		if (at >= limit)
			written = -EFBIG;
		else
			from->count = (size_t)min((u64)from->count, limit - at);
	}
	if (!written)
		written = generic_perform_write(file, from, at);
	up_write(&inode->i_rwsem);
	if (written <= 0)
		return written;
	*pos = at + (u64)written;
	return generic_write_sync(file, at, written);
}
