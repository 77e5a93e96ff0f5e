// SPDX-License-Identifier: MIT
/*
 * The heap's front end: magazines, and the paths through them.
 *
 * Purpose: an allocation or a free that needs nothing special touches one line of its CPU's own memory and runs some
 * twenty instructions; everything special costs the others nothing.
 *
 * Words: a *magazine* is a CPU's array of free objects of one cache and one node's memory. A *slot* numbers that
 * pair: cache id times nodes, plus node. A CPU's *table* has two entries a slot: the open one that the fast paths
 * follow, and the cpu_cache it belongs to. *Shut* entries lead to a magazine that is empty and has no room, so that
 * whatever comes goes the long way.
 *
 * Structures:
 *
 *	 CPU's table      heap[]          heap_caches[]
 *	 slot 0           shut            NULL             pages of the heap that are no slabs
 *	 slot 1           magazine  ----- cpu_cache { magazine, the back end's slabs }
 *	 slot 2           shut            cpu_cache        hooks are on, or its CPU is asked to drain it
 *	 slot 3           shut            BUSY             another CPU has it
 *
 *	 kmalloc(64): section, heap_local[slot], pop.
 *	 kfree(p):    struct page of p names the slot; section, heap[slot], push.
 *
 * The page of an object names the slot of its own node: frees of another node's objects gather in a magazine of their
 * own ("alien") and go back as a batch.
 *
 * Invariants:
 *	HP-I1  an object in a magazine is allocated in its slab, and in no other magazine
 *	HP-I2  a magazine's objects are of its cache and node
 *	HP-I3  nr <= limit; the shut magazine has 0 of both
 *	HP-I4  an entry of heap[] is shut, or the magazine of the same slot's cpu_cache; with hooks on all are shut
 *
 * Locking: a CPU uses its magazines in a section that does not nest (cpu_section_try()): an interrupt inside one goes
 * to the back end directly. To take a cpu_cache from its CPU: mark it BUSY, make every CPU pass a barrier, wait until
 * that CPU is in no section; it belongs to who marked it until it is put back. Where the port has no such barrier
 * (port_cpu_call: -ENOSYS) the CPU is asked: the entry stays shut, so its next allocation or free comes the long way
 * and drains. heap.gate guards which entries are open, heap.mutex the list of caches and draining.
 *
 * Memory use and bounds: a CPU holds at most mag_limit objects of a cache and node (a quarter of another node's), and
 * what its back end keeps; each back end sets its bounds. kmem_cache_shrink() and heap_reclaim() leave nothing of
 * either. 16 bytes a slot and CPU.
 *
 * What failure does: without memory for a magazine the back end serves the CPU directly. An allocation that fails has
 * changed nothing.
 *
 * Differences from Linux: magazines in front instead of a per-CPU free list, one structure for all back ends; no
 * per-object link. No memory cgroups: SLAB_ACCOUNT is kept and shown only.
 *
 * Sources: Bonwick and Adams, "Magazines and Vmem" (USENIX 2001); Documentation/core-api/memory-allocation.rst.
 */
#include "heap.h"

#include "../base/printk.h"
#include "../base/string.h"
#include "../sync/rcu.h"
#include "kfence.h"
#include "meta.h"

struct heap heap __memsys;
const struct magazine closed_magazine = { 0, 0 };

void *heap_zero(struct kmem_cache *cache, void *object)
{
	return likely(!cache->ctor) ? memset(object, 0, cache->object_size) : object;
}

/* ---- A CPU's part of a cache ---- */

/* This CPU's first visit. False: no memory for it. */
static bool make_cpu_cache(struct kmem_cache *cache, unsigned int cpu_nr, unsigned int nid, gfp_t gfp)
{
	struct cpu_local *cpu = cpu_locals[cpu_nr];
	const bool local = cpu->node == (int)nid;
	unsigned int limit = local ? cache->mag_limit : max(cache->mag_limit / 4u, 1u);
	size_t bytes = sizeof(struct cpu_cache) + limit * sizeof(void *);
	struct cpu_cache *cc = meta_alloc(bytes, (gfp | __GFP_NOWARN) & ~(__GFP_NOFAIL | __GFP_THISNODE), cpu->node);
	unsigned long flags;

	if (!cc)
		return false;
	cc->cache = cache;
	cc->cpu = (u16)cpu_nr;
	cc->node = (u16)nid;
	cc->bytes = (u32)bytes;
	cc->owner = local ? cpu_nr + 1 : CPU_CACHE_ALIEN;
	cc->batch = local ? min((unsigned int)cache->mag_batch, limit) : max(limit / 2, 1u);
	cc->mag.limit = limit;
	INIT_LIST_HEAD(&cc->slabs);
	spin_lock_irqsave(&heap.gate, flags);
	if (!cpu->heap_caches[cache->slot + nid] && !cache->dying) {
		store_release(&cpu->heap_caches[cache->slot + nid], cc);
		store_release(&cpu->heap[cache->slot + nid], heap_entry(cc));
		cc = NULL;
	}
	spin_unlock_irqrestore(&heap.gate, flags);
	if (cc)
		meta_free(cc, bytes);
	return true;
}

enum visit { VISIT_DONE, VISIT_EMPTY, VISIT_ABSENT, VISIT_DIRECT, VISIT_AGAIN };

/* Who wanted this drained could not do so himself, and shut it. It is this CPU's, whose section ends here. */
static noinline enum visit drain_as_asked(struct cpu_local *cpu, struct cpu_cache *cc, unsigned long flags)
{
	const u32 slot = cc->cache->slot + cc->node;
	struct kmem_cache *cache = cc->cache;
	struct list_head dead;
	unsigned long irq;

	INIT_LIST_HEAD(&dead);
	heap_empty_cpu_cache(cc, &dead);
	spin_lock_irqsave(&heap.gate, irq);
	store_relaxed(&cc->asked, 0);
	/* it may have been taken meanwhile, by one who cannot reach us any better */
	if (load_relaxed(&cpu->heap_caches[slot]) == cc)
		store_release(&cpu->heap[slot], heap_entry(cc));
	spin_unlock_irqrestore(&heap.gate, irq);
	cpu_section_leave(flags);
	backend_bury(cache, &dead);
	return VISIT_AGAIN;
}

/* ---- Allocating, the long way ---- */

/* An object from this CPU's cache for @nid's memory, filled up if empty. *@nid and *@cpu_nr: what was looked at. */
static enum visit visit_alloc(struct kmem_cache *cache, int *nid, unsigned int *cpu_nr, void **object)
{
	struct cpu_local *cpu;
	struct cpu_cache *cc;
	unsigned long flags;
	enum visit v;

	if (!cache->mag_limit || !cpu_section_try(&flags))
		return VISIT_DIRECT;
	cpu = this_cpu();
	*cpu_nr = cpu->cpu;
	if (*nid == NUMA_NO_NODE)
		*nid = cpu->node;
	cc = load_acquire(&cpu->heap_caches[cache->slot + (u32)*nid]);
	if (!cc || cc == CPU_CACHE_BUSY) {
		v = cc ? VISIT_DIRECT : VISIT_ABSENT;
	} else if (unlikely(load_relaxed(&cc->asked))) {
		return drain_as_asked(cpu, cc, flags);
	} else {
		if (!cc->mag.nr)
			store_relaxed(&cc->mag.nr, backend_take(cache, cc, cc->mag.objs, cc->batch));
		v = cc->mag.nr ? VISIT_DONE : VISIT_EMPTY;
		if (cc->mag.nr) {
			store_relaxed(&cc->mag.nr, cc->mag.nr - 1);
			*object = cc->mag.objs[cc->mag.nr];
		}
	}
	cpu_section_leave(flags);
	return v;
}

/* One more slab, of the wanted node if that has memory; else an object of whatever node's slabs have one. */
static int grow(struct kmem_cache *cache, gfp_t gfp, int nid, size_t size, void **object)
{
	int node;

	/* objects that wait for readers may be enough */
	if (gfp & __GFP_DIRECT_RECLAIM)
		rcu_poll();
	if (nid == NUMA_NO_NODE)
		nid = this_cpu()->node;
	if (heap.nodes > 1 && !(gfp & __GFP_THISNODE)) {
		gfp_t here = (gfp | __GFP_THISNODE | __GFP_NOWARN) & ~(__GFP_DIRECT_RECLAIM | __GFP_NOFAIL);

		node = backend_grow(cache, here, nid, size);
		if (node >= 0)
			return node;
		*object = backend_take_direct(cache, NUMA_NO_NODE, size);
		if (*object)
			return nid;
	}
	return backend_grow(cache, gfp, nid, size);
}

/* An object whose place is checked, or NULL. */
static void *take_object(struct kmem_cache *cache, gfp_t gfp, int nid, size_t size, uintptr_t caller)
{
	bool tried = false;
	void *object = NULL;

	for (;;) {
		unsigned int cpu = 0;
		int node = nid;
		enum visit v = visit_alloc(cache, &node, &cpu, &object);

		if (unlikely(v == VISIT_AGAIN))
			continue;
		if (v == VISIT_ABSENT && !tried) {
			tried = true;
			if (make_cpu_cache(cache, cpu, (unsigned int)node, gfp))
				continue;
		}
		if (v == VISIT_DIRECT || v == VISIT_ABSENT)
			object = backend_take_direct(cache, node == NUMA_NO_NODE ? this_cpu()->node : node, size);
		if (!object) {
			node = grow(cache, gfp, nid, size, &object);
			if (node < 0)
				return NULL;
			nid = node;
		}
		if (!object)
			continue;
		if (likely(!(cache->flags & SLAB_DEBUG_FLAGS)) ||
		    slab_debug_alloc(cache, page_slab(heap_page_known(object)), object, size, caller))
			return object;
		object = NULL;
	}
}

/* The tool that is in effect, read once: it may be put out of effect at any time. NULL: none. */
static const struct heap_tool *tool(enum heap_tool_kind kind)
{
	return load_acquire(&heap.tools[kind]);
}

static const struct heap_tool *hooked(u32 hooks, u32 hook, enum heap_tool_kind kind)
{
	return unlikely(hooks & hook) ? tool(kind) : NULL;
}

/* Bytes of an allocated object that are its user's: of its class, or (slob) what was asked for. */
static size_t usable(const void *object)
{
	return backend_size_of(page_slab(heap_page_known(object)), object);
}

/* Flags that make no sense for objects: reported and left out, as Linux does. */
static gfp_t check_gfp(gfp_t gfp)
{
	const gfp_t bad = gfp & (__GFP_HIGHMEM | ~__GFP_BITS_MASK);

	if (likely(!bad))
		return gfp;
	pr_warn("Unexpected gfp: %#x. Fixing up to gfp: %#x. Fix your code!\n", bad, gfp & ~bad);
	return gfp & ~bad;
}

/* What readers may still look at under RCU is cleared by nobody but its user. */
static bool wants_clear(const struct kmem_cache *cache, gfp_t gfp, u32 hooks)
{
	if (cache->ctor)
		return false;
	return gfp & __GFP_ZERO || (hooks & HEAP_INIT_ON_ALLOC && !(cache->flags & SLAB_TYPESAFE_BY_RCU));
}

void *heap_alloc_slow(struct kmem_cache *cache, gfp_t gfp, int nid, size_t size, uintptr_t caller)
{
	const u32 hooks = load_relaxed(&heap.hooks);
	const struct heap_tool *t;
	void *object = NULL;

	gfp = check_gfp(gfp);
	if (unlikely(nid != NUMA_NO_NODE && (u32)nid >= heap.nodes)) {
		pr_err("%s: node %d of %u asked for\n", cache->name, nid, heap.nodes);
		return NULL;
	}
	t = hooked(hooks, HEAP_FAIL, HEAP_TOOL_FAIL);
	if (t && t->fail(cache, gfp))
		return NULL;
	/* While its fast-path hook is off it only looks at the clock. */
	t = tool(HEAP_TOOL_GUARD);
	if (unlikely(t))
		object = t->alloc(cache, size, gfp, caller);
	if (likely(!object)) {
		object = take_object(cache, gfp, nid, size, caller);
		if (unlikely(!object))
			return NULL;
		if (wants_clear(cache, gfp, hooks))
			memset(object, 0, (cache->flags & SLAB_DEBUG_FLAGS) ? size : usable(object));
	}
	t = hooked(hooks, HEAP_LEAK, HEAP_TOOL_LEAK);
	if (t)
		t->allocated(cache, object, size, gfp, caller);
	t = hooked(hooks, HEAP_TRACE, HEAP_TOOL_TRACE);
	if (t)
		t->allocated(cache, object, size, gfp, caller);
	return object;
}

/* ---- Freeing, the long way ---- */

/* Into this CPU's magazine, half of which goes back if it is full and the object cannot go back by itself as well. */
static enum visit visit_free(struct kmem_cache *cache, struct page *page, void *object, struct list_head *dead,
			     unsigned int *cpu_nr)
{
	struct cpu_local *cpu;
	struct cpu_cache *cc;
	unsigned long flags;

	if (!cache->mag_limit || !cpu_section_try(&flags))
		return VISIT_DIRECT;
	cpu = this_cpu();
	*cpu_nr = cpu->cpu;
	cc = load_acquire(&cpu->heap_caches[cache->slot + (u32)page_to_nid(page)]);
	if (!cc || cc == CPU_CACHE_BUSY) {
		cpu_section_leave(flags);
		return cc ? VISIT_DIRECT : VISIT_ABSENT;
	}
	if (unlikely(load_relaxed(&cc->asked)))
		return drain_as_asked(cpu, cc, flags);
	if (cc->mag.nr >= cc->mag.limit && backend_is_near(cc, page)) {
		backend_give(cache, cc, &object, 1, dead);
		cpu_section_leave(flags);
		return VISIT_DONE;
	}
	if (cc->mag.nr >= cc->mag.limit) {
		/* The newest go: what is freed in a row lies in a row. */
		store_relaxed(&cc->mag.nr, cc->mag.nr - cc->batch);
		backend_give(cache, cc, cc->mag.objs + cc->mag.nr, cc->batch, dead);
	}
	cc->mag.objs[cc->mag.nr] = object;
	store_relaxed(&cc->mag.nr, cc->mag.nr + 1);
	cpu_section_leave(flags);
	return VISIT_DONE;
}

static void give_object(struct kmem_cache *cache, struct page *page, void *object)
{
	u32 nid = (u32)page_to_nid(page);
	struct list_head dead;
	unsigned int cpu = 0;
	enum visit v;

	INIT_LIST_HEAD(&dead);
	do
		v = visit_free(cache, page, object, &dead, &cpu);
	while (unlikely(v == VISIT_AGAIN));
	if (v == VISIT_ABSENT && make_cpu_cache(cache, cpu, nid, GFP_NOWAIT))
		v = visit_free(cache, page, object, &dead, &cpu);
	if (v != VISIT_DONE)
		backend_give(cache, NULL, &object, 1, &dead);
	if (unlikely(!list_empty(&dead)))
		backend_bury(cache, &dead);
}

void heap_free_slow(struct kmem_cache *asked, void *object, uintptr_t caller)
{
	const u32 hooks = load_relaxed(&heap.hooks);
	struct page *page = heap_page(object);
	const struct heap_tool *leak, *trace;
	struct kmem_cache *cache;
	struct slab *slab;

	if (ZERO_OR_NULL_PTR(object))
		return;
	if (unlikely(!page || !pfn_valid(page_to_pfn(page)) || !PageSlab(page))) {
		heap_report_wild_free(object, caller);
		return;
	}
	leak = hooked(hooks, HEAP_LEAK, HEAP_TOOL_LEAK);
	if (leak)
		leak->freeing(object, caller);
	trace = hooked(hooks, HEAP_TRACE, HEAP_TOOL_TRACE);
	if (trace)
		trace->freeing(object, caller);
	slab = page_slab(page);
	if (unlikely(!slab)) {
		const struct heap_page_ops *ops = heap_page_ops[heap_page_kind(page)];

		if (asked && heap_page_kind(page) == HEAP_PAGE_GUARD && kfence_wrong_cache(asked, object))
			return;
		if (ops && ops->free && !(asked && heap_page_kind(page) == HEAP_PAGE_LARGE))
			ops->free(page, object, caller);
		else
			heap_report_wild_free(object, caller);
		return;
	}
	cache = backend_cache_of(slab, object);
	if (unlikely(!cache)) {
		heap_report_invalid_free(asked, slab, object, caller);
		return;
	}
	if (unlikely(asked && asked != cache)) {
		heap_report_wrong_cache(asked, cache, object, caller);
		return;
	}
	if (unlikely(cache->flags & SLAB_DEBUG_FLAGS) && !slab_debug_free(cache, slab, object, caller))
		return;
	if (unlikely(hooks & HEAP_INIT_ON_FREE) && !cache->ctor &&
	    !(cache->flags & (SLAB_DEBUG_FLAGS | SLAB_TYPESAFE_BY_RCU)))
		memset(object, 0, usable(object));
	give_object(cache, page, object);
}
