// SPDX-License-Identifier: MIT
/* The pressure view. Numbers come from the files that everybody reads, so that it shows what they show. */
#include "pressure.h"

#include <octavo/port.h>

#include "../base/string.h"
#include "../boot/params.h"
#include "../phys/watermark.h"

/* Lines by name; several may add up to one number. */
static const struct {
	const char *name;
	enum pressure_item item;
	bool prefix;
} vmstat_lines[] = {
	{ "nr_free_pages", PRESSURE_FREE },
	{ "nr_inactive_anon", PRESSURE_INACTIVE_ANON },
	{ "nr_active_anon", PRESSURE_ACTIVE_ANON },
	{ "nr_inactive_file", PRESSURE_INACTIVE_FILE },
	{ "nr_active_file", PRESSURE_ACTIVE_FILE },
	{ "nr_unevictable", PRESSURE_UNEVICTABLE },
	{ "nr_dirty", PRESSURE_DIRTY },
	{ "pswpin", PRESSURE_SWAP_IN },
	{ "pswpout", PRESSURE_SWAP_OUT },
	{ "zswpin", PRESSURE_SWAP_IN },
	{ "zswpout", PRESSURE_SWAP_OUT },
	{ "pgscan_kswapd", PRESSURE_SCAN_KSWAPD },
	{ "pgscan_direct", PRESSURE_SCAN_DIRECT },
	{ "pgsteal_kswapd", PRESSURE_STEAL_KSWAPD },
	{ "pgsteal_direct", PRESSURE_STEAL_DIRECT },
	{ "workingset_refault_anon", PRESSURE_REFAULT_ANON },
	{ "workingset_refault_file", PRESSURE_REFAULT_FILE },
	{ "pgmajfault", PRESSURE_MAJOR_FAULTS },
	{ "allocstall_", PRESSURE_STALLS, true },
	{ "oom_kill", PRESSURE_OOM_KILLS },
	{ "SwapTotal:", PRESSURE_SWAP_TOTAL },
	{ "SwapFree:", PRESSURE_SWAP_FREE },
	{ "Zswap:", PRESSURE_ZSWAP },
	{ "Zswapped:", PRESSURE_ZSWAPPED },
};

struct reader {
	struct pressure *p;
	char line[128];
	size_t len;
};

/* "some avg10=1.23 ..." in hundredths. */
static void take_psi(struct pressure *p, const char *line)
{
	u32 *to = !strncmp(line, "some ", 5) ? &p->some : !strncmp(line, "full ", 5) ? &p->full : NULL;
	const char *at = strstr(line, "avg10=");
	u64 whole, part;
	bool overflow;

	if (!to || !at)
		return;
	at += 6;
	at += parse_u64(at, &whole, &overflow);
	if (*at++ == '.' && parse_u64(at, &part, &overflow))
		*to = (u32)(whole * 100 + part);
	p->has_psi = true;
}

static void take_line(struct pressure *p, const char *line)
{
	size_t name = 0;
	bool overflow;
	u64 value;

	while (line[name] && line[name] != ' ')
		name++;
	for (unsigned int i = 0; i < ARRAY_SIZE(vmstat_lines); i++) {
		size_t len = strlen(vmstat_lines[i].name);
		const char *at = line + name;

		if (strncmp(line, vmstat_lines[i].name, len) || (!vmstat_lines[i].prefix && name != len))
			continue;
		while (*at == ' ')
			at++;
		if (parse_u64(at, &value, &overflow))
			p->value[vmstat_lines[i].item] += value;
		return;
	}
	take_psi(p, line);
}

static void take(void *ctx, const char *text, size_t len)
{
	struct reader *r = ctx;

	for (; len--; text++) {
		if (*text != '\n') {
			if (r->len < sizeof(r->line) - 1)
				r->line[r->len++] = *text;
			continue;
		}
		r->line[r->len] = 0;
		r->len = 0;
		take_line(r->p, r->line);
	}
}

void pressure_read(struct pressure *p)
{
	struct reader r = { .p = p };

	memset(p, 0, sizeof(*p));
	p->when = port_clock_ns();
	/* a file that is not there says nothing */
	(void)octavo_proc_read("/proc/vmstat", take, &r);
	(void)octavo_proc_read("/proc/meminfo", take, &r);
	(void)octavo_proc_read("/proc/pressure/memory", take, &r);
}

/* ---- Pictures ---- */

static const char *colour(const struct monitor *mon, const char *code)
{
	return mon->colour ? code : "";
}

static void bar(struct monitor *mon, unsigned int cells, unsigned int of, const char *code)
{
	monitor_say(mon, "%s", colour(mon, code));
	for (unsigned int i = 0; i < of; i++)
		monitor_say(mon, "%s", i < cells ? mon->unicode ? "█" : "#" : mon->unicode ? "░" : ".");
	monitor_say(mon, "%s", colour(mon, "\033[0m"));
}

static unsigned int share(u64 part, u64 all, unsigned int cells)
{
	return all ? (unsigned int)min(part * cells / all, (u64)cells) : 0;
}

/* What of a rate a second. */
static u64 rate(const struct pressure *before, const struct pressure *now, enum pressure_item item)
{
	u64 ms = (now->when - before->when) / 1000000;

	return ms ? (now->value[item] - before->value[item]) * 1000 / ms : 0;
}

/* Free memory against the marks: below min, low, high, above. */
static void draw_zones(struct monitor *mon)
{
	for_each_populated_zone(zone) {
		unsigned long free = zone_page_state_snapshot(zone, NR_FREE_PAGES), high = high_wmark_pages(zone);
		const char *code = free < min_wmark_pages(zone) ? "\033[31m" :
				   free < low_wmark_pages(zone) ? "\033[33m" :
				   free < high		       ? "\033[36m" :
								 "\033[32m";
		char text[4][SIZE_TEXT_MAX];

		monitor_say(mon, "  node %d %-8s free %5s ", zone->node, zone->name,
			    size_text((u64)free << PAGE_SHIFT, text[0]));
		/* three times as far as the high mark */
		bar(mon, share(free, 3 * (u64)high, 30), 30, code);
		monitor_say(mon, " min %s low %s high %s\n",
			    size_text((u64)min_wmark_pages(zone) << PAGE_SHIFT, text[1]),
			    size_text((u64)low_wmark_pages(zone) << PAGE_SHIFT, text[2]),
			    size_text((u64)high << PAGE_SHIFT, text[3]));
	}
}

static void draw_lists(struct monitor *mon, const struct pressure *now)
{
	static const struct {
		const char *name, *code;
		enum pressure_item item;
	} lists[] = {
		{ "active anon", "\033[35m", PRESSURE_ACTIVE_ANON },
		{ "inactive anon", "\033[35m", PRESSURE_INACTIVE_ANON },
		{ "active file", "\033[34m", PRESSURE_ACTIVE_FILE },
		{ "inactive file", "\033[34m", PRESSURE_INACTIVE_FILE },
		{ "unevictable", "\033[33m", PRESSURE_UNEVICTABLE },
	};
	char text[SIZE_TEXT_MAX];

	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++) {
		u64 pages = now->value[lists[i].item];

		if (!pages && i == ARRAY_SIZE(lists) - 1)
			continue;
		monitor_say(mon, "  %-20s %5s ", lists[i].name, size_text(pages << PAGE_SHIFT, text));
		bar(mon, share(pages, totalram_pages(), 30), 30, lists[i].code);
		monitor_say(mon, "\n");
	}
}

static void draw_swap(struct monitor *mon, const struct pressure *before, const struct pressure *now)
{
	u64 total = now->value[PRESSURE_SWAP_TOTAL], used = total - now->value[PRESSURE_SWAP_FREE];
	u64 pool = now->value[PRESSURE_ZSWAP], held = now->value[PRESSURE_ZSWAPPED];
	char text[4][SIZE_TEXT_MAX];

	monitor_say(mon, "  %-20s %5s ", "swap", size_text(used << 10, text[0]));
	bar(mon, share(used, total, 30), 30, "\033[31m");
	monitor_say(mon, " of %s, in %llu/s, out %llu/s\n", size_text(total << 10, text[1]),
		    (unsigned long long)rate(before, now, PRESSURE_SWAP_IN),
		    (unsigned long long)rate(before, now, PRESSURE_SWAP_OUT));
	if (pool)
		monitor_say(mon, "  %-20s %5s holds %s (%llu.%02llu times its size)\n", "zswap",
			    size_text(pool << 10, text[2]), size_text(held << 10, text[3]),
			    (unsigned long long)(held / pool), (unsigned long long)(held * 100 / pool % 100));
}

void pressure_draw(struct monitor *mon, const struct pressure *before, const struct pressure *now, const char *what,
		   unsigned int done)
{
	monitor_say(mon, "%s%-22s%s ", colour(mon, "\033[1m"), what, colour(mon, "\033[0m"));
	bar(mon, done * 30 / 1000, 30, "\033[1m");
	monitor_say(mon, " %u%%\n", done / 10);
	draw_zones(mon);
	draw_lists(mon, now);
	draw_swap(mon, before, now);
	if (now->has_psi)
		monitor_say(mon, "  pressure             some %u.%02u%%  full %u.%02u%%\n", now->some / 100,
			    now->some % 100, now->full / 100, now->full % 100);
	monitor_say(mon, "  reclaim              kswapd %llu/s of %llu/s seen, direct %llu/s of %llu/s seen\n",
		    (unsigned long long)rate(before, now, PRESSURE_STEAL_KSWAPD),
		    (unsigned long long)rate(before, now, PRESSURE_SCAN_KSWAPD),
		    (unsigned long long)rate(before, now, PRESSURE_STEAL_DIRECT),
		    (unsigned long long)rate(before, now, PRESSURE_SCAN_DIRECT));
	monitor_say(mon, "  came back            anon %llu/s  file %llu/s  major faults %llu/s  killed %llu\n",
		    (unsigned long long)rate(before, now, PRESSURE_REFAULT_ANON),
		    (unsigned long long)rate(before, now, PRESSURE_REFAULT_FILE),
		    (unsigned long long)rate(before, now, PRESSURE_MAJOR_FAULTS),
		    (unsigned long long)now->value[PRESSURE_OOM_KILLS]);
}

void pressure_line(struct monitor *mon, const struct pressure *before, const struct pressure *now, u64 since)
{
	u64 ms = (now->when - since) / 1000000;
	char text[4][SIZE_TEXT_MAX];

	monitor_say(mon, "%4llu.%llu s  free %s  anon %s  file %s  swap %s  in %llu/s out %llu/s  stalls %llu",
		    (unsigned long long)(ms / 1000), (unsigned long long)(ms / 100 % 10),
		    size_text(now->value[PRESSURE_FREE] << PAGE_SHIFT, text[0]),
		    size_text((now->value[PRESSURE_ACTIVE_ANON] + now->value[PRESSURE_INACTIVE_ANON]) << PAGE_SHIFT,
			      text[1]),
		    size_text((now->value[PRESSURE_ACTIVE_FILE] + now->value[PRESSURE_INACTIVE_FILE]) << PAGE_SHIFT,
			      text[2]),
		    size_text((now->value[PRESSURE_SWAP_TOTAL] - now->value[PRESSURE_SWAP_FREE]) << 10, text[3]),
		    (unsigned long long)rate(before, now, PRESSURE_SWAP_IN),
		    (unsigned long long)rate(before, now, PRESSURE_SWAP_OUT),
		    (unsigned long long)now->value[PRESSURE_STALLS]);
	if (now->has_psi)
		monitor_say(mon, "  psi %u.%02u", now->some / 100, now->some % 100);
	monitor_say(mon, "\n");
}

void pressure_json(struct monitor *mon, const struct pressure *now, u64 since)
{
	monitor_say(mon, "{\"ms\":%llu", (unsigned long long)((now->when - since) / 1000000));
	for (unsigned int i = 0; i < ARRAY_SIZE(vmstat_lines); i++) {
		const char *name = vmstat_lines[i].name;
		int len = (int)strlen(name);

		if (!strncmp(name, "zswp", 4)) /* in the sums of pswpin and pswpout */
			continue;
		len -= name[len - 1] == ':' || name[len - 1] == '_';
		monitor_say(mon, ",\"%.*s%s\":%llu", len, name,
			    vmstat_lines[i].item >= PRESSURE_SWAP_TOTAL ? "_kb" : "",
			    (unsigned long long)now->value[vmstat_lines[i].item]);
	}
	if (now->has_psi)
		monitor_say(mon, ",\"psi_some_avg10\":%u.%02u,\"psi_full_avg10\":%u.%02u", now->some / 100,
			    now->some % 100, now->full / 100, now->full % 100);
	monitor_say(mon, "}\n");
}
