/* SPDX-License-Identifier: MIT */
/* What tests of page tables need: a stretch of kernel addresses, a walker that says what is where, a checker. */
#ifndef TESTS_PGTFIXTURE_H
#define TESTS_PGTFIXTURE_H

#include "harness.h"
#include "mm/pgtable/tlb.h"
#include "mm/pgtable/walk.h"

/* Addresses of the kernel half that nothing else uses: so many bytes from a multiple of that on. */
#if __SIZEOF_POINTER__ == 8
#define PGT_TEST_SPACE ((u64)4 << 30)
#else
#define PGT_TEST_SPACE ((u64)16 << 20)
#endif
uintptr_t pgt_test_kernel(void);
/* The same of any user half. */
#define PGT_TEST_USER ((uintptr_t)0x40000000)

/* What is mapped at @virt; ~0: nothing. *@prot (may be NULL): how. */
u64 pgt_test_phys(struct mm_struct *mm, uintptr_t virt, pgprot_t *prot, unsigned int *level);

/* pgt_verify() is content; or the test fails with what it says. */
void pgt_test_verify(struct mm_struct *mm);

/* Unmap and flush. Return: pgt_unmap_range()'s. */
int pgt_test_unmap(struct mm_struct *mm, uintptr_t virt, u64 size);

#endif
