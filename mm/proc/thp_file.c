// SPDX-License-Identifier: MIT
/*
 * /sys/kernel/mm/transparent_hugepage: enabled, for all sizes and for each, and what faults got of a size.
 * Format: Documentation/admin-guide/mm/transhuge.rst. And fault_around_bytes in debugfs.
 */
#include "../boot/params.h"
#include "../sync/atomic.h"
#include "../vm/fault.h"
#include "../swap/swap.h"
#include "../vm/thp.h"
#include "proc.h"

/* In the order in which the file names them. */
static const struct {
	const char *name;
	enum thp_mode mode;
} modes[] = {
	{ "always", THP_ALWAYS },
	{ "inherit", THP_INHERIT },
	{ "madvise", THP_MADVISE },
	{ "never", THP_NEVER },
};

/* What stands in entry->data is the order. */
static unsigned int order_of(const struct proc_entry *entry)
{
	return (unsigned int)(uintptr_t)entry->data;
}

bool thp_has_order_9(void)
{
	return THP_ORDER_MAX >= 9;
}

void thp_enabled_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	unsigned int order = order_of(entry);
	const char *before = "";

	(void)id;
	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		if (order == THP_ALL && modes[i].mode == THP_INHERIT)
			continue;
		seq_printf(m, modes[i].mode == thp_mode_get(order) ? "%s[%s]" : "%s%s", before, modes[i].name);
		before = " ";
	}
	seq_puts(m, "\n");
}

int thp_enabled_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	unsigned int order = order_of(entry);

	(void)id;
	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		size_t len = strlen(modes[i].name);

		if (order == THP_ALL && modes[i].mode == THP_INHERIT)
			continue;
		if (!strncmp(text, modes[i].name, len) && (!text[len] || (text[len] == '\n' && !text[len + 1]))) {
			thp_mode_set(order, modes[i].mode);
			return 0;
		}
	}
	return -EINVAL;
}

void thp_fault_alloc_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)id;
	seq_printf(m, "%lu\n", load_relaxed(&thp.fault_alloc[order_of(entry)]));
}

void thp_fault_fallback_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)id;
	seq_printf(m, "%lu\n", load_relaxed(&thp.fault_fallback[order_of(entry)]));
}

void thp_swpout_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)id;
	seq_printf(m, "%lu\n", load_relaxed(&swap_large_out[order_of(entry)]));
}

void thp_swpout_fallback_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)id;
	seq_printf(m, "%lu\n", load_relaxed(&swap_large_apart[order_of(entry)]));
}

void fault_around_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry, (void)id;
	seq_printf(m, "%lu\n", READ_ONCE(fault_around_bytes));
}

/* Rounded down to a power of two, at least a page; no more than a table maps. */
int fault_around_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	char number[24];
	size_t len = strlen(text);
	u64 bytes;

	(void)entry, (void)id;
	if (len && text[len - 1] == '\n')
		len--;
	if (len >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, len);
	number[len] = '\0';
	if (parse_number(number, &bytes))
		return -EINVAL;
	if (bytes >> PAGE_SHIFT > PGT_ENTRIES(0))
		return -EINVAL;
	WRITE_ONCE(fault_around_bytes, bytes > PAGE_SIZE ? (unsigned long)rounddown_pow_of_two(bytes) : PAGE_SIZE);
	return 0;
}
