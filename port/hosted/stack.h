/* SPDX-License-Identifier: MIT */
/*
 * Stacks that one thread of the host runs on in turn: CPUs of the seeded scheduler (sched.c) and threads of a CPU
 * (thread.c).
 */
#ifndef PORT_HOSTED_STACK_H
#define PORT_HOSTED_STACK_H

#include <stddef.h>
#include <stdint.h>

#define STACK_BYTES ((size_t)1 << 20)

/* What a sanitizer wants to know of a stack that is not a thread's. */
struct fiber {
	void *handle; /* of the thread sanitizer */
	void *fake_stack;
	const void *low;
	size_t bytes;
};

/* What the running stack's fiber is, of the host's thread that asks; @host: it is the thread's own. */
void fiber_create(struct fiber *fiber, bool host);
void fiber_destroy(struct fiber *fiber);
/* Around hosted_switch(): before it on the one that is left, after it on the one that goes on. */
void fiber_leave(struct fiber *from, const struct fiber *to);
void fiber_arrive(struct fiber *here);

/* Saves where this stack stands in *@save and goes on where @load was saved. */
void hosted_switch(void **save, void *load);

/* Room for a stack, with a page that is shut below it; it stays for ever. */
char *stack_memory(void);
/* The stack in @memory looks as if it had been switched away from just before @main(). Return: for hosted_switch(). */
void *stack_prepare(char *memory, void (*main)(void));

#endif
