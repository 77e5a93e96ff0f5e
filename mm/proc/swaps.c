// SPDX-License-Identifier: MIT
/*
 * /proc/swaps and /sys/kernel/mm/swap/vma_ra_enabled.
 * Format: proc_swaps(5), and what Linux 6.12 shows: columns by tabs, paths to 40 characters by
 * spaces; Documentation/ABI/testing/sysfs-kernel-mm-swap.
 */
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

void vma_ra_enabled_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	seq_puts(m, READ_ONCE(swap_vma_ra_enabled) ? "true\n" : "false\n");
}

/* What Linux takes for a truth value: its first letter, of "on" and "off" the second. */
int vma_ra_enabled_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	char first = text[0] | 0x20, second = text[0] ? text[1] | 0x20 : 0;
	bool yes = first == 'y' || first == 't' || text[0] == '1' || (first == 'o' && second == 'n');
	bool no = first == 'n' || first == 'f' || text[0] == '0' || (first == 'o' && second == 'f');

	(void)entry;
	(void)id;
	if (!yes && !no)
		return -EINVAL;
	WRITE_ONCE(swap_vma_ra_enabled, yes);
	return 0;
}
