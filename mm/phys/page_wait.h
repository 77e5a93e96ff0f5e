/* SPDX-License-Identifier: MIT */
/* The flags behind folio_lock() and writeback, and who waits for them. */
#ifndef MM_PHYS_PAGE_WAIT_H
#define MM_PHYS_PAGE_WAIT_H

#include <octavo/page.h>

/* As folio_lock(). Return: 0; -EINTR: current_task() was killed while it waited. */
int folio_lock_killable(struct folio *folio);

/*
 * PG_private_2 as PageLookAgain(): somebody wanted to do something with the folio while it was locked or under
 * writeback, and did not wait. Whoever ends either of the two then calls what was registered, with a reference to the
 * folio. It clears the flag.
 */
void register_look_again(void (*look)(struct folio *folio));
/* folio_unlock() for who looks himself. Return: whether he has to. */
bool folio_unlock_marked(struct folio *folio);

/* The flag alone: what folio_start_writeback() and folio_end_writeback() do for a page that is in no file. */
void page_writeback_begin(struct page *page);
/* Wakes who waits. From then on the page may be somebody else's. */
void page_writeback_end(struct page *page);

#endif
