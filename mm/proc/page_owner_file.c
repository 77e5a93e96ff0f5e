// SPDX-License-Identifier: MIT
/* /sys/kernel/debug/page_owner: who allocated each page in use. Format: Documentation/mm/page_owner.rst. */
#include "proc.h"

#include "../phys/page_alloc.h"
#include "../phys/page_owner.h"

bool page_owner_on(void)
{
	return alloc_hooks & HOOK_OWNER;
}

void page_owner_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	char text[2048]; /* stackdepot.h bounds a stack's depth */
	unsigned long pfn = 0;
	size_t len;

	(void)entry;
	(void)id;
	while ((len = page_owner_read(&pfn, text, sizeof(text))) != 0)
		seq_write(m, text, min(len, sizeof(text) - 1));
}
