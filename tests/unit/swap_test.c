// SPDX-License-Identifier: MIT
/* Swap: areas, slots, the cache, transfers on one CPU. tests/hosted/swap_*_test.c have threads and interleavings. */
#include <octavo/highmem.h>
#include <octavo/mm.h>
#include <octavo/pagemap.h>
#include <octavo/rcupdate.h>
#include <octavo/verify.h>

#include "harness.h"
#include "mm/base/findings.h"
#include "mm/phys/vmstat.h"
#include "mm/swap/area.h"

#define DEV "/dev/ram0"

static struct bdev *disk;

static void complain(void *ctx, const char *line)
{
	(void)ctx;
	test_fail(__FILE__, __LINE__, "%s", line);
}

static void all_well(void)
{
	struct findings f = { .report = complain };

	swap_verify(&f);
}

static bool begin(unsigned long pages, int flags)
{
	int err = 0;

	disk = brd_create("ram0", (u64)pages * PAGE_SECTORS, &err);
	if (!disk || swap_make_header(disk, pages, "test"))
		return false;
	test_capture_begin();
	err = swapon_bdev(disk, DEV, flags);
	test_capture_end();
	all_well();
	return !err;
}

static void end(void)
{
	all_well();
	EXPECT_EQ(swapoff_path(DEV), 0);
	EXPECT_EQ(global_node_page_state(NR_SWAPCACHE), 0);
	all_well();
	brd_destroy(disk);
}

/* A folio as a fault leaves it: locked, uptodate, swap-backed; each page begins with @tag and its number. */
static struct folio *make(unsigned int order, unsigned long tag)
{
	struct page *page = alloc_pages(GFP_KERNEL | (order ? __GFP_COMP : 0), order);

	if (!page)
		return NULL;
	for (unsigned int i = 0; i < 1u << order; i++) {
		unsigned long *word = kmap_local_page(page + i);

		memset(word, 0, PAGE_SIZE);
		if (tag)
			word[17] = tag + i;
		kunmap_local(word);
	}
	__SetPageUptodate(page);
	__SetPageSwapBacked(page);
	folio_lock((struct folio *)page);
	return (struct folio *)page;
}

static unsigned long tag_of(struct folio *folio)
{
	unsigned long *word = kmap_local_page(&folio->page), tag = word[17];

	kunmap_local(word);
	return tag;
}

/* The whole way out with one holder; the folio is free at the end. Return: its entry, 0 if there was no slot. */
static swp_entry_t send_out(struct folio *folio, unsigned long shadow)
{
	unsigned int nr = (unsigned int)folio_nr_pages(folio);
	swp_entry_t entry = { 0 };

	if (add_to_swap(folio)) {
		folio_unlock(folio);
		folio_put(folio);
		return entry;
	}
	entry = folio_swap_entry(folio);
	EXPECT_EQ(swap_duplicate_nr(entry, nr), 0);
	ClearPageDirty(&folio->page);
	EXPECT_EQ(swap_writepage(folio), 0);
	folio_wait_writeback(folio);
	folio_lock(folio);
	EXPECT(!PageDirty(&folio->page));
	evict_from_swap_cache(folio, shadow);
	folio_unlock(folio);
	folio_put(folio);
	return entry;
}

static struct folio *bring_in(swp_entry_t entry)
{
	int err = 0;
	struct folio *folio = swapin_readahead(entry, GFP_HIGHUSER_MOVABLE, NULL, 0, &err);

	if (!folio) {
		test_fail(__FILE__, __LINE__, "not read: %d", err);
		return NULL;
	}
	folio_lock(folio);
	EXPECT(PageUptodate(&folio->page));
	return folio;
}

/* The holder takes it: the slot is free, the folio the caller's alone. */
static void take_back(struct folio *folio, swp_entry_t entry)
{
	swap_free(entry);
	EXPECT(folio_free_swap(folio));
	EXPECT(PageDirty(&folio->page));
	folio_unlock(folio);
}

/* SW-I1 SW-I2 SW-I3 SW-I5 SW-I6: there and back again. */
TEST(swap, a_page_goes_and_returns)
{
	unsigned long total, used;
	struct folio *folio;
	swp_entry_t entry;

	ASSERT(begin(1000, 0));
	EXPECT_EQ(swap_pages_total(), 999);
	EXPECT_EQ(swap_pages_free(), 999);
	folio = make(0, 4711);
	ASSERT(folio);
	EXPECT_EQ(add_to_swap(folio), 0);
	EXPECT(folio_in_swap_cache(folio));
	EXPECT(PageDirty(&folio->page));
	EXPECT_EQ(page_ref_count(&folio->page), 2);
	EXPECT_EQ(global_node_page_state(NR_SWAPCACHE), 1);
	entry = folio_swap_entry(folio);
	EXPECT_EQ(swp_type(entry), 0);
	EXPECT_EQ(swap_count(entry), 0);
	EXPECT(swap_entry_valid(entry));
	EXPECT_EQ(swap_duplicate(entry), 0);
	EXPECT_EQ(swap_duplicate(entry), 0);
	EXPECT_EQ(swap_count(entry), 2);
	EXPECT(swap_cache_get_folio(entry) == folio);
	folio_put(folio);
	EXPECT(!folio_free_swap(folio));
	all_well();
	ClearPageDirty(&folio->page);
	EXPECT_EQ(swap_writepage(folio), 0);
	EXPECT(!PageLocked(&folio->page));
	folio_lock(folio);
	evict_from_swap_cache(folio, 77);
	EXPECT(!folio_in_swap_cache(folio));
	folio_unlock(folio);
	EXPECT_EQ(page_ref_count(&folio->page), 1);
	folio_put(folio);
	EXPECT(!swap_cache_get_folio(entry));
	all_well();
	folio = bring_in(entry);
	ASSERT(folio);
	EXPECT_EQ(tag_of(folio), 4711);
	swap_free(entry);
	EXPECT(!folio_free_swap(folio));
	si_swap_area_pages(0, &total, &used);
	EXPECT_EQ(total, 999);
	EXPECT_EQ(used, 1);
	take_back(folio, entry);
	EXPECT_EQ(swap_pages_free(), 999);
	folio_put(folio);
	end();
}

/* Zeros need no device. */
TEST(swap, zeros_are_told)
{
	unsigned long out = vm_event_sum(SWPOUT_ZERO), in = vm_event_sum(SWPIN_ZERO), written = disk ? 0 : 0;
	struct folio *folio;
	swp_entry_t entry;

	ASSERT(begin(100, 0));
	written = disk->ios[1];
	entry = send_out(make(0, 0), 0);
	EXPECT_EQ(vm_event_sum(SWPOUT_ZERO), out + 1);
	EXPECT_EQ(disk->ios[1], written);
	folio = bring_in(entry);
	ASSERT(folio);
	EXPECT_EQ(tag_of(folio), 0);
	EXPECT_EQ(vm_event_sum(SWPIN_ZERO), in + 1);
	/* It is written to, and goes again. */
	{
		unsigned long *word = kmap_local_page(&folio->page);

		word[17] = 5;
		kunmap_local(word);
	}
	EXPECT_EQ(swap_writepage(folio), 0);
	EXPECT_EQ(disk->ios[1], written + 1);
	folio_lock(folio);
	evict_from_swap_cache(folio, 0);
	folio_unlock(folio);
	folio_put(folio);
	folio = bring_in(entry);
	ASSERT(folio);
	EXPECT_EQ(tag_of(folio), 5);
	take_back(folio, entry);
	folio_put(folio);
	end();
}

/* SW-I4: every slot but the header's, each once, then no more; and again after they were given back. */
TEST(swap, all_slots)
{
	static swp_entry_t entries[1300];

	ASSERT(begin(1281, 0));
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int n = 0;

		while ((entries[n] = send_out(make(0, n + 1), 0)).val)
			n++;
		EXPECT_EQ(n, 1280);
		EXPECT_EQ(swap_pages_free(), 0);
		all_well();
		for (unsigned int i = 0; i < n; i++) {
			unsigned int at = round ? (i * 7) % n : i;
			struct folio *folio;

			if (round == 2 && i % 3) {
				free_swap_and_cache(entries[at]);
				continue;
			}
			folio = bring_in(entries[at]);
			ASSERT(folio);
			EXPECT_EQ(tag_of(folio), at + 1);
			take_back(folio, entries[at]);
			folio_put(folio);
		}
		EXPECT_EQ(swap_pages_free(), 1280);
		all_well();
	}
	end();
}

/* Runs for large folios: aligned, together; -E2BIG where there are only pieces. */
TEST(swap, large_folios)
{
	static swp_entry_t single[600];
	struct folio *folio;
	swp_entry_t entry;
	unsigned int n = 0;

	ASSERT(begin(600, 0));
	folio = make(4, 100);
	ASSERT(folio);
	entry = send_out(folio, 0);
	EXPECT(entry.val);
	EXPECT_EQ(swp_offset(entry) % 16, 0);
	all_well();
	for (unsigned int i = 0; i < 16; i++) {
		folio = bring_in(swp_entry_plus(entry, i));
		ASSERT(folio);
		EXPECT_EQ(tag_of(folio), 100 + i);
		take_back(folio, swp_entry_plus(entry, i));
		folio_put(folio);
	}
	while ((single[n] = send_out(make(0, n + 1), 0)).val)
		n++;
	EXPECT_EQ(n, 599);
	for (unsigned int i = 0; i < n; i += 2)
		free_swap_and_cache(single[i]);
	folio = make(2, 1);
	ASSERT(folio);
	EXPECT_EQ(add_to_swap(folio), -E2BIG);
	EXPECT(!folio_in_swap_cache(folio));
	folio_unlock(folio);
	folio_put(folio);
	for (unsigned int i = 1; i < n; i += 2)
		free_swap_and_cache(single[i]);
	EXPECT_EQ(swap_pages_free(), 599);
	end();
}

/* What nobody holds any more is not written, and not read. */
TEST(swap, nobody_wants_it)
{
	struct folio *folio;
	swp_entry_t entry;
	int err = 0;

	ASSERT(begin(100, 0));
	folio = make(0, 1);
	ASSERT(folio);
	EXPECT_EQ(add_to_swap(folio), 0);
	entry = folio_swap_entry(folio);
	EXPECT_EQ(swap_duplicate(entry), 0);
	/* Locked, so it stays for now. */
	free_swap_and_cache(entry);
	EXPECT(folio_in_swap_cache(folio));
	EXPECT_EQ(swap_writepage(folio), 0);
	EXPECT(!folio_in_swap_cache(folio));
	EXPECT_EQ(page_ref_count(&folio->page), 1);
	folio_put(folio);
	EXPECT(!swapin_readahead(entry, GFP_KERNEL, NULL, 0, &err));
	EXPECT_EQ(err, -ENOENT);
	EXPECT_EQ(swap_duplicate(entry), -EINVAL);
	/* Unlocked, it goes with its last holder. */
	folio = make(0, 1);
	ASSERT(folio);
	EXPECT_EQ(add_to_swap(folio), 0);
	entry = folio_swap_entry(folio);
	EXPECT_EQ(swap_duplicate(entry), 0);
	folio_unlock(folio);
	free_swap_and_cache(entry);
	EXPECT(!folio_in_swap_cache(folio));
	folio_put(folio);
	EXPECT_EQ(swap_pages_free(), 99);
	end();
}

/* SW-I6: what is given back too often is told. */
TEST(swap, bad_frees_are_found)
{
	struct findings f = { .n = 0 };
	swp_entry_t entry;

	ASSERT(begin(100, 0));
	entry = send_out(make(0, 1), 0);
	swap_free(entry);
	EXPECT_EQ(swap_pages_free(), 99);
	swap_free(entry);
	swap_free(swp_entry(3, 1));
	swap_free(swp_entry(0, 100));
	swap_verify(&f);
	EXPECT_EQ(f.n, 1);
	EXPECT_EQ(swap_bad_frees, 3);
	swap_bad_frees = 0;
	end();
}
