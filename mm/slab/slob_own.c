// SPDX-License-Identifier: MIT
/*
 * The slob back end's own slabs: pages of one cache, cut as the other back ends cut them. See slob.c for which
 * objects need one.
 *
 * The descriptor lies outside, so that two objects of half a page fit a page and one of 2^n pages fits 2^n pages.
 */
#ifdef OCTAVO_HEAP_SLOB

#include "slob.h"

#include "../base/string.h"

static size_t own_bytes(unsigned int objects)
{
	return sizeof(struct slob_own) + DIV_ROUND_UP(objects, 64u) * sizeof(u64);
}

static void list_locked(struct kmem_cache_node *cn, struct slab *slab)
{
	list_add(&slab->list, &cn->partial);
	slob_count(cn->listed, 1);
}

static void unlist_locked(struct kmem_cache_node *cn, struct slab *slab)
{
	list_del(&slab->list);
	slob_count(cn->listed, -1ul);
}

int slob_own_grow(struct kmem_cache *cache, gfp_t gfp, int nid)
{
	struct page *page = heap_slab_pages(cache, gfp, nid);
	struct kmem_cache_node *cn;
	struct slob_own *own;
	struct slob_node *n;
	unsigned long flags;

	if (!page)
		return -ENOMEM;
	nid = page_to_nid(page);
	own = backend_node_add(cache, nid, gfp) ? NULL : meta_alloc(own_bytes(cache->objects), gfp, nid);
	if (!own) {
		heap_slab_free(cache, page);
		return -ENOMEM;
	}
	own->slab.cache = cache;
	own->slab.base = (char *)page_address(page) + cache->red_left_pad;
	own->slab.objects = cache->objects;
	own->slab.node = (u16)nid;
	own->slab.order = (u8)cache->order;
	own->free = cache->objects;
	own->bytes = (u32)own_bytes(cache->objects);
	heap_slab_bind(cache, page, &own->slab);
	n = slob_node((unsigned int)nid);
	spin_lock_irqsave(&n->lock, flags);
	cn = slob_cache_node(cache, (unsigned int)nid);
	list_add(&own->slab.all, &cn->all);
	list_locked(cn, &own->slab);
	slob_count(cn->slabs, 1);
	slob_count(cn->free, own->free);
	slob_count(cn->empty, 1);
	spin_unlock_irqrestore(&n->lock, flags);
	return nid;
}

/* The first object that is free: there is one. */
static u32 first_free(const struct slob_own *own)
{
	u32 word = 0;

	while (own->used[word] == ~(u64)0)
		word++;
	return word * 64 + lowest_bit(~own->used[word]);
}

void *slob_own_take_locked(struct kmem_cache *cache, unsigned int nid)
{
	struct kmem_cache_node *cn = slob_cache_node(cache, nid);
	struct slob_own *own;
	u32 i;

	if (!cn || list_empty(&cn->partial))
		return NULL;
	own = slob_own_of(list_first_entry(&cn->partial, struct slab, list));
	i = first_free(own);
	if (own->free == own->slab.objects)
		slob_count(cn->empty, -1ul);
	store_relaxed_u64(&own->used[i / 64], own->used[i / 64] | (u64)1 << i % 64);
	slob_count(own->free, -1u);
	slob_count(cn->free, -1ul);
	if (!own->free)
		unlist_locked(cn, &own->slab);
	return slab_object(cache, &own->slab, i);
}

bool slob_own_is_free(struct slab *slab, u32 index)
{
	return !(load_relaxed_u64(&slob_own_of(slab)->used[index / 64]) >> index % 64 & 1);
}

void slob_own_drop_locked(struct kmem_cache *cache, struct slab *slab, struct list_head *dead)
{
	struct kmem_cache_node *cn = slob_cache_node(cache, slab->node);

	list_del(&slab->all);
	unlist_locked(cn, slab);
	slob_count(cn->slabs, -1ul);
	slob_count(cn->empty, -1ul);
	slob_count(cn->free, -(unsigned long)slab->objects);
	list_add(&slab->list, dead);
}

bool slob_own_give_locked(struct kmem_cache *cache, struct slab *slab, u32 index, struct list_head *dead)
{
	struct kmem_cache_node *cn = slob_cache_node(cache, slab->node);
	struct slob_own *own = slob_own_of(slab);

	if (slob_own_is_free(slab, index))
		return false;
	store_relaxed_u64(&own->used[index / 64], own->used[index / 64] & ~((u64)1 << index % 64));
	if (!own->free)
		list_locked(cn, slab);
	slob_count(own->free, 1);
	slob_count(cn->free, 1);
	if (own->free < slab->objects)
		return true;
	slob_count(cn->empty, 1);
	if (cn->empty > load_relaxed(&cache->min_partial) && !cn->walkers)
		slob_own_drop_locked(cache, slab, dead);
	return true;
}

static void free_pages_of(struct kmem_cache *cache, struct slob_own *own)
{
	struct page *page = virt_to_page(slab_start(&own->slab));

	heap_slab_free(cache, page);
	meta_free(own, own->bytes);
}

static void after_grace_period(struct rcu_head *head)
{
	struct slob_own *own = container_of(head, struct slob_own, rcu);

	free_pages_of(own->slab.cache, own);
}

void slob_own_bury(struct kmem_cache *cache, struct slab *slab)
{
	struct slob_own *own = slob_own_of(slab);

	if (cache->flags & SLAB_TYPESAFE_BY_RCU)
		call_rcu(&own->rcu, after_grace_period);
	else
		free_pages_of(cache, own);
}

#endif
