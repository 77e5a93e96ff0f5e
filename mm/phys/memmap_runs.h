/* SPDX-License-Identifier: MIT */
/* Arrays of descriptors, found by frame or by address: for the sparse and discontig models. */
#ifndef MM_PHYS_MEMMAP_RUNS_H
#define MM_PHYS_MEMMAP_RUNS_H

#include "memmap_models.h"

/* struct map_run - descriptors of the frames [@start, @end), the first of them at @map */
struct map_run {
	unsigned long start, end;
	struct page *map;
};

/* The same runs, once by frame and once by address. */
struct map_runs {
	struct map_run *by_pfn, *by_map;
	unsigned int nr, max;
};

int __must_check map_runs_init(struct map_runs *runs, unsigned int max);
/* Enter a run. Return: 0 or -ENOMEM. */
int __must_check map_runs_add(struct map_runs *runs, unsigned long start, unsigned long end, struct page *map);
const struct map_run *map_run_of_pfn(const struct map_runs *runs, unsigned long pfn);
const struct map_run *map_run_of_page(const struct map_runs *runs, const struct page *page);

#endif
