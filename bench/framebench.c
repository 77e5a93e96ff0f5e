// SPDX-License-Identifier: MIT
/*
 * Page frames: the frame layer against its peers, all in one run, round by round in turn, so that what else the
 * machine does hits all alike. Times are ns of the thread's CPU time an operation, the median of the rounds.
 *
 *	pair        allocate one, free it at once
 *	alloc free  allocate a GiB, free it in the order of allocation
 *	lifo        allocate a GiB, free it in reverse
 *	repeat      hold a GiB in random order: free one, allocate one
 *	random      free a GiB in random order
 *	refill      free half of a GiB in random order; allocate as much again
 *
 * Then, for each share of free memory: how much of it order 9 can get after memory was filled with single
 * frames, a random share freed, and 200 rounds of a tenth of the rest freed and allocated again.
 *
 * Usage: framebench [--quick] [PEER.so...]   A peer has the functions of pfa.h.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pfa.h"

#define MAX_PEERS 8u
#define MAX_ROUNDS 32u
#define WARM_ROUNDS 2u
#define MAX_THREADS 2u
#define GIB_FRAMES 262144ul

enum { PAIR, ALLOC, FREE, LIFO, REPEAT, RANDOM, REFILL, NR_ROWS };
static const char *const row_names[NR_ROWS] = { "pair", "alloc", "free", "lifo", "repeat", "random", "refill" };

struct allocator {
	const char *name;
	int (*init)(size_t frames, unsigned int cpus);
	void (*fini)(void);
	size_t (*meta_bytes)(void);
	uint64_t (*alloc)(unsigned int order, unsigned int cpu);
	void (*free)(uint64_t frame, unsigned int order, unsigned int cpu);
	double times[MAX_THREADS][NR_ROWS][MAX_ROUNDS];
};

static struct allocator allocators[MAX_PEERS] = {
	{ "octavo", pf_init, pf_fini, pf_meta_bytes, pf_alloc, pf_free },
};
static unsigned int nr_allocators = 1, rounds = 11;
static size_t managed = 4 * GIB_FRAMES, per_thread = GIB_FRAMES;
static pthread_barrier_t barrier;

static void fail(const char *who, const char *what)
{
	fprintf(stderr, "framebench: %s: %s\n", who, what);
	exit(1);
}

/* The CPU time of this thread: what others do on the machine costs it little. A lock it spins for costs it all. */
static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state; /* splitmix64, Steele, Lea and Flood 2014 */

	x = *state += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static void shuffle(uint64_t *frames, size_t n, uint64_t *state)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = next_random(state) % i;
		uint64_t f = frames[i - 1];

		frames[i - 1] = frames[k];
		frames[k] = f;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* ---- One round of one allocator on one thread ---- */

struct job {
	struct allocator *a;
	unsigned int cpu, order, round;
	uint64_t *frames;
	size_t n;
	double started;
};

static void fill(struct job *j, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((j->frames[i] = j->a->alloc(j->order, j->cpu)) == PF_NONE)
			fail(j->a->name, "out of memory too early");
}

static void give_back(struct job *j, size_t n)
{
	for (size_t i = 0; i < n; i++)
		j->a->free(j->frames[i], j->order, j->cpu);
}

static void start(struct job *j)
{
	pthread_barrier_wait(&barrier);
	j->started = now_ns();
}

static void stop(struct job *j, unsigned int row, size_t operations)
{
	j->a->times[j->cpu][row][j->round] = (now_ns() - j->started) / (double)operations;
}

static void *run_job(void *arg)
{
	struct job *j = arg;
	uint64_t seed = 42 + j->cpu;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(j->cpu % (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
	start(j);
	for (size_t i = 0; i < 200000; i++) {
		uint64_t f = j->a->alloc(j->order, j->cpu);

		if (f == PF_NONE)
			fail(j->a->name, "nothing to allocate");
		j->a->free(f, j->order, j->cpu);
	}
	stop(j, PAIR, 200000);
	start(j);
	fill(j, j->n);
	stop(j, ALLOC, j->n);
	start(j);
	give_back(j, j->n);
	stop(j, FREE, j->n);
	fill(j, j->n);
	start(j);
	for (size_t i = j->n; i-- > 0;)
		j->a->free(j->frames[i], j->order, j->cpu);
	stop(j, LIFO, j->n);
	fill(j, j->n);
	shuffle(j->frames, j->n, &seed);
	start(j);
	for (size_t i = 0; i < j->n; i++) {
		j->a->free(j->frames[i], j->order, j->cpu);
		if ((j->frames[i] = j->a->alloc(j->order, j->cpu)) == PF_NONE)
			fail(j->a->name, "a frame was freed and none is there");
	}
	stop(j, REPEAT, j->n);
	start(j);
	give_back(j, j->n);
	stop(j, RANDOM, j->n);
	fill(j, j->n);
	shuffle(j->frames, j->n, &seed);
	give_back(j, j->n / 2);
	start(j);
	fill(j, j->n / 2);
	stop(j, REFILL, j->n / 2);
	give_back(j, j->n);
	return NULL;
}

static void run_round(struct allocator *a, unsigned int order, unsigned int threads, unsigned int round)
{
	static uint64_t *frames[MAX_THREADS];
	struct job jobs[MAX_THREADS];
	pthread_t thread[MAX_THREADS];

	pthread_barrier_init(&barrier, NULL, threads);
	for (unsigned int i = 0; i < threads; i++) {
		if (!frames[i] && !(frames[i] = malloc(per_thread * sizeof(uint64_t))))
			fail(a->name, "no memory for the bench itself");
		memset(frames[i], 1, per_thread * sizeof(uint64_t));
		jobs[i] = (struct job){ .a = a, .cpu = i, .order = order, .round = round, .frames = frames[i],
					.n = per_thread >> order };
		if (pthread_create(&thread[i], NULL, run_job, &jobs[i]))
			fail(a->name, "cannot start a thread");
	}
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&barrier);
}

static void measure(unsigned int order, unsigned int threads)
{
	for (unsigned int i = 0; i < nr_allocators; i++)
		if (allocators[i].init(managed, threads))
			fail(allocators[i].name, "cannot start");
	for (unsigned int r = 0; r < rounds + WARM_ROUNDS; r++) /* the first ones are written over */
		for (unsigned int i = 0; i < nr_allocators; i++)
			run_round(&allocators[i], order, threads, r < WARM_ROUNDS ? 0 : r - WARM_ROUNDS);
	for (unsigned int i = 0; i < nr_allocators; i++)
		allocators[i].fini();
	printf("\norder %u, %u thread%s%*s", order, threads, threads > 1 ? "s" : " ", order > 9 ? 0 : 1, "");
	for (unsigned int row = 0; row < NR_ROWS; row++)
		printf("%9s", row_names[row]);
	for (unsigned int i = 0; i < nr_allocators; i++) {
		printf("\n  %-17s", allocators[i].name);
		for (unsigned int row = 0; row < NR_ROWS; row++) {
			double sum = 0;

			for (unsigned int t = 0; t < threads; t++)
				sum += median(allocators[i].times[t][row], rounds);
			printf("%9.1f", sum / threads);
		}
	}
	printf("\n");
	fflush(stdout);
}

/* ---- Start and metadata; everything can be had; fragmentation ---- */

static void measure_start(void)
{
	printf("%-19s%15s%15s%13s\n", "4 GiB", "bytes a frame", "init, us", "order 0, %");
	for (unsigned int i = 0; i < nr_allocators; i++) {
		struct allocator *a = &allocators[i];
		double times[9], bytes = 0;
		size_t n = 0;

		for (unsigned int r = 0; r < 9; r++) {
			double started = now_ns();

			if (a->init(managed, 1))
				fail(a->name, "cannot start");
			times[r] = (now_ns() - started) / 1e3;
			bytes = (double)a->meta_bytes() / (double)managed;
			if (r == 8)
				while (a->alloc(0, 0) != PF_NONE)
					n++;
			a->fini();
		}
		printf("  %-17s%15.3f%15.1f%13.2f\n", a->name, bytes, median(times, 9),
		       100.0 * (double)n / (double)managed);
	}
}

/* The share of the free memory, in percent, that order 9 gets. */
static double huge_share(struct allocator *a, size_t frames, unsigned int percent, unsigned int churn)
{
	uint64_t *held = malloc(frames * sizeof(*held)), *huge = malloc((frames >> 9) * sizeof(*huge)), f, seed = 7;
	size_t n = 0, got = 0;

	if (!held || !huge || a->init(frames, 1))
		fail(a->name, "cannot start");
	while (n < frames && (f = a->alloc(0, 0)) != PF_NONE)
		held[n++] = f;
	for (unsigned int round = 0; round <= churn; round++) {
		size_t give = round ? n / 10 : n * percent / 100, keep = round ? n : n - give;

		while (give--) {
			size_t k = next_random(&seed) % n;

			a->free(held[k], 0, 0);
			held[k] = held[--n];
		}
		while (n < keep && (f = a->alloc(0, 0)) != PF_NONE)
			held[n++] = f;
	}
	while (got < frames >> 9 && (f = a->alloc(9, 0)) != PF_NONE)
		huge[got++] = f;
	a->fini();
	free(held);
	free(huge);
	return 100.0 * (double)(got << 9) / (double)(frames - n);
}

static void measure_fragmentation(unsigned int churn)
{
	static const unsigned int shares[] = { 50, 75, 90 };

	printf("\n%% of the free memory in order 9, %u rounds%14s%14s%14s\n", churn, "50 % free", "75 %", "90 %");
	for (unsigned int i = 0; i < nr_allocators; i++) {
		printf("  %-36s", allocators[i].name);
		for (unsigned int s = 0; s < sizeof(shares) / sizeof(*shares); s++)
			printf("%14.1f", huge_share(&allocators[i], GIB_FRAMES, shares[s], churn));
		printf("\n");
		fflush(stdout);
	}
}

static void load_peer(const char *path)
{
	struct allocator *a = &allocators[nr_allocators];
	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const char *(*name)(void);

	if (!so)
		fail(path, dlerror());
	if (nr_allocators == MAX_PEERS)
		fail(path, "one peer too many");
	*(void **)&name = dlsym(so, "pf_name");
	*(void **)&a->init = dlsym(so, "pf_init");
	*(void **)&a->fini = dlsym(so, "pf_fini");
	*(void **)&a->meta_bytes = dlsym(so, "pf_meta_bytes");
	*(void **)&a->alloc = dlsym(so, "pf_alloc");
	*(void **)&a->free = dlsym(so, "pf_free");
	if (!name || !a->init || !a->fini || !a->meta_bytes || !a->alloc || !a->free)
		fail(path, "lacks a pf_ function");
	a->name = name();
	nr_allocators++;
}

int main(int argc, char **argv)
{
	static const unsigned int orders[] = { 0, 3, 9 };
	bool quick = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			quick = true;
		else
			load_peer(argv[i]);
	}
	if (quick) {
		rounds = 3;
		per_thread = GIB_FRAMES / 4;
	}
	measure_start();
	for (unsigned int i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		for (unsigned int threads = 1; threads <= MAX_THREADS; threads++)
			measure(orders[i], threads);
	measure_fragmentation(quick ? 50 : 200);
	return 0;
}
