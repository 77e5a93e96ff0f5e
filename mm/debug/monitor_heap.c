// SPDX-License-Identifier: MIT
/*
 * The monitor's commands on the heap.
 *
 * Memory use: as with pages, the objects of one command form a chain through their own first words, and a table of
 * fixed size holds the chains' heads. The chains also keep the objects reachable for kmemleak.
 */
#include "../base/printk.h"
#include "../base/string.h"
#include "../slab/info.h"
#include "../slab/percpu.h"
#include "monitor_words.h"

#define HANDLES 64
#define CREATED 16
#define POKE_REACH 64

/* What one kmalloc or kmem_cache alloc got. */
struct handle {
	unsigned long count; /* 0: unused */
	void *first;	     /* each object's first word leads on */
	struct kmem_cache *cache; /* held; NULL: of kmalloc() */
	size_t size;
};

/* Caches that were made here: only those may be destroyed here. */
struct created {
	struct kmem_cache *cache;
	char name[CACHE_NAME_MAX];
};

static struct {
	struct handle handle[HANDLES];
	struct created created[CREATED];
} mine __memsys;

/* ---- Handles ---- */

static void show_handle(struct monitor *mon, unsigned int i)
{
	const struct handle *h = &mine.handle[i];

	/* not ksize(): who asks for that may use the slack, and debugging would no longer guard it */
	monitor_say(mon, "k%u: %lu x %zu bytes ", i + 1, h->count, h->size);
	if (h->cache)
		monitor_say(mon, "of %s", kmem_cache_name(h->cache));
	else
		monitor_say(mon, "(class %zu)", kmalloc_size_roundup(h->size));
	monitor_say(mon, ", the latest at %p\n", h->first);
}

void monitor_list_objects(struct monitor *mon)
{
	for (unsigned int i = 0; i < HANDLES; i++)
		if (mine.handle[i].count)
			show_handle(mon, i);
}

/* "k1", "#1" or "1". NULL after a message. */
static struct handle *find_handle(struct monitor *mon, const char *word)
{
	u64 id;

	if (word && parse_number_word(word + (*word == 'k' || *word == '#'), HANDLES, &id) && id &&
	    mine.handle[id - 1].count)
		return &mine.handle[id - 1];
	monitor_say(mon, "no objects '%s' (\"list\" shows them)\n", word ? word : "");
	return NULL;
}

/* Allocates and remembers. The handle holds the cache too, until free_handle(). */
static int take_objects(struct monitor *mon, struct kmem_cache *cache, size_t size, gfp_t gfp, u64 count)
{
	unsigned int i = 0;
	u64 wanted = count;
	struct handle *h;

	while (i < HANDLES && mine.handle[i].count)
		i++;
	if (i == HANDLES) {
		monitor_say(mon, "%u allocations are outstanding: free some first\n", HANDLES);
		return -ENOSPC;
	}
	h = &mine.handle[i];
	*h = (struct handle){ .size = size };
	for (; wanted; wanted--) {
		void **object = cache ? kmem_cache_alloc(cache, gfp) : kmalloc(size, gfp);

		if (!object)
			break;
		*object = h->first;
		h->first = object;
		h->count++;
	}
	if (h->count) {
		h->cache = cache ? heap_cache_get(cache->number) : NULL;
		show_handle(mon, i);
	}
	if (!wanted)
		return 0;
	monitor_say(mon, "out of memory: %llu of %llu objects are missing\n", (unsigned long long)wanted,
		    (unsigned long long)count);
	return -ENOMEM;
}

static void let_go(struct handle *h)
{
	if (h->cache)
		heap_cache_put(h->cache);
	*h = (struct handle){ 0 };
}

static void free_handle(struct handle *h)
{
	while (h->count) {
		void **object = h->first;

		h->first = *object;
		h->count--;
		if (h->cache)
			kmem_cache_free(h->cache, object);
		else
			kfree(object);
	}
	let_go(h);
}

int cmd_kmalloc(struct monitor *mon, char *args)
{
	static const char how[] = "kmalloc SIZE [FLAGS] [xCOUNT]   (SIZE: bytes, 100 or 2K)";
	char *word = next_word(&args);
	const char *end = word;
	gfp_t gfp = GFP_KERNEL;
	u64 size = 0, count = 1;

	if (word)
		size = memparse(word, &end);
	if (!word || end == word || *end || size < sizeof(void *) || size > KMALLOC_MAX_SIZE) {
		if (word)
			monitor_say(mon, "size '%s': %u to %u bytes are needed\n", word, (unsigned int)sizeof(void *),
				    (unsigned int)KMALLOC_MAX_SIZE);
		return monitor_usage(mon, how);
	}
	if (parse_alloc_words(mon, &args, &gfp, &count))
		return monitor_usage(mon, how);
	return take_objects(mon, NULL, (size_t)size, gfp, count);
}

int cmd_kfree(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	struct handle *h;

	if (!word)
		return monitor_usage(mon, "kfree ID|all");
	if (!strcmp(word, "all")) {
		for (unsigned int i = 0; i < HANDLES; i++)
			free_handle(&mine.handle[i]);
		return 0;
	}
	for (; word; word = next_word(&args)) {
		h = find_handle(mon, word);
		if (!h)
			return -ENOENT;
		free_handle(h);
	}
	return 0;
}

int cmd_forget(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	struct handle *h;

	if (!word)
		return monitor_usage(mon, "forget ID   (the objects stay allocated, and nobody knows where)");
	h = find_handle(mon, word);
	if (!h)
		return -ENOENT;
	/* nor may one of them lead to the next */
	while (h->first) {
		void **object = h->first;

		h->first = *object;
		*object = NULL;
	}
	let_go(h);
	return 0;
}

/* Only bytes near an object that is ours: enough for a guard zone, not for another page. */
int cmd_poke(struct monitor *mon, char *args)
{
	static const char how[] = "poke ID OFFSET   (a number of bytes from the object's start; may be negative)";
	char *word = next_word(&args), *number = next_word(&args);
	bool negative = number && *number == '-';
	volatile u8 *byte;
	struct handle *h;
	u64 offset;

	if (!word)
		return monitor_usage(mon, how);
	h = find_handle(mon, word);
	if (!h)
		return -ENOENT;
	if (!parse_number_word(number ? number + negative : NULL, negative ? POKE_REACH : h->size + POKE_REACH - 1,
			       &offset)) {
		monitor_say(mon, "offset '%s': from -%d to %zu\n", number ? number : "", POKE_REACH,
			    h->size + POKE_REACH - 1);
		return monitor_usage(mon, how);
	}
	byte = (volatile u8 *)h->first + (negative ? -(ptrdiff_t)offset : (ptrdiff_t)offset);
	*byte = (u8)~*byte;
	return 0;
}

/* ---- Caches ---- */

static const struct {
	const char *name;
	slab_flags_t flag;
} slab_flag_names[] = {
	{ "SLAB_CONSISTENCY_CHECKS", SLAB_CONSISTENCY_CHECKS },
	{ "SLAB_RED_ZONE", SLAB_RED_ZONE },
	{ "SLAB_POISON", SLAB_POISON },
	{ "SLAB_STORE_USER", SLAB_STORE_USER },
	{ "SLAB_TRACE", SLAB_TRACE },
	{ "SLAB_HWCACHE_ALIGN", SLAB_HWCACHE_ALIGN },
	{ "SLAB_CACHE_DMA", SLAB_CACHE_DMA },
	{ "SLAB_CACHE_DMA32", SLAB_CACHE_DMA32 },
	{ "SLAB_TYPESAFE_BY_RCU", SLAB_TYPESAFE_BY_RCU },
	{ "SLAB_NOLEAKTRACE", SLAB_NOLEAKTRACE },
	{ "SLAB_NO_MERGE", SLAB_NO_MERGE },
	{ "SLAB_FAILSLAB", SLAB_FAILSLAB },
	{ "SLAB_ACCOUNT", SLAB_ACCOUNT },
	{ "SLAB_RECLAIM_ACCOUNT", SLAB_RECLAIM_ACCOUNT },
};

/* Flags joined by "|" or "+". NULL, or the part that is none. */
static const char *parse_slab_flags(const char *text, slab_flags_t *flags)
{
	while (*text) {
		size_t len = 0;
		unsigned int i = 0;

		while (text[len] && text[len] != '|' && text[len] != '+')
			len++;
		while (i < ARRAY_SIZE(slab_flag_names) && (strlen(slab_flag_names[i].name) != len ||
							    strncmp(slab_flag_names[i].name, text, len)))
			i++;
		if (i == ARRAY_SIZE(slab_flag_names))
			return text;
		*flags |= slab_flag_names[i].flag;
		text += len + (text[len] != 0);
	}
	return NULL;
}

static struct created *find_created(const char *name)
{
	for (unsigned int i = 0; i < CREATED; i++)
		if (mine.created[i].cache && !strcmp(mine.created[i].name, name))
			return &mine.created[i];
	return NULL;
}

/* Holds the cache of a name, one that was made here or any other. NULL after a message. */
static struct kmem_cache *hold_cache(struct monitor *mon, const char *name)
{
	struct created *made = find_created(name);
	long id = made ? (long)made->cache->number : heap_cache_find(name, strlen(name));
	struct kmem_cache *cache = id < 0 ? NULL : heap_cache_get((u32)id);

	if (!cache)
		monitor_say(mon, "no cache '%s' (\"slabinfo\" lists them)\n", name);
	return cache;
}

static int cache_create(struct monitor *mon, const char *name, char *args)
{
	static const char how[] = "kmem_cache create NAME SIZE [align=N] [FLAGS]   (FLAGS: SLAB_POISON|SLAB_RED_ZONE)";
	char *word = next_word(&args);
	struct created *made = mine.created;
	struct kmem_cache_args more = { 0 };
	slab_flags_t flags = 0;
	u64 size, align;

	if (!parse_number_word(word, KMALLOC_MAX_SIZE, &size) || size < sizeof(void *)) {
		monitor_say(mon, "size '%s': %u to %u bytes are needed\n", word ? word : "",
			    (unsigned int)sizeof(void *), (unsigned int)KMALLOC_MAX_SIZE);
		return monitor_usage(mon, how);
	}
	while ((word = next_word(&args))) {
		bool is_align = !strncmp(word, "align=", 6);
		const char *bad = is_align ? NULL : parse_slab_flags(word, &flags);

		if (is_align && !parse_number_word(word + 6, PAGE_SIZE, &align))
			bad = word;
		if (bad) {
			monitor_say(mon, "'%s' is neither SLAB flags nor align=N\n", bad);
			return monitor_usage(mon, how);
		}
		if (is_align)
			more.align = (unsigned int)align;
	}
	while (made < mine.created + CREATED && made->cache)
		made++;
	if (made == mine.created + CREATED || find_created(name) || strlen(name) >= sizeof(made->name)) {
		monitor_say(mon, "%s: %s\n", name, find_created(name) ? "there is such a cache" :
			    strlen(name) >= sizeof(made->name)		  ? "the name is too long" :
									    "no room for another");
		return -EEXIST;
	}
	made->cache = __kmem_cache_create_args(name, (unsigned int)size, &more, flags);
	if (!made->cache) {
		monitor_say(mon, "%s: no cache; the kernel log says why\n", name);
		return -EINVAL;
	}
	strscpy(made->name, name, sizeof(made->name));
	monitor_say(mon, "%s: %u bytes each, %u in a slab of %u page%s%s%s\n", name, made->cache->size,
		    made->cache->objects, 1u << made->cache->order, made->cache->order ? "s" : "",
		    strcmp(kmem_cache_name(made->cache), name) ? "; shares " : "",
		    strcmp(kmem_cache_name(made->cache), name) ? kmem_cache_name(made->cache) : "");
	return 0;
}

static int cache_destroy(struct monitor *mon, const char *name)
{
	struct created *made = find_created(name);

	if (!made) {
		monitor_say(mon, "'%s' was not created here\n", name);
		return -ENOENT;
	}
	for (unsigned int i = 0; i < HANDLES; i++) {
		if (mine.handle[i].count && mine.handle[i].cache == made->cache) {
			monitor_say(mon, "%s: objects k%u are allocated (kfree or forget them)\n", name, i + 1);
			return -EBUSY;
		}
	}
	kmem_cache_destroy(made->cache);
	made->cache = NULL;
	return 0;
}

static int cache_alloc(struct monitor *mon, const char *name, char *args)
{
	gfp_t gfp = GFP_KERNEL;
	u64 count = 1;
	struct kmem_cache *cache;
	int error = -EINVAL;

	if (parse_alloc_words(mon, &args, &gfp, &count))
		return monitor_usage(mon, "kmem_cache alloc NAME [FLAGS] [xCOUNT]");
	cache = hold_cache(mon, name);
	if (!cache)
		return -ENOENT;
	if (cache->ctor || cache->object_size < sizeof(void *))
		monitor_say(mon, "%s: its objects %s, and the monitor needs a word in each\n", name,
			    cache->ctor ? "are constructed" : "are too small");
	else
		error = take_objects(mon, cache, cache->object_size, gfp, count);
	heap_cache_put(cache);
	return error;
}

static unsigned long shrink_one(u32 id)
{
	struct kmem_cache *cache = heap_cache_get(id);
	struct cache_info before, after;
	unsigned long pages = 0;

	if (!cache)
		return 0;
	if (heap_cache_info(id, &before)) {
		kmem_cache_shrink(cache);
		if (heap_cache_info(id, &after) && after.counts.slabs.slabs < before.counts.slabs.slabs)
			pages = (before.counts.slabs.slabs - after.counts.slabs.slabs) << before.order;
	}
	heap_cache_put(cache);
	return pages;
}

static int shrink_named(struct monitor *mon, const char *name)
{
	struct kmem_cache *cache = hold_cache(mon, name);
	unsigned long pages;

	if (!cache)
		return -ENOENT;
	pages = shrink_one(cache->number);
	heap_cache_put(cache);
	monitor_say(mon, "%s: %lu page%s given back\n", name, pages, pages == 1 ? "" : "s");
	return 0;
}

int cmd_shrink(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	unsigned long pages = 0;

	if (word)
		return shrink_named(mon, word);
	for (u32 from = 0, id; heap_cache_next(from, &id); from = id + 1)
		pages += shrink_one(id);
	monitor_say(mon, "%lu page%s given back\n", pages, pages == 1 ? "" : "s");
	return 0;
}

int cmd_kmem_cache(struct monitor *mon, char *args)
{
	static const char how[] = "kmem_cache create NAME SIZE [align=N] [FLAGS] | alloc NAME [FLAGS] [xCOUNT] |\n"
				  "       kmem_cache free ID | shrink NAME | destroy NAME";
	char *verb = next_word(&args), *name = next_word(&args);
	struct handle *h;

	if (!verb || !name)
		return monitor_usage(mon, how);
	if (!strcmp(verb, "create"))
		return cache_create(mon, name, args);
	if (!strcmp(verb, "destroy"))
		return cache_destroy(mon, name);
	if (!strcmp(verb, "alloc"))
		return cache_alloc(mon, name, args);
	if (!strcmp(verb, "shrink"))
		return shrink_named(mon, name);
	if (strcmp(verb, "free"))
		return monitor_usage(mon, how);
	h = find_handle(mon, name);
	if (!h)
		return -ENOENT;
	free_handle(h);
	return 0;
}

/* ---- Files ---- */

int cmd_slabinfo(struct monitor *mon, char *args)
{
	int error = octavo_proc_read("/proc/slabinfo", mon->emit, mon->ctx);

	(void)args;
	return error ? monitor_failed(mon, "/proc/slabinfo", error) : 0;
}

int cmd_drop_caches(struct monitor *mon, char *args)
{
	char *word = next_word(&args);
	long error;

	if (!word)
		return monitor_usage(mon, "drop_caches 1|2|3   (page cache, slab, both)");
	error = octavo_proc_write("/proc/sys/vm/drop_caches", word, strlen(word));
	return error < 0 ? monitor_failed(mon, word, (int)error) : 0;
}

struct tell {
	struct monitor *mon;
	bool any;
};

static void emit_and_tell(void *ctx, const char *text, size_t len)
{
	struct tell *tell = ctx;

	tell->any = true;
	tell->mon->emit(tell->mon->ctx, text, len);
}

int cmd_leak(struct monitor *mon, char *args)
{
	struct tell tell = { .mon = mon };
	static const char path[] = "/sys/kernel/debug/kmemleak";
	char *word = next_word(&args);
	const char *what = word ? word : "scan";
	long error;

	error = octavo_proc_write(path, what, strlen(what));
	if (error >= 0 && !word)
		error = octavo_proc_read(path, emit_and_tell, &tell);
	if (error == -ENOENT)
		monitor_say(mon, "kmemleak is off: boot with kmemleak=on\n");
	else if (error < 0)
		monitor_failed(mon, what, (int)error);
	else if (!word && !tell.any)
		monitor_say(mon, "nothing is lost (what is younger than 5 seconds is not looked at)\n");
	return error < 0 ? (int)error : 0;
}

/* ---- Per-CPU memory ---- */

int cmd_percpu(struct monitor *mon, char *args)
{
	unsigned long used, areas, errors;
	char size[2][SIZE_TEXT_MAX];
	unsigned int chunks;
	unsigned long flags;

	(void)args;
	spin_lock_irqsave(&percpu.lock, flags);
	used = percpu.used;
	areas = percpu.areas;
	chunks = 1 + percpu.nr_later;
	spin_unlock_irqrestore(&percpu.lock, flags);
	errors = load_relaxed(&percpu.errors);
	monitor_say(mon, "%lu areas of alloc_percpu(), %s on each of %u CPUs; %u chunk%s, ", areas,
		    size_text((u64)used * GRANULE, size[0]), nr_cpu_ids, chunks, chunks == 1 ? "" : "s");
	monitor_say(mon, "%s in all, static variables and room for more included\n",
		    size_text((u64)percpu_pages() << PAGE_SHIFT, size[1]));
	if (errors)
		monitor_say(mon, "%lu frees made no sense (the kernel log has them)\n", errors);
	return 0;
}
