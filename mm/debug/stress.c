// SPDX-License-Identifier: MIT
/*
 * Random allocation and freeing, with a stamp in the first and the last word of every block: a frame that is
 * handed out twice carries the wrong stamp when its first owner frees it.
 */
#include <octavo/gfp.h>
#include <octavo/page.h>

#include "../base/string.h"
#include "../sync/atomic.h"
#include "../sync/cpu.h"
#include "monitor.h"

/* Blocks one CPU holds at most: their table is one page. A slot holds frame number << 4 | order, plus 1. */
#define SLOTS (PAGE_SIZE / sizeof(u64))
octavo_static_assert(MAX_PAGE_ORDER < 16, "an order fits below the frame number");

struct shift {
	u64 random;
	u64 stamp; /* differs from CPU to CPU */
	unsigned long allocs, refused, bad;
	u64 *slots;
};

static u64 next_random(struct shift *s)
{
	/* xorshift64* (Vigna 2016) */
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return s->random * 0x2545f4914f6cdd1dull;
}

static u64 *map_word(struct page *first, unsigned int order, bool last)
{
	u64 *words = kmap_local_page(last ? first + (1ul << order) - 1 : first);

	return last ? words + PAGE_SIZE / sizeof(u64) - 1 : words;
}

static void put_stamp(struct page *page, unsigned int order, u64 stamp)
{
	for (int last = 0; last < 2; last++) {
		u64 *word = map_word(page, order, last);

		*word = stamp;
		kunmap_local(word);
	}
}

static bool check_stamp(struct page *page, unsigned int order, u64 stamp)
{
	bool good = true;

	for (int last = 0; last < 2; last++) {
		u64 *word = map_word(page, order, last);

		good &= *word == stamp;
		*word = 0;
		kunmap_local(word);
	}
	return good;
}

static void fill_slot(struct shift *s, u64 *slot)
{
	static const gfp_t flags[] = { 0, __GFP_RECLAIMABLE, __GFP_MOVABLE, __GFP_MOVABLE | __GFP_HIGHMEM };
	u64 r = next_random(s);
	unsigned int order = (r & 7) ? (unsigned int)(r >> 3 & 3) : (unsigned int)(r >> 3 & 15) % NR_PAGE_ORDERS;
	struct page *page = alloc_pages(GFP_NOWAIT | flags[r >> 8 & 3], order);
	unsigned long pfn;

	if (!page) {
		s->refused++;
		return;
	}
	pfn = page_to_pfn(page);
	put_stamp(page, order, s->stamp ^ pfn);
	*slot = ((u64)pfn << 4 | order) + 1;
	s->allocs++;
}

static void empty_slot(struct shift *s, u64 *slot)
{
	unsigned long pfn = (unsigned long)((*slot - 1) >> 4);
	unsigned int order = (unsigned int)((*slot - 1) & 15);
	struct page *page = pfn_to_page(pfn);

	s->bad += !check_stamp(page, order, s->stamp ^ pfn);
	__free_pages(page, order);
	*slot = 0;
}

void stress_cpu(void *arg)
{
	struct stress *all = arg;
	unsigned int cpu = smp_processor_id();
	struct shift s = { .random = (all->seed ^ (cpu + 1) * 0x9e3779b97f4a7c15ull) | 1 };
	struct page *table = alloc_pages(GFP_NOWAIT, 0);

	s.stamp = next_random(&s);
	atomic_fetch_add(&all->cpus, 1ul);
	s.slots = table ? page_address(table) : NULL;
	if (s.slots) {
		memset(s.slots, 0, PAGE_SIZE);
		for (unsigned long i = 0; i < all->ops; i++) {
			u64 *slot = &s.slots[next_random(&s) >> 20 & (SLOTS - 1)];

			if (*slot)
				empty_slot(&s, slot);
			else
				fill_slot(&s, slot);
		}
		for (unsigned int i = 0; i < SLOTS; i++)
			if (s.slots[i])
				empty_slot(&s, &s.slots[i]);
	} else {
		s.refused += all->ops;
	}
	if (table)
		__free_pages(table, 0);
	atomic_fetch_add(&all->allocs, s.allocs);
	atomic_fetch_add(&all->refused, s.refused);
	atomic_fetch_add(&all->bad, s.bad);
}
