// SPDX-License-Identifier: MIT
/*
 * Faults where nothing is mapped of what a file or a device shows: read, private copy, shared write.
 */
#include <octavo/highmem.h>
#include <octavo/pagemap.h>

#include "../phys/vmstat.h"
#include "userfaultfd.h"

unsigned long fault_around_bytes __memsys = 65536;

/* Ask the handler. Return: 0 or more with vmf->page locked and ours; with an error, NOPAGE or RETRY there is none. */
static vm_fault_t ask(struct vm_fault *vmf)
{
	vm_fault_t result = vmf->vma->vm_ops->fault(vmf);

	if (unlikely(result & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY | VM_FAULT_DONE_COW)))
		return result;
	if (unlikely(PageHWPoison(vmf->page))) {
		if (result & VM_FAULT_LOCKED)
			unlock_page(vmf->page);
		put_page(vmf->page);
		vmf->page = NULL;
		return VM_FAULT_HWPOISON;
	}
	if (unlikely(!(result & VM_FAULT_LOCKED)))
		lock_page(vmf->page);
	return result | VM_FAULT_LOCKED;
}

#define NO_PAGE (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)

/* A private mapping whose copies the OOM killer's reaper took does not show the file instead. */
static bool lost_copies(const struct vm_fault *vmf)
{
	return unlikely(!mm_is_stable(vmf->vma->vm_mm)) && !(vmf->vma->vm_flags & VM_SHARED);
}

/* What comes of it that enter() said false. */
static vm_fault_t not_entered(const struct vm_fault *vmf)
{
	return lost_copies(vmf) ? VM_FAULT_SIGBUS : 0;
}

/*
 * The reference to @page becomes the entry's. Return: false: something is mapped there by now, or nothing may be, and
 * the reference is still the caller's.
 */
static bool enter(struct vm_fault *vmf, struct page *page, bool fresh)
{
	struct vm_area_struct *vma = vmf->vma;
	struct folio *folio = page_folio(page);

	if (unlikely(!vmf_lock(vmf)))
		return false;
	if (lost_copies(vmf)) {
		vmf_unlock(vmf);
		return false;
	}
	if (fresh) {
		folio_add_new_anon_rmap(folio, vma, vmf->address);
		mm_counter_add(vma->vm_mm, MM_ANONPAGES, 1);
		pgt_fill(vmf->entry, vm_fresh_entry(vma, page_to_pfn(page)));
	} else {
		mm_counter_add(vma->vm_mm, mm_counter_file(folio), 1);
		set_pte_range(vmf, vmf->entry, folio, page, 1, vmf->address);
	}
	if (unlikely(vmf->orig))
		entry_protect(vmf->entry); /* it was a marker: do_file_page_alone() */
	vmf_unlock(vmf);
	return true;
}

/* Pages around the address that are in the page cache already: no further than its table, its VMA, its window. */
static vm_fault_t fault_around(struct vm_fault *vmf)
{
	const struct vm_area_struct *vma = vmf->vma;
	unsigned long nr = READ_ONCE(fault_around_bytes) >> PAGE_SHIFT;
	unsigned long index = pgt_index(0, vmf->address);
	unsigned long in_vma = (vmf->address - vma->vm_start) >> PAGE_SHIFT;
	unsigned long before = min(index & (nr - 1), in_vma);
	unsigned long from = index - before, count = nr;
	vm_fault_t result;

	if (lost_copies(vmf))
		return VM_FAULT_SIGBUS;
	count = min(count, PGT_ENTRIES(0) - from);
	count = min(count, vma_pages(vma) - (in_vma - before));
	rcu_read_lock();
	result = vma->vm_ops->map_pages(vmf, vmf->pgoff - before, vmf->pgoff - before + count - 1);
	rcu_read_unlock();
	return result;
}

static vm_fault_t read_alone(struct vm_fault *vmf)
{
	vm_fault_t result = ask(vmf);

	if (unlikely(result & NO_PAGE))
		return result & ~(vm_fault_t)VM_FAULT_NOPAGE;
	if (enter(vmf, vmf->page, false)) {
		unlock_page(vmf->page);
	} else {
		unlock_page(vmf->page);
		put_page(vmf->page);
		result |= not_entered(vmf);
	}
	return result & (VM_FAULT_MAJOR | VM_FAULT_SIGBUS);
}

static vm_fault_t read_fault(struct vm_fault *vmf)
{
	if (vmf->vma->vm_ops->map_pages && READ_ONCE(fault_around_bytes) > PAGE_SIZE) {
		vm_fault_t result = fault_around(vmf);

		if (result)
			return result & ~(vm_fault_t)VM_FAULT_NOPAGE;
	}
	return read_alone(vmf);
}

/* A private copy at once: it is written to. */
static vm_fault_t cow_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	vm_fault_t result;
	struct folio *copy;

	if (anon_vma_prepare(vma))
		return VM_FAULT_OOM;
	copy = vma_alloc_folio(vmf, false);
	if (unlikely(!copy))
		return VM_FAULT_OOM;
	vmf->cow_page = &copy->page;
	result = ask(vmf);
	if (unlikely(result & NO_PAGE)) {
		folio_put(copy);
		return result & ~(vm_fault_t)VM_FAULT_NOPAGE;
	}
	if (!(result & VM_FAULT_DONE_COW))
		copy_highpage(&copy->page, vmf->page);
	__SetPageUptodate(&copy->page);
	if (!enter(vmf, &copy->page, true)) {
		folio_put(copy);
		result |= not_entered(vmf);
	}
	/* Not before: who truncates the file waits for the page, and finds the copy when it looks at entries again. */
	if (!(result & VM_FAULT_DONE_COW)) {
		unlock_page(vmf->page);
		put_page(vmf->page);
	}
	return result & (VM_FAULT_MAJOR | VM_FAULT_SIGBUS);
}

static vm_fault_t shared_fault(struct vm_fault *vmf)
{
	vm_fault_t result = ask(vmf), more;
	struct folio *folio;

	if (unlikely(result & NO_PAGE))
		return result & ~(vm_fault_t)VM_FAULT_NOPAGE;
	folio = page_folio(vmf->page);
	if (vmf->vma->vm_ops->page_mkwrite) {
		folio_unlock(folio);
		more = do_page_mkwrite(vmf, folio);
		if (unlikely(!(more & VM_FAULT_LOCKED) || more & NO_PAGE)) {
			folio_put(folio);
			return more & ~(vm_fault_t)VM_FAULT_NOPAGE;
		}
	}
	if (!enter(vmf, vmf->page, false)) {
		folio_unlock(folio);
		folio_put(folio);
		return result & VM_FAULT_MAJOR;
	}
	folio_get(folio);
	fault_dirty_shared_page(vmf, folio);
	return result & VM_FAULT_MAJOR;
}

vm_fault_t do_file_page(struct vm_fault *vmf)
{
	if (unlikely(!vmf->vma->vm_ops->fault))
		return VM_FAULT_SIGBUS;
	if (!(vmf->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE)))
		return read_fault(vmf);
	if (!(vmf->vma->vm_flags & VM_SHARED))
		return cow_fault(vmf);
	return vmf->flags & FAULT_FLAG_WRITE ? shared_fault(vmf) : read_fault(vmf);
}

vm_fault_t do_file_page_alone(struct vm_fault *vmf)
{
	/* Where a marker is, whatever is wanted: the page comes protected, and a write is another fault, to be told. */
	if (vmf->orig)
		vmf->flags &= ~(unsigned int)(FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE);
	if (vmf->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE) || !vmf->vma->vm_ops->fault)
		return do_file_page(vmf);
	return read_alone(vmf);
}
