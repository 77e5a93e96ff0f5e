// SPDX-License-Identifier: MIT
/* zswap: off until it is enabled, and then nothing is kept. */
#include "zswap.h"

#include "../base/compiler.h"

bool zswap_store(swp_entry_t entry, struct page *page)
{
	(void)entry;
	(void)page;
	return false;
}

int zswap_load(swp_entry_t entry, struct page *page)
{
	(void)entry;
	(void)page;
	return -ENOENT;
}

void zswap_invalidate(swp_entry_t entry, unsigned int nr)
{
	(void)entry;
	(void)nr;
}

int zswap_swapon(unsigned int type, unsigned long slots)
{
	(void)type;
	(void)slots;
	return 0;
}

void zswap_swapoff(unsigned int type)
{
	(void)type;
}

unsigned long zswap_pool_pages(void)
{
	return 0;
}

unsigned long zswap_stored_pages(void)
{
	return 0;
}

void zswap_set_backing(const struct zswap_backing *backing)
{
	(void)backing;
}
