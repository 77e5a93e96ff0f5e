// SPDX-License-Identifier: MIT
/*
 * /sys/kernel/tracing: switching trace events on and off, the rings' memory, and the files that show what is in them.
 * Names and formats: Documentation/trace/ftrace.rst and events.rst. mm/sync/trace.c has the rings.
 *
 * The rings get memory when the first event is switched on: the size that was asked for, or Linux's 1408 KiB a CPU, of
 * small machines at most a 64th of their memory for all CPUs. They keep it until buffer_size_kb is written.
 */
#include "trace.h"

#include <octavo/gfp.h>
#include <octavo/percpu.h>

#include "../boot/params.h"
#include "../phys/gfp.h"
#include "../phys/page_alloc.h"
#include "../slab/heap_trace.h"
#include "../sync/mutex.h"

#define DEFAULT_KB 1408ul

static struct {
	struct mutex mutex;    /* guards what follows, trace_on[], and the one reader's place */
	unsigned long size_kb; /* that was asked for; 0: the default */
	bool expanded;	       /* the rings are there */
} tracing __memsys = { .mutex = MUTEX_INIT };

static void running_thread(s32 *pid, char *comm)
{
	char buf[TRACE_STRING];

	*pid = (s32)current_task_pid();
	strscpy(comm, current_task_name(buf, sizeof(buf)), TRACE_STRING);
}

static const struct trace_context context = { .thread = running_thread };

/* ---- Memory ---- */

static void pages_free(void *pages)
{
	while (pages) {
		void *next = *(void **)pages;

		free_page((unsigned long)(uintptr_t)pages);
		pages = next;
	}
}

static int ring_fill(unsigned int cpu, unsigned long nr)
{
	void *pages = NULL;

	for (unsigned long i = 0; i < nr; i++) {
		void *page = (void *)(uintptr_t)__get_free_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

		if (!page) {
			pages_free(pages);
			return -ENOMEM;
		}
		*(void **)page = pages;
		pages = page;
	}
	pages_free(trace_ring_set(cpu, pages, nr));
	return 0;
}

static unsigned long default_kb(void)
{
	unsigned long fair = totalram_pages() / 64 / nr_cpu_ids * (PAGE_SIZE / 1024);

	return min(fair, DEFAULT_KB);
}

static void rings_empty(void)
{
	for_each_possible_cpu(cpu)
		pages_free(trace_ring_set(cpu, NULL, 0));
	tracing.expanded = false;
}

/* The mutex is held. */
static int rings_fill(void)
{
	unsigned long kb = tracing.size_kb ? tracing.size_kb : default_kb();
	unsigned long pages = max(DIV_ROUND_UP(kb, PAGE_SIZE / 1024), 2ul);
	int err = 0;

	for_each_possible_cpu(cpu)
		if (!err)
			err = ring_fill(cpu, pages);
	if (err)
		rings_empty();
	else
		tracing.expanded = true;
	return err;
}

/* ---- Switching ---- */

bool trace_event_next(unsigned int group, unsigned long from, unsigned long *id)
{
	for (*id = from; *id < NR_TRACE_EVENTS; ++*id)
		if (trace_event_info[*id].group_id == group)
			return true;
	return false;
}

static bool word_is(const char *word, size_t len, const char *name)
{
	return (len == 1 && *word == '*') || !len || (!strncmp(word, name, len) && !name[len]);
}

/* Events of the fast paths of pages and heap, which are shut while they are on. */
static void gates_set(void)
{
	page_alloc_trace(trace_on[TRACE_EVENT_mm_page_alloc] || trace_on[TRACE_EVENT_mm_page_free]);
	heap_trace(trace_on[TRACE_EVENT_kmalloc] || trace_on[TRACE_EVENT_kfree] ||
		   trace_on[TRACE_EVENT_kmem_cache_alloc] || trace_on[TRACE_EVENT_kmem_cache_free]);
}

/* All events of a group and a name, "*" and nothing for any. Return: how many; negative: an error. */
static long switch_events(const char *group, size_t group_len, const char *name, size_t name_len, bool on)
{
	long found = 0;
	int err = 0;

	mutex_lock(&tracing.mutex);
	if (on && !tracing.expanded)
		err = rings_fill();
	trace_set_context(&context);
	for (unsigned int id = 0; !err && id < NR_TRACE_EVENTS; id++) {
		if (!word_is(group, group_len, trace_event_info[id].group) ||
		    !word_is(name, name_len, trace_event_info[id].name))
			continue;
		WRITE_ONCE(trace_on[id], on);
		found++;
	}
	gates_set();
	mutex_unlock(&tracing.mutex);
	return err ? err : found;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* "0" or "1", with white space around. Return: -EINVAL. */
static int parse_switch(const char *text, bool *on)
{
	while (is_space(*text))
		text++;
	if (*text != '0' && *text != '1')
		return -EINVAL;
	*on = *text++ == '1';
	while (is_space(*text))
		text++;
	return *text ? -EINVAL : 0;
}

static int switch_by_text(const char *text, const char *group, const char *name)
{
	bool on;
	long found;

	if (parse_switch(text, &on))
		return -EINVAL;
	found = switch_events(group, strlen(group), name, strlen(name), on);
	return found < 0 ? (int)found : 0;
}

PROC_SHOW(trace_enable_show)
{
	(void)entry;
	seq_puts(m, READ_ONCE(trace_on[id]) ? "1\n" : "0\n");
}

PROC_STORE(trace_enable_store)
{
	(void)entry;
	return switch_by_text(text, trace_event_info[id].group, trace_event_info[id].name);
}

/* All, none, or some (X) of the events. */
PROC_SHOW(trace_group_enable_show)
{
	unsigned int on = 0, all = 0;

	(void)id;
	for (unsigned int i = 0; i < NR_TRACE_EVENTS; i++) {
		if (entry->data && strcmp(trace_event_info[i].group, entry->data))
			continue;
		all++;
		on += READ_ONCE(trace_on[i]) != 0;
	}
	seq_puts(m, !on ? "0\n" : on == all ? "1\n" : "X\n");
}

PROC_STORE(trace_group_enable_store)
{
	(void)id;
	return switch_by_text(text, entry->data ? entry->data : "", "");
}

PROC_SHOW(trace_set_show)
{
	(void)entry;
	(void)id;
	for (unsigned int i = 0; i < NR_TRACE_EVENTS; i++)
		if (READ_ONCE(trace_on[i]))
			seq_printf(m, "%s:%s\n", trace_event_info[i].group, trace_event_info[i].name);
}

/* One of "group:event", "group:", "group:*", ":event", "event", "group", each with "!" ahead for off. */
static int set_word(const char *word, size_t len)
{
	bool on = *word != '!';
	size_t colon = 0;
	long found;

	word += !on;
	len -= !on;
	while (colon < len && word[colon] != ':')
		colon++;
	if (colon < len)
		found = switch_events(word, colon, word + colon + 1, len - colon - 1, on);
	else if (!(found = switch_events("", 0, word, len, on)))
		found = switch_events(word, len, "", 0, on);
	return found < 0 ? (int)found : found ? 0 : -EINVAL;
}

/* Names separated by white space; nothing but white space: all off. */
PROC_STORE(trace_set_store)
{
	bool any = false;
	int err = 0;

	(void)entry;
	(void)id;
	while (!err && *text) {
		size_t len = 0;

		while (is_space(*text))
			text++;
		while (text[len] && !is_space(text[len]))
			len++;
		if (len) {
			err = set_word(text, len);
			any = true;
		}
		text += len;
	}
	if (!any)
		switch_events("", 0, "", 0, false);
	return err;
}

PROC_SHOW(trace_available_show)
{
	(void)entry;
	(void)id;
	for (unsigned int i = 0; i < NR_TRACE_EVENTS; i++)
		seq_printf(m, "%s:%s\n", trace_event_info[i].group, trace_event_info[i].name);
}

PROC_SHOW(tracing_on_show)
{
	(void)entry;
	(void)id;
	seq_puts(m, trace_ring_is_on() ? "1\n" : "0\n");
}

PROC_STORE(tracing_on_store)
{
	bool on;

	(void)entry;
	(void)id;
	if (parse_switch(text, &on))
		return -EINVAL;
	trace_ring_switch(on);
	return 0;
}

/* ---- Size ---- */

static unsigned long ring_kb(unsigned int cpu)
{
	return trace_ring_pages(cpu) * (PAGE_SIZE / 1024);
}

PROC_SHOW(trace_size_show)
{
	(void)entry;
	(void)id;
	mutex_lock(&tracing.mutex);
	if (tracing.expanded)
		seq_printf(m, "%lu\n", ring_kb(0));
	else
		seq_printf(m, "0 (expanded: %lu)\n", tracing.size_kb ? tracing.size_kb : default_kb());
	mutex_unlock(&tracing.mutex);
}

/* What was in the rings is lost. With no event on they give their memory back until one is. */
PROC_STORE(trace_size_store)
{
	bool overflow, any = false;
	u64 kb;
	size_t len;
	int err = 0;

	(void)entry;
	(void)id;
	while (is_space(*text))
		text++;
	len = parse_u64(text, &kb, &overflow);
	if (!len || overflow || !kb || kb > ~0ul >> 11 || (text[len] && !is_space(text[len])))
		return -EINVAL;
	mutex_lock(&tracing.mutex);
	tracing.size_kb = (unsigned long)kb;
	for (unsigned int i = 0; i < NR_TRACE_EVENTS; i++)
		any |= trace_on[i];
	rings_empty();
	if (any)
		err = rings_fill();
	mutex_unlock(&tracing.mutex);
	return err;
}

PROC_SHOW(trace_total_size_show)
{
	unsigned long kb = 0;

	(void)entry;
	(void)id;
	for_each_possible_cpu(cpu)
		kb += ring_kb(cpu);
	seq_printf(m, "%lu%s\n", kb, kb ? "" : " (expanded: 0)");
}

/* ---- What is in the rings ---- */

PROC_SHOW(trace_show)
{
	unsigned int only = entry->data ? (unsigned int)id : TRACE_ALL;
	unsigned long entries = 0, written = 0, one[3];
	struct trace_record record;

	mutex_lock(&tracing.mutex);
	for_each_possible_cpu(cpu) {
		if (only != TRACE_ALL && only != cpu)
			continue;
		trace_ring_count(cpu, &one[0], &one[1], &one[2]);
		entries += one[0];
		written += one[1];
	}
	trace_show_header(m, entries, written);
	trace_rewind(only);
	/* Not more than there were, so that what the reading itself brings about does not go on for ever. */
	while (entries-- && trace_next(only, &record))
		trace_show_record(m, &record);
	mutex_unlock(&tracing.mutex);
}

/* Whatever is written, the file is empty afterwards. */
PROC_STORE(trace_store)
{
	(void)text;
	mutex_lock(&tracing.mutex);
	for_each_possible_cpu(cpu)
		if (!entry->data || cpu == id)
			trace_ring_clear(cpu);
	mutex_unlock(&tracing.mutex);
	return 0;
}

PROC_SHOW(trace_stats_show)
{
	unsigned long entries, written, lost;

	(void)entry;
	trace_ring_count((unsigned int)id, &entries, &written, &lost);
	seq_printf(m, "entries: %lu\noverrun: %lu\ncommit overrun: 0\nbytes: %lu\ndropped events: 0\n", entries, lost,
		   trace_ring_pages((unsigned int)id) * PAGE_SIZE);
}

PROC_SHOW(trace_word_show)
{
	(void)id;
	seq_puts(m, entry->data);
}

PROC_SHOW(trace_id_show)
{
	(void)entry;
	seq_printf(m, "%lu\n", TRACE_FIRST_ID + id);
}

PROC_SHOW(trace_format_show)
{
	(void)entry;
	trace_show_format(m, (enum trace_id)id);
}
