/* SPDX-License-Identifier: MIT */
/*
 * tmpfs contents, shared anonymous memory, memfd, SysV shared memory, and direct mappings of device memory. Names and
 * directories are the kernel's; what files contain is here.
 */
#ifndef OCTAVO_SHMEM_FS_H
#define OCTAVO_SHMEM_FS_H

#include <octavo/fs.h>

OCTAVO_BEGIN_DECLS

/**
 * struct shmem_sb - a tmpfs instance: its limits and use, in pages and inodes (0: no limit)
 * @huge: SHMEM_HUGE_* (never, always, within_size, advise)
 */
struct shmem_sb {
	unsigned long max_blocks, used_blocks; /* (a) */
	unsigned long max_inodes, used_inodes; /* (a) */
	u8 huge;
};

/* shmem inode: what is kept beside struct inode */
struct shmem_inode {
	struct inode inode;
	struct shmem_sb *sb;	 /* NULL: the kernel's internal mount, accounted like private memory */
	u32 seals;		 /* F_SEAL_* */
	u32 flags;		 /* VM_NORESERVE at creation */
	unsigned long alloced;	 /* pages, under i_pages' lock */
	unsigned long swapped;
	void *fallocating;	 /* hole punch and fallocate under way */
};

#define F_SEAL_SEAL 0x0001u
#define F_SEAL_SHRINK 0x0002u
#define F_SEAL_GROW 0x0004u
#define F_SEAL_WRITE 0x0008u
#define F_SEAL_FUTURE_WRITE 0x0010u
#define F_SEAL_EXEC 0x0020u

#define MFD_CLOEXEC 0x0001u
#define MFD_ALLOW_SEALING 0x0002u
#define MFD_HUGETLB 0x0004u
#define MFD_NOEXEC_SEAL 0x0008u
#define MFD_EXEC 0x0010u

#define FALLOC_FL_KEEP_SIZE 1
#define FALLOC_FL_PUNCH_HOLE 2

/**
 * shmem_inode_alloc - a file of a tmpfs instance; @mode with S_IFREG
 * Context: may sleep. Return: NULL without memory or beyond the instance's inodes.
 */
OCTAVO_API struct inode *shmem_inode_alloc(struct shmem_sb *sb, u32 mode, u64 flags);
OCTAVO_API extern const struct file_operations shmem_file_operations;
/** shmem_file_setup - a file of @size bytes without a name in a directory. Return: NULL, *@err why. */
OCTAVO_API struct file *shmem_file_setup(const char *name, u64 size, u64 flags, int *err);
/** shmem_zero_setup - makes @vma a shared mapping of nothing (MAP_SHARED | MAP_ANONYMOUS, /dev/zero) */
OCTAVO_API int __must_check shmem_zero_setup(struct vm_area_struct *vma);
OCTAVO_API int __must_check shmem_truncate(struct inode *inode, u64 size);
/** memfd_setup - memfd_create(2)'s file; @name without "memfd:". Return: NULL, *@err why. */
OCTAVO_API struct file *memfd_setup(const char *name, unsigned int flags, int *err);
/** memfd_fcntl - F_ADD_SEALS, F_GET_SEALS */
OCTAVO_API long memfd_add_seals(struct file *file, unsigned int seals);
OCTAVO_API long memfd_get_seals(struct file *file);
/** shmem_statfs - blocks of PAGE_SIZE: total, free; inodes: total, free */
OCTAVO_API void shmem_statfs(const struct shmem_sb *sb, u64 out[4]);

/* ---- /dev/zero's own operations (shared mappings are shmem, private ones anonymous) ---- */
OCTAVO_API extern const struct file_operations dev_zero_fops;
/** /dev/mem: PFN maps of physical memory outside of RAM */
OCTAVO_API extern const struct file_operations dev_mem_fops;

/* ---- SysV shared memory, for the thread that current_task() is: shmget(2), shmat(2), shmctl(2) ---- */
OCTAVO_API long ksys_shmget(s32 key, size_t size, int flags);
OCTAVO_API long ksys_shmat(int id, uintptr_t addr, int flags);
OCTAVO_API long ksys_shmdt(uintptr_t addr);
/** ksys_shmctl - @buf: a user address of struct shmid64_ds, shminfo64 or shm_info */
OCTAVO_API long ksys_shmctl(int id, int cmd, uintptr_t buf);

/* ---- Direct mappings (DAX): file contents that are device memory ---- */
/**
 * dax_file_setup - a file of @size bytes whose contents are [@phys, @phys + @size), mapped without a page cache
 * Context: may sleep. Return: NULL, *@err why.
 */
OCTAVO_API struct file *dax_file_setup(const char *name, phys_addr_t phys, u64 size, int *err);

OCTAVO_END_DECLS
#endif
