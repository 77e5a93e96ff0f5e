/* SPDX-License-Identifier: MIT */
/*
 * A zone of the tests' own over static memory, with per-CPU caches of its own for CPU 0 and 1, while the
 * booted machine's stand aside. Ends with the scope:
 *
 *	struct fixture __fixture fx;
 *	fixture_begin(&fx, start, spanned);
 */
#ifndef TESTS_FRAMES_FIXTURE_H
#define TESTS_FRAMES_FIXTURE_H

#include "harness.h"
#include "mm/phys/cpupages.h"

#define FIXTURE_CPUS 4u
#define FIXTURE_FRAMES (64u * BLOCK_FRAMES)

struct fixture {
	unsigned int nr_cpu_ids;
	struct cpu_pages *pages[FIXTURE_CPUS];
	struct zone_cpu_stat *zone_stats[FIXTURE_CPUS];
	struct cpu_local *locals[FIXTURE_CPUS];
};

static struct zone fx_zone;
static struct cpu_pages fx_pages[FIXTURE_CPUS];
static struct zone_cpu_stat fx_stats[FIXTURE_CPUS];
static struct cpu_local fx_locals[FIXTURE_CPUS];
static u8 fx_metadata[96 * 1024] __aligned(128);

static inline void fixture_end(struct fixture *fx)
{
	for (unsigned int cpu = 0; cpu < FIXTURE_CPUS; cpu++) {
		cpu_locals[cpu]->pages = fx->pages[cpu];
		cpu_locals[cpu]->zone_stats = fx->zone_stats[cpu];
		cpu_locals[cpu] = fx->locals[cpu];
	}
	nr_cpu_ids = fx->nr_cpu_ids;
}
#define __fixture __attribute__((cleanup(fixture_end)))

/* The zone anew, nothing in it. */
static inline void fixture_zone(unsigned long start, unsigned long spanned)
{
	memset(&fx_zone, 0, sizeof(fx_zone));
	memset(fx_pages, 0, sizeof(fx_pages));
	memset(fx_stats, 0, sizeof(fx_stats));
	memset(fx_metadata, 0, min(sizeof(fx_metadata), frames_bytes(start, spanned)));
	spin_lock_init(&fx_zone.lock, LOCK_RANK_ZONE);
	fx_zone.name = "Test";
	fx_zone.zone_start_pfn = start;
	fx_zone.spanned_pages = fx_zone.present_pages = fx_zone.managed_pages = spanned;
	fx_zone.stat_threshold = 20;
	frames_zone_init(&fx_zone, fx_metadata);
	/* Caches as large as in a large zone, but no whole blocks. */
	frames_set_limits(&fx_zone, 1ul << 20);
	fx_zone.frames.whole_max = 0;
}

static inline void fixture_begin(struct fixture *fx, unsigned long start, unsigned long spanned)
{
	fx->nr_cpu_ids = nr_cpu_ids;
	for (unsigned int cpu = 0; cpu < FIXTURE_CPUS; cpu++) {
		fx->locals[cpu] = cpu_locals[cpu];
		if (!cpu_locals[cpu]) {
			fx_locals[cpu] = (struct cpu_local){ .self = &fx_locals[cpu], .cpu = cpu };
			cpu_locals[cpu] = &fx_locals[cpu];
		}
		fx->pages[cpu] = cpu_locals[cpu]->pages;
		fx->zone_stats[cpu] = cpu_locals[cpu]->zone_stats;
		cpu_pages_init(cpu, &fx_pages[cpu], 1);
		cpu_locals[cpu]->zone_stats = &fx_stats[cpu];
	}
	nr_cpu_ids = FIXTURE_CPUS;
	fixture_zone(start, spanned);
	if (frames_bytes(start, spanned) > sizeof(fx_metadata))
		test_fail(__FILE__, __LINE__, "the fixture's metadata buffer is too small");
}

static inline void fixture_complain(void *ctx, const char *line)
{
	(void)ctx;
	test_fail(__FILE__, __LINE__, "%s", line);
}

/* Everything holds; else each finding is a failure. */
static inline void fixture_verify(void)
{
	(void)frames_verify(&fx_zone, fixture_complain, NULL);
}

static inline void fixture_note(void *ctx, const char *line)
{
	strscpy(ctx, line, 160);
}

/* Exactly one finding, of that invariant. */
#define EXPECT_FINDING(id)                                                                       \
	do {                                                                                     \
		char _line[160] = "";                                                            \
		unsigned int _n = frames_verify(&fx_zone, fixture_note, _line);                  \
		if (_n != 1 || strncmp(_line, id ":", sizeof(id)))                               \
			test_fail(__FILE__, __LINE__, "%u findings, the last \"%s\"", _n, _line); \
	} while (0)

static inline unsigned long fixture_free(void)
{
	return zone_page_state_snapshot(&fx_zone, NR_FREE_PAGES);
}

static inline unsigned long fixture_cached(void)
{
	unsigned long n = 0;

	for (unsigned int cpu = 0; cpu < FIXTURE_CPUS; cpu++)
		n += cpu_pages_count(&fx_zone, cpu);
	return n;
}

#endif
