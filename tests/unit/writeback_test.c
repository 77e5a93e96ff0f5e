// SPDX-License-Identifier: MIT
/* Writeback without a thread: which files are written when, and by whom (WB-I1, WB-I2); errors; rounds. */
#include <octavo/port.h>
#include <octavo/verify.h>

#include "flaky.h"
#include "harness.h"
#include "mm/cache/filemap.h"
#include "proc_text.h"
#include "ramfile.h"
#include "tasks.h"

#define VM "/proc/sys/vm/"

static u8 store[3][RAM_FILE_BYTES], bytes[64 * 1024];
static struct ram_file f[3];
static struct file *file[3];

static bool begin(unsigned int n)
{
	memset(bytes, 'b', sizeof(bytes));
	for (unsigned int i = 0; i < n; i++) {
		if (!ram_file_make(&f[i], store[i], RAM_FILE_BYTES, false))
			return false;
		file[i] = ram_file_open(&f[i]);
		if (!file[i])
			return false;
	}
	return true;
}

static void end(unsigned int n)
{
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	for (unsigned int i = 0; i < n; i++) {
		fput(file[i]);
		ram_file_put(&f[i]);
	}
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	EXPECT_EQ(global_node_page_state(NR_WRITEBACK), 0);
}

static void write_page(unsigned int i, u64 index)
{
	EXPECT_EQ(ram_file_write(file[i], bytes, PAGE_SIZE, index * PAGE_SIZE), PAGE_SIZE);
}

static void pass_time(u64 ns)
{
	for (u64 from = port_clock_ns(); port_clock_ns() - from < ns;)
		port_cpu_relax();
}

/* As if the file had become dirty at @when. Files that became dirty before it did must not be later (WB-I1). */
static void dirty_since(unsigned int i, u64 when)
{
	f[i].inode.i_data.dirtied_when = when;
}

/* A round that does not leave it at the last look's being too short a time ago. */
static void look(void)
{
	flusher_interval_changed();
	flusher_round();
}

/* Nothing is written before its time; then what is old enough is, and what is not, is not. */
TEST(writeback, by_age)
{
	const u64 age = 30000000, hour = 3600000000000ull;
	u64 before;

	ASSERT(begin(3));
	if (!port_clock_ns())
		SKIP("no clock");
	while (port_clock_ns() < 2 * age)
		port_cpu_relax();
	sysctl_dirty_writeback_centisecs = 100000;
	sysctl_dirty_expire_centisecs = 100000;
	write_page(0, 0);
	look();
	EXPECT_EQ(f[0].writes, 0);
	sysctl_dirty_expire_centisecs = 3; /* 30 ms */
	dirty_since(0, port_clock_ns() - age);
	write_page(1, 0);
	dirty_since(1, port_clock_ns() + hour);
	/* It has looked a moment ago. */
	flusher_round();
	EXPECT_EQ(f[0].writes, 0);
	look();
	EXPECT_EQ(f[0].writes, 1);
	EXPECT_EQ(f[1].writes, 0);
	/* A file that was clean in between is as old as its new dirt. */
	dirty_since(1, 0);
	EXPECT_EQ(file[1]->f_op->fsync(file[1], 0, ~(u64)0, false), 0);
	EXPECT_EQ(f[1].writes, 1);
	before = port_clock_ns();
	write_page(1, 0);
	EXPECT(f[1].inode.i_data.dirtied_when >= before);
	dirty_since(1, before + hour);
	look();
	EXPECT_EQ(f[1].writes, 1);
	/* Not by time at all. */
	dirty_since(1, 0);
	sysctl_dirty_writeback_centisecs = 0;
	look();
	EXPECT_EQ(f[1].writes, 1);
	sysctl_dirty_writeback_centisecs = 1;
	look();
	EXPECT_EQ(f[1].writes, 2);
	EXPECT_EQ(f[2].writes, 0);
	end(3);
}

/* Who has no flusher does it himself when he dirties, other files' pages as well. */
TEST(writeback, by_age_without_a_flusher)
{
	ASSERT(begin(2));
	if (!port_clock_ns())
		SKIP("no clock");
	if (flusher_runs())
		SKIP("there is a flusher");
	sysctl_dirty_writeback_centisecs = 1;
	sysctl_dirty_expire_centisecs = 1;
	write_page(0, 0);
	pass_time(21000000);
	for (unsigned int i = 0; i < 2 * DIRTY_STRIDE; i++)
		write_page(1, i % 40);
	EXPECT_EQ(f[0].writes, 1);
	end(2);
}

/* Above the background limit the oldest file goes first, and no more than has to. */
TEST(writeback, the_oldest_first)
{
	ASSERT(begin(3));
	sysctl_dirty_bytes = 90 * PAGE_SIZE;
	sysctl_dirty_background_bytes = 25 * PAGE_SIZE;
	for (unsigned int i = 0; i < 3; i++)
		for (unsigned int page = 0; page < 10; page++)
			write_page(2 - i, 2 * page);
	EXPECT(pages_unwritten() > dirty_limits().background);
	f[0].writes = f[1].writes = f[2].writes = 0;
	flusher_round();
	EXPECT(f[2].writes == 10 && !f[0].writes && !f[1].writes);
	EXPECT(!xa_tagged(&f[2].inode.i_data.i_pages, PAGECACHE_TAG_DIRTY));
	/* And all, if memory is short. */
	wakeup_flusher_threads();
	flusher_round();
	EXPECT(f[0].writes == 10 && f[1].writes == 10);
	EXPECT_EQ(pages_unwritten(), 0);
	EXPECT(!memcmp(store[0], bytes, PAGE_SIZE));
	end(3);
}

/* What becomes dirty during a round is another round's: there is an end of it. */
static unsigned int redirtied;

static void dirty_again(struct flaky *flaky, u64 sector, unsigned int count, bool write)
{
	(void)count;
	(void)sector;
	if (write && redirtied < 100) {
		redirtied++;
		write_page(0, (flaky->writes + 20) % 90);
	}
}

static struct inode disk_inode;

static void evict(struct inode *gone)
{
	inode_evict_mapping(gone);
}

static const struct inode_operations disk_ops = { .evict = evict };

static struct file *open_disk(struct bdev *bdev)
{
	memset(&disk_inode, 0, sizeof(disk_inode));
	disk_inode.i_op = &disk_ops;
	return bdev_init_inode(&disk_inode, bdev) ? NULL :
						    alloc_file(&disk_inode, FMODE_READ | FMODE_WRITE, 0, &bdev_fops);
}

static s64 disk_write(struct file *disk, size_t n, u64 pos)
{
	struct iov_iter iter = { .base = bytes, .count = n };

	return disk->f_op->write_iter(disk, &iter, &pos);
}

TEST(writeback, turns)
{
	const unsigned int pages = 1500; /* more than a turn of folios, each of one page */
	struct flaky flaky;
	struct file *disk;
	struct bdev *ram;
	int err;

	ASSERT(begin(2));
	sysctl_dirty_bytes = sysctl_dirty_background_bytes = 1ul << 30;
	ram = brd_create("turns", 2ull * pages * PAGE_SECTORS, &err);
	ASSERT(ram && !flaky_make(&flaky, "turned", ram));
	disk = open_disk(&flaky.bdev);
	ASSERT(disk);
	for (unsigned int i = 0; i < pages; i++)
		EXPECT_EQ(disk_write(disk, PAGE_SIZE, 2ull * i * PAGE_SIZE), PAGE_SIZE);
	write_page(0, 0);
	EXPECT_EQ(flaky.writes, 0);
	redirtied = 0;
	flaky.hook = dirty_again;
	wakeup_flusher_threads();
	EXPECT(flusher_round() != 1);
	EXPECT_EQ(flaky.writes, pages);
	EXPECT_EQ(brd_pages(ram), pages);
	/* It was clean at the end of the large file's first turn, and dirty again in the second. */
	EXPECT_EQ(redirtied, 100);
	EXPECT(f[0].writes >= 1);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	fput(disk);
	flaky_end(&flaky);
	brd_destroy(ram);
	end(2);
}

/* ---- Errors ---- */

/* Each file that was open then hears of it once, whoever wrote; who opens afterwards does if nobody had heard. */
TEST(writeback, an_error_of_the_flusher_is_told_once)
{
	struct file *other, *late;

	ASSERT(begin(1));
	other = ram_file_open(&f[0]);
	ASSERT(other);
	write_page(0, 3);
	f[0].fail_writes = 1;
	f[0].write_error = -ENOSPC;
	wakeup_flusher_threads();
	flusher_round();
	EXPECT_EQ(f[0].writes, 1);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	late = ram_file_open(&f[0]);
	ASSERT(late);
	EXPECT_EQ(file[0]->f_op->fsync(file[0], 0, ~(u64)0, false), -ENOSPC);
	EXPECT_EQ(file[0]->f_op->fsync(file[0], 0, ~(u64)0, false), 0);
	EXPECT_EQ(other->f_op->fsync(other, 0, ~(u64)0, false), -ENOSPC);
	EXPECT_EQ(other->f_op->fsync(other, 0, ~(u64)0, false), 0);
	EXPECT_EQ(late->f_op->fsync(late, 0, ~(u64)0, false), -ENOSPC);
	fput(late);
	late = ram_file_open(&f[0]);
	ASSERT(late);
	EXPECT_EQ(late->f_op->fsync(late, 0, ~(u64)0, false), 0);
	/* What failed is clean and lost from the cache's sight; written again it arrives. */
	write_page(0, 3);
	ksys_sync();
	EXPECT_EQ(late->f_op->fsync(late, 0, ~(u64)0, false), 0);
	EXPECT(!memcmp(store[0] + 3 * PAGE_SIZE, bytes, PAGE_SIZE));
	fput(late);
	fput(other);
	end(1);
}

/* sync(2) and what a device's end does to the next fsync(2). */
TEST(writeback, a_device_that_dies)
{
	struct flaky flaky;
	struct file *disk;
	struct bdev *ram;
	int err;

	memset(bytes, 'd', sizeof(bytes));
	ram = brd_create("dies", 4096, &err);
	ASSERT(ram && !flaky_make(&flaky, "dying", ram));
	disk = open_disk(&flaky.bdev);
	ASSERT(disk);
	EXPECT_EQ(disk_write(disk, sizeof(bytes), 0), sizeof(bytes));
	flaky.bad_count = flaky.bdev.sectors;
	flaky.bad_writes = true;
	wakeup_flusher_threads();
	flusher_round();
	ksys_sync();
	EXPECT(flaky.failed > 0);
	EXPECT_EQ(pages_unwritten(), 0);
	EXPECT_EQ(disk->f_op->fsync(disk, 0, ~(u64)0, false), -EIO);
	EXPECT_EQ(disk->f_op->fsync(disk, 0, ~(u64)0, false), 0);
	EXPECT_EQ(flaky.bdev.errors[1], flaky.failed);
	EXPECT_EQ(brd_pages(ram), 0);
	/* Of one that tears writes, too: the half that arrived is there, and the writer knows. */
	flaky.bad_writes = false;
	flaky.torn_writes = 1;
	EXPECT_EQ(disk_write(disk, PAGE_SIZE, 0), PAGE_SIZE);
	EXPECT_EQ(sync_file_range(disk, 0, PAGE_SIZE, SYNC_FILE_RANGE_WRITE), -EIO);
	EXPECT_EQ(disk->f_op->fsync(disk, 0, ~(u64)0, false), -EIO);
	EXPECT(brd_pages(ram) > 0);
	/* fsync(2) and sync(2) have the device write what it keeps to itself. */
	flaky.flushes = 0;
	flaky.fail_flushes = 1;
	EXPECT_EQ(disk_write(disk, PAGE_SIZE, 0), PAGE_SIZE);
	EXPECT_EQ(disk->f_op->fsync(disk, 0, ~(u64)0, false), -EIO);
	EXPECT_EQ(disk->f_op->fsync(disk, 0, ~(u64)0, false), 0);
	ksys_sync();
	EXPECT_EQ(flaky.flushes, 3);
	fput(disk);
	flaky_end(&flaky);
	brd_destroy(ram);
}

/* ---- Limits ---- */

/* Writes through a mapping are held up, too: without a flusher by writing. */
TEST(writeback, writes_through_a_mapping_are_balanced)
{
	struct test_process p;
	unsigned long most = 0;
	uintptr_t at;

	ASSERT(begin(1) && test_process_start(&p));
	sysctl_dirty_bytes = 40 * PAGE_SIZE;
	sysctl_dirty_background_bytes = 8 * PAGE_SIZE;
	at = test_map_file(0, RAM_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file[0], 0);
	ASSERT(!(at & (PAGE_SIZE - 1)));
	for (unsigned int round = 0; round < 3; round++)
		for (u64 i = 0; i < RAM_FILE_PAGES; i++) {
			EXPECT_EQ(test_user_write(at + i * PAGE_SIZE, "m", 1), 1);
			most = max(most, pages_unwritten());
		}
	EXPECT(most <= 40 + DIRTY_STRIDE);
	EXPECT(f[0].writes > RAM_FILE_PAGES);
	EXPECT_EQ(ksys_msync(at, RAM_FILE_BYTES, MS_SYNC), 0);
	EXPECT_EQ(pages_unwritten(), 0);
	for (u64 i = 0; i < RAM_FILE_PAGES; i++)
		EXPECT_EQ(store[0][i * PAGE_SIZE], 'm');
	test_process_exit(&p);
	end(1);
}

TEST(writeback, thresholds_move_with_their_sysctls)
{
	EXPECT_EQ(proc_put(VM "dirty_bytes", "1048576"), 7);
	EXPECT_EQ(proc_put(VM "dirty_background_bytes", "524288"), 6);
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_dirty_threshold"), 1048576 / PAGE_SIZE);
	EXPECT_EQ(proc_value("/proc/vmstat", "nr_dirty_background_threshold"), 524288 / PAGE_SIZE);
	EXPECT_STREQ(proc_text(VM "dirty_expire_centisecs"), "3000\n");
	EXPECT_STREQ(proc_text(VM "dirty_writeback_centisecs"), "500\n");
	EXPECT_EQ(proc_put(VM "dirty_writeback_centisecs", "0"), 1);
	EXPECT_EQ(sysctl_dirty_writeback_centisecs, 0);
	EXPECT_EQ(proc_put(VM "dirty_expire_centisecs", "-1"), -EINVAL);
	EXPECT_EQ(proc_put(VM "dirty_ratio", "50"), 2);
	EXPECT_EQ(proc_put(VM "dirty_background_ratio", "50"), 2);
	EXPECT_EQ(dirty_limits().background, dirty_limits().most / 2);
}

/* ---- The lists ---- */

/* A file that goes takes its dirt along, listed or in a pass. */
TEST(writeback, eviction)
{
	ASSERT(begin(3));
	for (unsigned int i = 0; i < 3; i++)
		write_page(i, i);
	fput(file[1]);
	ram_file_put(&f[1]);
	EXPECT(f[1].evicted);
	wakeup_flusher_threads();
	flusher_round();
	EXPECT(f[0].writes == 1 && f[2].writes == 1 && !f[1].writes);
	ASSERT(ram_file_make(&f[1], store[1], RAM_FILE_BYTES, false));
	file[1] = ram_file_open(&f[1]);
	ASSERT(file[1]);
	end(3);
}

/* Reclaim's mark of a dirty folio is gone when it has been written; so is readahead's, when it is dirtied. */
TEST(writeback, the_mark_of_reclaim_ends)
{
	struct folio *folio;

	ASSERT(begin(1));
	write_page(0, 0);
	folio = filemap_get_folio(&f[0].inode.i_data, 0);
	ASSERT(folio);
	SetPageReclaim(&folio->page);
	EXPECT_EQ(file[0]->f_op->fsync(file[0], 0, ~(u64)0, false), 0);
	EXPECT(!PageReclaim(&folio->page));
	SetPageReclaim(&folio->page);
	write_page(0, 0);
	EXPECT(!PageReclaim(&folio->page));
	folio_put(folio);
	end(1);
}

/* Events, and what they say. */
TEST(writeback, traced)
{
	const char *text;

	ASSERT(begin(1));
	EXPECT_EQ(proc_put("/sys/kernel/tracing/events/writeback/enable", "1"), 1);
	write_page(0, 3);
	for (unsigned int i = 0; i < DIRTY_STRIDE; i++)
		write_page(0, i);
	wakeup_flusher_threads();
	flusher_round();
	EXPECT_EQ(proc_put("/sys/kernel/tracing/events/writeback/enable", "0"), 1);
	text = proc_text("/sys/kernel/tracing/trace");
	EXPECT(strstr(text, "writeback_dirty_folio: bdi (unknown): ino=0 index=3"));
	EXPECT(strstr(text, "global_dirty_state: dirty=32 writeback=0"));
	EXPECT(strstr(text, "writeback_pages_written: 32"));
	end(1);
}

/* What the verifier is for. */
TEST(writeback, the_verifier_sees)
{
	ASSERT(begin(2));
	write_page(0, 0);
	pass_time(1000);
	write_page(1, 0);
	EXPECT_EQ(mm_verify(NULL, NULL), 0);
	f[0].inode.i_data.dirtied_when += 1000000000000ull;
	EXPECT_EQ(mm_verify(NULL, NULL), 1);
	f[0].inode.i_data.dirtied_when -= 1000000000000ull;
	f[1].inode.i_data.wb_list = 0;
	EXPECT_EQ(mm_verify(NULL, NULL), 1);
	f[1].inode.i_data.wb_list = 1;
	end(2);
}
