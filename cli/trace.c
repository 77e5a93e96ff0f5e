// SPDX-License-Identifier: MIT
/*
 * octavo boot --trace: the machine's trace events in a file that Perfetto (ui.perfetto.dev), Trace Compass and people
 * read: the text of /sys/kernel/tracing/trace. What begins and ends becomes a slice, and what is counted a track, by
 * lines as programs write them to trace_marker ("B|pid|name", "E|pid", "C|pid|name|value"), behind the events
 * themselves.
 */
#include <errno.h>
#include <octavo/proc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define TRACING "/sys/kernel/tracing/"

int trace_begin(const char *events)
{
	char *words = cli_strdup(events && *events ? events : "compaction: migrate: oom: vmscan: writeback:"), *save;
	int ret = EXIT_DONE;

	for (char *p = words; *p; p++)
		if (*p == ',')
			*p = ' ';
	save = cli_strdup(words);
	if (octavo_proc_write(TRACING "set_event", words, strlen(words)) < 0) {
		cli_complain("--trace-events '%s': there is no such event, or no memory to keep them", save);
		ret = EXIT_USAGE;
	}
	free(words);
	free(save);
	return ret;
}

/* ---- Slices and tracks ---- */

/* Pairs: what begins a slice, what ends it, and the slice's name. */
static const struct {
	const char *begin, *end, *name;
} slices[] = {
	{ "mm_vmscan_kswapd_wake", "mm_vmscan_kswapd_sleep", "kswapd" },
	{ "mm_vmscan_direct_reclaim_begin", "mm_vmscan_direct_reclaim_end", "direct reclaim" },
	{ "mm_vmscan_node_reclaim_begin", "mm_vmscan_node_reclaim_end", "node reclaim" },
	{ "mm_shrink_slab_start", "mm_shrink_slab_end", "shrink slab" },
	{ "mm_compaction_begin", "mm_compaction_end", "compaction" },
	{ "start_task_reaping", "finish_task_reaping", "reaping" },
};
/* Fields whose values are drawn. */
static const struct {
	const char *event, *field, *name;
} tracks[] = {
	{ "mm_vmscan_lru_shrink_inactive", "nr_reclaimed=", "reclaimed" },
	{ "mm_vmscan_lru_shrink_inactive", "nr_scanned=", "scanned" },
	{ "mm_vmscan_lru_shrink_active", "nr_deactivated=", "deactivated" },
	{ "mm_vmscan_throttled", "usect_delayed=", "throttled us" },
	{ "global_dirty_state", "dirty=", "dirty pages" },
	{ "rss_stat", "size=", "rss" },
};
#define SLICES (sizeof(slices) / sizeof(slices[0]))
#define TRACKS (sizeof(tracks) / sizeof(tracks[0]))

struct export {
	FILE *to;
	char line[1024];
	size_t len;
	bool failed;
};

/* The part of a line ahead of the event's name, with a mark behind it. */
__printf(3, 4) static void mark(struct export *e, size_t stamp, const char *fmt, ...)
{
	va_list args;

	fprintf(e->to, "%.*stracing_mark_write: ", (int)stamp, e->line);
	va_start(args, fmt);
	vfprintf(e->to, fmt, args);
	va_end(args);
	fputc('\n', e->to);
}

/* Where the event's name begins: behind "seconds.microseconds: "; 0: it is no event's line. */
static size_t stamp_length(const char *line)
{
	const char *p = strchr(line, ']');

	p = p ? strstr(p, ": ") : NULL;
	return line[0] == '#' || !p ? 0 : (size_t)(p - line) + 2;
}

static void add_marks(struct export *e)
{
	size_t stamp = stamp_length(e->line), name;
	const char *event = e->line + stamp, *minus = strchr(e->line, '[');
	long pid;

	if (!stamp || !minus)
		return;
	/* "comm-pid [": a name may have signs of its own, the number has not */
	while (minus > e->line && *minus != '-')
		minus--;
	pid = strtol(minus + 1, NULL, 10);
	name = strcspn(event, ":");
	for (unsigned int i = 0; i < SLICES; i++) {
		if (strlen(slices[i].begin) == name && !strncmp(event, slices[i].begin, name))
			mark(e, stamp, "B|%ld|%s", pid, slices[i].name);
		if (strlen(slices[i].end) == name && !strncmp(event, slices[i].end, name))
			mark(e, stamp, "E|%ld", pid);
	}
	for (unsigned int i = 0; i < TRACKS; i++) {
		const char *value = strstr(event, tracks[i].field);

		if (strlen(tracks[i].event) == name && !strncmp(event, tracks[i].event, name) && value)
			mark(e, stamp, "C|%ld|%s|%ld", pid, tracks[i].name,
			     strtol(value + strlen(tracks[i].field), NULL, 10));
	}
}

static void take(void *ctx, const char *text, size_t len)
{
	struct export *e = ctx;

	for (; len--; text++) {
		if (*text != '\n') {
			if (e->len < sizeof(e->line) - 1)
				e->line[e->len++] = *text;
			continue;
		}
		e->line[e->len] = 0;
		fprintf(e->to, "%s\n", e->line);
		add_marks(e);
		e->len = 0;
	}
}

int trace_end(const char *path)
{
	struct export e = { .to = strcmp(path, "-") ? fopen(path, "w") : stdout };
	int error;

	if (!e.to) {
		cli_complain("--trace '%s': %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	(void)octavo_proc_write(TRACING "tracing_on", "0", 1);
	error = octavo_proc_read(TRACING "trace", take, &e);
	if (error || ferror(e.to) || (e.to != stdout && fclose(e.to))) {
		cli_complain("--trace '%s': %s", path, strerror(error ? -error : errno));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
