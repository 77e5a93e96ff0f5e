// SPDX-License-Identifier: MIT
/* /proc/pressure/memory. Format: Documentation/accounting/psi.rst. */
#include "proc.h"

#include "../phys/psi.h"

void pressure_memory_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	static const char *const name[PSI_STATES] = { "some", "full" };
	struct psi_figures figures[PSI_STATES];

	(void)entry;
	(void)id;
	psi_memory(figures);
	for (unsigned int s = 0; s < PSI_STATES; s++) {
		const u32 *h = figures[s].hundredths;

		seq_printf(m, "%s avg10=%u.%02u avg60=%u.%02u avg300=%u.%02u total=%llu\n", name[s],
			   h[PSI_AVG10] / 100, h[PSI_AVG10] % 100, h[PSI_AVG60] / 100, h[PSI_AVG60] % 100,
			   h[PSI_AVG300] / 100, h[PSI_AVG300] % 100, (unsigned long long)figures[s].total_us);
	}
}
