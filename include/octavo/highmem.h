/* SPDX-License-Identifier: MIT */
/*
 * Reaching the contents of any page, also of high memory, which the direct map does not show: i386 machines with more
 * than about 900 MiB. Where the direct map shows the page all of this is arithmetic. Names are Linux's
 * (<linux/highmem.h>).
 *
 * kmap_local_page() is the one to use: a place for one CPU, in any context, given back in reverse order. kmap() gives a
 * place that all CPUs see, for as long as one likes, of which there are few.
 */
#ifndef OCTAVO_HIGHMEM_H
#define OCTAVO_HIGHMEM_H

#include <octavo/page.h>
#include <octavo/pgprot.h>
#include <octavo/preempt.h>

OCTAVO_BEGIN_DECLS

/* ---- For one CPU ---- */

/* kmap_local_page(), kunmap_local(): <octavo/page.h> */

/**
 * kmap_local_page_prot - kmap_local_page() with rights and cache mode of one's own
 * Where the direct map shows the page its rights are the direct map's.
 */
OCTAVO_API void *kmap_local_page_prot(struct page *page, pgprot_t prot);

/** kmap_local_pfn - the same for a frame, which need not be memory: uncached is for the caller to say (_prot) */
OCTAVO_API void *kmap_local_pfn(unsigned long pfn);
OCTAVO_API void *kmap_local_pfn_prot(unsigned long pfn, pgprot_t prot);

/** kmap_local_folio - where byte @offset of a folio shows, up to the end of its page */
static inline void *kmap_local_folio(struct folio *folio, size_t offset)
{
	return (char *)kmap_local_page(&folio->page + (offset >> PAGE_SHIFT)) + (offset & ~PAGE_MASK);
}

/** kmap_atomic - kmap_local_page() with preemption off until kunmap_atomic(); kept for code that relies on it */
static inline void *kmap_atomic(struct page *page)
{
	preempt_disable();
	return kmap_local_page(page);
}

static inline void kunmap_atomic(const void *virt)
{
	kunmap_local(virt);
	preempt_enable();
}

/* ---- For all CPUs ---- */

/**
 * kmap - see a page at an address that is good on every CPU until kunmap()
 * A page that is there already is counted. When all slots are in use kmap() waits for one: who holds some must not wait
 * for more than others can give back.
 * Context: thread context, interrupts on, no spinlock held. Return: NULL for high memory, after a report, on a port
 * without page tables, and on one that cannot have other CPUs forget a mapping (port_cpu_call()) once the slots are
 * used up.
 */
OCTAVO_API void *kmap(struct page *page);

/** kunmap - one kmap() less. The address stays good until the slot is wanted. Any context. */
OCTAVO_API void kunmap(const struct page *page);

/** kmap_flush_unused - slots nobody uses any more show nothing any more. Context as kmap(). */
OCTAVO_API void kmap_flush_unused(void);

/** kmap_to_page - the page that an address of kmap(), kmap_local_page() or the direct map shows; NULL: none */
OCTAVO_API struct page *kmap_to_page(const void *virt);

/* ---- Contents ---- */

OCTAVO_API void memcpy_from_page(void *to, struct page *page, size_t offset, size_t len);
OCTAVO_API void memcpy_to_page(struct page *page, size_t offset, const void *from, size_t len);
OCTAVO_API void memcpy_page(struct page *to, size_t to_offset, struct page *from, size_t from_offset, size_t len);
OCTAVO_API void memset_page(struct page *page, size_t offset, int byte, size_t len);

static inline void memzero_page(struct page *page, size_t offset, size_t len)
{
	memset_page(page, offset, 0, len);
}

/** PageHighMem - is it a page that the direct map does not show? */
static inline bool PageHighMem(const struct page *page)
{
	return page_zonenum(page) == ZONE_HIGHMEM;
}

OCTAVO_END_DECLS
#endif
