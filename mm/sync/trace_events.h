/* SPDX-License-Identifier: MIT */
/*
 * The trace events: names, fields and texts as in Linux 6.12's /sys/kernel/tracing/events.
 *
 * EVENT(group, name, text, fields...): the fields in the order in which trace_event() is given them. In the text
 * {field} stands for the field in its type's own form, {field:form} for another form of it (mm/proc/trace_format.c has
 * the forms). A field's type decides what the event's format file says of it.
 *
 * The list is expanded where a table of the events is made; this file may be included for that any number of times.
 */
#ifndef MM_SYNC_TRACE_EVENTS_H
#define MM_SYNC_TRACE_EVENTS_H

/* What a field is. In a record every one of them is 64 bits, a string TRACE_STRING bytes. */
enum trace_type {
	TRACE_INT,
	TRACE_UINT,
	TRACE_LONG,
	TRACE_ULONG,
	TRACE_LONGLONG,
	TRACE_SIZE,
	TRACE_BOOL,
	TRACE_SHORT,
	TRACE_PID,
	TRACE_UID,
	TRACE_POINTER,
	TRACE_SHRINKER, /* struct shrinker * */
	TRACE_FUNCTION, /* void * */
	TRACE_GFP,	/* unsigned long */
	TRACE_CALLER,	/* unsigned long: a return address */
	TRACE_COMM,	/* char comm[16] */
	TRACE_TEXT,	/* __data_loc char[] */
};

struct trace_field {
	enum trace_type type;
	const char *name;
};

#define F(type, name) { TRACE_##type, #name }

#define TRACE_EVENTS_VMSCAN(EVENT)                                                                                   \
	EVENT(vmscan, mm_vmscan_kswapd_sleep, "nid={nid}", F(INT, nid))                                              \
	EVENT(vmscan, mm_vmscan_kswapd_wake, "nid={nid} order={order}", F(INT, nid), F(INT, zid), F(INT, order))     \
	EVENT(vmscan, mm_vmscan_wakeup_kswapd, "nid={nid} order={order} gfp_flags={gfp_flags}", F(INT, nid),         \
	      F(INT, zid), F(INT, order), F(GFP, gfp_flags))                                                         \
	EVENT(vmscan, mm_vmscan_direct_reclaim_begin, "order={order} gfp_flags={gfp_flags}", F(INT, order),          \
	      F(GFP, gfp_flags))                                                                                     \
	EVENT(vmscan, mm_vmscan_direct_reclaim_end, "nr_reclaimed={nr_reclaimed}", F(ULONG, nr_reclaimed))           \
	EVENT(vmscan, mm_shrink_slab_start,                                                                          \
	      "{shrink} {shr}: nid: {nid} objects to shrink {nr_objects_to_shrink} gfp_flags {gfp_flags} "           \
	      "cache items {cache_items:ld} delta {delta:lld} total_scan {total_scan:ld} priority {priority}",       \
	      F(SHRINKER, shr), F(FUNCTION, shrink), F(INT, nid), F(LONG, nr_objects_to_shrink), F(GFP, gfp_flags),   \
	      F(ULONG, cache_items), F(LONGLONG, delta), F(ULONG, total_scan), F(INT, priority))                     \
	EVENT(vmscan, mm_shrink_slab_end,                                                                            \
	      "{shrink} {shr}: nid: {nid} unused scan count {unused_scan} new scan count {new_scan} "                \
	      "total_scan {total_scan} last shrinker return val {retval}",                                           \
	      F(SHRINKER, shr), F(INT, nid), F(FUNCTION, shrink), F(LONG, unused_scan), F(LONG, new_scan),            \
	      F(INT, retval), F(LONG, total_scan))                                                                   \
	EVENT(vmscan, mm_vmscan_lru_isolate,                                                                         \
	      "classzone={highest_zoneidx} order={order} nr_requested={nr_requested} nr_scanned={nr_scanned} "       \
	      "nr_skipped={nr_skipped} nr_taken={nr_taken} lru={lru:lru}",                                           \
	      F(INT, highest_zoneidx), F(INT, order), F(ULONG, nr_requested), F(ULONG, nr_scanned),                  \
	      F(ULONG, nr_skipped), F(ULONG, nr_taken), F(INT, lru))                                                 \
	EVENT(vmscan, mm_vmscan_write_folio, "page={pfn:page} pfn=0x{pfn:lx} flags={reclaim_flags:reclaim}",         \
	      F(ULONG, pfn), F(INT, reclaim_flags))                                                                  \
	EVENT(vmscan, mm_vmscan_reclaim_pages,                                                                       \
	      "nid={nid} nr_scanned={nr_scanned:ld} nr_reclaimed={nr_reclaimed:ld} nr_dirty={nr_dirty:ld} "          \
	      "nr_writeback={nr_writeback:ld} nr_congested={nr_congested:ld} nr_immediate={nr_immediate:ld} "        \
	      "nr_activate_anon={nr_activate0:d} nr_activate_file={nr_activate1:d} nr_ref_keep={nr_ref_keep:ld} "    \
	      "nr_unmap_fail={nr_unmap_fail:ld}",                                                                    \
	      F(INT, nid), F(ULONG, nr_scanned), F(ULONG, nr_reclaimed), F(ULONG, nr_dirty), F(ULONG, nr_writeback), \
	      F(ULONG, nr_congested), F(ULONG, nr_immediate), F(UINT, nr_activate0), F(UINT, nr_activate1),          \
	      F(ULONG, nr_ref_keep), F(ULONG, nr_unmap_fail))                                                        \
	EVENT(vmscan, mm_vmscan_lru_shrink_inactive,                                                                 \
	      "nid={nid} nr_scanned={nr_scanned:ld} nr_reclaimed={nr_reclaimed:ld} nr_dirty={nr_dirty:ld} "          \
	      "nr_writeback={nr_writeback:ld} nr_congested={nr_congested:ld} nr_immediate={nr_immediate:ld} "        \
	      "nr_activate_anon={nr_activate0:d} nr_activate_file={nr_activate1:d} nr_ref_keep={nr_ref_keep:ld} "    \
	      "nr_unmap_fail={nr_unmap_fail:ld} priority={priority} flags={reclaim_flags:reclaim}",                  \
	      F(INT, nid), F(ULONG, nr_scanned), F(ULONG, nr_reclaimed), F(ULONG, nr_dirty), F(ULONG, nr_writeback), \
	      F(ULONG, nr_congested), F(ULONG, nr_immediate), F(UINT, nr_activate0), F(UINT, nr_activate1),          \
	      F(ULONG, nr_ref_keep), F(ULONG, nr_unmap_fail), F(INT, priority), F(INT, reclaim_flags))               \
	EVENT(vmscan, mm_vmscan_lru_shrink_active,                                                                   \
	      "nid={nid} nr_taken={nr_taken:ld} nr_active={nr_active:ld} nr_deactivated={nr_deactivated:ld} "        \
	      "nr_referenced={nr_referenced:ld} priority={priority} flags={reclaim_flags:reclaim}",                  \
	      F(INT, nid), F(ULONG, nr_taken), F(ULONG, nr_active), F(ULONG, nr_deactivated),                        \
	      F(ULONG, nr_referenced), F(INT, priority), F(INT, reclaim_flags))                                      \
	EVENT(vmscan, mm_vmscan_node_reclaim_begin, "nid={nid} order={order} gfp_flags={gfp_flags}", F(INT, nid),    \
	      F(INT, order), F(GFP, gfp_flags))                                                                      \
	EVENT(vmscan, mm_vmscan_node_reclaim_end, "nr_reclaimed={nr_reclaimed}", F(ULONG, nr_reclaimed))             \
	EVENT(vmscan, mm_vmscan_throttled,                                                                           \
	      "nid={nid} usec_timeout={usec_timeout} usect_delayed={usec_delayed} reason={reason:throttle}",         \
	      F(INT, nid), F(INT, usec_timeout), F(INT, usec_delayed), F(INT, reason))

#define TRACE_EVENTS_OOM(EVENT)                                                                                      \
	EVENT(oom, oom_score_adj_update, "pid={pid} comm={comm} oom_score_adj={oom_score_adj}", F(PID, pid),         \
	      F(COMM, comm), F(SHORT, oom_score_adj))                                                                \
	EVENT(oom, reclaim_retry_zone,                                                                               \
	      "node={node} zone={zone_idx:zone} order={order} reclaimable={reclaimable} available={available} "      \
	      "min_wmark={min_wmark} no_progress_loops={no_progress_loops} wmark_check={wmark_check:d}",             \
	      F(INT, node), F(INT, zone_idx), F(INT, order), F(ULONG, reclaimable), F(ULONG, available),             \
	      F(ULONG, min_wmark), F(INT, no_progress_loops), F(BOOL, wmark_check))                                  \
	EVENT(oom, mark_victim,                                                                                      \
	      "pid={pid} comm={comm} total-vm={total_vm}kB anon-rss={anon_rss}kB file-rss:{file_rss}kB "             \
	      "shmem-rss:{shmem_rss}kB uid={uid} pgtables={pgtables}kB oom_score_adj={oom_score_adj}",               \
	      F(INT, pid), F(TEXT, comm), F(ULONG, total_vm), F(ULONG, anon_rss), F(ULONG, file_rss),                \
	      F(ULONG, shmem_rss), F(UID, uid), F(ULONG, pgtables), F(SHORT, oom_score_adj))                         \
	EVENT(oom, wake_reaper, "pid={pid}", F(INT, pid))                                                            \
	EVENT(oom, start_task_reaping, "pid={pid}", F(INT, pid))                                                     \
	EVENT(oom, finish_task_reaping, "pid={pid}", F(INT, pid))                                                    \
	EVENT(oom, skip_task_reaping, "pid={pid}", F(INT, pid))                                                      \
	EVENT(oom, compact_retry,                                                                                    \
	      "order={order} priority={priority:prio} compaction_result={result:feedback} retries={retries} "        \
	      "max_retries={max_retries} should_retry={ret:d}",                                                      \
	      F(INT, order), F(INT, priority), F(INT, result), F(INT, retries), F(INT, max_retries), F(BOOL, ret))

#define TRACE_EVENTS_KMEM(EVENT)                                                                                     \
	EVENT(kmem, kmem_cache_alloc,                                                                                \
	      "call_site={call_site} ptr={ptr} name={name} bytes_req={bytes_req} bytes_alloc={bytes_alloc} "         \
	      "gfp_flags={gfp_flags} node={node} accounted={accounted}",                                             \
	      F(CALLER, call_site), F(POINTER, ptr), F(TEXT, name), F(SIZE, bytes_req), F(SIZE, bytes_alloc),        \
	      F(GFP, gfp_flags), F(INT, node), F(BOOL, accounted))                                                   \
	EVENT(kmem, kmalloc,                                                                                         \
	      "call_site={call_site} ptr={ptr} bytes_req={bytes_req} bytes_alloc={bytes_alloc} "                     \
	      "gfp_flags={gfp_flags} node={node} accounted={gfp_flags:account}",                                     \
	      F(CALLER, call_site), F(POINTER, ptr), F(SIZE, bytes_req), F(SIZE, bytes_alloc), F(GFP, gfp_flags),    \
	      F(INT, node))                                                                                          \
	EVENT(kmem, kfree, "call_site={call_site} ptr={ptr}", F(CALLER, call_site), F(POINTER, ptr))                 \
	EVENT(kmem, kmem_cache_free, "call_site={call_site} ptr={ptr} name={name}", F(CALLER, call_site),            \
	      F(POINTER, ptr), F(TEXT, name))                                                                        \
	EVENT(kmem, mm_page_free, "page={pfn:page} pfn=0x{pfn:lx} order={order:d}", F(ULONG, pfn), F(UINT, order))   \
	EVENT(kmem, mm_page_free_batched, "page={pfn:page} pfn=0x{pfn:lx} order=0", F(ULONG, pfn))                   \
	EVENT(kmem, mm_page_alloc,                                                                                   \
	      "page={pfn:page} pfn=0x{pfn:lx} order={order:d} migratetype={migratetype} gfp_flags={gfp_flags}",      \
	      F(ULONG, pfn), F(UINT, order), F(GFP, gfp_flags), F(INT, migratetype))                                 \
	EVENT(kmem, mm_page_pcpu_drain, "page={pfn:page} pfn=0x{pfn:lx} order={order:d} migratetype={migratetype}",  \
	      F(ULONG, pfn), F(UINT, order), F(INT, migratetype))                                                    \
	EVENT(kmem, mm_page_alloc_extfrag,                                                                           \
	      "page={pfn:page} pfn=0x{pfn:lx} alloc_order={alloc_order} fallback_order={fallback_order} "            \
	      "pageblock_order={alloc_order:block} alloc_migratetype={alloc_migratetype} "                           \
	      "fallback_migratetype={fallback_migratetype} fragmenting={fallback_order:frag} "                       \
	      "change_ownership={change_ownership}",                                                                 \
	      F(ULONG, pfn), F(INT, alloc_order), F(INT, fallback_order), F(INT, alloc_migratetype),                 \
	      F(INT, fallback_migratetype), F(INT, change_ownership))                                                \
	EVENT(kmem, rss_stat, "mm_id={mm_id} curr={curr:d} type={member:rss} size={size}B", F(UINT, mm_id),          \
	      F(UINT, curr), F(INT, member), F(LONG, size))

#define TRACE_EVENTS_COMPACTION(EVENT)                                                                               \
	EVENT(compaction, mm_compaction_try_to_compact_pages,                                                        \
	      "order={order} gfp_mask={gfp_mask} priority={prio}", F(INT, order), F(GFP, gfp_mask), F(INT, prio))    \
	EVENT(compaction, mm_compaction_begin,                                                                       \
	      "zone_start=0x{zone_start:lx} migrate_pfn=0x{migrate_pfn:lx} free_pfn=0x{free_pfn:lx} "                \
	      "zone_end=0x{zone_end:lx}, mode={sync:sync}",                                                          \
	      F(ULONG, zone_start), F(ULONG, migrate_pfn), F(ULONG, free_pfn), F(ULONG, zone_end), F(BOOL, sync))    \
	EVENT(compaction, mm_compaction_end,                                                                         \
	      "zone_start=0x{zone_start:lx} migrate_pfn=0x{migrate_pfn:lx} free_pfn=0x{free_pfn:lx} "                \
	      "zone_end=0x{zone_end:lx}, mode={sync:sync} status={status:status}",                                   \
	      F(ULONG, zone_start), F(ULONG, migrate_pfn), F(ULONG, free_pfn), F(ULONG, zone_end), F(BOOL, sync),    \
	      F(INT, status))

#define TRACE_EVENTS_MIGRATE(EVENT)                                                                                  \
	EVENT(migrate, mm_migrate_pages,                                                                             \
	      "nr_succeeded={succeeded} nr_failed={failed} nr_thp_succeeded={thp_succeeded} "                        \
	      "nr_thp_failed={thp_failed} nr_thp_split={thp_split} nr_split={large_folio_split} "                    \
	      "mode={mode:migrate} reason={reason:why}",                                                             \
	      F(ULONG, succeeded), F(ULONG, failed), F(ULONG, thp_succeeded), F(ULONG, thp_failed),                  \
	      F(ULONG, thp_split), F(ULONG, large_folio_split), F(INT, mode), F(INT, reason))                        \
	EVENT(migrate, mm_migrate_pages_start, "mode={mode:migrate} reason={reason:why}", F(INT, mode),              \
	      F(INT, reason))

#define TRACE_EVENTS_WRITEBACK(EVENT)                                                                                \
	EVENT(writeback, writeback_dirty_folio, "bdi {name}: ino={ino} index={index}", F(TEXT, name), F(ULONG, ino), \
	      F(ULONG, index))                                                                                       \
	EVENT(writeback, folio_wait_writeback, "bdi {name}: ino={ino} index={index}", F(TEXT, name), F(ULONG, ino),  \
	      F(ULONG, index))                                                                                       \
	EVENT(writeback, writeback_pages_written, "{pages}", F(LONG, pages))                                         \
	EVENT(writeback, global_dirty_state,                                                                         \
	      "dirty={nr_dirty} writeback={nr_writeback} bg_thresh={background_thresh} thresh={dirty_thresh} "       \
	      "limit={dirty_limit} dirtied={nr_dirtied} written={nr_written}",                                       \
	      F(ULONG, nr_dirty), F(ULONG, nr_writeback), F(ULONG, background_thresh), F(ULONG, dirty_thresh),       \
	      F(ULONG, dirty_limit), F(ULONG, nr_dirtied), F(ULONG, nr_written))

/* The groups, and their events group by group, in the order of their names. */
#define TRACE_GROUPS(GROUP) GROUP(compaction) GROUP(kmem) GROUP(migrate) GROUP(oom) GROUP(vmscan) GROUP(writeback)
#define TRACE_EVENTS(EVENT)           \
	TRACE_EVENTS_COMPACTION(EVENT) \
	TRACE_EVENTS_KMEM(EVENT)       \
	TRACE_EVENTS_MIGRATE(EVENT)    \
	TRACE_EVENTS_OOM(EVENT)        \
	TRACE_EVENTS_VMSCAN(EVENT)     \
	TRACE_EVENTS_WRITEBACK(EVENT)

#endif
