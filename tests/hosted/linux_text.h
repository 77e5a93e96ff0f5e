/* SPDX-License-Identifier: MIT */
/* What can be compared of the text of /proc/PID files of two kernels. */
#ifndef TESTS_HOSTED_LINUX_TEXT_H
#define TESTS_HOSTED_LINUX_TEXT_H

#include "linux_twin.h"

/* Ranges, rights, offsets and names of the arena's mappings; files have other numbers here and there. */
void maps_shape(char *out, size_t size, const struct twin_result *r);

/*
 * Sizes and flags of the arena's anonymous mappings, out of smaps, whose text is used up. What was referenced is the
 * processor's to say, what MADV_FREE can let go and makes clean that of Linux's batches: clean and dirty are added up;
 * proportional sizes are not exact here while tables are shared, and whether stores are tracked (sd) is how that kernel
 * was built.
 */
void smaps_sizes(char *out, size_t size, struct twin_result *r);

#endif
