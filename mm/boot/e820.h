/* SPDX-License-Identifier: MIT */
/*
 * The memory map: a table of address ranges and what they are, always sorted and disjoint.
 * The steps of start-up are declared in the order in which mm_init() takes them.
 */
#ifndef MM_BOOT_E820_H
#define MM_BOOT_E820_H

#include <octavo/bootinfo.h>

#include "../base/compiler.h"

/* Entries after sanitising: twice what the largest servers have, 24 KiB a table. */
#define E820_MAX_ENTRIES 1024

struct e820_entry {
	phys_addr_t addr;
	u64 size; /* never 0; the last byte is at most 2^64 - 1 */
	u32 type; /* enum e820_type or what else firmware said; never E820_TYPE_GAP */
};

struct e820_table {
	unsigned int nr_entries;
	struct e820_entry entries[E820_MAX_ENTRIES];
};

/* The map in use, and the map as firmware gave it (sanitised): /sys/firmware/memmap. */
extern struct e820_table e820_table, e820_table_firmware;

/* One above the highest usable frame; the same below 4 GiB (i386: the end of low memory); the architecture's limit. */
extern unsigned long max_pfn, max_low_pfn, max_arch_pfn;

/*
 * Start-up. Return: 0, or -EINVAL after a report when no usable memory is left.
 */
void e820_setup(const struct bootinfo *info);
void e820_finish_params(void);
void e820_apply_edits(const struct bootinfo *info);
void e820_trim(void);
/* i386: where the vmalloc area ends, and how many frames the direct map can have below it. */
u32 i386_vmalloc_end(void);
unsigned long lowmem_limit(void);
int __must_check e820_memblock_setup(void);
/* i386: "MB HIGHMEM available" and the lines with it, behind NODE_DATA; nothing elsewhere. */
void e820_print_lowmem(void);
/* "[mem ...] available for PCI devices"; x86 only. */
void e820_setup_pci_gap(void);

/* ---- The table ---- */

/*
 * e820_range_add - overlay [@start, @start + @size) with @type: where ranges overlap the higher type number stays
 * e820_range_update - entries of @from in the range become @to; Linux's line is printed if @verbose
 * e820_range_remove - entries of @from (E820_TYPE_GAP: any) in the range disappear
 * A size of 0 does nothing; a range that wraps, or one for which there is no room, is reported and left out.
 * Return: bytes added or changed.
 */
u64 e820_range_add(struct e820_table *table, phys_addr_t start, u64 size, u32 type);
u64 e820_range_update(struct e820_table *table, phys_addr_t start, u64 size, u32 from, u32 to, bool verbose);
u64 e820_range_remove(struct e820_table *table, phys_addr_t start, u64 size, u32 from, bool verbose);

/* Sums up the ranges that were left out and not shown one by one. */
void e820_report_dropped(void);

/* The type at an address; E820_TYPE_GAP if the map does not say. */
u32 e820_type_at(const struct e820_table *table, phys_addr_t addr);

void e820_print_table(const struct e820_table *table, const char *who);

/* The name of a type in the boot log ("usable"), into a buffer; and in /proc/iomem ("System RAM"). */
#define E820_TYPE_NAME_MAX 32
const char *e820_type_name(u32 type, char buf[E820_TYPE_NAME_MAX]);
const char *e820_type_resource_name(u32 type);

/* e820_verify - check the table's invariants; each finding is one line to @report; returns their number */
unsigned int e820_verify(const struct e820_table *table, void (*report)(void *ctx, const char *line), void *ctx);

/* mem= or memmap= changed the map: print it again when the command line is done. */
void e820_mark_user_defined(void);

#endif
