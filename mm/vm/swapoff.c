// SPDX-License-Identifier: MIT
/*
 * A swap area goes: what page tables have there comes back.
 *
 * All address spaces that have users are visited, under their mmap locks: VMAs stay, nothing is moved, nobody forks.
 * One whose last user has gone gives its slots back by itself. Faults and reclaim go on meanwhile, and shared tables
 * are forked further on: so an entry is looked at, its folio is got and locked, and then it is looked at again, under
 * its table's lock. In a table that is shared the page is entered for all who share it, which takes no memory; its
 * anon_vma is the family's root then.
 *
 * Nothing new can go to the area, and its owner asks again until nothing is left: what a round misses, as a fork has
 * just copied it to an address space that the round is through with, the next one finds.
 *
 * What cannot be read leaves a mark of poison, so that only who touches it gets a signal.
 */
#include <octavo/pagemap.h>

#include "../base/part.h"
#include "../swap/swap.h"
#include "fault.h"
#include "share.h"

/* What the swap entry @old becomes: a page to read, or (not uptodate) poison. Context: folio and table locked. */
static void come_back(struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t *entry, pgt_entry_t old,
		      struct folio *folio, struct page *page)
{
	struct page *table = table_page(entry);
	bool exclusive = pgt_swap_exclusive(old);
	pgt_entry_t e;

	table_count(vma->vm_mm, table, MM_SWAPENTS, -1);
	if (unlikely(!PageUptodate(&folio->page) || PageHWPoison(page))) {
		pgt_set(entry, make_pte_marker(PTE_MARKER_POISONED).pte);
		return;
	}
	e = pgt_mkold(0, vm_make_entry(vma, page_to_pfn(page), vma->vm_page_prot));
	e = pgt_swap_soft_dirty(old) ? pgt_mksoft_dirty(0, e) : pgt_clear_soft_dirty(0, e);
	if (pgt_swap_uffd_wp(old))
		e = pgt_mkuffd_wp(0, e);
	swap_folio_belongs(folio, page, vma, addr, exclusive && vma->anon_vma && !pgt_page_of(table)->shared);
	folio_get(folio);
	folio_add_anon_rmap_pte(folio, page, vma, addr, exclusive);
	table_count(vma->vm_mm, table, MM_ANONPAGES, 1);
	pgt_fill(entry, e);
}

/* The entry of @addr was @old, of @slot. Return: 0, and it is not (or not the same) any more; -ENOMEM. */
static int unuse_entry(struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t old, swp_entry_t slot)
{
	struct page *page;
	pgt_entry_t *entry;
	spinlock_t *lock;
	int err = 0;
	struct folio *folio = swapin_readahead(slot, GFP_HIGHUSER_MOVABLE, vma, addr, &err);

	if (!folio)
		return err == -ENOMEM ? err : 0;
	folio_lock(folio);
	folio_wait_writeback(folio);
	if (likely(swap_folio_page(folio, slot, &page))) {
		entry = table_lock_find(vma->vm_mm, addr, &lock);
		if (likely(entry && pgt_get(entry) == old)) {
			come_back(vma, addr, entry, old, folio, page);
			swap_free(slot);
		}
		if (entry)
			spin_unlock(lock);
		(void)folio_free_swap(folio);
	}
	folio_unlock(folio);
	folio_put(folio);
	return err;
}

/* The first entry from *@addr on, of one table, that has a slot of the area. Return: false: none up to @end. */
static bool find_entry(struct mm_struct *mm, uintptr_t *addr, uintptr_t end, unsigned int type, pgt_entry_t *found)
{
	spinlock_t *lock;
	pgt_entry_t *entry = table_lock_find(mm, *addr, &lock);
	bool is = false;

	if (!entry)
		return false;
	for (; *addr < end; *addr += PAGE_SIZE, entry++) {
		*found = pgt_get(entry);
		is = pgt_is_swap(*found) && pgt_swap_type(*found) == type;
		if (is)
			break;
	}
	spin_unlock(lock);
	return is;
}

static int unuse_vma(struct vm_area_struct *vma, unsigned int type)
{
	uintptr_t next;
	pgt_entry_t e;
	int err = 0;

	for (uintptr_t addr = vma->vm_start; addr < vma->vm_end && !err; addr = next) {
		uintptr_t at = addr;
		unsigned int level;

		(void)pgt_descend(vma->vm_mm, addr, 1, &level);
		next = pgt_addr_end(addr, vma->vm_end, level);
		while (level == 1 && !err && find_entry(vma->vm_mm, &at, next, type, &e)) {
			if (fatal_signal_pending(current_task()))
				return -EINTR;
			err = unuse_entry(vma, at, e, pte_to_swp_entry(__pte(e)));
			at += PAGE_SIZE;
			if (at >= next)
				break;
		}
	}
	return err;
}

static int unuse_mm(struct mm_struct *mm, unsigned int type)
{
	int err = 0;

	/* Page tables and nothing else, or not yet. */
	if (!load_acquire(&mm->made))
		return 0;
	mmap_read_lock(mm);
	for (struct vm_area_struct *vma = get_mm_counter(mm, MM_SWAPENTS) > 0 ? find_vma(mm, 0) : NULL; vma && !err;
	     vma = vma_next(vma))
		if (vma_has_anon(vma))
			err = unuse_vma(vma, type);
	mmap_read_unlock(mm);
	return err;
}

static int unuse_page_tables(unsigned int type)
{
	int err = 0;

	for (struct mm_struct *mm = mm_next_user(NULL); mm; mm = mm_next_user(mm)) {
		err = unuse_mm(mm, type);
		if (err) {
			mmput(mm);
			break;
		}
	}
	return err;
}

/* As if the pages of swap were somebody's: what is promised to processes may need them (overcommit_memory is 2). */
static int may_shrink(unsigned long pages)
{
	int err = vm_acct_memory(current_task(), pages);

	if (!err)
		vm_unacct_memory(pages);
	return err;
}

static struct swap_user page_tables __memsys;

static int swapoff_init(void)
{
	page_tables.unuse = unuse_page_tables;
	page_tables.may_shrink = may_shrink;
	register_swap_user(&page_tables);
	return 0;
}

MM_PART(vm_swapoff, .order = MM_PART_VM, .init = swapoff_init);
