// SPDX-License-Identifier: MIT
/* The kernel log: stamps, whole lines, one writer at a time. */
#include <octavo/port.h>

#include "../base/printk.h"
#include "../base/string.h"
#include "spinlock.h"

static struct {
	spinlock_t lock;
	bool quiet;
	bool clock;
	bool continued; /* the last text did not end its line */
	char line[1024];
} log_state __memsys = { .lock = { .rank = LOCK_RANK_CONSOLE } };

void printk_clock_start(void)
{
	log_state.clock = true;
}

bool printk_console(bool on)
{
	bool was = !log_state.quiet;

	log_state.quiet = !on;
	return was;
}

static void write_stamp(void)
{
	u64 us = log_state.clock ? port_clock_ns() / 1000 : 0;
	char stamp[32];
	size_t len = octavo_snprintf(stamp, sizeof(stamp), "[%5llu.%06llu] ", (unsigned long long)(us / 1000000),
				     (unsigned long long)(us % 1000000));

	port_console_write(stamp, len);
}

void printk(const char *fmt, ...)
{
	const char *p = log_state.line;
	unsigned long flags;
	va_list args;

	spin_lock_irqsave(&log_state.lock, flags);
	va_start(args, fmt);
	octavo_vsnprintf(log_state.line, sizeof(log_state.line), fmt, args);
	va_end(args);
	while (*p && !log_state.quiet) {
		const char *end = strchr(p, '\n');
		size_t len = end ? (size_t)(end - p) + 1 : strlen(p);

		if (!log_state.continued)
			write_stamp();
		port_console_write(p, len);
		log_state.continued = !end;
		p += len;
	}
	spin_unlock_irqrestore(&log_state.lock, flags);
}
