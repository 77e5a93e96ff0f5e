/* SPDX-License-Identifier: MIT */
/*
 * The kernel heap: caches of objects and kmalloc(), as Linux 6.12 names them (<linux/slab.h>;
 * Documentation/core-api/memory-allocation.rst). Which of the three back ends stands behind them, slub, slab or
 * slob, is chosen when the core is built and changes nothing here.
 *
 * Contexts: allocations may be made anywhere, from interrupts with GFP_ATOMIC or GFP_NOWAIT; frees anywhere.
 * Creating, shrinking and destroying a cache need thread context and may sleep.
 */
#ifndef OCTAVO_SLAB_H
#define OCTAVO_SLAB_H

#include <octavo/gfp.h>
#include <octavo/types.h>

OCTAVO_BEGIN_DECLS

struct kmem_cache;

/* Bits as Linux 6.12 numbers them. */
typedef u32 slab_flags_t;
#define SLAB_CONSISTENCY_CHECKS ((slab_flags_t)1 << 0) /* check objects and slabs at each allocation and free */
#define SLAB_RED_ZONE ((slab_flags_t)1 << 1)	       /* guard bytes on both sides of each object */
#define SLAB_POISON ((slab_flags_t)1 << 2)	       /* free objects hold a pattern */
#define SLAB_KMALLOC ((slab_flags_t)1 << 3)	       /* internal: a cache of kmalloc() */
#define SLAB_HWCACHE_ALIGN ((slab_flags_t)1 << 4)      /* align to cache lines */
#define SLAB_CACHE_DMA ((slab_flags_t)1 << 5)	       /* objects in ZONE_DMA */
#define SLAB_CACHE_DMA32 ((slab_flags_t)1 << 6)	       /* objects in ZONE_DMA32 */
#define SLAB_STORE_USER ((slab_flags_t)1 << 7)	       /* remember who allocated and freed an object last */
#define SLAB_PANIC ((slab_flags_t)1 << 8)	       /* panic if the cache cannot be created */
#define SLAB_TYPESAFE_BY_RCU ((slab_flags_t)1 << 9)    /* slabs are given back only after a grace period */
#define SLAB_TRACE ((slab_flags_t)1 << 10)	       /* report each allocation and free */
#define SLAB_NOLEAKTRACE ((slab_flags_t)1 << 12)       /* kmemleak does not look at the objects */
#define SLAB_NO_MERGE ((slab_flags_t)1 << 13)	       /* a cache of its own, whatever its shape */
#define SLAB_FAILSLAB ((slab_flags_t)1 << 14)	       /* failslab with cache-filter fails this cache's allocations */
#define SLAB_ACCOUNT ((slab_flags_t)1 << 15)	       /* charged to memory cgroups where there are any */
#define SLAB_NO_USER_FLAGS ((slab_flags_t)1 << 17)     /* slab_debug= does not apply */
#define SLAB_RECLAIM_ACCOUNT ((slab_flags_t)1 << 18)   /* objects can be reclaimed: counted in SReclaimable */
#define SLAB_SKIP_KFENCE ((slab_flags_t)1 << 19)       /* internal: KFENCE takes no samples; set in /sys */
#define SLAB_TEMPORARY SLAB_RECLAIM_ACCOUNT

/* Caches with one of these check and mark their objects. */
#define SLAB_DEBUG_FLAGS (SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER | SLAB_TRACE)

/* What kmalloc(0) returns: may be freed, must not be read or written. */
#define ZERO_SIZE_PTR ((void *)16)
#define ZERO_OR_NULL_PTR(x) ((uintptr_t)(x) <= (uintptr_t)ZERO_SIZE_PTR)

#define ARCH_KMALLOC_MINALIGN 8u
#define KMALLOC_MIN_SIZE 8u
#define KMALLOC_MAX_CACHE_SIZE 8192u		    /* larger ones are whole pages */
#define KMALLOC_MAX_SIZE ((size_t)PAGE_SIZE << 10) /* MAX_PAGE_ORDER: 4 MiB */

/* ---- Caches ---- */

/**
 * struct kmem_cache_args - the less common properties of a cache
 * @align: of the objects, a power of two; 0: the size's own
 * @useroffset, @usersize: the part of an object that may be copied to and from user space
 * @freeptr_offset, @use_freeptr_offset: accepted for SLAB_TYPESAFE_BY_RCU and checked; free objects hold no link
 *                                       here, so nothing is written there
 * @ctor: prepares each object once, when its slab is made (slob: whenever it is handed out); objects must be freed in
 *        the state it left. NULL: none
 */
struct kmem_cache_args {
	unsigned int align;
	unsigned int useroffset;
	unsigned int usersize;
	unsigned int freeptr_offset;
	bool use_freeptr_offset;
	void (*ctor)(void *object);
};

/**
 * __kmem_cache_create_args - make a cache of objects of one size
 * @name: for /proc/slabinfo and reports; copied
 * @object_size: bytes, 1 to KMALLOC_MAX_SIZE
 * @args: may be NULL
 * @flags: SLAB_*
 *
 * A cache of nearly the same size and alignment, without constructor or flags that forbid it, may be shared with
 * others (merging; boot parameters slab_nomerge, slab_merge). Context: thread context, may sleep.
 * Return: the cache, or NULL after a report: a name that exists, a size or alignment that cannot be, no memory.
 */
OCTAVO_API struct kmem_cache *__must_check __kmem_cache_create_args(const char *name, unsigned int object_size,
								    const struct kmem_cache_args *args,
								    slab_flags_t flags);

static inline struct kmem_cache *__must_check kmem_cache_create(const char *name, unsigned int size,
								unsigned int align, slab_flags_t flags,
								void (*ctor)(void *object))
{
	struct kmem_cache_args args = { align, 0, 0, 0, false, ctor };

	return __kmem_cache_create_args(name, size, &args, flags);
}

static inline struct kmem_cache *__must_check kmem_cache_create_usercopy(const char *name, unsigned int size,
									 unsigned int align, slab_flags_t flags,
									 unsigned int useroffset,
									 unsigned int usersize,
									 void (*ctor)(void *object))
{
	struct kmem_cache_args args = { align, useroffset, usersize, 0, false, ctor };

	return __kmem_cache_create_args(name, size, &args, flags);
}

/** kmem_cache_create_args - the form Linux 6.12 recommends: kmem_cache_create(name, size, &args, flags) */
#define kmem_cache_create_args(name, size, args, flags) __kmem_cache_create_args(name, size, args, flags)

/** KMEM_CACHE - a cache for a structure, named for it and aligned as it */
#define KMEM_CACHE(struct_, flags_) \
	kmem_cache_create(#struct_, sizeof(struct struct_), __alignof__(struct struct_), flags_, NULL)

/**
 * kmem_cache_destroy - give a cache up
 * Objects still allocated are reported, and their slabs stay, with the cache, out of use; otherwise all its memory
 * returns. With SLAB_TYPESAFE_BY_RCU a grace period is waited for. NULL: nothing.
 * Context: thread context; nobody uses the cache any more.
 */
OCTAVO_API void kmem_cache_destroy(struct kmem_cache *cache);

/**
 * kmem_cache_shrink - give free slabs back, the per-CPU caches' objects included
 * Context: thread context, interrupts on, no spinlock; others may use the cache meanwhile.
 * Return: 0 if no slab is left, 1 otherwise.
 */
OCTAVO_API int kmem_cache_shrink(struct kmem_cache *cache);

/** kmem_cache_size - bytes of an object, as asked for */
OCTAVO_API unsigned int kmem_cache_size(const struct kmem_cache *cache);

/** kmem_cache_name - its name; of a merged cache, the first one's */
OCTAVO_API const char *kmem_cache_name(const struct kmem_cache *cache);

/**
 * kmem_cache_alloc - an object
 * @gfp: __GFP_ZERO clears it (not with a constructor)
 * Context: any that @gfp allows. Return: the object, or NULL, reported unless __GFP_NOWARN.
 */
OCTAVO_API void *__must_check kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp);
/** kmem_cache_alloc_node - the same, from @node; NUMA_NO_NODE: this CPU's. Another node only if it has none left
 * and @gfp lacks __GFP_THISNODE. */
OCTAVO_API void *__must_check kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t gfp, int node);

static inline void *__must_check kmem_cache_zalloc(struct kmem_cache *cache, gfp_t gfp)
{
	return kmem_cache_alloc(cache, gfp | __GFP_ZERO);
}

/** kmem_cache_free - give an object back; NULL: nothing. One of another cache is reported and stays. Any context. */
OCTAVO_API void kmem_cache_free(struct kmem_cache *cache, void *object);

/**
 * kmem_cache_alloc_bulk - @nr objects at once
 * Return: @nr, or 0 when there is not memory for all (none is kept then).
 */
OCTAVO_API int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t gfp, size_t nr, void **objects);
/** kmem_cache_free_bulk - free @nr objects of @cache; NULL @cache: of any caches and kmalloc() */
OCTAVO_API void kmem_cache_free_bulk(struct kmem_cache *cache, size_t nr, void **objects);

/* ---- kmalloc ---- */

enum kmalloc_cache_type { KMALLOC_NORMAL, KMALLOC_RECLAIM, KMALLOC_DMA, NR_KMALLOC_TYPES };

/* Index of the size class: 1 is 96 bytes, 2 is 192, n is 2^n for 3 (8) to 13 (8192); 0 none. */
#define NR_KMALLOC_CLASSES 14

extern OCTAVO_API struct kmem_cache *kmalloc_caches[NR_KMALLOC_TYPES][NR_KMALLOC_CLASSES];

static inline enum kmalloc_cache_type kmalloc_type(gfp_t gfp)
{
	if (__builtin_expect(!(gfp & (__GFP_DMA | __GFP_RECLAIMABLE)), 1))
		return KMALLOC_NORMAL;
	return gfp & __GFP_DMA ? KMALLOC_DMA : KMALLOC_RECLAIM;
}

/* For @size from 1 to KMALLOC_MAX_CACHE_SIZE. */
static inline unsigned int kmalloc_index(size_t size)
{
	if (size <= 8)
		return 3;
	if (size > 64 && size <= 96)
		return 1;
	if (size > 128 && size <= 192)
		return 2;
	return (unsigned int)(sizeof(long) * 8) - (unsigned int)__builtin_clzl((unsigned long)size - 1);
}

/* What kmalloc() calls: use kmalloc(). The second one is for flags without __GFP_ZERO. */
OCTAVO_API void *__must_check kmalloc_cache_alloc(struct kmem_cache *cache, gfp_t gfp, size_t size);
OCTAVO_API void *__must_check kmalloc_cache_take(struct kmem_cache *cache, gfp_t gfp, size_t size);
OCTAVO_API void *__must_check __kmalloc(size_t size, gfp_t gfp);
OCTAVO_API void *__must_check __kmalloc_node(size_t size, gfp_t gfp, int node);

/**
 * kmalloc - memory for the kernel's own use, physically contiguous
 * @size: bytes; 0 gives ZERO_SIZE_PTR; above KMALLOC_MAX_CACHE_SIZE whole pages, at most KMALLOC_MAX_SIZE
 * Aligned to ARCH_KMALLOC_MINALIGN, and to the size if that is a power of two.
 * Context: any that @gfp allows. Return: NULL if there is none, reported unless __GFP_NOWARN.
 */
static inline void *__must_check kmalloc(size_t size, gfp_t gfp)
{
	if (__builtin_constant_p(size) && size && size <= KMALLOC_MAX_CACHE_SIZE && __builtin_constant_p(gfp) &&
	    !(gfp & __GFP_ZERO))
		return kmalloc_cache_take(kmalloc_caches[kmalloc_type(gfp)][kmalloc_index(size)], gfp, size);
	if (__builtin_constant_p(size) && size && size <= KMALLOC_MAX_CACHE_SIZE)
		return kmalloc_cache_alloc(kmalloc_caches[kmalloc_type(gfp)][kmalloc_index(size)], gfp, size);
	return __kmalloc(size, gfp);
}

static inline void *__must_check kmalloc_node(size_t size, gfp_t gfp, int node)
{
	return __kmalloc_node(size, gfp, node);
}

static inline void *__must_check kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp | __GFP_ZERO);
}

static inline void *__must_check kzalloc_node(size_t size, gfp_t gfp, int node)
{
	return __kmalloc_node(size, gfp | __GFP_ZERO, node);
}

/** kmalloc_array - @n elements of @size bytes; NULL when the product does not fit */
static inline void *__must_check kmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc(bytes, gfp);
}

static inline void *__must_check kcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kmalloc_array(n, size, gfp | __GFP_ZERO);
}

static inline void *__must_check kmalloc_array_node(size_t n, size_t size, gfp_t gfp, int node)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return __kmalloc_node(bytes, gfp, node);
}

static inline void *__must_check kcalloc_node(size_t n, size_t size, gfp_t gfp, int node)
{
	return kmalloc_array_node(n, size, gfp | __GFP_ZERO, node);
}

/**
 * kfree - give back what kmalloc(), or any cache, gave
 * NULL and ZERO_SIZE_PTR: nothing. What was never allocated, or is not the start of an object, is reported.
 * Context: any.
 */
OCTAVO_API void kfree(const void *object);
/** kfree_sensitive - clear it first */
OCTAVO_API void kfree_sensitive(const void *object);

/** ksize - bytes usable behind a pointer of kmalloc() or a cache; 0 for NULL and ZERO_SIZE_PTR */
OCTAVO_API size_t ksize(const void *object);
/** kmalloc_size_roundup - bytes that kmalloc(@size) really gives */
OCTAVO_API size_t kmalloc_size_roundup(size_t size);

/**
 * krealloc - change the size of an allocation; the contents up to the smaller of both sizes stay
 * NULL @object: kmalloc(); @size 0: kfree(), ZERO_SIZE_PTR. __GFP_ZERO: what is new is cleared, if all sizes so far
 * were asked for with it. Return: where it is now; NULL: @object is unchanged.
 */
OCTAVO_API void *__must_check krealloc(const void *object, size_t size, gfp_t gfp);
OCTAVO_API void *__must_check krealloc_array(void *object, size_t n, size_t size, gfp_t gfp);

/**
 * kvmalloc - kmalloc(), or where that finds nothing contiguous, vmalloc()
 * Without the vmalloc part of the core in the image it is kmalloc(). Free with kvfree().
 */
OCTAVO_API void *__must_check kvmalloc_node(size_t size, gfp_t gfp, int node);
OCTAVO_API void *__must_check kvrealloc(const void *object, size_t size, gfp_t gfp);
OCTAVO_API void kvfree(const void *object);
OCTAVO_API void kvfree_sensitive(const void *object, size_t len);

static inline void *__must_check kvmalloc(size_t size, gfp_t gfp)
{
	return kvmalloc_node(size, gfp, NUMA_NO_NODE);
}

static inline void *__must_check kvzalloc(size_t size, gfp_t gfp)
{
	return kvmalloc_node(size, gfp | __GFP_ZERO, NUMA_NO_NODE);
}

static inline void *__must_check kvmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kvmalloc(bytes, gfp);
}

static inline void *__must_check kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kvmalloc_array(n, size, gfp | __GFP_ZERO);
}

/** struct kvmalloc_ops - how kvmalloc() reaches memory that need not be contiguous; registered by the vmalloc part */
struct kvmalloc_ops {
	void *(*alloc)(size_t size, gfp_t gfp, int node);
	void (*free)(const void *virt);
	bool (*owns)(const void *virt);
	size_t (*size)(const void *virt);
};
OCTAVO_API void register_kvmalloc_ops(const struct kvmalloc_ops *ops);

/* ---- Copies ---- */

/** kstrdup - a copy of a string; NULL for NULL. kstrndup: of at most @max characters. kmemdup: of @len bytes. */
OCTAVO_API char *__must_check kstrdup(const char *s, gfp_t gfp);
OCTAVO_API char *__must_check kstrndup(const char *s, size_t max, gfp_t gfp);
OCTAVO_API void *__must_check kmemdup(const void *src, size_t len, gfp_t gfp);
/** kmemdup_nul - @len bytes and a NUL behind them */
OCTAVO_API char *__must_check kmemdup_nul(const char *s, size_t len, gfp_t gfp);
OCTAVO_API void *__must_check kmemdup_array(const void *src, size_t n, size_t size, gfp_t gfp);
OCTAVO_API void *__must_check kvmemdup(const void *src, size_t len, gfp_t gfp);
/** kstrdup_const - a string that will not be changed, to be given to kfree_const(). The core copies it all the same. */
OCTAVO_API const char *__must_check kstrdup_const(const char *s, gfp_t gfp);
OCTAVO_API void kfree_const(const void *x);

/* ---- State ---- */

/** slab_is_available - kmalloc() may be called */
OCTAVO_API bool slab_is_available(void);

/**
 * heap_verify - check that each object of each cache has one owner and that the counts agree
 * @report: called with each finding, one line without a newline; may be NULL
 * Context: thread context, nobody allocating or freeing meanwhile. Return: number of findings.
 */
OCTAVO_API unsigned int heap_verify(void (*report)(void *ctx, const char *line), void *ctx);

/** heap_errors - frees that made no sense and damaged objects reported since boot. Context: any. */
OCTAVO_API unsigned long heap_errors(void);

OCTAVO_END_DECLS
#endif
