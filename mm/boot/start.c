// SPDX-License-Identifier: MIT
/*
 * Start-up: the order in which the parts come to life, and the hand-over from memblock to the page allocator.
 *
 *	command line, memory map	params, e820
 *	memblock			usable ranges in, what is occupied reserved
 *	nodes				numa, node_data[]
 *	zones				free_area_init: limits, spans, present pages
 *	descriptors, CPUs, zonelists	memory for them, on the right node
 *	hand-over			every free range becomes free frames; memblock is closed
 *
 * ST-I1: after the hand-over each whole page of memory is either free in its zone or in memblock.reserved.
 *
 * Nothing here costs time or memory by the page: descriptors and pageblocks are left untouched.
 */
#include <octavo/memblock.h>
#include <octavo/port.h>
#include <octavo/proc.h>

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/cma.h"
#include "../phys/memmap.h"
#include "../phys/page_alloc.h"
#include "../phys/page_owner.h"
#include "../phys/zone_init.h"
#include "../phys/zonelist.h"
#include "bootmem.h"
#include "e820.h"
#include "memblock_internal.h"
#include "nodedata.h"
#include "numa.h"
#include "params.h"
#include "reserve.h"
#include "resource.h"
#include "zone_frames.h"

/* What mm_free_initmem() gives back, and the sizes for the "Memory:" line. */
static struct {
	struct bootinfo_span initrd, init;
	u64 code, rwdata, rodata, init_bytes, bss;
} kept __memsys;
struct bootinfo_span kernel_text_span __memsys, kernel_rodata_span __memsys;

/* Regions memblock's lists take in after the hand-over: hotplugged memory, pieces left by late frees. */
#define SPARE_REGIONS 64

/* memblock=debug: say what memblock does, and show both lists once the map is in. */
static int memblock_param(const char *value)
{
	if (!value || strcmp(value, "debug"))
		return -EINVAL;
	memblock.debug = true;
	return 0;
}
early_param("memblock", memblock_param);

static int reserve_span(const char *what, const struct bootinfo_span *span)
{
	phys_addr_t base = ALIGN_DOWN(span->start, (phys_addr_t)PAGE_SIZE);
	phys_addr_t end = range_end(span->start, span->size);
	int err = span->size ? memblock_reserve(base, end - base) : 0;

	if (err)
		pr_err("mm_init: no room to reserve the %s at [mem 0x%016llx-0x%016llx]\n", what,
		       (unsigned long long)span->start, (unsigned long long)(end - 1));
	return err;
}

/* Before memblock has memory, so that its arrays cannot grow into what is in use. */
static int reserve_occupied(const struct bootinfo *info)
{
	const struct {
		const char *what;
		const struct bootinfo_span *span;
	} image[] = {
		{ "kernel text", &info->kernel_text }, { "kernel rodata", &info->kernel_rodata },
		{ "kernel data", &info->kernel_data }, { "kernel bss", &info->kernel_bss },
		{ "kernel init section", &info->kernel_init }, { "RAM disk", &info->initrd },
	};
	int err = 0;

	/* PC firmware is known to write to the first megabyte behind the system's back: Linux keeps it too. */
	if (info->arch != BOOT_ARCH_ARM64)
		err = memblock_reserve(0, 1u << 20);
	for (unsigned int i = 0; i < ARRAY_SIZE(image) && !err; i++)
		err = reserve_span(image[i].what, image[i].span);
	for (unsigned int i = 0; i < info->reserved_nr && !err; i++)
		err = reserve_span("loader's range", &info->reserved[i]);
	kernel_text_span = info->kernel_text;
	kernel_rodata_span = info->kernel_rodata;
	kept.initrd = info->initrd;
	kept.init = info->kernel_init;
	kept.code = info->kernel_text.size;
	kept.rwdata = info->kernel_data.size;
	kept.rodata = info->kernel_rodata.size;
	kept.init_bytes = info->kernel_init.size;
	kept.bss = info->kernel_bss.size;
	return err;
}

static void print_ramdisk(const struct bootinfo *info)
{
	if (info->initrd.size && info->arch != BOOT_ARCH_ARM64)
		printk("RAMDISK: [mem 0x%08llx-0x%08llx]\n", (unsigned long long)info->initrd.start,
		       (unsigned long long)(range_end(info->initrd.start, info->initrd.size) - 1));
}

/* Linux's line counts what is memory. */
static void mark_mirrored(const struct bootinfo *info)
{
	u64 mirrored = 0;

	for (unsigned int i = 0; i < info->mirrored_nr; i++)
		if (memblock_mark_mirror(info->mirrored[i].start, info->mirrored[i].size))
			pr_warn("mm_init: no room to mark [mem 0x%016llx-0x%016llx] as mirrored\n",
				(unsigned long long)info->mirrored[i].start,
				(unsigned long long)(range_end(info->mirrored[i].start, info->mirrored[i].size) - 1));
	for (unsigned long i = 0; i < memblock.memory.cnt; i++)
		if (memblock.memory.regions[i].flags & MEMBLOCK_MIRROR)
			mirrored += memblock.memory.regions[i].size;
	if (mirrored)
		printk("efi: Memory: %lluM/%lluM mirrored memory\n", (unsigned long long)mirrored >> 20,
		       (unsigned long long)memblock_phys_mem_size() >> 20);
}

/*
 * The end of what the core may touch: the direct map's, and on i386 low memory's. Less of it can be used until the page
 * tables are made (direct_map.c raises the limit then).
 */
static void set_reach(const struct bootinfo *info)
{
	phys_addr_t end = info->direct_map_size;

	if (info->arch == BOOT_ARCH_I386 || info->arch == BOOT_ARCH_I386_PAE)
		end = min(end, PFN_PHYS(max_low_pfn));
	else if (sizeof(void *) == 4 && info->page_tables)
		end = min(end, PFN_PHYS(lowmem_limit()));
	memblock.direct_map = info->direct_map;
	memblock.direct_map_end = end;
	memblock.zeroed = info->ram_zeroed;
	if (info->early_direct_map_size)
		end = min(end, info->early_direct_map_size);
	memblock_set_current_limit(end);
}

static int check_reach(void)
{
	phys_addr_t end = memblock_get_current_limit();

	if (memblock_find_in_range(0, end, PAGE_SIZE, PAGE_SIZE))
		return 0;
	pr_err("mm_init: none of %llu KiB of memory is free below %#llx, where the core can reach it\n",
	       (unsigned long long)(memblock_phys_mem_size() >> 10), (unsigned long long)end);
	return -EINVAL;
}

static int setup_map(const struct bootinfo *info)
{
	int err;

	params_setup(info);
	e820_setup(info);
	parse_early_params();
	/* The port was linked for it. */
	if (sizeof(void *) == 4 && info->page_offset)
		lowmem_params.page_offset = (u32)info->page_offset;
	e820_finish_params();
	e820_apply_edits(info);
	e820_trim();
	set_reach(info);
	err = reserve_occupied(info);
	if (err)
		return err;
	/* Whatever must survive is reserved: a map of many entries may now make its list grow. */
	memblock_allow_resize();
	err = e820_memblock_setup();
	if (!err)
		err = check_reach();
	if (err)
		return err;
	mark_mirrored(info); /* page tables, too, go into mirrored memory */
	memblock_dump_all();
	err = mm_parts_map(info);
	if (err)
		return err;
	print_ramdisk(info);
	return 0;
}

static void print_cpus(const struct bootinfo *info, unsigned int present)
{
	if (info->arch == BOOT_ARCH_ARM64)
		return;
	printk("CPU topo: Allowing %u present CPUs plus %u hotplug CPUs\n", present, nr_cpu_ids - present);
	e820_setup_pci_gap();
	printk("setup_percpu: NR_CPUS:%u nr_cpumask_bits:%u nr_cpu_ids:%u nr_node_ids:%u\n", NR_CPUS, nr_cpu_ids,
	       nr_cpu_ids, nr_node_ids);
}

static int setup_nodes(const struct bootinfo *info)
{
	unsigned int present = clamp(info->cpus_nr, 1u, (unsigned int)NR_CPUS);
	int err;

	nr_cpu_ids = clamp(info->cpus_possible, present, (unsigned int)NR_CPUS);
	numa_setup(info);
	/* What may be unplugged must not hold anything of the kernel's. */
	memblock.skip_hotplug = kernelcore_params.movable_node;
	err = alloc_node_data();
	if (err)
		return err;
	if (!info->no_numa)
		print_node_data();
	reserve_crashkernel();
	hugepages_reserve();
	cma_reserve_early();
	e820_print_lowmem();
	zone_setup_arch(info);
	free_area_init(info);
	free_area_print_holes(info);
	err = bootmem_setup();
	if (err)
		return err;
	resource_init(info);
	print_cpus(info, present);
	params_report();
	return 0;
}

/* Give [@start, @end), which is free and of one region, to the zones it lies in. */
static void free_to_zones(int nid, unsigned long start, unsigned long end)
{
	while (start < end) {
		struct zone *zone = zone_of(nid, zone_type_of_pfn(nid, start));
		unsigned long stop = min(end, zone_end_pfn(zone));

		/* With kernelcore=mirror the region decides above where Movable begins. */
		if (mirrored_kernelcore && start < zone_movable_pfn[nid])
			stop = min(stop, zone_movable_pfn[nid]);
		else if (mirrored_kernelcore)
			stop = min(stop, PFN_DOWN(region_end(mb_region_of(&memblock.memory, PFN_PHYS(start)))));
		if (stop <= start) {
			pr_err("[mem 0x%016llx-0x%016llx] lies in no zone and is not used\n",
			       (unsigned long long)PFN_PHYS(start), (unsigned long long)(PFN_PHYS(end) - 1));
			return;
		}
		frames_add(zone, start, stop, MIGRATE_MOVABLE);
		zone->managed_pages += stop - start;
		start = stop;
	}
}

static void memblock_free_all(void)
{
	struct memblock_span span;
	u64 cursor = MEMBLOCK_FIRST;

	memblock.closed = true;
	memblock.skip_hotplug = false;
	if (bootmem_ready()) {
		bootmem_free_all(free_to_zones);
		return;
	}
	while (mb_next_free(&memblock, &cursor, NUMA_NO_NODE, MEMBLOCK_HOTPLUG, &span))
		free_to_zones(span.nid, PFN_UP(span.start), PFN_DOWN(span.end));
}

static unsigned long kib(unsigned long pages)
{
	return pages << (PAGE_SHIFT - 10);
}

static void print_memory(const struct bootinfo *info)
{
	unsigned long present = 0, managed = 0, highmem = 0, cma = cma_total_pages(), free = 0;

	for_each_populated_zone(zone) {
		present += zone->present_pages;
		managed += zone->managed_pages;
		free += zone_page_state_snapshot(zone, NR_FREE_PAGES);
		highmem += is_highmem_zone(zone) ? zone->managed_pages : 0;
	}
	printk("Memory: %luK/%luK available (%lluK kernel code, %lluK rwdata, %lluK rodata, %lluK init, %lluK bss, "
	       "%luK reserved, %luK cma-reserved",
	       kib(free), kib(present), (unsigned long long)kept.code >> 10, (unsigned long long)kept.rwdata >> 10,
	       (unsigned long long)kept.rodata >> 10, (unsigned long long)kept.init_bytes >> 10,
	       (unsigned long long)kept.bss >> 10, kib(present - managed - cma), kib(cma));
	if (info->arch == BOOT_ARCH_I386 || info->arch == BOOT_ARCH_I386_PAE)
		printk(", %luK highmem", kib(highmem));
	printk(")\n");
}

int mm_init(const struct bootinfo *info)
{
	int err;

	info = info ? info : port_bootinfo();
	err = setup_map(info);
	if (!err)
		err = setup_nodes(info);
	if (!err)
		err = mm_parts_early(info);
	if (!err)
		err = memmap_setup(info);
	if (!err)
		err = alloc_cpu_data();
	if (!err)
		err = build_all_zonelists();
	if (!err)
		err = alloc_zone_frames();
	if (!err)
		err = mb_spare_room(&memblock, SPARE_REGIONS);
	if (err)
		return err;
	page_owner_init();
	memblock_free_all();
	for_each_zone(zone)
		frames_set_limits(zone, zone->managed_pages ? zone->managed_pages :
							      zone->frames.nr_blocks * pageblock_nr_pages);
	print_memory(info);
	cma_init_areas();
	page_alloc_init();
	return mm_parts_init();
}

int mm_cpu_online(unsigned int cpu)
{
	int err;

	if (cpu >= nr_cpu_ids || !cpu_locals[cpu]) {
		pr_err("mm_cpu_online: CPU %u is not one of the %u that may exist\n", cpu, nr_cpu_ids);
		return -EINVAL;
	}
	if (!READ_ONCE(cpu_locals[cpu]->online))
		cpu_pages_init(cpu, cpu_locals[cpu]->pages, nr_node_ids * MAX_NR_ZONES);
	err = mm_parts_cpu_online(cpu);
	if (!err) {
		store_release(&cpu_locals[cpu]->online, 1);
		/* Who did not see it online, and so did not call it, had changed its page-table entries before this. */
		smp_mb();
		port_tlb_flush_all();
	}
	return err;
}

/* Boot-reserved memory joins the free frames, by whole pages and zone by zone. Return: pages. */
static unsigned long free_span(const struct bootinfo_span *span)
{
	unsigned long start = PFN_UP(span->start), end = PFN_DOWN(range_end(span->start, span->size)), freed = 0;

	while (span->size && start < end) {
		struct page *page = pfn_to_online_page(start);
		unsigned long stop = start + 1;

		if (!page || !memblock_is_memory(PFN_PHYS(start))) {
			start++;
			continue;
		}
		while (stop < end && zone_spans_pfn(page_zone(page), stop) && memblock_is_memory(PFN_PHYS(stop)))
			stop++;
		memmap_free_reserved(start, stop);
		frames_add(page_zone(page), start, stop, MIGRATE_MOVABLE);
		page_zone(page)->managed_pages += stop - start;
		freed += stop - start;
		start = stop;
	}
	return freed;
}

unsigned long free_reserved_range(phys_addr_t base, phys_addr_t size)
{
	return free_span(&(struct bootinfo_span){ .start = base, .size = size });
}

void mm_free_initmem(void)
{
	unsigned long pages;

	/* Per-CPU limits and thresholds follow from how many CPUs have come online by now. */
	page_alloc_update();
	pages = free_span(&kept.initrd);
	if (kept.initrd.size)
		printk("Freeing initrd memory: %luK\n", kib(pages));
	pages = free_span(&kept.init);
	if (kept.init.size)
		printk("Freeing unused kernel image (initmem) memory: %luK\n", kib(pages));
	kept.initrd.size = kept.init.size = 0;
	octavo_sysctl_boot_params();
	mm_parts_boot_end();
}
