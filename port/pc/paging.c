// SPDX-License-Identifier: MIT
/*
 * Purpose
 *   The kernel's address space: direct map of all RAM, the image with the rights each part needs, the
 *   window for struct page, the port's own mappings.
 *
 * Words
 *   pool: physical pages for page tables, set aside from the firmware's map before the core exists, as many
 *   as everything below can need. window: the last GiB but one quarter, for device registers and stacks.
 *
 * Structures
 *	0xffff888000000000  direct map: RAM of the firmware map, read-write, never executable
 *	0xffffea0000000000  struct page of frame 0 on; vmemmap_populate() fills it in
 *	0xffffffff80200000  image: text read and execute, rodata read, data and bss read-write
 *	0xffffffffc0000000  window: registers uncached; stacks, each above an unmapped guard page
 *
 * Invariants
 *   PC-I1  No page is both writable and executable where the processor has NX (the direct map shows the
 *          image's frames too, but not executable).
 *   PC-I2  The page below each stack is not mapped: running over it is a double fault, not corruption.
 *
 * Memory use and bounds
 *   Direct map: a table for each GiB without 1 GiB pages and two for each range's edges; struct page: a
 *   table for each 2 MiB of descriptors, that is 256 MiB of RAM: 16 ppm. pool_pages_needed() is the sum.
 *
 * What failure does
 *   Too little memory for the tables: panic at start-up. Later (vmemmap of hot-added memory): -ENOMEM.
 *
 * Sources: Intel SDM volume 3A chapter 4.
 */
#include "arch/x86_64/cpu/paging.h"

#include "mm/sync/cpu.h"
#include "pc.h"

static u64 kernel_pml4[512] __aligned(4096);

static struct {
	phys_addr_t start;
	unsigned long pages, used;
	u64 *freed; /* tables given back, each pointing at the next */
	bool has_1g;
	u64 nx;
	uintptr_t window_next;
} paging = { .window_next = PC_WINDOW };

/* ---- The pool ---- */

static phys_addr_t pool_take(unsigned long pages)
{
	if (paging.pages - paging.used < pages)
		return 0;
	paging.used += pages;
	return paging.start + (paging.used - pages) * PAGE_SIZE;
}

void *pc_pool_alloc(unsigned long pages)
{
	phys_addr_t phys = pool_take(pages);

	return phys ? pc_phys_to_virt(phys) : NULL;
}

static u64 *pool_table(void)
{
	u64 *table = paging.freed;
	phys_addr_t phys;

	if (table) {
		paging.freed = (u64 *)(uintptr_t)*table;
	} else {
		phys = pool_take(1);
		if (!phys)
			return NULL;
		table = pc_phys_to_virt(phys);
	}
	memset(table, 0, PAGE_SIZE);
	return table;
}

static void pool_give_table(u64 *table)
{
	*table = (uintptr_t)paging.freed;
	paging.freed = table;
}

/* Tables to map @size bytes in entries of 2^@shift bytes, each table holding 512: a start not aligned adds one. */
static unsigned long tables_for(u64 size, unsigned int shift)
{
	return (unsigned long)(size >> (shift + 9)) + 2;
}

static unsigned long pool_pages_needed(const struct bootinfo_range *map, unsigned int nr)
{
	unsigned long pages = 64; /* the image, the window (20 MiB of stacks: 11 tables), hot-added memory */

	for (unsigned int i = 0; i < nr; i++) {
		u64 size = map[i].size, pages_array = size / PAGE_SIZE * 32;

		if (map[i].type != E820_TYPE_RAM)
			continue;
		pages += 2 /* edges */ + tables_for(size, 21) + tables_for(size, 30);
		/* Sections of 128 MiB count whole: two more MiB of descriptors at either end. */
		pages_array += 4 << 20;
		pages += tables_for(pages_array, 12) + tables_for(pages_array, 21) + tables_for(pages_array, 30);
	}
	return pages;
}

static bool spans_overlap(phys_addr_t start, phys_addr_t end, const struct bootinfo_span *span)
{
	return span->size && start < span->start + span->size && span->start < end;
}

/* The lowest place from 1 MiB on and below 4 GiB that is RAM, not otherwise typed, and nobody's. */
static phys_addr_t find_free(const struct bootinfo_range *map, unsigned int map_nr, const struct bootinfo_span *taken,
			     unsigned int taken_nr, phys_addr_t size)
{
	for (unsigned int i = 0; i < map_nr; i++) {
		phys_addr_t at = ALIGN(max_t(u64, map[i].start, 1 << 20), PAGE_SIZE);
		phys_addr_t end = min_t(u64, map[i].start + map[i].size, 4ull << 30);
		bool moved = true;

		if (map[i].type != E820_TYPE_RAM || map[i].start + map[i].size < map[i].start)
			continue;
		while (moved && at < end && size <= end - at) {
			moved = false;
			for (unsigned int t = 0; t < taken_nr; t++)
				if (spans_overlap(at, at + size, &taken[t])) {
					at = ALIGN(taken[t].start + taken[t].size, PAGE_SIZE);
					moved = true;
				}
			for (unsigned int r = 0; r < map_nr; r++) {
				struct bootinfo_span span = { map[r].start, map[r].size };

				if (map[r].type != E820_TYPE_RAM && spans_overlap(at, at + size, &span)) {
					at = ALIGN(span.start + span.size, PAGE_SIZE);
					moved = true;
				}
			}
		}
		if (at < end && size <= end - at)
			return at;
	}
	return 0;
}

/* ---- Mapping ---- */

static u64 *table_of(u64 entry)
{
	return pc_phys_to_virt(entry & PTE_ADDRESS);
}

/* Tables come from the pool (below 4 GiB, in the direct map) or, the root, from the image. */
static phys_addr_t table_phys(const u64 *table)
{
	return (uintptr_t)table >= PC_IMAGE_BASE ? pc_image_phys(table) : (uintptr_t)table - PC_DIRECT_MAP;
}

static u64 *next_table(u64 *entry)
{
	u64 *table;

	if (*entry & PTE_PRESENT)
		return *entry & PTE_LARGE ? NULL : table_of(*entry);
	table = pool_table();
	if (table)
		*entry = table_phys(table) | PTE_PRESENT | PTE_WRITE;
	return table;
}

static unsigned int largest_leaf(uintptr_t virt, phys_addr_t phys, size_t size, unsigned int max_level)
{
	unsigned int level = max_level;

	while (level > 1 && (((virt | phys) & (level_size(level) - 1)) || size < level_size(level)))
		level--;
	return level;
}

/*
 * Maps [@virt, @virt + @size) to @phys in leaves of at most @max_level. What is mapped already stays as it is
 * (memory map entries may overlap). Return: 0 or -ENOMEM.
 */
static int map_range(uintptr_t virt, phys_addr_t phys, size_t size, u64 flags, unsigned int max_level)
{
	while (size) {
		unsigned int leaf = largest_leaf(virt, phys, size, max_level), level = 4;
		u64 *table = kernel_pml4, *entry = &table[level_index(virt, 4)];
		size_t step;

		for (; level > leaf; entry = &table[level_index(virt, --level)]) {
			if (level < 4 && (*entry & PTE_PRESENT) && (*entry & PTE_LARGE))
				break;
			table = next_table(entry);
			if (!table)
				return -ENOMEM;
		}
		/* A table where a leaf would go: something smaller is mapped there; go below it. */
		while (level > 1 && (*entry & PTE_PRESENT) && !(*entry & PTE_LARGE)) {
			table = table_of(*entry);
			entry = &table[level_index(virt, --level)];
		}
		if (!(*entry & PTE_PRESENT))
			*entry = phys | flags | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | (level > 1 ? PTE_LARGE : 0);
		step = min_t(size_t, size, level_size(level) - (virt & (level_size(level) - 1)));
		virt += step;
		phys += step;
		size -= step;
	}
	return 0;
}

static void must_map(uintptr_t virt, phys_addr_t phys, size_t size, u64 flags, unsigned int max_level)
{
	if (map_range(virt, phys, size, flags, max_level))
		port_panic("no memory for the kernel's page tables");
}

static void map_image(const char *start, const char *end, u64 flags)
{
	must_map((uintptr_t)start, pc_image_phys(start), (size_t)(end - start), flags | PTE_GLOBAL, 1);
}

static u64 *leaf_of(uintptr_t virt, unsigned int *level)
{
	u64 *entry = &kernel_pml4[level_index(virt, 4)];

	for (*level = 4; *level > 1 && (*entry & PTE_PRESENT) && !(*level < 4 && (*entry & PTE_LARGE));)
		entry = &table_of(*entry)[level_index(virt, --*level)];
	return *entry & PTE_PRESENT ? entry : NULL;
}

static void unmap_page(const char *page)
{
	unsigned int level;
	u64 *entry = leaf_of((uintptr_t)page, &level);

	if (entry)
		*entry = 0;
}

static void map_direct(const struct bootinfo_range *map, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		phys_addr_t start = ALIGN(map[i].start, PAGE_SIZE);
		phys_addr_t end = ALIGN_DOWN(map[i].start + map[i].size, PAGE_SIZE);

		if (map[i].type != E820_TYPE_RAM || map[i].start + map[i].size < map[i].start)
			continue;
		end = min_t(u64, end, PC_DIRECT_MAP_SIZE);
		if (start < end)
			must_map(PC_DIRECT_MAP + start, start, end - start, PTE_WRITE | PTE_GLOBAL | paging.nx,
				 paging.has_1g ? 3 : 2);
	}
}

void paging_init(const struct bootinfo_range *map, unsigned int map_nr, const struct bootinfo_span *taken,
		 unsigned int taken_nr, unsigned long more, struct bootinfo_span *pool)
{
	paging.pages = pool_pages_needed(map, map_nr) + more;
	paging.start = find_free(map, map_nr, taken, taken_nr, paging.pages * PAGE_SIZE);
	if (!paging.start)
		port_panic("no memory below 4 GiB for the kernel's page tables");
	*pool = (struct bootinfo_span){ paging.start, paging.pages * PAGE_SIZE };
	paging.has_1g = cpuid(0x80000001, 0).edx >> 26 & 1;
	paging.nx = rdmsr(MSR_EFER) & EFER_NXE ? PTE_NX : 0;

	map_direct(map, map_nr);
	map_image(pc_text_start, pc_text_end, 0);
	map_image(pc_rodata_start, pc_rodata_end, paging.nx);
	map_image(pc_data_start, pc_image_end, PTE_WRITE | paging.nx);
	for (const char *guard = pc_stacks_start; guard < pc_stacks_end; guard += PC_STACK_SPACING)
		unmap_page(guard);
	port_pgd_load(pc_image_phys(kernel_pml4), PORT_ASID_KERNEL);
}


void *pc_map_registers(phys_addr_t phys, size_t size)
{
	uintptr_t virt = paging.window_next;
	phys_addr_t first = ALIGN_DOWN(phys, PAGE_SIZE);
	size_t bytes = ALIGN(phys + size, PAGE_SIZE) - first;

	must_map(virt, first, bytes, PTE_WRITE | PTE_CACHE_DISABLE | PTE_WRITE_THROUGH | PTE_GLOBAL | paging.nx, 1);
	paging.window_next += bytes;
	return (void *)(virt + (phys - first));
}

char *pc_map_stack(void)
{
	uintptr_t virt = paging.window_next + PAGE_SIZE;
	phys_addr_t phys = pool_take(PC_STACK_BYTES / PAGE_SIZE);

	if (!phys || virt + PC_STACK_BYTES > PC_WINDOW + PC_WINDOW_SIZE ||
	    map_range(virt, phys, PC_STACK_BYTES, PTE_WRITE | PTE_GLOBAL | paging.nx, 1))
		return NULL;
	paging.window_next = virt + PC_STACK_BYTES;
	return (char *)paging.window_next;
}

/* ---- struct page's window ---- */

static void clear_phys(phys_addr_t phys, size_t size)
{
	void *to = pc_phys_to_virt(phys);
	size_t words = size / 8;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0) : "memory");
}

int pc_vmemmap_populate(uintptr_t virt, phys_addr_t phys, size_t size)
{
	if (virt < PC_VMEMMAP || virt + size > PC_VMEMMAP + PC_VMEMMAP_SIZE)
		return -ENOMEM;
	clear_phys(phys, size);
	return map_range(virt, phys, size, PTE_WRITE | PTE_GLOBAL | paging.nx, 2);
}

void paging_reset_vmemmap(void)
{
	u64 *root = &kernel_pml4[level_index(PC_VMEMMAP, 4)];
	u64 *upper = *root & PTE_PRESENT ? table_of(*root) : NULL;

	for (unsigned int i = 0; upper && i < 512; i++) {
		u64 *middle = upper[i] & PTE_PRESENT ? table_of(upper[i]) : NULL;

		for (unsigned int j = 0; middle && j < 512; j++)
			if ((middle[j] & PTE_PRESENT) && !(middle[j] & PTE_LARGE))
				pool_give_table(table_of(middle[j]));
		if (middle)
			pool_give_table(middle);
	}
	if (upper)
		pool_give_table(upper);
	*root = 0;
	port_tlb_flush_all();
}

/* Makes 512 entries of the level below out of one of 2 MiB or 1 GiB (@level 2 or 3). */
static int split_large(u64 *entry, unsigned int level)
{
	u64 *table = pool_table();
	u64 leaf = level > 2 ? *entry : *entry & ~PTE_LARGE;

	if (!table)
		return -ENOMEM;
	for (unsigned int i = 0; i < 512; i++)
		table[i] = leaf + i * level_size(level - 1);
	*entry = table_phys(table) | PTE_PRESENT | PTE_WRITE;
	return 0;
}

static void flush_this_cpu(void *arg)
{
	(void)arg;
	port_tlb_flush_all();
}

void pc_vmemmap_depopulate(uintptr_t virt, size_t size)
{
	uintptr_t end = virt + size;

	while (virt < end) {
		unsigned int level;
		u64 *entry = leaf_of(virt, &level);
		size_t step = level_size(level) - (virt & (level_size(level) - 1));

		if (entry && level > 1 && (step < level_size(level) || step > end - virt)) {
			if (!split_large(entry, level))
				continue;
			/* Without a table the page stays mapped: its frames go unused, nothing breaks. */
			printk("vmemmap: no table to split a 2 MiB page at %#lx; it stays\n", (unsigned long)virt);
		} else if (entry) {
			*entry = 0;
		}
		virt += min_t(size_t, step, end - virt);
	}
	port_tlb_flush_all();
	if (port_cpu_call(PORT_CPU_OTHERS, flush_this_cpu, NULL))
		port_panic("TLB flush on other CPUs failed");
}

/* ---- Single pages of the direct map ---- */

int paging_split(uintptr_t start, size_t size)
{
	for (uintptr_t virt = start; virt < start + size;) {
		unsigned int level;
		u64 *entry = leaf_of(virt, &level);

		if (entry && level > 1) {
			if (split_large(entry, level))
				return -ENOMEM;
			continue;
		}
		virt += PAGE_SIZE;
	}
	/* The large translations say the same; but they must not outlive the first page that is shut. */
	port_tlb_flush_all();
	if (num_online_cpus() > 1 && port_cpu_call(PORT_CPU_OTHERS, flush_this_cpu, NULL))
		return -ENOSYS;
	return 0;
}

bool paging_shut(uintptr_t page, bool on)
{
	u64 *entry = &kernel_pml4[level_index(page, 4)];

	for (unsigned int level = 4; level > 1; entry = &table_of(*entry)[level_index(page, --level)])
		if (!(*entry & PTE_PRESENT) || (level < 4 && (*entry & PTE_LARGE)))
			return false;
	*entry = on ? *entry & ~PTE_PRESENT : *entry | PTE_PRESENT;
	invlpg(page);
	return true;
}

/* All RAM is in the direct map: nothing to do and nothing to undo. */
void *port_kmap_local(unsigned long pfn)
{
	return pc_phys_to_virt(PFN_PHYS(pfn));
}

void paging_report(void)
{
	printk("Page tables: %lu of %lu pages used, direct map in %s pages, NX %s\n", paging.used, paging.pages,
	       paging.has_1g ? "1 GiB" : "2 MiB", paging.nx ? "on" : "missing");
}
