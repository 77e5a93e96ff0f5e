// SPDX-License-Identifier: MIT
/*
 * zsmalloc: moving objects together.
 *
 * Where objects of a class went, places are free in many zspages. The emptiest zspage is isolated and its objects are
 * moved to the fullest ones. A reader that looked up the old place goes on reading there, so those places stay as they
 * are until a grace period is over: an emptied zspage is freed then, one that could not be emptied comes back into use.
 *
 * While a zspage is isolated nobody allocates from it, and who frees its last object leaves it to us.
 */
#include <octavo/highmem.h>
#include <octavo/slab.h>

#include "zsmalloc.h"

/* The same bytes; each of the two may lie in two pages. */
static void copy_object(const struct zspage *to, unsigned int to_place, const struct zspage *from,
			unsigned int from_place)
{
	size_t size = to->class->size, t = to_place * size, f = from_place * size;

	while (size) {
		size_t in_page = PAGE_SIZE - max(t & ~PAGE_MASK, f & ~PAGE_MASK), step = min(size, in_page);

		memcpy_page(to->pages[t >> PAGE_SHIFT], t & ~PAGE_MASK, from->pages[f >> PAGE_SHIFT], f & ~PAGE_MASK,
			    step);
		t += step;
		f += step;
		size -= step;
	}
}

static struct zspage *emptiest(struct zs_class *class)
{
	for (unsigned int i = 0; i < ZS_FULL; i++)
		if (!list_empty(&class->groups[i]))
			return list_first_entry(&class->groups[i], struct zspage, list);
	return NULL;
}

/* Could a zspage's objects go into the free places of others? @emptied: zspages that are without any, and isolated. */
static bool worth_it(const struct zs_class *class, unsigned int emptied)
{
	return (class->zspages - emptied) * class->objects - class->used >= class->objects;
}

/* Move what can be moved out of @from, which is isolated. With the lock. */
static void move_out(struct zspage *from)
{
	struct zs_class *class = from->class;

	for (unsigned int place = 0; place < class->objects; place++) {
		struct zs_handle *handle = (struct zs_handle *)from->objects[place];
		struct zspage *to;
		unsigned int to_place;

		if ((uintptr_t)handle & 1 || whole_load_acquire(&handle->location) & ZS_PINNED)
			continue;
		to = zs_fullest(class);
		if (!to)
			return;
		to_place = zs_take(to, handle);
		copy_object(to, to_place, from, place);
		(void)whole_xchg(&handle->location, zs_location(to, to_place));
		from->objects[place] = (uintptr_t)ZS_NONE << 1 | 1;
		from->used--;
		store_relaxed(&class->used, class->used - 1);
	}
}

/* All places that nobody has, as a list. */
static void rebuild_free_list(struct zspage *zspage)
{
	unsigned int next = ZS_NONE;

	for (unsigned int place = zspage->class->objects; place-- > 0;)
		if (zspage->objects[place] & 1) {
			zspage->objects[place] = (uintptr_t)next << 1 | 1;
			next = place;
		}
	zspage->free = (u16)next;
}

/* Nobody reads in it any more: into use again, or gone. With the lock. Return: it is gone, and to be freed. */
static bool put_back(struct zspage *zspage)
{
	struct zs_class *class = zspage->class;

	if (!zspage->used) {
		store_relaxed(&class->zspages, class->zspages - 1);
		return true;
	}
	rebuild_free_list(zspage);
	zs_list_add(zspage, zs_group_of(class, zspage->used));
	return false;
}

#define BATCH 16u

/* Return: pages given back, 0 also if another thread is at it. */
static unsigned long compact_class(struct zs_pool *pool, struct zs_class *class)
{
	struct zspage *isolated[BATCH];
	unsigned int nr = 0;
	unsigned long freed = 0;

	if (atomic_xchg(&class->compacting, true))
		return 0;
	spin_lock(&class->lock);
	while (nr < BATCH && worth_it(class, nr)) {
		struct zspage *from = emptiest(class);

		if (!from)
			break;
		zs_list_del(from);
		isolated[nr++] = from;
		move_out(from);
		if (from->used)
			break;
	}
	spin_unlock(&class->lock);
	if (nr)
		synchronize_rcu();
	for (unsigned int i = 0; i < nr; i++) {
		bool gone;

		spin_lock(&class->lock);
		gone = put_back(isolated[i]);
		spin_unlock(&class->lock);
		if (gone) {
			freed += class->pages;
			zs_free_zspage(pool, isolated[i]);
		}
	}
	store_release(&class->compacting, false);
	return freed;
}

unsigned long zs_compact(void *data)
{
	struct zs_pool *pool = data;
	unsigned long freed = 0;

	for (unsigned int i = 0; i < ZS_SIZES; i++)
		if (i + 1 == ZS_SIZES || pool->class_of[i] != pool->class_of[i + 1]) {
			unsigned long more = compact_class(pool, pool->class_of[i]);

			freed += more;
			while (more)
				freed += more = compact_class(pool, pool->class_of[i]);
		}
	return freed;
}

unsigned long zs_compactable(struct zs_pool *pool)
{
	unsigned long pages = 0;

	for (unsigned int i = 0; i < ZS_SIZES; i++) {
		struct zs_class *class = pool->class_of[i];

		if (i + 1 < ZS_SIZES && class == pool->class_of[i + 1])
			continue;
		/* As of a moment ago is good enough. */
		if (load_relaxed(&class->zspages) * class->objects > load_relaxed(&class->used))
			pages += (load_relaxed(&class->zspages) * class->objects - load_relaxed(&class->used)) /
				 class->objects * class->pages;
	}
	return pages;
}

/* ---- The shrinker ---- */

static unsigned long shrinker_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long pages = zs_compactable(shrinker->private_data);

	(void)sc;
	return pages ? pages : SHRINK_EMPTY;
}

static unsigned long shrinker_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = zs_compact(shrinker->private_data);

	(void)sc;
	return freed ? freed : SHRINK_STOP;
}

int zs_shrinker_init(struct zs_pool *pool, const char *name)
{
	pool->shrinker = shrinker_alloc(SHRINKER_NONSLAB, "mm-zspool:%s", name);
	if (!pool->shrinker)
		return -ENOMEM;
	pool->shrinker->count_objects = shrinker_count;
	pool->shrinker->scan_objects = shrinker_scan;
	pool->shrinker->batch = 0;
	pool->shrinker->private_data = pool;
	shrinker_register(pool->shrinker);
	return 0;
}
