/* SPDX-License-Identifier: MIT */
/*
 * Folios that go to swap and return, for tests of mm/swap without page tables: the test is who holds the slots.
 */
#ifndef TESTS_SWAPPER_H
#define TESTS_SWAPPER_H

#include "harness.h"
#include "mm/swap/area.h"

/* A RAM disk "ramN" with a header, without words on the console. NULL: no memory. */
struct bdev *swapper_disk(const char *name, unsigned long pages);
/* swapon_bdev() without words on the console. */
int swapper_on(struct bdev *bdev, const char *path, int flags);
/* SW-I*: each finding fails the test. */
void swapper_verify(void);

/* A folio as a fault leaves it: locked, uptodate, swap-backed; page i has @tag + i in it, or zeros if @tag is 0. */
struct folio *swapper_make(unsigned int order, unsigned long tag);
void swapper_set_tag(struct page *page, unsigned long tag);
unsigned long swapper_tag(struct page *page);
/*
 * The whole way out of a locked folio, with one holder for each page; the reference goes with it. Return: its entry; 0:
 * no slot, and the folio is gone.
 */
swp_entry_t swapper_out(struct folio *folio, unsigned long shadow);
/* A write may fail, as a RAM disk may get no memory: the folio stays in the cache, and has its entry. */
extern bool swapper_may_fail;
/* The folio, locked and uptodate. NULL after a failed EXPECT. */
struct folio *swapper_in(swp_entry_t entry);
/* The holder takes it: one folio of one page, the slot free, the reference gone. Return: its tag. */
unsigned long swapper_take(swp_entry_t entry);

#endif
