// SPDX-License-Identifier: MIT
/*
 * How often a page is mapped: _mapcount, one less than the entries that lead to it, and what follows from it.
 *
 * Each page of a large folio has its own count. What is said of the folio as a whole is found by looking at all of
 * them: folios are at most a few dozen pages, and the question is rare where the counting is not.
 */
#include "../lru/lru.h"
#include "../phys/zone.h"
#include "../phys/vmstat.h"
#include "../sync/atomic.h"
#include "anon_vma.h"
#include "mlock.h"

static force_inline void count_mapped(const struct folio *folio, enum node_stat_item item, long nr)
{
	atomic_add_relaxed(&NODE_DATA(page_to_nid(&folio->page))->stat[item], (unsigned long)nr);
}

void folio_add_new_anon_rmap(struct folio *folio, struct vm_area_struct *vma, uintptr_t addr)
{
	unsigned long nr = folio_nr_pages(folio);

	page_set_mapping(&folio->page, vma->anon_vma->handle | PAGE_MAPPING_ANON, linear_page_index(vma, addr));
	__SetPageSwapBacked(&folio->page);
	for (unsigned long i = 0; i < nr; i++) {
		struct page *page = folio_page(folio, i);

		store_relaxed(&page->_mapcount, 0);
		__SetPageAnonExclusive(page);
	}
	count_mapped(folio, NR_ANON_MAPPED, (long)nr);
	folio_add_lru_vma(folio, vma);
}

void folio_add_anon_rmap_pte(struct folio *folio, struct page *page, struct vm_area_struct *vma, uintptr_t addr,
			     bool exclusive)
{
	(void)vma;
	(void)addr;
	if (atomic_fetch_add(&page->_mapcount, 1) == -1)
		count_mapped(folio, NR_ANON_MAPPED, 1);
	if (exclusive)
		SetPageAnonExclusive(page);
}

void folio_add_file_rmap_ptes(struct folio *folio, struct page *page, unsigned int nr, struct vm_area_struct *vma)
{
	long fresh = 0;

	(void)vma;
	for (unsigned int i = 0; i < nr; i++)
		fresh += atomic_fetch_add(&page[i]._mapcount, 1) == -1;
	if (fresh)
		count_mapped(folio, NR_FILE_MAPPED, fresh);
}

void folio_remove_rmap_pte(struct folio *folio, struct page *page)
{
	/* Unmapped, its file may lose it. */
	bool anon = page_is_anon(&folio->page);

	if (!atomic_fetch_sub(&page->_mapcount, 1))
		count_mapped(folio, anon ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
	if (unlikely(PageMlocked(&folio->page)) && !folio_mapped(folio))
		mlock_forget(folio);
}

int folio_try_dup_anon_rmap_pte(struct folio *folio, struct page *page, struct vm_area_struct *vma)
{
	(void)vma;
	if (PageAnonExclusive(page)) {
		if (unlikely(folio_maybe_dma_pinned(folio)))
			return -EBUSY;
		ClearPageAnonExclusive(page);
	}
	(void)atomic_fetch_add(&page->_mapcount, 1);
	return 0;
}

int folio_mapcount_large(const struct folio *folio)
{
	unsigned long nr = folio_nr_pages(folio);
	int sum = 0;

	for (unsigned long i = 0; i < nr; i++)
		sum += load_relaxed(&folio_page((struct folio *)folio, i)->_mapcount) + 1;
	return sum;
}
