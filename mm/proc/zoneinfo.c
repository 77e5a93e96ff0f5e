// SPDX-License-Identifier: MIT
/*
 * /proc/zoneinfo. Format: proc.rst, and what Linux 6.12 prints.
 *
 * A node's own counters stand in its first populated zone. A zone without pages ends after the protection
 * line. Since 6.13 a page set also shows high_min and high_max (and its numbers are aligned): not in 6.12.
 */
#include "proc.h"

static bool first_populated(const struct zone *zone)
{
	for (int type = 0; type < zone_idx(zone); type++)
		if (populated_zone(zone_of(zone->node, (enum zone_type)type)))
			return false;
	return populated_zone(zone);
}

static void node_stats_show(struct seq_file *m, int nid)
{
	seq_puts(m, "\n  per-node stats");
	for (unsigned int item = 0; item < NR_VM_NODE_STAT_ITEMS; item++) {
		enum node_stat_item stat = (enum node_stat_item)item;

		if (proc_node_stat_name(stat))
			seq_printf(m, "\n      %-12s %lu", proc_node_stat_name(stat),
				   node_page_state_pages(NODE_DATA(nid), stat));
	}
}

static void pages_show(struct seq_file *m, const struct zone *zone)
{
	const char *comma = "";

	seq_printf(m, "\n  pages free     %lu", zone_page_state_snapshot(zone, NR_FREE_PAGES));
	seq_printf(m, "\n        boost    %lu", READ_ONCE(zone->watermark_boost));
	seq_printf(m, "\n        min      %lu", wmark_pages(zone, WMARK_MIN));
	seq_printf(m, "\n        low      %lu", wmark_pages(zone, WMARK_LOW));
	seq_printf(m, "\n        high     %lu", wmark_pages(zone, WMARK_HIGH));
	seq_printf(m, "\n        promo    %lu", wmark_pages(zone, WMARK_PROMO));
	seq_printf(m, "\n        spanned  %lu", zone->spanned_pages);
	seq_printf(m, "\n        present  %lu", zone->present_pages);
	seq_printf(m, "\n        managed  %lu", zone_managed_pages(zone));
	seq_printf(m, "\n        cma      %lu", READ_ONCE(zone->cma_pages));
	seq_puts(m, "\n        protection: (");
	for (unsigned int type = 0; type < MAX_NR_ZONES; type++) {
		if (!zone_configured((enum zone_type)type))
			continue;
		seq_printf(m, "%s%lu", comma, READ_ONCE(zone->lowmem_reserve[type]));
		comma = ", ";
	}
	seq_puts(m, ")");
}

static void pagesets_show(struct seq_file *m, struct zone *zone)
{
	seq_puts(m, "\n  pagesets");
	for_each_online_cpu(cpu) {
		seq_printf(m, "\n    cpu: %u", cpu);
		seq_printf(m, "\n              count: %u", cpu_pages_count(zone, cpu));
		seq_printf(m, "\n              high:  %u", zone->pageset_high_min);
		seq_printf(m, "\n              batch: %u", zone->pageset_batch);
		seq_printf(m, "\n  vm stats threshold: %u", zone->stat_threshold);
	}
}

void zoneinfo_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	for_each_zone(zone) {
		seq_printf(m, "Node %d, zone %8s", zone->node, zone->name);
		if (first_populated(zone))
			node_stats_show(m, zone->node);
		pages_show(m, zone);
		if (!populated_zone(zone)) {
			seq_puts(m, "\n");
			continue;
		}
		for (unsigned int item = 0; item < NR_VM_ZONE_STAT_ITEMS; item++) {
			const char *name = proc_zone_stat_name((enum zone_stat_item)item);

			if (name)
				seq_printf(m, "\n      %-12s %lu", name,
					   zone_page_state_snapshot(zone, (enum zone_stat_item)item));
		}
		pagesets_show(m, zone);
		seq_printf(m, "\n  node_unreclaimable:  %u",
			   READ_ONCE(zone->pgdat->kswapd_failures) >= KSWAPD_FAILURES);
		seq_printf(m, "\n  start_pfn:           %lu\n", zone->zone_start_pfn);
	}
}
