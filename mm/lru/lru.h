/* SPDX-License-Identifier: MIT */
/*
 * Which folios reclaim may take, and in what order: lists for each node, kept by a policy.
 *
 * A folio is on its node's lists (PG_lru), in a CPU's batch on the way there, isolated (taken off by somebody who holds
 * a reference), or of no concern to reclaim.
 */
#ifndef MM_LRU_LRU_H
#define MM_LRU_LRU_H

#include <octavo/page.h>

#include "../phys/zone.h"

struct vm_area_struct;

enum lru_list {
	LRU_INACTIVE_ANON,
	LRU_ACTIVE_ANON,
	LRU_INACTIVE_FILE,
	LRU_ACTIVE_FILE,
	LRU_UNEVICTABLE,
	NR_LRU_LISTS
};

/* Swap-backed folios are "anon" to the lists, shmem's included (PG_swapbacked); all others "file". */
static inline bool folio_is_file_lru(const struct folio *folio)
{
	return !PageSwapBacked(&folio->page);
}

/* ---- What owners of folios call; any of it may come to nothing if others hold the folio at the moment ---- */

/* A new folio, in the cache or about to be mapped: @vma (may be NULL) tells whether it is locked in memory. */
void folio_add_lru(struct folio *folio);
void folio_add_lru_vma(struct folio *folio, struct vm_area_struct *vma);
/* It was used through a system call or found young on unmapping. */
void folio_mark_accessed(struct folio *folio);
/* MADV_COLD; MADV_FREE (clean lazyfree: PG_swapbacked off, to the inactive file list); end of writeback of PG_reclaim */
void folio_deactivate(struct folio *folio);
void folio_mark_lazyfree(struct folio *folio);
void folio_rotate_reclaimable(struct folio *folio);
/* mlock: to the unevictable list and back */
void folio_lru_mlock(struct folio *folio);
void folio_lru_munlock(struct folio *folio);
/* Empty this CPU's batches; all CPUs'. */
void lru_add_drain(void);
void lru_add_drain_all(void);

/* Off the lists, for who moves, migrates or reclaims it and holds a reference. Return: false: it was not on one. */
bool folio_isolate_lru(struct folio *folio);
/* Back, where it belongs now; gives the caller's reference back. */
void folio_putback_lru(struct folio *folio);

/* ---- What reclaim calls: the policy ---- */

/* Why and for whom a scan is. */
struct lru_scan {
	struct pglist_data *node;
	enum zone_type highest;	   /* folios of higher zones are skipped */
	unsigned int priority;	   /* 12 (1/4096 of the lists) to 0 (all) */
	unsigned int swappiness;   /* 0 to 200 */
	bool may_swap, may_unmap, may_write;
	bool kswapd, proactive;
	unsigned long nr_to_reclaim, nr_reclaimed, nr_scanned;
	void *reclaim;		   /* struct scan_control, for lru_ops.shrink()'s callback */
};

/* What reclaim did with an isolated folio. */
enum lru_verdict { LRU_FREED, LRU_KEEP, LRU_ACTIVATE };

/*
 * struct lru_policy - who decides the order. README of the interface: docs/reclaim.md.
 * @add: a folio comes onto the node's lists; @refault: it was there before, as the shadow told. Lock held.
 * @del: it goes. Lock held.
 * @accessed: folio_mark_accessed(). No lock.
 * @deactivate: it is not wanted soon. Lock held.
 * @age: kswapd's chance to age lists that nothing was taken from (inactive anon). No lock.
 * @isolate: up to @max folios that should go next come off, each with a reference, in @out; @file: anon or file.
 *           Takes the lock. *@scanned counts what was looked at. Return: how many.
 * @putback: what reclaim kept, with its verdict. Takes the lock. Drops the references.
 * @choose: how many pages of anon [0] and of file [1] this scan should look at.
 * @eviction: what to remember of a folio that goes; @refault_distance etc. stay the policy's
 * @switch_in, @switch_out: take all folios of a node over from, or hand them to, plain lists
 */
struct lruvec;
struct lru_policy {
	const char *name;
	void (*add)(struct lruvec *vec, struct folio *folio);
	void (*del)(struct lruvec *vec, struct folio *folio);
	void (*accessed)(struct folio *folio);
	void (*deactivate)(struct lruvec *vec, struct folio *folio);
	void (*age)(struct lruvec *vec, const struct lru_scan *scan);
	void (*choose)(struct lruvec *vec, const struct lru_scan *scan, unsigned long nr[2]);
	unsigned int (*isolate)(struct lruvec *vec, struct lru_scan *scan, bool file, struct folio **out,
				unsigned int max, unsigned long *scanned);
	void (*putback)(struct lruvec *vec, struct folio **folios, const enum lru_verdict *verdicts, unsigned int nr);
	unsigned long (*eviction)(struct lruvec *vec, struct folio *folio);
	void (*refault)(struct lruvec *vec, struct folio *folio, unsigned long shadow);
};

const struct lru_policy *lru_policy(void);
struct lruvec *node_lruvec(int nid);

/* ---- Workingset: shadows ---- */

/* What an evicted folio leaves in its slot: an xarray value's payload of at most 48 bits (30 on 32-bit builds). */
unsigned long workingset_eviction(struct folio *folio);
/* A folio comes back to a slot with @shadow; before folio_add_lru(). */
void workingset_refault(struct folio *folio, unsigned long shadow);
/* Whether a refault of this shadow would count as workingset now (cachestat's recently evicted). */
bool workingset_test_recent(unsigned long shadow);

/* Costs of refaults and writes, which the balance of anon and file follows (@file). */
void lru_note_cost(struct lruvec *vec, bool file, unsigned long io, unsigned long rotated);

#endif
