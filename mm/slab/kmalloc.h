/* SPDX-License-Identifier: MIT */
/* kmalloc()'s caches. */
#ifndef MM_SLAB_KMALLOC_H
#define MM_SLAB_KMALLOC_H

#include "slab.h"

/*
 * The class of a size in units of 8 bytes, rounded up: one load instead of the arithmetic of kmalloc_index(). 0 for
 * size 0, the class whose cache is always shut.
 */
#define KMALLOC_UNITS (KMALLOC_MAX_CACHE_SIZE / 8 + 1)
extern u8 kmalloc_class[KMALLOC_UNITS];
extern struct kmem_cache *kmalloc_normal[NR_KMALLOC_CLASSES];

/* kmalloc(), whatever the size, without trying the magazines first. */
void *kmalloc_any(size_t size, gfp_t gfp, int node, uintptr_t caller);

/* Make the caches of all classes. Boot. 0 or -ENOMEM. */
int kmalloc_init(void);

#endif
