/* SPDX-License-Identifier: MIT */
/*
 * What an entry that is neither none nor present can mean, by Linux's names: a place in a swap device, a page that is
 * being migrated, one that is poisoned, one in device memory, or only a marker.
 *
 * A swp_entry_t is the same on every format, one word: the type in the topmost bits but one (an entry fits into a
 * tagged slot of an index, which has 63 or 31 bits), below it the offset. Of MAX_SWAPFILES_SHIFT bits of type Linux's
 * configuration leaves 23 values for swap devices, the others have the meanings below.
 */
#ifndef MM_PGTABLE_SWAPOPS_H
#define MM_PGTABLE_SWAPOPS_H

#include "pgtable.h"

typedef struct {
	unsigned long val;
} swp_entry_t;

#define MAX_SWAPFILES_SHIFT 5
#define SWP_TYPE_SHIFT (sizeof(unsigned long) * 8 - 1 - MAX_SWAPFILES_SHIFT)
#define SWP_OFFSET_MASK ((1ul << SWP_TYPE_SHIFT) - 1)

enum swp_type {
	MAX_SWAPFILES = (1 << MAX_SWAPFILES_SHIFT) - 4 - 3 - 1 - 1, /* 23: types 0 to 22 are devices */
	SWP_HWPOISON = MAX_SWAPFILES,
	SWP_MIGRATION_READ,
	SWP_MIGRATION_READ_EXCLUSIVE,
	SWP_MIGRATION_WRITE,
	SWP_DEVICE_WRITE,
	SWP_DEVICE_READ,
	SWP_DEVICE_EXCLUSIVE_WRITE,
	SWP_DEVICE_EXCLUSIVE_READ,
	SWP_PTE_MARKER,
	SWP_TYPES
};
octavo_static_assert(SWP_TYPES == 1 << MAX_SWAPFILES_SHIFT, "every type has a meaning");
octavo_static_assert(PGT_SWAP_TYPE_BITS >= MAX_SWAPFILES_SHIFT, "the format has room for every type");

/*
 * An entry with a page frame number in it keeps accessed and dirty above it. With PAE frames are counted to 36 bits of
 * address, as Linux does: 24 bits of frame and these two fill the 26 that a 32-bit word has.
 */
#define SWP_PFN_BITS ((PGT_VIRT_BITS == 32 && PGT_PHYS_BITS > 36 ? 36 : PGT_PHYS_BITS) - PAGE_SHIFT)
#define SWP_PFN_MASK (((u64)1 << SWP_PFN_BITS) - 1)
#define SWP_MIG_YOUNG_BIT ((u64)1 << SWP_PFN_BITS)
#define SWP_MIG_DIRTY_BIT ((u64)1 << (SWP_PFN_BITS + 1))
octavo_static_assert(SWP_PFN_BITS + 2 <= PGT_SWAP_OFFSET_BITS, "the format has room for a frame and two bits");

static inline swp_entry_t swp_entry(unsigned int type, unsigned long offset)
{
	return (swp_entry_t){ ((unsigned long)type << SWP_TYPE_SHIFT) | (offset & SWP_OFFSET_MASK) };
}

static inline unsigned int swp_type(swp_entry_t entry)
{
	return (unsigned int)(entry.val >> SWP_TYPE_SHIFT);
}

static inline unsigned long swp_offset(swp_entry_t entry)
{
	return entry.val & SWP_OFFSET_MASK;
}

static inline bool non_swap_entry(swp_entry_t entry)
{
	return swp_type(entry) >= MAX_SWAPFILES;
}

/* Bits the format has no room for are lost: the greatest offset is that of pte_to_swp_entry(swp_entry_to_pte(all
 * ones)). */
static inline pte_t swp_entry_to_pte(swp_entry_t entry)
{
	return __pte(pgt_make_swap(swp_type(entry), swp_offset(entry)));
}

static inline pmd_t swp_entry_to_pmd(swp_entry_t entry)
{
	return __pmd(pgt_make_swap(swp_type(entry), swp_offset(entry)));
}

static inline swp_entry_t pte_to_swp_entry(pte_t pte)
{
	return swp_entry(pgt_swap_type(pte.pte), (unsigned long)pgt_swap_offset(pte.pte));
}

static inline swp_entry_t pmd_to_swp_entry(pmd_t pmd)
{
	return swp_entry(pgt_swap_type(pmd.pmd), (unsigned long)pgt_swap_offset(pmd.pmd));
}

static inline bool is_swap_pmd(pmd_t pmd)
{
	return pgt_is_swap(pmd.pmd);
}

/* ---- Bits beside type and offset, which say something of the page, not of where it is ---- */

#define PGT_SWAP_BIT(name, bit)                                   \
	static inline bool name##_swp_##bit(name##_t e)           \
	{                                                         \
		return pgt_swap_##bit(e.name);                    \
	}                                                         \
	static inline name##_t name##_swp_mk##bit(name##_t e)     \
	{                                                         \
		return __##name(pgt_swap_mk##bit(e.name));        \
	}                                                         \
	static inline name##_t name##_swp_clear_##bit(name##_t e) \
	{                                                         \
		return __##name(pgt_swap_clear_##bit(e.name));    \
	}
PGT_SWAP_BIT(pte, soft_dirty)
PGT_SWAP_BIT(pte, uffd_wp)
PGT_SWAP_BIT(pte, exclusive)
PGT_SWAP_BIT(pmd, soft_dirty)
PGT_SWAP_BIT(pmd, uffd_wp)
#undef PGT_SWAP_BIT

static inline pte_t pte_swp_clear_flags(pte_t pte)
{
	return pte_swp_clear_exclusive(pte_swp_clear_soft_dirty(pte_swp_clear_uffd_wp(pte)));
}

/* ---- Migration ---- */

static inline swp_entry_t make_readable_migration_entry(unsigned long offset)
{
	return swp_entry(SWP_MIGRATION_READ, offset);
}

static inline swp_entry_t make_readable_exclusive_migration_entry(unsigned long offset)
{
	return swp_entry(SWP_MIGRATION_READ_EXCLUSIVE, offset);
}

static inline swp_entry_t make_writable_migration_entry(unsigned long offset)
{
	return swp_entry(SWP_MIGRATION_WRITE, offset);
}

static inline bool is_migration_entry(swp_entry_t entry)
{
	return swp_type(entry) >= SWP_MIGRATION_READ && swp_type(entry) <= SWP_MIGRATION_WRITE;
}

static inline bool is_writable_migration_entry(swp_entry_t entry)
{
	return swp_type(entry) == SWP_MIGRATION_WRITE;
}

static inline bool is_readable_exclusive_migration_entry(swp_entry_t entry)
{
	return swp_type(entry) == SWP_MIGRATION_READ_EXCLUSIVE;
}

static inline swp_entry_t make_migration_entry_young(swp_entry_t entry)
{
	return swp_entry(swp_type(entry), swp_offset(entry) | (unsigned long)SWP_MIG_YOUNG_BIT);
}

static inline bool is_migration_entry_young(swp_entry_t entry)
{
	return swp_offset(entry) & SWP_MIG_YOUNG_BIT;
}

static inline swp_entry_t make_migration_entry_dirty(swp_entry_t entry)
{
	return swp_entry(swp_type(entry), swp_offset(entry) | (unsigned long)SWP_MIG_DIRTY_BIT);
}

static inline bool is_migration_entry_dirty(swp_entry_t entry)
{
	return swp_offset(entry) & SWP_MIG_DIRTY_BIT;
}

/* ---- Others ---- */

static inline swp_entry_t make_hwpoison_entry(const struct page *page)
{
	return swp_entry(SWP_HWPOISON, page_to_pfn(page));
}

static inline bool is_hwpoison_entry(swp_entry_t entry)
{
	return swp_type(entry) == SWP_HWPOISON;
}

static inline swp_entry_t make_readable_device_private_entry(unsigned long offset)
{
	return swp_entry(SWP_DEVICE_READ, offset);
}

static inline swp_entry_t make_writable_device_private_entry(unsigned long offset)
{
	return swp_entry(SWP_DEVICE_WRITE, offset);
}

static inline bool is_device_private_entry(swp_entry_t entry)
{
	return swp_type(entry) == SWP_DEVICE_READ || swp_type(entry) == SWP_DEVICE_WRITE;
}

static inline bool is_writable_device_private_entry(swp_entry_t entry)
{
	return swp_type(entry) == SWP_DEVICE_WRITE;
}

static inline swp_entry_t make_readable_device_exclusive_entry(unsigned long offset)
{
	return swp_entry(SWP_DEVICE_EXCLUSIVE_READ, offset);
}

static inline swp_entry_t make_writable_device_exclusive_entry(unsigned long offset)
{
	return swp_entry(SWP_DEVICE_EXCLUSIVE_WRITE, offset);
}

static inline bool is_device_exclusive_entry(swp_entry_t entry)
{
	return swp_type(entry) == SWP_DEVICE_EXCLUSIVE_READ || swp_type(entry) == SWP_DEVICE_EXCLUSIVE_WRITE;
}

/* Does the offset hold a page frame number? */
static inline bool is_pfn_swap_entry(swp_entry_t entry)
{
	return is_migration_entry(entry) || is_hwpoison_entry(entry) || is_device_private_entry(entry) ||
	       is_device_exclusive_entry(entry);
}

static inline unsigned long swp_offset_pfn(swp_entry_t entry)
{
	return (unsigned long)(swp_offset(entry) & SWP_PFN_MASK);
}

static inline struct page *pfn_swap_entry_to_page(swp_entry_t entry)
{
	return pfn_to_page(swp_offset_pfn(entry));
}

/* Markers: nothing is mapped, but something is to be known of the address. */
#define PTE_MARKER_UFFD_WP 1ul
#define PTE_MARKER_POISONED 2ul
#define PTE_MARKER_MASK 3ul

static inline pte_t make_pte_marker(unsigned long marker)
{
	return swp_entry_to_pte(swp_entry(SWP_PTE_MARKER, marker));
}

static inline bool is_pte_marker_entry(swp_entry_t entry)
{
	return swp_type(entry) == SWP_PTE_MARKER;
}

static inline bool is_pte_marker(pte_t pte)
{
	return is_swap_pte(pte) && is_pte_marker_entry(pte_to_swp_entry(pte));
}

static inline unsigned long pte_marker_get(swp_entry_t entry)
{
	return swp_offset(entry) & PTE_MARKER_MASK;
}

#endif
