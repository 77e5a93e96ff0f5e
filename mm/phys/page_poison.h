/* SPDX-License-Identifier: MIT */
/* page_poison=1: what is written to freed pages must still be there when they are allocated. */
#ifndef MM_PHYS_PAGE_POISON_H
#define MM_PHYS_PAGE_POISON_H

#include <octavo/page.h>

#define PAGE_POISON 0xaau

void page_poison_fill(struct page *page, unsigned int order);
/* Reports what was changed. Pages that were never freed, those from boot, carry no pattern and are not judged. */
void page_poison_check(struct page *page, unsigned int order);

/* Findings since boot. */
unsigned long page_poison_corruptions(void);

#endif
