// SPDX-License-Identifier: MIT
/*
 * Lists of the folios that reclaim may take.
 *
 * Purpose. When memory is short, something has to go that will not be missed soon. Each node keeps its user memory and
 * page cache on lists in about the order of their use; a policy (struct lru_policy) says what goes where and what goes
 * first. This file has what all policies share: getting on the lists and off them, the locks, the counts.
 *
 * Words. A folio is *on the lists* if it has PG_lru: on a *chain* of its node's struct lruvec, or in a *batch* of a
 * CPU, on the way to one. It is *isolated* while somebody who has a reference took it off, to move, migrate or reclaim
 * it. It is *unevictable* (PG_unevictable) if it may not go whoever asks: mlocked, or of a mapping that is.
 * *Generation*: 1 to 4 in the three spare bits at the top of page->ids, if the policy uses them; 0: none.
 *
 * Structures
 *
 *	CPU's batch (batch.c)			node's lruvec
 *	  row: 64 frames, a bit each  --flush-->  chains[inactive_anon ... unevictable] newest ... oldest
 *						  chains[generation, type, zone]
 * A page's lru_next is how many descriptors on (s32) the older neighbour is, lru_prev the newer; 0: there is none. Of a
 * page in a batch both are 0.
 *
 * Invariants
 *	LR-I1  who has PG_lru is on exactly the chain of its node that its flags and generation name (page_chain()), or
 *	       in exactly one batch, and there once; or its owner is just putting it there.
 *	LR-I2  what is on a chain has PG_lru, but for pages that lost their last reference and wait for the lock to
 *	       leave.
 *	LR-I3  chain->pages is the sum of its folios' pages; nr_inactive_anon to nr_unevictable of a node, and of its
 *	       zones, are the sums of the chains.
 *	LR-I4  while nobody is at work, nothing is isolated: nr_isolated_anon and _file are 0.
 *	LR-I5  no list, batch included, holds a reference: a folio's count says who uses it, and its last user frees it.
 *	LR-I6  while nobody is at work, chains that the policy does not look at are empty: the plain lists but
 *	       unevictable with generations, those of generations with the classic one.
 *
 * Locking. lruvec->lock guards its chains, links, PG_lru, PG_active, PG_unevictable, the generation, and PG_swapbacked
 * of folios on the lists. Interrupts are off inside. It may be taken where a table's or an xarray's lock is held. A
 * batch's bits are set by its CPU in a section, without a lock, and cleared under that of the frames' node.
 *
 * The way out. Who drops the last reference of a page with PG_lru calls here (struct lru_hooks): the page leaves its
 * chain, or its batch, before the frame can have another owner. Scans that come across it meanwhile fail to get a
 * reference and pass it over. Pages that were mapped side by side leave side by side: runs that are neighbours on the
 * chain are cut out at once.
 *
 * Memory use and bounds. 8 bytes in each descriptor, which are private_data elsewhere; 1 KiB a node; at most 4 rows of
 * 64 pages of each kind in a CPU's batches.
 *
 * What failure does. Nothing here allocates or fails. A folio that others hold at the moment stays where it is.
 *
 * Differences from Linux. Batches hold no references, so who asks "am I the only user" need not drain them. Links are
 * distances, not pointers. Activation and deactivation take effect at once, not in batches.
 *
 * Sources. Documentation/mm/unevictable-lru.rst, Documentation/mm/multigen_lru.rst, Documentation/filesystems/proc.rst
 * (meminfo, vmstat) for names and behaviour.
 */
#include "lruvec.h"

#include <octavo/memblock.h>
#include <octavo/pagemap.h>

#include "../base/handle.h"
#include "../base/part.h"
#include "../phys/page_alloc.h"
#include "../sync/rcu.h"
#include "batch.h"

static struct lruvec *lruvecs[MAX_NUMNODES] __memsys;
static const struct lru_policy *policy __memsys = &lru_classic;

const struct lru_policy *lru_policy(void)
{
	return load_acquire(&policy);
}

void lru_policy_set(const struct lru_policy *new)
{
	store_release(&policy, new);
}

const struct lru_vm_ops *lru_vm_ops __memsys;

struct lruvec *node_lruvec(int nid)
{
	return load_acquire(&lruvecs[nid]);
}

struct lruvec *folio_lruvec(const struct folio *folio)
{
	return node_lruvec(page_to_nid(&folio->page));
}

/* ---- Counts ---- */

static unsigned int chain_list(const struct lruvec *vec, unsigned int chain)
{
	if (likely(chain < LRU_CHAIN_GENS))
		return chain;
	return lru_gen_list(vec, chain);
}

void lru_count_list(struct lruvec *vec, enum zone_type zone, unsigned int list, long pages)
{
	struct pglist_data *node = NODE_DATA(vec->nid);
	unsigned long *of_node = &node->stat[NR_INACTIVE_ANON + list];
	unsigned long *of_zone = &node->node_zones[zone].stat[NR_ZONE_INACTIVE_ANON + list];

	octavo_static_assert(NR_INACTIVE_ANON + LRU_UNEVICTABLE == NR_UNEVICTABLE &&
				     NR_ZONE_INACTIVE_ANON + LRU_UNEVICTABLE == NR_ZONE_UNEVICTABLE,
			     "counters are in the order of the lists");
	/* All who write these hold the lock. */
	store_relaxed(of_node, *of_node + (unsigned long)pages);
	store_relaxed(of_zone, *of_zone + (unsigned long)pages);
}

void lru_count(struct lruvec *vec, enum zone_type zone, unsigned int chain, long pages)
{
	unsigned long *of_chain = &vec->chains[chain].pages;

	store_relaxed(of_chain, *of_chain + (unsigned long)pages);
	lru_count_list(vec, zone, chain_list(vec, chain), pages);
}

static force_inline void count_isolated(struct lruvec *vec, enum node_stat_item item, long pages)
{
	if (pages)
		atomic_add_relaxed(&NODE_DATA(vec->nid)->stat[item], (unsigned long)pages);
}

static force_inline void counts_of_chain_end(struct lruvec *vec, struct lru_counts *counts)
{
	if (counts->pages)
		lru_count(vec, counts->zone, counts->chain, counts->pages);
	counts->pages = 0;
}

void lru_counts_end(struct lruvec *vec, struct lru_counts *counts)
{
	counts_of_chain_end(vec, counts);
	count_isolated(vec, NR_ISOLATED_ANON, counts->isolated[0]);
	count_isolated(vec, NR_ISOLATED_FILE, counts->isolated[1]);
	counts->isolated[0] = counts->isolated[1] = 0;
}

/* @pages more on @chain, or less. */
static force_inline void count_later(struct lruvec *vec, struct lru_counts *counts, enum zone_type zone,
				     unsigned int chain, long pages)
{
	if (unlikely(chain != counts->chain || zone != counts->zone)) {
		counts_of_chain_end(vec, counts);
		counts->chain = chain;
		counts->zone = zone;
	}
	counts->pages += pages;
}

/* ---- On and off. Context: the lock ---- */

void lru_link(struct lruvec *vec, struct folio *folio, bool old)
{
	unsigned int chain = page_chain(&folio->page);

	if (unlikely(old))
		chain_push_old(&vec->chains[chain], &folio->page);
	else
		chain_push(&vec->chains[chain], &folio->page, &folio->page);
	lru_count(vec, page_zonenum(&folio->page), chain, (long)folio_nr_pages(folio));
}

void lru_unlink(struct lruvec *vec, struct folio *folio)
{
	unsigned int chain = page_chain(&folio->page);

	chain_cut(&vec->chains[chain], &folio->page, &folio->page);
	folio->page.private_data = 0;
	lru_count(vec, page_zonenum(&folio->page), chain, -(long)folio_nr_pages(folio));
}

/* The same, counted later. */
static force_inline void link_counted(struct lruvec *vec, struct folio *folio, struct lru_counts *counts)
{
	unsigned int chain = page_chain(&folio->page);

	chain_push(&vec->chains[chain], &folio->page, &folio->page);
	count_later(vec, counts, page_zonenum(&folio->page), chain, (long)folio_nr_pages(folio));
}

static force_inline void unlink_counted(struct lruvec *vec, struct folio *folio, struct lru_counts *counts)
{
	unsigned int chain = page_chain(&folio->page);

	chain_cut(&vec->chains[chain], &folio->page, &folio->page);
	count_later(vec, counts, page_zonenum(&folio->page), chain, -(long)folio_nr_pages(folio));
}

/* Without neighbours it is alone on its chain, or on none. */
static force_inline bool on_chain(const struct lruvec *vec, const struct page *page)
{
	return page->lru_next || page->lru_prev || vec->chains[page_chain(page)].newest == page;
}

bool lru_take(struct lruvec *vec, struct folio *folio)
{
	if (likely(on_chain(vec, &folio->page))) {
		lru_unlink(vec, folio);
		return true;
	}
	return lru_batch_remove(&folio->page);
}

static force_inline void choose_place(struct lruvec *vec, struct folio *folio)
{
	const struct lru_policy *p = lru_policy();

	/* Who let go of it may have looked before it was found unevictable, so it is asked again whether it is. */
	if (unlikely(PageMlocked(&folio->page) || (PageUnevictable(&folio->page) && !folio_evictable(folio)))) {
		if (PageActive(&folio->page))
			ClearPageActive(&folio->page);
		SetPageUnevictable(&folio->page);
	} else {
		p->add(vec, folio);
	}
}

void lru_place(struct lruvec *vec, struct folio *folio)
{
	choose_place(vec, folio);
	lru_link(vec, folio, false);
}

/* A folio that leaves keeps nothing of where it was, but for PG_active, which its return goes by. */
static force_inline void leave(struct lruvec *vec, struct folio *folio)
{
	const struct lru_policy *p = lru_policy();

	if (p->del)
		p->del(vec, folio);
	if (unlikely(page_gen(&folio->page)))
		page_set_gen(&folio->page, 0);
}

/* ---- Additions ---- */

static void add_now(struct folio *folio)
{
	struct lruvec *vec = folio_lruvec(folio);
	unsigned long flags;

	lru_lock(vec, &flags);
	SetPageLRU(&folio->page);
	lru_place(vec, folio);
	lru_unlock(vec, flags);
}

void folio_add_lru(struct folio *folio)
{
	const u32 special = 1u << PG_head | 1u << PG_active | 1u << PG_mlocked | 1u << PG_unevictable |
			    1u << PG_workingset;

	if (unlikely(PageLRU(&folio->page)))
		return;
	folio->page.private_data = 0;
	if (unlikely(load_relaxed(&folio->page.flags) & special)) {
		add_now(folio);
		return;
	}
	SetPageLRU(&folio->page);
	lru_add_fresh(&folio->page, PageSwapBacked(&folio->page) ? LRU_FRESH_ANON : LRU_FRESH_FILE);
}

void folio_add_lru_vma(struct folio *folio, struct vm_area_struct *vma)
{
	(void)vma; /* pages of locked VMAs are mlocked once they are mapped: mlock_vma_page() */
	folio_add_lru(folio);
}

/* ---- Isolation ---- */

/* Context: the lock, a reference. It is off the lists, and to be counted as isolated. */
static force_inline void isolated_counted(struct lruvec *vec, struct folio *folio, struct lru_counts *counts)
{
	bool file = folio_is_file_lru(folio);

	leave(vec, folio);
	ClearPageLRU(&folio->page);
	folio->page.private_data = file; /* what it was counted as */
	counts->isolated[file] += (long)folio_nr_pages(folio);
}

bool folio_isolate_lru(struct folio *folio)
{
	struct lruvec *vec = folio_lruvec(folio);
	struct lru_counts counts = { 0 };
	unsigned long flags;
	bool taken;

	if (!PageLRU(&folio->page))
		return false;
	lru_lock(vec, &flags);
	taken = PageLRU(&folio->page) && lru_take(vec, folio);
	if (taken) {
		folio_get(folio);
		isolated_counted(vec, folio, &counts);
		lru_counts_end(vec, &counts);
	}
	lru_unlock(vec, flags);
	return taken;
}

/* Folios of one node. */
static unsigned int isolate_some(struct lruvec *vec, struct folio **folios, unsigned int nr)
{
	struct lru_counts counts = { 0 };
	unsigned int n = 0;
	unsigned long flags;

	lru_lock(vec, &flags);
	for (unsigned int i = 0; i < nr; i++) {
		struct folio *folio = folios[i];

		if (unlikely(!PageLRU(&folio->page)))
			continue;
		if (likely(on_chain(vec, &folio->page)))
			unlink_counted(vec, folio, &counts);
		else if (!lru_batch_remove(&folio->page))
			continue;
		isolated_counted(vec, folio, &counts);
		folios[i] = folios[n];
		folios[n++] = folio;
	}
	lru_counts_end(vec, &counts);
	lru_unlock(vec, flags);
	return n;
}

unsigned int folio_isolate_batch(struct folio **folios, unsigned int nr)
{
	unsigned int isolated = 0;

	for (unsigned int i = 0, n; i < nr; i += n) {
		int nid = page_to_nid(&folios[i]->page);
		unsigned int some;

		for (n = 1; i + n < nr && page_to_nid(&folios[i + n]->page) == nid; n++)
			;
		some = isolate_some(node_lruvec(nid), folios + i, n);
		for (unsigned int j = 0; unlikely(isolated != i) && j < some; j++) {
			struct folio *folio = folios[i + j];

			folios[i + j] = folios[isolated + j];
			folios[isolated + j] = folio;
		}
		isolated += some;
	}
	return isolated;
}

bool lru_isolate_page(struct lruvec *vec, struct page *page, struct lru_counts *counts)
{
	struct folio *folio = (struct folio *)page;

	if (!get_page_unless_zero(page))
		return false;
	unlink_counted(vec, folio, counts);
	isolated_counted(vec, folio, counts);
	return true;
}

void lru_putback(struct lruvec *vec, struct folio **folios, const enum lru_verdict *verdicts, unsigned int nr)
{
	struct lru_counts counts = { 0 };
	unsigned long flags;
	long activated = 0;

	lru_lock(vec, &flags);
	for (unsigned int i = 0; i < nr; i++) {
		struct folio *folio = folios[i];
		enum lru_verdict verdict = verdicts ? verdicts[i] : LRU_KEEP;

		counts.isolated[folio->page.private_data & 1] -= (long)folio_nr_pages(folio);
		folio->page.private_data = 0;
		if (verdict == LRU_FREED)
			continue;
		if (verdict == LRU_ACTIVATE) {
			SetPageActive(&folio->page);
			activated += (long)folio_nr_pages(folio);
		}
		SetPageLRU(&folio->page);
		choose_place(vec, folio);
		link_counted(vec, folio, &counts);
	}
	lru_counts_end(vec, &counts);
	lru_unlock(vec, flags);
	if (activated)
		count_vm_events(PGACTIVATE, (unsigned long)activated);
	/* Of a folio of which this is the last reference this takes it off again. */
	release_pages((struct page *const *)folios, nr);
}

void folio_putback_lru(struct folio *folio)
{
	lru_putback(folio_lruvec(folio), &folio, NULL, 1);
}

void folio_isolated_free(struct folio *folio)
{
	enum lru_verdict freed = LRU_FREED;

	lru_putback(folio_lruvec(folio), &folio, &freed, 1);
}

/* ---- Moves. Context of all: a reference ---- */

/*
 * Off its chain, changed by @change, and back on the chain that it belongs on then. @else_change: what is changed of
 * one that is not on the lists, while nobody puts it there; may be NULL. Return: it was.
 */
static bool move_or(struct folio *folio, void (*change)(struct lruvec *vec, struct folio *folio), bool old,
		    void (*else_change)(struct folio *folio))
{
	struct lruvec *vec = folio_lruvec(folio);
	unsigned long flags;
	bool moved;

	lru_lock(vec, &flags);
	moved = PageLRU(&folio->page) && lru_take(vec, folio);
	if (moved) {
		leave(vec, folio);
		change(vec, folio);
		lru_link(vec, folio, old);
	} else if (else_change) {
		else_change(folio);
	}
	lru_unlock(vec, flags);
	return moved;
}

static bool move(struct folio *folio, void (*change)(struct lruvec *vec, struct folio *folio), bool old)
{
	return move_or(folio, change, old, NULL);
}

static void activate(struct lruvec *vec, struct folio *folio)
{
	if (!PageUnevictable(&folio->page)) {
		SetPageActive(&folio->page);
		lru_policy()->add(vec, folio);
	}
}

void folio_activate(struct folio *folio)
{
	/* Of a folio of a generation PG_active says how often it was used (gen.c). */
	if ((PageActive(&folio->page) && !page_gen(&folio->page)) || PageUnevictable(&folio->page))
		return;
	if (move(folio, activate, false))
		count_vm_events(PGACTIVATE, folio_nr_pages(folio));
}

void folio_mark_accessed(struct folio *folio)
{
	lru_policy()->accessed(folio);
}

static void deactivate(struct lruvec *vec, struct folio *folio)
{
	if (PageUnevictable(&folio->page))
		return;
	if (PageActive(&folio->page))
		ClearPageActive(&folio->page);
	if (PageReferenced(&folio->page))
		ClearPageReferenced(&folio->page);
	lru_policy()->deactivate(vec, folio);
}

void folio_deactivate(struct folio *folio)
{
	bool active = PageActive(&folio->page);

	if (PageUnevictable(&folio->page) || PageMlocked(&folio->page))
		return;
	if (move(folio, deactivate, false) && active)
		count_vm_events(PGDEACTIVATE, folio_nr_pages(folio));
}

static void make_lazyfree(struct lruvec *vec, struct folio *folio)
{
	ClearPageSwapBacked(&folio->page);
	deactivate(vec, folio);
}

void folio_mark_lazyfree(struct folio *folio)
{
	if (!PageSwapBacked(&folio->page) || PageSwapCache(&folio->page) || PageUnevictable(&folio->page) ||
	    PageMlocked(&folio->page))
		return;
	if (move(folio, make_lazyfree, false))
		count_vm_events(PGLAZYFREE, folio_nr_pages(folio));
}

static void make_swapbacked(struct lruvec *vec, struct folio *folio)
{
	SetPageSwapBacked(&folio->page);
	if (!PageUnevictable(&folio->page))
		lru_policy()->add(vec, folio);
}

static void mark_swapbacked(struct folio *folio)
{
	SetPageSwapBacked(&folio->page);
}

void folio_set_swapbacked(struct folio *folio)
{
	if (!PageSwapBacked(&folio->page))
		(void)move_or(folio, make_swapbacked, false, mark_swapbacked);
}

void folio_rotate_reclaimable(struct folio *folio)
{
	/* PG_active as well: reclaim puts those that it waits for among the active ones, out of its way. */
	if (PageLocked(&folio->page) || PageDirty(&folio->page) || PageUnevictable(&folio->page))
		return;
	if (move(folio, deactivate, true))
		count_vm_events(PGROTATED, folio_nr_pages(folio));
}

/* ---- Folios that may not go ---- */

static bool mapping_is_unevictable(const struct folio *folio)
{
	u32 handle = (u32)(whole_load(&folio->page.mapping_index) >> PAGE_INDEX_BITS);
	struct address_space *mapping;
	bool unevictable = false;

	if (!handle || handle & PAGE_MAPPING_ANON)
		return false;
	rcu_read_lock();
	mapping = handle_object(handle);
	if (mapping)
		unevictable = load_relaxed(&mapping->flags) >> AS_UNEVICTABLE & 1;
	rcu_read_unlock();
	return unevictable;
}

bool folio_evictable(const struct folio *folio)
{
	return !PageMlocked(&folio->page) && !mapping_is_unevictable(folio);
}

void folio_cull(struct folio *folio)
{
	if (!TestSetPageUnevictable(&folio->page))
		count_vm_events(UNEVICTABLE_PGCULLED, folio_nr_pages(folio));
}

static void make_unevictable(struct lruvec *vec, struct folio *folio)
{
	(void)vec;
	if (PageActive(&folio->page))
		ClearPageActive(&folio->page);
	SetPageUnevictable(&folio->page);
}

void folio_lru_mlock(struct folio *folio)
{
	count_vm_events(UNEVICTABLE_PGMLOCKED, folio_nr_pages(folio));
	if (!PageUnevictable(&folio->page))
		(void)move(folio, make_unevictable, false);
}

static void make_evictable(struct lruvec *vec, struct folio *folio)
{
	/* Somebody else may have locked it since, or rescued it. */
	if (PageUnevictable(&folio->page)) {
		if (PageMlocked(&folio->page))
			return;
		ClearPageUnevictable(&folio->page);
		count_vm_events(UNEVICTABLE_PGRESCUED, folio_nr_pages(folio));
	}
	lru_policy()->add(vec, folio);
}

/* Isolated: it is put back by what it is then. */
static void mark_evictable(struct folio *folio)
{
	if (!PageMlocked(&folio->page))
		ClearPageUnevictable(&folio->page);
}

void folio_rescue(struct folio *folio)
{
	if (PageUnevictable(&folio->page))
		(void)move_or(folio, make_evictable, false, mark_evictable);
}

void folio_lru_munlock(struct folio *folio)
{
	count_vm_events(UNEVICTABLE_PGMUNLOCKED, folio_nr_pages(folio));
	if (!PageLRU(&folio->page))
		count_vm_events(UNEVICTABLE_PGSTRANDED, folio_nr_pages(folio));
	if (!mapping_is_unevictable(folio))
		folio_rescue(folio);
}

/* ---- The way out ---- */

/* Its last reference is gone: what free_pages_ok() must not find on it goes, too. */
static void gone(struct page *page, unsigned int order)
{
	const u32 mine = 1u << PG_lru | 1u << PG_active | 1u << PG_unevictable;
	struct lruvec *vec = node_lruvec(page_to_nid(page));
	unsigned long flags;

	lru_lock(vec, &flags);
	if (PageLRU(page)) {
		unsigned int chain = page_chain(page);

		if (on_chain(vec, page)) {
			chain_cut(&vec->chains[chain], page, page);
			lru_count(vec, page_zonenum(page), chain, -(1l << order));
		} else {
			(void)lru_batch_remove(page);
		}
	}
	leave(vec, (struct folio *)page);
	page->private_data = 0;
	(void)atomic_fetch_and(&page->flags, ~mine);
	lru_unlock(vec, flags);
}

static const struct lru_hooks hooks = { .gone = gone, .release = lru_release };

/* ---- Start ---- */

/* Every node that will ever have memory has its data by now. */
static int lru_early(const struct bootinfo *info)
{
	(void)info;
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		struct lruvec *vec;

		if (!NODE_DATA(nid))
			continue;
		vec = memblock_alloc_node(sizeof(*vec), SMP_CACHE_BYTES, nid);
		if (!vec)
			return -ENOMEM;
		vec->nid = nid;
		spin_lock_init(&vec->lock, LOCK_RANK_LRU);
		lruvecs[nid] = vec;
	}
	lru_hooks = &hooks;
	return 0;
}

static void cpu_dead(unsigned int cpu)
{
	lru_batches_drain_cpu(cpu);
}

MM_PART(lru, .order = MM_PART_LRU, .early = lru_early, .cpu_dead = cpu_dead);
