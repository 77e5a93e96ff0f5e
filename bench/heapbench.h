/* SPDX-License-Identifier: MIT */
/*
 * The heap benchmark's two halves: the driver (heapbench.c) starts a process for each allocator, tells it which row
 * to run next, and prints what comes back; the worker (heap_rows.c) measures. Both are the same program.
 */
#ifndef BENCH_HEAPBENCH_H
#define BENCH_HEAPBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An allocator as the rows see it. All are called through pointers of these types, straight into the library or the
 * core, with no function in between: malloc(3) leaves the second argument where it is.
 */
struct heap_api {
	void *(*alloc)(uintptr_t what, unsigned int flags); /* what: of handle(); flags: of this struct */
	void (*free)(void *object);
	unsigned int flags;
	/* What to ask for to get @size bytes; NULL: the size. */
	uintptr_t (*handle)(size_t size);
	/* With a cache: free and bulk calls take it too. NULL: free() and one by one. */
	void (*cache_free)(uintptr_t what, void *object);
	int (*alloc_bulk)(uintptr_t what, unsigned int flags, size_t nr, void **objects);
	void (*free_bulk)(uintptr_t what, size_t nr, void **objects);
	/* Bytes taken from the system below so far. */
	size_t (*taken)(void);
	/* Free memory that can be spared goes back: kmem_cache_shrink(). NULL: there is no such call. */
	void (*shrink)(uintptr_t what);
	/* fn(0) and fn(1) at once, each on a CPU of its own. */
	void (*both)(void (*fn)(unsigned int cpu, void *arg), void *arg);
};

/* What the driver asks of a worker, and the answer's values. */
enum heap_command {
	CMD_HELLO,  /* nothing: is it there? */
	CMD_SINGLE, /* one size on one CPU: the values up to ROW_REFILL */
	CMD_RING,   /* one size, freed on another CPU: ROW_RING */
	CMD_MIXED,  /* values[0]: ns a pair */
	CMD_MEMORY, /* one size, 0 the mix: bytes taken over bytes live, as in enum heap_memory */
};
enum heap_row { ROW_PAIR, ROW_BATCH, ROW_ALLOC, ROW_FREE, ROW_RANDOM, ROW_REFILL, ROW_RING, HEAP_ROWS };
enum heap_memory { MEMORY_FULL, MEMORY_HALF, MEMORY_SHRUNK, HEAP_MEMORIES };
#define HEAP_VALUES 8

struct heap_request {
	uint32_t command;
	uint32_t size;
};
struct heap_reply {
	double values[HEAP_VALUES];
};

#define HEAP_BATCH 64u
#define HEAP_OBJECTS_MAX (1u << 20)

/* heap_rows.c */
void heap_rows_init(const struct heap_api *api);
void heap_rows_run(const struct heap_request *request, struct heap_reply *reply);
void heap_pin(unsigned int cpu);

/* heap_mix.c: a program's allocations and frees */
#define MIX_SLOTS 65536u
struct mix {
	uint32_t *steps; /* slot << 12 | size in units of 8 bytes; 0: free what is in the slot */
	size_t nr, allocations;
	size_t live_peak; /* bytes */
};
const struct mix *mix_get(void);
size_t mix_size(uint64_t *state);
uint64_t heap_random(uint64_t *state);
void *heap_map(size_t bytes);

/* heap_octavo.c. @cached: kmem_cache_alloc() and its kin instead of kmalloc() */
const struct heap_api *heap_octavo(bool cached);

#endif
