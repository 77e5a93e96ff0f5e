// SPDX-License-Identifier: MIT
/*
 * The slab back end: slabs on lists of full, partial and free ones, arrays of objects in front of them.
 *
 * Purpose: the design of Bonwick's paper and of Linux's allocator of that name: little memory beyond the objects, the
 * same behaviour on any number of CPUs, all memory of a node under one lock that is taken once a batch.
 *
 * Words: an *array* is what the front end calls a magazine: a CPU's objects at hand. Its *alien* arrays hold objects
 * of other nodes on their way home. The *shared* array passes objects between the CPUs of a node without looking at
 * slabs. A slab is *full* if all of its objects are allocated, *free* if none is, *partial* otherwise. A *colour* is
 * an offset of the first object, by which slabs differ so that their objects do not all compete for the same cache
 * sets. A slab is *dead* when it has left the lists for the page allocator.
 *
 * Structures:
 *
 *	 CPU 0     CPU 1             node                 a slab, its descriptor on it
 *	[array]   [array]  batch -> [shared array]       +------+--------+--------+--------+- - -+--------+------+
 *	[alien]   [alien]              | overflow,       | body | colour | object | object |     | object | rest |
 *	   |         |                 v shrink          +------+--------+--------+--------+- - -+--------+------+
 *	   |         |              partial: S3 S5        bits: 01101...1 (set: free)
 *	   |         |              free:    S7
 *	   |         |              full:    S1 S2 S4    Where the body lies elsewhere, in memory of meta_alloc(), the
 *	   +---------+--> home,     all:     S1 ... S7   colour begins the slab.
 *	                  a batch
 *
 * The descriptor counts free objects and keeps one bit for each, rather than an array of indices: a bit an object
 * where a list of u8 or u16 needs 8 or 16, an object freed twice shows as a bit that is set already, and a batch is
 * cut off a word at a time, in address order. The order of use that a list would remember is kept by the arrays.
 *
 * A refill takes from the shared array; if that is empty, from partial slabs, then from free ones. What a CPU has too
 * much goes to the shared array as far as there is room, then to the slabs. A slab that becomes free stays while the
 * node's free objects are at most min_partial slabs' worth; beyond that, the ones free for longest die.
 *
 * Invariants:
 *	SL-I1  a slab is once on its node's list of all, and once on the list that its bits say: full, partial or free
 *	SL-I2  body->free is the number of set bits, and no bit is set behind the last object's
 *	SL-I3  the node's slabs, free_slabs, partial_slabs and free_objects are what its slabs add up to
 *	SL-I4  what is in a shared array is an object of that cache and node, allocated in its slab, and there once
 *	SL-I5  a slab has its cache's order and number of objects; they are aligned and lie on it; its pages lead to it
 *
 * Locking: a node's lock guards its lists, counts, bits and shared array, interrupts off. No page is allocated or
 * freed under it, and nothing is reported. Who looks at slabs without it counts as a walker; no slab dies while
 * there is one.
 *
 * Memory use and bounds: a CPU holds at most *limit* objects of its node (120 for sizes to 256, 54 to 1024, 24 to
 * 4096, 8 to 128 KiB, else 1; /proc/slabinfo changes them), and a quarter of that of each other node. A node holds
 * four times *limit* objects in its shared array, for sizes to 4096, once it has more objects than that; and in free
 * slabs (1 + its CPUs) times half of *limit* objects and a slab's, plus a slab for each CPU that made one at the same
 * time. kmem_cache_shrink() leaves none of them. A descriptor takes 64 bytes (32-bit: 36) and a bit an object.
 *
 * What failure does: without pages or a descriptor nothing has changed; without a shared array the lists serve the
 * CPUs. A bad or second free is reported when the object comes to its slab, that is when the arrays overflow or are
 * drained, and changes nothing.
 *
 * Differences from Linux (to 6.7, which had this allocator): bits instead of index arrays; descriptors off the slab
 * do not come from a cache of their own; the lists give up free slabs as objects return, not from a timer.
 *
 * Sources: Bonwick, "The Slab Allocator" (USENIX Summer 1994); Bonwick and Adams, "Magazines and Vmem" (USENIX 2001);
 * slabinfo(5); Documentation/admin-guide/kernel-parameters.txt (slab_max_order).
 */
#ifdef OCTAVO_HEAP_SLAB

#include "slab_lists.h"

#include <octavo/rcupdate.h>

#include "../base/string.h"

const char backend_name[] = "slab";

int backend_init(void)
{
	return 0;
}

/* ---- Nodes ---- */

int backend_node_add(struct kmem_cache *cache, int nid, gfp_t gfp)
{
	struct kmem_cache_node *n;

	if (slab_node(cache, (unsigned int)nid))
		return 0;
	n = meta_alloc(sizeof(*n), gfp & ~__GFP_THISNODE, nid);
	if (!n)
		return -ENOMEM;
	spin_lock_init(&n->lock, LOCK_RANK_HEAP_NODE);
	n->nid = (u16)nid;
	n->random = heap.random ? port_random() | 1 : 0;
	INIT_LIST_HEAD(&n->full);
	INIT_LIST_HEAD(&n->partial);
	INIT_LIST_HEAD(&n->free);
	INIT_LIST_HEAD(&n->all);
	if (atomic_cmpxchg(&cache->node[nid], NULL, n))
		meta_free(n, sizeof(*n));
	return 0;
}

void backend_release(struct kmem_cache *cache)
{
	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *n = cache->node[nid];

		if (!n)
			continue;
		slab_shared_discard(n);
		meta_free(n, sizeof(*n));
		cache->node[nid] = NULL;
	}
}

/* ---- Slabs come and go ---- */

static struct slab_body *make_body(struct kmem_cache *cache, struct kmem_cache_node *n, struct page *page, gfp_t gfp)
{
	const unsigned int objects = cache->objects, words = DIV_ROUND_UP(objects, SLAB_WORD_BITS);
	size_t bytes = slab_body_bytes(objects);
	char *start = page_address(page);
	struct slab_body *body;
	u32 colour;

	body = cache->on_slab ? memset(start, 0, bytes) : meta_alloc(bytes, gfp & ~__GFP_THISNODE, n->nid);
	if (!body)
		return NULL;
	colour = cache->colour > 1 ? atomic_fetch_add(&n->colour_next, 1) % cache->colour : 0;
	body->slab.cache = cache;
	body->slab.base = start + slab_first_offset(cache) + (size_t)colour * cache->colour_off;
	body->slab.objects = (u16)objects;
	body->slab.node = n->nid;
	body->slab.order = (u8)cache->order;
	body->slab.on_slab = cache->on_slab;
	body->free = objects;
	memset(body->bits, 0xff, words * sizeof(unsigned long));
	if (objects % SLAB_WORD_BITS)
		body->bits[words - 1] = (1ul << objects % SLAB_WORD_BITS) - 1;
	return body;
}

int backend_grow(struct kmem_cache *cache, gfp_t gfp, int nid, size_t size)
{
	struct page *page = heap_slab_pages(cache, gfp, nid);
	struct slab_body *body = NULL;
	struct kmem_cache_node *n;
	unsigned long flags;

	(void)size;
	if (!page)
		return -ENOMEM;
	nid = page_to_nid(page);
	if (!backend_node_add(cache, nid, gfp))
		body = make_body(cache, slab_node(cache, (unsigned int)nid), page, gfp);
	if (!body) {
		heap_slab_free(cache, page);
		return -ENOMEM;
	}
	n = slab_node(cache, (unsigned int)nid);
	heap_slab_bind(cache, page, &body->slab);
	spin_lock_irqsave(&n->lock, flags);
	slab_lists_add_locked(cache, n, body);
	spin_unlock_irqrestore(&n->lock, flags);
	slab_shared_make(cache, n, gfp);
	return nid;
}

static void bury(struct slab_body *body)
{
	struct page *page = heap_page_known(slab_start(&body->slab));
	size_t bytes = slab_body_bytes(body->slab.objects);
	bool on_slab = body->slab.on_slab;

	heap_slab_free(body->slab.cache, page);
	if (!on_slab)
		meta_free(body, bytes);
}

/* A dead slab is on no list: the head of its callback takes the place of its link among all. */
octavo_static_assert(sizeof(struct rcu_head) <= sizeof(struct list_head), "the head has room there");

static void bury_callback(struct rcu_head *head)
{
	bury(slab_body(container_of((struct list_head *)head, struct slab, all)));
}

void backend_bury(struct kmem_cache *cache, struct list_head *dead)
{
	while (!list_empty(dead)) {
		struct slab *slab = list_first_entry(dead, struct slab, list);

		list_del(&slab->list);
		if (unlikely(cache->flags & SLAB_TYPESAFE_BY_RCU))
			call_rcu((struct rcu_head *)&slab->all, bury_callback);
		else
			bury(slab_body(slab));
	}
}

/* ---- Objects come and go ---- */

static force_inline unsigned int take_from(struct kmem_cache *cache, struct kmem_cache_node *n, void **objs,
					   unsigned int want)
{
	unsigned long flags;
	unsigned int got;

	spin_lock_irqsave(&n->lock, flags);
	got = slab_shared_take_locked(n, objs, want);
	if (!got)
		got = slab_lists_take_locked(cache, n, objs, want);
	spin_unlock_irqrestore(&n->lock, flags);
	return got;
}

unsigned int backend_take(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int want)
{
	struct kmem_cache_node *n = slab_node(cache, cc->node);

	return likely(n) ? take_from(cache, n, objs, want) : 0;
}

void *backend_take_direct(struct kmem_cache *cache, int nid, size_t size)
{
	const unsigned int first = (unsigned int)(nid == NUMA_NO_NODE ? this_cpu()->node : nid);
	const unsigned int nodes = heap.nodes;
	void *object;

	(void)size;
	for (unsigned int i = 0; i < (nid == NUMA_NO_NODE ? nodes : 1); i++) {
		struct kmem_cache_node *n = slab_node(cache, (first + i) % nodes);

		if (n && take_from(cache, n, &object, 1))
			return object;
	}
	return NULL;
}

/* The node of @cache's that @object is to go to, or NULL: it is none of the cache's objects. */
static struct kmem_cache_node *node_of(struct kmem_cache *cache, const void *object)
{
	struct page *page = heap_page(object);
	struct slab *slab = page && PageSlab(page) ? page_slab(page) : NULL;

	return slab && slab->cache == cache ? slab_node(cache, slab->node) : NULL;
}

static void give_to(struct kmem_cache *cache, struct kmem_cache_node *n, bool share, void **objs, unsigned int nr,
		    struct list_head *dead)
{
	unsigned int shared = 0, refused = 0;
	unsigned long flags;

	spin_lock_irqsave(&n->lock, flags);
	if (share)
		shared = slab_shared_give_locked(n, objs, nr);
	if (shared < nr)
		refused = slab_lists_give_locked(cache, n, objs + shared, nr - shared, dead);
	n->walkers += refused != 0;
	spin_unlock_irqrestore(&n->lock, flags);
	if (likely(!refused))
		return;
	slab_report_refused(cache, objs + shared, refused);
	spin_lock_irqsave(&n->lock, flags);
	n->walkers--;
	spin_unlock_irqrestore(&n->lock, flags);
}

void backend_give(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int n, struct list_head *dead)
{
	if (cc) {
		if (n)
			give_to(cache, slab_node(cache, cc->node), true, objs, n, dead);
		return;
	}
	for (unsigned int i = 0, nr; i < n; i += nr) {
		struct kmem_cache_node *node = node_of(cache, objs[i]);

		for (nr = 1; i + nr < n && node_of(cache, objs[i + nr]) == node; nr++)
			;
		if (node)
			give_to(cache, node, false, objs + i, nr, dead);
		else
			slab_report_refused(cache, objs + i, nr);
	}
}

void backend_flush(struct kmem_cache *cache, struct cpu_cache *cc, struct list_head *dead)
{
	/* CPUs own no slabs. */
	(void)cache;
	(void)cc;
	(void)dead;
}

void backend_shrink(struct kmem_cache *cache, struct list_head *dead)
{
	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *n = slab_node(cache, nid);
		unsigned long flags;

		if (!n)
			continue;
		slab_shared_drain(cache, n, dead);
		spin_lock_irqsave(&n->lock, flags);
		slab_lists_trim_locked(cache, n, 0, dead);
		slab_lists_sort_locked(cache, n);
		spin_unlock_irqrestore(&n->lock, flags);
	}
}

/* ---- Questions about one object ---- */

struct kmem_cache *backend_cache_of(struct slab *slab, const void *object)
{
	u32 index;

	return slab_has_object(slab->cache, slab, object, &index) ? slab->cache : NULL;
}

void *backend_object_of(struct slab *slab, const void *p)
{
	const struct kmem_cache *cache = slab->cache;
	size_t offset = (uintptr_t)p - (uintptr_t)slab->base;

	if (offset >= slab_span(cache) || offset % cache->size >= backend_size_of(slab, p))
		return NULL;
	return slab_object(cache, slab, (u32)(offset / cache->size));
}

size_t backend_size_of(struct slab *slab, const void *object)
{
	const struct kmem_cache *cache = slab->cache;

	(void)object;
	return cache->object_size;
}

bool backend_is_free(struct slab *slab, const void *object)
{
	struct kmem_cache_node *n = slab_node(slab->cache, slab->node);
	unsigned long flags;
	bool free;
	u32 index;

	if (!slab_has_object(slab->cache, slab, object, &index))
		return false;
	spin_lock_irqsave(&n->lock, flags);
	free = slab_bit(slab_body(slab), index) || slab_shared_has_locked(n, object);
	spin_unlock_irqrestore(&n->lock, flags);
	return free;
}

/* ---- All slabs ---- */

static void count_node(const struct kmem_cache *cache, struct kmem_cache_node *n, struct backend_counts *counts)
{
	unsigned long flags;

	spin_lock_irqsave(&n->lock, flags);
	counts->slabs += n->slabs;
	counts->active_slabs += n->slabs - n->free_slabs;
	counts->objects += n->slabs * cache->objects;
	counts->free += n->free_objects + (n->shared ? n->shared->nr : 0);
	counts->partial += n->partial_slabs;
	spin_unlock_irqrestore(&n->lock, flags);
}

void backend_count(struct kmem_cache *cache, int nid, struct backend_counts *counts)
{
	for (unsigned int i = 0; i < heap.nodes; i++) {
		struct kmem_cache_node *n = slab_node(cache, i);

		if (n && (nid == NUMA_NO_NODE || (unsigned int)nid == i))
			count_node(cache, n, counts);
	}
}

/* The slab behind @slab (NULL: the first) in the list of all; or NULL. */
static struct slab *next_slab(struct kmem_cache_node *n, struct slab *slab, int walkers)
{
	struct list_head *next;
	unsigned long flags;

	spin_lock_irqsave(&n->lock, flags);
	n->walkers += (u32)walkers;
	next = slab ? slab->all.next : n->all.next;
	slab = next != &n->all ? list_entry(next, struct slab, all) : NULL;
	spin_unlock_irqrestore(&n->lock, flags);
	return slab;
}

void backend_for_each_slab(struct kmem_cache *cache, bool (*fn)(struct slab *slab, void *ctx), void *ctx)
{
	bool more = true;

	for (unsigned int nid = 0; nid < heap.nodes && more; nid++) {
		struct kmem_cache_node *n = slab_node(cache, nid);

		if (!n)
			continue;
		for (struct slab *slab = next_slab(n, NULL, 1); slab && more; slab = next_slab(n, slab, 0))
			more = fn(slab, ctx);
		next_slab(n, NULL, -1);
	}
}

#endif
