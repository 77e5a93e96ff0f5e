/* SPDX-License-Identifier: MIT */
/* Reports of exceptions and panics, backtraces, names of addresses. */
#ifndef PORT_PC_REPORT_H
#define PORT_PC_REPORT_H

#include "trap.h"

/* Describes the exception on the console and ends in panic_end(). */
__attribute__((noreturn)) void report_exception(const struct trap_frame *frame);

/* Has some CPU begun to report a panic? Then the others stop at its NMI. */
bool report_stopping(void);

/* Return addresses from frame pointer @bp on. */
unsigned int report_walk(uintptr_t bp, uintptr_t *pc, unsigned int max);

/* "name+0xoffset/0xsize", or 0x and the number when no symbol covers @addr. */
void report_symbol(uintptr_t addr, char *text, size_t size);

#endif
