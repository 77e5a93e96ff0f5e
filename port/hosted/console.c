// SPDX-License-Identifier: MIT
/* Console, panic, clock, random numbers, backtrace: what the core asks of any port besides memory and CPUs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <octavo/kfence.h>

#include "machine.h"

bool (*hosted_console_hook)(const char *text, size_t len);
void (*hosted_panic_hook)(const char *why);
bool console_muted;

/*
 * Lines leave at once and past stdio, whose locks an interrupt must not meet. What the program itself has in
 * stdout's buffer must not come out behind it: main programs flush before they call into the core, or do
 * not buffer.
 */
void port_console_write(const char *text, size_t len)
{
	static char line[2048];
	static size_t used;

	if (console_muted || (hosted_console_hook && hosted_console_hook(text, len)))
		return;
	while (len) {
		size_t part = len < sizeof(line) - used ? len : sizeof(line) - used;

		memcpy(line + used, text, part);
		used += part;
		text += part;
		len -= part;
		if (used == sizeof(line) || line[used - 1] == '\n') {
			for (size_t at = 0; at < used;) {
				ssize_t put = write(STDOUT_FILENO, line + at, used - at);

				if (put <= 0)
					break;
				at += (size_t)put;
			}
			used = 0;
		}
	}
}

/* What the port itself has to say goes where the core's log goes. */
void hosted_log(const char *fmt, ...)
{
	char text[512] = "octavo: ";
	size_t used = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + used, sizeof(text) - used - 1, fmt, args);
	va_end(args);
	strcat(text, "\n");
	port_console_write(text, strlen(text));
}

void port_panic(const char *why)
{
	kfence_panic();
	if (hosted_panic_hook)
		hosted_panic_hook(why);
	fflush(stdout);
	fprintf(stderr, "octavo: panic: %s\n", why);
	abort();
}

/* ---- Clock and chance ---- */

static u64 boot_ns;
static u64 random_seed;
static unsigned long random_drawn;

static u64 host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

void clock_random_reset(const struct hosted_options *options)
{
	boot_ns = host_ns();
	random_seed = options->seed ? options->seed : 1;
	random_drawn = 0;
}

u64 port_clock_ns(void)
{
	return hosted_mode_now == HOSTED_COROUTINES || sched_running() ? sched_clock_ns() : host_ns() - boot_ns;
}

/*
 * SplitMix64 (Steele, Lea, Flood 2014): its state is a counter, of which the drawing CPUs and their interrupts share
 * one word.
 */
u64 port_random(void)
{
	u64 z = random_seed + (u64)__atomic_add_fetch(&random_drawn, 1, __ATOMIC_RELAXED) * 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* ---- Backtrace ---- */

/*
 * Frame pointers: each frame holds the caller's frame address and behind it the return address. Code built without
 * them leaves anything there: a frame must lie in this stack, above the last one, and aligned.
 */
__attribute__((no_sanitize("address"))) unsigned int backtrace_from(uintptr_t frame, uintptr_t *pc, unsigned int max)
{
	uintptr_t low, high;
	unsigned int n = 0;

	cpu_stack_bounds(&low, &high);
	while (n < max && frame >= low && frame + 2 * sizeof(uintptr_t) <= high && !(frame % sizeof(uintptr_t))) {
		uintptr_t next = ((uintptr_t *)frame)[0], ret = ((uintptr_t *)frame)[1];

		if (!ret)
			break;
		pc[n++] = ret;
		if (next <= frame)
			break;
		frame = next;
	}
	return n;
}

unsigned int port_backtrace(uintptr_t *pc, unsigned int max)
{
	return backtrace_from((uintptr_t)__builtin_frame_address(0), pc, max);
}
