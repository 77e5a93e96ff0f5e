// SPDX-License-Identifier: MIT
/* What a worker measures: one round of one row at a time. Times are of the thread's own CPU time. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "heapbench.h"

#define PAIRS 200000u
#define LIVE_BYTES ((size_t)32 << 20)
#define BLOCK 512u /* objects handed over at once */
#define BLOCKS 200u
#define RING 8u

static const struct heap_api *api;
static void **objects;

/* One function for allocators with and without a cache, made into two, so that no call looks which it is. */
#define INLINE static inline __attribute__((always_inline))

INLINE void *get(const struct heap_api *a, uintptr_t what)
{
	void *p = a->alloc(what, a->flags);

	if (__builtin_expect(!p, 0)) {
		fprintf(stderr, "heapbench: out of memory\n");
		exit(1);
	}
	return p;
}

INLINE void put(const struct heap_api *a, bool cached, uintptr_t what, void *p)
{
	if (cached)
		a->cache_free(what, p);
	else
		a->free(p);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

void heap_pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void heap_rows_init(const struct heap_api *a)
{
	api = a;
	objects = heap_map(HEAP_OBJECTS_MAX * sizeof(*objects));
	heap_pin(0);
}

static void shuffle(size_t n)
{
	uint64_t state = 42;

	for (size_t i = n; i > 1; i--) {
		size_t k = heap_random(&state) % i;
		void *t = objects[i - 1];

		objects[i - 1] = objects[k];
		objects[k] = t;
	}
}

static uintptr_t handle_of(size_t size)
{
	return api->handle ? api->handle(size) : size;
}

/* ---- One size, one CPU ---- */

/* As many objects as Linux's rows were measured with. */
static size_t bulk_count(size_t size)
{
	return size < 4096 ? 20000 : 4000;
}

INLINE double time_pair(const struct heap_api *a, bool cached, uintptr_t what)
{
	double begin = now_ns();

	for (unsigned int i = 0; i < PAIRS; i++)
		put(a, cached, what, get(a, what));
	return (now_ns() - begin) / PAIRS;
}

INLINE double time_batch(const struct heap_api *a, bool cached, uintptr_t what)
{
	unsigned int rounds = PAIRS / HEAP_BATCH;
	double begin = now_ns();

	for (unsigned int r = 0; r < rounds; r++) {
		if (a->alloc_bulk) {
			if (a->alloc_bulk(what, a->flags, HEAP_BATCH, objects) != (int)HEAP_BATCH)
				exit(1);
			a->free_bulk(what, HEAP_BATCH, objects);
			continue;
		}
		for (unsigned int i = 0; i < HEAP_BATCH; i++)
			objects[i] = get(a, what);
		for (unsigned int i = 0; i < HEAP_BATCH; i++)
			put(a, cached, what, objects[i]);
	}
	return (now_ns() - begin) / (rounds * HEAP_BATCH);
}

INLINE double time_fill(const struct heap_api *a, uintptr_t what, size_t n)
{
	double begin = now_ns();

	for (size_t i = 0; i < n; i++)
		objects[i] = get(a, what);
	return (now_ns() - begin) / (double)n;
}

INLINE double time_drop(const struct heap_api *a, bool cached, uintptr_t what, size_t n)
{
	double begin = now_ns();

	for (size_t i = 0; i < n; i++)
		put(a, cached, what, objects[i]);
	return (now_ns() - begin) / (double)n;
}

INLINE void single(const struct heap_api *a, bool cached, size_t size, double *values)
{
	uintptr_t what = handle_of(size);
	size_t n = bulk_count(size);

	values[ROW_PAIR] = time_pair(a, cached, what);
	values[ROW_BATCH] = time_batch(a, cached, what);
	values[ROW_ALLOC] = time_fill(a, what, n);
	values[ROW_FREE] = time_drop(a, cached, what, n);
	(void)time_fill(a, what, n);
	shuffle(n);
	values[ROW_RANDOM] = time_drop(a, cached, what, n);
	values[ROW_REFILL] = time_fill(a, what, n);
	(void)time_drop(a, cached, what, n);
}

/* ---- Allocated on one CPU, freed on another ---- */

/*
 * Blocks of pointers go round a ring. A side's time counts only while it allocates or frees a block, not while it
 * waits for the other, so that it does not matter how the host schedules the two.
 */
static struct {
	uintptr_t what;
	double ns[2];
	unsigned int filled __attribute__((aligned(64)));
	unsigned int emptied __attribute__((aligned(64)));
	void *blocks[RING][BLOCK];
} ring;

static void wait_until(const unsigned int *counter, unsigned int least)
{
	while ((int)(__atomic_load_n(counter, __ATOMIC_ACQUIRE) - least) < 0)
		sched_yield();
}

INLINE void ring_side(const struct heap_api *a, bool cached, unsigned int cpu)
{
	double spent = 0;

	for (unsigned int b = 0; b < BLOCKS; b++) {
		void **block = ring.blocks[b % RING];
		double begin;

		if (cpu)
			wait_until(&ring.filled, b + 1);
		else if (b >= RING)
			wait_until(&ring.emptied, b - RING + 1);
		begin = now_ns();
		for (unsigned int i = 0; i < BLOCK; i++) {
			if (cpu)
				put(a, cached, ring.what, block[i]);
			else
				block[i] = get(a, ring.what);
		}
		spent += now_ns() - begin;
		__atomic_store_n(cpu ? &ring.emptied : &ring.filled, b + 1, __ATOMIC_RELEASE);
	}
	ring.ns[cpu] = spent / (BLOCKS * BLOCK);
}

static void ring_work(unsigned int cpu, void *arg)
{
	(void)arg;
	heap_pin(cpu);
	if (api->cache_free)
		ring_side(api, true, cpu);
	else
		ring_side(api, false, cpu);
}

static void run_ring(size_t size, double *values)
{
	ring.what = handle_of(size);
	ring.filled = ring.emptied = 0;
	api->both(ring_work, NULL);
	values[ROW_RING] = ring.ns[0] + ring.ns[1];
}

/* ---- The mix ---- */

static double bytes_taken_peak;

/* @watch: take note of the memory in use, now and then */
static double run_mix(const struct heap_api *a, bool watch)
{
	const struct mix *mix = mix_get();
	double begin = now_ns();

	for (size_t i = 0; i < mix->nr; i++) {
		uint32_t step = mix->steps[i], size = (step & 0xfff) * 8;
		void **slot = &objects[step >> 12];

		if (size) {
			*slot = get(a, size);
			**(uint32_t volatile **)slot = step; /* an object is at least begun */
			if (watch)
				memset(*slot, 1, size);
		} else {
			a->free(*slot);
		}
		if (watch && i % 16384 == 0 && (double)a->taken() > bytes_taken_peak)
			bytes_taken_peak = (double)a->taken();
	}
	return (now_ns() - begin) / (double)mix->allocations;
}

/* ---- Memory ---- */

static void memory_of_mix(double *values)
{
	const struct mix *mix = mix_get();
	double before = (double)api->taken();

	bytes_taken_peak = before;
	(void)run_mix(api, true);
	values[HEAP_MEMORIES] = (bytes_taken_peak - before) / (double)mix->live_peak;
}

static void run_memory(size_t size, double *values)
{
	size_t n = size ? LIVE_BYTES / size : 200000, live = 0, kept = 0;
	uintptr_t what = size ? handle_of(size) : 0;
	static uint32_t sizes[HEAP_OBJECTS_MAX];
	uint64_t state = 3;
	double before;

	n = n < HEAP_OBJECTS_MAX ? n : HEAP_OBJECTS_MAX;
	memset(sizes, 1, sizeof(sizes)); /* all of the bench's own memory is there before it is measured */
	before = (double)api->taken();
	for (size_t i = 0; i < n; i++) {
		sizes[i] = (uint32_t)(size ? size : mix_size(&state));
		objects[i] = get(api, size ? what : sizes[i]);
		memset(objects[i], 1, sizes[i]);
		live += sizes[i];
	}
	values[MEMORY_FULL] = ((double)api->taken() - before) / (double)live;
	for (size_t i = 0; i < n; i++) {
		if (heap_random(&state) & 1) {
			if (api->cache_free)
				api->cache_free(what, objects[i]);
			else
				api->free(objects[i]);
		} else {
			kept += sizes[i];
		}
	}
	values[MEMORY_HALF] = ((double)api->taken() - before) / (double)kept;
	if (api->shrink)
		api->shrink(what);
	values[MEMORY_SHRUNK] = ((double)api->taken() - before) / (double)kept;
	values[HEAP_MEMORIES] = 0;
}

void heap_rows_run(const struct heap_request *request, struct heap_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	switch (request->command) {
	case CMD_SINGLE:
		if (api->cache_free)
			single(api, true, request->size, reply->values);
		else
			single(api, false, request->size, reply->values);
		break;
	case CMD_RING:
		run_ring(request->size, reply->values);
		break;
	case CMD_MIXED:
		reply->values[0] = run_mix(api, false);
		break;
	case CMD_MEMORY:
		if (request->size != UINT32_MAX)
			run_memory(request->size, reply->values);
		else
			memory_of_mix(reply->values);
		break;
	default:
		break;
	}
}
