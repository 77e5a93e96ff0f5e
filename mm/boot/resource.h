/* SPDX-License-Identifier: MIT */
/* The tree of address ranges behind /proc/iomem, and the firmware map behind /sys/firmware/memmap. */
#ifndef MM_BOOT_RESOURCE_H
#define MM_BOOT_RESOURCE_H

#include <octavo/bootinfo.h>

#include "../base/compiler.h"

struct resource {
	phys_addr_t start;
	phys_addr_t end; /* last byte */
	const char *name;
	struct resource *parent, *sibling, *child;
};

/* Spare entries for what is added after boot (memory hotplug, drivers). */
#define RESOURCE_SPARE 256

/*
 * resource_init - build the tree from the final e820 table and the kernel's own ranges
 * Takes its entries from memblock. Called where Linux does: before the PCI gap is looked for.
 * resource_late_init - add the "RAM buffer" ranges behind each piece of RAM, with Linux's lines
 */
void resource_init(const struct bootinfo *info);
void resource_late_init(void);

/*
 * resource_insert - add a range; ranges it contains become its children, a range that contains it its parent
 * @name: kept, not copied
 * Return: 0; -EINVAL for an empty range; -EBUSY if it cuts across another; -ENOMEM.
 */
int __must_check resource_insert(phys_addr_t start, phys_addr_t end, const char *name);

/* resource_remove - take out exactly this range; its children move up. Return: 0 or -ENOENT. */
int __must_check resource_remove(phys_addr_t start, phys_addr_t end, const char *name);

/*
 * resource_for_each - walk the tree in address order, parents first
 * @fn: gets the depth (0: top), first and last byte and the name; must not sleep or change the tree. A return
 *      other than 0 ends the walk.
 * Return: what @fn returned last.
 */
int resource_for_each(int (*fn)(void *ctx, unsigned int depth, phys_addr_t start, phys_addr_t end, const char *name),
		      void *ctx);

/* Entry @index of the firmware's map: false behind the last. @type as /sys/firmware/memmap/N/type shows it. */
bool firmware_map_entry(unsigned int index, phys_addr_t *start, phys_addr_t *end, const char **type);

/* resource_verify - check nesting and order; each finding is one line to @report; returns their number */
unsigned int resource_verify(void (*report)(void *ctx, const char *line), void *ctx);

#endif
