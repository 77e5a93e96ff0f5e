/* SPDX-License-Identifier: MIT */
/*
 * Where descriptors live and when they come to life.
 *
 * Boot provides zeroed memory for the descriptors of every section of 128 MiB that holds RAM, and touches none
 * of it. A pageblock's descriptors are initialised together, when the first of them is needed.
 */
#ifndef MM_PHYS_MEMMAP_H
#define MM_PHYS_MEMMAP_H

#include <octavo/bootinfo.h>

#include "../sync/atomic.h"
#include "zone.h"

#define SECTION_SIZE_BITS 27
#define SECTION_SIZE ((phys_addr_t)1 << SECTION_SIZE_BITS)
#define PFN_SECTION_SHIFT (SECTION_SIZE_BITS - PAGE_SHIFT)
#define PAGES_PER_SECTION (1ul << PFN_SECTION_SHIFT)

#define SECTION_PRESENT 1u /* has descriptors */
#define SECTION_ONLINE 2u  /* its frames may be in use */
#define SECTION_MAPPED 4u  /* its descriptors have memory: kept when the section is removed, for its return */

/* struct mem_section - 2^15 frames, whose descriptors exist together; legend as in zone.h */
struct mem_section {
	uintptr_t map;	  /* (c) sparse model: where frame 0's descriptor would be if the array began there */
	u16 flags;	  /* (a) SECTION_* */
	s16 nid;	  /* (c) node, of the first memory in it */
	u8 hotplug_zone;  /* (c) zone type + 1 that memory hotplug chose; 0: the span of the node's zones decides */
};

/* The section of a frame; NULL if nothing near it was ever present. */
struct mem_section *pfn_to_section(unsigned long pfn);

/*
 * memmap_setup - provide descriptors for all memory in memblock; prints nothing on success
 * Return: 0; -ENOMEM or -EINVAL (memory above the descriptor window) after a report.
 */
int __must_check memmap_setup(const struct bootinfo *info);

/*
 * Memory hotplug: descriptors for whole sections that have none; not online yet. memmap_section_online() and
 * _offline() open and close them to pfn_to_online_page(); closing makes them uninitialised again, so that they may
 * come back in another zone. memmap_section_remove() takes the section off the table, all of its frames being out
 * of use. Context: hotplug lock held, may allocate.
 * Return: 0; -EEXIST, -ENOMEM, -EINVAL (outside the window, or a model whose arrays are of fixed size).
 */
int __must_check memmap_section_add(unsigned long pfn, int nid);
void memmap_section_online(unsigned long pfn);
void memmap_section_offline(unsigned long pfn);
void memmap_section_remove(unsigned long pfn);

/* Debug builds report addresses that cannot be converted: who knows the address space registers how. */
extern void (*bad_address_report)(const char *who, const void *p);
#ifdef OCTAVO_DEBUG
enum { BAD_ADDRESSES_ARE_TOLD = 1 };
#else
enum { BAD_ADDRESSES_ARE_TOLD = 0 };
#endif
static inline void note_bad_address(const char *who, const void *p)
{
	if (BAD_ADDRESSES_ARE_TOLD && bad_address_report)
		bad_address_report(who, p);
}

/* First frame that can have no descriptor on this machine. */
unsigned long memmap_end_pfn(void);

/* Initialise the descriptors of the pageblock that holds @pfn, which must be valid. Any context. */
void memmap_init_block(unsigned long pfn);

/*
 * memmap_ensure - see to it that the 2^order descriptors from @pfn on are initialised
 * Blocks are initialised from their last page to their first, so the first one speaks for those behind it.
 * Who takes frames out of the free bits calls this before it looks at a descriptor.
 */
static inline void memmap_ensure(unsigned long pfn, unsigned int order)
{
	for (unsigned long end = pfn + (1ul << order); pfn < end; pfn += pageblock_nr_pages)
		if (unlikely(!(load_acquire(&pfn_to_page(pfn)->flags) & 1u << PG_init)))
			memmap_init_block(pfn);
}

/*
 * memmap_free_reserved - boot-reserved frames [start, end) of one zone are about to be handed to the allocator
 * Takes them out of memblock.reserved too, under the lock that memmap_init_block() reads it with.
 */
void memmap_free_reserved(unsigned long start, unsigned long end);

/*
 * memmap_lock, memmap_unlock - who changes memblock while other CPUs may initialise descriptors (memory hotplug)
 * does it between these. May not sleep or allocate in between.
 */
unsigned long memmap_lock(void);
void memmap_unlock(unsigned long flags);

#endif
