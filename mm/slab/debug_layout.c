// SPDX-License-Identifier: MIT
/* How the objects of a cache lie, and what debugging adds to each. The picture stands in debug.c. */
#include "debug.h"

#include "../phys/page_alloc.h"

#define WORD ((u32)sizeof(void *))
/* What takes room in or behind objects. */
#define METADATA_FLAGS (SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER)

octavo_static_assert(sizeof(struct track) % sizeof(void *) == 0, "what follows a record is aligned");
octavo_static_assert(sizeof(struct object_meta) % sizeof(void *) == 0, "so are the records");

struct layout {
	u32 size, inuse, red_left_pad, end;
};

static struct layout lay_out(const struct kmem_cache *cache, slab_flags_t flags)
{
	u32 align = max(cache->align, WORD);
	struct layout l = { .size = ALIGN(cache->object_size, WORD) };

	/* A red zone of a word at least; what aligning the end left over will do. */
	if ((flags & SLAB_RED_ZONE) && l.size == cache->object_size)
		l.size += WORD;
	l.inuse = l.size;
	if (flags & SLAB_DEBUG_FLAGS)
		l.size += (u32)sizeof(struct object_meta);
	if (flags & SLAB_STORE_USER)
		l.size += 2 * (u32)sizeof(struct track);
	l.end = l.size;
	if (flags & SLAB_RED_ZONE) {
		l.size += WORD; /* padding, so that what runs backwards from the next object is seen */
		l.red_left_pad = ALIGN(WORD, align);
		l.size += l.red_left_pad;
	}
	l.size = ALIGN(l.size, align);
	return l;
}

static unsigned int order_of(u32 bytes)
{
	return bytes <= PAGE_SIZE ? 0 : highest_bit(bytes - 1) + 1 - PAGE_SHIFT;
}

int slab_debug_layout(struct kmem_cache *cache)
{
	struct layout l;

	/* Slabs of bare powers of two align their objects by themselves; what debugging adds to each undoes that. */
	if ((cache->flags & SLAB_DEBUG_FLAGS) && (cache->flags & SLAB_KMALLOC) && is_power_of_2(cache->object_size))
		cache->align = max(cache->align, cache->object_size);
	l = lay_out(cache, cache->flags);
	if (slab_debug_keeps_order() && order_of(l.size) > order_of(cache->object_size)) {
		cache->flags &= ~METADATA_FLAGS;
		l = lay_out(cache, cache->flags);
	}
	cache->size = l.size;
	cache->inuse = l.inuse;
	cache->red_left_pad = l.red_left_pad;
	if (order_of(l.size) > MAX_PAGE_ORDER)
		return -E2BIG;
	if (!(cache->flags & SLAB_DEBUG_FLAGS))
		return 0;
	cache->debug = meta_alloc(sizeof(*cache->debug), GFP_KERNEL, NUMA_NO_NODE);
	if (!cache->debug)
		return -ENOMEM;
	spin_lock_init(&cache->debug->lock, LOCK_RANK_HEAP_DEBUG);
	cache->debug->end = l.end;
	/* A free object keeps what its constructor made, and what readers under RCU may still look at. */
	cache->debug->poison = (cache->flags & SLAB_POISON) && !(cache->flags & SLAB_TYPESAFE_BY_RCU) && !cache->ctor;
	if (cache->flags & SLAB_STORE_USER)
		stack_depot_reserve(GFP_KERNEL);
	return 0;
}

void slab_debug_release(struct kmem_cache *cache)
{
	if (!cache->debug)
		return;
	meta_free(cache->debug, sizeof(*cache->debug));
	cache->debug = NULL;
}
