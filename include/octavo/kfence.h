/* SPDX-License-Identifier: MIT */
/*
 * KFENCE: now and then an object of the heap is served from a page of its own, between pages that nobody may touch, so
 * that reads and writes beyond it, and after its free, are caught where they happen
 * (Documentation/dev-tools/kfence.rst). Off unless kfence.sample_interval=MILLISECONDS is on the command line, or
 * written to /sys/module/kfence/parameters/sample_interval.
 */
#ifndef OCTAVO_KFENCE_H
#define OCTAVO_KFENCE_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/**
 * struct kfence_ops - how a port shuts single pages of the direct map
 * @prepare: [@start, @start + @size) will be shut and opened page by page; boot, or thread context. NULL: nothing to
 *           do. Return: 0 or a negative errno, which keeps KFENCE off.
 * @protect: shut (@on) or open the page at @page. Any context, spinlocks may be held. It is enough that other CPUs see
 *           it soon; until then they miss what they might have caught. Return: false if it cannot.
 * A port whose page faults in the direct map reach kfence_handle_page_fault() registers them. Without them guarded
 * objects are still surrounded by bytes that are checked when they are freed, and wrong frees are still seen; accesses
 * beyond the page or after the free are not.
 */
struct kfence_ops {
	int (*prepare)(uintptr_t start, size_t size);
	bool (*protect)(uintptr_t page, bool on);
};

/** register_kfence_ops - before mm_init(), or while KFENCE is off. @ops stays; NULL: none. */
OCTAVO_API void register_kfence_ops(const struct kfence_ops *ops);

/**
 * kfence_handle_page_fault - a page fault in the kernel's own memory
 * @addr: where; @is_write: by a write
 * @pc, @depth: the code that did it, innermost first, for the report
 * If the page is KFENCE's the error is reported and the page is opened, so that the access can go on.
 * Context: that of the fault. Return: true: return to the instruction; false: none of KFENCE's.
 */
OCTAVO_API bool kfence_handle_page_fault(uintptr_t addr, bool is_write, const uintptr_t *pc, unsigned int depth);

/** is_kfence_address - does @addr lie in KFENCE's pool? Any context. */
OCTAVO_API bool is_kfence_address(const void *addr);

/**
 * kfence_set_sample_interval - as kfence.sample_interval: milliseconds between samples, 0 off
 * The pool is taken when it is first switched on, and kept. Whether a sample is due is looked at where an allocation
 * leaves the heap's quick paths; the first allocation after that, on any CPU, is sampled.
 * Context: thread context, may sleep. Return: 0, -ENOMEM, or what kfence_ops.prepare says.
 */
OCTAVO_API int kfence_set_sample_interval(unsigned long ms);

/**
 * kfence_sample_next - a sample is due now: for a kernel that has a timer but no clock, and for tests
 * Does nothing while KFENCE is off. Context: any.
 */
OCTAVO_API void kfence_sample_next(void);

/**
 * kfence_check_all - look at the bytes around all objects, reporting what is damaged
 * kfence_panic() does it if kfence.check_on_panic is set: for a port's port_panic(). Context: any.
 */
OCTAVO_API void kfence_check_all(void);
OCTAVO_API void kfence_panic(void);

OCTAVO_END_DECLS
#endif
