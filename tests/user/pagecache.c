// SPDX-License-Identifier: MIT
/* Files in memory: advice, seals, holes, ranges, and from file to file. */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 0x10u
#endif

#define PAGE 4096

static char bytes[8 * PAGE], other[8 * PAGE];
static void *volatile bad = (void *)8; /* nobody's memory */

struct range {
	uint64_t off, len;
};

struct stat_of_cache {
	uint64_t cache, dirty, writeback, evicted, recently_evicted;
};

static int memory_file(unsigned int flags, off_t size)
{
	int fd = memfd_create("test", flags);

	CHECK(fd >= 0);
	CHECK(ftruncate(fd, size) == 0);
	return fd;
}

static void test_cachestat(void)
{
	struct range all = { 0, 0 }, some = { PAGE + 5, 2 * PAGE };
	struct stat_of_cache stat;
	int fd = memory_file(0, 8 * PAGE), pipes[2];

	CHECK(syscall(SYS_cachestat, fd, &all, &stat, 0) == 0);
	CHECK(stat.cache == 0 && stat.evicted == 0);
	CHECK(pwrite(fd, bytes, 6 * PAGE, 0) == 6 * PAGE);
	CHECK(syscall(SYS_cachestat, fd, &all, &stat, 0) == 0);
	CHECK(stat.cache == 6 && stat.writeback == 0);
	CHECK(syscall(SYS_cachestat, fd, &some, &stat, 0) == 0);
	CHECK(stat.cache == 3);
	CHECK_ERROR(syscall(SYS_cachestat, fd, &all, &stat, 1), EINVAL);
	CHECK_ERROR(syscall(SYS_cachestat, fd, bad, &stat, 0), EFAULT);
	CHECK_ERROR(syscall(SYS_cachestat, fd, &all, bad, 0), EFAULT);
	CHECK_ERROR(syscall(SYS_cachestat, 777, &all, &stat, 0), EBADF);
	CHECK(pipe(pipes) == 0);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

static void test_advice(void)
{
	int fd = memory_file(0, 4 * PAGE), write_only = open("/dev/null", O_WRONLY), dir = open("/", O_RDONLY);
	int pipes[2];

	memset(bytes, 'x', PAGE);
	CHECK(pwrite(fd, bytes, PAGE, 0) == PAGE);
	for (int advice = 0; advice < 6; advice++)
		CHECK(posix_fadvise(fd, 0, 0, advice) == 0);
	CHECK(pread(fd, other, PAGE, 0) == PAGE && !memcmp(bytes, other, PAGE));
	CHECK(posix_fadvise(fd, 0, 0, 6) == EINVAL);
	CHECK(posix_fadvise(fd, 0, 0, -1) == EINVAL);
	CHECK(posix_fadvise(fd, 0, -1, 0) == EINVAL);
	CHECK(posix_fadvise(777, 0, 0, 0) == EBADF);
	CHECK(pipe(pipes) == 0);
	CHECK(posix_fadvise(pipes[0], 0, 0, 0) == ESPIPE);
	CHECK(readahead(fd, 0, PAGE) == 0);
	CHECK_ERROR(readahead(777, 0, PAGE), EBADF);
	CHECK_ERROR(readahead(write_only, 0, PAGE), EBADF);
	CHECK_ERROR(readahead(dir, 0, PAGE), EINVAL);
	CHECK_ERROR(readahead(pipes[0], 0, PAGE), EINVAL);
	CHECK(sync_file_range(fd, 0, PAGE, 7) == 0);
	CHECK_ERROR(sync_file_range(fd, 0, PAGE, 8), EINVAL);
	CHECK_ERROR(sync_file_range(fd, -1, PAGE, 0), EINVAL);
	CHECK_ERROR(sync_file_range(fd, 1, INT64_MAX, 0), EINVAL);
	CHECK_ERROR(sync_file_range(fd, 0, -1, 0), EINVAL);
	CHECK_ERROR(sync_file_range(pipes[0], 0, PAGE, 0), ESPIPE);
	CHECK_ERROR(sync_file_range(777, 0, PAGE, 0), EBADF);
	close(pipes[0]);
	close(pipes[1]);
	close(write_only);
	close(dir);
	close(fd);
}

static void test_holes(void)
{
	int fd = memory_file(0, 8 * PAGE), dir = open("/", O_RDONLY), pipes[2];
	struct stat st;

	CHECK_ERROR(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK(lseek(fd, 5, SEEK_HOLE) == 5);
	CHECK(pwrite(fd, "data", 4, 2 * PAGE) == 4 && pwrite(fd, "data", 4, 5 * PAGE + 7) == 4);
	CHECK(lseek(fd, 0, SEEK_DATA) == 2 * PAGE && lseek(fd, 2 * PAGE + 9, SEEK_DATA) == 2 * PAGE + 9);
	CHECK(lseek(fd, 2 * PAGE, SEEK_HOLE) == 3 * PAGE && lseek(fd, 5 * PAGE, SEEK_HOLE) == 6 * PAGE);
	CHECK_ERROR(lseek(fd, 6 * PAGE, SEEK_DATA), ENXIO);
	CHECK_ERROR(lseek(fd, 8 * PAGE, SEEK_HOLE), ENXIO);
	CHECK_ERROR(lseek(fd, -1, SEEK_DATA), ENXIO);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, PAGE) == 0);
	CHECK(lseek(fd, 0, SEEK_DATA) == 5 * PAGE);
	CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 8 * PAGE, PAGE) == 0 && fstat(fd, &st) == 0 && st.st_size == 8 * PAGE);
	CHECK(st.st_blocks == 2 * PAGE / 512);
	CHECK(fallocate(fd, 0, 9 * PAGE, 10) == 0 && fstat(fd, &st) == 0 && st.st_size == 9 * PAGE + 10);
	CHECK(st.st_blocks == 3 * PAGE / 512);
	CHECK_ERROR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERROR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERROR(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERROR(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERROR(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERROR(fallocate(fd, 0x100, 0, PAGE), EOPNOTSUPP);
	CHECK_ERROR(fallocate(fd, 0, -1, PAGE), EINVAL);
	CHECK_ERROR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERROR(fallocate(fd, 0, INT64_MAX, PAGE), EFBIG);
	CHECK_ERROR(fallocate(777, 0, 0, PAGE), EBADF);
	CHECK_ERROR(fallocate(dir, 0, 0, PAGE), EBADF);
	CHECK(pipe(pipes) == 0);
	CHECK_ERROR(fallocate(pipes[1], 0, 0, PAGE), ESPIPE);
	close(pipes[0]);
	close(pipes[1]);
	close(dir);
	close(fd);
}

static void test_seals(void)
{
	int fd = memory_file(MFD_ALLOW_SEALING, 2 * PAGE);
	struct stat st;
	char *map, *again;

	CHECK(fcntl(fd, F_GET_SEALS) == 0);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_ERROR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_ERROR(fcntl(fd, F_ADD_SEALS, 0x1000), EINVAL);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	map[0] = 'm'; /* what is mapped stays so */
	CHECK(pread(fd, other, 1, 0) == 1 && other[0] == 'm');
	CHECK_ERROR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERROR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), EPERM);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
	again = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(again != MAP_FAILED && again[0] == 'm');
	CHECK_ERROR(mprotect(again, PAGE, PROT_READ | PROT_WRITE), EACCES);
	munmap(again, PAGE);
	again = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(again != MAP_FAILED);
	again[0] = 'p';
	CHECK(map[0] == 'm');
	munmap(again, PAGE);
	munmap(map, PAGE);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	CHECK_ERROR(ftruncate(fd, PAGE), EPERM);
	CHECK_ERROR(ftruncate(fd, 3 * PAGE), EPERM);
	CHECK(ftruncate(fd, 2 * PAGE) == 0);
	CHECK_ERROR(fallocate(fd, 0, 2 * PAGE, PAGE), EPERM);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0);
	CHECK_ERROR(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC), EPERM);
	close(fd);
	fd = memory_file(MFD_NOEXEC_SEAL, PAGE);
	CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_EXEC && fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0666);
	CHECK_ERROR(fchmod(fd, 0777), EPERM);
	CHECK(fchmod(fd, 0600) == 0);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	close(fd);
	CHECK_ERROR(memfd_create("test", MFD_EXEC | MFD_NOEXEC_SEAL), EINVAL);
	fd = memory_file(MFD_EXEC, PAGE);
	CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_SEAL && fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0777);
	close(fd);
}

static void test_from_file_to_file(void)
{
	int from = memory_file(0, 0), to = memory_file(0, 0), dir = open("/", O_RDONLY), pipes[2];
	int append = memory_file(0, 0);
	off64_t in = 100, out = 50;
	off_t at = 10;

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 255);
	CHECK(write(from, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes));
	CHECK(copy_file_range(from, &in, to, &out, 20000, 0) == 20000 && in == 20100 && out == 20050);
	CHECK(pread(to, other, 20000, 50) == 20000 && !memcmp(other, bytes + 100, 20000));
	CHECK(pread(to, other, 50, 0) == 50 && !other[0] && !other[49]);
	in = (off64_t)sizeof(bytes) - 10;
	CHECK(copy_file_range(from, &in, to, &out, 20000, 0) == 10);
	CHECK(copy_file_range(from, &in, to, &out, 20000, 0) == 0);
	CHECK_ERROR(copy_file_range(from, &in, to, &out, 1, 1), EINVAL);
	CHECK_ERROR(copy_file_range(dir, NULL, to, &out, 1, 0), EISDIR);
	CHECK_ERROR(copy_file_range(777, NULL, to, &out, 1, 0), EBADF);
	in = 0;
	out = 5;
	CHECK_ERROR(copy_file_range(from, &in, from, &out, 10, 0), EINVAL); /* they overlap */
	CHECK(fcntl(append, F_SETFL, O_APPEND) == 0);
	CHECK_ERROR(copy_file_range(from, &in, append, NULL, 1, 0), EBADF);
	CHECK(lseek(from, 7, SEEK_SET) == 7 && ftruncate(to, 0) == 0 && lseek(to, 0, SEEK_SET) == 0);
	CHECK(sendfile(to, from, NULL, 9000) == 9000 && lseek(from, 0, SEEK_CUR) == 9007);
	CHECK(pread(to, other, 9000, 0) == 9000 && !memcmp(other, bytes + 7, 9000));
	CHECK(sendfile(to, from, &at, 100) == 100 && at == 110 && lseek(from, 0, SEEK_CUR) == 9007);
	CHECK(pread(to, other, 100, 9000) == 100 && !memcmp(other, bytes + 10, 100));
	CHECK_ERROR(sendfile(append, from, &at, 100), EINVAL);
	CHECK_ERROR(sendfile(777, from, &at, 100), EBADF);
	CHECK(pipe(pipes) == 0);
	at = 1000;
	CHECK(sendfile(pipes[1], from, &at, 5000) == 5000);
	CHECK(read(pipes[0], other, 5000) == 5000 && !memcmp(other, bytes + 1000, 5000));
	close(pipes[0]);
	close(pipes[1]);
	close(dir);
	close(append);
	close(to);
	close(from);
}

/* Truncation and holes are seen through every mapping; private copies outlive holes. */
static void test_mapped(void)
{
	int fd = memory_file(0, 4 * PAGE);
	char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	unsigned char in[4];

	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	memset(shared, 'a', 4 * PAGE);
	private[0] = 'p';
	CHECK(private[PAGE] == 'a');
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE) == 0);
	CHECK(shared[0] == 0 && shared[PAGE] == 0 && private[0] == 'p' && private[PAGE] == 0);
	CHECK(madvise(shared + 2 * PAGE, PAGE, MADV_REMOVE) == 0);
	CHECK(shared[2 * PAGE] == 0 && shared[3 * PAGE] == 'a');
	CHECK(ftruncate(fd, 3 * PAGE + 10) == 0 && ftruncate(fd, 4 * PAGE) == 0);
	CHECK(shared[3 * PAGE + 9] == 'a' && shared[3 * PAGE + 10] == 0);
	CHECK(mincore(shared, 4 * PAGE, in) == 0 && in[3] & 1);
	munmap(shared, 4 * PAGE);
	munmap(private, 4 * PAGE);
	close(fd);
}

int main(void)
{
	test_cachestat();
	test_advice();
	test_holes();
	test_seals();
	test_from_file_to_file();
	test_mapped();
	return finish("pagecache");
}
