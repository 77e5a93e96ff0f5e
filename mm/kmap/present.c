// SPDX-License-Identifier: MIT
/* Whether a page can be read where the direct map shows it: stacks' guard pages and KFENCE's cannot. */
#include <octavo/page.h>
#include <octavo/set_memory.h>

#include "../base/part.h"
#include "../slab/kmemleak.h"
#include "kernel_map.h"

bool kernel_page_present(struct page *page)
{
	const void *p = page_address(page);
	unsigned int level;
	const pgt_entry_t *entry;
	pgt_entry_t value;

	if (!p || !pgtables_on)
		return p != NULL;
	entry = pgt_lookup(&init_mm, kernel_virt(p, NULL), &level);
	value = entry ? pgt_get(entry) : 0;
	return entry && pgt_present(value) && pgt_prot(level, value).bits & PGPROT_READ;
}

static int tell_kmemleak(void)
{
	leak_register_present(kernel_page_present);
	return 0;
}

MM_PART(page_present, .order = MM_PART_KERNEL_MAP, .init = tell_kmemleak);
