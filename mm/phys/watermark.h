/* SPDX-License-Identifier: MIT */
/* Watermarks, reserves and the sysctls they follow from. */
#ifndef MM_PHYS_WATERMARK_H
#define MM_PHYS_WATERMARK_H

#include "zone.h"

/* (s) The values as the sysctl files show them. Change them with the setters below only. */
extern int min_free_kbytes;
extern int user_min_free_kbytes; /* what was written last; -1: nothing */
extern int watermark_boost_factor;
extern int watermark_scale_factor;
extern int sysctl_lowmem_reserve_ratio[MAX_NR_ZONES];
extern int percpu_pagelist_high_fraction;

/* Pages that kernel allocations leave free over all zones; per node: pgdat->totalreserve_pages. */
extern unsigned long totalreserve_pages;

#define WATERMARK_SCALE_FACTOR_MAX 3000
#define MIN_PERCPU_PAGELIST_HIGH_FRACTION 8

/*
 * Set a value and put it into effect before returning. Context: thread context, no lock held.
 * Return: 0; -EINVAL for a value out of range (nothing is changed).
 */
int set_min_free_kbytes(int kbytes);
int set_watermark_boost_factor(int factor);
int set_watermark_scale_factor(int factor);
int set_lowmem_reserve_ratio(const int ratio[], unsigned int nr); /* values below 1 count as 0: no reserve */
int set_percpu_pagelist_high_fraction(int fraction);

/* From managed pages to everything: min_free_kbytes, watermarks, reserves, thresholds, pcp sizes. */
void init_per_zone_wmark_min(void);
/* Only what follows from min_free_kbytes and the managed pages. */
void setup_per_zone_wmarks(void);

/* What transparent huge pages want min_free_kbytes to be at least; khugepaged's start calls the second. */
int thp_recommended_min_free_kbytes(void);
void set_recommended_min_free_kbytes(void);

/* ---- The arithmetic alone, so that recorded machines can be checked against it ---- */

/* int_sqrt(lowmem_kbytes * 16) within 128 and 262144 */
int min_free_kbytes_for(u64 lowmem_kbytes);

struct wmark_result {
	unsigned long mark[NR_WMARK];
};
/* @capped: HighMem and Movable, whose min is their size / 1024 within 32 and 128 pages */
struct wmark_result wmark_compute(unsigned long managed, unsigned long lowmem_managed, int min_free_kb,
				  int scale_factor, bool capped);
/* protection of zone @i against class @j > @i, given the node's managed pages by zone */
unsigned long lowmem_reserve_compute(const unsigned long managed[MAX_NR_ZONES], unsigned int i, unsigned int j,
				     int ratio);
unsigned int zone_batchsize(unsigned long managed);
unsigned int zone_highsize(unsigned long total, unsigned int batch, unsigned int local_cpus);

/* ---- Checks ---- */

/*
 * zone_watermark_ok - would the zone still be above @mark after an allocation of 2^@order pages?
 * @highest: highest zone the request could use; the zone keeps its lowmem_reserve for lower ones
 * @alloc_flags: ALLOC_* of page_alloc.h and frames.h
 */
bool zone_watermark_ok(struct zone *zone, unsigned int order, unsigned long mark, enum zone_type highest,
		       unsigned int alloc_flags);
/* The same with @free pages instead of the counter. */
bool __zone_watermark_ok(struct zone *zone, unsigned int order, unsigned long mark, enum zone_type highest,
			 unsigned int alloc_flags, long free);
/* The same, and passes over the boost for urgent single pages. What the allocator asks. */
bool zone_watermark_fast(struct zone *zone, unsigned int order, unsigned long mark, enum zone_type highest,
			 unsigned int alloc_flags);

static inline unsigned long min_wmark_pages(const struct zone *zone)
{
	return wmark_pages(zone, WMARK_MIN);
}

static inline unsigned long low_wmark_pages(const struct zone *zone)
{
	return wmark_pages(zone, WMARK_LOW);
}

static inline unsigned long high_wmark_pages(const struct zone *zone)
{
	return wmark_pages(zone, WMARK_HIGH);
}

#endif
