/* SPDX-License-Identifier: MIT */
/*
 * The only place with raw atomics. Names say the order: plain ones are fully ordered read-modify-writes,
 * _relaxed order nothing, load_acquire and store_release pair up.
 *
 * Builds with OCTAVO_SCHED=1 pass a scheduling point at each of them, read-modify-writes ahead and behind, so that the
 * hosted port's seeded scheduler can switch between CPUs there.
 */
#ifndef MM_SYNC_ATOMIC_H
#define MM_SYNC_ATOMIC_H

#include <octavo/port.h>

#include "../base/compiler.h"

#ifdef OCTAVO_SCHED
#define sched_point() port_cpu_relax()
#else
#define sched_point() ((void)0)
#endif

#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)

/*
 * A u64 that others may read while its one writer changes it: whole where a register holds 64 bits, in
 * halves elsewhere (there are no 64-bit atomics on 32-bit builds), so readers may only estimate from it.
 */
#if __SIZEOF_POINTER__ == 8
#define load_relaxed_u64(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_relaxed_u64(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define load_acquire_u64(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release_u64(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#else
#define load_relaxed_u64(p) READ_ONCE(*(p))
#define store_relaxed_u64(p, v) WRITE_ONCE(*(p), v)
#define load_acquire_u64(p)                     \
	({                                      \
		u64 seen_ = load_relaxed_u64(p); \
		smp_rmb();                      \
		seen_;                          \
	})
#define store_release_u64(p, v)           \
	do {                              \
		smp_wmb();                \
		store_relaxed_u64(p, v);  \
	} while (0)
#endif

/*
 * A u64 that nobody may see half changed, and whose low half says whether the high half counts: a page-table entry.
 * Where a register holds 32 bits, a load looks at the low half before and behind the high one; a store makes the low
 * half say that nothing is there while the high one changes; the others are one locked instruction. whole_fill() is for
 * a place that says so already, or that nobody looks at yet.
 */
#if __SIZEOF_POINTER__ == 8
#define whole_load(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define whole_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define whole_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define whole_fill(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define whole_wipe(p) __atomic_store_n(p, 0, __ATOMIC_RELAXED)
#define whole_cmpxchg(p, old, v) __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define whole_xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)
#else
static inline volatile u32 *whole_half(const u64 *p, unsigned int which)
{
	return (volatile u32 *)(uintptr_t)p + (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? which : 1 - which);
}

static inline u64 whole_load(const u64 *p)
{
	u32 low, high;

	do {
		low = *whole_half(p, 0);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		high = *whole_half(p, 1);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(low != *whole_half(p, 0)));
	return (u64)high << 32 | low;
}

#define whole_load_acquire(p) whole_load(p)

static inline void whole_fill(u64 *p, u64 value)
{
	*whole_half(p, 1) = (u32)(value >> 32);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	sched_point();
	*whole_half(p, 0) = (u32)value;
}

static inline void whole_wipe(u64 *p)
{
	*whole_half(p, 0) = 0;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*whole_half(p, 1) = 0;
}

static inline void whole_store(u64 *p, u64 value)
{
	*whole_half(p, 0) = 0;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	sched_point();
	whole_fill(p, value);
}

static inline bool whole_cmpxchg(u64 *p, u64 *old, u64 value)
{
	u64 was = __sync_val_compare_and_swap(p, *old, value);
	bool same = was == *old;

	*old = was;
	return same;
}

static inline u64 whole_xchg(u64 *p, u64 value)
{
	u64 old = whole_load(p);

	while (!whole_cmpxchg(p, &old, value))
		;
	return old;
}
#endif

#define load_acquire(p)                          \
	({                                       \
		sched_point();                   \
		__atomic_load_n(p, __ATOMIC_ACQUIRE); \
	})
#define store_release(p, v)                            \
	({                                             \
		__atomic_store_n(p, v, __ATOMIC_RELEASE); \
		sched_point();                         \
	})
/* What was read, after a place to switch: the next plain store need not follow at once. */
#define atomic_rmw(operation)                   \
	({                                      \
		__typeof__(operation) _was;     \
		sched_point();                  \
		_was = (operation);             \
		sched_point();                  \
		_was;                           \
	})
#define atomic_xchg(p, v) atomic_rmw(__atomic_exchange_n(p, v, __ATOMIC_ACQ_REL))
#define atomic_cmpxchg(p, old, new)                                                                             \
	({                                                                                                      \
		__typeof__(*(p)) _expected = (old);                                                             \
		sched_point();                                                                                  \
		__atomic_compare_exchange_n(p, &_expected, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
		sched_point();                                                                                  \
		_expected;                                                                                      \
	})
#define atomic_fetch_add(p, v) atomic_rmw(__atomic_fetch_add(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_sub(p, v) atomic_rmw(__atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST))
#define atomic_sub_fetch(p, v) atomic_rmw(__atomic_sub_fetch(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_or(p, v) atomic_rmw(__atomic_fetch_or(p, v, __ATOMIC_SEQ_CST))
#define atomic_fetch_and(p, v) atomic_rmw(__atomic_fetch_and(p, v, __ATOMIC_SEQ_CST))
#define atomic_add_relaxed(p, v) ((void)__atomic_fetch_add(p, v, __ATOMIC_RELAXED))
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
/* Behind a fully ordered read-modify-write: x86's is a full barrier itself, arm64's lets later loads pass its store. */
#if defined(__x86_64__) || defined(__i386__)
#define smp_mb__after_atomic() barrier()
#else
#define smp_mb__after_atomic() smp_mb()
#endif
/* What was read before stays before what is read and written after. */
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
/* What was read and written before stays before what is written after. */
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

#endif
