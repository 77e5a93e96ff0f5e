// SPDX-License-Identifier: MIT
/*
 * Taking pages out of the cache because the file has become shorter, or has a hole there, or they are not wanted.
 *
 * A page that goes must not come back: who fills the cache from the store holds mapping->invalidate_lock for reading
 * and looks at the size below it, so after size and lock have been had for writing once, only what is in the cache
 * has to be dealt with. A fault that found its page before takes the folio's lock and looks at the mapping again
 * (generic_file_ vm_ops); what is mapped at the moment its folio goes is unmapped under the same lock.
 */
#include <octavo/highmem.h>

#include "../vm/interval.h"
#include "filemap.h"

#define BATCH 15u

/* ---- Mappings by processes ---- */

struct range {
	unsigned long first, last; /* pages of the file */
};

static void unmap_pages(struct address_space *mapping, struct range range, const struct zap_details *details)
{
	struct vm_area_struct *vma;

	/* With the lock alone: who changes a VMA may have taken the only one out of the tree for a moment. */
	down_read(&mapping->i_mmap_rwsem);
	vma_interval_tree_foreach(vma, mapping->i_mmap, range.first, range.last) {
		unsigned long last = vma->vm_pgoff + vma_pages(vma) - 1;
		unsigned long from = max(range.first, vma->vm_pgoff), to = min(range.last, last);
		struct mmu_gather tlb;

		tlb_gather_mmu(&tlb, vma->vm_mm);
		zap_page_range(&tlb, vma, vma->vm_start + ((from - vma->vm_pgoff) << PAGE_SHIFT),
			       vma->vm_start + ((to - vma->vm_pgoff + 1) << PAGE_SHIFT), details);
		tlb_finish_mmu(&tlb);
	}
	up_read(&mapping->i_mmap_rwsem);
}

/* Bytes as pages, whole ones or not. */
static struct range pages_around(u64 start, u64 end)
{
	return (struct range){ file_index(start), file_index(end) };
}

void unmap_mapping_range(struct address_space *mapping, u64 start, u64 len, bool even_cows)
{
	struct zap_details details = { .even_cows = even_cows };
	u64 end = len && start + len > start ? start + len - 1 : ~(u64)0;

	unmap_pages(mapping, pages_around(start, end), &details);
}

/* One folio, locked: no private copies, which are no pages of the cache any more. */
static void unmap_folio(struct address_space *mapping, struct folio *folio)
{
	struct zap_details details = { .folio = folio };
	unsigned long first = (unsigned long)page_index(&folio->page);

	unmap_pages(mapping, (struct range){ first, first + folio_nr_pages(folio) - 1 }, &details);
}

/* ---- Folios go ---- */

void folio_cancel_dirty(struct folio *folio)
{
	if (TestClearPageDirty(&folio->page)) {
		struct address_space *mapping = folio_mapping(folio);
		unsigned long flags;

		if (!mapping || !mapping_can_writeback(mapping))
			return;
		flags = xa_lock_irqsave(&mapping->i_pages);
		folio_account_cleaned(folio);
		__xa_clear_tag(&mapping->i_pages, folio_index(folio), PAGECACHE_TAG_DIRTY);
		xa_unlock_irqrestore(&mapping->i_pages, flags);
	}
}

void truncate_inode_folio(struct address_space *mapping, struct folio *folio)
{
	if (folio_mapped(folio))
		unmap_folio(mapping, folio);
	if (unlikely(PageDirty(&folio->page)))
		folio_cancel_dirty(folio);
	filemap_remove_from(mapping, folio);
}

static void zero_part(struct folio *folio, size_t from, size_t to)
{
	while (from < to) {
		size_t offset = from & ~PAGE_MASK, n = min(to - from, PAGE_SIZE - offset);

		memset_page(folio_page(folio, from >> PAGE_SHIFT), offset, 0, n);
		from += n;
	}
}

/*
 * The folio, locked, reaches beyond what goes: that part of it becomes zeros, whole pages of a large folio included.
 * One that has no contents yet goes altogether, unless it was promised (fallocate() of shmem).
 */
static void truncate_partial(struct address_space *mapping, struct folio *folio, u64 start, u64 end)
{
	u64 first = (u64)page_index(&folio->page) << PAGE_SHIFT, last = first + folio_size(folio) - 1;

	if (!PageUptodate(&folio->page)) {
		if (!PageSwapBacked(&folio->page))
			truncate_inode_folio(mapping, folio);
		return;
	}
	zero_part(folio, (size_t)(max(start, first) - first), (size_t)(min(end, last) - first) + 1);
	folio_mark_dirty_of(mapping, folio);
}

/* Return: whether the folio, which has a reference, has been dealt with; false: it is locked or under writeback. */
static bool truncate_one(struct address_space *mapping, struct folio *folio, u64 start, u64 end, bool wait)
{
	u64 first, last;

	if (wait)
		folio_lock(folio);
	else if (!folio_trylock(folio))
		return false;
	if (!folio_is_of(folio, mapping)) {
		folio_unlock(folio);
		return true;
	}
	first = (u64)page_index(&folio->page) << PAGE_SHIFT;
	last = first + folio_size(folio) - 1;
	if (PageWriteback(&folio->page)) {
		if (!wait) {
			folio_unlock(folio);
			return false;
		}
		folio_wait_writeback(folio);
	}
	if (first >= start && last <= end)
		truncate_inode_folio(mapping, folio);
	else
		truncate_partial(mapping, folio, start, end);
	folio_unlock(folio);
	return true;
}

/* What reclaim left behind says nothing of what the file may have there later. */
static void forget_shadows(struct address_space *mapping, const struct range *range)
{
	unsigned long at = range->first, flags;
	void *entry = NULL;

	do {
		unsigned int left = XA_SLOTS;

		flags = xa_lock_fast(&mapping->i_pages);
		while (left-- && at <= range->last && (entry = xa_find(&mapping->i_pages, &at, range->last)) != NULL) {
			unsigned long next = at + (1ul << xa_get_order(&mapping->i_pages, at));

			if (xa_is_value(entry))
				__xa_erase(&mapping->i_pages, at);
			at = next;
		}
		xa_unlock_fast(&mapping->i_pages, flags);
	} while (entry && at && at <= range->last);
}

void truncate_inode_pages_range(struct address_space *mapping, u64 start, u64 end)
{
	struct range range = pages_around(start, end);
	struct folio *batch[BATCH];

	if (end < start || xa_empty(&mapping->i_pages))
		return;
	/* First what goes without waiting, then the rest. */
	for (int wait = 0; wait < 2; wait++) {
		unsigned long index = range.first;
		unsigned int n;

		while (index <= range.last &&
		       (n = filemap_get_folios(mapping, &index, range.last, batch, BATCH)) != 0)
			for (unsigned int i = 0; i < n; i++) {
				(void)truncate_one(mapping, batch[i], start, end, wait);
				folio_put(batch[i]);
			}
	}
	if (unlikely(load_relaxed(&mapping->i_pages.shadows)))
		forget_shadows(mapping, &range);
}

void truncate_pagecache(struct inode *inode, u64 size)
{
	struct address_space *mapping = inode->i_mapping;

	/*
	 * Twice: a fault that read the old size may have made a private copy of a page before its folio went, and after
	 * the first pass.
	 */
	unmap_mapping_range(mapping, ALIGN(size, (u64)PAGE_SIZE), 0, true);
	truncate_inode_pages_range(mapping, size, ~(u64)0);
	unmap_mapping_range(mapping, ALIGN(size, (u64)PAGE_SIZE), 0, true);
}

void truncate_setsize(struct inode *inode, u64 size)
{
	u64 old = i_size_read(inode);

	i_size_write(inode, size);
	if (size < old) {
		down_write(&inode->i_mapping->invalidate_lock);
		truncate_pagecache(inode, size);
		up_write(&inode->i_mapping->invalidate_lock);
	}
}

void truncate_pagecache_range(struct inode *inode, u64 start, u64 end)
{
	struct address_space *mapping = inode->i_mapping;
	u64 first = ALIGN(start, (u64)PAGE_SIZE), behind = end == ~(u64)0 ? 0 : ALIGN_DOWN(end + 1, (u64)PAGE_SIZE);

	if (!behind || behind > first)
		unmap_mapping_range(mapping, first, behind ? behind - first : 0, false);
	truncate_inode_pages_range(mapping, start, end);
}

/* ---- What is not wanted, but not gone ---- */

/* In this order: whoever has just unmapped it has made it dirty before he let go of it. */
bool folio_unused(const struct folio *folio)
{
	return load_acquire(&folio->page._refcount) == 2 && !folio_mapped(folio) && !PageWriteback(&folio->page) &&
	       !PageDirty(&folio->page);
}

static unsigned long invalidate_one(struct address_space *mapping, struct folio *folio, struct range range)
{
	unsigned long nr = 0, first;

	if (!folio_trylock(folio))
		return 0;
	first = (unsigned long)page_index(&folio->page);
	if (folio_is_of(folio, mapping) && first >= range.first && folio_next_index(folio) - 1 <= range.last &&
	    folio_unused(folio)) {
		nr = folio_nr_pages(folio);
		filemap_remove_from(mapping, folio);
	}
	folio_unlock(folio);
	return nr;
}

unsigned long invalidate_mapping_pages(struct address_space *mapping, unsigned long start, unsigned long end)
{
	struct folio *batch[BATCH];
	unsigned long index = start, sum = 0;
	unsigned int n;

	end = min(end, FILE_INDEX_MAX);
	while (index <= end && (n = filemap_get_folios(mapping, &index, end, batch, BATCH)) != 0)
		for (unsigned int i = 0; i < n; i++) {
			sum += invalidate_one(mapping, batch[i], (struct range){ start, end });
			folio_put(batch[i]);
		}
	return sum;
}

int invalidate_inode_pages2_range(struct address_space *mapping, unsigned long start, unsigned long end)
{
	struct folio *batch[BATCH];
	unsigned long index = start;
	unsigned int n;
	int err = 0;

	end = min(end, FILE_INDEX_MAX);
	while (index <= end && (n = filemap_get_folios(mapping, &index, end, batch, BATCH)) != 0)
		for (unsigned int i = 0; i < n; i++) {
			struct folio *folio = batch[i];

			folio_lock(folio);
			if (folio_is_of(folio, mapping)) {
				folio_wait_writeback(folio);
				if (folio_mapped(folio))
					unmap_folio(mapping, folio);
				if (PageDirty(&folio->page))
					err = -EBUSY;
				else
					filemap_remove_from(mapping, folio);
			}
			folio_unlock(folio);
			folio_put(folio);
		}
	return err;
}
