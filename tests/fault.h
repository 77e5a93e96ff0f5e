/* SPDX-License-Identifier: MIT */
/*
 * Fault tests: an operation is run with its 1st, 2nd, 3rd... page allocation failing, until it gets through.
 * Freestanding.
 */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include "harness.h"

/**
 * fault_each - run @op once for each of its allocations, that one failing, and once with none failing
 * @op: returns whether it succeeded; what it allocated it has given back by then
 * @check: examines the world after each run; reports by test_fail() itself
 * Checks that @op does succeed when nothing fails, and that it does not fail for ever.
 * Return: how many of its allocations were made to fail.
 */
unsigned int fault_each(bool (*op)(void *ctx), void (*check)(void *ctx), void *ctx);

/** fault_each_among - the same with allocations of pages, of objects, or both, in their order: FAIL_NTH_* */
unsigned int fault_each_among(unsigned int what, bool (*op)(void *ctx), void (*check)(void *ctx), void *ctx);

#endif
