/* SPDX-License-Identifier: MIT */
/* The processor's MMU: what it has, how it is set up, what it holds. */
#ifndef PORT_PC_MMU_H
#define PORT_PC_MMU_H

#include "pc.h"

/* mmu_detect - ask the boot CPU what its MMU has; the others are taken to be alike */
void mmu_detect(void);
/* mmu_describe - fill in mmu_features and asids */
void mmu_describe(struct bootinfo *info);

/* mmu_init_cpu - control registers and memory types of this CPU, before it uses a table of the core's making */
void mmu_init_cpu(void);

/* mmu_kernel_root - the page table last loaded as PORT_ASID_KERNEL: what a CPU that starts begins with */
phys_addr_t mmu_kernel_root(void);

/*
 * mmu_boot_tables - this CPU goes back onto the tables of the entry code and forgets all others
 * Context: interrupts off. The stack is in the image or below 4 GiB of the direct map, and so is what is used until the
 * next port_pgd_load().
 */
void mmu_boot_tables(void);

/*
 * mmu_entry - the leaf entry that translates @virt in the page table loaded on this CPU, read as the processor does
 * Return: the entry, or 0; *@level: of the leaf, counted from 1, or where the walk ended
 */
u64 mmu_entry(uintptr_t virt, unsigned int *level);

/* Has the processor SMAP? Then user memory is out of the kernel's reach but between STAC and CLAC. */
extern u8 pc_smap;

static inline void smap_on(void)
{
	if (pc_smap)
		__asm__ volatile("clac" : : : "memory");
}

/* mmu_report - what the tables take, once everything is up */
void mmu_report(void);

/* What the PAT register holds: WB, WC, UC-, UC, WB, WP, UC-, WT for entries 0 to 7 (Intel SDM volume 3A, 11.12.2). */
#define MMU_PAT 0x0407050600070106ull

#endif
