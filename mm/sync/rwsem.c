// SPDX-License-Identifier: MIT
/*
 * Read-write semaphores.
 *
 * Structures. One word says who holds it: bit 0 a writer, bit 1 somebody waits, above it the number of readers.
 *
 *	count  | readers      | waiters | writer |      first -> W -> R -> R <- last
 *
 * While nobody waits each operation is one compare and exchange of that word. Who cannot have it joins a queue under
 * wait_lock, sets the waiters' bit and parks. With the bit set nobody takes the semaphore by himself any more: who lets
 * go of it last hands it to the first in the queue, a writer, or all readers up to the next writer. The word then says
 * that they hold it before they run.
 *
 * Invariants.
 *	RW-I1	a writer holds it alone
 *	RW-I2	the waiters' bit is set if and only if the queue is not empty, wait_lock being free
 *	RW-I3	who waits gets it before those who came later, except that readers who stand together get it together
 *	RW-I4	nobody waits for a semaphore that is free and that nobody is about to hand over
 *
 * Locking. wait_lock guards the queue and every change of the waiters' bit. It is held for a few instructions.
 *
 * What failure does. A thread that is killed in a killable wait leaves the queue; whoever stands behind it is served if
 * it was only kept back by that thread.
 *
 * Differences from Linux. No optimistic spinning, no stealing: strictly in order.
 */
#include <octavo/rwsem.h>

#include <octavo/port.h>
#include <octavo/task.h>

#include "spinlock.h"

#define WRITER 1ul
#define WAITERS 2ul
#define READER 4ul

struct rwsem_waiter {
	struct rwsem_waiter *next;
	uintptr_t thread;
	bool writer;
	u32 granted;
};

octavo_static_assert(sizeof(spinlock_t) == sizeof(((struct rw_semaphore *)NULL)->wait_lock), "a spinlock_t");

static unsigned long queue_lock(struct rw_semaphore *sem)
{
	spinlock_t *lock = (spinlock_t *)sem->wait_lock;
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	return flags;
}

static void queue_unlock(struct rw_semaphore *sem, unsigned long flags)
{
	spinlock_t *lock = (spinlock_t *)sem->wait_lock;

	spin_unlock_irqrestore(lock, flags);
}

void init_rwsem(struct rw_semaphore *sem)
{
	*sem = (struct rw_semaphore)RWSEM_INIT(0);
}

/* The word as it is becomes that with @add added, if nothing in @against is set. */
static force_inline bool take(struct rw_semaphore *sem, unsigned long against, unsigned long add)
{
	unsigned long old = load_relaxed(&sem->count), was;

	while (!(old & against)) {
		was = atomic_cmpxchg(&sem->count, old, old + add);
		if (likely(was == old))
			return true;
		old = was;
	}
	return false;
}

#define AGAINST_READER (WRITER | WAITERS)
#define AGAINST_WRITER (~0ul)

/* ---- The queue; wait_lock is held ---- */

static void grant(struct rw_semaphore *sem, struct rwsem_waiter *waiter)
{
	uintptr_t thread = waiter->thread;

	sem->first = waiter->next;
	if (!sem->first)
		sem->last = NULL;
	/* Its stack may be gone behind this; the thread only when wait_lock is free. */
	store_release(&waiter->granted, 1);
	port_unpark(thread);
}

/* Hand it to whoever may have it now. */
static void serve(struct rw_semaphore *sem)
{
	unsigned long count = load_acquire(&sem->count), readers = 0;
	struct rwsem_waiter *w = sem->first;

	if (!w || count & WRITER || (w->writer && count >= READER))
		return;
	if (w->writer) {
		(void)atomic_fetch_add(&sem->count, w->next ? WRITER : WRITER - WAITERS);
		grant(sem, w);
		return;
	}
	for (; w && !w->writer; w = w->next)
		readers++;
	(void)atomic_fetch_add(&sem->count, readers * READER - (w ? 0 : WAITERS));
	while (readers--)
		grant(sem, sem->first);
}

static void leave(struct rw_semaphore *sem, const struct rwsem_waiter *waiter)
{
	struct rwsem_waiter **link = &sem->first, *before = NULL;

	while (*link != waiter) {
		before = *link;
		link = &before->next;
	}
	*link = waiter->next;
	if (sem->last == waiter)
		sem->last = before;
	if (!sem->first)
		(void)atomic_fetch_and(&sem->count, ~WAITERS);
	else
		serve(sem);
}

/* Return: true: it was free after all, and is the caller's. */
static bool join(struct rw_semaphore *sem, struct rwsem_waiter *self)
{
	unsigned long old = load_relaxed(&sem->count), new, was;

	for (;;) {
		bool mine = self->writer ? !old : !(old & AGAINST_READER);

		new = mine ? old + (self->writer ? WRITER : READER) : old | WAITERS;
		was = atomic_cmpxchg(&sem->count, old, new);
		if (was != old) {
			old = was;
			continue;
		}
		if (mine)
			return true;
		break;
	}
	if (sem->last)
		sem->last->next = self;
	else
		sem->first = self;
	sem->last = self;
	return false;
}

/* Return: 0, or -EINTR: killed (only if @killable). */
static noinline int wait(struct rw_semaphore *sem, bool writer, bool killable)
{
	struct rwsem_waiter self = { .thread = port_thread_self(), .writer = writer };
	unsigned long flags = queue_lock(sem);
	bool mine = join(sem, &self);

	queue_unlock(sem, flags);
	while (!mine && !load_acquire(&self.granted)) {
		if (killable && fatal_signal_pending(current_task())) {
			flags = queue_lock(sem);
			mine = load_acquire(&self.granted);
			if (!mine)
				leave(sem, &self);
			queue_unlock(sem, flags);
			return mine ? 0 : -EINTR;
		}
		port_park(0);
	}
	/* Who granted it may not have come to waking this thread, which can end behind this. */
	if (!mine) {
		flags = queue_lock(sem);
		queue_unlock(sem, flags);
	}
	return 0;
}

static noinline void serve_waiters(struct rw_semaphore *sem)
{
	unsigned long flags = queue_lock(sem);

	serve(sem);
	queue_unlock(sem, flags);
}

/* ---- The operations ---- */

bool down_read_trylock(struct rw_semaphore *sem)
{
	return take(sem, AGAINST_READER, READER);
}

void down_read(struct rw_semaphore *sem)
{
	if (!take(sem, AGAINST_READER, READER))
		(void)wait(sem, false, false);
}

int down_read_killable(struct rw_semaphore *sem)
{
	return take(sem, AGAINST_READER, READER) ? 0 : wait(sem, false, true);
}

void up_read(struct rw_semaphore *sem)
{
	unsigned long old = atomic_fetch_sub(&sem->count, READER);

	if (unlikely(old & WAITERS && old < 2 * READER))
		serve_waiters(sem);
}

bool down_write_trylock(struct rw_semaphore *sem)
{
	return take(sem, AGAINST_WRITER, WRITER);
}

void down_write(struct rw_semaphore *sem)
{
	if (!take(sem, AGAINST_WRITER, WRITER))
		(void)wait(sem, true, false);
}

int down_write_killable(struct rw_semaphore *sem)
{
	return take(sem, AGAINST_WRITER, WRITER) ? 0 : wait(sem, true, true);
}

void up_write(struct rw_semaphore *sem)
{
	if (unlikely(atomic_fetch_sub(&sem->count, WRITER) & WAITERS))
		serve_waiters(sem);
}

void downgrade_write(struct rw_semaphore *sem)
{
	if (unlikely(atomic_fetch_add(&sem->count, READER - WRITER) & WAITERS))
		serve_waiters(sem);
}

bool rwsem_is_locked(const struct rw_semaphore *sem)
{
	return load_relaxed(&sem->count) & ~WAITERS;
}
