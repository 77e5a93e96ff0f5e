// SPDX-License-Identifier: MIT
/* shmem files whose pages are in swap: read, write, faults, holes, size, seek, what is counted, swapoff, errors. */
#include <octavo/pagemap.h>
#include <octavo/shmem_fs.h>

#include "flaky.h"
#include "mm/cache/shmem.h"
#include "mm/phys/vmstat.h"
#include "mm/vm/vm.h"
#include "pageout.h"
#include "swapper.h"
#include "tasks.h"

#define RW (PROT_READ | PROT_WRITE)
#define DEV "/dev/ram0"
#define PAGES 16u

enum { DATA = 3, HOLE = 4 };

static struct test_process p, q;
static struct bdev *disk;
static struct flaky flaky;
static struct file *file;

static s64 put(u64 pos, const void *from, size_t n)
{
	struct iov_iter iter = { (void *)(uintptr_t)from, n, false };

	return file->f_op->write_iter(file, &iter, &pos);
}

static s64 get(u64 pos, void *to, size_t n)
{
	struct iov_iter iter = { to, n, false };

	return file->f_op->read_iter(file, &iter, &pos);
}

/* A file of PAGES pages, each with its number in it, on a machine with swap. */
static bool begin(void)
{
	int err = 0;

	disk = swapper_disk("ram0", 200);
	memset(&flaky, 0, sizeof(flaky));
	if (!disk || flaky_make(&flaky, "flaky", disk) || swapper_on(&flaky.bdev, DEV, 0) || !test_process_start(&p))
		return false;
	file = shmem_file_setup("test", PAGES * PAGE_SIZE, VM_NORESERVE, &err);
	for (unsigned long i = 1; file && i <= PAGES; i++)
		EXPECT_EQ(put((i - 1) * PAGE_SIZE + 100, &i, sizeof(i)), sizeof(i));
	return file != NULL;
}

static void end(void)
{
	expect_verified();
	fput(file);
	rcu_barrier();
	test_process_exit(&p);
	expect_verified();
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
	EXPECT_EQ(swapoff_path(DEV), 0);
	expect_verified();
	flaky_end(&flaky);
	brd_destroy(disk);
}

static unsigned long number(unsigned int page)
{
	unsigned long n = 0;

	EXPECT_EQ(get(page * PAGE_SIZE + 100, &n, sizeof(n)), sizeof(n));
	return n;
}

static unsigned long swapped(void)
{
	return shmem_i(file->f_inode)->swapped;
}

/* SH-I1, SH-I5, SE-I2 */
TEST(shmem_swap, read_and_write)
{
	unsigned long n = 99;

	ASSERT(begin());
	EXPECT_EQ(pageout_file(file), PAGES);
	EXPECT_EQ(swapped(), PAGES);
	EXPECT_EQ(file->f_mapping->nrpages, 0);
	EXPECT_EQ(file->f_inode->i_blocks, PAGES * SHMEM_SECTORS);
	EXPECT_EQ(shmem_swap_usage(file, 0, PAGES), PAGES);
	EXPECT_EQ(global_node_page_state(NR_SHMEM), 0);
	expect_verified();
	EXPECT_EQ(number(3), 4);
	EXPECT_EQ(swapped(), PAGES - 1);
	EXPECT_EQ(put(5 * PAGE_SIZE + 200, &n, sizeof(n)), sizeof(n));
	EXPECT_EQ(number(5), 6);
	expect_verified();
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(number(i), i + 1);
	EXPECT_EQ(swapped(), 0);
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
	expect_verified();
	EXPECT_EQ(pageout_file(file), PAGES);
	EXPECT_EQ(get(5 * PAGE_SIZE + 200, &n, sizeof(n)), sizeof(n));
	EXPECT_EQ(n, 99);
	end();
}

TEST(shmem_swap, mapped_by_two)
{
	unsigned long major;
	uintptr_t m;

	ASSERT(begin());
	m = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE + 112), 0);
	ASSERT(test_process_fork(&q, &p));
	test_user_put(m + 112, 8);
	EXPECT_EQ(pageout_file(file), PAGES);
	EXPECT_EQ(get_mm_counter(p.task.mm, MM_SHMEMPAGES), 0);
	EXPECT_EQ(get_mm_counter(p.task.mm, MM_SWAPENTS), 0);
	expect_verified();
	test_switch(&q.task);
	major = q.task.maj_flt;
	EXPECT_EQ(test_user_get(m + 112), 8);
	EXPECT(q.task.maj_flt > major);
	test_user_put(m + 2 * PAGE_SIZE + 112, 7);
	test_process_exit(&q);
	test_switch(&p.task);
	EXPECT_EQ(test_user_get(m + 2 * PAGE_SIZE + 112), 7);
	/* And what lay around it, as far as that was in memory. */
	EXPECT(pageout_range(p.task.mm, m, PAGES * PAGE_SIZE) >= 1);
	EXPECT_EQ(number(2), 3);
	expect_verified();
	end();
}

/* A private copy goes as anonymous memory does, the file's page by itself. */
TEST(shmem_swap, private_copies)
{
	uintptr_t m;

	ASSERT(begin());
	m = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_PRIVATE, file, 0);
	for (unsigned int i = 0; i < 4; i++)
		test_user_put(m + i * PAGE_SIZE, 50 + i);
	EXPECT_EQ(pageout_range(p.task.mm, m, 4 * PAGE_SIZE), 4);
	EXPECT_EQ(get_mm_counter(p.task.mm, MM_SWAPENTS), 4);
	EXPECT_EQ(pageout_file(file), PAGES);
	expect_verified();
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQ(test_user_get(m + i * PAGE_SIZE), 50 + i);
	EXPECT_EQ(pageout_range(p.task.mm, m, 4 * PAGE_SIZE), 4);
	/* Truncation takes the copies, too. */
	EXPECT_EQ(shmem_truncate(file->f_inode, 2 * PAGE_SIZE), 0);
	EXPECT_EQ(get_mm_counter(p.task.mm, MM_SWAPENTS), 2);
	EXPECT_REFUSED(m + 3 * PAGE_SIZE, false, 7, 2);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE), 51);
	end();
}

/* Bytes behind the end, and in a hole, are zeros afterwards, in swap or not. */
TEST(shmem_swap, holes_and_size)
{
	u8 bytes[300], zero[300] = { 0 };

	ASSERT(begin());
	EXPECT_EQ(pageout_file(file), PAGES);
	EXPECT_EQ(shmem_truncate(file->f_inode, 10 * PAGE_SIZE + 101), 0);
	EXPECT_EQ(swapped() + file->f_mapping->nrpages, 11);
	EXPECT_EQ(shmem_truncate(file->f_inode, PAGES * PAGE_SIZE), 0);
	EXPECT_EQ(get(10 * PAGE_SIZE + 100, bytes, 300), 300);
	EXPECT_EQ(bytes[0], 11);
	EXPECT(!memcmp(bytes + 1, zero, 299));
	expect_verified();
	EXPECT_EQ(file->f_op->fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE_SIZE + 101,
					3 * PAGE_SIZE), 0);
	EXPECT_EQ(get(2 * PAGE_SIZE + 100, bytes, 300), 300);
	EXPECT_EQ(bytes[0], 3);
	EXPECT(!memcmp(bytes + 1, zero, 299));
	EXPECT_EQ(get(5 * PAGE_SIZE + 90, bytes, 16), 16);
	EXPECT(!memcmp(bytes, zero, 11));
	EXPECT_EQ(file->f_op->llseek(file, 2 * PAGE_SIZE, HOLE), 3 * PAGE_SIZE);
	EXPECT_EQ(file->f_op->llseek(file, 3 * PAGE_SIZE, DATA), 5 * PAGE_SIZE);
	EXPECT_EQ(file->f_inode->i_blocks, 9 * SHMEM_SECTORS);
	expect_verified();
	/* A hole within one page. */
	EXPECT(pageout_file(file) > 0);
	EXPECT_EQ(file->f_mapping->nrpages, 0);
	EXPECT_EQ(file->f_op->fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7 * PAGE_SIZE + 100, 8), 0);
	EXPECT_EQ(number(7), 0);
	EXPECT_EQ(number(8), 9);
	EXPECT_EQ(shmem_truncate(file->f_inode, 0), 0);
	EXPECT_EQ(swap_pages_free(), swap_pages_total());
	EXPECT_EQ(file->f_inode->i_blocks, 0);
	end();
}

/* What was only allocated goes as zeros, but not while fallocate() may have to take it back. */
TEST(shmem_swap, what_may_go)
{
	struct shmem_sb sb = { .noswap = true };
	struct folio *held;
	struct file *stays;
	struct inode *inode;

	ASSERT(begin());
	EXPECT_EQ(file->f_op->fallocate(file, 0, PAGES * PAGE_SIZE, 2 * PAGE_SIZE), 0);
	shmem_i(file->f_inode)->fallocating = 1;
	EXPECT_EQ(pageout_file(file), PAGES);
	shmem_i(file->f_inode)->fallocating = 0;
	EXPECT_EQ(pageout_file(file), 2);
	EXPECT_EQ(number(PAGES), 0);
	expect_verified();
	/* Whoever has a reference may write to the page: it stays the file's. */
	EXPECT_EQ(pageout_file(file), 1);
	EXPECT_EQ(number(2), 3);
	held = filemap_get_folio(file->f_mapping, 2);
	ASSERT(held);
	EXPECT_EQ(pageout_file(file), 0);
	EXPECT(folio_mapping(held) == file->f_mapping);
	folio_put(held);
	EXPECT_EQ(pageout_file(file), 1);
	EXPECT_EQ(number(2), 3);
	/* SHM_LOCK, and a tmpfs that is mounted so. */
	file->f_mapping->flags |= 1ul << AS_UNEVICTABLE;
	EXPECT_EQ(number(0), 1);
	EXPECT_EQ(pageout_file(file), 0);
	file->f_mapping->flags &= ~(1ul << AS_UNEVICTABLE);
	inode = shmem_inode_alloc(&sb, S_IFREG | 0600, VM_NORESERVE);
	ASSERT(inode);
	stays = file;
	file = alloc_file(inode, FMODE_READ | FMODE_WRITE, 2, &shmem_file_operations);
	ASSERT(file);
	EXPECT_EQ(put(0, "x", 1), 1);
	EXPECT_EQ(pageout_file(file), 0);
	fput(file);
	file = stays;
	end();
}

/* A full swap is nothing that anybody hears of. */
TEST(shmem_swap, full)
{
	swp_entry_t taken[200];
	unsigned int n = 0;

	ASSERT(begin());
	while (swap_pages_free() > 4 && n < 200)
		taken[n++] = swapper_out(swapper_make(0, 5), 0);
	EXPECT_EQ(pageout_file(file), 4);
	EXPECT_EQ(swapped(), 4);
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(number(i), i + 1);
	while (n--)
		EXPECT_EQ(swapper_take(taken[n]), 5);
	end();
}

TEST(shmem_swap, a_page_that_cannot_be_read)
{
	unsigned long n;
	uintptr_t m;

	ASSERT(begin());
	m = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	EXPECT_EQ(pageout_file(file), PAGES);
	flaky.error = -EIO;
	flaky.fail_reads = 1;
	test_capture_begin();
	EXPECT_EQ(get(100, &n, sizeof(n)), -EIO);
	(void)test_capture_end();
	EXPECT_REFUSED(m, false, 7, 2);
	EXPECT_EQ(test_user_get(m + PAGE_SIZE + 100), 2);
	expect_verified();
	test_capture_begin();
	EXPECT_EQ(swapoff_path(DEV), 0);
	(void)test_capture_end();
	EXPECT_EQ(get(100, &n, sizeof(n)), -EIO);
	for (unsigned int i = 1; i < PAGES; i++)
		EXPECT_EQ(number(i), i + 1);
	expect_verified();
	EXPECT_EQ(shmem_truncate(file->f_inode, 0), 0);
	expect_verified();
	EXPECT_EQ(swapper_on(&flaky.bdev, DEV, 0), 0);
	end();
}

TEST(shmem_swap, swapoff)
{
	uintptr_t m;

	ASSERT(begin());
	m = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	EXPECT_EQ(pageout_file(file), PAGES);
	EXPECT_EQ(test_user_get(m + 100), 1);
	EXPECT_EQ(generic_fadvise(file, PAGE_SIZE, 4 * PAGE_SIZE, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(global_node_page_state(NR_SWAPCACHE), 4);
	EXPECT_EQ(swapoff_path(DEV), 0);
	EXPECT_EQ(swapped(), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		EXPECT_EQ(number(i), i + 1);
	expect_verified();
	EXPECT_EQ(swapper_on(&flaky.bdev, DEV, 0), 0);
	end();
}
