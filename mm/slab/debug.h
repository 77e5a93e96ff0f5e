/* SPDX-License-Identifier: MIT */
/*
 * Caches that check and mark their objects: what the rest of the heap and its files in /sys ask of them. The theory
 * stands in debug.c; what every allocation and free calls, in slab.h.
 */
#ifndef MM_SLAB_DEBUG_H
#define MM_SLAB_DEBUG_H

#include "../phys/stackdepot.h"
#include "slab.h"

/* ---- Parameters ---- */

/* slab_min_order=, slab_max_order=, slab_min_objects= (0: as many as suit the number of CPUs) and their slub_ names. */
extern unsigned int slab_min_order, slab_max_order, slab_min_objects;

/* slab_debug=O: no debugging that would make a cache's slabs larger */
bool slab_debug_keeps_order(void);

/* ---- An object's records ---- */

enum track_item { TRACK_ALLOC, TRACK_FREE };

/* Who allocated an object last, or freed it. */
struct track {
	uintptr_t addr; /* return address in the heap's user; 0: never happened */
	u32 stack;	/* handle in the stack store */
	s32 pid;
	u32 cpu;
	u32 when; /* in jiffies */
};

/* jiffies as Debian's kernels count them: 250 a second */
u32 slab_debug_jiffies(void);

/* An object's record, or NULL if its cache keeps none. */
struct track *slab_debug_track(const struct kmem_cache *cache, const void *object, enum track_item item);

/*
 * slab_debug_for_each_track - the records of all allocated objects
 * @fn: called under the cache's debug lock; @waste: bytes of the object that were not asked for. false ends it
 * Context: thread context.
 */
void slab_debug_for_each_track(struct kmem_cache *cache, enum track_item item,
			       bool (*fn)(void *ctx, const struct track *track, size_t waste), void *ctx);

/*
 * slab_debug_traces - the text of /sys/kernel/debug/slab/NAME/alloc_traces (free_traces): places in the code with the
 * number of allocated objects that are theirs, the most frequent first
 * @put: called with a piece of text, complete lines
 * Context: thread context. Return: 0; -ENOSYS if the cache keeps no records; -ENOMEM.
 */
int slab_debug_traces(struct kmem_cache *cache, enum track_item item,
		      void (*put)(void *ctx, const char *text, size_t len), void *ctx);

/* ---- Checks ---- */

/*
 * slab_debug_validate - check all objects of a cache, and what lies between them (/sys/kernel/slab/NAME/validate)
 * What is damaged is reported and put right. Context: thread context. Return: findings.
 */
unsigned int slab_debug_validate(struct kmem_cache *cache);

/* ---- Inside: debug*.c, report.c, track.c ---- */

/* Bytes that mark what an object is and was. As in Linux, so that dumps read the same. */
#define SLUB_RED_INACTIVE 0xbb /* red zone of a free object */
#define SLUB_RED_ACTIVE 0xcc   /* of an allocated one */
#define POISON_INUSE 0x5a      /* what no object uses */
#define POISON_FREE 0x6b       /* a free object */
#define POISON_END 0xa5	       /* its last byte */

enum object_state {
	OBJECT_FREE = 0x0b1ef4ee,
	OBJECT_ALLOCATED = 0x0b1ea110,
	OBJECT_DAMAGED = 0x0b1edead, /* was found damaged when it was to be handed out: kept out of use */
};

/* Behind each object of a debugged cache. */
struct object_meta {
	u32 state;	/* enum object_state, or damage */
	u32 orig_size; /* as asked for */
};

/* A cache's part. Legend: (c) constant, (l) guarded by the lock. */
struct slab_debug {
	spinlock_t lock; /* a check and what it makes of the object are one step */
	u32 end;	 /* (c) bytes from an object's start to where its padding begins */
	bool poison;	 /* (c) contents of free objects are poisoned */
};

static inline struct object_meta *object_meta(const struct kmem_cache *cache, const void *object)
{
	return (struct object_meta *)((uintptr_t)object + cache->inuse);
}

/* Where an object's bytes end: the next one's red zone, or the slab's tail, follows. */
static inline char *object_limit(const struct kmem_cache *cache, const void *object)
{
	return (char *)(uintptr_t)object + cache->size - cache->red_left_pad;
}

/* Without a debug part: what the back end says. */
bool slab_debug_is_free(struct slab *slab, const struct kmem_cache *cache, const void *object);

/* debug_check.c: an object, and the slab around it, damaged or not; @active: as an allocated one. Lock held. */
bool debug_check_object(struct kmem_cache *cache, struct slab *slab, void *object, bool active);
bool debug_check_slab(struct kmem_cache *cache, struct slab *slab);
/* Red zones and poison as they must be. Lock held. */
void debug_mark_object(struct kmem_cache *cache, void *object, bool active);
void debug_mark_slab(struct kmem_cache *cache, struct slab *slab);

/* track.c. Stacks are saved before the lock is taken. */
void track_set(struct kmem_cache *cache, void *object, enum track_item item, uintptr_t caller, u32 stack);

/* report.c. Between begin and end one CPU alone reports. */
struct heap_report {
	struct kmem_cache *cache; /* may be NULL */
	struct slab *slab;	  /* may be NULL */
	unsigned int used;	  /* objects of the slab that are not free, and the first that is */
	const void *free;
	unsigned long flags;
};
/* Finds out what it will say of the slab, before it takes the report's lock. */
void report_prepare(struct heap_report *report, struct kmem_cache *cache, struct slab *slab);
__printf(3, 4) void report_begin(struct heap_report *report, const char *name, const char *fmt, ...);
void report_end(struct heap_report *report);
__printf(2, 3) void report_fix(const char *name, const char *fmt, ...);
void report_tracking(struct kmem_cache *cache, const void *object);
void report_slab(const struct heap_report *report);
void report_section(const char *name, const void *from, size_t bytes);
/* Everything known of an object, and the stack of the caller. */
void report_object(const struct heap_report *report, const void *object);
/* A whole report about an object. */
__printf(4, 5) void report_object_error(struct kmem_cache *cache, struct slab *slab, const void *object,
					const char *fmt, ...);

/* An address as Linux prints it behind 0x: all its digits. */
#define ADDR_FMT "%0*lx"
#define ADDR(p) (int)(2 * sizeof(void *)), (unsigned long)(uintptr_t)(p)

#endif
