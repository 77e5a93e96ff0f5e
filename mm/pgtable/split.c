// SPDX-License-Identifier: MIT
/*
 * Large leaves into tables of smaller ones and back, and contiguous groups into single leaves. A leaf is replaced by
 * a table that says the same in one store, unless the format wants it broken first (PGT_BREAK_BEFORE_MAKE): then it
 * is none until the flush has returned, and the caller sees to it that nobody needs it meanwhile.
 */
#include "tables.h"
#include "tlb.h"

static void flush(struct mm_struct *mm, uintptr_t virt, u64 size, unsigned int level, bool tables)
{
	uintptr_t end = virt + (uintptr_t)size;

	if (pgt_is_kernel(mm))
		(void)flush_tlb_kernel_range(virt, end);
	else
		(void)flush_tlb_mm_range(mm, virt, end, PGT_SHIFT(level), tables);
}

/* The machine may have noted an access to any page of a group in any of its entries. */
static void share_bits(pgt_entry_t *group, unsigned int level, unsigned int nr)
{
	bool young = false, dirty = false;

	for (unsigned int i = 0; i < nr; i++) {
		young |= pgt_young(level, group[i]);
		dirty |= pgt_dirty(level, group[i]);
	}
	for (unsigned int i = 0; i < nr; i++) {
		group[i] = young ? pgt_mkyoung(level, group[i]) : group[i];
		group[i] = dirty ? pgt_mkdirty(level, group[i]) : group[i];
	}
}

void pgt_remake(struct mm_struct *mm, pgt_entry_t *entry, unsigned int level, uintptr_t virt, unsigned int nr,
		pgt_entry_t (*change)(const void *ctx, unsigned int level, pgt_entry_t e), const void *ctx)
{
	u64 size = (u64)nr << PGT_SHIFT(level);
	pgt_entry_t was[PGT_CONT_ENTRIES] = { 0 };

	for (unsigned int i = 0; i < nr; i++)
		was[i] = pgt_xchg(entry + i, 0);
	flush(mm, virt, size, level, false);
	if (pgt_in_group(level, was[0]))
		share_bits(was, level, nr);
	for (unsigned int i = 0; i < nr; i++)
		if (!pgt_none(was[i]))
			pgt_set(entry + i, pgt_leaf(level, was[i]) ? change(ctx, level, was[i]) : was[i]);
}

/* The leaf @e of @level for @phys with other rights: what pgprot_t cannot say stays. */
static pgt_entry_t leaf_like(unsigned int from, pgt_entry_t e, unsigned int level, phys_addr_t phys, u32 set, u32 clear)
{
	pgprot_t prot = pgt_prot(from, e);
	pgt_entry_t leaf;

	prot.bits = (prot.bits & ~clear) | set;
	leaf = pgt_fit(pgt_make_leaf(level, phys, prot));
	leaf = pgt_uffd_wp(from, e) ? pgt_mkuffd_wp(level, leaf) : leaf;
	return !pgt_valid(e) && pgt_valid(leaf) ? pgt_mkinvalid(level, leaf) : leaf;
}

/* ---- Contiguous groups ---- */

static pgt_entry_t without_cont(const void *ctx, unsigned int level, pgt_entry_t e)
{
	(void)ctx;
	return leaf_like(level, e, level, pgt_leaf_phys(level, e), 0, PGPROT_CONT);
}

static void break_group(struct mm_struct *mm, pgt_entry_t *entry, unsigned int level, uintptr_t virt)
{
	unsigned int before = pgt_index(level, virt) % PGT_CONT_ENTRIES;

	pgt_remake(mm, entry - before, level, virt & ~(uintptr_t)(pgt_group_size(level) - 1), PGT_CONT_ENTRIES,
		   without_cont, NULL);
}

/* ---- Leaves ---- */

static void fill_table(pgt_entry_t *table, unsigned int level, pgt_entry_t e)
{
	phys_addr_t phys = pgt_leaf_phys(level, e);
	pgt_entry_t first = leaf_like(level, e, level - 1, phys, 0, 0);
	pgt_entry_t step = leaf_like(level, e, level - 1, phys + PGT_SIZE(level - 1), 0, 0) - first;

	for (unsigned int i = 0; i < PGT_ENTRIES(level - 1); i++, first += step)
		pgt_fill(table + i, first);
}

/* Does the leaf @e of @level, which @virt lies in, begin before it? */
static bool reaches_across(unsigned int level, pgt_entry_t e, uintptr_t virt)
{
	return level && pgt_leaf(level, e) && virt & (PGT_SIZE(level) - 1);
}

static void split_leaf(struct pgt_stock *stock, struct mm_struct *mm, uintptr_t virt)
{
	unsigned long flags = pgt_tables_lock(mm);
	unsigned int level;
	pgt_entry_t *entry = pgt_descend(mm, virt, 0, &level), *table, e = pgt_get(entry), leads;

	/* Somebody else may have split it; leaves of the direct map have many owners. */
	if (!reaches_across(level, e, virt)) {
		pgt_tables_unlock(mm, flags);
		return;
	}
	table = pgt_stock_take(stock, level - 1);
	leads = pgt_make_table(level, pgt_table_phys_of(table), !pgt_is_kernel(mm));
	if (PGT_BREAK_BEFORE_MAKE) {
		/* The table itself may be seen through this leaf, of the direct map: it is filled before. */
		do
			fill_table(table, level, e);
		while (!pgt_cmpxchg(entry, &e, 0));
		pgt_tables_unlock(mm, flags);
		flush(mm, virt & (uintptr_t)PGT_MASK(level), PGT_SIZE(level), level, false);
		pgt_set(entry, leads);
		return;
	}
	/* The machine may set bits of the leaf until it is gone. */
	do
		fill_table(table, level, e);
	while (!pgt_cmpxchg(entry, &e, leads));
	pgt_entries_changed(mm, level, virt, virt);
	pgt_tables_unlock(mm, flags);
}

/* Tables from a leaf of the level down to leaves that begin at @virt. */
unsigned int pgt_split_needs(struct mm_struct *mm, uintptr_t virt)
{
	unsigned long flags = pgt_look_lock(mm);
	unsigned int level, nr = 0;
	pgt_entry_t e = pgt_get(pgt_descend(mm, virt, 0, &level));

	pgt_look_unlock(mm, flags);
	if (!pgt_leaf(level, e))
		return 0;
	for (; level && virt & (PGT_SIZE(level) - 1); level--)
		nr++;
	return nr;
}

void pgt_split_from(struct pgt_stock *stock, struct mm_struct *mm, uintptr_t virt)
{
	for (;;) {
		unsigned long flags = pgt_look_lock(mm);
		unsigned int level;
		pgt_entry_t *entry = pgt_descend(mm, virt, 0, &level), e = pgt_get(entry);

		pgt_look_unlock(mm, flags);
		if (pgt_in_group(level, e) && virt & (pgt_group_size(level) - 1))
			break_group(mm, entry, level, virt & (uintptr_t)PGT_MASK(level));
		else if (reaches_across(level, e, virt))
			split_leaf(stock, mm, virt);
		else
			return;
	}
}

int pgt_split(struct mm_struct *mm, uintptr_t virt, gfp_t gfp)
{
	struct pgt_stock stock = { NULL };
	int err;

	if (!pgt_range_ok(mm, virt, PAGE_SIZE, __func__))
		return -EINVAL;
	err = pgt_stock_fill(&stock, mm, pgt_split_needs(mm, virt), gfp);
	if (err)
		return err;
	pgt_split_from(&stock, mm, virt);
	pgt_stock_drop(&stock, mm);
	return 0;
}

int pgt_split_ends(struct mm_struct *mm, uintptr_t virt, u64 size, gfp_t gfp)
{
	struct pgt_stock stock = { NULL };
	uintptr_t end = virt + (uintptr_t)size;
	unsigned int nr = pgt_split_needs(mm, virt);
	int err = 0;

	/* The first address behind a half is not one of @mm's, and no leaf reaches across it. */
	if (pgt_canonical(end) && end && pgt_kernel_half(end) == pgt_is_kernel(mm))
		nr += pgt_split_needs(mm, end);
	else
		end = virt;
	if (unlikely(nr))
		err = pgt_stock_fill(&stock, mm, nr, gfp);
	if (unlikely(err))
		return err;
	if (unlikely(nr) || PGT_CONT_ENTRIES > 1) {
		pgt_split_from(&stock, mm, virt);
		pgt_split_from(&stock, mm, end);
		pgt_stock_drop(&stock, mm);
	}
	return 0;
}

/* ---- Joining ---- */

/* What must be alike in leaves that become one: all but the address, and what the machine writes. */
static pgt_entry_t plain(unsigned int level, pgt_entry_t e)
{
	return pgt_mkold(level, pgt_mkclean(level, e));
}

/* The one leaf of @level + 1 that the table's entries of @level spell. Return: false: none. */
static bool spelled(const pgt_entry_t *table, unsigned int level, pgt_entry_t *leaf)
{
	pgt_entry_t first = pgt_get(table), want, step;
	phys_addr_t phys;
	u32 machine = 0;

	if (!pgt_leaf(level, first) || !pgt_valid(first))
		return false;
	phys = pgt_leaf_phys(level, first);
	if (phys & (PGT_SIZE(level + 1) - 1))
		return false;
	step = pgt_step(level, first);
	want = first;
	for (unsigned int i = 0; i < PGT_ENTRIES(level); i++, want += step) {
		pgt_entry_t e = pgt_get(table + i);

		if (e != want && (!pgt_leaf(level, e) || plain(level, e) != plain(level, want)))
			return false;
		machine |= (pgt_young(level, e) ? PGPROT_ACCESSED : 0) | (pgt_dirty(level, e) ? PGPROT_DIRTY : 0);
	}
	*leaf = leaf_like(level, first, level + 1, phys, machine, PGPROT_CONT);
	return true;
}

/* The entry of @virt at @level leads to a table that spells a leaf: make it that leaf. */
static bool join_table(struct mm_struct *mm, uintptr_t virt, unsigned int level, struct mmu_gather *tlb)
{
	unsigned long flags = pgt_tables_lock(mm);
	bool breaks = PGT_BREAK_BEFORE_MAKE || !pgt_is_kernel(mm);
	unsigned int at;
	pgt_entry_t *entry = pgt_descend(mm, virt, level, &at), e = pgt_get(entry), *table, leaf;

	if (at != level || !pgt_table(at, e) || !spelled(pgt_table_of(at, e), level - 1, &leaf)) {
		pgt_tables_unlock(mm, flags);
		return false;
	}
	table = pgt_table_of(at, e);
	(void)pgt_xchg(entry, breaks ? 0 : leaf);
	pgt_entries_changed(mm, level, virt, virt);
	pgt_tables_unlock(mm, flags);
	if (breaks) {
		/*
		 * After the flush no machine writes accessed and dirty bits into the table any more. It may be seen
		 * through these very entries, of the direct map, and is only read where bits may be missing.
		 */
		flush(mm, virt, PGT_SIZE(level), level - 1, true);
		if (!(pgt_young(level, leaf) && pgt_dirty(level, leaf)) && !spelled(table, level - 1, &leaf))
			leaf = e;
		pgt_set(entry, leaf);
		if (leaf == e)
			return false;
	}
	tlb_remove_entry(tlb, level - 1, virt);
	tlb_remove_entry(tlb, level - 1, virt + (uintptr_t)(PGT_SIZE(level) - PGT_SIZE(level - 1)));
	tlb_remove_table(tlb, table, virt);
	return true;
}

/* Blocks of @level wholly in [virt, last]. */
static unsigned long join_level(struct mm_struct *mm, uintptr_t virt, uintptr_t last, unsigned int level,
				struct mmu_gather *tlb)
{
	u64 size = PGT_SIZE(level), at = ALIGN((u64)virt, size);
	unsigned long joined = 0;

	while (at >= virt && at + (size - 1) <= last && at + (size - 1) > at) {
		unsigned long flags = pgt_look_lock(mm);
		unsigned int found;
		pgt_entry_t e = pgt_get(pgt_descend(mm, (uintptr_t)at, level, &found));
		u64 next = (at & PGT_MASK(found)) + PGT_SIZE(found);

		pgt_look_unlock(mm, flags);
		if (found == level && pgt_table(level, e))
			joined += join_table(mm, (uintptr_t)at, level, tlb);
		if (next <= at)
			break;
		at = next;
	}
	return joined;
}

unsigned long pgt_join(struct mm_struct *mm, uintptr_t virt, u64 size, struct mmu_gather *tlb)
{
	unsigned long joined = 0;

	if (!pgt_range_ok(mm, virt, size, __func__))
		return 0;
	for (unsigned int level = 1; level <= PGT_LEAF_LEVEL_MAX; level++)
		if (pgt_leaf_levels >> level & 1)
			joined += join_level(mm, virt, virt + (uintptr_t)(size - 1), level, tlb);
	return joined;
}
