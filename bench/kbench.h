/* SPDX-License-Identifier: MIT */
/*
 * Benches of the core from inside, freestanding: the same on bare metal and in a process. A bench registers
 * itself; its rows carry the names under which Linux was measured ("K:alloc_pages.KERNEL.o0.pair").
 */
#ifndef BENCH_KBENCH_H
#define BENCH_KBENCH_H

#include <octavo/types.h>

/**
 * struct kbench - a run of benches
 * @clock: ticks; under "-icount shift=0" the time stamp counter is one a guest instruction
 * @unit: what a tick is: "insn" or "ns"
 * @only: rows whose name, without "K:", begins with this; NULL: all
 * @emit, @ctx: take each line of output
 * @rows: printed so far
 */
struct kbench {
	u64 (*clock)(void);
	const char *unit;
	const char *only;
	void (*emit)(void *ctx, const char *text, size_t len);
	void *ctx;
	unsigned int rows;
};

struct kbench_case {
	const char *name; /* what all its rows' names begin with, after "K:" */
	void (*run)(struct kbench *b, const struct kbench_case *c);
	gfp_t gfp;
	unsigned int order;
	unsigned long count;
	unsigned int size; /* of an object, bytes */
	unsigned int line; /* in its file; the compiler may emit them in any order, they run in this one */
};

/* A file whose benches come behind those of others sets a number that all its lines are added to. */
#ifndef KBENCH_BEHIND
#define KBENCH_BEHIND 0
#endif

#define KBENCH(id, ...)                                                                     \
	static const struct kbench_case kbench_case_##id                                     \
		__attribute__((used, section("octavo_benches"), aligned(sizeof(void *)))) = { \
			__VA_ARGS__, .line = KBENCH_BEHIND + __LINE__                                        \
		}

/*
 * kbench_run - run the benches that have rows @b->only asks for
 * Context: thread context, nothing else running on this CPU. Return: 0, or -ENOENT if there is no such row.
 */
int kbench_run(struct kbench *b);

/* ---- For the files that have benches ---- */

#define KBENCH_REPEATS 9

/* Prints a row, if it is wanted: median and least of the ticks, which are changed, by @ops, and what one is. */
void kbench_row(struct kbench *b, const char *name, u64 ticks[KBENCH_REPEATS], u64 ops, const char *per);
__printf(2, 3) void kbench_fail(struct kbench *b, const char *fmt, ...);
/* The same order in every run. */
void kbench_shuffle(void **blocks, unsigned long count);

#endif
