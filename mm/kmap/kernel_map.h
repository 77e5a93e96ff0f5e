/* SPDX-License-Identifier: MIT */
/* What the files of the kernel's own mappings share: the direct map's books, the image's parts. */
#ifndef MM_KMAP_KERNEL_MAP_H
#define MM_KMAP_KERNEL_MAP_H

#include "../base/findings.h"
#include "../pgtable/walk.h"
#include "../sync/mutex.h"
#include "areas.h"

/* ---- The image ---- */

enum image_part { IMAGE_TEXT, IMAGE_RODATA, IMAGE_DATA, IMAGE_BSS, IMAGE_INIT, IMAGE_PARTS };

/* Whole pages; all (c) after mm_init(). No parts unless the core maps the image (bootinfo.image_offset). */
struct image_range {
	phys_addr_t start, end;
};
struct kernel_image {
	uintptr_t offset; /* virtual less physical address */
	bool separate;	  /* it has an area of its own, beside its pages' place in the direct map */
	struct image_range part[IMAGE_PARTS];
	bool rights_changed; /* by set_memory, beyond what KA-I2 and KA-I3 say: it is as somebody wants it */
};
extern struct kernel_image kernel_image;
extern const char *const image_part_names[IMAGE_PARTS];

/* Return: -EINVAL after a report when parts overlap. */
int __must_check image_setup(const struct bootinfo *info);
/* The part that shows at a virtual address of the image; IMAGE_PARTS: none. */
enum image_part image_part_at(uintptr_t virt);
/* Where the image's own area shows @phys; 0: nowhere. */
uintptr_t image_virt_of(phys_addr_t phys);
pgprot_t image_prot(enum image_part part);

/* ---- The direct map ---- */

/*
 * Rights the direct map is made with at @phys; alike up to *@end, which is the end of where the caller looks on entry.
 * Text and read-only data cannot be written there either, and nothing can be executed, unless it is the image's only
 * place.
 */
pgprot_t direct_prot_at(phys_addr_t phys, phys_addr_t *end);

#define LEAF_LEVELS 3
struct leaf_counts {
	unsigned long at[LEAF_LEVELS]; /* leaves by level */
};
/* Leaves that show a part of [@virt, @virt + @size). */
void count_leaves(uintptr_t virt, u64 size, struct leaf_counts *counts);

/* How the direct map is made up, for /proc/meminfo: guarded by kernel_map_mutex once others may run. */
extern struct leaf_counts direct_leaves;
/* /proc/vmstat: leaves of 2 or 4 MiB, and of 1 GiB, that were split. */
extern unsigned long direct_map_splits[LEAF_LEVELS];

/* The kernel's half of the address space. */
static inline uintptr_t kernel_half_start(void)
{
	return (uintptr_t)(pgt_canonical(PGT_KERNEL_START) ? (u64)PGT_KERNEL_START :
							     0 - ((u64)1 << (PGT_VIRT_BITS - 1)));
}

static inline u64 kernel_half_size(void)
{
	return (u64)(~(uintptr_t)0 - kernel_half_start()) + 1;
}

/*
 * Who changes kernel mappings that others made (set_memory, hotplug), who frees kernel tables, and who goes through
 * them all (the dump). Taken with the hotplug lock held; by vmalloc's purge only if it is free.
 */
extern struct mutex kernel_map_mutex;

/* kernel_split - no leaf reaches across @virt any more; of the direct map the books are kept. Return: 0 or -ENOMEM. */
int __must_check kernel_split(uintptr_t virt, gfp_t gfp);
/* kernel_join - the block of @level that begins at @virt, of the direct map. Return: leaves made, in it or of it. */
unsigned long kernel_join(uintptr_t virt, unsigned int level, struct mmu_gather *tlb);

/* KA-I6 holds for this format. The last address of the direct map that memory may ever be shown at. */
bool kernel_root_is_made_ahead(void);
uintptr_t kernel_direct_last(void);

/* The processor knows NX; without it everything can be executed. */
bool kernel_has_nx(void);

unsigned int kernel_map_verify(struct findings *f);

#endif
