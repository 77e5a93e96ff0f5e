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

/*
 * areas_setup - lay the address space out, from what the port said and memblock knows
 * Return: 0; -EINVAL after a report: a window too small, or two areas in one place.
 */
int __must_check areas_setup(const struct bootinfo *info);

/* struct area_layout - where a format's areas are before they are cut to the machine; 64 bits for all formats */
struct area_layout {
	u64 direct, direct_end; /* 32 bits: low memory decides on the end, */
	u64 vmalloc, vmalloc_end; /* and with it on these and the fixmap's start */
	u64 vmemmap, vmemmap_end;
	u64 fixmap, fixmap_end, fixmap_floor; /* machines of many CPUs have it begin earlier, at the floor at most */
	unsigned int pkmap_pages;
};
extern const struct area_layout area_layouts[]; /* x86_64, x86_64_la57, arm64, i386, i386_pae */
unsigned int area_layout_of_format(void);

/* i386: where vmalloc begins behind a direct map that ends at @high: a gap of 8 MiB at least, rounded up to 8 MiB. */
#define VMALLOC_OFFSET ((uintptr_t)8 << 20)
static inline uintptr_t vmalloc_start_behind(uintptr_t high)
{
	return ALIGN_DOWN(high + 2 * VMALLOC_OFFSET - 1, VMALLOC_OFFSET);
}

/* ---- What an address is, in words ---- */

enum area_place {
	PLACE_INSIDE,	   /* of something */
	PLACE_GUARD,	   /* the unmapped page that keeps two things apart */
	PLACE_STACK_GUARD, /* the one below a stack */
	PLACE_HOLE,	   /* nothing is there */
};

/* struct area_description - [@start, @end) is the thing itself, whichever side of it the address is on */
struct area_description {
	enum area_place place;
	uintptr_t start, end;
	char text[192]; /* "in the guard page behind 0x…-0x… vmalloc 16384 bytes, allocated by f+0x1/0x2" */
};

/*
 * register_area_describer - who knows what lies in an area says so in reports of page faults. @describe: false: it
 * knows nothing of this address. Called in any context, locks held: it must not wait for any.
 */
typedef bool (*area_describe_fn)(uintptr_t virt, struct area_description *d);
void register_area_describer(enum kernel_area_id id, area_describe_fn describe);

/* The name of a place in the code: "name+0xoffset/0xsize", or the address. */
void symbol_at(uintptr_t virt, char *text, size_t size);

/* Always says something: what is there, or which areas are next. */
void describe_address(uintptr_t virt, struct area_description *d);

#endif
