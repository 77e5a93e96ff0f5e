/* SPDX-License-Identifier: MIT */
/* What a memory model provides to memmap.c. */
#ifndef MM_PHYS_MEMMAP_MODELS_H
#define MM_PHYS_MEMMAP_MODELS_H

#include "memmap.h"

#define SECTIONS_PER_ROOT 4096ul
/* 52 bits of physical address are 2^25 sections. */
#define NR_SECTION_ROOTS ((1ul << (52 - SECTION_SIZE_BITS)) / SECTIONS_PER_ROOT)
extern struct mem_section *section_roots[NR_SECTION_ROOTS];

/* Enter a section in the table. Return: 0, -EINVAL or -ENOMEM after a report. */
int __must_check section_mark_present(unsigned long pfn, int nid);

/*
 * Calls @fn for each stretch of neighbouring present sections whose first memory is of one node, in order.
 * Return: the first result that is not 0.
 */
int __must_check for_each_section_run(int (*fn)(unsigned long start, unsigned long end, int nid));

/* Zeroed memory in the direct map, from memblock at boot and from the page allocator later. */
void *memmap_alloc_table(size_t bytes, int nid);

/* Provide descriptors for all sections present. Return: 0, -EINVAL or -ENOMEM after a report. */
int __must_check model_setup(const struct bootinfo *info);

/*
 * Descriptors for one more section, in @memory: zeroed, page aligned, in the direct map.
 * Return: 0; -ENOMEM; -EINVAL if the model's arrays are of fixed size.
 */
int __must_check model_add_section(unsigned long pfn, void *memory);

/* A frame of a present section: has it a descriptor? Only discontig and flat can say no. */
#if defined(OCTAVO_MEMORY_MODEL_DISCONTIG) || defined(OCTAVO_MEMORY_MODEL_FLAT)
bool model_has_pfn(unsigned long pfn);
#else
static inline bool model_has_pfn(unsigned long pfn)
{
	(void)pfn;
	return true;
}
#endif

#endif
