// SPDX-License-Identifier: MIT
#include "pgtable.h"

#include "../base/printk.h"

void pgt_report_bad(const char *type, const void *entry, u64 value)
{
	pr_err("bad %s %p(%016llx)\n", type, entry, (unsigned long long)value);
}
