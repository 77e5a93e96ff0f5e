// SPDX-License-Identifier: MIT
#include "fault.h"

#include "mm/sync/cpu.h"

#define FAULTS_MAX 100000

unsigned int fault_each(bool (*op)(void *ctx), void (*check)(void *ctx), void *ctx)
{
	for (u32 n = 1; n < FAULTS_MAX; n++) {
		struct cpu_local *cpu = this_cpu();
		bool ok, reached;

		cpu->fault_nth = n;
		ok = op(ctx);
		reached = cpu->fault_nth == 0;
		cpu->fault_nth = 0;
		check(ctx);
		if (reached)
			continue;
		if (!ok)
			test_fail(__FILE__, __LINE__, "the operation fails although none of its allocations did");
		return n - 1;
	}
	test_fail(__FILE__, __LINE__, "the operation makes more than %d allocations", FAULTS_MAX);
	return FAULTS_MAX;
}
