// SPDX-License-Identifier: MIT
/* The slab back end's verifier. Each invariant is checked by itself, from the bits: one damage is one finding. */
#ifdef OCTAVO_HEAP_SLAB

#include "slab_lists.h"

#include "../base/findings.h"
#include "../base/printk.h"

struct verify {
	struct kmem_cache *cache;
	struct kmem_cache_node *n;
	struct findings findings;
	char of[64];
};

#define found(check, ...) finding(&(check)->findings, __VA_ARGS__)

/* Free objects by the bits. */
static unsigned int bits_set(const struct slab_body *body)
{
	const unsigned int objects = body->slab.objects;
	unsigned int set = 0;

	for (u32 index = 0; index < objects; index++)
		set += slab_bit(body, index);
	return set;
}

static bool bits_behind(const struct slab_body *body)
{
	const unsigned int objects = body->slab.objects;

	return objects % SLAB_WORD_BITS && body->bits[objects / SLAB_WORD_BITS] >> objects % SLAB_WORD_BITS;
}

static void verify_place(struct verify *v, struct slab_body *body)
{
	const struct kmem_cache *cache = v->cache;
	const struct slab *slab = &body->slab;
	size_t bytes = PAGE_SIZE << cache->order, first = (uintptr_t)slab->base & (bytes - 1);
	struct page *page = heap_page(slab_start(slab));

	if (slab->order != cache->order || slab->objects != cache->objects || slab->cache != cache ||
	    slab->node != v->n->nid || slab->on_slab != cache->on_slab) {
		found(v, "SL-I5: slab %p is not what the cache's are: order %u, %u objects, node %u",
		      (const void *)slab, slab->order, slab->objects, slab->node);
		return;
	}
	if (first % slab_object_align(cache) || first < slab_first_offset(cache) ||
	    first - cache->red_left_pad + slab_span(cache) > bytes) {
		found(v, "SL-I5: slab %p: the first object lies at offset %zu of %zu", (const void *)slab, first,
		      bytes);
		return;
	}
	for (unsigned int i = 0; i < 1u << cache->order; i++) {
		if (PageSlab(&page[i]) && page_slab(&page[i]) == slab)
			continue;
		found(v, "SL-I5: slab %p: page %u does not lead to it", (const void *)slab, i);
		return;
	}
}

enum place { FULL, PARTIAL, FREE };

static enum place place_of(const struct slab_body *body, unsigned int set)
{
	return !set ? FULL : set == body->slab.objects ? FREE : PARTIAL;
}

/* Return: the list's slabs that are where they should be. */
static unsigned long verify_list(struct verify *v, struct list_head *list, enum place place, const char *name)
{
	unsigned long right = 0, seen = 0;
	struct slab *slab;

	list_for_each_entry(slab, list, list) {
		if (seen++ > v->n->slabs) {
			found(v, "SL-I1: the list of %s slabs does not end", name);
			break;
		}
		if (place_of(slab_body(slab), bits_set(slab_body(slab))) == place)
			right++;
		else
			found(v, "SL-I1: slab %p with %u of %u objects free is on the list of %s ones", (void *)slab,
			      bits_set(slab_body(slab)), slab->objects, name);
	}
	return right;
}

static bool on_lists(const struct verify *v, const struct slab *slab)
{
	struct list_head *lists[] = { &v->n->full, &v->n->partial, &v->n->free };

	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++) {
		unsigned long seen = 0;
		struct slab *other;

		list_for_each_entry(other, lists[i], list)
			if (other == slab || seen++ > v->n->slabs)
				return other == slab;
	}
	return false;
}

static void verify_slabs(struct verify *v)
{
	struct kmem_cache_node *n = v->n;
	unsigned long slabs = 0, places[3] = { 0 }, free = 0;
	unsigned int before;
	struct slab *slab;

	list_for_each_entry(slab, &n->all, all) {
		struct slab_body *body = slab_body(slab);
		unsigned int set = bits_set(body);

		if (slabs++ > n->slabs) {
			found(v, "SL-I3: more than %lu slabs", n->slabs);
			return;
		}
		free += set;
		places[place_of(body, set)]++;
		if (set != body->free)
			found(v, "SL-I2: slab %p counts %u free objects and has %u", (void *)slab, body->free, set);
		if (bits_behind(body))
			found(v, "SL-I2: slab %p has bits behind its last object", (void *)slab);
		verify_place(v, body);
	}
	if (slabs != n->slabs || places[FREE] != n->free_slabs || places[PARTIAL] != n->partial_slabs ||
	    free != n->free_objects)
		found(v, "SL-I3: counts %lu slabs, %lu free, %lu partial, %lu free objects, and has %lu, %lu, %lu, %lu",
		      n->slabs, n->free_slabs, n->partial_slabs, n->free_objects, slabs, places[FREE],
		      places[PARTIAL], free);
	before = v->findings.n;
	slabs -= verify_list(v, &n->full, FULL, "full");
	slabs -= verify_list(v, &n->partial, PARTIAL, "partial");
	slabs -= verify_list(v, &n->free, FREE, "free");
	/* Quadratic, but only if one is missing. */
	if (!slabs || v->findings.n != before)
		return;
	list_for_each_entry(slab, &n->all, all)
		if (!on_lists(v, slab))
			found(v, "SL-I1: slab %p is on no list", (void *)slab);
}

static void verify_shared(struct verify *v)
{
	const struct shared_array *a = v->n->shared;

	if (a && a->nr > a->limit) {
		found(v, "SL-I4: %u objects in a shared array for %u", a->nr, a->limit);
		return;
	}
	for (u32 i = 0; a && i < a->nr; i++) {
		struct page *page = heap_page(a->objs[i]);
		struct slab *slab = page && PageSlab(page) ? page_slab(page) : NULL;
		bool twice = false;
		u32 index;

		for (u32 j = 0; j < i && !twice; j++)
			twice = a->objs[j] == a->objs[i];
		if (!slab || slab->cache != v->cache || slab->node != v->n->nid ||
		    !slab_has_object(v->cache, slab, a->objs[i], &index))
			found(v, "SL-I4: shared array: %p is no object of this cache and node", a->objs[i]);
		else if (slab_bit(slab_body(slab), index))
			found(v, "SL-I4: shared array: object %p is also free in its slab", a->objs[i]);
		else if (twice)
			found(v, "SL-I4: shared array: object %p is there twice", a->objs[i]);
	}
}

unsigned int backend_verify(struct kmem_cache *cache, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct verify v = { .cache = cache, .findings = { .report = report, .ctx = ctx, .of = v.of } };

	for (unsigned int nid = 0; nid < heap.nodes; nid++) {
		v.n = slab_node(cache, nid);
		if (!v.n)
			continue;
		octavo_snprintf(v.of, sizeof(v.of), "%s: node %u", cache->name, nid);
		verify_slabs(&v);
		verify_shared(&v);
	}
	return v.findings.n;
}

#endif
