/* SPDX-License-Identifier: MIT */
/*
 * Counters behind /proc/vmstat, zoneinfo and meminfo: per zone, per node, and events per CPU.
 * Zone counters are batched per CPU and folded in when a diff reaches the zone's threshold.
 */
#ifndef MM_PHYS_VMSTAT_H
#define MM_PHYS_VMSTAT_H

#include "../base/compiler.h"

/* In the order of /proc/zoneinfo and /proc/vmstat on Linux 6.12. */
enum zone_stat_item {
	NR_FREE_PAGES,
	NR_ZONE_INACTIVE_ANON,
	NR_ZONE_ACTIVE_ANON,
	NR_ZONE_INACTIVE_FILE,
	NR_ZONE_ACTIVE_FILE,
	NR_ZONE_UNEVICTABLE,
	NR_ZONE_WRITE_PENDING,
	NR_MLOCK,
	NR_BOUNCE,
	NR_ZSPAGES,
	NR_FREE_CMA_PAGES,
	NR_UNACCEPTED,
	NUMA_HIT,
	NUMA_MISS,
	NUMA_FOREIGN,
	NUMA_INTERLEAVE_HIT,
	NUMA_LOCAL,
	NUMA_OTHER,
	NR_VM_ZONE_STAT_ITEMS
};

enum node_stat_item {
	NR_INACTIVE_ANON,
	NR_ACTIVE_ANON,
	NR_INACTIVE_FILE,
	NR_ACTIVE_FILE,
	NR_UNEVICTABLE,
	NR_SLAB_RECLAIMABLE_B,
	NR_SLAB_UNRECLAIMABLE_B,
	NR_ISOLATED_ANON,
	NR_ISOLATED_FILE,
	WORKINGSET_NODES,
	WORKINGSET_REFAULT_ANON,
	WORKINGSET_REFAULT_FILE,
	WORKINGSET_ACTIVATE_ANON,
	WORKINGSET_ACTIVATE_FILE,
	WORKINGSET_RESTORE_ANON,
	WORKINGSET_RESTORE_FILE,
	WORKINGSET_NODERECLAIM,
	NR_ANON_MAPPED,
	NR_FILE_MAPPED,
	NR_FILE_PAGES,
	NR_FILE_DIRTY,
	NR_WRITEBACK,
	NR_WRITEBACK_TEMP,
	NR_SHMEM,
	NR_SHMEM_THPS,
	NR_SHMEM_PMDMAPPED,
	NR_FILE_THPS,
	NR_FILE_PMDMAPPED,
	NR_ANON_THPS,
	NR_VMSCAN_WRITE,
	NR_VMSCAN_IMMEDIATE,
	NR_DIRTIED,
	NR_WRITTEN,
	NR_THROTTLED_WRITTEN,
	NR_KERNEL_MISC_RECLAIMABLE,
	NR_FOLL_PIN_ACQUIRED,
	NR_FOLL_PIN_RELEASED,
	NR_KERNEL_STACK_KB,
	NR_PAGETABLE,
	NR_SECONDARY_PAGETABLE,
	NR_IOMMU_PAGES,
	NR_SWAPCACHE,
	PGPROMOTE_SUCCESS,
	PGPROMOTE_CANDIDATE,
	PGDEMOTE_KSWAPD,
	PGDEMOTE_DIRECT,
	PGDEMOTE_KHUGEPAGED,
	/* Counted by node here, shown only as sums and only in /proc/vmstat, behind the dirty thresholds. */
	NR_MEMMAP_PAGES,
	NR_MEMMAP_BOOT_PAGES,
	NR_VM_NODE_STAT_ITEMS
};

/* Events the page allocator counts itself; the order is that of /proc/vmstat on Linux 6.12 with these parts. */
enum vm_event_item {
	PGALLOC_FIRST, /* one per zone type */
	PGALLOC_LAST = PGALLOC_FIRST + 5,
	ALLOCSTALL_FIRST,
	ALLOCSTALL_LAST = ALLOCSTALL_FIRST + 5,
	PGSKIP_FIRST,
	PGSKIP_LAST = PGSKIP_FIRST + 5,
	PGFREE,
	PGACTIVATE,
	PGDEACTIVATE,
	PGREFILL, /* pages of active lists that were looked at */
	PGROTATED, /* that went to the old end of their list because they can go now */
	PGPGIN, /* sectors of 512 bytes from block devices; PGPGOUT: to them */
	PGPGOUT,
	PSWPIN, /* pages read from swap devices; PSWPOUT: written to them */
	PSWPOUT,
	PGLAZYFREE, /* pages that MADV_FREE let go of */
	PGFAULT,
	PGMAJFAULT,
	PGREUSE, /* a write fault that needed no copy */
	PGSTEAL_KSWAPD, /* pages that reclaim freed, by who did; in the order of enum reclaim_kind */
	PGSTEAL_DIRECT,
	PGSTEAL_KHUGEPAGED,
	PGSCAN_KSWAPD, /* that it looked at */
	PGSCAN_DIRECT,
	PGSCAN_KHUGEPAGED,
	PGSCAN_DIRECT_THROTTLE, /* threads that waited for reserves to be there again */
	PGSCAN_ANON, /* the same by what they were */
	PGSCAN_FILE,
	PGSTEAL_ANON,
	PGSTEAL_FILE,
	PGLAZYFREED, /* pages that MADV_FREE let go of, and that went */
	PGSCAN_ZONE_RECLAIM_SUCCESS, /* times a node was looked through before another was used, and what came of it */
	PGSCAN_ZONE_RECLAIM_FAILED,
	KSWAPD_INODESTEAL, /* pages of inodes that went with them; there are none */
	KSWAPD_LOW_WMARK_HIT_QUICKLY, /* naps of kswapd that ended early, and that the marks did not outlast */
	KSWAPD_HIGH_WMARK_HIT_QUICKLY,
	SLABS_SCANNED, /* objects that shrinkers looked at */
	PAGEOUTRUN,
	KSWAPD_WAKE,
	OOM_KILL,
	COMPACTSTALL,
	COMPACTFAIL,
	COMPACTSUCCESS,
	CMA_ALLOC_SUCCESS,
	CMA_ALLOC_FAIL,
	THP_SWPOUT, /* folios of 2 MiB written in one piece; THP_SWPOUT_FALLBACK: not so, for want of slots together */
	THP_SWPOUT_FALLBACK,
	SWAP_RA, /* pages read ahead from swap; SWAP_RA_HIT: that were then wanted */
	SWAP_RA_HIT,
	SWPIN_ZERO, /* pages of zeros, which need no device */
	SWPOUT_ZERO,
	ZSWPIN, /* pages that came out of zswap, went into it, and out of it to the device */
	ZSWPOUT,
	ZSWPWB,
	UNEVICTABLE_PGCULLED, /* that turned out to be unevictable */
	UNEVICTABLE_PGSCANNED,
	UNEVICTABLE_PGRESCUED, /* that are not so any more */
	UNEVICTABLE_PGMLOCKED,
	UNEVICTABLE_PGMUNLOCKED,
	UNEVICTABLE_PGCLEARED, /* that were freed mlocked */
	UNEVICTABLE_PGSTRANDED, /* that were off the lists when they were munlocked */
	/* Counted, but no lines of /proc/vmstat: Linux has those with CONFIG_DEBUG_TLBFLUSH only. */
	NR_TLB_REMOTE_FLUSH,
	NR_TLB_REMOTE_FLUSH_RECEIVED,
	NR_TLB_LOCAL_FLUSH_ALL,
	NR_TLB_LOCAL_FLUSH_ONE,
	NR_VM_EVENT_ITEMS
};

struct zone;
struct pglist_data;

/*
 * What one CPU keeps of one zone's counters. Only the owner writes, inside a per-CPU section that is not
 * nested; others read with relaxed loads.
 */
struct zone_cpu_stat {
	s32 diff[NR_VM_ZONE_STAT_ITEMS]; /* (o) not yet in zone->stat */
} __aligned(128);

/*
 * vmstat_cpu_bytes - bytes of one CPU's counters, for all zones of nr_node_ids nodes
 * vmstat_cpu_init - give @cpu its counters: @memory is zeroed, aligned to 128, and stays
 * Context: boot, after the zones have their index, before the CPU comes online.
 */
size_t vmstat_cpu_bytes(void);
void vmstat_cpu_init(unsigned int cpu, void *memory);

/* Folds what @cpu, which is offline, has batched into the zones. */
void vmstat_cpu_dead(unsigned int cpu);

/*
 * mod_zone_page_state - change a zone counter; any context, no lock needed.
 * zone_page_state_snapshot() adds the CPUs' diffs; zone_page_state() does not and may be off by
 * stat_threshold times the number of CPUs.
 */
void mod_zone_page_state(struct zone *zone, enum zone_stat_item item, long delta);
unsigned long zone_page_state(const struct zone *zone, enum zone_stat_item item);
unsigned long zone_page_state_snapshot(const struct zone *zone, enum zone_stat_item item);
unsigned long global_zone_page_state(enum zone_stat_item item);
void mod_node_page_state(struct pglist_data *pgdat, enum node_stat_item item, long delta);
unsigned long node_page_state(const struct pglist_data *pgdat, enum node_stat_item item);
unsigned long global_node_page_state(enum node_stat_item item);
/* The same with counters of bytes (NR_..._B) as pages, which is how they are shown. */
unsigned long node_page_state_pages(const struct pglist_data *pgdat, enum node_stat_item item);
unsigned long global_node_page_state_pages(enum node_stat_item item);
void count_vm_events(enum vm_event_item item, unsigned long count);
unsigned long vm_event_sum(enum vm_event_item item);

/* min(125, 2 * fls(cpus) * (1 + fls(managed / 128 MiB))): worked out in the theory comment of vmstat.c. */
unsigned int stat_threshold(unsigned long managed_pages, unsigned int cpus);
unsigned int calculate_normal_threshold(const struct zone *zone);
void refresh_zone_stat_thresholds(void);

#endif
