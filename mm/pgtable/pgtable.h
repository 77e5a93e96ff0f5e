/* SPDX-License-Identifier: MIT */
/*
 * Linux's typed helpers: pte_t, pmd_t, pud_t, p4d_t, pgd_t and the functions on them, which are the raw ones of the
 * format (format.h) with the level in their names. docs/page-tables.md says what each must do.
 *
 * Folded levels behave as Linux's do. Types stand for levels 0 to 4; a level that the format lacks, from PGT_LEVELS up,
 * is folded into the root: its "entries" are the root's entries seen through another type, never none and never bad,
 * its tables have one entry, and its offset functions give back the pointer they got. So a walk in five steps is right
 * for every format, and the compiler drops the steps that do nothing:
 *
 *	pgd_offset() -> p4d_offset() -> pud_offset() -> pmd_offset() -> pte_offset_kernel()
 *	                with 4 levels: the same pointer            with 2 levels all but the last step
 *
 * Rights are pgprot_t (PGPROT_*), whatever the format. Writers of one entry at a time hold its table's lock; bits that
 * the processor may set meanwhile (accessed, dirty) are kept by exchanging.
 */
#ifndef MM_PGTABLE_PGTABLE_H
#define MM_PGTABLE_PGTABLE_H

#include <octavo/gfp.h>
#include <octavo/page.h>

#include "walk.h"

struct vm_area_struct;

#define PTE_LEVEL 0u
#define PMD_LEVEL 1u
#define PUD_LEVEL 2u
#define P4D_LEVEL 3u
#define PGD_LEVEL 4u
#define PGT_FOLDED(level) ((level) >= PGT_LEVELS)

/* ---- Types ---- */

/* One field each, so that the compiler tells them apart: name_t, __name(value), name_val(entry). */
#define PGT_TYPE(name)                                   \
	typedef struct {                                 \
		pgt_entry_t name;                        \
	} name##_t;                                      \
	static inline name##_t __##name(pgt_entry_t e)   \
	{                                                \
		return (name##_t){ e };                  \
	}                                                \
	static inline pgt_entry_t name##_val(name##_t e) \
	{                                                \
		return e.name;                           \
	}
PGT_TYPE(pte)
PGT_TYPE(pmd)
PGT_TYPE(pud)
PGT_TYPE(p4d)
PGT_TYPE(pgd)
#undef PGT_TYPE

/* ---- Geometry ---- */

/* Log2 of what an entry of a type covers; folded types cover what the root's entries do. */
#define PGT_TYPE_SHIFT(level) (PGT_FOLDED(level) ? PGT_SHIFT(PGT_ROOT_LEVEL) : PGT_SHIFT(level))
#define PMD_SHIFT PGT_TYPE_SHIFT(PMD_LEVEL)
#define PUD_SHIFT PGT_TYPE_SHIFT(PUD_LEVEL)
#define P4D_SHIFT PGT_TYPE_SHIFT(P4D_LEVEL)
#define PGDIR_SHIFT PGT_TYPE_SHIFT(PGD_LEVEL)
#define PMD_SIZE ((uintptr_t)((u64)1 << PMD_SHIFT))
#define PUD_SIZE ((uintptr_t)((u64)1 << PUD_SHIFT))
#define P4D_SIZE ((uintptr_t)((u64)1 << P4D_SHIFT))
#define PGDIR_SIZE ((uintptr_t)((u64)1 << PGDIR_SHIFT))
#define PMD_MASK (~(PMD_SIZE - 1))
#define PUD_MASK (~(PUD_SIZE - 1))
#define P4D_MASK (~(P4D_SIZE - 1))
#define PGDIR_MASK (~(PGDIR_SIZE - 1))
/* A type above the root's level, or at it, is one entry of what is above; the pgd is the root itself. */
#define PGT_PTRS(level) ((level) >= PGT_ROOT_LEVEL ? 1u : PGT_ENTRIES(level))
#define PTRS_PER_PTE PGT_PTRS(PTE_LEVEL)
#define PTRS_PER_PMD PGT_PTRS(PMD_LEVEL)
#define PTRS_PER_PUD PGT_PTRS(PUD_LEVEL)
#define PTRS_PER_P4D PGT_PTRS(P4D_LEVEL)
#define PTRS_PER_PGD PGT_ENTRIES(PGT_ROOT_LEVEL)

static inline uintptr_t pgt_addr_end(uintptr_t addr, uintptr_t end, unsigned int level)
{
	uintptr_t size = (uintptr_t)PGT_SIZE(level), boundary = (addr + size) & ~(size - 1);

	return boundary - 1 < end - 1 ? boundary : end;
}

/*
 * name_addr_end - where the part of [addr, end) that one entry covers ends; @end may be 0, the end of the address space
 * A folded type's entry covers all that its caller asks about.
 */
#define pgd_addr_end(addr, end) pgt_addr_end(addr, end, PGT_ROOT_LEVEL)
#define p4d_addr_end(addr, end) (P4D_LEVEL >= PGT_ROOT_LEVEL ? (uintptr_t)(end) : pgt_addr_end(addr, end, P4D_LEVEL))
#define pud_addr_end(addr, end) (PUD_LEVEL >= PGT_ROOT_LEVEL ? (uintptr_t)(end) : pgt_addr_end(addr, end, PUD_LEVEL))
#define pmd_addr_end(addr, end) (PMD_LEVEL >= PGT_ROOT_LEVEL ? (uintptr_t)(end) : pgt_addr_end(addr, end, PMD_LEVEL))
#define pte_addr_end(addr, end) pgt_addr_end(addr, end, PTE_LEVEL)

#define pgd_index(addr) pgt_index(PGT_ROOT_LEVEL, addr)
#define p4d_index(addr) (P4D_LEVEL >= PGT_ROOT_LEVEL ? 0u : pgt_index(P4D_LEVEL, addr))
#define pud_index(addr) (PUD_LEVEL >= PGT_ROOT_LEVEL ? 0u : pgt_index(PUD_LEVEL, addr))
#define pmd_index(addr) (PMD_LEVEL >= PGT_ROOT_LEVEL ? 0u : pgt_index(PMD_LEVEL, addr))
#define pte_index(addr) pgt_index(PTE_LEVEL, addr)

/* ---- What an entry is ---- */

static inline bool pte_none(pte_t pte)
{
	return pgt_none(pte.pte);
}

static inline bool pte_present(pte_t pte)
{
	return pgt_present(pte.pte);
}

static inline bool pte_same(pte_t a, pte_t b)
{
	return a.pte == b.pte;
}

/* May a TLB hold it? */
static inline bool pte_accessible(pte_t pte)
{
	return pgt_valid(pte.pte);
}

static inline bool is_swap_pte(pte_t pte)
{
	return pgt_is_swap(pte.pte);
}

#define PGT_UPPER(name, level)                                                                         \
	static inline bool name##_none(name##_t e)                                                     \
	{                                                                                              \
		return !PGT_FOLDED(level) && pgt_none(e.name);                                         \
	}                                                                                              \
	static inline bool name##_present(name##_t e)                                                  \
	{                                                                                              \
		return PGT_FOLDED(level) || pgt_present(e.name);                                       \
	}                                                                                              \
	static inline bool name##_leaf(name##_t e)                                                     \
	{                                                                                              \
		return !PGT_FOLDED(level) && pgt_leaf(level, e.name);                                  \
	}                                                                                              \
	static inline bool name##_bad(name##_t e)                                                      \
	{                                                                                              \
		return !PGT_FOLDED(level) && pgt_bad(level, e.name);                                   \
	}                                                                                              \
	static inline bool name##_same(name##_t a, name##_t b)                                         \
	{                                                                                              \
		return a.name == b.name;                                                               \
	}                                                                                              \
	static inline phys_addr_t name##_phys(name##_t e)                                              \
	{                                                                                              \
		return name##_leaf(e) ? pgt_leaf_phys(level, e.name) : pgt_table_phys(level, e.name);  \
	}                                                                                              \
	static inline unsigned long name##_pfn(name##_t e)                                             \
	{                                                                                              \
		return PFN_DOWN(name##_phys(e));                                                       \
	}                                                                                              \
	static inline struct page *name##_page(name##_t e)                                             \
	{                                                                                              \
		return pfn_to_page(name##_pfn(e));                                                     \
	}                                                                                              \
	static inline void set_##name(name##_t *entry, name##_t value)                                 \
	{                                                                                              \
		pgt_set(&entry->name, value.name);                                                     \
	}                                                                                              \
	static inline name##_t name##p_get(const name##_t *entry)                                      \
	{                                                                                              \
		return __##name(pgt_get(&entry->name));                                                \
	}                                                                                              \
	static inline void name##_clear(name##_t *entry)                                               \
	{                                                                                              \
		if (!PGT_FOLDED(level))                                                                \
			pgt_set(&entry->name, 0);                                                      \
	}                                                                                              \
	/* True when there is nothing below; an entry that cannot be is reported and cleared first. */ \
	static inline bool name##_none_or_clear_bad(name##_t *entry)                                   \
	{                                                                                              \
		name##_t e = name##p_get(entry);                                                       \
                                                                                                       \
		if (name##_none(e))                                                                    \
			return true;                                                                   \
		if (!name##_bad(e))                                                                    \
			return false;                                                                  \
		pgt_report_bad(#name, entry, e.name);                                                  \
		name##_clear(entry);                                                                   \
		return true;                                                                           \
	}
/* "bad pmd ADDRESS(VALUE)" on the console. */
void pgt_report_bad(const char *type, const void *entry, u64 value);
PGT_UPPER(pmd, PMD_LEVEL)
PGT_UPPER(pud, PUD_LEVEL)
PGT_UPPER(p4d, P4D_LEVEL)
PGT_UPPER(pgd, PGD_LEVEL)
#undef PGT_UPPER

/* ---- Leaves of levels 0 to 2 ---- */

/* Where the level does not exist, or holds no leaves, no entry is one: these are then never called, but compile. */
#define PGT_TEST(name, level, what)                  \
	static inline bool name##_##what(name##_t e) \
	{                                            \
		return pgt_##what(level, e.name);    \
	}
#define PGT_CHANGE(name, level, what)                       \
	static inline name##_t name##_##what(name##_t e)    \
	{                                                   \
		return __##name(pgt_##what(level, e.name)); \
	}
#define PGT_LEAF(name, level)                                                             \
	PGT_TEST(name, level, write)                                                      \
	PGT_TEST(name, level, dirty)                                                      \
	PGT_TEST(name, level, young)                                                      \
	PGT_TEST(name, level, exec)                                                       \
	PGT_TEST(name, level, user)                                                       \
	PGT_TEST(name, level, special)                                                    \
	PGT_TEST(name, level, devmap)                                                     \
	PGT_TEST(name, level, soft_dirty)                                                 \
	PGT_TEST(name, level, uffd_wp)                                                    \
	PGT_CHANGE(name, level, wrprotect)                                                \
	PGT_CHANGE(name, level, mkdirty)                                                  \
	PGT_CHANGE(name, level, mkclean)                                                  \
	PGT_CHANGE(name, level, mkyoung)                                                  \
	PGT_CHANGE(name, level, mkold)                                                    \
	PGT_CHANGE(name, level, mkexec)                                                   \
	PGT_CHANGE(name, level, mkspecial)                                                \
	PGT_CHANGE(name, level, mkdevmap)                                                 \
	PGT_CHANGE(name, level, mksoft_dirty)                                             \
	PGT_CHANGE(name, level, clear_soft_dirty)                                         \
	PGT_CHANGE(name, level, mkuffd_wp)                                                \
	PGT_CHANGE(name, level, clear_uffd_wp)                                            \
	static inline name##_t name##_mkwrite_novma(name##_t e)                           \
	{                                                                                 \
		return __##name(pgt_mkwrite(level, e.name));                              \
	}                                                                                 \
	/* The area would matter on machines with shadow stacks. */                       \
	static inline name##_t name##_mkwrite(name##_t e, struct vm_area_struct *vma)     \
	{                                                                                 \
		(void)vma;                                                                \
		return name##_mkwrite_novma(e);                                           \
	}                                                                                 \
	static inline bool name##_protnone(name##_t e)                                    \
	{                                                                                 \
		return pgt_protnone(e.name);                                              \
	}                                                                                 \
	static inline pgprot_t name##_pgprot(name##_t e)                                  \
	{                                                                                 \
		return pgt_prot(level, e.name);                                           \
	}                                                                                 \
	static inline name##_t pfn_##name(unsigned long pfn, pgprot_t prot)               \
	{                                                                                 \
		return __##name(pgt_make_leaf(level, PFN_PHYS(pfn), prot));               \
	}                                                                                 \
	/* Rights anew; unlike pgt_modify(), the cache mode stays. */                     \
	static inline name##_t name##_modify(name##_t e, pgprot_t prot)                   \
	{                                                                                 \
		enum page_cache_mode mode = pgprot_cache_mode(pgt_prot(level, e.name));   \
                                                                                          \
		return __##name(pgt_modify(level, e.name, pgprot_cached_as(prot, mode))); \
	}
PGT_LEAF(pte, PTE_LEVEL)
PGT_LEAF(pmd, PMD_LEVEL)
PGT_LEAF(pud, PUD_LEVEL)
#undef PGT_LEAF
#undef PGT_TEST
#undef PGT_CHANGE

static inline unsigned long pte_pfn(pte_t pte)
{
	return PFN_DOWN(pgt_leaf_phys(PTE_LEVEL, pte.pte));
}

static inline struct page *pte_page(pte_t pte)
{
	return pfn_to_page(pte_pfn(pte));
}

static inline pte_t mk_pte(const struct page *page, pgprot_t prot)
{
	return pfn_pte(page_to_pfn(page), prot);
}

static inline pmd_t mk_pmd(const struct page *page, pgprot_t prot)
{
	return pfn_pmd(page_to_pfn(page), prot);
}

static inline pud_t mk_pud(const struct page *page, pgprot_t prot)
{
	return pfn_pud(page_to_pfn(page), prot);
}

/* pfn_pmd() and pfn_pud() make leaves: nothing is left to do. */
static inline pmd_t pmd_mkhuge(pmd_t pmd)
{
	return pmd;
}

static inline pud_t pud_mkhuge(pud_t pud)
{
	return pud;
}

static inline bool pmd_trans_huge(pmd_t pmd)
{
	return pmd_leaf(pmd) && !pmd_devmap(pmd);
}

static inline bool pud_trans_huge(pud_t pud)
{
	return pud_leaf(pud) && !pud_devmap(pud);
}

/* Out of the machine's sight while it is changed; pmd_present() and pmd_leaf() still hold. */
static inline pmd_t pmd_mkinvalid(pmd_t pmd)
{
	return __pmd(pgt_mkinvalid(PMD_LEVEL, pmd.pmd));
}

/* ---- Tables ---- */

static inline void pmd_populate_kernel(struct mm_struct *mm, pmd_t *pmd, const pte_t *table)
{
	(void)mm;
	set_pmd(pmd, __pmd(pgt_make_table(PMD_LEVEL, pgt_table_phys_of(&table->pte), false)));
}

/* @table: descriptor of the page that is the table */
static inline void pmd_populate(struct mm_struct *mm, pmd_t *pmd, const struct page *table)
{
	(void)mm;
	set_pmd(pmd, __pmd(pgt_make_table(PMD_LEVEL, PFN_PHYS(page_to_pfn(table)), true)));
}

#define PGT_POPULATE(name, level, below)                                                                               \
	static inline void name##_populate(struct mm_struct *mm, name##_t *entry, const below##_t *table)              \
	{                                                                                                              \
		if (!PGT_FOLDED(level))                                                                                \
			set_##name(entry,                                                                              \
				   __##name(pgt_make_table(level, pgt_table_phys_of(&table->below), mm != &init_mm))); \
	}
PGT_POPULATE(pud, PUD_LEVEL, pmd)
PGT_POPULATE(p4d, P4D_LEVEL, pud)
PGT_POPULATE(pgd, PGD_LEVEL, p4d)
#undef PGT_POPULATE

static inline pgd_t *pgd_offset_pgd(pgd_t *pgd, uintptr_t addr)
{
	return pgd + pgd_index(addr);
}

static inline pgd_t *pgd_offset(struct mm_struct *mm, uintptr_t addr)
{
	return pgd_offset_pgd((pgd_t *)mm->pgd, addr);
}

#define pgd_offset_k(addr) pgd_offset(&init_mm, addr)

/* The entry of @addr in the table that *@entry leads to, which must be there. */
#define PGT_OFFSET(name, level, above)                                                                   \
	static inline name##_t *name##_offset(above##_t *entry, uintptr_t addr)                          \
	{                                                                                                \
		if (level >= PGT_ROOT_LEVEL)                                                             \
			return (name##_t *)entry;                                                        \
		return (name##_t *)pgt_table_of(level + 1, pgt_get(&entry->above)) + name##_index(addr); \
	}
PGT_OFFSET(p4d, P4D_LEVEL, pgd)
PGT_OFFSET(pud, PUD_LEVEL, p4d)
PGT_OFFSET(pmd, PMD_LEVEL, pud)
#undef PGT_OFFSET

static inline pte_t *pte_offset_kernel(pmd_t *pmd, uintptr_t addr)
{
	return (pte_t *)pgt_table_of(PMD_LEVEL, pgt_get(&pmd->pmd)) + pte_index(addr);
}

static inline uintptr_t pmd_page_vaddr(pmd_t pmd)
{
	return (uintptr_t)pgt_table_of(PMD_LEVEL, pmd.pmd);
}

/*
 * name_alloc - the entry of @addr below @above, tables made as needed; NULL without memory
 * The way is taken from the root of @mm again.
 */
static inline p4d_t *p4d_alloc(struct mm_struct *mm, pgd_t *above, uintptr_t addr)
{
	return P4D_LEVEL >= PGT_ROOT_LEVEL ? (p4d_t *)above : (p4d_t *)pgt_entry_alloc(mm, addr, P4D_LEVEL, GFP_KERNEL);
}

static inline pud_t *pud_alloc(struct mm_struct *mm, p4d_t *above, uintptr_t addr)
{
	return PUD_LEVEL >= PGT_ROOT_LEVEL ? (pud_t *)above : (pud_t *)pgt_entry_alloc(mm, addr, PUD_LEVEL, GFP_KERNEL);
}

static inline pmd_t *pmd_alloc(struct mm_struct *mm, pud_t *above, uintptr_t addr)
{
	return PMD_LEVEL >= PGT_ROOT_LEVEL ? (pmd_t *)above : (pmd_t *)pgt_entry_alloc(mm, addr, PMD_LEVEL, GFP_KERNEL);
}

static inline pte_t *pte_alloc_map(struct mm_struct *mm, pmd_t *above, uintptr_t addr)
{
	(void)above;
	return (pte_t *)pgt_entry_alloc(mm, addr, PTE_LEVEL, GFP_KERNEL);
}

#define pte_alloc_kernel(pmd, addr) pte_alloc_map(&init_mm, pmd, addr)

/* Page tables are in low memory: there is nothing to unmap. */
#define pte_offset_map(pmd, addr) pte_offset_kernel(pmd, addr)
#define pte_unmap(pte) ((void)(pte))

/* With the lock of the table held; it is pte_unmap_unlock() that lets go of it. */
static inline pte_t *pte_offset_map_lock(struct mm_struct *mm, pmd_t *pmd, uintptr_t addr, spinlock_t **lock)
{
	pte_t *pte = pte_offset_kernel(pmd, addr);

	*lock = pgt_lock_ptr(mm, &pte->pte);
	spin_lock(*lock);
	return pte;
}

static inline void pte_unmap_unlock(pte_t *pte, spinlock_t *lock)
{
	pte_unmap(pte);
	spin_unlock(lock);
}

/* ---- Entries in tables ---- */

/* Take the right to write away; what the processor sets meanwhile stays. */
static inline void pgt_entry_wrprotect(unsigned int level, pgt_entry_t *entry)
{
	pgt_entry_t old = pgt_get(entry);

	while (!pgt_cmpxchg(entry, &old, pgt_wrprotect(level, old)))
		;
}

static inline bool pgt_entry_clear_young(unsigned int level, pgt_entry_t *entry)
{
	pgt_entry_t old = pgt_get(entry);

	while (pgt_young(level, old)) {
		if (pgt_cmpxchg(entry, &old, pgt_mkold(level, old)))
			return true;
	}
	return false;
}

/* Accessed, dirty and writable as @value has them, on top of what is there: rights only grow. True if any did. */
static inline bool pgt_entry_raise(unsigned int level, pgt_entry_t *entry, pgt_entry_t value)
{
	pgt_entry_t old = pgt_get(entry), new;

	do {
		new = pgt_young(level, value) ? pgt_mkyoung(level, old) : old;
		new = pgt_write(level, value) ? pgt_mkwrite(level, new) : new;
		new = pgt_dirty(level, value) ? pgt_mkdirty(level, new) : new;
		if (new == old)
			return false;
	} while (!pgt_cmpxchg(entry, &old, new));
	return true;
}

static inline void set_pte(pte_t *entry, pte_t value)
{
	pgt_set(&entry->pte, value.pte);
}

static inline pte_t ptep_get(const pte_t *entry)
{
	return __pte(pgt_get(&entry->pte));
}

#define ptep_get_lockless(entry) ptep_get(entry)

static inline void pte_clear(struct mm_struct *mm, uintptr_t addr, pte_t *entry)
{
	(void)mm;
	(void)addr;
	pgt_set(&entry->pte, 0);
}

/*
 * ptep_set_access_flags: after a fault, @value's accessed, dirty and write bits; true if the entry changed. Nothing is
 * flushed: an entry that forbids more than the table does only costs another fault.
 */
#define PGT_ENTRY(name, level, huge)                                                                                 \
	static inline void set_##name##_at(struct mm_struct *mm, uintptr_t addr, name##_t *entry, name##_t value)    \
	{                                                                                                            \
		(void)mm;                                                                                            \
		(void)addr;                                                                                          \
		pgt_set(&entry->name, value.name);                                                                   \
	}                                                                                                            \
	static inline name##_t name##p_##huge##get_and_clear(struct mm_struct *mm, uintptr_t addr, name##_t *entry)  \
	{                                                                                                            \
		(void)mm;                                                                                            \
		(void)addr;                                                                                          \
		return __##name(pgt_xchg(&entry->name, 0));                                                          \
	}                                                                                                            \
	static inline void name##p_set_wrprotect(struct mm_struct *mm, uintptr_t addr, name##_t *entry)              \
	{                                                                                                            \
		(void)mm;                                                                                            \
		(void)addr;                                                                                          \
		pgt_entry_wrprotect(level, &entry->name);                                                            \
	}                                                                                                            \
	static inline bool name##p_set_access_flags(struct vm_area_struct *vma, uintptr_t addr, name##_t *entry,     \
						    name##_t value, bool dirty)                                      \
	{                                                                                                            \
		(void)vma;                                                                                           \
		(void)addr;                                                                                          \
		(void)dirty;                                                                                         \
		return pgt_entry_raise(level, &entry->name, value.name);                                             \
	}                                                                                                            \
	static inline bool name##p_test_and_clear_young(struct vm_area_struct *vma, uintptr_t addr, name##_t *entry) \
	{                                                                                                            \
		(void)vma;                                                                                           \
		(void)addr;                                                                                          \
		return pgt_entry_clear_young(level, &entry->name);                                                   \
	}
PGT_ENTRY(pte, PTE_LEVEL, )
PGT_ENTRY(pmd, PMD_LEVEL, huge_)
PGT_ENTRY(pud, PUD_LEVEL, huge_)
#undef PGT_ENTRY

#endif
