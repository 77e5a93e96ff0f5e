// SPDX-License-Identifier: MIT
/* Tests, benches, monitor: as the command line says. */
#include "run.h"

#include "cmdline.h"
#include "pc.h"
#include "power.h"
#include "tests/harness.h"

static const char *pattern_of(const char *value)
{
	return strcmp(value, "all") && *value ? value : NULL;
}

static void __attribute__((noreturn)) run_tests(const char *pattern)
{
	struct test_counts counts;

	test_run(pattern, pc_reboot_core, &counts);
	printk("%u passed, %u failed, %u skipped\n", counts.passed, counts.failed, counts.skipped);
	power_end(counts.failed || !counts.passed ? POWER_FAILED : POWER_PASSED);
}

void run_command_line(void)
{
	char value[128];

	if (cmdline_value(pc_cmdline(), "octavo.test", value, sizeof(value)))
		run_tests(pattern_of(value));
	power_end(POWER_PASSED);
}
