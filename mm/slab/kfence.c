// SPDX-License-Identifier: MIT
/*
 * KFENCE: sampled guard objects.
 *
 * Purpose
 *	Find reads and writes beyond objects, uses after free, wrong frees and damaged neighbours in production, at next
 *	to no cost: one allocation in a while gets an object that is watched.
 *
 * Words
 *	object page: holds one object, at its left or its right end as chance has it. guard page: between them, shut for
 *	good. canary: bytes of an object page outside the object; a known pattern, checked at the free.
 *	sample: an allocation that gets a guarded object. due: the next allocation, whichever it is, will be one.
 *	covered: an allocation from a place (a hash of its callers) of which a guarded object is in use already.
 *
 * Structures
 *	pool	| shut | guard | obj 0 | guard | obj 1 | guard | ... | obj n-1 | guard |	2(n + 1) pages
 *	page	| canary canary | object |	to the right, down to the cache's alignment
 *	page	| object | canary canary |	to the left
 *	struct page of each: PG_slab, slot 0, HEAP_PAGE_GUARD with the page's number in the pool: kfree() comes here.
 *	kfence.free -> object -> object		first in, first out: what was freed stays shut as long as possible
 *
 * When a sample is taken
 *	While the heap's fast paths are open nothing of this is looked at. An allocation on the slow path (an empty
 *	magazine) reads the clock; if the interval has passed the fast paths are shut, and the next one on any CPU is
 *	sampled and opens them again. So samples are spread over all callers, not over those that refill magazines.
 *	A kernel with a timer calls kfence_sample_next() instead of waiting for a slow path.
 *
 * Invariants
 *	KF-I1  An object page is open if and only if its object is allocated, or a fault was reported there.
 *	KF-I2  Outside an allocated object, its page holds canaries until somebody writes where he must not.
 *	KF-I3  An object is on kfence.free if and only if it is unused or freed, and not a zombie.
 *	KF-I4  currently allocated = total allocations - total frees.
 *
 * Locking
 *	kfence.lock guards objects' states and the free list. Who took an object off the list owns its page until the
 *	state says allocated. The lock is never held while a page of the pool is touched, so a fault may take it.
 *
 * Memory use and bounds
 *	2(n + 1) pages, some 160 bytes an object and 4 KiB; 255 objects: 2 MiB and 44 KiB. Nothing if it was never on.
 *
 * What failure does
 *	Without memory for the pool KFENCE stays off, with a message. Without a free object an allocation is an ordinary
 *	one. Without struct kfence_ops pages are not shut: canaries and wrong frees only, which a message says.
 *
 * Differences from Linux
 *	No timer (above). Unused objects' pages are shut as well. kfence.deferrable has no effect. kfence.num_objects is
 *	a boot parameter. An object that is damaged on both sides is reported once for each.
 *
 * Sources: Documentation/dev-tools/kfence.rst.
 */
#include "kfence.h"

#include <octavo/gfp.h>
#include <octavo/port.h>

#include "../base/string.h"
#include "../phys/gfp.h"
#include "../phys/stackdepot.h"
#include "heap.h"

struct kfence kfence __memsys = { .skip_covered_thresh = 75 };

#define COVERED_MASK ((1u << KFENCE_COVERED_BITS) - 1)
#define HASH_DEPTH 8u

static void count(enum kfence_counter counter, long by)
{
	atomic_add_relaxed(&kfence.counters[counter], (unsigned long)by);
}

/* ---- Addresses ---- */

bool is_kfence_address(const void *addr)
{
	uintptr_t pool = load_relaxed(&kfence.pool);

	return pool && (uintptr_t)addr - pool < kfence.bytes;
}

struct kfence_object *kfence_object_at(uintptr_t addr)
{
	size_t page = (addr - kfence.pool) / PAGE_SIZE;

	if (!is_kfence_address((const void *)addr) || page < 2 || page % 2)
		return NULL;
	return &kfence.objects[page / 2 - 1];
}

static bool protect(uintptr_t addr, bool on)
{
	if (!kfence.protects)
		return true;
	return kfence.ops->protect(ALIGN_DOWN(addr, PAGE_SIZE), on);
}

/* ---- Places that are covered: a counting filter with two hashes ---- */

static void covered_add(u32 hash, int by)
{
	for (unsigned int i = 0; i < 2; i++)
		atomic_add_relaxed(&kfence.covered[(hash >> (i * KFENCE_COVERED_BITS)) & COVERED_MASK], (u8)by);
}

static bool is_covered(u32 hash)
{
	return load_relaxed(&kfence.covered[hash & COVERED_MASK]) &&
	       load_relaxed(&kfence.covered[(hash >> KFENCE_COVERED_BITS) & COVERED_MASK]);
}

/* FNV-1a over the innermost callers. */
static u32 hash_of(const uintptr_t *pc, unsigned int depth)
{
	u32 hash = 0x811c9dc5u;

	for (unsigned int i = 0; i < min(depth, HASH_DEPTH); i++)
		for (unsigned int byte = 0; byte < sizeof(uintptr_t); byte++)
			hash = (hash ^ (u32)(pc[i] >> 8 * byte & 0xff)) * 0x01000193u;
	return hash;
}

static bool pool_is_busy(void)
{
	return load_relaxed(&kfence.counters[KFENCE_ALLOCATED]) * 100 >=
	       (unsigned long)kfence.objects_nr * load_relaxed(&kfence.skip_covered_thresh);
}

/* ---- Canaries ---- */

static void canaries_write(uintptr_t from, uintptr_t to)
{
	for (; from < to; from++)
		*(u8 *)from = kfence_canary(from);
}

/* The first damaged byte in [@from, @to); @to: none. */
static uintptr_t canaries_check(uintptr_t from, uintptr_t to)
{
	while (from < to && READ_ONCE(*(const u8 *)from) == kfence_canary(from))
		from++;
	return from;
}

/* At most one report for either side. */
static void check_canaries(const struct kfence_object *object, uintptr_t caller)
{
	uintptr_t page = ALIGN_DOWN(object->addr, PAGE_SIZE), end = object->addr + object->size;
	uintptr_t left = canaries_check(page, object->addr), right = canaries_check(end, page + PAGE_SIZE);

	if (left < object->addr)
		kfence_report_here(KFENCE_ERROR_CORRUPTION, left, object, caller);
	if (right < page + PAGE_SIZE)
		kfence_report_here(KFENCE_ERROR_CORRUPTION, right, object, caller);
}

void kfence_check_all(void)
{
	for (unsigned int i = 0; load_relaxed(&kfence.pool) && i < kfence.objects_nr; i++) {
		const struct kfence_object *object = &kfence.objects[i];

		if (READ_ONCE(object->state) == KFENCE_OBJECT_ALLOCATED)
			check_canaries(object, 0);
	}
}

void kfence_panic(void)
{
	if (load_relaxed(&kfence.check_on_panic))
		kfence_check_all();
}

/* ---- Allocating ---- */

static void track(struct kfence_track *t, uintptr_t caller)
{
	t->pid = current_task_pid();
	t->cpu = smp_processor_id();
	t->ns = port_clock_ns();
	t->stack = stack_depot_save_current(caller);
}

static struct kfence_object *take_free(void)
{
	struct kfence_object *object = NULL;
	unsigned long flags;

	spin_lock_irqsave(&kfence.lock, flags);
	if (!list_empty(&kfence.free)) {
		object = list_first_entry(&kfence.free, struct kfence_object, list);
		list_del(&object->list);
	}
	spin_unlock_irqrestore(&kfence.lock, flags);
	return object;
}

static void *guarded_alloc(struct kmem_cache *cache, size_t size, gfp_t gfp, u32 hash, uintptr_t caller)
{
	struct kfence_object *object = take_free();
	uintptr_t page, addr;
	unsigned long flags;

	if (!object) {
		count(KFENCE_SKIP_CAPACITY, 1);
		return NULL;
	}
	stack_depot_reserve(gfp & ~__GFP_ZERO);
	addr = page = kfence_page_of(kfence_number(object));
	if (port_random() & 1)
		addr = ALIGN_DOWN(page + PAGE_SIZE - size, (uintptr_t)max(cache->align, 1u));
	protect(page, false);
	canaries_write(page, addr);
	canaries_write(addr + size, page + PAGE_SIZE);
	if ((gfp & __GFP_ZERO || load_relaxed(&heap.hooks) & HEAP_INIT_ON_ALLOC) && !cache->ctor)
		memset((void *)addr, 0, size);
	if (cache->ctor)
		cache->ctor((void *)addr);
	spin_lock_irqsave(&kfence.lock, flags);
	object->addr = addr;
	object->size = (u32)size;
	object->cache = cache;
	strscpy(object->cache_name, cache->name, sizeof(object->cache_name));
	object->hash = hash;
	object->opened = 0;
	track(&object->allocated, caller);
	WRITE_ONCE(object->state, KFENCE_OBJECT_ALLOCATED);
	spin_unlock_irqrestore(&kfence.lock, flags);
	covered_add(hash, 1);
	count(KFENCE_ALLOCATED, 1);
	count(KFENCE_ALLOCS, 1);
	return (void *)addr;
}

/* ---- Sampling ---- */

/* The fast paths shut; who comes next is sampled. */
void kfence_sample_next(void)
{
	if (!load_acquire(&kfence.enabled) || atomic_xchg(&kfence.due, 1))
		return;
	heap_hooks_set(HEAP_GUARD, true);
	/* Switched off meanwhile: nobody would open them again. */
	if (!load_acquire(&kfence.enabled)) {
		store_relaxed(&kfence.due, 0);
		heap_hooks_set(HEAP_GUARD, false);
	}
}

static void sample_taken(void)
{
	u64 interval = (u64)load_relaxed(&kfence.interval_ms) * 1000000;

	store_relaxed_u64(&kfence.next_ns, port_clock_ns() + interval);
	heap_hooks_set(HEAP_GUARD, false);
}

static bool can_guard(const struct kmem_cache *cache, size_t size, gfp_t gfp)
{
	return size && size <= PAGE_SIZE && cache->align <= PAGE_SIZE && !(gfp & GFP_ZONEMASK) &&
	       !(cache->flags & (SLAB_CACHE_DMA | SLAB_CACHE_DMA32 | SLAB_SKIP_KFENCE));
}

static void *kfence_alloc(struct kmem_cache *cache, size_t size, gfp_t gfp, uintptr_t caller)
{
	uintptr_t pc[HASH_DEPTH + 8];
	unsigned int depth, from = 0;
	u32 hash;

	if (!load_acquire(&kfence.enabled))
		return NULL;
	if (!load_relaxed(&kfence.due)) {
		if (port_clock_ns() >= load_relaxed_u64(&kfence.next_ns) && load_relaxed(&kfence.interval_ms))
			kfence_sample_next();
		return NULL;
	}
	if (!can_guard(cache, size, gfp)) {
		count(KFENCE_SKIP_INCOMPATIBLE, 1);
		return NULL;
	}
	if (!atomic_xchg(&kfence.due, 0))
		return NULL;
	sample_taken();
	depth = port_backtrace(pc, ARRAY_SIZE(pc));
	while (from < depth && pc[from] != caller)
		from++;
	hash = from < depth ? hash_of(pc + from, depth - from) : hash_of(&caller, 1);
	if (pool_is_busy() && is_covered(hash)) {
		count(KFENCE_SKIP_COVERED, 1);
		return NULL;
	}
	return guarded_alloc(cache, size, gfp, hash, caller);
}

/* ---- Freeing ---- */

/* Nobody can reach the object any more: its page is shut, and it queues up. A zombie stays out of use. */
static void finish_free(struct kfence_object *object, bool zombie, uintptr_t caller)
{
	unsigned long flags;

	check_canaries(object, caller);
	if (load_relaxed(&heap.hooks) & HEAP_INIT_ON_FREE)
		memset((void *)object->addr, 0, object->size);
	protect(object->addr, true);
	covered_add(object->hash, -1);
	if (zombie) {
		count(KFENCE_ZOMBIES, 1);
		return;
	}
	spin_lock_irqsave(&kfence.lock, flags);
	list_add_tail(&object->list, &kfence.free);
	spin_unlock_irqrestore(&kfence.lock, flags);
	count(KFENCE_ALLOCATED, -1);
	count(KFENCE_FREES, 1);
}

static void free_after_readers(struct rcu_head *head)
{
	struct kfence_object *object = container_of(head, struct kfence_object, rcu);
	unsigned long flags;

	spin_lock_irqsave(&kfence.lock, flags);
	WRITE_ONCE(object->state, KFENCE_OBJECT_FREED);
	spin_unlock_irqrestore(&kfence.lock, flags);
	finish_free(object, false, 0);
}

static void kfence_free(struct page *page, void *p, uintptr_t caller)
{
	struct kfence_object *object = kfence_object_at((uintptr_t)p);
	bool valid, typesafe = false;
	uintptr_t opened = 0;
	unsigned long flags;

	(void)page;
	spin_lock_irqsave(&kfence.lock, flags);
	valid = object && object->state == KFENCE_OBJECT_ALLOCATED && object->addr == (uintptr_t)p;
	if (valid) {
		opened = object->opened;
		object->opened = 0;
		typesafe = object->cache->flags & SLAB_TYPESAFE_BY_RCU;
		track(&object->freed, caller);
		WRITE_ONCE(object->state, typesafe ? KFENCE_OBJECT_RCU_FREEING : KFENCE_OBJECT_FREED);
	}
	spin_unlock_irqrestore(&kfence.lock, flags);
	if (!valid) {
		kfence_report_here(KFENCE_ERROR_INVALID_FREE, (uintptr_t)p, object, caller);
		return;
	}
	/* What was reported as out of bounds is caught again for the page's next neighbour. */
	if (opened)
		protect(opened, true);
	if (typesafe)
		call_rcu(&object->rcu, free_after_readers);
	else
		finish_free(object, false, caller);
}

unsigned int kfence_shutdown_cache(struct kmem_cache *cache, uintptr_t caller)
{
	unsigned int zombies = 0;
	unsigned long flags;

	for (unsigned int i = 0; load_acquire(&kfence.pool) && i < kfence.objects_nr; i++) {
		struct kfence_object *object = &kfence.objects[i];
		bool in_use;

		spin_lock_irqsave(&kfence.lock, flags);
		in_use = object->cache == cache && object->state == KFENCE_OBJECT_ALLOCATED;
		if (in_use) {
			track(&object->freed, caller);
			object->zombie = true;
			WRITE_ONCE(object->state, KFENCE_OBJECT_FREED);
		}
		if (object->cache == cache)
			object->cache = NULL;
		spin_unlock_irqrestore(&kfence.lock, flags);
		if (!in_use)
			continue;
		/* Its page is shut: whoever still uses it is told. */
		finish_free(object, true, 0);
		zombies++;
	}
	return zombies;
}

/* ---- What else the heap asks ---- */

static size_t kfence_size(struct page *page, const void *p)
{
	const struct kfence_object *object = kfence_object_at((uintptr_t)p);

	(void)page;
	return object && READ_ONCE(object->state) == KFENCE_OBJECT_ALLOCATED ? object->size : 0;
}

static void *kfence_start(struct page *page, const void *p)
{
	const struct kfence_object *object = kfence_object_at((uintptr_t)p);

	(void)page;
	if (!object || READ_ONCE(object->state) != KFENCE_OBJECT_ALLOCATED ||
	    (uintptr_t)p - object->addr >= object->size)
		return NULL;
	return (void *)object->addr;
}

const struct heap_page_ops kfence_page_ops = { kfence_free, kfence_size, kfence_start };
const struct heap_tool kfence_tool = { .alloc = kfence_alloc };

/* ---- Faults ---- */

bool kfence_handle_page_fault(uintptr_t addr, bool is_write, const uintptr_t *pc, unsigned int depth)
{
	struct kfence_object *object = kfence_object_at(addr), *left, *right;
	enum kfence_error error = KFENCE_ERROR_INVALID;
	unsigned long flags;

	if (!is_kfence_address((void *)addr))
		return false;
	spin_lock_irqsave(&kfence.lock, flags);
	if (object) {
		if (object->state == KFENCE_OBJECT_UNUSED)
			object = NULL;
		else
			error = KFENCE_ERROR_UAF;
	} else {
		/* A guard page: the nearer one of the objects in use on either side is meant. */
		left = kfence_object_at(addr - PAGE_SIZE);
		right = kfence_object_at(addr + PAGE_SIZE);
		if (left && left->state != KFENCE_OBJECT_ALLOCATED)
			left = NULL;
		if (right && right->state != KFENCE_OBJECT_ALLOCATED)
			right = NULL;
		object = left;
		if (right && (!left || right->addr - addr < addr - (left->addr + left->size)))
			object = right;
		if (object)
			error = KFENCE_ERROR_OOB;
	}
	if (error == KFENCE_ERROR_OOB)
		object->opened = ALIGN_DOWN(addr, PAGE_SIZE);
	spin_unlock_irqrestore(&kfence.lock, flags);
	kfence_report(error, addr, is_write, object, pc, depth);
	return protect(addr, false) && kfence.protects;
}
