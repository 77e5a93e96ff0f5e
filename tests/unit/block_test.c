// SPDX-License-Identifier: MIT
/*
 * Block devices: the list of them (BLK-I1), transfers and what is counted (BLK-I2), the RAM disk (BRD-I1, BRD-I2), and
 * the device that fails for tests.
 */
#include "mm/block/block.h"

#include <octavo/errno.h>
#include <octavo/highmem.h>
#include <octavo/reclaim_hook.h>
#include <octavo/slab.h>

#include "flaky.h"
#include "harness.h"
#include "mm/phys/vmstat.h"

#define SECTORS 1003u /* not whole pages */

static u8 buffer[16 * 1024], disk[SECTORS * 512];

/* ---- A device of one array ---- */

static unsigned int scope_seen;

static int array_rw(struct bdev *bdev, u64 sector, void *data, unsigned int count, bool write)
{
	u8 *at = (u8 *)bdev->private_data + sector * 512;

	scope_seen = memalloc_noio_save();
	memalloc_noio_restore(scope_seen);
	if (write)
		memcpy(at, data, count * 512);
	else
		memcpy(data, at, count * 512);
	return 0;
}

static const struct bdev_ops array_ops = { .rw = array_rw };

static struct bdev array_device(const char *name, u32 dev)
{
	return (struct bdev){ .name = name, .dev = dev, .sectors = SECTORS, .ops = &array_ops, .private_data = disk };
}

TEST(block, found_by_number_and_name)
{
	struct bdev a = array_device("a", BDEV(241, 7)), b = array_device("b", BDEV(241, 3)), c = b, d = a;

	c.name = "c";
	d.dev = BDEV(241, 9);
	EXPECT_EQ(bdev_register(&a), 0);
	EXPECT_EQ(bdev_register(&b), 0);
	EXPECT_EQ(bdev_register(&c), -EEXIST);
	EXPECT_EQ(bdev_register(&d), -EEXIST);
	EXPECT(bdev_find(BDEV(241, 7)) == &a && bdev_find(BDEV(241, 3)) == &b && !bdev_find(BDEV(241, 4)));
	EXPECT(bdev_find_name("a") == &a && bdev_find_name("b") == &b && !bdev_find_name("c"));
	EXPECT(bdev_next(BDEV(241, 0)) == &b && bdev_next(BDEV(241, 3)) == &a && bdev_next(BDEV(241, 7)) != &b);
	bdev_unregister(&b);
	bdev_unregister(&b);
	EXPECT(!bdev_find_name("b") && bdev_find_name("a") == &a);
	bdev_unregister(&a);
	EXPECT(!bdev_find(BDEV(241, 7)));
}

TEST(block, transfers_within_are_counted)
{
	struct bdev a = array_device("a", BDEV(241, 0));
	unsigned long in = vm_event_sum(PGPGIN), out = vm_event_sum(PGPGOUT);

	memset(buffer, 7, sizeof(buffer));
	scope_seen = 0;
	EXPECT_EQ(bdev_rw(&a, SECTORS - 2, buffer, 2, true), 0);
	EXPECT(scope_seen & PF_MEMALLOC_NOIO);
	EXPECT(disk[(SECTORS - 2) * 512] == 7 && disk[SECTORS * 512 - 1] == 7 && disk[(SECTORS - 2) * 512 - 1] != 7);
	EXPECT_EQ(bdev_rw(&a, SECTORS - 1, buffer, 2, true), -EINVAL);
	EXPECT_EQ(bdev_rw(&a, SECTORS + 1, buffer, 0, false), -EINVAL);
	EXPECT_EQ(bdev_rw(&a, ~0ull, buffer, 1, false), -EINVAL);
	EXPECT_EQ(bdev_rw(&a, SECTORS, buffer, 0, false), 0);
	EXPECT_EQ(bdev_rw(&a, 0, buffer, 3, false), 0);
	EXPECT_EQ(a.ios[1], 1);
	EXPECT_EQ(a.ios_sectors[1], 2);
	EXPECT_EQ(a.ios[0], 2);
	EXPECT_EQ(a.ios_sectors[0], 3);
	EXPECT_EQ(vm_event_sum(PGPGIN) - in, 3);
	EXPECT_EQ(vm_event_sum(PGPGOUT) - out, 2);
	EXPECT_EQ(bdev_discard(&a, 0, 8), 0);
	EXPECT_EQ(bdev_discard(&a, SECTORS, 1), -EINVAL);
	a.read_only = true;
	EXPECT_EQ(bdev_rw(&a, 0, buffer, 1, true), -EROFS);
	EXPECT_EQ(bdev_discard(&a, 0, 8), -EROFS);
	EXPECT_EQ(bdev_rw(&a, 0, buffer, 1, false), 0);
}

/* A page of high memory where there is any: it comes and goes through the bounce page. */
TEST(block, pages_by_way_of_rw)
{
	struct bdev a = array_device("a", BDEV(241, 0));
	struct page *page = alloc_pages(GFP_HIGHUSER, 0);
	u8 *at;

	ASSERT(page);
	ASSERT(!bdev_register(&a));
	memset_page(page, 0, 0x5a, PAGE_SIZE);
	EXPECT_EQ(bdev_rw_page(&a, 9, page, true), 0);
	EXPECT(disk[9 * 512] == 0x5a && disk[9 * 512 + PAGE_SIZE - 1] == 0x5a);
	disk[9 * 512 + 100] = 1;
	EXPECT_EQ(bdev_rw_page(&a, 9, page, false), 0);
	at = kmap_local_page(page);
	EXPECT(at[99] == 0x5a && at[100] == 1 && at[PAGE_SIZE - 1] == 0x5a);
	kunmap_local(at);
	EXPECT_EQ(bdev_rw_page(&a, SECTORS - PAGE_SECTORS + 1, page, false), -EINVAL);
	bdev_unregister(&a);
	__free_pages(page, 0);
}

/* ---- RAM disk ---- */

TEST(block, ram_disk_numbers)
{
	struct bdev *a, *b, *c;
	int err;

	a = brd_create("ram11", 64, &err);
	ASSERT(a);
	EXPECT_EQ(a->dev, BDEV(1, 11));
	EXPECT(!brd_create("ram11", 64, &err));
	EXPECT_EQ(err, -EEXIST);
	b = brd_create("scratch", 64, &err);
	c = brd_create("scratch2", 64, &err);
	ASSERT(b && c);
	EXPECT_EQ(b->dev, BDEV(1, 256));
	EXPECT_EQ(c->dev, BDEV(1, 257));
	brd_destroy(c);
	brd_destroy(b);
	brd_destroy(a);
	EXPECT(!bdev_find_name("ram11"));
}

TEST(block, ram_disk_takes_pages_as_it_is_written)
{
	unsigned long free_before, index;
	struct bdev *ram;
	int err;

	ram = brd_create("ram11", 4096, &err);
	ASSERT(ram);
	free_before = brd_pages(ram);
	EXPECT_EQ(free_before, 0);
	memset(buffer, 1, sizeof(buffer));
	EXPECT_EQ(bdev_rw(ram, 0, buffer, 16, false), 0);
	EXPECT(buffer[0] == 0 && buffer[16 * 512 - 1] == 0 && buffer[16 * 512] == 1);
	EXPECT_EQ(brd_pages(ram), 0);
	memset(buffer, 2, sizeof(buffer));
	/* One sector of one page, and a run that begins and ends within pages. */
	EXPECT_EQ(bdev_rw(ram, 3, buffer, 1, true), 0);
	EXPECT_EQ(brd_pages(ram), 1);
	EXPECT_EQ(bdev_rw(ram, 5 * PAGE_SECTORS - 1, buffer, PAGE_SECTORS + 2, true), 0);
	EXPECT_EQ(brd_pages(ram), 4);
	memset(buffer, 9, sizeof(buffer));
	EXPECT_EQ(bdev_rw(ram, 2, buffer, 3, false), 0);
	EXPECT(buffer[511] == 0 && buffer[512] == 2 && buffer[1023] == 2 && buffer[1024] == 0);
	/* Whole pages of what is discarded go. */
	EXPECT_EQ(bdev_discard(ram, 4 * PAGE_SECTORS + 1, 2 * PAGE_SECTORS), 0);
	EXPECT_EQ(brd_pages(ram), 3);
	EXPECT_EQ(bdev_rw(ram, 5 * PAGE_SECTORS, buffer, 1, false), 0);
	EXPECT_EQ(buffer[0], 0);
	EXPECT_EQ(bdev_rw(ram, 5 * PAGE_SECTORS - 1, buffer, 1, false), 0);
	EXPECT_EQ(buffer[0], 2);
	for (index = 0; index < 4096; index += 64)
		EXPECT_EQ(bdev_rw(ram, index, buffer, 1, true), 0);
	EXPECT_EQ(bdev_discard(ram, 0, 4096), 0);
	EXPECT_EQ(brd_pages(ram), 0);
	brd_destroy(ram);
}

/* Random transfers of sectors and pages against an array. */
TEST(block, ram_disk_model)
{
	u64 chance = 11;
	struct page *page = alloc_pages(GFP_HIGHUSER, 0);
	struct bdev *ram;
	int err;

	ram = brd_create("ram11", SECTORS, &err);
	ASSERT(ram && page);
	memset(disk, 0, sizeof(disk));
	for (unsigned int i = 0; i < 400; i++) {
		u64 r = test_random(&chance), sector = r % (SECTORS - 32);
		unsigned int count = (unsigned int)(r >> 32) % 32;

		memset(buffer, (int)i, sizeof(buffer));
		switch (r >> 56 & 3) {
		case 0:
			EXPECT_EQ(bdev_rw(ram, sector, buffer, count, true), 0);
			memset(disk + sector * 512, (int)i, count * 512);
			break;
		case 1:
			EXPECT_EQ(bdev_rw(ram, sector, buffer, count, false), 0);
			EXPECT(!memcmp(buffer, disk + sector * 512, count * 512));
			break;
		case 2:
			memset_page(page, 0, (int)i, PAGE_SIZE);
			EXPECT_EQ(bdev_rw_page(ram, sector, page, true), 0);
			memset(disk + sector * 512, (int)i, PAGE_SIZE);
			break;
		default:
			EXPECT_EQ(bdev_rw_page(ram, sector, page, false), 0);
			memcpy_from_page(buffer, page, 0, PAGE_SIZE);
			EXPECT(!memcmp(buffer, disk + sector * 512, PAGE_SIZE));
		}
	}
	EXPECT(brd_pages(ram) > 0);
	brd_destroy(ram);
	__free_pages(page, 0);
}

/* ---- What tests break ---- */

TEST(block, flaky)
{
	struct flaky f;
	struct bdev *ram;
	int err;

	ram = brd_create("ram11", 64, &err);
	ASSERT(ram);
	ASSERT(!flaky_make(&f, "flaky0", ram));
	memset(buffer, 3, sizeof(buffer));
	EXPECT_EQ(bdev_rw(&f.bdev, 0, buffer, 8, true), 0);
	f.skip = 1;
	f.fail_writes = 1;
	memset(buffer, 4, sizeof(buffer));
	EXPECT_EQ(bdev_rw(&f.bdev, 8, buffer, 8, true), 0);
	EXPECT_EQ(bdev_rw(&f.bdev, 0, buffer, 8, true), -EIO);
	EXPECT_EQ(bdev_rw(&f.bdev, 0, buffer, 8, false), 0);
	EXPECT_EQ(buffer[0], 3);
	f.torn_writes = 1;
	memset(buffer, 5, sizeof(buffer));
	EXPECT_EQ(bdev_rw(&f.bdev, 0, buffer, 8, true), -EIO);
	EXPECT_EQ(bdev_rw(&f.bdev, 0, buffer, 8, false), 0);
	EXPECT(buffer[0] == 5 && buffer[4 * 512 - 1] == 5 && buffer[4 * 512] == 3);
	f.lost_writes = 1;
	memset(buffer, 6, sizeof(buffer));
	EXPECT_EQ(bdev_rw(&f.bdev, 0, buffer, 8, true), 0);
	EXPECT_EQ(bdev_rw(&f.bdev, 0, buffer, 8, false), 0);
	EXPECT_EQ(buffer[0], 5);
	f.bad_first = 10;
	f.bad_count = 2;
	f.bad_reads = true;
	f.error = -ENXIO;
	EXPECT_EQ(bdev_rw(&f.bdev, 8, buffer, 3, false), -ENXIO);
	EXPECT_EQ(bdev_rw(&f.bdev, 8, buffer, 2, false), 0);
	EXPECT_EQ(bdev_rw(&f.bdev, 11, buffer, 2, true), 0);
	EXPECT_EQ(bdev_rw(&f.bdev, 12, buffer, 2, false), 0);
	EXPECT_EQ(f.bdev.errors[0], 1);
	EXPECT_EQ(f.bdev.errors[1], 2);
	EXPECT_EQ(f.failed, 3);
	flaky_end(&f);
	brd_destroy(ram);
}
