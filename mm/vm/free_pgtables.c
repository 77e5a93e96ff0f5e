// SPDX-License-Identifier: MIT
/*
 * Tables that nothing is mapped by any more.
 *
 * A table goes when no VMA is left in its reach. So of the tables that meet [start, end) those go which lie between the
 * neighbours, @floor and @ceiling; whatever a table there leads to was taken out before. From the last level up: a
 * table's own tables are on the gather's list before it.
 */
#include "share.h"

/* [*first, *last]: addresses, whole entries of @level, that meet [@start, @end) and keep within the bounds. */
static bool entries_between(unsigned int level, uintptr_t start, uintptr_t end, uintptr_t floor, uintptr_t ceiling,
			    uintptr_t *first, uintptr_t *last)
{
	uintptr_t mask = (uintptr_t)PGT_SIZE(level) - 1;

	*first = start & ~mask;
	*last = (end - 1) | mask;
	/* A bound within an entry, on either side: somebody else is in its reach. */
	if (*first < floor) {
		if (start > UINTPTR_MAX - mask)
			return false;
		*first = (floor + mask) & ~mask;
	}
	if (ceiling && *last > ceiling - 1) {
		uintptr_t below = ceiling & ~mask;

		if (!below)
			return false;
		*last = below - 1;
	}
	return *first <= *last;
}

static void free_level(struct mmu_gather *tlb, struct mm_struct *mm, unsigned int level, uintptr_t first,
		       uintptr_t last)
{
	for (uintptr_t at = first;;) {
		unsigned int found, nr, i = 0;
		pgt_entry_t *entry = pgt_descend(mm, at, level, &found);
		uintptr_t end = pgt_last(found, at);

		if (found == level) {
			nr = min(pgt_run(level, at), (unsigned int)((last - at) >> PGT_SHIFT(level)) + 1);
			while (i < nr) {
				pgt_entry_t e = pgt_get(entry + i);

				if (!pgt_table(level, e)) {
					i += max(pgt_none_run(entry + i, nr - i), 1u);
					continue;
				}
				pgt_set(entry + i, 0);
				tlb_remove_table(tlb, pgt_table_of(level, e),
						 at + (uintptr_t)((u64)i++ << PGT_SHIFT(level)));
			}
			end += (uintptr_t)((u64)(nr - 1) << PGT_SHIFT(level));
		}
		if (end >= last)
			break;
		at = end + 1;
	}
}

void free_own_tables(struct mmu_gather *tlb, struct mm_struct *mm, uintptr_t start, uintptr_t end, uintptr_t floor,
		     uintptr_t ceiling)
{
	unsigned int top = PGT_ROOT_FIXED ? PGT_ROOT_LEVEL - 1 : PGT_ROOT_LEVEL;
	uintptr_t first, last;

	if (!entries_between(1, start, end, floor, ceiling, &first, &last))
		return;
	spin_lock(&mm->page_table_lock);
	for (unsigned int level = 1; level <= top; level++)
		if (entries_between(level, start, end, floor, ceiling, &first, &last))
			free_level(tlb, mm, level, first, last);
	spin_unlock(&mm->page_table_lock);
}

void free_pgtables(struct mmu_gather *tlb, struct mm_struct *mm, uintptr_t start, uintptr_t end, uintptr_t floor,
		   uintptr_t ceiling)
{
	uintptr_t first, last;

	/* Shared tables have been left by whoever took the entries out; if not, that is made good. */
	if (load_relaxed(&mm->flags) >> MMF_HAS_SHARED_TABLES & 1 &&
	    entries_between(1, start, end, floor, ceiling, &first, &last)) {
		for (uintptr_t at = first; at <= last; at = pgt_last(1, at) + 1) {
			(void)vm_drop_shared(tlb, mm, at);
			if (pgt_last(1, at) >= last)
				break;
		}
	}
	free_own_tables(tlb, mm, start, end, floor, ceiling);
}
