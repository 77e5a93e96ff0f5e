/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail on purpose, to test what their callers do: Linux's failslab and fail_page_alloc
 * (Documentation/fault-injection/fault-injection.rst), and "the Nth from now".
 *
 * The same settings are files below /sys/kernel/debug/failslab and /sys/kernel/debug/fail_page_alloc, and the boot
 * parameters failslab= and fail_page_alloc= take <interval>,<probability>,<space>,<times>.
 */
#ifndef OCTAVO_FAULT_H
#define OCTAVO_FAULT_H

#include <octavo/gfp.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/**
 * struct fault_attr - which allocations fail
 * @probability: in percent; 0: none
 * @interval: only every @interval-th that is a candidate; 0 and 1: each
 * @times: how many may fail in all; -1: any number; 0: none
 * @space: a budget that candidates use up, in bytes of objects or in pages; none fails as long as one fits
 * @verbose: 0: failures are not told; 1: in a line; 2: with the caller's stack
 * @verbose_ratelimit_interval_ms: at most @verbose_ratelimit_burst are told in this time; 0: all
 * @task_filter: only those of tasks given to fault_make_it_fail()
 * @ignore_gfp_reclaim: leave requests with __GFP_DIRECT_RECLAIM alone (the file is called ignore-gfp-wait)
 * @min_order: pages: smaller orders never fail
 * @ignore_gfp_highmem: pages: leave requests with __GFP_HIGHMEM alone
 * @cache_filter: objects: only those of caches with SLAB_FAILSLAB
 * Requests with __GFP_NOFAIL never fail; failures of those with __GFP_NOWARN are not told.
 */
struct fault_attr {
	unsigned int probability;
	unsigned int interval;
	int times;
	unsigned int space;
	unsigned int min_order;
	bool ignore_gfp_highmem;
	bool ignore_gfp_reclaim;
	bool cache_filter;
	bool task_filter;
	unsigned int verbose;
	unsigned int verbose_ratelimit_interval_ms;
	unsigned int verbose_ratelimit_burst;
};

/**
 * fail_page_alloc_set - put @attr into effect for the page allocations of all CPUs
 * NULL: nothing fails, and all settings are what they are at boot. Context: any.
 */
OCTAVO_API void fail_page_alloc_set(const struct fault_attr *attr);
/** fail_page_alloc_get - the settings as they are now; times and space count down. Context: any. */
OCTAVO_API void fail_page_alloc_get(struct fault_attr *attr);

/** failslab_set - the same for objects: all caches and kmalloc(). Context: thread context, may sleep. */
OCTAVO_API void failslab_set(const struct fault_attr *attr);
OCTAVO_API void failslab_get(struct fault_attr *attr);

/**
 * fail_nth_set - let this CPU's @nth page allocation from now fail (1: the next); 0: none
 * Attributes do not matter to it, but __GFP_NOFAIL does; it is not told.
 * Context: any. Return: what was left of an earlier setting, 0 if it has come to pass.
 */
OCTAVO_API unsigned int fail_nth_set(unsigned int nth);

/* What an Nth allocation is counted among. */
#define FAIL_NTH_PAGE 1u /* of pages, the heap's own for its slabs included */
#define FAIL_NTH_SLAB 2u /* of objects: kmem_cache_alloc() and kmalloc() */
#define FAIL_NTH_ALL (FAIL_NTH_PAGE | FAIL_NTH_SLAB)

/**
 * fail_nth_set_among - the same among allocations of the kinds @what, counted together as /proc/PID/fail-nth does
 * Context: thread context, may sleep; the CPU is not changed meanwhile.
 */
OCTAVO_API unsigned int fail_nth_set_among(unsigned int what, unsigned int nth);

/**
 * fault_make_it_fail - let task_filter find the task with number @pid, as 1 in /proc/PID/make-it-fail does
 * Numbers are those of struct task_ops; without one all threads have 0.
 * Context: any. Return: 0; -ENOSPC: 32 tasks are known already.
 */
OCTAVO_API int __must_check fault_make_it_fail(long pid, bool on);

OCTAVO_END_DECLS
#endif
