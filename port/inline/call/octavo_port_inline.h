/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU base and section by port functions: for any architecture, and for kernels that keep %gs to
 * themselves. A section runs with interrupts off.
 */
#ifndef OCTAVO_PORT_INLINE_H
#define OCTAVO_PORT_INLINE_H

#include <octavo/port.h>

extern struct cpu_local *cpu_locals[];

static inline struct cpu_local *this_cpu(void)
{
	return cpu_locals[port_cpu_id()];
}

static inline struct cpu_local *cpu_section_begin(unsigned long *flags)
{
	struct cpu_local *cpu;

	*flags = port_irq_save();
	cpu = this_cpu();
	__atomic_store_n(&cpu->depth, cpu->depth + 1, __ATOMIC_RELAXED);
	__asm__ volatile("" : : : "memory");
	return cpu;
}

/* A section, unless one is open on this CPU. */
static inline bool cpu_section_try(unsigned long *flags)
{
	struct cpu_local *cpu;

	*flags = port_irq_save();
	cpu = this_cpu();
	if (cpu->depth) {
		port_irq_restore(*flags);
		return false;
	}
	__atomic_store_n(&cpu->depth, 1, __ATOMIC_RELAXED);
	__asm__ volatile("" : : : "memory");
	return true;
}

/* The end of what cpu_section_try() began. */
static inline void cpu_section_leave(unsigned long flags)
{
	__atomic_store_n(&this_cpu()->depth, 0, __ATOMIC_RELEASE);
	port_irq_restore(flags);
}

/* A pointer of this CPU's base that does not change once the CPU is online; inside a section. */
#define this_cpu_const(field) (this_cpu()->field)

/* Count a u32 of this CPU's base up and down. Down is a release. */
#define this_cpu_count(field, step)                                                     \
	do {                                                                            \
		unsigned long _flags = port_irq_save();                                 \
		struct cpu_local *_cpu = this_cpu();                                    \
		__atomic_store_n(&_cpu->field, _cpu->field + (step), __ATOMIC_RELEASE); \
		__asm__ volatile("" : : : "memory");                                    \
		port_irq_restore(_flags);                                               \
	} while (0)
#define this_cpu_count_up(field) this_cpu_count(field, 1)
#define this_cpu_count_down(field) this_cpu_count(field, -1)

/* cpu_section_end() where depth is known to be 1. */
static inline void cpu_section_end_outermost(struct cpu_local *cpu, unsigned long flags)
{
	__atomic_store_n(&cpu->depth, 0, __ATOMIC_RELEASE);
	port_irq_restore(flags);
}

static inline void cpu_section_end(struct cpu_local *cpu, unsigned long flags)
{
	__atomic_store_n(&cpu->depth, cpu->depth - 1, __ATOMIC_RELEASE);
	port_irq_restore(flags);
}

#endif
