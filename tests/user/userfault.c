// SPDX-License-Identifier: MIT
/*
 * userfaultfd(2) as programs use it: a guest whose memory arrives page by page while it runs (post-copy), a snapshot
 * taken while it writes, pages that are shared, moved, poisoned, and what the handler hears of its threads' calls.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/userfaultfd.h>

/* Of later headers. */
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#define UFFD_FEATURE_POISON (1 << 14)
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#define UFFDIO_POISON _IOWR(0xaa, 8, struct uffdio_poison)
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)
struct uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};
#define UFFDIO_MOVE _IOWR(0xaa, 5, struct uffdio_move)
#endif

enum { PAGE = 4096, PAGES = 256 };

static int open_uffd(unsigned long features, int flags)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | flags);

	CHECK(fd >= 0);
	CHECK(ioctl(fd, UFFDIO_API, &api) == 0);
	return fd;
}

static char *map(size_t pages)
{
	char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

static int reg(int fd, void *at, size_t pages, unsigned long mode)
{
	struct uffdio_register r = { .range = { (uintptr_t)at, pages * PAGE }, .mode = mode };

	return ioctl(fd, UFFDIO_REGISTER, &r);
}

static int protect(int fd, void *at, size_t pages, unsigned long mode)
{
	struct uffdio_writeprotect w = { .range = { (uintptr_t)at, pages * PAGE }, .mode = mode };

	return ioctl(fd, UFFDIO_WRITEPROTECT, &w);
}

static int copy(int fd, void *to, const void *from, size_t pages)
{
	struct uffdio_copy c = { .dst = (uintptr_t)to, .src = (uintptr_t)from, .len = pages * PAGE };

	return ioctl(fd, UFFDIO_COPY, &c);
}

/* ---- Handlers ---- */

struct handler {
	int fd;
	char *at;
	char *saved; /* what pages were before they were written to */
	int faults, writes;
	int wp;
	volatile int stop;
	pthread_t thread;
};

static void handle_missing(struct handler *h, unsigned long page)
{
	char content[PAGE];

	for (int i = 0; i < PAGE; i++)
		content[i] = (char)(page * 7 + (unsigned)i);
	if (copy(h->fd, h->at + page * PAGE, content, 1)) {
		struct uffdio_range r = { (uintptr_t)h->at + page * PAGE, PAGE };

		CHECK(errno == EEXIST);
		CHECK(ioctl(h->fd, UFFDIO_WAKE, &r) == 0);
	}
}

static void *handler_main(void *arg)
{
	struct handler *h = arg;

	while (!h->stop) {
		struct pollfd p = { .fd = h->fd, .events = POLLIN };
		struct uffd_msg msg[4];
		ssize_t got;

		if (poll(&p, 1, 50) <= 0)
			continue;
		CHECK(p.revents == POLLIN);
		got = read(h->fd, msg, sizeof(msg));
		if (got < 0) {
			CHECK(errno == EAGAIN);
			continue;
		}
		for (int i = 0; i < got / (ssize_t)sizeof(msg[0]); i++) {
			unsigned long page = (msg[i].arg.pagefault.address - (uintptr_t)h->at) / PAGE;

			CHECK(msg[i].event == UFFD_EVENT_PAGEFAULT);
			h->faults++;
			h->writes += msg[i].arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE ? 1 : 0;
			if (h->wp) {
				memcpy(h->saved + page * PAGE, h->at + page * PAGE, PAGE);
				CHECK(protect(h->fd, h->at + page * PAGE, 1, 0) == 0);
			} else {
				handle_missing(h, page);
			}
		}
	}
	return NULL;
}

static void *reader_main(void *arg)
{
	const struct handler *h = arg;
	long wrong = 0;

	for (unsigned long n = 0; n < PAGES; n++) {
		unsigned long page = n * 37 % PAGES;

		for (int i = 0; i < PAGE; i += 511)
			wrong += h->at[page * PAGE + (unsigned)i] != (char)(page * 7 + (unsigned)i);
	}
	return (void *)wrong;
}

/* Post-copy: two threads and system calls meet pages that are not there yet. */
static void test_postcopy(void)
{
	struct handler h = { .fd = open_uffd(UFFD_FEATURE_THREAD_ID, O_NONBLOCK), .at = map(PAGES) };
	pthread_t readers[2];
	int pipe_fds[2];
	void *wrong;

	CHECK(reg(h.fd, h.at, PAGES, UFFDIO_REGISTER_MODE_MISSING) == 0);
	pthread_create(&h.thread, NULL, handler_main, &h);
	/* The kernel waits as well: a copy in from a page that is missing, and out to one. */
	CHECK(pipe(pipe_fds) == 0);
	CHECK(write(pipe_fds[1], h.at + 100 * PAGE, 64) == 64);
	CHECK(read(pipe_fds[0], h.at + 101 * PAGE, 64) == 64);
	CHECK(memcmp(h.at + 100 * PAGE, h.at + 101 * PAGE, 64) == 0);
	for (int i = 0; i < 64; i++)
		h.at[101 * PAGE + i] = (char)(101 * 7 + i);
	for (int i = 0; i < 2; i++)
		pthread_create(&readers[i], NULL, reader_main, &h);
	for (int i = 0; i < 2; i++) {
		pthread_join(readers[i], &wrong);
		CHECK(wrong == NULL);
	}
	h.stop = 1;
	pthread_join(h.thread, NULL);
	CHECK(h.faults >= PAGES && h.writes >= 1);
	close(h.fd);
	munmap(h.at, PAGES * PAGE);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* A snapshot: each page is saved when it is first written to. */
static void test_snapshot(void)
{
	struct handler h = { .fd = open_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP, O_NONBLOCK), .at = map(PAGES),
			     .saved = map(PAGES), .wp = 1 };
	long wrong = 0;

	for (int i = 0; i < PAGES; i++)
		memset(h.at + i * PAGE, i, PAGE);
	CHECK(reg(h.fd, h.at, PAGES, UFFDIO_REGISTER_MODE_WP) == 0);
	CHECK(protect(h.fd, h.at, PAGES, UFFDIO_WRITEPROTECT_MODE_WP) == 0);
	pthread_create(&h.thread, NULL, handler_main, &h);
	for (int i = 0; i < PAGES; i += 2)
		memset(h.at + i * PAGE, 0xee, PAGE);
	h.stop = 1;
	pthread_join(h.thread, NULL);
	for (int i = 0; i < PAGES; i++)
		wrong += *(unsigned char *)((i & 1 ? h.at : h.saved) + i * PAGE + 99) != (unsigned char)i;
	CHECK(wrong == 0);
	CHECK(h.faults == PAGES / 2);
	close(h.fd);
	h.at[PAGE] = 1; /* as ever */
	munmap(h.at, PAGES * PAGE);
	munmap(h.saved, PAGES * PAGE);
}

static void test_shared(void)
{
	int mem = memfd_create("shared", MFD_CLOEXEC), fd = open_uffd(UFFD_FEATURE_MINOR_SHMEM, O_NONBLOCK);
	struct uffdio_continue c = { .mode = 0 };
	char *a, *b;

	CHECK(ftruncate(mem, 4 * PAGE) == 0);
	a = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	b = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED);
	memset(b, 5, 2 * PAGE);
	CHECK(reg(fd, a, 4, UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_MISSING) == 0);
	c.range.start = (uintptr_t)a;
	c.range.len = 2 * PAGE;
	CHECK(ioctl(fd, UFFDIO_CONTINUE, &c) == 0 && c.mapped == 2 * PAGE);
	CHECK(a[0] == 5 && a[PAGE] == 5);
	CHECK(copy(fd, a + 2 * PAGE, a, 1) == 0 && b[2 * PAGE] == 5);
	CHECK_ERROR(copy(fd, a + 2 * PAGE, a, 1), EEXIST);
	close(fd);
	close(mem);
	munmap(a, 4 * PAGE);
	munmap(b, 4 * PAGE);
}

/* ---- What a handler hears ---- */

/* What was written since is found by a scan that protects it anew; no handler is asked. */
static void test_scan(void)
{
	struct {
		uint64_t start, end, categories;
	} found[4];
	uint64_t arg[12] = { sizeof(arg), 1, 0, 0, 0, (uintptr_t)found, 4, 0, 0, 2, 0, 2 };
	int fd = open_uffd(UFFD_FEATURE_WP_ASYNC, O_NONBLOCK), pagemap = open("/proc/self/pagemap", O_RDONLY);
	const int scan = (int)_IOC(_IOC_READ | _IOC_WRITE, 'f', 16, sizeof(arg));
	char *at = map(16);

	memset(at, 1, 16 * PAGE);
	arg[2] = (uintptr_t)at;
	arg[3] = (uintptr_t)at + 16 * PAGE;
	CHECK(reg(fd, at, 16, UFFDIO_REGISTER_MODE_WP) == 0);
	CHECK(ioctl(pagemap, scan, arg) == 1 && found[0].end - found[0].start == 16 * PAGE);
	CHECK(ioctl(pagemap, scan, arg) == 0);
	at[3 * PAGE] = at[9 * PAGE] = 2;
	CHECK(ioctl(pagemap, scan, arg) == 2);
	CHECK(found[0].start == (uintptr_t)at + 3 * PAGE && found[1].start == (uintptr_t)at + 9 * PAGE);
	CHECK(ioctl(pagemap, scan, arg) == 0 && arg[4] == arg[3]);
	close(pagemap);
	close(fd);
	munmap(at, 16 * PAGE);
}

static void *monitor_main(void *arg)
{
	struct handler *h = arg;
	struct uffd_msg msg;

	/* Blocking: it ends with the message that says so. */
	while (read(h->fd, &msg, sizeof(msg)) == sizeof(msg)) {
		h->faults |= 1 << (msg.event - UFFD_EVENT_PAGEFAULT);
		if (msg.event == UFFD_EVENT_FORK) {
			CHECK(fcntl((int)msg.arg.fork.ufd, F_GETFD) >= 0);
			close((int)msg.arg.fork.ufd);
		}
		if (msg.event == UFFD_EVENT_REMOVE)
			CHECK(msg.arg.remove.start == (uintptr_t)h->at &&
			      msg.arg.remove.end == (uintptr_t)h->at + PAGE);
		if (msg.event == UFFD_EVENT_REMAP) {
			CHECK(msg.arg.remap.from == (uintptr_t)h->at && msg.arg.remap.len == 2 * PAGE);
			h->at = (char *)(uintptr_t)msg.arg.remap.to;
		}
		if (msg.event == UFFD_EVENT_UNMAP && h->stop)
			return NULL;
	}
	CHECK(!"the monitor reads");
	return NULL;
}

static void test_events(void)
{
	struct handler h = { .fd = open_uffd(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
					     UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP, 0),
			     .at = map(4) };
	char *at = h.at, *to;
	int status = -1;
	pid_t pid;

	memset(at, 1, 4 * PAGE);
	CHECK(reg(h.fd, at, 4, UFFDIO_REGISTER_MODE_MISSING) == 0);
	pthread_create(&h.thread, NULL, monitor_main, &h);
	pid = fork();
	if (!pid)
		_exit(at[0] == 1 ? 0 : 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(madvise(at, PAGE, MADV_DONTNEED) == 0);
	to = mremap(at, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(to != MAP_FAILED && to != at && to[PAGE] == 1);
	h.stop = 1;
	CHECK(munmap(to, 8 * PAGE) == 0);
	pthread_join(h.thread, NULL);
	CHECK(h.faults == 0x1e);
	close(h.fd);
	munmap(at, 4 * PAGE);
}

/* ---- Signals, death ---- */

static sigjmp_buf back;
static volatile int code;

static void on_bus(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	code = info->si_code;
	siglongjmp(back, 1);
}

static int bus_code(volatile char *at)
{
	code = 0;
	if (!sigsetjmp(back, 1))
		(void)*at;
	return code;
}

static void test_poison_and_move(void)
{
	int fd = open_uffd(UFFD_FEATURE_POISON | UFFD_FEATURE_SIGBUS | UFFD_FEATURE_MOVE, O_NONBLOCK);
	struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO }, was;
	struct uffdio_poison poison = { .range.len = PAGE };
	struct uffdio_move move = { .len = PAGE };
	char *at = map(4), *from = map(1);

	sigaction(SIGBUS, &action, &was);
	CHECK(reg(fd, at, 4, UFFDIO_REGISTER_MODE_MISSING) == 0);
	poison.range.start = (uintptr_t)at;
	CHECK(ioctl(fd, UFFDIO_POISON, &poison) == 0 && poison.updated == PAGE);
	/* A Linux that knows no memory failures has one code for all. */
	CHECK(bus_code(at) == BUS_MCEERR_AR || code == BUS_ADRERR);
	CHECK(bus_code(at + PAGE) == BUS_ADRERR);
	*from = 3;
	move.src = (uintptr_t)from;
	move.dst = (uintptr_t)at + PAGE;
	CHECK(ioctl(fd, UFFDIO_MOVE, &move) == 0 && move.move == PAGE);
	CHECK(at[PAGE] == 3 && *from == 0);
	sigaction(SIGBUS, &was, NULL);
	close(fd);
	munmap(at, 4 * PAGE);
	munmap(from, PAGE);
}

static volatile int alarms;

static void on_alarm(int signo)
{
	(void)signo;
	alarms++;
}

static void *late_main(void *arg)
{
	struct handler *h = arg;
	struct uffd_msg msg;

	while (!alarms)
		usleep(1000);
	CHECK(read(h->fd, &msg, sizeof(msg)) == sizeof(msg));
	handle_missing(h, 0);
	return NULL;
}

/* A signal is handled while its thread waits for a page; one that is killed does not wait for ever. */
static void test_signals(void)
{
	struct handler h = { .fd = open_uffd(0, 0), .at = map(2) };
	struct itimerspec soon = { .it_value.tv_nsec = 50000000 };
	struct sigaction action = { .sa_handler = on_alarm };
	timer_t timer;
	int status = -1, ready[2];
	pid_t pid;
	char byte;

	sigaction(SIGALRM, &action, NULL);
	CHECK(reg(h.fd, h.at, 2, UFFDIO_REGISTER_MODE_MISSING) == 0);
	pthread_create(&h.thread, NULL, late_main, &h);
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	timer_settime(timer, 0, &soon, NULL);
	CHECK(h.at[7] == 7 && alarms == 1);
	pthread_join(h.thread, NULL);
	timer_delete(timer);
	close(h.fd);
	CHECK(pipe(ready) == 0);
	pid = fork();
	if (!pid) {
		char *own = map(1);
		int fd = open_uffd(0, 0);

		reg(fd, own, 1, UFFDIO_REGISTER_MODE_MISSING);
		(void)!write(ready[1], "x", 1);
		_exit(*own); /* nobody ever handles it */
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	usleep(20000);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(ready[0]);
	close(ready[1]);
	munmap(h.at, 2 * PAGE);
}

static void test_errors(void)
{
	struct uffdio_api api = { .api = 1 };
	struct pollfd p = { .events = POLLIN };
	struct uffd_msg msg;
	int dev, fd;

	CHECK_ERROR(syscall(SYS_userfaultfd, 1 << 20), EINVAL);
	fd = (int)syscall(SYS_userfaultfd, O_NONBLOCK);
	CHECK_ERROR(read(fd, &msg, sizeof(msg)), EINVAL);
	p.fd = fd;
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLERR);
	CHECK_ERROR(ioctl(fd, UFFDIO_API, &api), EINVAL);
	api.api = UFFD_API;
	CHECK(ioctl(fd, UFFDIO_API, &api) == 0);
	CHECK_ERROR(read(fd, &msg, sizeof(msg)), EAGAIN);
	CHECK_ERROR(read(fd, &msg, sizeof(msg) - 1), EINVAL);
	CHECK(poll(&p, 1, 0) == 0);
	CHECK_ERROR(ioctl(fd, 0xaa55, 0), EINVAL);
	close(fd);
	dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	CHECK(dev >= 0);
	fd = ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_ERROR(ioctl(dev, USERFAULTFD_IOC_NEW, 1 << 20), EINVAL);
	close(fd);
	close(dev);
	if (geteuid())
		return;
	fd = fork();
	if (!fd) {
		CHECK(setresuid(1000, 1000, 1000) == 0);
		CHECK_ERROR(syscall(SYS_userfaultfd, 0), EPERM);
		CHECK(syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY) >= 0);
		_exit(failures);
	}
	CHECK(waitpid(fd, &dev, 0) == fd && dev == 0);
}

int main(void)
{
	test_errors();
	test_postcopy();
	test_snapshot();
	test_shared();
	test_scan();
	test_events();
	test_poison_and_move();
	test_signals();
	return finish("userfault");
}
