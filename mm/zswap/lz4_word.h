/* SPDX-License-Identifier: MIT */
/* Words at any address, for the LZ4 codec. */
#ifndef MM_ZSWAP_LZ4_WORD_H
#define MM_ZSWAP_LZ4_WORD_H

#include "../base/compiler.h"

/* What a register holds. */
typedef unsigned long word_t;
#define WORD sizeof(word_t)

static force_inline u32 get32(const u8 *p)
{
	u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static force_inline word_t get_word(const u8 *p)
{
	word_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static force_inline void copy8(u8 *to, const u8 *from)
{
	u64 v;

	__builtin_memcpy(&v, from, sizeof(v));
	__builtin_memcpy(to, &v, sizeof(v));
}

static force_inline void copy2(u8 *to, const u8 *from)
{
	u16 v;

	__builtin_memcpy(&v, from, sizeof(v));
	__builtin_memcpy(to, &v, sizeof(v));
}

/* Bytes that are the same at the low addresses of two words that differ in @diff. */
static force_inline unsigned int same_bytes(word_t diff)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (unsigned int)__builtin_ctzl(diff) >> 3;
#else
	return (unsigned int)__builtin_clzl(diff) >> 3;
#endif
}

#endif
