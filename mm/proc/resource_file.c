// SPDX-License-Identifier: MIT
/* What boot found out: /proc/iomem, /sys/firmware/memmap, /proc/cmdline; and /proc/swaps. Format: proc.rst. */
#include "proc.h"

#include "../boot/params.h"
#include "../boot/resource.h"

/* Deeper ranges are shown at this depth, as Linux does. */
#define IOMEM_DEPTH_MAX 4u

static int iomem_line(void *ctx, unsigned int depth, phys_addr_t start, phys_addr_t end, const char *name)
{
	seq_printf(ctx, "%*s%08llx-%08llx : ", (int)(2 * min(depth, IOMEM_DEPTH_MAX)), "",
		   (unsigned long long)start, (unsigned long long)end);
	seq_puts(ctx, name ? name : "<BAD>");
	seq_puts(ctx, "\n");
	return 0;
}

void iomem_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	resource_for_each(iomem_line, m);
}

bool memmap_entry_exists(unsigned long id)
{
	phys_addr_t start, end;
	const char *type;

	return id <= ~0u && firmware_map_entry((unsigned int)id, &start, &end, &type);
}

static void memmap_field(struct seq_file *m, unsigned long id, bool want_end)
{
	phys_addr_t start, end;
	const char *type;

	if (firmware_map_entry((unsigned int)id, &start, &end, &type))
		seq_printf(m, "0x%llx\n", (unsigned long long)(want_end ? end : start));
}

void memmap_start_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	memmap_field(m, id, false);
}

void memmap_end_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	memmap_field(m, id, true);
}

void memmap_type_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	phys_addr_t start, end;
	const char *type;

	(void)entry;
	if (firmware_map_entry((unsigned int)id, &start, &end, &type)) {
		seq_puts(m, type);
		seq_puts(m, "\n");
	}
}

void cmdline_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	seq_puts(m, saved_command_line);
	seq_puts(m, "\n");
}
