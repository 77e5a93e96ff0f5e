// SPDX-License-Identifier: MIT
/*
 * Our LZ4 against liblz4, both ways, where it is installed; the host's compressors behind zswap's interface. The
 * contents are pages of this very program and made ones.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <octavo/highmem.h>

#include "harness.h"
#include "mm/zswap/lz4.h"
#include "mm/zswap/zswap_internal.h"

static struct {
	int (*compress)(const char *src, char *dst, int len, int room);
	int (*decompress)(const char *src, char *dst, int len, int room);
} lib;

static bool find_liblz4(void)
{
	void *so = dlopen("liblz4.so.1", RTLD_NOW | RTLD_LOCAL);

	if (!so)
		return false;
	*(void **)&lib.compress = dlsym(so, "LZ4_compress_default");
	*(void **)&lib.decompress = dlsym(so, "LZ4_decompress_safe");
	return lib.compress && lib.decompress;
}

static struct lz4_workspace ws;
static u8 plain[65536], packed[70000], out[65536];

/* Return: how many bytes we and they need, 0 if something is not as it was. */
static bool both_ways(size_t len, size_t *ours, size_t *theirs)
{
	size_t n = lz4_pack(&ws, plain, len, packed, sizeof(packed));
	int m;

	*ours += n;
	memset(out, 0, len);
	if (!n || lib.decompress((char *)packed, (char *)out, (int)n, (int)len) != (int)len || memcmp(out, plain, len))
		return false;
	m = lib.compress((char *)plain, (char *)packed, (int)len, (int)sizeof(packed));
	*theirs += (size_t)m;
	memset(out, 0, len);
	return m > 0 && lz4_unpack(packed, (size_t)m, out, len) == (long)len && !memcmp(out, plain, len);
}

TEST(compress_lib, lz4_both_ways)
{
	FILE *self = fopen("/proc/self/exe", "rb");
	size_t ours = 0, theirs = 0, whole = 0, len;
	unsigned int wrong = 0;

	if (!find_liblz4()) {
		if (self)
			fclose(self);
		SKIP("liblz4.so.1 is not installed (Debian: liblz4-1)");
	}
	ASSERT(self);
	for (unsigned int i = 0; i < test_scaled(1500) && (len = fread(plain, 1, 4096, self)) > 0; i++) {
		wrong += !both_ways(len, &ours, &theirs);
		whole += len;
	}
	fclose(self);
	EXPECT_EQ(wrong, 0);
	/* Within 3% of theirs. */
	if (ours * 100 > theirs * 103)
		test_fail(__FILE__, __LINE__, "%zu bytes become %zu, with liblz4 %zu", whole, ours, theirs);
}

TEST(compress_lib, lz4_all_lengths_both_ways)
{
	u64 state = test_seed;
	size_t ours = 0, theirs = 0;

	if (!find_liblz4())
		SKIP("liblz4.so.1 is not installed (Debian: liblz4-1)");
	for (size_t len = 1; len < 60000; len += len < 1000 ? 1 : len / 3) {
		for (size_t i = 0; i < len; i++)
			plain[i] = i > 20 && test_random(&state) >> 33 & 7 ? plain[i - 1 - i % 20] : (u8)(state >> 40);
		if (!both_ways(len, &ours, &theirs)) {
			test_fail(__FILE__, __LINE__, "%zu bytes", len);
			break;
		}
	}
}

/* Each may refuse what the other takes (liblz4 takes offset 0, and no end too short); what both take is the same. */
TEST(compress_lib, damaged_blocks_as_liblz4_sees_them)
{
	static u8 mine[4096], other[4096];
	u64 state = test_seed + 9;
	unsigned int both = 0;

	if (!find_liblz4())
		SKIP("liblz4.so.1 is not installed (Debian: liblz4-1)");
	for (unsigned int i = 0; i < test_scaled(5000); i++) {
		size_t n;
		long a, b;

		for (size_t k = 0; k < 500; k++)
			plain[k] = k > 9 && test_random(&state) >> 33 & 3 ? plain[k - 9] : (u8)(state >> 40);
		n = lz4_pack(&ws, plain, 500, packed, sizeof(packed));
		packed[(test_random(&state) >> 20) % n] ^= (u8)(1u << (state >> 30 & 7));
		a = lz4_unpack(packed, n, mine, sizeof(mine));
		b = lib.decompress((char *)packed, (char *)other, (int)n, (int)sizeof(other));
		if (a >= 0 && b >= 0) {
			both++;
			EXPECT(a == b && !memcmp(mine, other, (size_t)a));
		}
	}
	EXPECT(both > 0);
}

/* ---- Behind zswap ---- */

static void through_zswap(const char *name)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned int wrong = 0;

	ASSERT(page && !zswap_swapon(20, 1000) && !zswap_set_compressor(name) && !zswap_set_enabled(true));
	for (unsigned int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < 200; i++) {
			u32 *p = kmap_local_page(page);

			for (unsigned int k = 0; k < PAGE_SIZE / 4 && !round; k++)
				p[k] = k % 5 ? i : i * k * 2654435761u;
			if (!round)
				wrong += !zswap_store(swp_entry(20, i), page);
			else
				memset(p, 0, PAGE_SIZE);
			if (round && zswap_load(swp_entry(20, i), page))
				wrong++;
			for (unsigned int k = 0; k < PAGE_SIZE / 4; k++)
				wrong += p[k] != (k % 5 ? i : i * k * 2654435761u);
			kunmap_local(p);
		}
	EXPECT_EQ(wrong, 0);
	zswap_swapoff(20);
	__free_page(page);
}

TEST(compress_lib, behind_zswap)
{
	if (!compressor_find("lz4-lib") || !compressor_find("zstd"))
		SKIP("liblz4.so.1 or libzstd.so.1 is not installed (Debian: liblz4-1, libzstd1)");
	through_zswap("lz4-lib");
	through_zswap("zstd");
}
