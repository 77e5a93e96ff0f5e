// SPDX-License-Identifier: MIT
/*
 * Rows of shared memory and advice, as in kbench.c. shmem.read_fault, .write_fault: a page of a tmpfs file that is
 * there, without fault-around, and without the exception around the fault; .fresh_fault: one that is not; .around:
 * sixteen at a time, per page; .write, .read: a page by write() and read() of the kernel's. madvise.noop: flags that
 * a VMA has already; .dontneed, .free, .cold: per page that is there.
 */
#define KBENCH_BEHIND 50000
#include "kbench.h"

#include <octavo/shmem_fs.h>

#include "mm/vm/fault.h"
#include "tests/tasks.h"

#define REPEATS KBENCH_REPEATS
#define PAGES 512ul
#define BYTES (PAGES << PAGE_SHIFT)
#define PLACE ((uintptr_t)0x40000000)
#define RW (PROT_READ | PROT_WRITE)
#define NOOPS 512ul

enum { READ_FAULT, WRITE_FAULT, FRESH_FAULT, AROUND, WRITE, READ, NOOP, DONTNEED, FREE, COLD };

static struct test_process process;
static struct file *file;
static u8 page_buf[PAGE_SIZE];

static bool touch(bool write)
{
	struct page_fault fault = { .flags = PAGE_FAULT_USER | (write ? PAGE_FAULT_WRITE : 0) };
	size_t step = fault_around_bytes > PAGE_SIZE && !write ? fault_around_bytes : PAGE_SIZE;

	for (uintptr_t at = PLACE; at < PLACE + BYTES; at += step) {
		fault.address = at;
		if (handle_page_fault(&fault))
			return false;
	}
	return true;
}

static bool copy(bool write)
{
	u64 pos = 0;

	while (pos < BYTES) {
		struct iov_iter iter = { page_buf, PAGE_SIZE, false };
		s64 got = write ? file->f_op->write_iter(file, &iter, &pos) : file->f_op->read_iter(file, &iter, &pos);

		if (got != (s64)PAGE_SIZE)
			return false;
	}
	return true;
}

/* The mapping, with its table, and what has to be there. */
static bool prepare(unsigned int what)
{
	bool of_file = what <= READ, anon = what >= NOOP;

	if (of_file && what != FRESH_FAULT && what != WRITE && !copy(true))
		return false;
	if (ksys_mmap(PLACE, BYTES, RW, of_file ? MAP_SHARED | MAP_FIXED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		      of_file ? file : NULL, 0) != (long)PLACE)
		return false;
	return !anon || what == NOOP || touch(true);
}

static bool measured(unsigned int what)
{
	bool good = true;

	switch (what) {
	case WRITE:
	case READ:
		return copy(what == WRITE);
	case NOOP:
		for (unsigned long i = 0; i < NOOPS && good; i++)
			good = !ksys_madvise(PLACE, PAGE_SIZE, MADV_NORMAL);
		return good;
	case DONTNEED:
		return !ksys_madvise(PLACE, BYTES, MADV_DONTNEED);
	case FREE:
		return !ksys_madvise(PLACE, BYTES, MADV_FREE);
	case COLD:
		return !ksys_madvise(PLACE, BYTES, MADV_COLD);
	default:
		return touch(what == WRITE_FAULT || what == FRESH_FAULT);
	}
}

static bool one_round(struct kbench *b, unsigned int what, u64 *ticks)
{
	bool good = prepare(what);
	u64 begin = b->clock();

	good = good && measured(what);
	*ticks = b->clock() - begin;
	good = !ksys_munmap(PLACE, BYTES) && good;
	if (what == FRESH_FAULT || what == WRITE)
		good = !shmem_truncate(file->f_inode, 0) && !shmem_truncate(file->f_inode, BYTES) && good;
	return good;
}

static void bench_shmem(struct kbench *b, const struct kbench_case *c)
{
	unsigned long around = fault_around_bytes;
	u64 ticks[REPEATS];
	bool good = true;
	int err = 0;

	if (!test_process_start(&process)) {
		kbench_fail(b, "%s: no memory\n", c->name);
		return;
	}
	file = memfd_setup("bench", 0, &err);
	good = file && !shmem_truncate(file->f_inode, BYTES);
	if (c->order != AROUND)
		fault_around_bytes = PAGE_SIZE;
	for (unsigned int i = 0; i <= REPEATS && good; i++)
		good = one_round(b, c->order, &ticks[i % REPEATS]);
	fault_around_bytes = around;
	if (file)
		fput(file);
	test_process_exit(&process);
	if (good)
		kbench_row(b, c->name, ticks, PAGES, c->order == NOOP ? "call" : "page");
	else
		kbench_fail(b, "%s: a step failed\n", c->name);
}

KBENCH(read_fault, .name = "shmem.read_fault", .run = bench_shmem, .order = READ_FAULT);
KBENCH(write_fault, .name = "shmem.write_fault", .run = bench_shmem, .order = WRITE_FAULT);
KBENCH(fresh_fault, .name = "shmem.fresh_fault", .run = bench_shmem, .order = FRESH_FAULT);
KBENCH(around, .name = "shmem.around", .run = bench_shmem, .order = AROUND);
KBENCH(file_write, .name = "shmem.write", .run = bench_shmem, .order = WRITE);
KBENCH(file_read, .name = "shmem.read", .run = bench_shmem, .order = READ);
KBENCH(noop, .name = "madvise.noop", .run = bench_shmem, .order = NOOP);
KBENCH(dontneed, .name = "madvise.dontneed", .run = bench_shmem, .order = DONTNEED);
KBENCH(lazy_free, .name = "madvise.free", .run = bench_shmem, .order = FREE);
KBENCH(cold, .name = "madvise.cold", .run = bench_shmem, .order = COLD);
