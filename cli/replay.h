/* SPDX-License-Identifier: MIT */
/* What the files of "octavo replay" share. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "cli.h"

/* ---- replay_trace.c: a trace in memory ---- */

#define REF_WRITE 0x80000000u
#define REF_PAGE 0x7fffffffu

/**
 * struct replay_trace - references to pages, in order
 * @refs: a page's number, from 0, with REF_WRITE if it is written
 * @nr: how many; those that repeat the one before are left out
 * @read: as they stood in the trace
 * @pages: different ones
 * @writes: references that write
 * @format: "lackey" or "csv"
 */
struct replay_trace {
	u32 *refs;
	size_t nr, read, writes;
	u32 pages;
	const char *format;
};

/**
 * struct replay_format - how a trace is to be read
 * @format: NULL: look at it
 * @id, @size, @op: columns of a CSV trace, from 1; 0: there is none
 * @delimiter: between columns
 * @by_size: an object is as many pages as its size says, else one
 * @data: of lackey's, leave out instruction fetches
 * @limit: references to read, 0: all
 */
struct replay_format {
	const char *format;
	unsigned int id, size, op;
	char delimiter;
	bool by_size, data;
	size_t limit;
};

/* Return: 0, or an exit code after a message. The caller frees refs. */
int replay_read(struct replay_trace *trace, const char *path, const struct replay_format *format);

/* ---- Policies ---- */

/* Told now and then how much of the work is done: 0 to 1. */
typedef void (*replay_progress_fn)(double done);

/**
 * struct replay_result - what a policy did with a trace
 * @misses: references to pages that were not there, first ones included
 * @resident: pages that were there, on average (machine only)
 */
struct replay_result {
	size_t misses;
	double resident;
};

struct replay_policy {
	const char *name, *title;
	/* Return: 0, or an exit code after a message. */
	int (*run)(const struct replay_trace *trace, u32 pages, replay_progress_fn progress,
		   struct replay_result *result);
};

extern const struct replay_policy replay_fifo, replay_clock, replay_lru, replay_arc, replay_opt;
/* replay_machine.c: the core's own, on a machine with that much memory */
extern const struct replay_policy replay_classic, replay_lru_gen;

/* What the machine's pages are: anonymous memory, a file that is read, or one that is mapped. */
enum replay_as { REPLAY_ANON, REPLAY_FILE, REPLAY_MAPPED };
void replay_machine_as(enum replay_as as);

int replay_main(int argc, char **argv);
void replay_usage(void);

#endif
