/* SPDX-License-Identifier: MIT */
/*
 * Kinds of kernel addresses, and what becomes what.
 *
 *	physical address	phys_addr_t: a byte of the machine's memory, or of a device
 *	linear address		a pointer into the direct map, where all memory but high memory shows: page_address()
 *	image address		a pointer to a symbol of the kernel; the same memory has a linear address, too
 *	mapped address		a pointer into a vmalloc, kmap or fixmap area: vmalloc_to_page(), kmap_to_page()
 *
 * What cannot be converted gives NULL or 0, as said with each. Debug builds (OCTAVO_DEBUG) report it, too, with the
 * caller's stack: "__pa used for non-linear address: 0xffffc90000005000 (in the vmalloc area ...)".
 *
 * All may be called from any context, once mm_init() is through.
 */
#ifndef OCTAVO_ADDRESS_H
#define OCTAVO_ADDRESS_H

#include <octavo/page.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/** octavo_pa - __pa(): the physical address of a linear or image address; 0 of others */
OCTAVO_API phys_addr_t octavo_pa(const void *virt);
/** octavo_pa_symbol - __pa_symbol(): of an image address only; 0 of others */
OCTAVO_API phys_addr_t octavo_pa_symbol(const void *symbol);
/** octavo_va - __va(): the linear address of memory; NULL of high memory, of devices, and of what is nothing */
OCTAVO_API void *octavo_va(phys_addr_t phys);

#define __pa(x) octavo_pa((const void *)(uintptr_t)(x))
#define __pa_symbol(x) octavo_pa_symbol((const void *)(uintptr_t)(x))
#define __va(x) octavo_va((phys_addr_t)(x))

/** lm_alias - the linear address of an image address; NULL of others */
OCTAVO_API void *lm_alias(const void *symbol);

/** virt_addr_valid - is it a linear address of memory with a descriptor? Reports nothing. */
OCTAVO_API bool virt_addr_valid(const void *virt);

/** page_to_virt - the linear address of a page; NULL of high memory, and of pointers that are no descriptors */
OCTAVO_API void *page_to_virt(const struct page *page);

/** virt_to_pfn - the frame of a linear address; PFN_NONE of others */
OCTAVO_API unsigned long virt_to_pfn(const void *virt);

/**
 * octavo_pfn_to_page - the descriptor of a frame; NULL if it has none pfn_to_page() itself is arithmetic. Code that
 * is compiled with OCTAVO_DEBUG and includes this header has this one in its place.
 */
OCTAVO_API struct page *octavo_pfn_to_page(unsigned long pfn);
#ifdef OCTAVO_DEBUG
#define pfn_to_page(pfn) octavo_pfn_to_page(pfn)
#endif

OCTAVO_END_DECLS
#endif
