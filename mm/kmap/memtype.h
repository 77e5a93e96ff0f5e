/* SPDX-License-Identifier: MIT */
/*
 * How physical memory that is not the page allocator's is cached, wherever it is mapped. The theory stands in
 * memtype.c.
 */
#ifndef MM_KMAP_MEMTYPE_H
#define MM_KMAP_MEMTYPE_H

#include <octavo/pgprot.h>

#include "../sync/spinlock.h"

/*
 * memtype_reserve - [@start, @end), whole pages, is about to be mapped with mode @want
 * *@got: the mode to map it with, which may cache less.
 * Return: 0; -EBUSY after a report: it is mapped with modes that do not go with @want; -ENOMEM.
 * memtype_release - one such mapping is no more. Return: its mode; PAGE_CACHE_WB after a report if there was none.
 * Context: thread context, may sleep.
 */
int __must_check memtype_reserve(phys_addr_t start, phys_addr_t end, enum page_cache_mode want,
				 enum page_cache_mode *got);
enum page_cache_mode memtype_release(phys_addr_t start, phys_addr_t end);

/* How many pages from @phys on, @max at most, are alike in that some entry has them, or none (*@some). */
unsigned long memtype_run(phys_addr_t phys, unsigned long max, bool *some);

/* May a mapping asked for as @want be made as @got? */
bool memtype_may_replace(enum page_cache_mode want, enum page_cache_mode got);

/* "write-back": as Linux calls a mode. */
const char *memtype_name(enum page_cache_mode mode);

struct memtype_range {
	phys_addr_t start, end;
	enum page_cache_mode mode;
};

struct memtype {
	struct memtype *next;
	struct memtype_range range;
};

extern struct memtypes {
	spinlock_t lock;
	struct memtype *first; /* under the lock */
} memtypes;

/* The @index-th range, in the order of their addresses. Return: false behind the last. */
bool memtype_entry(unsigned long index, struct memtype_range *range);

/* memtype_verify - check MT-I1 and MT-I2. Return: number of findings, each given to @report (may be NULL). */
unsigned int memtype_verify(void (*report)(void *ctx, const char *line), void *ctx);

#endif
