// SPDX-License-Identifier: MIT
/* Processes: a tree of forks, vfork, exit status, orphans, groups and sessions, limits, death in mid-action. */
#define _GNU_SOURCE
#include "check.h"

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448 /* musl of Debian 12 does not know it */
#endif

#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static volatile int *shared;
static volatile int *volatile nowhere = (volatile int *)8;

static int status_of(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

/* 2^depth - 1 processes, each of which says so in shared memory. */
static void tree(int depth)
{
	__atomic_add_fetch(shared, 1, __ATOMIC_SEQ_CST);
	if (depth == 1)
		return;
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (!pid) {
			tree(depth - 1);
			_exit(failures);
		}
		CHECK(pid > 0 && status_of(pid) == 0);
	}
}

static void test_tree(void)
{
	*shared = 0;
	tree(6);
	CHECK(*shared == 63);
}

static void test_memory(void)
{
	enum { SIZE = 3 << 20 };
	char *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	memset(own, 1, SIZE);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < SIZE; i += 4096)
			own[i]++;
		for (int i = 0; i < SIZE; i += 4096)
			if (own[i] != 2)
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < SIZE; i += 4096)
		own[i] += 2;
	CHECK(status_of(pid) == 0);
	for (int i = 0; i < SIZE; i += 4096)
		if (own[i] != 3)
			failures++;
	munmap(own, SIZE);
}

static void test_status(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (!pid)
		_exit(42);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	CHECK(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 42);
	CHECK(WEXITSTATUS(status_of(pid)) == 42);
	CHECK_ERROR(waitpid(pid, NULL, 0), ECHILD);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	kill(pid, SIGKILL);
	int status = status_of(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	pid = fork();
	if (!pid)
		*nowhere = 1;
	status = status_of(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void test_vfork(void)
{
	volatile int seen = 0;
	pid_t pid = vfork();

	if (!pid) {
		seen = 7;
		_exit(0);
	}
	CHECK(seen == 7);
	CHECK(status_of(pid) == 0);
}

static void test_stop(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		for (;;)
			usleep(1000);
	kill(pid, SIGSTOP);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	kill(pid, SIGCONT);
	CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	kill(pid, SIGSTOP);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid);
	kill(pid, SIGKILL);
	CHECK(WTERMSIG(status_of(pid)) == SIGKILL);
}

static void test_orphan(void)
{
	pid_t pid;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid = fork();
	if (!pid) {
		if (!fork()) {
			while (getppid() != 1 && getppid() == *shared)
				usleep(100);
			_exit(5);
		}
		_exit(0);
	}
	*shared = pid;
	CHECK(status_of(pid) == 0);
	int status;
	CHECK(wait(&status) > 0 && WEXITSTATUS(status) == 5);
}

static void test_groups(void)
{
	pid_t pid = fork();

	if (!pid) {
		CHECK(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
		CHECK_ERROR(setsid(), EPERM);
		pid_t child = fork();
		if (!child) {
			CHECK(setpgid(0, 0) == 0 && getpgrp() == getpid());
			pause();
			_exit(0);
		}
		while (getpgid(child) != child)
			sched_yield();
		CHECK(kill(-child, SIGTERM) == 0);
		CHECK(WTERMSIG(status_of(child)) == SIGTERM);
		CHECK_ERROR(kill(-child, 0), ESRCH);
		_exit(failures);
	}
	CHECK(status_of(pid) == 0);
}

static void test_pidfd(void)
{
	pid_t pid = fork();
	siginfo_t info;

	if (!pid)
		for (;;)
			pause();
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	CHECK(fd >= 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	CHECK(poll(&poll_fd, 1, 0) == 0);
	CHECK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
	CHECK(poll(&poll_fd, 1, 5000) == 1 && (poll_fd.revents & POLLIN));
	CHECK(waitid((idtype_t)3, (id_t)fd, &info, WEXITED) == 0 && info.si_pid == pid);
	CHECK_ERROR(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH);
	close(fd);
	CHECK_ERROR(syscall(SYS_pidfd_open, pid, 0), ESRCH);
}

static long resident(pid_t pid)
{
	char path[32];
	long all = -1, there = -1;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	FILE *file = fopen(path, "r");
	CHECK(file && fscanf(file, "%ld %ld", &all, &there) == 2);
	if (file)
		fclose(file);
	return there;
}

/* process_mrelease: of who is dying only. */
static void test_mrelease(void)
{
	enum { SIZE = 16 << 20 };
	pid_t pid;

	*shared = 0;
	pid = fork();
	if (!pid) {
		memset(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, SIZE);
		*shared = 1;
		for (;;)
			pause();
	}
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	while (!*shared)
		usleep(1000);
	CHECK(resident(pid) >= SIZE / 4096);
	CHECK_ERROR(syscall(SYS_process_mrelease, fd, 1), EINVAL);
	CHECK_ERROR(syscall(SYS_process_mrelease, 0, 0), EBADF);
	CHECK_ERROR(syscall(SYS_process_mrelease, fd, 0), EINVAL);
	CHECK(kill(pid, SIGKILL) == 0);
	/* It may have gone meanwhile. */
	CHECK(syscall(SYS_process_mrelease, fd, 0) == 0 || errno == ESRCH);
	CHECK(WTERMSIG(status_of(pid)) == SIGKILL);
	CHECK_ERROR(syscall(SYS_process_mrelease, fd, 0), ESRCH);
	close(fd);
	*shared = 0;
}

/* A fork bomb of a user with a limit: it gets EAGAIN, and everybody else goes on. */
static void test_bomb(void)
{
	pid_t pid = fork();
	struct rlimit limit = { 40, 40 };
	int made = 0;

	if (!pid) {
		CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
		CHECK(setresuid(1000, 1000, 1000) == 0);
		for (;;) {
			pid_t child = fork();

			if (child < 0)
				break;
			if (!child) {
				pause();
				_exit(0);
			}
			made++;
		}
		CHECK(errno == EAGAIN && made >= 30 && made < 41);
		signal(SIGTERM, SIG_IGN);
		kill(-1, SIGTERM);
		while (wait(NULL) > 0)
			made--;
		CHECK(!made);
		_exit(failures);
	}
	CHECK(status_of(pid) == 0);
}

/* Children that fault, map, fork and sleep are killed at random moments. */
static void busy(unsigned int seed)
{
	for (;;) {
		size_t size = (seed % 64 + 1) * 4096;
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		seed = seed * 1103515245 + 12345;
		if (p == MAP_FAILED)
			_exit(1);
		memset(p, 1, size);
		if (seed >> 16 & 1) {
			pid_t pid = fork();

			if (!pid) {
				p[0] = 2;
				_exit(0);
			}
			if (pid > 0)
				waitpid(pid, NULL, 0);
		}
		munmap(p, size);
		usleep(seed >> 20 & 31);
	}
}

static void test_kill(void)
{
	for (unsigned int i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (!pid)
			busy(i);
		usleep(200 + i * 137 % 1500);
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK(WTERMSIG(status_of(pid)) == SIGKILL);
	}
	while (wait(NULL) > 0) /* what they had forked */
		;
}

/* A child's mappings are made where its parent's would be. */
static void test_layout(void)
{
	char *here = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(here, 4096);
	for (int i = 0; i < 8; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != here);
		CHECK(status_of(pid) == 0);
	}
}

/* What /proc shows of a process is looked at until it is gone: its files and places go while that is done. */
static void test_watched_end(void)
{
	static const char *const names[] = { "cwd", "root", "exe", "fd/1", "status" };
	char path[40], text[256];

	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();

		if (!pid) {
			CHECK(chdir("/proc") == 0);
			for (int j = 0; j < i; j++)
				sched_yield();
			_exit(0);
		}
		for (unsigned int j = 0; waitpid(pid, NULL, WNOHANG) == 0; j++) {
			int fd;

			snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[j % 5]);
			fd = open(path, O_RDONLY | O_NONBLOCK);
			CHECK(fd >= 0 || errno == ENOENT || errno == ESRCH || errno == EACCES || errno == ENXIO);
			if (fd >= 0) {
				(void)!read(fd, text, sizeof(text));
				close(fd);
			}
			(void)!readlink(path, text, sizeof(text));
		}
	}
}

/* execveat: a program found from a descriptor goes by that. */
static void test_execveat(void)
{
	char name[32], self[256], *argv[] = { "process", "execfn", name, NULL };
	int fd = open("/proc/self/exe", O_RDONLY), link;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CHECK(fd >= 0 && len > 0);
	self[len > 0 ? len : 0] = 0;
	for (int i = 0; i < 3; i++) {
		pid_t pid;

		if (i == 0)
			snprintf(name, sizeof(name), "/dev/fd/%d", fd);
		pid = fork();
		if (!pid) {
			if (i == 0) {
				syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
			} else if (i == 1) {
				argv[2] = self;
				syscall(SYS_execveat, fd, self, argv, environ, 0);
			} else {
				argv[2] = "exe";
				CHECK(chdir("/proc/self") == 0);
				syscall(SYS_execveat, AT_FDCWD, "exe", argv, environ, 0);
			}
			_exit(99);
		}
		CHECK(status_of(pid) == 0);
	}
	link = open("/proc/self", O_PATH);
	CHECK_ERROR(syscall(SYS_execveat, link, "exe", argv, environ, AT_SYMLINK_NOFOLLOW), ELOOP);
	CHECK_ERROR(syscall(SYS_execveat, link, "", argv, environ, AT_EMPTY_PATH), EACCES);
	CHECK_ERROR(syscall(SYS_execveat, fd, "", argv, environ, 0), ENOENT);
	CHECK_ERROR(syscall(SYS_execveat, fd, "exe", argv, environ, 0), ENOTDIR);
	CHECK_ERROR(syscall(SYS_execveat, -1, "", argv, environ, AT_EMPTY_PATH), EBADF);
	CHECK_ERROR(syscall(SYS_execveat, AT_FDCWD, self, argv, environ, 1), EINVAL);
	close(link);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "execfn"))
		return strcmp((const char *)getauxval(AT_EXECFN), argv[2]) != 0;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	test_tree();
	test_memory();
	test_status();
	test_vfork();
	test_layout();
	test_execveat();
	test_watched_end();
	test_stop();
	test_orphan();
	test_groups();
	test_pidfd();
	test_mrelease();
	test_bomb();
	test_kill();
	return finish("process");
}
