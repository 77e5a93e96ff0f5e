// SPDX-License-Identifier: MIT
/*
 * octavo replay: what share of a trace's references misses memory, by policy and by size of memory. Octavo's own
 * policies run in the core, on a machine that is booted with that much room (replay_machine.c); the others are
 * simulated.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay.h"

static const struct replay_policy *const policies[] = {
	&replay_fifo, &replay_clock, &replay_lru, &replay_arc, &replay_classic, &replay_lru_gen, &replay_opt,
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))
#define SIZES_MAX 32u

struct size {
	double share; /* of the trace's pages, or 0 */
	u64 pages;    /* where it is not */
};

struct replay {
	const char *path;
	struct replay_format format;
	struct size sizes[SIZES_MAX];
	unsigned int sizes_nr;
	bool chosen[POLICIES];
	bool json;
	const char *as;
	struct replay_trace trace;
	struct replay_result results[SIZES_MAX][POLICIES];
};

static void usage(FILE *to)
{
	fputs("usage: octavo replay [OPTIONS] TRACE\n"
	      "\n"
	      "TRACE is what valgrind --tool=lackey --trace-mem=yes writes, or CSV as libCacheSim reads it;\n"
	      "names that end in .gz, .zst or .xz are unpacked.\n"
	      "\n"
	      "  --sizes LIST      of memory: shares of the trace's pages (5%), bytes (64M) or pages (1000);\n"
	      "                    1%,2%,5%,10%,20%,50%\n"
	      "  --policies LIST   of fifo,clock,lru,arc,classic,lru_gen,opt; all of them\n"
	      "  --as KIND         what classic and lru_gen reclaim: anon (for lackey), file (for CSV) or mapped\n"
	      "  --format F        lackey or csv, if it cannot be seen\n"
	      "  --columns LIST    of CSV: id=2,size=3,op=4 (size and op need not be there)\n"
	      "  --delimiter C     between columns: a comma\n"
	      "  --by-size         an object is as many pages as its size says, not one\n"
	      "  --data            leave instruction fetches out\n"
	      "  --limit N         read N references\n"
	      "  --json            the result as JSON\n",
	      to);
}

/* ---- Options ---- */

static bool parse_size(const char *word, struct size *size)
{
	const char *p = word;
	char *end;
	u64 value;

	*size = (struct size){ .share = strtod(word, &end) };
	if (end != word && !strcmp(end, "%")) {
		size->share /= 100;
		return size->share > 0 && size->share <= 1;
	}
	size->share = 0;
	if (!scan_size(&p, &value) || *p || !value)
		return false;
	size->pages = p[-1] >= '0' && p[-1] <= '9' ? value : value >> PAGE_SHIFT;
	return size->pages && size->pages <= REF_PAGE;
}

static int take_sizes(struct replay *r, char *list)
{
	r->sizes_nr = 0;
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		if (r->sizes_nr == SIZES_MAX || !parse_size(word, &r->sizes[r->sizes_nr++])) {
			cli_complain("--sizes: '%s' is no share (5%%), no bytes (64M) and no pages (1000)", word);
			return EXIT_USAGE;
		}
	}
	if (!r->sizes_nr)
		cli_complain("--sizes: there is no size in the list");
	return r->sizes_nr ? EXIT_DONE : EXIT_USAGE;
}

static int take_policies(struct replay *r, char *list)
{
	bool any = false;

	memset(r->chosen, 0, sizeof(r->chosen));
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		unsigned int i = 0;

		while (i < POLICIES && strcmp(policies[i]->name, word))
			i++;
		if (i == POLICIES) {
			cli_complain("--policies: there is no '%s'", word);
			return EXIT_USAGE;
		}
		r->chosen[i] = any = true;
	}
	if (!any)
		cli_complain("--policies: there is no policy in the list");
	return any ? EXIT_DONE : EXIT_USAGE;
}

static int take_columns(struct replay *r, char *list)
{
	r->format.size = r->format.op = 0;
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		const char *equals = strchr(word, '='), *p = equals ? equals + 1 : word;
		unsigned int *column = !strncmp(word, "id=", 3)	  ? &r->format.id :
				       !strncmp(word, "size=", 5) ? &r->format.size :
				       !strncmp(word, "op=", 3)	  ? &r->format.op :
								    NULL;
		u64 value;

		if (!strncmp(word, "time=", 5))
			continue; /* order is all that counts */
		if (!column || !scan_number(&p, 10, &value) || *p || !value || value > 1000) {
			cli_complain("--columns: '%s' is not id=N, size=N or op=N", word);
			return EXIT_USAGE;
		}
		*column = (unsigned int)value;
	}
	return EXIT_DONE;
}

static int take_as(struct replay *r, const char *word)
{
	static const char *const words[] = { "anon", "file", "mapped" };

	for (unsigned int i = 0; i < 3; i++) {
		if (!strcmp(word, words[i])) {
			r->as = words[i];
			replay_machine_as((enum replay_as)i);
			return EXIT_DONE;
		}
	}
	cli_complain("--as '%s': anon, file and mapped are there", word);
	return EXIT_USAGE;
}

static int take_value(struct replay *r, const char *name, char *value)
{
	const char *p = value;
	u64 number;

	if (!strcmp(name, "--sizes"))
		return take_sizes(r, value);
	if (!strcmp(name, "--policies"))
		return take_policies(r, value);
	if (!strcmp(name, "--columns"))
		return take_columns(r, value);
	if (!strcmp(name, "--as"))
		return take_as(r, value);
	if (!strcmp(name, "--delimiter") && strlen(value) == 1)
		r->format.delimiter = value[0];
	else if (!strcmp(name, "--delimiter") && !strcmp(value, "\\t"))
		r->format.delimiter = '\t';
	else if (!strcmp(name, "--format") && (!strcmp(value, "lackey") || !strcmp(value, "csv")))
		r->format.format = value[0] == 'l' ? "lackey" : "csv";
	else if (!strcmp(name, "--limit") && scan_number(&p, 10, &number) && !*p)
		r->format.limit = number < SIZE_MAX ? (size_t)number : SIZE_MAX;
	else {
		cli_complain("%s cannot be '%s'", name, value);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static int one_option(struct replay *r, int argc, char **argv, int *i)
{
	static const char *const valued[] = { "--sizes", "--policies", "--columns", "--as", "--delimiter", "--format",
					      "--limit" };
	char *arg = argv[*i];

	if (arg[0] != '-' || !arg[1]) {
		if (r->path) {
			cli_complain("'%s' is one argument too many", arg);
			return EXIT_USAGE;
		}
		r->path = arg;
		return EXIT_DONE;
	}
	for (unsigned int k = 0; k < sizeof(valued) / sizeof(valued[0]); k++) {
		size_t len = strlen(valued[k]);

		if (!strncmp(arg, valued[k], len) && arg[len] == '=')
			return take_value(r, valued[k], arg + len + 1);
		if (!strcmp(arg, valued[k]) && *i + 1 < argc)
			return take_value(r, valued[k], argv[++*i]);
	}
	if (!strcmp(arg, "--by-size"))
		r->format.by_size = true;
	else if (!strcmp(arg, "--data"))
		r->format.data = true;
	else if (!strcmp(arg, "--json"))
		r->json = true;
	else {
		cli_complain("no option '%s', or its value is missing ('octavo replay --help' lists them)", arg);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* ---- Running ---- */

static u32 size_pages(const struct replay *r, const struct size *size)
{
	double pages = size->share * r->trace.pages;

	if (!size->share)
		return (u32)size->pages;
	return pages < 1 ? 1 : (u32)(pages + 0.5);
}

static struct {
	const char *name;
	unsigned int done, all;
} progress;

static void show_progress(double done)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s %u/%u, %.0f%%", progress.name, progress.done + 1, progress.all, done * 100);
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static int run_all(struct replay *r)
{
	int ret = EXIT_DONE;

	progress.all = 0;
	for (unsigned int i = 0; i < POLICIES; i++)
		progress.all += r->chosen[i] ? r->sizes_nr : 0;
	for (unsigned int s = 0; s < r->sizes_nr && !ret; s++) {
		for (unsigned int i = 0; i < POLICIES && !ret; i++) {
			if (!r->chosen[i])
				continue;
			progress.name = policies[i]->title;
			show_progress(0);
			ret = policies[i]->run(&r->trace, size_pages(r, &r->sizes[s]), show_progress,
					       &r->results[s][i]);
			progress.done++;
		}
	}
	end_progress();
	return ret;
}

/* ---- Showing ---- */

static double ratio(const struct replay *r, unsigned int s, unsigned int i)
{
	return (double)r->results[s][i].misses / (double)r->trace.nr;
}

/* The fewest misses of those that do not know the future. */
static size_t fewest(const struct replay *r, unsigned int s)
{
	size_t least = ~(size_t)0;

	for (unsigned int i = 0; i < POLICIES; i++)
		if (r->chosen[i] && policies[i] != &replay_opt && r->results[s][i].misses < least)
			least = r->results[s][i].misses;
	return least;
}

static void show_table(const struct replay *r)
{
	char bytes[SIZE_TEXT_MAX], bold[16], plain[16];

	printf("%s: %zu references, %zu when repeats are one, %u pages (%s), %.1f%% write\n\n", r->path, r->trace.read,
	       r->trace.nr, r->trace.pages, size_text((u64)r->trace.pages << PAGE_SHIFT, bytes),
	       100.0 * (double)r->trace.writes / (double)r->trace.nr);
	printf("  memory        pages");
	for (unsigned int i = 0; i < POLICIES; i++)
		if (r->chosen[i])
			printf(" %9s", policies[i]->title);
	printf("\n");
	for (unsigned int s = 0; s < r->sizes_nr; s++) {
		u32 pages = size_pages(r, &r->sizes[s]);

		printf("  %5.1f%% %11u", 100.0 * pages / r->trace.pages, pages);
		for (unsigned int i = 0; i < POLICIES; i++) {
			bool best = r->chosen[i] && r->results[s][i].misses == fewest(r, s);

			if (r->chosen[i])
				printf(" %s%8.4f%%%s", best ? cli_colour("1;32", bold) : "", 100 * ratio(r, s, i),
				       best ? cli_colour("0", plain) : "");
		}
		printf("\n");
	}
	printf("\nMiss ratios: references whose page was not in memory; %.4f%% are a page's first.\n",
	       100.0 * r->trace.pages / (double)r->trace.nr);
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == '"' || *s == '\\')
			printf("\\u%04x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void show_json(const struct replay *r)
{
	printf("{\n  \"trace\": ");
	json_string(r->path);
	printf(",\n  \"format\": \"%s\",\n  \"references_read\": %zu,\n  \"references\": %zu,\n  \"writes\": %zu,\n"
	       "  \"pages\": %u,\n  \"as\": \"%s\",\n  \"sizes\": [",
	       r->trace.format, r->trace.read, r->trace.nr, r->trace.writes, r->trace.pages, r->as);
	for (unsigned int s = 0; s < r->sizes_nr; s++) {
		const char *comma = "";

		printf("%s\n    { \"pages\": %u, \"misses\": {", s ? "," : "", size_pages(r, &r->sizes[s]));
		for (unsigned int i = 0; i < POLICIES; i++) {
			if (!r->chosen[i])
				continue;
			printf("%s \"%s\": %zu", comma, policies[i]->name, r->results[s][i].misses);
			comma = ",";
		}
		printf(" }, \"resident\": {");
		comma = "";
		for (unsigned int i = 0; i < POLICIES; i++) {
			if (!r->chosen[i] || !(r->results[s][i].resident > 0))
				continue;
			printf("%s \"%s\": %.1f", comma, policies[i]->name, r->results[s][i].resident);
			comma = ",";
		}
		printf(" } }");
	}
	printf("\n  ]\n}\n");
}

static int run_replay(struct replay *r)
{
	int ret = replay_read(&r->trace, r->path, &r->format);

	if (ret)
		return ret;
	if (!r->as)
		ret = take_as(r, strcmp(r->trace.format, "lackey") ? "file" : "anon");
	if (!ret)
		ret = run_all(r);
	if (!ret && r->json)
		show_json(r);
	else if (!ret)
		show_table(r);
	if (fflush(stdout) || ferror(stdout)) {
		cli_complain("standard output: %s", strerror(errno));
		ret = EXIT_FAILED;
	}
	return ret;
}

int replay_main(int argc, char **argv)
{
	char sizes[] = "1%,2%,5%,10%,20%,50%";
	struct replay *r = cli_alloc(sizeof(*r));
	int ret;

	r->format = (struct replay_format){ .id = 2, .delimiter = ',' };
	for (unsigned int i = 0; i < POLICIES; i++)
		r->chosen[i] = true;
	ret = take_sizes(r, sizes);
	for (int i = 1; i < argc && !ret; i++)
		ret = one_option(r, argc, argv, &i);
	if (!ret && !r->path) {
		usage(stderr);
		ret = EXIT_USAGE;
	}
	if (!ret)
		ret = run_replay(r);
	free(r->trace.refs);
	free(r);
	return ret;
}

void replay_usage(void)
{
	usage(stdout);
}
