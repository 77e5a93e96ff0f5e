/* SPDX-License-Identifier: MIT */
/* Between the files of the mmap family. The theory stands in vma.c. */
#ifndef MM_VM_VMA_H
#define MM_VM_VMA_H

#include "../sync/atomic.h"
#include "rmap.h"
#include "task.h"
#include "vm.h"

/* mm->def_flags and calls can ask for these. */
#define VM_LOCKED_MASK (VM_LOCKED | VM_LOCKONFAULT)
#define VM_MAY_ALL (VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)
/* Properties that do not keep VMAs apart. */
#define VM_IGNORE_MERGE VM_SOFTDIRTY

/* ---- vma.c ---- */

extern const struct range_tree_ops vma_tree_ops;

/* Has, or had, pages of its own, or of a parent's. */
static inline bool has_anon(const struct vm_area_struct *vma)
{
	return load_relaxed(&vma->anon_chain);
}

/* Shared mappings that may become writable are counted in their file: it cannot be sealed as long. */
static inline bool is_writer(const struct vm_area_struct *vma)
{
	return vma->vm_file && vma->vm_file->f_mapping &&
	       (vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE);
}

/* One that nobody has seen: file and the rest are put, vm_ops->close() is not called. */
void vma_discard(struct vm_area_struct *vma);
/* @prev: the VMA before it, or NULL. What the tree needs was reserved, or: Return: -ENOMEM. */
int vma_link(struct mm_struct *mm, struct vm_area_struct *vma, struct vm_area_struct *prev);
/* The same for the upper part of @lower, which is cut already. Nodes were reserved. */
void vma_link_over(struct mm_struct *mm, struct vm_area_struct *vma, struct vm_area_struct *lower);
/* It leaves the tree and the list. Readers are gone. */
void vma_unlink(struct mm_struct *mm, struct vm_area_struct *vma);
/* What the tree may need for one change of any kind is at hand. */
static inline int vma_reserve(struct mm_struct *mm)
{
	return range_tree_reserve(&mm->vmas, GFP_KERNEL);
}
/*
 * vma_set_bounds - @vma is [start, end) from now on
 * What it grows over must be free, or VMAs that go whole: those from @victim on, @nr of them, which leave tree and list
 * and are freed. Return: 0 or -ENOMEM, and nothing has happened; with vma_reserve() before, 0.
 */
int vma_set_bounds(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, struct vm_area_struct *victim,
		   unsigned int nr);
/* It lies at [start, end) from now on, for those who come from its file or its pages. The tree is the caller's. */
void vma_place(struct vm_area_struct *vma, uintptr_t start, uintptr_t end);
/*
 * vma_move_border - of two that meet the lower ends, and the upper begins, at @border from now on; neither vanishes
 * Return: as vma_set_bounds().
 */
int vma_move_border(struct vm_area_struct *lower, struct vm_area_struct *upper, uintptr_t border);
/* What ended at @end is free now. */
static inline void vma_opened_gap(struct mm_struct *mm, uintptr_t end)
{
	if (end > mm->top_full)
		mm->top_full = min(end, mm->mmap_base);
}
/* The VMA before @addr and the one at or behind it, which may both be NULL. */
struct vm_area_struct *vma_around(struct mm_struct *mm, uintptr_t addr, struct vm_area_struct **prev);

/* ---- vma_merge.c ---- */

/* What a new mapping, or a piece of one, is like. */
struct vma_like {
	uintptr_t start, end;
	vm_flags_t flags;
	unsigned long pgoff;
	struct file *file;
	struct vm_area_struct *origin; /* whose pages it will have (its anon_vma); NULL: none yet */
	void *uffd, *policy;
	struct anon_vma_name *anon_name;
};
/*
 * vma_merge_new - neighbours take @like in, where nothing is by now
 * Return: the VMA that covers it; NULL: nobody could, or, *@err = -ENOMEM, there was no memory.
 */
struct vm_area_struct *vma_merge_new(struct mm_struct *mm, const struct vma_like *like, struct vm_area_struct *prev,
				     struct vm_area_struct *next, int *err);
/* [start, end) of @vma with @flags: vma_modify() with nothing else changed. */
struct vm_area_struct *vma_modify_flags(struct vm_area_struct *vma, uintptr_t start, uintptr_t end, vm_flags_t flags,
					int *err);
/* vma_split() whatever the number of mappings. */
int vma_split_nocount(struct vm_area_struct *vma, uintptr_t addr);
/* Does the upper part of a VMA need vm_ops' consent, or its callbacks? */
static inline bool vma_split_is_heard(const struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = vma->vm_ops;

	return ops && (ops->open || ops->close || ops->may_split);
}

/* ---- munmap.c ---- */

/*
 * unmap_range - what do_munmap() does, once it is known that the range is sound
 * @first: the first VMA that ends behind @start
 * @changes: of the tree, this one included, that nodes are to be at hand for: those that come next will not fail
 * Return: 0; -ENOMEM, -EPERM: nothing has changed but that a VMA may have been split.
 */
int unmap_range(struct mm_struct *mm, struct vm_area_struct *first, uintptr_t start, uintptr_t end,
		unsigned int changes);
/*
 * cut_edges - VMAs that are partly in the range, from @first on, are split at its ends
 * What a call that puts something in their place has done to them when it finds that it may not: Linux cuts first.
 * Return: 0, -EPERM, or an error of vma_split().
 */
int cut_edges(struct vm_area_struct *first, uintptr_t start, uintptr_t end);
/* May VMAs from @first on, up to @end, be changed (mseal)? */
bool can_modify_range(const struct vm_area_struct *first, uintptr_t end);
static inline bool can_modify(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & VM_SEALED);
}

/* ---- layout.c ---- */

/* Where a mapping may lie. Return: an address, or a negative errno. */
long get_unmapped_area(struct mm_struct *mm, struct file *file, uintptr_t addr, size_t len, unsigned long pgoff,
		       unsigned long flags);
/* The end of what is handed out without a hint beyond it. */
uintptr_t mm_window(const struct mm_struct *mm);
/* Least address of a VMA with its stack gap. */
uintptr_t vm_start_gap(const struct vm_area_struct *vma);

/* ---- mmap.c ---- */

/* mmap(2) with the lock held. *@populate: bytes to fault in. @acct: the thread that pays. */
long do_mmap(struct mm_struct *mm, struct file *file, uintptr_t addr, size_t len, unsigned long prot,
	     unsigned long flags, vm_flags_t vm_flags, unsigned long pgoff, size_t *populate);
/* Anonymous memory at [addr, addr + len), where nothing is; a VMA that ends above @floor takes it in. 0 or -ENOMEM. */
int do_brk_flags(struct mm_struct *mm, uintptr_t addr, size_t len, vm_flags_t flags, uintptr_t floor);

/* ---- account.c ---- */

/* Pages that another account had, or that it gets back. */
void vm_acct_unchecked(long pages);
bool mlock_future_ok(const struct mm_struct *mm, vm_flags_t flags, size_t bytes);
bool can_do_mlock(void);
/* Is the memory of such a mapping to be accounted for? */
static inline bool accountable(vm_flags_t flags)
{
	return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE;
}

/* ---- mprotect.c ---- */

/* VM_READ, VM_WRITE and VM_EXEC of PROT_*. */
static inline vm_flags_t prot_flags(unsigned long prot)
{
	return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
	       (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* MM_CP_TRY_WRITE where entries may become writable that vm_page_prot says nothing of, or 0. */
unsigned int protect_change_flags(const struct vm_area_struct *vma);

/* ---- mremap_move.c ---- */

/*
 * move_page_tables - entries of [from, from + len) of @vma go to @to, where a copy of it is
 * Context: mmap_lock for writing, both VMAs write-locked. Return: bytes moved, less than @len without memory.
 */
size_t move_page_tables(struct vm_area_struct *vma, uintptr_t from, uintptr_t to, size_t len);

static inline bool is_error(long value)
{
	return (unsigned long)value >= (unsigned long)-4095l;
}

static inline unsigned long pages_of(size_t bytes)
{
	return bytes >> PAGE_SHIFT;
}

static inline uintptr_t page_align(uintptr_t x)
{
	return ALIGN(x, PAGE_SIZE);
}

#endif
