/* SPDX-License-Identifier: MIT */
/*
 * The page cache (<linux/pagemap.h>): folios of a file by index, and what file systems do with them.
 *
 * The cache holds one reference to each folio, however large. mapping and index of a folio in the cache change only
 * while it is locked.
 */
#ifndef OCTAVO_PAGEMAP_H
#define OCTAVO_PAGEMAP_H

#include <octavo/fs.h>
#include <octavo/page.h>

OCTAVO_BEGIN_DECLS

/**
 * inode_init_mapping - an empty page cache; @inode is zeroed but for what the file system set
 * Also makes the inode's locks, i_mapping, and one reference (ihold()). mapping->gfp_mask is GFP_HIGHUSER_MOVABLE; a
 * file system may change it before the first folio. Context: may sleep. Return: 0 or -ENOMEM (no handle).
 */
OCTAVO_API int __must_check inode_init_mapping(struct inode *inode, const struct address_space_operations *a_ops,
					       gfp_t gfp);
/** inode_evict_mapping - drop all of it, dirty or not; nobody maps or reads it any more. Context: may sleep. */
OCTAVO_API void inode_evict_mapping(struct inode *inode);

/* The file a folio of the page cache belongs to, and where; NULL: anonymous, or none (any more). */
OCTAVO_API struct address_space *folio_mapping(const struct folio *folio);
OCTAVO_API unsigned long folio_index(const struct folio *folio);

/* ---- Folio locks (the others: <octavo/page.h>) ---- */
/** folio_lock_killable - Return: 0; -EINTR: the thread was killed while it waited */
OCTAVO_API int __must_check folio_lock_killable(struct folio *folio);
/** folio_end_read - a read that began with a locked folio is over: uptodate if @success; unlocks. Any context. */
OCTAVO_API void folio_end_read(struct folio *folio, bool success);

/* ---- Lookup ---- */

/** filemap_get_folio - with a reference, or NULL. Context: any that may use RCU. */
OCTAVO_API struct folio *filemap_get_folio(struct address_space *mapping, unsigned long index);
#define FGP_ACCESSED 0x01u
#define FGP_LOCK 0x02u
#define FGP_CREAT 0x04u
#define FGP_WRITE 0x08u
#define FGP_NOWAIT 0x20u
/**
 * __filemap_get_folio - by FGP_* flags; a new folio is of up to 2^@order pages, as alignment allows
 * Context: may sleep, unless FGP_NOWAIT. Return: folio with a reference (FGP_LOCK, and of a new one FGP_CREAT: locked),
 * or NULL and *@err: -ENOENT, -ENOMEM, -EAGAIN (FGP_NOWAIT).
 */
OCTAVO_API struct folio *__filemap_get_folio(struct address_space *mapping, unsigned long index, unsigned int fgp,
					     unsigned int order, gfp_t gfp, int *err);
/**
 * filemap_get_folios - up to @max folios that have pages in [*@index, @end], with references; *@index moves on behind
 * the last of them. filemap_get_folios_tag - those with a tag.
 */
OCTAVO_API unsigned int filemap_get_folios(struct address_space *mapping, unsigned long *index, unsigned long end,
					   struct folio **folios, unsigned int max);
OCTAVO_API unsigned int filemap_get_folios_tag(struct address_space *mapping, unsigned long *index, unsigned long end,
					       unsigned int tag, struct folio **folios, unsigned int max);
/** filemap_range_has_page - is there a folio in the bytes [@start, @end]? As of a moment ago. */
OCTAVO_API bool filemap_range_has_page(struct address_space *mapping, u64 start, u64 end);
/**
 * filemap_add_folio - a new folio becomes part of the cache, locked
 * @folio: of any order, nobody else's; @index: a multiple of its pages. Value entries there are replaced.
 * Swap-backed ones are counted as shmem, too. Return: 0, -EEXIST or -ENOMEM (and it is as it was).
 */
OCTAVO_API int __must_check filemap_add_folio(struct address_space *mapping, struct folio *folio, unsigned long index,
					      gfp_t gfp);
/** filemap_remove_folio - it leaves the cache. Context: locked, not mapped, not under writeback; a reference held. */
OCTAVO_API void filemap_remove_folio(struct folio *folio);
/** read_mapping_folio - uptodate, with a reference. Return: NULL, *@err why. */
OCTAVO_API struct folio *read_mapping_folio(struct address_space *mapping, unsigned long index, struct file *file,
					    int *err);
/**
 * page_cache_ra_folio - for address_space_operations.readahead: a new folio at @index
 * Of up to @nr pages, as large as the file allows. Return: locked, in the cache, with a reference that the read's
 * folio_end_read() is followed by folio_put() for; NULL: there is one already, or no memory: go on behind, or stop.
 */
OCTAVO_API struct folio *page_cache_ra_folio(struct address_space *mapping, unsigned long index, unsigned long nr);

/* ---- Dirt ---- */
/** folio_mark_dirty - as the file system has it (dirty_folio). Context: locked or mapped. Return: it was not. */
OCTAVO_API bool folio_mark_dirty(struct folio *folio);
/** filemap_dirty_folio - dirty_folio of files that are written back. noop_dirty_folio - of those that are not. */
OCTAVO_API bool filemap_dirty_folio(struct address_space *mapping, struct folio *folio);
OCTAVO_API bool noop_dirty_folio(struct address_space *mapping, struct folio *folio);
/** folio_clear_dirty_for_io - write-protects mappings too. Return: it was dirty. Context: folio locked. */
OCTAVO_API bool folio_clear_dirty_for_io(struct folio *folio);
/** folio_cancel_dirty - its contents do not matter any more. Context: folio locked. */
OCTAVO_API void folio_cancel_dirty(struct folio *folio);
/** folio_redirty_for_writepage - what folio_clear_dirty_for_io() took for granted did not work: it stays dirty */
OCTAVO_API void folio_redirty_for_writepage(struct folio *folio);
/**
 * write_cache_pages - for address_space_operations.writepages: @write each folio that is dirty now in [@start, @end]
 * @write: gets it locked and cleaned (folio_clear_dirty_for_io()); starts writeback, unlocks it, and sees to the end of
 *         writeback. An error: it has unlocked it all the same.
 * Return: 0 or the first error; the others are tried none the less.
 */
OCTAVO_API int write_cache_pages(struct address_space *mapping, u64 start, u64 end,
				 int (*write)(struct folio *folio, void *ctx), void *ctx);
/** filemap_fdatawrite_range - begin to write what is dirty in [@start, @end]. Return: 0 or errno. */
OCTAVO_API int filemap_fdatawrite_range(struct address_space *mapping, u64 start, u64 end);
/** filemap_fdatawait_range - until nothing of it is under writeback. Return: 0, -EIO, -ENOSPC since the last call. */
OCTAVO_API int filemap_fdatawait_range(struct address_space *mapping, u64 start, u64 end);
/** filemap_write_and_wait_range - both */
OCTAVO_API int filemap_write_and_wait_range(struct address_space *mapping, u64 start, u64 end);
/** file_write_and_wait_range - and report errors that this file has not heard of. Return: 0, -EIO, -ENOSPC. */
OCTAVO_API int __must_check file_write_and_wait_range(struct file *file, u64 start, u64 end);
/** file_check_and_advance_wb_err - the latest error that this file has not heard of, or 0 */
OCTAVO_API int __must_check file_check_and_advance_wb_err(struct file *file);
/** mapping_set_error - a write has failed: every file open now hears of it once. Any context. */
OCTAVO_API void mapping_set_error(struct address_space *mapping, int error);
#define SYNC_FILE_RANGE_WAIT_BEFORE 1u
#define SYNC_FILE_RANGE_WRITE 2u
#define SYNC_FILE_RANGE_WAIT_AFTER 4u
#define SYNC_FILE_RANGE_FLAGS (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)
/**
 * sync_file_range - sync_file_range(2): begin to write, or wait for what is being written, of @len bytes from @offset
 * @len: 0: all behind. Return: 0; -EINVAL; -ESPIPE: no file with pages; an error of writeback that is news to @file.
 */
OCTAVO_API int __must_check sync_file_range(struct file *file, s64 offset, s64 len, unsigned int flags);
/** ksys_sync - write all dirty pages of all files, and wait */
OCTAVO_API void ksys_sync(void);

/* ---- Size ---- */
/** truncate_setsize - @inode is @size bytes long now; what is beyond is unmapped and gone. Context: i_rwsem held. */
OCTAVO_API void truncate_setsize(struct inode *inode, u64 size);
/** truncate_pagecache - what lies beyond @size is unmapped and gone; the size has been set */
OCTAVO_API void truncate_pagecache(struct inode *inode, u64 size);
/**
 * truncate_inode_pages_range - [@start, @end] (bytes, both included; ~0: all behind) goes from the cache, dirty or not
 * Whole pages leave it, parts of pages become zeros. Mapped pages are unmapped.
 */
OCTAVO_API void truncate_inode_pages_range(struct address_space *mapping, u64 start, u64 end);
/** truncate_pagecache_range - the same for a hole: processes' mappings of whole pages of it go first */
OCTAVO_API void truncate_pagecache_range(struct inode *inode, u64 start, u64 end);
/** invalidate_mapping_pages - drop clean, unmapped, unused folios in [@start, @end]. Return: pages. */
OCTAVO_API unsigned long invalidate_mapping_pages(struct address_space *mapping, unsigned long start,
						  unsigned long end);
/** invalidate_inode_pages2_range - all folios in [@start, @end], unmapped first. Return: 0; -EBUSY: some are dirty */
OCTAVO_API int __must_check invalidate_inode_pages2_range(struct address_space *mapping, unsigned long start,
							  unsigned long end);

/* ---- Files ---- */
OCTAVO_API s64 generic_file_read_iter(struct file *file, struct iov_iter *to, u64 *pos);
/** generic_file_write_iter - by write_begin and write_end, under i_rwsem; O_APPEND, O_SYNC, O_DSYNC are heeded */
OCTAVO_API s64 generic_file_write_iter(struct file *file, struct iov_iter *from, u64 *pos);
/** generic_perform_write - the copying of it. Context: i_rwsem held for writing. */
OCTAVO_API s64 generic_perform_write(struct file *file, struct iov_iter *from, u64 pos);
/** generic_write_end - write_end for files whose folios become uptodate in write_begin; extends i_size */
OCTAVO_API int generic_write_end(struct file *file, struct address_space *mapping, u64 pos, size_t len, size_t copied,
				 struct folio *folio);
/** generic_write_begin - write_begin for files with read_folio: what is not overwritten is read first */
OCTAVO_API int generic_write_begin(struct file *file, struct address_space *mapping, u64 pos, size_t len,
				   struct folio **folio);
OCTAVO_API int generic_file_mmap(struct file *file, struct vm_area_struct *vma);
OCTAVO_API int generic_file_fsync(struct file *file, u64 start, u64 end, bool datasync);
/** generic_file_llseek - lseek(2) with SEEK_SET 0, _CUR 1, _END 2, and _DATA 3 and _HOLE 4 for files without holes */
OCTAVO_API s64 generic_file_llseek(struct file *file, s64 offset, int whence);
#define POSIX_FADV_NORMAL 0
#define POSIX_FADV_RANDOM 1
#define POSIX_FADV_SEQUENTIAL 2
#define POSIX_FADV_WILLNEED 3
#define POSIX_FADV_DONTNEED 4
#define POSIX_FADV_NOREUSE 5
/** generic_fadvise - posix_fadvise(2); @len 0: to the end. Return: 0 or -EINVAL. */
OCTAVO_API int generic_fadvise(struct file *file, u64 offset, u64 len, int advice);
/** struct cachestat - cachestat(2): pages; evicted: of which there is a trace that they were in memory */
struct cachestat {
	u64 nr_cache, nr_dirty, nr_writeback;
	u64 nr_evicted, nr_recently_evicted;
};
/**
 * filemap_cachestat - the state of the pages [@first, @last] of a file
 * Recently evicted: a page whose return now would count as one of the working set. Context: may be preempted.
 */
OCTAVO_API void filemap_cachestat(struct address_space *mapping, unsigned long first, unsigned long last,
				  struct cachestat *out);
/** file_ra_state_init - a window of the usual size (128 KiB); alloc_file() has done it */
OCTAVO_API void file_ra_state_init(struct file *file);
/** copy_to_iter, copy_from_iter, iov_iter_zero - Return: bytes; fewer than @n: a bad user page, or no more room */
OCTAVO_API size_t copy_to_iter(const void *from, size_t n, struct iov_iter *to);
OCTAVO_API size_t copy_from_iter(void *to, size_t n, struct iov_iter *from);
OCTAVO_API size_t iov_iter_zero(size_t n, struct iov_iter *to);
/** copy_folio_to_iter, copy_folio_from_iter - the same from byte @offset of a folio, of high memory, too; may sleep */
OCTAVO_API size_t copy_folio_to_iter(struct folio *folio, size_t offset, size_t n, struct iov_iter *to);
/** copy_folio_from_iter_atomic - without faults: user pages that are not there end it (fault_in_iov_iter_readable()) */
OCTAVO_API size_t copy_folio_from_iter_atomic(struct folio *folio, size_t offset, size_t n, struct iov_iter *from);
/** fault_in_iov_iter_readable - have the next @n bytes at hand. Return: bytes that are not to be had. */
OCTAVO_API size_t fault_in_iov_iter_readable(const struct iov_iter *from, size_t n);

/** struct vm_operations_struct of a file whose pages are in the page cache */
struct vm_operations_struct;
OCTAVO_API extern const struct vm_operations_struct generic_file_vm_ops;

/* ---- Block devices: bytes of a device as a file ---- */
struct bdev;
/** bdev_init_inode - @inode shows the sectors of @bdev, which stays as long, through a page cache */
OCTAVO_API int __must_check bdev_init_inode(struct inode *inode, struct bdev *bdev);
OCTAVO_API extern const struct file_operations bdev_fops;
/** file_bdev - the device that the file shows; NULL: it is another kind of file */
OCTAVO_API struct bdev *file_bdev(const struct file *file);

OCTAVO_END_DECLS
#endif
