// SPDX-License-Identifier: MIT
/* Threads: futexes behind the C library's locks, thread-local storage, faults side by side, ends of all kinds. */
#define _GNU_SOURCE
#include "check.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { THREADS = 8, ROUNDS = 2000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long counter, turn;
static __thread long own;

static void *add(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
		own++;
	}
	pthread_barrier_wait(&barrier);
	CHECK(own == ROUNDS);
	return arg;
}

static void test_mutex(void)
{
	pthread_t threads[THREADS];
	void *result;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, add, (void *)i));
	for (long i = 0; i < THREADS; i++)
		CHECK(!pthread_join(threads[i], &result) && result == (void *)i);
	CHECK(counter == (long)THREADS * ROUNDS);
}

static void *take_turns(void *arg)
{
	long me = (long)arg;

	for (int i = 0; i < 100; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 4 != me)
			pthread_cond_wait(&cond, &mutex);
		turn++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void test_cond(void)
{
	pthread_t threads[4];

	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, take_turns, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(turn == 400);
}

/* All fault, protect and unmap in one address space at once. */
static void *fault(void *arg)
{
	for (int i = 0; i < 40; i++) {
		size_t size = 64 * 4096;
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return (void *)1;
		for (size_t k = 0; k < size; k += 4096)
			p[k] = (char)i;
		if (mprotect(p + 4096, 4096, PROT_READ))
			return (void *)2;
		for (size_t k = 0; k < size; k += 4096)
			if (p[k] != (char)i)
				return (void *)3;
		munmap(p, size);
	}
	return arg;
}

static void test_faults(void)
{
	pthread_t threads[4];
	void *result;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, fault, NULL);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], &result) && !result);
}

static long futex(void *word, int op, int value, const struct timespec *time, void *word2, int value3)
{
	return syscall(SYS_futex, word, op, value, time, word2, value3);
}

static int *words;

static void *wait_for_word(void *arg)
{
	while (__atomic_load_n(&words[0], __ATOMIC_SEQ_CST) == 0)
		futex(&words[0], FUTEX_WAIT, 0, NULL, NULL, 0);
	return arg;
}

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
enum { WAITV_SHARED = 2, WAITV_PRIVATE = 130 };

struct waitv {
	unsigned long long value, addr;
	unsigned int flags, reserved;
};

static long waitv(const struct waitv *v, unsigned int nr, const struct timespec *until, int clock)
{
	return syscall(SYS_futex_waitv, v, nr, 0, until, clock);
}

/* One of several words: which one was woken. */
static void test_waitv(void)
{
	int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct waitv v[3], other;
	struct timespec until;
	int status = 0;
	pid_t pid;

	for (int i = 0; i < 3; i++)
		v[i] = (struct waitv){ 0, (unsigned long long)(word + i), WAITV_SHARED, 0 };
	CHECK_ERROR(waitv(v, 0, NULL, 0), EINVAL);
	CHECK_ERROR(waitv(v, 129, NULL, 0), EINVAL);
	CHECK_ERROR(syscall(SYS_futex_waitv, v, 1, 1, NULL, 0), EINVAL);
	CHECK_ERROR(waitv((void *)8, 1, NULL, 0), EFAULT);
	CHECK_ERROR(waitv(v, 1, (void *)8, CLOCK_MONOTONIC), EFAULT);
	clock_gettime(CLOCK_MONOTONIC, &until);
	CHECK_ERROR(waitv(v, 3, &until, 7), EINVAL);
	CHECK_ERROR(waitv(v, 3, &until, CLOCK_MONOTONIC), ETIMEDOUT);
	clock_gettime(CLOCK_REALTIME, &until);
	CHECK_ERROR(waitv(v, 3, &until, CLOCK_REALTIME), ETIMEDOUT);
	other = v[2];
	for (int i = 0; i < 4; i++) {
		v[2] = other;
		v[2].flags = i ? WAITV_SHARED : 0;
		v[2].reserved = i == 1;
		v[2].value = i == 2 ? 1ull << 32 : 1;
		CHECK_ERROR(waitv(v, 3, NULL, 0), i == 3 ? EAGAIN : EINVAL);
	}
	v[2] = other;
	v[1].flags = WAITV_PRIVATE;
	pid = fork();
	if (!pid)
		_exit((int)waitv(v, 3, NULL, 0) + 10);
	while (futex(word + 2, FUTEX_WAKE, 1, NULL, NULL, 0) != 1)
		usleep(1000);
	CHECK(waitpid(pid, &status, 0) == pid && status == 12 << 8);
	CHECK(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	munmap(word, 4096);
}

static void test_futex(void)
{
	struct timespec soon = { 0, 5000000 };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK_ERROR(futex(&words[1], FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	CHECK_ERROR(futex(&words[1], FUTEX_WAIT, 0, &soon, NULL, 0), ETIMEDOUT);
	CHECK_ERROR(futex((char *)words + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERROR(futex((void *)8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERROR(futex(&words[1], FUTEX_WAIT, 0, (void *)8, NULL, 0), EFAULT);
	CHECK(futex(&words[1], FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	/* Who wakes by a word that may lie in a file must name one that is there; by a private one, any. */
	CHECK(mprotect(page, 4096, PROT_NONE) == 0);
	CHECK_ERROR(futex(page, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERROR(futex(&words[1], FUTEX_REQUEUE, 1, (void *)1, page, 0), EFAULT);
	CHECK(futex(page, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0);
	CHECK(munmap(page, 4096) == 0);
	CHECK_ERROR(futex(page, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	/* Between processes. */
	pid = fork();
	if (!pid) {
		wait_for_word(NULL);
		_exit(0);
	}
	usleep(5000);
	__atomic_store_n(&words[0], 1, __ATOMIC_SEQ_CST);
	futex(&words[0], FUTEX_WAKE, 1, NULL, NULL, 0);
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* Moved from one word to another. */
	words[0] = words[1] = 0;
	pid = fork();
	if (!pid)
		_exit(futex(&words[0], FUTEX_WAIT, 0, NULL, NULL, 0) != 0);
	while (futex(&words[0], FUTEX_CMP_REQUEUE, 0, (void *)1, &words[1], 0) != 1)
		usleep(1000);
	CHECK(futex(&words[0], FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	CHECK(futex(&words[1], FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	munmap(words, 4096);
}

static void test_robust(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t *robust = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(robust, &attr);
	pid = fork();
	if (!pid) {
		pthread_mutex_lock(robust);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	CHECK(pthread_mutex_lock(robust) == EOWNERDEAD);
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *run_other(void *arg)
{
	execl("/proc/self/exe", "thread", "exit", (char *)NULL);
	return arg;
}

static void test_ends(void)
{
	pthread_t thread;
	int status;
	pid_t pid = fork();

	if (!pid) { /* exit_group with others asleep */
		for (int i = 0; i < 4; i++)
			pthread_create(&thread, NULL, sleep_for_ever, NULL);
		usleep(2000);
		exit(6);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 6);
	pid = fork();
	if (!pid) { /* the first thread leaves, another ends the process */
		pthread_create(&thread, NULL, fault, NULL);
		pthread_exit(NULL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	pid = fork();
	if (!pid) { /* another program, from one of several threads */
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, sleep_for_ever, NULL);
		usleep(2000);
		execl("/proc/self/exe", "thread", "exit", (char *)NULL);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 33);
	pid = fork();
	if (!pid) { /* the same from another than the first: it takes the first one's number */
		pthread_create(&thread, NULL, run_other, NULL);
		pause();
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 33);
	pthread_create(&thread, NULL, sleep_for_ever, NULL);
	usleep(1000);
	CHECK(pthread_cancel(thread) == 0);
	void *result;
	CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "exit"))
		return 33;
	test_mutex();
	test_cond();
	test_faults();
	test_futex();
	test_waitv();
	test_robust();
	test_ends();
	return finish("thread");
}
