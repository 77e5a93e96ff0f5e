// SPDX-License-Identifier: MIT
/* memblock: cutting the map down, and showing it. */
#include "memblock_internal.h"

/* Removal from an end of the map never splits a region, so it cannot fail. */
static void cut(struct memblock_type *type, phys_addr_t base, phys_addr_t end)
{
	if (base < end && mb_remove(&memblock, type, base, end - base))
		pr_err("memblock: cannot remove [0x%016llx-0x%016llx] from %s\n", (unsigned long long)base,
		       (unsigned long long)(end - 1), type->name);
}

void memblock_trim_memory(phys_addr_t align)
{
	u64 cursor = MEMBLOCK_FIRST;
	phys_addr_t start, end;

	while (memblock_next_mem(&cursor, NUMA_NO_NODE, 0, &start, &end, NULL)) {
		phys_addr_t first = ALIGN(start, align), last = ALIGN_DOWN(end, align);

		if (first >= last) {
			cut(&memblock.memory, start, end);
			continue;
		}
		cut(&memblock.memory, start, first);
		cut(&memblock.memory, last, end);
	}
}

/* Where @limit bytes of memory end; ~0 if there are not as many. */
static phys_addr_t end_of_bytes(phys_addr_t limit)
{
	for (unsigned long i = 0; i < memblock.memory.cnt; i++) {
		const struct memblock_region *r = &memblock.memory.regions[i];

		if (limit <= r->size)
			return r->base + limit;
		limit -= r->size;
	}
	return ~(phys_addr_t)0;
}

void memblock_enforce_memory_limit(phys_addr_t limit)
{
	phys_addr_t end = end_of_bytes(limit);

	if (!limit || end == ~(phys_addr_t)0)
		return;
	cut(&memblock.memory, end, ~(phys_addr_t)0);
	cut(&memblock.reserved, end, ~(phys_addr_t)0);
}

void memblock_cap_memory_range(phys_addr_t base, phys_addr_t size)
{
	phys_addr_t end = range_end(base, size), start, stop;
	u64 cursor = MEMBLOCK_FIRST;

	if (!size)
		return;
	while (memblock_next_mem(&cursor, NUMA_NO_NODE, MEMBLOCK_NOMAP, &start, &stop, NULL)) {
		cut(&memblock.memory, start, min(stop, base));
		cut(&memblock.memory, max(start, end), stop);
	}
	cut(&memblock.reserved, 0, base);
	cut(&memblock.reserved, end, ~(phys_addr_t)0);
}

void memblock_mem_limit_remove_map(phys_addr_t limit)
{
	phys_addr_t end = end_of_bytes(limit);

	if (limit && end != ~(phys_addr_t)0)
		memblock_cap_memory_range(0, end);
}

static void dump_type(const struct memblock_type *type)
{
	printk(" %s.cnt  = 0x%lx\n", type->name, type->cnt);
	for (unsigned long i = 0; i < type->cnt; i++) {
		const struct memblock_region *r = &type->regions[i];
		char node[24] = "";

		if (r->nid != NUMA_NO_NODE)
			octavo_snprintf(node, sizeof(node), " on node %d", r->nid);
		printk(" %s[0x%lx]\t[0x%016llx-0x%016llx], 0x%016llx bytes%s flags: 0x%x\n", type->name, i,
		       (unsigned long long)r->base, (unsigned long long)(region_end(r) - 1),
		       (unsigned long long)r->size, node, r->flags);
	}
}

void memblock_dump_all(void)
{
	if (!memblock.debug)
		return;
	printk("MEMBLOCK configuration:\n");
	printk(" memory size = 0x%016llx reserved size = 0x%016llx\n", (unsigned long long)memblock.memory.total_size,
	       (unsigned long long)memblock.reserved.total_size);
	dump_type(&memblock.memory);
	dump_type(&memblock.reserved);
}
