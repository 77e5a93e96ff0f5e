// SPDX-License-Identifier: MIT
/* The heap at first sight: sizes, disjointness, contents, and that it all comes back. */
#include <octavo/page.h>
#include <octavo/slab.h>

#include "harness.h"

static void say(void *ctx, const char *line)
{
	(void)ctx;
	test_fail(__FILE__, __LINE__, "%s", line);
}

static void *kept[4000];

static void fill(void *p, size_t size, unsigned int i)
{
	memset(p, (int)(i * 7 + 3) & 0xff, size);
}


TEST(heap, many_of_each_size)
{
	static const unsigned int sizes[] = { 1, 8, 24, 64, 96, 100, 192, 200, 512, 1000, 2048, 4096, 8192, 20000 };

	for (unsigned int s = 0; s < ARRAY_SIZE(sizes); s++) {
		unsigned int n = sizes[s] > 4096 ? 50 : sizes[s] > 512 ? 400 : ARRAY_SIZE(kept);
		u64 state = test_seed + s;

		for (unsigned int i = 0; i < n; i++) {
			kept[i] = kmalloc(sizes[s], GFP_KERNEL);
			ASSERT(kept[i]);
			EXPECT((uintptr_t)kept[i] % 8 == 0);
			EXPECT(ksize(kept[i]) >= sizes[s]);
			fill(kept[i], sizes[s], i);
		}
		EXPECT_EQ(heap_verify(say, NULL), 0);
		for (unsigned int i = 0; i < n; i++) {
			unsigned int j = (unsigned int)(test_random(&state) % n);
			void *t = kept[i];

			kept[i] = kept[j];
			kept[j] = t;
		}
		for (unsigned int i = 0; i < n; i++) {
			kfree(kept[i]);
		}
		EXPECT_EQ(heap_verify(say, NULL), 0);
	}
	EXPECT_EQ(heap_errors(), 0);
}
