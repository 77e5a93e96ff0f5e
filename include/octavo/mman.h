/* SPDX-License-Identifier: MIT */
/*
 * The memory system calls, for the thread that current_task() is: what a kernel's system call table leads to once it
 * has fetched arguments and looked up file descriptors. Arguments, results (a value, or a negative errno) and errors
 * are those of the manual pages (section 2) and of Linux 6.12 where they are silent.
 */
#ifndef OCTAVO_MMAN_H
#define OCTAVO_MMAN_H

#include <octavo/mm.h>

OCTAVO_BEGIN_DECLS

/* A hosted program that has <sys/mman.h> keeps its own: the values are the same. */
#ifndef PROT_READ
#define PROT_READ 0x1
#define PROT_WRITE 0x2
#define PROT_EXEC 0x4
#define PROT_NONE 0x0
#define PROT_GROWSDOWN 0x01000000
#define PROT_GROWSUP 0x02000000
#define MAP_SHARED 0x01
#define MAP_PRIVATE 0x02
#define MAP_SHARED_VALIDATE 0x03
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MAP_32BIT 0x40
#define MAP_GROWSDOWN 0x0100
#define MAP_LOCKED 0x2000
#define MAP_NORESERVE 0x4000
#define MAP_POPULATE 0x8000
#define MAP_NONBLOCK 0x10000
#define MAP_STACK 0x20000
#define MAP_HUGETLB 0x40000
#define MAP_SYNC 0x80000
#define MAP_FIXED_NOREPLACE 0x100000
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#define MREMAP_DONTUNMAP 4
#define MS_ASYNC 1
#define MS_INVALIDATE 2
#define MS_SYNC 4
#define MCL_CURRENT 1
#define MCL_FUTURE 2
#define MCL_ONFAULT 4
#define MLOCK_ONFAULT 1
#define MADV_NORMAL 0
#define MADV_RANDOM 1
#define MADV_SEQUENTIAL 2
#define MADV_WILLNEED 3
#define MADV_DONTNEED 4
#define MADV_FREE 8
#define MADV_REMOVE 9
#define MADV_DONTFORK 10
#define MADV_DOFORK 11
#define MADV_MERGEABLE 12
#define MADV_UNMERGEABLE 13
#define MADV_HUGEPAGE 14
#define MADV_NOHUGEPAGE 15
#define MADV_DONTDUMP 16
#define MADV_DODUMP 17
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#define MADV_HWPOISON 100
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

/* ksys_mmap - @file: NULL for MAP_ANONYMOUS; the reference stays the caller's. @offset: bytes. */
OCTAVO_API long ksys_mmap(uintptr_t addr, size_t len, unsigned long prot, unsigned long flags, struct file *file,
			  u64 offset);
OCTAVO_API long ksys_munmap(uintptr_t addr, size_t len);
OCTAVO_API long ksys_mprotect(uintptr_t addr, size_t len, unsigned long prot);
OCTAVO_API long ksys_pkey_mprotect(uintptr_t addr, size_t len, unsigned long prot, int pkey);
OCTAVO_API long ksys_pkey_alloc(unsigned long flags, unsigned long rights);
OCTAVO_API long ksys_pkey_free(int pkey);
OCTAVO_API long ksys_mremap(uintptr_t addr, size_t old_len, size_t new_len, unsigned long flags, uintptr_t new_addr);
OCTAVO_API long ksys_brk(uintptr_t brk);
OCTAVO_API long ksys_remap_file_pages(uintptr_t addr, size_t size, unsigned long prot, unsigned long pgoff,
				      unsigned long flags);
/* ksys_set_mdwe, ksys_get_mdwe - prctl(PR_SET_MDWE, PR_GET_MDWE); MDWE_* */
#define MDWE_REFUSE_EXEC_GAIN 1
#define MDWE_NO_INHERIT 2
OCTAVO_API long ksys_set_mdwe(unsigned long bits);
OCTAVO_API long ksys_get_mdwe(void);
OCTAVO_API long ksys_mseal(uintptr_t addr, size_t len, unsigned long flags);

OCTAVO_API long ksys_madvise(uintptr_t addr, size_t len, int advice);
/* ksys_process_madvise - on another address space, a range at a time */
OCTAVO_API long ksys_process_madvise(struct mm_struct *mm, uintptr_t addr, size_t len, int advice);
/*
 * ksys_process_mrelease - process_mrelease(2): private memory of an address space all of whose processes are dying goes
 * now; what of it the kernel still accesses for them is refused. @mm: with a reference. Return: 0 or -EINTR.
 */
OCTAVO_API long ksys_process_mrelease(struct mm_struct *mm);
OCTAVO_API long ksys_mlock(uintptr_t addr, size_t len, unsigned int flags);
OCTAVO_API long ksys_munlock(uintptr_t addr, size_t len);
OCTAVO_API long ksys_mlockall(int flags);
OCTAVO_API long ksys_munlockall(void);
/* ksys_mincore - @vec: a user address */
OCTAVO_API long ksys_mincore(uintptr_t addr, size_t len, uintptr_t vec);
OCTAVO_API long ksys_msync(uintptr_t addr, size_t len, int flags);
/* ksys_process_vm_rw - one pair of ranges; @mm: the other process's. Return: bytes or -EFAULT. */
OCTAVO_API long ksys_process_vm_rw(struct mm_struct *mm, uintptr_t remote, uintptr_t local, size_t len, bool write);
OCTAVO_API long ksys_membarrier(int cmd, unsigned int flags, int cpu);
/* ksys_set_vma_name - prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME); @name: a kernel string or NULL */
OCTAVO_API long ksys_set_vma_name(uintptr_t addr, size_t len, const char *name);

/* ---- For exec: the same inside, of an address space that need not be the caller's yet ---- */
OCTAVO_API long vm_mmap(struct mm_struct *mm, struct file *file, uintptr_t addr, size_t len, unsigned long prot,
			unsigned long flags, u64 offset);
OCTAVO_API long vm_munmap(struct mm_struct *mm, uintptr_t addr, size_t len);
/** vm_brk - anonymous memory at a fixed place, as for bss */
OCTAVO_API long vm_brk(struct mm_struct *mm, uintptr_t addr, size_t len, bool exec);
/** vm_stack - a VMA that grows down, its top at @top, of @size bytes at first. Return: 0 or a negative errno. */
OCTAVO_API long vm_stack(struct mm_struct *mm, uintptr_t top, size_t size, bool exec);
/** vm_special - pages of the kernel's own shown at a fixed place ([vdso], [vvar]); @name is kept by reference */
OCTAVO_API long vm_special(struct mm_struct *mm, uintptr_t addr, struct page **pages, unsigned int nr,
			   vm_flags_t flags, const char *name);

OCTAVO_END_DECLS
#endif
