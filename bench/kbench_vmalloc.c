// SPDX-License-Identifier: MIT
/*
 * The vmalloc family's rows, as in kbench.c. vmalloc.NpageS.pair: an area and back, purges included; .bulk: COUNT
 * areas, then all back; vm_map_ram.Npages: pages shown and hidden; vmap.16pages: the same with an area.
 */
#define KBENCH_BEHIND 40000
#include "kbench.h"

#include <octavo/gfp.h>
#include <octavo/page.h>
#include <octavo/vmalloc.h>

#include "mm/base/compiler.h"
#include "mm/base/printk.h"

#define REPEATS KBENCH_REPEATS
#define AREAS_MAX 1000u
#define PAGES 64u

static void *areas[AREAS_MAX];
static struct page *pages[PAGES];

/* So many that a purge or two fall into each measurement. */
static void bench_pair(struct kbench *b, const struct kbench_case *c)
{
	u64 ticks[REPEATS], begin;

	for (unsigned int i = 0; i <= REPEATS; i++) {
		begin = b->clock();
		for (unsigned long n = 0; n < c->count; n++) {
			void *p = vmalloc(c->size);

			if (unlikely(!p)) {
				kbench_fail(b, "%s: no memory\n", c->name);
				return;
			}
			vfree(p);
		}
		ticks[i % REPEATS] = b->clock() - begin;
	}
	kbench_row(b, c->name, ticks, c->count, "pair");
}

static bool fill(const struct kbench_case *c)
{
	for (unsigned long n = 0; n < c->count; n++) {
		areas[n] = vmalloc(c->size);
		if (unlikely(!areas[n])) {
			while (n--)
				vfree(areas[n]);
			return false;
		}
	}
	return true;
}

static void bench_bulk(struct kbench *b, const struct kbench_case *c)
{
	u64 filled[REPEATS], emptied[REPEATS], begin;
	char name[64];

	for (unsigned int i = 0; i <= REPEATS; i++) {
		begin = b->clock();
		if (!fill(c)) {
			kbench_fail(b, "%s: no memory\n", c->name);
			return;
		}
		filled[i % REPEATS] = b->clock() - begin;
		begin = b->clock();
		for (unsigned long n = 0; n < c->count; n++)
			vfree(areas[n]);
		emptied[i % REPEATS] = b->clock() - begin;
	}
	octavo_snprintf(name, sizeof(name), "%s_alloc(%lu)", c->name, c->count);
	kbench_row(b, name, filled, c->count, "op");
	octavo_snprintf(name, sizeof(name), "%s_free", c->name);
	kbench_row(b, name, emptied, c->count, "op");
}

static void bench_map(struct kbench *b, const struct kbench_case *c)
{
	unsigned int nr = c->size / PAGE_SIZE;
	u64 ticks[REPEATS], begin;
	bool ok = alloc_pages_bulk(GFP_KERNEL, nr, pages) == nr;

	for (unsigned int i = 0; ok && i <= REPEATS; i++) {
		begin = b->clock();
		for (unsigned long n = 0; ok && n < c->count; n++) {
			void *p = c->order ? vmap(pages, nr, VM_MAP, PAGE_KERNEL) : vm_map_ram(pages, nr, NUMA_NO_NODE);

			ok = p;
			if (c->order)
				vunmap(p);
			else
				vm_unmap_ram(p, nr);
		}
		ticks[i % REPEATS] = b->clock() - begin;
	}
	if (ok)
		kbench_row(b, c->name, ticks, c->count, "pair");
	else
		kbench_fail(b, "%s: no memory\n", c->name);
	for (unsigned int i = 0; i < nr; i++) {
		if (pages[i])
			__free_pages(pages[i], 0);
		pages[i] = NULL;
	}
}

KBENCH(vmalloc1, "vmalloc.1page.pair", bench_pair, .count = 10000, .size = 1 << PAGE_SHIFT);
KBENCH(vmalloc16, "vmalloc.16pages.pair", bench_pair, .count = 2000, .size = 16 << PAGE_SHIFT);
KBENCH(vmalloc256, "vmalloc.256pages.pair", bench_pair, .count = 300, .size = 256 << PAGE_SHIFT);
KBENCH(vmalloc3, "vmalloc.3pages.bulk", bench_bulk, .count = 1000, .size = 3 << PAGE_SHIFT);
KBENCH(vmap16, "vmap.16pages.pair", bench_map, .count = 2000, .size = 16 << PAGE_SHIFT, .order = 1);
KBENCH(map_ram1, "vm_map_ram.1page.pair", bench_map, .count = 10000, .size = 1 << PAGE_SHIFT);
KBENCH(map_ram16, "vm_map_ram.16pages.pair", bench_map, .count = 2000, .size = 16 << PAGE_SHIFT);
