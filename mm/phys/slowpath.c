// SPDX-License-Identifier: MIT
/*
 * The slow path: what an allocation does when no zone is above its low watermark.
 *
 * Purpose
 *	Decide how far below the watermarks the request may go, call reclaim, compaction and the OOM killer
 *	(registered operations) as long as that promises something, and report when it does not.
 *
 * Words
 *	costly: of order above PAGE_ALLOC_COSTLY_ORDER; nobody is killed for it, and it is given up early.
 *	progress: reclaim freed something, or the OOM killer did.
 *
 * Structures
 *	wake kswapd; try at the min watermark -- page
 *	compaction first, for costly and for unmovable multi-page requests -- page
 *	retry: wake kswapd; try, without watermarks for PF_MEMALLOC and __GFP_MEMALLOC -- page
 *	       may not wait, or is reclaim itself: this CPU's cached pages go back; try -- page; fail
 *	       reclaim, then compaction; try after each -- page
 *	       __GFP_NORETRY: fail. Costly without __GFP_RETRY_MAYFAIL: fail
 *	       pages left that reclaim could free and that would suffice: retry, 16 times without progress
 *	       compaction stopped early: retry
 *	       OOM killer, one at a time: try at the high watermark -- page
 *	                                  kill, wait some ticks -- page, or retry
 *	                                  a victim that has used its reserves -- fail
 *	fail:  __GFP_NOFAIL: try with the reserves, then retry for ever. Else the report and NULL.
 *
 * Locking
 *	None held, but oom_lock around the OOM killer. The operations may sleep if the request has
 *	__GFP_DIRECT_RECLAIM. Who finds oom_lock taken sleeps some ticks and tries again.
 *
 * What failure does
 *	NULL, after a report unless __GFP_NOWARN. Before that every CPU's cached pages and the highatomic reserve
 *	have been given back for the request to try; for one that may not wait this CPU's cached pages alone.
 *
 * Differences from Linux
 *	Without operations reclaim makes no progress and nothing is killed. __GFP_NOFAIL then waits for other CPUs or
 *	threads to free something, and says so every ten seconds. A request that may not wait fails there while this
 *	CPU's lists hold pages.
 */
#include "slowpath.h"

#include <octavo/port.h>
#include <octavo/reclaim_hook.h>

#include "../base/printk.h"
#include "../sync/mutex.h"
#include "../sync/rcu.h"
#include "../sync/kthread.h"
#include "../sync/trace.h"
#include "gfp.h"
#include "psi.h"
#include "watermark.h"

#define MAX_RECLAIM_RETRIES 16
#define MAX_COMPACT_RETRIES 16

static const struct reclaim_ops *ops __memsys; /* (a) */
unsigned int (*oom_task_state)(void) __memsys;
struct mutex oom_lock __memsys = MUTEX_INIT;

int register_reclaim_ops(const struct reclaim_ops *new_ops)
{
	if (new_ops && atomic_cmpxchg(&ops, NULL, new_ops))
		return -EBUSY;
	if (!new_ops)
		store_release(&ops, NULL);
	return 0;
}

/* One pass through the slow path. */
struct attempt {
	gfp_t gfp;
	unsigned int order;
	unsigned int alloc_flags;
	struct alloc_context *ac;
	const struct reclaim_ops *ops;
	struct reclaim_request request;
	int no_progress;
	int compact_tries;
	bool progress; /* the last reclaim freed something */
	bool compact_sync;
	enum compact_result compacted;
};

static bool costly(const struct attempt *at)
{
	return at->order > PAGE_ALLOC_COSTLY_ORDER;
}

static unsigned int gfp_to_alloc_flags(gfp_t gfp, unsigned int order)
{
	unsigned int flags = ALLOC_WMARK_MIN | ALLOC_CPUSET;

	if (gfp & __GFP_HIGH)
		flags |= ALLOC_MIN_RESERVE;
	if (gfp & __GFP_KSWAPD_RECLAIM)
		flags |= ALLOC_KSWAPD;
	if (!(gfp & __GFP_DIRECT_RECLAIM)) {
		if (!(gfp & __GFP_NOMEMALLOC)) {
			flags |= ALLOC_NON_BLOCK;
			if (order && flags & ALLOC_MIN_RESERVE)
				flags |= ALLOC_HIGHATOMIC;
		}
		/* an urgent request that cannot wait takes pages from wherever there are */
		if (flags & ALLOC_MIN_RESERVE)
			flags &= ~ALLOC_CPUSET;
	}
	return gfp_to_alloc_flags_cma(gfp, flags);
}

static unsigned int task_state(void)
{
	return oom_task_state ? oom_task_state() : 0;
}

/* May the request use every page there is, because it will free more? Or some, because its thread ends? */
static unsigned int reserve_flags(gfp_t gfp)
{
	if (gfp & __GFP_NOMEMALLOC)
		return 0;
	if (gfp & __GFP_MEMALLOC || current_task_flags() & PF_MEMALLOC)
		return ALLOC_NO_WATERMARKS;
	return task_state() & OOM_TASK_VICTIM ? ALLOC_OOM : 0;
}

static void wake_all_kswapds(const struct attempt *at)
{
	struct zoneref *z;
	struct zone *zone;

	if (!(at->alloc_flags & ALLOC_KSWAPD) || !at->ops || !at->ops->wakeup_kswapd)
		return;
	count_vm_events(KSWAPD_WAKE, 1);
	for_each_zone_zonelist_nodemask(zone, z, at->ac->zonelist, at->ac->highest, at->ac->nodemask)
		if (managed_zone(zone))
			at->ops->wakeup_kswapd(zone, at->gfp, at->order, at->ac->highest);
}

static struct page *try_again(const struct attempt *at)
{
	if (!at->ac->preferred->zone)
		return NULL;
	return get_page_from_freelist(at->gfp, at->order, at->alloc_flags, at->ac);
}

/* Gives highatomic blocks back to ordinary use in all zones the request could use. */
static bool unreserve_highatomic_all(const struct attempt *at, bool force)
{
	struct zoneref *z;
	struct zone *zone;
	bool freed = false;

	for_each_zone_zonelist_nodemask(zone, z, at->ac->zonelist, at->ac->highest, at->ac->nodemask)
		freed |= unreserve_highatomic(zone, force);
	return freed;
}

static struct page *direct_reclaim(struct attempt *at)
{
	unsigned long freed;
	struct page *page;
	unsigned long stall;
	bool ran;

	at->progress = false;
	psi_memstall_enter(&stall);
	count_vm_events((enum vm_event_item)(ALLOCSTALL_FIRST + at->ac->highest), 1);
	if (at->ops && at->ops->try_to_free_pages) {
		unsigned int scope = memalloc_noreclaim_save();

		trace_event(mm_vmscan_direct_reclaim_begin, at->order, at->request.gfp);
		freed = at->ops->try_to_free_pages(&at->request);
		trace_event(mm_vmscan_direct_reclaim_end, freed);
		at->progress = freed != 0;
		memalloc_noreclaim_restore(scope);
	}
	/* Callbacks: worth a look, but no promise of more, as some are due all the time. */
	ran = rcu_reclaim();
	psi_memstall_leave(&stall);
	page = ran || at->progress ? try_again(at) : NULL;
	if (page)
		return page;
	/* what is missing may be kept for high-order atomic requests, or by CPUs */
	(void)unreserve_highatomic_all(at, false);
	drain_all_pages(NULL);
	return try_again(at);
}

static struct page *direct_compact(struct attempt *at, bool sync)
{
	struct page *page;
	unsigned long stall;

	at->compacted = COMPACT_SKIPPED;
	if (!at->order || !at->ops || !at->ops->try_to_compact_pages)
		return NULL;
	count_vm_events(COMPACTSTALL, 1);
	psi_memstall_enter(&stall);
	trace_event(mm_compaction_try_to_compact_pages, at->order, at->gfp, sync ? 1 : 2);
	at->compacted = at->ops->try_to_compact_pages(&at->request, sync);
	psi_memstall_leave(&stall);
	if (at->compacted == COMPACT_SKIPPED || at->compacted == COMPACT_DEFERRED)
		return NULL;
	drain_all_pages(NULL);
	page = try_again(at);
	count_vm_events(page ? COMPACTSUCCESS : COMPACTFAIL, 1);
	return page;
}

/* Would the pages that reclaim could still free, with those that are free, be enough somewhere? */
static bool should_reclaim_retry(struct attempt *at)
{
	struct zoneref *z;
	struct zone *zone;
	bool enough;

	if (at->progress && !costly(at))
		at->no_progress = 0;
	else
		at->no_progress++;
	if (at->no_progress > MAX_RECLAIM_RETRIES)
		return unreserve_highatomic_all(at, true);
	for_each_zone_zonelist_nodemask(zone, z, at->ac->zonelist, at->ac->highest, at->ac->nodemask) {
		unsigned long pages = zone_page_state_snapshot(zone, NR_FREE_PAGES);

		if (at->ops && at->ops->zone_reclaimable_pages)
			pages += at->ops->zone_reclaimable_pages(zone);
		enough = __zone_watermark_ok(zone, at->order, min_wmark_pages(zone), at->ac->highest, at->alloc_flags,
					     (long)pages);
		trace_event(reclaim_retry_zone, zone->node, zone->type, at->order,
			    pages - zone_page_state_snapshot(zone, NR_FREE_PAGES), pages, min_wmark_pages(zone),
			    at->no_progress, enough);
		if (enough) {
			cond_resched();
			return true;
		}
	}
	return unreserve_highatomic_all(at, true);
}

/* COMPACTION_FAILED, _WITHDRAWN and _PROGRESS of Linux's event. */
static int compact_feedback(const struct attempt *at)
{
	return at->compacted == COMPACT_FAILED ? 3 : at->compacted == COMPACT_PARTIAL ? 2 : 1;
}

static bool compact_again(struct attempt *at)
{
	int limit = MAX_COMPACT_RETRIES;

	if (!at->order || !at->ops || !at->ops->try_to_compact_pages || at->compacted == COMPACT_SUCCESS)
		return false;
	if (at->compacted == COMPACT_FAILED) {
		if (at->compact_sync)
			return false;
		at->compact_sync = true;
		return true;
	}
	if (costly(at) && !(at->gfp & __GFP_RETRY_MAYFAIL))
		limit /= 4;
	return ++at->compact_tries <= limit;
}

static bool should_compact_retry(struct attempt *at)
{
	bool again = compact_again(at);

	trace_event(compact_retry, at->order, at->compact_sync ? 1 : 2, compact_feedback(at), at->compact_tries,
		    MAX_COMPACT_RETRIES, again);
	return again;
}

/* Nobody is killed for it: it can fail, or its pages could not be got that way. */
static bool spares_others(const struct attempt *at)
{
	return task_state() & OOM_TASK_DUMPING || costly(at) || at->gfp & (__GFP_RETRY_MAYFAIL | __GFP_THISNODE) ||
	       at->ac->highest < ZONE_NORMAL || !at->ops || !at->ops->out_of_memory;
}

static struct page *try_with(struct attempt *at, unsigned int alloc_flags)
{
	unsigned int flags = at->alloc_flags;
	struct page *page;

	at->alloc_flags = alloc_flags;
	page = try_again(at);
	at->alloc_flags = flags;
	return page;
}

/* oom_lock is held. *@again: somebody was killed, or is dying. */
static struct page *kill_for(struct attempt *at, bool *again)
{
	/* What another CPU's victim freed meanwhile may be enough: look, with room to spare. */
	struct page *page = try_with(at, ALLOC_WMARK_HIGH | ALLOC_CPUSET);

	if (page || spares_others(at))
		return page;
	*again = at->ops->out_of_memory(&at->request);
	at->request.rounds++;
	return at->gfp & __GFP_NOFAIL ? try_with(at, ALLOC_NO_WATERMARKS) : NULL;
}

/* Others need time to end, or to say so: many may be waiting, so nobody looks for what cannot be there yet. */
static struct page *wait_for_victim(struct attempt *at)
{
	struct page *page = try_again(at);

	for (unsigned int i = 0; i < OOM_WAIT_TICKS && !page; i++) {
		port_park(OOM_WAIT_NS);
		page = try_again(at);
		if (task_state() & OOM_TASK_VICTIM)
			break;
	}
	return page;
}

/* The last resort. *@again: try once more. */
static struct page *alloc_pages_may_oom(struct attempt *at, bool *again)
{
	struct page *page = NULL;

	*again = false;
	/* Who is to end, and has had its share of the reserves, neither waits for more nor is others' death. */
	if (task_state() & OOM_TASK_VICTIM && (at->alloc_flags & ALLOC_OOM || at->gfp & __GFP_NOMEMALLOC) &&
	    !(at->gfp & __GFP_NOFAIL))
		return NULL;
	if (mutex_trylock(&oom_lock)) {
		page = kill_for(at, again);
		mutex_unlock(&oom_lock);
	} else {
		*again = true;
	}
	if (*again && !page && !(task_state() & OOM_TASK_VICTIM))
		page = wait_for_victim(at);
	return page;
}

/* All nodes and all zones, when the reserves are open anyway. */
static void forget_policy(struct alloc_context *ac)
{
	ac->nodemask = NULL;
	ac->preferred = first_zones_zonelist(ac->zonelist, ac->highest, NULL);
}

/* One turn. *@again: it was no failure yet. */
static struct page *slow_turn(struct attempt *at, bool *again)
{
	gfp_t gfp = at->gfp;
	unsigned int reserve = reserve_flags(gfp);
	struct page *page;

	*again = false;
	wake_all_kswapds(at);
	if (reserve)
		at->alloc_flags = gfp_to_alloc_flags_cma(gfp, reserve) | (at->alloc_flags & ALLOC_KSWAPD);
	if (reserve || !(at->alloc_flags & ALLOC_CPUSET))
		forget_policy(at->ac);
	page = try_again(at);
	if (page)
		return page;
	if (!(gfp & __GFP_DIRECT_RECLAIM) || current_task_flags() & PF_MEMALLOC) {
		drain_local_pages(NULL);
		return try_again(at);
	}
	page = direct_reclaim(at);
	if (!page)
		page = direct_compact(at, at->compact_sync);
	if (page || gfp & __GFP_NORETRY || (costly(at) && !(gfp & __GFP_RETRY_MAYFAIL)))
		return page;
	if (should_reclaim_retry(at) || (at->progress && should_compact_retry(at))) {
		*again = true;
		return NULL;
	}
	page = alloc_pages_may_oom(at, again);
	if (*again)
		at->no_progress = 0;
	return page;
}

/* Nobody may say no to this request. */
static struct page *nofail_turn(struct attempt *at)
{
	unsigned int flags = at->alloc_flags;
	struct page *page;

	at->alloc_flags = ALLOC_MIN_RESERVE | ALLOC_CPUSET;
	page = try_again(at);
	if (!page) {
		at->alloc_flags &= ~ALLOC_CPUSET;
		page = try_again(at);
	}
	at->alloc_flags = flags;
	if (!page) {
		warn_alloc(at->gfp, at->order, at->ac->nodemask);
		port_park(1000000); /* a millisecond, for whoever may free something */
	}
	return page;
}

/* Compaction before reclaim, where it is likelier to help. false: give up at once. */
static bool compact_first(struct attempt *at, struct page **page)
{
	if (!(at->gfp & __GFP_DIRECT_RECLAIM) || !at->order || reserve_flags(at->gfp) ||
	    (!costly(at) && at->ac->migratetype == MIGRATE_MOVABLE))
		return true;
	*page = direct_compact(at, false);
	if (*page || !costly(at) || !(at->gfp & __GFP_NORETRY))
		return true;
	return at->compacted != COMPACT_SKIPPED && at->compacted != COMPACT_DEFERRED;
}

struct page *alloc_pages_slowpath(gfp_t gfp, unsigned int order, struct alloc_context *ac)
{
	struct attempt at = {
		.gfp = gfp,
		.order = order,
		.alloc_flags = gfp_to_alloc_flags(gfp, order),
		.ac = ac,
		.ops = load_acquire(&ops),
		.request = { gfp, order, ac->nid, ac->highest, ac->nodemask, 0 },
	};
	struct page *page = NULL;
	bool again;

	if (gfp & __GFP_DIRECT_RECLAIM)
		rcu_poll();
	/* no zone at all that the request may use: waiting for one would be for ever */
	if (!ac->preferred->zone)
		goto fail;
	wake_all_kswapds(&at);
	/* What kswapd makes free now need not be looked for. */
	if (gfp & __GFP_DIRECT_RECLAIM)
		cond_resched();
	page = try_again(&at);
	if (page)
		return page;
	if (!compact_first(&at, &page))
		goto fail;
	while (!page) {
		page = slow_turn(&at, &again);
		if (page || again)
			continue;
		if (!(gfp & __GFP_NOFAIL))
			goto fail;
		if (!(gfp & __GFP_DIRECT_RECLAIM)) {
			pr_err("page allocation: __GFP_NOFAIL cannot be kept without __GFP_DIRECT_RECLAIM\n");
			goto fail;
		}
		page = nofail_turn(&at);
	}
	return page;
fail:
	warn_alloc(gfp, order, ac->nodemask);
	return NULL;
}
