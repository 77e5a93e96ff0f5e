// SPDX-License-Identifier: MIT
#include <octavo/gfp.h>

#include "mm/phys/zone.h"
#include "mm/proc/proc.h"
#include "proc_text.h"

#define VMSTAT "/proc/vmstat"

/*
 * The lines of Linux 6.12 on x86-64, as running kernels of the time show them: 6.13's less nr_hugetlb, with
 * the two of CONFIG_CMA, which distributions' kernels have or not.
 */
static const char *const names_x86_64[] = {
	"nr_free_pages", "nr_zone_inactive_anon", "nr_zone_active_anon", "nr_zone_inactive_file",
	"nr_zone_active_file", "nr_zone_unevictable", "nr_zone_write_pending", "nr_mlock", "nr_bounce",
	"nr_zspages", "nr_free_cma", "nr_unaccepted", "numa_hit", "numa_miss", "numa_foreign", "numa_interleave",
	"numa_local", "numa_other", "nr_inactive_anon", "nr_active_anon", "nr_inactive_file", "nr_active_file",
	"nr_unevictable", "nr_slab_reclaimable", "nr_slab_unreclaimable", "nr_isolated_anon", "nr_isolated_file",
	"workingset_nodes", "workingset_refault_anon", "workingset_refault_file", "workingset_activate_anon",
	"workingset_activate_file", "workingset_restore_anon", "workingset_restore_file",
	"workingset_nodereclaim", "nr_anon_pages", "nr_mapped", "nr_file_pages", "nr_dirty", "nr_writeback",
	"nr_writeback_temp", "nr_shmem", "nr_shmem_hugepages", "nr_shmem_pmdmapped", "nr_file_hugepages",
	"nr_file_pmdmapped", "nr_anon_transparent_hugepages", "nr_vmscan_write", "nr_vmscan_immediate_reclaim",
	"nr_dirtied", "nr_written", "nr_throttled_written", "nr_kernel_misc_reclaimable", "nr_foll_pin_acquired",
	"nr_foll_pin_released", "nr_kernel_stack", "nr_page_table_pages", "nr_sec_page_table_pages",
	"nr_iommu_pages", "nr_swapcached", "pgpromote_success", "pgpromote_candidate", "pgdemote_kswapd",
	"pgdemote_direct", "pgdemote_khugepaged", "nr_dirty_threshold", "nr_dirty_background_threshold",
	"nr_memmap_pages", "nr_memmap_boot_pages", "pgpgin", "pgpgout", "pswpin", "pswpout", "pgalloc_dma",
	"pgalloc_dma32", "pgalloc_normal", "pgalloc_movable", "pgalloc_device", "allocstall_dma",
	"allocstall_dma32", "allocstall_normal", "allocstall_movable", "allocstall_device", "pgskip_dma",
	"pgskip_dma32", "pgskip_normal", "pgskip_movable", "pgskip_device", "pgfree", "pgactivate",
	"pgdeactivate", "pglazyfree", "pgfault", "pgmajfault", "pglazyfreed", "pgrefill", "pgreuse",
	"pgsteal_kswapd", "pgsteal_direct", "pgsteal_khugepaged", "pgscan_kswapd", "pgscan_direct",
	"pgscan_khugepaged", "pgscan_direct_throttle", "pgscan_anon", "pgscan_file", "pgsteal_anon",
	"pgsteal_file", "zone_reclaim_success", "zone_reclaim_failed", "pginodesteal", "slabs_scanned",
	"kswapd_inodesteal", "kswapd_low_wmark_hit_quickly", "kswapd_high_wmark_hit_quickly", "pageoutrun",
	"pgrotated", "drop_pagecache", "drop_slab", "oom_kill", "numa_pte_updates", "numa_huge_pte_updates",
	"numa_hint_faults", "numa_hint_faults_local", "numa_pages_migrated", "pgmigrate_success",
	"pgmigrate_fail", "thp_migration_success", "thp_migration_fail", "thp_migration_split",
	"compact_migrate_scanned", "compact_free_scanned", "compact_isolated", "compact_stall", "compact_fail",
	"compact_success", "compact_daemon_wake", "compact_daemon_migrate_scanned",
	"compact_daemon_free_scanned", "htlb_buddy_alloc_success", "htlb_buddy_alloc_fail", "cma_alloc_success",
	"cma_alloc_fail", "unevictable_pgs_culled", "unevictable_pgs_scanned", "unevictable_pgs_rescued",
	"unevictable_pgs_mlocked", "unevictable_pgs_munlocked", "unevictable_pgs_cleared",
	"unevictable_pgs_stranded", "thp_fault_alloc", "thp_fault_fallback", "thp_fault_fallback_charge",
	"thp_collapse_alloc", "thp_collapse_alloc_failed", "thp_file_alloc", "thp_file_fallback",
	"thp_file_fallback_charge", "thp_file_mapped", "thp_split_page", "thp_split_page_failed",
	"thp_deferred_split_page", "thp_underused_split_page", "thp_split_pmd", "thp_scan_exceed_none_pte",
	"thp_scan_exceed_swap_pte", "thp_scan_exceed_share_pte", "thp_split_pud", "thp_zero_page_alloc",
	"thp_zero_page_alloc_failed", "thp_swpout", "thp_swpout_fallback", "balloon_inflate", "balloon_deflate",
	"balloon_migrate", "swap_ra", "swap_ra_hit", "swpin_zero", "swpout_zero", "ksm_swpin_copy", "cow_ksm",
	"zswpin", "zswpout", "zswpwb", "direct_map_level2_splits", "direct_map_level3_splits", "nr_unstable",
};

TEST(vmstat_file, names_and_order_on_x86_64)
{
	const char *next = proc_text(VMSTAT);
	char line[128], form[128];
	unsigned int i = 0;

	ASSERT(next);
	if (!zone_configured(ZONE_DMA32) || !zone_configured(ZONE_DEVICE))
		SKIP("the machine is not an x86-64 one");
	for (; (next = proc_line(next, line, sizeof(line))) != NULL; i++) {
		ASSERT(i < ARRAY_SIZE(names_x86_64));
		octavo_snprintf(form, sizeof(form), "%s {}", names_x86_64[i]);
		if (!proc_fits(line, form))
			test_fail(__FILE__, __LINE__, "line %u is <%s>, not of the form <%s>", i, line, form);
	}
	EXPECT_EQ(i, ARRAY_SIZE(names_x86_64));
}

TEST(vmstat_file, every_line_is_a_name_and_a_number)
{
	const char *next = proc_text(VMSTAT);
	char line[128];

	ASSERT(next);
	while ((next = proc_line(next, line, sizeof(line))) != NULL)
		EXPECT(proc_fits(line, "{w} {}"));
}

TEST(vmstat_file, free_pages_are_those_of_the_zones)
{
	const char *zoneinfo = proc_text("/proc/zoneinfo");
	u64 sum = 0, value;

	for_each_populated_zone(zone) {
		EXPECT(proc_number(proc_zone(zoneinfo, zone->node, zone->name), "nr_free_pages", &value));
		sum += value;
	}
	EXPECT_EQ(proc_value(VMSTAT, "nr_free_pages"), sum);
	EXPECT(sum > 0);
}

static u64 allocated(void)
{
	const char *text = proc_text(VMSTAT), *names[] = { "dma", "dma32", "normal", "high", "movable", "device" };
	char label[32];
	u64 sum = 0, value;

	for (unsigned int type = 0; type < MAX_NR_ZONES; type++) {
		octavo_snprintf(label, sizeof(label), "pgalloc_%s", names[type]);
		EXPECT_EQ(proc_number(text, label, &value), zone_configured((enum zone_type)type));
		sum += zone_configured((enum zone_type)type) ? value : 0;
	}
	return sum;
}

/* VS-I1: every order, single and in bulk, by row and past the caches; frees too. */
TEST(vmstat_file, events_count_every_page)
{
	u64 allocs = allocated(), frees = proc_value(VMSTAT, "pgfree");
	u64 hits = proc_machine_numa() ? proc_value(VMSTAT, "numa_hit") : 0;
	struct page *pages[MAX_PAGE_ORDER + 1], *many[100] = { NULL };
	u64 sum = 0;

	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		pages[order] = alloc_pages(GFP_KERNEL, order);
		ASSERT(pages[order]);
		sum += 1ull << order;
		EXPECT_EQ(allocated() - allocs, sum);
	}
	EXPECT_EQ(alloc_pages_bulk(GFP_KERNEL, ARRAY_SIZE(many), many), ARRAY_SIZE(many));
	sum += ARRAY_SIZE(many);
	EXPECT_EQ(allocated() - allocs, sum);
	if (proc_machine_numa())
		EXPECT_EQ(proc_value(VMSTAT, "numa_hit") - hits, MAX_PAGE_ORDER + 1 + ARRAY_SIZE(many));
	drain_all_pages(NULL);
	EXPECT_EQ(allocated() - allocs, sum);
	EXPECT_EQ(proc_value(VMSTAT, "pgfree") - frees, 0);
	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++)
		__free_pages(pages[order], order);
	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++)
		__free_page(many[i]);
	EXPECT_EQ(proc_value(VMSTAT, "pgfree") - frees, sum);
	drain_all_pages(NULL);
	EXPECT_EQ(proc_value(VMSTAT, "pgfree") - frees, sum);
	EXPECT_EQ(allocated() - allocs, sum);
}

/* Had from the node it was wanted from, which is not this CPU's. */
TEST(vmstat_file, numa_events)
{
	u64 miss, foreign, hits, other;
	struct page *page;

	if (nr_node_ids < 2 || !NODE_DATA(1) || this_cpu()->node != 0)
		SKIP("the machine has no second node with memory, or this CPU is on it");
	miss = proc_value(VMSTAT, "numa_miss");
	foreign = proc_value(VMSTAT, "numa_foreign");
	hits = proc_value(VMSTAT, "numa_hit");
	other = proc_value(VMSTAT, "numa_other");
	page = alloc_pages_node(1, GFP_KERNEL, 0);
	ASSERT(page);
	EXPECT_EQ(proc_value(VMSTAT, "numa_hit") - hits, 1);
	EXPECT_EQ(proc_value(VMSTAT, "numa_other") - other, 1);
	EXPECT_EQ(proc_value(VMSTAT, "numa_miss") - miss, 0);
	EXPECT_EQ(proc_value(VMSTAT, "numa_foreign") - foreign, 0);
	__free_page(page);
}

TEST(vmstat_file, nodes_add_up)
{
	u64 sum = 0;
	char path[64];

	if (!proc_machine_numa())
		SKIP("this machine's kernel has no files of nodes");
	for_each_online_node(nid) {
		octavo_snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/vmstat", nid);
		sum += proc_value(path, "nr_free_pages");
	}
	EXPECT_EQ(sum, proc_value(VMSTAT, "nr_free_pages"));
}
