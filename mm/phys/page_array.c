// SPDX-License-Identifier: MIT
/* Many single pages at once: those that are in the plainest state, in one go; each other as if it came alone. */
#include "page_fresh.h"
#include "page_report.h"

unsigned long prep_new_pages(struct zone *zone, const unsigned long *pfns, unsigned long nr, gfp_t gfp,
			     struct page **pages)
{
	bool plain = !((gfp & __GFP_ZERO) | READ_ONCE(alloc_hooks));
	u64 fresh = READ_ONCE(zone->fresh);
	unsigned long done = 0;

	for (unsigned long i = 0; i < nr; i++) {
		struct page *page = pfn_to_page(pfns[i]);

		if (likely(plain && state_is(page, fresh) && page->counts == FRESH_COUNTS)) {
			page->private_data = 0;
			page->mapping_index = 0;
			set_page_count(page, 1);
		} else {
			page = prep_new_page(zone, pfns[i], 0, gfp);
			if (!page)
				continue;
		}
		pages[done++] = page;
	}
	return done;
}

/*
 * Pages of one row and zone, from pages[0] on, of which the caller holds the only reference: a bit for each in *@mask.
 * The count comes before the state: who poisons a page has a reference, so behind a count of 1 the mark can be seen.
 * Return: how many.
 */
static force_inline unsigned long plain_row(struct page *const *pages, unsigned long nr, u64 fresh, u64 *mask)
{
	unsigned long row = page_to_pfn(pages[0]) >> ROW_ORDER, i;

	for (i = 0; i < nr; i++) {
		struct page *page = pages[i];
		unsigned long pfn = page_to_pfn(page);

		if (pfn >> ROW_ORDER != row || load_acquire(&page->_refcount) != 1 || !state_is(page, fresh) ||
		    page->_mapcount != -1 || page->mapping_index)
			break;
		if (likely(atomic_sub_fetch(&page->_refcount, 1) == 0))
			*mask |= 1ull << pfn % ROW_FRAMES;
	}
	return i;
}

static void put_row(struct zone *zone, unsigned long base, u64 mask)
{
	/* The first one opens the row if it was another's. */
	for (; mask && !frame_put_back(zone, base, mask); mask &= mask - 1) {
		unsigned long pfn = base + lowest_bit(mask);

		if (unlikely(!frame_free(zone, pfn, 0)))
			bad_page(pfn_to_page(pfn), "freed twice: frame is free already");
	}
}

void free_page_array(struct page *const *pages, unsigned long nr)
{
	while (nr) {
		unsigned long pfn = page_to_pfn(pages[0]), done = 0;
		struct zone *zone = page_zones[load_relaxed(&pages[0]->ids) & (ARRAY_SIZE(page_zones) - 1)];
		u64 mask = 0;

		if (likely(pfn < page_alloc_pfn_limit))
			done = plain_row(pages, nr, READ_ONCE(zone->fresh), &mask);
		if (mask)
			put_row(zone, pfn & ~(unsigned long)(ROW_FRAMES - 1), mask);
		if (unlikely(!done)) {
			__free_pages(pages[0], 0);
			done = 1;
		}
		pages += done;
		nr -= done;
	}
}

/* ---- Pages that were mapped ---- */

/* As plain_row(): whoever takes the last reference makes the descriptor fresh. */
static force_inline unsigned long user_row(struct page *const *pages, unsigned long nr, u64 fresh, u64 *mask)
{
	unsigned long row = page_to_pfn(pages[0]) >> ROW_ORDER, i;

	for (i = 0; i < nr; i++) {
		struct page *page = pages[i];
		unsigned long pfn = page_to_pfn(page);

		if (pfn >> ROW_ORDER != row || load_acquire(&page->_refcount) != 1 ||
		    !user_state_is(page, fresh, FLAGS_USER) ||
		    load_relaxed(&page->_mapcount) != -1 ||
		    (page->mapping_index && !(page_mapping_handle(page) & PAGE_MAPPING_ANON)))
			break;
		if (unlikely(atomic_sub_fetch(&page->_refcount, 1)))
			continue;
		page->mapping_index = 0;
		store_relaxed(&page->flags, FLAGS_FRESH);
		*mask |= 1ull << pfn % ROW_FRAMES;
	}
	return i;
}

/* References to one folio, one behind the other, go at once. Return: how many. */
static unsigned long put_folio_run(struct page *const *pages, unsigned long nr)
{
	struct page *head = compound_head(pages[0]);
	unsigned long n = 1;

	while (n < nr && compound_head(pages[n]) == head)
		n++;
	if (n > 1)
		(void)atomic_fetch_sub(&head->_refcount, (s32)(n - 1));
	put_page(head);
	return n;
}

void release_pages(struct page *const *pages, unsigned long nr)
{
	while (nr) {
		unsigned long pfn = page_to_pfn(pages[0]), done = 0;
		struct zone *zone = page_zones[load_relaxed(&pages[0]->ids) & (ARRAY_SIZE(page_zones) - 1)];
		u64 mask = 0;

		if (likely(pfn < page_alloc_pfn_limit))
			done = PageLRU(pages[0]) ? lru_hooks->release(pages, nr, READ_ONCE(zone->fresh), &mask) :
						   user_row(pages, nr, READ_ONCE(zone->fresh), &mask);
		if (mask)
			put_row(zone, pfn & ~(unsigned long)(ROW_FRAMES - 1), mask);
		if (unlikely(!done))
			done = put_folio_run(pages, nr);
		pages += done;
		nr -= done;
	}
}
