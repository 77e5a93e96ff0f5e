// SPDX-License-Identifier: MIT
/* zram: what is written is read, in pages and in sectors; kinds of contents, discard, limits, failures, files. */
#include <octavo/fault.h>
#include <octavo/highmem.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "fault.h"
#include "mm/zswap/zram.h"
#include "pagebook.h"
#include "proc_text.h"
#include "swapper.h"

#define PAGES 64u
#define DIR "/sys/block/zram7/"

static struct {
	struct zram *zram;
	struct page *page;
	u8 *whole; /* the disk as it should be */
} world;

static bool begin(void)
{
	memset(&world, 0, sizeof(world));
	if (zram_add(7))
		return false;
	world.zram = zram_find(7);
	world.page = alloc_page(GFP_HIGHUSER);
	world.whole = kvzalloc(PAGES * PAGE_SIZE, GFP_KERNEL);
	return world.page && world.whole && !zram_set_disksize(world.zram, PAGES * PAGE_SIZE);
}

static void complain(void *ctx, const char *line)
{
	(void)ctx;
	pr_err("%s\n", line);
}

/* ZR-I1, ZR-I2, ZR-I3 */
static void end(void)
{
	EXPECT_EQ(mm_verify(complain, NULL), 0);
	EXPECT_EQ(zram_remove(7), 0);
	EXPECT(!zram_find(7));
	__free_page(world.page);
	kvfree(world.whole);
}

/* Kinds: 0 zeros, 1 one word, 2 noise, others text that packs. */
static void fill(u8 *p, size_t len, u32 seed)
{
	u64 state = seed;

	for (size_t i = 0; i < len; i++) {
		u64 r = test_random(&state) >> 24;

		p[i] = seed % 5 == 0 ? 0 : seed % 5 == 1 ? (u8)seed : seed % 5 == 2 ? (u8)r :
		       i % 16 < 12 ? (u8)(seed + i % 16) : (u8)r;
	}
}

static int write_page(unsigned int i, u32 seed)
{
	u8 *data = &world.whole[i * PAGE_SIZE];
	int err;

	fill(data, PAGE_SIZE, seed);
	memcpy_to_page(world.page, 0, data, PAGE_SIZE);
	err = bdev_rw_page(&world.zram->bdev, (u64)i * PAGE_SECTORS, world.page, true);
	return err;
}

static unsigned int wrong_pages(void)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < PAGES; i++) {
		void *virt;

		wrong += bdev_rw_page(&world.zram->bdev, (u64)i * PAGE_SECTORS, world.page, false) != 0;
		virt = kmap_local_page(world.page);
		wrong += memcmp(virt, &world.whole[i * PAGE_SIZE], PAGE_SIZE) != 0;
		kunmap_local(virt);
	}
	return wrong;
}

TEST(zram, pages)
{
	ASSERT(begin());
	EXPECT(bdev_find_name("zram7") == &world.zram->bdev);
	EXPECT_EQ(wrong_pages(), 0);
	for (u32 round = 0; round < 4; round++) {
		for (unsigned int i = 0; i < PAGES; i += round + 1)
			EXPECT_EQ(write_page(i, i * 7 + round), 0);
		EXPECT_EQ(wrong_pages(), 0);
	}
	EXPECT(world.zram->stats.huge_pages > 0 && world.zram->stats.same_pages > 0);
	end();
}

TEST(zram, sectors)
{
	u64 state = test_seed;
	u8 *buffer = kmalloc(5 * PAGE_SIZE, GFP_KERNEL);

	ASSERT(begin() && buffer);
	for (unsigned int n = 0; n < test_scaled(300); n++) {
		u64 r = test_random(&state) >> 20;
		unsigned int count = 1 + (unsigned int)(r % 30);
		u64 sector = (r >> 8) % (PAGES * PAGE_SECTORS - count);
		bool write = r >> 40 & 1;

		fill(buffer, (size_t)count * 512, (u32)(r >> 30));
		EXPECT_EQ(bdev_rw(&world.zram->bdev, sector, buffer, count, write), 0);
		if (write)
			memcpy(world.whole + sector * 512, buffer, (size_t)count * 512);
		else
			EXPECT(!memcmp(world.whole + sector * 512, buffer, (size_t)count * 512));
	}
	/* A page across two pages of the disk. */
	fill(buffer, PAGE_SIZE, 3);
	memcpy_to_page(world.page, 0, buffer, PAGE_SIZE);
	EXPECT_EQ(bdev_rw_page(&world.zram->bdev, 13, world.page, true), 0);
	memcpy(world.whole + 13 * 512, buffer, PAGE_SIZE);
	EXPECT_EQ(wrong_pages(), 0);
	kfree(buffer);
	end();
}

TEST(zram, discard_gives_memory_back)
{
	ASSERT(begin());
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(write_page(i, 5 * i + 3), 0);
	EXPECT(zram_used_pages(world.zram) > 10);
	EXPECT_EQ(bdev_discard(&world.zram->bdev, 3, 40), 0); /* pages 1 to 4 whole */
	memset(world.whole + PAGE_SIZE, 0, 4 * PAGE_SIZE);
	EXPECT_EQ(wrong_pages(), 0);
	EXPECT_EQ(world.zram->stats.notify_free, 4);
	EXPECT_EQ(bdev_discard(&world.zram->bdev, 0, PAGES * PAGE_SECTORS), 0);
	EXPECT_EQ(zram_used_pages(world.zram), 0);
	EXPECT_EQ(world.zram->stats.pages_stored, 0);
	memset(world.whole, 0, PAGES * PAGE_SIZE);
	EXPECT_EQ(wrong_pages(), 0);
	end();
}

/* ZR-I3 */
TEST(zram, limit)
{
	unsigned int i = 0;

	ASSERT(begin());
	EXPECT_EQ(proc_put(DIR "mem_limit", "64K\n"), 4);
	while (i < PAGES && !write_page(i, 5 * i + 2))
		i++;
	EXPECT(i >= 8 && i <= 16);
	memset(&world.whole[i * PAGE_SIZE], 0, PAGE_SIZE); /* as it was */
	EXPECT_EQ(wrong_pages(), 0);
	EXPECT_EQ(write_page(0, 1), 0); /* one word needs no memory */
	EXPECT_EQ(wrong_pages(), 0);
	EXPECT_EQ(world.zram->stats.failed_writes, 1);
	end();
}

static void check_world(void *ctx)
{
	const char *why = census_check(NULL, 0);

	(void)ctx;
	if (why)
		test_fail(__FILE__, __LINE__, "%s", why);
}

static bool some_writes(void *ctx)
{
	unsigned int failed = 0;

	(void)ctx;
	for (unsigned int i = 0; i < 4; i++) {
		if (write_page(i, 10 * i + 3)) {
			memset(&world.whole[i * PAGE_SIZE], 0, PAGE_SIZE);
			failed++;
		}
	}
	EXPECT_EQ(wrong_pages(), 0);
	EXPECT_EQ(bdev_discard(&world.zram->bdev, 0, 8 * PAGE_SECTORS), 0);
	memset(world.whole, 0, 8 * PAGE_SIZE);
	return !failed;
}

TEST(zram, each_allocation_failing)
{
	ASSERT(begin());
	EXPECT(some_writes(NULL));
	census_begin();
	EXPECT(fault_each_among(FAIL_NTH_ALL, some_writes, check_world, NULL) >= 3);
	end();
}

static bool life(void *ctx)
{
	int err = zram_add(9);

	(void)ctx;
	if (err)
		return false;
	err = zram_set_disksize(zram_find(9), 100 * PAGE_SIZE);
	EXPECT_EQ(zram_remove(9), 0);
	return !err;
}

static void check_nothing(void *ctx)
{
	(void)ctx;
	EXPECT(!zram_find(9) && !bdev_find_name("zram9"));
}

TEST(zram, making_one_without_memory)
{
	EXPECT(fault_each_among(FAIL_NTH_ALL, life, check_nothing, NULL) >= 5);
	EXPECT_EQ(zram_add(ZRAM_MAX), -EINVAL);
	EXPECT_EQ(zram_remove(9), -ENODEV);
}

TEST(zram, what_is_swapped_to_stays)
{
	ASSERT(begin());
	EXPECT_EQ(swap_make_header(&world.zram->bdev, PAGES, NULL), 0);
	EXPECT_EQ(swapper_on(&world.zram->bdev, "/dev/zram7", 0), 0);
	EXPECT_EQ(proc_put(DIR "reset", "1"), -EBUSY);
	EXPECT_EQ(zram_remove(7), -EBUSY);
	EXPECT_EQ(swapoff_path("/dev/zram7"), 0);
	EXPECT_EQ(swapper_on(&world.zram->bdev, "/dev/zram7", 0x80000), -EINVAL);
	EXPECT(bdev_hold(&world.zram->bdev) && !bdev_get(&world.zram->bdev));
	EXPECT_EQ(swapper_on(&world.zram->bdev, "/dev/zram7", 0), -EBUSY);
	bdev_unhold(&world.zram->bdev);
	EXPECT_EQ(proc_put(DIR "reset", "1"), 1);
	EXPECT_EQ(swapper_on(&world.zram->bdev, "/dev/zram7", 0), -EINVAL);
	EXPECT_EQ(world.zram->bdev.users, 0);
	end();
}

/* Nothing stays packed of what nobody has any more. */
TEST(zram, a_free_slot_takes_no_memory)
{
	swp_entry_t entries[20];
	unsigned long stored;

	ASSERT(begin());
	EXPECT_EQ(swap_make_header(&world.zram->bdev, PAGES, NULL), 0);
	EXPECT_EQ(swapper_on(&world.zram->bdev, "/dev/zram7", 0), 0);
	stored = world.zram->stats.pages_stored;
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = swapper_out(swapper_make(0, 100 + i), 0);
	EXPECT_EQ(world.zram->stats.pages_stored, stored + ARRAY_SIZE(entries));
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		free_swap_and_cache(entries[i]);
	EXPECT_EQ(world.zram->stats.pages_stored, stored);
	EXPECT_EQ(world.zram->stats.notify_free, ARRAY_SIZE(entries));
	EXPECT_EQ(swapoff_path("/dev/zram7"), 0);
	end();
}

TEST(zram, files)
{
	char want[128];

	ASSERT(begin());
	EXPECT_STREQ(proc_text(DIR "initstate"), "1\n");
	EXPECT_STREQ(proc_text(DIR "disksize"), "262144\n");
	EXPECT_EQ(proc_put(DIR "disksize", "1M"), -EBUSY);
	EXPECT_EQ(proc_put(DIR "comp_algorithm", "lz4"), -EBUSY);
	EXPECT(strstr(proc_text(DIR "comp_algorithm"), "[lz4] "));
	EXPECT_EQ(write_page(0, 2), 0);
	EXPECT_EQ(write_page(1, 5), 0);
	EXPECT_EQ(write_page(2, 6), 0);
	EXPECT_EQ(write_page(3, 3), 0);
	octavo_snprintf(want, sizeof(want), "   16384 %8lu %8lu        0 %8lu        2        0        1        1\n",
			world.zram->stats.compr_data_size, zram_used_pages(world.zram) * PAGE_SIZE,
			zram_used_pages(world.zram) * PAGE_SIZE);
	EXPECT(world.zram->stats.compr_data_size > PAGE_SIZE);
	EXPECT_STREQ(proc_text(DIR "mm_stat"), want);
	EXPECT_STREQ(proc_text(DIR "io_stat"), "       0        0        0        0\n");
	EXPECT_EQ(proc_put(DIR "mem_used_max", "1"), -EINVAL);
	EXPECT_EQ(proc_put(DIR "mem_used_max", "0\n"), 2);
	EXPECT_EQ(proc_put(DIR "compact", "1"), 1);
	EXPECT_EQ(proc_put(DIR "reset", "1abc"), -EINVAL);
	EXPECT_EQ(proc_put(DIR "reset", "99999"), -ERANGE);
	EXPECT_EQ(proc_put(DIR "reset", "0"), -EINVAL);
	EXPECT_EQ(proc_put(DIR "reset", "1"), 1);
	EXPECT_STREQ(proc_text(DIR "initstate"), "0\n");
	EXPECT_STREQ(proc_text(DIR "disksize"), "0\n");
	EXPECT_EQ(bdev_rw_page(&world.zram->bdev, 0, world.page, false), -EINVAL);
	EXPECT_EQ(proc_put(DIR "comp_algorithm", "none"), -EINVAL);
	EXPECT_EQ(proc_put(DIR "comp_algorithm", "lz4\n"), 4);
	EXPECT_EQ(proc_put(DIR "disksize", "x"), -EINVAL);
	EXPECT_EQ(proc_put(DIR "disksize", "256K\n"), 5);
	memset(world.whole, 0, PAGES * PAGE_SIZE);
	EXPECT_EQ(wrong_pages(), 0);
	end();
}
