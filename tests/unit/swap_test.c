// SPDX-License-Identifier: MIT
/* Swap: slots, the cache, transfers on one CPU. swap_area_test.c has areas. */
#include <octavo/highmem.h>
#include <octavo/pagemap.h>

#include <octavo/fault.h>

#include "fault.h"
#include "flaky.h"
#include "mm/base/findings.h"
#include "mm/phys/page_wait.h"
#include "mm/phys/vmstat.h"
#include "mm/sync/atomic.h"
#include "mm/zswap/zswap_internal.h"
#include "swapper.h"

#define DEV "/dev/ram0"

static struct bdev *disk;

static bool begin(unsigned long pages)
{
	disk = swapper_disk("ram0", pages);
	if (!disk || swapper_on(disk, DEV, 0))
		return false;
	swapper_verify();
	return true;
}

static void end(void)
{
	swapper_verify();
	EXPECT_EQ(swapoff_path(DEV), 0);
	EXPECT_EQ(global_node_page_state(NR_SWAPCACHE), 0);
	swapper_verify();
	brd_destroy(disk);
}

/* SW-I1 SW-I2 SW-I3 SW-I5 SW-I6: there and back again. */
TEST(swap, a_page_goes_and_returns)
{
	unsigned long total, used;
	struct folio *folio;
	swp_entry_t entry;

	ASSERT(begin(1000));
	EXPECT_EQ(swap_pages_total(), 999);
	EXPECT_EQ(swap_pages_free(), 999);
	folio = swapper_make(0, 4711);
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
	swapper_verify();
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
	swapper_verify();
	folio = swapper_in(entry);
	ASSERT(folio);
	EXPECT_EQ(swapper_tag(&folio->page), 4711);
	swap_free(entry);
	EXPECT(!folio_free_swap(folio));
	si_swap_area_pages(0, &total, &used);
	EXPECT_EQ(total, 999);
	EXPECT_EQ(used, 1);
	folio_unlock(folio);
	folio_put(folio);
	EXPECT_EQ(swapper_take(entry), 4711);
	EXPECT_EQ(swap_pages_free(), 999);
	end();
}

/* Zeros need no device. */
TEST(swap, zeros_are_told)
{
	unsigned long out = vm_event_sum(SWPOUT_ZERO), in = vm_event_sum(SWPIN_ZERO), written;
	struct folio *folio;
	swp_entry_t entry;

	ASSERT(begin(100));
	written = disk->ios[1];
	entry = swapper_out(swapper_make(0, 0), 0);
	EXPECT_EQ(vm_event_sum(SWPOUT_ZERO), out + 1);
	EXPECT_EQ(disk->ios[1], written);
	folio = swapper_in(entry);
	ASSERT(folio);
	EXPECT_EQ(swapper_tag(&folio->page), 0);
	EXPECT_EQ(vm_event_sum(SWPIN_ZERO), in + 1);
	/* It is written to, and goes again. */
	swapper_set_tag(&folio->page, 5);
	EXPECT_EQ(swap_writepage(folio), 0);
	EXPECT_EQ(disk->ios[1], written + 1);
	folio_lock(folio);
	evict_from_swap_cache(folio, 0);
	folio_unlock(folio);
	folio_put(folio);
	EXPECT_EQ(swapper_take(entry), 5);
	end();
}

/* SW-I4: every slot but the header's, each once, then no more; and again after they were given back. */
TEST(swap, all_slots)
{
	static swp_entry_t entries[1300];

	ASSERT(begin(1281));
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int n = 0;

		while ((entries[n] = swapper_out(swapper_make(0, n + 1), 0)).val)
			n++;
		EXPECT_EQ(n, 1280);
		EXPECT_EQ(swap_pages_free(), 0);
		EXPECT(swap_full());
		swapper_verify();
		for (unsigned int i = 0; i < n; i++) {
			unsigned int at = round ? (i * 7) % n : i;

			if (round == 2 && i % 3)
				free_swap_and_cache(entries[at]);
			else
				EXPECT_EQ(swapper_take(entries[at]), at + 1);
		}
		EXPECT_EQ(swap_pages_free(), 1280);
		swapper_verify();
	}
	end();
}

/* Slots follow each other in the order in which they were asked for. */
TEST(swap, one_after_the_other)
{
	swp_entry_t last = { 0 }, entries[40];

	ASSERT(begin(600));
	for (unsigned int i = 0; i < 40; i++) {
		entries[i] = swapper_out(swapper_make(0, 1), 0);
		EXPECT(!i || entries[i].val == last.val + 1);
		last = entries[i];
	}
	for (unsigned int i = 0; i < 40; i++)
		free_swap_and_cache(entries[i]);
	end();
}

/* Each page of a large folio in its place, wherever that is; none where there are too few. */
static void out_in_pieces(unsigned int order, bool fits)
{
	struct folio *folio = swapper_make(order, 500);
	swp_entry_t entries[16];
	unsigned int nr = 1u << order;

	ASSERT(folio);
	EXPECT_EQ(add_to_swap(folio), fits ? 0 : -ENOSPC);
	EXPECT_EQ(folio_in_swap_cache(folio), fits);
	for (unsigned int i = 0; fits && i < nr; i++)
		EXPECT_EQ(folio_dup_swap(folio, folio_page(folio, i), &entries[i]), 0);
	if (fits) {
		EXPECT(entries[1].val != entries[0].val + 1);
		ClearPageDirty(&folio->page);
		EXPECT_EQ(swap_writepage(folio), 0);
		folio_lock(folio);
		folio_wait_writeback(folio);
		swapper_verify();
		evict_from_swap_cache(folio, 0x77);
	}
	folio_unlock(folio);
	folio_put(folio);
	for (unsigned int i = 0; fits && i < nr; i++)
		EXPECT_EQ(swapper_take(entries[i]), 500 + i);
}

/* Runs for large folios: aligned, together; in pieces where there is no run. */
TEST(swap, large_folios)
{
	static swp_entry_t single[600];
	struct folio *folio;
	swp_entry_t entry;
	unsigned int n = 0;

	ASSERT(begin(600));
	folio = swapper_make(4, 100);
	ASSERT(folio);
	entry = swapper_out(folio, 0);
	EXPECT(entry.val);
	EXPECT_EQ(swp_offset(entry) % 16, 0);
	swapper_verify();
	for (unsigned int i = 0; i < 16; i++)
		EXPECT_EQ(swapper_take(swp_entry_plus(entry, i)), 100 + i);
	while ((single[n] = swapper_out(swapper_make(0, n + 1), 0)).val)
		n++;
	EXPECT_EQ(n, 599);
	for (unsigned int i = 0; i < n; i += 2)
		free_swap_and_cache(single[i]);
	for (unsigned int order = 1; order <= 4; order++)
		out_in_pieces(order, true);
	EXPECT_EQ(swap_pages_free(), 300);
	for (unsigned int i = 0; i < 2 * 290; i += 2)
		single[i] = swapper_out(swapper_make(0, 1), 0);
	EXPECT_EQ(swap_pages_free(), 10);
	out_in_pieces(4, false);
	EXPECT_EQ(swap_pages_free(), 10);
	out_in_pieces(3, true);
	for (unsigned int i = 0; i < n; i++)
		if (i % 2 || i < 2 * 290)
			free_swap_and_cache(single[i]);
	EXPECT_EQ(swap_pages_free(), 599);
	end();
}

/* Zeros in the midst of a large folio: its other pages are written. */
TEST(swap, large_folio_with_zeros)
{
	unsigned long zeros = vm_event_sum(SWPOUT_ZERO), out = vm_event_sum(PSWPOUT);
	struct folio *folio;
	swp_entry_t entry;

	ASSERT(begin(600));
	folio = swapper_make(3, 100);
	ASSERT(folio);
	swapper_set_tag(folio_page(folio, 0), 0);
	swapper_set_tag(folio_page(folio, 5), 0);
	entry = swapper_out(folio, 0);
	EXPECT_EQ(vm_event_sum(SWPOUT_ZERO), zeros + 2);
	EXPECT_EQ(vm_event_sum(PSWPOUT), out + 6);
	for (unsigned int i = 0; i < 8; i++)
		EXPECT_EQ(swapper_take(swp_entry_plus(entry, i)), i == 0 || i == 5 ? 0 : 100 + i);
	end();
}

/* What nobody holds any more is not written, and not read. */
TEST(swap, nobody_wants_it)
{
	unsigned long written;
	struct folio *folio;
	swp_entry_t entry;
	int err = 0;

	ASSERT(begin(100));
	folio = swapper_make(0, 1);
	ASSERT(folio);
	written = disk->ios[1];
	EXPECT_EQ(add_to_swap(folio), 0);
	entry = folio_swap_entry(folio);
	EXPECT_EQ(swap_duplicate(entry), 0);
	/* Locked, so it stays for now. */
	free_swap_and_cache(entry);
	EXPECT(folio_in_swap_cache(folio));
	EXPECT_EQ(swap_writepage(folio), 0);
	EXPECT_EQ(disk->ios[1], written);
	EXPECT(!folio_in_swap_cache(folio));
	EXPECT_EQ(page_ref_count(&folio->page), 1);
	folio_put(folio);
	EXPECT(!swapin_readahead(entry, GFP_KERNEL, NULL, 0, &err));
	EXPECT_EQ(err, -ENOENT);
	EXPECT_EQ(swap_duplicate(entry), -EINVAL);
	/* Unlocked, it goes with its last holder. */
	folio = swapper_make(0, 1);
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

/* In the cache, not locked, with one holder. NULL after a failed EXPECT. */
static struct folio *cached_with_holder(swp_entry_t *entry)
{
	struct folio *folio = swapper_make(0, 1);

	EXPECT(folio);
	if (!folio)
		return NULL;
	EXPECT_EQ(add_to_swap(folio), 0);
	*entry = folio_swap_entry(folio);
	EXPECT_EQ(swap_duplicate(*entry), 0);
	folio_unlock(folio);
	return folio;
}

static void expect_forgotten(struct folio *folio)
{
	EXPECT(!folio_in_swap_cache(folio));
	EXPECT(!PageLocked(&folio->page));
	EXPECT(!PageLookAgain(&folio->page));
	EXPECT_EQ(page_ref_count(&folio->page), 1);
	EXPECT_EQ(swap_pages_free(), 99);
	folio_put(folio);
}

/* Whose last holder goes while it is locked or written goes when that is over, whichever of the two ends last. */
TEST(swap, nobody_wants_it_any_more)
{
	struct folio *folio;
	swp_entry_t entry;

	ASSERT(begin(100));
	for (unsigned int how = 1; how < 8; how++) {
		bool locked = how & 1, written = how & 2, lock_last = how & 4;

		folio = cached_with_holder(&entry);
		ASSERT(folio);
		if (locked)
			folio_lock(folio);
		if (written)
			page_writeback_begin(&folio->page);
		free_swap_and_cache(entry);
		EXPECT_EQ(folio_in_swap_cache(folio), locked || written);
		if (locked && !lock_last)
			folio_unlock(folio);
		EXPECT_EQ(folio_in_swap_cache(folio), written || (locked && lock_last));
		if (written)
			page_writeback_end(&folio->page);
		EXPECT_EQ(folio_in_swap_cache(folio), locked && lock_last);
		if (locked && lock_last)
			folio_unlock(folio);
		expect_forgotten(folio);
	}
	end();
}

/* The same of one that was mapped. What has a holder again, or a mapping, stays. */
TEST(swap, forgotten_while_it_was_written)
{
	struct folio *folio;
	swp_entry_t entry;

	ASSERT(begin(100));
	folio = cached_with_holder(&entry);
	ASSERT(folio);
	(void)atomic_fetch_add(&folio->page._mapcount, 1);
	folio_lock(folio);
	page_writeback_begin(&folio->page);
	free_swap_and_cache(entry);
	folio_unlock(folio);
	page_writeback_end(&folio->page);
	EXPECT(folio_in_swap_cache(folio));
	folio_lock(folio);
	page_writeback_begin(&folio->page);
	folio_unlock(folio);
	EXPECT_EQ(swap_duplicate(entry), 0);
	(void)atomic_fetch_sub(&folio->page._mapcount, 1);
	swap_cache_forget(folio);
	page_writeback_end(&folio->page);
	EXPECT(folio_in_swap_cache(folio));
	EXPECT(!PageLookAgain(&folio->page));
	(void)atomic_fetch_add(&folio->page._mapcount, 1);
	swap_free(entry);
	page_writeback_begin(&folio->page);
	(void)atomic_fetch_sub(&folio->page._mapcount, 1);
	swap_cache_forget(folio);
	EXPECT(folio_in_swap_cache(folio));
	page_writeback_end(&folio->page);
	expect_forgotten(folio);
	end();
}

/* A full area gives up what the cache keeps only to save a transfer. */
TEST(swap, full_of_what_is_in_memory)
{
	static struct folio *folios[64];
	static swp_entry_t entries[64];

	ASSERT(begin(65));
	for (unsigned int i = 0; i < 64; i++) {
		entries[i] = swapper_out(swapper_make(0, i + 1), 0);
		folios[i] = swapper_in(entries[i]);
		ASSERT(folios[i]);
		swap_free(entries[i]);
		folio_unlock(folios[i]);
	}
	EXPECT_EQ(swap_pages_free(), 0);
	entries[0] = swapper_out(swapper_make(0, 100), 0);
	EXPECT(entries[0].val);
	for (unsigned int i = 0; i < 64; i++) {
		EXPECT_EQ(swapper_tag(&folios[i]->page), i + 1);
		EXPECT(PageDirty(&folios[i]->page));
		EXPECT(!folio_in_swap_cache(folios[i]));
		folio_put(folios[i]);
	}
	EXPECT_EQ(swapper_take(entries[0]), 100);
	end();
}

/* Shadows come back to who brings the page back, unless there are too many holders to keep one. */
TEST(swap, shadows_and_many_holders)
{
	swp_entry_t entry;
	const u64 *word;

	ASSERT(begin(100));
	entry = swapper_out(swapper_make(0, 1), 0x123456);
	word = slot_word(entry);
	EXPECT_EQ(slot_shadow(whole_load(word)), 0x123456);
	for (unsigned int i = 1; i < SLOT_SHADOW_COUNT_MAX; i++)
		EXPECT_EQ(swap_duplicate(entry), 0);
	EXPECT_EQ(slot_shadow(whole_load(word)), 0x123456);
	EXPECT_EQ(swap_count(entry), SLOT_SHADOW_COUNT_MAX);
	EXPECT_EQ(swap_duplicate(entry), 0);
	EXPECT_EQ(slot_shadow(whole_load(word)), 0);
	EXPECT_EQ(swap_count(entry), SLOT_SHADOW_COUNT_MAX + 1);
	for (unsigned int i = SLOT_SHADOW_COUNT_MAX + 1; i < SLOT_COUNT_MAX; i++)
		if (swap_duplicate(entry))
			test_fail(__FILE__, __LINE__, "%u holders", i);
	EXPECT_EQ(swap_duplicate(entry), -ENOMEM);
	EXPECT_EQ(swap_count(entry), SLOT_COUNT_MAX);
	for (unsigned int i = SLOT_COUNT_MAX; i > 1; i--)
		swap_free(entry);
	EXPECT_EQ(swapper_take(entry), 1);
	end();
}

/* SW-I5: each slot's own shadow, whatever its neighbours have. */
TEST(swap, shadows_of_neighbours)
{
	const unsigned long shadows[3] = { 0x111, 0x222, 0 };
	swp_entry_t entries[3];

	ASSERT(begin(100));
	for (unsigned int i = 0; i < 3; i++)
		entries[i] = swapper_out(swapper_make(0, i + 1), shadows[i]);
	EXPECT_EQ(entries[1].val, entries[0].val + 1);
	for (unsigned int i = 0; i < 3; i++) {
		struct folio *folio = swapper_make(0, 0);
		unsigned long shadow = 99;

		ASSERT(folio);
		EXPECT_EQ(swap_cache_add(folio, entries[i], &shadow), 0);
		EXPECT_EQ(shadow, shadows[i]);
		/* As it was, so that it is there for the next one. */
		evict_from_swap_cache(folio, shadow);
		EXPECT_EQ(slot_shadow(whole_load(slot_word(entries[i]))), shadows[i]);
		folio_unlock(folio);
		folio_put(folio);
		EXPECT_EQ(swapper_take(entries[i]), i + 1);
	}
	end();
}

/* A packed copy goes when its slot does, in and out of the cache, and not before. */
TEST(swap, a_packed_copy_goes_with_its_slot)
{
	swp_entry_t entries[3];
	unsigned long written;
	struct folio *folio;

	ASSERT(begin(100));
	ASSERT(zswap_set_enabled(true) == 0);
	written = disk->ios[1];
	for (unsigned int i = 0; i < 3; i++) {
		entries[i] = swapper_out(swapper_make(0, i + 1), 0);
		EXPECT_EQ(zswap_stored_pages(), i + 1);
	}
	EXPECT_EQ(disk->ios[1], written);
	EXPECT(zswap_pool_pages() > 0);
	/* Nobody has it in memory. */
	free_swap_and_cache(entries[0]);
	EXPECT_EQ(zswap_stored_pages(), 2);
	/* Two hold it; one of them reads it. */
	EXPECT_EQ(swap_duplicate(entries[1]), 0);
	folio = swapper_in(entries[1]);
	ASSERT(folio);
	swap_free(entries[1]);
	EXPECT(!folio_free_swap(folio));
	EXPECT_EQ(zswap_stored_pages(), 2);
	folio_unlock(folio);
	folio_put(folio);
	EXPECT_EQ(swapper_take(entries[1]), 2);
	EXPECT_EQ(zswap_stored_pages(), 1);
	/* Zeros instead are told by the slot alone. */
	folio = swapper_in(entries[2]);
	ASSERT(folio);
	swapper_set_tag(&folio->page, 0);
	EXPECT_EQ(swap_writepage(folio), 0);
	EXPECT_EQ(zswap_stored_pages(), 0);
	folio_lock(folio);
	evict_from_swap_cache(folio, 0);
	folio_unlock(folio);
	folio_put(folio);
	EXPECT_EQ(swapper_take(entries[2]), 0);
	EXPECT_EQ(zswap_stored_pages(), 0);
	EXPECT_EQ(zswap_pool_pages(), 0);
	EXPECT_EQ(zswap_set_enabled(false), 0);
	end();
}

/* SW-I6: what is given back too often is told. */
TEST(swap, bad_frees_are_found)
{
	struct findings f = { .n = 0 };
	swp_entry_t entry;

	ASSERT(begin(100));
	entry = swapper_out(swapper_make(0, 1), 0);
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

/* SW-I1 to SW-I5: damage is found, each once. */
TEST(swap, damage_is_found)
{
	struct swap_area *area;
	struct folio *folio;
	swp_entry_t entry;
	u64 *word, was;

	ASSERT(begin(1000));
	folio = swapper_make(0, 1);
	ASSERT(folio);
	EXPECT_EQ(add_to_swap(folio), 0);
	entry = folio_swap_entry(folio);
	area = swap_areas[0];
	word = slot_word(entry);
	was = *word;
#define FOUND(n_)                                              \
	do {                                                   \
		struct findings f_ = { .n = 0 };               \
		swap_verify(&f_);                              \
		EXPECT_EQ(f_.n, n_);                           \
	} while (0)
	FOUND(0);
	*word = SLOT_SHADOW | (u64)5 << SLOT_SHADOW_SHIFT; /* nobody holds it; and one fewer is cached */
	FOUND(2);
	*word = was + ((u64)1 << SLOT_PFN_SHIFT); /* another frame, in no cache */
	FOUND(1);
	*word = was;
	*swap_table_find(folio_pfn(folio)) = entry.val + 1;
	FOUND(1);
	*swap_table_find(folio_pfn(folio)) = entry.val;
	area->used++;
	FOUND(1);
	area->used--;
	area->clusters[1].free--; /* and so it is not all free, as its state says */
	FOUND(2);
	area->clusters[1].free++;
	area->clusters[swp_offset(entry) >> CLUSTER_SHIFT].users++;
	FOUND(1);
	area->clusters[swp_offset(entry) >> CLUSTER_SHIFT].users--;
	FOUND(0);
	EXPECT(folio_free_swap(folio));
	folio_unlock(folio);
	folio_put(folio);
	end();
}

/* ---- A device that fails ---- */

static struct flaky flaky;

static bool begin_flaky(unsigned long pages)
{
	disk = swapper_disk("ram0", pages);
	return disk && !flaky_make(&flaky, "flaky0", disk) && !swapper_on(&flaky.bdev, DEV, 0);
}

static void end_flaky(void)
{
	swapper_verify();
	EXPECT_EQ(swapoff_path(DEV), 0);
	flaky_end(&flaky);
	brd_destroy(disk);
}

TEST(swap, a_write_error_keeps_the_page)
{
	struct folio *folio;
	swp_entry_t entry;
	const char *said;
	char line[100];

	ASSERT(begin_flaky(100));
	folio = swapper_make(0, 9);
	ASSERT(folio);
	EXPECT_EQ(add_to_swap(folio), 0);
	entry = folio_swap_entry(folio);
	EXPECT_EQ(swap_duplicate(entry), 0);
	ClearPageDirty(&folio->page);
	flaky.fail_writes = 1;
	test_capture_begin();
	EXPECT_EQ(swap_writepage(folio), -EIO);
	said = test_capture_end();
	octavo_snprintf(line, sizeof(line), "Write-error on swap-device (%u:%u:%llu)\n", flaky.bdev.dev >> 20,
			flaky.bdev.dev & 0xfffff, (unsigned long long)swp_offset(entry) * 8);
	EXPECT(strstr(said, line));
	EXPECT(PageDirty(&folio->page));
	EXPECT(!PageWriteback(&folio->page));
	EXPECT(folio_in_swap_cache(folio));
	EXPECT_EQ(global_node_page_state(NR_WRITEBACK), 0);
	/* It goes with the next try. */
	folio_lock(folio);
	ClearPageDirty(&folio->page);
	EXPECT_EQ(swap_writepage(folio), 0);
	folio_lock(folio);
	EXPECT(!PageDirty(&folio->page));
	evict_from_swap_cache(folio, 0);
	folio_unlock(folio);
	folio_put(folio);
	EXPECT_EQ(swapper_take(entry), 9);
	end_flaky();
}

TEST(swap, a_read_error_is_its_owners)
{
	swp_entry_t bad, good;
	struct folio *folio;
	const char *said;
	int err = 0;

	ASSERT(begin_flaky(100));
	bad = swapper_out(swapper_make(0, 1), 0);
	good = swapper_out(swapper_make(0, 2), 0);
	flaky.bad_first = swp_offset(bad) * 8 + 3;
	flaky.bad_count = 1;
	flaky.bad_reads = true;
	test_capture_begin();
	folio = swapin_readahead(bad, GFP_KERNEL, NULL, 0, &err);
	said = test_capture_end();
	EXPECT(strstr(said, "Read-error on swap-device ("));
	ASSERT(folio);
	folio_lock(folio);
	EXPECT(!PageUptodate(&folio->page));
	folio_unlock(folio);
	folio_put(folio);
	EXPECT_EQ(swapper_take(good), 2);
	/* Whoever has it lets go of it: it leaves nothing behind. */
	free_swap_and_cache(bad);
	EXPECT_EQ(swap_pages_free(), 99);
	end_flaky();
}

/* Of one area not more than ten lines. */
TEST(swap, errors_do_not_flood)
{
	struct folio *folio;
	unsigned int lines = 0;
	const char *said;

	ASSERT(begin_flaky(100));
	folio = swapper_make(0, 9);
	ASSERT(folio);
	EXPECT_EQ(add_to_swap(folio), 0);
	EXPECT_EQ(swap_duplicate(folio_swap_entry(folio)), 0);
	flaky.fail_writes = 30;
	test_capture_begin();
	for (unsigned int i = 0; i < 30; i++) {
		EXPECT_EQ(swap_writepage(folio), -EIO);
		folio_lock(folio);
	}
	for (said = test_capture_end(); (said = strstr(said, "Write-error")) != NULL; said++)
		lines++;
	EXPECT_EQ(lines, 10);
	swap_free(folio_swap_entry(folio));
	EXPECT(!folio_in_swap_cache(folio) || folio_free_swap(folio));
	folio_unlock(folio);
	folio_put(folio);
	end_flaky();
}

/* ---- Allocations that fail ---- */

static void nothing_left(void *ctx)
{
	(void)ctx;
	swapper_verify();
	EXPECT_EQ(global_node_page_state(NR_SWAPCACHE), 0);
}

/* From the device's swapon to its swapoff, with a page in between. */
static bool whole_life(void *ctx)
{
	swp_entry_t entry = { 0 };
	struct folio *folio;
	bool good = false;
	int err = 0;

	(void)ctx;
	if (swapper_on(disk, DEV, 0))
		return false;
	folio = swapper_make(0, 5);
	if (folio)
		entry = swapper_out(folio, 0);
	if (entry.val) {
		folio = swapin_readahead(entry, GFP_KERNEL, NULL, 0, &err);
		EXPECT(folio || err == -ENOMEM);
		good = folio;
		if (folio) {
			EXPECT_EQ(swapper_tag(&folio->page), 5);
			folio_put(folio);
		}
		free_swap_and_cache(entry);
	}
	EXPECT_EQ(swapoff_path(DEV), 0);
	return good;
}

TEST(swap, allocations_fail)
{
	disk = swapper_disk("ram0", 3000);
	ASSERT(disk);
	nothing_left(NULL);
	swapper_may_fail = true;
	EXPECT(fault_each_among(FAIL_NTH_PAGE | FAIL_NTH_SLAB, whole_life, nothing_left, NULL) > 8);
	swapper_may_fail = false;
	brd_destroy(disk);
}
