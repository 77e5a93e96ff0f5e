// SPDX-License-Identifier: MIT
#include "harness.h"
#include "mm/boot/bootmem.h"

#define START 37u
#define PAGES 517u

static struct bootmem_data data;
static u64 map[bootmem_map_bytes(PAGES) / 8];
static bool taken[PAGES];

static void start(void)
{
	memset(map, 0, sizeof(map));
	memset(taken, 0, sizeof(taken));
	bootmem_init_node(&data, START, START + PAGES, map);
}

/* BM-I1 and BM-I2, from the free runs the node reports. */
static bool agrees(void)
{
	unsigned long end = 0, at = START, from;

	do {
		from = bootmem_next_free(&data, &end);
		for (; at < min(from, (unsigned long)START + PAGES); at++)
			if (!taken[at - START])
				return false;
		for (; from != PFN_NONE && at < end; at++)
			if (taken[at - START] || at - START < data.hint)
				return false;
	} while (from != PFN_NONE);
	return true;
}

static unsigned long oracle(unsigned long goal, unsigned long end, unsigned long pages, unsigned long step)
{
	end = min(end, (unsigned long)START + PAGES);
	for (int pass = 0; pass < 2; pass++, goal = 0) {
		for (unsigned long at = max(goal, (unsigned long)START); at + pages <= end; at++) {
			unsigned long n = 0;

			while (n < pages && !taken[at + n - START])
				n++;
			if (n == pages && at % step == 0)
				return at;
		}
	}
	return 0;
}

TEST(bootmem, random_against_oracle)
{
	u64 seed = test_seed + 3;

	start();
	for (unsigned int i = 0; i < 3000; i++) {
		unsigned long pages = 1 + test_random(&seed) % 24, at = START + test_random(&seed) % PAGES;
		unsigned long step = 1ul << test_random(&seed) % 5, want, end;
		phys_addr_t got;

		switch (test_random(&seed) % 4) {
		case 0:
			end = START + min(at - START + pages, (unsigned long)PAGES);
			bootmem_reserve(&data, at, at + pages);
			memset(&taken[at - START], 1, end - at);
			break;
		case 1:
			end = START + min(at - START + pages, (unsigned long)PAGES);
			bootmem_free(&data, at, at + pages);
			memset(&taken[at - START], 0, end - at);
			break;
		default:
			end = test_random(&seed) % 3 ? START + PAGES : START + test_random(&seed) % PAGES;
			want = oracle(at, end, pages, step);
			got = bootmem_alloc(&data, PFN_PHYS(pages), PFN_PHYS(step), PFN_PHYS(at), PFN_PHYS(end));
			EXPECT_EQ(got, PFN_PHYS(want));
			if (got)
				memset(&taken[want - START], 1, pages);
		}
		ASSERT(agrees());
	}
}

TEST(bootmem, small_allocations_share_a_page)
{
	phys_addr_t base = PFN_PHYS(START), limit = PFN_PHYS(START + PAGES);

	start();
	EXPECT_EQ(bootmem_alloc(&data, 100, 64, 0, limit), base);
	EXPECT_EQ(bootmem_alloc(&data, 100, 64, 0, limit), base + 128);
	/* runs on into the next page, and is continued there */
	EXPECT_EQ(bootmem_alloc(&data, 5000, 64, 0, limit), base + 256);
	EXPECT_EQ(bootmem_alloc(&data, 8, 8, 0, limit), base + 5256);
	/* whole pages do not continue */
	EXPECT_EQ(bootmem_alloc(&data, 4096, 4096, 0, limit), base + 8192);
	EXPECT_EQ(bootmem_alloc(&data, 8, 8, 0, limit), base + 12288);
	/* nor does what does not fit behind the last */
	bootmem_reserve(&data, START + 4, START + 5);
	EXPECT_EQ(bootmem_alloc(&data, 4096, 8, 0, limit), base + 5 * 4096);
	/* a page that was freed is not continued */
	EXPECT_EQ(bootmem_alloc(&data, 16, 8, 0, limit), base + 6 * 4096);
	bootmem_free(&data, START + 6, START + 7);
	EXPECT_EQ(bootmem_alloc(&data, 16, 8, 0, limit), base + 6 * 4096);
}

TEST(bootmem, refuses_and_stays)
{
	start();
	EXPECT_EQ(bootmem_alloc(&data, 0, 8, 0, ~(phys_addr_t)0), 0);
	EXPECT_EQ(bootmem_alloc(&data, PFN_PHYS(PAGES + 1), 8, 0, ~(phys_addr_t)0), 0);
	EXPECT_EQ(bootmem_alloc(&data, 8, 8, 0, PFN_PHYS(START)), 0);
	EXPECT(agrees());
	EXPECT_EQ(bootmem_alloc(&data, PFN_PHYS(PAGES), 8, 0, ~(phys_addr_t)0), PFN_PHYS(START));
	EXPECT_EQ(bootmem_alloc(&data, 1, 1, 0, ~(phys_addr_t)0), 0);
	bootmem_free(&data, 0, START + 2);
	EXPECT_EQ(bootmem_alloc(&data, 1, 1, 0, ~(phys_addr_t)0), PFN_PHYS(START));
}
