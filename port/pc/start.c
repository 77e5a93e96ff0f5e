// SPDX-License-Identifier: MIT
/*
 * From the loader to an open page allocator on every CPU.
 *
 * Order: serial port, exception tables, the loader's information and ACPI (on the entry code's page tables, which show
 * the first 4 GiB), mm_init() (on its own from somewhere in it), clock, local APIC, the other CPUs, mm_free_initmem(),
 * and what the command line asks for (run.c).
 */
#include <octavo/rcupdate.h>

#include "apic.h"
#include "cmdline.h"
#include "mmu.h"
#include "pc.h"
#include "power.h"
#include "run.h"
#include "smp.h"
#include "stack.h"
#include "trap.h"

#define RESERVED_MAX (FIRMWARE_MODULES_MAX + 1)

static struct firmware firmware;
static struct acpi_facts acpi;
static struct bootinfo bootinfo;
static struct bootinfo_cpu cpu_list[PC_CPUS_MAX];
static struct bootinfo_span reserved[RESERVED_MAX];
/* The core's state before mm_init(), for pc_reboot_core(); kept only when tests are to run. */
static char *memsys_copy; /* and CPU 0's per-CPU variables behind it */

static size_t memsys_bytes(void)
{
	return (size_t)(__stop_memsys - __start_memsys);
}

static size_t percpu_bytes(void)
{
	return (size_t)(__stop_octavo_percpu - __start_octavo_percpu);
}

static bool tests_wanted(void)
{
	char value[8];

	return cmdline_value(firmware.cmdline, "octavo.test", value, sizeof(value));
}

const char *pc_cmdline(void)
{
	return firmware.cmdline;
}

const struct bootinfo *port_bootinfo(void)
{
	return &bootinfo;
}

/* Firmware leaves everything below 4 GiB. */
static bool read_low_memory(void *ctx, phys_addr_t at, void *to, size_t len)
{
	(void)ctx;
	if (at >= 4ull << 30 || len > (4ull << 30) - at)
		return false;
	return paging_read(at, to, len);
}

static const struct phys_reader low_memory = { .read = read_low_memory };

static void read_loader(enum pc_protocol protocol, u32 info)
{
	int err = protocol == PC_PROTOCOL_PVH ? firmware_read_pvh(&firmware, &low_memory, info) :
						firmware_read_multiboot2(&firmware, &low_memory, info);

	if (err)
		port_panic("the loader gave no memory map");
	printk("Octavo on " PC_NAME " PC, loaded by %s\n", firmware.loader);
}

static void read_acpi(void)
{
	phys_addr_t rsdp = firmware.rsdp;

	if (!rsdp && !firmware.rsdp_copy_bytes)
		rsdp = acpi_find_rsdp(&low_memory);
	if (acpi_read(&acpi, &low_memory, rsdp, firmware.rsdp_copy, firmware.rsdp_copy_bytes)) {
		printk("ACPI: going on without: one CPU, one node\n");
		memset(&acpi, 0, sizeof(acpi));
		acpi.s5_type_a = -1;
	}
}

/* CPUID leaf 0xb has all 32 bits of it; leaf 1 the eight that an xAPIC knows. */
static u32 boot_apic_id(void)
{
	if (cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx)
		return cpuid(0xb, 0).edx;
	return cpuid(1, 0).ebx >> 24;
}

static void list_cpus(void)
{
	bool x2 = cpuid(1, 0).ecx >> 21 & 1;
	u32 boot_id = boot_apic_id();
	unsigned int nr = 1;

	cpu_list[0] = (struct bootinfo_cpu){ .apic_id = boot_id, .pxm = BOOT_PXM_NONE };
	for (unsigned int i = 0; i < acpi.cpus_nr; i++) {
		if (acpi.cpus[i].apic_id == boot_id)
			cpu_list[0] = acpi.cpus[i];
		else if (acpi.cpus[i].apic_id > 254 && !x2)
			printk("smp: CPU with APIC id %u left out: no x2APIC\n", acpi.cpus[i].apic_id);
		else if (nr < PC_CPUS_MAX)
			cpu_list[nr++] = acpi.cpus[i];
		else
			printk("smp: CPU with APIC id %u left out: at most %u\n", acpi.cpus[i].apic_id, PC_CPUS_MAX);
	}
	bootinfo.cpus = cpu_list;
	bootinfo.cpus_nr = nr;
	bootinfo.cpus_possible = min(nr + acpi.cpus_hotplug, PC_CPUS_MAX);
}

/* The highest page of conventional memory: the core leaves the lowest alone, the BIOS data is just above. */
static u32 find_trampoline_page(void)
{
	u32 best = 0;

	for (unsigned int i = 0; i < firmware.map_nr; i++) {
		const struct bootinfo_range *r = &firmware.map[i];
		u64 end = min_t(u64, r->start + r->size, 0xa0000) & ~0xfffull;

		if (r->type == E820_TYPE_RAM && end >= 0x2000 && r->start <= end - PAGE_SIZE && end - PAGE_SIZE > best)
			best = (u32)(end - PAGE_SIZE);
	}
	return best;
}

static struct bootinfo_span image_span(const char *start, const char *end)
{
	return (struct bootinfo_span){ pc_image_phys(start), (u64)(end - start) };
}

static void describe_image(void)
{
	bootinfo.kernel_text = image_span(pc_text_start, pc_text_end);
	bootinfo.kernel_rodata = image_span(pc_rodata_start, pc_rodata_end);
	bootinfo.kernel_data = image_span(pc_data_start, pc_data_end);
	bootinfo.kernel_bss = image_span(pc_bss_start, pc_bss_end);
	bootinfo.kernel_init = image_span(pc_init_start, pc_init_end);
}

/* All the port's and the loader's memory. */
static u32 reserve_memory(void)
{
	u32 trampoline = find_trampoline_page();
	unsigned int nr = 0;

	if (trampoline)
		reserved[nr++] = (struct bootinfo_span){ trampoline, PAGE_SIZE };
	if (firmware.modules_nr)
		bootinfo.initrd = firmware.modules[0];
	for (unsigned int i = 1; i < firmware.modules_nr; i++)
		reserved[nr++] = firmware.modules[i];
	if (tests_wanted())
		reserved[nr++] = image_span(pc_copy_start, pc_copy_end);
	bootinfo.reserved = reserved;
	bootinfo.reserved_nr = nr;
	return trampoline;
}

static void describe_machine(void)
{
	bootinfo.name = "PC";
	bootinfo.arch = PC_BOOT_ARCH;
	bootinfo.cmdline = firmware.cmdline;
	bootinfo.map = firmware.map;
	bootinfo.map_nr = firmware.map_nr;
	bootinfo.mem_affinity = acpi.memory;
	bootinfo.mem_affinity_nr = acpi.memory_nr;
	bootinfo.distance = acpi.distance_nr ? acpi.distance : NULL;
	bootinfo.distance_nr = acpi.distance_nr;
	bootinfo.direct_map = PC_DIRECT_MAP;
	bootinfo.direct_map_size = PC_DIRECT_MAP_SIZE;
	bootinfo.max_phys_bits = PC_PHYS_BITS;
	bootinfo.vmemmap = PC_VMEMMAP;
	bootinfo.vmemmap_size = PC_VMEMMAP_SIZE;
	bootinfo.vmemmap_populate = octavo_vmemmap_populate;
	bootinfo.vmemmap_depopulate = octavo_vmemmap_depopulate;
	bootinfo.page_tables = true;
	bootinfo.page_offset = PC_DIRECT_MAP;
	bootinfo.early_direct_map_size = PC_BOOT_MAP_SIZE;
	bootinfo.image_offset = PC_IMAGE_BASE;
	mmu_describe(&bootinfo);
	describe_image();
}

static void boot_core(void)
{
	int err;

	err = mm_init(&bootinfo);
	if (err) {
		printk("mm_init: error %d\n", err);
		port_panic("the core does not boot from this memory map");
	}
	/* Its base may have moved to memory of CPU 0's own node. */
	cpu_local_load(0);
	stacks_guard();
	apic_map();
}

/* What the last test left below this frame: kmemleak scans all of the stack, and would find its objects there. */
static noinline void wipe_boot_stack(void)
{
	const uintptr_t top = (uintptr_t)pc_boot_stack_top, here = (uintptr_t)__builtin_frame_address(0);
	volatile uintptr_t *word = (volatile uintptr_t *)(top - PC_STACK_BYTES);

	/* Some room for what the compiler keeps below the frame's address; an interrupt's frames end with it. */
	if (here <= top && here > top - PC_STACK_BYTES)
		for (; (uintptr_t)word < here - 256; word++)
			*word = 0;
}

void pc_reboot_core(void)
{
	bool shown;

	if (!memsys_copy)
		port_panic("pc_reboot_core: without octavo.test= there is no copy of the core's state");
	smp_freeze();
	irq_disable();
	/* The next tables may be made where these are: none of them is in use from here on. */
	mmu_boot_tables();
	memcpy(__start_memsys, memsys_copy, memsys_bytes());
	memcpy(__start_octavo_percpu, memsys_copy + memsys_bytes(), percpu_bytes());
	cpu_local_load(0);
	shown = printk_console(false);
	boot_core();
	irq_enable();
	smp_thaw();
	mm_free_initmem();
	rcu_barrier(); /* tests count objects: none of start-up's is to go while they do */
	wipe_boot_stack();
	/* Nor what it left in static variables; and so each begins with what a process would begin with. */
	memset(pc_tests_bss_start, 0, (size_t)(pc_tests_bss_end - pc_tests_bss_start));
	/* The log's clock stays off: tests compare reports to the character. */
	printk_console(shown);
}

void pc_start(enum pc_protocol protocol, u32 info)
{
	char *tops[STACKS];
	u32 trampoline;

	cpu_local_load(0);
	serial_init();
	stacks_init();
	stack_tops(0, tops);
	trap_init_cpu(0, tops);
	mmu_detect();
	mmu_init_cpu();
	read_loader(protocol, info);
	read_acpi();
	list_cpus();
	power_setup(&acpi, firmware.cmdline);
	describe_machine();
	trampoline = reserve_memory();
	if (tests_wanted()) {
		memsys_copy = pc_phys_to_virt(pc_image_phys(pc_copy_start));
		memcpy(memsys_copy, __start_memsys, memsys_bytes());
		memcpy(memsys_copy + memsys_bytes(), __start_octavo_percpu, percpu_bytes());
	}
	boot_core();

	clock_init();
	printk_clock_start();
	smp_init(cpu_list, bootinfo.cpus_nr, trampoline);
	if (apic_init(acpi.lapic))
		apic_timer_calibrate();
	else
		bootinfo.cpus_nr = 1;
	smp_boot();
	irq_enable();
	mmu_report();
	run_command_line();
}
