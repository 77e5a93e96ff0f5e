// SPDX-License-Identifier: MIT
/* The page cache without processes: lookup, reading, writing, readahead, dirt, errors, truncation, PC-I1 to PC-I5. */
#include <octavo/fault.h>
#include <octavo/highmem.h>
#include <octavo/proc.h>

#include "fault.h"
#include "mm/base/findings.h"
#include "mm/cache/filemap.h"
#include "ramfile.h"

static u8 store[RAM_FILE_BYTES];
static u8 buffer[3 * PAGE_SIZE];
static struct ram_file f;
static struct file *file;

static u8 byte_at(u64 pos)
{
	return (u8)(pos * 31 + (pos >> 12) * 7 + 1);
}

static bool begin(unsigned int pages, bool large)
{
	memset(store, 0, sizeof(store));
	for (u64 i = 0; i < pages * PAGE_SIZE; i++)
		store[i] = byte_at(i);
	if (!ram_file_make(&f, store, pages * PAGE_SIZE, large))
		return false;
	file = ram_file_open(&f);
	return file != NULL;
}

static void end(void)
{
	expect_verified();
	fput(file);
	ram_file_put(&f);
	EXPECT(f.evicted);
	EXPECT_EQ(global_node_page_state(NR_FILE_PAGES), 0);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	EXPECT_EQ(global_node_page_state(NR_WRITEBACK), 0);
	expect_verified();
}

static bool reads_right(u64 pos, size_t n)
{
	if (ram_file_read(file, buffer, n, pos) != (s64)n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (buffer[i] != byte_at(pos + i))
			return false;
	return true;
}

static struct folio *make(unsigned int order)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, order);

	if (!folio)
		test_fail(__FILE__, __LINE__, "no memory");
	return folio;
}

/* ---- In and out ---- */

TEST(filemap, add_find_remove)
{
	struct folio *folio, *found;

	ASSERT(begin(0, false));
	folio = make(0);
	EXPECT(!filemap_get_folio(&f.inode.i_data, 5));
	EXPECT_EQ(filemap_add_folio(&f.inode.i_data, folio, 5, GFP_KERNEL), 0);
	EXPECT(PageLocked(&folio->page));
	EXPECT_EQ(folio_index(folio), 5);
	EXPECT(folio_mapping(folio) == &f.inode.i_data);
	EXPECT_EQ(f.inode.i_data.nrpages, 1);
	EXPECT_EQ(global_node_page_state(NR_FILE_PAGES), 1);
	EXPECT_EQ(page_ref_count(&folio->page), 2); /* the cache's, ours */
	found = filemap_get_folio(&f.inode.i_data, 5);
	EXPECT(found == folio);
	folio_put(found);
	EXPECT(filemap_range_has_page(&f.inode.i_data, 0, 6 * PAGE_SIZE));
	EXPECT(!filemap_range_has_page(&f.inode.i_data, 6 * PAGE_SIZE, ~(u64)0));
	filemap_remove_folio(folio);
	EXPECT(!folio_mapping(folio));
	EXPECT(!filemap_get_folio(&f.inode.i_data, 5));
	EXPECT_EQ(page_ref_count(&folio->page), 1);
	folio_unlock(folio);
	folio_put(folio);
	end();
}

TEST(filemap, large_folios_and_what_is_in_the_way)
{
	struct folio *folio, *other, *small, *batch[4];
	unsigned long index = 0;

	ASSERT(begin(0, true));
	folio = make(2);
	other = make(2);
	small = make(0);
	EXPECT_EQ(filemap_add_folio(&f.inode.i_data, folio, 8, GFP_KERNEL), 0);
	EXPECT_EQ(filemap_add_folio(&f.inode.i_data, other, 8, GFP_KERNEL), -EEXIST);
	EXPECT(!PageLocked(&other->page));
	EXPECT_EQ(page_ref_count(&other->page), 1);
	EXPECT_EQ(filemap_add_folio(&f.inode.i_data, small, 10, GFP_KERNEL), -EEXIST);
	EXPECT_EQ(filemap_add_folio(&f.inode.i_data, small, 12, GFP_KERNEL), 0);
	EXPECT_EQ(filemap_add_folio(&f.inode.i_data, other, 12, GFP_KERNEL), -EEXIST);
	EXPECT_EQ(f.inode.i_data.nrpages, 5);
	index = 9;
	EXPECT_EQ(filemap_get_folios(&f.inode.i_data, &index, ~0ul, batch, 4), 2);
	EXPECT(batch[0] == folio && batch[1] == small);
	folio_put(batch[0]);
	folio_put(batch[1]);
	index = 0;
	EXPECT_EQ(filemap_get_folios(&f.inode.i_data, &index, 7, batch, 4), 0);
	index = 0;
	EXPECT_EQ(filemap_get_folios(&f.inode.i_data, &index, 9, batch, 1), 1);
	EXPECT_EQ(index, 12);
	folio_put(batch[0]);
	folio_unlock(folio);
	folio_unlock(small);
	folio_put(folio);
	folio_put(small);
	folio_put(other);
	end();
}

TEST(filemap, values_give_way)
{
	struct folio *folio;

	ASSERT(begin(0, true));
	folio = make(2);
	EXPECT_EQ(xa_store_order(&f.inode.i_data.i_pages, 5, 0, xa_mk_value(7), GFP_KERNEL), 0);
	EXPECT(!filemap_get_folio(&f.inode.i_data, 5));
	EXPECT_EQ(filemap_add_folio(&f.inode.i_data, folio, 4, GFP_KERNEL), 0);
	folio_unlock(folio);
	folio_put(folio);
	EXPECT_EQ(xa_store_order(&f.inode.i_data.i_pages, 50, 0, xa_mk_value(7), GFP_KERNEL), 0);
	end();
}

TEST(filemap, get_or_make)
{
	struct folio *folio, *again;
	int err = 1;

	ASSERT(begin(0, true));
	EXPECT(!__filemap_get_folio(&f.inode.i_data, 4, FGP_LOCK, 0, GFP_KERNEL, &err));
	EXPECT_EQ(err, -ENOENT);
	folio = __filemap_get_folio(&f.inode.i_data, 4, FGP_LOCK | FGP_CREAT, 5, GFP_KERNEL, &err);
	ASSERT(folio);
	EXPECT_EQ(folio_order(folio), 2); /* as alignment allows */
	EXPECT(PageLocked(&folio->page));
	EXPECT(!__filemap_get_folio(&f.inode.i_data, 5, FGP_LOCK | FGP_NOWAIT, 0, GFP_KERNEL, &err));
	EXPECT_EQ(err, -EAGAIN);
	again = __filemap_get_folio(&f.inode.i_data, 7, FGP_ACCESSED, 0, GFP_KERNEL, &err);
	EXPECT(again == folio);
	EXPECT(PageReferenced(&folio->page));
	folio_unlock(folio);
	folio_put(folio);
	folio_put(again);
	end();
}

/* ---- Reading ---- */

TEST(filemap, reads_once)
{
	unsigned int reads;

	ASSERT(begin(10, false));
	EXPECT(reads_right(0, 100));
	reads = f.reads;
	EXPECT(reads_right(50, PAGE_SIZE - 100));
	EXPECT_EQ(f.reads, reads);
	EXPECT(reads_right(PAGE_SIZE - 50, 100)); /* was read ahead, and the next window is started there */
	EXPECT_EQ(f.reads, 10);
	EXPECT(reads_right(3 * PAGE_SIZE, 3 * PAGE_SIZE));
	EXPECT_EQ(f.reads, 10);
	EXPECT(reads_right(10 * PAGE_SIZE - 5, 5));
	EXPECT_EQ(ram_file_read(file, buffer, 10, 10 * PAGE_SIZE), 0);
	EXPECT_EQ(ram_file_read(file, buffer, 10, 10 * PAGE_SIZE - 3), 3);
	EXPECT_EQ(ram_file_read(file, buffer, 10, ~(u64)0 >> 1), 0);
	end();
}

/* A shadow is a hole like any other: what comes back comes in windows, and in large folios. */
TEST(filemap, what_was_evicted_is_read_ahead_as_well)
{
	unsigned int first;

	ASSERT(begin(64, true));
	for (unsigned int i = 0; i < 64; i++)
		EXPECT(reads_right(i * PAGE_SIZE, PAGE_SIZE));
	first = f.reads;
	EXPECT(first < 32);
	for (unsigned int i = 0; i < 64; i++) {
		struct folio *folio = filemap_get_folio(&f.inode.i_data, i);

		if (!folio)
			continue;
		folio_lock(folio);
		filemap_evict_folio(&f.inode.i_data, folio);
		folio_unlock(folio);
		folio_put(folio);
	}
	EXPECT_EQ(global_node_page_state(NR_FILE_PAGES), 0);
	file_ra_state_init(file);
	for (unsigned int i = 0; i < 64; i++)
		EXPECT(reads_right(i * PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(f.reads, 2 * first);
	end();
}

TEST(filemap, windows_grow_and_stop_at_random)
{
	ASSERT(begin(90, false));
	for (unsigned int i = 0; i < 90; i++)
		EXPECT(reads_right(i * PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(f.reads, 90);
	EXPECT_EQ(file->ra_size, file->ra_pages);
	EXPECT_EQ(invalidate_mapping_pages(&f.inode.i_data, 0, ~0ul), 90);
	EXPECT_EQ(generic_fadvise(file, 0, 0, POSIX_FADV_RANDOM), 0);
	EXPECT(reads_right(70 * PAGE_SIZE, 10));
	EXPECT(reads_right(3 * PAGE_SIZE, 10));
	EXPECT_EQ(f.inode.i_data.nrpages, 2);
	EXPECT_EQ(generic_fadvise(file, 10 * PAGE_SIZE, 5 * PAGE_SIZE, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(f.inode.i_data.nrpages, 7);
	EXPECT_EQ(generic_fadvise(file, 11 * PAGE_SIZE + 1, PAGE_SIZE, POSIX_FADV_DONTNEED), 0);
	EXPECT_EQ(f.inode.i_data.nrpages, 7); /* no whole page in it */
	EXPECT_EQ(generic_fadvise(file, 11 * PAGE_SIZE, 2 * PAGE_SIZE, POSIX_FADV_DONTNEED), 0);
	EXPECT_EQ(f.inode.i_data.nrpages, 5);
	EXPECT_EQ(generic_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
	EXPECT_EQ(generic_fadvise(file, 0, 0, POSIX_FADV_NORMAL), 0);
	EXPECT_EQ(generic_fadvise(file, 0, 0, POSIX_FADV_NOREUSE), 0);
	EXPECT_EQ(generic_fadvise(file, 0, 0, 77), -EINVAL);
	end();
}

TEST(filemap, a_miss_in_the_middle_reads_what_is_wanted)
{
	ASSERT(begin(90, false));
	EXPECT(reads_right(40 * PAGE_SIZE, 10));
	EXPECT_EQ(f.inode.i_data.nrpages, 1);
	EXPECT(reads_right(41 * PAGE_SIZE, 10)); /* it goes on: a window */
	EXPECT(f.inode.i_data.nrpages > 2);
	end();
}

TEST(filemap, a_read_that_fails_is_tried_again)
{
	int err = 0;

	ASSERT(begin(10, false));
	file->ra_pages = 0;
	f.fail_reads = 2; /* readahead's, and that of who waits for it */
	EXPECT_EQ(ram_file_read(file, buffer, 10, 5 * PAGE_SIZE), -EIO);
	f.fail_reads = 0;
	EXPECT(reads_right(5 * PAGE_SIZE, 10));
	f.fail_reads = 9;
	EXPECT_EQ(ram_file_read(file, buffer, 2 * PAGE_SIZE, 5 * PAGE_SIZE), PAGE_SIZE); /* what there was */
	EXPECT(!read_mapping_folio(&f.inode.i_data, 8, NULL, &err));
	EXPECT_EQ(err, -EIO);
	f.fail_reads = 0;
	EXPECT(reads_right(0, 3 * PAGE_SIZE));
	end();
}

/* ---- Writing ---- */

TEST(filemap, writes_parts_and_wholes)
{
	ASSERT(begin(4, false));
	EXPECT_EQ(ram_file_write(file, "hello", 5, PAGE_SIZE + 10), 5);
	EXPECT_EQ(f.reads, 1); /* the rest of that page */
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 1);
	EXPECT_EQ(global_node_page_state(NR_DIRTIED), 1);
	memset(buffer, 9, sizeof(buffer));
	EXPECT_EQ(ram_file_write(file, buffer, PAGE_SIZE, 2 * PAGE_SIZE), PAGE_SIZE);
	EXPECT_EQ(f.reads, 1); /* nothing of this one is kept */
	EXPECT_EQ(ram_file_write(file, "x", 1, 6 * PAGE_SIZE), 1);
	EXPECT_EQ(f.reads, 1); /* nothing was there */
	EXPECT_EQ(i_size_read(&f.inode), 6 * PAGE_SIZE + 1);
	expect_verified();
	EXPECT_EQ(ram_file_read(file, buffer, 20, PAGE_SIZE), 20);
	EXPECT(!memcmp(buffer + 10, "hello", 5));
	EXPECT_EQ(buffer[15], byte_at(PAGE_SIZE + 15));
	EXPECT_EQ(store[PAGE_SIZE + 10], byte_at(PAGE_SIZE + 10));
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	EXPECT(!memcmp(store + PAGE_SIZE + 10, "hello", 5));
	EXPECT_EQ(store[2 * PAGE_SIZE + 5], 9);
	EXPECT_EQ(store[6 * PAGE_SIZE], 'x');
	EXPECT_EQ(f.writes, 3);
	EXPECT_EQ(global_node_page_state(NR_WRITTEN), 3);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	EXPECT_EQ(f.writes, 3);
	end();
}

TEST(filemap, appends)
{
	u64 pos = 0;
	struct iov_iter from = { .base = (void *)(uintptr_t)"abc", .count = 3 };

	ASSERT(begin(1, false));
	file->f_flags = 02000 | 04010000; /* O_APPEND | O_SYNC */
	EXPECT_EQ(file->f_op->write_iter(file, &from, &pos), 3);
	EXPECT_EQ(pos, PAGE_SIZE + 3);
	EXPECT(!memcmp(store + PAGE_SIZE, "abc", 3));
	/* A single byte is as good as many. */
	from = (struct iov_iter){ .base = (void *)(uintptr_t)"d", .count = 1 };
	EXPECT_EQ(file->f_op->write_iter(file, &from, &pos), 1);
	EXPECT_EQ(i_size_read(&f.inode), PAGE_SIZE + 4);
	EXPECT(!memcmp(store + PAGE_SIZE, "abcd", 4));
	end();
}

TEST(filemap, only_the_range_is_written)
{
	memset(buffer, 1, sizeof(buffer));
	ASSERT(begin(0, false));
	for (unsigned int i = 0; i < 10; i++)
		EXPECT_EQ(ram_file_write(file, buffer, PAGE_SIZE, i * PAGE_SIZE), PAGE_SIZE);
	EXPECT_EQ(filemap_write_and_wait_range(&f.inode.i_data, 2 * PAGE_SIZE + 5, 4 * PAGE_SIZE), 0);
	EXPECT_EQ(f.writes, 3);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 7);
	ksys_sync();
	EXPECT_EQ(f.writes, 10);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	end();
}

TEST(filemap, each_open_file_hears_of_an_error_once)
{
	struct file *second, *third;

	ASSERT(begin(2, false));
	second = ram_file_open(&f);
	ASSERT(second);
	EXPECT_EQ(ram_file_write(file, "x", 1, 0), 1);
	f.fail_writes = 1;
	ksys_sync();
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), -EIO);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), 0);
	third = ram_file_open(&f); /* too late to hear of it */
	ASSERT(third);
	EXPECT_EQ(third->f_op->fsync(third, 0, ~(u64)0, false), 0);
	EXPECT_EQ(second->f_op->fsync(second, 0, ~(u64)0, false), -EIO);
	EXPECT_EQ(second->f_op->fsync(second, 0, ~(u64)0, false), 0);
	/* The same error again is another one. */
	EXPECT_EQ(ram_file_write(file, "x", 1, 0), 1);
	f.fail_writes = 1;
	f.write_error = -ENOSPC;
	EXPECT_EQ(second->f_op->fsync(second, 0, ~(u64)0, false), -ENOSPC);
	EXPECT_EQ(third->f_op->fsync(third, 0, ~(u64)0, false), -ENOSPC);
	EXPECT_EQ(file->f_op->fsync(file, 0, ~(u64)0, false), -ENOSPC);
	fput(second);
	fput(third);
	/* One that nobody has seen is the next opener's. */
	mapping_set_error(&f.inode.i_data, -EIO);
	second = ram_file_open(&f);
	ASSERT(second);
	EXPECT_EQ(second->f_op->fsync(second, 0, ~(u64)0, false), -EIO);
	EXPECT_EQ(filemap_fdatawait_range(&f.inode.i_data, 0, ~(u64)0), -EIO);
	EXPECT_EQ(filemap_fdatawait_range(&f.inode.i_data, 0, ~(u64)0), 0);
	fput(second);
	end();
}

TEST(filemap, dirty_again_while_it_is_written)
{
	struct folio *folio;

	ASSERT(begin(1, false));
	folio = read_mapping_folio(&f.inode.i_data, 0, NULL, &(int){ 0 });
	ASSERT(folio);
	folio_lock(folio);
	EXPECT(folio_mark_dirty(folio));
	EXPECT(!folio_mark_dirty(folio));
	EXPECT(folio_clear_dirty_for_io(folio));
	EXPECT(!folio_clear_dirty_for_io(folio));
	folio_start_writeback(folio);
	EXPECT(folio_mark_dirty(folio));
	folio_unlock(folio);
	EXPECT_EQ(global_node_page_state(NR_WRITEBACK), 1);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 1);
	expect_verified();
	folio_end_writeback(folio);
	EXPECT(xa_get_tag(&f.inode.i_data.i_pages, 0, PAGECACHE_TAG_DIRTY));
	folio_lock(folio);
	/* The same between the two steps: a mapping goes, whose entry was dirty. */
	EXPECT(folio_clear_dirty_for_io(folio));
	EXPECT(folio_mark_dirty(folio));
	folio_start_writeback(folio);
	folio_end_writeback(folio);
	EXPECT(xa_get_tag(&f.inode.i_data.i_pages, 0, PAGECACHE_TAG_DIRTY));
	EXPECT(folio_clear_dirty_for_io(folio));
	folio_redirty_for_writepage(folio);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 1);
	folio_cancel_dirty(folio);
	EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
	folio_unlock(folio);
	folio_put(folio);
	end();
}

/* cachestat(2): 0-15 clean in folios of 16 KiB, 20-22 written, of which 21 is on its way, 50-51 were there once. */
TEST(filemap, what_is_in_memory)
{
	struct address_space *mapping = &f.inode.i_data;
	struct folio *folio;
	struct cachestat s;

	ASSERT(begin(16, true));
	for (unsigned long i = 0; i < 16; i += 4) {
		folio = make(2);
		EXPECT_EQ(filemap_add_folio(mapping, folio, i, GFP_KERNEL), 0);
		folio_unlock(folio);
		folio_put(folio);
	}
	memset(buffer, 1, sizeof(buffer));
	for (unsigned int i = 20; i < 23; i++)
		EXPECT_EQ(ram_file_write(file, buffer, PAGE_SIZE, i * PAGE_SIZE), PAGE_SIZE);
	EXPECT_EQ(xa_store_order(&mapping->i_pages, 50, 1, xa_mk_value(7), GFP_KERNEL), 0);
	folio = filemap_get_folio(mapping, 21);
	ASSERT(folio);
	folio_lock(folio);
	EXPECT(folio_clear_dirty_for_io(folio));
	folio_start_writeback(folio);
	folio_unlock(folio);
	filemap_cachestat(mapping, 0, ~0ul, &s);
	EXPECT_EQ(s.nr_cache, 19);
	EXPECT_EQ(s.nr_dirty, 2);
	EXPECT_EQ(s.nr_writeback, 1);
	EXPECT_EQ(s.nr_evicted, 2);
	EXPECT_EQ(s.nr_recently_evicted, 0);
	/* Parts of folios. */
	filemap_cachestat(mapping, 3, 9, &s);
	EXPECT_EQ(s.nr_cache, 7);
	EXPECT_EQ(s.nr_dirty, 0);
	filemap_cachestat(mapping, 22, 50, &s);
	EXPECT_EQ(s.nr_cache, 1);
	EXPECT_EQ(s.nr_dirty, 1);
	EXPECT_EQ(s.nr_evicted, 1);
	filemap_cachestat(mapping, 23, 40, &s);
	EXPECT_EQ(s.nr_cache, 0);
	filemap_cachestat(mapping, 5, 4, &s);
	EXPECT_EQ(s.nr_cache, 0);
	folio_end_writeback(folio);
	folio_put(folio);
	end();
}

/* ---- Smaller ---- */

TEST(filemap, truncated_and_grown_it_reads_zeros)
{
	for (int large = 0; large < 2; large++) {
		ASSERT(begin(20, large));
		EXPECT(reads_right(0, 3 * PAGE_SIZE));
		EXPECT(reads_right(8 * PAGE_SIZE, PAGE_SIZE));
		ram_file_truncate(&f, PAGE_SIZE + 100);
		EXPECT_EQ(i_size_read(&f.inode), PAGE_SIZE + 100);
		EXPECT_EQ(ram_file_read(file, buffer, PAGE_SIZE, PAGE_SIZE), 100);
		ram_file_truncate(&f, 3 * PAGE_SIZE);
		EXPECT_EQ(ram_file_read(file, buffer, PAGE_SIZE, PAGE_SIZE), PAGE_SIZE);
		EXPECT_EQ(buffer[99], byte_at(PAGE_SIZE + 99));
		for (unsigned int i = 100; i < PAGE_SIZE; i++)
			EXPECT_EQ(buffer[i], 0);
		ram_file_truncate(&f, 0);
		EXPECT_EQ(f.inode.i_data.nrpages, 0);
		EXPECT_EQ(global_node_page_state(NR_FILE_DIRTY), 0);
		end();
	}
}

TEST(filemap, a_hole_is_zeros)
{
	for (int large = 0; large < 2; large++) {
		ASSERT(begin(20, large));
		for (unsigned int i = 0; i < 18; i += 3)
			EXPECT(reads_right(i * PAGE_SIZE, 3 * PAGE_SIZE));
		EXPECT_EQ(file->f_op->fallocate(file, 3, 2 * PAGE_SIZE + 10, 3 * PAGE_SIZE), 0);
		EXPECT(reads_right(2 * PAGE_SIZE, 10));
		EXPECT(reads_right(5 * PAGE_SIZE + 10, 100));
		EXPECT_EQ(ram_file_read(file, buffer, 3 * PAGE_SIZE, 2 * PAGE_SIZE + 10), 3 * PAGE_SIZE);
		for (unsigned int i = 0; i < 3 * PAGE_SIZE; i++)
			EXPECT_EQ(buffer[i], 0);
		EXPECT_EQ(file->f_op->fallocate(file, 0, 0, 10), -EOPNOTSUPP);
		end();
	}
}

TEST(filemap, dropping_takes_what_is_clean_and_unused)
{
	struct folio *held;

	ASSERT(begin(20, false));
	file->ra_pages = 0;
	for (unsigned int i = 0; i < 6; i++)
		EXPECT(reads_right(i * PAGE_SIZE, 10));
	EXPECT_EQ(ram_file_write(file, "x", 1, 0), 1);
	held = filemap_get_folio(&f.inode.i_data, 3);
	EXPECT_EQ(octavo_proc_write("/proc/sys/vm/drop_caches", "1", 1), 1);
	EXPECT_EQ(f.inode.i_data.nrpages, 2);
	folio_put(held);
	EXPECT_EQ(invalidate_mapping_pages(&f.inode.i_data, 0, 2), 0);
	EXPECT_EQ(invalidate_inode_pages2_range(&f.inode.i_data, 0, ~0ul), -EBUSY);
	EXPECT_EQ(f.inode.i_data.nrpages, 1);
	ksys_sync();
	EXPECT_EQ(invalidate_inode_pages2_range(&f.inode.i_data, 0, ~0ul), 0);
	EXPECT_EQ(f.inode.i_data.nrpages, 0);
	end();
}

TEST(filemap, seeks)
{
	ASSERT(begin(2, false));
	file->f_pos = 10;
	EXPECT_EQ(generic_file_llseek(file, 5, 0), 5);
	EXPECT_EQ(generic_file_llseek(file, 5, 1), 15);
	EXPECT_EQ(generic_file_llseek(file, -5, 2), 2 * PAGE_SIZE - 5);
	EXPECT_EQ(generic_file_llseek(file, 5, 3), 5);
	EXPECT_EQ(generic_file_llseek(file, 5, 4), 2 * PAGE_SIZE);
	EXPECT_EQ(generic_file_llseek(file, 2 * PAGE_SIZE, 3), -ENXIO);
	EXPECT_EQ(generic_file_llseek(file, -11, 1), -EINVAL);
	EXPECT_EQ(generic_file_llseek(file, 0, 9), -EINVAL);
	EXPECT_EQ(generic_file_llseek(file, (s64)(~(u64)0 >> 1), 1), -EINVAL);
	end();
}

/* ---- Without memory ---- */

static bool read_and_write(void *ctx)
{
	unsigned int *made = ctx;
	bool ok;

	*made = 0;
	memset(&f, 0, sizeof(f));
	if (!ram_file_make(&f, store, 8 * PAGE_SIZE, true))
		return false;
	file = ram_file_open(&f);
	if (!file) {
		ram_file_put(&f);
		return false;
	}
	ok = ram_file_read(file, buffer, 2 * PAGE_SIZE, PAGE_SIZE) == 2 * PAGE_SIZE;
	ok = ram_file_write(file, buffer, 2 * PAGE_SIZE, 70 * PAGE_SIZE + 5) == 2 * PAGE_SIZE && ok;
	ok = !file->f_op->fsync(file, 0, ~(u64)0, false) && ok;
	fput(file);
	ram_file_put(&f);
	return ok;
}

static void sound(void *ctx)
{
	(void)ctx;
	expect_verified();
	EXPECT_EQ(global_node_page_state(NR_FILE_PAGES), 0);
}

TEST(filemap, without_memory_nothing_is_lost)
{
	unsigned int made;

	EXPECT(fault_each_among(FAIL_NTH_PAGE | FAIL_NTH_SLAB, read_and_write, sound, &made) > 5);
}

/* ---- Damage ---- */

static char found[256];

static void keep(void *ctx, const char *line)
{
	(void)ctx;
	if (!found[0])
		octavo_snprintf(found, sizeof(found), "%s", line);
}

static void expect_finding(const char *id)
{
	struct findings findings = { .report = keep };

	found[0] = 0;
	page_cache_verify(&findings);
	EXPECT(findings.n > 0);
	if (!strstr(found, id))
		test_fail(__FILE__, __LINE__, "%s expected, not: %s", id, found);
}

TEST(filemap, the_verifier_sees_damage)
{
	struct folio *folio;
	u64 was;

	ASSERT(begin(4, false));
	EXPECT(reads_right(0, 100));
	folio = filemap_get_folio(&f.inode.i_data, 0);
	ASSERT(folio);
	f.inode.i_data.nrpages++;
	expect_finding("PC-I1");
	f.inode.i_data.nrpages--;
	was = folio->page.mapping_index; /* PC-I4: only who holds the locks may change it */
	folio->page.mapping_index++;
	expect_finding("PC-I2");
	folio->page.mapping_index = was;
	SetPageDirty(&folio->page);
	expect_finding("PC-I3");
	ClearPageDirty(&folio->page);
	SetPageWriteback(&folio->page);
	expect_finding("PC-I3");
	ClearPageWriteback(&folio->page);
	mod_node_page_state(NODE_DATA(0), NR_FILE_PAGES, 1);
	expect_finding("PC-I5");
	mod_node_page_state(NODE_DATA(0), NR_FILE_PAGES, -1);
	folio_put(folio);
	end();
}
