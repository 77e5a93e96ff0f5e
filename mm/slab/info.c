// SPDX-License-Identifier: MIT
/*
 * What a cache shows to the outside. Readers get copies, taken cache by cache under heap.mutex, which is not held while
 * they are printed: who takes the text may call the heap.
 *
 * A magazine of another CPU is only looked at: its count may be of a moment ago.
 */
#include "info.h"

#include "../base/string.h"

/* NULL: the CPU has no magazine for the cache and node, or somebody is draining it. */
static struct cpu_cache *cpu_cache_of(const struct kmem_cache *cache, unsigned int cpu, int nid)
{
	return cache->slot ? heap_cpu_cache(cpu, cache->slot + (unsigned int)nid) : NULL;
}

static void count_at_hand(const struct kmem_cache *cache, int nid, struct heap_counts *counts)
{
	for_each_possible_cpu(cpu) {
		struct cpu_cache *cc = cpu_cache_of(cache, cpu, nid);

		if (!cc)
			continue;
		counts->at_hand += READ_ONCE(cc->mag.nr);
		counts->cpu_slabs += READ_ONCE(cc->nr_slabs);
	}
}

void heap_cache_counts(struct kmem_cache *cache, int nid, struct heap_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	backend_count(cache, nid, &counts->slabs);
	if (nid != NUMA_NO_NODE) {
		count_at_hand(cache, nid, counts);
		return;
	}
	for (u32 node = 0; node < heap.nodes; node++)
		count_at_hand(cache, (int)node, counts);
}

/* ---- Back ends without tunables ---- */

__weak void backend_tunables(struct kmem_cache *cache, struct backend_tunables *tunables)
{
	(void)cache;
	memset(tunables, 0, sizeof(*tunables));
}

__weak int backend_tune(struct kmem_cache *cache, unsigned int limit, unsigned int batchcount, unsigned int shared)
{
	(void)cache;
	(void)limit;
	(void)batchcount;
	(void)shared;
	return -EIO;
}

/* ---- By number ---- */

/* heap.mutex is held. */
static struct kmem_cache *cache_of_number(u32 number)
{
	struct kmem_cache *cache;

	list_for_each_entry(cache, &heap.caches, list)
		if (cache->number == number && !cache->dying)
			return cache;
	return NULL;
}

static void fill_info(struct kmem_cache *cache, struct cache_info *info)
{
	strscpy(info->name, cache->name, sizeof(info->name));
	info->number = cache->number;
	info->flags = cache->flags;
	info->size = cache->size;
	info->object_size = cache->object_size;
	info->align = cache->align;
	info->usersize = cache->usersize;
	info->objects = cache->objects;
	info->order = cache->order;
	info->min_partial = READ_ONCE(cache->min_partial);
	info->cpu_slabs = READ_ONCE(cache->cpu_slabs);
	info->mag_limit = cache->mag_limit;
	info->mag_batch = cache->mag_batch;
	info->aliases = max(cache->refcount - 1, 0);
	info->ctor = (uintptr_t)cache->ctor;
	heap_cache_counts(cache, NUMA_NO_NODE, &info->counts);
	backend_tunables(cache, &info->tunables);
}

bool heap_cache_info(u32 number, struct cache_info *info)
{
	struct kmem_cache *cache;

	mutex_lock(&heap.mutex);
	cache = cache_of_number(number);
	if (cache)
		fill_info(cache, info);
	mutex_unlock(&heap.mutex);
	return cache != NULL;
}

/* The list begins with the newest, whose number is greatest. */
bool heap_cache_info_below(u32 below, struct cache_info *info)
{
	struct kmem_cache *cache;
	bool found = false;

	mutex_lock(&heap.mutex);
	list_for_each_entry(cache, &heap.caches, list) {
		found = cache->number < below;
		if (found) {
			fill_info(cache, info);
			break;
		}
	}
	mutex_unlock(&heap.mutex);
	return found;
}

bool heap_cache_try_each(void (*fn)(void *ctx, const struct cache_info *info), void *ctx)
{
	struct kmem_cache *cache;
	struct cache_info info;

	if (!mutex_trylock(&heap.mutex))
		return false;
	list_for_each_entry(cache, &heap.caches, list) {
		if (cache->dying)
			continue;
		fill_info(cache, &info);
		fn(ctx, &info);
	}
	mutex_unlock(&heap.mutex);
	return true;
}

void heap_cache_node_counts(u32 number, int nid, struct heap_counts *counts)
{
	struct kmem_cache *cache;

	memset(counts, 0, sizeof(*counts));
	mutex_lock(&heap.mutex);
	cache = cache_of_number(number);
	if (cache)
		heap_cache_counts(cache, nid, counts);
	mutex_unlock(&heap.mutex);
}

unsigned int heap_cache_cpu_slabs(u32 number, unsigned int cpu)
{
	struct kmem_cache *cache;
	unsigned int nr = 0;

	mutex_lock(&heap.mutex);
	cache = cache_of_number(number);
	for (u32 nid = 0; cache && nid < heap.nodes; nid++) {
		struct cpu_cache *cc = cpu_cache_of(cache, cpu, (int)nid);

		nr += cc ? READ_ONCE(cc->nr_slabs) : 0;
	}
	mutex_unlock(&heap.mutex);
	return nr;
}

bool heap_cache_next(u32 from, u32 *number)
{
	struct kmem_cache *cache;
	bool found = false;

	mutex_lock(&heap.mutex);
	list_for_each_entry(cache, &heap.caches, list) {
		if (cache->number < from)
			break;
		if (cache->dying)
			continue;
		*number = cache->number;
		found = true;
	}
	mutex_unlock(&heap.mutex);
	return found;
}

static bool same_name(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && !strncmp(name, text, len);
}

/* heap.mutex is held. */
static struct kmem_cache *cache_of_name(const char *name, size_t len)
{
	struct kmem_cache *cache;

	list_for_each_entry(cache, &heap.caches, list) {
		struct cache_alias *alias;

		if (cache->dying)
			continue;
		if (same_name(cache->name, name, len))
			return cache;
		list_for_each_entry(alias, &cache->aliases, list)
			if (same_name(alias->name, name, len))
				return cache;
	}
	return NULL;
}

long heap_cache_find(const char *name, size_t len)
{
	struct kmem_cache *cache;
	long number;

	mutex_lock(&heap.mutex);
	cache = cache_of_name(name, len);
	number = cache ? (long)cache->number : -ENOENT;
	mutex_unlock(&heap.mutex);
	return number;
}

int heap_cache_tune(const char *name, size_t len, const unsigned int values[3])
{
	struct kmem_cache *cache;
	int error;

	mutex_lock(&heap.mutex);
	cache = cache_of_name(name, len);
	error = cache ? backend_tune(cache, values[0], values[1], values[2]) : -EINVAL;
	mutex_unlock(&heap.mutex);
	return error;
}

bool heap_cache_alias(unsigned int index, char *name, size_t size)
{
	struct kmem_cache *cache;
	struct cache_alias *alias;
	bool found = false;

	mutex_lock(&heap.mutex);
	list_for_each_entry(cache, &heap.caches, list) {
		list_for_each_entry(alias, &cache->aliases, list) {
			if (index--)
				continue;
			strscpy(name, alias->name, size);
			found = true;
			break;
		}
		if (found)
			break;
	}
	mutex_unlock(&heap.mutex);
	return found;
}

/* ---- Holding one ---- */

/* A user more, as merging makes one: who destroys the cache meanwhile leaves it to heap_cache_put(). */
struct kmem_cache *heap_cache_get(u32 number)
{
	struct kmem_cache *cache;

	mutex_lock(&heap.mutex);
	cache = cache_of_number(number);
	if (cache)
		cache->refcount++;
	mutex_unlock(&heap.mutex);
	return cache;
}

void heap_cache_put(struct kmem_cache *cache)
{
	kmem_cache_destroy(cache);
}

bool heap_object_at_hand(struct kmem_cache *cache, const void *object)
{
	for_each_possible_cpu(cpu) {
		for (u32 nid = 0; nid < heap.nodes; nid++) {
			struct cpu_cache *cc = cpu_cache_of(cache, cpu, (int)nid);
			u32 nr = cc ? min(READ_ONCE(cc->mag.nr), cc->mag.limit) : 0;

			for (u32 i = 0; i < nr; i++)
				if (READ_ONCE(cc->mag.objs[i]) == object)
					return true;
		}
	}
	return false;
}
