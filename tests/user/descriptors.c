// SPDX-License-Identifier: MIT
/* Descriptors, reading and writing, pipes, locks, waiting for several files. */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static char bytes[1 << 17] __attribute__((aligned(4096)));
static void *volatile bad = (void *)8; /* nobody's memory */

static int new_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK(fd >= 0);
	return fd;
}

static void test_dup(void)
{
	int fd = new_file(), other = dup(fd), high;
	struct rlimit limit, low;

	CHECK(other > fd && write(fd, "abc", 3) == 3 && lseek(other, 0, SEEK_CUR) == 3);
	CHECK(dup2(fd, fd) == fd);
	CHECK(dup2(fd, 200) == 200 && lseek(200, 1, SEEK_SET) == 1 && lseek(fd, 0, SEEK_CUR) == 1);
	CHECK_ERROR(dup2(777, 5), EBADF);
	CHECK_ERROR(dup2(fd, -1), EBADF);
	CHECK_ERROR(dup3(fd, fd, 0), EINVAL);
	CHECK_ERROR(dup3(fd, 201, 1), EINVAL);
	CHECK(dup3(fd, 201, O_CLOEXEC) == 201 && fcntl(201, F_GETFD) == FD_CLOEXEC);
	high = fcntl(fd, F_DUPFD, 300);
	CHECK(high == 300 && fcntl(high, F_GETFD) == 0);
	high = fcntl(fd, F_DUPFD_CLOEXEC, 300);
	CHECK(high == 301 && fcntl(high, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(high, F_SETFD, 0) == 0 && fcntl(high, F_GETFD) == 0);
	CHECK(syscall(SYS_close_range, 200, 400, 0) == 0);
	CHECK_ERROR(fcntl(200, F_GETFD), EBADF);
	CHECK_ERROR(fcntl(301, F_GETFD), EBADF);
	CHECK_ERROR(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	low = limit;
	low.rlim_cur = (rlim_t)other + 1;
	CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
	CHECK_ERROR(dup(fd), EMFILE);
	CHECK_ERROR(open("/tmp", O_RDONLY), EMFILE);
	CHECK_ERROR(dup2(fd, other + 1), EBADF);
	CHECK_ERROR(fcntl(fd, F_DUPFD, other + 1), EINVAL);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(close(fd) == 0 && close(other) == 0);
	CHECK_ERROR(close(fd), EBADF);
	CHECK_ERROR(close(-1), EBADF);
}

static void test_rw(void)
{
	struct iovec iov[3] = { { (char *)"one", 3 }, { NULL, 0 }, { (char *)"two", 3 } };
	char text[16];
	int fd = new_file();

	CHECK(writev(fd, iov, 3) == 6 && pread(fd, text, 16, 0) == 6 && !memcmp(text, "onetwo", 6));
	CHECK_ERROR(writev(fd, iov, (int)(long)bad - 9), EINVAL);
	CHECK_ERROR(writev(fd, bad, 1), EFAULT);
	CHECK(writev(fd, iov, 0) == 0);
	CHECK(pwrite(fd, "xyz", 3, 100) == 3 && lseek(fd, 0, SEEK_END) == 103 && lseek(fd, 0, SEEK_CUR) == 103);
	CHECK(pread(fd, text, 3, 50) == 3 && !text[0] && !text[2]);
	CHECK_ERROR(pread(fd, text, 3, -1), EINVAL);
	CHECK(pread(fd, text, 3, 1000) == 0);
	CHECK_ERROR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERROR(lseek(fd, 0, 99), EINVAL);
	CHECK_ERROR(pread(fd, bad, 4, 0), EFAULT);
	CHECK_ERROR(pwrite(fd, bad, 4, 0), EFAULT);
	CHECK(pread(fd, NULL, 0, 0) == 0);
	/* Bytes ahead of memory that is not there are moved. */
	CHECK(ftruncate(fd, 1 << 16) == 0 && lseek(fd, 1 << 20, SEEK_SET) == 1 << 20 && read(fd, text, 1) == 0);
	iov[0] = (struct iovec){ text, 2 };
	iov[1] = (struct iovec){ text + 4, 2 };
	CHECK(preadv(fd, iov, 2, 0) == 4 && !memcmp(text, "on", 2) && !memcmp(text + 4, "et", 2));
	CHECK(pwritev(fd, iov, 2, 10) == 4);
	CHECK_ERROR(syscall(SYS_preadv2, fd, iov, 2, 0, 0, 0x10000), EOPNOTSUPP);
	CHECK(fallocate(fd, 0, 0, 1 << 17) == 0 && lseek(fd, 0, SEEK_END) == 1 << 17);
	CHECK_ERROR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERROR(fallocate(fd, 0, -1, 1), EINVAL);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
	CHECK(pread(fd, text, 2, 0) == 2 && !text[0]);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
	CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
	close(fd);
}

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static void test_cachestat(void)
{
	struct { unsigned long long at, len; } range = { 4096, 2 * 4096 }, all = { 0, 0 };
	unsigned long long stat[5];
	int fd = new_file(), path = open("/tmp", O_PATH);

	CHECK(pwrite(fd, bytes, 2 * 4096, 0) == 2 * 4096 && pwrite(fd, bytes, 1, 9 * 4096) == 1);
	CHECK(syscall(SYS_cachestat, fd, &range, stat, 0) == 0 && stat[0] == 1 && !stat[2] && !stat[3] && !stat[4]);
	CHECK(syscall(SYS_cachestat, fd, &all, stat, 0) == 0 && stat[0] == 3);
	CHECK_ERROR(syscall(SYS_cachestat, -1, &range, stat, 0), EBADF);
	CHECK_ERROR(syscall(SYS_cachestat, path, &range, stat, 0), EBADF);
	CHECK_ERROR(syscall(SYS_cachestat, fd, bad, stat, 0), EFAULT);
	CHECK_ERROR(syscall(SYS_cachestat, fd, &range, bad, 0), EFAULT);
	CHECK_ERROR(syscall(SYS_cachestat, fd, &range, stat, 1), EINVAL);
	close(fd);
	close(path);
}

static void test_sendfile_refusals(int from, int to)
{
	off_t *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int null = open("/dev/null", O_RDONLY), only_write = open("/dev/null", O_WRONLY);

	CHECK_ERROR(sendfile(null, from, NULL, 1), EBADF);
	CHECK_ERROR(sendfile(to, only_write, NULL, 1), EBADF);
	CHECK_ERROR(sendfile(to, from, bad, 1), EFAULT);
	/* Where it got to is written, even if there was nothing to send. */
	*place = 1 << 30;
	CHECK(sendfile(to, from, place, 1) == 0 && *place == 1 << 30);
	CHECK(mprotect(place, 4096, PROT_READ) == 0);
	CHECK_ERROR(sendfile(to, from, place, 1), EFAULT);
	munmap(place, 4096);
	close(null);
	close(only_write);
}

static void test_readahead(void)
{
	int fd = new_file(), directory = open("/tmp", O_RDONLY | O_DIRECTORY), zero = open("/dev/zero", O_RDONLY);
	int path = open("/tmp", O_PATH), only_write = open("/dev/null", O_WRONLY), ends[2];

	CHECK(readahead(fd, 0, 4096) == 0);
	CHECK_ERROR(readahead(999, 0, 4096), EBADF);
	CHECK_ERROR(readahead(path, 0, 4096), EBADF);
	CHECK_ERROR(readahead(only_write, 0, 4096), EBADF);
	CHECK_ERROR(readahead(directory, 0, 4096), EINVAL);
	CHECK_ERROR(readahead(zero, 0, 4096), EINVAL);
	CHECK(pipe(ends) == 0);
	CHECK_ERROR(readahead(ends[0], 0, 4096), EINVAL);
	CHECK(sync_file_range(fd, 0, 4096, 0) == 0);
	CHECK_ERROR(sync_file_range(ends[0], 0, 4096, 0), ESPIPE);
	CHECK(syscall(SYS_close_range, fd, ends[1], 0) == 0);
}

static void test_splice(void)
{
	int a[2], b[2], file = new_file(), zero = open("/dev/zero", O_RDONLY);
	int append = open("/dev/null", O_WRONLY | O_APPEND);
	loff_t at = 3;
	char text[16];
	long room;

	CHECK(pipe(a) == 0 && pipe(b) == 0);
	CHECK(write(a[1], "0123456789", 10) == 10);
	/* Pipe to pipe, with what it was kept and without. */
	CHECK(tee(a[0], b[1], 4, 0) == 4 && read(b[0], text, 16) == 4 && !memcmp(text, "0123", 4));
	CHECK(splice(a[0], NULL, b[1], NULL, 4, 0) == 4 && read(b[0], text, 16) == 4 && !memcmp(text, "0123", 4));
	/* To a file where one says and where it is; back. */
	CHECK(splice(a[0], NULL, file, &at, 2, 0) == 2 && at == 5 && lseek(file, 0, SEEK_CUR) == 0);
	CHECK(splice(a[0], NULL, file, NULL, 100, 0) == 4 && lseek(file, 0, SEEK_CUR) == 4);
	at = 0;
	CHECK(splice(file, &at, a[1], NULL, 100, 0) == 5 && at == 5);
	CHECK(read(a[0], text, 16) == 5 && !memcmp(text, "67895", 5));
	CHECK(splice(file, NULL, a[1], NULL, 100, 0) == 1 && splice(file, NULL, a[1], NULL, 100, 0) == 0);
	/* As much as fits; then it would wait. */
	room = splice(zero, NULL, a[1], NULL, 1 << 20, 0);
	CHECK(room >= 15 * 4096 && room < 1 << 16);
	CHECK_ERROR(splice(zero, NULL, a[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERROR(tee(b[0], a[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERROR(splice(file, NULL, zero, NULL, 1, 0), EBADF);
	CHECK_ERROR(splice(zero, NULL, append, NULL, 1, 0), EINVAL);
	CHECK_ERROR(splice(a[0], NULL, append, NULL, 1, 0), EINVAL);
	CHECK_ERROR(splice(a[0], &at, file, NULL, 1, 0), ESPIPE);
	CHECK_ERROR(splice(file, NULL, a[1], &at, 1, 0), ESPIPE);
	CHECK_ERROR(splice(file, bad, b[1], NULL, 1, 0), EFAULT);
	CHECK_ERROR(splice(a[0], NULL, a[1], NULL, 1, 0), EINVAL);
	CHECK_ERROR(splice(a[0], NULL, b[1], NULL, 1, 16), EINVAL);
	CHECK_ERROR(tee(a[0], file, 1, 0), EINVAL);
	CHECK_ERROR(tee(a[1], b[1], 1, 0), EBADF);
	close(b[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERROR(splice(a[0], NULL, b[1], NULL, 1, 0), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	close(a[1]);
	CHECK(splice(a[0], NULL, file, NULL, 1 << 20, 0) == room + 1 && splice(a[0], NULL, file, NULL, 1, 0) == 0);
	CHECK(syscall(SYS_close_range, file, b[1], 0) == 0);
}

static void test_vmsplice(void)
{
	struct iovec iov[2] = { { bytes, 100000 }, { (char *)"xyz", 3 } };
	struct iovec back = { malloc(100000), 100000 };
	int ends[2], file = new_file();
	char text[4], *got = back.iov_base;

	CHECK(pipe(ends) == 0);
	memset(bytes, 'v', sizeof(bytes));
	memset(got, 0, 100000);
	CHECK(vmsplice(ends[1], iov, 2, 0) == 1 << 16);
	CHECK_ERROR(vmsplice(ends[1], iov, 2, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK(vmsplice(ends[0], &back, 1, 0) == 1 << 16 && got[0] == 'v' && got[65535] == 'v' && !got[65536]);
	CHECK_ERROR(vmsplice(ends[0], iov, 1, SPLICE_F_NONBLOCK), EAGAIN);
	iov[0].iov_len = 1;
	CHECK(vmsplice(ends[1], iov, 2, 0) == 4 && read(ends[0], text, 4) == 4 && !memcmp(text, "vxyz", 4));
	free(got);
	CHECK_ERROR(vmsplice(file, iov, 1, 0), EBADF);
	CHECK_ERROR(vmsplice(ends[1], iov, 1, 16), EINVAL);
	CHECK_ERROR(vmsplice(ends[1], iov, 1025, 0), EINVAL);
	CHECK_ERROR(vmsplice(ends[1], bad, 1, 0), EFAULT);
	CHECK(syscall(SYS_close_range, file, ends[1], 0) == 0);
}

static void test_copy(void)
{
	int from = new_file(), to = new_file();
	loff_t in = 10, out = 20;
	off_t at = 5;
	char c;

	memset(bytes, 'q', sizeof(bytes));
	CHECK(write(from, bytes, 100000) == 100000);
	CHECK(sendfile(to, from, &at, 1000) == 1000 && at == 1005 && lseek(to, 0, SEEK_CUR) == 1000);
	CHECK(copy_file_range(from, &in, to, &out, 70000, 0) == 70000 && in == 70010 && out == 70020);
	CHECK(pread(to, &c, 1, 70019) == 1 && c == 'q');
	CHECK_ERROR(copy_file_range(from, &in, to, &out, 1, 1), EINVAL);
	out = 0x7fffffffffffffff;
	CHECK_ERROR(copy_file_range(from, &in, to, &out, ~(size_t)0, 0), EOVERFLOW);
	CHECK_ERROR(sendfile(to, 999, NULL, 1), EBADF);
	test_sendfile_refusals(from, to);
	close(from);
	close(to);
}

static int signals;

static void count_signal(int signo)
{
	(void)signo;
	signals++;
}

static void test_pipe(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	int fd[2], n, status, wrong = 0;
	char c;

	CHECK(pipe2(fd, O_CLOEXEC | O_NONBLOCK) == 0 && fcntl(fd[0], F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(fd[0], F_GETFL) == O_NONBLOCK && fcntl(fd[1], F_GETFL) == (O_NONBLOCK | O_WRONLY));
	CHECK_ERROR(read(fd[0], &c, 1), EAGAIN);
	CHECK_ERROR(write(fd[0], &c, 1), EBADF);
	CHECK_ERROR(lseek(fd[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERROR(pread(fd[0], &c, 1, 0), ESPIPE);
	CHECK(fcntl(fd[0], F_GETPIPE_SZ) == 65536);
	for (n = 0; write(fd[1], bytes, 4096) == 4096;)
		n += 4096;
	CHECK(errno == EAGAIN && n == 65536);
	CHECK(ioctl(fd[0], FIONREAD, &n) == 0 && n == 65536);
	CHECK(read(fd[0], bytes, 100) == 100);
	CHECK_ERROR(write(fd[1], bytes, 101), EAGAIN); /* as a whole or not at all */
	CHECK(fcntl(fd[0], F_SETPIPE_SZ, 1 << 17) == 1 << 17);
	CHECK(write(fd[1], bytes, 4096) == 4096);
	CHECK_ERROR(fcntl(fd[0], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK(read(fd[0], bytes, sizeof(bytes)) == 65536 - 100 + 4096);
	close(fd[1]);
	CHECK(read(fd[0], &c, 1) == 0);
	close(fd[0]);
	CHECK(pipe(fd) == 0 && sigaction(SIGPIPE, &action, NULL) == 0);
	close(fd[0]);
	CHECK_ERROR(write(fd[1], &c, 1), EPIPE);
	CHECK(signals == 1);
	close(fd[1]);
	CHECK_ERROR(pipe2(fd, 1), EINVAL);
	CHECK_ERROR(pipe(bad), EFAULT);
	/* More than a pipe holds, from one process to another. */
	CHECK(pipe(fd) == 0);
	if (!fork()) {
		close(fd[0]);
		for (unsigned int i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)(i % 251);
		for (unsigned int done = 0; done < 300000;) {
			unsigned int at = done % 251;
			ssize_t put = write(fd[1], bytes + at, 10007 < 300000 - done ? 10007 : 300000 - done);

			if (put <= 0)
				_exit(1);
			done += (unsigned int)put;
		}
		_exit(0);
	}
	close(fd[1]);
	for (n = 0; (status = (int)read(fd[0], bytes, 9001)) > 0; n += status)
		for (int i = 0; i < status; i += 97)
			wrong += (unsigned char)bytes[i] != (n + i) % 251;
	CHECK(n == 300000 && !wrong && wait(&status) > 0 && status == 0);
	close(fd[0]);
}

static void test_fifo(void)
{
	char name[] = "/tmp/fifo-XXXXXX", c = 0;
	int fd = mkstemp(name), status;

	close(fd);
	unlink(name);
	CHECK(mkfifo(name, 0600) == 0);
	CHECK_ERROR(open(name, O_WRONLY | O_NONBLOCK), ENXIO);
	fd = open(name, O_RDONLY | O_NONBLOCK);
	CHECK(fd >= 0 && read(fd, &c, 1) == 0);
	close(fd);
	if (!fork()) {
		fd = open(name, O_WRONLY);
		_exit(fd < 0 || write(fd, "f", 1) != 1);
	}
	fd = open(name, O_RDONLY); /* waits for the child */
	CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == 'f');
	CHECK(wait(&status) > 0 && status == 0 && read(fd, &c, 1) == 0);
	close(fd);
	CHECK(unlink(name) == 0);
}

static void test_poll(void)
{
	int fd[2], ep, event = eventfd(0, EFD_NONBLOCK);
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 7 }, got[4];
	struct timeval tv = { 0, 1000 };
	struct pollfd p[3];
	uint64_t value = 3;
	fd_set set;

	CHECK(pipe(fd) == 0);
	p[0] = (struct pollfd){ fd[0], POLLIN, 0 };
	p[1] = (struct pollfd){ fd[1], POLLOUT, 0 };
	p[2] = (struct pollfd){ 999, POLLIN, 0 };
	CHECK(poll(p, 1, 0) == 0 && poll(p, 1, 20) == 0);
	CHECK(poll(p, 3, -1) == 2 && !p[0].revents && p[1].revents == POLLOUT && p[2].revents == POLLNVAL);
	FD_ZERO(&set);
	FD_SET(fd[0], &set);
	CHECK(select(fd[0] + 1, &set, NULL, NULL, &tv) == 0 && !FD_ISSET(fd[0], &set));
	ep = epoll_create1(0);
	CHECK(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &e) == 0);
	CHECK_ERROR(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &e), EEXIST);
	CHECK_ERROR(epoll_ctl(ep, EPOLL_CTL_MOD, event, &e), ENOENT);
	CHECK_ERROR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	CHECK(epoll_wait(ep, got, 4, 10) == 0);
	if (!fork()) {
		usleep(20000);
		_exit(write(fd[1], "w", 1) != 1);
	}
	CHECK(poll(p, 1, -1) == 1 && p[0].revents == POLLIN);
	FD_SET(fd[0], &set);
	CHECK(select(fd[0] + 1, &set, NULL, NULL, NULL) == 1 && FD_ISSET(fd[0], &set));
	CHECK(epoll_wait(ep, got, 4, -1) == 1 && got[0].events == EPOLLIN && got[0].data.u64 == 7);
	CHECK_ERROR(epoll_wait(ep, got, 0, 0), EINVAL);
	wait(NULL);
	close(fd[1]);
	CHECK(read(fd[0], &value, 1) == 1);
	CHECK(poll(p, 1, -1) == 1 && p[0].revents == POLLHUP);
	close(fd[0]);
	CHECK_ERROR(select(fd[0] + 1, &set, NULL, NULL, NULL), EBADF);
	CHECK_ERROR(read(event, &value, 8), EAGAIN);
	value = 3;
	CHECK(write(event, &value, 8) == 8 && write(event, &value, 8) == 8);
	p[0] = (struct pollfd){ event, POLLIN | POLLOUT, 0 };
	CHECK(poll(p, 1, 0) == 1 && p[0].revents == (POLLIN | POLLOUT));
	CHECK(read(event, &value, 8) == 8 && value == 6);
	CHECK_ERROR(read(event, &value, 4), EINVAL);
	close(event);
	close(ep);
}

static void test_locks(void)
{
	int fd = new_file(), status;
	char path[64];
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(fcntl(fd, F_SETLK, &lock) == 0);
	lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 5 };
	CHECK(fcntl(fd, F_SETLK, &lock) == 0);
	if (!fork()) {
		struct flock probe = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1 };
		int other = open(path, O_RDWR);

		CHECK(other >= 0);
		CHECK_ERROR(fcntl(other, F_SETLK, &probe), EAGAIN);
		CHECK(fcntl(other, F_GETLK, &probe) == 0 && probe.l_type == F_WRLCK && probe.l_start == 10 &&
		      probe.l_len == 10 && probe.l_pid == getppid());
		/* Of several it is the first in the file. */
		probe = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET };
		CHECK(fcntl(other, F_GETLK, &probe) == 0 && probe.l_type == F_WRLCK && probe.l_start == 10);
		probe = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 20, .l_len = 80 };
		CHECK(fcntl(other, F_SETLK, &probe) == 0);
		CHECK(flock(other, LOCK_EX | LOCK_NB) == 0); /* the two kinds do not know each other */
		_exit(failures);
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0 && flock(fd, LOCK_UN) == 0);
	CHECK_ERROR(flock(fd, 0), EINVAL);
	close(fd);
}

static int next_line;
static int shared_fd;

static void *append(void *arg)
{
	for (int i = 0; i < 200; i++)
		CHECK(write(shared_fd, arg, 10) == 10);
	__atomic_add_fetch(&next_line, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Two threads that write through one descriptor do not write over each other. */
static void test_position(void)
{
	static char text[2][11] = { "aaaaaaaaa\n", "bbbbbbbbb\n" };
	pthread_t thread[2];
	struct stat st;

	shared_fd = new_file();
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&thread[i], NULL, append, text[i]) == 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	CHECK(fstat(shared_fd, &st) == 0 && st.st_size == 4000);
	close(shared_fd);
}

static void test_devices(void)
{
	char c[8] = "abcdefg";
	int fd = open("/dev/zero", O_RDWR);

	CHECK(read(fd, c, 8) == 8 && !c[0] && !c[7] && write(fd, c, 8) == 8);
	close(fd);
	fd = open("/dev/null", O_RDWR);
	CHECK(read(fd, c, 8) == 0 && write(fd, c, 8) == 8);
	CHECK_ERROR(ioctl(fd, 0x5401, c), ENOTTY);
	close(fd);
	fd = open("/dev/full", O_RDWR);
	CHECK(read(fd, c, 8) == 8);
	CHECK_ERROR(write(fd, c, 8), ENOSPC);
	close(fd);
	fd = open("/dev/urandom", O_RDONLY);
	CHECK(read(fd, bytes, 4096) == 4096 && memcmp(bytes, bytes + 2048, 2048));
	CHECK_ERROR(read(fd, bad, 4), EFAULT);
	close(fd);
	fd = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	CHECK_ERROR(write(fd, "x", 1), EPERM);
	CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_WRITE);
	close(fd);
}

/* socketpair: bytes and messages both ways, the end of one side, errors. */
static void test_socketpair(void)
{
	static char big[300000];
	struct pollfd waits;
	char text[16];
	int s[2], type = 0;
	socklen_t len = sizeof(type);

	CHECK_ERROR(socketpair(200, SOCK_STREAM, 0, s), EAFNOSUPPORT);
	CHECK_ERROR(socketpair(AF_UNIX, SOCK_STREAM, 9, s), EPROTONOSUPPORT);
	CHECK_ERROR(socketpair(AF_UNIX, 77, 0, s), EINVAL);
	CHECK_ERROR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8l), EFAULT);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s) == 0);
	CHECK(fcntl(s[0], F_GETFD) == FD_CLOEXEC && fcntl(s[1], F_GETFL) & O_NONBLOCK);
	CHECK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM && len == 4);
	CHECK_ERROR(read(s[0], text, 4), EAGAIN);
	CHECK(write(s[0], "abc", 3) == 3 && write(s[0], "def", 3) == 3 && write(s[1], "xy", 2) == 2);
	CHECK(recv(s[1], text, 4, MSG_PEEK) == 4 && !memcmp(text, "abcd", 4));
	CHECK(read(s[1], text, 4) == 4 && read(s[1], text + 4, 9) == 2 && !memcmp(text, "abcdef", 6));
	CHECK(read(s[0], text, 9) == 2);
	ssize_t put = write(s[0], big, sizeof(big));
	CHECK(put > 0 && put < (ssize_t)sizeof(big));
	CHECK_ERROR(send(s[0], big, 100000, 0), EAGAIN);
	waits = (struct pollfd){ s[0], POLLIN | POLLOUT, 0 };
	CHECK(poll(&waits, 1, 0) == 0);
	for (ssize_t n = 0, got; n < put; n += got)
		CHECK((got = read(s[1], big, 70000)) > 0);
	CHECK(poll(&waits, 1, 0) == 1 && waits.revents == POLLOUT);
	CHECK(write(s[0], "end", 3) == 3 && close(s[0]) == 0);
	CHECK(read(s[1], text, 9) == 3 && read(s[1], text, 9) == 0);
	CHECK_ERROR(send(s[1], text, 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERROR(sendto(0, text, 1, 0, NULL, 0), ENOTSOCK);
	close(s[1]);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
	CHECK(write(s[0], "abc", 3) == 3 && write(s[0], "de", 2) == 2);
	CHECK(recv(s[1], text, 2, MSG_TRUNC) == 3 && read(s[1], text, 9) == 2 && text[0] == 'd');
	pid_t pid = fork();
	if (!pid) {
		usleep(20000);
		_exit(write(s[0], "later", 5) != 5);
	}
	CHECK(read(s[1], text, 9) == 5 && wait(&type) == pid && !type);
	CHECK(shutdown(s[0], SHUT_WR) == 0 && read(s[1], text, 9) == 0 && write(s[1], "!", 1) == 1);
	CHECK(read(s[0], text, 9) == 1);
	close(s[0]);
	close(s[1]);
}

/* Messages from several buffers and into several; of nothing; nothing asked for. */
static void test_packets(int type)
{
	static char big[300000];
	char a[3] = { 0 }, b[16] = { 0 };
	struct iovec out[3] = { { (char *)"one", 3 }, { NULL, 0 }, { (char *)"two+", 4 } };
	struct iovec in[3] = { { a, 3 }, { NULL, 0 }, { b, sizeof(b) } };
	int s[2], n = 0;

	CHECK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s) == 0);
	CHECK(writev(s[0], out, 3) == 7 && read(s[1], big, 100) == 7 && !memcmp(big, "onetwo+", 7));
	CHECK_ERROR(read(s[1], big, 100), EAGAIN);
	CHECK(write(s[0], "onetwo+", 7) == 7 && write(s[0], "next", 4) == 4);
	CHECK(readv(s[1], in, 3) == 7 && !memcmp(a, "one", 3) && !memcmp(b, "two+", 4));
	in[2].iov_len = 0;
	CHECK(readv(s[1], in, 3) == 3 && !memcmp(a, "nex", 3)); /* the rest of it is gone */
	CHECK_ERROR(readv(s[1], in, 3), EAGAIN);
	out[1] = (struct iovec){ big, sizeof(big) };
	CHECK_ERROR(writev(s[0], out, 3), EMSGSIZE);
	out[1] = (struct iovec){ bad, 1 };
	CHECK_ERROR(writev(s[0], out, 3), EFAULT);
	CHECK_ERROR(read(s[1], big, 100), EAGAIN);
	in[2] = (struct iovec){ bad, 9 };
	CHECK(write(s[0], "onetwo", 6) == 6);
	CHECK_ERROR(readv(s[1], in, 3), EFAULT);
	while (recv(s[1], b, sizeof(b), 0) > 0)
		;
	out[0].iov_len = out[1].iov_len = out[2].iov_len = 0;
	CHECK(writev(s[0], out, 3) == 0);
	CHECK_ERROR(recv(s[1], b, 1, 0), EAGAIN);
	CHECK(write(s[0], "x", 1) == 1 && read(s[1], b, 0) == 0 && read(s[1], b, 2) == 1);
	/* What is empty takes memory, too. */
	while (n < 100000 && send(s[0], b, 0, 0) == 0)
		n++;
	CHECK(n > 0 && n < 100000 && errno == EAGAIN);
	CHECK(recv(s[1], b, sizeof(b), 0) == 0);
	while (--n)
		CHECK(recv(s[1], b, sizeof(b), 0) == 0);
	CHECK_ERROR(recv(s[1], b, sizeof(b), 0), EAGAIN);
	close(s[0]);
	close(s[1]);
}

static void test_wait_all(void)
{
	char text[16];
	int s[2], status;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	if (!fork()) {
		CHECK(write(s[0], "abc", 3) == 3);
		usleep(50000);
		CHECK(write(s[0], "defg", 4) == 4);
		usleep(50000);
		_exit(failures);
	}
	close(s[0]);
	CHECK(recv(s[1], text, 6, MSG_WAITALL) == 6 && !memcmp(text, "abcdef", 6));
	CHECK(recv(s[1], text, 6, MSG_WAITALL | MSG_DONTWAIT) == 1 && text[0] == 'g');
	CHECK(recv(s[1], text, 6, MSG_WAITALL) == 0);
	CHECK(wait(&status) > 0 && status == 0);
	close(s[1]);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && write(s[0], "hi", 2) == 2 && close(s[0]) == 0);
	CHECK(recv(s[1], text, 6, MSG_WAITALL) == 2);
	close(s[1]);
}

struct reader {
	pthread_t thread;
	int from, to;
	ssize_t got;
};

static int readers_gone;

static void *splice_all(void *arg)
{
	struct reader *r = arg;

	while (splice(r->from, NULL, r->to, NULL, 1, 0) == 1)
		r->got++;
	__atomic_fetch_add(&readers_gone, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *write_and_close(void *arg)
{
	struct reader *r = arg;

	r->got = write(r->to, "x", 1);
	close(r->to);
	return NULL;
}

/* The end is told when the writers are gone and all is read: not when another reader was there first. */
static void test_splice_readers(void)
{
	int fd[2], null = open("/dev/null", O_WRONLY), wrong = 0;
	struct reader r[4];

	CHECK(pipe(fd) == 0);
	for (int i = 0; i < 4; i++) {
		r[i] = (struct reader){ .from = fd[0], .to = null };
		pthread_create(&r[i].thread, NULL, splice_all, &r[i]);
	}
	/* Each byte finds all of them waiting, or nearly. */
	for (int i = 0; i < 10000; i++) {
		CHECK(write(fd[1], "a", 1) == 1);
		usleep(i % 64 ? 0 : 1000);
	}
	CHECK(!__atomic_load_n(&readers_gone, __ATOMIC_SEQ_CST));
	close(fd[1]);
	for (int i = 0; i < 4; i++)
		pthread_join(r[i].thread, NULL);
	CHECK(r[0].got + r[1].got + r[2].got + r[3].got == 10000);
	close(fd[0]);
	for (int i = 0; i < 3000; i++) {
		CHECK(pipe(fd) == 0);
		r[0].to = fd[1];
		pthread_create(&r[0].thread, NULL, write_and_close, &r[0]);
		wrong += splice(fd[0], NULL, null, NULL, 1, 0) != 1;
		pthread_join(r[0].thread, NULL);
		wrong += splice(fd[0], NULL, null, NULL, 1, 0) != 0;
		close(fd[0]);
	}
	CHECK(!wrong);
	close(null);
}

/* What gives less than was asked for (a line, a record) gave what there was: nobody waits for more. */
static void test_splice_records(void)
{
	int fd[2], record = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), same = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ssize_t got, spliced;

	if (record >= 0 && same >= 0) {
		CHECK(pipe(fd) == 0);
		got = read(record, bytes, 8192);
		spliced = splice(same, NULL, fd[1], NULL, 8192, 0);
		/* Linux does not splice from this file. */
		CHECK(got > 0 && (spliced == got || (spliced == -1 && errno == EINVAL)));
		close(fd[0]);
		close(fd[1]);
	}
	close(record);
	close(same);
}

static volatile sig_atomic_t too_large;

static void on_too_large(int signo)
{
	(void)signo;
	too_large++;
}

/* RLIMIT_FSIZE: EFBIG and a signal, whichever call would make the file larger. */
static void test_file_limit(void)
{
	struct rlimit was, limit;
	int fd = memfd_create("limit", 0);

	signal(SIGXFSZ, on_too_large);
	CHECK(getrlimit(RLIMIT_FSIZE, &was) == 0);
	limit = (struct rlimit){ 8192, was.rlim_max };
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK(fallocate(fd, 0, 0, 8192) == 0 && !too_large);
	CHECK_ERROR(fallocate(fd, 0, 8192, 4096), EFBIG);
	CHECK(too_large == 1);
	CHECK_ERROR(ftruncate(fd, 8193), EFBIG);
	CHECK(too_large == 2);
	CHECK_ERROR(pwrite(fd, "x", 1, 8192), EFBIG);
	CHECK(too_large == 3);
	CHECK(pwrite(fd, "abc", 3, 8190) == 2 && too_large == 3);
	CHECK(setrlimit(RLIMIT_FSIZE, &was) == 0);
	signal(SIGXFSZ, SIG_DFL);
	close(fd);
}

/* The first of two files becomes ready while the second is not yet waited for: over and over, on whatever CPU. */
static void test_poll_of_two(void)
{
	int ask[2], answer[2], never[2];
	char byte = 0;
	pid_t pid;

	CHECK(!pipe(ask) && !pipe(answer) && !pipe(never));
	pid = fork();
	if (!pid) {
		close(ask[1]);
		while (read(ask[0], &byte, 1) == 1)
			(void)!write(answer[1], &byte, 1);
		_exit(0);
	}
	for (int i = 0; i < 20000; i++) {
		struct pollfd two[2] = { { answer[0], POLLIN, 0 }, { never[0], POLLIN, 0 } };
		struct timespec begin, end;

		(void)!write(ask[1], &byte, 1);
		clock_gettime(CLOCK_MONOTONIC, &begin);
		CHECK(poll(two, 2, 10000) == 1 && read(answer[0], &byte, 1) == 1);
		clock_gettime(CLOCK_MONOTONIC, &end);
		if (end.tv_sec - begin.tv_sec >= 10) {
			CHECK(!"poll(2) of two files has slept on");
			break;
		}
	}
	close(ask[1]);
	CHECK(waitpid(pid, NULL, 0) == pid);
	close(ask[0]);
	for (int i = 0; i < 2; i++) {
		close(answer[i]);
		close(never[i]);
	}
}

int main(void)
{
	test_poll_of_two();
	test_dup();
	test_rw();
	test_copy();
	test_readahead();
	test_cachestat();
	test_splice();
	test_vmsplice();
	test_pipe();
	test_fifo();
	test_poll();
	test_locks();
	test_position();
	test_devices();
	test_socketpair();
	test_packets(SOCK_DGRAM);
	test_packets(SOCK_SEQPACKET);
	test_wait_all();
	test_splice_readers();
	test_splice_records();
	test_file_limit();
	return finish("descriptors");
}
