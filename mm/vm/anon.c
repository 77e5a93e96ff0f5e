// SPDX-License-Identifier: MIT
/*
 * Faults in anonymous memory where nothing is mapped: the zero page for who reads, a fresh page for who writes, and
 * where it is enabled a fresh folio of several, as large as fits into what is empty around the address.
 */
#include "../phys/vmstat.h"
#include "fault.h"
#include "thp.h"

struct folio *vma_alloc_folio(struct vm_fault *vmf, bool zeroed)
{
	struct page *page = alloc_page(vmf->gfp | (zeroed ? __GFP_ZERO : 0));

	return (struct folio *)page;
}

static vm_fault_t map_zero_page(struct vm_fault *vmf)
{
	pgt_entry_t e = vm_make_entry(vmf->vma, zero_pfn, vmf->vma->vm_page_prot);
	vm_fault_t result = 0;

	e = pgt_mkspecial(0, pgt_wrprotect(0, e));
	if (vmf_lock(vmf)) {
		if (mm_is_stable(vmf->vma->vm_mm))
			pgt_fill(vmf->entry, e);
		else
			result = VM_FAULT_SIGBUS;
		vmf_unlock(vmf);
	}
	return result;
}

/* ---- Large folios ---- */

/* So many pages around a fault. */
struct run {
	uintptr_t addr;
	pgt_entry_t *entry;
	unsigned int order;
};

static bool all_none(const struct run *run)
{
	for (unsigned int i = 0; i < 1u << run->order; i++)
		if (!pgt_none(pgt_get(run->entry + i)))
			return false;
	return true;
}

/* The aligned run of that order around the address, if it lies in the VMA and nothing is mapped in it. */
static bool run_around(const struct vm_fault *vmf, unsigned int order, struct run *run)
{
	uintptr_t size = PAGE_SIZE << order;

	run->order = order;
	run->addr = ALIGN_DOWN(vmf->address, size);
	run->entry = (pgt_entry_t *)vmf->entry - ((vmf->address - run->addr) >> PAGE_SHIFT);
	if (run->addr < vmf->vma->vm_start || size > vmf->vma->vm_end - run->addr)
		return false;
	return all_none(run);
}

/* NULL: as one page, then. */
static struct folio *alloc_large(const struct vm_fault *vmf, u32 orders, struct run *run)
{
	while (orders) {
		unsigned int order = highest_bit(orders);
		struct page *page;

		orders &= ~(1u << order);
		if (!run_around(vmf, order, run))
			continue;
		page = alloc_pages(GFP_TRANSHUGE_LIGHT | __GFP_ZERO, order);
		if (page) {
			atomic_add_relaxed(&thp.fault_alloc[order], 1);
			return (struct folio *)page;
		}
		atomic_add_relaxed(&thp.fault_fallback[order], 1);
	}
	return NULL;
}

static vm_fault_t map_large(struct vm_fault *vmf, struct folio *folio, const struct run *run)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned int nr = 1u << run->order;
	pgt_entry_t e = vm_fresh_entry(vma, folio_pfn(folio));

	spin_lock(vmf->lock);
	if (unlikely(!all_none(run) || !mm_is_stable(vma->vm_mm))) {
		spin_unlock(vmf->lock);
		folio_put(folio);
		return mm_is_stable(vma->vm_mm) ? 0 : VM_FAULT_SIGBUS;
	}
	/* A reference for each entry. Nobody else knows the folio. */
	set_page_count(&folio->page, (int)nr);
	folio_add_new_anon_rmap(folio, vma, run->addr);
	mm_counter_add(vma->vm_mm, MM_ANONPAGES, nr);
	for (unsigned int i = 0; i < nr; i++, e += (pgt_entry_t)PAGE_SIZE)
		pgt_fill(run->entry + i, e);
	spin_unlock(vmf->lock);
	return 0;
}

/* ---- The fault ---- */

vm_fault_t do_anonymous_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	u32 orders = thp_orders(vma);
	struct folio *folio;
	struct page *page;
	struct run run;
	pgt_entry_t e;

	/* A shared mapping without operations has nothing that could be shared. */
	if (unlikely(vma->vm_flags & VM_SHARED))
		return VM_FAULT_SIGBUS;
	if (!(vmf->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE)))
		return map_zero_page(vmf);
	if (anon_vma_prepare(vma))
		return VM_FAULT_OOM;
	if (unlikely(orders)) {
		folio = alloc_large(vmf, orders, &run);
		if (folio) {
			__SetPageUptodate(&folio->page);
			return map_large(vmf, folio, &run);
		}
	}
	/* Cleared here: the page allocator's quick way has none that are. */
	page = alloc_page(GFP_HIGHUSER_MOVABLE);
	if (unlikely(!page))
		return VM_FAULT_OOM;
	clear_highpage(page);
	e = vm_fresh_entry(vma, page_to_pfn(page));
	if (unlikely(!vmf_lock(vmf))) {
		put_page(page);
		return 0;
	}
	if (unlikely(!mm_is_stable(vma->vm_mm))) {
		vmf_unlock(vmf);
		put_page(page);
		return VM_FAULT_SIGBUS;
	}
	page_become_anon(page, vma, vmf->address);
	pgt_fill(vmf->entry, e);
	vmf_unlock(vmf);
	count_anon_mapped(page, 1);
	mm_counter_add(vma->vm_mm, MM_ANONPAGES, 1);
	return 0;
}
