// SPDX-License-Identifier: MIT
/*
 * Which slot a folio of the swap cache has, by frame number.
 *
 * A descriptor has no room for it: what would be `private` are the links of the lists. So there is a table beside, a
 * radix tree of pages of words over frame numbers: a root in the core's own memory and three levels below it, the last
 * one with an entry for each frame. Its pages come when a frame that they are for enters the cache the first time (out
 * of the reserves: a system that swaps has nothing else), and stay until no area is in use any more. So there is a page
 * of table for each 2 MiB of memory that ever had something in the cache: 1/512.
 *
 * An entry means something only while its frame's folio is in the cache. It is written by who puts it there, under the
 * folio's lock, and not cleared. Tables are made and written to by who has a slot: so an area is in use, and they stay.
 */
#include "area.h"

#include <octavo/reclaim_hook.h>

unsigned long *swap_table_root[1 << SWAP_TABLE_ROOT_BITS] __memsys;

static unsigned long *alloc_table(void)
{
	unsigned int scope = memalloc_noreclaim_save();
	unsigned long *table = (unsigned long *)get_zeroed_page(GFP_KERNEL | __GFP_NOWARN);

	memalloc_noreclaim_restore(scope);
	return table;
}

/* The table that *@at leads to, made if need be. */
static unsigned long *get_table(unsigned long **at)
{
	unsigned long *table = load_acquire(at), *other;

	if (table)
		return table;
	table = alloc_table();
	if (!table)
		return NULL;
	other = atomic_cmpxchg(at, NULL, table);
	if (!other)
		return table;
	free_pages((unsigned long)table, 0);
	return other;
}

unsigned long *swap_table_make(unsigned long pfn)
{
	unsigned long *table;

	if (swap_table_beyond(pfn))
		return NULL;
	table = get_table(&swap_table_root[(u64)pfn >> SWAP_TABLE_LEVELS * SWAP_TABLE_BITS]);
	for (unsigned int level = SWAP_TABLE_LEVELS - 1; level && table; level--)
		table = get_table((unsigned long **)(uintptr_t)&table[swap_table_index(pfn, level)]);
	return table ? &table[swap_table_index(pfn, 0)] : NULL;
}

swp_entry_t folio_swap_entry(const struct folio *folio)
{
	return swap_entry_of(folio);
}

swp_entry_t page_swap_entry(const struct page *page)
{
	swp_entry_t entry = { 0 };
	unsigned long *at;

	rcu_reader_begin();
	at = swap_table_find(page_to_pfn(page));
	if (likely(at))
		entry.val = load_relaxed(at);
	rcu_reader_end();
	return entry;
}

/* Tables of one root entry, the lowest level first. */
static void free_below(unsigned long *top)
{
	for (unsigned long i = 0; i < SWAP_TABLE_ENTRIES; i++) {
		unsigned long **middle = (unsigned long **)top[i];

		for (unsigned long j = 0; middle && j < SWAP_TABLE_ENTRIES; j++)
			if (middle[j])
				free_pages((unsigned long)middle[j], 0);
		if (middle)
			free_pages((unsigned long)middle, 0);
	}
	free_pages((unsigned long)top, 0);
}

void swap_table_free_all(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(swap_table_root); i++) {
		unsigned long *top = swap_table_root[i];

		if (!top)
			continue;
		store_release(&swap_table_root[i], NULL);
		/* page_swap_entry() asks about pages that need not be in the cache. */
		synchronize_rcu();
		free_below(top);
	}
}
