// SPDX-License-Identifier: MIT
/* Reclaim needs next to nothing itself: with one free page on the machine it still makes room. */
#include <octavo/pagemap.h>
#include <octavo/reclaim_hook.h>
#include <octavo/verify.h>

#include "harness.h"
#include "hosted.h"
#include "mm/block/block.h"
#include "mm/cache/filemap.h"
#include "mm/phys/zone.h"

#define RAM (16u << 20)
#define DISK (4u << 20)

static u8 disk[DISK], chunk[65536];
static struct inode inode;

static void evict(struct inode *gone)
{
	inode_evict_mapping(gone);
}

static const struct inode_operations i_ops = { .evict = evict };

static unsigned long pages_left(void)
{
	unsigned long n = 0;

	for_each_populated_zone(zone)
		n += zone_page_state_snapshot(zone, NR_FREE_PAGES);
	return n;
}

TEST(one_page, reclaim_gets_on_with_it)
{
	static const struct bootinfo_range map[] = { { 0x100000, RAM, E820_TYPE_RAM } };
	const struct bootinfo info = { .arch = hosted_default_machine()->arch, .map = map, .map_nr = 1, .cmdline = "" };
	struct page *list = NULL, *page;
	unsigned int scope, got = 0;
	struct bdev *device;
	struct file *file;

	ASSERT(!hosted_boot(&info, &(struct hosted_options){ .cpus = 1, .quiet = true }));
	memset(&inode, 0, sizeof(inode));
	inode.i_op = &i_ops;
	device = hosted_block_set(1, disk, DISK / 512) ? NULL : bdev_of_port(1, "disk1", DISK / 512, true);
	ASSERT(device && !bdev_init_inode(&inode, device));
	file = alloc_file(&inode, FMODE_READ, 0, &bdev_fops);
	ASSERT(file);
	for (u64 pos = 0; pos < DISK;) {
		struct iov_iter iter = { .base = chunk, .count = sizeof(chunk) };

		ASSERT(file->f_op->read_iter(file, &iter, &pos) == (s64)sizeof(chunk));
	}
	scope = memalloc_noreclaim_save();
	while (pages_left() > 1 && (page = alloc_page(GFP_KERNEL | __GFP_NOWARN))) {
		page->mapping_index = (uintptr_t)list;
		list = page;
	}
	memalloc_noreclaim_restore(scope);
	EXPECT(pages_left() <= 1);
	while (got < 200 && (page = alloc_page(GFP_KERNEL | __GFP_NOWARN))) {
		page->mapping_index = (uintptr_t)list;
		list = page;
		got++;
	}
	EXPECT_EQ(got, 200);
	while (list) {
		page = list;
		list = (struct page *)(uintptr_t)page->mapping_index;
		page->mapping_index = 0;
		__free_page(page);
	}
	fput(file);
	bdev_put_port(device);
	EXPECT_EQ(hosted_block_set(1, NULL, 0), 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
}
