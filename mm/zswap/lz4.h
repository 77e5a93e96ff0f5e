/* SPDX-License-Identifier: MIT */
/* The LZ4 block format: a packer and an unpacker of our own. The theory stands in lz4_pack.c. */
#ifndef MM_ZSWAP_LZ4_H
#define MM_ZSWAP_LZ4_H

#include <octavo/types.h>

#define LZ4_HASH_BITS 12
/* Longer inputs are not packed: places are 16 bits, and one value means none. */
#define LZ4_INPUT_MAX 65534u

/* What a packer keeps between inputs; all zero to begin with. One user at a time. */
struct lz4_workspace {
	u32 base; /* places of this input are counted from here; what is below is an earlier input's */
	u16 table[1u << LZ4_HASH_BITS];
};

/* No block of @len bytes is longer than this: all literals. */
static inline size_t lz4_bound(size_t len)
{
	return len + len / 255 + 16;
}

/**
 * lz4_pack - @len bytes at @src as one block at @dst
 * Context: any. Return: the block's length; 0: it is longer than @cap, or @len than LZ4_INPUT_MAX. What is in @dst then
 * means nothing.
 */
size_t lz4_pack(struct lz4_workspace *ws, const void *src, size_t len, void *dst, size_t cap);

/**
 * lz4_unpack - the contents of the block of @len bytes at @src
 * Reads nothing outside of the block and writes nothing outside of [@dst, @dst + @cap), whatever the block says.
 * Context: any. Return: bytes at @dst; -EIO: it is no block, or has more than @cap bytes. Bytes of @dst may have
 * changed then.
 */
long lz4_unpack(const void *src, size_t len, void *dst, size_t cap);

#endif
