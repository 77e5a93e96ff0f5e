// SPDX-License-Identifier: MIT
/*
 * The tree of address ranges behind /proc/iomem.
 *
 * Structures
 *	Siblings ascend and do not overlap; children lie within their parent. The root is all addresses.
 *	Entries come from one array that memblock gave, and return to its free list.
 *
 * Invariants
 *	RES-I1	siblings ascend and are disjoint
 *	RES-I2	a child lies within its parent and points back at it
 *
 * Locking
 *	One spinlock. Walkers call out with it held.
 *
 * Memory use and bounds
 *	Three entries for each of the memory map's and RESOURCE_SPARE besides; when they are gone, insertion fails.
 *
 * Differences from Linux
 *	Only memory is here: buses and devices are others' to insert.
 *
 * Source: /proc/iomem and boot logs of real machines.
 */
#include "resource.h"

#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/spinlock.h"
#include "e820.h"
#include "params.h"
#include "reserve.h"

static struct resource root __memsys = { 0, ~(phys_addr_t)0, "iomem", NULL, NULL, NULL };
static struct resource *spare __memsys; /* linked through sibling */
static spinlock_t resource_lock __memsys = { .rank = LOCK_RANK_RESOURCE };

static struct resource *take_spare(phys_addr_t start, phys_addr_t end, const char *name)
{
	struct resource *res = spare;

	if (!res)
		return NULL;
	spare = res->sibling;
	*res = (struct resource){ start, end, name, NULL, NULL, NULL };
	return res;
}

static void give_spare(struct resource *res)
{
	res->sibling = spare;
	spare = res;
}

static bool contains(const struct resource *res, phys_addr_t start, phys_addr_t end)
{
	return res->start <= start && end <= res->end;
}

/* The deepest entry that contains the range, and where in its children it goes. An equal range contains it. */
static struct resource **find_place(phys_addr_t start, phys_addr_t end, struct resource **parent)
{
	struct resource **link = &root.child;

	*parent = &root;
	while (*link && (*link)->start <= end) {
		if (contains(*link, start, end)) {
			*parent = *link;
			link = &(*link)->child;
		} else if ((*link)->end < start) {
			link = &(*link)->sibling;
		} else {
			break;
		}
	}
	return link;
}

static int insert_locked(phys_addr_t start, phys_addr_t end, const char *name)
{
	struct resource *parent, **link = find_place(start, end, &parent), **last = link, *res;

	/* From here on siblings that overlap the range must lie within it: they become its children. */
	while (*last && (*last)->start <= end) {
		if ((*last)->start < start || (*last)->end > end)
			return -EBUSY;
		last = &(*last)->sibling;
	}
	res = take_spare(start, end, name);
	if (!res)
		return -ENOMEM;
	res->parent = parent;
	if (last == link) {
		res->sibling = *link;
	} else {
		res->child = *link;
		res->sibling = *last;
		*last = NULL;
		for (struct resource *child = res->child; child; child = child->sibling)
			child->parent = res;
	}
	*link = res;
	return 0;
}

int resource_insert(phys_addr_t start, phys_addr_t end, const char *name)
{
	unsigned long flags;
	int err;

	if (end < start)
		return -EINVAL;
	spin_lock_irqsave(&resource_lock, flags);
	err = insert_locked(start, end, name);
	spin_unlock_irqrestore(&resource_lock, flags);
	return err;
}

/* Next entry in address order, parents first; @depth follows. */
static struct resource *next_entry(struct resource *res, unsigned int *depth)
{
	if (res->child) {
		++*depth;
		return res->child;
	}
	while (res && !res->sibling) {
		res = res->parent;
		--*depth;
	}
	return res ? res->sibling : NULL;
}

int resource_remove(phys_addr_t start, phys_addr_t end, const char *name)
{
	unsigned int depth = 0;
	unsigned long flags;
	int err = -ENOENT;

	spin_lock_irqsave(&resource_lock, flags);
	for (struct resource *res = root.child; res; res = next_entry(res, &depth)) {
		struct resource **link = &res->parent->child, **last;

		if (res->start != start || res->end != end || strcmp(res->name, name))
			continue;
		while (*link != res)
			link = &(*link)->sibling;
		*link = res->child;
		for (last = link; *last; last = &(*last)->sibling)
			(*last)->parent = res->parent;
		*last = res->sibling;
		give_spare(res);
		err = 0;
		break;
	}
	spin_unlock_irqrestore(&resource_lock, flags);
	return err;
}

int resource_for_each(int (*fn)(void *ctx, unsigned int depth, phys_addr_t start, phys_addr_t end, const char *name),
		      void *ctx)
{
	unsigned int depth = 0;
	unsigned long flags;
	int ret = 0;

	spin_lock_irqsave(&resource_lock, flags);
	for (struct resource *res = root.child; res && !ret; res = next_entry(res, &depth))
		ret = fn(ctx, depth, res->start, res->end, res->name);
	spin_unlock_irqrestore(&resource_lock, flags);
	return ret;
}

static void insert_span(const struct bootinfo_span *span, const char *name)
{
	int err;

	if (!span->size)
		return;
	err = resource_insert(span->start, span->start + (span->size - 1), name);
	if (err)
		pr_warn("resource: %s [mem 0x%08llx-0x%08llx] does not fit into the tree: error %d\n", name,
			(unsigned long long)span->start, (unsigned long long)(span->start + (span->size - 1)), -err);
}

static bool make_spares(unsigned int nr)
{
	struct resource *array = memblock_alloc(nr * sizeof(*array), sizeof(u64));

	if (!array) {
		pr_warn("resource: no memory for %u entries: /proc/iomem stays empty\n", nr);
		return false;
	}
	while (nr--)
		give_spare(&array[nr]);
	return true;
}

void resource_init(const struct bootinfo *info)
{
	if (!make_spares(3 * e820_table.nr_entries + RESOURCE_SPARE))
		return;
	for (unsigned int i = 0; i < e820_table.nr_entries; i++) {
		const struct e820_entry *entry = &e820_table.entries[i];

		insert_span(&(struct bootinfo_span){ entry->addr, entry->size },
			    e820_type_resource_name(entry->type));
	}
	insert_span(&info->kernel_text, "Kernel code");
	insert_span(&info->kernel_rodata, "Kernel rodata");
	insert_span(&info->kernel_data, "Kernel data");
	insert_span(&info->kernel_bss, "Kernel bss");
	insert_span(&crashkernel_res, "Crash kernel");
	insert_span(&crashkernel_low_res, "Crash kernel");
}

/* What lies between the end of RAM and the next round address is left alone by whoever places devices. */
static u64 buffer_align(phys_addr_t pos)
{
	u64 mb = pos >> 20;

	if (!mb)
		return 64ull << 10;
	return mb < 16 ? 1ull << 20 : 64ull << 20;
}

/* Fills the parts of [start, end] that no entry covers. */
static void insert_in_gaps(phys_addr_t start, phys_addr_t end, const char *name)
{
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&resource_lock, flags);
	for (struct resource *res = root.child; start <= end && !err;) {
		if (res && res->end < start) {
			res = res->sibling;
			continue;
		}
		if (!res || res->start > end) {
			err = insert_locked(start, end, name);
			break;
		}
		if (res->start > start)
			err = insert_locked(start, res->start - 1, name);
		if (res->end == ~(phys_addr_t)0)
			break;
		start = res->end + 1;
	}
	spin_unlock_irqrestore(&resource_lock, flags);
	if (err)
		pr_warn("resource: %s behind 0x%llx not noted: error %d\n", name, (unsigned long long)start, -err);
}

void resource_late_init(void)
{
	if (boot_arch == BOOT_ARCH_ARM64)
		return;
	for (unsigned int i = 0; i < e820_table.nr_entries; i++) {
		const struct e820_entry *entry = &e820_table.entries[i];
		phys_addr_t start = entry->addr + (entry->size - 1) + 1, end;

		if (entry->type != E820_TYPE_RAM || !start)
			continue;
		end = ALIGN(start, (phys_addr_t)buffer_align(start));
		if (end - 1 <= start || end <= start)
			continue;
		pr_info("e820: reserve RAM buffer [mem 0x%08llx-0x%08llx]\n", (unsigned long long)start,
			(unsigned long long)(end - 1));
		insert_in_gaps(start, end - 1, "RAM buffer");
	}
}

bool firmware_map_entry(unsigned int index, phys_addr_t *start, phys_addr_t *end, const char **type)
{
	const struct e820_entry *entry;

	if (boot_arch == BOOT_ARCH_ARM64 || index >= e820_table_firmware.nr_entries)
		return false;
	entry = &e820_table_firmware.entries[index];
	*start = entry->addr;
	*end = entry->addr + (entry->size - 1);
	*type = e820_type_resource_name(entry->type);
	return true;
}

unsigned int resource_verify(void (*report)(void *ctx, const char *line), void *ctx)
{
	unsigned int depth = 0, found = 0;
	unsigned long flags;
	char line[128];

	spin_lock_irqsave(&resource_lock, flags);
	for (struct resource *res = root.child; res; res = next_entry(res, &depth)) {
		const char *what = NULL;

		if (res->end < res->start || (res->sibling && res->sibling->start <= res->end))
			what = "RES-I1: not before its sibling";
		else if (!res->parent || !contains(res->parent, res->start, res->end))
			what = "RES-I2: not within its parent";
		for (const struct resource *child = res->child; child && !what; child = child->sibling)
			if (child->parent != res)
				what = "RES-I2: a child does not point back";
		if (!what)
			continue;
		octavo_snprintf(line, sizeof(line), "resource %s at 0x%llx: %s", res->name,
				(unsigned long long)res->start, what);
		report(ctx, line);
		found++;
		if (!res->parent)
			break;
	}
	spin_unlock_irqrestore(&resource_lock, flags);
	return found;
}
