/* SPDX-License-Identifier: MIT */
/* What of a thread the processor knows. */
#ifndef KERNEL_X86_64_THREAD_H
#define KERNEL_X86_64_THREAD_H

#include <octavo/types.h>

#define KERNEL_STACK_BYTES ((size_t)16 << 10)

struct task;
struct trap_frame;

struct thread_state {
	uintptr_t sp;		    /* where it was switched away from */
	uintptr_t fs_base, gs_base; /* user mode's; while it runs the processor has them */
	void *fpu;		    /* x87, SSE, AVX, PKRU; NULL: a kernel thread */
	unsigned int fpu_cpu;	    /* whose registers hold it, if that CPU says so too */
};

/* Once, then on each CPU: control registers and MSRs for user mode. */
void arch_init(void);
void arch_cpu_init(void);

/* User mode's registers, at the top of the kernel stack. */
struct trap_frame *task_frame(const struct task *task);
/* A thread begins in the kernel at task->kthread_fn, or (NULL) goes back to user mode with task_frame(). */
void arch_thread_begin(struct task *task);
/* The registers of @child become the caller's. Return: 0 or -ENOMEM. */
int arch_fork(struct task *child);
/* Of a thread that has not begun: its TLS base, its user stack pointer. */
void arch_set_tls(struct task *child, uintptr_t base);
void arch_set_sp(struct task *child, uintptr_t sp);
void arch_thread_free(struct task *task);
/* Saves @prev, loads @next: returns when @prev is switched to again. Interrupts off. */
void arch_switch(struct task *prev, struct task *next);
/* The caller's user registers as a new program finds them. Return: 0 or -ENOMEM (a kernel thread had no FPU state). */
int arch_exec_prepare(void);
void arch_exec(uintptr_t entry, uintptr_t sp);
/* The number of the system call the caller is in, or -1: it came by a fault or an interrupt. */
long arch_syscall_nr(void);
uintptr_t arch_user_sp(const struct task *task);
/* Asked by an interrupt: was it user mode that it interrupted? */
bool arch_in_user(const struct task *task);
uintptr_t arch_user_ip(const struct task *task);
/* task->core.pkru from the register */
void arch_read_pkru(void);
/* The register, and task->core.pkru; nothing without protection keys. */
void arch_load_pkru(u32 value);
/* The caller's rights by protection key @key: bit 0: no access, bit 1: no writing. */
void arch_write_pkru(unsigned int key, u32 rights);

static inline void arch_idle(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

static inline void arch_irqs_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void arch_irqs_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

#endif
