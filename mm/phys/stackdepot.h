/* SPDX-License-Identifier: MIT */
/*
 * Call stacks, each kept once: a handle of 20 bits stands for one. Used by page_owner and by the tools that find
 * misuse of the heap.
 */
#ifndef MM_PHYS_STACKDEPOT_H
#define MM_PHYS_STACKDEPOT_H

#include <octavo/gfp.h>

#include "../base/compiler.h"

#define STACK_DEPOT_DEPTH 16u	     /* callers kept, innermost first */
#define STACK_DEPOT_HANDLE_BITS 20u /* 0: no stack */

/* Take room for about @stacks different stacks from memblock. False: there is none. */
bool stack_depot_early_init(unsigned int stacks);

/*
 * stack_depot_reserve - see to it that there is room for some more stacks
 * Allocates pages with @gfp if not; where it cannot, stacks are lost until it can. Context: what @gfp allows; not from
 * below the page allocator.
 */
void stack_depot_reserve(gfp_t gfp);

/*
 * stack_depot_save - the handle of a stack, kept from now on
 * Allocates nothing. Context: any. Return: 0 for an empty stack, or if there is no room.
 */
u32 stack_depot_save(const uintptr_t *pc, unsigned int depth);

/*
 * stack_depot_save_current - the same of the running code's stack
 * @from: a return address on it: only it and what lies further out is kept. 0, or not found: all.
 */
u32 stack_depot_save_current(uintptr_t from);

/* The callers of a stack. Return: how many; they stay. */
unsigned int stack_depot_fetch(u32 handle, const uintptr_t **pc);

/* One line " name+0xoffset/0xsize" a caller. Return: length that the whole text has. */
size_t stack_depot_text(char *buf, size_t size, u32 handle);
/* The same to the log. */
void stack_depot_print(u32 handle);
void stack_print(const uintptr_t *pc, unsigned int depth);

/* Pages of the page allocator's that the store has taken; it gives none back. */
unsigned long stack_depot_pages(void);

/* Stacks that were not kept for want of room. */
unsigned long stack_depot_lost(void);

#endif
