// SPDX-License-Identifier: MIT
/*
 * LZ4 blocks: unpacking. The format and the words stand in lz4_pack.c.
 *
 * Most sequences are short, repeat what is not too near, and are far from either end: those are copied in words, with
 * some bytes more than there are, which later sequences write over. For the others everything is counted.
 */
#include "lz4.h"

#include "../base/compiler.h"
#include "lz4_word.h"

/* The rest of a length whose half of the token is 15. Return: false: the block ends in it. */
static force_inline bool get_length(const u8 **in, const u8 *in_end, size_t *n)
{
	u8 byte;

	do {
		if (unlikely(*in == in_end))
			return false;
		byte = *(*in)++;
		*n += byte;
	} while (byte == 255);
	return true;
}

/* @n literals; there are as many on both sides. */
static force_inline void take_literals(u8 *out, size_t room, const u8 *in, size_t left, size_t n)
{
	size_t i = 0;

	if (likely(room >= n + 7 && left >= n + 7)) {
		for (; i < n; i += 8)
			copy8(out + i, in + i);
		return;
	}
	for (; i < n; i++)
		out[i] = in[i];
}

/*
 * @n bytes that repeat those @offset before @out; there is room for them. Where the distance is less than a word's
 * bytes the first ones go one by one, until a multiple of it that is not less lies behind.
 */
static force_inline void repeat(u8 *out, size_t room, size_t offset, size_t n)
{
	u8 *end = out + n;
	size_t distance = offset;

	if (unlikely(room < n + 7)) {
		while (out < end) {
			*out = *(out - offset);
			out++;
		}
		return;
	}
	if (unlikely(offset < 8)) {
		while (distance < 8)
			distance += offset;
		for (size_t i = distance - offset; i; i--) {
			*out = *(out - offset);
			out++;
		}
	}
	for (; out < end; out += 8)
		copy8(out, out - distance);
}

/* Ahead of @end by @n bytes, or NULL: no such place. */
static force_inline const u8 *ahead(const u8 *start, const u8 *end, size_t n)
{
	return (size_t)(end - start) >= n ? end - n : NULL;
}

/*
 * What a short sequence reads: token, 16 bytes for 14 literals or less and the offset behind those, and at least a byte
 * must be left for the next sequence; and what it writes.
 */
#define SHORT_IN 18u
#define SHORT_OUT (14u + 18u)

/* One that is not short, or near an end. Return: 1; 0: it was the last; -EIO. */
static int take_sequence(const u8 **from, const u8 *in_end, u8 **to, u8 *start, u8 *out_end)
{
	const u8 *in = *from;
	u8 *out = *to;
	unsigned int token = *in++;
	size_t n = token >> 4, offset;

	if (n == 15 && !get_length(&in, in_end, &n))
		return -EIO;
	if (unlikely(n > (size_t)(in_end - in) || n > (size_t)(out_end - out)))
		return -EIO;
	take_literals(out, (size_t)(out_end - out), in, (size_t)(in_end - in), n);
	in += n;
	*to = out += n;
	if (in == in_end)
		return 0;
	if (unlikely(in_end - in < 2))
		return -EIO;
	offset = in[0] | (size_t)in[1] << 8;
	in += 2;
	n = token & 15;
	if (n == 15 && !get_length(&in, in_end, &n))
		return -EIO;
	n += 4;
	if (unlikely(!offset || offset > (size_t)(out - start) || n > (size_t)(out_end - out)))
		return -EIO;
	repeat(out, (size_t)(out_end - out), offset, n);
	*from = in;
	*to = out + n;
	return 1;
}

long lz4_unpack(const void *src, size_t len, void *dst, size_t cap)
{
	const u8 *in = src, *const in_end = in + len, *const in_short = ahead(in, in_end, SHORT_IN);
	u8 *out = dst, *const start = dst, *const out_end = out + cap;
	const u8 *const out_short = ahead(out, out_end, SHORT_OUT);
	int more = -EIO;

	/* A length of more bytes than this would overflow on 32-bit builds. */
	if (unlikely(len > 0xffffff))
		return -EIO;
	while (in < in_end) {
		while (likely(in <= in_short && out <= out_short)) {
			unsigned int token = *in, n = token >> 4, match = token & 15;
			const u8 *behind = in + 1 + n;
			size_t offset;

			if (unlikely(n == 15 || match == 15))
				break;
			copy8(out, in + 1);
			copy8(out + 8, in + 9);
			offset = behind[0] | (size_t)behind[1] << 8;
			if (unlikely(offset < 8 || offset > (size_t)(out + n - start)))
				break; /* as if nothing had been done: what was written lies behind what counts */
			out += n;
			copy8(out, out - offset);
			copy8(out + 8, out + 8 - offset);
			copy2(out + 16, out + 16 - offset);
			out += match + 4;
			in = behind + 2;
		}
		more = take_sequence(&in, in_end, &out, start, out_end);
		if (more <= 0)
			break;
	}
	return more ? -EIO : out - start;
}
