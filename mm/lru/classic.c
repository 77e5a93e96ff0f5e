// SPDX-License-Identifier: MIT
/*
 * The classic policy: an active and an inactive list of each kind.
 *
 * What is new is inactive. Reclaim takes from the inactive lists' old ends; what was used there in the meantime becomes
 * active. When the inactive list of a kind is short in relation, the oldest of the active one are made inactive, where
 * they have that much time to be used again. So memory that was touched once passes through without disturbing what is
 * in use.
 *
 *	new --> inactive ... oldest --> reclaim
 *	           ^  | used again
 *	           |  v
 *	        oldest ... active
 *
 * Use through system calls is noted in steps: inactive, unreferenced -> inactive, referenced (PG_referenced) -> active.
 * Use through page tables is looked for when a folio is at the old end: by reclaim on the inactive list (LRU_ACTIVATE),
 * and here on the active one, where only program code that was used stays active for it: everything else must show on
 * the inactive list that it is in use.
 *
 * A node with 1 GiB of a kind is balanced when a quarter of it is inactive (sqrt(10 x 1) = 3 : 1), with 10 GiB a tenth;
 * below 1 GiB half of it: the absolute time that folios have to be used in is what should stay alike.
 *
 * Locking. Folios on their way from active to inactive are isolated, with a reference, while they are looked at.
 *
 * Sources. Documentation/admin-guide/mm/concepts.rst (LRU); R. Carr, J. Hennessy, "WSClock" (1981), for two hands;
 * Documentation/admin-guide/sysctl/vm.rst (swappiness).
 */
#include <octavo/mm.h>

#include "../sync/trace.h"
#include "lruvec.h"
#include "workingset.h"

#define BATCH 32u /* folios in one go */

static void classic_add(struct lruvec *vec, struct folio *folio)
{
	(void)vec; /* PG_active is what it was or what the caller made it */
	if (unlikely(PageUnevictable(&folio->page)))
		ClearPageUnevictable(&folio->page);
}

static void classic_accessed(struct folio *folio)
{
	if (!PageReferenced(&folio->page)) {
		SetPageReferenced(&folio->page);
	} else if (!PageActive(&folio->page) && !PageUnevictable(&folio->page)) {
		/* On its way to a list or isolated it remembers. */
		if (!PageLRU(&folio->page))
			return;
		folio_activate(folio);
		ClearPageReferenced(&folio->page);
		workingset_age_nonresident(folio_lruvec(folio), folio_nr_pages(folio));
	}
	if (PageIdle(&folio->page))
		ClearPageIdle(&folio->page);
}

static void classic_deactivate(struct lruvec *vec, struct folio *folio)
{
	(void)vec;
	(void)folio; /* PG_active and PG_referenced are cleared: it is inactive */
}

/* ---- Balance of active and inactive ---- */

static unsigned long list_pages(const struct lruvec *vec, enum lru_list list)
{
	return load_relaxed(&vec->chains[list].pages);
}

static unsigned long square_root(unsigned long n)
{
	unsigned long root = 0;

	for (unsigned long bit = 1ul << 15; bit; bit >>= 1)
		if ((root + bit) * (root + bit) <= n)
			root += bit;
	return root;
}

static bool inactive_is_low(const struct lruvec *vec, bool file)
{
	enum lru_list list = file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
	unsigned long inactive = list_pages(vec, list), active = list_pages(vec, list + 1);
	unsigned long gib = (inactive + active) >> (30 - PAGE_SHIFT);

	return inactive * (gib ? square_root(10 * gib) : 1) < active;
}

/*
 * Up to @max from the old end of a list, isolated. What is of no use, as it lies in a higher zone than is asked for or
 * is about to be freed, is passed over, once round if it must be, a part at a time. *@looked: pages of those taken.
 */
static unsigned int take_old(struct lruvec *vec, enum lru_list list, enum zone_type highest, struct folio **out,
			     unsigned int max, unsigned long *looked)
{
	struct lru_chain *chain = &vec->chains[list];
	unsigned long all = 0, passed = 0, flags;
	struct lru_counts counts = { 0 };
	unsigned int n = 0;
	bool more;

	do {
		unsigned long left = (unsigned long)max * 16;

		lru_lock(vec, &flags);
		all = passed ? all : chain->pages;
		while (n < max && chain->oldest && left) {
			struct page *page = chain->oldest;
			unsigned long nr = folio_nr_pages((struct folio *)page);

			left -= min(left, nr);
			if (page_zonenum(page) <= highest && lru_isolate_page(vec, page, &counts)) {
				out[n++] = (struct folio *)page;
				*looked += nr;
				continue;
			}
			if (page_zonenum(page) > highest)
				count_vm_events(PGSKIP_FIRST + page_zonenum(page), nr);
			passed += nr;
			chain_cut(chain, page, page);
			chain_push(chain, page, page);
		}
		more = chain->oldest;
		lru_counts_end(vec, &counts);
		lru_unlock(vec, flags);
	} while (!n && more && passed < all);
	return n;
}

static bool stays_active(struct folio *folio, bool file, bool *rotated)
{
	vm_flags_t vm_flags;

	*rotated = false;
	if (!lru_vm_ops || lru_vm_ops->referenced(folio, false, &vm_flags) <= 0)
		return false;
	*rotated = vm_flags & VM_EXEC && file;
	return *rotated;
}

/* About @nr pages of the active list are looked at: those that were not used of late become inactive. */
static void shrink_active(struct lruvec *vec, const struct lru_scan *scan, bool file, unsigned long nr)
{
	enum lru_list active = file ? LRU_ACTIVE_FILE : LRU_ACTIVE_ANON;
	struct folio *folios[BATCH];
	enum lru_verdict verdicts[BATCH];
	unsigned long looked = 0, rotated = 0, down = 0;

	while (looked < nr) {
		unsigned int n = take_old(vec, active, scan->highest, folios, BATCH, &looked);

		for (unsigned int i = 0; i < n; i++) {
			bool stays, rotate;

			stays = folio_evictable(folios[i]) && stays_active(folios[i], file, &rotate);
			verdicts[i] = LRU_KEEP;
			if (stays) {
				rotated += folio_nr_pages(folios[i]);
				continue;
			}
			if (PageActive(&folios[i]->page)) {
				ClearPageActive(&folios[i]->page);
				if (!PageWorkingset(&folios[i]->page))
					SetPageWorkingset(&folios[i]->page);
				down += folio_nr_pages(folios[i]);
			}
		}
		lru_putback(vec, folios, verdicts, n);
		if (!n)
			break;
	}
	count_vm_events(PGREFILL, looked);
	count_vm_events(PGDEACTIVATE, down);
	/* RECLAIM_WB_ANON or RECLAIM_WB_FILE, and RECLAIM_WB_ASYNC */
	trace_event(mm_vmscan_lru_shrink_active, vec->nid, looked, looked - down, down, rotated, scan->priority,
		    file ? 0xa : 9);
	if (rotated)
		lru_note_cost(vec, file, 0, rotated);
}

/* What came back to be active is in competition with what is: the active lists have to show that they are used. */
static bool refaults_grow(struct lruvec *vec, bool file)
{
	unsigned long now = node_page_state(NODE_DATA(vec->nid), WORKINGSET_ACTIVATE_ANON + file);

	return now != load_relaxed(&vec->refaults[file]);
}

static void classic_age(struct lruvec *vec, const struct lru_scan *scan)
{
	lru_add_drain();
	if (scan->may_swap && inactive_is_low(vec, false))
		shrink_active(vec, scan, false, BATCH);
}

/* ---- What a scan looks at ---- */

/* A list's share of a scan at that priority; fractions add up from scan to scan. */
static unsigned long share(struct lruvec *vec, enum lru_list list, unsigned long pages, unsigned int priority)
{
	unsigned long all = vec->scan_left[list] + pages;

	vec->scan_left[list] = all & ((1ul << priority) - 1);
	return all >> priority;
}

/* Which of the two to look at, in 1/1000: all of one, or by what it cost lately to do without each. */
static unsigned int anon_share(struct lruvec *vec, const struct lru_scan *scan, unsigned long anon_pages)
{
	unsigned long anon = vec->cost[0], file = vec->cost[1], all = anon + file;
	u64 want_anon, want_file;

	/* Swappiness 0 wants no swap, but rather that than that somebody is killed. */
	if (!scan->may_swap || (!scan->swappiness && !scan->file_is_tiny))
		return 0;
	if (!scan->priority && scan->swappiness)
		return 500;
	/* Hardly a file is left to take from: they would be read again and again. */
	if (scan->file_is_tiny)
		return 1000;
	/* Plenty of inactive pages of files while nothing comes back: they were used once. */
	if (list_pages(vec, LRU_INACTIVE_FILE) >> scan->priority && !refaults_grow(vec, true) &&
	    !inactive_is_low(vec, true) && scan->swappiness < 200)
		return 0;
	if (!anon_pages)
		return 0;
	/* A kind's cost is damped by half of all, so that neither is ever left alone for long. */
	want_anon = (u64)scan->swappiness * (all + file + 1);
	want_file = (u64)(200 - scan->swappiness) * (all + anon + 1);
	return (unsigned int)(want_anon * 1000 / (want_anon + want_file ? want_anon + want_file : 1));
}

/* Active and inactive, of the zones that are asked for. */
static unsigned long pages_below(const struct lruvec *vec, enum zone_type highest, enum lru_list inactive)
{
	const struct zone *zones = NODE_DATA(vec->nid)->node_zones;
	unsigned long pages = 0;

	for (unsigned int zone = 0; zone <= highest; zone++)
		pages += load_relaxed(&zones[zone].stat[NR_ZONE_INACTIVE_ANON + inactive]) +
			 load_relaxed(&zones[zone].stat[NR_ZONE_INACTIVE_ANON + inactive + 1]);
	return pages;
}

static void classic_choose(struct lruvec *vec, const struct lru_scan *scan, unsigned long nr[2])
{
	unsigned long anon, file, flags;
	unsigned int part;

	lru_lock(vec, &flags);
	anon = pages_below(vec, scan->highest, LRU_INACTIVE_ANON);
	file = pages_below(vec, scan->highest, LRU_INACTIVE_FILE);
	store_relaxed(&vec->can_swap, scan->may_swap);
	part = anon_share(vec, scan, anon);
	nr[0] = part ? (unsigned long)((u64)share(vec, LRU_INACTIVE_ANON, anon, scan->priority) * part / 1000) : 0;
	nr[1] = part < 1000 ? (unsigned long)((u64)share(vec, LRU_INACTIVE_FILE, file, scan->priority) *
					      (1000 - part) / 1000) : 0;
	/* To the last page, when it matters. */
	if (!scan->priority) {
		nr[0] = part ? max(nr[0], anon) : 0;
		nr[1] = part < 1000 ? max(nr[1], file) : 0;
	}
	lru_unlock(vec, flags);
}

static unsigned int classic_isolate(struct lruvec *vec, struct lru_scan *scan, bool file, struct folio **out,
				    unsigned int max, unsigned long *scanned)
{
	enum lru_list inactive = file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
	unsigned int n;

	if (inactive_is_low(vec, file) || refaults_grow(vec, file)) {
		shrink_active(vec, scan, file, max);
		store_relaxed(&vec->refaults[file],
			      node_page_state(NODE_DATA(vec->nid), WORKINGSET_ACTIVATE_ANON + file));
	}
	n = take_old(vec, inactive, scan->highest, out, max, scanned);
	/* All of the kind is active, and may stay so no longer. */
	if (!n && !scan->priority) {
		shrink_active(vec, scan, file, max);
		n = take_old(vec, inactive, scan->highest, out, max, scanned);
	}
	return n;
}

/* ---- Shadows ---- */

static unsigned long classic_eviction(struct lruvec *vec, struct folio *folio)
{
	unsigned long age = load_relaxed(&vec->nonresident_age);

	workingset_age_nonresident(vec, folio_nr_pages(folio));
	return age;
}

/*
 * The distance is how many pages were evicted or activated since: with so many more, the folio would not have had to
 * go. If no more than that are active it is worth to have it active instead of them.
 */
static bool classic_recent(struct lruvec *vec, bool file, unsigned long age, unsigned long mask, bool workingset)
{
	unsigned long distance = (load_relaxed(&vec->nonresident_age) - age) & mask;
	unsigned long pages = list_pages(vec, LRU_ACTIVE_FILE);

	(void)workingset;
	if (!file)
		pages += list_pages(vec, LRU_INACTIVE_FILE);
	if (load_relaxed(&vec->can_swap)) {
		pages += list_pages(vec, LRU_ACTIVE_ANON);
		if (file)
			pages += list_pages(vec, LRU_INACTIVE_ANON);
	}
	return distance <= pages;
}

static void classic_refault(struct lruvec *vec, struct folio *folio, unsigned long age, bool recent, bool workingset)
{
	(void)age;
	if (!recent)
		return;
	SetPageActive(&folio->page);
	workingset_age_nonresident(vec, folio_nr_pages(folio));
	workingset_count(vec, WORKINGSET_ACTIVATE_ANON, folio);
	if (workingset) {
		SetPageWorkingset(&folio->page);
		workingset_count(vec, WORKINGSET_RESTORE_ANON, folio);
		lru_note_cost(vec, folio_is_file_lru(folio), folio_nr_pages(folio), 0);
	}
}

const struct lru_policy lru_classic = {
	.name = "classic",
	.add = classic_add,
	.accessed = classic_accessed,
	.deactivate = classic_deactivate,
	.age = classic_age,
	.choose = classic_choose,
	.isolate = classic_isolate,
	.putback = lru_putback,
	.eviction = classic_eviction,
	.recent = classic_recent,
	.refault = classic_refault,
};
