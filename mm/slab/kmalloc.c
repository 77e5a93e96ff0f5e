// SPDX-License-Identifier: MIT
/*
 * kmalloc(): a cache a size class, whole pages above.
 *
 * Classes: 8 to 8192 by powers of two, and 96 and 192, which spare a quarter for the many objects just above 64 and
 * 128. A class that is a power of two is aligned to its size. Three kinds: normal, reclaimable (kmalloc-rcl-), and,
 * where the machine has such a zone, DMA (dma-kmalloc-). Above 8192 a power of two pages whose first one says so.
 */
#include "kmalloc.h"

#include <octavo/shrinker.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "heap.h"
#include "meta.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))

struct kmem_cache *kmalloc_caches[NR_KMALLOC_TYPES][NR_KMALLOC_CLASSES] __memsys;
u8 kmalloc_class[KMALLOC_UNITS] __memsys;

struct kmem_cache *kmalloc_normal[NR_KMALLOC_CLASSES] __memsys;

/* Size 0's, always shut. */
static struct kmem_cache nothing __memsys;

static const struct kvmalloc_ops *kv_ops __memsys;

static unsigned int class_size(unsigned int index)
{
	return index == 1 ? 96 : index == 2 ? 192 : 1u << index;
}

static int make_class(enum kmalloc_cache_type type, unsigned int index)
{
	static const char *const prefix[NR_KMALLOC_TYPES] = { "kmalloc-", "kmalloc-rcl-", "dma-kmalloc-" };
	static const slab_flags_t flags[NR_KMALLOC_TYPES] = { 0, SLAB_RECLAIM_ACCOUNT, SLAB_CACHE_DMA };
	unsigned int size = class_size(index);
	struct kmem_cache_args args = { .align = is_power_of_2(size) ? min(size, (unsigned int)PAGE_SIZE) :
								       size & -size,
					.usersize = size };
	char name[24];

	if (size >= 1024)
		octavo_snprintf(name, sizeof(name), "%s%uk", prefix[type], size / 1024);
	else
		octavo_snprintf(name, sizeof(name), "%s%u", prefix[type], size);
	kmalloc_caches[type][index] = __kmem_cache_create_args(name, size, &args, flags[type] | SLAB_KMALLOC);
	return kmalloc_caches[type][index] ? 0 : -ENOMEM;
}

static bool has_dma(void)
{
	for_each_populated_zone(zone)
		if (zone->type == ZONE_DMA)
			return true;
	return false;
}

int kmalloc_init(void)
{
	bool dma = has_dma();
	int err = 0;

	for (unsigned int units = 1; units < KMALLOC_UNITS; units++)
		kmalloc_class[units] = (u8)kmalloc_index(units * 8);
	for (unsigned int type = 0; type < NR_KMALLOC_TYPES; type++)
		for (unsigned int index = 1; index < NR_KMALLOC_CLASSES && !err; index++) {
			if (type == KMALLOC_DMA && !dma)
				kmalloc_caches[type][index] = kmalloc_caches[KMALLOC_NORMAL][index];
			else
				err = make_class((enum kmalloc_cache_type)type, index);
		}
	kmalloc_normal[0] = &nothing;
	for (unsigned int index = 1; index < NR_KMALLOC_CLASSES; index++)
		kmalloc_normal[index] = kmalloc_caches[KMALLOC_NORMAL][index];
	return err;
}

/* ---- Whole pages ---- */

static unsigned int order_of(size_t size)
{
	return highest_bit(size - 1) + 1 - PAGE_SHIFT;
}

static void account(struct page *page, long bytes)
{
	mod_node_page_state(NODE_DATA(page_to_nid(page)), NR_SLAB_UNRECLAIMABLE_B, bytes);
}

static void *alloc_large(size_t size, gfp_t gfp, int nid, uintptr_t caller)
{
	const struct heap_tool *leak = load_acquire(&heap.tools[HEAP_TOOL_LEAK]);
	const struct heap_tool *trace = load_acquire(&heap.tools[HEAP_TOOL_TRACE]);
	struct page *page;
	unsigned int order;
	void *object;

	if (unlikely(size > KMALLOC_MAX_SIZE)) {
		if (!(gfp & __GFP_NOWARN))
			pr_warn("kmalloc: %zu bytes asked for; at most %zu can be contiguous\n", size,
				KMALLOC_MAX_SIZE);
		return NULL;
	}
	order = order_of(size);
	page = heap_pages(gfp & (GFP_HEAP_MASK | GFP_DMA | __GFP_RECLAIMABLE | __GFP_ZERO), order, nid);
	if (!page)
		return NULL;
	page->private_data = heap_page_tag(HEAP_PAGE_LARGE, order);
	store_relaxed(&page->_mapcount, 0);
	__SetPageSlab(page);
	account(page, (long)(PAGE_SIZE << order));
	object = page_address(page);
	if (unlikely(load_relaxed(&heap.hooks) & HEAP_TRACE) && trace)
		trace->allocated(NULL, object, size, gfp, caller);
	if (unlikely(load_relaxed(&heap.hooks) & HEAP_LEAK) && leak)
		leak->allocated(NULL, object, size, gfp, caller);
	return object;
}

static void free_large(struct page *page, void *object, uintptr_t caller)
{
	unsigned int order = (unsigned int)(page->private_data >> 8);

	if (unlikely(page_address(page) != object)) {
		heap_report_wild_free(object, caller);
		return;
	}
	account(page, -(long)(PAGE_SIZE << order));
	mm_account_reclaimed_pages(1ul << order);
	__ClearPageSlab(page);
	store_relaxed(&page->_mapcount, -1);
	page->private_data = 0;
	__free_pages(page, order);
}

static size_t large_size(struct page *page, const void *object)
{
	(void)object;
	return PAGE_SIZE << (page->private_data >> 8);
}

static void *large_object(struct page *page, const void *p)
{
	(void)p;
	return page_address(page);
}

static const struct heap_page_ops large_ops = { free_large, large_size, large_object };
const struct heap_page_ops *heap_page_ops[HEAP_PAGE_KINDS] __memsys = { [HEAP_PAGE_LARGE] = &large_ops };

/* ---- kmalloc ---- */

void *kmalloc_any(size_t size, gfp_t gfp, int node, uintptr_t caller)
{
	if (unlikely(size > KMALLOC_MAX_CACHE_SIZE))
		return alloc_large(size, gfp, node, caller);
	if (unlikely(!size))
		return ZERO_SIZE_PTR;
	return heap_alloc_slow(kmalloc_caches[kmalloc_type(gfp)][kmalloc_index(size)], gfp, node, size, caller);
}

void *__kmalloc_node(size_t size, gfp_t gfp, int node)
{
	return kmalloc_any(size, gfp, node, CALLER);
}

static size_t room_of(const void *object)
{
	struct page *page = heap_page(object);
	const struct heap_page_ops *ops;

	if (ZERO_OR_NULL_PTR(object) || !page || !pfn_valid(page_to_pfn(page)) || !PageSlab(page))
		return 0;
	if (page_slab(page))
		return backend_size_of(page_slab(page), object);
	ops = heap_page_ops[heap_page_kind(page)];
	return ops && ops->size ? ops->size(page, object) : 0;
}

__weak size_t backend_kmalloc_size(size_t size, size_t class_bytes)
{
	(void)size;
	return class_bytes;
}

size_t ksize(const void *object)
{
	size_t room = room_of(object);

	if (room)
		slab_grant_room(object, room);
	return room;
}

size_t kmalloc_size_roundup(size_t size)
{
	if (size && size <= KMALLOC_MAX_CACHE_SIZE)
		return backend_kmalloc_size(size, class_size(kmalloc_index(size)));
	if (!size || size > KMALLOC_MAX_SIZE)
		return size;
	return PAGE_SIZE << order_of(size);
}

void kfree_sensitive(const void *object)
{
	size_t size = ksize(object);

	if (size) {
		memset((void *)object, 0, size);
		barrier();
	}
	kfree(object);
}

/* An object of 96 bytes need not lie where one of 64 has to. */
static bool is_aligned_for(const void *object, size_t size)
{
	return IS_ALIGNED((uintptr_t)object, min(size & -size, PAGE_SIZE));
}

void *krealloc(const void *object, size_t size, gfp_t gfp)
{
	size_t old = room_of(object);
	void *now;

	if (!size) {
		kfree(object);
		return ZERO_SIZE_PTR;
	}
	if (unlikely(!old && !ZERO_OR_NULL_PTR(object))) {
		heap_report_wild_free(object, CALLER);
		return NULL;
	}
	if (old && is_aligned_for(object, size) && slab_resize_in_place(object, size, old, gfp))
		return (void *)object;
	now = __kmalloc(size, old && size <= old ? gfp | __GFP_NOWARN : gfp);
	/* To shrink never fails. */
	if (!now && old && slab_resize_in_place(object, size, old, gfp))
		return (void *)object;
	if (now && old) {
		memcpy(now, object, min(size, slab_bytes_asked(object, old)));
		kfree(object);
	}
	return now;
}

void *krealloc_array(void *object, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return krealloc(object, bytes, gfp);
}

/* ---- kvmalloc ---- */

void register_kvmalloc_ops(const struct kvmalloc_ops *ops)
{
	store_release(&kv_ops, ops);
}

void *kvmalloc_node(size_t size, gfp_t gfp, int node)
{
	const gfp_t easy = (gfp | __GFP_NOWARN | __GFP_NORETRY) & ~__GFP_NOFAIL;
	const struct kvmalloc_ops *ops = load_acquire(&kv_ops);
	void *p;

	if (!ops || size <= PAGE_SIZE)
		return __kmalloc_node(size, gfp, node);
	/* Contiguous pages are worth a try, not a fight. */
	p = size <= KMALLOC_MAX_SIZE ? __kmalloc_node(size, easy, node) : NULL;
	return p ? p : ops->alloc(size, gfp, node);
}

static bool is_kv(const void *p)
{
	const struct kvmalloc_ops *ops = load_acquire(&kv_ops);

	return ops && !ZERO_OR_NULL_PTR(p) && ops->owns(p);
}

void *kvrealloc(const void *object, size_t size, gfp_t gfp)
{
	size_t old;
	void *now;

	if (!is_kv(object) && (size <= PAGE_SIZE || !load_acquire(&kv_ops)))
		return krealloc(object, size, gfp);
	old = is_kv(object) ? kv_ops->size(object) : slab_bytes_asked(object, room_of(object));
	now = kvmalloc_node(size, gfp, NUMA_NO_NODE);
	if (now) {
		if (object)
			memcpy(now, object, min(size, old));
		kvfree(object);
	}
	return now;
}

void kvfree(const void *object)
{
	if (is_kv(object))
		kv_ops->free(object);
	else
		kfree(object);
}

void kvfree_sensitive(const void *object, size_t len)
{
	if (!ZERO_OR_NULL_PTR(object)) {
		memset((void *)object, 0, len);
		barrier();
	}
	kvfree(object);
}

/* ---- Copies ---- */

char *kmemdup_nul(const char *s, size_t len, gfp_t gfp)
{
	char *copy = s ? __kmalloc(len + 1, gfp) : NULL;

	if (copy) {
		memcpy(copy, s, len);
		copy[len] = '\0';
	}
	return copy;
}

char *kstrdup(const char *s, gfp_t gfp)
{
	return s ? kmemdup_nul(s, strlen(s), gfp) : NULL;
}

char *kstrndup(const char *s, size_t max, gfp_t gfp)
{
	size_t len = 0;

	if (!s)
		return NULL;
	while (len < max && s[len])
		len++;
	return kmemdup_nul(s, len, gfp);
}

void *kmemdup(const void *src, size_t len, gfp_t gfp)
{
	void *copy = __kmalloc(len, gfp);

	if (copy && len)
		memcpy(copy, src, len);
	return copy;
}

void *kmemdup_array(const void *src, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmemdup(src, bytes, gfp);
}

void *kvmemdup(const void *src, size_t len, gfp_t gfp)
{
	void *copy = kvmalloc_node(len, gfp, NUMA_NO_NODE);

	if (copy && len)
		memcpy(copy, src, len);
	return copy;
}

/* The core cannot tell its host's constant data from other memory outside the machine's, so it copies. */
const char *kstrdup_const(const char *s, gfp_t gfp)
{
	return kstrdup(s, gfp);
}

void kfree_const(const void *x)
{
	kfree(x);
}
