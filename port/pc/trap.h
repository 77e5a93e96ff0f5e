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
/* tables.c: CPU @cpu, with interrupts off, is about to lose its stacks: whatever comes now, it halts for good. */
void trap_park_cpu(unsigned int cpu);
/* tables.c: the registers of @frame and of control, as lines of text */
void trap_registers(const struct trap_frame *frame, char *text, size_t size);

void pc_trap(struct trap_frame *frame);
/* What came from user mode. */
void pc_trap_user(struct trap_frame *frame);

/**
 * struct pc_user_ops - what a kernel does with what comes from user mode; set once, before there is any
 * @page_fault: interrupts off, as in all. On return user mode is gone back to, with interrupts off
 * @exception: any other exception
 * @uaccess_fault: the core is about to be asked about a fault of a user access of the kernel's; PAGE_FAULT_*
 * @leave: user mode is about to be gone back to, from an interrupt or exception
 */
struct pc_user_ops {
	void (*page_fault)(struct trap_frame *frame);
	void (*exception)(struct trap_frame *frame);
	void (*leave)(struct trap_frame *frame);
	void (*uaccess_fault)(u32 flags);
};
extern const struct pc_user_ops *pc_user_ops;

/* tables.c: where interrupts of user mode begin on this CPU (64 bits) */
void trap_kernel_stack(uintptr_t top);

/* An instruction that may fault on a user address, and where it goes on if nothing can be done about that. */
struct pc_fixup {
	uintptr_t at, go_on;
};

/*
 * tables.c: is this protection fault about an address that is none? If so its address and flags are filled in: what
 * the processor does not tell is read off the instruction. Return: false: it is about something else.
 */
bool trap_no_address(const struct trap_frame *frame, struct page_fault *fault);

/*
 * trap_expect - this CPU's place for an address at which a page fault or protection fault goes on instead of being
 * fatal, with the vector in rax (eax) and the error code in rdx (edx); for tests. The fault clears it; 0: none.
 */
uintptr_t *trap_expect(void);

#endif
