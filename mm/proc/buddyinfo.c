// SPDX-License-Identifier: MIT
/*
 * /proc/buddyinfo and /proc/pagetypeinfo: free blocks by order, read off the bits of the zones.
 * Format: proc(5), Documentation/filesystems/proc.rst.
 */
#include "proc.h"

#include "../phys/memmap.h"

static const char *const migratetype_names[MIGRATE_TYPES] = {
	[MIGRATE_UNMOVABLE] = "Unmovable",   [MIGRATE_MOVABLE] = "Movable", [MIGRATE_RECLAIMABLE] = "Reclaimable",
	[MIGRATE_HIGHATOMIC] = "HighAtomic", [MIGRATE_CMA] = "CMA",	    [MIGRATE_ISOLATE] = "Isolate",
};

/* Linux stops counting the blocks of one list here, so as not to hold the zone's lock for long. */
#define PAGETYPE_COUNT_MAX 100000ul

void buddyinfo_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	unsigned long nr_free[NR_PAGE_ORDERS];

	(void)entry;
	(void)id;
	for_each_populated_zone(zone) {
		frames_count_all(zone, nr_free);
		seq_printf(m, "Node %d, zone %8s ", zone->node, zone->name);
		for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
			seq_printf(m, "%6lu ", nr_free[order]);
		seq_puts(m, "\n");
	}
}

static void free_counts_show(struct seq_file *m)
{
	unsigned long nr_free[NR_PAGE_ORDERS];

	seq_printf(m, "%-43s ", "Free pages count per migrate type at order");
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		seq_printf(m, "%6u ", order);
	seq_puts(m, "\n");
	for_each_populated_zone(zone) {
		for (unsigned int type = 0; type < MIGRATE_TYPES; type++) {
			frames_count(zone, type, nr_free);
			seq_printf(m, "Node %4d, zone %8s, type %12s ", zone->node, zone->name,
				   migratetype_names[type]);
			for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
				bool cut = nr_free[order] > PAGETYPE_COUNT_MAX;

				seq_printf(m, "%s%6lu ", cut ? ">" : "",
					   cut ? PAGETYPE_COUNT_MAX : nr_free[order]);
			}
			seq_puts(m, "\n");
		}
	}
}

/*
 * Is the block of @pfn one of the zone's? Holes of whole sections are not; small ones count as memory, as on
 * Linux. A section names the node of its first memory: where another node's begins inside, descriptors decide
 * (and are initialised for it).
 */
static bool block_of_zone(const struct zone *zone, unsigned long pfn)
{
	const struct mem_section *section = pfn_to_section(pfn);
	const struct page *page;

	if (!section || !(load_relaxed(&section->flags) & SECTION_ONLINE))
		return false;
	if (section->nid == zone->node)
		return true;
	page = pfn_to_online_page(pfn);
	return page && page_zone(page) == zone;
}

static void count_blocks(struct zone *zone, unsigned long nr_blocks[MIGRATE_TYPES])
{
	for (unsigned int type = 0; type < MIGRATE_TYPES; type++)
		nr_blocks[type] = 0;
	for (unsigned long pfn = zone->zone_start_pfn; pfn < zone_end_pfn(zone);
	     pfn = ALIGN_DOWN(pfn, pageblock_nr_pages) + pageblock_nr_pages) {
		unsigned int type;

		if (!block_of_zone(zone, pfn))
			continue;
		type = get_pageblock_migratetype(zone, pfn);
		if (type < MIGRATE_TYPES)
			nr_blocks[type]++;
	}
}

static void block_counts_show(struct seq_file *m)
{
	unsigned long nr_blocks[MIGRATE_TYPES];

	seq_printf(m, "\n%-23s", "Number of blocks type ");
	for (unsigned int type = 0; type < MIGRATE_TYPES; type++)
		seq_printf(m, "%12s ", migratetype_names[type]);
	seq_puts(m, "\n");
	for_each_populated_zone(zone) {
		count_blocks(zone, nr_blocks);
		seq_printf(m, "Node %d, zone %8s ", zone->node, zone->name);
		for (unsigned int type = 0; type < MIGRATE_TYPES; type++)
			seq_printf(m, "%12lu ", nr_blocks[type]);
		seq_puts(m, "\n");
	}
}

void pagetypeinfo_show(struct seq_file *m, const struct proc_entry *entry, unsigned long id)
{
	(void)entry;
	(void)id;
	seq_printf(m, "Page block order: %d\n", pageblock_order);
	seq_printf(m, "Pages per block:  %lu\n\n", pageblock_nr_pages);
	free_counts_show(m);
	block_counts_show(m);
}
