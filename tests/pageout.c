// SPDX-License-Identifier: MIT
#include "pageout.h"

#include <octavo/mm.h>
#include <octavo/pagemap.h>

#include "mm/cache/filemap.h"
#include "mm/cache/shmem.h"
#include "mm/lru/lru.h"
#include "mm/swap/swap.h"
#include "mm/vm/gup.h"
#include "mm/vm/rmap.h"

static bool of_shmem(const struct folio *folio)
{
	const struct address_space *mapping = folio_mapping(folio);

	return mapping && mapping_flag(mapping, AS_SWAP);
}

/* Locked, of a program. Unlocks. */
static void write_anon(struct folio *folio)
{
	if (!folio_in_swap_cache(folio) && PageSwapBacked(&folio->page) && add_to_swap(folio)) {
		folio_unlock(folio);
		return;
	}
	if (try_to_unmap(folio, 0) && folio_in_swap_cache(folio) && PageDirty(&folio->page) &&
	    folio_clear_dirty_for_io(folio))
		(void)swap_writepage(folio);
	else
		folio_unlock(folio);
}

static void write_shmem(struct folio *folio)
{
	if (!try_to_unmap(folio, 0) || shmem_writeout(folio))
		folio_unlock(folio);
}

/* Nobody has it but the swap cache and, so often, the caller. */
static void leave_swap_cache(struct folio *folio, int ours)
{
	folio_lock(folio);
	if (folio_in_swap_cache(folio) && !folio_mapped(folio) && !PageDirty(&folio->page) &&
	    !PageWriteback(&folio->page) && page_ref_count(&folio->page) == 1 + ours)
		evict_from_swap_cache(folio, 0);
	folio_unlock(folio);
}

bool pageout_folio(struct folio *folio)
{
	bool isolated, anon;

	lru_add_drain();
	isolated = folio_isolate_lru(folio);
	if (folio_trylock(folio)) {
		anon = page_is_anon(&folio->page);
		if (PageWriteback(&folio->page) || folio_order(folio))
			folio_unlock(folio);
		else if (anon)
			write_anon(folio);
		else if (of_shmem(folio))
			write_shmem(folio);
		else
			folio_unlock(folio);
		leave_swap_cache(folio, 1 + isolated);
	}
	if (isolated)
		folio_putback_lru(folio);
	return !folio_mapped(folio) && !folio_in_swap_cache(folio) && !folio_mapping(folio);
}

unsigned long pageout_range(struct mm_struct *mm, uintptr_t addr, size_t len)
{
	unsigned long gone = 0;

	for (uintptr_t at = addr; at < addr + len; at += PAGE_SIZE) {
		struct vm_area_struct *vma;
		struct page *page = NULL;
		int err;

		mmap_read_lock(mm);
		vma = vma_lookup(mm, at);
		if (vma)
			page = follow_page(vma, at, FOLL_GET, &err);
		mmap_read_unlock(mm);
		if (!page)
			continue;
		if (page_to_pfn(page) != zero_pfn)
			gone += pageout_folio(page_folio(page));
		put_page(page);
	}
	return gone;
}

unsigned long pageout_file(struct file *file)
{
	unsigned long index = 0, gone = 0;
	struct folio *folio;

	while (filemap_get_folios(file->f_mapping, &index, FILE_INDEX_MAX, &folio, 1)) {
		gone += pageout_folio(folio);
		folio_put(folio);
	}
	return gone;
}
