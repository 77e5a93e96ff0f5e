// SPDX-License-Identifier: MIT
/* /sys/kernel/debug/kernel_page_tables and check_wx_pages; what meminfo and vmstat say of the direct map. */
#include "proc.h"

#include "../kmap/ptdump.h"

bool kernel_has_page_tables(void)
{
	return pgtables_on;
}

static void put_line(void *ctx, const char *line)
{
	seq_puts(ctx, line);
	seq_puts(ctx, "\n");
}

PROC_SHOW(kernel_page_tables_show)
{
	(void)entry;
	(void)id;
	ptdump_kernel(put_line, m);
}

PROC_SHOW(check_wx_pages_show)
{
	(void)entry;
	(void)id;
	seq_puts(m, ptdump_check_wx(NULL, NULL) ? "FAILED\n" : "SUCCESS\n");
}

static void direct_line(struct seq_file *m, const char *label, unsigned int level)
{
	u64 bytes = pgtables_on ? (u64)READ_ONCE(direct_leaves.at[level]) << PGT_SHIFT(level) : 0;

	seq_printf(m, "%-16s%8llu kB\n", label, (unsigned long long)bytes >> 10);
}

void direct_map_lines(struct seq_file *m)
{
	direct_line(m, "DirectMap4k:", 0);
	direct_line(m, PGT_SHIFT(1) == 22 ? "DirectMap4M:" : "DirectMap2M:", 1);
	/* The line is there for processors that have them. */
	if (!proc_machine_highmem() && (!pgtables_on || pgt_leaf_levels >> 2 & 1))
		direct_line(m, "DirectMap1G:", 2);
}

unsigned long direct_map_splits_of(unsigned int level)
{
	return READ_ONCE(direct_map_splits[level]);
}
