/* SPDX-License-Identifier: MIT */
/* The local APIC: interrupts between CPUs, and the timer. */
#ifndef PORT_PC_APIC_H
#define PORT_PC_APIC_H

#include "pc.h"

/* apic_init - find the boot CPU's local APIC; @base from ACPI or 0. False: none, so one CPU and no timer. */
bool apic_init(phys_addr_t base);
/* apic_map - show its registers in the fixmap, once more after the core was booted again */
void apic_map(void);
/* apic_init_cpu - switch on this CPU's */
void apic_init_cpu(void);
u32 apic_id(void);

/* apic_start_cpu - INIT, start-up, start-up: the CPU begins in real mode at physical @page (below 1 MiB) */
void apic_start_cpu(u32 target, u32 page);
void apic_send(u32 target, unsigned int vector);
/* apic_stop_others - NMI to every other CPU, for a panic */
void apic_stop_others(void);

/* apic_timer_calibrate - once the clock runs */
void apic_timer_calibrate(void);
/*
 * apic_timer_start - call @fn from the timer interrupt of this CPU every @period_ns (NULL: only wake from hlt)
 * One at a time on each CPU. Return: false without a timer.
 */
bool apic_timer_start(u64 period_ns, void (*fn)(void));
void apic_timer_stop(void);
/* apic_timer_once - call @fn once, after @ns */
void apic_timer_once(u64 ns, void (*fn)(void));

/* apic_interrupt - all vectors from 32 on come here, interrupts off */
void apic_interrupt(unsigned int vector);
const char *apic_name(void);

#endif
