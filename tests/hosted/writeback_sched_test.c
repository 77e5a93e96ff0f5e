// SPDX-License-Identifier: MIT
/*
 * The flusher as a thread, under seeded interleavings and with real CPUs: writers that it is ahead of or behind,
 * truncation, files that are evicted while it is at them. What a file holds, and what its store holds after fsync(2),
 * is compared byte by byte; nothing stays dirty or listed (WB-I1 to WB-I3).
 */
#include <octavo/port.h>
#include <octavo/verify.h>

#include "flaky.h"
#include "hosted.h"
#include "mm/cache/filemap.h"
#include "mm/sync/kthread.h"
#include "ramfile.h"
#include "schedules.h"

#define CPUS 3
#define PAGES 48u

static u8 store[CPUS][RAM_FILE_BYTES], expected[CPUS][PAGES], page[CPUS][PAGE_SIZE];
static struct ram_file f[CPUS];
static struct file *file[CPUS];
static unsigned int rounds, errors, turn;
static char why[160];

static void fail(const char *what, unsigned int cpu, long long got, long long want)
{
	if (!atomic_fetch_add(&errors, 1))
		octavo_snprintf(why, sizeof(why), "CPU %u: %s: %lld, not %lld", cpu, what, got, want);
}

/* ---- Writers, each of a file that comes and goes ---- */

static void open_it(unsigned int cpu)
{
	memset(store[cpu], 0, sizeof(store[cpu]));
	memset(expected[cpu], 0, sizeof(expected[cpu]));
	if (!ram_file_make(&f[cpu], store[cpu], 0, cpu == 1))
		return fail("no file", cpu, 0, 1);
	f[cpu].delay = 2;
	file[cpu] = ram_file_open(&f[cpu]);
	if (!file[cpu])
		fail("cannot be opened", cpu, 0, 1);
}

static void close_it(unsigned int cpu)
{
	fput(file[cpu]);
	ram_file_put(&f[cpu]);
	if (!f[cpu].evicted)
		fail("still there", cpu, 0, 1);
}

static void write_one(unsigned int cpu, unsigned int index, u8 byte)
{
	s64 written;

	memset(page[cpu], byte, PAGE_SIZE);
	written = ram_file_write(file[cpu], page[cpu], PAGE_SIZE, (u64)index * PAGE_SIZE);
	if (written != (s64)PAGE_SIZE)
		fail("write", cpu, written, (long long)PAGE_SIZE);
	expected[cpu][index] = byte;
}

static void check_store(unsigned int cpu)
{
	int err = file[cpu]->f_op->fsync(file[cpu], 0, ~(u64)0, false);

	if (err)
		fail("fsync", cpu, err, 0);
	for (unsigned int i = 0; i < PAGES; i++)
		if (store[cpu][i * PAGE_SIZE + 7] != expected[cpu][i])
			fail("byte of the store", cpu, store[cpu][i * PAGE_SIZE + 7], expected[cpu][i]);
}

static void write_files(unsigned int cpu, void *ctx)
{
	u64 chance = test_seed + 100 * turn + cpu + 1;

	(void)ctx;
	for (unsigned int i = 0; i < rounds && !load_relaxed(&errors); i++) {
		u64 r = test_random(&chance);
		unsigned int index = (unsigned int)(r >> 8) % PAGES;

		switch (r % 16) {
		case 0:
			check_store(cpu);
			break;
		case 1:
			close_it(cpu);
			open_it(cpu);
			break;
		case 2:
			ram_file_truncate(&f[cpu], (u64)index * PAGE_SIZE);
			memset(expected[cpu] + index, 0, PAGES - index);
			memset(store[cpu] + (size_t)index * PAGE_SIZE, 0, (PAGES - index) * PAGE_SIZE);
			break;
		case 3:
			wakeup_flusher_threads();
			break;
		case 4:
			ksys_sync();
			break;
		default:
			write_one(cpu, index, (u8)(r >> 32));
		}
		cond_resched();
	}
	check_store(cpu);
}

/* Few pages make too many, so that writers wait for the flusher again and again. */
static void setup(void *ctx)
{
	(void)ctx;
	errors = 0;
	sysctl_dirty_bytes = 12 * PAGE_SIZE;
	sysctl_dirty_background_bytes = 4 * PAGE_SIZE;
	sysctl_dirty_writeback_centisecs = 1;
	sysctl_dirty_expire_centisecs = 1;
	for (unsigned int i = 0; i < CPUS; i++)
		open_it(i);
	if (flusher_start())
		fail("no flusher", 0, 0, 1);
}

static bool check(void *ctx)
{
	(void)ctx;
	flusher_stop();
	if (flusher_runs())
		fail("the flusher does not end", 0, 1, 0);
	if (mm_verify(NULL, NULL))
		fail("findings", 0, mm_verify(NULL, NULL), 0);
	for (unsigned int i = 0; i < CPUS; i++)
		close_it(i);
	if (pages_unwritten())
		fail("pages dirty at the end", 0, (long long)pages_unwritten(), 0);
	if (errors)
		printk("%s\n", why);
	return !errors;
}

static const struct scenario writers = { .cpus = CPUS, .setup = setup, .work = write_files, .check = check,
					 .threads = true };

TEST(writeback_sched, writers_and_the_flusher_interleaved)
{
	rounds = 40;
	turn = 0;
	scenario_test(&writers, test_scaled(20));
}

static bool boot(void)
{
	return !hosted_boot_default(&(struct hosted_options){ .quiet = true, .threads = true });
}

TEST(writeback_sched, writers_and_the_flusher)
{
	rounds = 300;
	for (turn = 0; turn < 3; turn++) {
		ASSERT(boot());
		setup(NULL);
		EXPECT_EQ(hosted_run_cpus(CPUS, write_files, NULL), 0);
		EXPECT(check(NULL));
	}
}

/* ---- One writer ---- */

/* It does not get ahead of the flusher by more than the limit, and does not write itself. */
TEST(writeback_sched, a_writer_waits)
{
	unsigned long most = 0;

	ASSERT(boot());
	errors = 0;
	open_it(0);
	sysctl_dirty_bytes = 20 * PAGE_SIZE;
	sysctl_dirty_background_bytes = 8 * PAGE_SIZE;
	sysctl_dirty_writeback_centisecs = 0;
	ASSERT(!flusher_start());
	hosted_threads_settle();
	EXPECT(flusher_runs() && !flusher_is_me());
	for (unsigned int i = 0; i < 600; i++) {
		write_one(0, i % PAGES, (u8)i);
		most = max(most, pages_unwritten());
	}
	EXPECT(most > 20 && most <= 20 + DIRTY_STRIDE);
	EXPECT(f[0].writes > 100);
	check_store(0);
	flusher_stop();
	close_it(0);
	EXPECT_EQ(errors, 0);
}

/* Nobody asks: it is written when it is old, and its error is told by fsync(2), once. */
TEST(writeback_sched, by_itself)
{
	u64 from;

	ASSERT(boot());
	errors = 0;
	open_it(0);
	sysctl_dirty_writeback_centisecs = 1;
	sysctl_dirty_expire_centisecs = 2;
	ASSERT(!flusher_start());
	hosted_threads_settle(); /* it sleeps without limit: nothing is dirty */
	write_one(0, 5, 1);
	for (from = port_clock_ns(); pages_unwritten() && port_clock_ns() - from < 5000000000ull;)
		port_park(1000000);
	EXPECT_EQ(pages_unwritten(), 0);
	EXPECT_EQ(store[0][5 * PAGE_SIZE], 1);
	f[0].fail_writes = 1;
	write_one(0, 5, 2);
	for (from = port_clock_ns(); pages_unwritten() && port_clock_ns() - from < 5000000000ull;)
		port_park(1000000);
	EXPECT_EQ(store[0][5 * PAGE_SIZE], 1);
	EXPECT_EQ(file[0]->f_op->fsync(file[0], 0, ~(u64)0, false), -EIO);
	EXPECT_EQ(file[0]->f_op->fsync(file[0], 0, ~(u64)0, false), 0);
	flusher_stop();
	close_it(0);
}

/* ---- Devices ---- */

#define DISK_PAGES 8u

static struct disk {
	struct flaky flaky;
	struct inode inode;
	struct bdev *ram;
	struct file *file;
} disks[2];
static bool hangs;

/* The device does not answer until it is let go. */
static void hang(struct flaky *flaky, u64 sector, unsigned int count, bool write)
{
	(void)sector;
	(void)count;
	while (flaky == &disks[0].flaky && write && load_acquire(&hangs))
		port_park(1000000);
}

static bool open_disk(struct disk *d, const char *ram, const char *name)
{
	int err;

	*d = (struct disk){ .ram = brd_create(ram, DISK_PAGES * (PAGE_SIZE >> SECTOR_SHIFT), &err) };
	if (!d->ram || flaky_make(&d->flaky, name, d->ram) || bdev_init_inode(&d->inode, &d->flaky.bdev))
		return false;
	d->flaky.hook = hang;
	d->file = alloc_file(&d->inode, FMODE_READ | FMODE_WRITE, 0, &bdev_fops);
	return d->file;
}

static bool fill_disk(struct disk *d, u8 byte)
{
	memset(page[0], byte, PAGE_SIZE);
	for (unsigned int i = 0; i < DISK_PAGES; i++)
		if (ram_file_write(d->file, page[0], PAGE_SIZE, (u64)i * PAGE_SIZE) != (s64)PAGE_SIZE)
			return false;
	return true;
}

static void close_disk(struct disk *d)
{
	fput(d->file);
	inode_evict_mapping(&d->inode);
	flaky_end(&d->flaky);
	brd_destroy(d->ram);
}

/* Waits until no more than @pages are dirty or being written, up to ten seconds. Return: how many are. */
static unsigned long unwritten_but(unsigned long pages)
{
	for (unsigned int i = 0; i < 2000 && pages_unwritten() > pages; i++)
		port_park(5000000);
	return pages_unwritten();
}

TEST(writeback_sched, a_device_that_hangs_holds_up_no_other)
{
	ASSERT(boot() && !flusher_start());
	sysctl_dirty_writeback_centisecs = 0;
	hosted_threads_settle();
	ASSERT(open_disk(&disks[0], "under0", "slow"));
	ASSERT(open_disk(&disks[1], "under1", "quick"));
	EXPECT(disks[0].inode.i_data.flusher && disks[1].inode.i_data.flusher &&
	       disks[0].inode.i_data.flusher != disks[1].inode.i_data.flusher);
	store_release(&hangs, true);
	EXPECT(fill_disk(&disks[0], 'a') && fill_disk(&disks[1], 'b'));
	EXPECT_EQ(pages_unwritten(), 2 * DISK_PAGES);
	wakeup_flusher_threads();
	EXPECT_EQ(unwritten_but(DISK_PAGES), DISK_PAGES);
	EXPECT(disks[0].flaky.writes <= 1);
	EXPECT(disks[1].flaky.writes);
	store_release(&hangs, false);
	EXPECT_EQ(unwritten_but(0), 0);
	hosted_threads_settle();
	EXPECT(!mm_verify(test_finding, NULL));
	close_disk(&disks[1]);
	close_disk(&disks[0]);
	flusher_stop();
	EXPECT(!mm_verify(test_finding, NULL));
}
