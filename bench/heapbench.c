// SPDX-License-Identifier: MIT
/*
 * The heap against malloc(3) of others, in one run. Each allocator has a process of its own, where the dynamic linker
 * puts it in the place of the C library's (LD_PRELOAD); they are asked for one round each in turn, so that what else
 * the machine does hits all alike. Times are ns of the thread's CPU time an operation, the median of the rounds; the
 * ratios are theirs over ours, above 1 where ours is faster.
 *
 *	pair          allocate one, free it at once
 *	batch of 64   allocate 64, free them; octavo-cache by kmem_cache_alloc_bulk() and kmem_cache_free_bulk()
 *	alloc, free   allocate 20000 (4000 from 4 KiB on), free them in the same order
 *	random free   the same in random order; alloc again: what was freed so
 *	two CPUs      allocated on one CPU and freed on another, both sides' time
 *	mix           sizes and lifetimes as in heap_mix.c
 *	memory        bytes taken over bytes live: 32 MiB of objects, half of them freed at random, and shrunk; what a
 *	              process has taken is its resident memory, what ours has taken are pages of the page allocator
 *
 * "octavo" is kmalloc() with a size known at run time, "octavo-cache" a kmem_cache. In the timed rows the others are
 * told to keep the memory they have, as they would otherwise take page faults in each round that ours has no kind of.
 *
 * Usage: heapbench [--quick] [--json] [PEER.so...]   A peer is a library with malloc() and free().
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heapbench.h"

#define ALLOCATORS_MAX 12u
#define ROUNDS_MAX 32u
#define WARM_ROUNDS 1u
/* File descriptors of a worker. */
#define REQUESTS 3
#define REPLIES 4
#define ERRORS 5

static const uint16_t sizes[] = { 8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192 };
#define SIZES (sizeof(sizes) / sizeof(*sizes))

struct allocator {
	const char *name, *library, *package;
	const char *keep; /* environment that makes it keep its memory */
	pid_t pid;
	int to, from;
	double values[ROUNDS_MAX][HEAP_VALUES];
};

static struct allocator allocators[ALLOCATORS_MAX] = {
	{ "octavo" },
	{ "octavo-cache" },
	{ "glibc", .keep = "GLIBC_TUNABLES=glibc.malloc.trim_threshold=1073741824" },
	{ "mimalloc", "libmimalloc.so.2", "libmimalloc2.0", "MIMALLOC_ALLOW_DECOMMIT=0" },
	{ "jemalloc", "libjemalloc.so.2", "libjemalloc2", "MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1" },
	{ "tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4", "TCMALLOC_RELEASE_RATE=0" },
};
static unsigned int nr = 6, rounds = 11;
static bool json;
static const char *json_comma = "";

static void fail(const char *who, const char *what)
{
	fprintf(stderr, "heapbench: %s: %s\n", who, what);
	exit(1);
}

/* ---- The worker ---- */

static size_t resident(void)
{
	char text[64];
	int fd = open("/proc/self/statm", O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	unsigned long pages = 0;

	close(fd);
	text[got > 0 ? got : 0] = 0;
	if (sscanf(text, "%*u %lu", &pages) != 1)
		fail("/proc/self/statm", "cannot be read");
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

struct side {
	void (*fn)(unsigned int cpu, void *arg);
	void *arg;
};

static void *second(void *side)
{
	((struct side *)side)->fn(1, ((struct side *)side)->arg);
	return NULL;
}

static void both(void (*fn)(unsigned int cpu, void *arg), void *arg)
{
	struct side side = { fn, arg };
	pthread_t thread;

	if (pthread_create(&thread, NULL, second, &side))
		fail("worker", "cannot start a thread");
	fn(0, arg);
	pthread_join(thread, NULL);
}

/* malloc() as the dynamic linker has it; @library must be where it comes from. NULL: it is not. */
static const struct heap_api *peer(const char *library)
{
	static struct heap_api api = { .taken = resident, .both = both };
	void *f = dlsym(RTLD_DEFAULT, "malloc"), *g = dlsym(RTLD_DEFAULT, "free");
	const char *base = strrchr(library, '/');
	Dl_info info;

	base = base ? base + 1 : library;
	if (!f || !g || !dladdr(f, &info) || (*base && !strstr(info.dli_fname, base)))
		return NULL;
	*(void **)&api.alloc = f;
	*(void **)&api.free = g;
	return &api;
}

static int work(const char *name, const char *library)
{
	struct heap_request request;
	struct heap_reply reply;
	const struct heap_api *api;

	dup2(ERRORS, STDERR_FILENO);
	if (!strncmp(name, "octavo", 6))
		api = heap_octavo(name[6]);
	else
		api = peer(library);
	if (!api)
		return 3;
	heap_rows_init(api);
	while (read(REQUESTS, &request, sizeof(request)) == sizeof(request)) {
		heap_rows_run(&request, &reply);
		if (write(REPLIES, &reply, sizeof(reply)) != sizeof(reply))
			return 1;
	}
	return 0;
}

/* ---- The driver ---- */

static void start(struct allocator *a, bool keep)
{
	int down[2], up[2], null;

	if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC) || (a->pid = fork()) < 0)
		fail(a->name, "cannot start a process");
	if (!a->pid) {
		/* out of the way of the numbers they are to have */
		int requests = fcntl(down[0], F_DUPFD, 20), replies = fcntl(up[1], F_DUPFD, 20);

		dup2(requests, REQUESTS);
		dup2(replies, REPLIES);
		dup2(STDERR_FILENO, ERRORS);
		close(requests);
		close(replies);
		null = open("/dev/null", O_WRONLY); /* what the dynamic linker says of a library that is not there */
		dup2(null, STDERR_FILENO);
		if (a->library)
			setenv("LD_PRELOAD", a->library, 1);
		if (keep && a->keep)
			putenv(strdup(a->keep));
		execl("/proc/self/exe", "heapbench", "--worker", a->name, a->library ? a->library : "", (char *)NULL);
		_exit(2);
	}
	close(down[0]);
	close(up[1]);
	a->to = down[1];
	a->from = up[0];
}

static bool ask(struct allocator *a, uint32_t command, uint32_t size, double *values)
{
	struct heap_request request = { command, size };
	struct heap_reply reply;

	if (write(a->to, &request, sizeof(request)) != sizeof(request) ||
	    read(a->from, &reply, sizeof(reply)) != sizeof(reply))
		return false;
	memcpy(values, reply.values, sizeof(reply.values));
	return true;
}

static void must(struct allocator *a, uint32_t command, uint32_t size, double *values)
{
	if (!ask(a, command, size, values))
		fail(a->name, "its process died");
}

static void stop(struct allocator *a)
{
	close(a->to);
	close(a->from);
	waitpid(a->pid, NULL, 0);
}

/* Those that are not there are named and left out. */
static void start_all(void)
{
	unsigned int there = 0;
	double values[HEAP_VALUES];

	for (unsigned int i = 0; i < nr; i++) {
		struct allocator a = allocators[i];

		start(&a, true);
		if (ask(&a, CMD_HELLO, 0, values)) {
			allocators[there++] = a;
			continue;
		}
		stop(&a);
		if (i < 2)
			fail(a.name, "its machine does not boot");
		if (a.package)
			fprintf(stderr, "heapbench: without %s: %s is missing (Debian package %s)\n", a.name, a.library,
				a.package);
		else
			fprintf(stderr, "heapbench: without %s: %s cannot be loaded or has no malloc()\n", a.name,
				a.library);
	}
	nr = there;
}

/* ---- Tables ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const struct allocator *a, unsigned int value)
{
	double v[ROUNDS_MAX];

	for (unsigned int r = 0; r < rounds; r++)
		v[r] = a->values[r][value];
	qsort(v, rounds, sizeof(*v), compare);
	return v[rounds / 2];
}

static void head(const char *title, bool ratios)
{
	if (json)
		return;
	printf("\n%-14s", title);
	for (unsigned int i = 0; i < nr; i++)
		printf(" %12s", allocators[i].name);
	if (ratios)
		for (unsigned int i = 2; i < nr; i++)
			printf(" %9s/o", allocators[i].name);
	printf("\n");
}

static void line(const char *row, unsigned int size, const double *values, bool ratios)
{
	if (json) {
		printf("%s\n  {\"row\": \"%s\", \"size\": %u", json_comma, row, size);
		for (unsigned int i = 0; i < nr; i++)
			printf(", \"%s\": %.2f", allocators[i].name, values[i]);
		printf("}");
		json_comma = ",";
		return;
	}
	if (size)
		printf("%14u", size);
	else
		printf("%-14s", row);
	for (unsigned int i = 0; i < nr; i++)
		if (values[i] > 0)
			printf(" %12.2f", values[i]);
		else
			printf(" %12s", "-");
	if (ratios)
		for (unsigned int i = 2; i < nr; i++)
			printf(" %11.2f", values[i] / values[0]);
	printf("\n");
	fflush(stdout);
}

static const char *const row_names[HEAP_ROWS] = { "pair",	 "batch of 64", "alloc",   "free",
						  "random free", "alloc again", "two CPUs" };
static double table[HEAP_ROWS][SIZES][ALLOCATORS_MAX];

static void measure_size(unsigned int s)
{
	for (unsigned int r = 0; r < rounds + WARM_ROUNDS; r++) /* the first ones are written over */
		for (unsigned int i = 0; i < nr; i++) {
			double *values = allocators[i].values[r < WARM_ROUNDS ? 0 : r - WARM_ROUNDS];
			double other[HEAP_VALUES];

			must(&allocators[i], CMD_SINGLE, sizes[s], values);
			must(&allocators[i], CMD_RING, sizes[s], other);
			values[ROW_RING] = other[ROW_RING];
		}
	for (unsigned int row = 0; row < HEAP_ROWS; row++)
		for (unsigned int i = 0; i < nr; i++)
			table[row][s][i] = median(&allocators[i], row);
}

static void measure_sizes(void)
{
	for (unsigned int s = 0; s < SIZES; s++)
		measure_size(s);
	for (unsigned int row = 0; row < HEAP_ROWS; row++) {
		head(row_names[row], true);
		for (unsigned int s = 0; s < SIZES; s++)
			line(row_names[row], sizes[s], table[row][s], true);
	}
}

static void measure_mix(void)
{
	double values[ALLOCATORS_MAX] = { 0 };

	for (unsigned int r = 0; r < rounds + WARM_ROUNDS; r++)
		for (unsigned int i = 0; i < nr; i++)
			if (i != 1) /* a cache has one size */
				must(&allocators[i], CMD_MIXED, 0,
				     allocators[i].values[r < WARM_ROUNDS ? 0 : r - WARM_ROUNDS]);
	for (unsigned int i = 0; i < nr; i++)
		values[i] = i == 1 ? 0 : median(&allocators[i], 0);
	head("mix", true);
	line("mix", 0, values, true);
}

/* Each in a new process: what came before would leave free memory behind. */
static void measure_memory(void)
{
	static const char *const names[] = { "live", "half freed", "half, shrunk", "mix, at peak" };
	static double memory[4][SIZES + 1][ALLOCATORS_MAX];
	double values[HEAP_VALUES];

	for (unsigned int s = 0; s <= SIZES; s++)
		for (unsigned int i = 0; i < nr; i++) {
			if (s == SIZES && i == 1)
				continue;
			start(&allocators[i], false);
			must(&allocators[i], CMD_MEMORY, s < SIZES ? sizes[s] : 0, values);
			for (unsigned int m = 0; m < HEAP_MEMORIES; m++)
				memory[m][s][i] = values[m];
			stop(&allocators[i]);
			if (s < SIZES)
				continue;
			start(&allocators[i], false);
			must(&allocators[i], CMD_MEMORY, UINT32_MAX, values);
			memory[HEAP_MEMORIES][s][i] = values[HEAP_MEMORIES];
			stop(&allocators[i]);
		}
	for (unsigned int m = 0; m < 4; m++) {
		char row[32];

		snprintf(row, sizeof(row), "memory, %s", names[m]);
		head(names[m], false);
		for (unsigned int s = 0; s < SIZES && m < HEAP_MEMORIES; s++)
			line(row, sizes[s], memory[m][s], false);
		line(json ? row : "mix", 0, memory[m][SIZES], false);
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--worker"))
		return work(argv[2], argv[3]);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++) {
		const char *base = strrchr(argv[i], '/');

		if (!strcmp(argv[i], "--quick"))
			rounds = 3;
		else if (!strcmp(argv[i], "--json"))
			json = true;
		else if (argv[i][0] == '-' || nr == ALLOCATORS_MAX)
			fail(argv[i], argv[i][0] == '-' ? "no such option" : "one peer too many");
		else
			allocators[nr++] = (struct allocator){ base ? base + 1 : argv[i], argv[i] };
	}
	start_all();
	if (json)
		printf("{\"unit\": \"ns; memory: bytes taken over bytes live\", \"rows\": [");
	else
		printf("times in ns; \"X/o\": X's over octavo's\n");
	measure_sizes();
	measure_mix();
	for (unsigned int i = 0; i < nr; i++)
		stop(&allocators[i]);
	if (!json)
		printf("\nmemory taken over memory live\n");
	measure_memory();
	if (json)
		printf("\n]}\n");
	return 0;
}
