/* SPDX-License-Identifier: MIT */
/*
 * The page cache (<linux/pagemap.h>): folios of a file by index, and what file systems do with them.
 */
#ifndef OCTAVO_PAGEMAP_H
#define OCTAVO_PAGEMAP_H

#include <octavo/fs.h>
#include <octavo/page.h>

OCTAVO_BEGIN_DECLS

/**
 * inode_init_mapping - an empty page cache; @inode is zeroed but for what the file system set
 * Context: may sleep. Return: 0 or -ENOMEM (no handle).
 */
OCTAVO_API int __must_check inode_init_mapping(struct inode *inode, const struct address_space_operations *a_ops,
					       gfp_t gfp);
/** inode_evict_mapping - drop all of it, dirty or not; nobody maps or reads it any more. Context: may sleep. */
OCTAVO_API void inode_evict_mapping(struct inode *inode);

/* The file a folio of the page cache belongs to, and where; NULL: anonymous, or none (any more). */
OCTAVO_API struct address_space *folio_mapping(const struct folio *folio);
OCTAVO_API unsigned long folio_index(const struct folio *folio);

/* ---- Folio locks ---- */
OCTAVO_API void folio_lock(struct folio *folio);
OCTAVO_API int __must_check folio_lock_killable(struct folio *folio);
OCTAVO_API bool folio_trylock(struct folio *folio);
OCTAVO_API void folio_unlock(struct folio *folio);
OCTAVO_API void folio_wait_writeback(struct folio *folio);
OCTAVO_API void folio_end_writeback(struct folio *folio);
OCTAVO_API void folio_end_read(struct folio *folio, bool success);

/* ---- Lookup ---- */

/** filemap_get_folio - with a reference, or NULL. Context: any that may use RCU. */
OCTAVO_API struct folio *filemap_get_folio(struct address_space *mapping, unsigned long index);
#define FGP_ACCESSED 0x01u
#define FGP_LOCK 0x02u
#define FGP_CREAT 0x04u
#define FGP_WRITE 0x08u
#define FGP_NOWAIT 0x20u
/** __filemap_get_folio - by FGP_* flags; a new folio is of up to 2^@order pages. Return: folio or NULL, *@err why. */
OCTAVO_API struct folio *__filemap_get_folio(struct address_space *mapping, unsigned long index, unsigned int fgp,
					     unsigned int order, gfp_t gfp, int *err);
/** filemap_get_folios_tag - up to @max folios at or behind *@index with a tag, with references; *@index moves on */
OCTAVO_API unsigned int filemap_get_folios(struct address_space *mapping, unsigned long *index, unsigned long end,
					   struct folio **folios, unsigned int max);
OCTAVO_API unsigned int filemap_get_folios_tag(struct address_space *mapping, unsigned long *index, unsigned long end,
					       unsigned int tag, struct folio **folios, unsigned int max);
/** filemap_add_folio - a new folio becomes part of the cache, locked. Return: 0, -EEXIST or -ENOMEM. */
OCTAVO_API int __must_check filemap_add_folio(struct address_space *mapping, struct folio *folio, unsigned long index,
					      gfp_t gfp);
OCTAVO_API void filemap_remove_folio(struct folio *folio);
/** read_mapping_folio - uptodate, with a reference. Return: NULL, *@err why. */
OCTAVO_API struct folio *read_mapping_folio(struct address_space *mapping, unsigned long index, struct file *file,
					    int *err);

/* ---- Dirt ---- */
OCTAVO_API bool folio_mark_dirty(struct folio *folio);
OCTAVO_API bool filemap_dirty_folio(struct address_space *mapping, struct folio *folio);
OCTAVO_API bool noop_dirty_folio(struct address_space *mapping, struct folio *folio);
/** folio_clear_dirty_for_io - write-protects mappings too. Return: it was dirty. Context: folio locked. */
OCTAVO_API bool folio_clear_dirty_for_io(struct folio *folio);
OCTAVO_API void folio_start_writeback(struct folio *folio);
OCTAVO_API int filemap_fdatawrite_range(struct address_space *mapping, u64 start, u64 end);
OCTAVO_API int filemap_fdatawait_range(struct address_space *mapping, u64 start, u64 end);
/** file_write_and_wait_range - and report errors that this file has not heard of. Return: 0, -EIO, -ENOSPC. */
OCTAVO_API int file_write_and_wait_range(struct file *file, u64 start, u64 end);
OCTAVO_API void mapping_set_error(struct address_space *mapping, int error);

/* ---- Size ---- */
/** truncate_setsize - @inode is @size bytes long now; what is beyond is unmapped and gone. Context: i_rwsem held. */
OCTAVO_API void truncate_setsize(struct inode *inode, u64 size);
OCTAVO_API void truncate_inode_pages_range(struct address_space *mapping, u64 start, u64 end);
OCTAVO_API void truncate_pagecache_range(struct inode *inode, u64 start, u64 end);
/** invalidate_mapping_pages - drop clean, unmapped folios. Return: pages. */
OCTAVO_API unsigned long invalidate_mapping_pages(struct address_space *mapping, unsigned long start,
						  unsigned long end);
OCTAVO_API int invalidate_inode_pages2_range(struct address_space *mapping, unsigned long start, unsigned long end);

/* ---- Files ---- */
OCTAVO_API s64 generic_file_read_iter(struct file *file, struct iov_iter *to, u64 *pos);
OCTAVO_API s64 generic_file_write_iter(struct file *file, struct iov_iter *from, u64 *pos);
OCTAVO_API int generic_file_mmap(struct file *file, struct vm_area_struct *vma);
OCTAVO_API s64 generic_file_llseek(struct file *file, s64 offset, int whence);
OCTAVO_API int generic_fadvise(struct file *file, u64 offset, u64 len, int advice);
/** copy_to_iter, copy_from_iter - Return: bytes copied */
OCTAVO_API size_t copy_to_iter(const void *from, size_t n, struct iov_iter *to);
OCTAVO_API size_t copy_from_iter(void *to, size_t n, struct iov_iter *from);
OCTAVO_API size_t iov_iter_zero(size_t n, struct iov_iter *to);

/** struct vm_operations_struct of a file whose pages are in the page cache */
struct vm_operations_struct;
OCTAVO_API extern const struct vm_operations_struct generic_file_vm_ops;

/* ---- Block devices: bytes of a device as a file, written back in the simplest correct form ---- */
/** bdev_init_inode - @inode shows @sectors of port_block_rw()'s @device through a page cache */
OCTAVO_API int __must_check bdev_init_inode(struct inode *inode, unsigned int device, u64 sectors);
OCTAVO_API extern const struct file_operations bdev_fops;
/** sync_mappings - write all dirty pages of all mappings, and wait */
OCTAVO_API void ksys_sync(void);

OCTAVO_END_DECLS
#endif
