/* SPDX-License-Identifier: MIT */
/*
 * A file system of one file for tests of the page cache: its store is an array, reading and writing it may be slow or
 * fail when the test says so.
 */
#ifndef TESTS_RAMFILE_H
#define TESTS_RAMFILE_H

#include <octavo/pagemap.h>

#define RAM_FILE_PAGES 96u
#define RAM_FILE_BYTES (RAM_FILE_PAGES * (size_t)PAGE_SIZE)

/**
 * struct ram_file - zero it, or not; ram_file_make() does
 * @store: what the device holds, zeros behind the file's end
 * @fail_reads, @fail_writes: so many of the next ones fail (-EIO)
 * @write_error: what failing writes return; 0: -EIO
 * @delay: turns of port_cpu_relax() in each
 * @reads, @writes: folios, so far
 * @holes: it cannot be swapped to
 * @evicted: nobody uses the inode any more
 */
struct ram_file {
	struct inode inode;
	u8 *store;
	unsigned int fail_reads, fail_writes, delay;
	int write_error;
	unsigned int reads, writes;
	bool holes, evicted;
};

/* An empty file of @size bytes with @store (RAM_FILE_BYTES, contents stay); @large: large folios. False: no memory. */
bool __must_check ram_file_make(struct ram_file *f, u8 *store, u64 size, bool large);
/* Gives up the test's reference; the last one evicts. */
void ram_file_put(struct ram_file *f);
/* An open file on it, for reading and writing. NULL: no memory. */
struct file *ram_file_open(struct ram_file *f);

/* read(2) and write(2) of the kernel's memory at @pos. Return: bytes or errno. */
s64 ram_file_read(struct file *file, void *to, size_t n, u64 pos);
s64 ram_file_write(struct file *file, const void *from, size_t n, u64 pos);
/* ftruncate(2), and fallocate(2) that makes a hole. */
void ram_file_truncate(struct ram_file *f, u64 size);
void ram_file_punch(struct ram_file *f, u64 start, u64 end);

#endif
