/* SPDX-License-Identifier: MIT */
/*
 * Bounds of copies between kernel and user space, as Linux's hardened usercopy draws them: the kernel's side of a copy
 * must lie in one object, and in the part of it that was declared for user space (kmem_cache_create_usercopy(); objects
 * of kmalloc() are whole). On unless hardened_usercopy=off is on the command line.
 */
#ifndef OCTAVO_USERCOPY_H
#define OCTAVO_USERCOPY_H

#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/**
 * check_object_size - may these bytes of the kernel be copied to or from user space?
 * @ptr, @n: the kernel's side; 0 bytes always may
 * @to_user: the copy reads them (false: writes)
 *
 * Not allowed, and reported as "usercopy: Kernel memory exposure (overwrite) attempt detected from (to) ...": ranges
 * that wrap or begin at the null page; parts of objects of a cache that are not for user space, of their red zones, of
 * several objects, of free pages, of several allocations of pages; the heap's own structures; the kernel's code; and
 * parts of several vmalloc() areas; what a function of register_usercopy_check() names. Other addresses outside of the
 * direct map are allowed.
 *
 * copy_to_user() and copy_from_user() call it; whoever copies otherwise calls it himself.
 * Context: any. Return: true: copy. false: reported, the copy must not be made.
 */
OCTAVO_API bool __must_check check_object_size(const void *ptr, size_t n, bool to_user);

/** usercopy_errors - copies that were not allowed since boot. Context: any. */
OCTAVO_API unsigned long usercopy_errors(void);

/**
 * register_usercopy_check - a check of the port's own: stacks, the kernel image, mappings outside of the direct map
 * @fn: any context; returns what the range must not be copied for ("process stack", "kernel text"), or NULL if it has
 *      nothing against it. NULL: none any more
 */
OCTAVO_API void register_usercopy_check(const char *(*fn)(const void *ptr, size_t n, bool to_user));

OCTAVO_END_DECLS
#endif
