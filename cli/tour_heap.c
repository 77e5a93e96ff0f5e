// SPDX-License-Identifier: MIT
/* The tour's chapter on the heap: a cache is born, objects come and go, a bug is planted and found. */
#include <stdlib.h>

#include <octavo/slab.h>

#include "mm/slab/info.h"
#include "tour.h"

#define c tour_colour
#define OBJECT_BYTES 192u
#define OBJECTS 20000u
#define GUARDED_BYTES 40u
#define REPORT_LINES 3u

/* ---- Rates ---- */

#define HELD 256u

struct held {
	u64 random;
	void *object[HELD];
};

static unsigned long work_pair(void *state)
{
	void *object = kmalloc(64, GFP_KERNEL);

	(void)state;
	kfree(object);
	return object != NULL;
}

static unsigned long work_bulk(void *state)
{
	struct held *h = state;
	struct kmem_cache *cache = kmalloc_caches[KMALLOC_NORMAL][kmalloc_index(64)];
	int nr = kmem_cache_alloc_bulk(cache, GFP_KERNEL, 64, h->object);

	if (nr)
		kmem_cache_free_bulk(cache, 64, h->object);
	return (unsigned long)nr;
}

static void end_bulk(void *state)
{
	(void)state;
}

static unsigned long work_mixed(void *state)
{
	struct held *h = state;
	u64 r = tour_random(&h->random);
	unsigned int i = r % HELD;

	if (h->object[i]) {
		kfree(h->object[i]);
		h->object[i] = NULL;
		return 0;
	}
	h->object[i] = kmalloc(8 + (r >> 8 & ((1ul << (4 + (r >> 24 & 7))) - 1)), GFP_KERNEL);
	return h->object[i] != NULL;
}

static void end_mixed(void *state)
{
	struct held *h = state;

	for (unsigned int i = 0; i < HELD; i++)
		kfree(h->object[i]);
}

static const struct tour_work works[] = {
	{ "kmalloc(64), kfree()", sizeof(u64), work_pair, NULL },
	{ "64 objects at once", sizeof(struct held), work_bulk, end_bulk },
	{ "mixed sizes, freed at random", sizeof(struct held), work_mixed, end_mixed },
};

/* ---- A cache's life ---- */

static void show_life(struct kmem_cache *cache, const char *what)
{
	char size[2][SIZE_TEXT_MAX], ratio[16] = "";
	struct cache_info info;
	u64 live, bytes;

	if (!heap_cache_info(cache->number, &info))
		return;
	live = (u64)heap_objects_used(&info.counts) * info.object_size;
	bytes = (u64)info.counts.slabs.slabs << (PAGE_SHIFT + info.order);
	if (live)
		snprintf(ratio, sizeof(ratio), "%.2f", (double)bytes / (double)live);
	printf("  %-38s %8lu %8s %8s %6s\n", what, heap_objects_used(&info.counts), size_text(live, size[0]),
	       size_text(bytes, size[1]), ratio);
}

static void live_a_life(void)
{
	struct kmem_cache *cache = kmem_cache_create("tour_dentry", OBJECT_BYTES, 0, SLAB_NO_MERGE, NULL);
	void **object = cli_alloc(OBJECTS * sizeof(void *));
	unsigned int nr = 0, kept = 0;
	u64 random = 42;

	if (!cache)
		return;
	printf("  a cache is born: %s, %u bytes each, %u to a slab of %u KiB, back end %s\n\n", kmem_cache_name(cache),
	       OBJECT_BYTES, cache->objects, 4u << cache->order, backend_name);
	printf("  %s%-38s %8s %8s %8s %6s%s\n", c("1"), "", "objects", "live", "slabs", "ratio", c("0"));
	while (nr < OBJECTS && (object[nr] = kmem_cache_alloc(cache, GFP_KERNEL)))
		nr++;
	show_life(cache, "objects taken");
	for (unsigned int i = 0; i < nr; i++) {
		if (tour_random(&random) % 3)
			kmem_cache_free(cache, object[i]);
		else
			object[kept++] = object[i];
	}
	show_life(cache, "two in three of them freed, at random");
	for (unsigned int i = 0; i < kept; i++)
		kmem_cache_free(cache, object[i]);
	show_life(cache, "all freed");
	kmem_cache_shrink(cache);
	show_life(cache, "kmem_cache_shrink()");
	kmem_cache_destroy(cache);
	free(object);
}

/* ---- A bug ---- */

static void plant_a_bug(void)
{
	struct kmem_cache *cache = kmem_cache_create("tour_guarded", GUARDED_BYTES, 0,
						     SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_STORE_USER, NULL);
	unsigned long errors = heap_errors();
	u8 *object = cache ? kmem_cache_alloc(cache, GFP_KERNEL) : NULL;

	if (!object)
		return;
	printf("\n  a byte is written behind an object of %u bytes; when it is freed:\n", GUARDED_BYTES);
	tour_report_begin();
	((volatile u8 *)object)[GUARDED_BYTES] = 1;
	kmem_cache_free(cache, object);
	tour_report_end(REPORT_LINES, "who allocated and freed it, the bytes around it");
	if (heap_errors() == errors)
		printf("  %snobody noticed%s\n", c("1;31"), c("0"));
	tour_report_begin();
	kmem_cache_destroy(cache);
	tour_report_end(0, NULL);
}

/* ---- Who has the memory ---- */

static void show_top(struct monitor *mon)
{
	struct held *h = cli_alloc(OBJECTS / HELD * sizeof(*h));
	struct stress_heap stress = { .ops = 20000, .seed = 1 };

	for (unsigned int i = 0; i < OBJECTS / HELD; i++) {
		h[i].random = i + 1;
		for (unsigned int k = 0; k < HELD; k++)
			work_mixed(&h[i]);
	}
	mon->run_all(stress_heap_cpu, &stress);
	printf("\n");
	monitor_show_slabtop(mon, 'c', 6);
	stress_heap_end(&stress);
	for (unsigned int i = 0; i < OBJECTS / HELD; i++)
		end_mixed(&h[i]);
	free(h);
	if (stress.bad)
		printf("  %s%lu objects were damaged%s\n", c("1;31"), stress.bad, c("0"));
}

void tour_heap(struct monitor *mon)
{
	live_a_life();
	printf("\n");
	tour_races(works, sizeof(works) / sizeof(works[0]));
	plant_a_bug();
	show_top(mon);
}
