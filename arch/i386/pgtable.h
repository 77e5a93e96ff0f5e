/* SPDX-License-Identifier: MIT */
/*
 * Page tables of IA-32 without PAE: entries of 32 bits, 2 levels, leaves of 4 KiB and (CR4.PSE) 4 MiB. No NX. Of the
 * three bits that processors leave to software one is used, for special entries: a swap entry has no room for
 * soft-dirty and userfaultfd, and a bit that swapping loses is worth nothing.
 * Swap: offset in bits 9-31, exclusive 7, type in 1-5.
 */
#ifndef ARCH_I386_PGTABLE_H
#define ARCH_I386_PGTABLE_H

#include <octavo/types.h>

typedef u32 pgt_entry_t;

#define PGT_NAME "i386"
#define PGT_LEVELS 2
#define PGT_VIRT_BITS 32
#define PGT_PHYS_BITS 32
#define PGT_TABLE_BITS 10
#define PGT_ROOT_BITS 10
#define PGT_LEAF_LEVELS 3u /* 4 KiB, 4 MiB */
#define PGT_TWO_ROOTS 0
#define PGT_CONT_ENTRIES 1
#define PGT_BREAK_BEFORE_MAKE 0
#define PGT_TABLE_YOUNG 1
#define PGT_SWAP_TYPE_BITS 5
#define PGT_SWAP_OFFSET_BITS 23

#define X86_ADDRESS 0xfffff000u
#define X86_NX 0u
#define X86_PKEY_SHIFT 0
#define X86_PKEY 0u
#define X86_UFFD_WP 0u
#define X86_SOFT_DIRTY 0u
#define X86_DEVMAP 0u
#define X86_INVERTS 0
#define X86_SAYS_NOTHING 0u
#define X86_BARE_LEVEL (~0u) /* no level has entries of P, PWT and PCD only */

#define X86_SWAP_OFFSET_SHIFT 9
#define X86_SWAP_OFFSET (((1u << PGT_SWAP_OFFSET_BITS) - 1) << X86_SWAP_OFFSET_SHIFT)
#define X86_SWAP_TYPE_SHIFT 1
#define X86_SWAP_SOFT_DIRTY 0u
#define X86_SWAP_UFFD_WP 0u
#define X86_SWAP_EXCLUSIVE (1u << 7)

#include "../x86/pgtable.h"

static inline bool pgt_canonical(u64 virt)
{
	return !(virt >> PGT_VIRT_BITS);
}

#endif
