// SPDX-License-Identifier: MIT
/*
 * Reports of real kernels (OCTAVO_SHARED/oom, several versions) beside ours. From the same numbers the same process is
 * chosen; the lines that tell of processes are the same to the character; all other lines have the same form.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <octavo/page.h>

#include "harness.h"
#include "hosted.h"
#include "mm/reclaim/oom.h"
#include "mm/vm/vm.h"
#include "shared.h"
#include "tasks.h"

#define TASKS_MAX 160u
#define FORMS_MAX 512u
#define NO_REPORTS "no reports of the OOM killer (OCTAVO_SHARED names no directory that holds oom/)"

/* What a report's table says of a process, in its order. */
struct row {
	int pid, tgid, adj;
	unsigned int uid;
	unsigned long total_vm, rss, anon, file, shmem, pgtables, swapents;
	char name[16], text[200];
};

static struct report {
	struct row rows[TASKS_MAX];
	unsigned int nr;
	bool split; /* rss by kinds: from 6.9 on */
	unsigned long ram, reserved, swap_kb;
	int killed;
	char verdict[400], killed_text[300];
} report;

static struct test_process p[TASKS_MAX];
static unsigned long own_tables[TASKS_MAX], own_vm[TASKS_MAX];

/* The line without its newline and what the log has put before it: a date and a host, or seconds. */
static char *bare(char *line)
{
	char *at = strstr(line, "kernel: ");

	line[strcspn(line, "\r\n")] = '\0';
	if (at)
		return at + 8;
	if (line[0] == '[' && strchr(line, '.') && strchr(line, '.') < strchr(line, ']') && strstr(line, "] "))
		return strstr(line, "] ") + 2;
	return line;
}

static void parse_row(const char *line)
{
	struct row *r = &report.rows[report.nr];
	unsigned long first;
	int n;

	memset(r, 0, sizeof(*r));
	if (report.split)
		n = sscanf(line, "[ %d] %u %d %lu %lu %lu %lu %lu %lu %lu %d %15s", &r->pid, &r->uid, &r->tgid,
			   &r->total_vm, &r->rss, &r->anon, &r->file, &r->shmem, &r->pgtables, &r->swapents, &r->adj,
			   r->name) - 3;
	else
		n = sscanf(line, "[ %d] %u %d %lu %lu %lu %lu %d %15s", &r->pid, &r->uid, &r->tgid, &r->total_vm,
			   &r->rss, &r->pgtables, &r->swapents, &r->adj, r->name);
	if (n != 9 || report.nr + 1 >= TASKS_MAX)
		return;
	first = report.split ? 0 : r->rss;
	r->anon += first;
	snprintf(r->text, sizeof(r->text), "%s\n", line);
	report.nr++;
}

static void parse_line(const char *line)
{
	const char *at;

	if (strstr(line, "rss_anon"))
		report.split = true;
	if (line[0] == '[')
		parse_row(line);
	sscanf(line, "%lu pages RAM", &report.ram);
	if (strstr(line, "pages reserved"))
		sscanf(line, "%lu", &report.reserved);
	sscanf(line, "Total swap = %lukB", &report.swap_kb);
	if (!strncmp(line, "oom-kill:", 9))
		snprintf(report.verdict, sizeof(report.verdict), "%s\n", line);
	at = strstr(line, "Killed process ");
	if (at && sscanf(at, "Killed process %d", &report.killed) == 1)
		snprintf(report.killed_text, sizeof(report.killed_text), "%s\n", line);
}

static FILE *open_report(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/oom/%s", shared_directory(), name);
	return fopen(path, "r");
}

static bool read_report(const char *name)
{
	FILE *file = open_report(name);
	char line[2048];

	memset(&report, 0, sizeof(report));
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		parse_line(bare(line));
	fclose(file);
	return true;
}

/* ---- Its processes, here ---- */

static void no_kill(struct mm_task *task)
{
	(void)task;
}

static const struct task_ops ops = { .kill = no_kill };

static bool make_tasks(void)
{
	static const struct bootinfo_range map[] = { { 0x100000, 64u << 20, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = hosted_default_machine()->arch, .map = map, .map_nr = 1, .cmdline = "" };

	if (hosted_boot(&info, &(struct hosted_options){ .cpus = 1, .quiet = true }))
		return false;
	register_task_ops(&ops);
	for (unsigned int i = 0; i < report.nr; i++) {
		const struct row *r = &report.rows[i];
		struct mm_struct *mm;

		if (!test_process_make(&p[i]))
			return false;
		p[i].task.pid = r->pid;
		p[i].task.tgid = r->tgid;
		p[i].process.ruid = r->uid;
		p[i].process.oom_score_adj = r->adj;
		snprintf(p[i].task.comm, sizeof(p[i].task.comm), "%s", r->name);
		mm = p[i].task.mm;
		own_tables[i] = mm->pgtable_pages;
		own_vm[i] = mm->total_vm;
		mm->pgtable_pages = r->pgtables / PAGE_SIZE;
		mm->total_vm = r->total_vm;
		mm->rss[MM_ANONPAGES] = (long)r->anon;
		mm->rss[MM_FILEPAGES] = (long)r->file;
		mm->rss[MM_SHMEMPAGES] = (long)r->shmem;
		mm->rss[MM_SWAPENTS] = (long)r->swapents;
	}
	return true;
}

static void drop_tasks(void)
{
	for (unsigned int i = 0; i < report.nr; i++) {
		struct mm_struct *mm = p[i].task.mm;

		mm->pgtable_pages = own_tables[i];
		mm->total_vm = own_vm[i];
		memset(mm->rss, 0, sizeof(mm->rss));
		test_process_exit(&p[i]);
	}
	register_task_ops(NULL);
}

static const struct reclaim_request request = {
	.gfp = GFP_KERNEL | __GFP_COMP, .order = 1, .nid = NUMA_NO_NODE,
	.highest = (enum zone_type)(MAX_NR_ZONES - 1),
};

static void choose(struct oom_control *oc)
{
	*oc = (struct oom_control){ .request = &request };
	oc->totalpages = report.ram - report.reserved + report.swap_kb / (PAGE_SIZE / 1024);
	oom_select(oc);
}

static bool is_listed(int pid)
{
	for (unsigned int i = 0; i < report.nr; i++)
		if (report.rows[i].pid == pid)
			return true;
	return false;
}

TEST(oom_conformance, the_same_process_ends)
{
	static const char *const names[] = {
		"arch-24g-6.1.oom.txt", "i386-highmem-2g-5.7next.oom.txt", "vm-1g-5.4.oom.txt", "vm-4g-6.10rc1.oom.txt",
	};
	unsigned int seen = 0, compared = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		struct oom_control oc;

		if (!read_report(names[i]))
			continue;
		seen++;
		if (!report.nr || !is_listed(report.killed))
			continue;
		ASSERT(make_tasks());
		choose(&oc);
		ASSERT(oc.chosen);
		if (oc.chosen->pid != report.killed)
			test_fail(__FILE__, __LINE__, "%s: process %d is chosen, not %d", names[i], oc.chosen->pid,
				  report.killed);
		drop_tasks();
		compared++;
	}
	if (!seen)
		SKIP(NO_REPORTS);
	EXPECT(compared >= 2);
}

TEST(oom_conformance, lines_of_processes)
{
	struct oom_control oc;
	const char *said;
	char head[160];

	if (!read_report("vm-4g-6.10rc1.oom.txt"))
		SKIP(NO_REPORTS);
	EXPECT_EQ(report.nr, 44);
	ASSERT(make_tasks());
	choose(&oc);
	ASSERT(oc.chosen);
	test_capture_begin();
	oom_report(&oc, oc.chosen);
	oom_report_killed(oc.chosen, "Out of memory");
	said = test_capture_end();
	EXPECT(strstr(said, "Tasks state (memory values in pages):\n"));
	EXPECT(strstr(said, "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes "
			    "swapents oom_score_adj name\n"));
	for (unsigned int i = 0; i < report.nr; i++)
		if (!strstr(said, report.rows[i].text))
			test_fail(__FILE__, __LINE__, "missing: %s", report.rows[i].text);
	EXPECT(strstr(said, report.killed_text));
	/* Up to the group, and behind it: there are none here. */
	snprintf(head, sizeof(head), "%.*s/", (int)(strstr(report.verdict, "task_memcg=") + 11 - report.verdict),
		 report.verdict);
	EXPECT(strstr(said, head));
	EXPECT(strstr(said, strstr(report.verdict, ",task=")));
	drop_tasks();
}

/* ---- Form ---- */

static char forms[FORMS_MAX][700];
static unsigned int forms_nr;

static bool skip_word(const char **from, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*from, word, len))
		return false;
	*from += len;
	return true;
}

/* Numbers become #, several in a row one; zones have one name; which types a free block is of is left out. */
static void form_of(const char *from, char *to, size_t size)
{
	static const char *const zones[] = { "DMA32", "DMA", "Normal", "HighMem", "Movable" };
	char *begin = to, *end = to + size - 1;

	while (*from == ' ')
		from++;
	while (*from && to < end) {
		bool zone = false;

		for (unsigned int i = 0; i < ARRAY_SIZE(zones) && !zone; i++)
			zone = skip_word(&from, zones[i]);
		if (zone) {
			*to++ = 'Z';
		} else if (*from >= '0' && *from <= '9') {
			while (*from >= '0' && *from <= '9')
				from++;
			if (to - begin >= 2 && to[-1] == ' ' && to[-2] == '#')
				to--;
			else
				*to++ = '#';
		} else if (*from == '(' && from[strspn(from + 1, "UMEHCI") + 1] == ')' && from[1] != ')') {
			from = strchr(from, ')') + 1;
			from += *from == ' ';
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static bool known_form(const char *form)
{
	for (unsigned int i = 0; i < forms_nr; i++)
		if (!strcmp(forms[i], form))
			return true;
	return false;
}

/* What has names in it, or is the port's. */
static bool has_no_form(const char *line)
{
	static const char *const begins[] = { "CPU:", "Hardware name", "oom-kill:", "Out of memory", "oom_reaper",
					      "[" };

	for (unsigned int i = 0; i < ARRAY_SIZE(begins); i++)
		if (!strncmp(line, begins[i], strlen(begins[i])))
			return true;
	return strstr(line, " invoked oom-killer: ") != NULL;
}

TEST(oom_conformance, the_other_lines)
{
	struct oom_control oc;
	char line[2048], form[700];
	bool trace = false, slab = false;
	unsigned int lines = 0;
	const char *said;
	FILE *file;

	if (!read_report("vm-4g-6.10rc1.oom.txt"))
		SKIP(NO_REPORTS);
	forms_nr = 0;
	file = open_report("vm-4g-6.10rc1.oom.txt");
	ASSERT(file);
	while (fgets(line, sizeof(line), file) && forms_nr < FORMS_MAX)
		form_of(bare(line), forms[forms_nr++], sizeof(forms[0]));
	fclose(file);
	report.nr = 3;
	ASSERT(make_tasks());
	choose(&oc);
	test_capture_begin();
	oom_report(&oc, oc.chosen);
	said = test_capture_end();
	EXPECT(strstr(said, " invoked oom-killer: gfp_mask=0x40cc0(GFP_KERNEL|__GFP_COMP), order=1, "
			    "oom_score_adj=0\n"));
	while (*said) {
		size_t len = strcspn(said, "\n");
		const char *text;

		snprintf(line, sizeof(line), "%.*s", (int)len, said);
		said += len + (said[len] == '\n');
		text = bare(line);
		trace |= !strcmp(text, "Call Trace:");
		slab |= !strncmp(text, "Name  ", 6);
		slab &= strncmp(text, "Tasks state", 11) != 0;
		if (!trace && !has_no_form(text) && (!slab || !strncmp(text, "Name  ", 6))) {
			form_of(text, form, sizeof(form));
			lines++;
			if (!known_form(form))
				test_fail(__FILE__, __LINE__, "a line of another form: %s", text);
		}
		trace &= strcmp(text, " </TASK>") != 0;
	}
	EXPECT(lines > 15);
	drop_tasks();
}

/* ---- Sums ---- */

/* Free blocks of each zone add up to what is free in it, and a task's three kinds to its rss. */
TEST(oom_conformance, sums_add_up)
{
	struct oom_control oc;
	const char *said, *at;
	unsigned int zones = 0;

	memset(&report, 0, sizeof(report));
	report.nr = 1;
	report.rows[0] = (struct row){ .pid = 10, .tgid = 10, .rss = 60, .anon = 10, .file = 20, .shmem = 30,
				       .name = "sum" };
	ASSERT(make_tasks());
	choose(&oc);
	test_capture_begin();
	oom_report(&oc, oc.chosen);
	said = test_capture_end();
	EXPECT(strstr(said, "        0       60       10       20        30        0        0             0 sum\n"));
	for (at = strstr(said, "lowmem_reserve"); (at = strstr(at + 1, "*4kB ")); zones++) {
		unsigned long sum = 0, count, size, total = 0, free_kb = 0;
		const char *begin = at, *s;
		char name[16], head[40];

		while (begin[-1] != '\n')
			begin--;
		begin = strstr(begin, "Node ");
		ASSERT(sscanf(begin, "Node %*d %15[^:]", name) == 1);
		for (s = strstr(begin, ": ") + 2; sscanf(s, "%lu*%lukB", &count, &size) == 2;) {
			sum += count * size;
			s = strchr(s, ' ') + 1;
			if (*s == '(')
				s = strchr(s, ' ') + 1;
		}
		ASSERT(sscanf(s, "= %lukB", &total) == 1);
		EXPECT_EQ(sum, total);
		snprintf(head, sizeof(head), "Node 0 %s free:", name);
		ASSERT(strstr(said, head));
		sscanf(strstr(said, head) + strlen(head), "%lukB", &free_kb);
		EXPECT_EQ(free_kb, total);
	}
	EXPECT(zones > 0);
	drop_tasks();
}
