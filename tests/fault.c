// SPDX-License-Identifier: MIT
#include "fault.h"

#include <octavo/fault.h>

#define FAULTS_MAX 100000u

unsigned int fault_each_among(unsigned int what, bool (*op)(void *ctx), void (*check)(void *ctx), void *ctx)
{
	for (unsigned int n = 1; n < FAULTS_MAX; n++) {
		bool ok, reached;

		fail_nth_set_among(what, n);
		ok = op(ctx);
		reached = fail_nth_set_among(what, 0) == 0;
		check(ctx);
		if (reached)
			continue;
		if (!ok)
			test_fail(__FILE__, __LINE__, "the operation fails although none of its allocations did");
		return n - 1;
	}
	test_fail(__FILE__, __LINE__, "the operation makes more than %u allocations", FAULTS_MAX);
	return FAULTS_MAX;
}

unsigned int fault_each(bool (*op)(void *ctx), void (*check)(void *ctx), void *ctx)
{
	return fault_each_among(FAIL_NTH_PAGE, op, check, ctx);
}
