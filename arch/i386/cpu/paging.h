/* SPDX-License-Identifier: MIT */
/* Entries of page tables in 32 bits, with PAE and without: Intel SDM volume 3A, sections 4.3 and 4.4. */
#ifndef ARCH_I386_CPU_PAGING_H
#define ARCH_I386_CPU_PAGING_H

#include <octavo/types.h>

#ifdef OCTAVO_ARCH_I386_PAE
#define PAGING_LARGE_SHIFT 21
#define PTE_NX (1ull << 63)
#else
#define PAGING_LARGE_SHIFT 22
#define PTE_NX 0u
#endif
#define PAGING_LARGE_SIZE ((size_t)1 << PAGING_LARGE_SHIFT)

#define PTE_PRESENT 0x001u
#define PTE_WRITE 0x002u
#define PTE_CACHE_DISABLE 0x010u
#define PTE_LARGE 0x080u

#endif
