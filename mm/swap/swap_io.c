// SPDX-License-Identifier: MIT
/*
 * Pages to and from their slots.
 *
 * A page of zeros goes nowhere: its word says so (SLOT_ZERO). Of the others zswap may keep a compressed copy; what
 * it does not take goes to the device. Reading asks in the same order. zswap keeps its copy while the folio is in
 * the cache and clean, so that it can go again at no cost.
 *
 * A RAM disk is done when it returns, and so are zeros and compressed copies: their folio is never under writeback, but
 * stays locked while it is written. Who wants it waits for the lock (Linux: for writeback).
 *
 * Errors. What cannot be written stays in memory, dirty, and keeps its slot. What cannot be read leaves a folio in the
 * cache that is not uptodate: who has it by an entry gets SIGBUS when he wants it, and nobody else does.
 */
#include "area.h"

#include <octavo/fs.h>
#include <octavo/highmem.h>
#include <octavo/reclaim_hook.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../lru/lru.h"
#include "../phys/page_wait.h"
#include "../zswap/zswap.h"

#define MESSAGES 10u /* of failed transfers of one area */

static u64 sector_of(unsigned long slot)
{
	return (u64)slot * PAGE_SECTORS;
}

static noinline int file_rw_page(struct swap_area *area, unsigned long slot, struct page *page, bool write)
{
	unsigned int scope = memalloc_noio_save();
	int err = area->file->f_mapping->a_ops->swap_rw(area->file, (u64)slot << PAGE_SHIFT, page, write);

	memalloc_noio_restore(scope);
	return err;
}

int swap_rw_page(struct swap_area *area, unsigned long slot, struct page *page, bool write)
{
	if (unlikely(area->file))
		return file_rw_page(area, slot, page, write);
	return bdev_rw_page(area->bdev, sector_of(slot), page, write);
}

int swap_discard_slots(struct swap_area *area, unsigned long first, unsigned long end)
{
	return bdev_discard(area->bdev, sector_of(first), (u64)(end - first) * PAGE_SECTORS);
}

static __cold void tell(struct swap_area *area, unsigned long slot, bool write)
{
	u32 dev = area->bdev ? area->bdev->dev : area->file->f_inode->i_dev;

	if (atomic_fetch_add(write ? &area->write_errors : &area->read_errors, 1) < MESSAGES)
		pr_err("%s-error on swap-device (%u:%u:%llu)\n", write ? "Write" : "Read", dev >> 20,
		       dev & 0xfffff, (unsigned long long)sector_of(slot));
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
static force_inline bool keep_page(u64 *word, swp_entry_t entry, struct page *page)
{
	if (unlikely(page_is_zero(page))) {
		slot_set_zero(word, true);
		zswap_invalidate(entry, 1);
		count_vm_events(SWPOUT_ZERO, 1);
		return true;
	}
	if (unlikely(whole_load(word) & SLOT_ZERO))
		slot_set_zero(word, false);
	return zswap_store(entry, page);
}

/* A RAM disk is done before anybody could read the counters. */
static force_inline bool writeback_counts(const struct swap_area *area)
{
	return !(load_relaxed(&area->flags) & SWP_SYNCHRONOUS);
}

static noinline void begin_writeback(const struct swap_area *area, struct folio *folio, long nr)
{
	page_writeback_begin(&folio->page);
	if (likely(!writeback_counts(area)))
		return;
	swap_count_folio(folio, NR_WRITEBACK, nr);
	mod_zone_page_state(page_zone(&folio->page), NR_ZONE_WRITE_PENDING, nr);
}

/* Its pages were written, or @err. */
static force_inline void written(struct folio *folio, long nr, int err)
{
	if (likely(!err)) {
		swap_count_folio(folio, NR_WRITTEN, nr);
		return;
	}
	SetPageDirty(&folio->page);
	ClearPageReclaim(&folio->page);
}

void swap_end_writeback(const struct swap_area *area, struct folio *folio, long nr, int err)
{
	if (unlikely(writeback_counts(area))) {
		swap_count_folio(folio, NR_WRITEBACK, -nr);
		mod_zone_page_state(page_zone(&folio->page), NR_ZONE_WRITE_PENDING, -nr);
	}
	written(folio, nr, err);
	/* Reclaim wants it next, now that it is clean. */
	if (PageReclaim(&folio->page)) {
		ClearPageReclaim(&folio->page);
		folio_rotate_reclaimable(folio);
	}
	page_writeback_end(&folio->page);
}

/* Return: whether there are any. */
static bool pages_for_device(const struct swap_area *area, struct folio *folio, unsigned int nr, struct page_set *set)
{
	bool any = false;

	for (unsigned int i = 0; i < nr; i++) {
		unsigned long *word = &set->word[i / PAGE_SET_BITS];
		swp_entry_t entry = folio_slot(folio, i);

		if (!(i % PAGE_SET_BITS))
			*word = 0;
		if (keep_page(&area->words[swp_offset(entry)], entry, folio_page(folio, i)))
			continue;
		*word |= 1ul << i % PAGE_SET_BITS;
		any = true;
	}
	return any;
}

int swap_write_page(struct swap_area *area, swp_entry_t entry, struct page *page)
{
	int err = swap_rw_page(area, swp_offset(entry), page, true);

	if (likely(!err))
		count_vm_events(PSWPOUT, 1);
	else
		tell(area, swp_offset(entry), true);
	return err;
}

/* Pages @set of it to the device. Return: 0 or errno. */
static noinline int write_pages(struct swap_area *area, struct folio *folio, unsigned int nr,
				const struct page_set *set)
{
	int err = 0;

	for (unsigned int i = 0; i < nr; i++)
		if (in_page_set(set, i)) {
			int failed = swap_write_page(area, folio_slot(folio, i), folio_page(folio, i));

			err = err ? err : failed;
		}
	return err;
}

/* By the area's thread, or here. Unlocks it. Return: 0 or errno, of what is done here. */
static noinline int submit(struct swap_area *area, struct folio *folio, unsigned int nr, const struct page_set *set)
{
	int err;

	begin_writeback(area, folio, (long)nr);
	folio_unlock(folio);
	if (area->queue && swap_queue_write(area, folio, set, nr))
		return 0;
	err = write_pages(area, folio, nr, set);
	swap_end_writeback(area, folio, (long)nr, err);
	return err;
}

static void count_large(unsigned int order)
{
	atomic_add_relaxed(&swap_large_out[order], 1);
	if (1u << order == CLUSTER_SLOTS)
		count_vm_events(THP_SWPOUT, 1);
}

/* Several pages, or an area where transfers take time. As swap_write_locked(). */
static noinline int write_set(struct swap_area *area, struct folio *folio, swp_entry_t entry, bool *locked)
{
	unsigned int nr = 1u << folio_order(folio);
	struct page_set set;
	int err;

	*locked = true;
	if (!pages_for_device(area, folio, nr, &set))
		return 0;
	if (nr > 1 && folio_slot(folio, nr - 1).val == entry.val + nr - 1)
		count_large(folio_order(folio));
	*locked = !writeback_counts(area);
	if (!*locked)
		return submit(area, folio, nr, &set);
	err = write_pages(area, folio, nr, &set);
	written(folio, (long)nr, err);
	return err;
}

int swap_write_locked(struct folio *folio, bool *locked)
{
	swp_entry_t entry = swap_entry_of(folio);
	struct swap_area *area = swap_area_of_entry(entry);
	u64 *word = &area->words[swp_offset(entry)];
	int err;

	*locked = true;
	/* Perhaps nobody wants it back. */
	if (unlikely(!slot_count(whole_load(word)) && swap_drop_unheld(folio, entry)))
		return 0;
	if (unlikely(folio_order(folio) || writeback_counts(area)))
		return write_set(area, folio, entry, locked);
	if (keep_page(word, entry, &folio->page))
		return 0;
	err = swap_write_page(area, entry, &folio->page);
	written(folio, 1, err);
	return err;
}

int swap_writepage(struct folio *folio)
{
	bool locked;
	int err = swap_write_locked(folio, &locked);

	if (locked)
		folio_unlock(folio);
	return err;
}

/* ---- In ---- */

/* Return: 0; 1: from the device; errno. */
static int read_page(struct swap_area *area, swp_entry_t entry, struct page *page)
{
	int err;

	if (whole_load(&area->words[swp_offset(entry)]) & SLOT_ZERO) {
		clear_highpage(page);
		count_vm_events(SWPIN_ZERO, 1);
		return 0;
	}
	err = zswap_load(entry, page);
	if (likely(err == -ENOENT))
		err = swap_rw_page(area, swp_offset(entry), page, false);
	else if (!err)
		return 0;
	if (unlikely(err)) {
		tell(area, swp_offset(entry), false);
		return err;
	}
	count_vm_events(PSWPIN, 1);
	return 1;
}

int swap_read_folio(struct folio *folio)
{
	swp_entry_t entry = swap_entry_of(folio);
	struct swap_area *area = swap_area_of_entry(entry);
	int read = 0;

	for (unsigned int i = 0; i < folio_nr_pages(folio); i++) {
		int one = read_page(area, folio_slot(folio, i), folio_page(folio, i));

		read = one < 0 ? one : read + one;
		if (unlikely(read < 0))
			break;
	}
	if (likely(read >= 0))
		SetPageUptodate(&folio->page);
	folio_unlock(folio);
	return read;
}
