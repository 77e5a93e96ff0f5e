/* SPDX-License-Identifier: MIT */
/* What the files of the vmalloc family share. The theory stands in vmap_area.c. */
#ifndef MM_KMAP_VMAP_H
#define MM_KMAP_VMAP_H

#include <octavo/rcupdate.h>
#include <octavo/vmalloc.h>

#include "../base/findings.h"
#include "../base/range_tree.h"
#include "../pgtable/format.h"
#include "../sync/cpu.h"
#include "../sync/mutex.h"
#include "areas.h"

enum vmap_state {
	VMAP_BUSY,    /* somebody's */
	VMAP_LEAVING, /* being unmapped */
	VMAP_LAZY,    /* unmapped; TLBs may still know it */
	VMAP_CLEAN,   /* unmapped and flushed: to be had by the next who wants this size */
	VMAP_GONE,    /* out of the tree, waiting for readers */
};

struct vmap_block;

/* Legend: (c) constant once made, (b) the owner while busy, (n) the lock of the list it is in, (a) atomic. */
struct vmap_area {
	struct vm_struct vm;	  /* (b) */
	uintptr_t start;	  /* (c) virtual address */
	size_t bytes;		  /* (c) guard page included */
	u32 state;		  /* (a) enum vmap_state */
	u16 class;		  /* (c) of bytes, VMAP_CLASSES: none */
	bool ram;		  /* (b) of vm_map_ram(), without a block */
	struct vmap_block *block; /* (b) of vm_map_ram() */
	pgt_entry_t *entry;	  /* (b) of its first page, for areas of a class in one table; NULL: not known */
	union {
		struct vmap_area *next; /* (n) */
		struct rcu_head rcu;
	};
};

/* Areas of 1 to 16 pages by the page, and of 32, 64, 128, 256, without their guard page. */
#define VMAP_CLASS_PAGES 16u
#define VMAP_CLASSES (VMAP_CLASS_PAGES + 4)

#define VMAP_RECENT 16u

/* What each CPU has at hand. Any CPU may take the lock. */
struct vmap_cpu {
	spinlock_t lock;
	struct vmap_area *lazy;	    /* latest first, as the lists below */
	unsigned long lazy_pages;   /* here and in the blocks */
	unsigned long lazy_counted; /* of them, in vmap_state.lazy_pages */
	struct vmap_block *blocks;
	struct vmap_area *clean[VMAP_CLASSES];
	struct vmap_area *flushing; /* the purger's */
	/* This CPU's, without the lock: areas that it got lately, by address, none taken out of the tree since. */
	unsigned long recent_round;
	struct vmap_area *recent[VMAP_RECENT];
};

struct vmap {
	spinlock_t lock; /* the tree, and the nodes at hand for it */
	struct range_tree tree;
	void *nodes;
	unsigned int nodes_nr;
	bool on;		    /* (c) there are page tables */
	unsigned long lazy_pages;   /* (a) about as many pages are lazy */
	unsigned long lazy_max;	    /* (c) so many call for a purge */
	unsigned long purges;	    /* (m) flushes so far */
	unsigned long removals;	    /* (a) areas that have left the tree */
	pgt_entry_t leaf_zero, leaf_step; /* (c) of PAGE_KERNEL: page frame 0, and what each further one adds */
	struct mutex purge;	    /* (m) who flushes and gives back */
	struct vmap_area *deferred; /* (a) of vfree_atomic(), linked by next */
	struct kmem_cache *cache;
};
extern struct vmap vmap_state;

/* ---- Areas (vmap_area.c) ---- */

/* What an area is to be like; @low, @last: virtual addresses. */
struct vmap_request {
	size_t bytes; /* guard page included */
	size_t align;
	uintptr_t low, last;
	unsigned long flags;
	gfp_t gfp;
	int node;
	const void *caller;
};

/* Once the heap is open. Return: 0 or -ENOMEM. */
int vmalloc_init(void);
/* For areas of @pages pages and a guard page, anywhere; VMAP_CLASSES: there are no such. */
static inline unsigned int vmap_class(unsigned long pages)
{
	if (pages - 1 < VMAP_CLASS_PAGES)
		return (unsigned int)pages - 1;
	if (pages - 1 >= 256 || pages & (pages - 1))
		return VMAP_CLASSES;
	return VMAP_CLASS_PAGES + highest_bit(pages) - 5;
}

/* A clean area, busy now. NULL: none at hand. */
struct vmap_area *vmap_area_take(unsigned int class, unsigned long flags, gfp_t gfp, const void *caller);
/* Return: a busy area of which nothing is mapped; NULL, after a report of missing room unless __GFP_NOWARN. */
struct vmap_area *vmap_area_get(const struct vmap_request *request);
/* An area of default alignment, anywhere. */
struct vmap_area *vmap_area_get_simple(size_t bytes, unsigned long flags, gfp_t gfp, int node, const void *caller);
/* The busy area that begins at a pointer, which leaves now: it is the caller's. NULL: none. */
struct vmap_area *vmap_area_claim(const void *addr);
/* One of which nothing is mapped any more; @stale: TLBs may know it. */
void vmap_area_put(struct vmap_area *area, bool stale);
/* Lazy pages of blocks of @c, whose lock is held; vmap_count_lazy() without it, for those it returned. */
unsigned long vmap_lazy_locked(struct vmap_cpu *c, unsigned long pages);
void vmap_count_lazy(unsigned long pages);
/* The area in whose range a virtual address is. Inside an RCU reader. */
struct vmap_area *vmap_area_at(uintptr_t virt);
struct vmap_area *vmap_area_next(uintptr_t virt);
/* Takes an area that is nobody's out of the tree. @gap: what is free around it then, of the whole part; may be NULL */
void vmap_area_remove(struct vmap_area *area, void (*gap)(const struct vmap_area *area, u64 start, u64 end, void *ctx),
		      void *ctx);

static inline void *vmap_pointer(uintptr_t virt)
{
	return area_pointer(AREA_VMALLOC, virt);
}

static inline uintptr_t vmap_virt(const void *p)
{
	return area_virt(AREA_VMALLOC, p);
}

static inline size_t vmap_usable(const struct vmap_area *area)
{
	return area->vm.flags & VM_NO_GUARD ? area->bytes : area->bytes - PAGE_SIZE;
}

struct vmap_cpu *vmap_cpu_of(unsigned int cpu); /* NULL: it has never been here */
struct vmap_cpu *vmap_this_cpu(void);

/* ---- Purge (purge.c): thread context, interrupts on, no spinlock ---- */

/* Flush, and make use of what is stale. @all: and give back everything that is nobody's. */
void vmap_purge(bool all);
/* If it is time. */
static inline void vmap_purge_if_due(gfp_t gfp)
{
	if (unlikely(load_relaxed(&vmap_state.lazy_pages) > vmap_state.lazy_max) && gfp & __GFP_DIRECT_RECLAIM)
		vmap_purge(false);
}
/* Flush this, as far as other CPUs can be called. */
bool vmap_flush(uintptr_t start, uintptr_t end);
/* Areas that are nobody's, a list by next, and the page tables that only they needed. */
void vmap_areas_destroy(struct vmap_area *list);

/* ---- Blocks (vm_map_ram.c) ---- */

/* For the purger, under the lock of @c: what waits for the flush, and its bounds; and afterwards. */
void vmap_blocks_begin_flush(struct vmap_cpu *c, uintptr_t *low, uintptr_t *end);
/* Return: blocks of which nothing is in use, out of the list. */
struct vmap_block *vmap_blocks_end_flush(struct vmap_cpu *c, bool all);
/* Instead, if there was no flush. Return: pages that are lazy again. */
unsigned long vmap_blocks_put_back(struct vmap_cpu *c);
/* Their areas, ahead of @gone. */
struct vmap_area *vmap_blocks_free(struct vmap_block *unused, struct vmap_area *gone);
struct vmap_block *vmap_block_next(const struct vmap_block *block);
/* Return: lazy pages. */
unsigned long vmap_block_verify(const struct vmap_block *block, struct findings *f);

/* ---- The pages of an area (vmalloc.c) ---- */

/* Unmaps all of a leaving area, and frees the pages that belong to it. */
void vmap_area_empty(struct vmap_area *area);
/* So many more pages belong to areas. */
void vmap_pages_adopted(long nr);

/* ---- What files and reports show (vmap_show.c) ---- */

struct vmap_row {
	uintptr_t start, end;
	unsigned long flags, nr_pages;
	phys_addr_t phys;
	const void *caller;
	bool pages_in_vmalloc;
	enum { VMAP_ROW_AREA, VMAP_ROW_RAM, VMAP_ROW_UNPURGED } kind;
};
/* The first area from virtual address @from on that the file shows. */
bool vmap_row_next(uintptr_t from, struct vmap_row *row);
/* How many pages of it are on each node. */
void vmap_row_nodes(const struct vmap_row *row, unsigned long *pages, unsigned int nodes);
void vmap_show_init(void);

unsigned int vmap_verify(struct findings *f);

#endif
