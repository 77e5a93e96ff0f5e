/* SPDX-License-Identifier: MIT */
/*
 * The only lock order. A CPU may take a lock only if its rank is greater than that of every lock it holds;
 * two locks of one rank are taken together only in address order, by functions that say so. Debug builds
 * check it (lockdep.c). One line a lock: who it guards stands with the structure.
 */
#ifndef MM_SYNC_LOCKRANK_H
#define MM_SYNC_LOCKRANK_H

enum lock_rank {
	LOCK_RANK_NONE,
	LOCK_RANK_HOTPLUG,   /* memory hotplug and contiguous ranges, sleeping */
	LOCK_RANK_CMA,       /* a CMA area's bitmap */
	LOCK_RANK_SYSCTL,    /* watermark and reserve recalculation */
	LOCK_RANK_MUTEX_WAIT, /* a mutex's queue of waiters */
	LOCK_RANK_PAGE_WAIT, /* page wait hash buckets */
	LOCK_RANK_ZONE,      /* zone->lock: index over the pageblocks, migrate types */
	LOCK_RANK_PAGEBLOCK, /* one pageblock's bits and counts */
	LOCK_RANK_MEMINIT,   /* lazily initialised struct pages */
	LOCK_RANK_OWNER,     /* page_owner's stack store */
	LOCK_RANK_RESOURCE,  /* the tree behind /proc/iomem */
	LOCK_RANK_CONSOLE,   /* the kernel log: last, so that anyone may report */
	LOCK_RANK_NR
};

#endif
