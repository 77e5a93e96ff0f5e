/* SPDX-License-Identifier: MIT */
/* What the files of the octavo command share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "machine.h"
#include "mm/debug/monitor.h"

#define OCTAVO_VERSION "0.1.0"

/* Exit codes of the command. */
enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

/* What standard output can show. */
struct terminal {
	bool tty;     /* standard output is a terminal */
	bool unicode; /* the locale's character set is UTF-8 */
	bool colour;  /* a terminal, and neither NO_COLOR nor TERM=dumb */
};
const struct terminal *cli_terminal(void);

/* A colour's escape sequence ("1;36"), or nothing where colours are not wanted. */
const char *cli_colour(const char *code, char buf[16]);

/* A message on standard error, behind "octavo: ". */
__printf(1, 2) void cli_complain(const char *fmt, ...);

/* ---- boot.c ---- */

struct boot_options {
	const char *file;	/* NULL: this machine */
	char *append;		/* more command line, or NULL */
	unsigned int cpus;	/* 0: as described */
	const char *slit;
	bool quiet;
	u64 seed;		/* 0: not given */
	const char *disks[4];	/* the host's files that are vda, vdb, ... */
	unsigned int disks_nr;
	unsigned int swaps;	/* bit n: disk n is a swap area */
	bool (*log)(const char *text, size_t len); /* takes the boot log instead of standard output, or NULL */
};

/* Everything a boot leaves behind; boot_end() takes it away. */
struct boot {
	struct machine_desc machine;
	bool deterministic; /* CPUs are coroutines, switched by the seed */
};

/* Reads the machine and boots it. Return: an exit code, after messages. */
int boot_start(struct boot *boot, const struct boot_options *options);
void boot_end(struct boot *boot);

/* Runs @fn on up to @max CPUs of the machine at once (0: as many as the command uses); returns how many. */
unsigned int boot_run_cpus(unsigned int max, void (*fn)(unsigned int cpu, void *arg), void *arg);

/* A monitor on standard output. */
void boot_monitor(struct monitor *mon);

int boot_main(int argc, char **argv);

/* ---- others ---- */

/* The booted machine as one JSON text (RFC 8259). */
void json_print(FILE *to, const struct boot *boot);

/* Monitor lines from @in; prompts and edits if it is a terminal. Return: an exit code. */
int console_run(struct monitor *mon, FILE *in);

/* Draws again and again until a key is pressed; once where there is no terminal: for struct monitor. */
void live_show(struct monitor *mon, void (*draw)(struct monitor *mon, void *arg, unsigned int rows), void *arg);

/*
 * trace.c: the file, ahead of the boot ("-": standard output); switch events on (NULL: those that are no flood); write
 * what the rings have, and close the file; close it without. Return: an exit code.
 */
int trace_open(const char *path);
int trace_begin(const char *events);
int trace_end(void);
void trace_close(void);

/* live.c: a picture refreshed in place */
bool live_frame(struct monitor *mon, enum monitor_frame which);

/*
 * disk.c: the disks of @options for a booted machine, and swap on them (an exit code); memory of this process as one
 * more disk, for struct monitor, and this one's end; close them all.
 */
int disks_open(const struct boot_options *options);
struct bdev *host_disk(struct monitor *mon, u64 sectors, int *error);
void host_disk_gone(struct monitor *mon, struct bdev *bdev);
void disks_close(void);

int tour_run(const struct boot_options *options);

#endif
