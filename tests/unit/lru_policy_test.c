// SPDX-License-Identifier: MIT
/*
 * A policy of one's own: first in, first out, on the inactive lists that are there. It is all that struct lru_policy
 * asks for, and the example of docs/reclaim.md.
 */

#include "harness.h"
#include "mm/lru/lruvec.h"
#include "mm/vm/gup.h"
#include "tasks.h"

static void fifo_add(struct lruvec *vec, struct folio *folio)
{
	(void)vec;
	if (PageActive(&folio->page))
		ClearPageActive(&folio->page);
	if (PageUnevictable(&folio->page))
		ClearPageUnevictable(&folio->page);
}

static void fifo_accessed(struct folio *folio)
{
	(void)folio;
}

static void fifo_deactivate(struct lruvec *vec, struct folio *folio)
{
	(void)vec;
	(void)folio;
}

static void fifo_age(struct lruvec *vec, const struct lru_scan *scan)
{
	(void)vec;
	(void)scan;
}

static void fifo_choose(struct lruvec *vec, const struct lru_scan *scan, unsigned long nr[2])
{
	nr[0] = scan->may_swap ? vec->chains[LRU_INACTIVE_ANON].pages >> scan->priority : 0;
	nr[1] = vec->chains[LRU_INACTIVE_FILE].pages >> scan->priority;
}

static unsigned int fifo_isolate(struct lruvec *vec, struct lru_scan *scan, bool file_pages, struct folio **out,
				 unsigned int max, unsigned long *scanned)
{
	struct lru_chain *chain = &vec->chains[file_pages ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON];
	struct lru_counts counts = { 0 };
	unsigned long flags;
	unsigned int n = 0;

	(void)scan;
	lru_lock(vec, &flags);
	while (n < max && chain->oldest) {
		struct page *page = chain->oldest;

		if (!lru_isolate_page(vec, page, &counts))
			break;
		*scanned += folio_nr_pages((struct folio *)page);
		out[n++] = (struct folio *)page;
	}
	lru_counts_end(vec, &counts);
	lru_unlock(vec, flags);
	return n;
}

static unsigned long fifo_eviction(struct lruvec *vec, struct folio *folio)
{
	(void)vec;
	(void)folio;
	return 0;
}

static const struct lru_policy fifo = {
	.name = "fifo",
	.add = fifo_add,
	.accessed = fifo_accessed,
	.deactivate = fifo_deactivate,
	.age = fifo_age,
	.choose = fifo_choose,
	.isolate = fifo_isolate,
	.putback = lru_putback,
	.eviction = fifo_eviction,
};

/* ---- It works ---- */

static struct test_process p;

TEST(lru_policy, first_in_first_out)
{
	struct folio *out[8], *first;
	unsigned long scanned = 0;
	uintptr_t at;
	int err;

	ASSERT(test_process_start(&p));
	lru_add_drain_all();
	at = test_map(0, 100 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	for (unsigned long i = 0; i < 100; i++)
		EXPECT_EQ(test_user_write(at + i * PAGE_SIZE, "x", 1), 1);
	first = page_folio(follow_page(find_vma(p.task.mm, at), at, 0, &err));
	folio_activate(first);
	EXPECT_EQ(lru_policy_switch(&fifo), 0);
	EXPECT(lru_policy() == &fifo);
	expect_verified();
	EXPECT(!PageActive(&first->page));
	folio_mark_accessed(first);
	for_each_lruvec (vec) {
		struct lru_scan scan = { .node = NODE_DATA(vec->nid), .may_swap = true, .priority = 1 };
		unsigned long nr[2], was = vec->chains[LRU_INACTIVE_ANON].pages;
		struct page *oldest = vec->chains[LRU_INACTIVE_ANON].oldest;
		unsigned int n;

		lru_policy()->choose(vec, &scan, nr);
		EXPECT_EQ(nr[0], was / 2);
		n = lru_policy()->isolate(vec, &scan, false, out, ARRAY_SIZE(out), &scanned);
		EXPECT_EQ(n, min(was, (unsigned long)ARRAY_SIZE(out)));
		EXPECT(!n || out[0] == (struct folio *)oldest);
		lru_policy()->putback(vec, out, NULL, n);
	}
	EXPECT(scanned);
	expect_verified();
	EXPECT_EQ(lru_policy_switch(&lru_classic), 0);
	expect_verified();
	test_process_exit(&p);
}

/* vm.swappiness 0: no swap as long as files have pages; but rather swap than that somebody is killed. */
TEST(lru_policy, without_swappiness_anon_goes_when_files_are_gone)
{
	static const struct lru_policy *const policies[] = { &lru_classic, &lru_gen };
	unsigned int looked = 0;
	uintptr_t at;

	ASSERT(test_process_start(&p));
	at = test_map(0, 100 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	for (unsigned long i = 0; i < 100; i++)
		EXPECT_EQ(test_user_write(at + i * PAGE_SIZE, "x", 1), 1);
	lru_add_drain_all();
	for (unsigned int i = 0; i < ARRAY_SIZE(policies); i++) {
		EXPECT_EQ(lru_policy_switch(policies[i]), 0);
		for_each_lruvec (vec) {
			struct lru_scan scan = { .node = NODE_DATA(vec->nid), .may_swap = true, .priority = 1 };
			unsigned long nr[2], anon = node_page_state(NODE_DATA(vec->nid), NR_INACTIVE_ANON) +
						    node_page_state(NODE_DATA(vec->nid), NR_ACTIVE_ANON);

			scan.highest = (enum zone_type)(MAX_NR_ZONES - 1);
			lru_policy()->choose(vec, &scan, nr);
			EXPECT_EQ(nr[0], 0);
			scan.priority = 0;
			lru_policy()->choose(vec, &scan, nr);
			EXPECT_EQ(nr[0], 0);
			scan.file_is_tiny = true;
			scan.priority = 1;
			lru_policy()->choose(vec, &scan, nr);
			EXPECT(nr[0] >= anon / 2);
			EXPECT_EQ(nr[1], 0);
			looked += anon != 0;
		}
	}
	EXPECT(looked >= ARRAY_SIZE(policies));
	EXPECT_EQ(lru_policy_switch(&lru_classic), 0);
	test_process_exit(&p);
}
