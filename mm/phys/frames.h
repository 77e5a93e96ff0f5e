/* SPDX-License-Identifier: MIT */
/*
 * Frames: free memory as bits, below struct page. Everything here is in frame numbers; who uses the frame
 * and what its descriptor says is the page allocator's business (page_alloc.c).
 *
 * Layers, each in its file: pageblock.c (one block of 512 bits: take, give, orders), blockindex.c (which
 * block to take from), rmqueue.c (fallback between migrate types, highatomic reserve, CMA balance),
 * cpupages.c (per-CPU rows in front). frames_verify.c checks them.
 */
#ifndef MM_PHYS_FRAMES_H
#define MM_PHYS_FRAMES_H

#include <octavo/mmzone.h>

#include "../base/compiler.h"
#include "../sync/spinlock.h"

struct zone;
struct pageblock;

/* Allocation flags the frame layer honours; page_alloc.c derives them from GFP. */
#define ALLOC_HIGHATOMIC 0x01u /* may take from the highatomic reserve */
#define ALLOC_CMA 0x02u	       /* may take from CMA blocks */
#define ALLOC_NOFRAGMENT 0x04u /* do not steal part of another type's pageblock */
#define ALLOC_NO_PCP 0x08u     /* bypass the per-CPU caches */

#include "frames_types.h"

/*
 * frames_bytes - bytes of metadata for a zone spanning @spanned frames from @start: what
 * frames_zone_init() wants, zeroed, naturally aligned to 128.
 */
size_t frames_bytes(unsigned long start, unsigned long spanned);
void frames_zone_init(struct zone *zone, void *metadata);
/* The same with blocks for [start, start + frames), which holds the span: it may grow so far by memory hotplug. */
void frames_zone_init_room(struct zone *zone, void *metadata, unsigned long start, unsigned long frames);

/* The same for the per-CPU caches: one array for all zones of a CPU. */
size_t cpu_pages_bytes(unsigned int zones);
void cpu_pages_init(unsigned int cpu, void *memory, unsigned int zones);
/*
 * frames_set_limits - CPUs may cache so much of the zone as suits @frames frames; while nothing is cached.
 * The rule stands under "Memory use and bounds" in frames.c.
 */
void frames_set_limits(struct zone *zone, unsigned long frames);
#define CACHED_PART 8u /* rows and slots of all CPUs: a zone's frames by this, as Linux's pcp->high_max */
#define WHOLE_PART 32u /* whole blocks of all CPUs */

/*
 * frames_add - hand the frames [start, end) over as free. Whole blocks not seen before cost O(1) together.
 * They join blocks of type @migratetype (blocks already in use keep theirs).
 */
void frames_add(struct zone *zone, unsigned long start, unsigned long end, unsigned int migratetype);

/*
 * frame_alloc - 2^order aligned frames, through the per-CPU caches where they serve the order.
 * Tries @migratetype, then the fallbacks the flags allow. NR_FREE_PAGES and NR_FREE_CMA_PAGES are kept here.
 * Return: first frame or PFN_NONE.
 */
unsigned long frame_alloc(struct zone *zone, unsigned int order, unsigned int migratetype, unsigned int alloc_flags);

/* Up to @nr single frames into pfns[]; returns how many. */
unsigned long frame_alloc_bulk(struct zone *zone, unsigned int migratetype, unsigned int alloc_flags,
			       unsigned long nr, unsigned long *pfns);

/*
 * frame_free - give 2^order frames back.
 * Return: false if some of them are free already; nothing is changed then and the caller reports it.
 */
bool __must_check frame_free(struct zone *zone, unsigned long pfn, unsigned int order);

/* Put what this CPU / every CPU has cached of @zone back into the blocks. */
void frames_drain_cpu(struct zone *zone);
void frames_drain_all(struct zone *zone);

/* Take exactly [start, end) if all of it is free (in blocks, not in caches); else nothing and false. */
bool __must_check frames_claim(struct zone *zone, unsigned long start, unsigned long end);

/* Is the frame free, cached or in a block? (0 used, 1 free in its block, 2 in some CPU's cache) */
int frame_state(struct zone *zone, unsigned long pfn);

/* Migrate type of the block of @pfn; changing it moves its free frames along. */
unsigned int get_pageblock_migratetype(struct zone *zone, unsigned long pfn);
void set_pageblock_migratetype(struct zone *zone, unsigned long pfn, unsigned int migratetype);

/* Free blocks of each order that the bits spell, as /proc/buddyinfo shows it; per type, and over all. */
void frames_count(struct zone *zone, unsigned int migratetype, unsigned long nr_free[NR_PAGE_ORDERS]);
void frames_count_all(struct zone *zone, unsigned long nr_free[NR_PAGE_ORDERS]);

/* Might the zone serve @order for @migratetype with @alloc_flags? For the watermark check of high orders. */
bool frames_order_available(struct zone *zone, unsigned int order, unsigned int migratetype, unsigned int alloc_flags);

/*
 * cpu_pages_events - what one CPU has allocated and freed of a zone so far: allocations, and frames
 * Costs the fast paths nothing: it is worked out from what rows and slots were loaded with.
 */
struct frame_events {
	unsigned long allocs, alloc_frames, free_frames;
};
struct frame_events cpu_pages_events(struct zone *zone, unsigned int cpu);

/* Frames in the cache of one CPU (pcp count), and over all types. */
unsigned int cpu_pages_count(struct zone *zone, unsigned int cpu);

/* Return highatomic blocks to ordinary use; true if any page was freed for it. Called before giving up. */
bool unreserve_highatomic(struct zone *zone, bool force);

/*
 * frames_verify - check every invariant of a zone's frames, which must be quiescent.
 * Each finding goes to @report as one line; returns their number.
 */
unsigned int frames_verify(struct zone *zone, void (*report)(void *ctx, const char *line), void *ctx);

/*
 * What page_report.c provides: frames of @bits, from @pfn on, were freed although they were free; found only when a
 * CPU's buffer went back to the blocks. Any context; no lock of this layer is held, but a section may be open.
 */
void frames_bad_free(struct zone *zone, unsigned long pfn, u64 bits);

#endif
