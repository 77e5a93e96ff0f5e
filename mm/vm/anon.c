// SPDX-License-Identifier: MIT
/*
 * Faults in anonymous memory where nothing is mapped: the zero page for who reads, a fresh page for who writes.
 */
#include "fault.h"

#include "../phys/vmstat.h"

struct folio *vma_alloc_folio(struct vm_fault *vmf, bool zeroed)
{
	struct page *page = alloc_page(vmf->gfp | (zeroed ? __GFP_ZERO : 0));

	return (struct folio *)page;
}

static vm_fault_t map_zero_page(struct vm_fault *vmf)
{
	pgt_entry_t e = vm_make_entry(vmf->vma, zero_pfn, vmf->vma->vm_page_prot);

	e = pgt_mkspecial(0, pgt_wrprotect(0, e));
	if (vmf_lock(vmf)) {
		pgt_fill(vmf->entry, e);
		vmf_unlock(vmf);
	}
	return 0;
}

vm_fault_t do_anonymous_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct folio *folio;
	pgt_entry_t e;

	/* A shared mapping without operations has nothing that could be shared. */
	if (unlikely(vma->vm_flags & VM_SHARED))
		return VM_FAULT_SIGBUS;
	if (!(vmf->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE)))
		return map_zero_page(vmf);
	if (unlikely(!vma->anon_vma) && anon_vma_prepare(vma))
		return VM_FAULT_OOM;
	folio = vma_alloc_folio(vmf, true);
	if (unlikely(!folio))
		return VM_FAULT_OOM;
	__SetPageUptodate(&folio->page);
	e = vm_make_entry(vma, folio_pfn(folio), vma->vm_page_prot);
	e = maybe_mkwrite(pgt_mkdirty(0, pgt_mkyoung(0, e)), vma);
	if (unlikely(!vmf_lock(vmf))) {
		folio_put(folio);
		return 0;
	}
	folio_add_new_anon_rmap(folio, vma, vmf->address);
	mm_counter_add(vma->vm_mm, MM_ANONPAGES, 1);
	pgt_fill(vmf->entry, e);
	vmf_unlock(vmf);
	return 0;
}
