// SPDX-License-Identifier: MIT
/* Runs of descriptors: two sorted arrays and binary searches. */
#include "memmap_runs.h"

#include <octavo/memblock.h>

#include "../base/printk.h"
#include "../base/string.h"

int map_runs_init(struct map_runs *runs, unsigned int max)
{
	runs->by_pfn = memblock_alloc(max * sizeof(*runs->by_pfn), SMP_CACHE_BYTES);
	runs->by_map = memblock_alloc(max * sizeof(*runs->by_map), SMP_CACHE_BYTES);
	if (!runs->by_pfn || !runs->by_map) {
		pr_err("memmap: no memory for a table of %u runs\n", max);
		return -ENOMEM;
	}
	runs->max = max;
	runs->nr = 0;
	return 0;
}

/* Index of the last run that begins at or below a frame, or an address; nr if there is none. */
static unsigned int last_below(const struct map_runs *runs, unsigned long pfn, const struct page *page)
{
	unsigned int low = 0, high = runs->nr;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (page ? runs->by_map[mid].map <= page : runs->by_pfn[mid].start <= pfn)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? low - 1 : runs->nr;
}

static void insert(struct map_run *array, unsigned int nr, unsigned int at, struct map_run run)
{
	memmove(&array[at + 1], &array[at], (nr - at) * sizeof(run));
	array[at] = run;
}

int map_runs_add(struct map_runs *runs, unsigned long start, unsigned long end, struct page *map)
{
	struct map_run run = { start, end, map };
	unsigned int at;

	if (runs->nr == runs->max) {
		pr_err("memmap: no room for more than %u runs of descriptors\n", runs->max);
		return -ENOMEM;
	}
	at = last_below(runs, start, NULL);
	insert(runs->by_pfn, runs->nr, at == runs->nr ? 0 : at + 1, run);
	at = last_below(runs, 0, map);
	insert(runs->by_map, runs->nr, at == runs->nr ? 0 : at + 1, run);
	runs->nr++;
	return 0;
}

const struct map_run *map_run_of_pfn(const struct map_runs *runs, unsigned long pfn)
{
	unsigned int at = last_below(runs, pfn, NULL);

	return at < runs->nr && pfn < runs->by_pfn[at].end ? &runs->by_pfn[at] : NULL;
}

const struct map_run *map_run_of_page(const struct map_runs *runs, const struct page *page)
{
	unsigned int at = last_below(runs, 0, page);
	const struct map_run *run = &runs->by_map[at];

	return at < runs->nr && (unsigned long)(page - run->map) < run->end - run->start ? run : NULL;
}
