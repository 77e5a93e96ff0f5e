/* SPDX-License-Identifier: MIT */
/* For tests that touch memory which must not be touched. tests/hosted/access.c, tests/qemu/access.c. */
#ifndef TESTS_ACCESS_H
#define TESTS_ACCESS_H

#include <octavo/types.h>

enum test_access { TEST_READ, TEST_WRITE, TEST_EXEC };

/*
 * test_faults - is one byte at @p out of reach for this kind of access, on this CPU?
 * A write leaves the byte as it is. TEST_EXEC calls @p: where that is allowed, an instruction that returns must be
 * there.
 * The core's report of a refused access goes to the console as always: capture it if it is not to be seen.
 */
bool test_faults(const void *p, enum test_access how);

#endif
