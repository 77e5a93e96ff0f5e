// SPDX-License-Identifier: MIT
/* Wait queues, timers, and sleeping for a time. */
#include "kernel.h"

#include "port/pc/pc.h"

void sched_program_timer(void);

void wait_begin(struct wait_queue *queue, struct waiter *w, enum task_state state)
{
	unsigned long flags = klock(&queue->lock);

	w->task = current();
	if (!w->node.next)
		node_append(&queue->waiters, &w->node);
	set_state(state);
	kunlock(&queue->lock, flags);
}

void wait_end(struct wait_queue *queue, struct waiter *w)
{
	unsigned long flags = klock(&queue->lock);

	set_state(TASK_RUNNING);
	node_remove(&w->node);
	kunlock(&queue->lock, flags);
}

void wake_up(struct wait_queue *queue)
{
	unsigned long flags;

	/* What the sleepers wait for was written before; they look at it after they have put themselves there. */
	kfence();
	if (node_alone((struct list_node *)&queue->waiters))
		return;
	flags = klock(&queue->lock);
	node_for_each(n, &queue->waiters)
		wake_task(node_entry(n, struct waiter, node)->task, WAKE_ANY);
	kunlock(&queue->lock, flags);
}

bool signal_pending(void)
{
	return kload(&current()->work) & WORK_SIGNAL;
}

/* ---- Timers ---- */

static struct timers {
	struct klock lock;
	struct list_node list; /* the earliest first */
	struct timer *running;
} __aligned(64) cpu_timers[PC_CPUS_MAX];

void timer_set(struct timer *timer, u64 at)
{
	unsigned long flags = port_irq_save();
	struct timers *t = &cpu_timers[port_cpu_id()];
	struct list_node *behind;

	timer->cpu = port_cpu_id();
	klock_raw(&t->lock);
	if (!t->list.next)
		node_init(&t->list);
	for (behind = t->list.prev; behind != &t->list; behind = behind->prev)
		if (node_entry(behind, struct timer, node)->at <= at)
			break;
	timer->at = at;
	timer->armed = true;
	timer->node.prev = behind;
	timer->node.next = behind->next;
	behind->next->prev = &timer->node;
	behind->next = &timer->node;
	kunlock_raw(&t->lock);
	if (t->list.next == &timer->node)
		sched_program_timer();
	port_irq_restore(flags);
}

bool timer_cancel(struct timer *timer)
{
	for (;;) {
		struct timers *t = &cpu_timers[READ_ONCE(timer->cpu)];
		unsigned long flags = klock(&t->lock);
		bool armed, running = t->running == timer && timer->cpu != port_cpu_id();

		if (t != &cpu_timers[timer->cpu]) {
			kunlock(&t->lock, flags);
			continue;
		}
		armed = timer->armed;
		if (armed) {
			node_remove(&timer->node);
			timer->armed = false;
		}
		kunlock(&t->lock, flags);
		if (!running || armed)
			return armed;
		port_cpu_relax();
	}
}

u64 timer_next(void)
{
	struct timers *t = &cpu_timers[port_cpu_id()];
	u64 at = ~0ull;

	klock_raw(&t->lock);
	if (!node_alone(&t->list))
		at = node_entry(t->list.next, struct timer, node)->at;
	kunlock_raw(&t->lock);
	return at;
}

void timer_run(void)
{
	struct timers *t = &cpu_timers[port_cpu_id()];
	u64 now = clock_monotonic_ns();

	klock_raw(&t->lock);
	while (!node_alone(&t->list)) {
		struct timer *timer = node_entry(t->list.next, struct timer, node);

		if (timer->at > now)
			break;
		node_remove(&timer->node);
		timer->armed = false;
		t->running = timer;
		kunlock_raw(&t->lock);
		timer->fn(timer);
		klock_raw(&t->lock);
		t->running = NULL;
	}
	kunlock_raw(&t->lock);
}

struct sleeper {
	struct timer timer;
	struct task *task;
};

static void wake_sleeper(struct timer *timer)
{
	wake_task(node_entry(timer, struct sleeper, timer)->task, WAKE_ANY);
}

u64 schedule_timeout(u64 ns)
{
	struct sleeper s = { .timer = { .fn = wake_sleeper }, .task = current() };
	u64 until, now;

	if (ns == ~0ull) {
		schedule();
		return ns;
	}
	now = clock_monotonic_ns();
	until = ns > ~0ull - now ? ~0ull - 1 : now + ns;
	timer_set(&s.timer, until);
	schedule();
	timer_cancel(&s.timer);
	set_state(TASK_RUNNING);
	now = clock_monotonic_ns();
	return now < until ? until - now : 0;
}
