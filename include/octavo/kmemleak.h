/* SPDX-License-Identifier: MIT */
/*
 * kmemleak: which objects has everybody lost the address of? As Linux 6.12 names it (<linux/kmemleak.h>;
 * Documentation/dev-tools/kmemleak.rst). It follows the heap's objects by itself when the machine is booted with
 * kmemleak=on; the calls here tell it what it cannot see. Without that parameter they do nothing.
 *
 * Results and commands: /sys/kernel/debug/kmemleak (<octavo/proc.h>).
 */
#ifndef OCTAVO_KMEMLEAK_H
#define OCTAVO_KMEMLEAK_H

#include <octavo/slab.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/**
 * kmemleak_alloc - follow an object that is not of the heap
 * @min_count: references it needs so as not to be lost; 0: never reported, but scanned; -1: neither
 * @gfp: for the record of it. Context: any that @gfp allows.
 */
OCTAVO_API void kmemleak_alloc(const void *ptr, size_t size, int min_count, gfp_t gfp);
/** kmemleak_free - @ptr, the start of a followed object, is about to be freed. Any context. */
OCTAVO_API void kmemleak_free(const void *ptr);
/** kmemleak_free_part - so is part of one; what is left in front and behind is followed on */
OCTAVO_API void kmemleak_free_part(const void *ptr, size_t size);

/** kmemleak_alloc_percpu - each possible CPU's copy of a per-CPU area is scanned; none is reported */
OCTAVO_API void kmemleak_alloc_percpu(const void *ptr, size_t size, gfp_t gfp);
OCTAVO_API void kmemleak_free_percpu(const void *ptr);

/** kmemleak_alloc_phys - scan physical memory, high memory included; not reported. Frames without descriptor: not. */
OCTAVO_API void kmemleak_alloc_phys(phys_addr_t phys, size_t size, gfp_t gfp);
OCTAVO_API void kmemleak_free_part_phys(phys_addr_t phys, size_t size);
OCTAVO_API void kmemleak_ignore_phys(phys_addr_t phys);

/**
 * kmemleak_vmalloc - follow an area of mapped pages
 * @area: its description, itself an object of the heap: references to it beyond the one it needs count for @addr
 * @addr, @size: the mapped memory; it needs two references, as the description has one
 */
OCTAVO_API void kmemleak_vmalloc(const void *area, const void *addr, size_t size, gfp_t gfp);

/** kmemleak_not_leak - never report it; it is still scanned */
OCTAVO_API void kmemleak_not_leak(const void *ptr);
/** kmemleak_transient_leak - it is out of sight for a moment: do not report it at the next scan */
OCTAVO_API void kmemleak_transient_leak(const void *ptr);
/** kmemleak_ignore - neither report nor scan it */
OCTAVO_API void kmemleak_ignore(const void *ptr);
/**
 * kmemleak_scan_area - only parts of an object hold pointers: this one, and others that were named so
 * @ptr: inside the object; @size: SIZE_MAX for all from there on. Without memory the whole object is scanned.
 */
OCTAVO_API void kmemleak_scan_area(const void *ptr, size_t size, gfp_t gfp);
/** kmemleak_no_scan - it holds no pointers */
OCTAVO_API void kmemleak_no_scan(const void *ptr);
/** kmemleak_update_trace - report the caller's stack, not that of its allocation */
OCTAVO_API void kmemleak_update_trace(const void *ptr);

/** kmemleak_erase - forget a pointer, so that it does not keep its object */
static inline void kmemleak_erase(void **ptr)
{
	*ptr = NULL;
}

/** kmemleak_alloc_recursive, kmemleak_free_recursive - for allocators: SLAB_NOLEAKTRACE in @flags: nothing */
static inline void kmemleak_alloc_recursive(const void *ptr, size_t size, int min_count, slab_flags_t flags,
					    gfp_t gfp)
{
	if (!(flags & SLAB_NOLEAKTRACE))
		kmemleak_alloc(ptr, size, min_count, gfp);
}

static inline void kmemleak_free_recursive(const void *ptr, slab_flags_t flags)
{
	if (!(flags & SLAB_NOLEAKTRACE))
		kmemleak_free(ptr);
}

/* ---- Where to begin: roots ---- */

/**
 * octavo_leak_root_add - pointers to objects may lie in this memory
 * @start, @size: a host's or kernel's data, the stack and saved registers of a task; it must be readable until
 *                octavo_leak_root_remove()
 * @stack: it is a stack, left out after "stack=off"
 * Memory that memblock reserved, the kernel image with it, the core's own state and followed objects are roots, or
 * scanned, without this. Context: thread context. Return: 0 (also while kmemleak is off) or -ENOMEM.
 */
OCTAVO_API int __must_check octavo_leak_root_add(const void *start, size_t size, bool stack);
/** octavo_leak_root_remove - the memory at @start goes away; when this returns it is not looked at any more */
OCTAVO_API void octavo_leak_root_remove(const void *start);

OCTAVO_END_DECLS
#endif
