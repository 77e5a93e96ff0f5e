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

/* A new folio, in the cache or about to be mapped; one that is on the lists stays where it is. @vma may be NULL. */
void folio_add_lru(struct folio *folio);
void folio_add_lru_vma(struct folio *folio, struct vm_area_struct *vma);
/* It was used through a system call or found young on unmapping. */
void folio_mark_accessed(struct folio *folio);
/* MADV_COLD; MADV_FREE (clean: PG_swapbacked off, to the inactive file list); end of writeback of PG_reclaim */
void folio_deactivate(struct folio *folio);
void folio_mark_lazyfree(struct folio *folio);
void folio_rotate_reclaimable(struct folio *folio);
/* mlock: to the unevictable list and back */
void folio_lru_mlock(struct folio *folio);
void folio_lru_munlock(struct folio *folio);
/* It was used often, or came back: to those that are kept longest. */
void folio_activate(struct folio *folio);
/* The same for what was found young in page tables, unless that is known. Context: its table's lock, or a reference. */
void lru_make_youngest(struct folio *folio);
/* Is it of use to look for young pages next to one? */
bool lru_wants_neighbours(void);
/* A lazily freed folio was written to again: swap-backed, and on the lists of those. */
void folio_set_swapbacked(struct folio *folio);
/*
 * Whether it may go at all: not mlocked, and not of a mapping with AS_UNEVICTABLE. Context: the folio locked, or
 * mapped by an entry whose table is locked.
 */
bool folio_evictable(const struct folio *folio);
/* It may not: reclaim and the page cache say so of one that is not on the lists now, before it gets there. */
void folio_cull(struct folio *folio);
/* Its mapping is evictable again (SHM_UNLOCK). */
void folio_rescue(struct folio *folio);
/* Empty this CPU's batches; all CPUs'. Nobody need do so to look at or free a folio: batches hold no references. */
void lru_add_drain(void);
void lru_add_drain_all(void);

/*
 * Off the lists, for who moves, migrates or reclaims it. The caller has a reference, or otherwise knows that it stays
 * meanwhile; on success there is one more. Return: false: it was not on a list.
 */
bool folio_isolate_lru(struct folio *folio);
/*
 * folio_isolate_batch - the same of many folios, for whose isolation the caller's references stand from then on
 * @folios: those that were isolated come first when it returns; the others are as they were.
 * Return: how many.
 */
unsigned int folio_isolate_batch(struct folio **folios, unsigned int nr);
/* Back, where it belongs now; gives the reference back that folio_isolate_lru() took. */
void folio_putback_lru(struct folio *folio);
/* It was isolated, and nobody needs it any more: gives that reference back, and no list gets it. */
void folio_isolated_free(struct folio *folio);

/* ---- What reclaim calls: the policy ---- */

/* Why and for whom a scan is. */
struct lru_scan {
	struct pglist_data *node;
	enum zone_type highest;	   /* folios of higher zones are skipped */
	unsigned int priority;	   /* 12 (1/4096 of the lists) to 0 (all) */
	unsigned int swappiness;   /* 0 to 200 */
	bool may_swap, may_unmap, may_write; /* may_swap: and there is room in swap */
	bool kswapd;
	bool file_is_tiny;	   /* files' pages and what is free together are below the high watermarks: take anon */
	unsigned long nr_to_reclaim, nr_reclaimed, nr_scanned;
};

/*
 * What reclaim did with an isolated folio: it is in nobody's hands any more but the isolator's; it stays; it stays and
 * was found in use.
 */
enum lru_verdict { LRU_FREED, LRU_KEEP, LRU_ACTIVATE };

/*
 * struct lru_policy - who decides the order. README of the interface: docs/reclaim.md. NULL is allowed where it says
 * so.
 * @add: a folio comes onto the node's lists, or moves on them: set or clear PG_active, or its generation; the chain
 *       follows from that. Fresh single pages of one row come as one: the first is shown, and means all. Lock held.
 * @del: it goes. Lock held. May be NULL.
 * @accessed: folio_mark_accessed(). No lock.
 * @deactivate: it is not wanted soon; PG_active and PG_referenced are cleared already. Lock held.
 * @age: kswapd's chance to age lists that nothing was taken from (inactive anon). No lock.
 * @choose: how many pages of anon [0] and of file [1] this scan should look at. Takes the lock.
 * @isolate: up to @max folios that should go next come off, each with a reference, in @out; @file: anon or file.
 *           Takes the lock. *@scanned counts the pages that were looked at. Return: how many.
 * @putback: every folio that @isolate gave, with reclaim's verdict. Takes the lock. Drops the references; that of a
 *           LRU_FREED one should be the last. Most use lru_putback().
 * @eviction: what to remember of a folio that goes: its lowest 20 bits, or more, are kept
 * @recent: would a folio that left @age behind (compare in @mask) still be here if memory were as large as what is in
 *          use is? May be NULL: never.
 * @refault: it comes back; before it is added. @workingset: it had PG_workingset. May be NULL.
 * @switch_in, @switch_out: before the first call and behind the last; between them the lists are taken over by @add
 *          one by one. Nobody else is at work on the node's lists. May be NULL. @switch_in: 0 or -ENOMEM.
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
	bool (*recent)(struct lruvec *vec, bool file, unsigned long age, unsigned long mask, bool workingset);
	void (*refault)(struct lruvec *vec, struct folio *folio, unsigned long age, bool recent, bool workingset);
	int (*switch_in)(struct lruvec *vec);
	void (*switch_out)(struct lruvec *vec);
};

/*
 * struct lru_vm_ops - what policies ask of address spaces, which are above: mm/vm/rmap.c registers it
 * @referenced: folio_referenced()
 * @walk_young: folio_activate() for what is found young in page tables, the marks cleared, of folios of the node. May
 *              be NULL.
 */
struct lru_vm_ops {
	int (*referenced)(struct folio *folio, bool locked, u64 *vm_flags);
	void (*walk_young)(int nid);
};
extern const struct lru_vm_ops *lru_vm_ops;

const struct lru_policy *lru_policy(void);
/* Another one from now on; it takes all folios over. Context: may sleep. Return: 0, -ENOMEM. */
int lru_policy_switch(const struct lru_policy *policy);
/* A switch is under way, and folios are yet to come to the new one: what it has is not all that there is. */
bool lru_policy_moving(void);
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
