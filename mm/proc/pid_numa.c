// SPDX-License-Identifier: MIT
/* A mapping's line of /proc/PID/numa_maps: numa_maps in proc(5) and numa(7). */
#include <octavo/page.h>

#include "pid.h"

static void numa_entry(void *ctx, const struct pid_entry *e)
{
	struct pid_numa *numa = ctx;
	struct page *page = pgt_present(e->e) ? vm_normal_page(e->vma, e->addr, e->e) : NULL, *head;

	if (!page || PageReserved(page))
		return;
	head = compound_head(page);
	numa->pages++;
	numa->anon += page_is_anon(head);
	numa->dirty += pgt_dirty(0, e->e) || PageDirty(head);
	numa->swapcache += page_is_anon(head) && PageSwapBacked(head) && PageSwapCache(head);
	numa->active += PageActive(head) || PageUnevictable(head);
	numa->writeback += PageWriteback(head);
	numa->mapcount_max = max(numa->mapcount_max, entry_mappers(e->entry, page));
	numa->node[page_to_nid(page)]++;
}

void pid_numa_add(struct pid_numa *numa, struct vm_area_struct *vma)
{
	pid_walk(vma, vma->vm_start, vma->vm_end, numa_entry, numa);
}

static void item(struct seq_file *m, const char *name, unsigned long pages)
{
	if (pages)
		seq_printf(m, " %s=%lu", name, pages);
}

void pid_numa_show(struct seq_file *m, const struct pid_vma *v, const struct pid_numa *numa)
{
	seq_printf(m, "%08lx default", (unsigned long)v->start);
	if (v->file) {
		seq_puts(m, " file=");
		pid_name(m, v->name, "\n\t= ");
	} else if (v->heap) {
		seq_puts(m, " heap");
	} else if (v->stack) {
		seq_puts(m, " stack");
	}
	if (numa->pages) {
		item(m, "anon", numa->anon);
		item(m, "dirty", numa->dirty);
		if (numa->pages != numa->anon && numa->pages != numa->dirty)
			item(m, "mapped", numa->pages);
		if (numa->mapcount_max > 1)
			item(m, "mapmax", numa->mapcount_max);
		item(m, "swapcache", numa->swapcache);
		if (numa->active < numa->pages)
			seq_printf(m, " active=%lu", numa->active);
		item(m, "writeback", numa->writeback);
		for (unsigned int nid = 0; nid < MAX_NUMNODES; nid++)
			if (numa->node[nid])
				seq_printf(m, " N%u=%lu", nid, numa->node[nid]);
		seq_printf(m, " kernelpagesize_kB=%lu", (unsigned long)(v->page_size >> 10));
	}
	seq_puts(m, "\n");
}
