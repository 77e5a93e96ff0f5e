// SPDX-License-Identifier: MIT
/* The heap's front end: many objects at once. They pass the magazine by where it does not have them. */
#include "heap.h"

#include "../base/string.h"

#define AT_ONCE 64u /* objects a section moves: it is as long as an interrupt may find the caches in use */
#define CALLER ((uintptr_t)__builtin_return_address(0))

static force_inline void copy_pointers(void **to, void **from, unsigned int n)
{
	for (; n >= 4; n -= 4, to += 4, from += 4) {
		void *a = from[0], *b = from[1], *c = from[2], *d = from[3];

		to[0] = a;
		to[1] = b;
		to[2] = c;
		to[3] = d;
	}
	while (n--)
		*to++ = *from++;
}

/* From the magazine, then from the back end. Return: how many. */
static unsigned int take_some(struct kmem_cache *cache, void **objs, unsigned int want)
{
	struct cpu_cache *cc;
	struct magazine *mag;
	unsigned long flags;
	unsigned int n = 0;

	if (!cpu_section_try(&flags))
		return 0;
	mag = load_acquire(&this_cpu_const(heap_local)[cache->slot]);
	if (likely(mag->limit)) {
		cc = container_of(mag, struct cpu_cache, mag);
		n = (unsigned int)min(mag->nr, (unsigned long)want);
		store_relaxed(&mag->nr, mag->nr - n);
		copy_pointers(objs, mag->objs + mag->nr, n);
		if (n < want)
			n += backend_take(cache, cc, objs + n, want - n);
	}
	cpu_section_leave(flags);
	return n;
}

int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t gfp, size_t nr, void **objects)
{
	size_t n = 0;

	while (n < nr) {
		unsigned int got = take_some(cache, objects + n, (unsigned int)min(nr - n, (size_t)AT_ONCE));

		if ((gfp & __GFP_ZERO) && !cache->ctor)
			for (unsigned int i = 0; i < got; i++)
				heap_zero(cache, objects[n + i]);
		n += got;
		if (got)
			continue;
		/* Debugged, hooked, on its first visit, or out of slabs: as if asked for alone. */
		objects[n] = heap_alloc_slow(cache, gfp, NUMA_NO_NODE, cache->object_size, CALLER);
		if (unlikely(!objects[n])) {
			kmem_cache_free_bulk(cache, n, objects);
			return 0;
		}
		n++;
	}
	return (int)nr;
}

/* May the object go where those of this slot go? A look without a lock, as in kfree(). */
static force_inline bool has_slot(const void *object, u32 slot)
{
	uintptr_t offset = (uintptr_t)object - heap.direct_map;
	struct page *page;

	if (unlikely(offset >= heap.bytes))
		return false;
	page = pfn_to_page(offset >> PAGE_SHIFT);
	return page_plain_flag(page, PG_slab) && (u32)page->_mapcount == slot;
}

/*
 * The objects from the first on that are of this slot: into the magazine, and what it has no room for into the slabs.
 * Return: how many.
 */
static unsigned int give_run(struct kmem_cache *cache, u32 slot, void **objs, unsigned int nr, struct list_head *dead)
{
	struct magazine *mag;
	unsigned long flags;
	unsigned int n = 0, first;

	if (!cpu_section_try(&flags))
		return 0;
	mag = load_acquire(&this_cpu_const(heap)[slot]);
	if (likely(mag->limit)) {
		unsigned int room = (unsigned int)min(mag->limit - mag->nr, (unsigned long)nr);
		void **to = mag->objs + mag->nr;

		while (n < room && has_slot(objs[n], slot)) {
			to[n] = objs[n];
			n++;
		}
		store_relaxed(&mag->nr, mag->nr + n);
		for (first = n; n >= room && n < nr && has_slot(objs[n], slot); n++)
			;
		if (n > first)
			backend_give(cache, container_of(mag, struct cpu_cache, mag), objs + first, n - first, dead);
	}
	cpu_section_leave(flags);
	return n;
}

/* The cache of an object if it may be given without further questions, and its slot. */
static struct kmem_cache *cache_of(struct kmem_cache *asked, const void *object, u32 *slot)
{
	struct page *page = heap_page(object);

	if (unlikely(!page || !page_plain_flag(page, PG_slab) || !page->_mapcount))
		return NULL;
	*slot = (u32)page->_mapcount;
	if (asked && *slot - asked->slot >= heap.nodes)
		return NULL;
	return asked ? asked : page_slab(page)->cache;
}

void kmem_cache_free_bulk(struct kmem_cache *cache, size_t nr, void **objects)
{
	struct list_head dead;
	unsigned int n;

	INIT_LIST_HEAD(&dead);
	for (size_t i = 0; i < nr; i += n) {
		u32 slot = 0;
		struct kmem_cache *its = cache_of(cache, objects[i], &slot);

		n = its ? give_run(its, slot, objects + i, (unsigned int)min(nr - i, (size_t)AT_ONCE), &dead) : 0;
		if (unlikely(!list_empty(&dead)))
			backend_bury(its, &dead);
		if (unlikely(!n)) {
			heap_free_slow(cache, objects[i], CALLER);
			n = 1;
		}
	}
}
