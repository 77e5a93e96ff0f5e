/* SPDX-License-Identifier: MIT */
/*
 * Counters that many CPUs change and few read, as Linux names them (<linux/percpu_counter.h>): a sum, and on each CPU a
 * difference that joins it when it reaches a batch.
 */
#ifndef OCTAVO_PERCPU_COUNTER_H
#define OCTAVO_PERCPU_COUNTER_H

#include <octavo/percpu.h>

OCTAVO_BEGIN_DECLS

/* Legend: (l) the lock, (c) constant, (o) each CPU its own, with interrupts off or atomically. */
struct percpu_counter {
	u16 lock[2];	       /* the core's spinlock */
	s32 __percpu *counters; /* (o) */
	s64 count;	       /* (l) without what is in @counters */
	struct percpu_counter *next, **link; /* all counters, for CPUs that leave */
};

/** percpu_counter_batch - the batch of percpu_counter_add(): the larger of 32 and twice the online CPUs */
OCTAVO_API s32 percpu_counter_batch(void);

/**
 * percpu_counter_init - begin to count, at @amount
 * Context: as __alloc_percpu_gfp(). Return: 0 or -ENOMEM.
 */
OCTAVO_API int __must_check percpu_counter_init(struct percpu_counter *fbc, s64 amount, gfp_t gfp);
/** percpu_counter_destroy - the end; nobody uses it any more. Twice, or without an init of zeroed memory: nothing. */
OCTAVO_API void percpu_counter_destroy(struct percpu_counter *fbc);

/** percpu_counter_set - make it @amount; who adds meanwhile may be lost */
OCTAVO_API void percpu_counter_set(struct percpu_counter *fbc, s64 amount);
/** percpu_counter_add_batch - add; CPUs keep less than @batch (2^29 at most) to themselves. Context: any. */
OCTAVO_API void percpu_counter_add_batch(struct percpu_counter *fbc, s64 amount, s32 batch);
/** percpu_counter_add - the same with percpu_counter_batch() */
OCTAVO_API void percpu_counter_add(struct percpu_counter *fbc, s64 amount);
/** percpu_counter_sync - bring this CPU's difference into the sum */
OCTAVO_API void percpu_counter_sync(struct percpu_counter *fbc);

/** percpu_counter_read - the sum without differences: off by up to the batch times the online CPUs */
OCTAVO_API s64 percpu_counter_read(const struct percpu_counter *fbc);
/** percpu_counter_sum - all of it, exact while nobody adds */
OCTAVO_API s64 percpu_counter_sum(struct percpu_counter *fbc);
/**
 * __percpu_counter_compare - is it below (-1), at (0) or above (1) @rhs?
 * Adds all up only if the rough answer is not clear.
 */
OCTAVO_API int __percpu_counter_compare(struct percpu_counter *fbc, s64 rhs, s32 batch);
/** percpu_counter_limited_add - add @amount unless it would go past @limit (below it, for a negative amount) */
OCTAVO_API bool percpu_counter_limited_add(struct percpu_counter *fbc, s64 limit, s64 amount);

/** percpu_counter_add_local - for counters that are added to often and read seldom, by percpu_counter_sum() */
static inline void percpu_counter_add_local(struct percpu_counter *fbc, s64 amount)
{
	percpu_counter_add_batch(fbc, amount, INT32_MAX);
}

static inline void percpu_counter_inc(struct percpu_counter *fbc)
{
	percpu_counter_add(fbc, 1);
}

static inline void percpu_counter_dec(struct percpu_counter *fbc)
{
	percpu_counter_add(fbc, -1);
}

static inline void percpu_counter_sub(struct percpu_counter *fbc, s64 amount)
{
	percpu_counter_add(fbc, -amount);
}

static inline s64 percpu_counter_read_positive(const struct percpu_counter *fbc)
{
	s64 count = percpu_counter_read(fbc);

	return count > 0 ? count : 0;
}

static inline s64 percpu_counter_sum_positive(struct percpu_counter *fbc)
{
	s64 count = percpu_counter_sum(fbc);

	return count > 0 ? count : 0;
}

static inline int percpu_counter_compare(struct percpu_counter *fbc, s64 rhs)
{
	return __percpu_counter_compare(fbc, rhs, percpu_counter_batch());
}

static inline bool percpu_counter_initialized(const struct percpu_counter *fbc)
{
	return fbc->counters != NULL;
}

OCTAVO_END_DECLS
#endif
