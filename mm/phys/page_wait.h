/* SPDX-License-Identifier: MIT */
/* The flags behind folio_lock() and writeback, and who waits for them. */
#ifndef MM_PHYS_PAGE_WAIT_H
#define MM_PHYS_PAGE_WAIT_H

#include <octavo/page.h>

/* As folio_lock(). Return: 0; -EINTR: current_task() was killed while it waited. */
int folio_lock_killable(struct folio *folio);

/* The flag alone: what folio_start_writeback() and folio_end_writeback() do for a page that is in no file. */
void page_writeback_begin(struct page *page);
/* Wakes who waits. From then on the page may be somebody else's. */
void page_writeback_end(struct page *page);

#endif
