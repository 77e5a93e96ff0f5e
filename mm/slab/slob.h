/* SPDX-License-Identifier: MIT */
/*
 * The slob back end's structures. The theory stands in slob.c.
 *
 * Legend: (c) constant once it is there, (n) the node's lock, (a) written under the node's lock, read by anyone.
 */
#ifndef MM_SLAB_SLOB_H
#define MM_SLAB_SLOB_H

#include <octavo/rcupdate.h>

#include "backend.h"

/* ---- Blocks: pages that objects of many caches share ---- */

#define SLOB_UNIT 8u /* bytes; objects begin and end on units */
octavo_static_assert(SLOB_UNIT == ARCH_KMALLOC_MINALIGN, "each unit is as aligned as kmalloc() promises");

/* An entry of a block's directory: where an object starts, its units less 1, its cache. Sorted, it is by address. */
#define SLOB_ID_BITS 14u
#define SLOB_UNITS_BITS 9u
octavo_static_assert(PAGE_SIZE / SLOB_UNIT <= 1u << SLOB_UNITS_BITS, "a page's units can be numbered");
octavo_static_assert(2 * SLOB_UNITS_BITS + SLOB_ID_BITS <= 32, "an entry is one word");
typedef u32 slob_entry_t;

static inline slob_entry_t slob_entry(unsigned int start, unsigned int units, unsigned int id)
{
	return start << (SLOB_UNITS_BITS + SLOB_ID_BITS) | (units - 1) << SLOB_ID_BITS | id;
}

static inline unsigned int slob_entry_start(slob_entry_t e)
{
	return e >> (SLOB_UNITS_BITS + SLOB_ID_BITS);
}

static inline unsigned int slob_entry_units(slob_entry_t e)
{
	return (e >> SLOB_ID_BITS & ((1u << SLOB_UNITS_BITS) - 1)) + 1;
}

static inline unsigned int slob_entry_end(slob_entry_t e)
{
	return slob_entry_start(e) + slob_entry_units(e);
}

static inline unsigned int slob_entry_id(slob_entry_t e)
{
	return e & ((1u << SLOB_ID_BITS) - 1);
}

/* What a block's page was taken as; objects share a page only with their kind. */
enum slob_kind { SLOB_NORMAL, SLOB_RECLAIM, SLOB_DMA, SLOB_DMA32, SLOB_KINDS };
/* By size: below 256 bytes, below 1024, above. */
enum slob_band { SLOB_SMALL, SLOB_MEDIUM, SLOB_LARGE, SLOB_BANDS };

/* At the end of its page; the directory's entries lie before it, the first one nearest. */
struct slob_block {
	struct slab slab; /* cache NULL, base the page, objects 0 */
	u16 nr;		  /* (n) entries */
	u16 largest;	  /* (n) units of the largest gap; 0: nothing fits any more */
	u8 kind;	  /* (c) enum slob_kind */
	u8 home;	  /* (n) band of the objects it is for */
	u8 band;	  /* (n) band it is listed in; SLOB_BANDS: none */
	u8 unused;
};
octavo_static_assert(sizeof(struct slob_block) % SLOB_UNIT == 0, "objects and directory are in front of it");
#define SLOB_BLOCK_UNITS ((unsigned int)((PAGE_SIZE - sizeof(struct slob_block)) / SLOB_UNIT))

static inline struct slob_block *slob_block_at(void *page)
{
	return (struct slob_block *)((char *)page + PAGE_SIZE - sizeof(struct slob_block));
}

static inline slob_entry_t *slob_entry_at(struct slob_block *block, unsigned int i)
{
	return (slob_entry_t *)block - 1 - i;
}

/* Units for objects when the directory has @entries. */
static inline unsigned int slob_block_limit(unsigned int entries)
{
	return SLOB_BLOCK_UNITS - (unsigned int)DIV_ROUND_UP(entries * sizeof(slob_entry_t), SLOB_UNIT);
}

static inline enum slob_band slob_band_of(unsigned int units)
{
	return units < 256 / SLOB_UNIT ? SLOB_SMALL : units < 1024 / SLOB_UNIT ? SLOB_MEDIUM : SLOB_LARGE;
}

#define SLOB_NONE (~0u)
struct slob_block *slob_block_init(void *page, int nid, enum slob_kind kind, enum slob_band home);
/* First fit. Return: the unit where the object starts, or SLOB_NONE. */
unsigned int slob_block_take(struct slob_block *block, unsigned int units, unsigned int align_units, unsigned int id);
bool slob_block_fits(struct slob_block *block, unsigned int units, unsigned int align_units);
void slob_block_give(struct slob_block *block, unsigned int i);
/* The entry whose object contains @unit, or SLOB_NONE. */
unsigned int slob_block_find(struct slob_block *block, unsigned int unit);
/* The entry of the object that starts at @object, or SLOB_NONE. */
unsigned int slob_block_entry_of(struct slob_block *block, const void *object);
/* What @largest has to be. */
unsigned int slob_block_survey(struct slob_block *block);
/* How many objects an empty block holds. */
unsigned int slob_block_capacity(unsigned int units, unsigned int align_units);

/* ---- Own slabs: pages of one cache ---- */

struct slob_own {
	struct slab slab;
	u32 free;	     /* (a) objects */
	u32 bytes;	     /* (c) of this structure */
	struct rcu_head rcu; /* with SLAB_TYPESAFE_BY_RCU: its pages wait to be given back */
	u64 used[];	     /* (a) a bit an object */
};

/* A cache's objects on one node. */
struct kmem_cache_node {
	struct list_head all;	  /* (n) own slabs */
	struct list_head partial; /* (n) those with a free object */
	unsigned long slabs;	  /* (a) own slabs */
	unsigned long free;	  /* (a) free objects in them */
	unsigned long listed;	  /* (a) own slabs with a free object */
	unsigned long empty;	  /* (a) those without any other */
	unsigned long shared;	  /* (a) objects in blocks */
	u32 walkers;		  /* (n) walks that rely on it that no own slab goes away */
};

/* ---- Nodes ---- */

struct slob_node {
	spinlock_t lock;
	u32 walkers;			/* (n) the same for blocks */
	struct list_head blocks;	/* (n) every block */
	unsigned long nr_blocks;	/* (a) */
	struct list_head bands[SLOB_KINDS][SLOB_BANDS]; /* (n) blocks with room, where the next search begins first */
};

/* NULL for nodes without memory; (a). */
extern struct slob_node *slob_nodes[MAX_NUMNODES];
/* Caches that stand for the pages of blocks when pages are taken and given back. */
extern struct kmem_cache slob_page_caches[SLOB_KINDS];

enum slob_kind slob_kind_of(const struct kmem_cache *cache);
/* Does an object of the cache, asked for with @size bytes, go into a block? */
bool slob_is_shared(const struct kmem_cache *cache, size_t size);
/* How many units it takes there, and on multiples of how many it lies. */
void slob_shape(const struct kmem_cache *cache, size_t size, unsigned int *units, unsigned int *align_units);
/* The list a block must be in. */
enum slob_band slob_listed_in(const struct slob_block *block);

/* With the node's lock: an empty block leaves its lists, for backend_bury(). */
void slob_block_drop_locked(struct slob_node *n, struct slob_block *block, struct list_head *dead);

static inline struct slob_block *slob_block_of(struct slab *slab)
{
	return container_of(slab, struct slob_block, slab);
}

static inline struct slob_own *slob_own_of(struct slab *slab)
{
	return container_of(slab, struct slob_own, slab);
}

static inline struct slob_node *slob_node(unsigned int nid)
{
	return load_acquire(&slob_nodes[nid]);
}

static inline struct kmem_cache_node *slob_cache_node(const struct kmem_cache *cache, unsigned int nid)
{
	return load_acquire(&cache->node[nid]);
}

/* A counter that its lock's holder changes and others may read. */
#define slob_count(counter, change) store_relaxed(&(counter), (counter) + (change))

/* slob_own.c; _locked: with the node's lock. */
int slob_own_grow(struct kmem_cache *cache, gfp_t gfp, int nid);
void *slob_own_take_locked(struct kmem_cache *cache, unsigned int nid);
/* Clears the object's bit. false: it is free already. An empty slab goes on @dead unless somebody walks. */
bool slob_own_give_locked(struct kmem_cache *cache, struct slab *slab, u32 index, struct list_head *dead);
bool slob_own_is_free(struct slab *slab, u32 index);
void slob_own_drop_locked(struct kmem_cache *cache, struct slab *slab, struct list_head *dead);
void slob_own_bury(struct kmem_cache *cache, struct slab *slab);

#endif
