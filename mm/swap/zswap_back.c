// SPDX-License-Identifier: MIT
/*
 * zswap's copies on their way to the device: when its pool is full, it asks for one slot at a time.
 *
 * The slot gets a folio of the cache, which is what keeps everybody else from it, for as long as it takes: locked,
 * on no list, gone at the end with the shadow left as it was. Whoever wants the page meanwhile waits for the lock,
 * and then looks again.
 */
#include "area.h"

#include "../base/part.h"
#include "../zswap/zswap.h"

/* Return: 0; -EEXIST: it is in the cache, so somebody has just wanted it; -ENOENT, -ENOMEM, -EIO. */
static int write_copy(swp_entry_t entry)
{
	struct folio *folio = folio_alloc(GFP_NOWAIT | __GFP_HIGHMEM | __GFP_MOVABLE, 0);
	unsigned long shadow = 0;
	int err;

	if (!folio)
		return -ENOMEM;
	__SetPageLocked(&folio->page);
	__SetPageSwapBacked(&folio->page);
	err = swap_cache_add(folio, entry, &shadow);
	if (!err) {
		err = zswap_load(entry, &folio->page);
		if (!err)
			err = swap_write_page(swap_area_of_entry(entry), entry, &folio->page);
		evict_from_swap_cache(folio, shadow);
	}
	folio_unlock(folio);
	folio_put(folio);
	return err;
}

static const struct zswap_backing backing = { .writeback = write_copy };

static int zswap_back_init(void)
{
	zswap_set_backing(&backing);
	return 0;
}
MM_PART(zswap_back, .order = MM_PART_VM, .init = zswap_back_init);
