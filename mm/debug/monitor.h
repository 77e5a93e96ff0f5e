/* SPDX-License-Identifier: MIT */
/*
 * The monitor: a small shell on a booted machine. The commands are here, free of any terminal; a front end
 * (the octavo command with line editing, a serial console) reads lines and shows what is emitted.
 *
 *	static void emit(void *ctx, const char *text, size_t len) { … }
 *	struct monitor mon = { .emit = emit };
 *	while (read_line(line) && monitor_command(&mon, line) != MONITOR_QUIT)
 *		;
 */
#ifndef MM_DEBUG_MONITOR_H
#define MM_DEBUG_MONITOR_H

#include <octavo/proc.h>

#include "../base/compiler.h"

#define MONITOR_QUIT 1

struct bdev;
enum monitor_frame { MONITOR_FRAME_BEGIN, MONITOR_FRAME_NEXT, MONITOR_FRAME_END };

/**
 * struct monitor - a front end, as the commands see it
 * @emit, @ctx: take output; lines end in "\n"
 * @run_all: run @fn on every CPU at once and return when all have; NULL: port_cpu_call() and this CPU
 * @unicode: block characters may be used in pictures (UTF-8), else ASCII
 * @colour: ECMA-48 colours may be used
 * @live: show a picture, of at most so many rows, again and again until a key is pressed; NULL: pictures are shown once
 * @frame: for pictures that are refreshed while work goes on: before the first, before each (is the user tired of it?),
 *         and behind the last, which stays; NULL: lines instead
 * @disk: a block device of so many sectors outside of the machine's memory, or NULL and *@error: -EMFILE: there are
 *        four, which is the most; NULL: RAM disks
 * @disk_gone: the one that @disk returned last is not wanted after all
 * @failures: commands that failed so far, counted by monitor_command()
 */
struct monitor {
	octavo_emit_fn emit;
	void *ctx;
	void (*run_all)(void (*fn)(void *arg), void *arg);
	void (*live)(struct monitor *mon, void (*draw)(struct monitor *mon, void *arg, unsigned int rows), void *arg);
	bool (*frame)(struct monitor *mon, enum monitor_frame which);
	struct bdev *(*disk)(struct monitor *mon, u64 sectors, int *error);
	void (*disk_gone)(struct monitor *mon, struct bdev *bdev);
	bool unicode;
	bool colour;
	unsigned int failures;
};

/**
 * monitor_command - execute one line
 * @line: NUL terminated, without a newline; taken apart in place. Empty lines and those that begin with "#" do nothing.
 * Context: thread context after mm_init(), one caller at a time.
 * Return: 0; MONITOR_QUIT; a negative errno after a message was emitted.
 */
int monitor_command(struct monitor *mon, char *line);

/* Command names, for completion: NULL behind the last. Those whose argument is a path say so. */
const char *monitor_command_name(unsigned int i);
bool monitor_command_takes_path(const char *name);

/* Names and values of GFP flags, for completion; NULL behind the last. */
const char *monitor_gfp_name(unsigned int i, gfp_t *value);

/* ---- Pictures, also for a tour ---- */

struct zone;

/* Free blocks of each order: a heading; a line and bars for a zone; for all. At most 80 columns. */
void monitor_buddy_heading(struct monitor *mon);
void monitor_buddy_zone(struct monitor *mon, struct zone *zone);
void monitor_show_buddy(struct monitor *mon);
/* Fullness of the pageblocks, at most @rows lines of 64 cells a zone: of one; of all; what the cells mean. */
void monitor_map_zone(struct monitor *mon, struct zone *zone, unsigned int rows);
void monitor_map_legend(struct monitor *mon);
void monitor_show_fragmentation(struct monitor *mon, unsigned int rows);
/* Caches of the heap as slabtop shows them, the first @rows (0: all) by a key of procps' slabtop ('c': cache size). */
void monitor_show_slabtop(struct monitor *mon, char key, unsigned int rows);
/* Every verifier of the core. Return: findings, each emitted as a line. The machine must be quiet. */
unsigned int monitor_verify(struct monitor *mon);

/* ---- Pieces ---- */

/**
 * struct stress - random allocation and freeing, with the contents of every block checked
 * @ops: calls on each CPU
 * @seed: of the random choices
 * The rest are results, summed over the CPUs: @allocs that succeeded, @refused, @bad blocks whose stamp was
 * overwritten (somebody else has the same frames), @cpus that took part.
 */
struct stress {
	u64 seed;
	unsigned long ops;
	unsigned long allocs, refused, bad, cpus;
};

/* stress_cpu - one CPU's share; @arg: struct stress. Any context. Leaves nothing allocated. */
void stress_cpu(void *arg);

/**
 * struct stress_heap - random kmalloc(), krealloc() and kfree() of sizes from 1 byte to some pages, contents checked;
 * some objects change hands, so that a CPU frees what another allocated
 * @ops: calls on each CPU
 * @seed: of the random choices and of what the objects hold
 * @exchange: objects that are between two owners; they stay from one run to the next, until stress_heap_end()
 * The rest are results, summed over the CPUs: as of struct stress; @moved objects were freed by another than allocated
 * them; @bad counts objects whose contents were overwritten, that overlap their alignment, or were not zero when asked.
 */
#define STRESS_EXCHANGE 128
struct stress_heap {
	u64 seed;
	unsigned long ops;
	unsigned long allocs, refused, bad, moved, cpus;
	void *exchange[STRESS_EXCHANGE];
};

/* stress_heap_cpu - one CPU's share; @arg: struct stress_heap. Any context. */
void stress_heap_cpu(void *arg);
/* Free what is left between owners. */
void stress_heap_end(struct stress_heap *s);

/* Processes of ours get names in reports, and can be chosen by the OOM killer, where no kernel cares for that. */
void monitor_take_tasks(void);

__printf(2, 3) void monitor_say(struct monitor *mon, const char *fmt, ...);

/* "4K", "3.9G": at most 5 characters. Return: @buf. */
#define SIZE_TEXT_MAX 16
const char *size_text(u64 bytes, char buf[SIZE_TEXT_MAX]);

#endif
