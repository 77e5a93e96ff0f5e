// SPDX-License-Identifier: MIT
/*
 * Figures of processes, of any kernel that runs static Linux programs: how many page faults a second one thread and two
 * threads of one process take in memory of their own, and what memory a process takes beyond its pages.
 *
 *	procbench faults [ROUNDS]	rows "R faults.N_threads MEDIAN BEST faults/s"
 *	procbench fork [CHILDREN]	rows "R memory.fork.WHAT BYTES bytes/process"
 *	procbench exec [CHILDREN]	the same, "R memory.exec.WHAT"
 *
 * faults: a round is PAGES stores by each thread, one a page, into its own part of one private mapping; nothing is
 * mapped there. The clock runs from when all may begin until the last is done. Giving the pages back is not counted.
 *
 * fork, exec: of /proc/meminfo, what becomes of a count when CHILDREN processes are there that sleep: as fork()
 * makes them, or those that run this program anew. Their anonymous pages are not counted, their page tables, kernel
 * stacks and structures are. "all" is what is missing of MemFree; on a machine where others work, too, it says little.
 * To be measured after a boot: what processes that are gone leave to the next is not counted.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGES 512u
#define ROUNDS_MAX 10000u
#define THREADS_MAX 2u
#define CHILDREN_MAX 4000u

static size_t page;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- Faults ---- */

static char *part[THREADS_MAX];
static pthread_barrier_t begin, end;
static unsigned int rounds;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* *@took: until the last thread was done. */
static void one_round(unsigned int thread, double *took)
{
	double from;

	pthread_barrier_wait(&begin);
	from = now();
	for (size_t i = 0; i < PAGES; i++)
		((volatile char *)part[thread])[i * page] = 1;
	pthread_barrier_wait(&end);
	*took = now() - from;
	if (madvise(part[thread], PAGES * page, MADV_DONTNEED))
		die("madvise");
}

static void *other_thread(void *arg)
{
	double took;

	for (unsigned int r = 0; r < rounds; r++)
		one_round((unsigned int)(size_t)arg, &took);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void faults(unsigned int threads)
{
	/* A table of page tables lies between the parts: no two threads are in one last-level table. */
	size_t stride = PAGES * page + (2u << 20);
	pthread_t others[THREADS_MAX];
	static double took[ROUNDS_MAX];
	char *all = mmap(NULL, threads * stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED || madvise(all, threads * stride, MADV_NOHUGEPAGE))
		die("mmap");
	if (pthread_barrier_init(&begin, NULL, threads) || pthread_barrier_init(&end, NULL, threads))
		die("barrier");
	for (unsigned int t = 0; t < threads; t++)
		part[t] = all + t * stride;
	for (unsigned int t = 1; t < threads; t++)
		if (pthread_create(&others[t], NULL, other_thread, (void *)(size_t)t))
			die("pthread_create");
	for (unsigned int r = 0; r < rounds; r++)
		one_round(0, &took[r]);
	for (unsigned int t = 1; t < threads; t++)
		pthread_join(others[t], NULL);
	qsort(took, rounds, sizeof(took[0]), by_size);
	printf("R faults.%u_thread%s %12.0f %12.0f faults/s\n", threads, threads > 1 ? "s" : " ",
	       threads * PAGES / took[rounds / 2], threads * PAGES / took[0]);
	munmap(all, threads * stride);
}

/* ---- Memory ---- */

static const char *const counts[] = { "MemFree", "AnonPages", "PageTables", "KernelStack", "Slab" };
enum { MEMFREE, ANONPAGES, PAGETABLES, KERNELSTACK, SLAB, COUNTS };

/* In bytes; -1: there is no such line. */
static void read_counts(long long bytes[COUNTS])
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];

	if (!f)
		die("/proc/meminfo");
	for (int i = 0; i < COUNTS; i++)
		bytes[i] = -1;
	while (fgets(line, sizeof(line), f))
		for (int i = 0; i < COUNTS; i++) {
			size_t len = strlen(counts[i]);

			if (!strncmp(line, counts[i], len) && line[len] == ':')
				bytes[i] = atoll(line + len + 1) * 1024;
		}
	fclose(f);
}

/* A child that says that it is there, and sleeps. */
static pid_t start(const char *self, int ready)
{
	pid_t pid = fork();
	char text[16];

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	if (self) {
		snprintf(text, sizeof(text), "%d", ready);
		execl(self, "procbench", "sleep", text, (char *)NULL);
		perror(self);
		_exit(write(ready, "", 1) != 1);
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void memory(const char *kind, const char *self, unsigned int children)
{
	static pid_t pids[CHILDREN_MAX];
	long long before[COUNTS], after[COUNTS];
	int ready[2];
	char byte;

	if (pipe(ready))
		die("pipe");
	/* The pages of these variables are there before anything is counted. */
	memset(pids, 1, sizeof(pids));
	read_counts(before);
	read_counts(before);
	for (unsigned int i = 0; i < children; i++) {
		pids[i] = start(self, ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			die("read");
	}
	usleep(200000);
	read_counts(after);
	for (unsigned int i = 0; i < children; i++)
		kill(pids[i], SIGKILL);
	for (unsigned int i = 0; i < children; i++)
		waitpid(pids[i], NULL, 0);
	printf("R memory.%s.%-12s %8lld bytes/process\n", kind, "all",
	       (before[MEMFREE] - after[MEMFREE] - (after[ANONPAGES] - before[ANONPAGES])) / children);
	printf("R memory.%s.%-12s %8lld bytes/process (not in all)\n", kind, "AnonPages",
	       (after[ANONPAGES] - before[ANONPAGES]) / children);
	for (int i = PAGETABLES; i < COUNTS; i++)
		if (after[i] >= 0)
			printf("R memory.%s.%-12s %8lld bytes/process\n", kind, counts[i],
			       (after[i] - before[i]) / children);
	close(ready[0]);
	close(ready[1]);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	unsigned int n = argc > 2 ? (unsigned int)atoi(argv[2]) : 0;

	page = (size_t)sysconf(_SC_PAGESIZE);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "sleep") && argc > 2) {
		if (write((int)n, "", 1) != 1)
			return 1;
		for (;;)
			pause();
	} else if (!strcmp(what, "faults")) {
		rounds = n && n < ROUNDS_MAX ? n : 1000;
		faults(1);
		faults(2);
	} else if (!strcmp(what, "fork") || !strcmp(what, "exec")) {
		n = n && n < CHILDREN_MAX ? n : 1000;
		memory(what, *what == 'e' ? "/proc/self/exe" : NULL, n);
	} else {
		fprintf(stderr, "usage: procbench faults [ROUNDS] | memory [CHILDREN]\n");
		return 2;
	}
	return 0;
}
