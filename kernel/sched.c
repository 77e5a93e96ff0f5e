// SPDX-License-Identifier: MIT
/*
 * Purpose
 *   Which thread runs on which CPU.
 *
 * Words
 *   Run queue: a CPU's threads that could run and do not. A thread belongs to one CPU's queue at a time, also while it
 *   runs or sleeps.
 *   Woken: a thread that has slept since it last ran. Those that have not share the CPU with them: after four of the
 *   woken one of the others has its turn. So who mostly waits is served at once, however many always want to run.
 *   Slice: how long a thread runs before the next of its queue has its turn: 20 ms at nice 0.
 *
 * Invariants
 *   KN-I2  A thread that is in a queue has its registers saved: the queue's lock is held from before a thread puts
 *          itself there or goes to sleep until the next one runs on its own stack (sched_finish_switch()).
 *   KN-I3  A thread in another state than TASK_RUNNING is in no queue, or is about to run: who wakes it changes state
 *          and queue under the lock.
 *
 * Locking
 *   A queue's lock is taken inside all others of the kernel's, interrupts off. Two queues' locks are never held
 *   at once.
 *
 * Differences from Linux
 *   Turns are taken in order, of woken threads and of others; nice changes the length of a turn. The kernel is not
 *   preempted.
 */
#include "kernel.h"

#include "port/pc/apic.h"
#include "port/pc/smp.h"

struct run_queue {
	struct klock lock;
	struct list_node ready, woken;
	unsigned int nr;	/* in both */
	unsigned int streak;	/* turns of woken threads since one of the others had its */
	struct task *running;
	struct task *idle;
	struct task *previous;	/* of the switch under way */
	u64 timer_at;		/* when the CPU's timer is set to go off */
	u64 tick_at;
	u64 switches;
	bool started;
} __aligned(64);

DEFINE_PER_CPU_ALIGNED(struct kernel_cpu, kernel_cpu);

static struct run_queue queues[PC_CPUS_MAX];
static struct task idle_tasks[PC_CPUS_MAX];
static struct mm_process idle_process;
static unsigned int cpus_nr;
static u64 load_average[3], load_at;

static struct run_queue *this_queue(void)
{
	return &queues[port_cpu_id()];
}

unsigned int sched_nr_productive(u32 not_with)
{
	unsigned int nr = 0;

	for (unsigned int cpu = 0; cpu < cpus_nr; cpu++) {
		struct run_queue *q = &queues[cpu];
		/* Whoever runs cannot leave the CPU, let alone end. */
		unsigned long flags = klock(&q->lock);

		nr += q->nr;
		nr += q->running && q->running != q->idle && !(READ_ONCE(q->running->core.flags) & not_with);
		kunlock(&q->lock, flags);
	}
	return nr;
}

/* ---- The clock's interrupt ---- */

static void tick(void);

/* The CPU's timer goes off at the tick or at the earliest timer. Interrupts off. */
static void program_timer(struct run_queue *q)
{
	u64 now = clock_monotonic_ns(), at = min(timer_next(), q->tick_at);

	if (q->timer_at == at)
		return;
	q->timer_at = at;
	apic_timer_once(at > now ? at - now : 1, tick);
}

void sched_program_timer(void);
void sched_program_timer(void)
{
	program_timer(this_queue());
}

/* Linux's constants for averages over 1, 5 and 15 minutes, sampled each 5 s: exp(-5/60) and so on in 2048ths. */
static void sample_load(u64 now)
{
	static const u32 exponents[3] = { 1884, 2014, 2037 };
	unsigned int active = sched_runnable();

	if (now < load_at)
		return;
	load_at = now + 5 * NS_PER_SEC;
	for (unsigned int i = 0; i < 3; i++)
		load_average[i] = (load_average[i] * exponents[i] + ((u64)active << 16) * (2048 - exponents[i])) / 2048;
}

static void tick(void)
{
	struct run_queue *q = this_queue();
	struct task *me = q->running;
	u64 now = clock_monotonic_ns();

	q->timer_at = 0;
	timer_run();
	if (now >= q->tick_at) {
		q->tick_at = now + TICK_NS;
		if (me && me != q->idle) {
			account_time(me, now);
			me->in_kernel = !arch_in_user(me);
			kor(&me->work, WORK_POLL);
			if (q->nr && now >= me->slice_end)
				kor(&me->work, WORK_RESCHED);
		}
		if (!port_cpu_id())
			sample_load(now);
	}
	program_timer(q);
}

void sched_loads(u64 loads[3])
{
	memcpy(loads, load_average, sizeof(load_average));
}

unsigned int sched_runnable(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < cpus_nr; i++)
		n += READ_ONCE(queues[i].nr) + (queues[i].started && READ_ONCE(queues[i].running) != queues[i].idle);
	return n;
}

/* ---- Queues ---- */

static bool may_run_on(const struct task *task, unsigned int cpu)
{
	return task->allowed[cpu / 64] >> cpu % 64 & 1;
}

static u64 slice_of(const struct task *task)
{
	/* 20 ms at nice 0, 40 at -20, 1 at 19. */
	return NS_PER_MS * (u64)max(1, 20 - task->nice);
}

static void enqueue(struct run_queue *q, struct task *task, bool woken)
{
	task->queued = true;
	node_append(woken ? &q->woken : &q->ready, &task->run);
	WRITE_ONCE(q->nr, q->nr + 1);
}

static void dequeue(struct run_queue *q, struct task *task)
{
	task->queued = false;
	node_remove(&task->run);
	WRITE_ONCE(q->nr, q->nr - 1);
}

static struct run_queue *lock_queue_of(struct task *task, unsigned long *flags)
{
	*flags = port_irq_save();
	for (;;) {
		struct run_queue *q = &queues[READ_ONCE(task->cpu)];

		klock_raw(&q->lock);
		if (q == &queues[READ_ONCE(task->cpu)])
			return q;
		kunlock_raw(&q->lock);
	}
}

/* @task has come into @q: does its CPU have to be told? */
static void poke(struct run_queue *q, struct task *task)
{
	unsigned int cpu = (unsigned int)(q - queues);
	struct task *running = READ_ONCE(q->running);

	if (running == q->idle || !running) {
		if (cpu != port_cpu_id())
			smp_wake(cpu);
	} else if (task->nice < running->nice) {
		kor(&running->work, WORK_RESCHED);
		if (cpu != port_cpu_id())
			smp_wake(cpu);
	}
}

static bool is_idle(unsigned int cpu)
{
	const struct run_queue *q = &queues[cpu];

	return q->started && READ_ONCE(q->running) == q->idle && !READ_ONCE(q->nr);
}

/* Where a thread that wakes is to run: where it was, if that CPU is idle; else one that is; else where it was. */
static unsigned int choose_cpu(const struct task *task)
{
	unsigned int was = task->cpu, best = was;

	if (is_idle(was) && may_run_on(task, was))
		return was;
	for (unsigned int cpu = 0; cpu < cpus_nr; cpu++)
		if (may_run_on(task, cpu) && is_idle(cpu))
			return cpu;
	if (may_run_on(task, was))
		return was;
	for (unsigned int cpu = 0; cpu < cpus_nr; cpu++)
		if (queues[cpu].started && may_run_on(task, cpu))
			best = cpu;
	return best;
}

/* Queue a thread that is in none, under its queue's lock, which is let go of. */
static void place(struct run_queue *q, struct task *task, bool woken)
{
	unsigned int cpu = cpus_nr > 1 ? choose_cpu(task) : task->cpu;

	/* What runs keeps its CPU: it is only just about to sleep. */
	if (&queues[cpu] != q && q->running != task) {
		task->cpu = cpu;
		task->queued = true; /* for who looks meanwhile */
		kunlock_raw(&q->lock);
		q = &queues[cpu];
		klock_raw(&q->lock);
	}
	enqueue(q, task, woken);
	kunlock_raw(&q->lock);
	poke(q, task);
}

bool wake_task(struct task *task, unsigned int states)
{
	unsigned long flags;
	struct run_queue *q;
	enum task_state state;

	/* What made the sleeper's condition true comes before the look at its state. */
	kfence();
	if (!(1u << READ_ONCE(task->state) & states))
		return false;
	q = lock_queue_of(task, &flags);
	/* One that runs changes its state without the lock: it may be about to sleep otherwise, or to die. */
	do {
		state = READ_ONCE(task->state);
		if (!(1u << state & states)) {
			kunlock(&q->lock, flags);
			return false;
		}
	} while (!__atomic_compare_exchange_n(&task->state, &state, TASK_RUNNING, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	if (task->queued || q->running == task)
		kunlock_raw(&q->lock);
	else
		place(q, task, true);
	port_irq_restore(flags);
	return true;
}

void sched_start(struct task *task)
{
	unsigned long flags;
	struct run_queue *q;

	task->cpu = port_cpu_id();
	q = lock_queue_of(task, &flags);
	WRITE_ONCE(task->state, TASK_RUNNING);
	place(q, task, false);
	port_irq_restore(flags);
}

void sched_kick(struct task *task, u32 work)
{
	unsigned int cpu;

	kor(&task->work, work);
	kfence();
	cpu = READ_ONCE(task->cpu);
	if (cpu != port_cpu_id() && READ_ONCE(queues[cpu].running) == task)
		smp_wake(cpu);
}

/* ---- Switching ---- */

/* The first of a list that may run on @cpu, or NULL. */
static struct task *first_for(struct list_node *list, unsigned int cpu)
{
	node_for_each(n, list) {
		struct task *task = node_entry(n, struct task, run);

		if (may_run_on(task, cpu))
			return task;
	}
	return NULL;
}

/* An idle CPU takes a thread that waits for another. Interrupts off, no lock held. */
static struct task *steal(unsigned int me)
{
	struct task *task;

	for (unsigned int i = 1; i < cpus_nr; i++) {
		struct run_queue *q = &queues[(me + i) % cpus_nr];

		if (!READ_ONCE(q->nr))
			continue;
		klock_raw(&q->lock);
		task = first_for(&q->woken, me);
		if (!task)
			task = first_for(&q->ready, me);
		if (task) {
			dequeue(q, task);
			task->queued = true;
			WRITE_ONCE(task->cpu, me);
		}
		kunlock_raw(&q->lock);
		if (task)
			return task;
	}
	return NULL;
}

/* The caller's turn is over: it stays in the queue if it could go on. Queue locked. */
static struct task *pick(struct run_queue *q, struct task *prev)
{
	struct list_node *from;
	struct task *next;

	if (prev->state == TASK_RUNNING && prev != q->idle) {
		if (!q->nr && may_run_on(prev, (unsigned int)(q - queues)))
			return prev;
		enqueue(q, prev, false);
	}
	from = node_alone(&q->woken) || (q->streak >= 4 && !node_alone(&q->ready)) ? &q->ready : &q->woken;
	if (node_alone(from))
		return q->idle;
	q->streak = from == &q->woken ? q->streak + 1 : 0;
	next = node_entry(from->next, struct task, run);
	/* One that may not run here any more is taken by another CPU: by its idle loop, or moved by who asked. */
	dequeue(q, next);
	return next;
}

void sched_finish_switch(void)
{
	struct run_queue *q = this_queue();
	struct task *prev = q->previous;
	bool dead = prev && prev->state >= TASK_ZOMBIE;

	q->previous = NULL;
	kunlock_raw(&q->lock);
	arch_irqs_on();
	if (dead)
		task_put(prev);
}

void schedule(void)
{
	struct task *prev = current(), *next;
	struct run_queue *q;
	unsigned long flags = port_irq_save();
	u64 now = clock_monotonic_ns();

	q = this_queue();
	klock_raw(&q->lock);
	next = pick(q, prev);
	next->slice_end = now + slice_of(next);
	if (next == prev) {
		kunlock(&q->lock, flags);
		return;
	}
	account_time(prev, now);
	next->last_stamp = now;
	if (prev->state == TASK_RUNNING)
		prev->nivcsw++;
	else
		prev->nvcsw++;
	q->previous = prev;
	q->switches++;
	WRITE_ONCE(q->running, next);
	arch_switch(prev, next);
	/* Perhaps on another CPU than before. */
	sched_finish_switch();
	if (!(flags & 0x200))
		arch_irqs_off();
}

void sched_yield(void)
{
	schedule();
}

/* ---- Idle ---- */

void sched_idle(void)
{
	for (;;) {
		struct run_queue *q = this_queue();
		struct task *task = NULL;

		task_trim();
		rcu_poll();
		arch_irqs_off();
		if (!READ_ONCE(q->nr))
			task = steal((unsigned int)(q - queues));
		if (task) {
			klock_raw(&q->lock);
			enqueue(q, task, false);
			kunlock_raw(&q->lock);
		}
		if (READ_ONCE(q->nr)) {
			arch_irqs_on();
			schedule();
		} else {
			arch_idle();
		}
	}
}

static void become_idle(unsigned int cpu)
{
	struct task *idle = &idle_tasks[cpu];
	struct run_queue *q = &queues[cpu];
	unsigned long flags;

	*idle = (struct task){
		.core = { .flags = PF_KTHREAD, .process = &idle_process },
		.state = TASK_RUNNING,
		.cpu = cpu,
		.nice = 19,
		.refs = 1,
	};
	octavo_snprintf(idle->core.comm, sizeof(idle->core.comm), "swapper/%u", cpu);
	flags = port_irq_save();
	this_cpu_write(kernel_cpu.task, idle);
	this_cpu_write(kernel_cpu.idle, idle);
	octavo_switch_task(&idle->core);
	arch_cpu_init();
	q->idle = q->running = idle;
	q->tick_at = clock_monotonic_ns() + TICK_NS;
	q->started = true;
	program_timer(q);
	port_irq_restore(flags);
}

void sched_init(void)
{
	arch_init();
	for (unsigned int i = 0; i < RLIM_NLIMITS; i++)
		idle_process.rlimit[i] = (struct mm_rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	idle_process.capabilities = ~0ull;
	cpus_nr = 1;
	become_idle(0);
}

void sched_cpu_start(void *arg)
{
	(void)arg;
	become_idle(port_cpu_id());
	sched_idle();
}

/* The others come to their idle loops; from the boot CPU. */
void sched_start_others(unsigned int nr);
void sched_start_others(unsigned int nr)
{
	cpus_nr = nr;
	for (unsigned int cpu = 1; cpu < nr; cpu++)
		if (smp_is_up(cpu) && smp_run(cpu, sched_cpu_start, NULL))
			printk("sched: CPU %u does not take work\n", cpu);
}

/* ---- Affinity ---- */

/* A thread that may not stay where it is goes elsewhere at its next turn. */
void sched_set_affinity(struct task *task, const u64 allowed[4]);
void sched_set_affinity(struct task *task, const u64 allowed[4])
{
	unsigned long flags;
	struct run_queue *q = lock_queue_of(task, &flags);

	memcpy(task->allowed, allowed, sizeof(task->allowed));
	if (task->queued && q->running != task && !may_run_on(task, task->cpu) && task->run.next) {
		dequeue(q, task);
		place(q, task, true);
	} else {
		kunlock_raw(&q->lock);
	}
	port_irq_restore(flags);
}

/* The caller may not run here any more: from a helper's side it looks asleep, and is woken where it may. */
static void move_away(struct timer *timer)
{
	struct task **task = (struct task **)(timer + 1);

	wake_task(*task, WAKE_ANY);
}

void sched_leave_cpu(void);
void sched_leave_cpu(void)
{
	struct {
		struct timer timer;
		struct task *task;
	} wake = { .timer = { .fn = move_away }, .task = current() };

	while (!may_run_on(current(), current()->cpu)) {
		set_state(TASK_UNINTERRUPTIBLE);
		timer_set(&wake.timer, clock_monotonic_ns() + 1000);
		schedule();
		timer_cancel(&wake.timer);
	}
}

/* ---- The port's threads ---- */

uintptr_t port_thread_self(void)
{
	return (uintptr_t)current();
}

static void park_timeout(struct timer *timer)
{
	struct task **task = (struct task **)(timer + 1);

	wake_task(*task, WAKE_ANY);
}

void port_park(u64 timeout_ns)
{
	struct {
		struct timer timer;
		struct task *task;
	} wake = { .timer = { .fn = park_timeout }, .task = current() };
	struct task *me = wake.task;
	enum task_state state = TASK_UNINTERRUPTIBLE;

	/* An idle thread does not sleep: others have their turn, and it looks again. */
	if (!me || me == this_cpu_read(kernel_cpu.idle)) {
		if (me && READ_ONCE(queues[me->cpu].nr))
			schedule();
		else
			port_cpu_relax();
		return;
	}
	if (timeout_ns && timeout_ns < PORT_PARK_YIELD_NS) {
		schedule();
		return;
	}
	/* A signal ends it, too, or does not let it begin. */
	if (me->core.interruptible)
		state = TASK_INTERRUPTIBLE;
	set_state(state);
	if (!kxchg(&me->token, false) && !(state == TASK_INTERRUPTIBLE && signal_pending())) {
		if (timeout_ns)
			timer_set(&wake.timer, clock_monotonic_ns() + timeout_ns);
		schedule();
		if (timeout_ns)
			timer_cancel(&wake.timer);
		kxchg(&me->token, false);
	}
	set_state(TASK_RUNNING);
}

void port_unpark(uintptr_t thread)
{
	struct task *task = (struct task *)thread;

	if (!task)
		return;
	kxchg(&task->token, true);
	wake_task(task, WAKE_ANY);
}
