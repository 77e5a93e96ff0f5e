// SPDX-License-Identifier: MIT
/*
 * Entries of page tables move to other addresses (mremap). A whole last-level table that nothing else shares moves as
 * one entry of the table above; else entry by entry. Neither address can be faulted in meanwhile: both VMAs are
 * write-locked. From the pages' side nobody may look while a page is at neither place: the file's i_mmap_rwsem and the
 * anon_vma's lock are held over each step, and the old addresses are flushed before they are let go.
 */
#include "../pgtable/tables.h"
#include "vma.h"

#define CHUNK ((uintptr_t)1 << PGT_SHIFT(1))

static void shut_out(struct vm_area_struct *vma)
{
	if (vma_mapping(vma))
		down_write(&vma_mapping(vma)->i_mmap_rwsem);
	anon_vma_update_begin(vma);
}

static void let_in(struct vm_area_struct *vma)
{
	anon_vma_update_end(vma);
	if (vma_mapping(vma))
		up_write(&vma_mapping(vma)->i_mmap_rwsem);
}

/* The entry above the last level that leads to @addr; NULL: there is nothing below. */
static pgt_entry_t *upper_entry(struct mm_struct *mm, uintptr_t addr)
{
	unsigned int level;
	pgt_entry_t *entry = pgt_descend(mm, addr, 1, &level);

	return level == 1 && !pgt_none(pgt_get(entry)) ? entry : NULL;
}

static void move_upper(struct mm_struct *mm, pgt_entry_t *from, pgt_entry_t *to)
{
	pgt_entry_t entry;

	spin_lock(&mm->page_table_lock);
	entry = pgt_xchg(from, 0);
	pgt_set(to, entry);
	spin_unlock(&mm->page_table_lock);
}

static pgt_entry_t moved(pgt_entry_t entry)
{
	if (pgt_present(entry))
		return pgt_mksoft_dirty(0, entry);
	return pgt_is_swap(entry) ? pgt_swap_mksoft_dirty(entry) : entry;
}

#define BATCH 32u

/* Nobody looks meanwhile, so the two tables' locks need not be held together. */
static void move_entries(struct mm_struct *mm, pgt_entry_t *from, pgt_entry_t *to, unsigned int nr)
{
	spinlock_t *lock = pgt_lock_ptr(mm, from), *to_lock = pgt_lock_ptr(mm, to);
	pgt_entry_t entries[BATCH];

	for (unsigned int done = 0, n; done < nr; done += n) {
		n = min(nr - done, BATCH);
		spin_lock(lock);
		for (unsigned int i = 0; i < n; i++)
			entries[i] = pgt_none(pgt_get(from + done + i)) ? 0 : pgt_xchg(from + done + i, 0);
		spin_unlock(lock);
		spin_lock(to_lock);
		for (unsigned int i = 0; i < n; i++)
			if (!pgt_none(entries[i]))
				pgt_set(to + done + i, moved(entries[i]));
		spin_unlock(to_lock);
	}
}

/* What lies in one last-level table at both addresses. Return: 0 or -ENOMEM. */
static int move_chunk(struct vm_area_struct *vma, uintptr_t from, uintptr_t to, size_t len)
{
	struct mm_struct *mm = vma->vm_mm;
	pgt_entry_t *upper = upper_entry(mm, from), *target;
	int err = 0;

	if (!upper)
		return 0;
	if (pgt_leaf(1, pgt_get(upper)) && len < CHUNK) {
		err = pgt_split(mm, from, GFP_KERNEL);
		if (err)
			return err;
	}
	target = pgt_entry_alloc(mm, to, 1, GFP_KERNEL);
	if (!target)
		return -ENOMEM;
	if (len == CHUNK && pgt_none(pgt_get(target))) {
		shut_out(vma);
		move_upper(mm, upper, target);
		(void)flush_tlb_mm_range(mm, from, from + len, PAGE_SHIFT, true);
		let_in(vma);
		return 0;
	}
	target = pgt_entry_alloc(mm, to, 0, GFP_KERNEL);
	if (!target)
		return -ENOMEM;
	shut_out(vma);
	move_entries(mm, pgt_table_of(1, pgt_get(upper)) + pgt_index(0, from), target, (unsigned int)pages_of(len));
	(void)flush_tlb_mm_range(mm, from, from + len, PAGE_SHIFT, false);
	let_in(vma);
	return 0;
}

size_t move_page_tables(struct vm_area_struct *vma, uintptr_t from, uintptr_t to, size_t len)
{
	size_t done = 0;

	/* Entries go from tables and into tables that must be nobody else's. */
	if (load_relaxed(&vma->vm_mm->flags) & 1ul << MMF_HAS_SHARED_TABLES &&
	    (vm_own_tables(vma, from, from + len) || vm_own_tables(vma, to, to + len)))
		return 0;
	while (done < len) {
		uintptr_t a = from + done, b = to + done;
		size_t step = min(CHUNK - (a & (CHUNK - 1)), CHUNK - (b & (CHUNK - 1)));

		step = min(step, len - done);
		if (move_chunk(vma, a, b, step))
			break;
		done += step;
	}
	return done;
}
