// SPDX-License-Identifier: MIT
/*
 * The heap under memory pressure: a shrinker like any other. What it counts is what nobody would miss: objects in
 * magazines, and in slabs kept though nothing of them is in use. It gives back whole caches' worth of that, in turn.
 */
#include <octavo/shrinker.h>

#include "../base/part.h"
#include "heap.h"
#include "info.h"

/* Caches are drained by all CPUs at once, which is dear: not for less than this many objects. */
#define BATCH 1024

static u32 turn __memsys; /* caches with a lower number come first, then the others; heap.mutex guards it */

static unsigned long held(struct kmem_cache *cache, int nid)
{
	struct heap_counts counts;
	unsigned long idle;

	heap_cache_counts(cache, nid, &counts);
	idle = counts.slabs.slabs - min(counts.slabs.slabs, counts.slabs.active_slabs);
	return counts.at_hand + idle * cache->objects;
}

unsigned long heap_reclaimable(int nid)
{
	struct kmem_cache *cache;
	unsigned long n = 0;

	if (!mutex_trylock(&heap.mutex))
		return 0;
	list_for_each_entry(cache, &heap.caches, list)
		n += held(cache, nid);
	mutex_unlock(&heap.mutex);
	return n;
}

static unsigned long give_back(struct kmem_cache *cache, int nid)
{
	unsigned long had = held(cache, nid);
	struct list_head dead;

	turn = cache->number;
	if (!had)
		return 0;
	INIT_LIST_HEAD(&dead);
	heap_drain(cache, false);
	backend_shrink(cache, &dead);
	backend_bury(cache, &dead);
	return had - min(had, held(cache, nid));
}

unsigned long heap_reclaim(int nid, unsigned long nr)
{
	struct kmem_cache *cache;
	unsigned long freed = 0;
	u32 from;

	if (!mutex_trylock(&heap.mutex))
		return 0;
	/* Newest first, as the list has them. */
	from = turn;
	list_for_each_entry(cache, &heap.caches, list)
		if (cache->number < from && freed < nr)
			freed += give_back(cache, nid);
	list_for_each_entry(cache, &heap.caches, list)
		if (cache->number >= from && freed < nr)
			freed += give_back(cache, nid);
	mutex_unlock(&heap.mutex);
	return freed;
}

static unsigned long heap_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long n = heap_reclaimable(sc->nid);

	(void)shrinker;
	return n ? n : SHRINK_EMPTY;
}

static unsigned long heap_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = heap_reclaim(sc->nid, sc->nr_to_scan);

	(void)shrinker;
	sc->nr_scanned = max(sc->nr_to_scan, freed);
	return freed ? freed : SHRINK_STOP;
}

static int heap_shrinker_init(void)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "heap");

	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = heap_count;
	shrinker->scan_objects = heap_scan;
	shrinker->batch = BATCH;
	shrinker_register(shrinker);
	return 0;
}
/* After the shrinkers themselves. */
MM_PART(heap_shrinker, .order = MM_PART_FAULT, .init = heap_shrinker_init);
