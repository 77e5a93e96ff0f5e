/* SPDX-License-Identifier: MIT */
/*
 * What loader and firmware say about the machine, read by pure functions: they reach memory only through a
 * struct phys_reader, keep no state, and take nothing they read on trust. So they run in a process too, on
 * crafted and torn tables (tests/hosted/acpi_test.c).
 */
#ifndef PORT_PC_FIRMWARE_H
#define PORT_PC_FIRMWARE_H

#include <octavo/bootinfo.h>

/* Reads @len bytes of physical memory at @at into @to; false if not all of it can be reached. */
struct phys_reader {
	bool (*read)(void *ctx, phys_addr_t at, void *to, size_t len);
	void *ctx;
};

#define FIRMWARE_MAP_MAX 1024u
#define FIRMWARE_MODULES_MAX 16u
#define FIRMWARE_RSDP_BYTES 36u

struct firmware {
	char loader[64];
	char cmdline[4096];
	struct bootinfo_range map[FIRMWARE_MAP_MAX];
	unsigned int map_nr;
	struct bootinfo_span modules[FIRMWARE_MODULES_MAX]; /* the first is the RAM disk */
	unsigned int modules_nr;
	phys_addr_t rsdp; /* 0: not told */
	u8 rsdp_copy[FIRMWARE_RSDP_BYTES]; /* multiboot2 hands over a copy instead */
	unsigned int rsdp_copy_bytes;
};

/**
 * firmware_read_pvh - what struct hvm_start_info at @info says
 * Return: 0; -EINVAL after a message when it is not one or holds no memory map.
 */
int __must_check firmware_read_pvh(struct firmware *fw, const struct phys_reader *rd, phys_addr_t info);

/** firmware_read_multiboot2 - the same for a multiboot2 information structure */
int __must_check firmware_read_multiboot2(struct firmware *fw, const struct phys_reader *rd, phys_addr_t info);

#define ACPI_CPUS_MAX 1024u
#define ACPI_MEMORY_MAX 256u
#define ACPI_IOAPICS_MAX 16u
#define ACPI_DISTANCES_MAX 64u

/* struct acpi_facts - what is wanted of the ACPI tables. Zero, NULL or BOOT_PXM_NONE: the tables do not say. */
struct acpi_facts {
	struct bootinfo_cpu cpus[ACPI_CPUS_MAX]; /* enabled ones, in MADT order */
	unsigned int cpus_nr;
	unsigned int cpus_hotplug;		/* not enabled but may come online */
	struct bootinfo_mem_affinity memory[ACPI_MEMORY_MAX];
	unsigned int memory_nr;
	u8 distance[ACPI_DISTANCES_MAX * ACPI_DISTANCES_MAX];
	unsigned int distance_nr;
	phys_addr_t lapic;
	phys_addr_t ioapic[ACPI_IOAPICS_MAX];
	unsigned int ioapic_nr;
	u32 pm1a_control, pm1b_control;		/* I/O ports of the sleep control */
	int s5_type_a, s5_type_b;		/* values for them; -1: unknown */
	u16 smi_command;
	u8 acpi_enable;
	bool reset_io;				/* the reset register, if it is an I/O port */
	u16 reset_port;
	u8 reset_value;
};

/**
 * acpi_find_rsdp - look for the root pointer where a PC BIOS leaves it
 * The first KiB of the extended BIOS data area and 0xe0000 to 0xfffff (ACPI 6.5 section 5.2.5.1).
 * Return: its address or 0.
 */
phys_addr_t acpi_find_rsdp(const struct phys_reader *rd);

/**
 * acpi_read - read the tables that the root pointer leads to
 * @rsdp: address of the root pointer, or 0 if @copy holds it
 * @copy, @copy_bytes: a loader's copy of the root pointer
 * Each bad table is reported with printk() and skipped; the facts of the others stand.
 * Return: 0; -ENOENT without a usable root pointer or root table.
 */
int __must_check acpi_read(struct acpi_facts *facts, const struct phys_reader *rd, phys_addr_t rsdp,
			   const u8 *copy, size_t copy_bytes);

#endif
