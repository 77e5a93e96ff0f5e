/* SPDX-License-Identifier: MIT */
/* What tests of mempool.c may look at. */
#ifndef MM_SLAB_MEMPOOL_H
#define MM_SLAB_MEMPOOL_H

#include <octavo/mempool.h>

/* A thread in a pool's queue; on its stack. */
struct mempool_waiter {
	struct mempool_waiter *next;
	uintptr_t thread;
	void *element; /* (a) not NULL: handed over, and out of the queue */
};

/* Pools made from now on poison what lies in their reserve. Debug builds begin with it on. */
extern bool mempool_poison;
/* Elements whose poison was damaged, since boot. */
extern unsigned long mempool_errors;

#endif
