/* SPDX-License-Identifier: MIT */
/*
 * The page-table format this build is for, and what every format must provide: arch/<isa>/pgtable.h, pure C without
 * state, which compiles anywhere. docs/page-tables.md has the semantics of each function; tests/pgfmt checks each row
 * for each format.
 *
 * Words. Levels are numbered from the pages up: level 0 holds PTEs; the root is level PGT_LEVELS - 1. An *entry* is
 * none (all zero bits but those that say nothing), present, or non-present with a meaning (swap). A present entry is
 * a *leaf* (maps 1 << PGT_SHIFT(level) bytes) or leads to a *table*.
 *
 * constants	PGT_NAME "x86_64"; PGT_LEVELS; pgt_entry_t (u32 or u64); PGT_TABLE_BITS (log2 of entries in a table),
 *		PGT_ROOT_BITS (of the root); PGT_VIRT_BITS, PGT_PHYS_BITS; PGT_LEAF_LEVELS (bit n: level n may hold
 *		leaves); PGT_TWO_ROOTS (1: the kernel half has a root of its own, arm64); PGT_SWAP_TYPE_BITS,
 *		PGT_SWAP_OFFSET_BITS; PGT_CONT_ENTRIES (16 on arm64, else 1); PGT_BREAK_BEFORE_MAKE (1: a present entry
 *		may only change its address, size or memory type by way of none and a flush); PGT_TABLE_YOUNG (1: the
 *		processor marks last-level tables' entries young, too); PGT_KERNEL_START (first address of the kernel's
 *		half, where the format fixes it)
 * what it is	pgt_none(e) pgt_present(e) pgt_valid(e) pgt_leaf(level, e) pgt_table(level, e) pgt_bad(level, e)
 *		pgt_valid: the machine sees it, too; pgt_bad: at level 1 and up, neither none nor what
 *		pgt_make_table() makes
 * what it says	pgt_leaf_phys(level, e) pgt_table_phys(level, e) pgt_prot(level, e)
 * tables	pgt_table_write pgt_table_wrprotect pgt_table_mkwrite (level, e): may anything below be written? Of last
 *		level tables of users all formats can say so.
 * make		pgt_make_leaf(level, phys, prot) pgt_make_table(level, phys, user), with the level the entry is in
 *		pgt_modify(level, e, prot): rights and cache mode anew; address, accessed, dirty, soft-dirty, special,
 *		devmap and uffd_wp stay
 *		pgt_mkinvalid(level, e), pgt_mkvalid(level, e): a leaf out of the machine's sight, and back (whether it
 *		was global is lost on the way)
 * bits		pgt_write pgt_mkwrite pgt_wrprotect; pgt_dirty pgt_mkdirty pgt_mkclean; pgt_young pgt_mkyoung pgt_mkold;
 *		pgt_exec pgt_mkexec pgt_mknoexec; pgt_user; pgt_global; pgt_cont; pgt_special pgt_mkspecial; pgt_devmap
 *		pgt_mkdevmap; pgt_soft_dirty pgt_mksoft_dirty pgt_clear_soft_dirty; pgt_uffd_wp pgt_mkuffd_wp
 *		pgt_clear_uffd_wp: all take (level, e), as large leaves may keep a bit elsewhere
 *		pgt_protnone(e): present to the core, not to the machine, and not the user's
 * swap		pgt_is_swap(e) pgt_make_swap(type, offset) pgt_swap_type(e) pgt_swap_offset(e), and bits on such
 *		entries: pgt_swap_soft_dirty pgt_swap_mksoft_dirty pgt_swap_clear_soft_dirty, the same with _uffd_wp and
 *		_exclusive. Of type 0 neither offset 0 nor the greatest is for use: one of them looks like none.
 * addresses	pgt_canonical(virt); pgt_kernel_half(virt) is below
 *
 * A format without a bit (software bits on i386 without PAE) answers as the table in the documentation says.
 */
#ifndef MM_PGTABLE_FORMAT_H
#define MM_PGTABLE_FORMAT_H

#include <octavo/pgprot.h>

#if defined(OCTAVO_ARCH_X86_64) || defined(OCTAVO_ARCH_X86_64_LA57)
#include "../../arch/x86_64/pgtable.h"
#elif defined(OCTAVO_ARCH_I386)
#include "../../arch/i386/pgtable.h"
#elif defined(OCTAVO_ARCH_I386_PAE)
#include "../../arch/i386_pae/pgtable.h"
#elif defined(OCTAVO_ARCH_ARM64)
#include "../../arch/arm64/pgtable.h"
#else
#error "no page-table format: OCTAVO_ARCH_* is not defined"
#endif

/* Log2 of what an entry of @level covers. */
#define PGT_SHIFT(level) (PAGE_SHIFT + (level)*PGT_TABLE_BITS)
#define PGT_SIZE(level) ((u64)1 << PGT_SHIFT(level))
#define PGT_MASK(level) (~(PGT_SIZE(level) - 1))
#define PGT_ROOT_LEVEL (PGT_LEVELS - 1)
#define PGT_ENTRIES(level) (1u << ((level) == PGT_ROOT_LEVEL ? PGT_ROOT_BITS : PGT_TABLE_BITS))
#define PGT_LEAF_LEVEL_MAX (PGT_LEAF_LEVELS & 4 ? 2u : PGT_LEAF_LEVELS & 2 ? 1u : 0u)

static inline unsigned int pgt_index(unsigned int level, u64 virt)
{
	return (unsigned int)(virt >> PGT_SHIFT(level)) & (PGT_ENTRIES(level) - 1);
}

/*
 * Where the kernel's half begins when the format leaves it open: 0xc0000000 (i386, 3:1) or 0x80000000 (2:2), which the
 * kernel address space sets at boot.
 */
extern u32 pgt_kernel_split;
#ifndef PGT_KERNEL_START
#define PGT_KERNEL_START pgt_kernel_split
#endif

static inline bool pgt_kernel_half(u64 virt)
{
	return virt >= PGT_KERNEL_START;
}

#endif
