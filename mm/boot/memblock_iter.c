// SPDX-License-Identifier: MIT
/* memblock: looking things up, and walking the lists by address. */
#include "memblock_internal.h"

const struct memblock_region *mb_region_of(const struct memblock_type *type, phys_addr_t addr)
{
	unsigned long i = mb_first_after(type, addr);

	return i < type->cnt && type->regions[i].base <= addr ? &type->regions[i] : NULL;
}

/* Is this region of memory not for an allocation on @nid that wants @flags? */
static bool skip_region(const struct memblock *mb, const struct memblock_region *r, int nid, u32 flags)
{
	if (nid != NUMA_NO_NODE && r->nid != nid)
		return true;
	if (mb->skip_hotplug && (r->flags & MEMBLOCK_HOTPLUG) && !(flags & MEMBLOCK_HOTPLUG))
		return true;
	if ((flags & MEMBLOCK_MIRROR) && !(r->flags & MEMBLOCK_MIRROR))
		return true;
	return (r->flags & ~flags & (MEMBLOCK_NOMAP | MEMBLOCK_DRIVER_MANAGED)) != 0;
}

/* The first part of [@start, @end) that is not reserved. */
static bool first_unreserved(const struct memblock_type *reserved, phys_addr_t *start, phys_addr_t *end)
{
	for (unsigned long i = mb_first_after(reserved, *start); i < reserved->cnt; i++) {
		const struct memblock_region *r = &reserved->regions[i];

		if (r->base > *start) {
			*end = min(*end, r->base);
			return true;
		}
		*start = region_end(r);
		if (*start >= *end)
			return false;
	}
	return true;
}

bool mb_next_free(const struct memblock *mb, u64 *cursor, int nid, u32 flags, struct memblock_span *out)
{
	for (unsigned long i = mb_first_after(&mb->memory, *cursor); i < mb->memory.cnt; i++) {
		const struct memblock_region *r = &mb->memory.regions[i];
		phys_addr_t start = max(r->base, *cursor), end = region_end(r);

		if (skip_region(mb, r, nid, flags) || !first_unreserved(&mb->reserved, &start, &end))
			continue;
		*out = (struct memblock_span){ start, end, r->nid };
		*cursor = end;
		return true;
	}
	return false;
}

/* The last part of [@start, @end) that is not reserved. */
static bool last_unreserved(const struct memblock_type *reserved, phys_addr_t *start, phys_addr_t *end)
{
	unsigned long i = mb_first_after(reserved, *end - 1);

	/* Regions from i on end at *end or above; only the first of them may begin below it. */
	if (i < reserved->cnt && reserved->regions[i].base < *end)
		*end = reserved->regions[i].base;
	while (*end > *start) {
		const struct memblock_region *r;

		if (!i)
			return true;
		r = &reserved->regions[i - 1];
		if (region_end(r) < *end) {
			*start = max(*start, region_end(r));
			return true;
		}
		*end = r->base;
		i--;
	}
	return false;
}

bool mb_prev_free(const struct memblock *mb, u64 *cursor, int nid, u32 flags, struct memblock_span *out)
{
	unsigned long i = *cursor ? mb_first_after(&mb->memory, *cursor - 1) : 0;

	if (i < mb->memory.cnt && *cursor && mb->memory.regions[i].base < *cursor)
		i++;
	while (i-- > 0) {
		const struct memblock_region *r = &mb->memory.regions[i];
		phys_addr_t start = r->base, end = min(region_end(r), *cursor);

		if (skip_region(mb, r, nid, flags) || !last_unreserved(&mb->reserved, &start, &end))
			continue;
		*out = (struct memblock_span){ start, end, r->nid };
		*cursor = start;
		return true;
	}
	return false;
}

static bool give_span(const struct memblock_span *span, phys_addr_t *start, phys_addr_t *end, int *nid)
{
	if (start)
		*start = span->start;
	if (end)
		*end = span->end;
	if (nid)
		*nid = span->nid;
	return true;
}

bool memblock_next_free(u64 *cursor, int nid, u32 flags, phys_addr_t *start, phys_addr_t *end, int *out_nid)
{
	struct memblock_span span;

	return mb_next_free(&memblock, cursor, nid, flags, &span) && give_span(&span, start, end, out_nid);
}

bool memblock_prev_free(u64 *cursor, int nid, u32 flags, phys_addr_t *start, phys_addr_t *end, int *out_nid)
{
	struct memblock_span span;

	return mb_prev_free(&memblock, cursor, nid, flags, &span) && give_span(&span, start, end, out_nid);
}

bool memblock_next_mem(u64 *cursor, int nid, u32 skip_flags, phys_addr_t *start, phys_addr_t *end, int *out_nid)
{
	const struct memblock_type *type = &memblock.memory;

	for (unsigned long i = mb_first_after(type, *cursor); i < type->cnt; i++) {
		const struct memblock_region *r = &type->regions[i];
		struct memblock_span span = { r->base, region_end(r), r->nid };

		if ((nid != NUMA_NO_NODE && r->nid != nid) || (r->flags & skip_flags))
			continue;
		*cursor = span.end;
		return give_span(&span, start, end, out_nid);
	}
	return false;
}

bool memblock_next_reserved(u64 *cursor, phys_addr_t *start, phys_addr_t *end)
{
	unsigned long i = mb_first_after(&memblock.reserved, *cursor);
	const struct memblock_region *r = &memblock.reserved.regions[i];
	struct memblock_span span;

	if (i == memblock.reserved.cnt)
		return false;
	span = (struct memblock_span){ r->base, region_end(r), r->nid };
	*cursor = span.end;
	return give_span(&span, start, end, NULL);
}

bool memblock_next_pfn_range(u64 *cursor, int nid, unsigned long *start_pfn, unsigned long *end_pfn, int *out_nid)
{
	phys_addr_t start, end;

	while (memblock_next_mem(cursor, nid, 0, &start, &end, out_nid)) {
		if (PFN_UP(start) >= PFN_DOWN(end))
			continue;
		if (start_pfn)
			*start_pfn = PFN_UP(start);
		if (end_pfn)
			*end_pfn = PFN_DOWN(end);
		return true;
	}
	return false;
}

bool memblock_is_memory(phys_addr_t addr)
{
	return mb_region_of(&memblock.memory, addr) != NULL;
}

bool memblock_is_map_memory(phys_addr_t addr)
{
	const struct memblock_region *r = mb_region_of(&memblock.memory, addr);

	return r && !(r->flags & MEMBLOCK_NOMAP);
}

bool memblock_is_reserved(phys_addr_t addr)
{
	return mb_region_of(&memblock.reserved, addr) != NULL;
}

bool memblock_is_region_memory(phys_addr_t base, phys_addr_t size)
{
	phys_addr_t end = range_end(base, size);

	for (const struct memblock_region *r; base < end; base = region_end(r)) {
		r = mb_region_of(&memblock.memory, base);
		if (!r)
			return false;
	}
	return size != 0;
}

bool memblock_is_region_reserved(phys_addr_t base, phys_addr_t size)
{
	unsigned long i = mb_first_after(&memblock.reserved, base);

	return size && i < memblock.reserved.cnt && memblock.reserved.regions[i].base < range_end(base, size);
}

phys_addr_t memblock_phys_mem_size(void)
{
	return memblock.memory.total_size;
}

phys_addr_t memblock_reserved_size(void)
{
	return memblock.reserved.total_size;
}

phys_addr_t memblock_start_of_DRAM(void)
{
	return memblock.memory.cnt ? memblock.memory.regions[0].base : 0;
}

phys_addr_t memblock_end_of_DRAM(void)
{
	return memblock.memory.cnt ? region_end(&memblock.memory.regions[memblock.memory.cnt - 1]) : 0;
}

bool memblock_has_mirror(void)
{
	for (unsigned long i = 0; i < memblock.memory.cnt; i++)
		if (memblock.memory.regions[i].flags & MEMBLOCK_MIRROR)
			return true;
	return false;
}

int memblock_search_pfn_nid(unsigned long pfn, unsigned long *start_pfn, unsigned long *end_pfn)
{
	const struct memblock_region *r = mb_region_of(&memblock.memory, PFN_PHYS(pfn));

	if (!r)
		return -1;
	*start_pfn = PFN_DOWN(r->base);
	*end_pfn = PFN_DOWN(region_end(r));
	return r->nid;
}
