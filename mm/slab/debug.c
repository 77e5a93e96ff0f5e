// SPDX-License-Identifier: MIT
/*
 * Debugged caches: what is done with their objects at each allocation and free.
 *
 * Purpose
 *	To find who writes where nothing is his: beside an object, into one that is free; and who frees what is free
 *	already, or no object. Each finding is reported once, in Linux's form, and put right, so that the machine goes
 *	on.
 *
 * Words
 *	red zone	bytes beside an object that nobody may write
 *	poison		what a free object is filled with
 *	slack		bytes of a kmalloc() object that were not asked for: red zone as well
 *	active		allocated, and marked so
 *
 * Structures
 *	One object of a cache with all flags; a slab has them one after the other, then its tail:
 *
 *	|<------------------------------------- cache->size ------------------------------------->|
 *	| left red zone | object   : slack | right red zone | meta | alloc, free track | padding  | next ...
 *	                ^ handed out       ^ object_size     ^ inuse                   ^ debug->end
 *
 *			free		allocated
 *	red zones	0xbb		0xcc
 *	object		0x6b .. 0xa5	0x6b .. 0xa5 when it is handed out, then the user's
 *	padding, tail	0x5a		0x5a
 *	meta		OBJECT_FREE	OBJECT_ALLOCATED, bytes asked for
 *
 *	The left red zone is as wide as the alignment, the right one a word at least. Which parts there are:
 *	Z (SLAB_RED_ZONE) the red zones; P (SLAB_POISON) poison and padding, but a free object of a cache with a
 *	constructor or with SLAB_TYPESAFE_BY_RCU keeps its contents; U (SLAB_STORE_USER) the tracks. F
 *	(SLAB_CONSISTENCY_CHECKS) looks at them all at each allocation and free; without it they are only for
 *	slab_debug_validate() and for dumps. A second free is found with any of the flags.
 *
 * Invariants
 *	HD-I1	an object of a debugged cache that is not handed out is OBJECT_FREE, with the marks of a free one, or
 *		OBJECT_DAMAGED and never handed out again
 *	HD-I2	of any number of frees of an object, at once or one after the other, one is good and the others are
 *	reported
 *	HD-I3	a planted damage is reported once: what is damaged is put right when it is reported
 *
 * Locking
 *	A lock a cache: what an object is, is looked at and changed in one step, so two CPUs that free it at once are
 *	told apart. The back end is called outside of it. Stacks are saved before it is taken. Reports have a lock of
 *	their own, the last but the console's.
 *
 * Memory use and bounds
 *	Full debugging adds to an object, on 64-bit: 8 bytes of meta, 48 of tracks, 16 of red zone and padding, and its
 *	alignment: one of 64 bytes in kmalloc-64 takes 256. Stacks: see mm/phys/stackdepot.c.
 *
 * What failure does
 *	No room for a stack: the track has its address alone. An object found damaged when it is to be handed out is
 *	kept out of use for good, one found damaged at its free stays allocated: its contents are evidence.
 *
 * Differences from Linux
 *	Whether an object is free stands behind it and not in a list through it: no "Freepointer corrupt", and a second
 *	free is found without red zones. fp= in a report is the next free object by address. A damaged free object
 *	takes only itself out of use, not its slab. Slack is a red zone with Z alone, there with U as well.
 *
 * Sources: Documentation/mm/slab.rst of Linux 6.12, and its reports.
 */
#include "debug.h"

#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/page_report.h"
#include "backend.h"

bool slab_debug_is_free(struct slab *slab, const struct kmem_cache *cache, const void *object)
{
	if (!cache->debug)
		return backend_is_free(slab, object);
	return READ_ONCE(object_meta(cache, object)->state) == OBJECT_FREE;
}

/* The slab's tail is marked with its last object. */
void slab_debug_init_object(struct kmem_cache *cache, struct slab *slab, void *object)
{
	u8 *p = object;

	if (cache->flags & SLAB_POISON)
		memset(p + cache->inuse, POISON_INUSE,
		       (size_t)((u8 *)object_limit(cache, object) - (p + cache->inuse)));
	if (cache->flags & SLAB_STORE_USER)
		memset(slab_debug_track(cache, object, TRACK_ALLOC), 0, 2 * sizeof(struct track));
	*object_meta(cache, object) = (struct object_meta){ .state = OBJECT_FREE, .orig_size = cache->object_size };
	debug_mark_object(cache, object, false);
	if (object == slab_object(cache, slab, slab->objects - 1u))
		debug_mark_slab(cache, slab);
}

static void trace(struct kmem_cache *cache, struct slab *slab, const void *object, bool alloc)
{
	struct heap_report report;

	if (!(cache->flags & SLAB_TRACE))
		return;
	report_prepare(&report, cache, slab);
	pr_info("TRACE %s %s 0x" ADDR_FMT " inuse=%u fp=0x" ADDR_FMT "\n", cache->name, alloc ? "alloc" : "free",
		ADDR(object), report.used, ADDR(report.free));
	if (!alloc)
		report_section("Object", object, cache->object_size);
	dump_stack();
}

static u32 save_stack(const struct kmem_cache *cache, uintptr_t caller)
{
	if (!(cache->flags & SLAB_STORE_USER))
		return 0;
	stack_depot_reserve(GFP_NOWAIT | __GFP_NOWARN);
	return stack_depot_save_current(caller);
}

/* ---- Handing out ---- */

/* Lock held. Is it a free object, and undamaged? */
static bool may_hand_out(struct kmem_cache *cache, struct slab *slab, void *object)
{
	const u32 state = object_meta(cache, object)->state;

	if (state == OBJECT_ALLOCATED || state == OBJECT_DAMAGED) {
		report_object_error(cache, slab, object, "Object that is not free was to be handed out");
		return false;
	}
	if (!(cache->flags & SLAB_CONSISTENCY_CHECKS))
		return true;
	if (!debug_check_object(cache, slab, object, false))
		return false;
	debug_check_slab(cache, slab);
	return true;
}

bool slab_debug_alloc(struct kmem_cache *cache, struct slab *slab, void *object, size_t size, uintptr_t caller)
{
	struct object_meta *meta = object_meta(cache, object);
	u32 stack, index;
	unsigned long flags;
	bool good;

	if (!slab_has_object(cache, slab, object, &index)) {
		heap_report_invalid_free(cache, slab, object, caller);
		return false;
	}
	stack = save_stack(cache, caller);
	spin_lock_irqsave(&cache->debug->lock, flags);
	good = may_hand_out(cache, slab, object);
	if (good) {
		WRITE_ONCE(meta->state, OBJECT_ALLOCATED);
		meta->orig_size = (u32)min(size, (size_t)cache->object_size);
		track_set(cache, object, TRACK_ALLOC, caller, stack);
		trace(cache, slab, object, true);
		debug_mark_object(cache, object, true);
	} else if (meta->state == OBJECT_FREE) {
		WRITE_ONCE(meta->state, OBJECT_DAMAGED);
		report_fix(cache->name, "Object at 0x" ADDR_FMT " kept out of use", ADDR(object));
	}
	spin_unlock_irqrestore(&cache->debug->lock, flags);
	return good;
}

/* ---- Coming back ---- */

/* Lock held. */
static bool may_free(struct kmem_cache *cache, struct slab *slab, void *object)
{
	const u32 state = object_meta(cache, object)->state;

	if (state == OBJECT_FREE || state == OBJECT_DAMAGED) {
		report_object_error(cache, slab, object, "Object already free");
		return false;
	}
	if (!(cache->flags & SLAB_CONSISTENCY_CHECKS))
		return true;
	debug_check_slab(cache, slab);
	return debug_check_object(cache, slab, object, true);
}

bool slab_debug_free(struct kmem_cache *cache, struct slab *slab, void *object, uintptr_t caller)
{
	unsigned long flags;
	u32 stack, index;
	bool good;

	if (!slab_has_object(cache, slab, object, &index)) {
		heap_report_invalid_free(cache, slab, object, caller);
		return false;
	}
	stack = save_stack(cache, caller);
	spin_lock_irqsave(&cache->debug->lock, flags);
	good = may_free(cache, slab, object);
	if (good) {
		track_set(cache, object, TRACK_FREE, caller, stack);
		trace(cache, slab, object, false);
		debug_mark_object(cache, object, false);
		WRITE_ONCE(object_meta(cache, object)->state, OBJECT_FREE);
	} else {
		report_fix(cache->name, "Object at 0x" ADDR_FMT " not freed", ADDR(object));
	}
	spin_unlock_irqrestore(&cache->debug->lock, flags);
	return good;
}

/* ---- Sizes ---- */

/* The debugged cache of kmalloc() that has handed @object out, or NULL: then its size is not followed. */
static struct kmem_cache *sized_cache(const void *object)
{
	struct page *page = heap_page(object);
	struct slab *slab = page && pfn_valid(page_to_pfn(page)) && PageSlab(page) ? page_slab(page) : NULL;
	struct kmem_cache *cache = slab ? slab->cache : NULL;
	u32 index;

	if (!cache || !cache->debug || !(cache->flags & SLAB_KMALLOC) || !slab_has_object(cache, slab, object, &index))
		return NULL;
	return cache;
}

static void set_size(struct kmem_cache *cache, u8 *object, size_t size, bool clear)
{
	struct object_meta *meta = object_meta(cache, object);
	unsigned long flags;
	u32 before;

	spin_lock_irqsave(&cache->debug->lock, flags);
	before = min(meta->orig_size, cache->object_size);
	if (clear && size > before)
		memset(object + before, 0, size - before);
	if (meta->state == OBJECT_ALLOCATED) {
		meta->orig_size = (u32)size;
		if (cache->flags & SLAB_RED_ZONE)
			memset(object + size, SLUB_RED_ACTIVE, cache->object_size - size);
	}
	spin_unlock_irqrestore(&cache->debug->lock, flags);
}

bool slab_resize_in_place(const void *object, size_t size, size_t old, gfp_t gfp)
{
	struct kmem_cache *cache = sized_cache(object);

	if (size > old)
		return false;
	if (cache)
		set_size(cache, (u8 *)(uintptr_t)object, size, gfp & __GFP_ZERO);
	else if (gfp & __GFP_ZERO) /* what is given up is clear when it comes back into use */
		memset((u8 *)(uintptr_t)object + size, 0, old - size);
	return true;
}

size_t slab_bytes_asked(const void *object, size_t old)
{
	struct kmem_cache *cache = sized_cache(object);

	return cache ? min((size_t)object_meta(cache, object)->orig_size, old) : old;
}

void slab_grant_room(const void *object, size_t room)
{
	struct kmem_cache *cache = sized_cache(object);

	if (cache)
		set_size(cache, (u8 *)(uintptr_t)object, min(room, (size_t)cache->object_size), false);
}

/* ---- All objects ---- */

struct validation {
	struct kmem_cache *cache;
	unsigned int findings;
};

static bool validate_slab(struct slab *slab, void *ctx)
{
	struct validation *v = ctx;
	struct kmem_cache *cache = v->cache;
	unsigned long flags;

	for (u32 i = 0; i < slab->objects; i++) {
		void *object = slab_object(cache, slab, i);
		u32 state;

		/* An object between its mark and the back end's is both ways the same here: the mark alone counts. */
		spin_lock_irqsave(&cache->debug->lock, flags);
		state = object_meta(cache, object)->state;
		if (state != OBJECT_DAMAGED)
			v->findings += !debug_check_object(cache, slab, object, state != OBJECT_FREE);
		spin_unlock_irqrestore(&cache->debug->lock, flags);
	}
	spin_lock_irqsave(&cache->debug->lock, flags);
	v->findings += !debug_check_slab(cache, slab);
	spin_unlock_irqrestore(&cache->debug->lock, flags);
	return true;
}

unsigned int slab_debug_validate(struct kmem_cache *cache)
{
	struct validation v = { .cache = cache };

	if (cache->debug)
		backend_for_each_slab(cache, validate_slab, &v);
	return v.findings;
}
