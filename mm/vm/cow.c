// SPDX-License-Identifier: MIT
/*
 * A write to, or a private copy of, what an entry allows to be read only: reuse, copy, or ask the file.
 */
#include <octavo/highmem.h>
#include <octavo/pagemap.h>
#include <octavo/preempt.h>

#include "../phys/vmstat.h"
#include "../sync/cpu.h"
#include "../lru/lru.h"
#include "../swap/swap.h"
#include "fault.h"

/* May write from now on; unlocks. */
static void wp_page_reuse(struct vm_fault *vmf)
{
	pgt_entry_t e = pgt_mkyoung(0, (pgt_entry_t)vmf->orig);

	count_fault_event(PGREUSE);
	e = maybe_mkwrite(pgt_mkdirty(0, e), vmf->vma);
	(void)pgt_entry_raise(0, vmf->entry, e);
	vmf_unlock(vmf);
}

/* The swap cache has it for as long as its slot is worth keeping, and is not another user. (Batches hold nothing.) */
static noinline bool may_be_alone(struct folio *folio)
{
	bool alone;

	if (!folio_in_swap_cache(folio) || page_ref_count(&folio->page) > 2 || !folio_trylock(folio))
		return false;
	alone = folio_free_swap(folio);
	folio_unlock(folio);
	return alone && load_acquire(&folio->page._refcount) == 1;
}

/*
 * No other entry and no other reference: the page becomes exclusive. Under the table's lock nobody can get at it
 * through this entry, and there is no other way to it. Pages of large folios have one count together, and are copied.
 * Who let go of it last has done with it before (acquire).
 */
static bool wp_can_reuse_anon_folio(struct folio *folio)
{
	if (PageHead(&folio->page))
		return false;
	if ((load_acquire(&folio->page._refcount) != 1 || PageSwapCache(&folio->page)) && !may_be_alone(folio))
		return false;
	SetPageAnonExclusive(&folio->page);
	return true;
}

/* ---- Copies ---- */

/* A frame without a page of ours: through the direct map, or as the program sees it. */
static bool copy_frame(struct page *to, const struct vm_fault *vmf)
{
	unsigned long pfn = PFN_DOWN(pgt_leaf_phys(0, (pgt_entry_t)vmf->orig));
	struct page *from = pfn_to_online_page(pfn);
	size_t left;
	void *virt;

	if (from) {
		copy_highpage(to, from);
		return true;
	}
	if (current_task()->mm != vmf->vma->vm_mm)
		return false;
	virt = kmap_local_page(to);
	pagefault_disable();
	left = port_copy_user(virt, (const void *)vmf->address, PAGE_SIZE, false);
	pagefault_enable();
	kunmap_local(virt);
	return !left;
}

/* Marks of use are nobody's: whoever looks for them takes them, in an entry that is hidden, too. */
static bool same_but_for_marks(pgt_entry_t a, pgt_entry_t b)
{
	return pgt_mkclean(0, pgt_mkold(0, a)) == pgt_mkclean(0, pgt_mkold(0, b));
}

/*
 * The entry, which is locked and as it was, leads nowhere the machine could see, and what it was is forgotten by this
 * CPU, if no other can know it, or by all. Return: false: the entry changed meanwhile, and the lock is not held: it is
 * hidden no more, as only who hid it lets go of it so.
 */
static bool exchange_begin(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	pgt_entry_t e = (pgt_entry_t)vmf->orig, hidden;
	bool alone;

	if (!pgt_valid(e))
		return true;
	do {
		hidden = pgt_mkinvalid(0, e);
	} while (unlikely(!pgt_cmpxchg(vmf->entry, &e, hidden)));
	preempt_disable();
	alone = flush_tlb_page_alone(mm, vmf->address);
	if (likely(alone)) {
		preempt_enable();
		return true;
	}
	/* Others may be waiting for it to be seen again: this thread stays on its CPU until then. */
	vmf_unlock(vmf);
	(void)flush_tlb_page(mm, vmf->address);
	spin_lock(vmf->lock);
	preempt_enable();
	e = pgt_get(vmf->entry);
	vmf->orig = e;
	if (likely(same_but_for_marks(e, hidden)))
		return true;
	vmf_unlock(vmf);
	return false;
}

static pgt_entry_t copy_entry(const struct vm_fault *vmf, struct folio *copy)
{
	const struct vm_area_struct *vma = vmf->vma;
	pgt_entry_t e = vm_make_entry(vma, folio_pfn(copy), vma->vm_page_prot), orig = (pgt_entry_t)vmf->orig;

	e = pgt_mkyoung(0, e);
	if (unlikely(vmf->flags & FAULT_FLAG_UNSHARE)) {
		e = pgt_soft_dirty(0, orig) ? pgt_mksoft_dirty(0, e) : e;
		return pgt_uffd_wp(0, orig) ? pgt_mkuffd_wp(0, e) : e;
	}
	return maybe_mkwrite(pgt_mkdirty(0, e), vma);
}

/* The entry leads to @copy, whose reference becomes the entry's, instead of @old (NULL: no page of ours); unlocks. */
static void exchange_end(struct vm_fault *vmf, struct folio *copy, struct page *old)
{
	struct vm_area_struct *vma = vmf->vma;

	if (!old) {
		mm_counter_add(vma->vm_mm, MM_ANONPAGES, 1);
	} else if (!page_anon(old)) {
		mm_counter_add(vma->vm_mm, mm_counter_file(page_folio(old)), -1);
		mm_counter_add(vma->vm_mm, MM_ANONPAGES, 1);
	}
	page_become_anon(&copy->page, vma, vmf->address);
	pgt_fill(vmf->entry, copy_entry(vmf, copy));
	if (old)
		folio_remove_rmap_pte(page_folio(old), old);
	vmf_unlock(vmf);
	count_anon_mapped(&copy->page, 1);
}

static void put_page_refs(struct page *page, unsigned int refs)
{
	struct page *head = compound_head(page);

	if (refs > 1)
		(void)atomic_fetch_sub(&head->_refcount, (s32)(refs - 1));
	put_page(head);
}

/* @old: with a reference of ours, or NULL. Context: the table is not locked. */
static vm_fault_t wp_page_copy(struct vm_fault *vmf, struct page *old)
{
	struct vm_area_struct *vma = vmf->vma;
	bool zero = !old && is_zero_pfn(PFN_DOWN(pgt_leaf_phys(0, (pgt_entry_t)vmf->orig)));
	struct page *copy = NULL;
	vm_fault_t result = VM_FAULT_OOM;
	unsigned int drop = 1;

	if (anon_vma_prepare(vma))
		goto out;
	copy = alloc_page(GFP_HIGHUSER_MOVABLE);
	if (unlikely(!copy))
		goto out;
	if (likely(old)) {
		copy_highpage(copy, old);
	} else if (zero) {
		clear_highpage(copy);
	} else if (!copy_frame(copy, vmf)) {
		result = VM_FAULT_SIGBUS;
		goto out;
	}
	result = 0;
	if (likely(vmf_lock(vmf) && exchange_begin(vmf))) {
		exchange_end(vmf, (struct folio *)copy, old);
		copy = NULL;
		drop = 2;
	}
out:
	if (unlikely(copy))
		put_page(copy);
	if (old) {
		if (drop > 1)
			free_swap_cache_of(compound_head(old));
		put_page_refs(old, drop);
	}
	return result;
}

/* ---- Shared mappings ---- */

vm_fault_t do_page_mkwrite(struct vm_fault *vmf, struct folio *folio)
{
	unsigned int flags = vmf->flags;
	vm_fault_t result;

	vmf->flags = FAULT_FLAG_WRITE | FAULT_FLAG_MKWRITE | (flags & FAULT_FLAG_VMA_LOCK);
	result = vmf->vma->vm_ops->page_mkwrite(vmf);
	vmf->flags = flags;
	if (unlikely(result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)))
		return result;
	if (!(result & VM_FAULT_LOCKED)) {
		folio_lock(folio);
		if (!page_handle(&folio->page)) {
			folio_unlock(folio);
			return 0; /* truncated: look again */
		}
		result |= VM_FAULT_LOCKED;
	}
	return result;
}

void fault_dirty_shared_page(struct vm_fault *vmf, struct folio *folio)
{
	(void)vmf;
	(void)folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_put(folio);
}

/* @page: of the entry, which is locked. */
static vm_fault_t wp_page_shared(struct vm_fault *vmf, struct page *page)
{
	const struct vm_operations_struct *ops = vmf->vma->vm_ops;
	struct folio *folio = page_folio(page);
	vm_fault_t result;

	folio_get(folio);
	if (!ops || !ops->page_mkwrite) {
		wp_page_reuse(vmf);
		folio_lock(folio);
		fault_dirty_shared_page(vmf, folio);
		return 0;
	}
	vmf_unlock(vmf);
	vmf->page = page;
	result = do_page_mkwrite(vmf, folio);
	if (!(result & VM_FAULT_LOCKED) || result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) {
		folio_put(folio);
		return result & ~(vm_fault_t)VM_FAULT_NOPAGE;
	}
	if (vmf_lock(vmf)) {
		wp_page_reuse(vmf);
		fault_dirty_shared_page(vmf, folio);
	} else {
		folio_unlock(folio);
		folio_put(folio);
	}
	return 0;
}

static vm_fault_t wp_pfn_shared(struct vm_fault *vmf)
{
	const struct vm_operations_struct *ops = vmf->vma->vm_ops;
	vm_fault_t result;

	if (ops && ops->pfn_mkwrite) {
		vmf_unlock(vmf);
		vmf->flags |= FAULT_FLAG_MKWRITE;
		result = ops->pfn_mkwrite(vmf);
		if (result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY))
			return result & ~(vm_fault_t)VM_FAULT_NOPAGE;
		if (!vmf_lock(vmf))
			return 0;
	}
	wp_page_reuse(vmf);
	return 0;
}

vm_fault_t do_wp_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct page *page = vm_normal_page(vma, vmf->address, (pgt_entry_t)vmf->orig);
	bool unshare = vmf->flags & FAULT_FLAG_UNSHARE;

	if (vma->vm_flags & (VM_SHARED | VM_MAYSHARE)) {
		if (unlikely(unshare || !(vma->vm_flags & VM_WRITE))) {
			vmf_unlock(vmf);
			return unshare ? 0 : VM_FAULT_SIGSEGV;
		}
		return page ? wp_page_shared(vmf, page) : wp_pfn_shared(vmf);
	}
	if (likely(page && page_anon(page)) &&
	    (PageAnonExclusive(page) || wp_can_reuse_anon_folio(page_folio(page)))) {
		if (unlikely(unshare))
			vmf_unlock(vmf);
		else
			wp_page_reuse(vmf);
		return 0;
	}
	if (page)
		get_page(page);
	vmf_unlock(vmf);
	return wp_page_copy(vmf, page);
}
