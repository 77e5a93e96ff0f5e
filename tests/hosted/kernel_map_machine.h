/* SPDX-License-Identifier: MIT */
/* Machines whose page tables the core makes, and what tests look up in them. */
#ifndef TESTS_HOSTED_KERNEL_MAP_MACHINE_H
#define TESTS_HOSTED_KERNEL_MAP_MACHINE_H

#include "hosted.h"
#include "mm/kmap/kernel_map.h"

#define MIB ((u64)1 << 20)
#define ALL_FEATURES (BOOT_MMU_NX | BOOT_MMU_GLOBAL | BOOT_MMU_LARGE | BOOT_MMU_GIGANTIC)
/* Physical addresses of the image's parts: page by page different rights, ends that are not whole pages. */
#define IMAGE_TEXT_AT (16 * MIB)
#define IMAGE_RODATA_AT (IMAGE_TEXT_AT + 2 * MIB)
#define IMAGE_DATA_AT (IMAGE_RODATA_AT + MIB - PAGE_SIZE)
#define IMAGE_BSS_AT (IMAGE_TEXT_AT + 4 * MIB + PAGE_SIZE)
#define IMAGE_INIT_AT (IMAGE_TEXT_AT + 6 * MIB)

/* An image, linked where the format's kernels are. */
void machine_add_image(struct bootinfo *info);
/* Boot with page tables; the log is not shown. */
int machine_boot(struct bootinfo info, u32 features) __must_check;
/* The tests' machine with an image. */
int machine_boot_image(void) __must_check;

/* Where the direct map shows a physical address. */
uintptr_t machine_direct(phys_addr_t phys);
/* Where the image was linked, of one of its physical addresses. */
uintptr_t machine_image(phys_addr_t phys);
/* The leaf that shows an address, and its level; 0: none. */
pgt_entry_t machine_leaf(uintptr_t virt, unsigned int *level);
/* PGPROT_READ, _WRITE and _EXEC of it; 0: no access. */
u32 machine_rights(uintptr_t virt);

/* KA invariants: findings, whose lines are kept; a failed test if there are any; or none with @what in it. */
unsigned int machine_findings(void);
void machine_expect_sound(void);
void machine_expect_finding(const char *what);

#endif
