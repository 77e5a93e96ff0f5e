// SPDX-License-Identifier: MIT
/* Pressure stall information: what is counted, and the file's text. */
#include <octavo/port.h>
#include <octavo/proc.h>

#include "harness.h"
#include "mm/phys/psi.h"
#include "proc_text.h"

static void wait_ns(u64 ns)
{
	u64 start = port_clock_ns();

	while (port_clock_ns() - start < ns)
		port_park(500000);
}

/*
 * Time passes while somebody is stalled, and not twice when he is stalled in his stall. The machine may stand still at
 * any moment, as virtual ones do: the clock is read on both sides of where a stall begins and ends.
 */
TEST(psi, time_in_a_stall_is_counted_once)
{
	struct psi_figures before[PSI_STATES], inside[PSI_STATES], after[PSI_STATES], later[PSI_STATES];
	u64 begun, stalled, looked, left, held;
	unsigned long outer, inner;

	psi_memory(before);
	begun = port_clock_ns();
	psi_memstall_enter(&outer);
	psi_memstall_enter(&inner);
	stalled = port_clock_ns();
	wait_ns(3000000);
	psi_memstall_leave(&inner);
	looked = port_clock_ns();
	psi_memory(inside);
	left = port_clock_ns();
	held = inside[PSI_MEM_SOME].total_us - before[PSI_MEM_SOME].total_us;
	EXPECT(held >= (looked - stalled) / 1000);
	EXPECT(held <= (left - begun) / 1000 + 1);
	/* The outer one goes on. */
	wait_ns(1000000);
	looked = port_clock_ns();
	psi_memstall_leave(&outer);
	left = port_clock_ns();
	psi_memory(after);
	wait_ns(3000000);
	psi_memory(later);
	held = after[PSI_MEM_SOME].total_us - before[PSI_MEM_SOME].total_us;
	EXPECT(held >= (looked - stalled) / 1000);
	EXPECT(held <= (left - begun) / 1000 + 1);
	EXPECT_EQ(later[PSI_MEM_SOME].total_us, after[PSI_MEM_SOME].total_us);
	EXPECT(later[PSI_MEM_FULL].total_us <= later[PSI_MEM_SOME].total_us);
}

TEST(psi, the_file_has_two_lines)
{
	const char *text = proc_text("/proc/pressure/memory");

	EXPECT(text && !strncmp(text, "some avg10=", 11));
	EXPECT(strstr(text, " avg60=") && strstr(text, " avg300=") && strstr(text, " total="));
	EXPECT(strstr(text, "\nfull avg10="));
}
