/* SPDX-License-Identifier: MIT */
/*
 * Units: each CPU's part of per-CPU memory, and how a pointer leads there. Start-up makes them (mm/boot/nodedata.c),
 * the allocator of areas (mm/slab/percpu.c) adds later chunks.
 *
 *	CPU 0	| variables | struct octavo_percpu_unit: cpu_local, later[], room | variables |  section octavo_percpu
 *	CPU n	the same, in memory of its node
 *
 * PU-I1: a CPU's unit has first values exactly if percpu_ready is set, and is not touched before, but for cpu_local
 * and later[].
 */
#ifndef MM_SYNC_PERCPU_UNIT_H
#define MM_SYNC_PERCPU_UNIT_H

#include <octavo/percpu.h>

#include "atomic.h"
#include "cpu.h"

/* Bytes of a unit of the first chunk, of its variables, and where it lies relative to struct octavo_percpu_unit. */
size_t percpu_unit_bytes(void);
size_t percpu_static_bytes(void);
/* The first address of @cpu's unit. It begins as far behind a page boundary as CPU 0's. */
void *percpu_unit_start(unsigned int cpu);
size_t percpu_unit_phase(void);

/* Whole pages that a unit takes. */
size_t percpu_unit_pages(void);

/*
 * percpu_units_open - keep the variables' first values, in memory that @alloc gives, before anything changes CPU 0's
 * Return: 0 or -ENOMEM.
 */
int __must_check percpu_units_open(void *(*alloc)(size_t bytes));

/* percpu_unit_place - @cpu's unit is to be at @at (a page boundary) plus the phase; returns its cpu_local, zeroed */
struct cpu_local *percpu_unit_place(unsigned int cpu, void *at);

/* See to it that @cpu's copies have their first values. Any context. */
void percpu_unit_ready(unsigned int cpu);

static inline bool percpu_is_ready(unsigned int cpu)
{
	return load_acquire(&cpu_locals[cpu]->percpu_ready) != 0;
}

/* The unit of a CPU, for its cpu_local lies at its beginning. */
static inline struct octavo_percpu_unit *percpu_unit_of(unsigned int cpu)
{
	return (struct octavo_percpu_unit *)cpu_locals[cpu];
}

/* Later chunk @index has its units in later[@index] of every possible CPU; or has them no longer. Any context. */
void percpu_later_open(unsigned int index);
void percpu_later_close(unsigned int index);

#endif
