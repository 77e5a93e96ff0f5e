/* SPDX-License-Identifier: MIT */
/* Fault injection for objects. */
#ifndef MM_SLAB_FAILSLAB_H
#define MM_SLAB_FAILSLAB_H

#include "../phys/fault_attr.h"

extern struct fault_point failslab;

#endif
