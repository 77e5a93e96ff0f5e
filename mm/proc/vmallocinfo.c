// SPDX-License-Identifier: MIT
/*
 * /proc/vmallocinfo, and the lines of /proc/meminfo that go with it. Format: proc.rst, and what Linux 6.12 prints: a
 * line an area in address order, areas that wait for a purge behind all others.
 */
#include <octavo/port.h>
#include <octavo/vmalloc.h>

#include "proc.h"

#include "../kmap/vmap.h"

#define DIGITS ((int)(2 * sizeof(void *)))
#define NODES 64u /* of the first so many, each line shows what it has */

static void range_show(struct seq_file *m, const struct vmap_row *row)
{
	seq_printf(m, "0x%0*zx-0x%0*zx %7zu", DIGITS, (size_t)row->start, DIGITS, (size_t)row->end,
		   (size_t)(row->end - row->start));
}

static void nodes_show(struct seq_file *m, const struct vmap_row *row)
{
	unsigned long pages[NODES];
	unsigned int nodes = min((unsigned int)nr_node_ids, NODES);

	vmap_row_nodes(row, pages, nodes);
	for (unsigned int nid = 0; nid < nodes; nid++)
		if (pages[nid])
			seq_printf(m, " N%u=%lu", nid, pages[nid]);
}

static void area_show(struct seq_file *m, const struct vmap_row *row)
{
	static const struct {
		unsigned long flag;
		const char *name;
	} words[] = { { VM_IOREMAP, " ioremap" }, { VM_ALLOC, " vmalloc" }, { VM_MAP, " vmap" },
		      { VM_USERMAP, " user" }, { VM_DMA_COHERENT, " dma-coherent" } };
	char name[128];

	range_show(m, row);
	if (row->kind == VMAP_ROW_RAM) {
		seq_puts(m, " vm_map_ram\n");
		return;
	}
	if (row->caller) {
		port_symbol((uintptr_t)row->caller, name, sizeof(name));
		seq_printf(m, " %s", name);
	}
	if (row->nr_pages)
		seq_printf(m, " pages=%lu", row->nr_pages);
	if (row->phys)
		seq_printf(m, " phys=0x%0*llx", (int)(2 * sizeof(phys_addr_t)), (unsigned long long)row->phys);
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		if (row->flags & words[i].flag)
			seq_puts(m, words[i].name);
	if (row->pages_in_vmalloc)
		seq_puts(m, " vpages");
	if (proc_machine_numa())
		nodes_show(m, row);
	seq_puts(m, "\n");
}

void vmallocinfo_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	struct vmap_row row;

	(void)entry;
	(void)id;
	for (uintptr_t at = 0; vmap_row_next(at, &row); at = row.end)
		if (row.kind != VMAP_ROW_UNPURGED)
			area_show(m, &row);
	for (uintptr_t at = 0; vmap_row_next(at, &row); at = row.end)
		if (row.kind == VMAP_ROW_UNPURGED) {
			range_show(m, &row);
			seq_puts(m, " unpurged vm_area\n");
		}
}
