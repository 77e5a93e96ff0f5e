/* SPDX-License-Identifier: MIT */
/* kmalloc()'s caches. */
#ifndef MM_SLAB_KMALLOC_H
#define MM_SLAB_KMALLOC_H

#include "slab.h"

/* Make the caches of all classes. Boot. 0 or -ENOMEM. */
int kmalloc_init(void);

#endif
