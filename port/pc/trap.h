/* SPDX-License-Identifier: MIT */
/* Interrupts and exceptions. */
#ifndef PORT_PC_TRAP_H
#define PORT_PC_TRAP_H

#include "pc.h"

enum {
	VECTOR_DEBUG = 1,
	VECTOR_NMI = 2,
	VECTOR_BREAKPOINT = 3,
	VECTOR_DOUBLE_FAULT = 8,
	VECTOR_PROTECTION = 13,
	VECTOR_PAGE_FAULT = 14,
	VECTOR_MACHINE_CHECK = 18,
	VECTOR_EXCEPTIONS = 32,
	VECTOR_TIMER = 0x40,
	VECTOR_CALL = 0x41, /* port_cpu_call() */
	VECTOR_WAKE = 0x42, /* look for work, look at the park token */
	VECTOR_SPURIOUS = 0xff,
};

/* tables.c: points CPU @cpu at its tables; @stacks are the tops of the STACK_* stacks. */
void trap_init_cpu(unsigned int cpu, char *const stacks[STACKS]);
/* tables.c: the registers of @frame and of control, as lines of text */
void trap_registers(const struct trap_frame *frame, char *text, size_t size);

void pc_trap(struct trap_frame *frame);

/* guard.c: a page fault on a page of KFENCE's: reported, and the instruction may run again. */
bool guard_fault(const struct trap_frame *frame);

/*
 * trap_expect - this CPU's place for an address at which a page fault or protection fault goes on instead of being
 * fatal, with the vector in rax (eax) and the error code in rdx (edx); for tests. The fault clears it; 0: none.
 */
uintptr_t *trap_expect(void);

#endif
