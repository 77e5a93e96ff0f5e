// SPDX-License-Identifier: MIT
/* Booting, resetting and copying the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu_impl.h"

/* The core's state: its section and CPU 0's per-CPU variables, and what they were before anything ran. */
extern char __start_memsys[], __stop_memsys[], __start_octavo_percpu[], __stop_octavo_percpu[];
static char *pristine;

static struct {
	struct bootinfo info;
	struct bootinfo_cpu *cpus;
	bool booted;
} machine;

enum hosted_mode hosted_mode_now;

static size_t memsys_bytes(void)
{
	return (size_t)(__stop_memsys - __start_memsys);
}

static size_t percpu_bytes(void)
{
	return (size_t)(__stop_octavo_percpu - __start_octavo_percpu);
}

static char *core_state_save(void)
{
	char *copy = malloc(memsys_bytes() + percpu_bytes());

	if (copy) {
		memcpy(copy, __start_memsys, memsys_bytes());
		memcpy(copy + memsys_bytes(), __start_octavo_percpu, percpu_bytes());
	}
	return copy;
}

static void core_state_restore(const char *copy)
{
	memcpy(__start_memsys, copy, memsys_bytes());
	memcpy(__start_octavo_percpu, copy + memsys_bytes(), percpu_bytes());
}

__attribute__((constructor)) static void keep_pristine(void)
{
	pristine = core_state_save();
	if (!pristine)
		abort();
	hosted_enter_cpu(0);
}

void hosted_reset(void)
{
	threads_reset(false);
	cpus_destroy();
	core_state_restore(pristine);
	mmu_destroy();
	window_hide_all();
	arena_destroy();
	free(machine.cpus);
	memset(&machine, 0, sizeof(machine));
	hosted_enter_cpu(0);
}

/* Processors the tables do not name get a proximity domain in turn, of those that the tables do name. */
static void fill_cpus(struct bootinfo *info, unsigned int cpus)
{
	unsigned int given = info->cpus_nr, known = 0, total = cpus ? cpus : given ? given : 1;
	u32 domains[MAX_NUMNODES];
	u32 apic = 0;

	total = total < NR_CPUS ? total : NR_CPUS;
	for (unsigned int i = 0; i < info->mem_affinity_nr; i++) {
		unsigned int k = 0;

		while (k < known && domains[k] != info->mem_affinity[i].pxm)
			k++;
		if (k == known && known < MAX_NUMNODES && info->mem_affinity[i].flags & BOOT_MEM_ENABLED)
			domains[known++] = info->mem_affinity[i].pxm;
	}
	machine.cpus = calloc(total, sizeof(*machine.cpus));
	if (!machine.cpus)
		abort();
	for (unsigned int i = 0; i < total; i++) {
		if (i < given) {
			machine.cpus[i] = info->cpus[i];
			apic = apic > info->cpus[i].apic_id ? apic : info->cpus[i].apic_id;
		} else {
			machine.cpus[i].apic_id = i ? ++apic : 0;
			machine.cpus[i].pxm = known ? domains[i % known] : BOOT_PXM_NONE;
		}
	}
	info->cpus = machine.cpus;
	info->cpus_nr = total;
	if (cpus || info->cpus_possible < total)
		info->cpus_possible = total;
}

int hosted_boot(const struct bootinfo *info, const struct hosted_options *options)
{
	static const struct hosted_options defaults;
	int err;

	options = options ? options : &defaults;
	hosted_reset();
	machine.info = *info;
	machine.info.ram_zeroed = true;
	fill_cpus(&machine.info, options->cpus);
	hosted_mode_now = options->mode;
	threads_reset(options->threads);
	clock_random_reset(options);
	cpus_create(machine.info.cpus_possible);
	mmus_create(&machine.info, options);
	err = window_create(&machine.info, options);
	if (!err)
		err = arena_create(&machine.info, options);
	if (err)
		return err;
	console_muted = options->quiet;
	err = mm_init(&machine.info);
	console_muted = false;
	if (!err) {
		hosted_enter_cpu(0); /* the CPU's base may have moved into RAM */
		mmus_booted();
		threads_open(true);
	}
	machine.booted = !err;
	return err;
}

const struct bootinfo *hosted_bootinfo(void)
{
	return &machine.info;
}

const struct bootinfo *port_bootinfo(void)
{
	return &machine.info;
}

struct hosted_snapshot {
	char *memsys; /* core_state_save() */
	struct arena_copy *arena;
	struct mmu *mmu;
};

struct hosted_snapshot *hosted_snapshot(void)
{
	struct hosted_snapshot *s = malloc(sizeof(*s));

	if (threads_exist())
		port_panic("hosted_snapshot: the core has threads, whose stacks are not part of it");
	if (!s || !machine.booted || !(s->memsys = core_state_save()))
		port_panic("hosted_snapshot: no machine, or no memory");
	s->arena = arena_save();
	s->mmu = mmu_save(0);
	if (!s->mmu)
		port_panic("hosted_snapshot: no memory");
	return s;
}

void hosted_restore(const struct hosted_snapshot *s)
{
	core_state_restore(s->memsys);
	window_hide_all();
	arena_restore(s->arena);
	mmu_restore(0, s->mmu);
	direct_flushed_all();
	hosted_enter_cpu(0);
}

void hosted_snapshot_free(struct hosted_snapshot *s)
{
	arena_copy_free(s->arena);
	free(s->mmu);
	free(s->memsys);
	free(s);
}

/* ---- The default machine ---- */

#define MIB ((u64)1 << 20)
#if UINTPTR_MAX > 0xffffffffu
/*
 * x86-64: DMA, DMA32 and Normal on node 0, Normal on node 1; the first megabyte and the hole below 4 GiB as
 * PCs have them.
 */
#define DEFAULT_ARCH BOOT_ARCH_X86_64
static const struct bootinfo_range default_map[] = {
	{ 0x0, 0x9fc00, E820_TYPE_RAM },
	{ 0x9fc00, 0x400, E820_TYPE_RESERVED },
	{ 0xf0000, 0x10000, E820_TYPE_RESERVED },
	{ 0x100000, 63 * MIB - 0x20000, E820_TYPE_RAM },
	{ 64 * MIB - 0x20000, 0x20000, E820_TYPE_RESERVED },
	{ 0xfffc0000, 0x40000, E820_TYPE_RESERVED },
	{ 4096 * MIB, 128 * MIB, E820_TYPE_RAM },
};
static const struct bootinfo_mem_affinity default_affinity[] = {
	{ 0x0, 0xa0000, 0, BOOT_MEM_ENABLED },
	{ 1 * MIB, 63 * MIB, 0, BOOT_MEM_ENABLED },
	{ 4096 * MIB, 32 * MIB, 0, BOOT_MEM_ENABLED },
	{ 4128 * MIB, 96 * MIB, 1, BOOT_MEM_ENABLED },
};
#else
/* i386 with PAE: DMA and Normal on node 0, Normal and HighMem on node 1. */
#define DEFAULT_ARCH BOOT_ARCH_I386_PAE
static const struct bootinfo_range default_map[] = {
	{ 0x0, 0x9fc00, E820_TYPE_RAM },
	{ 0x9fc00, 0x400, E820_TYPE_RESERVED },
	{ 0xf0000, 0x10000, E820_TYPE_RESERVED },
	{ 1 * MIB, 95 * MIB - 0x20000, E820_TYPE_RAM },
	{ 96 * MIB - 0x20000, 0x20000, E820_TYPE_RESERVED },
	{ 832 * MIB, 128 * MIB, E820_TYPE_RAM },
};
static const struct bootinfo_mem_affinity default_affinity[] = {
	{ 0x0, 0xa0000, 0, BOOT_MEM_ENABLED },
	{ 1 * MIB, 95 * MIB, 0, BOOT_MEM_ENABLED },
	{ 832 * MIB, 128 * MIB, 1, BOOT_MEM_ENABLED },
};
#endif

static const struct bootinfo_cpu default_cpus[] = { { 0, 0 }, { 1, 0 }, { 2, 1 }, { 3, 1 } };
static const u8 default_distance[] = { 10, 20, 20, 10 };

static const struct bootinfo default_machine = {
	.name = "the tests' machine",
	.arch = DEFAULT_ARCH,
	.cmdline = "",
	.map = default_map,
	.map_nr = sizeof(default_map) / sizeof(default_map[0]),
	.mem_affinity = default_affinity,
	.mem_affinity_nr = sizeof(default_affinity) / sizeof(default_affinity[0]),
	.cpus = default_cpus,
	.cpus_nr = 4,
	.distance = default_distance,
	.distance_nr = 2,
};

const struct bootinfo *hosted_default_machine(void)
{
	return &default_machine;
}

int hosted_boot_default(const struct hosted_options *options)
{
	return hosted_boot(&default_machine, options);
}
