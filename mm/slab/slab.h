/* SPDX-License-Identifier: MIT */
/*
 * The heap's structures, shared by the front end (kmem_cache.c, heap.c, kmalloc.c), the back ends and the tools that
 * find misuse. The theory stands in heap.c.
 *
 * Legend: (c) constant once the cache is there, (o) the owning CPU inside a section, (g) heap.gate, (m) heap.mutex,
 * (n) the node's lock, (a) atomic.
 */
#ifndef MM_SLAB_SLAB_H
#define MM_SLAB_SLAB_H

#include <octavo/memblock.h>
#include <octavo/page.h>
#include <octavo/slab.h>

#include "../base/list.h"
#include "../phys/zone.h"
#include "../sync/atomic.h"
#include "../sync/cpu.h"
#include "../sync/mutex.h"

struct kmem_cache_node; /* the back end's */
struct slab_debug;	/* debug.c's part of a cache, NULL without debugging */

/* Objects at hand, newest last. Nothing else of the heap is looked at on the fast paths. */
struct magazine {
	unsigned long nr;    /* (o) others read it for counting */
	unsigned long limit; /* (c) 0: closed, and nr is 0 */
	void *objs[];
};

/* One CPU's part of a cache, for the memory of one node. */
struct cpu_cache {
	struct kmem_cache *cache; /* (c) */
	u16 cpu, node;		  /* (c) */
	u32 bytes;		  /* (c) of this structure */
	u32 batch;		  /* (c) objects to fetch or give at once */
	u32 asked;		  /* (a) someone wants it drained and cannot do so himself */
	/* The back end's: slabs that this CPU alone allocates from. */
	struct list_head slabs; /* (o) */
	u32 nr_slabs, nr_empty; /* (o) */
	u32 owner;		/* (c) 1 + the CPU's number; CPU_CACHE_ALIEN if its node is another than the CPU's */
	u64 shuffle;		/* (o) state of the generator that orders objects, with slab_freelist_random */
	struct cpu_cache *next; /* (m) while it is taken from its CPU */
	struct magazine mag;
};

#define CPU_CACHE_ALIEN 0x10000u /* no CPU's: their numbers end far below */

/* What a cpu_cache's place in a CPU's table holds while somebody else drains it. */
#define CPU_CACHE_BUSY ((struct cpu_cache *)1)

struct kmem_cache {
	u32 slot;	    /* (c) of node 0 in the CPUs' tables; 0: has none, the fast paths find it closed */
	slab_flags_t flags; /* (c) */
	u32 size;	    /* (c) bytes from one object to the next */
	u32 object_size;    /* (c) as asked for; merging may raise it */
	u32 inuse;	    /* (c) bytes up to the metadata of debugging */
	u32 align;	    /* (c) */
	u32 red_left_pad;   /* (c) bytes of guard ahead of an object */
	u32 reciprocal;	    /* (c) 2^32 / size, rounded up: offset to index without a division, see kmem_cache.c */
	u32 span;	    /* (c) objects times size: offsets from a slab's base lie below */
	u16 order;	    /* (c) of a slab, in pages */
	u16 objects;	    /* (c) in a slab */
	u16 mag_limit, mag_batch; /* (c) of a CPU's magazine; 0: none */
	u16 mag_shared;	    /* (a) slab: batches in the array that a node's CPUs share */
	u16 min_partial;    /* (a) free slabs a node keeps */
	u16 cpu_slabs;	    /* (a) slabs with free objects that a CPU keeps to itself */
	gfp_t gfp;	    /* (c) added when a slab is made */
	u32 colour, colour_off; /* (c) slab: number of colours, bytes between them */
	u32 useroffset, usersize; /* (c) */
	void (*ctor)(void *object); /* (c) */
	const char *name;   /* (c) */
	struct slab_debug *debug; /* (c) */
	struct kmem_cache_node **node; /* (c) by node number; NULL: not made yet (a) */
	struct list_head list; /* (m) heap.caches */
	int refcount;	    /* (m) caches merged into this one */
	u32 id;		    /* (c) */
	u32 number;	    /* (c) of its own, greater than that of any older cache: /proc and /sys go by it */
	struct list_head aliases; /* (m) struct cache_alias: names of caches that were merged into this one */
	bool on_slab;	    /* (c) the back end's: descriptors lie on the slabs */
	bool dying;	    /* (a) kmem_cache_destroy() has begun */
};

/* Stays until the cache goes, or another cache takes the name: who destroys a merged cache does not say which. */
struct cache_alias {
	struct list_head list;
	char name[];
};

/*
 * A run of pages cut into objects: what all back ends have in common. A back end's own structure begins with it, and
 * lies on the slab or in memory of meta_alloc(). Each of the slab's pages leads to it: page_slab().
 */
struct slab {
	struct kmem_cache *cache; /* (c) slob: NULL, objects of many caches share a page */
	void *base;		  /* (c) the first object, behind its red zone */
	struct list_head list;	  /* (o) or (n): whatever list of the back end's it is on */
	struct list_head all;	  /* (n) every slab of the node */
	u16 objects;		  /* (c) */
	u16 node;		  /* (c) */
	u8 order;		  /* (c) */
	u8 on_slab;		  /* (c) this structure lies at the start of the slab */
};

/* ---- The heap as a whole ---- */

/* Why the fast paths are shut on all CPUs: something is to be done at each allocation or free. */
#define HEAP_INIT_ON_ALLOC 0x01u
#define HEAP_INIT_ON_FREE 0x02u
#define HEAP_FAIL 0x04u	 /* fault injection */
#define HEAP_GUARD 0x08u /* guarded objects: the next allocation may be sampled */
#define HEAP_LEAK 0x10u	 /* kmemleak follows objects */
#define HEAP_TRACE 0x20u /* trace events are on */

/*
 * A tool that is called on the slow paths while its bit is set in heap.hooks; functions it does not need are NULL.
 * Any context. @caller: return address of the heap's user.
 */
struct heap_tool {
	/* Is this allocation to fail? */
	bool (*fail)(const struct kmem_cache *cache, gfp_t gfp);
	/* An object of the tool's own instead (zeroed or constructed as due); NULL: the heap is to serve it. */
	void *(*alloc)(struct kmem_cache *cache, size_t size, gfp_t gfp, uintptr_t caller);
	/* @object of @size bytes was handed out; @cache NULL: whole pages */
	void (*allocated)(struct kmem_cache *cache, const void *object, size_t size, gfp_t gfp, uintptr_t caller);
	/* @object is about to be freed */
	void (*freeing)(const void *object, uintptr_t caller);
};
enum heap_tool_kind { HEAP_TOOL_FAIL, HEAP_TOOL_GUARD, HEAP_TOOL_LEAK, HEAP_TOOL_TRACE, HEAP_TOOLS };
/* Put a tool's hook into or out of effect on all CPUs. Thread context. */
void heap_tool_set(enum heap_tool_kind kind, const struct heap_tool *tool);

struct heap {
	/* What kfree() looks at. */
	uintptr_t direct_map; /* (c) */
	uintptr_t bytes;      /* (a) of the direct map that may hold slabs */
	u32 nodes;	      /* (c) nr_node_ids */
	u32 hooks;	      /* (g) HEAP_*: not 0, and the fast paths are shut */
	u32 slots;	      /* (c) entries of a CPU's table */
	u32 caches_max;	      /* (c) */
	u32 state;	      /* (a) enum heap_state */
	bool random, merge;   /* (c) slab_freelist_random, slab_nomerge */
	const struct heap_tool *tools[HEAP_TOOLS]; /* (a) */
	spinlock_t gate;      /* guards hooks and which entries of the CPUs' tables are open */
	struct mutex mutex;   /* guards the caches: creating, destroying, draining */
	struct list_head caches; /* (m) */
	struct kmem_cache **by_id; /* (m) */
	u32 last_number; /* (m) */
	unsigned long errors; /* (a) */
};
extern struct heap heap;

/* What a CPU has of a slot; NULL if nothing, or while it is taken from it. */
static inline struct cpu_cache *heap_cpu_cache(unsigned int cpu, u32 slot)
{
	struct cpu_local *local = cpu_locals[cpu];
	struct cpu_cache *cc = local && local->heap_caches ? load_acquire(&local->heap_caches[slot]) : NULL;

	return cc == CPU_CACHE_BUSY ? NULL : cc;
}

enum heap_state { HEAP_DOWN, HEAP_PARTIAL, HEAP_UP };

/* ---- Pages of the heap ---- */

/*
 * All pages of a slab have PG_slab, the slot of their cache and node in _mapcount, and in private_data the slab. Pages
 * that are no slabs have slot 0, which is always closed, and an odd private_data: kind and what belongs to it.
 */
enum heap_page_kind {
	HEAP_PAGE_LARGE = 1, /* kmalloc() of whole pages; extra: order */
	HEAP_PAGE_META,	     /* meta_alloc() */
	HEAP_PAGE_GUARD,     /* guarded objects */
	HEAP_PAGE_KINDS
};

static inline u64 heap_page_tag(enum heap_page_kind kind, u32 extra)
{
	return (u64)extra << 8 | (u64)kind << 1 | 1;
}

static inline struct slab *page_slab(const struct page *page)
{
	return page->private_data & 1 ? NULL : (struct slab *)(uintptr_t)page->private_data;
}

static inline enum heap_page_kind heap_page_kind(const struct page *page)
{
	return page->private_data & 1 ? (enum heap_page_kind)(page->private_data >> 1 & 0x7f) : 0;
}

/* The page of an address that may hold heap objects, or NULL. It need not be the heap's: test PageSlab(). */
static force_inline struct page *heap_page(const void *p)
{
	uintptr_t offset = (uintptr_t)p - heap.direct_map;

	if (unlikely(offset >= heap.bytes))
		return NULL;
	return pfn_to_page(offset >> PAGE_SHIFT);
}

/* The same of an address that is known to lie there. */
static force_inline struct page *heap_page_known(const void *p)
{
	return pfn_to_page(((uintptr_t)p - heap.direct_map) >> PAGE_SHIFT);
}

/* What a page kind does with kfree() and ksize() of an address on it. */
struct heap_page_ops {
	void (*free)(struct page *page, void *object, uintptr_t caller);
	size_t (*size)(struct page *page, const void *object);
	/* the start of the object that contains @p, or NULL: for reports, usercopy, kmemleak */
	void *(*object)(struct page *page, const void *p);
};
extern const struct heap_page_ops *heap_page_ops[HEAP_PAGE_KINDS];

/* ---- Slabs ---- */

static inline void *slab_start(const struct slab *slab)
{
	return (void *)ALIGN_DOWN((uintptr_t)slab->base, PAGE_SIZE << slab->order);
}

static force_inline u32 slab_index(const struct kmem_cache *cache, const struct slab *slab, const void *object)
{
	return (u32)((u64)(u32)((uintptr_t)object - (uintptr_t)slab->base) * cache->reciprocal >> 32);
}

static force_inline void *slab_object(const struct kmem_cache *cache, const struct slab *slab, u32 index)
{
	return (char *)slab->base + (size_t)index * cache->size;
}

/* Is @object where an object of the slab starts? Its index follows. */
static force_inline bool slab_has_object(const struct kmem_cache *cache, const struct slab *slab, const void *object,
					 u32 *index)
{
	const size_t offset = (uintptr_t)object - (uintptr_t)slab->base;
	const u64 product = (u64)offset * cache->reciprocal;

	*index = (u32)(product >> 32);
	return offset < cache->span && (u32)product < cache->reciprocal;
}

/* ---- kmem_cache.c, for the back ends ---- */

/* 2^order pages for a slab of @cache, accounted for, or NULL. Outside sections; may sleep if @gfp says so. */
struct page *heap_slab_pages(struct kmem_cache *cache, gfp_t gfp, int nid);
/* The page leads to @slab from now on; objects are constructed and, when debugging, marked free. */
void heap_slab_bind(struct kmem_cache *cache, struct page *page, struct slab *slab);
/* Give the pages back. With SLAB_TYPESAFE_BY_RCU the back end calls it after a grace period. */
void heap_slab_free(struct kmem_cache *cache, struct page *page);

/* ---- meta.c: memory for the heap's own structures ---- */

/*
 * meta_alloc - @bytes, zeroed, aligned to 16 (to 64 if a multiple of it), from @nid if possible
 * It takes whole pages from the page allocator and cuts them up; it never calls the heap. Any context @gfp allows,
 * outside sections. Return: NULL if there is none.
 */
void *meta_alloc(size_t bytes, gfp_t gfp, int nid);
void meta_free(void *p, size_t bytes);
unsigned long meta_pages(void);

/* ---- debug.c: what caches with SLAB_DEBUG_FLAGS do, and all reports ---- */

/* @flags and those that slab_debug= adds for a cache of this name. */
slab_flags_t slab_debug_flags(const char *name, slab_flags_t flags, unsigned int object_size);
/* Work out size, inuse and red_left_pad from object_size, align and flags. 0 or -E2BIG. */
int slab_debug_layout(struct kmem_cache *cache);
void slab_debug_release(struct kmem_cache *cache);
/* A new slab's object: free. */
void slab_debug_init_object(struct kmem_cache *cache, struct slab *slab, void *object);
/*
 * An object is handed out, or comes back. false: it is damaged or the request makes no sense; reported, and the object
 * must not be handed out, or not be freed. @size: as asked for.
 */
bool slab_debug_alloc(struct kmem_cache *cache, struct slab *slab, void *object, size_t size, uintptr_t caller);
bool slab_debug_free(struct kmem_cache *cache, struct slab *slab, void *object, uintptr_t caller);

/*
 * krealloc(): may @object, which has room for @old bytes, stay where it is as one of @size? Its marks then say so,
 * and what it gives up (debugged: what it gains) is clear if @gfp has __GFP_ZERO.
 */
bool slab_resize_in_place(const void *object, size_t size, size_t old, gfp_t gfp);
/* Of an object with room for @old bytes: those asked for, if its cache knows, or @old. */
size_t slab_bytes_asked(const void *object, size_t old);
/* ksize(): all of @room is the user's from now on. */
void slab_grant_room(const void *object, size_t room);

/* One report at a time; rank LOCK_RANK_REPORT. */
extern spinlock_t heap_report_lock;

/* Reports; each counts in heap.errors. @caller may be 0. */
void heap_report_wild_free(const void *object, uintptr_t caller);
void heap_report_invalid_free(struct kmem_cache *cache, struct slab *slab, const void *object, uintptr_t caller);
void heap_report_double_free(struct kmem_cache *cache, struct slab *slab, const void *object);
void heap_report_wrong_cache(struct kmem_cache *asked, struct kmem_cache *real, const void *object, uintptr_t caller);
/* kmem_cache_destroy() found objects still allocated. */
void heap_report_remaining(struct kmem_cache *cache);

/*
 * The bounds of areas of the vmalloc part, for usercopy. Return: true: [@ptr, @ptr + @n) is no such address, or lies in
 * one area; else what is wrong in *@name ("no area"; NULL: it reaches beyond), and how far into the area @ptr is.
 */
typedef bool (*vmalloc_bounds_fn)(const void *ptr, size_t n, const char **name, size_t *offset);
void usercopy_register_vmalloc(vmalloc_bounds_fn fn);

#endif
