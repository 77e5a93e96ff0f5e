/* SPDX-License-Identifier: MIT */
/* The allocator of per-CPU areas. The theory stands in percpu.c. */
#ifndef MM_SLAB_PERCPU_H
#define MM_SLAB_PERCPU_H

#include <octavo/percpu.h>

#include "../base/list.h"
#include "../sync/mutex.h"
#include "../sync/percpu_unit.h"

#define GRANULE ((size_t)PCPU_MIN_ALLOC_SIZE)
#define CHUNK_GRANULES ((u32)(PERCPU_UNIT_SIZE / GRANULE))
#define CHUNK_WORDS (CHUNK_GRANULES / 64)
#define CHUNK_NONE (~0u)
/* In percpu.chunks: the number is not free yet, as the chunk's pages are being given back. */
#define CHUNK_LEAVING ((struct percpu_chunk *)1)

/* Legend: (l) percpu.lock, (c) constant. A chunk is what each CPU has a unit of, cut into granules. */
struct percpu_chunk {
	struct list_head list; /* (l) percpu.slot[percpu_slot()] */
	u32 index;	       /* (c) in percpu.chunks */
	u32 granules;	       /* (c) */
	u32 phase;	       /* (c) granules from a page boundary to the first */
	u32 free;	       /* (l) granules */
	u32 bound;	       /* (l) no run of free granules is longer */
	u32 first;	       /* (l) words ahead of this one have no free granule */
	u64 taken[CHUNK_WORDS];	 /* (l) allocated granules */
	u64 begins[CHUNK_WORDS]; /* (l) those an area begins with */
};

/* By free granules: slot n holds those with 2^(n-1) to 2^n - 1, slot 0 full ones; empty later chunks come last. */
#define PERCPU_SLOTS 16u
#define PERCPU_EMPTY_SLOT (PERCPU_SLOTS - 1)

/* A tool that follows areas: kmemleak. Either may be NULL. Any context. */
struct percpu_tool {
	void (*allocated)(const void __percpu *p, size_t size, gfp_t gfp);
	void (*freeing)(const void __percpu *p);
};

struct percpu {
	spinlock_t lock;
	struct mutex mutex; /* who makes a chunk */
	struct list_head slot[PERCPU_SLOTS]; /* (l) */
	struct percpu_chunk *chunks[PERCPU_LATER_MAX + 1]; /* (l) the first one and later ones, NULL: free number */
	struct percpu_chunk first;
	u32 nr_later;	       /* (l) */
	u32 nr_empty;	       /* (l) later chunks without areas */
	u32 warned;	       /* (a) reports of failures so far */
	unsigned long errors;  /* (a) frees that made no sense */
	unsigned long areas, used; /* (l) allocated areas, and their granules */
	const struct percpu_tool *tool; /* (a) */
};
extern struct percpu percpu;

/* NULL: none. Thread context, before areas that it should know are allocated. */
void percpu_tool_set(const struct percpu_tool *tool);

/* ---- percpu_chunk.c: one chunk's bits; percpu.lock is held ---- */

void chunk_init(struct percpu_chunk *chunk, u32 index, u32 granules, u32 phase);
/* The first granule of a free run of @n whose address is a multiple of @align granules, or CHUNK_NONE. */
u32 chunk_find(struct percpu_chunk *chunk, u32 n, u32 align);
void chunk_take(struct percpu_chunk *chunk, u32 start, u32 n);
/* How many granules the area at @start has; 0: none begins there. */
u32 chunk_area(const struct percpu_chunk *chunk, u32 start);
void chunk_give(struct percpu_chunk *chunk, u32 start, u32 n);
/* The next granule from @at on that is taken, or free; chunk->granules: none. */
u32 chunk_next_taken(const struct percpu_chunk *chunk, u32 at);
u32 chunk_next_free(const struct percpu_chunk *chunk, u32 at);

static inline unsigned int percpu_slot(const struct percpu_chunk *chunk)
{
	if (chunk->index && chunk->free == chunk->granules)
		return PERCPU_EMPTY_SLOT;
	return fls64(chunk->free);
}

#endif
