/* SPDX-License-Identifier: MIT */
/*
 * Shrinkers: how caches of objects are asked to become smaller, as Linux 6.12 names it (<linux/shrinker.h>;
 * Documentation/admin-guide/mm/shrinker_debugfs.rst).
 *
 *	static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
 *	{
 *		return cached_objects;
 *	}
 *	...
 *	shrinker = shrinker_alloc(0, "my-cache");
 *	shrinker->count_objects = count;
 *	shrinker->scan_objects = scan;
 *	shrinker_register(shrinker);
 */
#ifndef OCTAVO_SHRINKER_H
#define OCTAVO_SHRINKER_H

#include <octavo/gfp.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

struct mem_cgroup;

/**
 * struct shrink_control - what one call of a shrinker is to do
 * @gfp_mask: what the callback may do to free memory: not enter file systems without __GFP_FS, not start I/O without
 *            __GFP_IO
 * @nid: node to look at; 0 if the shrinker is not SHRINKER_NUMA_AWARE
 * @nr_to_scan: objects to look at
 * @nr_scanned: objects that were looked at; equals @nr_to_scan unless the callback changes it
 * @memcg: NULL: there are no memory cgroups
 */
struct shrink_control {
	gfp_t gfp_mask;
	int nid;
	unsigned long nr_to_scan;
	unsigned long nr_scanned;
	struct mem_cgroup *memcg;
};

#define SHRINK_STOP (~0UL)	/* scan_objects: no progress is possible now */
#define SHRINK_EMPTY (~0UL - 1) /* count_objects: there are no objects at all; 0 means "cannot tell, or not now" */

#define DEFAULT_SEEKS 2 /* disk seeks that it takes to make an object again */
#define SHRINK_BATCH 128UL

/* Bits as Linux numbers them. */
#define SHRINKER_REGISTERED (1u << 0)
#define SHRINKER_ALLOCATED (1u << 1)
#define SHRINKER_NUMA_AWARE (1u << 2)  /* is called for each node with that node's objects */
#define SHRINKER_MEMCG_AWARE (1u << 3) /* accepted and without effect: there are no memory cgroups */
#define SHRINKER_NONSLAB (1u << 4)     /* frees what is no slab's */

/**
 * struct shrinker - a cache that can be made smaller; made by shrinker_alloc(), filled in by its owner
 * @count_objects: how many objects could be freed; SHRINK_EMPTY if there are none. It must be quick; a deadlock must
 *                 not be possible in it, so it takes a lock only by trying.
 * @scan_objects: look at sc->nr_to_scan objects and free what can be freed. Return: objects freed, or SHRINK_STOP.
 * @batch: objects a call looks at; 0: SHRINK_BATCH
 * @seeks: what an object costs to make again; 0: nothing, half the cache goes at each call
 * @flags: SHRINKER_*; the first two are kept by the core
 * @private_data: the owner's
 *
 * Callbacks run in thread context, without locks of the core, and may allocate and free. Several may run at once, on
 * several CPUs, unless the owner sees to it that they do not.
 */
struct shrinker {
	unsigned long (*count_objects)(struct shrinker *shrinker, struct shrink_control *sc);
	unsigned long (*scan_objects)(struct shrinker *shrinker, struct shrink_control *sc);
	long batch;
	int seeks;
	unsigned int flags;
	void *private_data;
};

/**
 * shrinker_alloc - make a shrinker, not yet in use
 * @flags: SHRINKER_NUMA_AWARE, SHRINKER_MEMCG_AWARE, SHRINKER_NONSLAB
 * @fmt: its name, as printf() forms it; for /sys/kernel/debug/shrinker
 * Context: thread context, may sleep. Return: with seeks DEFAULT_SEEKS and all else 0; NULL: no memory.
 */
OCTAVO_API __attribute__((format(printf, 2, 3))) struct shrinker *__must_check shrinker_alloc(unsigned int flags,
											      const char *fmt, ...);

/**
 * shrinker_register - from now on it may be called
 * One without callbacks, with a negative batch or seeks, or registered before is reported and stays as it was.
 * Context: thread context.
 */
OCTAVO_API void shrinker_register(struct shrinker *shrinker);

/**
 * shrinker_free - take it out of use, wait until nobody is in its callbacks, and free it
 * From its own callback: it is not called again, and goes when that callback has returned. NULL: nothing.
 * Context: thread context, may sleep; no lock that the callbacks take may be held. Two shrinkers must not free each
 * other from their callbacks.
 */
OCTAVO_API void shrinker_free(struct shrinker *shrinker);

/**
 * shrink_slab - put pressure on all shrinkers: reclaim's call
 * @gfp: of the allocation that needs memory
 * @nid: node that is short; shrinkers that are not NUMA aware are called as well, for their node 0
 * @memcg: NULL
 * @priority: 2^-@priority of each cache is looked at (times 4 / seeks); 12 is the mildest in use, 0 means all
 * Context: thread context, may sleep. Return: objects freed.
 */
OCTAVO_API unsigned long shrink_slab(gfp_t gfp, int nid, struct mem_cgroup *memcg, int priority);

/**
 * mm_account_reclaimed_pages - the running thread has given back so many pages
 * What counts for reclaim is pages, not objects. Those of slabs are counted as they go; a shrinker that frees pages of
 * its own (SHRINKER_NONSLAB) says so from its scan_objects. Context: any.
 */
OCTAVO_API void mm_account_reclaimed_pages(unsigned long pages);

/** drop_slab - shrink everything, on all nodes, until next to nothing is freed any more. Context: as shrink_slab(). */
OCTAVO_API void drop_slab(void);

OCTAVO_END_DECLS
#endif
