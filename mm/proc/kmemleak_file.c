// SPDX-License-Identifier: MIT
/* /sys/kernel/debug/kmemleak: lost objects. Format: Linux 6.12, Documentation/dev-tools/kmemleak.rst. */
#include "proc.h"

#include "../slab/kmemleak.h"

bool kmemleak_present(void)
{
	return leak.started;
}

static void write_on(void *ctx, const char *text, size_t len)
{
	seq_write(ctx, text, len);
}

void kmemleak_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	leak_show(write_on, m);
}

int kmemleak_store(const struct proc_entry *entry, unsigned long id, const char *text)
{
	(void)entry;
	(void)id;
	return leak_command(text);
}
