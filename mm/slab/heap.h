/* SPDX-License-Identifier: MIT */
/* The front end's inside: magazines and the paths through them. Theory in heap.c. */
#ifndef MM_SLAB_HEAP_H
#define MM_SLAB_HEAP_H

#include "backend.h"

/* What the fast paths find where there is no magazine to use: nothing to take, no room to put. */
extern const struct magazine closed_magazine;

static force_inline void *shut(void)
{
	return (void *)&closed_magazine;
}

/*
 * The long ways. @size: as asked for. @caller: return address of the heap's user. @asked: the cache it names, or
 * NULL.
 */
void *heap_alloc_slow(struct kmem_cache *cache, gfp_t gfp, int nid, size_t size, uintptr_t caller);
void heap_free_slow(struct kmem_cache *asked, void *object, uintptr_t caller);

/* __GFP_ZERO: clear an object that is handed out, unless it is constructed. Return: the object. */
void *heap_zero(struct kmem_cache *cache, void *object);

/*
 * heap_drain - take what all CPUs hold of @cache back to the slabs
 * @discard: and the magazines go too
 * Thread context, interrupts on, heap.mutex held. A CPU that cannot be reached keeps its magazine, shut, and drains it
 * itself at its next allocation or free; but nobody uses a dying cache, so there all goes at once.
 */
void heap_drain(struct kmem_cache *cache, bool discard);
/* All that @cc holds goes back; @dead: see backend_give(). Inside its CPU's section, or it was taken from there. */
void heap_empty_cpu_cache(struct cpu_cache *cc, struct list_head *dead);
/* What the fast paths are to find of @cc, which is in its place: its magazine or the shut one. The gate is held. */
struct magazine *heap_entry(struct cpu_cache *cc);
/* Free objects on @nid that only wait to be used: in magazines, and in slabs without any other. */
unsigned long heap_reclaimable(int nid);
/*
 * heap_reclaim - give back what heap_reclaimable() counts, of cache after cache, until @nr objects of it are gone
 * Thread context, may sleep. Return: how many are gone; 0 also if somebody, maybe the caller's caller, is at it.
 */
unsigned long heap_reclaim(int nid, unsigned long nr);
/* Objects in magazines, of @nid's memory or (NUMA_NO_NODE) all. Approximate while others work. */
unsigned long heap_in_magazines(struct kmem_cache *cache, int nid);
/* Shut or open the fast paths: HEAP_* bits. */
void heap_hooks_set(u32 hooks, bool on);
/* Pages of all slabs. */
unsigned long heap_slab_pages_nr(void);
/* Entries of a CPU's table, and caches that have some. With nodes they are dear. */
static inline u32 heap_caches_max(void)
{
	return nr_node_ids > 1 ? 256 : 512;
}

static inline u32 heap_slots(void)
{
	return heap_caches_max() * nr_node_ids;
}

/* A possible CPU's table; it is used from when the CPU comes online. */
int heap_cpu_setup(unsigned int cpu);
int heap_cpu_online(unsigned int cpu);
void heap_cpu_dead(unsigned int cpu);

#endif
