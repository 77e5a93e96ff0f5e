/* SPDX-License-Identifier: MIT */
/* What the chapters of the tour share. */
#ifndef CLI_TOUR_H
#define CLI_TOUR_H

#include "cli.h"

/* A colour's escape sequence, or nothing; the last eight stay valid. */
const char *tour_colour(const char *code);
u64 tour_now_ns(void);
u64 tour_random(u64 *x);

/**
 * struct tour_work - what is measured, on one CPU and on several
 * @state_bytes: of each CPU's state: a seed in a u64, and zeros behind it
 * @once: the work; returns how many calls to count
 * @end: frees what the state still holds; may be NULL
 */
struct tour_work {
	const char *name;
	size_t state_bytes;
	unsigned long (*once)(void *state);
	void (*end)(void *state);
};

/* Measures each and prints a table. */
void tour_races(const struct tour_work *work, unsigned int nr);

/*
 * tour_report.c: a report of the core's is caught from begin to end, and then its first @lines lines are shown that
 * say what, which and where; @rest says in words what the others tell. 0 lines: none of it is shown.
 */
void tour_report_begin(void);
void tour_report_end(unsigned int lines, const char *rest);
/* Of a report of the OOM killer: who asked, what there was, who could have ended and who did. */
void tour_report_oom(void);

/* tour_heap.c: the chapter on the heap; tour_virtual.c: on virtual memory; tour_process.c: on processes;
 * tour_pressure.c: on too little memory, on a machine of its own. Return: an exit code. */
void tour_heap(struct monitor *mon);
void tour_virtual(struct monitor *mon);
void tour_process(void);
int tour_pressure(struct monitor *mon);

#endif
