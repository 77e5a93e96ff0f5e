/* SPDX-License-Identifier: MIT */
/* What the user programs share: a check that says where it failed, and the last line that kernel.sh looks for. */
#ifndef TESTS_USER_CHECK_H
#define TESTS_USER_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failures;

#define CHECK(cond)                                                                              \
	do {                                                                                     \
		if (!(cond)) {                                                                   \
			failures++;                                                              \
			printf("FAIL %s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond, errno); \
			fflush(stdout);                                                          \
		}                                                                                \
	} while (0)

/* errno is the one wanted, and the value -1 */
#define CHECK_ERROR(call, error)         \
	do {                             \
		errno = 0;               \
		CHECK((call) == -1);     \
		CHECK(errno == (error)); \
	} while (0)

static inline int finish(const char *name)
{
	printf("%s: %s\n", name, failures ? "failed" : "passed");
	fflush(stdout);
	return failures != 0;
}

#endif
