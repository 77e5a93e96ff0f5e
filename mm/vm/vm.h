/* SPDX-License-Identifier: MIT */
/*
 * Address spaces inside: what the files of mm/vm call of each other. The public side is <octavo/mm.h>, <octavo/mman.h>.
 *
 * Locks, outermost first: inode->i_rwsem, mm->mmap_lock (or a VMA's read lock), mapping->invalidate_lock, a folio's
 * lock, mapping->i_mmap_rwsem, anon_vma's rwsem, mm->page_table_lock, a last-level table's lock, i_pages' lock.
 *
 * VMAs. The tree maps [vm_start, vm_end - 1] to the VMA. Who changes one holds mmap_lock for writing and has called
 * vma_start_write(); who looks at one holds mmap_lock for reading or the VMA's own lock (vma_start_read() on what a
 * lookup under RCU found). VMAs are freed after a grace period.
 *
 * Tables. A last-level table lives as long as a VMA lies in its range: zapping leaves tables where they are, and only
 * who has removed the VMAs frees those between the neighbours (free_pgtables()). So a fault that holds its VMA's lock
 * may walk down without a lock; it takes the last-level table's lock and looks whether the entry above still leads
 * there (fork shares tables, and the first who changes an entry in a shared table gets his own: share.c).
 */
#ifndef MM_VM_VM_H
#define MM_VM_VM_H

#include <octavo/mm.h>
#include <octavo/mman.h>
#include <octavo/uaccess.h>

#include "../pgtable/mm.h"
#include "../pgtable/pgtable.h"
#include "../pgtable/tlb.h"
#include "../pgtable/walk.h"
#include "../sync/atomic.h"
#include "../sync/trace.h"

struct mmu_gather;

/* ---- [vma] vma.c: VMAs and the tree ---- */

struct vm_area_struct *vm_area_alloc(struct mm_struct *mm);
struct vm_area_struct *vm_area_dup(const struct vm_area_struct *vma);
/*
 * vm_ops->close(), then file, anon_vma links and the rest are put; the memory goes after a grace period. It is in no
 * tree (any more), and in no list of a file's.
 */
void vm_area_free(struct vm_area_struct *vma);
/*
 * vma_insert - a VMA that has all its properties, and its place, becomes part of @mm
 * Tree, neighbours, map_count and the file's list; no merging, no accounting. Context: mmap_lock for writing, or nobody
 * else knows @mm. Return: 0 or -ENOMEM, and nothing has happened.
 */
int vma_insert(struct mm_struct *mm, struct vm_area_struct *vma);
/* All VMAs leave @mm's tree at once, in bulk; the list of neighbours stays, for who frees them. Return: the first. */
struct vm_area_struct *vma_detach_all(struct mm_struct *mm);
/*
 * The VMA that holds @addr, read-locked; NULL: none, or somebody is changing it: take the mmap lock. Context: RCU not
 * held.
 */
struct vm_area_struct *lock_vma_under_rcu(struct mm_struct *mm, uintptr_t addr);
/* The same in @task's address space; faster where the last one was. Context: @task itself. */
struct vm_area_struct *lock_task_vma(struct mm_task *task, uintptr_t addr);
bool vma_start_read(struct vm_area_struct *vma);
void vma_end_read(struct vm_area_struct *vma);
/* Readers are gone and new ones fail until mmap_write_unlock(). */
void vma_start_write(struct vm_area_struct *vma);
/*
 * Reverse mapping and truncation look at flags with neither the mmap lock nor the VMA's own: they see what was or what
 * is. Context: mmap_lock for writing and vma_start_write(), as for any change.
 */
static inline void vma_change_flags(struct vm_area_struct *vma, vm_flags_t flags)
{
	store_relaxed_u64(&vma->vm_flags, flags);
}
static inline vm_flags_t vma_flags_now(const struct vm_area_struct *vma)
{
	return load_relaxed_u64(&vma->vm_flags);
}
/* VMAs in address order; context: mmap lock. */
static inline struct vm_area_struct *vma_next(const struct vm_area_struct *vma)
{
	return vma->vm_next;
}
static inline struct vm_area_struct *vma_prev(const struct vm_area_struct *vma)
{
	return vma->vm_prev;
}
#define for_each_vma(mm, vma) for (struct vm_area_struct *vma = find_vma(mm, 0); vma; vma = vma_next(vma))
#define for_each_vma_range(mm, vma, start, end) \
	for (struct vm_area_struct *vma = find_vma(mm, start); vma && vma->vm_start < (end); vma = vma_next(vma))

/* Names of anonymous memory (prctl(PR_SET_VMA_ANON_NAME)), counted. */
struct anon_vma_name {
	unsigned int refs; /* (a) */
	char name[];
};
/* Return: NULL without memory; the caller's reference. */
struct anon_vma_name *anon_vma_name_alloc(const char *name);
void anon_vma_name_put(struct anon_vma_name *name);
bool anon_vma_name_eq(const struct anon_vma_name *a, const struct anon_vma_name *b);
static inline struct anon_vma_name *anon_vma_name_get(struct anon_vma_name *name)
{
	if (name)
		atomic_fetch_add(&name->refs, 1);
	return name;
}

/*
 * What flags, userfaultfd context, name and policy a piece of a VMA shall have. NULL: stays as it is; VMA_NOTHING: none
 * from now on; flags VMA_FLAGS_STAY: stay.
 */
#define VMA_NOTHING ((void *)~(uintptr_t)0)
#define VMA_FLAGS_STAY (~(vm_flags_t)0)
struct vma_change {
	vm_flags_t flags;
	void *uffd;
	struct anon_vma_name *anon_name;
	void *policy;
};
/*
 * vma_modify - [start, end) of @vma gets other properties: merged with neighbours if they become alike, else split off
 * The flags are set, vm_page_prot and page tables are the caller's to change. Context: mmap_lock for writing. Return:
 * the VMA that covers it now (write-locked), which may reach beyond on both sides; NULL: no memory or too many
 * mappings, *@err why, and nothing has changed but that the VMA may have been split.
 */
struct vm_area_struct *vma_modify(struct vm_area_struct *vma, uintptr_t start, uintptr_t end,
				  const struct vma_change *change, int *err);
/* It ends at @addr, and another one goes on there. Return: 0, -ENOMEM, or what vm_ops->may_split() says. */
int vma_split(struct vm_area_struct *vma, uintptr_t addr);
/*
 * expand_stack - the VMA above @addr grows down to it, if it is one that does
 * Context: mmap_lock for writing. Return: 0: @addr is mapped now; -EFAULT: nothing there grows; -ENOMEM, -EPERM: it may
 * not (limits, guard gap, mmap_min_addr).
 */
int expand_stack(struct mm_struct *mm, uintptr_t addr);
/* Rights of a VMA's pages: vm_page_prot from vm_flags, less PGPROT_WRITE where writes must be noticed. */
pgprot_t vm_get_page_prot(vm_flags_t flags);
void vma_set_page_prot(struct vm_area_struct *vma);
bool vma_wants_writenotify(const struct vm_area_struct *vma);
int do_munmap(struct mm_struct *mm, uintptr_t addr, size_t len);

/* ---- [vma] account.c: overcommit and limits ---- */
/* Return: 0 or -ENOMEM. */
int vm_acct_memory(const struct mm_task *task, unsigned long pages);
void vm_unacct_memory(unsigned long pages);
bool may_expand_vm(struct mm_struct *mm, const struct mm_process *process, vm_flags_t flags, unsigned long pages);
void vm_stat_account(struct mm_struct *mm, vm_flags_t flags, long pages);
extern unsigned long mmap_min_addr, stack_guard_gap;
extern int sysctl_max_map_count, sysctl_overcommit_memory, sysctl_overcommit_ratio, randomize_va_space;

/* ---- [fault] fault.c zap.c protect.c gup.c populate.c ---- */
/* Entries of a VMA in [start, end) go, with their pages, counts and swap; tables stay. @details: NULL: everything */
struct zap_details {
	struct folio *folio;	/* only pages of this one */
	bool even_cows;		/* private copies of file pages, too */
};
void zap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, uintptr_t start, uintptr_t end,
		    const struct zap_details *details);

/* What is resident now may be more than ever: it is about to become less. */
static force_inline void mm_note_hiwater(struct mm_struct *mm)
{
	long rss = (long)(load_relaxed(&mm->rss[MM_FILEPAGES]) + load_relaxed(&mm->rss[MM_ANONPAGES]) +
			  load_relaxed(&mm->rss[MM_SHMEMPAGES]));

	if (rss > 0 && (unsigned long)rss > load_relaxed(&mm->hiwater_rss))
		store_relaxed(&mm->hiwater_rss, (unsigned long)rss);
}

/*
 * zap_shared_tables - all of [start, end) goes: shared tables that lie in it as a whole are left as they are, whatever
 * VMAs are in their reach, which takes no memory
 * Return: some were. The gather is to be flushed while the VMAs can still be found: reverse mapping may be taking a
 * page out of such a table, and flushes for this address space only if it finds the VMA.
 */
bool zap_shared_tables(struct mmu_gather *tlb, struct mm_struct *mm, uintptr_t start, uintptr_t end);
#define MM_CP_PROT_NUMA 1u
#define MM_CP_UFFD_WP 2u
#define MM_CP_UFFD_WP_RESOLVE 4u
#define MM_CP_TRY_WRITE 8u
/*
 * New rights, from vma->vm_page_prot, for what is mapped. Return: entries changed, or -ENOMEM (a table to unshare), but
 * with MM_CP_UFFD_WP_RESOLVE never.
 */
long change_protection(struct mmu_gather *tlb, struct vm_area_struct *vma, uintptr_t start, uintptr_t end,
		       unsigned int flags);
/*
 * populate_vma_range - fault in what [*addr, end) of @vma needs (mlock, MAP_POPULATE, MADV_POPULATE_*)
 * @addr: behind the call, the first page that is not known to be there
 * @locked: NULL: the lock stays; else a fault may let go of it, and the answer is then 0 and *@locked false
 * Context: mmap_lock for reading. Return: 0; -ENOMEM, -EFAULT, -EHWPOISON, -EINTR.
 */
long populate_vma_range(struct vm_area_struct *vma, uintptr_t *addr, uintptr_t end, bool write, bool *locked);
/*
 * mm_populate - all of a range, VMA by VMA, taking the mmap lock. Return: 0 or the first error, which ends it.
 * mm_populate_all() - what can be populated of all VMAs
 */
long mm_populate(struct mm_struct *mm, uintptr_t start, uintptr_t end);
void mm_populate_all(struct mm_struct *mm);
/* Pages that are mapped read only and not theirs alone: the zero page. */
extern unsigned long zero_pfn;
static inline bool is_zero_pfn(unsigned long pfn)
{
	return pfn == zero_pfn;
}
/* The page of an entry if it is a normal one (counted, with a struct page that mm/vm owns), or NULL. */
struct page *vm_normal_page(const struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t entry);

/* ---- [fork] fork.c share.c exit.c ---- */
/*
 * vm_entry_lock - the last-level entry of @addr for a change, its table's lock held and the table nobody else's
 * Tables on the way are made, a shared one is copied first. vm_entry_find() - the same of what exists: NULL if there is
 * no table, and a shared table stays shared (*@shared): then the entry may be looked at, but not changed.
 * Context: a lock of @vma's or the mmap lock; vm_entry_lock() may sleep before it takes the lock.
 * Return: NULL: no memory.
 */
pgt_entry_t *vm_entry_lock(struct vm_area_struct *vma, uintptr_t addr, spinlock_t **lock);
pgt_entry_t *vm_entry_find(struct mm_struct *mm, uintptr_t addr, spinlock_t **lock, bool *shared);
/*
 * vm_own_tables - every last-level table of [start, end) is this address space's own from now on, or was never shared
 * For zap, protect, move: what changes many entries at once. Context: mmap lock. Return: 0 or -ENOMEM.
 */
int vm_own_tables(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
/*
 * vm_drop_shared - a whole last-level range [start, start + its size) goes: if its table is shared, this address space
 * lets go of it without a look at the entries (but for the counters), after the gather's flush. Return: it was so.
 */
bool vm_drop_shared(struct mmu_gather *tlb, struct mm_struct *mm, uintptr_t start);
/* Tables without VMAs between @floor and @ceiling (0: the end) go with the gather. */
void free_pgtables(struct mmu_gather *tlb, struct mm_struct *mm, uintptr_t start, uintptr_t end, uintptr_t floor,
		   uintptr_t ceiling);
/* Everything goes: the last user is gone. */
void exit_mmap(struct mm_struct *mm);
/* The OOM killer's: an address space with MMF_OOM_VICTIM has ended, MMF_OOM_SKIP is set. */
extern void (*mm_oom_gone)(struct mm_struct *mm);
/*
 * oom_zap - the private pages of an address space go, while its threads may still be about
 * Faults in them end in SIGBUS from now on (MMF_UNSTABLE): what was there is lost. Pages of files that are mapped
 * shared stay, and frames of devices. Context: the caller counts @mm (mmgrab()); may take page tables from reserves.
 * Return: -EAGAIN: somebody holds the mmap lock; 0: done; 1: it has ended, or was zapped before.
 */
int oom_zap(struct mm_struct *mm);
/* What a fault in private memory looks at with its table locked: false: it may have lost what was there. */
static inline bool mm_is_stable(const struct mm_struct *mm)
{
	return likely(!(load_relaxed(&mm->flags) & 1ul << MMF_UNSTABLE));
}
/* Whether PR_SET_MDWE refuses a mapping with flags @old (a new one: @new) to have @new. */
bool mdwe_denies(const struct mm_struct *mm, vm_flags_t old, vm_flags_t new);
/* What of it a child, or the next program, begins with: bits of mm->flags. */
unsigned long mdwe_inherited(const struct mm_struct *mm);

/* mm->rss[@which] to the page: of tables that it shares it does not know what was unmapped there by reverse mapping. */
long get_mm_counter(struct mm_struct *mm, unsigned int which);

void trace_rss(const struct mm_struct *mm, unsigned int which);

static inline void mm_counter_add(struct mm_struct *mm, unsigned int which, long n)
{
	atomic_fetch_add(&mm->rss[which], n);
	if (trace_event_enabled(rss_stat))
		trace_rss(mm, which);
}

#endif
