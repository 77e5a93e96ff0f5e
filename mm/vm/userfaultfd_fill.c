// SPDX-License-Identifier: MIT
/*
 * COPY, ZEROPAGE, CONTINUE, POISON and WRITEPROTECT of ioctl_userfaultfd(2). The theory is in userfaultfd.c.
 *
 * What is copied is got before any lock is taken: it may fault, and into the hands of the same reader.
 */
#include <octavo/highmem.h>
#include <octavo/pagemap.h>

#include "../base/string.h"
#include "share.h"
#include "userfaultfd_wait.h"

struct fill {
	struct userfaultfd_ctx *ctx;
	enum uffd_fill how;
	uintptr_t addr, end; /* what is left */
	bool protect;
	struct page *page; /* COPY: ours, with its contents, or NULL */
	struct vm_area_struct *vma;
	bool mmap_lock;	   /* @vma is held by it, not by its own */
};

/* ---- The VMA ---- */

static void fill_unlock(struct fill *f)
{
	up_read(&f->ctx->changing_lock);
	if (f->mmap_lock)
		mmap_read_unlock(f->ctx->mm);
	else
		vma_end_read(f->vma);
}

static int check(const struct fill *f)
{
	const struct vm_area_struct *vma = f->vma;
	bool file = vma->vm_ops && vma->vm_ops->userfault_page;

	if (f->end > vma->vm_end || !vma->uffd)
		return -ENOENT;
	if (load_relaxed(&f->ctx->changing))
		return -EAGAIN;
	if ((f->protect && !(vma->vm_flags & VM_UFFD_WP)) || (!file && !vma_is_anonymous(vma)) ||
	    (!file && f->how == UFFD_CONTINUE))
		return -EINVAL;
	return 0;
}

/* Return: 0 and f->vma, held, with changing_lock; or an errno, and nothing is held. */
static int fill_lock(struct fill *f)
{
	int err;

	f->mmap_lock = false;
	f->vma = lock_vma_under_rcu(f->ctx->mm, f->addr);
	if (unlikely(!f->vma)) {
		mmap_read_lock(f->ctx->mm);
		f->vma = vma_lookup(f->ctx->mm, f->addr);
		if (!f->vma) {
			mmap_read_unlock(f->ctx->mm);
			return -ENOENT;
		}
		f->mmap_lock = true;
	}
	down_read(&f->ctx->changing_lock);
	err = check(f);
	if (!err && !(f->vma->vm_flags & VM_SHARED) && anon_vma_prepare(f->vma))
		err = -ENOMEM;
	if (err)
		fill_unlock(f);
	return err;
}

/* ---- Contents ---- */

/* f->page with what is at @src. Return: 0, -EFAULT, -ENOMEM. */
static int get_contents(struct fill *f, uintptr_t src)
{
	if (!f->page)
		f->page = alloc_page(GFP_HIGHUSER_MOVABLE);
	if (!f->page)
		return -ENOMEM;
	for (;;) {
		void *virt = kmap_local_page(f->page);
		size_t left;

		pagefault_disable();
		left = copy_from_user(virt, src, PAGE_SIZE);
		pagefault_enable();
		kunmap_local(virt);
		if (likely(!left))
			return 0;
		if (fault_in_readable(src, PAGE_SIZE))
			return -EFAULT;
		if (fatal_signal_pending(current_task()))
			return -EINTR;
	}
}

/* ---- Entries ---- */

static bool beyond_end(const struct fill *f)
{
	const struct vm_area_struct *vma = f->vma;

	return vma->vm_ops && (u64)linear_page_index(vma, f->addr) << PAGE_SHIFT >= i_size_read(vma->vm_file->f_inode);
}

static pgt_entry_t page_entry(const struct fill *f, const struct page *page, bool writable)
{
	pgt_entry_t e = vm_make_entry(f->vma, page_to_pfn(page), f->vma->vm_page_prot);

	e = pgt_mkdirty(0, pgt_mkyoung(0, e));
	if (writable)
		e = maybe_mkwrite(e, f->vma);
	else
		e = pgt_wrprotect(0, e);
	return f->protect ? pgt_mkuffd_wp(0, e) : e;
}

static int fill_anonymous(struct fill *f)
{
	struct vm_area_struct *vma = f->vma;
	spinlock_t *lock;
	pgt_entry_t *entry = vm_entry_lock(vma, f->addr, &lock);
	int err = 0;

	if (!entry)
		return -ENOMEM;
	if (beyond_end(f)) {
		err = -EFAULT;
	} else if (!pgt_none_mostly(pgt_get(entry))) {
		err = -EEXIST;
	} else {
		page_become_anon(f->page, vma, f->addr);
		mm_counter_add(vma->vm_mm, MM_ANONPAGES, 1);
		pgt_fill(entry, page_entry(f, f->page, true));
	}
	spin_unlock(lock);
	if (err)
		return err;
	count_anon_mapped(f->page, 1);
	f->page = NULL;
	return 0;
}

/* What is none (POISON, the zero page of private memory: no marker either) becomes @e. */
static int fill_entry(struct fill *f, pgt_entry_t e)
{
	spinlock_t *lock;
	pgt_entry_t *entry = vm_entry_lock(f->vma, f->addr, &lock);
	int err = 0;

	if (!entry)
		return -ENOMEM;
	if (beyond_end(f))
		err = -EFAULT;
	else if (!pgt_none(pgt_get(entry)))
		err = -EEXIST;
	else
		pgt_fill(entry, e);
	spin_unlock(lock);
	return err;
}

static int fill_zero_page(struct fill *f)
{
	pgt_entry_t e = vm_make_entry(f->vma, zero_pfn, f->vma->vm_page_prot);

	return fill_entry(f, pgt_mkspecial(0, pgt_wrprotect(0, e)));
}

/* Is there an entry already? The table exists afterwards. */
static int look(struct fill *f)
{
	spinlock_t *lock;
	pgt_entry_t *entry = vm_entry_lock(f->vma, f->addr, &lock);
	bool there = entry && !pgt_none_mostly(pgt_get(entry));

	if (!entry)
		return -ENOMEM;
	spin_unlock(lock);
	return there ? -EEXIST : 0;
}

/* The file's page, locked, is entered; its reference becomes the entry's, or is given back. */
static int enter_folio(struct fill *f, struct folio *folio)
{
	struct vm_area_struct *vma = f->vma;
	spinlock_t *lock;
	pgt_entry_t *entry = vm_entry_lock(vma, f->addr, &lock);
	int err = 0;

	if (!entry) {
		err = -ENOMEM;
	} else if (!pgt_none_mostly(pgt_get(entry))) {
		err = -EEXIST;
		spin_unlock(lock);
	} else {
		mm_counter_add(vma->vm_mm, mm_counter_file(folio), 1);
		folio_add_file_rmap_ptes(folio, &folio->page, 1, vma);
		pgt_fill(entry, page_entry(f, &folio->page, vma->vm_flags & VM_SHARED));
		spin_unlock(lock);
	}
	if (!err && vma->vm_flags & VM_SHARED)
		(void)folio_mark_dirty(folio);
	folio_unlock(folio);
	if (err)
		folio_put(folio);
	return err;
}

/* @fresh: the file's page from now on; NULL: the one it has. */
static int fill_file(struct fill *f, struct page *fresh)
{
	struct folio *folio;
	int err = look(f);

	if (!err)
		err = f->vma->vm_ops->userfault_page(f->vma, linear_page_index(f->vma, f->addr),
						     (struct folio *)fresh, &folio);
	/* The page is locked, so who faults here now waits: the entry is still none, or a marker. */
	return err ? err : enter_folio(f, folio);
}

static int fill_file_zeroed(struct fill *f)
{
	int err;

	if (!f->page)
		f->page = alloc_page(GFP_HIGHUSER_MOVABLE);
	if (!f->page)
		return -ENOMEM;
	clear_highpage(f->page);
	err = fill_file(f, f->page);
	if (!err) {
		put_page(f->page);
		f->page = NULL;
	}
	return err;
}

static int fill_one(struct fill *f)
{
	bool shared = f->vma->vm_flags & VM_SHARED;
	int err;

	switch (f->how) {
	case UFFD_COPY:
		if (!shared) {
			__SetPageUptodate(f->page);
			return fill_anonymous(f);
		}
		err = fill_file(f, f->page);
		if (!err) {
			put_page(f->page);
			f->page = NULL;
		}
		return err;
	case UFFD_ZERO:
		return shared ? fill_file_zeroed(f) : fill_zero_page(f);
	case UFFD_CONTINUE:
		err = fill_file(f, NULL);
		return err == -ENOENT ? -EFAULT : err;
	default:
		return fill_entry(f, make_pte_marker(PTE_MARKER_POISONED).pte);
	}
}

s64 userfaultfd_fill(struct userfaultfd_ctx *ctx, enum uffd_fill how, uintptr_t dst, uintptr_t src, size_t len,
		     bool protect)
{
	struct fill f = { .ctx = ctx, .how = how, .addr = dst, .end = dst + len, .protect = protect };
	s64 done = 0;
	int err = 0;

	/* A place that cannot be filled is the first thing to say, before a source that cannot be read. */
	if (how == UFFD_COPY) {
		err = fill_lock(&f);
		if (!err)
			fill_unlock(&f);
	}
	while (!err && f.addr < f.end) {
		if (how == UFFD_COPY)
			err = get_contents(&f, src + (uintptr_t)done);
		if (!err)
			err = fill_lock(&f);
		if (err)
			break;
		err = fill_one(&f);
		fill_unlock(&f);
		if (err)
			break;
		f.addr += PAGE_SIZE;
		done += PAGE_SIZE;
		if (fatal_signal_pending(current_task()))
			err = -EINTR;
	}
	if (f.page)
		put_page(f.page);
	return done ? done : err;
}

/* ---- Protection ---- */

long userfaultfd_wp_range(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, bool protect)
{
	unsigned int flags = protect ? MM_CP_UFFD_WP : MM_CP_UFFD_WP_RESOLVE | protect_change_flags(vma);
	struct mmu_gather tlb;
	long ret;

	tlb_gather_mmu(&tlb, vma->vm_mm);
	ret = change_protection(&tlb, vma, start, end, flags);
	tlb_finish_mmu(&tlb);
	return ret < 0 ? ret : 0;
}

long userfaultfd_writeprotect(struct userfaultfd_ctx *ctx, uintptr_t start, size_t len, bool protect)
{
	struct mm_struct *mm = ctx->mm;
	uintptr_t end = start + len;
	long err = -ENOENT;

	mmap_read_lock(mm);
	down_read(&ctx->changing_lock);
	if (load_relaxed(&ctx->changing)) {
		err = -EAGAIN;
	} else {
		for_each_vma_range (mm, vma, start, end) {
			if (!(vma->vm_flags & VM_UFFD_WP)) {
				err = -ENOENT;
				break;
			}
			err = userfaultfd_wp_range(vma, max(vma->vm_start, start), min(vma->vm_end, end), protect);
			if (err)
				break;
		}
	}
	up_read(&ctx->changing_lock);
	mmap_read_unlock(mm);
	return err;
}
