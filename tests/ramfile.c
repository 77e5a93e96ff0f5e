// SPDX-License-Identifier: MIT
#include "ramfile.h"

#include <octavo/highmem.h>

#include "mm/base/compiler.h"
#include "mm/base/string.h"
#include "mm/sync/contents.h"

static struct ram_file *of(const struct address_space *mapping)
{
	return container_of(mapping->host, struct ram_file, inode);
}

static bool fails(unsigned int *left)
{
	unsigned int n = load_relaxed(left);

	while (n) {
		unsigned int was = atomic_cmpxchg(left, n, n - 1);

		if (was == n)
			return true;
		n = was;
	}
	return false;
}

static void wait(const struct ram_file *f)
{
	for (unsigned int i = 0; i < f->delay; i++)
		port_cpu_relax();
}

/* Bytes of the store at @pos, of at most a page: what lies behind the file's end is not stored. */
static size_t stored(const struct ram_file *f, u64 pos)
{
	u64 size = min(i_size_read(&f->inode), (u64)RAM_FILE_BYTES);

	return pos < size ? (size_t)min(size - pos, (u64)PAGE_SIZE) : 0;
}

static int read_folio(struct file *file, struct folio *folio)
{
	struct ram_file *f = of(folio_mapping(folio));
	u64 pos = (u64)folio_index(folio) << PAGE_SHIFT;
	bool bad;

	(void)file;
	wait(f);
	atomic_fetch_add(&f->reads, 1);
	bad = fails(&f->fail_reads);
	for (unsigned long i = 0; i < folio_nr_pages(folio) && !bad; i++, pos += PAGE_SIZE) {
		size_t n = stored(f, pos);

		if (n)
			memcpy_to_page(folio_page(folio, i), 0, f->store + pos, n);
		memzero_page(folio_page(folio, i), n, PAGE_SIZE - n);
	}
	folio_end_read(folio, !bad);
	return bad ? -EIO : 0;
}

static void readahead(struct file *file, struct address_space *mapping, unsigned long index, unsigned long nr)
{
	unsigned long end = index + nr;

	while (index < end) {
		struct folio *folio = page_cache_ra_folio(mapping, index, min(end - index, 8ul));
		int err;

		if (!folio)
			return;
		index = folio_index(folio) + folio_nr_pages(folio);
		err = read_folio(file, folio);
		folio_put(folio);
		if (err)
			return;
	}
}

static int ram_write_folio(struct address_space *mapping, struct folio *folio)
{
	struct ram_file *f = of(mapping);
	u64 pos = (u64)folio_index(folio) << PAGE_SHIFT;
	int err = fails(&f->fail_writes) ? (f->write_error ? f->write_error : -EIO) : 0;

	folio_start_writeback(folio);
	folio_unlock(folio);
	wait(f);
	atomic_fetch_add(&f->writes, 1);
	for (unsigned long i = 0; i < folio_nr_pages(folio) && !err; i++, pos += PAGE_SIZE) {
		size_t n = stored(f, pos);

		if (n)
			memcpy_from_page(f->store + pos, folio_page(folio, i), 0, n);
	}
	folio_end_writeback(folio);
	return err;
}

static int write_folio(struct folio *folio, void *ctx)
{
	return ram_write_folio(ctx, folio);
}

static int writepages(struct address_space *mapping, u64 start, u64 end)
{
	return write_cache_pages(mapping, start, end, write_folio, mapping);
}

/* ---- As swap: past the page cache ---- */

static int swap_activate(struct file *file)
{
	return of(file->f_mapping)->holes ? -EINVAL : 0;
}

static int swap_rw(struct file *file, u64 pos, struct page *page, bool write)
{
	struct ram_file *f = of(file->f_mapping);

	wait(f);
	atomic_fetch_add(write ? &f->writes : &f->reads, 1);
	if (fails(write ? &f->fail_writes : &f->fail_reads))
		return -EIO;
	if (write)
		memcpy_from_page(f->store + pos, page, 0, PAGE_SIZE);
	else
		memcpy_to_page(page, 0, f->store + pos, PAGE_SIZE);
	return 0;
}

static const struct address_space_operations a_ops = {
	.swap_activate = swap_activate,
	.swap_rw = swap_rw,
	.read_folio = read_folio,
	.readahead = readahead,
	.writepages = writepages,
	.write_folio = ram_write_folio,
	.write_begin = generic_write_begin,
	.write_end = generic_write_end,
};

static long fallocate(struct file *file, int mode, u64 offset, u64 len)
{
	if (mode != 3 || !len) /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */
		return -EOPNOTSUPP;
	ram_file_punch(of(file->f_mapping), offset, offset + len - 1);
	return 0;
}

static const struct file_operations f_ops = {
	.read_iter = generic_file_read_iter,
	.write_iter = generic_file_write_iter,
	.mmap = generic_file_mmap,
	.fsync = generic_file_fsync,
	.fallocate = fallocate,
	.llseek = generic_file_llseek,
};

static void evict(struct inode *inode)
{
	inode_evict_mapping(inode);
	container_of(inode, struct ram_file, inode)->evicted = true;
}

static const struct inode_operations i_ops = { .evict = evict };

bool ram_file_make(struct ram_file *f, u8 *store, u64 size, bool large)
{
	memset(f, 0, sizeof(*f));
	f->store = store;
	f->inode.i_op = &i_ops;
	f->inode.i_fop = &f_ops;
	f->inode.i_size = size;
	if (inode_init_mapping(&f->inode, &a_ops, GFP_KERNEL))
		return false;
	if (large)
		(void)atomic_fetch_or(&f->inode.i_data.flags, 1ul << AS_LARGE_FOLIO_SUPPORT);
	return true;
}

void ram_file_put(struct ram_file *f)
{
	iput(&f->inode);
}

struct file *ram_file_open(struct ram_file *f)
{
	struct file *file = alloc_file(&f->inode, FMODE_READ | FMODE_WRITE, 0, &f_ops);

	if (file)
		ihold(&f->inode);
	return file;
}

s64 ram_file_read(struct file *file, void *to, size_t n, u64 pos)
{
	struct iov_iter iter = { .base = to, .count = n };

	return file->f_op->read_iter(file, &iter, &pos);
}

s64 ram_file_write(struct file *file, const void *from, size_t n, u64 pos)
{
	struct iov_iter iter = { .base = (void *)(uintptr_t)from, .count = n };

	return file->f_op->write_iter(file, &iter, &pos);
}

void ram_file_truncate(struct ram_file *f, u64 size)
{
	u64 old;

	down_write(&f->inode.i_rwsem);
	old = i_size_read(&f->inode);
	truncate_setsize(&f->inode, size);
	if (size < old && size < RAM_FILE_BYTES)
		contents_fill(f->store + size, 0, RAM_FILE_BYTES - size);
	up_write(&f->inode.i_rwsem);
}

void ram_file_punch(struct ram_file *f, u64 start, u64 end)
{
	down_write(&f->inode.i_rwsem);
	down_write(&f->inode.i_data.invalidate_lock);
	truncate_pagecache_range(&f->inode, start, end);
	if (start < RAM_FILE_BYTES)
		contents_fill(f->store + start, 0, min((size_t)(end - start + 1), RAM_FILE_BYTES - (size_t)start));
	up_write(&f->inode.i_data.invalidate_lock);
	up_write(&f->inode.i_rwsem);
}
