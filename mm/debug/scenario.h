/* SPDX-License-Identifier: MIT */
/* A process that has more memory than the machine; its pages are verified. */
#ifndef MM_DEBUG_SCENARIO_H
#define MM_DEBUG_SCENARIO_H

#include <octavo/mm.h>
#include <octavo/task.h>

#include "../base/compiler.h"

enum scenario_kind { SCENARIO_HOG, SCENARIO_CHURN, SCENARIO_FILECACHE };

/**
 * struct scenario - all zero but by scenario_begin()
 * @pages, @at: what it has
 * @filled: so many were written once
 * @steps: after that
 * @easy: contents that compress well
 * @verified, @written: pages read and found right or not; written
 * @bad: that had not what was written to them
 * @refused: accesses that failed: it was killed
 */
struct scenario {
	enum scenario_kind kind;
	struct mm_process process;
	struct mm_task task;
	struct mm_task *before;
	uintptr_t at;
	unsigned long pages, filled;
	u64 steps, random;
	u8 *version; /* by page */
	bool easy;
	unsigned long verified, written, bad, refused;
};

/*
 * A process without limits, of one thread and an empty address space whose places are no surprise; all zero before.
 * Context: thread context. Return: false: no memory, and nothing is left.
 */
bool __must_check scenario_process(struct mm_process *process, struct mm_task *task, const char *name, int pid);

/* Context of all: thread context. Return: 0 or -ENOMEM. */
int __must_check scenario_begin(struct scenario *s, enum scenario_kind kind, const char *name, int pid,
				unsigned long pages);
void scenario_end(struct scenario *s);
/* From here to there it is the process that runs. */
void scenario_run(struct scenario *s);
void scenario_rest(struct scenario *s);
/* One page more, written or read or both. Return: false: an access was refused. It runs. */
bool scenario_step(struct scenario *s);
/* Reads everything. It runs. */
bool scenario_verify(struct scenario *s);
bool scenario_killed(const struct scenario *s);

#endif
