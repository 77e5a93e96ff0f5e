/* SPDX-License-Identifier: MIT */
/* get_user_pages() inside. */
#ifndef MM_VM_GUP_H
#define MM_VM_GUP_H

#include "fault.h"

/*
 * follow_page - the page at @addr, if an access as @foll says needs no fault
 * With a reference (FOLL_GET) or pin (FOLL_PIN), or neither: then it may be gone at once, and the answer only says that
 * there was one.
 * Context: mmap lock or the VMA's. Return: NULL: *@err: 0: a fault would help; -EMLINK: one with FAULT_FLAG_UNSHARE;
 * another errno: nothing will.
 */
struct page *follow_page(struct vm_area_struct *vma, uintptr_t addr, unsigned int foll, int *err);

/* May pages of the VMA be got so? Return: 0 or an errno. */
int gup_check_vma(const struct vm_area_struct *vma, unsigned int foll, bool foreign);

/*
 * A fault on behalf of somebody else than an instruction. *@locked: false when the mmap lock was let go of; NULL: that
 * must not happen. Return: 0: look again; or an errno.
 */
int faultin_page(struct vm_area_struct *vma, uintptr_t addr, unsigned int fault_flags, bool *locked);

#endif
