/* SPDX-License-Identifier: MIT */
/* What a verifier found: counted, and described to who wants to know. */
#ifndef MM_BASE_FINDINGS_H
#define MM_BASE_FINDINGS_H

#include "compiler.h"

/**
 * struct findings - a verifier's report
 * @report: called with each finding, one line without a newline; may be NULL
 * @ctx: passed along
 * @of: what is looked at: "of: " begins each line; may be NULL
 * @n: findings so far
 */
struct findings {
	void (*report)(void *ctx, const char *line);
	void *ctx;
	const char *of;
	unsigned int n;
};

__printf(2, 3) void finding(struct findings *f, const char *fmt, ...);

#endif
