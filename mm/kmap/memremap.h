/* SPDX-License-Identifier: MIT */
/* What ioremap.c and memremap.c share. */
#ifndef MM_KMAP_MEMREMAP_H
#define MM_KMAP_MEMREMAP_H

#include <octavo/io.h>

#include "../base/compiler.h"

struct vm_struct;

enum ram_share { RAM_NONE, RAM_PART, RAM_ALL };

/* How much of [@phys, @phys + @size) is memory, whoever has it. May sleep. */
enum ram_share ram_share(phys_addr_t phys, size_t size);

/* ioremap_prot() for @caller, whom /proc/vmallocinfo names. */
void *__must_check octavo_ioremap_caller(phys_addr_t phys, size_t size, pgprot_t prot, const void *caller);

/* The area of a pointer that ioremap() gave, or NULL. */
struct vm_struct *ioremap_area(const volatile void *addr);

#endif
