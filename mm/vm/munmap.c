// SPDX-License-Identifier: MIT
/*
 * munmap(2). What can fail comes first: VMAs that are only partly in the range are split where their owner wants to
 * hear of it, or where both ends stay; else the end is just cut off. Then the entries go, while the VMAs still stand
 * there, write-locked, for who looks from the pages' side; then the VMAs, in one change of the tree; then the tables
 * that nothing lies in any more.
 */
#include "../pgtable/tables.h"
#include "mlock.h"
#include "userfaultfd.h"

/* What is about to be unmapped: VMAs from first to last, of which the first and the last may stay in part. */
struct unmapping {
	struct mm_struct *mm;
	uintptr_t start, end;
	struct vm_area_struct *first, *last;
	struct vm_area_struct *head, *tail; /* that stay, cut off at start and at end; NULL: none */
	unsigned long accounted;
	unsigned int changes;
};

bool can_modify_range(const struct vm_area_struct *first, uintptr_t end)
{
	for (; first && first->vm_start < end; first = first->vm_next)
		if (!can_modify(first))
			return false;
	return true;
}

/* A table that is shared can only be changed in part by who has its own. What lies between is left as a whole. */
static int own_edges(const struct unmapping *u)
{
	uintptr_t size = (uintptr_t)1 << PGT_SHIFT(1);
	int err = 0;

	if (!(load_relaxed(&u->mm->flags) & 1ul << MMF_HAS_SHARED_TABLES))
		return 0;
	if (!IS_ALIGNED(u->start, size) || u->end - u->start < size)
		err = vm_own_tables(u->first, u->start, min(u->end, ALIGN_DOWN(u->start, size) + size));
	if (!err && !IS_ALIGNED(u->end, size) && u->end - u->start > size)
		err = vm_own_tables(u->last, max(u->start, ALIGN_DOWN(u->end, size)), u->end);
	return err;
}

/* So few pages are looked at one by one. */
#define LOOK_MAX 16u

/*
 * Is there nothing to zap, and no table that goes? Then no TLB knows of the range either. Of small ranges in the reach
 * of one last-level table only: what is mapped for a moment often was not touched, or not where it is cut.
 */
static bool nothing_below(struct mm_struct *mm, uintptr_t start, uintptr_t end, const struct vm_area_struct *prev,
			  const struct vm_area_struct *next)
{
	const pgt_entry_t *entry;
	unsigned int level;
	uintptr_t reach;

	if ((start ^ (end - 1)) & (uintptr_t)PGT_MASK(1))
		return false;
	entry = pgt_descend(mm, start, 0, &level);
	if (level) {
		if (!pgt_none(pgt_get(entry)))
			return false;
	} else {
		if (pages_of(end - start) > LOOK_MAX)
			return false;
		for (unsigned int i = 0; i < pages_of(end - start); i++)
			if (!pgt_none(pgt_get(entry + i)))
				return false;
	}
	/* The table stays if there is another VMA in its reach. */
	if (level == PGT_ROOT_LEVEL)
		return true;
	reach = (uintptr_t)PGT_SIZE(level + 1) - 1;
	return (prev && prev->vm_end > (start & ~reach)) || (next && next->vm_start <= (start | reach));
}

int cut_edges(struct vm_area_struct *first, uintptr_t start, uintptr_t end)
{
	int err;

	if (first->vm_start < start) {
		if (end < first->vm_end && first->vm_mm->map_count >= (unsigned int)READ_ONCE(sysctl_max_map_count))
			return -ENOMEM;
		if (!can_modify(first))
			return -EPERM;
		err = vma_split_nocount(first, start);
		if (err)
			return err;
		first = first->vm_next;
	}
	for (; first && first->vm_start < end; first = first->vm_next) {
		if (!can_modify(first))
			return -EPERM;
		if (first->vm_end > end)
			return vma_split_nocount(first, end);
	}
	return 0;
}

/* Return: 0; -ENOMEM or what vm_ops->may_split() says: only splits have happened. */
static int prepare(struct unmapping *u)
{
	struct vm_area_struct *first = u->first;
	int err;

	if (first->vm_start < u->start) {
		bool inside = u->end < first->vm_end;

		if (inside) {
			err = vma_split(first, u->end);
			if (err)
				return err;
		}
		if (vma_split_is_heard(first)) {
			err = vma_split_nocount(first, u->start);
			if (err)
				return err;
			u->first = first->vm_next;
		} else {
			u->head = first;
		}
	}
	u->last = u->first;
	while (u->last->vm_next && u->last->vm_next->vm_start < u->end)
		u->last = u->last->vm_next;
	if (u->last->vm_end > u->end) {
		if (vma_split_is_heard(u->last)) {
			err = vma_split_nocount(u->last, u->end);
			if (err)
				return err;
		} else {
			u->tail = u->last;
		}
	}
	err = range_tree_reserve_changes(&u->mm->vmas, u->changes, GFP_KERNEL);
	return err ? err : own_edges(u);
}

/* The VMA behind those of the unmapping. */
static struct vm_area_struct *behind(const struct unmapping *u)
{
	return u->last->vm_next;
}

static void zap(const struct unmapping *u, struct mmu_gather *tlb)
{
	bool left = zap_shared_tables(tlb, u->mm, u->start, u->end);

	for (struct vm_area_struct *vma = u->first; vma != behind(u); vma = vma->vm_next)
		zap_page_range(tlb, vma, max(vma->vm_start, u->start), min(vma->vm_end, u->end), NULL);
	if (unlikely(left))
		tlb_flush_mmu(tlb);
}

static noinline void unmap_few(const struct unmapping *u, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_LOCKED)
		munlock_vma_pages(vma, max(vma->vm_start, u->start), min(vma->vm_end, u->end));
	if (vma->vm_flags & VM_UFFD_ANY)
		userfaultfd_unmap(vma, u->start, u->end);
}

static void lock_and_account(struct unmapping *u)
{
	for (struct vm_area_struct *vma = u->first; vma != behind(u); vma = vma->vm_next) {
		unsigned long pages = pages_of(min(vma->vm_end, u->end) - max(vma->vm_start, u->start));

		vma_start_write(vma);
		if (unlikely(vma->vm_flags & (VM_LOCKED | VM_UFFD_ANY)))
			unmap_few(u, vma);
		vm_stat_account(u->mm, vma->vm_flags, -(long)pages);
		if (vma->vm_flags & VM_ACCOUNT)
			u->accounted += pages;
		if (vma->vm_flags & VM_LOCKED)
			u->mm->locked_vm -= pages;
	}
}

/* The range becomes nobody's. Return: VMAs that went, linked by vm_next up to NULL. */
static struct vm_area_struct *detach(struct unmapping *u, struct vm_area_struct *prev, struct vm_area_struct *next)
{
	struct vm_area_struct *gone = u->first, *end;

	/* Cannot fail: see prepare(). */
	if (range_tree_store(&u->mm->vmas, u->start, u->end - 1, NULL, GFP_KERNEL))
		return NULL;
	if (u->head) {
		gone = u->head->vm_next;
		vma_place(u->head, u->head->vm_start, u->start);
	}
	if (u->tail)
		vma_place(u->tail, u->end, u->tail->vm_end);
	vma_opened_gap(u->mm, u->end);
	u->mm->recent = next;
	if (gone == next)
		return NULL;
	end = next ? next->vm_prev : u->last;
	end->vm_next = NULL;
	if (prev)
		prev->vm_next = next;
	if (next)
		next->vm_prev = prev;
	for (struct vm_area_struct *vma = gone; vma; vma = vma->vm_next) {
		u->mm->map_count--;
		store_relaxed(&vma->vm_refs, 0);
		if (vma->vm_file)
			vma_unlink_file(vma);
		if (has_anon(vma))
			unlink_anon_vmas(vma);
	}
	return gone;
}

static void free_all(struct vm_area_struct *vma)
{
	while (vma) {
		struct vm_area_struct *next = vma->vm_next;

		vm_area_free(vma);
		vma = next;
	}
}

int unmap_range(struct mm_struct *mm, struct vm_area_struct *first, uintptr_t start, uintptr_t end,
		unsigned int changes)
{
	struct unmapping u = { .mm = mm, .start = start, .end = end, .first = first, .changes = changes };
	struct vm_area_struct *prev, *next, *gone;
	struct mmu_gather tlb;
	int err;

	if (!can_modify_range(first, end))
		return cut_edges(first, start, end);
	err = prepare(&u);
	if (err)
		return err;
	mm->hiwater_vm = max(mm->hiwater_vm, mm->total_vm);
	prev = u.head ? u.head : u.first->vm_prev;
	next = u.tail ? u.tail : behind(&u);
	/* From here on no fault brings anything in. */
	lock_and_account(&u);
	if (nothing_below(mm, start, end, prev, next)) {
		gone = detach(&u, prev, next);
	} else {
		tlb_gather_mmu(&tlb, mm);
		zap(&u, &tlb);
		gone = detach(&u, prev, next);
		free_pgtables(&tlb, mm, start, end, prev ? prev->vm_end : 0, next ? next->vm_start : 0);
		tlb_finish_mmu(&tlb);
	}
	if (u.accounted)
		vm_unacct_memory(u.accounted);
	free_all(gone);
	return 0;
}

int do_munmap(struct mm_struct *mm, uintptr_t addr, size_t len)
{
	struct vm_area_struct *first;
	uintptr_t end;

	if (addr & ~PAGE_MASK || addr > mm->task_size || len > mm->task_size - addr)
		return -EINVAL;
	end = addr + page_align(len);
	if (end == addr)
		return -EINVAL;
	first = find_vma(mm, addr);
	if (!first || first->vm_start >= end)
		return 0;
	return unmap_range(mm, first, addr, end, 1);
}

long vm_munmap(struct mm_struct *mm, uintptr_t addr, size_t len)
{
	long ret;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = do_munmap(mm, addr, len);
	mmap_write_unlock(mm);
	userfaultfd_tell(true);
	return ret;
}

long ksys_munmap(uintptr_t addr, size_t len)
{
	return vm_munmap(this_task()->mm, addr, len);
}
