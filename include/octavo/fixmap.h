/* SPDX-License-Identifier: MIT */
/*
 * Fixed mappings: addresses that are constants, for frames that are known at run time; and early_ioremap, which maps a
 * few pages of anything while the kernel boots. Names and numbers are Linux's (<asm/fixmap.h>, <asm/early_ioremap.h>).
 */
#ifndef OCTAVO_FIXMAP_H
#define OCTAVO_FIXMAP_H

#include <octavo/pgprot.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/* early_ioremap: so many mappings at a time, of so many pages at most. */
#define NR_FIX_BTMAPS 64
#define FIX_BTMAPS_SLOTS 8
/* kmap_local_page(): open at a time on one CPU. */
#define KM_MAX_IDX 16

/*
 * Slots are counted from the top of the address space down: one page each. Behind these, KM_MAX_IDX for each possible
 * CPU.
 */
enum fixed_addresses {
	FIX_HOLE, /* the end of the area: never mapped */
	FIX_DBGP_BASE,
	FIX_EARLYCON_MEM_BASE,
	FIX_APIC_BASE,
	FIX_IO_APIC_BASE_0,
	FIX_IO_APIC_BASE_END = FIX_IO_APIC_BASE_0 + 7,
	FIX_TEXT_POKE0,
	FIX_TEXT_POKE1,
	FIX_PORT_BASE, /* the port's own */
	FIX_PORT_END = FIX_PORT_BASE + 15,
	__end_of_permanent_fixed_addresses,
	FIX_BTMAP_END = __end_of_permanent_fixed_addresses,
	FIX_BTMAP_BEGIN = FIX_BTMAP_END + NR_FIX_BTMAPS * FIX_BTMAPS_SLOTS - 1,
	__end_of_fixed_addresses
};

/**
 * fix_to_virt - where a slot is; virt_to_fix - which slot an address of the fixmap area is in
 * Return: 0 for a slot, __end_of_fixed_addresses or more for an address, that there is none for: after a report.
 */
OCTAVO_API unsigned long fix_to_virt(unsigned int slot);
OCTAVO_API unsigned int virt_to_fix(unsigned long virt);

/**
 * __set_fixmap - show the page of memory at @phys in a slot, instead of what it showed
 * Context: boot, or thread context with interrupts on. Return: 0; -EINVAL after a report: a slot that is not for this,
 * or no page tables; -ENOSYS: other CPUs cannot be told that what was there is gone (port_cpu_call()), so nothing is.
 */
OCTAVO_API int __set_fixmap(enum fixed_addresses slot, phys_addr_t phys, pgprot_t prot);
#define set_fixmap(slot, phys) __set_fixmap(slot, phys, PAGE_KERNEL)
#define set_fixmap_nocache(slot, phys) __set_fixmap(slot, phys, PAGE_KERNEL_NOCACHE)
#define set_fixmap_io(slot, phys) __set_fixmap(slot, phys, PAGE_KERNEL_NOCACHE)

/** clear_fixmap - nothing is at the slot any more. Context as __set_fixmap(). */
OCTAVO_API int clear_fixmap(enum fixed_addresses slot);

/** set_fixmap_offset - set_fixmap() of the page that @phys is in. Return: where @phys shows; 0 if it does not. */
OCTAVO_API unsigned long set_fixmap_offset(enum fixed_addresses slot, phys_addr_t phys);

/**
 * early_ioremap - see device memory, while booting: uncached, at most NR_FIX_BTMAPS pages, FIX_BTMAPS_SLOTS at a time
 * early_memremap - the same for RAM, cached; _ro: not to be written; _prot: with the rights one says
 * @phys, @size: bytes, of which neither need be aligned
 *
 * Each is undone by early_iounmap() or early_memunmap() with the same size, before mm_free_initmem() returns: which
 * names what is left. "early_ioremap_debug" on the command line has each call logged.
 *
 * Context: boot CPU, until mm_free_initmem(). Return: NULL after a report: no slot, too many pages, size 0, a range
 * that wraps, or the end of boot. Without page tables only RAM of the direct map can be had.
 */
OCTAVO_API void *early_ioremap(phys_addr_t phys, unsigned long size);
OCTAVO_API void *early_memremap(phys_addr_t phys, unsigned long size);
OCTAVO_API void *early_memremap_ro(phys_addr_t phys, unsigned long size);
OCTAVO_API void *early_memremap_prot(phys_addr_t phys, unsigned long size, pgprot_t prot);
OCTAVO_API void early_iounmap(void *addr, unsigned long size);
OCTAVO_API void early_memunmap(void *addr, unsigned long size);

/** copy_from_early_mem - copy out of physical memory, however much it is. Return: 0 or -ENOMEM after a report. */
OCTAVO_API int __must_check copy_from_early_mem(void *dest, phys_addr_t src, unsigned long size);

OCTAVO_END_DECLS
#endif
