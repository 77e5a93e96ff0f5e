// SPDX-License-Identifier: MIT
/*
 * CMA areas.
 *
 * Purpose
 *	Ranges reserved at boot whose pageblocks are MIGRATE_CMA: movable pages use them, and cma_alloc() gets
 *	contiguous pieces of them.
 *
 * Structures
 *	area: base_pfn, count, bitmap with one bit for 2^order_per_bit pages; 1: handed out by cma_alloc().
 *	Its frames are in the frame layer as free, unless their bit is set or movable pages use them.
 *
 * Invariants
 *	PA-I8  a set bit's pages are allocated, and by cma_alloc() only.
 *
 * Locking
 *	Each area's lock guards its bitmap. The bits are set before the frames are taken and cleared if they
 *	cannot be, so that two callers never try the same piece.
 *
 * Memory use and bounds
 *	20 areas; a bitmap from memblock.
 *
 * What failure does
 *	Declaring fails with an error and reserves nothing. cma_alloc() returns NULL when no aligned piece of the
 *	size is free of pages in use.
 */
#include "cma.h"

#include <octavo/memblock.h>
#include <octavo/page.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"
#include "memmap.h"
#include "page_alloc.h"

struct cma {
	unsigned long base_pfn, count; /* (c) */
	unsigned int order_per_bit;    /* (c) */
	bool active;		       /* (c) its frames are handed over */
	u64 *bitmap;		       /* (l) */
	unsigned long used;	       /* (l) pages whose bit is set */
	spinlock_t lock;
	char name[CMA_MAX_NAME]; /* (c) */
};

static struct cma areas[MAX_CMA_AREAS] __memsys;
static unsigned int nr_areas __memsys;
struct cma *dma_contiguous_default_area __memsys;

static unsigned long bits_of(const struct cma *cma)
{
	return cma->count >> cma->order_per_bit;
}

unsigned long cma_total_pages(void)
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < nr_areas; i++)
		sum += areas[i].count;
	return sum;
}

phys_addr_t cma_get_base(const struct cma *cma)
{
	return PFN_PHYS(cma->base_pfn);
}

unsigned long cma_get_size(const struct cma *cma)
{
	return cma->count << PAGE_SHIFT;
}

const char *cma_get_name(const struct cma *cma)
{
	return cma->name;
}

unsigned long cma_used_pages(const struct cma *cma)
{
	return READ_ONCE(cma->used);
}

/* ---- Declaring ---- */

int cma_init_reserved_mem(phys_addr_t base, phys_addr_t size, unsigned int order_per_bit, const char *name,
			  struct cma **res_cma)
{
	struct cma *cma = &areas[nr_areas];

	if (nr_areas == MAX_CMA_AREAS) {
		pr_err("Not enough slots for CMA reserved regions!\n");
		return -ENOSPC;
	}
	if (!size || (base | size) & (CMA_MIN_ALIGNMENT_BYTES - 1) || order_per_bit > PAGEBLOCK_ORDER ||
	    !memblock_is_region_reserved(base, size))
		return -EINVAL;
	cma->base_pfn = PFN_DOWN(base);
	cma->count = PFN_DOWN(size);
	cma->order_per_bit = order_per_bit;
	cma->bitmap = memblock_alloc(DIV_ROUND_UP(bits_of(cma), 64) * sizeof(u64), sizeof(u64));
	if (!cma->bitmap)
		return -ENOMEM;
	spin_lock_init(&cma->lock, LOCK_RANK_CMA);
	if (name)
		strscpy(cma->name, name, sizeof(cma->name));
	else
		octavo_snprintf(cma->name, sizeof(cma->name), "cma%u", nr_areas);
	nr_areas++;
	*res_cma = cma;
	return 0;
}

/* Where: at @base, or below @limit, above 4 GiB if there is room (to leave DMA zones their memory). 0: nowhere. */
static phys_addr_t find_place(phys_addr_t base, phys_addr_t size, phys_addr_t limit, phys_addr_t align, bool fixed)
{
	phys_addr_t end = limit ? min(limit, memblock_end_of_DRAM()) : memblock_end_of_DRAM();
	phys_addr_t low = memblock_get_current_limit(), addr = 0;

	if (fixed)
		return memblock_is_region_reserved(base, size) || !memblock_is_region_memory(base, size) ||
				       memblock_reserve(base, size) ?
			       0 :
			       base;
	/* on machines with high memory the core's own memory stays out of it; an area need not */
	if (base < low && end > low)
		addr = memblock_phys_alloc_range(size, align, low, limit ? limit : end);
	if (!addr)
		addr = memblock_phys_alloc_range(size, align, base, limit ? limit : end);
	return addr;
}

int cma_declare_contiguous(phys_addr_t base, phys_addr_t size, phys_addr_t limit, phys_addr_t alignment,
			   unsigned int order_per_bit, bool fixed, const char *name, struct cma **res_cma)
{
	phys_addr_t where;
	int err;

	if (nr_areas == MAX_CMA_AREAS) {
		pr_err("Not enough slots for CMA reserved regions!\n");
		return -ENOSPC;
	}
	if (!size || (alignment && !is_power_of_2(alignment)))
		return -EINVAL;
	alignment = max(alignment, (phys_addr_t)CMA_MIN_ALIGNMENT_BYTES);
	if (fixed && base & (alignment - 1)) {
		pr_err("Region at 0x%llx must be aligned to 0x%llx bytes\n", (unsigned long long)base,
		       (unsigned long long)alignment);
		return -EINVAL;
	}
	base = ALIGN(base, alignment);
	size = ALIGN(size, alignment);
	if (!size || base + size < base)
		return -EINVAL;
	where = find_place(base, size, limit, alignment, fixed);
	err = fixed ? -EBUSY : -ENOMEM;
	if (where) {
		err = cma_init_reserved_mem(where, size, order_per_bit, name, res_cma);
		if (err)
			(void)memblock_phys_free(where, size);
	}
	if (err)
		pr_err("cma: Failed to reserve %llu MiB\n", (unsigned long long)(size >> 20));
	else
		pr_info("cma: Reserved %llu MiB at 0x%016llx\n", (unsigned long long)(size >> 20),
			(unsigned long long)where);
	return err;
}

void cma_reserve_early(void)
{
	const struct cma_params *p = &cma_params;
	bool fixed = p->base && p->limit == p->base + p->size;

	if (!p->given || !p->size)
		return;
	/* the reason is on the console; the machine boots without the area */
	if (cma_declare_contiguous(p->base, p->size, p->limit, 0, 0, fixed, "reserved", &dma_contiguous_default_area))
		dma_contiguous_default_area = NULL;
}

/* ---- Hand-over ---- */

static bool area_in_one_zone(const struct cma *cma)
{
	struct page *first = pfn_to_online_page(cma->base_pfn);
	struct page *last = pfn_to_online_page(cma->base_pfn + cma->count - 1);

	return first && last && page_zone(first) == page_zone(last);
}

void cma_init_areas(void)
{
	for (unsigned int i = 0; i < nr_areas; i++) {
		struct cma *cma = &areas[i];
		unsigned long end = cma->base_pfn + cma->count;
		struct zone *zone;

		if (!area_in_one_zone(cma)) {
			pr_err("CMA area %s could not be activated\n", cma->name);
			continue;
		}
		zone = page_zone(pfn_to_page(cma->base_pfn));
		memmap_free_reserved(cma->base_pfn, end);
		frames_add(zone, cma->base_pfn, end, MIGRATE_CMA);
		zone->managed_pages += cma->count;
		zone->cma_pages += cma->count;
		cma->active = true;
	}
}

/* ---- Allocation ---- */

static bool test_bit(const struct cma *cma, unsigned long bit)
{
	return cma->bitmap[bit / 64] >> (bit % 64) & 1;
}

static void set_bits(struct cma *cma, unsigned long first, unsigned long nr, bool value)
{
	for (unsigned long bit = first; bit < first + nr; bit++)
		if (value)
			cma->bitmap[bit / 64] |= 1ull << (bit % 64);
		else
			cma->bitmap[bit / 64] &= ~(1ull << (bit % 64));
	cma->used += (value ? nr : 0 - nr) << cma->order_per_bit;
}

/* First bit from @from on, of @nr clear ones, whose page is aligned to 2^@align; ~0 if there is none. */
static unsigned long find_clear(const struct cma *cma, unsigned long from, unsigned long nr, unsigned int align)
{
	unsigned long end = bits_of(cma), run = 0;

	for (unsigned long bit = from; bit < end; bit++) {
		unsigned long pfn = cma->base_pfn + (bit << cma->order_per_bit);

		if (test_bit(cma, bit) || (!run && !IS_ALIGNED(pfn, 1ul << align))) {
			run = 0;
			continue;
		}
		if (++run == nr)
			return bit + 1 - nr;
	}
	return ~0ul;
}

struct page *cma_alloc(struct cma *cma, unsigned long count, unsigned int align, bool no_warn)
{
	unsigned long nr, from = 0, flags;

	if (!cma || !cma->active || !count || count > cma->count || align > 31)
		return NULL;
	nr = DIV_ROUND_UP(count, 1ul << cma->order_per_bit);
	for (;;) {
		unsigned long bit, pfn;

		spin_lock_irqsave(&cma->lock, flags);
		bit = find_clear(cma, from, nr, align);
		if (bit != ~0ul)
			set_bits(cma, bit, nr, true);
		spin_unlock_irqrestore(&cma->lock, flags);
		if (bit == ~0ul)
			break;
		pfn = cma->base_pfn + (bit << cma->order_per_bit);
		if (!alloc_contig_range(pfn, pfn + count, MIGRATE_CMA, GFP_KERNEL | (no_warn ? __GFP_NOWARN : 0))) {
			count_vm_events(CMA_ALLOC_SUCCESS, count);
			return pfn_to_page(pfn);
		}
		spin_lock_irqsave(&cma->lock, flags);
		set_bits(cma, bit, nr, false);
		spin_unlock_irqrestore(&cma->lock, flags);
		from = bit + 1;
	}
	count_vm_events(CMA_ALLOC_FAIL, count);
	if (!no_warn)
		pr_err("cma: %s: alloc failed, req-size: %lu pages, ret: -12\n", cma->name, count);
	return NULL;
}

bool cma_pages_valid(struct cma *cma, const struct page *pages, unsigned long count)
{
	unsigned long pfn;

	if (!cma || !pages)
		return false;
	pfn = page_to_pfn(pages);
	return pfn >= cma->base_pfn && pfn < cma->base_pfn + cma->count &&
	       count <= cma->base_pfn + cma->count - pfn;
}

bool cma_release(struct cma *cma, const struct page *pages, unsigned long count)
{
	unsigned long first, nr, pfn, flags;
	bool ours = true;

	if (!count || !cma_pages_valid(cma, pages, count))
		return false;
	pfn = page_to_pfn(pages);
	first = (pfn - cma->base_pfn) >> cma->order_per_bit;
	nr = DIV_ROUND_UP(count, 1ul << cma->order_per_bit);
	spin_lock_irqsave(&cma->lock, flags);
	for (unsigned long bit = first; bit < first + nr; bit++)
		ours &= test_bit(cma, bit);
	spin_unlock_irqrestore(&cma->lock, flags);
	if (!ours) {
		pr_err("cma: %s: release of [0x%lx, 0x%lx): not all of it is allocated\n", cma->name, pfn, pfn + count);
		return false;
	}
	free_contig_range(pfn, count);
	spin_lock_irqsave(&cma->lock, flags);
	set_bits(cma, first, nr, false);
	spin_unlock_irqrestore(&cma->lock, flags);
	return true;
}
