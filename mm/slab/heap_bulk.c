// SPDX-License-Identifier: MIT
/* The heap's front end: many objects at once. They pass the magazine by where it does not have them. */
#include "heap.h"

#include "../base/string.h"

#define AT_ONCE 64u /* objects a section moves: it is as long as an interrupt may find the caches in use */
#define CALLER ((uintptr_t)__builtin_return_address(0))

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
		n = min(mag->nr, want);
		store_relaxed(&mag->nr, mag->nr - n);
		for (unsigned int i = 0; i < n; i++)
			objs[i] = mag->objs[mag->nr + n - 1 - i];
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

/* Into the magazine, and what it has no room for into the slabs. Return: how many of them, from the first on. */
static unsigned int give_some(struct kmem_cache *cache, u32 slot, void **objs, unsigned int nr, struct list_head *dead)
{
	struct magazine *mag;
	unsigned long flags;
	unsigned int n = 0;

	if (!cpu_section_try(&flags))
		return 0;
	mag = load_acquire(&this_cpu_const(heap)[slot]);
	if (likely(mag->limit)) {
		while (n < nr && mag->nr < mag->limit) {
			mag->objs[mag->nr] = objs[n++];
			store_relaxed(&mag->nr, mag->nr + 1);
		}
		if (n < nr)
			backend_give(cache, container_of(mag, struct cpu_cache, mag), objs + n, nr - n, dead);
		n = nr;
	}
	cpu_section_leave(flags);
	return n;
}

/* The slot of an object if it may be given without further questions, or 0. */
static u32 slot_of(const struct kmem_cache *cache, const void *object)
{
	struct page *page = heap_page(object);

	if (unlikely(!page || !PageSlab(page)))
		return 0;
	return !cache || (u32)page->_mapcount - cache->slot < heap.nodes ? (u32)page->_mapcount : 0;
}

void kmem_cache_free_bulk(struct kmem_cache *cache, size_t nr, void **objects)
{
	struct list_head dead;

	INIT_LIST_HEAD(&dead);
	for (size_t i = 0; i < nr;) {
		u32 slot = objects[i] ? slot_of(cache, objects[i]) : 0;
		struct kmem_cache *its = slot ? page_slab(heap_page_known(objects[i]))->cache : NULL;
		unsigned int n = 1, done = 0;

		while (n < AT_ONCE && i + n < nr && slot && slot_of(cache, objects[i + n]) == slot)
			n++;
		if (slot && its)
			done = give_some(its, slot, objects + i, n, &dead);
		if (unlikely(!list_empty(&dead)))
			backend_bury(its, &dead);
		for (; done < n; done++)
			heap_free_slow(cache, objects[i + done], CALLER);
		i += n;
	}
}
