// SPDX-License-Identifier: MIT
/* madvise(MADV_WILLNEED) of private memory: what was swapped out is read into the swap cache, where faults find it. */
#include "../lru/lru.h"
#include "../swap/swap.h"
#include "entries.h"
#include "madvise.h"

#define BATCH 32u

struct wanted {
	swp_entry_t slots[BATCH];
	unsigned int nr;
	uintptr_t next; /* where to go on */
};

static void collect(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	struct wanted *w = walk->arg;

	for (; addr < end && w->nr < BATCH; addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);
		swp_entry_t slot = pte_to_swp_entry(__pte(e));

		if (pgt_is_swap(e) && !non_swap_entry(slot))
			w->slots[w->nr++] = slot;
	}
	w->next = addr;
	walk->stop = w->nr == BATCH;
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
	struct wanted w = { .next = start };
	bool on = true;

	while (on && w.next < end && !fatal_signal_pending(current_task())) {
		struct entries_walk walk = { .vma = vma, .table = collect, .hole = pass_over, .arg = &w };

		w.nr = 0;
		(void)entries_walk(&walk, w.next, end);
		on = read_slots(&w);
	}
	lru_add_drain();
}
