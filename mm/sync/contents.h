/* SPDX-License-Identifier: MIT */
/*
 * Contents of files: read(2) takes no lock, so their bytes are copied while others write them, as by a processor's own
 * accesses to shared memory. Who reads then gets old bytes, or new ones, or some of both, and nothing else depends on
 * it. To the thread sanitizer that is said by copying words as atomics, so that every other race on a page is found.
 */
#ifndef MM_SYNC_CONTENTS_H
#define MM_SYNC_CONTENTS_H

#include "../base/string.h"
#include "atomic.h"

#ifdef __SANITIZE_THREAD__

static inline void contents_copy(void *to, const void *from, size_t n)
{
	u8 *t = to;
	const u8 *f = from;

	for (; n && ((uintptr_t)t | (uintptr_t)f) % sizeof(u64); n--)
		store_relaxed(t++, load_relaxed(f++));
	for (; n >= sizeof(u64); n -= sizeof(u64), t += sizeof(u64), f += sizeof(u64))
		store_relaxed((u64 *)(void *)t, load_relaxed((const u64 *)(const void *)f));
	for (; n; n--)
		store_relaxed(t++, load_relaxed(f++));
}

static inline void contents_fill(void *to, int byte, size_t n)
{
	for (u8 *t = to; n; n--)
		store_relaxed(t++, (u8)byte);
}

#else

static force_inline void contents_copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
}

static force_inline void contents_fill(void *to, int byte, size_t n)
{
	memset(to, byte, n);
}

#endif

#endif
