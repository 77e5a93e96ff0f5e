/* SPDX-License-Identifier: MIT */
/* The kernel's page tables as text, and what must not be in them. */
#ifndef MM_KMAP_PTDUMP_H
#define MM_KMAP_PTDUMP_H

#include "kernel_map.h"

typedef void (*ptdump_line_fn)(void *ctx, const char *line);

/* ptdump_kernel - as /sys/kernel/debug/kernel_page_tables has it. Context: thread context. */
void ptdump_kernel(ptdump_line_fn put, void *ctx);

/* One address: an entry a line, from the root down, and what its leaf says. Context: any. */
void ptdump_address(uintptr_t virt, ptdump_line_fn put, void *ctx);

/*
 * ptdump_check_wx - pages that can be written and executed; each stretch of them goes to @put (NULL: nowhere)
 * Context: thread context. Return: how many; 0 where the processor knows no NX.
 */
unsigned long ptdump_check_wx(ptdump_line_fn put, void *ctx);

#endif
