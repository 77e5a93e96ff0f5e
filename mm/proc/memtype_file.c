// SPDX-License-Identifier: MIT
/* /sys/kernel/debug/x86/pat_memtype_list: the ends are those of the ranges, not their last bytes. */
#include "../kmap/memtype.h"
#include "proc.h"

void memtype_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	struct memtype_range range;

	(void)entry;
	(void)id;
	seq_puts(m, "PAT memtype list:\n");
	for (unsigned long i = 0; memtype_entry(i, &range); i++)
		seq_printf(m, "PAT: [mem 0x%016llx-0x%016llx] %s\n", (unsigned long long)range.start,
			   (unsigned long long)range.end, memtype_name(range.mode));
}
