/* SPDX-License-Identifier: MIT */
/*
 * The reference kernel's tasks: threads, processes, and how they wait. [kcore] owns it.
 *
 * User code is preempted by the timer; the kernel itself only where it calls schedule(), so that the core may hold its
 * spinlocks with interrupts on. Locks here are the core's spinlocks' public face: struct klock, taken with interrupts
 * off.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <octavo/mm.h>
#include <octavo/task.h>
#include <octavo/types.h>

struct files;
struct fs_context;
struct process;

enum task_state { TASK_RUNNING, TASK_INTERRUPTIBLE, TASK_UNINTERRUPTIBLE, TASK_STOPPED, TASK_ZOMBIE, TASK_DEAD };

struct list_node {
	struct list_node *next, *prev;
};

/** struct task - a thread; @core comes first, so that current_task() is it */
struct task {
	struct mm_task core;
	struct process *process; /* signals, limits, children, credentials: process.h */
	struct files *files;	 /* descriptors, counted: vfs.h */
	struct fs_context *fs;	 /* root, working directory, umask: vfs.h */
	enum task_state state;
	void *stack;		 /* kernel stack, vmalloc'ed with a guard page */
	struct list_node run;	 /* in a run queue */
	struct thread_state *thread; /* the architecture's: saved stack pointer, FPU, TLS bases */
	u64 utime, stime;	 /* ns */
	u64 start_time;		 /* ns since boot */
	/* [kcore] adds what it needs behind here. */
	struct task_private *private_;
};

static inline struct task *current(void)
{
	return (struct task *)current_task();
}

/* A lock for short sections; not recursive. lock: interrupts off until unlock. */
struct klock {
	u8 locked;
};
unsigned long klock(struct klock *lock);
void kunlock(struct klock *lock, unsigned long flags);

/* ---- Waiting ---- */

struct waiter {
	struct list_node node;
	struct task *task;
};

struct wait_queue {
	struct klock lock;
	struct list_node waiters; /* zeroed: empty */
};

/* From wait_begin() on a wake_up() makes the next schedule() return at once. */
void wait_begin(struct wait_queue *queue, struct waiter *w, enum task_state state);
void wait_end(struct wait_queue *queue, struct waiter *w);
/* All who wait. Any context. */
void wake_up(struct wait_queue *queue);
/* Let others run; in another state than TASK_RUNNING until woken. */
void schedule(void);
/* The same, but no longer than @ns; ~0: for ever. Return: what is left of it. */
u64 schedule_timeout(u64 ns);
bool signal_pending(void);

/*
 * Waits until @cond, evaluated again after each wake_up(). Value: 0, or -EINTR (-ERESTARTSYS is made of it by
 * signals).
 */
#define wait_event_interruptible(queue, cond)                          \
	({                                                             \
		struct waiter _w;                                      \
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

/* Within the kernel: begin the system call again after the signal's handler, or return EINTR. */
#define ERESTARTSYS 512

/* ---- Processes, for procfs and system calls ---- */

/* The task of a process (its first thread) by number, with a reference; NULL. task_put() gives it back. */
struct task *task_find(int pid);
void task_put(struct task *task);
/* Processes in order of their numbers: the first at or behind @pid, with a reference; NULL: no more. */
struct task *task_next(int pid);
/* The address space, with mmget(), or NULL. */
struct mm_struct *task_mm(struct task *task);
/* Queue a signal: to one thread, or to its process. Return: 0 or a negative errno. */
int send_signal(struct task *task, int signo, bool whole_process);

int kthread_create(void (*fn)(void *arg), void *arg, const char *name);
u64 clock_realtime_ns(void);
u64 clock_monotonic_ns(void);

#endif
