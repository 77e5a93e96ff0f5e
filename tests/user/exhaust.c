// SPDX-License-Identifier: MIT
/*
 * All of something is taken: memory, mappings, descriptors, processes, files, pipes, signals, timers. Who takes it gets
 * an error or a signal in the end; the others go on, and it all comes back.
 */
#define _GNU_SOURCE
#include "leak.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* @work in a child. Return: its status. */
static int in_child(void (*work)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		failures = 0;
		work();
		fflush(stdout);
		_exit(failures ? 1 : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

/* Until the kernel says no: to the mapping, or to the page. */
static void take_memory(void)
{
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			CHECK(errno == ENOMEM);
			return;
		}
		memset(p, 1, 1 << 20);
	}
}

static void take_memory_limited(void)
{
	struct rlimit limit = { 64 << 20, 64 << 20 };

	setrlimit(RLIMIT_AS, &limit);
	take_memory();
}

static void take_locked(void)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	char *p;

	CHECK(setresuid(1000, 1000, 1000) == 0);
	setrlimit(RLIMIT_MEMLOCK, &limit);
	CHECK(mlockall(MCL_FUTURE) == 0 || errno == ENOMEM);
	p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p == MAP_FAILED ? errno == EAGAIN : mlock(p, 4 << 20) == -1);
}

static void take_mappings(void)
{
	char *base = mmap(NULL, 1ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int made = 0;

	CHECK(base != MAP_FAILED);
	for (char *p = base; p < base + (1ul << 30); p += 8192, made++)
		if (mprotect(p, 4096, PROT_READ))
			break;
	CHECK(errno == ENOMEM && made > 10000 && made < 65530);
	/* Unmapping in the middle would need one more, too; unmapping whole ones does not. */
	CHECK(munmap(base, 1 << 20) == 0);
	CHECK(mprotect(base + (1 << 20), 4096, PROT_READ | PROT_WRITE) == 0);
}

static void take_descriptors(void)
{
	struct rlimit limit = { 4096, 4096 };
	int fd, last = -1;

	setrlimit(RLIMIT_NOFILE, &limit);
	while ((fd = dup(0)) >= 0)
		last = fd;
	CHECK(errno == EMFILE && last == 4095);
	CHECK_ERROR(open("/dev/null", O_RDONLY), EMFILE);
	CHECK_ERROR(memfd_create("x", 0), EMFILE);
	int ends[2];
	CHECK_ERROR(pipe(ends), EMFILE);
	close(last);
	CHECK_ERROR(pipe(ends), EMFILE);
	CHECK(dup(0) == last);
}

/* Pipes, full, until there are no more: memory of the kernel's for an ordinary user. */
static void take_pipes(void)
{
	struct rlimit limit = { 65536, 65536 };
	static char data[65536];
	int ends[2];

	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK(setresuid(1000, 1000, 1000) == 0);
	while (!pipe2(ends, O_NONBLOCK))
		(void)!write(ends[1], data, sizeof(data));
	CHECK(errno == EMFILE || errno == ENFILE || errno == ENOMEM);
}

static void bomb(void)
{
	for (;;)
		if (fork() < 0)
			sched_yield();
}

static void bomb_limited(void)
{
	struct rlimit limit = { 50, 50 };

	setrlimit(RLIMIT_NPROC, &limit);
	if (setresuid(1000, 1000, 1000))
		_exit(1);
	bomb();
}

/* Without a limit but memory and numbers. */
static void bomb_free(void)
{
	if (setresuid(1000, 1000, 1000))
		_exit(1);
	bomb();
}

/* Ends all of the bomb's user once it is told to. It is there before the bomb: later there may be no number left. */
static pid_t start_ender(int *tell)
{
	int ends[2];
	pid_t pid;

	CHECK(pipe(ends) == 0);
	pid = fork();
	if (!pid) {
		char byte;

		close(ends[1]);
		(void)!read(ends[0], &byte, 1);
		/* kill(-1) spares who sends it: one that may not fork first sees them all. */
		prctl(PR_SET_NAME, "ender");
		if (setresuid(1000, 1000, 1000))
			_exit(1);
		for (int quiet = 0; quiet < 3;)
			quiet = kill(-1, SIGKILL) ? quiet + 1 : 0;
		_exit(0);
	}
	CHECK(pid > 0);
	close(ends[0]);
	*tell = ends[1];
	return pid;
}

/* Lets them fork for a while, then ends them all, as their user could not any more. */
static void test_bomb(void (*work)(void), int seconds)
{
	int tell, status, ended = -1;
	pid_t ender = start_ender(&tell), pid = fork(), helper;

	if (!pid) {
		close(tell);
		work();
		_exit(0);
	}
	for (int i = 0; i < seconds * 10; i++) {
		/* Others still get their turn, and may fork. */
		usleep(100000);
		helper = i % 10 ? -1 : fork();
		if (!helper)
			_exit(0);
		if (helper > 0)
			CHECK(waitpid(helper, NULL, 0) == helper);
	}
	CHECK(write(tell, "", 1) == 1);
	close(tell);
	while ((helper = wait(&status)) > 0)
		if (helper == ender)
			ended = status;
	CHECK(ended == 0);
	CHECK(count_processes() < 20);
}

static void *sleeper(void *arg)
{
	(void)arg;
	pause();
	return NULL;
}

static void take_threads(void)
{
	pthread_attr_t small;
	pthread_t thread;
	int made = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 16384);
	while (made < 2000 && !pthread_create(&thread, &small, sleeper, NULL))
		made++;
	CHECK(made > 100);
}

/* tmpfs up to its size, and beyond memory's: an error or an end, no more. */
static void take_files(void)
{
	static char data[65536];
	int fd = open("/tmp/full/file", O_RDWR | O_CREAT, 0600);
	ssize_t got;

	CHECK(fd >= 0);
	while ((got = write(fd, data, sizeof(data))) > 0)
		;
	CHECK(got < 0 && errno == ENOSPC);
	CHECK(ftruncate(fd, 0) == 0 && write(fd, data, sizeof(data)) == sizeof(data));
	close(fd);
	for (int i = 0;; i++) {
		char name[64];

		snprintf(name, sizeof(name), "/tmp/full/%d", i);
		fd = open(name, O_RDWR | O_CREAT, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	CHECK(errno == ENOSPC);
}

static void take_memfd(void)
{
	static char data[1 << 20];
	int fd = memfd_create("full", 0);

	while (write(fd, data, sizeof(data)) > 0)
		;
	CHECK(errno == ENOMEM || errno == ENOSPC);
}

static void take_signals(void)
{
	struct rlimit limit = { 500, 500 };
	union sigval value = { .sival_int = 1 };
	sigset_t set;
	timer_t timer;
	int queued = 0, timers = 0;

	setrlimit(RLIMIT_SIGPENDING, &limit);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (queued < 100000 && !sigqueue(getpid(), SIGRTMIN, value))
		queued++;
	CHECK(errno == EAGAIN && queued >= 490 && queued <= 500);
	while (timers < 100000 && !timer_create(CLOCK_MONOTONIC, NULL, &timer))
		timers++;
	CHECK(timers < 100000 && errno == EAGAIN);
}

static void take_shm(void)
{
	int made = 0, id = 0, *ids = calloc(10000, sizeof(int));

	while (made < 10000 && (id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600)) >= 0)
		ids[made++] = id;
	CHECK(errno == ENOSPC || errno == ENOMEM);
	CHECK(made > 1000);
	while (made)
		CHECK(shmctl(ids[--made], IPC_RMID, NULL) == 0);
}

__attribute__((noinline)) static int deep(int n)
{
	volatile char page[4096];

	page[0] = (char)n;
	return n < 0 ? 0 : deep(n + 1) + page[0];
}

static void take_stack(void)
{
	_exit(deep(0) & 1);
}

/* No room for the program, which is found out when the old one is gone already. */
static void exec_without_room(void)
{
	struct rlimit limit = { 65536, 65536 };

	setrlimit(RLIMIT_AS, &limit);
	execl("/bin/busybox", "busybox", "true", NULL);
	_exit(1);
}

static void test_exec(void)
{
	for (int i = 0; i < 200; i++) {
		int status = in_child(exec_without_room);

		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
}

static void all(void)
{
	int status = in_child(take_memory);

	CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	CHECK(in_child(take_memory_limited) == 0);
	CHECK(in_child(take_locked) == 0);
	CHECK(in_child(take_mappings) == 0);
	CHECK(in_child(take_descriptors) == 0);
	status = in_child(take_pipes);
	CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	CHECK(in_child(take_threads) == 0);
	mkdir("/tmp/full", 0700);
	CHECK(mount("full", "/tmp/full", "tmpfs", 0, "size=4m,nr_inodes=300") == 0);
	CHECK(in_child(take_files) == 0);
	CHECK(umount("/tmp/full") == 0);
	status = in_child(take_memfd);
	CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	CHECK(in_child(take_signals) == 0);
	CHECK(in_child(take_shm) == 0);
	status = in_child(take_stack);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	test_exec();
	test_bomb(bomb_limited, 2);
	test_bomb(bomb_free, 4);
}

int main(void)
{
	struct resources before;
	struct rlimit core = { 0, 0 };

	if (getuid() || access("/init", F_OK)) {
		printf("exhaust: skipped: not the superuser on a machine of its own\n");
		return 0;
	}
	setrlimit(RLIMIT_CORE, &core);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	all();
	before = resources_now();
	all();
	check_resources(&before, 4096);
	return finish("exhaust");
}
