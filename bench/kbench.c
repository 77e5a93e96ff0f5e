// SPDX-License-Identifier: MIT
/*
 * The rows: one line "R NAME MEDIAN MIN UNIT" each, of REPEATS measurements after one that warms up.
 *
 * pair: an allocation and its free at once. bulk_alloc(N): N blocks one after the other; bulk_free: they go back
 * in that order; random_free: in a shuffled one. Each value is per block, loop included (a few instructions).
 */
#include "kbench.h"

#include <octavo/errno.h>
#include <octavo/gfp.h>
#include <octavo/page.h>

#include "mm/base/compiler.h"
#include "mm/base/printk.h"
#include "mm/base/string.h"

#define REPEATS KBENCH_REPEATS
#define BLOCKS_MAX 16384

extern const struct kbench_case __start_octavo_benches[] __weak;
extern const struct kbench_case __stop_octavo_benches[] __weak;

static struct page *blocks[BLOCKS_MAX];

/* ---- Results ---- */

static void sort(u64 *v, unsigned int n)
{
	for (unsigned int i = 1; i < n; i++)
		for (unsigned int j = i; j && v[j] < v[j - 1]; j--) {
			u64 t = v[j];

			v[j] = v[j - 1];
			v[j - 1] = t;
		}
}

static bool wanted(const struct kbench *b, const char *name)
{
	return !b->only || !strncmp(name, b->only, strlen(b->only));
}

void kbench_row(struct kbench *b, const char *name, u64 ticks[REPEATS], u64 ops, const char *per)
{
	char line[128], median[24], least[24];
	u64 scaled[REPEATS];
	size_t len;

	if (!wanted(b, name))
		return;
	for (unsigned int i = 0; i < REPEATS; i++)
		scaled[i] = (ticks[i] * 100 + ops / 2) / ops;
	sort(scaled, REPEATS);
	octavo_snprintf(median, sizeof(median), "%llu.%02llu", (unsigned long long)(scaled[REPEATS / 2] / 100),
			(unsigned long long)(scaled[REPEATS / 2] % 100));
	octavo_snprintf(least, sizeof(least), "%llu.%02llu", (unsigned long long)(scaled[0] / 100),
			(unsigned long long)(scaled[0] % 100));
	len = octavo_snprintf(line, sizeof(line), "R K:%-42s %12s %12s %s/%s\n", name, median, least, b->unit, per);
	b->emit(b->ctx, line, min(len, sizeof(line) - 1));
	b->rows++;
}

void kbench_fail(struct kbench *b, const char *fmt, ...)
{
	char line[128];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = octavo_vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	b->emit(b->ctx, line, min(len, sizeof(line) - 1));
}

void kbench_shuffle(void **block, unsigned long count)
{
	u64 x = 0x9e3779b97f4a7c15ull; /* xorshift64 */

	for (unsigned long i = count - 1; i; i--) {
		void *t = block[i];
		unsigned long j;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		j = (unsigned long)(x % (i + 1));
		block[i] = block[j];
		block[j] = t;
	}
}

/* ---- The yardstick itself, and moving pages ---- */

static void bench_clock(struct kbench *b, const struct kbench_case *c)
{
	u64 ticks[REPEATS];

	for (unsigned int i = 0; i < REPEATS; i++) {
		u64 begin = b->clock();

		for (unsigned int n = 0; n < c->count; n++)
			(void)b->clock();
		ticks[i] = b->clock() - begin;
	}
	kbench_row(b, c->name, ticks, c->count, "call");
}

static void bench_pages(struct kbench *b, const struct kbench_case *c)
{
	struct page *to = alloc_pages(GFP_KERNEL, 0), *from = alloc_pages(GFP_KERNEL, 0);
	bool copy = !strcmp(c->name, "copy_page");
	u64 ticks[REPEATS];

	for (unsigned int i = 0; to && from && i < REPEATS; i++) {
		u64 begin = b->clock();

		for (unsigned int n = 0; n < c->count; n++) {
			if (copy)
				copy_highpage(to, from);
			else
				clear_highpage(to);
		}
		ticks[i] = b->clock() - begin;
	}
	if (to && from)
		kbench_row(b, c->name, ticks, c->count, "4KiB");
	else
		kbench_fail(b, "%s: no memory\n", c->name);
	if (to)
		__free_pages(to, 0);
	if (from)
		__free_pages(from, 0);
}

/* ---- Page allocator ---- */

static bool fill(const struct kbench_case *c)
{
	for (unsigned long i = 0; i < c->count; i++) {
		blocks[i] = alloc_pages(c->gfp, c->order);
		if (unlikely(!blocks[i])) {
			while (i--)
				__free_pages(blocks[i], c->order);
			return false;
		}
	}
	return true;
}

static void drop(const struct kbench_case *c)
{
	for (unsigned long i = 0; i < c->count; i++)
		__free_pages(blocks[i], c->order);
}

static bool time_pair(struct kbench *b, const struct kbench_case *c, u64 *ticks, unsigned int pairs)
{
	u64 begin = b->clock();

	for (unsigned int n = 0; n < pairs; n++) {
		struct page *page = alloc_pages(c->gfp, c->order);

		if (unlikely(!page))
			return false;
		__free_pages(page, c->order);
	}
	*ticks = b->clock() - begin;
	return true;
}

/* Fills and empties; the times of both. */
static bool time_bulk(struct kbench *b, const struct kbench_case *c, bool shuffled, u64 *filled, u64 *emptied)
{
	u64 begin = b->clock();

	if (!fill(c))
		return false;
	*filled = b->clock() - begin;
	if (shuffled)
		kbench_shuffle((void **)blocks, c->count);
	begin = b->clock();
	drop(c);
	*emptied = b->clock() - begin;
	return true;
}

static void bench_alloc(struct kbench *b, const struct kbench_case *c)
{
	u64 pair[REPEATS], bulk[REPEATS], bulk_free[REPEATS], random_free[REPEATS], ignored;
	const unsigned int pairs = 1000;
	char name[64];
	bool ok = time_pair(b, c, &pair[0], pairs) && time_bulk(b, c, true, &ignored, &ignored);

	for (unsigned int i = 0; ok && i < REPEATS; i++)
		ok = time_pair(b, c, &pair[i], pairs);
	for (unsigned int i = 0; ok && i < REPEATS; i++)
		ok = time_bulk(b, c, false, &bulk[i], &bulk_free[i]);
	for (unsigned int i = 0; ok && i < REPEATS; i++)
		ok = time_bulk(b, c, true, &ignored, &random_free[i]);
	if (!ok) {
		kbench_fail(b, "%s: no memory for %lu blocks of order %u\n", c->name, c->count, c->order);
		return;
	}
	octavo_snprintf(name, sizeof(name), "%s.pair", c->name);
	kbench_row(b, name, pair, pairs, "pair");
	octavo_snprintf(name, sizeof(name), "%s.bulk_alloc(%lu)", c->name, c->count);
	kbench_row(b, name, bulk, c->count, "op");
	octavo_snprintf(name, sizeof(name), "%s.bulk_free", c->name);
	kbench_row(b, name, bulk_free, c->count, "op");
	octavo_snprintf(name, sizeof(name), "%s.random_free", c->name);
	kbench_row(b, name, random_free, c->count, "op");
}

/* 64 pages by one call, freed one by one; per page. */
static void bench_bulk_array(struct kbench *b, const struct kbench_case *c)
{
	const unsigned int rounds = 100;
	u64 ticks[REPEATS], begin;

	for (unsigned int i = 0; i <= REPEATS; i++) {
		begin = b->clock();
		for (unsigned int n = 0; n < rounds; n++) {
			memset(blocks, 0, c->count * sizeof(blocks[0]));
			if (alloc_pages_bulk(c->gfp, c->count, blocks) != c->count) {
				kbench_fail(b, "%s: no memory\n", c->name);
				return;
			}
			drop(c);
		}
		ticks[i % REPEATS] = b->clock() - begin;
	}
	kbench_row(b, c->name, ticks, rounds * c->count, "page");
}

KBENCH(clock, "rdtsc_overhead", bench_clock, .count = 1000);
KBENCH(clear, "clear_page", bench_pages, .count = 1000);
KBENCH(copy, "copy_page", bench_pages, .count = 1000);
KBENCH(kernel0, "alloc_pages.KERNEL.o0", bench_alloc, GFP_KERNEL, 0, 16384);
KBENCH(movable0, "alloc_pages.MOVABLE.o0", bench_alloc, GFP_HIGHUSER_MOVABLE, 0, 16384);
KBENCH(kernel3, "alloc_pages.KERNEL.o3", bench_alloc, GFP_KERNEL, 3, 4096);
KBENCH(movable9, "alloc_pages.MOVABLE.o9", bench_alloc, GFP_HIGHUSER_MOVABLE, 9, 64);
KBENCH(array, "alloc_pages_bulk_array(64)+free", bench_bulk_array, GFP_KERNEL, 0, 64);

/* The case that comes next behind @line; NULL: none. */
static const struct kbench_case *next_case(unsigned int line)
{
	const struct kbench_case *next = NULL;

	for (const struct kbench_case *c = __start_octavo_benches; c < __stop_octavo_benches; c++)
		if (c->line > line && (!next || c->line < next->line))
			next = c;
	return next;
}

int kbench_run(struct kbench *b)
{
	b->rows = 0;
	for (const struct kbench_case *c = next_case(0); c; c = next_case(c->line)) {
		/* "alloc_pages.KERNEL.o0.pair" is a row of the case "alloc_pages.KERNEL.o0". */
		size_t n = b->only ? min(strlen(b->only), strlen(c->name)) : 0;

		if (!n || !strncmp(c->name, b->only, n))
			c->run(b, c);
	}
	return b->rows ? 0 : -ENOENT;
}
