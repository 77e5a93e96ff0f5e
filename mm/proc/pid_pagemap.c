// SPDX-License-Identifier: MIT
/*
 * /proc/PID/pagemap and clear_refs: Documentation/admin-guide/mm/pagemap.rst and soft-dirty.rst.
 *
 * A page of pagemap is 64 bits: frame number, or type and place of what was swapped out, and what kind of mapping it
 * is.
 */
#include <octavo/errno.h>
#include <octavo/page.h>

#include "../vm/userfaultfd.h"
#include "pid.h"

#define PM_FRAME_MASK (((u64)1 << 55) - 1)
#define PM_SWAP_TYPE_BITS 5
#define PM_SOFT_DIRTY ((u64)1 << 55)
#define PM_EXCLUSIVE ((u64)1 << 56)
#define PM_UFFD_WP ((u64)1 << 57)
#define PM_FILE ((u64)1 << 61)
#define PM_SWAP ((u64)1 << 62)
#define PM_PRESENT ((u64)1 << 63)

struct pagemap {
	u64 *entries;
	uintptr_t start;
	bool frames;
};

static u64 present_bits(const struct pagemap *map, const struct pid_entry *e)
{
	struct page *page = vm_normal_page(e->vma, e->addr, e->e);
	u64 bits = PM_PRESENT;

	if (map->frames)
		bits |= (pgt_leaf_phys(0, e->e) >> PAGE_SHIFT) & PM_FRAME_MASK;
	if (page && !page_is_anon(compound_head(page)))
		bits |= PM_FILE;
	if (page && entry_mappers(e->entry, page) == 1)
		bits |= PM_EXCLUSIVE;
	return bits | (pgt_soft_dirty(0, e->e) ? PM_SOFT_DIRTY : 0) | (pgt_uffd_wp(0, e->e) ? PM_UFFD_WP : 0);
}

static u64 swap_bits(const struct pagemap *map, const struct pid_entry *e)
{
	swp_entry_t swap = pte_to_swp_entry(__pte(e->e));
	u64 bits = pgt_swap_soft_dirty(e->e) ? PM_SOFT_DIRTY : 0;
	u64 place = is_pfn_swap_entry(swap) ? swp_offset_pfn(swap) : swp_offset(swap);

	if (map->frames)
		bits |= swp_type(swap) | (place << PM_SWAP_TYPE_BITS & PM_FRAME_MASK);
	if (is_pfn_swap_entry(swap) && !page_is_anon(compound_head(pfn_swap_entry_to_page(swap))))
		bits |= PM_FILE;
	return bits | PM_SWAP | (entry_uffd_wp(e->e) ? PM_UFFD_WP : 0);
}

static void pagemap_entry(void *ctx, const struct pid_entry *e)
{
	struct pagemap *map = ctx;
	u64 bits = 0;

	if (pgt_present(e->e))
		bits = present_bits(map, e);
	else if (pgt_is_swap(e->e))
		bits = swap_bits(map, e);
	map->entries[(e->addr - map->start) >> PAGE_SHIFT] |= bits;
}

/* What mappings say of all their pages; then what is there. */
static void pagemap_vma(struct pagemap *map, struct vm_area_struct *vma, uintptr_t start, uintptr_t end)
{
	for (uintptr_t addr = start; addr < end && vma->vm_flags & VM_SOFTDIRTY; addr += PAGE_SIZE)
		map->entries[(addr - map->start) >> PAGE_SHIFT] |= PM_SOFT_DIRTY;
	pid_walk(vma, start, end, pagemap_entry, map);
}

long octavo_pid_pagemap(struct mm_struct *mm, u64 page, u64 *entries, size_t nr, bool frames)
{
	struct pagemap map = { .entries = entries, .frames = frames };
	uintptr_t end;
	int err;

	if (page >= mm->task_size >> PAGE_SHIFT)
		return 0;
	nr = (size_t)min((u64)nr, (mm->task_size >> PAGE_SHIFT) - page);
	memset(entries, 0, nr * sizeof(*entries));
	map.start = (uintptr_t)page << PAGE_SHIFT;
	end = map.start + ((uintptr_t)nr << PAGE_SHIFT);
	err = mmap_read_lock_killable(mm);
	if (err)
		return err;
	for_each_vma_range(mm, vma, map.start, end)
		pagemap_vma(&map, vma, max(vma->vm_start, map.start), min(vma->vm_end, end));
	mmap_read_unlock(mm);
	return (long)nr;
}

/* ---- clear_refs ---- */

enum { CLEAR_ALL = 1, CLEAR_ANON, CLEAR_MAPPED, CLEAR_SOFT_DIRTY, CLEAR_PEAK };

static void forget_access(void *ctx, const struct pid_entry *e)
{
	struct page *page = pgt_present(e->e) ? vm_normal_page(e->vma, e->addr, e->e) : NULL;
	pgt_entry_t old = e->e;

	(void)ctx;
	if (!page)
		return;
	while (pgt_present(old) && !pgt_cmpxchg(e->entry, &old, pgt_mkold(0, old)))
		;
	ClearPageReferenced(compound_head(page));
}

/* A store has to fault, so that it is noticed. */
static void forget_store(void *ctx, const struct pid_entry *e)
{
	pgt_entry_t old = e->e;

	(void)ctx;
	if (pgt_present(old)) {
		while (!pgt_cmpxchg(e->entry, &old, pgt_wrprotect(0, pgt_clear_soft_dirty(0, old))))
			;
	} else if (pgt_is_swap(old)) {
		pgt_set(e->entry, pgt_swap_clear_soft_dirty(old));
	}
}

/* Context: mmap lock, for writing if soft-dirty bits are to go. Return: 0 or -ENOMEM. */
static int clear_vma(struct vm_area_struct *vma, long what)
{
	int err;

	if (vma->vm_flags & VM_PFNMAP || (what == CLEAR_ANON && vma->vm_file) ||
	    (what == CLEAR_MAPPED && !vma->vm_file))
		return 0;
	err = vm_own_tables(vma, vma->vm_start, vma->vm_end);
	if (err)
		return err;
	if (what == CLEAR_SOFT_DIRTY) {
		vma_start_write(vma);
		vma->vm_flags &= ~VM_SOFTDIRTY;
		vma_set_page_prot(vma);
	}
	pid_walk(vma, vma->vm_start, vma->vm_end, what == CLEAR_SOFT_DIRTY ? forget_store : forget_access, NULL);
	return 0;
}

static void reset_peak(struct mm_struct *mm)
{
	long rss = 0;

	for (unsigned int i = 0; i < NR_MM_COUNTERS; i++)
		if (i != MM_SWAPENTS)
			rss += max(load_relaxed(&mm->rss[i]), 0l);
	store_relaxed(&mm->hiwater_rss, (unsigned long)rss);
}

static long clear_refs(struct mm_struct *mm, long what)
{
	bool soft_dirty = what == CLEAR_SOFT_DIRTY;
	int err = mmap_write_lock_killable(mm);

	if (err)
		return err;
	if (what == CLEAR_PEAK) {
		reset_peak(mm);
	} else {
		for_each_vma(mm, vma)
			err = err ?: clear_vma(vma, what);
	}
	mmap_write_unlock(mm);
	/* Accessed bits that a TLB remembers make a page look idle; stores that it lets through would be missed. */
	if (soft_dirty)
		(void)flush_tlb_mm(mm);
	return err;
}

long octavo_pid_clear_refs(struct mm_struct *mm, const char *text, size_t len)
{
	size_t begin = 0, end = len;
	long err;

	while (begin < end && (text[begin] == ' ' || (text[begin] >= '\t' && text[begin] <= '\r')))
		begin++;
	while (end > begin && (text[end - 1] == ' ' || (text[end - 1] >= '\t' && text[end - 1] <= '\r')))
		end--;
	if (end - begin != 1 || text[begin] < '0' + CLEAR_ALL || text[begin] > '0' + CLEAR_PEAK)
		return -EINVAL;
	err = clear_refs(mm, text[begin] - '0');
	return err ?: (long)len;
}
