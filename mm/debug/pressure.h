/* SPDX-License-Identifier: MIT */
/* What memory is under: numbers of /proc/vmstat, meminfo and pressure/memory, and the difference between two looks. */
#ifndef MM_DEBUG_PRESSURE_H
#define MM_DEBUG_PRESSURE_H

#include "monitor.h"

enum pressure_item {
	PRESSURE_FREE,
	PRESSURE_INACTIVE_ANON,
	PRESSURE_ACTIVE_ANON,
	PRESSURE_INACTIVE_FILE,
	PRESSURE_ACTIVE_FILE,
	PRESSURE_UNEVICTABLE,
	PRESSURE_DIRTY,
	PRESSURE_SWAP_IN,
	PRESSURE_SWAP_OUT,
	PRESSURE_SCAN_KSWAPD,
	PRESSURE_SCAN_DIRECT,
	PRESSURE_STEAL_KSWAPD,
	PRESSURE_STEAL_DIRECT,
	PRESSURE_REFAULT_ANON,
	PRESSURE_REFAULT_FILE,
	PRESSURE_MAJOR_FAULTS,
	PRESSURE_STALLS,
	PRESSURE_OOM_KILLS,
	PRESSURE_SWAP_TOTAL, /* from here on KiB */
	PRESSURE_SWAP_FREE,
	PRESSURE_ZSWAP,
	PRESSURE_ZSWAPPED,
	PRESSURE_ITEMS
};

/**
 * struct pressure - one look
 * @when: port_clock_ns()
 * @some, @full: avg10 of /proc/pressure/memory in hundredths of a percent
 */
struct pressure {
	u64 when;
	u64 value[PRESSURE_ITEMS];
	u32 some, full;
	bool has_psi;
};

void pressure_read(struct pressure *p);

/*
 * As a picture of some ten lines; as one line; as a JSON object on a line. Rates are those since @before. @what and
 * @done (in thousandths): the scenario, and how far it is.
 */
void pressure_draw(struct monitor *mon, const struct pressure *before, const struct pressure *now, const char *what,
		   unsigned int done);
void pressure_line(struct monitor *mon, const struct pressure *before, const struct pressure *now, u64 since);
void pressure_json(struct monitor *mon, const struct pressure *now, u64 since);

#endif
