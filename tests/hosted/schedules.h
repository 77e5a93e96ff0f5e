/* SPDX-License-Identifier: MIT */
/* Scenarios for the seeded scheduler: one machine and one interleaving a seed. */
#ifndef TESTS_SCHEDULES_H
#define TESTS_SCHEDULES_H

#include "harness.h"
#include "hosted.h"

/**
 * struct scenario - what the CPUs do
 * @cpus: how many
 * @setup: on CPU 0 of a freshly booted machine; may be NULL. test_seed is the seed of the interleaving from here on
 * @work: on each CPU
 * @interrupt, @one_in: as in struct hosted_schedule
 * @check: on CPU 0 afterwards; true if all is well
 * @cmdline: of the machine; NULL: none
 * @asids, @strict_structure, @threads: as in struct hosted_options
 * @machine: what is booted, with @cpus CPUs; NULL: the default one. Its command line is @cmdline, if there is one
 */
struct scenario {
	unsigned int cpus;
	void (*setup)(void *ctx);
	void (*work)(unsigned int cpu, void *ctx);
	void (*interrupt)(void *ctx);
	unsigned int one_in;
	bool (*check)(void *ctx);
	void *ctx;
	uint64_t max_steps;
	const char *cmdline;
	int asids;
	bool strict_structure;
	bool threads;
	const struct bootinfo *machine;
};

struct scenario_result {
	uint64_t runs, steps, switches;
	uint64_t failing_seed; /* valid if not ok */
	bool ok, stuck;
};

/* Seeds @first to @first + @seeds - 1, until one fails. Says nothing itself: for tests that expect a failure. */
struct scenario_result scenario_search(const struct scenario *s, uint64_t first, unsigned int seeds);

/* The same as a test: a failure fails it and says which seed replays it. */
void scenario_test(const struct scenario *s, unsigned int seeds);

#endif
