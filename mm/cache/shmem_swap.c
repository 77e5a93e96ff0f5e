// SPDX-License-Identifier: MIT
/*
 * shmem and swap: a file has a slot's number in the place of a folio.
 *
 * Words. The *value* at an index of i_pages is what xa_mk_value() makes of a swp_entry_t: of a slot, of which the file
 * then holds one count, or of a marker of poison: what was there could not be read when its area was switched off.
 *
 *	out: folio in i_pages -> slot, swap cache -> value in i_pages -> written	(shmem_writeout(), by reclaim)
 *	in:  value in i_pages -> folio of the slot, locked -> folio in i_pages, out of the swap cache
 *
 * Both happen under the folio's lock, and the exchange itself under i_pages' lock, only for what was looked at before.
 * So at each moment an index has a folio or a value, and nobody finds a hole between.
 *
 * Invariants, with those of shmem.c
 *
 * SH-I5: an inode's swapped is the number of values in its i_pages.
 *
 * What failure does. Without a slot the folio stays in the file and dirty; a full swap is nothing that a writer hears
 * of. A slot that cannot be read keeps its value: who wants the page gets -EIO, a fault SIGBUS; the rest of the file is
 * as it was.
 */
#include "../base/part.h"
#include "../lru/lru.h"
#include "../sync/atomic.h"
#include "../swap/swap.h"
#include "../vm/fault.h"
#include "filemap.h"
#include "shmem.h"

#define POISON swp_entry(SWP_PTE_MARKER, PTE_MARKER_POISONED)

static swp_entry_t slot_of(const void *value)
{
	return (swp_entry_t){ xa_to_value(value) };
}

/* ---- Out ---- */

static bool may_go(struct address_space *mapping, const struct folio *folio)
{
	const struct shmem_inode *info = shmem_i(mapping->host);

	if (mapping_flag(mapping, AS_UNEVICTABLE) || mapping_flag(mapping, AS_EXITING) ||
	    (info->sb && load_relaxed(&info->sb->noswap)) || folio_order(folio) || PageHWPoison(&folio->page))
		return false;
	/* fallocate() takes back what nobody has used if it fails, and knows it by that. */
	return PageUptodate(&folio->page) || !load_relaxed(&info->fallocating);
}

/* The file has the folio's slot, and one reference less. */
static void leave_file(struct address_space *mapping, struct folio *folio, swp_entry_t slot)
{
	struct shmem_inode *info = shmem_i(mapping->host);
	unsigned long flags = xa_lock_irqsave(&mapping->i_pages);

	store_relaxed(&info->swapped, info->swapped + 1);
	__filemap_replace_folio(mapping, folio, xa_mk_value(slot.val));
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	folio_put(folio);
}

int shmem_writeout(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);
	swp_entry_t slot;
	int err;

	if (!mapping || !may_go(mapping, folio) || folio_mapped(folio))
		return -EBUSY;
	if (!PageUptodate(&folio->page))
		shmem_fill_zero(folio);
	err = add_to_swap(folio);
	if (err) {
		SetPageDirty(&folio->page);
		return err;
	}
	slot = folio_swap_entry(folio);
	err = swap_duplicate(slot);
	if (unlikely(err)) {
		delete_from_swap_cache(folio);
		SetPageDirty(&folio->page);
		return err;
	}
	leave_file(mapping, folio, slot);
	(void)folio_clear_dirty_for_io(folio);
	/* If it cannot be written it is dirty again, and in the swap cache: nothing is lost. */
	(void)swap_writepage(folio);
	return 0;
}

/* ---- In ---- */

/* The folio is the slot's, locked, uptodate. */
static int enter_file(struct inode *inode, unsigned long index, void *value, struct folio *folio)
{
	struct address_space *mapping = inode->i_mapping;
	struct shmem_inode *info = shmem_i(inode);
	unsigned long flags;
	int err;

	folio_wait_writeback(folio);
	err = filemap_add_folio_at(mapping, folio, index, value, mapping->gfp_mask & ~__GFP_HIGHMEM);
	if (err)
		return err == -EEXIST ? -EAGAIN : err;
	flags = xa_lock_irqsave(&mapping->i_pages);
	store_relaxed(&info->swapped, info->swapped - 1);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	swap_free(slot_of(value));
	delete_from_swap_cache(folio);
	SetPageDirty(&folio->page);
	return 0;
}

int shmem_swapin(struct inode *inode, unsigned long index, void *value, struct folio **result)
{
	swp_entry_t slot = slot_of(value);
	struct folio *folio;
	struct page *page;
	int err = 0;

	if (unlikely(non_swap_entry(slot)))
		return -EIO;
	folio = swapin_readahead(slot, inode->i_mapping->gfp_mask, NULL, 0, &err);
	if (unlikely(!folio))
		return err == -ENOMEM ? err : -EAGAIN;
	folio_lock(folio);
	err = -EAGAIN;
	if (likely(swap_folio_page(folio, slot, &page)))
		err = PageUptodate(&folio->page) && !PageHWPoison(page) ? enter_file(inode, index, value, folio) : -EIO;
	/* An error is the page's only while it is that page. */
	if (err == -EIO && xa_load(&inode->i_mapping->i_pages, index) != value)
		err = -EAGAIN;
	if (likely(!err)) {
		*result = folio;
		return 0;
	}
	folio_unlock(folio);
	folio_put(folio);
	return err;
}

/* @index has a value, and has it still if its folio is not there already. */
static bool read_ahead(void *value)
{
	struct folio *folio;
	bool fresh;
	int err = 0;

	if (non_swap_entry(slot_of(value)))
		return true;
	folio = read_swap_cache(slot_of(value), GFP_HIGHUSER_MOVABLE | __GFP_NORETRY | __GFP_NOWARN, &fresh, &err);
	if (folio)
		folio_put(folio);
	return err != -ENOMEM;
}

/* The value at or behind *@index. NULL: none up to @last. */
static void *find_value(const struct address_space *mapping, unsigned long *index, unsigned long last)
{
	void *entry;

	rcu_read_lock();
	while ((entry = xa_find(&mapping->i_pages, index, last)) && !xa_is_value(entry))
		if ((*index)++ == last) {
			entry = NULL;
			break;
		}
	rcu_read_unlock();
	return entry;
}

static bool has_swapped(const struct address_space *mapping)
{
	return mapping_flag(mapping, AS_SWAP) && load_relaxed(&shmem_i(mapping->host)->swapped);
}

void shmem_swapin_range(struct address_space *mapping, unsigned long first, unsigned long last)
{
	void *value;

	if (!has_swapped(mapping))
		return;
	while ((value = find_value(mapping, &first, last)) && read_ahead(value) && first < last)
		first++;
	lru_add_drain();
}

unsigned long shmem_swap_usage(const struct file *file, unsigned long first, unsigned long nr)
{
	const struct address_space *mapping = file->f_mapping;
	unsigned long index = first, last = first + nr - 1, found = 0;

	if (!mapping || !has_swapped(mapping))
		return 0;
	while (find_value(mapping, &index, last)) {
		found++;
		if (index++ == last)
			break;
	}
	return found;
}

/* ---- Gone ---- */

/* @index, which has @value, has @new instead. Return: false: it has something else by now. */
static bool exchange_value(struct inode *inode, unsigned long index, void *value, void *new)
{
	struct address_space *mapping = inode->i_mapping;
	struct shmem_inode *info = shmem_i(inode);
	unsigned long flags = xa_lock_irqsave(&mapping->i_pages);
	bool same = xa_load(&mapping->i_pages, index) == value;

	if (same && !new)
		(void)__xa_erase(&mapping->i_pages, index);
	else if (same)
		same = !__xa_store(&mapping->i_pages, index, 0, new);
	if (same && !new)
		store_relaxed(&info->swapped, info->swapped - 1);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	if (same && !non_swap_entry(slot_of(value)))
		free_swap_and_cache(slot_of(value));
	return same;
}

void shmem_forget_swapped(struct inode *inode, unsigned long first, unsigned long last)
{
	void *value;

	if (!load_relaxed(&shmem_i(inode)->swapped))
		return;
	while ((value = find_value(inode->i_mapping, &first, last)))
		if (exchange_value(inode, first, value, NULL) && first++ == last)
			break;
}

/* ---- swapoff ---- */

static int unuse_inode(struct inode *inode, unsigned int type)
{
	unsigned long index = 0;
	struct folio *folio;
	void *value;

	while ((value = find_value(inode->i_mapping, &index, FILE_INDEX_MAX))) {
		int err = swp_type(slot_of(value)) == type ? shmem_swapin(inode, index, value, &folio) : 1;

		if (!err) {
			folio_unlock(folio);
			folio_put(folio);
		} else if (err == -EIO) {
			(void)exchange_value(inode, index, value, xa_mk_value(POISON.val));
		} else if (err == -ENOMEM) {
			return err;
		}
		if (fatal_signal_pending(current_task()))
			return -EINTR;
		/* What has changed meanwhile is looked at again. */
		if (err != -EAGAIN && index++ == FILE_INDEX_MAX)
			break;
	}
	return 0;
}

static int unuse_shmem(unsigned int type)
{
	int err = 0;

	for (struct shmem_inode *info = shmem_next_swapped(NULL); info && !err; info = shmem_next_swapped(info)) {
		err = unuse_inode(&info->inode, type);
		if (err) {
			iput(&info->inode);
			break;
		}
	}
	return err;
}

static struct swap_user shmem_files __memsys;

static int init(void)
{
	shmem_files.unuse = unuse_shmem;
	register_swap_user(&shmem_files);
	return 0;
}

MM_PART(shmem_swap, .order = MM_PART_FILES, .init = init);
