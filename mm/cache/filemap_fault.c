// SPDX-License-Identifier: MIT
/*
 * Faults of mapped files.
 *
 * A fault that finds its page uptodate takes the folio's lock, looks whether it is still the file's and within its
 * size, and hands it over locked. One that has to wait, for the lock or for the store, first lets go of the lock it
 * was called with, so that nobody waits for a disk behind it, and asks to be called again (VM_FAULT_RETRY): but once,
 * so that it comes to an end.
 *
 * Around a read fault whatever is at hand is entered as well (map_pages): one look at the xarray's node serves a whole
 * window, its slots lying side by side as the entries do.
 */
#include "../phys/hwpoison.h"
#include "../vm/fault.h"
#include "filemap.h"

static unsigned long pages_of(const struct address_space *mapping)
{
	u64 pages = (i_size_read(mapping->host) + PAGE_SIZE - 1) >> PAGE_SHIFT;

	return (unsigned long)min(pages, (u64)FILE_INDEX_MAX + 1);
}

static bool may_drop_lock(const struct vm_fault *vmf)
{
	return (vmf->flags & (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT | FAULT_FLAG_TRIED)) ==
	       FAULT_FLAG_ALLOW_RETRY;
}

/* The page is not there: what else may be wanted is read with it. */
static void fault_readahead(struct file *file, vm_flags_t flags, unsigned long pgoff)
{
	struct address_space *mapping = file->f_mapping;
	unsigned long window = READ_ONCE(file->ra_pages);

	if (flags & VM_RAND_READ || !window)
		return;
	down_read(&mapping->invalidate_lock);
	if (flags & VM_SEQ_READ)
		page_cache_sync_ra(file, mapping, pgoff, 1);
	else
		force_page_cache_ra(file, mapping, pgoff > window / 2 ? pgoff - window / 2 : 0, window);
	up_read(&mapping->invalidate_lock);
}

static vm_fault_t fault_error(int err)
{
	return err == -ENOMEM ? VM_FAULT_OOM : err == -EINTR ? VM_FAULT_RETRY : VM_FAULT_SIGBUS;
}

/* From the store. Return: VM_FAULT_RETRY, the lock dropped; or an error, or 0 and *@folio, with it held. */
static noinline vm_fault_t read_page(struct vm_fault *vmf, struct folio **folio)
{
	struct file *file = vmf->vma->vm_file;
	struct address_space *mapping = file->f_mapping;
	vm_flags_t flags = vmf->vma->vm_flags;
	bool drop = may_drop_lock(vmf);
	int err;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (drop) {
		get_file(file);
		vmf_release_lock(vmf);
	}
	fault_readahead(file, flags, vmf->pgoff);
	*folio = filemap_read_uptodate(file, mapping, vmf->pgoff, 1, true, &err);
	if (!drop) {
		/* A killed thread is let go only where it can be called again. */
		return *folio ? 0 : err == -EINTR ? VM_FAULT_SIGBUS : fault_error(err);
	}
	if (*folio)
		folio_put(*folio);
	fput(file);
	return VM_FAULT_RETRY; /* whatever came of it: the second time it says so with the lock held */
}

/* Lock the folio, which somebody has locked; its reference is given back unless 0 is returned. */
static noinline vm_fault_t lock_folio(struct vm_fault *vmf, struct folio *folio)
{
	if (may_drop_lock(vmf)) {
		vmf_release_lock(vmf);
		folio_wait_locked(folio);
		folio_put(folio);
		return VM_FAULT_RETRY;
	}
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) {
		folio_put(folio);
		return VM_FAULT_RETRY;
	}
	folio_lock(folio);
	return 0;
}

static vm_fault_t filemap_fault(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;
	struct address_space *mapping = file->f_mapping;
	vm_fault_t major = 0, result;
	struct folio *folio;

	for (;;) {
		if (unlikely(vmf->pgoff >= pages_of(mapping)))
			return VM_FAULT_SIGBUS;
		folio = filemap_get_folio_fast(mapping, vmf->pgoff);
		if (unlikely(!folio || !PageUptodate(&folio->page))) {
			if (folio)
				folio_put(folio);
			major = VM_FAULT_MAJOR;
			result = read_page(vmf, &folio);
			if (result)
				return result | major;
		} else if (unlikely(PageReadahead(&folio->page)) && !PageWriteback(&folio->page) &&
			   !(vmf->vma->vm_flags & VM_RAND_READ)) {
			page_cache_async_ra(file, mapping, folio, vmf->pgoff, 1);
		}
		if (unlikely(!folio_trylock_fast(folio))) {
			result = lock_folio(vmf, folio);
			if (result)
				return result | major;
		}
		if (likely(folio_is_at(folio, mapping, vmf->pgoff) && PageUptodate(&folio->page) &&
			   vmf->pgoff < pages_of(mapping)))
			break;
		folio_unlock(folio); /* truncated; or cut off, which the size says */
		folio_put(folio);
	}
	vmf->page = folio_page(folio, vmf->pgoff - (unsigned long)page_index(&folio->page));
	return VM_FAULT_LOCKED | major;
}

/* ---- Fault-around ---- */

#define FLAGS_MAPPABLE (1u << PG_uptodate)
#define FLAGS_LOOK (1u << PG_uptodate | 1u << PG_locked | 1u << PG_hwpoison | 1u << PG_reclaim)

/* A reference to the folio that a slot holds, locked, if it can be mapped at @pgoff without waiting; else NULL. */
static force_inline struct folio *take_ready(void *entry, const struct address_space *mapping, unsigned long pgoff)
{
	struct folio *folio = entry;

	if (!folio || unlikely(xa_is_value(entry)))
		return NULL;
	/* One with the mark of readahead is left to a fault that sees it. */
	if (unlikely((load_relaxed(&folio->page.flags) & FLAGS_LOOK) != FLAGS_MAPPABLE))
		return NULL;
	if (unlikely(!folio_try_get(folio)))
		return NULL;
	if (likely(folio_trylock_fast(folio))) {
		/* One of which a page went bad, maybe since its flags were seen, is left to faults: they tell which. */
		if (likely(folio_is_at(folio, mapping, pgoff) && PageUptodate(&folio->page) &&
			   !block_has_poison(&folio->page, folio_order(folio))))
			return folio;
		folio_unlock(folio);
	}
	folio_put(folio);
	return NULL;
}

/* What set_pte_range() does for a read fault. */
static force_inline void enter_pages(const struct vm_fault *vmf, pgt_entry_t *entry, struct folio *folio,
				     struct page *page, unsigned int nr, uintptr_t addr)
{
	const struct vm_area_struct *vma = vmf->vma;
	long fresh = 0;

	for (unsigned int i = 0; i < nr; i++, addr += PAGE_SIZE) {
		pgt_entry_t e = vm_make_entry(vma, page_to_pfn(page + i), vma->vm_page_prot);

		/* Nobody has asked for the neighbours yet. */
		if (addr != vmf->address && PGT_VIRT_BITS != 32)
			e = pgt_mkold(0, e);
		pgt_fill(entry + i, e);
		fresh += atomic_fetch_add(&page[i]._mapcount, 1) == -1;
	}
	if (likely(fresh))
		count_folio(folio, NR_FILE_MAPPED, fresh);
}

/* Pages of @folio from @pgoff on that the window and empty entries have room for. */
static unsigned int run_of(const struct folio *folio, unsigned long pgoff, unsigned long end, const pgt_entry_t *entry)
{
	unsigned long most = min(folio_next_index(folio), end + 1) - pgoff;
	unsigned int nr = 1;

	while (nr < most && pgt_none(pgt_get(entry + nr)))
		nr++;
	return nr;
}

vm_fault_t filemap_map_pages(struct vm_fault *vmf, unsigned long start, unsigned long end)
{
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;
	unsigned long pages = pages_of(mapping), pgoff = start;
	pgt_entry_t *entry = vmf->entry;
	vm_fault_t result = 0;
	long mapped[2] = { 0, 0 };
	void **slots = NULL;

	if (unlikely(start >= pages))
		return 0;
	end = min(end, pages - 1);
	entry -= vmf->pgoff - start;
	spin_lock(vmf->lock);
	if (unlikely(!mm_is_stable(vmf->vma->vm_mm)) && !(vmf->vma->vm_flags & VM_SHARED))
		goto unlock;
	while (pgoff <= end) {
		struct folio *folio = NULL;
		unsigned int nr = 1;

		if (pgoff == start || !(pgoff & XA_SLOT_MASK))
			slots = xa_leaf(&mapping->i_pages, pgoff);
		if (pgt_none(pgt_get(entry)))
			folio = take_ready(slots ? load_acquire(&slots[pgoff & XA_SLOT_MASK]) :
						   xa_load(&mapping->i_pages, pgoff), mapping, pgoff);
		/* A large one stays in the cache when a truncation cuts off its tail, which the size says. */
		if (folio && unlikely(folio_order(folio))) {
			pages = pages_of(mapping);
			if (unlikely(pgoff >= pages)) {
				folio_unlock(folio);
				folio_put(folio);
				break;
			}
			end = min(end, pages - 1);
		}
		if (folio) {
			nr = folio_order(folio) ? run_of(folio, pgoff, end, entry) : 1;
			if (nr > 1)
				atomic_fetch_add(&folio->page._refcount, (int)nr - 1);
			enter_pages(vmf, entry, folio,
				    folio_page(folio, pgoff - (unsigned long)page_index(&folio->page)), nr,
				    vmf->address + ((pgoff - vmf->pgoff) << PAGE_SHIFT));
			mapped[page_plain_flag(&folio->page, PG_swapbacked)] += nr;
			folio_unlock(folio);
			if (vmf->pgoff - pgoff < nr)
				result = VM_FAULT_NOPAGE;
		}
		pgoff += nr;
		entry += nr;
	}
unlock:
	spin_unlock(vmf->lock);
	if (mapped[0])
		mm_counter_add(vmf->vma->vm_mm, MM_FILEPAGES, mapped[0]);
	if (mapped[1])
		mm_counter_add(vmf->vma->vm_mm, MM_SHMEMPAGES, mapped[1]);
	return result;
}

/* ---- The first write to a page of a shared mapping ---- */

static vm_fault_t filemap_page_mkwrite(struct vm_fault *vmf)
{
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;
	struct folio *folio = page_folio(vmf->page);

	if (unlikely(dirty_balance_is_due()))
		balance_dirty_pages(mapping); /* while nothing is locked but the address space */
	folio_lock(folio);
	if (!folio_is_of(folio, mapping)) {
		folio_unlock(folio);
		return VM_FAULT_NOPAGE;
	}
	/* The store is told what the folio held when writing began. */
	folio_wait_writeback(folio);
	folio_mark_dirty(folio);
	return VM_FAULT_LOCKED;
}

const struct vm_operations_struct generic_file_vm_ops = {
	.fault = filemap_fault,
	.map_pages = filemap_map_pages,
	.page_mkwrite = filemap_page_mkwrite,
};

int generic_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (!file->f_mapping->a_ops->read_folio)
		return -ENOEXEC;
	if (vma->vm_flags & VM_SHARED && vma->vm_flags & VM_MAYWRITE && !file->f_mapping->a_ops->writepages)
		return -EINVAL;
	vma->vm_ops = &generic_file_vm_ops;
	return 0;
}
