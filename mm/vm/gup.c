// SPDX-License-Identifier: MIT
/*
 * Pages behind user addresses, for who works on them without the address space: get_user_pages() takes references,
 * pin_user_pages() pins.
 *
 * A pin says that the page is written or read by others than the CPUs. It is 1024 references at once, which is how
 * folio_maybe_dma_pinned() knows. An anonymous page is pinned only while it is exclusive, and by fork() it is then not
 * shared, so the owner's writes and the device's meet in one page (FA-I6).
 *
 * FA-I6: an anonymous page is exclusive when it is pinned.
 */
#include "gup.h"

#include <octavo/highmem.h>
#include <octavo/pagemap.h>

#include "../base/string.h"
#include "../phys/vmstat.h"
#include "../phys/zone.h"

static bool is_cow_mapping(vm_flags_t flags)
{
	return (flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}

int gup_check_vma(const struct vm_area_struct *vma, unsigned int foll, bool foreign)
{
	vm_flags_t flags = vma->vm_flags;

	if (flags & (VM_IO | VM_PFNMAP) || (foll & FOLL_ANON && !vma_is_anonymous(vma)))
		return -EFAULT;
	if (foll & FOLL_LONGTERM && vma->vm_file && vma->vm_file->f_mapping &&
	    load_relaxed(&vma->vm_file->f_mapping->flags) >> AS_DAX & 1)
		return -EOPNOTSUPP;
	if (foll & FOLL_WRITE) {
		/* By force, into a private copy only. */
		if (!(flags & VM_WRITE) && (!(foll & FOLL_FORCE) || !is_cow_mapping(flags)))
			return -EFAULT;
	} else if (!(flags & VM_READ)) {
		if (!(foll & FOLL_FORCE) || !(flags & VM_MAYREAD))
			return -EFAULT;
	}
	if (!foreign && !pkey_allows(current_task(), vma, foll & FOLL_WRITE))
		return -EFAULT;
	return 0;
}

/* ---- References and pins ---- */

static void pin_folio(struct folio *folio, struct mm_struct *mm)
{
	(void)atomic_fetch_add(&folio->page._refcount, GUP_PIN_COUNTING_BIAS);
	mod_node_page_state(NODE_DATA(page_to_nid(&folio->page)), NR_FOLL_PIN_ACQUIRED, 1);
	if (!(load_relaxed(&mm->flags) >> MMF_HAS_PINNED & 1))
		(void)atomic_fetch_or(&mm->flags, 1ul << MMF_HAS_PINNED);
}

static void unpin_folio(struct folio *folio)
{
	mod_node_page_state(NODE_DATA(page_to_nid(&folio->page)), NR_FOLL_PIN_RELEASED, 1);
	(void)atomic_fetch_sub(&folio->page._refcount, GUP_PIN_COUNTING_BIAS - 1);
	folio_put(folio);
}

void unpin_user_pages(struct page **pages, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		if (!is_zero_pfn(page_to_pfn(pages[i])))
			unpin_folio(page_folio(pages[i]));
}

void unpin_user_pages_dirty_lock(struct page **pages, unsigned long nr, bool dirty)
{
	for (unsigned long i = 0; dirty && i < nr; i++) {
		struct folio *folio = page_folio(pages[i]);

		if (is_zero_pfn(page_to_pfn(pages[i])) || PageDirty(&folio->page))
			continue;
		folio_lock(folio);
		vm_folio_dirty(folio);
		folio_unlock(folio);
	}
	unpin_user_pages(pages, nr);
}

static void put_user_page(struct page *page, unsigned int foll)
{
	if (foll & FOLL_PIN)
		unpin_user_pages(&page, 1);
	else if (foll & FOLL_GET)
		put_page(page);
}

/* ---- One page ---- */

/* A write by force, where the program itself may not: into what is private already. */
static bool can_follow_write(const struct vm_area_struct *vma, struct page *page, pgt_entry_t e, unsigned int foll)
{
	if (pgt_write(0, e))
		return true;
	return foll & FOLL_FORCE && is_cow_mapping(vma->vm_flags) && !(vma->vm_flags & VM_WRITE) && page &&
	       page_anon(page) && PageAnonExclusive(page) && !pgt_uffd_wp(0, e);
}

static bool must_unshare(const struct vm_area_struct *vma, struct page *page, unsigned int foll)
{
	if ((foll & (FOLL_WRITE | FOLL_PIN)) != FOLL_PIN)
		return false;
	if (page_anon(page))
		return !PageAnonExclusive(page);
	return foll & FOLL_LONGTERM && is_cow_mapping(vma->vm_flags);
}

/* Frames that memory management means to keep movable are not for pins without an end. */
static bool may_be_pinned_long(struct page *page)
{
	return page_zonenum(page) != ZONE_MOVABLE &&
	       get_pageblock_migratetype(page_zone(page), page_to_pfn(page)) != MIGRATE_CMA;
}

/* Context: the table is locked. */
static struct page *follow_entry(struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t e, unsigned int foll, int *err)
{
	struct page *page;

	if (!pgt_present(e) || (!pgt_valid(e) && (!pgt_protnone(e) || vma_is_accessible(vma))))
		return NULL;
	page = vm_normal_page(vma, addr, e);
	if (foll & FOLL_WRITE && !can_follow_write(vma, page, e, foll))
		return NULL;
	if (!page) {
		unsigned long pfn = PFN_DOWN(pgt_leaf_phys(0, e));

		if (!is_zero_pfn(pfn)) {
			*err = -EFAULT;
			return NULL;
		}
		page = pfn_to_page(pfn);
	}
	if (must_unshare(vma, page, foll)) {
		*err = -EMLINK;
		return NULL;
	}
	if (foll & FOLL_LONGTERM && !may_be_pinned_long(page)) {
		*err = -ENOMEM;
		return NULL;
	}
	if (foll & FOLL_GET)
		get_page(page);
	else if (foll & FOLL_PIN && !is_zero_pfn(page_to_pfn(page)))
		pin_folio(page_folio(page), vma->vm_mm);
	return page;
}

struct page *follow_page(struct vm_area_struct *vma, uintptr_t addr, unsigned int foll, int *err)
{
	spinlock_t *lock;
	struct page *page;
	pgt_entry_t *entry;
	bool shared = false;

	*err = 0;
	for (;;) {
		entry = vm_entry_find(vma->vm_mm, addr, &lock, &shared);
		if (!entry)
			return NULL;
		/* In a table that two address spaces share nothing is one's own. */
		if (!shared || !(foll & (FOLL_WRITE | FOLL_PIN)))
			break;
		spin_unlock(lock);
		*err = vm_own_tables(vma, addr & PAGE_MASK, (addr & PAGE_MASK) + PAGE_SIZE);
		if (*err)
			return NULL;
	}
	page = follow_entry(vma, addr & PAGE_MASK, pgt_get(entry), foll, err);
	spin_unlock(lock);
	return page;
}

int faultin_page(struct vm_area_struct *vma, uintptr_t addr, unsigned int fault_flags, bool *locked)
{
	vm_fault_t result;

	if (locked)
		fault_flags |= FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;
	result = handle_mm_fault(vma, addr, fault_flags);
	if (unlikely(result & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))) {
		if (locked)
			*locked = false;
		return 0;
	}
	if (likely(!(result & VM_FAULT_ERROR)))
		return 0;
	if (result & VM_FAULT_OOM)
		return -ENOMEM;
	return result & VM_FAULT_HWPOISON ? -EHWPOISON : -EFAULT;
}

/* ---- Many ---- */

struct gup {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned int foll;
	bool foreign;
};

static int find_vma_for(struct gup *g, uintptr_t addr)
{
	if (g->vma && addr >= g->vma->vm_start && addr < g->vma->vm_end)
		return 0;
	g->vma = vma_lookup(g->mm, addr);
	return g->vma ? gup_check_vma(g->vma, g->foll, g->foreign) : -EFAULT;
}

/* @page: NULL: none is wanted */
static int get_one(struct gup *g, uintptr_t addr, struct page **page)
{
	unsigned int flags = (g->foll & FOLL_WRITE ? FAULT_FLAG_WRITE : 0) | (g->foreign ? FAULT_FLAG_REMOTE : 0);
	bool locked = true;
	struct page *got;
	int err;

	for (;;) {
		if (fatal_signal_pending(current_task()))
			return -EINTR;
		got = follow_page(g->vma, addr, g->foll, &err);
		if (got)
			break;
		if (err && err != -EMLINK)
			return err;
		if (g->foll & FOLL_NOWAIT)
			return -EAGAIN;
		err = faultin_page(g->vma, addr, err == -EMLINK ? flags | FAULT_FLAG_UNSHARE : flags,
				   g->foll & FOLL_UNLOCKABLE ? &locked : NULL);
		if (unlikely(!locked)) {
			mmap_read_lock(g->mm);
			locked = true;
			g->vma = NULL;
			err = find_vma_for(g, addr);
		}
		if (err)
			return err == -EHWPOISON && !(g->foll & FOLL_HWPOISON) ? -EFAULT : err;
	}
	if (page)
		*page = got;
	else
		put_user_page(got, g->foll);
	return 0;
}

static long get_pages(struct gup *g, uintptr_t start, unsigned long nr, struct page **pages)
{
	uintptr_t addr = start & PAGE_MASK;
	unsigned long i;
	int err = 0;

	for (i = 0; i < nr && !err; i++, addr += PAGE_SIZE) {
		err = find_vma_for(g, addr);
		if (!err)
			err = get_one(g, addr, pages ? &pages[i] : NULL);
		if (err)
			break;
	}
	return i ? (long)i : err;
}

static bool flags_ok(unsigned int foll)
{
	return !(foll & FOLL_GET && foll & FOLL_PIN) && (!(foll & FOLL_LONGTERM) || foll & FOLL_PIN);
}

long get_user_pages_remote(struct mm_struct *mm, uintptr_t start, unsigned long nr, unsigned int foll,
			   struct page **pages)
{
	struct gup g = { .mm = mm, .foll = foll | (pages ? FOLL_GET : 0), .foreign = mm != current_task()->mm };

	return flags_ok(g.foll) && !(foll & FOLL_PIN) ? get_pages(&g, start, nr, pages) : -EINVAL;
}

long pin_user_pages_remote(struct mm_struct *mm, uintptr_t start, unsigned long nr, unsigned int foll,
			   struct page **pages)
{
	struct gup g = { .mm = mm, .foll = foll | FOLL_PIN, .foreign = mm != current_task()->mm };

	return flags_ok(g.foll) && pages ? get_pages(&g, start, nr, pages) : -EINVAL;
}

static long get_pages_fast(uintptr_t start, unsigned long nr, unsigned int foll, struct page **pages)
{
	struct gup g = { .mm = current_task()->mm, .foll = foll | FOLL_UNLOCKABLE };
	long got;

	if (!flags_ok(foll) || !pages)
		return -EINVAL;
	if (!g.mm || start >= g.mm->task_size || nr > (g.mm->task_size - start + PAGE_SIZE - 1) >> PAGE_SHIFT)
		return -EFAULT;
	if (mmap_read_lock_killable(g.mm))
		return -EINTR;
	got = get_pages(&g, start, nr, pages);
	mmap_read_unlock(g.mm);
	return got;
}

long get_user_pages_fast(uintptr_t start, unsigned long nr, unsigned int foll, struct page **pages)
{
	return foll & FOLL_PIN ? -EINVAL : get_pages_fast(start, nr, foll | FOLL_GET, pages);
}

long pin_user_pages_fast(uintptr_t start, unsigned long nr, unsigned int foll, struct page **pages)
{
	return get_pages_fast(start, nr, foll | FOLL_PIN, pages);
}

/* ---- Bytes of another address space ---- */

static void copy_part(struct page *page, size_t offset, void *buf, size_t len, bool write)
{
	if (!write) {
		memcpy_from_page(buf, page, offset, len);
		return;
	}
	memcpy_to_page(page, offset, buf, len);
	if (PageDirty(compound_head(page)))
		return;
	lock_page(page);
	vm_folio_dirty(page_folio(page));
	unlock_page(page);
}

/* What has no page: its driver copies, if it can. Return: bytes. */
static size_t access_by_driver(struct mm_struct *mm, uintptr_t addr, void *buf, size_t len, bool write)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);
	int done;

	if (!vma || !vma->vm_ops || !vma->vm_ops->access)
		return 0;
	len = min(len, (size_t)(vma->vm_end - addr));
	done = vma->vm_ops->access(vma, addr, buf, (int)min(len, (size_t)1 << 30), write);
	return done > 0 ? (size_t)done : 0;
}

size_t access_remote_vm(struct mm_struct *mm, uintptr_t addr, void *buf, size_t len, unsigned int foll)
{
	bool write = foll & FOLL_WRITE;
	size_t done = 0;

	if (mmap_read_lock_killable(mm))
		return 0;
	while (done < len) {
		size_t offset = (addr + done) & ~PAGE_MASK, part = min(len - done, (size_t)PAGE_SIZE - offset);
		struct page *page;

		if (get_user_pages_remote(mm, addr + done, 1, (foll & (FOLL_WRITE | FOLL_FORCE)) | FOLL_UNLOCKABLE,
					  &page) == 1) {
			copy_part(page, offset, (char *)buf + done, part, write);
			put_page(page);
		} else {
			part = access_by_driver(mm, addr + done, (char *)buf + done, len - done, write);
			if (!part)
				break;
		}
		done += part;
	}
	mmap_read_unlock(mm);
	return done;
}
