// SPDX-License-Identifier: MIT
/*
 * A pass over a node: how much of each list is looked at, and what becomes of what the lists give up.
 *
 * Words. *Priority*: a pass at priority p looks at 1/2^p of the lists, from 12, the mildest, down to 0. *Target*: the
 * pages that the attempt wants. *Choice*: what the policy says of anon and files' pages each are to be looked at.
 *
 *	policy->choose() -- so many of anon, so many of files
 *	while something is left to look at:
 *		policy->isolate() up to 32 -> shrink_folio_list() -> policy->putback()
 *	shrink_slab() by the same priority
 *
 * When the target is reached before a mild pass is over, the kind of which less is left is let be, and the other is
 * looked at as far as keeps the shares: so that the proportion is what was chosen, however early it ends.
 *
 * Invariants
 *	VS-I1	every folio that is isolated is put back or freed before shrink_node() returns: nothing is isolated
 *		while nobody is at work.
 *	VS-I2	pgscan_kswapd + pgscan_direct + pgscan_khugepaged = pgscan_anon + pgscan_file, and so of pgsteal.
 *	VS-I3	a pass ends: each turn looks at something or takes the kind out of the pass.
 *
 * Locking. None; the policy takes its own, for the lists alone.
 *
 * Sources. Documentation/admin-guide/sysctl/vm.rst (swappiness, vfs_cache_pressure), Documentation/mm/page_reclaim.rst.
 */
#include <octavo/shrinker.h>
#include <octavo/task.h>

#include "../cache/filemap.h"
#include "../phys/watermark.h"
#include "../swap/swap.h"
#include "../sync/trace.h"
#include "reclaim.h"

int vm_swappiness __memsys = 60;

bool can_reclaim_anon(void)
{
	return swap_pages_free() != 0;
}

unsigned long zone_reclaimable_pages(struct zone *zone)
{
	unsigned long pages = zone_page_state_snapshot(zone, NR_ZONE_INACTIVE_FILE) +
			      zone_page_state_snapshot(zone, NR_ZONE_ACTIVE_FILE);

	if (can_reclaim_anon())
		pages += zone_page_state_snapshot(zone, NR_ZONE_INACTIVE_ANON) +
			 zone_page_state_snapshot(zone, NR_ZONE_ACTIVE_ANON);
	return pages;
}

/* ---- Counters ---- */

static void count_pass(const struct scan_control *sc, bool file, unsigned long scanned, unsigned long freed)
{
	count_vm_events((enum vm_event_item)(PGSCAN_KSWAPD + sc->kind), scanned);
	count_vm_events((enum vm_event_item)(PGSCAN_ANON + file), scanned);
	if (!freed)
		return;
	count_vm_events((enum vm_event_item)(PGSTEAL_KSWAPD + sc->kind), freed);
	count_vm_events((enum vm_event_item)(PGSTEAL_ANON + file), freed);
}

/* ---- The lists ---- */

/* Up to @max of a kind. *@looked: pages looked at, 0: there is nothing more to be had. */
static unsigned long shrink_some(struct scan_control *sc, struct lruvec *vec, bool file, unsigned int max,
				 unsigned long *looked)
{
	const struct lru_policy *policy = lru_policy();
	struct folio *folios[SWAP_CLUSTER_MAX];
	enum lru_verdict verdicts[SWAP_CLUSTER_MAX];
	unsigned long freed, taken = 0, scanned = 0, pageout;
	struct reclaim_stat before;
	unsigned int n = policy->isolate(vec, &sc->scan, file, folios, max, &scanned);

	*looked = scanned;
	for (unsigned int i = 0; i < n; i++)
		taken += folio_nr_pages(folios[i]);
	trace_event(mm_vmscan_lru_isolate, sc->scan.highest, sc->order, max, scanned, scanned - min(taken, scanned),
		    taken, file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON);
	if (!n)
		return 0;
	before = sc->stat;
	freed = shrink_folio_list(sc, folios, verdicts, n);
	policy->putback(vec, folios, verdicts, n);
	trace_event(mm_vmscan_lru_shrink_inactive, sc->scan.node->node_id, scanned, freed,
		    sc->stat.dirty - before.dirty, sc->stat.writeback - before.writeback,
		    sc->stat.congested - before.congested, sc->stat.immediate - before.immediate,
		    sc->stat.activated[0] - before.activated[0], sc->stat.activated[1] - before.activated[1],
		    sc->stat.ref_keep - before.ref_keep, sc->stat.unmap_fail - before.unmap_fail,
		    sc->scan.priority, (file ? 0x2 : 0x1) | 0x8);
	sc->stat.taken += taken;
	sc->stat.file_taken += file ? taken : 0;
	sc->scan.nr_scanned += scanned;
	sc->scan.nr_reclaimed += freed;
	count_pass(sc, file, scanned, freed);
	/* What had to be written, and what came round for nothing, made this kind dearer. */
	pageout = sc->stat.pageout - before.pageout;
	if (pageout || freed < taken)
		lru_note_cost(vec, file, pageout, taken - min(taken, freed));
	return freed;
}

/* Both shares shrink alike: the lesser ends, the other keeps its proportion of what was done. */
static void cut_shares(unsigned long left[2], const unsigned long target[2])
{
	bool lesser = left[1] < left[0];
	unsigned long done;
	u64 keep;

	done = target[lesser] - left[lesser];
	keep = (u64)target[!lesser] * (target[lesser] - done) / (target[lesser] ? target[lesser] : 1);
	left[lesser] = 0;
	left[!lesser] -= min(left[!lesser], (unsigned long)keep);
}

static void shrink_lists(struct scan_control *sc, struct lruvec *vec)
{
	unsigned long target[2], left[2];
	bool adjusted = false, whole = sc->kind == RECLAIM_DIRECT && sc->scan.priority == DEF_PRIORITY;

	lru_policy()->choose(vec, &sc->scan, target);
	left[0] = target[0];
	left[1] = target[1];
	while (left[0] || left[1]) {
		for (int file = 0; file < 2; file++) {
			unsigned long looked;

			if (!left[file])
				continue;
			if (sc->kind == RECLAIM_DIRECT && too_many_isolated(sc->scan.node, file, sc)) {
				reclaim_throttle(reclaim_node(sc->scan.node->node_id), THROTTLE_ISOLATED);
				sc->crowded = too_many_isolated(sc->scan.node, file, sc);
				if (sc->crowded)
					return;
			}
			(void)shrink_some(sc, vec, file, (unsigned int)min(left[file], SWAP_CLUSTER_MAX), &looked);
			left[file] -= looked ? min(left[file], looked) : left[file];
		}
		cond_resched();
		if (sc->scan.nr_reclaimed < sc->scan.nr_to_reclaim || adjusted || whole)
			continue;
		if (!left[0] || !left[1])
			break;
		cut_shares(left, target);
		adjusted = true;
	}
}

/* ---- A node ---- */

/* So little of files is left that taking it would mean to read it again at once, and a pass finds anon enough. */
static bool file_is_tiny(const struct scan_control *sc, struct pglist_data *pgdat)
{
	unsigned long file = node_page_state(pgdat, NR_INACTIVE_FILE) + node_page_state(pgdat, NR_ACTIVE_FILE);
	unsigned long anon = node_page_state(pgdat, NR_INACTIVE_ANON), free = 0, high = 0;

	for (unsigned int i = 0; i < MAX_NR_ZONES; i++) {
		const struct zone *zone = &pgdat->node_zones[i];

		if (!managed_zone(zone))
			continue;
		free += zone_page_state(zone, NR_FREE_PAGES);
		high += high_wmark_pages(zone);
	}
	return file + free <= high && anon >> sc->scan.priority;
}

/* What the pass came across tells who writes to hurry, or whoever makes it necessary to wait. */
static void judge(struct scan_control *sc, struct reclaim_node *node)
{
	const struct reclaim_stat *s = &sc->stat;

	if (s->unqueued_dirty && s->unqueued_dirty == s->file_taken) {
		node_state_set(node, NODE_DIRTY);
		wakeup_flusher_threads();
	}
	if (sc->scan.kswapd) {
		if (s->writeback && s->writeback == s->taken)
			node_state_set(node, NODE_WRITEBACK);
		if (s->dirty && s->dirty == s->congested)
			node_state_set(node, NODE_CONGESTED);
		if (s->immediate)
			reclaim_throttle(node, THROTTLE_WRITEBACK);
	}
	if (sc->kind == RECLAIM_DIRECT && node_state(node, NODE_CONGESTED))
		reclaim_throttle(node, THROTTLE_CONGESTED);
}

/* For a block of several pages: do more passes promise one? Only what compaction can work with is worth it. */
static bool go_on_for_order(const struct scan_control *sc, unsigned long reclaimed)
{
	struct pglist_data *pgdat = sc->scan.node;
	unsigned long want = 2ul << sc->order, left;

	if (!sc->order || !reclaimed || (sc->order <= 3 && sc->scan.priority >= DEF_PRIORITY - 2))
		return false;
	for (unsigned int i = 0; i <= sc->scan.highest; i++) {
		struct zone *zone = &pgdat->node_zones[i];

		if (managed_zone(zone) &&
		    zone_watermark_ok(zone, sc->order, min_wmark_pages(zone), sc->scan.highest, 0))
			return false;
	}
	left = node_page_state(pgdat, NR_INACTIVE_FILE);
	if (can_reclaim_anon())
		left += node_page_state(pgdat, NR_INACTIVE_ANON);
	return left > want && sc->scan.nr_reclaimed < want;
}

/* Objects are no pages yet: what counts is what this thread gave back meanwhile. */
static unsigned long shrink_caches(const struct scan_control *sc, const struct pglist_data *pgdat)
{
	const struct mm_task *task = current_task();
	unsigned long before = task->reclaimed;

	(void)shrink_slab(sc->gfp, pgdat->node_id, NULL, (int)sc->scan.priority);
	return task->reclaimed - before;
}

void shrink_node(struct scan_control *sc, struct pglist_data *pgdat)
{
	struct reclaim_node *node = reclaim_node(pgdat->node_id);
	struct lruvec *vec = node_lruvec(pgdat->node_id);
	unsigned long before, all = sc->scan.nr_reclaimed;

	sc->scan.node = pgdat;
	sc->scan.may_swap = sc->scan.may_swap && can_reclaim_anon();
	sc->scan.file_is_tiny = file_is_tiny(sc, pgdat);
	do {
		before = sc->scan.nr_reclaimed;
		sc->stat = (struct reclaim_stat){ 0 };
		shrink_lists(sc, vec);
		sc->scan.nr_reclaimed += shrink_caches(sc, pgdat);
		judge(sc, node);
	} while (go_on_for_order(sc, sc->scan.nr_reclaimed - before));
	/* Progress of whoever: the node is not hopeless after all. */
	if (sc->scan.nr_reclaimed != all)
		store_relaxed(&pgdat->kswapd_failures, 0);
}
