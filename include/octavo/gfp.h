/* SPDX-License-Identifier: MIT */
/*
 * The page allocator's interface: GFP bits and allocation calls, as Linux 6.12 names and numbers them, so
 * that a mask in a report means what its reader expects.
 */
#ifndef OCTAVO_GFP_H
#define OCTAVO_GFP_H

#include <octavo/mmzone.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

struct page;
struct folio;

/* Zone modifiers */
#define __GFP_DMA ((gfp_t)0x01)
#define __GFP_HIGHMEM ((gfp_t)0x02)
#define __GFP_DMA32 ((gfp_t)0x04)
#define __GFP_MOVABLE ((gfp_t)0x08) /* also: the page may be moved later */
#define GFP_ZONEMASK (__GFP_DMA | __GFP_HIGHMEM | __GFP_DMA32 | __GFP_MOVABLE)

/* Placement and mobility */
#define __GFP_RECLAIMABLE ((gfp_t)0x10)
#define __GFP_WRITE ((gfp_t)0x1000)
#define __GFP_HARDWALL ((gfp_t)0x100000)
#define __GFP_THISNODE ((gfp_t)0x200000)
#define __GFP_ACCOUNT ((gfp_t)0x400000)

/* Watermarks */
#define __GFP_HIGH ((gfp_t)0x20)
#define __GFP_MEMALLOC ((gfp_t)0x20000)
#define __GFP_NOMEMALLOC ((gfp_t)0x80000)

/* Reclaim */
#define __GFP_IO ((gfp_t)0x40)
#define __GFP_FS ((gfp_t)0x80)
#define __GFP_DIRECT_RECLAIM ((gfp_t)0x400)
#define __GFP_KSWAPD_RECLAIM ((gfp_t)0x800)
#define __GFP_RECLAIM (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)
#define __GFP_RETRY_MAYFAIL ((gfp_t)0x4000)
#define __GFP_NOFAIL ((gfp_t)0x8000)
#define __GFP_NORETRY ((gfp_t)0x10000)

/* Action */
#define __GFP_ZERO ((gfp_t)0x100)
#define __GFP_NOWARN ((gfp_t)0x2000)
#define __GFP_COMP ((gfp_t)0x40000)
#define __GFP_ZEROTAGS ((gfp_t)0x800000)
#define __GFP_BITS_MASK ((gfp_t)0xffffff)

/* Useful combinations */
#define GFP_ATOMIC (__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL (__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_KERNEL_ACCOUNT (GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_NOWAIT (__GFP_KSWAPD_RECLAIM | __GFP_NOWARN)
#define GFP_NOIO (__GFP_RECLAIM)
#define GFP_NOFS (__GFP_RECLAIM | __GFP_IO)
#define GFP_USER (__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HARDWALL)
#define GFP_DMA __GFP_DMA
#define GFP_DMA32 __GFP_DMA32
#define GFP_HIGHUSER (GFP_USER | __GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | __GFP_MOVABLE)
#define GFP_TRANSHUGE_LIGHT ((GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOMEMALLOC | __GFP_NOWARN) & ~__GFP_RECLAIM)
#define GFP_TRANSHUGE (GFP_TRANSHUGE_LIGHT | __GFP_DIRECT_RECLAIM)

static inline bool gfpflags_allow_blocking(gfp_t gfp)
{
	return (gfp & __GFP_DIRECT_RECLAIM) != 0;
}

/**
 * alloc_pages - allocate 2^@order contiguous page frames
 * @gfp: where from and what may be done to get them; with __GFP_COMP the pages form one compound page
 * @order: 0 to MAX_PAGE_ORDER
 *
 * Context: any; may sleep if @gfp has __GFP_DIRECT_RECLAIM. Interrupts and atomic context need GFP_ATOMIC or
 * GFP_NOWAIT. Return: the first page, aligned to its size, reference count 1; NULL after a report unless
 * __GFP_NOWARN. A @gfp that makes no sense or an @order too large is reported and fails.
 */
OCTAVO_API struct page *__must_check alloc_pages(gfp_t gfp, unsigned int order);

/** alloc_pages_node - the same, from @nid first; NUMA_NO_NODE: this CPU's node */
OCTAVO_API struct page *__must_check alloc_pages_node(int nid, gfp_t gfp, unsigned int order);

/** __alloc_pages - the same with a set of nodes that may be used; @nodemask NULL: all */
OCTAVO_API struct page *__must_check __alloc_pages(gfp_t gfp, unsigned int order, int preferred_nid,
						   const nodemask_t *nodemask);

/** folio_alloc - alloc_pages() with __GFP_COMP; a folio is a compound page or a single one */
OCTAVO_API struct folio *__must_check folio_alloc(gfp_t gfp, unsigned int order);

/**
 * alloc_pages_bulk - many single pages at once
 * @nr: entries of @pages; those that are NULL are filled in order, the others left
 * Return: number of entries that are not NULL at the end from the start of the array on.
 */
OCTAVO_API unsigned long alloc_pages_bulk(gfp_t gfp, unsigned long nr, struct page **pages);
OCTAVO_API unsigned long alloc_pages_bulk_node(gfp_t gfp, int nid, unsigned long nr, struct page **pages);

/**
 * __get_free_pages - pages by their address in the direct map; __GFP_HIGHMEM is refused
 * Return: virtual address or 0.
 */
OCTAVO_API unsigned long __must_check __get_free_pages(gfp_t gfp, unsigned int order);
OCTAVO_API unsigned long __must_check get_zeroed_page(gfp_t gfp);
#define __get_free_page(gfp) __get_free_pages(gfp, 0)
#define __get_dma_pages(gfp, order) __get_free_pages((gfp) | GFP_DMA, order)
#define get_dma_pages(gfp, order) __get_dma_pages(gfp, order)
#define alloc_page(gfp) alloc_pages(gfp, 0)

/**
 * alloc_pages_exact - @size bytes of contiguous pages, without the rest of the power of two
 * Return: address in the direct map, or NULL. Free with free_pages_exact() and the same size.
 */
OCTAVO_API void *__must_check alloc_pages_exact(size_t size, gfp_t gfp);
OCTAVO_API void *__must_check alloc_pages_exact_nid(int nid, size_t size, gfp_t gfp);
OCTAVO_API void free_pages_exact(void *virt, size_t size);

/**
 * __free_pages - drop the caller's reference to 2^@order pages; the last one frees them
 * Context: any. A page that is not allocated, or of another order, is reported as a bad page and not freed.
 */
OCTAVO_API void __free_pages(struct page *page, unsigned int order);
OCTAVO_API void free_pages(unsigned long addr, unsigned int order);
#define __free_page(page) __free_pages(page, 0)
#define free_page(addr) free_pages(addr, 0)

/** split_page - make 2^@order single pages, each with a reference of its own, of a non-compound block */
OCTAVO_API void split_page(struct page *page, unsigned int order);

/** drain_all_pages - give cached pages of all CPUs back to @zone (NULL: every zone). May sleep. */
OCTAVO_API void drain_all_pages(struct zone *zone);
OCTAVO_API void drain_local_pages(struct zone *zone);

/** alloc_contig_range - take the frames [@start, @end) out of the allocator, wherever they are free
 * Return: 0; -EBUSY if some frame is in use and cannot be moved (no migration yet: in use at all); -EINVAL.
 * Free with free_contig_range(). Context: may sleep.
 */
OCTAVO_API int __must_check alloc_contig_range(unsigned long start, unsigned long end, unsigned int migratetype,
					       gfp_t gfp);
OCTAVO_API struct page *__must_check alloc_contig_pages(unsigned long nr_pages, gfp_t gfp, int nid,
							const nodemask_t *nodemask);
OCTAVO_API void free_contig_range(unsigned long pfn, unsigned long nr_pages);

OCTAVO_API unsigned long nr_free_pages(void);
OCTAVO_API unsigned long nr_free_buffer_pages(void);
OCTAVO_API unsigned long totalram_pages(void);

OCTAVO_END_DECLS
#endif
