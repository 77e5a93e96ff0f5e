/* SPDX-License-Identifier: MIT */
/* Fault injection for page allocations. */
#ifndef MM_PHYS_FAULT_ALLOC_H
#define MM_PHYS_FAULT_ALLOC_H

#include <octavo/fault.h>

#include "../base/compiler.h"

/* Is this allocation to fail? Counts it. */
bool should_fail_alloc_page(gfp_t gfp, unsigned int order);

#endif
