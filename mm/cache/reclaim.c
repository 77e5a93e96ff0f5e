// SPDX-License-Identifier: MIT
/*
 * The page cache when memory is short.
 *
 * Purpose. Files' pages that can be had again make room for what is asked for: the allocator's slow path calls here
 * (struct reclaim_ops), in the thread that wants the memory.
 *
 * Words. The *hand* goes through all files, the oldest first, and through each file's folios by index; it stops where
 * enough has been freed and goes on from there the next time. A folio that has been used since the hand was last there
 * (PG_referenced) is let go of that once: the clock algorithm.
 *
 * What goes is clean, mapped by nobody, locked by nobody, in nobody's hands, and sound (memory_failure.c). What is
 * dirty is written first, if the request lets its caller do I/O (__GFP_IO) and enter a file system (__GFP_FS), and
 * the file system has write_folio. Caches of kernel objects (shrinkers) are asked next: for their share if the
 * files had enough, else ever harder until something is freed.
 *
 * Locking. Whoever comes here may hold any sleeping lock, the folio's lock of a page that is being filled included. So
 * nothing is waited for but the store itself: locks are tried, and a folio that is locked or under writeback stays.
 * No file's lock is taken; that the file stays while the hand is at it is the list's doing (file.c: visitors).
 *
 * Differences from Linux. One clock in place of lists of active and inactive pages, and no thread of its own (kswapd):
 * memory is looked for when it is needed. Pages that are mapped stay, anonymous ones and shmem's as well: there is no
 * swap.
 *
 * Sources. Documentation/filesystems/vfs.rst for names; F. J. Corbato, "A paging experiment with the Multics system"
 * (1968), for the clock.
 */
#include <octavo/numa.h>
#include <octavo/reclaim_hook.h>
#include <octavo/shrinker.h>

#include "../base/part.h"
#include "../phys/hwpoison.h"
#include "filemap.h"

#define BATCH 15u
#define CLUSTER 32ul	/* pages that one call frees, if they are there */
#define PRIORITY_MAX 12 /* shrinkers are asked for 1/2^12 of what they have, then 1/2^11, ... */

struct shortage {
	const struct reclaim_request *request;
	bool may_write;
	unsigned long target, freed, scanned; /* pages */
	unsigned long left;	     /* pages, and files, to be looked at before it is given up */
};

static bool would_help(const struct shortage *s, const struct folio *folio)
{
	const nodemask_t *nodes = s->request->nodemask;

	return page_zonenum(&folio->page) <= s->request->highest &&
	       (!nodes || node_isset(page_to_nid(&folio->page), nodes));
}

static int write_by_mapping(struct folio *folio, void *ctx)
{
	struct address_space *mapping = ctx;

	return mapping->a_ops->write_folio(mapping, folio);
}

/* It is dirty and nobody uses it. Unlocks it. Return: whether it is locked again, and written. */
static bool write_out(struct address_space *mapping, struct folio *folio)
{
	if (!folio_clear_dirty_for_io(folio)) {
		folio_unlock(folio);
		return false;
	}
	count_folio(folio, NR_VMSCAN_WRITE, (long)folio_nr_pages(folio));
	(void)write_cleaned_folio(mapping, folio, write_by_mapping, mapping);
	if (!folio_trylock(folio))
		return false;
	if (folio_is_of(folio, mapping))
		return true;
	folio_unlock(folio);
	return false;
}

/* Return: pages that left the cache; they are free when the caller gives back the folio, which has a reference. */
static unsigned long drop_one(struct shortage *s, struct address_space *mapping, struct folio *folio)
{
	unsigned long nr = 0;

	if (!would_help(s, folio) || !folio_trylock(folio))
		return 0;
	if (!folio_is_of(folio, mapping) || PageWriteback(&folio->page) || folio_mapped(folio) ||
	    block_has_poison(&folio->page, folio_order(folio)) || TestClearPageReferenced(&folio->page))
		goto unlock;
	if (PageDirty(&folio->page)) {
		if (!s->may_write || !mapping->a_ops->write_folio || page_ref_count(&folio->page) != 2)
			goto unlock;
		if (!write_out(mapping, folio))
			return 0;
	}
	if (folio_unused(folio)) {
		nr = folio_nr_pages(folio);
		filemap_remove_from(mapping, folio);
	}
unlock:
	folio_unlock(folio);
	return nr;
}

/* Goes on where the hand was. Return: whether the end of the file has been reached. */
static bool scan_mapping(struct shortage *s, struct address_space *mapping)
{
	unsigned long index = load_relaxed(&mapping->reclaim_index);
	struct folio *batch[BATCH];
	unsigned int n = 0;

	/* What cannot be had again, or has nobody to be had from, stays. */
	if (!mapping->a_ops->read_folio || !load_relaxed(&mapping->nrpages))
		return true;
	while (s->left && s->freed < s->target &&
	       (n = filemap_get_folios(mapping, &index, FILE_INDEX_MAX, batch, BATCH)) != 0) {
		for (unsigned int i = 0; i < n; i++) {
			s->left -= min(s->left, folio_nr_pages(batch[i]));
			s->scanned += folio_nr_pages(batch[i]);
			s->freed += drop_one(s, mapping, batch[i]);
			folio_put(batch[i]);
		}
		n = index <= FILE_INDEX_MAX;
	}
	store_relaxed(&mapping->reclaim_index, n ? index : 0);
	return !n;
}

unsigned long node_droppable_pages(const struct pglist_data *node)
{
	unsigned long all = node_page_state_pages(node, NR_FILE_PAGES), others;

	others = node_page_state_pages(node, NR_SHMEM) + node_page_state_pages(node, NR_FILE_MAPPED) +
		 node_page_state_pages(node, NR_SWAPCACHE);
	return all - min(all, others);
}

/* Twice around, at most: the first time much may have been used since. */
static void shrink_page_cache(struct shortage *s)
{
	s->left = 2 * (global_node_page_state_pages(NR_FILE_PAGES) + load_relaxed(&all_mappings.nr));
	while (s->left && s->freed < s->target) {
		struct address_space *mapping = mapping_at_hand();

		if (!mapping)
			return;
		s->left--;
		mapping_leave(mapping, scan_mapping(s, mapping));
	}
	count_vm_events(PGSCAN_DIRECT, s->scanned);
	count_vm_events(PGSTEAL_DIRECT, s->freed);
}

static unsigned long shrink_all_slabs(const struct reclaim_request *request, int priority)
{
	unsigned long freed = 0;

	for (int nid = 0; nid < (int)nr_node_ids; nid++)
		if (node_isset(nid, &node_online_map) && (!request->nodemask || node_isset(nid, request->nodemask)))
			freed += shrink_slab(request->gfp, nid, NULL, priority);
	return freed;
}

unsigned long page_cache_reclaim(const struct reclaim_request *request)
{
	struct shortage s = {
		.request = request,
		.may_write = (request->gfp & (__GFP_IO | __GFP_FS)) == (__GFP_IO | __GFP_FS),
		.target = max(CLUSTER, 1ul << request->order),
	};
	unsigned long objects = 0;

	shrink_page_cache(&s);
	for (int priority = PRIORITY_MAX; priority >= 0; priority--) {
		objects += shrink_all_slabs(request, priority);
		if (s.freed >= s.target || objects >= s.target)
			break;
	}
	return s.freed + objects;
}

/* Of a zone the node's share is not known: as much as is not free, at most. */
static unsigned long zone_reclaimable_pages(struct zone *zone)
{
	unsigned long managed = zone_managed_pages(zone), free = zone_page_state_snapshot(zone, NR_FREE_PAGES);
	unsigned long taken = managed - min(managed, free);

	return min(node_droppable_pages(zone->pgdat), taken);
}

static const struct reclaim_ops page_cache_reclaim_ops = {
	.try_to_free_pages = page_cache_reclaim,
	.zone_reclaimable_pages = zone_reclaimable_pages,
	.out_of_memory = out_of_memory,
};

/* A kernel that has put its own operations into effect keeps them. */
static int reclaim_init(void)
{
	(void)register_reclaim_ops(&page_cache_reclaim_ops);
	return 0;
}
MM_PART(page_cache_reclaim, .order = MM_PART_FILES, .init = reclaim_init);
