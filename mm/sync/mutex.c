// SPDX-License-Identifier: MIT
/* Mutex: a spinlock around a queue of threads that park. */
#include "mutex.h"

#include <octavo/port.h>

/* Lives on the waiting thread's stack: gone as soon as @granted is seen. */
struct mutex_waiter {
	struct mutex_waiter *next;
	uintptr_t thread;
	u32 granted;
};

bool mutex_trylock(struct mutex *mutex)
{
	unsigned long flags;
	bool taken;

	spin_lock_irqsave(&mutex->wait_lock, flags);
	taken = !mutex->held;
	mutex->held = true;
	spin_unlock_irqrestore(&mutex->wait_lock, flags);
	return taken;
}

void mutex_lock(struct mutex *mutex)
{
	struct mutex_waiter self = { .thread = port_thread_self() };
	unsigned long flags;

	spin_lock_irqsave(&mutex->wait_lock, flags);
	if (!mutex->held) {
		mutex->held = true;
		spin_unlock_irqrestore(&mutex->wait_lock, flags);
		return;
	}
	if (mutex->last)
		mutex->last->next = &self;
	else
		mutex->first = &self;
	mutex->last = &self;
	spin_unlock_irqrestore(&mutex->wait_lock, flags);
	while (!load_acquire(&self.granted))
		port_park(0);
	/* Who granted it may not have come to waking this thread, which can end behind this. */
	spin_lock_irqsave(&mutex->wait_lock, flags);
	spin_unlock_irqrestore(&mutex->wait_lock, flags);
}

void mutex_unlock(struct mutex *mutex)
{
	struct mutex_waiter *next;
	unsigned long flags;

	spin_lock_irqsave(&mutex->wait_lock, flags);
	next = mutex->first;
	if (next) {
		uintptr_t thread;

		mutex->first = next->next;
		if (!mutex->first)
			mutex->last = NULL;
		thread = next->thread;
		store_release(&next->granted, 1);
		port_unpark(thread);
	} else {
		mutex->held = false;
	}
	spin_unlock_irqrestore(&mutex->wait_lock, flags);
}
