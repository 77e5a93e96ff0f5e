// SPDX-License-Identifier: MIT
/*
 * Counters of zones, nodes and events.
 *
 * Purpose
 *	What /proc/vmstat, zoneinfo and meminfo show and the watermark check reads, at a cost the allocator's
 *	fast path does not feel: no atomic operation and no shared cache line per page.
 *
 * Words
 *	diff: what one CPU has added to one zone's counter and not told the zone yet.
 *	threshold: the largest diff a CPU may keep.
 *	fold: moving a diff into zone->stat with one atomic addition.
 *
 * Structures
 *	cpu_local.zone_stats[zone->index]     zone->stat[item]
 *	  diff[item] -------------fold---> what everybody reads
 *	cpu_local.events[item]                shared_events[item]
 *	Allocations and frees are not counted one by one: the frame layer knows from the rows it loaded and the
 *	slots it emptied how many there were (cpu_pages_events()). Each is a numa_hit, and numa_local or numa_other by
 *	the nodes of CPU and zone; who finds that another node was wanted takes the hit back and counts a miss.
 *
 * Invariants
 *	VS-I1  stat + the sum of all diffs (and of allocations, for NUMA_HIT, _LOCAL, _OTHER) is the exact count.
 *	VS-I2  no diff's absolute value exceeds the largest threshold the zone has had since the last fold.
 *
 * Locking
 *	The owner changes its diffs inside a section of depth 1. An interrupt that finds the depth above 1 may
 *	have come between a load and its store; it adds to zone->stat (shared_events) directly.
 *
 * Memory use and bounds
 *	128 bytes a zone and CPU. The error of zone_page_state() is at most threshold x CPUs:
 *	threshold = min(125, 2 x fls(cpus) x (1 + fls(managed pages / 32768))); 8 CPUs and a zone of 16 GiB
 *	(fls(128) = 8): 2 x 4 x 9 = 72 pages. It grows slowly with the CPUs since each of them may be off by
 *	that much, and with the zone since a large zone's watermarks leave more room for error.
 *
 * Differences from Linux
 *	Node counters are shared words: nothing in the page allocator's fast path changes one.
 *	No timer folds diffs: readers that need the exact sum take zone_page_state_snapshot().
 */
#include "vmstat.h"

#include "../sync/atomic.h"
#include "../sync/cpu.h"
#include "zone.h"

/* Events counted by interrupts that met a section, and before the CPU had counters of its own. */
static unsigned long shared_events[NR_VM_EVENT_ITEMS] __memsys;

static size_t zone_stats_bytes(void)
{
	return sizeof(struct zone_cpu_stat) * MAX_NR_ZONES * nr_node_ids;
}

size_t vmstat_cpu_bytes(void)
{
	return ALIGN(zone_stats_bytes() + NR_VM_EVENT_ITEMS * sizeof(unsigned long), 128);
}

void vmstat_cpu_init(unsigned int cpu, void *memory)
{
	struct cpu_local *local = cpu_locals[cpu];

	local->events = (unsigned long *)((char *)memory + zone_stats_bytes());
	local->zone_stats = memory;
}

static void fold(struct zone *zone, enum zone_stat_item item, long delta)
{
	if (delta)
		atomic_add_relaxed(&zone->stat[item], (unsigned long)delta);
}

void vmstat_cpu_dead(unsigned int cpu)
{
	struct cpu_local *local = cpu_locals[cpu];

	if (!local || !local->zone_stats)
		return;
	for_each_zone(zone) {
		struct zone_cpu_stat *stats = &local->zone_stats[zone->index];

		for (unsigned int item = 0; item < NR_VM_ZONE_STAT_ITEMS; item++)
			fold(zone, (enum zone_stat_item)item, atomic_xchg(&stats->diff[item], 0));
	}
}

void mod_zone_page_state(struct zone *zone, enum zone_stat_item item, long delta)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);

	if (likely(cpu->depth == 1 && cpu->zone_stats)) {
		s32 *diff = &cpu->zone_stats[zone->index].diff[item];
		long value = *diff + delta;
		long limit = (long)READ_ONCE(zone->stat_threshold);

		if (unlikely(value > limit || value < -limit)) {
			fold(zone, item, value);
			value = 0;
		}
		store_relaxed(diff, (s32)value);
	} else {
		fold(zone, item, delta);
	}
	cpu_section_end(cpu, flags);
}

unsigned long zone_page_state(const struct zone *zone, enum zone_stat_item item)
{
	long value = (long)load_relaxed(&zone->stat[item]);

	return value > 0 ? (unsigned long)value : 0;
}

unsigned long zone_page_state_snapshot(const struct zone *zone, enum zone_stat_item item)
{
	long value = (long)load_relaxed(&zone->stat[item]);

	for_each_possible_cpu(cpu) {
		const struct zone_cpu_stat *stats;

		if (!cpu_locals[cpu] || !cpu_locals[cpu]->zone_stats)
			continue;
		stats = &cpu_locals[cpu]->zone_stats[zone->index];
		value += load_relaxed(&stats->diff[item]);
		if (item == NUMA_HIT || item == (zone->node == cpu_locals[cpu]->node ? NUMA_LOCAL : NUMA_OTHER))
			value += (long)cpu_pages_events((struct zone *)zone, cpu).allocs;
	}
	return value > 0 ? (unsigned long)value : 0;
}

unsigned long global_zone_page_state(enum zone_stat_item item)
{
	unsigned long sum = 0;

	for_each_zone(zone)
		sum += zone_page_state_snapshot(zone, item);
	return sum;
}

void mod_node_page_state(struct pglist_data *pgdat, enum node_stat_item item, long delta)
{
	atomic_add_relaxed(&pgdat->stat[item], (unsigned long)delta);
}

unsigned long node_page_state(const struct pglist_data *pgdat, enum node_stat_item item)
{
	long value = (long)load_relaxed(&pgdat->stat[item]);

	return value > 0 ? (unsigned long)value : 0;
}

unsigned long global_node_page_state(enum node_stat_item item)
{
	unsigned long sum = 0;

	for_each_online_node(nid)
		sum += node_page_state(NODE_DATA(nid), item);
	return sum;
}

static unsigned long as_pages(enum node_stat_item item, unsigned long value)
{
	return item == NR_SLAB_RECLAIMABLE_B || item == NR_SLAB_UNRECLAIMABLE_B ? value >> PAGE_SHIFT : value;
}

unsigned long node_page_state_pages(const struct pglist_data *pgdat, enum node_stat_item item)
{
	return as_pages(item, node_page_state(pgdat, item));
}

unsigned long global_node_page_state_pages(enum node_stat_item item)
{
	return as_pages(item, global_node_page_state(item));
}

void count_vm_events(enum vm_event_item item, unsigned long count)
{
	unsigned long flags;
	struct cpu_local *cpu = cpu_section_begin(&flags);

	if (likely(cpu->depth == 1 && cpu->events))
		store_relaxed(&cpu->events[item], cpu->events[item] + count);
	else
		atomic_add_relaxed(&shared_events[item], count);
	cpu_section_end(cpu, flags);
}

/* What the frame layer knows of @item: pages of one zone type allocated, pages freed. */
static unsigned long frame_events_sum(unsigned int cpu, enum vm_event_item item)
{
	unsigned long sum = 0;

	if (item != PGFREE && item > PGALLOC_LAST)
		return 0;
	for_each_zone(zone) {
		struct frame_events events = cpu_pages_events(zone, cpu);

		if (item == PGFREE)
			sum += events.free_frames;
		else if ((unsigned int)item - PGALLOC_FIRST == (unsigned int)zone->type)
			sum += events.alloc_frames;
	}
	return sum;
}

unsigned long vm_event_sum(enum vm_event_item item)
{
	unsigned long sum = load_relaxed(&shared_events[item]);

	for_each_possible_cpu(cpu) {
		const struct cpu_local *local = cpu_locals[cpu];

		if (local && local->events)
			sum += load_relaxed(&local->events[item]) + frame_events_sum(cpu, item);
	}
	return sum;
}

unsigned int stat_threshold(unsigned long managed_pages, unsigned int cpus)
{
	/* 27: the unit of zone size is 128 MiB */
	unsigned int threshold = 2 * fls64(cpus) * (1 + fls64(managed_pages >> (27 - PAGE_SHIFT)));

	return min(threshold, 125u);
}

unsigned int calculate_normal_threshold(const struct zone *zone)
{
	return stat_threshold(zone_managed_pages(zone), num_online_cpus());
}

void refresh_zone_stat_thresholds(void)
{
	for_each_populated_zone(zone)
		WRITE_ONCE(zone->stat_threshold, calculate_normal_threshold(zone));
}
