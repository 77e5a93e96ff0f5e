/* SPDX-License-Identifier: MIT */
/* madvise(2) inside: what madvise.c asks of madvise_pages.c. */
#ifndef MM_VM_MADVISE_H
#define MM_VM_MADVISE_H

#include "vm.h"

/*
 * A part of one VMA each; the advice is known to be possible there. Context: mmap lock for reading. Return: 0 or an
 * errno.
 */
int madvise_dontneed(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
int madvise_free(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
int madvise_cold(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
int madvise_pageout(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
/* Swapped pages of private memory are read, as far as there is room. */
void madvise_swapin(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
/*
 * struct pageout_ops - who takes pages out of memory: reclaim, which is above and registers itself
 * @reclaim: @nr folios that folio_isolate_lru() took off the lists, with its references: each is freed or put back.
 *           Whether they were used lately does not matter. May sleep. Return: pages freed.
 */
struct pageout_ops {
	unsigned long (*reclaim)(struct folio **folios, unsigned int nr);
};
void set_pageout_ops(const struct pageout_ops *ops);
/* What is registered does it; without it they are put back. Return: pages freed. */
unsigned long pageout_folios(struct folio **folios, unsigned int nr);
/* Its file's pages are in the page cache and written back to something. */
bool vma_has_backing(const struct vm_area_struct *vma);

#endif
