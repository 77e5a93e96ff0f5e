/* SPDX-License-Identifier: MIT */
/*
 * Parts of the core that start once the page allocator is open, and follow CPUs as they come and go. A part of a higher
 * layer registers itself; the linker collects them, so that no lower layer calls a higher one by name.
 */
#ifndef MM_BASE_PART_H
#define MM_BASE_PART_H

#include <octavo/bootinfo.h>

#include "compiler.h"

struct findings;

/* The order in which parts start; CPUs are taken away in the opposite one. */
enum mm_part_order {
	MM_PART_KERNEL_MAP, /* page tables, kernel address space */
	MM_PART_KMAP,	    /* fixmap, kmap */
	MM_PART_RCU,
	MM_PART_PERCPU,
	MM_PART_HEAP,
	MM_PART_VMALLOC,
	MM_PART_XARRAY,
	MM_PART_FILE,
	MM_PART_SHRINKER,
	MM_PART_FAULT,
	MM_PART_GUARD,
	MM_PART_LEAK,
	MM_PART_LRU,	    /* lists of user memory and page cache */
	MM_PART_ZPOOL,	    /* pools of compressed pages */
	MM_PART_ZSWAP,
	MM_PART_VM,	    /* address spaces: objects, locks, the fault hook */
	MM_PART_FILES,	    /* page cache and what is built on it */
	MM_PART_RECLAIM,    /* kswapd */
	MM_PARTS
};

/**
 * struct mm_part - functions that are not needed are NULL
 * @map: memblock has the machine's memory and serves what can be reached at once; nodes are not known. Return: as
 *       @cpu_setup.
 * @early: nodes and zones are known, memblock serves; descriptors do not exist yet. Return: as @cpu_setup.
 * @cpu_setup: for each possible CPU, while memblock still serves. Return: 0 or a negative errno, which fails mm_init().
 * @init: at the end of mm_init(), on the boot CPU. Return: 0 or a negative errno, which fails mm_init().
 * @cpu_online: on the CPU that comes online, interrupts off, before it is marked so; for the boot CPU after all @init.
 *              Return: 0 or a negative errno, which keeps it offline.
 * @cpu_dead: on another CPU, after @cpu was marked offline
 * @memory_add: memory appears at [@start, @start + @size) (hotplug); nobody uses it yet. Return: 0 or a negative errno,
 *              which leaves it out.
 * @memory_remove: it went, or another part failed to add it
 * @memory_changed: memory is about to come into use, or went (hotplug)
 * @verify: its invariants, for mm_verify(); nobody else is at work
 * @boot_end: at the end of mm_free_initmem(); thread context
 */
struct mm_part {
	const char *name; /* filled in by MM_PART() */
	enum mm_part_order order;
	int (*map)(const struct bootinfo *info);
	int (*early)(const struct bootinfo *info);
	int (*cpu_setup)(unsigned int cpu);
	int (*init)(void);
	int (*cpu_online)(unsigned int cpu);
	void (*cpu_dead)(unsigned int cpu);
	int (*memory_add)(phys_addr_t start, u64 size);
	void (*memory_remove)(phys_addr_t start, u64 size);
	void (*memory_changed)(void);
	void (*boot_end)(void);
	void (*verify)(struct findings *f);
};

#define MM_PART(name_, ...)                                                                                  \
	static const struct mm_part mm_part_##name_                                                          \
		__attribute__((used, section("octavo_parts"), aligned(sizeof(void *)))) = { .name = #name_,  \
												    __VA_ARGS__ }

/* Call each part in its order; stop at the first error. */
int mm_parts_map(const struct bootinfo *info);
int mm_parts_early(const struct bootinfo *info);
int mm_parts_cpu_setup(unsigned int cpu);
int mm_parts_init(void);
int mm_parts_cpu_online(unsigned int cpu);
void mm_parts_cpu_dead(unsigned int cpu);
int mm_parts_memory_add(phys_addr_t start, u64 size);
void mm_parts_memory_remove(phys_addr_t start, u64 size);
void mm_parts_memory_changed(void);
void mm_parts_boot_end(void);
/* Return: findings. */
unsigned int mm_parts_verify(void (*report)(void *ctx, const char *line), void *ctx);

#endif
