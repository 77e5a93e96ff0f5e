/* SPDX-License-Identifier: MIT */
/* Where recorded /proc files of other versions differ from 6.12's, and why. For procfs_conformance.c. */
#ifndef TESTS_HOSTED_PROCFS_DIFFERENCES_H
#define TESTS_HOSTED_PROCFS_DIFFERENCES_H

#include <stdbool.h>

#define RHEL9 "centos-1g-5.14"
#define RHEL8 "coreos-vm-8g-4.18"
#define PCP "pcp-2n-8g-8cpu-5.14"
#define ARM "arm32-highmem-1g-3.4"

/*
 * @key: the line with numbers as "#", white space as one space; a "*" at its end: any line that begins so.
 * @record NULL: in any record.
 */
struct difference {
	const char *record, *file, *key;
	const char *reason;
	bool used;
};

/* Lines of a record that 6.12 has not. */
static struct difference gone[] = {
	{ RHEL8, "pagetypeinfo", "Number of blocks type Unmovable Movable Reclaimable HighAtomic Isolate",
	  "configured without CONFIG_CMA: one type fewer" },
	{ RHEL8, "vmstat", "workingset_refault #", "anon and file since 5.9" },
	{ RHEL8, "vmstat", "workingset_activate #", "anon and file since 5.9" },
	{ RHEL8, "zoneinfo", "workingset_refault #", "anon and file since 5.9" },
	{ RHEL8, "zoneinfo", "workingset_activate #", "anon and file since 5.9" },
	{ RHEL8, "zoneinfo", "nr_unstable #", "no counter since 5.8" },
	{ RHEL8, "zoneinfo", "#", "had no name before 4.20: nr_kernel_misc_reclaimable" },
	{ ARM, "pagetypeinfo", "Node #, zone Normal, type Reserve #", "until 4.4" },
	{ ARM, "pagetypeinfo", "Node #, zone HighMem, type Reserve #", "until 4.4" },
	{ ARM, "pagetypeinfo", "Number of blocks type Unmovable Reclaimable Movable Reserve Isolate",
	  "other types in 3.4" },
};

/* Lines that stand elsewhere in 6.12. */
static struct difference moved[] = {
	{ RHEL9, "vmstat", "pgdemote_kswapd #", "an event in 5.14, a node counter since 6.8" },
	{ RHEL9, "vmstat", "pgdemote_direct #", "an event in 5.14, a node counter since 6.8" },
	{ PCP, "vmstat", "pgpromote_success #", "added to the end of the record" },
	{ PCP, "vmstat", "pgpromote_candidate #", "added to the end of the record" },
	{ PCP, "vmstat", "pgdemote_kswapd #", "added to the end of the record" },
	{ PCP, "vmstat", "pgdemote_direct #", "added to the end of the record" },
	{ PCP, "vmstat", "pgdemote_khugepaged #", "added to the end of the record" },
	{ RHEL8, "vmstat", "nr_page_table_pages #", "a zone counter until 5.10" },
	{ RHEL8, "vmstat", "nr_kernel_stack #", "a zone counter until 5.10" },
	{ RHEL8, "vmstat", "nr_unstable #", "no counter since 5.8: a zero at the end" },
	{ RHEL8, "zoneinfo", "nr_page_table_pages #", "a zone counter until 5.10" },
	{ RHEL8, "zoneinfo", "nr_kernel_stack #", "a zone counter until 5.10" },
	{ ARM, "pagetypeinfo", "Node #, zone Normal, type Movable #", "stood behind Reclaimable in 3.4" },
	{ ARM, "pagetypeinfo", "Node #, zone HighMem, type Movable #", "stood behind Reclaimable in 3.4" },
};

/* Lines of 6.12 that a record of 5.14 has not. */
static struct difference added[] = {
	{ RHEL9, "buddyinfo", "Node #, zone Normal*", "a 1 GiB machine has no Normal zone" },
	{ NULL, "meminfo", "Unaccepted: # kB", "since 6.5" },
	{ RHEL9, "meminfo", "DirectMap1G: # kB", "the CPU has no 1 GiB pages" },
	{ PCP, "meminfo", "Zswap: # kB", "since 5.19" },
	{ PCP, "meminfo", "Zswapped: # kB", "since 5.19" },
	{ PCP, "meminfo", "SecPageTables: # kB", "since 6.1" },
	{ PCP, "node1-meminfo", "Node # SecPageTables: # kB", "since 6.1" },
	{ PCP, "node1-meminfo", "Node # Unaccepted: # kB", "since 6.5" },
	{ PCP, "node0-meminfo", "Node # SecPageTables: # kB", "since 6.1" },
	{ PCP, "node0-meminfo", "Node # Unaccepted: # kB", "since 6.5" },
	{ RHEL9, "pagetypeinfo", "Node #, zone Normal*", "a 1 GiB machine has no Normal zone" },
	{ NULL, "vmstat", "nr_unaccepted #", "since 6.5" },
	{ NULL, "vmstat", "nr_iommu_pages #", "since 6.11" },
	{ RHEL9, "vmstat", "pgpromote_candidate #", "since 5.18" },
	{ RHEL9, "vmstat", "pgdemote_khugepaged #", "since 6.1" },
	{ NULL, "vmstat", "nr_memmap_pages #", "since 6.11" },
	{ NULL, "vmstat", "nr_memmap_boot_pages #", "since 6.11" },
	{ NULL, "vmstat", "pgsteal_khugepaged #", "since 6.1" },
	{ NULL, "vmstat", "pgscan_khugepaged #", "since 6.1" },
	{ NULL, "vmstat", "zone_reclaim_success #", "since 6.12" },
	{ NULL, "vmstat", "thp_underused_split_page #", "since 6.12" },
	{ NULL, "vmstat", "thp_scan_exceed_none_pte #", "since 5.17" },
	{ NULL, "vmstat", "thp_scan_exceed_swap_pte #", "since 5.17" },
	{ NULL, "vmstat", "thp_scan_exceed_share_pte #", "since 5.17" },
	{ NULL, "vmstat", "swpin_zero #", "since 6.12" },
	{ NULL, "vmstat", "swpout_zero #", "since 6.12" },
	{ NULL, "vmstat", "zswpwb #", "since 6.8" },
	{ PCP, "vmstat", "nr_throttled_written #", "since 5.16" },
	{ PCP, "vmstat", "nr_sec_page_table_pages #", "since 6.1" },
	{ PCP, "vmstat", "pgalloc_device #", "since 6.1" },
	{ PCP, "vmstat", "allocstall_device #", "since 6.1" },
	{ PCP, "vmstat", "pgskip_device #", "since 6.1" },
	{ PCP, "vmstat", "ksm_swpin_copy #", "since 5.17" },
	{ PCP, "vmstat", "cow_ksm #", "since 5.18" },
	{ PCP, "vmstat", "zswpin #", "since 5.19" },
	{ PCP, "vmstat", "zswpout #", "since 5.19" },
	{ NULL, "zoneinfo", "nr_iommu_pages #", "since 6.11" },
	{ NULL, "zoneinfo", "pgpromote_candidate #", "since 5.18" },
	{ NULL, "zoneinfo", "pgdemote_kswapd #", "node counters in 6.12, events before 6.8" },
	{ NULL, "zoneinfo", "pgdemote_direct #", "node counters in 6.12, events before 6.8" },
	{ NULL, "zoneinfo", "pgdemote_khugepaged #", "since 6.1" },
	{ NULL, "zoneinfo", "promo #", "since 6.12" },
	{ NULL, "zoneinfo", "nr_unaccepted #", "since 6.5" },
	{ PCP, "zoneinfo", "nr_throttled_written #", "since 5.16" },
	{ PCP, "zoneinfo", "nr_sec_page_table_pages #", "since 6.1" },
	{ PCP, "zoneinfo", "pgpromote_success #", "since 5.18" },
	{ PCP, "zoneinfo", "boost #", "since 6.1" },
};

/* Lines whose columns changed. */
static struct difference realigned[] = {
	{ RHEL8, "pagetypeinfo", "Node #, zone DMA #", "configured without CONFIG_CMA: one type fewer" },
	{ RHEL8, "pagetypeinfo", "Node #, zone DMA32 #", "configured without CONFIG_CMA: one type fewer" },
	{ RHEL8, "pagetypeinfo", "Node #, zone Normal #", "configured without CONFIG_CMA: one type fewer" },
	{ ARM, "pagetypeinfo", "Node #, zone Normal #", "five types in 3.4" },
	{ ARM, "pagetypeinfo", "Node #, zone HighMem #", "five types in 3.4" },
	{ RHEL8, "swaps", "Filename Type Size Used Priority", "two tabs between columns since 5.9" },
	{ PCP, "node0-meminfo", "Node # FileHugePages: # kB", "one column further in later kernels" },
	{ PCP, "node0-meminfo", "Node # FilePmdMapped: # kB", "one column further in later kernels" },
	{ PCP, "node1-meminfo", "Node # FileHugePages: # kB", "one column further in later kernels" },
	{ PCP, "node1-meminfo", "Node # FilePmdMapped: # kB", "one column further in later kernels" },
};

#endif
