/* SPDX-License-Identifier: MIT */
/*
 * Handles: small numbers for objects that a page refers to, which has no room for pointers. A number is given back only
 * after a grace period, so who reads it off a page under rcu_read_lock() finds the object or NULL, never another kind
 * of thing than @kind says.
 */
#ifndef MM_BASE_HANDLE_H
#define MM_BASE_HANDLE_H

#include <octavo/gfp.h>

#include "compiler.h"

#define HANDLE_BITS 27
#define HANDLE_NONE 0u

/* Context: as @gfp says. Return: 1 to 2^27 - 1, or HANDLE_NONE without memory or numbers. */
u32 handle_alloc(void *object, gfp_t gfp);
/* NULL: free. Context: any that may read under RCU. */
void *handle_object(u32 handle);
/* It leads nowhere at once; the number is used again after a grace period. Context: any. */
void handle_free(u32 handle);

#endif
