// SPDX-License-Identifier: MIT
/* The swap cache: folios and their slots, found from either side. The theory is in swap.c. */
#include "area.h"

#include "../lru/lru.h"
#include "../phys/page_wait.h"

unsigned long swap_large_out[MAX_PAGE_ORDER + 1] __memsys, swap_large_apart[MAX_PAGE_ORDER + 1] __memsys;

/* Its reference is what the cache holds. Context: no slot leads to it yet. */
static void enter(struct folio *folio, long nr)
{
	atomic_add_relaxed(&folio->page._refcount, 1);
	SetPageSwapCache(&folio->page);
	swap_count_folio(folio, NR_FILE_PAGES, nr);
	swap_count_folio(folio, NR_SWAPCACHE, nr);
}

/* No slot leads to it any more. The caller has a reference of its own. */
static void leave(struct folio *folio, long nr)
{
	/* Who asks to look again at one that has gone has a reference, and sees to it that it is looked at. */
	(void)atomic_fetch_and(&folio->page.flags, ~(1u << PG_owner_priv_1 | 1u << PG_private_2));
	swap_count_folio(folio, NR_FILE_PAGES, -nr);
	swap_count_folio(folio, NR_SWAPCACHE, -nr);
	(void)atomic_fetch_sub(&folio->page._refcount, 1);
}

struct folio *swap_cache_get_folio(swp_entry_t entry)
{
	struct folio *folio = NULL;
	u64 *word, seen;

	rcu_reader_begin();
	word = slot_word(entry);
	while (word && slot_kind(seen = slot_load(word)) == SLOT_FOLIO) {
		struct page *page = pfn_to_page(slot_pfn(seen));

		folio = page_folio(page);
		/* The frame may have had another life since: with a reference it can be told. */
		if (get_page_unless_zero(&folio->page)) {
			u64 now = slot_load(word);

			if (likely(slot_kind(now) == SLOT_FOLIO && slot_pfn(now) == slot_pfn(seen) &&
				   page_folio(page) == folio))
				break;
			folio_put(folio);
		}
		folio = NULL;
		port_cpu_relax();
	}
	rcu_reader_end();
	return folio;
}

/* The folio leaves the cache and its slots, the first of which is @entry: free, or with @shadow for who holds them. */
static force_inline void evict(struct folio *folio, swp_entry_t entry, unsigned long shadow)
{
	unsigned int nr = 1u << folio_order(folio);
	unsigned long pfn = folio_pfn(folio);
	struct swap_area *area = swap_area_of_entry(entry);

	/* The last slot that goes may take the area with it, and the table with that. */
	rcu_reader_begin();
	for (unsigned int i = 1; unlikely(i < nr); i++)
		slot_leave_cache(area, swp_offset(folio_slot(folio, i)), pfn + i, shadow);
	slot_leave_cache(area, swp_offset(entry), pfn, shadow);
	rcu_reader_end();
	leave(folio, (long)nr);
}

/* Slots that follow one another, of a folio that is in no table. */
static void give_back(swp_entry_t entry, unsigned long pfn, unsigned int nr)
{
	struct swap_area *area = swap_area_of_entry(entry);

	rcu_reader_begin();
	for (unsigned int i = 0; i < nr; i++)
		slot_leave_cache(area, swp_offset(entry) + i, pfn + i, 0);
	rcu_reader_end();
}

/* Slots for all its pages, and the table leads to them. Return: 0 or as add_to_swap(); -E2BIG: only in pieces. */
static force_inline int alloc_together(unsigned long pfn, unsigned int nr)
{
	swp_entry_t entry;
	unsigned long *at;
	int err = swap_alloc_slots(pfn, nr, &entry);

	if (unlikely(err))
		return err;
	/* While there is a slot no swapoff takes the table away. The folio is locked: who finds it has to wait. */
	at = swap_table_get(pfn);
	if (unlikely(!at)) {
		give_back(entry, pfn, nr);
		return -ENOMEM;
	}
	store_relaxed(at, entry.val);
	for (unsigned int i = 1; unlikely(i < nr); i++)
		store_relaxed(at + i, entry.val + i);
	return 0;
}

int add_to_swap(struct folio *folio)
{
	unsigned int nr = 1u << folio_order(folio);
	unsigned long pfn = folio_pfn(folio);
	int err;

	if (unlikely(swap_table_beyond(pfn)))
		return -ENOMEM;
	/* Whoever finds it by its slot finds the folio as one of the cache. */
	enter(folio, (long)nr);
	err = alloc_together(pfn, nr);
	if (unlikely(err == -E2BIG)) {
		err = swap_alloc_apart(pfn, nr);
		atomic_add_relaxed(&swap_large_apart[folio_order(folio)], err ? 0 : 1);
	}
	if (likely(!err))
		SetPageDirty(&folio->page);
	else
		leave(folio, (long)nr);
	return err;
}

int swap_cache_add(struct folio *folio, swp_entry_t entry, unsigned long *shadow)
{
	unsigned long pfn = folio_pfn(folio), *at;
	u64 *word, seen;
	int err;

	enter(folio, 1);
	rcu_reader_begin();
	word = slot_word(entry);
	seen = word ? whole_load(word) : 0;
	do {
		err = !slot_in_use(seen) ? -ENOENT : slot_kind(seen) == SLOT_FOLIO ? -EEXIST : 0;
	} while (!err && !slot_cas(word, &seen, slot_make_folio(pfn, slot_count(seen), seen & SLOT_ZERO)));
	rcu_reader_end();
	if (unlikely(err)) {
		leave(folio, 1);
		return err;
	}
	/* As in alloc_together(). */
	at = swap_table_get(pfn);
	if (unlikely(!at)) {
		evict(folio, entry, slot_shadow(seen));
		return -ENOMEM;
	}
	store_relaxed(at, entry.val);
	*shadow = slot_shadow(seen);
	return 0;
}

void evict_from_swap_cache(struct folio *folio, unsigned long shadow)
{
	evict(folio, swap_entry_of(folio), shadow);
}

void delete_from_swap_cache(struct folio *folio)
{
	evict(folio, swap_entry_of(folio), 0);
}

bool swap_drop_unheld(struct folio *folio, swp_entry_t entry)
{
	const struct swap_area *area = swap_area_of_entry(entry);

	for (unsigned long i = 0; i < folio_nr_pages(folio); i++)
		if (slot_count(whole_load(&area->words[swp_offset(folio_slot(folio, i))])))
			return false;
	/* What it holds is nowhere else any more. */
	SetPageDirty(&folio->page);
	evict(folio, entry, 0);
	return true;
}

bool folio_free_swap(struct folio *folio)
{
	if (!folio_in_swap_cache(folio) || PageWriteback(&folio->page))
		return false;
	return swap_drop_unheld(folio, swap_entry_of(folio));
}

static bool any_page_mapped(struct folio *folio)
{
	for (unsigned long i = 0; i < folio_nr_pages(folio); i++)
		if (page_mapcount(folio_page(folio, i)) > 0)
			return true;
	return false;
}

void swap_cache_forget(struct folio *folio)
{
	u32 *flags = &folio->page.flags;

	for (;;) {
		/* What was asked of us before is answered by what we see from here on. */
		if (PageLookAgain(&folio->page))
			(void)atomic_fetch_and(flags, ~(1u << PG_private_2));
		smp_mb__after_atomic();
		if (!folio_in_swap_cache(folio) || any_page_mapped(folio))
			return;
		if (folio_trylock(folio)) {
			bool busy = PageWriteback(&folio->page);

			(void)folio_free_swap(folio);
			if (!folio_unlock_marked(folio) && !busy)
				return;
			if (!busy)
				continue;
		}
		/* Not in the way any more: then it is for us to look. */
		if (atomic_fetch_or(flags, 1u << PG_private_2) & (1u << PG_locked | 1u << PG_writeback))
			return;
	}
}
