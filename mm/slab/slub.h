/* SPDX-License-Identifier: MIT */
/* The slub back end's structures; theory in slub.c. */
#ifndef MM_SLAB_SLUB_H
#define MM_SLAB_SLUB_H

#include "backend.h"

#define WORD_BITS (8u * (unsigned int)sizeof(unsigned long))

/* slab->ctl: the low half says whose the slab is, the high half counts foreign frees not yet taken over. */
#define OWNER_NONE 0u	    /* full: on no list */
#define OWNER_NODE 0xffffu  /* on its node's partial list; its bits are the node lock's */
#define OWNER_MASK 0xffffu  /* else: 1 + the CPU's number */
#define FOREIGN_ONE 0x10000u
octavo_static_assert(NR_CPUS + 1 < OWNER_NODE, "every CPU has an owner number");

struct slub_slab {
	struct slab s;
	u32 ctl;  /* (a) */
	u16 used; /* (o) or (n): objects without a bit in the first half of bits[]; others read it to estimate */
	u16 words;
	/*
	 * A bit an object, set when it is free. The first half is the owner's; others set bits in the second with an
	 * atomic operation and the owner moves them over when it has run out.
	 */
	unsigned long bits[];
};

/* Legend: (n) this lock. */
struct kmem_cache_node {
	spinlock_t lock;
	struct list_head partial; /* (n) slabs of OWNER_NODE */
	struct list_head all;	  /* (n) */
	u32 nr_partial;		  /* (n) */
	u32 nr_slabs;		  /* (n) */
};

/* Objects with a bit in the owner's half. */
static inline unsigned int slub_free(const struct slub_slab *slab)
{
	return slab->s.objects - load_relaxed(&slab->used);
}

static force_inline void add_used(struct slub_slab *slab, unsigned int n)
{
	WRITE_ONCE(slab->used, (u16)(slab->used + n));
}

static inline struct slub_slab *slub_of(struct slab *slab)
{
	return container_of(slab, struct slub_slab, s);
}

static inline unsigned long *foreign_bits(struct slub_slab *slab)
{
	return slab->bits + slab->words;
}

static inline struct kmem_cache_node *node_of(const struct kmem_cache *cache, unsigned int nid)
{
	return load_acquire(&cache->node[nid]);
}

/* Bytes of a descriptor for so many objects. */
static inline size_t slub_bytes(unsigned int objects)
{
	return sizeof(struct slub_slab) + 2 * DIV_ROUND_UP(objects, WORD_BITS) * sizeof(unsigned long);
}

#endif
