// SPDX-License-Identifier: MIT
/*
 * Compound pages whose tails are made once.
 *
 * Purpose
 *	A compound page of order 9 has 511 tails, and compound_head() must find the head from any of them. To
 *	write them at each allocation would cost thousands of instructions; here a tail's mark outlives the
 *	compound page, and the next one in the same place finds it made.
 *
 * Words
 *	mark of p: PAGE_TAIL_MARK and an order k in p->order. It leads to p rounded down to 2^k.
 *	ready order r of h: h->tails_ready; the pages h + 1 ... h + 2^r - 1 carry marks that lead to h.
 *
 * Structures
 *	order-9 page at h, freed, then h + 8 taken alone:
 *	  h       h+1 ... h+7   h+8      h+9 ... h+511
 *	  r=9->3  mark 9        cleared  mark 9 (stale: h is ready for order 3 at most)
 *
 * Invariants
 *	PA-I1  a page with ready order r has r orders' worth of marked pages behind it, none of them with a
 *	       ready order of its own.
 *	PA-I2  an allocated block's first page carries no mark.
 *	PA-I3  a mark that leads to a page with PG_head and an order that reaches as far is that of its tail: by
 *	       PA-I1 at the time the head was made, and because a frame is in one block at a time. Any other mark
 *	       means nothing, and compound_head() says so.
 *
 * Locking
 *	Who took a block's frames owns the "order" bytes in it. tails_ready of a head outside the block may be
 *	lowered by anyone who takes a frame behind it, hence with compare-and-exchange; it never drops below the
 *	order of a block that somebody owns there, since the frame lies beyond that block.
 *
 * Differences from Linux
 *	Linux stores a pointer to the head in each tail when the compound page is made and clears it when it is freed.
 */
#include "compound.h"

#include "../sync/atomic.h"

void page_unmark_tail(struct page *page)
{
	unsigned int mark = load_relaxed(&page->order);
	unsigned long offset = page_to_pfn(page) & ((1ul << (mark & PAGE_ORDER_MASK)) - 1);
	struct page *head = page - offset;
	u8 reach = (u8)ilog2(offset);
	u8 ready = load_relaxed(&head->tails_ready);

	while (ready > reach) {
		u8 seen = atomic_cmpxchg(&head->tails_ready, ready, reach);

		if (seen == ready)
			break;
		ready = seen;
	}
	store_relaxed(&page->order, 0);
}

void prep_compound_page(struct page *page, unsigned int order)
{
	if (load_relaxed(&page->tails_ready) < order) {
		u8 mark = (u8)(PAGE_TAIL_MARK | order);

		for (unsigned long i = 1; i < 1ul << order; i++) {
			store_relaxed(&page[i].order, mark);
			store_relaxed(&page[i].tails_ready, 0);
		}
		store_relaxed(&page->tails_ready, (u8)order);
	}
	store_relaxed(&page->order, (u8)order);
	__SetPageHead(page);
}
