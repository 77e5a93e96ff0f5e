// SPDX-License-Identifier: MIT
#include "pageout.h"

#include <octavo/mm.h>
#include <octavo/pagemap.h>

#include "mm/cache/filemap.h"
#include "mm/lru/lru.h"
#include "mm/vm/gup.h"
#include "mm/vm/madvise.h"

/* Reclaim's own way, which wants no references but its own. Takes the caller's. Return: pages freed. */
static unsigned long page_out(struct folio *folio)
{
	bool isolated = folio_isolate_lru(folio);

	folio_put(folio);
	return isolated ? pageout_folios(&folio, 1) : 0;
}

unsigned long pageout_range(struct mm_struct *mm, uintptr_t addr, size_t len)
{
	unsigned long gone = 0;

	lru_add_drain();
	for (uintptr_t at = addr; at < addr + len; at += PAGE_SIZE) {
		struct vm_area_struct *vma;
		struct page *page = NULL;
		int err;

		mmap_read_lock(mm);
		vma = vma_lookup(mm, at);
		if (vma)
			page = follow_page(vma, at, FOLL_GET, &err);
		mmap_read_unlock(mm);
		if (page)
			gone += page_out(page_folio(page));
	}
	return gone;
}

unsigned long pageout_file(struct file *file)
{
	unsigned long index = 0, gone = 0;
	struct folio *folio;

	lru_add_drain();
	while (filemap_get_folios(file->f_mapping, &index, FILE_INDEX_MAX, &folio, 1))
		gone += page_out(folio);
	return gone;
}
