/* SPDX-License-Identifier: MIT */
/*
 * Threads of the core's own (kswapd, flushers), and queues of threads that wait for something.
 *
 * A port may have no threads: kthread_start() then says -ENOSYS, and whoever needs the work done does it himself.
 */
#ifndef MM_SYNC_KTHREAD_H
#define MM_SYNC_KTHREAD_H

#include <octavo/port.h>

#include "spinlock.h"

/* ---- Waiting ---- */

struct queue_waiter;

/* All zero but for the lock's rank is empty. @first: (l) under @lock. */
struct wait_queue {
	spinlock_t lock;
	struct queue_waiter *first;
	u32 waiting; /* (a) how many are in it */
};
#define WAIT_QUEUE_INIT { .lock = { .rank = LOCK_RANK_WAIT_QUEUE } }

/**
 * wait_queue_wait - sleep until @done(@arg) is true
 * @timeout_ns: at most this long; 0: without limit
 * @killable: a thread that is killed does not go on waiting
 * Whoever makes it true calls wake_queue() afterwards. @done may run any number of times, without locks.
 * Context: thread context, no spinlock held. Return: what @done said last.
 */
bool wait_queue_wait(struct wait_queue *queue, bool (*done)(void *arg), void *arg, u64 timeout_ns, bool killable);

/** wake_queue - all who wait look again at what they wait for. Context: any, interrupts included. */
void wake_queue(struct wait_queue *queue);

/** wait_queue_active - does anybody wait? Behind a barrier: who changed the condition before this sees him. */
bool wait_queue_active(const struct wait_queue *queue);

/** cond_resched - a place where other threads may go first. Context: thread context, no spinlock held. */
void cond_resched(void);

/* ---- Threads ---- */

/*
 * All zero: not there. What it is embedded in stays until kthread_stop() has returned.
 * @state: (a) enum in kthread.c @thread: (a) for port_unpark(), once it runs
 */
struct kthread {
	u32 state;
	uintptr_t thread;
	void (*fn)(struct kthread *self, void *arg);
	void *arg;
	struct wait_queue queue; /* itself, and who waits for its end */
};

/**
 * kthread_start - start it: @fn(@t, @arg), which returns once kthread_should_stop()
 * Context: thread context. Return: 0; -ENOSYS: this port has no threads; -EBUSY: it is there; what the port says.
 */
int __must_check kthread_start(struct kthread *t, void (*fn)(struct kthread *self, void *arg), void *arg,
			       const char *name, int node);

/** kthread_stop - ask it to end and wait until it has; one that is not there has. Context: thread context. */
void kthread_stop(struct kthread *t);

/** kthread_should_stop - for the thread itself: it is to return from @fn */
bool kthread_should_stop(const struct kthread *t);

/** kthread_runs - it was started and has not been asked to end. Context: any. */
bool kthread_runs(const struct kthread *t);

/**
 * kthread_sleep - for the thread itself: sleep until kthread_wake(), kthread_stop() or the end of @timeout_ns (0: none)
 * @wanted: asked first, and each time it wakes: is there work? NULL: the first wakeup ends it.
 * Return: false: only the time is over.
 */
bool kthread_sleep(struct kthread *t, bool (*wanted)(void *arg), u64 timeout_ns);

/** kthread_wake - it looks for work. Whoever made some does so first. Context: any. */
void kthread_wake(struct kthread *t);

#endif
