// SPDX-License-Identifier: MIT
/*
 * libFuzzer target: LZ4 blocks. The bytes are a block to unpack, into room of some size; and contents to pack, which
 * must come back. Everything lies in memory of its very size, so that a byte outside is seen.
 */
#include "mm/zswap/lz4.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);

static void unpack(const u8 *block, size_t len, size_t room)
{
	u8 *out = malloc(room ? room : 1);
	long got = out ? lz4_unpack(block, len, out, room) : -1;

	if (got > (long)room)
		abort();
	free(out);
}

static void there_and_back(const u8 *plain, size_t len, size_t short_by)
{
	static struct lz4_workspace ws;
	size_t bound = lz4_bound(len), n, again;
	u8 *packed = malloc(bound), *exact, *out = malloc(len ? len : 1);

	if (!packed || !out)
		abort();
	n = lz4_pack(&ws, plain, len, packed, bound);
	if (!n || lz4_unpack(packed, n, out, len) != (long)len || memcmp(out, plain, len))
		abort();
	exact = malloc(n);
	if (!exact)
		abort();
	again = lz4_pack(&ws, plain, len, exact, n > short_by ? n - short_by : 0);
	if (again && (lz4_unpack(exact, again, out, len) != (long)len || memcmp(out, plain, len)))
		abort();
	free(exact);
	free(packed);
	free(out);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	u8 *copy;

	if (size < 3)
		return 0;
	copy = malloc(size - 2);
	if (!copy)
		return 0;
	memcpy(copy, bytes + 2, size - 2);
	unpack(copy, size - 2, bytes[0] & 1 ? 4096 : (size_t)bytes[1] * 8);
	there_and_back(copy, size - 2, bytes[1]);
	free(copy);
	return 0;
}
