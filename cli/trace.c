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

static struct {
	FILE *to;
	const char *path;
} out;

int trace_open(const char *path)
{
	out.path = path;
	out.to = strcmp(path, "-") ? fopen(path, "w") : stdout;
	if (!out.to)
		cli_complain("--trace '%s': %s", path, strerror(errno));
	return out.to ? EXIT_DONE : EXIT_FAILED;
}

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

/*
 * The head of an event's line: "comm-pid [cpu] flags seconds.microseconds: ". A thread's name may have signs of its
 * own, so all behind it is compared. Return: where the event's name begins; 0: it is no event's line.
 */
static size_t head_length(const char *line, long *pid)
{
	unsigned int cpu, seconds, part;

	for (const char *minus = strchr(line, '-'); minus && *line != '#'; minus = strchr(minus + 1, '-')) {
		int len = 0;

		if (minus[1] >= '0' && minus[1] <= '9' &&
		    sscanf(minus + 1, "%ld [%u] %*5s %u.%u: %n", pid, &cpu, &seconds, &part, &len) == 4 && len)
			return (size_t)(minus - line) + 1 + (size_t)len;
	}
	return 0;
}

static void add_marks(struct export *e)
{
	long pid;
	size_t stamp = head_length(e->line, &pid), name;
	const char *event = e->line + stamp;

	if (!stamp)
		return;
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

void trace_close(void)
{
	if (out.to && out.to != stdout)
		fclose(out.to);
	out.to = NULL;
}

int trace_end(void)
{
	struct export e = { .to = out.to };
	int error;

	(void)octavo_proc_write(TRACING "tracing_on", "0", 1);
	error = octavo_proc_read(TRACING "trace", take, &e);
	if (!error && (fflush(e.to) || ferror(e.to)))
		error = -errno;
	if (error)
		cli_complain("--trace '%s': %s", out.path, strerror(-error));
	trace_close();
	return error ? EXIT_FAILED : EXIT_DONE;
}
