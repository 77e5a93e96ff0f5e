// SPDX-License-Identifier: MIT
/*
 * kswapd: one thread a node that keeps it above its watermarks.
 *
 * Purpose. Memory is made free before anybody has to wait for it: an allocation that finds a zone below its low
 * watermark wakes the node's kswapd, which works until one zone that the request could use is above its high one.
 *
 * Words. *Balanced*: such a zone is there, for the order asked for. *Boost*: pages added to the watermarks after an
 * allocation had to mix migrate types (rmqueue.c): kswapd frees so many more, mildly, and takes the boost away.
 * *Hopeless*: kswapd_failures has reached 16 runs that freed nothing; it sleeps until something is freed by others.
 *
 *	woken -> balance: passes from priority 12 to 1 -> balanced? -> asleep for 100 ms -> still so? -> asleep
 *
 * Invariants
 *	KS-I1	wanted_zone and wanted_order are what was asked for since kswapd last looked, at their most.
 *	KS-I2	a boost that kswapd saw when it began is gone when it sleeps; without kswapd direct reclaim
 *		takes it away.
 *	KS-I3	who waits for the reserves (pfmemalloc) is woken when half of them are there, when the node is
 *		hopeless, and before kswapd sleeps.
 *
 * What failure does. A port without threads has none: whoever needs memory makes it free (direct.c).
 *
 * Differences from Linux. Threads are not bound to the node's CPUs: the port is told the node. There is no kcompactd to
 * hand over to.
 *
 * Sources. Documentation/admin-guide/sysctl/vm.rst (watermark_boost_factor, watermark_scale_factor, min_free_kbytes);
 * Documentation/admin-guide/mm/concepts.rst; the lines kswapd_* of /proc/vmstat.
 */
#include <octavo/memblock.h>
#include <octavo/task.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../phys/psi.h"
#include "../phys/watermark.h"
#include "../sync/trace.h"
#include "reclaim.h"

#define NAP_NS 100000000u /* a tenth of a second */
#define BOOST_PRIORITY (DEF_PRIORITY - 2)

static struct reclaim_node *nodes[MAX_NUMNODES] __memsys;

struct reclaim_node *reclaim_node(int nid)
{
	return nodes[nid];
}

bool node_has_kswapd(const struct reclaim_node *node)
{
	return kthread_runs(&node->kswapd);
}

bool pgdat_balanced(struct pglist_data *pgdat, unsigned int order, enum zone_type highest)
{
	bool any = false;

	for (unsigned int i = 0; i <= highest; i++) {
		struct zone *zone = &pgdat->node_zones[i];

		if (!managed_zone(zone))
			continue;
		any = true;
		if (zone_watermark_ok(zone, order, high_wmark_pages(zone), highest, 0))
			return true;
	}
	return !any;
}

/* ---- Boosts ---- */

static unsigned long boosts(struct pglist_data *pgdat, enum zone_type highest, unsigned long of_zone[MAX_NR_ZONES])
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < MAX_NR_ZONES; i++) {
		of_zone[i] = i <= highest ? READ_ONCE(pgdat->node_zones[i].watermark_boost) : 0;
		sum += of_zone[i];
	}
	return sum;
}

/* What came in addition meanwhile stays for the next time. */
static void boosts_done(struct pglist_data *pgdat, const unsigned long of_zone[MAX_NR_ZONES])
{
	for (unsigned int i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &pgdat->node_zones[i];
		unsigned long flags;

		if (!of_zone[i])
			continue;
		spin_lock_irqsave(&zone->lock, flags);
		store_relaxed(&zone->watermark_boost, zone->watermark_boost - min(zone->watermark_boost, of_zone[i]));
		page_alloc_floor_changed(zone);
		spin_unlock_irqrestore(&zone->lock, flags);
	}
}

void end_boosts(struct pglist_data *pgdat, enum zone_type highest)
{
	unsigned long of_zone[MAX_NR_ZONES];

	if (boosts(pgdat, highest, of_zone))
		boosts_done(pgdat, of_zone);
}

/* ---- Waking ---- */

void wakeup_kswapd(struct zone *zone, gfp_t gfp, unsigned int order, enum zone_type highest)
{
	struct pglist_data *pgdat = zone->pgdat;
	struct reclaim_node *node = reclaim_node(pgdat->node_id);
	unsigned long of_zone[MAX_NR_ZONES];

	if (!node || !managed_zone(zone) || !node_has_kswapd(node))
		return;
	if (load_relaxed(&node->wanted_zone) < highest + 1u)
		store_relaxed(&node->wanted_zone, highest + 1u);
	if (load_relaxed(&node->wanted_order) < order)
		store_relaxed(&node->wanted_order, order);
	smp_mb();
	if (!load_relaxed(&node->asleep))
		return;
	if (READ_ONCE(pgdat->kswapd_failures) >= KSWAPD_FAILURES ||
	    (pgdat_balanced(pgdat, order, highest) && !boosts(pgdat, highest, of_zone)))
		return;
	trace_event(mm_vmscan_wakeup_kswapd, pgdat->node_id, (int)highest, (int)order, gfp);
	store_release(&node->asleep, 0);
	kthread_wake(&node->kswapd);
}

/* ---- A run ---- */

/* Return: whether the pass looked at as much as it wanted: then the next need not be harder. */
static bool shrink_pass(struct scan_control *sc, struct pglist_data *pgdat)
{
	sc->scan.nr_to_reclaim = 0;
	for (unsigned int i = 0; i <= sc->scan.highest; i++) {
		const struct zone *zone = &pgdat->node_zones[i];

		if (managed_zone(zone))
			sc->scan.nr_to_reclaim += max(high_wmark_pages(zone), SWAP_CLUSTER_MAX);
	}
	shrink_node(sc, pgdat);
	return sc->scan.nr_scanned >= sc->scan.nr_to_reclaim;
}

/* The state of a run: what it has to do with the boost. */
struct run {
	struct scan_control sc;
	unsigned long of_zone[MAX_NR_ZONES], boost; /* left to free */
	unsigned long reclaimed;		    /* in all */
	bool boosted;
};

/* One turn at a priority. Return: false: the run is over. */
static bool run_turn(struct run *r, struct reclaim_node *node)
{
	struct pglist_data *pgdat = node->pgdat;
	struct scan_control *sc = &r->sc;
	bool balanced = pgdat_balanced(pgdat, sc->order, sc->scan.highest), harder;

	/* What the watermarks need comes before what the boost does. */
	if (!balanced && r->boost) {
		r->boost = 0;
		sc->scan.priority = DEF_PRIORITY;
	}
	if (!r->boost && balanced)
		return false;
	sc->scan.may_write = !r->boost;
	sc->scan.may_swap = !r->boost;
	sc->write_files = sc->scan.priority < DEF_PRIORITY - 2;
	sc->scan.nr_scanned = sc->scan.nr_reclaimed = 0;
	lru_policy()->age(node_lruvec(pgdat->node_id), &sc->scan);
	harder = !shrink_pass(sc, pgdat);
	r->reclaimed += sc->scan.nr_reclaimed;
	/* Enough is free for a block of the order to be made of: single pages will do from here on. */
	if (sc->order && r->reclaimed >= 2ul << sc->order)
		sc->order = 0;
	if (wait_queue_active(&node->pfmemalloc) && allow_direct_reclaim(node))
		wake_queue(&node->pfmemalloc);
	if (sc->scan.nr_reclaimed)
		for (unsigned int i = THROTTLE_ISOLATED; i < NR_THROTTLES; i++)
			wake_queue(&node->throttled[i]);
	if (kthread_should_stop(&node->kswapd))
		return false;
	if (r->boost) {
		/* Not worth to write or to look harder for. */
		if (!sc->scan.nr_reclaimed)
			return false;
		r->boost -= min(r->boost, sc->scan.nr_reclaimed);
		if (!r->boost)
			return !pgdat_balanced(pgdat, sc->order, sc->scan.highest);
		if (sc->scan.priority <= BOOST_PRIORITY)
			return true;
	}
	if (harder || !sc->scan.nr_reclaimed)
		sc->scan.priority--;
	return sc->scan.priority >= 1;
}

/* Return: the order up to which it was worth to work: what is above it may be asked for again. */
static unsigned int balance_pgdat(struct reclaim_node *node, unsigned int order, enum zone_type highest)
{
	struct run r = {
		.sc = {
			.gfp = GFP_KERNEL,
			.order = order,
			.kind = RECLAIM_KSWAPD,
			.scan = {
				.node = node->pgdat,
				.highest = highest,
				.priority = DEF_PRIORITY,
				.swappiness = (unsigned int)READ_ONCE(vm_swappiness),
				.may_unmap = true,
				.kswapd = true,
			},
		},
	};
	unsigned long pressure;

	count_vm_events(PAGEOUTRUN, 1);
	r.boost = boosts(node->pgdat, highest, r.of_zone);
	r.boosted = r.boost;
	psi_memstall_enter(&pressure);
	while (run_turn(&r, node))
		cond_resched();
	psi_memstall_leave(&pressure);
	if (!r.reclaimed && !pgdat_balanced(node->pgdat, r.sc.order, highest))
		(void)atomic_fetch_add(&node->pgdat->kswapd_failures, 1);
	if (r.boosted)
		boosts_done(node->pgdat, r.of_zone);
	return r.sc.order;
}

/* ---- Sleep ---- */

static void all_clear(struct reclaim_node *node)
{
	node_state_clear(node, NODE_DIRTY);
	node_state_clear(node, NODE_WRITEBACK);
	node_state_clear(node, NODE_CONGESTED);
}

/*
 * Is there nothing to do for that request, nor for what was asked for since, when kswapd was up and nobody had to wake
 * it? Whoever waits for the reserves does not do so in vain.
 */
static bool may_sleep(struct reclaim_node *node, unsigned int order, enum zone_type highest)
{
	u32 wanted = load_relaxed(&node->wanted_zone);

	order = max(order, load_relaxed(&node->wanted_order));
	highest = wanted > highest + 1u ? (enum zone_type)(wanted - 1) : highest;
	wake_queue(&node->pfmemalloc);
	if (READ_ONCE(node->pgdat->kswapd_failures) >= KSWAPD_FAILURES)
		return true;
	if (!pgdat_balanced(node->pgdat, order, highest))
		return false;
	all_clear(node);
	return true;
}

static bool is_woken(void *arg)
{
	const struct reclaim_node *node = arg;

	return !load_acquire(&node->asleep);
}

static void try_to_sleep(struct reclaim_node *node, unsigned int order, enum zone_type highest)
{
	bool woken = false;

	store_relaxed(&node->asleep, 1);
	smp_mb();
	/* A nap first: if the marks are reached again at once, it does not pay to sleep. */
	if (may_sleep(node, order, highest)) {
		woken = kthread_sleep(&node->kswapd, is_woken, NAP_NS);
		store_relaxed(&node->asleep, 1);
		smp_mb();
	}
	if (!woken && may_sleep(node, order, highest)) {
		trace_event(mm_vmscan_kswapd_sleep, node->pgdat->node_id);
		if (!kthread_should_stop(&node->kswapd))
			(void)kthread_sleep(&node->kswapd, is_woken, 0);
	} else {
		count_vm_events(woken ? KSWAPD_LOW_WMARK_HIT_QUICKLY : KSWAPD_HIGH_WMARK_HIT_QUICKLY, 1);
	}
	store_relaxed(&node->asleep, 0);
}

static void kswapd(struct kthread *self, void *arg)
{
	struct reclaim_node *node = arg;
	unsigned int order = 0, scope = memalloc_noreclaim_save();
	enum zone_type highest = MAX_NR_ZONES - 1;

	current_task()->flags |= PF_KSWAPD;
	while (!kthread_should_stop(self)) {
		unsigned int done;
		u32 wanted;

		try_to_sleep(node, order, highest);
		order = atomic_xchg(&node->wanted_order, 0);
		wanted = atomic_xchg(&node->wanted_zone, 0);
		highest = wanted ? (enum zone_type)(wanted - 1) : highest;
		if (kthread_should_stop(self))
			break;
		trace_event(mm_vmscan_kswapd_wake, node->pgdat->node_id, (int)highest, (int)order);
		done = balance_pgdat(node, order, highest);
		/* Only what single pages need was done: sleep as for those. */
		order = min(order, done);
	}
	current_task()->flags &= ~PF_KSWAPD;
	memalloc_noreclaim_restore(scope);
}

/* ---- Nodes come and go ---- */

static void kswapd_run(int nid)
{
	struct reclaim_node *node = nodes[nid];
	char name[16];
	int err;

	octavo_snprintf(name, sizeof(name), "kswapd%d", nid);
	err = kthread_start(&node->kswapd, kswapd, node, name, nid);
	if (err && err != -ENOSYS && err != -EBUSY)
		pr_err("kswapd: node %d has none (%d): its memory is made free when it is needed\n", nid, err);
}

static void follow_memory(void)
{
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		if (!nodes[nid])
			continue;
		if (node_isset(nid, &node_memory_map)) {
			if (!kthread_runs(&nodes[nid]->kswapd))
				kswapd_run(nid);
		} else {
			kthread_stop(&nodes[nid]->kswapd);
			wake_queue(&nodes[nid]->pfmemalloc);
		}
	}
}

static int kswapd_early(const struct bootinfo *info)
{
	(void)info;
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		struct reclaim_node *node;

		if (!NODE_DATA(nid))
			continue;
		node = memblock_alloc_node(sizeof(*node), SMP_CACHE_BYTES, nid);
		if (!node)
			return -ENOMEM;
		node->pgdat = NODE_DATA(nid);
		node->pfmemalloc = (struct wait_queue)WAIT_QUEUE_INIT;
		for (unsigned int i = 0; i < NR_THROTTLES; i++)
			node->throttled[i] = (struct wait_queue)WAIT_QUEUE_INIT;
		nodes[nid] = node;
	}
	return 0;
}

static int kswapd_init(void)
{
	follow_memory();
	return 0;
}

MM_PART(kswapd, .order = MM_PART_RECLAIM, .early = kswapd_early, .init = kswapd_init,
	.memory_changed = follow_memory);
