// SPDX-License-Identifier: MIT
/*
 * zsmalloc: a dense pool.
 *
 * Purpose
 *	Compressed pages are of all sizes up to a page, and two of 2100 bytes do not fit into one. So several pages,
 *	wherever they are, are taken for one room, which objects of one size fill without regard to pages' ends.
 *
 * Words
 *	class: objects of one size, a multiple of 16 from 32 to 4096. Sizes that would be laid out alike share one.
 *	zspage: 1 to 8 pages and the places for objects in them.
 *	place: the n-th room for an object in a zspage: bytes n * size and on.
 *	handle: what the owner of an object knows: the address of a word that says where it is. So it can be moved.
 *	pinned: it was allocated, and is not written yet.
 *
 * Structures
 *	handle -> location: zspage | pinned | place
 *	                      |
 *	zspage: pages[]  -> page  page  page		3 pages, 5 objects of 2448 bytes:
 *	        objects[] -> handle, or the next free	|  0   |  1   |  2   |  3   |  4  |
 *	        class, group				|page      |page      |page       |
 *
 *	class -> lists of zspages by quarters of their places that are used, and of full ones
 *
 *	Everything about a zspage is in the heap, nothing in its pages: those may be high memory, and are mapped only
 *	where an object is written or read. A handle is a word, and objects[] a word for each object: 16 bytes.
 *
 * Why these sizes
 *	With n pages and objects of s bytes n * 4096 mod s bytes are lost. For each size the n from 1 to 8 is taken that
 *	loses the smallest part: at most 1/9 (s just above 3640), 1% on average.
 *
 * Invariants
 *	ZS-I1  An object's handle leads to its place, and the place's entry to the handle.
 *	ZS-I2  The free places of a zspage that is not isolated are its free list; used places and free ones are all.
 *	ZS-I3  A zspage with an object is on the list of its group, none if it is isolated; one without is gone.
 *	ZS-I4  The pool's pages are those of its zspages, and each has PG_zsmalloc and is counted in NR_ZSPAGES.
 *	ZS-I5  What a reader found by a location stays as it is until the reader ends.
 *
 * Locking
 *	One lock a class guards its zspages. Readers take none: they are RCU readers. An object is written once. Who
 *	moves one copies it, changes its location, and leaves the old place alone for a grace period
 *	(zsmalloc_compact.c); a pinned one is not moved. free() has no readers of its own object to fear, by contract.
 *
 * Memory use and bounds
 *	Besides what objects take: for each zspage 96 bytes and a word an object; a word a handle; the lost bytes above;
 *	and free places, which compaction gathers.
 *
 * What failure does
 *	Without memory malloc() returns -ENOMEM and nothing has changed.
 *
 * Differences from Linux
 *	No links in the pages, no lock for readers, and 4 groups instead of 12. Pages cannot be migrated, so they are
 *	not taken from movable memory.
 *
 * Sources: Documentation/mm/zsmalloc.rst; the papers on SLAB-like pools for compressed memory it leads to.
 */
#include "zsmalloc.h"

#include <octavo/highmem.h>
#include <octavo/shrinker.h>
#include <octavo/slab.h>

#include "../base/part.h"
#include "../base/string.h"
#include "../phys/vmstat.h"
#include "../phys/zone.h"

struct kmem_cache *zs_handle_cache __memsys;

/* ---- Classes ---- */

/* Pages of a zspage of objects of @size bytes: which loses the smallest part. */
static unsigned int chain_length(unsigned int size)
{
	unsigned int best = 1, best_lost = ~0u;

	for (unsigned int n = 1; n <= ZS_CHAIN_MAX && n * PAGE_SIZE / size <= ZS_OBJECTS_MAX; n++) {
		/* In 1/65536; the divisions by n make them comparable. */
		unsigned int lost = (unsigned int)(n * PAGE_SIZE % size * 16 / n);

		if (lost < best_lost) {
			best = n;
			best_lost = lost;
		}
	}
	return best;
}

static struct zs_class *class_create(unsigned int size, unsigned int pages)
{
	struct zs_class *class = kzalloc(sizeof(*class), GFP_KERNEL);

	if (!class)
		return NULL;
	spin_lock_init(&class->lock, LOCK_RANK_ZPOOL);
	class->size = (u16)size;
	class->pages = (u8)pages;
	class->objects = (u16)(pages * PAGE_SIZE / size);
	for (unsigned int i = 0; i < ZS_LISTS; i++)
		INIT_LIST_HEAD(&class->groups[i]);
	return class;
}

/* From the largest down: a size that would be laid out as the next larger one uses its class. */
static int classes_create(struct zs_pool *pool)
{
	struct zs_class *above = NULL;

	for (unsigned int i = ZS_SIZES; i-- > 0;) {
		unsigned int size = ZS_MIN_SIZE + i * ZS_STEP, pages = chain_length(size);

		if (!above || above->pages != pages || above->objects != pages * PAGE_SIZE / size)
			above = class_create(size, pages);
		if (!above)
			return -ENOMEM;
		pool->class_of[i] = above;
	}
	return 0;
}

static void classes_free(struct zs_pool *pool)
{
	for (unsigned int i = 0; i < ZS_SIZES; i++)
		if (i + 1 == ZS_SIZES || pool->class_of[i] != pool->class_of[i + 1])
			kfree(pool->class_of[i]);
}

static void zs_destroy(void *data)
{
	struct zs_pool *pool = data;

	shrinker_free(pool->shrinker);
	classes_free(pool);
	kfree(pool);
}

static void *zs_create(const char *name)
{
	struct zs_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return NULL;
	if (classes_create(pool) || zs_shrinker_init(pool, name)) {
		classes_free(pool);
		kfree(pool);
		return NULL;
	}
	return pool;
}

/* ---- zspages ---- */

enum zs_group zs_group_of(const struct zs_class *class, unsigned int used)
{
	return used == class->objects ? ZS_FULL : (enum zs_group)(used * ZS_FULL / class->objects);
}

void zs_list_add(struct zspage *zspage, enum zs_group group)
{
	zspage->group = (u8)group;
	if (group < ZS_LISTS)
		list_add(&zspage->list, &zspage->class->groups[group]);
}

void zs_list_del(struct zspage *zspage)
{
	if (zspage->group < ZS_LISTS)
		list_del(&zspage->list);
	zspage->group = ZS_ISOLATED;
}

/* After a change of zspage->used. */
static void regroup(struct zspage *zspage)
{
	enum zs_group group = zs_group_of(zspage->class, zspage->used);

	if (group != zspage->group && zspage->group != ZS_ISOLATED) {
		zs_list_del(zspage);
		zs_list_add(zspage, group);
	}
}

unsigned int zs_take(struct zspage *zspage, struct zs_handle *handle)
{
	unsigned int place = zspage->free;

	zspage->free = (u16)(zspage->objects[place] >> 1);
	zspage->objects[place] = (uintptr_t)handle;
	zspage->used++;
	store_relaxed(&zspage->class->used, zspage->class->used + 1);
	regroup(zspage);
	return place;
}

static void pages_free(struct zspage *zspage, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		mod_zone_page_state(page_zone(zspage->pages[i]), NR_ZSPAGES, -1);
		ClearPageZsmalloc(zspage->pages[i]);
		__free_page(zspage->pages[i]);
	}
}

void zs_free_zspage(struct zs_pool *pool, struct zspage *zspage)
{
	atomic_add_relaxed(&pool->pages, -(unsigned long)zspage->class->pages);
	pages_free(zspage, zspage->class->pages);
	mm_account_reclaimed_pages(zspage->class->pages);
	kfree(zspage);
}

static struct zspage *zspage_alloc(struct zs_pool *pool, struct zs_class *class, gfp_t gfp, int nid)
{
	struct zspage *zspage = kmalloc(sizeof(*zspage) + class->objects * sizeof(zspage->objects[0]),
					gfp & ~(__GFP_HIGHMEM | __GFP_MOVABLE));

	if (!zspage)
		return NULL;
	for (unsigned int i = 0; i < class->pages; i++) {
		struct page *page = alloc_pages_node(nid, gfp, 0);

		if (!page) {
			pages_free(zspage, i);
			kfree(zspage);
			return NULL;
		}
		SetPageZsmalloc(page);
		mod_zone_page_state(page_zone(page), NR_ZSPAGES, 1);
		zspage->pages[i] = page;
	}
	zspage->class = class;
	zspage->used = zspage->free = 0;
	zspage->group = ZS_ISOLATED;
	for (unsigned int i = 0; i < class->objects; i++)
		zspage->objects[i] = (uintptr_t)(i + 1 < class->objects ? i + 1 : ZS_NONE) << 1 | 1;
	atomic_add_relaxed(&pool->pages, class->pages);
	return zspage;
}

/* ---- Objects ---- */

struct zspage *zs_fullest(struct zs_class *class)
{
	for (unsigned int i = ZS_FULL; i-- > 0;)
		if (!list_empty(&class->groups[i]))
			return list_first_entry(&class->groups[i], struct zspage, list);
	return NULL;
}

static int zs_malloc(void *data, size_t size, gfp_t gfp, int nid, unsigned long *result)
{
	struct zs_pool *pool = data;
	struct zs_class *class;
	struct zs_handle *handle;
	struct zspage *zspage;

	if (!size || size > PAGE_SIZE)
		return -ENOSPC;
	class = pool->class_of[size <= ZS_MIN_SIZE ? 0 : DIV_ROUND_UP(size - ZS_MIN_SIZE, ZS_STEP)];
	handle = kmem_cache_alloc(zs_handle_cache, gfp & ~(__GFP_HIGHMEM | __GFP_MOVABLE));
	if (!handle)
		return -ENOMEM;
	spin_lock(&class->lock);
	zspage = zs_fullest(class);
	if (!zspage) {
		spin_unlock(&class->lock);
		zspage = zspage_alloc(pool, class, gfp, nid);
		if (!zspage) {
			kmem_cache_free(zs_handle_cache, handle);
			return -ENOMEM;
		}
		spin_lock(&class->lock);
		store_relaxed(&class->zspages, class->zspages + 1);
		zs_list_add(zspage, zs_group_of(class, 0));
	}
	whole_fill(&handle->location, zs_location(zspage, zs_take(zspage, handle)) | ZS_PINNED);
	spin_unlock(&class->lock);
	*result = (unsigned long)(uintptr_t)handle;
	return 0;
}

/* The class of an object; its lock is taken, and the object stays where it is. */
static struct zs_class *lock_object(struct zs_handle *handle)
{
	struct zs_class *class;

	rcu_read_lock();
	class = zs_location_zspage(whole_load_acquire(&handle->location))->class;
	rcu_read_unlock();
	spin_lock(&class->lock);
	return class;
}

static void zs_free(void *data, unsigned long value)
{
	struct zs_handle *handle = (struct zs_handle *)(uintptr_t)value;
	struct zs_class *class = lock_object(handle);
	u64 location = whole_load(&handle->location);
	struct zspage *zspage = zs_location_zspage(location);
	unsigned int place = zs_location_place(location);
	bool gone;

	zspage->objects[place] = (uintptr_t)zspage->free << 1 | 1;
	zspage->free = (u16)place;
	zspage->used--;
	store_relaxed(&class->used, class->used - 1);
	regroup(zspage);
	gone = !zspage->used && zspage->group != ZS_ISOLATED; /* the one who isolated it looks after it */
	if (gone) {
		zs_list_del(zspage);
		store_relaxed(&class->zspages, class->zspages - 1);
	}
	spin_unlock(&class->lock);
	if (gone)
		zs_free_zspage(data, zspage);
	kmem_cache_free(zs_handle_cache, handle);
}

static void zs_write(void *data, unsigned long value, const void *from, size_t len)
{
	struct zs_handle *handle = (struct zs_handle *)(uintptr_t)value;
	u64 location = whole_load(&handle->location);
	struct zspage *zspage = zs_location_zspage(location);
	size_t at = (size_t)zs_location_place(location) * zspage->class->size;
	size_t offset = at & ~PAGE_MASK, first = min(len, PAGE_SIZE - offset);

	(void)data;
	memcpy_to_page(zspage->pages[at >> PAGE_SHIFT], offset, from, first);
	if (first < len)
		memcpy_to_page(zspage->pages[(at >> PAGE_SHIFT) + 1], 0, (const u8 *)from + first, len - first);
	/* Nobody else changes it as long as it is pinned. On 32-bit builds a store would take two steps. */
	(void)whole_cmpxchg(&handle->location, &location, location & ~ZS_PINNED);
}

static const void *zs_read_begin(void *data, unsigned long value, size_t len, void *bounce)
{
	struct zs_handle *handle = (struct zs_handle *)(uintptr_t)value;
	struct zspage *zspage;
	size_t at, offset;
	u64 location;

	(void)data;
	rcu_read_lock();
	location = whole_load_acquire(&handle->location);
	zspage = zs_location_zspage(location);
	at = (size_t)zs_location_place(location) * zspage->class->size;
	offset = at & ~PAGE_MASK;
	if (offset + len <= PAGE_SIZE)
		return (u8 *)kmap_local_page(zspage->pages[at >> PAGE_SHIFT]) + offset;
	memcpy_from_page(bounce, zspage->pages[at >> PAGE_SHIFT], offset, PAGE_SIZE - offset);
	memcpy_from_page((u8 *)bounce + (PAGE_SIZE - offset), zspage->pages[(at >> PAGE_SHIFT) + 1], 0,
			 len - (PAGE_SIZE - offset));
	return bounce;
}

static void zs_read_end(void *data, unsigned long value, const void *at, const void *bounce)
{
	(void)data;
	(void)value;
	if (at != bounce)
		kunmap_local(at);
	rcu_read_unlock();
}

static unsigned long zs_total_pages(void *data)
{
	return load_relaxed(&((struct zs_pool *)data)->pages);
}

const struct zpool_driver zsmalloc_driver = {
	.type = "zsmalloc",
	.create = zs_create,
	.destroy = zs_destroy,
	.malloc = zs_malloc,
	.free = zs_free,
	.write = zs_write,
	.read_begin = zs_read_begin,
	.read_end = zs_read_end,
	.total_pages = zs_total_pages,
	.compact = zs_compact,
	.verify = zs_verify,
};

static int zs_init(void)
{
	zs_handle_cache = kmem_cache_create("zs_handle", sizeof(struct zs_handle), sizeof(u64), SLAB_NO_MERGE, NULL);
	return zs_handle_cache ? 0 : -ENOMEM;
}
MM_PART(zsmalloc, .order = MM_PART_ZPOOL, .init = zs_init);
