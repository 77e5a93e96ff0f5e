// SPDX-License-Identifier: MIT
/*
 * Rows of swap without page tables, as in kbench.c, to a RAM disk: swap.out: a page gets a slot, an entry is made of
 * it, it is written and leaves the cache; swap.in: it is read, and its slot is free again. Allocating and freeing the
 * page, and copying it, are in both.
 */
#define KBENCH_BEHIND 60000
#include "kbench.h"

#include "mm/base/compiler.h"
#include "mm/lru/lru.h"
#include "mm/swap/swap.h"
#include "mm/swap/area.h"
#include "mm/base/printk.h"

#define REPEATS KBENCH_REPEATS
#define PAGES 1024u

static swp_entry_t entries[PAGES];
static struct folio *folios[PAGES];

static bool out_one(struct folio *folio, swp_entry_t *entry)
{
	if (add_to_swap(folio))
		return false;
	*entry = folio_swap_entry(folio);
	if (swap_duplicate(*entry))
		return false;
	ClearPageDirty(&folio->page);
	if (swap_writepage(folio) || !folio_trylock(folio))
		return false;
	evict_from_swap_cache(folio, 1);
	folio_unlock(folio);
	folio_put(folio);
	return true;
}

static bool in_one(swp_entry_t entry, struct folio **folio)
{
	int err;

	*folio = swapin_readahead(entry, GFP_HIGHUSER_MOVABLE, NULL, 0, &err);
	if (!*folio || !folio_trylock(*folio))
		return false;
	swap_free(entry);
	return folio_free_swap(*folio);
}

static bool all_out(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		if (!out_one(folios[i], &entries[i]))
			return false;
	return true;
}

static bool all_in(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		if (!in_one(entries[i], &folios[i]))
			return false;
	return true;
}

/* As faults leave them: the first time from nothing. */
static bool fill(void)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		folios[i] = folio_alloc(GFP_HIGHUSER_MOVABLE, 0);
		if (!folios[i])
			return false;
		for (unsigned int n = 0; n < 64; n++)
			*((unsigned long *)page_address(&folios[i]->page) + 8 * n) = i + n;
		folio_lock(folios[i]);
		__SetPageUptodate(&folios[i]->page);
		__SetPageSwapBacked(&folios[i]->page);
	}
	return true;
}

static void bench_swap(struct kbench *b, const struct kbench_case *c)
{
	u64 out[REPEATS], in[REPEATS];
	bool was = printk_console(false), on, good;
	int err = 0;
	struct bdev *disk = brd_create("ram15", (PAGES + 1) * PAGE_SECTORS, &err);

	on = disk && !swap_make_header(disk, PAGES + 1, NULL) && !swapon_bdev(disk, "ram15", 0);
	good = on && fill();
	for (unsigned int i = 0; i <= REPEATS && good; i++) {
		u64 begin = b->clock(), middle;

		good = all_out();
		middle = b->clock();
		good = good && all_in();
		out[i % REPEATS] = middle - begin;
		in[i % REPEATS] = b->clock() - middle;
	}
	for (unsigned int i = 0; i < PAGES && good; i++) {
		folio_unlock(folios[i]);
		folio_put(folios[i]);
	}
	/* After a failed step pages are in swap that nobody would take back: it stays, and so does its disk. */
	good = good && !swapoff_path("ram15");
	if (disk && (good || !on))
		brd_destroy(disk);
	printk_console(was);
	if (good)
		kbench_row(b, c->name, c->order ? in : out, PAGES, "page");
	else
		kbench_fail(b, "%s: a step failed\n", c->name);
}

KBENCH(swap_out, .name = "swap.out", .run = bench_swap, .order = 0);
KBENCH(swap_in, .name = "swap.in", .run = bench_swap, .order = 1);
