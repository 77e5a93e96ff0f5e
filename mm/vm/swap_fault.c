// SPDX-License-Identifier: MIT
/*
 * Faults where an entry leads to no page: it was swapped out, is being migrated, went bad, or something is noted of it.
 *
 * Words. A *slot* is a place of a swap area; a *swap entry* in a page table holds one count of its slot. The *swap
 * cache* has the folio that belongs to a slot while both exist, and one reference to it.
 *
 * What is done of a swapped page. The folio is found in the cache or read into it, with neighbours, and locked; under
 * the table's lock the entry is compared once more, and gives way to one that leads to the page. So the folio's lock
 * stands between reclaim, which puts swap entries in under it, and faults: nobody finds a folio half way out.
 *
 *	entry [slot|excl|sd|wp] --- slot word: count, cached ---> folio, PG_locked
 *	  v                                                         |
 *	entry [frame|...]  <------- count - 1 ----------------------+   reference + 1, mapcount + 1
 *
 * Invariants, with those of fault.c
 *
 * SE-I1: an entry that is marked exclusive holds the only count of its slot, and no page table leads to the slot's
 * folio. Who makes two of it (share.c) takes the mark away.
 *
 * SE-I2: the counts of slots that have any are the swap entries in page tables (tables that are shared counted once)
 * and in shmem files.
 *
 * SE-I3: soft-dirty and userfaultfd's protection go with the page, out and in.
 *
 * Whose is it. A page that was exclusive is so again. So is one that nobody else can reach any more: no slot, no other
 * reference. Any other comes in read only, and who wants to write gets a copy as of any shared page (cow.c). Which
 * anon_vma a page that was read belongs to: an exclusive one to the VMA's own, any other to the root of the family, as
 * its entries may be anywhere in it.
 *
 * What becomes of the slot. Kept, the page can go again without being written, as long as it is clean. It is let go of
 * when the page is written to, or locked in memory, or when swap space is short.
 *
 * Waiting. A folio that is being read or written is waited for without the VMA's lock, once (VM_FAULT_RETRY), so that
 * nobody stands behind a device.
 *
 * What failure does. No memory: the entry stays. A slot that could not be read: the folio is in the cache, not
 * uptodate, and whoever touches the page gets SIGBUS; nobody else hears of it.
 *
 * Differences from Linux. Pages of large folios come in one by one.
 *
 * Sources: Documentation/mm/ (swap entries, exclusive anonymous pages); soft-dirty.rst; userfaultfd.rst.
 */
#include <octavo/pagemap.h>

#include "../base/printk.h"
#include "../lru/lru.h"
#include "../swap/swap.h"
#include "fault.h"
#include "share.h"
#include "userfaultfd.h"

/* ---- Entries that are no slot's ---- */

/* Whoever migrates the page holds its lock until the entry leads to the new one. */
void migration_entry_wait(pgt_entry_t e, spinlock_t *lock)
{
	struct folio *folio = page_folio(pfn_swap_entry_to_page(pte_to_swp_entry(__pte(e))));

	folio_get(folio);
	spin_unlock(lock);
	folio_wait_locked(folio);
	folio_put(folio);
}

static vm_fault_t special_entry(struct vm_fault *vmf, swp_entry_t swap)
{
	pte_t pte = __pte((pgt_entry_t)vmf->orig);

	if (is_migration_entry(swap)) {
		if (vmf_lock(vmf))
			migration_entry_wait(pte.pte, vmf->lock);
		return 0;
	}
	if (is_hwpoison_entry(swap))
		return VM_FAULT_HWPOISON;
	if (is_pte_marker(pte)) {
		if (pte_marker_get(swap) & PTE_MARKER_POISONED)
			return VM_FAULT_HWPOISON;
		if (vmf_lock(vmf)) {
			pgt_set(vmf->entry, 0);
			vmf_unlock(vmf);
		}
		return 0;
	}
	/* Device memory: nobody can have made it. */
	print_bad_pte(vmf->vma, vmf->address, pte.pte, NULL);
	return VM_FAULT_SIGBUS;
}

/* ---- The folio ---- */

bool swap_folio_page(struct folio *folio, swp_entry_t slot, struct page **page)
{
	if (!folio_in_swap_cache(folio))
		return false;
	for (unsigned long i = 0; i < folio_nr_pages(folio); i++) {
		*page = folio_page(folio, i);
		if (likely(page_swap_entry(*page).val == slot.val))
			return true;
	}
	return false;
}

void free_swap_cache(struct folio *folio)
{
	if (folio_in_swap_cache(folio))
		swap_cache_forget(folio);
}

static bool entry_is_the_same(struct vm_fault *vmf)
{
	if (!vmf_lock(vmf))
		return false;
	vmf_unlock(vmf);
	return true;
}

/* With a reference; NULL: *@result says how the fault ends. */
static struct folio *find_folio(struct vm_fault *vmf, swp_entry_t slot, vm_fault_t *result)
{
	struct folio *folio = swap_cache_get_folio(slot);
	int err = 0;

	if (folio) {
		if (unlikely(PageReadahead(&folio->page)))
			swap_readahead_hit(folio, vmf->vma);
		return folio;
	}
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) {
		*result = VM_FAULT_RETRY;
		return NULL;
	}
	folio = swapin_readahead(slot, vmf->gfp, vmf->vma, vmf->address, &err);
	if (likely(folio)) {
		*result = VM_FAULT_MAJOR;
		return folio;
	}
	*result = 0;
	if (!entry_is_the_same(vmf))
		return NULL;
	*result = VM_FAULT_OOM;
	if (err != -ENOMEM) {
		/* Its own count keeps the slot in use. */
		print_bad_pte(vmf->vma, vmf->address, (pgt_entry_t)vmf->orig, NULL);
		*result = VM_FAULT_SIGBUS;
	}
	return NULL;
}

/* Return: 0 and it is locked; else the fault's result, and the reference is given back. */
static vm_fault_t lock_or_retry(struct vm_fault *vmf, struct folio *folio)
{
	const unsigned int flags = vmf->flags & (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT | FAULT_FLAG_TRIED);

	if (likely(folio_trylock(folio)))
		return 0;
	if (flags & FAULT_FLAG_RETRY_NOWAIT) {
		folio_put(folio);
		return VM_FAULT_RETRY;
	}
	if (flags == FAULT_FLAG_ALLOW_RETRY) {
		vmf_release_lock(vmf);
		folio_wait_locked(folio);
		folio_put(folio);
		return VM_FAULT_RETRY;
	}
	folio_lock(folio);
	return 0;
}

/* ---- The entry ---- */

void swap_folio_belongs(struct folio *folio, const struct page *page, struct vm_area_struct *vma, uintptr_t addr,
			bool own)
{
	const struct anon_vma *av = own ? vma->anon_vma : load_relaxed(&anon_link_of(vma)->anon_vma)->root;
	u64 index = linear_page_index(vma, addr) - (u64)(page - &folio->page);

	if (!page_is_anon(&folio->page))
		whole_fill(&folio->page.mapping_index,
			   (u64)(av->handle | PAGE_MAPPING_ANON) << PAGE_INDEX_BITS | index);
}

/* Who watches for writes (clear_refs) is to see the first one by its fault. */
static bool writes_go_unnoticed(const struct vm_area_struct *vma, pgt_entry_t e)
{
	return vma->vm_flags & VM_SOFTDIRTY || pgt_soft_dirty(0, e);
}

static pgt_entry_t page_entry(const struct vm_fault *vmf, const struct page *page, bool exclusive)
{
	const struct vm_area_struct *vma = vmf->vma;
	pgt_entry_t old = (pgt_entry_t)vmf->orig;
	pgt_entry_t e = pgt_mkyoung(0, vm_make_entry(vma, page_to_pfn(page), vma->vm_page_prot));

	e = pgt_swap_soft_dirty(old) ? pgt_mksoft_dirty(0, e) : pgt_clear_soft_dirty(0, e);
	if (unlikely(pgt_swap_uffd_wp(old)))
		return pgt_mkuffd_wp(0, e);
	if (!exclusive)
		return e;
	if (vmf->flags & FAULT_FLAG_WRITE)
		return maybe_mkwrite(pgt_mkdirty(0, e), vma);
	return writes_go_unnoticed(vma, e) ? maybe_mkwrite(e, vma) : e;
}

/* Nobody will want the slot that does not want the page more. */
static bool slot_is_not_wanted(const struct vm_fault *vmf, const struct folio *folio)
{
	if (swap_full() || vmf->vma->vm_flags & VM_LOCKED || PageMlocked(&folio->page))
		return true;
	return vmf->flags & FAULT_FLAG_WRITE && page_ref_count(&folio->page) == 2;
}

/* Without a slot, in nobody's hands but ours. What its last user did to it was before. */
static bool is_ours_alone(const struct folio *folio)
{
	return !PageHead(&folio->page) && !folio_in_swap_cache(folio) && load_acquire(&folio->page._refcount) == 1;
}

/* The table and the folio are locked, the entry is what it was: it leads to @page from now on. Unlocks the table. */
static void enter_page(struct vm_fault *vmf, swp_entry_t slot, struct folio *folio, struct page *page)
{
	struct vm_area_struct *vma = vmf->vma;
	bool exclusive = pgt_swap_exclusive((pgt_entry_t)vmf->orig);
	pgt_entry_t e;

	swap_free(slot);
	if (slot_is_not_wanted(vmf, folio))
		(void)folio_free_swap(folio);
	exclusive = exclusive || is_ours_alone(folio);
	e = page_entry(vmf, page, exclusive);
	swap_folio_belongs(folio, page, vma, vmf->address, exclusive);
	folio_get(folio);
	folio_add_anon_rmap_pte(folio, page, vma, vmf->address, exclusive);
	mm_counter_add(vma->vm_mm, MM_SWAPENTS, -1);
	mm_counter_add(vma->vm_mm, MM_ANONPAGES, 1);
	pgt_fill(vmf->entry, e);
	vmf->orig = e;
	vmf_unlock(vmf);
	if (exclusive)
		vmf->flags &= ~(unsigned int)(FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE);
}

/* The folio is locked. Return: VM_FAULT_*; *@entered: the entry leads to the page. */
static vm_fault_t enter_folio(struct vm_fault *vmf, swp_entry_t slot, struct folio *folio, bool *entered)
{
	struct page *page;

	if (unlikely(!swap_folio_page(folio, slot, &page)))
		return 0; /* it has left the cache: so the entry is another one, or will be read anew */
	if (unlikely(PageHWPoison(page)))
		return VM_FAULT_HWPOISON;
	if (unlikely(!vmf_lock(vmf)))
		return 0;
	if (unlikely(!PageUptodate(&folio->page))) {
		vmf_unlock(vmf);
		return VM_FAULT_SIGBUS;
	}
	enter_page(vmf, slot, folio, page);
	*entered = true;
	return 0;
}

static vm_fault_t swapped_page(struct vm_fault *vmf, swp_entry_t slot)
{
	vm_fault_t result = 0, err;
	bool entered = false;
	struct folio *folio;

	if (unlikely(anon_vma_prepare(vmf->vma)))
		return VM_FAULT_OOM;
	folio = find_folio(vmf, slot, &result);
	if (unlikely(!folio))
		return result;
	err = lock_or_retry(vmf, folio);
	if (unlikely(err))
		return result | err;
	result |= enter_folio(vmf, slot, folio, &entered);
	folio_unlock(folio);
	folio_put(folio);
	/* It is another's, too, and this one wants to write: at once, unless a userfaultfd is to be told. */
	if (entered && vmf->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE) &&
	    !pgt_uffd_wp(0, (pgt_entry_t)vmf->orig) && vmf_lock(vmf))
		result |= do_wp_page(vmf);
	return result;
}

vm_fault_t do_swap_page(struct vm_fault *vmf)
{
	swp_entry_t swap = pte_to_swp_entry(__pte((pgt_entry_t)vmf->orig));

	return likely(!non_swap_entry(swap)) ? swapped_page(vmf, swap) : special_entry(vmf, swap);
}
