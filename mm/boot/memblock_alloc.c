// SPDX-License-Identifier: MIT
/* memblock: allocation, first fit from either end, and the public calls that change the map. */
#include "../phys/memmap.h"
#include "bootmem.h"
#include "memblock_internal.h"

static phys_addr_t find_bottom_up(const struct memblock *mb, phys_addr_t size, phys_addr_t align, phys_addr_t start,
				  phys_addr_t end, int nid, u32 flags)
{
	struct memblock_span span;
	u64 cursor = start;

	while (mb_next_free(mb, &cursor, nid, flags, &span) && span.start < end) {
		phys_addr_t at = ALIGN(max(span.start, start), align), stop = min(span.end, end);

		if (at >= span.start && at < stop && stop - at >= size)
			return at;
	}
	return 0;
}

static phys_addr_t find_top_down(const struct memblock *mb, phys_addr_t size, phys_addr_t align, phys_addr_t start,
				 phys_addr_t end, int nid, u32 flags)
{
	struct memblock_span span;
	u64 cursor = end;

	while (mb_prev_free(mb, &cursor, nid, flags, &span) && span.end > start) {
		phys_addr_t low = max(span.start, start), at;

		if (span.end < size)
			continue;
		at = ALIGN_DOWN(span.end - size, align);
		if (at >= low)
			return at;
	}
	return 0;
}

phys_addr_t mb_find(const struct memblock *mb, phys_addr_t size, phys_addr_t align, phys_addr_t start,
		    phys_addr_t end, int nid, u32 flags)
{
	if (end == MEMBLOCK_ALLOC_ACCESSIBLE)
		end = mb->current_limit;
	start = max(start, (phys_addr_t)PAGE_SIZE);
	if (start >= end || !size)
		return 0;
	return mb->bottom_up ? find_bottom_up(mb, size, align, start, end, nid, flags) :
			       find_top_down(mb, size, align, start, end, nid, flags);
}

static bool has_mirror(const struct memblock *mb)
{
	for (unsigned long i = 0; i < mb->memory.cnt; i++)
		if (mb->memory.regions[i].flags & MEMBLOCK_MIRROR)
			return true;
	return false;
}

/* On the node, then anywhere; mirrored memory first if there is any. */
static phys_addr_t find_best(const struct memblock *mb, phys_addr_t size, phys_addr_t align, phys_addr_t start,
			     phys_addr_t end, int nid, bool exact_nid)
{
	u32 flags = has_mirror(mb) ? MEMBLOCK_MIRROR : MEMBLOCK_NONE;
	phys_addr_t at;

	for (;;) {
		at = mb_find(mb, size, align, start, end, nid, flags);
		if (!at && nid != NUMA_NO_NODE && !exact_nid)
			at = mb_find(mb, size, align, start, end, NUMA_NO_NODE, flags);
		if (at || !(flags & MEMBLOCK_MIRROR))
			return at;
		flags &= ~(u32)MEMBLOCK_MIRROR;
		pr_warn("Could not allocate %llu bytes of mirrored memory\n", (unsigned long long)size);
	}
}

phys_addr_t mb_alloc(struct memblock *mb, phys_addr_t size, phys_addr_t align, phys_addr_t start, phys_addr_t end,
		     int nid, bool exact_nid)
{
	phys_addr_t at;

	if (mb->closed) {
		pr_err("memblock: %llu bytes asked for after the page allocator took over\n", (unsigned long long)size);
		return 0;
	}
	if (!is_power_of_2(align))
		align = align ? roundup_pow_of_two(align) : SMP_CACHE_BYTES;
	if (mb == &memblock && bootmem_ready())
		at = bootmem_alloc_nid(size, align, start, end, nid, exact_nid);
	else
		at = find_best(mb, size, align, start, end, nid, exact_nid);
	if (!at || !mb_add(mb, &mb->reserved, at, size, NUMA_NO_NODE, MEMBLOCK_NONE))
		return at;
	if (mb == &memblock && bootmem_ready())
		bootmem_follow(at, at + size);
	return 0;
}

phys_addr_t memblock_find_in_range(phys_addr_t start, phys_addr_t end, phys_addr_t size, phys_addr_t align)
{
	u32 flags = has_mirror(&memblock) ? MEMBLOCK_MIRROR : MEMBLOCK_NONE;
	phys_addr_t at = mb_find(&memblock, size, align ? align : SMP_CACHE_BYTES, start, end, NUMA_NO_NODE, flags);

	if (!at && flags)
		at = mb_find(&memblock, size, align, start, end, NUMA_NO_NODE, MEMBLOCK_NONE);
	return at;
}

phys_addr_t memblock_alloc_range_nid(phys_addr_t size, phys_addr_t align, phys_addr_t start, phys_addr_t end,
				     int nid, bool exact_nid)
{
	phys_addr_t at = mb_alloc(&memblock, size, align, start, end, nid, exact_nid);

	memblock_dbg(&memblock,
		     "memblock_alloc: %llu bytes align=0x%llx nid=%d from=0x%016llx max_addr=0x%016llx: 0x%016llx\n",
		     (unsigned long long)size, (unsigned long long)align, nid, (unsigned long long)start,
		     (unsigned long long)end, (unsigned long long)at);
	return at;
}

phys_addr_t memblock_phys_alloc_range(phys_addr_t size, phys_addr_t align, phys_addr_t start, phys_addr_t end)
{
	return memblock_alloc_range_nid(size, align, start, end, NUMA_NO_NODE, false);
}

phys_addr_t memblock_phys_alloc_try_nid(phys_addr_t size, phys_addr_t align, int nid)
{
	return memblock_alloc_range_nid(size, align, 0, MEMBLOCK_ALLOC_ACCESSIBLE, nid, false);
}

static void *alloc_mapped(size_t size, size_t align, phys_addr_t min_addr, phys_addr_t max_addr, int nid, bool exact)
{
	phys_addr_t limit = min(memblock.current_limit, memblock.direct_map_end), at;

	if (max_addr == MEMBLOCK_ALLOC_ACCESSIBLE || max_addr > limit)
		max_addr = limit;
	at = memblock_alloc_range_nid(size, align, min_addr, max_addr, nid, exact);
	if (!at && min_addr)
		at = memblock_alloc_range_nid(size, align, 0, max_addr, nid, exact);
	return at ? phys_to_virt(at) : NULL;
}

void *memblock_alloc_try_nid_raw(size_t size, size_t align, phys_addr_t min_addr, phys_addr_t max_addr, int nid)
{
	return alloc_mapped(size, align, min_addr, max_addr, nid, false);
}

void *memblock_alloc_exact_nid_raw(size_t size, size_t align, phys_addr_t min_addr, phys_addr_t max_addr, int nid)
{
	return alloc_mapped(size, align, min_addr, max_addr, nid, true);
}

void *memblock_alloc_try_nid(size_t size, size_t align, phys_addr_t min_addr, phys_addr_t max_addr, int nid)
{
	void *p = alloc_mapped(size, align, min_addr, max_addr, nid, false);

	if (p && !mb_reads_zero(&memblock, virt_to_phys(p), size))
		memset(p, 0, size);
	return p;
}

static void say(const char *what, phys_addr_t base, phys_addr_t size)
{
	memblock_dbg(&memblock, "%s: [0x%016llx-0x%016llx]\n", what, (unsigned long long)base,
		     (unsigned long long)(range_end(base, size) - 1));
}

/* After the hand-over other CPUs read the lists when they initialise descriptors. */
static unsigned long change_begin(void)
{
	return memblock.closed ? memmap_lock() : 0;
}

static int change_end(unsigned long flags, int err)
{
	if (memblock.closed)
		memmap_unlock(flags);
	return err;
}

int memblock_add_node(phys_addr_t base, phys_addr_t size, int nid, u32 flags)
{
	unsigned long irq;

	say("memblock_add_node", base, size);
	irq = change_begin();
	return change_end(irq, mb_add(&memblock, &memblock.memory, base, size, nid, flags));
}

int memblock_add(phys_addr_t base, phys_addr_t size)
{
	return memblock_add_node(base, size, NUMA_NO_NODE, MEMBLOCK_NONE);
}

int memblock_remove(phys_addr_t base, phys_addr_t size)
{
	unsigned long irq;

	say("memblock_remove", base, size);
	irq = change_begin();
	return change_end(irq, mb_remove(&memblock, &memblock.memory, base, size));
}

int memblock_reserve(phys_addr_t base, phys_addr_t size)
{
	unsigned long irq;

	say("memblock_reserve", base, size);
	irq = change_begin();
	return change_end(irq, mb_add(&memblock, &memblock.reserved, base, size, NUMA_NO_NODE, MEMBLOCK_NONE));
}

int memblock_phys_free(phys_addr_t base, phys_addr_t size)
{
	unsigned long irq;

	say("memblock_phys_free", base, size);
	irq = change_begin();
	return change_end(irq, mb_remove(&memblock, &memblock.reserved, base, size));
}

void memblock_free(void *virt, size_t size)
{
	if (virt && memblock_phys_free(virt_to_phys(virt), size))
		pr_err("memblock: cannot free %zu bytes at %p: no room for another region\n", size, virt);
}

int memblock_set_node(phys_addr_t base, phys_addr_t size, int nid)
{
	unsigned long irq = change_begin();

	return change_end(irq, mb_set_node(&memblock, &memblock.memory, base, size, nid));
}

static int change_flag(phys_addr_t base, phys_addr_t size, u32 flag, bool set)
{
	unsigned long irq = change_begin();

	return change_end(irq, mb_set_flag(&memblock, base, size, flag, set));
}

int memblock_mark_hotplug(phys_addr_t base, phys_addr_t size)
{
	return change_flag(base, size, MEMBLOCK_HOTPLUG, true);
}

int memblock_clear_hotplug(phys_addr_t base, phys_addr_t size)
{
	return change_flag(base, size, MEMBLOCK_HOTPLUG, false);
}

int memblock_mark_mirror(phys_addr_t base, phys_addr_t size)
{
	return change_flag(base, size, MEMBLOCK_MIRROR, true);
}

int memblock_mark_nomap(phys_addr_t base, phys_addr_t size)
{
	return change_flag(base, size, MEMBLOCK_NOMAP, true);
}

int memblock_clear_nomap(phys_addr_t base, phys_addr_t size)
{
	return change_flag(base, size, MEMBLOCK_NOMAP, false);
}

int memblock_mark_driver_managed(phys_addr_t base, phys_addr_t size)
{
	return change_flag(base, size, MEMBLOCK_DRIVER_MANAGED, true);
}

void memblock_allow_resize(void)
{
	memblock.can_resize = true;
}

void memblock_set_current_limit(phys_addr_t limit)
{
	memblock.current_limit = limit;
}

phys_addr_t memblock_get_current_limit(void)
{
	return memblock.current_limit;
}

void memblock_set_bottom_up(bool enable)
{
	memblock.bottom_up = enable;
}

bool memblock_bottom_up(void)
{
	return memblock.bottom_up;
}
