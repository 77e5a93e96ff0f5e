/* SPDX-License-Identifier: MIT */
/*
 * CMA: areas set aside at boot, from which large contiguous ranges can be had later, and which serve movable
 * pages meanwhile.
 */
#ifndef OCTAVO_CMA_H
#define OCTAVO_CMA_H

#include <octavo/gfp.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

struct cma;
struct page;

#define MAX_CMA_AREAS 20
#define CMA_MAX_NAME 64
/* Areas begin and end at pageblocks. */
#define CMA_MIN_ALIGNMENT_PAGES pageblock_nr_pages
#define CMA_MIN_ALIGNMENT_BYTES (CMA_MIN_ALIGNMENT_PAGES * PAGE_SIZE)

/**
 * cma_declare_contiguous - reserve an area from memblock
 * @base: where, or 0 for anywhere
 * @size: bytes; rounded up to pageblocks
 * @limit: the area ends below this address; 0: no limit
 * @alignment: of its start, a power of two or 0
 * @order_per_bit: its pages are handed out in units of 2^@order_per_bit
 * @fixed: at @base or not at all
 * @name: for reports, may be NULL
 * @res_cma: set to the area
 *
 * Context: boot, before the page allocator opens. Return: 0; -EINVAL for sizes and alignments that make no sense;
 * -EBUSY if the fixed range is taken; -ENOMEM if there is no such range; -ENOSPC when there are MAX_CMA_AREAS.
 */
OCTAVO_API int __must_check cma_declare_contiguous(phys_addr_t base, phys_addr_t size, phys_addr_t limit,
						   phys_addr_t alignment, unsigned int order_per_bit, bool fixed,
						   const char *name, struct cma **res_cma);

/**
 * cma_init_reserved_mem - make an area of a range that is reserved in memblock already
 * @base, @size: must be multiples of CMA_MIN_ALIGNMENT_BYTES
 * Context: boot. Return: 0; -EINVAL; -ENOSPC.
 */
OCTAVO_API int __must_check cma_init_reserved_mem(phys_addr_t base, phys_addr_t size, unsigned int order_per_bit,
						  const char *name, struct cma **res_cma);

/**
 * cma_alloc - @count contiguous pages of an area
 * @align: order of the alignment of the first page
 * @no_warn: be silent when it fails
 * Pages that somebody uses and that cannot be moved are passed over.
 * Context: may sleep. Return: the first page, each with one reference; NULL.
 */
OCTAVO_API struct page *__must_check cma_alloc(struct cma *cma, unsigned long count, unsigned int align,
					       bool no_warn);

/**
 * cma_release - give pages back
 * Return: false if they are not of the area, or not all handed out (nothing is freed then).
 */
OCTAVO_API bool cma_release(struct cma *cma, const struct page *pages, unsigned long count);

/** cma_pages_valid - do these pages lie in the area? */
OCTAVO_API bool cma_pages_valid(struct cma *cma, const struct page *pages, unsigned long count);

OCTAVO_API phys_addr_t cma_get_base(const struct cma *cma);
OCTAVO_API unsigned long cma_get_size(const struct cma *cma);
OCTAVO_API const char *cma_get_name(const struct cma *cma);
/** cma_used_pages - pages handed out by cma_alloc() */
OCTAVO_API unsigned long cma_used_pages(const struct cma *cma);

/** dma_contiguous_default_area - the area of cma=, or NULL */
OCTAVO_API extern struct cma *dma_contiguous_default_area;

OCTAVO_END_DECLS
#endif
