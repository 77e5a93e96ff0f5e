/* SPDX-License-Identifier: MIT */
/*
 * Pages that VM_LOCKED VMAs map: for rmap, which counts what is mapped. Context of all: the entry's table lock.
 */
#ifndef MM_VM_MLOCK_H
#define MM_VM_MLOCK_H

#include "vm.h"

/* @nr more entries of VM_LOCKED VMAs lead to the folio; fewer. */
void mlock_folio(struct folio *folio, unsigned int nr);
void munlock_folio(struct folio *folio, unsigned int nr);
/* Nobody maps it any more. */
void mlock_forget(struct folio *folio);

static inline void mlock_vma_folio(struct folio *folio, unsigned int nr, const struct vm_area_struct *vma)
{
	if (unlikely(vma->vm_flags & VM_LOCKED))
		mlock_folio(folio, nr);
}

/* @mapped: some entry still leads to it. @vma NULL: that of another address space, whichever. */
static inline void munlock_vma_folio(struct folio *folio, unsigned int nr, const struct vm_area_struct *vma,
				     bool mapped)
{
	if (likely(!PageMlocked(&folio->page)))
		return;
	if (!mapped)
		mlock_forget(folio);
	else if (vma && vma->vm_flags & VM_LOCKED)
		munlock_folio(folio, nr);
}

#endif
