// SPDX-License-Identifier: MIT
/* bootmem for the machine's nodes, in memblock's place (BOOTMEM=1). */
#include "bootmem.h"

#ifdef OCTAVO_BOOTMEM

#include "../phys/zone.h"
#include "memblock_internal.h"

static struct {
	bool ready;
	struct bootmem_data *node[MAX_NUMNODES];
} bootmem __memsys;

/* ISA devices can reach the lowest 16 MiB only: use them last. */
#define DMA_END ((phys_addr_t)16 << 20)

/* Memory that boot must not use: not mapped, or to be unplugged one day (movable_node). */
static bool not_for_boot(u32 flags)
{
	return (flags & MEMBLOCK_NOMAP) || (memblock.skip_hotplug && (flags & MEMBLOCK_HOTPLUG));
}

static void mark_holes(struct bootmem_data *data, int nid)
{
	unsigned long at = data->start_pfn;
	const struct memblock_region *r;

	for_each_mem_region(r) {
		if (r->nid != nid || not_for_boot(r->flags))
			continue;
		bootmem_reserve(data, at, PFN_UP(r->base));
		at = max(at, PFN_DOWN(region_end(r)));
	}
	bootmem_reserve(data, at, data->end_pfn);
	bootmem_reserve(data, 0, 1);
	for_each_reserved_mem_region(r)
		bootmem_reserve(data, PFN_DOWN(r->base), PFN_UP(region_end(r)));
}

int bootmem_setup(void)
{
	for_each_online_node(nid) {
		const struct pglist_data *pgdat = NODE_DATA(nid);
		size_t bytes = bootmem_map_bytes(pgdat->node_spanned_pages);
		struct bootmem_data *data = memblock_alloc_node(sizeof(*data), SMP_CACHE_BYTES, nid);
		void *map = data ? memblock_alloc_node(bytes, PAGE_SIZE, nid) : NULL;

		if (!map) {
			pr_err("bootmem: no %zu bytes of memory for the map of node %d\n", bytes, nid);
			return -ENOMEM;
		}
		bootmem_init_node(data, pgdat->node_start_pfn, pgdat->node_start_pfn + pgdat->node_spanned_pages, map);
		bootmem.node[nid] = data;
	}
	for_each_online_node(nid)
		mark_holes(bootmem.node[nid], nid);
	bootmem.ready = true;
	return 0;
}

bool bootmem_ready(void)
{
	return bootmem.ready;
}

phys_addr_t bootmem_alloc_nid(phys_addr_t size, phys_addr_t align, phys_addr_t start, phys_addr_t end, int nid,
			      bool exact_nid)
{
	phys_addr_t goal = max(start, DMA_END), at = 0;

	if (end == MEMBLOCK_ALLOC_ACCESSIBLE)
		end = memblock.current_limit;
	if (nid >= 0 && nid < MAX_NUMNODES && bootmem.node[nid])
		at = bootmem_alloc(bootmem.node[nid], size, align, goal, end);
	for_each_online_node(other)
		if (!at && !exact_nid && other != nid)
			at = bootmem_alloc(bootmem.node[other], size, align, goal, end);
	if (!at || at >= start)
		return at;
	/* Only below what was asked for, where memblock would not go: put it back. */
	bootmem_follow(at, at + size);
	return 0;
}

/* What [@pfn, *@stop) is now: *@stop comes nearer to where that changes. */
static bool taken_now(unsigned long pfn, unsigned long *stop, int nid)
{
	const struct memblock_type *taken = &memblock.reserved;
	unsigned long i = mb_first_after(taken, PFN_PHYS(pfn));
	const struct memblock_region *r = &taken->regions[i], *memory;

	if (i < taken->cnt && r->base < PFN_PHYS(pfn + 1)) {
		*stop = min(*stop, max(pfn + 1, PFN_DOWN(region_end(r))));
		return true;
	}
	if (i < taken->cnt)
		*stop = min(*stop, PFN_DOWN(r->base));
	memory = mb_region_of(&memblock.memory, PFN_PHYS(pfn));
	if (!pfn || !memory || memory->nid != nid || not_for_boot(memory->flags) ||
	    PFN_DOWN(region_end(memory)) <= pfn) {
		*stop = pfn + 1;
		return true;
	}
	*stop = min(*stop, PFN_DOWN(region_end(memory)));
	return false;
}

/* memblock.reserved has changed in [@base, @end). */
void bootmem_follow(phys_addr_t base, phys_addr_t end)
{
	for_each_online_node(nid) {
		struct bootmem_data *data = bootmem.node[nid];
		unsigned long pfn = max(PFN_DOWN(base), data->start_pfn), last = min(PFN_UP(end), data->end_pfn);

		while (pfn < last) {
			unsigned long stop = last;

			if (taken_now(pfn, &stop, nid))
				bootmem_reserve(data, pfn, stop);
			else
				bootmem_free(data, pfn, stop);
			pfn = stop;
		}
	}
}

void bootmem_free_all(void (*fn)(int nid, unsigned long start, unsigned long end))
{
	const struct memblock_region *r;

	for_each_mem_region(r)
		if (r->flags & MEMBLOCK_HOTPLUG)
			bootmem_follow(r->base, region_end(r));
	bootmem.ready = false;
	for_each_online_node(nid) {
		unsigned long end = 0, start;

		while ((start = bootmem_next_free(bootmem.node[nid], &end)) != PFN_NONE)
			fn(nid, start, end);
	}
}

#endif
