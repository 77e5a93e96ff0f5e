/* SPDX-License-Identifier: MIT */
/* What the walker's files share. The theory stands in walk.c. */
#ifndef MM_PGTABLE_TABLES_H
#define MM_PGTABLE_TABLES_H

#include <octavo/gfp.h>
#include <octavo/memblock.h>
#include <octavo/page.h>

#include "walk.h"

/* ---- Table pages ---- */

/* What the descriptor of a table page from the page allocator says, in place of mapping and index. Bytes only. */
struct pgt_page {
	spinlock_t lock; /* (c) guards the entries of a last-level table */
	u8 level;	 /* (c) */
	u8 seen;	 /* the verifier's */
	u8 shared;	 /* (lock) of a user's last-level table: mm/vm/share.c */
};
octavo_static_assert(sizeof(struct pgt_page) <= sizeof(u64), "fits where mapping and index are");

static inline struct pgt_page *pgt_page_of(struct page *page)
{
	return (struct pgt_page *)&page->mapping_index;
}

/* The descriptor of a table from the page allocator; NULL: it came from memblock. */
struct page *pgt_table_page(const pgt_entry_t *table);

/* Tables that were got before they are needed, linked by their first words. They are counted already. */
struct pgt_stock {
	pgt_entry_t *first;
};

int __must_check pgt_stock_fill(struct pgt_stock *stock, struct mm_struct *mm, unsigned int nr, gfp_t gfp);
pgt_entry_t *pgt_stock_take(struct pgt_stock *stock, unsigned int level);
void pgt_stock_put(struct pgt_stock *stock, pgt_entry_t *table);
void pgt_stock_drop(struct pgt_stock *stock, struct mm_struct *mm);

/* ---- Going down ---- */

static force_inline pgt_entry_t *pgt_table_at(phys_addr_t phys)
{
	return phys_to_virt(phys);
}

/*
 * The entry of @virt at @lowest, or further up the one that leads to no table; its level in *@level.
 * The loop is written out for PGT_LEVELS: levels that a format has not do not exist here.
 */
static force_inline pgt_entry_t *pgt_descend(struct mm_struct *mm, uintptr_t virt, unsigned int lowest,
					     unsigned int *level)
{
	pgt_entry_t *entry = mm->pgd + pgt_index(PGT_ROOT_LEVEL, virt);
	unsigned int at = PGT_ROOT_LEVEL;

#pragma GCC unroll 5
	while (at > lowest) {
		pgt_entry_t e = pgt_get_table(entry);

		if (!pgt_table(at, e))
			break;
		at--;
		entry = pgt_table_at(pgt_table_phys(at + 1, e)) + pgt_index(at, virt);
	}
	*level = at;
	return entry;
}

/* Entries from that of @virt to the end of its table at @level. */
static force_inline unsigned int pgt_run(unsigned int level, uintptr_t virt)
{
	return PGT_ENTRIES(level) - pgt_index(level, virt);
}

/* The last address that the entry of @virt at @level covers. */
static force_inline uintptr_t pgt_last(unsigned int level, uintptr_t virt)
{
	return (uintptr_t)(virt | (PGT_SIZE(level) - 1));
}

/* The largest leaf level below @level: at least 0. */
static inline unsigned int pgt_lower(unsigned int level)
{
	return highest_bit(pgt_leaf_levels & ((1u << level) - 1));
}

/* A root whose entries are made once for all, as the processor reads them when the root is loaded only (PAE). */
#define PGT_ROOT_FIXED (PGT_ROOT_BITS == 2)
#define PGT_ROOT_BYTES (sizeof(pgt_entry_t) << PGT_ROOT_BITS)

static inline bool pgt_is_kernel(const struct mm_struct *mm)
{
	return mm == &init_mm;
}

/* Where the user half ends. */
static inline u64 pgt_user_size(void)
{
	if (PGT_TWO_ROOTS)
		return (u64)1 << PGT_VIRT_BITS;
	return pgt_canonical(PGT_KERNEL_START) ? PGT_KERNEL_START : (u64)1 << (PGT_VIRT_BITS - 1);
}

/* Table pages of an address space in which nothing is mapped. */
unsigned long pgt_pages_at_least(const struct mm_struct *mm);

/* page_table_lock. That of init_mm keeps interrupts off: kernel mappings may be split anywhere. */
static inline unsigned long pgt_tables_lock(struct mm_struct *mm)
{
	unsigned long flags = pgt_is_kernel(mm) ? port_irq_save() : 0;

	spin_lock(&mm->page_table_lock);
	return flags;
}

static inline void pgt_tables_unlock(struct mm_struct *mm, unsigned long flags)
{
	spin_unlock(&mm->page_table_lock);
	if (pgt_is_kernel(mm))
		port_irq_restore(flags);
}

/*
 * For a look at the way to an address: a user address space's tables stay in place between the two. The kernel's are
 * not taken away under those who have business there.
 */
static inline unsigned long pgt_look_lock(struct mm_struct *mm)
{
	return pgt_is_kernel(mm) ? 0 : pgt_tables_lock(mm);
}

static inline void pgt_look_unlock(struct mm_struct *mm, unsigned long flags)
{
	if (!pgt_is_kernel(mm))
		pgt_tables_unlock(mm, flags);
}

/* What a user table's entries are changed under, the table being @level's; of init_mm's there is none. */
static inline spinlock_t *pgt_entries_lock(struct mm_struct *mm, pgt_entry_t *entry, unsigned int level)
{
	spinlock_t *lock = pgt_is_kernel(mm) || level ? NULL : pgt_lock_ptr(mm, entry);

	if (lock)
		spin_lock(lock);
	return lock;
}

static inline void pgt_entries_unlock(spinlock_t *lock)
{
	if (lock)
		spin_unlock(lock);
}

/*
 * pgt_hang_locked - make @entry of @level, which is none, lead to @table
 * Under page_table_lock. @virt: an address it covers.
 */
void pgt_hang_locked(struct mm_struct *mm, pgt_entry_t *entry, unsigned int level, pgt_entry_t *table, uintptr_t virt);

/*
 * pgt_root_changed - entries of init_mm's root for [virt, last] changed: other roots show the same
 * The kernel half of one-root formats only; nothing else asks for it.
 */
void pgt_root_changed(uintptr_t virt, uintptr_t last);

static inline void pgt_entries_changed(struct mm_struct *mm, unsigned int level, uintptr_t virt, uintptr_t last)
{
	if (level == PGT_ROOT_LEVEL && !PGT_TWO_ROOTS && pgt_is_kernel(mm))
		pgt_root_changed(virt, last);
}

/* Where the kernel half begins. */
static force_inline uintptr_t pgt_kernel_first(void)
{
	if (PGT_TWO_ROOTS || !pgt_canonical(PGT_KERNEL_START))
		return (uintptr_t)-((u64)1 << (PGT_VIRT_BITS - !PGT_TWO_ROOTS));
	return (uintptr_t)PGT_KERNEL_START;
}

/* Says what is wrong with a range. */
__cold void pgt_range_report(struct mm_struct *mm, uintptr_t virt, u64 size, const char *who);

/* Whole pages, in the half of @mm, not around its end. Reports what is not. */
static force_inline bool pgt_range_ok(struct mm_struct *mm, uintptr_t virt, u64 size, const char *who)
{
	bool whole = !((virt | size) & ~(u64)PAGE_MASK), inside;

	if (pgt_is_kernel(mm))
		inside = size - 1 <= (uintptr_t)-1 - virt && virt >= pgt_kernel_first();
	else
		inside = size - 1 < pgt_user_size() && virt <= pgt_user_size() - size;
	if (likely(whole && inside))
		return true;
	pgt_range_report(mm, virt, size, who);
	return false;
}

/* Entries from @entry on that are none, at most @nr. */
static force_inline unsigned int pgt_none_run(const pgt_entry_t *entry, unsigned int nr)
{
	unsigned int n = 0;

	for (; n + 8 <= nr; n += 8) {
		pgt_entry_t any = 0;

#pragma GCC unroll 8
		for (unsigned int i = 0; i < 8; i++)
			any |= pgt_get(entry + n + i);
		if (any)
			break;
	}
	while (n < nr && pgt_none(pgt_get(entry + n)))
		n++;
	return n;
}

/* ---- Leaves ---- */

/* How entries of @level differ from @leaf, one of them, whose leaves follow it. */
static force_inline pgt_entry_t pgt_step(unsigned int level, pgt_entry_t leaf)
{
	pgprot_t prot;

	/* Where the machine looks for addresses they stand as they are; elsewhere a format may keep them inverted. */
	if (likely(pgt_valid(leaf)))
		return (pgt_entry_t)PGT_SIZE(level);
	prot = pgt_prot(level, leaf);
	return pgt_make_leaf(level, PGT_SIZE(level), prot) - pgt_make_leaf(level, 0, prot);
}

/* Bytes that entries of @level and contiguous groups of them stand for. */
static inline u64 pgt_group_size(unsigned int level)
{
	return PGT_SIZE(level) * PGT_CONT_ENTRIES;
}

/* What is known of a leaf but its address: the next one of the same kind and rights differs by pgt_step() only. */
static inline bool pgt_in_group(unsigned int level, pgt_entry_t e)
{
	return PGT_CONT_ENTRIES > 1 && pgt_leaf(level, e) && pgt_prot(level, e).bits & PGPROT_CONT;
}

/* ---- Splitting (split.c) ---- */

/*
 * Tables that pgt_split_from() takes to see to it that no leaf reaches across @virt. 0: also no contiguous group
 * does.
 */
unsigned int pgt_split_needs(struct mm_struct *mm, uintptr_t virt);
void pgt_split_from(struct pgt_stock *stock, struct mm_struct *mm, uintptr_t virt);
/* Both ends of a range at once. Return: 0; -ENOMEM: nothing has changed. */
int __must_check pgt_split_ends(struct mm_struct *mm, uintptr_t virt, u64 size, gfp_t gfp);
/* The gfp of changes that callers make in any context (kernel) or in thread context. */
static inline gfp_t pgt_gfp(struct mm_struct *mm)
{
	return pgt_is_kernel(mm) ? GFP_ATOMIC | __GFP_NOWARN : GFP_KERNEL;
}

/*
 * pgt_remake - change @nr entries, at most PGT_CONT_ENTRIES, by way of none and a flush
 * @change: what becomes of each. Context: that of a flush.
 */
void pgt_remake(struct mm_struct *mm, pgt_entry_t *entry, unsigned int level, uintptr_t virt, unsigned int nr,
		pgt_entry_t (*change)(const void *ctx, unsigned int level, pgt_entry_t e), const void *ctx);

#endif
