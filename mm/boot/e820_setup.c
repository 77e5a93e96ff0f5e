// SPDX-License-Identifier: MIT
/*
 * The memory map at start-up: from firmware's entries to memblock.
 *
 * The order of the steps is that of mm_init(): firmware's map, command line, what firmware tables take away,
 * the machine's own holes, memblock. arm64 has no such map: its ranges pass through the same table, in silence.
 */
#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "e820.h"
#include "params.h"

unsigned long max_pfn __memsys, max_low_pfn __memsys, max_arch_pfn __memsys;

static struct {
	bool user_defined;
	unsigned int cpus;
} setup __memsys;

/* The PC's video and BIOS area: never usable memory, whatever the map says. */
#define BIOS_BEGIN 0xa0000ull
#define BIOS_END 0x100000ull
#define LIMIT_4G 0x100000000ull

static bool has_e820(void)
{
	return boot_arch != BOOT_ARCH_ARM64;
}

static bool is_i386(void)
{
	return boot_arch == BOOT_ARCH_I386 || boot_arch == BOOT_ARCH_I386_PAE;
}

/* Frames the page tables can address; and what this build's unsigned long can count, with PFN_NONE to spare. */
static unsigned long arch_limit(const struct bootinfo *info)
{
	unsigned int bits = info->max_phys_bits;

	switch (info->arch) {
	case BOOT_ARCH_I386: bits = 32; break;
	case BOOT_ARCH_I386_PAE: bits = 36; break;
	case BOOT_ARCH_ARM64: bits = bits ? bits : 48; break;
	case BOOT_ARCH_X86_64: bits = bits ? bits : 46; break;
	}
	bits = clamp(bits, 32u, 52u);
	return (unsigned long)min((u64)1 << (bits - PAGE_SHIFT), (u64)(~0ul & ~0xffffful));
}

static void add_firmware_entries(const struct bootinfo *info)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < info->map_nr; i++) {
		const struct bootinfo_range *range = &info->map[i];
		const char *why = !range->size ? "it is empty"
				  : range->start + (range->size - 1) < range->start ? "it wraps around"
				  : range->type == E820_TYPE_GAP ? "it has no type" : NULL;

		if (!why) {
			e820_range_add(&e820_table, range->start, range->size, range->type);
			continue;
		}
		if (bad++ < 8)
			pr_warn("e820: firmware entry %u (0x%llx, size 0x%llx, type %u) dropped: %s\n", i,
				(unsigned long long)range->start, (unsigned long long)range->size, range->type, why);
	}
	if (bad > 8)
		pr_warn("e820: %u firmware entries more were dropped\n", bad - 8);
	e820_report_dropped();
}

void e820_setup(const struct bootinfo *info)
{
	max_arch_pfn = arch_limit(info);
	setup.cpus = max(info->cpus_nr, info->cpus_possible);
	if (has_e820())
		pr_info("BIOS-provided physical RAM map:\n");
	add_firmware_entries(info);
	e820_table_firmware.nr_entries = e820_table.nr_entries;
	memcpy(e820_table_firmware.entries, e820_table.entries, e820_table.nr_entries * sizeof(e820_table.entries[0]));
	if (has_e820())
		e820_print_table(&e820_table, "BIOS-e820");
	if (!e820_table.nr_entries)
		pr_err("e820: the firmware's map has no usable entry\n");
}

void e820_mark_user_defined(void)
{
	setup.user_defined = true;
}

void e820_finish_params(void)
{
	e820_report_dropped();
	if (!setup.user_defined)
		return;
	pr_info("user-defined physical RAM map:\n");
	e820_print_table(&e820_table, "user");
}

void e820_apply_edits(const struct bootinfo *info)
{
	for (unsigned int i = 0; i < info->edits_nr; i++) {
		const struct bootinfo_edit *edit = &info->edits[i];

		if (!edit->size || edit->start + (edit->size - 1) < edit->start) {
			pr_warn("e820: firmware edit %u (0x%llx, size 0x%llx) dropped: not a range\n", i,
				(unsigned long long)edit->start, (unsigned long long)edit->size);
		} else if (edit->to == E820_TYPE_GAP) {
			e820_range_remove(&e820_table, edit->start, edit->size, edit->from, has_e820());
		} else if (edit->from == E820_TYPE_GAP) {
			e820_range_remove(&e820_table, edit->start, edit->size, E820_TYPE_GAP, has_e820());
			e820_range_add(&e820_table, edit->start, edit->size, edit->to);
		} else {
			e820_range_update(&e820_table, edit->start, edit->size, edit->from, edit->to, has_e820());
		}
	}
	e820_report_dropped();
}

/* One above the highest whole usable page below @limit. */
static unsigned long end_of_ram(unsigned long limit)
{
	u64 end = 0;

	for (unsigned int i = 0; i < e820_table.nr_entries; i++) {
		const struct e820_entry *entry = &e820_table.entries[i];

		if (entry->type == E820_TYPE_RAM && entry->addr >> PAGE_SHIFT < limit)
			end = (entry->addr + (entry->size - 1) + 1) >> PAGE_SHIFT;
		/* An entry that ends with the address space ends at 0. */
		if (entry->type == E820_TYPE_RAM && !(entry->addr + entry->size))
			end = limit;
	}
	end = min(end, (u64)limit);
	pr_info("last_pfn = 0x%lx max_arch_pfn = 0x%lx\n", (unsigned long)end, max_arch_pfn);
	return (unsigned long)end;
}

/*
 * i386: the vmalloc area ends below the persistent kmap window and the fixmap, 0xfeffe000 on machines with more than
 * one CPU. A kernel for one CPU has one CPU's worth of kmap slots in the fixmap, so the window starts one page
 * directory entry (4 MiB, PAE 2 MiB) or more higher.
 */
u32 i386_vmalloc_end(void)
{
	if (setup.cpus != 1)
		return 0xfeffe000;
	return boot_arch == BOOT_ARCH_I386_PAE ? 0xff5fe000 : 0xff3fe000;
}

/* Low memory ends where the direct map meets the vmalloc area. */
unsigned long lowmem_limit(void)
{
	u32 vmalloc_end = i386_vmalloc_end();
	u64 reserve = lowmem_params.vmalloc_reserve;

	if (reserve >= vmalloc_end - lowmem_params.page_offset) {
		pr_warn("vmalloc=: %lluMB leave no room for the direct map: using 128MB\n",
			(unsigned long long)(reserve >> 20));
		reserve = 128ull << 20;
	}
	return (unsigned long)((vmalloc_end - lowmem_params.page_offset - reserve) >> PAGE_SHIFT);
}

static void trim_beyond_limit(void)
{
	phys_addr_t limit = PFN_PHYS(max_arch_pfn);
	char name[E820_TYPE_NAME_MAX];

	for (unsigned int i = 0; i < e820_table.nr_entries; i++) {
		const struct e820_entry *entry = &e820_table.entries[i];
		phys_addr_t last = entry->addr + (entry->size - 1);

		if (entry->type == E820_TYPE_RAM && last >= limit)
			pr_warn("e820: [mem 0x%08llx-0x%08llx] %s lies beyond max_arch_pfn: not used\n",
				(unsigned long long)max(entry->addr, limit), (unsigned long long)last,
				e820_type_name(entry->type, name));
	}
}

void e820_trim(void)
{
	if (!has_e820()) {
		trim_beyond_limit();
		return;
	}
	e820_range_update(&e820_table, 0, PAGE_SIZE, E820_TYPE_RAM, E820_TYPE_RESERVED, true);
	e820_range_remove(&e820_table, BIOS_BEGIN, BIOS_END - BIOS_BEGIN, E820_TYPE_RAM, true);
	max_pfn = end_of_ram(max_arch_pfn);
	trim_beyond_limit();
	if (is_i386())
		max_low_pfn = min(max_pfn, lowmem_limit());
	else if (max_pfn > LIMIT_4G >> PAGE_SHIFT)
		max_low_pfn = end_of_ram(LIMIT_4G >> PAGE_SHIFT);
	else
		max_low_pfn = max_pfn;
}

/* mem= without an e820 map: the lowest bytes stay, wherever they lie. */
static void apply_memory_limit(void)
{
	if (!memory_limit)
		return;
	pr_info("Memory limited to %lluMB\n", (unsigned long long)(memory_limit >> 20));
	memblock_mem_limit_remove_map(memory_limit);
}

int e820_memblock_setup(void)
{
	u64 limit = PFN_PHYS(max_arch_pfn);

	for (unsigned int i = 0; i < e820_table.nr_entries; i++) {
		const struct e820_entry *entry = &e820_table.entries[i];
		phys_addr_t last = entry->addr + (entry->size - 1);
		phys_addr_t start = ALIGN(entry->addr, (phys_addr_t)PAGE_SIZE);
		phys_addr_t end = last >= limit ? limit : ALIGN_DOWN(last + 1, (phys_addr_t)PAGE_SIZE);
		int err = 0;

		if (entry->type == E820_TYPE_SOFT_RESERVED)
			err = memblock_reserve(entry->addr, entry->size);
		else if (entry->type == E820_TYPE_RAM && entry->addr < limit && start < end)
			err = memblock_add(start, end - start);
		if (err)
			pr_err("memblock: no room for [mem 0x%08llx-0x%08llx]: not used\n",
			       (unsigned long long)entry->addr, (unsigned long long)last);
	}
	if (!has_e820()) {
		apply_memory_limit();
		max_pfn = max_low_pfn = PFN_DOWN(memblock_end_of_DRAM());
	}
	if (memblock_phys_mem_size())
		return 0;
	pr_err("No usable memory: neither firmware's map nor mem= and memmap= leave a whole page\n");
	return -EINVAL;
}

void e820_print_lowmem(void)
{
	unsigned long high_mb;

	if (!is_i386())
		return;
	high_mb = (max_pfn - max_low_pfn) >> (20 - PAGE_SHIFT);
	pr_info("%luMB HIGHMEM available.\n", high_mb);
	pr_info("%luMB LOWMEM available.\n", max_low_pfn >> (20 - PAGE_SHIFT));
	pr_info("max_low_pfn = %lx, highstart_pfn = %lx\n", max_low_pfn, max_low_pfn);
	pr_info("  mapped low ram: 0 - %08llx\n", (unsigned long long)PFN_PHYS(max_low_pfn));
	pr_info("  low ram: 0 - %08llx\n", (unsigned long long)PFN_PHYS(max_low_pfn));
}

/* The lowest of the widest gaps that follow an entry below 4 GiB, 4 MiB at least. */
void e820_setup_pci_gap(void)
{
	phys_addr_t gap_start = 0;
	u64 gap_size = 4ull << 20;
	bool found = false;

	if (!has_e820())
		return;
	for (unsigned int i = 0; i < e820_table.nr_entries; i++) {
		const struct e820_entry *entry = &e820_table.entries[i];
		phys_addr_t start = entry->addr + (entry->size - 1) + 1, end = LIMIT_4G;

		if (i + 1 < e820_table.nr_entries)
			end = min(end, entry[1].addr);
		if (start && start < end && end - start > gap_size - !found) {
			gap_start = start;
			gap_size = end - start;
			found = true;
		}
	}
	if (!found) {
		gap_start = PFN_PHYS(max_pfn) + (1ull << 20);
		pr_err("Cannot find an available gap in the 32-bit address range\n");
		pr_err("PCI devices with unassigned 32-bit BARs may not work!\n");
	}
	pr_info("[mem 0x%08llx-0x%08llx] available for PCI devices\n", (unsigned long long)gap_start,
		(unsigned long long)(gap_start + gap_size - 1));
}
