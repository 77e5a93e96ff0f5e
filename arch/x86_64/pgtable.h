/* SPDX-License-Identifier: MIT */
/*
 * Page tables of long mode: 4 levels and 48 bits of address, or 5 and 57 (CR4.LA57). Entries are the same in both.
 * ../x86/pgtable.h has the picture. Swap: offset in bits 9-58 (inverted), type in 59-63, exclusive 3, userfaultfd 2,
 * soft-dirty 1.
 */
#ifndef ARCH_X86_64_PGTABLE_H
#define ARCH_X86_64_PGTABLE_H

#include <octavo/types.h>

typedef u64 pgt_entry_t;

#ifdef OCTAVO_ARCH_X86_64_LA57
#define PGT_NAME "x86_64_la57"
#define PGT_LEVELS 5
#define PGT_VIRT_BITS 57
#else
#define PGT_NAME "x86_64"
#define PGT_LEVELS 4
#define PGT_VIRT_BITS 48
#endif
#define PGT_PHYS_BITS 52
#define PGT_TABLE_BITS 9
#define PGT_ROOT_BITS 9
#define PGT_LEAF_LEVELS 7u /* 4 KiB, 2 MiB, 1 GiB */
#define PGT_TWO_ROOTS 0
#define PGT_CONT_ENTRIES 1
#define PGT_BREAK_BEFORE_MAKE 0
#define PGT_TABLE_YOUNG 1
#define PGT_SWAP_TYPE_BITS 5
#define PGT_SWAP_OFFSET_BITS 50

#define X86_ADDRESS 0x000ffffffffff000ull
#define X86_NX (1ull << 63)
#define X86_PKEY_SHIFT 59
#define X86_PKEY (0xfull << X86_PKEY_SHIFT)
#define X86_UFFD_WP (1ull << 10)
#define X86_SOFT_DIRTY (1ull << 11)
#define X86_DEVMAP (1ull << 57)
#define X86_INVERTS 1
#define X86_SAYS_NOTHING (X86_A | X86_D)
#define X86_BARE_LEVEL (~0u) /* no level has entries of P, PWT and PCD only */

#define X86_SWAP_OFFSET_SHIFT 9
#define X86_SWAP_OFFSET (((1ull << PGT_SWAP_OFFSET_BITS) - 1) << X86_SWAP_OFFSET_SHIFT)
#define X86_SWAP_TYPE_SHIFT 59
#define X86_SWAP_SOFT_DIRTY (1ull << 1)
#define X86_SWAP_UFFD_WP (1ull << 2)
#define X86_SWAP_EXCLUSIVE (1ull << 3)

#include "../x86/pgtable.h"

/* Bits 63 to PGT_VIRT_BITS - 1 are alike. */
static inline bool pgt_canonical(u64 virt)
{
	return (u64)((s64)(virt << (64 - PGT_VIRT_BITS)) >> (64 - PGT_VIRT_BITS)) == virt;
}

#define PGT_KERNEL_START (1ull << 63)

#endif
