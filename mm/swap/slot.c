// SPDX-License-Identifier: MIT
/* Slot words: who holds a slot, and what the cache has of it. All by compare-and-swap; the theory is in swap.c. */
#include "area.h"

#include "../zswap/zswap.h"

/*
 * The words have become SLOT_GOING by our hand: nobody can look at what was there any more. A copy has to go before the
 * slot can be somebody else's, whose copy it would be.
 */
static void slots_gone(struct swap_area *area, unsigned long slot, unsigned int nr)
{
	zswap_invalidate(swp_entry(area->type, slot), nr);
	if (unlikely(load_relaxed(&area->flags) & SWP_TELL_FREE))
		area->bdev->ops->free(area->bdev, (u64)slot * PAGE_SECTORS, (u64)nr * PAGE_SECTORS);
	sched_point();
	/* Where halves are written alone: the low one last, and once. As soon as it is 0 the slot is anybody's. */
	for (unsigned int i = 0; i < nr; i++)
		whole_fill(&area->words[slot + i], 0);
	swap_slots_freed(area, slot, nr);
}

static int duplicate_one(u64 *word)
{
	u64 old = whole_load(word), next;
	unsigned int count;

	do {
		count = slot_count(old);
		if (slot_kind(old) == SLOT_BAD || (!count && slot_kind(old) != SLOT_FOLIO))
			return -EINVAL;
		if (unlikely(count == SLOT_COUNT_MAX))
			return -ENOMEM;
		next = old + SLOT_ONE;
		if (unlikely(slot_kind(old) == SLOT_SHADOW && count == SLOT_SHADOW_COUNT_MAX))
			next = slot_make_shadow(0, count + 1, old & SLOT_ZERO);
	} while (!slot_cas(word, &old, next));
	return 0;
}

/* One holder fewer. Return: whether that was the last, slots_gone() is next; *@cached: nobody but the cache has it. */
static bool release_one(u64 *word, bool *cached)
{
	u64 old = whole_load(word), next;
	unsigned int count;

	do {
		count = slot_count(old);
		if (unlikely(!count || slot_kind(old) == SLOT_BAD)) {
			atomic_add_relaxed(&swap_bad_frees, 1);
			return false;
		}
		*cached = count == 1 && slot_kind(old) == SLOT_FOLIO;
		next = count == 1 && !*cached ? SLOT_GOING : old - SLOT_ONE;
	} while (!slot_cas(word, &old, next));
	return next == SLOT_GOING;
}

/* Each of [@slot, @slot + @nr) loses a holder. Those that are free now go together where they are neighbours. */
static bool release_run(struct swap_area *area, unsigned long slot, unsigned int nr)
{
	unsigned long first = slot, end = slot + nr;
	bool any_cached = false;

	for (; slot < end; slot++) {
		bool cached = false;

		if (release_one(&area->words[slot], &cached))
			continue;
		any_cached |= cached;
		if (slot > first)
			slots_gone(area, first, (unsigned int)(slot - first));
		first = slot + 1;
	}
	if (slot > first)
		slots_gone(area, first, (unsigned int)(slot - first));
	return any_cached;
}

int swap_duplicate_nr(swp_entry_t entry, unsigned int nr)
{
	u64 *word;
	int err = 0;

	rcu_reader_begin();
	word = slot_word(swp_entry_plus(entry, nr - 1)) ? slot_word(entry) : NULL;
	for (unsigned int i = 0; i < nr && !err; i++) {
		err = word ? duplicate_one(word + i) : -EINVAL;
		if (unlikely(err && i))
			(void)release_run(swap_area_of_entry(entry), swp_offset(entry), i);
	}
	rcu_reader_end();
	return err;
}

int folio_dup_swap(const struct folio *folio, const struct page *page, swp_entry_t *entry)
{
	*entry = folio_slot(folio, (unsigned long)(page - &folio->page));
	return duplicate_one(&swap_area_of_entry(*entry)->words[swp_offset(*entry)]);
}

void swap_free_nr(swp_entry_t entry, unsigned int nr)
{
	struct swap_area *area;

	rcu_reader_begin();
	area = swap_area_of_entry(entry);
	if (area && swp_offset(entry) < area->max && nr <= area->max - swp_offset(entry))
		(void)release_run(area, swp_offset(entry), nr);
	else
		atomic_add_relaxed(&swap_bad_frees, 1);
	rcu_reader_end();
}

/* A folio that nobody holds by an entry leaves the cache, unless it is mapped. */
static void drop_orphan(swp_entry_t entry)
{
	struct folio *folio = swap_cache_get_folio(entry);

	if (!folio)
		return;
	swap_cache_forget(folio);
	folio_put(folio);
}

void free_swap_and_cache_nr(swp_entry_t entry, unsigned int nr)
{
	struct swap_area *area;
	bool cached = false;

	rcu_reader_begin();
	area = swap_area_of_entry(entry);
	if (area && swp_offset(entry) < area->max && nr <= area->max - swp_offset(entry))
		cached = release_run(area, swp_offset(entry), nr);
	else
		atomic_add_relaxed(&swap_bad_frees, 1);
	rcu_reader_end();
	for (unsigned int i = 0; cached && i < nr; i++)
		drop_orphan(swp_entry_plus(entry, i));
}

int swap_count(swp_entry_t entry)
{
	const u64 *word;
	u64 seen;

	rcu_reader_begin();
	word = slot_word(entry);
	seen = word ? whole_load(word) : 0;
	rcu_reader_end();
	return slot_kind(seen) == SLOT_BAD ? 0 : (int)slot_count(seen);
}

bool swap_entry_valid(swp_entry_t entry)
{
	return slot_state(entry) != -ENOENT;
}

void slot_leave_cache(struct swap_area *area, unsigned long slot, unsigned long pfn, unsigned long shadow)
{
	u64 *word = &area->words[slot], old = whole_load(word), next;

	do {
		if (unlikely(slot_kind(old) != SLOT_FOLIO || slot_pfn(old) != pfn)) {
			atomic_add_relaxed(&swap_bad_frees, 1);
			return;
		}
		next = slot_count(old) ? slot_make_shadow(shadow, slot_count(old), old & SLOT_ZERO) : SLOT_GOING;
	} while (!slot_cas(word, &old, next));
	if (next == SLOT_GOING)
		slots_gone(area, slot, 1);
}

void slot_set_zero(u64 *word, bool zero)
{
	u64 old = whole_load(word);

	while (!(old & SLOT_ZERO) == zero && !slot_cas(word, &old, old ^ SLOT_ZERO))
		;
}

unsigned long swap_reclaim_cached(struct swap_area *area, unsigned long *hand, unsigned long nr)
{
	unsigned long at = load_relaxed(hand), freed = 0;

	for (nr = min(nr, area->max); nr; nr--, at++) {
		u64 word = whole_load(&area->words[at < area->max ? at : (at = 0)]);
		struct folio *folio;

		if (slot_kind(word) != SLOT_FOLIO || slot_count(word))
			continue;
		folio = swap_cache_get_folio(swp_entry(area->type, at));
		if (!folio)
			continue;
		if (folio_trylock(folio)) {
			if (folio_free_swap(folio))
				freed += folio_nr_pages(folio);
			folio_unlock(folio);
		}
		folio_put(folio);
	}
	store_relaxed(hand, at);
	return freed;
}
