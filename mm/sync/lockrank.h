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
	LOCK_RANK_ANON_VMA,  /* a family of anon_vmas, sleeping */
	LOCK_RANK_MUTEX_WAIT, /* a mutex's queue of waiters */
	LOCK_RANK_SHRINKER,  /* the list of shrinkers */
	LOCK_RANK_MEMPOOL,   /* a mempool's reserve */
	LOCK_RANK_PERCPU,    /* the chunks of the per-CPU allocator */
	LOCK_RANK_VMAP_CPU,  /* areas of the vmalloc family that one CPU keeps */
	LOCK_RANK_VMAP,      /* the tree of those areas */
	LOCK_RANK_PAGE_TABLES, /* an address space's tables: mm->page_table_lock */
	LOCK_RANK_ROOTS,     /* the list of address spaces, whose roots share the kernel half */
	LOCK_RANK_PAGE_TABLE, /* the entries of one last-level table */
	LOCK_RANK_USERFAULT, /* the queues of a userfaultfd */
	LOCK_RANK_XARRAY,    /* one xarray: a file's page cache */
	LOCK_RANK_SHADOW,    /* the list of nodes with nothing but shadows */
	LOCK_RANK_HANDLE,    /* the table of handles */
	LOCK_RANK_SWAP_QUEUE, /* transfers that a swap device's thread is to do */
	LOCK_RANK_SWAP_AREA, /* a swap area's lists of clusters */
	LOCK_RANK_SHMEM,     /* the list of shmem inodes */
	LOCK_RANK_MAPPINGS,  /* the list of files with a page cache */
	LOCK_RANK_BLOCK,     /* the list of block devices */
	LOCK_RANK_ZSWAP,     /* the chunks of slots of one node that have copies in zswap */
	LOCK_RANK_ZPOOL,     /* a pool of compressed pages, or one size of it */
	LOCK_RANK_HEAP_NODE, /* a cache's slabs on one node */
	LOCK_RANK_HEAP_GATE, /* which magazines are open */
	LOCK_RANK_HEAP_META, /* memory for the heap's own structures */
	LOCK_RANK_HEAP_DEBUG, /* a debugged cache's objects, checked one at a time */
	LOCK_RANK_GUARD,     /* the pool of guarded objects */
	LOCK_RANK_LEAK,	     /* kmemleak's objects */
	LOCK_RANK_PAGE_WAIT, /* page wait hash buckets */
	LOCK_RANK_LRU,	     /* a node's lists of folios */
	LOCK_RANK_ZONE,      /* zone->lock: index over the pageblocks, migrate types */
	LOCK_RANK_PAGEBLOCK, /* one pageblock's bits and counts */
	LOCK_RANK_MEMINIT,   /* lazily initialised struct pages */
	LOCK_RANK_OWNER,     /* page_owner's stack store */
	LOCK_RANK_MEMTYPE,   /* how device memory is mapped */
	LOCK_RANK_RESOURCE,  /* the tree behind /proc/iomem */
	LOCK_RANK_COUNTERS,  /* the list of percpu_counters */
	LOCK_RANK_COUNTER,   /* one percpu_counter */
	LOCK_RANK_PKMAP,     /* kmap()'s slots */
	LOCK_RANK_REPORT,    /* one report of the heap at a time */
	LOCK_RANK_OOM,	     /* the list of the OOM killer's victims */
	LOCK_RANK_WAIT_QUEUE, /* a queue of waiting threads: nothing is taken inside */
	LOCK_RANK_RWSEM,     /* a rw_semaphore's queue of waiters: nothing is taken inside */
	LOCK_RANK_PSI,	     /* time lost for want of memory */
	LOCK_RANK_PERCPU_UNIT, /* a CPU's per-CPU variables get their first values */
	LOCK_RANK_CONSOLE,   /* the kernel log: behind the others, so that anyone may report */
	LOCK_RANK_TRACE,     /* a CPU's ring of trace records: events fire under any lock, and take no other */
	LOCK_RANK_NR
};

#endif
