// SPDX-License-Identifier: MIT
/*
 * LR-I1 to LR-I4 and LR-I6, while nobody is at work: every list from both ends, every batch, and every page of every
 * zone.
 */
#include <octavo/numa.h>

#include "../base/findings.h"
#include "../base/part.h"
#include "batch.h"
#include "lruvec.h"

struct verify {
	struct findings *f;
	struct lruvec *vec;
	unsigned long on_chains, in_batches; /* folios */
	unsigned long pages[NR_LRU_LISTS][MAX_NR_ZONES];
};

static const char *const list_names[NR_LRU_LISTS] = { "inactive_anon", "active_anon", "inactive_file", "active_file",
						       "unevictable" };

static enum lru_list counted_as(const struct lruvec *vec, unsigned int chain)
{
	return chain < LRU_CHAIN_GENS ? (enum lru_list)chain : lru_gen_list(vec, chain);
}

static void check_folio(struct verify *v, struct page *page, unsigned int chain)
{
	unsigned long pfn = page_to_pfn(page);

	if (!PageLRU(page))
		finding(v->f, "LR-I2: pfn 0x%lx on chain %u of node %d without PG_lru", pfn, chain, v->vec->nid);
	if (page_to_nid(page) != v->vec->nid || page_chain(page) != chain)
		finding(v->f, "LR-I1: pfn 0x%lx on chain %u of node %d belongs on chain %u of node %d", pfn, chain,
			v->vec->nid, page_chain(page), page_to_nid(page));
	if (page_ref_count(page) <= 0)
		finding(v->f, "LR-I2: pfn 0x%lx on chain %u of node %d is free", pfn, chain, v->vec->nid);
}

static bool nobody_looks_at(unsigned int chain)
{
	return (lru_policy() == &lru_gen && chain < LRU_UNEVICTABLE) ||
	       (lru_policy() == &lru_classic && chain >= LRU_CHAIN_GENS);
}

static void check_chain(struct verify *v, unsigned int chain)
{
	const struct lru_chain *c = &v->vec->chains[chain];
	unsigned long pages = 0, most = v->vec->chains[chain].pages + 1;
	struct page *page = c->newest, *before = NULL;

	for (; page && most; page = lru_older(page), most--) {
		if (lru_newer(page) != before) {
			finding(v->f, "LR-I1: pfn 0x%lx on chain %u of node %d is not linked both ways",
				page_to_pfn(page), chain, v->vec->nid);
			return;
		}
		check_folio(v, page, chain);
		v->on_chains++;
		pages += folio_nr_pages((struct folio *)page);
		v->pages[counted_as(v->vec, chain)][page_zonenum(page)] += folio_nr_pages((struct folio *)page);
		before = page;
	}
	if (c->newest && nobody_looks_at(chain))
		finding(v->f, "LR-I6: chain %u of node %d is not empty, and policy %s does not look there", chain,
			v->vec->nid, lru_policy()->name);
	if (before != c->oldest && !page)
		finding(v->f, "LR-I1: chain %u of node %d ends elsewhere than at its oldest", chain, v->vec->nid);
	if (page || pages != c->pages)
		finding(v->f, "LR-I3: chain %u of node %d has %s%lu pages, counted are %lu", chain, v->vec->nid,
			page ? "more than " : "", pages, c->pages);
}

static void check_counters(struct verify *v)
{
	const struct pglist_data *node = NODE_DATA(v->vec->nid);

	for (unsigned int list = 0; list < NR_LRU_LISTS; list++) {
		unsigned long all = 0, is;

		for (unsigned int zone = 0; zone < MAX_NR_ZONES; zone++) {
			is = zone_page_state_snapshot(&node->node_zones[zone], NR_ZONE_INACTIVE_ANON + list);
			all += v->pages[list][zone];
			if (is != v->pages[list][zone])
				finding(v->f, "LR-I3: zone %u of node %d: nr_zone_%s is %lu, on the lists are %lu",
					zone, v->vec->nid, list_names[list], is, v->pages[list][zone]);
		}
		is = node_page_state(node, NR_INACTIVE_ANON + list);
		if (is != all)
			finding(v->f, "LR-I3: node %d: nr_%s is %lu, on the lists are %lu", v->vec->nid,
				list_names[list], is, all);
	}
	for (unsigned int file = 0; file < 2; file++)
		if (node->stat[NR_ISOLATED_ANON + file])
			finding(v->f, "LR-I4: node %d: nr_isolated_%s is %ld", v->vec->nid, file ? "file" : "anon",
				(long)node->stat[NR_ISOLATED_ANON + file]);
}

static void check_batched(void *arg, struct page *page)
{
	struct verify *v = arg;

	v->in_batches++;
	if (!PageLRU(page) || page->lru_next || page->lru_prev)
		finding(v->f, "LR-I1: pfn 0x%lx is in a batch %s", page_to_pfn(page),
			PageLRU(page) ? "and on a chain" : "without PG_lru");
	if (page_ref_count(page) <= 0)
		finding(v->f, "LR-I2: pfn 0x%lx in a batch is free", page_to_pfn(page));
}

/* Folios that say of themselves that they are on the lists. */
static unsigned long count_marked(const struct zone *zone)
{
	unsigned long n = 0, end = zone_end_pfn(zone);

	for (unsigned long pfn = zone->zone_start_pfn; pfn < end; pfn++) {
		const struct page *page;

		if (!pfn_valid(pfn) || !page_test_flag(pfn_to_page(pfn), PG_init)) {
			pfn = ALIGN_DOWN(pfn, pageblock_nr_pages) + pageblock_nr_pages - 1;
			continue;
		}
		page = pfn_to_page(pfn);
		n += PageLRU(page) && page_to_nid(page) == zone->node && page_zonenum(page) == zone->type;
	}
	return n;
}

static void lru_verify(struct findings *f)
{
	struct verify v = { .f = f };
	unsigned long marked = 0;

	for_each_lruvec (vec) {
		v.vec = vec;
		for (unsigned int list = 0; list < NR_LRU_LISTS; list++)
			for (unsigned int zone = 0; zone < MAX_NR_ZONES; zone++)
				v.pages[list][zone] = 0;
		for (unsigned int chain = 0; chain < LRU_CHAINS; chain++)
			check_chain(&v, chain);
		check_counters(&v);
	}
	lru_batches_visit(check_batched, &v);
	for_each_populated_zone(zone)
		marked += count_marked(zone);
	if (marked != v.on_chains + v.in_batches)
		finding(f, "LR-I1: %lu folios have PG_lru, %lu are on chains and %lu in batches", marked, v.on_chains,
			v.in_batches);
}
MM_PART(lru_verify, .order = MM_PART_LRU, .verify = lru_verify);
