// SPDX-License-Identifier: MIT
/*
 * What was used, asked of page tables rather than of pages: for the multi-generational LRU.
 *
 * A walk visits all address spaces whose mmap lock is free, clears young marks, and makes youngest what had them; a
 * look around does so near an entry that was found young, where others probably are. No flush follows: until a CPU
 * drops its translation for another reason the page looks older than it is, as in folio_referenced().
 *
 * Context of the walk: kswapd, or who asked through debugfs; not those who reclaim for themselves, as the last user of
 * an address space that ended meanwhile may turn out to be the walk.
 */
#include "../lru/lru.h"
#include "../phys/vmstat.h"
#include "entries.h"
#include "lru_walk.h"

#define AROUND 32u /* entries to either side */

/* Entries of one table, locked. */
static void activate_young(const struct vm_area_struct *vma, pgt_entry_t *entry, uintptr_t addr, uintptr_t end, int nid)
{
	for (; addr < end; addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);
		struct page *page;

		if (!pgt_present(e) || !pgt_young(0, e) || pgt_special(0, e))
			continue;
		page = compound_head(pfn_to_page(PFN_DOWN(pgt_leaf_phys(0, e))));
		if ((nid >= 0 && page_to_nid(page) != nid) || !pgt_entry_clear_young(0, entry))
			continue;
		if (!(vma_flags_now(vma) & (VM_SEQ_READ | VM_RAND_READ)))
			lru_make_youngest((struct folio *)page);
	}
}

void lru_look_around(const struct vm_area_struct *vma, pgt_entry_t *entry, uintptr_t addr)
{
	uintptr_t first = max(addr & (uintptr_t)PGT_MASK(1), vma->vm_start), end = pgt_addr_end(addr, vma->vm_end, 1);
	uintptr_t from = addr - first > AROUND * PAGE_SIZE ? addr - AROUND * PAGE_SIZE : first;
	uintptr_t to = end - addr > AROUND * PAGE_SIZE ? addr + AROUND * PAGE_SIZE : end;

	activate_young(vma, entry - ((addr - from) >> PAGE_SHIFT), from, to, -1);
}

static void walk_table(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	activate_young(walk->vma, entry, addr, end, *(const int *)walk->arg);
}

static void walk_mm(struct mm_struct *mm, int nid)
{
	if (!load_acquire(&mm->made) || !mmap_read_trylock(mm))
		return;
	for (struct vm_area_struct *vma = find_vma(mm, 0); vma; vma = vma_next(vma)) {
		struct entries_walk walk = { .vma = vma, .table = walk_table, .arg = &nid };

		if (!(vma->vm_flags & (VM_LOCKED | VM_SPECIAL | VM_HUGETLB)))
			(void)entries_walk(&walk, vma->vm_start, vma->vm_end);
	}
	mmap_read_unlock(mm);
}

void lru_walk_young(int nid)
{
	for (struct mm_struct *mm = mm_next_user(NULL); mm; mm = mm_next_user(mm))
		walk_mm(mm, nid);
}
