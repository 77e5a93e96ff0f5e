// SPDX-License-Identifier: MIT
/*
 * /proc/slabinfo, version 2.1. Format: slabinfo(5), Documentation/filesystems/proc.rst and what kernels print.
 *
 * Objects that lie in a CPU's magazine are not active: nobody uses them. (Linux's slub counts what its CPUs hold as
 * active, all slabs included.)
 */
#include "proc.h"

#include "../slab/info.h"

static void cache_line_show(struct seq_file *m, const struct cache_info *info)
{
	const struct heap_counts *c = &info->counts;
	const struct backend_tunables *t = &info->tunables;

	seq_printf(m, "%-17s %6lu %6lu %6u %4u %4d", info->name, heap_objects_used(c), c->slabs.objects, info->size,
		   info->objects, 1 << info->order);
	seq_printf(m, " : tunables %4u %4u %4u", t->limit, t->batchcount, t->shared);
	seq_printf(m, " : slabdata %6lu %6lu %6lu\n", c->slabs.active_slabs, c->slabs.slabs, t->shared_available);
}

void slabinfo_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	struct cache_info info = { .number = ~0u };

	(void)entry;
	(void)id;
	seq_puts(m, "slabinfo - version: 2.1\n"
		    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		    " : tunables <limit> <batchcount> <sharedfactor>"
		    " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	while (heap_cache_info_below(info.number, &info))
		cache_line_show(m, &info);
}

/* A number off *@text, with the blanks ahead of it. */
static bool take_number(const char **text, unsigned int *value)
{
	u64 number;
	bool overflow;
	size_t len;

	while (**text == ' ' || **text == '\t')
		++*text;
	len = parse_u64(*text, &number, &overflow);
	*text += len;
	*value = (unsigned int)number;
	return len && !overflow && number <= 0x7fffffff;
}

/* "NAME LIMIT BATCHCOUNT SHARED" */
int slabinfo_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	const char *name_end = strchr(text, ' '), *rest = name_end;
	unsigned int values[3];

	(void)entry;
	(void)id;
	if (!name_end)
		return -EINVAL;
	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
		if (!take_number(&rest, &values[i]))
			return -EINVAL;
	if (*rest && *rest != '\n')
		return -EINVAL;
	return heap_cache_tune(text, (size_t)(name_end - text), values);
}
