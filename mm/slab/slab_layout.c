// SPDX-License-Identifier: MIT
/*
 * The slab back end: how a cache's slabs are laid out, and the sizes of its arrays.
 *
 * Order: the smallest that holds eight objects, or else four, so that making slabs does not cost more than using them,
 * and wastes at most 1/8 of the slab; up to 3, the last order that pages are handed out of without effort: 0 for sizes
 * to 512, 1 to 1024 (slab_max_order's default was 1), 2 to 2048. On machines of at most 32 MiB it is 0. Where no order
 * does, the one that wastes least; an object too large for any of them takes the first order it fits in.
 *
 * Descriptor: it lies on the slab if it fits in what is left over there and takes no object's place. Elsewhere it costs
 * its own bytes; on the slab, whole objects. Up to twice as much is paid, as for sizes to 128: an allocation that could
 * fail is saved, and a far address to translate. Beyond twice, it lies elsewhere.
 *
 * Colours: what is left over, in steps of a cache line or of the alignment.
 */
#ifdef OCTAVO_HEAP_SLAB

#include "debug.h"
#include "slab_lists.h"

#include <octavo/gfp.h>

#define SMALL_MACHINE (32ul << 20 >> PAGE_SHIFT) /* Documentation/admin-guide/kernel-parameters.txt, slab_max_order */
#define CACHE_LINE 64u

size_t slab_object_align(const struct kmem_cache *cache)
{
	size_t align = max((size_t)cache->align, (size_t)1);

	if (is_power_of_2(cache->size) && !(cache->flags & SLAB_DEBUG_FLAGS))
		align = max(align, min((size_t)cache->size, (size_t)PAGE_SIZE));
	return align;
}

/* The guard ahead of the first object lies behind the descriptor. */
static size_t first_offset(const struct kmem_cache *cache, size_t descriptor)
{
	return ALIGN(descriptor + cache->red_left_pad, slab_object_align(cache));
}

size_t slab_first_offset(const struct kmem_cache *cache)
{
	return first_offset(cache, cache->on_slab ? slab_body_bytes(cache->objects) : 0);
}

static unsigned int objects_behind(const struct kmem_cache *cache, size_t bytes, size_t descriptor)
{
	size_t start = first_offset(cache, descriptor) - cache->red_left_pad;

	return start < bytes ? (unsigned int)min((bytes - start) / cache->size, (size_t)0xffff) : 0;
}

bool slab_fit(const struct kmem_cache *cache, unsigned int order, struct slab_fit *fit)
{
	const size_t bytes = PAGE_SIZE << order;
	unsigned int off = objects_behind(cache, bytes, 0), on = off;
	size_t elsewhere = ALIGN(slab_body_bytes(off), (size_t)16);

	if (!off)
		return false;
	/* Fewer objects need fewer bits. */
	while (on && objects_behind(cache, bytes, slab_body_bytes(on)) < on)
		on--;
	fit->order = order;
	fit->on_slab = on && (size_t)(off - on) * cache->size <= 2 * elsewhere;
	fit->objects = fit->on_slab ? on : off;
	fit->first = first_offset(cache, fit->on_slab ? slab_body_bytes(on) : 0);
	fit->left = bytes - (fit->first - cache->red_left_pad) - (size_t)fit->objects * cache->size;
	return true;
}

static size_t waste_of(const struct kmem_cache *cache, const struct slab_fit *fit)
{
	return (PAGE_SIZE << fit->order) - (size_t)fit->objects * cache->size;
}

static bool choose_order(const struct kmem_cache *cache, struct slab_fit *best)
{
	const unsigned int most = totalram_pages() <= SMALL_MACHINE ? 0 : min(SLAB_GOOD_ORDER, slab_max_order);
	bool found = false;
	struct slab_fit fit;

	for (unsigned int objects = 8; objects >= 4; objects /= 2)
		for (unsigned int order = 0; order <= most; order++)
			if (slab_fit(cache, order, best) && best->objects >= objects &&
			    waste_of(cache, best) * 8 <= PAGE_SIZE << order)
				return true;
	for (unsigned int order = 0; order <= MAX_PAGE_ORDER && !(found && order > most); order++) {
		if (!slab_fit(cache, order, &fit))
			continue;
		if (!found || waste_of(cache, &fit) >> order < waste_of(cache, best) >> best->order)
			*best = fit;
		found = true;
	}
	return found;
}

/*
 * Objects in a CPU's array by size: what /proc/slabinfo has shown for this design since Linux 2.6. Half of it moves at
 * once; eight batches are shared where CPUs are several and objects no larger than a page.
 */
static unsigned int array_limit(size_t size)
{
	if (size > 131072)
		return 1;
	if (size > PAGE_SIZE)
		return 8;
	if (size > 1024)
		return 24;
	return size > 256 ? 54 : 120;
}

void slab_set_keep(struct kmem_cache *cache)
{
	unsigned int cpus = DIV_ROUND_UP(nr_cpu_ids, max(heap.nodes, 1u));
	unsigned long objects = (1ul + cpus) * cache->mag_batch + cache->objects;

	store_relaxed(&cache->min_partial, (u16)min(DIV_ROUND_UP(objects, (unsigned long)cache->objects), 0xfffful));
}

int backend_layout(struct kmem_cache *cache)
{
	struct slab_fit fit = { 0 };

	if (!choose_order(cache, &fit))
		return -E2BIG;
	cache->order = (u16)fit.order;
	cache->objects = (u16)fit.objects;
	cache->on_slab = fit.on_slab;
	cache->colour_off = (u32)max(slab_object_align(cache), (size_t)CACHE_LINE);
	cache->colour = (u32)(fit.left / cache->colour_off) + 1;
	cache->mag_limit = cache->mag_batch = cache->mag_shared = 0;
	if (!(cache->flags & SLAB_DEBUG_FLAGS)) {
		cache->mag_limit = (u16)array_limit(cache->size);
		cache->mag_batch = (u16)((cache->mag_limit + 1) / 2);
		cache->mag_shared = nr_cpu_ids > 1 && cache->size <= PAGE_SIZE ? 8 : 0;
	}
	cache->cpu_slabs = 0;
	slab_set_keep(cache);
	return 0;
}

#endif
