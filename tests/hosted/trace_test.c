// SPDX-License-Identifier: MIT
/* The file of octavo boot --trace, by a strict reader; rings that several CPUs fill while one reads: TR-I1 to TR-I3. */
#include <octavo/gfp.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/proc_text.h"
#include "cli/cli.h"
#include "mm/sync/cpu.h"
#include "mm/sync/trace.h"
#include "schedules.h"

#define TRACING "/sys/kernel/tracing/"

/* What importers ask of a line: thread, CPU, five flags, seconds and microseconds, the event's name. */
#define LINE "^ *([^ ].*)-([0-9]+) +\\[([0-9]{3})\\] [.a-zA-Z0-9]{5} +([0-9]+)\\.([0-9]{6}): ([a-z_0-9]+): (.*)$"
#define MARK "^(B\\|[0-9]+\\|[^|]+|E\\|[0-9]+|C\\|[0-9]+\\|[^|]+\\|-?[0-9]+)$"

struct seen {
	unsigned int events, begins, ends, counters;
	unsigned long long last;
	int depth;
};

static unsigned long long number(const char *line, const regmatch_t *m)
{
	return strtoull(line + m->rm_so, NULL, 10);
}

static void check_line(const char *line, regex_t *form, regex_t *mark, struct seen *seen)
{
	regmatch_t m[8];
	unsigned long long when;
	const char *rest;

	if (regexec(form, line, 8, m, 0)) {
		test_fail(__FILE__, __LINE__, "no line of a trace: %s", line);
		return;
	}
	when = number(line, &m[4]) * 1000000 + number(line, &m[5]);
	EXPECT(when >= seen->last);
	seen->last = when;
	rest = line + m[7].rm_so;
	if (strncmp(line + m[6].rm_so, "tracing_mark_write:", 19)) {
		seen->events++;
		return;
	}
	EXPECT(!regexec(mark, rest, 0, NULL, 0));
	seen->begins += *rest == 'B';
	seen->ends += *rest == 'E';
	seen->counters += *rest == 'C';
	seen->depth += (*rest == 'B') - (*rest == 'E');
	EXPECT(seen->depth >= 0);
}

static void check_file(FILE *in, struct seen *seen)
{
	regex_t form, mark;
	char line[1024];
	unsigned int nr = 0;

	if (regcomp(&form, LINE, REG_EXTENDED) || regcomp(&mark, MARK, REG_EXTENDED | REG_NOSUB)) {
		test_fail(__FILE__, __LINE__, "regcomp");
		return;
	}
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = 0;
		if (!nr++)
			EXPECT_STREQ(line, "# tracer: nop");
		if (line[0] != '#')
			check_line(line, &form, &mark, seen);
	}
	regfree(&form);
	regfree(&mark);
}

TEST(trace, exported_files_are_well_formed)
{
	char name[] = "/tmp/octavo-trace-XXXXXX";
	struct seen seen = { 0 };
	int fd = mkstemp(name);
	FILE *in;

	ASSERT(fd >= 0);
	close(fd);
	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	EXPECT_EQ(trace_open(name), EXIT_DONE);
	EXPECT_EQ(trace_begin(NULL), EXIT_DONE);
	trace_event(mm_vmscan_direct_reclaim_begin, 0, GFP_KERNEL);
	trace_event(mm_shrink_slab_start, 0, 0, 0, 1, GFP_KERNEL, 2, 3, 4, 5);
	trace_event(mm_vmscan_lru_shrink_inactive, 0, 32, 30, 0, 0, 0, 0, 0, 0, 1, 0, 12, 2);
	trace_event(mm_shrink_slab_end, 0, 0, 0, 1, 1, 1, 1);
	trace_event(mm_vmscan_direct_reclaim_end, 30);
	trace_event(mark_victim, 1, trace_pointer("a-name [1]"), 1, 1, 1, 1, 1, 1, 0);
	EXPECT_EQ(trace_end(), EXIT_DONE);
	in = fopen(name, "r");
	if (in) {
		check_file(in, &seen);
		fclose(in);
	}
	unlink(name);
	EXPECT_EQ(seen.events, 6);
	EXPECT_EQ(seen.begins, 2);
	EXPECT_EQ(seen.ends, 2);
	EXPECT_EQ(seen.counters, 2);
	EXPECT_EQ(seen.depth, 0);
}

/* A thread's name may look like what follows it. */
static const char *const names[] = { "a-name [1]", "x-7 [001] y", "- [1]: ", "plain" };
static unsigned int named;

static void thread(s32 *pid, char *comm)
{
	*pid = 4711;
	strscpy(comm, names[named], TRACE_STRING);
}

TEST(trace, names_with_signs)
{
	static const struct trace_context context = { .thread = thread };
	char file[] = "/tmp/octavo-trace-XXXXXX", line[1024];
	unsigned int marks = 0;
	int fd = mkstemp(file);
	FILE *in;

	ASSERT(fd >= 0);
	close(fd);
	ASSERT(!hosted_boot_default(&(struct hosted_options){ .quiet = true }));
	EXPECT_EQ(trace_open("/nowhere/trace"), EXIT_FAILED);
	ASSERT(!trace_open(file));
	EXPECT_EQ(trace_begin(NULL), EXIT_DONE);
	trace_set_context(&context);
	for (named = 0; named < sizeof(names) / sizeof(names[0]); named++)
		trace_event(mm_vmscan_direct_reclaim_begin, 0, GFP_KERNEL);
	EXPECT_EQ(trace_end(), EXIT_DONE);
	in = fopen(file, "r");
	while (in && fgets(line, sizeof(line), in))
		marks += strstr(line, ": tracing_mark_write: B|4711|direct reclaim\n") != NULL;
	if (in)
		fclose(in);
	unlink(file);
	EXPECT_EQ(marks, sizeof(names) / sizeof(names[0]));
}

/* ---- Several CPUs ---- */

#define CPUS 3
#define EVENTS 200u /* two pages have room for 126 */

static unsigned int wrong, reads;

static void setup(void *ctx)
{
	(void)ctx;
	wrong = reads = 0;
	EXPECT_EQ(proc_put(TRACING "buffer_size_kb", "8"), 1);
	EXPECT_EQ(proc_put(TRACING "set_event", "mm_vmscan_kswapd_wake"), 21);
}

/* Records of one CPU come in their order, whole: a later one is never seen before an earlier one. */
static void read_all(void)
{
	u64 next[CPUS] = { 0 };
	struct trace_record r;

	trace_rewind(TRACE_ALL);
	while (trace_next(TRACE_ALL, &r)) {
		reads++;
		wrong += r.cpu >= CPUS || r.values[0] != r.cpu || r.values[1] < next[r.cpu] ||
			 r.values[2] != r.values[1] * 3;
		if (r.cpu < CPUS)
			next[r.cpu] = r.values[1] + 1;
	}
}

static void work(unsigned int cpu, void *ctx)
{
	(void)ctx;
	for (unsigned int i = 0; i < EVENTS; i++) {
		trace_event(mm_vmscan_kswapd_wake, cpu, i, i * 3);
		if (!cpu && i % 40 == 39)
			read_all();
	}
}

static bool check(void *ctx)
{
	unsigned long entries, written, lost, sum = 0;

	(void)ctx;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		trace_ring_count(cpu, &entries, &written, &lost);
		sum += entries;
		if (entries + lost != written || written != EVENTS || !lost)
			return false;
	}
	reads = 0;
	read_all();
	EXPECT_EQ(proc_put(TRACING "set_event", "\n"), 1);
	EXPECT_EQ(proc_put(TRACING "buffer_size_kb", "8"), 1);
	return !wrong && reads == sum;
}

TEST(trace, cpus_write_while_one_reads)
{
	const struct scenario s = { .cpus = CPUS, .setup = setup, .work = work, .check = check };

	scenario_test(&s, 20);
}
