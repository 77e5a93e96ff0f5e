// SPDX-License-Identifier: MIT
/*
 * PAGEMAP_SCAN, the ioctl of /proc/PID/pagemap: Documentation/admin-guide/mm/pagemap.rst. Pages of a range that are in
 * wanted categories are told as regions, and, if that is asked for, write-protected at once, so that the next scan
 * finds what was written since (userfaultfd with UFFD_FEATURE_WP_ASYNC).
 */
#include <octavo/errno.h>
#include <octavo/page.h>
#include <octavo/uaccess.h>

#include "../vm/entries.h"
#include "../vm/userfaultfd.h"
#include "pid.h"

#define PAGE_IS_WPALLOWED (1ull << 0)
#define PAGE_IS_WRITTEN (1ull << 1)
#define PAGE_IS_FILE (1ull << 2)
#define PAGE_IS_PRESENT (1ull << 3)
#define PAGE_IS_SWAPPED (1ull << 4)
#define PAGE_IS_PFNZERO (1ull << 5)
#define PAGE_IS_SOFT_DIRTY (1ull << 7)
#define CATEGORIES 0xffull /* bit 6: huge pages, of which there are none */

#define PM_SCAN_WP_MATCHING (1ull << 0)
#define PM_SCAN_CHECK_WPASYNC (1ull << 1)

struct page_region {
	u64 start, end, categories;
};

struct pm_scan_arg {
	u64 size, flags, start, end, walk_end, vec, vec_len, max_pages;
	u64 category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define REGIONS 32u /* told to the program at once */

struct scan {
	struct pm_scan_arg *arg;
	struct page_region regions[REGIONS];
	unsigned int nr;      /* of them in use */
	u64 room;	      /* regions that may still be told, those included */
	u64 pages;	      /* that may still be found */
	u64 vma_category;
	uintptr_t stop;	      /* where there was no room; 0: nowhere yet */
	bool changed;
};

static bool wanted(const struct scan *s, u64 categories)
{
	const struct pm_scan_arg *arg = s->arg;

	categories ^= arg->category_inverted;
	return (categories & arg->category_mask) == arg->category_mask &&
	       (!arg->category_anyof_mask || categories & arg->category_anyof_mask);
}

/* Up to @end of them. Return: where it ends, because there is no room for more. */
static uintptr_t tell(struct scan *s, u64 categories, uintptr_t start, uintptr_t end)
{
	u64 nr = (end - start) >> PAGE_SHIFT;
	struct page_region *last = s->nr ? &s->regions[s->nr - 1] : NULL;

	if (!s->arg->vec_len)
		return end;
	categories &= s->arg->return_mask;
	if (nr > s->pages) {
		nr = s->pages;
		end = start + (uintptr_t)(nr << PAGE_SHIFT);
		s->stop = end;
	}
	if (!nr)
		return end;
	if (last && last->end == start && last->categories == categories) {
		last->end = end;
	} else if (s->nr < min(s->room, (u64)REGIONS)) {
		s->regions[s->nr++] = (struct page_region){ start, end, categories };
	} else {
		s->stop = start;
		return start;
	}
	s->pages -= nr;
	return end;
}

static u64 category(const struct scan *s, struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t e)
{
	u64 is = s->vma_category;
	struct page *page = NULL;

	/* Not protected, as it would be after a scan that protects. */
	if (pgt_none(e))
		return is | PAGE_IS_WRITTEN;
	if (pgt_present(e)) {
		is |= PAGE_IS_PRESENT | (pgt_soft_dirty(0, e) ? PAGE_IS_SOFT_DIRTY : 0);
		is |= is_zero_pfn(PFN_DOWN(pgt_leaf_phys(0, e))) ? PAGE_IS_PFNZERO : 0;
		page = vm_normal_page(vma, addr, e);
	} else {
		swp_entry_t swap = pte_to_swp_entry(__pte(e));

		is |= PAGE_IS_SWAPPED | (pgt_swap_soft_dirty(e) ? PAGE_IS_SOFT_DIRTY : 0);
		page = is_pfn_swap_entry(swap) ? pfn_swap_entry_to_page(swap) : NULL;
	}
	is |= page && !page_is_anon(compound_head(page)) ? PAGE_IS_FILE : 0;
	return is | (entry_uffd_wp(e) ? 0 : PAGE_IS_WRITTEN);
}

/* One that is being replaced, for a write, is found written the next time. */
static void protect(struct scan *s, pgt_entry_t *entry, pgt_entry_t e)
{
	if (entry_uffd_wp(e))
		return;
	if (pgt_none(e)) {
		pgt_fill(entry, make_pte_marker(PTE_MARKER_UFFD_WP).pte);
	} else if (!pgt_present(e)) {
		pgt_set(entry, pgt_swap_mkuffd_wp(e));
	} else if (pgt_valid(e) || pgt_protnone(e)) {
		entry_protect(entry);
		s->changed = true;
	}
}

static void scan_table(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	struct scan *s = walk->arg;
	bool all = s->arg->flags & PM_SCAN_WP_MATCHING && !s->arg->vec_len;

	for (; addr < end && !s->stop; addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);
		u64 is = category(s, walk->vma, addr, e);

		/* To protect without being told of it is not a question of categories. */
		if ((all || wanted(s, is)) && tell(s, is, addr, addr + PAGE_SIZE) > addr &&
		    s->arg->flags & PM_SCAN_WP_MATCHING)
			protect(s, entry, e);
	}
	walk->stop = s->stop || fatal_signal_pending(current_task());
}

static void scan_hole(struct entries_walk *walk, uintptr_t addr, uintptr_t end)
{
	struct scan *s = walk->arg;

	/* There may be millions in a row. */
	walk->stop = fatal_signal_pending(current_task());
	if (!wanted(s, s->vma_category))
		return;
	end = tell(s, s->vma_category, addr, end);
	/* Without memory for a table nothing of it is protected: it is found again. */
	if (end > addr && s->arg->flags & PM_SCAN_WP_MATCHING)
		(void)userfaultfd_wp_range(walk->vma, addr, end, true);
	walk->stop = walk->stop || s->stop;
}

/* Return: 0; -EPERM: what shall be protected cannot be; -ENOMEM; -EINTR: killed. */
static int scan_vma(struct scan *s, struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	struct entries_walk walk = { .vma = vma, .table = scan_table, .hole = scan_hole, .arg = s,
				     .own = s->arg->flags & PM_SCAN_WP_MATCHING };
	bool async = userfaultfd_marks(vma) && userfaultfd_has(vma->uffd, UFFD_FEATURE_WP_ASYNC);
	u64 required = s->arg->category_mask & PAGE_IS_WPALLOWED;
	int err;

	if (!async && s->arg->flags & PM_SCAN_CHECK_WPASYNC)
		return -EPERM;
	if ((!async && s->arg->flags & PM_SCAN_WP_MATCHING) || vma->vm_flags & VM_PFNMAP)
		return 0;
	s->vma_category = (async ? PAGE_IS_WPALLOWED : 0) | (vma->vm_flags & VM_SOFTDIRTY ? PAGE_IS_SOFT_DIRTY : 0);
	if (((s->vma_category ^ s->arg->category_inverted) & required) != required)
		return 0;
	s->changed = false;
	err = entries_walk(&walk, start, end);
	if (s->changed)
		(void)flush_tlb_mm_range(vma->vm_mm, start, end, PAGE_SHIFT, false);
	else
		(void)tlb_settle(vma->vm_mm);
	return err ?: walk.stop && !s->stop ? -EINTR : 0;
}

/* Until the end, or there is no room. Return: regions told, or an errno. */
static long scan_range(struct mm_struct *mm, struct scan *s)
{
	uintptr_t at = (uintptr_t)s->arg->start, end = (uintptr_t)s->arg->end;
	long total = 0;
	int err = 0;

	while (!err && at < end) {
		s->nr = 0;
		s->stop = 0;
		if (fatal_signal_pending(current_task()) || mmap_read_lock_killable(mm))
			return -EINTR;
		for_each_vma_range (mm, vma, at, end) {
			err = scan_vma(s, vma, max(vma->vm_start, at), min(vma->vm_end, end));
			if (err || s->stop)
				break;
		}
		mmap_read_unlock(mm);
		if (s->nr && copy_to_user((uintptr_t)s->arg->vec + (uintptr_t)total * sizeof(s->regions[0]), s->regions,
					  s->nr * sizeof(s->regions[0])))
			return -EFAULT;
		total += s->nr;
		s->room -= s->nr;
		s->arg->walk_end = s->stop;
		if (!s->stop || !s->room || !s->pages)
			break;
		at = s->stop;
	}
	return err ? err : total;
}

static int check(struct pm_scan_arg *arg)
{
	u64 categories = arg->category_inverted | arg->category_mask | arg->category_anyof_mask | arg->return_mask;

	if (arg->size != sizeof(*arg) || arg->flags & ~(PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC) ||
	    categories & ~CATEGORIES || arg->start & (u64)~PAGE_MASK)
		return -EINVAL;
	if (arg->start != (uintptr_t)arg->start || arg->end - arg->start > (size_t)-1 ||
	    !access_ok((uintptr_t)arg->start, (size_t)(arg->end - arg->start)))
		return -EFAULT;
	if (!arg->vec && arg->vec_len)
		return -EINVAL;
	if (arg->vec_len > (size_t)-1 / sizeof(struct page_region) || arg->vec != (uintptr_t)arg->vec ||
	    (arg->vec && !access_ok((uintptr_t)arg->vec, (size_t)arg->vec_len * sizeof(struct page_region))))
		return -EFAULT;
	arg->end = ALIGN(arg->end, (u64)PAGE_SIZE);
	arg->walk_end = 0;
	return 0;
}

long octavo_pid_pagemap_ioctl(struct mm_struct *mm, unsigned int cmd, unsigned long user)
{
	struct pm_scan_arg arg;
	struct scan s = { .arg = &arg };
	long ret;

	if (cmd != PAGEMAP_SCAN)
		return -ENOTTY;
	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	ret = check(&arg);
	if (ret)
		return ret;
	s.room = arg.vec_len;
	s.pages = arg.max_pages ? arg.max_pages : ~0ull;
	ret = scan_range(mm, &s);
	if (!arg.walk_end)
		arg.walk_end = arg.end;
	return put_user(arg.walk_end, user + offsetof(struct pm_scan_arg, walk_end)) ?: ret;
}
