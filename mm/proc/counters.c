// SPDX-License-Identifier: MIT
/*
 * The counters by name, and /proc/vmstat: which lines there are and in which order, as Linux 6.12 configured
 * like a distribution's has them. Counters of parts that do not exist (reclaim, migration, huge pages, swap)
 * are lines with a true zero.
 */
#include "proc.h"

#include "../boot/params.h"
#include "../cache/filemap.h"
#include "../phys/zone_init.h"

enum { LINE_ALL, LINE_NUMA, LINE_X86 };

struct stat_name {
	const char *name;
	u8 where; /* LINE_*: on which machines */
};

static const struct stat_name zone_stat_names[NR_VM_ZONE_STAT_ITEMS] = {
	[NR_FREE_PAGES] = { "nr_free_pages" },
	[NR_ZONE_INACTIVE_ANON] = { "nr_zone_inactive_anon" },
	[NR_ZONE_ACTIVE_ANON] = { "nr_zone_active_anon" },
	[NR_ZONE_INACTIVE_FILE] = { "nr_zone_inactive_file" },
	[NR_ZONE_ACTIVE_FILE] = { "nr_zone_active_file" },
	[NR_ZONE_UNEVICTABLE] = { "nr_zone_unevictable" },
	[NR_ZONE_WRITE_PENDING] = { "nr_zone_write_pending" },
	[NR_MLOCK] = { "nr_mlock" },
	[NR_BOUNCE] = { "nr_bounce" },
	[NR_ZSPAGES] = { "nr_zspages" },
	[NR_FREE_CMA_PAGES] = { "nr_free_cma" },
	[NR_UNACCEPTED] = { "nr_unaccepted", LINE_X86 },
	[NUMA_HIT] = { "numa_hit", LINE_NUMA },
	[NUMA_MISS] = { "numa_miss", LINE_NUMA },
	[NUMA_FOREIGN] = { "numa_foreign", LINE_NUMA },
	[NUMA_INTERLEAVE_HIT] = { "numa_interleave", LINE_NUMA },
	[NUMA_LOCAL] = { "numa_local", LINE_NUMA },
	[NUMA_OTHER] = { "numa_other", LINE_NUMA },
};

static const struct stat_name node_stat_names[NR_VM_NODE_STAT_ITEMS] = {
	[NR_INACTIVE_ANON] = { "nr_inactive_anon" },
	[NR_ACTIVE_ANON] = { "nr_active_anon" },
	[NR_INACTIVE_FILE] = { "nr_inactive_file" },
	[NR_ACTIVE_FILE] = { "nr_active_file" },
	[NR_UNEVICTABLE] = { "nr_unevictable" },
	[NR_SLAB_RECLAIMABLE_B] = { "nr_slab_reclaimable" },
	[NR_SLAB_UNRECLAIMABLE_B] = { "nr_slab_unreclaimable" },
	[NR_ISOLATED_ANON] = { "nr_isolated_anon" },
	[NR_ISOLATED_FILE] = { "nr_isolated_file" },
	[WORKINGSET_NODES] = { "workingset_nodes" },
	[WORKINGSET_REFAULT_ANON] = { "workingset_refault_anon" },
	[WORKINGSET_REFAULT_FILE] = { "workingset_refault_file" },
	[WORKINGSET_ACTIVATE_ANON] = { "workingset_activate_anon" },
	[WORKINGSET_ACTIVATE_FILE] = { "workingset_activate_file" },
	[WORKINGSET_RESTORE_ANON] = { "workingset_restore_anon" },
	[WORKINGSET_RESTORE_FILE] = { "workingset_restore_file" },
	[WORKINGSET_NODERECLAIM] = { "workingset_nodereclaim" },
	[NR_ANON_MAPPED] = { "nr_anon_pages" },
	[NR_FILE_MAPPED] = { "nr_mapped" },
	[NR_FILE_PAGES] = { "nr_file_pages" },
	[NR_FILE_DIRTY] = { "nr_dirty" },
	[NR_WRITEBACK] = { "nr_writeback" },
	[NR_WRITEBACK_TEMP] = { "nr_writeback_temp" },
	[NR_SHMEM] = { "nr_shmem" },
	[NR_SHMEM_THPS] = { "nr_shmem_hugepages" },
	[NR_SHMEM_PMDMAPPED] = { "nr_shmem_pmdmapped" },
	[NR_FILE_THPS] = { "nr_file_hugepages" },
	[NR_FILE_PMDMAPPED] = { "nr_file_pmdmapped" },
	[NR_ANON_THPS] = { "nr_anon_transparent_hugepages" },
	[NR_VMSCAN_WRITE] = { "nr_vmscan_write" },
	[NR_VMSCAN_IMMEDIATE] = { "nr_vmscan_immediate_reclaim" },
	[NR_DIRTIED] = { "nr_dirtied" },
	[NR_WRITTEN] = { "nr_written" },
	[NR_THROTTLED_WRITTEN] = { "nr_throttled_written" },
	[NR_KERNEL_MISC_RECLAIMABLE] = { "nr_kernel_misc_reclaimable" },
	[NR_FOLL_PIN_ACQUIRED] = { "nr_foll_pin_acquired" },
	[NR_FOLL_PIN_RELEASED] = { "nr_foll_pin_released" },
	[NR_KERNEL_STACK_KB] = { "nr_kernel_stack" },
	[NR_PAGETABLE] = { "nr_page_table_pages" },
	[NR_SECONDARY_PAGETABLE] = { "nr_sec_page_table_pages" },
	[NR_IOMMU_PAGES] = { "nr_iommu_pages" },
	[NR_SWAPCACHE] = { "nr_swapcached" },
	[PGPROMOTE_SUCCESS] = { "pgpromote_success", LINE_NUMA },
	[PGPROMOTE_CANDIDATE] = { "pgpromote_candidate", LINE_NUMA },
	[PGDEMOTE_KSWAPD] = { "pgdemote_kswapd" },
	[PGDEMOTE_DIRECT] = { "pgdemote_direct" },
	[PGDEMOTE_KHUGEPAGED] = { "pgdemote_khugepaged" },
	/* The two memmap counters have no name here: not among a node's counters. */
};

/* Behind the zones' and nodes' counters: events, and what is counted for the whole system. */
enum stat_source {
	FROM_NONE,  /* the part that would count it does not exist yet */
	FROM_EVENT, /* item: enum vm_event_item */
	FROM_ZONES, /* one line a configured zone, item: the event of ZONE_DMA */
	FROM_NODES, /* item: enum node_stat_item, summed */
	FROM_DROPS, /* item: 0 page cache, 1 slab */
	FROM_DIRECT_MAP, /* item: level of the leaves */
	FROM_SECTORS, /* item: an event that counts sectors; shown in KiB */
	FROM_DIRTY, /* item: 0 the limit, 1 where writing begins */
};

struct event_line {
	const char *name;
	u8 where;
	u8 source;
	u8 item;
};

static const struct event_line event_lines[] = {
	{ "nr_dirty_threshold", LINE_ALL, FROM_DIRTY, 0 },
	{ "nr_dirty_background_threshold", LINE_ALL, FROM_DIRTY, 1 },
	{ "nr_memmap_pages", LINE_ALL, FROM_NODES, NR_MEMMAP_PAGES },
	{ "nr_memmap_boot_pages", LINE_ALL, FROM_NODES, NR_MEMMAP_BOOT_PAGES },
	{ "pgpgin", LINE_ALL, FROM_SECTORS, PGPGIN },
	{ "pgpgout", LINE_ALL, FROM_SECTORS, PGPGOUT },
	{ "pswpin", LINE_ALL, FROM_EVENT, PSWPIN },
	{ "pswpout", LINE_ALL, FROM_EVENT, PSWPOUT },
	{ "pgalloc", LINE_ALL, FROM_ZONES, PGALLOC_FIRST },
	{ "allocstall", LINE_ALL, FROM_ZONES, ALLOCSTALL_FIRST },
	{ "pgskip", LINE_ALL, FROM_ZONES, PGSKIP_FIRST },
	{ "pgfree", LINE_ALL, FROM_EVENT, PGFREE },
	{ "pgactivate", LINE_ALL, FROM_EVENT, PGACTIVATE },
	{ "pgdeactivate", LINE_ALL, FROM_EVENT, PGDEACTIVATE },
	{ "pglazyfree", LINE_ALL, FROM_EVENT, PGLAZYFREE },
	{ "pgfault", LINE_ALL, FROM_EVENT, PGFAULT },
	{ "pgmajfault", LINE_ALL, FROM_EVENT, PGMAJFAULT },
	{ "pglazyfreed", LINE_ALL, FROM_EVENT, PGLAZYFREED },
	{ "pgrefill", LINE_ALL, FROM_EVENT, PGREFILL },
	{ "pgreuse", LINE_ALL, FROM_EVENT, PGREUSE },
	{ "pgsteal_kswapd", LINE_ALL, FROM_EVENT, PGSTEAL_KSWAPD },
	{ "pgsteal_direct", LINE_ALL, FROM_EVENT, PGSTEAL_DIRECT },
	{ "pgsteal_khugepaged", LINE_ALL, FROM_EVENT, PGSTEAL_KHUGEPAGED },
	{ "pgscan_kswapd", LINE_ALL, FROM_EVENT, PGSCAN_KSWAPD },
	{ "pgscan_direct", LINE_ALL, FROM_EVENT, PGSCAN_DIRECT },
	{ "pgscan_khugepaged", LINE_ALL, FROM_EVENT, PGSCAN_KHUGEPAGED },
	{ "pgscan_direct_throttle", LINE_ALL, FROM_EVENT, PGSCAN_DIRECT_THROTTLE },
	{ "pgscan_anon", LINE_ALL, FROM_EVENT, PGSCAN_ANON },
	{ "pgscan_file", LINE_ALL, FROM_EVENT, PGSCAN_FILE },
	{ "pgsteal_anon", LINE_ALL, FROM_EVENT, PGSTEAL_ANON },
	{ "pgsteal_file", LINE_ALL, FROM_EVENT, PGSTEAL_FILE },
	{ "zone_reclaim_success", LINE_NUMA, FROM_EVENT, PGSCAN_ZONE_RECLAIM_SUCCESS },
	{ "zone_reclaim_failed", LINE_NUMA, FROM_EVENT, PGSCAN_ZONE_RECLAIM_FAILED },
	{ "pginodesteal" },
	{ "slabs_scanned", LINE_ALL, FROM_EVENT, SLABS_SCANNED },
	{ "kswapd_inodesteal", LINE_ALL, FROM_EVENT, KSWAPD_INODESTEAL },
	{ "kswapd_low_wmark_hit_quickly", LINE_ALL, FROM_EVENT, KSWAPD_LOW_WMARK_HIT_QUICKLY },
	{ "kswapd_high_wmark_hit_quickly", LINE_ALL, FROM_EVENT, KSWAPD_HIGH_WMARK_HIT_QUICKLY },
	{ "pageoutrun", LINE_ALL, FROM_EVENT, PAGEOUTRUN },
	{ "pgrotated", LINE_ALL, FROM_EVENT, PGROTATED },
	{ "drop_pagecache", LINE_ALL, FROM_DROPS, 0 },
	{ "drop_slab", LINE_ALL, FROM_DROPS, 1 },
	{ "oom_kill", LINE_ALL, FROM_EVENT, OOM_KILL },
	{ "numa_pte_updates", LINE_NUMA },
	{ "numa_huge_pte_updates", LINE_NUMA },
	{ "numa_hint_faults", LINE_NUMA },
	{ "numa_hint_faults_local", LINE_NUMA },
	{ "numa_pages_migrated", LINE_NUMA },
	{ "pgmigrate_success" },
	{ "pgmigrate_fail" },
	{ "thp_migration_success" },
	{ "thp_migration_fail" },
	{ "thp_migration_split" },
	{ "compact_migrate_scanned" },
	{ "compact_free_scanned" },
	{ "compact_isolated" },
	{ "compact_stall", LINE_ALL, FROM_EVENT, COMPACTSTALL },
	{ "compact_fail", LINE_ALL, FROM_EVENT, COMPACTFAIL },
	{ "compact_success", LINE_ALL, FROM_EVENT, COMPACTSUCCESS },
	{ "compact_daemon_wake" },
	{ "compact_daemon_migrate_scanned" },
	{ "compact_daemon_free_scanned" },
	{ "htlb_buddy_alloc_success" },
	{ "htlb_buddy_alloc_fail" },
	{ "cma_alloc_success", LINE_ALL, FROM_EVENT, CMA_ALLOC_SUCCESS },
	{ "cma_alloc_fail", LINE_ALL, FROM_EVENT, CMA_ALLOC_FAIL },
	{ "unevictable_pgs_culled", LINE_ALL, FROM_EVENT, UNEVICTABLE_PGCULLED },
	{ "unevictable_pgs_scanned", LINE_ALL, FROM_EVENT, UNEVICTABLE_PGSCANNED },
	{ "unevictable_pgs_rescued", LINE_ALL, FROM_EVENT, UNEVICTABLE_PGRESCUED },
	{ "unevictable_pgs_mlocked", LINE_ALL, FROM_EVENT, UNEVICTABLE_PGMLOCKED },
	{ "unevictable_pgs_munlocked", LINE_ALL, FROM_EVENT, UNEVICTABLE_PGMUNLOCKED },
	{ "unevictable_pgs_cleared", LINE_ALL, FROM_EVENT, UNEVICTABLE_PGCLEARED },
	{ "unevictable_pgs_stranded", LINE_ALL, FROM_EVENT, UNEVICTABLE_PGSTRANDED },
	{ "thp_fault_alloc" },
	{ "thp_fault_fallback" },
	{ "thp_fault_fallback_charge" },
	{ "thp_collapse_alloc" },
	{ "thp_collapse_alloc_failed" },
	{ "thp_file_alloc" },
	{ "thp_file_fallback" },
	{ "thp_file_fallback_charge" },
	{ "thp_file_mapped" },
	{ "thp_split_page" },
	{ "thp_split_page_failed" },
	{ "thp_deferred_split_page" },
	{ "thp_underused_split_page" },
	{ "thp_split_pmd" },
	{ "thp_scan_exceed_none_pte" },
	{ "thp_scan_exceed_swap_pte" },
	{ "thp_scan_exceed_share_pte" },
	{ "thp_split_pud", LINE_X86 },
	{ "thp_zero_page_alloc" },
	{ "thp_zero_page_alloc_failed" },
	{ "thp_swpout", LINE_ALL, FROM_EVENT, THP_SWPOUT },
	{ "thp_swpout_fallback", LINE_ALL, FROM_EVENT, THP_SWPOUT_FALLBACK },
	{ "balloon_inflate" },
	{ "balloon_deflate" },
	{ "balloon_migrate" },
	{ "swap_ra", LINE_ALL, FROM_EVENT, SWAP_RA },
	{ "swap_ra_hit", LINE_ALL, FROM_EVENT, SWAP_RA_HIT },
	{ "swpin_zero", LINE_ALL, FROM_EVENT, SWPIN_ZERO },
	{ "swpout_zero", LINE_ALL, FROM_EVENT, SWPOUT_ZERO },
	{ "ksm_swpin_copy" },
	{ "cow_ksm" },
	{ "zswpin", LINE_ALL, FROM_EVENT, ZSWPIN },
	{ "zswpout", LINE_ALL, FROM_EVENT, ZSWPOUT },
	{ "zswpwb", LINE_ALL, FROM_EVENT, ZSWPWB },
	{ "direct_map_level2_splits", LINE_X86, FROM_DIRECT_MAP, 1 },
	{ "direct_map_level3_splits", LINE_X86, FROM_DIRECT_MAP, 2 },
	{ "nr_unstable" }, /* kept as 0 since 5.8, for programs that look for it */
};

static const char *const zone_suffixes[MAX_NR_ZONES] = { "dma", "dma32", "normal", "high", "movable", "device" };

bool proc_machine_highmem(void)
{
	return zone_configured(ZONE_HIGHMEM);
}

/* Kernels for i386 are built without NUMA, but for machines that have nodes. */
bool proc_machine_numa(void)
{
	return kernel_has_numa && (!proc_machine_highmem() || nr_node_ids > 1);
}

bool proc_machine_x86(void)
{
	return boot_arch != BOOT_ARCH_ARM64;
}

static bool shown_here(unsigned int where)
{
	switch (where) {
	case LINE_NUMA:
		return proc_machine_numa();
	case LINE_X86:
		return proc_machine_x86();
	default:
		return true;
	}
}

const char *proc_zone_stat_name(enum zone_stat_item item)
{
	const struct stat_name *name = &zone_stat_names[item];

	return shown_here(name->where) ? name->name : NULL;
}

const char *proc_node_stat_name(enum node_stat_item item)
{
	const struct stat_name *name = &node_stat_names[item];

	return shown_here(name->where) ? name->name : NULL;
}

unsigned long proc_zone_stat_node(int nid, enum zone_stat_item item)
{
	unsigned long sum = 0;

	for (unsigned int type = 0; type < MAX_NR_ZONES; type++)
		if (populated_zone(zone_of(nid, (enum zone_type)type)))
			sum += zone_page_state_snapshot(zone_of(nid, (enum zone_type)type), item);
	return sum;
}

static void event_line_show(struct seq_file *m, const struct event_line *line)
{
	u64 value = 0;

	if (!shown_here(line->where))
		return;
	if (line->source == FROM_ZONES) {
		for (unsigned int type = 0; type < MAX_NR_ZONES; type++)
			if (zone_configured((enum zone_type)type))
				seq_printf(m, "%s_%s %llu\n", line->name, zone_suffixes[type],
					   (unsigned long long)vm_event_sum((enum vm_event_item)(line->item + type)));
		return;
	}
	if (line->source == FROM_EVENT)
		value = vm_event_sum((enum vm_event_item)line->item);
	else if (line->source == FROM_NODES)
		value = global_node_page_state_pages((enum node_stat_item)line->item);
	else if (line->source == FROM_DROPS)
		value = sysctl_drops(line->item != 0);
	else if (line->source == FROM_DIRECT_MAP)
		value = direct_map_splits_of(line->item);
	else if (line->source == FROM_SECTORS)
		value = vm_event_sum((enum vm_event_item)line->item) / 2;
	else if (line->source == FROM_DIRTY)
		value = line->item ? dirty_limits().background : dirty_limits().most;
	seq_printf(m, "%s %llu\n", line->name, (unsigned long long)value);
}

void vmstat_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	for (unsigned int item = 0; item < NR_VM_ZONE_STAT_ITEMS; item++) {
		const char *name = proc_zone_stat_name((enum zone_stat_item)item);

		if (name)
			seq_printf(m, "%s %lu\n", name, global_zone_page_state((enum zone_stat_item)item));
	}
	for (unsigned int item = 0; item < NR_VM_NODE_STAT_ITEMS; item++) {
		const char *name = proc_node_stat_name((enum node_stat_item)item);

		if (name)
			seq_printf(m, "%s %lu\n", name, global_node_page_state_pages((enum node_stat_item)item));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(event_lines); i++)
		event_line_show(m, &event_lines[i]);
}
