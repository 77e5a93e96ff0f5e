// SPDX-License-Identifier: MIT
/* Per-CPU rows and slots: what is cached, what circulates, double frees, draining, a model and all short runs. */
#include "frames_fixture.h"
#include "mm/sync/cpu.h"

static unsigned long alloc(unsigned int order)
{
	return frame_alloc(&fx_zone, order, MIGRATE_MOVABLE, 0);
}

TEST(cpupages, single_frames_come_in_address_order_and_by_row)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, FIXTURE_FRAMES);
	frames_add(&fx_zone, 0, FIXTURE_FRAMES, MIGRATE_MOVABLE);
	for (unsigned long i = 0; i < 1000; i++)
		ASSERT(alloc(0) == i);
	/* one row of 64 is out: the rest of it is cached and counts as not free */
	EXPECT_EQ(fixture_cached(), 1024 - 1000);
	EXPECT_EQ(fixture_free(), FIXTURE_FRAMES - 1024);
	EXPECT_EQ(frame_state(&fx_zone, 999), 0);
	EXPECT_EQ(frame_state(&fx_zone, 1000), 2);
	EXPECT_EQ(frame_state(&fx_zone, 1024), 1);
	fixture_verify();
	frames_drain_cpu(&fx_zone);
	EXPECT_EQ(fixture_cached(), 0);
	EXPECT_EQ(fixture_free(), FIXTURE_FRAMES - 1000);
	fixture_verify();
}

TEST(cpupages, freed_frames_gather_by_row)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, FIXTURE_FRAMES);
	frames_add(&fx_zone, 0, FIXTURE_FRAMES, MIGRATE_MOVABLE);
	for (unsigned long i = 0; i < 256; i++)
		ASSERT(alloc(0) == i);
	for (unsigned long i = 0; i < 256; i++)
		ASSERT(frame_free(&fx_zone, i, 0));
	EXPECT_EQ(fixture_cached(), 256);
	fixture_verify();
	frames_drain_cpu(&fx_zone);
	EXPECT_EQ(fixture_free(), FIXTURE_FRAMES);
	EXPECT_EQ(frame_alloc(&fx_zone, 10, MIGRATE_MOVABLE, 0), 0);
	fixture_verify();
}

TEST(cpupages, alloc_and_free_in_turn_stay_in_one_row)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, FIXTURE_FRAMES);
	frames_add(&fx_zone, 0, FIXTURE_FRAMES, MIGRATE_MOVABLE);
	for (unsigned int order = 0; order <= 3; order++)
		for (int i = 0; i < 1000; i++) {
			unsigned long pfn = alloc(order);

			ASSERT(pfn < 4 * BLOCK_FRAMES);
			ASSERT(IS_ALIGNED(pfn, 1ul << order));
			ASSERT(frame_free(&fx_zone, pfn, order));
		}
	EXPECT(fixture_cached() <= 5 * ROW_FRAMES);
	fixture_verify();
}

TEST(cpupages, double_frees_are_refused)
{
	struct fixture __fixture fx;
	unsigned long pfn;

	fixture_begin(&fx, 0, FIXTURE_FRAMES);
	frames_add(&fx_zone, 0, FIXTURE_FRAMES, MIGRATE_MOVABLE);
	for (int i = 0; i < 100; i++) /* into the second row: slots that were never used stand for the first */
		pfn = alloc(0);
	EXPECT(!frame_free(&fx_zone, pfn + 1, 0)); /* still in the row to allocate from */
	EXPECT(frame_free(&fx_zone, pfn, 0));
	EXPECT(!frame_free(&fx_zone, pfn, 0)); /* in the slot */
	pfn = alloc(3);
	EXPECT(frame_free(&fx_zone, pfn, 3));
	EXPECT(!frame_free(&fx_zone, pfn + 4, 2));
	EXPECT(!frame_free(&fx_zone, pfn, 3));
	pfn = frame_alloc(&fx_zone, 5, MIGRATE_MOVABLE, 0);
	EXPECT(frame_free(&fx_zone, pfn, 5));
	EXPECT(!frame_free(&fx_zone, pfn, 5)); /* in the block */
	pfn = alloc(9);
	EXPECT(frame_free(&fx_zone, pfn, 9));
	EXPECT(!frame_free(&fx_zone, pfn, 9));
	EXPECT(!frame_free(&fx_zone, FIXTURE_FRAMES, 0)); /* not of the zone */
	EXPECT(!frame_free(&fx_zone, FIXTURE_FRAMES - 1, 1));
	frames_drain_cpu(&fx_zone);
	EXPECT_EQ(fixture_free(), FIXTURE_FRAMES - 99);
	fixture_verify();
}

TEST(cpupages, an_interrupt_within_a_section_leaves_the_caches_alone)
{
	struct fixture __fixture fx;
	unsigned long pfn, in_section, flags, cached;
	struct cpu_local *cpu;

	fixture_begin(&fx, 0, FIXTURE_FRAMES);
	frames_add(&fx_zone, 0, FIXTURE_FRAMES, MIGRATE_MOVABLE);
	pfn = alloc(0);
	cached = fixture_cached();
	cpu = cpu_section_begin(&flags);
	in_section = alloc(0);
	EXPECT_EQ(fixture_cached(), cached);
	EXPECT(in_section != PFN_NONE && in_section != pfn);
	EXPECT(frame_free(&fx_zone, in_section, 0));
	frames_drain_cpu(&fx_zone);
	EXPECT_EQ(fixture_cached(), cached);
	EXPECT_EQ(fixture_free(), FIXTURE_FRAMES - ROW_FRAMES);
	cpu_section_end(cpu, flags);
	fixture_verify();
}

TEST(cpupages, bulk_gives_distinct_frames)
{
	struct fixture __fixture fx;
	static unsigned long pfns[3000];
	unsigned long n;

	fixture_begin(&fx, 0, 2048);
	frames_add(&fx_zone, 0, 2048, MIGRATE_MOVABLE);
	EXPECT_EQ(frame_alloc_bulk(&fx_zone, MIGRATE_MOVABLE, 0, 10, pfns), 10);
	n = 10 + frame_alloc_bulk(&fx_zone, MIGRATE_MOVABLE, 0, 2990, pfns + 10);
	EXPECT_EQ(n, 2048); /* all there is */
	for (unsigned long i = 0; i < n; i++)
		EXPECT(frame_free(&fx_zone, pfns[i], 0)); /* a frame given twice would be refused */
	frames_drain_cpu(&fx_zone);
	EXPECT_EQ(fixture_free(), 2048);
	fixture_verify();
}

TEST(cpupages, drain_all_reaches_other_cpus)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, FIXTURE_FRAMES);
	frames_add(&fx_zone, 0, FIXTURE_FRAMES, MIGRATE_MOVABLE);
	/* CPU 3, which is not running, caches what this one took */
	ASSERT(frames_claim(&fx_zone, 64, 128));
	fx_pages[3].slots[1].row = 1;
	fx_pages[3].slots[1].mask = ~0ull;
	EXPECT_EQ(cpu_pages_count(&fx_zone, 3), 64);
	fixture_verify();
	frames_drain_all(&fx_zone);
	EXPECT_EQ(fixture_cached(), 0);
	EXPECT_EQ(fixture_free(), FIXTURE_FRAMES);
	fixture_verify();
}

TEST(cpupages, every_frame_can_be_had_in_every_order)
{
	struct fixture __fixture fx;

	fixture_begin(&fx, 0, 4096);
	frames_add(&fx_zone, 0, 4096, MIGRATE_MOVABLE);
	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++)
		for (unsigned int type = 0; type < MIGRATE_PCPTYPES; type++) {
			for (unsigned int i = 0; i < 4096u >> order; i++)
				ASSERT(frame_alloc(&fx_zone, order, type, 0) != PFN_NONE);
			EXPECT_EQ(frame_alloc(&fx_zone, order, type, 0), PFN_NONE);
			fixture_verify();
			for (unsigned long pfn = 0; pfn < 4096; pfn += 1ul << order)
				ASSERT(frame_free(&fx_zone, pfn, order));
			fixture_verify();
		}
}

/* ---- Model: random operations against a map of who has what ---- */

#define MODEL_FRAMES (16u * BLOCK_FRAMES)
#define MODEL_HELD 4000u

static struct {
	u8 used[MODEL_FRAMES]; /* 1: handed out or claimed */
	struct {
		unsigned long pfn;
		unsigned int order;
	} held[MODEL_HELD];
	unsigned int nr_held;
	u64 seed;
} model;

static unsigned int pick(unsigned int n)
{
	return (unsigned int)(test_random(&model.seed) >> 33) % n;
}

static bool model_run_free(unsigned long pfn, unsigned long n)
{
	for (unsigned long i = pfn; i < pfn + n; i++)
		if (i >= MODEL_FRAMES || model.used[i])
			return false;
	return true;
}

static void model_hold(unsigned long pfn, unsigned int order)
{
	if (!IS_ALIGNED(pfn, 1ul << order) || !model_run_free(pfn, 1ul << order))
		test_fail(__FILE__, __LINE__, "frames %lu, order %u, given out and not free", pfn, order);
	memset(model.used + pfn, 1, 1ul << order);
	model.held[model.nr_held].pfn = pfn;
	model.held[model.nr_held++].order = order;
}

/* The allocation failed: rightly so? */
static void model_check_failure(unsigned int order, unsigned int flags)
{
	for (unsigned long pfn = 0; pfn < MODEL_FRAMES; pfn += 1ul << order) {
		unsigned int type = get_pageblock_migratetype(&fx_zone, pfn);
		unsigned int other = order > 9 ? get_pageblock_migratetype(&fx_zone, pfn + BLOCK_FRAMES) : type;

		if (!model_run_free(pfn, 1ul << order) || type >= MIGRATE_PCPTYPES || other >= MIGRATE_PCPTYPES)
			continue;
		if (!(flags & ALLOC_NOFRAGMENT))
			test_fail(__FILE__, __LINE__, "order %u refused, though %lu is free", order, pfn);
		return;
	}
}

static void model_alloc(void)
{
	unsigned int order = pick(3) ? pick(4) : pick(NR_PAGE_ORDERS), flags = 0;
	unsigned long pfn;

	flags |= pick(4) ? 0 : ALLOC_NO_PCP;
	flags |= pick(8) ? 0 : ALLOC_NOFRAGMENT;
	flags |= pick(4) ? 0 : ALLOC_CMA;
	flags |= pick(16) ? 0 : ALLOC_HIGHATOMIC;
	if (model.nr_held == MODEL_HELD)
		return;
	pfn = frame_alloc(&fx_zone, order, pick(MIGRATE_PCPTYPES), flags);
	if (pfn != PFN_NONE)
		model_hold(pfn, order);
	else
		model_check_failure(order, flags);
}

static void model_free(void)
{
	unsigned int i;

	if (!model.nr_held)
		return;
	i = pick(model.nr_held);
	memset(model.used + model.held[i].pfn, 0, 1ul << model.held[i].order);
	if (!frame_free(&fx_zone, model.held[i].pfn, model.held[i].order))
		test_fail(__FILE__, __LINE__, "free of %lu, order %u, refused", model.held[i].pfn,
			  model.held[i].order);
	model.held[i] = model.held[--model.nr_held];
}

static void model_claim(void)
{
	unsigned long start = pick(MODEL_FRAMES), n = 1 + pick(900);

	if (model.nr_held + n > MODEL_HELD)
		return;
	frames_drain_all(&fx_zone);
	if (frames_claim(&fx_zone, start, start + n) != model_run_free(start, n)) {
		test_fail(__FILE__, __LINE__, "claim of %lu + %lu: wrong answer", start, n);
		return;
	}
	if (model_run_free(start, n))
		for (unsigned long i = 0; i < n; i++)
			model_hold(start + i, 0);
}

static void model_set_type(void)
{
	static const u8 types[] = { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_CMA,
				    MIGRATE_ISOLATE };
	unsigned int to = types[pick(ARRAY_SIZE(types))];
	unsigned long pfn = pick(MODEL_FRAMES);

	if (get_pageblock_migratetype(&fx_zone, pfn) != MIGRATE_HIGHATOMIC)
		set_pageblock_migratetype(&fx_zone, pfn, to);
}

/* Every free frame of the model is in a block or a cache, and no other. */
static void model_compare(void)
{
	unsigned long used = 0, isolated = 0, nr[NR_PAGE_ORDERS];

	fixture_verify();
	for (unsigned long i = 0; i < MODEL_FRAMES; i++)
		used += model.used[i];
	frames_count(&fx_zone, MIGRATE_ISOLATE, nr);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		isolated += nr[order] << order;
	EXPECT_EQ(fixture_free() + fixture_cached() + isolated, MODEL_FRAMES - used);
}

static void model_run(unsigned int steps, bool types)
{
	for (unsigned int step = 0; step < steps; step++) {
		/* waves: now more is taken, now more is given */
		bool filling = step / 512 % 2 == 0;
		unsigned int what = pick(1000);

		if (what < 4)
			model_claim();
		else if (what < 10 && types)
			model_set_type();
		else if (what < 14)
			frames_drain_cpu(&fx_zone);
		else if (what < 16)
			(void)unreserve_highatomic(&fx_zone, pick(2));
		else if (pick(8) < (filling ? 6 : 2))
			model_alloc();
		else
			model_free();
		if (step % 64 == 0)
			model_compare();
	}
}

TEST(cpupages, model)
{
	struct fixture __fixture fx;

	model.seed = test_seed * 77 + 5;
	for (unsigned int round = 0; round < 12; round++) {
		memset(model.used, 0, sizeof(model.used));
		model.nr_held = 0;
		if (!round)
			fixture_begin(&fx, 0, MODEL_FRAMES);
		fixture_zone(0, MODEL_FRAMES);
		fx_zone.managed_pages = MODEL_FRAMES * 16; /* so that a percent of it is more than a block */
		fx_zone.cma_pages = 1;
		fx_zone.frames.whole_max = round % 4;
		fx_zone.frames.slot_mask = (1u << round % 7) - 1;
		frames_add(&fx_zone, 0, MODEL_FRAMES, MIGRATE_MOVABLE);
		model_run(6000, round % 2);
		while (model.nr_held)
			model_free();
		frames_drain_all(&fx_zone);
		model_compare();
		for (unsigned long pfn = 0; pfn < MODEL_FRAMES; pfn++)
			ASSERT(frame_state(&fx_zone, pfn) == 1);
	}
}

/* ---- Every short sequence on a tiny zone ---- */

enum { DO_ALLOC0, DO_ALLOC3, DO_ALLOC9, DO_FREE_FIRST, DO_FREE_LAST, DO_DRAIN, DO_DIRECT6, NR_DO };

static void do_one(unsigned int what)
{
	static const u8 orders[NR_DO] = { [DO_ALLOC0] = 0, [DO_ALLOC3] = 3, [DO_ALLOC9] = 9, [DO_DIRECT6] = 6 };
	unsigned long pfn;
	unsigned int i;

	switch (what) {
	case DO_DRAIN:
		frames_drain_cpu(&fx_zone);
		return;
	case DO_FREE_FIRST:
	case DO_FREE_LAST:
		if (!model.nr_held)
			return;
		i = what == DO_FREE_FIRST ? 0 : model.nr_held - 1;
		memset(model.used + model.held[i].pfn, 0, 1ul << model.held[i].order);
		EXPECT(frame_free(&fx_zone, model.held[i].pfn, model.held[i].order));
		for (model.nr_held--; i < model.nr_held; i++)
			model.held[i] = model.held[i + 1];
		return;
	default:
		pfn = frame_alloc(&fx_zone, orders[what], what == DO_DIRECT6 ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE,
				  what == DO_DIRECT6 ? ALLOC_NO_PCP : 0);
		if (pfn != PFN_NONE)
			model_hold(pfn, orders[what]);
		else
			model_check_failure(orders[what], 0);
	}
}

TEST(cpupages, every_short_sequence)
{
	struct fixture __fixture fx;
	const unsigned int length = 5, frames = 2 * BLOCK_FRAMES - 100;
	unsigned int total = 1;

	fixture_begin(&fx, 0, 2 * BLOCK_FRAMES);
	for (unsigned int i = 0; i < length; i++)
		total *= NR_DO;
	for (unsigned int sequence = 0; sequence < total; sequence++) {
		fixture_zone(0, 2 * BLOCK_FRAMES);
		fx_zone.frames.slot_mask = 3;
		fx_zone.frames.whole_max = 1;
		frames_add(&fx_zone, 0, frames, MIGRATE_MOVABLE);
		memset(model.used, 0, frames);
		memset(model.used + frames, 1, sizeof(model.used) - frames);
		model.nr_held = 0;
		for (unsigned int i = 0, rest = sequence; i < length; i++, rest /= NR_DO)
			do_one(rest % NR_DO);
		fixture_verify();
		while (model.nr_held)
			do_one(DO_FREE_LAST);
		frames_drain_cpu(&fx_zone);
		ASSERT(fixture_free() == frames);
	}
}

TEST(cpupages, limits_follow_from_the_zone_and_the_cpus)
{
	static const struct {
		unsigned long frames;
		unsigned int cpus;
		u32 rows, slots, whole;
	} cases[] = {
		{ 0, 1, 0, 1, 0 },
		{ 1023, 1, 0, 1, 0 },
		{ 1024, 1, 64, 1, 0 },
		{ 1024, 2, 0, 1, 0 },
		{ 4095, 4, 0, 1, 0 },
		{ 4096, 4, 64, 1, 0 },
		{ 7 << 10, 1, 448, 4, 0 },
		{ 64 << 10, 1, ROWS_FRAMES_MAX, 64, 2 },
		{ 64 << 10, 4, ROWS_FRAMES_MAX, 16, 1 },
		{ 64 << 10, 64, 64, 1, 0 },
		{ 1 << 20, 4, ROWS_FRAMES_MAX, 64, WHOLE_BLOCKS_MAX },
		{ 1 << 20, 64, ROWS_FRAMES_MAX, 16, 1 },
	};
	unsigned int cpus = nr_cpu_ids;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct zone zone = { .node = 0 };
		const struct zone_frames *f = &zone.frames;
		unsigned long kept;

		nr_cpu_ids = cases[i].cpus;
		frames_set_limits(&zone, cases[i].frames);
		EXPECT_EQ(f->rows_max, cases[i].rows);
		EXPECT_EQ(f->slot_mask + 1, cases[i].slots);
		EXPECT_EQ(f->whole_max, cases[i].whole);
		kept = f->rows_max + (f->rows_max ? (f->slot_mask + 1) * ROW_FRAMES : 0);
		EXPECT(kept * nr_cpu_ids <= cases[i].frames / CACHED_PART);
		EXPECT(f->whole_max * BLOCK_FRAMES * nr_cpu_ids <= cases[i].frames / WHOLE_PART);
	}
	nr_cpu_ids = cpus;
}

/* Whatever is asked for, rows and slots stay within: FR-I9, which frames_verify() looks at. */
TEST(cpupages, small_zones_keep_their_limits)
{
	static const u32 rows[] = { 0, 64, 65, 200, 500 };
	static unsigned long pfns[500];
	static u8 orders[500];
	struct fixture __fixture fx;
	u64 seed = test_seed;

	fixture_begin(&fx, 0, 2048);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int n = 0;

		fixture_zone(0, 2048);
		fx_zone.frames.rows_max = rows[i];
		fx_zone.frames.slot_mask = rows[i] < 200 ? 0 : 1;
		cpu_pages_init(smp_processor_id(), &fx_pages[smp_processor_id()], 1);
		frames_add(&fx_zone, 0, 2048, MIGRATE_MOVABLE);
		for (unsigned int step = 0; step < 4000; step++) {
			u64 random = test_random(&seed);
			unsigned int order = random >> 20 & 3, type = (random >> 24) % 3, at;

			if (n < ARRAY_SIZE(pfns) && random & 1) {
				pfns[n] = frame_alloc(&fx_zone, order, type, 0);
				orders[n] = (u8)order;
				n += pfns[n] != PFN_NONE;
			} else if (n) {
				at = (unsigned int)((random >> 32) % n--);
				ASSERT(frame_free(&fx_zone, pfns[at], orders[at]));
				EXPECT(!frame_free(&fx_zone, pfns[at], orders[at]));
				pfns[at] = pfns[n];
				orders[at] = orders[n];
			}
			if (step % 100 == 0)
				fixture_verify();
			ASSERT(rows[i] || !fixture_cached());
		}
		while (n--)
			ASSERT(frame_free(&fx_zone, pfns[n], orders[n]));
		fixture_verify();
		frames_drain_cpu(&fx_zone);
		EXPECT_EQ(fixture_free(), 2048);
	}
}
