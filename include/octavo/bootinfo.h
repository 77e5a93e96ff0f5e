/* SPDX-License-Identifier: MIT */
/*
 * What a port knows about its machine before any memory is managed.
 *
 * The port fills one struct bootinfo from firmware (e820, UEFI, ACPI, device tree) or from a recorded
 * boot log and passes it to mm_init(). The core copies what it keeps: nothing here need outlive mm_init(),
 * except the strings of bootinfo.name.
 */
#ifndef OCTAVO_BOOTINFO_H
#define OCTAVO_BOOTINFO_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/*
 * Memory map entry types. 1-7 are ACPI 6.5 section 15 table 15.5; 12 (PRAM) is the customary legacy
 * persistent-memory type; the others are Linux's own for what EFI or the command line say.
 */
enum e820_type {
	E820_TYPE_GAP = 0, /* an address range the map says nothing about */
	E820_TYPE_RAM = 1,
	E820_TYPE_RESERVED = 2,
	E820_TYPE_ACPI = 3,
	E820_TYPE_NVS = 4,
	E820_TYPE_UNUSABLE = 5,
	E820_TYPE_PMEM = 7,
	E820_TYPE_PRAM = 12,
	E820_TYPE_SOFT_RESERVED = (int)0xefffffff,
};

/* Which machine is being booted: decides zones, limits and the geometry that Linux has for it. */
enum boot_arch {
	BOOT_ARCH_X86_64,
	BOOT_ARCH_I386,
	BOOT_ARCH_I386_PAE,
	BOOT_ARCH_ARM64,
};

/**
 * struct bootinfo_range - one entry of the firmware's memory map, as it stands there
 * @start: first byte
 * @size: bytes; entries with size 0 or that wrap around are reported and dropped by the core
 * @type: enum e820_type, or any other number a firmware may use (shown as "type N")
 */
struct bootinfo_range {
	phys_addr_t start;
	phys_addr_t size;
	u32 type;
};

/**
 * struct bootinfo_edit - a change firmware facts make to the map (an MMIO hole EFI says is no memory, a range
 * the MTRRs leave uncached), applied in order, after mem= and memmap=
 * @start, @size: the range
 * @from: only entries of this type change; E820_TYPE_GAP: of any type
 * @to: what they become; E820_TYPE_GAP: they are removed
 */
struct bootinfo_edit {
	phys_addr_t start;
	phys_addr_t size;
	u32 from;
	u32 to;
};

#define BOOT_MEM_ENABLED 1u     /* SRAT memory affinity flag bit 0 (ACPI 6.5 table 5.60) */
#define BOOT_MEM_HOTPLUG 2u     /* bit 1 */
#define BOOT_MEM_NONVOLATILE 4u /* bit 2 */

/** struct bootinfo_mem_affinity - one SRAT memory affinity structure; @pxm is a proximity domain */
struct bootinfo_mem_affinity {
	phys_addr_t start;
	phys_addr_t size;
	u32 pxm;
	u32 flags; /* BOOT_MEM_* */
};

/** struct bootinfo_cpu - one processor: local APIC id and proximity domain (PXM_NONE if unknown) */
struct bootinfo_cpu {
	u32 apic_id;
	u32 pxm;
};
#define BOOT_PXM_NONE (~0u)

/** struct bootinfo_span - a physical range; empty when @size is 0 */
struct bootinfo_span {
	phys_addr_t start;
	phys_addr_t size;
};

/**
 * struct bootinfo - the machine before boot
 * @name: one line on what is being booted (shown nowhere in the log; for reports), may be NULL
 * @arch: the kind of machine
 * @cmdline: kernel command line, NUL terminated, at most 4095 bytes are used; may be NULL
 * @map, @map_nr: memory map in firmware order; entries may overlap, be out of order or absurd
 * @edits, @edits_nr: changes to the map that firmware tables call for
 * @mem_affinity, @mem_affinity_nr: SRAT memory, in table order
 * @cpus, @cpus_nr: processors in the order they get CPU numbers; CPU 0 boots
 * @cpus_possible: CPUs the kernel should allow in all, present included (0: @cpus_nr)
 * @distance: SLIT as n x n bytes, row by row, indexed by proximity domain; NULL if none
 * @distance_nr: n
 * @initrd: RAM disk, not to be handed out before it is freed
 * @kernel_text, @kernel_rodata, @kernel_data, @kernel_bss, @kernel_init: the kernel image, reserved at boot
 * @reserved, @reserved_nr: more ranges that the loader or the port occupies (page tables, stacks, ACPI tables)
 * @direct_map: virtual address at which physical address 0 appears; RAM from 0 to @direct_map_size can
 *              be reached at direct_map + address, unless the page is high memory of @arch
 * @direct_map_size: bytes of physical address space under the direct map
 * @max_phys_bits: physical address bits of the machine's page tables (46: 4 levels, 52: 5; 0: by @arch)
 * @vmemmap: virtual address of a window for struct page of frame 0 on (vmemmap model only)
 * @vmemmap_size: bytes in that window
 * @vmemmap_populate: makes [virt, virt + size) of the window readable and writable, zeroed, backed by the
 *              physical range that begins at @phys (page aligned, reserved by the core for this use), or NULL when
 *              the window is demand-zero memory already. Called by mm_init() and memory hotplug, never
 *              concurrently, not from interrupts. Returns 0 or -ENOMEM.
 *              A port whose page tables the core makes names octavo_vmemmap_populate() and
 *              octavo_vmemmap_depopulate() here.
 * @vmemmap_depopulate: undoes it when memory is removed; may be NULL. Same context.
 * @zone_dma_end, @zone_dma32_end: arm64: first byte above ZONE_DMA and ZONE_DMA32 (0: Linux's default)
 * @mirrored, @mirrored_nr: RAM that the memory controller keeps twice (EFI_MEMORY_MORE_RELIABLE, UEFI 2.10 section
 *                          7.2.3): kernelcore=mirror, and early allocations prefer it
 * @ram_zeroed: RAM that nothing is said to occupy reads as zeroes, so the core need not clear its tables
 * @no_numa: the kernel whose boot is followed knows no nodes: no lines about them, and on i386 one flat array of
 *           descriptors, with no sections
 * @page_tables: the core makes the kernel's page tables and owns the kernel's address space; without it there are
 *              no page tables, vmalloc() gives contiguous memory and high memory is reached by port_kmap_local()
 * @page_offset: virtual address of the direct map in the page tables (0: Linux's for the build's format; i386:
 *              0xc0000000, or 0x80000000 for a 2:2 split). Where it is not @direct_map, pointers are not addresses: the
 *              hosted port.
 * @early_direct_map_size: how much of the direct map can be used before mm_init() has made the page tables (0: all)
 * @kernel_window, @kernel_window_size: where pointers into vmalloc, pkmap and fixmap areas may lie (0: at their
 *              addresses); the areas are cut to it
 * @image_offset: virtual address of the kernel image less its physical address (with @kernel_text and its like; 0: the
 *              image is not mapped by the core)
 * @mmu_features: BOOT_MMU_*
 * @asids: address-space identifiers port_pgd_load() may be given, 1 to this number less 1, beside PORT_ASID_KERNEL
 *              (0: none: each load forgets all but global translations)
 * @zones: the zones which that kernel was built with, bits of enum zone_type (0: those Linux 6.12 has on @arch);
 *         Normal and Movable are always there
 */
struct bootinfo {
	const char *name;
	enum boot_arch arch;
	const char *cmdline;
	const struct bootinfo_range *map;
	unsigned int map_nr;
	const struct bootinfo_edit *edits;
	unsigned int edits_nr;
	const struct bootinfo_mem_affinity *mem_affinity;
	unsigned int mem_affinity_nr;
	const struct bootinfo_cpu *cpus;
	unsigned int cpus_nr;
	unsigned int cpus_possible;
	const u8 *distance;
	unsigned int distance_nr;
	struct bootinfo_span initrd;
	struct bootinfo_span kernel_text, kernel_rodata, kernel_data, kernel_bss, kernel_init;
	const struct bootinfo_span *reserved;
	unsigned int reserved_nr;
	uintptr_t direct_map;
	u64 direct_map_size;
	unsigned int max_phys_bits;
	uintptr_t vmemmap;
	u64 vmemmap_size;
	int (*vmemmap_populate)(uintptr_t virt, phys_addr_t phys, size_t size);
	void (*vmemmap_depopulate)(uintptr_t virt, size_t size);
	phys_addr_t zone_dma_end, zone_dma32_end;
	const struct bootinfo_span *mirrored;
	unsigned int mirrored_nr;
	bool ram_zeroed;
	bool no_numa;
	bool page_tables;
	uintptr_t page_offset;
	u64 early_direct_map_size;
	uintptr_t kernel_window;
	u64 kernel_window_size;
	uintptr_t image_offset;
	u32 mmu_features;
	unsigned int asids;
	u32 zones;
};

/* What the processor's MMU has beyond the format's least. */
#define BOOT_MMU_NX 1u	     /* no-execute (arm64: always) */
#define BOOT_MMU_GLOBAL 2u   /* global pages */
#define BOOT_MMU_LARGE 4u    /* leaves of level 1: 2 or 4 MiB */
#define BOOT_MMU_GIGANTIC 8u /* leaves of level 2: 1 GiB */
#define BOOT_MMU_PKEYS 16u   /* protection keys */
#define BOOT_MMU_SMEP 32u
#define BOOT_MMU_SMAP 64u

/**
 * octavo_vmemmap_populate, octavo_vmemmap_depopulate - bootinfo.vmemmap_populate and _depopulate by the core's own
 * tables
 */
OCTAVO_API int octavo_vmemmap_populate(uintptr_t virt, phys_addr_t phys, size_t size);
OCTAVO_API void octavo_vmemmap_depopulate(uintptr_t virt, size_t size);

OCTAVO_END_DECLS
#endif
