/* SPDX-License-Identifier: MIT */
/*
 * The kernel's address space: which address means what, on each machine.
 *
 * Words. A *virtual address* here (uintptr_t) is the machine's: what page tables are indexed with, what a processor
 * would put on its bus, and what files and reports show. A *pointer* is what C code can use. On bare metal they are
 * one; in the hosted port an area appears at some free place of the process, so pointer = address + bias, a different
 * one for each area. Only functions at the edge of the API convert.
 */
#ifndef MM_KMAP_AREAS_H
#define MM_KMAP_AREAS_H

#include <octavo/bootinfo.h>

#include "../base/compiler.h"

enum kernel_area_id {
	AREA_DIRECT,   /* all low memory: address = start + physical address */
	AREA_VMALLOC,  /* vmalloc, vmap, ioremap, stacks */
	AREA_VMEMMAP,  /* struct page */
	AREA_PKMAP,    /* kmap() of high memory; empty without HighMem */
	AREA_FIXMAP,   /* fixmap, early_ioremap, kmap_local: ends at the top */
	AREA_IMAGE,    /* the kernel's text and data; empty in the hosted port */
	AREAS
};

/* struct kernel_area - [start, end), all zero if the machine has none; all fields (c) after mm_init() */
struct kernel_area {
	const char *name;  /* as Linux's page-table dump has it: "vmalloc() Area" */
	uintptr_t start;   /* virtual address */
	uintptr_t end;	   /* first address behind; 0 stands for the end of the address space */
	uintptr_t bias;	   /* pointer - address, modulo the word */
};
extern struct kernel_area kernel_areas[AREAS];

static inline void *area_pointer(enum kernel_area_id id, uintptr_t virt)
{
	return (void *)(virt + kernel_areas[id].bias);
}

static inline uintptr_t area_virt(enum kernel_area_id id, const void *p)
{
	return (uintptr_t)p - kernel_areas[id].bias;
}

static inline bool area_has(enum kernel_area_id id, uintptr_t virt)
{
	return virt - kernel_areas[id].start < kernel_areas[id].end - kernel_areas[id].start;
}

/*
 * The address behind a pointer into any area, and back. A pointer or address in none is returned as it is, and @id,
 * which may be NULL, is AREAS.
 */
uintptr_t kernel_virt(const void *p, enum kernel_area_id *id);
void *kernel_pointer(uintptr_t virt, enum kernel_area_id *id);

#endif
