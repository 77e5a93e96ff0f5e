// SPDX-License-Identifier: MIT
/* LZ4 blocks: every length, all kinds of contents, room that is short, and blocks that make no sense. LZ-I1, LZ-I2. */
#include <octavo/slab.h>

#include "harness.h"
#include "mm/zswap/lz4.h"

#define SIZE 4096u
#define GUARD 64u

/* Too large for a stack of the kernel's. */
struct bench {
	struct lz4_workspace ws;
	u8 plain[SIZE], packed[2 * SIZE], out[SIZE + 2 * GUARD];
};

static struct bench *begin(void)
{
	return kvzalloc(sizeof(struct bench), GFP_KERNEL);
}

enum { ZEROS, TEXT, NOISE, SHORT_RUNS, WORDS, MIXED, KINDS };

static void fill(u8 *p, size_t len, unsigned int kind, u64 *state)
{
	static const char text[] = "the quick brown fox and the lazy dog are in the yard; ";

	for (size_t i = 0; i < len; i++) {
		u64 r = test_random(state) >> 24;

		switch (kind == MIXED ? (i >> 8) % MIXED : kind) {
		case ZEROS:
			p[i] = 0;
			break;
		case TEXT:
			p[i] = (u8)text[(i + (r % 97 == 0)) % (sizeof(text) - 1)];
			break;
		case NOISE:
			p[i] = (u8)r;
			break;
		case SHORT_RUNS:
			p[i] = i && r % 3 ? p[i - 1] : (u8)(r >> 8);
			break;
		default:
			p[i] = i >= 8 && r % 5 ? p[i - 8] : (u8)(r >> 8 & 3);
		}
	}
}

/* Unpacked between guards that must not change. */
static long unpack_guarded(struct bench *b, size_t packed, size_t room)
{
	long got;

	memset(b->out, 0xa5, sizeof(b->out));
	got = lz4_unpack(b->packed, packed, b->out + GUARD, room);
	for (size_t i = 0; i < GUARD; i++)
		if (b->out[i] != 0xa5 || b->out[GUARD + room + i] != 0xa5) {
			test_fail(__FILE__, __LINE__, "byte %zu outside was written", i);
			break;
		}
	return got;
}

static bool there_and_back(struct bench *b, size_t len)
{
	size_t packed = lz4_pack(&b->ws, b->plain, len, b->packed, lz4_bound(len));

	return packed && packed <= lz4_bound(len) && unpack_guarded(b, packed, len) == (long)len &&
	       !memcmp(b->out + GUARD, b->plain, len);
}

TEST(lz4, every_length)
{
	struct bench *b = begin();
	u64 state = test_seed;

	ASSERT(b);
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		fill(b->plain, SIZE, kind, &state);
		for (size_t len = 0; len <= SIZE; len += len < 300 || len > SIZE - 40 ? 1 : 61)
			if (!there_and_back(b, len)) {
				test_fail(__FILE__, __LINE__, "kind %u, %zu bytes", kind, len);
				break;
			}
	}
	kvfree(b);
}

/* Places of earlier inputs must not be taken for this one's: more inputs than places have room for. */
TEST(lz4, many_inputs_with_one_workspace)
{
	struct bench *b = begin();
	u64 state = test_seed + 1;

	ASSERT(b);
	for (unsigned int i = 0; i < test_scaled(400); i++) {
		size_t len = i % 3 ? SIZE : test_random(&state) % SIZE;

		fill(b->plain, len, (unsigned int)(test_random(&state) >> 20) % KINDS, &state);
		if (!there_and_back(b, len)) {
			test_fail(__FILE__, __LINE__, "input %u, %zu bytes", i, len);
			break;
		}
	}
	kvfree(b);
}

TEST(lz4, sizes_that_are_expected)
{
	struct bench *b = begin();
	u64 state = test_seed + 2;
	size_t n;

	ASSERT(b);
	fill(b->plain, SIZE, ZEROS, &state);
	n = lz4_pack(&b->ws, b->plain, SIZE, b->packed, SIZE);
	EXPECT(n > 10 && n < 40);
	fill(b->plain, SIZE, TEXT, &state);
	n = lz4_pack(&b->ws, b->plain, SIZE, b->packed, SIZE);
	EXPECT(n > 60 && n < 900);
	fill(b->plain, SIZE, NOISE, &state);
	EXPECT_EQ(lz4_pack(&b->ws, b->plain, SIZE, b->packed, SIZE), 0);
	n = lz4_pack(&b->ws, b->plain, SIZE, b->packed, 2 * SIZE);
	EXPECT(n > SIZE && n <= lz4_bound(SIZE));
	EXPECT_EQ(lz4_pack(&b->ws, b->plain, LZ4_INPUT_MAX + 1, b->packed, SIZE), 0);
	kvfree(b);
}

/* Whatever room there is, it is kept to, and enough is enough. */
TEST(lz4, room_that_is_short)
{
	struct bench *b = begin();
	u64 state = test_seed + 3;

	ASSERT(b);
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		size_t whole, wrong = 0;

		fill(b->plain, 1000, kind, &state);
		b->ws.base = 0;
		whole = lz4_pack(&b->ws, b->plain, 1000, b->packed, 2 * SIZE);
		for (size_t room = 0; room < whole + 20; room++) {
			size_t n;

			memset(b->packed, 0xa5, 2 * SIZE);
			n = lz4_pack(&b->ws, b->plain, 1000, b->packed, room);
			for (size_t i = room; i < room + GUARD; i++)
				wrong += b->packed[i] != 0xa5;
			/* A few bytes of slack are wanted for each sequence's bound. */
			wrong += room < whole ? n != 0 : room >= whole + 8 && n != whole;
		}
		if (wrong)
			test_fail(__FILE__, __LINE__, "kind %u: %zu bytes or lengths are wrong", kind, wrong);
	}
	kvfree(b);
}

/* Blocks made by hand, as the specification says. */
TEST(lz4, blocks_by_hand)
{
	static const struct {
		u8 block[16], len;
		const char *want; /* NULL: no block */
	} cases[] = {
		{ { 0x00 }, 1, "" },
		{ { 0x30, 'a', 'b', 'c' }, 4, "abc" },
		{ { 0x10, 'x', 1, 0, 0x10, 'y' }, 6, "xxxxxy" },
		{ { 0x1f, 'x', 1, 0, 2, 0x10, 'y' }, 7, "xxxxxxxxxxxxxxxxxxxxxxy" },
		{ { 0x32, 'a', 'b', 'c', 3, 0, 0x10, 'd' }, 8, "abcabcabcd" },
		{ { 0x34, 'a', 'b', 'c', 2, 0, 0x10, 'd' }, 8, "abcbcbcbcbcd" },
		{ { 0 }, 0, NULL },			/* nothing is no block */
		{ { 0x20, 'a' }, 2, NULL },		/* literals missing */
		{ { 0xf0 }, 1, NULL },			/* length missing */
		{ { 0xf0, 255 }, 2, NULL },
		{ { 0x10, 'a', 1 }, 3, NULL },		/* half an offset */
		{ { 0x10, 'a', 0, 0, 0x00 }, 5, NULL }, /* offset 0 */
		{ { 0x10, 'a', 2, 0, 0x00 }, 5, NULL }, /* ahead of the beginning */
		{ { 0x00, 1, 0, 0x00 }, 4, NULL },
		{ { 0x10, 'a', 1, 0 }, 4, NULL },	/* ends with a match */
		{ { 0x1f, 'a', 1, 0, 255 }, 5, NULL },
		{ { 0x1f, 'a', 1, 0, 255, 255, 0, 0x00 }, 8, NULL }, /* more than there is room for */
	};
	struct bench *b = begin();

	ASSERT(b);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		long want = cases[i].want ? (long)strlen(cases[i].want) : -EIO, got;

		memcpy(b->packed, cases[i].block, cases[i].len);
		got = unpack_guarded(b, cases[i].len, 100);
		if (got != want || (want > 0 && memcmp(b->out + GUARD, cases[i].want, (size_t)want)))
			test_fail(__FILE__, __LINE__, "case %u: %ld, not %ld", i, got, want);
		if (want > 0) /* exactly enough, and one byte less */
			EXPECT(unpack_guarded(b, cases[i].len, (size_t)want) == want &&
			       unpack_guarded(b, cases[i].len, (size_t)want - 1) == -EIO);
	}
	kvfree(b);
}

/* Damage: any answer will do, as long as it stays within its bounds. */
TEST(lz4, damaged_blocks)
{
	struct bench *b = begin();
	u64 state = test_seed + 4;
	unsigned int refused = 0;

	ASSERT(b);
	for (unsigned int i = 0; i < test_scaled(3000); i++) {
		size_t n, room = i % 4 ? SIZE : test_random(&state) % SIZE;

		fill(b->plain, 600, (unsigned int)(test_random(&state) >> 20) % KINDS, &state);
		n = lz4_pack(&b->ws, b->plain, 600, b->packed, 2 * SIZE);
		for (u64 k = test_random(&state) % 4; k; k--)
			b->packed[(test_random(&state) >> 9) % n] = (u8)(test_random(&state) >> 13);
		if (i % 5 == 0)
			n = (test_random(&state) >> 9) % n;
		if (i % 7 == 0)
			fill(b->packed, n, NOISE, &state);
		refused += unpack_guarded(b, n, room) < 0;
	}
	EXPECT(refused > test_scaled(3000) / 4);
	kvfree(b);
}
