// SPDX-License-Identifier: MIT
/* The slob back end: questions about objects, counts, walks. See slob.c. */
#ifdef OCTAVO_HEAP_SLOB

#include "slob.h"

/* The entry of the object that starts at, or contains, @p; 0 entries are none: false. */
static bool look_up(struct slab *slab, const void *p, bool start, slob_entry_t *entry)
{
	struct slob_block *block = slob_block_of(slab);
	struct slob_node *n = slob_node(slab->node);
	size_t offset = (uintptr_t)p - (uintptr_t)slab->base;
	unsigned long flags;
	unsigned int i;

	if (offset >= PAGE_SIZE)
		return false;
	spin_lock_irqsave(&n->lock, flags);
	i = start ? slob_block_entry_of(block, p) : slob_block_find(block, (unsigned int)(offset / SLOB_UNIT));
	if (i != SLOB_NONE)
		*entry = *slob_entry_at(block, i);
	spin_unlock_irqrestore(&n->lock, flags);
	return i != SLOB_NONE;
}

struct kmem_cache *backend_cache_of(struct slab *slab, const void *object)
{
	slob_entry_t entry;
	u32 index;

	if (slab->cache)
		return slab_has_object(slab->cache, slab, object, &index) ? slab->cache : NULL;
	return look_up(slab, object, true, &entry) ? READ_ONCE(heap.by_id[slob_entry_id(entry)]) : NULL;
}

void *backend_object_of(struct slab *slab, const void *p)
{
	struct kmem_cache *cache = slab->cache;
	slob_entry_t entry;
	size_t offset = (uintptr_t)p - (uintptr_t)slab->base;
	char *object;

	if (!cache)
		return look_up(slab, p, false, &entry) ? (char *)slab->base + slob_entry_start(entry) * SLOB_UNIT :
							 NULL;
	if ((uintptr_t)p < (uintptr_t)slab->base || offset >= (size_t)slab->objects * cache->size)
		return NULL;
	object = slab_object(cache, slab, slab_index(cache, slab, p));
	return (const char *)p < object + cache->object_size ? object : NULL;
}

size_t backend_size_of(struct slab *slab, const void *object)
{
	struct kmem_cache *cache = slab->cache;
	slob_entry_t entry;

	if (cache)
		return cache->object_size;
	if (!look_up(slab, object, true, &entry))
		return 0;
	cache = READ_ONCE(heap.by_id[slob_entry_id(entry)]);
	return cache->flags & SLAB_KMALLOC ? slob_entry_units(entry) * SLOB_UNIT : cache->object_size;
}

size_t backend_kmalloc_size(size_t size, size_t class_bytes)
{
	bool shared = slob_is_shared(kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(size)], size);

	return shared ? ALIGN(size, (size_t)SLOB_UNIT) : class_bytes;
}

bool backend_is_free(struct slab *slab, const void *object)
{
	slob_entry_t entry;
	u32 index;

	if (slab->cache)
		return !slab_has_object(slab->cache, slab, object, &index) || slob_own_is_free(slab, index);
	return !look_up(slab, object, true, &entry);
}

/* Objects in blocks count as the pages that they alone would fill. */
void backend_count(struct kmem_cache *cache, int nid, struct backend_counts *counts)
{
	for (unsigned int i = 0; i < heap.nodes; i++) {
		struct kmem_cache_node *cn = slob_cache_node(cache, i);
		unsigned long own, free, shared, pages, listed, empty;

		if (!cn || (nid != NUMA_NO_NODE && nid != (int)i))
			continue;
		own = load_relaxed(&cn->slabs);
		free = load_relaxed(&cn->free);
		shared = load_relaxed(&cn->shared);
		pages = DIV_ROUND_UP(shared, cache->objects);
		counts->slabs += own + pages;
		listed = load_relaxed(&cn->listed);
		empty = load_relaxed(&cn->empty);
		empty = min(empty, listed);
		own = max(own, listed);
		counts->active_slabs += own - empty + pages;
		counts->objects += own * cache->objects + shared;
		counts->free += free;
		counts->partial += listed - empty;
	}
}

static bool has_objects_of(struct slob_block *block, const struct kmem_cache *cache)
{
	for (unsigned int i = 0; i < block->nr; i++)
		if (slob_entry_id(*slob_entry_at(block, i)) == cache->id)
			return true;
	return false;
}

/* With the lock, which is dropped around each call: what is on the list stays there. */
static bool walk_locked(struct slob_node *n, struct list_head *list, const struct kmem_cache *cache,
			bool (*fn)(struct slab *slab, void *ctx), void *ctx, unsigned long *flags)
{
	struct slab *slab;
	bool go = true;

	list_for_each_entry(slab, list, all) {
		if (!slab->cache && !has_objects_of(slob_block_of(slab), cache))
			continue;
		spin_unlock_irqrestore(&n->lock, *flags);
		go = fn(slab, ctx);
		spin_lock_irqsave(&n->lock, *flags);
		if (!go)
			break;
	}
	return go;
}

/* A walker leaves. Of the cache's empty slabs @keep may stay. */
static void sweep_locked(struct slob_node *n, struct kmem_cache *cache, struct kmem_cache_node *cn, unsigned long keep,
			 struct list_head *dead)
{
	struct slab *slab, *next;

	if (!--cn->walkers)
		list_for_each_entry_safe(slab, next, &cn->all, all)
			if (cn->empty > keep && slob_own_of(slab)->free == slab->objects)
				slob_own_drop_locked(cache, slab, dead);
	if (!--n->walkers)
		list_for_each_entry_safe(slab, next, &n->blocks, all)
			if (!slob_block_of(slab)->nr)
				slob_block_drop_locked(n, slob_block_of(slab), dead);
}

void backend_for_each_slab(struct kmem_cache *cache, bool (*fn)(struct slab *slab, void *ctx), void *ctx)
{
	struct list_head dead = LIST_HEAD_INIT(dead);
	bool go = true;

	for (unsigned int nid = 0; nid < heap.nodes && go; nid++) {
		struct kmem_cache_node *cn = slob_cache_node(cache, nid);
		struct slob_node *n = slob_node(nid);
		unsigned long flags;

		if (!n || !cn)
			continue;
		spin_lock_irqsave(&n->lock, flags);
		n->walkers++;
		cn->walkers++;
		go = walk_locked(n, &cn->all, cache, fn, ctx, &flags) &&
		     walk_locked(n, &n->blocks, cache, fn, ctx, &flags);
		sweep_locked(n, cache, cn, load_relaxed(&cache->min_partial), &dead);
		spin_unlock_irqrestore(&n->lock, flags);
	}
	backend_bury(cache, &dead);
}

/* Slabs that were made and not used, or became empty while somebody walked. */
void backend_shrink(struct kmem_cache *cache, struct list_head *dead)
{
	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *cn = slob_cache_node(cache, nid);
		struct slob_node *n = slob_node(nid);
		unsigned long flags;

		if (!n || !cn)
			continue;
		spin_lock_irqsave(&n->lock, flags);
		n->walkers++;
		cn->walkers++;
		sweep_locked(n, cache, cn, 0, dead);
		spin_unlock_irqrestore(&n->lock, flags);
	}
}

#endif
