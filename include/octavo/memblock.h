/* SPDX-License-Identifier: MIT */
/*
 * memblock: the memory map as the kernel uses it, and the allocator of early boot.
 *
 * Two sorted lists of physical ranges: memory that exists, and memory that is taken. What is in the first and
 * not in the second is free. Everything is called on the boot CPU before other CPUs run, or by memory
 * hotplug under its lock; nothing here sleeps, and no lock is taken.
 */
#ifndef OCTAVO_MEMBLOCK_H
#define OCTAVO_MEMBLOCK_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/** enum memblock_flags - attributes of a memory region; regions that differ in them never merge */
enum memblock_flags {
	MEMBLOCK_NONE = 0,
	MEMBLOCK_HOTPLUG = 1,	     /* may be unplugged: kept movable with movable_node */
	MEMBLOCK_MIRROR = 2,	     /* mirrored by the memory controller: early allocations prefer it */
	MEMBLOCK_NOMAP = 4,	     /* not in the direct map, never handed out */
	MEMBLOCK_DRIVER_MANAGED = 8, /* added by a driver, not by firmware: never handed out early */
};

/** struct memblock_region - [@base, @base + @size) with its attributes; @nid is NUMA_NO_NODE until known */
struct memblock_region {
	phys_addr_t base;
	phys_addr_t size;
	u32 flags;
	s32 nid;
};

/**
 * struct memblock_type - a list of regions
 * @cnt: regions in use, sorted by base, disjoint, no two that could be one
 * @max: regions the array has room for
 * @total_size: bytes in all regions
 * @regions: the array
 * @name: "memory" or "reserved"
 * @grown: the array came from memblock itself
 */
struct memblock_type {
	unsigned long cnt;
	unsigned long max;
	phys_addr_t total_size;
	struct memblock_region *regions;
	const char *name;
	bool grown;
};

/* A range that was freed; when there are more, the last takes in what lies between. */
#define MEMBLOCK_DIRTY_MAX 8
struct memblock_dirt {
	phys_addr_t start, end;
};

/**
 * struct memblock - an early map
 * @bottom_up: allocate from low addresses up instead of from the top down
 * @can_resize: the arrays may grow (all that must not be overwritten is reserved)
 * @debug: say what is done (memblock=debug)
 * @closed: the page allocator has what was free; nothing is allocated here any more
 * @zeroed: memory that was never allocated reads as zeroes
 * @dirty, @dirty_nr: with @zeroed: where that is no longer so, because it was allocated and freed
 * @skip_hotplug: keep allocations out of MEMBLOCK_HOTPLUG regions (movable_node)
 * @current_limit: end of what MEMBLOCK_ALLOC_ACCESSIBLE means
 * @direct_map: virtual address of physical address 0
 * @direct_map_end: first physical address that cannot be reached that way
 */
struct memblock {
	bool bottom_up;
	bool can_resize;
	bool debug;
	bool skip_hotplug;
	bool closed;
	bool zeroed;
	u32 dirty_nr;
	struct memblock_dirt dirty[MEMBLOCK_DIRTY_MAX];
	phys_addr_t current_limit;
	uintptr_t direct_map;
	phys_addr_t direct_map_end;
	struct memblock_type memory;
	struct memblock_type reserved;
};

/** memblock - the machine's map. Other instances serve tests (mm/boot/memblock_internal.h). */
extern OCTAVO_API struct memblock memblock;

#define MEMBLOCK_ALLOC_ANYWHERE (~(phys_addr_t)0)
#define MEMBLOCK_ALLOC_ACCESSIBLE ((phys_addr_t)0)
#define MEMBLOCK_LOW_LIMIT ((phys_addr_t)0)
#define SMP_CACHE_BYTES 64

/* ---- Building the map ---- */

/**
 * memblock_add_node - there is memory at [@base, @base + @size) on node @nid
 * Parts that are known already keep their node and flags. A range that would pass 2^64 is cut there.
 * Return: 0, or -ENOMEM if the array is full and cannot grow; nothing has changed then.
 */
OCTAVO_API int __must_check memblock_add_node(phys_addr_t base, phys_addr_t size, int nid, u32 flags);
OCTAVO_API int __must_check memblock_add(phys_addr_t base, phys_addr_t size);

/** memblock_remove - there is none after all. Return: 0 or -ENOMEM (splitting a region needs room). */
OCTAVO_API int __must_check memblock_remove(phys_addr_t base, phys_addr_t size);

/** memblock_reserve - [@base, @base + @size) is taken, whether or not it is memory. Return: 0 or -ENOMEM. */
OCTAVO_API int __must_check memblock_reserve(phys_addr_t base, phys_addr_t size);

/** memblock_phys_free - undo memblock_reserve() or memblock_phys_alloc(). Return: 0 or -ENOMEM. */
OCTAVO_API int memblock_phys_free(phys_addr_t base, phys_addr_t size);

/** memblock_free - the same for an address memblock_alloc() returned; NULL is ignored */
OCTAVO_API void memblock_free(void *virt, size_t size);

/** memblock_set_node - memory in the range belongs to node @nid. Return: 0 or -ENOMEM. */
OCTAVO_API int __must_check memblock_set_node(phys_addr_t base, phys_addr_t size, int nid);

/* Flags of the memory in a range; each returns 0 or -ENOMEM. */
OCTAVO_API int memblock_mark_hotplug(phys_addr_t base, phys_addr_t size);
OCTAVO_API int memblock_clear_hotplug(phys_addr_t base, phys_addr_t size);
OCTAVO_API int memblock_mark_mirror(phys_addr_t base, phys_addr_t size);
OCTAVO_API int memblock_mark_nomap(phys_addr_t base, phys_addr_t size);
OCTAVO_API int memblock_clear_nomap(phys_addr_t base, phys_addr_t size);
OCTAVO_API int memblock_mark_driver_managed(phys_addr_t base, phys_addr_t size);

/** memblock_allow_resize - from now on the arrays may grow into free memory */
OCTAVO_API void memblock_allow_resize(void);

/** memblock_trim_memory - cut every region to multiples of @align, dropping what is left empty */
OCTAVO_API void memblock_trim_memory(phys_addr_t align);

/** memblock_enforce_memory_limit - keep the lowest @limit bytes of memory, wherever they lie */
OCTAVO_API void memblock_enforce_memory_limit(phys_addr_t limit);

/** memblock_cap_memory_range - keep memory (and reservations) in the range only; NOMAP regions stay */
OCTAVO_API void memblock_cap_memory_range(phys_addr_t base, phys_addr_t size);

/** memblock_mem_limit_remove_map - keep the lowest @limit bytes of memory, NOMAP regions besides */
OCTAVO_API void memblock_mem_limit_remove_map(phys_addr_t limit);

OCTAVO_API void memblock_set_current_limit(phys_addr_t limit);
OCTAVO_API phys_addr_t memblock_get_current_limit(void);
OCTAVO_API void memblock_set_bottom_up(bool enable);
OCTAVO_API bool memblock_bottom_up(void);

/* ---- Allocating ---- */

/**
 * memblock_phys_alloc_range - take @size bytes at a multiple of @align (0: a cache line) in [@start, @end)
 * @end: or MEMBLOCK_ALLOC_ACCESSIBLE, MEMBLOCK_ALLOC_ANYWHERE
 * First fit, from the top down or the bottom up. Page 0 is never given.
 * Return: the address, 0 if there is none.
 */
OCTAVO_API phys_addr_t __must_check memblock_phys_alloc_range(phys_addr_t size, phys_addr_t align, phys_addr_t start,
							      phys_addr_t end);

/** memblock_alloc_range_nid - the same on node @nid, or elsewhere if it is full and @exact_nid is false */
OCTAVO_API phys_addr_t __must_check memblock_alloc_range_nid(phys_addr_t size, phys_addr_t align, phys_addr_t start,
							     phys_addr_t end, int nid, bool exact_nid);
OCTAVO_API phys_addr_t __must_check memblock_phys_alloc_try_nid(phys_addr_t size, phys_addr_t align, int nid);

static inline __must_check phys_addr_t memblock_phys_alloc(phys_addr_t size, phys_addr_t align)
{
	return memblock_phys_alloc_range(size, align, 0, MEMBLOCK_ALLOC_ACCESSIBLE);
}

/** memblock_find_in_range - where memblock_phys_alloc_range() would allocate; takes nothing */
OCTAVO_API phys_addr_t memblock_find_in_range(phys_addr_t start, phys_addr_t end, phys_addr_t size, phys_addr_t align);

/**
 * memblock_alloc_try_nid - zeroed memory in the direct map
 * @min_addr, @max_addr: where; below @min_addr if there is nothing else. @max_addr may be
 *                       MEMBLOCK_ALLOC_ACCESSIBLE.
 * @nid: node to prefer, or NUMA_NO_NODE
 * Return: virtual address or NULL.
 */
OCTAVO_API void *__must_check memblock_alloc_try_nid(size_t size, size_t align, phys_addr_t min_addr,
						     phys_addr_t max_addr, int nid);
/** memblock_alloc_try_nid_raw - the same, not zeroed */
OCTAVO_API void *__must_check memblock_alloc_try_nid_raw(size_t size, size_t align, phys_addr_t min_addr,
							 phys_addr_t max_addr, int nid);
/** memblock_alloc_exact_nid_raw - the same, from that node or not at all */
OCTAVO_API void *__must_check memblock_alloc_exact_nid_raw(size_t size, size_t align, phys_addr_t min_addr,
							   phys_addr_t max_addr, int nid);

static inline __must_check void *memblock_alloc_node(size_t size, size_t align, int nid)
{
	return memblock_alloc_try_nid(size, align, MEMBLOCK_LOW_LIMIT, MEMBLOCK_ALLOC_ACCESSIBLE, nid);
}

static inline __must_check void *memblock_alloc(size_t size, size_t align)
{
	return memblock_alloc_node(size, align, NUMA_NO_NODE);
}

static inline __must_check void *memblock_alloc_from(size_t size, size_t align, phys_addr_t min_addr)
{
	return memblock_alloc_try_nid(size, align, min_addr, MEMBLOCK_ALLOC_ACCESSIBLE, NUMA_NO_NODE);
}

/* ---- Asking ---- */

OCTAVO_API bool memblock_is_memory(phys_addr_t addr);
OCTAVO_API bool memblock_is_map_memory(phys_addr_t addr); /* memory and not NOMAP */
OCTAVO_API bool memblock_is_reserved(phys_addr_t addr);
/** memblock_is_region_memory - is the whole range memory? */
OCTAVO_API bool memblock_is_region_memory(phys_addr_t base, phys_addr_t size);
/** memblock_is_region_reserved - is any part of the range reserved? */
OCTAVO_API bool memblock_is_region_reserved(phys_addr_t base, phys_addr_t size);
OCTAVO_API phys_addr_t memblock_phys_mem_size(void);
OCTAVO_API phys_addr_t memblock_reserved_size(void);
OCTAVO_API phys_addr_t memblock_start_of_DRAM(void);
OCTAVO_API phys_addr_t memblock_end_of_DRAM(void);
OCTAVO_API bool memblock_has_mirror(void);

/** memblock_search_pfn_nid - node of a frame of memory and the bounds of its region, or -1 */
OCTAVO_API int memblock_search_pfn_nid(unsigned long pfn, unsigned long *start_pfn, unsigned long *end_pfn);

/** memblock_dump_all - print both lists, if memblock=debug was given */
OCTAVO_API void memblock_dump_all(void);

/* Addresses of the direct map. phys_to_virt() wants an address below its end. */
static inline void *phys_to_virt(phys_addr_t phys)
{
	return (void *)(memblock.direct_map + (uintptr_t)phys);
}

static inline phys_addr_t virt_to_phys(const void *virt)
{
	return (phys_addr_t)((uintptr_t)virt - memblock.direct_map);
}

/* ---- Going through it ---- */

/*
 * Cursors are addresses, so that a loop may reserve, free or grow the arrays as it goes: what comes next is
 * looked up afresh, with a binary search. A step returns false at the end.
 */
#define MEMBLOCK_FIRST ((u64)0)
#define MEMBLOCK_LAST (~(u64)0)
OCTAVO_API bool memblock_next_mem(u64 *cursor, int nid, u32 skip_flags, phys_addr_t *start, phys_addr_t *end,
				  int *out_nid);
OCTAVO_API bool memblock_next_reserved(u64 *cursor, phys_addr_t *start, phys_addr_t *end);
OCTAVO_API bool memblock_next_free(u64 *cursor, int nid, u32 flags, phys_addr_t *start, phys_addr_t *end, int *out_nid);
OCTAVO_API bool memblock_prev_free(u64 *cursor, int nid, u32 flags, phys_addr_t *start, phys_addr_t *end, int *out_nid);
OCTAVO_API bool memblock_next_pfn_range(u64 *cursor, int nid, unsigned long *start_pfn, unsigned long *end_pfn,
					int *out_nid);

/* Memory that may be mapped (not NOMAP); @i is a u64 of the caller's. */
#define for_each_mem_range(i, p_start, p_end) \
	for ((i) = MEMBLOCK_FIRST;            \
	     memblock_next_mem(&(i), NUMA_NO_NODE, MEMBLOCK_NOMAP, p_start, p_end, NULL);)
#define for_each_reserved_mem_range(i, p_start, p_end) \
	for ((i) = MEMBLOCK_FIRST; memblock_next_reserved(&(i), p_start, p_end);)

/* Free memory of @nid (NUMA_NO_NODE: any); with MEMBLOCK_MIRROR in @flags only mirrored memory. */
#define for_each_free_mem_range(i, nid, flags, p_start, p_end, p_nid) \
	for ((i) = MEMBLOCK_FIRST; memblock_next_free(&(i), nid, flags, p_start, p_end, p_nid);)
#define for_each_free_mem_range_reverse(i, nid, flags, p_start, p_end, p_nid) \
	for ((i) = MEMBLOCK_LAST; memblock_prev_free(&(i), nid, flags, p_start, p_end, p_nid);)

/* Whole pages of every memory region, NOMAP ones included. */
#define for_each_mem_pfn_range(i, nid, p_start, p_end, p_nid) \
	for ((i) = MEMBLOCK_FIRST; memblock_next_pfn_range(&(i), nid, p_start, p_end, p_nid);)

#define for_each_mem_region(region)                   \
	for ((region) = memblock.memory.regions;      \
	     (region) < memblock.memory.regions + memblock.memory.cnt; (region)++)
#define for_each_reserved_mem_region(region)            \
	for ((region) = memblock.reserved.regions;      \
	     (region) < memblock.reserved.regions + memblock.reserved.cnt; (region)++)

OCTAVO_END_DECLS
#endif
