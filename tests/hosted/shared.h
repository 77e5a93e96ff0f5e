/* SPDX-License-Identifier: MIT */
/* What real machines said, where it is at hand. */
#ifndef TESTS_HOSTED_SHARED_H
#define TESTS_HOSTED_SHARED_H

#include <stdlib.h>

/* The directory with bootlogs/, procfs/ and oom/; it need not be there. */
static inline const char *shared_directory(void)
{
	const char *named = getenv("OCTAVO_SHARED");

	return named ? named : "../shared";
}

#endif
