// SPDX-License-Identifier: MIT
/* All files. "#" in a path stands for a number of the entry's kind; directories follow from the paths. */
#include "../zswap/zswap_internal.h"
#include "proc.h"

#include "../sync/trace.h"

#define NODE "/sys/devices/system/node/"
#define BLOCK "/sys/devices/system/memory/"
#define MEMMAP "/sys/firmware/memmap/#/"
#define VM "/proc/sys/vm/"
#define FAILSLAB "/sys/kernel/debug/failslab/"
#define FAIL_PAGE "/sys/kernel/debug/fail_page_alloc/"
#define FAULT(file) .show = fault_file_show, .store = fault_file_store, .data = &(file)
#define CACHE_FILE(name) \
	{ "/sys/kernel/slab/#/" #name, PROC_ID_CACHE, .show = slab_attr_show, .data = &slab_attr_##name }
#define CACHE_FILE_RW(name)                                                                                   \
	{ "/sys/kernel/slab/#/" #name, PROC_ID_CACHE, .show = slab_attr_show, .store = slab_attr_store, \
	  .data = &slab_attr_##name }

#define VM_NUMBER(name) .show = vm_sysctl_show, .store = vm_sysctl_store, .data = &ctl_##name
#define KFENCE "/sys/module/kfence/parameters/"
#define THP "/sys/kernel/mm/transparent_hugepage/"
#define THP_SIZE(size, order, ...)                                                                                    \
	{ THP "hugepages-" size "/enabled", .show = thp_enabled_show, .store = thp_enabled_store,                     \
	  .data = (const void *)order, __VA_ARGS__ },                                                                 \
		{ THP "hugepages-" size "/stats/anon_fault_alloc", .show = thp_fault_alloc_show,                      \
		  .data = (const void *)order, __VA_ARGS__ },                                                         \
		{ THP "hugepages-" size "/stats/anon_fault_fallback", .show = thp_fault_fallback_show,                \
		  .data = (const void *)order, __VA_ARGS__ },                                                         \
		{ THP "hugepages-" size "/stats/swpout", .show = thp_swpout_show,                                     \
		  .data = (const void *)order, __VA_ARGS__ },                                                         \
		{ THP "hugepages-" size "/stats/swpout_fallback", .show = thp_swpout_fallback_show,                   \
		  .data = (const void *)order, __VA_ARGS__ }
#define TRACING "/sys/kernel/tracing/"
#define TRACE_GROUP_FILES(group)                                                                                      \
	{ TRACING "events/" #group "/enable", .show = trace_group_enable_show, .store = trace_group_enable_store,     \
	  .data = #group },                                                                                           \
		{ TRACING "events/" #group "/#/enable", PROC_ID_TRACE + TRACE_GROUP_##group,                          \
		  .show = trace_enable_show, .store = trace_enable_store },                                           \
		{ TRACING "events/" #group "/#/format", PROC_ID_TRACE + TRACE_GROUP_##group,                          \
		  .show = trace_format_show },                                                                        \
		{ TRACING "events/" #group "/#/id", PROC_ID_TRACE + TRACE_GROUP_##group, .show = trace_id_show },
#define ZSWAP "/sys/module/zswap/parameters/"
#define ZSWAP_FLAG(flag) .show = zswap_flag_show, .store = zswap_flag_store, .data = &(flag)
#define ZSWAP_PERCENT(member) .show = zswap_percent_show, .store = zswap_percent_store, .data = &zswap.params.member
#define ZSWAP_FIGURE(name) { "/sys/kernel/debug/zswap/" #name, .show = zswap_figure_show, .data = &zswap.stats.name }
#define ZRAM "/sys/block/zram#/"
#define NUMA_ONLY .present = proc_machine_numa

const struct proc_entry proc_table[] = {
	{ "/proc/buddyinfo", .show = buddyinfo_show },
	{ "/proc/cmdline", .show = cmdline_show },
	{ "/proc/iomem", .show = iomem_show },
	{ "/proc/meminfo", .show = meminfo_show },
	{ "/proc/pagetypeinfo", .show = pagetypeinfo_show },
	{ "/proc/pressure/memory", .show = pressure_memory_show },
	{ "/proc/slabinfo", .show = slabinfo_show, .store = slabinfo_store },
	{ "/proc/swaps", .show = swaps_show },
	{ "/proc/sysvipc/shm", .show = sysvipc_shm_show },
	{ "/proc/vmallocinfo", .show = vmallocinfo_show },
	{ "/proc/vmstat", .show = vmstat_show },
	{ "/proc/zoneinfo", .show = zoneinfo_show },

	{ "/proc/sys/kernel/randomize_va_space", VM_NUMBER(randomize_va_space) },
	{ "/proc/sys/kernel/shmall", .show = shm_limit_show, .store = shm_limit_store, .data = &shm_limit_all },
	{ "/proc/sys/kernel/shmmax", .show = shm_limit_show, .store = shm_limit_store, .data = &shm_limit_max },
	{ "/proc/sys/kernel/shmmni", .show = shm_limit_show, .store = shm_limit_store, .data = &shm_limit_mni },
	{ VM "admin_reserve_kbytes", VM_NUMBER(admin_reserve_kbytes) },
	{ VM "compact_memory", .store = sysctl_store, .present = sysctl_can_compact, .data = &ctl_compact_memory },
	{ VM "dirty_background_bytes", VM_NUMBER(dirty_background_bytes) },
	{ VM "dirty_background_ratio", VM_NUMBER(dirty_background_ratio) },
	{ VM "dirty_bytes", VM_NUMBER(dirty_bytes) },
	{ VM "dirty_expire_centisecs", VM_NUMBER(dirty_expire_centisecs) },
	{ VM "dirty_ratio", VM_NUMBER(dirty_ratio) },
	{ VM "dirty_writeback_centisecs", VM_NUMBER(dirty_writeback_centisecs) },
	{ VM "drop_caches", .store = sysctl_store, .data = &ctl_drop_caches },
	{ VM "legacy_va_layout", VM_NUMBER(legacy_va_layout) },
	{ VM "lowmem_reserve_ratio", .show = sysctl_show, .store = sysctl_store,
	  .data = &ctl_lowmem_reserve_ratio },
	{ VM "max_map_count", VM_NUMBER(max_map_count) },
	{ VM "memfd_noexec", VM_NUMBER(memfd_noexec) },
	{ VM "min_free_kbytes", .show = sysctl_show, .store = sysctl_store, .data = &ctl_min_free_kbytes },
	{ VM "min_slab_ratio", VM_NUMBER(min_slab_ratio), NUMA_ONLY },
	{ VM "min_unmapped_ratio", VM_NUMBER(min_unmapped_ratio), NUMA_ONLY },
	{ VM "mmap_min_addr", VM_NUMBER(mmap_min_addr) },
	{ VM "numa_zonelist_order", .show = zonelist_order_show, .store = zonelist_order_store,
	  NUMA_ONLY },
	{ VM "oom_dump_tasks", VM_NUMBER(oom_dump_tasks) },
	{ VM "oom_kill_allocating_task", VM_NUMBER(oom_kill_allocating_task) },
	{ VM "overcommit_kbytes", VM_NUMBER(overcommit_kbytes) },
	{ VM "overcommit_memory", VM_NUMBER(overcommit_memory) },
	{ VM "overcommit_ratio", VM_NUMBER(overcommit_ratio) },
	{ VM "page-cluster", VM_NUMBER(page_cluster) },
	{ VM "panic_on_oom", VM_NUMBER(panic_on_oom) },
	{ VM "percpu_pagelist_high_fraction", .show = sysctl_show, .store = sysctl_store,
	  .data = &ctl_percpu_pagelist_high_fraction },
	{ VM "stat_interval", .show = sysctl_show, .store = sysctl_store, .data = &ctl_stat_interval },
	{ VM "swappiness", VM_NUMBER(swappiness) },
	{ VM "unprivileged_userfaultfd", VM_NUMBER(unprivileged_userfaultfd) },
	{ VM "user_reserve_kbytes", VM_NUMBER(user_reserve_kbytes) },
	{ VM "watermark_boost_factor", .show = sysctl_show, .store = sysctl_store,
	  .data = &ctl_watermark_boost_factor },
	{ VM "watermark_scale_factor", .show = sysctl_show, .store = sysctl_store,
	  .data = &ctl_watermark_scale_factor },
	{ VM "zone_reclaim_mode", VM_NUMBER(zone_reclaim_mode), NUMA_ONLY },

	{ NODE "has_cpu", .show = node_set_show, .data = &node_set_cpu, NUMA_ONLY },
	{ NODE "has_generic_initiator", .show = node_set_show, .data = &node_set_initiator, NUMA_ONLY },
	{ NODE "has_memory", .show = node_set_show, .data = &node_set_memory, NUMA_ONLY },
	{ NODE "has_normal_memory", .show = node_set_show, .data = &node_set_normal_memory, NUMA_ONLY },
	{ NODE "online", .show = node_set_show, .data = &node_set_online, NUMA_ONLY },
	{ NODE "possible", .show = node_set_show, .data = &node_set_possible, NUMA_ONLY },
	{ NODE "node#/cpulist", PROC_ID_NODE, .show = node_cpulist_show, NUMA_ONLY },
	{ NODE "node#/cpumap", PROC_ID_NODE, .show = node_cpumap_show, NUMA_ONLY },
	{ NODE "node#/distance", PROC_ID_NODE, .show = node_distance_show, NUMA_ONLY },
	{ NODE "node#/meminfo", PROC_ID_NODE, .show = node_meminfo_show, NUMA_ONLY },
	{ NODE "node#/numastat", PROC_ID_NODE, .show = node_numastat_show, NUMA_ONLY },
	{ NODE "node#/reclaim", PROC_ID_NODE, .store = node_reclaim_store, NUMA_ONLY },
	{ NODE "node#/vmstat", PROC_ID_NODE, .show = node_vmstat_show, NUMA_ONLY },

	{ BLOCK "auto_online_blocks", .show = auto_online_show, .store = auto_online_store },
	{ BLOCK "block_size_bytes", .show = block_size_show },
	{ BLOCK "memory#/online", PROC_ID_BLOCK, .show = block_online_show, .store = block_online_store },
	{ BLOCK "memory#/phys_device", PROC_ID_BLOCK, .show = block_device_show },
	{ BLOCK "memory#/phys_index", PROC_ID_BLOCK, .show = block_index_show },
	{ BLOCK "memory#/removable", PROC_ID_BLOCK, .show = block_removable_show },
	{ BLOCK "memory#/state", PROC_ID_BLOCK, .show = block_state_show, .store = block_state_store },
	{ BLOCK "memory#/valid_zones", PROC_ID_BLOCK, .show = block_zones_show },

	{ MEMMAP "end", PROC_ID_MEMMAP, .show = memmap_end_show },
	{ MEMMAP "start", PROC_ID_MEMMAP, .show = memmap_start_show },
	{ MEMMAP "type", PROC_ID_MEMMAP, .show = memmap_type_show },

	{ "/sys/kernel/mm/lru_gen/enabled", .show = lru_gen_enabled_show, .store = lru_gen_enabled_store },
	{ "/sys/kernel/mm/lru_gen/min_ttl_ms", .show = lru_gen_ttl_show, .store = lru_gen_ttl_store },
	{ "/sys/kernel/mm/swap/vma_ra_enabled", .show = vma_ra_enabled_show, .store = vma_ra_enabled_store },
	{ THP "enabled", .show = thp_enabled_show, .store = thp_enabled_store, .data = (const void *)~(uintptr_t)0 },
	THP_SIZE("16kB", 2),
	THP_SIZE("32kB", 3),
	THP_SIZE("64kB", 4),
	THP_SIZE("128kB", 5),
	THP_SIZE("256kB", 6),
	THP_SIZE("512kB", 7),
	THP_SIZE("1024kB", 8),
	THP_SIZE("2048kB", 9, .present = thp_has_order_9),

	{ FAILSLAB "cache-filter", FAULT(fault_slab_cache_filter) },
	{ FAILSLAB "ignore-gfp-wait", FAULT(fault_slab_ignore_wait) },
	{ FAILSLAB "interval", FAULT(fault_slab_interval) },
	{ FAILSLAB "probability", FAULT(fault_slab_probability) },
	{ FAILSLAB "space", FAULT(fault_slab_space) },
	{ FAILSLAB "task-filter", FAULT(fault_slab_task_filter) },
	{ FAILSLAB "times", FAULT(fault_slab_times) },
	{ FAILSLAB "verbose", FAULT(fault_slab_verbose) },
	{ FAILSLAB "verbose_ratelimit_burst", FAULT(fault_slab_rate_burst) },
	{ FAILSLAB "verbose_ratelimit_interval_ms", FAULT(fault_slab_rate_interval) },

	{ FAIL_PAGE "ignore-gfp-highmem", FAULT(fault_page_ignore_highmem) },
	{ FAIL_PAGE "ignore-gfp-wait", FAULT(fault_page_ignore_wait) },
	{ FAIL_PAGE "interval", FAULT(fault_page_interval) },
	{ FAIL_PAGE "min-order", FAULT(fault_page_min_order) },
	{ FAIL_PAGE "probability", FAULT(fault_page_probability) },
	{ FAIL_PAGE "space", FAULT(fault_page_space) },
	{ FAIL_PAGE "task-filter", FAULT(fault_page_task_filter) },
	{ FAIL_PAGE "times", FAULT(fault_page_times) },
	{ FAIL_PAGE "verbose", FAULT(fault_page_verbose) },
	{ FAIL_PAGE "verbose_ratelimit_burst", FAULT(fault_page_rate_burst) },
	{ FAIL_PAGE "verbose_ratelimit_interval_ms", FAULT(fault_page_rate_interval) },

	CACHE_FILE(aliases),
	CACHE_FILE(align),
	CACHE_FILE(cache_dma),
	CACHE_FILE_RW(cpu_partial),
	CACHE_FILE(cpu_slabs),
	CACHE_FILE(ctor),
	CACHE_FILE(destroy_by_rcu),
	CACHE_FILE_RW(failslab),
	CACHE_FILE(hwcache_align),
	CACHE_FILE_RW(min_partial),
	CACHE_FILE(object_size),
	CACHE_FILE(objects),
	CACHE_FILE(objects_partial),
	CACHE_FILE(objs_per_slab),
	CACHE_FILE(order),
	CACHE_FILE(partial),
	CACHE_FILE(poison),
	CACHE_FILE(reclaim_account),
	CACHE_FILE(red_zone),
	CACHE_FILE(sanity_checks),
	CACHE_FILE_RW(shrink),
	CACHE_FILE_RW(skip_kfence),
	CACHE_FILE(slab_size),
	CACHE_FILE(slabs),
	CACHE_FILE(slabs_cpu_partial),
	CACHE_FILE(store_user),
	CACHE_FILE(total_objects),
	CACHE_FILE(trace),
	CACHE_FILE(usersize),
	CACHE_FILE_RW(validate),

	{ "/sys/kernel/debug/fault_around_bytes", .show = fault_around_show, .store = fault_around_store },
	{ "/sys/kernel/debug/lru_gen", .show = lru_gen_show, .store = lru_gen_store },
	{ "/sys/kernel/debug/kfence/objects", .show = kfence_objects_show, .present = kfence_has_pool },
	{ "/sys/kernel/debug/kfence/stats", .show = kfence_stats_show, .present = kfence_has_pool },
	{ "/sys/kernel/debug/shrinker/#/count", PROC_ID_SHRINKER, .show = shrinker_count_show },
	{ "/sys/kernel/debug/shrinker/#/scan", PROC_ID_SHRINKER, .store = shrinker_scan_store },
	{ KFENCE "check_on_panic", .show = kfence_panic_show },
	{ KFENCE "sample_interval", .show = kfence_interval_show, .store = kfence_interval_store },
	{ KFENCE "skip_covered_thresh", .show = kfence_thresh_show, .store = kfence_thresh_store },

	{ ZRAM "comp_algorithm", PROC_ID_ZRAM, .show = zram_compressor_show, .store = zram_compressor_store },
	{ ZRAM "compact", PROC_ID_ZRAM, .store = zram_compact_store },
	{ ZRAM "disksize", PROC_ID_ZRAM, .show = zram_disksize_show, .store = zram_disksize_store },
	{ ZRAM "initstate", PROC_ID_ZRAM, .show = zram_initstate_show },
	{ ZRAM "io_stat", PROC_ID_ZRAM, .show = zram_io_stat_show },
	{ ZRAM "mem_limit", PROC_ID_ZRAM, .store = zram_limit_store },
	{ ZRAM "mem_used_max", PROC_ID_ZRAM, .store = zram_used_max_store },
	{ ZRAM "mm_stat", PROC_ID_ZRAM, .show = zram_mm_stat_show },
	{ ZRAM "reset", PROC_ID_ZRAM, .store = zram_reset_store },
	{ ZSWAP "accept_threshold_percent", ZSWAP_PERCENT(accept_threshold_percent) },
	{ ZSWAP "compressor", .show = zswap_compressor_show, .store = zswap_compressor_store },
	{ ZSWAP "enabled", ZSWAP_FLAG(zswap_flag_enabled) },
	{ ZSWAP "max_pool_percent", ZSWAP_PERCENT(max_pool_percent) },
	{ ZSWAP "same_filled_pages_enabled", ZSWAP_FLAG(zswap_flag_same) },
	{ ZSWAP "shrinker_enabled", ZSWAP_FLAG(zswap_flag_shrinker) },
	{ ZSWAP "zpool", .show = zswap_zpool_show, .store = zswap_zpool_store },
	ZSWAP_FIGURE(decompress_fail),
	ZSWAP_FIGURE(pool_limit_hit),
	{ "/sys/kernel/debug/zswap/pool_total_size", .show = zswap_size_show },
	ZSWAP_FIGURE(reject_alloc_fail),
	ZSWAP_FIGURE(reject_compress_fail),
	ZSWAP_FIGURE(reject_compress_poor),
	ZSWAP_FIGURE(reject_kmemcache_fail),
	ZSWAP_FIGURE(reject_reclaim_fail),
	ZSWAP_FIGURE(same_filled_pages),
	ZSWAP_FIGURE(stored_pages),
	ZSWAP_FIGURE(written_back_pages),

	{ "/sys/kernel/debug/slab/#/alloc_traces", PROC_ID_TRACKED, .show = slab_alloc_traces_show },
	{ "/sys/kernel/debug/slab/#/free_traces", PROC_ID_TRACKED, .show = slab_free_traces_show },
	{ "/sys/kernel/debug/kmemleak", .show = kmemleak_show, .store = kmemleak_store, .present = kmemleak_present },
	{ "/sys/kernel/debug/x86/pat_memtype_list", .show = memtype_show, .present = proc_machine_x86 },
	{ "/sys/kernel/debug/check_wx_pages", .show = check_wx_pages_show, .present = kernel_has_page_tables },
	{ "/sys/kernel/debug/kernel_page_tables", .show = kernel_page_tables_show, .present = kernel_has_page_tables },
	{ "/sys/kernel/debug/x86/tlb_single_page_flush_ceiling", .show = sysctl_show, .store = sysctl_store,
	  .present = proc_machine_x86, .data = &ctl_flush_ceiling },
	{ TRACING "available_events", .show = trace_available_show },
	{ TRACING "available_tracers", .show = trace_word_show, .data = "nop\n" },
	{ TRACING "buffer_size_kb", .show = trace_size_show, .store = trace_size_store },
	{ TRACING "buffer_total_size_kb", .show = trace_total_size_show },
	{ TRACING "current_tracer", .show = trace_word_show, .data = "nop\n" },
	{ TRACING "events/enable", .show = trace_group_enable_show, .store = trace_group_enable_store },
	TRACE_GROUPS(TRACE_GROUP_FILES)
	{ TRACING "per_cpu/cpu#/stats", PROC_ID_CPU, .show = trace_stats_show },
	{ TRACING "per_cpu/cpu#/trace", PROC_ID_CPU, .show = trace_show, .store = trace_store,
	  .data = "one" },
	{ TRACING "set_event", .show = trace_set_show, .store = trace_set_store },
	{ TRACING "trace", .show = trace_show, .store = trace_store },
	{ TRACING "trace_clock", .show = trace_word_show, .data = "[mono]\n" },
	{ TRACING "tracing_on", .show = tracing_on_show, .store = tracing_on_store },

	{ "/sys/kernel/debug/page_owner", .show = page_owner_show, .present = page_owner_on },
};

const unsigned int proc_table_nr = ARRAY_SIZE(proc_table);
