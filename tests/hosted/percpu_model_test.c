// SPDX-License-Identifier: MIT
/* The per-CPU allocator against naive oracles: random runs, all short runs on tiny chunks, failing pages. */
#include <octavo/gfp.h>

#include "fault.h"
#include "hosted.h"
#include "mm/slab/percpu.h"

/* ---- Random runs ---- */

#define LIVE 400

struct area {
	u8 __percpu *p;
	size_t size;
	u8 stamp;
};

static struct area live[LIVE];
static unsigned int nr_live;

static void expect_bytes(const struct area *a, u8 value, const char *what)
{
	for_each_possible_cpu(cpu) {
		const u8 *copy = per_cpu_ptr(a->p, cpu);

		for (size_t i = 0; i < a->size; i++)
			if (copy[i] != (value ? (u8)(value + cpu) : 0)) {
				test_fail(__FILE__, __LINE__, "%s: byte %zu of %zu on CPU %u is %u", what, i, a->size,
					  cpu, copy[i]);
				return;
			}
	}
}

static void stamp(const struct area *a)
{
	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(a->p, cpu), (u8)(a->stamp + cpu), a->size);
}

static void model_alloc(u64 r)
{
	static const size_t most[] = { 8, 8, 64, 64, 200, 1000, 5000, 32768 };
	struct area *a = &live[nr_live];
	size_t align = (size_t)1 << (r >> 8) % 13;
	gfp_t gfp = r >> 16 & 7 ? GFP_KERNEL | __GFP_NOWARN : GFP_NOWAIT | __GFP_NOWARN;

	if (r >> 20 & 3)
		align = 8;
	a->size = 1 + (size_t)(r >> 24) % most[r >> 40 & 7];
	a->stamp = (u8)(1 + (r >> 48) % 200);
	a->p = __alloc_percpu_gfp(a->size, align, gfp);
	if (!a->p)
		return;
	nr_live++;
	EXPECT_EQ((uintptr_t)per_cpu_ptr(a->p, 1) % align, 0);
	expect_bytes(a, 0, "new");
	stamp(a);
}

static void model_free(u64 r)
{
	struct area *a = &live[(r >> 8) % nr_live];

	expect_bytes(a, a->stamp, "old");
	free_percpu(a->p);
	*a = live[--nr_live];
}

TEST(percpu_model, random_areas_are_disjoint_zeroed_and_kept)
{
	u64 seed = test_seed;
	unsigned int steps = test_scaled(6000), most = LIVE;

	nr_live = 0;
	for (unsigned int i = 0; i < steps; i++) {
		u64 r = test_random(&seed);

		if (i % 500 == 0) {
			most = 1 + (unsigned int)(r >> 32) % LIVE;
			EXPECT_EQ(percpu_verify(NULL, NULL), 0);
		}
		if (nr_live < most && (r & 1 || !nr_live))
			model_alloc(r);
		else if (nr_live)
			model_free(r);
	}
	while (nr_live)
		model_free(test_random(&seed));
	EXPECT_EQ(percpu_verify(NULL, NULL), 0);
	EXPECT_EQ(percpu.errors, 0);
	EXPECT(percpu.nr_later <= 1);
}

/* ---- All short runs ---- */

#define TINY 8
#define DEPTH 5

static unsigned int runs;
static bool damage;

/* First fit, by trying. */
static u32 naive_find(const u8 *owner, u32 phase, u32 n, u32 align)
{
	for (u32 at = 0; at + n <= TINY; at++) {
		u32 k = 0;

		while (k < n && !owner[at + k])
			k++;
		if (k == n && (at + phase) % align == 0)
			return at;
	}
	return CHUNK_NONE;
}

static bool agrees(const struct percpu_chunk *c, const u8 *owner)
{
	u32 free = 0, run = 0, longest = 0;

	for (u32 i = 0; i < TINY; i++) {
		bool first = owner[i] && (!i || owner[i - 1] != owner[i]);
		u32 n = 0;

		while (first && i + n < TINY && owner[i + n] == owner[i])
			n++;
		if ((c->taken[0] >> i & 1) != !!owner[i] || (c->begins[0] >> i & 1) != first || chunk_area(c, i) != n)
			return false;
		free += !owner[i];
		run = owner[i] ? 0 : run + 1;
		longest = max(longest, run);
	}
	return free == c->free && longest <= c->bound;
}

/* Every continuation of a state; areas are known by numbers. Return: all agreed. */
static bool explore(const struct percpu_chunk *chunk, const u8 *owner, unsigned int depth, u8 next)
{
	static const u8 sizes[] = { 1, 2, 3, 8 };

	runs++;
	for (unsigned int op = 0; depth && op < ARRAY_SIZE(sizes) * 3; op++) {
		struct percpu_chunk c = *chunk;
		u8 o[TINY];
		u32 n = sizes[op / 3], align = 1u << op % 3, at = chunk_find(&c, n, align);

		memcpy(o, owner, TINY);
		if (at != naive_find(owner, c.phase, n, align))
			return false;
		if (at != CHUNK_NONE) {
			chunk_take(&c, at, n);
			memset(o + at, next, n);
		}
		if (!agrees(&c, o) || !explore(&c, o, depth - 1, (u8)(next + 1)))
			return false;
	}
	for (u32 i = 0; depth && i < TINY; i++) {
		struct percpu_chunk c = *chunk;
		u32 n = chunk_area(chunk, i);
		u8 o[TINY];

		if (!n)
			continue;
		memcpy(o, owner, TINY);
		memset(o + i, 0, n);
		chunk_give(&c, i, n);
		if (damage)
			c.bound = min(c.bound, 2u);
		if (!agrees(&c, o) || !explore(&c, o, depth - 1, next))
			return false;
	}
	return true;
}

TEST(percpu_model, all_short_runs_on_a_tiny_chunk)
{
	static struct percpu_chunk chunk;
	u8 owner[TINY] = { 0 };

	runs = 0;
	for (u32 phase = 0; phase < 4; phase++) {
		memset(&chunk, 0, sizeof(chunk));
		chunk_init(&chunk, 1, TINY, phase);
		EXPECT(explore(&chunk, owner, test_effort < 50 ? DEPTH - 2 : DEPTH - 1, 1));
	}
	EXPECT(runs > 1000);
	damage = true;
	EXPECT(!explore(&chunk, owner, DEPTH - 2, 1));
	damage = false;
}

/* ---- Failing pages ---- */

static void check(void *ctx)
{
	(void)ctx;
	EXPECT_EQ(percpu_verify(NULL, NULL), 0);
}

/* Three chunks more than there are, then none. */
static bool grow(void *ctx)
{
	void __percpu *p[3];
	unsigned int n = 0;

	(void)ctx;
	while (n < 3 && (p[n] = __alloc_percpu_gfp(PCPU_MIN_UNIT_SIZE, 64, GFP_KERNEL | __GFP_NOWARN)))
		n++;
	for (unsigned int i = 0; i < n; i++)
		free_percpu(p[i]);
	return n == 3;
}

TEST(percpu_model, each_failing_page_leaves_all_as_it_was)
{
	/* a page for the bits and a unit a CPU, three times; later runs find the kept chunk */
	EXPECT(fault_each(grow, check, NULL) >= 2 * (1 + nr_cpu_ids));
}

TEST(percpu_model, numbers_run_out_politely)
{
	struct hosted_options options = { .cpus = 1, .quiet = true };
	static void __percpu *p[PERCPU_LATER_MAX + 2];
	unsigned int n = 0;

	ASSERT(!hosted_boot_default(&options));
	while (n < ARRAY_SIZE(p) && (p[n] = __alloc_percpu_gfp(PCPU_MIN_UNIT_SIZE, 64, GFP_KERNEL | __GFP_NOWARN)))
		n++;
	EXPECT_EQ(n, PERCPU_LATER_MAX);
	EXPECT_EQ(percpu_verify(NULL, NULL), 0);
	while (n)
		free_percpu(p[--n]);
	EXPECT_EQ(percpu_verify(NULL, NULL), 0);
	EXPECT_EQ(percpu.nr_later, 1);
}
