// SPDX-License-Identifier: MIT
/* The monitor's pictures: where the free memory is, in what blocks, and how full the pageblocks are. */
#include <octavo/percpu.h>
#include <octavo/slab.h>
#include <octavo/verify.h>

#include "../phys/blockindex.h"
#include "../sync/rcu.h"
#include "monitor.h"

#define CELLS 64u

/* A horizontal bar of @eighths eighths of a cell, padded to @cells. */
static void show_bar(struct monitor *mon, unsigned int eighths, unsigned int cells)
{
	static const char *const parts[] = { " ", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };

	for (unsigned int c = 0; c < cells; c++) {
		unsigned int here = eighths > c * 8 ? eighths - c * 8 : 0;

		if (!mon->unicode)
			monitor_say(mon, "%s", here >= 4 ? "#" : here ? "-" : " ");
		else
			monitor_say(mon, "%s", here >= 8 ? "█" : parts[here]);
	}
}

/* A count in at most 5 characters. */
static void show_count(struct monitor *mon, unsigned long nr, bool first)
{
	if (nr > 99999)
		monitor_say(mon, "%*luK", first ? 4 : 5, min(nr / 1000, 9999ul));
	else if (nr)
		monitor_say(mon, "%*lu", first ? 5 : 6, nr);
	else
		monitor_say(mon, "%*s", first ? 5 : 6, ".");
}

void monitor_buddy_zone(struct monitor *mon, struct zone *zone)
{
	unsigned long nr[NR_PAGE_ORDERS], total = 0;
	char size[SIZE_TEXT_MAX];

	frames_count_all(zone, nr);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		total += nr[order] << order;
	monitor_say(mon, "%2d %-7s%5s", zone->node, zone->name, size_text((u64)total << PAGE_SHIFT, size));
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		show_count(mon, nr[order], order == 0);
	monitor_say(mon, "\n");
	if (!total)
		return;
	monitor_say(mon, "               %s", mon->colour ? "\033[36m" : "");
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		u64 share = (u64)(nr[order] << order) * 40;

		monitor_say(mon, "%s", order ? " " : "");
		show_bar(mon, (unsigned int)((share + total - 1) / total), 5);
	}
	monitor_say(mon, "%s\n", mon->colour ? "\033[0m" : "");
}

void monitor_buddy_heading(struct monitor *mon)
{
	char size[SIZE_TEXT_MAX];

	monitor_say(mon, "   zone    free");
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		monitor_say(mon, "%*s", order ? 6 : 5, size_text((u64)PAGE_SIZE << order, size));
	monitor_say(mon, "\n");
}

void monitor_show_buddy(struct monitor *mon)
{
	monitor_buddy_heading(mon);
	for_each_populated_zone(zone)
		monitor_buddy_zone(mon, zone);
}

/* Five degrees of use of a cell, and "nothing of it is in the zone". */
static void show_cell(struct monitor *mon, u64 free, u64 frames, bool *coloured)
{
	static const char *const ascii[] = { ".", ":", "+", "*", "#" };
	static const char *const blocks[] = { "·", "░", "▒", "▓", "█" };
	static const char *const colours[] = { "\033[32m", "\033[36m", "\033[33m", "\033[35m", "\033[31m" };
	unsigned int degree;

	if (!frames) {
		monitor_say(mon, " ");
		return;
	}
	degree = free == frames ? 0 : free == 0 ? 4 : 1 + (unsigned int)((frames - free) * 3 / frames);
	if (mon->colour) {
		monitor_say(mon, "%s", colours[min(degree, 4u)]);
		*coloured = true;
	}
	monitor_say(mon, "%s", mon->unicode ? blocks[min(degree, 4u)] : ascii[min(degree, 4u)]);
}

/* Blocks of the zone from @first on, @per_cell of them: free frames, and frames that were ever free. */
static void count_cell(struct zone *zone, unsigned long first, unsigned long per_cell, u64 *free, u64 *frames)
{
	unsigned long blocks = DIV_ROUND_UP(zone_end_pfn(zone) - zone->frames.base_pfn, (unsigned long)BLOCK_FRAMES);
	unsigned long end = min(first + per_cell, blocks);

	*free = *frames = 0;
	for (unsigned long i = first; i < end; i++) {
		unsigned long pfn = zone->frames.base_pfn + (i << PAGEBLOCK_ORDER);
		unsigned long from = max(pfn, zone->zone_start_pfn);
		unsigned long to = min(pfn + BLOCK_FRAMES, zone_end_pfn(zone));
		struct pageblock *b = &zone->frames.blocks[i];
		bool whole = index_is_whole(zone, b);

		if (!whole && !index_seen(zone, b))
			continue;
		*free += whole ? BLOCK_FRAMES : load_relaxed(&b->nr_free);
		*frames += to > from ? to - from : 0;
	}
	*free = min(*free, *frames);
}

void monitor_map_zone(struct monitor *mon, struct zone *zone, unsigned int rows)
{
	/* the zone may have tables for memory that is not there yet */
	unsigned long blocks = DIV_ROUND_UP(zone_end_pfn(zone) - zone->frames.base_pfn, (unsigned long)BLOCK_FRAMES);
	unsigned long per_cell = DIV_ROUND_UP(blocks, (unsigned long)CELLS * rows);
	unsigned long nr[NR_PAGE_ORDERS], total = 0, large = 0;
	char size[SIZE_TEXT_MAX];

	if (!blocks)
		return;
	frames_count_all(zone, nr);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		total += nr[order] << order;
		large += order >= PAGEBLOCK_ORDER ? nr[order] << order : 0;
	}
	monitor_say(mon, "%2d %-7s a cell is %s; ", zone->node, zone->name,
		    size_text((u64)per_cell << (PAGEBLOCK_ORDER + PAGE_SHIFT), size));
	monitor_say(mon, "%s free, %lu%% of it in whole pageblocks\n", size_text((u64)total << PAGE_SHIFT, size),
		    total ? (unsigned long)((u64)large * 100 / total) : 0);
	for (unsigned long first = 0; first < blocks; first += per_cell * CELLS) {
		bool coloured = false;
		unsigned long flags;

		monitor_say(mon, "   ");
		for (unsigned int c = 0; c < CELLS && first + c * per_cell < blocks; c++) {
			u64 free, frames;

			spin_lock_irqsave(&zone->lock, flags);
			count_cell(zone, first + c * per_cell, per_cell, &free, &frames);
			spin_unlock_irqrestore(&zone->lock, flags);
			show_cell(mon, free, frames, &coloured);
		}
		monitor_say(mon, "%s\n", coloured ? "\033[0m" : "");
	}
}

void monitor_map_legend(struct monitor *mon)
{
	monitor_say(mon, "   %s\n", mon->unicode ? "· free  ░ ▒ ▓ partly used  █ all used" :
						   ". free  : + * partly used  # all used");
}

void monitor_show_fragmentation(struct monitor *mon, unsigned int rows)
{
	for_each_populated_zone(zone)
		monitor_map_zone(mon, zone, rows);
	monitor_map_legend(mon);
}

static void report_finding(void *ctx, const char *line)
{
	monitor_say(ctx, "  %s\n", line);
}

unsigned int monitor_verify(struct monitor *mon)
{
	unsigned int findings = 0;

	drain_all_pages(NULL);
	for_each_populated_zone(zone)
		findings += frames_verify(zone, report_finding, mon);
	findings += mm_verify(report_finding, mon) + heap_verify(report_finding, mon);
	return findings + percpu_verify(report_finding, mon) + rcu_verify(report_finding, mon);
}
