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
 * (a) atomic. All zero is an instance without limits. The kernel may change limits at any time (remount); what is in
 * use beyond them stays.
 */
struct shmem_sb {
	unsigned long max_blocks, used_blocks; /* (a) */
	unsigned long max_inodes, used_inodes; /* (a) */
	bool noswap;			       /* (a) its pages stay in memory */
};

/**
 * struct shmem_inode - what is kept beside struct inode
 * (x) under i_pages' lock, (r) i_rwsem, (c) constant, (l) the list's lock
 */
struct shmem_inode {
	struct inode inode;
	struct shmem_sb *sb;			   /* (c) NULL: the kernel's internal mount */
	u32 seals;				   /* (r) F_SEAL_* */
	u64 flags;				   /* (c) VM_NORESERVE at creation; (a) VM_LOCKED by SHM_LOCK */
	unsigned long alloced;			   /* (x) pages charged */
	unsigned long swapped;			   /* (x) of them, those that are not in memory */
	unsigned int fallocating;		   /* (a) fallocate() is at work: what nobody has used yet stays */
	struct shmem_inode *all_next, **all_pprev; /* (l) every shmem inode */
	char *name;				   /* (c) of a file without a directory; NULL: it has one */
	struct rcu_head rcu;
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
 * shmem_inode_alloc - a file of a tmpfs instance
 * @mode: with S_IFREG
 * @flags: VM_NORESERVE, as every file with a name has: pages are accounted when they come. 0: the whole size is, when
 *         it is set.
 * Owner is the caller's; i_nlink is 1. What is in @sb must stay until the inode has gone (iput()).
 * Context: may sleep. Return: NULL without memory or beyond the instance's inodes.
 */
OCTAVO_API struct inode *shmem_inode_alloc(struct shmem_sb *sb, u32 mode, u64 flags);
/** shmem_reserve_inode, shmem_release_inode - count an inode that is no file (directory, link, device). */
OCTAVO_API int __must_check shmem_reserve_inode(struct shmem_sb *sb);
OCTAVO_API void shmem_release_inode(struct shmem_sb *sb);
/** shmem_may_chmod - may the file have this mode? Return: 0; -EPERM: F_SEAL_EXEC keeps its x bits as they are. */
OCTAVO_API int shmem_may_chmod(const struct inode *inode, u32 mode);
OCTAVO_API extern const struct file_operations shmem_file_operations;
/**
 * shmem_file_setup - a file of @size bytes without a name in a directory, open for reading and writing
 * @name: what /proc/PID/maps calls it, less the first slash; copied
 * @flags: as of shmem_inode_alloc(). Return: NULL, *@err why (-EINVAL: too large; -ENOMEM).
 */
OCTAVO_API struct file *shmem_file_setup(const char *name, u64 size, u64 flags, int *err);
/** shmem_zero_setup - makes @vma a shared mapping of nothing (MAP_SHARED | MAP_ANONYMOUS, /dev/zero) */
OCTAVO_API int __must_check shmem_zero_setup(struct vm_area_struct *vma);
/**
 * shmem_truncate - ftruncate(2) of a file of shmem_inode_alloc()
 * Context: may sleep; takes i_rwsem. Return: 0; -EPERM: sealed; -EFBIG; -ENOMEM.
 */
OCTAVO_API int __must_check shmem_truncate(struct inode *inode, u64 size);
/** memfd_setup - memfd_create(2)'s file; @name without "memfd:". Return: NULL, *@err why. */
OCTAVO_API struct file *memfd_setup(const char *name, unsigned int flags, int *err);
/** memfd_add_seals, memfd_get_seals - fcntl(2) F_ADD_SEALS, F_GET_SEALS. May sleep. */
OCTAVO_API long memfd_add_seals(struct file *file, unsigned int seals);
OCTAVO_API long memfd_get_seals(struct file *file);
/** shmem_statfs - @out: blocks of PAGE_SIZE, total and free; inodes, total and free. All 0: no limit. */
OCTAVO_API void shmem_statfs(const struct shmem_sb *sb, u64 out[4]);

/* ---- /dev/zero's own operations (shared mappings are shmem, private ones anonymous) ---- */
OCTAVO_API extern const struct file_operations dev_zero_fops;
/** /dev/mem: physical memory outside of RAM, which reads, writes and mappings of RAM are refused. Who opens it has
 * CAP_SYS_RAWIO: the kernel asks. */
OCTAVO_API extern const struct file_operations dev_mem_fops;

/* ---- SysV shared memory, for the thread that current_task() is: shmget(2), shmat(2), shmctl(2) ---- */
#ifndef IPC_CREAT
#define IPC_PRIVATE 0
#define IPC_CREAT 01000
#define IPC_EXCL 02000
#define IPC_RMID 0
#define IPC_SET 1
#define IPC_STAT 2
#endif
#ifndef IPC_INFO
#define IPC_INFO 3
#endif
#ifndef SHM_RDONLY
#define SHM_HUGETLB 04000
#define SHM_NORESERVE 010000
#define SHM_RDONLY 010000
#define SHM_RND 020000
#define SHM_REMAP 040000
#define SHM_EXEC 0100000
#define SHM_LOCK 11
#define SHM_UNLOCK 12
#define SHM_STAT 13
#define SHM_INFO 14
#define SHM_DEST 01000
#define SHM_LOCKED 02000
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
OCTAVO_API long ksys_shmget(s32 key, size_t size, int flags);
OCTAVO_API long ksys_shmat(int id, uintptr_t addr, int flags);
OCTAVO_API long ksys_shmdt(uintptr_t addr);
/** ksys_shmctl - @cmd: IPC_* or SHM_*; @buf: a user address of struct shmid64_ds, shminfo64 or shm_info */
OCTAVO_API long ksys_shmctl(int id, int cmd, uintptr_t buf);

/* ---- Direct mappings (DAX): file contents that are device memory ---- */
/**
 * dax_file_setup - a file of @size bytes whose contents are [@phys, @phys + @size), mapped without a page cache
 * Context: may sleep. Return: NULL, *@err why.
 */
OCTAVO_API struct file *dax_file_setup(const char *name, phys_addr_t phys, u64 size, int *err);

OCTAVO_END_DECLS
#endif
