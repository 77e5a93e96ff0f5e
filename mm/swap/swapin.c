// SPDX-License-Identifier: MIT
/*
 * Folios of slots, read if need be, and their neighbours with them.
 *
 * Who faults on a slot gets its folio first. What else might be wanted soon is read behind it: around the address (what
 * the process's page tables say of the pages next to it), or around the slot (what was swapped out together). How much,
 * the *window*, follows from how much of the last window was wanted: a folio that was read ahead is marked
 * (PG_readahead), and finding the mark counts a hit.
 *
 *	pages = 1 if nothing of the last window was wanted and the slot is not next to the last one
 *		else hits + 2, rounded up to 4, 8, 16...
 *	at most 2^vm.page-cluster, and at least half of what it was the last time
 *
 * What is read ahead must cost little: no memory is reclaimed for it, and of a device with a thread the caller does not
 * wait for it. A RAM disk gains nothing by it, nor does a word of zeros, and if zswap had the page it probably has its
 * neighbours: then nothing is read ahead.
 *
 * The windows of VMAs are kept in a small table by hash, so that a VMA need not have room for them: who comes second
 * to a place starts anew.
 */
#include "area.h"

#include "../lru/lru.h"

int sysctl_page_cluster __memsys = 3;
bool swap_vma_ra_enabled __memsys = true;

#define WINDOWS 64u
#define WINDOW_ORDER_MAX 5u /* of addresses: 32 pages */

/* Hints: read and written by anyone, each field whole. */
struct window {
	const struct vm_area_struct *vma; /* NULL: by slot */
	unsigned long last;		  /* page number or slot that was wanted last */
	unsigned int pages, hits;
};
static struct window windows[WINDOWS] __memsys;
static struct window slot_window __memsys;
static const struct swap_vma_ops *vma_ops __memsys;

void register_swap_vma_ops(const struct swap_vma_ops *ops)
{
	store_release(&vma_ops, ops);
}

static struct window *window_of(const struct vm_area_struct *vma)
{
	uintptr_t n = (uintptr_t)vma;

	return vma ? &windows[(n >> 6 ^ n >> 12) % WINDOWS] : &slot_window;
}

static bool by_vma(const struct vm_area_struct *vma)
{
	return vma && READ_ONCE(swap_vma_ra_enabled) && load_acquire(&vma_ops) && !load_relaxed(&swap_rotational);
}

/* ---- In the cache ---- */

/* A folio of the cache for @entry, locked, with nothing in it yet; or the one that is there. *@err if NULL. */
static struct folio *get_or_add(swp_entry_t entry, gfp_t gfp, bool *fresh, int *err)
{
	struct folio *folio, *spare = NULL;
	unsigned long shadow = 0;

	for (;;) {
		*err = slot_state(entry);
		folio = unlikely(*err == -EEXIST) ? swap_cache_get_folio(entry) : NULL;
		*fresh = false;
		if (folio)
			*err = 0;
		if (folio || *err == -ENOENT)
			break;
		if (*err) {
			port_cpu_relax(); /* it has just gone */
			continue;
		}
		if (!spare) {
			spare = folio_alloc(gfp, 0);
			*err = spare ? 0 : -ENOMEM;
			if (*err)
				break;
			__SetPageLocked(&spare->page);
			__SetPageSwapBacked(&spare->page);
		}
		*err = swap_cache_add(spare, entry, &shadow);
		if (!*err) {
			*fresh = true;
			if (shadow)
				workingset_refault(spare, shadow);
			folio_add_lru(spare);
			return spare;
		}
		if (*err != -EEXIST)
			break;
		port_cpu_relax();
	}
	if (spare) {
		folio_unlock(spare);
		folio_put(spare);
	}
	return folio;
}

struct folio *read_swap_cache(swp_entry_t entry, gfp_t gfp, bool *fresh, int *err)
{
	struct folio *folio = get_or_add(entry, gfp, fresh, err);

	if (folio && *fresh)
		(void)swap_read_folio(folio);
	return folio;
}

void swap_readahead_hit(struct folio *folio, const struct vm_area_struct *vma)
{
	struct window *w = window_of(by_vma(vma) ? vma : NULL);

	/* The mark is also that of a folio which reclaim waits for. */
	if (PageWriteback(&folio->page))
		return;
	ClearPageReadahead(&folio->page);
	count_vm_events(SWAP_RA_HIT, 1);
	if (w == &slot_window || READ_ONCE(w->vma) == vma)
		atomic_add_relaxed(&w->hits, 1);
}

/* ---- Neighbours ---- */

/* How many pages around @at, which is wanted now. */
static unsigned int next_window(struct window *w, const struct vm_area_struct *vma, unsigned long at, unsigned int most)
{
	bool known = READ_ONCE(w->vma) == vma;
	unsigned int hits = known ? load_relaxed(&w->hits) : 0, was = known ? READ_ONCE(w->pages) : 0;
	unsigned long last = known ? READ_ONCE(w->last) : 0;
	unsigned int pages = 1;

	if (hits || (known && (at == last + 1 || at + 1 == last)))
		pages = (unsigned int)roundup_pow_of_two(max(hits + 2, 4u));
	pages = max(min(pages, most), was / 2);
	WRITE_ONCE(w->vma, vma);
	WRITE_ONCE(w->last, at);
	WRITE_ONCE(w->pages, pages);
	store_relaxed(&w->hits, 0);
	return pages;
}

/* Something is there to be read, and worth it. */
static bool worth_reading(swp_entry_t entry)
{
	const struct swap_area *area;
	u64 word = 0;

	rcu_reader_begin();
	area = swap_area_of_entry(entry);
	if (area && swp_offset(entry) < area->max && !(load_relaxed(&area->flags) & SWP_SYNCHRONOUS))
		word = whole_load(&area->words[swp_offset(entry)]);
	rcu_reader_end();
	return slot_kind(word) != SLOT_FOLIO && slot_kind(word) != SLOT_BAD && slot_count(word) && !(word & SLOT_ZERO);
}

static void read_ahead(swp_entry_t entry, gfp_t gfp)
{
	struct swap_area *area;
	struct folio *folio;
	bool fresh;
	int err;

	if (!worth_reading(entry))
		return;
	folio = get_or_add(entry, (gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_NORETRY | __GFP_NOWARN, &fresh, &err);
	if (!folio)
		return;
	if (!fresh) {
		folio_put(folio);
		return;
	}
	SetPageReadahead(&folio->page);
	count_vm_events(SWAP_RA, 1);
	area = swap_area_of_entry(entry); /* stays: the folio is locked and in the cache */
	if (area->queue && swap_queue_read(area, folio))
		return;
	(void)swap_read_folio(folio);
	folio_put(folio);
}

/* An aligned window of slots. */
static void read_around_slot(swp_entry_t entry, gfp_t gfp)
{
	unsigned long slot = swp_offset(entry), first;
	unsigned int pages = next_window(&slot_window, NULL, slot, 1u << min(READ_ONCE(sysctl_page_cluster), 9));

	first = slot & ~((unsigned long)roundup_pow_of_two(pages) - 1);
	for (unsigned long at = first; pages > 1 && at < first + pages; at++)
		if (at && at != slot)
			read_ahead(swp_entry(swp_type(entry), at), gfp);
}

/* A window of addresses: forwards or backwards if that is where it went, else around. */
static void read_around_address(struct vm_area_struct *vma, uintptr_t addr, gfp_t gfp)
{
	swp_entry_t entries[1u << WINDOW_ORDER_MAX];
	unsigned int most = 1u << min(READ_ONCE(sysctl_page_cluster), (int)WINDOW_ORDER_MAX);
	struct window *w = window_of(vma);
	unsigned long at = addr >> PAGE_SHIFT, last = READ_ONCE(w->vma) == vma ? READ_ONCE(w->last) : 0, first;
	unsigned int pages = next_window(w, vma, at, most), nr;

	if (pages == 1)
		return;
	first = at == last + 1 ? at : at + 1 == last ? at - min(at, (unsigned long)pages - 1) :
						       at - min(at, (unsigned long)(pages - 1) / 2);
	nr = load_acquire(&vma_ops)->entries(vma, first << PAGE_SHIFT, min(pages, 1u << WINDOW_ORDER_MAX), entries);
	for (unsigned int i = 0; i < nr; i++)
		read_ahead(entries[i], gfp);
}

struct folio *swapin_readahead(swp_entry_t entry, gfp_t gfp, struct vm_area_struct *vma, uintptr_t addr, int *err)
{
	struct folio *folio;
	bool fresh, alone;

	folio = get_or_add(entry, gfp, &fresh, err);
	if (!folio)
		return NULL;
	if (!fresh) {
		if (unlikely(PageReadahead(&folio->page)))
			swap_readahead_hit(folio, vma);
		return folio;
	}
	/* While the folio is locked the area stays. */
	alone = !READ_ONCE(sysctl_page_cluster) || load_relaxed(&swap_area_of_entry(entry)->flags) & SWP_SYNCHRONOUS;
	if (swap_read_folio(folio) <= 0 || likely(alone))
		return folio;
	if (by_vma(vma))
		read_around_address(vma, addr, gfp);
	else
		read_around_slot(entry, gfp);
	return folio;
}
