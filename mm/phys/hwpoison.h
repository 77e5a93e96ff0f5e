/* SPDX-License-Identifier: MIT */
/* Pages with PG_hwpoison: how many there are, and what becomes of blocks that have some. */
#ifndef MM_PHYS_HWPOISON_H
#define MM_PHYS_HWPOISON_H

#include <octavo/page.h>

extern unsigned long num_poisoned_pages;

/* Any context. */
void poisoned_pages_add(long n);

/* The block, whose last reference has gone, has a poisoned page. */
bool block_is_poisoned(const struct page *page, unsigned int order);
/* Its pages are freed one by one, and the page allocator keeps those. */
void free_around_poison(struct page *page, unsigned int order);

#endif
