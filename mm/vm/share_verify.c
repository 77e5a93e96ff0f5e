// SPDX-License-Identifier: MIT
/* FK-I1 and FK-I2 of all tables, RM-I1 to RM-I4 of all anon_vmas, while nobody is at work. */
#include "../base/findings.h"
#include "../base/part.h"
#include "anon_vma.h"
#include "share.h"

/* ---- Tables ---- */

/* Calls @look for each upper entry of @mm that leads to a table. */
static void each_table(struct findings *f, struct mm_struct *mm,
		       void (*look)(struct findings *f, struct mm_struct *mm, pgt_entry_t e, uintptr_t at))
{
	for (uintptr_t at = 0;; at++) {
		unsigned int level;
		pgt_entry_t e = pgt_get_table(pgt_descend(mm, at, 1, &level));

		if (level == 1 && pgt_table(1, e))
			look(f, mm, e, at);
		at = pgt_last(level, at);
		if (at >= mm->task_size - 1)
			break;
	}
}

static struct page *table_of(pgt_entry_t e)
{
	return pfn_to_page(PFN_DOWN(pgt_table_phys(1, e)));
}

/* FK-I2, and the upper entries that lead to a table counted in its descriptor. */
static void look_and_count(struct findings *f, struct mm_struct *mm, pgt_entry_t e, uintptr_t at)
{
	struct page *table = table_of(e);

	if (pgt_table_write(1, e) && (pgt_page_of(table)->shared || table_sharers(table) != 1))
		finding(f, "FK-I2: mm %lu may write to the table of %#lx, which %u have%s", mm->ctx_id,
			(unsigned long)at, table_sharers(table), pgt_page_of(table)->shared ? ", marked shared" : "");
	if (!pgt_table_write(1, e) && !pgt_page_of(table)->shared)
		finding(f, "FK-I2: mm %lu may not write to the table of %#lx, which is not marked shared", mm->ctx_id,
			(unsigned long)at);
	pgt_page_of(table)->seen++;
}

/* FK-I1, where the first comes by. */
static void compare_count(struct findings *f, struct mm_struct *mm, pgt_entry_t e, uintptr_t at)
{
	struct page *table = table_of(e);

	if (pgt_page_of(table)->seen && pgt_page_of(table)->seen != (u8)table_sharers(table))
		finding(f, "FK-I1: the table of %#lx in mm %lu has %u references, and %u upper entries lead to it",
			(unsigned long)at, mm->ctx_id, table_sharers(table), pgt_page_of(table)->seen);
	pgt_page_of(table)->seen = 0;
}

static void each_mm(struct findings *f,
		    void (*look)(struct findings *f, struct mm_struct *mm, pgt_entry_t e, uintptr_t at))
{
	for (struct mm_struct *mm = mm_after(NULL); mm; mm = mm_after(mm))
		if (mm->task_size)
			each_table(f, mm, look);
}

/* ---- anon_vmas ---- */

static bool at_or_above(const struct anon_vma *above, const struct anon_vma *av)
{
	while (av && av != above)
		av = av->parent;
	return av;
}

/* RM-I3 and RM-I4 of one. */
static void look_at_anon_vma(struct findings *f, struct anon_vma *top)
{
	unsigned int vmas = 0, children = 0, owners = 0;

	if (top->gone || anon_vma_of_handle(top->handle) != top)
		finding(f, "RM-I3: anon_vma %u is in use, and its handle leads to %p", top->handle,
			(void *)anon_vma_of_handle(top->handle));
	if (interval_verify(top->vmas))
		finding(f, "RM-I4: the VMAs of anon_vma %u are no tree", top->handle);
	for (struct anon_vma *av = top->child; av; av = av->next)
		children += av->parent == top && av->root == top->root;
	for (struct anon_vma *av = top; av; av = anon_vma_next_below(av, top))
		for (struct interval_node *node = interval_first(av->vmas, 0, ~0ul); node;
		     node = interval_next(node, 0, ~0ul)) {
			vmas += av == top;
			owners += anon_link_of_node(node)->vma->anon_vma == top;
		}
	if (vmas != top->nr_vmas || children != top->nr_children || owners != top->owners)
		finding(f, "RM-I4: anon_vma %u has %u VMAs, %u children, %u owners, and counts %u, %u, %u", top->handle,
			vmas, children, owners, top->nr_vmas, top->nr_children, top->owners);
}

/* RM-I2: what an entry of @vma leads to. */
static void look_at_entry(struct findings *f, struct vm_area_struct *vma, uintptr_t addr, pgt_entry_t e)
{
	const struct anon_link *link = anon_link_of(vma);
	struct page *page = pgt_none(e) || !pgt_present(e) ? NULL : entry_page(e);
	struct folio *folio = page ? page_folio(page) : NULL;
	struct anon_vma *av;

	if (!folio || !page_is_anon(&folio->page))
		return;
	av = anon_vma_of_handle(page_handle(&folio->page) & ~PAGE_MAPPING_ANON);
	if (!av || !link || !at_or_above(av, link->anon_vma))
		finding(f, "RM-I2: the page at %#lx of mm %lu is of anon_vma %u, whose walks do not come there",
			(unsigned long)addr, vma->vm_mm->ctx_id, page_handle(&folio->page) & ~PAGE_MAPPING_ANON);
	else if (page_index(&folio->page) + (unsigned long)(page - &folio->page) != linear_page_index(vma, addr))
		finding(f, "RM-I2: the page at %#lx of mm %lu has index %#llx", (unsigned long)addr,
			vma->vm_mm->ctx_id, (unsigned long long)page_index(&folio->page));
}

static void look_at_vma(struct findings *f, struct vm_area_struct *vma)
{
	const struct anon_link *link = anon_link_of(vma);

	for (uintptr_t addr = vma->vm_start; addr < vma->vm_end;) {
		unsigned int level;
		pgt_entry_t *entry = pgt_descend(vma->vm_mm, addr, 0, &level);
		uintptr_t last = pgt_last(level, addr);

		if (!level)
			look_at_entry(f, vma, addr, pgt_get(entry));
		if (last >= vma->vm_end - 1)
			break;
		addr = last + 1;
	}
	if (!link) {
		if (vma->anon_vma)
			finding(f, "RM-I1: the VMA at %#lx of mm %lu owns an anon_vma and hangs nowhere",
				(unsigned long)vma->vm_start, vma->vm_mm->ctx_id);
		return;
	}
	if (vma->anon_vma && !at_or_above(vma->anon_vma, link->anon_vma))
		finding(f, "RM-I1: the VMA at %#lx of mm %lu owns an anon_vma it does not hang below",
			(unsigned long)vma->vm_start, vma->vm_mm->ctx_id);
	if (link->node.start != vma->vm_pgoff || link->node.last != vma->vm_pgoff + vma_pages(vma) - 1)
		finding(f, "RM-I2: the VMA at %#lx of mm %lu is found at [%#lx, %#lx]", (unsigned long)vma->vm_start,
			vma->vm_mm->ctx_id, link->node.start, link->node.last);
	look_at_anon_vma(f, link->anon_vma);
	if (vma->vm_file && interval_verify(vma->vm_file->f_mapping->i_mmap))
		finding(f, "RM-I4: the VMAs of the file at %#lx of mm %lu are no tree", (unsigned long)vma->vm_start,
			vma->vm_mm->ctx_id);
}

static void verify(struct findings *f)
{
	if (!pgtables_on)
		return;
	each_mm(f, look_and_count);
	each_mm(f, compare_count);
	for (struct mm_struct *mm = mm_after(NULL); mm; mm = mm_after(mm))
		for (struct vm_area_struct *vma = mm->task_size ? find_vma(mm, 0) : NULL; vma; vma = vma->vm_next)
			look_at_vma(f, vma);
}

MM_PART(share_verify, .order = MM_PART_VM, .verify = verify);
