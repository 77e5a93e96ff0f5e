// SPDX-License-Identifier: MIT
/* Back end of a page-frame benchmark: the five pf_* functions on the frame layer alone, one zone. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hosted.h"
#include "mm/phys/frame_fast.h"
#include "pfa.h"

#define MAX_CPUS 64u

static struct zone zone;
static void *metadata, *cpu_memory[MAX_CPUS];
static size_t metadata_bytes;
static unsigned int cpus;
static struct zone_cpu_stat stats[MAX_CPUS];
static struct cpu_local locals[MAX_CPUS];
static __thread int entered = -1;

const char *pf_name(void)
{
	return "octavo";
}

static void *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static noinline void enter_now(unsigned int cpu)
{
	hosted_enter_cpu(cpu);
	entered = (int)cpu;
}

static inline void enter(unsigned int cpu)
{
	if (__builtin_expect(entered != (int)cpu, 0))
		enter_now(cpu);
}

int pf_init(size_t frames, unsigned int nr_cpus)
{
	zone = (struct zone){ 0 };
	zone.spanned_pages = zone.present_pages = zone.managed_pages = frames;
	zone.watermark[WMARK_HIGH] = 1024;
	zone.stat_threshold = 64;
	memset(stats, 0, sizeof(stats));
	spin_lock_init(&zone.lock, LOCK_RANK_ZONE);
	cpus = nr_cpus < MAX_CPUS ? nr_cpus : MAX_CPUS;
	nr_cpu_ids = cpus;
	metadata_bytes = frames_bytes(0, frames);
	metadata = map(metadata_bytes);
	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		locals[cpu] = (struct cpu_local){ .self = &locals[cpu], .cpu = cpu, .online = 1 };
		locals[cpu].zone_stats = &stats[cpu];
		cpu_locals[cpu] = &locals[cpu];
		cpu_memory[cpu] = map(cpu_pages_bytes(1));
		cpu_pages_init(cpu, cpu_memory[cpu], 1);
	}
	enter(0);
	frames_zone_init(&zone, metadata);
	frames_add(&zone, 0, frames, MIGRATE_MOVABLE);
	return 0;
}

void pf_fini(void)
{
	munmap(metadata, metadata_bytes);
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		munmap(cpu_memory[cpu], cpu_pages_bytes(1));
	entered = -1;
}

size_t pf_meta_bytes(void)
{
	return metadata_bytes + cpus * cpu_pages_bytes(1) + sizeof(zone);
}

uint64_t pf_alloc(unsigned int order, unsigned int cpu)
{
	unsigned long pfn;

	enter(cpu);
	pfn = order ? frame_alloc(&zone, order, MIGRATE_MOVABLE, 0) : frame_alloc_inline(&zone, 0, MIGRATE_MOVABLE, 0);
	return pfn == PFN_NONE ? PF_NONE : pfn;
}

void pf_free(uint64_t frame, unsigned int order, unsigned int cpu)
{
	enter(cpu);
	if (!(order ? frame_free(&zone, frame, order) : frame_free_inline(&zone, frame, 0)))
		abort();
}


