// SPDX-License-Identifier: MIT
/*
 * The monitor's commands.
 *
 * Memory use: blocks that "alloc" hands out are remembered without memory of their own: the blocks of one
 * command form a chain through the private words of their first pages, and a table of fixed size holds the
 * chains' heads.
 *
 * Locking: none; one caller at a time. The core calls made here take what they need.
 */
#include "monitor.h"
#include "monitor_words.h"

#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../phys/zone.h"
#include "../sync/atomic.h"

#define GROUPS 256

/* What one alloc command got. */
struct group {
	unsigned long count; /* 0: unused */
	u64 first;	     /* frame number of the first block + 1; each page's private word leads on */
	gfp_t gfp;
	unsigned int order;
};
static struct group groups[GROUPS] __memsys;

void monitor_say(struct monitor *mon, const char *fmt, ...)
{
	char text[512];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = octavo_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	len = min(len, sizeof(text) - 1);
	if (len)
		mon->emit(mon->ctx, text, len);
}

const char *size_text(u64 bytes, char buf[SIZE_TEXT_MAX])
{
	static const char units[] = "BKMGTPE";
	unsigned int unit = 0;
	u64 rest = 0;

	while (bytes >= 1024 && units[unit + 1]) {
		rest = bytes % 1024;
		bytes /= 1024;
		unit++;
	}
	if (rest && bytes < 100)
		octavo_snprintf(buf, SIZE_TEXT_MAX, "%llu.%llu%c", (unsigned long long)bytes,
				(unsigned long long)(rest * 10 / 1024), units[unit]);
	else
		octavo_snprintf(buf, SIZE_TEXT_MAX, "%llu%c", (unsigned long long)bytes, units[unit]);
	return buf;
}

/* ---- Words ---- */

char *next_word(char **p)
{
	char *word, *s = *p;

	while (*s == ' ' || *s == '\t')
		s++;
	if (!*s) {
		*p = s;
		return NULL;
	}
	word = s;
	while (*s && *s != ' ' && *s != '\t')
		s++;
	if (*s)
		*s++ = 0;
	*p = s;
	return word;
}

bool parse_number_word(const char *word, u64 max, u64 *value)
{
	bool overflow = false;
	size_t len = word ? parse_u64(word, value, &overflow) : 0;

	return len && !word[len] && !overflow && *value <= max;
}

static const struct {
	const char *name;
	gfp_t value;
} gfp_names[] = {
	{ "GFP_KERNEL", GFP_KERNEL },
	{ "GFP_ATOMIC", GFP_ATOMIC },
	{ "GFP_NOWAIT", GFP_NOWAIT },
	{ "GFP_NOIO", GFP_NOIO },
	{ "GFP_NOFS", GFP_NOFS },
	{ "GFP_USER", GFP_USER },
	{ "GFP_HIGHUSER", GFP_HIGHUSER },
	{ "GFP_HIGHUSER_MOVABLE", GFP_HIGHUSER_MOVABLE },
	{ "GFP_TRANSHUGE", GFP_TRANSHUGE },
	{ "GFP_TRANSHUGE_LIGHT", GFP_TRANSHUGE_LIGHT },
	{ "GFP_DMA", GFP_DMA },
	{ "GFP_DMA32", GFP_DMA32 },
	{ "__GFP_DMA", __GFP_DMA },
	{ "__GFP_DMA32", __GFP_DMA32 },
	{ "__GFP_HIGHMEM", __GFP_HIGHMEM },
	{ "__GFP_MOVABLE", __GFP_MOVABLE },
	{ "__GFP_RECLAIMABLE", __GFP_RECLAIMABLE },
	{ "__GFP_HIGH", __GFP_HIGH },
	{ "__GFP_IO", __GFP_IO },
	{ "__GFP_FS", __GFP_FS },
	{ "__GFP_ZERO", __GFP_ZERO },
	{ "__GFP_DIRECT_RECLAIM", __GFP_DIRECT_RECLAIM },
	{ "__GFP_KSWAPD_RECLAIM", __GFP_KSWAPD_RECLAIM },
	{ "__GFP_RECLAIM", __GFP_RECLAIM },
	{ "__GFP_WRITE", __GFP_WRITE },
	{ "__GFP_NOWARN", __GFP_NOWARN },
	{ "__GFP_RETRY_MAYFAIL", __GFP_RETRY_MAYFAIL },
	{ "__GFP_NOFAIL", __GFP_NOFAIL },
	{ "__GFP_NORETRY", __GFP_NORETRY },
	{ "__GFP_MEMALLOC", __GFP_MEMALLOC },
	{ "__GFP_NOMEMALLOC", __GFP_NOMEMALLOC },
	{ "__GFP_COMP", __GFP_COMP },
	{ "__GFP_HARDWALL", __GFP_HARDWALL },
	{ "__GFP_THISNODE", __GFP_THISNODE },
	{ "__GFP_ACCOUNT", __GFP_ACCOUNT },
};

const char *monitor_gfp_name(unsigned int i, gfp_t *value)
{
	if (i >= ARRAY_SIZE(gfp_names))
		return NULL;
	if (value)
		*value = gfp_names[i].value;
	return gfp_names[i].name;
}

const char *parse_gfp(const char *text, gfp_t *gfp)
{
	*gfp = 0;
	while (*text) {
		size_t len = 0;
		unsigned int i = 0;
		u64 number;
		bool overflow = false;

		while (text[len] && text[len] != '|' && text[len] != '+')
			len++;
		while (i < ARRAY_SIZE(gfp_names) &&
		       (strlen(gfp_names[i].name) != len || strncmp(gfp_names[i].name, text, len)))
			i++;
		if (i < ARRAY_SIZE(gfp_names))
			*gfp |= gfp_names[i].value;
		else if (len && parse_u64(text, &number, &overflow) == len && !overflow && number <= __GFP_BITS_MASK)
			*gfp |= (gfp_t)number;
		else
			return text;
		text += len + (text[len] != 0);
	}
	return NULL;
}

int parse_alloc_words(struct monitor *mon, char **args, gfp_t *gfp, u64 *count)
{
	char *word;

	while ((word = next_word(args))) {
		const char *bad = NULL;

		if (word[0] == 'x' && word[1] >= '0' && word[1] <= '9') {
			if (!parse_number_word(word + 1, ~0ul >> 1, count) || !*count)
				bad = word;
		} else {
			bad = parse_gfp(word, gfp);
		}
		if (bad) {
			monitor_say(mon, "'%s' is neither GFP flags nor xCOUNT\n", bad);
			return -EINVAL;
		}
	}
	return 0;
}

/* ---- Files ---- */

static const char *error_text(int error)
{
	switch (-error) {
	case ENOENT:
		return "no such file";
	case EACCES:
		return "not permitted";
	case EINVAL:
		return "invalid value";
	case EBUSY:
		return "busy";
	case ENOMEM:
		return "out of memory";
	case 20:
		return "not a directory";
	case 21:
		return "is a directory";
	default:
		return NULL;
	}
}

int monitor_failed(struct monitor *mon, const char *what, int error)
{
	const char *text = error_text(error);

	if (text)
		monitor_say(mon, "%s: %s\n", what, text);
	else
		monitor_say(mon, "%s: error %d\n", what, -error);
	return error;
}

int monitor_usage(struct monitor *mon, const char *text)
{
	monitor_say(mon, "usage: %s\n", text);
	return -EINVAL;
}

static int cmd_cat(struct monitor *mon, char *args)
{
	char *path = next_word(&args);
	int error = 0;

	if (!path)
		return monitor_usage(mon, "cat PATH...");
	for (; path && !error; path = next_word(&args)) {
		error = octavo_proc_read(path, mon->emit, mon->ctx);
		if (error)
			monitor_failed(mon, path, error);
	}
	return error;
}

static void list_entry(void *ctx, const char *name, bool directory)
{
	monitor_say(ctx, "%s%s\n", name, directory ? "/" : "");
}

static int cmd_ls(struct monitor *mon, char *args)
{
	char *path = next_word(&args);
	int error = octavo_proc_list(path ? path : "/", list_entry, mon);

	return error ? monitor_failed(mon, path, error) : 0;
}

/* echo VALUE... > PATH; without "> PATH" the words come back */
static int cmd_echo(struct monitor *mon, char *args)
{
	char *arrow = strchr(args, '>'), *path, *value = args;
	size_t len;
	long error;

	while (*value == ' ' || *value == '\t')
		value++;
	if (!arrow) {
		monitor_say(mon, "%s\n", value);
		return 0;
	}
	*arrow++ = 0;
	path = next_word(&arrow);
	if (!path || next_word(&arrow))
		return monitor_usage(mon, "echo VALUE > PATH");
	len = strlen(value);
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	if (len >= 2 && (value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0]) {
		value++;
		len -= 2;
	}
	error = octavo_proc_write(path, value, len);
	return error < 0 ? monitor_failed(mon, path, (int)error) : 0;
}

/* ---- Allocations ---- */

static struct page *group_page(u64 link)
{
	return pfn_to_page((unsigned long)(link - 1));
}

static void show_group(struct monitor *mon, unsigned int i)
{
	const struct group *g = &groups[i];
	const struct page *first = group_page(g->first);
	char size[SIZE_TEXT_MAX];

	monitor_say(mon, "#%u: %lu x order %u (%s) gfp %#x, first frame %#llx on node %d zone %s\n", i + 1, g->count,
		    g->order, size_text((u64)g->count << (PAGE_SHIFT + g->order), size), (unsigned int)g->gfp,
		    (unsigned long long)(g->first - 1), page_to_nid(first), page_zone(first)->name);
}

static int cmd_alloc(struct monitor *mon, char *args)
{
	static const char how[] = "alloc ORDER [FLAGS] [xCOUNT]   (FLAGS: GFP_KERNEL, __GFP_DMA|__GFP_ZERO, 0xcc0 ...)";
	char *word = next_word(&args);
	u64 order, count = 1, wanted;
	gfp_t gfp = GFP_KERNEL;
	unsigned int i = 0;
	struct group *g;

	if (!parse_number_word(word, MAX_PAGE_ORDER, &order)) {
		if (word)
			monitor_say(mon, "order '%s': a number from 0 to %d is needed\n", word, MAX_PAGE_ORDER);
		return monitor_usage(mon, how);
	}
	if (parse_alloc_words(mon, &args, &gfp, &count))
		return monitor_usage(mon, how);
	while (i < GROUPS && groups[i].count)
		i++;
	if (i == GROUPS) {
		monitor_say(mon, "%u allocations are outstanding: free some first\n", GROUPS);
		return -ENOSPC;
	}
	g = &groups[i];
	*g = (struct group){ .gfp = gfp, .order = (unsigned int)order };
	for (wanted = count; wanted; wanted--) {
		struct page *page = alloc_pages(gfp, g->order);

		if (!page)
			break;
		set_page_private(page, g->first);
		g->first = (u64)page_to_pfn(page) + 1;
		g->count++;
	}
	if (g->count)
		show_group(mon, i);
	if (wanted) {
		monitor_say(mon, "out of memory: %llu of %llu blocks of order %u are missing\n",
			    (unsigned long long)wanted, (unsigned long long)count, g->order);
		return -ENOMEM;
	}
	return 0;
}

static void free_group(struct group *g)
{
	while (g->first) {
		struct page *page = group_page(g->first);

		g->first = page_private(page);
		set_page_private(page, 0);
		__free_pages(page, g->order);
	}
	g->count = 0;
}

static int cmd_free(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	u64 id;

	if (!word)
		return monitor_usage(mon, "free ID|all");
	if (!strcmp(word, "all")) {
		for (unsigned int i = 0; i < GROUPS; i++)
			free_group(&groups[i]);
		return 0;
	}
	for (; word; word = next_word(&args)) {
		if (!parse_number_word(word + (*word == '#'), GROUPS, &id) || !id || !groups[id - 1].count) {
			monitor_say(mon, "no allocation '%s' (\"list\" shows them)\n", word);
			return -ENOENT;
		}
		free_group(&groups[id - 1]);
	}
	return 0;
}

static int cmd_list(struct monitor *mon, char *args)
{
	(void)args;
	for (unsigned int i = 0; i < GROUPS; i++)
		if (groups[i].count)
			show_group(mon, i);
	monitor_list_objects(mon);
	return 0;
}

/* ---- Checks and pictures ---- */

int monitor_run_all(struct monitor *mon, void (*fn)(void *arg), void *arg)
{
	int error;

	if (mon->run_all) {
		mon->run_all(fn, arg);
		return 0;
	}
	error = port_cpu_call(PORT_CPU_OTHERS, fn, arg);
	/* -ENOSYS: this port has no way to reach other CPUs, and this one works alone */
	if (error && error != -ENOSYS)
		return error;
	fn(arg);
	return 0;
}

static int cmd_stress(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	struct stress s = { .seed = port_random() };
	u64 start, ns, ops = 20000;
	int error;

	if (word && !strcmp(word, "heap"))
		return monitor_stress_heap(mon, args);
	if (word && (!parse_number_word(word, ~0ul >> 1, &ops) || !ops))
		return monitor_usage(mon, "stress [heap] [CALLS]   (on each CPU)");
	s.ops = (unsigned long)ops;
	start = port_clock_ns();
	error = monitor_run_all(mon, stress_cpu, &s);
	if (error)
		return monitor_failed(mon, "stress", error);
	ns = port_clock_ns() - start;
	monitor_say(mon, "%lu CPUs, %lu calls each: %lu blocks allocated and freed, %lu refused, %lu damaged", s.cpus,
		    s.ops, s.allocs, s.refused, s.bad);
	monitor_say(mon, ", %llu ms\n", (unsigned long long)(ns / 1000000));
	return s.bad ? -EIO : 0;
}

static int cmd_verify(struct monitor *mon, char *args)
{
	unsigned int findings = monitor_verify(mon);

	(void)args;
	if (!findings)
		monitor_say(mon, "every frame and every object has exactly one owner; no finding\n");
	return findings ? -EIO : 0;
}

static int cmd_buddy(struct monitor *mon, char *args)
{
	(void)args;
	monitor_show_buddy(mon);
	return 0;
}

static int cmd_frag(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	u64 rows = 4;

	if (word && (!parse_number_word(word, 64, &rows) || !rows))
		return monitor_usage(mon, "frag [LINES]   (1 to 64 a zone)");
	monitor_show_fragmentation(mon, (unsigned int)rows);
	return 0;
}

static int cmd_info(struct monitor *mon, char *args)
{
	unsigned long managed = 0, present = 0, nodes = 0;
	char total[SIZE_TEXT_MAX], free[SIZE_TEXT_MAX], ram[SIZE_TEXT_MAX];

	(void)args;
	for_each_online_node(nid)
		nodes++;
	for_each_zone(zone) {
		managed += zone_managed_pages(zone);
		present += zone->present_pages;
	}
	monitor_say(mon, "%u CPUs online of %u, %lu node%s\n", num_online_cpus(), nr_cpu_ids, nodes,
		    nodes == 1 ? "" : "s");
	monitor_say(mon, "%s of RAM, %s managed, %s free; %u bytes describe a page\n",
		    size_text((u64)present << PAGE_SHIFT, ram), size_text((u64)managed << PAGE_SHIFT, total),
		    size_text((u64)nr_free_pages() << PAGE_SHIFT, free), (unsigned int)sizeof(struct page));
	return 0;
}

static int cmd_log(struct monitor *mon, char *args)
{
	char *word = next_word(&args);

	if (word && !strcmp(word, "on"))
		printk_console(true);
	else if (word && !strcmp(word, "off"))
		printk_console(false);
	else
		return monitor_usage(mon, "log on|off");
	return 0;
}

static int cmd_quit(struct monitor *mon, char *args)
{
	(void)mon;
	(void)args;
	return MONITOR_QUIT;
}

static int cmd_help(struct monitor *mon, char *args);

static const struct {
	const char *name;
	int (*fn)(struct monitor *mon, char *args);
	const char *args;
	const char *what;
	bool path;
} commands[] = {
	{ "help", cmd_help, "", "this list", false },
	{ "cat", cmd_cat, "PATH", "show a file, such as /proc/zoneinfo", true },
	{ "ls", cmd_ls, "[PATH]", "what there is to cat", true },
	{ "echo", cmd_echo, "VALUE > PATH", "write a file, such as /proc/sys/vm/min_free_kbytes", true },
	{ "alloc", cmd_alloc, "ORDER [FLAGS] [xN]", "allocate N blocks of 2^ORDER pages (GFP_KERNEL, 1)", false },
	{ "free", cmd_free, "ID|all", "free what an alloc got", false },
	{ "list", cmd_list, "", "allocations not yet freed", false },
	{ "kmalloc", cmd_kmalloc, "SIZE [FLAGS] [xN]", "allocate N objects of SIZE bytes from the heap", false },
	{ "kfree", cmd_kfree, "ID|all", "free them, or what kmem_cache alloc got", false },
	{ "poke", cmd_poke, "ID OFFSET", "write a byte at or beyond an object: for the checks to find", false },
	{ "forget", cmd_forget, "ID", "lose objects without freeing them: for leak to find", false },
	{ "kmem_cache", cmd_kmem_cache, "create|alloc|...", "caches of objects; without words: how", false },
	{ "slabinfo", cmd_slabinfo, "", "cat /proc/slabinfo", false },
	{ "slabtop", cmd_slabtop, "[-o] [-l] [-s KEY]", "caches by size; live on a terminal", false },
	{ "heap", cmd_heap, "[CACHE [SLABS]]", "what is free and used in caches, or in slabs of one", false },
	{ "shrink", cmd_shrink, "[CACHE]", "give free slabs back, of one cache or all", false },
	{ "drop_caches", cmd_drop_caches, "1|2|3", "shrink page cache, slab, both", false },
	{ "leak", cmd_leak, "[COMMAND]", "scan for lost objects and show them (kmemleak)", false },
	{ "percpu", cmd_percpu, "", "what alloc_percpu() gave out", false },
	{ "stress", cmd_stress, "[heap] [CALLS]", "random allocation and freeing on all CPUs, contents checked",
	  false },
	{ "swapon", cmd_swapon, "SIZE", "a new disk to swap to", false },
	{ "pressure", cmd_pressure, "[json]", "free memory, lists, swap, stalls", false },
	{ "hog", cmd_hog, "[PERCENT] [json]", "a process with 200% of the memory, every page verified", false },
	{ "churn", cmd_churn, "[PERCENT] [json]", "the same with a part in use that moves on", false },
	{ "filecache", cmd_filecache, "[PERCENT] [json]", "the same with the pages of a file", false },
	{ "verify", cmd_verify, "", "check that every frame and object has exactly one owner", false },
	{ "buddy", cmd_buddy, "", "free blocks of each order", false },
	{ "frag", cmd_frag, "[LINES]", "fullness of the pageblocks", false },
	{ "pt", cmd_pt, "[ADDRESS]", "the kernel's areas; the page-table entries of an address", false },
	{ "info", cmd_info, "", "the machine in brief", false },
	{ "log", cmd_log, "on|off", "show the kernel log", false },
	{ "quit", cmd_quit, "", "leave", false },
	{ "exit", cmd_quit, NULL, NULL, false },
};

static int cmd_help(struct monitor *mon, char *args)
{
	(void)args;
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].what)
			monitor_say(mon, "  %-11s %-18s %s\n", commands[i].name, commands[i].args, commands[i].what);
	return 0;
}

const char *monitor_command_name(unsigned int i)
{
	return i < ARRAY_SIZE(commands) ? commands[i].name : NULL;
}

bool monitor_command_takes_path(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].path;
	return false;
}

int monitor_command(struct monitor *mon, char *line)
{
	char *word = next_word(&line);
	int ret = -EINVAL;

	if (!word || *word == '#')
		return 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, word))
			continue;
		ret = commands[i].fn(mon, line);
		if (ret < 0)
			mon->failures++;
		return ret;
	}
	monitor_say(mon, "'%s' is no command (\"help\" lists them)\n", word);
	mon->failures++;
	return ret;
}
