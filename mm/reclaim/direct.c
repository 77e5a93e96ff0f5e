// SPDX-License-Identifier: MIT
/*
 * Who needs memory gets it himself.
 *
 * Purpose. Direct reclaim, on behalf of an allocation that found nothing; reclaim of one node, before another is used
 * (vm.zone_reclaim_mode), or because somebody asks (/sys/devices/system/node/node#/reclaim, MADV_PAGEOUT).
 *
 * Direct reclaim goes through the nodes of the zonelist at priority 12, 11, ... 0 until it has as many pages as it
 * wants, 32 at least. It has PF_MEMALLOC meanwhile: what it allocates comes from the reserves and never leads here
 * again (DR-I1: no recursion). If nothing at all can be freed it says 0; the allocator then counts, and ends in the
 * OOM killer (DR-I2: it never goes on for ever where there is nothing).
 *
 * Without kswapd the watermarks' boost ends here: it is there to have a node looked through once.
 *
 * Sources. Documentation/admin-guide/sysctl/vm.rst (zone_reclaim_mode, min_unmapped_ratio, min_slab_ratio);
 * Documentation/ABI/stable/sysfs-devices-node.
 */
#include <octavo/numa.h>
#include <octavo/task.h>

#include "../base/part.h"
#include "../phys/gfp.h"
#include "../phys/page_alloc.h"
#include "../phys/psi.h"
#include "../phys/watermark.h"
#include "../phys/zonelist.h"
#include "../sync/cpu.h"
#include "../sync/trace.h"
#include "../vm/madvise.h"
#include "reclaim.h"

int node_reclaim_mode __memsys, sysctl_min_unmapped_ratio __memsys = 1, sysctl_min_slab_ratio __memsys = 5;

#define RECLAIM_ZONE 1
#define RECLAIM_WRITE 2
#define RECLAIM_UNMAP 4

static struct scan_control control_of(gfp_t gfp, unsigned int order, enum zone_type highest, unsigned long target)
{
	return (struct scan_control){
		.gfp = gfp,
		.order = order,
		.kind = RECLAIM_DIRECT,
		.scan = {
			.highest = highest,
			.priority = DEF_PRIORITY,
			.swappiness = (unsigned int)READ_ONCE(vm_swappiness),
			.may_swap = true,
			.may_unmap = true,
			.may_write = true,
			.nr_to_reclaim = max(target, SWAP_CLUSTER_MAX),
		},
	};
}

/* Each node that the request may use, once. */
static void shrink_nodes(struct scan_control *sc, const struct reclaim_request *request)
{
	struct pglist_data *last = NULL;
	struct zoneref *z;
	struct zone *zone;

	for_each_zone_zonelist_nodemask(zone, z, node_zonelist(request->nid, request->gfp), request->highest,
					request->nodemask) {
		if (zone->pgdat == last || !managed_zone(zone))
			continue;
		last = zone->pgdat;
		/* What is hopeless is left to kswapd's next try, but for the last. */
		if (sc->scan.priority != DEF_PRIORITY && sc->scan.priority &&
		    READ_ONCE(last->kswapd_failures) >= KSWAPD_FAILURES && node_has_kswapd(reclaim_node(zone->node)))
			continue;
		sc->scan.may_swap = true;
		shrink_node(sc, last);
	}
}

static void boosts_end_without_kswapd(const struct reclaim_request *request)
{
	for_each_online_node(nid)
		if ((!request->nodemask || node_isset(nid, request->nodemask)) && reclaim_node(nid) &&
		    !node_has_kswapd(reclaim_node(nid)))
			end_boosts(NODE_DATA(nid), request->highest);
}

#define UNSEEN_MAX 1000u
#define UNSEEN_PARK_NS 100000

/*
 * Nothing was freed, but then not all was looked at: folios were in others' hands, or on their way to another policy.
 * Both ends by itself, and nobody is to be killed for want of what is there. If it does not end, that is said as well.
 */
static bool was_unseen(const struct scan_control *sc, const struct lru_policy *policy, struct reclaim_node *node)
{
	if (!node)
		return false;
	if (sc->scan.nr_reclaimed) {
		if (load_relaxed(&node->unseen))
			store_relaxed(&node->unseen, 0);
		return false;
	}
	if ((!sc->crowded && !lru_policy_moving() && lru_policy() == policy) ||
	    atomic_fetch_add(&node->unseen, 1) >= UNSEEN_MAX)
		return false;
	port_park(UNSEEN_PARK_NS);
	return true;
}

unsigned long try_to_free_pages(const struct reclaim_request *request)
{
	struct scan_control sc = control_of(request->gfp, request->order, request->highest, 1ul << request->order);
	const struct lru_policy *policy = lru_policy_moving() ? NULL : lru_policy();

	if (throttle_direct_reclaim(request))
		return 1; /* it is about to end: no reason to kill anybody else */
	lru_add_drain();
	for (;;) {
		/* Nothing that can go without help: whoever is here writes himself. */
		sc.write_files = sc.scan.priority < DEF_PRIORITY - 2;
		shrink_nodes(&sc, request);
		if (sc.scan.nr_reclaimed >= sc.scan.nr_to_reclaim || !sc.scan.priority)
			break;
		sc.scan.priority--;
	}
	boosts_end_without_kswapd(request);
	if (was_unseen(&sc, policy, reclaim_node(request->nid)))
		return 1;
	if (!sc.scan.nr_reclaimed && reclaim_node(request->nid))
		reclaim_throttle(reclaim_node(request->nid), THROTTLE_NOPROGRESS);
	return sc.scan.nr_reclaimed;
}

/* ---- One node ---- */

unsigned long node_reclaim_pages(int nid, unsigned long pages, int swappiness)
{
	struct scan_control sc = control_of(GFP_KERNEL, 0, MAX_NR_ZONES - 1, pages);
	unsigned int scope = memalloc_noreclaim_save();
	unsigned long pressure;

	sc.scan.nr_to_reclaim = pages;
	if (swappiness >= 0)
		sc.scan.swappiness = (unsigned int)swappiness;
	psi_memstall_enter(&pressure);
	lru_add_drain_all();
	for (;;) {
		sc.scan.may_swap = sc.scan.swappiness != 0;
		sc.write_files = sc.scan.priority < DEF_PRIORITY - 2;
		shrink_node(&sc, NODE_DATA(nid));
		if (sc.scan.nr_reclaimed >= pages || !sc.scan.priority || fatal_signal_pending(current_task()))
			break;
		sc.scan.priority--;
	}
	psi_memstall_leave(&pressure);
	memalloc_noreclaim_restore(scope);
	return sc.scan.nr_reclaimed;
}

/* Pages of files that nobody maps, or, if that may be undone, any. */
static unsigned long node_reclaimable(struct pglist_data *pgdat)
{
	unsigned long pages = node_page_state(pgdat, NR_INACTIVE_FILE) + node_page_state(pgdat, NR_ACTIVE_FILE), stays;

	stays = node_reclaim_mode & RECLAIM_UNMAP ? 0 : node_page_state(pgdat, NR_FILE_MAPPED);
	if (!(node_reclaim_mode & RECLAIM_WRITE))
		stays += node_page_state(pgdat, NR_FILE_DIRTY);
	return pages - min(pages, stays);
}

static unsigned long node_part(const struct pglist_data *pgdat, int percent)
{
	unsigned long managed = 0;

	for (unsigned int i = 0; i < MAX_NR_ZONES; i++)
		managed += zone_managed_pages(&pgdat->node_zones[i]);
	return (unsigned long)((u64)managed * (unsigned int)percent / 100);
}

/* Is it another's to look through: has it CPUs, and is this none of them? */
static bool is_of_others(int nid)
{
	if (nid == this_cpu()->node)
		return false;
	for_each_online_cpu(cpu)
		if (cpu_locals[cpu]->node == nid)
			return true;
	return false;
}

/* Pages of one node, before others are used. Return: pages freed. */
static unsigned long look_through(struct pglist_data *pgdat, gfp_t gfp, unsigned int order)
{
	struct scan_control sc = control_of(gfp, order, gfp_zone(gfp), 1ul << order);
	unsigned int scope = memalloc_noreclaim_save();
	unsigned long pressure;

	trace_event(mm_vmscan_node_reclaim_begin, pgdat->node_id, (int)order, gfp);
	sc.scan.may_write = sc.write_files = node_reclaim_mode & RECLAIM_WRITE;
	sc.scan.may_unmap = sc.scan.may_swap = node_reclaim_mode & RECLAIM_UNMAP;
	psi_memstall_enter(&pressure);
	for (sc.scan.priority = 4; sc.scan.nr_reclaimed < sc.scan.nr_to_reclaim; sc.scan.priority--) {
		shrink_node(&sc, pgdat);
		if (!sc.scan.priority)
			break;
	}
	psi_memstall_leave(&pressure);
	memalloc_noreclaim_restore(scope);
	trace_event(mm_vmscan_node_reclaim_end, sc.scan.nr_reclaimed);
	return sc.scan.nr_reclaimed;
}

/* Further away it does not pay: RECLAIM_DISTANCE. */
#define DISTANCE_MAX 30

static bool node_reclaim(struct zone *zone, int nid, gfp_t gfp, unsigned int order)
{
	struct pglist_data *pgdat = zone->pgdat;
	struct reclaim_node *node = reclaim_node(zone->node);
	unsigned long freed;

	if (!node_reclaim_mode || !(gfp & __GFP_DIRECT_RECLAIM) || current_task_flags() & PF_MEMALLOC ||
	    octavo_cpu_in_section())
		return false;
	if (nid < 0 || node_distance(nid, zone->node) > DISTANCE_MAX || is_of_others(zone->node))
		return false;
	if (node_reclaimable(pgdat) <= node_part(pgdat, sysctl_min_unmapped_ratio) &&
	    node_page_state_pages(pgdat, NR_SLAB_RECLAIMABLE_B) <= node_part(pgdat, sysctl_min_slab_ratio))
		return false;
	/* One at a time: others use what is further away. */
	if (atomic_fetch_or(&node->state, 1u << NODE_RECLAIM_LOCKED) >> NODE_RECLAIM_LOCKED & 1)
		return false;
	freed = look_through(pgdat, gfp, order);
	node_state_clear(node, NODE_RECLAIM_LOCKED);
	count_vm_events(freed >= 1ul << order ? PGSCAN_ZONE_RECLAIM_SUCCESS : PGSCAN_ZONE_RECLAIM_FAILED, 1);
	return true;
}

void node_reclaim_mode_written(void)
{
	WRITE_ONCE(node_reclaim_hook, node_reclaim_mode ? node_reclaim : NULL);
}

/* ---- MADV_PAGEOUT ---- */

/* Folios of one node. */
static unsigned long reclaim_some(struct scan_control *sc, struct folio **folios, unsigned int nr)
{
	struct reclaim_stat *stat = &sc->stat;
	enum lru_verdict verdicts[SWAP_CLUSTER_MAX];
	int nid = page_to_nid(&folios[0]->page);
	unsigned long freed, scanned = 0;

	if (trace_event_enabled(mm_vmscan_reclaim_pages))
		for (unsigned int i = 0; i < nr; i++)
			scanned += folio_nr_pages(folios[i]);
	sc->scan.node = NODE_DATA(nid);
	*stat = (struct reclaim_stat){ 0 };
	freed = shrink_folio_list(sc, folios, verdicts, nr);
	lru_policy()->putback(node_lruvec(nid), folios, verdicts, nr);
	trace_event(mm_vmscan_reclaim_pages, nid, scanned, freed, stat->dirty, stat->writeback, stat->congested,
		    stat->immediate, stat->activated[0], stat->activated[1], stat->ref_keep, stat->unmap_fail);
	return freed;
}

static unsigned long reclaim_pages(struct folio **folios, unsigned int nr)
{
	struct scan_control sc = control_of(GFP_KERNEL, 0, MAX_NR_ZONES - 1, nr);
	unsigned int scope = memalloc_noreclaim_save();
	unsigned long freed = 0;

	sc.ignore_references = sc.write_files = true;
	for (unsigned int done = 0, n; done < nr; done += n) {
		int nid = page_to_nid(&folios[done]->page);

		for (n = 1; done + n < nr && n < SWAP_CLUSTER_MAX && page_to_nid(&folios[done + n]->page) == nid; n++)
			;
		freed += reclaim_some(&sc, folios + done, n);
	}
	memalloc_noreclaim_restore(scope);
	return freed;
}

static const struct pageout_ops pageout_ops = { .reclaim = reclaim_pages };

static const struct reclaim_ops reclaim_ops = {
	.wakeup_kswapd = wakeup_kswapd,
	.try_to_free_pages = try_to_free_pages,
	.zone_reclaimable_pages = zone_reclaimable_pages,
	.out_of_memory = out_of_memory,
};

/* A kernel that has put its own operations into effect keeps them. */
static int reclaim_init(void)
{
	(void)register_reclaim_ops(&reclaim_ops);
	set_pageout_ops(&pageout_ops);
	return 0;
}
MM_PART(reclaim, .order = MM_PART_RECLAIM, .init = reclaim_init);
