// SPDX-License-Identifier: MIT
/*
 * /proc/meminfo and a node's meminfo. Format: proc.rst; the order is that of Linux 6.12.
 *
 * Lines of parts that do not exist (huge page pools) show zero: there is nothing of the kind.
 */
#include <octavo/percpu.h>
#include <octavo/vmalloc.h>

#include "proc.h"

#include "../cache/filemap.h"
#include "../phys/hwpoison.h"
#include "../phys/watermark.h"
#include "../swap/swap.h"
#include "../vm/account.h"
#include "../zswap/zswap.h"

/* Counters are pages; the files show KiB. */
static unsigned long kib(unsigned long pages)
{
	return pages << (PAGE_SHIFT - 10);
}

/* The label with its colon takes 16 columns, or its length and one; the number ends in column 24. */
static void line_kib(struct seq_file *m, const char *label, unsigned long value)
{
	int width = (int)strlen(label) < 16 ? 16 : (int)strlen(label) + 1;

	seq_printf(m, "%-*s%*lu kB\n", width, label, 24 - width, value);
}

static void line(struct seq_file *m, const char *label, unsigned long pages)
{
	line_kib(m, label, kib(pages));
}

/* On x86-64 Linux calls the last byte the end. */
static unsigned long vmalloc_kib(void)
{
	unsigned long bytes = VMALLOC_END - VMALLOC_START;

	return (bytes - (bytes && sizeof(long) == 8 && proc_machine_x86())) >> 10;
}

static unsigned long node_sum(enum node_stat_item item)
{
	return global_node_page_state_pages(item);
}

/* Over the zones the function accepts: high memory, or all but that. */
static unsigned long free_pages_of(bool highmem)
{
	unsigned long sum = 0;

	for_each_populated_zone(zone)
		if (is_highmem_zone(zone) == highmem)
			sum += zone_page_state_snapshot(zone, NR_FREE_PAGES);
	return sum;
}

static unsigned long managed_pages_of(bool highmem)
{
	unsigned long sum = 0;

	for_each_populated_zone(zone)
		if (is_highmem_zone(zone) == highmem)
			sum += zone_managed_pages(zone);
	return sum;
}

/*
 * MemAvailable: what could be had without swapping. Of the page cache and of reclaimable kernel memory at
 * least half, or the low watermarks' worth, is thought to be needed (proc.rst, MemAvailable).
 */
static unsigned long available_pages(void)
{
	unsigned long wmark_low = 0, reserve = READ_ONCE(totalreserve_pages), available = nr_free_pages();
	unsigned long cache = node_sum(NR_FILE_PAGES), others = node_sum(NR_SHMEM) + node_sum(NR_SWAPCACHE);
	unsigned long reclaimable;

	for_each_populated_zone(zone)
		wmark_low += wmark_pages(zone, WMARK_LOW);
	cache -= min(cache, others);
	cache -= min(cache / 2, wmark_low);
	reclaimable = node_sum(NR_SLAB_RECLAIMABLE_B) + node_sum(NR_KERNEL_MISC_RECLAIMABLE);
	reclaimable -= min(reclaimable / 2, wmark_low);
	available += cache + reclaimable;
	return available > reserve ? available - reserve : 0;
}

/* Files' contents but for those of block devices, which are Buffers, and of the swap cache. */
static unsigned long cached_pages(void)
{
	unsigned long all = node_sum(NR_FILE_PAGES), others = node_sum(NR_SWAPCACHE) + nr_blockdev_pages();

	return all - min(others, all);
}

static void memory_lines(struct seq_file *m)
{
	unsigned long inactive_anon = node_sum(NR_INACTIVE_ANON), inactive_file = node_sum(NR_INACTIVE_FILE);
	unsigned long active_anon = node_sum(NR_ACTIVE_ANON), active_file = node_sum(NR_ACTIVE_FILE);

	line(m, "MemTotal:", totalram_pages());
	line(m, "MemFree:", nr_free_pages());
	line(m, "MemAvailable:", available_pages());
	line(m, "Buffers:", nr_blockdev_pages());
	line(m, "Cached:", cached_pages());
	line(m, "SwapCached:", node_sum(NR_SWAPCACHE));
	line(m, "Active:", active_anon + active_file);
	line(m, "Inactive:", inactive_anon + inactive_file);
	line(m, "Active(anon):", active_anon);
	line(m, "Inactive(anon):", inactive_anon);
	line(m, "Active(file):", active_file);
	line(m, "Inactive(file):", inactive_file);
	line(m, "Unevictable:", node_sum(NR_UNEVICTABLE));
	line(m, "Mlocked:", global_zone_page_state(NR_MLOCK));
	if (proc_machine_highmem()) {
		line(m, "HighTotal:", managed_pages_of(true));
		line(m, "HighFree:", free_pages_of(true));
		line(m, "LowTotal:", managed_pages_of(false));
		line(m, "LowFree:", free_pages_of(false));
	}
	line(m, "SwapTotal:", swap_pages_total());
	line(m, "SwapFree:", swap_pages_free());
	line(m, "Zswap:", zswap_pool_pages());
	line(m, "Zswapped:", zswap_stored_pages());
	line(m, "Dirty:", node_sum(NR_FILE_DIRTY));
	line(m, "Writeback:", node_sum(NR_WRITEBACK));
	line(m, "AnonPages:", node_sum(NR_ANON_MAPPED));
	line(m, "Mapped:", node_sum(NR_FILE_MAPPED));
	line(m, "Shmem:", node_sum(NR_SHMEM));
}

static void kernel_lines(struct seq_file *m)
{
	unsigned long reclaimable = node_sum(NR_SLAB_RECLAIMABLE_B);
	unsigned long unreclaimable = node_sum(NR_SLAB_UNRECLAIMABLE_B);

	line(m, "KReclaimable:", reclaimable + node_sum(NR_KERNEL_MISC_RECLAIMABLE));
	line(m, "Slab:", reclaimable + unreclaimable);
	line(m, "SReclaimable:", reclaimable);
	line(m, "SUnreclaim:", unreclaimable);
	line_kib(m, "KernelStack:", node_sum(NR_KERNEL_STACK_KB));
	line(m, "PageTables:", node_sum(NR_PAGETABLE));
	line(m, "SecPageTables:", node_sum(NR_SECONDARY_PAGETABLE));
	line(m, "NFS_Unstable:", 0); /* kept as 0 since 5.8 */
	line(m, "Bounce:", global_zone_page_state(NR_BOUNCE));
	line(m, "WritebackTmp:", node_sum(NR_WRITEBACK_TEMP));
	line(m, "CommitLimit:", vm_commit_limit());
	line(m, "Committed_AS:", vm_committed_pages());
	line_kib(m, "VmallocTotal:", vmalloc_kib());
	line(m, "VmallocUsed:", vmalloc_nr_pages());
	line(m, "VmallocChunk:", 0);
	line(m, "Percpu:", percpu_pages());
	line(m, "HardwareCorrupted:", load_relaxed(&num_poisoned_pages));
}

static unsigned long cma_pages(void)
{
	unsigned long sum = 0;

	for_each_populated_zone(zone)
		sum += READ_ONCE(zone->cma_pages);
	return sum;
}

static void huge_lines(struct seq_file *m)
{
	line(m, "AnonHugePages:", node_sum(NR_ANON_THPS));
	line(m, "ShmemHugePages:", node_sum(NR_SHMEM_THPS));
	line(m, "ShmemPmdMapped:", node_sum(NR_SHMEM_PMDMAPPED));
	line(m, "FileHugePages:", node_sum(NR_FILE_THPS));
	line(m, "FilePmdMapped:", node_sum(NR_FILE_PMDMAPPED));
	line(m, "CmaTotal:", cma_pages());
	line(m, "CmaFree:", global_zone_page_state(NR_FREE_CMA_PAGES));
	if (proc_zone_stat_name(NR_UNACCEPTED))
		line(m, "Unaccepted:", global_zone_page_state(NR_UNACCEPTED));
	seq_printf(m, "HugePages_Total:   %5u\n", 0u);
	seq_printf(m, "HugePages_Free:    %5u\n", 0u);
	seq_printf(m, "HugePages_Rsvd:    %5u\n", 0u);
	seq_printf(m, "HugePages_Surp:    %5u\n", 0u);
	line(m, "Hugepagesize:", pageblock_nr_pages);
	line(m, "Hugetlb:", 0);
	if (proc_machine_x86())
		direct_map_lines(m);
}

void meminfo_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	memory_lines(m);
	kernel_lines(m);
	huge_lines(m);
}

struct node_line {
	const char *label;
	u16 first, second; /* enum node_stat_item; NONE: nothing to add */
};
#define NONE NR_VM_NODE_STAT_ITEMS

static const struct node_line node_lru_lines[] = {
	{ "SwapCached:", NR_SWAPCACHE, NONE },
	{ "Active:", NR_ACTIVE_ANON, NR_ACTIVE_FILE },
	{ "Inactive:", NR_INACTIVE_ANON, NR_INACTIVE_FILE },
	{ "Active(anon):", NR_ACTIVE_ANON, NONE },
	{ "Inactive(anon):", NR_INACTIVE_ANON, NONE },
	{ "Active(file):", NR_ACTIVE_FILE, NONE },
	{ "Inactive(file):", NR_INACTIVE_FILE, NONE },
	{ "Unevictable:", NR_UNEVICTABLE, NONE },
};

static const struct node_line node_other_lines[] = {
	{ "Dirty:", NR_FILE_DIRTY, NONE },
	{ "Writeback:", NR_WRITEBACK, NONE },
	{ "FilePages:", NR_FILE_PAGES, NONE },
	{ "Mapped:", NR_FILE_MAPPED, NONE },
	{ "AnonPages:", NR_ANON_MAPPED, NONE },
	{ "Shmem:", NR_SHMEM, NONE },
	{ "KernelStack:", NR_KERNEL_STACK_KB, NONE },
	{ "PageTables:", NR_PAGETABLE, NONE },
	{ "SecPageTables:", NR_SECONDARY_PAGETABLE, NONE },
	{ "NFS_Unstable:", NONE, NONE },
	{ "Bounce:", NONE, NONE },
	{ "WritebackTmp:", NR_WRITEBACK_TEMP, NONE },
	{ "KReclaimable:", NR_SLAB_RECLAIMABLE_B, NR_KERNEL_MISC_RECLAIMABLE },
	{ "Slab:", NR_SLAB_RECLAIMABLE_B, NR_SLAB_UNRECLAIMABLE_B },
	{ "SReclaimable:", NR_SLAB_RECLAIMABLE_B, NONE },
	{ "SUnreclaim:", NR_SLAB_UNRECLAIMABLE_B, NONE },
	{ "AnonHugePages:", NR_ANON_THPS, NONE },
	{ "ShmemHugePages:", NR_SHMEM_THPS, NONE },
	{ "ShmemPmdMapped:", NR_SHMEM_PMDMAPPED, NONE },
	{ "FileHugePages:", NR_FILE_THPS, NONE },
	{ "FilePmdMapped:", NR_FILE_PMDMAPPED, NONE },
};

static void node_line(struct seq_file *m, int nid, const char *label, unsigned long value)
{
	seq_printf(m, "Node %d %-16s%8lu kB\n", nid, label, value);
}

static void node_lines(struct seq_file *m, int nid, const struct node_line *lines, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		unsigned long value = 0;

		if (lines[i].first != NONE)
			value += node_page_state_pages(NODE_DATA(nid), (enum node_stat_item)lines[i].first);
		if (lines[i].second != NONE)
			value += node_page_state_pages(NODE_DATA(nid), (enum node_stat_item)lines[i].second);
		node_line(m, nid, lines[i].label, lines[i].first == NR_KERNEL_STACK_KB ? value : kib(value));
	}
}

void node_meminfo_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	int nid = (int)id;
	unsigned long total = 0, free = proc_zone_stat_node(nid, NR_FREE_PAGES);

	(void)entry;
	for (unsigned int type = 0; type < MAX_NR_ZONES; type++)
		total += zone_managed_pages(zone_of(nid, (enum zone_type)type));
	node_line(m, nid, "MemTotal:", kib(total));
	node_line(m, nid, "MemFree:", kib(free));
	node_line(m, nid, "MemUsed:", kib(total - min(free, total)));
	node_lines(m, nid, node_lru_lines, ARRAY_SIZE(node_lru_lines));
	node_line(m, nid, "Mlocked:", kib(proc_zone_stat_node(nid, NR_MLOCK)));
	node_lines(m, nid, node_other_lines, ARRAY_SIZE(node_other_lines));
	if (proc_zone_stat_name(NR_UNACCEPTED))
		node_line(m, nid, "Unaccepted:", kib(proc_zone_stat_node(nid, NR_UNACCEPTED)));
	seq_printf(m, "Node %d HugePages_Total: %5u\n", nid, 0u);
	seq_printf(m, "Node %d HugePages_Free:  %5u\n", nid, 0u);
	seq_printf(m, "Node %d HugePages_Surp:  %5u\n", nid, 0u);
}
