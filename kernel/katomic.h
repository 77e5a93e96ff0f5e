/* SPDX-License-Identifier: MIT */
/* Counters that several CPUs change, for the file side of the reference kernel. */
#ifndef KERNEL_KATOMIC_H
#define KERNEL_KATOMIC_H

#include <octavo/types.h>

static inline unsigned int katomic_inc(unsigned int *n)
{
	return __atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

/* Return: the value afterwards. */
static inline unsigned int katomic_dec(unsigned int *n)
{
	return __atomic_sub_fetch(n, 1, __ATOMIC_ACQ_REL);
}

static inline unsigned int katomic_read(const unsigned int *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

/* Take one off unless it is the last. Return: it was taken off. */
static inline bool katomic_dec_not_one(unsigned int *n)
{
	unsigned int was = __atomic_load_n(n, __ATOMIC_RELAXED);

	while (was > 1)
		if (__atomic_compare_exchange_n(n, &was, was - 1, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
	return false;
}

/* Return: the value afterwards. */
static inline unsigned long katomic_next(unsigned long *n)
{
	return __atomic_add_fetch(n, 1, __ATOMIC_RELAXED);
}

static inline void katomic_add_long(unsigned long *n, long by)
{
	__atomic_fetch_add(n, (unsigned long)by, __ATOMIC_RELAXED);
}

/* Add @by while the sum stays at or below @limit (0: none). */
static inline bool katomic_add_below(unsigned long *n, unsigned long by, unsigned long limit)
{
	unsigned long was = __atomic_load_n(n, __ATOMIC_RELAXED);

	do {
		if (limit && (was >= limit || limit - was < by))
			return false;
	} while (!__atomic_compare_exchange_n(n, &was, was + by, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

static inline void *katomic_pointer(void **at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/* Put @value where NULL is. Return: NULL, or what was there before. */
static inline void *katomic_pointer_first(void **at, void *value)
{
	void *was = NULL;

	__atomic_compare_exchange_n(at, &was, value, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	return was;
}

#endif
