/* SPDX-License-Identifier: MIT */
/* Changing kernel mappings: what set_memory.c has for its neighbours. */
#ifndef MM_KMAP_SET_MEMORY_H
#define MM_KMAP_SET_MEMORY_H

#include "kernel_map.h"

/*
 * struct attribute_change - PGPROT_* bits to set and clear in every kernel mapping of a range's frames
 * @no_alias: only in the range itself
 * @no_flush: the caller flushes
 * @who: for reports
 */
struct attribute_change {
	u32 set, clear;
	bool no_alias, no_flush;
	const char *who;
};

/* @p: a pointer. Takes kernel_map_mutex. Errors as of <octavo/set_memory.h>. */
int __must_check change_attributes(const void *p, u64 size, const struct attribute_change *change);

/* Large leaves of a range split into pages, for good: joining leaves it alone. */
int __must_check split_for_good(const void *p, u64 size);

#endif
