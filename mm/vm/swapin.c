// SPDX-License-Identifier: MIT
/*
 * What was swapped out is read into the swap cache, where faults find it: madvise(MADV_WILLNEED) of private memory; and
 * what page tables tell readahead of an address's neighbours.
 */
#include "../base/part.h"
#include "../lru/lru.h"
#include "../swap/swap.h"
#include "entries.h"
#include "madvise.h"

#define BATCH 32u

struct wanted {
	swp_entry_t *slots;
	unsigned int nr, max;
	uintptr_t next; /* where to go on */
};

static void collect(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	struct wanted *w = walk->arg;

	for (; addr < end && w->nr < w->max; addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);
		swp_entry_t slot = pte_to_swp_entry(__pte(e));

		if (pgt_is_swap(e) && !non_swap_entry(slot))
			w->slots[w->nr++] = slot;
	}
	w->next = addr;
	walk->stop = w->nr == w->max;
}

static void pass_over(struct entries_walk *walk, uintptr_t addr, uintptr_t end)
{
	struct wanted *w = walk->arg;

	(void)addr;
	w->next = end;
}

/* Return: false: there is no room for more. */
static bool read_slots(const struct wanted *w)
{
	for (unsigned int i = 0; i < w->nr; i++) {
		struct folio *folio;
		bool fresh;
		int err = 0;

		/* The slot may be free by now, or another's: whoever it is finds the page earlier than he thought. */
		folio = read_swap_cache(w->slots[i], GFP_HIGHUSER_MOVABLE | __GFP_NORETRY | __GFP_NOWARN, &fresh, &err);
		if (folio)
			folio_put(folio);
		else if (err == -ENOMEM)
			return false;
	}
	return true;
}

void madvise_swapin(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	swp_entry_t slots[BATCH];
	struct wanted w = { .slots = slots, .max = BATCH, .next = start };
	bool on = true;

	while (on && w.next < end && !fatal_signal_pending(current_task())) {
		struct entries_walk walk = { .vma = vma, .table = collect, .hole = pass_over, .arg = &w };

		w.nr = 0;
		(void)entries_walk(&walk, w.next, end);
		on = read_slots(&w);
	}
	lru_add_drain();
}

/* ---- Readahead ---- */

static unsigned int slots_around(struct vm_area_struct *vma, uintptr_t start, unsigned int nr, swp_entry_t *slots)
{
	uintptr_t end = start + (uintptr_t)nr * PAGE_SIZE;
	struct wanted w = { .slots = slots, .max = nr };
	struct entries_walk walk = { .vma = vma, .table = collect, .arg = &w };

	start = max(start, vma->vm_start);
	end = end < start ? vma->vm_end : min(end, vma->vm_end);
	if (start < end)
		(void)entries_walk(&walk, start, end);
	return w.nr;
}

static const struct swap_vma_ops ops = { .entries = slots_around };

static int swapin_init(void)
{
	register_swap_vma_ops(&ops);
	return 0;
}

MM_PART(vm_swapin, .order = MM_PART_VM, .init = swapin_init);
