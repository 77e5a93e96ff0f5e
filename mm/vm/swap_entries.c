// SPDX-License-Identifier: MIT
/* What page tables tell swap's readahead: which slots the pages around a fault are in. */
#include "../base/part.h"
#include "../swap/swap.h"
#include "vm.h"

static unsigned int entries_around(struct vm_area_struct *vma, uintptr_t start, unsigned int nr, swp_entry_t *entries)
{
	uintptr_t end = min(start + nr * PAGE_SIZE, (uintptr_t)vma->vm_end);
	unsigned int found = 0;

	for (uintptr_t at = max(start, (uintptr_t)vma->vm_start); at < end; at += PAGE_SIZE) {
		spinlock_t *lock;
		bool shared;
		pgt_entry_t e, *entry = vm_entry_find(vma->vm_mm, at, &lock, &shared);
		swp_entry_t slot;

		if (!entry)
			continue;
		e = pgt_get(entry);
		spin_unlock(lock);
		slot = pte_to_swp_entry(__pte(e));
		if (pgt_is_swap(e) && !non_swap_entry(slot))
			entries[found++] = slot;
	}
	return found;
}

static const struct swap_vma_ops ops = { .entries = entries_around };

static int swap_entries_init(void)
{
	register_swap_vma_ops(&ops);
	return 0;
}
MM_PART(swap_entries, .order = MM_PART_VM, .init = swap_entries_init);
