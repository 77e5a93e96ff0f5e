// SPDX-License-Identifier: MIT
/*
 * UFFDIO_MOVE: pages go from one place of the caller's anonymous memory to another one without being copied. The mmap
 * lock is held for writing, so no fault is under way at either place; the page's lock and the anon_vma's keep away who
 * comes from the page's side.
 */
#include <octavo/pagemap.h>

#include "../swap/swap.h"
#include "fault.h"
#include "share.h"
#include "userfaultfd_wait.h"

#define NO_MOVE (VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_HUGETLB)

struct move {
	struct userfaultfd_ctx *ctx;
	struct vm_area_struct *src, *dst;
	bool holes;
};

static int check(const struct move *m, uintptr_t dst, uintptr_t src, size_t len)
{
	if (!m->src || !m->dst)
		return -ENOENT;
	if (m->src->vm_flags & VM_SHARED || m->dst->vm_flags & VM_SHARED || len > m->src->vm_end - src ||
	    len > m->dst->vm_end - dst)
		return -EINVAL;
	/* Alike in what may be done with them, as nothing of it is looked at page by page. */
	if ((m->src->vm_flags ^ m->dst->vm_flags) & (VM_ACCESS_FLAGS | VM_LOCKED) ||
	    m->src->vm_page_prot.bits != m->dst->vm_page_prot.bits || !(m->src->vm_flags & VM_WRITE) ||
	    (m->src->vm_flags | m->dst->vm_flags) & NO_MOVE)
		return -EINVAL;
	if (m->dst->uffd != m->ctx || !vma_is_anonymous(m->src) || !vma_is_anonymous(m->dst))
		return -EINVAL;
	return 0;
}

/* The entry of @addr without a lock: nobody else changes it but who holds the page. Return: NULL: no table. */
static pgt_entry_t *entry_of(struct mm_struct *mm, uintptr_t addr, spinlock_t **lock)
{
	bool shared;
	pgt_entry_t *entry = vm_entry_find(mm, addr, lock, &shared);

	return entry;
}

/* The destination is empty. Return: 0 and its table is there; -EEXIST, -ENOMEM. */
static int look_at_dst(const struct move *m, uintptr_t dst)
{
	spinlock_t *lock;
	pgt_entry_t *entry = vm_entry_lock(m->dst, dst, &lock);
	bool none = entry && pgt_none(pgt_get(entry));

	if (!entry)
		return -ENOMEM;
	spin_unlock(lock);
	return none ? 0 : -EEXIST;
}

static void enter(const struct move *m, uintptr_t dst, pgt_entry_t e)
{
	spinlock_t *lock;
	pgt_entry_t *entry = entry_of(m->dst->vm_mm, dst, &lock);

	/* look_at_dst() made it. */
	pgt_fill(entry, e);
	spin_unlock(lock);
}

/* The entry at @src, as it is, goes. Return: false: it is another one by now. */
static bool take(const struct move *m, uintptr_t src, pgt_entry_t old)
{
	spinlock_t *lock;
	pgt_entry_t *entry = entry_of(m->src->vm_mm, src, &lock);
	bool same = entry && pgt_leaf_phys(0, pgt_get(entry)) == pgt_leaf_phys(0, old) && pgt_present(pgt_get(entry));

	if (same)
		(void)pgt_xchg(entry, 0);
	if (entry)
		spin_unlock(lock);
	if (same)
		(void)flush_tlb_page(m->src->vm_mm, src);
	return same;
}

static void put_back(const struct move *m, uintptr_t src, pgt_entry_t e)
{
	spinlock_t *lock;
	pgt_entry_t *entry = entry_of(m->src->vm_mm, src, &lock);

	pgt_fill(entry, e);
	spin_unlock(lock);
}

static int move_zero(const struct move *m, uintptr_t dst, uintptr_t src, pgt_entry_t old)
{
	pgt_entry_t e = vm_make_entry(m->dst, zero_pfn, m->dst->vm_page_prot);

	if (!take(m, src, old))
		return -EAGAIN;
	enter(m, dst, pgt_mkspecial(0, pgt_wrprotect(0, e)));
	return 0;
}

/* @page is locked. */
static int move_locked(const struct move *m, uintptr_t dst, uintptr_t src, pgt_entry_t old, struct page *page)
{
	pgt_entry_t e = vm_make_entry(m->dst, page_to_pfn(page), m->dst->vm_page_prot);

	/* Other address spaces have it, or somebody relies on where it is; parts of large ones stay together. */
	if (!page_anon(page) || PageHead(page) || compound_head(page) != page || !PageAnonExclusive(page) ||
	    folio_maybe_dma_pinned(page_folio(page)))
		return -EBUSY;
	if (!take(m, src, old))
		return -EAGAIN;
	/* Who pins without a lock has seen the entry before it went, or will not. */
	if (unlikely(folio_maybe_dma_pinned(page_folio(page)))) {
		put_back(m, src, old);
		return -EBUSY;
	}
	anon_vma_update_begin(m->src);
	page_set_mapping(page, m->dst->anon_vma->handle | PAGE_MAPPING_ANON, linear_page_index(m->dst, dst));
	anon_vma_update_end(m->src);
	enter(m, dst, maybe_mkwrite(pgt_mkdirty(0, pgt_mkyoung(0, e)), m->dst));
	return 0;
}

static int move_page(const struct move *m, uintptr_t dst, uintptr_t src, pgt_entry_t old)
{
	struct page *page = vm_normal_page(m->src, src, old);
	int err;

	if (!page)
		return is_zero_pfn(PFN_DOWN(pgt_leaf_phys(0, old))) ? move_zero(m, dst, src, old) : -EBUSY;
	/* Only entries keep it, and one of them may be in a shared table. */
	get_page(page);
	lock_page(page);
	err = move_locked(m, dst, src, old, page);
	unlock_page(page);
	put_page(page);
	return err;
}

/* The swap entry at @src, as it is, goes to @dst. Return: false: it is another one by now. */
static bool move_swap_entry(const struct move *m, uintptr_t dst, uintptr_t src, pgt_entry_t old)
{
	spinlock_t *lock;
	pgt_entry_t *entry = entry_of(m->src->vm_mm, src, &lock);
	bool same = entry && pgt_get(entry) == old;

	if (same)
		pgt_set(entry, 0);
	if (entry)
		spin_unlock(lock);
	if (same)
		enter(m, dst, pgt_swap_mksoft_dirty(pgt_swap_clear_uffd_wp(old)));
	return same;
}

/* @folio, of the swap cache, is the slot's and locked, or there is none. */
static int move_slot_locked(const struct move *m, uintptr_t dst, uintptr_t src, pgt_entry_t old, struct folio *folio)
{
	if (folio && folio_order(folio))
		return -EBUSY;
	if (!move_swap_entry(m, dst, src, old))
		return -EAGAIN;
	/* It still knows where it was mapped. */
	if (folio && page_is_anon(&folio->page)) {
		anon_vma_update_begin(m->src);
		page_set_mapping(&folio->page, m->dst->anon_vma->handle | PAGE_MAPPING_ANON,
				 linear_page_index(m->dst, dst));
		anon_vma_update_end(m->src);
	}
	return 0;
}

static int move_slot(const struct move *m, uintptr_t dst, uintptr_t src, pgt_entry_t old, swp_entry_t slot)
{
	struct folio *folio;
	struct page *page;
	int err = -EAGAIN;

	if (!pgt_swap_exclusive(old))
		return -EBUSY;
	folio = swap_cache_get_folio(slot);
	if (!folio)
		return move_slot_locked(m, dst, src, old, NULL);
	folio_lock(folio);
	if (swap_folio_page(folio, slot, &page))
		err = move_slot_locked(m, dst, src, old, folio);
	folio_unlock(folio);
	folio_put(folio);
	return err;
}

/* The entry at @src. *@table: there is a table for it. */
static pgt_entry_t look_at_src(const struct move *m, uintptr_t src, bool *table)
{
	spinlock_t *lock;
	pgt_entry_t *entry = entry_of(m->src->vm_mm, src, &lock), e = 0;

	*table = entry;
	if (entry) {
		e = pgt_get(entry);
		spin_unlock(lock);
	}
	return e;
}

/* Who moves it needs neither the mmap lock nor, on a machine with one CPU, us to be in the way. */
static void wait_at_src(const struct move *m, uintptr_t src)
{
	spinlock_t *lock;
	pgt_entry_t *entry = entry_of(m->src->vm_mm, src, &lock), e;

	if (!entry)
		return;
	e = pgt_get(entry);
	if (!pgt_none(e) && !pgt_present(e) && is_migration_entry(pte_to_swp_entry(__pte(e))))
		migration_entry_wait(e, lock);
	else
		spin_unlock(lock);
}

static int move_one(const struct move *m, uintptr_t dst, uintptr_t src)
{
	bool table;
	int err;

	do {
		pgt_entry_t e = look_at_src(m, src, &table);
		swp_entry_t swap = pte_to_swp_entry(__pte(e));

		/* As Linux: the destination is looked at if there is a table to move from. */
		if (!table && !m->holes)
			return -ENOENT;
		err = look_at_dst(m, dst);
		if (err)
			return err;
		if (pgt_none(e))
			return m->holes ? 0 : -ENOENT;
		if (pgt_present(e)) {
			err = move_page(m, dst, src, e);
		} else if (!non_swap_entry(swap)) {
			err = move_slot(m, dst, src, e, swap);
		} else if (is_migration_entry(swap)) {
			wait_at_src(m, src);
			err = -EAGAIN;
		} else {
			return is_pte_marker_entry(swap) && m->holes ? 0 : -EFAULT;
		}
		if (fatal_signal_pending(current_task()))
			return -EINTR;
	} while (err == -EAGAIN);
	return err;
}

static s64 move_range(struct move *m, uintptr_t dst, uintptr_t src, size_t len)
{
	size_t done = 0;
	int err = 0;

	if (load_relaxed(&m->ctx->changing))
		return -EAGAIN;
	m->src = vma_lookup(m->ctx->mm, src);
	m->dst = vma_lookup(m->ctx->mm, dst);
	err = check(m, dst, src, len);
	if (!err && anon_vma_prepare(m->dst))
		err = -ENOMEM;
	if (err)
		return err;
	vma_start_write(m->src);
	vma_start_write(m->dst);
	/* What is in a table that two address spaces have is in both (UF-I5 speaks of protected ranges only). */
	err = vm_own_tables(m->src, src, src + len);
	for (; !err && done < len; done += PAGE_SIZE) {
		err = move_one(m, dst + done, src + done);
		if (err)
			break;
	}
	return done ? (s64)done : err;
}

s64 userfaultfd_move(struct userfaultfd_ctx *ctx, uintptr_t dst, uintptr_t src, size_t len, bool holes)
{
	struct move m = { .ctx = ctx, .holes = holes };
	s64 ret;

	if (mmap_write_lock_killable(ctx->mm))
		return -EINTR;
	ret = move_range(&m, dst, src, len);
	mmap_write_unlock(ctx->mm);
	return ret;
}
