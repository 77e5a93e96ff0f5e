/* SPDX-License-Identifier: MIT */
/*
 * A node's lists, as mm/lru keeps them. The theory is in lru.c.
 *
 * Legend: (l) lruvec->lock, (a) atomic, (c) constant once the node is there.
 */
#ifndef MM_LRU_LRUVEC_H
#define MM_LRU_LRUVEC_H

#include "../sync/atomic.h"
#include "../sync/spinlock.h"
#include "lru.h"

/* Generations a policy may number folios by: page->ids has room for seven and for none. */
#define LRU_GENS_MAX 4u

/*
 * Chains: the five plain lists, numbered as enum lru_list is, and one for each generation, type (anon, file) and zone.
 */
#define LRU_CHAIN_GENS ((unsigned int)NR_LRU_LISTS)
#define LRU_CHAINS (LRU_CHAIN_GENS + LRU_GENS_MAX * 2 * MAX_NR_ZONES)

/* The oldest is where reclaim looks first. */
struct lru_chain {
	struct page *newest, *oldest; /* (l) NULL: empty */
	unsigned long pages;	      /* (l) */
};

/* gen.c's. All (l). */
struct lru_gen {
	unsigned long max_seq, min_seq[2];  /* anon, file */
	u64 birth_ns[LRU_GENS_MAX];	    /* by seq % LRU_GENS_MAX */
	unsigned long evicted[2][4], refaulted[2][4]; /* by tier, decaying */
};

struct lruvec {
	spinlock_t lock;
	int nid;			  /* (c) */
	struct lru_chain chains[LRU_CHAINS];
	unsigned long cost[2];		  /* (l) of anon and file: what refaults and writes of each came to, decaying */
	unsigned long nonresident_age;	  /* (a) pages evicted and activated: the clock that shadows are stamped by */
	unsigned long scan_left[NR_LRU_LISTS]; /* (l) parts of a scan too small to be done yet */
	unsigned long refaults[2];	  /* (a) workingset_activate_* when active lists were last looked at for them */
	bool can_swap;			  /* (a) whether the last scan could */
	struct lru_gen gen;
};

static inline void lru_lock(struct lruvec *vec, unsigned long *flags)
{
	spin_lock_irqsave(&vec->lock, *flags);
}

static inline void lru_unlock(struct lruvec *vec, unsigned long flags)
{
	spin_unlock_irqrestore(&vec->lock, flags);
}

/* ---- Links: how many descriptors on the neighbours are; 0: there is none ---- */

static force_inline struct page *lru_page_at(struct page *page, s32 distance)
{
#if !defined(OCTAVO_MEMORY_MODEL_SPARSE) && !defined(OCTAVO_MEMORY_MODEL_DISCONTIG)
	return page + distance;
#else
	return pfn_to_page(page_to_pfn(page) + (unsigned long)(long)distance);
#endif
}

static force_inline s32 lru_distance(const struct page *from, const struct page *to)
{
#if !defined(OCTAVO_MEMORY_MODEL_SPARSE) && !defined(OCTAVO_MEMORY_MODEL_DISCONTIG)
	return (s32)(to - from);
#else
	return (s32)(page_to_pfn(to) - page_to_pfn(from));
#endif
}

static force_inline struct page *lru_older(struct page *page)
{
	return page->lru_next ? lru_page_at(page, (s32)page->lru_next) : NULL;
}

static force_inline struct page *lru_newer(struct page *page)
{
	return page->lru_prev ? lru_page_at(page, (s32)page->lru_prev) : NULL;
}

/* ---- Chains. Context: the lock. @oldest to @newest: linked with each other; their outer links are set here ---- */

static force_inline void chain_push(struct lru_chain *chain, struct page *oldest, struct page *newest)
{
	struct page *first = chain->newest;
	s32 distance = 0;

	if (likely(first != NULL)) {
		distance = lru_distance(oldest, first);
		first->lru_prev = (u32)-distance;
	} else {
		chain->oldest = oldest;
	}
	oldest->lru_next = (u32)distance;
	newest->lru_prev = 0;
	chain->newest = newest;
}

static inline void chain_push_old(struct lru_chain *chain, struct page *page)
{
	struct page *last = chain->oldest;
	s32 distance = 0;

	if (last) {
		distance = lru_distance(page, last);
		last->lru_next = (u32)-distance;
	} else {
		chain->newest = page;
	}
	page->lru_prev = (u32)distance;
	page->lru_next = 0;
	chain->oldest = page;
}

static force_inline void chain_cut(struct lru_chain *chain, struct page *oldest, struct page *newest)
{
	struct page *older = lru_older(oldest), *newer = lru_newer(newest);

	if (likely(older != NULL))
		older->lru_prev = newer ? (u32)lru_distance(older, newer) : 0;
	else
		chain->oldest = newer;
	if (likely(newer != NULL))
		newer->lru_next = older ? (u32)lru_distance(newer, older) : 0;
	else
		chain->newest = older;
}

/* ---- Which chain ---- */

/* Generation of a folio on the lists, or 0: it is on a plain list. */
static force_inline unsigned int page_gen(const struct page *page)
{
	return (unsigned int)load_relaxed(&page->ids) >> (PAGE_ZONE_BITS + PAGE_NODE_BITS);
}

static force_inline void page_set_gen(struct page *page, unsigned int gen)
{
	u16 ids = load_relaxed(&page->ids) & ((1u << (PAGE_ZONE_BITS + PAGE_NODE_BITS)) - 1);

	store_relaxed(&page->ids, (u16)(ids | gen << (PAGE_ZONE_BITS + PAGE_NODE_BITS)));
}

static inline unsigned int gen_chain(unsigned int gen, bool file, enum zone_type zone)
{
	return LRU_CHAIN_GENS + ((gen - 1) * 2 + file) * MAX_NR_ZONES + zone;
}

static inline unsigned int page_chain(const struct page *page)
{
	u32 flags = load_relaxed(&page->flags);
	unsigned int gen = page_gen(page);
	bool file = !(flags >> PG_swapbacked & 1);

	if (unlikely(gen))
		return gen_chain(gen, file, page_zonenum(page));
	if (unlikely(flags >> PG_unevictable & 1))
		return LRU_UNEVICTABLE;
	return (file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON) + (flags >> PG_active & 1);
}

/* ---- lru.c. Context: the lock ---- */

/* What is counted of a chain's pages: nr_inactive_anon and so on, of the node and of the zone. */
void lru_count(struct lruvec *vec, enum zone_type zone, unsigned int chain, long pages);
/* The same counters alone: a chain of so many pages is counted as another list. */
void lru_count_list(struct lruvec *vec, enum zone_type zone, unsigned int list, long pages);
/* On the chain that its flags and generation name; off it (PG_lru stays as it is). */
void lru_link(struct lruvec *vec, struct folio *folio, bool old);
void lru_unlink(struct lruvec *vec, struct folio *folio);
/* Off the lists or out of a batch. Return: false: it is on its way to a batch. */
bool lru_take(struct lruvec *vec, struct folio *folio);
/* Where the policy has it now, be it because it is unevictable. */
void lru_place(struct lruvec *vec, struct folio *folio);
struct lruvec *folio_lruvec(const struct folio *folio);

/*
 * What is still to be counted of folios that came or went under one lock: a chain's, as long as it is the same one, and
 * what is isolated. All zero at first; lru_counts_end() before the lock is let go of, or the chains' counts are used.
 */
struct lru_counts {
	unsigned int chain;
	enum zone_type zone;
	long pages, isolated[2];
};
void lru_counts_end(struct lruvec *vec, struct lru_counts *counts);

/*
 * lru_isolate_page - for policies: a page of a chain comes off it, with a reference, to be counted as isolated
 * Return: false: it is about to be freed; pass it over.
 */
bool lru_isolate_page(struct lruvec *vec, struct page *page, struct lru_counts *counts);
/* Folios that policies' isolate() took go back or away. Takes the lock. */
void lru_putback(struct lruvec *vec, struct folio **folios, const enum lru_verdict *verdicts, unsigned int nr);

/* ---- batch.c ---- */

/* A page that is on no chain is in some CPU's batch: out of it. Return: false: not found. Context: the lock. */
bool lru_batch_remove(struct page *page);
void lru_batches_drain_cpu(unsigned int cpu);

/* ---- classic.c, gen.c, switch.c ---- */
extern const struct lru_policy lru_classic, lru_gen;
void lru_policy_set(const struct lru_policy *policy);
enum lru_list lru_gen_list(const struct lruvec *vec, unsigned int chain);

/* Every lruvec there is. */
#define for_each_lruvec(vec) \
	for (int _nid = 0; _nid < MAX_NUMNODES; _nid++) \
		for (struct lruvec *vec = node_lruvec(_nid); vec; vec = NULL)

#endif
