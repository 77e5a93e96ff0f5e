/* SPDX-License-Identifier: MIT */
/*
 * Processes: what their threads share, and who is whose child.
 *
 * One lock, tasks_lock, guards numbers, families, groups, signals and waiting: (t) in the structures. Inside it only
 * wait queues' and run queues' locks are taken.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include "sched.h"

#define PID_MAX 32768
#define NSIG 64
#define AUX_MAX 24u

enum {
	SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
	SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU,
	SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS,
	SIGRTMIN_K
};
#define SIGMASK(n) ((sigset_k)1 << ((n) - 1))

#define SA_NOCLDSTOP 1ul
#define SA_NOCLDWAIT 2ul
#define SA_SIGINFO 4ul
#define SA_RESTORER 0x04000000ul
#define SA_ONSTACK 0x08000000ul
#define SA_RESTART 0x10000000ul
#define SA_NODEFER 0x40000000ul
#define SA_RESETHAND 0x80000000ul
#define SIG_DFL 0ul
#define SIG_IGN 1ul

/* As rt_sigaction(2) has it on x86-64. */
struct k_sigaction {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	sigset_k mask;
};

/* siginfo_t: 128 bytes. */
struct k_siginfo {
	s32 signo, error, code, pad;
	union {
		s32 words[28];
		u64 longs[14];
		struct {
			s32 pid;
			u32 uid;
			s32 status;
			s32 pad;
			s64 utime, stime;
		} child;
		struct {
			s32 pid;
			u32 uid;
			u64 value;
		} kill;
		struct {
			s32 tid, overrun;
			u64 value;
		} timer;
		struct {
			u64 address;
			s16 lsb, pad[3];
			u32 pkey;
		} fault;
	};
};
octavo_static_assert(sizeof(struct k_siginfo) == 128, "siginfo_t");

#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_TIMER (-2)
#define SI_TKILL (-6)
enum { CLD_EXITED = 1, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED };

struct sigqueue {
	struct list_node node;
	struct k_siginfo info;
};

struct sighand {
	unsigned int refs; /* (t) */
	struct k_sigaction action[NSIG];
};

/* Interval timers: ITIMER_REAL, and those of timer_create(2). */
struct posix_timer {
	struct list_node node; /* (t) in process->timers */
	struct timer timer;
	struct process *process;
	u64 interval;
	int id, clock, signo, tid;
	u64 value;	/* sigev_value */
	bool notify;
	bool real;	/* ITIMER_REAL: SIGALRM without SI_TIMER */
	bool queued;	/* its signal waits to be taken */
	u32 overrun, last_overrun;
};

struct times {
	u64 utime, stime;
	unsigned long min_flt, maj_flt, nvcsw, nivcsw, maxrss;
};

/* task.death */
enum { DEATH_NONE, DEATH_GROUP_EXIT, DEATH_EXEC };

/**
 * struct process - @core comes first: what the core knows of it
 */
struct process {
	struct mm_process core;
	unsigned int refs;	     /* (a) one of each thread's, and the parent's until it has been waited for */
	int pid;
	int pgrp, session;	     /* (t) */
	void *tty;		     /* the session's controlling terminal: the tty driver's */
	struct task *leader;	     /* (t) the thread whose number is the process's */
	struct list_node threads;    /* (t) of task.threads */
	unsigned int nr_threads;     /* (t) that are not zombies */
	unsigned int live;	     /* (a) that have not begun to end */
	struct process *parent;	     /* (t) */
	int ppid;		     /* (t) */
	struct list_node children;   /* (t) of @sibling */
	struct list_node sibling;    /* (t) */
	struct list_node all;	     /* (t) */
	struct wait_queue child_exit;
	struct wait_queue ended;     /* who polls a descriptor of it */
	struct sigpending pending;   /* (t) for any thread */
	unsigned int queued;	     /* (t) signals that wait, of all its threads */
	bool exiting;		     /* (t) a group exit, or execve() of one thread */
	struct task *execing;	     /* (t) who waits to be the only one */
	struct task *dumping;	     /* (t) writes a core dump; the others wait for it */
	unsigned int parked;	     /* (t) who do */
	int exit_code;		     /* (t) as wait4(2) shows it */
	bool zombie;		     /* (t) all threads are gone, and the parent has not looked */
	bool stopped;		     /* (t) */
	int stop_code;		     /* (t) to be told the parent, or 0 */
	bool continued;		     /* (t) to be told the parent */
	bool subreaper, execed, dumpable, no_new_privs;
	bool uses_pkeys;	     /* has asked for a protection key, or met one: faults look at PKRU */
	bool shares_vm;		     /* has, or is, a child by CLONE_VM */
	u32 ruid, euid, suid, fsuid, rgid, egid, sgid, fsgid;
	u32 groups[32];
	unsigned int groups_nr;
	u64 cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	struct times dead_threads;   /* (t) */
	struct times children_times; /* (t) */
	struct list_node timers;     /* (t) of struct posix_timer */
	struct posix_timer itimer;   /* (t) ITIMER_REAL */
	unsigned int nr_timers;	     /* (t) in @timers */
	int next_timer;
	u32 coredump_filter;	     /* core(5) */
	u32 auxv_len;		     /* bytes of @auxv */
	u64 auxv[2 * AUX_MAX];	     /* what execve() gave the program */
};

extern struct klock tasks_lock;
extern struct process *init_process;
extern unsigned int processes_nr;
extern unsigned int pid_limit; /* numbers are below it: /proc/sys/kernel/pid_max */
extern unsigned int threads_max; /* at one time: /proc/sys/kernel/threads-max */

static inline struct process *current_process(void)
{
	return current()->process;
}

/* ---- process.c ---- */
void process_init(void);
/* A number for a new thread, which nobody finds by it before pid_take(). Return: it, or -EAGAIN. */
int pid_alloc(struct task *task);
/* Number @pid is @task's: that of a thread that is complete now, or the leader's, which execve() leaves to it. (t) */
void pid_take(int pid, struct task *task);
/* How many threads a user has, zombies too. */
unsigned long threads_of_user(u32 ruid);
/* (t) */
void pid_free(int pid);
struct task *pid_lookup(int pid);
void process_get(struct process *process);
void process_put(struct process *process);
/* (t) */
bool pgrp_exists(int pgrp, int session);
bool pgrp_orphaned(int pgrp, const struct process *without);
bool capable(unsigned int capability);
/* May the caller look into @p's memory and files? By his real ids, or those that he opens files with. Any context. */
bool may_look_into(const struct process *p, bool real);

/* ---- fork.c ---- */
/* A task with a stack, zeroed but for that. Return: NULL without memory. */
struct task *task_alloc(void);
/* Gives back the memory of dead threads beyond what is kept for new ones. Thread context. */
void task_trim(void);
struct clone_args {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* ---- pidfd.c ---- */
/* A descriptor of the caller's for @process, closed by execve(). Return: its number or a negative errno. */
long pidfd_new(struct process *process, int flags);
/* The process, with a reference; NULL: the descriptor is none of a process. */
struct process *pidfd_process(int fd);

/* ---- exit.c ---- */
__attribute__((noreturn)) void do_exit(int code);
__attribute__((noreturn)) void do_group_exit(int code);
/* All other threads leave; the caller is the only one then, and leads. Return: 0 or -EAGAIN: it is to leave itself. */
int exec_alone(void);
/* The address space of the caller is let go of: who waits in vfork() goes on. */
void exec_release_mm(void);

/* ---- signal.c, signal_send.c ---- */
int send_siginfo(struct task *task, const struct k_siginfo *info, bool whole_process);
/* (t) held */
int send_siginfo_locked(struct task *task, const struct k_siginfo *info, bool whole_process);
/* To every process of a group. Return: 0 or -ESRCH; -EPERM if the caller may not to any (@check). */
int signal_pgrp(int pgrp, int signo, bool check);
/* (t) The lowest signal of @which that waits for the caller, taken out. Return: its number or 0. */
int take_signal(sigset_k which, struct k_siginfo *info);
/* A fault's: not to be blocked or ignored. */
void force_signal(const struct k_siginfo *info);
/* (t) in *@flags. The caller, which is to leave, stands still while its process is dumped. */
void dump_park(unsigned long *flags);
/* The OOM killer's: @task's process ends, whatever its threads wait for. */
void kill_for_memory(struct mm_task *task);
void force_signal_fault(int signo, int code, uintptr_t address);
/* Before user mode is gone back to; interrupts on. */
void do_signals(void);
struct sighand *sighand_new(void);
/* (t) */
void sighand_put(struct sighand *sighand);
void flush_pending(struct process *p, struct sigpending *pending);
void recalc_pending(struct task *task);
void set_blocked(sigset_k set);
/* Handlers go back to default but for what is ignored. */
void signal_exec(void);
/* (t) a child has stopped, gone on or ended */
void notify_parent(struct process *child, int code, int status);
bool signal_allowed(const struct process *to, int signo);

/* ---- x86_64/sigframe.c ---- */
int arch_signal_frame(const struct k_sigaction *action, const struct k_siginfo *info, sigset_k mask);
/* The system call's result as the caller will see it, and going back to make it again. */
long arch_result(void);
void arch_set_result(long value);
void arch_restart_syscall(bool by_restart);

/* ---- futex.c ---- */
void futex_exit(struct task *task);
void futex_wake_address(uintptr_t addr, unsigned int nr);

/* ---- exec.c ---- */
/* From the kernel's first thread. Return: only an error. */
int kernel_exec(const char *path, char *const argv[], char *const envp[]);

/* ---- time.c ---- */
struct k_timespec {
	s64 sec, nsec;
};
struct k_timeval {
	s64 sec, usec;
};
int get_timespec(uintptr_t user, u64 *ns);
int put_timespec(uintptr_t user, u64 ns);
void timers_exit(struct process *process);
void timers_exec(struct process *process);
/* The running thread's time up to @now goes to what its last tick interrupted. Its own thread, or interrupts off. */
void account_time(struct task *me, u64 now);
void process_times(struct process *process, struct times *times);
void time_init(void);
/* At a tick, on the way to user mode. */
void check_cpu_limit(void);
/* posix_timer's signal has been taken: the next may come. (t) */
void posix_timer_taken(int id, struct k_siginfo *info);

/* ---- main.c ---- */
const char *kernel_cmdline(void);
/* Puts the machine off, or begins again. */
__attribute__((noreturn)) void machine_power(bool restart);
__attribute__((noreturn)) void kernel_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Copies a string of the user's: kmalloc'ed, at most PATH_MAX (4096). Return: NULL and *@err. */
char *get_user_string(uintptr_t from, size_t max, int *err);

#endif
