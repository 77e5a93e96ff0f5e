/* SPDX-License-Identifier: MIT */
/* The hosted port's own interface: for the command, the tests and the benches. */
#ifndef PORT_HOSTED_H
#define PORT_HOSTED_H

#include <stdbool.h>
#include <stddef.h>

/* From here on this thread is CPU @cpu of the machine. */
void hosted_enter_cpu(unsigned int cpu);

/* Takes console output if it returns true. */
extern bool (*hosted_console_hook)(const char *text, size_t len);

#endif
