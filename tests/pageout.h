/* SPDX-License-Identifier: MIT */
/* Pages of programs and of shmem files given to reclaim, whether memory is short or not, and whoever maps them. */
#ifndef TESTS_PAGEOUT_H
#define TESTS_PAGEOUT_H

#include <octavo/page.h>

#include "mm/pgtable/mm.h"

/* What is mapped in [@addr, @addr + @len) of @mm. Context: may sleep. Return: pages that were freed. */
unsigned long pageout_range(struct mm_struct *mm, uintptr_t addr, size_t len);
/* All pages of a shmem file that are in memory. Context: may sleep. Return: pages that were freed. */
unsigned long pageout_file(struct file *file);

#endif
