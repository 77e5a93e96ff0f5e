// SPDX-License-Identifier: MIT
/*
 * memblock: the lists of regions.
 *
 * Purpose
 *   From the firmware's map to the page allocator everything lives here: which physical ranges are memory, on
 *   which node, with what attributes, and which of them are taken. Allocation is the difference of the two lists.
 *
 * Words
 *   region: one element of a list. type: a list. free: in memory, not in reserved. cursor: an address a loop has
 *   reached.
 *
 * Structures
 *   memory    |#########|  |######|######|       two regions may touch when node or flags differ
 *   reserved     |==|        |=======|           may lie outside memory
 *   free      |--|  |---|  |-|       |---|
 *
 * Invariants
 *   MB-I1  regions of a list are not empty, sorted by base, and do not overlap
 *   MB-I2  no two neighbours touch and agree in node and flags
 *   MB-I3  total_size is the sum of the sizes
 *   MB-I4  an array that was grown lies in a reserved range, and nothing else does there
 *
 * Memory use and bounds
 *   Both arrays begin as static elements, 128 and 256, and double into pages taken from the map itself, once
 *   memblock_allow_resize() says that all that must survive is reserved. A look-up is a binary search, a change
 *   moves the tail of an array: 10^4 regions cost microseconds.
 *
 * What failure does
 *   Room is made before anything is changed. A list that cannot grow stays as it was, and -ENOMEM returns.
 *
 * Differences from Linux
 *   Loops keep an address, not a pair of indices: the arrays may change under them. MEMBLOCK_RSRV_NOINIT does not
 *   exist because descriptors are initialised when first looked at.
 *
 * Sources
 *   Linux 6.12, Documentation/core-api/boot-time-mm.rst, for names and meaning.
 */
#include "bootmem.h"
#include "memblock_internal.h"

static struct memblock_region first_memory[INIT_MEMORY_REGIONS] __memsys;
static struct memblock_region first_reserved[INIT_RESERVED_REGIONS] __memsys;

struct memblock memblock __memsys = {
	.current_limit = MEMBLOCK_ALLOC_ANYWHERE,
	.memory = { .max = INIT_MEMORY_REGIONS, .regions = first_memory, .name = "memory" },
	.reserved = { .max = INIT_RESERVED_REGIONS, .regions = first_reserved, .name = "reserved" },
};

/* Index of the first region that ends above @addr; cnt if none does. */
unsigned long mb_first_after(const struct memblock_type *type, phys_addr_t addr)
{
	unsigned long low = 0, high = type->cnt;

	while (low < high) {
		unsigned long mid = low + (high - low) / 2;

		if (region_end(&type->regions[mid]) > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static void insert_region(struct memblock_type *type, unsigned long at, phys_addr_t base, phys_addr_t end, int nid,
			  u32 flags)
{
	struct memblock_region *r = &type->regions[at];

	memmove(r + 1, r, (type->cnt - at) * sizeof(*r));
	*r = (struct memblock_region){ .base = base, .size = end - base, .nid = nid, .flags = flags };
	type->cnt++;
	type->total_size += end - base;
}

static void delete_regions(struct memblock_type *type, unsigned long from, unsigned long to)
{
	for (unsigned long i = from; i < to; i++)
		type->total_size -= type->regions[i].size;
	memmove(&type->regions[from], &type->regions[to], (type->cnt - to) * sizeof(type->regions[0]));
	type->cnt -= to - from;
}

/* Join what touches and agrees, among the regions from the one before @from to the one at @to. */
static void merge_regions(struct memblock_type *type, unsigned long from, unsigned long to)
{
	unsigned long i = from ? from - 1 : 0;

	while (i < to && i + 1 < type->cnt) {
		struct memblock_region *a = &type->regions[i], *b = a + 1;

		if (region_end(a) != b->base || a->nid != b->nid || a->flags != b->flags) {
			i++;
			continue;
		}
		a->size += b->size;
		memmove(b, b + 1, (type->cnt - i - 2) * sizeof(*b));
		type->cnt--;
		to--;
	}
}

static bool agrees(const struct memblock_region *r, int nid, u32 flags)
{
	return r->nid == nid && r->flags == flags;
}

/*
 * Fill the gap [@base, @end) in front of region @at: by extending a neighbour that touches and agrees, or else
 * with a region of its own. Return: true if it took one; with @dry nothing is changed.
 */
static bool fill_gap(struct memblock_type *type, unsigned long at, phys_addr_t base, phys_addr_t end, int nid,
		     u32 flags, bool dry)
{
	struct memblock_region *next = &type->regions[at], *prev = next - 1;

	if (at && region_end(prev) == base && agrees(prev, nid, flags)) {
		if (!dry)
			prev->size += end - base;
	} else if (at < type->cnt && next->base == end && agrees(next, nid, flags)) {
		if (!dry)
			next->base = base, next->size += end - base;
	} else {
		if (!dry)
			insert_region(type, at, base, end, nid, flags);
		return true;
	}
	if (!dry)
		type->total_size += end - base;
	return false;
}

/* Add [@base, @end); with @dry only count the regions it takes. */
static unsigned long fill_gaps(struct memblock_type *type, phys_addr_t base, phys_addr_t end, int nid, u32 flags,
			       bool dry)
{
	unsigned long first = mb_first_after(type, base), taken = 0, i;

	for (i = first; base < end; i++) {
		bool none = i == type->cnt || type->regions[i].base >= end;
		phys_addr_t gap_end = none ? end : type->regions[i].base;
		phys_addr_t next = none ? end : region_end(&type->regions[i]);
		bool own = gap_end > base && fill_gap(type, i, base, gap_end, nid, flags, dry);

		taken += own;
		if (own && !dry)
			i++; /* the region that bounds the gap moved up */
		base = next;
	}
	if (!dry)
		merge_regions(type, first, i);
	return taken;
}

static void add_with_room(struct memblock_type *type, phys_addr_t base, phys_addr_t end, int nid, u32 flags)
{
	(void)fill_gaps(type, base, end, nid, flags, false);
}

/* One region is needed if [@base, @end) lies strictly inside a region. */
static bool remove_splits(const struct memblock_type *type, phys_addr_t base, phys_addr_t end)
{
	unsigned long i = mb_first_after(type, base);

	return i < type->cnt && type->regions[i].base < base && region_end(&type->regions[i]) > end;
}

static void remove_with_room(struct memblock_type *type, phys_addr_t base, phys_addr_t end)
{
	unsigned long i = mb_first_after(type, base), last;
	struct memblock_region *r = &type->regions[i];

	if (remove_splits(type, base, end)) {
		phys_addr_t old_end = region_end(r);

		type->total_size -= old_end - base;
		r->size = base - r->base;
		insert_region(type, i + 1, end, old_end, r->nid, r->flags);
		return;
	}
	if (i < type->cnt && r->base < base) {
		type->total_size -= region_end(r) - base;
		r->size = base - r->base;
		i++;
	}
	for (last = i; last < type->cnt && region_end(&type->regions[last]) <= end; last++)
		;
	delete_regions(type, i, last);
	r = &type->regions[i];
	if (i < type->cnt && r->base < end) {
		type->total_size -= end - r->base;
		r->size = region_end(r) - end;
		r->base = end;
	}
}

/* What was taken may have been written to. */
static void note_dirt(struct memblock *mb, phys_addr_t base, phys_addr_t end)
{
	struct memblock_dirt *dirt = &mb->dirty[mb->dirty_nr - (mb->dirty_nr == MEMBLOCK_DIRTY_MAX)];

	if (!mb->zeroed)
		return;
	if (mb->dirty_nr < MEMBLOCK_DIRTY_MAX)
		mb->dirty[mb->dirty_nr++] = (struct memblock_dirt){ base, end };
	else
		*dirt = (struct memblock_dirt){ min(dirt->start, base), max(dirt->end, end) };
}

/* bootmem, if it is in use, has its own picture of what is taken. */
static void tell_bootmem(const struct memblock_type *type, phys_addr_t base, phys_addr_t end)
{
	if (bootmem_ready() && type == &memblock.reserved)
		bootmem_follow(base, end);
}

/*
 * Double @type until it holds @need regions, in memory outside [@base, @end), which the caller is about to
 * change. The reserved list has room for three more: the new array, and a hole where the old one was.
 */
static int grow_array(struct memblock *mb, struct memblock_type *type, unsigned long need, phys_addr_t base,
		      phys_addr_t end)
{
	unsigned long max_new = type->max;
	struct memblock_region *old = type->regions;
	phys_addr_t limit = min(mb->current_limit, mb->direct_map_end), addr, bytes, old_bytes;

	if (!mb->can_resize || mb->closed)
		return -ENOMEM;
	while (max_new < need + 3)
		max_new *= 2;
	bytes = ALIGN((phys_addr_t)max_new * sizeof(*old), PAGE_SIZE);
	old_bytes = ALIGN((phys_addr_t)type->max * sizeof(*old), PAGE_SIZE);
	addr = mb_find(mb, bytes, PAGE_SIZE, end, limit, NUMA_NO_NODE, MEMBLOCK_NONE);
	if (!addr)
		addr = mb_find(mb, bytes, PAGE_SIZE, 0, min(base, limit), NUMA_NO_NODE, MEMBLOCK_NONE);
	if (!addr) {
		pr_err("memblock: Failed to double %s array from %lu to %lu entries !\n", type->name, type->max,
		       max_new);
		return -ENOMEM;
	}
	memblock_dbg(mb, "memblock: %s is doubled to %lu at [0x%016llx-0x%016llx]\n", type->name, max_new,
		     (unsigned long long)addr, (unsigned long long)(addr + bytes - 1));
	type->regions = (struct memblock_region *)(mb->direct_map + (uintptr_t)addr);
	memcpy(type->regions, old, type->cnt * sizeof(*old));
	type->max = max_new;
	add_with_room(&mb->reserved, addr, addr + bytes, NUMA_NO_NODE, MEMBLOCK_NONE);
	tell_bootmem(&mb->reserved, addr, addr + bytes);
	if (type->grown) {
		addr = (phys_addr_t)((uintptr_t)old - mb->direct_map);
		note_dirt(mb, addr, addr + old_bytes);
		remove_with_room(&mb->reserved, addr, addr + old_bytes);
		tell_bootmem(&mb->reserved, addr, addr + old_bytes);
	}
	type->grown = true;
	return 0;
}

/* Make room for @more regions before [@base, @end) is changed. */
static int make_room(struct memblock *mb, struct memblock_type *type, unsigned long more, phys_addr_t base,
		     phys_addr_t end)
{
	struct memblock_type *reserved = &mb->reserved;
	int err;

	if (type->cnt + more <= type->max)
		return 0;
	if (type != reserved && reserved->cnt + 3 > reserved->max) {
		err = grow_array(mb, reserved, reserved->cnt + 3, base, end);
		if (err)
			return err;
	}
	return grow_array(mb, type, type->cnt + more, base, end);
}

int mb_spare_room(struct memblock *mb, unsigned long regions)
{
	int err = make_room(mb, &mb->memory, regions, 0, 0);

	return err ? err : make_room(mb, &mb->reserved, regions, 0, 0);
}

int mb_add(struct memblock *mb, struct memblock_type *type, phys_addr_t base, phys_addr_t size, int nid, u32 flags)
{
	phys_addr_t end = range_end(base, size);
	int err;

	if (!size)
		return 0;
	/* A range has at most one gap more than the list has regions: mostly there is room without counting. */
	if (type->cnt * 2 + 1 > type->max) {
		err = make_room(mb, type, fill_gaps(type, base, end, nid, flags, true), base, end);
		if (err)
			return err;
	}
	add_with_room(type, base, end, nid, flags);
	tell_bootmem(type, base, end);
	return 0;
}

int mb_remove(struct memblock *mb, struct memblock_type *type, phys_addr_t base, phys_addr_t size)
{
	phys_addr_t end = range_end(base, size);
	int err = 0;

	if (!size)
		return 0;
	if (remove_splits(type, base, end))
		err = make_room(mb, type, 1, base, end);
	if (err)
		return err;
	if (type == &mb->reserved)
		note_dirt(mb, base, end);
	remove_with_room(type, base, end);
	tell_bootmem(type, base, end);
	return 0;
}

bool mb_reads_zero(const struct memblock *mb, phys_addr_t base, phys_addr_t size)
{
	for (u32 i = 0; i < mb->dirty_nr; i++)
		if (base < mb->dirty[i].end && mb->dirty[i].start < base + size)
			return false;
	return mb->zeroed;
}

static void split_at(struct memblock_type *type, phys_addr_t addr)
{
	unsigned long i = mb_first_after(type, addr);
	struct memblock_region *r = &type->regions[i];
	phys_addr_t end;

	if (i == type->cnt || r->base >= addr)
		return;
	end = region_end(r);
	type->total_size -= end - addr;
	r->size = addr - r->base;
	insert_region(type, i + 1, addr, end, r->nid, r->flags);
}

/* Split regions so that [@base, @end) is exactly the regions from *@first up to *@last. */
static int isolate_range(struct memblock *mb, struct memblock_type *type, phys_addr_t base, phys_addr_t end,
			 unsigned long *first, unsigned long *last)
{
	int err = make_room(mb, type, 2, base, end);

	if (err)
		return err;
	split_at(type, base);
	split_at(type, end);
	*first = mb_first_after(type, base);
	for (*last = *first; *last < type->cnt && type->regions[*last].base < end; ++*last)
		;
	return 0;
}

int mb_set_node(struct memblock *mb, struct memblock_type *type, phys_addr_t base, phys_addr_t size, int nid)
{
	unsigned long first, last;
	int err;

	if (!size)
		return 0;
	err = isolate_range(mb, type, base, range_end(base, size), &first, &last);
	if (err)
		return err;
	for (unsigned long i = first; i < last; i++)
		type->regions[i].nid = nid;
	merge_regions(type, first, last);
	return 0;
}

int mb_set_flag(struct memblock *mb, phys_addr_t base, phys_addr_t size, u32 flag, bool set)
{
	struct memblock_type *type = &mb->memory;
	unsigned long first, last;
	int err;

	if (!size)
		return 0;
	err = isolate_range(mb, type, base, range_end(base, size), &first, &last);
	if (err)
		return err;
	for (unsigned long i = first; i < last; i++)
		type->regions[i].flags = set ? type->regions[i].flags | flag : type->regions[i].flags & ~flag;
	merge_regions(type, first, last);
	return 0;
}
