// SPDX-License-Identifier: MIT
/* The invariants of the kernel's own mappings, looked at one by one. They stand in direct_map.c. */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "ptdump.h"

struct look {
	struct findings *f;
	struct leaf_counts counts;
};

/* Whole pages of memory in [start, last]: the first, or ~0. */
static phys_addr_t first_memory(phys_addr_t start, phys_addr_t last)
{
	phys_addr_t from, to;
	u64 i;

	for_each_mem_range(i, &from, &to) {
		from = max(ALIGN(from, (phys_addr_t)PAGE_SIZE), start);
		to = ALIGN_DOWN(to, (phys_addr_t)PAGE_SIZE);
		if (from > last)
			break;
		if (from < to)
			return from;
	}
	return ~(phys_addr_t)0;
}

/* KA-I1, KA-I2, KA-I3 of a leaf of the direct map. */
static int look_at_leaf(void *ctx, unsigned int level, pgt_entry_t *entry, uintptr_t start, uintptr_t last)
{
	struct look *look = ctx;
	pgt_entry_t e = pgt_get(entry);
	phys_addr_t phys = (phys_addr_t)(start - kernel_areas[AREA_DIRECT].start), end = phys + (last - start) + 1;
	u32 bits;

	look->counts.at[level]++;
	if (!pgt_leaf(level, e)) {
		finding(look->f, "KA-I1: %#lx in the direct map: an entry that is no leaf", (unsigned long)start);
		return 0;
	}
	if (pgt_leaf_phys(level, e) != phys)
		finding(look->f, "KA-I1: %#lx in the direct map shows %#llx", (unsigned long)start,
			(unsigned long long)pgt_leaf_phys(level, e));
	if (!memblock_is_region_memory(phys, end - phys))
		finding(look->f, "KA-I1: %#lx in the direct map shows what is no memory", (unsigned long)start);
	bits = pgt_prot(level, e).bits;
	for (phys_addr_t at = phys; at < end;) {
		phys_addr_t stop = end;
		pgprot_t made = direct_prot_at(at, &stop);

		if (bits & ~made.bits & PGPROT_EXEC && kernel_has_nx() && !READ_ONCE(kernel_image.rights_changed))
			finding(look->f, "KA-I2: %#lx in the direct map can be executed", (unsigned long)start);
		if (bits & ~made.bits & PGPROT_WRITE && !READ_ONCE(kernel_image.rights_changed))
			finding(look->f, "KA-I3: %#lx in the direct map can be written, but is text or rodata",
				(unsigned long)start);
		at = stop;
	}
	return 0;
}

static int look_at_hole(void *ctx, unsigned int level, uintptr_t start, uintptr_t last)
{
	struct look *look = ctx;
	uintptr_t base = kernel_areas[AREA_DIRECT].start;
	phys_addr_t memory = first_memory((phys_addr_t)(start - base), (phys_addr_t)(last - base));

	(void)level;
	if (memory != ~(phys_addr_t)0)
		finding(look->f, "KA-I1: the direct map does not show memory at %#llx", (unsigned long long)memory);
	return 0;
}

static void verify_direct(struct findings *f)
{
	static const struct pgt_walk_ops ops = { .leaf = look_at_leaf, .hole = look_at_hole };
	const struct kernel_area *area = &kernel_areas[AREA_DIRECT];
	struct look look = { .f = f };

	(void)pgt_walk(&init_mm, area->start, area->end - area->start, &ops, &look);
	for (unsigned int i = 0; i < LEAF_LEVELS; i++)
		if (look.counts.at[i] != direct_leaves.at[i])
			finding(f, "KA-I4: %lu leaves of level %u in the direct map, but %lu in the books",
				look.counts.at[i], i, direct_leaves.at[i]);
}

static void wx_finding(void *ctx, const char *line)
{
	finding(ctx, "KA-I2: %s", line);
}

static void verify_image(struct findings *f)
{
	for (unsigned int i = 0; kernel_image.separate && i < IMAGE_PARTS; i++) {
		const struct image_range *range = &kernel_image.part[i];

		for (phys_addr_t at = range->start; at < range->end; at += PAGE_SIZE) {
			uintptr_t virt = kernel_image.offset + (uintptr_t)at;
			unsigned int level;
			pgt_entry_t *entry = pgt_lookup(&init_mm, virt, &level);

			if (!entry || !pgt_leaf(level, pgt_get(entry)) ||
			    pgt_leaf_phys(level, pgt_get(entry)) + (virt & (PGT_SIZE(level) - 1)) != at)
				finding(f, "KA-I1: %#lx of the image does not show %#llx", (unsigned long)virt,
					(unsigned long long)at);
			else if (pgt_write(level, pgt_get(entry)) && i <= IMAGE_RODATA &&
				 !READ_ONCE(kernel_image.rights_changed))
				finding(f, "KA-I3: %#lx of the image's %s can be written", (unsigned long)virt,
					image_part_names[i]);
		}
	}
}

static void verify_areas(struct findings *f)
{
	for (unsigned int i = 0; i < AREAS; i++)
		for (unsigned int j = 0; j < AREAS; j++) {
			const struct kernel_area *a = &kernel_areas[i], *b = &kernel_areas[j];

			if (i == j || a->start == a->end || b->start == b->end)
				continue;
			if (area_has((enum kernel_area_id)j, a->start) ||
			    a->start + a->bias - (b->start + b->bias) < b->end - b->start)
				finding(f, "KA-I5: %s and %s overlap", a->name, b->name);
		}
}

static void verify_root(struct findings *f)
{
	for (unsigned int i = 0; i < AREAS && kernel_root_is_made_ahead(); i++) {
		const struct kernel_area *area = &kernel_areas[i];
		unsigned int at = pgt_index(PGT_ROOT_LEVEL, area->start);
		unsigned int last = pgt_index(PGT_ROOT_LEVEL, i == AREA_DIRECT ? kernel_direct_last() : area->end - 1);

		if (area->start == area->end)
			continue;
		for (; at <= last; at++)
			if (!pgt_table(PGT_ROOT_LEVEL, pgt_get(init_mm.pgd + at)))
				finding(f, "KA-I6: root entry %u of %s leads to no table", at, area->name);
	}
}

unsigned int kernel_map_verify(struct findings *f)
{
	unsigned int before = f->n;

	verify_direct(f);
	verify_image(f);
	(void)ptdump_check_wx(wx_finding, f);
	verify_areas(f);
	verify_root(f);
	return f->n - before;
}
