/* SPDX-License-Identifier: MIT */
/* What the files of reclaim call of each other. The theory is in shrink.c, vmscan.c, direct.c and kswapd.c. */
#ifndef MM_RECLAIM_RECLAIM_H
#define MM_RECLAIM_RECLAIM_H

#include <octavo/reclaim_hook.h>

#include "../lru/lru.h"
#include "../phys/zone.h"
#include "../sync/kthread.h"

#define DEF_PRIORITY 12u

/*
 * What a pass over a node's lists came across. In pages. @dirty, @unqueued_dirty, @congested: of files alone, as nobody
 * but reclaim writes others; @dirty: under writeback, too. @pageout: what reclaim itself wrote
 */
struct reclaim_stat {
	unsigned long taken, file_taken; /* isolated */
	unsigned long dirty, unqueued_dirty, pageout, writeback, immediate, congested;
	unsigned long activated[2], ref_keep, unmap_fail;
};

/*
 * struct scan_control - one attempt
 * @scan: what the policy is told; its counters are this attempt's
 * @gfp: of the request: what may be entered and started
 * @order: what is wanted in one piece
 * @nodemask: nodes that help, NULL: all
 * @write_files: dirty pages of files may be written from here
 * @ignore_references: use of late does not keep a folio (MADV_PAGEOUT)
 * @crowded: a pass ended as others had too much in hand
 * @kind: who reclaims, for the counters
 * @stat: of the node that is looked at now
 */
enum reclaim_kind { RECLAIM_KSWAPD, RECLAIM_DIRECT };
struct scan_control {
	struct lru_scan scan;
	gfp_t gfp;
	unsigned int order;
	const nodemask_t *nodemask;
	bool write_files, ignore_references, crowded;
	enum reclaim_kind kind;
	struct reclaim_stat stat;
};

/* Why somebody waits before he goes on. */
enum throttle_reason { THROTTLE_WRITEBACK, THROTTLE_ISOLATED, THROTTLE_NOPROGRESS, THROTTLE_CONGESTED, NR_THROTTLES };

/*
 * A node as reclaim knows it. (a) atomic, (k) its kswapd only
 * @wanted_order, @wanted_zone: (a) what kswapd was woken for; zone + 1, 0: nothing
 * @state: (a) bits of enum below
 * @unseen: (a) how often in succession direct reclaim freed nothing, but could not look at all there is
 */
struct reclaim_node {
	struct pglist_data *pgdat;
	struct kthread kswapd;
	u32 wanted_order, wanted_zone;
	u32 asleep;
	u32 state;
	u32 unseen;
	struct wait_queue pfmemalloc;
	struct wait_queue throttled[NR_THROTTLES];
};
enum { NODE_DIRTY, NODE_WRITEBACK, NODE_CONGESTED, NODE_RECLAIM_LOCKED };

struct reclaim_node *reclaim_node(int nid); /* NULL: no such node */
static inline bool node_state(const struct reclaim_node *node, unsigned int bit)
{
	return load_relaxed(&node->state) >> bit & 1;
}
void node_state_set(struct reclaim_node *node, unsigned int bit);
void node_state_clear(struct reclaim_node *node, unsigned int bit);
/* Has it a kswapd? Else who needs memory does all himself. */
bool node_has_kswapd(const struct reclaim_node *node);

/* ---- shrink.c ---- */

/* Each of @folios, isolated, is freed as far as it may be. @verdicts: for lru_policy.putback(). Return: pages freed. */
unsigned long shrink_folio_list(struct scan_control *sc, struct folio **folios, enum lru_verdict *verdicts,
				unsigned int nr);

/* ---- vmscan.c ---- */

/* One pass over a node at sc->scan.priority: lists and shrinkers. Context: PF_MEMALLOC, may sleep. */
void shrink_node(struct scan_control *sc, struct pglist_data *pgdat);
/* Pages on evictable lists that could go; of anon only if there is room in swap. */
unsigned long zone_reclaimable_pages(struct zone *zone);
bool can_reclaim_anon(void);
extern int vm_swappiness;

/* ---- throttle.c ---- */

void reclaim_throttle(struct reclaim_node *node, enum throttle_reason reason);
/* Too many folios are in others' hands: their owners are about to put them back. */
bool too_many_isolated(struct pglist_data *pgdat, bool file, const struct scan_control *sc);
/* Is so much of the reserves left that direct reclaim need not be held up? */
bool allow_direct_reclaim(struct reclaim_node *node);
/* Before direct reclaim. Return: true: the caller was killed meanwhile. */
bool throttle_direct_reclaim(const struct reclaim_request *request);

/* ---- direct.c ---- */

/* reclaim_ops.try_to_free_pages */
unsigned long try_to_free_pages(const struct reclaim_request *request);
/* So many pages of one node. @swappiness: below 0: vm.swappiness. Return: pages freed. */
unsigned long node_reclaim_pages(int nid, unsigned long pages, int swappiness);
/* vm.zone_reclaim_mode: whether a node is looked through before others are used. */
void node_reclaim_mode_written(void);
extern int node_reclaim_mode, sysctl_min_unmapped_ratio, sysctl_min_slab_ratio;

/* ---- kswapd.c ---- */

void wakeup_kswapd(struct zone *zone, gfp_t gfp, unsigned int order, enum zone_type highest);
bool pgdat_balanced(struct pglist_data *pgdat, unsigned int order, enum zone_type highest);
/* The boosts of zones up to @highest end. */
void end_boosts(struct pglist_data *pgdat, enum zone_type highest);

#endif
