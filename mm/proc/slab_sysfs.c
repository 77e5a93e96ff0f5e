// SPDX-License-Identifier: MIT
/*
 * /sys/kernel/slab/CACHE: one file a property, as Linux's slub has them.
 * Format: Documentation/ABI/testing/sysfs-kernel-slab.
 *
 * Counts are followed by those of each node that has any: "12 N0=8 N1=4". Kernels without NUMA show the sum alone.
 */
#include "proc.h"

#include <octavo/port.h>

#include "../slab/debug.h"
#include "../slab/info.h"

struct slab_attr {
	void (*show)(struct seq_file *m, const struct cache_info *info);
	/* May be NULL. */
	int (*store)(struct kmem_cache *cache, const char *text);
};

void slab_attr_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	const struct slab_attr *attr = entry->data;
	struct cache_info info;

	/* A cache that was destroyed since the path was looked up has an empty file, as in Linux one held open. */
	if (heap_cache_info((u32)id, &info))
		attr->show(m, &info);
}

int slab_attr_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	const struct slab_attr *attr = entry->data;
	struct kmem_cache *cache = heap_cache_get((u32)id);
	int error;

	if (!cache)
		return -ENOENT;
	error = attr->store(cache, text);
	heap_cache_put(cache);
	return error;
}

#define SHOW(name) static void show_##name(struct seq_file *m, const struct cache_info *info)
#define ATTR(name) const struct slab_attr slab_attr_##name = { show_##name, NULL }
#define ATTR_RW(name) const struct slab_attr slab_attr_##name = { show_##name, store_##name }

#define NUMBER_ATTR(name, value)                   \
	SHOW(name)                                 \
	{                                          \
		seq_printf(m, "%u\n", (u32)(value)); \
	}                                          \
	ATTR(name)

#define FLAG_ATTR(name, flag) NUMBER_ATTR(name, (info->flags & (flag)) != 0)

NUMBER_ATTR(aliases, info->aliases);
NUMBER_ATTR(align, info->align);
NUMBER_ATTR(object_size, info->object_size);
NUMBER_ATTR(objs_per_slab, info->objects);
NUMBER_ATTR(order, info->order);
NUMBER_ATTR(slab_size, info->size);
NUMBER_ATTR(usersize, info->usersize);
FLAG_ATTR(cache_dma, SLAB_CACHE_DMA);
FLAG_ATTR(destroy_by_rcu, SLAB_TYPESAFE_BY_RCU);
FLAG_ATTR(hwcache_align, SLAB_HWCACHE_ALIGN);
FLAG_ATTR(reclaim_account, SLAB_RECLAIM_ACCOUNT);
FLAG_ATTR(poison, SLAB_POISON);
FLAG_ATTR(red_zone, SLAB_RED_ZONE);
FLAG_ATTR(sanity_checks, SLAB_CONSISTENCY_CHECKS);
FLAG_ATTR(store_user, SLAB_STORE_USER);
FLAG_ATTR(trace, SLAB_TRACE);

SHOW(ctor)
{
	char name[128];

	if (!info->ctor)
		return;
	port_symbol(info->ctor, name, sizeof(name));
	seq_printf(m, "%s\n", name);
}
ATTR(ctor);

/* ---- Counts ---- */

static unsigned long count_slabs(const struct cache_info *info, const struct heap_counts *c)
{
	(void)info;
	return c->slabs.slabs;
}

static unsigned long count_total(const struct cache_info *info, const struct heap_counts *c)
{
	(void)info;
	return c->slabs.objects;
}

static unsigned long count_used(const struct cache_info *info, const struct heap_counts *c)
{
	(void)info;
	return heap_objects_used(c);
}

static unsigned long count_cpu_slabs(const struct cache_info *info, const struct heap_counts *c)
{
	(void)info;
	return c->cpu_slabs;
}

static unsigned long count_partial(const struct cache_info *info, const struct heap_counts *c)
{
	(void)info;
	return c->slabs.partial;
}

/* Objects taken from partial slabs: all that were taken, less those of full slabs. */
static unsigned long count_used_partial(const struct cache_info *info, const struct heap_counts *c)
{
	unsigned long full = c->slabs.active_slabs - min(c->slabs.partial, c->slabs.active_slabs);
	unsigned long out = c->slabs.objects - min(c->slabs.free, c->slabs.objects);

	return out - min(full * info->objects, out);
}

typedef unsigned long (*count_fn)(const struct cache_info *info, const struct heap_counts *c);

static void show_counts(struct seq_file *m, const struct cache_info *info, count_fn count)
{
	unsigned long nodes[MAX_NUMNODES], sum = 0;
	struct heap_counts c;

	for (unsigned int nid = 0; nid < nr_node_ids; nid++) {
		heap_cache_node_counts(info->number, (int)nid, &c);
		nodes[nid] = count(info, &c);
		sum += nodes[nid];
	}
	seq_printf(m, "%lu", sum);
	for (unsigned int nid = 0; nid < nr_node_ids && proc_machine_numa(); nid++)
		if (nodes[nid])
			seq_printf(m, " N%u=%lu", nid, nodes[nid]);
	seq_puts(m, "\n");
}

#define COUNT_ATTR(name, fn)               \
	SHOW(name)                         \
	{                                  \
		show_counts(m, info, fn);  \
	}                                  \
	ATTR(name)

COUNT_ATTR(cpu_slabs, count_cpu_slabs);
COUNT_ATTR(objects, count_used);
COUNT_ATTR(objects_partial, count_used_partial);
COUNT_ATTR(partial, count_partial);
COUNT_ATTR(slabs, count_slabs);
COUNT_ATTR(total_objects, count_total);

/* "OBJECTS(SLABS) C0=OBJECTS(SLABS) ...": how many objects are free in them is not known, half is taken to be. */
SHOW(slabs_cpu_partial)
{
	unsigned long sum = info->counts.cpu_slabs;

	seq_printf(m, "%lu(%lu)", sum * info->objects / 2, sum);
	for_each_online_cpu(cpu) {
		unsigned int nr = heap_cache_cpu_slabs(info->number, cpu);

		if (nr)
			seq_printf(m, " C%u=%u(%u)", cpu, nr * info->objects / 2, nr);
	}
	seq_puts(m, "\n");
}
ATTR(slabs_cpu_partial);

/* ---- What can be set ---- */

static int parse_value(const char *text, u64 most, u64 *value)
{
	bool overflow;
	size_t len = parse_u64(text, value, &overflow);

	if (len && text[len] == '\n')
		len++;
	return !len || text[len] || overflow || *value > most ? -EINVAL : 0;
}

NUMBER_ATTR(min_partial_value, info->min_partial);

SHOW(min_partial)
{
	show_min_partial_value(m, info);
}

static int store_min_partial(struct kmem_cache *cache, const char *text)
{
	u64 value;
	int error = parse_value(text, 0xffff, &value);

	if (!error)
		store_relaxed(&cache->min_partial, (u16)value);
	return error;
}
ATTR_RW(min_partial);

/* In objects; what is kept is slabs. */
SHOW(cpu_partial)
{
	seq_printf(m, "%u\n", info->cpu_slabs * info->objects);
}

/* Only slub's CPUs own slabs, and not of caches that check their objects. */
static int store_cpu_partial(struct kmem_cache *cache, const char *text)
{
	bool has = !strcmp(backend_name, "slub") && cache->mag_limit;
	u64 value, slabs;
	int error = parse_value(text, ~0u, &value);

	if (error)
		return error;
	slabs = DIV_ROUND_UP(value, (u64)max(cache->objects, (u16)1));
	if (slabs > 0xffff || (slabs && !has))
		return -EINVAL;
	store_relaxed(&cache->cpu_slabs, (u16)slabs);
	return 0;
}
ATTR_RW(cpu_partial);

static void show_nothing(struct seq_file *m, const struct cache_info *info)
{
	(void)m;
	(void)info;
}

/* sysfs's way to call a function: "1", whatever follows. */
static int store_shrink(struct kmem_cache *cache, const char *text)
{
	if (text[0] != '1')
		return -EINVAL;
	kmem_cache_shrink(cache);
	return 0;
}
const struct slab_attr slab_attr_shrink = { show_nothing, store_shrink };

static int store_flag(struct kmem_cache *cache, const char *text, slab_flags_t flag)
{
	u64 value;
	int error = parse_value(text, 1, &value);

	if (error)
		return error;
	if (value)
		atomic_fetch_or(&cache->flags, flag);
	else
		atomic_fetch_and(&cache->flags, ~flag);
	return 0;
}

SHOW(failslab)
{
	seq_printf(m, "%d\n", (info->flags & SLAB_FAILSLAB) != 0);
}

/* One name's wish must not fail another's allocations; the pin of slab_attr_store() is one of the users. */
static int store_failslab(struct kmem_cache *cache, const char *text)
{
	return READ_ONCE(cache->refcount) > 2 ? -EINVAL : store_flag(cache, text, SLAB_FAILSLAB);
}

SHOW(skip_kfence)
{
	seq_printf(m, "%d\n", (info->flags & SLAB_SKIP_KFENCE) != 0);
}

static int store_skip_kfence(struct kmem_cache *cache, const char *text)
{
	return store_flag(cache, text, SLAB_SKIP_KFENCE);
}
ATTR_RW(skip_kfence);
ATTR_RW(failslab);

/* What is damaged is reported; a cache that does not check its objects has nothing to look for. */
static int store_validate(struct kmem_cache *cache, const char *text)
{
	if (text[0] != '1' || !(cache->flags & SLAB_DEBUG_FLAGS))
		return -EINVAL;
	slab_debug_validate(cache);
	return 0;
}
const struct slab_attr slab_attr_validate = { show_nothing, store_validate };

/* ---- /sys/kernel/debug/slab: of caches that remember who allocated each object ---- */

static void put_traces(void *ctx, const char *text, size_t len)
{
	seq_write(ctx, text, len);
}

static void traces_show(struct seq_file *m, unsigned long id, enum track_item item)
{
	struct kmem_cache *cache = heap_cache_get((u32)id);

	if (!cache)
		return;
	if (slab_debug_traces(cache, item, put_traces, m) == -ENOMEM)
		pr_warn("slab %s: no memory to sort its traces\n", cache->name);
	heap_cache_put(cache);
}

void slab_alloc_traces_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	traces_show(m, id, TRACK_ALLOC);
}

void slab_free_traces_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	traces_show(m, id, TRACK_FREE);
}
