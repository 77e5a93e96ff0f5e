/* SPDX-License-Identifier: MIT */
/* bootmem: one bit a page and first fit; a build choice (BOOTMEM=1) for allocations between sizing and hand-over. */
#ifndef MM_BOOT_BOOTMEM_H
#define MM_BOOT_BOOTMEM_H

#include "../base/compiler.h"

/*
 * struct bootmem_data - the pages of one node
 * @start_pfn, @end_pfn: what @map covers
 * @map: a bit a page; set: taken, or no memory
 * @last_end: byte behind the last allocation, counted from @start_pfn; 0: none to be continued
 * @hint: no page below this one is free (counted from @start_pfn)
 */
struct bootmem_data {
	unsigned long start_pfn, end_pfn;
	u64 *map;
	phys_addr_t last_end;
	unsigned long hint;
};

#define bootmem_map_bytes(pages) (DIV_ROUND_UP((size_t)(pages), 64) * 8)

/* @map is zeroed and has bootmem_map_bytes() of the pages: all are free at first. */
void bootmem_init_node(struct bootmem_data *data, unsigned long start_pfn, unsigned long end_pfn, void *map);

/* Take or free whole pages; what lies outside the node is ignored. */
void bootmem_reserve(struct bootmem_data *data, unsigned long start_pfn, unsigned long end_pfn);
void bootmem_free(struct bootmem_data *data, unsigned long start_pfn, unsigned long end_pfn);

/*
 * bootmem_alloc - take @size bytes at a multiple of @align, not below @goal if that is possible, below @limit
 * A small allocation continues the page in which the last one ended. Return: physical address or 0.
 */
phys_addr_t bootmem_alloc(struct bootmem_data *data, phys_addr_t size, phys_addr_t align, phys_addr_t goal,
			  phys_addr_t limit);

/* The next run of free pages at or above *@pfn. Return: its first page, with its end in *@pfn; PFN_NONE: none. */
unsigned long bootmem_next_free(const struct bootmem_data *data, unsigned long *pfn);

#ifdef OCTAVO_BOOTMEM
/* ---- The machine's: memblock's allocations go here from bootmem_setup() on, reservations are followed ---- */
int __must_check bootmem_setup(void);
bool bootmem_ready(void);
phys_addr_t bootmem_alloc_nid(phys_addr_t size, phys_addr_t align, phys_addr_t start, phys_addr_t end, int nid,
			      bool exact_nid);
void bootmem_follow(phys_addr_t base, phys_addr_t end);
/* Calls @fn for every run of free pages of every node, and closes. */
void bootmem_free_all(void (*fn)(int nid, unsigned long start, unsigned long end));
#else
static inline int bootmem_setup(void)
{
	return 0;
}

static inline bool bootmem_ready(void)
{
	return false;
}

static inline phys_addr_t bootmem_alloc_nid(phys_addr_t size, phys_addr_t align, phys_addr_t start, phys_addr_t end,
					    int nid, bool exact_nid)
{
	(void)size, (void)align, (void)start, (void)end, (void)nid, (void)exact_nid;
	return 0;
}

static inline void bootmem_follow(phys_addr_t base, phys_addr_t end)
{
	(void)base, (void)end;
}

static inline void bootmem_free_all(void (*fn)(int nid, unsigned long start, unsigned long end))
{
	(void)fn;
}
#endif

#endif
