// SPDX-License-Identifier: MIT
/*
 * Pages to and from their slots.
 *
 * A page of zeros goes nowhere: its word says so (SLOT_ZERO). Of the others zswap may keep a compressed copy; what it
 * does not take goes to the device. Reading asks in the same order. A copy that zswap gives back is not kept there any
 * longer: the folio is dirty then, for there is nothing on the device.
 *
 * Errors. What cannot be written stays in memory, dirty, and keeps its slot. What cannot be read leaves a folio in the
 * cache that is not uptodate: who has it by an entry gets SIGBUS when he wants it, and nobody else does.
 */
#include "area.h"

#include <octavo/highmem.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../lru/lru.h"
#include "../phys/page_wait.h"
#include "../zswap/zswap.h"

#define MESSAGES 10u /* of failed transfers of one area */

static u64 sector_of(const struct swap_area *area, unsigned long slot)
{
	return area->whole.sector + (u64)slot * PAGE_SECTORS;
}

int swap_rw_page(struct swap_area *area, unsigned long slot, struct page *page, bool write)
{
	return bdev_rw_page(area->bdev, sector_of(area, slot), page, write);
}

int swap_discard_slots(struct swap_area *area, unsigned long first, unsigned long end)
{
	return bdev_discard(area->bdev, sector_of(area, first), (u64)(end - first) * PAGE_SECTORS);
}

static __cold void tell(struct swap_area *area, unsigned long slot, bool write)
{
	u32 dev = area->bdev ? area->bdev->dev : 0;

	if (atomic_fetch_add(write ? &area->write_errors : &area->read_errors, 1) < MESSAGES)
		pr_err("%s-error on swap-device (%u:%u:%llu)\n", write ? "Write" : "Read", dev >> 20,
		       dev & 0xfffff, (unsigned long long)sector_of(area, slot));
}

/* Most pages differ from zero in their first or last word. */
static bool page_is_zero(struct page *page)
{
	const unsigned long *word = kmap_local_page(page);
	unsigned long n = PAGE_SIZE / sizeof(*word), any = word[n - 1];

	for (unsigned long i = 0; i < n && !any; i += 8)
		any = word[i] | word[i + 1] | word[i + 2] | word[i + 3] | word[i + 4] | word[i + 5] | word[i + 6] |
		      word[i + 7];
	kunmap_local(word);
	return !any;
}

/* ---- Out ---- */

/* Without the device. Return: whether it will do. */
static bool keep_page(u64 *word, swp_entry_t entry, struct page *page)
{
	if (page_is_zero(page)) {
		slot_set_zero(word, true);
		zswap_invalidate(entry, 1);
		count_vm_events(SWPOUT_ZERO, 1);
		return true;
	}
	slot_set_zero(word, false);
	return zswap_store(entry, page);
}

static void begin_writeback(struct folio *folio, long nr)
{
	page_writeback_begin(&folio->page);
	swap_count_folio(folio, NR_WRITEBACK, nr);
	mod_zone_page_state(page_zone(&folio->page), NR_ZONE_WRITE_PENDING, nr);
}

static void end_writeback(struct folio *folio, long nr)
{
	swap_count_folio(folio, NR_WRITEBACK, -nr);
	swap_count_folio(folio, NR_WRITTEN, nr);
	mod_zone_page_state(page_zone(&folio->page), NR_ZONE_WRITE_PENDING, -nr);
	/* Reclaim wants it next, now that it is clean. */
	if (PageReclaim(&folio->page)) {
		ClearPageReclaim(&folio->page);
		folio_rotate_reclaimable(folio);
	}
	page_writeback_end(&folio->page);
}

/* Pages of @which (bit i: the i-th from @first on) to the device. Return: 0 or the first error. */
static int write_pages(struct swap_area *area, struct folio *folio, swp_entry_t entry, unsigned int first, u64 which)
{
	int err = 0;

	for (; which; which &= which - 1) {
		unsigned int i = first + lowest_bit(which);
		int failed = swap_rw_page(area, swp_offset(entry) + i, folio_page(folio, i), true);

		if (unlikely(failed)) {
			tell(area, swp_offset(entry) + i, true);
			err = err ? err : failed;
		} else {
			count_vm_events(PSWPOUT, 1);
		}
	}
	return err;
}

/*
 * Bit by bit which of 64 pages from @first on the device must have. A folio's worth of them does not fit into a word:
 * so a large one is under writeback, and locked, while its parts are looked at.
 */
static u64 pages_for_device(const struct swap_area *area, struct folio *folio, swp_entry_t entry, unsigned int first,
			    unsigned int nr)
{
	u64 which = 0;

	for (unsigned int i = 0; i < nr && i < 64; i++)
		if (!keep_page(&area->words[swp_offset(entry) + first + i], swp_entry_plus(entry, first + i),
			       folio_page(folio, first + i)))
			which |= (u64)1 << i;
	return which;
}

static int write_large(struct swap_area *area, struct folio *folio, swp_entry_t entry, unsigned int nr)
{
	int err = 0;

	begin_writeback(folio, (long)nr);
	folio_unlock(folio);
	count_vm_events(THP_SWPOUT, nr == CLUSTER_SLOTS);
	for (unsigned int first = 0; first < nr; first += 64) {
		u64 which = pages_for_device(area, folio, entry, first, nr - first);
		int failed = write_pages(area, folio, entry, first, which);

		err = err ? err : failed;
	}
	return err;
}

int swap_writepage(struct folio *folio)
{
	unsigned int nr = 1u << folio_order(folio);
	swp_entry_t entry = folio_swap_entry(folio);
	struct swap_area *area;
	int err;

	/* Nobody wants it back. */
	if (unlikely(folio_free_swap(folio))) {
		folio_unlock(folio);
		return 0;
	}
	area = swap_area_of_entry(entry);
	if (likely(nr == 1)) {
		if (keep_page(&area->words[swp_offset(entry)], entry, &folio->page)) {
			folio_unlock(folio);
			return 0;
		}
		begin_writeback(folio, 1);
		folio_unlock(folio);
		err = write_pages(area, folio, entry, 0, 1);
	} else {
		err = write_large(area, folio, entry, nr);
	}
	if (unlikely(err)) {
		SetPageDirty(&folio->page);
		ClearPageReclaim(&folio->page);
	}
	end_writeback(folio, (long)nr);
	return err;
}

/* ---- In ---- */

static int read_page(struct swap_area *area, swp_entry_t entry, struct page *page)
{
	int err;

	if (whole_load(&area->words[swp_offset(entry)]) & SLOT_ZERO) {
		clear_highpage(page);
		count_vm_events(SWPIN_ZERO, 1);
		return 0;
	}
	err = zswap_load(entry, page);
	if (!err) {
		SetPageDirty(&page_folio(page)->page);
		zswap_invalidate(entry, 1);
		return 0;
	}
	if (likely(err == -ENOENT)) {
		err = swap_rw_page(area, swp_offset(entry), page, false);
		count_vm_events(PSWPIN, !err);
	}
	if (unlikely(err))
		tell(area, swp_offset(entry), false);
	return err;
}

int swap_read_folio(struct folio *folio)
{
	swp_entry_t entry = folio_swap_entry(folio);
	struct swap_area *area = swap_area_of_entry(entry);
	int err = 0;

	for (unsigned int i = 0; i < folio_nr_pages(folio) && !err; i++)
		err = read_page(area, swp_entry_plus(entry, i), folio_page(folio, i));
	if (likely(!err))
		SetPageUptodate(&folio->page);
	folio_unlock(folio);
	return err;
}
