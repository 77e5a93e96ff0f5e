/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail on purpose, to test what their callers do.
 * Linux's fail_page_alloc (Documentation/fault-injection), and "the Nth from now" besides.
 */
#ifndef OCTAVO_FAULT_H
#define OCTAVO_FAULT_H

#include <octavo/gfp.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/**
 * struct fault_attr - which page allocations fail
 * @probability: in percent
 * @interval: only every @interval-th that is a candidate; 0 and 1: each
 * @times: how many may fail in all; -1: any number; 0: none
 * @space: pages that may still be allocated before the first fails
 * @min_order: smaller orders never fail
 * @ignore_gfp_highmem: leave requests with __GFP_HIGHMEM alone
 * @ignore_gfp_reclaim: leave requests with __GFP_DIRECT_RECLAIM alone
 * Requests with __GFP_NOFAIL never fail.
 */
struct fault_attr {
	unsigned int probability;
	unsigned int interval;
	int times;
	unsigned int space;
	unsigned int min_order;
	bool ignore_gfp_highmem;
	bool ignore_gfp_reclaim;
};

/** fail_page_alloc_set - put @attr into effect for all CPUs; NULL: nothing fails. Context: any. */
OCTAVO_API void fail_page_alloc_set(const struct fault_attr *attr);

/**
 * fail_nth_set - let this CPU's @nth page allocation from now fail (1: the next); 0: none
 * Context: any. Return: what was left of an earlier setting, 0 if it has come to pass.
 */
OCTAVO_API unsigned int fail_nth_set(unsigned int nth);

OCTAVO_END_DECLS
#endif
