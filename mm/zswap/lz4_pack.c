// SPDX-License-Identifier: MIT
/*
 * LZ4 blocks.
 *
 * Purpose
 *	Make a page smaller, fast: the core's own compressor, for zswap and zram.
 *
 * Words
 *	sequence: some literals, bytes as they are, and behind them a match, bytes that are a repetition of earlier
 *	ones.
 *	offset: how far back the earlier ones begin, 1 to 65535.
 *
 * The format
 *	A block is sequences to its end; nothing says how many, or how long it is.
 *
 *	token | more of literals' length | literals | offset | more of the match's length
 *
 *	token	 high half: number of literals, low half: length of the match less 4. 15: bytes follow whose sum is
 *		 added, the last one is the first that is not 255.
 *	offset	 two bytes, the low one first; 0 means nothing and is an error.
 *
 *	The last sequence ends with its literals. The last 5 bytes of the contents are literals, and no match begins in
 *	the last 12: unpackers may rely on it, ours does not.
 *
 * Packing
 *	Greedy. A table by hash of four bytes says where they were seen last; where the four bytes there are the same
 *	a match begins, and is made as long as it can be, in both directions. Where nothing was found for long the steps
 *	become longer: one byte more for every 2^SKIP_SHIFT misses.
 *
 *	The table is not cleared for each page. Places are counted on from input to input, in 16 bits, so those of
 *	earlier inputs are below ws->base; every 15 pages the count is full, and only then is it cleared. 4096 entries
 *	of two bytes: one for each byte of a page. With ws->base that is 8196 bytes a CPU.
 *
 * Invariants
 *	LZ-I1  A place in the table is below ws->base, or one of this input that lies behind the one looked at.
 *	LZ-I2  No byte is read outside of the input or block, and none written outside of the room given.
 *
 * What failure does
 *	A block that would be longer than the room is given up; a block that makes no sense is -EIO. Neither touches
 *	memory that is not its own.
 *
 * Sources: LZ4 Block Format Description (lz4_Block_format.md, 2022).
 */
#include "lz4.h"

#include "../base/string.h"
#include "lz4_word.h"

#define MATCH_MIN 4u
#define LAST_LITERALS 5u
#define LAST_MATCH 12u
#define SKIP_SHIFT 5

/* Knuth's multiplier for 32 bits: 2^32 divided by the golden ratio. */
static force_inline unsigned int hash(u32 four)
{
	return four * 2654435761u >> (32 - LZ4_HASH_BITS);
}

/* 255 255 ... n: the part of a length that the token has no room for. */
static force_inline u8 *put_length(u8 *out, size_t n)
{
	for (; n >= 255; n -= 255)
		*out++ = 255;
	*out++ = (u8)n;
	return out;
}

/* Literals, a word at a time as long as neither side ends; @room: bytes that may be written at @out, at least @n. */
static force_inline void put_literals(u8 *out, size_t room, const u8 *from, size_t n, const u8 *end)
{
	if (likely(room >= n + 7 && (size_t)(end - from) >= n + 7)) {
		for (size_t i = 0; i < n; i += 8)
			copy8(out + i, from + i);
		return;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = from[i];
}

/* How many bytes at @a, up to @limit, are as those at @b, which is before it. */
static force_inline size_t match_length(const u8 *a, const u8 *b, const u8 *limit)
{
	const u8 *start = a;

	while (likely(a + WORD <= limit)) {
		word_t diff = get_word(a) ^ get_word(b);

		if (diff)
			return (size_t)(a - start) + same_bytes(diff);
		a += WORD;
		b += WORD;
	}
	while (a < limit && *a == *b) {
		a++;
		b++;
	}
	return (size_t)(a - start);
}

/* What a sequence takes at most: token, both lengths, literals, offset. */
static force_inline size_t sequence_bound(size_t literals, size_t match)
{
	return 1 + literals + literals / 255 + 1 + 2 + match / 255 + 1;
}

/* What stands at the end: literals only. Return: its length, or 0. */
static size_t put_last(u8 *out, const u8 *out_end, const u8 *from, const u8 *end, const u8 *start)
{
	size_t n = (size_t)(end - from);

	if ((size_t)(out_end - out) < 1 + (n >= 15 ? (n - 15) / 255 + 1 : 0) + n)
		return 0;
	if (n >= 15) {
		*out++ = 15 << 4;
		out = put_length(out, n - 15);
	} else {
		*out++ = (u8)(n << 4);
	}
	memcpy(out, from, n);
	return (size_t)(out + n - start);
}

/* A sequence of any lengths; NULL: no room. */
static noinline u8 *put_long_sequence(u8 *out, const u8 *out_end, const u8 *literals, size_t n, size_t offset,
				      size_t extra, const u8 *end)
{
	u8 *token = out++;

	if (unlikely((size_t)(out_end - token) < sequence_bound(n, extra)))
		return NULL;
	if (n < 15) {
		*token = (u8)(n << 4);
	} else {
		*token = 15 << 4;
		out = put_length(out, n - 15);
	}
	put_literals(out, (size_t)(out_end - out), literals, n, end);
	out += n;
	*out++ = (u8)offset;
	*out++ = (u8)(offset >> 8);
	if (extra < 15) {
		*token |= (u8)extra;
		return out;
	}
	*token |= 15;
	return put_length(out, extra - 15);
}

/* A sequence; NULL: no room. Most are short, and far from both ends: 16 literals are copied, however many there are. */
static force_inline u8 *put_sequence(u8 *out, const u8 *out_end, const u8 *literals, size_t n, size_t offset,
				     size_t extra, const u8 *end)
{
	if (unlikely(n >= 15 || extra >= 15 || out_end - out < 24 || end - literals < 16))
		return put_long_sequence(out, out_end, literals, n, offset, extra, end);
	*out++ = (u8)(n << 4 | extra);
	copy8(out, literals);
	copy8(out + 8, literals + 8);
	out += n;
	out[0] = (u8)offset;
	out[1] = (u8)(offset >> 8);
	return out + 2;
}

/* Where this input's places begin: behind the earlier ones', or anew with an empty table. */
static u32 begin_places(struct lz4_workspace *ws, size_t len)
{
	u32 base = ws->base;

	if (!base || base + len > 0xffff) {
		memset(ws->table, 0, sizeof(ws->table));
		base = 1;
	}
	ws->base = base + (u32)len;
	return base;
}

/*
 * The next place from @i on whose four bytes were seen; *@ref: where. 0: none before @end. Each place looked at goes
 * into the table.
 */
static force_inline u32 find_match(u16 *table, const u8 *origin, u32 base, u32 i, u32 end, u32 *ref)
{
	for (u32 step = 1;; step++) {
		u32 stop = min(i + (step << SKIP_SHIFT), end);

		while (likely(i < stop)) {
			u32 four = get32(origin + i);
			u16 *place = &table[hash(four)];
			u32 seen = *place;

			*place = (u16)i;
			if (seen >= base && get32(origin + seen) == four) {
				*ref = seen;
				return i;
			}
			i += step;
		}
		if (i >= end)
			return 0;
	}
}

/*
 * In places: @origin is as far ahead of the input as the first place is above 0, so that a place is all that is needed,
 * in the table and to reach the byte.
 */
size_t lz4_pack(struct lz4_workspace *ws, const void *src, size_t len, void *dst, size_t cap)
{
	const u8 *in = src, *end = in + len, *origin;
	u8 *out = dst, *const out_end = out + cap;
	u32 base, i, ref = 0, anchor, last;

	if (len > LZ4_INPUT_MAX)
		return 0;
	if (len <= LAST_MATCH)
		return put_last(out, out_end, in, end, dst);
	base = begin_places(ws, len);
	origin = (const u8 *)((uintptr_t)in - base);
	anchor = i = base;
	last = base + (u32)len - LAST_MATCH;
	while (i <= last && (i = find_match(ws->table, origin, base, i, last + 1, &ref)) != 0) {
		size_t extra;

		while (i > anchor && ref > base && origin[i - 1] == origin[ref - 1]) {
			i--;
			ref--;
		}
		extra = match_length(origin + i + MATCH_MIN, origin + ref + MATCH_MIN, end - LAST_LITERALS);
		out = put_sequence(out, out_end, origin + anchor, i - anchor, i - ref, extra, end);
		if (unlikely(!out))
			return 0;
		i += MATCH_MIN + (u32)extra;
		anchor = i;
		if (likely(i <= last))
			ws->table[hash(get32(origin + i - 2))] = (u16)(i - 2);
	}
	return put_last(out, out_end, origin + anchor, end, dst);
}
