// SPDX-License-Identifier: MIT
/*
 * The boot page tables in use: low memory and the image in large leaves, a window for firmware's tables, and one page
 * at a time of high memory.
 */
#include "arch/i386/cpu/paging.h"

#include "mm/sync/cpu.h"
#include "pc.h"

/* Slots of single pages, 16 a CPU, behind the boot window: one table of the last level. */
#define SLOTS 16u
#define SLOT_BASE 0xffc00000ul

static pc_entry_t slot_table[(1u << PC_TABLE_BITS)] __aligned(4096);
static unsigned int slots_open[PC_CPUS_MAX];
octavo_static_assert(SLOTS *PC_CPUS_MAX <= (1u << PC_TABLE_BITS), "one table has a slot for each");

static struct {
	phys_addr_t start;
	unsigned long pages, used;
} pool;

static pc_entry_t *boot_entry(uintptr_t virt)
{
	return &pc_boot_top[(virt - PC_DIRECT_MAP) >> PAGING_LARGE_SHIFT];
}

bool paging_nx(void)
{
	return PTE_NX && cpuid(0x80000000, 0).eax > 0x80000000 && (cpuid(0x80000001, 0).edx >> 20 & 1);
}

void *pc_pool_alloc(unsigned long pages)
{
	if (pool.pages - pool.used < pages)
		return NULL;
	pool.used += pages;
	return pc_phys_to_virt(pool.start + (pool.used - pages) * PAGE_SIZE);
}

static bool overlaps(phys_addr_t start, phys_addr_t size, const struct bootinfo_span *span)
{
	return span->size && start < span->start + span->size && span->start < start + size;
}

static phys_addr_t find_free(const struct bootinfo_range *map, unsigned int map_nr, const struct bootinfo_span *taken,
			     unsigned int taken_nr, phys_addr_t size)
{
	for (unsigned int i = 0; i < map_nr; i++) {
		phys_addr_t end = min_t(u64, map[i].start + map[i].size, 512 << 20);
		phys_addr_t at = ALIGN(max_t(u64, map[i].start, 1 << 20), PAGE_SIZE);
		bool moved = true;

		while (map[i].type == E820_TYPE_RAM && moved && at < end && end - at >= size) {
			moved = false;
			for (unsigned int t = 0; t < taken_nr; t++)
				if (overlaps(at, size, &taken[t])) {
					at = ALIGN(taken[t].start + taken[t].size, PAGE_SIZE);
					moved = true;
				}
			if (!moved)
				return at;
		}
	}
	return 0;
}

void paging_init(const struct bootinfo_range *map, unsigned int map_nr, const struct bootinfo_span *taken,
		 unsigned int taken_nr, unsigned long more, struct bootinfo_span *span)
{
	pool.pages = more + 64;
	pool.start = find_free(map, map_nr, taken, taken_nr, pool.pages * PAGE_SIZE);
	if (!pool.start)
		port_panic("no memory below 512 MiB for the port's own use");
	*span = (struct bootinfo_span){ pool.start, pool.pages * PAGE_SIZE };
	*boot_entry(SLOT_BASE) = pc_image_phys(slot_table) | PTE_PRESENT | PTE_WRITE;
	port_tlb_flush_all();
}

bool paging_read(phys_addr_t at, void *to, size_t len)
{
	char *copy = to;

	while (len) {
		size_t inside = (size_t)at & (PAGING_LARGE_SIZE - 1), step = min(len, PAGING_LARGE_SIZE - inside);

		if (at >> 32)
			return false;
		*boot_entry(PC_BOOT_WINDOW) = (at - inside) | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
		invlpg(PC_BOOT_WINDOW);
		memcpy(copy, (char *)PC_BOOT_WINDOW + inside, step);
		copy += step;
		at += step;
		len -= step;
	}
	return true;
}

void *pc_map_registers(phys_addr_t phys, size_t size)
{
	size_t inside = (size_t)phys & (PAGING_LARGE_SIZE - 1);

	(void)size;
	*boot_entry(PC_BOOT_WINDOW) = (phys - inside) | PTE_PRESENT | PTE_WRITE | PTE_LARGE | PTE_CACHE_DISABLE;
	invlpg(PC_BOOT_WINDOW);
	return (char *)PC_BOOT_WINDOW + inside;
}

char *pc_map_stack(void)
{
	char *stack = pc_pool_alloc(PC_STACK_BYTES / PAGE_SIZE);

	return stack ? stack + PC_STACK_BYTES : NULL;
}

int pc_vmemmap_populate(uintptr_t virt, phys_addr_t phys, size_t size)
{
	(void)virt, (void)phys, (void)size;
	return -ENOMEM;
}

void pc_vmemmap_depopulate(uintptr_t virt, size_t size)
{
	(void)virt, (void)size;
}

void paging_reset_vmemmap(void)
{
}

int paging_split(uintptr_t start, size_t size)
{
	(void)start, (void)size;
	return -ENOSYS;
}

bool paging_shut(uintptr_t page, bool on)
{
	(void)page, (void)on;
	return false;
}

/* ---- Single pages of high memory ---- */

void *port_kmap_local(unsigned long pfn)
{
	unsigned int cpu = port_cpu_id(), slot = cpu * SLOTS + slots_open[cpu]++;
	uintptr_t virt = SLOT_BASE + slot * PAGE_SIZE;

	if (slots_open[cpu] > SLOTS)
		port_panic("port_kmap_local: more than 16 mappings at a time");
	slot_table[slot] = (pc_entry_t)PFN_PHYS(pfn) | PTE_PRESENT | PTE_WRITE;
	invlpg(virt);
	return (void *)virt;
}

void port_kunmap_local(void *virt)
{
	unsigned int cpu = port_cpu_id(), slot = ((uintptr_t)virt - SLOT_BASE) / PAGE_SIZE;

	if (slot != cpu * SLOTS + slots_open[cpu] - 1)
		port_panic("port_kunmap_local out of order");
	slots_open[cpu]--;
	slot_table[slot] = 0;
	invlpg((uintptr_t)virt);
}

void paging_report(void)
{
	printk("Page tables: those of boot, NX %s\n", paging_nx() ? "on" : "missing");
}
