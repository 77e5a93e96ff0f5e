// SPDX-License-Identifier: MIT
/*
 * Rows of per-CPU memory and of RCU's readers, as in kbench.c. alloc_percpu.SIZE: an area and back, on this machine's
 * possible CPUs; this_cpu_inc: of a variable, and of an area in a later chunk.
 */
#define KBENCH_BEHIND 20000
#include "kbench.h"

#include <octavo/percpu_counter.h>
#include <octavo/rcupdate.h>

#include "mm/base/compiler.h"

#define REPEATS KBENCH_REPEATS
#define TIMES 1000u

static DEFINE_PER_CPU(unsigned long, bench_variable);

static void bench_areas(struct kbench *b, const struct kbench_case *c)
{
	u64 ticks[REPEATS], begin;

	for (unsigned int i = 0; i <= REPEATS; i++) {
		begin = b->clock();
		for (unsigned int n = 0; n < TIMES; n++) {
			void __percpu *p = __alloc_percpu(c->size, 8);

			if (unlikely(!p)) {
				kbench_fail(b, "%s: no memory\n", c->name);
				return;
			}
			free_percpu(p);
		}
		ticks[i % REPEATS] = b->clock() - begin;
	}
	kbench_row(b, c->name, ticks, TIMES, "pair");
}

#define REPEAT(stmt)                                                      \
	do {                                                              \
		u64 ticks[REPEATS], begin;                                \
		for (unsigned int i = 0; i <= REPEATS; i++) {             \
			begin = b->clock();                               \
			for (unsigned int n = 0; n < TIMES; n++)          \
				stmt;                                     \
			ticks[i % REPEATS] = b->clock() - begin;          \
		}                                                         \
		kbench_row(b, c->name, ticks, TIMES, "op");               \
	} while (0)

static void bench_inc(struct kbench *b, const struct kbench_case *c)
{
	REPEAT(this_cpu_inc(bench_variable));
}

static void bench_inc_later(struct kbench *b, const struct kbench_case *c)
{
	unsigned long __percpu *area = __alloc_percpu(PCPU_MIN_UNIT_SIZE, 8);

	if (!area) {
		kbench_fail(b, "%s: no memory\n", c->name);
		return;
	}
	REPEAT(this_cpu_inc(*area));
	free_percpu(area);
}

static void bench_ptr(struct kbench *b, const struct kbench_case *c)
{
	REPEAT(hide_var(*this_cpu_ptr(&bench_variable)));
}

static void bench_counter(struct kbench *b, const struct kbench_case *c)
{
	struct percpu_counter counter;

	if (percpu_counter_init(&counter, 0, GFP_KERNEL)) {
		kbench_fail(b, "%s: no memory\n", c->name);
		return;
	}
	REPEAT(percpu_counter_inc(&counter));
	percpu_counter_destroy(&counter);
}

static void bench_reader(struct kbench *b, const struct kbench_case *c)
{
	synchronize_rcu();
	REPEAT((rcu_read_lock(), rcu_read_unlock()));
}

KBENCH(percpu8, "alloc_percpu.8.pair", bench_areas, .size = 8);
KBENCH(percpu256, "alloc_percpu.256.pair", bench_areas, .size = 256);
KBENCH(percpu_inc, "this_cpu_inc", bench_inc);
KBENCH(percpu_inc_later, "this_cpu_inc.later", bench_inc_later);
KBENCH(percpu_ptr, "this_cpu_ptr", bench_ptr);
KBENCH(percpu_counter, "percpu_counter_inc", bench_counter);
KBENCH(rcu_reader, "rcu_read_lock+unlock", bench_reader);
