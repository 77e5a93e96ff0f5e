/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU variables, as Linux 6.12 names them (<linux/percpu.h>, <linux/percpu-defs.h>;
 * Documentation/core-api/this_cpu_ops.rst).
 *
 * What DEFINE_PER_CPU() or alloc_percpu() gives is not an address to be used: each CPU has a copy, and the macros here
 * find it. A CPU's copy is in memory of its own node, exists for every CPU that may ever come online, and begins as it
 * was defined, or zeroed.
 *
 * Where <octavo_percpu_inline.h> is in the include path (port/inline/gs), operations on this CPU's copy are single
 * instructions, which neither an interrupt nor a change of threads can split. Elsewhere they run with interrupts off.
 */
#ifndef OCTAVO_PERCPU_H
#define OCTAVO_PERCPU_H

#include <octavo/gfp.h>
#include <octavo/port.h>
#include <octavo/preempt.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/* Marks pointers that are to be used through the macros only. */
#define __percpu

/* ---- Static variables ---- */

#define OCTAVO_PERCPU_SECTION __attribute__((section("octavo_percpu")))

/** DEFINE_PER_CPU - a variable of which each CPU has one; may be static, may be initialised; not before mm_init() */
#define DEFINE_PER_CPU(type, name) OCTAVO_PERCPU_SECTION __typeof__(type) name
#define DECLARE_PER_CPU(type, name) extern OCTAVO_PERCPU_SECTION __typeof__(type) name
/** DEFINE_PER_CPU_ALIGNED - at the start of a cache line */
#define DEFINE_PER_CPU_ALIGNED(type, name) \
	OCTAVO_PERCPU_SECTION __attribute__((aligned(64))) __typeof__(type) name
#define DECLARE_PER_CPU_ALIGNED(type, name) \
	extern OCTAVO_PERCPU_SECTION __attribute__((aligned(64))) __typeof__(type) name
#define DEFINE_PER_CPU_SHARED_ALIGNED(type, name) DEFINE_PER_CPU_ALIGNED(type, name)
#define DECLARE_PER_CPU_SHARED_ALIGNED(type, name) DECLARE_PER_CPU_ALIGNED(type, name)
#define DEFINE_PER_CPU_READ_MOSTLY(type, name) DEFINE_PER_CPU(type, name)
#define DECLARE_PER_CPU_READ_MOSTLY(type, name) DECLARE_PER_CPU(type, name)
/** DEFINE_PER_CPU_PAGE_ALIGNED - at the start of a page */
#define DEFINE_PER_CPU_PAGE_ALIGNED(type, name) \
	OCTAVO_PERCPU_SECTION __attribute__((aligned(4096))) __typeof__(type) name
#define DECLARE_PER_CPU_PAGE_ALIGNED(type, name) \
	extern OCTAVO_PERCPU_SECTION __attribute__((aligned(4096))) __typeof__(type) name

/* ---- Finding a copy ---- */

/* What the macros call. Pointers from OCTAVO_PERCPU_LATER on stand for areas in later chunks. */
#define OCTAVO_PERCPU_LATER ((uintptr_t)0 - ((uintptr_t)16 << 20))
struct octavo_percpu_unit;
extern OCTAVO_API struct octavo_percpu_unit octavo_percpu_unit;
OCTAVO_API void *octavo_this_cpu_ptr(const volatile void *p);
OCTAVO_API void *octavo_per_cpu_ptr(const volatile void *p, unsigned int cpu);

#if defined(__has_include)
#if __has_include(<octavo_percpu_inline.h>)
#include <octavo_percpu_inline.h>
#endif
#endif
#ifndef octavo_this_cpu_find
#define octavo_this_cpu_find(p) octavo_this_cpu_ptr(p)
#endif

/** per_cpu_ptr - @cpu's copy of what @ptr points at; @cpu: one that is possible. Context: any. */
#define per_cpu_ptr(ptr, cpu) ((__typeof__(*(ptr)) *)octavo_per_cpu_ptr(ptr, cpu))
/** per_cpu - @cpu's copy of variable @var */
#define per_cpu(var, cpu) (*per_cpu_ptr(&(var), cpu))

/** this_cpu_ptr - this CPU's copy. The caller stays on the CPU (preempt_disable(), a section, interrupts off). */
#define this_cpu_ptr(ptr) ((__typeof__(*(ptr)) *)octavo_this_cpu_find(ptr))
#define raw_cpu_ptr(ptr) this_cpu_ptr(ptr)

/** get_cpu_var - this CPU's copy of @var, to use until put_cpu_var() */
#define get_cpu_var(var)                \
	(*__extension__({               \
		preempt_disable();      \
		this_cpu_ptr(&(var));   \
	}))
#define put_cpu_var(var)         \
	do {                     \
		(void)&(var);    \
		preempt_enable(); \
	} while (0)
#define get_cpu_ptr(ptr)           \
	__extension__({            \
		preempt_disable(); \
		this_cpu_ptr(ptr); \
	})
#define put_cpu_ptr(ptr)          \
	do {                      \
		(void)(ptr);      \
		preempt_enable(); \
	} while (0)

/* ---- Operations on this CPU's copy: of 1, 2, 4 or 8 bytes, integers or pointers ---- */

/*
 * raw_cpu_*: the caller stays on the CPU, and no interrupt uses the variable. __this_cpu_*: the same.
 * this_cpu_*: safe against both.
 */
#define raw_cpu_read(pcp) (*raw_cpu_ptr(&(pcp)))
#define raw_cpu_write(pcp, val) ((void)(*raw_cpu_ptr(&(pcp)) = (val)))
#define raw_cpu_add(pcp, val) ((void)(*raw_cpu_ptr(&(pcp)) += (val)))
#define raw_cpu_sub(pcp, val) ((void)(*raw_cpu_ptr(&(pcp)) -= (val)))
#define raw_cpu_inc(pcp) raw_cpu_add(pcp, 1)
#define raw_cpu_dec(pcp) raw_cpu_sub(pcp, 1)
#define raw_cpu_and(pcp, val) ((void)(*raw_cpu_ptr(&(pcp)) &= (val)))
#define raw_cpu_or(pcp, val) ((void)(*raw_cpu_ptr(&(pcp)) |= (val)))
#define raw_cpu_add_return(pcp, val) (*raw_cpu_ptr(&(pcp)) += (val))
#define raw_cpu_xchg(pcp, val)                                       \
	__extension__({                                              \
		__typeof__(&(pcp)) _raw = raw_cpu_ptr(&(pcp));       \
		__typeof__(pcp) _raw_old = *_raw;                    \
		*_raw = (val);                                       \
		_raw_old;                                            \
	})
#define raw_cpu_cmpxchg(pcp, old, new_)                              \
	__extension__({                                              \
		__typeof__(&(pcp)) _raw = raw_cpu_ptr(&(pcp));       \
		__typeof__(pcp) _raw_old = *_raw;                    \
		if (_raw_old == (old))                               \
			*_raw = (new_);                              \
		_raw_old;                                            \
	})

/* With interrupts off: what this_cpu_*() is where no instruction does it. */
#define octavo_irqoff(stmt)                                \
	do {                                               \
		unsigned long _irq_flags = port_irq_save(); \
		stmt;                                      \
		port_irq_restore(_irq_flags);              \
	} while (0)
#define octavo_irqoff_value(type, value)                \
	__extension__({                                 \
		type _irq_value;                        \
		octavo_irqoff(_irq_value = (value));    \
		_irq_value;                             \
	})

#ifndef octavo_cpu_op
#define octavo_cpu_read(pcp) octavo_irqoff_value(__typeof__(pcp), raw_cpu_read(pcp))
#define octavo_cpu_op(insn, pcp, op, val) octavo_irqoff(*raw_cpu_ptr(&(pcp)) op(val))
#define octavo_cpu_add_return(pcp, val) octavo_irqoff_value(__typeof__(pcp), raw_cpu_add_return(pcp, val))
#define octavo_cpu_xchg(pcp, val) octavo_irqoff_value(__typeof__(pcp), raw_cpu_xchg(pcp, val))
#define octavo_cpu_cmpxchg(pcp, old, new_) octavo_irqoff_value(__typeof__(pcp), raw_cpu_cmpxchg(pcp, old, new_))
#endif

#define this_cpu_read(pcp) octavo_cpu_read(pcp)
#define this_cpu_write(pcp, val) octavo_cpu_op(mov, pcp, =, val)
#define this_cpu_add(pcp, val) octavo_cpu_op(add, pcp, +=, val)
#define this_cpu_sub(pcp, val) octavo_cpu_op(sub, pcp, -=, val)
#define this_cpu_inc(pcp) this_cpu_add(pcp, 1)
#define this_cpu_dec(pcp) this_cpu_sub(pcp, 1)
#define this_cpu_and(pcp, val) octavo_cpu_op(and, pcp, &=, val)
#define this_cpu_or(pcp, val) octavo_cpu_op(or, pcp, |=, val)
/** this_cpu_add_return - add, and return the sum */
#define this_cpu_add_return(pcp, val) octavo_cpu_add_return(pcp, val)
#define this_cpu_sub_return(pcp, val) this_cpu_add_return(pcp, -(__typeof__(pcp))(val))
#define this_cpu_inc_return(pcp) this_cpu_add_return(pcp, 1)
#define this_cpu_dec_return(pcp) this_cpu_add_return(pcp, -1)
/** this_cpu_xchg, this_cpu_cmpxchg - return what was there before */
#define this_cpu_xchg(pcp, val) octavo_cpu_xchg(pcp, val)
#define this_cpu_cmpxchg(pcp, old, new_) octavo_cpu_cmpxchg(pcp, old, new_)
/** this_cpu_try_cmpxchg - was it *@oldp, and was it replaced? *@oldp is what was there. */
#define this_cpu_try_cmpxchg(pcp, oldp, new_)                                      \
	__extension__({                                                            \
		__typeof__(pcp) _try_old = *(oldp);                                \
		__typeof__(pcp) _try_seen = this_cpu_cmpxchg(pcp, _try_old, new_); \
		*(oldp) = _try_seen;                                               \
		_try_seen == _try_old;                                             \
	})

#define __this_cpu_read(pcp) raw_cpu_read(pcp)
#define __this_cpu_write(pcp, val) raw_cpu_write(pcp, val)
#define __this_cpu_add(pcp, val) raw_cpu_add(pcp, val)
#define __this_cpu_sub(pcp, val) raw_cpu_sub(pcp, val)
#define __this_cpu_inc(pcp) raw_cpu_inc(pcp)
#define __this_cpu_dec(pcp) raw_cpu_dec(pcp)
#define __this_cpu_and(pcp, val) raw_cpu_and(pcp, val)
#define __this_cpu_or(pcp, val) raw_cpu_or(pcp, val)
#define __this_cpu_add_return(pcp, val) raw_cpu_add_return(pcp, val)
#define __this_cpu_xchg(pcp, val) raw_cpu_xchg(pcp, val)
#define __this_cpu_cmpxchg(pcp, old, new_) raw_cpu_cmpxchg(pcp, old, new_)

/* ---- Dynamic areas ---- */

/* The largest area, and the smallest step between areas, in bytes. */
#define PCPU_MIN_UNIT_SIZE ((size_t)32 << 10)
#define PCPU_MIN_ALLOC_SIZE 4

/**
 * __alloc_percpu_gfp - an area of which each possible CPU has a zeroed copy
 * @size: bytes, 1 to PCPU_MIN_UNIT_SIZE
 * @align: a power of two, at most PAGE_SIZE
 * @gfp: with all of GFP_KERNEL pages may be allocated (thread context, may sleep); otherwise only what is at hand is
 *       given, in any context. __GFP_NOWARN: a failure is not reported
 * Return: the area, or NULL.
 */
OCTAVO_API void __percpu *__must_check __alloc_percpu_gfp(size_t size, size_t align, gfp_t gfp);
static inline void __percpu *__must_check __alloc_percpu(size_t size, size_t align)
{
	return __alloc_percpu_gfp(size, align, GFP_KERNEL);
}

/** alloc_percpu - the same for a type */
#define alloc_percpu_gfp(type, gfp) \
	((__typeof__(type) __percpu *)__alloc_percpu_gfp(sizeof(type), __alignof__(type), gfp))
#define alloc_percpu(type) alloc_percpu_gfp(type, GFP_KERNEL)

/**
 * free_percpu - give an area back; NULL: nothing
 * What is no area's start, or free already, is reported and nothing happens. Context: any.
 */
OCTAVO_API void free_percpu(void __percpu *p);

/** is_kernel_percpu_address - does some CPU's copy of a variable of DEFINE_PER_CPU() lie at @addr? */
OCTAVO_API bool is_kernel_percpu_address(uintptr_t addr);

/**
 * per_cpu_ptr_to_phys - the physical address of a copy, as per_cpu_ptr() gives it
 * Return: ~0 for CPU 0's copies of the first chunk where the image is not in the direct map.
 */
OCTAVO_API phys_addr_t per_cpu_ptr_to_phys(const void *addr);

/** percpu_pages - pages that hold per-CPU memory, on all CPUs together: "Percpu:" of /proc/meminfo */
OCTAVO_API unsigned long percpu_pages(void);

/**
 * percpu_verify - check the chunks of the allocator
 * @report: called with each finding, one line without a newline; may be NULL
 * Context: thread context, nobody allocating or freeing meanwhile. Return: number of findings.
 */
OCTAVO_API unsigned int percpu_verify(void (*report)(void *ctx, const char *line), void *ctx);

OCTAVO_END_DECLS
#endif
