/* SPDX-License-Identifier: MIT */
/* Pages with PG_hwpoison: how many there are, and what becomes of blocks that have some. */
#ifndef MM_PHYS_HWPOISON_H
#define MM_PHYS_HWPOISON_H

#include <octavo/page.h>

#include "../base/compiler.h"
#include "../sync/atomic.h"

extern unsigned long num_poisoned_pages;

/* Any context. */
void poisoned_pages_add(long n);

bool block_is_poisoned(const struct page *page, unsigned int order);

/* It has a poisoned page. Context: for good only where it has no reference any more, or under the folio's lock. */
static force_inline bool block_has_poison(const struct page *page, unsigned int order)
{
	return unlikely(load_relaxed(&num_poisoned_pages)) && block_is_poisoned(page, order);
}

/* Its pages are freed one by one, and the page allocator keeps those. */
void free_around_poison(struct page *page, unsigned int order);

#endif
