// SPDX-License-Identifier: MIT
/*
 * Who waits, for what, and how long.
 *
 * Words. *Reason*: writeback: all that could go is being written; isolated: others have so much in hand that there is
 * hardly anything left to look at; no progress, congested: nothing came of a pass. *Reserve*: what is below the min
 * watermarks, for PF_MEMALLOC: if half of it is gone, those who would use more wait until kswapd has freed some.
 *
 * All waits have an end by themselves. Where nobody else could do anything meanwhile (no kswapd), nobody waits: the
 * thread lets others go first and tries again. To PSI all of it is part of what it is waited for: the allocator's slow
 * path, kswapd, and who asks for reclaim of a node have told it that they see to memory.
 *
 * Sources. Documentation/admin-guide/mm/concepts.rst; the events mm_vmscan_throttled and pgscan_direct_throttle.
 */
#include <octavo/task.h>

#include "../phys/watermark.h"
#include "../phys/zonelist.h"
#include "../sync/trace.h"
#include "reclaim.h"

#define MS 1000000ull
#define LOOK_NS (4 * MS) /* a tick at 250 Hz */

static const u64 timeouts[NR_THROTTLES] = {
	[THROTTLE_WRITEBACK] = 100 * MS,
	[THROTTLE_ISOLATED] = 20 * MS,
	[THROTTLE_NOPROGRESS] = 4 * MS, /* a tick at 250 Hz */
	[THROTTLE_CONGESTED] = 4 * MS,
};

void node_state_set(struct reclaim_node *node, unsigned int bit)
{
	if (!node_state(node, bit))
		(void)atomic_fetch_or(&node->state, 1u << bit);
}

void node_state_clear(struct reclaim_node *node, unsigned int bit)
{
	if (node_state(node, bit))
		(void)atomic_fetch_and(&node->state, ~(1u << bit));
}

struct awaited {
	const struct pglist_data *pgdat;
	unsigned long written; /* NR_WRITTEN when it began */
};

/* Enough was written, or there is nothing more to be. */
static bool was_written(void *arg)
{
	const struct awaited *a = arg;

	return node_page_state(a->pgdat, NR_WRITTEN) - a->written > SWAP_CLUSTER_MAX ||
	       !node_page_state(a->pgdat, NR_WRITEBACK);
}

/*
 * Ends of writeback are many, and waits for them few: so nobody is woken at them, and who waits looks again every now
 * and then.
 */
static void wait_for_writeback(struct reclaim_node *node, bool killable)
{
	struct awaited a = { .pgdat = node->pgdat, .written = node_page_state(node->pgdat, NR_WRITTEN) };

	for (u64 ns = 0; ns < timeouts[THROTTLE_WRITEBACK]; ns += LOOK_NS)
		if (wait_queue_wait(&node->throttled[THROTTLE_WRITEBACK], was_written, &a, LOOK_NS, killable) ||
		    (killable && fatal_signal_pending(current_task())))
			break;
	mod_node_page_state(node->pgdat, NR_THROTTLED_WRITTEN,
			    (long)(node_page_state(node->pgdat, NR_WRITTEN) - a.written));
}

/* The isolated have come back, or something was freed: whoever woke us had a reason. */
static bool is_woken(void *arg)
{
	u32 *turns = arg;

	return (*turns)++;
}

void reclaim_throttle(struct reclaim_node *node, enum throttle_reason reason)
{
	const struct mm_task *task = current_task();
	bool kswapd = task->flags & PF_KSWAPD;
	u32 turns = 0;
	u64 begin;

	/* Kernel threads do what others wait for. */
	if ((task->flags & PF_KTHREAD && !kswapd) || !node_has_kswapd(node) ||
	    (reason == THROTTLE_CONGESTED &&
	     (!node_state(node, NODE_WRITEBACK) || READ_ONCE(node->pgdat->kswapd_failures) >= KSWAPD_FAILURES))) {
		cond_resched();
		return;
	}
	begin = port_clock_ns();
	if (reason == THROTTLE_WRITEBACK)
		wait_for_writeback(node, !kswapd);
	else
		(void)wait_queue_wait(&node->throttled[reason], is_woken, &turns, timeouts[reason], !kswapd);
	trace_event(mm_vmscan_throttled, node->pgdat->node_id, (int)(timeouts[reason] / 1000),
		    (int)((port_clock_ns() - begin) / 1000), 1 << reason);
}

/*
 * Compared with all that could be taken next, not with what is inactive alone, as Linux does: what counts as inactive
 * is up to the policy, which may have next to nothing so although there is plenty, and to say that too much is isolated
 * where one batch is would hold everybody up.
 */
bool too_many_isolated(struct pglist_data *pgdat, bool file, const struct scan_control *sc)
{
	const enum node_stat_item inactive = file ? NR_INACTIVE_FILE : NR_INACTIVE_ANON;
	unsigned long left = node_page_state(pgdat, inactive) + node_page_state(pgdat, inactive + 1);
	unsigned long isolated = node_page_state(pgdat, file ? NR_ISOLATED_FILE : NR_ISOLATED_ANON);
	const gfp_t io = __GFP_IO | __GFP_FS;

	/* Who may not enter file systems goes first: others, who may, could wait for what he holds. */
	if ((sc->gfp & io) == io)
		left >>= 3;
	return isolated > left && isolated > SWAP_CLUSTER_MAX;
}

bool allow_direct_reclaim(struct reclaim_node *node)
{
	unsigned long reserve = 0, free = 0;

	if (READ_ONCE(node->pgdat->kswapd_failures) >= KSWAPD_FAILURES)
		return true;
	for (unsigned int i = 0; i <= ZONE_NORMAL; i++) {
		struct zone *zone = &node->pgdat->node_zones[i];

		if (!managed_zone(zone) || !zone_reclaimable_pages(zone))
			continue;
		reserve += min_wmark_pages(zone);
		free += zone_page_state_snapshot(zone, NR_FREE_PAGES);
	}
	return !reserve || free > reserve / 2;
}

static bool is_allowed(void *arg)
{
	struct reclaim_node *node = arg;

	if (allow_direct_reclaim(node))
		return true;
	/* Many machines have no Normal zone: all they have is below 4 GiB. */
	for (unsigned int i = 0; i <= ZONE_NORMAL; i++)
		wakeup_kswapd(&node->pgdat->node_zones[i], __GFP_DIRECT_RECLAIM, 0, ZONE_NORMAL);
	/* Still asleep: by its measure there is nothing to do, and waiting would be in vain. */
	return load_relaxed(&node->asleep);
}

static struct reclaim_node *node_of_request(const struct reclaim_request *request)
{
	struct zoneref *z;
	struct zone *zone;

	for_each_zone_zonelist_nodemask(zone, z, node_zonelist(request->nid, request->gfp), request->highest,
					request->nodemask)
		if (managed_zone(zone) && zone->type <= ZONE_NORMAL)
			return reclaim_node(zone->node);
	return NULL;
}

bool throttle_direct_reclaim(const struct reclaim_request *request)
{
	struct mm_task *task = current_task();
	struct reclaim_node *node;

	/* Kernel threads may be who makes memory free; who is killed frees his. */
	if (task->flags & PF_KTHREAD || fatal_signal_pending(task))
		return false;
	node = node_of_request(request);
	if (!node || !node_has_kswapd(node) || allow_direct_reclaim(node))
		return false;
	count_vm_events(PGSCAN_DIRECT_THROTTLE, 1);
	/* Not for ever: who holds a file system's locks may be who kswapd waits for, which may end with the memory. */
	(void)wait_queue_wait(&node->pfmemalloc, is_allowed, node, 1000 * MS, true);
	return fatal_signal_pending(task);
}
