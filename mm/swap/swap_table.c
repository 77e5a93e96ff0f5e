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
 * folio's lock, and not cleared.
 */
#include "area.h"

#include <octavo/reclaim_hook.h>

#define TABLE_BITS (PAGE_SHIFT - (sizeof(long) == 8 ? 3 : 2))
#define TABLE_ENTRIES (1ul << TABLE_BITS)
#define ROOT_BITS 9
#define LEVELS 3
/* 2^36 frames of 4 KiB where a word has 64 bits, 256 TiB; what is above cannot be swapped out. */
#define TABLE_FRAMES_BITS (ROOT_BITS + LEVELS * TABLE_BITS)

static unsigned long *root[1 << ROOT_BITS] __memsys;

static force_inline unsigned long index_at(unsigned long pfn, unsigned int level)
{
	return pfn >> level * TABLE_BITS & (TABLE_ENTRIES - 1);
}

/* Where frame @pfn's entry is; NULL: its page was never needed. */
static force_inline unsigned long *find(unsigned long pfn)
{
	unsigned long *table;

	if (TABLE_FRAMES_BITS < 8 * sizeof(long) && pfn >> (TABLE_FRAMES_BITS % (8 * sizeof(long))))
		return NULL;
	table = load_acquire(&root[(u64)pfn >> LEVELS * TABLE_BITS]);
	for (unsigned int level = LEVELS - 1; level && table; level--)
		table = (unsigned long *)load_acquire(&table[index_at(pfn, level)]);
	return table ? &table[index_at(pfn, 0)] : NULL;
}

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

static int prepare_one(unsigned long pfn)
{
	unsigned long *table;

	if (TABLE_FRAMES_BITS < 8 * sizeof(long) && pfn >> (TABLE_FRAMES_BITS % (8 * sizeof(long))))
		return -ENOMEM;
	table = get_table(&root[(u64)pfn >> LEVELS * TABLE_BITS]);
	for (unsigned int level = LEVELS - 1; level && table; level--)
		table = get_table((unsigned long **)(uintptr_t)&table[index_at(pfn, level)]);
	return table ? 0 : -ENOMEM;
}

int swap_table_prepare(unsigned long pfn, unsigned long nr)
{
	unsigned long last = pfn + nr - 1;

	/* A folio is aligned and no greater than what a page of table is for, twice that on 64 bits. */
	if (likely(find(pfn) && find(last)))
		return 0;
	for (; pfn <= last; pfn = (pfn | (TABLE_ENTRIES - 1)) + 1)
		if (prepare_one(pfn))
			return -ENOMEM;
	return 0;
}

void swap_table_set(unsigned long pfn, unsigned long nr, swp_entry_t first)
{
	for (unsigned long i = 0; i < nr; i++)
		store_relaxed(find(pfn + i), first.val + i);
}

swp_entry_t folio_swap_entry(const struct folio *folio)
{
	return page_swap_entry(&folio->page);
}

swp_entry_t page_swap_entry(const struct page *page)
{
	swp_entry_t entry = { 0 };
	unsigned long *at;

	rcu_reader_begin();
	at = find(page_to_pfn(page));
	if (likely(at))
		entry.val = load_relaxed(at);
	rcu_reader_end();
	return entry;
}

/* Tables of one root entry, the lowest level first. */
static void free_below(unsigned long *top)
{
	for (unsigned long i = 0; i < TABLE_ENTRIES; i++) {
		unsigned long **middle = (unsigned long **)top[i];

		for (unsigned long j = 0; middle && j < TABLE_ENTRIES; j++)
			if (middle[j])
				free_pages((unsigned long)middle[j], 0);
		if (middle)
			free_pages((unsigned long)middle, 0);
	}
	free_pages((unsigned long)top, 0);
}

void swap_table_free_all(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(root); i++) {
		unsigned long *top = root[i];

		root[i] = NULL;
		if (top)
			free_below(top);
	}
}
