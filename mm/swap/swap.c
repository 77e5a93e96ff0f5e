// SPDX-License-Identifier: MIT
/*
 * Swap.
 *
 * Purpose. What anonymous and shmem folios hold is kept on devices and in files while memory is needed for something
 * else. This module knows slots, who holds them, and which folio belongs to one; it does not know page tables or files:
 * mm/vm and mm/cache keep entries, mm/reclaim says what goes.
 *
 * Words
 *	area: a device or file that swapon(2) added; its number is its *type*. slot: a page of it.
 *	entry: type and slot in one word (swp_entry_t), as page tables and shmem's files keep it.
 *	holder: an entry somewhere. A table that processes share counts once.
 *	cached: a folio belongs to the slot, and is found by it; the folio is in the *swap cache*.
 *	shadow: what a folio that went left in its slot's word, for mm/lru to know it again when it returns.
 *	cluster: 512 slots together; place: where a CPU allocates (slot_alloc.c).
 *
 * Structures
 *	swap_areas[type] -> area -> words[slot]: holders, and a frame number, a shadow or nothing
 *				 -> clusters[slot / 512]: how many are free; lists
 *				 -> cpus[cpu]: places
 *	side table: frame number -> entry (swap_table.c)
 *
 * A slot's life
 *	free -> cached, no holder (add_to_swap) -> holders (reclaim puts entries where the folio was mapped) -> written
 *	-> shadow and holders, the folio gone (evict_from_swap_cache) -> cached again (a fault, or readahead)
 *	-> fewer holders, as faults put the folio back -> free, with the last holder and the cache's interest gone.
 *
 * Invariants
 *	SW-I1  a word is 0, or has holders, or a folio, or is bad (or, for a moment, is going). 0: the slot is free.
 *	SW-I2  a slot whose word names a frame: that frame's folio has PG_swapcache, and the side table leads from the
 *	       frame back to the slot; a folio with PG_swapcache has a word that names it for each of its pages.
 *	SW-I3  area->used is the number of words that are neither 0 nor bad.
 *	SW-I4  a cluster's `free` is the number of its words that are 0; it is in the list that its state says; FULL
 *	       has none free, FREE and DISCARD all, PARTIAL neither; `users` is the number of places that lead to it.
 *	SW-I5  NR_SWAPCACHE is the number of words that name frames.
 *	SW-I6  nobody ever gave back a slot that he did not hold (swap_bad_frees).
 *	SW-I7  a folio of the cache whose slots nobody holds is mapped, or on its way out: locked or under writeback
 *	       with a mark, or in the hands of who looks. So once all have exited no slot is in use.
 *
 * Locking
 *	Words are changed by compare-and-swap, without a lock: fork, unmapping and lookups meet nobody. A folio's lock
 *	is what keeps it in the cache or out of it: add_to_swap(), delete, evict and folio_free_swap() have it; who
 *	found a folio by its slot locks it and looks again. Who puts a new folio into the cache has it locked until it
 *	is read. From no holder to one a slot goes under the folio's lock only.
 *	Who lets go of a slot, or unmaps a folio of the cache, waits for nobody: if the folio is locked or under
 *	writeback he leaves a mark (PageLookAgain()), and whoever ends that finds it and looks whether anybody still
 *	wants the slot (swap_cache_forget()). Who gives a slot to a folio looks himself whether it is still mapped.
 *	Inside of an RCU reader an area that was found stays. Outside of one it stays while something of it is in use:
 *	a holder, a cached folio. used changes last, when nothing of the area is looked at any more.
 *	swap_mutex: swapon, swapoff. area->lock: lists of clusters.
 *
 * Memory use and bounds. 8 bytes a slot, 20 a cluster, and of the side table 1/512 of the memory that was swapped. 23
 * areas; slots as many as an entry's offset counts in the page-table format (8 Mi with two-level i386, 64 Mi otherwise
 * where a word has 32 bits, 2^50 else) and a header's 32 bits.
 *
 * What failure does. No slot, or no memory for the side table: add_to_swap() says so and the folio stays. A device that
 * fails: swap_io.c. A slot with a million holders takes no more: fork(2) fails.
 *
 * Differences from Linux. One word a slot in place of a map of bytes with continuations, the xarray of the cache and
 * the table of shadows; no lock for them. A folio holds one reference for the cache, whatever its size. Pages of zeros
 * are told page by page, in large folios as well. Swap files are read and written through their file system, as there
 * is no map of blocks below it.
 *
 * Sources. swapon(2), mkswap(8), proc(5); Documentation/admin-guide/mm/concepts.rst and sysctl/vm.rst; the shape of
 * /proc/swaps and of messages from Linux 6.12's behaviour.
 */
#include "area.h"

#include "../base/findings.h"
#include "../base/part.h"
#include "../phys/page_wait.h"
#include "../phys/slowpath.h"

struct swap_area *swap_areas[MAX_SWAPFILES] __memsys;
unsigned int swap_types __memsys;
unsigned long swap_bad_frees __memsys;
unsigned int swap_rotational __memsys;

struct swap_area *swap_area_get(unsigned int type)
{
	struct swap_area *area;

	rcu_reader_begin();
	area = swap_area_of(type);
	if (area && load_relaxed(&area->flags) & SWP_WRITEOK)
		atomic_fetch_add(&area->visitors, 1);
	else
		area = NULL;
	rcu_reader_end();
	return area;
}

/* Of areas that take pages: what swapoff empties counts as neither. */
static void sum_areas(unsigned long *total, unsigned long *used)
{
	unsigned int types = load_relaxed(&swap_types);

	*total = *used = 0;
	rcu_reader_begin();
	for (unsigned int type = 0; type < types; type++) {
		const struct swap_area *area = swap_area_of(type);

		if (!area || !(load_relaxed(&area->flags) & SWP_WRITEOK))
			continue;
		*total += area->pages;
		*used += min(load_relaxed(&area->used), area->pages);
	}
	rcu_reader_end();
}

unsigned long swap_pages_total(void)
{
	unsigned long total, used;

	sum_areas(&total, &used);
	return total;
}

unsigned long swap_pages_free(void)
{
	unsigned long total, used;

	sum_areas(&total, &used);
	return total - used;
}

bool swap_full(void)
{
	unsigned long total, used;

	sum_areas(&total, &used);
	return used * 2 > total;
}

void si_swap_area_pages(unsigned int type, unsigned long *total, unsigned long *used)
{
	const struct swap_area *area;

	rcu_reader_begin();
	area = swap_area_of(type);
	*total = area ? area->pages : 0;
	*used = area ? load_relaxed(&area->used) : 0;
	rcu_reader_end();
}

static void totals(unsigned long *total, unsigned long *free)
{
	unsigned long used;

	sum_areas(total, &used);
	*free = *total - used;
}

/* Small machines read less at once: 2^2 pages below 16 MiB (sysctl/vm.rst: 3 otherwise). */
static int swap_init(void)
{
	show_mem_swap = totals;
	register_look_again(swap_cache_forget);
	if (totalram_pages() >> (20 - PAGE_SHIFT) < 16)
		sysctl_page_cluster = 2;
	return 0;
}

MM_PART(swap, .order = MM_PART_VM, .init = swap_init, .verify = swap_verify);
