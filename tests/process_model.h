/* SPDX-License-Identifier: MIT */
/*
 * Processes at work: fork, threads, private, shared and file mappings on several CPUs, and an oracle that knows every
 * byte. Freestanding: hosted it runs on threads and coroutines, on bare metal on one CPU or all.
 *
 * A CPU has a few tasks and runs one at a time. New processes and threads are sent to any CPU, so that tables, pages
 * and address spaces come to be shared across them. Private pages belong to one thread, which alone changes them and
 * knows what is in them; a page that several write has a lock.
 */
#ifndef TESTS_PROCESS_MODEL_H
#define TESTS_PROCESS_MODEL_H

#include "tasks.h"

#define PROCESS_MODEL_CPUS 8u
#define PROCESS_MODEL_FILE_PAGES 16u
#define PROCESS_MODEL_SCALE_MAX 64u

/**
 * struct process_run - what to do
 * @cpus: that take part
 * @steps: of each
 * @file: of PROCESS_MODEL_FILE_PAGES (times @scale) zero pages, mapped by all; NULL: none
 * @swap: pages are forced out now and then; there is a swap area, or it does nothing
 * @scale: times as many pages in each region, the file's included; 0: 1
 * @advise: programs lock pages in memory now and then, and say what they will need, or not
 */
struct process_run {
	unsigned int cpus, steps;
	u64 seed;
	struct file *file;
	bool swap;
	unsigned int scale;
	bool advise;
};

/* On one CPU, which goes on as the kernel. False: no memory. */
bool process_run_begin(const struct process_run *run);
/* On each CPU at once; the process it ran before is not its any more. */
void process_run_work(unsigned int cpu);
/* On one CPU, when all are done: everybody exits. NULL, or the first thing that went wrong. */
const char *process_run_end(void);
/* What was done, for who wants to know that it was. */
struct process_counts {
	u32 forks, threads, exits, stores, loads, refusals, moves, outs, advices;
};
struct process_counts process_run_counts(void);

#endif
