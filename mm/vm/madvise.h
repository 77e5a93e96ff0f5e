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
/* Its file's pages are in the page cache and written back to something. */
bool vma_has_backing(const struct vm_area_struct *vma);

#endif
