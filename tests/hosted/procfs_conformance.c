// SPDX-License-Identifier: MIT
/*
 * The files of real machines against ours: the same lines, in the same order, with numbers in the same columns.
 *
 * The records are of kernels from 3.4 to 5.14; Octavo follows 6.12. Every line that one has and the other has
 * not, and every line that moved or changed its columns, stands in a table below with what changed it. An entry
 * of the tables that explains nothing fails the test too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <octavo/bootinfo.h>
#include <octavo/proc.h>

#include "harness.h"
#include "hosted.h"
#include "procfs_differences.h"
#include "shared.h"

#define LINES_MAX 8192
#define LINE_SIZE 256

struct text {
	char *bytes;
	size_t len, size;
	unsigned int nr;
	char line[LINES_MAX][LINE_SIZE]; /* first line of each key */
	char key[LINES_MAX][LINE_SIZE];
};

static struct text theirs, ours;

/* ---- Texts, lines, keys ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* What a line is about: numbers as "#", white space as one space, a row of numbers as the first of them. */
static void make_key(const char *line, char *key)
{
	size_t out = 0;
	char last = ' ';

	while (*line && out < LINE_SIZE - 2) {
		char c = *line++;

		if (is_digit(c) && !is_word(last)) {
			while (is_digit(*line))
				line++;
			c = '#';
			if (out >= 2 && key[out - 1] == ' ' && (key[out - 2] == '#' || key[out - 2] == ',')) {
				last = c;
				continue;
			}
		} else if (c == ' ' || c == '\t') {
			if (!out || key[out - 1] == ' ') {
				last = ' ';
				continue;
			}
			c = ' ';
		}
		key[out++] = c;
		last = c;
	}
	while (out && (key[out - 1] == ' ' || key[out - 1] == ','))
		out--;
	key[out] = 0;
}

static int find_key(const struct text *t, const char *key)
{
	for (unsigned int i = 0; i < t->nr; i++)
		if (!strcmp(t->key[i], key))
			return (int)i;
	return -1;
}

/* Keeps the first line of each key, in order. */
static void split(struct text *t)
{
	char *s = t->bytes;

	t->nr = 0;
	for (char *end; s && *s && t->nr < LINES_MAX; s = end) {
		size_t len;

		end = strchr(s, '\n');
		len = end ? (size_t)(end - s) : strlen(s);
		end = end ? end + 1 : NULL;
		len = len < LINE_SIZE - 1 ? len : LINE_SIZE - 1;
		memcpy(t->line[t->nr], s, len);
		t->line[t->nr][len] = 0;
		make_key(t->line[t->nr], t->key[t->nr]);
		if (find_key(t, t->key[t->nr]) < 0)
			t->nr++;
	}
}

static void append(void *ctx, const char *text, size_t len)
{
	struct text *t = ctx;

	if (t->len + len + 1 > t->size) {
		t->size = 2 * (t->len + len + 1);
		t->bytes = realloc(t->bytes, t->size);
	}
	memcpy(t->bytes + t->len, text, len);
	t->len += len;
	t->bytes[t->len] = 0;
}

static bool read_record(const char *record, const char *file)
{
	char path[512], part[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/procfs/%s/%s", shared_directory(), record, file);
	f = fopen(path, "r");
	if (!f)
		return false;
	theirs.len = 0;
	append(&theirs, "", 0);
	while ((len = fread(part, 1, sizeof(part), f)) > 0)
		append(&theirs, part, len);
	fclose(f);
	split(&theirs);
	return true;
}

static bool read_ours(const char *path)
{
	ours.len = 0;
	append(&ours, "", 0);
	if (octavo_proc_read(path, append, &ours))
		return false;
	split(&ours);
	return true;
}

/* ---- Comparing ---- */

static bool key_fits(const char *pattern, const char *key)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '*')
		return !strncmp(pattern, key, len - 1);
	return !strcmp(pattern, key);
}

static bool explained(struct difference *table, unsigned int nr, const char *record, const char *file,
		      const char *key)
{
	bool found = false;

	for (unsigned int i = 0; i < nr; i++) {
		struct difference *d = &table[i];

		if ((!d->record || !strcmp(d->record, record)) && !strcmp(d->file, file) && key_fits(d->key, key)) {
			d->used = true;
			found = true;
		}
	}
	return found;
}

/*
 * Do the numbers of two lines stand in the same columns? Each pair begins or ends together, or one of the pair is
 * too wide for its field; from there on columns differ by as much.
 */
static bool same_columns(const char *a, const char *b)
{
	const char *a0 = a;

	for (;;) {
		size_t a_len = 0, b_len = 0, a_spaces = 0, b_spaces = 0;

		while (a[a_spaces] == ' ')
			a_spaces++;
		while (b[b_spaces] == ' ')
			b_spaces++;
		while (is_digit(a[a_spaces + a_len]))
			a_len++;
		while (is_digit(b[b_spaces + b_len]))
			b_len++;
		if (a_len && b_len && (a == a0 || !is_word(a[-1]) || a_spaces)) {
			bool left = a_spaces == b_spaces, right = a_spaces + a_len == b_spaces + b_len;
			bool wide = (a_spaces <= 3 && a_len > b_len) || (b_spaces <= 3 && b_len > a_len);

			if (!left && !right && !wide)
				return false;
			a += a_spaces + a_len;
			b += b_spaces + b_len;
			continue;
		}
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

/*
 * Which of their lines we have in their order: the longest run of them whose places here ascend. @at[i] is the
 * place of their line i, -1 if we have it not; those of the run get @in_order[i].
 */
static void find_order(const int *at, bool *in_order, unsigned int nr)
{
	static unsigned int length[LINES_MAX], from[LINES_MAX];
	unsigned int best = nr;

	for (unsigned int i = 0; i < nr; i++) {
		in_order[i] = false;
		length[i] = at[i] >= 0;
		from[i] = nr;
		for (unsigned int j = 0; j < i && at[i] >= 0; j++) {
			if (at[j] >= 0 && at[j] < at[i] && length[j] + 1 > length[i]) {
				length[i] = length[j] + 1;
				from[i] = j;
			}
		}
		if (at[i] >= 0 && (best == nr || length[i] > length[best]))
			best = i;
	}
	for (; best < nr; best = from[best])
		in_order[best] = true;
}

static void compare(const char *record, const char *file, const char *path, bool recent)
{
	static int at[LINES_MAX];
	static bool in_order[LINES_MAX];

	if (!read_record(record, file))
		return;
	if (!read_ours(path)) {
		test_fail(__FILE__, __LINE__, "%s cannot be read", path);
		return;
	}
	for (unsigned int i = 0; i < theirs.nr; i++)
		at[i] = find_key(&ours, theirs.key[i]);
	find_order(at, in_order, theirs.nr);
	for (unsigned int i = 0; i < theirs.nr; i++) {
		const char *key = theirs.key[i];

		if (at[i] < 0 && !explained(gone, ARRAY_SIZE(gone), record, file, key))
			test_fail(__FILE__, __LINE__, "%s/%s: <%s> is not a line of ours", record, file, key);
		if (at[i] >= 0 && !in_order[i] && !explained(moved, ARRAY_SIZE(moved), record, file, key))
			test_fail(__FILE__, __LINE__, "%s/%s: <%s> stands elsewhere here", record, file, key);
		if (at[i] >= 0 && !same_columns(theirs.line[i], ours.line[at[i]]) &&
		    !explained(realigned, ARRAY_SIZE(realigned), record, file, key))
			test_fail(__FILE__, __LINE__, "%s/%s: columns differ:\n<%s>\n<%s>", record, file,
				  theirs.line[i], ours.line[at[i]]);
	}
	for (unsigned int i = 0; recent && i < ours.nr; i++)
		if (find_key(&theirs, ours.key[i]) < 0 &&
		    !explained(added, ARRAY_SIZE(added), record, file, ours.key[i]))
			test_fail(__FILE__, __LINE__, "%s/%s: has no line <%s>", record, file, ours.key[i]);
}

static const struct {
	const char *file, *path;
} files[] = {
	{ "buddyinfo", "/proc/buddyinfo" },	{ "meminfo", "/proc/meminfo" },
	{ "pagetypeinfo", "/proc/pagetypeinfo" }, { "swaps", "/proc/swaps" },
	{ "vmstat", "/proc/vmstat" },		{ "zoneinfo", "/proc/zoneinfo" },
	{ "node0-meminfo", "/sys/devices/system/node/node0/meminfo" },
	{ "node1-meminfo", "/sys/devices/system/node/node1/meminfo" },
};

static bool have_records(void)
{
	return read_record(PCP, "zoneinfo") && read_record(RHEL9, "zoneinfo") && read_record(RHEL8, "zoneinfo") &&
	       read_record(ARM, "zoneinfo");
}

/* An i386 machine of 2 GiB: the one with high memory, for the record of a 32-bit ARM. */
static int boot_highmem(void)
{
	static const struct bootinfo_range map[] = {
		{ 0, 0x9f000, E820_TYPE_RAM },
		{ 0x100000, 0x7ff00000, E820_TYPE_RAM },
	};
	static const struct bootinfo info = {
		.name = "i386, 2 GiB", .arch = BOOT_ARCH_I386, .cmdline = "", .map = map, .map_nr = 2
	};

	return hosted_boot(&info, NULL);
}

TEST(procfs_conformance, lines_order_and_columns)
{
	struct {
		struct difference *table;
		unsigned int nr;
		const char *name;
	} tables[] = { { gone, ARRAY_SIZE(gone), "gone" },
		       { moved, ARRAY_SIZE(moved), "moved" },
		       { added, ARRAY_SIZE(added), "added" },
		       { realigned, ARRAY_SIZE(realigned), "realigned" } };

	if (sizeof(void *) == 4)
		SKIP("a 32-bit process cannot hold the x86-64 machine that most records are compared with");
	if (!have_records())
		SKIP("no records of /proc files (OCTAVO_SHARED names no directory that holds procfs/)");
	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
		compare(RHEL9, files[i].file, files[i].path, true);
		compare(PCP, files[i].file, files[i].path, true);
		compare(RHEL8, files[i].file, files[i].path, false);
	}
	ASSERT(boot_highmem() == 0);
	compare(ARM, "buddyinfo", "/proc/buddyinfo", false);
	compare(ARM, "pagetypeinfo", "/proc/pagetypeinfo", false);
	compare(ARM, "meminfo", "/proc/meminfo", false);
	/* Its vmstat and zoneinfo are from before 4.8, which gave nodes their own counters: another file. */
	for (unsigned int t = 0; t < ARRAY_SIZE(tables); t++)
		for (unsigned int i = 0; i < tables[t].nr; i++)
			if (!tables[t].table[i].used)
				test_fail(__FILE__, __LINE__, "table %s: %s <%s> explains nothing", tables[t].name,
					  tables[t].table[i].file, tables[t].table[i].key);
}

/* ---- /proc/iomem: one grammar for both ---- */

static const char *hex_digits(const char *s, unsigned int *nr)
{
	for (*nr = 0; is_digit(*s) || (*s >= 'a' && *s <= 'f'); s++)
		++*nr;
	return s;
}

static void check_iomem(const struct text *t, const char *whose)
{
	char *copy = strdup(t->bytes), *rest = copy;
	unsigned int before = 0, lines = 0;

	for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
		unsigned int spaces = 0, first, last;
		const char *s = line;

		for (; *s == ' '; s++)
			spaces++;
		s = hex_digits(s, &first);
		EXPECT(*s == '-');
		s = hex_digits(s + 1, &last);
		if (spaces % 2 || spaces / 2 > before + 1 || first < 8 || last < 8 || strncmp(s, " : ", 3) || !s[3])
			test_fail(__FILE__, __LINE__, "%s: <%s> is no line of iomem", whose, line);
		before = spaces / 2;
	}
	EXPECT(lines > 0);
	free(copy);
}

TEST(procfs_conformance, iomem)
{
	ASSERT(read_ours("/proc/iomem"));
	check_iomem(&ours, "ours");
	if (!read_record(RHEL8, "iomem"))
		SKIP("no record of /proc/iomem (OCTAVO_SHARED names no directory that holds procfs/)");
	check_iomem(&theirs, "theirs");
}

/* ---- Defaults of vm.*: "name = value" ---- */

TEST(procfs_conformance, sysctl_defaults)
{
	static const char *const names[] = { "lowmem_reserve_ratio", "watermark_scale_factor", "stat_interval",
					     "watermark_boost_factor", "percpu_pagelist_high_fraction",
					     "numa_zonelist_order", "dirty_ratio", "dirty_bytes",
					     "dirty_background_ratio", "dirty_background_bytes", "max_map_count",
					     "overcommit_ratio", "legacy_va_layout" };
	static const char *const records[] = { RHEL9, RHEL8 };

	if (sizeof(void *) == 4)
		SKIP("a 32-bit process cannot hold the x86-64 machine that the records are compared with");
	for (unsigned int r = 0; r < ARRAY_SIZE(records); r++) {
		unsigned int found = 0;

		if (!read_record(records[r], "sys-vm.txt"))
			SKIP("no record of vm sysctls (OCTAVO_SHARED names no directory that holds procfs/)");
		for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
			char label[64], path[96];
			const char *at;
			size_t len;

			snprintf(label, sizeof(label), "\n%s = ", names[i]);
			snprintf(path, sizeof(path), "/proc/sys/vm/%s", names[i]);
			at = strstr(theirs.bytes, label);
			if (!at)
				continue;
			found++;
			at += strlen(label);
			ASSERT(read_ours(path));
			len = ours.len - 1;
			if (strncmp(at, ours.bytes, len) || (at[len] != ' ' && at[len] != '\n'))
				test_fail(__FILE__, __LINE__, "%s: %s is %s here", records[r], names[i], ours.bytes);
		}
		EXPECT(found >= 11);
	}
}

/* ---- slabinfo: its caches are others, but kmalloc's are the same everywhere ---- */

/* The line that begins with @name and a space, or the @index-th one without a name; NULL: there is none. */
static const char *line_of(const struct text *t, const char *name, unsigned int index, char line[LINE_SIZE])
{
	size_t len = name ? strlen(name) : 0;

	for (const char *s = t->bytes; s && *s; s = strchr(s, '\n'), s = s ? s + 1 : NULL) {
		size_t end = strcspn(s, "\n");

		if (name ? strncmp(s, name, len) || s[len] != ' ' : index--)
			continue;
		end = end < LINE_SIZE - 1 ? end : LINE_SIZE - 1;
		memcpy(line, s, end);
		line[end] = 0;
		return line;
	}
	return NULL;
}

static void compare_slabinfo(const char *record)
{
	char theirs_line[LINE_SIZE], ours_line[LINE_SIZE], name[64];
	unsigned int found = 0;

	ASSERT(read_record(record, "slabinfo") && read_ours("/proc/slabinfo"));
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT(line_of(&theirs, NULL, i, theirs_line) && line_of(&ours, NULL, i, ours_line));
		EXPECT_STREQ(ours_line, theirs_line);
	}
	for (unsigned int i = 2; line_of(&theirs, NULL, i, theirs_line); i++) {
		unsigned int size, our_size;

		if (sscanf(theirs_line, "%63s %*u %*u %u", name, &size) != 2 || !strstr(name, "kmalloc-") ||
		    !line_of(&ours, name, 0, ours_line))
			continue;
		found++;
		if (!same_columns(theirs_line, ours_line))
			test_fail(__FILE__, __LINE__, "%s/slabinfo: columns differ:\n<%s>\n<%s>", record, theirs_line,
				  ours_line);
		EXPECT(sscanf(ours_line, "%*s %*u %*u %u", &our_size) == 1);
		EXPECT_EQ(our_size, size);
	}
	EXPECT(found >= 13);
}

TEST(procfs_conformance, slabinfo)
{
	if (!read_record(PCP, "slabinfo") || !read_record(RHEL8, "slabinfo"))
		SKIP("no records of /proc/slabinfo (OCTAVO_SHARED names no directory that holds procfs/)");
	compare_slabinfo(PCP);
	compare_slabinfo(RHEL8);
}
