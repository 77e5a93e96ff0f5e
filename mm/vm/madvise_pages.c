// SPDX-License-Identifier: MIT
/* madvise(2) about pages: dontneed, free, cold, pageout. madvise.c has the theory. */
#include <octavo/pagemap.h>

#include "../lru/lru.h"
#include "../phys/vmstat.h"
#include "../swap/swap.h"
#include "entries.h"
#include "madvise.h"
#include "mlock.h"
#include "rmap.h"
#include "vma.h"

int madvise_dontneed(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	const struct zap_details keep = { .even_cows = true };
	struct mmu_gather tlb;

	if (unlikely(vma->vm_flags & VM_LOCKED))
		munlock_vma_pages(vma, start, end);
	tlb_gather_mmu(&tlb, vma->vm_mm);
	/* Files keep what is protected by their markers; of private memory all goes. */
	zap_page_range(&tlb, vma, start, end, vma->vm_flags & VM_UFFD_WP ? &keep : NULL);
	tlb_finish_mmu(&tlb);
	return 0;
}

/* ---- The memory of who is dying ---- */

/* Threads on their way out may still be in a copy: what has no rights any more does not read as zeros to them. */
static void release_vma(struct vm_area_struct *vma)
{
	vm_flags_t flags = vma->vm_flags;
	long pages = (long)vma_pages(vma);

	if (flags & (VM_SHARED | VM_PFNMAP | VM_HUGETLB) || !(flags & VM_ACCESS_FLAGS))
		return;
	vma_start_write(vma);
	vm_stat_account(vma->vm_mm, flags, -pages);
	vma_change_flags(vma, vma->vm_flags & ~(VM_ACCESS_FLAGS | VM_MAY_ALL));
	vm_stat_account(vma->vm_mm, vma->vm_flags, pages);
	vma_set_page_prot(vma);
	(void)madvise_dontneed(vma, vma->vm_start, vma->vm_end);
}

long ksys_process_mrelease(struct mm_struct *mm)
{
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	for_each_vma (mm, vma)
		release_vma(vma);
	mmap_write_unlock(mm);
	return 0;
}

/* ---- Marks in entries ---- */

struct marks {
	bool dirty;    /* clear dirty marks, too */
	bool changed;  /* a TLB may still have what was */
};

/* Young (and dirty) go; what the machine sets meanwhile is seen. Return: one of them was set. */
static bool clear_marks(pgt_entry_t *entry, bool dirty)
{
	pgt_entry_t old = pgt_get(entry), new;

	do {
		new = pgt_mkold(0, old);
		if (dirty)
			new = pgt_mkclean(0, new);
		if (new == old)
			return false;
	} while (!pgt_cmpxchg(entry, &old, new));
	return true;
}

static int walk_marks(struct vm_area_struct *vma, uintptr_t start, uintptr_t end,
		      void (*table)(struct entries_walk *, pgt_entry_t *, uintptr_t, uintptr_t))
{
	struct marks marks = { false, false };
	struct entries_walk walk = { .vma = vma, .table = table, .own = true, .arg = &marks };
	int err = entries_walk(&walk, start, end);

	if (marks.changed)
		flush_tlb_mm_range(vma->vm_mm, start, end, PAGE_SHIFT, false);
	return err;
}

/* ---- Free ---- */

/* Pages of the folio that nobody else maps begin at @entry, and all of them do. */
static bool whole_and_ours(struct folio *folio, struct page *page, const pgt_entry_t *entry, unsigned long room)
{
	unsigned long nr = folio_nr_pages(folio);

	if (nr == 1)
		return page_mapcount(page) == 1;
	if (page != &folio->page || room < nr || folio_mapcount(folio) != (int)nr)
		return false;
	for (unsigned long i = 1; i < nr; i++)
		if (!pgt_present(pgt_get(entry + i)) ||
		    pgt_leaf_phys(0, pgt_get(entry + i)) != PFN_PHYS(page_to_pfn(page) + i))
			return false;
	return true;
}

/* What was swapped out need not come back. */
static void free_slot(struct vm_area_struct *vma, pgt_entry_t *entry, swp_entry_t slot)
{
	pgt_set(entry, 0);
	mm_counter_add(vma->vm_mm, MM_SWAPENTS, -1);
	free_swap_and_cache(slot);
}

/*
 * It has no slot, or none any more, and is not dirty: what is lazily free must not be found by a slot. Under its lock,
 * as reclaim may be giving it a slot: that nothing was written to it yet, only the dirty mark says.
 */
static bool without_slot(struct folio *folio)
{
	bool gone;

	if (likely(!folio_in_swap_cache(folio) && !PageDirty(&folio->page)))
		return true;
	if (!folio_trylock(folio))
		return false;
	gone = !folio_in_swap_cache(folio) || folio_free_swap(folio);
	if (gone && PageDirty(&folio->page))
		ClearPageDirty(&folio->page);
	folio_unlock(folio);
	return gone;
}

static void make_lazily_free(struct folio *folio)
{
	if (PageReferenced(&folio->page))
		ClearPageReferenced(&folio->page);
	if (PageSwapBacked(&folio->page))
		folio_mark_lazyfree(folio);
}

static void free_entries(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	struct marks *marks = walk->arg;
	unsigned long left = (end - addr) >> PAGE_SHIFT, nr;

	for (; left; left -= nr, entry += nr, addr += nr << PAGE_SHIFT) {
		pgt_entry_t e = pgt_get(entry);
		struct page *page = pgt_present(e) ? vm_normal_page(walk->vma, addr, e) : NULL;
		struct folio *folio;

		nr = 1;
		if (pgt_is_swap(e) && !non_swap_entry(pte_to_swp_entry(__pte(e))))
			free_slot(walk->vma, entry, pte_to_swp_entry(__pte(e)));
		if (!page || !page_is_anon(page))
			continue;
		folio = page_folio(page);
		if (!whole_and_ours(folio, page, entry, left) || !without_slot(folio))
			continue;
		nr = folio_nr_pages(folio);
		for (unsigned long i = 0; i < nr; i++)
			marks->changed |= clear_marks(entry + i, true);
		make_lazily_free(folio);
	}
}

int madvise_free(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	int err;

	/* What is on no list yet cannot be moved to another one. */
	lru_add_drain();
	err = walk_marks(vma, start, end, free_entries);
	/* What a CPU still writes to a page that is on its way to swap, whose slot is given up here, would be lost. */
	(void)tlb_settle(vma->vm_mm);
	return err;
}

/* ---- Cold, pageout ---- */

/* Whether the page is used only by this address space, by this entry. */
static bool is_ours(pgt_entry_t *entry, struct page *page)
{
	return entry_mappers(entry, page) == 1;
}

static void cold_entries(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	struct marks *marks = walk->arg;

	for (; addr < end; addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);
		struct page *page = pgt_present(e) ? vm_normal_page(walk->vma, addr, e) : NULL;
		struct folio *folio;

		if (!page)
			continue;
		folio = page_folio(page);
		if (pgt_young(0, e))
			marks->changed |= clear_marks(entry, false);
		if (PageReferenced(&folio->page))
			ClearPageReferenced(&folio->page);
		if (is_ours(entry, page))
			folio_deactivate(folio);
	}
}

int madvise_cold(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	return walk_marks(vma, start, end, cold_entries);
}

/* Who may neither write a file nor owns it shall not learn from its pages' absence who else reads it. */
static bool may_page_out(const struct vm_area_struct *vma)
{
	const struct mm_task *task = current_task();
	const struct inode *inode = vma->vm_file->f_inode;

	return task->process->uid == inode->i_uid || task_capable(task, CAP_DAC_OVERRIDE) ||
	       vma->vm_file->f_mode & FMODE_WRITE;
}

#define BATCH 32u

/*
 * Folios from *@addr on, up to the table's end, that are only this address space's, with references. @anon_only: those
 * of a private mapping's file are left. Return: how many.
 */
static unsigned int give_up(struct vm_area_struct *vma, uintptr_t *addr, uintptr_t end, bool anon_only,
			    struct folio **batch)
{
	uintptr_t next = pgt_addr_end(*addr, end, 1);
	unsigned int nr = 0;
	spinlock_t *lock;
	bool shared;
	pgt_entry_t *entry = vm_entry_find(vma->vm_mm, *addr, &lock, &shared);

	if (!entry) {
		*addr = next;
		return 0;
	}
	for (; *addr < next && nr < BATCH; *addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);
		struct page *page = pgt_present(e) ? vm_normal_page(vma, *addr, e) : NULL;
		struct folio *folio = page ? page_folio(page) : NULL;

		if (!folio || (nr && batch[nr - 1] == folio) || !is_ours(entry, page) ||
		    (anon_only && !page_is_anon(&folio->page)))
			continue;
		/* Used by the program, which knows better. */
		if (pgt_young(0, e))
			(void)clear_marks(entry, false);
		if (PageReferenced(&folio->page))
			ClearPageReferenced(&folio->page);
		folio_get(folio);
		batch[nr++] = folio;
	}
	spin_unlock(lock);
	return nr;
}

static const struct pageout_ops *pageout __memsys;

void set_pageout_ops(const struct pageout_ops *ops)
{
	pageout = ops;
}

unsigned long pageout_folios(struct folio **folios, unsigned int nr)
{
	if (pageout)
		return pageout->reclaim(folios, nr);
	for (unsigned int i = 0; i < nr; i++)
		folio_putback_lru(folios[i]);
	return 0;
}

/* What MADV_FREE gave up, and what may be dropped at any time, needs nobody's help. */
static void drop_folio(struct folio *folio, bool droppable)
{
	if (page_is_anon(&folio->page) && (!PageSwapBacked(&folio->page) || droppable) && folio_trylock(folio)) {
		(void)try_to_unmap(folio, 0, NULL);
		folio_unlock(folio);
	}
}

static void page_out(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, bool anon_only)
{
	bool droppable = vma->vm_flags & VM_DROPPABLE;
	struct folio *batch[BATCH];

	lru_add_drain();
	while (start < end) {
		unsigned int nr = give_up(vma, &start, end, anon_only, batch), wanted = 0, isolated;

		for (unsigned int i = 0; i < nr; i++) {
			struct folio *folio = batch[i];

			drop_folio(folio, droppable);
			if (likely(pageout && folio_mapped(folio)))
				batch[wanted++] = folio;
			else
				folio_put(folio);
		}
		isolated = folio_isolate_batch(batch, wanted);
		while (wanted > isolated)
			folio_put(batch[--wanted]);
		if (isolated)
			(void)pageout->reclaim(batch, isolated);
	}
}

/* Clean pages of a file go at once: out of this mapping, and out of the cache if nobody else uses them. */
int madvise_pageout(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	const struct zap_details files_only = { .even_cows = false };
	unsigned long first = linear_page_index(vma, start);
	struct mmu_gather tlb;

	page_out(vma, start, end, vma_has_backing(vma));
	if (!vma_has_backing(vma))
		return madvise_cold(vma, start, end);
	if (!may_page_out(vma))
		return 0;
	tlb_gather_mmu(&tlb, vma->vm_mm);
	zap_page_range(&tlb, vma, start, end, &files_only);
	tlb_finish_mmu(&tlb);
	(void)invalidate_mapping_pages(vma->vm_file->f_mapping, first, first + ((end - start) >> PAGE_SHIFT) - 1);
	return madvise_cold(vma, start, end);
}
