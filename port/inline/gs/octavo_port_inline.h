/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU base and section, x86-64, %gs flavour: on every CPU the port points the GS base at that CPU's
 * struct cpu_local (octavo_cpu_local()). Both of Octavo's ports do: a kernel with MSR_GS_BASE, a process
 * with arch_prctl(2), because the C library leaves %gs alone. Entering a section is one increment, which no
 * interrupt can split.
 */
#ifndef OCTAVO_PORT_INLINE_H
#define OCTAVO_PORT_INLINE_H

static inline struct cpu_local *this_cpu(void)
{
	struct cpu_local *cpu;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

static inline struct cpu_local *cpu_section_begin(unsigned long *flags)
{
	*flags = 0;
	__asm__ volatile("incl %%gs:8" : : : "memory", "cc");
	return this_cpu();
}

/*
 * A section, unless one is open on this CPU. An interrupt between the look and the store leaves depth as it was; a
 * thread that is moved to another CPU there finds that one's depth at 0 too, as no CPU changes threads in a section.
 */
static inline __attribute__((always_inline)) bool cpu_section_try(unsigned long *flags)
{
	bool open;

	*flags = 0;
	__asm__ volatile("cmpl $0, %%gs:8" : "=@ccne"(open) : : "memory");
	if (__builtin_expect(open, 0))
		return false;
	__asm__ volatile("movl $1, %%gs:8" : : : "memory");
	return true;
}

/* The end of what cpu_section_try() began. */
static inline __attribute__((always_inline)) void cpu_section_leave(unsigned long flags)
{
	(void)flags;
#ifdef __SANITIZE_THREAD__ /* which does not see into assembly */
	__atomic_store_n(&this_cpu()->depth, 0, __ATOMIC_RELEASE);
#else
	__asm__ volatile("movl $0, %%gs:8" : : : "memory");
#endif
}

/* A pointer of this CPU's base that does not change once the CPU is online; inside a section. */
#define this_cpu_const(field)                                                                               \
	({                                                                                                  \
		__typeof__(((struct cpu_local *)0)->field) _value;                                          \
		__asm__ volatile("movq %%gs:%c1, %0" : "=r"(_value) : "i"(offsetof(struct cpu_local, field))); \
		_value;                                                                                     \
	})

/*
 * Count a u32 of this CPU's base up and down: what counts is balanced, interrupts' counts too. Down is a release: who
 * reads 0 with acquire sees what was done before.
 */
#ifdef __SANITIZE_THREAD__
#define this_cpu_count(field, step)                                                                         \
	do {                                                                                                \
		struct cpu_local *_cpu = this_cpu();                                                        \
		__atomic_store_n(&_cpu->field, _cpu->field + (step), __ATOMIC_RELEASE);                     \
	} while (0)
#define this_cpu_count_up(field) this_cpu_count(field, 1)
#define this_cpu_count_down(field) this_cpu_count(field, -1)
#else
#define this_cpu_count_up(field) \
	__asm__ volatile("incl %%gs:%c0" : : "i"(offsetof(struct cpu_local, field)) : "memory", "cc")
#define this_cpu_count_down(field) \
	__asm__ volatile("decl %%gs:%c0" : : "i"(offsetof(struct cpu_local, field)) : "memory", "cc")
#endif

/*
 * cpu_section_end() where depth is known to be 1. It waits for no load of depth: sections in close succession
 * would each wait for the one before.
 */
static inline void cpu_section_end_outermost(struct cpu_local *cpu, unsigned long flags)
{
	(void)flags;
	__atomic_store_n(&cpu->depth, 0, __ATOMIC_RELEASE);
}

static inline void cpu_section_end(struct cpu_local *cpu, unsigned long flags)
{
	(void)flags;
	/* A release store on x86; who drains this CPU's caches for it reads depth with acquire. */
#ifdef __SANITIZE_THREAD__ /* which does not see into assembly */
	__atomic_store_n(&cpu->depth, cpu->depth - 1, __ATOMIC_RELEASE);
#else
	(void)cpu;
	__asm__ volatile("decl %%gs:8" : : : "memory", "cc");
#endif
}

#endif
