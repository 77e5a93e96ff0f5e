/* SPDX-License-Identifier: MIT */
/* The slab back end's inside: a node's lists of slabs and the array its CPUs share. Theory in slab_backend.c. */
#ifndef MM_SLAB_SLAB_LISTS_H
#define MM_SLAB_SLAB_LISTS_H

#include "backend.h"

/* The largest order for more than one object. */
#define SLAB_GOOD_ORDER 3u

#define SLAB_WORD_BITS ((unsigned int)(8 * sizeof(unsigned long)))

/* Legend as in slab.h. */
struct slab_body {
	struct slab slab;
	u32 free;	      /* (n) set bits */
	unsigned long bits[]; /* (n) one an object: it is free */
};

/* Objects between the CPUs' magazines and the lists, newest last. Their bits are clear. */
struct shared_array {
	u32 nr;	   /* (n) others read it for counting */
	u32 limit; /* (c) */
	void *objs[];
};

struct kmem_cache_node {
	spinlock_t lock;
	u16 nid;	    /* (c) */
	u32 walkers;	    /* (n) somebody looks at slabs without the lock: none may go away */
	u32 colour_next;    /* (a) */
	u64 random;	    /* (n) state of the generator that orders objects, with slab_freelist_random */
	/* (n) others read the counts */
	unsigned long slabs, free_slabs, partial_slabs;
	unsigned long free_objects; /* in slabs */
	struct list_head full, partial, free;
	struct list_head all;
	struct shared_array *shared; /* (n) NULL: none yet, or none wanted */
};

/* An order's offer to hold a cache's objects. */
struct slab_fit {
	unsigned int order, objects;
	size_t first; /* offset of the first object, of colour 0 */
	size_t left;  /* bytes neither of objects nor of the descriptor */
	bool on_slab;
};

static inline struct slab_body *slab_body(struct slab *slab)
{
	return container_of(slab, struct slab_body, slab);
}

static inline struct kmem_cache_node *slab_node(const struct kmem_cache *cache, unsigned int nid)
{
	return load_acquire(&cache->node[nid]);
}

static inline size_t slab_body_bytes(unsigned int objects)
{
	return offsetof(struct slab_body, bits) + DIV_ROUND_UP(objects, SLAB_WORD_BITS) * sizeof(unsigned long);
}

static force_inline size_t slab_span(const struct kmem_cache *cache)
{
	return (size_t)cache->objects * cache->size;
}

static inline bool slab_bit(const struct slab_body *body, u32 index)
{
	return body->bits[index / SLAB_WORD_BITS] >> index % SLAB_WORD_BITS & 1;
}

/* ---- slab_layout.c ---- */

/* What objects of @cache must be aligned to; a power of two. */
size_t slab_object_align(const struct kmem_cache *cache);
/* Where the first object lies in slabs of @cache, of colour 0. */
size_t slab_first_offset(const struct kmem_cache *cache);
/* How 2^order pages would do. False: no object fits. */
bool slab_fit(const struct kmem_cache *cache, unsigned int order, struct slab_fit *fit);
/* min_partial from the magazines' size. */
void slab_set_keep(struct kmem_cache *cache);

/* ---- slab_lists.c: the node's lock is held ---- */

/* Up to @want objects of the lists. */
unsigned int slab_lists_take_locked(struct kmem_cache *cache, struct kmem_cache_node *n, void **objs,
				    unsigned int want);
/* Objects become free in their slabs. Return: how many did not, as they are none of this node's; now first in @objs. */
unsigned int slab_lists_give_locked(struct kmem_cache *cache, struct kmem_cache_node *n, void **objs, unsigned int nr,
				    struct list_head *dead);
void slab_lists_add_locked(struct kmem_cache *cache, struct kmem_cache_node *n, struct slab_body *body);
/* Free slabs die until free objects are at most @keep, or a walker is about. */
void slab_lists_trim_locked(struct kmem_cache *cache, struct kmem_cache_node *n, unsigned long keep,
			    struct list_head *dead);
/* Partial slabs with the fewest free objects first. */
void slab_lists_sort_locked(struct kmem_cache *cache, struct kmem_cache_node *n);
/* Objects that slab_lists_give_locked() refused: say why. The lock is not held; a walker is about. */
void slab_report_refused(struct kmem_cache *cache, void **objs, unsigned int nr);

/* ---- slab_shared.c ---- */

/* Objects a node's shared array of @cache should hold; 0: there is to be none. */
unsigned int slab_shared_limit(const struct kmem_cache *cache);
/* Make @n's array if it is worth it; without memory for it there is none. Outside sections. */
void slab_shared_make(struct kmem_cache *cache, struct kmem_cache_node *n, gfp_t gfp);
unsigned int slab_shared_take_locked(struct kmem_cache_node *n, void **objs, unsigned int want);
/* Return: how many of the @nr objects it had room for: the first. */
unsigned int slab_shared_give_locked(struct kmem_cache_node *n, void **objs, unsigned int nr);
bool slab_shared_has_locked(const struct kmem_cache_node *n, const void *object);
/* Give the array's memory back; it is empty, and nobody works with the node any more. */
void slab_shared_discard(struct kmem_cache_node *n);
/* Everything in the array goes to the lists. Outside the lock; a batch at a time. */
void slab_shared_drain(struct kmem_cache *cache, struct kmem_cache_node *n, struct list_head *dead);

#endif
