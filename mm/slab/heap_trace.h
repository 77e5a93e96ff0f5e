/* SPDX-License-Identifier: MIT */
#ifndef MM_SLAB_HEAP_TRACE_H
#define MM_SLAB_HEAP_TRACE_H

#include "../base/compiler.h"

/* Some of the heap's trace events are on, or none. Thread context, one caller at a time. */
void heap_trace(bool on);

#endif
