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
