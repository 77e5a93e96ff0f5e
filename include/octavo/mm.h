/* SPDX-License-Identifier: MIT */
/*
 * Address spaces and what they map: <linux/mm.h>, as far as drivers, file systems and a kernel's process management use
 * it. The system calls are in <octavo/mman.h>.
 */
#ifndef OCTAVO_MM_H
#define OCTAVO_MM_H

#include <octavo/fs.h>
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/pgprot.h>
#include <octavo/rcupdate.h>
#include <octavo/task.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

struct anon_vma;
struct mm_struct;
struct vm_area_struct;

typedef u64 vm_flags_t;

/* vm_flags, with Linux 6.12's values (x86-64), which the VmFlags line of smaps spells in its order. */
#define VM_READ 0x00000001ull
#define VM_WRITE 0x00000002ull
#define VM_EXEC 0x00000004ull
#define VM_SHARED 0x00000008ull
#define VM_MAYREAD 0x00000010ull
#define VM_MAYWRITE 0x00000020ull
#define VM_MAYEXEC 0x00000040ull
#define VM_MAYSHARE 0x00000080ull
#define VM_GROWSDOWN 0x00000100ull
#define VM_UFFD_MISSING 0x00000200ull
#define VM_PFNMAP 0x00000400ull /* frame numbers, no struct page */
#define VM_UFFD_WP 0x00001000ull
#define VM_LOCKED 0x00002000ull
#define VM_IO 0x00004000ull
#define VM_SEQ_READ 0x00008000ull
#define VM_RAND_READ 0x00010000ull
#define VM_DONTCOPY 0x00020000ull
#define VM_DONTEXPAND 0x00040000ull
#define VM_LOCKONFAULT 0x00080000ull
#define VM_ACCOUNT 0x00100000ull
#define VM_NORESERVE 0x00200000ull
#define VM_HUGETLB 0x00400000ull
#define VM_SYNC 0x00800000ull
#define VM_WIPEONFORK 0x02000000ull
#define VM_DONTDUMP 0x04000000ull
#define VM_SOFTDIRTY 0x08000000ull
#define VM_MIXEDMAP 0x10000000ull /* struct pages and frame numbers */
#define VM_HUGEPAGE 0x20000000ull
#define VM_NOHUGEPAGE 0x40000000ull
#define VM_MERGEABLE 0x80000000ull
#define VM_PKEY_SHIFT 32
#define VM_PKEY_MASK (0xfull << VM_PKEY_SHIFT)
#define VM_UFFD_MINOR (1ull << 38)
#define VM_DROPPABLE (1ull << 40)
#define VM_SEALED (1ull << 63)

#define VM_ACCESS_FLAGS (VM_READ | VM_WRITE | VM_EXEC)
#define VM_SPECIAL (VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP)
#define VM_STACK VM_GROWSDOWN
#define VM_UFFD_ANY (VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR)

/* What a fault handler has to do, and what came of it. */
enum fault_flag {
	FAULT_FLAG_WRITE = 1 << 0,
	FAULT_FLAG_MKWRITE = 1 << 1,
	FAULT_FLAG_ALLOW_RETRY = 1 << 2,
	FAULT_FLAG_RETRY_NOWAIT = 1 << 3,
	FAULT_FLAG_KILLABLE = 1 << 4,
	FAULT_FLAG_TRIED = 1 << 5,
	FAULT_FLAG_USER = 1 << 6,
	FAULT_FLAG_REMOTE = 1 << 7,
	FAULT_FLAG_INSTRUCTION = 1 << 8,
	FAULT_FLAG_INTERRUPTIBLE = 1 << 9,
	FAULT_FLAG_UNSHARE = 1 << 10, /* a private copy although nothing is written (pinning) */
	FAULT_FLAG_VMA_LOCK = 1 << 12, /* the VMA's lock is held, not the mmap lock */
};

typedef unsigned int vm_fault_t;
enum vm_fault_reason {
	VM_FAULT_OOM = 0x0001,
	VM_FAULT_SIGBUS = 0x0002,
	VM_FAULT_MAJOR = 0x0004,
	VM_FAULT_HWPOISON = 0x0010,
	VM_FAULT_SIGSEGV = 0x0040,
	VM_FAULT_NOPAGE = 0x0100,    /* the handler installed the entry itself */
	VM_FAULT_LOCKED = 0x0200,    /* vmf->page is locked */
	VM_FAULT_RETRY = 0x0400,     /* the lock has been dropped; look again */
	VM_FAULT_FALLBACK = 0x0800,
	VM_FAULT_DONE_COW = 0x1000,
	VM_FAULT_COMPLETED = 0x4000, /* the lock has been dropped, and all is done */
};
#define VM_FAULT_ERROR (VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV | VM_FAULT_HWPOISON)

/**
 * struct vm_fault - a fault on its way through handlers
 * @vma, @address (page aligned), @pgoff, @flags (FAULT_FLAG_*): which
 * @page: what vm_operations.fault() found, with a reference, locked if it returned VM_FAULT_LOCKED
 * @cow_page: where a private copy goes, if the handler wants to fill it itself
 * The rest is the core's.
 */
struct vm_fault {
	struct vm_area_struct *vma;
	uintptr_t address;
	uintptr_t real_address;
	unsigned long pgoff;
	unsigned int flags;
	gfp_t gfp;
	struct page *page;
	struct page *cow_page;
	void *entry;	    /* of the last-level table, or NULL */
	u64 orig;	    /* what it was */
	void *lock;	    /* held, or NULL */
};

/**
 * struct vm_operations_struct - what a mapping of a file or device does by itself; each may be NULL
 * @open, @close: a VMA was duplicated or split; goes. Context: mmap lock for writing; may sleep.
 * @may_split: 0, or an errno that forbids it
 * @mremap: it was moved
 * @fault: find vmf->page. Context: mmap lock (or VMA lock) for reading; may sleep.
 * @map_pages: enter what is at hand of [@start_pgoff, @end_pgoff] (fault-around). Context: rcu_read_lock(); no sleep.
 * @page_mkwrite: a page of a shared mapping is about to become writable: returns VM_FAULT_LOCKED with it locked, 0 to
 *                let the core lock it, or an error
 * @pfn_mkwrite: the same for VM_PFNMAP and VM_MIXEDMAP
 * @access: reads or writes what has no struct page (ptrace, process_vm_readv). Return: bytes.
 * @userfault_page: the page at @pgoff, locked and with a reference, in *@folio (may be NULL: is there one?); @fresh: it
 *                  becomes the file's, uptodate, its reference the caller's still. A file that has this can be
 *                  registered with a userfaultfd. Return: 0; -ENOENT, -EEXIST; -EFAULT: beyond the end; -ENOMEM.
 * @name: for /proc/PID/maps
 * @pagesize: of hugetlb-like mappings
 */
struct vm_operations_struct {
	void (*open)(struct vm_area_struct *vma);
	void (*close)(struct vm_area_struct *vma);
	int (*may_split)(struct vm_area_struct *vma, uintptr_t addr);
	int (*mremap)(struct vm_area_struct *vma);
	int (*mprotect)(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, vm_flags_t flags);
	vm_fault_t (*fault)(struct vm_fault *vmf);
	vm_fault_t (*huge_fault)(struct vm_fault *vmf, unsigned int order);
	vm_fault_t (*map_pages)(struct vm_fault *vmf, unsigned long start_pgoff, unsigned long end_pgoff);
	size_t (*pagesize)(struct vm_area_struct *vma);
	vm_fault_t (*page_mkwrite)(struct vm_fault *vmf);
	vm_fault_t (*pfn_mkwrite)(struct vm_fault *vmf);
	int (*access)(struct vm_area_struct *vma, uintptr_t addr, void *buf, int len, bool write);
	int (*userfault_page)(struct vm_area_struct *vma, unsigned long pgoff, struct folio *fresh,
			      struct folio **folio);
	const char *(*name)(struct vm_area_struct *vma);
};

/* A range of page offsets in a tree of them: mm/vm/interval.h. */
struct interval_node {
	struct interval_node *left, *right, *parent;
	unsigned long start, last; /* (c) while it is in the tree */
	unsigned long max;	   /* greatest last from here down */
};

/**
 * struct vm_area_struct - a range of an address space that is mapped in one way
 * (w) mmap lock for writing and the VMA write-locked; readers hold either lock, (c) constant, (a) atomic,
 * (m) vm_file->f_mapping->i_mmap_rwsem, (v) anon_vma's lock
 */
struct vm_area_struct {
	uintptr_t vm_start, vm_end;	/* (w); atomic, for who looks before he locks */
	struct vm_area_struct *vm_next, *vm_prev; /* (w) neighbours in address order; mmap lock to read */
	struct mm_struct *vm_mm;	/* (c) */
	vm_flags_t vm_flags;		/* (w); mm/vm/vm.h: vma_flags_now() without a lock */
	pgprot_t vm_page_prot;		/* (w) */
	u32 vm_refs;			/* (a) per-VMA lock: readers, and a bit of the writer's; 0: detached */
	unsigned long vm_lock_seq;	/* equals mm->mm_lock_seq: write-locked until the mmap lock is let go */
	unsigned long vm_pgoff;		/* (w) of vm_start, in pages; anonymous: its page number at first */
	struct file *vm_file;		/* (c) */
	const struct vm_operations_struct *vm_ops; /* NULL: anonymous */
	void *vm_private_data;
	struct anon_vma *anon_vma;	/* (a) once set, set: under the page table lock */
	void *anon_chain;		/* (v) mm/vm/anon_vma.h */
	struct interval_node i_mmap_node; /* (m) in vm_file->f_mapping->i_mmap: mm/vm/interval.h */
	void *uffd;			/* (w) its userfaultfd context */
	void *policy;			/* (w) memory policy */
	struct anon_vma_name *anon_name; /* (w) prctl(PR_SET_VMA_ANON_NAME) */
	struct rcu_head rcu;
};

static inline unsigned long vma_pages(const struct vm_area_struct *vma)
{
	return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}

static inline bool vma_is_anonymous(const struct vm_area_struct *vma)
{
	return !vma->vm_ops;
}

static inline unsigned long linear_page_index(const struct vm_area_struct *vma, uintptr_t addr)
{
	return ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
}

/* For mmap() of files and devices only, while nobody else sees the VMA. */
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}

/* ---- Address spaces ---- */

/**
 * mm_create - an empty address space, ready for mmap
 * @process: whose limits and personality the layout follows
 * @task_size: first address beyond user space; 0: the format's greatest. (4 GiB less a page for 32-bit programs.)
 * Context: may sleep. Return: NULL without memory. Lifetime: mmget(), mmput() (the last one unmaps everything).
 */
OCTAVO_API struct mm_struct *mm_create(const struct mm_process *process, uintptr_t task_size);
OCTAVO_API void mmget(struct mm_struct *mm);
OCTAVO_API void mmput(struct mm_struct *mm);
OCTAVO_API void mmgrab(struct mm_struct *mm);
/** mmget_not_zero - mmget() by one who has mmgrab() only. Return: false: nobody uses it any more, nothing was taken. */
OCTAVO_API bool mmget_not_zero(struct mm_struct *mm);
OCTAVO_API void mmdrop(struct mm_struct *mm);

/**
 * mm_fork - what fork() makes of the caller's address space: the same contents, copied when written
 * Page tables are shared until one of the two needs its own. Context: thread context. Return: NULL without memory or
 * over the overcommit limit (errno: ENOMEM either way).
 */
OCTAVO_API struct mm_struct *mm_fork(struct mm_struct *mm, const struct mm_process *child);

/**
 * struct mm_layout - what lies where in an address space, as /proc/PID/stat and prctl(PR_SET_MM) name it
 * @stack_top: highest address of the stack, from mm_pick_stack_top()
 * @mmap_base: where the search for room begins, from mm_pick_mmap_base()
 * @arg_start, @arg_end, @env_start, @env_end: arguments and environment, at the top of the stack
 */
struct mm_layout {
	uintptr_t stack_top, mmap_base;
	uintptr_t start_code, end_code, start_data, end_data;
	uintptr_t start_brk, brk, start_stack;
	uintptr_t arg_start, arg_end, env_start, env_end;
};
/**
 * mm_pick_stack_top, mm_pick_mmap_base - for exec: the top of a new program's stack, and below it the mmap area
 * From RLIMIT_STACK, the personality, vm.legacy_va_layout and randomize_va_space: Documentation/arch/x86/x86_64/mm.rst
 * for the areas, and the behaviour of execve(2).
 */
OCTAVO_API uintptr_t mm_pick_stack_top(struct mm_struct *mm, const struct mm_process *process);
OCTAVO_API void mm_pick_mmap_base(struct mm_struct *mm, const struct mm_process *process);
/** mm_random_offset - a random multiple of the page size below 2^@bits pages; 0 where randomize_va_space says so */
OCTAVO_API uintptr_t mm_random_offset(unsigned int bits);
OCTAVO_API void mm_get_layout(struct mm_struct *mm, struct mm_layout *layout);
OCTAVO_API void mm_set_layout(struct mm_struct *mm, const struct mm_layout *layout);
OCTAVO_API void mm_set_exe_file(struct mm_struct *mm, struct file *file);
OCTAVO_API struct file *mm_get_exe_file(struct mm_struct *mm);

/* ---- The mmap lock ---- */
OCTAVO_API void mmap_read_lock(struct mm_struct *mm);
OCTAVO_API int __must_check mmap_read_lock_killable(struct mm_struct *mm);
OCTAVO_API bool mmap_read_trylock(struct mm_struct *mm);
OCTAVO_API void mmap_read_unlock(struct mm_struct *mm);
OCTAVO_API void mmap_write_lock(struct mm_struct *mm);
OCTAVO_API int __must_check mmap_write_lock_killable(struct mm_struct *mm);
OCTAVO_API void mmap_write_unlock(struct mm_struct *mm);
OCTAVO_API void mmap_write_downgrade(struct mm_struct *mm);

/** find_vma - the first VMA that ends behind @addr; vma_lookup - the one that holds it. Context: mmap lock. */
OCTAVO_API struct vm_area_struct *find_vma(struct mm_struct *mm, uintptr_t addr);
OCTAVO_API struct vm_area_struct *vma_lookup(struct mm_struct *mm, uintptr_t addr);

/* ---- Faults ---- */

/**
 * handle_mm_fault - make an access to @address possible
 * @flags: FAULT_FLAG_*
 * Context: mmap lock or (FAULT_FLAG_VMA_LOCK) the VMA's for reading; rights have been checked. Return: VM_FAULT_*; with
 * VM_FAULT_RETRY or VM_FAULT_COMPLETED the lock has been dropped.
 */
OCTAVO_API vm_fault_t handle_mm_fault(struct vm_area_struct *vma, uintptr_t address, unsigned int flags);

/* ---- What a driver's mmap() and fault handlers use ---- */
OCTAVO_API int __must_check remap_pfn_range(struct vm_area_struct *vma, uintptr_t addr, unsigned long pfn, size_t size,
					    pgprot_t prot);
OCTAVO_API int __must_check vm_iomap_memory(struct vm_area_struct *vma, phys_addr_t start, size_t len);
OCTAVO_API int __must_check vm_insert_page(struct vm_area_struct *vma, uintptr_t addr, struct page *page);
OCTAVO_API int __must_check vm_map_pages(struct vm_area_struct *vma, struct page **pages, unsigned long num);
OCTAVO_API vm_fault_t vmf_insert_pfn(struct vm_area_struct *vma, uintptr_t addr, unsigned long pfn);
OCTAVO_API vm_fault_t vmf_insert_pfn_prot(struct vm_area_struct *vma, uintptr_t addr, unsigned long pfn, pgprot_t prot);
OCTAVO_API vm_fault_t vmf_insert_mixed(struct vm_area_struct *vma, uintptr_t addr, unsigned long pfn, bool write);
OCTAVO_API int __must_check remap_vmalloc_range(struct vm_area_struct *vma, void *addr, unsigned long pgoff);
/** unmap_mapping_range - no process maps [@start, @start + @len) of a file any more (@even_cows: private copies too) */
OCTAVO_API void unmap_mapping_range(struct address_space *mapping, u64 start, u64 len, bool even_cows);
/** zap_vma_ptes - a driver takes back what it mapped in [@addr, @addr + @size) */
OCTAVO_API void zap_vma_ptes(struct vm_area_struct *vma, uintptr_t addr, size_t size);

/* ---- get_user_pages ---- */
#define FOLL_WRITE 0x01u
#define FOLL_GET 0x02u
#define FOLL_FORCE 0x08u
#define FOLL_NOWAIT 0x10u
#define FOLL_HWPOISON 0x40u
#define FOLL_ANON 0x80u
#define FOLL_LONGTERM 0x100u
#define FOLL_PIN 0x40000u
#define FOLL_UNLOCKABLE 0x200000u

/**
 * get_user_pages_remote, pin_user_pages_remote - references to (pins on) the pages behind user addresses
 * Pages are faulted in. Pinned ones stay where they are and are not copied away from the mapping by fork() or a write.
 * FOLL_UNLOCKABLE: the mmap lock may be dropped and taken again on the way, where a fault has to wait for a program.
 * Context: mmap lock for reading (of the _fast variants: none; the caller's address space). Return: pages got, which
 * may be fewer than @nr; or a negative errno if none.
 */
OCTAVO_API long get_user_pages_remote(struct mm_struct *mm, uintptr_t start, unsigned long nr, unsigned int foll,
				      struct page **pages);
OCTAVO_API long pin_user_pages_remote(struct mm_struct *mm, uintptr_t start, unsigned long nr, unsigned int foll,
				      struct page **pages);
OCTAVO_API long get_user_pages_fast(uintptr_t start, unsigned long nr, unsigned int foll, struct page **pages);
OCTAVO_API long pin_user_pages_fast(uintptr_t start, unsigned long nr, unsigned int foll, struct page **pages);
OCTAVO_API void unpin_user_pages(struct page **pages, unsigned long nr);
/**
 * account_pinned_vm - @pages of @mm are to be pinned for long (a device's buffers): VmPin, against RLIMIT_MEMLOCK of
 * the running task. unaccount_pinned_vm - they are no longer. Context: any. Return: 0; -ENOMEM: over the limit.
 */
OCTAVO_API int __must_check account_pinned_vm(struct mm_struct *mm, unsigned long pages);
OCTAVO_API void unaccount_pinned_vm(struct mm_struct *mm, unsigned long pages);
OCTAVO_API void unpin_user_pages_dirty_lock(struct page **pages, unsigned long nr, bool dirty);
/**
 * access_remote_vm - read or write another address space (ptrace, /proc/PID/mem); @foll: FOLL_WRITE, FOLL_FORCE
 * Return: bytes.
 */
OCTAVO_API size_t access_remote_vm(struct mm_struct *mm, uintptr_t addr, void *buf, size_t len, unsigned int foll);

OCTAVO_END_DECLS
#endif
