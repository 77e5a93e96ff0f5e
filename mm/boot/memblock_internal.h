/* SPDX-License-Identifier: MIT */
/* memblock on any instance; the public calls are these on the global one. */
#ifndef MM_BOOT_MEMBLOCK_INTERNAL_H
#define MM_BOOT_MEMBLOCK_INTERNAL_H

#include <octavo/memblock.h>

#include "../base/compiler.h"
#include "../base/printk.h"
#include "../base/string.h"

#define INIT_MEMORY_REGIONS 128
#define INIT_RESERVED_REGIONS 256 /* before there is memory to grow into: what the loader occupies */

#define memblock_dbg(mb, ...)                \
	do {                                 \
		if (unlikely((mb)->debug))   \
			printk(__VA_ARGS__); \
	} while (0)

static inline phys_addr_t region_end(const struct memblock_region *r)
{
	return r->base + r->size;
}

/* The last address a range of @size from @base may end at: it does not wrap. */
static inline phys_addr_t range_end(phys_addr_t base, phys_addr_t size)
{
	return size > ~base ? ~(phys_addr_t)0 : base + size;
}

/* memblock.c: the lists */
unsigned long mb_first_after(const struct memblock_type *type, phys_addr_t addr);
int __must_check mb_add(struct memblock *mb, struct memblock_type *type, phys_addr_t base, phys_addr_t size, int nid,
			u32 flags);
int __must_check mb_remove(struct memblock *mb, struct memblock_type *type, phys_addr_t base, phys_addr_t size);
/* Let both lists hold @regions more without growing: hotplug and late frees come when they cannot grow any more. */
int __must_check mb_spare_room(struct memblock *mb, unsigned long regions);
/* Is free memory there certainly zero? */
bool mb_reads_zero(const struct memblock *mb, phys_addr_t base, phys_addr_t size);
int __must_check mb_set_node(struct memblock *mb, struct memblock_type *type, phys_addr_t base, phys_addr_t size,
			     int nid);
int __must_check mb_set_flag(struct memblock *mb, phys_addr_t base, phys_addr_t size, u32 flag, bool set);

/* memblock_iter.c */
struct memblock_span {
	phys_addr_t start, end;
	int nid;
};
bool mb_next_free(const struct memblock *mb, u64 *cursor, int nid, u32 flags, struct memblock_span *out);
bool mb_prev_free(const struct memblock *mb, u64 *cursor, int nid, u32 flags, struct memblock_span *out);
const struct memblock_region *mb_region_of(const struct memblock_type *type, phys_addr_t addr);

/* memblock_alloc.c */
phys_addr_t mb_find(const struct memblock *mb, phys_addr_t size, phys_addr_t align, phys_addr_t start,
		    phys_addr_t end, int nid, u32 flags);
phys_addr_t __must_check mb_alloc(struct memblock *mb, phys_addr_t size, phys_addr_t align, phys_addr_t start,
				  phys_addr_t end, int nid, bool exact_nid);

#endif
