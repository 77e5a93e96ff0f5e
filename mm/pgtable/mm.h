/* SPDX-License-Identifier: MIT */
/*
 * struct mm_struct: an address space, as far as page tables and TLBs know it.
 *
 * Legend: (c) constant once made, (a) atomic, (t) page_table_lock, (p) the lock of the table the entry is in.
 */
#ifndef MM_PGTABLE_MM_H
#define MM_PGTABLE_MM_H

#include <octavo/rwsem.h>
#include <octavo/task.h>

#include "../base/list.h"
#include "../base/range_tree.h"
#include "../sync/spinlock.h"
#include "format.h"

struct file;

/* Of an address space that the OOM killer has chosen, until it has ended: mm/reclaim/oom_reaper.c, its lock. */
struct oom_victim {
	struct list_head list;
	u64 due;	      /* port_clock_ns(): not to be tried before */
	unsigned int tries;
	u32 round;	      /* of the last try */
	s32 pid;
	bool listed, reap;
	char comm[16];
};

/* What mm->rss counts, in pages: Linux's MM_FILEPAGES and so on. */
enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, NR_MM_COUNTERS };

/* mm->flags: bits */
enum { MMF_DUMPABLE, MMF_DUMP_SECURELY, MMF_UNSTABLE, MMF_OOM_SKIP, MMF_HAS_PINNED, MMF_TOPDOWN, MMF_VM_HUGEPAGE,
       MMF_HAS_SHARED_TABLES, MMF_HAS_MDWE, MMF_HAS_MDWE_NO_INHERIT, MMF_OOM_VICTIM, MMF_OOM_ORIGIN };

struct mm_struct {
	pgt_entry_t *pgd;	     /* (c) root, in the direct map */
	phys_addr_t pgd_phys;	     /* (c) */
	spinlock_t page_table_lock;  /* tables above the last level come and go under it */
	unsigned long pgtable_pages; /* (a) table pages, root included */
	unsigned long ctx_id;	     /* (c) never the same for two address spaces; 0: init_mm */
	unsigned long tlb_gen;	     /* (a) counts changes that some TLB may not have seen; begins at 1 */
	unsigned long tlb_owed;	     /* (a) latest of them that CPUs were not told of yet, or 0: tlb_owe() */
	unsigned int users;	     /* (a) mm_users: who may fault pages in */
	unsigned int count;	     /* (a) mm_count: who may load it (lazily, too); all users together are one */
	unsigned int made;	     /* (a) not 0: it is a process's, and what follows is valid */
	unsigned int gathers;	     /* (a) mmu_gathers under way: two may each rely on the other's flush */
	struct list_head list;	     /* address_spaces.lock: all but init_mm */
	unsigned long *cpus;	     /* (a) bitmap of the CPUs whose TLB may hold translations; NULL: all online ones */

	/*
	 * What is mapped: mm/vm's, zero for an address space that is only page tables. (w) mmap_lock for writing,
	 * readers hold it or read with RCU.
	 */
	struct rw_semaphore mmap_lock;
	unsigned long mm_lock_seq;   /* (w) odd while a writer has it; VMAs with this vm_lock_seq are write-locked */
	u32 mm_lock_round;	     /* (w) how often mm_lock_seq began anew */
	struct range_tree vmas;	     /* (w) of struct vm_area_struct */
	uintptr_t vma_writer;	     /* (a) thread that waits for readers of a VMA; its waking is under the next */
	spinlock_t vma_wait_lock;
	struct vm_area_struct *recent; /* (w) of vmas, or NULL: where a writer was last */
	uintptr_t top_full;	     /* (w) all from here up to mmap_base is mapped */
	unsigned int map_count;	     /* (w) VMAs */
	unsigned long flags;	     /* (a) MMF_* */
	uintptr_t task_size;	     /* (c) first address beyond user space */
	uintptr_t mmap_base;	     /* (w) highest (legacy: lowest) address of the mmap area */
	uintptr_t mmap_legacy_base;  /* (w) lowest address of the legacy layout's mmap area */
	u64 def_flags;		     /* (w) vm_flags of new VMAs: mlockall(MCL_FUTURE) */
	unsigned long total_vm, locked_vm, data_vm, exec_vm, stack_vm; /* (w) pages */
	unsigned long pinned_vm;     /* (a) pages */
	unsigned long hiwater_vm;    /* (w) pages */
	long rss[NR_MM_COUNTERS];    /* (a) pages */
	unsigned long hiwater_rss;   /* (a) pages: greatest sum seen when some were unmapped */
	uintptr_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	uintptr_t arg_start, arg_end, env_start, env_end; /* arg_lock in Linux; here (w) */
	struct file *exe_file;	     /* (w) */
	struct oom_victim victim;
	struct fork_count *fork;     /* of both sides while mm_fork() shares tables: mm/vm/share.h; page_table_lock */
	u32 pkeys;		     /* (w) bit n: protection key n is allocated; bit 0: key 0 is not */
	u32 membarrier;		     /* (a) what it registered for */
};

/* The kernel's: its page table is the one all others share their kernel half with. */
extern struct mm_struct init_mm;

/* The core has page tables on this port (bootinfo.page_tables). */
extern bool pgtables_on;

/*
 * mm_alloc - an empty address space, with the kernel half of init_mm where the format has one root
 * Context: may sleep. Return: NULL without memory. mmget/mmput, mmgrab/mmdrop count as in Linux; the last mmput() needs
 * everything unmapped, the last mmdrop() frees the root and makes sure no CPU runs on it.
 */
struct mm_struct *mm_alloc(gfp_t gfp);
/* All address spaces but init_mm, oldest first, NULL before the first and after the last. Nobody makes or drops one. */
struct mm_struct *mm_after(const struct mm_struct *mm);
/*
 * mm_next_user - the next after @mm (NULL: the first) that has users, as one more of them; @mm's is given back
 * While others make and drop them. Context: may sleep.
 */
struct mm_struct *mm_next_user(struct mm_struct *mm);
void mmget(struct mm_struct *mm);
bool mmget_not_zero(struct mm_struct *mm);
void mmput(struct mm_struct *mm);
void mmgrab(struct mm_struct *mm);
void mmdrop(struct mm_struct *mm);
/* While it takes more and more memory for all the others' sake (swapoff): if there is not enough, it has to go. */
static inline void mm_set_oom_origin(struct mm_struct *mm, bool on)
{
	if (on)
		(void)atomic_fetch_or(&mm->flags, 1ul << MMF_OOM_ORIGIN);
	else
		(void)atomic_fetch_and(&mm->flags, ~(1ul << MMF_OOM_ORIGIN));
}
/* What the last mmput() calls first: mm/vm unmaps everything. */
void mm_on_release(void (*release)(struct mm_struct *mm));

#endif
