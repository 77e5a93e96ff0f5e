/* SPDX-License-Identifier: MIT */
/* Core dumps: core(5). */
#ifndef KERNEL_COREDUMP_H
#define KERNEL_COREDUMP_H

#include "kernel.h"

#define CORE_PATTERN_MAX 128u
#define CORE_REGS 27u /* struct user_regs_struct of <sys/user.h> */
#define CORE_PAGE_BYTES ((size_t)2 * PAGE_SIZE)

/* /proc/sys/kernel */
extern char core_pattern[CORE_PATTERN_MAX];
extern unsigned int core_uses_pid;

/* The signal @info ends the caller's process: its memory goes into a file, if it may. */
void coredump(const struct k_siginfo *info);

/* exit.c: all other threads stand still, the process ends by @signo. Return: false: it is ending already. */
bool dump_begin(int signo);
/* They go on, to their ends. */
void dump_end(bool dumped);

/* x86_64/thread.c: user mode's registers of a thread that stands still, or of the caller */
void arch_core_regs(const struct task *task, u64 *regs);
/* Vector registers in XSAVE's form, in @buffer (CORE_PAGE_BYTES) if they have to be put together. */
const void *arch_core_fpu(struct task *task, void *buffer, size_t *size);

#endif
