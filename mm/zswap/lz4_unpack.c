// SPDX-License-Identifier: MIT
/*
 * LZ4 blocks: unpacking. The format and the words stand in lz4_pack.c.
 *
 * Most sequences are short and far from either end: those are copied in words, with some bytes more than there are,
 * which later sequences write over. Near an end everything is counted.
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

long lz4_unpack(const void *src, size_t len, void *dst, size_t cap)
{
	const u8 *in = src, *const in_end = in + len;
	u8 *out = dst, *const start = dst, *const out_end = out + cap;

	while (likely(in < in_end)) {
		unsigned int token = *in++;
		size_t n = token >> 4, offset;

		if (unlikely(n == 15) && !get_length(&in, in_end, &n))
			return -EIO;
		if (unlikely(n > (size_t)(in_end - in) || n > (size_t)(out_end - out)))
			return -EIO;
		take_literals(out, (size_t)(out_end - out), in, (size_t)(in_end - in), n);
		in += n;
		out += n;
		if (in == in_end)
			return out - start;
		if (unlikely(in_end - in < 2))
			return -EIO;
		offset = in[0] | (size_t)in[1] << 8;
		in += 2;
		n = token & 15;
		if (unlikely(n == 15) && !get_length(&in, in_end, &n))
			return -EIO;
		n += 4;
		if (unlikely(!offset || offset > (size_t)(out - start) || n > (size_t)(out_end - out)))
			return -EIO;
		repeat(out, (size_t)(out_end - out), offset, n);
		out += n;
	}
	return -EIO;
}
