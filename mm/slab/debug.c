// SPDX-License-Identifier: MIT
/* Reports of objects misused, and the layout of caches that do not debug. */
#include "backend.h"

#include "../base/printk.h"

slab_flags_t slab_debug_flags(const char *name, slab_flags_t flags, unsigned int object_size)
{
	(void)name;
	(void)object_size;
	return flags & ~SLAB_DEBUG_FLAGS;
}

int slab_debug_layout(struct kmem_cache *cache)
{
	cache->inuse = cache->object_size;
	cache->size = ALIGN(cache->object_size, cache->align);
	return 0;
}

void slab_debug_release(struct kmem_cache *cache)
{
	(void)cache;
}

void slab_debug_init_object(struct kmem_cache *cache, struct slab *slab, void *object)
{
	(void)cache;
	(void)slab;
	(void)object;
}

bool slab_debug_alloc(struct kmem_cache *cache, struct slab *slab, void *object, size_t size, uintptr_t caller)
{
	(void)cache;
	(void)slab;
	(void)object;
	(void)size;
	(void)caller;
	return true;
}

bool slab_debug_free(struct kmem_cache *cache, struct slab *slab, void *object, uintptr_t caller)
{
	(void)cache;
	(void)slab;
	(void)object;
	(void)caller;
	return true;
}

bool slab_resize_in_place(const void *object, size_t size, size_t old)
{
	(void)object;
	return size <= old;
}

static void report(const struct kmem_cache *cache, const char *what, const void *object, uintptr_t caller)
{
	atomic_add_relaxed(&heap.errors, 1);
	pr_err("BUG %s: %s: object at 0x%lx, freed by 0x%lx\n", cache ? cache->name : "kfree", what,
	       (unsigned long)object, (unsigned long)caller);
}

void heap_report_wild_free(const void *object, uintptr_t caller)
{
	report(NULL, "not an object of the heap", object, caller);
}

void heap_report_invalid_free(struct kmem_cache *cache, struct slab *slab, const void *object, uintptr_t caller)
{
	(void)slab;
	report(cache, "Invalid object pointer", object, caller);
}

void heap_report_double_free(struct kmem_cache *cache, struct slab *slab, const void *object)
{
	(void)slab;
	report(cache, "Object already free", object, 0);
}

void heap_report_wrong_cache(struct kmem_cache *asked, struct kmem_cache *real, const void *object, uintptr_t caller)
{
	(void)real;
	report(asked, "Wrong slab cache", object, caller);
}

void heap_report_remaining(struct kmem_cache *cache)
{
	report(cache, "Objects remaining on kmem_cache_destroy()", NULL, 0);
}
