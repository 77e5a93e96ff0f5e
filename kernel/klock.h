/* SPDX-License-Identifier: MIT */
/*
 * The reference kernel's locks and atomics: the only place in kernel/ with the compiler's own.
 *
 * A klock is for short sections: it is taken with interrupts off and by trying, and is not recursive.
 */
#ifndef KERNEL_KLOCK_H
#define KERNEL_KLOCK_H

#include <octavo/port.h>
#include <octavo/types.h>

struct klock {
	u8 locked;
};

static inline void klock_raw(struct klock *lock)
{
	while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock->locked, __ATOMIC_RELAXED))
			port_cpu_relax();
}

static inline void kunlock_raw(struct klock *lock)
{
	__atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

static inline unsigned long klock(struct klock *lock)
{
	unsigned long flags = port_irq_save();

	klock_raw(lock);
	return flags;
}

static inline void kunlock(struct klock *lock, unsigned long flags)
{
	kunlock_raw(lock);
	port_irq_restore(flags);
}

#define kload(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define kstore(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define kxchg(p, v)                                      \
	({                                               \
		__atomic_exchange_n(p, v, __ATOMIC_ACQ_REL); \
	})
/* Statement expressions, so that nobody has to use the value. */
#define kadd(p, v) __atomic_add_fetch(p, v, __ATOMIC_ACQ_REL) /* the new value */
#define ksub(p, v) __atomic_sub_fetch(p, v, __ATOMIC_ACQ_REL)
#define kor(p, v) __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL)   /* the old value */
#define kand(p, v) __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL)
#define kfence() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif
