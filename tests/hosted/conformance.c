// SPDX-License-Identifier: MIT
/*
 * Boots real boot logs and compares what Octavo prints with what the machine's kernel printed: a program of its
 * own, since it needs logs. "make conformance-logs" runs it over $OCTAVO_SHARED/bootlogs.
 *
 * Octavo follows Linux 6.12. A difference is *explained* only if a rule known to have changed does, and the log's
 * version precedes the change; or if the log's kernel was configured without a part. All else is a failure.
 *
 * Not compared, because they follow from the kernel's configuration or its own size: percpu and pcpu-alloc lines,
 * NR_CPUS and nr_cpumask_bits, memmap and reserved pages, Memory:, the hash tables, addresses of NODE_DATA.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bootlog.h"
#include "hosted.h"

enum kind {
	KIND_LAST_PFN,
	KIND_USER_MAP,
	KIND_NUMA,
	KIND_ZONES,
	KIND_MOVABLE,
	KIND_EARLY,
	KIND_INITMEM,
	KIND_UNAVAILABLE,
	KIND_TOPOLOGY,
	KIND_PCI,
	KIND_PERCPU,
	KIND_FALLBACK,
	KIND_BUILT,
	KIND_POLICY,
	KINDS
};

static const char *const kind_names[KINDS] = {
	"last_pfn",	     "user-defined map", "NUMA",	   "zone ranges", "Movable zone start",
	"early node ranges", "Initmem setup",	 "unavailable pages", "CPUs",	  "PCI gap",
	"setup_percpu",	     "fallback order",	 "zonelists",	   "policy zone",
};

struct list {
	char **line;
	unsigned int line_nr;
};

/* The lines of one side, by kind. */
struct side {
	struct list kind[KINDS];
	bool numa;     /* any line of a NUMA kernel */
	bool graphics; /* memory of a graphics device was reserved after the map was printed */
};

struct log_info {
	unsigned int version; /* 6.12 is 612, 4.19 is 419 */
	bool graphics;	      /* side.graphics */
	enum boot_arch arch;
};

static bool verbose;

static void list_add(struct list *l, char *line)
{
	l->line = cli_grow(l->line, l->line_nr, sizeof(*l->line));
	l->line[l->line_nr++] = line;
}

static void list_free(struct list *l)
{
	for (unsigned int i = 0; i < l->line_nr; i++)
		free(l->line[i]);
	free(l->line);
	*l = (struct list){ 0 };
}

/* ---- Sorting lines by kind ---- */

/* "nr_cpu_ids:8 nr_node_ids:1" of a setup_percpu line: the rest is configuration. */
static char *percpu_part(const char *text)
{
	const char *part = strstr(text, "nr_cpu_ids:");

	return cli_strdup(part ? part : text);
}

/* Both wordings of the processor counts as one. */
static char *topology(const char *text)
{
	const char *p = strstr(text, "Allowing ") + strlen("Allowing "), *q;
	u64 n = 0, hotplug = 0;

	scan_number(&p, 10, &n);
	q = strstr(p, "plus ") ? strstr(p, "plus ") + 5 : strchr(p, ',') ? skip_blanks(strchr(p, ',') + 1) : "";
	scan_number(&q, 10, &hotplug);
	if (strstr(p, " present"))
		n += hotplug;
	return cli_format("%llu CPUs, %llu of them hotplug", (unsigned long long)n, (unsigned long long)hotplug);
}

enum region { BEFORE, IN_ZONES, IN_MOVABLE, IN_EARLY, LATER };

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static int zone_region_kind(const char *trimmed, enum region region)
{
	if (region == IN_ZONES)
		return KIND_ZONES;
	if (region == IN_MOVABLE)
		return begins(trimmed, "Node ") ? KIND_MOVABLE : -1;
	return region == IN_EARLY && begins(trimmed, "node ") ? KIND_EARLY : -1;
}

static int plain_kind(const char *t)
{
	static const struct {
		const char *key;
		enum kind kind;
	} keys[] = {
		{ "last_pfn = ", KIND_LAST_PFN },	{ "user: ", KIND_USER_MAP },
		{ "NUMA: Node ", KIND_NUMA },		{ "No NUMA configuration found", KIND_NUMA },
		{ "NUMA: No NUMA config", KIND_NUMA },	{ "Faking a node at", KIND_NUMA },
		{ "NUMA: Faking a node", KIND_NUMA },	{ "Faking node ", KIND_NUMA },
		{ "Initmem setup node ", KIND_INITMEM }, { "smpboot: Allowing ", KIND_TOPOLOGY },
		{ "CPU topo: Allowing ", KIND_TOPOLOGY }, { "setup_percpu: ", KIND_PERCPU },
		{ "Fallback order for Node", KIND_FALLBACK }, { "Policy zone: ", KIND_POLICY },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (begins(t, keys[i].key))
			return (int)keys[i].kind;
	if (begins(t, "Built ") && strstr(t, " zonelists"))
		return KIND_BUILT;
	if (strstr(t, "available for PCI devices"))
		return KIND_PCI;
	return strstr(t, " pages in unavailable ranges") ? KIND_UNAVAILABLE : -1;
}

static void side_add(struct side *s, int kind, const char *text)
{
	list_add(&s->kind[kind], kind == KIND_PERCPU	 ? percpu_part(text) :
				 kind == KIND_TOPOLOGY ? topology(text) :
							 cli_strdup(text));
}

static void sort_lines(struct side *s, const struct text *from)
{
	struct lines lines = { .text = from };
	enum region region = BEFORE;
	unsigned int after_built = 0;
	char *line;

	while ((line = lines_next(&lines)) && after_built < 4) {
		const char *text = bootlog_text(line), *t = skip_blanks(text);
		int kind;

		after_built += s->kind[KIND_BUILT].line_nr != 0;
		if (!*t || line[0] == '#')
			continue;
		s->numa |= begins(t, "NUMA") || begins(t, "No NUMA") || begins(t, "NODE_DATA");
		s->graphics |= begins(t, "Reserving Intel graphics");
		if (begins(t, "e820: last_pfn"))
			t += strlen("e820: ");
		if (begins(t, "Zone ranges:") || begins(t, "Zone PFN ranges:")) {
			region = IN_ZONES;
			continue;
		}
		if (begins(t, "Movable zone start")) {
			region = IN_MOVABLE;
			continue;
		}
		if (begins(t, "Early memory node ranges") || begins(t, "early_node_map")) {
			region = IN_EARLY;
			continue;
		}
		kind = plain_kind(t);
		if (kind < 0 && region >= IN_ZONES)
			kind = zone_region_kind(t, region);
		else if (region == IN_EARLY)
			region = LATER;
		if (kind == KIND_BUILT && s->kind[KIND_BUILT].line_nr)
			break;
		if (kind >= 0)
			side_add(s, kind, kind == KIND_LAST_PFN ? t : text);
	}
	lines_free(&lines);
}

static void side_free(struct side *s)
{
	for (int k = 0; k < KINDS; k++)
		list_free(&s->kind[k]);
}

/* ---- Differences ---- */

static bool same(const struct list *a, const struct list *b)
{
	if (a->line_nr != b->line_nr)
		return false;
	for (unsigned int i = 0; i < a->line_nr; i++)
		if (strcmp(a->line[i], b->line[i]))
			return false;
	return true;
}

/* A line with the zeros of its addresses taken off: "[mem 0x00001000-" and "[mem 0x0000000000001000-" agree. */
static char *without_zeros(const char *line)
{
	char *out = cli_alloc(strlen(line) + 1), *o = out;

	for (const char *p = line; *p;) {
		if (p[0] == '0' && p[1] == 'x') {
			*o++ = *p++;
			*o++ = *p++;
			while (*p == '0' && p[1] != 0 && strchr("0123456789abcdef", p[1]))
				p++;
		}
		*o++ = *p++;
	}
	return out;
}

static bool same_but(const struct list *a, const struct list *b, char *(*form)(const char *line))
{
	bool equal = a->line_nr == b->line_nr;

	for (unsigned int i = 0; equal && i < a->line_nr; i++) {
		char *x = form(a->line[i]), *y = form(b->line[i]);

		equal = !strcmp(x, y);
		free(x);
		free(y);
	}
	return equal;
}

/* "Built 1 zonelists in Node order, mobility grouping on.  Total pages: 826286": the order, before 4.14, and number */
static char *before_total(const char *line)
{
	char *copy = cli_strdup(line), *total = strstr(copy, "Total pages:"), *in = strstr(copy, " in ");
	char *comma = in ? strchr(in, ',') : NULL;

	if (total)
		*total = 0;
	if (comma)
		memmove(in, comma, strlen(comma) + 1);
	return copy;
}

/* "  DMA32    [mem 0x01000000-": which zone, and where it begins. */
static char *zone_start(const char *line)
{
	char *copy = without_zeros(line), *dash = strchr(copy, '-');

	if (dash)
		*dash = 0;
	return copy;
}

static char *mem_end(const char *line)
{
	char *copy = without_zeros(line), *dash = strchr(copy, '-');

	if (dash)
		memmove(copy, dash, strlen(dash) + 1);
	return copy;
}

/* "e820: [mem 0xc0000000-0xfebfffff] available for PCI devices" */
static char *without_key(const char *line)
{
	return cli_strdup(begins(line, "e820: ") ? line + strlen("e820: ") : line);
}

/* "NUMA: Node 0 [mem 0x00001000-…": before 6.12 nodes began at 0, where firmware says. */
static char *from_zero(const char *line)
{
	char *copy = without_zeros(line);

	for (char *p = copy; (p = strstr(p, "[mem 0x1000-"));) {
		p[strlen("[mem 0x")] = '0';
		memmove(p + strlen("[mem 0x0"), p + strlen("[mem 0x1000"), strlen(p + strlen("[mem 0x1000")) + 1);
	}
	return copy;
}

static bool only_device_differs(const struct list *log, const struct list *ours)
{
	unsigned int i = 0, k = 0;

	while (k < ours->line_nr) {
		if (i < log->line_nr && !strcmp(log->line[i], ours->line[k])) {
			i++;
			k++;
		} else if (!strcmp(ours->line[k], "  Device   empty")) {
			k++;
		} else {
			return false;
		}
	}
	return i == log->line_nr;
}

static bool scan_mem(const char *line, u64 *first, u64 *last)
{
	const char *p = strstr(line, "[mem ");

	return p && !bootlog_range(&p, first, last);
}

/* The same memory of the same nodes, once ranges that meet are joined. */
static bool same_joined(const struct list *a, const struct list *b)
{
	const struct list *sides[2] = { a, b };
	char *text[2];
	bool equal;

	for (int s = 0; s < 2; s++) {
		u64 end = 0;

		text[s] = cli_strdup("");
		for (unsigned int i = 0; i < sides[s]->line_nr; i++) {
			u64 first = 0, last = 0;
			char *old = text[s];

			scan_mem(sides[s]->line[i], &first, &last);
			if (i && first == end)
				text[s] = cli_format("%.*s-%llx", (int)(strrchr(old, '-') - old), old,
						     (unsigned long long)last);
			else
				text[s] = cli_format("%s %llx-%llx", old, (unsigned long long)first,
						     (unsigned long long)last);
			free(old);
			end = last + 1;
		}
	}
	equal = !strcmp(text[0], text[1]);
	free(text[0]);
	free(text[1]);
	return equal;
}

/* i386: the end of low memory of the two differs as CONFIG_VMSPLIT moves it, in steps of 256 MiB. */
static bool other_split(const struct list *log, const struct list *ours)
{
	u64 end[2] = { 0, 0 }, first;
	const struct list *sides[2] = { log, ours };

	for (int s = 0; s < 2; s++)
		for (unsigned int i = 0; i < sides[s]->line_nr; i++)
			if (begins(skip_blanks(sides[s]->line[i]), "Normal "))
				scan_mem(sides[s]->line[i], &first, &end[s]);
	return end[0] != end[1] && end[0] && end[1] && (end[0] - end[1]) % (256u << 20) == 0;
}

static bool lacks(const struct list *a, const struct list *b, const char *line)
{
	return a->line_nr == b->line_nr + 1 && strstr(a->line[0], line) && !strcmp(a->line[1], b->line[0]);
}

/* Why the kind differs, or NULL. */
static const char *explain(enum kind kind, const struct log_info *info, const struct list *log,
			   const struct list *ours)
{
	unsigned int v = info->version;

	if (!v)
		return NULL;
	if (v < 305)
		return "printed in another form before 3.5";
	if (same_but(log, ours, without_zeros) && v < 400)
		return "addresses were printed shorter before 4.0";
	switch (kind) {
	case KIND_ZONES:
		if (only_device_differs(log, ours))
			return "no ZONE_DEVICE in its configuration";
		if (v < 400 && same_but(log, ours, zone_start))
			return "zones were not cut to the end of memory before 4.0";
		return (info->arch == BOOT_ARCH_I386 || info->arch == BOOT_ARCH_I386_PAE) && other_split(log, ours) ?
			       "another split of the address space in its configuration" :
			       NULL;
	case KIND_EARLY:
		return info->arch == BOOT_ARCH_ARM64 && same_joined(log, ours) ?
			       "ranges that meet differ in attributes the log does not show" :
			       NULL;
	case KIND_UNAVAILABLE:
		if (v < 512 && !log->line_nr)
			return "not reported before 5.12";
		return v == 512 ? "5.12 counted up to the end of a section in each zone" : NULL;
	case KIND_BUILT:
		return v < 611 && same_but(log, ours, before_total) ? "Total pages was counted otherwise before 6.11" :
								      NULL;
	case KIND_INITMEM:
		return v < 400 && same_but(log, ours, mem_end) ? "began where firmware's node does, before 4.0" : NULL;
	case KIND_PCI:
		if (info->graphics)
			return "graphics memory was reserved behind firmware's map";
		return v < 414 && same_but(log, ours, without_key) ? "printed with another key before 4.14" : NULL;
	case KIND_FALLBACK:
		if (v < 516 && !log->line_nr)
			return "not reported before 5.16";
		return v < 516 ? "the order was chosen otherwise before 5.16" : NULL;
	case KIND_NUMA:
		if (v < 612 && info->arch == BOOT_ARCH_ARM64 && lacks(log, ours, "No NUMA configuration found"))
			return "arm64 no longer says that there is no configuration";
		return v < 612 && same_but(log, ours, from_zero) ? "nodes were not cut to the memory before 6.12" :
								   NULL;
	default:
		return NULL;
	}
}

static bool has(const struct list *l, const char *line)
{
	for (unsigned int i = 0; i < l->line_nr; i++)
		if (!strcmp(l->line[i], line))
			return true;
	return false;
}

static void show_difference(const struct list *log, const struct list *ours)
{
	unsigned int shown = 0;

	for (unsigned int i = 0; i < log->line_nr; i++)
		if (!has(ours, log->line[i]) && shown++ < 12)
			printf("      log:  %s\n", log->line[i]);
	for (unsigned int i = 0; i < ours->line_nr; i++)
		if (!has(log, ours->line[i]) && shown++ < 24)
			printf("      ours: %s\n", ours->line[i]);
	if (!shown)
		printf("      the same lines in another order or number (%u and %u)\n", log->line_nr, ours->line_nr);
}

/* ---- One log ---- */

static struct {
	char *text;
	size_t len;
} console;

static bool keep_console(const char *text, size_t len)
{
	console.text = cli_resize(console.text, console.len + len + 1);
	memcpy(console.text + console.len, text, len);
	console.len += len;
	return true;
}

static char *load(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *data = NULL;
	size_t got;

	*len = 0;
	if (!f)
		return NULL;
	do {
		data = cli_resize(data, *len + 65536);
		got = fread(data + *len, 1, 65536, f);
		*len += got;
	} while (got);
	fclose(f);
	return data;
}

static unsigned int parse_version(const char *version)
{
	const char *p = version ? version : "";
	u64 major, minor = 0;

	if (!scan_number(&p, 10, &major) || *p++ != '.' || !scan_number(&p, 10, &minor))
		return 0;
	/* a release candidate has the release's number, a development tree before the first one not yet */
	return (unsigned int)(major * 100 + (minor > 99 ? 99 : minor));
}

enum verdict { EQUAL, EXPLAINED, FAILED, SKIPPED };

static enum verdict compare(const struct side *log, const struct side *ours, const struct log_info *info)
{
	enum verdict verdict = EQUAL;

	for (int k = 0; k < KINDS; k++) {
		const struct list *a = &log->kind[k], *b = &ours->kind[k];
		const char *why;

		/* lines that a published log leaves out say nothing */
		if (same(a, b) || (!a->line_nr && k != KIND_UNAVAILABLE && k != KIND_FALLBACK && k != KIND_USER_MAP))
			continue;
		if (!a->line_nr && k == KIND_FALLBACK && !log->numa)
			continue;
		why = explain((enum kind)k, info, a, b);
		if (!why)
			verdict = FAILED;
		else if (verdict == EQUAL)
			verdict = EXPLAINED;
		printf("    %-18s %s: %s\n", kind_names[k], why ? "explained" : "FAILED",
		       why ? why : "no rule says why");
		if (!why || verbose)
			show_difference(a, b);
	}
	return verdict;
}

static enum verdict run_log(const char *path)
{
	struct side log = { 0 }, ours = { 0 };
	struct machine_desc machine;
	struct log_info info;
	struct text text = { .name = path };
	enum verdict verdict = FAILED;
	unsigned int total = 0;
	char *data;

	machine_init(&machine, path);
	console.len = 0;
	data = load(path, &text.len);
	text.data = data;
	if (!data || machine_read(&machine, path, "") || machine_finish(&machine)) {
		printf("%s: FAILED: %s\n", path, machine.error ? machine.error : "cannot be read");
		goto out;
	}
	if (machine.foreign) {
		printf("%s: skipped: neither an x86 nor an arm64 machine\n", path);
		verdict = SKIPPED;
		goto out;
	}
	if (sizeof(long) == 4 && machine.arch != BOOT_ARCH_I386 && machine.arch != BOOT_ARCH_I386_PAE) {
		printf("%s: skipped: a 64-bit machine has more frames than a 32-bit process can number\n", path);
		verdict = SKIPPED;
		goto out;
	}
	hosted_console_hook = keep_console;
	if (hosted_boot(&machine.info, NULL)) {
		printf("%s: FAILED: does not boot\n%.*s", path, (int)console.len, console.text);
		goto out;
	}
	hosted_reset();
	info.version = parse_version(machine.version);
	info.arch = machine.arch;
	sort_lines(&log, &text);
	sort_lines(&ours, &(struct text){ .name = "ours", .data = console.text, .len = console.len });
	for (int k = 0; k < KINDS; k++)
		total += log.kind[k].line_nr;
	printf("%s (%s): %u lines\n", strrchr(path, '/') ? strrchr(path, '/') + 1 : path,
	       machine.version ? machine.version : "version unknown", total);
	if (machine.warnings)
		printf("    %s", machine.warnings);
	info.graphics = log.graphics;
	verdict = compare(&log, &ours, &info);
	if (verdict == EQUAL)
		printf("    equal\n");
out:
	hosted_console_hook = NULL;
	side_free(&log);
	side_free(&ours);
	free(data);
	machine_free(&machine);
	return verdict;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_log(const struct dirent *d)
{
	return strstr(d->d_name, "dmesg") != NULL;
}

int main(int argc, char **argv)
{
	const char *shared = getenv("OCTAVO_SHARED");
	unsigned int counts[4] = { 0 };
	struct dirent **entries;
	int nr, first = 1;
	char *dir;

	if (argc > 1 && !strcmp(argv[1], "-v")) {
		verbose = true;
		first++;
	}
	for (int i = first; i < argc; i++)
		counts[run_log(argv[i])]++;
	if (first >= argc) {
		dir = cli_format("%s/bootlogs", shared ? shared : "../shared");
		nr = scandir(dir, &entries, is_log, by_name);
		if (nr < 0) {
			printf("%s: no logs there: 0 passed, 0 failed, 1 skipped\n", dir);
			free(dir);
			return 0;
		}
		for (int i = 0; i < nr; i++) {
			char *path = cli_format("%s/%s", dir, entries[i]->d_name);

			counts[run_log(path)]++;
			free(path);
			free(entries[i]);
		}
		free(entries);
		free(dir);
	}
	free(console.text);
	printf("%u passed (%u of them equal in every line, %u with explained differences), %u failed, %u skipped\n",
	       counts[EQUAL] + counts[EXPLAINED], counts[EQUAL], counts[EXPLAINED], counts[FAILED], counts[SKIPPED]);
	return counts[FAILED] != 0;
}
