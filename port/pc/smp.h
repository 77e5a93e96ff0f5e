/* SPDX-License-Identifier: MIT */
/* More than one CPU. */
#ifndef PORT_PC_SMP_H
#define PORT_PC_SMP_H

#include "pc.h"

/* smp_init - @cpus in the order of their numbers, the boot CPU first; @trampoline: a page below 1 MiB */
void smp_init(const struct bootinfo_cpu *cpus, unsigned int nr, u32 trampoline);
/* smp_boot - start the others; after mm_init() */
void smp_boot(void);
unsigned int smp_online(void);
bool smp_is_up(unsigned int cpu);
/* smp_wake - end the hlt of another CPU */
void smp_wake(unsigned int cpu);
/* smp_token - for park.c */
u32 *smp_token(unsigned int cpu);
/* tables.c: trampoline_prepare - the trampoline at physical @at, below 1 MiB, for CPU @cpu with its thread's stack */
void trampoline_prepare(u32 at, unsigned int cpu, const char *stack);
/* pc_ap_start - where trampoline.S takes the others: on the kernel's page tables and their own stack */
__attribute__((noreturn)) void pc_ap_start(unsigned int cpu);

/* struct ap_restart - what a parked CPU waits for, and goes on with; @cpu is 0 while it was never parked */
struct ap_restart {
	u32 go, cpu;
	unsigned long root, stack;
};

/*
 * pc_ap_park - trampoline.S: load the boot tables, whose root is at physical @boot_root, forget all others, count
 * yourself in *@parked, and wait for restart->go; then pc_ap_start()
 */
__attribute__((noreturn)) void pc_ap_park(struct ap_restart *restart, unsigned long boot_root, u32 *parked);

/*
 * smp_run - run @fn(@arg) on CPU @cpu in thread context, interrupts on
 * Return: 0; -EINVAL for the caller's own, the boot CPU and CPUs that are not online; -EBUSY while it runs something.
 */
int __must_check smp_run(unsigned int cpu, void (*fn)(void *arg), void *arg);
/* smp_wait - until what smp_run() gave CPU @cpu is done */
void smp_wait(unsigned int cpu);
/* smp_run_all - run @fn on every online CPU at once, this one included, and wait. From the boot CPU. */
void smp_run_all(void (*fn)(void *arg), void *arg);

/* smp_freeze, smp_thaw - the other CPUs leave the core alone in between, and join it anew */
void smp_freeze(void);
void smp_thaw(void);

/* smp_call_serve - do what port_cpu_call() wants of this CPU; interrupts off */
void smp_call_serve(void);

#endif
