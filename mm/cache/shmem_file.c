// SPDX-License-Identifier: MIT
/* shmem's open files: read, write, seek. Sources: read(2), write(2), lseek(2), tmpfs(5). */
#include "shmem.h"

#include <octavo/highmem.h>
#include <octavo/uaccess.h>

#include "../base/printk.h"
#include "../sync/atomic.h"

enum { SEEK_FROM_START, SEEK_FROM_POSITION, SEEK_FROM_END, SEEK_TO_DATA, SEEK_TO_HOLE };

bool file_is_shmem(const struct file *file)
{
	return file->f_op == &shmem_file_operations;
}

/* Bytes that the caller's files may have. */
static u64 size_limit(void)
{
	unsigned long limit = task_rlimit(current_task(), RLIMIT_FSIZE);

	return limit == RLIM_INFINITY ? SHMEM_MAX_BYTES : min_t(u64, limit, SHMEM_MAX_BYTES);
}

int shmem_size_ok(const struct inode *inode, u64 size)
{
	return size > i_size_read(inode) && size > size_limit() ? -EFBIG : 0;
}

/* ---- Read ---- */

/*
 * Some or all of @n bytes to @to, with the page seen by this CPU only and no page of the reader's faulted in
 * meanwhile: that is done ahead.
 */
static size_t page_to_iter(struct page *page, size_t offset, size_t n, struct iov_iter *to)
{
	char *from = kmap_local_page(page);
	size_t done;

	pagefault_disable();
	done = copy_to_iter(from + offset, n, to);
	pagefault_enable();
	kunmap_local(from);
	return done;
}

static size_t copy_out(struct folio *folio, size_t offset, size_t n, struct iov_iter *to)
{
	size_t done = 0;

	while (done < n) {
		size_t got = page_to_iter(&folio->page, offset + done, n - done, to);

		done += got;
		if (done < n && !got && (!to->user || fault_in_writeable((uintptr_t)to->base, n - done) == n - done))
			break;
	}
	return done;
}

/* With a reference; NULL: nothing is there, or *@err says that it is not to be had. */
static struct folio *folio_to_read(struct inode *inode, unsigned long index, int *err)
{
	struct folio *folio = filemap_get_folio(inode->i_mapping, index);

	if (likely(folio) || !xa_load(&inode->i_mapping->i_pages, index))
		return folio;
	/* Swapped out, or just coming or going. */
	*err = shmem_get_folio(inode, index, SHMEM_READ, &folio);
	if (*err == -EINVAL)
		*err = 0;
	if (folio)
		folio_unlock(folio);
	return folio;
}

static s64 shmem_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct inode *inode = file->f_inode;
	s64 total = 0;

	while (to->count && *pos < i_size_read(inode)) {
		size_t offset = (size_t)(*pos & (PAGE_SIZE - 1)), n = min(PAGE_SIZE - offset, to->count), got;
		int err = 0;
		struct folio *folio = folio_to_read(inode, (unsigned long)(*pos >> PAGE_SHIFT), &err);
		u64 size = i_size_read(inode);

		if (unlikely(folio && PageHWPoison(&folio->page))) {
			folio_put(folio);
			err = -EIO;
		}
		if (unlikely(err))
			return total ? total : err;
		/* The size as of after the folio was found: what has been cut off is not read. */
		n = *pos < size ? (size_t)min_t(u64, n, size - *pos) : 0;
		if (folio && PageUptodate(&folio->page))
			got = copy_out(folio, offset, n, to);
		else
			got = iov_iter_zero(n, to);
		if (folio)
			folio_put(folio);
		*pos += got;
		total += (s64)got;
		if (n && !got)
			return total ? total : -EFAULT;
		if (got < n || !n || fatal_signal_pending(current_task()))
			break;
	}
	/* relatime: once after each change. */
	if (total && inode->i_atime <= inode->i_mtime)
		inode->i_atime = octavo_realtime_ns();
	return total;
}

/* ---- Write ---- */

static size_t page_from_iter(struct page *page, size_t offset, size_t n, struct iov_iter *from)
{
	char *to = kmap_local_page(page);
	size_t done;

	pagefault_disable();
	done = copy_from_iter(to + offset, n, from);
	pagefault_enable();
	kunmap_local(to);
	return done;
}

/*
 * Up to @n bytes at *@pos, all in one page. Pages of the writer's are faulted in before the folio is locked, which may
 * be the very same page. Return: bytes, or an error.
 */
static s64 write_page(struct inode *inode, struct iov_iter *from, u64 pos, size_t n)
{
	size_t offset = (size_t)(pos & (PAGE_SIZE - 1)), done;
	u64 size = i_size_read(inode), grown = max(size, pos + n);
	struct folio *folio;
	int err;

	if (from->user && fault_in_readable((uintptr_t)from->base, n) == n)
		return -EFAULT;
	if (grown > size && shmem_reacct_size(shmem_i(inode)->flags, size, grown))
		return -ENOSPC;
	err = shmem_get_folio(inode, (unsigned long)(pos >> PAGE_SHIFT), SHMEM_WRITE, &folio);
	if (err) {
		shmem_unacct_tail(shmem_i(inode)->flags, grown, size);
		return err;
	}
	if (unlikely(PageHWPoison(&folio->page))) {
		folio_unlock(folio);
		folio_put(folio);
		shmem_unacct_tail(shmem_i(inode)->flags, grown, size);
		return -EIO;
	}
	done = page_from_iter(&folio->page, offset, n, from);
	if (!PageUptodate(&folio->page)) {
		memzero_page(&folio->page, 0, offset);
		memzero_page(&folio->page, offset + done, PAGE_SIZE - offset - done);
		SetPageUptodate(&folio->page);
	}
	if (pos + done > size)
		i_size_write(inode, pos + done);
	if (grown > size)
		shmem_unacct_tail(shmem_i(inode)->flags, grown, i_size_read(inode));
	if (!PageDirty(&folio->page))
		SetPageDirty(&folio->page);
	folio_unlock(folio);
	folio_put(folio);
	return (s64)done;
}

static s64 write_locked(struct inode *inode, struct iov_iter *from, u64 *pos)
{
	u32 seals = shmem_i(inode)->seals;
	s64 total = 0, got = 0;

	while (from->count) {
		size_t n = (size_t)min_t(u64, from->count, PAGE_SIZE - (*pos & (PAGE_SIZE - 1)));

		got = -EPERM;
		if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			break;
		if (seals & F_SEAL_GROW && *pos + n > i_size_read(inode))
			break;
		got = write_page(inode, from, *pos, n);
		if (got < 0)
			break;
		*pos += (u64)got;
		total += got;
		got = -EINTR;
		if (fatal_signal_pending(current_task()))
			break;
	}
	return total || !from->count ? total : got;
}

static s64 shmem_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct inode *inode = file->f_inode;
	u64 limit = size_limit();
	s64 ret = -EFBIG;

	if (!from->count)
		return 0;
	down_write(&inode->i_rwsem);
	if (file->f_flags & O_APPEND)
		*pos = i_size_read(inode);
	if (*pos < limit) {
		size_t rest = from->count;

		if (from->count > limit - *pos)
			from->count = (size_t)(limit - *pos);
		rest -= from->count;
		inode->i_mtime = inode->i_ctime = octavo_realtime_ns();
		ret = write_locked(inode, from, pos);
		from->count += rest;
	}
	up_write(&inode->i_rwsem);
	return ret;
}

/* ---- Seek ---- */

static bool has_data(struct address_space *mapping, unsigned long index)
{
	struct folio *folio = xa_load(&mapping->i_pages, index);

	return folio && (xa_is_value(folio) || PageUptodate(&folio->page));
}

/* The first index at or behind @index, before @end, that is data or is not, as @data says; @end: none. */
static unsigned long seek_index(struct address_space *mapping, unsigned long index, unsigned long end, bool data)
{
	while (index < end) {
		unsigned long stop = end - index > 512 ? index + 512 : end;
		bool found = false;

		rcu_read_lock();
		/* Many holes at one step. */
		if (data && !xa_find(&mapping->i_pages, &index, end - 1))
			index = stop = end;
		while (index < stop && !(found = has_data(mapping, index) == data))
			index++;
		rcu_read_unlock();
		if (found)
			break;
	}
	return index;
}

static s64 seek_data(struct inode *inode, s64 offset, bool data)
{
	u64 size = i_size_read(inode), at;
	unsigned long start = (unsigned long)((u64)offset >> PAGE_SHIFT), index;

	if (offset < 0 || (u64)offset >= size)
		return -ENXIO;
	index = seek_index(inode->i_mapping, start, (unsigned long)((size + PAGE_SIZE - 1) >> PAGE_SHIFT), data);
	at = index == start ? (u64)offset : (u64)index << PAGE_SHIFT;
	if (at < size)
		return (s64)at;
	return data ? -ENXIO : (s64)size;
}

s64 shmem_llseek(struct file *file, s64 offset, int whence)
{
	struct inode *inode = file->f_inode;
	s64 base = 0;

	switch (whence) {
	case SEEK_FROM_START:
		break;
	case SEEK_FROM_POSITION:
		base = (s64)file->f_pos;
		break;
	case SEEK_FROM_END:
		base = (s64)i_size_read(inode);
		break;
	case SEEK_TO_DATA:
	case SEEK_TO_HOLE:
		down_read(&inode->i_rwsem);
		offset = seek_data(inode, offset, whence == SEEK_TO_DATA);
		up_read(&inode->i_rwsem);
		if (offset < 0)
			return offset;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &offset) || offset < 0)
		return -EINVAL;
	file->f_pos = (u64)offset;
	return offset;
}

/* ---- The rest ---- */

static int shmem_fsync(struct file *file, u64 start, u64 end, bool datasync)
{
	(void)file;
	(void)start;
	(void)end;
	(void)datasync;
	return 0;
}

/* Files with a name in a directory have the kernel's. */
static size_t shmem_show_path(const struct file *file, char *text, size_t size)
{
	const char *name = shmem_i(file->f_inode)->name;

	return name ? octavo_snprintf(text, size, "/%s (deleted)", name) : 0;
}

const struct file_operations shmem_file_operations = {
	.read_iter = shmem_read,
	.write_iter = shmem_write,
	.mmap = shmem_mmap,
	.fsync = shmem_fsync,
	.fallocate = shmem_fallocate,
	.llseek = shmem_llseek,
	.show_path = shmem_show_path,
};
