// SPDX-License-Identifier: MIT
/*
 * Caches: creating, merging, shrinking, destroying; their slabs' pages; start-up. The theory of what runs through
 * them is heap.c's.
 *
 * Start-up: 1. meta_alloc() works from pages alone; 2. CPU 0 gets its table; 3. the caches of kmalloc() are made, by
 * the same code as any other: a cache's own structures come from meta_alloc(), so none needs another cache first.
 */
#include <octavo/rcupdate.h>
#include <octavo/shrinker.h>

#include "heap.h"

#include "../base/part.h"
#include "../base/printk.h"
#include "../base/string.h"
#include "../boot/params.h"
#include "../phys/page_alloc.h"
#include "kfence.h"
#include "kmalloc.h"
#include "meta.h"

#define CACHE_LINE 64u
#define ALIGN_MIN ((unsigned int)sizeof(u64)) /* what 64-bit atomics on an object's first field need */

#define SLAB_CREATE_FLAGS                                                                                        \
	(SLAB_DEBUG_FLAGS | SLAB_KMALLOC | SLAB_HWCACHE_ALIGN | SLAB_CACHE_DMA | SLAB_CACHE_DMA32 | SLAB_PANIC | \
	 SLAB_TYPESAFE_BY_RCU | SLAB_NOLEAKTRACE | SLAB_NO_MERGE | SLAB_FAILSLAB | SLAB_ACCOUNT |                \
	 SLAB_NO_USER_FLAGS | SLAB_RECLAIM_ACCOUNT)
/* Caches with one of these keep to themselves. */
#define SLAB_NEVER_MERGE                                                                                       \
	(SLAB_DEBUG_FLAGS | SLAB_TYPESAFE_BY_RCU | SLAB_NOLEAKTRACE | SLAB_FAILSLAB | SLAB_NO_MERGE | SLAB_KMALLOC)
/* Merged caches agree on these. */
#define SLAB_MERGE_SAME (SLAB_RECLAIM_ACCOUNT | SLAB_CACHE_DMA | SLAB_CACHE_DMA32 | SLAB_ACCOUNT)

static struct {
	bool nomerge, random;
} options __memsys;

static int set_nomerge(const char *value)
{
	(void)value;
	options.nomerge = true;
	return 0;
}
early_param("slab_nomerge", set_nomerge);
early_param("slub_nomerge", set_nomerge);

static int set_merge(const char *value)
{
	(void)value;
	options.nomerge = false;
	return 0;
}
early_param("slab_merge", set_merge);
early_param("slub_merge", set_merge);

static int set_random(const char *value)
{
	return parse_bool(value, &options.random);
}
early_param("slab_freelist_random", set_random);

/* ---- Pages ---- */

static enum node_stat_item stat_of(const struct kmem_cache *cache)
{
	return cache->flags & SLAB_RECLAIM_ACCOUNT ? NR_SLAB_RECLAIMABLE_B : NR_SLAB_UNRECLAIMABLE_B;
}

unsigned long heap_slab_pages_nr(void)
{
	return (global_node_page_state(NR_SLAB_RECLAIMABLE_B) + global_node_page_state(NR_SLAB_UNRECLAIMABLE_B)) >>
	       PAGE_SHIFT;
}

struct page *heap_pages(gfp_t gfp, unsigned int order, int nid)
{
	struct page *page = alloc_pages_node(nid, gfp | (order ? __GFP_COMP : 0), order);

	if (likely(!page || page_to_pfn(page) < heap.bytes >> PAGE_SHIFT))
		return page;
	/* Memory that the direct map does not reach lies above what 32 bits address. */
	__free_pages(page, order);
	return alloc_pages_node(nid, (gfp & ~GFP_ZONEMASK) | __GFP_DMA32 | (order ? __GFP_COMP : 0), order);
}

struct page *heap_slab_pages(struct kmem_cache *cache, gfp_t gfp, int nid)
{
	struct page *page;

	page = heap_pages((gfp & GFP_HEAP_MASK) | cache->gfp, cache->order, nid);
	if (page)
		mod_node_page_state(NODE_DATA(page_to_nid(page)), stat_of(cache), (long)(PAGE_SIZE << cache->order));
	return page;
}

void heap_slab_bind(struct kmem_cache *cache, struct page *page, struct slab *slab)
{
	u32 slot = cache->slot ? cache->slot + slab->node : 0;

	if (unlikely(cache->ctor || (cache->flags & SLAB_DEBUG_FLAGS)))
		for (u32 i = 0; i < slab->objects; i++) {
			void *object = slab_object(cache, slab, i);

			if (cache->flags & SLAB_DEBUG_FLAGS)
				slab_debug_init_object(cache, slab, object);
			if (cache->ctor)
				cache->ctor(object);
		}
	for (unsigned int i = 0; i < 1u << slab->order; i++) {
		page[i].private_data = (uintptr_t)slab;
		store_relaxed(&page[i]._mapcount, (s32)slot);
		__SetPageSlab(&page[i]);
	}
}

void heap_slab_free(struct kmem_cache *cache, struct page *page)
{
	for (unsigned int i = 0; i < 1u << cache->order; i++) {
		__ClearPageSlab(&page[i]);
		store_relaxed(&page[i]._mapcount, -1);
		page[i].private_data = 0;
	}
	mod_node_page_state(NODE_DATA(page_to_nid(page)), stat_of(cache), -(long)(PAGE_SIZE << cache->order));
	mm_account_reclaimed_pages(1ul << cache->order);
	__free_pages(page, cache->order);
}

/* ---- Creating ---- */

/* An id, and with it slots in the CPUs' tables; 0 when they are used up, and the cache does without magazines. */
static u32 take_id(struct kmem_cache *cache)
{
	for (u32 id = 1; id < heap.caches_max; id++)
		if (!heap.by_id[id]) {
			heap.by_id[id] = cache;
			return id;
		}
	return 0;
}

static bool mergeable(const struct kmem_cache *cache)
{
	return !(cache->flags & SLAB_NEVER_MERGE) && !cache->ctor && !cache->usersize && !cache->dying;
}

/* A cache that can serve this one too: not more than a word larger, aligned as well, of the same kind. */
static struct kmem_cache *find_mergeable(const struct kmem_cache *want)
{
	struct kmem_cache *cache;

	if (!heap.merge || !mergeable(want))
		return NULL;
	list_for_each_entry(cache, &heap.caches, list)
		if (mergeable(cache) && cache->size >= want->size && cache->size - want->size < sizeof(void *) &&
		    !((cache->flags ^ want->flags) & SLAB_MERGE_SAME) && IS_ALIGNED(cache->size, want->align) &&
		    cache->align >= want->align)
			return cache;
	return NULL;
}

static bool name_taken(const char *name)
{
	struct kmem_cache *cache;

	list_for_each_entry(cache, &heap.caches, list)
		if (!strcmp(cache->name, name) && !cache->dying)
			return true;
	return false;
}

static unsigned int alignment(slab_flags_t flags, unsigned int align, unsigned int size)
{
	if (flags & SLAB_HWCACHE_ALIGN) {
		unsigned int line = CACHE_LINE;

		while (size <= line / 2)
			line /= 2;
		align = max(align, line);
	}
	return max(ALIGN(align, (unsigned int)sizeof(void *)), ALIGN_MIN);
}

/* Is what is asked for a cache at all? Says what is wrong. */
static bool check_args(const char *name, unsigned int size, const struct kmem_cache_args *args, slab_flags_t flags)
{
	if (!name || !*name)
		pr_err("kmem_cache_create: a cache of %u bytes without a name\n", size);
	else if (!size || size > KMALLOC_MAX_SIZE)
		pr_err("kmem_cache_create(%s): %u bytes; objects have 1 to %zu\n", name, size, KMALLOC_MAX_SIZE);
	else if (args->align & (args->align - 1) || args->align > PAGE_SIZE)
		pr_err("kmem_cache_create(%s): alignment %u is no power of two up to %zu\n", name, args->align,
		       PAGE_SIZE);
	else if (flags & ~SLAB_CREATE_FLAGS)
		pr_err("kmem_cache_create(%s): unknown flags %#x\n", name, flags & ~SLAB_CREATE_FLAGS);
	else if (args->usersize > size || args->useroffset > size - args->usersize)
		pr_err("kmem_cache_create(%s): bytes %u to %u for user space lie outside of %u\n", name,
		       args->useroffset, args->useroffset + args->usersize, size);
	else if (args->use_freeptr_offset && (!(flags & SLAB_TYPESAFE_BY_RCU) || args->ctor ||
					      args->freeptr_offset > size - min((size_t)size, sizeof(void *))))
		pr_err("kmem_cache_create(%s): a free pointer at %u needs SLAB_TYPESAFE_BY_RCU, no ctor, and room\n",
		       name, args->freeptr_offset);
	else if (!slab_is_available() && !(flags & SLAB_KMALLOC))
		pr_err("kmem_cache_create(%s): before mm_init()\n", name);
	else
		return true;
	return false;
}

static size_t cache_bytes(void)
{
	return sizeof(struct kmem_cache) + heap.nodes * sizeof(struct kmem_cache_node *);
}

/* ---- Names of merged caches ---- */

static void free_alias(struct cache_alias *alias)
{
	list_del(&alias->list);
	meta_free(alias, sizeof(*alias) + strlen(alias->name) + 1);
}

/* The name stands for another cache from now on. */
static void drop_alias(const char *name)
{
	struct kmem_cache *cache;
	struct cache_alias *alias, *next;

	list_for_each_entry(cache, &heap.caches, list)
		list_for_each_entry_safe(alias, next, &cache->aliases, list)
			if (!strcmp(alias->name, name))
				free_alias(alias);
}

/* Without memory the cache goes by its first name alone. */
static void add_alias(struct kmem_cache *cache, const char *name)
{
	struct cache_alias *alias = meta_alloc(sizeof(*alias) + strlen(name) + 1, GFP_KERNEL, NUMA_NO_NODE);

	if (!alias)
		return;
	memcpy(alias->name, name, strlen(name) + 1);
	list_add_tail(&alias->list, &cache->aliases);
}

static void free_cache(struct kmem_cache *cache)
{
	struct cache_alias *alias, *next;

	list_for_each_entry_safe(alias, next, &cache->aliases, list)
		free_alias(alias);
	if (cache->id)
		heap.by_id[cache->id] = NULL;
	backend_release(cache);
	slab_debug_release(cache);
	if (cache->name)
		meta_free((void *)(uintptr_t)cache->name, strlen(cache->name) + 1);
	meta_free(cache, cache_bytes());
}

/*
 * offset * reciprocal has the index in its high 32 bits, and below the reciprocal in its low ones exactly for
 * multiples of the size, as long as offset * size < 2^32 (Lemire, Kaser, Kurz, "Faster remainder by direct
 * computation", 2019). With one object only offset 0 is one: 1 does.
 */
static u32 reciprocal(const struct kmem_cache *cache)
{
	if (cache->objects <= 1)
		return 1;
	return (u32)(((1ull << 32) + cache->size - 1) / cache->size);
}

static struct kmem_cache *new_cache(const char *name, unsigned int size, const struct kmem_cache_args *args,
				    slab_flags_t flags)
{
	struct kmem_cache *cache = meta_alloc(cache_bytes(), GFP_KERNEL, NUMA_NO_NODE);
	char *copy = cache ? meta_alloc(strlen(name) + 1, GFP_KERNEL, NUMA_NO_NODE) : NULL;
	int err;

	if (!copy) {
		if (cache)
			meta_free(cache, cache_bytes());
		return NULL;
	}
	memcpy(copy, name, strlen(name) + 1);
	INIT_LIST_HEAD(&cache->aliases);
	cache->name = copy;
	cache->node = (struct kmem_cache_node **)(cache + 1);
	cache->flags = slab_debug_flags(name, flags, size);
	cache->object_size = size;
	cache->align = alignment(flags, args->align, size);
	cache->useroffset = args->useroffset;
	cache->usersize = args->usersize;
	cache->ctor = args->ctor;
	cache->gfp = (flags & SLAB_CACHE_DMA ? GFP_DMA : 0) | (flags & SLAB_CACHE_DMA32 ? GFP_DMA32 : 0) |
		     (flags & SLAB_RECLAIM_ACCOUNT ? __GFP_RECLAIMABLE : 0);
	cache->refcount = 1;
	err = slab_debug_layout(cache);
	if (!err) {
		err = backend_layout(cache);
		cache->span = cache->objects * cache->size;
		cache->reciprocal = reciprocal(cache);
	}
	if (err) {
		pr_err("kmem_cache_create(%s): objects of %u bytes, %u with what debugging adds, fit no slab\n", name,
		       size, cache->size);
		free_cache(cache);
		return NULL;
	}
	return cache;
}

static void enlist(struct kmem_cache *cache)
{
	/* slob tells by it whose an object is, too. */
	cache->id = cache->flags & SLAB_DEBUG_FLAGS ? 0 : take_id(cache);
	cache->slot = cache->id * heap.nodes;
	cache->number = ++heap.last_number;
	if (!cache->id)
		cache->mag_limit = cache->mag_batch = 0;
	list_add(&cache->list, &heap.caches);
}

struct kmem_cache *__kmem_cache_create_args(const char *name, unsigned int object_size,
					    const struct kmem_cache_args *args, slab_flags_t flags)
{
	static const struct kmem_cache_args none;
	struct kmem_cache *cache = NULL, *other;

	args = args ? args : &none;
	if (!check_args(name, object_size, args, flags))
		goto out;
	mutex_lock(&heap.mutex);
	if (name_taken(name)) {
		pr_err("kmem_cache of name '%s' already exists\n", name);
	} else {
		cache = new_cache(name, object_size, args, flags);
		other = cache ? find_mergeable(cache) : NULL;
		if (cache)
			drop_alias(name);
		if (other) {
			add_alias(other, name);
			other->refcount++;
			other->object_size = max(other->object_size, object_size);
			other->inuse = max(other->inuse, cache->inuse);
			free_cache(cache);
			cache = other;
		} else if (cache) {
			enlist(cache);
		} else {
			pr_err("kmem_cache_create(%s) failed\n", name);
		}
	}
	mutex_unlock(&heap.mutex);
out:
	if (!cache && (flags & SLAB_PANIC))
		port_panic("kmem_cache_create: a cache that must be could not be made");
	return cache;
}

/* ---- Shrinking and destroying ---- */

static unsigned long shrink(struct kmem_cache *cache, bool discard)
{
	struct backend_counts counts = { 0 };
	struct list_head dead;

	INIT_LIST_HEAD(&dead);
	heap_drain(cache, discard);
	backend_shrink(cache, &dead);
	backend_bury(cache, &dead);
	backend_count(cache, NUMA_NO_NODE, &counts);
	return counts.slabs;
}

int kmem_cache_shrink(struct kmem_cache *cache)
{
	unsigned long slabs;

	mutex_lock(&heap.mutex);
	slabs = shrink(cache, false);
	mutex_unlock(&heap.mutex);
	return slabs != 0;
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	unsigned int guarded;
	unsigned long flags;

	if (!cache)
		return;
	/* Objects that kfree_rcu() has are not in use. */
	rcu_barrier();
	mutex_lock(&heap.mutex);
	if (cache->dying || cache->refcount <= 0) {
		pr_err("kmem_cache_destroy %s: it is destroyed already\n", cache->name);
	} else if (!--cache->refcount) {
		spin_lock_irqsave(&heap.gate, flags);
		cache->dying = true;
		spin_unlock_irqrestore(&heap.gate, flags);
		guarded = kfence_shutdown_cache(cache, (uintptr_t)__builtin_return_address(0));
		if (guarded)
			pr_err("kmem_cache_destroy %s: %u objects still in use are guarded ones\n", cache->name,
			       guarded);
		if (shrink(cache, true)) {
			heap_report_remaining(cache);
		} else {
			if (cache->flags & SLAB_TYPESAFE_BY_RCU)
				rcu_barrier();
			list_del(&cache->list);
			free_cache(cache);
		}
	}
	mutex_unlock(&heap.mutex);
}

unsigned int kmem_cache_size(const struct kmem_cache *cache)
{
	return cache->object_size;
}

const char *kmem_cache_name(const struct kmem_cache *cache)
{
	return cache->name;
}

bool slab_is_available(void)
{
	return load_relaxed(&heap.state) == HEAP_UP;
}

unsigned long heap_errors(void)
{
	return load_relaxed(&heap.errors);
}

/* ---- Start-up ---- */

/* Slabs lie where memory has descriptors and the direct map reaches. */
static void set_bounds(void)
{
	phys_addr_t end = min(memblock.direct_map_end, PFN_PHYS(page_alloc_pfn_limit));

	store_relaxed(&heap.bytes, (uintptr_t)end);
}

static int heap_init(void)
{
	int err;

	heap.direct_map = memblock.direct_map;
	heap.nodes = nr_node_ids;
	heap.caches_max = heap_caches_max();
	heap.slots = heap_slots();
	heap.merge = !options.nomerge;
	heap.random = options.random;
	heap.mutex = (struct mutex)MUTEX_INIT;
	INIT_LIST_HEAD(&heap.caches);
	spin_lock_init(&heap.gate, LOCK_RANK_HEAP_GATE);
	set_bounds();
	if (alloc_hooks & HOOK_INIT_ON_ALLOC)
		heap.hooks |= HEAP_INIT_ON_ALLOC;
	if (alloc_hooks & HOOK_INIT_ON_FREE)
		heap.hooks |= HEAP_INIT_ON_FREE;
	err = meta_init();
	if (!err)
		err = backend_init();
	if (err)
		return err;
	heap.by_id = meta_alloc(heap.caches_max * sizeof(*heap.by_id), GFP_NOWAIT, NUMA_NO_NODE);
	if (!heap.by_id)
		return -ENOMEM;
	store_relaxed(&heap.state, HEAP_PARTIAL);
	err = heap_cpu_online(0);
	if (!err)
		err = kmalloc_init();
	if (!err)
		store_relaxed(&heap.state, HEAP_UP);
	return err;
}

MM_PART(heap, .order = MM_PART_HEAP, .cpu_setup = heap_cpu_setup, .init = heap_init,
	.cpu_online = heap_cpu_online, .cpu_dead = heap_cpu_dead, .memory_changed = set_bounds);
