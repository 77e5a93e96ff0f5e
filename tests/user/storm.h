/* SPDX-License-Identifier: MIT */
/*
 * A family of busy processes that are killed in the middle of anything and begun anew. Each has a number of things it
 * does, by chance; none needs to succeed.
 */
#ifndef TESTS_USER_STORM_H
#define TESTS_USER_STORM_H

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

static unsigned long storm_state;
static char *storm_shared;
#define STORM_SHARED (1ul << 20)

static unsigned long storm_random(void)
{
	storm_state = storm_state * 6364136223846793005ul + 1442695040888963407ul;
	return storm_state >> 33;
}

static void *storm_thread(void *arg)
{
	char *page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (page != MAP_FAILED) {
		memset(page, 1, 65536);
		munmap(page, 65536);
	}
	return NULL;
}

static void storm_threads(void)
{
	pthread_t thread[3];
	int made[3];

	for (int i = 0; i < 3; i++)
		made[i] = !pthread_create(&thread[i], NULL, storm_thread, NULL);
	for (int i = 0; i < 3; i++)
		if (made[i])
			pthread_join(thread[i], NULL);
}

/* A region of its own: mapped, written, cut, moved, advised, locked, forked with. */
static void storm_memory(void)
{
	size_t pages = storm_random() % 256 + 4, size = pages * 4096;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	static const int advice[] = { MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT,
				      MADV_WIPEONFORK, MADV_POPULATE_WRITE, MADV_DONTFORK };

	if (p == MAP_FAILED)
		return;
	for (size_t i = 0; i < pages; i += storm_random() % 8 + 1)
		p[i * 4096] = 1;
	madvise(p + 4096, size / 2 & ~4095ul, advice[storm_random() % (sizeof(advice) / sizeof(advice[0]))]);
	mprotect(p + 4096, 4096, PROT_READ);
	if (storm_random() & 1)
		mlock(p, 8192);
	if (storm_random() & 1) {
		pid_t pid = fork();

		if (!pid) {
			p[0] = 2;
			p[size - 4096] = 3;
			_exit(0);
		}
		p[8192] = 4;
		if (pid > 0 && storm_random() & 3)
			waitpid(pid, NULL, 0);
	}
	q = mremap(p, size, size + 65536, MREMAP_MAYMOVE);
	if (q == MAP_FAILED)
		q = p;
	munmap(q + 8192, 4096);
	munmap(q, size + 65536);
}

static void storm_files(void)
{
	static char buffer[32768];
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/tmp/storm.%lu", storm_random() % 4);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return;
	if (pwrite(fd, buffer, sizeof(buffer), (off_t)(storm_random() % 16 * 8192)) > 0) {
		int how = storm_random() & 1 ? MAP_SHARED : MAP_PRIVATE;
		char *map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, how, fd, 0);

		if (map != MAP_FAILED) {
			/* Others may cut it meanwhile: that is SIGBUS, and an end like others. */
			map[100] = 1;
			msync(map, 65536, MS_SYNC);
			munmap(map, 65536);
		}
	}
	if (!(storm_random() & 7) && ftruncate(fd, 0))
		(void)!fallocate(fd, 0, 0, 16384);
	if (!(storm_random() & 7))
		unlink(name);
	close(fd);
}

static void storm_talk(void)
{
	char text[4096] = "", back[4096];
	struct iovec local = { text, sizeof(text) }, remote = { storm_shared, sizeof(text) };
	int ends[2];

	if (!pipe(ends)) {
		if (write(ends[1], text, sizeof(text)) > 0)
			(void)!read(ends[0], back, sizeof(back));
		close(ends[0]);
		close(ends[1]);
	}
	process_vm_writev(getppid(), &local, 1, &remote, 1, 0);
	storm_shared[storm_random() % STORM_SHARED]++;
}

static void storm_shm(void)
{
	int id = shmget(IPC_PRIVATE, 65536, IPC_CREAT | 0600);
	char *at;

	if (id < 0)
		return;
	at = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	if (at == (char *)-1)
		return;
	at[5000] = 1;
	shmdt(at);
}

static void storm_exec(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execl("/bin/busybox", "true", NULL);
		_exit(1);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void storm_worker(unsigned long seed)
{
	static void (*const things[])(void) = { storm_memory, storm_memory, storm_files, storm_talk, storm_threads,
						storm_shm, storm_exec };

	storm_state = seed;
	setpgid(0, 0);
	dup2(open("/dev/null", O_RDWR), 2);
	for (;;)
		things[storm_random() % (sizeof(things) / sizeof(things[0]))]();
}

static long storm_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Orphans of a worker are in its group still. */
static void storm_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL); /* it may not have a group yet */
	waitpid(pid, NULL, 0);
	while (waitpid(-pid, NULL, WNOHANG) > 0 || !kill(-pid, SIGKILL))
		usleep(500);
}

/* @workers of them for @ms. */
static void storm(unsigned long seed, int workers, long ms)
{
	pid_t pid[16] = { 0 };
	unsigned long begun = 0, state = seed;
	long end = storm_now() + ms;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (storm_shared == NULL || storm_shared == MAP_FAILED)
		storm_shared = mmap(NULL, STORM_SHARED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while (storm_now() < end) {
		int i;

		state = state * 6364136223846793005ul + 1442695040888963407ul;
		i = (int)((state >> 40) % (unsigned long)workers);
		storm_kill(pid[i]);
		pid[i] = fork();
		if (!pid[i])
			storm_worker(seed * 1000 + begun);
		begun += pid[i] > 0;
		usleep((useconds_t)(state >> 33 & 16383));
	}
	for (int i = 0; i < workers; i++)
		storm_kill(pid[i]);
	while (wait(NULL) > 0)
		;
	munmap(storm_shared, STORM_SHARED);
	storm_shared = NULL;
	for (int i = 0; i < 4; i++) {
		char name[32];

		snprintf(name, sizeof(name), "/tmp/storm.%d", i);
		unlink(name);
	}
	CHECK(begun > 0);
}

#endif
