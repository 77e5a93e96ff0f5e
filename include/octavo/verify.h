/* SPDX-License-Identifier: MIT */
/* Checking the allocator's state, and what it noticed by itself. */
#ifndef OCTAVO_VERIFY_H
#define OCTAVO_VERIFY_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/**
 * mm_verify - check that every page frame has exactly one owner and that the counters agree
 * @report: called with each finding, one line without a newline; may be NULL
 * @ctx: passed along
 *
 * Each frame of each zone is free in its pageblock, or in one CPU's cache, or allocated (in a block whose first
 * page has a reference), or reserved, or absent. Free and cached frames have no references; NR_FREE_PAGES is the
 * number of free ones; free, cached, allocated and bad add up to the zone's managed pages.
 *
 * Context: thread context, nobody allocating or freeing meanwhile. Return: number of findings.
 */
OCTAVO_API unsigned int mm_verify(void (*report)(void *ctx, const char *line), void *ctx);

/** bad_pages - pages found in a bad state since boot, and frees that made no sense. Context: any. */
OCTAVO_API unsigned long bad_pages(void);

OCTAVO_END_DECLS
#endif
