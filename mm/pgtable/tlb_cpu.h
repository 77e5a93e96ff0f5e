/* SPDX-License-Identifier: MIT */
/*
 * What each CPU knows of its own TLB. The theory stands in tlb.c. Legend: (o) the CPU itself, interrupts off; (a)
 * atomic.
 */
#ifndef MM_PGTABLE_TLB_CPU_H
#define MM_PGTABLE_TLB_CPU_H

#include <octavo/percpu.h>

#include "tlb.h"

/* Linux's number (TLB_NR_DYN_ASIDS): more address spaces than that do not come back to a warm TLB. */
#define TLB_SLOTS 6u

/* What a TLB holds under one identifier: of which address space, and how many of its flushes it has seen. */
struct tlb_slot {
	unsigned long ctx_id; /* (o) 0: nobody's */
	unsigned long gen;    /* (o) */
};

struct tlb_cpu {
	struct mm_struct *loaded; /* (o) */
	unsigned int slot;	  /* (o) loaded's, if that is not init_mm */
	unsigned int next;	  /* (o) the slot to be given away next */
	unsigned long missed;	  /* (o) tlb_shared.missed that was made up for */
	struct tlb_slot slots[TLB_SLOTS];
	u32 lazy __aligned(64);	  /* (a) loaded is not used: its flushes need not call; others read it */
};
DECLARE_PER_CPU_ALIGNED(struct tlb_cpu, tlb_cpu);

struct tlb_shared {
	unsigned int slots;   /* (c) usable on each CPU, at most TLB_SLOTS; 0: each load forgets */
	bool kernel_once;     /* (c) a TLB keeps the kernel's translations once, not under each identifier */
	unsigned long missed; /* (a) flushes that could not call CPUs they should have called */
};
extern struct tlb_shared tlb_shared;

/* The identifier the port knows a slot by. */
static inline unsigned int tlb_slot_asid(unsigned int slot)
{
	return tlb_shared.slots ? slot + 1 : PORT_ASID_KERNEL;
}

#define CPU_WORD_BITS (8 * (unsigned int)sizeof(unsigned long))

/* To the kernel's own tables; this CPU has interrupts off. */
void tlb_leave_locked(struct tlb_cpu *tc);

#endif
