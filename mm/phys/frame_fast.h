/* SPDX-License-Identifier: MIT */
/*
 * frame_alloc() and frame_free() as far as a CPU's own row and slot serve, to be inlined where the order is
 * constant: the page allocator's single pages. Everything else is the slow functions'. Theory in frames.c.
 */
#ifndef MM_PHYS_FRAME_FAST_H
#define MM_PHYS_FRAME_FAST_H

#include "cpupages.h"

/* To be called inside the section that the caller began; they end it. */
unsigned long frame_alloc_slow(struct zone *zone, unsigned int order, unsigned int type, unsigned int alloc_flags,
			       struct cpu_local *cpu, unsigned long flags);
bool frame_free_slow(struct zone *zone, unsigned long pfn, unsigned int order, struct cpu_local *cpu,
		     unsigned long flags);

/* The lowest run of a row that is not empty. */
static force_inline unsigned long row_pop(struct frame_row *row, u64 heads)
{
	store_relaxed_u64(&row->heads, heads & (heads - 1));
	return row->base + lowest_bit(heads);
}

/* What frame_alloc() does. */
static force_inline unsigned long frame_alloc_inline(struct zone *zone, unsigned int order, unsigned int type,
						     unsigned int alloc_flags)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);

	if (likely(((alloc_flags & ALLOC_NO_PCP) | order) < ROW_ORDERS && cpu->depth == 1)) {
		struct cpu_pages *cp = cpu_pages_of(zone, cpu);
		struct frame_row *row = &cp->rows[type][order];

		hide_var(row);
		if (likely(load_acquire(&cp->drain) == DRAIN_NONE && row->heads)) {
			unsigned long pfn = row_pop(row, row->heads);

			cpu_section_end_outermost(cpu, flags);
			return pfn;
		}
	}
	return frame_alloc_slow(zone, order, type, alloc_flags, cpu, flags);
}

/* What frame_free() does. */
static force_inline bool frame_free_inline(struct zone *zone, unsigned long pfn, unsigned int order)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);

	if (likely(order < ROW_ORDERS && cpu->depth == 1)) {
		struct cpu_pages *cp = cpu_pages_of(zone, cpu);
		struct free_slot *slot = slot_of(zone, cp, pfn);
		u64 runs = order ? (~0ull >> (64 - (1u << order))) : 1;

		hide_var(slot);
		if (likely(load_acquire(&cp->drain) == DRAIN_NONE && slot->row == pfn >> ROW_ORDER &&
			   !(slot->mask >> pfn % ROW_FRAMES & runs))) {
			store_relaxed_u64(&slot->mask, slot->mask | runs << pfn % ROW_FRAMES);
			cpu_section_end_outermost(cpu, flags);
			return true;
		}
	}
	return frame_free_slow(zone, pfn, order, cpu, flags);
}

#endif
