// SPDX-License-Identifier: MIT
/* The slab back end: a node's lists of slabs. All functions but the last run under the node's lock. */
#ifdef OCTAVO_HEAP_SLAB

#include "slab_lists.h"

static force_inline void add_count(unsigned long *count, long change)
{
	store_relaxed(count, *count + (unsigned long)change);
}

/* ---- Taking ---- */

/* Up to @want objects, the lowest last: magazines hand out the last first. Neighbours are taken as a run of bits. */
static force_inline unsigned int take_bits(const struct kmem_cache *cache, struct slab_body *body, void **objs,
					   unsigned int want)
{
	const unsigned int n = min(want, body->free);
	const size_t size = cache->size;
	char *base = body->slab.base;
	void **out = objs + n;

	body->free -= n;
	for (unsigned long *word = body->bits; out > objs; word++, base += SLAB_WORD_BITS * size) {
		unsigned long bits = *word;

		while (bits && out > objs) {
			unsigned int low = (unsigned int)__builtin_ctzl(bits);
			/* Of ones from @low on, at most all but the sign: no shift by a whole word. */
			unsigned int run = (unsigned int)__builtin_ctzl(~(bits >> low) | 1ul << (SLAB_WORD_BITS - 1));
			char *object = base + low * size;
			void **end;

			run = (unsigned int)min((long)run, (long)(out - objs));
			end = out - run;
			do {
				*--out = object;
				object += size;
			} while (out > end);
			bits &= ~(((1ul << run) - 1) << low);
		}
		*word = bits;
	}
	return n;
}

/* The same in no order. */
static noinline unsigned int take_bits_random(const struct kmem_cache *cache, struct kmem_cache_node *n,
					      struct slab_body *body, void **objs, unsigned int want)
{
	const unsigned int nr = min(want, body->free);

	for (unsigned int i = 0; i < nr; i++) {
		unsigned int index;

		n->random ^= n->random << 13;
		n->random ^= n->random >> 7;
		n->random ^= n->random << 17;
		index = (unsigned int)((u64)(u32)n->random * cache->objects >> 32);
		while (!slab_bit(body, index))
			index = index + 1 < cache->objects ? index + 1 : 0;
		body->bits[index / SLAB_WORD_BITS] &= ~(1ul << index % SLAB_WORD_BITS);
		objs[i] = slab_object(cache, &body->slab, index);
	}
	body->free -= nr;
	return nr;
}

unsigned int slab_lists_take_locked(struct kmem_cache *cache, struct kmem_cache_node *n, void **objs,
				    unsigned int want)
{
	const unsigned long objects = cache->objects;
	unsigned int got = 0;

	while (got < want) {
		const bool partial = !list_empty(&n->partial);
		struct slab_body *body;
		unsigned int taken;

		if (!partial && list_empty(&n->free))
			break;
		body = slab_body(list_first_entry(partial ? &n->partial : &n->free, struct slab, list));
		taken = unlikely(heap.random) ? take_bits_random(cache, n, body, objs + got, want - got) :
						take_bits(cache, body, objs + got, want - got);
		got += taken;
		if (!partial) {
			add_count(&n->free_slabs, -1);
			list_del(&body->slab.list);
			if (taken < objects)
				add_count(&n->partial_slabs, 1);
			list_add(&body->slab.list, taken < objects ? &n->partial : &n->full);
		} else if (!body->free) {
			add_count(&n->partial_slabs, -1);
			list_del(&body->slab.list);
			list_add(&body->slab.list, &n->full);
		}
	}
	add_count(&n->free_objects, -(long)got);
	return got;
}

/* ---- Giving ---- */

/* The slab of @cache and @n's that @object lies on, or NULL. */
static force_inline struct slab_body *body_of(const struct kmem_cache *cache, const struct kmem_cache_node *n,
					      const void *object)
{
	struct page *page = heap_page(object);
	struct slab *slab;

	if (unlikely(!page || !PageSlab(page)))
		return NULL;
	slab = page_slab(page);
	if (unlikely(!slab || slab->cache != cache || slab->node != n->nid))
		return NULL;
	return slab_body(slab);
}

static void kill_locked(struct kmem_cache *cache, struct kmem_cache_node *n, struct slab_body *body,
			struct list_head *dead)
{
	add_count(&n->free_slabs, -1);
	add_count(&n->slabs, -1);
	add_count(&n->free_objects, -(long)cache->objects);
	list_del(&body->slab.all);
	list_del(&body->slab.list);
	list_add(&body->slab.list, dead);
}

void slab_lists_trim_locked(struct kmem_cache *cache, struct kmem_cache_node *n, unsigned long keep,
			    struct list_head *dead)
{
	/* From the tail: the pages that were used longest ago. */
	while (n->free_objects > keep && n->free_slabs && !n->walkers)
		kill_locked(cache, n, slab_body(list_entry(n->free.prev, struct slab, list)), dead);
}

/* The slab had @before free objects and is to go to another list. */
static noinline void move_slab(struct kmem_cache *cache, struct kmem_cache_node *n, struct slab_body *body,
			       unsigned int before, struct list_head *dead)
{
	const unsigned long keep = (unsigned long)load_relaxed(&cache->min_partial) * cache->objects;

	list_del(&body->slab.list);
	if (body->free < cache->objects) {
		add_count(&n->partial_slabs, 1);
		list_add_tail(&body->slab.list, &n->partial);
		return;
	}
	if (before)
		add_count(&n->partial_slabs, -1);
	add_count(&n->free_slabs, 1);
	list_add(&body->slab.list, &n->free);
	slab_lists_trim_locked(cache, n, keep, dead);
}

/* @freed more of the slab's objects are free. */
static force_inline void settle(struct kmem_cache *cache, struct kmem_cache_node *n, struct slab_body *body,
				unsigned int freed, struct list_head *dead)
{
	const unsigned int before = body->free;

	body->free = before + freed;
	add_count(&n->free_objects, (long)freed);
	if (unlikely(!before || before + freed == cache->objects) && freed)
		move_slab(cache, n, body, before, dead);
}

/*
 * The index of an object and whether one begins there at all come from one product: reciprocal is 2^32 / size, and a
 * bit (less than 1) more, so the high half counts whole objects, and the low half is what is left over, in units of
 * 1 / reciprocal: less than one exactly if the offset is a multiple of size. The bit more adds up to less than one, as
 * offset * size < 2^32: slabs of several objects have at most 32 KiB.
 */
octavo_static_assert((PAGE_SIZE << SLAB_GOOD_ORDER) * (PAGE_SIZE << SLAB_GOOD_ORDER) < 1ull << 32, "see above");

unsigned int slab_lists_give_locked(struct kmem_cache *cache, struct kmem_cache_node *n, void **objs, unsigned int nr,
				    struct list_head *dead)
{
	const size_t span = slab_span(cache);
	const u32 reciprocal = cache->reciprocal;
	/* [i - first] objects belong to @body's slab, less those refused since then */
	unsigned int refused = 0, first = 0;
	struct slab_body *body = NULL;
	/* Of no slab: no object has so high an address. */
	uintptr_t base = ~(uintptr_t)0 - span;

	for (unsigned int i = 0; i < nr; i++) {
		void *object = objs[i];
		size_t offset = (uintptr_t)object - base;
		unsigned long bits, *word;
		u64 product;

		if (unlikely(offset >= span)) {
			struct slab_body *next = body_of(cache, n, object);

			if (body)
				settle(cache, n, body, i - first - refused, dead);
			first = i - refused;
			body = next;
			if (unlikely(!body || (uintptr_t)object - (uintptr_t)body->slab.base >= span)) {
				body = NULL;
				base = ~(uintptr_t)0 - span;
				objs[refused++] = object;
				continue;
			}
			base = (uintptr_t)body->slab.base;
			offset = (uintptr_t)object - base;
		}
		product = (u64)(u32)offset * reciprocal;
		word = &body->bits[(u32)(product >> 32) / SLAB_WORD_BITS];
		bits = *word | 1ul << (u32)(product >> 32) % SLAB_WORD_BITS;
		if (unlikely((u32)product >= reciprocal || bits == *word)) {
			objs[refused++] = object;
			continue;
		}
		*word = bits;
	}
	if (body)
		settle(cache, n, body, nr - first - refused, dead);
	return refused;
}

void slab_lists_add_locked(struct kmem_cache *cache, struct kmem_cache_node *n, struct slab_body *body)
{
	add_count(&n->slabs, 1);
	add_count(&n->free_slabs, 1);
	add_count(&n->free_objects, (long)cache->objects);
	list_add(&body->slab.list, &n->free);
	list_add_tail(&body->slab.all, &n->all);
}

/* ---- Order ---- */

#define BUCKETS 16u

void slab_lists_sort_locked(struct kmem_cache *cache, struct kmem_cache_node *n)
{
	struct list_head bucket[BUCKETS];
	struct slab *slab, *tmp;

	for (unsigned int i = 0; i < BUCKETS; i++)
		INIT_LIST_HEAD(&bucket[i]);
	list_for_each_entry_safe(slab, tmp, &n->partial, list) {
		list_del(&slab->list);
		list_add_tail(&slab->list, &bucket[slab_body(slab)->free * BUCKETS / cache->objects]);
	}
	for (unsigned int i = 0; i < BUCKETS; i++) {
		while (!list_empty(&bucket[i])) {
			slab = list_first_entry(&bucket[i], struct slab, list);
			list_del(&slab->list);
			list_add_tail(&slab->list, &n->partial);
		}
	}
}

/* ---- Reports ---- */

void slab_report_refused(struct kmem_cache *cache, void **objs, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct page *page = heap_page(objs[i]);
		struct slab *slab = page && PageSlab(page) ? page_slab(page) : NULL;
		u32 index;

		if (!slab)
			heap_report_wild_free(objs[i], 0);
		else if (slab->cache != cache)
			heap_report_wrong_cache(cache, slab->cache, objs[i], 0);
		else if (slab_has_object(cache, slab, objs[i], &index))
			heap_report_double_free(cache, slab, objs[i]);
		else
			heap_report_invalid_free(cache, slab, objs[i], 0);
	}
}

#endif
