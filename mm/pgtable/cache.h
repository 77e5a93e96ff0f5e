/* SPDX-License-Identifier: MIT */
/*
 * Cache control, by Linux's names (Documentation/core-api/cachetlb.rst), for the places which that text names.
 *
 * All formats here are of machines whose data caches are looked up by physical address, or behave as if they were
 * (Intel SDM volume 3A section 11.5; Arm ARM DDI 0487 section D7.5.9: data caches act as physically indexed, physically
 * tagged ones). One physical address is in one place whatever it is called, so a change of mapping leaves nothing to
 * write back: flush_cache_*() and flush_dcache_*() do nothing. What is left is instruction fetch, which arm64 does not
 * keep in step with data: flush_icache_range() is the port's business, and set_memory_x() calls it. The others have no
 * callers yet: a format with virtually indexed data caches would bring bodies for them and the calls.
 */
#ifndef MM_PGTABLE_CACHE_H
#define MM_PGTABLE_CACHE_H

#include <octavo/port.h>

#include "../base/compiler.h"

struct mm_struct;
struct page;
struct folio;

/* Ahead of a change: all of an address space, a range of it, one page of it. */
static inline void flush_cache_mm(struct mm_struct *mm)
{
	(void)mm;
}

static inline void flush_cache_range(struct mm_struct *mm, uintptr_t start, uintptr_t end)
{
	(void)mm;
	(void)start;
	(void)end;
}

static inline void flush_cache_page(struct mm_struct *mm, uintptr_t virt, unsigned long pfn)
{
	(void)mm;
	(void)virt;
	(void)pfn;
}

static inline void flush_cache_all(void)
{
}

/* The kernel's own: behind the mapping of a range, ahead of unmapping it. */
static inline void flush_cache_vmap(uintptr_t start, uintptr_t end)
{
	(void)start;
	(void)end;
}

static inline void flush_cache_vunmap(uintptr_t start, uintptr_t end)
{
	(void)start;
	(void)end;
}

/* The kernel wrote to a page, or is about to read one, which users have mapped at other addresses. */
static inline void flush_dcache_page(struct page *page)
{
	(void)page;
}

static inline void flush_dcache_folio(struct folio *folio)
{
	(void)folio;
}

/* Instructions were written to [start, end): pointers, not addresses, where the two differ. */
static inline void flush_icache_range(const void *start, const void *end)
{
	port_icache_sync(start, (size_t)((const char *)end - (const char *)start));
}

#endif
