/* SPDX-License-Identifier: MIT */
/* zswap inside: slots, pools, figures, parameters. The theory stands in zswap.c. */
#ifndef MM_ZSWAP_ZSWAP_INTERNAL_H
#define MM_ZSWAP_ZSWAP_INTERNAL_H

#include <octavo/rcupdate.h>
#include <octavo/shrinker.h>

#include "../base/list.h"
#include "../sync/mutex.h"
#include "compress.h"
#include "zpool.h"
#include "zswap.h"

/* ---- Slots ---- */

/*
 * zswap_slot.word: what stands behind a slot. Nobody changes a slot that has no copy but who has its folio locked; the
 * others take a copy away by exchanging the word.
 */
#define ZSWAP_PACKED 1u	      /* @handle: the copy in pool ZSWAP_POOL(word), ZSWAP_LENGTH(word) bytes */
#define ZSWAP_SAME 2u	      /* @handle: the word that the page consists of */
#define ZSWAP_KIND 3u
#define ZSWAP_REFERENCED 4u   /* the next scan passes it by */
#define ZSWAP_WRITEBACK 8u    /* is being written to the device; a new copy in this place has not the bit */
#define ZSWAP_POOL_SHIFT 4
#define ZSWAP_POOLS 16u
#define ZSWAP_LENGTH_SHIFT 8
#define ZSWAP_POOL(word) ((word) >> ZSWAP_POOL_SHIFT & (ZSWAP_POOLS - 1))
#define ZSWAP_LENGTH(word) ((word) >> ZSWAP_LENGTH_SHIFT)

struct zswap_slot {
	unsigned long handle; /* written before the word */
	u32 word;	      /* (a) */
};

#define ZSWAP_CHUNK_HEAD (sizeof(void *) == 8 ? 64u : 40u)
#define ZSWAP_CHUNK_SLOTS ((unsigned int)((PAGE_SIZE - ZSWAP_CHUNK_HEAD) / sizeof(struct zswap_slot)))

/* A page of slots. Legend: (n) the node's lock, (a) atomic, (c) constant. */
struct zswap_chunk {
	struct list_head list; /* (n) of zswap_node.chunks */
	unsigned long first;   /* (c) the offset of slots[0] */
	u32 used;	       /* (a) slots with a copy, and who works on it; ZSWAP_CHUNK_DEAD: it is going */
	u16 type;	       /* (c) */
	u16 node;	       /* (c) */
	u32 hand;	       /* who has it busy: the next slot to be looked at */
	u32 busy;	       /* (n) somebody scans it */
	struct rcu_head rcu;
	struct zswap_slot slots[] __aligned(8);
};
octavo_static_assert(sizeof(struct zswap_chunk) <= ZSWAP_CHUNK_HEAD, "a chunk is one page");
#define ZSWAP_CHUNK_DEAD 0x80000000u

struct zswap_node {
	spinlock_t lock;
	struct list_head chunks; /* (n) in the order in which they will be scanned */
	unsigned long stored;	 /* (a) packed copies in them */
} __aligned(64);
extern struct zswap_node *zswap_nodes; /* (c) by node */

/*
 * The slot of @entry if its chunk exists, which the caller may use inside of an RCU reader, or as long as the slot has
 * a copy. NULL: there is no copy.
 */
struct zswap_slot *zswap_slot_find(swp_entry_t entry, struct zswap_chunk **chunk);
/* With a user more in the chunk, which comes to be. NULL: no memory, or no such area. */
struct zswap_slot *zswap_slot_get(swp_entry_t entry, struct zswap_chunk **chunk);
/* A user less; the last one takes the chunk away. */
void zswap_chunk_put(struct zswap_chunk *chunk);
/* What @word said is given back; the slot says so no more. */
void zswap_copy_drop(struct zswap_chunk *chunk, unsigned long handle, u32 word);
/* Chunks in use, for each: stops when @fn returns false. Nobody else is at work. */
void zswap_for_each_chunk(bool (*fn)(struct zswap_chunk *chunk, void *ctx), void *ctx);

/* ---- Pools ---- */

/* Legend: (m) zswap.mutex, (a) atomic, (c) constant. */
struct zswap_pool {
	const struct zpool_driver *driver; /* (c) */
	void *zpool;			   /* (c) */
	struct packer packer;		   /* (c) */
	u32 users;			   /* (a) copies, and one for being current; 0: it is going */
	u32 id;				   /* (c) zswap.pools[id] */
};

struct zswap_stats {
	unsigned long stored_pages, same_filled_pages; /* (a) stored: both kinds */
	unsigned long pool_limit_hit, written_back_pages, reject_reclaim_fail, reject_alloc_fail, reject_kmemcache_fail,
		reject_compress_fail, reject_compress_poor, decompress_fail; /* (a) */
};

struct zswap_params {
	bool enabled, shrinker_enabled, same_filled_pages_enabled; /* (a) */
	u32 max_pool_percent, accept_threshold_percent;	   /* (a) */
	char compressor[COMPRESSOR_NAME_MAX], zpool[ZPOOL_NAME_MAX]; /* (m) */
};

struct zswap {
	struct mutex mutex;
	struct zswap_pool *current_pool;	       /* (a) RCU */
	struct zswap_pool *pools[ZSWAP_POOLS]; /* (a) RCU */
	u32 dying;		       /* (a) some pool has no users any more */
	bool reached_full;	       /* (a) and not yet below the threshold again */
	u32 shrinking;		       /* (a) somebody is at it because the pool is full */
	const struct zswap_backing *backing; /* (a) */
	struct zswap_params params;
	struct zswap_stats stats;
};
extern struct zswap zswap;

static inline void zswap_count(unsigned long *counter)
{
	atomic_add_relaxed(counter, 1ul);
}

/* The current pool with a user more; NULL: none. */
struct zswap_pool *zswap_pool_get(void);
void zswap_pool_put(struct zswap_pool *pool);
/* Pools without users go. Thread context, may sleep. */
void zswap_pools_reap(void);
/* A pool as the parameters say becomes the current one. With the mutex. Return: 0, -ENOMEM, -ENOSPC: too many. */
int zswap_pool_switch(void);
/* Is there room for another page? Counts when there is not. */
bool zswap_accepts(void);

/* ---- Parameters, for /sys/module/zswap/parameters ---- */

/* Return: 0, -ENOENT: no such compressor or kind of pool, -ENOMEM, -ENODEV: zswap could not be set up. */
int zswap_set_enabled(bool on);
int zswap_set_compressor(const char *name);
int zswap_set_zpool(const char *name);

/* ---- Writeback ---- */

/*
 * Up to @nr copies of @nid, of any node NUMA_NO_NODE, go to the device. Thread context. Return: how many; -EBUSY:
 * another thread is at it.
 */
long zswap_writeback(int nid, unsigned long nr);
int zswap_shrinker_init(void);

#endif
