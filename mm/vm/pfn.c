// SPDX-License-Identifier: MIT
/*
 * What drivers map: frames, whatever they are (entries are special, nothing is counted), and pages of their own, which
 * are counted as a file's.
 */
#include <octavo/vmalloc.h>

#include "../base/printk.h"
#include "fault.h"
#include "userfaultfd.h"

static bool in_vma(const struct vm_area_struct *vma, uintptr_t addr, size_t size)
{
	return !((addr | size) & ~PAGE_MASK) && addr >= vma->vm_start && addr < vma->vm_end &&
	       size <= vma->vm_end - addr;
}

/* One table's part. Return: 0 or -EEXIST: something is mapped there, and that is the caller's mistake. */
static int remap_entries(pgt_entry_t *entry, unsigned long pfn, unsigned long nr, pgprot_t prot)
{
	for (unsigned long i = 0; i < nr; i++)
		if (!pgt_none(pgt_get(entry + i)))
			return -EEXIST;
	for (unsigned long i = 0; i < nr; i++)
		pgt_fill(entry + i, pgt_mkspecial(0, pgt_fit(pgt_make_leaf(0, PFN_PHYS(pfn + i), prot))));
	return 0;
}

static void unmap_again(struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct mmu_gather tlb;

	if (start == end)
		return;
	tlb_gather_mmu(&tlb, vma->vm_mm);
	zap_page_range(&tlb, vma, start, end, NULL);
	tlb_finish_mmu(&tlb);
}

int remap_pfn_range(struct vm_area_struct *vma, uintptr_t addr, unsigned long pfn, size_t size, pgprot_t prot)
{
	uintptr_t end = addr + ALIGN(size, PAGE_SIZE), at, next;
	int err = 0;

	if (!size || !in_vma(vma, addr, end - addr))
		return -EINVAL;
	/* A private mapping that may be written to copies pages by themselves: it must be linear to know them. */
	if (!(vma->vm_flags & VM_SHARED) && vma->vm_flags & VM_MAYWRITE) {
		if (addr != vma->vm_start || end != vma->vm_end)
			return -EINVAL;
		vma->vm_pgoff = pfn;
	}
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	for (at = addr; at < end && !err; at = next) {
		spinlock_t *lock;
		pgt_entry_t *entry = vm_entry_lock(vma, at, &lock);

		next = pgt_addr_end(at, end, 1);
		if (!entry) {
			err = -ENOMEM;
			break;
		}
		err = remap_entries(entry, pfn + ((at - addr) >> PAGE_SHIFT), (next - at) >> PAGE_SHIFT, prot);
		spin_unlock(lock);
		if (err)
			break;
	}
	if (err == -EEXIST)
		pr_err("remap_pfn_range: %#lx is mapped already\n", (unsigned long)at);
	if (err)
		unmap_again(vma, addr, at);
	return err == -EEXIST ? -EINVAL : err;
}

int vm_iomap_memory(struct vm_area_struct *vma, phys_addr_t start, size_t len)
{
	unsigned long pages, pfn = PFN_DOWN(start);

	if (!len || start + len < start)
		return -EINVAL;
	len += start & ~PAGE_MASK;
	pages = (len + PAGE_SIZE - 1) >> PAGE_SHIFT;
	if (vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, pfn + vma->vm_pgoff, vma->vm_end - vma->vm_start,
			       vma->vm_page_prot);
}

/* Where a write is to be noted (UFFD_FEATURE_WP_ASYNC), which may be in any mapping, it is another fault. */
static void fill_free(pgt_entry_t *entry, pgt_entry_t e)
{
	bool protected = marker_has(pgt_get(entry), PTE_MARKER_UFFD_WP);

	pgt_fill(entry, protected ? pgt_mkuffd_wp(0, e) : e);
}

/* A page of the driver's, counted. Return: 0, -ENOMEM, -EBUSY: something is mapped there. */
static int insert_page(struct vm_area_struct *vma, uintptr_t addr, struct page *page)
{
	struct folio *folio = page_folio(page);
	spinlock_t *lock;
	pgt_entry_t *entry = vm_entry_lock(vma, addr, &lock);
	int err = -EBUSY;

	if (!entry)
		return -ENOMEM;
	if (pgt_awaits_page(pgt_get(entry))) {
		folio_get(folio);
		mm_counter_add(vma->vm_mm, mm_counter_file(folio), 1);
		folio_add_file_rmap_ptes(folio, page, 1, vma);
		fill_free(entry, vm_make_entry(vma, page_to_pfn(page), vma->vm_page_prot));
		err = 0;
	}
	spin_unlock(lock);
	return err;
}

/* Pages of the heap and tables keep other things where a page's count is. */
static bool insertable(struct page *page)
{
	return page_ref_count(compound_head(page)) > 0 && !PageSlab(page) && !PageTable(page) &&
	       !page_anon(page);
}

int vm_insert_page(struct vm_area_struct *vma, uintptr_t addr, struct page *page)
{
	if (!in_vma(vma, addr, PAGE_SIZE))
		return -EFAULT;
	if (!insertable(page) || vma->vm_flags & VM_PFNMAP)
		return -EINVAL;
	vm_flags_set(vma, VM_MIXEDMAP);
	return insert_page(vma, addr, page);
}

int vm_map_pages(struct vm_area_struct *vma, struct page **pages, unsigned long num)
{
	unsigned long count = vma_pages(vma);

	if (vma->vm_pgoff >= num || count > num - vma->vm_pgoff)
		return -ENXIO;
	for (unsigned long i = 0; i < count; i++) {
		int err = vm_insert_page(vma, vma->vm_start + (i << PAGE_SHIFT), pages[vma->vm_pgoff + i]);

		if (err)
			return err;
	}
	return 0;
}

/* A frame, by a fault handler. */
static vm_fault_t insert_pfn(struct vm_area_struct *vma, uintptr_t addr, unsigned long pfn, pgprot_t prot, bool write)
{
	pgt_entry_t e = pgt_mkspecial(0, pgt_fit(pgt_make_leaf(0, PFN_PHYS(pfn), prot)));
	spinlock_t *lock;
	pgt_entry_t *entry;

	if (addr < vma->vm_start || addr >= vma->vm_end)
		return VM_FAULT_SIGBUS;
	entry = vm_entry_lock(vma, addr & PAGE_MASK, &lock);
	if (!entry)
		return VM_FAULT_OOM;
	if (write)
		e = maybe_mkwrite(pgt_mkdirty(0, pgt_mkyoung(0, e)), vma);
	if (pgt_awaits_page(pgt_get(entry)))
		fill_free(entry, e);
	else if (write && pgt_leaf_phys(0, pgt_get(entry)) == PFN_PHYS(pfn))
		(void)pgt_entry_raise(0, entry, e);
	spin_unlock(lock);
	return VM_FAULT_NOPAGE;
}

vm_fault_t vmf_insert_pfn_prot(struct vm_area_struct *vma, uintptr_t addr, unsigned long pfn, pgprot_t prot)
{
	/* Private and written to: it could not be told from its copies. */
	if (!(vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) ||
	    (vma->vm_flags & VM_PFNMAP && !(vma->vm_flags & VM_SHARED) && vma->vm_flags & VM_MAYWRITE))
		return VM_FAULT_SIGBUS;
	return insert_pfn(vma, addr, pfn, prot, false);
}

vm_fault_t vmf_insert_pfn(struct vm_area_struct *vma, uintptr_t addr, unsigned long pfn)
{
	return vmf_insert_pfn_prot(vma, addr, pfn, vma->vm_page_prot);
}

vm_fault_t vmf_insert_mixed(struct vm_area_struct *vma, uintptr_t addr, unsigned long pfn, bool write)
{
	if (!(vma->vm_flags & VM_MIXEDMAP))
		return VM_FAULT_SIGBUS;
	return insert_pfn(vma, addr, pfn, vma->vm_page_prot, write);
}

int remap_vmalloc_range(struct vm_area_struct *vma, void *addr, unsigned long pgoff)
{
	struct vm_struct *area = find_vm_area(addr);
	unsigned long pages, first;

	if (!area || !(area->flags & VM_USERMAP) || (uintptr_t)addr & ~PAGE_MASK)
		return -EINVAL;
	pages = area->nr_pages;
	first = (unsigned long)((uintptr_t)addr - (uintptr_t)area->addr) >> PAGE_SHIFT;
	if (pgoff > pages || first > pages - pgoff || vma_pages(vma) > pages - pgoff - first)
		return -EINVAL;
	for (unsigned long i = 0; i < vma_pages(vma); i++) {
		char *from = (char *)addr + ((pgoff + i) << PAGE_SHIFT);
		int err = vm_insert_page(vma, vma->vm_start + (i << PAGE_SHIFT), vmalloc_to_page(from));

		if (err)
			return err;
	}
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}
