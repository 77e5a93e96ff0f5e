/* SPDX-License-Identifier: MIT */
/* What the core needs of RCU beyond <octavo/rcupdate.h>. The theory stands in rcu.c. */
#ifndef MM_SYNC_RCU_H
#define MM_SYNC_RCU_H

#include <octavo/rcupdate.h>

#include "cpu.h"
#include "mutex.h"

#define RCU_CPU_WORDS (NR_CPUS / (8 * sizeof(unsigned long)))

/* Legend: (m) the mutex, (a) atomic, (c) constant after init. */
struct rcu {
	struct mutex mutex;	 /* who works on a grace period, and runs callbacks */
	unsigned long started;	 /* (a) number of the latest grace period; written under the mutex */
	unsigned long completed; /* (a) the same or one less: a grace period is under way */
	unsigned long wanted;	 /* (a) polls see to it that this number is reached */
	struct rcu_head *wait, **wait_end; /* (m) callbacks that are due when it is over, oldest first */
	struct rcu_head *orphans; /* (m) left by CPUs that went offline, oldest first */
	uintptr_t runner;	 /* (a) the thread that runs callbacks now */
	void (*free)(void *object); /* (c) what kfree_rcu() needs; registered by the heap */
	unsigned long cpus[RCU_CPU_WORDS]; /* (a) who may be a reader or have callbacks */
	u32 fenced;		 /* (a) readers execute a barrier, because port_cpu_call() has not been seen to work */
	unsigned long called;	 /* (m) callbacks run since boot */
};
extern struct rcu rcu;

/* rcu_read_lock(), rcu_read_unlock() where a call would show. */
static force_inline void rcu_reader_begin(void)
{
	this_cpu_count_up(rcu_nesting);
	if (unlikely(load_relaxed(&rcu.fenced)))
		smp_mb();
	sched_point();
}

static force_inline void rcu_reader_end(void)
{
	sched_point();
	this_cpu_count_down(rcu_nesting);
}

/*
 * rcu_reclaim - memory is short: wait for a grace period if callbacks are queued anywhere, and run them
 * Context: as rcu_poll(). Return: whether any ran.
 */
bool rcu_reclaim(void);

/*
 * rcu_verify - check RC-I1 to RC-I3 while nobody works
 * Return: number of findings, each given to @report (may be NULL).
 */
unsigned int rcu_verify(void (*report)(void *ctx, const char *line), void *ctx);

#endif
