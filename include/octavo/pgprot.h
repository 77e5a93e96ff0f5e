/* SPDX-License-Identifier: MIT */
/*
 * What a mapping allows, the same on every machine: page-table code turns it into the bits of the format at hand, and
 * what the format cannot say (no execution without NX, a cache mode it lacks) becomes the nearest that is safe.
 */
#ifndef OCTAVO_PGPROT_H
#define OCTAVO_PGPROT_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/** struct pgprot - rights and attributes of a mapping: PGPROT_* */
typedef struct pgprot {
	u32 bits;
} pgprot_t;

#define PGPROT_READ 1u	     /* without it nothing is accessible, though an entry is there (PROT_NONE) */
#define PGPROT_WRITE 2u
#define PGPROT_EXEC 4u
#define PGPROT_USER 8u	     /* accessible to user mode */
#define PGPROT_GLOBAL 16u    /* the same in all address spaces: kept when the page table is changed */
#define PGPROT_ACCESSED 32u
#define PGPROT_DIRTY 64u
#define PGPROT_SPECIAL 128u  /* no struct page behind it that counts its mappings */
#define PGPROT_SOFT_DIRTY 0x800u
#define PGPROT_DEVMAP 0x1000u
#define PGPROT_CONT 0x2000u  /* arm64: part of an aligned group of 16 alike entries */
#define PGPROT_PKEY_SHIFT 16 /* x86-64: protection key, 4 bits */
#define PGPROT_PKEY_MASK (0xfu << PGPROT_PKEY_SHIFT)

/* How memory is cached: Intel SDM volume 3A section 11.3; arm64 has the nearest of its own. */
enum page_cache_mode {
	PAGE_CACHE_WB,	     /* write back */
	PAGE_CACHE_WC,	     /* write combining (arm64: Normal non-cacheable) */
	PAGE_CACHE_UC_MINUS, /* uncached, unless an MTRR says write combining (arm64: Device-nGnRE) */
	PAGE_CACHE_UC,	     /* uncached (arm64: Device-nGnRnE) */
	PAGE_CACHE_WT,	     /* write through */
	PAGE_CACHE_WP,	     /* write protected */
};
#define PGPROT_CACHE_SHIFT 8
#define PGPROT_CACHE_MASK (7u << PGPROT_CACHE_SHIFT)
#define PGPROT_CACHE(mode) ((u32)(mode) << PGPROT_CACHE_SHIFT)

#ifdef __cplusplus
#define octavo_pgprot(b) (pgprot_t{ (u32)(b) })
#else
#define octavo_pgprot(b) ((pgprot_t){ (u32)(b) })
#endif
#define PGPROT_KERNEL_BITS (PGPROT_READ | PGPROT_GLOBAL | PGPROT_ACCESSED)
#define PGPROT_KERNEL_RW (PGPROT_KERNEL_BITS | PGPROT_WRITE | PGPROT_DIRTY)

#define PAGE_KERNEL octavo_pgprot(PGPROT_KERNEL_RW)
#define PAGE_KERNEL_RO octavo_pgprot(PGPROT_KERNEL_BITS)
#define PAGE_KERNEL_EXEC octavo_pgprot(PGPROT_KERNEL_RW | PGPROT_EXEC)
#define PAGE_KERNEL_ROX octavo_pgprot(PGPROT_KERNEL_BITS | PGPROT_EXEC)
#define PAGE_KERNEL_NOCACHE octavo_pgprot(PGPROT_KERNEL_RW | PGPROT_CACHE(PAGE_CACHE_UC_MINUS))
#define PAGE_KERNEL_IO PAGE_KERNEL

#define PGPROT_USER_BITS (PGPROT_READ | PGPROT_USER | PGPROT_ACCESSED)
#define PAGE_NONE octavo_pgprot(PGPROT_ACCESSED)
#define PAGE_READONLY octavo_pgprot(PGPROT_USER_BITS)
#define PAGE_READONLY_EXEC octavo_pgprot(PGPROT_USER_BITS | PGPROT_EXEC)
#define PAGE_COPY PAGE_READONLY
#define PAGE_COPY_EXEC PAGE_READONLY_EXEC
#define PAGE_SHARED octavo_pgprot(PGPROT_USER_BITS | PGPROT_WRITE)
#define PAGE_SHARED_EXEC octavo_pgprot(PGPROT_USER_BITS | PGPROT_WRITE | PGPROT_EXEC)

static inline pgprot_t pgprot_cached_as(pgprot_t prot, enum page_cache_mode mode)
{
	return octavo_pgprot((prot.bits & ~PGPROT_CACHE_MASK) | PGPROT_CACHE(mode));
}

static inline enum page_cache_mode pgprot_cache_mode(pgprot_t prot)
{
	return (enum page_cache_mode)((prot.bits & PGPROT_CACHE_MASK) >> PGPROT_CACHE_SHIFT);
}

#define pgprot_noncached(prot) pgprot_cached_as(prot, PAGE_CACHE_UC_MINUS)
#define pgprot_writecombine(prot) pgprot_cached_as(prot, PAGE_CACHE_WC)
#define pgprot_writethrough(prot) pgprot_cached_as(prot, PAGE_CACHE_WT)

OCTAVO_END_DECLS
#endif
