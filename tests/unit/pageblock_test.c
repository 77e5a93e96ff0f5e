// SPDX-License-Identifier: MIT
/* One block's bits: orders, taking, giving. */
#include "harness.h"
#include "mm/phys/pageblock.h"

/* The slow and obvious way to what row_order() says. */
static int order_by_hand(u64 w)
{
	for (int order = 6; order >= 0; order--)
		for (unsigned int at = 0; at < 64; at += 1u << order)
			if (!(~w & run_mask(at, (unsigned int)order)))
				return order;
	return -1;
}

TEST(pageblock, row_order_is_the_largest_aligned_run)
{
	u64 seed = test_seed;

	EXPECT_EQ(row_order(0), -1);
	EXPECT_EQ(row_order(~0ull), 6);
	EXPECT_EQ(row_order(6), 0); /* two free frames, not aligned as a pair */
	for (int i = 0; i < 20000; i++) {
		u64 w = test_random(&seed);

		for (int n = (int)(test_random(&seed) % 5); n--;)
			w |= w << 1 | test_random(&seed);
		ASSERT(row_order(w) == order_by_hand(w));
	}
}

TEST(pageblock, count_bits)
{
	u64 seed = test_seed;

	for (int i = 0; i < 1000; i++) {
		u64 w = test_random(&seed);
		unsigned int n = 0;

		for (unsigned int bit = 0; bit < 64; bit++)
			n += w >> bit & 1;
		EXPECT_EQ(count_bits(w), n);
	}
}

/* A block with the given share (of 8) of its frames free, in clumps. */
static void random_block(struct pageblock *b, u64 *seed)
{
	unsigned int clump = (unsigned int)(test_random(seed) % 4), n = 0;

	memset(b, 0, sizeof(*b));
	for (unsigned int i = 0; i < BLOCK_ROWS; i++) {
		u64 w = test_random(seed);

		if (test_random(seed) % 4 == 0)
			w = test_random(seed) % 2 ? ~0ull : 0;
		for (unsigned int k = 0; k < clump; k++)
			w |= w << (1u << k);
		b->bits[i] = w;
		n += count_bits(w);
	}
	b->nr_free = (u16)n;
}

static bool bit_free(const struct pageblock *b, unsigned int i)
{
	return b->bits[i / 64] >> (i % 64) & 1;
}

static bool run_free(const struct pageblock *b, unsigned int at, unsigned int order)
{
	for (unsigned int i = at; i < at + (1u << order); i++)
		if (!bit_free(b, i))
			return false;
	return true;
}

static int block_order_by_hand(const struct pageblock *b)
{
	for (int order = 9; order >= 0; order--)
		for (unsigned int at = 0; at < BLOCK_FRAMES; at += 1u << order)
			if (run_free(b, at, (unsigned int)order))
				return order;
	return -1;
}

TEST(pageblock, block_order_is_the_largest_aligned_run)
{
	u64 seed = test_seed;
	struct pageblock b;

	for (int i = 0; i < 3000; i++) {
		random_block(&b, &seed);
		ASSERT(pageblock_order_free(&b) == block_order_by_hand(&b));
	}
}

TEST(pageblock, take_run_takes_from_the_smallest_sufficient_piece)
{
	u64 seed = test_seed;
	struct pageblock b, was;

	for (int i = 0; i < 3000; i++) {
		unsigned int order = (unsigned int)(test_random(&seed) % 10), changed = 0;
		int at, smallest = 10;

		random_block(&b, &seed);
		was = b;
		at = pageblock_take_run(&b, order);
		ASSERT((at >= 0) == (block_order_by_hand(&was) >= (int)order));
		if (at < 0)
			continue;
		ASSERT(at % (1 << order) == 0 && run_free(&was, (unsigned int)at, order));
		for (unsigned int k = 0; k < BLOCK_FRAMES; k++)
			changed += bit_free(&b, k) != bit_free(&was, k);
		ASSERT(changed == 1u << order && b.nr_free == was.nr_free - changed);
		/* up to a row, the piece the run was cut from is as small as any that would do */
		for (int piece = (int)order; order <= 6 && piece <= 6 && smallest == 10; piece++)
			for (unsigned int k = 0; k < BLOCK_FRAMES; k += 1u << piece)
				if (run_free(&was, k, (unsigned int)piece) &&
				    (piece == 6 || !run_free(&was, k & ~((2u << piece) - 1), (unsigned int)piece + 1)))
					smallest = piece;
		if (order <= 6 && smallest < 6)
			ASSERT(!run_free(&was, (unsigned int)at & ~((2u << smallest) - 1), (unsigned int)smallest + 1));
	}
}

TEST(pageblock, take_row_takes_every_run_of_the_first_row_that_has_one)
{
	u64 seed = test_seed;
	struct pageblock b, was;

	for (int i = 0; i < 3000; i++) {
		unsigned int order = (unsigned int)(test_random(&seed) % 7), row = 99, first = 99;
		u64 heads, want = 0;

		random_block(&b, &seed);
		was = b;
		for (unsigned int at = 0; at < BLOCK_FRAMES; at += 1u << order) {
			if (!run_free(&was, at, order) || (first != 99 && first != at / 64))
				continue;
			first = at / 64;
			want |= 1ull << (at % 64);
		}
		heads = pageblock_take_row(&b, order, &row);
		ASSERT(heads == want);
		ASSERT(!heads || row == first);
		ASSERT(b.nr_free == was.nr_free - (count_bits(heads) << order));
		ASSERT(!heads || (b.bits[row] & heads_frames(heads, order)) == 0);
	}
}

TEST(pageblock, ranges_are_all_or_nothing)
{
	struct pageblock b = { 0 };

	EXPECT(pageblock_give_range(&b, 60, 200));
	EXPECT_EQ(b.nr_free, 200);
	EXPECT(!pageblock_give_range(&b, 0, 61)); /* frame 60 is free */
	EXPECT_EQ(b.nr_free, 200);
	EXPECT_EQ(b.bits[0], 0xf000000000000000ull);
	EXPECT(!pageblock_take_at(&b, 60, 201)); /* frame 260 is not */
	EXPECT_EQ(b.nr_free, 200);
	EXPECT(pageblock_take_at(&b, 60, 200));
	EXPECT_EQ(b.nr_free, 0);
	for (unsigned int i = 0; i < BLOCK_ROWS; i++)
		EXPECT_EQ(b.bits[i], 0);
}

TEST(pageblock, give_tells_what_was_free_before)
{
	struct pageblock b = { 0 };

	EXPECT_EQ(pageblock_give(&b, 3, 0xff0), 0);
	EXPECT_EQ(b.nr_free, 8);
	EXPECT_EQ(pageblock_give(&b, 3, 0x11), 0x10);
	EXPECT_EQ(b.nr_free, 8);
	EXPECT_EQ(b.bits[3], 0xff0);
}
