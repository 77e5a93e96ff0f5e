/* SPDX-License-Identifier: MIT */
/*
 * Entries of the kernel's own page tables with four levels (Intel SDM volume 3A, section 4.5). A port's
 * start-up needs only these; the formats for processes are arch/x86_64/pgtable.h's business.
 */
#ifndef ARCH_X86_64_CPU_PAGING_H
#define ARCH_X86_64_CPU_PAGING_H

#include <octavo/types.h>

#define PTE_PRESENT 0x001ull
#define PTE_WRITE 0x002ull
#define PTE_WRITE_THROUGH 0x008ull
#define PTE_CACHE_DISABLE 0x010ull
#define PTE_ACCESSED 0x020ull
#define PTE_DIRTY 0x040ull
#define PTE_LARGE 0x080ull /* a leaf in a directory: 2 MiB or 1 GiB */
#define PTE_GLOBAL 0x100ull
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull

/* Level 1 maps 4 KiB an entry, 2 maps 2 MiB, 3 maps 1 GiB, 4 maps 512 GiB. */
static inline unsigned int level_shift(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

static inline size_t level_size(unsigned int level)
{
	return (size_t)1 << level_shift(level);
}

static inline unsigned int level_index(uintptr_t virt, unsigned int level)
{
	return virt >> level_shift(level) & 511;
}

#endif
