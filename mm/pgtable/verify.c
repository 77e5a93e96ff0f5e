// SPDX-License-Identifier: MIT
/*
 * pgt_verify(): PT-I1 to PT-I7 of one address space, while nobody changes it.
 *
 * Tables are visited in address order by going down from the root anew for each, so that nothing is kept but a
 * position. A mark in the descriptor shows a table that is met twice: those from memblock have descriptors, too, once
 * the page allocator is open, and it is used for nothing else there.
 */
#include <octavo/page.h>

#include "../base/findings.h"
#include "tables.h"

struct look {
	struct findings *f;
	struct mm_struct *mm;
	unsigned long tables;
	u8 mark;
};

static const char *level_of(unsigned int level)
{
	static const char *const names[] = { "level 0", "level 1", "level 2", "level 3", "level 4" };

	return names[level];
}

/* A leaf with all that it says made anew; where a dirty one can be told in two ways, in the one that @e has. */
static pgt_entry_t made_anew(unsigned int level, pgt_entry_t e)
{
	pgt_entry_t leaf = pgt_fit(pgt_make_leaf(level, pgt_leaf_phys(level, e), pgt_prot(level, e)));

	leaf = pgt_uffd_wp(level, e) ? pgt_mkuffd_wp(level, leaf) : leaf;
	leaf = !pgt_valid(e) && pgt_valid(leaf) ? pgt_mkinvalid(level, leaf) : leaf;
	return pgt_dirty(level, e) && pgt_mkdirty(level, leaf) == pgt_mkdirty(level, e) ? e : leaf;
}

static void look_at_group(struct look *l, unsigned int level, const pgt_entry_t *entry, u64 virt)
{
	pgt_entry_t first = pgt_get(entry), step = pgt_step(level, first);

	if (virt & (pgt_group_size(level) - 1))
		return;
	if (pgt_leaf_phys(level, first) & (pgt_group_size(level) - 1))
		finding(l->f, "%#llx: a contiguous group begins at %#llx", (unsigned long long)virt,
			(unsigned long long)pgt_leaf_phys(level, first));
	for (unsigned int i = 1; i < PGT_CONT_ENTRIES; i++) {
		pgt_entry_t e = pgt_get(entry + i), want = first + i * step;

		e = pgt_mkold(level, pgt_mkclean(level, e));
		if (e != pgt_mkold(level, pgt_mkclean(level, want))) {
			finding(l->f, "%#llx: entry %u of a contiguous group is not like the first",
				(unsigned long long)virt, i);
			return;
		}
	}
}

static void look_at_leaf(struct look *l, unsigned int level, const pgt_entry_t *entry, u64 virt)
{
	pgt_entry_t e = pgt_get(entry);

	if (!(pgt_leaf_levels >> level & 1))
		finding(l->f, "%#llx: a leaf at %s, which the processor has not", (unsigned long long)virt,
			level_of(level));
	if (pgt_leaf_phys(level, e) & (PGT_SIZE(level) - 1))
		finding(l->f, "%#llx: a leaf of %s at %#llx", (unsigned long long)virt, level_of(level),
			(unsigned long long)pgt_leaf_phys(level, e));
	if (made_anew(level, e) != e)
		finding(l->f, "%#llx: stray bits %#llx in the leaf %#llx at %s", (unsigned long long)virt,
			(unsigned long long)(made_anew(level, e) ^ e), (unsigned long long)e, level_of(level));
	if (pgt_user(level, e) == pgt_is_kernel(l->mm) && !pgt_protnone(e))
		finding(l->f, "%#llx: a leaf for %s", (unsigned long long)virt,
			pgt_user(level, e) ? "the user in the kernel's half" : "the kernel in the user's half");
	if (pgt_in_group(level, e))
		look_at_group(l, level, entry, virt);
}

static void look_at_page(struct look *l, unsigned int level, const pgt_entry_t *table, u64 virt)
{
	phys_addr_t phys = pgt_table_phys_of(table);
	struct page *page = memblock.closed ? pfn_to_online_page(PFN_DOWN(phys)) : NULL;

	l->tables++;
	if (!memblock.closed)
		return;
	if (!page || !(PageTable(page) || PageReserved(page)))
		finding(l->f, "%#llx: the table at %#llx of %s is not marked as one", (unsigned long long)virt,
			(unsigned long long)phys, level_of(level));
	if (!page)
		return;
	if (PageTable(page) && pgt_page_of(page)->level != level)
		finding(l->f, "%#llx: the table at %#llx is of %s and says %u", (unsigned long long)virt,
			(unsigned long long)phys, level_of(level), pgt_page_of(page)->level);
	if (PageTable(page) && page_ref_count(page) != 1 && !pgt_page_of(page)->shared)
		finding(l->f, "%#llx: the table at %#llx has %d references", (unsigned long long)virt,
			(unsigned long long)phys, page_ref_count(page));
	if (pgt_page_of(page)->seen == l->mark)
		finding(l->f, "%#llx: the table at %#llx hangs on two entries", (unsigned long long)virt,
			(unsigned long long)phys);
	pgt_page_of(page)->seen = l->mark;
}

/* The mark goes again, so that pages freed later are as they were. */
static void look_away(const pgt_entry_t *table)
{
	struct page *page = memblock.closed ? pfn_to_online_page(PFN_DOWN(pgt_table_phys_of(table))) : NULL;

	if (page)
		pgt_page_of(page)->seen = 0;
}

static void look_at_entry(struct look *l, unsigned int level, const pgt_entry_t *entry, u64 virt)
{
	pgt_entry_t e = pgt_get(entry);

	if (pgt_leaf(level, e))
		look_at_leaf(l, level, entry, virt);
	else if (pgt_table(level, e) && pgt_bad(level, e))
		finding(l->f, "%#llx: the entry %#llx at %s is no good table entry", (unsigned long long)virt,
			(unsigned long long)e, level_of(level));
	else if (pgt_present(e) && !pgt_table(level, e))
		finding(l->f, "%#llx: the entry %#llx at %s is neither leaf nor table", (unsigned long long)virt,
			(unsigned long long)e, level_of(level));
}

/* Canonical form of an offset into a half. */
static u64 address_of(struct mm_struct *mm, u64 offset)
{
	if (!pgt_is_kernel(mm) || PGT_VIRT_BITS == 32)
		return offset;
	return offset | ~(((u64)1 << (PGT_VIRT_BITS - !PGT_TWO_ROOTS)) - 1);
}

/* Tables of @level, in address order; @visit for each, with the address it begins at. */
static void each_table(struct look *l, unsigned int level, void (*visit)(struct look *l, unsigned int level,
									 const pgt_entry_t *table, u64 virt))
{
	struct mm_struct *mm = l->mm;
	bool kernel = pgt_is_kernel(mm);
	u64 from = kernel && !PGT_TWO_ROOTS && PGT_VIRT_BITS == 32 ? PGT_KERNEL_START : 0;
	u64 half = kernel && !PGT_TWO_ROOTS ? (PGT_VIRT_BITS == 32 ? (u64)1 << 32 : (u64)1 << (PGT_VIRT_BITS - 1)) :
					      pgt_user_size();

	while (from < half) {
		u64 virt = address_of(mm, from);
		unsigned int found;
		pgt_entry_t *entry = pgt_descend(mm, (uintptr_t)virt, level + 1, &found), e = pgt_get(entry);

		if (found == level + 1 && pgt_table(found, e))
			visit(l, level, pgt_table_of(found, e), virt);
		from = (from & PGT_MASK(found)) + PGT_SIZE(found);
	}
}

static void visit_entries(struct look *l, unsigned int level, const pgt_entry_t *table, u64 virt)
{
	for (unsigned int i = 0; i < PGT_ENTRIES(level); i++)
		look_at_entry(l, level, table + i, virt + ((u64)i << PGT_SHIFT(level)));
}

static void visit_table(struct look *l, unsigned int level, const pgt_entry_t *table, u64 virt)
{
	look_at_page(l, level, table, virt);
	visit_entries(l, level, table, virt);
}

static void visit_away(struct look *l, unsigned int level, const pgt_entry_t *table, u64 virt)
{
	(void)l;
	(void)level;
	(void)virt;
	look_away(table);
}

static void look_at_root(struct look *l)
{
	unsigned int entries = PGT_ENTRIES(PGT_ROOT_LEVEL);
	unsigned int split = (unsigned int)(pgt_user_size() >> PGT_SHIFT(PGT_ROOT_LEVEL));
	bool kernel = pgt_is_kernel(l->mm);

	l->tables++;
	if (l->mm->pgd_phys != pgt_table_phys_of(l->mm->pgd) || l->mm->pgd_phys & (PGT_ROOT_BYTES - 1))
		finding(l->f, "the root at %#llx is not where its address says or not aligned",
			(unsigned long long)l->mm->pgd_phys);
	for (unsigned int i = 0; i < entries; i++) {
		bool mine = PGT_TWO_ROOTS || (i >= split) == kernel;
		pgt_entry_t e = pgt_get(l->mm->pgd + i);

		if (mine)
			look_at_entry(l, PGT_ROOT_LEVEL, l->mm->pgd + i,
				      address_of(l->mm, (u64)(PGT_VIRT_BITS == 32 || PGT_TWO_ROOTS ? i : i % split)
								<< PGT_SHIFT(PGT_ROOT_LEVEL)));
		else if (kernel ? !pgt_none(e) : e != pgt_get(init_mm.pgd + i))
			finding(l->f, "entry %u of the root is %#llx, not the %s", i, (unsigned long long)e,
				kernel ? "none of the user half" : "kernel's");
	}
}

unsigned int pgt_verify(struct mm_struct *mm, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct findings f = { .report = report, .ctx = ctx, .of = pgt_is_kernel(mm) ? "init_mm" : "mm" };
	struct look l = { .f = &f, .mm = mm, .mark = 1 };

	look_at_root(&l);
	for (unsigned int level = PGT_ROOT_LEVEL; level--;)
		each_table(&l, level, visit_table);
	for (unsigned int level = PGT_ROOT_LEVEL; level--;)
		each_table(&l, level, visit_away);
	if (l.tables != load_relaxed(&mm->pgtable_pages))
		finding(&f, "%lu tables hang on the root, itself included; %lu are counted", l.tables,
			load_relaxed(&mm->pgtable_pages));
	return f.n;
}
