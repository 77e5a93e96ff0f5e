// SPDX-License-Identifier: MIT
/*
 * Threads of the core's own, on port_thread_create(), and queues of waiters, on port_park().
 *
 * Words. A *waiter* lives on its thread's stack and stands in one queue.
 *
 * Invariants. KT-I1: a waiter is in its queue from before it first asks whether its condition is true until it has seen
 * that it is, or given up. So who makes it true and then looks into the queue finds it there. KT-I2: a thread's states
 * follow one another: none, started, (asked to stop), ended, none.
 *
 * Locking. A queue's lock guards the list. It is held for a few instructions and while threads are woken.
 *
 * What failure does. Without threads kthread_start() says so. Without a clock a wait with a time limit ends after
 * TURNS_WITHOUT_CLOCK looks.
 */
#include "kthread.h"

#include <octavo/task.h>

#include "cpu.h"

#define TURNS_WITHOUT_CLOCK 1000u

struct queue_waiter {
	struct queue_waiter *next;
	uintptr_t thread;
};

enum { KTHREAD_NONE, KTHREAD_STARTED, KTHREAD_STOPPING, KTHREAD_ENDED };

/* ---- Queues ---- */

static void join(struct wait_queue *queue, struct queue_waiter *self)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	self->next = queue->first;
	queue->first = self;
	store_relaxed(&queue->waiting, queue->waiting + 1);
	spin_unlock_irqrestore(&queue->lock, flags);
	smp_mb();
}

static void leave(struct wait_queue *queue, const struct queue_waiter *self)
{
	struct queue_waiter **link;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	for (link = &queue->first; *link != self; link = &(*link)->next)
		;
	*link = self->next;
	store_relaxed(&queue->waiting, queue->waiting - 1);
	spin_unlock_irqrestore(&queue->lock, flags);
}

bool wait_queue_active(const struct wait_queue *queue)
{
	smp_mb();
	return load_relaxed(&queue->waiting) != 0;
}

void wake_queue(struct wait_queue *queue)
{
	unsigned long flags;

	if (!wait_queue_active(queue))
		return;
	spin_lock_irqsave(&queue->lock, flags);
	for (const struct queue_waiter *w = queue->first; w; w = w->next)
		port_unpark(w->thread);
	spin_unlock_irqrestore(&queue->lock, flags);
}

bool wait_queue_wait(struct wait_queue *queue, bool (*done)(void *arg), void *arg, u64 timeout_ns, bool killable)
{
	struct queue_waiter self = { .thread = port_thread_self() };
	u64 begin = port_clock_ns(), now = begin;
	unsigned int turns = 0;
	bool is_done;

	join(queue, &self);
	for (;;) {
		is_done = done(arg);
		if (is_done || (killable && fatal_signal_pending(current_task())))
			break;
		if (timeout_ns) {
			now = port_clock_ns();
			if (now - begin >= timeout_ns || (!now && ++turns >= TURNS_WITHOUT_CLOCK))
				break;
		}
		port_park(timeout_ns ? max(begin + timeout_ns - now, (u64)PORT_PARK_YIELD_NS) : 0);
	}
	leave(queue, &self);
	return is_done;
}

void cond_resched(void)
{
	if (!octavo_cpu_in_section())
		port_park(1);
}

/* ---- Threads ---- */

static void kthread_main(void *arg)
{
	struct kthread *t = arg;

	store_release(&t->thread, port_thread_self());
	smp_mb(); /* whoever asked it to stop and had nobody to wake is seen by fn */
	t->fn(t, t->arg);
	store_release(&t->thread, (uintptr_t)0);
	store_release(&t->state, KTHREAD_ENDED);
	wake_queue(&t->queue);
	/* Behind this the structure may be gone. */
	store_release(&t->state, KTHREAD_NONE);
}

int kthread_start(struct kthread *t, void (*fn)(struct kthread *self, void *arg), void *arg, const char *name,
		  int node)
{
	int err;

	if (atomic_cmpxchg(&t->state, KTHREAD_NONE, KTHREAD_STARTED) != KTHREAD_NONE)
		return -EBUSY;
	t->thread = 0;
	t->fn = fn;
	t->arg = arg;
	t->queue = (struct wait_queue)WAIT_QUEUE_INIT;
	err = port_thread_create(kthread_main, t, name, node);
	if (err)
		store_release(&t->state, KTHREAD_NONE);
	return err;
}

static bool has_ended(void *arg)
{
	return load_acquire(&((struct kthread *)arg)->state) >= KTHREAD_ENDED ||
	       load_acquire(&((struct kthread *)arg)->state) == KTHREAD_NONE;
}

void kthread_stop(struct kthread *t)
{
	if (load_acquire(&t->state) == KTHREAD_NONE)
		return;
	(void)atomic_cmpxchg(&t->state, KTHREAD_STARTED, KTHREAD_STOPPING);
	kthread_wake(t);
	(void)wait_queue_wait(&t->queue, has_ended, t, 0, false);
	while (load_acquire(&t->state) != KTHREAD_NONE)
		port_park(1); /* it is on its last instructions */
}

bool kthread_should_stop(const struct kthread *t)
{
	return load_acquire(&t->state) == KTHREAD_STOPPING;
}

bool kthread_runs(const struct kthread *t)
{
	return load_acquire(&t->state) == KTHREAD_STARTED;
}

struct sleep {
	struct kthread *t;
	bool (*wanted)(void *arg);
};

static bool sleep_over(void *arg)
{
	const struct sleep *s = arg;

	return kthread_should_stop(s->t) || s->wanted(s->t->arg);
}

bool kthread_sleep(struct kthread *t, bool (*wanted)(void *arg), u64 timeout_ns)
{
	struct sleep s = { .t = t, .wanted = wanted };

	if (wanted)
		return wait_queue_wait(&t->queue, sleep_over, &s, timeout_ns, false);
	if (!kthread_should_stop(t))
		port_park(timeout_ns);
	return true;
}

void kthread_wake(struct kthread *t)
{
	uintptr_t thread;

	smp_mb();
	thread = load_acquire(&t->thread);
	if (thread)
		port_unpark(thread);
}
