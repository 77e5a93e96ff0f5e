/* SPDX-License-Identifier: MIT */
/*
 * The reference kernel's tasks: threads, processes, and how they wait.
 *
 * User code is preempted by the timer; the kernel itself only where it calls schedule(), so that the core may hold its
 * spinlocks with interrupts on. Locks here are klock.h's, taken with interrupts off.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <octavo/mm.h>
#include <octavo/percpu.h>
#include <octavo/task.h>
#include <octavo/types.h>

#include "klock.h"
#include "list.h"
#include "x86_64/thread.h"

struct files;
struct fs_context;
struct process;
struct sighand;

/* TASK_NEW: until sched_start(); nobody wakes it */
enum task_state {
	TASK_RUNNING,
	TASK_INTERRUPTIBLE,
	TASK_UNINTERRUPTIBLE,
	TASK_STOPPED,
	TASK_NEW,
	TASK_ZOMBIE,
	TASK_DEAD
};

typedef u64 sigset_k; /* bit n - 1: signal n */

struct sigpending {
	struct list_node queue; /* of struct sigqueue */
	sigset_k set;
};

/* task.work: why the way back to user mode is the long one */
#define WORK_RESCHED 1u	 /* another task is due */
#define WORK_SIGNAL 2u	 /* a signal may be waiting */
#define WORK_POLL 4u	 /* let the core's deferred work run */
#define WORK_IRET 8u	 /* registers were changed that SYSRET does not load */
#define WORK_SIGMASK 16u /* put saved_mask back */

/* struct timer - a function to be called at a time, from the interrupt of the CPU that set it */
struct timer {
	struct list_node node;
	u64 at; /* clock_monotonic_ns() */
	void (*fn)(struct timer *timer);
	unsigned int cpu;
	bool armed;
};

/**
 * struct task - a thread; @core comes first, so that current_task() is it
 * (t) tasks_lock, (q) its run queue's lock, (o) the thread itself, (a) atomic, (c) constant
 */
struct task {
	struct mm_task core;
	struct process *process; /* (c) process.h */
	struct files *files;	 /* (o) descriptors, counted: vfs.h */
	struct fs_context *fs;	 /* (o) root, working directory, umask: vfs.h */
	enum task_state state;	 /* (q) */
	void *stack;		 /* (c) lowest byte of its kernel stack */
	struct list_node run;	 /* (q) in a run queue */
	struct thread_state thread;
	u64 utime, stime;	 /* (o) ns */
	u64 start_time;		 /* (c) ns since boot */

	u32 work;		 /* (a) WORK_* */
	unsigned int refs;	 /* (a) */
	unsigned int cpu;	 /* (q) whose run queue it belongs to */
	bool queued;		 /* (q) in it */
	bool token;		 /* (q) port_unpark() came */
	s8 nice;
	u8 policy;
	u64 allowed[4];		 /* CPUs it may run on */
	u64 slice_end;		 /* (q) */
	u64 last_stamp;		 /* (o) up to when utime and stime are accounted */
	bool in_kernel;		 /* (o) at the last tick */
	unsigned long nvcsw, nivcsw;
	struct sighand *sighand;	   /* (t) */
	struct list_node threads;	   /* (t) in process->threads */
	struct sigpending pending;	   /* (t) */
	sigset_k blocked, saved_mask;	   /* (o), changed under (t) */
	sigset_k waiting_for;		   /* (t) rt_sigtimedwait() */
	uintptr_t altstack;
	size_t altstack_size;
	u32 altstack_flags;
	uintptr_t clear_child_tid, set_child_tid, robust_list;
	size_t robust_list_len;
	int exit_signal, exit_code;
	u8 death;		 /* (t) it is to leave: DEATH_* in process.h */
	struct task *vfork_parent; /* (t) sleeps until this one has let go of its address space */
	u32 vfork_done;
	void (*kthread_fn)(void *arg);
	void *kthread_arg;
	struct restart {	 /* of restart_syscall() */
		long (*fn)(struct restart *r);
		u64 at;
		uintptr_t addr;
		u32 value, flags, bitset;
	} restart;
	u32 syscall_nr;		 /* for reports */
	u64 timer_slack_ns;
	int pdeath_signal;
};

/* What a CPU keeps where its %gs finds it. entry.S knows the first three. */
struct kernel_cpu {
	uintptr_t user_sp;   /* scratch */
	uintptr_t stack_top; /* of the current thread */
	struct task *task;
	struct task *idle;
	struct task *fpu;    /* whose vector registers are loaded */
};
DECLARE_PER_CPU_ALIGNED(struct kernel_cpu, kernel_cpu);

static inline struct task *current(void)
{
	return this_cpu_read(kernel_cpu.task);
}

/* ---- Waiting ---- */

struct waiter {
	struct list_node node;
	struct task *task;
};

struct wait_queue {
	struct klock lock;
	struct list_node waiters; /* zeroed: empty */
};

/* A waiter begins zeroed. From wait_begin() on a wake_up() makes the next schedule() return at once. */
void wait_begin(struct wait_queue *queue, struct waiter *w, enum task_state state);
void wait_end(struct wait_queue *queue, struct waiter *w);
/* All who wait. Any context. */
void wake_up(struct wait_queue *queue);
/* Threads that wait for a CPU, or run without any of the flags @not_with (PF_*). Any context. */
unsigned int sched_nr_productive(u32 not_with);
/* Let others run; in another state than TASK_RUNNING until woken. */
void schedule(void);
/* The same, but no longer than @ns; ~0: for ever. Return: what is left of it. */
u64 schedule_timeout(u64 ns);
bool signal_pending(void);

/* wake_task - it runs again if it waits in one of @states (bits 1 << TASK_*). Return: it did. Any context. */
bool wake_task(struct task *task, unsigned int states);
#define WAKE_ANY (1u << TASK_INTERRUPTIBLE | 1u << TASK_UNINTERRUPTIBLE)
/* set_state - of the caller's own; what it looks at next is read after it */
static inline void set_state(enum task_state state)
{
	__atomic_store_n(&current()->state, state, __ATOMIC_SEQ_CST);
}

/*
 * Waits until @cond, evaluated again after each wake_up(). Value: 0, or -ERESTARTSYS, of which signals make -EINTR or a
 * second try.
 */
#define wait_event_interruptible(queue, cond)                          \
	({                                                             \
		struct waiter _w = { .task = NULL };                   \
		int _err = 0;                                          \
		for (;;) {                                             \
			wait_begin((queue), &_w, TASK_INTERRUPTIBLE);  \
			if (cond)                                      \
				break;                                 \
			if (signal_pending()) {                        \
				_err = -ERESTARTSYS;                   \
				break;                                 \
			}                                              \
			schedule();                                    \
		}                                                      \
		wait_end((queue), &_w);                                \
		_err;                                                  \
	})

/* Within the kernel: what a system call that was interrupted wants (signal.c). */
#define ERESTARTSYS 512		  /* again after a handler with SA_RESTART, else EINTR */
#define ERESTARTNOINTR 513	  /* again in any case */
#define ERESTARTNOHAND 514	  /* again if there was no handler, else EINTR */
#define ERESTART_RESTARTBLOCK 516 /* the same, by task->restart */

/* ---- Scheduling ---- */

/* The boot CPU's context becomes its idle task; sched_cpu_start() does the same on another and never returns. */
void sched_init(void);
__attribute__((noreturn)) void sched_idle(void);
__attribute__((noreturn)) void sched_cpu_start(void *arg);
/* A task that has a stack to begin on may run from here on. */
void sched_start(struct task *task);
/* The first thing a new thread does. */
void sched_finish_switch(void);
void sched_yield(void);
/* Asked of another task: look at its work before it goes on in user mode. */
void sched_kick(struct task *task, u32 work);
unsigned int sched_runnable(void);
/* Context switches since boot, and exponentially damped averages as sysinfo(2) has them (in 65536ths). */
void sched_loads(u64 loads[3]);

/* ---- Timers ---- */
void timer_set(struct timer *timer, u64 at);
/* On return it neither is armed nor runs. Return: it was armed. */
bool timer_cancel(struct timer *timer);
/* The earliest timer of this CPU; ~0: none. Interrupts off. */
u64 timer_next(void);
void timer_run(void);

/* ---- Processes, for procfs and system calls ---- */

/* The task of a process (its first thread) by number, with a reference; NULL. task_put() gives it back. */
struct task *task_find(int pid);
/* Any thread by its number. */
struct task *thread_find(int tid);
void task_get(struct task *task);
void task_put(struct task *task);
/* Processes in order of their numbers: the first at or behind @pid, with a reference; NULL: no more. */
struct task *task_next(int pid);
/* The threads of a process: the first with a number at or behind @tid, with a reference. */
struct task *thread_next(struct process *process, int tid);
/* The address space, with mmget(), or NULL. */
struct mm_struct *task_mm(struct task *task);
/* The same if the caller may look into it: may_look_into(). Return: NULL and *@err: -EACCES, or 0: it has none. */
struct mm_struct *task_mm_access(struct task *task, bool real, int *err);
/* @me, the caller, gets another address space. Return: the old one, which task_mm() finds no longer, or NULL. */
struct mm_struct *task_change_mm(struct task *me, struct mm_struct *mm);
/* Queue a signal: to one thread, or to its process. Return: 0 or a negative errno. */
int send_signal(struct task *task, int signo, bool whole_process);

/* Return: its number or a negative errno. */
int kthread_create(void (*fn)(void *arg), void *arg, const char *name);
/* Threads that the core asked for while it booted run from now on. Context: init. */
void kthreads_begin(void);
u64 clock_realtime_ns(void);
u64 clock_monotonic_ns(void);

#endif
