// SPDX-License-Identifier: MIT
/* Who allocated and freed an object last, and the lists of that (alloc_traces, free_traces). */
#include "../phys/gfp.h"
#include "../phys/zone.h"
#include "backend.h"
#include "debug.h"

#include "../base/printk.h"
#include "../base/string.h"

#define NS_PER_JIFFY 4000000u

u32 slab_debug_jiffies(void)
{
	return (u32)(port_clock_ns() / NS_PER_JIFFY);
}

struct track *slab_debug_track(const struct kmem_cache *cache, const void *object, enum track_item item)
{
	if (!(cache->flags & SLAB_STORE_USER) || !cache->debug)
		return NULL;
	return (struct track *)(object_meta(cache, object) + 1) + item;
}

void track_set(struct kmem_cache *cache, void *object, enum track_item item, uintptr_t caller, u32 stack)
{
	struct track *track = slab_debug_track(cache, object, item);

	if (!track)
		return;
	*track = (struct track){ .addr = caller,
				 .stack = stack,
				 .pid = (s32)current_task_pid(),
				 .cpu = smp_processor_id(),
				 .when = slab_debug_jiffies() };
}

/* ---- Walking ---- */

struct walk {
	struct kmem_cache *cache;
	enum track_item item;
	bool (*fn)(void *ctx, const struct track *track, size_t waste);
	void *ctx;
};

static bool walk_slab(struct slab *slab, void *ctx)
{
	const struct walk *w = ctx;
	struct kmem_cache *cache = w->cache;
	unsigned long flags;
	bool go = true;

	spin_lock_irqsave(&cache->debug->lock, flags);
	for (u32 i = 0; i < slab->objects && go; i++) {
		const void *object = slab_object(cache, slab, i);
		const struct object_meta *meta = object_meta(cache, object);

		if (meta->state == OBJECT_ALLOCATED)
			go = w->fn(w->ctx, slab_debug_track(cache, object, w->item),
				   cache->object_size - min(meta->orig_size, cache->object_size));
	}
	spin_unlock_irqrestore(&cache->debug->lock, flags);
	return go;
}

void slab_debug_for_each_track(struct kmem_cache *cache, enum track_item item,
			       bool (*fn)(void *ctx, const struct track *track, size_t waste), void *ctx)
{
	struct walk w = { cache, item, fn, ctx };

	if ((cache->flags & SLAB_STORE_USER) && cache->debug)
		backend_for_each_slab(cache, walk_slab, &w);
}

/* ---- Lists of places ---- */

#define CPUS_LISTED 256u /* on machines with more a range must do for the others */

/* All objects allocated (freed) at one place. */
struct place {
	uintptr_t addr;
	u32 stack;
	u32 count;
	u32 age_min, age_max;
	u64 age_sum, waste_sum;
	s32 pid_min, pid_max;
	u32 cpus[CPUS_LISTED / 32];
	u32 cpu_min, cpu_max; /* of those above the listed ones; cpu_max 0: none */
	bool shown;
};

#define TABLE_ORDER 6u
#define PLACES_MAX ((PAGE_SIZE << TABLE_ORDER) / sizeof(struct place))

struct places {
	struct place *all;
	u32 nr, lost, now;
};

static bool add_to_place(void *ctx, const struct track *track, size_t waste)
{
	struct places *p = ctx;
	u32 age = p->now - track->when, i = 0;
	struct place *place;

	while (i < p->nr && (p->all[i].addr != track->addr || p->all[i].stack != track->stack))
		i++;
	if (i == PLACES_MAX) {
		p->lost++;
		return true;
	}
	place = &p->all[i];
	if (i == p->nr) {
		p->nr++;
		*place = (struct place){ .addr = track->addr, .stack = track->stack, .age_min = age, .age_max = age,
					 .pid_min = track->pid, .pid_max = track->pid };
	}
	place->count++;
	place->age_min = min(place->age_min, age);
	place->age_max = max(place->age_max, age);
	place->age_sum += age;
	place->waste_sum += waste;
	place->pid_min = min(place->pid_min, track->pid);
	place->pid_max = max(place->pid_max, track->pid);
	if (track->cpu < CPUS_LISTED) {
		place->cpus[track->cpu / 32] |= 1u << track->cpu % 32;
	} else {
		place->cpu_min = place->cpu_max ? min(place->cpu_min, track->cpu) : track->cpu;
		place->cpu_max = max(place->cpu_max, track->cpu);
	}
	return true;
}

/* "0-2,5" */
static void cpus_text(char *text, size_t size, const struct place *place)
{
	const u32 *cpus = place->cpus;
	size_t len = 0;

	text[0] = 0;
	for (unsigned int cpu = 0; cpu < CPUS_LISTED; cpu++) {
		unsigned int last = cpu;

		if (!(cpus[cpu / 32] >> cpu % 32 & 1))
			continue;
		while (last + 1 < CPUS_LISTED && cpus[(last + 1) / 32] >> (last + 1) % 32 & 1)
			last++;
		if (len < size)
			len += octavo_snprintf(text + len, size - len, last > cpu ? "%s%u-%u" : "%s%u",
					       len ? "," : "", cpu, last);
		cpu = last;
	}
	if (place->cpu_max && len < size)
		octavo_snprintf(text + len, size - len, "%s%u-%u", len ? "," : "", place->cpu_min, place->cpu_max);
}

static void put_place(const struct place *place, enum track_item item,
		      void (*put)(void *ctx, const char *text, size_t len), void *ctx)
{
	char text[STACK_DEPOT_DEPTH * 96], name[128], cpus[200];
	size_t len;

	port_symbol(place->addr, name, sizeof(name));
	len = octavo_snprintf(text, sizeof(text), "%7u %s", place->count, place->addr ? name : "<not-available>");
	if (place->waste_sum && item == TRACK_ALLOC)
		len += octavo_snprintf(text + len, sizeof(text) - len, " waste=%llu/%llu",
				       (unsigned long long)place->waste_sum,
				       (unsigned long long)(place->waste_sum / place->count));
	if (place->age_min != place->age_max)
		len += octavo_snprintf(text + len, sizeof(text) - len, " age=%u/%llu/%u", place->age_min,
				       (unsigned long long)(place->age_sum / place->count), place->age_max);
	else
		len += octavo_snprintf(text + len, sizeof(text) - len, " age=%u", place->age_min);
	if (place->pid_min != place->pid_max)
		len += octavo_snprintf(text + len, sizeof(text) - len, " pid=%d-%d", place->pid_min, place->pid_max);
	else
		len += octavo_snprintf(text + len, sizeof(text) - len, " pid=%d", place->pid_min);
	cpus_text(cpus, sizeof(cpus), place);
	len += octavo_snprintf(text + len, sizeof(text) - len, " cpus=%s\n", cpus);
	put(ctx, text, len);
	len = stack_depot_text(text, sizeof(text), place->stack);
	put(ctx, text, min(len, sizeof(text) - 1));
	put(ctx, "\n", 1);
}

/* The most frequent place that was not shown. */
static struct place *most_frequent(struct places *p)
{
	struct place *best = NULL;

	for (u32 i = 0; i < p->nr; i++)
		if (!p->all[i].shown && (!best || p->all[i].count > best->count))
			best = &p->all[i];
	return best;
}

int slab_debug_traces(struct kmem_cache *cache, enum track_item item,
		      void (*put)(void *ctx, const char *text, size_t len), void *ctx)
{
	struct places p = { .now = slab_debug_jiffies() };
	struct place *place;
	char text[64];
	size_t len;

	if (!(cache->flags & SLAB_STORE_USER) || !cache->debug)
		return -ENOSYS;
	p.all = (struct place *)__get_free_pages(GFP_KERNEL, TABLE_ORDER);
	if (!p.all)
		return -ENOMEM;
	slab_debug_for_each_track(cache, item, add_to_place, &p);
	while ((place = most_frequent(&p)) != NULL) {
		place->shown = true;
		put_place(place, item, put, ctx);
	}
	if (!p.nr)
		put(ctx, "No data\n", 8);
	if (p.lost) {
		len = octavo_snprintf(text, sizeof(text), "%7u objects of further places\n", p.lost);
		put(ctx, text, len);
	}
	free_pages((uintptr_t)p.all, TABLE_ORDER);
	return 0;
}
