// SPDX-License-Identifier: MIT
/*
 * page_poison=1: free pages hold a pattern, and whoever writes to one is found out when it is next allocated.
 *
 * A page is judged only if it was filled: its descriptor's private_data says so while the page is free (frames
 * that have been free since boot were never filled).
 */
#include "page_poison.h"

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/atomic.h"
#include "page_report.h"

#define POISON_WORD 0xaaaaaaaaaaaaaaaaull
#define FILLED 0x506f69736f6e6564ull

static unsigned long corruptions __memsys; /* (a) */

unsigned long page_poison_corruptions(void)
{
	return load_relaxed(&corruptions);
}

void page_poison_fill(struct page *page, unsigned int order)
{
	for (unsigned long i = 0; i < 1ul << order; i++) {
		void *virt = kmap_local_page(page + i);

		memset(virt, PAGE_POISON, PAGE_SIZE);
		kunmap_local(virt);
		page[i].private_data = FILLED;
	}
}

static void report(const struct page *page, const u8 *data, size_t first, size_t last)
{
	u8 bits = data[first] ^ PAGE_POISON;

	atomic_fetch_add(&corruptions, 1);
	if (first == last && !(bits & (bits - 1)))
		pr_err("pagealloc: single bit error\n");
	else
		pr_err("pagealloc: memory corruption\n");
	for (size_t at = ALIGN_DOWN(first, 16); at <= last; at += 16) {
		char line[16 * 3 + 1];

		for (unsigned int i = 0; i < 16; i++)
			octavo_snprintf(line + i * 3, sizeof(line) - i * 3, "%02x ", data[at + i]);
		line[16 * 3 - 1] = 0;
		pr_err("%p: %s\n", (const void *)(data + at), line);
	}
	dump_stack();
	dump_page(page, "pagealloc: corrupted page details");
}

static void check_one(struct page *page)
{
	u8 *virt;
	const u64 *words;
	size_t first = 0, last = PAGE_SIZE - 1;

	if (page->private_data != FILLED)
		return;
	page->private_data = 0;
	virt = kmap_local_page(page);
	words = (const void *)virt;
	for (; first < PAGE_SIZE && words[first / 8] == POISON_WORD; first += 8)
		;
	if (unlikely(first < PAGE_SIZE)) {
		while (virt[first] == PAGE_POISON)
			first++;
		while (virt[last] == PAGE_POISON)
			last--;
		report(page, virt, first, last);
	}
	kunmap_local(virt);
}

void page_poison_check(struct page *page, unsigned int order)
{
	for (unsigned long i = 0; i < 1ul << order; i++)
		check_one(page + i);
}
