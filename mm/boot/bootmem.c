// SPDX-License-Identifier: MIT
/*
 * bootmem: the bitmap allocator of early boot.
 *
 * Purpose
 *   The allocator kernels used before memblock: one bit a page and node, first fit from a goal upwards. It is
 *   here as a build choice, to be studied and compared. It needs the nodes' sizes, so memblock serves what comes
 *   before, and goes on keeping the list of reservations, which outlives both.
 *
 * Words
 *   goal: where a search begins; below it only if there is nothing above. hint: below it nothing is free.
 *
 * Structures
 *   map   1111 0000 0001 1100 ...      a word of 64 pages; all ones: skipped in one step
 *   last_end: |--alloc--|--alloc--|....|   allocations below a page share one, until the next does not fit
 *
 * Invariants
 *   BM-I1  a page whose bit is clear is memory and in no reservation
 *   BM-I2  no page below hint is free
 *
 * Locking: the boot CPU only.
 *
 * Memory use and bounds: a bit a page of the node's span: 32 KiB a GiB. Hand-over reads all of it.
 *
 * What failure does: no run that fits: 0, and nothing has changed.
 *
 * Differences from Linux's (before 4.20): a set bit is a page taken in both, but here the map begins all clear
 * and holes are marked, so that a large node costs only what is not memory.
 *
 * Sources: M. Gorman, "Understanding the Linux Virtual Memory Manager" (2004), chapter 5, for the interface.
 */
#include "bootmem.h"

#include "../base/string.h"
#include "memblock_internal.h"

void bootmem_init_node(struct bootmem_data *data, unsigned long start_pfn, unsigned long end_pfn, void *map)
{
	*data = (struct bootmem_data){ .start_pfn = start_pfn, .end_pfn = end_pfn, .map = map };
}

/* Bits @from up to 64, less those from @to on, of one word. */
static u64 word_mask(unsigned long word, unsigned long from, unsigned long to)
{
	u64 mask = ~(u64)0;

	if (from > word * 64)
		mask <<= from % 64;
	if (to < word * 64 + 64)
		mask &= ((u64)1 << (to % 64)) - 1;
	return mask;
}

static void mark(struct bootmem_data *data, unsigned long start_pfn, unsigned long end_pfn, bool taken)
{
	unsigned long from = max(start_pfn, data->start_pfn), to = min(end_pfn, data->end_pfn);

	if (from >= to)
		return;
	from -= data->start_pfn;
	to -= data->start_pfn;
	for (unsigned long w = from / 64; w <= (to - 1) / 64; w++) {
		u64 mask = word_mask(w, from, to);

		data->map[w] = taken ? data->map[w] | mask : data->map[w] & ~mask;
	}
	if (!taken)
		data->hint = min(data->hint, from);
}

void bootmem_reserve(struct bootmem_data *data, unsigned long start_pfn, unsigned long end_pfn)
{
	mark(data, start_pfn, end_pfn, true);
}

void bootmem_free(struct bootmem_data *data, unsigned long start_pfn, unsigned long end_pfn)
{
	mark(data, start_pfn, end_pfn, false);
	/* What is free again may be the page the next small allocation would continue. */
	data->last_end = 0;
}

/* The first page from @at on whose bit is @taken; the node's size if there is none. */
static unsigned long next_bit(const struct bootmem_data *data, unsigned long at, bool taken)
{
	unsigned long pages = data->end_pfn - data->start_pfn;
	u64 flip = taken ? 0 : ~(u64)0, bits;

	if (at >= pages)
		return pages;
	bits = (data->map[at / 64] ^ flip) & (~(u64)0 << at % 64);
	for (unsigned long w = at / 64; w * 64 < pages; bits = data->map[w] ^ flip) {
		if (bits)
			return min(pages, w * 64 + lowest_bit(bits));
		if (++w * 64 >= pages)
			break;
	}
	return pages;
}

/* A run of @pages free pages from @at on, its first a multiple of @step pages, ending at @end or below. */
static unsigned long find_run(const struct bootmem_data *data, unsigned long at, unsigned long end,
			      unsigned long pages, unsigned long step)
{
	for (;;) {
		unsigned long stop;

		at = next_bit(data, at, false);
		at = ALIGN(at + data->start_pfn, step) - data->start_pfn;
		if (at >= end || end - at < pages)
			return PFN_NONE;
		stop = next_bit(data, at, true);
		if (stop >= at + pages)
			return at;
		at = stop + 1;
	}
}

/* Behind the last allocation, in the page it ended in, and in further free pages if need be. */
static phys_addr_t continue_last(struct bootmem_data *data, phys_addr_t size, phys_addr_t align, phys_addr_t goal,
				 phys_addr_t limit)
{
	phys_addr_t base = PFN_PHYS(data->start_pfn), at = ALIGN(base + data->last_end, align);
	unsigned long last = PFN_DOWN(data->last_end), first_new = last + 1;

	if (!(data->last_end % PAGE_SIZE) || align >= PAGE_SIZE || PFN_DOWN(at - base) != last || at < goal ||
	    at + size > limit)
		return 0;
	if (next_bit(data, first_new, true) < PFN_UP(at + size - base))
		return 0;
	mark(data, data->start_pfn + first_new, PFN_UP(at + size), true);
	data->last_end = at + size - base;
	return at;
}

phys_addr_t bootmem_alloc(struct bootmem_data *data, phys_addr_t size, phys_addr_t align, phys_addr_t goal,
			  phys_addr_t limit)
{
	phys_addr_t base = PFN_PHYS(data->start_pfn), at;
	unsigned long end = PFN_DOWN(min(limit, PFN_PHYS(data->end_pfn))), pages = PFN_UP(size), from, found;

	if (!size || end <= data->start_pfn)
		return 0;
	at = continue_last(data, size, align, goal, limit);
	if (at)
		return at;
	end -= data->start_pfn;
	from = PFN_UP(goal) > data->start_pfn ? PFN_UP(goal) - data->start_pfn : 0;
	from = max(from, data->hint);
	found = find_run(data, from, end, pages, max(PFN_UP(align), 1ul));
	if (found == PFN_NONE)
		found = find_run(data, data->hint, end, pages, max(PFN_UP(align), 1ul));
	if (found == PFN_NONE)
		return 0;
	if (from == data->hint && next_bit(data, from, false) == found)
		data->hint = found + pages;
	bootmem_reserve(data, data->start_pfn + found, data->start_pfn + found + pages);
	data->last_end = PFN_PHYS(found) + size;
	return base + PFN_PHYS(found);
}

unsigned long bootmem_next_free(const struct bootmem_data *data, unsigned long *pfn)
{
	unsigned long at = *pfn > data->start_pfn ? *pfn - data->start_pfn : 0;

	at = next_bit(data, at, false);
	if (at >= data->end_pfn - data->start_pfn)
		return PFN_NONE;
	*pfn = data->start_pfn + next_bit(data, at, true);
	return data->start_pfn + at;
}
