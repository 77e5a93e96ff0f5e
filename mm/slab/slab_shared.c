// SPDX-License-Identifier: MIT
/*
 * The slab back end: the array that a node's CPUs share, and the tunables.
 *
 * A CPU's surplus waits here for another CPU's need: pointers are copied, no slab is looked at. It is made when the
 * node's objects outnumber what it can hold, so that it never costs more than a pointer an object.
 */
#ifdef OCTAVO_HEAP_SLAB

#include "slab_lists.h"

#include "../base/string.h"
#include "heap.h"

#define SHARED_MAX 0xffffu

static force_inline void copy_pointers(void **to, void **from, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		to[i] = from[i];
}

unsigned int slab_shared_limit(const struct kmem_cache *cache)
{
	return (unsigned int)load_relaxed(&cache->mag_batch) * load_relaxed(&cache->mag_shared);
}

static size_t array_bytes(unsigned int limit)
{
	return sizeof(struct shared_array) + limit * sizeof(void *);
}

static struct shared_array *make_array(unsigned int limit, gfp_t gfp, int nid)
{
	struct shared_array *a = meta_alloc(array_bytes(limit), gfp, nid);

	if (a)
		a->limit = limit;
	return a;
}

void slab_shared_make(struct kmem_cache *cache, struct kmem_cache_node *n, gfp_t gfp)
{
	const unsigned int limit = slab_shared_limit(cache);
	struct shared_array *a;
	unsigned long flags;

	if (!limit || load_relaxed(&n->shared) || load_relaxed(&n->slabs) * cache->objects <= limit)
		return;
	a = make_array(limit, (gfp | __GFP_NOWARN) & ~(__GFP_NOFAIL | __GFP_THISNODE | __GFP_DIRECT_RECLAIM), n->nid);
	if (!a)
		return;
	spin_lock_irqsave(&n->lock, flags);
	/* Another CPU may have been faster, and the tunables may have changed. */
	if (!n->shared && slab_shared_limit(cache) == limit) {
		store_relaxed(&n->shared, a);
		a = NULL;
	}
	spin_unlock_irqrestore(&n->lock, flags);
	if (a)
		meta_free(a, array_bytes(limit));
}

unsigned int slab_shared_take_locked(struct kmem_cache_node *n, void **objs, unsigned int want)
{
	struct shared_array *a = n->shared;
	unsigned int nr;

	if (!a || !a->nr)
		return 0;
	nr = min(want, a->nr);
	store_relaxed(&a->nr, a->nr - nr);
	copy_pointers(objs, a->objs + a->nr, nr);
	return nr;
}

unsigned int slab_shared_give_locked(struct kmem_cache_node *n, void **objs, unsigned int nr)
{
	struct shared_array *a = n->shared;

	if (!a)
		return 0;
	nr = min(nr, a->limit - a->nr);
	copy_pointers(a->objs + a->nr, objs, nr);
	store_relaxed(&a->nr, a->nr + nr);
	return nr;
}

bool slab_shared_has_locked(const struct kmem_cache_node *n, const void *object)
{
	const struct shared_array *a = n->shared;

	for (unsigned int i = 0; a && i < a->nr; i++)
		if (a->objs[i] == object)
			return true;
	return false;
}

void slab_shared_discard(struct kmem_cache_node *n)
{
	if (n->shared)
		meta_free(n->shared, array_bytes(n->shared->limit));
	n->shared = NULL;
}

/* The newest @nr objects of an array go to the lists. Return: how many were refused; they stand at the array's end. */
static unsigned int drain_locked(struct kmem_cache *cache, struct kmem_cache_node *n, unsigned int nr,
				 struct list_head *dead)
{
	struct shared_array *a = n->shared;

	store_relaxed(&a->nr, a->nr - nr);
	return slab_lists_give_locked(cache, n, a->objs + a->nr, nr, dead);
}

#define DRAIN_BATCH 32u

void slab_shared_drain(struct kmem_cache *cache, struct kmem_cache_node *n, struct list_head *dead)
{
	void *refused[DRAIN_BATCH];
	unsigned int nr, bad;
	unsigned long flags;

	do {
		bad = 0;
		spin_lock_irqsave(&n->lock, flags);
		nr = n->shared ? min(n->shared->nr, DRAIN_BATCH) : 0;
		if (nr)
			bad = drain_locked(cache, n, nr, dead);
		if (bad) {
			copy_pointers(refused, n->shared->objs + n->shared->nr, bad);
			n->walkers++;
		}
		spin_unlock_irqrestore(&n->lock, flags);
		if (bad) {
			slab_report_refused(cache, refused, bad);
			spin_lock_irqsave(&n->lock, flags);
			n->walkers--;
			spin_unlock_irqrestore(&n->lock, flags);
		}
	} while (nr == DRAIN_BATCH);
}

/* ---- Tunables ---- */

void backend_tunables(struct kmem_cache *cache, struct backend_tunables *tunables)
{
	memset(tunables, 0, sizeof(*tunables));
	tunables->limit = load_relaxed(&cache->mag_limit);
	tunables->batchcount = load_relaxed(&cache->mag_batch);
	tunables->shared = load_relaxed(&cache->mag_shared);
	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *n = slab_node(cache, nid);
		unsigned long flags;

		if (!n)
			continue;
		spin_lock_irqsave(&n->lock, flags);
		tunables->shared_available += n->shared ? n->shared->nr : 0;
		spin_unlock_irqrestore(&n->lock, flags);
	}
}

/* Take the node's array away; its objects go to the lists. */
static void unshare(struct kmem_cache *cache, struct kmem_cache_node *n, struct list_head *dead)
{
	struct shared_array *a;
	unsigned long flags;
	bool filled;

	do {
		slab_shared_drain(cache, n, dead);
		spin_lock_irqsave(&n->lock, flags);
		a = n->shared;
		filled = a && a->nr;
		if (!filled)
			store_relaxed(&n->shared, NULL);
		spin_unlock_irqrestore(&n->lock, flags);
	} while (filled);
	if (a)
		meta_free(a, array_bytes(a->limit));
}

/*
 * The arrays are taken away and made anew, the CPUs' when they are next of use, the shared one here or with the next
 * slab. That they cannot be made costs time only, so this does not fail for want of memory.
 */
int backend_tune(struct kmem_cache *cache, unsigned int limit, unsigned int batchcount, unsigned int shared)
{
	struct list_head dead;

	if (!cache->mag_limit)
		return -EIO;
	if (!limit || limit > SHARED_MAX || !batchcount || batchcount > limit || shared > SHARED_MAX / batchcount)
		return -EINVAL;
	INIT_LIST_HEAD(&dead);
	store_relaxed(&cache->mag_limit, (u16)limit);
	store_relaxed(&cache->mag_batch, (u16)batchcount);
	store_relaxed(&cache->mag_shared, (u16)shared);
	slab_set_keep(cache);
	heap_drain(cache, true);
	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		struct kmem_cache_node *n = slab_node(cache, nid);

		if (!n)
			continue;
		unshare(cache, n, &dead);
		slab_shared_make(cache, n, GFP_KERNEL);
	}
	backend_bury(cache, &dead);
	return 0;
}

#endif
