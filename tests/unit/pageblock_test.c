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
