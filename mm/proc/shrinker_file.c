// SPDX-License-Identifier: MIT
/*
 * /sys/kernel/debug/shrinker/NAME-NUMBER/count and scan (Documentation/admin-guide/mm/shrinker_debugfs.rst). The memory
 * cgroup is always 0: there are none.
 */
#include "proc.h"

#include "../boot/params.h"
#include "../slab/shrinker.h"

PROC_SHOW(shrinker_count_show)
{
	unsigned long counts[MAX_NUMNODES], any = 0;

	(void)entry;
	if (shrinker_count((unsigned int)id, counts))
		return;
	for (unsigned int nid = 0; nid < nr_node_ids; nid++)
		any |= counts[nid];
	if (!any)
		return;
	seq_puts(m, "0");
	for (unsigned int nid = 0; nid < nr_node_ids; nid++)
		seq_printf(m, " %lu", counts[nid]);
	seq_puts(m, "\n");
}

/* "<cgroup> <node> <objects>" */
PROC_STORE(shrinker_scan_store)
{
	u64 value[3];
	bool overflow;

	(void)entry;
	for (unsigned int i = 0; i < ARRAY_SIZE(value); i++) {
		size_t len;

		while (*text == ' ')
			text++;
		len = parse_u64(text, &value[i], &overflow);
		text += len;
		if (!len || overflow || value[i] > (~0ul >> 1) || (*text && *text != ' ' && *text != '\n'))
			return -EINVAL;
	}
	if (value[0])
		return -ENOENT;
	if (value[1] >= nr_node_ids)
		return -EINVAL;
	return shrinker_scan((unsigned int)id, (int)value[1], (unsigned long)value[2]);
}
