/* SPDX-License-Identifier: MIT */
/*
 * TLB control: who may hold translations of what, and how they are told to forget them; and mmu_gather, which frees
 * pages and tables only after that.
 *
 * All flushes return when no CPU can use an old translation any more (a CPU that is lazy, or runs something else,
 * catches up before it uses the address space again). They call other CPUs: thread context, interrupts on, no
 * spinlock held, as port_cpu_call(). flush_tlb_*_local() is this CPU only, any context.
 */
#ifndef MM_PGTABLE_TLB_H
#define MM_PGTABLE_TLB_H

#include "../sync/atomic.h"
#include "mm.h"

struct page;

/*
 * Return: false when a CPU could not be called (a port without port_cpu_call(), and more than one CPU; reported once):
 * it may go on using what was mapped, which therefore has to stay out of use.
 */
bool flush_tlb_all(void);
bool flush_tlb_mm(struct mm_struct *mm);
/* Leaves of 1 << @stride_shift bytes; @freed_tables: upper entries changed too (paging-structure caches). */
bool flush_tlb_mm_range(struct mm_struct *mm, uintptr_t start, uintptr_t end, unsigned int stride_shift,
			bool freed_tables);
bool flush_tlb_page(struct mm_struct *mm, uintptr_t virt);
/*
 * flush_tlb_page_alone - the same if no other CPU has loaded @mm, and this one runs in it
 * For an entry that was just taken out of the machine's sight, so that nobody can come to know it, or whose rights only
 * grew. Context: preemption off, spinlocks may be held. Return: false: it is not so, and nothing is done.
 */
bool flush_tlb_page_alone(struct mm_struct *mm, uintptr_t virt);

/*
 * Flushes that come late. Who changes entries of others' address spaces in a row (reclaim) changes each under its lock
 * and tells the CPUs once, in the end: a batch. Meanwhile the address space *owes* a flush. Who finds the entry changed
 * and would have nothing to flush himself settles before he returns: every flush of an address space pays all it owes.
 */

/* CPUs to be told, all zero at first. The address spaces may end meanwhile. */
struct tlb_batch {
	unsigned long cpus; /* of the first word's */
	bool all;	    /* to all CPUs */
	unsigned int nr;    /* entries of which somebody has to be told */
};

/*
 * tlb_batch_add - an entry of @mm was changed. Context: the entry's lock is held since before
 * Return: false: no CPU needs to be told of it.
 */
bool tlb_batch_add(struct tlb_batch *batch, struct mm_struct *mm);
/* tlb_batch_flush - tell, what was added; the batch is empty then. Context and return: as flush_tlb_mm() */
bool tlb_batch_flush(struct tlb_batch *batch);
/* tlb_owe - a batch of one: count the flush that tlb_pay_page() will do as soon as the entry's lock is let go of */
unsigned long tlb_owe(struct mm_struct *mm);
/* Return: as flush_tlb_mm(). @gen: what tlb_owe() returned */
bool tlb_pay_page(struct mm_struct *mm, uintptr_t virt, unsigned long gen);
/* tlb_settle - flush if others owe it. Context and return: as flush_tlb_mm() */
static inline bool tlb_settle(struct mm_struct *mm)
{
	return likely(!load_acquire(&mm->tlb_owed)) ||
	       flush_tlb_mm_range(mm, 0, UINTPTR_MAX, PAGE_SHIFT, false);
}

bool flush_tlb_kernel_range(uintptr_t start, uintptr_t end);
void flush_tlb_kernel_local(uintptr_t start, uintptr_t end);

/*
 * Beyond so many pages one flush of everything is cheaper (33): /sys/kernel/debug/x86/tlb_single_page_flush_ceiling.
 */
extern unsigned long tlb_single_page_flush_ceiling;

/* ---- Which address space this CPU runs in ---- */

/* switch_mm - run in @next from now on; interrupts off, or inside a per-CPU section */
void switch_mm(struct mm_struct *next);
/* enter_lazy_tlb - a kernel thread runs next: keep what is loaded, but need not hear of its flushes */
void enter_lazy_tlb(void);
/* The address space loaded on this CPU. */
struct mm_struct *loaded_mm(void);
/*
 * tlb_leave_everywhere - no CPU has @mm loaded any more: those that do, lazily, go to the kernel's tables
 * Nobody may switch to it from now on. Context and return: as flush_tlb_mm(); false: its root must not be freed.
 */
bool tlb_leave_everywhere(struct mm_struct *mm);

/*
 * tlb_verify - check TL-I1 to TL-I3 of all CPUs, and with @quiet (nobody flushes or switches meanwhile) TL-I4
 * Return: number of findings, each given to @report (may be NULL).
 */
unsigned int tlb_verify(bool quiet, void (*report)(void *ctx, const char *line), void *ctx);

/* ---- mmu_gather ---- */

#define MMU_GATHER_BUNDLE 60

/* Pages to free, in the order they came; further batches come from the page allocator if it has any. */
struct mmu_gather_batch {
	struct mmu_gather_batch *next;
	unsigned int nr;
	unsigned int max;
	struct page *pages[];
};

struct mmu_gather {
	struct mm_struct *mm;
	uintptr_t start, end; /* what has to be flushed; empty when start >= end */
	bool fullmm;	      /* the address space is about to go */
	bool freed_tables;
	bool need_flush_all;
	u8 cleared_levels;    /* bit n: leaves of level n went */
	unsigned int batches; /* beside local */
	struct mmu_gather_batch *active;
	struct mmu_gather_batch local;
	struct page *bundle[MMU_GATHER_BUNDLE]; /* local's */
	struct page *tables;  /* table pages, linked by private, latest first */
};

void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm);
void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct mm_struct *mm);
/* A leaf of @level at @virt was cleared; its page goes with tlb_remove_page(), if the mapping held a reference. */
void tlb_remove_entry(struct mmu_gather *tlb, unsigned int level, uintptr_t virt);
/*
 * Return: true when the caller has to flush (tlb_flush_mmu()) before it adds another page, having let go of its locks.
 */
bool tlb_remove_page(struct mmu_gather *tlb, struct page *page);
void tlb_remove_table(struct mmu_gather *tlb, pgt_entry_t *table, uintptr_t virt);
/*
 * tlb_leave_table - the same for a last-level table that others go on using: tlb_shared_table_put() is called after the
 * flush, which covers all of it. Return: as tlb_remove_page().
 */
bool tlb_leave_table(struct mmu_gather *tlb, struct page *table, uintptr_t virt);
/* Registered by who shares tables. */
extern void (*tlb_shared_table_put)(struct mm_struct *mm, struct page *table);
void tlb_flush_mmu(struct mmu_gather *tlb);
void tlb_finish_mmu(struct mmu_gather *tlb);

#endif
