/* SPDX-License-Identifier: MIT */
/* What a cache shows to the outside: copies and counts, so that nothing is locked while they are printed. */
#ifndef MM_SLAB_INFO_H
#define MM_SLAB_INFO_H

#include "backend.h"
#include "slab.h"

/* Longer names are shown cut. */
#define CACHE_NAME_MAX 80

struct heap_counts {
	struct backend_counts slabs;
	unsigned long at_hand;	 /* free objects in CPUs' magazines */
	unsigned long cpu_slabs; /* slabs that CPUs keep to themselves */
};

/* Objects that somebody uses. Sums are of different moments while others work: never below 0. */
static inline unsigned long heap_objects_used(const struct heap_counts *c)
{
	unsigned long out = c->slabs.objects - min(c->slabs.free, c->slabs.objects);

	return out - min(c->at_hand, out);
}

/*
 * heap_cache_counts - a cache's slabs and objects, on node @nid or (NUMA_NO_NODE) on all
 * Context: heap.mutex held, or nobody destroys the cache.
 */
void heap_cache_counts(struct kmem_cache *cache, int nid, struct heap_counts *counts);

struct cache_info {
	char name[CACHE_NAME_MAX];
	u32 number;
	slab_flags_t flags;
	u32 size, object_size, align, usersize;
	u32 objects, order;	   /* of a slab */
	u32 min_partial, cpu_slabs;
	u32 mag_limit, mag_batch;
	int aliases;		   /* names it has besides its own */
	uintptr_t ctor;
	struct heap_counts counts; /* of all nodes */
	struct backend_tunables tunables;
};

/* Copies what there is to know about the cache of this number. false: there is none. Thread context. */
bool heap_cache_info(u32 number, struct cache_info *info);

/* The same of the newest cache whose number is below @below (~0u: of all). false: none is left. */
bool heap_cache_info_below(u32 below, struct cache_info *info);

/*
 * Every cache, newest first, for reports when memory is short: @fn must not call the heap.
 * Return: false: somebody is changing the list, perhaps the caller, and there is nothing to be told.
 */
bool heap_cache_try_each(void (*fn)(void *ctx, const struct cache_info *info), void *ctx);

/* Counts of one node, and slabs that one CPU keeps, of the cache of this number; 0 if there is none. */
void heap_cache_node_counts(u32 number, int nid, struct heap_counts *counts);
unsigned int heap_cache_cpu_slabs(u32 number, unsigned int cpu);

/*
 * heap_cache_find - the cache of this name, or of which this is another name (merging)
 * @len: characters of @name that count. Return: its number, or -ENOENT.
 */
long heap_cache_find(const char *name, size_t len);

/* The first number from @from on that a cache has. */
bool heap_cache_next(u32 from, u32 *number);

/* The @index-th of all names that merging made second names. false: there are not so many. */
bool heap_cache_alias(unsigned int index, char *name, size_t size);

/*
 * heap_cache_get - keep a cache from going away while something is done to it; heap_cache_put() when it is done
 * Thread context. Return: NULL: there is none of that number.
 */
struct kmem_cache *heap_cache_get(u32 number);
void heap_cache_put(struct kmem_cache *cache);

/* Sets the tunables of the cache of this name. Return: as backend_tune(), or -EINVAL if there is no such cache. */
int heap_cache_tune(const char *name, size_t len, const unsigned int values[3]);

/* Is the object, not free in its slab, in a CPU's magazine? Exact only while nobody allocates or frees. */
bool heap_object_at_hand(struct kmem_cache *cache, const void *object);

#endif
