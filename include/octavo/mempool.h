/* SPDX-License-Identifier: MIT */
/*
 * Memory pools: allocations that cannot fail, because a reserve stands behind them. As Linux 6.12 names them
 * (<linux/mempool.h>).
 *
 * Progress is guaranteed as long as each element that was taken is freed without waiting for another allocation of
 * the same pool by the same thread: take one element at a time, and from a pool of its own at each layer.
 */
#ifndef OCTAVO_MEMPOOL_H
#define OCTAVO_MEMPOOL_H

#include <octavo/slab.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

/** mempool_alloc_t - the allocator behind a pool: an element, or NULL; may sleep only if @gfp allows it */
typedef void *(mempool_alloc_t)(gfp_t gfp, void *pool_data);
/** mempool_free_t - gives an element back to it; any context that mempool_free() is called in */
typedef void(mempool_free_t)(void *element, void *pool_data);

struct mempool_waiter;

/**
 * struct mempool_s - a pool; may be part of another structure (mempool_init() and mempool_exit())
 * Its fields are the implementation's; they are here so that it can be.
 * @lock, @lock_rank: guard what follows
 * @min_nr: elements the reserve should hold
 * @curr_nr: elements it holds
 * @elements: [capacity] the reserve
 * @pool_data, @alloc, @free: constant
 * @first, @last: threads that wait for an element, in the order in which they came
 * @kind: what the elements are, if the pool knows; for debugging
 */
typedef struct mempool_s {
	u8 lock, lock_rank;
	u8 kind;
	u8 poison;
	int min_nr;
	int curr_nr;
	int capacity;
	void **elements;
	void *pool_data;
	mempool_alloc_t *alloc;
	mempool_free_t *free;
	struct mempool_waiter *first, *last;
} mempool_t;

/** mempool_initialized - between mempool_init() and mempool_exit()? A pool that is all zero is not. */
static inline bool mempool_initialized(const mempool_t *pool)
{
	return pool->elements != NULL;
}

/** mempool_is_saturated - is the reserve full? Context: any; the answer may be old when it arrives. */
OCTAVO_API bool mempool_is_saturated(const mempool_t *pool);

/**
 * mempool_init - make a pool in memory of the caller's, with a full reserve
 * @min_nr: elements of the reserve, at least 1
 * @alloc, @free: where elements come from and go to
 * @pool_data: passed to both
 *
 * Context: thread context, may sleep. Return: 0; -EINVAL for a reserve of none or without functions, after a report;
 * -ENOMEM when the reserve could not be filled: nothing is kept.
 */
OCTAVO_API int __must_check mempool_init(mempool_t *pool, int min_nr, mempool_alloc_t *alloc, mempool_free_t *free,
					 void *pool_data);
/** mempool_init_node - the same; the reserve and the elements are allocated with @gfp, the pool's array on @node */
OCTAVO_API int __must_check mempool_init_node(mempool_t *pool, int min_nr, mempool_alloc_t *alloc,
					      mempool_free_t *free, void *pool_data, gfp_t gfp, int node);
/**
 * mempool_exit - free what mempool_init() made, and the reserve
 * Elements that are out may be freed by their allocator's own means only afterwards. A pool that is not initialized:
 * nothing. Context: thread context; nobody uses the pool any more.
 */
OCTAVO_API void mempool_exit(mempool_t *pool);

/** mempool_create - mempool_init() in memory of the heap. Return: NULL where mempool_init() returns an error. */
OCTAVO_API mempool_t *__must_check mempool_create(int min_nr, mempool_alloc_t *alloc, mempool_free_t *free,
						  void *pool_data);
OCTAVO_API mempool_t *__must_check mempool_create_node(int min_nr, mempool_alloc_t *alloc, mempool_free_t *free,
						       void *pool_data, gfp_t gfp, int node);
/** mempool_destroy - mempool_exit() of a pool that mempool_create() made; NULL: nothing */
OCTAVO_API void mempool_destroy(mempool_t *pool);

/**
 * mempool_resize - change the size of the reserve
 * @new_min_nr: at least 1
 * A larger reserve is filled as far as memory allows without waiting for ever; what is missing comes from elements
 * that are freed. Context: thread context, may sleep; others may allocate and free meanwhile, and resize.
 * Return: 0; -EINVAL after a report; -ENOMEM: the reserve is as it was.
 */
OCTAVO_API int __must_check mempool_resize(mempool_t *pool, int new_min_nr);

/**
 * mempool_alloc - an element
 * @gfp: with __GFP_DIRECT_RECLAIM it never fails: when neither the allocator nor the reserve has an element, the
 *       thread sleeps until one is freed; who came first is served first. __GFP_ZERO is refused: an element of the
 *       reserve holds what its last user left.
 *
 * The allocator is asked with __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN, the first time without
 * __GFP_DIRECT_RECLAIM and __GFP_IO: the reserve is there so that the machine's own reserves are left alone and
 * nobody tries long.
 * Context: any that @gfp allows. Return: NULL only without __GFP_DIRECT_RECLAIM, or after a report for __GFP_ZERO.
 */
OCTAVO_API void *__must_check mempool_alloc(mempool_t *pool, gfp_t gfp);

/** mempool_alloc_preallocated - an element of the reserve, or NULL. Any context. */
OCTAVO_API void *__must_check mempool_alloc_preallocated(mempool_t *pool);

/** mempool_free - give an element back: to who waits longest, else to a reserve that lacks some, else to the
 * allocator. NULL: nothing. Any context that the pool's @free allows. */
OCTAVO_API void mempool_free(void *element, mempool_t *pool);

/* ---- Pools of the usual things; @pool_data is what the comment says ---- */

/* a struct kmem_cache * */
OCTAVO_API void *mempool_alloc_slab(gfp_t gfp, void *pool_data);
OCTAVO_API void mempool_free_slab(void *element, void *pool_data);
/* the size in bytes, as a pointer */
OCTAVO_API void *mempool_kmalloc(gfp_t gfp, void *pool_data);
OCTAVO_API void mempool_kfree(void *element, void *pool_data);
OCTAVO_API void *mempool_kvmalloc(gfp_t gfp, void *pool_data);
OCTAVO_API void mempool_kvfree(void *element, void *pool_data);
/* the order, as a pointer; elements are struct page * */
OCTAVO_API void *mempool_alloc_pages(gfp_t gfp, void *pool_data);
OCTAVO_API void mempool_free_pages(void *element, void *pool_data);

static inline int __must_check mempool_init_slab_pool(mempool_t *pool, int min_nr, struct kmem_cache *cache)
{
	return mempool_init(pool, min_nr, mempool_alloc_slab, mempool_free_slab, (void *)cache);
}

static inline mempool_t *__must_check mempool_create_slab_pool(int min_nr, struct kmem_cache *cache)
{
	return mempool_create(min_nr, mempool_alloc_slab, mempool_free_slab, (void *)cache);
}

static inline int __must_check mempool_init_kmalloc_pool(mempool_t *pool, int min_nr, size_t size)
{
	return mempool_init(pool, min_nr, mempool_kmalloc, mempool_kfree, (void *)size);
}

static inline mempool_t *__must_check mempool_create_kmalloc_pool(int min_nr, size_t size)
{
	return mempool_create(min_nr, mempool_kmalloc, mempool_kfree, (void *)size);
}

static inline int __must_check mempool_init_kvmalloc_pool(mempool_t *pool, int min_nr, size_t size)
{
	return mempool_init(pool, min_nr, mempool_kvmalloc, mempool_kvfree, (void *)size);
}

static inline mempool_t *__must_check mempool_create_kvmalloc_pool(int min_nr, size_t size)
{
	return mempool_create(min_nr, mempool_kvmalloc, mempool_kvfree, (void *)size);
}

static inline int __must_check mempool_init_page_pool(mempool_t *pool, int min_nr, int order)
{
	return mempool_init(pool, min_nr, mempool_alloc_pages, mempool_free_pages, (void *)(uintptr_t)order);
}

static inline mempool_t *__must_check mempool_create_page_pool(int min_nr, int order)
{
	return mempool_create(min_nr, mempool_alloc_pages, mempool_free_pages, (void *)(uintptr_t)order);
}

OCTAVO_END_DECLS
#endif
