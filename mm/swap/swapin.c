// SPDX-License-Identifier: MIT
/* Folios of slots, read if need be. */
#include "area.h"

#include "../lru/lru.h"

/* A folio of the cache for @entry, locked, with nothing in it yet; or the one that is there. *@err if NULL. */
static struct folio *get_or_add(swp_entry_t entry, gfp_t gfp, bool *fresh, int *err)
{
	struct folio *folio, *spare = NULL;
	unsigned long shadow = 0;

	for (;;) {
		folio = swap_cache_get_folio(entry);
		*fresh = false;
		*err = swap_entry_valid(entry) ? 0 : -ENOENT;
		if (folio || *err)
			break;
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

struct folio *swapin_readahead(swp_entry_t entry, gfp_t gfp, struct vm_area_struct *vma, uintptr_t addr, int *err)
{
	bool fresh;

	(void)vma, (void)addr;
	return read_swap_cache(entry, gfp, &fresh, err);
}
