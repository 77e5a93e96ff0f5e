/* SPDX-License-Identifier: MIT */
/*
 * Mutex: a lock whose holder may sleep. Waiters queue up and are served in order; the holder hands the lock
 * over, so nobody starves. Thread context only.
 */
#ifndef MM_SYNC_MUTEX_H
#define MM_SYNC_MUTEX_H

#include "spinlock.h"

struct mutex_waiter;

struct mutex {
	spinlock_t wait_lock;	     /* guards what follows */
	bool held;
	struct mutex_waiter *first, *last;
};

#define MUTEX_INIT { .wait_lock = { .rank = LOCK_RANK_MUTEX_WAIT } }

void mutex_lock(struct mutex *mutex);
bool mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

#endif
