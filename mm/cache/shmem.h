/* SPDX-License-Identifier: MIT */
/* What the files of shmem call of each other, and SysV shared memory of them. */
#ifndef MM_CACHE_SHMEM_H
#define MM_CACHE_SHMEM_H

#include <octavo/mm.h>
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>

#include "../base/compiler.h"

#define S_IFREG 0100000u
#define S_IXUGO 0111u
#define S_IRWXUGO 0777u
#ifndef O_RDWR
#define O_RDWR 02
#define O_APPEND 02000
#endif

/* An index has 36 bits in a page and no more than a word has in the cache, where the number of pages is one, too. */
#define SHMEM_MAX_BYTES \
	(sizeof(long) == 8 ? (u64)1 << (PAGE_INDEX_BITS + PAGE_SHIFT) : ((u64)1 << (32 + PAGE_SHIFT)) - PAGE_SIZE)
#define SHMEM_SECTORS (PAGE_SIZE / 512)

static inline struct shmem_inode *shmem_i(const struct inode *inode)
{
	return container_of(inode, struct shmem_inode, inode);
}

/* What shmem_get_folio() may do where nothing is. */
enum shmem_get {
	SHMEM_READ,   /* nothing: NULL is a hole */
	SHMEM_THERE,  /* nothing: NULL is a hole; what is there is made uptodate */
	SHMEM_CACHE,  /* a page of zeros, inside of the file's size */
	SHMEM_WRITE,  /* a page, anywhere, its contents the caller's business unless it is uptodate */
	SHMEM_FALLOC, /* the same, and what is there already is made uptodate */
};

/*
 * The folio at @index, locked and with a reference; *@folio NULL: a hole (SHMEM_READ, SHMEM_THERE). Context: may sleep.
 * Return: 0; -EINVAL beyond the size (up to SHMEM_CACHE); -ENOSPC: over a limit; -ENOMEM.
 */
int __must_check shmem_get_folio(struct inode *inode, unsigned long index, enum shmem_get how, struct folio **folio);
/* A folio that is not uptodate, locked, becomes a page of zeros. */
void shmem_fill_zero(struct folio *folio);

/* ---- shmem_swap.c ---- */

/*
 * shmem_writeout - the folio goes to swap: its file has the slot from now on
 * @folio: of a shmem file, locked, mapped by nobody, not under writeback; the caller has a reference
 * Context: may sleep; PF_MEMALLOC. Return: 0: it is in the swap cache only, unlocked, being written or written; -EBUSY:
 * it may not go (SHM_LOCK, noswap, just allocated); -ENOSPC, -ENOMEM: no room in swap. Then it is locked, and dirty.
 */
int __must_check shmem_writeout(struct folio *folio);
/*
 * The folio that @value at @index stands for is the file's again. Return: 0, locked and with a reference; -EAGAIN: it
 * is another value, or none, by now; -ENOMEM; -EIO: it cannot be read.
 */
int __must_check shmem_swapin(struct inode *inode, unsigned long index, void *value, struct folio **folio);
/* What is swapped out of [@first, @last] is forgotten. Folios stay. */
void shmem_forget_swapped(struct inode *inode, unsigned long first, unsigned long last);
/* It is read ahead: POSIX_FADV_WILLNEED. */
void shmem_swapin_range(struct address_space *mapping, unsigned long first, unsigned long last);
/* Pages of the @nr from @first on that are swapped out; of a file that is none of shmem's 0. */
unsigned long shmem_swap_usage(const struct file *file, unsigned long first, unsigned long nr);
/*
 * The inode behind @info (NULL: the first) that is not on its way out and has something swapped out, with a reference;
 * @info's is given back.
 */
struct shmem_inode *shmem_next_swapped(struct shmem_inode *info);

/* @added pages have been added to the cache; others may have left it: what they were charged with goes back. */
void shmem_recalc(struct inode *inode, unsigned long added);
/* Bytes @start to @last (~0: the end) are zeros without pages, at most the ends of pages that stay. */
void shmem_drop_range(struct inode *inode, u64 start, u64 last);

/* The size of a file whose pages are accounted in advance. */
int __must_check shmem_acct_size(u64 flags, u64 size);
void shmem_unacct_size(u64 flags, u64 size);
int __must_check shmem_reacct_size(u64 flags, u64 old, u64 size);
/* It is @size long, not @planned, which is not less. */
void shmem_unacct_tail(u64 flags, u64 planned, u64 size);

/* Return: 0, -EFBIG: RLIMIT_FSIZE, or more than an index can say. */
int shmem_size_ok(const struct inode *inode, u64 size);

bool file_is_shmem(const struct file *file);
int shmem_mmap(struct file *file, struct vm_area_struct *vma);
long shmem_fallocate(struct file *file, int mode, u64 offset, u64 len);
s64 shmem_llseek(struct file *file, s64 offset, int whence);
vm_fault_t shmem_fault(struct vm_fault *vmf);
/* filemap_fault.c */
vm_fault_t filemap_map_pages(struct vm_fault *vmf, unsigned long start_pgoff, unsigned long end_pgoff);
extern const struct vm_operations_struct shmem_vm_ops;
extern const struct address_space_operations shmem_aops;

/* vm.memfd_noexec: memfds that do not say can be executed; cannot; and no memfd can */
enum { NOEXEC_AS_ASKED, NOEXEC_UNLESS_ASKED, NOEXEC_ALWAYS };
extern int sysctl_memfd_noexec;

/* Writable shared mappings are out of the question from now on. Return: 0, -EBUSY: there is one. */
int mapping_deny_writable(struct address_space *mapping);
void mapping_allow_writable(struct address_space *mapping);

#endif
