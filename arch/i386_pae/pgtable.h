/* SPDX-License-Identifier: MIT */
/*
 * Page tables of IA-32 with PAE: entries of 64 bits, 3 levels, and a root (PDPT) of four entries that know only P, PWT
 * and PCD. ../x86/pgtable.h has the picture. Bits 62-52 are reserved, so there are no protection keys, and software has
 * 9-11. Addresses are taken to 44 bits: more, and a page frame number would not fit in a word.
 * Swap: as in long mode, but for exclusive (bit 7).
 */
#ifndef ARCH_I386_PAE_PGTABLE_H
#define ARCH_I386_PAE_PGTABLE_H

#include <octavo/types.h>

typedef u64 pgt_entry_t;

#define PGT_NAME "i386_pae"
#define PGT_LEVELS 3
#define PGT_VIRT_BITS 32
#define PGT_PHYS_BITS 44
#define PGT_TABLE_BITS 9
#define PGT_ROOT_BITS 2
#define PGT_LEAF_LEVELS 3u /* 4 KiB, 2 MiB */
#define PGT_TWO_ROOTS 0
#define PGT_CONT_ENTRIES 1
#define PGT_BREAK_BEFORE_MAKE 0
#define PGT_TABLE_YOUNG 1
#define PGT_SWAP_TYPE_BITS 5
#define PGT_SWAP_OFFSET_BITS 50

#define X86_ADDRESS 0x00000ffffffff000ull
#define X86_NX (1ull << 63)
#define X86_PKEY_SHIFT 59
#define X86_PKEY 0ull
#define X86_UFFD_WP (1ull << 10)
#define X86_SOFT_DIRTY (1ull << 11)
#define X86_DEVMAP 0ull
#define X86_INVERTS 1
#define X86_SAYS_NOTHING 0ull
#define X86_BARE_LEVEL 2u

#define X86_SWAP_OFFSET_SHIFT 9
#define X86_SWAP_OFFSET (((1ull << PGT_SWAP_OFFSET_BITS) - 1) << X86_SWAP_OFFSET_SHIFT)
#define X86_SWAP_TYPE_SHIFT 59
#define X86_SWAP_SOFT_DIRTY (1ull << 1)
#define X86_SWAP_UFFD_WP (1ull << 2)
#define X86_SWAP_EXCLUSIVE (1ull << 7)

#include "../x86/pgtable.h"

static inline bool pgt_canonical(u64 virt)
{
	return !(virt >> PGT_VIRT_BITS);
}

#endif
