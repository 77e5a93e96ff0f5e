/* SPDX-License-Identifier: MIT */
/*
 * What the core knows of a thread and of the process it belongs to. A kernel embeds these in its own structures and
 * tells the core which thread a CPU runs; everything that acts for "the caller" (system calls, faults, copies to and
 * from user space) looks here.
 */
#ifndef OCTAVO_TASK_H
#define OCTAVO_TASK_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

struct mm_struct;

/* Resource limits, numbered as getrlimit(2) does on x86-64 and arm64. */
enum {
	RLIMIT_CPU,
	RLIMIT_FSIZE,
	RLIMIT_DATA,
	RLIMIT_STACK,
	RLIMIT_CORE,
	RLIMIT_RSS,
	RLIMIT_NPROC,
	RLIMIT_NOFILE,
	RLIMIT_MEMLOCK,
	RLIMIT_AS,
	RLIMIT_LOCKS,
	RLIMIT_SIGPENDING,
	RLIMIT_MSGQUEUE,
	RLIMIT_NICE,
	RLIMIT_RTPRIO,
	RLIMIT_RTTIME,
	RLIM_NLIMITS
};
#define RLIM_INFINITY (~0ul)

struct mm_rlimit {
	unsigned long cur, max; /* bytes, or as getrlimit(2) says; RLIM_INFINITY */
};

/* What capabilities(7) the core asks for, as bits of mm_process.capabilities by Linux's numbers. */
#define CAP_DAC_OVERRIDE 1
#define CAP_IPC_LOCK 14
#define CAP_IPC_OWNER 15
#define CAP_SYS_RAWIO 17
#define CAP_SYS_PTRACE 19
#define CAP_SYS_ADMIN 21
#define CAP_SYS_NICE 23
#define CAP_SYS_RESOURCE 24

/**
 * struct mm_process - what the threads of a process share
 * @rlimit: limits; changed by the kernel, read without a lock
 * @capabilities: bit n: has CAP_ number n
 * @uid, @gid: effective
 * @ruid: real user, whom reports name
 * @oom_score_adj: -1000 to 1000: how much likelier than by its memory it is to be killed when there is none left
 * @oom_score_adj_min: as low as it may be set without CAP_SYS_RESOURCE
 * @walk: the core's
 * @personality: personality(2): ADDR_NO_RANDOMIZE, ADDR_COMPAT_LAYOUT, READ_IMPLIES_EXEC, MMAP_PAGE_ZERO
 * @group: process groups and sessions and the like: the kernel's
 */
struct mm_process {
	struct mm_rlimit rlimit[RLIM_NLIMITS];
	u64 capabilities;
	u32 uid, gid;
	u32 ruid;
	s32 oom_score_adj, oom_score_adj_min;
	u32 personality;
	u32 walk;
};

#define PERSONALITY_ADDR_NO_RANDOMIZE 0x0040000u
#define PERSONALITY_MMAP_PAGE_ZERO 0x0100000u
#define PERSONALITY_ADDR_COMPAT_LAYOUT 0x0200000u
#define PERSONALITY_READ_IMPLIES_EXEC 0x0400000u

/* mm_task.flags, with Linux's values (PF_*) where Linux has them. */
#define PF_EXITING 0x00000004u
#define PF_FORKNOEXEC 0x00000040u
#define PF_DUMPCORE 0x00000200u
#define PF_MEMALLOC 0x00000800u
#define PF_KSWAPD 0x00020000u
#define PF_KTHREAD 0x00200000u

/**
 * struct mm_signal - the signal that an access ends in (sigaction(2), siginfo_t)
 * @signo: SIGSEGV (11), SIGBUS (7) or SIGKILL (9); 0: none
 * @code: SEGV_MAPERR 1, SEGV_ACCERR 2, SEGV_PKUERR 4; BUS_ADRERR 2, BUS_MCEERR_AR 4
 * @pkey: of SEGV_PKUERR
 * @address: si_addr
 */
struct mm_signal {
	s32 signo, code;
	u32 pkey;
	uintptr_t address;
};

/**
 * struct mm_task - a thread
 * @mm: its address space; NULL: a kernel thread
 * @active_mm: what is loaded while it runs; the core's
 * @process: its process; never NULL
 * @flags: PF_*; the thread's own
 * @pid, @tgid, @comm: for reports
 * @fatal_signal: set by anyone (atomic): it has been killed, and waits that can be given up are
 * @fault: what handle_page_fault() would have it get when it returned -EFAULT
 * @min_flt, @maj_flt: faults without and with I/O; the thread's own
 * @pkru: rights by protection key, two bits each (access disabled, write disabled): Intel SDM volume 3A 4.6.2. The
 *	thread may change the register at any time, so the port reads it into here before handle_page_fault() for a
 *	fault that a key refused: the core refuses it, too, only if these rights do, and else has the access repeated
 * @pagefault_disabled, @fault_vma, @fault_vma_seq, @fault_vma_round: the core's
 * @interruptible: the core's: a signal that the thread has to act on is to end its port_park(); task_ops.signal_pending
 * @userfault_events: the core's: what it has to tell a userfaultfd when it has let go of its locks
 * @in_vfork: the kernel's: a child of vfork() that still has its parent's address space; the parent waits for it
 * @oom_victim: the core's (atomic): it was killed for its memory, and may have some of the reserves to end with
 * @listed, @list_next, @list_prev: the core's: octavo_task_add()
 * @reclaimed: the core's: pages that it has given back, of slabs and as mm_account_reclaimed_pages() was told
 */
struct mm_task {
	struct mm_struct *mm;
	struct mm_struct *active_mm;
	struct mm_process *process;
	u32 flags;
	s32 pid, tgid;
	char comm[16];
	u32 fatal_signal;
	struct mm_signal fault;
	unsigned long min_flt, maj_flt;
	u32 pkru;
	u32 pagefault_disabled; /* pagefault_disable() depth */
	struct vm_area_struct *fault_vma;
	unsigned long fault_vma_seq;
	u32 fault_vma_round;
	u32 interruptible;
	void *userfault_events;
	u32 in_vfork;
	u32 oom_victim;
	u32 listed;
	struct mm_task *list_next, *list_prev;
	unsigned long reclaimed;
};

/**
 * current_task - the thread this CPU runs
 * Before the first octavo_switch_task() on a CPU: a kernel thread of the core's own. Context: any.
 */
OCTAVO_API struct mm_task *current_task(void);

/**
 * octavo_kernel_task - @task is to be a kernel thread of the core's own: it may do anything, without limits
 * @comm: its name, of which what fits is kept. Context: any.
 */
OCTAVO_API void octavo_kernel_task(struct mm_task *task, const char *comm, s32 pid);

/**
 * octavo_switch_task - this CPU runs @next from now on
 * Loads its address space; for a kernel thread what is loaded stays (lazily). The kernel calls it in the middle of its
 * context switch, a hosted test whenever it pleases.
 * Context: interrupts off, or inside preempt_disable().
 */
OCTAVO_API void octavo_switch_task(struct mm_task *next);

/**
 * octavo_task_mm - give @task, which is the caller or does not run, another address space (execve, exit, the start of a
 * thread) The reference to @mm (mmget()) becomes the task's; it gets the caller's back.
 * Context: thread context. Return: the one it had, whose reference is the caller's now; may be NULL.
 */
OCTAVO_API struct mm_struct *octavo_task_mm(struct mm_task *task, struct mm_struct *mm);

/**
 * octavo_task_add - from now on the core may look at @task when it looks at all of them
 * Who has an address space and is not told of is never chosen when memory runs out. The kernel calls this when the
 * thread is complete and can be killed (struct task_ops), before it runs, and octavo_task_remove() before its
 * structures go, or its process's; a thread that was never added may be removed. Numbers and names may change
 * meanwhile, the address space by octavo_task_mm() only.
 * Context: thread context; may sleep.
 */
OCTAVO_API void octavo_task_add(struct mm_task *task);
OCTAVO_API void octavo_task_remove(struct mm_task *task);

/**
 * account_kernel_stack - the pages at @stack, @bytes long, are a thread's stack, or (@in_use false) no longer
 * KernelStack of /proc/meminfo. @stack: of the direct map or vmalloc's, page-aligned. Context: any.
 */
OCTAVO_API void account_kernel_stack(const void *stack, size_t bytes, bool in_use);

static inline bool fatal_signal_pending(const struct mm_task *task)
{
	return __atomic_load_n(&task->fatal_signal, __ATOMIC_RELAXED) != 0;
}

static inline bool task_capable(const struct mm_task *task, unsigned int capability)
{
	return task->process->capabilities >> capability & 1;
}

static inline unsigned long task_rlimit(const struct mm_task *task, unsigned int limit)
{
	return __atomic_load_n(&task->process->rlimit[limit].cur, __ATOMIC_RELAXED);
}

OCTAVO_END_DECLS
#endif
