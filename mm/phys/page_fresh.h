/* SPDX-License-Identifier: MIT */
/* The state of a descriptor that needs nothing done, and what makes single pages quick: page_alloc.c, page_array.c. */
#ifndef MM_PHYS_PAGE_FRESH_H
#define MM_PHYS_PAGE_FRESH_H

#include "frame_fast.h"
#include "page_alloc.h"

#define FLAGS_FRESH (1u << PG_init)
#define FRESH_COUNTS ((struct page){ ._refcount = 0, ._mapcount = -1 }.counts)

static force_inline bool state_is(const struct page *page, u64 state)
{
#if __SIZEOF_POINTER__ == 8
	return load_acquire(&page->state) == state;
#else
	return load_acquire(&page->flags) == (u32)state && load_relaxed(&page->order) == (u8)(state >> 32) &&
	       load_relaxed(&page->tails_ready) == (u8)(state >> 40) && page->ids == (u16)(state >> 48);
#endif
}

/* What a page of a user's, or of a file's that is in no page cache any more, may still say. */
#define FLAGS_USER                                                                                                  \
	(1u << PG_uptodate | 1u << PG_dirty | 1u << PG_referenced | 1u << PG_swapbacked | 1u << PG_owner_2 |        \
	 1u << PG_workingset | 1u << PG_young | 1u << PG_idle | 1u << PG_lru_refs)

static force_inline bool user_state_is(const struct page *page, u64 state, u32 loose)
{
#if __SIZEOF_POINTER__ == 8
	octavo_static_assert(offsetof(struct page, flags) == 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
			     "flags are the low half of the state");
	return !((load_relaxed(&page->state) ^ state) & ~(u64)loose);
#else
	return !((load_relaxed(&page->flags) ^ (u32)state) & ~loose) &&
	       load_relaxed(&page->order) == (u8)(state >> 32) &&
	       load_relaxed(&page->tails_ready) == (u8)(state >> 40) && page->ids == (u16)(state >> 48);
#endif
}

/* Of a page whose state is @fresh but for FLAGS_USER, and for what the lists know it by. */
static force_inline void page_set_fresh(struct page *page, u64 fresh)
{
#if __SIZEOF_POINTER__ == 8
	store_relaxed(&page->state, fresh);
#else
	store_relaxed(&page->flags, (u32)fresh);
	store_relaxed(&page->ids, (u16)(fresh >> 48));
#endif
}

/* @runs, bits from @pfn on, into what this CPU has freed of the same row lately; false: not that simple. */
static force_inline bool frame_put_back(const struct zone *zone, unsigned long pfn, u64 runs)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);

	if (likely(cpu->depth == 1)) {
		struct cpu_pages *cp = cpu_pages_of(zone, cpu);
		struct free_slot *slot = slot_of(zone, cp, pfn);

		hide_var(slot);
		/* The mask is read behind the flag: who drains may be at it until then. */
		if (likely(load_acquire(&cp->drain) == DRAIN_NONE && slot->row == pfn >> ROW_ORDER &&
			   !(slot->mask >> pfn % ROW_FRAMES & runs))) {
			store_relaxed_u64(&slot->mask, slot->mask | runs << pfn % ROW_FRAMES);
			cpu_section_end_outermost(cpu, flags);
			return true;
		}
	}
	cpu_section_end(cpu, flags);
	return false;
}

#endif
