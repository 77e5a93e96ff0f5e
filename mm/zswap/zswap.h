/* SPDX-License-Identifier: MIT */
/* Compressed memory in front of a swap device. */
#ifndef MM_ZSWAP_ZSWAP_H
#define MM_ZSWAP_ZSWAP_H

#include <octavo/page.h>

#include "../pgtable/swapops.h"

/*
 * Keep a compressed copy of @page's contents for the slot @entry; an older copy goes in any case.
 * Context: the folio locked, under PF_MEMALLOC. Return: true: kept, the device need not be written.
 */
bool zswap_store(swp_entry_t entry, struct page *page);
/* Fill @page from the copy. Return: 0; -ENOENT: there is none; -EIO: it does not unpack. */
int zswap_load(swp_entry_t entry, struct page *page);
/* The slots are free: their copies go. Any context that may take a spinlock. */
void zswap_invalidate(swp_entry_t entry, unsigned int nr);
/* An area comes and goes. Return: 0 or -ENOMEM. */
int zswap_swapon(unsigned int type, unsigned long slots);
void zswap_swapoff(unsigned int type);
/* Pages: of the pools, and of what is in them when unpacked (Zswap, Zswapped). */
unsigned long zswap_pool_pages(void);
unsigned long zswap_stored_pages(void);

/*
 * Writeback to the device when the pool is full: registered by swap, which is above. Puts the copy's contents into the
 * swap cache, writes them to the device past zswap. Return: 0: the copy may go.
 */
struct zswap_backing {
	int (*writeback)(swp_entry_t entry);
};
void zswap_set_backing(const struct zswap_backing *backing);

#endif
