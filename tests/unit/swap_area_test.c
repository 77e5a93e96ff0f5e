// SPDX-License-Identifier: MIT
/* Swap areas: headers, priorities, discard, swap files, swapoff, /proc/swaps. */
#include <octavo/slab.h>

#include "flaky.h"
#include "mm/base/findings.h"
#include "mm/phys/vmstat.h"
#include "proc_text.h"
#include "ramfile.h"
#include "swapper.h"

/* ---- Headers ---- */

static u8 header[4096];

static void put32(unsigned int at, u32 n)
{
	memcpy(header + at, &n, 4);
}

static void make_header(u32 last)
{
	memset(header, 0, sizeof(header));
	put32(1024, 1);
	put32(1028, last);
	memcpy(header + 4086, "SWAPSPACE2", 10);
}

/* What swapon says of a device of @pages with that header. */
static int try_header(unsigned long pages, const char *text)
{
	int err = 0, made;
	struct bdev *disk = brd_create("ram3", (u64)pages * PAGE_SECTORS, &err);
	const char *said;

	if (!disk || bdev_rw(disk, 0, header, PAGE_SECTORS, true))
		return -ENOMEM;
	test_capture_begin();
	made = swapon_bdev(disk, "/dev/ram3", 0);
	said = test_capture_end();
	if (text && !strstr(said, text))
		test_fail(__FILE__, __LINE__, "\"%s\" is not in \"%s\"", text, said);
	swapper_verify();
	if (!made)
		made = (int)swap_pages_total();
	EXPECT_EQ(swapoff_path("/dev/ram3"), made > 0 ? 0 : -EINVAL);
	brd_destroy(disk);
	return made;
}

TEST(swap_area, headers)
{
	make_header(99);
	EXPECT_EQ(try_header(100, "Adding 396k swap on /dev/ram3.  Priority:-2 extents:1 across:400k SS\n"), 99);
	EXPECT_EQ(try_header(1000, "Adding 396k swap"), 99);
	EXPECT_EQ(try_header(99, "Swap area shorter than signature indicates\n"), -EINVAL);
	header[4095] = '1';
	EXPECT_EQ(try_header(100, "Unable to find swap-space signature\n"), -EINVAL);
	make_header(99);
	put32(1024, 2);
	EXPECT_EQ(try_header(100, "Unable to handle swap header version 2\n"), -EINVAL);
	make_header(0);
	EXPECT_EQ(try_header(100, "Empty swap-file\n"), -EINVAL);
	/* Of the other byte order. */
	make_header(__builtin_bswap32(99));
	put32(1024, __builtin_bswap32(1));
	put32(1032, __builtin_bswap32(1));
	put32(1536, __builtin_bswap32(7));
	EXPECT_EQ(try_header(100, NULL), 98);
}

/* Pages would go there, and none would arrive. */
TEST(swap_area, what_cannot_be_written_is_refused)
{
	struct bdev *disk = swapper_disk("ram3", 100);

	ASSERT(disk);
	disk->read_only = true;
	EXPECT_EQ(swapper_on(disk, "/dev/ram3", 0), -EROFS);
	EXPECT_EQ(swap_pages_total(), 0);
	disk->read_only = false;
	EXPECT_EQ(swapper_on(disk, "/dev/ram3", 0), 0);
	EXPECT_EQ(swapoff_path("/dev/ram3"), 0);
	brd_destroy(disk);
}

TEST(swap_area, bad_pages_are_not_used)
{
	static swp_entry_t entries[100];
	struct bdev *disk;
	unsigned int n = 0;
	int err = 0;

	make_header(99);
	put32(1032, 3);
	put32(1536, 1);
	put32(1540, 50);
	put32(1544, 99);
	EXPECT_EQ(try_header(100, "Adding 384k swap"), 96);
	put32(1544, 100);
	EXPECT_EQ(try_header(100, NULL), -EINVAL);
	put32(1544, 0);
	EXPECT_EQ(try_header(100, NULL), -EINVAL);
	put32(1544, 99);
	put32(1032, 638);
	EXPECT_EQ(try_header(100, NULL), -EINVAL);
	put32(1032, 3);
	disk = brd_create("ram3", 800, &err);
	ASSERT(disk);
	EXPECT_EQ(bdev_rw(disk, 0, header, PAGE_SECTORS, true), 0);
	EXPECT_EQ(swapper_on(disk, "/dev/ram3", 0), 0);
	while ((entries[n] = swapper_out(swapper_make(0, 1), 0)).val) {
		EXPECT(swp_offset(entries[n]) > 1 && swp_offset(entries[n]) != 50 && swp_offset(entries[n]) < 99);
		n++;
	}
	EXPECT_EQ(n, 96);
	EXPECT_EQ(swap_duplicate(swp_entry(0, 50)), -EINVAL);
	EXPECT(!swap_entry_valid(swp_entry(0, 50)));
	EXPECT_EQ(swap_count(swp_entry(0, 50)), 0);
	swapper_verify();
	while (n)
		free_swap_and_cache(entries[--n]);
	EXPECT_EQ(swapoff_path("/dev/ram3"), 0);
	brd_destroy(disk);
	make_header(1);
	put32(1032, 1);
	put32(1536, 1);
	EXPECT_EQ(try_header(100, "Empty swap-file\n"), -EINVAL);
}

/* ---- Several areas ---- */

static struct bdev *disks[4];

static const char *const names[] = { "ram0", "ram1", "ram2", "ram3" };
static const char *const paths[] = { "/dev/ram0", "/dev/ram1", "/dev/ram2", "/dev/ram3" };

static bool make_disks(unsigned int nr, unsigned long pages)
{
	for (unsigned int i = 0; i < nr; i++) {
		disks[i] = swapper_disk(names[i], pages);
		if (!disks[i])
			return false;
	}
	return true;
}

static int prio_of(unsigned int type)
{
	struct swap_area_info info = { .prio = 0 };

	return swap_area_info(type, &info) ? info.prio : -32768;
}

TEST(swap_area, priorities)
{
	ASSERT(make_disks(4, 100));
	EXPECT_EQ(swapper_on(disks[0], paths[0], 0), 0);
	EXPECT_EQ(swapper_on(disks[1], paths[1], 0), 0);
	EXPECT_EQ(swapper_on(disks[2], paths[2], SWAP_FLAG_PREFER | 7), 0);
	EXPECT_EQ(swapper_on(disks[3], paths[3], 0), 0);
	EXPECT_EQ(swapper_on(disks[3], paths[3], 0), -EBUSY);
	EXPECT_EQ(swapper_on(disks[3], paths[3], 0x80000), -EINVAL);
	EXPECT_EQ(prio_of(0), -2);
	EXPECT_EQ(prio_of(1), -3);
	EXPECT_EQ(prio_of(2), 7);
	EXPECT_EQ(prio_of(3), -4);
	EXPECT_EQ(swapoff_path(paths[1]), 0);
	EXPECT_EQ(swapoff_path(paths[1]), -EINVAL);
	EXPECT_EQ(prio_of(0), -2);
	EXPECT_EQ(prio_of(1), -32768);
	EXPECT_EQ(prio_of(3), -3);
	/* The first free type, the last place. */
	EXPECT_EQ(swapper_on(disks[1], paths[1], 0), 0);
	EXPECT_EQ(prio_of(1), -4);
	EXPECT_EQ(swap_pages_total(), 4 * 99);
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT_EQ(swapoff_path(paths[i]), 0);
		brd_destroy(disks[i]);
	}
	EXPECT_EQ(swap_pages_total(), 0);
}

/* The one with the highest priority first; equals take turns; then the rest. */
TEST(swap_area, striping)
{
	static swp_entry_t entries[1200];
	unsigned int nr[4] = { 0 }, n = 0, most = 0;

	ASSERT(make_disks(4, 301));
	EXPECT_EQ(swapper_on(disks[0], paths[0], 0), 0);
	EXPECT_EQ(swapper_on(disks[1], paths[1], SWAP_FLAG_PREFER | 5), 0);
	EXPECT_EQ(swapper_on(disks[2], paths[2], SWAP_FLAG_PREFER | 5), 0);
	EXPECT_EQ(swapper_on(disks[3], paths[3], SWAP_FLAG_PREFER | 9), 0);
	for (; n < 1200; n++) {
		entries[n] = swapper_out(swapper_make(0, 1), 0);
		ASSERT(entries[n].val);
		nr[swp_type(entries[n])]++;
		if (n < 300)
			EXPECT_EQ(swp_type(entries[n]), 3);
		else if (n < 900)
			EXPECT(swp_type(entries[n]) == 1 || swp_type(entries[n]) == 2);
		else
			EXPECT_EQ(swp_type(entries[n]), 0);
		if (n < 800)
			most = max(most, nr[1] > nr[2] ? nr[1] - nr[2] : nr[2] - nr[1]);
	}
	EXPECT(most > 32 && most <= 64);
	EXPECT(!swapper_out(swapper_make(0, 1), 0).val);
	swapper_verify();
	while (n)
		free_swap_and_cache(entries[--n]);
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT_EQ(swapoff_path(paths[i]), 0);
		brd_destroy(disks[i]);
	}
}

TEST(swap_area, no_more_than_23)
{
	static struct bdev *many[MAX_SWAPFILES + 1];
	static char path[MAX_SWAPFILES + 1][16];

	for (unsigned int i = 0; i <= MAX_SWAPFILES; i++) {
		octavo_snprintf(path[i], sizeof(path[i]), "ram%u", i);
		many[i] = swapper_disk(path[i], 10);
		ASSERT(many[i]);
		EXPECT_EQ(swapper_on(many[i], path[i], 0), i < MAX_SWAPFILES ? 0 : -EPERM);
	}
	EXPECT_EQ(prio_of(MAX_SWAPFILES - 1), -1 - MAX_SWAPFILES);
	swapper_verify();
	for (unsigned int i = 0; i <= MAX_SWAPFILES; i++) {
		EXPECT_EQ(swapoff_path(path[i]), i < MAX_SWAPFILES ? 0 : -EINVAL);
		brd_destroy(many[i]);
	}
}

/* The format is tab for tab Linux's. */
TEST(swap_area, proc_swaps)
{
	static const char head[] = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
	swp_entry_t entry;
	u64 n = 0;

	EXPECT(!strcmp(proc_text("/proc/swaps"), head));
	ASSERT(make_disks(2, 1000));
	EXPECT_EQ(swapper_on(disks[0], paths[0], 0), 0);
	EXPECT_EQ(swapper_on(disks[1], "/a/path/that/is/longer/than/forty/characters", SWAP_FLAG_PREFER | 3), 0);
	entry = swapper_out(swapper_make(0, 1), 0);
	EXPECT(!strncmp(proc_text("/proc/swaps"), head, sizeof(head) - 1));
	EXPECT(!strcmp(proc_text("/proc/swaps") + sizeof(head) - 1,
		       "/dev/ram0                               partition\t3996\t\t0\t\t-2\n"
		       "/a/path/that/is/longer/than/forty/characters partition\t3996\t\t4\t\t3\n"));
	EXPECT_EQ(proc_value("/proc/meminfo", "SwapTotal:"), 2 * 3996);
	EXPECT_EQ(proc_value("/proc/meminfo", "SwapFree:"), 2 * 3996 - 4);
	EXPECT_EQ(proc_value("/proc/meminfo", "SwapCached:"), 0);
	n = proc_value("/proc/vmstat", "pswpout");
	EXPECT_EQ(n, vm_event_sum(PSWPOUT));
	free_swap_and_cache(entry);
	EXPECT_EQ(swapoff_path(paths[0]), 0);
	EXPECT_EQ(swapoff_path("/a/path/that/is/longer/than/forty/characters"), 0);
	brd_destroy(disks[0]);
	brd_destroy(disks[1]);
}

/* ---- Discard ---- */

static unsigned long discarded(int flags, unsigned int pages, const char *said)
{
	static swp_entry_t entries[1024];
	unsigned long before, all;

	disks[0] = swapper_disk("ram0", 2049);
	if (!disks[0])
		return 0;
	before = disks[0]->discard_sectors;
	test_capture_begin();
	EXPECT_EQ(swapon_bdev(disks[0], paths[0], flags), 0);
	EXPECT(strstr(test_capture_end(), said));
	for (unsigned int i = 0; i < pages; i++)
		entries[i] = swapper_out(swapper_make(0, i + 1), 0);
	for (unsigned int i = 0; i < pages; i++)
		free_swap_and_cache(entries[i]);
	swapper_verify();
	entries[0] = swapper_out(swapper_make(0, 1), 0);
	all = disks[0]->discard_sectors - before;
	EXPECT_EQ(swapper_take(entries[0]), 1);
	swapper_verify();
	EXPECT_EQ(swapoff_path(paths[0]), 0);
	brd_destroy(disks[0]);
	return all;
}

TEST(swap_area, discard)
{
	/* Clusters 0 and 1 become free; the device is told of the one after the header, and of the other. */
	EXPECT_EQ(discarded(0, 1023, "across:8196k SS\n"), 0);
	EXPECT_EQ(discarded(SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_ONCE, 1023, "SSDs\n"), 2048 * 8);
	EXPECT(discarded(SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES, 1023, "SSDc\n") >= 511 * 8);
	EXPECT(discarded(SWAP_FLAG_DISCARD, 1023, "SSDsc\n") >= (2048 + 511) * 8);
}

/* What waits when the area goes is told, and nobody goes on to wait for it. */
TEST(swap_area, discard_at_swapoff)
{
	static swp_entry_t entries[1023];
	unsigned long before;

	disks[0] = swapper_disk("ram0", 2049);
	ASSERT(disks[0]);
	EXPECT_EQ(swapper_on(disks[0], paths[0], SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES), 0);
	before = disks[0]->discard_sectors;
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = swapper_out(swapper_make(0, i + 1), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		free_swap_and_cache(entries[i]);
	EXPECT_EQ(disks[0]->discard_sectors, before);
	EXPECT_EQ(swapoff_path(paths[0]), 0);
	EXPECT(disks[0]->discard_sectors >= before + 511 * PAGE_SECTORS);
	swapper_verify();
	brd_destroy(disks[0]);
}

/* What is promised to processes has to have room without the area. */
TEST(swap_area, promises)
{
	ASSERT(make_disks(1, 1000));
	EXPECT_EQ(swapper_on(disks[0], paths[0], 0), 0);
	EXPECT(proc_put("/proc/sys/vm/overcommit_ratio", "0") > 0);
	EXPECT(proc_put("/proc/sys/vm/overcommit_memory", "2") > 0);
	EXPECT_EQ(swapoff_path(paths[0]), -ENOMEM);
	EXPECT(swap_pages_total());
	EXPECT(proc_put("/proc/sys/vm/overcommit_memory", "0") > 0);
	EXPECT(proc_put("/proc/sys/vm/overcommit_ratio", "50") > 0);
	EXPECT_EQ(swapoff_path(paths[0]), 0);
	brd_destroy(disks[0]);
}

/* ---- Swap files ---- */

static u8 store[RAM_FILE_BYTES];

static int on_file(struct file *file, int flags, const char *text)
{
	const char *said;
	int err;

	test_capture_begin();
	err = swapon_file(file, "/swapfile", flags);
	said = test_capture_end();
	if (text && !strstr(said, text))
		test_fail(__FILE__, __LINE__, "\"%s\" is not in \"%s\"", text, said);
	return err;
}

TEST(swap_area, files)
{
	swp_entry_t entries[20];
	struct ram_file f;
	struct file *file;

	make_header(RAM_FILE_PAGES - 1);
	memcpy(store, header, sizeof(header));
	ASSERT(ram_file_make(&f, store, RAM_FILE_BYTES, false));
	file = ram_file_open(&f);
	ASSERT(file);
	EXPECT_EQ(on_file(file, 0, NULL), -EINVAL); /* neither a file nor a device */
	f.inode.i_mode = 0100600;
	f.holes = true;
	EXPECT_EQ(on_file(file, 0, "swapon: swapfile has holes\n"), -EINVAL);
	f.holes = false;
	EXPECT_EQ(on_file(file, 0, "Adding 380k swap on /swapfile.  Priority:-2 extents:1 across:384k SS\n"), 0);
	EXPECT_EQ(on_file(file, 0, NULL), -EBUSY);
	EXPECT(strstr(proc_text("/proc/swaps"), "/swapfile                               file\t\t380\t\t0\t\t-2\n"));
	EXPECT_EQ(ram_file_write(file, "x", 1, 0), -ETXTBSY);
	for (unsigned int i = 0; i < 20; i++)
		entries[i] = swapper_out(swapper_make(0, 100 + i), 0);
	EXPECT_EQ(f.writes, 20);
	for (unsigned int i = 0; i < 20; i++)
		EXPECT_EQ(swapper_take(entries[i]), 100 + i);
	EXPECT_EQ(swapoff_file(file), 0);
	EXPECT_EQ(swapoff_file(file), -EINVAL);
	EXPECT_EQ(ram_file_write(file, "x", 1, 5000), 1);
	/* A bad header leaves it a file. */
	store[4095] = 0;
	EXPECT_EQ(on_file(file, 0, "Unable to find swap-space signature\n"), -EINVAL);
	EXPECT_EQ(ram_file_write(file, "x", 1, 5000), 1);
	fput(file);
	EXPECT(!f.evicted);
	ram_file_put(&f);
	EXPECT(f.evicted);
}

/* ---- swapoff ---- */

#define HELD 300u

/* A user's entries; once it is back, the folio. */
static struct held {
	swp_entry_t entry;
	struct folio *folio;
} held[HELD];
static int unuse_error;
static unsigned int unuse_calls;

static int bring_back(unsigned int type)
{
	unuse_calls++;
	for (unsigned int i = 0; i < HELD; i++) {
		if (!held[i].entry.val || swp_type(held[i].entry) != type)
			continue;
		if (i == HELD / 2 && unuse_error)
			return unuse_error;
		held[i].folio = swapper_in(held[i].entry);
		if (!held[i].folio)
			return -ENOMEM;
		swap_free(held[i].entry);
		folio_free_swap(held[i].folio);
		folio_unlock(held[i].folio);
		held[i].entry.val = 0;
	}
	return 0;
}

TEST(swap_area, swapoff)
{
	static struct swap_user user = { .unuse = bring_back };
	unsigned long used;

	register_swap_user(&user);
	memset(held, 0, sizeof(held));
	ASSERT(make_disks(2, 1000));
	EXPECT_EQ(swapper_on(disks[0], paths[0], 0), 0);
	for (unsigned int i = 0; i < HELD; i++) {
		held[i].entry = swapper_out(swapper_make(0, i + 1), 0);
		if (i % 3)
			continue;
		/* In the cache as well, and some with a second holder. */
		held[i].folio = swapper_in(held[i].entry);
		ASSERT(held[i].folio);
		folio_unlock(held[i].folio);
		folio_put(held[i].folio);
		held[i].folio = NULL;
	}
	EXPECT_EQ(swapper_on(disks[1], paths[1], 0), 0);
	/* It stays as it was if there is no memory, and works on. */
	unuse_error = -ENOMEM;
	EXPECT_EQ(swapoff_path(paths[0]), -ENOMEM);
	EXPECT_EQ(swap_pages_total(), 2 * 999);
	used = 2 * 999 - swap_pages_free();
	EXPECT_EQ(used, HELD / 2);
	swapper_verify();
	unuse_error = -EINTR;
	EXPECT_EQ(swapoff_path(paths[0]), -EINTR);
	EXPECT_EQ(held[HELD / 2].folio == NULL, true);
	unuse_error = 0;
	EXPECT_EQ(swapoff_path(paths[0]), 0);
	EXPECT_EQ(swap_pages_total(), 999);
	for (unsigned int i = 0; i < HELD; i++) {
		ASSERT(held[i].folio);
		EXPECT_EQ(swapper_tag(&held[i].folio->page), i + 1);
		EXPECT(!folio_in_swap_cache(held[i].folio));
		folio_put(held[i].folio);
	}
	EXPECT_EQ(swapoff_path(paths[1]), 0);
	brd_destroy(disks[0]);
	brd_destroy(disks[1]);
}
