// SPDX-License-Identifier: MIT
/*
 * Reading traces: valgrind's lackey (--trace-mem=yes: " L 1ffefffa38,8", "I  04001090,3") and the CSV that libCacheSim
 * reads (time, object, size, ...). What is compressed goes through gzip, zstd or xz, chosen by the name's ending.
 *
 * Pages get numbers in the order of their addresses (lackey: neighbours stay neighbours) or of their first use
 * (objects, whose names mean nothing). References to the page that was referenced last are left out: no policy can tell
 * them from one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay.h"

/* ---- From names to numbers: a hash table with open addressing, at most half full ---- */

struct numbers {
	u64 *key;
	u32 *number; /* less 1; 0: free */
	size_t size; /* a power of 2 */
	u32 nr;
	u64 *names; /* by number */
};

static u64 mix(u64 x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

static size_t place(const struct numbers *t, u64 key)
{
	size_t at = mix(key) & (t->size - 1);

	while (t->number[at] && t->key[at] != key)
		at = (at + 1) & (t->size - 1);
	return at;
}

static void numbers_grow(struct numbers *t)
{
	free(t->key);
	free(t->number);
	t->size = t->size ? 2 * t->size : 1u << 16;
	t->key = cli_resize(NULL, t->size * sizeof(*t->key));
	t->number = cli_alloc(t->size * sizeof(*t->number));
	t->names = cli_resize(t->names, t->size / 2 * sizeof(*t->names));
	for (u32 i = 0; i < t->nr; i++) {
		size_t at = place(t, t->names[i]);

		t->key[at] = t->names[i];
		t->number[at] = i + 1;
	}
}

static u32 number_of(struct numbers *t, u64 key)
{
	size_t at;

	if (t->nr >= t->size / 2)
		numbers_grow(t);
	at = place(t, key);
	if (!t->number[at]) {
		t->key[at] = key;
		t->names[t->nr] = key;
		t->number[at] = ++t->nr;
	}
	return t->number[at] - 1;
}

static const u64 *sorted_names;

static int by_name(const void *a, const void *b)
{
	u64 x = sorted_names[*(const u32 *)a], y = sorted_names[*(const u32 *)b];

	return x < y ? -1 : x > y;
}

/* New numbers, in the order of the names. */
static void sort_pages(struct replay_trace *trace, const struct numbers *t)
{
	u32 *order = cli_resize(NULL, (t->nr + 1ul) * sizeof(u32));
	u32 *rank = cli_resize(NULL, (t->nr + 1ul) * sizeof(u32));

	for (u32 i = 0; i < t->nr; i++)
		order[i] = i;
	sorted_names = t->names;
	qsort(order, t->nr, sizeof(u32), by_name);
	for (u32 i = 0; i < t->nr; i++)
		rank[order[i]] = i;
	for (size_t i = 0; i < trace->nr; i++)
		trace->refs[i] = rank[trace->refs[i] & REF_PAGE] | (trace->refs[i] & REF_WRITE);
	free(order);
	free(rank);
}

/* ---- The two formats ---- */

struct reader {
	struct replay_trace *trace;
	const struct replay_format *format;
	struct numbers numbers;
	size_t room;
	size_t line, bad;
	bool full; /* there are more pages than numbers for them */
};

/* No object is larger: what says so is no size. */
#define OBJECT_MAX ((u64)64 << 30)

/* Is there to be no further reference? */
static bool enough(const struct reader *r)
{
	return r->full || (r->format->limit && r->trace->read >= r->format->limit);
}

static void reference(struct reader *r, u64 page, bool write)
{
	struct replay_trace *t = r->trace;
	u32 number;

	if (r->numbers.nr == REF_PAGE) {
		r->full = true;
		return;
	}
	number = number_of(&r->numbers, page);
	t->read++;
	if (t->nr && (t->refs[t->nr - 1] & REF_PAGE) == number) {
		if (write && !(t->refs[t->nr - 1] & REF_WRITE)) {
			t->refs[t->nr - 1] |= REF_WRITE;
			t->writes++;
		}
		return;
	}
	if (t->nr == r->room)
		t->refs = cli_resize(t->refs, (r->room = r->room ? 2 * r->room : 1u << 20) * sizeof(u32));
	t->refs[t->nr++] = number | (write ? REF_WRITE : 0);
	t->writes += write;
}

/* Return: false: it is no line of lackey's. What valgrind says of itself ("==12==") is one without a reference. */
static bool lackey_line(struct reader *r, const char *line)
{
	u64 address, size;
	char kind;

	if (!strncmp(line, "==", 2) || !strncmp(line, "--", 2) || !*line)
		return true;
	kind = line[0] == 'I' ? 'I' : line[0] == ' ' ? line[1] : 0;
	if ((kind != 'I' && kind != 'L' && kind != 'S' && kind != 'M') || line[2] != ' ')
		return false;
	line = skip_blanks(line + 2);
	if (!scan_number(&line, 16, &address) || *line++ != ',' || !scan_number(&line, 10, &size) || !size ||
	    size > PAGE_SIZE)
		return false;
	if (kind == 'I' && r->format->data)
		return true;
	for (u64 page = address >> PAGE_SHIFT; page <= (address + size - 1) >> PAGE_SHIFT && !enough(r); page++)
		reference(r, page, kind == 'S' || kind == 'M');
	return true;
}

/* Column @number of a line: where it begins, and its length; NULL: there is none. */
static const char *column(const char *line, unsigned int number, char delimiter, size_t *len)
{
	while (--number) {
		line = strchr(line, delimiter);
		if (!line)
			return NULL;
		line++;
	}
	line = skip_blanks(line);
	*len = 0;
	while (line[*len] && line[*len] != delimiter && line[*len] != '\r')
		++*len;
	while (*len && (line[*len - 1] == ' ' || line[*len - 1] == '\t'))
		--*len;
	return line;
}

static bool column_number(const char *line, unsigned int number, char delimiter, u64 *value)
{
	size_t len;
	const char *text = column(line, number, delimiter, &len), *p = text;

	return text && len && scan_number(&p, 10, value) && (p == text + len || *p == '.');
}

/* An object's name as a number: itself if it is one, else a hash (FNV-1a, 64 bits). */
static u64 object_key(const char *text, size_t len)
{
	const char *p = text;
	u64 value;

	if (scan_number(&p, 10, &value) && p == text + len)
		return value;
	value = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < len; i++)
		value = (value ^ (unsigned char)text[i]) * 0x100000001b3ull;
	return value;
}

/* Words that mean a write: write, set, put, and what blktrace and libCacheSim call it. */
static bool is_write(const char *text, size_t len)
{
	return len && (strchr("wWsSpPaA", text[0]) || (len == 1 && text[0] == '1'));
}

/* A first line none of whose columns begins with a digit names them. */
static bool is_heading(const char *line, char delimiter)
{
	size_t len;

	for (unsigned int i = 1; (line = column(line, i, delimiter, &len)); i = 2)
		if (*line >= '0' && *line <= '9')
			return false;
	return true;
}

static bool csv_line(struct reader *r, const char *line)
{
	const struct replay_format *f = r->format;
	u64 size = 1, pages = 1, key;
	const char *id, *op;
	size_t len, op_len;
	bool write = false;

	if (!*line || *line == '#' || (r->line == 1 && is_heading(line, f->delimiter)))
		return true;
	id = column(line, f->id, f->delimiter, &len);
	if (!id || !len)
		return false;
	if (f->size && !column_number(line, f->size, f->delimiter, &size))
		return false;
	if (f->op && (op = column(line, f->op, f->delimiter, &op_len)))
		write = is_write(op, op_len);
	if (f->by_size && size > OBJECT_MAX)
		return false;
	if (f->by_size)
		pages = DIV_ROUND_UP(size ? size : 1, PAGE_SIZE);
	key = object_key(id, len);
	for (u64 i = 0; i < pages && !enough(r); i++)
		reference(r, f->by_size ? mix(key) + i : key, write);
	return true;
}

/* ---- Files ---- */

struct source {
	FILE *in;
	pid_t pid; /* who unpacks, or 0 */
};

static const char *unpacker(const char *path)
{
	static const char *const known[][2] = { { ".gz", "gzip" }, { ".zst", "zstd" }, { ".xz", "xz" } };
	size_t len = strlen(path);

	for (unsigned int i = 0; i < 3; i++) {
		size_t ending = strlen(known[i][0]);

		if (len > ending && !strcmp(path + len - ending, known[i][0]))
			return known[i][1];
	}
	return NULL;
}

static int open_unpacked(struct source *s, const char *tool, const char *path)
{
	int ends[2];

	if (access(path, R_OK)) {
		cli_complain("%s: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	if (pipe(ends) || (s->pid = fork()) < 0) {
		cli_complain("%s: %s", tool, strerror(errno));
		return EXIT_FAILED;
	}
	if (!s->pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execlp(tool, tool, "-dc", "--", path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	s->in = fdopen(ends[0], "r");
	return EXIT_DONE;
}

static int source_open(struct source *s, const char *path)
{
	const char *tool = unpacker(path);

	*s = (struct source){ 0 };
	if (tool)
		return open_unpacked(s, tool, path);
	s->in = strcmp(path, "-") ? fopen(path, "r") : stdin;
	if (!s->in)
		cli_complain("%s: %s", path, strerror(errno));
	return s->in ? EXIT_DONE : EXIT_FAILED;
}

/* @all: it was read to its end, so that the tool had the chance to say how it went. */
static int source_close(struct source *s, const char *path, bool all)
{
	bool failed = ferror(s->in);
	int status = 0;

	if (s->in != stdin)
		fclose(s->in);
	if (s->pid && waitpid(s->pid, &status, 0) == s->pid && all && status) {
		cli_complain("%s: %s could not unpack it", path, unpacker(path));
		return EXIT_FAILED;
	}
	if (failed)
		cli_complain("%s: cannot be read", path);
	return failed ? EXIT_FAILED : EXIT_DONE;
}

static bool one_line(struct reader *r, const char *line)
{
	if (!r->trace->format) {
		if (r->format->format)
			r->trace->format = r->format->format;
		else if (!strncmp(line, "==", 2) || !*line)
			return true;
		else
			r->trace->format = lackey_line(r, line) ? "lackey" : "csv";
		if (!r->format->format && !strcmp(r->trace->format, "lackey"))
			return true;
	}
	return !strcmp(r->trace->format, "lackey") ? lackey_line(r, line) : csv_line(r, line);
}

/* Return: whether the end was reached. */
static bool read_lines(struct reader *r, FILE *in, const char *path)
{
	size_t size = 0;
	char *line = NULL;
	ssize_t len;

	while ((len = getline(&line, &size, in)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = 0;
		r->line++;
		if (!one_line(r, line) && r->bad++ < 5)
			cli_complain("%s: line %zu is no reference of a %s trace", path, r->line, r->trace->format);
		if (enough(r))
			break;
	}
	free(line);
	return len <= 0;
}

int replay_read(struct replay_trace *trace, const char *path, const struct replay_format *format)
{
	struct reader r = { .trace = trace, .format = format };
	struct source s;
	bool all;
	int ret;

	*trace = (struct replay_trace){ 0 };
	if (source_open(&s, path))
		return EXIT_FAILED;
	all = read_lines(&r, s.in, path);
	ret = source_close(&s, path, all);
	trace->pages = r.numbers.nr;
	if (!ret && !trace->nr) {
		cli_complain("%s: there are no references in it", path);
		ret = EXIT_FAILED;
	}
	if (!ret && r.full) {
		cli_complain("%s: there are more than %u pages in it", path, REF_PAGE);
		ret = EXIT_FAILED;
	}
	if (!ret && r.bad > 5)
		cli_complain("%s: %zu more lines were left out", path, r.bad - 5);
	if (!ret && !strcmp(trace->format, "lackey"))
		sort_pages(trace, &r.numbers);
	free(r.numbers.key);
	free(r.numbers.number);
	free(r.numbers.names);
	return ret;
}
