/* SPDX-License-Identifier: MIT */
/*
 * What a back end does for the heap. One of slub, slab and slob is compiled in: OCTAVO_HEAP_SLUB, _SLAB or _SLOB (make
 * SLAB=slub|slab|slob).
 *
 * The front end keeps a magazine of objects per CPU (and node) and comes here when it is empty or full. "Inside the
 * section" means: between cpu_section_try() and cpu_section_leave(), on the CPU that @cc belongs to, or with @cc taken
 * away from its CPU; no page may be allocated or freed there, and nothing may sleep. Everything else is called outside
 * sections.
 */
#ifndef MM_SLAB_BACKEND_H
#define MM_SLAB_BACKEND_H

#include "slab.h"

extern const char backend_name[];

/* Before the first cache. 0 or -ENOMEM. */
int backend_init(void);

/*
 * backend_layout - choose order, objects, colours, mag_limit, mag_batch, min_partial and cpu_slabs of a cache whose
 * size, align and flags are settled. Caches with SLAB_DEBUG_FLAGS get no magazine. 0 or -E2BIG.
 */
int backend_layout(struct kmem_cache *cache);

/* backend_node_add - prepare @cache for memory of node @nid, which may come up later. 0 or -ENOMEM. */
int backend_node_add(struct kmem_cache *cache, int nid, gfp_t gfp);

/* backend_release - free what backend_node_add() made; no slab is left */
void backend_release(struct kmem_cache *cache);

/*
 * backend_take - fetch up to @want objects of @cc->node for @cc
 * Inside the section. Return: how many were stored in @objs; 0: backend_grow() is due.
 */
unsigned int backend_take(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int want);

/*
 * backend_give - @n objects of @cache are free again
 * @cc: inside the section, of the objects' node; NULL: any context, any CPU, no CPU's state is touched; all of one node
 * @dead: slabs that became free and are not wanted are put here (by their list), for backend_bury()
 * Objects that are no objects or are free already are reported and left out.
 */
void backend_give(struct kmem_cache *cache, struct cpu_cache *cc, void **objs, unsigned int n, struct list_head *dead);

/*
 * backend_free_full - a free that finds the magazine full, or shut
 * @asked: the cache that the caller named, or NULL. @page: the object's. @flags: of the open section, which it leaves.
 * Either a few instructions, or heap_free_slow() as a tail call.
 */
#ifdef OCTAVO_HEAP_SLUB
void backend_free_full(struct kmem_cache *asked, void *object, struct page *page, struct magazine *mag,
		       unsigned long flags, uintptr_t caller);
/* Is a free of one object of this page cheap, because the slab is this CPU's or nobody's? Inside the section. */
bool backend_is_near(const struct cpu_cache *cc, const struct page *page);
#else
#define backend_is_near(cc, page) ((void)(cc), (void)(page), false)
#define backend_free_full(asked, object, page, mag, flags, caller) \
	((void)(page), (void)(mag), cpu_section_leave(flags), heap_free_slow(asked, object, caller))
#endif

/* backend_bury - give the pages of these slabs back. Outside sections, any context. */
void backend_bury(struct kmem_cache *cache, struct list_head *dead);

/*
 * backend_take_direct - one object, from no CPU's own slabs
 * @nid: of this node's memory, or NUMA_NO_NODE: of any
 * @size: as asked for (slob gives kmalloc() no more than that)
 * Any context. Return: NULL: backend_grow() is due.
 */
void *backend_take_direct(struct kmem_cache *cache, int nid, size_t size);

/*
 * backend_grow - make one more slab (slob: page)
 * Outside sections; may sleep if @gfp says so. Return: the node its memory is of, or -ENOMEM.
 */
int backend_grow(struct kmem_cache *cache, gfp_t gfp, int nid, size_t size);

/* backend_flush - move the slabs that @cc owns to its node. @cc was taken from its CPU, and its magazine is empty. */
void backend_flush(struct kmem_cache *cache, struct cpu_cache *cc, struct list_head *dead);

/* backend_shrink - put all free slabs of the nodes on @dead, the kept ones too; order the lists. Thread context. */
void backend_shrink(struct kmem_cache *cache, struct list_head *dead);

/* The cache of an object on @slab; slob finds it by the object. NULL: no object starts there. */
struct kmem_cache *backend_cache_of(struct slab *slab, const void *object);
/* The start of the allocated or free object that contains @p, or NULL (metadata, waste). */
void *backend_object_of(struct slab *slab, const void *p);
/* Bytes that the user of an allocated object may use. */
size_t backend_size_of(struct slab *slab, const void *object);
/* What kmalloc(@size) gives of a class of @class_bytes; weak default: the class's size. */
size_t backend_kmalloc_size(size_t size, size_t class_bytes);
/* Is the object free in its slab? (One in a magazine is not.) Exact only while nobody changes it. */
bool backend_is_free(struct slab *slab, const void *object);

struct backend_counts {
	unsigned long slabs, active_slabs; /* active: with an object that is not free in its slab */
	unsigned long objects, free;	   /* free: in slabs, not in magazines */
	unsigned long partial;		   /* slabs with free and other objects */
};
/* Add what node @nid (NUMA_NO_NODE: each) has to @counts. Any context; sums are approximate while others work. */
void backend_count(struct kmem_cache *cache, int nid, struct backend_counts *counts);

/* What /proc/slabinfo shows and sets: of a CPU's array, and objects in the arrays that CPUs share. */
struct backend_tunables {
	unsigned int limit, batchcount, shared;
	unsigned long shared_available;
};
/*
 * backend_tunables, backend_tune - read and set them. heap.mutex is held; thread context. A back end without such
 * arrays leaves both to the weak defaults (zeros; -EIO). Return: 0, -EINVAL, -ENOMEM, -EIO.
 */
void backend_tunables(struct kmem_cache *cache, struct backend_tunables *tunables);
int backend_tune(struct kmem_cache *cache, unsigned int limit, unsigned int batchcount, unsigned int shared);

/* Call @fn for each slab of the cache until it returns false. Thread context; the slabs do not go away meanwhile. */
void backend_for_each_slab(struct kmem_cache *cache, bool (*fn)(struct slab *slab, void *ctx), void *ctx);

/* Check one cache's slabs: each bit, list and count. Nobody else works. Return: findings. */
unsigned int backend_verify(struct kmem_cache *cache, void (*report)(void *ctx, const char *line), void *ctx);

#endif
