// SPDX-License-Identifier: MIT
/* The heap benchmark's own side: a hosted machine of 1 GiB with two CPUs that are threads. */
#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/slab.h>
#include <stdio.h>
#include <stdlib.h>

#include "heapbench.h"
#include "hosted.h"

static const struct bootinfo_range map[] = {
	{ 0, 0x9f000, E820_TYPE_RAM },
	{ 0x100000, (u64)1 << 30, E820_TYPE_RAM },
};
static const struct bootinfo machine = {
	.arch = BOOT_ARCH_X86_64, .cmdline = "", .map = map, .map_nr = sizeof(map) / sizeof(*map)
};

static bool console(const char *text, size_t len)
{
	fprintf(stderr, "%.*s", (int)len, text);
	return true;
}

/* One cache a size, made when it is first asked for. */
static uintptr_t cache_of(size_t size)
{
	static struct kmem_cache *caches[8192 / 8 + 1];
	struct kmem_cache **cache = &caches[size / 8];
	char name[32];

	if (!*cache) {
		snprintf(name, sizeof(name), "bench-%zu", size);
		*cache = kmem_cache_create(name, (unsigned int)size, 0, SLAB_NO_MERGE, NULL);
	}
	if (!*cache)
		exit(1);
	return (uintptr_t)*cache;
}

/* Pages that the CPUs' page caches hold are not the heap's. */
static size_t taken(void)
{
	static unsigned long first;

	drain_all_pages(NULL);
	if (!first)
		first = nr_free_pages();
	return (first - nr_free_pages()) * PAGE_SIZE;
}

static void shrink_kmalloc(uintptr_t what)
{
	(void)what;
	for (unsigned int i = 0; i < NR_KMALLOC_CLASSES; i++)
		if (kmalloc_caches[KMALLOC_NORMAL][i])
			kmem_cache_shrink(kmalloc_caches[KMALLOC_NORMAL][i]);
}

static void shrink_cache(uintptr_t what)
{
	kmem_cache_shrink((struct kmem_cache *)what);
}

static void both(void (*fn)(unsigned int cpu, void *arg), void *arg)
{
	if (hosted_run_cpus(2, fn, arg))
		exit(1);
}

const struct heap_api *heap_octavo(bool cached)
{
	static struct heap_api kmalloc_api = { .flags = GFP_KERNEL, .taken = taken, .shrink = shrink_kmalloc,
					       .both = both };
	static struct heap_api cache_api = { .flags = GFP_KERNEL, .handle = cache_of, .taken = taken,
					     .shrink = shrink_cache, .both = both };

	hosted_console_hook = console;
	if (hosted_boot(&machine, &(struct hosted_options){ .cpus = 2, .quiet = true }))
		exit(1);
	kmalloc_api.alloc = (void *)__kmalloc;
	kmalloc_api.free = (void *)kfree;
	cache_api.alloc = (void *)kmem_cache_alloc;
	cache_api.cache_free = (void *)kmem_cache_free;
	cache_api.alloc_bulk = (void *)kmem_cache_alloc_bulk;
	cache_api.free_bulk = (void *)kmem_cache_free_bulk;
	return cached ? &cache_api : &kmalloc_api;
}
