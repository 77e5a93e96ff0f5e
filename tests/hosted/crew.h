/* SPDX-License-Identifier: MIT */
/* A process whose threads run on several CPUs at once: what tests of interleaved faults, forks and mappings share. */
#ifndef TESTS_HOSTED_CREW_H
#define TESTS_HOSTED_CREW_H

#include "schedules.h"
#include "tasks.h"

#define CPUS 3u

struct crew {
	struct test_process parent;
	struct mm_task thread[CPUS];
	const char *wrong; /* what is: the first to see it says so, and all stop */
	unsigned int arrived;
};
extern struct crew crew;

/* A new crew, with a process, which runs, and a memfd of @bytes. Return: the file; NULL: crew.wrong says why. */
struct file *crew_found(const char *name, u64 bytes);
/* All threads at the same place. */
void crew_wait(void);
/* One for each CPU, of crew.parent; no task runs afterwards. */
void crew_hire(void);
/* CPU @cpu's thread does @steps steps, or stops when something is wrong. */
void crew_work(unsigned int cpu, unsigned int steps, void (*step)(unsigned int cpu, u64 *chance));
/* All end, @file is closed, and the machine is verified before and after. Return: nothing was wrong. */
bool crew_dismiss(struct file *file);
/* One run of @s with real threads. */
void crew_threads(const struct scenario *s);

#endif
