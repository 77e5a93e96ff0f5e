/* SPDX-License-Identifier: MIT */
/* Pages of VM_LOCKED VMAs: what faults, munmap and the end of an address space ask of mlock.c. */
#ifndef MM_VM_MLOCK_H
#define MM_VM_MLOCK_H

#include "vm.h"

/*
 * The pages that [start, end) of @vma has mapped are mlocked from now on, or not any more. Context: a lock of the VMA's
 * or the mmap lock; takes the locks of last-level tables.
 */
void mlock_vma_pages(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
void munlock_vma_pages(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
/* An entry of a locked VMA leads to the folio. Context: the lock of that entry's table. */
void mlock_folio(struct folio *folio);
/* Nobody maps the folio any more. Any context. */
void mlock_forget(struct folio *folio);
/* Of every locked VMA: the end. Context: mmap lock. */
void munlock_all_pages(struct mm_struct *mm);
/* The same of one page, after a fault in a locked VMA. */
static inline void mlock_vma_page(struct vm_area_struct *vma, uintptr_t addr)
{
	mlock_vma_pages(vma, addr & PAGE_MASK, (addr & PAGE_MASK) + PAGE_SIZE);
}

#endif
