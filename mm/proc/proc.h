/* SPDX-License-Identifier: MIT */
/* What the files of mm/proc share: the buffered writer, the table of files, numbers common to several. */
#ifndef MM_PROC_PROC_H
#define MM_PROC_PROC_H

#include <octavo/proc.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/zone.h"

/* ---- The writer (seq.c): collects text and hands it on when the buffer is full ---- */

struct seq_file {
	octavo_emit_fn emit;
	void *ctx;
	size_t len;
	char buf[512]; /* longer than any one line's formatted piece */
};

void seq_open(struct seq_file *m, octavo_emit_fn emit, void *ctx);
void seq_flush(struct seq_file *m);
void seq_write(struct seq_file *m, const char *text, size_t len);
void seq_puts(struct seq_file *m, const char *text);
__printf(2, 3) void seq_printf(struct seq_file *m, const char *fmt, ...);

/*
 * A set of small numbers, in the two forms Linux has for CPUs and nodes: "0-3,8" and hexadecimal words
 * "f,00000000". @has tells the members below @nr.
 */
void seq_list(struct seq_file *m, bool (*has)(unsigned int n, unsigned long arg), unsigned long arg, unsigned int nr);
void seq_mask(struct seq_file *m, bool (*has)(unsigned int n, unsigned long arg), unsigned long arg, unsigned int nr);

/* ---- The table (table.c) and the lookup in it (proc.c) ---- */

/* What a "#" in a path counts. */
enum proc_id {
	PROC_ID_NONE,
	PROC_ID_NODE,
	PROC_ID_BLOCK,
	PROC_ID_MEMMAP,
	PROC_ID_CACHE,	/* a cache of the heap, by its name or another name of it */
	PROC_ID_TRACKED, /* the same, of those that remember who allocated each object */
	PROC_ID_SHRINKER, /* registered shrinkers, by "name-number" */
	PROC_ID_CPU,
	PROC_ID_ZRAM,
	PROC_ID_TRACE, /* trace events of the first group, by name; the other groups' follow */
};

struct proc_entry {
	const char *path;
	enum proc_id kind;
	/* NULL: cannot be read. @id: the number in place of "#", of a name the number it stands for. */
	void (*show)(struct seq_file *m, const struct proc_entry *entry, unsigned long id);
	/* NULL: cannot be written. @text is NUL terminated. Return: 0 or a negative errno. */
	int (*store)(const struct proc_entry *entry, unsigned long id, const char *text);
	bool (*present)(void); /* NULL: always */
	const void *data;
};

extern const struct proc_entry proc_table[];
extern const unsigned int proc_table_nr;

/* The first number from @from on that exists; false: none. */
bool proc_id_next(enum proc_id kind, unsigned long from, unsigned long *id);

/* ---- The files ---- */

#define PROC_SHOW(name) void name(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
#define PROC_STORE(name) int name(const struct proc_entry *entry, unsigned long id, const char *text)

PROC_SHOW(lru_gen_enabled_show);
PROC_STORE(lru_gen_enabled_store);
PROC_SHOW(lru_gen_ttl_show);
PROC_STORE(lru_gen_ttl_store);
PROC_SHOW(lru_gen_show);
PROC_STORE(lru_gen_store);
PROC_SHOW(buddyinfo_show);
PROC_SHOW(pagetypeinfo_show);
PROC_SHOW(zoneinfo_show);
PROC_SHOW(vmstat_show);
PROC_SHOW(meminfo_show);
PROC_SHOW(iomem_show);
PROC_SHOW(slabinfo_show);
PROC_STORE(slabinfo_store);
PROC_SHOW(cmdline_show);
PROC_SHOW(vmallocinfo_show);
PROC_SHOW(swaps_show);
PROC_SHOW(pressure_memory_show);
PROC_SHOW(vma_ra_enabled_show);
PROC_STORE(vma_ra_enabled_store);

PROC_SHOW(zram_disksize_show);
PROC_STORE(zram_disksize_store);
PROC_SHOW(zram_initstate_show);
PROC_STORE(zram_reset_store);
PROC_SHOW(zram_mm_stat_show);
PROC_SHOW(zram_io_stat_show);
PROC_SHOW(zram_compressor_show);
PROC_STORE(zram_compressor_store);
PROC_STORE(zram_limit_store);
PROC_STORE(zram_used_max_store);
PROC_STORE(zram_compact_store);

PROC_SHOW(zswap_flag_show); /* data: which */
PROC_STORE(zswap_flag_store);
extern const u8 zswap_flag_enabled, zswap_flag_shrinker, zswap_flag_same;
PROC_SHOW(zswap_percent_show); /* data: a u32 */
PROC_STORE(zswap_percent_store);
PROC_SHOW(zswap_figure_show); /* data: an unsigned long */
PROC_SHOW(zswap_size_show);
PROC_SHOW(zswap_compressor_show);
PROC_STORE(zswap_compressor_store);
PROC_SHOW(zswap_zpool_show);
PROC_STORE(zswap_zpool_store);

PROC_SHOW(thp_enabled_show); /* data: the order, or all ones */
PROC_STORE(thp_enabled_store);
PROC_SHOW(thp_fault_alloc_show);
PROC_SHOW(thp_fault_fallback_show);
PROC_SHOW(thp_swpout_show);
PROC_SHOW(thp_swpout_fallback_show);
bool thp_has_order_9(void);
PROC_SHOW(fault_around_show);
PROC_STORE(fault_around_store);

PROC_SHOW(node_set_show); /* data: a struct node_set */
PROC_SHOW(node_meminfo_show);
PROC_SHOW(node_numastat_show);
PROC_SHOW(node_vmstat_show);
PROC_STORE(node_reclaim_store); /* pages are freed on demand */
PROC_SHOW(node_distance_show);
PROC_SHOW(node_cpulist_show);
PROC_SHOW(node_cpumap_show);
extern const struct node_set node_set_online, node_set_possible, node_set_memory, node_set_normal_memory,
	node_set_cpu, node_set_initiator;

PROC_SHOW(block_size_show);
PROC_SHOW(auto_online_show);
PROC_STORE(auto_online_store);
PROC_SHOW(block_state_show);
PROC_STORE(block_state_store);
PROC_SHOW(block_online_show);
PROC_STORE(block_online_store);
PROC_SHOW(block_index_show);
PROC_SHOW(block_removable_show);
PROC_SHOW(block_zones_show);
PROC_SHOW(block_device_show);

PROC_SHOW(memmap_start_show);
PROC_SHOW(memmap_end_show);
PROC_SHOW(memmap_type_show);
bool memmap_entry_exists(unsigned long id);

PROC_SHOW(slab_attr_show); /* data: a struct slab_attr */
PROC_STORE(slab_attr_store);
extern const struct slab_attr slab_attr_aliases, slab_attr_align, slab_attr_cache_dma, slab_attr_cpu_partial,
	slab_attr_cpu_slabs, slab_attr_ctor, slab_attr_destroy_by_rcu, slab_attr_failslab,
	slab_attr_hwcache_align, slab_attr_min_partial, slab_attr_object_size, slab_attr_objects,
	slab_attr_objects_partial, slab_attr_objs_per_slab, slab_attr_order, slab_attr_partial,
	slab_attr_poison, slab_attr_reclaim_account, slab_attr_red_zone, slab_attr_sanity_checks,
	slab_attr_shrink, slab_attr_skip_kfence, slab_attr_slab_size, slab_attr_slabs,
	slab_attr_slabs_cpu_partial, slab_attr_store_user, slab_attr_total_objects, slab_attr_trace,
	slab_attr_usersize, slab_attr_validate;
PROC_SHOW(slab_alloc_traces_show);
PROC_SHOW(slab_free_traces_show);

PROC_SHOW(page_owner_show);
bool page_owner_on(void);

PROC_SHOW(shrinker_count_show);
PROC_STORE(shrinker_scan_store);

PROC_SHOW(kfence_stats_show);
PROC_SHOW(kfence_objects_show);
PROC_SHOW(kfence_interval_show);
PROC_STORE(kfence_interval_store);
PROC_SHOW(kfence_thresh_show);
PROC_STORE(kfence_thresh_store);
PROC_SHOW(kfence_panic_show);
bool kfence_has_pool(void);

PROC_SHOW(memtype_show);
PROC_SHOW(kernel_page_tables_show);
PROC_SHOW(check_wx_pages_show);
bool kernel_has_page_tables(void);
/* The DirectMap lines of meminfo; leaves of a level that were split. */
void direct_map_lines(struct seq_file *m);
unsigned long direct_map_splits_of(unsigned int level);

PROC_SHOW(kmemleak_show);
PROC_STORE(kmemleak_store);
bool kmemleak_present(void);

PROC_SHOW(fault_file_show); /* data: a struct fault_file */
PROC_STORE(fault_file_store);
extern const struct fault_file fault_slab_probability, fault_slab_interval, fault_slab_times,
	fault_slab_space, fault_slab_verbose, fault_slab_rate_interval, fault_slab_rate_burst, fault_slab_task_filter,
	fault_slab_ignore_wait, fault_slab_cache_filter;
extern const struct fault_file fault_page_probability, fault_page_interval, fault_page_times,
	fault_page_space, fault_page_verbose, fault_page_rate_interval, fault_page_rate_burst, fault_page_task_filter,
	fault_page_ignore_wait, fault_page_min_order, fault_page_ignore_highmem;

PROC_SHOW(sysctl_show); /* data: a struct sysctl */
PROC_STORE(sysctl_store);
extern const struct sysctl ctl_min_free_kbytes, ctl_watermark_scale_factor, ctl_watermark_boost_factor,
	ctl_lowmem_reserve_ratio, ctl_percpu_pagelist_high_fraction, ctl_stat_interval,
	ctl_compact_memory, ctl_drop_caches, ctl_flush_ceiling;
PROC_SHOW(vm_sysctl_show); /* data: a struct vm_sysctl */
PROC_STORE(vm_sysctl_store);
extern const struct vm_sysctl ctl_admin_reserve_kbytes, ctl_user_reserve_kbytes, ctl_overcommit_kbytes,
	ctl_overcommit_memory, ctl_swappiness, ctl_zone_reclaim_mode, ctl_min_unmapped_ratio, ctl_min_slab_ratio,
	ctl_overcommit_ratio, ctl_max_map_count, ctl_mmap_min_addr, ctl_legacy_va_layout,
	ctl_randomize_va_space, ctl_dirty_background_bytes, ctl_dirty_background_ratio, ctl_dirty_bytes,
	ctl_dirty_expire_centisecs, ctl_dirty_ratio, ctl_dirty_writeback_centisecs, ctl_memfd_noexec,
	ctl_oom_dump_tasks, ctl_oom_kill_allocating_task, ctl_page_cluster, ctl_panic_on_oom,
	ctl_unprivileged_userfaultfd;
PROC_SHOW(zonelist_order_show);
PROC_STORE(zonelist_order_store);
bool sysctl_can_compact(void);

PROC_SHOW(sysvipc_shm_show);
PROC_SHOW(shm_limit_show); /* data: a struct shm_limit_file */
PROC_STORE(shm_limit_store);
extern const struct shm_limit_file shm_limit_max, shm_limit_all, shm_limit_mni;

/* trace_file.c; data: of a group's files its name, NULL: all groups */
PROC_SHOW(trace_show);
PROC_STORE(trace_store);
PROC_SHOW(trace_stats_show);
PROC_SHOW(tracing_on_show);
PROC_STORE(tracing_on_store);
PROC_SHOW(trace_size_show);
PROC_STORE(trace_size_store);
PROC_SHOW(trace_total_size_show);
PROC_SHOW(trace_available_show);
PROC_SHOW(trace_set_show);
PROC_STORE(trace_set_store);
PROC_SHOW(trace_word_show); /* data: the text */
PROC_SHOW(trace_group_enable_show);
PROC_STORE(trace_group_enable_store);
PROC_SHOW(trace_enable_show);
PROC_STORE(trace_enable_store);
PROC_SHOW(trace_id_show);
PROC_SHOW(trace_format_show);
bool trace_event_next(unsigned int group, unsigned long from, unsigned long *id);

/* Times each of the caches was dropped: /proc/vmstat shows it. */
unsigned long sysctl_drops(bool slab);

/* ---- Counters (counters.c) ---- */

/* @text less a newline at its end. Return: false: too long for @line. */
static inline bool proc_one_line(char *line, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len && text[len - 1] == '\n')
		len--;
	if (len >= size)
		return false;
	memcpy(line, text, len);
	line[len] = '\0';
	return true;
}

/* A zone counter over the zones of a node, the batches that CPUs still hold included. */
unsigned long proc_zone_stat_node(int nid, enum zone_stat_item item);

/* Names of the counters, as zoneinfo and vmstat show them; NULL: not a line on this machine. */
const char *proc_zone_stat_name(enum zone_stat_item item);
const char *proc_node_stat_name(enum node_stat_item item);

/* What the machine's kernel would be configured with: it decides which lines exist. */
bool proc_machine_numa(void); /* not: i386 with one node, kernels known to be built without */
bool proc_machine_highmem(void);
bool proc_machine_x86(void);

#endif
