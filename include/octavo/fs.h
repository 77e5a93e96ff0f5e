/* SPDX-License-Identifier: MIT */
/*
 * Files as the memory manager sees them: an inode with its page cache, an open file that can be mapped. A kernel's file
 * system embeds these; the core's own (shmem, /dev/zero, direct mappings) are made of them too. Names are Linux's.
 */
#ifndef OCTAVO_FS_H
#define OCTAVO_FS_H

#include <octavo/gfp.h>
#include <octavo/rcupdate.h>
#include <octavo/rwsem.h>
#include <octavo/types.h>
#include <octavo/xarray.h>

OCTAVO_BEGIN_DECLS

struct address_space;
struct file;
struct folio;
struct inode;
struct interval_node;
struct mm_struct;
struct page;
struct vm_area_struct;

/**
 * struct iov_iter - memory to copy to or from
 * @base: user address if @user, else a pointer of the kernel's
 * @count: bytes left; what is copied is taken off, and @base moves on
 */
struct iov_iter {
	void *base;
	size_t count;
	bool user;
};

/** Tags of entries in a page cache (and of nodes above them). */
enum { PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK, PAGECACHE_TAG_TOWRITE };

/**
 * struct address_space_operations - what a file system does for its page cache; NULL where it needs nothing
 * @read_folio: fill @folio, which is locked, from the store, mark it uptodate and unlock it. Return: 0 or errno.
 * @readahead: start reading what is missing of [@index, @index + @nr); may do less. Folios are added by the callee
 *             through page_cache_ra_folio().
 * @writepages: write what is dirty in [@start, @end] (bytes), as folio_clear_dirty_for_io() gives it. Return: 0 or
 *              errno.
 * @write_folio: write one, as write_cache_pages() hands it on, for memory that is short: takes no lock that is held
 *               while memory is allocated without GFP_NOFS. NULL: what is dirty waits for writepages.
 * @dirty_folio: a folio becomes dirty. Return: true: it was not.
 * @write_begin: a locked folio that [@pos, @pos + @len) can be written to, the rest of it uptodate
 * @write_end: @copied bytes were; unlocks and puts it. Return: bytes accepted, or errno.
 * @free_folio: left the cache
 * @swap_activate: the file is to hold swap: all of it is there, and stays where it is. i_rwsem held. NULL: this file
 *                 system has no swap files. Return: 0; -EINVAL: it has holes; errno.
 * @swap_deactivate: no more
 * @swap_rw: one page at @pos from or to the store, past the page cache; allocates with GFP_NOIO at most. Return: 0 or
 *           errno.
 */
struct address_space_operations {
	int (*read_folio)(struct file *file, struct folio *folio);
	void (*readahead)(struct file *file, struct address_space *mapping, unsigned long index, unsigned long nr);
	int (*writepages)(struct address_space *mapping, u64 start, u64 end);
	int (*write_folio)(struct address_space *mapping, struct folio *folio);
	bool (*dirty_folio)(struct address_space *mapping, struct folio *folio);
	int (*write_begin)(struct file *file, struct address_space *mapping, u64 pos, size_t len,
			   struct folio **folio);
	int (*write_end)(struct file *file, struct address_space *mapping, u64 pos, size_t len, size_t copied,
			 struct folio *folio);
	void (*free_folio)(struct folio *folio);
	int (*migrate_folio)(struct address_space *mapping, struct folio *to, struct folio *from);
	int (*swap_activate)(struct file *file);
	void (*swap_deactivate)(struct file *file);
	int (*swap_rw)(struct file *file, u64 pos, struct page *page, bool write);
};

/* address_space.flags: bits */
/* AS_SWAP: values in i_pages are places in swap areas (or poison), not traces of what was there. */
enum mapping_flags { AS_EIO, AS_ENOSPC, AS_UNEVICTABLE, AS_LARGE_FOLIO_SUPPORT, AS_EXITING, AS_DAX, AS_SWAP };

/**
 * struct address_space - the page cache of an inode, and who maps it
 * (x) i_pages.lock, (m) i_mmap_rwsem, (i) invalidate_lock, (a) atomic, (c) constant
 */
struct address_space {
	struct inode *host;				/* (c) */
	const struct address_space_operations *a_ops;	/* (c) */
	struct xarray i_pages;				/* (x) folios, by index; a value entry: shadow or swap entry */
	struct rw_semaphore invalidate_lock;		/* truncation against filling */
	struct rw_semaphore i_mmap_rwsem;
	struct interval_node *i_mmap;			/* (m) VMAs that map it, by page offset: mm/vm/interval.h */
	unsigned long i_mmap_writable;			/* (a) VM_SHARED mappings that may write; ~0: no more (seals) */
	unsigned long nrpages;				/* (x) */
	unsigned long flags;				/* (a) mapping_flags */
	gfp_t gfp_mask;					/* for its folios */
	u32 handle;					/* (c) what page->mapping_index says: mm/base/handle.h */
	u32 wb_err;					/* (a) errors of writeback, to be reported once to each file */
	struct address_space *all_next, *all_prev; /* mm/cache/file.c: of all, which sync, reclaim, drop_caches visit */
	unsigned int visitors;			   /* of those, how many are here now */
	uintptr_t evictor;			   /* the thread that waits for them to leave */
	struct address_space *wb_next, *wb_prev;   /* mm/cache/flusher.c: with dirty folios, oldest first */
	struct flusher *flusher;		   /* its thread; NULL: that of all who have none of their own */
	u64 dirtied_when;			   /* of a file on such a list: when its first folio became dirty, ns */
	u32 wb_list;				   /* which one; 0: none */
	unsigned long writeback_index;		   /* where the flusher goes on */
	void *private_data;
};

/**
 * struct inode - @i_rwsem: writers of contents and size (write, truncate, fallocate)
 * Whoever embeds it calls inode_init_mapping() and, when nobody uses it, inode_evict_mapping().
 */
struct inode {
	u64 i_ino;
	u32 i_mode, i_uid, i_gid, i_nlink;
	u32 i_dev;			/* of the file system: (major << 20) | minor */
	u32 i_rdev;			/* of a device node */
	u64 i_size;			/* (a) i_size_read(), i_size_write() under i_rwsem */
	u64 i_blocks;			/* of 512 bytes */
	u64 i_atime, i_mtime, i_ctime;	/* ns since the epoch */
	unsigned int i_refs;		/* (a) */
	struct rw_semaphore i_rwsem;
	struct address_space *i_mapping; /* normally &i_data */
	struct address_space i_data;
	const struct inode_operations *i_op;
	const struct file_operations *i_fop;
	void *i_private;		 /* the file system's */
	void *i_sb;			 /* the kernel's */
	s32 i_writers;			 /* the kernel's: who has it open for writing; below 0: programs that it is */
	u32 i_flags;			 /* (a) S_*; changed under i_rwsem */
};

/* inode.i_flags */
#define S_SWAPFILE 256u /* swapon(2): nobody writes to it or changes its size (-ETXTBSY) */

/* file.f_mode */
#define FMODE_READ 1u
#define FMODE_WRITE 2u
#define FMODE_EXEC 0x20u
#define FMODE_NOWAIT 0x8000000u

/**
 * struct file_operations - what a kernel or the core asks of an open file
 * All return a negative errno on failure; NULL: -EINVAL, -ENODEV for mmap, or the sensible default.
 * @mmap: set vma->vm_ops (and flags, private data) of a VMA that is about to map the file
 * @get_unmapped_area: where it may lie; NULL: anywhere
 * @fallocate: fallocate(2), @mode FALLOC_FL_*
 * @release: the last reference has gone
 * @show_path: what /proc/PID/maps calls it. Return: length.
 * The others are the kernel's: poll, ioctl, readdir.
 */
struct file_operations {
	s64 (*read_iter)(struct file *file, struct iov_iter *to, u64 *pos);
	s64 (*write_iter)(struct file *file, struct iov_iter *from, u64 *pos);
	int (*mmap)(struct file *file, struct vm_area_struct *vma);
	long (*get_unmapped_area)(struct file *file, uintptr_t addr, size_t len, unsigned long pgoff,
				  unsigned long flags);
	int (*fsync)(struct file *file, u64 start, u64 end, bool datasync);
	long (*fallocate)(struct file *file, int mode, u64 offset, u64 len);
	s64 (*llseek)(struct file *file, s64 offset, int whence);
	void (*release)(struct file *file);
	size_t (*show_path)(const struct file *file, char *text, size_t size);
	unsigned int (*poll)(struct file *file, void *table);
	long (*ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
	int (*iterate)(struct file *file, void *ctx);
};

/** struct file - an open file; f_count references; f_mapping may be NULL: a device without pages of its own */
struct file {
	unsigned long f_count; /* (a) */
	u32 f_mode;	       /* FMODE_* */
	u32 f_flags;	       /* O_* */
	const struct file_operations *f_op;
	struct inode *f_inode;
	struct address_space *f_mapping;
	u64 f_pos;
	u32 f_wb_err;				   /* (a) mapping->wb_err as this file knows it */
	unsigned long ra_start, ra_size, ra_async; /* readahead window, pages */
	u32 ra_pages;				   /* greatest window; 0: none */
	u32 ra_advice;				   /* POSIX_FADV_NORMAL, _RANDOM, _SEQUENTIAL */
	u64 ra_prev;
	void *private_data;
	void *f_path; /* the kernel's */
};

static inline struct file *get_file(struct file *file)
{
	__atomic_fetch_add(&file->f_count, 1, __ATOMIC_RELAXED);
	return file;
}

/** fput - give a reference back; the last one calls f_op->release() and then octavo_file_free(). May sleep. */
OCTAVO_API void fput(struct file *file);
/** alloc_file - an open file on @inode, whose reference (ihold()) becomes the file's. Return: NULL without memory. */
OCTAVO_API struct file *alloc_file(struct inode *inode, u32 mode, u32 flags, const struct file_operations *f_op);

/** file_set_mapping - @file, just opened, shows the pages of @mapping, which another inode than its own may have */
OCTAVO_API void file_set_mapping(struct file *file, struct address_space *mapping);

/** ihold, iput - references to an inode; the last iput() calls i_op->evict */
struct inode_operations {
	void (*evict)(struct inode *inode); /* nobody uses it: truncate, free what it is embedded in */
};
OCTAVO_API void ihold(struct inode *inode);
OCTAVO_API void iput(struct inode *inode);

/**
 * octavo_realtime_ns - nanoseconds since the epoch, of which times of files are made: port_clock_ns() and an offset,
 * which the kernel sets once it knows the time of day. Context: any.
 */
OCTAVO_API u64 octavo_realtime_ns(void);
OCTAVO_API void octavo_set_realtime(u64 now_ns);

/* Where a register holds 32 bits, a whole size is read and written by a locked instruction only. */
static inline u64 i_size_read(const struct inode *inode)
{
#if __SIZEOF_POINTER__ == 8
	return __atomic_load_n(&inode->i_size, __ATOMIC_ACQUIRE);
#else
	return __sync_val_compare_and_swap((u64 *)(uintptr_t)&inode->i_size, 0, 0);
#endif
}

static inline void i_size_write(struct inode *inode, u64 size)
{
#if __SIZEOF_POINTER__ == 8
	__atomic_store_n(&inode->i_size, size, __ATOMIC_RELEASE);
#else
	u64 was = 0, seen;

	while ((seen = __sync_val_compare_and_swap(&inode->i_size, was, size)) != was)
		was = seen;
#endif
}

OCTAVO_END_DECLS
#endif
