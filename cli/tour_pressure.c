// SPDX-License-Identifier: MIT
/*
 * The tour's last chapter: a machine of its own, with a quarter of the memory that its process wants. Every byte is
 * verified; what reclaim did is counted, and its time is taken from trace events. Then a process wants more than there
 * is, and the OOM killer says whom it ended, and why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <octavo/proc.h>

#include "hosted.h"
#include "mm/block/block.h"
#include "mm/debug/pressure.h"
#include "mm/debug/scenario.h"
#include "mm/phys/watermark.h"
#include "mm/swap/swap.h"
#include "mm/sync/trace.h"
#include "tour.h"

#define c tour_colour
#define RAM ((u64)32 << 20)
#define TIMES 4u
#define TRACING "/sys/kernel/tracing/"

/* ---- Time in reclaim, by the events at its begin and end ---- */

static struct {
	u64 began[2], ns[2]; /* direct reclaim, kswapd */
	unsigned long calls[2];
} spent;

static void set(const char *path, const char *text)
{
	(void)octavo_proc_write(path, text, strlen(text));
}

static void begin(unsigned int which, u64 when)
{
	spent.began[which] = when;
	spent.calls[which]++;
}

static void end(unsigned int which, u64 when)
{
	if (spent.began[which])
		spent.ns[which] += when - spent.began[which];
	spent.began[which] = 0;
}

static void take_events(void)
{
	struct trace_record r;

	while (trace_next(TRACE_ALL, &r)) {
		if (r.id == TRACE_EVENT_mm_vmscan_direct_reclaim_begin)
			begin(0, r.when);
		else if (r.id == TRACE_EVENT_mm_vmscan_direct_reclaim_end)
			end(0, r.when);
		else if (r.id == TRACE_EVENT_mm_vmscan_kswapd_wake)
			begin(1, r.when);
		else if (r.id == TRACE_EVENT_mm_vmscan_kswapd_sleep)
			end(1, r.when);
	}
}

/* ---- The machine ---- */

static bool boot(struct monitor *mon)
{
	static const struct bootinfo_range map[] = { { (u64)1 << 20, RAM, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = hosted_default_machine()->arch, .map = map, .map_nr = 1, .cmdline = "" };
	char command[] = "swapon 160M";

	if (hosted_boot(&info, &(struct hosted_options){ .cpus = 1, .quiet = true }))
		return false;
	init_per_zone_wmark_min();
	mm_free_initmem();
	monitor_take_tasks();
	set("/proc/sys/vm/overcommit_memory", "1");
	set("/sys/module/zswap/parameters/enabled", "Y");
	set(TRACING "buffer_size_kb", "64");
	set(TRACING "set_event", "vmscan:mm_vmscan_direct_reclaim_begin vmscan:mm_vmscan_direct_reclaim_end "
				 "vmscan:mm_vmscan_kswapd_wake vmscan:mm_vmscan_kswapd_sleep");
	tour_report_begin();
	if (monitor_command(mon, command)) {
		tour_report_end(0, "");
		return false;
	}
	tour_report_end(0, "");
	return true;
}

/* ---- Four times its memory ---- */

static void run_all(struct scenario *s)
{
	u64 steps = s->pages / 4;

	scenario_run(s);
	for (u64 i = 0; (s->filled < s->pages || s->steps < steps) && !scenario_killed(s); i++) {
		if (!scenario_step(s))
			break;
		if (!(i % 64))
			take_events();
	}
	take_events();
}

static void show_spent(const struct pressure *p, u64 ns)
{
	const u64 *v = p->value;
	double all = (double)ns / 100;

	printf("\n  %swhat was spent%s\n", c("1"), c("0"));
	printf("    %-34s %9llu\n", "pages written to swap", (unsigned long long)v[PRESSURE_SWAP_OUT]);
	printf("    %-34s %9llu\n", "pages read back", (unsigned long long)v[PRESSURE_SWAP_IN]);
	printf("    %-34s %9llu\n", "of these gone too early (refaults)",
	       (unsigned long long)v[PRESSURE_REFAULT_ANON]);
	printf("    %-34s %9llu of %llu looked at\n", "pages freed by kswapd",
	       (unsigned long long)v[PRESSURE_STEAL_KSWAPD], (unsigned long long)v[PRESSURE_SCAN_KSWAPD]);
	printf("    %-34s %9llu of %llu looked at\n", "pages freed by who wanted memory",
	       (unsigned long long)v[PRESSURE_STEAL_DIRECT], (unsigned long long)v[PRESSURE_SCAN_DIRECT]);
	printf("    %-34s %8.1f%% of the time, in %lu calls\n", "direct reclaim", (double)spent.ns[0] / all,
	       spent.calls[0]);
	if (spent.calls[1])
		printf("    %-34s %8.1f%% of the time, woken %lu times\n", "kswapd", (double)spent.ns[1] / all,
		       spent.calls[1]);
}

static int drive(struct monitor *mon)
{
	struct scenario *s = cli_alloc(sizeof(*s));
	unsigned long pages = (unsigned long)(TIMES * RAM >> PAGE_SHIFT);
	struct pressure before, now;
	u64 start = tour_now_ns(), ns;
	char size[2][SIZE_TEXT_MAX];
	bool good;

	if (scenario_begin(s, SCENARIO_HOG, "hog", 100, pages)) {
		free(s);
		return EXIT_FAILED;
	}
	s->easy = true;
	pressure_read(&before);
	run_all(s);
	ns = tour_now_ns() - start;
	scenario_rest(s);
	pressure_read(&now);
	printf("  a process of %s in a machine of %s: each page written, then read and written at random\n\n",
	       size_text((u64)pages << PAGE_SHIFT, size[0]), size_text(RAM, size[1]));
	pressure_draw(mon, &before, &now, "hog", 1000);
	show_spent(&now, ns);
	scenario_run(s);
	good = scenario_verify(s) && !s->refused;
	scenario_rest(s);
	if (good)
		printf("  %s%s %lu pages written, %lu read, each byte as it was written%s\n", c("1;32"),
		       cli_terminal()->unicode ? "✔" : "ok:", s->written, s->verified, c("0"));
	else
		printf("  %s%lu of %lu pages are not what was written, %lu accesses were refused%s\n", c("1;31"),
		       s->bad, s->verified, s->refused, c("0"));
	scenario_end(s);
	free(s);
	return good ? EXIT_DONE : EXIT_FAILED;
}

/* ---- One too many ---- */

static int kill_one(void)
{
	struct scenario *s = cli_alloc(sizeof(*s));
	bool killed;

	printf("\n  %sa process that wants more than memory and swap have%s\n", c("1"), c("0"));
	if (scenario_begin(s, SCENARIO_HOG, "glutton", 200, (unsigned long)(12 * RAM >> PAGE_SHIFT))) {
		free(s);
		return EXIT_FAILED;
	}
	tour_report_begin();
	run_all(s);
	scenario_rest(s);
	killed = scenario_killed(s);
	tour_report_oom();
	if (!killed)
		printf("  %snobody was killed%s\n", c("1;31"), c("0"));
	scenario_end(s);
	free(s);
	return killed ? EXIT_DONE : EXIT_FAILED;
}

int tour_pressure(struct monitor *mon)
{
	int ret;

	memset(&spent, 0, sizeof(spent));
	if (boot(mon)) {
		ret = drive(mon);
		ret |= kill_one();
	} else {
		cli_complain("the machine for this chapter does not boot");
		ret = EXIT_FAILED;
	}
	hosted_reset();
	disks_close();
	return ret;
}
