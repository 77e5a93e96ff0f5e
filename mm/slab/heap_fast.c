// SPDX-License-Identifier: MIT
/*
 * The heap's fast paths: what every allocation and free runs. Theory in heap.c.
 *
 * They are leaf functions that end in a tail call when there is more to do, so they keep no frame (mk/core.mk). What is
 * passed on as the caller is who called them: the heap's user, also where a compiler makes no tail calls.
 */
#include "../base/string.h"
#include "heap.h"
#include "kmalloc.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* ---- The long ways, as they are jumped to ---- */

static noinline void *cache_alloc_slow(struct kmem_cache *cache, gfp_t gfp, uintptr_t caller)
{
	return heap_alloc_slow(cache, gfp, NUMA_NO_NODE, cache->object_size, caller);
}

static noinline void *cache_alloc_size_slow(struct kmem_cache *cache, gfp_t gfp, size_t size, uintptr_t caller)
{
	return heap_alloc_slow(cache, gfp, NUMA_NO_NODE, size, caller);
}

static noinline void *kmalloc_slow(size_t size, gfp_t gfp, uintptr_t caller)
{
	return kmalloc_any(size, gfp, NUMA_NO_NODE, caller);
}

/* ---- Magazines ---- */

/* The newest object of this CPU's magazine, or NULL. */
static force_inline void *pop(const struct kmem_cache *cache)
{
	struct magazine *mag;
	unsigned long flags;
	void *object;
	unsigned long n;

	if (unlikely(!cpu_section_try(&flags)))
		return NULL;
	mag = load_acquire(&this_cpu_const(heap_local)[cache->slot]);
	if (unlikely(__builtin_sub_overflow(mag->nr, 1ul, &n))) {
		cpu_section_leave(flags);
		return NULL;
	}
	store_relaxed(&mag->nr, n);
	object = mag->objs[n];
	if (!object)
		__builtin_unreachable();
	cpu_section_leave(flags);
	return object;
}

/* Into this CPU's magazine. @cache: what the caller says it is of, or NULL. */
static force_inline void push(struct kmem_cache *cache, void *object, struct page *page, uintptr_t caller)
{
	const u32 slot = (u32)page->_mapcount;
	struct magazine *mag;
	unsigned long flags;
	unsigned long n;

	if (unlikely(!cpu_section_try(&flags))) {
		heap_free_slow(cache, object, caller);
		return;
	}
	mag = load_acquire(&this_cpu_const(heap)[slot]);
	n = mag->nr;
	if (unlikely(n >= mag->limit)) {
		backend_free_full(cache, object, page, mag, flags, caller);
		return;
	}
	mag->objs[n] = object;
	store_relaxed(&mag->nr, n + 1);
	cpu_section_leave(flags);
}

/*
 * The page of an address where a slab may be, as far as one look tells: its slot is right if PG_slab is set. NULL:
 * not an address of the heap.
 */
static force_inline struct page *find_page(const void *object)
{
	uintptr_t offset = (uintptr_t)object - heap.direct_map;
	struct page *page;

	if (unlikely(offset >= heap.bytes))
		return NULL;
	page = pfn_to_page(offset >> PAGE_SHIFT);
	if (unlikely(!page_plain_flag(page, PG_slab)))
		return NULL;
	return page;
}

/* ---- Caches ---- */

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *object = pop(cache);

	if (unlikely(!object))
		return cache_alloc_slow(cache, gfp, CALLER);
	if (unlikely(gfp & __GFP_ZERO))
		return heap_zero(cache, object);
	return object;
}

void *kmalloc_cache_alloc(struct kmem_cache *cache, gfp_t gfp, size_t size)
{
	void *object = pop(cache);

	if (unlikely(!object))
		return cache_alloc_size_slow(cache, gfp, size, CALLER);
	if (unlikely(gfp & __GFP_ZERO))
		return heap_zero(cache, object);
	return object;
}

void *kmalloc_cache_take(struct kmem_cache *cache, gfp_t gfp, size_t size)
{
	void *object = pop(cache);

	if (unlikely(!object))
		return cache_alloc_size_slow(cache, gfp, size, CALLER);
	return object;
}

void *kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t gfp, int node)
{
	return heap_alloc_slow(cache, gfp, node, cache->object_size, CALLER);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	struct page *page = find_page(object);

	if (likely(page) && likely((u32)page->_mapcount - cache->slot < heap.nodes))
		push(cache, object, page, CALLER);
	else
		heap_free_slow(cache, object, CALLER);
}

/* ---- kmalloc ---- */

/* Cleared, or from a zone or for a use of its own. */
static noinline void *kmalloc_special(size_t size, gfp_t gfp, uintptr_t caller)
{
	struct kmem_cache *cache;
	void *object;

	if (unlikely(size > KMALLOC_MAX_CACHE_SIZE))
		return kmalloc_slow(size, gfp, caller);
	cache = kmalloc_caches[kmalloc_type(gfp)][kmalloc_class[(size + 7) / 8]];
	object = size ? pop(cache) : NULL;
	if (unlikely(!object))
		return kmalloc_slow(size, gfp, caller);
	return gfp & __GFP_ZERO ? heap_zero(cache, object) : object;
}

void *__kmalloc(size_t size, gfp_t gfp)
{
	void *object;

	if (unlikely(gfp & (__GFP_DMA | __GFP_RECLAIMABLE | __GFP_ZERO)))
		return kmalloc_special(size, gfp, CALLER);
	if (unlikely(size > KMALLOC_MAX_CACHE_SIZE))
		return kmalloc_slow(size, gfp, CALLER);
	object = pop(kmalloc_normal[kmalloc_class[(size + 7) / 8]]);
	if (unlikely(!object))
		return kmalloc_slow(size, gfp, CALLER);
	return object;
}

void kfree(const void *object)
{
	struct page *page = find_page(object);

	if (likely(page))
		push(NULL, (void *)object, page, CALLER);
	else
		heap_free_slow(NULL, (void *)object, CALLER);
}
