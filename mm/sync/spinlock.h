/* SPDX-License-Identifier: MIT */
/*
 * Spinlock: test and set on a byte, reads while it waits. Not fair; the sections are short, and a fair lock
 * stalls all waiters when a hosted CPU's thread is not running.
 */
#ifndef MM_SYNC_SPINLOCK_H
#define MM_SYNC_SPINLOCK_H

#include "atomic.h"
#include "lockrank.h"

typedef struct {
	u8 locked;
	u8 rank; /* enum lock_rank; 0: not checked */
} spinlock_t;

#ifdef OCTAVO_DEBUG
void lockdep_acquire(const void *lock, unsigned int rank);  /* before waiting for it */
void lockdep_acquired(const void *lock, unsigned int rank); /* got without waiting: any order will do */
void lockdep_release(const void *lock, unsigned int rank);
#else
static inline void lockdep_acquire(const void *lock, unsigned int rank)
{
	(void)lock;
	(void)rank;
}
static inline void lockdep_acquired(const void *lock, unsigned int rank)
{
	(void)lock;
	(void)rank;
}
static inline void lockdep_release(const void *lock, unsigned int rank)
{
	(void)lock;
	(void)rank;
}
#endif

static inline void spin_lock_init(spinlock_t *lock, enum lock_rank rank)
{
	lock->locked = 0;
	lock->rank = (u8)rank;
}

static inline bool spin_trylock(spinlock_t *lock)
{
	if (atomic_xchg(&lock->locked, 1))
		return false;
	lockdep_acquired(lock, lock->rank);
	return true;
}

static inline void spin_lock(spinlock_t *lock)
{
	lockdep_acquire(lock, lock->rank);
	while (unlikely(atomic_xchg(&lock->locked, 1))) {
		do
			port_cpu_relax();
		while (load_relaxed(&lock->locked));
	}
}

static inline void spin_unlock(spinlock_t *lock)
{
	lockdep_release(lock, lock->rank);
	store_release(&lock->locked, 0);
}

static inline bool spin_is_locked(const spinlock_t *lock)
{
	return load_relaxed(&lock->locked) != 0;
}

#define spin_lock_irqsave(lock, flags)    \
	do {                              \
		(flags) = port_irq_save(); \
		spin_lock(lock);          \
	} while (0)
#define spin_unlock_irqrestore(lock, flags) \
	do {                                \
		spin_unlock(lock);          \
		port_irq_restore(flags);    \
	} while (0)

#endif
