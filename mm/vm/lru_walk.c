// SPDX-License-Identifier: MIT
/*
 * What was used, asked of page tables rather than of pages: for the multi-generational LRU.
 *
 * A walk visits all address spaces whose mmap lock is free, clears young marks, and makes youngest what had them; a
 * look around does so near an entry that was found young, where others probably are. No flush follows: until a CPU
 * drops its translation for another reason the page looks older than it is, as in folio_referenced().
 *
 * Where the processor marks the entries that lead to tables, too, a walk passes over each table that nobody was led to
 * since the last (LRU_GEN_NONLEAF): of a large address space that is little used it looks at one entry of 512. A walk
 * is for one node; a table in which pages of others are young keeps its mark.
 *
 * Context of the walk: kswapd, or who asked through debugfs; not those who reclaim for themselves, as the last user of
 * an address space that ended meanwhile may turn out to be the walk.
 */
#include "../lru/lru.h"
#include "../lru/gen.h"
#include "../pgtable/tables.h"
#include "../phys/vmstat.h"
#include "entries.h"
#include "lru_walk.h"

#define AROUND 32u /* entries to either side */

/* Entries of one table, locked. @nid: the node; below 0: all. Return: pages of other nodes are young. */
static bool activate_young(const struct vm_area_struct *vma, pgt_entry_t *entry, uintptr_t addr, uintptr_t end, int nid)
{
	bool others = false;

	for (; addr < end; addr += PAGE_SIZE, entry++) {
		pgt_entry_t e = pgt_get(entry);
		struct page *page;

		if (!pgt_present(e) || !pgt_young(0, e) || pgt_special(0, e))
			continue;
		page = compound_head(pfn_to_page(PFN_DOWN(pgt_leaf_phys(0, e))));
		if (nid >= 0 && page_to_nid(page) != nid) {
			others = true;
			continue;
		}
		if (pgt_entry_clear_young(0, entry) && !(vma_flags_now(vma) & (VM_SEQ_READ | VM_RAND_READ)))
			lru_make_youngest((struct folio *)page);
	}
	return others;
}

void lru_look_around(const struct vm_area_struct *vma, pgt_entry_t *entry, uintptr_t addr)
{
	uintptr_t first = max(addr & (uintptr_t)PGT_MASK(1), vma->vm_start), end = pgt_addr_end(addr, vma->vm_end, 1);
	uintptr_t from = addr - first > AROUND * PAGE_SIZE ? addr - AROUND * PAGE_SIZE : first;
	uintptr_t to = end - addr > AROUND * PAGE_SIZE ? addr + AROUND * PAGE_SIZE : end;

	(void)activate_young(vma, entry - ((addr - from) >> PAGE_SHIFT), from, to, -1);
}

/* @table: the entry that leads to the one that was looked at last, or NULL; @used: it was marked */
struct young_walk {
	int nid;
	bool by_table, used;
	pgt_entry_t *table;
};

static void mark_again(pgt_entry_t *table)
{
	pgt_entry_t e = pgt_get(table);

	while (pgt_table(1, e) && !pgt_young(1, e) && !pgt_cmpxchg(table, &e, pgt_mkyoung(1, e)))
		;
}

static void walk_table(struct entries_walk *walk, pgt_entry_t *entry, uintptr_t addr, uintptr_t end)
{
	const struct young_walk *y = walk->arg;

	if (activate_young(walk->vma, entry, addr, end, y->nid) && y->table)
		mark_again(y->table);
}

/* Has the processor been led to the table of @addr since the last walk? Two VMAs may lie in it. */
static bool was_used(struct young_walk *y, struct mm_struct *mm, uintptr_t addr)
{
	unsigned int level;
	pgt_entry_t *table = pgt_descend(mm, addr, 1, &level);

	if (level != 1 || !pgt_table(1, pgt_get_table(table))) {
		y->table = NULL;
		return true;
	}
	if (table != y->table) {
		y->table = table;
		y->used = pgt_entry_clear_young(1, table);
	}
	return y->used;
}

static void walk_vma(struct young_walk *y, struct vm_area_struct *vma)
{
	struct entries_walk walk = { .vma = vma, .table = walk_table, .arg = y };

	for (uintptr_t addr = vma->vm_start, next; addr < vma->vm_end; addr = next) {
		next = y->by_table ? pgt_addr_end(addr, vma->vm_end, 1) : vma->vm_end;
		if (!y->by_table || was_used(y, vma->vm_mm, addr))
			(void)entries_walk(&walk, addr, next);
	}
}

static void walk_mm(struct mm_struct *mm, int nid)
{
	struct young_walk y = { .nid = nid, .by_table = PGT_TABLE_YOUNG && lru_gen_caps() & LRU_GEN_NONLEAF };

	if (!load_acquire(&mm->made) || !mmap_read_trylock(mm))
		return;
	for (struct vm_area_struct *vma = find_vma(mm, 0); vma; vma = vma_next(vma))
		if (!(vma->vm_flags & (VM_LOCKED | VM_SPECIAL | VM_HUGETLB)))
			walk_vma(&y, vma);
	mmap_read_unlock(mm);
}

void lru_walk_young(int nid)
{
	for (struct mm_struct *mm = mm_next_user(NULL); mm; mm = mm_next_user(mm))
		walk_mm(mm, nid);
}
