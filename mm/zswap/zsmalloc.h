/* SPDX-License-Identifier: MIT */
/* zsmalloc inside: sizes, zspages, handles. The theory stands in zsmalloc.c. */
#ifndef MM_ZSWAP_ZSMALLOC_H
#define MM_ZSWAP_ZSMALLOC_H

#include <octavo/rcupdate.h>
#include <octavo/shrinker.h>

#include "../base/list.h"
#include "../sync/spinlock.h"
#include "zpool.h"

#define ZS_CHAIN_MAX 8u	   /* pages of a zspage */
#define ZS_OBJECTS_MAX 256u /* of a zspage: a place in it has 9 bits of a location */
#define ZS_MIN_SIZE 32u
#define ZS_STEP 16u
#define ZS_SIZES ((unsigned int)(PAGE_SIZE - ZS_MIN_SIZE) / ZS_STEP + 1)

/* Where a zspage is: by how full it is, so that the fullest are used first. Isolated ones are on no list. */
enum zs_group { ZS_QUARTER, ZS_HALF, ZS_THREE_QUARTERS, ZS_NEARLY, ZS_FULL, ZS_LISTS, ZS_ISOLATED = ZS_LISTS };

/* Legend: (l) the class's lock, (c) constant, (a) atomic. */
struct zs_class {
	spinlock_t lock;
	u16 size;    /* (c) bytes of an object */
	u16 objects; /* (c) of a zspage */
	u8 pages;    /* (c) of a zspage */
	unsigned long zspages; /* (l) */
	unsigned long used;    /* (l) objects */
	struct list_head groups[ZS_LISTS]; /* (l) */
	bool compacting; /* (a) */
};

struct zspage {
	struct list_head list;	/* (l) */
	struct zs_class *class; /* (c) */
	u16 used;		/* (l) objects */
	u16 free;		/* (l) first free place; ZS_NONE */
	u8 group;		/* (l) enum zs_group */
	struct page *pages[ZS_CHAIN_MAX]; /* (c) */
	uintptr_t objects[];	/* (l) whose it is: struct zs_handle; free: the next free place, times 2, and 1 */
};
#define ZS_NONE 0x3fffu

/* What a handle points at: where the object is, in one word. */
struct zs_handle {
	u64 location; /* changes under the class's lock; read under RCU */
};
#define ZS_PLACE_BITS 9
#define ZS_PINNED ((u64)1 << ZS_PLACE_BITS) /* it has not been written yet, so it cannot be moved */

struct zs_pool {
	unsigned long pages; /* (a) */
	struct shrinker *shrinker; /* (c) */
	struct zs_class *class_of[ZS_SIZES]; /* (c) neighbours may share one */
};

/* ---- zsmalloc.c ---- */
extern struct kmem_cache *zs_handle_cache;

/* Of a place: which zspage, a multiple of 8 whose topmost 8 bits are the same, and which of its objects. */
static inline u64 zs_location(const struct zspage *zspage, unsigned int place)
{
	return ((u64)(uintptr_t)zspage << (sizeof(void *) == 8 ? 7 : 10)) | place;
}
octavo_static_assert(ZS_OBJECTS_MAX <= 1u << ZS_PLACE_BITS, "a place fits");

static inline struct zspage *zs_location_zspage(u64 location)
{
	if (sizeof(void *) == 8)
		return (struct zspage *)(uintptr_t)((s64)location >> 10 << 3);
	return (struct zspage *)(uintptr_t)(location >> 10);
}

static inline unsigned int zs_location_place(u64 location)
{
	return (unsigned int)location & ((1u << ZS_PLACE_BITS) - 1);
}

/* All with the class's lock held. */
enum zs_group zs_group_of(const struct zs_class *class, unsigned int used);
void zs_list_add(struct zspage *zspage, enum zs_group group);
void zs_list_del(struct zspage *zspage);
/* The fullest that has a free place; NULL: none. Isolated ones do not count. */
struct zspage *zs_fullest(struct zs_class *class);
/* A free place of @zspage becomes @handle's. */
unsigned int zs_take(struct zspage *zspage, struct zs_handle *handle);
/* Without the lock: it has no objects, is on no list, and nobody reads in it. */
void zs_free_zspage(struct zs_pool *pool, struct zspage *zspage);

/* ---- zsmalloc_compact.c ---- */
unsigned long zs_compact(void *pool);
/* Pages that compaction would give back now. */
unsigned long zs_compactable(struct zs_pool *pool);
int zs_shrinker_init(struct zs_pool *pool, const char *name);

/* ---- zsmalloc_verify.c ---- */
void zs_verify(void *pool, struct findings *f);

#endif
