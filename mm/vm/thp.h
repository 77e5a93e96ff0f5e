/* SPDX-License-Identifier: MIT */
/* Which large folios anonymous memory may have: /sys/kernel/mm/transparent_hugepage/. */
#ifndef MM_VM_THP_H
#define MM_VM_THP_H

#include "vm.h"

/* Orders below that of a whole table; with fewer than four pages nothing is gained (Linux: the same). */
#define THP_ORDER_MIN 2u
#define THP_ORDER_MAX (PGT_TABLE_BITS - 1u)
#define THP_ORDERS (THP_ORDER_MAX + 1u)

enum thp_mode { THP_NEVER, THP_MADVISE, THP_ALWAYS, THP_INHERIT };
#define THP_ALL (~0u) /* in place of an order: "enabled" beside the directories */

/* (a) */
struct thp {
	u32 always, madvise;  /* orders for every VMA, and for those with VM_HUGEPAGE: what the modes below come to */
	u8 all;		      /* enum thp_mode */
	u8 mode[THP_ORDERS];
	unsigned long fault_alloc[THP_ORDERS], fault_fallback[THP_ORDERS];
};
extern struct thp thp;

/* Orders that a fault in @vma may use, as bits. */
static inline u32 thp_orders(const struct vm_area_struct *vma)
{
	const vm_flags_t any = VM_HUGEPAGE | VM_NOHUGEPAGE | VM_UFFD_ANY;
	u32 orders = READ_ONCE(thp.always);

	/* Who handles faults is told page by page. */
	if (vma->vm_flags & any)
		orders = (vma->vm_flags & any) == VM_HUGEPAGE ? READ_ONCE(thp.madvise) : 0;
	return orders;
}

enum thp_mode thp_mode_get(unsigned int order);
/* Context: any; calls are the caller's to serialise. */
void thp_mode_set(unsigned int order, enum thp_mode mode);

#endif
