// SPDX-License-Identifier: MIT
/* Several CPUs at one zone: no frame is given twice, none is lost; as threads and under seeded schedules. */
#include "harness.h"
#include "hosted.h"
#include "mm/sync/atomic.h"
#include "mm/phys/zone.h"

#define STRESS_FRAMES (1u << 18)
#define STRESS_CPUS 4u
#define HELD_MAX 600u

static struct zone *zone; /* the booted machine's largest */
static u8 owner[STRESS_FRAMES]; /* CPU + 1 that holds the frame */
static unsigned int stress_steps, stress_errors;
static u64 stress_seed;

static void mark(unsigned long pfn, unsigned int order, u8 from, u8 to)
{
	for (unsigned long i = pfn - zone->zone_start_pfn, n = i + (1ul << order); i < n; i++)
		if (atomic_cmpxchg(&owner[i], from, to) != from)
			atomic_fetch_add(&stress_errors, 1);
}

static void stress_cpu(unsigned int cpu, void *arg)
{
	struct {
		unsigned long pfn;
		unsigned int order;
	} held[HELD_MAX];
	unsigned int nr = 0;
	u64 seed = stress_seed + cpu * 977;

	(void)arg;
	for (unsigned int step = 0; step < stress_steps; step++) {
		unsigned int what = (unsigned int)(test_random(&seed) >> 40) % 1024;
		bool filling = step / 256 % 2 == 0;

		if (what == 0) {
			frames_drain_all(zone);
		} else if (what == 1) {
			frames_drain_cpu(zone);
		} else if (what == 2) {
			set_pageblock_migratetype(zone, zone->zone_start_pfn + test_random(&seed) % zone->spanned_pages,
						  step % 3);
		} else if (what % 8 < (filling ? 6 : 3) && nr < HELD_MAX) {
			unsigned int order = what / 8 % 16 < 12 ? 0 : what / 8 % 16 < 15 ? 3 : what / 128 % 11;
			unsigned long pfn = frame_alloc(zone, order, what / 8 % 3, what / 8 % 32 ? 0 : ALLOC_NO_PCP);

			if (pfn == PFN_NONE)
				continue;
			mark(pfn, order, 0, (u8)(cpu + 1));
			held[nr].pfn = pfn;
			held[nr++].order = order;
		} else if (nr) {
			unsigned int i = (unsigned int)(test_random(&seed) >> 33) % nr;

			mark(held[i].pfn, held[i].order, (u8)(cpu + 1), 0);
			if (!frame_free(zone, held[i].pfn, held[i].order))
				atomic_fetch_add(&stress_errors, 1);
			held[i] = held[--nr];
		}
	}
	while (nr--) {
		mark(held[nr].pfn, held[nr].order, (u8)(cpu + 1), 0);
		if (!frame_free(zone, held[nr].pfn, held[nr].order))
			atomic_fetch_add(&stress_errors, 1);
	}
}

static unsigned long free_and_cached(void)
{
	unsigned long n = zone_page_state_snapshot(zone, NR_FREE_PAGES);

	for_each_possible_cpu(cpu)
		n += cpu_pages_count(zone, cpu);
	return n;
}

static void stress_begin(unsigned int steps, u64 seed)
{
	for_each_populated_zone(z)
		if (z->spanned_pages <= STRESS_FRAMES && (!zone || z->managed_pages > zone->managed_pages))
			zone = z;
	memset(owner, 0, sizeof(owner));
	stress_errors = 0;
	stress_steps = steps;
	stress_seed = seed;
}

/* One run: what is free is the same before and after, whoever had it in between. */
#define STRESS(run)                                                                \
	do {                                                                       \
		unsigned long before = free_and_cached();                          \
		ASSERT((run) == 0);                                                \
		(void)frames_verify(zone, test_finding, NULL);                     \
		EXPECT_EQ(stress_errors, 0);                                       \
		EXPECT_EQ(free_and_cached(), before);                              \
		frames_drain_all(zone);                                            \
		EXPECT_EQ(zone_page_state_snapshot(zone, NR_FREE_PAGES), before);  \
		(void)frames_verify(zone, test_finding, NULL);                     \
	} while (0)

TEST(frames_stress, threads)
{
	zone = NULL;
	stress_begin(20000, test_seed);
	ASSERT(zone);
	STRESS(hosted_run_cpus(STRESS_CPUS, stress_cpu, NULL));
}

TEST(frames_stress, schedules)
{
	zone = NULL;
	for (u64 seed = 1; seed <= 12; seed++) {
		struct hosted_schedule schedule = { .seed = test_seed * 100 + seed };

		stress_begin(1500, seed);
		ASSERT(zone);
		STRESS(hosted_run_coroutines(STRESS_CPUS, stress_cpu, NULL, &schedule));
	}
}
