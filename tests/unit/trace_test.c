// SPDX-License-Identifier: MIT
/* Trace events: rings, lines, format files, and the files that switch them. TR-I1 to TR-I3. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/shrinker.h>

#include "mm/lru/lruvec.h"
#include "mm/phys/vmstat.h"
#include "mm/proc/trace.h"
#include "mm/sync/cpu.h"
#include "mm/vm/gup.h"
#include "proc_text.h"
#include "tasks.h"

#define TRACING "/sys/kernel/tracing/"
#define WAKE TRACING "events/vmscan/mm_vmscan_kswapd_wake/"

/* Nothing on, no memory taken, whatever a test did. */
static void all_off(void)
{
	EXPECT_EQ(proc_put(TRACING "set_event", "\n"), 1);
	EXPECT_EQ(proc_put(TRACING "tracing_on", "1"), 1);
	EXPECT_EQ(proc_put(TRACING "buffer_size_kb", "1408"), 4);
}

/* The text behind the stamp of the first line that has @event; "" if there is none. */
static const char *event_text(const char *event)
{
	static char found[512];
	char line[640];

	found[0] = 0;
	for (const char *next = proc_line(proc_text(TRACING "trace"), line, sizeof(line)); next && !found[0];
	     next = proc_line(next, line, sizeof(line))) {
		const char *at = strstr(line, event);

		if (line[0] != '#' && at)
			strscpy(found, at, sizeof(found));
	}
	return found;
}

static unsigned int worked_out;

static int costly(void)
{
	worked_out++;
	return 1;
}

TEST(trace, an_event_that_is_off_costs_nothing)
{
	worked_out = 0;
	EXPECT_STREQ(proc_text(WAKE "enable"), "0\n");
	trace_event(mm_vmscan_kswapd_wake, costly(), 0, 0);
	EXPECT_EQ(worked_out, 0);
	EXPECT_EQ(proc_put(WAKE "enable", "1\n"), 2);
	EXPECT_STREQ(proc_text(WAKE "enable"), "1\n");
	trace_event(mm_vmscan_kswapd_wake, costly(), 2, 3);
	EXPECT_EQ(worked_out, 1);
	EXPECT_STREQ(event_text("mm_vmscan_kswapd_wake"), "mm_vmscan_kswapd_wake: nid=1 order=3");
	EXPECT_EQ(proc_put(WAKE "enable", "0"), 1);
	trace_event(mm_vmscan_kswapd_wake, costly(), 2, 3);
	EXPECT_EQ(worked_out, 1);
	EXPECT_EQ(proc_put(WAKE "enable", "2"), -EINVAL);
	all_off();
}

/* Every form once: as Linux 6.12 prints them. */
TEST(trace, lines_read_as_linuxs_do)
{
	EXPECT_EQ(proc_put(TRACING "set_event", "vmscan: oom:* kmem:mm_page_alloc_extfrag kmem:rss_stat compaction"),
		  65);
	trace_event(mm_vmscan_wakeup_kswapd, 0, 2, 3, GFP_KERNEL | __GFP_ZERO);
	EXPECT_STREQ(event_text("mm_vmscan_wakeup"),
		     "mm_vmscan_wakeup_kswapd: nid=0 order=3 gfp_flags=GFP_KERNEL|__GFP_ZERO");
	trace_event(mm_vmscan_direct_reclaim_begin, 0, 0);
	EXPECT_STREQ(event_text("mm_vmscan_direct"), "mm_vmscan_direct_reclaim_begin: order=0 gfp_flags=none");
	trace_event(mm_vmscan_throttled, 0, 100000, 4000, 4);
	EXPECT_STREQ(event_text("mm_vmscan_throttled"), "mm_vmscan_throttled: nid=0 usec_timeout=100000 "
							"usect_delayed=4000 reason=VMSCAN_THROTTLE_NOPROGRESS");
	trace_event(mm_vmscan_lru_isolate, 3, 0, 32, 33, 1, 31, 2);
	EXPECT_STREQ(event_text("mm_vmscan_lru_isolate"),
		     "mm_vmscan_lru_isolate: classzone=3 order=0 nr_requested=32 nr_scanned=33 nr_skipped=1 "
		     "nr_taken=31 lru=inactive_file");
	trace_event(mm_vmscan_lru_shrink_active, 0, 32, 4, 28, 4, 12, 0x2 | 0x8 | 0x40);
	EXPECT_STREQ(event_text("mm_vmscan_lru_shrink_active"),
		     "mm_vmscan_lru_shrink_active: nid=0 nr_taken=32 nr_active=4 nr_deactivated=28 nr_referenced=4 "
		     "priority=12 flags=RECLAIM_WB_FILE|RECLAIM_WB_ASYNC|0x40");
	trace_event(mark_victim, 77, trace_pointer("a_name_of_sixteen_and_more"), 10, 20, 30, 40, 1000, 50, -1000);
	EXPECT_STREQ(event_text("mark_victim"),
		     "mark_victim: pid=77 comm=a_name_of_sixte total-vm=10kB anon-rss=20kB file-rss:30kB "
		     "shmem-rss:40kB uid=1000 pgtables=50kB oom_score_adj=-1000");
	trace_event(reclaim_retry_zone, 0, ZONE_NORMAL, 0, 100, 200, 300, 16, true);
	EXPECT_STREQ(event_text("reclaim_retry_zone"),
		     "reclaim_retry_zone: node=0 zone=Normal   order=0 reclaimable=100 available=200 min_wmark=300 "
		     "no_progress_loops=16 wmark_check=1");
	trace_event(compact_retry, 9, 2, 1, 3, 16, true);
	EXPECT_STREQ(event_text("compact_retry"),
		     "compact_retry: order=9 priority=COMPACT_PRIO_ASYNC compaction_result=withdrawn retries=3 "
		     "max_retries=16 should_retry=1");
	trace_event(rss_stat, 7, 1, 1, -4096);
	EXPECT_STREQ(event_text("rss_stat"), "rss_stat: mm_id=7 curr=1 type=MM_ANONPAGES size=-4096B");
	trace_event(mm_compaction_end, 16, 32, 48, 64, true, 5);
	EXPECT_STREQ(event_text("mm_compaction_end"),
		     "mm_compaction_end: zone_start=0x10 migrate_pfn=0x20 free_pfn=0x30 zone_end=0x40, mode=sync "
		     "status=complete");
	all_off();
}

/* What stands ahead of an event's name: who, on which CPU, when. */
TEST(trace, a_line_says_who_and_when)
{
	char line[160];

	EXPECT_EQ(proc_put(WAKE "enable", "1"), 1);
	trace_event(mm_vmscan_kswapd_wake, 1, 0, 0);
	for (const char *next = proc_line(proc_text(TRACING "trace"), line, sizeof(line)); next && line[0] == '#';
	     next = proc_line(next, line, sizeof(line)))
		;
	/* "          <idle>-0       [000] ..... " and seconds */
	EXPECT_EQ(line[16], '-');
	EXPECT_EQ(line[25], '[');
	EXPECT_EQ(line[29], ']');
	EXPECT(!strncmp(line + 30, " .....", 6) || !strncmp(line + 30, " ...1.", 6));
	EXPECT_EQ(line[36], ' ');
	EXPECT(strstr(line, ": mm_vmscan_kswapd_wake: nid=1 order=0"));
	all_off();
}

static unsigned long ten(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	return sc->nr_to_scan ? 5 : 10;
}

/* What fires them, for events that no other test waits for. */
TEST(trace, what_is_done_is_seen)
{
	static const struct lru_scan scan = { .may_swap = true, .highest = (enum zone_type)(MAX_NR_ZONES - 1) };
	struct shrinker *shrinker = shrinker_alloc(0, "traced");
	struct test_process p;
	uintptr_t at;
	int err;

	ASSERT(shrinker && test_process_start(&p));
	shrinker->count_objects = shrinker->scan_objects = ten;
	shrinker_register(shrinker);
	at = test_map(0, 100 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	EXPECT(proc_put(TRACING "set_event",
			"mm_shrink_slab_start mm_shrink_slab_end mm_vmscan_lru_shrink_active rss_stat") > 0);
	for (unsigned long i = 0; i < 100; i++) {
		EXPECT_EQ(test_user_write(at + i * PAGE_SIZE, "x", 1), 1);
		folio_activate(page_folio(follow_page(find_vma(p.task.mm, at), at + i * PAGE_SIZE, 0, &err)));
	}
	EXPECT(proc_fits(event_text("rss_stat: "), "rss_stat: mm_id={} curr=1 type=MM_ANONPAGES size={}B"));
	(void)shrink_slab(GFP_NOFS, 0, NULL, 0);
	EXPECT(*event_text("objects to shrink 0 gfp_flags GFP_NOFS cache items 10 delta 20 total_scan 20 priority 0"));
	EXPECT(*event_text("unused scan count 0 new scan count 0 total_scan 0 last shrinker return val 5"));
	lru_add_drain_all();
	for_each_lruvec (vec)
		lru_classic.age(vec, &scan);
	EXPECT(proc_fits(event_text("mm_vmscan_lru_shrink_active: "),
			 "mm_vmscan_lru_shrink_active: nid={} nr_taken={} nr_active=0 nr_deactivated={} "
			 "nr_referenced=0 priority=0 flags=RECLAIM_WB_ANON|RECLAIM_WB_ASYNC"));
	EXPECT_EQ(proc_put(TRACING "set_event", "\n"), 1);
	EXPECT(proc_put(TRACING "set_event", "mm_page_pcpu_drain mm_vmscan_reclaim_pages") > 0);
	EXPECT_EQ(ksys_madvise(at, 16 * PAGE_SIZE, MADV_PAGEOUT), 0);
	EXPECT(strstr(event_text("mm_vmscan_reclaim_pages: "), " nr_scanned=16 nr_reclaimed="));
	test_process_exit(&p);
	drain_all_pages(NULL);
	EXPECT(strstr(event_text("mm_page_pcpu_drain: page="), " migratetype="));
	shrinker_free(shrinker);
	all_off();
}

/* Conversions of a "print fmt" line, and arguments behind its text. */
static void count_print(const char *line, unsigned int *conversions, unsigned int *arguments)
{
	bool inside = false;
	int depth = 0;

	*conversions = *arguments = 0;
	for (const char *s = strchr(line, '"') + 1; *s != '"'; s++)
		*conversions += *s == '%';
	for (const char *s = strchr(strchr(line, '"') + 1, '"') + 1; *s; s++) {
		inside ^= *s == '"';
		if (inside)
			continue;
		depth += (*s == '(' || *s == '{') - (*s == ')' || *s == '}');
		*arguments += *s == ',' && !depth;
	}
	EXPECT_EQ(depth, 0);
}

TEST(trace, format_files_are_complete)
{
	static const char *const common[] = {
		"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;",
		"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;",
		"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;",
		"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;",
	};
	u64 last = 0, id;

	for (unsigned int i = 0; i < NR_TRACE_EVENTS; i++) {
		const struct trace_event_info *info = &trace_event_info[i];
		unsigned int fields = 0, conversions, arguments;
		char path[128], want[96], line[2500];
		const char *text;

		EXPECT(trace_text_is_valid(info));
		octavo_snprintf(path, sizeof(path), TRACING "events/%s/%s/format", info->group, info->name);
		text = proc_line(proc_text(path), line, sizeof(line));
		octavo_snprintf(want, sizeof(want), "name: %s", info->name);
		EXPECT_STREQ(line, want);
		EXPECT(proc_number(text, "ID:", &id));
		EXPECT(id > last);
		last = id;
		text = proc_line(text, line, sizeof(line));
		text = proc_line(text, line, sizeof(line));
		EXPECT_STREQ(line, "format:");
		for (unsigned int k = 0; k < ARRAY_SIZE(common); k++) {
			text = proc_line(text, line, sizeof(line));
			EXPECT_STREQ(line, common[k]);
		}
		text = proc_line(text, line, sizeof(line));
		EXPECT_STREQ(line, "");
		while ((text = proc_line(text, line, sizeof(line))) && !strncmp(line, "\tfield:", 7))
			fields++;
		EXPECT_EQ(fields, info->fields_nr);
		ASSERT(proc_line(text, line, sizeof(line)));
		EXPECT(!strncmp(line, "print fmt: \"", 12));
		count_print(line, &conversions, &arguments);
		EXPECT_EQ(conversions, arguments);
	}
}

/* What has room is there, the oldest went; the lock of the ring is all that an event takes. */
TEST(trace, the_oldest_give_way)
{
	unsigned long entries, written, lost;
	struct trace_record record;
	u64 next = 0, seen = 0, when = 0;

	EXPECT_EQ(proc_put(TRACING "buffer_size_kb", "12"), 2);
	EXPECT_EQ(proc_put(WAKE "enable", "1"), 1);
	EXPECT_STREQ(proc_text(TRACING "buffer_size_kb"), "12\n");
	for (unsigned int i = 0; i < 1000; i++)
		trace_event(mm_vmscan_kswapd_wake, i, 0, 0);
	trace_ring_count(smp_processor_id(), &entries, &written, &lost);
	EXPECT_EQ(written, 1000);
	EXPECT_EQ(entries + lost, 1000); /* TR-I2 */
	EXPECT(lost > 800 && entries > 100);
	trace_rewind(TRACE_ALL);
	for (next = lost; trace_next(TRACE_ALL, &record); next++, seen++) {
		EXPECT_EQ(record.values[0], next);
		EXPECT(record.when >= when);
		when = record.when;
	}
	EXPECT_EQ(seen, entries); /* TR-I1 */
	/* A reader in the midst whose page goes continues with what is there. */
	trace_rewind(TRACE_ALL);
	EXPECT(trace_next(TRACE_ALL, &record));
	for (unsigned int i = 1000; i < 1400; i++)
		trace_event(mm_vmscan_kswapd_wake, i, 0, 0);
	EXPECT(trace_next(TRACE_ALL, &record));
	trace_ring_count(smp_processor_id(), &entries, &written, &lost);
	EXPECT_EQ(record.values[0], lost);
	EXPECT_EQ(proc_put(TRACING "trace", "\n"), 1);
	EXPECT(strstr(proc_text(TRACING "trace"), "entries-in-buffer/entries-written: 0/0 "));
	EXPECT_STREQ(event_text("mm_vmscan"), "");
	all_off();
}

TEST(trace, events_are_chosen_by_name)
{
	EXPECT_STREQ(proc_text(TRACING "set_event"), "");
	EXPECT_EQ(proc_put(TRACING "set_event", "oom:wake_reaper vmscan:mm_vmscan_kswapd_sleep"), 45);
	EXPECT_STREQ(proc_text(TRACING "set_event"), "oom:wake_reaper\nvmscan:mm_vmscan_kswapd_sleep\n");
	EXPECT_STREQ(proc_text(TRACING "events/oom/enable"), "X\n");
	EXPECT_STREQ(proc_text(TRACING "events/enable"), "X\n");
	EXPECT_EQ(proc_put(TRACING "set_event", "!wake_reaper"), 12);
	EXPECT_STREQ(proc_text(TRACING "set_event"), "vmscan:mm_vmscan_kswapd_sleep\n");
	EXPECT_EQ(proc_put(TRACING "set_event", "no_such_event"), -EINVAL);
	EXPECT_EQ(proc_put(TRACING "events/oom/enable", "1"), 1);
	EXPECT_STREQ(proc_text(TRACING "events/oom/enable"), "1\n");
	EXPECT_EQ(proc_put(TRACING "events/enable", "1"), 1);
	EXPECT_STREQ(proc_text(TRACING "events/enable"), "1\n");
	EXPECT_STREQ(proc_text(TRACING "set_event"), proc_text(TRACING "available_events"));
	EXPECT_EQ(proc_put(TRACING "events/enable", "0"), 1);
	EXPECT_STREQ(proc_text(TRACING "set_event"), "");
	all_off();
}

TEST(trace, tracing_on_stops_the_rings)
{
	EXPECT_EQ(proc_put(WAKE "enable", "1"), 1);
	EXPECT_EQ(proc_put(TRACING "tracing_on", "0"), 1);
	trace_event(mm_vmscan_kswapd_wake, 4, 0, 0);
	EXPECT_STREQ(event_text("mm_vmscan"), "");
	EXPECT_EQ(proc_put(TRACING "tracing_on", "1"), 1);
	trace_event(mm_vmscan_kswapd_wake, 5, 0, 0);
	EXPECT_STREQ(event_text("mm_vmscan"), "mm_vmscan_kswapd_wake: nid=5 order=0");
	all_off();
}

/* Memory comes with the first event and goes when no event is on and the size is set. */
TEST(trace, rings_take_what_was_asked_for)
{
	char want[40];
	u64 kb;

	EXPECT_EQ(proc_put(TRACING "buffer_size_kb", "0"), -EINVAL);
	EXPECT_EQ(proc_put(TRACING "buffer_size_kb", "64"), 2);
	EXPECT_STREQ(proc_text(TRACING "buffer_size_kb"), "0 (expanded: 64)\n");
	EXPECT_EQ(trace_ring_pages(0), 0);
	EXPECT_EQ(proc_put(WAKE "enable", "1"), 1);
	EXPECT_EQ(trace_ring_pages(0), 16);
	octavo_snprintf(want, sizeof(want), "%u\n", 64 * nr_cpu_ids);
	EXPECT_STREQ(proc_text(TRACING "buffer_total_size_kb"), want);
	EXPECT_EQ(proc_put(TRACING "buffer_size_kb", "32"), 2);
	EXPECT_EQ(trace_ring_pages(0), 8);
	EXPECT(proc_number(proc_text(TRACING "per_cpu/cpu0/stats"), "bytes:", &kb));
	EXPECT_EQ(kb, 32768);
	EXPECT_EQ(proc_put(WAKE "enable", "0"), 1);
	all_off();
	EXPECT_EQ(trace_ring_pages(0), 0);
}
