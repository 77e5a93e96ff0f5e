// SPDX-License-Identifier: MIT
#include "swapper.h"

#include <octavo/highmem.h>

#include "mm/base/findings.h"

struct bdev *swapper_disk(const char *name, unsigned long pages)
{
	int err = 0;
	struct bdev *disk = brd_create(name, (u64)pages * PAGE_SECTORS, &err);

	if (disk && swap_make_header(disk, pages, "test")) {
		brd_destroy(disk);
		return NULL;
	}
	return disk;
}

int swapper_on(struct bdev *bdev, const char *path, int flags)
{
	bool was = printk_console(false);
	int err = swapon_bdev(bdev, path, flags);

	printk_console(was);
	return err;
}

void swapper_verify(void)
{
	struct findings f = { .report = test_finding };

	swap_verify(&f);
}

#define TAG_AT 17 /* not where one looks first for zeros */

void swapper_set_tag(struct page *page, unsigned long tag)
{
	unsigned long *word = kmap_local_page(page);

	word[TAG_AT] = tag;
	kunmap_local(word);
}

unsigned long swapper_tag(struct page *page)
{
	unsigned long *word = kmap_local_page(page), tag = word[TAG_AT];

	kunmap_local(word);
	return tag;
}

struct folio *swapper_make(unsigned int order, unsigned long tag)
{
	struct page *page = alloc_pages(GFP_HIGHUSER_MOVABLE | __GFP_ZERO | (order ? __GFP_COMP : 0), order);

	if (!page)
		return NULL;
	for (unsigned int i = 0; tag && i < 1u << order; i++)
		swapper_set_tag(page + i, tag + i);
	__SetPageUptodate(page);
	__SetPageSwapBacked(page);
	folio_lock((struct folio *)page);
	return (struct folio *)page;
}

bool swapper_may_fail;

swp_entry_t swapper_out(struct folio *folio, unsigned long shadow)
{
	swp_entry_t entry = { 0 };

	if (!folio)
		return entry;
	if (add_to_swap(folio)) {
		folio_unlock(folio);
		folio_put(folio);
		return entry;
	}
	entry = folio_swap_entry(folio);
	if (swap_duplicate_nr(entry, (unsigned int)folio_nr_pages(folio)))
		test_fail(__FILE__, __LINE__, "not duplicated");
	ClearPageDirty(&folio->page);
	if (swap_writepage(folio) && !swapper_may_fail)
		test_fail(__FILE__, __LINE__, "not written");
	folio_lock(folio);
	folio_wait_writeback(folio);
	if (!PageDirty(&folio->page))
		evict_from_swap_cache(folio, shadow);
	folio_unlock(folio);
	folio_put(folio);
	return entry;
}

struct folio *swapper_in(swp_entry_t entry)
{
	int err = 0;
	struct folio *folio = swapin_readahead(entry, GFP_HIGHUSER_MOVABLE, NULL, 0, &err);

	if (!folio) {
		test_fail(__FILE__, __LINE__, "%lx is not read: %d", entry.val, err);
		return NULL;
	}
	folio_lock(folio);
	if (!PageUptodate(&folio->page))
		test_fail(__FILE__, __LINE__, "%lx is not uptodate", entry.val);
	return folio;
}

unsigned long swapper_take(swp_entry_t entry)
{
	struct folio *folio = swapper_in(entry);
	unsigned long tag;

	if (!folio)
		return 0;
	swap_free(entry);
	if (!folio_free_swap(folio))
		test_fail(__FILE__, __LINE__, "%lx has other holders", entry.val);
	tag = swapper_tag(&folio->page);
	folio_unlock(folio);
	folio_put(folio);
	return tag;
}
