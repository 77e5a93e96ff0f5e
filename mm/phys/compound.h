/* SPDX-License-Identifier: MIT */
/* Tail marks: see compound.c. */
#ifndef MM_PHYS_COMPOUND_H
#define MM_PHYS_COMPOUND_H

#include <octavo/page.h>

/* @page, just taken and checked, becomes the head of a compound page of @order > 0. */
void prep_compound_page(struct page *page, unsigned int order);

/* @page begins a block of its own and still carries a tail mark: the head it leads to loses it as a tail. */
void page_unmark_tail(struct page *page);

#endif
