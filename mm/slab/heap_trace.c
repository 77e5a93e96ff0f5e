// SPDX-License-Identifier: MIT
/*
 * The heap's trace events: kmalloc, kfree, kmem_cache_alloc, kmem_cache_free. A tool like kmemleak: while one of the
 * events is on, the fast paths are shut and each allocation and free comes by here; while none is, nothing does.
 */
#include "../sync/trace.h"

#include <octavo/numa.h>

#include "heap.h"
#include "heap_trace.h"

static void allocated(struct kmem_cache *cache, const void *object, size_t size, gfp_t gfp, uintptr_t caller)
{
	size_t bytes = cache ? cache->size : (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

	if (!cache || cache->flags & SLAB_KMALLOC)
		trace_event(kmalloc, caller, trace_pointer(object), size, bytes, gfp, NUMA_NO_NODE);
	else
		trace_event(kmem_cache_alloc, caller, trace_pointer(object), trace_pointer(cache->name), size, bytes,
			    gfp, NUMA_NO_NODE, (gfp & __GFP_ACCOUNT) != 0);
}

static void freeing(const void *object, uintptr_t caller)
{
	struct page *page = heap_page(object);
	struct slab *slab = page && PageSlab(page) ? page_slab(page) : NULL;
	const struct kmem_cache *cache = slab ? backend_cache_of(slab, object) : NULL;

	if (!cache || cache->flags & SLAB_KMALLOC)
		trace_event(kfree, caller, trace_pointer(object));
	else
		trace_event(kmem_cache_free, caller, trace_pointer(object), trace_pointer(cache->name));
}

static const struct heap_tool trace_tool = { .allocated = allocated, .freeing = freeing };

void heap_trace(bool on)
{
	if (on != (load_acquire(&heap.tools[HEAP_TOOL_TRACE]) != NULL))
		heap_tool_set(HEAP_TOOL_TRACE, on ? &trace_tool : NULL);
}
