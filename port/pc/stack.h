/* SPDX-License-Identifier: MIT */
/* The CPUs' stacks, each above a page that is not mapped. */
#ifndef PORT_PC_STACK_H
#define PORT_PC_STACK_H

#include "pc.h"

/* stacks_init - the boot CPU's, which are in the image; before anything else */
void stacks_init(void);
/* stacks_guard - unmap the pages below the boot CPU's; after mm_init() */
void stacks_guard(void);
/* stacks_make - those of another CPU. Context: may sleep. Return: 0 or -ENOMEM. */
int __must_check stacks_make(unsigned int cpu);
/* stacks_forget - those of the other CPUs went with the core's memory */
void stacks_forget(void);
/* stack_tops - the first addresses behind them, by STACK_* */
void stack_tops(unsigned int cpu, char *tops[STACKS]);

/*
 * stack_others - who else has stacks of PC_STACK_BYTES above a guard page: a kernel's threads
 * @find: the lowest byte of the stack that @at, or the page below it, is in; 0: in none
 */
void stack_others(uintptr_t (*find)(uintptr_t at));

/* stack_holds - is the word at @at on some stack? */
bool stack_holds(uintptr_t at);
/* stack_overflow - whose guard page @at is in, as text for a report. Return: false: in none. */
bool stack_overflow(uintptr_t at, char *text, size_t size);

#endif
