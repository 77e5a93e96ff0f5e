// SPDX-License-Identifier: MIT
/*
 * The granules of one chunk: two bitmaps, searched by the word.
 *
 * A chunk is at most 128 words, so a search looks at them directly. Two hints save most searches: no word ahead of
 * chunk.first has room, and no run is longer than chunk.bound, which a search that fails makes exact.
 */
#include "percpu.h"

/* The first granule from @at on, and ahead of @end, whose bit in @words, turned over by @flip, is set; or @end. */
static u32 next_bit(const u64 *words, u64 flip, u32 at, u32 end)
{
	u32 w = at / 64;
	u64 word;

	if (at >= end)
		return end;
	for (word = (words[w] ^ flip) & ~0ull << at % 64; !word; word = words[w] ^ flip)
		if (++w * 64 >= end)
			return end;
	return min(w * 64 + lowest_bit(word), end);
}

u32 chunk_next_taken(const struct percpu_chunk *chunk, u32 at)
{
	return next_bit(chunk->taken, 0, at, chunk->granules);
}

u32 chunk_next_free(const struct percpu_chunk *chunk, u32 at)
{
	return next_bit(chunk->taken, ~0ull, at, chunk->granules);
}

/* The first granule of the free run that @at ends, or @at itself if the one ahead of it is taken. */
static u32 run_start(const struct percpu_chunk *chunk, u32 at)
{
	while (at) {
		u32 w = (at - 1) / 64;
		u64 word = chunk->taken[w] << (63 - (at - 1) % 64);

		if (word)
			return at - (u32)__builtin_clzll(word);
		at = w * 64;
	}
	return 0;
}

static void set_bits(u64 *words, u32 start, u32 n, bool set)
{
	for (u32 end = start + n; start < end;) {
		u32 len = min(64 - start % 64, end - start);
		u64 mask = (len == 64 ? ~0ull : (1ull << len) - 1) << start % 64;

		words[start / 64] = set ? words[start / 64] | mask : words[start / 64] & ~mask;
		start += len;
	}
}

void chunk_init(struct percpu_chunk *chunk, u32 index, u32 granules, u32 phase)
{
	chunk->index = index;
	chunk->granules = chunk->free = chunk->bound = granules;
	chunk->phase = phase;
	chunk->first = 0;
	set_bits(chunk->taken, 0, CHUNK_GRANULES, false);
	set_bits(chunk->begins, 0, CHUNK_GRANULES, false);
	/* what is behind the end of a small first chunk is nobody's */
	set_bits(chunk->taken, granules, CHUNK_GRANULES - granules, true);
}

u32 chunk_find(struct percpu_chunk *chunk, u32 n, u32 align)
{
	u32 at = chunk->first * 64, longest = 0;

	if (n > chunk->bound)
		return CHUNK_NONE;
	for (;;) {
		u32 end;

		at = chunk_next_free(chunk, at);
		if (at >= chunk->granules)
			break;
		at = ALIGN(at + chunk->phase, align) - chunk->phase;
		if (at >= chunk->granules)
			break;
		end = next_bit(chunk->taken, 0, at, min(at + n, chunk->granules));
		if (end - at == n)
			return at;
		longest = max(longest, end - at);
		at = end;
	}
	/* every free run was seen whole, being shorter than n */
	if (align == 1)
		chunk->bound = longest;
	return CHUNK_NONE;
}

void chunk_take(struct percpu_chunk *chunk, u32 start, u32 n)
{
	set_bits(chunk->taken, start, n, true);
	set_bits(chunk->begins, start, 1, true);
	chunk->free -= n;
	while (chunk->first < chunk->granules / 64 && !~chunk->taken[chunk->first])
		chunk->first++;
}

u32 chunk_area(const struct percpu_chunk *chunk, u32 start)
{
	if (start >= chunk->granules || !(chunk->begins[start / 64] >> start % 64 & 1))
		return 0;
	return next_bit(chunk->begins, 0, start + 1, chunk_next_free(chunk, start)) - start;
}

void chunk_give(struct percpu_chunk *chunk, u32 start, u32 n)
{
	set_bits(chunk->taken, start, n, false);
	set_bits(chunk->begins, start, 1, false);
	chunk->free += n;
	chunk->first = min(chunk->first, start / 64);
	/* no run is longer than all that is free */
	if (chunk->bound < chunk->free)
		chunk->bound = max(chunk->bound, chunk_next_taken(chunk, start) - run_start(chunk, start));
}
