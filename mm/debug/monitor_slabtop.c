// SPDX-License-Identifier: MIT
/*
 * The monitor's pictures of the heap: slabtop, laid out as procps' program of that name, and what of a cache, or of its
 * slabs, is free, at hand in magazines, or used.
 *
 * Rows are gathered into pages of the page allocator: the heap does not change by being looked at.
 */
#include <octavo/gfp.h>
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "../slab/info.h"
#include "monitor_words.h"

struct row {
	char name[32];
	unsigned long objects, used, at_hand, slabs, active_slabs;
	u64 bytes; /* of the slabs */
	u32 size, per_slab, pages;
};

struct table {
	struct page *page;
	struct row *row;
	unsigned int nr, order;
};

static void fill_row(struct row *row, const struct cache_info *info)
{
	const struct backend_counts *s = &info->counts.slabs;

	strscpy(row->name, info->name, sizeof(row->name));
	row->objects = s->objects;
	row->used = heap_objects_used(&info->counts);
	row->at_hand = info->counts.at_hand;
	row->slabs = s->slabs;
	row->active_slabs = s->active_slabs;
	row->size = info->size;
	row->per_slab = info->objects;
	row->pages = 1u << info->order;
	row->bytes = (u64)s->slabs << (PAGE_SHIFT + info->order);
}

/* false: no memory, said. */
static bool table_make(struct monitor *mon, struct table *t)
{
	struct cache_info info = { .number = ~0u };
	unsigned int room, caches = 0;

	while (heap_cache_info_below(info.number, &info))
		caches++;
	for (t->order = 0; t->order < MAX_PAGE_ORDER && (PAGE_SIZE << t->order) / sizeof(*t->row) < caches;)
		t->order++;
	room = (unsigned int)((PAGE_SIZE << t->order) / sizeof(*t->row));
	t->page = alloc_pages(GFP_KERNEL, t->order);
	if (!t->page) {
		monitor_say(mon, "no memory for a table of %u caches\n", caches);
		return false;
	}
	t->row = page_address(t->page);
	t->nr = 0;
	info.number = ~0u;
	while (t->nr < room && heap_cache_info_below(info.number, &info))
		fill_row(&t->row[t->nr++], &info);
	return true;
}

static void table_free(struct table *t)
{
	__free_pages(t->page, t->order);
}

/* ---- Order ---- */

static u64 percent(u64 part, u64 whole)
{
	return whole ? part * 100 / whole : 0;
}

/* procps' keys. */
static const char sort_keys[] = "abcnlopsuv";

static u64 key_value(const struct row *r, char key)
{
	switch (key) {
	case 'a':
		return r->used;
	case 'b':
		return r->per_slab;
	case 'l':
		return r->slabs;
	case 'o':
		return r->objects;
	case 'p':
		return r->pages;
	case 's':
		return r->size;
	case 'u':
		return percent(r->used, r->objects);
	case 'v':
		return r->active_slabs;
	default:
		return r->bytes;
	}
}

/* Does @a stand above @b? Names from a to z, numbers from the greatest down, names where they are equal. */
static bool above(const struct row *a, const struct row *b, char key)
{
	u64 x = key_value(a, key), y = key_value(b, key);

	if (key != 'n' && x != y)
		return x > y;
	return strcmp(a->name, b->name) < 0;
}

/* By insertion: there are some hundred rows. */
static void table_sort(struct table *t, char key)
{
	for (unsigned int i = 1; i < t->nr; i++) {
		struct row row = t->row[i];
		unsigned int j = i;

		for (; j && above(&row, &t->row[j - 1], key); j--)
			t->row[j] = t->row[j - 1];
		t->row[j] = row;
	}
}

/* ---- slabtop ---- */

struct slabtop {
	char key;
	bool load;
	struct stress_heap stress;
};

static u64 tenths_percent(u64 part, u64 whole)
{
	return whole ? (part * 2000 + whole) / (whole * 2) : 0;
}

static void total_line(struct monitor *mon, const char *what, u64 part, u64 whole)
{
	u64 tenths = tenths_percent(part, whole);

	monitor_say(mon, " Active / Total %-20s: %llu / %llu (%llu.%llu%%)\n", what, (unsigned long long)part,
		    (unsigned long long)whole, (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10));
}

/* Hundredths of a KiB, rounded as C's printf does: to the nearest, ties to even. */
static u64 kib_hundredths(u64 bytes)
{
	u64 scaled = bytes * 100, whole = scaled >> 10, rest = scaled & 1023;

	return whole + (rest > 512 || (rest == 512 && (whole & 1)));
}

static void size_line(struct monitor *mon, u64 part, u64 whole)
{
	u64 tenths = tenths_percent(part, whole), a = kib_hundredths(part), b = kib_hundredths(whole);

	monitor_say(mon, " Active / Total %-20s: %llu.%02lluK / %llu.%02lluK (%llu.%llu%%)\n", "Size (% used)",
		    (unsigned long long)(a / 100), (unsigned long long)(a % 100), (unsigned long long)(b / 100),
		    (unsigned long long)(b % 100), (unsigned long long)(tenths / 10),
		    (unsigned long long)(tenths % 10));
}

static void show_totals(struct monitor *mon, const struct table *t)
{
	u64 used = 0, objects = 0, active = 0, slabs = 0, caches = 0, used_bytes = 0, bytes = 0;
	u32 least = ~0u, most = 0;

	for (unsigned int i = 0; i < t->nr; i++) {
		const struct row *r = &t->row[i];

		used += r->used;
		objects += r->objects;
		active += r->active_slabs;
		slabs += r->slabs;
		caches += r->objects != 0; /* as procps counts them */
		used_bytes += (u64)r->used * r->size;
		bytes += (u64)r->objects * r->size;
		least = min(least, r->size);
		most = max(most, r->size);
	}
	total_line(mon, "Objects (% used)", used, objects);
	total_line(mon, "Slabs (% used)", active, slabs);
	total_line(mon, "Caches (% used)", caches, t->nr);
	size_line(mon, used_bytes, bytes);
	monitor_say(mon, " Minimum / Average / Maximum Object : %u / %llu / %u bytes\n\n", t->nr ? least : 0,
		    (unsigned long long)(objects ? bytes / objects : 0), most);
}

static const char *use_colour(const struct monitor *mon, const struct row *r)
{
	u64 use = percent(r->used, r->objects);

	return !mon->colour || !r->objects ? "" : use >= 75 ? "\033[32m" : use >= 40 ? "\033[33m" : "\033[31m";
}

static void show_row(struct monitor *mon, const struct row *r)
{
	const char *colour = use_colour(mon, r);
	u32 size = (u32)kib_hundredths(r->size);

	monitor_say(mon, "%6lu %6lu %s%3llu%%%s ", r->objects, r->used, colour,
		    (unsigned long long)percent(r->used, r->objects), *colour ? "\033[0m" : "");
	monitor_say(mon, "%4u.%02uK %6lu %8u %9lluK %s\n", size / 100, size % 100, r->slabs, r->per_slab,
		    (unsigned long long)(r->bytes >> 10), r->name);
}

/* At most @rows lines, of them eight above the first cache; 0: all. */
static void draw_slabtop(struct monitor *mon, void *arg, unsigned int rows)
{
	struct slabtop *top = arg;
	struct table t;

	if (top->load)
		monitor_run_all(mon, stress_heap_cpu, &top->stress);
	if (!table_make(mon, &t))
		return;
	table_sort(&t, top->key);
	show_totals(mon, &t);
	monitor_say(mon, "%s  OBJS ACTIVE  USE OBJ SIZE  SLABS OBJ/SLAB CACHE SIZE NAME%s\n",
		    mon->colour ? "\033[7m" : "", mon->colour ? "\033[0m" : "");
	for (unsigned int i = 0; i < t.nr && (!rows || i + 8 < rows); i++)
		show_row(mon, &t.row[i]);
	table_free(&t);
}

void monitor_show_slabtop(struct monitor *mon, char key, unsigned int rows)
{
	struct slabtop top = { .key = key };

	draw_slabtop(mon, &top, rows ? rows + 8 : 0);
}

int cmd_slabtop(struct monitor *mon, char *args)
{
	static const char how[] = "slabtop [-o] [-l] [-s a|b|c|l|n|o|p|s|u|v]   (-o: once; -l: with a load to look at)";
	struct slabtop top = { .key = 'c', .stress = { .ops = 2000, .seed = port_random() } };
	bool once = false;
	char *word;

	while ((word = next_word(&args))) {
		const char *key = word + 2;

		if (!strcmp(word, "-o") || !strcmp(word, "--once")) {
			once = true;
		} else if (!strcmp(word, "-l")) {
			top.load = true;
		} else if (!strncmp(word, "-s", 2)) {
			if (!*key)
				key = next_word(&args);
			if (!key || !*key || key[1] || !strchr(sort_keys, *key))
				return monitor_usage(mon, how);
			top.key = *key;
		} else {
			return monitor_usage(mon, how);
		}
	}
	if (once || !mon->live)
		draw_slabtop(mon, &top, 0);
	else
		mon->live(mon, draw_slabtop, &top);
	stress_heap_end(&top.stress);
	return 0;
}

/* ---- heap ---- */

enum state { STATE_FREE, STATE_AT_HAND, STATE_USED, STATE_OTHER, STATES };

static void show_states(struct monitor *mon, enum state state, unsigned int times)
{
	static const char *const ascii[STATES] = { ".", "o", "#", "x" };
	static const char *const blocks[STATES] = { "·", "▒", "█", "░" };
	static const char *const colours[STATES] = { "\033[32m", "\033[36m", "\033[31m", "\033[33m" };

	if (times && mon->colour)
		monitor_say(mon, "%s", colours[state]);
	while (times--)
		monitor_say(mon, "%s", mon->unicode ? blocks[state] : ascii[state]);
}

static void show_legend(struct monitor *mon, bool shared)
{
	static const char *const ascii[] = { "# used  o free, at hand in a CPU's magazine  . free in its slab",
					     "# used  x used by other caches  . free" };
	static const char *const blocks[] = { "█ used  ▒ free, at hand in a CPU's magazine  · free in its slab",
					      "█ used  ░ used by other caches  · free" };

	monitor_say(mon, "  %s\n", mon->unicode ? blocks[shared] : ascii[shared]);
}

#define BAR 32u

static void show_cache_bar(struct monitor *mon, const struct row *r)
{
	unsigned int used = (unsigned int)DIV_ROUND_UP((u64)r->used * BAR, r->objects);
	unsigned int at_hand = (unsigned int)DIV_ROUND_UP((u64)r->at_hand * BAR, r->objects);
	char size[SIZE_TEXT_MAX];

	at_hand = min(at_hand, BAR - used);
	monitor_say(mon, "%-20s %6s ", r->name, size_text(r->bytes, size));
	show_states(mon, STATE_USED, used);
	show_states(mon, STATE_AT_HAND, at_hand);
	show_states(mon, STATE_FREE, BAR - used - at_hand);
	monitor_say(mon, "%s %lu of %lu\n", mon->colour ? "\033[0m" : "", r->used, r->objects);
}

static int show_caches(struct monitor *mon)
{
	struct table t;
	u64 live = 0, bytes = 0;
	char size[2][SIZE_TEXT_MAX];

	if (!table_make(mon, &t))
		return -ENOMEM;
	table_sort(&t, 'c');
	for (unsigned int i = 0; i < t.nr; i++) {
		const struct row *r = &t.row[i];

		live += (u64)r->used * r->size;
		bytes += r->bytes;
		if (r->objects)
			show_cache_bar(mon, r);
	}
	table_free(&t);
	show_legend(mon, false);
	monitor_say(mon, "  back end %s: %s in slabs, %s of it in %u caches' live objects (%llu%%)\n", backend_name,
		    size_text(bytes, size[0]), size_text(live, size[1]), t.nr,
		    (unsigned long long)percent(live, bytes));
	return 0;
}

/* One slab's objects, copied: nothing is printed while the back end walks its slabs. */
struct look {
	struct kmem_cache *cache;
	unsigned int skip;
	bool found, shared;
	const void *start;
	unsigned int node, order, nr;
	u8 state[PAGE_SIZE - 64];
};

/* A page that caches share: not objects but pieces of CELL bytes, whoever they belong to. */
#define CELL 16u

static void look_at_shared(struct look *look, struct slab *slab)
{
	const char *start = slab_start(slab);

	look->shared = true;
	look->nr = (unsigned int)min((PAGE_SIZE << slab->order) / CELL, (size_t)ARRAY_SIZE(look->state));
	for (unsigned int i = 0; i < look->nr; i++) {
		const void *object = backend_object_of(slab, start + (size_t)i * CELL);
		/* a smaller one may begin behind the cell's start */
		const void *at = object ? object : backend_object_of(slab, start + (size_t)i * CELL + CELL / 2);

		look->state[i] = !at || backend_is_free(slab, at)		    ? STATE_FREE :
				 backend_cache_of(slab, at) == look->cache ? STATE_USED :
									      STATE_OTHER;
	}
}

static bool look_at_slab(struct slab *slab, void *arg)
{
	struct look *look = arg;

	if (look->skip) {
		look->skip--;
		return true;
	}
	look->found = true;
	look->start = slab_start(slab);
	look->node = slab->node;
	look->order = slab->order;
	look->shared = false;
	if (!slab->cache) {
		look_at_shared(look, slab);
		return false;
	}
	look->nr = min(slab->objects, (u16)ARRAY_SIZE(look->state));
	for (unsigned int i = 0; i < look->nr; i++) {
		const void *object = slab_object(look->cache, slab, i);

		look->state[i] = backend_is_free(slab, object)		      ? STATE_FREE :
				 heap_object_at_hand(look->cache, object) ? STATE_AT_HAND :
									     STATE_USED;
	}
	return false;
}

static void show_slab(struct monitor *mon, const struct look *look)
{
	unsigned int count[STATES] = { 0 };

	for (unsigned int i = 0; i < look->nr; i++)
		count[look->state[i]]++;
	monitor_say(mon, "%p node %u, %u page%s: ", look->start, look->node, 1u << look->order,
		    look->order ? "s" : "");
	if (look->shared)
		monitor_say(mon, "shared, a cell is %u bytes; %u of this cache, %u of others, %u free\n", CELL,
			    count[STATE_USED], count[STATE_OTHER], count[STATE_FREE]);
	else
		monitor_say(mon, "%u used, %u at hand, %u free\n", count[STATE_USED], count[STATE_AT_HAND],
			    count[STATE_FREE]);
	for (unsigned int i = 0; i < look->nr; i++) {
		if (i % 64 == 0)
			monitor_say(mon, "  ");
		show_states(mon, (enum state)look->state[i], 1);
		if (i % 64 == 63 || i == look->nr - 1)
			monitor_say(mon, "%s\n", mon->colour ? "\033[0m" : "");
	}
}

static int show_slabs(struct monitor *mon, struct kmem_cache *cache, unsigned int slabs)
{
	struct page *page = alloc_pages(GFP_KERNEL, 0);
	struct look *look = page ? page_address(page) : NULL;
	unsigned int shown = 0;
	bool shared = false;

	if (!look) {
		monitor_say(mon, "no memory for a picture\n");
		return -ENOMEM;
	}
	for (; shown < slabs; shown++) {
		look->cache = cache;
		look->skip = shown;
		look->found = false;
		backend_for_each_slab(cache, look_at_slab, look);
		if (!look->found)
			break;
		shared |= look->shared;
		show_slab(mon, look);
	}
	__free_pages(page, 0);
	if (shown)
		show_legend(mon, shared);
	else
		monitor_say(mon, "%s has no slab\n", cache->name);
	return 0;
}

int cmd_heap(struct monitor *mon, char *args)
{
	char *name = next_word(&args), *word = next_word(&args);
	struct kmem_cache *cache;
	u64 slabs = 8;
	long id;
	int error;

	if (!name)
		return show_caches(mon);
	if (word && (!parse_number_word(word, 1000, &slabs) || !slabs))
		return monitor_usage(mon, "heap [CACHE [SLABS]]   (1 to 1000 slabs)");
	id = heap_cache_find(name, strlen(name));
	cache = id < 0 ? NULL : heap_cache_get((u32)id);
	if (!cache) {
		monitor_say(mon, "no cache '%s' (\"slabinfo\" lists them)\n", name);
		return -ENOENT;
	}
	error = show_slabs(mon, cache, (unsigned int)slabs);
	heap_cache_put(cache);
	return error;
}
