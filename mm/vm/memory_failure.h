/* SPDX-License-Identifier: MIT */
/* Frames that go out of use because they are bad, or about to be: what madvise.c asks of memory_failure.c. */
#ifndef MM_VM_MEMORY_FAILURE_H
#define MM_VM_MEMORY_FAILURE_H

#include "vm.h"

/*
 * memory_failure - the contents of @page are wrong
 * soft_offline_page - the frame of @page is not to be trusted any longer; its contents still are
 * @page: with a reference, which is used up
 * Context: may sleep, no lock of the caller's. Return: 0; -EBUSY: it is still in use; memory_failure(): -EHWPOISON,
 * that was known; soft_offline_page(): -ENOMEM, no memory to move it to.
 */
int memory_failure(struct page *page);
int soft_offline_page(struct page *page);

#endif
