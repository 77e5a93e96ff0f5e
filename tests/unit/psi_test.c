// SPDX-License-Identifier: MIT
/* Pressure stall information: what is counted, and the file's text. */
#include <octavo/port.h>
#include <octavo/proc.h>

#include "harness.h"
#include "mm/phys/psi.h"
#include "proc_text.h"

/* Time passes while somebody is stalled, and not twice when he is stalled in his stall. */
TEST(psi, time_in_a_stall_is_counted_once)
{
	struct psi_figures before[PSI_STATES], inside[PSI_STATES], after[PSI_STATES], later[PSI_STATES];
	unsigned long outer, inner;
	u64 start = port_clock_ns();

	psi_memory(before);
	psi_memstall_enter(&outer);
	psi_memstall_enter(&inner);
	while (port_clock_ns() - start < 3000000)
		port_park(500000);
	psi_memstall_leave(&inner);
	psi_memory(inside);
	psi_memstall_leave(&outer);
	psi_memory(after);
	while (port_clock_ns() - start < 6000000)
		port_park(500000);
	psi_memory(later);
	EXPECT(inside[PSI_MEM_SOME].total_us - before[PSI_MEM_SOME].total_us >= 2000);
	EXPECT(after[PSI_MEM_SOME].total_us >= inside[PSI_MEM_SOME].total_us);
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
