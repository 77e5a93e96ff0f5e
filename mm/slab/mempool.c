// SPDX-License-Identifier: MIT
/*
 * Memory pools.
 *
 * Purpose
 *	Writing dirty memory out is what makes memory free, and it needs memory itself. A pool lays a few elements
 *	aside so that such work can always go on: mempool_alloc() that may sleep does not fail.
 *
 * Words
 *	reserve: the elements laid aside, a stack. Short: it holds fewer than min_nr, so some of its elements are out.
 *	allocator: where elements come from as long as there is memory.
 *
 * Structures
 *	mempool_t -- elements --> [ e0 | e1 | ... | e(curr_nr - 1) | ... min_nr | ... capacity ]
 *	          -- first --> waiter --> waiter <-- last        (on the stacks of the threads that wait)
 *	A waiter is handed its element: nobody who came later can take it away in between, so all are served in order.
 *
 * Invariants
 *	MP-I1  0 <= curr_nr <= min_nr <= capacity, except that curr_nr may be above min_nr while the pool shrinks.
 *	MP-I2  while a thread waits, the reserve is empty: an element that comes in goes to the first of them.
 *	MP-I3  as long as the reserve is short, elements go to it, and not to the allocator: who has an element that
 *	       was taken from the reserve sees curr_nr without it.
 *	MP-I4  what lies in the reserve of a poisoned pool is POISON throughout, with POISON_END at its end.
 *
 *	Progress: at most min_nr elements are ever missing from the reserve, each with a holder that will free it. That
 *	one finds the reserve short (MP-I3) and hands the element to the first that waits (MP-I2).
 *
 * Locking
 *	The pool's lock guards counts, array and queue; interrupts are off. The allocator is called without it.
 *	mempool_free() looks at curr_nr without the lock: the element may have reached its holder by plain stores, so
 *	the taker's count is kept ahead of these by a write fence and the holder's look behind its read of the pointer
 *	by a read fence. An element that came from the allocator may find an old count and go back there although
 *	somebody waits; that is memory which the waiter finds when it asks the allocator again, at the latest after
 *	WAIT_NS.
 *
 * Memory use and bounds
 *	min_nr elements and an array of pointers to them. After shrinking the array keeps its size.
 *
 * What failure does
 *	Without __GFP_DIRECT_RECLAIM mempool_alloc() returns NULL when allocator and reserve have nothing. A pool whose
 *	reserve cannot be filled is not made. Damaged poison is reported and counted; the element is handed out.
 *
 * Differences from Linux
 *	Elements are handed over in order, where Linux wakes a thread that then competes with newcomers. A reserve of
 *	none is refused, and so is __GFP_ZERO. Two resizes at once are allowed.
 *
 * Sources
 *	Linux 6.12 API, Documentation/core-api/mm-api.rst ("Memory pools").
 */
#include "mempool.h"

#include <octavo/page.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/spinlock.h"
#include "slab.h"

#define WAIT_NS 5000000000ull /* Linux: 5 * HZ */
#define WAIT_PARKS 100000u
#define POISON 0x6b
#define POISON_END 0xa5
#define POISON_INUSE 0x5a

enum element_kind { KIND_OTHER, KIND_SLAB, KIND_KMALLOC, KIND_PAGES };

#ifdef OCTAVO_DEBUG
bool mempool_poison __memsys = true;
#else
bool mempool_poison __memsys;
#endif
unsigned long mempool_errors __memsys;

static spinlock_t *pool_lock(mempool_t *pool)
{
	octavo_static_assert(sizeof(spinlock_t) == 2 && offsetof(mempool_t, lock_rank) == offsetof(mempool_t, lock) + 1,
			     "lock and lock_rank are a spinlock");
	return (spinlock_t *)(void *)&pool->lock;
}

/* ---- Poison ---- */

/* Bytes of an element that may be written while it lies in the reserve; 0: none. */
static size_t element_size(const mempool_t *pool)
{
	const struct kmem_cache *cache = pool->pool_data;

	switch ((enum element_kind)pool->kind) {
	case KIND_SLAB: /* what a constructor made, or a reader may still look at, stays */
		return cache->ctor || cache->flags & SLAB_TYPESAFE_BY_RCU ? 0 : cache->object_size;
	case KIND_KMALLOC:
		return (size_t)pool->pool_data;
	case KIND_PAGES:
		return PAGE_SIZE << (uintptr_t)pool->pool_data;
	case KIND_OTHER:
		break;
	}
	return 0;
}

static void report_poison(const mempool_t *pool, const void *element, const u8 *data, size_t size, size_t at)
{
	size_t from = at > 8 ? at - 8 : 0, to = min(at + 8, size);

	atomic_add_relaxed(&mempool_errors, 1ul);
	pr_err("BUG: mempool element poison mismatch\n");
	pr_err("Mempool %p size %zu\n", (const void *)pool, element_size(pool));
	pr_err(" nr=%d @ %p: %s", load_relaxed(&pool->curr_nr), element, from ? "... " : "");
	for (size_t i = from; i < to; i++)
		pr_err("%02x ", data[i]);
	pr_err("%s\n", to < size ? "..." : "");
}

/* One piece of an element, @last if it is its end. Checking: at the first damaged byte, a report. Then in use. */
static bool poison_piece(const mempool_t *pool, const void *element, u8 *data, size_t size, bool last, bool check)
{
	bool good = true;

	if (check) {
		for (size_t i = 0; good && i < size; i++)
			if (data[i] != (last && i == size - 1 ? POISON_END : POISON)) {
				report_poison(pool, element, data, size, i);
				good = false;
			}
		memset(data, POISON_INUSE, size);
	} else {
		memset(data, POISON, size);
		if (last)
			data[size - 1] = POISON_END;
	}
	return good;
}

static void poison_element(const mempool_t *pool, void *element, bool check)
{
	size_t size = pool->poison ? element_size(pool) : 0;

	if (!size)
		return;
	if (pool->kind != KIND_PAGES) {
		poison_piece(pool, element, element, size, true, check);
		return;
	}
	for (size_t i = 0; i < size >> PAGE_SHIFT; i++) {
		u8 *data = kmap_local_page((struct page *)element + i);
		bool good = poison_piece(pool, element, data, PAGE_SIZE, i == (size >> PAGE_SHIFT) - 1, check);

		kunmap_local(data);
		if (!good)
			check = false; /* one report an element; the rest is only overwritten */
	}
}

/* ---- The reserve ---- */

static void *reserve_pop_locked(mempool_t *pool)
{
	int nr = pool->curr_nr;

	if (!nr)
		return NULL;
	store_relaxed(&pool->curr_nr, nr - 1);
	return pool->elements[nr - 1];
}

static void waiter_remove_locked(mempool_t *pool, struct mempool_waiter *waiter)
{
	struct mempool_waiter *before = NULL;

	for (struct mempool_waiter *w = pool->first; w != waiter; w = w->next)
		before = w;
	if (before)
		before->next = waiter->next;
	else
		pool->first = waiter->next;
	if (pool->last == waiter)
		pool->last = before;
}

/* To the first that waits, or to the reserve. False: neither wants it. */
static bool reserve_push(mempool_t *pool, void *element)
{
	struct mempool_waiter *waiter;
	uintptr_t thread = 0;
	unsigned long flags;
	bool taken = true;

	spin_lock_irqsave(pool_lock(pool), flags);
	waiter = pool->first;
	if (waiter) {
		waiter_remove_locked(pool, waiter);
		thread = waiter->thread; /* the waiter is gone as soon as it sees its element */
		store_release(&waiter->element, element);
	} else if (pool->curr_nr < pool->min_nr) {
		pool->elements[pool->curr_nr] = element;
		store_relaxed(&pool->curr_nr, pool->curr_nr + 1);
	} else {
		taken = false;
	}
	spin_unlock_irqrestore(pool_lock(pool), flags);
	if (thread)
		port_unpark(thread);
	return taken;
}

void *mempool_alloc_preallocated(mempool_t *pool)
{
	unsigned long flags;
	void *element;

	spin_lock_irqsave(pool_lock(pool), flags);
	element = reserve_pop_locked(pool);
	spin_unlock_irqrestore(pool_lock(pool), flags);
	if (!element)
		return NULL;
	smp_wmb(); /* the count ahead of whatever passes the element on: mempool_free() */
	poison_element(pool, element, true);
	return element;
}

/* ---- Allocating ---- */

/* Sleep in the queue until an element comes, from whoever frees one or, now and then, from the allocator. */
static void *wait_for_element(mempool_t *pool, gfp_t gfp)
{
	struct mempool_waiter self = { .thread = port_thread_self() };
	void *element;
	unsigned long flags;

	spin_lock_irqsave(pool_lock(pool), flags);
	element = reserve_pop_locked(pool);
	if (!element) {
		if (pool->last)
			pool->last->next = &self;
		else
			pool->first = &self;
		pool->last = &self;
	}
	spin_unlock_irqrestore(pool_lock(pool), flags);
	if (element) {
		smp_wmb();
		poison_element(pool, element, true);
		return element;
	}
	while (!(element = load_acquire(&self.element))) {
		u64 until = port_clock_ns() + WAIT_NS;
		void *other;

		/* parks may end early; without a clock there are only so many of them */
		for (unsigned int n = 0; !element && n < WAIT_PARKS && port_clock_ns() < until; n++) {
			port_park(WAIT_NS);
			element = load_acquire(&self.element);
		}
		if (element)
			break;
		other = pool->alloc(gfp, pool->pool_data);
		if (!other)
			continue;
		spin_lock_irqsave(pool_lock(pool), flags);
		element = self.element;
		if (!element)
			waiter_remove_locked(pool, &self);
		spin_unlock_irqrestore(pool_lock(pool), flags);
		if (!element)
			return other;
		mempool_free(other, pool); /* both came at once: the next one's luck */
	}
	smp_wmb();
	return element;
}

void *mempool_alloc(mempool_t *pool, gfp_t gfp)
{
	gfp_t quick;
	void *element;

	if (unlikely(gfp & __GFP_ZERO)) {
		pr_err("mempool_alloc: __GFP_ZERO: elements of the reserve are not cleared (called from %p)\n",
		       __builtin_return_address(0));
		return NULL;
	}
	gfp = (gfp | __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN) & ~(__GFP_NOFAIL | __GFP_MEMALLOC);
	quick = gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_IO);
	element = pool->alloc(quick, pool->pool_data);
	if (likely(element))
		return element;
	element = mempool_alloc_preallocated(pool);
	if (element)
		return element;
	if (quick != gfp)
		element = pool->alloc(gfp, pool->pool_data);
	if (element || !(gfp & __GFP_DIRECT_RECLAIM))
		return element;
	return wait_for_element(pool, gfp);
}

void mempool_free(void *element, mempool_t *pool)
{
	if (unlikely(!element))
		return;
	smp_rmb(); /* the element's pointer was read before: see Locking */
	if (unlikely(load_relaxed(&pool->curr_nr) < load_relaxed(&pool->min_nr))) {
		poison_element(pool, element, false);
		if (reserve_push(pool, element))
			return;
	}
	pool->free(element, pool->pool_data);
}

bool mempool_is_saturated(const mempool_t *pool)
{
	return load_relaxed(&pool->curr_nr) >= load_relaxed(&pool->min_nr);
}

/* ---- Making, resizing ---- */

static enum element_kind kind_of(mempool_alloc_t *alloc)
{
	return alloc == mempool_alloc_slab  ? KIND_SLAB
	       : alloc == mempool_kmalloc   ? KIND_KMALLOC
	       : alloc == mempool_alloc_pages ? KIND_PAGES
					      : KIND_OTHER;
}

int mempool_init_node(mempool_t *pool, int min_nr, mempool_alloc_t *alloc, mempool_free_t *free, void *pool_data,
		      gfp_t gfp, int node)
{
	memset(pool, 0, sizeof(*pool));
	if (min_nr < 1 || !alloc || !free) {
		pr_err("mempool_init: a reserve of %d elements%s: expected at least 1, and both functions\n", min_nr,
		       alloc && free ? "" : " without an allocator");
		return -EINVAL;
	}
	spin_lock_init(pool_lock(pool), LOCK_RANK_MEMPOOL);
	pool->alloc = alloc;
	pool->free = free;
	pool->pool_data = pool_data;
	pool->kind = (u8)kind_of(alloc);
	pool->poison = mempool_poison;
	pool->min_nr = pool->capacity = min_nr;
	pool->elements = kmalloc_array_node((size_t)min_nr, sizeof(void *), gfp, node);
	if (!pool->elements)
		return -ENOMEM;
	while (pool->curr_nr < min_nr) {
		void *element = alloc(gfp, pool_data);

		if (!element) {
			mempool_exit(pool);
			return -ENOMEM;
		}
		poison_element(pool, element, false);
		reserve_push(pool, element);
	}
	return 0;
}

int mempool_init(mempool_t *pool, int min_nr, mempool_alloc_t *alloc, mempool_free_t *free, void *pool_data)
{
	return mempool_init_node(pool, min_nr, alloc, free, pool_data, GFP_KERNEL, NUMA_NO_NODE);
}

void mempool_exit(mempool_t *pool)
{
	void *element;

	if (!mempool_initialized(pool))
		return;
	while ((element = mempool_alloc_preallocated(pool)))
		pool->free(element, pool->pool_data);
	kfree(pool->elements);
	pool->elements = NULL;
}

mempool_t *mempool_create_node(int min_nr, mempool_alloc_t *alloc, mempool_free_t *free, void *pool_data, gfp_t gfp,
			       int node)
{
	mempool_t *pool = kzalloc_node(sizeof(*pool), gfp, node);

	if (pool && mempool_init_node(pool, min_nr, alloc, free, pool_data, gfp, node)) {
		kfree(pool);
		return NULL;
	}
	return pool;
}

mempool_t *mempool_create(int min_nr, mempool_alloc_t *alloc, mempool_free_t *free, void *pool_data)
{
	return mempool_create_node(min_nr, alloc, free, pool_data, GFP_KERNEL, NUMA_NO_NODE);
}

void mempool_destroy(mempool_t *pool)
{
	if (!pool)
		return;
	mempool_exit(pool);
	kfree(pool);
}

/* What is above the new size goes to the allocator, one at a time and without the lock. */
static void shrink_reserve(mempool_t *pool)
{
	while (load_relaxed(&pool->curr_nr) > load_relaxed(&pool->min_nr)) {
		void *element = NULL;
		unsigned long flags;

		spin_lock_irqsave(pool_lock(pool), flags);
		if (pool->curr_nr > pool->min_nr)
			element = reserve_pop_locked(pool);
		spin_unlock_irqrestore(pool_lock(pool), flags);
		if (!element)
			return;
		poison_element(pool, element, true);
		pool->free(element, pool->pool_data);
	}
}

int mempool_resize(mempool_t *pool, int new_min_nr)
{
	void **array = NULL, *element;
	unsigned long flags;

	if (new_min_nr < 1) {
		pr_err("mempool_resize: a reserve of %d elements: expected at least 1\n", new_min_nr);
		return -EINVAL;
	}
	if (new_min_nr > load_relaxed(&pool->capacity)) {
		array = kmalloc_array((size_t)new_min_nr, sizeof(void *), GFP_KERNEL);
		if (!array)
			return -ENOMEM;
	}
	spin_lock_irqsave(pool_lock(pool), flags);
	if (new_min_nr > pool->capacity) { /* if not: another resize was faster; the array never becomes smaller */
		void **old;

		memcpy(array, pool->elements, (size_t)pool->curr_nr * sizeof(void *));
		old = pool->elements;
		pool->elements = array;
		array = old;
		store_relaxed(&pool->capacity, new_min_nr);
	}
	store_relaxed(&pool->min_nr, new_min_nr);
	spin_unlock_irqrestore(pool_lock(pool), flags);
	kfree(array);
	shrink_reserve(pool);
	while (!mempool_is_saturated(pool)) {
		element = pool->alloc(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, pool->pool_data);
		if (!element)
			break;
		mempool_free(element, pool);
	}
	return 0;
}

/* ---- The usual allocators ---- */

void *mempool_alloc_slab(gfp_t gfp, void *pool_data)
{
	return kmem_cache_alloc(pool_data, gfp);
}

void mempool_free_slab(void *element, void *pool_data)
{
	kmem_cache_free(pool_data, element);
}

void *mempool_kmalloc(gfp_t gfp, void *pool_data)
{
	return kmalloc((size_t)pool_data, gfp);
}

void mempool_kfree(void *element, void *pool_data)
{
	(void)pool_data;
	kfree(element);
}

void *mempool_kvmalloc(gfp_t gfp, void *pool_data)
{
	return kvmalloc((size_t)pool_data, gfp);
}

void mempool_kvfree(void *element, void *pool_data)
{
	(void)pool_data;
	kvfree(element);
}

void *mempool_alloc_pages(gfp_t gfp, void *pool_data)
{
	return alloc_pages(gfp, (unsigned int)(uintptr_t)pool_data);
}

void mempool_free_pages(void *element, void *pool_data)
{
	__free_pages(element, (unsigned int)(uintptr_t)pool_data);
}
