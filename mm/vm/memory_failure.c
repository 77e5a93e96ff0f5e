// SPDX-License-Identifier: MIT
/*
 * Memory that went bad: its frame is taken out of use, and whoever touches what was in it hears of it.
 *
 * Words. A *poisoned* page has PG_hwpoison: the page allocator keeps it when its last reference goes, and nobody maps
 * it again. *Hard*: its contents are wrong (memory_failure()). *Soft*: they are still right, and are moved or dropped
 * first (soft_offline_page()).
 *
 * What becomes of the contents, hard:
 *
 *	anonymous, shmem	lost: entries become poison, a touch is SIGBUS with BUS_MCEERR_AR
 *	file, clean		read again: the page leaves the mappings and the cache
 *	file, dirty		lost: entries become poison, and fsync() says -EIO; the page leaves the cache
 *	the kernel's		nothing that could be done: -EBUSY, and it is poisoned when it is freed
 *
 * A poisoned page of shmem stays in its file until that is truncated: its bytes are nowhere else, and must not turn
 * into zeros. Where one stays in a file's cache (it could not leave all mappings, or is part of a large folio that is
 * dirty), reading it is -EIO, and reclaim leaves it alone.
 *
 * Invariants
 *	MO-I5  a poisoned page is mapped nowhere, and is never allocated.
 *	MO-I6  num_poisoned_pages is the number of pages with PG_hwpoison.
 *
 * Locking. The folio's lock, under which reverse mapping visits every entry.
 *
 * What failure does. A page that cannot be taken out of all mappings at once stays poisoned, and goes when its users
 * let go of it: -EBUSY. Soft: without memory for the copy, or if others use the page, nothing has changed.
 *
 * Differences from Linux. The thread that asks by madvise() is signalled when it touches the page, not at once; no
 * other process is told ahead of time (prctl(PR_MCE_KILL)). Of a large folio of a file that is dirty nothing is
 * dropped. Soft: pages of large folios, of shmem, and dirty ones of files are -EBUSY.
 *
 * Sources: madvise(2), sigaction(2) on BUS_MCEERR_AR, Documentation/mm/hwpoison.rst.
 */
#include "memory_failure.h"

#include <octavo/gfp.h>
#include <octavo/highmem.h>
#include <octavo/pagemap.h>

#include "../lru/lru.h"
#include "../phys/hwpoison.h"
#include "fault.h"
#include "rmap.h"

/* Of a program's memory: something that reverse mapping knows. Context: the folio's lock. */
static bool of_programs(const struct folio *folio)
{
	return page_is_anon(&folio->page) || folio_mapping(folio);
}

/* Marks of pages that are not programs': their mapping_index means something else. */
static bool of_the_kernel(const struct page *page)
{
	return PageSlab(page) || PageTable(page) || PageReserved(page) || PageOffline(page) || PageGuard(page);
}

static int fail_file_page(struct folio *folio, struct page *page)
{
	struct address_space *mapping = folio_mapping(folio);
	bool stored = mapping->a_ops->read_folio, lost;

	if (stored && folio_mkclean(folio))
		(void)folio_mark_dirty(folio);
	lost = !stored || PageDirty(&folio->page);
	unmap_poisoned(page, lost);
	if (!stored)
		return 0;
	if (lost)
		mapping_set_error(mapping, -EIO);
	if (folio_order(folio) && lost)
		return -EBUSY;
	if (folio_mapped(folio) && !try_to_unmap(folio, TTU_IGNORE_MLOCK, NULL))
		return -EBUSY;
	folio_cancel_dirty(folio);
	filemap_remove_folio(folio);
	return 0;
}

static int fail_locked(struct folio *folio, struct page *page)
{
	if (page_is_anon(&folio->page)) {
		unmap_poisoned(page, true);
		return page_mapcount(page) > 0 ? -EBUSY : 0;
	}
	if (folio_mapping(folio))
		return fail_file_page(folio, page);
	/* Truncated meanwhile; or a driver's, which mapped it itself. */
	return page_mapcount(page) > 0 ? -EBUSY : 0;
}

int memory_failure(struct page *page)
{
	struct folio *folio = page_folio(page);
	int err = -EBUSY;

	if (is_zero_pfn(page_to_pfn(page))) {
		folio_put(folio);
		return -EBUSY;
	}
	if (TestSetPageHWPoison(page)) {
		folio_put(folio);
		return -EHWPOISON;
	}
	poisoned_pages_add(1);
	if (!of_the_kernel(&folio->page)) {
		folio_lock(folio);
		folio_wait_writeback(folio);
		err = fail_locked(folio, page);
		folio_unlock(folio);
		free_swap_cache(folio);
	}
	folio_put(folio);
	return err;
}

/* ---- Soft ---- */

static void copy_state(struct page *to, const struct page *from)
{
	to->mapping_index = from->mapping_index;
	if (PageSwapBacked(from))
		__SetPageSwapBacked(to);
	if (PageDirty(from))
		__SetPageDirty(to);
	if (PageReferenced(from))
		__SetPageReferenced(to);
	__SetPageUptodate(to);
}

/* An anonymous page, locked, moves. Return: 0, -EBUSY: others use it, -ENOMEM. */
static int move_anon(struct folio *folio)
{
	struct page *to = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN);

	if (!to)
		return -ENOMEM;
	if (!try_to_migrate(folio, 0) || page_ref_count(&folio->page) != 1) {
		remove_migration_ptes(folio, folio);
		put_page(to);
		return -EBUSY;
	}
	copy_highpage(to, &folio->page);
	copy_state(to, &folio->page);
	folio_add_lru(page_folio(to));
	remove_migration_ptes(folio, page_folio(to));
	put_page(to);
	return 0;
}

/* A file's page, locked, leaves the cache if it can be read again. Two references: the cache's and the caller's. */
static int drop_file(struct folio *folio)
{
	if (!folio_mapping(folio)->a_ops->read_folio || !try_to_unmap(folio, TTU_IGNORE_MLOCK, NULL) ||
	    PageDirty(&folio->page) || page_ref_count(&folio->page) != 2)
		return -EBUSY;
	filemap_remove_folio(folio);
	return 0;
}

int soft_offline_page(struct page *page)
{
	struct folio *folio = page_folio(page);
	int err = -EBUSY;

	if (PageHWPoison(page)) {
		folio_put(folio);
		return 0;
	}
	if (!of_the_kernel(&folio->page) && !folio_order(folio)) {
		folio_lock(folio);
		folio_wait_writeback(folio);
		if (of_programs(folio))
			err = page_is_anon(&folio->page) ? move_anon(folio) : drop_file(folio);
		if (!err && !TestSetPageHWPoison(page))
			poisoned_pages_add(1);
		folio_unlock(folio);
		/* Its entries may have been wiped while they said that it was on its way. */
		free_swap_cache(folio);
	}
	folio_put(folio);
	return err;
}
