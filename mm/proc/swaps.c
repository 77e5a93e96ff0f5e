// SPDX-License-Identifier: MIT
/* /proc/swaps. Format: proc_swaps(5), and what Linux 6.12 shows: columns by tabs, paths to 40 characters by spaces. */
#include "proc.h"

#include "../swap/swap.h"

#define PATH_WIDTH 40

static void number(struct seq_file *m, unsigned long pages)
{
	unsigned long kib = pages << (PAGE_SHIFT - 10);

	seq_printf(m, "%lu%s\t", kib, kib < 10000000 ? "\t" : "");
}

void swaps_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	struct swap_area_info info;

	(void)entry;
	(void)id;
	seq_puts(m, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++) {
		int len;

		if (!swap_area_info(type, &info))
			continue;
		len = (int)strlen(info.path);
		seq_puts(m, info.path);
		seq_printf(m, "%*s%s\t", len < PATH_WIDTH ? PATH_WIDTH - len : 1, " ",
			   info.partition ? "partition" : "file\t");
		number(m, info.pages);
		number(m, info.used);
		seq_printf(m, "%d\n", info.prio);
	}
}
