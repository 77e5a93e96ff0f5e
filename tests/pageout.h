/* SPDX-License-Identifier: MIT */
/* Pages of programs and of shmem files forced out to swap, as reclaim would, whether memory is short or not. */
#ifndef TESTS_PAGEOUT_H
#define TESTS_PAGEOUT_H

#include <octavo/page.h>

#include "mm/pgtable/mm.h"

/*
 * pageout_folio - take a folio out of memory: slot, entries, write, out of the swap cache
 * A reference of the caller's, which stays his. Context: may sleep. Return: whether it is in no cache any more.
 */
bool pageout_folio(struct folio *folio);
/* What is mapped in [@addr, @addr + @len) of @mm. Return: pages that went. */
unsigned long pageout_range(struct mm_struct *mm, uintptr_t addr, size_t len);
/* All pages of a shmem file that are in memory. Return: pages that went. */
unsigned long pageout_file(struct file *file);

#endif
