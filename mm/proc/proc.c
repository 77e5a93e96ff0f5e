// SPDX-License-Identifier: MIT
/*
 * The files of /proc and /sys: from a path to a file of the table.
 *
 * Purpose
 *	What the memory manager knows, in the text that tools for Linux already read, and its settings, by the
 *	writes they already make. This file finds the entry; the others each make the text of a few files.
 *
 * Words
 *	entry: one file of the table (table.c), or as many as there are numbers for the "#" in its path.
 *	kind: what such a number counts: nodes, memory blocks, entries of the firmware's map; caches of the heap, whose
 *	numbers stand in paths as their names; trace events, likewise, of one group.
 *	link: a directory that Linux shows a second time (node0/memory3, memory3/node0), also a cache's other names.
 *
 * Structures
 *	octavo_proc_read(path) -> resolve links -> match with each entry's path -> entry->show(seq, id)
 *	                                                                                |
 *	            caller's emit <- 512 bytes at a time <- struct seq_file on the stack <+
 *	Directories are not stored: a directory is what some entry's path goes through.
 *
 * Locking
 *	None is held while a file is made: each number is read on its own, as in Linux. Setters lock for
 *	themselves (LOCK_RANK_SYSCTL).
 *
 * Memory use and bounds
 *	No allocation. About 1 KiB of stack. A look-up compares the path with each entry once; listing a
 *	directory compares pairs of entries, of which there are some fifty.
 *
 * What failure does
 *	An error is found before the first byte of text goes out; from then on nothing can fail.
 *
 * Differences from Linux
 *	A write to a read-only file of /proc gives -EACCES to everybody (Linux: -EIO to root).
 *	Numbers are exact sums at the time of reading; Linux shows what was folded in once a second.
 *
 * Sources
 *	Documentation/filesystems/proc.rst, Documentation/ABI/{stable,testing}, proc(5), and what running
 *	kernels print.
 */
#include "proc.h"

#include <octavo/memory_hotplug.h>

#include "../slab/info.h"
#include "../slab/shrinker.h"
#include "../sync/trace.h"
#include "../zswap/zram.h"

#define PATH_SIZE 128
/* A write longer than this cannot be a value. */
#define TEXT_SIZE 512

#define NODE_DIR "/sys/devices/system/node/node"
#define CACHE_DIR "/sys/kernel/slab"
#define BLOCK_DIR "/sys/devices/system/memory/memory"

enum match { MATCH_NONE, MATCH_FILE, MATCH_DIR, MATCH_THROUGH };

/* ---- Numbers in paths ---- */

static bool next_cache(enum proc_id kind, unsigned long from, unsigned long *id)
{
	struct cache_info info;
	u32 found;

	while (heap_cache_next((u32)from, &found)) {
		*id = found;
		if (kind == PROC_ID_CACHE ||
		    (heap_cache_info(found, &info) && info.flags & SLAB_STORE_USER))
			return true;
		from = found + 1ul;
	}
	return false;
}

static bool next_shrinker(unsigned long from, unsigned long *id)
{
	char name[SHRINKER_NAME_MAX];
	unsigned int found;

	if (from > ~0u || !shrinker_next((unsigned int)from, &found, name, sizeof(name)))
		return false;
	*id = found;
	return true;
}

bool proc_id_next(enum proc_id kind, unsigned long from, unsigned long *id)
{
	switch (kind) {
	case PROC_ID_NODE:
		for (*id = from; *id < nr_node_ids; ++*id)
			if (node_isset((int)*id, &node_online_map) && NODE_DATA(*id))
				return true;
		return false;
	case PROC_ID_BLOCK:
		for (*id = from; *id < nr_memory_blocks(); ++*id)
			if (memory_block_state(*id) != MEM_BLOCK_ABSENT)
				return true;
		return false;
	case PROC_ID_MEMMAP:
		*id = from;
		return memmap_entry_exists(from);
	case PROC_ID_CACHE:
	case PROC_ID_TRACKED:
		return next_cache(kind, from, id);
	case PROC_ID_SHRINKER:
		return next_shrinker(from, id);
	case PROC_ID_CPU:
		*id = from;
		return from < nr_cpu_ids;
	case PROC_ID_ZRAM:
		for (*id = from; *id < ZRAM_MAX; ++*id)
			if (zram_find((unsigned int)*id))
				return true;
		return false;
	case PROC_ID_NONE:
		return false;
	default:
		return trace_event_next(kind - PROC_ID_TRACE, from, id);
	}
}

static bool id_exists(enum proc_id kind, unsigned long id)
{
	unsigned long found;

	return proc_id_next(kind, id, &found) && found == id;
}

/* A decimal number without leading zeros. Return: its length, 0 if there is none that fits. */
static size_t parse_id(const char *s, unsigned long *id)
{
	size_t len = 0;

	for (*id = 0; s[len] >= '0' && s[len] <= '9'; len++) {
		if (*id > (~0ul - 9) / 10 || (len && s[0] == '0'))
			return 0;
		*id = *id * 10 + (unsigned long)(s[len] - '0');
	}
	return len;
}

/* "name-number": the number decides, the name must be its. */
static size_t parse_shrinker(const char *path, unsigned long *id)
{
	char name[SHRINKER_NAME_MAX];
	unsigned int number;
	size_t len;

	for (unsigned int from = 0; shrinker_next(from, &number, name, sizeof(name)); from = number + 1) {
		len = strlen(name);
		*id = number;
		if (!strncmp(path, name, len) && (!path[len] || path[len] == '/'))
			return len;
	}
	return 0;
}

static size_t parse_trace_event(unsigned int group, const char *path, unsigned long *id)
{
	for (unsigned long from = 0; trace_event_next(group, from, id); from = *id + 1) {
		size_t len = strlen(trace_event_info[*id].name);

		if (!strncmp(path, trace_event_info[*id].name, len) && (!path[len] || path[len] == '/'))
			return len;
	}
	return 0;
}

/* What stands in place of "#". Return: its length, 0 if nothing of the kind has that number or name. */
static size_t parse_component(enum proc_id kind, const char *path, unsigned long *id)
{
	size_t len = 0;
	long found;

	if (kind == PROC_ID_SHRINKER)
		return parse_shrinker(path, id);
	if (kind >= PROC_ID_TRACE)
		return parse_trace_event(kind - PROC_ID_TRACE, path, id);
	if (kind != PROC_ID_CACHE && kind != PROC_ID_TRACKED) {
		len = parse_id(path, id);
	} else {
		while (path[len] && path[len] != '/')
			len++;
		found = heap_cache_find(path, len);
		if (found < 0)
			return 0;
		*id = (unsigned long)found;
	}
	return len && id_exists(kind, *id) ? len : 0;
}

static void component_text(enum proc_id kind, unsigned long id, char *text, size_t size)
{
	struct cache_info info;
	unsigned int found;

	if (kind == PROC_ID_SHRINKER) {
		if (!shrinker_next((unsigned int)id, &found, text, size) || found != id)
			text[0] = 0;
		return;
	}
	if (kind >= PROC_ID_TRACE) {
		strscpy(text, trace_event_info[id].name, size);
		return;
	}
	if (kind != PROC_ID_CACHE && kind != PROC_ID_TRACKED)
		octavo_snprintf(text, size, "%lu", id);
	else if (heap_cache_info((u32)id, &info))
		strscpy(text, info.name, size);
	else
		text[0] = 0;
}

/* ---- Matching ---- */

/* How @path relates to the entry: it names the file, a directory on the way to it, or something below it. */
static enum match match(const struct proc_entry *entry, const char *path, unsigned long *id)
{
	const char *pattern = entry->path;

	if (entry->present && !entry->present())
		return MATCH_NONE;
	while (*pattern && *path) {
		if (*pattern == '#') {
			size_t len = parse_component(entry->kind, path, id);

			if (!len)
				return MATCH_NONE;
			path += len;
			pattern++;
		} else if (*pattern++ != *path++) {
			return MATCH_NONE;
		}
	}
	if (!*pattern && !*path)
		return MATCH_FILE;
	if (!*path)
		return *pattern == '/' ? MATCH_DIR : MATCH_NONE;
	return *path == '/' ? MATCH_THROUGH : MATCH_NONE;
}

/* Return: the entry of a file, or NULL and *@error. */
static const struct proc_entry *find(const char *path, unsigned long *id, int *error)
{
	*error = -ENOENT;
	for (unsigned int i = 0; i < proc_table_nr; i++) {
		switch (match(&proc_table[i], path, id)) {
		case MATCH_FILE:
			return &proc_table[i];
		case MATCH_DIR:
			*error = -EISDIR;
			break;
		case MATCH_THROUGH:
			*error = -ENOTDIR;
			break;
		case MATCH_NONE:
			break;
		}
	}
	return NULL;
}

/* "/sys/devices/system/memory/memory3" and so on: the number, and what follows it. NULL: another path. */
static const char *below(const char *path, const char *dir, unsigned long *id)
{
	size_t len = strlen(dir);
	size_t digits;

	if (strncmp(path, dir, len))
		return NULL;
	digits = parse_id(path + len, id);
	return digits ? path + len + digits : NULL;
}

/* node0/memory3/state -> memory3/state, and back. @out gets the path without links or trailing slash. */
static int resolve(const char *path, char out[PATH_SIZE])
{
	unsigned long from, to;
	long len = strscpy(out, path, PATH_SIZE);
	const char *rest;
	char tail[PATH_SIZE];

	if (len < 1 || out[0] != '/')
		return -ENOENT;
	if (out[len - 1] == '/')
		out[len - 1] = 0;
	if (!proc_machine_numa())
		return 0; /* no directories of nodes to lead to */
	rest = below(out, NODE_DIR, &from);
	if (rest && (rest = below(rest, "/memory", &to)) && memory_block_state(to) != MEM_BLOCK_ABSENT &&
	    memory_block_nid(to) == (int)from) {
		strscpy(tail, rest, sizeof(tail));
		octavo_snprintf(out, PATH_SIZE, BLOCK_DIR "%lu%s", to, tail);
		return 0;
	}
	rest = below(out, BLOCK_DIR, &from);
	if (rest && (rest = below(rest, "/node", &to)) && memory_block_state(from) != MEM_BLOCK_ABSENT &&
	    memory_block_nid(from) == (int)to) {
		strscpy(tail, rest, sizeof(tail));
		octavo_snprintf(out, PATH_SIZE, NODE_DIR "%lu%s", to, tail);
	}
	return 0;
}

static const struct proc_entry *look_up(const char *path, unsigned long *id, int *error)
{
	char resolved[PATH_SIZE];
	size_t len = strlen(path);

	*id = 0;
	*error = resolve(path, resolved);
	if (*error)
		return NULL;
	const struct proc_entry *entry = find(resolved, id, error);

	if (entry && path[len - 1] == '/') {
		*error = -ENOTDIR;
		return NULL;
	}
	if (!resolved[0])
		*error = -EISDIR;
	return entry;
}

/* ---- The calls ---- */

int octavo_proc_read(const char *path, octavo_emit_fn emit, void *ctx)
{
	struct seq_file m;
	unsigned long id;
	int error;
	const struct proc_entry *entry = look_up(path, &id, &error);

	if (!entry)
		return error;
	if (!entry->show)
		return -EACCES;
	seq_open(&m, emit, ctx);
	entry->show(&m, entry, id);
	seq_flush(&m);
	return 0;
}

long octavo_proc_write(const char *path, const char *text, size_t len)
{
	char copy[TEXT_SIZE];
	unsigned long id;
	int error;
	const struct proc_entry *entry = look_up(path, &id, &error);

	if (!entry)
		return error;
	if (!entry->store)
		return -EACCES;
	if (!len)
		return 0;
	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (strlen(copy) != len)
		return -EINVAL;
	error = entry->store(entry, id, copy);
	return error < 0 ? error : (long)len;
}

/* ---- Listing ---- */

/*
 * The part of the entry's path behind directory @dir: NULL if the entry is not below it.
 */
static const char *name_in(const struct proc_entry *entry, const char *dir)
{
	const char *pattern = entry->path;
	unsigned long id;

	if (match(entry, dir, &id) != MATCH_DIR && *dir)
		return NULL;
	/* As many components as @dir has are behind us. */
	for (const char *s = dir; *s; s++)
		if (*s == '/')
			for (pattern++; *pattern != '/'; pattern++)
				;
	return pattern + 1;
}

/* Do two patterns begin with the same component? */
static bool same_component(const char *a, const char *b)
{
	while (*a && *a != '/' && *a == *b) {
		a++;
		b++;
	}
	return (!*a || *a == '/') && (!*b || *b == '/');
}

static void emit_component(const struct proc_entry *entry, const char *pattern, octavo_list_fn emit, void *ctx)
{
	char name[PATH_SIZE];
	size_t len = 0, hash = 0;
	bool numbered = false;

	for (; pattern[len] && pattern[len] != '/'; len++) {
		name[len] = pattern[len];
		if (pattern[len] == '#') {
			numbered = true;
			hash = len; /* always the last character of its component */
		}
	}
	name[len] = 0;
	if (!numbered) {
		emit(ctx, name, pattern[len] == '/');
		return;
	}
	for (unsigned long from = 0, id; proc_id_next(entry->kind, from, &id); from = id + 1) {
		component_text(entry->kind, id, name + hash, sizeof(name) - hash);
		if (name[hash])
			emit(ctx, name, true);
	}
}

/* The links that a node's and a block's directory, and that of the caches, hold. */
static void list_links(const char *dir, octavo_list_fn emit, void *ctx)
{
	unsigned long id;
	char name[32], cache[CACHE_NAME_MAX];
	const char *rest = below(dir, NODE_DIR, &id);

	if (rest && !*rest) {
		for (unsigned long from = 0, block; proc_id_next(PROC_ID_BLOCK, from, &block); from = block + 1) {
			if (memory_block_nid(block) != (int)id)
				continue;
			octavo_snprintf(name, sizeof(name), "memory%lu", block);
			emit(ctx, name, true);
		}
	}
	for (unsigned int i = 0; !strcmp(dir, CACHE_DIR) && heap_cache_alias(i, cache, sizeof(cache)); i++)
		emit(ctx, cache, true);
	rest = below(dir, BLOCK_DIR, &id);
	if (rest && !*rest && memory_block_nid(id) >= 0 && proc_machine_numa()) {
		octavo_snprintf(name, sizeof(name), "node%d", memory_block_nid(id));
		emit(ctx, name, true);
	}
}

int octavo_proc_list(const char *dir, octavo_list_fn emit, void *ctx)
{
	char resolved[PATH_SIZE];
	unsigned long id;
	bool found = false;
	int error = resolve(dir, resolved);

	if (error)
		return error;
	if (find(resolved, &id, &error) || error == -ENOTDIR)
		return -ENOTDIR;
	for (unsigned int i = 0; i < proc_table_nr; i++) {
		const char *name = name_in(&proc_table[i], resolved);
		bool again = false;

		if (!name || (proc_table[i].present && !proc_table[i].present()))
			continue;
		found = true;
		for (unsigned int j = 0; j < i && !again; j++) {
			const char *other = name_in(&proc_table[j], resolved);

			again = other && (!proc_table[j].present || proc_table[j].present()) &&
				same_component(name, other);
		}
		if (!again)
			emit_component(&proc_table[i], name, emit, ctx);
	}
	if (!found)
		return -ENOENT;
	list_links(resolved, emit, ctx);
	return 0;
}
