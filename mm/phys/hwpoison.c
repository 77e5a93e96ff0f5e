// SPDX-License-Identifier: MIT
#include "hwpoison.h"

#include "../sync/atomic.h"
#include "compound.h"
#include "page_alloc.h"

unsigned long num_poisoned_pages __memsys;

void poisoned_pages_add(long n)
{
	atomic_add_relaxed(&num_poisoned_pages, (unsigned long)n);
}

bool block_is_poisoned(const struct page *page, unsigned int order)
{
	for (unsigned long i = 0; i < 1ul << order; i++)
		if (PageHWPoison(page + i))
			return true;
	return false;
}

void free_around_poison(struct page *page, unsigned int order)
{
	store_relaxed(&page->order, 0);
	for (unsigned long i = 0; i < 1ul << order; i++) {
		if (load_relaxed(&page[i].order) & PAGE_TAIL_MARK)
			page_unmark_tail(page + i);
		(void)free_pages_ok(page + i, 0);
	}
}
