// SPDX-License-Identifier: MIT
/*
 * Files that processes map: faults from the store, fault-around, writes that are noticed, truncation and holes, and
 * what keeps mappings and page cache together.
 */

#include "mm/cache/filemap.h"
#include "ramfile.h"
#include "tasks.h"

#define BUS 7
#define BUS_ADRERR 2
#define RW (PROT_READ | PROT_WRITE)
#define PAGES 40u

static u8 store[RAM_FILE_BYTES];
static struct ram_file f;
static struct file *file;
static struct test_process p;

static u8 byte_at(u64 pos)
{
	return (u8)(pos * 31 + (pos >> 12) * 7 + 1);
}

static bool begin(bool large)
{
	memset(store, 0, sizeof(store));
	for (u64 i = 0; i < PAGES * PAGE_SIZE; i++)
		store[i] = byte_at(i);
	if (!ram_file_make(&f, store, PAGES * PAGE_SIZE, large))
		return false;
	file = ram_file_open(&f);
	return file && test_process_start(&p);
}

static void end(void)
{
	expect_verified();
	test_capture_begin();
	test_process_exit(&p);
	EXPECT_STREQ(test_capture_end(), ""); /* nothing is left over, not a table either */
	fput(file);
	ram_file_put(&f);
	EXPECT(f.evicted);
	EXPECT_EQ(global_node_page_state(NR_FILE_PAGES), 0);
	EXPECT_EQ(global_node_page_state(NR_FILE_MAPPED), 0);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	expect_verified();
}

static u8 user_byte(uintptr_t addr)
{
	u8 byte = 0;

	EXPECT_EQ(test_user_read(addr, &byte, 1), 1);
	return byte;
}

static void user_put(uintptr_t addr, u8 byte)
{
	EXPECT_EQ(test_user_write(addr, &byte, 1), 1);
}

static unsigned long mapped(void)
{
	return (unsigned long)p.task.mm->rss[MM_FILEPAGES];
}

TEST(file_map, a_fault_reads_and_the_neighbours_come_along)
{
	for (int large = 0; large < 2; large++) {
		uintptr_t at;

		ASSERT(begin(large));
		at = test_map_file(0, PAGES * PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0);
		ASSERT(at);
		EXPECT_EQ(user_byte(at + 17 * PAGE_SIZE + 3), byte_at(17 * PAGE_SIZE + 3));
		EXPECT_EQ(p.task.maj_flt, 1);
		EXPECT(mapped() >= 1);
		EXPECT_EQ(global_node_page_state(NR_FILE_MAPPED), mapped());
		for (unsigned int i = 0; i < PAGES; i++)
			EXPECT_EQ(user_byte(at + i * PAGE_SIZE + i), byte_at(i * PAGE_SIZE + i));
		EXPECT_EQ(mapped(), PAGES);
		EXPECT(p.task.maj_flt < 6);
		EXPECT_EQ(ksys_munmap(at, PAGES * PAGE_SIZE), 0);
		EXPECT_EQ(mapped(), 0);
		/* Now all is at hand: one fault a window. */
		p.task.min_flt = p.task.maj_flt = 0;
		at = test_map_file(0, PAGES * PAGE_SIZE, PROT_READ, MAP_PRIVATE, file, 0);
		for (unsigned int i = 0; i < PAGES; i++)
			EXPECT_EQ(user_byte(at + i * PAGE_SIZE), byte_at(i * PAGE_SIZE));
		EXPECT_EQ(p.task.maj_flt, 0);
		EXPECT(p.task.min_flt <= 1 + PAGES / 8);
		end();
	}
}

TEST(file_map, beyond_the_end_is_a_bus_error)
{
	uintptr_t at;

	ASSERT(begin(false));
	ram_file_truncate(&f, 3 * PAGE_SIZE + 100);
	at = test_map_file(0, 8 * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	ASSERT(at);
	EXPECT_EQ(user_byte(at + 3 * PAGE_SIZE + 99), byte_at(3 * PAGE_SIZE + 99));
	EXPECT_EQ(user_byte(at + 3 * PAGE_SIZE + 100), 0);
	EXPECT_REFUSED(at + 4 * PAGE_SIZE, false, BUS, BUS_ADRERR);
	EXPECT_REFUSED(at + 7 * PAGE_SIZE, true, BUS, BUS_ADRERR);
	ram_file_truncate(&f, 6 * PAGE_SIZE);
	EXPECT_EQ(user_byte(at + 5 * PAGE_SIZE), 0);
	EXPECT_REFUSED(at + 6 * PAGE_SIZE, false, BUS, BUS_ADRERR);
	end();
}

TEST(file_map, a_read_that_fails_is_a_bus_error_and_tried_again)
{
	uintptr_t at;

	ASSERT(begin(false));
	at = test_map_file(0, PAGES * PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0);
	ASSERT(at);
	f.fail_reads = 1000;
	EXPECT_REFUSED(at + 5 * PAGE_SIZE, false, BUS, BUS_ADRERR);
	f.fail_reads = 0;
	EXPECT_EQ(user_byte(at + 5 * PAGE_SIZE), byte_at(5 * PAGE_SIZE));
	end();
}

TEST(file_map, what_is_written_is_read_and_the_other_way)
{
	uintptr_t at;
	u8 byte = 0;

	ASSERT(begin(false));
	at = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, PAGE_SIZE);
	ASSERT(at);
	user_put(at + 100, 7);
	EXPECT_EQ(ram_file_read(file, &byte, 1, PAGE_SIZE + 100), 1);
	EXPECT_EQ(byte, 7);
	byte = 9;
	EXPECT_EQ(ram_file_write(file, &byte, 1, PAGE_SIZE + 101), 1);
	EXPECT_EQ(user_byte(at + 101), 9);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	EXPECT_EQ(store[PAGE_SIZE + 100], 7);
	EXPECT_EQ(store[PAGE_SIZE + 101], 9);
	end();
}

TEST(file_map, each_write_after_fsync_is_noticed)
{
	uintptr_t at;

	ASSERT(begin(false));
	at = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	ASSERT(at);
	EXPECT_EQ(user_byte(at), byte_at(0)); /* read first: not writable yet */
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	for (u8 i = 1; i < 5; i++) {
		user_put(at + i, i);
		user_put(at + 10u + i, i);
		EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 1);
		EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
		EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
		EXPECT_EQ(store[i], i);
		EXPECT_EQ(store[10 + i], i);
	}
	EXPECT_EQ(f.writes, 4);
	user_put(at + PAGE_SIZE, 77); /* written at once */
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 1);
	EXPECT_EQ(ksys_munmap(at, PAGES * PAGE_SIZE), 0);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	EXPECT_EQ(store[PAGE_SIZE], 77);
	end();
}

TEST(file_map, a_part_that_moves_shows_the_same_part_of_the_file)
{
	uintptr_t at;
	uintptr_t to;

	ASSERT(begin(false));
	at = test_map_file(0, 10 * PAGE_SIZE, RW, MAP_SHARED, file, 2 * PAGE_SIZE);
	ASSERT(at);
	user_put(at + 3 * PAGE_SIZE, 77);
	to = (uintptr_t)ksys_mremap(at + 3 * PAGE_SIZE, 2 * PAGE_SIZE, 4 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	ASSERT(IS_ALIGNED(to, PAGE_SIZE) && to != at + 3 * PAGE_SIZE);
	EXPECT_EQ(user_byte(to), 77);
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQ(user_byte(to + i * PAGE_SIZE + 1), byte_at((5 + i) * PAGE_SIZE + 1));
	EXPECT_EQ(user_byte(at + 5 * PAGE_SIZE), byte_at(7 * PAGE_SIZE));
	/* Of no length: the same part once more. */
	to = (uintptr_t)ksys_mremap(at + 6 * PAGE_SIZE, 0, 2 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	ASSERT(IS_ALIGNED(to, PAGE_SIZE));
	for (unsigned int i = 0; i < 2; i++)
		EXPECT_EQ(user_byte(to + i * PAGE_SIZE + 1), byte_at((8 + i) * PAGE_SIZE + 1));
	end();
}

TEST(file_map, a_private_copy_stays_private)
{
	uintptr_t at;
	u8 byte = 0;

	ASSERT(begin(false));
	at = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_PRIVATE, file, 0);
	ASSERT(at);
	user_put(at + 5, 200);
	EXPECT_EQ(user_byte(at + 6), byte_at(6));
	EXPECT_EQ(ram_file_read(file, &byte, 1, 5), 1);
	EXPECT_EQ(byte, byte_at(5));
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	/* A hole in the file leaves it alone; the end of the file does not. */
	ram_file_punch(&f, 0, 2 * PAGE_SIZE - 1);
	EXPECT_EQ(user_byte(at + 5), 200);
	EXPECT_EQ(user_byte(at + PAGE_SIZE), 0);
	ram_file_truncate(&f, 0);
	EXPECT_REFUSED(at + 5, false, BUS, BUS_ADRERR);
	ram_file_truncate(&f, PAGE_SIZE);
	EXPECT_EQ(user_byte(at + 5), 0);
	end();
}

/* A mapping of the whole file, with a 3 at byte 200 of each page. 0: no memory. */
static uintptr_t begin_written(bool large)
{
	uintptr_t at = begin(large) ? test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0) : 0;

	for (unsigned int i = 0; at && i < PAGES; i++)
		user_put(at + i * PAGE_SIZE + 200, 3);
	return at;
}

TEST(file_map, truncation_takes_pages_out_of_mappings)
{
	for (int large = 0; large < 2; large++) {
		uintptr_t at = begin_written(large);

		ASSERT(at);
		EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), PAGES);
		ram_file_truncate(&f, 9 * PAGE_SIZE + 100);
		EXPECT_REFUSED(at + 10 * PAGE_SIZE, false, BUS, BUS_ADRERR);
		EXPECT_REFUSED(at + 30 * PAGE_SIZE, true, BUS, BUS_ADRERR);
		EXPECT_EQ(user_byte(at + 9 * PAGE_SIZE + 200), 0);
		EXPECT_EQ(user_byte(at + 8 * PAGE_SIZE + 200), 3);
		EXPECT_EQ(mapped(), 10);
		expect_verified();
		ram_file_truncate(&f, PAGES * PAGE_SIZE);
		EXPECT_EQ(user_byte(at + 20 * PAGE_SIZE + 200), 0);
		end();
	}
}

TEST(file_map, a_hole_shows_in_mappings)
{
	for (int large = 0; large < 2; large++) {
		uintptr_t at = begin_written(large);

		ASSERT(at);
		ram_file_punch(&f, 5 * PAGE_SIZE + 100, 9 * PAGE_SIZE + 199);
		EXPECT_EQ(user_byte(at + 5 * PAGE_SIZE + 99), byte_at(5 * PAGE_SIZE + 99));
		EXPECT_EQ(user_byte(at + 5 * PAGE_SIZE + 200), 0);
		EXPECT_EQ(user_byte(at + 7 * PAGE_SIZE + 200), 0);
		EXPECT_EQ(user_byte(at + 9 * PAGE_SIZE + 200), 3);
		EXPECT_EQ(user_byte(at + 9 * PAGE_SIZE + 199), 0);
		user_put(at + 7 * PAGE_SIZE, 44);
		EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
		EXPECT_EQ(store[7 * PAGE_SIZE], 44);
		end();
	}
}

TEST(file_map, only_unmapped_pages_are_dropped)
{
	uintptr_t at;

	ASSERT(begin(false));
	at = test_map_file(0, PAGE_SIZE, PROT_READ, MAP_SHARED, file, 3 * PAGE_SIZE);
	ASSERT(at);
	EXPECT_EQ(user_byte(at), byte_at(3 * PAGE_SIZE));
	EXPECT(f.inode.i_data.nrpages > 1);
	EXPECT_EQ(invalidate_mapping_pages(&f.inode.i_data, 0, ~0ul) + 1, f.reads);
	EXPECT_EQ(f.inode.i_data.nrpages, 1);
	/* This one unmaps first. */
	EXPECT_EQ(invalidate_inode_pages2_range(&f.inode.i_data, 0, ~0ul), 0);
	EXPECT_EQ(f.inode.i_data.nrpages, 0);
	EXPECT_EQ(mapped(), 0);
	EXPECT_EQ(user_byte(at), byte_at(3 * PAGE_SIZE));
	end();
}

TEST(file_map, all_processes_lose_what_a_truncation_takes)
{
	struct test_process child;
	uintptr_t at;

	ASSERT(begin(false));
	at = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	ASSERT(at);
	for (unsigned int i = 0; i < PAGES; i++)
		user_put(at + i * PAGE_SIZE, 3);
	ASSERT(test_process_fork(&child, &p));
	test_switch(&child.task);
	EXPECT_EQ(user_byte(at + 5 * PAGE_SIZE), 3);
	ram_file_truncate(&f, 5 * PAGE_SIZE);
	EXPECT_REFUSED(at + 5 * PAGE_SIZE, false, BUS, BUS_ADRERR);
	test_switch(&p.task);
	EXPECT_REFUSED(at + 5 * PAGE_SIZE, false, BUS, BUS_ADRERR);
	EXPECT_EQ(user_byte(at + 4 * PAGE_SIZE), 3);
	expect_verified();
	test_process_exit(&child);
	end();
}

TEST(file_map, a_write_from_the_very_page_it_writes_to)
{
	struct iov_iter from = { .count = 2 * PAGE_SIZE, .user = true };
	uintptr_t at;
	u64 pos = 0;

	ASSERT(begin(false));
	at = test_map_file(0, PAGES * PAGE_SIZE, RW, MAP_SHARED, file, 0);
	ASSERT(at);
	from.base = (void *)(at + 100);
	EXPECT_EQ(file->f_op->write_iter(file, &from, &pos), 2 * PAGE_SIZE);
	EXPECT_EQ(user_byte(at), byte_at(100));
	/* A bad address ends it, and leaves what was there. */
	from = (struct iov_iter){ .base = (void *)(at + PAGES * PAGE_SIZE - 10), .count = 100, .user = true };
	pos = 10 * PAGE_SIZE;
	EXPECT_EQ(ksys_munmap(at + (PAGES - 1) * PAGE_SIZE, PAGE_SIZE), 0);
	EXPECT_EQ(file->f_op->write_iter(file, &from, &pos), -EFAULT);
	EXPECT_EQ(user_byte(at + 10 * PAGE_SIZE), byte_at(10 * PAGE_SIZE));
	from = (struct iov_iter){ .base = (void *)(at + (PAGES - 1) * PAGE_SIZE - 10), .count = 100, .user = true };
	EXPECT_EQ(file->f_op->write_iter(file, &from, &pos), 10);
	EXPECT_EQ(user_byte(at + 10 * PAGE_SIZE + 10), byte_at(10 * PAGE_SIZE + 10));
	/* Reading into memory that is not there. */
	from = (struct iov_iter){ .base = (void *)(at + (PAGES - 1) * PAGE_SIZE - 10), .count = 100, .user = true };
	pos = 0;
	EXPECT_EQ(file->f_op->read_iter(file, &from, &pos), 10);
	EXPECT_EQ(file->f_op->read_iter(file, &from, &pos), -EFAULT);
	end();
}
