/* SPDX-License-Identifier: MIT */
/*
 * struct mm_struct: an address space, as far as page tables and TLBs know it.
 *
 * Legend: (c) constant once made, (a) atomic, (t) page_table_lock, (p) the lock of the table the entry is in.
 */
#ifndef MM_PGTABLE_MM_H
#define MM_PGTABLE_MM_H

#include "../base/list.h"
#include "../sync/spinlock.h"
#include "format.h"

struct mm_struct {
	pgt_entry_t *pgd;	     /* (c) root, in the direct map */
	phys_addr_t pgd_phys;	     /* (c) */
	spinlock_t page_table_lock;  /* tables above the last level come and go under it */
	unsigned long pgtable_pages; /* (a) table pages, root included */
	unsigned long ctx_id;	     /* (c) never the same for two address spaces; 0: init_mm */
	unsigned long tlb_gen;	     /* (a) counts changes that some TLB may not have seen; begins at 1 */
	unsigned int users;	     /* (a) mm_users: who may fault pages in */
	unsigned int count;	     /* (a) mm_count: who may load it (lazily, too); all users together are one */
	unsigned int gathers;	     /* (a) mmu_gathers under way: two may each rely on the other's flush */
	struct list_head list;	     /* address_spaces.lock: all but init_mm */
	unsigned long *cpus;	     /* (a) bitmap of the CPUs whose TLB may hold translations; NULL: all online ones */
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
void mmget(struct mm_struct *mm);
void mmput(struct mm_struct *mm);
void mmgrab(struct mm_struct *mm);
void mmdrop(struct mm_struct *mm);

#endif
