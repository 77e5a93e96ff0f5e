/* SPDX-License-Identifier: MIT */
/*
 * Bytes as changes to a sample: what a format's reader gets is then nearly right. The first byte says which sample, the
 * others are changes of four bytes each: where (two bytes), what comes there, and which of its bits.
 */
#ifndef TESTS_HOSTED_PATCH_H
#define TESTS_HOSTED_PATCH_H

#include <octavo/types.h>

static inline void patch(u8 *sample, size_t len, const u8 *changes, size_t size)
{
	for (; len && size >= 4; changes += 4, size -= 4) {
		size_t at = ((size_t)changes[0] << 8 | changes[1]) % len;

		sample[at] = (u8)((sample[at] & ~changes[3]) | (changes[2] & changes[3]));
	}
}

#endif
