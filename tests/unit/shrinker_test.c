// SPDX-License-Identifier: MIT
/* Shrinkers: registration, the arithmetic of pressure, and what callbacks may do. SH-I1, SH-I3; SH-I2 with threads. */
#include <octavo/shrinker.h>
#include <octavo/slab.h>

#include "mm/phys/vmstat.h"
#include "mm/phys/zone.h"
#include "mm/slab/heap.h"
#include "mm/slab/shrinker.h"
#include "proc_text.h"

/* A cache of imaginary objects. */
struct cache {
	unsigned long objects[4]; /* by node */
	unsigned long counts, scans, asked, largest, last_nid;
	bool stop, empty, claims_nothing;
	unsigned long keeps; /* cannot be freed */
	void (*in_scan)(struct shrinker *shrinker);
};

static unsigned long cache_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct cache *c = shrinker->private_data;

	c->counts++;
	c->last_nid = (unsigned long)sc->nid;
	return c->empty ? SHRINK_EMPTY : c->objects[sc->nid];
}

static unsigned long cache_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct cache *c = shrinker->private_data;
	unsigned long room, n;

	c->scans++;
	EXPECT_EQ(sc->nr_scanned, sc->nr_to_scan);
	if (c->in_scan)
		c->in_scan(shrinker);
	if (c->stop)
		return SHRINK_STOP;
	if (c->claims_nothing) {
		sc->nr_scanned = 0;
		return 0;
	}
	room = c->objects[sc->nid] > c->keeps ? c->objects[sc->nid] - c->keeps : 0;
	n = min(sc->nr_to_scan, room);
	c->asked += sc->nr_to_scan;
	c->largest = max(c->largest, sc->nr_to_scan);
	c->objects[sc->nid] -= n;
	return n;
}

static struct shrinker *make(struct cache *c, unsigned int flags, const char *name)
{
	struct shrinker *s = shrinker_alloc(flags, "%s", name);

	if (!s) {
		test_fail(__FILE__, __LINE__, "no memory");
		return NULL;
	}
	EXPECT_EQ(s->seeks, DEFAULT_SEEKS);
	s->count_objects = cache_count;
	s->scan_objects = cache_scan;
	s->private_data = c;
	return s;
}

/* A pass over this cache alone: whatever else is registered is subtracted by the cache's own books. */
static unsigned long pass(struct cache *c, int nid, int priority)
{
	unsigned long before = c->objects[0] + c->objects[1];

	c->counts = c->scans = c->asked = c->largest = 0;
	(void)shrink_slab(GFP_KERNEL, nid, NULL, priority);
	return before - c->objects[0] - c->objects[1];
}

TEST(shrinker, pressure_follows_size_seeks_and_priority)
{
	/* 2n / 2^priority objects at default seeks, in whole batches of 128 or whatever the cache holds. */
	static const struct {
		unsigned long objects;
		int priority, seeks;
		unsigned long asked, largest;
	} rows[] = {
		{ 100000, 12, 2, 0, 0 },	/* delta 48: less than a batch */
		{ 262144, 12, 2, 128, 128 },	/* delta 128 */
		{ 1048576, 12, 2, 512, 128 },
		{ 1048576, 12, 4, 256, 128 },
		{ 1048576, 12, 0, 524288, 128 }, /* no seeks: half of it at any priority */
		{ 1000, 0, 2, 1920, 128 },	 /* all of it, twice over: 2000 in whole batches */
		{ 50, 0, 2, 100, 100 },		 /* less than a batch, but as much as there is */
		{ 50, 1, 2, 50, 50 },
		{ 50, 2, 2, 0, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cache c = { .objects = { rows[i].objects }, .keeps = ~0ul };
		struct shrinker *s = make(&c, 0, "arithmetic");
		unsigned long events = vm_event_sum(SLABS_SCANNED);

		ASSERT(s);
		s->seeks = rows[i].seeks;
		shrinker_register(s);
		EXPECT_EQ(pass(&c, 0, rows[i].priority), 0);
		if (c.asked != rows[i].asked || c.largest != rows[i].largest)
			test_fail(__FILE__, __LINE__, "row %u: asked for %lu in calls of up to %lu, not %lu and %lu", i,
				  c.asked, c.largest, rows[i].asked, rows[i].largest);
		EXPECT(vm_event_sum(SLABS_SCANNED) - events >= c.asked);
		EXPECT_EQ(c.counts, 1);
		shrinker_free(s);
	}
}

TEST(shrinker, what_was_not_scanned_is_deferred_up_to_twice_the_cache)
{
	struct cache c = { .objects = { 100000 }, .stop = true };
	struct shrinker *s = make(&c, 0, "deferring");

	ASSERT(s);
	shrinker_register(s);
	/* 48 an attempt are less than a batch: no call. The third makes 0 + 48 (96 >> 12 is 0): still none. */
	for (int i = 0; i < 3; i++) {
		pass(&c, 0, 12);
		EXPECT_EQ(c.scans, 0);
	}
	/* At priority 0 all that was deferred is due: 3 * 48 + 200000, cut at 200000; one refusal ends it. */
	pass(&c, 0, 0);
	EXPECT_EQ(c.scans, 1);
	/* SH-I3: 200000 stay deferred, however often it refuses. */
	for (int i = 0; i < 4; i++)
		pass(&c, 0, 0);
	c.stop = false;
	c.objects[0] = 100;
	c.keeps = ~0ul;
	pass(&c, 0, 3);
	/* 200000 >> 3 is 25000, cut at 2 * 100: a small cache is not asked for what it refused as a large one. */
	EXPECT_EQ(c.asked, 128);
	/* What is left is cut to 200 as well: 200 >> 1 and 2 * (100 >> 1). */
	pass(&c, 0, 1);
	EXPECT_EQ(c.asked, 128);
	shrinker_free(s);
}

TEST(shrinker, batch_stop_empty_and_no_progress)
{
	struct cache c = { .objects = { 10000 } };
	struct shrinker *s = make(&c, 0, "batches");

	ASSERT(s);
	s->batch = 1024;
	shrinker_register(s);
	EXPECT_EQ(pass(&c, 0, 3), 2048); /* 2500 due: two batches */
	EXPECT_EQ(c.scans, 2);
	c.stop = true;
	EXPECT_EQ(pass(&c, 0, 0), 0);
	EXPECT_EQ(c.scans, 1);
	c.stop = false;
	c.claims_nothing = true;
	EXPECT_EQ(pass(&c, 0, 0), 0);
	EXPECT_EQ(c.scans, 1);
	c.claims_nothing = false;
	c.empty = true;
	EXPECT_EQ(pass(&c, 0, 0), 0);
	EXPECT_EQ(c.scans, 0);
	c.empty = false;
	drop_slab();
	EXPECT_EQ(c.objects[0], 0);
	shrinker_free(s);
}

TEST(shrinker, numa_aware_ones_see_each_node)
{
	struct cache aware = { .objects = { 3000, 5000 } }, plain = { .objects = { 3000, 5000 } };
	struct shrinker *a, *p;

	if (nr_node_ids < 2)
		SKIP("one node");
	a = make(&aware, SHRINKER_NUMA_AWARE, "aware");
	p = make(&plain, 0, "plain");
	ASSERT(a && p);
	shrinker_register(a);
	shrinker_register(p);
	(void)shrink_slab(GFP_KERNEL, 1, NULL, 2);
	EXPECT_EQ(aware.last_nid, 1);
	EXPECT_EQ(plain.last_nid, 0);
	EXPECT_EQ(aware.objects[0], 3000);
	EXPECT_EQ(aware.objects[1], 5000 - 19 * 128); /* 2500 due */
	EXPECT_EQ(plain.objects[0], 3000 - 11 * 128); /* 1500 due */
	EXPECT_EQ(plain.objects[1], 5000);
	/* Deferred by node: node 0's share has nothing from node 1. */
	(void)shrink_slab(GFP_KERNEL, 0, NULL, 2);
	EXPECT_EQ(aware.objects[0], 3000 - 11 * 128);
	shrinker_free(a);
	shrinker_free(p);
}

TEST(shrinker, what_cannot_be_is_refused)
{
	struct cache c = { .objects = { 1000 } };
	struct shrinker *s = shrinker_alloc(0, "half%s", "-done");

	ASSERT(s);
	test_capture_begin();
	shrinker_register(s);
	EXPECT(strstr(test_capture_end(), "shrinker_register: half-done: without callbacks") != NULL);
	s->count_objects = cache_count;
	s->scan_objects = cache_scan;
	s->private_data = &c;
	s->batch = -1;
	test_capture_begin();
	shrinker_register(s);
	EXPECT(strstr(test_capture_end(), "batch or seeks below 0") != NULL);
	EXPECT_EQ(pass(&c, 0, 0), 0);
	s->batch = 0;
	shrinker_register(s);
	test_capture_begin();
	shrinker_register(s);
	EXPECT(strstr(test_capture_end(), "is registered") != NULL);
	test_capture_begin();
	EXPECT_EQ(shrink_slab(GFP_KERNEL, (int)nr_node_ids, NULL, 0), 0);
	EXPECT_EQ(shrink_slab(GFP_KERNEL, -1, NULL, 0), 0);
	EXPECT_EQ(shrink_slab(GFP_KERNEL, 0, NULL, -1), 0);
	EXPECT(strstr(test_capture_end(), "shrink_slab: node 0, priority -1") != NULL);
	EXPECT_EQ(pass(&c, 0, 0), 1000);
	shrinker_free(s);
	/* SH-I1: gone. */
	c.objects[0] = 1000;
	EXPECT_EQ(pass(&c, 0, 0), 0);
	EXPECT_EQ(c.counts, 0);
	shrinker_free(NULL);
	s = shrinker_alloc(SHRINKER_MEMCG_AWARE, "unregistered");
	ASSERT(s);
	EXPECT_EQ(s->flags, SHRINKER_ALLOCATED);
	shrinker_free(s);
}

/* ---- Callbacks that do things ---- */

static struct shrinker *other;

static void free_self(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}

static void free_other(struct shrinker *shrinker)
{
	(void)shrinker;
	shrinker_free(other);
	other = NULL;
}

static void allocate(struct shrinker *shrinker)
{
	void *p = kmalloc(200, GFP_KERNEL);

	(void)shrinker;
	EXPECT(p);
	kfree(p);
}

static void shrink_again(struct shrinker *shrinker)
{
	struct cache *c = shrinker->private_data;

	c->in_scan = NULL;
	(void)shrink_slab(GFP_KERNEL, 0, NULL, 0);
}

TEST(shrinker, one_frees_itself_in_its_callback)
{
	struct cache c = { .objects = { 100000 }, .in_scan = free_self };
	struct cache behind = { .objects = { 1000 } };
	struct shrinker *s = make(&c, 0, "suicidal"), *b = make(&behind, 0, "behind");

	ASSERT(s && b);
	shrinker_register(s);
	shrinker_register(b);
	pass(&c, 0, 0);
	EXPECT_EQ(c.scans, 1); /* SH-I2: not called again, though more batches were due */
	EXPECT_EQ(behind.objects[0], 0);
	pass(&c, 0, 0);
	EXPECT_EQ(c.counts, 0);
	shrinker_free(b);
}

TEST(shrinker, one_frees_its_neighbours_in_its_callback)
{
	struct cache c = { .objects = { 100 }, .in_scan = free_other }, next = { .objects = { 100 } },
		     last = { .objects = { 100 } };
	struct shrinker *s = make(&c, 0, "first"), *l;

	other = make(&next, 0, "second");
	l = make(&last, 0, "third");
	ASSERT(s && other && l);
	shrinker_register(s);
	shrinker_register(other);
	shrinker_register(l);
	pass(&c, 0, 0);
	EXPECT_EQ(c.objects[0], 0);
	EXPECT_EQ(next.objects[0], 100);
	EXPECT_EQ(last.objects[0], 0);
	shrinker_free(s);
	shrinker_free(l);
}

TEST(shrinker, callbacks_allocate_and_shrink)
{
	struct cache c = { .objects = { 1000 }, .in_scan = allocate };
	struct shrinker *s = make(&c, 0, "busy");

	ASSERT(s);
	shrinker_register(s);
	EXPECT_EQ(pass(&c, 0, 0), 1000);
	c.objects[0] = 1000;
	c.in_scan = shrink_again;
	EXPECT_EQ(pass(&c, 0, 0), 1000);
	shrinker_free(s);
}

/* ---- By number, and drop_caches ---- */

TEST(shrinker, by_number)
{
	struct cache c = { .objects = { 300, 20 } };
	struct shrinker *s = make(&c, nr_node_ids > 1 ? SHRINKER_NUMA_AWARE : 0, "numbered");
	unsigned long counts[MAX_NUMNODES] = { 0 };
	unsigned int id = 0, nr = 0;
	char name[40] = "";

	ASSERT(s);
	shrinker_register(s);
	for (unsigned int from = 0; shrinker_next(from, &id, name, sizeof(name)); from = id + 1)
		nr++;
	EXPECT(nr >= 1);
	EXPECT(!strncmp(name, "numbered-", 9));
	EXPECT_EQ(shrinker_count(id, counts), 0);
	EXPECT_EQ(counts[0], 300);
	if (nr_node_ids > 1)
		EXPECT_EQ(counts[1], 20);
	EXPECT_EQ(shrinker_scan(id, 0, 100), 0);
	EXPECT_EQ(c.objects[0], 200);
	EXPECT_EQ(shrinker_scan(id, (int)nr_node_ids, 100), -EINVAL);
	EXPECT_EQ(shrinker_scan(id + 1, 0, 100), -ENOENT);
	shrinker_free(s);
	EXPECT_EQ(shrinker_count(id, counts), -ENOENT);
}

static char listed[512];

static void list_name(void *ctx, const char *name, bool directory)
{
	(void)ctx;
	EXPECT(directory);
	octavo_snprintf(listed + strlen(listed), sizeof(listed) - strlen(listed), "%s ", name);
}

TEST(shrinker, files)
{
	struct cache c = { .objects = { 300, 20 } };
	struct shrinker *s = make(&c, SHRINKER_NUMA_AWARE, "filed:1-2");
	char dir[64] = "", path[80], name[40];
	unsigned int id = 0;

	ASSERT(s);
	shrinker_register(s);
	for (unsigned int from = 0; shrinker_next(from, &id, name, sizeof(name)); from = id + 1)
		octavo_snprintf(dir, sizeof(dir), "/sys/kernel/debug/shrinker/%s", name);
	EXPECT(strstr(dir, "/filed:1-2-") != NULL);
	listed[0] = 0;
	EXPECT_EQ(octavo_proc_list("/sys/kernel/debug/shrinker", list_name, NULL), 0);
	octavo_snprintf(path, sizeof(path), "%s ", dir + strlen("/sys/kernel/debug/shrinker/"));
	EXPECT(strstr(listed, path) != NULL);
	EXPECT(strstr(listed, "heap-") != NULL);
	octavo_snprintf(path, sizeof(path), "%s/count", dir);
	EXPECT(!strncmp(proc_text(path), nr_node_ids > 1 ? "0 300 20" : "0 300\n", nr_node_ids > 1 ? 8 : 6));
	octavo_snprintf(path, sizeof(path), "%s/scan", dir);
	EXPECT_EQ(proc_put(path, "0 0 100\n"), 8);
	EXPECT_EQ(c.objects[0], 200);
	EXPECT_EQ(proc_put(path, "0 0"), -EINVAL);
	EXPECT_EQ(proc_put(path, "0 0 x"), -EINVAL);
	EXPECT_EQ(proc_put(path, "0 64 1"), -EINVAL);
	EXPECT_EQ(proc_put(path, "7 0 1"), -ENOENT);
	c.objects[0] = c.objects[1] = 0;
	octavo_snprintf(path, sizeof(path), "%s/count", dir);
	EXPECT_STREQ(proc_text(path), "");
	shrinker_free(s);
	EXPECT_EQ(octavo_proc_read(path, proc_discard, NULL), -ENOENT);
}

/* After a burst the heap gives back what it keeps, all of it when asked for all. */
TEST(shrinker, the_heap_is_one)
{
	struct kmem_cache *cache = kmem_cache_create("burst", 256, 0, SLAB_NO_MERGE, NULL);
	const bool keeps = strcmp(backend_name, "slob"); /* which gives each page back when its last block is free */
	static void *objs[2000];
	unsigned long pages, kept = 0;

	ASSERT(cache);
	drop_slab();
	for (unsigned int i = 0; i < ARRAY_SIZE(objs); i++)
		objs[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	for (unsigned int i = 0; i < ARRAY_SIZE(objs); i++)
		kmem_cache_free(cache, objs[i]);
	for (unsigned int nid = 0; nid < nr_node_ids; nid++)
		kept += heap_reclaimable((int)nid);
	memset(objs, 0, sizeof(objs)); /* no references for kmemleak */
	EXPECT_EQ(kept > 0, keeps);
	pages = heap_slab_pages_nr();
	EXPECT_EQ(proc_put("/proc/sys/vm/drop_caches", "6"), -EINVAL);
	EXPECT_EQ(proc_put("/proc/sys/vm/drop_caches", "2"), 1);
	kept = 0;
	for (unsigned int nid = 0; nid < nr_node_ids; nid++)
		kept += heap_reclaimable((int)nid);
	EXPECT_EQ(kept, 0);
	EXPECT_EQ(heap_slab_pages_nr() < pages, keeps);
	/* There was nothing left to do. */
	pages = heap_slab_pages_nr();
	EXPECT_EQ(kmem_cache_shrink(cache), 0);
	EXPECT_EQ(heap_slab_pages_nr(), pages);
	EXPECT_EQ(heap_verify(NULL, NULL), 0);
	kmem_cache_destroy(cache);
}

TEST(shrinker, drop_caches_drops_slab)
{
	struct cache c = { .objects = { 5000 } };
	struct shrinker *s = make(&c, 0, "dropped");
	u64 drops = proc_value("/proc/vmstat", "drop_slab"), pages = proc_value("/proc/vmstat", "drop_pagecache");

	ASSERT(s);
	shrinker_register(s);
	EXPECT_EQ(proc_put("/proc/sys/vm/drop_caches", "1"), 1);
	EXPECT_EQ(c.objects[0], 5000);
	test_capture_begin();
	EXPECT_EQ(proc_put("/proc/sys/vm/drop_caches", "2"), 1);
	EXPECT(strstr(test_capture_end(), "swapper/0 (0): drop_caches: 2\n") != NULL);
	EXPECT_EQ(c.objects[0], 0);
	c.objects[0] = 5000;
	EXPECT_EQ(proc_put("/proc/sys/vm/drop_caches", "3"), 1);
	EXPECT_EQ(c.objects[0], 0);
	EXPECT_EQ(proc_value("/proc/vmstat", "drop_slab"), drops + 2);
	EXPECT_EQ(proc_value("/proc/vmstat", "drop_pagecache"), pages + 2);
	/* 4 silences, from the next write on; beyond 4 there is nothing. */
	EXPECT_EQ(proc_put("/proc/sys/vm/drop_caches", "4"), 1);
	test_capture_begin();
	EXPECT_EQ(proc_put("/proc/sys/vm/drop_caches", "2"), 1);
	EXPECT_STREQ(test_capture_end(), "");
	EXPECT_EQ(proc_put("/proc/sys/vm/drop_caches", "5"), -EINVAL);
	EXPECT_EQ(proc_put("/proc/sys/vm/drop_caches", "0"), -EINVAL);
	shrinker_free(s);
}
