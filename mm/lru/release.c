// SPDX-License-Identifier: MIT
/*
 * The last references of many pages that are on the lists: what munmap() and exit give back, by the row. The theory is
 * in lru.c ("The way out").
 */
#include "../phys/page_fresh.h"
#include "batch.h"
#include "lruvec.h"

/* What says on which chain a page is. Pages with other flags than the first of a row are the next row. */
#define KIND_FLAGS (1u << PG_lru | 1u << PG_active | 1u << PG_unevictable | 1u << PG_swapbacked)
#define KIND_IDS (0xffffu << (PAGE_ZONE_BITS + PAGE_NODE_BITS) & 0xffffu)

/* Pages that go, neighbours on the chain, oldest and newest; NULL: none. */
struct run {
	struct page *oldest, *newest;
};

static force_inline void run_end(struct lru_chain *chain, struct run *run)
{
	if (run->newest)
		chain_cut(chain, run->oldest, run->newest);
	run->newest = NULL;
}

/* @page goes. Return: false: it is on no chain but in a batch. */
static force_inline bool run_add(struct lru_chain *chain, struct run *run, struct page *page)
{
	if (likely(run->newest == page - 1 && run->newest && run->newest->lru_prev == 1)) {
		run->newest = page;
		return true;
	}
	run_end(chain, run);
	if (unlikely(!page->lru_next && !page->lru_prev && chain->newest != page))
		return false;
	run->oldest = page;
	run->newest = page;
	return true;
}

static u64 kind_of(const struct page *page, u64 fresh)
{
	struct page kind = { .flags = load_relaxed(&page->flags) & KIND_FLAGS,
			     .ids = (u16)(load_relaxed(&page->ids) & KIND_IDS) };

	return fresh | kind.state;
}

unsigned long lru_release(struct page *const *pages, unsigned long nr, u64 fresh, u64 *mask)
{
	unsigned long row = page_to_pfn(pages[0]) >> ROW_ORDER, i, flags, n = 0;
	struct lruvec *vec = node_lruvec(page_to_nid(pages[0]));
	struct run run = { NULL, NULL };
	struct lru_chain *chain;
	unsigned int number;
	u64 batched = 0, kind;

	lru_lock(vec, &flags);
	kind = kind_of(pages[0], fresh);
	number = page_chain(pages[0]);
	chain = &vec->chains[number];
	for (i = 0; i < nr; i++) {
		struct page *page = pages[i];
		unsigned long pfn = page_to_pfn(page);

		if (pfn >> ROW_ORDER != row || load_acquire(&page->_refcount) != 1 ||
		    !user_state_is(page, kind, FLAGS_USER & ~KIND_FLAGS) ||
		    load_relaxed(&page->_mapcount) != -1 ||
		    (page->mapping_index && !(page_mapping_handle(page) & PAGE_MAPPING_ANON)))
			break;
		if (unlikely(atomic_sub_fetch(&page->_refcount, 1)))
			continue;
		if (likely(run_add(chain, &run, page)))
			n++;
		else
			batched |= 1ull << pfn % ROW_FRAMES;
		page->mapping_index = 0;
		page_set_fresh(page, fresh);
		*mask |= 1ull << pfn % ROW_FRAMES;
	}
	run_end(chain, &run);
	if (n)
		lru_count(vec, page_zonenum(pages[0]), number, -(long)n);
	if (batched)
		(void)lru_batch_remove_row(pages[0] - page_to_pfn(pages[0]) % ROW_FRAMES, batched);
	lru_unlock(vec, flags);
	return i;
}
